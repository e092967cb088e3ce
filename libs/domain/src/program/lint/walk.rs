//! Every name that a requirement mentions, with its place.

use crate::rules::model::{
    Addend, Condition, Grouping, InForce, Measure, PointsEntry, Selection, Test,
};
use crate::rules::{FactKind, Requirement, Value};

/// What a name is the name of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// An attribute of the partner.
    Attribute,
    /// A field of facts of a kind.
    Field(FactKind),
    /// A certification.
    Certification,
    /// A state of facts of a kind.
    State(FactKind),
    /// A date of facts of a kind.
    Date(FactKind),
    /// A tier.
    Tier,
}

/// A name, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Mention<'a> {
    pub(super) what: What,
    pub(super) name: &'a str,
    pub(super) path: String,
}

/// Whose fields a condition looks at.
#[derive(Clone)]
enum Of {
    Facts(FactKind),
    Partner,
    /// The partner, and how its enrollment stands.
    Enrollment,
}

/// Adds what a requirement mentions.
pub(super) fn mentions<'a>(requirement: &'a Requirement, path: &str, into: &mut Vec<Mention<'a>>) {
    Walk { found: into }.requirement(requirement, path);
}

struct Walk<'a, 'v> {
    found: &'v mut Vec<Mention<'a>>,
}

