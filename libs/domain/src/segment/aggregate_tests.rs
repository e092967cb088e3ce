use super::*;
use crate::partner::profile::{PartnerProfile, PartnerType};
use crate::rules::{Condition, Outcome, Test, Value};
use crate::segment::content::SegmentFamily;
use crate::segment::defaults::default_segments;
use crate::segment::yaml::{SegmentFile, segment_from_yaml, segment_to_yaml};
use crate::test_support::{Given, given, run_and_replay};

fn in_region(region: &str) -> Condition {
    Condition::Field {
        name: "region".to_owned(),
        test: Test::Equals(Value::text(region)),
    }
}

fn content(name: &str) -> SegmentContent {
    SegmentContent {
        name: name.to_owned(),
        description: String::new(),
        family: SegmentFamily::Market,
        filter: in_region("EMEA"),
    }
}

fn new(name: &str) -> Box<CreateSegment> {
    Box::new(CreateSegment {
        others: 0,
        segment: SegmentId::parse("emea").unwrap(),
        content: content(name),
    })
}

fn created(name: &str) -> SegmentEvent {
    SegmentEvent::SegmentCreated {
        segment: SegmentId::parse("emea").unwrap(),
        content: Box::new(content(name)),
    }
}

fn existing() -> Given<Segment> {
    given([created("Europe")])
}

fn edit(changes: SegmentChanges) -> SegmentCommand {
    SegmentCommand::Edit(Box::new(changes))
}

fn renamed(name: &str) -> SegmentChanges {
    SegmentChanges {
        name: Some(name.to_owned()),
        ..SegmentChanges::default()
    }
}

#[test]
fn a_segment_is_created_once() {
    given::<Segment>([])
        .when(SegmentCommand::Create(new("Europe")))
        .then([created("Europe")])
        .when(SegmentCommand::Create(new("Europe")))
        .refused("SEGMENT_EXISTS");
}

#[test]
fn seeding_creates_what_is_missing_and_leaves_what_is_there() {
    given::<Segment>([])
        .when(SegmentCommand::Seed(new("Europe")))
        .then([created("Europe")])
        .when(SegmentCommand::Seed(new("Another")))
        .nothing()
        .when(SegmentCommand::Archive)
        .accepted()
        .when(SegmentCommand::Seed(new("Another")))
        .nothing();
}

#[test]
fn an_edit_writes_only_what_differs() {
    let changes = SegmentChanges {
        name: Some("Europe".to_owned()),
        filter: Some(in_region("DACH")),
        ..SegmentChanges::default()
    };
    let after = existing()
        .when(edit(changes))
        .then([SegmentEvent::SegmentEdited {
            changes: Box::new(SegmentChanges {
                filter: Some(in_region("DACH")),
                ..SegmentChanges::default()
            }),
        }])
        .when(edit(renamed("Europe")))
        .nothing()
        .state;
    assert_eq!(after.content().unwrap().filter, in_region("DACH"));
    assert_eq!(after.content().unwrap().name, "Europe");
}

#[test]
fn an_archived_segment_does_not_change_until_it_is_restored() {
    existing()
        .when(SegmentCommand::Restore)
        .nothing()
        .when(SegmentCommand::Archive)
        .then([SegmentEvent::SegmentArchived {}])
        .when(SegmentCommand::Archive)
        .nothing()
        .when(edit(renamed("Europe")))
        .nothing()
        .when(SegmentCommand::Restore)
        .then([SegmentEvent::SegmentRestored {}])
        .when(edit(renamed("EMEA")))
        .accepted()
        .when(SegmentCommand::Archive)
        .accepted()
        .when(edit(renamed("Europe")))
        .refused("SEGMENT_ARCHIVED");
}

#[test]
fn every_mistake_is_named_with_its_place() {
    let mut wrong = new("");
    wrong.segment = serde_json::from_value("No Label".into()).unwrap();
    wrong.content.description = "x".repeat(2_001);
    wrong.content.filter = Condition::All(vec![
        in_region(""),
        Condition::Field {
            name: "employee_count".to_owned(),
            test: Test::Between {
                from: None,
                to: None,
            },
        },
    ]);
    given::<Segment>([])
        .when(SegmentCommand::Create(wrong))
        .invalid(&[
            "segment",
            "content.name",
            "content.description",
            "content.where.all[0].field.is.equals",
            "content.where.all[1].field.is.between",
        ]);
    let filter = Some(Condition::Not(Box::new(Condition::Any(vec![in_region(
        "",
    )]))));
    existing()
        .when(edit(SegmentChanges {
            filter,
            ..SegmentChanges::default()
        }))
        .invalid(&["where.not.any[0].field.is.equals"]);
}

#[test]
fn conditions_are_bounded() {
    let mut deep = in_region("EMEA");
    for _ in 0..16 {
        deep = Condition::Not(Box::new(deep));
    }
    let wide = Condition::All(vec![in_region("EMEA"); 1_000]);
    for filter in [deep, wide] {
        let mut create = new("Europe");
        create.content.filter = filter;
        let answer = given::<Segment>([])
            .state
            .decide(SegmentCommand::Create(create));
        assert_eq!(answer.unwrap_err().reason, "INVALID_REQUEST");
    }
}

