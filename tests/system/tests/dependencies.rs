//! Who may depend on whom. The rules are few, and the build itself cannot see that one is broken.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What a crate names in its manifest, tests aside.
struct Crate {
    /// From the root of the tree, such as `libs/domain`.
    folder: String,
    needs: BTreeSet<String>,
    needs_in_tests: BTreeSet<String>,
}

impl Crate {
    fn is_service(&self) -> bool {
        self.folder.starts_with("services/") && self.folder != BINARY
    }
}

/// The one place where services meet.
const BINARY: &str = "services/tierline";

/// Services whose tests need the work of another one: who reads is tested on what is written.
const MEET_IN_TESTS: [(&str, &str); 1] = [("services/query", "services/projector")];

/// What the business may name: values, serialisation, how near two names are, and the traits of
/// event sourcing. No runtime, no network, no database, no clock of the machine, no logging.
const DOMAIN_MAY_NAME: [&str; 13] = [
    "cqrs-es",
    "foldhash",
    "hex",
    "jiff",
    "rust_decimal",
    "schemars",
    "serde",
    "serde-saphyr",
    "serde_json",
    "sha2",
    "strsim",
    "thiserror",
    "uuid",
];

/// Which libraries each library of ours may build on; a lower layer never sees a higher one.
const LAYERS: [(&str, &[&str]); 11] = [
    ("libs/domain", &[]),
    ("libs/telemetry", &[]),
    ("libs/proto", &[]),
    ("libs/runtime", &["libs/telemetry"]),
    ("libs/eventstore", &["libs/domain", "libs/telemetry"]),
    (
        "libs/bus",
        &["libs/domain", "libs/telemetry", "libs/eventstore"],
    ),
    ("libs/readmodel", &["libs/domain", "libs/bus"]),
    (
        "libs/rpc",
        &[
            "libs/domain",
            "libs/telemetry",
            "libs/eventstore",
            "libs/proto",
        ],
    ),
    ("libs/importer", &["libs/domain"]),
    ("libs/testkit", &["libs/domain", "libs/runtime"]),
    (
        "libs/rpc-testkit",
        &["libs/domain", "libs/eventstore", "libs/rpc", "libs/testkit"],
    ),
];

fn crates() -> BTreeMap<String, Crate> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .other_options(vec!["--offline".to_owned()])
        .exec()
        .unwrap();
    let root = metadata.workspace_root.clone();
    let name_of = |kind: fn(DependencyKind) -> bool, package: &cargo_metadata::Package| {
        let needs = package
            .dependencies
            .iter()
            .filter(|dependency| kind(dependency.kind));
        needs.map(|dependency| dependency.name.clone()).collect()
    };
    let one = |package: &cargo_metadata::Package| Crate {
        folder: package
            .manifest_path
            .parent()
            .unwrap()
            .strip_prefix(&root)
            .unwrap()
            .to_string(),
        needs: name_of(|kind| kind != DependencyKind::Development, package),
        needs_in_tests: name_of(|kind| kind == DependencyKind::Development, package),
    };
    let found: BTreeMap<String, Crate> = metadata
        .packages
        .iter()
        .map(|p| (p.name.to_string(), one(p)))
        .collect();
    assert!(found.len() > 10, "only {} crates found", found.len());
    found
}

#[test]
fn the_business_names_nothing_but_values() {
    let crates = crates();
    let domain = &crates["tierline-domain"];
    let foreign: Vec<&String> = domain
        .needs
        .iter()
        .filter(|name| !DOMAIN_MAY_NAME.contains(&name.as_str()))
        .collect();
    assert!(
        foreign.is_empty(),
        "libs/domain must stay pure, and names {foreign:?}"
    );
}

#[test]
fn libraries_build_on_lower_ones_only() {
    let crates = crates();
    let folder = |name: &String| crates.get(name).map(|found| found.folder.clone());
    for krate in crates
        .values()
        .filter(|krate| krate.folder.starts_with("libs/"))
    {
        let allowed = LAYERS.iter().find(|(library, _)| *library == krate.folder);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{} has no layer here", krate.folder));
        for needed in krate.needs.iter().filter_map(folder) {
            assert!(
                allowed.contains(&needed.as_str()),
                "{} builds on {needed}",
                krate.folder
            );
        }
    }
}

#[test]
fn services_meet_in_the_binary_and_nowhere_else() {
    let crates = crates();
    for krate in crates.values().filter(|krate| krate.is_service()) {
        let folders = |names: &BTreeSet<String>| -> Vec<String> {
            names
                .iter()
                .filter_map(|name| crates.get(name))
                .map(|c| c.folder.clone())
                .collect()
        };
        for needed in folders(&krate.needs) {
            assert!(
                needed.starts_with("libs/"),
                "{} depends on {needed}",
                krate.folder
            );
        }
        for needed in folders(&krate.needs_in_tests) {
            let known = MEET_IN_TESTS.contains(&(krate.folder.as_str(), needed.as_str()));
            let fine = known || needed.starts_with("libs/");
            assert!(fine, "tests of {} depend on {needed}", krate.folder);
        }
    }
}

#[test]
fn only_the_store_names_the_storage_of_postgres_es() {
    for krate in crates()
        .values()
        .filter(|krate| krate.folder != "libs/eventstore")
    {
        assert!(
            !krate.needs.contains("postgres-es"),
            "{} names postgres-es",
            krate.folder
        );
        // The business implements the traits; everybody else sees events as the store gives them.
        let names_traits = krate.needs.contains("cqrs-es") && krate.folder != "libs/domain";
        assert!(!names_traits, "{} names cqrs-es", krate.folder);
    }
}

#[test]
fn only_telemetry_names_metrics_and_spans() {
    for krate in crates()
        .values()
        .filter(|krate| krate.folder != "libs/telemetry")
    {
        for name in [
            "metrics",
            "metrics-exporter-prometheus",
            "opentelemetry",
            "opentelemetry_sdk",
            "opentelemetry-otlp",
        ] {
            assert!(!krate.needs.contains(name), "{} names {name}", krate.folder);
        }
    }
}

#[test]
fn what_helps_tests_is_in_no_product() {
    for krate in crates()
        .values()
        .filter(|krate| !krate.folder.starts_with("tests/") && krate.folder != "libs/rpc-testkit")
    {
        for name in [
            "tierline-testkit",
            "tierline-rpc-testkit",
            "proptest",
            "cargo_metadata",
        ] {
            assert!(!krate.needs.contains(name), "{} ships {name}", krate.folder);
        }
    }
}
