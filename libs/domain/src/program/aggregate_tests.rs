//! Given, when, then: drafts, versions and their order.

use jiff::civil::date;

use super::*;
use crate::program::validate::tests::sample;
use crate::test_support::{Given, given};

const TODAY: Date = date(2026, 3, 1);

fn created() -> Given<Program> {
    given([ProgramEvent::ProgramCreated {
        program: ProgramId::parse("resale").unwrap(),
        name: "Resale".to_owned(),
    }])
}

fn named(name: &str) -> Box<ProgramDefinition> {
    Box::new(ProgramDefinition {
        name: name.to_owned(),
        ..sample()
    })
}

fn apply(name: &str, effective_date: Date) -> ProgramCommand {
    ProgramCommand::Apply(ApplyProgram {
        definition: named(name),
        effective_date,
        note: String::new(),
        transition: Transition::Now,
        today: TODAY,
        publisher: Publisher::default(),
        library: BenefitLibrary::default(),
    })
}

fn ada() -> Publisher {
    Publisher {
        author: "user:ada".to_owned(),
        time: Some(Timestamp::UNIX_EPOCH),
    }
}

fn publish(effective_date: Date) -> ProgramCommand {
    ProgramCommand::Publish(PublishDraft {
        effective_date,
        note: "as agreed".to_owned(),
        transition: Transition::Now,
        today: TODAY,
        publisher: ada(),
        library: BenefitLibrary::default(),
    })
}

fn save(definition: Box<ProgramDefinition>) -> ProgramCommand {
    ProgramCommand::SaveDraft { definition }
}

#[test]
fn a_draft_is_kept_then_published_as_version_one() {
    let program = created()
        .when(save(named("Resale")))
        .then([ProgramEvent::ProgramDraftSaved {
            definition: named("Resale"),
        }])
        .when(save(named("Resale")))
        .nothing()
        .when(publish(TODAY))
        .then([ProgramEvent::ProgramVersionPublished {
            version: 1,
            effective_date: TODAY,
            note: "as agreed".to_owned(),
            transition: Transition::Now,
            definition: named("Resale"),
            author: "user:ada".to_owned(),
            publish_time: Some(Timestamp::UNIX_EPOCH),
        }]);
    assert_eq!(program.state.draft(), None);
    program.when(publish(TODAY)).refused("PROGRAM_HAS_NO_DRAFT");
}

#[test]
fn an_unfinished_draft_is_kept_but_not_published() {
    let mut draft = named("Resale");
    draft.tracks.clear();
    created()
        .when(save(draft))
        .accepted()
        .when(publish(TODAY))
        .invalid(&["definition.tracks"]);
}

#[test]
fn applying_a_definition_creates_and_publishes_and_twice_is_once() {
    let program = given::<Program>([]).when(apply("Resale", TODAY)).then([
        ProgramEvent::ProgramCreated {
            program: ProgramId::parse("resale").unwrap(),
            name: "Resale".to_owned(),
        },
        ProgramEvent::ProgramVersionPublished {
            version: 1,
            effective_date: TODAY,
            note: String::new(),
            transition: Transition::Now,
            definition: named("Resale"),
            author: String::new(),
            publish_time: None,
        },
    ]);
    let program = program.when(apply("Resale", date(2026, 4, 1))).nothing();
    let program = program.when(apply("Resale 2", TODAY)).accepted();
    assert_eq!(program.state.versions().len(), 2);
    assert_eq!(program.state.name(), "Resale 2");
}

#[test]
fn the_first_version_may_begin_in_the_past_and_later_ones_may_not() {
    given::<Program>([])
        .when(apply("One", date(2014, 1, 1)))
        .accepted()
        .when(apply("Two", date(2026, 2, 28)))
        .refused("EFFECTIVE_DATE_IN_PAST");
}

#[test]
fn a_version_cannot_begin_before_the_one_it_replaces() {
    given::<Program>([])
        .when(apply("One", date(2026, 6, 1)))
        .accepted()
        .when(apply("Two", date(2026, 5, 31)))
        .refused("EFFECTIVE_DATE_BEFORE_PREVIOUS");
}

#[test]
fn of_two_versions_with_the_same_date_the_later_one_is_in_force() {
    let program = given::<Program>([])
        .when(apply("One", TODAY))
        .accepted()
        .when(apply("Two", TODAY))
        .accepted()
        .when(apply("Three", date(2026, 6, 1)))
        .accepted()
        .state;
    let on = |day| program.in_force_on(day).map(|version| version.version);
    assert_eq!(on(date(2026, 2, 28)), None);
    assert_eq!(on(TODAY), Some(2));
    assert_eq!(on(date(2026, 5, 31)), Some(2));
    assert_eq!(on(date(2026, 6, 1)), Some(3));
}

#[test]
fn a_definition_belongs_to_the_program_of_its_slug() {
    let mut other = named("Resale");
    other.slug = "referral".to_owned();
    created().when(save(other)).invalid(&["definition.slug"]);
}

