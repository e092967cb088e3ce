//! `tierline enroll`

use std::process::ExitCode;

use jiff::civil::Date;
use tierline_proto::enrollment::v1::enrollment_service_client::EnrollmentServiceClient;
use tierline_proto::enrollment::v1::{EnrollPartnersRequest, EnrollmentRow};
use tierline_proto::query::v1::ListPartnersRequest;
use tierline_proto::query::v1::partner_query_service_client::PartnerQueryServiceClient;
use tokio_util::sync::CancellationToken;

use crate::bulk::{self, Sent};
use crate::cli::Globals;
use crate::client::{Authorized, refused};
use crate::{output, visible};

/// Enrolls a partner, or all of them, in a track of a program. Doing it again changes nothing.
#[derive(Debug, clap::Args)]
pub struct EnrollArgs {
    /// The partner.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    partner: Option<String>,
    /// Every partner of the org.
    #[arg(long)]
    all: bool,
    /// With --all: only partners that pass this filter, such as 'region = "DACH"'.
    #[arg(long, value_name = "FILTER", requires = "all", default_value = "")]
    filter: String,
    /// The program.
    #[arg(long, value_name = "PROGRAM")]
    program: String,
    /// The track; may be left out when the program has only one.
    #[arg(long, value_name = "TRACK", default_value = "")]
    track: String,
    /// First day. Default: today in the org. An earlier day lets history count.
    #[arg(long, value_name = "DATE")]
    start: Option<Date>,
    /// Last day. Default: open.
    #[arg(long, value_name = "DATE")]
    end: Option<Date>,
    /// The tier to begin in. Default: the entry tier.
    #[arg(long, value_name = "TIER", default_value = "")]
    tier: String,
}

pub async fn run(args: EnrollArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let channel = globals.client.connect().await?;
    let partners = match &args.partner {
        Some(partner) => vec![partner.clone()],
        None => {
            // A partner that was just created must not be left out because a list lags.
            visible::wait_until_idle(&channel, &CancellationToken::new()).await?;
            partners(&channel, &args.filter).await?
        }
    };
    let sent = enroll(&channel, &args, &partners).await?;
    for token in &sent.tokens {
        visible::wait_for(&channel, token).await?;
    }
    report(&sent, globals)?;
    Ok(if sent.rejected == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Identifiers of the partners that pass a filter.
async fn partners(channel: &Authorized, filter: &str) -> anyhow::Result<Vec<String>> {
    let mut client = PartnerQueryServiceClient::new(channel.clone());
    let mut request = ListPartnersRequest {
        filter: filter.to_owned(),
        order_by: "partner_id".to_owned(),
        page_size: 1_000,
        ..ListPartnersRequest::default()
    };
    let mut partners = Vec::new();
    loop {
        let page = client
            .list_partners(request.clone())
            .await
            .map_err(refused)?
            .into_inner();
        partners.extend(page.partners.into_iter().map(|partner| partner.partner_id));
        if page.next_page_token.is_empty() {
            return Ok(partners);
        }
        request.page_token = page.next_page_token;
    }
}

/// Leaves the identifiers of the enrollments to the server, which makes the same ones every time.
async fn enroll(
    channel: &Authorized,
    args: &EnrollArgs,
    partners: &[String],
) -> anyhow::Result<Sent> {
    let date = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
    let rows: Vec<EnrollmentRow> = (1..)
        .zip(partners)
        .map(|(row, partner)| EnrollmentRow {
            row,
            enrollment_id: String::new(),
            partner_id: partner.clone(),
            program_id: args.program.clone(),
            track_id: args.track.clone(),
            start_date: date(args.start),
            end_date: date(args.end),
            placed_tier_id: args.tier.clone(),
        })
        .collect();
    let batches = bulk::batches(&rows, |rows| EnrollPartnersRequest {
        rows,
        ..Default::default()
    });
    let mut client = EnrollmentServiceClient::new(channel.clone());
    let call = client.enroll_partners(tokio_stream::iter(batches)).await;
    let mut sent = bulk::answers(call, |_| {}).await.map_err(refused)?;
    // What was refused has no identifier yet; a person knows it by the partner.
    for refusal in &mut sent.refusals {
        let at = usize::try_from(refusal.row)
            .unwrap_or_default()
            .wrapping_sub(1);
        if let Some(partner) = partners.get(at) {
            refusal.id.clone_from(partner);
        }
    }
    Ok(sent)
}

fn report(sent: &Sent, globals: &Globals) -> anyhow::Result<()> {
    if globals.output.json() {
        let refusals: Vec<_> = sent
            .refusals
            .iter()
            .map(|row| {
                let error = row.error.clone().unwrap_or_default();
                serde_json::json!({
                    "id": row.id, "reason": error.reason, "message": error.message,
                })
            })
            .collect();
        return output::json(&serde_json::json!({
            "enrolled": sent.created,
            "unchanged": sent.unchanged,
            "rejected": sent.rejected,
            "first_refusals": refusals,
        }));
    }
    output::line(match (sent.rows(), sent.created, sent.unchanged) {
        (0, _, _) => "There are no partners to enroll.".to_owned(),
        (rows, 0, unchanged) if rows == unchanged => {
            format!("Unchanged: {unchanged} enrolled already.")
        }
        (_, created, unchanged) => {
            format!(
                "{created} enrolled, {unchanged} enrolled already, {} refused.",
                sent.rejected
            )
        }
    });
    for row in &sent.refusals {
        output::note(&format!("  {}", bulk::refusal(row)));
    }
    let more = sent
        .rejected
        .saturating_sub(u64::try_from(sent.refusals.len()).unwrap_or_default());
    if more > 0 {
        output::note(&format!("  and {more} more"));
    }
    Ok(())
}
