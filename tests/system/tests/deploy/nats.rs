//! Three NATS servers with the files that ship: the relay publishes, consumers consume, and nobody
//! can do the other's work.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{AckKind, Context};
use async_nats::{Client, ConnectOptions};
use futures::StreamExt as _;
use tierline_readmodel::PROGRAMS;
use tierline_runtime::targets::{Target, Targets};
use tierline_testkit::{Nats, eventually, eventually_some};

use crate::files::read;

const PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for an answer that must not come. A server says nothing to what it denies.
const DENIED: Duration = Duration::from_millis(700);
/// What prepare.sh makes at random.
const PASSWORD: &str = "0123456789abcdef";

/// The durable consumers of each user: one under the name of the target, and those of consumers
/// that ask for other partitions than the rest.
fn consumers() -> BTreeMap<&'static str, Vec<String>> {
    let of = |target: Target| Targets::from(target).followers();
    BTreeMap::from([
        ("tl_relay", vec![]),
        ("tl_tier_evaluator", vec![of(Target::TierEvaluator)]),
        ("tl_enrollment", vec![of(Target::Enrollment)]),
        (
            "tl_projector",
            vec![of(Target::Projector), PROGRAMS.to_string()],
        ),
    ])
}

#[test]
fn every_durable_consumer_is_in_the_file_and_no_other() {
    let text = read("deploy/nats/accounts.conf");
    let users: Vec<&str> = text.split("user: tl_").skip(1).collect();
    assert_eq!(users.len(), consumers().len());
    for (user, ids) in consumers() {
        let name = user.trim_start_matches("tl_");
        let part = users
            .iter()
            .find(|part| part.starts_with(&format!("{name}\n")));
        let part = part.unwrap_or_else(|| panic!("{user} is missing"));
        let found: BTreeSet<&str> = part
            .split("$JS.ACK.*.")
            .skip(1)
            .map(|rest| rest.split('.').next().unwrap())
            .collect();
        assert_eq!(found, ids.iter().map(String::as_str).collect(), "{user}");
        for id in &ids {
            for verb in ["CREATE", "DURABLE.CREATE", "INFO", "MSG.NEXT"] {
                let line = format!("\"$JS.API.CONSUMER.{verb}.*.{id}\"");
                assert!(part.contains(&line), "{user}: {line}");
            }
        }
        let publishes = part.contains("\"tl.events.>\"");
        assert_eq!(publishes, user == "tl_relay", "{user}");
    }
}

/// Three servers on the loopback. Dropping them kills them.
struct Servers {
    children: Vec<Child>,
    ports: Vec<u16>,
    folder: tempfile::TempDir,
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            // Already ended is fine as well.
            child.kill().ok();
            child.wait().ok();
        }
    }
}

fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    held.iter()
        .map(|one| one.local_addr().unwrap().port())
        .collect()
}

impl Servers {
    fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = free_ports(9);
        fs::write(folder.path().join("passwords.conf"), passwords(&ports)).unwrap();
        let accounts = read("deploy/nats/accounts.conf");
        fs::write(folder.path().join("accounts.conf"), accounts).unwrap();
        let children = (0..3)
            .map(|node| launch(program, folder.path(), &ports, node))
            .collect();
        Self {
            children,
            ports,
            folder,
        }
    }

    fn log(&self) -> String {
        let read = |node| fs::read_to_string(self.folder.path().join(format!("{node}.log")));
        (0..3).filter_map(|node| read(node).ok()).collect()
    }

    async fn connect(&self, user: &str, password: &str) -> Result<Client, String> {
        let options = ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
        let address = format!("127.0.0.1:{}", self.ports[0]);
        options
            .connect(address)
            .await
            .map_err(|error| error.to_string())
    }

    async fn context(&self, user: &str, patience: Duration) -> Context {
        let client = self.connect(user, PASSWORD).await.unwrap();
        ContextBuilder::new().timeout(patience).build(client)
    }
}

fn passwords(ports: &[u16]) -> String {
    let mut text = String::new();
    for name in [
        "relay",
        "tier_evaluator",
        "enrollment",
        "projector",
        "admin",
        "cluster",
    ] {
        text.push_str(&format!("{name}_password: \"{PASSWORD}\"\n"));
    }
    let route = |port: &u16| format!("\"nats://cluster:{PASSWORD}@127.0.0.1:{port}\"");
    let routes: Vec<String> = ports[3..6].iter().map(route).collect();
    format!("{text}cluster_routes: [{}]\n", routes.join(", "))
}

