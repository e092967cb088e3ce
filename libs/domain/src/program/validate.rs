//! What a definition must satisfy before it can be published. All violations at once, each with
//! its path in the definition.

use std::collections::BTreeSet;

use crate::benefit::benefits_of;
use crate::ids::check_label;
use crate::limits;
use crate::program::definition::{DemotionPolicy, ProgramDefinition, PromotionPolicy, Tier, Track};
use crate::program::names_beyond;
use crate::program::remarks::{check_catalogue, check_suppressions};
use crate::rejection::{Rejection, Violations};
use crate::time::check_date;

/// Largest definition, in bytes of its JSON.
pub const MAX_BYTES: usize = 512 * 1024;
/// Longest notice or remediation, in days: ten years.
pub const MAX_DAYS: u16 = 3_660;
/// Longest time in tier or path to re-earn, in months: ten years.
pub const MAX_MONTHS: u16 = 120;

/// Checks everything that a published definition promises.
///
/// # Errors
/// `INVALID_REQUEST` naming every violated path, such as `tracks[0].tiers[2].qualification`.
pub fn validate(definition: &ProgramDefinition) -> Result<(), Rejection> {
    check_size(definition)?;
    let mut v = Violations::default();
    label(&mut v, "slug", &definition.slug);
    limits::check_name(&mut v, "name", &definition.name, limits::NAME);
    limits::check_note(&mut v, "description", &definition.description);
    check_dates(&mut v, definition);
    if !(1..=12).contains(&definition.program_year_start) {
        v.add("program_year_start", "must be a month from 1 to 12");
    }
    check_rates(&mut v, definition);
    between(&mut v, "tracks", definition.tracks.len(), 1, limits::TRACKS);
    let mut seen = BTreeSet::new();
    for (at, track) in definition.tracks.iter().enumerate() {
        let path = format!("tracks[{at}]");
        if !seen.insert(&track.id) {
            v.add(
                format!("{path}.id"),
                format!("\"{}\" is there twice", track.id),
            );
        }
        check_track(&mut v, &path, track);
    }
    if benefits_of(definition).len() > limits::LIBRARY_BENEFITS {
        let most = limits::LIBRARY_BENEFITS;
        v.add(
            "tracks",
            format!("must name at most {most} benefits of the library"),
        );
    }
    if let Some(catalogue) = &definition.catalogue {
        check_catalogue(&mut v, catalogue);
    }
    check_suppressions(&mut v, &definition.lint);
    v.check()
}

/// Most tables of fixed rates.
const MAX_RATE_TABLES: usize = 50;

/// Both days are within the calendar, and the end is not before the start.
fn check_dates(v: &mut Violations, definition: &ProgramDefinition) {
    let (start, end) = (definition.start_date, definition.end_date);
    for (field, day) in [("start_date", start), ("end_date", end)] {
        if let Some(day) = day {
            v.take("", check_date(field, day));
        }
    }
    if let Some((start, end)) = start.zip(end)
        && end < start
    {
        v.add(
            "end_date",
            format!("must not be before the start date, {start}"),
        );
    }
}

/// Most criteria that are named where an unknown one stands.
const NAMED: usize = 20;

fn check_rates(v: &mut Violations, definition: &ProgramDefinition) {
    let tables = &definition.fixed_rates;
    if tables.len() > MAX_RATE_TABLES {
        v.add(
            "fixed_rates",
            format!("must have at most {MAX_RATE_TABLES} tables"),
        );
    }
    let mut last = None;
    for (at, table) in tables.iter().enumerate() {
        let path = format!("fixed_rates[{at}]");
        if last.is_some_and(|last| table.from <= last) {
            let text = "must be later than in the table before, and than its last day";
            v.add(format!("{path}.from"), text);
        }
        v.take("", check_date(&format!("{path}.from"), table.from));
        if let Some(until) = table.until {
            v.take("", check_date(&format!("{path}.until"), until));
            if until < table.from {
                v.add(format!("{path}.until"), "must not be before the first day");
            }
        }
        last = Some(
            table
                .until
                .map_or(table.from, |until| until.max(table.from)),
        );
        if !table.equal.contains_key(&definition.currency) {
            let text = format!(
                "must name {}, the currency of the program",
                definition.currency
            );
            v.add(format!("{path}.equal"), text);
        }
        for (currency, amount) in &table.equal {
            if *amount <= rust_decimal::Decimal::ZERO || *amount > crate::money::MAX_AMOUNT {
                v.add(format!("{path}.equal.{currency}"), "must be more than 0");
            }
        }
    }
}

