//! One address in front of processes of single targets, which passes calls on by their package, as
//! `deploy/front/nginx.conf` says.

use std::collections::BTreeMap;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::service::Routes;
use tonic::transport::{Channel, Server};
use tonic::{Code, Status};
use tower::ServiceExt as _;

/// A running front; it ends with this value.
pub struct Front {
    /// Where it listens.
    pub address: String,
    server: JoinHandle<()>,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Packages of the contract and the target that serves each, out of the file that ships.
fn packages() -> BTreeMap<String, String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/front/nginx.conf");
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter_map(|line| {
        let (path, target) = line.trim().strip_prefix("~^/")?.split_once(' ')?;
        let package = path.replace('\\', "");
        let package = package.strip_suffix('.')?.to_owned();
        Some((package, target.strip_suffix(';')?.to_owned()))
    });
    let packages: BTreeMap<_, _> = lines.collect();
    assert!(packages.len() >= 7, "{packages:?}");
    packages
}

impl Front {
    /// Starts in front of targets at these addresses.
    pub async fn start(targets: &BTreeMap<String, String>) -> Self {
        let to = |address: &String| {
            Channel::from_shared(address.clone())
                .unwrap()
                .connect_lazy()
        };
        let routes: BTreeMap<String, Channel> = packages()
            .into_iter()
            .filter_map(|(package, target)| Some((package, to(targets.get(&target)?))))
            .collect();
        let pass = async move |request: Request<axum::body::Body>| {
            let package = request.uri().path().trim_start_matches('/');
            let package = package.split_once('/').map_or("", |(service, _)| service);
            let package = package.rsplit_once('.').map_or("", |(package, _)| package);
            match routes.get(package) {
                Some(channel) => pass_on(channel.clone(), request).await,
                None => Status::new(Code::Unimplemented, "no such package").into_http(),
            }
        };
        let router = axum::Router::new().fallback(async move |request| pass(request).await);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let server = Server::builder().add_routes(Routes::from(router));
        let server = tokio::spawn(async move {
            server.serve_with_incoming(incoming).await.unwrap();
        });
        Self { address, server }
    }
}

async fn pass_on(channel: Channel, request: Request<axum::body::Body>) -> Response<Body> {
    match channel.oneshot(request.map(Body::new)).await {
        Ok(answer) => answer,
        Err(error) => Status::from_error(Box::new(error)).into_http(),
    }
}
