//! The evidence of a decision as a message: the recorded tree, and the facts behind each criterion.

use std::collections::HashMap;

use jiff::civil::Date;
use tierline_domain::rules::{
    BeyondUsed, Context, Criterion, Explanation, Fact, FactVerdict, Input, MeasuredPart, Mode,
    Node, Rates, facts_considered,
};
use tierline_proto::standing::v1 as pb;
use tierline_rpc::convert::common::money_message;

use crate::convert::outcome;

/// Most facts that are shown with one criterion.
const MAX_FACTS: usize = 500;
/// Most facts that are shown with one decision.
const MAX_FACTS_IN_ALL: usize = 10_000;
/// Digits after the point of a rate between two currencies.
const RATE_DIGITS: u32 = 10;

/// What the facts were when something was decided.
pub(crate) struct Facts<'a> {
    /// The criteria of the requirement that decided.
    pub(crate) criteria: HashMap<&'a str, &'a Criterion>,
    /// The facts of the partner.
    pub(crate) facts: Vec<Fact>,
    /// The exchange rates as they were known.
    pub(crate) rates: &'a dyn Rates,
    /// Dates and currency of the assessment.
    pub(crate) context: Context<'a>,
}

/// Writes the evidence; without facts only what was recorded.
pub(crate) struct Writer<'a> {
    facts: Option<Facts<'a>>,
    left: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(facts: Option<Facts<'a>>) -> Self {
        Self {
            facts,
            left: MAX_FACTS_IN_ALL,
        }
    }

    /// The message of a tree.
    pub(crate) fn explanation(&mut self, node: &Explanation) -> pb::Explanation {
        self.node(node, None)
    }

    /// `period_end`: the end of the complete period, or the day, for which the node was evaluated.
    fn node(&mut self, node: &Explanation, period_end: Option<Date>) -> pb::Explanation {
        let period_end = match node.kind {
            Node::PeriodEnd | Node::Day => node.as_of,
            _ => period_end,
        };
        let value = node.value.as_deref();
        let days = value.and_then(|value| value.days);
        let mut children: Vec<_> = node
            .children
            .iter()
            .map(|child| self.node(child, period_end))
            .collect();
        children.extend(
            value
                .into_iter()
                .flat_map(|value| &value.of_which)
                .map(part),
        );
        let (facts, rates, excluded) = self.facts_of(node, period_end);
        let unused = value.map_or(0, |value| {
            value.unclear + value.valueless + value.unconverted
        });
        pb::Explanation {
            kind: kind(node.kind).to_owned(),
            node_id: node.id.clone().unwrap_or_default(),
            name: node.name.clone().unwrap_or_default(),
            outcome: outcome(node.outcome).into(),
            sentence: node.sentence(),
            measured: node.measured_text().unwrap_or_default(),
            measured_value: value
                .and_then(|value| value.number)
                .map(|number| number.to_string())
                .unwrap_or_default(),
            required: node.required_text(),
            gap: node.gap_text().unwrap_or_default(),
            percent: node.percent.map(u32::from),
            window_start_date: days.map(|days| days.from.to_string()).unwrap_or_default(),
            window_end_date: days.map(|days| days.to.to_string()).unwrap_or_default(),
            counted_facts: value.map_or(0, |value| value.counted),
            excluded_facts: excluded.unwrap_or(unused),
            facts_digest: value
                .filter(|value| !value.digest.is_empty())
                .map(|value| value.digest.to_string())
                .unwrap_or_default(),
            facts,
            rates,
            children,
            inputs: value.map_or_else(Vec::new, |value| inputs(&value.inputs)),
            chosen: node.chosen,
            beyond: value.and_then(|value| value.beyond.as_deref()).map(beyond),
        }
    }

    /// The facts of a criterion, those that counted first, the rates used, and how many facts of
    /// the kind did not count.
    fn facts_of(
        &mut self,
        node: &Explanation,
        period_end: Option<Date>,
    ) -> (Vec<pb::FactUse>, Vec<pb::RateUse>, Option<u64>) {
        let known = self.facts.as_ref().filter(|_| node.kind == Node::Criterion);
        let criterion = known
            .zip(node.id.as_deref())
            .and_then(|(facts, id)| facts.criteria.get(id).map(|criterion| (facts, *criterion)));
        let Some((facts, criterion)) = criterion else {
            return (Vec::new(), Vec::new(), None);
        };
        let mut context = facts.context;
        context.as_of = period_end.unwrap_or(context.as_of);
        let mut verdicts = facts_considered(criterion, &context, &facts.facts, facts.rates);
        let excluded = verdicts.iter().filter(|verdict| !verdict.counted).count() as u64;
        verdicts.sort_by_key(|verdict| !verdict.counted);
        verdicts.truncate(MAX_FACTS.min(self.left));
        self.left -= verdicts.len();
        let currency = context.currency.as_str();
        let rates = rates(&verdicts, currency);
        (
            verdicts.into_iter().map(fact_use).collect(),
            rates,
            Some(excluded),
        )
    }
}

