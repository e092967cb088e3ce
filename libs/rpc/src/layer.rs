//! The gate in front of every service: token, role, then the call. The body of a refused call is
//! never read. Also counts every call, and begins its trace.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::FutureExt as _;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tierline_telemetry::metrics::{auth_refused, grpc_answered};
use tierline_telemetry::trace::{self, Span};
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::access::{Access, access, people_only};
use crate::auth::api_key::{PREFIX, ShownKey};
use crate::auth::{ApiKeys, KeyRefusal, TokenError, Verifier};
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
    api_keys: Option<ApiKeys>,
}

impl AuthLayer {
    /// A gate that believes the verifier.
    pub fn new(verifier: Arc<Verifier>) -> Self {
        Self {
            verifier,
            api_keys: None,
        }
    }

    /// The same gate, which takes API keys too.
    pub fn with_api_keys(self, api_keys: ApiKeys) -> Self {
        Self {
            api_keys: Some(api_keys),
            ..self
        }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService {
            inner,
            gate: self.clone(),
        }
    }
}

/// A service behind the gate.
#[derive(Clone)]
pub struct AuthService<S> {
    inner: S,
    gate: AuthLayer,
}

impl<S, B> Service<Request<B>> for AuthService<S>
where
    S: Service<Request<B>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: 'static,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let start = Instant::now();
        let row = access(request.uri().path());
        let gate = self.gate.clone();
        // The service that was found ready does the work, and its copy waits for the next call.
        let waiting = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, waiting);
        Box::pin(async move {
            let from = remote(&request);
            let (method, verdict) = gate.admit(row, request.headers(), &from).await;
            match verdict {
                Ok(caller) => {
                    if let Some(caller) = caller {
                        request.extensions_mut().insert(caller);
                    }
                    request.extensions_mut().insert(Method(method));
                    let span = trace::server_call(method, traceparent(request.headers()));
                    let entered = span.enter();
                    let work = inner.call(request);
                    drop(entered);
                    // A bug in one call must not end the connection with all other calls on it.
                    let answer = span.run(AssertUnwindSafe(work).catch_unwind());
                    let answer = match answer.await {
                        Ok(answer) => with_reason(answer?),
                        Err(panic) => status::internal(&Panicked::of(&*panic)).into_http(),
                    };
                    Ok(counted(answer, method, start, span))
                }
                Err(refusal) => {
                    let code = name_of(refusal.code());
                    // Whoever is refused does not decide that a trace is kept.
                    trace::server_call(method, None).answered(code);
                    grpc_answered(method, code, start.elapsed());
                    Ok(refusal.into_http())
                }
            }
        })
    }
}

fn traceparent(headers: &HeaderMap) -> Option<&str> {
    headers.get("traceparent")?.to_str().ok()
}

/// A bug that stopped a call.
#[derive(Debug, thiserror::Error)]
#[error("a call panicked: {0}")]
struct Panicked(String);

impl Panicked {
    fn of(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Self(text.unwrap_or("no text").to_owned())
    }
}

/// Why a caller is not let in, for the log and the metric, and what it is told.
struct Stranger {
    label: &'static str,
    /// The API key that it said it has; never a secret.
    key: String,
    refusal: Box<Status>,
}

impl Stranger {
    fn new(label: &'static str, hint: &str) -> Self {
        Self {
            label,
            key: String::new(),
            refusal: Box::new(status::unauthenticated(hint)),
        }
    }
}

impl AuthLayer {
    /// The name to count a call under, and whether it may go on: as whom, or why not.
    async fn admit(
        &self,
        row: Access,
        headers: &HeaderMap,
        from: &str,
    ) -> (&'static str, Result<Option<Arc<Caller>>, Box<Status>>) {
        let name = match row {
            Access::Public(service) => return (service, Ok(None)),
            Access::Roles(name, _) => name,
            Access::Denied => "unknown",
        };
        // Who calls is asked before whether the method exists.
        let caller = match self.identify(headers).await {
            Ok(caller) => caller,
            Err(Stranger {
                label,
                key,
                refusal,
            }) => {
                auth_refused(label);
                tracing::warn!(
                    method = name,
                    why = label,
                    key,
                    from,
                    "a caller was not let in"
                );
                return (name, Err(refusal));
            }
        };
        let refusal = match row {
            Access::Roles(method, roles) if !caller.has_any(roles) => {
                let allowed: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
                status::role_required(method, &allowed.join(", "))
            }
            Access::Roles(method, _) if caller.api_key.is_some() && people_only(method) => {
                status::person_required(method)
            }
            Access::Roles(..) => return (name, Ok(Some(caller))),
            Access::Public(_) | Access::Denied => status::unknown_method(),
        };
        if refusal.code() == Code::PermissionDenied {
            auth_refused("role");
            let (actor, org) = (caller.actor(), caller.org.as_str());
            tracing::warn!(method = name, actor, org, from, "a caller may not do this");
        }
        (name, Err(Box::new(refusal)))
    }

    async fn identify(&self, headers: &HeaderMap) -> Result<Arc<Caller>, Stranger> {
        let token = bearer(headers)?;
        if !token.starts_with(PREFIX) {
            let refused = |error: TokenError| Stranger::new(error.label(), &error.to_string());
            return self.verifier.verify(token).map_err(refused);
        }
        let Some(api_keys) = &self.api_keys else {
            return Err(Stranger::new(
                "key_not_taken",
                "API keys are not taken here",
            ));
        };
        api_keys.identify(token).await.map_err(|refusal| Stranger {
            label: refusal.label(),
            key: ShownKey::parse(token)
                .map_or_else(String::new, |shown| format!("{}.{}", shown.org, shown.id)),
            refusal: Box::new(match refusal {
                KeyRefusal::Unavailable => status::unavailable(
                    status::UNAVAILABLE,
                    "API keys cannot be checked at the moment; try again",
                ),
                // Which of the reasons it is helps only who guesses.
                _ => status::unauthenticated("the API key is not good"),
            }),
        })
    }
}

/// Where a call comes from, where that is known.
fn remote<B>(request: &Request<B>) -> String {
    let info = request.extensions().get::<TcpConnectInfo>();
    let address = info.and_then(TcpConnectInfo::remote_addr);
    address.map_or_else(String::new, |address| address.to_string())
}

fn bearer(headers: &HeaderMap) -> Result<&str, Stranger> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Stranger::new(
            "none",
            "the call carries no token; send \"authorization: Bearer <token>\"",
        ));
    };
    if values.next().is_some() {
        let hint = "the call carries more than one authorization header";
        return Err(Stranger::new("header", hint));
    }
    value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| {
            let hint = "the authorization header must be \"Bearer <token>\"";
            Stranger::new("header", hint)
        })
}

/// An answer that was refused before a service saw the request, with a reason.
fn with_reason(answer: Response<Body>) -> Response<Body> {
    match Status::from_header_map(answer.headers()) {
        Some(bare) if bare.code() != Code::Ok && bare.details().is_empty() => {
            status::below_services(&bare).into_http()
        }
        _ => answer,
    }
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
