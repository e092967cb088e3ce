//! What lies beyond a partner: observed, decided on, and replayed.

use jiff::civil::date;
use tierline_domain::{ProgramId, TierId, TrackId};

use crate::harness::{Harness, deal, enroll};

/// Two seats in the region's circle, and a club for whose owner is in the circle.
const PROGRAM: &str = "
slug: circles
name: Circles
currency: USD
tracks:
  - id: resell
    name: Resell
    demotion: { notice_days: 10, remediation_days: 20 }
    tiers:
      - id: circle
        name: Circle
        qualification:
          all:
            - criterion:
                id: revenue
                name: Revenue of the group
                measure:
                  across:
                    id: revenue
                    with: [child]
                    of: &revenue
                      sum:
                        of: amount
                        facts:
                          kind: deal
                          where: { field: { name: state, is: { equals: won } } }
                          date: closed
                          window: { rolling_months: 12 }
                needs: { gte: 1000 }
            - criterion:
                id: seat
                name: One of two seats
                measure: { line: { id: seat, by: *revenue } }
                needs: { lte: 2 }
      - id: best
        name: Best half
        qualification:
          criterion:
            id: rank
            name: Among the best half
            measure: { rank: { id: rank, of: *revenue, as: percent } }
            needs: { lte: 50 }
      - { id: member, name: Member }
  - id: club
    name: Club
    tiers:
      - id: guest
        name: Guest
        qualification:
          criterion:
            id: owner
            name: Owned by a company of the circle
            measure: { tiers_held: { by: [parent], program: circles, tiers: [circle] } }
            needs: { gte: 1 }
      - { id: visitor, name: Visitor }
";

async fn join(harness: &Harness, partner: &str, track: &str, tiers: &[&str]) {
    let mut enroll = enroll(&format!("{partner}-{track}"), partner, date(2026, 1, 1));
    enroll.program = ProgramId::parse("circles").unwrap();
    enroll.track = TrackId::parse(track).unwrap();
    let tiers = tiers.iter().map(|tier| TierId::parse(*tier).unwrap());
    enroll.track_facts.tiers = Some(tiers.collect());
    harness.execute(enroll).await;
}

/// Four partners that sell, of which one is owned by the first.
async fn org() -> Harness {
    let harness = Harness::sandbox(date(2026, 1, 1)).await;
    harness.apply(PROGRAM, date(2026, 1, 1)).await;
    for (partner, amount) in [("a", "600"), ("b", "3000"), ("c", "2000"), ("d", "1500")] {
        let parent = (partner == "d").then_some("a");
        harness.partner_of(partner, parent).await;
        join(&harness, partner, "resell", &["circle", "best", "member"]).await;
        let deal = deal(
            &format!("d-{partner}"),
            partner,
            date(2026, 1, 1),
            amount,
            "USD",
        );
        harness.record(deal).await;
    }
    join(&harness, "d", "club", &["guest", "visitor"]).await;
    harness
}

async fn tiers(harness: &Harness) -> Vec<String> {
    let mut tiers = Vec::new();
    for id in ["a-resell", "b-resell", "c-resell", "d-resell", "d-club"] {
        tiers.push(harness.tier(id).await);
    }
    tiers
}

#[tokio::test]
async fn seats_ranks_groups_and_tiers_of_owners_are_observed_and_replay_finds_the_same() {
    let harness = org().await;
    harness.settle().await;
    // Nobody knows anything of the others yet.
    let all = ["member", "member", "member", "member", "visitor"];
    assert_eq!(tiers(&harness).await, all);
    harness.come_to_rest().await;
    let all = ["member", "circle", "circle", "member", "visitor"];
    assert_eq!(tiers(&harness).await, all);

    // With its subsidiary it has 3,700 and is first in line; the third of the line is put at risk.
    let second = deal("d-a2", "a", date(2026, 1, 1), "1600", "USD");
    harness.record(second).await;
    harness.come_to_rest().await;
    let all = ["circle", "circle", "circle", "member", "guest"];
    assert_eq!(tiers(&harness).await, all);

    harness.clock_to(date(2026, 1, 11)).await;
    harness.come_to_rest().await;
    harness.clock_to(date(2026, 2, 1)).await;
    harness.come_to_rest().await;
    let all = ["circle", "circle", "member", "member", "guest"];
    assert_eq!(tiers(&harness).await, all);
    let replayed = harness.replay_is_clean_in("circles").await;
    assert!(replayed.decisions >= 9, "{replayed:?}");
}

#[tokio::test]
async fn a_process_surveys_by_itself_what_changes() {
    let harness = org().await;
    let seated = async |harness: &Harness| {
        tiers(harness).await[..3] == ["member", "circle", "circle"].map(str::to_owned)
    };
    harness.live("the seats to be taken", seated).await;
    let second = deal("d-a2", "a", date(2026, 1, 1), "1600", "USD");
    harness.record(second).await;
    let guest = async |harness: &Harness| harness.tier("d-club").await == "guest";
    harness
        .live("the tier of the owner to be seen", guest)
        .await;
    harness.replay_is_clean_in("circles").await;
}

#[tokio::test]
async fn where_nobody_looks_beyond_nothing_is_observed() {
    let harness = Harness::sandbox(date(2026, 1, 1)).await;
    harness.member("e1", "a", date(2026, 1, 1)).await;
    harness.come_to_rest().await;
    assert_eq!(harness.count_events("SurroundingsObserved").await, 0);
}
