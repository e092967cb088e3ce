//! The storage format, pinned: one JSON file for every event type and version that was ever
//! written, in `tests/golden/<event type>/<version>.json` with all fields filled, and beside it
//! `<version>.minimal.json` where fields may be absent.
//!
//! A file that is here stays here and loads for ever. A changed shape is a new version: it gets a
//! new file, and the old one must still load through the upcaster.

#![allow(
    clippy::unwrap_used,
    reason = "tests and their helpers stop at the first surprise"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cqrs_es::persist::SerializedEvent;
use serde_json::Value;
use tierline_domain::StoredEvent;
use tierline_domain::access::KeyringEvent;
use tierline_domain::activity::{CertificationEvent, DealEvent, RecordEvent};
use tierline_domain::application::{FormEvent, SubmissionEvent};
use tierline_domain::enrollment::EnrollmentEvent;
use tierline_domain::partner::PartnerEvent;
use tierline_domain::program::ProgramEvent;
use tierline_domain::program::org::OrgEvent;
use tierline_domain::program::rates::RatesEvent;
use tierline_domain::segment::SegmentEvent;
use tierline_domain::standing::StandingEvent;
use tierline_domain::surroundings::SurroundingsEvent;

/// An event enum: the types it can write, and how it reads a payload and writes it again.
struct Family {
    known: &'static [(&'static str, &'static str)],
    again: fn(&Value) -> Again,
}

/// Type, version and payload of an event that was read and written again, or why it was not read.
type Again = Result<(String, String, Value), String>;

fn family<E: StoredEvent>() -> Family {
    Family {
        known: E::KNOWN,
        again: |payload| {
            let event: E = serde_json::from_value(payload.clone()).map_err(|e| e.to_string())?;
            let written = serde_json::to_value(&event).map_err(|e| e.to_string())?;
            Ok((event.event_type(), event.event_version(), written))
        },
    }
}

/// Every event enum. A new one is one more line.
fn families() -> Vec<Family> {
    vec![
        family::<OrgEvent>(),
        family::<KeyringEvent>(),
        family::<ProgramEvent>(),
        family::<RatesEvent>(),
        family::<PartnerEvent>(),
        family::<EnrollmentEvent>(),
        family::<DealEvent>(),
        family::<CertificationEvent>(),
        family::<RecordEvent>(),
        family::<StandingEvent>(),
        family::<SurroundingsEvent>(),
        family::<FormEvent>(),
        family::<SubmissionEvent>(),
        family::<SegmentEvent>(),
    ]
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Every golden file: event type, version, path.
fn golden_files() -> Vec<(String, String, PathBuf)> {
    let mut files = Vec::new();
    for kind in std::fs::read_dir(folder()).unwrap() {
        let kind = kind.unwrap();
        for file in std::fs::read_dir(kind.path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let version = name.strip_suffix(".json").unwrap();
            let version = version.strip_suffix(".minimal").unwrap_or(version);
            let kind = kind.file_name().into_string().unwrap();
            files.push((kind, version.to_owned(), path));
        }
    }
    files.sort();
    files
}

/// The event as its readers see it: lifted by the upcasters that concern it.
fn lifted(event_type: &str, version: &str, payload: &Value) -> SerializedEvent {
    let stored = SerializedEvent::new(
        "an-org/an-id".to_owned(),
        1,
        "Any".to_owned(),
        event_type.to_owned(),
        version.to_owned(),
        payload.clone(),
        Value::Null,
    );
    tierline_domain::upcasters()
        .iter()
        .fold(stored, |event, upcaster| {
            if upcaster.can_upcast(&event.event_type, &event.event_version) {
                upcaster.upcast(event)
            } else {
                event
            }
        })
}

#[test]
fn every_golden_file_loads_and_is_written_again_as_it_is() {
    let families = families();
    for (event_type, version, path) in golden_files() {
        let payload: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let family = families
            .iter()
            .find(|family| family.known.iter().any(|(known, _)| *known == event_type))
            .unwrap_or_else(|| panic!("no event enum knows {event_type} any more"));
        let present = lifted(&event_type, &version, &payload);
        let (read_type, read_version, written) = (family.again)(&present.payload)
            .unwrap_or_else(|error| panic!("{} does not load: {error}", path.display()));
        assert_eq!(read_type, event_type, "{}", path.display());
        assert_eq!(
            read_version,
            present.event_version,
            "{}: an old version needs its upcaster",
            path.display()
        );
        if present.event_version != version {
            continue;
        }
        assert_eq!(
            written,
            payload,
            "{} is written differently",
            path.display()
        );
    }
}

#[test]
fn every_type_and_version_that_can_be_written_has_its_golden_file() {
    for family in families() {
        for (event_type, version) in family.known {
            let path = folder().join(event_type).join(format!("{version}.json"));
            assert!(
                path.is_file(),
                "{} is missing: add one with all fields",
                path.display()
            );
        }
    }
}

#[test]
fn no_two_aggregates_write_the_same_event_type() {
    let mut seen = BTreeSet::new();
    for family in families() {
        for (event_type, _) in family.known {
            assert!(
                seen.insert(event_type),
                "{event_type} is written by two aggregates"
            );
        }
    }
}

#[test]
fn fields_that_a_later_release_added_are_passed_over() {
    let payload = serde_json::json!({"DealWon": {"closed_date": "2026-03-31", "mood": "good"}});
    let event: DealEvent = serde_json::from_value(payload).unwrap();
    let expected = DealEvent::DealWon {
        closed_date: "2026-03-31".parse().unwrap(),
        amount: None,
    };
    assert_eq!(event, expected);
}

#[test]
fn events_that_may_travel_have_no_field_for_a_person() {
    fn fields(value: &Value, names: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    names.insert(name.clone());
                    fields(value, names);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| fields(value, names)),
            Value::String(text) => assert!(!text.contains('@'), "an address: {text}"),
            _ => {}
        }
    }
    let personal = [
        "person",
        "email",
        "first_name",
        "last_name",
        "phone",
        "note",
        "holder",
    ];
    let mut travel = 0;
    for (event_type, _, path) in golden_files() {
        if !tierline_domain::personal::may_travel(&event_type) {
            continue;
        }
        travel += 1;
        let payload: Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let mut names = BTreeSet::new();
        fields(&payload, &mut names);
        for name in personal {
            assert!(!names.contains(name), "{}: {name}", path.display());
        }
    }
    assert!(travel > 20);
}
