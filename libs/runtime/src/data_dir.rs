//! The folder in which a Tierline keeps everything it must not lose.
//!
//! ```text
//! <data>/
//!   tierline.lock        held while a process works on the folder; contains its pid
//!   postgres/            the embedded PostgreSQL, owned by the account that runs it
//!   postgres.log         what that server had to say
//!   postgres-port        the port it had last
//!   postgres-password    secret, 0600
//!   signing-key.pem      secret, 0600; the local key that signs tokens
//!   jwks.json            its public half
//!   client.toml          secret, 0600; address and token for the command line
//!   tokens/              secret, 0700; one file per token
//! ```
//!
//! A folder belongs to one process at a time. Nothing outside of it is ever changed.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::ops::Deref;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where root keeps the data: a place that the account of the database can reach.
pub const ROOT_DEFAULT: &str = "/var/lib/tierline";

const LOCK_FILE: &str = "tierline.lock";

/// Why a data folder cannot be used. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Neither a flag nor the environment says where to put data.
    #[error(
        "no place for data: HOME is not set; name a folder with --data-dir DIR \
         (TIERLINE_DATA_DIR)"
    )]
    NoDefault,
    /// The path exists and is not a folder.
    #[error("the data folder {} is not a folder; choose another with --data-dir", .0.display())]
    NotAFolder(PathBuf),
    /// The folder holds files of somebody else.
    #[error(
        "the folder {} is not empty and was not made by tierline; choose a new or an empty one \
         with --data-dir", .0.display()
    )]
    NotOurs(PathBuf),
    /// The folder belongs to another user.
    #[error(
        "the data folder {} belongs to user id {owner}, and you are user id {caller}; run \
         tierline as its owner, or choose another folder with --data-dir", .path.display()
    )]
    OtherOwner {
        /// The folder.
        path: PathBuf,
        /// User id of its owner.
        owner: u32,
        /// User id of the caller.
        caller: u32,
    },
    /// Another process works on the folder.
    #[error(
        "another tierline (process {pid}) works on the data folder {}; stop it first, or choose \
         another folder with --data-dir", .path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Process id of the other one, as it wrote it down.
        pid: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

pub(crate) fn io_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> DataDirError {
    move |source| DataDirError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// True when the process may do anything on this machine.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The folder used when nobody names one: `/var/lib/tierline` for root, else
/// `$XDG_DATA_HOME/tierline`, else `$HOME/.local/share/tierline`.
///
/// # Errors
/// When there is no home to derive it from.
pub fn default_path(
    env: impl Fn(&str) -> Option<String>,
    root: bool,
) -> Result<PathBuf, DataDirError> {
    if root {
        return Ok(PathBuf::from(ROOT_DEFAULT));
    }
    let absolute = |name: &str| env(name).map(PathBuf::from).filter(|p| p.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("tierline"))
        .ok_or(DataDirError::NoDefault)
}

/// A data folder that exists and may be written.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// Opens the folder, and makes it (0700; for root 0711, so that the account of the database
    /// can pass through) where it is absent.
    ///
    /// # Errors
    /// A folder of another user, a folder with foreign content, or a refusal by the system.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let mode = if is_root() { 0o711 } else { 0o700 };
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(path)
            .map_err(|source| {
                if path.exists() && !path.is_dir() {
                    DataDirError::NotAFolder(path.to_owned())
                } else {
                    DataDirError::Io {
                        action: "make the data folder",
                        path: path.to_owned(),
                        source,
                    }
                }
            })?;
        // PostgreSQL and the comparison of process folders need one absolute spelling.
        let root = fs::canonicalize(path).map_err(io_error("open", path))?;
        let meta = fs::metadata(&root).map_err(io_error("open", &root))?;
        let caller = rustix::process::geteuid().as_raw();
        if meta.uid() != caller {
            return Err(DataDirError::OtherOwner {
                path: root,
                owner: meta.uid(),
                caller,
            });
        }
        refuse_foreign_content(&root)?;
        let wanted = meta.permissions().mode() | mode;
        if wanted != meta.permissions().mode() {
            fs::set_permissions(&root, fs::Permissions::from_mode(wanted))
                .map_err(io_error("set the mode of", &root))?;
        }
        Ok(Self { root })
    }

    /// The folder, if it is there and is one of ours. Makes and changes nothing, and takes no
    /// lock: for commands that look at what a running process keeps.
    pub fn existing(path: &Path) -> Option<Self> {
        let root = fs::canonicalize(path).ok()?;
        root.join(LOCK_FILE).exists().then_some(Self { root })
    }

    /// Takes the folder for this process until the result is dropped or the process ends.
    ///
    /// # Errors
    /// When another process has it; the error names its pid.
    pub fn lock(self) -> Result<LockedDataDir, DataDirError> {
        let path = self.root.join(LOCK_FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io_error("open the lock file", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid)
                    .map_err(io_error("read", &path))?;
                let pid = pid.trim().to_owned();
                return Err(DataDirError::InUse {
                    path: self.root,
                    pid,
                });
            }
            Err(TryLockError::Error(source)) => {
                return Err(DataDirError::Io {
                    action: "lock",
                    path,
                    source,
                });
            }
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(io_error("write", &path))?;
        Ok(LockedDataDir {
            data: self,
            _lock: file,
        })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Folder of the embedded PostgreSQL.
    pub fn postgres(&self) -> PathBuf {
        self.root.join("postgres")
    }

    /// Log file of the embedded PostgreSQL.
    pub fn postgres_log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    /// Remembers the port of the embedded PostgreSQL.
    pub fn postgres_port(&self) -> PathBuf {
        self.root.join("postgres-port")
    }

    /// Password of the embedded PostgreSQL (secret).
    pub fn postgres_password(&self) -> PathBuf {
        self.root.join("postgres-password")
    }

    /// Private key that signs local tokens (secret).
    pub fn signing_key(&self) -> PathBuf {
        self.root.join("signing-key.pem")
    }

    /// Public half of the signing key, as a JWK set.
    pub fn jwks(&self) -> PathBuf {
        self.root.join("jwks.json")
    }

    /// Folder of minted tokens (secret).
    pub fn tokens(&self) -> PathBuf {
        self.root.join("tokens")
    }

    /// What the command line needs to talk to this Tierline (secret).
    pub fn client_file(&self) -> PathBuf {
        self.root.join("client.toml")
    }
}

