//! Pages point to what there is: their links, their headings, and the paths that they name.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::tidy::{SourceFile, files, root};

/// Folders whose files pages name by their path.
const FOLDERS: [&str; 9] = [
    "libs/",
    "services/",
    "tests/",
    "deploy/",
    "docs/",
    "proto/",
    "programs/",
    "mappings/",
    "forms/",
];
/// Named as the next one to be written, by the page that says how.
const TO_BE: [&str; 1] = ["libs/domain/tests/golden/tierline.activity.v1.DealPaused/1.0.json"];

fn pages() -> Vec<SourceFile> {
    let mut pages = files();
    pages.retain(|file| file.name.ends_with(".md"));
    assert!(pages.len() > 20, "only {} pages", pages.len());
    pages
}

/// A page without its examples: in them brackets and paths mean something else.
fn prose(text: &str) -> String {
    let parts = text.split("```");
    parts.step_by(2).collect::<Vec<_>>().concat()
}

/// The names under which the headings of a page are linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// A path without its `..`.
fn straight(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                found.pop();
            }
            part => found.push(part),
        }
    }
    found
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let (root, mut wrong, mut looked) = (root(), Vec::new(), 0);
    for page in pages() {
        let text = prose(&page.text);
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'));
        for (target, _) in targets.filter(|(target, _)| !target.contains("://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let here = Path::new(&page.name);
            let name = match path {
                "" => here.to_owned(),
                path => straight(&here.parent().unwrap().join(path)),
            };
            let there = root.join(&name);
            let known = || {
                let text = std::fs::read_to_string(&there).unwrap_or_default();
                anchors(&text).contains(anchor)
            };
            if !there.exists() || (!anchor.is_empty() && !known()) {
                wrong.push(format!("{}: {target}", page.name));
            }
            looked += 1;
        }
    }
    assert!(looked > 50, "only {looked} links");
    assert!(wrong.is_empty(), "lead nowhere: {wrong:#?}");
}

#[test]
fn every_path_that_a_page_names_is_there() {
    let (root, mut wrong, mut looked) = (root(), Vec::new(), 0);
    for page in pages() {
        for named in prose(&page.text).split('`').skip(1).step_by(2) {
            let is_path = FOLDERS.iter().any(|folder| named.starts_with(folder))
                && !named.contains(['*', '<', ' ', '{']);
            if is_path && !TO_BE.contains(&named) {
                if !root.join(named).exists() {
                    wrong.push(format!("{}: {named}", page.name));
                }
                looked += 1;
            }
        }
    }
    assert!(looked > 50, "only {looked} paths");
    assert!(wrong.is_empty(), "are not there: {wrong:#?}");
}
