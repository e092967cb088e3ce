//! Explanations: the tree that says how a requirement came out, node by node.
//!
//! The tree has the shape of the requirement and is stored in events, so its field names are a
//! storage format. It holds data only; sentences are made from it when somebody reads them
//! (`sentence.rs`).

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::Currency;
use crate::rules::digest::Digest;
use crate::rules::model::{Condition, Duration, Threshold, Window};
use crate::rules::tally::{Tally, is_zero};
use crate::rules::value::Value;
use crate::time::{DateRange, PeriodUnit};

/// How a requirement came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Met,
    /// It does not hold.
    Unmet,
    /// Nobody can say, because a value is missing. Never passes.
    Unknown,
    /// It does not apply here and counts neither way.
    NotApplicable,
}

/// What a node of an explanation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// Every child has to hold.
    All,
    /// One child has to hold.
    Any,
    /// `need` children have to hold.
    AtLeast,
    /// The child must not hold.
    Not,
    /// A measure against a threshold.
    Criterion,
    /// The children, one per period, all have to hold.
    EveryPeriod,
    /// One of the children, one per period, has to hold.
    AnyPeriod,
    /// The child as of the end of a complete period.
    PeriodEnd,
    /// The child as of the day of the assessment, in place of period ends.
    Today,
    /// The children, one per period, have to hold in a row of `need`.
    Streak,
    /// The child has to have held on every day for some time. The children: as of the day of the
    /// assessment, and, if it did not hold, as of the last day on which it did not.
    Sustained,
    /// The child has to hold on a day of the window: the last on which it did, or else the last.
    AnyDay,
    /// The child as of a day.
    Day,
    /// The children, one per group, all have to hold.
    ForEach,
    /// The child for a group, which gives the name.
    Group,
    /// One child, a complete way with its name, has to hold.
    BestOf,
    /// A complete way.
    Path,
    /// The child, where and while it is asked for.
    Where,
    /// The child is shown and counts neither way.
    Information,
    /// A condition over the partner's attributes.
    Partner,
}

/// What kind of number was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Things.
    Things,
    /// Money of this currency.
    Money(Currency),
    /// Persons.
    Persons,
    /// Months.
    Months,
    /// Days.
    Days,
    /// Points.
    Points,
    /// A share of one.
    Ratio,
    /// Hundredths.
    Percent,
    /// A place, the best being 1.
    Place,
    /// A plain number.
    Number,
}

/// How a requirement, or a part of one, came out and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// What the node is about.
    pub kind: Node,
    /// Identifier of the criterion or partner condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What a person reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How it came out.
    pub outcome: Outcome,
    /// How much of it is reached: 0 to 99, and 100 exactly when it is met. A criterion with parts
    /// and a group of which all have to hold take the mean; a group of which one has to hold takes
    /// the best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// The day for which the child was evaluated, for [`Node::PeriodEnd`], [`Node::Day`] and
    /// [`Node::Today`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Date>,
    /// Kind of period, for [`Node::EveryPeriod`], [`Node::AnyPeriod`] and [`Node::Streak`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<PeriodUnit>,
    /// How many children have to hold, for [`Node::AtLeast`] and [`Node::Streak`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need: Option<u32>,
    /// Position of the child that is nearest, for [`Node::BestOf`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<u32>,
    /// How many children there would be, where not all of them are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u32>,
    /// Where and while it is asked for, for [`Node::Where`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<Place>>,
    /// For how long it has to have held, for [`Node::Sustained`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// What was measured, for [`Node::Criterion`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<Measured>>,
    /// What was looked at, for [`Node::Partner`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<Box<PartnerCheck>>,
    /// The children, in the order of the requirement; for periods the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Explanation>,
}

/// What a criterion measured, against what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The number; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<Decimal>,
    /// What kind of number.
    pub unit: Unit,
    /// What it must be.
    pub needs: Threshold,
    /// How far it is from that; absent when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Decimal>,
    /// The window, for a measure over dated facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// The days of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<DateRange>,
    /// The parts of the same set that have minima of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of_which: Vec<MeasuredPart>,
    /// Facts that counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub counted: u64,
    /// Facts left out because a field that the filter needs is missing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unclear: u64,
    /// Facts of the set without the value that is added up or told apart.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub valueless: u64,
    /// Facts of the set whose amount could not be converted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unconverted: u64,
    /// How many facts that counted were converted from which currency.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub converted: BTreeMap<Currency, u64>,
    /// Digest of the facts that counted, with their values.
    #[serde(default, skip_serializing_if = "Digest::is_empty")]
    pub digest: Digest,
    /// What was used of what lies beyond the partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beyond: Option<Box<BeyondUsed>>,
    /// The numbers that the number is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
}

/// What was used of a state of what lies beyond the partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeyondUsed {
    /// The first day of the state.
    pub from: Date,
    /// What its supplier calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Digest of what was used.
    pub digest: Digest,
}

