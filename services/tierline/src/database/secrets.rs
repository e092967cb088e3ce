//! The folder with one file for each account: `ACCOUNT.url`, the whole URL with its password. What
//! is there is kept; what is missing is made with a random password.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rand::RngCore as _;
use url::Url;

/// Bytes of chance in a password.
const CHANCE: usize = 24;
/// Shortest password that is taken from a file.
const SHORTEST: usize = 16;

/// A folder of secrets, and the URL of an administrator, of which new URLs are made.
pub struct Secrets {
    folder: PathBuf,
    administrator: Url,
}

impl Secrets {
    /// Secrets in a folder, which is made when it is missing.
    ///
    /// # Errors
    /// When the URL or the folder cannot be used.
    pub fn open(folder: &Path, administrator: &str) -> anyhow::Result<Self> {
        let administrator =
            Url::parse(administrator).context("the URL of the database cannot be read")?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            administrator,
        })
    }

    /// The password of an account, and whether its file was made just now.
    ///
    /// # Errors
    /// When the file cannot be read or made, or does not suit; the text names it.
    pub fn password(&self, account: &str) -> anyhow::Result<(String, bool)> {
        let file = self.folder.join(format!("{account}.url"));
        match fs::read_to_string(&file) {
            Ok(text) => {
                let password = password_in(text.trim(), account);
                Ok((password.with_context(|| file.display().to_string())?, false))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let password = random();
                let mut url = self.administrator.clone();
                if url.set_username(account).is_err() || url.set_password(Some(&password)).is_err()
                {
                    bail!("the URL of the database names no host");
                }
                write(&file, url.as_str())
                    .with_context(|| format!("{} cannot be written", file.display()))?;
                Ok((password, true))
            }
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
        }
    }
}

fn password_in(url: &str, account: &str) -> anyhow::Result<String> {
    let url = Url::parse(url).context("this is no URL")?;
    if url.username() != account {
        bail!("this URL is of user `{}`, not of {account}", url.username());
    }
    let Some(password) = url.password() else {
        bail!("this URL has no password");
    };
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
    if password.len() < SHORTEST || !password.chars().all(good) {
        bail!("the password must be at least {SHORTEST} of the characters A-Z a-z 0-9 - _ . ~");
    }
    Ok(password.to_owned())
}

fn random() -> String {
    let mut bytes = [0; CHANCE];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    writeln!(out, "{text}")?;
    out.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_of_the_account_with_a_password_worth_the_name_are_taken() {
        let url = |user: &str, password: &str| format!("postgres://{user}:{password}@db/tierline");
        let good = "0123456789abcdef";
        assert_eq!(password_in(&url("tl_a", good), "tl_a").unwrap(), good);
        for (text, wrong) in [
            (url("tl_b", good), "tl_b"),
            (url("tl_a", "short"), "at least"),
            (url("tl_a", "0123456789%20abcdef"), "characters"),
            ("postgres://tl_a@db/tierline".to_owned(), "no password"),
            ("nonsense".to_owned(), "no URL"),
        ] {
            let error = password_in(&text, "tl_a").unwrap_err().to_string();
            assert!(error.contains(wrong), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_is_made_once_and_read_ever_after() {
        let folder = std::env::temp_dir().join(format!("tierline-secrets-{}", random()));
        let admin = "postgres://admin:hunter2@db.example:5433/tierline?sslmode=verify-full";
        let secrets = Secrets::open(&folder, admin).unwrap();
        let (made, fresh) = secrets.password("tl_query").unwrap();
        assert!(fresh);
        assert_eq!(secrets.password("tl_query").unwrap(), (made, false));
        let text = fs::read_to_string(folder.join("tl_query.url")).unwrap();
        assert!(text.contains("@db.example:5433/tierline?") && !text.contains("hunter2"));
        assert!(text.contains("sslmode=verify-full"), "{text}");
        fs::remove_dir_all(folder).unwrap();
    }
}
