//! Submissions: submit, list, show, decide.

use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;
use tierline_domain::application::{SubmissionState, filled_in_from_yaml};
use tierline_proto::application::v1::form_service_client::FormServiceClient;
use tierline_proto::application::v1::submission_service_client::SubmissionServiceClient;
use tierline_proto::application::v1::{
    ApproveSubmissionRequest, FormContent, FormField, GetFormRequest, GetSubmissionRequest,
    RejectSubmissionRequest, Submission, SubmissionResponse, SubmitApplicationRequest,
};
use tierline_proto::common::v1::{Value, value::Kind};
use tierline_proto::query::v1::application_query_service_client::ApplicationQueryServiceClient;
use tierline_proto::query::v1::{ListSubmissionsRequest, SubmissionSummary};
use tierline_rpc::convert::common::attributes_message;

use super::{MAX_PAGE, read, request_id, shown};
use crate::cli::Globals;
use crate::client::{Authorized, refused};
use crate::commands::show::partner::quoted;
use crate::commands::show::{json, text, words};
use crate::output;

#[derive(Debug, clap::Args)]
pub(super) struct SubmitArgs {
    /// What was filled in, in YAML or JSON.
    file: PathBuf,
    /// Makes a repetition harmless: the same id with the same file is one submission. Default: a
    /// new id.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Check and tell only.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Only submissions of this form.
    #[arg(long, value_name = "FORM")]
    form: Option<String>,
    /// Only submissions in this state: pending, approved or rejected.
    #[arg(long, value_name = "STATE")]
    state: Option<SubmissionState>,
    /// Only submissions that pass this condition.
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Order, such as `submit_time` for the oldest first. Over submit_time, form, state,
    /// submission_id.
    #[arg(long, value_name = "ORDER")]
    order_by: Option<String>,
    /// Most submissions to list; 0 for all.
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: usize,
}

pub(super) async fn submit(args: SubmitArgs, globals: &Globals) -> anyhow::Result<()> {
    let read = filled_in_from_yaml(&read(&args.file)?);
    let filled_in = read.with_context(|| format!("{} is no submission", args.file.display()))?;
    let request = SubmitApplicationRequest {
        form_id: filled_in.form.to_string(),
        form_version: filled_in.version.unwrap_or_default(),
        answers: attributes_message(&filled_in.answers),
        accepted_agreements: filled_in.accept,
        request_id: args.request_id.unwrap_or_else(request_id),
        validate_only: args.dry_run,
    };
    let channel = globals.client.connect().await?;
    let answer = SubmissionServiceClient::new(channel.clone())
        .submit_application(request)
        .await;
    let answer = answer.map_err(refused)?.into_inner();
    shown(&channel, &answer.consistency_token).await?;
    if globals.output.json() {
        return print_json(&answer, args.dry_run);
    }
    let taken = answer.submission.unwrap_or_default();
    let of = format!("form {} version {}", taken.form_id, taken.form_version);
    if args.dry_run {
        output::line(format!("{of} would take it. Nothing was stored."));
        return Ok(());
    }
    output::line(format!("Submitted {} ({of}).", taken.submission_id));
    if !answer.success_message.is_empty() {
        output::line(answer.success_message.trim_end());
    }
    Ok(())
}

pub(super) async fn approve(
    submission_id: String,
    note: String,
    globals: &Globals,
) -> anyhow::Result<()> {
    let channel = globals.client.connect().await?;
    let request = ApproveSubmissionRequest {
        submission_id,
        note,
        request_id: request_id(),
        ..Default::default()
    };
    let answer = SubmissionServiceClient::new(channel.clone())
        .approve_submission(request)
        .await;
    decided(&channel, &answer.map_err(refused)?.into_inner(), globals).await
}

pub(super) async fn reject(
    submission_id: String,
    note: String,
    globals: &Globals,
) -> anyhow::Result<()> {
    let channel = globals.client.connect().await?;
    let request = RejectSubmissionRequest {
        submission_id,
        note,
        request_id: request_id(),
        ..Default::default()
    };
    let answer = SubmissionServiceClient::new(channel.clone())
        .reject_submission(request)
        .await;
    decided(&channel, &answer.map_err(refused)?.into_inner(), globals).await
}

async fn decided(
    channel: &Authorized,
    answer: &SubmissionResponse,
    globals: &Globals,
) -> anyhow::Result<()> {
    shown(channel, &answer.consistency_token).await?;
    if globals.output.json() {
        return print_json(answer, false);
    }
    let submission = answer.submission.clone().unwrap_or_default();
    let decision = submission.decision.unwrap_or_default();
    output::line(format!(
        "{} is {} since {}, by {}.",
        submission.submission_id,
        words::submission_state(submission.state),
        words::second(decision.decide_time.as_ref()),
        decision.decided_by
    ));
    Ok(())
}

