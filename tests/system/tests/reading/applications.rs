//! Forms and submissions.

use jiff::Timestamp;
use jiff::civil::date;
use tierline_domain::application::{
    Form, FormCommand, FormContent, Review, Submission, SubmissionCommand, Submit, form_from_yaml,
};
use tierline_domain::rules::Value;
use tierline_domain::{FormId, SubmissionId};
use tierline_proto::application::v1::SubmissionState;
use tierline_proto::query::v1 as pb;
use tierline_rpc::status::reason_of;
use tonic::Code;

use crate::world::World;

fn content(form: &str, title: &str) -> Box<FormContent> {
    let yaml = format!(
        "{{form: {form}, title: {title}, sections: [{{id: you, title: You, fields: [
            {{id: name, label: Name, type: text, required: true}}]}}]}}"
    );
    Box::new(form_from_yaml(&yaml).unwrap())
}

async fn form(world: &World, org: &str, id: &str, title: &str) -> String {
    let content = content(id, title);
    world
        .run::<Form>(org, id, FormCommand::Define { content })
        .await;
    world.run::<Form>(org, id, FormCommand::Publish).await
}

/// Submits at a second of the clock.
async fn submit(world: &World, org: &str, form: &str, id: &str, second: i64) -> String {
    let submit = Submit {
        submission: SubmissionId::parse(id).unwrap(),
        form: FormId::parse(form).unwrap(),
        form_version: 1,
        content: content(form, "Any"),
        answers: [("name".to_owned(), Value::text("Ada Secretname"))].into(),
        accepted: Vec::new(),
        now: Timestamp::from_second(second).unwrap(),
    };
    let command = SubmissionCommand::Submit(Box::new(submit));
    world.run::<Submission>(org, id, command).await
}

async fn decide(
    world: &World,
    org: &str,
    id: &str,
    command: fn(Review) -> SubmissionCommand,
) -> String {
    let review = Review {
        by: "user:ada".to_owned(),
        note: "Mr Secretname is known".to_owned(),
        now: Timestamp::from_second(1_000).unwrap(),
    };
    world.run::<Submission>(org, id, command(review)).await
}

fn list(filter: &str, order_by: &str) -> pb::ListSubmissionsRequest {
    pb::ListSubmissionsRequest {
        filter: filter.to_owned(),
        order_by: order_by.to_owned(),
        ..Default::default()
    }
}

async fn ids(world: &World, org: &str, request: pb::ListSubmissionsRequest) -> Vec<String> {
    let answer = world.applications(org).list_submissions(request).await;
    let answer = answer.unwrap().into_inner();
    assert_eq!(answer.total_size, answer.submissions.len() as u64);
    let ids = answer.submissions.into_iter();
    ids.map(|submission| submission.submission_id).collect()
}

/// Two forms and five submissions; `s-2` is approved, `s-3` rejected. Gives a token that covers
/// the last one.
async fn filled() -> World {
    let world = World::start().await;
    world.org("acme", date(2026, 1, 1)).await;
    form(&world, "acme", "resellers", "Resellers").await;
    form(&world, "acme", "referrals", "Agents").await;
    let mut tokens = Vec::new();
    for (id, form, second) in [
        ("s-1", "resellers", 100),
        ("s-2", "resellers", 300),
        ("s-3", "referrals", 200),
        ("s-4", "referrals", 300),
        ("s-5", "resellers", 50),
    ] {
        tokens.push(submit(&world, "acme", form, id, second).await);
    }
    tokens.push(decide(&world, "acme", "s-2", SubmissionCommand::Approve).await);
    tokens.push(decide(&world, "acme", "s-3", SubmissionCommand::Reject).await);
    for consistency_token in tokens {
        let request = pb::ListSubmissionsRequest {
            consistency_token,
            ..Default::default()
        };
        let answer = world.applications("acme").list_submissions(request).await;
        answer.unwrap();
    }
    world
}

