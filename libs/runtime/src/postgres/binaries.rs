//! Finding the programs of PostgreSQL on this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::PostgresError;

/// Oldest major version that Tierline is tested with.
pub const MIN_MAJOR: u32 = 15;

/// Folders in which packages put PostgreSQL, apart from the PATH; one `*` at most.
const PLACES: [&str; 10] = [
    "/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
    "/usr/pgsql-*/bin",                                   // Fedora and RHEL, packages of PGDG
    "/usr/bin",                                           // Fedora, Arch, Alpine
    "/usr/libexec/postgresql*",                           // Alpine
    "/opt/homebrew/opt/postgresql@*/bin",                 // macOS, Homebrew on Apple silicon
    "/usr/local/opt/postgresql@*/bin",                    // macOS, Homebrew on Intel
    "/Applications/Postgres.app/Contents/Versions/*/bin", // macOS, Postgres.app
    "/opt/local/lib/postgresql*/bin",                     // macOS, MacPorts
    "/usr/local/pgsql/bin",                               // built from source
    "/usr/local/bin",                                     // FreeBSD
];

/// One installation of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder that has `initdb` and `postgres`.
    pub folder: PathBuf,
    /// Major version, such as 15.
    pub major: u32,
    /// What `postgres --version` says, such as `15.13`.
    pub version: String,
}

impl Binaries {
    /// Finds an installation: the folder that the caller names, else the PATH, else the usual
    /// places, newest first. Where a cluster exists already, only its major version will do.
    ///
    /// # Errors
    /// When nothing suitable is found; the text names packages and flags.
    pub fn find(
        named: Option<&Path>,
        cluster: Option<(u32, &Path)>,
    ) -> Result<Self, PostgresError> {
        if let Some(folder) = named {
            let found = Self::at_named(folder)?;
            return choose(vec![found], cluster, &folder.display().to_string());
        }
        let mut found: Vec<Self> = path_folders().iter().filter_map(|f| Self::at(f)).collect();
        let mut others: Vec<Self> = PLACES
            .iter()
            .flat_map(|place| expand(place))
            .filter_map(|folder| Self::at(&folder))
            .collect();
        others.sort_by_key(|b| std::cmp::Reverse(b.major));
        found.extend(others);
        choose(found, cluster, &format!("PATH, {}", PLACES.join(", ")))
    }

    /// Path of one of the programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn at_named(folder: &Path) -> Result<Self, PostgresError> {
        // The prefix of an installation, or one of its programs, is easily named by mistake.
        let candidates = [
            Some(folder.to_owned()),
            Some(folder.join("bin")),
            parent(folder),
        ];
        if let Some(found) = candidates.into_iter().flatten().find_map(|f| Self::at(&f)) {
            return Ok(found);
        }
        let program = if folder.join("initdb").is_file() {
            "postgres"
        } else {
            "initdb"
        };
        Err(PostgresError::NoSuchBinary {
            folder: folder.to_owned(),
            program,
        })
    }

    fn at(folder: &Path) -> Option<Self> {
        if !folder.join("initdb").is_file() || !folder.join("postgres").is_file() {
            return None;
        }
        let output = Command::new(folder.join("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let (version, major) = parse_version(&text)?;
        Some(Self {
            folder: real_folder(folder),
            major,
            version,
        })
    }
}

/// Where links on the PATH lead to: the folder with all programs, and the one worth printing.
fn real_folder(folder: &Path) -> PathBuf {
    let program = fs::canonicalize(folder.join("postgres")).ok();
    let real = program
        .as_deref()
        .and_then(Path::parent)
        .filter(|f| f.join("initdb").is_file());
    real.unwrap_or(folder).to_owned()
}

fn parent(path: &Path) -> Option<PathBuf> {
    path.is_file()
        .then(|| path.parent().map(Path::to_owned))
        .flatten()
}

fn choose(
    found: Vec<Binaries>,
    cluster: Option<(u32, &Path)>,
    looked_in: &str,
) -> Result<Binaries, PostgresError> {
    let list = || {
        let mut versions: Vec<&str> = found.iter().map(|b| b.version.as_str()).collect();
        versions.dedup();
        versions.join(", ")
    };
    let missing = |note: String| PostgresError::Missing {
        min: MIN_MAJOR,
        note,
        looked_in: looked_in.to_owned(),
    };
    if found.is_empty() {
        return Err(missing(String::new()));
    }
    let suits = |b: &&Binaries| match cluster {
        Some((major, _)) => b.major == major,
        None => b.major >= MIN_MAJOR,
    };
    match (found.iter().find(suits), cluster) {
        (Some(suitable), _) => Ok(suitable.clone()),
        (None, Some((major, folder))) => Err(PostgresError::OtherMajor {
            folder: folder.to_owned(),
            cluster: major,
            found: list(),
        }),
        (None, None) => Err(missing(format!("; found only {}", list()))),
    }
}

fn path_folders() -> Vec<PathBuf> {
    env::var_os("PATH")
        .map(|path| env::split_paths(&path).collect())
        .unwrap_or_default()
}

/// The folders that match a pattern with at most one `*`, which stands within one component.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (folder, prefix) = before.rsplit_once('/').unwrap_or((".", before));
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| PathBuf::from(format!("{}{after}", entry.path().display())))
        .collect()
}

