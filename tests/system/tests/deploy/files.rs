//! The files below `deploy/` and the pages on operation, held against the program: a target, a
//! configuration key or a gRPC service that one of them lacks or invents is found here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use prost_reflect::DescriptorPool;
use serde_json::Value;
use tierline_runtime::config::{KEYS, OTHER_VARIABLES};
use tierline_runtime::connections::{Budget, PoolSizes};
use tierline_runtime::targets::{Target, Targets};

use crate::installation::{account, root};

pub fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn names(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

fn targets() -> BTreeSet<String> {
    Target::ALL.map(|target| target.name().to_owned()).into()
}

/// Complains about targets that are missing, and about ones that the code does not know.
fn assert_targets(place: &str, found: &BTreeSet<String>) {
    let missing: Vec<_> = targets().difference(found).cloned().collect();
    assert!(missing.is_empty(), "{place} lacks {missing:?}");
    let strange: Vec<_> = found.difference(&targets()).cloned().collect();
    let strange: Vec<_> = strange.iter().collect();
    assert!(
        strange.is_empty(),
        "{place} has {strange:?}, which are no targets"
    );
}

/// All files below a folder.
fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path
            .strip_prefix(root())
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        // What prepare.sh made is nobody's business.
        if path.is_dir() && !name.ends_with("/secrets") {
            walk(&path, found);
        } else if path.is_file() {
            found.push(name);
        }
    }
}

fn deployed() -> Vec<String> {
    let mut found = Vec::new();
    walk(&root().join("deploy"), &mut found);
    walk(&root().join("docs/operations"), &mut found);
    assert!(found.len() > 20, "{found:?}");
    found
}

#[test]
fn every_yaml_and_json_file_can_be_read() {
    let mut seen = 0;
    for name in deployed()
        .iter()
        .filter(|name| !name.contains("/templates/"))
    {
        if name.ends_with(".yaml") || name.ends_with(".yml") {
            assert!(!yaml(name).is_null(), "{name} is empty");
            seen += 1;
        } else if name.ends_with(".json") {
            let read: Result<Value, _> = serde_json::from_str(&read(name));
            assert!(read.is_ok(), "{name}: {read:?}");
            seen += 1;
        }
    }
    assert!(seen >= 8, "only {seen} files");
}

