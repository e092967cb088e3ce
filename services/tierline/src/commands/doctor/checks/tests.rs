use std::path::PathBuf;

use super::*;
use crate::commands::doctor::gather::Lag;
use tierline_runtime::connections::Limits;
use tierline_runtime::data_dir::Space;

fn facts() -> DatabaseFacts {
    DatabaseFacts {
        version: "15.8".into(),
        version_number: 150_008,
        account: "tl_migrate".into(),
        superuser: false,
        limits: Limits {
            max_connections: 60,
            reserved: 3,
            others: 20,
        },
        skew_ms: 2,
        skew_error_ms: 1,
        oldest_transaction_ms: 10,
        migrations: Some(5),
        log: Some(LogState::default()),
    }
}

fn healthy() -> Found {
    Found {
        misconfigured: None,
        folder: Some(Folder {
            path: PathBuf::from("/data"),
            exists: true,
            space: Some(Ok(Space {
                free: 50 * GIB,
                total: 100 * GIB,
            })),
        }),
        database: Some(Ok(facts())),
        embedded: true,
        server: Some(Ok(Server {
            serving: true,
            state: Some(Ok(ServerState {
                version: env!("CARGO_PKG_VERSION").into(),
                ..Default::default()
            })),
        })),
    }
}

fn worst(found: &Found) -> Level {
    judge(found).iter().map(|check| check.level).max().unwrap()
}

fn level(found: &Found, name: &str) -> Level {
    judge(found)
        .into_iter()
        .find(|check| check.name == name)
        .unwrap()
        .level
}

#[test]
fn a_healthy_system_has_no_advice_but_to_keep_backups() {
    let checks = judge(&healthy());
    let advised: Vec<_> = checks
        .iter()
        .filter(|check| !check.advice.is_empty())
        .collect();
    assert_eq!(advised.len(), 1, "{advised:?}");
    assert_eq!(advised[0].name, "last backup");
    assert_eq!(worst(&healthy()).exit_code(), 0);
}

#[test]
fn a_server_that_is_down_fails_and_says_how_to_start_one() {
    let mut found = healthy();
    found.server = Some(Err("nobody answers at http://127.0.0.1:7700".into()));
    let checks = judge(&found);
    let server = checks.iter().find(|check| check.name == "server").unwrap();
    assert!(server.advice.contains("tierline up"));
    assert_eq!(worst(&found).exit_code(), 2);
    assert!(
        checks.iter().any(|check| check.name == "disk"),
        "local checks go on"
    );
    assert!(
        checks.iter().any(|check| check.name == "sequencer"),
        "from the database"
    );
}

#[test]
fn little_room_warns_and_none_fails() {
    for (free, expected) in [(3 * GIB, Level::Warn), (100 * MIB, Level::Fail)] {
        let mut found = healthy();
        let space = Space { free, total: GIB };
        found.folder.as_mut().unwrap().space = Some(Ok(space));
        assert_eq!(level(&found, "disk"), expected);
    }
}

#[test]
fn a_superuser_is_right_in_the_database_of_up_and_wrong_in_any_other() {
    let mut found = healthy();
    assert_eq!(level(&found, "account"), Level::Ok);
    let mut database = facts();
    database.superuser = true;
    found.database = Some(Ok(database));
    assert_eq!(level(&found, "account"), Level::Ok);
    found.embedded = false;
    assert_eq!(level(&found, "account"), Level::Warn);
}

#[test]
fn numbers_beyond_their_bounds_are_noticed() {
    let mut found = healthy();
    let mut database = facts();
    database.limits.others = 55;
    database.skew_ms = -40_000;
    database.oldest_transaction_ms = 61_000;
    database.version_number = 140_000;
    database.migrations = None;
    found.database = Some(Ok(database));
    assert_eq!(level(&found, "connections"), Level::Fail);
    assert_eq!(level(&found, "clock"), Level::Fail);
    assert_eq!(level(&found, "transactions"), Level::Warn);
    assert_eq!(level(&found, "postgresql"), Level::Fail);
    assert_eq!(level(&found, "schema"), Level::Fail);
}

#[test]
fn a_consumer_that_nobody_works_on_warns_only_while_a_server_runs() {
    let log = LogState {
        head: 10,
        consumers: vec![Lag {
            consumer: "projector-partners-v1".into(),
            events: 20_000,
            parked: 0,
            idle: 16,
        }],
        ..Default::default()
    };
    let of = |running| lag_checks(&log, running, "")[1].level;
    assert_eq!(of(true), Level::Warn);
    assert_eq!(of(false), Level::Info);
}

#[test]
fn parked_events_warn_with_an_example() {
    let log = LogState {
        consumers: vec![Lag {
            parked: 2,
            ..Default::default()
        }],
        ..Default::default()
    };
    let checks = lag_checks(&log, true, " (such as x)");
    let parked = checks.last().unwrap();
    assert_eq!(parked.level, Level::Warn);
    assert_eq!(parked.text, "2 events set aside (such as x)");
}

#[test]
fn a_configuration_that_cannot_be_read_is_the_only_finding() {
    let found = Found {
        misconfigured: Some("no\ngood".into()),
        ..Default::default()
    };
    assert_eq!(judge(&found).len(), 2);
    assert_eq!(worst(&found).exit_code(), 2);
}

#[test]
fn a_problem_with_causes_takes_one_line() {
    let problem = "nobody answers\n  because: transport error\n  because: refused";
    assert_eq!(
        one_line(problem),
        "nobody answers: transport error: refused"
    );
}

#[test]
fn sizes_and_durations_are_readable() {
    assert_eq!(bytes(GIB + GIB / 2), "1.5 GiB");
    assert_eq!(bytes(5 * MIB), "5 MiB");
    assert_eq!(duration(900), "900 ms");
    assert_eq!(duration(90_000), "90 s");
    assert_eq!(duration(600_000), "10 min");
    assert_eq!(duration(7_200_000), "2 h");
}