/// `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)` -> (`15.13`, 15).
fn parse_version(text: &str) -> Option<(String, u32)> {
    let version = text
        .split_once("(PostgreSQL) ")?
        .1
        .split_whitespace()
        .next()?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((version.to_owned(), digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binaries(major: u32) -> Binaries {
        Binaries {
            folder: format!("/pg/{major}").into(),
            major,
            version: format!("{major}.1"),
        }
    }

    #[test]
    fn versions_of_releases_packages_and_betas_are_read() {
        let debian = "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n";
        assert_eq!(parse_version(debian), Some(("15.13".into(), 15)));
        assert_eq!(
            parse_version("postgres (PostgreSQL) 18beta2"),
            Some(("18beta2".into(), 18))
        );
        assert_eq!(parse_version("bash 5"), None);
    }

    #[test]
    fn without_data_the_first_new_enough_installation_is_taken() {
        let found = vec![binaries(13), binaries(17), binaries(16)];
        assert_eq!(choose(found, None, "PATH").unwrap().major, 17);
    }

    #[test]
    fn existing_data_decides_the_version() {
        let found = vec![binaries(17), binaries(15)];
        let cluster = Some((15, Path::new("/data/postgres")));
        assert_eq!(choose(found, cluster, "PATH").unwrap().major, 15);
        let error = choose(vec![binaries(17)], cluster, "PATH")
            .unwrap_err()
            .to_string();
        assert!(error.contains("made by PostgreSQL 15"), "{error}");
        assert!(error.contains("17.1"), "{error}");
    }

    #[test]
    fn a_missing_server_names_binary_packages_and_flag() {
        let error = choose(vec![binaries(12)], None, "PATH")
            .unwrap_err()
            .to_string();
        for part in [
            "initdb",
            "apt-get",
            "dnf",
            "brew",
            "--postgres-bin",
            "found only 12.1",
        ] {
            assert!(error.contains(part), "`{part}` is not in:\n{error}");
        }
    }

    #[test]
    fn a_wrong_folder_is_named_with_what_it_lacks() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("initdb"), "").unwrap();
        let error = Binaries::find(Some(folder.path()), None)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("does not have the program `postgres`"),
            "{error}"
        );
    }

    #[test]
    fn a_pattern_matches_folders_by_prefix() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("pgsql-15/bin")).unwrap();
        fs::create_dir_all(folder.path().join("other/bin")).unwrap();
        let found = expand(&format!("{}/pgsql-*/bin", folder.path().display()));
        assert_eq!(found, vec![folder.path().join("pgsql-15/bin")]);
    }
}
