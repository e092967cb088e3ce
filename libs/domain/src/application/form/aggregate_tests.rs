use super::*;
use crate::application::form::validate::tests::sample;
use crate::test_support::{Given, given, run_and_replay};

fn titled(title: &str) -> Box<FormContent> {
    Box::new(FormContent {
        title: title.to_owned(),
        ..sample()
    })
}

fn define(title: &str) -> FormCommand {
    FormCommand::Define {
        content: titled(title),
    }
}

fn published(title: &str) -> Given<Form> {
    given([
        FormEvent::FormDefined {
            content: titled(title),
        },
        FormEvent::FormPublished {
            version: 1,
            content: titled(title),
        },
    ])
}

#[test]
fn a_draft_is_kept_then_published_as_version_one() {
    let form = given::<Form>([])
        .when(define("One"))
        .then([FormEvent::FormDefined {
            content: titled("One"),
        }])
        .when(define("One"))
        .nothing()
        .when(FormCommand::Publish)
        .then([FormEvent::FormPublished {
            version: 1,
            content: titled("One"),
        }]);
    assert_eq!((form.state.draft(), form.state.newest()), (None, 1));
    form.when(FormCommand::Publish).refused("FORM_HAS_NO_DRAFT");
}

#[test]
fn a_published_version_stays_as_it_was() {
    let form = published("One")
        .when(define("One"))
        .nothing()
        .when(define("Two"))
        .accepted()
        .when(FormCommand::Publish)
        .accepted()
        .state;
    let title = |number| form.version(number).map(|content| content.title.as_str());
    assert_eq!(title(0), None);
    assert_eq!(title(1), Some("One"));
    assert_eq!(title(2), Some("Two"));
    assert_eq!(title(3), None);
}

#[test]
fn publishing_what_is_published_already_changes_nothing() {
    published("One")
        .when(define("Two"))
        .accepted()
        .when(define("One"))
        .accepted()
        .when(FormCommand::Publish)
        .nothing();
}

#[test]
fn an_unfinished_draft_is_kept_but_not_published() {
    let mut draft = sample();
    draft.sections.truncate(1);
    draft.sections[0].fields[3].options.clear();
    let content = Box::new(draft);
    given::<Form>([])
        .when(FormCommand::Define { content })
        .accepted()
        .when(FormCommand::Publish)
        .invalid(&["content.sections[0].fields[3].options"]);
}

#[test]
fn a_draft_has_an_identifier_that_never_changes() {
    let other = |id: &str| {
        let mut content = sample();
        content.form = serde_json::from_value(id.into()).unwrap();
        FormCommand::Define {
            content: Box::new(content),
        }
    };
    given::<Form>([])
        .when(other("No Label"))
        .invalid(&["content.form"]);
    published("One")
        .when(other("others"))
        .invalid(&["content.form"]);
}

#[test]
fn a_form_that_does_not_exist_cannot_be_published() {
    given::<Form>([])
        .when(FormCommand::Publish)
        .refused("FORM_NOT_FOUND");
}

#[test]
fn versions_are_bounded() {
    let content = titled("One");
    let versions = (1..=100).map(|version| FormEvent::FormPublished {
        version,
        content: content.clone(),
    });
    given::<Form>(versions)
        .when(define("Two"))
        .accepted()
        .when(FormCommand::Publish)
        .refused("TOO_MANY_VERSIONS");
}

#[test]
fn the_newest_version_takes_submissions() {
    let form = published("One").when(define("Two")).accepted();
    assert_eq!(form.state.open_version(None).unwrap().0, 1);
    let form = form.when(FormCommand::Publish).accepted().state;
    assert_eq!(form.open_version(None).unwrap().0, 2);
    assert_eq!(form.open_version(Some(2)).unwrap().1.title, "Two");
    let reason = |shown| form.open_version(Some(shown)).unwrap_err().reason;
    assert_eq!(reason(1), "FORM_VERSION_REPLACED");
    assert_eq!(reason(3), "INVALID_REQUEST");
    assert_eq!(reason(0), "INVALID_REQUEST");
    let draft = given::<Form>([]).when(define("One")).accepted().state;
    let refused = draft.open_version(None).unwrap_err();
    assert_eq!(refused.reason, "FORM_NOT_PUBLISHED");
}

#[test]
fn a_form_with_facts_of_a_newer_release_is_left_alone() {
    let unknown = FormEvent::Unknown {
        event_type: "tierline.application.v1.FormPainted".to_owned(),
        payload: serde_json::Value::Null,
    };
    given::<Form>([unknown])
        .when(define("One"))
        .refused("UNKNOWN_EVENT");
}

proptest::proptest! {
    #[test]
    fn any_commands_leave_a_form_that_replays(
        steps in proptest::collection::vec(proptest::option::of("[a-c]?"), 0..20)
    ) {
        let commands = steps.into_iter().map(|step| match step {
            Some(title) => define(&title),
            None => FormCommand::Publish,
        });
        let (form, _) = run_and_replay::<Form>(commands);
        proptest::prop_assert_eq!(form.version(form.newest() + 1), None);
    }
}
