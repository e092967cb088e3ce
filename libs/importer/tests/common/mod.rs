//! What the tests of this crate share.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use std::path::{Path, PathBuf};

use tierline_importer::{
    CheckedPlan, ImportError, ImportPlan, Item, Mapping, Observer, Options, Outcome, Record,
    RowResult, Step,
};

/// The mappings that ship with the product.
pub fn shipped(name: &str) -> Mapping {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../mappings")
        .join(name);
    Mapping::load(&path).unwrap_or_else(|error| panic!("{error}"))
}

/// A mapping for `fields` of a partner, with everything that a partner needs and `more` lines.
pub fn partner_mapping(more: &str) -> Mapping {
    let text = format!(
        "kind: partners\n{more}\nfields:\n  external_id: {{column: id}}\n  \
        name: {{column: name}}\n  type: {{constant: reseller}}\n  \
         domain: {{template: \"{{id}}.example\"}}\n  \
         primary_contact.first_name: {{constant: A}}\n  \
         primary_contact.last_name: {{constant: B}}\n  \
         primary_contact.email: {{constant: a@b.example}}\n"
    );
    Mapping::parse("test.yaml", &text).unwrap_or_else(|error| panic!("{error}"))
}

pub struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

#[derive(Default)]
pub struct Seen {
    pub rows: Vec<RowResult>,
    pub progress: Vec<tierline_importer::Progress>,
}

impl Observer for Seen {
    fn progress(&mut self, progress: tierline_importer::Progress) {
        self.progress.push(progress);
    }

    fn row(&mut self, result: &RowResult) {
        self.rows.push(result.clone());
    }
}

/// Everything that reading a file gives, with no limit on the share of rejected rows.
pub struct Read {
    pub items: Vec<Item>,
    pub rows: Vec<RowResult>,
    pub plan: CheckedPlan,
}

pub fn options(percent: u8) -> Options {
    Options {
        max_rejected_percent: Some(percent),
        ..Options::default()
    }
}

pub fn read(mapping: Mapping, file: &Path) -> Result<Read, ImportError> {
    read_with(mapping, file, options(100))
}

pub fn read_with(mapping: Mapping, file: &Path, options: Options) -> Result<Read, ImportError> {
    let mut seen = Seen::default();
    let plan = ImportPlan::open(mapping, file, options)?.check(&mut seen)?;
    let mut items = Vec::new();
    let mut rows = Vec::new();
    for step in plan.items(0)? {
        match step? {
            Step::Item(item) => {
                rows.extend(item.results(&Outcome::Ok { note: None }));
                items.push(*item);
            }
            Step::Row(row) => rows.push(row),
        }
    }
    assert_eq!(
        rows, seen.rows,
        "the check and the reading agree on every row"
    );
    let mut numbers: Vec<u64> = rows.iter().map(|row| row.row).collect();
    numbers.sort_unstable();
    let expected: Vec<u64> = (1..=plan.summary().rows).collect();
    assert_eq!(numbers, expected, "every row has exactly one result");
    assert_eq!(plan.summary().records, items.len() as u64);
    Ok(Read { items, rows, plan })
}

impl Read {
    pub fn outcome(&self, row: u64) -> &Outcome {
        &self
            .rows
            .iter()
            .find(|result| result.row == row)
            .unwrap()
            .outcome
    }

    pub fn partners(&self) -> impl Iterator<Item = &tierline_importer::PartnerRow> {
        self.items.iter().filter_map(|item| match &item.record {
            Record::Partner(partner) => Some(&**partner),
            _ => None,
        })
    }

    pub fn deal_rows(&self) -> impl Iterator<Item = &tierline_importer::DealRow> {
        self.items.iter().filter_map(|item| match &item.record {
            Record::Deal(row) => Some(&**row),
            _ => None,
        })
    }

    pub fn deals(&self) -> impl Iterator<Item = &tierline_domain::activity::DealRecord> {
        self.items.iter().filter_map(|item| match &item.record {
            Record::Deal(deal) => Some(&deal.record),
            _ => None,
        })
    }
}

/// A mapping for deals with what a deal needs, `more` lines at the top and `fields` at the end.
pub fn deals(more: &str, fields: &str) -> Mapping {
    let text = format!(
        "kind: deals\n{more}\nfields:\n  external_id: {{column: id}}\n  \
        partner_id: {{column: p}}\n  \
         state: {{constant: registered}}\n{fields}"
    );
    Mapping::parse("deals.yaml", &text).unwrap_or_else(|error| panic!("{error}"))
}

/// Field, text and what is allowed of a rejected row.
pub fn rejected(outcome: &Outcome) -> (&str, &str, &str) {
    match outcome {
        Outcome::Rejected {
            field,
            text,
            allowed,
        } => (field, text, allowed),
        other => panic!("not rejected: {other:?}"),
    }
}

/// The reason of a skipped row.
pub fn skipped(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Skipped { reason } => reason,
        other => panic!("not skipped: {other:?}"),
    }
}
