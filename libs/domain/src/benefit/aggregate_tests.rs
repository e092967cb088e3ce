use super::*;
use crate::benefit::defaults::default_benefits;
use crate::benefit::value::BenefitType;
use crate::benefit::yaml::{BenefitFile, benefit_from_yaml, benefit_to_yaml};
use crate::test_support::{Given, given, run_and_replay};

fn new(name: &str) -> Box<CreateBenefit> {
    Box::new(CreateBenefit {
        benefit: BenefitId::parse("mdf").unwrap(),
        content: BenefitContent {
            name: name.to_owned(),
            description: String::new(),
            benefit_type: BenefitType::Amount,
        },
    })
}

fn created(name: &str) -> BenefitEvent {
    let CreateBenefit { benefit, content } = *new(name);
    BenefitEvent::BenefitCreated {
        benefit,
        content: Box::new(content),
    }
}

fn existing() -> Given<Benefit> {
    given([created("Marketing funds")])
}

fn named(name: &str) -> BenefitChanges {
    BenefitChanges {
        name: Some(name.to_owned()),
        ..BenefitChanges::default()
    }
}

fn rename(name: &str) -> BenefitCommand {
    BenefitCommand::Edit(Box::new(named(name)))
}

#[test]
fn a_benefit_is_created_once() {
    given::<Benefit>([])
        .when(BenefitCommand::Create(new("Marketing funds")))
        .then([created("Marketing funds")])
        .when(BenefitCommand::Create(new("Marketing funds")))
        .refused("BENEFIT_EXISTS");
}

#[test]
fn seeding_creates_what_is_missing_and_leaves_what_is_there() {
    given::<Benefit>([])
        .when(BenefitCommand::Seed(new("Marketing funds")))
        .then([created("Marketing funds")])
        .when(BenefitCommand::Seed(new("Another")))
        .nothing()
        .when(BenefitCommand::Archive)
        .accepted()
        .when(BenefitCommand::Seed(new("Another")))
        .nothing();
}

#[test]
fn an_edit_writes_only_what_differs() {
    let changes = BenefitChanges {
        name: Some("Marketing funds".to_owned()),
        description: Some("Paid back against proof.".to_owned()),
    };
    let after = existing()
        .when(BenefitCommand::Edit(Box::new(changes)))
        .then([BenefitEvent::BenefitEdited {
            changes: Box::new(BenefitChanges {
                name: None,
                description: Some("Paid back against proof.".to_owned()),
            }),
        }])
        .when(rename("Marketing funds"))
        .nothing()
        .state;
    assert_eq!(after.content().unwrap().name, "Marketing funds");
    assert_eq!(
        after.content().unwrap().description,
        "Paid back against proof."
    );
}

#[test]
fn an_archived_benefit_does_not_change_until_it_is_restored() {
    existing()
        .when(BenefitCommand::Restore)
        .nothing()
        .when(BenefitCommand::Archive)
        .then([BenefitEvent::BenefitArchived {}])
        .when(BenefitCommand::Archive)
        .nothing()
        .when(rename("Marketing funds"))
        .nothing()
        .when(BenefitCommand::Restore)
        .then([BenefitEvent::BenefitRestored {}])
        .when(rename("MDF"))
        .accepted()
        .when(BenefitCommand::Archive)
        .accepted()
        .when(rename("Funds"))
        .refused("BENEFIT_ARCHIVED");
}

#[test]
fn every_mistake_is_named_with_its_place() {
    let mut wrong = new("");
    wrong.benefit = serde_json::from_value("No Label".into()).unwrap();
    wrong.content.description = "x".repeat(2_001);
    given::<Benefit>([])
        .when(BenefitCommand::Create(wrong))
        .invalid(&["benefit", "content.name", "content.description"]);
    existing().when(rename(" MDF")).invalid(&["name"]);
}

#[test]
fn a_benefit_that_does_not_exist_cannot_be_changed() {
    for command in [
        rename("MDF"),
        BenefitCommand::Archive,
        BenefitCommand::Restore,
    ] {
        given::<Benefit>([])
            .when(command)
            .refused("BENEFIT_NOT_FOUND");
    }
}

#[test]
fn a_benefit_with_facts_of_a_newer_release_is_left_alone() {
    let unknown = BenefitEvent::Unknown {
        event_type: "tierline.program.v1.BenefitPainted".to_owned(),
        payload: serde_json::Value::Null,
    };
    given::<Benefit>([created("Marketing funds"), unknown])
        .when(BenefitCommand::Archive)
        .refused("UNKNOWN_EVENT");
}

#[test]
fn its_name_is_claimed_in_any_case_also_while_it_is_archived() {
    let archived = existing().when(BenefitCommand::Archive).accepted().state;
    let claim = Claim {
        scope: "benefit_name",
        key: "marketing funds".to_owned(),
    };
    assert_eq!(claim.taken().reason, "BENEFIT_NAME_TAKEN");
    assert_eq!(archived.claims(), [claim]);
    assert_eq!(Benefit::default().claims(), []);
}

#[test]
fn the_default_benefits_are_valid_and_have_different_names() {
    let mut names = std::collections::BTreeSet::new();
    for new in default_benefits().unwrap() {
        let state = given::<Benefit>([])
            .when(BenefitCommand::Create(Box::new(new)))
            .accepted()
            .state;
        assert!(names.insert(state.claims()));
    }
    assert_eq!(names.len(), 7);
}

#[test]
fn a_benefit_goes_to_a_file_and_back() {
    for new in default_benefits().unwrap() {
        let file = BenefitFile::new(new.benefit, new.content.clone());
        let text = benefit_to_yaml(&file).unwrap();
        let read = benefit_from_yaml(&text).unwrap();
        assert_eq!(read, file, "{text}");
        assert_eq!(read.content(), new.content);
    }
    let refused = benefit_from_yaml("id: mdf\nname: MDF\ntype: money\n").unwrap_err();
    assert_eq!(refused.violations[0].field, "benefit");
}

proptest::proptest! {
    #[test]
    fn any_commands_leave_a_benefit_that_replays(
        steps in proptest::collection::vec((0..5, "[a-c]?"), 0..20)
    ) {
        let commands = steps.into_iter().map(|(kind, name)| match kind {
            0 => BenefitCommand::Create(new(&name)),
            1 => BenefitCommand::Seed(new(&name)),
            2 => rename(&name),
            3 => BenefitCommand::Archive,
            _ => BenefitCommand::Restore,
        });
        let (benefit, _) = run_and_replay::<Benefit>(commands);
        proptest::prop_assert_eq!(benefit.id().is_some(), benefit.content().is_some());
    }
}
