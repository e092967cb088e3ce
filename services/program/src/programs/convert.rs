//! Programs between the contract and the domain.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use tierline_domain::program::{
    Program, ProgramDefinition, PublishedVersion, Transition, program_to_yaml, without_notes,
};
use tierline_domain::{ProgramId, Rejection};
use tierline_proto::program::v1 as pb;
use tierline_rpc::convert::{DefinitionContent, Reader, definition_message};
use tierline_rpc::{Caller, Role};

/// Most versions that a program shows; the rest is listed.
const SHOWN: usize = 100;

/// Whether the notes of criteria are shown, which are for admins only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notes {
    Shown,
    LeftOut,
}

impl Notes {
    /// For a caller.
    pub(crate) fn to(caller: &Caller) -> Self {
        if caller.roles.contains(&Role::Admin) {
            Self::Shown
        } else {
            Self::LeftOut
        }
    }

    /// A definition as it may be shown.
    pub(crate) fn of(self, definition: &ProgramDefinition) -> Cow<'_, ProgramDefinition> {
        match self {
            Self::Shown => Cow::Borrowed(definition),
            Self::LeftOut => Cow::Owned(without_notes(definition)),
        }
    }
}

macro_rules! contents {
    ($($module:ident),+) => { $(
        impl Content for pb::$module::Content {
            fn into_content(self) -> DefinitionContent {
                match self {
                    Self::Yaml(text) => DefinitionContent::Yaml(text),
                    Self::Definition(message) => DefinitionContent::Message(Box::new(message)),
                }
            }
        }
    )+ };
}

/// A definition as YAML text or as messages.
pub(crate) trait Content {
    fn into_content(self) -> DefinitionContent;
}

contents!(
    save_draft_request,
    apply_program_request,
    validate_program_request
);

/// Reads a definition.
pub(crate) fn read(content: Option<impl Content>) -> Result<ProgramDefinition, Rejection> {
    match content {
        None => Err(Rejection::invalid("definition", "is required, or yaml")),
        Some(content) => content.into_content().read(),
    }
}

/// The identifier of a program made from its name: what an identifier may have, the rest as
/// single hyphens.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
        if slug.len() >= tierline_domain::ids::MAX_ID_LENGTH {
            break;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// A program as the contract writes it.
pub(crate) fn message(program: &Program, version: u64, today: Date, notes: Notes) -> pb::Program {
    let versions = program.versions();
    let newest = versions.last();
    pb::Program {
        program_id: program.id().map(ToString::to_string).unwrap_or_default(),
        name: program.name().to_owned(),
        description: newest
            .map(|n| n.definition.description.clone())
            .unwrap_or_default(),
        newest_version: newest.map_or(0, |newest| newest.version),
        version_in_force: program
            .in_force_on(today)
            .map_or(0, |version| version.version),
        versions: versions.iter().rev().take(SHOWN).map(summary).collect(),
        etag: tierline_rpc::command::etag(version),
        archived: program.is_archived(),
        draft: program
            .draft()
            .map(|draft| definition_message(&notes.of(draft))),
        unchanged_since_date: program
            .unchanged_since(today)
            .map(|day| day.to_string())
            .unwrap_or_default(),
    }
}

/// From when on tiers may be lost under a version.
pub(crate) fn transition(reader: &mut Reader, message: Option<pb::Transition>) -> Transition {
    tierline_rpc::convert::transition(reader, "transition", message)
}

/// A version without its definition.
pub(crate) fn summary(version: &PublishedVersion) -> pb::ProgramVersionSummary {
    pb::ProgramVersionSummary {
        version: version.version,
        effective_date: version.effective_date.to_string(),
        note: version.note.clone(),
        transition: tierline_rpc::convert::transition_message(version.transition),
        author: version.author.clone(),
        publish_time: version.publish_time.map(instant),
        change_count: version.changes,
    }
}

fn instant(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.as_second(),
        nanos: at.subsec_nanosecond(),
    }
}

/// A version with its definition.
pub(crate) fn version(
    program: &ProgramId,
    version: &PublishedVersion,
    notes: Notes,
) -> Result<pb::ProgramVersion, Rejection> {
    let notes_left_out = matches!(notes, Notes::LeftOut);
    let definition = notes.of(&version.definition);
    Ok(pb::ProgramVersion {
        notes_left_out,
        program_id: program.to_string(),
        summary: Some(summary(version)),
        definition: Some(definition_message(&definition)),
        yaml: program_to_yaml(&definition)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_keeps_letters_and_digits_and_joins_the_rest() {
        assert_eq!(slug("Resellers & Friends, 2026!"), "resellers-friends-2026");
        assert_eq!(slug("  Ünïon  "), "n-on");
        assert_eq!(slug("!!!"), "");
        assert!(ProgramId::parse(slug(&"long name ".repeat(20))).is_ok());
    }
}
