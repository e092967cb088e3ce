//! Reading files: shapes, results per row, groups, lookups, limits, resuming.

use std::io::Write;

use tierline_domain::rules::value::Value;
use tierline_importer::{
    DealState, ImportError, ImportPlan, Journal, JournalError, Limits, Mapping, Options, Outcome,
    Record, Step,
};

mod common;
use common::{Files, Seen, options, partner_mapping, read, read_with};

fn deals(more: &str, fields: &str) -> Mapping {
    let text = format!(
        "kind: deals\n{more}\nfields:\n  external_id: {{column: id}}\n  partner_id: {{column: p}}\n  \
         state: {{constant: registered}}\n{fields}"
    );
    Mapping::parse("deals.yaml", &text).unwrap_or_else(|error| panic!("{error}"))
}

fn rejected(outcome: &Outcome) -> (&str, &str, &str) {
    match outcome {
        Outcome::Rejected {
            field,
            text,
            allowed,
        } => (field, text, allowed),
        other => panic!("not rejected: {other:?}"),
    }
}

fn skipped(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Skipped { reason } => reason,
        other => panic!("not skipped: {other:?}"),
    }
}

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
        assert_eq!(read.partners().nth(1).unwrap().name, "Be\"ta");
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
    assert_eq!(read.partners().next().unwrap().name, "Say \"hi\"");
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

#[test]
fn values_are_translated_stripped_defaulted_and_typed() {
    let files = Files::new();
    let file = files.write(
        "f.csv",
        "id,p,amount,day,tags,size\n1,x,\"1.234,5\",1.2.2026,b; a;b,tiny \n2,x,N/A,,,\n3,x,5,,,Huge\n",
    );
    let fields = "  amount: {column: amount, decimal: comma, thousands: point}\n  currency: {constant: EUR}\n  \
        registered_date: {column: day, format: \"%-d.%-m.%Y\"}\n  \
        product_lines: [{column: tags, split: \";\"}, {constant: z}]\n  \
        attributes.size: {column: size, translate: {Tiny: \"1\", large: \"3\"}, default: \"0\", as: number}\n  \
        attributes.flag: {constant: \"true\", as: flag}\n";
    let read = read(deals("nulls: [N/A]", fields), &file).unwrap();
    let deal = read.deals().next().unwrap();
    assert_eq!(deal.amount.unwrap().amount.to_string(), "1234.5");
    assert_eq!(deal.registered_date, Some(jiff::civil::date(2026, 2, 1)));
    assert_eq!(deal.product_lines, ["a", "b", "z"]);
    assert_eq!(deal.attributes["size"], Value::Number(1.into()));
    assert_eq!(deal.attributes["flag"], Value::Flag(true));
    assert_eq!(deal.state, DealState::Registered);
    let second = read.deals().nth(1).unwrap();
    assert_eq!((second.amount, second.registered_date), (None, None));
    assert_eq!(second.attributes["size"], Value::Number(0.into()));
    let (field, text, allowed) = rejected(read.outcome(3));
    assert_eq!((field, allowed), ("attributes.size", "Tiny, large"));
    assert!(text.contains("Huge"));
}

#[test]
fn lookups_join_a_second_file_and_name_keys_that_are_missing() {
    let files = Files::new();
    files.write("p.csv", "key,country\n1,FR\n2,\n2,\n");
    let file = files.write("f.csv", "id,p,partner\na,x,1\nb,x,2\nc,x,3\nd,x,\n");
    let mapping = || {
        deals(
            "lookups:\n  - {name: l, path: p.csv, key: key, by: {column: partner}}",
            "  region: {column: l.country}\n",
        )
    };
    let read = read(mapping(), &file).unwrap();
    let regions: Vec<_> = read.deals().map(|deal| deal.region.as_deref()).collect();
    assert_eq!(regions, [Some("FR"), None, None]);
    assert_eq!(
        rejected(read.outcome(3)),
        ("region", "\"3\" is not in p.csv", "a key of p.csv")
    );

    let other = files.write("other.csv", "key,country\n1,FR\n1,DE\n");
    let lookups = [("l".to_owned(), other)].into();
    let with = Options {
        lookups,
        ..Options::default()
    };
    let error = ImportPlan::open(mapping(), &file, with).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("stands in two rows with different values"),
        "{error}"
    );
    std::fs::remove_file(files.path("p.csv")).unwrap();
    let error = ImportPlan::open(mapping(), &file, Options::default()).unwrap_err();
    assert!(error.to_string().contains("lookup \"l\""), "{error}");
}

