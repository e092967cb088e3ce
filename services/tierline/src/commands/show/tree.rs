//! The evidence of a decision as an indented tree.

use tierline_proto::standing::v1::{Explanation, FactUse, Outcome, RateUse};

use super::{text, words};

/// Prints a tree; at most `facts` facts that counted and as many that did not per criterion.
pub fn lines(root: &Explanation, facts: usize) -> Vec<String> {
    let mut lines = Vec::new();
    node(root, "", "", facts, &mut lines);
    lines
}

/// `first` stands before the first line of the node, `rest` before the others.
fn node(one: &Explanation, first: &str, rest: &str, facts: usize, lines: &mut Vec<String>) {
    lines.push(format!("{first}{}", head(one)));
    let last = one.children.len();
    let stem = if last > 0 { "│ " } else { "  " };
    for detail in details(one, facts) {
        lines.push(format!("{rest}{stem}  {detail}").trim_end().to_owned());
    }
    for (at, child) in one.children.iter().enumerate() {
        let (branch, below) = if at + 1 == last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        node(
            child,
            &format!("{rest}{branch}"),
            &format!("{rest}{below}"),
            facts,
            lines,
        );
    }
}

fn head(one: &Explanation) -> String {
    let sign = words::outcome_sign(one.outcome);
    let kind = words::spaced(&one.kind);
    let name = match (one.name.as_str(), one.node_id.as_str()) {
        ("", "") => kind,
        ("", id) => id.to_owned(),
        (name, "") => format!("{name} ({kind})"),
        (name, id) => format!("{name} [{id}]"),
    };
    let sentence = match one.sentence.as_str() {
        "" => words::outcome(one.outcome),
        sentence => sentence,
    };
    format!("{sign} {name}: {sentence}")
}

/// What was measured against what, over which days, and the facts behind it.
fn details(one: &Explanation, facts: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut parts: Vec<String> = Vec::new();
    if !one.measured.is_empty() {
        parts.push(format!("measured {}", one.measured));
    } else if !one.measured_value.is_empty() {
        parts.push(format!("measured {}", one.measured_value));
    } else if one.outcome == i32::from(Outcome::Unknown) && one.children.is_empty() {
        parts.push("measured nothing".to_owned());
    }
    if !one.required.is_empty() {
        parts.push(format!("required {}", one.required));
    }
    if !one.gap.is_empty() {
        parts.push(format!("missing {}", one.gap));
    }
    if let Some(percent) = one.percent.filter(|_| !parts.is_empty()) {
        parts.push(format!("{percent} %"));
    }
    if !parts.is_empty() {
        lines.push(parts.join(", "));
    }
    if let Some(window) = window(one) {
        lines.push(window);
    }
    if one.kind == "criterion" && (one.counted_facts > 0 || one.excluded_facts > 0) {
        lines.push(format!(
            "{} counted, {} did not",
            words::counted(one.counted_facts, "fact"),
            words::grouped(one.excluded_facts)
        ));
    }
    lines.extend(fact_lines(one, facts));
    lines.extend(rate_lines(&one.rates, facts));
    if !one.facts_digest.is_empty() {
        lines.push(format!("digest of the facts {}", one.facts_digest));
    }
    lines
}

fn window(one: &Explanation) -> Option<String> {
    match (one.window_start_date.as_str(), one.window_end_date.as_str()) {
        ("", "") => None,
        ("", end) => Some(format!("window up to {end}")),
        (start, "") => Some(format!("window from {start}")),
        (start, end) => Some(format!("window {start} to {end}")),
    }
}

fn fact_lines(one: &Explanation, most: usize) -> Vec<String> {
    let (counted, excluded): (Vec<_>, Vec<_>) = one.facts.iter().partition(|fact| fact.counted);
    let shown = counted.iter().take(most).chain(excluded.iter().take(most));
    let rows: Vec<Vec<String>> = shown.map(|fact| fact_row(fact)).collect();
    let mut lines = text::aligned(&rows);
    let more = |total: u64, listed: usize| total.saturating_sub(listed.min(most) as u64);
    let hidden = more(one.counted_facts.max(counted.len() as u64), counted.len());
    let hidden_out = more(
        one.excluded_facts.max(excluded.len() as u64),
        excluded.len(),
    );
    if !one.facts.is_empty() && hidden + hidden_out > 0 {
        lines.push(format!(
            "and {} more that counted, {} that did not (--facts N shows more)",
            words::grouped(hidden),
            words::grouped(hidden_out)
        ));
    }
    lines
}

