//! Every method of the contract, as every kind of caller.
//!
//! A line of `matrix.txt` is a method; its columns say what happened to a caller without a token,
//! to one of another org who names things of this one, to a person at another partner, to every
//! role that may not, and to every role that may. Set `UPDATE_GOLDEN=1` to write the file again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use prost_reflect::Value;
use tierline_rpc::Role;
use tierline_rpc::access::TABLE;

use crate::call::{Answer, message, method, methods, name_of};
use crate::examples::{About, EXAMPLES, Example};
use crate::world::World;

/// The example of each method; fails where one is missing, or is of no method.
fn examples() -> BTreeMap<String, &'static Example> {
    let known: BTreeMap<String, &Example> = EXAMPLES
        .iter()
        .map(|example| (example.method.to_owned(), example))
        .collect();
    assert_eq!(known.len(), EXAMPLES.len(), "a method has two examples");
    let names: Vec<String> = methods().iter().map(name_of).collect();
    let without: Vec<&String> = names.iter().filter(|n| !known.contains_key(*n)).collect();
    let stale: Vec<&String> = known.keys().filter(|n| !names.contains(n)).collect();
    assert!(
        without.is_empty() && stale.is_empty(),
        "methods without an example in examples.rs: {without:?}; examples of no method: {stale:?}"
    );
    known
}

fn roles_of(name: &str) -> &'static [Role] {
    let row = TABLE.iter().find(|(method, _)| *method == name);
    row.unwrap_or_else(|| panic!("{name} has no row in access.rs"))
        .1
}

/// A token of somebody in org `a`; a partner contact is at `a-one`.
fn token(world: &World, role: Role) -> String {
    let partner = (role == Role::PartnerContact).then_some("a-one");
    world.node.token("a", role, partner)
}

fn refused(answer: &Answer, code: &str, reason: &str, whose: &str) {
    let found = (answer.code(), answer.reason());
    assert_eq!(
        found,
        (code, Some(reason.to_owned())),
        "{whose}: {}",
        answer.text()
    );
    assert!(
        answer.messages.is_empty(),
        "{whose}: refused, and answered all the same"
    );
}

async fn without_token(world: &World, example: &Example) -> String {
    for prefix in ["a", "zz"] {
        let answer = world
            .ask(None, example.method, example.request, prefix)
            .await;
        refused(
            &answer,
            "UNAUTHENTICATED",
            "UNAUTHENTICATED",
            example.method,
        );
    }
    "UNAUTHENTICATED".to_owned()
}

/// Who may not is told so before anything is read or looked up.
async fn lower_roles(world: &World, example: &Example, allowed: &[Role]) -> String {
    let mut seen = Vec::new();
    for role in Role::ALL.into_iter().filter(|role| !allowed.contains(role)) {
        let token = token(world, role);
        let whose = format!("{} as {role}", example.method);
        for prefix in ["a", "zz"] {
            let answer = world
                .ask(Some(&token), example.method, example.request, prefix)
                .await;
            refused(&answer, "PERMISSION_DENIED", "ROLE_REQUIRED", &whose);
        }
        let answer = world.ask_nonsense(&token, example.method).await;
        refused(&answer, "PERMISSION_DENIED", "ROLE_REQUIRED", &whose);
        seen.push(role.as_str());
    }
    format!("PERMISSION_DENIED to {}", seen.join(" "))
}

/// A person at another partner of the same org.
async fn other_partner(world: &World, example: &Example, allowed: &[Role]) -> String {
    let token = world.node.token("a", Role::PartnerContact, Some("a-other"));
    let answer = world
        .ask(Some(&token), example.method, example.request, "a")
        .await;
    if !allowed.contains(&Role::PartnerContact) {
        refused(
            &answer,
            "PERMISSION_DENIED",
            "ROLE_REQUIRED",
            example.method,
        );
        return answer.code().to_owned();
    }
    does_not_exist(world, &token, example, &answer).await;
    answer.code().to_owned()
}

/// The answer is the one about things that exist nowhere.
async fn does_not_exist(world: &World, token: &str, example: &Example, answer: &Answer) {
    assert_eq!(
        answer.code(),
        "NOT_FOUND",
        "{}: {}",
        example.method,
        answer.text()
    );
    let nowhere = world
        .ask(Some(token), example.method, example.request, "zz")
        .await;
    assert_eq!(
        told(world, &nowhere, "zz-"),
        told(world, answer, "a-"),
        "{}",
        example.method
    );
}

/// What a caller is told, without the names of things.
fn told(world: &World, answer: &Answer, prefix: &str) -> String {
    let refusal = answer.refusal.as_ref();
    let refusal = refusal.map(tierline_rpc::describe).unwrap_or_default();
    let rows = answer.messages.iter();
    let rows: String = rows
        .map(prost_reflect::DynamicMessage::to_text_format)
        .collect();
    let told = format!("{refusal}{rows}");
    world.with_names(&told).replace(prefix, "$-")
}

