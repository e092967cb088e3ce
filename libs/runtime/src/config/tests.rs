//! What wins, what is refused, and what is shown.

use std::fs;

use super::*;

fn inputs(flags: &[(&str, &str)], environment: &[(&str, &str)]) -> Inputs {
    let own = |pair: &(&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
    let home = [("HOME".to_owned(), "/home/a".to_owned())];
    Inputs {
        flags: flags.iter().map(own).collect(),
        environment: environment.iter().map(own).chain(home).collect(),
        file: None,
    }
}

fn problems(inputs: &Inputs) -> String {
    Config::load(inputs).unwrap_err().to_string()
}

#[test]
fn without_any_source_everything_has_a_value() {
    let config = Config::load(&inputs(&[], &[])).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:7700");
    assert_eq!(config.target, Targets::all());
    assert_eq!(config.pools, PoolSizes::default());
    assert!(config.database_url.is_none());
    assert_eq!(config.effective().len(), KEYS.len());
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tierline.toml");
    fs::write(
        &file,
        "log_level = \"warn\"\ncommand_connections = 3\nquery_connections = 3\n\
         allow_insecure_listen = false\n",
    )
    .unwrap();
    let mut inputs = inputs(
        &[("log_level", "trace")],
        &[
            ("TIERLINE_LOG_LEVEL", "debug"),
            ("TIERLINE_QUERY_CONNECTIONS", "5"),
        ],
    );
    inputs.file = Some(file);
    let config = Config::load(&inputs).unwrap();
    assert_eq!(config.log_level, "trace");
    assert_eq!((config.pools.queries, config.pools.commands), (5, 3));
    let sources: Vec<String> = [
        "log_level",
        "query_connections",
        "command_connections",
        "target",
    ]
    .iter()
    .map(|name| {
        let shown = config
            .effective()
            .iter()
            .find(|shown| shown.key.name == *name)
            .unwrap();
        shown.source.to_string()
    })
    .collect();
    assert_eq!(sources[0], "flag --log-level");
    assert_eq!(sources[1], "variable TIERLINE_QUERY_CONNECTIONS");
    assert!(sources[2].starts_with("file "), "{sources:?}");
    assert_eq!(sources[3], "default");
}

#[test]
fn unknown_names_are_refused_in_every_source_and_all_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tierline.toml");
    fs::write(&file, "lisen = \"127.0.0.1:1\"\n[tls]\ncert = \"x\"\n").unwrap();
    let mut inputs = inputs(&[("log_levle", "info")], &[("TIERLINE_DATADIR", "/x")]);
    inputs.file = Some(file);
    let text = problems(&inputs);
    for part in [
        "lisen in",
        "did you mean listen?",
        "tls in",
        "TIERLINE_DATADIR in the environment",
        "did you mean TIERLINE_DATA_DIR?",
        "--log-levle in the command line",
        "did you mean --log-level?",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
fn variables_of_tests_clients_and_kubernetes_are_not_mistaken_for_ours() {
    let mut all: Vec<(&str, &str)> = OTHER_VARIABLES[1..]
        .iter()
        .map(|name| (*name, "x"))
        .collect();
    all.extend([
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
        ("TIERLINE_PORT_7700_TCP", "tcp://10.0.0.2:7700"),
        ("TIERLINE_SERVICE_HOST", "10.0.0.2"),
    ]);
    Config::load(&inputs(&[], &all)).unwrap();
    assert!(problems(&inputs(&[], &[("TIERLINE_PORT", "1")])).contains("TIERLINE_PORT"));
}

#[test]
fn every_value_that_cannot_be_read_is_named_with_what_is_allowed() {
    let text = problems(&inputs(
        &[
            ("listen", "localhost"),
            ("target", "projecter"),
            ("query_connections", "0"),
        ],
        &[
            ("TIERLINE_LOG_FORMAT", "xml"),
            ("TIERLINE_SHUTDOWN_SECONDS", "soon"),
        ],
    ));
    for part in [
        "listen = localhost (flag --listen): write an IP address and a port",
        "there is no target `projecter`",
        "query_connections = 0 (flag --query-connections): write a whole number from 1 to 500",
        "allowed are human and json",
        "shutdown_seconds = soon (variable TIERLINE_SHUTDOWN_SECONDS)",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
fn an_address_that_others_can_reach_needs_a_word_first() {
    for name in ["listen", "admin_listen"] {
        let text = problems(&inputs(&[(name, "0.0.0.0:7700")], &[]));
        assert!(text.contains("--allow-insecure-listen"), "{text}");
        let allowed = inputs(
            &[(name, "[::]:7700"), ("allow_insecure_listen", "true")],
            &[],
        );
        Config::load(&allowed).unwrap();
        Config::load(&inputs(&[(name, "[::1]:7700")], &[])).unwrap();
    }
}

#[test]
fn a_secret_comes_from_a_file_too_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    fs::write(&file, "postgres://a:canary@h/d\n").unwrap();
    let path = file.to_str().unwrap();
    let config = Config::load(&inputs(&[], &[("TIERLINE_DATABASE_URL_FILE", path)])).unwrap();
    assert_eq!(
        config.database_url.as_ref().unwrap().expose(),
        "postgres://a:canary@h/d"
    );
    let shown = format!("{config:?}{}", config.explain("database_url").unwrap());
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains("TIERLINE_DATABASE_URL_FILE"), "{shown}");

    let both = [
        ("TIERLINE_DATABASE_URL_FILE", path),
        ("TIERLINE_DATABASE_URL", "postgres://b"),
    ];
    assert!(problems(&inputs(&[], &both)).contains("keep one"));
    let wrong = problems(&inputs(
        &[],
        &[("TIERLINE_DATABASE_URL", "mysql://a:canary@h")],
    ));
    assert!(
        !wrong.contains("canary") && wrong.contains("postgres://"),
        "{wrong}"
    );
    let absent = problems(&inputs(&[], &[("TIERLINE_DATABASE_URL_FILE", "/no/such")]));
    assert!(absent.contains("/no/such"), "{absent}");
    // Only secrets have the second form.
    assert!(problems(&inputs(&[], &[("TIERLINE_LISTEN_FILE", path)])).contains("LISTEN_FILE"));
}

#[test]
fn a_key_is_explained_under_each_of_its_spellings() {
    let config = Config::load(&inputs(&[("listen", "127.0.0.1:9")], &[])).unwrap();
    let text = config.explain("listen").unwrap();
    for part in [
        "gRPC",
        "127.0.0.1:7700",
        "127.0.0.1:9",
        "flag --listen",
        "TIERLINE_LISTEN",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    assert_eq!(config.explain("--listen").unwrap(), text);
    assert_eq!(config.explain("TIERLINE_LISTEN").unwrap(), text);
    assert!(
        config
            .explain("lisen")
            .unwrap_err()
            .contains("did you mean listen?")
    );
}

#[test]
fn a_file_that_is_missing_or_broken_is_named_with_its_line() {
    let mut missing = inputs(&[], &[("TIERLINE_CONFIG", "/no/such.toml")]);
    assert!(problems(&missing).contains("/no/such.toml"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tierline.toml");
    fs::write(&file, "log_level = \"info\"\nlisten = \n").unwrap();
    missing.file = Some(file);
    let text = problems(&missing);
    assert!(text.contains("line 2"), "{text}");
}

#[test]
fn the_receiver_of_traces_is_also_known_by_its_common_names() {
    let none = Config::load(&inputs(&[], &[])).unwrap();
    assert_eq!((none.otlp_endpoint, none.trace_sample_ratio), (None, 1.0));
    let common = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.05"),
        ("OTEL_SERVICE_NAME", "ours"),
    ];
    let config = Config::load(&inputs(&[], &common)).unwrap();
    assert_eq!(
        config.otlp_endpoint.as_deref(),
        Some("http://collector:4317")
    );
    assert_eq!(config.trace_sample_ratio, 0.05);
    let explained = config.explain("otlp_endpoint").unwrap();
    assert!(
        explained.contains("source:   variable OTEL_EXPORTER_OTLP_ENDPOINT"),
        "{explained}"
    );
    let own = [common[0], ("TIERLINE_OTLP_ENDPOINT", "https://own:4317")];
    let config = Config::load(&inputs(&[], &own)).unwrap();
    assert_eq!(config.otlp_endpoint.as_deref(), Some("https://own:4317"));
    let wrong = [
        ("TIERLINE_OTLP_ENDPOINT", "http://user:secret@own:4317"),
        ("TIERLINE_TRACE_SAMPLE_RATIO", "1.5"),
    ];
    let text = problems(&inputs(&[], &wrong));
    for part in [
        "otlp_endpoint",
        "without a user",
        "trace_sample_ratio",
        "from 0 to 1",
    ] {
        assert!(text.contains(part), "{text}");
    }
}
