use std::collections::BTreeMap;

use super::*;
use crate::application::form::validate::tests::sample;
use crate::application::submission::events::AcceptedAgreement;
use crate::ids::{FormId, SubmissionId};
use crate::rules::Value;
use crate::test_support::{Answer, Given, given, run_and_replay};

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(second).unwrap()
}

fn answers() -> BTreeMap<String, Value> {
    [
        ("company", Value::text("Nova")),
        ("kind", Value::text("resell")),
        ("email", Value::text("ada@nova.example")),
    ]
    .into_iter()
    .map(|(id, value)| (id.to_owned(), value))
    .collect()
}

fn filled_in(change: impl FnOnce(&mut Submit)) -> SubmissionCommand {
    let mut submit = Submit {
        submission: SubmissionId::parse("s-1").unwrap(),
        form: FormId::parse("resellers").unwrap(),
        form_version: 3,
        content: Box::new(sample()),
        answers: answers(),
        accepted: vec!["terms".to_owned()],
        now: at(60),
    };
    change(&mut submit);
    SubmissionCommand::Submit(Box::new(submit))
}

fn submit(change: impl FnOnce(&mut Submit)) -> Answer<Submission> {
    given::<Submission>([]).when(filled_in(change))
}

/// What becomes of an answer to a field.
fn answer(id: &str, value: Value) -> Answer<Submission> {
    submit(|it| {
        it.answers.insert(id.to_owned(), value);
    })
}

fn kept(id: &str, value: Value) -> Option<Value> {
    let state = answer(id, value).accepted().state;
    state.received().unwrap().answers.get(id).cloned()
}

fn pending() -> Given<Submission> {
    submit(|_| ()).accepted()
}

fn review(note: &str) -> Review {
    Review {
        by: "user:ada".to_owned(),
        note: note.to_owned(),
        now: at(120),
    }
}

fn decision(note: &str) -> Decision {
    Decision {
        decided_by: "user:ada".to_owned(),
        decide_time: at(120),
        note: note.to_owned(),
    }
}

#[test]
fn what_was_filled_in_is_kept_with_version_and_time() {
    submit(|_| ()).then([SubmissionEvent::SubmissionReceived(Box::new(Received {
        submission: SubmissionId::parse("s-1").unwrap(),
        form: FormId::parse("resellers").unwrap(),
        form_version: 3,
        submit_time: at(60),
        answers: answers(),
        agreements: vec![AcceptedAgreement {
            section: "terms".to_owned(),
            form_version: 3,
            accept_time: at(60),
        }],
    }))]);
}

#[test]
fn everything_that_is_required_is_asked_for_at_once() {
    submit(|it| {
        it.answers.clear();
        it.accepted.clear();
    })
    .invalid(&[
        "answers.company",
        "answers.kind",
        "answers.email",
        "accepted_agreements",
    ]);
}

#[test]
fn every_wrong_answer_is_named_at_once() {
    let wrong = [
        ("company", Value::text("two\nlines")),
        ("site", Value::text("javascript:alert(1)")),
        ("staff", Value::text("12")),
        ("kind", Value::text("Resell")),
        ("regions", Value::List(vec!["emea".into(), "mars".into()])),
        ("email", Value::text("ada")),
        ("why", Value::text("bell \u{7}")),
        ("call", Value::text("yes")),
        ("shoe-size", Value::text("42")),
        ("No Field!", Value::text("x")),
    ];
    submit(|it| {
        it.answers
            .extend(wrong.map(|(id, value)| (id.to_owned(), value)));
        it.accepted.push("cookies".to_owned());
    })
    .invalid(&[
        "answers.company",
        "answers.site",
        "answers.staff",
        "answers.kind",
        "answers.regions[1]",
        "answers.email",
        "answers.why",
        "answers.call",
        "answers",
        "answers.shoe-size",
        "accepted_agreements[1]",
    ]);
}

#[test]
fn answers_are_kept_in_their_normal_form() {
    let address = kept("email", Value::text(" Ada@Nova.Example "));
    assert_eq!(address, Some(Value::text("ada@nova.example")));
    assert_eq!(
        kept("company", Value::text(" Nova ")),
        Some(Value::text("Nova"))
    );
    assert_eq!(kept("site", Value::text("  ")), None);
    assert_eq!(kept("regions", Value::List(Vec::new())), None);
    let regions = Value::List(vec!["apac".to_owned(), "emea".to_owned()]);
    assert_eq!(kept("regions", regions.clone()), Some(regions));
    assert_eq!(kept("call", Value::Flag(false)), Some(Value::Flag(false)));
    let staff = Value::Number("12.5".parse().unwrap());
    assert_eq!(kept("staff", staff.clone()), Some(staff));
    let why = Value::text("one\ntwo");
    assert_eq!(kept("why", why.clone()), Some(why));
}

