//! The benefits library, and what programs and partners have of it.

use jiff::civil::date;
use tierline_domain::benefit::{
    Benefit, BenefitChanges, BenefitCommand, BenefitLibrary, default_benefits,
};
use tierline_domain::enrollment::{Enroll, Enrollment, EnrollmentCommand, TrackFacts};
use tierline_domain::partner::PartnerStatus;
use tierline_domain::program::{
    ApplyProgram, Program, ProgramCommand, Publisher, Transition, program_from_yaml,
};
use tierline_domain::{EnrollmentId, OrgId, PartnerId, ProgramId, StreamId, TierId, TrackId};
use tierline_proto::program::v1::BenefitType;
use tierline_proto::query::v1 as pb;
use tierline_rpc::status::reason_of;

use crate::world::World;

const PERKS: &str = "
slug: perks
name: Perks
currency: USD
tracks:
  - id: main
    name: Main
    tiers:
      - id: gold
        name: Gold
        qualification:
          any:
            - criterion:
                id: deals
                name: Deals
                measure: {count: {facts: {kind: deal, date: closed, window: all_time}}}
                needs: {gte: 1}
            - criterion:
                id: references
                name: References
                measure: {count: {facts: {kind: reference, date: held, window: all_time}}}
                needs: {gte: 2}
        benefits:
          - {id: deal-protection, value: 60 days}
          - {id: mdf, value: 5000 USD, earned_by: deals}
          - {id: training-access, value: 'yes', earned_by: references}
          - {id: discount, value: 15 %}
          - {name: Logo, value: gold}
      - id: member
        name: Member
        benefits:
          - {id: deal-protection, value: 30 days}
          - {id: training-access, value: 'no'}
";

/// The default benefits, a program that gives some of them, and two partners: one has won a deal,
/// the other nothing.
async fn filled() -> (World, String) {
    let world = World::start().await;
    let day = date(2026, 1, 1);
    world.org("acme", day).await;
    world.org("globex", day).await;
    let mut library = BenefitLibrary::default();
    for new in default_benefits().unwrap() {
        let id = new.benefit.clone();
        let command = BenefitCommand::Seed(Box::new(new));
        world.run::<Benefit>("acme", id.as_str(), command).await;
        let stream = StreamId::new(&OrgId::parse("acme").unwrap(), &id);
        let found = world.runner.store().load::<Benefit>(&stream).await.unwrap();
        library.note(id, &found.state);
    }
    let apply = ApplyProgram {
        definition: Box::new(program_from_yaml(PERKS).unwrap()),
        effective_date: date(2000, 1, 1),
        note: String::new(),
        transition: Transition::Now,
        today: day,
        publisher: Publisher::default(),
        library,
    };
    world
        .run::<Program>("acme", "perks", ProgramCommand::Apply(apply))
        .await;
    let mut token = String::new();
    for partner in ["p-1", "p-2"] {
        world.partner("acme", partner, |_| ()).await;
        token = enroll(&world, partner).await;
    }
    let deal = world.deal("acme", "p-1", "d-1", day, "100").await;
    let request = of_partner("p-2", token);
    let mut client = world.benefits("acme");
    client.get_partner_benefits(request).await.unwrap();
    (world, deal)
}

async fn enroll(world: &World, partner: &str) -> String {
    let tiers = ["gold", "member"].map(|tier| TierId::parse(tier).unwrap());
    let id = format!("e-{partner}");
    let enroll = Enroll {
        enrollment: EnrollmentId::parse(&*id).unwrap(),
        partner: PartnerId::parse(partner).unwrap(),
        program: ProgramId::parse("perks").unwrap(),
        track: TrackId::parse("main").unwrap(),
        start_date: date(2026, 1, 1),
        end_date: None,
        placed_tier: None,
        primary_contact: None,
        today: date(2026, 1, 1),
        partner_status: PartnerStatus::Active,
        track_facts: TrackFacts {
            archived: false,
            published: true,
            tiers: Some(tiers.to_vec()),
            ..TrackFacts::default()
        },
    };
    let command = EnrollmentCommand::Enroll(Box::new(enroll));
    world.run::<Enrollment>("acme", &id, command).await
}

fn of_partner(partner: &str, consistency_token: String) -> pb::GetPartnerBenefitsRequest {
    pb::GetPartnerBenefitsRequest {
        partner_id: partner.to_owned(),
        consistency_token,
        ..Default::default()
    }
}

