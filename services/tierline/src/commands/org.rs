//! `tierline org create|show|clock`

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use jiff::Span;
use jiff::civil::Date;
use tierline_domain::OrgId;
use tierline_proto::program::v1::org_service_client::OrgServiceClient;
use tierline_proto::program::v1::{CreateOrgRequest, Org};

use crate::cli::Globals;
use crate::client::refused;
use crate::commands::clock::{self, Step};
use crate::{local_keys, output};

/// Creates and shows orgs.
#[derive(Debug, clap::Args)]
pub struct OrgArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Create an org; on the machine of `tierline up`, with tokens for it.
    Create(CreateArgs),
    /// Show the org of the token.
    Show,
    /// Show where the clock stands, or move that of a sandbox org.
    Clock(ClockArgs),
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// Identifier of the new org.
    #[arg(value_name = "ORG")]
    new_org: String,
    /// What a person reads. Default: the identifier.
    #[arg(long)]
    name: Option<String>,
    /// IANA name of the time zone of business dates, such as Europe/Vienna.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    /// ISO 4217 code of the currency for sums over programs.
    #[arg(long, value_name = "CODE", default_value = "USD")]
    currency: String,
    /// Month in which the fiscal year begins, 1 to 12.
    #[arg(long, value_name = "MONTH", default_value_t = 1)]
    fiscal_year_start: i32,
    /// Make it a sandbox with a clock of its own that begins on this date.
    #[arg(long, value_name = "DATE")]
    sandbox: Option<Date>,
}

#[derive(Debug, clap::Args)]
struct ClockArgs {
    /// Move it to this date.
    #[arg(long, value_name = "DATE", conflicts_with = "advance")]
    to: Option<Date>,
    /// Move it by so much, such as 1m, 10d, 2w or 1y.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    advance: Option<Span>,
}

pub async fn run(args: OrgArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Create(args) => create(args, globals).await?,
        What::Show => {
            let org = clock::org(&globals.client.connect().await?).await?;
            show(&org, globals)?;
        }
        What::Clock(args) => turn(args, globals).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(args: CreateArgs, globals: &Globals) -> anyhow::Result<()> {
    let id = &args.new_org;
    OrgId::parse(id).map_err(|wrong| anyhow::anyhow!("{id} cannot name an org: {wrong}"))?;
    let mut client = globals.client.clone();
    // Whoever names a token has one for this org; otherwise the local key makes one.
    let named = client.token_file.is_some() || std::env::var_os("TIERLINE_TOKEN").is_some();
    if !named {
        let file = local_keys::token_of(id).with_context(|| {
            format!("there is no token for org {id}; name its file with --token-file FILE")
        })?;
        client.token_file = Some(file);
    }
    let request = CreateOrgRequest {
        name: args.name.unwrap_or_else(|| id.clone()),
        time_zone: args.time_zone,
        fiscal_year_start: args.fiscal_year_start,
        base_currency_code: args.currency,
        sandbox_start_date: args
            .sandbox
            .map(|date| date.to_string())
            .unwrap_or_default(),
        ..CreateOrgRequest::default()
    };
    let channel = client.connect().await?;
    let answer = OrgServiceClient::new(channel)
        .create_org(request)
        .await
        .map_err(refused)?;
    let org = answer.into_inner().org.unwrap_or_default();
    if globals.output.json() {
        return show(&org, globals);
    }
    output::line(format!("Created org {}.", org.org_id));
    if org.org_id != *id {
        output::line(format!(
            "The token is for {}, and not for {id}.",
            org.org_id
        ));
    } else if !named {
        output::line(format!(
            "Use it: --org {id} with every command, or TIERLINE_ORG={id}."
        ));
    }
    Ok(())
}

fn show(org: &Org, globals: &Globals) -> anyhow::Result<()> {
    if globals.output.json() {
        return output::json(&serde_json::json!({
            "org_id": org.org_id,
            "name": org.name,
            "time_zone": org.time_zone,
            "fiscal_year_start": org.fiscal_year_start,
            "base_currency_code": org.base_currency_code,
            "sandbox": org.sandbox,
            "today_date": org.today_date,
            "etag": org.etag,
        }));
    }
    let clock = if org.sandbox {
        "its own (sandbox)"
    } else {
        "real time"
    };
    let rows = [
        ("org", org.org_id.clone()),
        ("name", org.name.clone()),
        ("time zone", org.time_zone.clone()),
        (
            "fiscal year",
            format!("begins in month {}", org.fiscal_year_start),
        ),
        ("currency", org.base_currency_code.clone()),
        ("clock", clock.to_owned()),
        ("today", org.today_date.clone()),
    ];
    for (name, value) in rows {
        output::line(format!("{name:<12} {value}"));
    }
    Ok(())
}

async fn turn(args: ClockArgs, globals: &Globals) -> anyhow::Result<()> {
    let channel = globals.client.connect().await?;
    let org = clock::org(&channel).await?;
    let to = match (args.to, args.advance) {
        (Some(to), _) => to,
        (None, Some(by)) => clock::today(&org)?
            .checked_add(by)
            .context("--advance goes beyond all dates")?,
        (None, None) if globals.output.json() => return show(&org, globals),
        (None, None) => {
            output::line(org.today_date);
            return Ok(());
        }
    };
    clock::move_to(&channel, &org, to, Step::Month, globals).await
}

/// A whole number and d, w, m (months) or y.
fn span(text: &str) -> Result<Span, String> {
    let wrong = || "write a number with d, w, m (months) or y, such as 1m".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number = text
        .strip_suffix(unit)
        .and_then(|number| number.parse::<u16>().ok());
    let number = i64::from(number.filter(|number| *number > 0).ok_or_else(wrong)?);
    let span = Span::new();
    match unit {
        'd' => span.try_days(number),
        'w' => span.try_weeks(number),
        'm' => span.try_months(number),
        'y' => span.try_years(number),
        _ => return Err(wrong()),
    }
    .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_span_is_a_number_with_a_unit_and_m_means_months() {
        let after = |text| date(2026, 1, 31).checked_add(span(text).unwrap()).unwrap();
        assert_eq!(after("1m"), date(2026, 2, 28));
        assert_eq!(after("10d"), date(2026, 2, 10));
        assert_eq!(after("2w"), date(2026, 2, 14));
        assert_eq!(after("1y"), date(2027, 1, 31));
        for wrong in ["", "m", "-1m", "0d", "1h", "one month", "1é"] {
            assert!(span(wrong).is_err(), "{wrong} was taken");
        }
    }
}