/// The criteria of a requirement by id.
pub(crate) fn criteria(
    requirement: &tierline_domain::rules::Requirement,
) -> HashMap<&str, &Criterion> {
    let mut found = HashMap::new();
    tierline_domain::rules::each_criterion(requirement, &mut |criterion| {
        found.insert(criterion.id.as_str(), criterion);
    });
    found
}

/// Facts do not depend on the reading of periods; the context wants one.
pub(crate) const MODE: Mode = Mode::AtPeriodEnds;

fn kind(node: Node) -> &'static str {
    match node {
        Node::All => "all",
        Node::Any => "any",
        Node::AtLeast => "at_least",
        Node::Not => "not",
        Node::Criterion => "criterion",
        Node::EveryPeriod => "every_period",
        Node::AnyPeriod => "any_period",
        Node::PeriodEnd => "period",
        Node::Today => "today",
        Node::Streak => "streak",
        Node::Sustained => "sustained",
        Node::AnyDay => "any_day",
        Node::Day => "day",
        Node::ForEach => "for_each",
        Node::Group => "group",
        Node::BestOf => "best_of",
        Node::Path => "path",
        Node::Where => "where",
        Node::Information => "information",
        Node::Partner => "partner",
    }
}

fn part(part: &MeasuredPart) -> pb::Explanation {
    pb::Explanation {
        kind: "of_which".to_owned(),
        name: part.name.clone(),
        outcome: outcome(part.outcome).into(),
        measured_value: part
            .number
            .map(|number| number.to_string())
            .unwrap_or_default(),
        gap: part.gap.map(|gap| gap.to_string()).unwrap_or_default(),
        ..Default::default()
    }
}

fn beyond(used: &BeyondUsed) -> pb::BeyondUse {
    pb::BeyondUse {
        from_date: used.from.to_string(),
        observation: used.source.clone().unwrap_or_default(),
        digest: used.digest.to_string(),
    }
}

fn inputs(given: &[Input]) -> Vec<pb::Input> {
    let message = |input: &Input| pb::Input {
        name: input.name.clone(),
        measured: input.measured_text().unwrap_or_default(),
        measured_value: input
            .number
            .map(|number| number.to_string())
            .unwrap_or_default(),
        note: input.note.clone().unwrap_or_default(),
        inputs: inputs(&input.inputs),
    };
    given.iter().map(message).collect()
}

fn fact_use(verdict: FactVerdict) -> pb::FactUse {
    pb::FactUse {
        fact_kind: verdict.kind.as_str().to_owned(),
        fact_id: verdict.id,
        fact_version: verdict.version,
        counted: verdict.counted,
        reason: verdict.reason,
        fact_date: verdict.day.map(|day| day.to_string()).unwrap_or_default(),
        amount: verdict.amount.map(money_message),
        contribution: verdict
            .value
            .map(|value| value.to_string())
            .unwrap_or_default(),
    }
}

/// The rates by which the shown facts were converted, each once.
fn rates(verdicts: &[FactVerdict], to: &str) -> Vec<pb::RateUse> {
    let mut uses: Vec<pb::RateUse> = Vec::new();
    for verdict in verdicts {
        let Some((used, amount)) = verdict.conversion.zip(verdict.amount) else {
            continue;
        };
        let rate = used
            .to
            .checked_div(used.from)
            .map(|rate| rate.round_dp(RATE_DIGITS));
        let rate_use = pb::RateUse {
            from_currency_code: amount.currency.as_str().to_owned(),
            to_currency_code: to.to_owned(),
            fact_date: verdict.day.map(|day| day.to_string()).unwrap_or_default(),
            rate_date: used.from_day.min(used.to_day).to_string(),
            rate: rate
                .map(|rate| rate.normalize().to_string())
                .unwrap_or_default(),
        };
        if !uses.contains(&rate_use) {
            uses.push(rate_use);
        }
    }
    uses
}