/// A node with the file that ships; only its ports are others.
fn launch(program: &Path, folder: &Path, ports: &[u16], node: usize) -> Child {
    let mut text = read("deploy/nats/node.conf");
    for (shipped, port) in [("4222", node), ("6222", 3 + node), ("8222", 6 + node)] {
        let from = format!("\"0.0.0.0:{shipped}\"");
        assert!(
            text.contains(&from),
            "node.conf does not listen on {shipped}"
        );
        text = text.replace(&from, &format!("\"127.0.0.1:{}\"", ports[port]));
    }
    let file: PathBuf = folder.join(format!("{node}.conf"));
    fs::write(&file, text).unwrap();
    let log = fs::File::create(folder.join(format!("{node}.log"))).unwrap();
    Command::new(program)
        .arg("-c")
        .arg(file)
        .env("NATS_NAME", format!("nats-{node}"))
        .env("NATS_STORE", folder.join(format!("store-{node}")))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn stream_config() -> Config {
    Config {
        name: "tl-events-00".to_owned(),
        subjects: vec!["tl.events.00.>".to_owned()],
        storage: StorageType::File,
        num_replicas: 3,
        ..Config::default()
    }
}

fn consumer(id: &str) -> pull::Config {
    pull::Config {
        durable_name: Some(id.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ..pull::Config::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_relay_publishes_and_each_consumer_keeps_to_its_own() {
    for program in Nats::programs() {
        let servers = Servers::start(&program);
        eventually(PATIENCE, "the servers take connections", async || {
            servers.connect("tl_relay", PASSWORD).await.is_ok()
        })
        .await;
        the_relay_works(&servers).await;
        consumers_work(&servers).await;
        nobody_does_the_work_of_another(&servers).await;
        strangers_stay_out(&servers).await;
    }
}

async fn the_relay_works(servers: &Servers) {
    let relay = servers.context("tl_relay", Duration::from_secs(3)).await;
    // A cluster has no stream before it has chosen a leader.
    eventually(
        PATIENCE,
        &format!("a stream on three nodes {}", servers.log()),
        async || relay.get_or_create_stream(stream_config()).await.is_ok(),
    )
    .await;
    for _ in 0..3 {
        publish(&relay).await.unwrap();
    }
    let mut stream = relay.get_stream("tl-events-00").await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, 3);
    let message = stream.get_raw_message(1).await.unwrap();
    assert_eq!(message.subject.as_str(), "tl.events.00.deal.DealWon");
}

async fn publish(context: &Context) -> Result<(), String> {
    let sent = context
        .publish("tl.events.00.deal.DealWon", "{}".into())
        .await;
    let acknowledged = sent.map_err(|error| error.to_string())?.await;
    acknowledged.map(|_| ()).map_err(|error| error.to_string())
}

async fn consumers_work(servers: &Servers) {
    for (user, ids) in consumers() {
        let context = servers.context(user, Duration::from_secs(3)).await;
        for id in ids {
            let stream = context.get_stream_no_info("tl-events-00").await.unwrap();
            let made = eventually_some(PATIENCE, &format!("{user} makes {id}"), async || {
                stream.get_or_create_consumer(&id, consumer(&id)).await.ok()
            })
            .await;
            // A consumer that has just been made may have no leader yet, and nobody answers for it.
            let message = eventually_some(PATIENCE, &format!("{id} has a message"), async || {
                let mut messages = made.messages().await.ok()?;
                let next = tokio::time::timeout(PATIENCE, messages.next()).await;
                next.ok()??.ok()
            })
            .await;
            message.ack_with(AckKind::Ack).await.unwrap();
            eventually(PATIENCE, "the acknowledgement arrives", async || {
                let mut made = made.clone();
                let info = made.info().await;
                info.is_ok_and(|info| info.ack_floor.stream_sequence >= 1)
            })
            .await;
        }
    }
}

async fn nobody_does_the_work_of_another(servers: &Servers) {
    let relay = servers.context("tl_relay", Duration::from_secs(3)).await;
    for (user, ids) in consumers() {
        let denied = servers.context(user, DENIED).await;
        let others = consumers();
        let foreign = others.values().flatten().filter(|id| !ids.contains(id));
        let stream = denied.get_stream_no_info("tl-events-00").await.unwrap();
        for id in foreign {
            let (got, made, removed) = tokio::join!(
                stream.get_consumer::<pull::Config>(id),
                stream.create_consumer(consumer(id)),
                stream.delete_consumer(id),
            );
            assert!(got.is_err(), "{user} sees the consumer {id}");
            assert!(made.is_err(), "{user} made the consumer {id}");
            assert!(removed.is_err(), "{user} removed the consumer {id}");
        }
        if user == "tl_relay" {
            continue;
        }
        assert!(publish(&denied).await.is_err(), "{user} published");
        assert!(
            denied.delete_stream("tl-events-00").await.is_err(),
            "{user} removed a stream"
        );
        assert!(
            denied.create_stream(stream_config()).await.is_err(),
            "{user} made a stream"
        );
        assert!(stream.purge().await.is_err(), "{user} emptied a stream");
        assert!(
            stream.get_raw_message(1).await.is_err(),
            "{user} read past its consumer"
        );
    }
    let mut stream = relay.get_stream("tl-events-00").await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, 3);
}

async fn strangers_stay_out(servers: &Servers) {
    for (user, password) in [
        ("tl_query", PASSWORD),
        ("tl_partner", PASSWORD),
        ("tl_relay", "wrong"),
        ("", ""),
    ] {
        let error = servers.connect(user, password).await.err();
        let error = error.unwrap_or_else(|| panic!("`{user}` was let in"));
        assert!(
            error.contains("authorization violation"),
            "`{user}`: {error}"
        );
    }
}
