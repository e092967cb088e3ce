//! From one row of a file to its values, or to the reason why it has none.

use std::collections::BTreeMap;
use std::path::Path;

use tierline_domain::Currency;
use tierline_domain::rules::value::Value;

use crate::error::ImportError;
use crate::eval::Context;
use crate::lookup::LookupTable;
use crate::mapping::{EmptyRows, Kind, Mapping, Place, RatesSpec, WideRates};
use crate::parse::{Target, quoted};
use crate::reader::{Row, RowReader};
use crate::record::{FieldError, RateDay, Values};
use crate::results::RowRef;

/// Where a mapping's columns are in a file.
pub(crate) struct Layout {
    /// By slot of the mapping.
    positions: Vec<usize>,
    /// Currency columns of a wide table of rates.
    currencies: Vec<(usize, Currency)>,
    /// Columns without a name: they must be empty.
    nameless: Vec<usize>,
    header: Vec<String>,
}

impl Layout {
    pub(crate) fn of(
        mapping: &Mapping,
        reader: &RowReader,
        path: &Path,
    ) -> Result<Self, ImportError> {
        let positions = reader.positions(&mapping.columns)?;
        let header = reader.header().to_vec();
        let named = |position: &usize| header.get(*position).is_some_and(|name| !name.is_empty());
        let wide: Vec<usize> = match mapping.rates.as_ref().and_then(|rates| rates.wide.as_ref()) {
            None => Vec::new(),
            Some(WideRates::Listed(slots)) => slots
                .iter()
                .filter_map(|slot| positions.get(*slot).copied())
                .collect(),
            Some(WideRates::All) => (0..header.len())
                .filter(|position| named(position) && !positions.contains(position))
                .collect(),
        };
        let mut currencies = Vec::new();
        for position in wide {
            let currency = Currency::parse(&header[position]).map_err(|_| ImportError::Format {
                path: path.to_owned(),
                text: format!(
                    "has a column \"{}\", which is no ISO 4217 currency; list the currency columns \
                     in rates.columns",
                    header[position]
                ),
            })?;
            currencies.push((position, currency));
        }
        let nameless = (0..header.len())
            .filter(|position| !named(position))
            .collect();
        Ok(Self {
            positions,
            currencies,
            nameless,
            header,
        })
    }

    fn column(&self, position: usize) -> String {
        match self.header.get(position) {
            Some(name) if !name.is_empty() => format!("column {name}"),
            _ => format!("column {}", position + 1),
        }
    }
}

/// What a row says.
pub(crate) enum Evaluated {
    Skipped(String),
    Rejected(FieldError),
    /// By position of the field in the mapping.
    Values(Vec<Option<Value>>),
    Rates(RateDay),
}

/// A row with what it says.
pub(crate) struct RowEval {
    pub(crate) row: RowRef,
    /// Key of the record; empty where the row has none.
    pub(crate) key: String,
    /// Key of the group, where rows are grouped and the row has one.
    pub(crate) group: Option<String>,
    pub(crate) evaluated: Evaluated,
}

pub(crate) fn evaluate(
    mapping: &Mapping,
    lookups: &[LookupTable],
    layout: &Layout,
    cell_limit: usize,
    row: &Row<'_>,
) -> RowEval {
    let mut result = RowEval {
        row: RowRef {
            row: row.number,
            line: row.line,
            note: None,
        },
        key: String::new(),
        group: None,
        evaluated: Evaluated::Skipped(String::new()),
    };
    let cells = match row.cells {
        Ok(cells) => cells,
        Err(position) => {
            let text = format!("{} is not UTF-8", layout.column(position));
            result.evaluated = Evaluated::Rejected(FieldError::new("", text, "UTF-8 text"));
            return result;
        }
    };
    if cells.iter().all(|cell| cell.trim().is_empty()) {
        result.evaluated = match mapping.empty_rows {
            EmptyRows::Skip => Evaluated::Skipped("every cell is empty".to_owned()),
            EmptyRows::Reject => Evaluated::Rejected(FieldError::new(
                "",
                "every cell is empty",
                "rows with values (or \"empty_rows: skip\" in the mapping)",
            )),
        };
        return result;
    }
    if let Some(error) = wrong_shape(layout, cells, cell_limit) {
        result.evaluated = Evaluated::Rejected(error);
        return result;
    }
    let context = Context {
        mapping,
        lookups,
        positions: &layout.positions,
        cells,
    };
    result.evaluated = meaning(&context, layout, &mut result.key, &mut result.group)
        .unwrap_or_else(Evaluated::Rejected);
    result
}

fn wrong_shape(
    layout: &Layout,
    cells: &csv::StringRecord,
    cell_limit: usize,
) -> Option<FieldError> {
    let (have, want) = (cells.len(), layout.header.len());
    if have != want {
        let text = format!("has {have} cells where the header has {want} columns");
        return Some(FieldError::new("", text, format!("{want} cells")));
    }
    if let Some(position) = cells.iter().position(|cell| cell.len() > cell_limit) {
        let text = format!("{} is too long", layout.column(position));
        return Some(FieldError::new(
            "",
            text,
            format!("at most {cell_limit} bytes in a cell"),
        ));
    }
    let filled = |position: &&usize| cells.get(**position).is_some_and(|c| !c.trim().is_empty());
    layout.nameless.iter().find(filled).map(|position| {
        let text = format!(
            "{} has a value but no name in the header",
            layout.column(*position)
        );
        FieldError::new("", text, "values only in columns with a name")
    })
}

