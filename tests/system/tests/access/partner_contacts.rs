//! People at a partner see that partner, and nothing else.

use tierline_rpc::Role;

use crate::world::World;

const VIEW: &str = "tierline.query.v1.PartnerQueryService/GetPartnerView";
const BENEFITS: &str = "tierline.query.v1.BenefitQueryService/GetPartnerBenefits";
const STANDING: &str = "tierline.query.v1.StandingQueryService/GetStanding";

#[tokio::test(flavor = "multi_thread")]
async fn people_at_a_partner_see_that_partner_whatever_they_ask_and_whatever_else_they_are() {
    let world = World::start().await;
    for roles in [
        &[Role::PartnerContact][..],
        &[Role::PartnerContact, Role::Operator],
    ] {
        let token = world.node.token_for("a", roles, Some("a-one"));
        for (method, own, other) in [
            (VIEW, r#"partner_id: "a-one""#, r#"partner_id: "a-other""#),
            (
                BENEFITS,
                r#"partner_id: "a-one""#,
                r#"partner_id: "a-other""#,
            ),
            (
                STANDING,
                r#"partner_id: "a-one""#,
                r#"partner_id: "a-other""#,
            ),
            (
                STANDING,
                r#"partner_id: "a-one" program_id: "a-prog""#,
                r#"partner_id: "a-other" program_id: "a-prog""#,
            ),
            (
                STANDING,
                r#"enrollment_id: "a-e""#,
                r#"enrollment_id: "a-e-other""#,
            ),
        ] {
            let answer = world.ask(Some(&token), method, own, "a").await;
            assert_eq!(answer.code(), "OK", "{method} {own}: {}", answer.text());
            assert!(
                answer.text().contains("a-e"),
                "{method} shows no enrollment"
            );
            assert!(!answer.text().contains("a-other"), "{}", answer.text());

            let refused = world.ask(Some(&token), method, other, "a").await;
            assert_eq!(refused.code(), "NOT_FOUND", "{method} {other}");
            let nowhere = other.replace("a-", "zz-");
            let nowhere = world.ask(Some(&token), method, &nowhere, "a").await;
            let told = |text: String| text.replace("zz-", "a-");
            assert_eq!(
                told(tierline_rpc::describe(nowhere.refusal.as_ref().unwrap())),
                tierline_rpc::describe(refused.refusal.as_ref().unwrap()),
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_partner_contact_is_confined_like_the_person() {
    let world = World::start().await;
    let admin = world.node.token("a", Role::Admin, None);
    let key = world
        .new_key(
            &admin,
            r#"name: "portal" roles: "partner_contact" partner_id: "a-one""#,
        )
        .await;
    let own = world
        .ask(Some(&key.secret), VIEW, r#"partner_id: "a-one""#, "a")
        .await;
    assert_eq!(own.code(), "OK", "{}", own.text());
    let other = world
        .ask(Some(&key.secret), VIEW, r#"partner_id: "a-other""#, "a")
        .await;
    assert_eq!(other.code(), "NOT_FOUND", "{}", other.text());
    let list = "tierline.query.v1.PartnerQueryService/ListPartners";
    let list = world.ask(Some(&key.secret), list, "", "a").await;
    assert_eq!(list.reason().as_deref(), Some("ROLE_REQUIRED"));
}
