//! Program definitions as files: YAML exactly in the serde form of the types.
//!
//! Numbers may be written plainly (`100000`, `0.1`) or as texts (`"100000.00"`); a threshold keeps
//! its digits either way. A plain number in a *condition* goes through the floats of YAML: from
//! sixteen significant digits on it has to be written `{number: "…"}`. Anchors and aliases are fine
//! within bounds; a definition that is written back has none.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::program::definition::ProgramDefinition;
use crate::program::file::program_file_from_yaml;
use crate::rejection::Rejection;

/// Largest file, in bytes.
pub const MAX_YAML_BYTES: usize = 1024 * 1024;
/// Deepest nesting of lists and maps in a file. The deepest allowed requirement takes about 50;
/// in a debug build 90 would use up the two megabytes of a usual thread's stack.
const MAX_YAML_DEPTH: usize = 64;
/// Most parser events that aliases may replay; it bounds what a small file can unfold to.
const MAX_REPLAYED_EVENTS: usize = 100_000;

/// Reads a definition; cases in the file are left aside. It is not checked beyond its form;
/// [`crate::program::validate()`] does that.
///
/// # Errors
/// `INVALID_REQUEST` on the field `definition`, with line and column, what is wrong, and for an
/// unknown name the names that are allowed.
pub fn program_from_yaml(text: &str) -> Result<ProgramDefinition, Rejection> {
    program_file_from_yaml(text).map(|(definition, _)| definition)
}

/// Reads a file within the bounds of this module; what is wrong is said of `field`.
pub(crate) fn read<T: DeserializeOwned>(field: &str, text: &str) -> Result<T, Rejection> {
    if text.len() > MAX_YAML_BYTES {
        let size = text.len();
        return Err(Rejection::invalid(
            field,
            format!("has {size} bytes; at most {MAX_YAML_BYTES} are read"),
        ));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_YAML_DEPTH },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPLAYED_EVENTS,
        },
        strict_booleans: true,
    };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| Rejection::invalid(field, describe(&error)))
}

fn describe(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    match error.location() {
        Some(place) => {
            let place = format!("line {}, column {}", place.line(), place.column());
            match text.contains(&place) {
                true => text,
                false => format!("{place}: {text}"),
            }
        }
        None => text,
    }
}

/// Writes a definition.
///
/// # Errors
/// `INVALID_REQUEST` on the field `definition`, should it have no YAML form.
pub fn program_to_yaml(definition: &ProgramDefinition) -> Result<String, Rejection> {
    write("definition", definition)
}

/// Writes a file; what goes wrong is said of `field`.
pub(crate) fn write<T: Serialize>(field: &str, content: &T) -> Result<String, Rejection> {
    let options = serde_saphyr::ser_options! { compact_list_indent: false };
    serde_saphyr::to_string_with_options(content, options)
        .map_err(|error| Rejection::invalid(field, error.to_string()))
}
