//! The decoder of messages bounds how deep they nest: whatever the domain takes has to fit.

use prost::Message as _;
use rust_decimal::Decimal;
use tierline_domain::program::{
    Color, DemotionPolicy, ProgramDefinition, PromotionPolicy, Tier, Track,
};
use tierline_domain::rules::model::MAX_DEPTH;
use tierline_domain::rules::{
    Addend, Condition, Criterion, FactKind, Grouping, Measure, Path, Periods, Points, PointsEntry,
    Requirement, Selection, Test, Threshold, Value, Weight, Where, Window,
};
use tierline_domain::time::PeriodUnit;
use tierline_domain::{Currency, TierId, TrackId};
use tierline_proto::program::v1 as pb;
use tierline_rpc::convert::{definition, definition_message};

fn name() -> String {
    "x".to_owned()
}

/// The definition out of the bytes of a request that holds the requirement.
fn sent(requirement: Requirement) -> (ProgramDefinition, ProgramDefinition) {
    let tier = Tier {
        id: TierId::parse("gold").unwrap(),
        name: name(),
        color: Color::Amber,
        badge: None,
        qualification: Some(requirement),
        retention: None,
        benefits: Vec::new(),
    };
    let given = ProgramDefinition {
        slug: name(),
        name: name(),
        description: String::new(),
        start_date: None,
        end_date: None,
        currency: Currency::EUR,
        program_year_start: 1,
        fixed_rates: Vec::new(),
        tracks: vec![Track {
            id: TrackId::parse("main").unwrap(),
            name: name(),
            promotion: PromotionPolicy::default(),
            demotion: DemotionPolicy::default(),
            tiers: vec![tier],
        }],
        catalogue: None,
        lint: Vec::new(),
    };
    let request = pb::ApplyProgramRequest {
        content: Some(pb::apply_program_request::Content::Definition(
            definition_message(&given),
        )),
        ..Default::default()
    };
    let bytes = request.encode_to_vec();
    let read = pb::ApplyProgramRequest::decode(bytes.as_slice()).unwrap();
    let Some(pb::apply_program_request::Content::Definition(message)) = read.content else {
        panic!("the definition is gone");
    };
    (definition(message).unwrap(), given)
}

/// Puts a measure into another.
type Wrap<'a> = &'a dyn Fn(usize, Measure) -> Measure;

/// The measure whose message is deepest without a level of the domain: a value in a table of
/// points.
fn points() -> Measure {
    let filter = Condition::Field {
        name: name(),
        test: Test::IncludesAny(vec![Value::Text(name())]),
    };
    let facts = Selection {
        kind: FactKind::new("deal"),
        filter,
        date: name(),
        window: Window::AllTime,
        after: None,
        same: None,
    };
    let entry = PointsEntry {
        name: name(),
        facts,
        points: Decimal::ONE,
        per: None,
        first: None,
        most_per: None,
        most: None,
    };
    Measure::Points(Points {
        table: vec![entry],
        take: Default::default(),
        most: None,
    })
}

fn criterion(id: usize, measure: Measure) -> Requirement {
    Requirement::Criterion(Box::new(Criterion {
        id: format!("c{id}"),
        name: name(),
        measure,
        needs: Threshold::Gte(Decimal::ONE),
        cases: Vec::new(),
        of_which: Vec::new(),
        note: None,
    }))
}

/// The deepest that passes the check of the domain, and how often it was wrapped.
fn deepest<T: Clone>(
    leaf: T,
    wrap: impl Fn(usize, T) -> T,
    whole: impl Fn(T) -> Requirement,
) -> (Requirement, usize) {
    let (mut inner, mut depth) = (leaf, 0);
    whole(inner.clone()).check().unwrap();
    loop {
        let outer = wrap(depth, inner.clone());
        if whole(outer.clone()).check().is_err() {
            return (whole(inner), depth);
        }
        (inner, depth) = (outer, depth + 1);
    }
}

