//! The evidence of a decision as an indented tree.

use tierline_proto::standing::v1::{Explanation, FactUse, Input, Outcome, RateUse};

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

/// The sign, then one sentence. That of a leaf says what was measured, over which days, against
/// what; that of a group repeats its children, so that only its beginning is shown.
fn head(one: &Explanation) -> String {
    let sign = words::outcome_sign(one.outcome);
    let id = match one.node_id.as_str() {
        "" => String::new(),
        id => format!(" [{id}]"),
    };
    let percent = match one.percent {
        Some(percent) if one.outcome != i32::from(Outcome::Met) => format!(" ({percent} %)"),
        _ => String::new(),
    };
    if speaks_for_itself(one) {
        return format!("{sign} {}{id}{percent}", one.sentence);
    }
    let name = match one.name.as_str() {
        "" => words::spaced(&one.kind),
        name => name.to_owned(),
    };
    let beginning = one.sentence.split(": ").next().unwrap_or_default();
    let text = if beginning.is_empty() || (one.children.len() == 1 && !has_date(one)) {
        words::outcome(one.outcome)
    } else {
        beginning.trim_end_matches('.')
    };
    format!("{sign} {name}: {text}{id}{percent}")
}

/// True for a leaf whose sentence begins with its name.
fn speaks_for_itself(one: &Explanation) -> bool {
    let leaf = one.kind == "criterion" || one.kind == "partner";
    leaf && !one.name.is_empty()
        && one
            .sentence
            .to_lowercase()
            .starts_with(&one.name.to_lowercase())
}

/// True for the nodes whose sentences begin with a date of their own, or with "must not".
fn has_date(one: &Explanation) -> bool {
    ["period", "today", "day", "not"].contains(&one.kind.as_str())
}

/// The facts behind a node; and its numbers, where its sentence does not have them.
fn details(one: &Explanation, facts: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if !speaks_for_itself(one) {
        lines.extend(numbers(one));
        lines.extend(window(one));
    }
    if one.kind == "criterion" && (one.counted_facts > 0 || one.excluded_facts > 0) {
        lines.push(format!(
            "{} counted, {} did not",
            words::counted(one.counted_facts, "fact"),
            words::grouped(one.excluded_facts)
        ));
    }
    lines.extend(input_lines(&one.inputs, ""));
    lines.extend(chosen(one));
    lines.extend(fact_lines(one, facts));
    lines.extend(rate_lines(&one.rates, facts));
    if !one.facts_digest.is_empty() {
        lines.push(format!("digest of the facts {}", one.facts_digest));
    }
    if let Some(beyond) = &one.beyond {
        lines.push(format!(
            "as observed since {} ({}), digest {}",
            beyond.from_date, beyond.observation, beyond.digest
        ));
    }
    lines
}

fn numbers(one: &Explanation) -> Option<String> {
    let measured = match one.measured.as_str() {
        "" => &one.measured_value,
        measured => measured,
    };
    let named = [
        ("measured", measured),
        ("required", &one.required),
        ("missing", &one.gap),
    ];
    let parts: Vec<String> = named
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| format!("{name} {text}"))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn window(one: &Explanation) -> Option<String> {
    match (one.window_start_date.as_str(), one.window_end_date.as_str()) {
        ("", "") => None,
        ("", end) => Some(format!("window up to {end}")),
        (start, "") => Some(format!("window from {start}")),
        (start, end) => Some(format!("window {start} to {end}")),
    }
}

/// The numbers that a number is made of, each above its own.
fn input_lines(inputs: &[Input], before: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for input in inputs {
        let number = match input.measured.as_str() {
            "" if input.note.is_empty() => "not known",
            text => text,
        };
        let said: Vec<&str> = [number, input.note.as_str()]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect();
        lines.push(format!("{before}= {}: {}", input.name, said.join(", ")));
        lines.extend(input_lines(&input.inputs, &format!("{before}  ")));
    }
    lines
}