const GROUPED: &str = "  amount: {column: sum, combine: sum}\n  currency: {constant: USD}\n  \
    product_lines: {column: line}\n  stage: {column: stage}\n  \
    registered_date: {column: day, combine: min}\n";

fn grouped(rows: &str) -> Mapping {
    deals(
        &format!("group_by: {{key: {{column: id}}, rows: {rows}}}"),
        GROUPED,
    )
}

#[test]
fn lines_of_an_order_become_one_deal_with_the_exact_sum() {
    let files = Files::new();
    let file = files.write(
        "f.csv",
        "id,p,sum,line,stage,day\nO1,x,0.10,b,s,2026-01-02\nO1,x,0.20,a,,2026-01-01\nO2,x,5,a,s,\n",
    );
    let read = read(grouped("contiguous"), &file).unwrap();
    let deal = read.deals().next().unwrap();
    assert_eq!(deal.amount.unwrap().amount.to_string(), "0.3");
    assert_eq!(deal.product_lines, ["a", "b"]);
    assert_eq!(deal.stage.as_deref(), Some("s"));
    assert_eq!(deal.registered_date, Some(jiff::civil::date(2026, 1, 1)));
    assert_eq!(read.items[0].rows.len(), 2);
    assert_eq!(
        read.outcome(2),
        &Outcome::Ok {
            note: Some("2 of 2 rows, from row 1".into())
        }
    );
    assert_eq!(read.outcome(3), &Outcome::Ok { note: None });
}

#[test]
fn one_wrong_line_rejects_the_whole_order_and_every_line_says_why() {
    let files = Files::new();
    let file = files.write(
        "f.csv",
        "id,p,sum,line,stage,day\nO1,x,1,a,s,\nO1,x,\"2,0\",a,s,\nO2,x,1,a,s,\nO2,y,1,a,s,\n\
         O3,x,1,a,s,\nO3,x,,a,s,\n,x,1,a,s,\n",
    );
    let read = read(grouped("contiguous"), &file).unwrap();
    assert!(read.items.is_empty());
    assert_eq!(
        rejected(read.outcome(1)).1,
        "row 2 of the same group is rejected"
    );
    assert_eq!(rejected(read.outcome(2)).0, "amount");
    assert_eq!(
        rejected(read.outcome(4)).1,
        "\"y\" differs from \"x\" in row 3 of the same group"
    );
    assert!(
        rejected(read.outcome(6))
            .1
            .contains("the sum of the group is unknown")
    );
    assert_eq!(rejected(read.outcome(7)).0, "group_by.key");
}

#[test]
fn a_group_that_comes_back_is_an_error_unless_declared() {
    let files = Files::new();
    let content = "id,p,sum,line,stage,day\nO1,x,1,a,s,\nO2,x,2,a,s,\nO1,x,3,b,s,\n";
    let file = files.write("f.csv", content);
    let error = read(grouped("contiguous"), &file).err().unwrap();
    assert!(matches!(
        &error,
        ImportError::NotContiguous { key, first_row: 1, row: 3 } if key == "O1"
    ));
    assert!(error.to_string().contains("rows: anywhere"));
    let read = read(grouped("anywhere"), &file).unwrap();
    let sums: Vec<String> = read
        .deals()
        .map(|deal| deal.amount.unwrap().amount.to_string())
        .collect();
    assert_eq!(sums, ["4", "2"]);
    assert_eq!(
        read.items[0]
            .rows
            .iter()
            .map(|row| row.row)
            .collect::<Vec<_>>(),
        [1, 3]
    );
}

