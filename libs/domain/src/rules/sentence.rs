//! What a person reads: numbers with their units, and one plain sentence per node.

use rust_decimal::Decimal;

use crate::rules::explain::{Explanation, Input, Measured, MeasuredPart, Node, Outcome, Unit};
use crate::rules::model::{Condition, Duration, Test, Threshold};
use crate::rules::value::Value;
use crate::rules::window::unit_words;
use crate::time::MIN_DATE;

/// Longest list of children that a sentence about a group spells out.
const MAX_SPELLED_OUT: usize = 6;

impl Explanation {
    /// One plain sentence about this node. A group names what decided it.
    pub fn sentence(&self) -> String {
        let clause = self.clause();
        let mut letters = clause.chars();
        let Some(first) = letters.next() else {
            return String::new();
        };
        let end = if clause.ends_with('.') { "" } else { "." };
        format!("{}{}{end}", first.to_uppercase(), letters.as_str())
    }

    /// The measured value as a person reads it, with its parts; `None` when unknown.
    pub fn measured_text(&self) -> Option<String> {
        if let Some(check) = &self.partner {
            let pairs: Vec<String> = check
                .found
                .iter()
                .map(|(name, value)| format!("{name}: {value}"))
                .collect();
            return (!pairs.is_empty()).then(|| pairs.join("; "));
        }
        let value = self.value.as_deref()?;
        let mut text = number_text(value.number?, value.unit);
        for part in &value.of_which {
            let number = number_text(part.number.unwrap_or_default(), value.unit.of_part());
            text.push_str(&format!(", of which {number} {}", part.name));
        }
        Some(text)
    }

    /// What is required, as a person reads it, with the minima of parts.
    pub fn required_text(&self) -> String {
        if let Some(check) = &self.partner {
            return condition_text(&check.filter);
        }
        self.value
            .as_deref()
            .map(Measured::required_text)
            .unwrap_or_default()
    }

    /// What is missing or too much, as a person reads it; `None` when nothing is.
    pub fn gap_text(&self) -> Option<String> {
        let value = self.value.as_deref()?;
        let mut gaps = Vec::new();
        if let Some(gap) = value.gap {
            gaps.push(gap_words(gap, value.needs, value.unit));
        }
        for MeasuredPart {
            name, needs, gap, ..
        } in &value.of_which
        {
            if let Some(gap) = gap {
                let words = gap_words(*gap, *needs, value.unit.of_part());
                gaps.push(format!("{words} {name}"));
            }
        }
        (!gaps.is_empty()).then(|| gaps.join("; "))
    }

    fn clause(&self) -> String {
        match self.kind {
            Node::Criterion => self.criterion_clause(),
            Node::Partner => self.partner_clause(),
            Node::All
            | Node::Any
            | Node::AtLeast
            | Node::EveryPeriod
            | Node::AnyPeriod
            | Node::Streak
            | Node::ForEach => self.group_clause(),
            Node::Not => match self.children.first() {
                Some(child) => format!("must not be met: {}", child.clause()),
                None => String::new(),
            },
            Node::PeriodEnd | Node::Today | Node::Day => {
                match (self.children.first(), self.as_of) {
                    (Some(child), Some(day)) => format!("as of {day}: {}", child.clause()),
                    _ => String::new(),
                }
            }
            Node::Group | Node::Path => match self.children.first() {
                Some(child) => format!(
                    "{}: {}",
                    self.name.as_deref().unwrap_or_default(),
                    child.clause()
                ),
                None => String::new(),
            },
            Node::Sustained => self.sustained_clause(),
            Node::AnyDay => match (self.outcome, self.children.first()) {
                (_, None) => "has no day in the window".to_owned(),
                (Outcome::Met, Some(child)) => child.clause(),
                (_, Some(child)) => format!("on no day of the window; {}", child.clause()),
            },
            Node::BestOf => self.best_clause(),
            Node::Where => self.where_clause(),
            Node::Information => match self.children.first() {
                Some(child) => format!("for information: {}", child.clause()),
                None => String::new(),
            },
        }
    }

