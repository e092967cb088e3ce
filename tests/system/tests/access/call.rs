//! Calls of any method of the contract, made from its descriptors.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

static CONTRACT: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(tierline_proto::FILE_DESCRIPTOR_SET).unwrap());

/// Every method of the contract, in its order.
pub fn methods() -> Vec<MethodDescriptor> {
    let services = CONTRACT.services();
    services
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect()
}

/// `package.Service/Method`.
pub fn name_of(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

/// The method of this name.
pub fn method(name: &str) -> MethodDescriptor {
    let found = methods().into_iter().find(|method| name_of(method) == name);
    found.unwrap_or_else(|| panic!("the contract has no method {name}"))
}

/// A message in the text format of Protocol Buffers.
pub fn message(kind: &MessageDescriptor, text: &str) -> DynamicMessage {
    DynamicMessage::parse_text_format(kind.clone(), text)
        .unwrap_or_else(|error| panic!("{}: {error}\n{text}", kind.full_name()))
}

/// What came back: messages, and how the call ended.
#[derive(Debug)]
pub struct Answer {
    /// All messages.
    pub messages: Vec<DynamicMessage>,
    /// The refusal; absent: it went well.
    pub refusal: Option<Status>,
}

impl Answer {
    /// The code, as the specification writes it.
    pub fn code(&self) -> &'static str {
        let code = self.refusal.as_ref().map_or(Code::Ok, Status::code);
        tierline_rpc::layer::name_of(code)
    }

    /// The stable reason of a refusal.
    pub fn reason(&self) -> Option<String> {
        let info = self.refusal.as_ref()?.get_details_error_info()?;
        Some(info.reason)
    }

    /// Everything that a caller can read in it.
    pub fn text(&self) -> String {
        let mut text: String = self
            .messages
            .iter()
            .map(DynamicMessage::to_text_format)
            .collect();
        if let Some(refusal) = &self.refusal {
            text.push_str(&tierline_rpc::describe(refusal));
            text.push_str(&String::from_utf8_lossy(refusal.details()));
        }
        text
    }
}

/// Calls a method with encoded messages, as the holder of a token.
pub async fn call(
    channel: &Channel,
    token: Option<&str>,
    method: &MethodDescriptor,
    bodies: Vec<Vec<u8>>,
) -> Answer {
    let mut messages = Vec::new();
    let refusal = collect(channel, token, method, bodies, &mut messages).await;
    Answer {
        messages,
        refusal: refusal.err(),
    }
}

async fn collect(
    channel: &Channel,
    token: Option<&str>,
    method: &MethodDescriptor,
    bodies: Vec<Vec<u8>>,
    into: &mut Vec<DynamicMessage>,
) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone())
        .max_decoding_message_size(64 << 20)
        .max_encoding_message_size(64 << 20);
    grpc.ready().await.unwrap();
    let path: PathAndQuery = format!("/{}", name_of(method)).parse().unwrap();
    let mut request = Request::new(tokio_stream::iter(bodies));
    if let Some(token) = token {
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
    }
    let answers = grpc
        .streaming(request, path, Bytes(method.output()))
        .await?;
    let mut answers = answers.into_inner();
    while let Some(message) = answers.message().await? {
        into.push(message);
    }
    Ok(())
}

/// Sends bytes as they are, and reads answers by their descriptor.
pub struct Bytes(
    /// What is answered.
    pub MessageDescriptor,
);

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = DynamicMessage;
    type Encoder = Plain;
    type Decoder = Described;

    fn encoder(&mut self) -> Plain {
        Plain
    }

    fn decoder(&mut self) -> Described {
        Described(self.0.clone())
    }
}

/// Writes bytes as they are.
pub struct Plain;

impl Encoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        use prost::bytes::BufMut as _;
        to.put_slice(&item);
        Ok(())
    }
}

/// Reads messages by their descriptor.
pub struct Described(MessageDescriptor);

impl Decoder for Described {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let read = DynamicMessage::decode(self.0.clone(), from);
        let unreadable = |error| panic!("an answer that nobody can read: {error}");
        Ok(Some(read.unwrap_or_else(unreadable)))
    }
}