#[test]
fn limits_refuse_what_is_beyond_them() {
    let files = Files::new();
    let limited = |content: &str, mapping: Mapping, limits: Limits| {
        let file = files.write("f.csv", content);
        read_with(
            mapping,
            &file,
            Options {
                limits,
                ..options(100)
            },
        )
    };
    let limits = Limits::default;
    let rows = "id,name\n1,A\n2,B\n3,C\n";
    let what = |result: Result<common::Read, ImportError>| match result {
        Err(ImportError::Limit { what, .. }) => what,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("no limit"),
    };
    let by = partner_mapping;
    assert_eq!(
        what(limited(
            rows,
            by(""),
            Limits {
                rows: 2,
                ..limits()
            }
        )),
        "rows"
    );
    assert_eq!(
        what(limited(
            rows,
            by(""),
            Limits {
                columns: 1,
                ..limits()
            }
        )),
        "columns"
    );
    assert_eq!(
        what(limited(
            rows,
            by(""),
            Limits {
                file_bytes: 3,
                ..limits()
            }
        )),
        "bytes"
    );
    let content = Limits {
        content_bytes: 10,
        ..limits()
    };
    assert_eq!(what(limited(rows, by(""), content)), "bytes of content");
    let open_quote = format!("id,name\n1,\"{}", "long ".repeat(200_000));
    let row = Limits {
        row_bytes: 1000,
        ..limits()
    };
    assert_eq!(what(limited(&open_quote, by(""), row)), "bytes in one row");
    let orders = "id,p,sum,line,stage,day\nO1,x,1,a,s,\nO1,x,2,a,s,\nO1,x,3,b,s,\n";
    let group = Limits {
        group_rows: 2,
        ..limits()
    };
    assert_eq!(
        what(limited(orders, grouped("contiguous"), group)),
        "rows in one group"
    );
    let held = Limits {
        held_rows: 2,
        ..limits()
    };
    assert_eq!(
        what(limited(orders, grouped("anywhere"), held)),
        "rows of unfinished groups"
    );
    let cell = Limits {
        cell_bytes: 2,
        ..limits()
    };
    let read = limited("id,name\n1,ABC\n", by(""), cell).unwrap();
    assert_eq!(rejected(read.outcome(1)).1, "column name is too long");
}

#[test]
fn wide_and_long_rates_leave_gaps_where_there_is_no_rate() {
    let files = Files::new();
    let wide = "kind: rates\nnulls: [N/A]\nrates: {base: EUR, columns: all}\nfields:\n  date: {column: Date}\n";
    let file = files.write(
        "w.csv",
        "Date,USD,ISK,\n2026-10-30,1.1172,N/A,\n2026-10-29,1.1,136,x\n2026-10-28,0,1,\n2026-10-27,N/A,N/A,\n",
    );
    let wide_read = read(Mapping::parse("w.yaml", wide).unwrap(), &file).unwrap();
    assert_eq!(wide_read.items.len(), 1);
    let Record::Rates(day) = &wide_read.items[0].record else {
        panic!()
    };
    assert_eq!(
        serde_json::to_string(&day.rates).unwrap(),
        r#"{"USD":"1.1172"}"#
    );
    assert!(
        rejected(wide_read.outcome(2))
            .1
            .contains("has a value but no name")
    );
    assert_eq!(rejected(wide_read.outcome(3)).0, "rate.USD");
    assert_eq!(
        rejected(wide_read.outcome(4)).1,
        "is blank for every currency"
    );

    let long = "kind: rates\nrates: {base: USD}\nfields:\n  date: {column: d}\n  \
                currency: {column: c}\n  rate: {column: r}\n";
    let file = files.write(
        "l.csv",
        "d,c,r\n2026-10-30,EUR,0.9\n2026-10-30,FRX,1\n2026-10-30,EUR,0.8\n",
    );
    let long_read = read(Mapping::parse("l.yaml", long).unwrap(), &file).unwrap();
    assert_eq!(long_read.items[0].key, "2026-10-30/EUR");
    assert_eq!(rejected(long_read.outcome(2)).0, "currency");
    assert!(rejected(long_read.outcome(3)).1.contains("taken by row 1"));

    let file = files.write("x.csv", "Date,USD,Total\n2026-10-30,1,2\n");
    let error = ImportPlan::open(
        Mapping::parse("w.yaml", wide).unwrap(),
        &file,
        Options::default(),
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("\"Total\", which is no ISO 4217 currency")
    );
}

