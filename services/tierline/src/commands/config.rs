//! `tierline config [explain KEY]`

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::Globals;
use crate::config_flags::ConfigFlags;
use crate::output;

/// Prints the effective configuration, secrets hidden, or explains one key.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    #[command(flatten)]
    flags: ConfigFlags,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What a key means, its default, its present value and where that comes from.
    Explain {
        /// The key, such as `listen`.
        key: String,
    },
}

pub fn run(args: ConfigArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let config = args.flags.load()?;
    if let Some(What::Explain { key }) = args.what {
        let text = config
            .explain(&key.replace('-', "_"))
            .map_err(anyhow::Error::msg)?;
        output::line(text);
        return Ok(ExitCode::SUCCESS);
    }
    if globals.output.json() {
        let all: serde_json::Map<String, serde_json::Value> = config
            .effective()
            .iter()
            .map(|one| {
                let shown =
                    serde_json::json!({"value": one.value, "source": one.source.to_string()});
                (one.key.name.to_owned(), shown)
            })
            .collect();
        output::json(&all)?;
    } else {
        let rows = config.effective().iter().map(|one| {
            [
                one.key.name.to_owned(),
                one.value.clone(),
                one.source.to_string(),
            ]
        });
        output::table(&["key", "value", "source"], rows);
    }
    Ok(ExitCode::SUCCESS)
}
