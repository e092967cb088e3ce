//! Requirements and programs as text: natural YAML, round trips, and errors that name the place.

use proptest::prelude::*;
use tierline_domain::program::{ProgramDefinition, program_from_yaml, program_to_yaml};
use tierline_domain::rules::{
    Condition, Criterion, Measure, OfWhich, Periods, Requirement, Test, Threshold, Value, Window,
};
use tierline_domain::time::PeriodUnit;

use crate::arbitrary::any_requirement;
use crate::given::{number, requirement};

fn program(qualification: &str) -> String {
    format!(
        "slug: p
name: P
currency: USD
tracks:
  - id: t
    name: T
    tiers:
      - id: gold
        name: Gold
        qualification:
          {qualification}
      - id: entry
        name: Entry
"
    )
}

fn violation(text: &str) -> String {
    let rejection = program_from_yaml(text).unwrap_err();
    assert_eq!(rejection.violations[0].field, "definition");
    rejection.violations[0].description.clone()
}

#[test]
fn decimals_may_be_written_as_numbers_or_texts() {
    for (text, value) in [
        ("100000", "100000"),
        ("\"100000.00\"", "100000.00"),
        ("'100000'", "100000"),
        ("100000.00", "100000.00"),
        ("0.1", "0.1"),
        ("12345678901234567.89", "12345678901234567.89"),
    ] {
        let read: Threshold = serde_saphyr::from_str(&format!("gte: {text}")).unwrap();
        assert_eq!(read, Threshold::Gte(number(value)), "{text}");
    }
    for text in ["gte: abc", "gte: ", "gte: [1]", "gte: true"] {
        assert!(serde_saphyr::from_str::<Threshold>(text).is_err(), "{text}");
    }
}

#[test]
fn values_are_read_by_their_form() {
    for (text, value) in [
        ("Gold", Value::text("Gold")),
        ("\"12\"", Value::text("12")),
        ("12", Value::Number(number("12"))),
        ("-12.50", Value::Number(number("-12.5"))),
        ("0.1", Value::Number(number("0.1"))),
        ("true", Value::Flag(true)),
        ("2026-03-31", Value::text("2026-03-31")),
        (
            "{date: 2026-03-31}",
            Value::Date("2026-03-31".parse().unwrap()),
        ),
        ("{number: \"0.10\"}", Value::Number(number("0.10"))),
        (
            "{number: 12345678901234567.89}",
            Value::Number(number("12345678901234567.89")),
        ),
        ("[a, b]", Value::List(vec!["a".to_owned(), "b".to_owned()])),
        ("[]", Value::List(Vec::new())),
    ] {
        let read: Value = serde_saphyr::from_str(text).unwrap();
        assert_eq!(read, value, "{text}");
    }
}

#[test]
fn a_requirement_reads_the_way_a_person_writes_it() {
    let read = requirement(
        "
all:
  - every_period:
      unit: fiscal_quarter
      last: 2
      holds:
        criterion:
          id: certified
          name: Certified
          measure:
            persons_certified:
              where:
                field: {name: level, is: {includes_any: [Advanced, Expert]}}
          needs: {gte: 3}
          of_which:
            - name: Expert
              where:
                not:
                  field:
                    name: level
                    is:
                      equals: Advanced
              needs:
                between: {from: 1, to: 2.5}
  - not:
      partner:
        id: region
        name: Region
        where: {any: [{field: {name: region, is: {exists: false}}}]}
",
    );
    let level = |test| Condition::Field {
        name: "level".to_owned(),
        test,
    };
    let criterion = Criterion {
        id: "certified".to_owned(),
        name: "Certified".to_owned(),
        measure: Measure::PersonsCertified {
            filter: level(Test::IncludesAny(vec![
                Value::text("Advanced"),
                Value::text("Expert"),
            ])),
            at_least: 1,
            holding: Vec::new(),
            validity: Vec::new(),
            same: None,
        },
        needs: Threshold::Gte(number("3")),
        cases: Vec::new(),
        of_which: vec![OfWhich {
            name: "Expert".to_owned(),
            filter: Condition::Not(Box::new(level(Test::Equals(Value::text("Advanced"))))),
            needs: Threshold::Between {
                from: number("1"),
                to: number("2.5"),
            },
        }],
        note: None,
    };
    let expected = Requirement::All(vec![
        Requirement::EveryPeriod(Periods {
            unit: PeriodUnit::FiscalQuarter,
            last: 2,
            holds: Box::new(Requirement::Criterion(Box::new(criterion))),
        }),
        Requirement::Not(Box::new(Requirement::Partner {
            id: "region".to_owned(),
            name: "Region".to_owned(),
            filter: Condition::Any(vec![Condition::Field {
                name: "region".to_owned(),
                test: Test::Exists(false),
            }]),
        })),
    ]);
    assert_eq!(read, expected);
}

#[test]
fn windows_are_single_words_or_words_with_a_number() {
    for (text, window) in [
        ("rolling_months: 12", Window::RollingMonths(12)),
        ("rolling_days: 90", Window::RollingDays(90)),
        (
            "current: fiscal_year",
            Window::Current(PeriodUnit::FiscalYear),
        ),
        ("since_enrollment", Window::SinceEnrollment),
        ("all_time", Window::AllTime),
    ] {
        assert_eq!(
            serde_saphyr::from_str::<Window>(text).unwrap(),
            window,
            "{text}"
        );
    }
}

