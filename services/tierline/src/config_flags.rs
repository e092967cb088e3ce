//! The configuration keys as flags, made from their list, so that no key lacks its flag.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use tierline_runtime::config::{Config, ConfigError, Inputs, KEYS};

/// What was said on the command line.
#[derive(Debug, Clone, Default)]
pub struct ConfigFlags {
    flags: Vec<(String, String)>,
    file: Option<PathBuf>,
}

impl ConfigFlags {
    /// Reads flags, environment and file.
    ///
    /// # Errors
    /// Every problem found, with the key, its source and what is allowed.
    pub fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&Inputs::from_process(self.flags.clone(), self.file.clone()))
    }
}

fn add(command: Command) -> Command {
    let file = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .help("Configuration file");
    KEYS.iter().fold(command.arg(file), |command, key| {
        let long = key.name.replace('_', "-");
        let mut arg = Arg::new(key.name)
            .long(long)
            .value_name("VALUE")
            .help(key.meaning)
            .help_heading("Configuration");
        if key.name.starts_with("allow_") {
            arg = arg.num_args(0..=1).default_missing_value("true");
        }
        command.arg(arg)
    })
}

impl Args for ConfigFlags {
    fn augment_args(command: Command) -> Command {
        add(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        add(command)
    }
}

impl FromArgMatches for ConfigFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let flags = KEYS
            .iter()
            .filter_map(|key| {
                let value = matches.get_one::<String>(key.name)?;
                Some((key.name.to_owned(), value.clone()))
            })
            .collect();
        let file = matches.get_one::<String>("config").map(PathBuf::from);
        Ok(Self { flags, file })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
