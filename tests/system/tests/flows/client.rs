//! A caller of an org: requests in the text format of Protocol Buffers, answers as JSON.

use std::time::Duration;

use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, ReflectMessage as _, Value as Field};
use serde_json::{Map, Value};
use tierline_testkit::eventually_some;
use tonic::Code;
use tonic::transport::Channel;

use crate::call::{Answer, call, message, method};

/// Longest wait for a table that is behind: what is known of a dead consumer is forgotten within
/// ten seconds, and the tests run beside each other.
const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody with a token.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
    token: String,
    /// The org of the token.
    pub org: String,
}

/// How a call was refused.
#[derive(Debug)]
pub struct Refusal {
    /// As the specification writes it.
    pub code: &'static str,
    /// The stable reason.
    pub reason: String,
    /// Everything that the caller can read.
    pub text: String,
}

impl Client {
    /// A caller over a connection.
    pub fn new(channel: Channel, org: &str, token: String) -> Self {
        Self {
            channel,
            token,
            org: org.to_owned(),
        }
    }

    /// The same with another token, or with the text of an API key.
    pub fn with(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// Calls `area.v1.Service/Method` with one request.
    pub async fn ask(&self, name: &str, request: &str) -> Answer {
        let method = method(&format!("tierline.{name}"));
        let body = message(&method.input(), request).encode_to_vec();
        call(&self.channel, Some(&self.token), &method, vec![body]).await
    }

    /// A call that must succeed; every message of the answer.
    pub async fn all(&self, name: &str, request: &str) -> Vec<Value> {
        let answer = self.ask(name, request).await;
        let (org, text) = (&self.org, answer.text());
        assert_eq!(answer.code(), "OK", "{org}: {name} {request}\n{text}");
        answer.messages.iter().map(json).collect()
    }

    /// A call that must succeed and has one answer.
    pub async fn ok(&self, name: &str, request: &str) -> Value {
        let mut answers = self.all(name, request).await;
        assert_eq!(answers.len(), 1, "{name}: {answers:?}");
        answers.remove(0)
    }

    /// A call that must be refused.
    pub async fn refused(&self, name: &str, request: &str) -> Refusal {
        let answer = self.ask(name, request).await;
        let text = answer.text();
        assert!(answer.refusal.is_some(), "{name} {request}: {text}");
        Refusal {
            code: answer.code(),
            reason: answer.reason().unwrap_or_default(),
            text,
        }
    }

    /// A query that must see what a command did: it has the consistency token of the command, and
    /// is asked again only while the server says that its tables are behind.
    pub async fn read(&self, name: &str, request: &str, after: &Value) -> Value {
        let token = after["consistency_token"].as_str().unwrap_or_default();
        assert!(!token.is_empty(), "no token in {after}");
        let request = format!("{request} consistency_token: {token:?}");
        let what = format!("{}: {name} {request}", self.org);
        let answer = eventually_some(PATIENCE, &what, async || {
            let answer = self.ask(name, &request).await;
            match answer.refusal.as_ref().map(tonic::Status::code) {
                Some(Code::Unavailable) => None,
                Some(_) => panic!("{what}: {}", answer.text()),
                None => Some(answer),
            }
        });
        json(&answer.await.messages[0])
    }
}

/// A message with all its fields; what is absent and can be is left out.
pub fn json(message: &DynamicMessage) -> Value {
    let kind = message.descriptor();
    let fields = kind.fields();
    let shown = fields.filter(|field| !field.supports_presence() || message.has_field(field));
    let entry = |field: prost_reflect::FieldDescriptor| {
        let value = field_as_json(&field.kind(), &message.get_field(&field));
        (field.name().to_owned(), value)
    };
    Value::Object(shown.map(entry).collect())
}

fn field_as_json(kind: &Kind, field: &Field) -> Value {
    match field {
        Field::Bool(value) => Value::from(*value),
        Field::I32(value) => Value::from(*value),
        Field::I64(value) => Value::from(*value),
        Field::U32(value) => Value::from(*value),
        Field::U64(value) => Value::from(*value),
        Field::F32(value) => Value::from(*value),
        Field::F64(value) => Value::from(*value),
        Field::String(text) => Value::from(text.as_str()),
        Field::Bytes(bytes) => Value::from(bytes.to_vec()),
        Field::EnumNumber(number) => {
            let named = kind.as_enum().and_then(|kind| kind.get_value(*number));
            named.map_or_else(|| Value::from(*number), |value| Value::from(value.name()))
        }
        Field::Message(message) => json(message),
        Field::List(items) => items.iter().map(|item| field_as_json(kind, item)).collect(),
        Field::Map(entries) => {
            let of = |entry: &Kind| {
                entry
                    .as_message()
                    .map(|entry| entry.map_entry_value_field())
            };
            let kind = of(kind).map_or_else(|| kind.clone(), |value| value.kind());
            let entries = entries.iter().map(|(key, value)| {
                let key = key.as_str().unwrap_or_default();
                (key.to_owned(), field_as_json(&kind, value))
            });
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}