#[test]
fn compose_runs_every_target_under_its_own_account() {
    let compose = yaml("deploy/compose.yaml");
    let services = compose["services"].as_object().unwrap();
    let mut found = BTreeSet::new();
    for (name, service) in services {
        let environment = &service["environment"];
        let Some(target) = environment["TIERLINE_TARGET"].as_str() else {
            continue;
        };
        assert_eq!(name, target);
        assert_eq!(service["image"], services["query"]["image"], "{name}");
        assert_eq!(environment["TIERLINE_MIGRATE_ON_START"], "false", "{name}");
        assert!(
            service["healthcheck"]["test"].to_string().contains("ready"),
            "{name}"
        );
        assert_eq!(service["read_only"], true, "{name}");
        let own = format!("tl_{}.url", name.replace('-', "_"));
        let secrets: Vec<&str> = service["secrets"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let accounts: Vec<_> = secrets
            .iter()
            .filter(|one| one.starts_with("tl_"))
            .collect();
        assert_eq!(accounts, [&own.as_str()], "{name}");
        let url = format!("/run/secrets/{own}");
        assert_eq!(
            environment["TIERLINE_DATABASE_URL_FILE"],
            url.as_str(),
            "{name}"
        );
        found.insert(name.clone());
    }
    assert_targets("deploy/compose.yaml", &found);
    let known = names(&compose["secrets"]);
    for (name, service) in services {
        for secret in service["secrets"].as_array().into_iter().flatten() {
            assert!(known.contains(secret.as_str().unwrap()), "{name}: {secret}");
        }
        for needed in service["depends_on"]
            .as_object()
            .into_iter()
            .flat_map(|all| all.keys())
        {
            assert!(services.contains_key(needed), "{name} depends on {needed}");
        }
        let image = service["image"].as_str().unwrap();
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        assert!(
            !tag.is_empty() && tag != "latest",
            "{name}: {image} has no version"
        );
    }
}

#[test]
fn scripts_and_scrapes_know_every_target() {
    let script = read("deploy/prepare.sh");
    let list = script
        .split_once("\ntargets=(")
        .unwrap()
        .1
        .split_once(')')
        .unwrap()
        .0;
    let found = list
        .split_whitespace()
        .map(|name| name.replace('_', "-"))
        .collect();
    assert_targets("deploy/prepare.sh", &found);
    let prometheus = yaml("deploy/prometheus/prometheus.yml");
    let scraped = prometheus["scrape_configs"][0]["static_configs"]
        .as_array()
        .unwrap();
    let found = scraped.iter().map(|one| {
        let target = one["labels"]["target"].as_str().unwrap();
        assert_eq!(one["targets"][0], format!("{target}:7701"));
        target.to_owned()
    });
    assert_targets("deploy/prometheus/prometheus.yml", &found.collect());
}

#[test]
fn the_chart_knows_every_target_and_every_service() {
    let values = yaml("deploy/helm/tierline/values.yaml");
    assert_targets("values.yaml", &names(&values["targets"]));
    let schema = read("deploy/helm/tierline/values.schema.json");
    assert!(
        !schema.contains("(?"),
        "helm knows no lookahead, and refuses every value for one"
    );
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut described = names(&schema["properties"]);
    described.remove("global");
    assert_eq!(
        names(&values),
        described,
        "values.yaml and its schema differ"
    );
    for part in [
        "image",
        "secrets",
        "migrate",
        "networkPolicy",
        "route",
        "serviceMonitor",
    ] {
        let described = names(&schema["properties"][part]["properties"]);
        assert_eq!(names(&values[part]), described, "{part}");
    }
    let pool = DescriptorPool::decode(tierline_proto::FILE_DESCRIPTOR_SET).unwrap();
    let contract: BTreeSet<String> = pool
        .services()
        .map(|service| service.full_name().to_owned())
        .filter(|name| name.starts_with("tierline."))
        .collect();
    let mut routed = BTreeSet::new();
    for (target, entry) in values["targets"].as_object().unwrap() {
        for service in entry["services"].as_array().unwrap() {
            let service = service.as_str().unwrap().to_owned();
            // API keys are kept by the service that keeps their org.
            let area = match target.as_str() {
                "program" if service.starts_with("tierline.access.") => "access",
                other => other,
            };
            assert!(
                service.starts_with(&format!("tierline.{area}.")),
                "{service} in {target}"
            );
            assert!(routed.insert(service.clone()), "{service} is there twice");
        }
        let for_nats = target == "relay"
            || Target::ALL
                .into_iter()
                .any(|one| one.name() == target && one.follows_the_log());
        assert_eq!(
            entry["nats"], for_nats,
            "{target}: whether it works with NATS"
        );
        let packages = read("deploy/front/nginx.conf");
        let mapped = packages.contains(&format!("~^/tierline\\.{target}\\.v1\\. {target};"));
        assert_eq!(
            mapped,
            entry["services"][0].is_string(),
            "{target} in nginx.conf"
        );
    }
    let missing: Vec<_> = contract.difference(&routed).collect();
    assert!(
        missing.is_empty(),
        "values.yaml routes nothing to {missing:?}"
    );
    let strange: Vec<_> = routed.difference(&contract).collect();
    assert!(strange.is_empty(), "values.yaml invents {strange:?}");
}

/// Variables of ours in a text, and keys that are left to a template.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("TIERLINE_").filter_map(|(start, _)| {
        let rest = &text[start..];
        let end = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_' && !c.is_ascii_digit());
        let name = &rest[..end.unwrap_or(rest.len())];
        (name != "TIERLINE_").then_some(name)
    })
}

#[test]
fn every_variable_is_a_key_of_the_configuration() {
    let mut known: BTreeSet<String> = OTHER_VARIABLES.map(str::to_owned).into();
    for key in &KEYS {
        known.insert(key.variable());
        if key.secret {
            known.insert(format!("{}_FILE", key.variable()));
        }
    }
    let mut count = 0;
    for name in deployed() {
        for variable in variables(&read(&name)) {
            assert!(known.contains(variable), "{name}: {variable} is no key");
            count += 1;
        }
    }
    assert!(count > 30, "only {count} variables");
    let values = yaml("deploy/helm/tierline/values.yaml");
    let mut used = names(&values["config"]);
    for entry in values["targets"].as_object().unwrap().values() {
        used.extend(entry.get("config").map(names).unwrap_or_default());
    }
    for key in used {
        assert!(
            KEYS.iter().any(|one| one.name == key && !one.secret),
            "config.{key}"
        );
    }
}

