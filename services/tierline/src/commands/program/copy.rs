//! `tierline program copy`

use std::process::ExitCode;

use tierline_proto::program::v1::CopyProgramRequest;
use tierline_proto::program::v1::copy_program_request::Source;
use tierline_proto::program::v1::program_service_client::ProgramServiceClient;

use crate::cli::Globals;
use crate::client::refused;
use crate::output;

#[derive(Debug, clap::Args)]
pub struct CopyArgs {
    /// The program that is copied.
    program: String,
    /// What a person reads, of the copy.
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// Identifier of the copy. Default: made from the name.
    #[arg(long, value_name = "ID", default_value = "")]
    id: String,
    /// Which version is copied. Default: the newest, or the draft where there is none.
    #[arg(long, value_name = "NUMBER", conflicts_with = "draft")]
    version: Option<u32>,
    /// Copy the draft.
    #[arg(long)]
    draft: bool,
    /// Check and tell only.
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(args: CopyArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let draft = args.draft.then_some(Source::Draft(true));
    let request = CopyProgramRequest {
        source_program_id: args.program.clone(),
        source: args.version.map(Source::Version).or(draft),
        program_id: args.id,
        name: args.name,
        validate_only: args.dry_run,
        ..CopyProgramRequest::default()
    };
    let channel = globals.client.connect().await?;
    let answer = ProgramServiceClient::new(channel)
        .copy_program(request)
        .await;
    let answer = answer.map_err(refused)?.into_inner();
    let copy = answer.program.unwrap_or_default();
    if globals.output.json() {
        output::json(&serde_json::json!({
            "program_id": copy.program_id,
            "name": copy.name,
            "copied_from": args.program,
            "dry_run": args.dry_run,
            "consistency_token": answer.consistency_token,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (from, to) = (&args.program, &copy.program_id);
    output::line(match args.dry_run {
        true => format!("Would copy {from} to the draft of {to}. Nothing was stored."),
        false => format!("Copied {from} to {to}, as a draft. It is not published yet."),
    });
    Ok(ExitCode::SUCCESS)
}
