//! Values and documents of the business.

use tierline_domain::Money;
use tierline_domain::partner::normalize_domain;
use tierline_domain::program::{lint, program_from_yaml, program_to_yaml, validate};
use tierline_domain::time::parse_date;

use crate::{Target, text};

pub(crate) const MONEY: Target = Target {
    name: "money",
    run: money,
    seeds: &[
        "1250.00 EUR",
        "-1 JPY",
        "0.001 KWD",
        "1e5 USD",
        "79228162514264337593543950335 EUR",
    ],
};

fn money(data: &[u8]) {
    let Some((amount, currency)) = text(data).and_then(|text| text.rsplit_once(' ')) else {
        return;
    };
    if let Ok(money) = Money::parse(amount, currency) {
        let (amount, currency) = (money.amount.to_string(), money.currency.to_string());
        assert_eq!(Money::parse(&amount, &currency).unwrap(), money);
        let rounded = money.rounded();
        assert_eq!(rounded.rounded(), rounded);
    }
}

pub(crate) const PROGRAM: Target = Target {
    name: "program",
    run: program,
    seeds: &[
        include_str!("../../../programs/three-tier-revenue.yaml"),
        include_str!("../../../programs/referral-network.yaml"),
        "slug: a\nname: A\ncurrency: EUR\ntracks:\n  - id: m\n    name: M\n    tiers:\n      - id: t\n        name: T\n",
        "a: &a [*a, *a]",
        "a: &a {b: &b {c: *b}}",
        "- - - - - - -",
    ],
};

fn program(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Ok(definition) = program_from_yaml(text) else {
        return;
    };
    if validate(&definition).is_ok() {
        lint::lint(&definition);
        let written = program_to_yaml(&definition).unwrap();
        assert_eq!(
            program_from_yaml(&written).unwrap(),
            definition,
            "{written}"
        );
    }
}

pub(crate) const DATE: Target = Target {
    name: "date",
    run: date,
    seeds: &[
        "2026-03-31",
        "2024-02-29",
        "1900-01-01",
        "9999-12-31",
        "-000001-01-01",
        "+2026-01-01",
    ],
};

fn date(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(date) = parse_date("", text) {
        assert_eq!(parse_date("", &date.to_string()).unwrap(), date);
    }
}

pub(crate) const DOMAIN_NAME: Target = Target {
    name: "domain_name",
    run: domain_name,
    seeds: &[
        "https://www.Globex.example/",
        "xn--bcher-kva.example",
        "a.b",
        "bücher.example",
        "a..b",
    ],
};

fn domain_name(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(domain) = normalize_domain("domain", text) {
        assert_eq!(normalize_domain("domain", &domain).unwrap(), domain);
    }
}
