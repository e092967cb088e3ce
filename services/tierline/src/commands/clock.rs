//! `tierline clock advance`, and moving the clock of a sandbox org for other commands.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::civil::Date;
use serde::Serialize;
use tierline_domain::time::{add_months, next_day};
use tierline_proto::program::v1::org_service_client::OrgServiceClient;
use tierline_proto::program::v1::{AdvanceClockRequest, GetOrgRequest, Org, advance_clock_request};
use tierline_proto::query::v1::ListTierHistoryRequest;
use tierline_proto::query::v1::audit_service_client::AuditServiceClient;
use tierline_proto::standing::v1::Direction;

use crate::cli::Globals;
use crate::client::{Authorized, refused};
use crate::{output, visible};

/// Moves the clock of a sandbox org.
#[derive(Debug, clap::Args)]
pub struct ClockArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Move the clock forward step by step, and wait after each until everything followed.
    Advance {
        /// The business date to move it to.
        #[arg(long, value_name = "DATE")]
        to: Date,
        /// Length of a step; months end on the first of the next one.
        #[arg(long, value_enum, default_value_t = Step::Month)]
        step: Step,
    },
}

/// How far the clock is moved at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Step {
    /// To the first of the next month.
    Month,
    /// To the next day.
    Day,
}

/// One step of the clock and what it led to.
#[derive(Debug, Clone, Serialize)]
pub struct Moved {
    /// Where the clock stands after it.
    pub date: String,
    /// Tiers that were gained.
    pub promotions: u64,
    /// Tiers that were lost.
    pub demotions: u64,
}

/// Most steps of one command: ten years of days.
const MAX_STEPS: usize = 3_660;

pub async fn run(args: ClockArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let What::Advance { to, step } = args.what;
    let channel = globals.client.connect().await?;
    let org = org(&channel).await?;
    move_to(&channel, &org, to, step, globals).await?;
    Ok(ExitCode::SUCCESS)
}

/// The org of the token.
///
/// # Errors
/// As the server says.
pub async fn org(channel: &Authorized) -> anyhow::Result<Org> {
    let answer = OrgServiceClient::new(channel.clone())
        .get_org(GetOrgRequest {})
        .await;
    Ok(answer.map_err(refused)?.into_inner())
}

/// Today in an org.
///
/// # Errors
/// When the server gave no date.
pub fn today(org: &Org) -> anyhow::Result<Date> {
    org.today_date
        .parse()
        .context("the server gave a date that is none")
}

/// Moves the clock and prints every step.
///
/// # Errors
/// No sandbox, a day before today, too many steps; as the server says.
pub async fn move_to(
    channel: &Authorized,
    org: &Org,
    to: Date,
    step: Step,
    globals: &Globals,
) -> anyhow::Result<()> {
    if !org.sandbox {
        bail!(
            "org {} runs on real time; only the clock of a sandbox org is moved",
            org.org_id
        );
    }
    let from = today(org)?;
    if to < from {
        bail!(
            "in org {} it is {from} already, and a clock never goes back to {to}",
            org.org_id
        );
    }
    let dates = steps(from, to, step)?;
    let bar = bar(dates.len());
    let mut moved = Vec::new();
    for date in dates {
        bar.set_message(date.to_string());
        let done = advance(channel, date).await?;
        bar.inc(1);
        if !globals.output.json() {
            let text = said(&done);
            bar.suspend(|| output::line(text));
        }
        moved.push(done);
    }
    bar.finish_and_clear();
    if globals.output.json() {
        output::json(&serde_json::json!({
            "org_id": org.org_id, "today_date": to.to_string(), "steps": moved,
        }))?;
    } else if moved.is_empty() {
        output::line(format!("It is {to} already."));
    }
    Ok(())
}

