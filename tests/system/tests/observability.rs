//! Dashboards, alerts and their pages name what the code counts, and nothing else.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use tierline_telemetry::metrics::names::{ALL, in_prometheus};
use tierline_telemetry::metrics::{
    AppendOutcome, BackfillCause, CommandOutcome, FailureCause, LeaseChange, Part, RelayFailure,
};

/// Labels that Prometheus itself adds.
const FOREIGN_LABELS: [&str; 2] = ["instance", "job"];
/// Words of PromQL that are neither functions nor metrics.
const WORDS: [&str; 18] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "and",
    "or",
    "unless",
    "bool",
    "offset",
    "inf",
    "nan",
    "atan2",
    "sum",
    "min",
    "max",
    "count",
];

/// What an expression names.
#[derive(Debug, Default)]
struct Named {
    metrics: BTreeSet<String>,
    /// Label and the words it is compared with.
    matchers: Vec<(String, Vec<String>)>,
    grouped: BTreeSet<String>,
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'
}

/// The text up to the closing bracket, with strings stepped over, and what is behind it.
fn bracketed(text: &str, close: char) -> (&str, &str) {
    let mut inside_string = false;
    for (at, letter) in text.char_indices() {
        if letter == '"' {
            inside_string = !inside_string;
        } else if letter == close && !inside_string {
            return (&text[..at], &text[at + 1..]);
        }
    }
    panic!("no {close} in {text}");
}

fn matchers(text: &str) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    let mut rest = text.trim_matches([' ', ',']);
    while !rest.is_empty() {
        let end = rest.find(|letter| !is_name(letter)).unwrap();
        let (label, value) = rest.split_at(end);
        let value = value
            .trim_start_matches(['=', '~', '!'])
            .strip_prefix('"')
            .unwrap();
        let (value, behind) = bracketed_string(value);
        let words = value.split('|').map(str::to_owned).collect();
        all.push((label.to_owned(), words));
        rest = behind.trim_matches([' ', ',']);
    }
    all
}

fn bracketed_string(text: &str) -> (&str, &str) {
    let end = text.find('"').unwrap();
    (&text[..end], &text[end + 1..])
}

/// Reads an expression of PromQL, as far as names go.
fn named(expression: &str) -> Named {
    let mut found = Named::default();
    let mut rest = expression;
    while let Some(letter) = rest.chars().next() {
        if letter == '{' {
            let (inside, behind) = bracketed(&rest[1..], '}');
            found.matchers.extend(matchers(inside));
            rest = behind;
        } else if letter == '[' {
            rest = bracketed(&rest[1..], ']').1;
        } else if is_name(letter) {
            let end = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            rest = behind.trim_start();
            if ["by", "without", "on", "ignoring"].contains(&word) {
                let (labels, behind) = bracketed(rest.strip_prefix('(').unwrap(), ')');
                found
                    .grouped
                    .extend(labels.split(',').map(|label| label.trim().to_owned()));
                rest = behind;
            } else if !(rest.starts_with('(')
                || WORDS.contains(&word)
                || word.starts_with(|first: char| first.is_ascii_digit()))
            {
                found.metrics.insert(word.to_owned());
            }
        } else {
            rest = &rest[letter.len_utf8()..];
        }
    }
    found
}

/// `{{ $labels.name }}` of alerts and `{{name}}` of legends.
fn shown(template: &str) -> Vec<String> {
    let of = |part: &str| {
        let inside = part
            .split_once("}}")
            .map_or("", |(inside, _)| inside)
            .trim();
        let name = inside.strip_prefix("$labels.").unwrap_or(inside);
        (!name.starts_with('$')).then(|| name.to_owned())
    };
    template.split("{{").skip(1).filter_map(of).collect()
}

/// Every series with its labels.
fn counted() -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for metric in ALL {
        let labels: BTreeSet<String> = metric.series_labels().into_iter().collect();
        for series in metric.series() {
            all.insert(series, labels.clone());
        }
    }
    all
}