/// A number that another is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// What it is: its name in the program, or its part in the measure.
    pub name: String,
    /// The number; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<Decimal>,
    /// False when it does not apply.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub applies: bool,
    /// What kind of number.
    pub unit: Unit,
    /// What facts it is made of.
    #[serde(flatten)]
    pub found: Found,
    /// What else there is to say of it: a cap, or who fills which seats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The numbers that it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
}

fn yes() -> bool {
    true
}

fn is_yes(flag: &bool) -> bool {
    *flag
}

/// The facts that a number is made of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The window, for a measure over dated facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// The days of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<DateRange>,
    /// Facts that counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub counted: u64,
    /// Facts left out because a field that the filter needs is missing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unclear: u64,
    /// Facts of the set without the value that is added up or told apart.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub valueless: u64,
    /// Facts of the set whose amount could not be converted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unconverted: u64,
    /// How many facts that counted were converted from which currency.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub converted: BTreeMap<Currency, u64>,
    /// Digest of the facts that counted, with their values.
    #[serde(default, skip_serializing_if = "Digest::is_empty")]
    pub digest: Digest,
    /// What was used of what lies beyond the partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beyond: Option<Box<BeyondUsed>>,
}

impl Found {
    /// What a tally says, over a window.
    pub(crate) fn of(tally: &Tally, window: Window, days: DateRange) -> Self {
        Self {
            window: Some(window),
            days: Some(days),
            ..Self::undated(tally)
        }
    }

    /// What a tally says.
    pub(crate) fn undated(tally: &Tally) -> Self {
        Self {
            window: None,
            days: None,
            counted: tally.count,
            unclear: tally.unclear,
            valueless: tally.valueless,
            unconverted: tally.unconverted,
            converted: tally.converted.clone(),
            digest: tally.digest,
            beyond: None,
        }
    }
}

/// Where and while a requirement is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// For which partners.
    #[serde(rename = "where")]
    pub filter: Condition,
    /// First day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
}

/// A part of the set of a criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredPart {
    /// What a person reads.
    pub name: String,
    /// How it came out.
    pub outcome: Outcome,
    /// The number; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<Decimal>,
    /// What it must be.
    pub needs: Threshold,
    /// How far it is from that; absent when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Decimal>,
}

/// A condition over attributes and what the attributes were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartnerCheck {
    /// The condition.
    #[serde(rename = "where")]
    pub filter: Condition,
    /// The attributes that it looks at, as far as the partner has them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub found: BTreeMap<String, Value>,
}

impl Explanation {
    pub(crate) fn new(kind: Node, outcome: Outcome) -> Self {
        Self {
            kind,
            id: None,
            name: None,
            outcome,
            percent: None,
            as_of: None,
            period: None,
            need: None,
            chosen: None,
            total: None,
            place: None,
            duration: None,
            value: None,
            partner: None,
            children: Vec::new(),
        }
    }

    /// A node made of children, with the percentage that follows from theirs.
    pub(crate) fn group(kind: Node, outcome: Outcome, children: Vec<Self>, take: usize) -> Self {
        let mut node = Self::new(kind, outcome);
        let mut percents: Vec<u8> = children
            .iter()
            .filter(|child| child.outcome != Outcome::NotApplicable)
            .map(|child| child.percent.unwrap_or_default())
            .collect();
        percents.sort_unstable_by(|left, right| right.cmp(left));
        percents.truncate(take);
        node.percent = Some(capped(mean(&percents), outcome));
        node.children = children;
        node
    }

    /// A node of this kind and name around this one, with the same outcome.
    pub(crate) fn inside(self, kind: Node, name: &str) -> Self {
        let mut node = Self::new(kind, self.outcome);
        node.name = Some(name.to_owned());
        node.percent = self.percent;
        node.children.push(self);
        node
    }

    /// A node around this one, as of a day.
    pub(crate) fn on_day(self, kind: Node, day: Date) -> Self {
        let mut node = Self::new(kind, self.outcome);
        node.percent = self.percent;
        node.as_of = Some(day);
        node.children.push(self);
        node
    }

    /// Calls `visit` with every criterion and partner condition, in order, and with the end of the
    /// period for which it was evaluated, if it was evaluated for one.
    pub fn each_leaf<'a>(&'a self, visit: &mut dyn FnMut(&'a Explanation, Option<Date>)) {
        self.walk(None, visit);
    }

    fn walk<'a>(
        &'a self,
        period_end: Option<Date>,
        visit: &mut dyn FnMut(&'a Explanation, Option<Date>),
    ) {
        let period_end = match self.kind {
            Node::PeriodEnd | Node::Day => self.as_of,
            _ => period_end,
        };
        if matches!(self.kind, Node::Criterion | Node::Partner) {
            visit(self, period_end);
        }
        for child in &self.children {
            child.walk(period_end, visit);
        }
    }

