//! From one row to the typed values of its fields.

use std::borrow::Cow;

use csv::StringRecord;
use tierline_domain::rules::value::Value;

use crate::lookup::LookupTable;
use crate::mapping::{
    ColumnRef, Condition, FieldSpec, Mapping, Missing, Otherwise, Source, Test, Translate,
    ValueSpec,
};
use crate::parse::{CellError, Target, quoted};
use crate::template::Piece;

type Text<'a> = Option<Cow<'a, str>>;

/// One row with everything its values may refer to.
pub(crate) struct Context<'a> {
    pub(crate) mapping: &'a Mapping,
    pub(crate) lookups: &'a [LookupTable],
    /// Places of the mapping's columns in this file.
    pub(crate) positions: &'a [usize],
    pub(crate) cells: &'a StringRecord,
}

impl<'a> Context<'a> {
    /// A cell's text, or nothing for a blank and for the texts that mean nothing.
    pub(crate) fn clean(&self, text: &'a str) -> Option<&'a str> {
        let text = text.trim();
        if text.is_empty()
            || self
                .mapping
                .nulls
                .iter()
                .any(|null| same_folded(text, null))
        {
            return None;
        }
        Some(text)
    }

    fn column(&self, column: ColumnRef) -> Result<Text<'a>, CellError> {
        match column {
            ColumnRef::Own(slot) => {
                let cell = self.positions.get(slot).and_then(|at| self.cells.get(*at));
                Ok(cell.and_then(|cell| self.clean(cell)).map(Cow::Borrowed))
            }
            ColumnRef::Lookup { lookup, slot } => self.looked_up(lookup, slot),
            ColumnRef::Value(value) => self.text(&self.mapping.values[value]),
        }
    }

