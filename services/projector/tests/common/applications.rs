//! Forms and submissions.

use jiff::Timestamp;
use tierline_domain::Routing;
use tierline_domain::application::{
    Decision, FormContent, FormEvent, Received, SubmissionEvent, form_from_yaml,
};
use tierline_domain::ids::{FormId, SubmissionId};

use super::World;

impl World {
    /// The form `resellers` in two versions with a draft, the decided submission `s-1`, and `s-2`,
    /// which waits.
    pub async fn applications(&mut self, org: &str, decided: SubmissionEvent) {
        let form = [
            defined("One"),
            published(1, "One"),
            defined("Two"),
            published(2, "Two"),
            defined("Three"),
        ];
        self.append("Form", org, "resellers", alone("form", "resellers"), &form)
            .await;
        for (id, events) in [
            ("s-1", vec![received("s-1", 60), decided]),
            ("s-2", vec![received("s-2", 120)]),
        ] {
            self.append("Submission", org, id, alone("submission", id), &events)
                .await;
        }
    }
}

pub fn content(title: &str) -> Box<FormContent> {
    let yaml = format!(
        "{{form: resellers, title: {title}, sections: [{{id: you, title: You, fields: [
            {{id: name, label: Name, type: text}}]}}]}}"
    );
    Box::new(form_from_yaml(&yaml).unwrap())
}

pub fn defined(title: &str) -> FormEvent {
    FormEvent::FormDefined {
        content: content(title),
    }
}

pub fn published(version: u32, title: &str) -> FormEvent {
    FormEvent::FormPublished {
        version,
        content: content(title),
    }
}

pub fn received(submission: &str, second: i64) -> SubmissionEvent {
    SubmissionEvent::SubmissionReceived(Box::new(Received {
        submission: SubmissionId::parse(submission).unwrap(),
        form: FormId::parse("resellers").unwrap(),
        form_version: 2,
        submit_time: Timestamp::from_second(second).unwrap(),
        answers: [(
            "name".to_owned(),
            tierline_domain::rules::Value::text("Ada Secretname"),
        )]
        .into(),
        agreements: Vec::new(),
    }))
}

pub fn decision() -> Decision {
    Decision {
        decided_by: "user:ada".to_owned(),
        decide_time: Timestamp::from_second(1_000).unwrap(),
        note: "Knows Mr Secretname well.".to_owned(),
    }
}

fn alone(kind: &'static str, id: &str) -> Routing {
    let id = id.to_owned();
    Routing::Alone { kind, id }
}
