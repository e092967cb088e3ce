//! Forms: define, publish, list, show.

use std::path::Path;

use serde_json::json;
use tierline_proto::application::v1::define_form_request::Source;
use tierline_proto::application::v1::form_service_client::FormServiceClient;
use tierline_proto::application::v1::{
    DefineFormRequest, Form, FormContent, FormField, GetFormRequest, PublishFormRequest,
};
use tierline_proto::query::v1::application_query_service_client::ApplicationQueryServiceClient;
use tierline_proto::query::v1::{FormSummary, ListFormsRequest};

use super::{MAX_PAGE, read, request_id, shown};
use crate::cli::Globals;
use crate::client::refused;
use crate::commands::show::{json, text, words};
use crate::output;

pub(super) async fn define(file: &Path, dry_run: bool, globals: &Globals) -> anyhow::Result<()> {
    let request = DefineFormRequest {
        source: Some(Source::Yaml(read(file)?)),
        request_id: request_id(),
        validate_only: dry_run,
        ..Default::default()
    };
    let channel = globals.client.connect().await?;
    let answer = FormServiceClient::new(channel.clone())
        .define_form(request)
        .await;
    let answer = answer.map_err(refused)?.into_inner();
    shown(&channel, &answer.consistency_token).await?;
    let form = answer.form.unwrap_or_default();
    if globals.output.json() {
        return output::json(&json!({
            "form": json::of("application.v1.Form", &form)?,
            "dry_run": dry_run,
            "consistency_token": answer.consistency_token,
        }));
    }
    let id = &form.form_id;
    output::line(match (&form.draft, dry_run) {
        (None, _) => format!(
            "Unchanged: version {} of form {id} says just this already.",
            form.newest_version
        ),
        (Some(_), true) => format!("Would keep this draft of form {id}. Nothing was stored."),
        (Some(_), false) => format!(
            "Kept a draft of form {id}. To let it take submissions: tierline application publish \
             {id}"
        ),
    });
    Ok(())
}

pub(super) async fn publish(form_id: String, globals: &Globals) -> anyhow::Result<()> {
    let request = PublishFormRequest {
        form_id,
        request_id: request_id(),
        ..Default::default()
    };
    let channel = globals.client.connect().await?;
    let answer = FormServiceClient::new(channel.clone())
        .publish_form(request)
        .await;
    let answer = answer.map_err(refused)?.into_inner();
    shown(&channel, &answer.consistency_token).await?;
    let form = answer.form.unwrap_or_default();
    if globals.output.json() {
        return output::json(&json!({
            "form": json::of("application.v1.Form", &form)?,
            "consistency_token": answer.consistency_token,
        }));
    }
    output::line(format!(
        "Published form {} version {}.",
        form.form_id, form.newest_version
    ));
    Ok(())
}

pub(super) async fn list(globals: &Globals) -> anyhow::Result<()> {
    let mut client = ApplicationQueryServiceClient::new(globals.client.connect().await?);
    let mut request = ListFormsRequest {
        page_size: i32::try_from(MAX_PAGE)?,
        ..Default::default()
    };
    let mut forms: Vec<FormSummary> = Vec::new();
    loop {
        let answer = client.list_forms(request.clone()).await;
        let answer = answer.map_err(refused)?.into_inner();
        forms.extend(answer.forms);
        if answer.next_page_token.is_empty() {
            break;
        }
        request.page_token = answer.next_page_token;
    }
    if globals.output.json() {
        return output::json(&json!({"forms": json::all("query.v1.FormSummary", &forms)?}));
    }
    if !forms.is_empty() {
        let rows = forms.iter().map(|one| {
            let version = match one.newest_version {
                0 => "-".to_owned(),
                number => number.to_string(),
            };
            [
                one.form_id.clone(),
                text::shorten(&one.title, 40),
                version,
                words::second(one.publish_time.as_ref()),
                if one.has_draft { "yes" } else { "" }.to_owned(),
            ]
        });
        output::table(&["id", "title", "version", "published", "draft"], rows);
    }
    output::line(words::counted(forms.len() as u64, "form"));
    Ok(())
}

