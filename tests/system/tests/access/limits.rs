//! What is too much of something, by itself well-formed: headers, a message, what a message unpacks
//! to, calls at the same time. Each is refused with a reason, costs little, and whoever comes next
//! is served.

use std::time::Duration;

use prost::Message as _;
use tierline_rpc::Role;
use tierline_rpc::limits::{MAX_HEADER_BYTES, MAX_REQUEST_BYTES, MAX_SMALL_REQUEST_BYTES};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::codec::CompressionEncoding;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::call::{Bytes, message, method};
use crate::node::Node;

const CREATE_ORG: &str = "tierline.program.v1.OrgService/CreateOrg";
const GET_ORG: &str = "tierline.program.v1.OrgService/GetOrg";
const REGISTER: &str = "tierline.activity.v1.DealService/RegisterDeal";
const RECORD: &str = "tierline.activity.v1.DealService/RecordDeals";
const LIST: &str = "tierline.query.v1.PartnerQueryService/ListPartners";
/// Calls on a connection at the same time.
const MAX_STREAMS: usize = 256;
/// What a process may need more than before, in MiB: a few of the largest messages.
const ROOM: u64 = 100;
const PATIENCE: Duration = Duration::from_secs(20);

/// How one call is made.
#[derive(Default)]
struct Extra {
    compressed: bool,
    header: Option<(&'static str, String)>,
}

/// One call with one message as it is.
async fn send(
    channel: &Channel,
    token: &str,
    name: &str,
    body: Vec<u8>,
    extra: Extra,
) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone()).max_encoding_message_size(usize::MAX);
    if extra.compressed {
        grpc = grpc.send_compressed(CompressionEncoding::Gzip);
    }
    grpc.ready().await.unwrap();
    let mut request = Request::new(body);
    let metadata = request.metadata_mut();
    metadata.insert("authorization", format!("Bearer {token}").parse().unwrap());
    if let Some((name, value)) = extra.header {
        metadata.insert(name, value.parse().unwrap());
    }
    let path: PathAndQuery = format!("/{name}").parse().unwrap();
    let answer = grpc.unary(request, path, Bytes(method(name).output()));
    let answer = tokio::time::timeout(PATIENCE, answer).await;
    answer.expect("an answer in time").map(|_| ())
}

fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    info.map_or_else(String::new, |info| info.reason)
}

/// A node with an org, a connection to it, and somebody who may do everything.
async fn start() -> (Node, Channel, String) {
    let node = Node::start().await;
    let channel = node.connect().await;
    let roles = [Role::Admin, Role::Integration];
    let token = node.token_for("a", &roles, None);
    let create = message(&method(CREATE_ORG).input(), "name: \"A\"").encode_to_vec();
    // This one is compressed, and is read as any other.
    let compressed = Extra {
        compressed: true,
        ..Extra::default()
    };
    send(&channel, &token, CREATE_ORG, create, compressed)
        .await
        .unwrap();
    (node, channel, token)
}

/// At its peak the node took little more memory than the MiB that it had before.
fn has_not_grown(node: &Node, most: u64) {
    let (_, more) = node.memory();
    assert!(
        more < most + ROOM,
        "{most} MiB before, {more} MiB at most since"
    );
}

