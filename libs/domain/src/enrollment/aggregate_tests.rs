use jiff::civil::date;

use super::*;
use crate::enrollment::commands::TrackFacts;
use crate::enrollment::events::Direction;
use crate::ids::{PartnerId, ProgramId, TrackId};
use crate::partner::PartnerStatus;
use crate::program::{ApplyProgram, Program, ProgramCommand, Publisher};
use crate::test_support::{Given, given};

const TODAY: Date = date(2026, 3, 1);

fn tier(id: &str) -> TierId {
    TierId::parse(id).unwrap()
}

fn track_facts() -> TrackFacts {
    TrackFacts {
        archived: false,
        published: true,
        tiers: Some(vec![tier("gold"), tier("registered")]),
        ..TrackFacts::default()
    }
}

fn enroll() -> Enroll {
    Enroll {
        enrollment: EnrollmentId::parse("e1").unwrap(),
        partner: PartnerId::parse("acme").unwrap(),
        program: ProgramId::parse("resale").unwrap(),
        track: TrackId::parse("main").unwrap(),
        start_date: TODAY,
        end_date: Some(date(2026, 12, 31)),
        placed_tier: None,
        primary_contact: None,
        today: TODAY,
        partner_status: PartnerStatus::Active,
        track_facts: track_facts(),
    }
}

fn enroll_with(change: impl FnOnce(&mut Enroll)) -> EnrollmentCommand {
    let mut enroll = enroll();
    change(&mut enroll);
    EnrollmentCommand::Enroll(Box::new(enroll))
}

fn enrolled() -> Given<Enrollment> {
    given::<Enrollment>([]).when(enroll_with(|_| ())).accepted()
}

fn pin(id: &str, until: Option<Date>) -> EnrollmentCommand {
    EnrollmentCommand::Pin(PinTier {
        tier: tier(id),
        reason: "strategic".to_owned(),
        until,
        today: TODAY,
        track_facts: track_facts(),
    })
}

fn clear(today: Date) -> EnrollmentCommand {
    EnrollmentCommand::ClearPin {
        reason: String::new(),
        today,
    }
}

fn terminate(date: Date, today: Date) -> EnrollmentCommand {
    EnrollmentCommand::Terminate {
        date,
        reason: "left".to_owned(),
        today,
    }
}

fn extend(end_date: Option<Date>) -> EnrollmentCommand {
    EnrollmentCommand::Extend {
        end_date,
        today: TODAY,
    }
}

fn expire(today: Date) -> EnrollmentCommand {
    EnrollmentCommand::Expire { today }
}

fn recommended(number: u32) -> DecideRecommendation {
    DecideRecommendation {
        recommendation: number,
        direction: Direction::Promotion,
        tier: tier("gold"),
        note: "well earned".to_owned(),
        today: TODAY,
    }
}

#[test]
fn a_partner_is_enrolled_and_holds_the_place() {
    let enrollment = enrolled().state;
    assert_eq!(enrollment.id().unwrap().as_str(), "e1");
    assert!(!enrollment.enrolled().unwrap().backdated);
    assert_eq!(enrollment.claims()[0].key, "acme/resale/main");
    assert_eq!(
        enrollment.routing(),
        Some(Routing::Partner(PartnerId::parse("acme").unwrap()))
    );
    assert!(enrollment.is_active_on(TODAY));
    assert!(enrollment.is_active_on(date(2026, 12, 31)));
    assert!(!enrollment.is_active_on(date(2026, 2, 28)));
    assert!(!enrollment.is_active_on(date(2027, 1, 1)));
}

#[test]
fn a_start_in_the_past_is_taken_and_marked() {
    let enrollment = given::<Enrollment>([])
        .when(enroll_with(|enroll| enroll.start_date = date(2014, 1, 1)))
        .accepted()
        .state;
    assert!(enrollment.enrolled().unwrap().backdated);
}

#[test]
fn only_partners_that_take_part_are_enrolled() {
    for (status, reason) in [
        (PartnerStatus::Suspended, "PARTNER_SUSPENDED"),
        (PartnerStatus::Inactive, "PARTNER_INACTIVE"),
    ] {
        given::<Enrollment>([])
            .when(enroll_with(|enroll| enroll.partner_status = status))
            .refused(reason);
    }
    given::<Enrollment>([])
        .when(enroll_with(|enroll| {
            enroll.partner_status = PartnerStatus::Pending
        }))
        .accepted();
}

#[test]
fn an_enrollment_begins_within_the_dates_of_its_program() {
    let starting = |day: Date| {
        given::<Enrollment>([]).when(enroll_with(|enroll| {
            enroll.start_date = day;
            enroll.track_facts.start_date = Some(date(2026, 1, 15));
            enroll.track_facts.end_date = Some(date(2026, 2, 15));
        }))
    };
    starting(date(2026, 1, 14)).refused("PROGRAM_NOT_STARTED");
    starting(date(2026, 1, 15)).accepted();
    starting(date(2026, 2, 15)).accepted();
    let refused = starting(date(2026, 2, 16)).refused("PROGRAM_ENDED");
    assert!(refused.message.starts_with("start_date: "), "{refused}");
}

