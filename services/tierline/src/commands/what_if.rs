//! `tierline what-if`: where one partner would stand with facts that have not happened.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use jiff::civil::Date;
use serde_json::json;
use tierline_domain::Money;
use tierline_domain::program::case_facts_from_yaml;
use tierline_domain::rules::Fact;
use tierline_proto::program::v1::GetOrgRequest;
use tierline_proto::program::v1::org_service_client::OrgServiceClient;
use tierline_proto::query::v1::preview_partner_request::Rules;
use tierline_proto::query::v1::trial_definition::Content;
use tierline_proto::query::v1::what_if_service_client::WhatIfServiceClient;
use tierline_proto::query::v1::{
    PartnerPreview, PreviewPartnerRequest, SupposedFact, TrialDefinition, TrialStand,
};
use tierline_rpc::convert::common::{money_message, value_message};

use super::program::{movement, source};
use super::show::{json as as_json, partner, words};
use crate::cli::Globals;
use crate::client::{Authorized, refused};
use crate::output;

/// Where a partner would stand with deals and other facts that have not happened.
#[derive(Debug, clap::Args)]
pub struct WhatIfArgs {
    /// The partner: its identifier, its domain or its exact name.
    partner: String,
    /// A won deal of this amount, such as "50000 EUR"; may be given several times. It is closed on
    /// the day that is asked about, and sourced by the partner.
    #[arg(long = "deal", value_name = "AMOUNT CURRENCY")]
    deals: Vec<String>,
    /// Facts in a file: a list, written as under `facts:` in the cases of program files.
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// The day that is asked about. Default: today in the org.
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    /// Only this program, by its published versions.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "draft")]
    program: Option<String>,
    /// By the definition in this file, as if it came into force today.
    #[arg(long, value_name = "FILE")]
    draft: Option<PathBuf>,
}

pub async fn run(args: WhatIfArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let rules = match (&args.draft, &args.program) {
        (Some(path), _) => Some(Rules::Draft(TrialDefinition {
            content: Some(Content::Yaml(source::file(path)?.0)),
        })),
        (None, Some(program)) => Some(Rules::ProgramId(program.clone())),
        (None, None) => None,
    };
    let channel = globals.client.connect().await?;
    let found = partner::find(&channel, &args.partner).await?;
    let mut facts = Vec::new();
    if let Some(path) = &args.facts {
        facts.extend(facts_of(path)?);
    }
    if !args.deals.is_empty() {
        let on = match args.on {
            Some(day) => day,
            None => today(&channel).await?,
        };
        for text in &args.deals {
            facts.push(deal(text, on)?);
        }
    }
    let request = PreviewPartnerRequest {
        partner_id: found.id,
        rules,
        facts,
        as_of_date: args.on.map(|day| day.to_string()).unwrap_or_default(),
    };
    let answer = WhatIfServiceClient::new(channel)
        .preview_partner(request)
        .await
        .map_err(refused)?
        .into_inner();
    if globals.output.json() {
        output::json(&json!({
            "previews": as_json::all("query.v1.PartnerPreview", &answer.previews)?,
            "log_position": answer.log_position,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if answer.previews.is_empty() {
        output::line("The partner is in no program on that day.");
    }
    for preview in &answer.previews {
        print(preview);
    }
    Ok(ExitCode::SUCCESS)
}

fn deal(text: &str, on: Date) -> anyhow::Result<SupposedFact> {
    let (amount, currency) = text
        .trim()
        .split_once(' ')
        .with_context(|| format!("--deal \"{text}\" is no amount; write it like \"50000 EUR\""))?;
    let money = Money::parse(amount, currency.trim())
        .map_err(|wrong| anyhow::anyhow!("--deal \"{text}\": {wrong}"))?;
    let source = tierline_domain::rules::Value::text("partner_sourced");
    let dates = ["registered", "approved", "closed"];
    Ok(SupposedFact {
        kind: "deal".to_owned(),
        amount: Some(money_message(money)),
        dates: dates
            .map(|name| (name.to_owned(), on.to_string()))
            .into_iter()
            .collect(),
        fields: [("source".to_owned(), value_message(&source))].into(),
        ..SupposedFact::default()
    })
}

fn facts_of(path: &Path) -> anyhow::Result<Vec<SupposedFact>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let facts = case_facts_from_yaml(&text)
        .map_err(|wrong| anyhow::anyhow!("{}: {wrong}", path.display()))?;
    Ok(facts.into_iter().map(supposed).collect())
}

fn supposed(fact: Fact) -> SupposedFact {
    let dates = fact.dates.into_iter();
    let fields = fact.fields.iter();
    SupposedFact {
        kind: fact.kind.as_str().to_owned(),
        state: fact.state,
        amount: fact.amount.map(money_message),
        quantity: fact.quantity.map(|n| n.to_string()).unwrap_or_default(),
        dates: dates.map(|(name, day)| (name, day.to_string())).collect(),
        fields: fields
            .map(|(name, value)| (name.clone(), value_message(value)))
            .collect(),
    }
}

async fn today(channel: &Authorized) -> anyhow::Result<Date> {
    let org = OrgServiceClient::new(channel.clone())
        .get_org(GetOrgRequest {})
        .await
        .map_err(refused)?
        .into_inner();
    org.today_date
        .parse()
        .with_context(|| format!("the server says that today is \"{}\"", org.today_date))
}

fn print(preview: &PartnerPreview) {
    let row = preview.comparison.clone().unwrap_or_default();
    let side = |side: &Option<TrialStand>| {
        side.as_ref().map_or_else(
            || "not enrolled".to_owned(),
            |side| match side.at_risk_until_date.as_str() {
                "" => side.tier_name.clone(),
                until => format!("{}, lost on {until} if nothing changes", side.tier_name),
            },
        )
    };
    output::line(format!(
        "{} / {} on {}",
        preview.program_id, row.track_id, row.date
    ));
    output::line(format!("  as recorded   {}", side(&row.before)));
    output::line(format!(
        "  as supposed   {} ({})",
        side(&row.after),
        movement(row.movement).replace('_', " ")
    ));
    for tier in &preview.progress {
        output::line("");
        output::line(format!(
            "  {}: {}",
            tier.tier_name,
            words::outcome(tier.outcome)
        ));
        for one in &tier.criteria {
            let measured = match one.measured.as_str() {
                "" => "not known",
                measured => measured,
            };
            let gap = match one.gap.as_str() {
                "" => String::new(),
                gap => format!(", missing {gap}"),
            };
            let period = match one.period_end_date.as_str() {
                "" => String::new(),
                end => format!(" to {end}"),
            };
            output::line(format!(
                "    {} {}{period}  {measured} of {}{gap}",
                output::bar(one.percent),
                one.name,
                one.required
            ));
        }
    }
}