#[test]
fn the_same_definition_is_published_again_for_another_transition() {
    let with = |transition| {
        ProgramCommand::Apply(ApplyProgram {
            definition: named("Resale"),
            effective_date: TODAY,
            note: String::new(),
            transition,
            today: TODAY,
            publisher: Publisher::default(),
            library: BenefitLibrary::default(),
        })
    };
    let softer = Transition::NoLossUntil(date(2026, 9, 1));
    given::<Program>([])
        .when(with(Transition::Now))
        .accepted()
        .when(with(softer))
        .accepted()
        .when(with(softer))
        .nothing()
        // What is usual is not asked for: applying the file again takes nothing back.
        .when(with(Transition::Now))
        .nothing();
}

#[test]
fn an_archived_program_takes_no_more_versions() {
    let program = created()
        .when(save(named("Resale")))
        .accepted()
        .when(ProgramCommand::Archive)
        .then([ProgramEvent::ProgramArchived {}])
        .when(ProgramCommand::Archive)
        .nothing();
    program
        .clone()
        .when(publish(TODAY))
        .refused("PROGRAM_ARCHIVED");
    program
        .clone()
        .when(apply("Other", TODAY))
        .refused("PROGRAM_ARCHIVED");
    program
        .when(save(named("Other")))
        .refused("PROGRAM_ARCHIVED");
}

#[test]
fn a_restored_program_takes_versions_again() {
    created()
        .when(ProgramCommand::Restore)
        .nothing()
        .when(ProgramCommand::Archive)
        .accepted()
        .when(ProgramCommand::Restore)
        .then([ProgramEvent::ProgramRestored {}])
        .when(apply("Resale", TODAY))
        .accepted();
    given::<Program>([])
        .when(ProgramCommand::Restore)
        .refused("PROGRAM_NOT_FOUND");
}

#[test]
fn a_copy_is_the_draft_of_a_new_program() {
    let copy = || ProgramCommand::Copy {
        program: ProgramId::parse("referral").unwrap(),
        name: "Referral".to_owned(),
        definition: named("Resale"),
    };
    let mut definition = named("Referral");
    definition.slug = "referral".to_owned();
    given::<Program>([]).when(copy()).then([
        ProgramEvent::ProgramCreated {
            program: ProgramId::parse("referral").unwrap(),
            name: "Referral".to_owned(),
        },
        ProgramEvent::ProgramDraftSaved { definition },
    ]);
    created().when(copy()).refused("PROGRAM_EXISTS");
}

#[test]
fn a_version_knows_its_author_and_how_much_it_changed() {
    let program = created()
        .when(save(named("Resale")))
        .accepted()
        .when(publish(TODAY))
        .accepted()
        .when(apply("Resale 2", TODAY))
        .accepted()
        .state;
    let [first, second] = program.versions() else {
        panic!("two versions");
    };
    assert_eq!(first.author, "user:ada");
    assert_eq!(first.publish_time, Some(Timestamp::UNIX_EPOCH));
    assert_eq!((first.changes, second.changes), (None, Some(1)));
}

#[test]
fn a_program_that_does_not_exist_has_no_draft() {
    given::<Program>([])
        .when(save(named("Resale")))
        .refused("PROGRAM_NOT_FOUND");
    given::<Program>([])
        .when(publish(TODAY))
        .refused("PROGRAM_NOT_FOUND");
}

#[test]
fn a_program_cannot_be_created_twice() {
    let create = ProgramCommand::Create {
        program: ProgramId::parse("resale").unwrap(),
        name: "Again".to_owned(),
    };
    created().when(create).refused("PROGRAM_EXISTS");
}

proptest::proptest! {
    #[test]
    fn any_commands_leave_a_program_that_replays_with_versions_in_order(
        steps in proptest::collection::vec((0..8_u8, 0..3_u8, -20..40_i32), 0..16)
    ) {
        let commands = steps.into_iter().map(|(kind, name, days)| {
            let name = ["", "Resale", "Resale 2"][usize::from(name)];
            let day = crate::time::add_days(TODAY, days);
            match kind {
                0 => ProgramCommand::Create {
                    program: ProgramId::parse("resale").unwrap(),
                    name: name.to_owned(),
                },
                1 | 2 => save(named(name)),
                3 => publish(day),
                4 if days > 35 => ProgramCommand::Archive,
                6 => ProgramCommand::Restore,
                7 => ProgramCommand::DiscardDraft,
                _ => apply(name, day),
            }
        });
        let (program, _) = crate::test_support::run_and_replay::<Program>(commands);
        for pair in program.versions().windows(2) {
            proptest::prop_assert_eq!(pair[0].version + 1, pair[1].version);
            proptest::prop_assert!(pair[0].effective_date <= pair[1].effective_date);
        }
    }
}
