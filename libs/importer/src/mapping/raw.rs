//! The mapping file as it is written: shapes only, checked by `build`.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::Kind;

pub(super) type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMapping {
    pub(super) kind: Kind,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) file: RawFile,
    #[serde(default)]
    pub(super) required_columns: Vec<Text>,
    #[serde(default)]
    pub(super) nulls: Vec<String>,
    #[serde(default)]
    pub(super) formats: RawFormats,
    #[serde(default)]
    pub(super) empty_rows: EmptyRows,
    #[serde(default)]
    pub(super) max_rejected_percent: Option<Spanned<u8>>,
    #[serde(default)]
    pub(super) values: Option<Entries<RawValue>>,
    #[serde(default)]
    pub(super) lookups: Vec<RawLookup>,
    #[serde(default, rename = "where")]
    pub(super) conditions: Vec<RawCondition>,
    #[serde(default)]
    pub(super) group_by: Option<Spanned<RawGroup>>,
    #[serde(default)]
    pub(super) rates: Option<Spanned<RawRates>>,
    pub(super) fields: Spanned<Entries<Many>>,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(super) enum Delimiter {
    #[default]
    Comma,
    Pipe,
    Tab,
    Semicolon,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    #[serde(default)]
    pub(super) delimiter: Delimiter,
    #[serde(default)]
    pub(super) columns: Vec<Text>,
    #[serde(default = "yes")]
    pub(super) quotes: bool,
}

impl Default for RawFile {
    fn default() -> Self {
        Self {
            delimiter: Delimiter::Comma,
            columns: Vec::new(),
            quotes: true,
        }
    }
}

fn yes() -> bool {
    true
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFormats {
    #[serde(default)]
    pub(super) date: Option<Text>,
    #[serde(default)]
    pub(super) decimal: Option<RawDecimal>,
    #[serde(default)]
    pub(super) thousands: Option<RawThousands>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawDecimal {
    Point,
    Comma,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawThousands {
    Point,
    Comma,
    Blank,
    Apostrophe,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EmptyRows {
    #[default]
    Reject,
    Skip,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLookup {
    pub(super) name: Text,
    pub(super) path: Text,
    #[serde(default)]
    pub(super) file: RawFile,
    pub(super) key: Text,
    pub(super) by: Spanned<RawValue>,
    #[serde(default)]
    pub(super) missing: Missing,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Missing {
    #[default]
    Reject,
    Blank,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCondition {
    pub(super) column: Text,
    #[serde(default)]
    pub(super) any_of: Option<Vec<String>>,
    #[serde(default)]
    pub(super) none_of: Option<Vec<String>>,
    #[serde(default)]
    pub(super) present: Option<bool>,
    pub(super) reason: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGroup {
    pub(super) key: Spanned<RawValue>,
    #[serde(default)]
    pub(super) rows: GroupRows,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GroupRows {
    #[default]
    Contiguous,
    Anywhere,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRates {
    pub(super) base: Text,
    pub(super) source: Text,
    #[serde(default)]
    pub(super) columns: Option<Spanned<RateColumns>>,
}

/// `all`, or a list of columns.
pub(super) enum RateColumns {
    All,
    Listed(Vec<Text>),
}

impl<'de> Deserialize<'de> for RateColumns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = RateColumns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("all, or a list of columns")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RateColumns, E> {
                if text == "all" {
                    return Ok(RateColumns::All);
                }
                Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RateColumns, A::Error> {
                let mut columns = Vec::new();
                while let Some(column) = seq.next_element()? {
                    columns.push(column);
                }
                Ok(RateColumns::Listed(columns))
            }
        }
        deserializer.deserialize_any(Columns)
    }
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Combine {
    Same,
    First,
    Last,
    Sum,
    Min,
    Max,
    Distinct,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawAttribute {
    Text,
    Number,
    Flag,
    Date,
    List,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unlisted {
    Keep,
    Reject,
    Blank,
    Use(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawValue {
    #[serde(default)]
    pub(super) column: Option<Text>,
    #[serde(default)]
    pub(super) constant: Option<Text>,
    #[serde(default)]
    pub(super) template: Option<Text>,
    #[serde(default)]
    pub(super) first_of: Option<Vec<Spanned<RawValue>>>,
    #[serde(default)]
    pub(super) null_if: Vec<String>,
    #[serde(default)]
    pub(super) strip: Vec<String>,
    #[serde(default)]
    pub(super) filters: Vec<Text>,
    #[serde(default)]
    pub(super) translate: Option<Entries<String>>,
    #[serde(default)]
    pub(super) unlisted: Option<Spanned<Unlisted>>,
    #[serde(default)]
    pub(super) default: Option<String>,
    #[serde(default)]
    pub(super) format: Option<Text>,
    #[serde(default)]
    pub(super) decimal: Option<Spanned<RawDecimal>>,
    #[serde(default)]
    pub(super) thousands: Option<Spanned<RawThousands>>,
    #[serde(default)]
    pub(super) multiply: Option<Text>,
    #[serde(default)]
    pub(super) split: Option<Text>,
    #[serde(default)]
    pub(super) combine: Option<Spanned<Combine>>,
    #[serde(default, rename = "as")]
    pub(super) attribute: Option<Spanned<RawAttribute>>,
}

/// A map in the order of the file, with the place of each key.
pub(super) struct Entries<V>(pub(super) Vec<(Text, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for InOrder<V> {
            type Value = Entries<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names with values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<V>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

/// One value, or several for a field that takes a list.
pub(super) struct Many(pub(super) Vec<RawValue>);

impl<'de> Deserialize<'de> for Many {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Many;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value such as {column: Name}, or a list of values")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Many, A::Error> {
                RawValue::deserialize(MapAccessDeserializer::new(map)).map(|one| Many(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Many, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Many(values))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}