/// A data folder that this process alone works on. Free again when dropped.
#[derive(Debug)]
pub struct LockedDataDir {
    data: DataDir,
    _lock: File,
}

impl Deref for LockedDataDir {
    type Target = DataDir;

    fn deref(&self) -> &DataDir {
        &self.data
    }
}

/// Room on the file system of a folder, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What an ordinary user may still write.
    pub free: u64,
    /// The size of the file system.
    pub total: u64,
}

/// How much room there is on the file system of `path`.
///
/// # Errors
/// Whatever the file system says.
pub fn space(path: &Path) -> Result<Space, DataDirError> {
    let stat = rustix::fs::statvfs(path)
        .map_err(|error| io_error("ask for the room on", path)(error.into()))?;
    Ok(Space {
        free: stat.f_bavail.saturating_mul(stat.f_frsize),
        total: stat.f_blocks.saturating_mul(stat.f_frsize),
    })
}

/// A wrong `--data-dir` must not sprinkle files over somebody's home.
fn refuse_foreign_content(root: &Path) -> Result<(), DataDirError> {
    if root.join(LOCK_FILE).exists() {
        return Ok(());
    }
    let entries = fs::read_dir(root).map_err(io_error("read", root))?;
    for entry in entries {
        let entry = entry.map_err(io_error("read", root))?;
        // A file system of its own has this folder from the start.
        if entry.file_name() != "lost+found" {
            return Err(DataDirError::NotOurs(root.to_owned()));
        }
    }
    Ok(())
}

/// Writes a file that only its owner may read: complete under its name, or not there.
///
/// # Errors
/// Whatever the file system says.
pub fn write_secret(path: &Path, content: &[u8]) -> Result<(), DataDirError> {
    write_whole(path, content, 0o600)
}

/// As [`write_secret`], for what everybody may read.
///
/// # Errors
/// Whatever the file system says.
pub fn write_public(path: &Path, content: &[u8]) -> Result<(), DataDirError> {
    write_whole(path, content, 0o644)
}

fn write_whole(path: &Path, content: &[u8], mode: u32) -> Result<(), DataDirError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    // What a killed process left behind may have another mode.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error("remove", &new)(error));
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)
        .map_err(io_error("make", &new))?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(io_error("write", &new))?;
    fs::rename(&new, path).map_err(io_error("rename", &new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        let pairs: Vec<(String, String)> = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        move |name| {
            pairs
                .iter()
                .find(|(k, _)| k == name)
                .map(|(_, v)| v.clone())
        }
    }

    #[test]
    fn the_default_follows_xdg_then_home_and_root_has_its_own_place() {
        let both = env(&[("XDG_DATA_HOME", "/x"), ("HOME", "/home/a")]);
        assert_eq!(
            default_path(&both, false).unwrap(),
            Path::new("/x/tierline")
        );
        assert_eq!(default_path(&both, true).unwrap(), Path::new(ROOT_DEFAULT));
        let relative = env(&[("XDG_DATA_HOME", "x"), ("HOME", "/home/a")]);
        let expected = Path::new("/home/a/.local/share/tierline");
        assert_eq!(default_path(relative, false).unwrap(), expected);
        assert!(matches!(
            default_path(env(&[]), false),
            Err(DataDirError::NoDefault)
        ));
    }

    #[test]
    fn a_second_process_is_refused_with_the_pid_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let held = DataDir::open(&path).unwrap().lock().unwrap();
        let error = DataDir::open(&path)
            .unwrap()
            .lock()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("process {}", std::process::id())),
            "{error}"
        );
        assert!(error.contains("--data-dir"), "{error}");
        drop(held);
        DataDir::open(&path).unwrap().lock().unwrap();
    }

    #[test]
    fn a_folder_with_foreign_files_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "x").unwrap();
        assert!(matches!(
            DataDir::open(folder.path()),
            Err(DataDirError::NotOurs(_))
        ));
        let file = folder.path().join("thesis.tex");
        assert!(matches!(
            DataDir::open(&file),
            Err(DataDirError::NotAFolder(_))
        ));
    }

    #[test]
    fn looking_at_a_folder_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        assert!(DataDir::existing(&path).is_none() && !path.exists());
        fs::create_dir(&path).unwrap();
        assert!(DataDir::existing(&path).is_none(), "nothing of ours in it");
        let held = DataDir::open(&path).unwrap().lock().unwrap();
        let seen = DataDir::existing(&path).unwrap();
        assert_eq!(seen.path(), held.path());
        let room = space(seen.path()).unwrap();
        assert!(room.free <= room.total && room.total > 0, "{room:?}");
    }

    #[test]
    fn a_secret_can_be_read_by_its_owner_only_even_when_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(folder.path().join("secret.new"), "left over").unwrap();
        write_secret(&path, b"one").unwrap();
        write_secret(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
