//! Who runs the server. PostgreSQL refuses to run as root, so root hands it to an account that
//! cannot do harm.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::binaries::Binaries;
use super::error::PostgresError;
use crate::data_dir::{io_error, is_root};

/// An account of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// The account to start the server as; none when the caller is an ordinary user. The owner of
    /// existing data comes first, then `postgres`, then `nobody`.
    pub fn for_cluster(cluster: &Path) -> Result<Option<Self>, PostgresError> {
        if !is_root() {
            return Ok(None);
        }
        let passwd = Path::new("/etc/passwd");
        let text = fs::read_to_string(passwd).map_err(io_error("read", passwd))?;
        let owner = fs::metadata(cluster)
            .map(|meta| meta.uid())
            .ok()
            .filter(|uid| *uid != 0);
        let accounts: Vec<Self> = text.lines().filter_map(parse_line).collect();
        let by_name = |name: &str| accounts.iter().find(|a| a.name == name);
        accounts
            .iter()
            .find(|a| Some(a.uid) == owner)
            .or_else(|| by_name("postgres"))
            .or_else(|| by_name("_postgres")) // macOS
            .or_else(|| by_name("nobody"))
            .cloned()
            .map(Some)
            .ok_or(PostgresError::NoAccount)
    }

    /// Proves that the account can run the programs and get to `folder`, by doing both.
    pub fn check_reach(&self, binaries: &Binaries, folder: &Path) -> Result<(), PostgresError> {
        for cwd in [Path::new("/"), folder] {
            let program = binaries.program("postgres");
            let result = Command::new(&program)
                .arg("--version")
                .current_dir(cwd)
                .uid(self.uid)
                .gid(self.gid)
                .output();
            match result {
                Ok(output) if output.status.success() => {}
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    let goal = if cwd == folder {
                        folder
                    } else {
                        &binaries.folder
                    };
                    return Err(self.unreachable(goal));
                }
                Err(source) => {
                    let action = format!("run {} as {}", program.display(), self.name);
                    return Err(PostgresError::Process { action, source });
                }
                Ok(output) => {
                    return Err(PostgresError::Program {
                        program: format!("{} --version", program.display()),
                        output: String::from_utf8_lossy(&output.stderr).into_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Gives a folder of ours, with all in it, to the account.
    pub fn own(&self, path: &Path) -> Result<(), PostgresError> {
        let mut open = vec![path.to_owned()];
        while let Some(path) = open.pop() {
            lchown(&path, Some(self.uid), Some(self.gid)).map_err(io_error("give away", &path))?;
            // Links are not followed: what they point to is not ours.
            let kind = fs::symlink_metadata(&path)
                .map_err(io_error("read", &path))?
                .file_type();
            if kind.is_dir() {
                for entry in fs::read_dir(&path).map_err(io_error("read", &path))? {
                    open.push(entry.map_err(io_error("read", &path))?.path());
                }
            }
        }
        Ok(())
    }

    fn unreachable(&self, goal: &Path) -> PostgresError {
        let ancestors: Vec<&Path> = goal.ancestors().collect();
        let closed = ancestors
            .into_iter()
            .rev()
            .find(|folder| !self.may_enter(folder));
        let folder: PathBuf = closed.unwrap_or(goal).to_owned();
        PostgresError::Unreachable {
            account: self.name.clone(),
            folder,
        }
    }

    fn may_enter(&self, folder: &Path) -> bool {
        let Ok(meta) = fs::metadata(folder) else {
            return false;
        };
        let bit = match (meta.uid() == self.uid, meta.gid() == self.gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        meta.mode() & bit != 0
    }
}

/// `postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash`
fn parse_line(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    // macOS writes `nobody` as -2; the kernel sees the same 32 bits.
    let id = |text: &str| text.parse::<i64>().ok().map(|id| id as u32);
    let uid = id(fields.nth(1)?)?;
    let gid = id(fields.next()?)?;
    Some(Account { name, uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_from_lines() {
        let account = parse_line("postgres:x:101:104:P,,,:/var/lib/postgresql:/bin/bash").unwrap();
        assert_eq!(
            account,
            Account {
                name: "postgres".into(),
                uid: 101,
                gid: 104
            }
        );
        assert_eq!(parse_line("nobody:*:-2:-2:::").unwrap().uid, u32::MAX - 1);
        assert_eq!(parse_line("# comment"), None);
    }
}
