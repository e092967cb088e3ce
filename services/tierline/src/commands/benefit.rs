//! `tierline benefit`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::json;
use tierline_domain::BenefitId;
use tierline_domain::benefit::{
    BenefitContent, BenefitFile, BenefitType, benefit_from_yaml, benefit_to_yaml,
};
use tierline_proto::program::v1 as program;
use tierline_proto::program::v1::benefit_service_client::BenefitServiceClient;
use tierline_proto::query::v1 as query;
use tierline_proto::query::v1::benefit_query_service_client::BenefitQueryServiceClient;
use tierline_rpc::convert::{Reader, benefit_type, benefit_type_message};
use tonic::Code;
use uuid::Uuid;

use crate::cli::Globals;
use crate::client::refused;
use crate::commands::show::{json, partner, text, words};
use crate::output;

/// Largest page that a server gives.
const MAX_PAGE: i32 = 1_000;

/// The benefits library: what tiers can give, described once for all programs.
#[derive(Debug, clap::Args)]
pub struct BenefitArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the benefits of the library.
    List,
    /// Print a benefit as YAML.
    Show {
        /// The benefit.
        benefit: String,
    },
    /// Create the benefit of a file, or change it to what the file says.
    Define {
        /// The benefit in YAML: id, name, type, description.
        file: PathBuf,
        /// Check only.
        #[arg(long)]
        dry_run: bool,
    },
    /// Keep a benefit out of new versions of programs.
    Archive {
        /// The benefit.
        benefit: String,
    },
    /// Let new versions of programs give a benefit again.
    Restore {
        /// The benefit.
        benefit: String,
    },
    /// Create those of the default benefits that are missing.
    Seed,
    /// Say what the tiers of a program give.
    Program {
        /// The program.
        program: String,
        /// The version. Absent: the newest one.
        #[arg(
            long,
            value_name = "VERSION",
            default_value_t = 0,
            hide_default_value = true
        )]
        number: u32,
    },
    /// Say what a partner has by its tiers, and what it has yet to earn.
    Partner {
        /// The partner: its identifier, or its name.
        partner: String,
    },
}

