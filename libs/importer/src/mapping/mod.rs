//! Mappings: which columns of a file become which fields of a record.

mod build;
mod build_value;
mod fields;
mod raw;

use std::path::Path;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{MappingError, Problem};
use crate::filters::Filter;
use crate::parse::{DatePattern, NumberFormat, Target};
use crate::template::Piece;

pub(crate) use raw::{Combine, EmptyRows, GroupRows, Missing};

use raw::Delimiter;

/// Largest mapping file, in bytes.
const MAX_MAPPING_BYTES: u64 = 1 << 20;

/// What a file is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Partners.
    Partners,
    /// Deals.
    Deals,
    /// Certifications of persons.
    Certifications,
    /// Exchange rates per day.
    Rates,
}

impl Kind {
    /// The name as mappings and commands write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Partners => "partners",
            Self::Deals => "deals",
            Self::Certifications => "certifications",
            Self::Rates => "rates",
        }
    }
}

/// How a delimited file is laid out.
#[derive(Debug, Clone)]
pub(crate) struct FileFormat {
    pub(crate) delimiter: u8,
    /// Names of the columns where the file has no header.
    pub(crate) columns: Option<Vec<String>>,
    pub(crate) quotes: bool,
}

/// A column by its position in the list of referenced columns, never by its place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnRef {
    Own(usize),
    Lookup {
        lookup: usize,
        slot: usize,
    },
    /// A value that the mapping declares by name.
    Value(usize),
}

#[derive(Debug, Clone)]
pub(crate) enum Source {
    Column(ColumnRef),
    Constant(String),
    Template(Vec<Piece<ColumnRef>>),
    FirstOf(Vec<ValueSpec>),
}

#[derive(Debug, Clone)]
pub(crate) enum Otherwise {
    Keep,
    Reject,
    Blank,
    Use(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Translate {
    /// Lower-case text and what it becomes.
    pub(crate) values: std::collections::HashMap<String, String>,
    /// The texts as written, for messages.
    pub(crate) listed: Vec<String>,
    pub(crate) otherwise: Otherwise,
}

/// How one value is made, in the order of the fields of this struct.
#[derive(Debug, Clone)]
pub(crate) struct ValueSpec {
    pub(crate) source: Source,
    pub(crate) endings: Vec<String>,
    pub(crate) filters: Vec<Filter>,
    /// Lower-case texts that mean "no value".
    pub(crate) null_if: Vec<String>,
    pub(crate) translate: Option<Translate>,
    pub(crate) default: Option<String>,
    pub(crate) split: Option<String>,
    pub(crate) date: DatePattern,
    pub(crate) number: NumberFormat,
    pub(crate) multiply: Option<Decimal>,
}

/// Where a field of a record goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Position in [`Kind::fields`].
    Slot(usize),
    /// Name of an attribute.
    Attribute(String),
}

#[derive(Debug, Clone)]
pub(crate) struct FieldSpec {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) target: Target,
    pub(crate) required: bool,
    pub(crate) values: Vec<ValueSpec>,
    pub(crate) combine: Combine,
}

#[derive(Debug, Clone)]
pub(crate) struct LookupSpec {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) format: FileFormat,
    pub(crate) key: String,
    pub(crate) by: ValueSpec,
    pub(crate) missing: Missing,
    /// Columns of the lookup file that the mapping refers to.
    pub(crate) columns: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Test {
    AnyOf(Vec<String>),
    NoneOf(Vec<String>),
    Present(bool),
}

/// A row that does not meet the condition is skipped with the reason.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) column: ColumnRef,
    pub(crate) test: Test,
    pub(crate) reason: Vec<Piece<ColumnRef>>,
}

#[derive(Debug, Clone)]
pub(crate) struct GroupSpec {
    pub(crate) key: ValueSpec,
    pub(crate) rows: GroupRows,
}

#[derive(Debug, Clone)]
pub(crate) enum WideRates {
    /// Every named column that nothing else refers to is a currency.
    All,
    /// Slots of the columns that are currencies.
    Listed(Vec<usize>),
}

#[derive(Debug, Clone)]
pub(crate) struct RatesSpec {
    pub(crate) base: tierline_domain::Currency,
    /// Who publishes the rates.
    pub(crate) source: String,
    /// One column per currency; `None` where each row has one currency.
    pub(crate) wide: Option<WideRates>,
    pub(crate) number: NumberFormat,
}

/// A checked mapping.
#[derive(Debug, Clone)]
pub struct Mapping {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) format: FileFormat,
    /// Lower-case texts that mean "no value" in every cell.
    pub(crate) nulls: Vec<String>,
    pub(crate) empty_rows: EmptyRows,
    pub(crate) max_rejected_percent: u8,
    /// Columns that the mapping refers to; a file must have them all.
    pub(crate) columns: Vec<String>,
    /// Named values; each refers to earlier ones only.
    pub(crate) values: Vec<ValueSpec>,
    pub(crate) lookups: Vec<LookupSpec>,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) group: Option<GroupSpec>,
    pub(crate) fields: Vec<FieldSpec>,
    pub(crate) rates: Option<RatesSpec>,
    pub(crate) digest: String,
}

impl Mapping {
    /// Reads and checks a mapping file.
    ///
    /// # Errors
    /// Every problem of the file with line, column, field and what is allowed.
    pub fn load(path: &Path) -> Result<Self, MappingError> {
        let name = path.display().to_string();
        let failed = |text: String| MappingError {
            file: name.clone(),
            problems: vec![Problem {
                line: 0,
                column: 0,
                field: String::new(),
                text,
            }],
        };
        let size = std::fs::metadata(path)
            .map_err(|error| failed(format!("cannot be opened: {error}")))?
            .len();
        if size > MAX_MAPPING_BYTES {
            return Err(failed(format!("is larger than {MAX_MAPPING_BYTES} bytes")));
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| failed(format!("cannot be read: {error}")))?;
        Self::parse(&name, &text)
    }

    /// Checks the text of a mapping. `name` appears in messages.
    ///
    /// # Errors
    /// Every problem of the text with line, column, field and what is allowed.
    pub fn parse(name: &str, text: &str) -> Result<Self, MappingError> {
        let raw: raw::RawMapping = serde_saphyr::from_str(text).map_err(|error| {
            let place = error.location();
            let mut options = serde_saphyr::RenderOptions::default();
            options.snippets = serde_saphyr::SnippetMode::Off;
            MappingError {
                file: name.to_owned(),
                problems: vec![Problem {
                    line: place.map_or(0, |place| place.line()),
                    column: place.map_or(0, |place| place.column()),
                    field: String::new(),
                    text: error.without_snippet().render_with_options(options),
                }],
            }
        })?;
        let digest = hex::encode(Sha256::digest(text.as_bytes()));
        build::build(name, raw, digest)
    }

    /// What the file is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The name that was given, usually the path of the mapping file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the mapping says about itself; may be empty.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// SHA-256 of the text of the mapping, hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The columns that a file must have.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }
}

impl Delimiter {
    fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Pipe => b'|',
            Self::Tab => b'\t',
            Self::Semicolon => b';',
        }
    }
}