#[test]
fn the_track_must_be_published_in_a_program_that_is_open() {
    type Change = fn(&mut TrackFacts);
    let cases: [(Change, &str); 3] = [
        (|facts| facts.archived = true, "PROGRAM_ARCHIVED"),
        (|facts| facts.published = false, "PROGRAM_NOT_PUBLISHED"),
        (|facts| facts.tiers = None, "TRACK_NOT_PUBLISHED"),
    ];
    for (change, reason) in cases {
        given::<Enrollment>([])
            .when(enroll_with(|enroll| change(&mut enroll.track_facts)))
            .refused(reason);
    }
}

#[test]
fn wrong_dates_tiers_and_contacts_are_named() {
    given::<Enrollment>([])
        .when(enroll_with(|enroll| {
            enroll.end_date = Some(date(2026, 2, 28));
            enroll.primary_contact = Some(String::new());
        }))
        .invalid(&["end_date", "primary_contact"]);
    given::<Enrollment>([])
        .when(enroll_with(|enroll| enroll.start_date = date(1492, 1, 1)))
        .invalid(&["start_date"]);
    given::<Enrollment>([])
        .when(enroll_with(|enroll| {
            enroll.placed_tier = Some(tier("silver"))
        }))
        .invalid(&["placed_tier"]);
}

#[test]
fn a_tier_is_pinned_with_a_reason_and_cleared_again() {
    enrolled()
        .when(clear(TODAY))
        .nothing()
        .when(pin("gold", None))
        .then([EnrollmentEvent::TierPinned {
            tier: tier("gold"),
            reason: "strategic".to_owned(),
            until: None,
            date: TODAY,
        }])
        .when(pin("gold", None))
        .nothing()
        .when(pin("gold", Some(date(2026, 6, 30))))
        .accepted()
        .when(clear(TODAY))
        .then([EnrollmentEvent::PinCleared {
            reason: String::new(),
            date: TODAY,
        }]);
    enrolled().when(pin("silver", None)).invalid(&["tier"]);
    enrolled()
        .when(pin("gold", Some(date(2026, 2, 28))))
        .invalid(&["until"]);
}

#[test]
fn an_end_is_only_moved_to_a_later_day() {
    let later = Some(date(2027, 12, 31));
    enrolled()
        .when(extend(later))
        .then([EnrollmentEvent::EnrollmentExtended {
            from: date(2026, 12, 31),
            end_date: later,
        }])
        .when(extend(later))
        .nothing()
        .when(extend(Some(date(2027, 6, 30))))
        .invalid(&["end_date"]);
    enrolled()
        .when(extend(None))
        .accepted()
        .when(extend(later))
        .refused("ENROLLMENT_OPEN_ENDED");
}

#[test]
fn a_terminated_enrollment_frees_its_place_and_takes_no_more_commands() {
    let today = date(2026, 5, 1);
    let ended = enrolled()
        .when(terminate(date(2026, 4, 30), today))
        .then([EnrollmentEvent::EnrollmentTerminated {
            date: date(2026, 4, 30),
            reason: "left".to_owned(),
        }])
        .when(terminate(date(2026, 4, 30), today))
        .nothing();
    assert!(ended.state.claims().is_empty());
    assert_eq!(ended.state.termination_reason(), "left");
    assert!(!ended.state.is_active_on(today));
    ended
        .clone()
        .when(pin("gold", None))
        .refused("ENROLLMENT_TERMINATED");
    ended
        .clone()
        .when(expire(date(2030, 1, 1)))
        .refused("ENROLLMENT_TERMINATED");
    ended
        .when(terminate(today, today))
        .refused("ENROLLMENT_TERMINATED");
}

#[test]
fn an_enrollment_is_terminated_within_its_own_days() {
    enrolled()
        .when(terminate(date(2026, 2, 28), TODAY))
        .invalid(&["date"]);
    enrolled()
        .when(terminate(date(2026, 3, 2), TODAY))
        .invalid(&["date"]);
    let start = date(2026, 6, 1);
    given::<Enrollment>([])
        .when(enroll_with(|enroll| enroll.start_date = start))
        .accepted()
        .when(terminate(start, TODAY))
        .accepted();
}