    /// True when both say the same about every node, whatever the days of their windows are, and
    /// whatever the states are called from which the same was used.
    pub fn same_values(&self, other: &Self) -> bool {
        let same_value = match (&self.value, &other.value) {
            (Some(left), Some(right)) => left.same_values(right),
            (None, None) => true,
            _ => false,
        };
        let as_of = |node: &Self| node.as_of.filter(|_| node.kind == Node::PeriodEnd);
        same_value
            && (self.kind, &self.id, &self.name) == (other.kind, &other.id, &other.name)
            && (self.outcome, self.percent) == (other.outcome, other.percent)
            && (self.period, self.need) == (other.period, other.need)
            && (self.chosen, self.total) == (other.chosen, other.total)
            && (self.duration, &self.place) == (other.duration, &other.place)
            && as_of(self) == as_of(other)
            && self.partner == other.partner
            && self.children.len() == other.children.len()
            && self
                .children
                .iter()
                .zip(&other.children)
                .all(|(left, right)| left.same_values(right))
    }
}

impl Measured {
    fn same_values(&self, other: &Self) -> bool {
        let mut moved = self.clone();
        moved.days = other.days;
        rename(&mut moved.beyond, &other.beyond);
        move_days(&mut moved.inputs, &other.inputs);
        moved == *other
    }
}

fn rename(used: &mut Option<Box<BeyondUsed>>, other: &Option<Box<BeyondUsed>>) {
    if let (Some(used), Some(other)) = (used, other) {
        used.from = other.from;
        used.source.clone_from(&other.source);
    }
}

fn move_days(inputs: &mut [Input], others: &[Input]) {
    for (input, other) in inputs.iter_mut().zip(others) {
        input.found.days = other.found.days;
        rename(&mut input.found.beyond, &other.found.beyond);
        move_days(&mut input.inputs, &other.inputs);
    }
}

/// How a measured number compares with a threshold. `open`: some facts have a value that nobody
/// knows. They can not lower what is measured, so that what the known ones decide stays decided.
pub(crate) fn judge(needs: Threshold, number: Decimal, open: bool) -> Outcome {
    let (reached, beyond) = match needs {
        Threshold::Gte(least) => (number >= least, false),
        Threshold::Gt(less) => (number > less, false),
        Threshold::Lte(most) => (number <= most, number > most),
        Threshold::Lt(more) => (number < more, number >= more),
        Threshold::Between { from, to } => (number >= from && number <= to, number > to),
        Threshold::Equals(wanted) => (number == wanted, number > wanted),
    };
    let settled = match needs {
        Threshold::Gte(_) | Threshold::Gt(_) => reached,
        _ => beyond,
    };
    match (open && !settled, reached) {
        (true, _) => Outcome::Unknown,
        (false, true) => Outcome::Met,
        (false, false) => Outcome::Unmet,
    }
}

/// How far a number is from the threshold; `None` when it satisfies it.
pub(crate) fn gap(needs: Threshold, number: Decimal) -> Option<Decimal> {
    if judge(needs, number, false) == Outcome::Met {
        return None;
    }
    let distance = match needs {
        Threshold::Gte(bound)
        | Threshold::Gt(bound)
        | Threshold::Lte(bound)
        | Threshold::Lt(bound)
        | Threshold::Equals(bound) => number.saturating_sub(bound).abs(),
        Threshold::Between { from, to } => {
            if number < from {
                from.saturating_sub(number)
            } else {
                number.saturating_sub(to)
            }
        }
    };
    Some(distance.normalize())
}

/// How much of a threshold is reached, rounded down; not yet capped for what is unmet.
pub(crate) fn reached_percent(needs: Threshold, number: Decimal) -> u8 {
    let share = |part: Decimal, whole: Decimal| {
        if whole <= Decimal::ZERO || part <= Decimal::ZERO {
            return 0;
        }
        let hundredfold = part.checked_mul(Decimal::ONE_HUNDRED);
        let percent = hundredfold.and_then(|part| part.checked_div(whole));
        percent.map_or(0, |percent| {
            u8::try_from(percent.trunc().min(Decimal::ONE_HUNDRED)).unwrap_or(100)
        })
    };
    if judge(needs, number, false) == Outcome::Met {
        return 100;
    }
    match needs {
        Threshold::Gte(bound) | Threshold::Gt(bound) => share(number, bound),
        Threshold::Lte(bound) | Threshold::Lt(bound) => share(bound, number),
        Threshold::Equals(bound) if number < bound => share(number, bound),
        Threshold::Equals(bound) => share(bound, number),
        Threshold::Between { from, .. } if number < from => share(number, from),
        Threshold::Between { to, .. } => share(to, number),
    }
}

/// 100 exactly when met.
pub(crate) fn capped(percent: u8, outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Met => 100,
        _ => percent.min(99),
    }
}

/// The mean, rounded down; of nothing it is 0.
pub(crate) fn mean(percents: &[u8]) -> u8 {
    let sum: usize = percents.iter().map(|percent| usize::from(*percent)).sum();
    let mean = sum.checked_div(percents.len()).unwrap_or_default();
    u8::try_from(mean).unwrap_or(100)
}