fn meaning(
    context: &Context<'_>,
    layout: &Layout,
    key: &mut String,
    group: &mut Option<String>,
) -> Result<Evaluated, FieldError> {
    let mapping = context.mapping;
    for condition in &mapping.conditions {
        let skipped = context.skipped(condition).map_err(|error| FieldError {
            field: "where".to_owned(),
            error,
        })?;
        if let Some(reason) = skipped {
            *key = record_key(context).unwrap_or_default();
            return Ok(Evaluated::Skipped(reason));
        }
    }
    if let Some(spec) = &mapping.group {
        let text = context.text(&spec.key).map_err(|error| FieldError {
            field: "group_by.key".to_owned(),
            error,
        })?;
        let Some(text) = text else {
            return Err(FieldError::new(
                "group_by.key",
                "is blank",
                "a value in every row",
            ));
        };
        *key = text.clone().into_owned();
        *group = Some(text.into_owned());
    }
    let mut values = Vec::with_capacity(mapping.fields.len());
    for field in &mapping.fields {
        let value = context.field(field).and_then(|value| match value {
            None if field.required && mapping.group.is_none() => {
                Err(crate::parse::CellError::new("is blank", "a value"))
            }
            value => Ok(value),
        });
        match value {
            Ok(value) => values.push(value),
            Err(error) => {
                if group.is_none() {
                    *key = record_key(context).unwrap_or_default();
                }
                return Err(FieldError {
                    field: field.name.clone(),
                    error,
                });
            }
        }
    }
    if let Some(rates) = &mapping.rates {
        return rate_day(context, layout, rates, values, key).map(Evaluated::Rates);
    }
    if group.is_none()
        && let Some(Value::Text(text)) = by_slot(mapping, &values, 0)
    {
        key.clone_from(text);
    }
    Ok(Evaluated::Values(values))
}

// The key of a row that gave no record: the text of the key field, as far as it can be read.
fn record_key(context: &Context<'_>) -> Option<String> {
    let field = context
        .mapping
        .fields
        .iter()
        .find(|field| field.place == Place::Slot(0))?;
    let text = context.text(field.values.first()?).ok()??;
    Some(text.chars().take(256).collect())
}

fn by_slot<'v>(mapping: &Mapping, values: &'v [Option<Value>], slot: usize) -> Option<&'v Value> {
    let index = mapping
        .fields
        .iter()
        .position(|field| field.place == Place::Slot(slot))?;
    values.get(index)?.as_ref()
}

fn rate_day(
    context: &Context<'_>,
    layout: &Layout,
    spec: &RatesSpec,
    values: Vec<Option<Value>>,
    key: &mut String,
) -> Result<RateDay, FieldError> {
    let mapping = context.mapping;
    let value = |name: &str| by_slot(mapping, &values, mapping.kind.slot(name)?);
    let Some(Value::Date(date)) = value("date") else {
        return Err(FieldError::new("date", "is blank", "a date"));
    };
    *key = date.to_string();
    let mut day = RateDay {
        source: spec.source.clone(),
        date: *date,
        base: spec.base,
        rates: BTreeMap::new(),
    };
    for (position, currency) in &layout.currencies {
        let Some(text) = context
            .cells
            .get(*position)
            .and_then(|cell| context.clean(cell))
        else {
            continue;
        };
        let rate = Target::Amount
            .read(text, &crate::parse::DatePattern::default(), spec.number)
            .map_err(|error| FieldError {
                field: format!("rate.{currency}"),
                error,
            })?;
        if let Value::Number(rate) = rate {
            insert_rate(&mut day, *currency, rate, text)?;
        }
    }
    if spec.wide.is_none() {
        let (Some(Value::Text(code)), Some(Value::Number(rate))) =
            (value("currency"), value("rate"))
        else {
            return Err(FieldError::new("rate", "or its currency is blank", "both"));
        };
        let currency = Currency::parse(code).map_err(|_| {
            FieldError::new(
                "currency",
                format!("{} is no currency", quoted(code)),
                "USD, EUR, …",
            )
        })?;
        insert_rate(&mut day, currency, *rate, &rate.to_string())?;
    }
    if day.rates.is_empty() {
        return Err(FieldError::new(
            "rate",
            "is blank for every currency",
            "at least one rate",
        ));
    }
    Ok(day)
}

fn insert_rate(
    day: &mut RateDay,
    currency: Currency,
    rate: rust_decimal::Decimal,
    text: &str,
) -> Result<(), FieldError> {
    let field = format!("rate.{currency}");
    if currency == day.base {
        return Err(FieldError::new(
            field,
            "is the base itself",
            "other currencies",
        ));
    }
    if rate.is_zero() || rate.is_sign_negative() {
        return Err(FieldError::new(
            field,
            format!("{} is no rate", quoted(text)),
            "more than 0",
        ));
    }
    day.rates.insert(currency, rate);
    Ok(())
}

/// Values in the order of the mapping, put in their places.
pub(crate) fn into_values(mapping: &Mapping, values: Vec<Option<Value>>) -> Values {
    let kind: Kind = mapping.kind;
    let mut slots = vec![None; kind.fields().len()];
    let mut attributes = BTreeMap::new();
    for (field, value) in mapping.fields.iter().zip(values) {
        match (&field.place, value) {
            (Place::Slot(slot), value) => slots[*slot] = value,
            (Place::Attribute(name), Some(value)) => {
                attributes.insert(name.clone(), value);
            }
            (Place::Attribute(_), None) => {}
        }
    }
    let has_tags = mapping.fields.iter().any(|field| field.name == "tags");
    Values {
        kind,
        slots,
        attributes,
        has_tags,
    }
}