pub async fn run(args: BenefitArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    match args.what {
        What::List => list(globals).await?,
        What::Show { benefit } => show(benefit, globals).await?,
        What::Define { file, dry_run } => {
            let unreadable = || format!("{} cannot be read", file.display());
            let text = std::fs::read_to_string(&file).with_context(unreadable)?;
            define(&text, dry_run, globals).await?;
        }
        What::Archive { benefit } => archive(benefit, globals).await?,
        What::Restore { benefit } => restore(benefit, globals).await?,
        What::Seed => seed(globals).await?,
        What::Program { program, number } => of_program(program, number, globals).await?,
        What::Partner { partner } => of_partner(&partner, globals).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(globals: &Globals) -> anyhow::Result<()> {
    let mut client = BenefitQueryServiceClient::new(globals.client.connect().await?);
    let mut request = query::ListBenefitsRequest {
        page_size: MAX_PAGE,
        ..Default::default()
    };
    let mut benefits = Vec::new();
    loop {
        let answer = client.list_benefits(request.clone()).await;
        let answer = answer.map_err(refused)?.into_inner();
        benefits.extend(answer.benefits);
        if answer.next_page_token.is_empty() {
            break;
        }
        request.page_token = answer.next_page_token;
    }
    if globals.output.json() {
        let benefits = json::all("query.v1.BenefitSummary", &benefits)?;
        return output::json(&json!({"benefits": benefits}));
    }
    if !benefits.is_empty() {
        let rows = benefits.iter().map(|one| {
            [
                one.benefit_id.clone(),
                text::shorten(&one.name, 40),
                type_word(one.r#type),
                if one.archived { "yes" } else { "" }.to_owned(),
            ]
        });
        output::table(&["id", "name", "type", "archived"], rows);
    }
    output::line(words::counted(benefits.len() as u64, "benefit"));
    Ok(())
}

async fn show(benefit_id: String, globals: &Globals) -> anyhow::Result<()> {
    let mut client = BenefitServiceClient::new(globals.client.connect().await?);
    let answer = client
        .get_benefit(program::GetBenefitRequest { benefit_id })
        .await;
    let benefit = answer.map_err(refused)?.into_inner();
    if globals.output.json() {
        return output::json(&json::of("program.v1.LibraryBenefit", &benefit)?);
    }
    let archived = benefit.archived;
    output::line(benefit_to_yaml(&file_of(benefit)?)?.trim_end());
    if archived {
        output::note("the benefit is archived");
    }
    Ok(())
}

async fn define(text: &str, dry_run: bool, globals: &Globals) -> anyhow::Result<()> {
    let file = benefit_from_yaml(text)?;
    let id = file.id.to_string();
    let benefit = message_of(file);
    let mut client = BenefitServiceClient::new(globals.client.connect().await?);
    let known = program::GetBenefitRequest {
        benefit_id: id.clone(),
    };
    let request_id = Uuid::new_v4().to_string();
    let (known, answer) = match client.get_benefit(known).await {
        Err(status) if status.code() == Code::NotFound => {
            let create = program::CreateBenefitRequest {
                benefit: Some(benefit),
                request_id,
                validate_only: dry_run,
            };
            (None, client.create_benefit(create).await)
        }
        Err(status) => return Err(refused(status)),
        Ok(known) => {
            let known = known.into_inner();
            if known.r#type != benefit.r#type {
                let is = type_word(known.r#type);
                bail!("type: benefit {id} is of type {is}, which cannot be changed");
            }
            let update = program::UpdateBenefitRequest {
                benefit: Some(benefit),
                update_mask: Some(prost_types::FieldMask {
                    paths: vec!["*".to_owned()],
                }),
                etag: known.etag.clone(),
                request_id,
                validate_only: dry_run,
            };
            (Some(known.etag), client.update_benefit(update).await)
        }
    };
    let answer = answer.map_err(refused)?.into_inner();
    let benefit = answer.benefit.unwrap_or_default();
    if globals.output.json() {
        return output::json(&json!({
            "benefit": json::of("program.v1.LibraryBenefit", &benefit)?,
            "dry_run": dry_run,
            "consistency_token": answer.consistency_token,
        }));
    }
    output::line(match (known, dry_run) {
        (Some(etag), _) if etag == benefit.etag => format!("Benefit {id} says just this already."),
        (Some(_), true) => format!("Would change benefit {id}. Nothing was stored."),
        (None, true) => format!("Would create benefit {id}. Nothing was stored."),
        (Some(_), false) => format!("Changed benefit {id}."),
        (None, false) => format!("Created benefit {id}."),
    });
    Ok(())
}

async fn archive(benefit_id: String, globals: &Globals) -> anyhow::Result<()> {
    let mut client = BenefitServiceClient::new(globals.client.connect().await?);
    let request = program::ArchiveBenefitRequest {
        benefit_id: benefit_id.clone(),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    let answer = client.archive_benefit(request).await.map_err(refused)?;
    if globals.output.json() {
        let answer = json::of("program.v1.BenefitResponse", &answer.into_inner())?;
        return output::json(&answer);
    }
    output::line(format!("Archived benefit {benefit_id}."));
    Ok(())
}

async fn restore(benefit_id: String, globals: &Globals) -> anyhow::Result<()> {
    let mut client = BenefitServiceClient::new(globals.client.connect().await?);
    let request = program::RestoreBenefitRequest {
        benefit_id: benefit_id.clone(),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    let answer = client.restore_benefit(request).await.map_err(refused)?;
    if globals.output.json() {
        let answer = json::of("program.v1.BenefitResponse", &answer.into_inner())?;
        return output::json(&answer);
    }
    output::line(format!("Restored benefit {benefit_id}."));
    Ok(())
}

async fn seed(globals: &Globals) -> anyhow::Result<()> {
    let mut client = BenefitServiceClient::new(globals.client.connect().await?);
    let request = program::SeedBenefitsRequest {
        request_id: Uuid::new_v4().to_string(),
        validate_only: false,
    };
    let answer = client.seed_benefits(request).await;
    let answer = answer.map_err(refused)?.into_inner();
    if globals.output.json() {
        return output::json(&json::of("program.v1.SeedBenefitsResponse", &answer)?);
    }
    for id in &answer.created_benefit_ids {
        output::line(format!("Created benefit {id}."));
    }
    let there = answer.unchanged_benefit_ids.len() as u64;
    if there > 0 {
        let there = words::counted(there, "benefit");
        output::line(format!("Left as they were: {there}."));
    }
    Ok(())
}

async fn of_program(program_id: String, version: u32, globals: &Globals) -> anyhow::Result<()> {
    let mut client = BenefitQueryServiceClient::new(globals.client.connect().await?);
    let request = query::GetProgramBenefitsRequest {
        program_id,
        version,
        ..Default::default()
    };
    let answer = client.get_program_benefits(request).await;
    let answer = answer.map_err(refused)?.into_inner();
    if globals.output.json() {
        return output::json(&json::of("query.v1.GetProgramBenefitsResponse", &answer)?);
    }
    let rows: Vec<_> = answer
        .tiers
        .iter()
        .flat_map(|tier| tier.benefits.iter().map(move |benefit| (tier, benefit)))
        .map(|(tier, benefit)| {
            [
                format!("{}/{}", tier.track_id, tier.tier_id),
                text::shorten(&benefit.name, 40),
                benefit.value.clone(),
                benefit.earned_by.clone(),
            ]
        })
        .collect();
    let count = rows.len() as u64;
    if count > 0 {
        output::table(&["tier", "benefit", "value", "earned by"], rows);
    }
    output::line(words::counted(count, "benefit"));
    Ok(())
}

async fn of_partner(name: &str, globals: &Globals) -> anyhow::Result<()> {
    let channel = globals.client.connect().await?;
    let found = partner::find(&channel, name).await?;
    let mut client = BenefitQueryServiceClient::new(channel);
    let request = query::GetPartnerBenefitsRequest {
        partner_id: found.id,
        ..Default::default()
    };
    let answer = client.get_partner_benefits(request).await;
    let answer = answer.map_err(refused)?.into_inner();
    if globals.output.json() {
        return output::json(&json::of("query.v1.GetPartnerBenefitsResponse", &answer)?);
    }
    let rows: Vec<_> = answer
        .enrollments
        .iter()
        .flat_map(|one| one.benefits.iter().map(move |benefit| (one, benefit)))
        .map(|(one, benefit)| {
            let given = benefit.benefit.clone().unwrap_or_default();
            [
                format!("{}/{}/{}", one.program_id, one.track_id, one.tier_id),
                text::shorten(&given.name, 40),
                given.value,
                state_word(benefit.state()).to_owned(),
                benefit.reason.clone(),
            ]
        })
        .collect();
    let count = rows.len() as u64;
    if count > 0 {
        output::table(&["tier", "benefit", "value", "earned", "why"], rows);
    }
    output::line(words::counted(count, "benefit"));
    Ok(())
}

fn state_word(state: query::BenefitState) -> &'static str {
    match state {
        query::BenefitState::Earned => "yes",
        query::BenefitState::NotEarned | query::BenefitState::NotGiven => "no",
        query::BenefitState::Unknown => "not known",
        query::BenefitState::Unspecified => "",
    }
}

fn type_word(number: i32) -> String {
    let read = benefit_type(&mut Reader::new(), number);
    read.map(BenefitType::as_str).unwrap_or_default().to_owned()
}

/// A benefit as it stands in a file.
fn file_of(benefit: program::LibraryBenefit) -> anyhow::Result<BenefitFile> {
    let mut reader = Reader::new();
    let read = reader.at("type", |r| benefit_type(r, benefit.r#type));
    let content = BenefitContent {
        name: benefit.name,
        description: benefit.description,
        benefit_type: reader.finish(read)?,
    };
    Ok(BenefitFile::new(
        BenefitId::parse(benefit.benefit_id)?,
        content,
    ))
}

fn message_of(file: BenefitFile) -> program::LibraryBenefit {
    program::LibraryBenefit {
        benefit_id: file.id.to_string(),
        name: file.name,
        description: file.description,
        r#type: benefit_type_message(file.benefit_type).into(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tierline_domain::benefit::default_benefits;

    #[test]
    fn a_benefit_goes_to_a_message_and_back() {
        for new in default_benefits().unwrap() {
            let file = BenefitFile::new(new.benefit, new.content);
            assert_eq!(file_of(message_of(file.clone())).unwrap(), file);
        }
    }
}
