//! Groups: several rows that make one record, such as the lines of an order.

use tierline_domain::rules::value::Value;

use crate::mapping::{Combine, FieldSpec};
use crate::parse::quoted;
use crate::record::FieldError;
use crate::results::RowRef;

/// The rows of one group so far, folded into one value per field.
pub(crate) struct Group {
    pub(crate) key: String,
    pub(crate) rows: Vec<RowRef>,
    /// Rows that cannot be used; one is enough to reject the group.
    pub(crate) wrong: Vec<(RowRef, FieldError)>,
    /// By position of the field in the mapping: the value and the row that set it first.
    pub(crate) values: Vec<Option<(Value, u64)>>,
}

impl Group {
    pub(crate) fn new(key: String, fields: usize) -> Self {
        Self {
            key,
            rows: Vec::new(),
            wrong: Vec::new(),
            values: vec![None; fields],
        }
    }

    /// The number of the group's first row.
    pub(crate) fn first_row(&self) -> u64 {
        let rows = self
            .rows
            .iter()
            .chain(self.wrong.iter().map(|(row, _)| row));
        rows.map(|row| row.row).min().unwrap_or_default()
    }

    /// Number of rows, usable or not.
    pub(crate) fn len(&self) -> usize {
        self.rows.len() + self.wrong.len()
    }

    /// Adds a row: its values, or why it has none.
    pub(crate) fn add(
        &mut self,
        mut row: RowRef,
        values: Result<Vec<Option<Value>>, FieldError>,
        fields: &[FieldSpec],
    ) {
        let values = match values {
            Ok(values) => values,
            Err(error) => return self.wrong.push((row, error)),
        };
        for (index, (field, value)) in fields.iter().zip(values).enumerate() {
            match fold(field, &mut self.values[index], value, row.row) {
                Ok(None) => {}
                Ok(Some(note)) => {
                    let notes = row.note.get_or_insert_default();
                    if !notes.is_empty() {
                        notes.push_str("; ");
                    }
                    notes.push_str(&note);
                }
                Err(error) => return self.wrong.push((row, error)),
            }
        }
        self.rows.push(row);
    }
}

// Folds a value into what the group has; a note where something is deliberately not kept.
fn fold(
    field: &FieldSpec,
    kept: &mut Option<(Value, u64)>,
    value: Option<Value>,
    row: u64,
) -> Result<Option<String>, FieldError> {
    let Some(value) = value else {
        // A sum with an unknown summand is unknown, not smaller.
        if field.combine == Combine::Sum {
            let text = "is blank, so the sum of the group is unknown";
            return Err(FieldError::new(
                &field.name,
                text,
                "a number in every row of the group",
            ));
        }
        return Ok(None);
    };
    let Some((have, first)) = kept else {
        *kept = Some((value, row));
        return Ok(None);
    };
    match (field.combine, have, value) {
        (Combine::Sum, Value::Number(sum), Value::Number(number)) => {
            *sum = sum
                .checked_add(number)
                .map(|sum| sum.normalize())
                .ok_or_else(|| {
                    FieldError::new(&field.name, "makes the sum of the group too large", "less")
                })?;
        }
        (Combine::Distinct, Value::List(items), Value::List(more)) => {
            items.extend(more);
            items.sort();
            items.dedup();
        }
        (Combine::Min, have, value) if value < *have => *have = value,
        (Combine::Max, have, value) if value > *have => *have = value,
        (Combine::Last, have, value) => *have = value,
        (Combine::Same, have, value) if *have != value => {
            let text = format!(
                "{} differs from {} in row {first} of the same group",
                quoted(&value.to_string()),
                quoted(&have.to_string())
            );
            return Err(FieldError::new(
                &field.name,
                text,
                "one value in all rows of a group",
            ));
        }
        (Combine::First, have, value) if *have != value => {
            return Ok(Some(format!(
                "{} {} is not kept, row {first} has {}",
                field.name,
                quoted(&value.to_string()),
                quoted(&have.to_string())
            )));
        }
        _ => {}
    }
    Ok(None)
}
