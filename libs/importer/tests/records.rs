//! From rows to records: values, lookups, groups, rates, and the limits on the way.

use tierline_domain::activity::DealState;
use tierline_domain::rules::value::Value;
use tierline_importer::{ImportError, ImportPlan, Limits, Mapping, Options, Outcome, Record};

mod common;
use common::{Files, deals, options, partner_mapping, read, read_with, rejected};

const GROUPED: &str = "  amount: {column: sum, combine: sum}\n  currency: {constant: USD}\n  \
    product_lines: {column: line}\n  region: {column: stage}\n  \
    registered_date: {column: day, combine: min}\n";

fn grouped(rows: &str) -> Mapping {
    deals(
        &format!("group_by: {{key: {{column: id}}, rows: {rows}}}"),
        GROUPED,
    )
}

#[test]
fn values_are_translated_stripped_defaulted_and_typed() {
    let files = Files::new();
    let file = files.write(
        "f.csv",
        "id,p,amount,day,tags,size\n1,x,\"1.234,5\",1.2.2026,b; a;b,tiny \n2,x,N/A,,,\n\
        3,x,5,,,Huge\n",
    );
    let fields = "  amount: {column: amount, decimal: comma, thousands: point}\n  \
        currency: {constant: EUR}\n  \
        registered_date: {column: day, format: \"%-d.%-m.%Y\"}\n  \
        product_lines: [{column: tags, split: \";\"}, {constant: z}]\n  \
        attributes.size: {column: size, translate: {Tiny: \"1\", large: \"3\"}, \
        default: \"0\", as: number}\n  \
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
    let misspelt = Options {
        lookups: [("m".to_owned(), file.clone())].into(),
        ..Options::default()
    };
    let error = ImportPlan::open(mapping(), &file, misspelt).unwrap_err();
    assert!(
        error.to_string().contains("no such lookup; it has: l"),
        "{error}"
    );
    std::fs::remove_file(files.path("p.csv")).unwrap();
    let error = ImportPlan::open(mapping(), &file, Options::default()).unwrap_err();
    assert!(error.to_string().contains("lookup \"l\""), "{error}");
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
    assert_eq!(deal.region.as_deref(), Some("s"));
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
    let wide = "kind: rates\nnulls: [N/A]\nrates: {source: ECB, base: EUR, columns: all}\n\
        fields:\n  date: {column: Date}\n";
    let file = files.write(
        "w.csv",
        "Date,USD,ISK,\n2026-10-30,1.1172,N/A,\n2026-10-29,1.1,136,x\n2026-10-28,0,1,\n\
        2026-10-27,N/A,N/A,\n",
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

    let long = "kind: rates\nrates: {source: x, base: USD}\nfields:\n  date: {column: d}\n  \
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
         3,lost,,,\n4,won,1,,2026-01-01\n5,won,1,DEM,2026-01-01\n6,Gained,1,USD,2026-01-01\n",
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
         reseller-676,Ann  Lee,Ann.Lee@Reseller-676.example,Cloud Architect,\
         Advanced,2026-01-15,2028-01-14\n\
         reseller-676,Ann Lee,ann.lee@reseller-676.example,Cloud Architect,,2024-01-15,N/A\n\
         reseller-676,Bo,bo@reseller-676.example,Cloud Architect,,2026-01-15,2025-01-14\n\
         reseller-676,Cy,not an address,Cloud Architect,,2026-01-15,\n",
    );
    let read = read(common::shipped("certifications.yaml"), &file).unwrap();
    let Record::Certification(first) = &read.items[0].record else {
        panic!()
    };
    assert_eq!(
        first.record.holder.email.as_deref(),
        Some("ann.lee@reseller-676.example")
    );
    assert_eq!(first.record.holder.name.as_deref(), Some("Ann Lee"));
    assert_eq!(
        first.record.expires_date,
        Some(jiff::civil::date(2028, 1, 14))
    );
    let Record::Certification(second) = &read.items[1].record else {
        panic!()
    };
    assert_eq!(
        (second.record.expires_date, second.record.level.as_deref()),
        (None, None)
    );
    assert_ne!(first.certification, second.certification);
    assert_eq!(rejected(read.outcome(3)).0, "expires_date");
    assert_eq!(rejected(read.outcome(4)).0, "person_email");
}