    fn sustained_clause(&self) -> String {
        let span = match self.duration {
            Some(Duration::Days(1)) => "1 day".to_owned(),
            Some(Duration::Days(days)) => format!("{days} days"),
            Some(Duration::Months(1)) => "1 month".to_owned(),
            Some(Duration::Months(months)) => format!("{months} months"),
            None => "some time".to_owned(),
        };
        let last = self.children.last().map(Self::clause).unwrap_or_default();
        match self.outcome {
            Outcome::Met => format!("held for {span}; {last}"),
            Outcome::NotApplicable => "does not apply".to_owned(),
            _ => format!("has not held for {span}; {last}"),
        }
    }

    /// Names the way that is nearest.
    fn best_clause(&self) -> String {
        let at = self.chosen.and_then(|at| usize::try_from(at).ok());
        let nearest = at.and_then(|at| self.children.get(at)).map(Self::clause);
        let nearest = nearest.unwrap_or_default();
        let total = self.children.len();
        match self.outcome {
            Outcome::Met => nearest,
            Outcome::NotApplicable => "does not apply".to_owned(),
            Outcome::Unmet => format!("none of {total} ways is met; the nearest is {nearest}"),
            Outcome::Unknown => {
                format!("none of {total} ways is known to be met; the nearest is {nearest}")
            }
        }
    }

    fn where_clause(&self) -> String {
        if let Some(child) = self.children.first() {
            return child.clause();
        }
        let mut bounds = Vec::new();
        if let Some(place) = &self.place {
            if place.filter != Condition::default() {
                bounds.push(format!("where {}", condition_text(&place.filter)));
            }
            bounds.extend(place.from.map(|day| format!("from {day}")));
            bounds.extend(place.until.map(|day| format!("until {day}")));
        }
        let bounds = bounds.join(" ");
        match self.outcome {
            Outcome::Unknown => format!("whether it is asked for is not known: only {bounds}"),
            Outcome::Unmet => format!("available only {bounds}"),
            _ => format!("asked for only {bounds}"),
        }
    }

    /// Names what decided: what is met when the group is met, what is not when it is not.
    fn group_clause(&self) -> String {
        if let [only] = self.children.as_slice() {
            return only.clause();
        }
        let wanted = |child: &&Self| match self.outcome {
            Outcome::Met => child.outcome == Outcome::Met,
            _ => !matches!(child.outcome, Outcome::Met | Outcome::NotApplicable),
        };
        let deciding: Vec<&Self> = self.children.iter().filter(wanted).collect();
        let mut clauses: Vec<String> = deciding
            .iter()
            .take(MAX_SPELLED_OUT)
            .map(|child| child.clause())
            .collect();
        if deciding.len() > MAX_SPELLED_OUT {
            clauses.push(format!("and {} more", deciding.len() - MAX_SPELLED_OUT));
        }
        let head = match self.period {
            Some(unit) => self.period_head(deciding.len(), unit_words(unit)),
            None => self.group_head(deciding.len()),
        };
        match clauses.as_slice() {
            [] => head,
            clauses => format!("{head}: {}", clauses.join("; ")),
        }
    }

