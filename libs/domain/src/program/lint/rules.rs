//! Every rule of the linter, with why it matters and what to do. Codes are permanent: published
//! definitions name them in their suppressions.

use super::Severity;

/// A rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable code in UPPER_SNAKE.
    pub code: &'static str,
    /// How much weight a finding has.
    pub severity: Severity,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl Rule {
    /// Whether a definition may say that a finding is wanted so.
    pub fn may_be_suppressed(&self) -> bool {
        *self != UNUSED_SUPPRESSION
    }
}

/// The rule of this code.
pub fn by_code(code: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.code == code)
}

macro_rules! rules {
    ($($name:ident, $severity:ident, $why:literal, $remedy:literal;)+) => {
        $(pub(super) const $name: Rule = Rule {
            code: stringify!($name),
            severity: Severity::$severity,
            why: $why,
            remedy: $remedy,
        };)+

        /// All rules.
        pub const RULES: &[&Rule] = &[$(&$name),+];
    };
}

rules! {
    THRESHOLD_FALLS, Warning,
        "A partner can lose what it had by doing better, and nobody understands the ladder.",
        "Raise the number of the higher tier, or give the criterion another id if it is another.";
    THRESHOLDS_DO_NOT_RISE, Warning,
        "Two tiers that ask for the same are one tier with two names.",
        "Ask for more in the higher tier, or remove one of the two.";
    TIER_UNREACHABLE, Warning,
        "The tier and its benefits are promised to partners, and no partner can ever qualify.",
        "Correct the requirement that excludes everybody.";
    TIER_ALWAYS_SKIPPED, Warning,
        "Whoever qualifies is promoted past the tier, so nobody is ever promoted to it.",
        "Ask for more in the higher tier, or let promotions go one tier at a time (step: one).";
    SAME_BENEFITS, Warning,
        "A partner has no reason to work for the higher of two tiers that give the same.",
        "Give the higher tier something more, or make the two tiers one.";
    BENEFITS_FALL, Warning,
        "A partner that is promoted loses something and gets nothing for it.",
        "Give the higher tier all that the lower one has, or move the benefit up.";
    BENEFITS_WITHOUT_REQUIREMENT, Warning,
        "What costs nothing to get is no reward, and its cost grows with every partner.",
        "Ask for something that a partner can miss, or give the benefits in the entry tier.";
    FEW_NEW_BENEFITS, Advice,
        "A tier is worth the effort when at least three things change with it; with fewer, \
         partners stay where they are.",
        "Add benefits to the higher tier, or make more of those that both have.";
    TIERS_NEVER_LOST, Warning,
        "Tiers that are never lost fill up with partners who no longer do what earned them.",
        "Set demotion to recommend or automatic, with notice and remediation.";
    RETENTION_NEVER_FAILS, Warning,
        "The demotion policy looks strict and never has anything to do for this tier.",
        "Ask in the retention for something that can be missed.";
    TIER_CANNOT_BE_KEPT, Warning,
        "Every partner that reaches the tier is on the way out of it from the first day.",
        "Correct the retention that excludes everybody.";
    RETENTION_STRICTER, Warning,
        "Whoever reaches the tier with less than it takes to keep it is at risk the same day.",
        "Ask no more for keeping the tier than for reaching it.";
    LOST_WITHOUT_NOTICE, Advice,
        "Partners plan by their tier. One who learns of the loss with the loss itself has no \
         chance to recover.",
        "Give days of notice or of remediation; 30 and 90 are usual.";
    WINDOW_SHORTER_THAN_REVIEW, Advice,
        "What a partner does after a review, and before the next window begins, never counts.",
        "Make the window at least as long as the period between reviews, or review more often.";
    CRITERION_NAME_DIFFERS, Advice,
        "Progress displays put criteria of one id side by side; two names for it confuse.",
        "Use one name, or two ids if they are two things.";
    CRITERION_MEASURE_DIFFERS, Advice,
        "Progress displays and comparisons of tiers treat criteria of one id as one number.",
        "Measure the same in both tiers, or use two ids.";
    CRITERION_ID_DIFFERS, Advice,
        "Only criteria of one id are compared between tiers and shown as one line of progress.",
        "Use the same id in both tiers.";
    UNKNOWN_CERTIFICATION, Warning,
        "No certification of that name will ever count.",
        "Correct the name, or add it to catalogue.certifications.";
    UNKNOWN_ATTRIBUTE, Warning,
        "What is asked of a name that nobody has comes out the same for every partner, mostly as \
         unknown, which never passes.",
        "Correct the name, or add it to catalogue.partner_attributes.";
    UNKNOWN_FIELD, Warning,
        "What is asked of a name that no fact has comes out the same for every fact, mostly as \
         unknown, which never passes.",
        "Correct the name, or add it to catalogue.fact_fields of that kind.";
    UNKNOWN_STATE, Warning,
        "A condition on a state that does not exist never holds.",
        "Use a state that facts of this kind have.";
    UNKNOWN_DATE, Warning,
        "Without its day a fact never counts, and without its last day it never ends.",
        "Use a date that facts of this kind have.";
    UNKNOWN_TIER, Warning,
        "A tier that is not in the track is held by nobody in it.",
        "Correct the id of the tier.";
    NAME_LOOKS_MISTYPED, Advice,
        "A name with a slip matches nothing, and nothing says so.",
        "Correct the name; if it is right, list it in the catalogue.";
    UNUSED_SUPPRESSION, Warning,
        "A suppression that no longer suppresses anything hides the next mistake at its place.",
        "Remove it, or correct its rule or its place.";
}
