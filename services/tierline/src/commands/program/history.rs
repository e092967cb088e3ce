//! `tierline program history`

use std::process::ExitCode;

use tierline_proto::program::v1::program_service_client::ProgramServiceClient;
use tierline_proto::program::v1::{ListProgramVersionsRequest, ProgramVersionSummary};

use crate::cli::Globals;
use crate::client::refused;
use crate::commands::show::words;
use crate::output;

#[derive(Debug, clap::Args)]
pub struct HistoryArgs {
    /// The program.
    program: String,
}

pub async fn run(args: &HistoryArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let versions = versions(&args.program, globals).await?;
    if globals.output.json() {
        let versions: Vec<_> = versions.iter().map(json).collect();
        output::json(&versions)?;
        return Ok(ExitCode::SUCCESS);
    }
    if versions.is_empty() {
        output::line("No version has been published.");
        return Ok(ExitCode::SUCCESS);
    }
    output::table(
        &[
            "version",
            "effective",
            "published",
            "author",
            "changes",
            "note",
        ],
        versions.iter().map(row),
    );
    output::line("");
    output::line(format!(
        "What changed: tierline program diff {0}@NUMBER {0}@NUMBER",
        args.program
    ));
    Ok(ExitCode::SUCCESS)
}

/// Every published version, newest first.
async fn versions(program: &str, globals: &Globals) -> anyhow::Result<Vec<ProgramVersionSummary>> {
    let mut client = ProgramServiceClient::new(globals.client.connect().await?);
    let mut versions = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListProgramVersionsRequest {
            program_id: program.to_owned(),
            page_size: 0,
            page_token,
        };
        let page = client.list_program_versions(request).await;
        let page = page.map_err(refused)?.into_inner();
        versions.extend(page.versions);
        if page.next_page_token.is_empty() {
            return Ok(versions);
        }
        page_token = page.next_page_token;
    }
}

fn row(version: &ProgramVersionSummary) -> [String; 6] {
    [
        version.version.to_string(),
        version.effective_date.clone(),
        words::second(version.publish_time.as_ref()),
        version.author.clone(),
        version
            .change_count
            .map(|count| count.to_string())
            .unwrap_or_default(),
        version.note.clone(),
    ]
}

fn json(version: &ProgramVersionSummary) -> serde_json::Value {
    serde_json::json!({
        "version": version.version,
        "effective_date": version.effective_date,
        "publish_time": words::instant(version.publish_time.as_ref()),
        "author": version.author,
        "change_count": version.change_count,
        "note": version.note,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_a_version_is_left_empty() {
        let known = ProgramVersionSummary {
            version: 2,
            effective_date: "2026-03-01".to_owned(),
            note: "as agreed".to_owned(),
            transition: None,
            author: "user:ada".to_owned(),
            publish_time: Some(prost_types::Timestamp::default()),
            change_count: Some(3),
        };
        assert_eq!(
            row(&known),
            [
                "2",
                "2026-03-01",
                "1970-01-01T00:00:00Z",
                "user:ada",
                "3",
                "as agreed"
            ]
        );
        let old = ProgramVersionSummary {
            version: 1,
            ..ProgramVersionSummary::default()
        };
        assert_eq!(row(&old), ["1", "", "", "", "", ""]);
    }
}
