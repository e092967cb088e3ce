//! Lookup tables: a second file, joined to the rows by a key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use crate::error::ImportError;
use crate::mapping::LookupSpec;
use crate::reader::{Limits, RowReader};

/// A lookup file in memory: the referenced columns by key. Bounded by `Limits::lookup_rows`.
#[derive(Debug)]
pub(crate) struct LookupTable {
    rows: HashMap<String, Box<[Box<str>]>>,
}

impl LookupTable {
    /// Reads the file. A key that stands in two rows with different values is an error: which one
    /// is meant cannot be guessed.
    pub(crate) fn load(
        spec: &LookupSpec,
        path: &Path,
        limits: &Limits,
    ) -> Result<Self, ImportError> {
        let wrong = |text: String| ImportError::Lookup {
            name: spec.name.clone(),
            text,
            source: None,
        };
        let behind = |error: ImportError| ImportError::Lookup {
            name: spec.name.clone(),
            text: error.to_string(),
            source: Some(Box::new(error)),
        };
        let limits = Limits {
            rows: limits.lookup_rows,
            ..limits.clone()
        };
        let mut reader = RowReader::open(path, &spec.format, &limits).map_err(behind)?;
        let mut names = vec![spec.key.clone()];
        names.extend(spec.columns.iter().cloned());
        let positions = reader.positions(&names).map_err(behind)?;
        let mut rows = HashMap::new();
        while let Some(row) = reader.next_row().map_err(behind)? {
            let cells = row
                .cells
                .map_err(|_| wrong(format!("row {} is not UTF-8", row.number)))?;
            let cell = |position: &usize| cells.get(*position).unwrap_or_default().trim();
            let Some(key) = positions.first().map(cell).filter(|key| !key.is_empty()) else {
                continue;
            };
            let values: Box<[Box<str>]> = positions[1..].iter().map(|p| cell(p).into()).collect();
            match rows.entry(key.to_owned()) {
                Entry::Vacant(free) => {
                    free.insert(values);
                }
                Entry::Occupied(taken) if *taken.get() == values => {}
                Entry::Occupied(_) => {
                    let column = &spec.key;
                    let text = format!(
                        "{}: row {}: {column} \"{key}\" stands in two rows with different values",
                        path.display(),
                        row.number
                    );
                    return Err(wrong(text));
                }
            }
        }
        Ok(Self { rows })
    }

    /// The referenced columns of the row with this key.
    pub(crate) fn get(&self, key: &str) -> Option<&[Box<str>]> {
        self.rows.get(key).map(AsRef::as_ref)
    }
}
