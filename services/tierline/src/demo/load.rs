//! Loading through the front door, like anybody else: month by month, the clock moved in between.
//!
//! Where the clock stands says how far an earlier, interrupted load came: a month is complete once
//! the clock has passed it, and sending a part of a month again changes nothing.

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use jiff::civil::Date;
use tierline_proto::activity::v1 as activity;
use tierline_proto::activity::v1::certification_service_client::CertificationServiceClient;
use tierline_proto::activity::v1::deal_service_client::DealServiceClient;
use tierline_proto::activity::v1::record_service_client::RecordServiceClient;
use tierline_proto::enrollment::v1 as enrollment;
use tierline_proto::enrollment::v1::enrollment_service_client::EnrollmentServiceClient;
use tierline_proto::partner::v1 as partner;
use tierline_proto::partner::v1::partner_service_client::PartnerServiceClient;
use tierline_proto::program::v1 as program;
use tierline_proto::program::v1::org_service_client::OrgServiceClient;
use tierline_proto::program::v1::program_service_client::ProgramServiceClient;
use tierline_proto::program::v1::rate_service_client::RateServiceClient;
use tierline_proto::query::v1::ListStandingsRequest;
use tierline_proto::query::v1::standing_query_service_client::StandingQueryServiceClient;
use tierline_proto::standing::v1::Standing;
use tokio_stream::iter;

use super::messages;
use super::world::{END, Month, Pin, REFER, START, World};
use crate::bulk::{self, Sent, answers, batches};
use crate::client::{Authorized, refused};
use crate::visible;

/// The programs of the demonstration.
pub(super) const PROGRAMS: [&str; 3] = [
    include_str!("../../../../programs/three-tier.yaml"),
    include_str!("../../../../programs/technology-alliance.yaml"),
    include_str!("../../../../programs/referral-network.yaml"),
];
/// Base of the exchange rates.
const RATES_BASE: &str = "EUR";

/// Sends a world to the server.
pub(super) struct Loader<'w> {
    channel: Authorized,
    world: &'w World,
    bar: ProgressBar,
}

impl<'w> Loader<'w> {
    /// A loader that shows its progress on a bar as long as the world.
    pub(super) fn new(channel: Authorized, world: &'w World, bar: ProgressBar) -> Self {
        bar.set_length(world.months.iter().map(Month::rows).sum());
        Self {
            channel,
            world,
            bar,
        }
    }

    /// Loads what the clock, which stands at `today`, says to be missing.
    ///
    /// # Errors
    /// Whatever the server refuses.
    pub(super) async fn run(&self, today: Date) -> anyhow::Result<()> {
        if today == START {
            self.programs().await?;
            self.rates().await?;
        }
        let mut token = String::new();
        for (at, month) in self.world.months.iter().enumerate() {
            let next = self
                .world
                .months
                .get(at + 1)
                .map_or(END, |month| month.first);
            if next <= today {
                self.bar.inc(month.rows());
                continue;
            }
            self.bar
                .set_message(month.first.strftime("%B %Y").to_string());
            if month.first.month() % 3 == 1 && month.first > START {
                self.board(&token).await?;
            }
            self.month(month)
                .await
                .with_context(|| format!("in the month of {}", month.first))?;
            token = self.advance(next).await?;
        }
        self.bar.set_message("evaluating");
        visible::wait_for(&self.channel, &token).await
    }

    async fn programs(&self) -> anyhow::Result<()> {
        for yaml in PROGRAMS {
            let request = program::ApplyProgramRequest {
                content: Some(program::apply_program_request::Content::Yaml(
                    yaml.to_owned(),
                )),
                effective_date: START.to_string(),
                note: "First edition".to_owned(),
                ..program::ApplyProgramRequest::default()
            };
            let mut client = ProgramServiceClient::new(self.channel.clone());
            client.apply_program(request).await.map_err(refused)?;
        }
        Ok(())
    }

    async fn rates(&self) -> anyhow::Result<()> {
        let request = program::PublishRatesRequest {
            source: "Demo".to_owned(),
            base_currency_code: RATES_BASE.to_owned(),
            days: self.world.rates.iter().map(messages::rate_day).collect(),
            ..program::PublishRatesRequest::default()
        };
        let mut client = RateServiceClient::new(self.channel.clone());
        client.publish_rates(request).await.map_err(refused)?;
        Ok(())
    }

    /// Partners and enrollments first, since everything else is about them.
    async fn month(&self, month: &Month) -> anyhow::Result<()> {
        let rows = numbered(month.partners.values(), messages::partner_row);
        let rows = batches(&rows, |rows| partner::RecordPartnersRequest { rows, ..d() });
        let mut client = PartnerServiceClient::new(self.channel.clone());
        self.taken(client.record_partners(iter(rows)).await).await?;

        let rows = numbered(month.enrollments.iter(), messages::enrollment_row);
        let rows = batches(&rows, |rows| enrollment::EnrollPartnersRequest {
            rows,
            ..d()
        });
        let mut client = EnrollmentServiceClient::new(self.channel.clone());
        self.taken(client.enroll_partners(iter(rows)).await).await?;
        for pin in &month.pins {
            self.pin(pin).await?;
        }
        futures::try_join!(
            self.deals(month),
            self.certifications(month),
            self.records(month)
        )?;
        Ok(())
    }