/// Checks only that a definition is not too large; drafts may be incomplete.
///
/// # Errors
/// `INVALID_REQUEST` on the definition as a whole: the empty path.
pub fn check_size(definition: &ProgramDefinition) -> Result<(), Rejection> {
    match serde_json::to_vec(definition) {
        Ok(json) if json.len() <= MAX_BYTES => Ok(()),
        Ok(json) => Err(Rejection::invalid(
            "",
            format!("has {} bytes; at most {MAX_BYTES} are taken", json.len()),
        )),
        Err(error) => Err(Rejection::invalid("", format!("cannot be kept: {error}"))),
    }
}

fn check_track(v: &mut Violations, path: &str, track: &Track) {
    label(v, &format!("{path}.id"), track.id.as_str());
    limits::check_name(v, &format!("{path}.name"), &track.name, limits::NAME);
    check_policies(v, path, &track.promotion, &track.demotion);
    between(
        v,
        &format!("{path}.tiers"),
        track.tiers.len(),
        1,
        limits::TIERS,
    );
    let mut seen = BTreeSet::new();
    for (at, tier) in track.tiers.iter().enumerate() {
        let path = format!("{path}.tiers[{at}]");
        if !seen.insert(&tier.id) {
            v.add(
                format!("{path}.id"),
                format!("\"{}\" is there twice", tier.id),
            );
        }
        check_tier(v, &path, tier, at + 1 == track.tiers.len());
    }
    names_beyond::check(v, path, track);
}

fn check_policies(
    v: &mut Violations,
    path: &str,
    promotion: &PromotionPolicy,
    demotion: &DemotionPolicy,
) {
    for (field, value, most, unit) in [
        (
            "promotion.minimum_months_in_tier",
            promotion.minimum_months_in_tier,
            MAX_MONTHS,
            "months",
        ),
        (
            "demotion.notice_days",
            demotion.notice_days,
            MAX_DAYS,
            "days",
        ),
        (
            "demotion.remediation_days",
            demotion.remediation_days,
            MAX_DAYS,
            "days",
        ),
        (
            "demotion.requalification_months",
            demotion.requalification_months,
            MAX_MONTHS,
            "months",
        ),
    ] {
        if value > most {
            v.add(
                format!("{path}.{field}"),
                format!("must be at most {most} {unit}"),
            );
        }
    }
}

fn check_tier(v: &mut Violations, path: &str, tier: &Tier, is_entry: bool) {
    label(v, &format!("{path}.id"), tier.id.as_str());
    limits::check_name(v, &format!("{path}.name"), &tier.name, limits::NAME);
    match (is_entry, &tier.qualification) {
        (true, Some(_)) => v.add(
            format!("{path}.qualification"),
            "the last tier is the entry tier and has no qualification; add an entry tier below",
        ),
        (false, None) => v.add(
            format!("{path}.qualification"),
            "is required: only the last tier, the entry tier, has none",
        ),
        _ => {}
    }
    for (field, requirement) in [
        ("qualification", &tier.qualification),
        ("retention", &tier.retention),
    ] {
        if let Some(requirement) = requirement {
            v.take(&format!("{path}.{field}"), requirement.check());
        }
    }
    if is_entry && tier.retention.is_some() {
        v.add(format!("{path}.retention"), "the entry tier cannot be lost");
    }
    check_benefits(v, path, tier);
}

