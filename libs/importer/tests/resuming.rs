//! Reading twice: hashes, request ids, journals, progress, changed files.

use std::io::Write;

use tierline_importer::{ImportError, ImportPlan, Journal, JournalError, Mapping, Step};

mod common;
use common::{Files, Seen, deals, options, partner_mapping, read};

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
    let counted = serde_json::json!({"created": 2});
    journal.mark_with(&all[1], counted.clone()).unwrap();
    journal.mark(&all[0]).unwrap();
    drop(journal);
    // A crash tears the last line.
    let mut torn = std::fs::OpenOptions::new()
        .append(true)
        .open(&journal_file)
        .unwrap();
    torn.write_all(b"{\"done\":3,\"ke").unwrap();
    let mut journal = Journal::open(&journal_file, &plan, "here/org").unwrap();
    assert_eq!((journal.done(), journal.state()), (2, &counted));
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