/// Fixed words of labels; a label that is not here takes others.
fn words(label: &str) -> BTreeSet<&'static str> {
    let all: &[&[&'static str]] = match label {
        "outcome" => &[CommandOutcome::WORDS, AppendOutcome::WORDS],
        "cause" => &[
            BackfillCause::WORDS,
            FailureCause::WORDS,
            RelayFailure::WORDS,
        ],
        "change" => &[LeaseChange::WORDS],
        "part" => &[Part::WORDS],
        "db_client_connection_state" => &[&["idle", "used"]],
        _ => &[],
    };
    all.iter().flat_map(|words| words.iter().copied()).collect()
}

/// Holds an expression, and the texts that show its labels, against what is known.
fn check(
    known: &BTreeMap<String, BTreeSet<String>>,
    place: &str,
    expression: &str,
    templates: &[&str],
) {
    let named = named(expression);
    assert!(
        !named.metrics.is_empty(),
        "{place}: {expression} names nothing"
    );
    let mut labels: BTreeSet<String> = FOREIGN_LABELS.map(str::to_owned).into();
    for metric in &named.metrics {
        let of = known.get(metric);
        let of = of.unwrap_or_else(|| panic!("{place}: nobody counts {metric} ({expression})"));
        labels.extend(of.iter().cloned());
    }
    let shown = templates.iter().flat_map(|template| shown(template));
    let compared = named.matchers.iter().map(|(label, _)| label.clone());
    for label in named.grouped.iter().cloned().chain(compared).chain(shown) {
        assert!(
            labels.contains(&label),
            "{place}: {expression} has no label {label}"
        );
    }
    for (label, values) in &named.matchers {
        let words = words(label);
        for value in values.iter().filter(|_| !words.is_empty()) {
            assert!(
                words.contains(value.as_str()),
                "{place}: {label} is never {value}"
            );
        }
    }
}

fn rules() -> Vec<Value> {
    let rules: Value = serde_saphyr::from_str(&read("deploy/prometheus/alerts.yml")).unwrap();
    let groups = rules["groups"].as_array().unwrap().iter();
    groups
        .flat_map(|group| group["rules"].as_array().unwrap().clone())
        .collect()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or("")
}

/// What is counted, and what the rules compute of it.
fn known() -> BTreeMap<String, BTreeSet<String>> {
    let mut known = counted();
    for rule in rules().iter().filter(|rule| rule["record"].is_string()) {
        let (name, expression) = (text(rule, "record"), text(rule, "expr"));
        check(&known, name, expression, &[]);
        let mut labels = named(expression).grouped;
        labels.remove("le");
        known.insert(name.to_owned(), labels);
    }
    known
}

#[test]
fn every_alert_names_what_is_counted_and_has_its_page() {
    let known = known();
    let page = read("docs/operations/alerts.md");
    let sections: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    let mut alerts = BTreeSet::new();
    let rules = rules();
    for rule in rules.iter().filter(|rule| rule["alert"].is_string()) {
        let name = text(rule, "alert");
        let annotations = &rule["annotations"];
        check(
            &known,
            name,
            text(rule, "expr"),
            &[text(annotations, "summary")],
        );
        let url = format!("docs/operations/alerts.md#{}", name.to_lowercase());
        assert_eq!(text(annotations, "runbook_url"), url, "{name}");
        let severity = text(&rule["labels"], "severity");
        assert!(["page", "ticket"].contains(&severity), "{name}: {severity}");
        let section = page
            .split(&format!("## {name}\n"))
            .nth(1)
            .unwrap_or_default();
        assert!(
            section.trim_start().starts_with(&format!("*{severity}.*")),
            "{name}"
        );
        alerts.insert(name);
    }
    assert!(alerts.len() > 10, "{alerts:?}");
    assert_eq!(alerts, sections);
}

#[test]
fn every_panel_names_what_is_counted_and_every_number_is_on_a_panel() {
    let known = known();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut panels = 0;
    for file in fs::read_dir(root().join("deploy/grafana/dashboards")).unwrap() {
        let path = file.unwrap().path();
        let board: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let mut ids = BTreeSet::new();
        for panel in board["panels"].as_array().unwrap() {
            let place = format!("{}: {}", path.display(), text(panel, "title"));
            assert!(
                ids.insert(panel["id"].as_i64().unwrap()),
                "{place}: id twice"
            );
            for target in panel["targets"].as_array().into_iter().flatten() {
                let expression = text(target, "expr");
                check(&known, &place, expression, &[text(target, "legendFormat")]);
                seen.extend(named(expression).metrics);
                panels += 1;
            }
        }
    }
    assert!(panels > 30, "{panels}");
    for rule in &rules() {
        if seen.contains(text(rule, "record")) {
            seen.extend(named(text(rule, "expr")).metrics);
        }
    }
    for metric in ALL {
        let shown = metric.series().iter().any(|series| seen.contains(series));
        assert!(shown, "{} is on no panel", metric.name);
    }
}

