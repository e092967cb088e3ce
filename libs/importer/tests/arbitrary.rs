//! Any bytes may come as a file and any text as a mapping: every row has one result, nothing
//! panics.

use proptest::prelude::*;
use tierline_importer::Mapping;

mod common;
use common::{Files, partner_mapping, read};

const GROUPED: &str = "kind: deals\nnulls: [N/A]\ngroup_by: {key: {column: id}, rows: anywhere}\n\
    where:\n  - {column: d, none_of: [x], reason: \"{a}\"}\n\
    fields:\n  external_id: {column: id, filters: [squeeze]}\n  \
        partner_id: {column: p, filters: [slug]}\n  \
    state: {constant: won}\n  amount: {column: a, combine: sum, thousands: comma}\n  \
    currency: {constant: EUR}\n  closed_date: {column: d, combine: max, format: \"%-m/%-d/%Y\"}\n";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_give_results_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let files = Files::new();
        let mut content = b"id,name\n".to_vec();
        content.extend(&bytes);
        let _ = read(partner_mapping(""), &files.write("f.csv", &content));
        let _ = read(partner_mapping("file: {columns: [id, name]}"), &files.write("g.csv", &bytes));
    }

    #[test]
    fn any_cells_give_one_result_per_row(
        rows in proptest::collection::vec(proptest::collection::vec("\\PC{0,12}", 4), 0..12)
    ) {
        let files = Files::new();
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["id", "p", "a", "d"]).unwrap();
        for row in &rows {
            csv.write_record(row).unwrap();
        }
        let file = files.write("f.csv", csv.into_inner().unwrap());
        let read = read(Mapping::parse("m.yaml", GROUPED).unwrap(), &file).unwrap();
        prop_assert_eq!(read.plan.summary().rows, rows.len() as u64);
    }

    #[test]
    fn sums_of_groups_are_exact_wherever_the_rows_are(
        rows in proptest::collection::vec((0_u8..4, 0_i64..1_000_000_000), 1..60)
    ) {
        let files = Files::new();
        let mut content = "id,p,a,d\n".to_owned();
        let mut sums = std::collections::BTreeMap::<u8, i64>::new();
        for (key, cents) in &rows {
            content.push_str(&format!("o{key},x,{}.{:02},1/2/2026\n", cents / 100, cents % 100));
            *sums.entry(*key).or_default() += cents;
        }
        let file = files.write("f.csv", &content);
        let read = read(Mapping::parse("m.yaml", GROUPED).unwrap(), &file).unwrap();
        for deal in read.deals() {
            let key: u8 = deal.external_id.as_ref().unwrap()[1..].parse().unwrap();
            let expected = rust_decimal::Decimal::new(sums[&key], 2);
            prop_assert_eq!(deal.amount.unwrap().amount, expected);
        }
        prop_assert_eq!(read.items.len(), sums.len());
    }

    #[test]
    fn any_text_is_a_mapping_or_an_error(text in "\\PC{0,80}", fragment in "[a-z{}\\[\\]:,\\n \
        \"|%]{0,60}") {
        let _ = Mapping::parse("m.yaml", &text);
        let _ = Mapping::parse("m.yaml", &format!("kind: deals\nfields:\n  state: {fragment}\n"));
    }
}
