//! The demonstration: an org with partners, programs and two years of business, all made up.
//!
//! It is a sandbox org, so that its clock could be moved through the two years and tiers rose and
//! fell on the way. Everything comes out of a seed and goes in through the public API. Whether it
//! is there already is seen by where the clock of the org stands; nothing else is kept.

mod business;
mod company;
mod course;
mod dice;
mod load;
mod messages;
mod rates;
#[cfg(test)]
mod tests;
mod words;
mod world;

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::civil::Date;
use tierline_proto::program::v1::org_service_client::OrgServiceClient;
use tierline_proto::program::v1::{CreateOrgRequest, GetOrgRequest, Org};
use tierline_rpc::status::reason_of;

use crate::client::{Authorized, ClientFlags, refused};
use crate::output;
use load::Loader;
use world::{END, Month, SEED, START, World};

/// Name of the org, by which a demonstration is told from an org of somebody.
const NAME: &str = "Demo";

/// What is in the demonstration.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Loaded {
    /// The org.
    pub org_id: String,
    /// False when it was all there before.
    pub loaded: bool,
    /// Today in the org.
    pub today_date: String,
}

/// Loads the demonstration into the org of the token, unless it is there; one that was interrupted
/// is completed.
///
/// # Errors
/// Nobody answers, the org is somebody else's, or a row was refused.
pub async fn ensure(client: &ClientFlags) -> anyhow::Result<Loaded> {
    let channel = client.connect().await?;
    let org = match org(&channel).await? {
        Some(org) => org,
        None => create(&channel).await?,
    };
    let id = org.org_id;
    if !org.sandbox || org.name != NAME {
        bail!("org {id} exists and is not the demonstration; name another one with --org");
    }
    let today: Date = org
        .today_date
        .parse()
        .context("the server gave a date that is none")?;
    if today >= END {
        return Ok(Loaded {
            org_id: id,
            loaded: false,
            today_date: org.today_date,
        });
    }
    let begun = Instant::now();
    let world = World::generate(SEED).map_err(|wrong| anyhow::anyhow!("{wrong}"))?;
    let bar = progress();
    let loaded = Loader::new(channel, &world, bar.clone()).run(today).await;
    bar.finish_and_clear();
    loaded.context("the demonstration was not loaded completely; the next attempt goes on")?;
    let count = |of: fn(&Month) -> usize| world.months.iter().map(of).sum::<usize>();
    output::note(&format!(
        "Loaded the demonstration: {} partners in 3 programs, {} rows about deals, {} about \
         certifications, {} other records, {START} to {END}, in {:.1} s.",
        world::PARTNERS,
        count(|month| month.deals.len()),
        count(|month| month.certifications.len()),
        count(|month| month.records.len()),
        begun.elapsed().as_secs_f32()
    ));
    Ok(Loaded {
        org_id: id,
        loaded: true,
        today_date: END.to_string(),
    })
}

/// The org of the token, if it has been created.
async fn org(channel: &Authorized) -> anyhow::Result<Option<Org>> {
    match OrgServiceClient::new(channel.clone())
        .get_org(GetOrgRequest {})
        .await
    {
        Ok(org) => Ok(Some(org.into_inner())),
        Err(status) if reason_of(&status).as_deref() == Some("ORG_NOT_FOUND") => Ok(None),
        Err(status) => Err(refused(status)),
    }
}

async fn create(channel: &Authorized) -> anyhow::Result<Org> {
    let request = CreateOrgRequest {
        name: NAME.to_owned(),
        time_zone: "Europe/Vienna".to_owned(),
        fiscal_year_start: 4,
        base_currency_code: "EUR".to_owned(),
        sandbox_start_date: START.to_string(),
        ..CreateOrgRequest::default()
    };
    let answer = OrgServiceClient::new(channel.clone())
        .create_org(request)
        .await;
    answer
        .map_err(refused)?
        .into_inner()
        .org
        .context("the server gave no org")
}

/// A bar on standard error; nothing where nobody looks.
fn progress() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let template = "Loading the demonstration {bar:30} {percent:>3} % {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
