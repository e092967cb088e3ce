//! Files of other systems, and how they are to be read.

use std::sync::LazyLock;

use tierline_importer::{ImportPlan, Mapping, Observer, Options};

use crate::{Target, text};

const DEALS: &str = "kind: deals\nnulls: [N/A]\nfields:\n  external_id: {column: id}\n  \
    partner_id: {column: p, filters: [slug]}\n  state: {constant: won}\n  \
    amount: {column: a, thousands: comma}\n  currency: {constant: EUR}\n  \
    closed_date: {column: d, format: \"%-m/%-d/%Y\"}\n";

pub(crate) const MAPPING: Target = Target {
    name: "mapping",
    run: mapping,
    seeds: &[
        DEALS,
        include_str!("../../../mappings/crm-deals.yaml"),
        include_str!("../../../mappings/reseller-partners.yaml"),
        include_str!("../../../mappings/certifications.yaml"),
        "kind: deals\nfields:\n  name: {template: \"{a} {b}\"}\n",
        "a: &a [*a]",
    ],
};

fn mapping(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(mapping) = Mapping::parse("m.yaml", text) {
        let again = Mapping::parse("m.yaml", text).unwrap();
        assert_eq!(again.digest(), mapping.digest());
    }
}

/// One file that is written again and again.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

pub(crate) const CSV: Target = Target {
    name: "csv",
    run: csv,
    seeds: &[
        "id,p,a,d\n1,nova,\"1,250.00\",3/31/2026\n2,nova,N/A,\n",
        "id,p,a,d\r\n\"1\"\"\",,-5,2/30/2026\r\n",
        "\u{feff}id,p,a,d\n1,2\n",
        "id;p;a;d\n",
        "\u{1f}\u{8b}\u{8}",
    ],
};

struct Rows(u64);

impl Observer for Rows {
    fn row(&mut self, _: &tierline_importer::RowResult) {
        self.0 += 1;
    }
}

/// Every row of a file that is taken has one result.
fn csv(data: &[u8]) {
    let path = FOLDER.path().join("f.csv");
    std::fs::write(&path, data).unwrap();
    let mapping = Mapping::parse("m.yaml", DEALS).unwrap();
    let options = Options {
        max_rejected_percent: Some(100),
        ..Options::default()
    };
    let Ok(plan) = ImportPlan::open(mapping, &path, options) else {
        return;
    };
    let mut seen = Rows(0);
    if let Ok(checked) = plan.check(&mut seen) {
        assert_eq!(checked.summary().rows, seen.0);
    }
}