/// Somebody who behaves is served, on the same connection.
async fn is_served(channel: &Channel, token: &str) {
    let asked = send(channel, token, GET_ORG, Vec::new(), Extra::default()).await;
    asked.unwrap_or_else(|refusal| panic!("{refusal:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_is_refused_packed_or_not() {
    let (node, channel, token) = start().await;
    let (_, most) = node.memory();
    for (name, limit) in [
        (REGISTER, MAX_REQUEST_BYTES),
        (CREATE_ORG, MAX_SMALL_REQUEST_BYTES),
    ] {
        let body = vec![0; limit + 1];
        let refusal = send(&channel, &token, name, body, Extra::default()).await;
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.code(), Code::ResourceExhausted, "{refusal:?}");
        assert_eq!(reason(&refusal), "MESSAGE_TOO_LARGE", "{refusal:?}");
        assert!(
            refusal.message().contains(&limit.to_string()),
            "{refusal:?}"
        );
        is_served(&channel, &token).await;
    }
    // 192 MiB of nothing are 192 KiB on the wire.
    for _ in 0..2 {
        let compressed = Extra {
            compressed: true,
            ..Extra::default()
        };
        let body = vec![0; 12 * MAX_REQUEST_BYTES];
        let refusal = send(&channel, &token, REGISTER, body, compressed).await;
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.code(), Code::ResourceExhausted, "{refusal:?}");
        assert_eq!(reason(&refusal), "MESSAGE_TOO_LARGE", "{refusal:?}");
        let limit = MAX_REQUEST_BYTES.to_string();
        assert!(refusal.message().contains(&limit), "{refusal:?}");
    }
    is_served(&channel, &token).await;
    has_not_grown(&node, most);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packing_that_is_not_known_is_named() {
    let (_node, channel, token) = start().await;
    let compressed = Extra {
        compressed: true,
        ..Extra::default()
    };
    let deflated = Extra {
        header: Some(("grpc-encoding", "deflate".to_owned())),
        ..Extra::default()
    };
    // Queries are small and take no packing at all.
    for (name, extra, word) in [(LIST, compressed, "gzip"), (REGISTER, deflated, "deflate")] {
        let refusal = send(&channel, &token, name, vec![0; 100], extra).await;
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.code(), Code::Unimplemented, "{refusal:?}");
        assert_eq!(reason(&refusal), "NOT_SERVED_HERE", "{refusal:?}");
        assert!(refusal.message().contains(word), "{refusal:?}");
    }
    is_served(&channel, &token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_headers_that_is_too_long_is_refused() {
    let (node, channel, token) = start().await;
    let (_, most) = node.memory();
    for _ in 0..200 {
        let padding = "x".repeat(MAX_HEADER_BYTES as usize);
        let padded = Extra {
            header: Some(("x-padding", padding)),
            ..Extra::default()
        };
        let refusal = send(&channel, &token, GET_ORG, Vec::new(), padded).await;
        let refusal = refusal.unwrap_err();
        // Refused by HTTP, before there is a call: 431, which says just this.
        assert!(refusal.message().contains("431"), "{refusal:?}");
    }
    is_served(&channel, &token).await;
    has_not_grown(&node, most);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_those_that_a_connection_may_have_at_once_are_refused() {
    let (node, channel, token) = start().await;
    let (_, most) = node.memory();
    let mut busy = TcpStream::connect(node.address()).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    let open = headers(RECORD, &token);
    let all = u32::try_from(MAX_STREAMS).unwrap() + 44;
    for number in 0..all {
        // END_HEADERS, and no end of the stream: the rows never come.
        bytes.extend(frame(1, 4, 2 * number + 1, &open));
    }
    busy.write_all(&bytes).await.unwrap();
    let mut refused = 0;
    while refused < 44 {
        let next = tokio::time::timeout(PATIENCE, read_frame(&mut busy)).await;
        let (kind, stream, payload) = next.expect("a frame in time");
        if kind == 3 {
            // REFUSED_STREAM: nothing was done, and the call may be sent again.
            assert_eq!(payload, [0, 0, 0, 7], "stream {stream}");
            assert!(stream > 2 * u32::try_from(MAX_STREAMS).unwrap(), "{stream}");
            refused += 1;
        }
    }
    is_served(&channel, &token).await;
    has_not_grown(&node, most);
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Kind, stream and payload of the next frame.
async fn read_frame(from: &mut TcpStream) -> (u8, u32, Vec<u8>) {
    let mut head = [0; 9];
    from.read_exact(&mut head).await.unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    from.read_exact(&mut payload).await.unwrap();
    (head[3], stream, payload)
}

/// The headers of a call, each by itself and as it is.
fn headers(name: &str, token: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", &format!("/{name}")),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("authorization", &format!("Bearer {token}")),
    ] {
        // Literal, without indexing, with a name of its own.
        bytes.push(0);
        for text in [name, value] {
            let length = text.len();
            if length < 127 {
                bytes.push(u8::try_from(length).unwrap());
            } else {
                bytes.push(127);
                prost::encoding::encode_varint(u64::try_from(length - 127).unwrap(), &mut bytes);
            }
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}
