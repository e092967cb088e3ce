//! The signing key and the tokens that `tierline up` keeps in its data folder, so that a newcomer
//! needs no identity provider. Tokens name no address: they are good wherever the key is accepted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tierline_rpc::Role;
use tierline_rpc::auth::{LocalIssuer, TokenRequest};
use tierline_runtime::config::{Config, Inputs};
use tierline_runtime::data_dir::DataDir;
use tierline_runtime::keys::{self, ClientFile};

/// Name of the local key.
const KEY_ID: &str = "local";
/// Life of a local token.
const LIFETIME: Duration = Duration::from_secs(23 * 3600);
/// The org of the demonstration.
pub const DEMO_ORG: &str = "demo";

/// The local key; made on first use.
///
/// # Errors
/// When the file cannot be read or written.
pub fn issuer(data: &DataDir, issuer: &str, audience: &str) -> anyhow::Result<LocalIssuer> {
    let pem = keys::signing_key(data, || {
        LocalIssuer::generate(KEY_ID, issuer, audience)
            .private_pem()
            .map_err(|error| error.to_string())
    })?;
    let local = LocalIssuer::from_pem(pem.expose(), KEY_ID, issuer, audience)?;
    keys::write_jwks(data, &local.jwks())?;
    Ok(local)
}

/// Makes fresh tokens for every org that has one, and for the demonstration.
///
/// # Errors
/// When a file cannot be written.
pub fn write_tokens(data: &DataDir, issuer: &LocalIssuer) -> anyhow::Result<()> {
    let mut orgs = vec![DEMO_ORG.to_owned()];
    if let Ok(files) = std::fs::read_dir(data.tokens()) {
        for file in files {
            let name = file.context("the token folder cannot be read")?.file_name();
            if let Some(org) = name.to_string_lossy().strip_suffix("-admin") {
                orgs.push(org.to_owned());
            }
        }
    }
    orgs.sort();
    orgs.dedup();
    for org in orgs {
        write_org_tokens(data, issuer, &org)?;
    }
    Ok(())
}

/// Makes the tokens of an org: one that may do everything, one that may only look.
///
/// # Errors
/// When a file cannot be written.
pub fn write_org_tokens(
    data: &DataDir,
    issuer: &LocalIssuer,
    org: &str,
) -> anyhow::Result<PathBuf> {
    let mut admin = PathBuf::new();
    let kinds: [(&str, &[Role]); 2] = [
        ("viewer", &[Role::Viewer, Role::Auditor]),
        (
            "admin",
            &[
                Role::Admin,
                Role::Operator,
                Role::Integration,
                Role::Auditor,
            ],
        ),
    ];
    for (kind, roles) in kinds {
        let request = TokenRequest::new(format!("local-{kind}"), org, roles.iter().copied());
        let token = issuer.token(&request, LIFETIME)?;
        admin = keys::write_token(data, &format!("{org}-{kind}"), &token)?;
    }
    Ok(admin)
}

/// Says where the server is, for the command line.
///
/// # Errors
/// When the file cannot be written.
pub fn write_client_file(data: &DataDir, address: SocketAddr) -> anyhow::Result<()> {
    let file = ClientFile {
        address: format!("http://{address}"),
        token_file: data.tokens().join(format!("{DEMO_ORG}-admin")),
    };
    file.write(data)?;
    Ok(())
}

/// The data folder of this machine with its key, as another process beside `tierline up` sees it.
pub struct Local {
    /// The folder; not locked.
    pub data: DataDir,
    /// The key.
    pub issuer: LocalIssuer,
}

/// The key that `tierline up` made on this machine; never makes one.
///
/// # Errors
/// When there is none, or this user may not read it.
pub fn of_this_machine() -> anyhow::Result<Local> {
    let config = Config::load(&Inputs::from_process(Vec::new(), None))?;
    let missing = || {
        format!(
            "the local key of `tierline up` is not in {}; name its folder with TIERLINE_DATA_DIR, \
             and be the user who runs it",
            config.data_dir.display()
        )
    };
    // Opening a folder would make it, and asking for a key would make that.
    let key = config.data_dir.join("signing-key.pem");
    let pem = std::fs::read_to_string(key).with_context(missing)?;
    let data = DataDir::open(&config.data_dir)?;
    let issuer = LocalIssuer::from_pem(&pem, KEY_ID, &config.jwt_issuer, &config.jwt_audience)?;
    Ok(Local { data, issuer })
}

/// File with the admin token of an org, made with the local key unless it is there.
///
/// # Errors
/// When there is neither a token nor a key.
pub fn token_of(org: &str) -> anyhow::Result<PathBuf> {
    let local = of_this_machine()?;
    let file = local.data.tokens().join(format!("{org}-admin"));
    if file.exists() {
        return Ok(file);
    }
    write_org_tokens(&local.data, &local.issuer, org)
}
