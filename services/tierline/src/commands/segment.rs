//! `tierline segment`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;
use tierline_domain::SegmentId;
use tierline_domain::segment::{
    SegmentContent, SegmentFamily, SegmentFile, segment_from_yaml, segment_to_yaml,
};
use tierline_proto::program::v1 as program;
use tierline_proto::program::v1::segment_service_client::SegmentServiceClient;
use tierline_proto::query::v1 as query;
use tierline_proto::query::v1::segment_query_service_client::SegmentQueryServiceClient;
use tierline_rpc::convert::{Reader, condition, condition_message};
use tonic::Code;
use uuid::Uuid;

use crate::cli::Globals;
use crate::client::refused;
use crate::commands::show::{json, partner, text, words};
use crate::output;

/// Largest page that a server gives.
const MAX_PAGE: i32 = 1_000;

/// Segments: parts of the partners, each told by a condition over their attributes.
#[derive(Debug, clap::Args)]
pub struct SegmentArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the segments.
    List,
    /// Print a segment as YAML.
    Show {
        /// The segment.
        segment: String,
    },
    /// Create the segment of a file, or change it to what the file says.
    Define {
        /// The segment in YAML: id, name, family, description, where.
        file: PathBuf,
        /// Check only.
        #[arg(long)]
        dry_run: bool,
    },
    /// Create those of the default segments that are missing.
    Seed,
    /// Take a segment out of use; it stays as it is.
    Archive {
        /// The segment.
        segment: String,
    },
    /// Take an archived segment into use again.
    Restore {
        /// The segment.
        segment: String,
    },
    /// List the partners in a segment.
    Members {
        /// The segment.
        segment: String,
    },
    /// Say in which segments a partner is, and why.
    Explain {
        /// The partner: its identifier, or its name.
        partner: String,
    },
}

