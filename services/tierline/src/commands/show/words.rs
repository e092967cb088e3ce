//! Values of the contract in words: enums, dates, instants.

use jiff::Timestamp;
use tierline_proto::{
    application::v1 as application, partner::v1 as partner, standing::v1 as standing,
};

/// The value of an enum without the prefix of its type, as filters take it: `TIER_SOURCE_PIN` is
/// `pin`. Empty for unspecified.
pub fn word(value: &str, prefix: &str) -> String {
    match value.strip_prefix(prefix).unwrap_or(value) {
        "UNSPECIFIED" => String::new(),
        word => word.to_lowercase(),
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $kind:ty, $prefix:literal;)*) => {
        $($(#[$doc])*
        pub fn $name(number: i32) -> String {
            <$kind>::try_from(number)
                .map_or_else(|_| number.to_string(), |value| word(value.as_str_name(), $prefix))
        })*
    };
}

words! {
    /// Kind of partner.
    partner_type: partner::PartnerType, "PARTNER_TYPE_";
    /// Whether a partner takes part.
    partner_status: partner::PartnerStatus, "PARTNER_STATUS_";
    /// How far the relation to a partner has come.
    partner_stage: partner::PartnerStage, "PARTNER_STAGE_";
    /// Kind of decision.
    decision_kind: standing::DecisionKind, "DECISION_KIND_";
    /// Up or down.
    direction: standing::Direction, "DIRECTION_";
    /// Why a tier changed.
    cause: standing::Cause, "CAUSE_";
    /// How far a submission has come.
    submission_state: application::SubmissionState, "SUBMISSION_STATE_";
    /// What can be filled into a field.
    field_type: application::FieldType, "FIELD_TYPE_";
}

/// What decides a tier, as a phrase.
pub fn decided_by(source: i32) -> &'static str {
    match standing::TierSource::try_from(source) {
        Ok(standing::TierSource::Entry) => "the tier that everybody begins with",
        Ok(standing::TierSource::Placed) => "placed there at the enrollment",
        Ok(standing::TierSource::Automatic) => "decided by the facts",
        Ok(standing::TierSource::Pin) => "pinned by a person",
        Ok(standing::TierSource::Approved) => "approved by a person",
        _ => "not evaluated yet",
    }
}

/// An outcome as a word.
pub fn outcome(outcome: i32) -> &'static str {
    match standing::Outcome::try_from(outcome) {
        Ok(standing::Outcome::Met) => "met",
        Ok(standing::Outcome::Unmet) => "unmet",
        Ok(standing::Outcome::Unknown) => "unknown",
        Ok(standing::Outcome::NotApplicable) => "n/a",
        _ => "",
    }
}

/// An outcome as a sign of one column.
pub fn outcome_sign(outcome: i32) -> &'static str {
    match standing::Outcome::try_from(outcome) {
        Ok(standing::Outcome::Met) => "✓",
        Ok(standing::Outcome::Unmet) => "✗",
        Ok(standing::Outcome::NotApplicable) => "–",
        _ => "?",
    }
}

/// A word for people: without underscores.
pub fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

/// An instant in UTC; empty when there is none.
pub fn instant(at: Option<&prost_types::Timestamp>) -> String {
    at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok())
        .map(|at| at.to_string())
        .unwrap_or_default()
}

/// An instant in UTC to the second; empty when there is none.
pub fn second(at: Option<&prost_types::Timestamp>) -> String {
    at.and_then(|at| Timestamp::from_second(at.seconds).ok())
        .map(|at| at.to_string())
        .unwrap_or_default()
}

/// `one thing`, `3 things`, `12,345 things`.
pub fn counted(count: u64, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {one}{plural}", grouped(count))
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enum_values_are_the_words_that_filters_take() {
        assert_eq!(
            cause(standing::Cause::RetentionUnmet.into()),
            "retention_unmet"
        );
        assert_eq!(cause(0), "");
        assert_eq!(cause(99), "99", "of a newer server");
        assert_eq!(
            partner_type(partner::PartnerType::Reseller.into()),
            "reseller"
        );
        assert_eq!(spaced("retention_unmet"), "retention unmet");
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(counted(1, "partner"), "1 partner");
        assert_eq!(counted(0, "partner"), "0 partners");
        assert_eq!(counted(1_234_567, "event"), "1,234,567 events");
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(57_851), "57,851");
    }

    #[test]
    fn instants_are_in_utc_and_absent_ones_empty() {
        let at = prost_types::Timestamp {
            seconds: 0,
            nanos: 7,
        };
        assert_eq!(second(Some(&at)), "1970-01-01T00:00:00Z");
        assert_eq!(instant(Some(&at)), "1970-01-01T00:00:00.000000007Z");
        assert_eq!(second(None), "");
    }
}