impl<'a> Walk<'a, '_> {
    fn add(&mut self, what: What, name: &'a str, path: String) {
        self.found.push(Mention { what, name, path });
    }

    fn requirement(&mut self, requirement: &'a Requirement, path: &str) {
        let holds = |name: &str| format!("{path}.{name}.holds");
        match requirement {
            Requirement::All(parts) => self.each(parts, &format!("{path}.all")),
            Requirement::Any(parts) => self.each(parts, &format!("{path}.any")),
            Requirement::AtLeast { of, .. } => self.each(of, &format!("{path}.at_least.of")),
            Requirement::Not(part) => self.requirement(part, &format!("{path}.not")),
            Requirement::Information(part) => {
                self.requirement(part, &format!("{path}.information"));
            }
            Requirement::BestOf(ways) => {
                for (at, way) in ways.iter().enumerate() {
                    self.requirement(&way.holds, &format!("{path}.best_of[{at}].holds"));
                }
            }
            Requirement::EveryPeriod(periods) => {
                self.requirement(&periods.holds, &holds("every_period"));
            }
            Requirement::AnyPeriod(periods) => {
                self.requirement(&periods.holds, &holds("any_period"));
            }
            Requirement::Streak { holds: inner, .. } => self.requirement(inner, &holds("streak")),
            Requirement::Sustained(one) => self.requirement(&one.holds, &holds("sustained")),
            Requirement::AnyDay { holds: inner, .. } => self.requirement(inner, &holds("any_day")),
            Requirement::ForEach(each) => {
                self.grouping(&each.groups, &format!("{path}.for_each.groups"));
                self.requirement(&each.holds, &holds("for_each"));
            }
            Requirement::Where(place) => {
                let filter = format!("{path}.where.where");
                self.condition(&place.filter, &Of::Enrollment, &filter);
                self.requirement(&place.holds, &holds("where"));
            }
            Requirement::Partner { filter, .. } => {
                self.condition(filter, &Of::Partner, &format!("{path}.partner.where"));
            }
            Requirement::Criterion(criterion) => {
                let path = format!("{path}.criterion");
                self.measure(&criterion.measure, &format!("{path}.measure"));
                for (at, case) in criterion.cases.iter().enumerate() {
                    let path = format!("{path}.cases[{at}].where");
                    self.condition(&case.filter, &Of::Enrollment, &path);
                }
                if let Some(kind) = kind_of(&criterion.measure) {
                    for (at, part) in criterion.of_which.iter().enumerate() {
                        let path = format!("{path}.of_which[{at}].where");
                        self.condition(&part.filter, &Of::Facts(kind.clone()), &path);
                    }
                }
            }
        }
    }

    fn each(&mut self, parts: &'a [Requirement], path: &str) {
        for (at, part) in parts.iter().enumerate() {
            self.requirement(part, &format!("{path}[{at}]"));
        }
    }

    fn measure(&mut self, measure: &'a Measure, path: &str) {
        match measure {
            Measure::Count { facts } => self.selection(facts, &format!("{path}.count.facts")),
            Measure::CountDistinct { facts, key } => {
                self.selection(facts, &format!("{path}.count_distinct.facts"));
                self.field(&facts.kind, key, format!("{path}.count_distinct.key"));
            }
            Measure::Sum { facts, of } => {
                self.selection(facts, &format!("{path}.sum.facts"));
                self.addend(&facts.kind, Some(of), &format!("{path}.sum.of"));
            }
            Measure::Points(points) => {
                for (at, entry) in points.table.iter().enumerate() {
                    self.entry(entry, &format!("{path}.points.table[{at}]"));
                }
            }
            Measure::Groups { groups, .. } => {
                self.grouping(groups, &format!("{path}.groups.groups"));
            }
            Measure::CountGroups { groups, .. } => {
                self.grouping(groups, &format!("{path}.count_groups.groups"));
            }
            Measure::PersonsCertified {
                filter,
                holding,
                same,
                ..
            } => {
                let path = format!("{path}.persons_certified");
                let of = Of::Facts(certification());
                self.condition(filter, &of, &format!("{path}.where"));
                for (at, kind) in holding.iter().enumerate() {
                    self.condition(kind, &of, &format!("{path}.holding[{at}]"));
                }
                self.same(&certification(), same.as_deref(), &path);
            }
            Measure::Roles(roles) => {
                for (at, role) in roles.roles.iter().enumerate() {
                    let path = format!("{path}.roles.roles[{at}].where");
                    self.condition(&role.filter, &Of::Facts(certification()), &path);
                }
            }
            Measure::InForce(facts) => self.in_force(facts, &format!("{path}.in_force")),
            Measure::DaysSince { facts } => {
                self.selection(facts, &format!("{path}.days_since.facts"));
            }
            Measure::PeriodsInTier { tiers, .. } => {
                for (at, tier) in tiers.iter().enumerate() {
                    self.add(
                        What::Tier,
                        tier,
                        format!("{path}.periods_in_tier.tiers[{at}]"),
                    );
                }
            }
            Measure::PartnerNumber { attribute } => {
                self.add(
                    What::Attribute,
                    attribute,
                    format!("{path}.partner_number.attribute"),
                );
            }
            Measure::MonthsInProgram | Measure::MonthsInTier => {}
            composed => self.composed(composed, path),
        }
    }

    fn composed(&mut self, measure: &'a Measure, path: &str) {
        match measure {
            Measure::Ratio { of, to, .. } => {
                self.measure(of, &format!("{path}.ratio.of"));
                self.measure(to, &format!("{path}.ratio.to"));
            }
            Measure::Difference { of, less } => {
                self.measure(of, &format!("{path}.difference.of"));
                self.measure(less, &format!("{path}.difference.less"));
            }
            Measure::Across(across) => self.measure(&across.of, &format!("{path}.across.of")),
            Measure::Rank(rank) => self.measure(&rank.of, &format!("{path}.rank.of")),
            Measure::Line(line) => self.measure(&line.by, &format!("{path}.line.by")),
            Measure::Growth(growth) => self.measure(&growth.of, &format!("{path}.growth.of")),
            Measure::Total(parts) => self.several(parts, &format!("{path}.total")),
            Measure::Least(parts) => self.several(parts, &format!("{path}.least")),
            Measure::Greatest(parts) => self.several(parts, &format!("{path}.greatest")),
            Measure::Times { of, .. } => self.measure(of, &format!("{path}.times.of")),
            Measure::Steps { of, .. } => self.measure(of, &format!("{path}.steps.of")),
            Measure::Linear { of, .. } => self.measure(of, &format!("{path}.linear.of")),
            Measure::Weighted(parts) => {
                for (at, part) in parts.iter().enumerate() {
                    self.measure(&part.of, &format!("{path}.weighted[{at}].of"));
                }
            }
            Measure::Gate { when, of } => {
                self.requirement(when, &format!("{path}.gate.when"));
                self.measure(of, &format!("{path}.gate.of"));
            }
            _ => {}
        }
    }

    fn several(&mut self, parts: &'a [Measure], path: &str) {
        for (at, part) in parts.iter().enumerate() {
            self.measure(part, &format!("{path}[{at}]"));
        }
    }

    fn entry(&mut self, entry: &'a PointsEntry, path: &str) {
        let kind = &entry.facts.kind;
        self.selection(&entry.facts, &format!("{path}.facts"));
        let of = entry.per.as_ref().map(|per| &per.of);
        self.addend(kind, of, &format!("{path}.per.of"));
        if let Some(cap) = &entry.most_per {
            self.field(kind, &cap.key, format!("{path}.most_per.key"));
        }
    }

    fn grouping(&mut self, groups: &'a Grouping, path: &str) {
        let kind = &groups.facts.kind;
        self.selection(&groups.facts, &format!("{path}.facts"));
        self.field(kind, &groups.by, format!("{path}.by"));
        self.addend(kind, groups.of.as_ref(), &format!("{path}.of"));
    }

    fn selection(&mut self, facts: &'a Selection, path: &str) {
        let kind = &facts.kind;
        self.condition(
            &facts.filter,
            &Of::Facts(kind.clone()),
            &format!("{path}.where"),
        );
        self.add(
            What::Date(kind.clone()),
            &facts.date,
            format!("{path}.date"),
        );
        let unless = facts
            .after
            .as_ref()
            .and_then(|after| after.unless.as_deref());
        if let Some(date) = unless {
            self.add(
                What::Date(kind.clone()),
                date,
                format!("{path}.after.unless"),
            );
        }
        self.same(kind, facts.same.as_deref(), path);
    }

    fn in_force(&mut self, facts: &'a InForce, path: &str) {
        let kind = &facts.kind;
        self.condition(
            &facts.filter,
            &Of::Facts(kind.clone()),
            &format!("{path}.where"),
        );
        self.add(
            What::Date(kind.clone()),
            &facts.from,
            format!("{path}.from"),
        );
        self.add(
            What::Date(kind.clone()),
            &facts.until,
            format!("{path}.until"),
        );
        self.addend(kind, facts.of.as_ref(), &format!("{path}.of"));
        self.same(kind, facts.same.as_deref(), path);
    }

    fn same(&mut self, kind: &FactKind, same: Option<&'a str>, path: &str) {
        if let Some(field) = same {
            self.field(kind, field, format!("{path}.same"));
        }
    }

    fn addend(&mut self, kind: &FactKind, of: Option<&'a Addend>, path: &str) {
        if let Some(Addend::Field(name)) = of {
            self.field(kind, name, format!("{path}.field"));
        }
    }

    fn field(&mut self, kind: &FactKind, name: &'a str, path: String) {
        self.add(What::Field(kind.clone()), name, path);
    }

    fn condition(&mut self, condition: &'a Condition, of: &Of, path: &str) {
        match condition {
            Condition::All(parts) | Condition::Any(parts) => {
                let word = if matches!(condition, Condition::All(_)) {
                    "all"
                } else {
                    "any"
                };
                for (at, part) in parts.iter().enumerate() {
                    self.condition(part, of, &format!("{path}.{word}[{at}]"));
                }
            }
            Condition::Not(part) => self.condition(part, of, &format!("{path}.not")),
            Condition::Field { name, test } => {
                let path = format!("{path}.field");
                self.tested(name, test, of, path);
            }
        }
    }

    fn tested(&mut self, name: &'a str, test: &'a Test, of: &Of, path: String) {
        let values = match (of, name) {
            (Of::Facts(kind), "state") => Some(What::State(kind.clone())),
            (Of::Facts(kind), "certification") if *kind == certification() => {
                Some(What::Certification)
            }
            (Of::Enrollment, "current_tier") => Some(What::Tier),
            _ => None,
        };
        if let Some(what) = values {
            each_text(test, &mut |text| {
                self.add(what.clone(), text, format!("{path}.is"))
            });
        }
        const STANDING: [&str; 3] = ["current_tier", "months_in_tier", "months_in_program"];
        match of {
            Of::Facts(kind) => self.field(kind, name, format!("{path}.name")),
            Of::Enrollment if STANDING.contains(&name) => {}
            Of::Partner | Of::Enrollment => {
                self.add(What::Attribute, name, format!("{path}.name"));
            }
        }
    }
}

fn certification() -> FactKind {
    FactKind::new(FactKind::CERTIFICATION)
}

/// The kind of the facts that a measure with parts looks at.
fn kind_of(measure: &Measure) -> Option<FactKind> {
    match measure {
        Measure::Count { facts }
        | Measure::CountDistinct { facts, .. }
        | Measure::Sum { facts, .. } => Some(facts.kind.clone()),
        Measure::PersonsCertified { .. } => Some(certification()),
        _ => None,
    }
}

/// The texts that a field may be. A comparison by size names none.
fn each_text<'a>(test: &'a Test, visit: &mut dyn FnMut(&'a str)) {
    let mut value = |value: &'a Value| match value {
        Value::Text(text) => visit(text),
        Value::List(items) => items.iter().for_each(|item| visit(item)),
        Value::Number(_) | Value::Flag(_) | Value::Date(_) => {}
    };
    match test {
        Test::Equals(one) => value(one),
        Test::IncludesAny(several) | Test::IncludesAll(several) => {
            several.iter().for_each(value);
        }
        Test::Gte(_)
        | Test::Lte(_)
        | Test::Gt(_)
        | Test::Lt(_)
        | Test::Between { .. }
        | Test::Exists(_) => {}
    }
}
