//! The command line as a client: where the server is, and the token that is shown to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use tierline_runtime::data_dir;
use tierline_runtime::keys::ClientFile;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// Where the server is and which token to show.
#[derive(Debug, Clone, Args)]
pub struct ClientFlags {
    /// Address of the server, such as http://127.0.0.1:7700. Default: that of `tierline up`.
    #[arg(
        long,
        global = true,
        env = "TIERLINE_ADDRESS",
        help_heading = "Connection"
    )]
    pub address: Option<String>,
    /// File with the token to show. Default: the admin token that `tierline up` made.
    #[arg(
        long,
        global = true,
        env = "TIERLINE_TOKEN_FILE",
        help_heading = "Connection"
    )]
    pub token_file: Option<PathBuf>,
    /// Org whose local token to show: `demo`, or one that `tierline org create` made.
    #[arg(long, global = true, env = "TIERLINE_ORG", help_heading = "Connection")]
    pub org: Option<String>,
}

/// A channel that shows the token with every call.
pub type Authorized = InterceptedService<Channel, Bearer>;

/// Adds the token to every call.
#[derive(Debug, Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Where `tierline up` left its client file.
fn client_file() -> anyhow::Result<PathBuf> {
    let variable = |name: &str| std::env::var(name).ok();
    let folder = match variable("TIERLINE_DATA_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => data_dir::default_path(variable, data_dir::is_root())?,
    };
    Ok(folder.join("client.toml"))
}

impl ClientFlags {
    /// Connects.
    ///
    /// # Errors
    /// No address, no token, or nobody answers; the text says what to do.
    pub async fn connect(&self) -> anyhow::Result<Authorized> {
        let path = client_file()?;
        let local = ClientFile::read(&path)?;
        let Some(address) = self
            .address
            .clone()
            .or(local.as_ref().map(|file| file.address.clone()))
        else {
            bail!(
                "no server is known: start one with `tierline up`, or name one with --address \
                 http://HOST:PORT (looked for {})",
                path.display()
            );
        };
        let token = self.token(local.as_ref())?;
        let bearer = format!("Bearer {}", token.trim())
            .parse()
            .context("the token has characters that a token never has")?;
        let channel = Endpoint::from_shared(address.clone())
            .with_context(|| format!("--address {address} is no address; write http://HOST:PORT"))?
            .connect_timeout(Duration::from_secs(5))
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_while_idle(true)
            .connect()
            .await
            .with_context(|| {
                format!("nobody answers at {address}; is `tierline up` still running?")
            })?;
        Ok(InterceptedService::new(channel, Bearer(bearer)))
    }

    /// The address to which [`ClientFlags::connect`] goes; empty where none is known.
    ///
    /// # Errors
    /// When the client file is there and cannot be read.
    pub fn server(&self) -> anyhow::Result<String> {
        let known = |file: ClientFile| file.address;
        match &self.address {
            Some(address) => Ok(address.clone()),
            None => Ok(ClientFile::read(&client_file()?)?
                .map(known)
                .unwrap_or_default()),
        }
    }

    fn token(&self, local: Option<&ClientFile>) -> anyhow::Result<String> {
        if let Ok(token) = std::env::var("TIERLINE_TOKEN") {
            return Ok(token);
        }
        let file = match (&self.token_file, &self.org, local) {
            (Some(file), _, _) => file.clone(),
            (None, Some(org), Some(local)) => beside(&local.token_file, org),
            (None, None, Some(local)) => local.token_file.clone(),
            (None, _, None) => bail!("no token is known: name its file with --token-file FILE"),
        };
        std::fs::read_to_string(&file).with_context(|| {
            format!(
                "the token file {} cannot be read; name another with --token-file",
                file.display()
            )
        })
    }
}

/// The token of another org, made by `tierline up` in the same folder.
fn beside(token_file: &Path, org: &str) -> PathBuf {
    token_file.with_file_name(format!("{org}-admin"))
}

/// A failed call as an error for people: reason, fields, what to do.
pub fn refused(status: Status) -> anyhow::Error {
    anyhow::anyhow!(tierline_rpc::status::describe(&status))
}