    fn group_head(&self, deciding: usize) -> String {
        let total = self.children.len();
        let verb = if deciding == 1 { "is" } else { "are" };
        match (self.kind, self.outcome) {
            (_, Outcome::NotApplicable) => "does not apply".to_owned(),
            (Node::ForEach, outcome) => {
                let total = self.total.unwrap_or_default();
                match outcome {
                    Outcome::Met => format!("met for all {total} groups"),
                    Outcome::Unmet => format!("not met for {deciding} of {total} groups"),
                    _ => format!("not known to be met for {deciding} of {total} groups"),
                }
            }
            (Node::AtLeast, _) => {
                let need = self.need.unwrap_or_default();
                let met = self
                    .children
                    .iter()
                    .filter(|child| child.outcome == Outcome::Met);
                format!(
                    "{} of {total} requirements met, at least {need} needed",
                    met.count()
                )
            }
            (Node::Any, Outcome::Met) => format!("{deciding} of {total} alternatives {verb} met"),
            (Node::Any, Outcome::Unmet) => format!("none of {total} alternatives is met"),
            (Node::Any, _) => format!("none of {total} alternatives is known to be met"),
            (_, Outcome::Met) => format!("all {total} requirements are met"),
            (_, Outcome::Unmet) => format!("{deciding} of {total} requirements {verb} not met"),
            (_, _) => format!("{deciding} of {total} requirements {verb} not known to be met"),
        }
    }

    fn period_head(&self, deciding: usize, unit: &str) -> String {
        let ends = format!("the last {} {unit} ends", self.children.len());
        match (self.kind, self.outcome) {
            (_, Outcome::NotApplicable) => "does not apply".to_owned(),
            (Node::Streak, outcome) => {
                let need = self.need.unwrap_or_default();
                match outcome {
                    Outcome::Met => format!("met at {need} in a row of {ends}"),
                    Outcome::Unmet => format!("not met at {need} in a row of {ends}"),
                    _ => format!("not known to be met at {need} in a row of {ends}"),
                }
            }
            (Node::AnyPeriod, Outcome::Met) => format!("met at {deciding} of {ends}"),
            (Node::AnyPeriod, Outcome::Unmet) => format!("not met at any of {ends}"),
            (Node::AnyPeriod, _) => format!("not known to be met at any of {ends}"),
            (_, Outcome::Met) => format!("met at {ends}"),
            (_, Outcome::Unmet) => format!("not met at {deciding} of {ends}"),
            (_, _) => format!("not known to be met at {deciding} of {ends}"),
        }
    }

    fn criterion_clause(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        let Some(value) = self.value.as_deref() else {
            return name.to_owned();
        };
        let mut text = name.to_owned();
        if let Some(window) = value.window {
            text.push_str(&format!(", {}", window.words()));
        }
        match self.measured_text() {
            Some(measured) => {
                let apart = is_strict(value.needs) || value.unit == Unit::Place;
                let of = if apart { ", needs" } else { " of" };
                text.push_str(&format!(": {measured}{of} {}", value.required_text()));
            }
            None if self.outcome == Outcome::NotApplicable => text.push_str(": does not apply"),
            None => text.push_str(&format!(": not known, needs {}", value.required_text())),
        }
        if !value.inputs.is_empty() {
            let inputs: Vec<String> = value
                .inputs
                .iter()
                .take(MAX_SPELLED_OUT)
                .map(Input::clause)
                .collect();
            text.push_str(&format!(" ({})", inputs.join("; ")));
        }
        match value.days {
            Some(days) if days.from > days.to => text.push_str(", before the enrollment"),
            Some(days) if days.from == MIN_DATE => text.push_str(&format!(" up to {}", days.to)),
            Some(days) => text.push_str(&format!(" from {} to {}", days.from, days.to)),
            None => {}
        }
        if let Some(gap) = self.gap_clause(value) {
            text.push_str(&format!("; {gap}"));
        }
        for (number, what) in [
            (value.unconverted, "could not be converted"),
            (value.valueless, "without a value"),
            (value.unclear, "left out, for a field that is missing"),
        ] {
            if number > 0 {
                let facts = if number == 1 { "fact" } else { "facts" };
                text.push_str(&format!("; {number} {facts} {what}"));
            }
        }
        text
    }