/// The answer of a command, which never has what the applicant wrote.
fn print_json(answer: &SubmissionResponse, dry_run: bool) -> anyhow::Result<()> {
    let mut shown = json::of("application.v1.SubmissionResponse", answer)?;
    if let Some(object) = shown.as_object_mut() {
        object.insert("dry_run".to_owned(), json!(dry_run));
        let submission = object.get_mut("submission");
        if let Some(submission) = submission.and_then(|it| it.as_object_mut()) {
            submission.remove("answers");
        }
    }
    output::json(&shown)
}

impl ListArgs {
    fn condition(&self) -> String {
        let given = self.filter.as_deref().map(str::trim);
        let given = given.filter(|given| !given.is_empty());
        let form = self.form.as_deref().map(quoted);
        let terms = [
            given.map(|given| format!("({given})")),
            form.map(|form| format!("form = {form}")),
            self.state.map(|state| format!("state = {state}")),
        ];
        let terms: Vec<String> = terms.into_iter().flatten().collect();
        terms.join(" AND ")
    }
}

pub(super) async fn list(args: ListArgs, globals: &Globals) -> anyhow::Result<()> {
    let limit = match args.limit {
        0 => usize::MAX,
        limit => limit,
    };
    let mut client = ApplicationQueryServiceClient::new(globals.client.connect().await?);
    let mut request = ListSubmissionsRequest {
        filter: args.condition(),
        order_by: args.order_by.clone().unwrap_or_default(),
        ..Default::default()
    };
    let mut submissions: Vec<SubmissionSummary> = Vec::new();
    let total = loop {
        request.page_size = i32::try_from((limit - submissions.len()).min(MAX_PAGE))?;
        let answer = client.list_submissions(request.clone()).await;
        let answer = answer.map_err(refused)?.into_inner();
        submissions.extend(answer.submissions);
        if answer.next_page_token.is_empty() || submissions.len() >= limit {
            break answer.total_size;
        }
        request.page_token = answer.next_page_token;
    };
    if globals.output.json() {
        let rows = json::all("query.v1.SubmissionSummary", &submissions)?;
        return output::json(&json!({"submissions": rows, "total_size": total}));
    }
    if !submissions.is_empty() {
        let headings = [
            "id",
            "form",
            "version",
            "state",
            "submitted",
            "decided",
            "by",
        ];
        output::table(&headings, submissions.iter().map(row));
    }
    let listed = submissions.len() as u64;
    let all = words::counted(total, "submission");
    output::line(if listed < total {
        format!("{} of {all}; --limit 0 lists all", words::grouped(listed))
    } else {
        all
    });
    Ok(())
}

fn row(one: &SubmissionSummary) -> [String; 7] {
    [
        one.submission_id.clone(),
        one.form_id.clone(),
        one.form_version.to_string(),
        words::submission_state(one.state),
        words::second(one.submit_time.as_ref()),
        words::second(one.decide_time.as_ref()),
        one.decided_by.clone(),
    ]
}

pub(super) async fn show(submission_id: String, globals: &Globals) -> anyhow::Result<()> {
    let channel = globals.client.connect().await?;
    let submission = SubmissionServiceClient::new(channel.clone())
        .get_submission(GetSubmissionRequest { submission_id })
        .await
        .map_err(refused)?
        .into_inner();
    if globals.output.json() {
        return output::json(&json::of("application.v1.Submission", &submission)?);
    }
    let request = GetFormRequest {
        form_id: submission.form_id.clone(),
        version: submission.form_version,
    };
    let form = FormServiceClient::new(channel).get_form(request).await;
    let content = form.map_err(refused)?.into_inner().content;
    for line in lines(&submission, &content.unwrap_or_default()) {
        output::line(line);
    }
    Ok(())
}

/// A submission in the order and with the labels of its form.
fn lines(submission: &Submission, content: &FormContent) -> Vec<String> {
    let (form, version) = (&submission.form_id, submission.form_version);
    let title = format!("{} ({form} version {version})", submission.submission_id);
    let mut lines = vec![title];
    let mut rows = vec![
        vec![
            "state".to_owned(),
            words::submission_state(submission.state),
        ],
        vec![
            "submitted".to_owned(),
            words::second(submission.submit_time.as_ref()),
        ],
    ];
    if let Some(decision) = &submission.decision {
        let when = words::second(decision.decide_time.as_ref());
        rows.push(vec![
            "decided".to_owned(),
            format!("{when} by {}", decision.decided_by),
        ]);
        let mut label = "note";
        for line in decision.note.lines() {
            rows.push(vec![std::mem::take(&mut label).to_owned(), line.to_owned()]);
        }
    }
    lines.extend(indented(&rows));
    for section in &content.sections {
        lines.extend([String::new(), section.title.clone()]);
        if section.agreement.is_some() {
            let accepted = submission
                .agreements
                .iter()
                .find(|one| one.section_id == section.id);
            lines.push(match accepted {
                None => "  not accepted".to_owned(),
                Some(one) => format!(
                    "  accepted {}, as version {} says it",
                    words::second(one.accept_time.as_ref()),
                    one.form_version
                ),
            });
        }
        let rows: Vec<Vec<String>> = section
            .fields
            .iter()
            .flat_map(|field| answer_rows(field, submission.answers.get(&field.id)))
            .collect();
        lines.extend(indented(&rows));
    }
    lines
}

