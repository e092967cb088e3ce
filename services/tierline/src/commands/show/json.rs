//! Messages of the contract as JSON, made from its descriptors, so that no field is forgotten.
//!
//! Differs from the JSON mapping of Protocol Buffers where that is awkward for scripts: names are
//! those of the contract, enum values are the words that filters take (`tier_changed`, and empty
//! for unspecified), 64-bit numbers are numbers, and every field is there.

use std::sync::LazyLock;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, ReflectMessage, Value,
};
use serde_json::{Map, Value as Json};

use super::words;

static CONTRACT: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(tierline_proto::FILE_DESCRIPTOR_SET)
        .expect("the descriptors were made by the compiler of the contract")
});

/// A message as JSON. `name` is its name below `tierline`, such as `query.v1.PartnerSummary`.
///
/// # Errors
/// When the contract has no such message.
pub fn of<M: Message>(name: &str, message: &M) -> anyhow::Result<Json> {
    let descriptor = CONTRACT
        .get_message_by_name(&format!("tierline.{name}"))
        .with_context(|| format!("the contract has no message {name}"))?;
    let bytes = message.encode_to_vec();
    let message = DynamicMessage::decode(descriptor, bytes.as_slice())?;
    Ok(message_value(&message))
}

/// The same for several messages.
///
/// # Errors
/// As [`of`].
pub fn all<M: Message>(name: &str, messages: &[M]) -> anyhow::Result<Json> {
    let list: anyhow::Result<Vec<Json>> = messages.iter().map(|one| of(name, one)).collect();
    Ok(Json::Array(list?))
}

fn message_value(message: &DynamicMessage) -> Json {
    let descriptor = message.descriptor();
    if descriptor.full_name() == "google.protobuf.Timestamp" {
        return instant(message);
    }
    let mut object = Map::new();
    for field in descriptor.fields() {
        let absent = field.supports_presence() && !message.has_field(&field);
        if absent
            && field
                .containing_oneof()
                .is_some_and(|one| one.fields().len() > 1)
        {
            continue;
        }
        let value = if absent {
            Json::Null
        } else {
            field_value(&field, &message.get_field(&field))
        };
        object.insert(field.name().to_owned(), value);
    }
    Json::Object(object)
}

fn instant(message: &DynamicMessage) -> Json {
    let number = |name| message.get_field_by_name(name);
    let seconds = number("seconds").and_then(|value| value.as_i64());
    let nanos = number("nanos").and_then(|value| value.as_i32());
    let instant = prost_types::Timestamp {
        seconds: seconds.unwrap_or_default(),
        nanos: nanos.unwrap_or_default(),
    };
    Json::String(words::instant(Some(&instant)))
}

fn field_value(field: &FieldDescriptor, value: &Value) -> Json {
    match value {
        Value::List(items) => items.iter().map(|item| field_value(field, item)).collect(),
        Value::Map(entries) => {
            let values = match field.kind() {
                Kind::Message(entry) => entry.get_field_by_name("value"),
                _ => None,
            };
            let text = |key: &prost_reflect::MapKey| match key {
                prost_reflect::MapKey::String(text) => text.clone(),
                other => format!("{other:?}"),
            };
            let entries = entries
                .iter()
                .filter_map(|(key, value)| Some((text(key), field_value(values.as_ref()?, value))));
            Json::Object(entries.collect())
        }
        Value::EnumNumber(number) => match field.kind() {
            Kind::Enum(descriptor) => Json::String(enum_word(&descriptor, *number)),
            _ => Json::from(*number),
        },
        Value::Message(message) => message_value(message),
        Value::Bool(flag) => Json::Bool(*flag),
        Value::I32(number) => Json::from(*number),
        Value::I64(number) => Json::from(*number),
        Value::U32(number) => Json::from(*number),
        Value::U64(number) => Json::from(*number),
        Value::F32(number) => Json::from(*number),
        Value::F64(number) => Json::from(*number),
        Value::String(text) => Json::String(text.clone()),
        Value::Bytes(bytes) => Json::String(STANDARD.encode(bytes)),
    }
}

/// The value without the prefix that all values of its enum share.
fn enum_word(descriptor: &EnumDescriptor, number: i32) -> String {
    let Some(value) = descriptor.get_value(number) else {
        return number.to_string();
    };
    let zero = descriptor.default_value();
    let prefix = zero.name().trim_end_matches("UNSPECIFIED");
    words::word(value.name(), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tierline_proto::query::v1 as query;
    use tierline_proto::standing::v1 as standing;

    #[test]
    fn a_message_has_every_field_and_the_words_that_filters_take() {
        let decision = standing::Decision {
            decision_id: "d".into(),
            kind: standing::DecisionKind::TierChanged.into(),
            record_time: Some(prost_types::Timestamp {
                seconds: 1_700_000_000,
                nanos: 500_000_000,
            }),
            sequence: 7,
            ..Default::default()
        };
        let shown = of("standing.v1.Decision", &decision).unwrap();
        assert_eq!(shown["kind"], "tier_changed");
        assert_eq!(shown["cause"], "");
        assert_eq!(shown["sequence"], json!(7));
        assert_eq!(shown["record_time"], "2023-11-14T22:13:20.5Z");
        assert_eq!(shown["basis"], Json::Null);
        assert_eq!(shown["from_tier_id"], "");
    }

    #[test]
    fn of_alternatives_only_the_chosen_one_is_there() {
        let request = query::ReplayDecisionsRequest {
            scope: Some(query::replay_decisions_request::Scope::ProgramId(
                "p".into(),
            )),
        };
        let shown = of("query.v1.ReplayDecisionsRequest", &request).unwrap();
        assert_eq!(shown, json!({"program_id": "p"}));
        let node = standing::Explanation::default();
        let shown = of("standing.v1.Explanation", &node).unwrap();
        assert_eq!(
            shown["percent"],
            Json::Null,
            "an optional field is no alternative"
        );
    }

    #[test]
    fn a_message_that_the_contract_lacks_is_named() {
        let error = of("query.v1.Nothing", &query::GetStatusRequest {}).unwrap_err();
        assert!(error.to_string().contains("query.v1.Nothing"), "{error}");
    }
}
