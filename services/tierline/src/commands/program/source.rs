//! Definitions that are named on the command line: files, and versions on the server.

use std::path::Path;

use anyhow::Context;
use tierline_domain::program::diff::{Change, diff};
use tierline_domain::program::{ProgramDefinition, program_from_yaml, without_notes};
use tierline_proto::program::v1::program_service_client::ProgramServiceClient;
use tierline_proto::program::v1::{
    GetProgramVersionRequest, ProgramVersion, get_program_version_request::Selector,
};
use tonic::Code;

use super::{read, violations};
use crate::cli::Globals;
use crate::client::{Authorized, refused};

/// A definition, as far as the caller may see it.
pub struct Seen {
    pub definition: ProgramDefinition,
    /// The server left out what only administrators may see.
    notes_left_out: bool,
}

impl Seen {
    /// What differs, seen with the eyes of the caller: where notes were left out on one side, they
    /// are no difference.
    pub fn changes_to(&self, after: &Self) -> Vec<Change> {
        if self.notes_left_out || after.notes_left_out {
            diff(
                &without_notes(&self.definition),
                &without_notes(&after.definition),
            )
        } else {
            diff(&self.definition, &after.definition)
        }
    }
}

impl From<ProgramDefinition> for Seen {
    fn from(definition: ProgramDefinition) -> Self {
        Self {
            definition,
            notes_left_out: false,
        }
    }
}

/// A definition out of a file.
pub fn file(path: &Path) -> anyhow::Result<(String, ProgramDefinition)> {
    let text = read(path)?;
    let definition = program_from_yaml(&text).map_err(|wrong| {
        let lines: Vec<String> = violations(&wrong)
            .iter()
            .map(|one| format!("  {}: {}", one.field, one.description))
            .collect();
        anyhow::anyhow!("{} is no definition\n{}", path.display(), lines.join("\n"))
    })?;
    Ok((text, definition))
}

/// A file, or a program on the server: `NAME` for the version in force, `NAME@3` for version 3.
pub async fn named(text: &str, globals: &Globals) -> anyhow::Result<Seen> {
    let path = Path::new(text);
    if path.exists() {
        return Ok(file(path)?.1.into());
    }
    let (program, version) = match text.split_once('@') {
        None => (text, None),
        Some((program, number)) => {
            let number = number.parse().with_context(|| {
                format!("\"{text}\": after @ comes the number of a version, such as {program}@3")
            })?;
            (program, Some(number))
        }
    };
    anyhow::ensure!(
        !text.contains(['/', '.']),
        "there is no file {text}; a program on the server is named like three-tier or three-tier@3"
    );
    let channel = globals.client.connect().await?;
    let found = version_of(&channel, program, version).await?;
    let found = found.with_context(|| format!("{program} has no version in force today"))?;
    seen(&found)
}

/// What a version says to the caller.
pub fn seen(version: &ProgramVersion) -> anyhow::Result<Seen> {
    Ok(Seen {
        definition: definition_of(version)?,
        notes_left_out: version.notes_left_out,
    })
}

/// A version on the server; without a number the one in force today, if there is one.
pub async fn version_of(
    channel: &Authorized,
    program: &str,
    number: Option<u32>,
) -> anyhow::Result<Option<ProgramVersion>> {
    let request = GetProgramVersionRequest {
        program_id: program.to_owned(),
        selector: number.map(Selector::Version),
    };
    let mut client = ProgramServiceClient::new(channel.clone());
    match client.get_program_version(request).await {
        Ok(found) => Ok(Some(found.into_inner())),
        Err(status) if status.code() == Code::NotFound && number.is_none() => Ok(None),
        Err(status) => Err(refused(status)),
    }
}

/// What a version says.
pub fn definition_of(version: &ProgramVersion) -> anyhow::Result<ProgramDefinition> {
    program_from_yaml(&version.yaml)
        .map_err(|wrong| anyhow::anyhow!("the server sent a definition that is none: {wrong}"))
}
