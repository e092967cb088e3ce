//! Walks the tree and holds every file to the form that the project has agreed on.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Longest line of a Rust file, in characters.
const MAX_COLUMNS: usize = 100;
/// The same for a line with a text in it, which the formatter does not break.
const MAX_COLUMNS_OF_TEXT: usize = 140;
/// Above this a concept is hiding in the file; named, not refused.
const LONG_FILE: usize = 500;
/// Above this the file is refused.
const MAX_LINES: usize = 700;
/// Files that are tables: one row a line, long by nature, nothing to divide.
const TABLES: [&str; 2] = [
    "libs/domain/src/money_table.rs",
    "tests/system/tests/access/examples.rs",
];
/// Endings of files that are text of ours.
const TEXT: [&str; 13] = [
    "rs", "toml", "md", "yaml", "yml", "sql", "proto", "json", "sh", "py", "csv", "lock", "txt",
];

/// A file of the tree.
pub struct SourceFile {
    /// From the root of the tree, with `/`.
    pub name: String,
    /// What is in it.
    pub text: String,
}

impl SourceFile {
    fn is_rust(&self) -> bool {
        self.name.ends_with(".rs")
    }

    fn is_table(&self) -> bool {
        TABLES.contains(&self.name.as_str())
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// What git knows or would add; where there is no git, such as in an unpacked archive, whatever is
/// in the folders of sources.
pub fn files() -> Vec<SourceFile> {
    let root = root();
    let output = Command::new("git")
        .args([
            "-c",
            "safe.directory=*",
            "ls-files",
            "-z",
            "--cached",
            "--others",
        ])
        .arg("--exclude-standard")
        .current_dir(&root)
        .output();
    let names: Vec<String> = match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8(output.stdout).unwrap();
            text.split('\0')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect()
        }
        _ => walk(&root),
    };
    let files: Vec<SourceFile> = names
        .into_iter()
        .filter(|name| is_text(name))
        // A file that was just removed is still known to git.
        .filter_map(|name| {
            let text = fs::read_to_string(root.join(&name)).ok()?;
            Some(SourceFile { name, text })
        })
        .collect();
    assert!(
        files.len() > 50,
        "only {} files found; the walk is broken",
        files.len()
    );
    files
}

fn is_text(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    match last.rsplit_once('.') {
        Some((_, ending)) => TEXT.contains(&ending),
        None => last == "dev" || name == ".ci/run",
    }
}

fn walk(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if path.is_dir() && !["target", ".git", ".venv"].contains(&name.as_str()) {
                open.push(path);
            } else if path.is_file() {
                names.push(name);
            }
        }
    }
    names
}