fn indented(rows: &[Vec<String>]) -> Vec<String> {
    let lines = text::aligned(rows).into_iter();
    lines.map(|line| format!("  {line}")).collect()
}

/// The label and the answer, a row for each line of it.
fn answer_rows(field: &FormField, answer: Option<&Value>) -> Vec<Vec<String>> {
    let label = |id: &String| {
        let option = field.options.iter().find(|option| option.id == *id);
        option.map_or_else(|| id.clone(), |option| option.label.clone())
    };
    let text = match answer.and_then(|answer| answer.kind.as_ref()) {
        None => "-".to_owned(),
        Some(Kind::Text(id)) if !field.options.is_empty() => label(id),
        Some(Kind::Text(text) | Kind::Number(text) | Kind::Date(text)) => text.clone(),
        Some(Kind::Flag(flag)) => if *flag { "yes" } else { "no" }.to_owned(),
        Some(Kind::List(list)) => {
            let labels: Vec<String> = list.items.iter().map(label).collect();
            labels.join("\n")
        }
    };
    let mut heading = field.label.as_str();
    text.lines()
        .map(|line| vec![std::mem::take(&mut heading).to_owned(), line.to_owned()])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tierline_proto::application::v1::{
        AcceptedAgreement, Agreement, FieldOption, FormSection, SubmissionDecision,
    };

    fn field(id: &str, label: &str) -> FormField {
        FormField {
            id: id.to_owned(),
            label: label.to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn a_submission_is_shown_with_the_labels_of_its_form() {
        let mut kind = field("kind", "What you do");
        kind.options = vec![FieldOption {
            id: "resell".to_owned(),
            label: "We resell".to_owned(),
        }];
        let content = FormContent {
            sections: vec![
                FormSection {
                    title: "You".to_owned(),
                    fields: vec![kind, field("why", "Why"), field("site", "Web site")],
                    ..Default::default()
                },
                FormSection {
                    id: "terms".to_owned(),
                    title: "Terms".to_owned(),
                    agreement: Some(Agreement::default()),
                    ..Default::default()
                },
            ],
            ..Default::default()
        };
        let answer = |text: &str| Value {
            kind: Some(Kind::Text(text.to_owned())),
        };
        let at = Some(prost_types::Timestamp {
            seconds: 60,
            nanos: 0,
        });
        let submission = Submission {
            submission_id: "s-1".to_owned(),
            form_id: "resellers".to_owned(),
            form_version: 2,
            state: 2,
            submit_time: at,
            answers: [
                ("kind".to_owned(), answer("resell")),
                ("why".to_owned(), answer("one\ntwo")),
            ]
            .into(),
            agreements: vec![AcceptedAgreement {
                section_id: "terms".to_owned(),
                form_version: 2,
                accept_time: at,
            }],
            decision: Some(SubmissionDecision {
                decided_by: "user:ada".to_owned(),
                decide_time: at,
                note: "Fine.".to_owned(),
            }),
            ..Default::default()
        };
        assert_eq!(
            lines(&submission, &content),
            [
                "s-1 (resellers version 2)",
                "  state      approved",
                "  submitted  1970-01-01T00:01:00Z",
                "  decided    1970-01-01T00:01:00Z by user:ada",
                "  note       Fine.",
                "",
                "You",
                "  What you do  We resell",
                "  Why          one",
                "               two",
                "  Web site     -",
                "",
                "Terms",
                "  accepted 1970-01-01T00:01:00Z, as version 2 says it",
            ]
        );
    }

    #[test]
    fn form_and_state_narrow_the_filter_and_cannot_change_it() {
        let mut args = ListArgs {
            form: None,
            state: None,
            filter: None,
            order_by: None,
            limit: 0,
        };
        assert_eq!(args.condition(), "");
        args.form = Some("a\"b".to_owned());
        args.state = Some(SubmissionState::Pending);
        args.filter = Some("form_version = 1 OR form_version = 2".to_owned());
        assert_eq!(
            args.condition(),
            "(form_version = 1 OR form_version = 2) AND form = \"a\\\"b\" AND state = pending"
        );
    }
}