/// What a template asks of the values is in values.yaml, and its actions are closed.
#[test]
fn templates_ask_for_values_that_there_are() {
    let values = yaml("deploy/helm/tierline/values.yaml");
    let mut files = deployed();
    files.retain(|name| name.contains("/templates/"));
    assert!(files.len() >= 5, "{files:?}");
    let mut asked = 0;
    for name in files {
        let text = read(&name);
        assert_eq!(
            text.matches("{{").count(),
            text.matches("}}").count(),
            "{name}"
        );
        let words = ["if ", "range ", "with ", "define "];
        let opens = |text: &str| {
            let inner = text.trim_start_matches('-').trim_start();
            words.iter().any(|word| inner.starts_with(word))
        };
        let actions: Vec<&str> = text.split("{{").skip(1).collect();
        let opened = actions.iter().filter(|action| opens(action)).count();
        let closed = actions
            .iter()
            .filter(|action| {
                action
                    .trim_start_matches('-')
                    .trim_start()
                    .starts_with("end ")
            })
            .count();
        assert_eq!(opened, closed, "{name}: blocks");
        for rest in text.split(".Values.").skip(1) {
            let path: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "._".contains(*c))
                .collect();
            let pointer = format!("/{}", path.trim_end_matches('.').replace('.', "/"));
            assert!(
                values.pointer(&pointer).is_some(),
                "{name}: {pointer} is no value"
            );
            asked += 1;
        }
    }
    assert!(asked > 20, "only {asked} values");
}

/// Where there is a helm, it has the last word.
#[test]
fn helm_renders_the_chart() {
    let chart = root().join("deploy/helm/tierline");
    let helm = |arguments: &[&str]| {
        let output = Command::new("helm").args(arguments).arg(&chart).output();
        output.ok().map(|output| {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                output.status.success(),
                "helm {arguments:?}: {text}{errors}"
            );
            text
        })
    };
    let settings = [
        "template",
        "tl",
        "--set",
        "secrets.nats=n,route.enabled=true,serviceMonitor.enabled=true",
        // A helm without a cluster takes the Kubernetes of its own day for granted.
        "--kube-version",
        "1.34.0",
    ];
    let Some(text) = helm(&settings) else {
        // The tests above have held the templates against the values without rendering them.
        println!("helm: NOT RUN, it is not on the PATH of this machine");
        return;
    };
    let deployments = text.matches("kind: Deployment").count();
    let values = yaml("deploy/helm/tierline/values.yaml");
    assert_eq!(deployments, names(&values["targets"]).len());
    helm(&["lint", "--strict"]);
}

#[test]
fn the_pages_name_every_target_and_count_its_connections() {
    let page = read("docs/operations/connections.md");
    let mut rows = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        rows.insert(cells[1].trim_matches('`').to_owned(), cells[3].to_owned());
    }
    let all = Target::ALL.map(|target| target.name().to_owned());
    for name in all.into_iter().chain(["all".to_owned()]) {
        let targets: Targets = name.parse().unwrap();
        let total = Budget::new(&targets, PoolSizes::default()).total();
        let found = rows.get(&name).map(String::as_str);
        assert_eq!(
            found,
            Some(total.to_string().as_str()),
            "{name} in connections.md"
        );
    }
    let page = read("docs/operations/deploy.md");
    for target in Target::ALL {
        for name in [target.name().to_owned(), account(target)] {
            assert!(
                page.contains(&format!("`{name}`")),
                "deploy.md does not name {name}"
            );
        }
    }
    let readme = read("deploy/README.md");
    for page in ["deploy", "connections", "backup-and-restore", "shutdown"] {
        assert!(readme.contains(&format!("operations/{page}.md")), "{page}");
        read(&format!("docs/operations/{page}.md"));
    }
}
