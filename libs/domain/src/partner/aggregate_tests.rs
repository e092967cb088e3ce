use super::*;
use crate::money::{Currency, Money};
use crate::partner::profile::{PartnerStage, PartnerType};
use crate::test_support::{Given, given};

fn ann() -> Person {
    person("Ann", "ann@acme.example")
}

fn person(first_name: &str, email: &str) -> Person {
    Person {
        first_name: first_name.to_owned(),
        last_name: "Lee".to_owned(),
        email: email.to_owned(),
        phone: None,
        title: None,
    }
}

fn profile() -> PartnerProfile {
    PartnerProfile::new("Acme", "acme.example", PartnerType::Reseller)
}

fn create() -> CreatePartner {
    CreatePartner {
        partner: PartnerId::parse("acme").unwrap(),
        profile: profile(),
        status: PartnerStatus::Active,
        tags: vec!["west".to_owned(), "key".to_owned()],
        primary_contact: ann(),
    }
}

fn acme() -> Given<Partner> {
    given::<Partner>([])
        .when(PartnerCommand::Create(Box::new(create())))
        .accepted()
}

fn edit(changes: PartnerChanges) -> PartnerCommand {
    PartnerCommand::Edit(Box::new(changes))
}

fn add(person: Person) -> PartnerCommand {
    PartnerCommand::AddContact { person }
}

fn record(change: impl FnOnce(&mut RecordPartner)) -> PartnerCommand {
    let mut record = RecordPartner {
        partner: PartnerId::parse("acme").unwrap(),
        profile: profile(),
        status: None,
        tags: None,
        primary_contact: ann(),
    };
    change(&mut record);
    PartnerCommand::Record(Box::new(record))
}

fn suspend() -> PartnerCommand {
    PartnerCommand::Suspend {
        reason: "unpaid".to_owned(),
    }
}

#[test]
fn a_partner_is_created_with_a_normalized_domain_and_its_primary_contact() {
    let mut create = create();
    create.profile.domain = "https://www.Acme.example/".to_owned();
    create.primary_contact.email = "Ann@Acme.example".to_owned();
    let partner = given::<Partner>([])
        .when(PartnerCommand::Create(Box::new(create)))
        .then([PartnerEvent::PartnerCreated(Box::new(PartnerCreated {
            partner: PartnerId::parse("acme").unwrap(),
            status: PartnerStatus::Active,
            profile: profile(),
            tags: vec!["key".to_owned(), "west".to_owned()],
            primary_contact: ann(),
        }))])
        .state;
    assert_eq!(partner.primary_contact().unwrap().id, "c1");
    assert_eq!(
        partner.routing(),
        Some(Routing::Partner(PartnerId::parse("acme").unwrap()))
    );
    assert_eq!(
        partner.claims(),
        [Claim {
            scope: "partner_domain",
            key: "acme.example".to_owned()
        }]
    );
}

#[test]
fn a_partner_cannot_be_created_twice() {
    acme()
        .when(PartnerCommand::Create(Box::new(create())))
        .refused("PARTNER_EXISTS");
}

#[test]
fn every_wrong_field_of_a_new_partner_is_named_at_once() {
    let mut wrong = create();
    wrong.profile.name = " ".to_owned();
    wrong.profile.domain = "nowhere".to_owned();
    wrong.profile.parent = Some(PartnerId::parse("acme").unwrap());
    wrong
        .profile
        .attributes
        .insert("status".to_owned(), Value::Flag(true));
    wrong
        .profile
        .attributes
        .insert("Bad Name".to_owned(), Value::Flag(true));
    wrong.status = PartnerStatus::Suspended;
    wrong.tags = vec!["a".to_owned(), "a".to_owned()];
    wrong.primary_contact = person("", "nobody");
    given::<Partner>([])
        .when(PartnerCommand::Create(Box::new(wrong)))
        .invalid(&[
            "status",
            "profile.name",
            "profile.domain",
            "profile.parent",
            "profile.attributes.Bad Name",
            "profile.attributes.status",
            "primary_contact.first_name",
            "primary_contact.email",
            "tags[1]",
        ]);
}

