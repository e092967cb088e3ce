//! Reading files: shapes, results per row, refusals.

use std::io::Write;

use tierline_importer::{ImportError, ImportPlan, Options, Outcome};

mod common;
use common::{Files, Seen, deals, partner_mapping, read, rejected, skipped};

#[test]
fn a_byte_order_mark_gzip_and_line_ends_make_no_difference() {
    let files = Files::new();
    let plain = "id,name\nA,Alpha\nB,\"Be\"\"ta\"\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(plain.as_bytes()).unwrap();
    let contents: [Vec<u8>; 4] = [
        plain.into(),
        format!("\u{feff}{plain}").into(),
        plain.replace('\n', "\r\n").into(),
        gzip.finish().unwrap(),
    ];
    let mut hashes = Vec::new();
    for content in contents {
        let read = read(partner_mapping(""), &files.write("f.csv", content)).unwrap();
        hashes.push(
            read.items
                .iter()
                .map(|item| item.content_hash)
                .collect::<Vec<_>>(),
        );
        assert_eq!(read.partners().nth(1).unwrap().profile.name, "Be\"ta");
        assert_eq!(read.rows[1].line, 3);
    }
    assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn results_name_the_line_in_which_a_row_begins() {
    let files = Files::new();
    for end in ["\n", "\r\n"] {
        let content = ["id,name", "1,A", "2,\"two", "lines\"", "", "3,C", "4,D"].join(end);
        let file = files.write("f.csv", content);
        let read = read(partner_mapping(""), &file).unwrap();
        let lines: Vec<u64> = read.rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [2, 3, 6, 7], "{end:?}");
    }
}

#[test]
fn files_without_header_and_with_other_delimiters_are_read_by_listed_columns() {
    let files = Files::new();
    let file = files.write("f.txt", "1|x|Say \"hi\"\n2|y|B\n");
    let mapping =
        partner_mapping("file: {delimiter: pipe, columns: [id, skip, name], quotes: false}");
    let read = read(mapping, &file).unwrap();
    assert_eq!(read.partners().next().unwrap().profile.name, "Say \"hi\"");
    assert_eq!(read.items.len(), 2);
}

#[test]
fn missing_columns_are_named_with_close_names() {
    let files = Files::new();
    let file = files.write("f.csv", "ID,Nmae,x\n1,A,\n");
    let error = ImportPlan::open(partner_mapping(""), &file, Options::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("\"id\" (the file has \"ID\")"), "{text}");
    assert!(text.contains("\"name\" (the file has \"Nmae\")"), "{text}");
}

#[test]
fn files_that_are_no_text_tables_are_refused() {
    let files = Files::new();
    for (content, part) in [
        (b"\xff\xfei\0d\0".as_slice(), "UTF-16"),
        (b"PK\x03\x04...".as_slice(), "ZIP"),
        (b"".as_slice(), "is empty"),
        (b"id,name,id\n".as_slice(), "two columns named \"id\""),
    ] {
        let file = files.write("f.csv", content);
        let error = ImportPlan::open(partner_mapping(""), &file, Options::default()).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    let folder = files.path("");
    assert!(ImportPlan::open(partner_mapping(""), &folder, Options::default()).is_err());
}

#[test]
fn a_truncated_archive_is_an_error_of_the_check() {
    let files = Files::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gzip.write_all(b"id,name\n").unwrap();
    for row in 0..50_000 {
        gzip.write_all(format!("{row},Name {row}\n").as_bytes())
            .unwrap();
    }
    let mut bytes = gzip.finish().unwrap();
    bytes.truncate(bytes.len() - 20);
    let file = files.write("f.csv.gz", bytes);
    let plan = ImportPlan::open(partner_mapping(""), &file, Options::default()).unwrap();
    assert!(matches!(plan.check(&mut ()), Err(ImportError::Read { .. })));
}

#[test]
fn every_row_has_one_clear_result() {
    let files = Files::new();
    let mut content = b"id,name\nA,Alpha\n,Nameless\nC,\n,\nE\nF,Foxtrot,more\nG,".to_vec();
    content.extend(b"\xff\xfe\nH,Hotel\nH,Hotel\nH,Other\n\nA.b,x\na b,y\n");
    let read = read(
        partner_mapping("nulls: [N/A]"),
        &files.write("f.csv", content),
    )
    .unwrap();
    assert!(matches!(read.outcome(1), Outcome::Ok { .. }));
    assert_eq!(rejected(read.outcome(2)).0, "external_id");
    assert_eq!(rejected(read.outcome(3)), ("name", "is blank", "a value"));
    assert_eq!(rejected(read.outcome(4)).1, "every cell is empty");
    assert_eq!(
        rejected(read.outcome(5)).1,
        "has 1 cells where the header has 2 columns"
    );
    assert_eq!(
        rejected(read.outcome(6)).1,
        "has 3 cells where the header has 2 columns"
    );
    assert_eq!(rejected(read.outcome(7)).1, "column name is not UTF-8");
    assert!(matches!(read.outcome(8), Outcome::Ok { .. }));
    assert_eq!(skipped(read.outcome(9)), "the same as row 8");
    assert_eq!(rejected(read.outcome(10)).1, "\"H\" is taken by row 8");
    assert_eq!(rejected(read.outcome(12)).0, "domain");
    assert_eq!(read.items.len(), 3);
}

#[test]
fn two_external_ids_that_give_one_identifier_are_told_apart() {
    let files = Files::new();
    let file = files.write("f.csv", "id,p\nA.b,acme\na b,acme\n");
    let read = read(deals("", ""), &file).unwrap();
    assert_eq!(
        rejected(read.outcome(2)),
        (
            "deal_id",
            "\"a-b\" is taken by row 1",
            "a value of its own for every record"
        )
    );
}

#[test]
fn a_file_with_too_many_rejected_rows_is_refused_before_anything_is_yielded() {
    let files = Files::new();
    let mut content = "id,name\n".to_owned();
    for row in 0..94 {
        content.push_str(&format!("{row},N\n"));
    }
    content.push_str(&"x,\n".repeat(6));
    let file = files.write("f.csv", &content);
    let plan = |more: &str| ImportPlan::open(partner_mapping(more), &file, Options::default());
    let mut seen = Seen::default();
    let error = plan("").unwrap().check(&mut seen).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("6 of 100 rows are rejected, more than the 5 %"),
        "{text}"
    );
    assert!(
        text.contains("row 95 (x) rejected, name: is blank"),
        "{text}"
    );
    assert_eq!(seen.rows.len(), 100, "the results are there all the same");
    assert!(
        plan("max_rejected_percent: 6")
            .unwrap()
            .check(&mut ())
            .is_ok()
    );
}

#[test]
fn conditions_skip_rows_with_their_reason() {
    let files = Files::new();
    let file = files.write(
        "f.csv",
        "id,name,kind\n1,A,Member\n2,B,member \n3,C,Other\n4,D,\n",
    );
    let mapping = partner_mapping(
        "where:\n  - {column: kind, any_of: [member], reason: \"not a member: {kind}\"}",
    );
    let read = read(mapping, &file).unwrap();
    assert_eq!(read.items.len(), 2);
    assert_eq!(skipped(read.outcome(3)), "not a member: Other");
    assert_eq!(skipped(read.outcome(4)), "not a member: (blank)");
    assert_eq!(read.rows[2].key, "3");
    assert_eq!(read.plan.summary().skip_reasons["not a member: Other"], 1);
}