#[test]
fn the_shipped_programs_survive_a_round_trip() {
    for file in ["three-tier.yaml", "three-tier-revenue.yaml"] {
        let path = format!("{}/../../programs/{file}", env!("CARGO_MANIFEST_DIR"));
        let read = program_from_yaml(&std::fs::read_to_string(path).unwrap()).unwrap();
        let again = program_from_yaml(&program_to_yaml(&read).unwrap()).unwrap();
        assert_eq!(again, read);
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(
            serde_json::from_str::<ProgramDefinition>(&json).unwrap(),
            read
        );
    }
}

#[test]
fn errors_name_the_place_and_what_is_allowed() {
    let unknown = violation(&program("critereon: {}"));
    assert!(
        unknown.contains("line 11") && unknown.contains("criterion"),
        "{unknown}"
    );
    let misspelt = violation(&program("criterion: {id: a, name: A, mesure: x}"));
    assert!(
        misspelt.contains("line 11") && misspelt.contains("measure"),
        "{misspelt}"
    );
    let currency = violation(&program("all: []").replace("USD", "usd"));
    assert!(
        currency.contains("line 3") && currency.contains("ISO 4217"),
        "{currency}"
    );
    let twice = violation("slug: a\nslug: b\n");
    assert!(twice.contains("line 2"), "{twice}");
    let broken = violation("slug: [a\nname: b");
    assert!(broken.contains("line"), "{broken}");
    let empty = violation("");
    assert!(!empty.is_empty());
}

#[test]
fn files_without_bounds_are_refused() {
    let long = format!("# {}\n{}", "x".repeat(1024 * 1024), program("all: []"));
    assert!(violation(&long).contains("1048576"));
    let deep = program(&format!("{}{}", "{not: ".repeat(5000), "}".repeat(5000)));
    assert!(program_from_yaml(&deep).is_err());
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let before = format!("*a{},", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    assert!(program_from_yaml(&bomb).is_err());
}

#[test]
fn a_requirement_beyond_its_bounds_is_refused_with_every_place() {
    let read = requirement(
        "
all:
  - criterion:
      id: Bad Id
      name: ' '
      measure: {count: {facts: {kind: deal, date: closed, window: {rolling_months: 241}}}}
      needs: {between: {from: 5, to: 4}}
  - every_period:
      unit: month
      last: 41
      holds:
        criterion:
          id: twin
          name: Twin
          measure: {persons_certified: {at_least: 0}}
          needs: {gte: 10000000000000000}
  - at_least:
      count: 3
      of:
        - criterion:
            id: twin
            name: Twin
            measure: {count: {facts: {kind: deal, date: closed, window: {rolling_days: 0},
              where: {field: {name: amount, is: {between: {from: 2, to: 1}}}}}}}
            needs: {gt: 0.12345678901}
  - any: []
",
    );
    let rejection = read.check().unwrap_err();
    let fields: Vec<_> = rejection
        .violations
        .iter()
        .map(|found| found.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "all[0].criterion.id",
            "all[0].criterion.name",
            "all[0].criterion.measure.count.facts.window.rolling_months",
            "all[0].criterion.needs.between.from",
            "all[1].every_period.last",
            "all[1].every_period.holds.criterion.measure.persons_certified.at_least",
            "all[1].every_period.holds.criterion.needs.gte",
            "all[2].at_least.count",
            "all[2].at_least.of[0].criterion.id",
            "all[2].at_least.of[0].criterion.measure.count.facts.where.field.is.between.from",
            "all[2].at_least.of[0].criterion.measure.count.facts.window.rolling_days",
            "all[2].at_least.of[0].criterion.needs.gt",
            "all[3].any",
        ]
    );
}

#[test]
fn depth_and_size_of_a_requirement_are_bounded() {
    let leaf = |id: usize| {
        requirement(&format!(
            "criterion: {{id: c{id}, name: C, measure: months_in_program, needs: {{gte: 1}}}}"
        ))
    };
    let mut deep = leaf(0);
    for _ in 0..15 {
        deep = Requirement::Not(Box::new(deep));
    }
    deep.check().unwrap();
    let deeper = Requirement::Not(Box::new(deep));
    assert!(
        deeper
            .check()
            .unwrap_err()
            .message
            .contains("deeper than 16")
    );
    Requirement::All((0..499).map(leaf).collect())
        .check()
        .unwrap();
    let wide = Requirement::All((0..500).map(leaf).collect());
    assert!(wide.check().unwrap_err().message.contains("501 nodes"));
}

proptest! {
    #[test]
    fn any_requirement_survives_json_and_yaml(requirement in any_requirement()) {
        let json = serde_json::to_string(&requirement).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Requirement>(&json).unwrap(), &requirement);
        let mut program = program_from_yaml(&program("all: []")).unwrap();
        program.tracks[0].tiers[0].qualification = Some(requirement);
        let yaml = program_to_yaml(&program).unwrap();
        let read = program_from_yaml(&yaml);
        prop_assert!(read.is_ok(), "{:?}\n{}", read, yaml);
        prop_assert_eq!(read.unwrap(), program);
    }

    #[test]
    fn any_text_is_refused_rather_than_a_panic(text in "\\PC{0,200}") {
        let _ = program_from_yaml(&text);
    }

    #[test]
    fn checking_any_requirement_never_panics(requirement in any_requirement()) {
        let _ = requirement.check();
    }
}