fn fact_row(fact: &FactUse) -> Vec<String> {
    let amount = match &fact.amount {
        Some(money) => format!("{} {}", money.amount, money.currency_code),
        None => String::new(),
    };
    let verdict = match (fact.counted, fact.contribution.as_str()) {
        (true, "") => "counted".to_owned(),
        (true, value) => format!("counted as {value}"),
        (false, _) => format!("left out: {}", fact.reason),
    };
    let sign = if fact.counted { "+" } else { "-" };
    let name = format!(
        "{sign} {} {}@{}",
        fact.fact_kind, fact.fact_id, fact.fact_version
    );
    vec![name, fact.fact_date.clone(), amount, verdict]
}

fn rate_lines(rates: &[RateUse], most: usize) -> Vec<String> {
    let shown = rates.iter().take(most);
    let rows: Vec<Vec<String>> = shown
        .map(|rate| {
            let (from, to) = (&rate.from_currency_code, &rate.to_currency_code);
            let published = if rate.rate_date == rate.fact_date {
                String::new()
            } else {
                format!("published {}", rate.rate_date)
            };
            let value = format!("1 {from} = {} {to}", rate.rate);
            vec![format!("rate of {}", rate.fact_date), value, published]
        })
        .collect();
    let mut lines = text::aligned(&rows);
    if rates.len() > most {
        lines.push(format!("and {} more rates", rates.len() - most));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use tierline_proto::common::v1::Money;

    fn leaf(name: &str, outcome: Outcome) -> Explanation {
        Explanation {
            kind: "criterion".into(),
            node_id: name.to_lowercase(),
            name: name.into(),
            outcome: outcome.into(),
            sentence: format!("{name} was looked at."),
            measured: "120,000.00 USD".into(),
            required: "at least 100,000.00 USD".into(),
            percent: Some(100),
            window_start_date: "2025-07-01".into(),
            window_end_date: "2026-06-30".into(),
            counted_facts: 2,
            excluded_facts: 1,
            facts: vec![
                fact("d-1", true, ""),
                fact("d-2", true, ""),
                fact("d-3", false, "outside of the window"),
            ],
            ..Default::default()
        }
    }

    fn fact(id: &str, counted: bool, reason: &str) -> FactUse {
        FactUse {
            fact_kind: "deal".into(),
            fact_id: id.into(),
            fact_version: 1,
            counted,
            reason: reason.into(),
            fact_date: "2026-02-03".into(),
            amount: Some(Money {
                amount: "50000.00".into(),
                currency_code: "EUR".into(),
            }),
            contribution: if counted {
                "60000".into()
            } else {
                String::new()
            },
        }
    }

    #[test]
    fn a_tree_shows_its_form_and_the_facts_of_each_criterion() {
        let mut leaf_one = leaf("Revenue", Outcome::Met);
        leaf_one.rates = vec![RateUse {
            from_currency_code: "EUR".into(),
            to_currency_code: "USD".into(),
            fact_date: "2026-02-03".into(),
            rate_date: "2026-02-02".into(),
            rate: "1.2".into(),
        }];
        let mut leaf_two = leaf("Sales", Outcome::Unmet);
        leaf_two.facts = Vec::new();
        let root = Explanation {
            kind: "all".into(),
            outcome: Outcome::Unmet.into(),
            sentence: "1 of 2 requirements is not met.".into(),
            children: vec![leaf_one, leaf_two],
            ..Default::default()
        };
        let expected = "\
✗ all: 1 of 2 requirements is not met.
├─ ✓ Revenue [revenue]: Revenue was looked at.
│      measured 120,000.00 USD, required at least 100,000.00 USD, 100 %
│      window 2025-07-01 to 2026-06-30
│      2 facts counted, 1 did not
│      + deal d-1@1  2026-02-03  50000.00 EUR  counted as 60000
│      - deal d-3@1  2026-02-03  50000.00 EUR  left out: outside of the window
│      and 1 more that counted, 0 that did not (--facts N shows more)
│      rate of 2026-02-03  1 EUR = 1.2 USD  published 2026-02-02
└─ ✗ Sales [sales]: Sales was looked at.
       measured 120,000.00 USD, required at least 100,000.00 USD, 100 %
       window 2025-07-01 to 2026-06-30
       2 facts counted, 1 did not";
        assert_eq!(lines(&root, 1).join("\n"), expected);
    }

    #[test]
    fn a_node_without_a_number_is_one_line() {
        let root = Explanation {
            kind: "at_least".into(),
            outcome: Outcome::Met.into(),
            ..Default::default()
        };
        assert_eq!(lines(&root, 5), ["✓ at least: met"]);
    }
}