pub(super) async fn show(
    form_id: String,
    version: Option<u32>,
    yaml: bool,
    globals: &Globals,
) -> anyhow::Result<()> {
    let request = GetFormRequest {
        form_id,
        version: version.unwrap_or_default(),
    };
    let mut client = FormServiceClient::new(globals.client.connect().await?);
    let form = client
        .get_form(request)
        .await
        .map_err(refused)?
        .into_inner();
    if yaml {
        output::line(form.yaml.trim_end());
        return Ok(());
    }
    if globals.output.json() {
        return output::json(&json::of("application.v1.Form", &form)?);
    }
    for line in lines(&form) {
        output::line(line);
    }
    Ok(())
}

fn lines(form: &Form) -> Vec<String> {
    let Some(content) = form.content.as_ref().or(form.draft.as_ref()) else {
        return Vec::new();
    };
    let mut lines = vec![format!("{} ({})", content.title, form.form_id)];
    let drafted = form.draft.is_some();
    lines.push(match (form.version, drafted) {
        (0, _) => "A draft; it takes no submissions yet.".to_owned(),
        (shown, _) if shown < form.newest_version => {
            format!(
                "Version {shown}; version {} takes submissions.",
                form.newest_version
            )
        }
        (shown, true) => format!("Version {shown}; a draft of the next one is kept."),
        (shown, false) => format!("Version {shown}."),
    });
    lines.extend(content_lines(content));
    lines
}

fn content_lines(content: &FormContent) -> Vec<String> {
    let mut lines = Vec::new();
    for section in &content.sections {
        lines.extend([String::new(), format!("{} ({})", section.title, section.id)]);
        if let Some(agreement) = &section.agreement {
            let must = if agreement.required {
                "required"
            } else {
                "optional"
            };
            lines.push(format!("  [ ] {}, {must}", agreement.accept_label));
        }
        let rows: Vec<Vec<String>> = section.fields.iter().map(field_row).collect();
        let rows = text::aligned(&rows).into_iter();
        lines.extend(rows.map(|line| format!("  {line}")));
    }
    lines
}

fn field_row(field: &FormField) -> Vec<String> {
    let options: Vec<&str> = field.options.iter().map(|one| one.id.as_str()).collect();
    let kind = words::spaced(&words::field_type(field.r#type));
    let kind = match options.as_slice() {
        [] => kind,
        some => format!("{kind}: {}", text::shorten(&some.join(", "), 60)),
    };
    let must = if field.required { "required" } else { "" };
    vec![field.id.clone(), field.label.clone(), must.to_owned(), kind]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tierline_proto::application::v1::{Agreement, FieldOption, FieldType, FormSection};

    #[test]
    fn a_form_is_shown_section_by_section() {
        let field = |id: &str, kind: FieldType, required| FormField {
            id: id.to_owned(),
            label: id.to_uppercase(),
            r#type: kind.into(),
            required,
            ..Default::default()
        };
        let mut kind = field("kind", FieldType::MultiSelect, false);
        kind.options = ["a", "b"]
            .map(|id| FieldOption {
                id: id.to_owned(),
                label: String::new(),
            })
            .to_vec();
        let content = FormContent {
            title: "Join".to_owned(),
            sections: vec![
                FormSection {
                    id: "you".to_owned(),
                    title: "You".to_owned(),
                    fields: vec![field("email", FieldType::Email, true), kind],
                    ..Default::default()
                },
                FormSection {
                    id: "terms".to_owned(),
                    title: "Terms".to_owned(),
                    agreement: Some(Agreement {
                        accept_label: "I accept".to_owned(),
                        required: true,
                        ..Default::default()
                    }),
                    ..Default::default()
                },
            ],
            ..Default::default()
        };
        let form = Form {
            form_id: "resellers".to_owned(),
            version: 1,
            newest_version: 2,
            content: Some(content),
            ..Default::default()
        };
        assert_eq!(
            lines(&form),
            [
                "Join (resellers)",
                "Version 1; version 2 takes submissions.",
                "",
                "You (you)",
                "  email  EMAIL  required  email",
                "  kind   KIND             multi select: a, b",
                "",
                "Terms (terms)",
                "  [ ] I accept, required",
            ]
        );
    }
}
