//! Long work that answers with a stream: begun apart from the call, ended when the caller goes
//! away, and computed off the threads that serve calls.

use tierline_domain::Rejection;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::fault::Fault;

/// Why long work ended early.
pub(crate) enum Stop {
    /// The caller has gone.
    Gone,
    /// It failed.
    Failed(Fault),
}

impl<E: Into<Fault>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Where answers go.
pub(crate) struct Answers<T>(mpsc::Sender<Result<T, Status>>);

impl<T> Answers<T> {
    /// Sends an answer; waits while the caller is slow.
    pub(crate) async fn tell(&self, answer: T) -> Result<(), Stop> {
        self.0.send(Ok(answer)).await.map_err(|_| Stop::Gone)
    }
}

/// Begins work whose answers are a stream of at most `queue` waiting messages. `held` is let go
/// when the work has ended.
pub(crate) fn streamed<T, H, W>(
    queue: usize,
    held: H,
    work: impl FnOnce(Answers<T>) -> W,
) -> ReceiverStream<Result<T, Status>>
where
    T: Send + 'static,
    H: Send + 'static,
    W: Future<Output = Result<(), Stop>> + Send + 'static,
{
    let (sender, stream) = mpsc::channel(queue);
    let working = work(Answers(sender.clone()));
    tokio::spawn(async move {
        if let Err(Stop::Failed(fault)) = working.await {
            // Nobody may be there any more to hear it.
            sender.send(Err(fault.into())).await.ok();
        }
        drop(held);
    });
    ReceiverStream::new(stream)
}

/// Computes off the threads that serve calls.
pub(crate) async fn off_threads<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Rejection> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| Fault::Status(tierline_rpc::internal(&error)))??)
}
