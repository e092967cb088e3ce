//! What was measured: samples of each round, their median and spread, and how it is printed.

use std::io::Write as _;

use serde::Serialize;

use super::Machine;
use crate::commands::show::words::grouped;
use crate::output;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Things in a second.
    PerSecond,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Mebibytes.
    Mebibytes,
    /// Things.
    Count,
    /// One value divided by another.
    Times,
    /// Hundredths.
    Percent,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond if value < 100.0 => format!("{value:.1}/s"),
            Self::PerSecond => format!("{}/s", thousands(value)),
            Self::Milliseconds => format!("{value:.2} ms"),
            Self::Microseconds => format!("{value:.1} us"),
            Self::Mebibytes => format!("{value:.0} MiB"),
            Self::Count => thousands(value),
            Self::Times => format!("{value:.2} x"),
            Self::Percent => format!("{value:.2} %"),
        }
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let text = digits.parse().map_or(digits, grouped);
    if value < -0.5 {
        format!("-{text}")
    } else {
        text
    }
}

/// What is to be reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// At least this part of the other value.
    RatioAtLeast(f64),
    /// At least this value.
    AtLeast(f64),
    /// At most this value.
    AtMost(f64),
    /// Below this value.
    Below(f64),
    /// Never anything but zero, in any round.
    Zero,
}

impl Target {
    fn show(self, unit: Unit) -> String {
        match self {
            Self::RatioAtLeast(part) => format!(">= {part:.2}"),
            Self::AtLeast(value) => format!(">= {}", unit.show(value)),
            Self::AtMost(value) => format!("<= {}", unit.show(value)),
            Self::Below(value) => format!("< {}", unit.show(value)),
            Self::Zero => "0".to_owned(),
        }
    }
}

/// One value of one round.
#[derive(Debug, Clone)]
pub struct Sample {
    /// What was measured; the same in every round.
    pub what: String,
    /// What it counts.
    pub unit: Unit,
    /// The value.
    pub value: f64,
    /// What it is compared with, and that value.
    pub of: Option<(&'static str, f64)>,
    /// What is to be reached.
    pub target: Option<Target>,
}

impl Sample {
    /// A value that stands for itself.
    pub fn new(what: impl Into<String>, unit: Unit, value: f64) -> Self {
        Self {
            what: what.into(),
            unit,
            value,
            of: None,
            target: None,
        }
    }

    /// Compares it with another value of the round.
    #[must_use]
    pub fn of(mut self, name: &'static str, value: f64) -> Self {
        self.of = Some((name, value));
        self
    }

    /// Says what is to be reached.
    #[must_use]
    pub fn reach(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    fn ratio(&self) -> Option<f64> {
        let (_, other) = self.of?;
        (other > 0.0).then(|| self.value / other)
    }

    /// One line for whoever waits.
    pub fn line(&self) -> String {
        let ratio = match (self.of, self.ratio()) {
            (Some((name, _)), Some(ratio)) => format!("  ({ratio:.2} of {name})"),
            _ => String::new(),
        };
        format!("{}: {}{ratio}", self.what, self.unit.show(self.value))
    }
}

/// The middle and the ends of several values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half are below, half above.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of at least one value.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (first, last) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        } else {
            sorted[middle]
        };
        Some(Self {
            median,
            min: first,
            max: last,
        })
    }
}

/// One line of the result.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// What was measured.
    pub what: String,
    /// What it counts.
    pub unit: Unit,
    /// The values over the rounds.
    pub value: Spread,
    /// What it is compared with.
    pub of: Option<&'static str>,
    /// The ratios over the rounds.
    pub ratio: Option<Spread>,
    /// What is to be reached.
    pub target: Option<Target>,
    /// Whether the median reaches it; absent without a target.
    pub reached: Option<bool>,
}

