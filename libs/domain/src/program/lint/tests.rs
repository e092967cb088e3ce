//! For every rule a definition that has it and one beside it that has not.

use super::*;
use crate::program::yaml::program_from_yaml;

/// A track of these tiers, each in flow style, above an entry tier.
fn program(policies: &str, tiers: &[String], rest: &str) -> ProgramDefinition {
    let tiers: String = tiers
        .iter()
        .map(|tier| format!("      - {{{tier}}}\n"))
        .collect();
    let text = format!(
        "slug: p\nname: P\ncurrency: EUR\ntracks:\n  - id: main\n    name: Main\n{policies}    \
         tiers:\n{tiers}      - {{id: member, name: Member}}\n{rest}"
    );
    program_from_yaml(&text).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

fn tier(id: &str, qualification: &str) -> String {
    format!("id: {id}, name: {id}, qualification: {qualification}")
}

fn deals(needs: &str) -> String {
    criterion("deals", "Deals", needs)
}

fn criterion(id: &str, name: &str, needs: &str) -> String {
    measured(
        id,
        name,
        "{count: {facts: {kind: deal, date: closed, window: {rolling_months: 12}}}}",
        needs,
    )
}

fn measured(id: &str, name: &str, measure: &str, needs: &str) -> String {
    format!("{{criterion: {{id: {id}, name: {name}, measure: {measure}, needs: {needs}}}}}")
}

fn partner(filter: &str) -> String {
    format!("{{partner: {{id: a, name: A, where: {filter}}}}}")
}

fn field(name: &str, test: &str) -> String {
    format!("{{field: {{name: {name}, is: {test}}}}}")
}

fn benefits(list: &[(&str, &str)]) -> String {
    let list: Vec<_> = list
        .iter()
        .map(|(name, value)| format!("{{name: {name}, value: {value}}}"))
        .collect();
    format!(", benefits: [{}]", list.join(", "))
}

/// The codes and places of what is found.
fn found(definition: &ProgramDefinition) -> Vec<(&'static str, String)> {
    lint(definition)
        .into_iter()
        .map(|one| (one.rule, one.field))
        .collect()
}

fn has(definition: &ProgramDefinition, rule: &str) -> bool {
    lint(definition).iter().any(|one| one.rule == rule)
}

fn two(gold: &str, silver: &str) -> ProgramDefinition {
    program("", &[tier("gold", gold), tier("silver", silver)], "")
}

fn one(gold: &str) -> ProgramDefinition {
    program("", &[tier("gold", gold)], "")
}

#[test]
fn a_ladder_that_rises_has_no_findings() {
    assert_eq!(found(&two(&deals("{gte: 10}"), &deals("{gte: 5}"))), []);
}

#[test]
fn a_finding_says_what_is_so_why_and_what_to_do() {
    let findings = lint(&two(&deals("{gte: 3}"), &deals("{gte: 5}")));
    let falls = findings
        .iter()
        .find(|one| one.rule == "THRESHOLD_FALLS")
        .unwrap();
    assert_eq!(falls.field, "tracks[0].tiers[0].qualification.criterion");
    assert_eq!(
        falls.message,
        "\"Deals\" needs at least 3 for tier gold and at least 5 for tier silver"
    );
    assert_eq!(falls.severity, Severity::Warning);
    assert!(!falls.why.is_empty() && !falls.remedy.is_empty());
    assert_eq!(falls.suppressed, None);
}

#[test]
fn every_form_of_threshold_may_fall() {
    for (gold, silver, falls) in [
        ("{gte: 3}", "{gte: 5}", true),
        ("{gte: 5}", "{gt: 5}", true),
        ("{gt: 4}", "{gte: 5}", false),
        ("{lte: 5}", "{lte: 3}", true),
        ("{lt: 3}", "{lte: 5}", false),
        (
            "{between: {from: 1, to: 9}}",
            "{between: {from: 2, to: 8}}",
            true,
        ),
        (
            "{between: {from: 1, to: 5}}",
            "{between: {from: 2, to: 8}}",
            false,
        ),
        ("{between: {from: 1, to: 5}}", "{equals: 5}", true),
        ("{equals: 5}", "{gte: 5}", false),
    ] {
        let definition = two(&deals(gold), &deals(silver));
        assert_eq!(
            has(&definition, "THRESHOLD_FALLS"),
            falls,
            "{gold} {silver}"
        );
    }
}

#[test]
fn thresholds_by_case_are_compared_case_by_case() {
    let by_case = |least: u32, market: &str, of_case: u32| {
        let filter = field("market", &format!("{{equals: {market}}}"));
        deals(&format!(
            "{{gte: {least}}}, cases: [{{where: {filter}, needs: {{gte: {of_case}}}}}]"
        ))
    };
    let falls = |gold: &str, silver: &str| has(&two(gold, silver), "THRESHOLD_FALLS");
    assert!(falls(&by_case(10, "growth", 3), &by_case(5, "growth", 4)));
    assert!(!falls(&by_case(10, "growth", 5), &by_case(5, "growth", 4)));
    assert!(!falls(&by_case(10, "growth", 3), &by_case(5, "mature", 4)));
    assert!(falls(&by_case(4, "growth", 3), &by_case(6, "mature", 5)));
    assert!(falls(&deals("{gte: 2}"), &by_case(6, "mature", 5)));
}

#[test]
fn what_must_not_hold_falls_when_its_threshold_rises() {
    let not = |needs: &str| format!("{{not: {}}}", deals(needs));
    assert!(has(
        &two(&not("{gte: 8}"), &not("{gte: 5}")),
        "THRESHOLD_FALLS"
    ));
    assert!(!has(
        &two(&not("{gte: 3}"), &not("{gte: 5}")),
        "THRESHOLD_FALLS"
    ));
}

#[test]
fn only_what_is_asked_for_alike_is_compared() {
    let falls = |gold: &str, silver: &str| has(&two(gold, silver), "THRESHOLD_FALLS");
    let other = criterion("other", "Other", "{gte: 1}");
    let any = |needs: &str| format!("{{any: [{}, {other}]}}", deals(needs));
    let every = |needs: &str| {
        format!(
            "{{every_period: {{unit: quarter, last: 2, holds: {}}}}}",
            deals(needs)
        )
    };
    assert!(falls(&any("{gte: 3}"), &any("{gte: 5}")));
    assert!(falls(&any("{gte: 3}"), &deals("{gte: 5}")));
    assert!(!falls(&deals("{gte: 3}"), &any("{gte: 5}")));
    assert!(falls(&every("{gte: 3}"), &every("{gte: 5}")));
    assert!(!falls(&every("{gte: 3}"), &deals("{gte: 5}")));
    let shown = format!("{{all: [{other}, {{information: {}}}]}}", deals("{gte: 3}"));
    assert!(!falls(&shown, &deals("{gte: 5}")));
    let window = deals("{gte: 3}").replace("rolling_months: 12", "rolling_months: 3");
    assert!(!falls(&window, &deals("{gte: 5}")));
}

#[test]
fn a_part_of_a_criterion_may_fall_as_well() {
    let part = |least: u32| {
        let large = field("amount", "{gte: 1000}");
        deals(&format!(
            "{{gte: 9}}, of_which: [{{name: Large, where: {large}, needs: {{gte: {least}}}}}]"
        ))
    };
    assert!(has(&two(&part(1), &part(2)), "THRESHOLD_FALLS"));
    assert!(!has(&two(&part(2), &part(1)), "THRESHOLD_FALLS"));
}

#[test]
fn a_tier_below_the_neighbour_is_compared_where_the_neighbour_does_not_ask() {
    let tiers = [
        tier("gold", &deals("{gte: 3}")),
        tier("silver", &criterion("other", "Other", "{gte: 1}")),
        tier("bronze", &deals("{gte: 5}")),
    ];
    assert!(has(&program("", &tiers, ""), "THRESHOLD_FALLS"));
}

#[test]
fn a_tier_that_asks_for_no_more_is_found_and_the_lower_one_is_skipped() {
    let same = two(&deals("{gte: 5}"), &deals("{gte: 5}"));
    assert_eq!(
        found(&same),
        [
            (
                "TIER_ALWAYS_SKIPPED",
                "tracks[0].tiers[1].qualification".to_owned()
            ),
            (
                "THRESHOLDS_DO_NOT_RISE",
                "tracks[0].tiers[0].qualification".to_owned()
            ),
        ]
    );
    let step = "    promotion: {step: one}\n";
    let tiers = [
        tier("gold", &deals("{gte: 5}")),
        tier("silver", &deals("{gte: 5}")),
    ];
    let one_step = program(step, &tiers, "");
    assert!(!has(&one_step, "TIER_ALWAYS_SKIPPED"));
    assert!(has(&one_step, "THRESHOLDS_DO_NOT_RISE"));
    let more = format!(
        "{{all: [{}, {}]}}",
        deals("{gte: 5}"),
        partner(&field("vip", "{equals: true}"))
    );
    assert_eq!(found(&two(&more, &deals("{gte: 5}"))), []);
    assert!(has(&two(&deals("{gte: 5}"), &more), "TIER_ALWAYS_SKIPPED"));
}

#[test]
fn a_tier_nobody_can_reach_is_found_with_the_reason() {
    let never = format!(
        "{{all: [{}, {}]}}",
        deals("{gte: 10}"),
        criterion("few", "Few deals", "{lte: 5}")
    );
    let findings = lint(&one(&never));
    assert_eq!(findings[0].rule, "TIER_UNREACHABLE");
    assert_eq!(
        findings[0].message,
        "nobody can qualify for tier gold: \"Deals\" (at least 10) and \"Few deals\" (at most 5) \
         ask for numbers of one measure that exclude each other"
    );
    let fine = never.replace("{lte: 5}", "{lte: 50}");
    assert!(!has(&one(&fine), "TIER_UNREACHABLE"));
    let twice = format!(
        "{{all: [{}, {}]}}",
        field("market", "{equals: a}"),
        field("market", "{equals: b}")
    );
    assert!(has(&one(&partner(&twice)), "TIER_UNREACHABLE"));
    assert!(!has(
        &one(&partner(&twice.replace("equals: b", "equals: A"))),
        "TIER_UNREACHABLE"
    ));
    let shown = format!("{{information: {}}}", deals("{gte: 1}"));
    assert!(has(&one(&shown), "TIER_UNREACHABLE"));
}

#[test]
fn a_share_above_one_and_facts_that_cannot_be_are_never_reached() {
    let facts = "{kind: deal, date: closed, window: all_time}";
    let won = "{kind: deal, date: closed, window: all_time, \
               where: {field: {name: state, is: {equals: won}}}}";
    let share = |least: &str| {
        let ratio = format!(
            "{{ratio: {{of: {{count: {{facts: {won}}}}}, to: {{count: {{facts: {facts}}}}}}}}}"
        );
        measured("share", "Share", &ratio, least)
    };
    assert!(has(&one(&share("{gte: 1.1}")), "TIER_UNREACHABLE"));
    assert!(!has(&one(&share("{gte: 1}")), "TIER_UNREACHABLE"));
    let states = |second: &str| {
        let both = format!(
            "{{all: [{}, {}]}}",
            field("source", "{equals: direct}"),
            field("source", second)
        );
        let count = format!(
            "{{count: {{facts: {{kind: deal, date: closed, window: all_time, where: {both}}}}}}}"
        );
        measured("odd", "Odd deals", &count, "{gte: 1}")
    };
    assert!(has(&one(&states("{equals: sourced}")), "TIER_UNREACHABLE"));
    assert!(!has(&one(&states("{equals: Direct}")), "TIER_UNREACHABLE"));
}

#[test]
fn any_two_tiers_with_the_same_benefits_are_found() {
    let more = benefits(&[("Fee", "12 %"), ("Manager", "yes"), ("Fund", "yes")]);
    let less = benefits(&[("Fee", "8 %")]);
    let with = |first: &str, second: &str, third: &str| {
        let tiers = [
            tier("gold", &deals("{gte: 30}")) + first,
            tier("silver", &deals("{gte: 20}")) + second,
            tier("bronze", &deals("{gte: 10}")) + third,
        ];
        program("", &tiers, "")
    };
    assert!(has(&with(&more, &less, &more), "SAME_BENEFITS"));
    assert!(!has(&with(&more, &less, ""), "SAME_BENEFITS"));
    let turned = benefits(&[("fund", "Yes"), ("Fee", "12 %"), ("Manager", "yes")]);
    assert!(has(&with(&more, &turned, &less), "SAME_BENEFITS"));
    assert!(!has(&with("", "", ""), "SAME_BENEFITS"));
}

#[test]
fn a_lower_tier_that_gives_all_of_a_higher_one_and_more_is_found() {
    let with = |gold: &[(&str, &str)], entry: &str| {
        let tiers = [tier("gold", &deals("{gte: 30}")) + &benefits(gold)];
        let mut definition = program("", &tiers, "");
        let member = format!("{{id: x, name: X{entry}}}");
        let member: crate::program::Tier = serde_saphyr::from_str(&member).unwrap();
        definition.tracks[0].tiers[1].benefits = member.benefits;
        definition
    };
    let entry = benefits(&[("Fee", "8 %"), ("Fund", "yes")]);
    let findings = lint(&with(&[("Fee", "8 %")], &entry));
    assert_eq!(findings[0].rule, "BENEFITS_FALL");
    assert_eq!(
        findings[0].message,
        "the entry tier member gives everything that tier gold gives, and also \"Fund\""
    );
    assert!(!has(&with(&[("Fee", "12 %")], &entry), "BENEFITS_FALL"));
}

#[test]
fn benefits_for_which_nothing_is_asked_are_found() {
    let given = benefits(&[("Fee", "12 %")]);
    let with = |gold: &str, silver: &str| {
        let tiers = [tier("gold", gold) + &given, tier("silver", silver)];
        program("", &tiers, "")
    };
    let rule = "BENEFITS_WITHOUT_REQUIREMENT";
    assert!(has(
        &with(&deals("{gte: 0}"), &criterion("b", "B", "{gte: 1}")),
        rule
    ));
    assert!(has(&with(&deals("{gte: 5}"), &deals("{gte: 5}")), rule));
    assert!(!has(&with(&deals("{gte: 6}"), &deals("{gte: 5}")), rule));
}

#[test]
fn fewer_than_three_changed_benefits_are_advice() {
    let with = |gold: &[(&str, &str)]| {
        let silver = benefits(&[("Fee", "8 %"), ("Fund", "10")]);
        let tiers = [
            tier("gold", &deals("{gte: 9}")) + &benefits(gold),
            tier("silver", &deals("{gte: 5}")) + &silver,
        ];
        program("", &tiers, "")
    };
    let at = "tracks[0].tiers[0].benefits".to_owned();
    let few = with(&[("Fee", "12 %"), ("Fund", "20")]);
    assert!(found(&few).contains(&("FEW_NEW_BENEFITS", at.clone())));
    let enough = with(&[("Fee", "12 %"), ("Fund", "20"), ("Manager", "yes")]);
    assert!(!found(&enough).contains(&("FEW_NEW_BENEFITS", at)));
    let mut none = enough;
    none.tracks[0].tiers[1].benefits.clear();
    let at = "tracks[0].tiers[1].benefits".to_owned();
    assert!(found(&none).contains(&("FEW_NEW_BENEFITS", at)));
}

#[test]
fn tiers_that_are_never_lost_are_found() {
    let tiers = [tier("gold", &deals("{gte: 5}"))];
    assert_eq!(
        found(&program("    demotion: {mode: never}\n", &tiers, "")),
        [("TIERS_NEVER_LOST", "tracks[0].demotion.mode".to_owned())]
    );
    assert_eq!(
        found(&program("    demotion: {mode: recommend}\n", &tiers, "")),
        []
    );
    let kept = |needs: &str| {
        let tier = tier("gold", &deals("{gte: 5}"));
        program("", &[format!("{tier}, retention: {}", deals(needs))], "")
    };
    assert!(has(&kept("{gte: 0}"), "RETENTION_NEVER_FAILS"));
    assert!(!has(&kept("{gte: 1}"), "RETENTION_NEVER_FAILS"));
    assert!(has(&kept("{lt: 0}"), "TIER_CANNOT_BE_KEPT"));
    assert!(!has(&kept("{lte: 9}"), "TIER_CANNOT_BE_KEPT"));
}

#[test]
fn a_retention_that_asks_for_more_than_the_qualification_is_found() {
    let kept = |reach: &str, needs: &str| {
        program(
            "",
            &[format!(
                "{}, retention: {}",
                tier("gold", reach),
                deals(needs)
            )],
            "",
        )
    };
    let findings = lint(&kept(&deals("{gte: 5}"), "{gte: 8}"));
    assert_eq!(findings[0].rule, "RETENTION_STRICTER");
    assert_eq!(
        findings[0].message,
        "tier gold is reached with at least 5 of \"Deals\" and kept with at least 8"
    );
    assert!(!has(
        &kept(&deals("{gte: 5}"), "{gte: 5}"),
        "RETENTION_STRICTER"
    ));
    assert!(!has(
        &kept(&deals("{gt: 4}"), "{gte: 5}"),
        "RETENTION_STRICTER"
    ));
    let both = format!(
        "{{all: [{}, {}]}}",
        deals("{gte: 5}"),
        criterion("b", "B", "{gte: 9}")
    );
    assert!(!has(&kept(&both, "{gte: 8}"), "RETENTION_STRICTER"));
}

#[test]
fn a_loss_without_a_day_of_warning_is_advice() {
    let tiers = [tier("gold", &deals("{gte: 5}"))];
    let with = |policy: &str| program(&format!("    demotion: {{{policy}}}\n"), &tiers, "");
    let rule = "LOST_WITHOUT_NOTICE";
    assert!(has(&with("notice_days: 0, remediation_days: 0"), rule));
    assert!(!has(&with("notice_days: 1, remediation_days: 0"), rule));
    assert!(!has(
        &with("mode: recommend, notice_days: 0, remediation_days: 0"),
        rule
    ));
}

#[test]
fn a_window_that_ends_before_the_review_before_is_advice() {
    let with = |window: &str| {
        let asks = deals("{gte: 5}").replace("{rolling_months: 12}", window);
        program(
            "    demotion: {review: half_year}\n",
            &[tier("gold", &asks)],
            "",
        )
    };
    let rule = "WINDOW_SHORTER_THAN_REVIEW";
    for (window, short) in [
        ("{rolling_months: 3}", true),
        ("{rolling_months: 6}", false),
        ("{rolling_days: 167}", true),
        ("{rolling_days: 168}", false),
        ("{complete: {unit: quarter, last: 1}}", true),
        ("{complete: {unit: quarter, last: 2}}", false),
        ("{current: half_year}", true),
        ("{current: year}", false),
        ("all_time", false),
    ] {
        assert_eq!(has(&with(window), rule), short, "{window}");
    }
    let count = |months: u16| {
        format!(
            "{{count: {{facts: {{kind: deal, date: closed, \
             window: {{rolling_months: {months}}}}}}}}}"
        )
    };
    let total = |second: u16| {
        let total = format!("{{total: [{}, {}]}}", count(3), count(second));
        let asks = measured("all", "All", &total, "{gte: 5}");
        program(
            "    demotion: {review: half_year}\n",
            &[tier("gold", &asks)],
            "",
        )
    };
    assert!(has(&total(5), rule));
    assert!(!has(&total(12), rule));
}

#[test]
fn one_id_with_two_names_or_measures_and_two_ids_for_one_thing_are_advice() {
    let gold = criterion("deals", "Won deals", "{gte: 10}");
    assert!(has(
        &two(&gold, &deals("{gte: 5}")),
        "CRITERION_NAME_DIFFERS"
    ));
    let months = measured("deals", "Deals", "months_in_program", "{gte: 10}");
    assert!(has(
        &two(&months, &deals("{gte: 5}")),
        "CRITERION_MEASURE_DIFFERS"
    ));
    let shorter = deals("{gte: 10}").replace("rolling_months: 12", "rolling_months: 3");
    assert_eq!(found(&two(&shorter, &deals("{gte: 5}"))), []);
    let renamed = criterion("won", "Deals", "{gte: 10}");
    assert!(has(
        &two(&renamed, &deals("{gte: 5}")),
        "CRITERION_ID_DIFFERS"
    ));
    assert!(!has(
        &two(&deals("{gte: 10}"), &deals("{gte: 5}")),
        "CRITERION_ID_DIFFERS"
    ));
}

fn certified(name: &str) -> String {
    let filter = field("certification", &format!("{{equals: {name}}}"));
    let measure = format!("{{persons_certified: {{where: {filter}}}}}");
    measured("certified", "Certified", &measure, "{gte: 2}")
}

#[test]
fn a_certification_that_is_not_in_the_catalogue_is_found() {
    let with = |name: &str, rest: &str| program("", &[tier("gold", &certified(name))], rest);
    let catalogue = "catalogue: {certifications: [Administrator, Developer]}\n";
    let findings = lint(&with("Administator", catalogue));
    assert_eq!(findings[0].rule, "UNKNOWN_CERTIFICATION");
    assert_eq!(
        findings[0].message,
        "the catalogue has no certification \"Administator\"; did you mean \"Administrator\"?"
    );
    assert_eq!(found(&with("administrator", catalogue)), []);
    assert_eq!(found(&with("Administator", "")), []);
}

#[test]
fn an_attribute_is_known_from_the_system_or_the_catalogue() {
    let with = |name: &str, rest: &str| {
        let asks = partner(&field(name, "{exists: true}"));
        program("", &[tier("gold", &asks)], rest)
    };
    let catalogue = "catalogue: {partner_attributes: [executive_sponsor]}\n";
    let findings = lint(&with("executive_sponser", catalogue));
    assert_eq!(findings[0].rule, "UNKNOWN_ATTRIBUTE");
    assert_eq!(
        findings[0].field,
        "tracks[0].tiers[0].qualification.partner.where.field.name"
    );
    assert!(
        findings[0]
            .message
            .ends_with("did you mean \"executive_sponsor\"?")
    );
    assert_eq!(found(&with("executive_sponsor", catalogue)), []);
    assert_eq!(found(&with("employee_count", catalogue)), []);
    assert!(has(&with("employe_count", ""), "NAME_LOOKS_MISTYPED"));
    assert_eq!(found(&with("seat_count", "")), []);
}

#[test]
fn a_case_sees_the_standing_and_a_condition_on_partners_does_not() {
    let catalogue = "catalogue: {partner_attributes: [market]}\n";
    let by_month = field("months_in_program", "{lt: 12}");
    let cases = deals(&format!(
        "{{gte: 10}}, cases: [{{where: {by_month}, needs: {{gte: 2}}}}]"
    ));
    assert_eq!(found(&program("", &[tier("gold", &cases)], catalogue)), []);
    let asked = program("", &[tier("gold", &partner(&by_month))], catalogue);
    assert!(has(&asked, "UNKNOWN_ATTRIBUTE"));
}

#[test]
fn fields_states_dates_and_tiers_that_do_not_exist_are_found() {
    let count = |facts: &str| {
        let measure = format!("{{count: {{facts: {{{facts}}}}}}}");
        measured("deals", "Deals", &measure, "{gte: 1}")
    };
    let with = |filter: &str| {
        let facts = format!("kind: deal, date: closed, window: all_time, where: {filter}");
        let rest = "catalogue: {fact_fields: {deal: [seats]}}\n";
        program("", &[tier("gold", &count(&facts))], rest)
    };
    assert!(has(&with(&field("seat", "{gte: 1}")), "UNKNOWN_FIELD"));
    assert_eq!(found(&with(&field("seats", "{gte: 1}"))), []);
    assert_eq!(found(&with(&field("closed_date", "{exists: true}"))), []);
    assert!(has(
        &with(&field("state", "{equals: wonn}")),
        "UNKNOWN_STATE"
    ));
    assert_eq!(found(&with(&field("state", "{equals: Won}"))), []);
    let dated = |date: &str| {
        one(&count(&format!(
            "kind: deal, date: {date}, window: all_time"
        )))
    };
    assert!(has(&dated("closd"), "UNKNOWN_DATE"));
    assert_eq!(found(&dated("approved")), []);
    let years = |tier: &str| {
        let measure = format!("{{periods_in_tier: {{tiers: [{tier}], unit: year}}}}");
        one(&measured("years", "Years", &measure, "{gte: 1}"))
    };
    assert!(has(&years("silver"), "UNKNOWN_TIER"));
    assert_eq!(found(&years("member")), []);
}

#[test]
fn a_suppressed_finding_is_listed_with_its_reason() {
    let tiers = [tier("gold", &deals("{gte: 5}"))];
    let with = |rest: &str| program("    demotion: {mode: never}\n", &tiers, rest);
    let all = with("lint: [{rule: TIERS_NEVER_LOST, reason: A club for life.}]\n");
    let findings = lint(&all);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].suppressed.as_deref(), Some("A club for life."));
    let here = "lint: [{rule: TIERS_NEVER_LOST, at: 'tracks[0]', reason: A club.}]\n";
    assert!(lint(&with(here)).iter().all(|one| one.suppressed.is_some()));
}

#[test]
fn a_suppression_that_suppresses_nothing_is_found() {
    let tiers = [tier("gold", &deals("{gte: 5}"))];
    let with = |rest: &str| program("    demotion: {mode: never}\n", &tiers, rest);
    let elsewhere = "lint: [{rule: TIERS_NEVER_LOST, at: 'tracks[1]', reason: A club.}]\n";
    let findings = lint(&with(elsewhere));
    assert_eq!(findings[0].suppressed, None);
    assert_eq!(findings[1].rule, "UNUSED_SUPPRESSION");
    assert_eq!(findings[1].field, "lint[0]");
    let other = "lint: [{rule: SAME_BENEFITS, reason: A club.}]\n";
    assert!(has(&with(other), "UNUSED_SUPPRESSION"));
}

#[test]
fn codes_are_unique_and_only_suppressions_cannot_be_suppressed() {
    let mut codes: Vec<_> = rules::RULES.iter().map(|rule| rule.code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), rules::RULES.len());
    let kept = rules::RULES.iter().filter(|rule| !rule.may_be_suppressed());
    assert_eq!(
        kept.map(|rule| rule.code).collect::<Vec<_>>(),
        ["UNUSED_SUPPRESSION"]
    );
}