#[test]
fn the_page_lists_every_number_with_its_labels() {
    let page = read("docs/operations/observability.md");
    let listed: BTreeSet<String> = page
        .lines()
        .filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 3)
        .filter(|line| {
            ["counter", "gauge", "histogram"]
                .iter()
                .any(|kind| line.contains(kind))
        })
        .map(str::to_owned)
        .collect();
    let expected: BTreeSet<String> = ALL
        .iter()
        .map(|metric| {
            let labels: Vec<String> = metric
                .labels
                .iter()
                .map(|label| format!("`{}`", in_prometheus(label)))
                .collect();
            let kind = format!("{:?}", metric.kind).to_lowercase();
            let name = in_prometheus(metric.name);
            format!(
                "| `{name}` | {kind} | {} | {} |",
                labels.join(", "),
                metric.help
            )
        })
        .collect();
    let missing: Vec<&String> = expected.difference(&listed).collect();
    let stale: Vec<&String> = listed.difference(&expected).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "missing {missing:#?}\nstale {stale:#?}"
    );
}

#[test]
fn an_expression_is_taken_apart_into_its_names() {
    let named = named(
        "histogram_quantile(0.99, sum by (le, x) (rate(a_b_bucket{c=\"d|e\",f=~\"g}\"}[5m]))) > 1",
    );
    assert_eq!(named.metrics, BTreeSet::from(["a_b_bucket".to_owned()]));
    assert_eq!(
        named.grouped,
        BTreeSet::from(["le".to_owned(), "x".to_owned()])
    );
    assert_eq!(
        named.matchers[0],
        ("c".to_owned(), vec!["d".to_owned(), "e".to_owned()])
    );
    assert_eq!(named.matchers[1].0, "f");
    assert_eq!(
        shown("{{ $labels.part }} of {{x}}: {{ $value | humanize }}"),
        ["part", "x"]
    );
}

/// All sources of the product but those of the crate that defines the numbers.
fn sources() -> String {
    fn collect(folder: &Path, all: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, all);
            } else if path.extension().is_some_and(|end| end == "rs") {
                all.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut all = String::new();
    for part in ["libs", "services"] {
        for entry in fs::read_dir(root().join(part)).unwrap() {
            let folder = entry.unwrap().path();
            if !folder.ends_with("libs/telemetry") && folder.join("src").is_dir() {
                collect(&folder.join("src"), &mut all);
            }
        }
    }
    all
}

#[test]
fn every_function_that_tells_something_and_every_word_is_used() {
    let sources = sources();
    let mut looked = 0;
    for part in [
        "metrics/consumers",
        "metrics/log",
        "metrics/process",
        "metrics/store",
        "trace/mod",
    ] {
        let file = format!("libs/telemetry/src/{part}.rs");
        for line in read(&file).lines() {
            let Some(rest) = line.trim_start().strip_prefix("pub fn ") else {
                continue;
            };
            let name = &rest[..rest.find(|letter| !is_name(letter)).unwrap()];
            // The renderer of the numbers calls it.
            if name != "sample_process" {
                assert!(
                    sources.contains(&format!("{name}(")),
                    "{file}: nobody calls {name}"
                );
                looked += 1;
            }
        }
    }
    let words = read("libs/telemetry/src/metrics/outcomes.rs");
    for list in words.split("\nwords! {").skip(1) {
        let mut lines = list
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with("///"));
        let name = lines.find_map(|line| line.strip_suffix(" {")).unwrap();
        for line in lines {
            if let Some((word, _)) = line.split_once(" = ") {
                let used = sources.contains(&format!("{name}::{word}"));
                assert!(used, "{name}::{word} is never told");
                looked += 1;
            }
        }
    }
    assert!(looked > 50, "only {looked} of them");
}