#[tokio::test]
async fn submissions_are_listed_newest_first_filtered_ordered_and_paged() {
    let world = filled().await;
    let newest_first = ["s-2", "s-4", "s-3", "s-1", "s-5"];
    assert_eq!(ids(&world, "acme", list("", "")).await, newest_first);
    for (filter, expected) in [
        ("form = resellers", vec!["s-2", "s-1", "s-5"]),
        ("state = pending", vec!["s-4", "s-1", "s-5"]),
        ("state = approved OR state = rejected", vec!["s-2", "s-3"]),
        ("form = referrals AND state = pending", vec!["s-4"]),
        ("decided_by : ada", vec!["s-2", "s-3"]),
        ("submit_time < 1970-01-01T00:02:00Z", vec!["s-1", "s-5"]),
        ("form_version > 1", vec![]),
    ] {
        assert_eq!(
            ids(&world, "acme", list(filter, "")).await,
            expected,
            "{filter}"
        );
    }
    let ordered = ids(&world, "acme", list("", "form, submit_time desc")).await;
    assert_eq!(ordered, ["s-4", "s-3", "s-2", "s-1", "s-5"]);

    let mut client = world.applications("acme");
    let mut request = pb::ListSubmissionsRequest {
        page_size: 2,
        ..Default::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = client.list_submissions(request.clone()).await.unwrap();
        let page = page.into_inner();
        assert_eq!(page.total_size, 5);
        seen.extend(page.submissions.into_iter().map(|it| it.submission_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen, newest_first);
    for (filter, order_by) in [("name = Ada", ""), ("", "answers"), ("state = lost", "")] {
        let refused = client.list_submissions(list(filter, order_by)).await;
        assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_list_says_who_decided_and_nothing_that_an_applicant_wrote() {
    let world = filled().await;
    let answer = world
        .applications("acme")
        .list_submissions(list("submission_id = s-2", ""))
        .await
        .unwrap()
        .into_inner();
    let [approved] = answer.submissions.as_slice() else {
        panic!("{answer:?}");
    };
    assert_eq!(approved.state(), SubmissionState::Approved);
    assert_eq!(
        (approved.form_id.as_str(), approved.form_version),
        ("resellers", 1)
    );
    assert_eq!(approved.submit_time.unwrap().seconds, 300);
    assert_eq!(approved.decided_by, "user:ada");
    assert_eq!(approved.decide_time.unwrap().seconds, 1_000);
    let kept: Vec<String> = sqlx::query_scalar(
        "SELECT t::text FROM read.submissions t UNION ALL SELECT t::text FROM read.forms t",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(kept.len(), 7);
    assert!(
        kept.iter().all(|row| !row.contains("Secretname")),
        "{kept:?}"
    );
    let parked: i64 = sqlx::query_scalar("SELECT count(*) FROM bus.parked")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(parked, 0, "the evaluator passes them over");
}

#[tokio::test]
async fn forms_are_listed_with_what_is_published_and_what_is_not() {
    let world = filled().await;
    let content = content("later", "Later");
    let token = world
        .run::<Form>("acme", "later", FormCommand::Define { content })
        .await;
    let forms = async |filter: &str, order_by: &str| {
        let request = pb::ListFormsRequest {
            filter: filter.to_owned(),
            order_by: order_by.to_owned(),
            consistency_token: token.clone(),
            ..Default::default()
        };
        let answer = world.applications("acme").list_forms(request).await;
        answer.unwrap().into_inner().forms
    };
    let ids = |forms: Vec<pb::FormSummary>| -> Vec<String> {
        forms.into_iter().map(|form| form.form_id).collect()
    };
    let all = forms("", "").await;
    assert_eq!(ids(all.clone()), ["later", "referrals", "resellers"]);
    assert!(all[0].has_draft && all[0].publish_time.is_none());
    assert!(!all[2].has_draft && all[2].publish_time.is_some());
    assert_eq!((all[0].newest_version, all[2].newest_version), (0, 1));
    assert_eq!(
        ids(forms("published = true", "title").await),
        ["referrals", "resellers"]
    );
    assert_eq!(ids(forms("has_draft = true", "").await), ["later"]);
}

#[tokio::test]
async fn orgs_see_their_own_and_a_token_of_another_org_is_refused() {
    let world = filled().await;
    world.org("globex", date(2026, 1, 1)).await;
    form(&world, "globex", "resellers", "Ours").await;
    let token = submit(&world, "globex", "resellers", "s-1", 60).await;
    let own = pb::ListSubmissionsRequest {
        consistency_token: token.clone(),
        ..Default::default()
    };
    assert_eq!(ids(&world, "globex", own.clone()).await, ["s-1"]);
    assert_eq!(ids(&world, "acme", list("", "")).await.len(), 5);
    let refused = world.applications("acme").list_submissions(own).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    assert_eq!(reason_of(&refused).as_deref(), Some("INVALID_REQUEST"));
}