impl Line {
    fn from(samples: &[&Sample]) -> Option<Self> {
        let first = samples.first()?;
        let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
        let ratios: Vec<f64> = samples.iter().filter_map(|sample| sample.ratio()).collect();
        let (value, ratio) = (Spread::of(&values)?, Spread::of(&ratios));
        let reached = first.target.map(|target| match target {
            Target::RatioAtLeast(part) => ratio.is_some_and(|ratio| ratio.median >= part),
            Target::AtLeast(least) => value.median >= least,
            Target::AtMost(most) => value.median <= most,
            Target::Below(most) => value.median < most,
            Target::Zero => value.min == 0.0 && value.max == 0.0,
        });
        Some(Self {
            what: first.what.clone(),
            unit: first.unit,
            value,
            of: first.of.map(|(name, _)| name),
            ratio,
            target: first.target,
            reached,
        })
    }

    fn cells(&self) -> Vec<String> {
        let Spread { median, min, max } = self.value;
        let (min, max) = (self.unit.show(min), self.unit.show(max));
        let spread = format!("{min} .. {max}");
        let ratio = match (self.of, self.ratio) {
            (Some(name), Some(ratio)) => format!("{:.2} of {name}", ratio.median),
            _ => String::new(),
        };
        let target = self.target.map(|target| target.show(self.unit));
        let verdict = match self.reached {
            Some(true) => "pass",
            Some(false) => "MISS",
            None => "",
        };
        vec![
            self.what.clone(),
            self.unit.show(median),
            spread,
            ratio,
            target.unwrap_or_default(),
            verdict.to_owned(),
        ]
    }
}

/// Everything that a run found out.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where it was measured.
    pub machine: Machine,
    /// Rounds that were finished.
    pub rounds: u32,
    /// False when fewer or shorter measurements were made than a statement needs.
    pub full: bool,
    /// What was measured, in the order of the run.
    pub lines: Vec<Line>,
}

impl Report {
    /// Puts the samples of all rounds together.
    pub fn new(machine: Machine, rounds: u32, full: bool, samples: &[Sample]) -> Self {
        let mut names: Vec<&str> = Vec::new();
        for sample in samples {
            if !names.contains(&sample.what.as_str()) {
                names.push(&sample.what);
            }
        }
        let line = |name: &&str| {
            let same: Vec<&Sample> = samples.iter().filter(|s| s.what == **name).collect();
            Line::from(&same)
        };
        Self {
            machine,
            rounds,
            full,
            lines: names.iter().filter_map(line).collect(),
        }
    }

    /// Prints it for people.
    pub fn print(&self) {
        self.machine.print();
        let rounds = self.rounds;
        output::line(format!("rounds      {rounds} (median, min .. max)"));
        if !self.full {
            output::line("note        shortened or interrupted: a trial, not a measurement");
        }
        output::line("");
        let headings = ["what", "median", "spread", "ratio", "target", ""];
        output::table(&headings, self.lines.iter().map(Line::cells));
    }

    /// False when a target was missed.
    pub fn reached(&self) -> bool {
        self.lines.iter().all(|line| line.reached != Some(false))
    }
}

/// Tells whoever waits what is going on; never part of the result.
pub fn progress(text: impl AsRef<str>) {
    // Somebody who closed standard error does not want to know.
    let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_values_lies_between_the_middle_two() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((spread.median, spread.min, spread.max), (2.5, 1.0, 4.0));
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn a_target_on_a_ratio_is_judged_by_the_median_of_the_rounds() {
        let sample = |value: f64| {
            Sample::new("appends", Unit::PerSecond, value)
                .of("raw", 10.0)
                .reach(Target::RatioAtLeast(1.0))
        };
        let (low, high, more) = (sample(5.0), sample(11.0), sample(12.0));
        let line = Line::from(&[&low, &high, &more]).unwrap();
        assert_eq!(line.reached, Some(true));
        assert_eq!(Line::from(&[&low]).unwrap().reached, Some(false));
    }

    #[test]
    fn nothing_may_be_lost_in_any_round() {
        let sample = |lost| Sample::new("lost", Unit::Count, lost).reach(Target::Zero);
        let (none, one) = (sample(0.0), sample(1.0));
        assert_eq!(
            Line::from(&[&none, &one, &none]).unwrap().reached,
            Some(false)
        );
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(thousands(1_234_567.4), "1,234,567");
        assert_eq!(thousands(999.0), "999");
        assert_eq!(Unit::PerSecond.show(12.34), "12.3/s");
    }
}
