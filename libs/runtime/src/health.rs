//! The admin listener: is the process alive, is it ready, and its numbers.
//!
//! It belongs on an address that only operators reach; nothing on it asks who is calling.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use futures::future::BoxFuture;
use tierline_telemetry::MetricsHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How often the memory of the numbers is folded.
const UPKEEP: Duration = Duration::from_secs(5);
/// Longest time that one probe may take.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);

type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

#[derive(Default)]
struct Checks {
    states: BTreeMap<&'static str, Result<(), String>>,
    probes: BTreeMap<&'static str, Probe>,
    draining: bool,
}

/// Whether this process should be sent work: every named check holds, and it is not going down.
#[derive(Clone, Default)]
pub struct Readiness {
    checks: Arc<Mutex<Checks>>,
}

/// One named condition of readiness. It starts as not ready.
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    readiness: Readiness,
}

impl Check {
    /// The condition holds.
    pub fn ready(&self) {
        self.readiness.lock().states.insert(self.name, Ok(()));
    }

    /// The condition does not hold, and why.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.readiness
            .lock()
            .states
            .insert(self.name, Err(reason.into()));
    }
}

impl Readiness {
    /// Nothing to wait for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition that its owner reports.
    pub fn check(&self, name: &'static str) -> Check {
        let check = Check {
            name,
            readiness: self.clone(),
        };
        check.not_ready("starting");
        check
    }

    /// Adds a condition that is looked at when somebody asks, within two seconds.
    pub fn probe<F>(&self, name: &'static str, look: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.lock()
            .probes
            .insert(name, Arc::new(move || Box::pin(look())));
    }

    /// From now on the process is not ready, whatever the checks say.
    pub fn drain(&self) {
        self.lock().draining = true;
    }

    /// Every check with its answer, and whether all of them hold.
    pub async fn report(&self) -> (bool, Vec<(&'static str, Result<(), String>)>) {
        let (mut answers, probes) = {
            let checks = self.lock();
            let mut answers: Vec<_> = checks.states.clone().into_iter().collect();
            if checks.draining {
                answers.push(("process", Err("shutting down".to_owned())));
            }
            (answers, checks.probes.clone())
        };
        for (name, probe) in probes {
            let answer = tokio::time::timeout(PROBE_DEADLINE, probe()).await;
            answers.push((name, answer.unwrap_or_else(|_| Err("no answer".to_owned()))));
        }
        (answers.iter().all(|(_, answer)| answer.is_ok()), answers)
    }

    fn lock(&self) -> MutexGuard<'_, Checks> {
        // Every change is a single insert, so a panic elsewhere leaves nothing half done.
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone)]
struct Admin {
    readiness: Readiness,
    metrics: MetricsHandle,
}

/// Answers `/livez`, `/readyz` and `/metrics` until `stop` is cancelled.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    metrics: MetricsHandle,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let upkeep = keep_up(metrics.clone(), stop.clone());
    let router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render))
        .with_state(Admin { readiness, metrics });
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    let (served, ()) = tokio::join!(server, upkeep);
    served
}

async fn keep_up(metrics: MetricsHandle, stop: CancellationToken) {
    while tokio::time::timeout(UPKEEP, stop.cancelled())
        .await
        .is_err()
    {
        metrics.upkeep();
    }
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    let (ready, answers) = admin.readiness.report().await;
    let mut text = String::new();
    for (name, answer) in answers {
        // Writing to a String cannot fail.
        let _ = match answer {
            Ok(()) => writeln!(text, "ok  {name}"),
            Err(reason) => writeln!(text, "NOT {name}: {reason}"),
        };
    }
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    text.push_str(if ready { "ready\n" } else { "not ready\n" });
    (status, text)
}

async fn render(State(admin): State<Admin>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        admin.metrics.render(),
    )
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tierline_telemetry::install_metrics;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn ready_means_that_every_check_holds_and_nobody_is_leaving() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (readiness, stop) = (Readiness::new(), CancellationToken::new());
        let server = serve(listener, readiness.clone(), install_metrics(), stop.clone());
        let server = tokio::spawn(server);

        assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        let check = readiness.check("projector");
        let text = get(address, "/readyz").await;
        assert!(text.starts_with("HTTP/1.1 503"), "{text}");
        assert!(text.contains("NOT projector: starting"), "{text}");
        check.ready();
        readiness.probe("database", async || Ok(()));
        let text = get(address, "/readyz").await;
        assert!(
            text.starts_with("HTTP/1.1 200") && text.contains("ok  database"),
            "{text}"
        );
        readiness.probe("database", async || Err("gone".to_owned()));
        assert!(get(address, "/readyz").await.contains("NOT database: gone"));
        readiness.probe("database", async || Ok(()));
        readiness.drain();
        assert!(get(address, "/readyz").await.contains("shutting down"));
        assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));

        stop.cancel();
        tokio::time::timeout(Duration::from_secs(5), server)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    #[tokio::test]
    async fn the_numbers_are_shown_in_the_format_of_prometheus() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let metrics = install_metrics();
        tokio::spawn(serve(listener, Readiness::new(), metrics, stop.clone()));
        tierline_telemetry::metrics::sequencer_numbered(2);
        let text = get(address, "/metrics").await;
        assert!(text.contains("text/plain; version=0.0.4"), "{text}");
        assert!(text.contains("tierline_sequencer_numbered_total"), "{text}");
        stop.cancel();
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_hangs_counts_as_not_ready() {
        let readiness = Readiness::new();
        readiness.probe("database", std::future::pending::<Result<(), String>>);
        let (ready, answers) = readiness.report().await;
        assert!(!ready);
        assert_eq!(answers, vec![("database", Err("no answer".to_owned()))]);
    }
}
