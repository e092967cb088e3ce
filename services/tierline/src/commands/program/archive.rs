//! `tierline program archive|restore`

use std::process::ExitCode;

use tierline_proto::program::v1::program_service_client::ProgramServiceClient;
use tierline_proto::program::v1::{ArchiveProgramRequest, ProgramResponse, RestoreProgramRequest};

use crate::cli::Globals;
use crate::client::refused;
use crate::output;

#[derive(Debug, clap::Args)]
pub struct ArchiveArgs {
    /// The program.
    program: String,
    /// Check and tell only.
    #[arg(long)]
    dry_run: bool,
}

/// Archives a program.
pub async fn archive(args: ArchiveArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let request = ArchiveProgramRequest {
        program_id: args.program,
        validate_only: args.dry_run,
        ..ArchiveProgramRequest::default()
    };
    let mut client = ProgramServiceClient::new(globals.client.connect().await?);
    let answer = client.archive_program(request).await.map_err(refused)?;
    tell(answer.into_inner(), args.dry_run, globals)
}

/// Takes back that a program was archived.
pub async fn restore(args: ArchiveArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let request = RestoreProgramRequest {
        program_id: args.program,
        validate_only: args.dry_run,
        ..RestoreProgramRequest::default()
    };
    let mut client = ProgramServiceClient::new(globals.client.connect().await?);
    let answer = client.restore_program(request).await.map_err(refused)?;
    tell(answer.into_inner(), args.dry_run, globals)
}

fn tell(answer: ProgramResponse, dry_run: bool, globals: &Globals) -> anyhow::Result<ExitCode> {
    let program = answer.program.unwrap_or_default();
    if globals.output.json() {
        output::json(&serde_json::json!({
            "program_id": program.program_id,
            "archived": program.archived,
            "dry_run": dry_run,
            "consistency_token": answer.consistency_token,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let id = &program.program_id;
    output::line(match (program.archived, dry_run) {
        (true, false) => format!("{id} is archived: it takes no more versions and enrollments."),
        (false, false) => format!("{id} takes versions and enrollments."),
        (true, true) => format!("Would archive {id}. Nothing was stored."),
        (false, true) => format!("Would restore {id}. Nothing was stored."),
    });
    Ok(ExitCode::SUCCESS)
}