#[test]
fn what_does_not_exist_cannot_be_changed() {
    given::<Partner>([])
        .when(suspend())
        .refused("PARTNER_NOT_FOUND");
    given::<Partner>([])
        .when(edit(PartnerChanges::default()))
        .refused("PARTNER_NOT_FOUND");
    given::<Partner>([])
        .when(add(ann()))
        .refused("PARTNER_NOT_FOUND");
}

#[test]
fn an_edit_writes_only_what_differs() {
    let changes = PartnerChanges {
        name: Some("Acme".to_owned()),
        stage: Some(Some(PartnerStage::Scaling)),
        region: Some(Some("EMEA".to_owned())),
        ..PartnerChanges::default()
    };
    let edited = acme()
        .when(edit(changes.clone()))
        .then([PartnerEvent::PartnerEdited {
            changes: Box::new(PartnerChanges {
                name: None,
                ..changes.clone()
            }),
        }]);
    let cleared = PartnerChanges {
        region: Some(None),
        ..PartnerChanges::default()
    };
    let partner = edited
        .when(edit(changes))
        .nothing()
        .when(edit(cleared))
        .accepted()
        .state;
    assert_eq!(partner.profile().unwrap().region, None);
}

#[test]
fn a_changed_domain_moves_the_claim() {
    let changes = PartnerChanges {
        domain: Some("WWW.Acme.Example.".to_owned()),
        ..PartnerChanges::default()
    };
    let moved = PartnerChanges {
        domain: Some("acme.test".to_owned()),
        ..PartnerChanges::default()
    };
    let partner = acme()
        .when(edit(changes))
        .nothing()
        .when(edit(moved))
        .accepted()
        .state;
    assert_eq!(partner.claims()[0].key, "acme.test");
}

#[test]
fn contacts_are_added_edited_and_removed() {
    let bob = person("Bob", "bob@acme.example");
    let partner = acme()
        .when(add(bob.clone()))
        .then([PartnerEvent::ContactAdded {
            contact: "c2".to_owned(),
            person: bob.clone(),
        }])
        .when(PartnerCommand::EditContact {
            contact: "c2".to_owned(),
            person: bob.clone(),
        })
        .nothing()
        .when(PartnerCommand::RemoveContact {
            contact: "c2".to_owned(),
        })
        .accepted();
    // An identifier is not given twice.
    let partner = partner.when(add(bob)).accepted().state;
    assert_eq!(partner.contact_of("BOB@acme.example").unwrap().id, "c3");
}

#[test]
fn two_contacts_cannot_share_an_address() {
    acme()
        .when(add(person("Anna", "ANN@acme.example")))
        .refused("CONTACT_EXISTS");
}

#[test]
fn the_primary_contact_cannot_be_removed_but_replaced() {
    let remove = |contact: &str| PartnerCommand::RemoveContact {
        contact: contact.to_owned(),
    };
    let primary = |contact: &str| PartnerCommand::SetPrimaryContact {
        contact: contact.to_owned(),
    };
    acme()
        .when(remove("c1"))
        .refused("PRIMARY_CONTACT_REQUIRED");
    let partner = acme()
        .when(add(person("Bob", "bob@acme.example")))
        .accepted()
        .when(primary("c1"))
        .nothing()
        .when(primary("c2"))
        .accepted()
        .when(remove("c1"))
        .accepted();
    partner
        .clone()
        .when(remove("c9"))
        .refused("CONTACT_NOT_FOUND");
    assert_eq!(
        partner.state.primary_contact().unwrap().person.first_name,
        "Bob"
    );
}

#[test]
fn the_number_of_contacts_and_tags_is_bounded() {
    let mut partner = acme();
    for n in 1..limits::CONTACTS {
        partner = partner
            .when(add(person("P", &format!("p{n}@acme.example"))))
            .accepted();
    }
    let extra = add(person("P", "more@acme.example"));
    partner.when(extra).refused("TOO_MANY_CONTACTS");
    let tag = PartnerCommand::Tag {
        add: (0..limits::TAGS).map(|n| format!("t{n}")).collect(),
        remove: Vec::new(),
    };
    acme().when(tag).refused("TOO_MANY_TAGS");
}

