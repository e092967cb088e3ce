//! The JSON Schema of program files, so that editors complete and check them while they are
//! written.
//!
//! It is made from the types that read the files; what types cannot say (unique identifiers,
//! bounds, tables that rise) is said by `tierline program validate`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::money::Currency;
use crate::program::file::ProgramFile;
use crate::rules::Value;

/// The schema of a program file.
pub fn program_schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    let schema = settings
        .into_generator()
        .into_root_schema_for::<ProgramFile>();
    schema.to_value()
}

/// How exact numbers are written: plainly, or as texts.
pub(crate) struct ExactNumber;

impl JsonSchema for ExactNumber {
    fn schema_name() -> Cow<'static, str> {
        "ExactNumber".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An exact number, written plainly or as a text.",
            "anyOf": [
                { "type": "number" },
                { "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$" },
            ],
        })
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An ISO 4217 currency code.",
            "type": "string",
            "pattern": "^[A-Z]{3}$",
        })
    }
}

impl JsonSchema for Value {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let number = generator.subschema_for::<ExactNumber>();
        json_schema!({
            "description": "A text, a number, true or false, a date, or a list of texts.",
            "anyOf": [
                { "type": "string" },
                { "type": "number" },
                { "type": "boolean" },
                { "type": "array", "items": { "type": "string" } },
                {
                    "type": "object",
                    "properties": { "number": number },
                    "required": ["number"],
                    "additionalProperties": false,
                },
                {
                    "type": "object",
                    "properties": { "date": { "type": "string", "format": "date" } },
                    "required": ["date"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}