#[test]
fn a_segment_that_does_not_exist_cannot_be_changed() {
    for command in [
        edit(renamed("Europe")),
        SegmentCommand::Archive,
        SegmentCommand::Restore,
    ] {
        given::<Segment>([])
            .when(command)
            .refused("SEGMENT_NOT_FOUND");
    }
}

#[test]
fn a_segment_with_facts_of_a_newer_release_is_left_alone() {
    let unknown = SegmentEvent::Unknown {
        event_type: "tierline.program.v1.SegmentPainted".to_owned(),
        payload: serde_json::Value::Null,
    };
    given::<Segment>([created("Europe"), unknown])
        .when(SegmentCommand::Archive)
        .refused("UNKNOWN_EVENT");
}

#[test]
fn membership_is_met_unmet_or_unknown_and_names_what_it_looked_at() {
    let mut partner = PartnerProfile::new("Acme", "acme.example", PartnerType::Reseller);
    let outcome = |partner: &PartnerProfile| {
        let explained = content("Europe").explain("emea", &partner.built_in_attributes());
        (explained.outcome, explained.partner.unwrap().found)
    };
    assert_eq!(outcome(&partner), (Outcome::Unknown, [].into()));
    partner.region = Some("emea".to_owned());
    let found = [("region".to_owned(), Value::text("emea"))].into();
    assert_eq!(outcome(&partner), (Outcome::Met, found));
    partner.region = Some("APAC".to_owned());
    assert_eq!(outcome(&partner).0, Outcome::Unmet);
}

/// A partner with a word in its subtype, and a number of employees.
fn partner(kind: PartnerType, subtype: &str, employees: u32) -> PartnerProfile {
    let mut profile = PartnerProfile::new("Acme", "acme.example", kind);
    profile.subtype = Some(subtype.to_owned());
    profile.category = Some("other".to_owned());
    profile.industry = Some("Retail".to_owned());
    profile.employee_count = Some(employees);
    profile
}

fn segments_of(profile: &PartnerProfile) -> Vec<String> {
    let attributes = profile.built_in_attributes();
    default_segments()
        .unwrap()
        .into_iter()
        .filter(|new| {
            let explained = new.content.explain(new.segment.as_str(), &attributes);
            explained.outcome == Outcome::Met
        })
        .map(|new| new.segment.to_string())
        .collect()
}

#[test]
fn the_default_segments_are_valid_and_tell_partners_apart() {
    use PartnerType::{Channel, Reseller, Technology};
    let defaults = default_segments().unwrap();
    assert_eq!(defaults.len(), 9);
    for new in defaults {
        given::<Segment>([])
            .when(SegmentCommand::Create(Box::new(new)))
            .accepted();
    }
    for (profile, expected) in [
        (partner(Reseller, "var", 1_000), "enterprise-resellers"),
        (partner(Channel, "var", 999), "mid-market-resellers"),
        (partner(Technology, "ISV", 5), "isv"),
        (partner(Technology, "Cloud", 5), "infrastructure"),
        (partner(Technology, "AI", 5), "data-and-ai"),
        (partner(Channel, "SI", 5), "system-integrators"),
        (partner(Channel, "MSP", 5), "managed-services"),
        (partner(Channel, "Consulting", 5), "consulting"),
    ] {
        assert_eq!(segments_of(&profile), [expected]);
    }
    let mut public = partner(Reseller, "var", 5);
    public.industry = Some("Government".to_owned());
    assert_eq!(segments_of(&public), ["public-sector"]);
    let unknown = PartnerProfile::new("Acme", "acme.example", Reseller);
    assert_eq!(segments_of(&unknown), [""; 0]);
}

#[test]
fn a_segment_goes_to_a_file_and_back() {
    for new in default_segments().unwrap() {
        let file = SegmentFile::new(new.segment, new.content.clone());
        let text = segment_to_yaml(&file).unwrap();
        let read = segment_from_yaml(&text).unwrap();
        assert_eq!(read, file, "{text}");
        assert_eq!(read.content(), new.content);
    }
    let refused = segment_from_yaml("id: emea\ncolour: red\n").unwrap_err();
    assert_eq!(refused.violations[0].field, "segment");
}

proptest::proptest! {
    #[test]
    fn any_commands_leave_a_segment_that_replays(
        steps in proptest::collection::vec((0..5, "[a-c]?"), 0..20)
    ) {
        let commands = steps.into_iter().map(|(kind, name)| match kind {
            0 => SegmentCommand::Create(new(&name)),
            1 => SegmentCommand::Seed(new(&name)),
            2 => edit(renamed(&name)),
            3 => SegmentCommand::Archive,
            _ => SegmentCommand::Restore,
        });
        let (segment, _) = run_and_replay::<Segment>(commands);
        proptest::prop_assert_eq!(segment.id().is_some(), segment.content().is_some());
    }
}

#[test]
fn an_org_has_a_bounded_number_of_segments() {
    let with = |others| {
        let mut new = new("EMEA");
        new.others = others;
        new
    };
    let most = crate::limits::SEGMENTS;
    given::<Segment>([])
        .when(SegmentCommand::Create(with(most)))
        .refused("TOO_MANY_SEGMENTS");
    given::<Segment>([])
        .when(SegmentCommand::Seed(with(most)))
        .refused("TOO_MANY_SEGMENTS");
    given::<Segment>([])
        .when(SegmentCommand::Create(with(most - 1)))
        .accepted()
        .when(SegmentCommand::Seed(with(most)))
        .nothing();
}