#[test]
fn answers_are_bounded_one_by_one_and_together() {
    answer("company", Value::text("x".repeat(501))).invalid(&["answers.company"]);
    answer("why", Value::text("x".repeat(10_001))).invalid(&["answers.why"]);
    answer("why", Value::text("x".repeat(100_000))).invalid(&["answers"]);
    let twice = Value::List(vec!["emea".to_owned(), "emea".to_owned()]);
    answer("regions", twice).invalid(&["answers.regions[1]"]);
    answer("regions", Value::List(vec!["emea".to_owned(); 3])).invalid(&["answers.regions"]);
    answer("staff", Value::Number(rust_decimal::Decimal::MAX)).invalid(&["answers.staff"]);
}

#[test]
fn a_required_box_has_to_be_ticked() {
    let with_required_box = |flag| {
        submit(|it| {
            it.content.sections[1].fields[2].required = true;
            it.answers.insert("call".to_owned(), Value::Flag(flag));
        })
    };
    with_required_box(false).invalid(&["answers.call"]);
    with_required_box(true).accepted();
}

#[test]
fn an_agreement_that_is_not_required_may_be_left_out_or_accepted() {
    let state = submit(|it| it.accepted.insert(0, "news".to_owned()))
        .accepted()
        .state;
    let agreements = &state.received().unwrap().agreements;
    let sections: Vec<_> = agreements.iter().map(|it| it.section.as_str()).collect();
    assert_eq!(sections, ["terms", "news"], "in the order of the form");
}

#[test]
fn a_submission_is_made_once() {
    pending()
        .when(filled_in(|_| ()))
        .refused("SUBMISSION_EXISTS");
}

#[test]
fn an_approval_is_final_and_repeating_it_changes_nothing() {
    let approved = pending()
        .when(SubmissionCommand::Approve(review("")))
        .then([SubmissionEvent::SubmissionApproved(decision(""))])
        .when(SubmissionCommand::Approve(review("again")))
        .nothing();
    assert_eq!(approved.state.state(), SubmissionState::Approved);
    approved
        .when(SubmissionCommand::Reject(review("changed my mind")))
        .refused("SUBMISSION_APPROVED");
}

#[test]
fn a_rejection_needs_a_reason_and_is_final() {
    pending()
        .when(SubmissionCommand::Reject(review(" ")))
        .invalid(&["note"]);
    let rejected = pending()
        .when(SubmissionCommand::Reject(review("too small")))
        .then([SubmissionEvent::SubmissionRejected(decision("too small"))])
        .when(SubmissionCommand::Reject(review("too small")))
        .nothing();
    assert_eq!(rejected.state.state(), SubmissionState::Rejected);
    rejected
        .when(SubmissionCommand::Approve(review("")))
        .refused("SUBMISSION_REJECTED");
}

#[test]
fn what_was_never_submitted_cannot_be_decided() {
    for command in [SubmissionCommand::Approve, SubmissionCommand::Reject] {
        given::<Submission>([])
            .when(command(review("why")))
            .refused("SUBMISSION_NOT_FOUND");
    }
}

#[test]
fn a_submission_with_facts_of_a_newer_release_is_left_alone() {
    let unknown = SubmissionEvent::Unknown {
        event_type: "tierline.application.v1.SubmissionErased".to_owned(),
        payload: serde_json::Value::Null,
    };
    given::<Submission>([unknown])
        .when(SubmissionCommand::Approve(review("")))
        .refused("UNKNOWN_EVENT");
}

proptest::proptest! {
    #[test]
    fn any_answers_are_taken_or_refused_and_what_is_kept_would_be_taken_again(
        texts in proptest::collection::btree_map("company|site|email|why|kind|x", ".{0,30}", 0..6),
        decide in proptest::option::of(proptest::bool::ANY),
    ) {
        let texts = texts.into_iter().map(|(id, text)| (id, Value::Text(text)));
        let first = filled_in(|it| it.answers.extend(texts));
        let second = match decide {
            Some(true) => SubmissionCommand::Approve(review("")),
            Some(false) => SubmissionCommand::Reject(review("no")),
            None => filled_in(|_| ()),
        };
        let (state, _) = run_and_replay::<Submission>([first, second]);
        if let Some(received) = state.received() {
            let again = submit(|it| it.answers = received.answers.clone()).accepted().state;
            proptest::prop_assert_eq!(&again.received().unwrap().answers, &received.answers);
        }
    }
}