pub async fn run(args: SegmentArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    match args.what {
        What::List => list(globals).await?,
        What::Show { segment } => show(segment, globals).await?,
        What::Define { file, dry_run } => {
            let unreadable = || format!("{} cannot be read", file.display());
            let text = std::fs::read_to_string(&file).with_context(unreadable)?;
            define(&text, dry_run, globals).await?;
        }
        What::Seed => seed(globals).await?,
        What::Archive { segment } => archive(segment, globals).await?,
        What::Restore { segment } => restore(segment, globals).await?,
        What::Members { segment } => members(segment, globals).await?,
        What::Explain { partner } => explain(&partner, globals).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(globals: &Globals) -> anyhow::Result<()> {
    let mut client = SegmentQueryServiceClient::new(globals.client.connect().await?);
    let mut request = query::ListSegmentsRequest {
        page_size: MAX_PAGE,
        ..Default::default()
    };
    let mut segments = Vec::new();
    loop {
        let answer = client.list_segments(request.clone()).await;
        let answer = answer.map_err(refused)?.into_inner();
        segments.extend(answer.segments);
        if answer.next_page_token.is_empty() {
            break;
        }
        request.page_token = answer.next_page_token;
    }
    if globals.output.json() {
        let segments = json::all("query.v1.SegmentSummary", &segments)?;
        return output::json(&json!({"segments": segments}));
    }
    if !segments.is_empty() {
        let rows = segments.iter().map(|one| {
            [
                one.segment_id.clone(),
                text::shorten(&one.name, 40),
                family_word(one.family).to_owned(),
                if one.archived { "yes" } else { "" }.to_owned(),
            ]
        });
        output::table(&["id", "name", "family", "archived"], rows);
    }
    output::line(words::counted(segments.len() as u64, "segment"));
    Ok(())
}

async fn show(segment_id: String, globals: &Globals) -> anyhow::Result<()> {
    let mut client = SegmentServiceClient::new(globals.client.connect().await?);
    let answer = client
        .get_segment(program::GetSegmentRequest { segment_id })
        .await;
    let segment = answer.map_err(refused)?.into_inner();
    if globals.output.json() {
        return output::json(&json::of("program.v1.Segment", &segment)?);
    }
    let archived = segment.archived;
    output::line(segment_to_yaml(&file_of(segment)?)?.trim_end());
    if archived {
        output::note("the segment is archived");
    }
    Ok(())
}

async fn define(text: &str, dry_run: bool, globals: &Globals) -> anyhow::Result<()> {
    let file = segment_from_yaml(text)?;
    let id = file.id.to_string();
    let segment = message_of(file);
    let mut client = SegmentServiceClient::new(globals.client.connect().await?);
    let known = program::GetSegmentRequest {
        segment_id: id.clone(),
    };
    let request_id = Uuid::new_v4().to_string();
    let (known, answer) = match client.get_segment(known).await {
        Err(status) if status.code() == Code::NotFound => {
            let create = program::CreateSegmentRequest {
                segment: Some(segment),
                request_id,
                validate_only: dry_run,
            };
            (None, client.create_segment(create).await)
        }
        Err(status) => return Err(refused(status)),
        Ok(known) => {
            let known = known.into_inner();
            let update = program::UpdateSegmentRequest {
                segment: Some(segment),
                update_mask: Some(prost_types::FieldMask {
                    paths: vec!["*".to_owned()],
                }),
                etag: known.etag.clone(),
                request_id,
                validate_only: dry_run,
            };
            (Some(known.etag), client.update_segment(update).await)
        }
    };
    let answer = answer.map_err(refused)?.into_inner();
    let segment = answer.segment.unwrap_or_default();
    if globals.output.json() {
        return output::json(&json!({
            "segment": json::of("program.v1.Segment", &segment)?,
            "dry_run": dry_run,
            "consistency_token": answer.consistency_token,
        }));
    }
    output::line(match (known, dry_run) {
        (Some(etag), _) if etag == segment.etag => format!("Segment {id} says just this already."),
        (Some(_), true) => format!("Would change segment {id}. Nothing was stored."),
        (None, true) => format!("Would create segment {id}. Nothing was stored."),
        (Some(_), false) => format!("Changed segment {id}."),
        (None, false) => format!("Created segment {id}."),
    });
    Ok(())
}

async fn seed(globals: &Globals) -> anyhow::Result<()> {
    let mut client = SegmentServiceClient::new(globals.client.connect().await?);
    let request = program::SeedSegmentsRequest {
        request_id: Uuid::new_v4().to_string(),
        validate_only: false,
    };
    let answer = client.seed_segments(request).await;
    let answer = answer.map_err(refused)?.into_inner();
    if globals.output.json() {
        return output::json(&json::of("program.v1.SeedSegmentsResponse", &answer)?);
    }
    for id in &answer.created_segment_ids {
        output::line(format!("Created segment {id}."));
    }
    let there = answer.unchanged_segment_ids.len() as u64;
    if there > 0 {
        let there = words::counted(there, "segment");
        output::line(format!("Left as they were: {there}."));
    }
    Ok(())
}

async fn archive(segment_id: String, globals: &Globals) -> anyhow::Result<()> {
    let mut client = SegmentServiceClient::new(globals.client.connect().await?);
    let request = program::ArchiveSegmentRequest {
        segment_id,
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    let answer = client.archive_segment(request).await.map_err(refused)?;
    changed(answer.into_inner(), "is archived", globals)
}

async fn restore(segment_id: String, globals: &Globals) -> anyhow::Result<()> {
    let mut client = SegmentServiceClient::new(globals.client.connect().await?);
    let request = program::RestoreSegmentRequest {
        segment_id,
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    let answer = client.restore_segment(request).await.map_err(refused)?;
    changed(answer.into_inner(), "is in use", globals)
}

fn changed(answer: program::SegmentResponse, is: &str, globals: &Globals) -> anyhow::Result<()> {
    let segment = answer.segment.unwrap_or_default();
    if globals.output.json() {
        return output::json(&json!({
            "segment": json::of("program.v1.Segment", &segment)?,
            "consistency_token": answer.consistency_token,
        }));
    }
    output::line(format!("Segment {} {is}.", segment.segment_id));
    Ok(())
}

async fn members(segment_id: String, globals: &Globals) -> anyhow::Result<()> {
    let mut client = SegmentQueryServiceClient::new(globals.client.connect().await?);
    let mut request = query::ListSegmentMembersRequest {
        segment_id,
        page_size: MAX_PAGE,
        ..Default::default()
    };
    let (mut partners, mut unknown) = (Vec::new(), 0);
    loop {
        let answer = client.list_segment_members(request.clone()).await;
        let answer = answer.map_err(refused)?.into_inner();
        partners.extend(answer.partners);
        unknown += u64::from(answer.partners_unknown);
        if answer.next_page_token.is_empty() {
            break;
        }
        request.page_token = answer.next_page_token;
    }
    if globals.output.json() {
        let partners = json::all("query.v1.PartnerSummary", &partners)?;
        return output::json(&json!({"partners": partners, "partners_unknown": unknown}));
    }
    if !partners.is_empty() {
        let rows = partners
            .iter()
            .map(|one| [one.partner_id.clone(), text::shorten(&one.name, 40)]);
        output::table(&["id", "name"], rows);
    }
    output::line(words::counted(partners.len() as u64, "partner"));
    if unknown > 0 {
        let unknown = words::counted(unknown, "partner");
        output::line(format!("Not known for lack of attributes: {unknown}."));
    }
    Ok(())
}

async fn explain(name: &str, globals: &Globals) -> anyhow::Result<()> {
    let channel = globals.client.connect().await?;
    let found = partner::find(&channel, name).await?;
    let mut client = SegmentQueryServiceClient::new(channel);
    let mut request = query::ExplainSegmentsRequest {
        partner_id: found.id,
        page_size: MAX_PAGE,
        ..Default::default()
    };
    let mut memberships = Vec::new();
    loop {
        let answer = client.explain_segments(request.clone()).await;
        let answer = answer.map_err(refused)?.into_inner();
        memberships.extend(answer.memberships);
        if answer.next_page_token.is_empty() {
            break;
        }
        request.page_token = answer.next_page_token;
    }
    if globals.output.json() {
        let memberships = json::all("query.v1.SegmentMembership", &memberships)?;
        return output::json(&json!({"memberships": memberships}));
    }
    if !memberships.is_empty() {
        let rows = memberships.iter().map(|one| {
            let why = one.explanation.as_ref();
            [
                one.segment_id.clone(),
                words::outcome(one.outcome).to_owned(),
                why.map(|node| node.sentence.clone()).unwrap_or_default(),
            ]
        });
        output::table(&["segment", "outcome", "why"], rows);
    }
    output::line(words::counted(memberships.len() as u64, "segment"));
    Ok(())
}

fn family_word(number: i32) -> &'static str {
    domain_family(number).map_or("", SegmentFamily::as_str)
}

fn domain_family(number: i32) -> Option<SegmentFamily> {
    match program::SegmentFamily::try_from(number).ok()? {
        program::SegmentFamily::Market => Some(SegmentFamily::Market),
        program::SegmentFamily::Technology => Some(SegmentFamily::Technology),
        program::SegmentFamily::Services => Some(SegmentFamily::Services),
        program::SegmentFamily::Unspecified => None,
    }
}

/// A segment as it stands in a file.
fn file_of(segment: program::Segment) -> anyhow::Result<SegmentFile> {
    let mut reader = Reader::new();
    let filter = reader.required("filter", segment.filter, condition);
    let content = SegmentContent {
        name: segment.name,
        description: segment.description,
        family: domain_family(segment.family)
            .context("the server gave a family that this release does not know")?,
        filter: reader.finish(filter)?,
    };
    Ok(SegmentFile::new(
        SegmentId::parse(segment.segment_id)?,
        content,
    ))
}

fn message_of(file: SegmentFile) -> program::Segment {
    let family = match file.family {
        SegmentFamily::Market => program::SegmentFamily::Market,
        SegmentFamily::Technology => program::SegmentFamily::Technology,
        SegmentFamily::Services => program::SegmentFamily::Services,
    };
    program::Segment {
        segment_id: file.id.to_string(),
        filter: Some(condition_message(&file.filter)),
        name: file.name,
        description: file.description,
        family: family.into(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tierline_domain::segment::default_segments;

    #[test]
    fn a_segment_goes_to_a_message_and_back() {
        for new in default_segments().unwrap() {
            let file = SegmentFile::new(new.segment, new.content);
            assert_eq!(file_of(message_of(file.clone())).unwrap(), file);
        }
    }
}