#[test]
fn a_won_deal_needs_amount_date_and_a_currency_of_its_time() {
    let files = Files::new();
    let text = "kind: deals\nfields:\n  external_id: {column: id}\n  partner_id: {constant: p}\n  \
        state: {column: state}\n  amount: {column: amount}\n  currency: {column: currency}\n  \
        closed_date: {column: closed}\n";
    let file = files.write(
        "f.csv",
        "id,state,amount,currency,closed\n1,won,1,USD,2026-01-01\n2,won,,USD,2026-01-01\n\
         3,lost,,,\n4,won,1,,2026-01-01\n5,won,1,DEM,2026-01-01\n6,Won,1,USD,2026-01-01\n",
    );
    let read = read(Mapping::parse("d.yaml", text).unwrap(), &file).unwrap();
    assert_eq!(read.items.len(), 1);
    let fields: Vec<&str> = (2..=6).map(|row| rejected(read.outcome(row)).0).collect();
    assert_eq!(
        fields,
        ["amount", "closed_date", "currency", "currency", "state"]
    );
}

#[test]
fn certifications_are_read_by_the_shipped_mapping() {
    let files = Files::new();
    let file = files.write(
        "c.csv",
        "Partner,Person,E-mail,Certification,Level,Awarded,Expires\n\
         reseller-676,Ann  Lee,Ann.Lee@Reseller-676.example,Cloud Architect,Advanced,2026-01-15,2028-01-14\n\
         reseller-676,Ann Lee,ann.lee@reseller-676.example,Cloud Architect,,2024-01-15,N/A\n\
         reseller-676,Bo,bo@reseller-676.example,Cloud Architect,,2026-01-15,2025-01-14\n\
         reseller-676,Cy,not an address,Cloud Architect,,2026-01-15,\n",
    );
    let read = read(common::shipped("certifications.yaml"), &file).unwrap();
    let Record::Certification(first) = &read.items[0].record else {
        panic!()
    };
    assert_eq!(first.person_id, "ann.lee@reseller-676.example");
    assert_eq!(first.person_name.as_deref(), Some("Ann Lee"));
    assert_eq!(first.expires_date, Some(jiff::civil::date(2028, 1, 14)));
    let Record::Certification(second) = &read.items[1].record else {
        panic!()
    };
    assert_eq!((second.expires_date, second.level.as_deref()), (None, None));
    assert_ne!(first.certification_id, second.certification_id);
    assert_eq!(rejected(read.outcome(3)).0, "expires_date");
    assert_eq!(rejected(read.outcome(4)).0, "person_email");
}

