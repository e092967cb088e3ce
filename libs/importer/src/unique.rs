//! What must not come twice in one file.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::record::{ContentHash, FieldError, Record};

/// Why a record cannot stand beside the earlier ones.
pub(crate) enum Duplicate {
    /// The same record again.
    Same { row: u64 },
    /// Another record with the same key, identifier or domain.
    Other(FieldError),
}

/// First rows of keys, identifiers and domains. Bounded by the limit of rows.
#[derive(Default)]
pub(crate) struct Unique {
    // Half a SHA-256 stands for the text: two different texts never meet in practice.
    seen: HashMap<[u8; 16], (u64, [u8; 8])>,
}

impl Unique {
    /// Notes a record, unless it is a duplicate.
    pub(crate) fn check(
        &mut self,
        record: &Record,
        hash: ContentHash,
        row: u64,
    ) -> Result<(), Duplicate> {
        let mut content = [0; 8];
        content.copy_from_slice(&hash.as_bytes()[..8]);
        let names = record.unique();
        for (index, (name, value)) in names.iter().enumerate() {
            let Some((first, known)) = self.seen.get(&digest(name, value)) else {
                continue;
            };
            if index == 0 && *known == content {
                return Err(Duplicate::Same { row: *first });
            }
            return Err(Duplicate::Other(FieldError::new(
                *name,
                format!("\"{value}\" is taken by row {first}"),
                "a value of its own for every record",
            )));
        }
        for (name, value) in &names {
            self.seen.insert(digest(name, value), (row, content));
        }
        Ok(())
    }

    /// Notes the key of a group; the first row of an earlier group of that key.
    pub(crate) fn group(&mut self, key: &str, row: u64) -> Option<u64> {
        match self.seen.entry(digest("group", key)) {
            std::collections::hash_map::Entry::Occupied(taken) => Some(taken.get().0),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert((row, [0; 8]));
                None
            }
        }
    }
}

fn digest(name: &str, value: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update([0]);
    hash.update(value.as_bytes());
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}