    /// What is missing or too much, as a part of a sentence.
    fn gap_clause(&self, value: &Measured) -> Option<String> {
        if value.of_which.is_empty() && value.gap.is_some_and(|gap| gap.is_zero()) {
            let (Threshold::Gt(bound) | Threshold::Lt(bound)) = value.needs else {
                return None;
            };
            let verdict = if value.missing() {
                "not enough"
            } else {
                "too much"
            };
            let bound = number_text(bound, value.unit);
            return Some(format!("exactly {bound} is {verdict}"));
        }
        let word = if value.missing() {
            "missing"
        } else {
            "too much"
        };
        Some(format!("{} {word}", self.gap_text()?))
    }

    fn partner_clause(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        let found = self
            .measured_text()
            .unwrap_or_else(|| "not known".to_owned());
        format!("{name}: {found}; needs {}", self.required_text())
    }
}

impl Unit {
    /// The unit of a part: its name says what it counts.
    fn of_part(self) -> Self {
        match self {
            Self::Persons | Self::Things => Self::Number,
            other => other,
        }
    }
}

impl Input {
    /// The number as a person reads it; `None` when unknown.
    pub fn measured_text(&self) -> Option<String> {
        match self.applies {
            true => self.number.map(|number| number_text(number, self.unit)),
            false => Some("does not apply".to_owned()),
        }
    }

    fn clause(&self) -> String {
        let unknown = self.note.is_none().then(|| "not known".to_owned());
        let said = [self.measured_text().or(unknown), self.note.clone()];
        let said: Vec<String> = said.into_iter().flatten().collect();
        format!("{}: {}", self.name, said.join(", "))
    }
}

impl Measured {
    fn required_text(&self) -> String {
        let mut text = threshold_text(self.needs, self.unit);
        for part in &self.of_which {
            let needs = threshold_text(part.needs, self.unit.of_part());
            text.push_str(&format!(", of which {needs} {}", part.name));
        }
        text
    }

    /// False when everything that is wrong is above its bound.
    fn missing(&self) -> bool {
        let below = |number: Option<Decimal>, needs: Threshold| {
            number.is_some_and(|number| is_below(number, needs))
        };
        (self.gap.is_some() && below(self.number, self.needs))
            || self
                .of_which
                .iter()
                .any(|part| part.gap.is_some() && below(part.number, part.needs))
    }
}

fn is_below(number: Decimal, needs: Threshold) -> bool {
    match needs {
        Threshold::Gte(_) | Threshold::Gt(_) => true,
        Threshold::Lte(_) | Threshold::Lt(_) => false,
        Threshold::Between { from, .. } => number < from,
        Threshold::Equals(wanted) => number < wanted,
    }
}

/// True when the bound itself is not enough, or too much.
fn is_strict(needs: Threshold) -> bool {
    matches!(needs, Threshold::Gt(_) | Threshold::Lt(_))
}

fn gap_words(gap: Decimal, needs: Threshold, unit: Unit) -> String {
    let text = match unit {
        Unit::Place if gap == Decimal::ONE => "1 place".to_owned(),
        Unit::Place => format!("{} places", grouped(gap, 0)),
        unit => number_text(gap, unit),
    };
    match needs {
        Threshold::Gt(bound) if gap.is_zero() => {
            format!("anything above {}", number_text(bound, unit))
        }
        Threshold::Lt(bound) if gap.is_zero() => {
            format!("everything from {} on", number_text(bound, unit))
        }
        Threshold::Gt(_) | Threshold::Lt(_) => format!("more than {text}"),
        _ => text,
    }
}

/// A threshold as a person reads it.
pub(crate) fn threshold_text(needs: Threshold, unit: Unit) -> String {
    let text = |number| number_text(number, unit);
    match needs {
        Threshold::Lte(bound) if unit == Unit::Place => format!("{} or better", text(bound)),
        Threshold::Gte(bound) => format!("at least {}", text(bound)),
        Threshold::Gt(bound) => format!("more than {}", text(bound)),
        Threshold::Lte(bound) => format!("at most {}", text(bound)),
        Threshold::Lt(bound) => format!("less than {}", text(bound)),
        Threshold::Between { from, to } => {
            format!("{} to {}", grouped(from, 0), text(to))
        }
        Threshold::Equals(bound) => format!("exactly {}", text(bound)),
    }
}

