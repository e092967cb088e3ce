//! A TCP proxy whose network is as bad as a test wants: slow, narrow, cut in one direction or in
//! both, reset, sliced, or ending after so many bytes.
//!
//! What is changed while connections are open holds for them from the next piece of data on.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Most bytes that are read at once.
const PIECE: usize = 16 * 1024;

/// What the network does to one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Way {
    /// Every piece arrives so much later.
    pub latency: Duration,
    /// Bytes a second, at most.
    pub rate: Option<u64>,
    /// Nothing is taken and nothing arrives; the connections stay open. What was sent meanwhile
    /// arrives when this ends, as with a cable that was pulled and put back.
    pub cut: bool,
    /// What is sent is taken and never arrives.
    pub swallow: bool,
    /// Pieces are no longer than this.
    pub slice: Option<usize>,
    /// After so many bytes of a connection, it is closed.
    pub limit: Option<u64>,
}

/// What the network does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Toxics {
    /// From the client to the server.
    pub up: Way,
    /// From the server to the client.
    pub down: Way,
    /// New connections are reset.
    pub refuse: bool,
}

impl Toxics {
    /// The same in both directions.
    pub fn both(way: Way) -> Self {
        Self {
            up: way,
            down: way,
            refuse: false,
        }
    }
}

struct State {
    target: Mutex<SocketAddr>,
    toxics: watch::Sender<Toxics>,
    /// Cancelled to reset what is open; replaced then.
    open: Mutex<CancellationToken>,
    accepted: AtomicU64,
}

/// A running proxy. Dropping it closes its listener and its connections.
pub struct Proxy {
    port: u16,
    state: Arc<State>,
    stop: CancellationToken,
}

impl Proxy {
    /// Listens on the loopback in front of `target`.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State {
            target: Mutex::new(target),
            toxics: watch::Sender::new(Toxics::default()),
            open: Mutex::new(CancellationToken::new()),
            accepted: AtomicU64::new(0),
        });
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, Arc::clone(&state), stop.clone()));
        Ok(Self { port, state, stop })
    }

    /// In front of a port of this machine.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn to_port(port: u16) -> std::io::Result<Self> {
        Self::start((Ipv4Addr::LOCALHOST, port).into()).await
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what the network does.
    pub fn set(&self, toxics: Toxics) {
        self.state.toxics.send_replace(toxics);
    }

    /// A good network again.
    pub fn heal(&self) {
        self.set(Toxics::default());
    }

    /// New connections go elsewhere from now on, and open ones are reset.
    pub fn switch_to(&self, port: u16) {
        *lock(&self.state.target) = (Ipv4Addr::LOCALHOST, port).into();
        self.reset();
    }

    /// Resets everything that is open.
    pub fn reset(&self) {
        let mut open = lock(&self.state.open);
        open.cancel();
        *open = CancellationToken::new();
    }

    /// Connections that were ever accepted.
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
        self.reset();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, state: Arc<State>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                state.accepted.fetch_add(1, Ordering::Relaxed);
                connections.spawn(connection(client, Arc::clone(&state)));
            }
        }
    }
}