/// Somebody of org `b`, with a role that would do.
async fn other_org(world: &World, example: &Example, allowed: &[Role]) -> String {
    let token = world.node.token("b", allowed[0], None);
    let as_b = async |prefix| {
        world
            .ask(Some(&token), example.method, example.request, prefix)
            .await
    };
    match example.about {
        About::Named => {
            let answer = as_b("a").await;
            does_not_exist(world, &token, example, &answer).await;
            answer.code().to_owned()
        }
        About::Selection => {
            let (answer, nowhere) = (as_b("a").await, as_b("zz").await);
            assert_eq!(answer.code(), "OK", "{}", answer.text());
            assert_eq!(answer.text(), nowhere.text(), "{}", example.method);
            tells_nothing_of("a", &answer, example.method);
            "OK, nothing".to_owned()
        }
        About::Rows => {
            let (answer, nowhere) = (as_b("a").await, as_b("zz").await);
            assert_eq!(
                told(world, &nowhere, "zz-"),
                told(world, &answer, "a-"),
                "{}",
                example.method
            );
            let text = answer.text();
            assert!(
                text.contains("ROW_OUTCOME_REJECTED"),
                "{}: {text}",
                example.method
            );
            format!("{}, row rejected", answer.code())
        }
        About::Own => {
            let answer = as_b("b").await;
            assert_eq!(answer.code(), example.answer, "{}", answer.text());
            tells_nothing_of("a", &answer, example.method);
            format!("{} in its own org", answer.code())
        }
        About::Cell => {
            let answer = as_b("a").await;
            assert_eq!(answer.code(), example.answer, "{}", answer.text());
            format!("{}, no org in it", answer.code())
        }
    }
}

fn tells_nothing_of(org: &str, answer: &Answer, whose: &str) {
    let text = answer.text();
    for mark in [format!("Secrets of {org}"), format!("\"{org}-")] {
        assert!(!text.contains(&mark), "{whose} tells of org {org}: {text}");
    }
}

/// Everybody who may: commands dry, and once for good.
async fn right_roles(world: &World, example: &Example, allowed: &[Role]) -> String {
    let mut seen = Vec::new();
    let input = method(example.method).input();
    let dry = input.get_field_by_name("validate_only").is_some();
    let dry_request = format!("{} validate_only: true", example.request);
    let request = if dry {
        dry_request.as_str()
    } else {
        example.request
    };
    for role in allowed {
        let token = token(world, *role);
        let answer = world.ask(Some(&token), example.method, request, "a").await;
        succeeded(&answer, example, &format!("{} as {role}", example.method));
        seen.push(role.as_str());
    }
    if dry {
        let token = token(world, allowed[0]);
        let answer = world
            .ask(Some(&token), example.method, example.request, "a")
            .await;
        succeeded(&answer, example, example.method);
    }
    format!("{} to {}", example.answer, seen.join(" "))
}

fn succeeded(answer: &Answer, example: &Example, whose: &str) {
    assert_eq!(answer.code(), example.answer, "{whose}: {}", answer.text());
    if example.answer == "OK" {
        assert!(!answer.messages.is_empty(), "{whose}: no answer");
    }
    let rejected = answer.messages.iter().any(|message| {
        let results = message.get_field_by_name("results");
        let results = results.as_ref().and_then(|rows| rows.as_list());
        results.is_some_and(|rows| {
            rows.iter().filter_map(Value::as_message).any(|row| {
                row.get_field_by_name("error")
                    .is_some_and(|_| row.has_field_by_name("error"))
            })
        })
    });
    assert!(!rejected, "{whose}: a row was rejected: {}", answer.text());
    tells_nothing_of("b", answer, whose);
}

/// A line of the matrix.
async fn line(world: Arc<World>, example: &'static Example) -> String {
    let allowed = roles_of(example.method);
    let columns = [
        without_token(&world, example).await,
        other_org(&world, example, allowed).await,
        other_partner(&world, example, allowed).await,
        lower_roles(&world, example, allowed).await,
        right_roles(&world, example, allowed).await,
    ];
    format!("{} | {}", example.method, columns.join(" | "))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_is_checked_for_every_kind_of_caller() {
    let examples = examples();
    let world = Arc::new(World::start().await);
    let mut matrix = String::from(
        "# method | no token | other org | other partner | other roles | right roles\n",
    );
    let mut failed = Vec::new();
    // In the order of the examples, since some need what others leave.
    for example in EXAMPLES {
        // A task of its own, so that one failure does not hide the others.
        match tokio::spawn(line(Arc::clone(&world), example)).await {
            Ok(line) => {
                println!("{line}");
                writeln!(matrix, "{line}").unwrap();
            }
            Err(_) => failed.push(example.method),
        }
    }
    assert!(failed.is_empty(), "see above why: {failed:#?}");
    assert_eq!(matrix.lines().count(), examples.len() + 1);
    compare("matrix.txt", &matrix);
}

/// Compares a text with the one that is kept beside this file.
fn compare(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/access");
    let path = folder.join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, kept,
        "who may do what has changed; UPDATE_GOLDEN=1 writes {name} again"
    );
}

#[test]
fn requests_of_the_world_and_of_the_examples_can_be_read() {
    for example in examples().values() {
        message(&method(example.method).input(), example.request);
        for (name, request) in example.given {
            message(&method(name).input(), request);
        }
    }
}