/// The way that is nearest, of several.
fn chosen(one: &Explanation) -> Option<String> {
    let at = usize::try_from(one.chosen?).ok()?;
    let way = one.children.get(at)?;
    Some(format!("the nearest way is {}", way.name))
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
        lines.push(format!("and {} more of other days", rates.len() - most));
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
            sentence: format!("{name}: 120,000.00 USD of at least 100,000.00 USD."),
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
        leaf_two.percent = Some(37);
        let root = Explanation {
            kind: "all".into(),
            outcome: Outcome::Unmet.into(),
            sentence: "1 of 2 requirements is not met: Sales: 37,000.00 USD.".into(),
            percent: Some(68),
            children: vec![leaf_one, leaf_two],
            ..Default::default()
        };
        let expected = "\
✗ all: 1 of 2 requirements is not met (68 %)
├─ ✓ Revenue: 120,000.00 USD of at least 100,000.00 USD. [revenue]
│      2 facts counted, 1 did not
│      + deal d-1@1  2026-02-03  50000.00 EUR  counted as 60000
│      - deal d-3@1  2026-02-03  50000.00 EUR  left out: outside of the window
│      and 1 more that counted, 0 that did not (--facts N shows more)
│      rate of 2026-02-03  1 EUR = 1.2 USD  published 2026-02-02
└─ ✗ Sales: 120,000.00 USD of at least 100,000.00 USD. [sales] (37 %)
       2 facts counted, 1 did not";
        assert_eq!(lines(&root, 1).join("\n"), expected);
    }

    #[test]
    fn a_period_keeps_its_date_and_a_group_of_one_does_not_repeat_its_child() {
        let period = Explanation {
            kind: "period".into(),
            outcome: Outcome::Met.into(),
            sentence: "As of 2026-06-30: Revenue: 120,000.00 USD.".into(),
            children: vec![leaf("Revenue", Outcome::Met)],
            ..Default::default()
        };
        let root = Explanation {
            kind: "every_period".into(),
            outcome: Outcome::Met.into(),
            sentence: "As of 2026-06-30: Revenue: 120,000.00 USD.".into(),
            children: vec![period],
            ..Default::default()
        };
        let lines = lines(&root, 0);
        assert_eq!(
            lines[..2],
            ["✓ every period: met", "└─ ✓ period: As of 2026-06-30"]
        );
    }

    #[test]
    fn a_node_whose_sentence_lacks_the_numbers_shows_them() {
        let part = Explanation {
            kind: "of_which".into(),
            name: "Advanced".into(),
            outcome: Outcome::Unmet.into(),
            measured_value: "1".into(),
            gap: "2".into(),
            ..Default::default()
        };
        assert_eq!(
            lines(&part, 5),
            ["✗ Advanced: unmet", "    measured 1, missing 2"]
        );
    }

    #[test]
    fn a_number_shows_those_that_it_is_made_of_and_ways_show_the_nearest() {
        let input = |name: &str, measured: &str, note: &str, inputs| Input {
            name: name.into(),
            measured: measured.into(),
            note: note.into(),
            inputs,
            ..Default::default()
        };
        let nested = vec![input("of", "3", "", Vec::new())];
        let mut one = leaf("Score", Outcome::Met);
        (one.counted_facts, one.excluded_facts) = (0, 0);
        one.facts = Vec::new();
        one.inputs = vec![
            input("Revenue", "50 %", "", nested),
            input("Seats", "", "Ann: Sales", Vec::new()),
            input("Growth", "", "", Vec::new()),
        ];
        let path = Explanation {
            kind: "path".into(),
            name: "By score".into(),
            outcome: Outcome::Met.into(),
            sentence: "By score: Score: 120,000.00 USD.".into(),
            children: vec![one],
            ..Default::default()
        };
        let root = Explanation {
            kind: "best_of".into(),
            outcome: Outcome::Met.into(),
            sentence: "By score: Score: 120,000.00 USD.".into(),
            chosen: Some(0),
            children: vec![path],
            ..Default::default()
        };
        let expected = "\
✓ best of: met
│   the nearest way is By score
└─ ✓ By score: met
   └─ ✓ Score: 120,000.00 USD of at least 100,000.00 USD. [score]
          = Revenue: 50 %
            = of: 3
          = Seats: Ann: Sales
          = Growth: not known";
        assert_eq!(lines(&root, 5).join("\n"), expected);
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