#[test]
fn tags_that_are_there_already_change_nothing() {
    let tag = |add: &[&str], remove: &[&str]| PartnerCommand::Tag {
        add: add.iter().map(|&tag| tag.to_owned()).collect(),
        remove: remove.iter().map(|&tag| tag.to_owned()).collect(),
    };
    acme()
        .when(tag(&["key"], &["east"]))
        .nothing()
        .when(tag(&["new", "key"], &["west"]))
        .then([
            PartnerEvent::PartnerUntagged {
                tags: vec!["west".to_owned()],
            },
            PartnerEvent::PartnerTagged {
                tags: vec!["new".to_owned()],
            },
        ])
        .when(tag(&["x"], &["x"]))
        .invalid(&["remove"]);
}

#[test]
fn a_partner_is_suspended_activated_and_deactivated_with_a_reason() {
    let activate = || PartnerCommand::Activate {
        reason: String::new(),
    };
    let deactivate = || PartnerCommand::Deactivate {
        reason: "closed".to_owned(),
    };
    acme()
        .when(activate())
        .nothing()
        .when(suspend())
        .then([PartnerEvent::PartnerStatusChanged {
            from: PartnerStatus::Active,
            to: PartnerStatus::Suspended,
            reason: "unpaid".to_owned(),
        }])
        .when(suspend())
        .nothing()
        .when(activate())
        .accepted()
        .when(deactivate())
        .accepted()
        .when(suspend())
        .refused("PARTNER_INACTIVE");
    acme()
        .when(PartnerCommand::Suspend {
            reason: " ".to_owned(),
        })
        .invalid(&["reason"]);
}

#[test]
fn a_record_creates_then_changes_nothing_then_changes_what_differs() {
    let partner = given::<Partner>([]).when(record(|_| ())).accepted();
    let partner = partner.when(record(|_| ())).nothing();
    partner
        .when(record(|record| {
            record.profile.employee_count = Some(40);
            record.primary_contact.last_name = "Li".to_owned();
            record.tags = Some(vec!["imported".to_owned()]);
            record.status = Some(PartnerStatus::Inactive);
        }))
        .then([
            PartnerEvent::PartnerEdited {
                changes: Box::new(PartnerChanges {
                    employee_count: Some(Some(40)),
                    ..PartnerChanges::default()
                }),
            },
            PartnerEvent::ContactEdited {
                contact: "c1".to_owned(),
                person: Person {
                    last_name: "Li".to_owned(),
                    ..ann()
                },
            },
            PartnerEvent::PartnerTagged {
                tags: vec!["imported".to_owned()],
            },
            PartnerEvent::PartnerStatusChanged {
                from: PartnerStatus::Active,
                to: PartnerStatus::Inactive,
                reason: String::new(),
            },
        ])
        .when(record(|record| {
            record.profile.employee_count = Some(40);
            record.primary_contact.last_name = "Li".to_owned();
        }))
        .nothing();
}

#[test]
fn a_recorded_primary_contact_who_is_known_becomes_the_primary_one() {
    let bob = person("Bob", "bob@acme.example");
    acme()
        .when(add(bob.clone()))
        .accepted()
        .when(record(|record| record.primary_contact = bob))
        .then([PartnerEvent::PrimaryContactChanged {
            contact: "c2".to_owned(),
        }]);
}

