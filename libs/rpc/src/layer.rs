//! The gate in front of every service: token, role, then the call. The body of a refused call is
//! never read. Also counts every call, and begins its trace.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tierline_telemetry::metrics::grpc_answered;
use tierline_telemetry::trace::{self, Span};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::access::{Access, access};
use crate::auth::Verifier;
use crate::caller::Caller;
use crate::status;

/// The full name of the method of a call, put into its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method(pub &'static str);

/// Lets only verified callers with a suitable role through, and tells the services who they are:
/// `Arc<Caller>` and [`Method`] are in the extensions of the request.
#[derive(Clone)]
pub struct AuthLayer {
    verifier: Arc<Verifier>,
}

impl AuthLayer {
    /// A gate that believes the verifier.
    pub fn new(verifier: Arc<Verifier>) -> Self {
        Self { verifier }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService {
            inner,
            verifier: self.verifier.clone(),
        }
    }
}

/// A service behind the gate.
#[derive(Clone)]
pub struct AuthService<S> {
    inner: S,
    verifier: Arc<Verifier>,
}

impl<S, B> Service<Request<B>> for AuthService<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let start = Instant::now();
        let (method, verdict) = admit(&self.verifier, request.uri().path(), request.headers());
        match verdict {
            Ok(caller) => {
                if let Some(caller) = caller {
                    request.extensions_mut().insert(caller);
                }
                request.extensions_mut().insert(Method(method));
                let span = trace::server_call(method, traceparent(request.headers()));
                let entered = span.enter();
                let answer = self.inner.call(request);
                drop(entered);
                Box::pin(async move {
                    let answer = span.run(answer).await?;
                    Ok(counted(answer, method, start, span))
                })
            }
            Err(refusal) => {
                let code = name_of(refusal.code());
                // Whoever is refused does not decide that a trace is kept.
                trace::server_call(method, None).answered(code);
                grpc_answered(method, code, start.elapsed());
                Box::pin(async move { Ok(refusal.into_http()) })
            }
        }
    }
}

fn traceparent(headers: &HeaderMap) -> Option<&str> {
    headers.get("traceparent")?.to_str().ok()
}

/// The name to count a call under, and whether it may go on: as whom, or why not.
fn admit(
    verifier: &Verifier,
    path: &str,
    headers: &HeaderMap,
) -> (&'static str, Result<Option<Arc<Caller>>, Box<Status>>) {
    let row = access(path);
    if let Access::Public(service) = row {
        return (service, Ok(None));
    }
    let name = match row {
        Access::Roles(name, _) => name,
        Access::Public(_) | Access::Denied => "unknown",
    };
    // Who calls is asked before whether the method exists.
    let caller = match identify(verifier, headers) {
        Ok(caller) => caller,
        Err(refusal) => return (name, Err(refusal)),
    };
    let verdict = match row {
        Access::Roles(_, roles) if caller.has_any(roles) => Ok(Some(caller)),
        Access::Roles(method, roles) => {
            let allowed: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
            Err(Box::new(status::role_required(method, &allowed.join(", "))))
        }
        Access::Public(_) | Access::Denied => Err(Box::new(status::unknown_method())),
    };
    (name, verdict)
}

fn identify(verifier: &Verifier, headers: &HeaderMap) -> Result<Arc<Caller>, Box<Status>> {
    let refuse = |hint: &str| Box::new(status::unauthenticated(hint));
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(refuse(
            "the call carries no token; send \"authorization: Bearer <token>\"",
        ));
    };
    if values.next().is_some() {
        return Err(refuse(
            "the call carries more than one authorization header",
        ));
    }
    let token = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| refuse("the authorization header must be \"Bearer <token>\""))?;
    verifier
        .verify(token)
        .map_err(|error| refuse(&error.to_string()))
}

/// Counts the answer when it is complete: at once for an error without a body, otherwise when the
/// trailers have passed or the caller has gone.
fn counted(
    answer: Response<Body>,
    method: &'static str,
    start: Instant,
    span: Span,
) -> Response<Body> {
    let mut call = Call {
        method,
        start,
        code: Code::Cancelled,
        span,
    };
    if let Some(code) = code_in(answer.headers()) {
        call.code = code;
        return answer;
    }
    answer.map(|body| Body::new(Counted { body, call }))
}

fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers
        .get("grpc-status")
        .map(|value| Code::from_bytes(value.as_bytes()))
}

/// Counts itself when dropped, which is when the answer has ended one way or another.
struct Call {
    method: &'static str,
    start: Instant,
    code: Code,
    span: Span,
}

impl Drop for Call {
    fn drop(&mut self) {
        let code = name_of(self.code);
        self.span.answered(code);
        grpc_answered(self.method, code, self.start.elapsed());
    }
}

struct Counted {
    body: Body,
    call: Call,
}

impl HttpBody for Counted {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let entered = self.call.span.enter();
        let polled = Pin::new(&mut self.body).poll_frame(context);
        drop(entered);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(code) = frame.trailers_ref().and_then(code_in) {
                    self.call.code = code;
                }
            }
            Poll::Ready(Some(Err(_))) => self.call.code = Code::Unknown,
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The name of a status code as the specification writes it.
pub fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