#[test]
fn the_deepest_requirement_that_the_domain_takes_fits_into_a_message() {
    let mut filter = Condition::All(Vec::new());
    for _ in 0..MAX_DEPTH {
        filter = Condition::All(vec![filter]);
    }
    let mut requirement = Requirement::Partner {
        id: name(),
        name: name(),
        filter,
    };
    for _ in 0..MAX_DEPTH {
        requirement = Requirement::All(vec![requirement]);
    }
    let (read, given) = sent(requirement);
    assert_eq!(read, given);
}

#[test]
fn the_deepest_tree_of_each_kind_of_requirement_fits_into_a_message() {
    let best_of = |_, holds| {
        Requirement::BestOf(vec![Path {
            name: name(),
            holds,
        }])
    };
    let every_period = |_, holds| {
        Requirement::EveryPeriod(Periods {
            unit: PeriodUnit::Month,
            last: 1,
            holds: Box::new(holds),
        })
    };
    let place = |_, holds| {
        Requirement::Where(Where {
            filter: Condition::default(),
            from: None,
            until: None,
            holds: Box::new(holds),
            otherwise: Default::default(),
        })
    };
    let information = |_, holds| Requirement::Information(Box::new(holds));
    let wraps: [&dyn Fn(usize, Requirement) -> Requirement; 4] =
        [&best_of, &every_period, &place, &information];
    for wrap in wraps {
        let (requirement, depth) = deepest(criterion(0, points()), wrap, |whole| whole);
        assert!(depth >= MAX_DEPTH - 3, "only {depth} levels");
        let (read, given) = sent(requirement);
        assert_eq!(read, given);
    }
}

#[test]
fn the_deepest_tree_of_each_kind_of_measure_fits_into_a_message() {
    let weighted = |_, of| {
        Measure::Weighted(vec![Weight {
            name: name(),
            weight: Decimal::ONE,
            of,
        }])
    };
    let total = |_, of| Measure::Total(vec![of]);
    let ratio = |_, of| Measure::Ratio {
        of: Box::new(Measure::MonthsInTier),
        to: Box::new(of),
        when_zero: Default::default(),
    };
    let gated = |_, of| Measure::Gate {
        when: Box::new(Requirement::Partner {
            id: name(),
            name: name(),
            filter: Condition::default(),
        }),
        of: Box::new(of),
    };
    let gate = |depth: usize, of| Measure::Gate {
        when: Box::new(criterion(depth + 1, of)),
        of: Box::new(Measure::MonthsInTier),
    };
    let wraps: [(Wrap<'_>, usize); 4] = [(&weighted, 1), (&total, 1), (&ratio, 1), (&gate, 2)];
    for (wrap, levels) in wraps {
        let (requirement, depth) = deepest(points(), wrap, |measure| criterion(0, measure));
        assert!(depth >= (MAX_DEPTH - 3) / levels, "only {depth} levels");
        let (read, given) = sent(requirement);
        assert_eq!(read, given);
    }
    let (read, given) = sent(criterion(0, gated(0, points())));
    assert_eq!(read, given);
}

#[test]
fn the_deepest_tree_of_requirements_conditions_and_measures_fits_into_a_message() {
    let groups = |filter| Grouping {
        facts: Selection {
            kind: FactKind::new("deal"),
            filter,
            date: name(),
            window: Window::AllTime,
            after: None,
            same: None,
        },
        by: name(),
        of: Some(Addend::Amount),
    };
    let field = Condition::Field {
        name: name(),
        test: Test::IncludesAll(vec![Value::Text(name())]),
    };
    let within = |filter| {
        let mut measure = Measure::CountGroups {
            groups: groups(filter),
            each: Threshold::Gte(Decimal::ONE),
        };
        for _ in 0..4 {
            measure = Measure::Weighted(vec![Weight {
                name: name(),
                weight: Decimal::ONE,
                of: measure,
            }]);
        }
        let mut whole = criterion(0, measure);
        for _ in 0..4 {
            whole = Requirement::BestOf(vec![Path {
                name: name(),
                holds: whole,
            }]);
        }
        whole
    };
    let (requirement, depth) = deepest(field, |_, part| Condition::All(vec![part]), within);
    assert!(depth >= MAX_DEPTH - 12, "only {depth} levels");
    let (read, given) = sent(requirement);
    assert_eq!(read, given);
}