#[test]
fn requirements_see_built_in_attributes_and_the_orgs_own() {
    let mut create = create();
    create.profile.country = Some("Austria".to_owned());
    create.profile.employee_count = Some(12);
    create.profile.annual_revenue = Some(Money::parse("1000.50", "EUR").unwrap());
    create
        .profile
        .attributes
        .insert("certified".to_owned(), Value::Flag(true));
    let partner = given::<Partner>([])
        .when(PartnerCommand::Create(Box::new(create)))
        .accepted()
        .state;
    let attributes = partner.attributes();
    assert_eq!(attributes["type"], Value::text("reseller"));
    assert_eq!(attributes["status"], Value::text("active"));
    assert_eq!(attributes["country"], Value::text("Austria"));
    assert_eq!(attributes["employee_count"], Value::Number(12.into()));
    assert_eq!(
        attributes["annual_revenue"],
        Value::Number("1000.50".parse().unwrap())
    );
    assert_eq!(
        attributes["annual_revenue_currency"],
        Value::text(Currency::EUR.as_str())
    );
    assert_eq!(attributes["certified"], Value::Flag(true));
    assert!(!attributes.contains_key("region"), "unknown is not empty");
    for name in attributes.keys().filter(|name| *name != "certified") {
        assert!(
            crate::partner::check::RESERVED_ATTRIBUTES.contains(&name.as_str()),
            "{name}"
        );
    }
}

#[test]
fn changes_tell_an_emptied_field_from_an_untouched_one() {
    let changes = PartnerChanges {
        region: Some(None),
        ..PartnerChanges::default()
    };
    let json = serde_json::to_string(&changes).unwrap();
    assert_eq!(json, r#"{"region":null}"#);
    assert_eq!(
        serde_json::from_str::<PartnerChanges>(&json).unwrap(),
        changes
    );
}

mod properties {
    use proptest::prelude::*;

    use super::*;
    use crate::test_support::run_and_replay;

    fn contact_id() -> impl Strategy<Value = String> {
        (1..5_u8).prop_map(|n| format!("c{n}"))
    }

    fn anybody() -> impl Strategy<Value = Person> {
        (0..4_u8, any::<bool>()).prop_map(|(n, sound)| {
            person(
                if sound { "Pat" } else { "" },
                &format!("p{n}@acme.example"),
            )
        })
    }

    fn tags() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec("[a-c]{0,2}", 0..4)
    }

    fn command() -> impl Strategy<Value = PartnerCommand> {
        let text = || prop::sample::select(vec!["", "because"]).prop_map(str::to_owned);
        prop_oneof![
            Just(PartnerCommand::Create(Box::new(create()))),
            (anybody(), prop::option::of(tags()), 0..4_usize).prop_map(|(who, tags, status)| {
                record(|record| {
                    record.primary_contact = who;
                    record.tags = tags;
                    record.status = Some(PartnerStatus::ALL[status]);
                })
            }),
            (".{0,3}", prop::option::of(0..3_u32)).prop_map(|(name, employees)| {
                edit(PartnerChanges {
                    name: Some(name),
                    employee_count: Some(employees),
                    ..PartnerChanges::default()
                })
            }),
            anybody().prop_map(add),
            (contact_id(), anybody())
                .prop_map(|(contact, person)| PartnerCommand::EditContact { contact, person }),
            contact_id().prop_map(|contact| PartnerCommand::RemoveContact { contact }),
            contact_id().prop_map(|contact| PartnerCommand::SetPrimaryContact { contact }),
            (tags(), tags()).prop_map(|(add, remove)| PartnerCommand::Tag { add, remove }),
            text().prop_map(|reason| PartnerCommand::Activate { reason }),
            text().prop_map(|reason| PartnerCommand::Suspend { reason }),
            text().prop_map(|reason| PartnerCommand::Deactivate { reason }),
        ]
    }

    proptest! {
        #[test]
        fn any_commands_leave_a_partner_that_replays(
            commands in prop::collection::vec(command(), 0..20)
        ) {
            let (partner, _) = run_and_replay::<Partner>(commands);
            if partner.id().is_some() {
                prop_assert!(partner.primary_contact().is_some());
                let mut addresses: Vec<_> =
                    partner.contacts().iter().map(|c| c.person.email.clone()).collect();
                addresses.sort();
                addresses.dedup();
                prop_assert_eq!(addresses.len(), partner.contacts().len());
            }
        }
    }
}
