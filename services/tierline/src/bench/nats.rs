//! The nats-server that is measured: one of our own in a temporary folder.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use sqlx::PgPool;
use tierline_bus::jetstream::{JetStream, JetStreamLog, NatsSettings, Publisher, RELAY};
use tierline_bus::{Consumer, Options, SharedLog, Source};
use tierline_eventstore::LogReader;
use tierline_runtime::nats::{EmbeddedNats, NatsOptions};
use tokio_util::sync::CancellationToken;

use super::run::Run;
use super::world::World;

/// How long the server may take to stop before it is cut off.
const STOP: Duration = Duration::from_secs(30);
/// How long the relay may take to carry everything over.
const PATIENCE: Duration = Duration::from_secs(300);

/// A server with empty streams.
pub struct Nats {
    server: EmbeddedNats,
    folder: PathBuf,
    /// A connection to it.
    pub bus: JetStream,
}

impl Nats {
    /// Starts one, with the nats-server that is found on the PATH.
    ///
    /// # Errors
    /// When there is none, or it does not start.
    pub async fn start(run: &Run<'_>) -> anyhow::Result<Self> {
        let folder = run.server.folder().join("nats");
        let server = EmbeddedNats::start(&folder, &NatsOptions::default())
            .await
            .context("this is measured with a nats-server, which has to be on the PATH")?;
        let bus = JetStream::connect(&settings(&server), "tierline bench").await?;
        let until = tokio::time::Instant::now() + STOP;
        while !bus.is_connected() {
            let late = tokio::time::Instant::now() > until;
            anyhow::ensure!(!late, "nats-server does not take connections");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(Self {
            server,
            folder,
            bus,
        })
    }

    /// How processes reach it.
    pub fn settings(&self) -> NatsSettings {
        settings(&self.server)
    }

    /// The streams as a source of events, healed from the log of `pool`.
    pub fn source(&self, pool: &PgPool) -> Source {
        let log = SharedLog::new(LogReader::new(pool.clone()), None);
        Source::JetStream(Box::new(JetStreamLog::new(self.bus.clone(), log, "bench")))
    }

    /// Carries the whole log of a world into the streams. Returns the seconds that it took.
    ///
    /// # Errors
    /// When the relay fails or is too slow.
    pub async fn relay(&self, world: &World) -> anyhow::Result<f64> {
        let heads = world.heads().await?;
        let pool = tierline_eventstore::connect(&world.database.url, 4).await?;
        let stop = CancellationToken::new();
        let feed = SharedLog::new(LogReader::new(pool.clone()), None).feed();
        let publisher = Publisher::new(self.bus.clone());
        let options = Publisher::options(Options {
            force: true,
            ..Options::default()
        });
        let consumer = Consumer::new(RELAY, pool.clone(), feed, publisher, options);
        let begin = std::time::Instant::now();
        let mut relaying = tokio::spawn(consumer.run(stop.clone()));
        tokio::select! {
            reached = world.until_reached(RELAY, &heads, PATIENCE) => reached?,
            ended = &mut relaying => {
                ended??;
                anyhow::bail!("the relay ended by itself");
            }
        }
        let seconds = begin.elapsed().as_secs_f64();
        stop.cancel();
        relaying.await??;
        pool.close().await;
        Ok(seconds)
    }

    /// Stops it and removes its folder.
    ///
    /// # Errors
    /// When it does not stop or the folder cannot be removed.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.server
            .stop(STOP)
            .await
            .context("nats-server does not stop")?;
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("{} cannot be removed", self.folder.display()))
    }
}

fn settings(server: &EmbeddedNats) -> NatsSettings {
    NatsSettings {
        url: server.url(),
        credentials: None,
        replicas: 1,
    }
}
