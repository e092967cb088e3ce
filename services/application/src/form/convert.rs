//! Forms between the contract and the domain.

use tierline_domain::application::{
    Agreement, Choice, FieldType, Form, FormContent, FormField, FormSection, form_from_yaml,
};
use tierline_domain::rejection::Violations;
use tierline_domain::{FormId, Rejection};
use tierline_proto::application::v1 as pb;
use tierline_proto::application::v1::define_form_request::Source;
use tierline_rpc::convert::Reader;

/// What stands on the button where nobody says.
const SUBMIT_LABEL: &str = "Submit";

/// Reads the content of a request. Whether it can be published is for the domain to say.
pub(super) fn read(source: Option<Source>) -> Result<FormContent, Rejection> {
    match source {
        None => Err(Rejection::invalid("content", "is required, or yaml")),
        Some(Source::Yaml(text)) => form_from_yaml(&text).map_err(|rejection| {
            let mut violations = Violations::default();
            for violation in rejection.violations {
                violations.add("yaml", violation.description);
            }
            violations.into_rejection()
        }),
        Some(Source::Content(message)) => {
            let mut reader = Reader::new();
            let content = reader.at("content", |r| content(r, message));
            reader.finish(content)
        }
    }
}

fn content(r: &mut Reader, message: pb::FormContent) -> Option<FormContent> {
    let form = r.at("form", |r| r.take(FormId::parse(message.form)));
    let sections = r.list("sections", message.sections, section);
    let submit_label = match message.submit_label {
        label if label.is_empty() => SUBMIT_LABEL.to_owned(),
        label => label,
    };
    Some(FormContent {
        form: form?,
        title: message.title,
        description: message.description,
        submit_label,
        success_message: message.success_message,
        sections: sections?,
    })
}

fn section(r: &mut Reader, message: pb::FormSection) -> Option<FormSection> {
    let fields = r.list("fields", message.fields, field)?;
    Some(FormSection {
        id: message.id,
        title: message.title,
        description: message.description,
        fields,
        agreement: message.agreement.map(|agreement| Agreement {
            text: agreement.text,
            accept_label: agreement.accept_label,
            required: agreement.required,
        }),
    })
}

fn field(r: &mut Reader, message: pb::FormField) -> Option<FormField> {
    let field_type = r.at("type", |r| field_type(r, message.r#type))?;
    let options = message.options.into_iter();
    Some(FormField {
        id: message.id,
        label: message.label,
        field_type,
        required: message.required,
        help: message.help,
        options: options
            .map(|option| Choice {
                id: option.id,
                label: option.label,
            })
            .collect(),
    })
}

fn field_type(r: &mut Reader, number: i32) -> Option<FieldType> {
    Some(match pb::FieldType::try_from(number) {
        Ok(pb::FieldType::Text) => FieldType::Text,
        Ok(pb::FieldType::LongText) => FieldType::LongText,
        Ok(pb::FieldType::Email) => FieldType::Email,
        Ok(pb::FieldType::Url) => FieldType::Url,
        Ok(pb::FieldType::Number) => FieldType::Number,
        Ok(pb::FieldType::Select) => FieldType::Select,
        Ok(pb::FieldType::MultiSelect) => FieldType::MultiSelect,
        Ok(pb::FieldType::Checkbox) => FieldType::Checkbox,
        Ok(pb::FieldType::Unspecified) | Err(_) => {
            return r.wrong("must be one of the types of fields");
        }
    })
}

/// A form as the contract writes it, with its version of the given number; without one, if there
/// is none.
pub(super) fn message(form: &Form, etag_version: u64, number: u32) -> pb::Form {
    let version = form.version(number);
    pb::Form {
        form_id: form.id().map(ToString::to_string).unwrap_or_default(),
        draft: form.draft().map(content_message),
        newest_version: form.newest(),
        version: version.map_or(0, |_| number),
        content: version.map(content_message),
        yaml: String::new(),
        etag: tierline_rpc::command::etag(etag_version),
    }
}

fn content_message(content: &FormContent) -> pb::FormContent {
    pb::FormContent {
        form: content.form.to_string(),
        title: content.title.clone(),
        description: content.description.clone(),
        submit_label: content.submit_label.clone(),
        success_message: content.success_message.clone(),
        sections: content.sections.iter().map(section_message).collect(),
    }
}

fn section_message(section: &FormSection) -> pb::FormSection {
    let agreement = section.agreement.as_ref();
    pb::FormSection {
        id: section.id.clone(),
        title: section.title.clone(),
        description: section.description.clone(),
        fields: section.fields.iter().map(field_message).collect(),
        agreement: agreement.map(|agreement| pb::Agreement {
            text: agreement.text.clone(),
            accept_label: agreement.accept_label.clone(),
            required: agreement.required,
        }),
    }
}

fn field_message(field: &FormField) -> pb::FormField {
    let options = field.options.iter();
    pb::FormField {
        id: field.id.clone(),
        label: field.label.clone(),
        r#type: type_message(field.field_type).into(),
        required: field.required,
        help: field.help.clone(),
        options: options
            .map(|option| pb::FieldOption {
                id: option.id.clone(),
                label: option.label.clone(),
            })
            .collect(),
    }
}

fn type_message(field_type: FieldType) -> pb::FieldType {
    match field_type {
        FieldType::Text => pb::FieldType::Text,
        FieldType::LongText => pb::FieldType::LongText,
        FieldType::Email => pb::FieldType::Email,
        FieldType::Url => pb::FieldType::Url,
        FieldType::Number => pb::FieldType::Number,
        FieldType::Select => pb::FieldType::Select,
        FieldType::MultiSelect => pb::FieldType::MultiSelect,
        FieldType::Checkbox => pb::FieldType::Checkbox,
    }
}

#[cfg(test)]
mod tests {
    use tierline_domain::application::form_to_yaml;

    use super::*;

    #[test]
    fn a_content_survives_the_contract() {
        let options = vec![Choice {
            id: "a".to_owned(),
            label: "A".to_owned(),
        }];
        let fields = FieldType::ALL.iter().map(|kind| FormField {
            id: kind.as_str().to_owned(),
            label: kind.to_string(),
            field_type: *kind,
            required: kind.selects(),
            help: "as you like".to_owned(),
            options: options.clone(),
        });
        let content = FormContent {
            form: FormId::parse("resellers").unwrap(),
            title: "Become a reseller".to_owned(),
            description: "Soon".to_owned(),
            submit_label: "Apply".to_owned(),
            success_message: "Thanks".to_owned(),
            sections: vec![FormSection {
                id: "all".to_owned(),
                title: "All".to_owned(),
                description: "Everything".to_owned(),
                fields: fields.collect(),
                agreement: Some(Agreement {
                    text: "Be fair.".to_owned(),
                    accept_label: "Yes".to_owned(),
                    required: true,
                }),
            }],
        };
        let source = Source::Content(content_message(&content));
        assert_eq!(read(Some(source)).unwrap(), content);
        let yaml = Source::Yaml(form_to_yaml(&content).unwrap());
        assert_eq!(read(Some(yaml)).unwrap(), content);
    }
}