/// One connection, until either side ends it or the proxy resets it.
async fn connection(client: TcpStream, state: Arc<State>) {
    let open = lock(&state.open).clone();
    let target = *lock(&state.target);
    let server = if state.toxics.borrow().refuse {
        None
    } else {
        TcpStream::connect(target).await.ok()
    };
    let Some(server) = server else {
        return abort(&client);
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let reset = {
        let up = flow(&mut from_client, &mut to_server, &state, |toxics| toxics.up);
        let down = flow(&mut from_server, &mut to_client, &state, |toxics| {
            toxics.down
        });
        tokio::select! {
            // One side may end its direction and still listen; the other direction goes on. An end
            // by force is one of both.
            ended = async { tokio::try_join!(up, down) } => ended.is_err(),
            () = open.cancelled() => true,
        }
    };
    if reset {
        abort(to_client.as_ref());
        abort(to_server.as_ref());
        // Dropped as usual they would say an orderly end first.
        to_client.forget();
        to_server.forget();
    }
}

/// The next close of this socket is a reset.
fn abort(stream: &TcpStream) {
    // A socket that is gone already needs none.
    let _ = stream.set_zero_linger();
}

/// A direction ended although its sender had not finished.
struct ByForce;

/// Carries one direction until the sender has finished.
///
/// # Errors
/// When it ended by force.
async fn flow(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    state: &State,
    way: impl Fn(&Toxics) -> Way,
) -> Result<(), ByForce> {
    let mut toxics = state.toxics.subscribe();
    let mut buffer = vec![0; PIECE];
    let mut carried = 0;
    loop {
        let now = way(&toxics.borrow_and_update());
        if now.cut {
            if toxics.changed().await.is_err() {
                return Err(ByForce);
            }
            continue;
        }
        let most = now.slice.unwrap_or(PIECE).clamp(1, PIECE);
        let count = tokio::select! {
            // A piece must not slip through after the network has become worse.
            biased;
            _ = toxics.changed() => continue,
            read = from.read(&mut buffer[..most]) => match read {
                Ok(0) => {
                    let _ = to.shutdown().await;
                    return Ok(());
                }
                Ok(count) => count,
                Err(_) => return Err(ByForce),
            },
        };
        if now.swallow {
            continue;
        }
        let begin = Instant::now();
        sleep(now.latency).await;
        let left = now
            .limit
            .map_or(u64::MAX, |limit| limit.saturating_sub(carried));
        let piece = &buffer[..count.min(usize::try_from(left).unwrap_or(usize::MAX))];
        if to.write_all(piece).await.is_err() {
            return Err(ByForce);
        }
        carried += piece.len() as u64;
        if piece.len() < count || now.limit.is_some_and(|limit| carried >= limit) {
            return Err(ByForce);
        }
        if let Some(rate) = now.rate {
            let takes = Duration::from_secs_f64(count as f64 / rate.max(1) as f64);
            sleep(takes.saturating_sub(begin.elapsed())).await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::ErrorKind;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);
    const A_WHILE: Duration = Duration::from_millis(150);

    /// A server that sends back what it gets, behind a proxy, and a client.
    async fn echo() -> (Proxy, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.into_split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        let proxy = Proxy::start(address).await.unwrap();
        let client = TcpStream::connect(("127.0.0.1", proxy.port())).await;
        (proxy, client.unwrap())
    }

    async fn says(client: &mut TcpStream, text: &str) {
        client.write_all(text.as_bytes()).await.unwrap();
    }

    async fn hears(client: &mut TcpStream, text: &str) {
        let mut heard = vec![0; text.len()];
        timeout(SOON, client.read_exact(&mut heard))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(heard, text.as_bytes());
    }

    async fn hears_nothing(client: &mut TcpStream) {
        let mut byte = [0];
        let heard = timeout(A_WHILE, client.read(&mut byte)).await;
        assert!(heard.is_err(), "{heard:?}");
    }

    async fn is_reset(client: &mut TcpStream) {
        let mut byte = [0];
        let heard = timeout(SOON, client.read(&mut byte)).await.unwrap();
        assert_eq!(heard.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_good_network_carries_both_ways_and_an_end_is_passed_on() {
        let (proxy, mut client) = echo().await;
        says(&mut client, "hello").await;
        hears(&mut client, "hello").await;
        client.shutdown().await.unwrap();
        let mut rest = Vec::new();
        timeout(SOON, client.read_to_end(&mut rest))
            .await
            .unwrap()
            .unwrap();
        assert!(rest.is_empty());
        assert_eq!(proxy.accepted(), 1);
    }

    #[tokio::test]
    async fn what_was_sent_during_a_cut_arrives_when_it_is_healed() {
        let (proxy, mut client) = echo().await;
        says(&mut client, "before").await;
        hears(&mut client, "before").await;
        proxy.set(Toxics::both(Way {
            cut: true,
            ..Way::default()
        }));
        says(&mut client, "during").await;
        hears_nothing(&mut client).await;
        proxy.heal();
        hears(&mut client, "during").await;
    }

    #[tokio::test]
    async fn a_half_open_connection_takes_and_never_answers() {
        let (proxy, mut client) = echo().await;
        let down = Way {
            swallow: true,
            ..Way::default()
        };
        proxy.set(Toxics {
            down,
            ..Toxics::default()
        });
        says(&mut client, "lost").await;
        hears_nothing(&mut client).await;
        proxy.heal();
        says(&mut client, "heard").await;
        hears(&mut client, "heard").await;
    }

    #[tokio::test]
    async fn latency_and_rate_take_their_time() {
        let (proxy, mut client) = echo().await;
        let latency = Duration::from_millis(60);
        proxy.set(Toxics::both(Way {
            latency,
            ..Way::default()
        }));
        let begin = Instant::now();
        says(&mut client, "slow").await;
        hears(&mut client, "slow").await;
        assert!(begin.elapsed() >= latency * 2, "{:?}", begin.elapsed());
        let up = Way {
            rate: Some(1_000),
            slice: Some(50),
            ..Way::default()
        };
        proxy.set(Toxics {
            up,
            ..Toxics::default()
        });
        let (begin, text) = (Instant::now(), "x".repeat(300));
        says(&mut client, &text).await;
        hears(&mut client, &text).await;
        assert!(
            begin.elapsed() >= Duration::from_millis(200),
            "{:?}",
            begin.elapsed()
        );
    }

    #[tokio::test]
    async fn a_limit_ends_the_connection_with_the_byte_it_names() {
        let (proxy, mut client) = echo().await;
        let down = Way {
            limit: Some(3),
            ..Way::default()
        };
        proxy.set(Toxics {
            down,
            ..Toxics::default()
        });
        says(&mut client, "abcdef").await;
        hears(&mut client, "abc").await;
        is_reset(&mut client).await;
    }

    #[tokio::test]
    async fn a_reset_ends_what_is_open_and_refusing_what_comes() {
        let (proxy, mut client) = echo().await;
        says(&mut client, "x").await;
        hears(&mut client, "x").await;
        proxy.reset();
        is_reset(&mut client).await;
        proxy.set(Toxics {
            refuse: true,
            ..Toxics::default()
        });
        let mut refused = TcpStream::connect(("127.0.0.1", proxy.port()))
            .await
            .unwrap();
        is_reset(&mut refused).await;
    }

    #[tokio::test]
    async fn slices_arrive_whole_and_a_switch_leads_elsewhere() {
        let (proxy, mut client) = echo().await;
        proxy.set(Toxics::both(Way {
            slice: Some(2),
            ..Way::default()
        }));
        says(&mut client, "sliced bread").await;
        hears(&mut client, "sliced bread").await;
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        proxy.switch_to(other.local_addr().unwrap().port());
        is_reset(&mut client).await;
        let _moved = TcpStream::connect(("127.0.0.1", proxy.port()))
            .await
            .unwrap();
        timeout(SOON, other.accept()).await.unwrap().unwrap();
    }
}