/// What can be said of benefits without the library; see [`crate::benefit::BenefitLibrary`].
fn check_benefits(v: &mut Violations, path: &str, tier: &Tier) {
    let count = tier.benefits.len();
    between(v, &format!("{path}.benefits"), count, 0, limits::BENEFITS);
    let criteria = tier.criterion_ids();
    let mut seen = BTreeSet::new();
    for (at, benefit) in tier.benefits.iter().enumerate().take(limits::BENEFITS) {
        let path = format!("{path}.benefits[{at}]");
        let key = match &benefit.id {
            None => {
                limits::check_name(v, &format!("{path}.name"), &benefit.name, limits::NAME);
                "name"
            }
            Some(id) => {
                label(v, &format!("{path}.id"), id.as_str());
                if !benefit.name.is_empty() {
                    let text = "must be absent: the library knows the name of a benefit with an id";
                    v.add(format!("{path}.name"), text);
                }
                "id"
            }
        };
        limits::check_name(v, &format!("{path}.value"), &benefit.value, limits::NAME);
        if !seen.insert((key, benefit.key())) {
            let text = format!("\"{}\" is there twice", benefit.key());
            v.add(format!("{path}.{key}"), text);
        }
        let earned_by = benefit.earned_by.as_deref();
        if let Some(criterion) = earned_by.filter(|id| !criteria.contains(id)) {
            let known: Vec<&str> = criteria.iter().copied().take(NAMED).collect();
            let known = match known.as_slice() {
                [] => "none".to_owned(),
                known => known.join(", "),
            };
            let text = format!("\"{criterion}\" is no criterion of the tier, which has {known}");
            v.add(format!("{path}.earned_by"), text);
        }
    }
}

fn label(v: &mut Violations, field: &str, text: &str) {
    v.take("", check_label(field, text));
}