    fn looked_up(&self, lookup: usize, slot: usize) -> Result<Text<'a>, CellError> {
        let spec = &self.mapping.lookups[lookup];
        let Some(key) = self.text(&spec.by)? else {
            return Ok(None);
        };
        match self.lookups[lookup].get(&key) {
            Some(columns) => {
                let cell = columns.get(slot).map(AsRef::as_ref).unwrap_or_default();
                Ok(self.clean(cell).map(Cow::Borrowed))
            }
            None if spec.missing == Missing::Blank => Ok(None),
            None => Err(CellError::new(
                format!("{} is not in {}", quoted(&key), spec.path),
                format!("a {} of {}", spec.key, spec.path),
            )),
        }
    }

    fn template(&self, pieces: &'a [Piece<ColumnRef>]) -> Result<Text<'a>, CellError> {
        let mut out = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Column { column, filters } => {
                    let Some(text) = self.column(*column)? else {
                        return Ok(None);
                    };
                    let text = filters.iter().fold(text, |text, filter| filter.apply(text));
                    if text.is_empty() {
                        return Ok(None);
                    }
                    out.push_str(&text);
                }
            }
        }
        Ok(Some(Cow::Owned(out)))
    }

    /// The text of a value: source, endings, filters, null texts, translation, default.
    pub(crate) fn text(&self, spec: &'a ValueSpec) -> Result<Text<'a>, CellError> {
        let source = match &spec.source {
            Source::Column(column) => self.column(*column)?,
            Source::Constant(text) => Some(Cow::Borrowed(text.as_str())),
            Source::Template(pieces) => self.template(pieces)?,
            Source::FirstOf(values) => self.first_of(values)?,
        };
        let mut text = source
            .map(|text| strip_endings(text, &spec.endings))
            .map(|text| {
                spec.filters
                    .iter()
                    .fold(text, |text, filter| filter.apply(text))
            })
            .filter(|text| !text.is_empty())
            .filter(|text| !spec.null_if.iter().any(|null| same_folded(text, null)));
        if let (Some(found), Some(translate)) = (&text, &spec.translate) {
            text = translated(found, translate)?.or_else(|| text.take());
            text = text.filter(|text| !text.is_empty());
        }
        Ok(text.or_else(|| spec.default.as_deref().map(Cow::Borrowed)))
    }

    fn first_of(&self, values: &'a [ValueSpec]) -> Result<Text<'a>, CellError> {
        for value in values {
            if let Some(text) = self.text(value)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// The typed value of a field.
    pub(crate) fn field(&self, field: &'a FieldSpec) -> Result<Option<Value>, CellError> {
        let mut items = Vec::new();
        for spec in &field.values {
            let Some(text) = self.text(spec)? else {
                continue;
            };
            if !field.target.is_list() {
                return read(field.target, spec, &text).map(Some);
            }
            let split: Vec<&str> = match &spec.split {
                Some(separator) => text.split(separator.as_str()).collect(),
                None => vec![&text],
            };
            for item in split
                .into_iter()
                .map(str::trim)
                .filter(|item| !item.is_empty())
            {
                if let Value::List(mut one) = read(field.target, spec, item)? {
                    items.append(&mut one);
                }
            }
        }
        items.sort();
        items.dedup();
        if items.is_empty() {
            Ok(None)
        } else {
            Ok(Some(Value::List(items)))
        }
    }

    /// The reason why the row is skipped, if it is.
    pub(crate) fn skipped(&self, condition: &'a Condition) -> Result<Option<String>, CellError> {
        let text = self.column(condition.column)?;
        let listed = |texts: &[String]| {
            text.as_ref()
                .is_some_and(|text| texts.iter().any(|known| same_folded(text, known)))
        };
        let met = match &condition.test {
            Test::AnyOf(texts) => listed(texts),
            Test::NoneOf(texts) => !listed(texts),
            Test::Present(wanted) => text.is_some() == *wanted,
        };
        if met {
            return Ok(None);
        }
        let mut reason = String::new();
        for piece in &condition.reason {
            match piece {
                Piece::Text(text) => reason.push_str(text),
                Piece::Column { column, filters } => {
                    let text = self.column(*column)?.unwrap_or(Cow::Borrowed("(blank)"));
                    reason.push_str(&filters.iter().fold(text, |text, f| f.apply(text)));
                }
            }
        }
        Ok(Some(reason))
    }
}

fn read(target: Target, spec: &ValueSpec, text: &str) -> Result<Value, CellError> {
    let value = target.read(text, &spec.date, spec.number)?;
    match (value, spec.multiply) {
        (Value::Number(number), Some(factor)) => number
            .checked_mul(factor)
            .map(|product| Value::Number(product.normalize()))
            .ok_or_else(|| {
                CellError::new(
                    format!("{} times {factor} is too large", quoted(text)),
                    "a smaller number",
                )
            }),
        (value, _) => Ok(value),
    }
}

// `Ok(None)` keeps the text.
fn translated<'a>(text: &str, translate: &'a Translate) -> Result<Text<'a>, CellError> {
    if let Some(to) = translate.values.get(&text.trim().to_lowercase()) {
        return Ok(Some(Cow::Borrowed(to)));
    }
    match &translate.otherwise {
        Otherwise::Keep => Ok(None),
        Otherwise::Blank => Ok(Some(Cow::Borrowed(""))),
        Otherwise::Use(to) => Ok(Some(Cow::Borrowed(to))),
        Otherwise::Reject => Err(CellError::new(
            format!("{} has no translation", quoted(text)),
            translate.listed.join(", "),
        )),
    }
}

fn strip_endings<'a>(text: Cow<'a, str>, endings: &[String]) -> Cow<'a, str> {
    let mut kept: &str = &text;
    while let Some(shorter) = endings
        .iter()
        .find_map(|ending| kept.strip_suffix(ending.as_str()))
    {
        kept = shorter.trim_end();
    }
    if kept.len() == text.len() {
        text
    } else {
        Cow::Owned(kept.to_owned())
    }
}

// `folded` is lower case already.
fn same_folded(text: &str, folded: &str) -> bool {
    if text.is_ascii() {
        return text.eq_ignore_ascii_case(folded);
    }
    text.to_lowercase() == folded
}