    async fn deals(&self, month: &Month) -> anyhow::Result<()> {
        let rows = numbered(month.deals.values(), messages::deal_row);
        let rows = batches(&rows, |rows| activity::RecordDealsRequest { rows, ..d() });
        let mut client = DealServiceClient::new(self.channel.clone());
        self.taken(client.record_deals(iter(rows)).await).await
    }

    async fn certifications(&self, month: &Month) -> anyhow::Result<()> {
        let rows = numbered(month.certifications.values(), messages::certification_row);
        let rows = batches(&rows, |rows| activity::RecordCertificationsRequest {
            rows,
            ..d()
        });
        let mut client = CertificationServiceClient::new(self.channel.clone());
        self.taken(client.record_certifications(iter(rows)).await)
            .await
    }

    async fn records(&self, month: &Month) -> anyhow::Result<()> {
        let rows = numbered(month.records.values(), messages::activity_row);
        let rows = batches(&rows, |rows| activity::RecordActivitiesRequest {
            rows,
            ..d()
        });
        let mut client = RecordServiceClient::new(self.channel.clone());
        self.taken(client.record_activities(iter(rows)).await).await
    }

    async fn taken(&self, call: bulk::Call) -> anyhow::Result<()> {
        let sent: Sent = answers(call, |rows| self.bar.inc(rows))
            .await
            .map_err(refused)?;
        if let Some(row) = sent.refusals.first() {
            bail!(
                "{} rows were refused; the first: {}",
                sent.rejected,
                bulk::refusal(row)
            );
        }
        Ok(())
    }

    async fn pin(&self, pin: &Pin) -> anyhow::Result<()> {
        let request = enrollment::PinTierRequest {
            enrollment_id: pin.enrollment.clone(),
            tier_id: pin.tier.to_owned(),
            reason: pin.reason.to_owned(),
            until_date: pin.until.to_string(),
            ..enrollment::PinTierRequest::default()
        };
        let mut client = EnrollmentServiceClient::new(self.channel.clone());
        client.pin_tier(request).await.map_err(refused)?;
        Ok(())
    }

    async fn advance(&self, to: Date) -> anyhow::Result<String> {
        let request = program::AdvanceClockRequest {
            to: Some(program::advance_clock_request::To::ToDate(to.to_string())),
            ..program::AdvanceClockRequest::default()
        };
        let mut client = OrgServiceClient::new(self.channel.clone());
        let answer = client.advance_clock(request).await.map_err(refused)?;
        Ok(answer.into_inner().consistency_token)
    }

    /// The partner board approves what is recommended to it.
    async fn board(&self, token: &str) -> anyhow::Result<()> {
        visible::wait_for(&self.channel, token).await?;
        let request = ListStandingsRequest {
            filter: format!("program = \"{}\"", REFER.0),
            order_by: "partner_id".to_owned(),
            page_size: 1_000,
            without_progress: true,
            ..ListStandingsRequest::default()
        };
        let mut client = StandingQueryServiceClient::new(self.channel.clone());
        let page = client
            .list_standings(request)
            .await
            .map_err(refused)?
            .into_inner();
        for standing in page.standings {
            self.approve(standing).await?;
        }
        Ok(())
    }

    async fn approve(&self, standing: Standing) -> anyhow::Result<()> {
        let Some(recommended) = standing.recommendation else {
            return Ok(());
        };
        let request = enrollment::ApproveRecommendationRequest {
            enrollment_id: standing.enrollment_id,
            recommendation: recommended.recommendation,
            tier_id: recommended.tier_id,
            note: "Quarterly partner board".to_owned(),
            ..enrollment::ApproveRecommendationRequest::default()
        };
        let mut client = EnrollmentServiceClient::new(self.channel.clone());
        client
            .approve_recommendation(request)
            .await
            .map_err(refused)?;
        Ok(())
    }
}

impl Month {
    /// Rows that are sent for it.
    pub(super) fn rows(&self) -> u64 {
        let rows = self.partners.len()
            + self.enrollments.len()
            + self.deals.len()
            + self.certifications.len()
            + self.records.len();
        u64::try_from(rows).unwrap_or_default()
    }
}

/// The default of what a message leaves out.
fn d<T: Default>() -> T {
    T::default()
}

fn numbered<'t, T: 't, R>(
    things: impl Iterator<Item = &'t T>,
    row: impl Fn(u64, &T) -> R,
) -> Vec<R> {
    (1..)
        .zip(things)
        .map(|(number, thing)| row(number, thing))
        .collect()
}