fn said(moved: &Moved) -> String {
    let Moved {
        date,
        promotions,
        demotions,
    } = moved;
    match (promotions, demotions) {
        (0, 0) => format!("{date}  no tier changed"),
        _ => format!("{date}  {promotions} up, {demotions} down"),
    }
}

/// Where the clock stops on its way: not at the start, but at the end.
fn steps(from: Date, to: Date, step: Step) -> anyhow::Result<Vec<Date>> {
    let mut dates = Vec::new();
    let mut day = from;
    while day < to {
        if dates.len() >= MAX_STEPS {
            bail!("from {from} to {to} are more than {MAX_STEPS} steps; go there in parts");
        }
        let next = match step {
            Step::Day => next_day(day),
            Step::Month => add_months(day.first_of_month(), 1),
        };
        day = next.min(to);
        dates.push(day);
    }
    Ok(dates)
}

/// Moves the clock once, and waits.
async fn advance(channel: &Authorized, to: Date) -> anyhow::Result<Moved> {
    let request = AdvanceClockRequest {
        to: Some(advance_clock_request::To::ToDate(to.to_string())),
        ..AdvanceClockRequest::default()
    };
    // What was decided until now is not of this step.
    let known = newest_decision(channel).await?;
    let answer = OrgServiceClient::new(channel.clone())
        .advance_clock(request)
        .await;
    let token = answer.map_err(refused)?.into_inner().consistency_token;
    visible::wait_for(channel, &token).await?;
    let (promotions, demotions) = changes_since(channel, &known).await?;
    Ok(Moved {
        date: to.to_string(),
        promotions,
        demotions,
    })
}

async fn newest_decision(channel: &Authorized) -> anyhow::Result<String> {
    let request = ListTierHistoryRequest {
        tier_changes_only: true,
        page_size: 1,
        ..ListTierHistoryRequest::default()
    };
    let page = AuditServiceClient::new(channel.clone())
        .list_tier_history(request)
        .await;
    let newest = page
        .map_err(refused)?
        .into_inner()
        .decisions
        .into_iter()
        .next();
    Ok(newest
        .map(|decision| decision.decision_id)
        .unwrap_or_default())
}

/// Counts the changes of tiers that are newer than a known one.
async fn changes_since(channel: &Authorized, known: &str) -> anyhow::Result<(u64, u64)> {
    let (mut ups, mut downs) = (0, 0);
    let mut request = ListTierHistoryRequest {
        tier_changes_only: true,
        page_size: 1_000,
        ..ListTierHistoryRequest::default()
    };
    loop {
        let mut client = AuditServiceClient::new(channel.clone());
        let page = client
            .list_tier_history(request.clone())
            .await
            .map_err(refused)?
            .into_inner();
        for decision in &page.decisions {
            if decision.decision_id == known {
                return Ok((ups, downs));
            }
            match decision.direction() {
                Direction::Promotion => ups += 1,
                Direction::Demotion => downs += 1,
                Direction::Unspecified => {}
            }
        }
        if page.next_page_token.is_empty() {
            return Ok((ups, downs));
        }
        request.page_token = page.next_page_token;
    }
}

fn bar(steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(steps).unwrap_or_default());
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn months_end_on_the_first_of_the_next_one_and_the_last_step_on_the_day_asked_for() {
        let steps = steps(date(2025, 11, 17), date(2026, 2, 10), Step::Month).unwrap();
        let wanted = [
            date(2025, 12, 1),
            date(2026, 1, 1),
            date(2026, 2, 1),
            date(2026, 2, 10),
        ];
        assert_eq!(steps, wanted);
    }

    #[test]
    fn a_day_is_followed_by_the_next_one_and_today_by_nothing() {
        let (from, to) = (date(2026, 2, 27), date(2026, 3, 2));
        assert_eq!(steps(from, to, Step::Day).unwrap().len(), 3);
        assert!(steps(from, from, Step::Day).unwrap().is_empty());
        assert!(steps(from, date(2100, 1, 1), Step::Day).is_err());
    }
}