#[test]
fn the_same_content_has_the_same_hash_and_the_same_file_the_same_requests() {
    let files = Files::new();
    let fields =
        "  amount: {column: a}\n  currency: {constant: USD}\n  registered_date: {column: d}\n";
    let first = files.write("1.csv", "id,p,a,d\n1,x,5.00,2026-01-02\n2,x,6,2026-01-02\n");
    let second = files.write("2.csv", "id,p,a,d\n1,x,5,2026-01-02\n2,x,7,2026-01-02\n");
    let one = read(deals("", fields), &first).unwrap().items;
    let again = read(deals("", fields), &first).unwrap().items;
    let two = read(deals("", fields), &second).unwrap().items;
    assert_eq!(one, again);
    assert_eq!(one[0].content_hash, two[0].content_hash);
    assert_ne!(one[1].content_hash, two[1].content_hash);
    assert_ne!(
        one[0].request_id, two[0].request_id,
        "another file makes other requests"
    );
}

#[test]
fn reading_goes_on_after_the_last_answered_record() {
    let files = Files::new();
    let file = files.write("f.csv", "id,name\n1,A\n,bad\n2,B\n3,C\n");
    let open = |mapping: Mapping| {
        ImportPlan::open(mapping, &file, options(100))
            .unwrap()
            .check(&mut ())
            .unwrap()
    };
    let plan = open(partner_mapping(""));
    let journal_file = files.path("journal");
    let mut journal = Journal::open(&journal_file, &plan, "here/org").unwrap();
    assert_eq!(journal.done(), 0);
    let mut items = plan
        .items(0)
        .unwrap()
        .filter_map(|step| match step.unwrap() {
            Step::Item(item) => Some(item),
            Step::Row(_) => None,
        });
    let all: Vec<_> = items.by_ref().collect();
    journal.mark(&all[0]).unwrap();
    journal.mark(&all[1]).unwrap();
    journal.mark(&all[0]).unwrap();
    drop(journal);
    // A crash tears the last line.
    let mut torn = std::fs::OpenOptions::new()
        .append(true)
        .open(&journal_file)
        .unwrap();
    torn.write_all(b"{\"done\":3,\"ke").unwrap();
    let mut journal = Journal::open(&journal_file, &plan, "here/org").unwrap();
    assert_eq!(journal.done(), 2);
    let rest: Vec<_> = plan
        .items(journal.done())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rest, [Step::Item(all[2].clone())]);
    journal.mark(&all[2]).unwrap();
    assert_eq!(
        Journal::open(&journal_file, &plan, "here/org")
            .unwrap()
            .done(),
        3
    );

    let other = open(partner_mapping("nulls: [x]"));
    for (plan, target) in [(&other, "here/org"), (&plan, "there/org")] {
        let error = Journal::open(&journal_file, plan, target).unwrap_err();
        assert!(matches!(error, JournalError::Other { .. }), "{error}");
    }
    std::fs::write(&journal_file, "something else\n").unwrap();
    let error = Journal::open(&journal_file, &plan, "here/org").unwrap_err();
    assert!(matches!(error, JournalError::Unreadable { .. }), "{error}");
}

#[test]
fn a_file_that_changes_after_the_check_is_noticed() {
    let files = Files::new();
    let file = files.write("f.csv", "id,name\n1,A\n");
    let plan = ImportPlan::open(partner_mapping(""), &file, options(100))
        .unwrap()
        .check(&mut ())
        .unwrap();
    files.write("f.csv", "id,name\n1,B\n");
    let last = plan.items(0).unwrap().last().unwrap();
    assert!(matches!(last, Err(ImportError::Changed { .. })));
}

#[test]
fn progress_reaches_the_size_of_the_file() {
    let files = Files::new();
    let mut content = "id,name\n".to_owned();
    for row in 0..2_000 {
        content.push_str(&format!("{row},Name\n"));
    }
    let file = files.write("f.csv", &content);
    let mut seen = Seen::default();
    ImportPlan::open(partner_mapping(""), &file, options(0))
        .unwrap()
        .check(&mut seen)
        .unwrap();
    let last = seen.progress.last().unwrap();
    assert_eq!(
        (last.bytes, last.rows, last.records),
        (content.len() as u64, 2_000, 2_000)
    );
    assert_eq!(last.total_bytes, last.bytes);
    assert!(seen.progress.len() > 5);
}