/// A number with its unit. Money has at least the minor units of its currency, and more where the
/// amount has more, so that what is just below a threshold never reads as the threshold.
pub(crate) fn number_text(number: Decimal, unit: Unit) -> String {
    match unit {
        Unit::Money(currency) => {
            format!("{} {currency}", grouped(number, currency.minor_units()))
        }
        Unit::Months if number == Decimal::ONE => "1 month".to_owned(),
        Unit::Months => format!("{} months", grouped(number, 0)),
        Unit::Persons if number == Decimal::ONE => "1 person".to_owned(),
        Unit::Persons => format!("{} persons", grouped(number, 0)),
        Unit::Days if number == Decimal::ONE => "1 day".to_owned(),
        Unit::Days => format!("{} days", grouped(number, 0)),
        Unit::Points if number == Decimal::ONE => "1 point".to_owned(),
        Unit::Points => format!("{} points", grouped(number, 0)),
        Unit::Ratio => match number.checked_mul(Decimal::ONE_HUNDRED) {
            Some(percent) => format!("{} %", grouped(percent, 0)),
            None => grouped(number, 0),
        },
        Unit::Place => format!("place {}", grouped(number, 0)),
        Unit::Percent => format!("{} %", grouped(number, 0)),
        Unit::Things | Unit::Number => grouped(number, 0),
    }
}

/// Digits in groups of three, with at least so many decimals.
fn grouped(number: Decimal, places: u32) -> String {
    let mut number = number.normalize();
    if number.scale() < places {
        number.rescale(places);
    }
    let text = number.abs().to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::with_capacity(text.len() + whole.len() / 3 + 1);
    if number.is_sign_negative() && !number.is_zero() {
        grouped.push('-');
    }
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if !decimals.is_empty() {
        grouped.push('.');
        grouped.push_str(decimals);
    }
    grouped
}

/// A condition as a person reads it.
pub(crate) fn condition_text(condition: &Condition) -> String {
    let joined = |parts: &[Condition], word: &str| {
        let texts: Vec<String> = parts.iter().map(condition_text).collect();
        match texts.as_slice() {
            [only] => only.clone(),
            _ => format!("({})", texts.join(word)),
        }
    };
    match condition {
        Condition::All(parts) if parts.is_empty() => "nothing".to_owned(),
        Condition::Any(parts) if parts.is_empty() => "what never holds".to_owned(),
        Condition::All(parts) => joined(parts, " and "),
        Condition::Any(parts) => joined(parts, " or "),
        Condition::Not(part) => format!("not {}", condition_text(part)),
        Condition::Field { name, test } => format!("{name} {}", test_text(test)),
    }
}

fn test_text(test: &Test) -> String {
    let list = |values: &[Value]| {
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        texts.join(", ")
    };
    match test {
        Test::Equals(value) => format!("is {value}"),
        Test::Gte(value) => format!("is at least {value}"),
        Test::Lte(value) => format!("is at most {value}"),
        Test::Gt(value) => format!("is more than {value}"),
        Test::Lt(value) => format!("is less than {value}"),
        Test::Between { from, to } => match (from, to) {
            (Some(from), Some(to)) => format!("is {from} to {to}"),
            (Some(from), None) => format!("is at least {from}"),
            (None, Some(to)) => format!("is at most {to}"),
            (None, None) => "has a value".to_owned(),
        },
        Test::IncludesAny(values) => format!("is one of {}", list(values)),
        Test::IncludesAll(values) => format!("includes {}", list(values)),
        Test::Exists(true) => "has a value".to_owned(),
        Test::Exists(false) => "has no value".to_owned(),
    }
}