fn of_program(version: u32) -> pb::GetProgramBenefitsRequest {
    pb::GetProgramBenefitsRequest {
        program_id: "perks".to_owned(),
        version,
        ..Default::default()
    }
}

#[tokio::test]
async fn a_partner_is_told_what_it_has_what_it_has_yet_to_earn_and_why() {
    use pb::BenefitState::{Earned, NotEarned, NotGiven};
    let (world, deal) = filled().await;
    let mut client = world.benefits("acme");
    let answer = client.get_partner_benefits(of_partner("p-1", deal)).await;
    let found = answer.unwrap().into_inner().enrollments;
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].tier_id.as_str(), found[0].tier_name.as_str()),
        ("gold", "Gold")
    );
    let told: Vec<_> = found[0]
        .benefits
        .iter()
        .map(|one| {
            let given = one.benefit.as_ref().unwrap();
            (given.name.as_str(), given.value.as_str(), one.state())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("Deal protection", "60 days", Earned),
            ("Market development funds", "5000 USD", Earned),
            ("Training access", "yes", NotEarned),
            ("Discount", "15 %", Earned),
            ("Logo", "gold", Earned),
        ]
    );
    let why = &found[0].benefits[2].reason;
    assert!(why.starts_with("References: 0"), "{why}");

    let answer = client.get_partner_benefits(of_partner("p-2", String::new()));
    let found = answer.await.unwrap().into_inner().enrollments;
    let given = found[0].benefits[0].benefit.as_ref().unwrap();
    assert_eq!(
        (found[0].tier_id.as_str(), &*given.value),
        ("member", "30 days")
    );
    assert_eq!(found[0].benefits[1].state(), NotGiven);
    for (org, partner) in [("globex", "p-1"), ("acme", "p-9")] {
        let request = of_partner(partner, String::new());
        let refused = world.benefits(org).get_partner_benefits(request).await;
        let reason = reason_of(&refused.unwrap_err());
        assert_eq!(reason.as_deref(), Some("PARTNER_NOT_FOUND"));
    }
}

#[tokio::test]
async fn a_change_of_the_library_is_seen_in_every_program_that_uses_it() {
    let (world, _) = filled().await;
    let changes = BenefitChanges {
        name: Some("Protection of deals".to_owned()),
        description: Some("From the day of registration.".to_owned()),
    };
    let edit = BenefitCommand::Edit(Box::new(changes));
    world.run::<Benefit>("acme", "deal-protection", edit).await;
    let archive = BenefitCommand::Archive;
    let token = world.run::<Benefit>("acme", "mdf", archive).await;
    let mut client = world.benefits("acme");
    let list = |filter: &str| pb::ListBenefitsRequest {
        filter: filter.to_owned(),
        order_by: "name desc".to_owned(),
        consistency_token: token.clone(),
        ..Default::default()
    };
    for (filter, first, size) in [
        ("", "training-access", 7),
        ("type = percent", "rebate", 2),
        ("archived = true", "mdf", 1),
    ] {
        let answer = client.list_benefits(list(filter)).await.unwrap();
        let answer = answer.into_inner();
        assert_eq!(answer.total_size, size, "{filter}");
        assert_eq!(answer.benefits[0].benefit_id, first, "{filter}");
    }
    let answer = client.get_program_benefits(of_program(0)).await.unwrap();
    let answer = answer.into_inner();
    assert_eq!(answer.version, 1);
    let tiers: Vec<_> = answer.tiers.iter().map(|tier| &*tier.tier_id).collect();
    assert_eq!(tiers, ["gold", "member"]);
    for tier in &answer.tiers {
        let given = &tier.benefits[0];
        assert_eq!(given.name, "Protection of deals");
        assert_eq!(given.description, "From the day of registration.");
        assert_eq!(given.r#type(), BenefitType::Days);
    }
    assert_eq!(answer.tiers[0].benefits[1].earned_by, "deals");
    let own = &answer.tiers[0].benefits[4];
    assert_eq!((&*own.benefit_id, &*own.name), ("", "Logo"));
    let refused = client.get_program_benefits(of_program(7)).await;
    let reason = reason_of(&refused.unwrap_err());
    assert_eq!(reason.as_deref(), Some("PROGRAM_VERSION_NOT_FOUND"));
}
