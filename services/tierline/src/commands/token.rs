//! `tierline token create`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Subcommand;
use jiff::SignedDuration;
use tierline_domain::{OrgId, PartnerId};
use tierline_rpc::Role;
use tierline_rpc::auth::{DEFAULT_MAX_LIFETIME, TokenRequest};
use tierline_runtime::config::{Config, Inputs};
use tierline_runtime::data_dir::DataDir;

use crate::cli::Globals;
use crate::{local_keys, output};

/// Makes tokens with the local key, that of `tierline up` or of `tierline token key`.
#[derive(Debug, clap::Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a token for the org that --org names, and print it, once.
    Create(CreateArgs),
    /// Make the local key without `tierline up`, for an installation without an identity provider.
    ///
    /// The key lies in the data folder; whoever has it can make any token. A key that is there
    /// already is kept.
    Key(KeyArgs),
}

#[derive(Debug, clap::Args)]
struct KeyArgs {
    /// Also write the public half there, for `jwks_file` of the servers.
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// What the token allows: admin, partner_manager, auditor, viewer, integration,
    /// partner_contact, operator; several with commas.
    #[arg(long, value_name = "ROLE", value_delimiter = ',', required = true)]
    role: Vec<Role>,
    /// The partner of a partner contact.
    #[arg(long, value_name = "PARTNER")]
    partner: Option<String>,
    /// How long it is good, such as 30m or 8h; at most 24h.
    #[arg(long, value_name = "TIME", default_value = "8h", value_parser = lifetime)]
    ttl: Duration,
    /// Who it is for, as the history will name it.
    #[arg(long, value_name = "NAME", default_value = "local-token")]
    subject: String,
}

pub fn run(args: TokenArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let args = match args.what {
        What::Create(args) => args,
        What::Key(args) => return key(&args),
    };
    let Some(org) = &globals.client.org else {
        bail!("say for which org: --org ORG");
    };
    OrgId::parse(org).map_err(|wrong| anyhow::anyhow!("--org {org}: {wrong}"))?;
    let contact = args.role.contains(&Role::PartnerContact);
    match &args.partner {
        None if contact => bail!("a partner contact belongs to a partner: --partner PARTNER"),
        Some(_) if !contact => bail!("--partner is for the role partner_contact only"),
        Some(id) => {
            PartnerId::parse(id).map_err(|wrong| anyhow::anyhow!("--partner {id}: {wrong}"))?;
        }
        None => {}
    }
    let local = local_keys::of_this_machine()?;
    let mut request = TokenRequest::new(&args.subject, org, args.role.iter().copied());
    request.partner = args.partner;
    let token = local
        .issuer
        .token(&request, args.ttl)
        .context("the token cannot be made")?;
    if globals.output.json() {
        let roles: Vec<&str> = args.role.iter().map(|role| role.as_str()).collect();
        output::json(&serde_json::json!({
            "token": token,
            "org_id": org,
            "roles": roles,
            "expires_in_seconds": args.ttl.as_secs(),
        }))?;
    } else {
        output::line(token);
    }
    Ok(ExitCode::SUCCESS)
}

fn key(args: &KeyArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&Inputs::from_process(Vec::new(), None))?;
    // The lock is also what marks a folder as one of Tierline's.
    let data = DataDir::open(&config.data_dir)?.lock()?;
    let issuer = local_keys::issuer(&data, &config.jwt_issuer, &config.jwt_audience)?;
    if let Some(file) = &args.jwks {
        std::fs::write(file, issuer.jwks())
            .with_context(|| format!("{} cannot be written", file.display()))?;
        output::line(format!("public key: {}", file.display()));
    }
    output::line(format!("local key: {}", data.path().display()));
    Ok(ExitCode::SUCCESS)
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let allowed = || {
        format!(
            "write it like 30m or 8h, at most {} h",
            hours(DEFAULT_MAX_LIFETIME)
        )
    };
    let time: SignedDuration = text.parse().map_err(|_| allowed())?;
    let time = Duration::try_from(time).map_err(|_| allowed())?;
    if time.is_zero() || time > DEFAULT_MAX_LIFETIME {
        return Err(allowed());
    }
    Ok(time)
}

fn hours(time: Duration) -> u64 {
    time.as_secs() / 3600
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_time_of_at_most_a_day() {
        assert_eq!(lifetime("8h"), Ok(Duration::from_secs(8 * 3600)));
        assert_eq!(lifetime("30m"), Ok(Duration::from_secs(1800)));
        for wrong in ["0s", "-1h", "25h", "8", "tomorrow", ""] {
            assert!(lifetime(wrong).is_err(), "{wrong} was taken");
        }
    }
}