fn between(v: &mut Violations, field: &str, count: usize, least: usize, most: usize) {
    if count < least || count > most {
        v.add(
            field,
            format!("must have {least} to {most} entries, has {count}"),
        );
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::rules::{FixedRates, Requirement};

    /// A small valid program.
    pub(crate) fn sample() -> ProgramDefinition {
        serde_json::from_value(serde_json::json!({
            "slug": "resale", "name": "Resale", "currency": "USD",
            "tracks": [{
                "id": "main", "name": "Main",
                "tiers": [
                    {"id": "gold", "name": "Gold", "qualification": {"criterion": {
                        "id": "deals", "name": "Deals won",
                        "measure": {"count": {"facts": {
                            "kind": "deal", "date": "closed", "window": {"rolling_months": 12}
                        }}},
                        "needs": {"gte": "5"}
                    }}},
                    {"id": "registered", "name": "Registered"}
                ]
            }]
        }))
        .unwrap()
    }

    fn fields(definition: &ProgramDefinition) -> Vec<String> {
        let rejection = validate(definition).unwrap_err();
        rejection.violations.into_iter().map(|v| v.field).collect()
    }

    #[test]
    fn a_sound_definition_passes() {
        assert_eq!(validate(&sample()), Ok(()));
    }

    #[test]
    fn a_program_does_not_end_before_it_starts() {
        let day = |text: &str| Some(text.parse().unwrap());
        let mut definition = sample();
        definition.start_date = day("2026-01-01");
        assert_eq!(validate(&definition), Ok(()));
        definition.end_date = day("2026-01-01");
        assert_eq!(validate(&definition), Ok(()));
        definition.end_date = day("2025-12-31");
        assert_eq!(fields(&definition), ["end_date"]);
        definition.start_date = None;
        assert_eq!(validate(&definition), Ok(()));
        definition.start_date = day("0001-01-01");
        definition.end_date = None;
        assert_eq!(fields(&definition), ["start_date"]);
    }

    #[test]
    fn a_program_needs_a_track_and_a_track_needs_a_tier() {
        let mut definition = sample();
        definition.tracks[0].tiers.clear();
        assert_eq!(fields(&definition), ["tracks[0].tiers"]);
        definition.tracks.clear();
        assert_eq!(fields(&definition), ["tracks"]);
    }

    #[test]
    fn fixed_rates_follow_each_other_without_overlap() {
        let table = |from: &str, until: Option<&str>| FixedRates {
            from: from.parse().unwrap(),
            until: until.map(|day| day.parse().unwrap()),
            equal: [
                (crate::Currency::EUR, 1.into()),
                (crate::Currency::USD, 1.into()),
            ]
            .into(),
        };
        let of = |tables: &[FixedRates]| {
            let mut definition = sample();
            definition.fixed_rates = tables.to_vec();
            let wrong = validate(&definition).err().map(|wrong| wrong.violations);
            let wrong = wrong.into_iter().flatten();
            wrong.map(|v| v.field).collect::<Vec<_>>()
        };
        let first = table("2025-01-01", Some("2025-06-30"));
        let gap = [first.clone(), table("2025-08-01", None)];
        assert!(of(&gap).is_empty());
        let overlap = [first, table("2025-06-30", None)];
        assert_eq!(of(&overlap), ["fixed_rates[1].from"]);
        let open = [table("2025-01-01", None), table("2025-01-01", None)];
        assert_eq!(of(&open), ["fixed_rates[1].from"]);
        let backwards = [table("2025-01-02", Some("2025-01-01"))];
        assert_eq!(of(&backwards), ["fixed_rates[0].until"]);
    }

    #[test]
    fn exactly_the_last_tier_has_no_qualification() {
        let mut definition = sample();
        definition.tracks[0].tiers.swap(0, 1);
        assert_eq!(
            fields(&definition),
            [
                "tracks[0].tiers[0].qualification",
                "tracks[0].tiers[1].qualification"
            ]
        );
    }

    #[test]
    fn the_entry_tier_cannot_have_a_retention_requirement() {
        let mut definition = sample();
        let tiers = &mut definition.tracks[0].tiers;
        tiers[1].retention = tiers[0].qualification.clone();
        assert_eq!(fields(&definition), ["tracks[0].tiers[1].retention"]);
    }

    #[test]
    fn identifiers_are_labels_and_unique() {
        let mut definition = sample();
        let mut twin = definition.tracks[0].clone();
        twin.tiers[0].id = twin.tiers[1].id.clone();
        definition.tracks.push(twin);
        definition.slug = "Not A Slug".to_owned();
        assert_eq!(
            fields(&definition),
            ["slug", "tracks[1].id", "tracks[1].tiers[1].id"]
        );
    }

    #[test]
    fn every_violation_is_listed_with_its_path() {
        let mut definition = sample();
        definition.name.clear();
        definition.description = "x".repeat(limits::NOTE + 1);
        definition.tracks[0].demotion.notice_days = MAX_DAYS + 1;
        definition.tracks[0].tiers[0].name = "x".repeat(limits::NAME + 1);
        assert_eq!(
            fields(&definition),
            [
                "name",
                "description",
                "tracks[0].demotion.notice_days",
                "tracks[0].tiers[0].name"
            ]
        );
    }

    #[test]
    fn a_mistake_inside_a_requirement_is_named_with_its_whole_path() {
        let mut definition = sample();
        definition.tracks[0].tiers[0].retention = Some(Requirement::All(Vec::new()));
        let fields = fields(&definition);
        assert!(
            fields[0].starts_with("tracks[0].tiers[0].retention"),
            "{fields:?}"
        );
    }

    #[test]
    fn a_definition_beyond_the_size_limit_is_refused() {
        let mut definition = sample();
        definition.description = "x".repeat(MAX_BYTES);
        assert_eq!(fields(&definition), [""]);
    }
}