#[test]
fn an_enrollment_expires_on_the_day_after_its_end() {
    let end = date(2026, 12, 31);
    let expired = enrolled()
        .when(expire(date(2027, 1, 1)))
        .then([EnrollmentEvent::EnrollmentExpired { date: end }])
        .when(expire(date(2027, 1, 2)))
        .nothing();
    assert_eq!(expired.state.ended_date(), Some(end));
    expired.when(clear(TODAY)).refused("ENROLLMENT_EXPIRED");
    enrolled().when(expire(end)).refused("ENROLLMENT_NOT_OVER");
    enrolled()
        .when(clear(date(2027, 1, 1)))
        .refused("ENROLLMENT_EXPIRED");
}

#[test]
fn a_recommendation_is_decided_once() {
    enrolled()
        .when(EnrollmentCommand::ApproveRecommendation(recommended(1)))
        .then([EnrollmentEvent::RecommendationApproved {
            recommendation: 1,
            direction: Direction::Promotion,
            tier: tier("gold"),
            note: "well earned".to_owned(),
            date: TODAY,
        }])
        .when(EnrollmentCommand::ApproveRecommendation(recommended(1)))
        .nothing()
        .when(EnrollmentCommand::RejectRecommendation(recommended(2)))
        .accepted()
        .when(EnrollmentCommand::RejectRecommendation(recommended(1)))
        .refused("RECOMMENDATION_DECIDED");
}

#[test]
fn only_the_last_decisions_are_remembered() {
    let mut enrollment = enrolled();
    for number in 0..60 {
        let approve = EnrollmentCommand::ApproveRecommendation(recommended(number));
        enrollment = enrollment.when(approve).accepted();
    }
    assert_eq!(enrollment.state.decisions.len(), limits::DECISIONS);
}

#[test]
fn what_does_not_exist_cannot_be_changed() {
    for command in [pin("gold", None), clear(TODAY), extend(None), expire(TODAY)] {
        given::<Enrollment>([])
            .when(command)
            .refused("ENROLLMENT_NOT_FOUND");
    }
    enrolled()
        .when(enroll_with(|_| ()))
        .refused("ENROLLMENT_EXISTS");
}

#[test]
fn a_track_counts_when_any_published_version_has_it() {
    let apply = |change: fn(&mut crate::program::ProgramDefinition)| {
        let mut definition = crate::program::validate::tests::sample();
        change(&mut definition);
        ProgramCommand::Apply(ApplyProgram {
            definition: Box::new(definition),
            effective_date: TODAY,
            note: String::new(),
            transition: crate::program::Transition::Now,
            today: TODAY,
            publisher: Publisher::default(),
            library: crate::benefit::BenefitLibrary::default(),
        })
    };
    let program = given::<Program>([])
        .when(apply(|_| ()))
        .accepted()
        .when(apply(|definition| {
            definition.tracks[0].tiers[0].id = TierId::parse("platinum").unwrap();
        }))
        .accepted()
        .state;
    let facts = TrackFacts::of(&program, &TrackId::parse("main").unwrap());
    assert_eq!(
        facts.tiers,
        Some(vec![tier("gold"), tier("registered"), tier("platinum")])
    );
    assert!(facts.published && !facts.archived);
    assert_eq!(
        TrackFacts::of(&program, &TrackId::parse("other").unwrap()).tiers,
        None
    );
    assert!(!TrackFacts::of(&Program::default(), &TrackId::parse("main").unwrap()).published);
}

mod properties {
    use proptest::prelude::*;

    use super::*;
    use crate::test_support::run_and_replay;
    use crate::time::add_days;

    fn day() -> impl Strategy<Value = Date> {
        (-40..400_i32).prop_map(|days| add_days(TODAY, days))
    }

    fn command() -> impl Strategy<Value = EnrollmentCommand> {
        prop_oneof![
            3 => (day(), prop::option::of(day())).prop_map(|(start, end)| {
                enroll_with(|enroll| {
                    enroll.start_date = start;
                    enroll.end_date = end;
                })
            }),
            1 => prop::option::of(day()).prop_map(|until| pin("gold", until)),
            1 => day().prop_map(clear),
            1 => prop::option::of(day()).prop_map(extend),
            1 => (day(), day()).prop_map(|(date, today)| terminate(date, today)),
            1 => day().prop_map(expire),
            1 => (0..4_u32, any::<bool>()).prop_map(|(number, approve)| {
                let decide = recommended(number);
                if approve {
                    EnrollmentCommand::ApproveRecommendation(decide)
                } else {
                    EnrollmentCommand::RejectRecommendation(decide)
                }
            }),
        ]
    }

    proptest! {
        #[test]
        fn any_commands_leave_an_enrollment_that_replays(
            commands in prop::collection::vec(command(), 0..20)
        ) {
            let (enrollment, _) = run_and_replay::<Enrollment>(commands);
            if let (Some(enrolled), Some(last)) = (enrollment.enrolled(), enrollment.ended_date()) {
                prop_assert!(enrolled.start_date <= last);
                prop_assert!(enrollment.claims().is_empty());
            }
        }
    }
}