/// Collects a complaint for every line that breaks a rule, and fails with all of them.
fn each_line(suits: impl Fn(&SourceFile) -> bool, rule: impl Fn(&str) -> Option<String>) {
    let mut complaints = String::new();
    for file in files().iter().filter(|file| suits(file)) {
        for (index, line) in file.text.split('\n').enumerate() {
            if let Some(complaint) = rule(line) {
                writeln!(complaints, "{}:{}: {complaint}", file.name, index + 1).unwrap();
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn nothing_is_left_open() {
    // Written in two halves, so that this file does not find itself.
    let words = [
        "TO_DO",
        "FIX_ME",
        "XX_X:",
        "XX_X ",
        "dbg_!(",
        "todo_!(",
        "unimplemented_!(",
    ]
    .map(|word| word.replace('_', ""));
    each_line(
        |file| !file.name.ends_with(".md") && !file.name.ends_with(".csv"),
        |line| {
            let word = words.iter().find(|word| line.contains(word.as_str()))?;
            Some(format!(
                "`{word}` is left in the tree: do it now or write an issue"
            ))
        },
    );
}

#[test]
fn no_test_is_switched_off() {
    let attribute = ["#[ig", "nore"].concat();
    each_line(SourceFile::is_rust, |line| {
        let off = line.trim_start().starts_with(&attribute);
        off.then(|| "a test that is not run proves nothing: mend it or remove it".to_owned())
    });
}

#[test]
fn lines_fit_a_screen() {
    each_line(
        |file| file.is_rust() && !file.is_table(),
        |line| {
            let columns = line.chars().count();
            let allowed = if line.contains('"') {
                MAX_COLUMNS_OF_TEXT
            } else {
                MAX_COLUMNS
            };
            (columns > allowed).then(|| format!("{columns} columns, allowed are {allowed}"))
        },
    );
}

#[test]
fn no_line_ends_in_spaces_or_carriage_returns() {
    // Data with damage in it is kept as it was damaged.
    let data = |file: &SourceFile| file.name.ends_with(".csv") || file.name.contains("/golden/");
    each_line(
        |file| !data(file),
        |line| match line.chars().last()? {
            '\r' => Some("ends in a carriage return".to_owned()),
            ' ' | '\t' => Some("ends in a space".to_owned()),
            _ => None,
        },
    );
}

#[test]
fn rust_is_indented_by_spaces() {
    each_line(SourceFile::is_rust, |line| {
        line.contains('\t')
            .then(|| "has a tab; write \\t in a text".to_owned())
    });
}

#[test]
fn every_file_ends_with_one_line_break() {
    let mut complaints = String::new();
    let written_by_people = |file: &&SourceFile| {
        [".rs", ".md", ".toml", ".sql", ".proto", ".sh"]
            .iter()
            .any(|e| file.name.ends_with(e))
    };
    for file in files().iter().filter(written_by_people) {
        if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
            writeln!(complaints, "{}", file.name).unwrap();
        }
    }
    assert!(
        complaints.is_empty(),
        "these end in no line break, or in more than one:\n{complaints}"
    );
}

#[test]
fn no_file_outgrows_its_reader() {
    let mut refused = String::new();
    for file in files()
        .iter()
        .filter(|file| file.is_rust() && !file.is_table())
    {
        let lines = file.text.lines().count();
        if lines > MAX_LINES {
            writeln!(
                refused,
                "{}: {lines} lines, allowed are {MAX_LINES}",
                file.name
            )
            .unwrap();
        } else if lines > LONG_FILE {
            println!(
                "{}: {lines} lines; which concept is hiding in it?",
                file.name
            );
        }
    }
    assert!(refused.is_empty(), "\n{refused}");
}

#[test]
fn no_path_of_somebodys_machine_is_in_the_tree() {
    // Homes, and the checkout of whoever runs this unless its place is too common to mean a thing.
    let root = root();
    let above = root.parent().map(|folder| format!("{}/", folder.display()));
    let own = above.filter(|folder| folder.matches('/').count() > 1);
    let named = |line: &str, start: &str, common: &[&str]| {
        line.split(start)
            .skip(1)
            .any(|rest| !common.iter().any(|name| rest.starts_with(name)))
    };
    each_line(
        |_| true,
        |line| {
            let home = named(line, concat!("/ho", "me/"), &["a/", "a\"", "you/", "$"])
                || named(line, concat!("/Us", "ers/"), &["you/"]);
            let checkout = own.as_deref().is_some_and(|own| line.contains(own));
            (home || checkout).then(|| "names a path of one machine".to_owned())
        },
    );
}

#[test]
fn every_crate_says_what_it_is_for() {
    let mut silent = String::new();
    for file in files() {
        let head = file.name.ends_with("/src/lib.rs") || file.name.ends_with("/src/main.rs");
        if head && !says_something(&file.text) {
            writeln!(silent, "{}", file.name).unwrap();
        }
    }
    assert!(
        silent.is_empty(),
        "these begin without a word (//!) on what they are for:\n{silent}"
    );
}

/// More than the name of the crate.
fn says_something(text: &str) -> bool {
    let head: Vec<&str> = text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .collect();
    head.join(" ").split_whitespace().count() > 4
}

#[test]
fn the_walk_sees_scripts_and_sources_and_passes_over_pictures() {
    for name in [
        "dev",
        ".ci/run",
        "libs/a/src/lib.rs",
        "Cargo.lock",
        "deploy/x.yaml",
    ] {
        assert!(is_text(name), "{name}");
    }
    for name in ["docs/picture.png", "LICENSE", "a.gz"] {
        assert!(!is_text(name), "{name}");
    }
}
