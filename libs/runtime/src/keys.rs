//! What a local Tierline keeps about trust: the private key that signs its tokens, the public set,
//! the tokens, and the file from which the command line knows where to call and as whom.
//!
//! This is only the keeping. Making keys and signing tokens is the business of whoever checks
//! tokens too, so that the two never disagree.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::Secret;
use crate::data_dir::{DataDir, DataDirError, io_error, write_public, write_secret};

/// Why a kept file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system refused.
    #[error(transparent)]
    Files(#[from] DataDirError),
    /// A file is there and cannot be read as what it should be.
    #[error(
        "{} cannot be used: {reason}; remove it, and the next `tierline up` makes a new one",
        .path.display()
    )]
    Broken {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A token was to be kept under a name that is not a plain file name.
    #[error("`{0}` cannot name a token: allowed are letters, digits, `-`, `_` and `.`")]
    TokenName(String),
    /// The key could not be made.
    #[error("a new signing key could not be made: {0}")]
    Generate(String),
}

/// The text of the private signing key; made by `generate` at the first call.
///
/// # Errors
/// When the key cannot be read, made or kept.
pub fn signing_key(
    data: &DataDir,
    generate: impl FnOnce() -> Result<String, String>,
) -> Result<Secret, KeyError> {
    let path = data.signing_key();
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().is_empty() => Err(KeyError::Broken {
            path,
            reason: "it is empty".to_owned(),
        }),
        Ok(text) => Ok(Secret::from(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = generate().map_err(KeyError::Generate)?;
            write_secret(&path, text.as_bytes())?;
            Ok(Secret::from(text))
        }
        Err(error) => Err(io_error("read", &path)(error).into()),
    }
}

/// Keeps the public key set.
///
/// # Errors
/// Whatever the file system says.
pub fn write_jwks(data: &DataDir, jwks: &str) -> Result<(), KeyError> {
    Ok(write_public(&data.jwks(), jwks.as_bytes())?)
}

/// Keeps a token as `<data>/tokens/<name>`; gives the path.
///
/// # Errors
/// A name that is not a plain file name; whatever the file system says.
pub fn write_token(data: &DataDir, name: &str, token: &str) -> Result<PathBuf, KeyError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(KeyError::TokenName(name.to_owned()));
    }
    let folder = data.tokens();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(io_error("make", &folder))?;
    let path = folder.join(name);
    write_secret(&path, format!("{token}\n").as_bytes())?;
    Ok(path)
}

/// What the command line needs to talk to a local Tierline. The token names no address, and the
/// address no token: either may change without the other.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientFile {
    /// Where the gRPC services are, such as `http://127.0.0.1:7700`.
    pub address: String,
    /// File with the token that is used unless another is named.
    pub token_file: PathBuf,
}

impl ClientFile {
    /// Reads the file; none where there is no file.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(path: &Path) -> Result<Option<Self>, KeyError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read", path)(error).into()),
        };
        let read = toml::from_str(&text).map(Some);
        read.map_err(|error| KeyError::Broken {
            path: path.to_owned(),
            reason: error.to_string().trim().to_owned(),
        })
    }

    /// Writes the file of a data folder.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&self, data: &DataDir) -> Result<(), KeyError> {
        // Literal strings of TOML take every character but the quote that ends them.
        let token_file = self.token_file.display().to_string();
        let path = data.client_file();
        if [self.address.as_str(), &token_file]
            .iter()
            .any(|text| text.contains(['\'', '\n']))
        {
            let reason = "neither address nor path may contain a quote".to_owned();
            return Err(KeyError::Broken { path, reason });
        }
        let text = format!(
            "address = '{}'\ntoken_file = '{token_file}'\n",
            self.address
        );
        Ok(write_secret(&path, text.as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn data() -> (tempfile::TempDir, DataDir) {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(&folder.path().join("data")).unwrap();
        (folder, data)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_signing_key_is_made_once_and_read_by_its_owner_only() {
        let (_folder, data) = data();
        let first = signing_key(&data, || Ok("one".into())).unwrap();
        let again = signing_key(&data, || panic!("there is one already")).unwrap();
        assert_eq!((first.expose(), again.expose()), ("one", "one"));
        assert_eq!(mode(&data.signing_key()), 0o600);
        fs::write(data.signing_key(), "").unwrap();
        let error = signing_key(&data, || Ok("two".into()))
            .unwrap_err()
            .to_string();
        assert!(error.contains("is empty"), "{error}");
    }

    #[test]
    fn tokens_are_kept_apart_and_closed_and_their_names_stay_in_the_folder() {
        let (_folder, data) = data();
        let path = write_token(&data, "demo-admin", "abc").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "abc\n");
        assert_eq!((mode(&path), mode(&data.tokens())), (0o600, 0o700));
        for name in ["", "../x", ".x", "a/b", "a b"] {
            assert!(matches!(
                write_token(&data, name, "t"),
                Err(KeyError::TokenName(_))
            ));
        }
    }

    #[test]
    fn the_client_file_is_read_as_it_was_written() {
        let (_folder, data) = data();
        assert_eq!(ClientFile::read(&data.client_file()).unwrap(), None);
        let file = ClientFile {
            address: "http://127.0.0.1:7700".into(),
            token_file: data.tokens().join("demo-admin"),
        };
        file.write(&data).unwrap();
        assert_eq!(ClientFile::read(&data.client_file()).unwrap(), Some(file));
        assert_eq!(mode(&data.client_file()), 0o600);
        fs::write(data.client_file(), "address = 7").unwrap();
        let error = ClientFile::read(&data.client_file())
            .unwrap_err()
            .to_string();
        assert!(error.contains("client.toml"), "{error}");
    }
}
