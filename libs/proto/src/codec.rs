//! The codec of every message: that of Protocol Buffers, with a bound on the number of parts.
//!
//! An empty row takes two bytes on the wire and hundreds in memory. Without a bound of its own, a
//! message within the bound on bytes could take gigabytes before anybody counts its rows.

use std::marker::PhantomData;

use prost::Message;
use prost::bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, decode_key, skip_field};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::ProstEncoder;

/// Most fields at the top of a message, each entry of a list counted. The longest list there is has
/// 10,000 entries: days of exchange rates.
pub const MAX_PARTS: usize = 12_000;

/// Encodes `T`, decodes `U`.
#[derive(Debug, Clone)]
pub struct BoundedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder(PhantomData)
    }
}

/// Decodes `U`.
#[derive(Debug, Clone)]
pub struct BoundedDecoder<U>(PhantomData<U>);

impl<U: Message + Default> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        read(bytes).map(Some)
    }
}

fn read<U: Message + Default>(bytes: Bytes) -> Result<U, Status> {
    let malformed = |error: prost::DecodeError| Status::invalid_argument(error.to_string());
    if parts(bytes.clone()).map_err(malformed)? > MAX_PARTS {
        let text = format!("a message has at most {MAX_PARTS} parts");
        return Err(Status::resource_exhausted(text));
    }
    U::decode(bytes).map_err(malformed)
}

/// How many fields there are at the top; stops counting above the bound.
fn parts(mut bytes: Bytes) -> Result<usize, prost::DecodeError> {
    let mut parts = 0;
    while bytes.has_remaining() && parts <= MAX_PARTS {
        let (number, wire) = decode_key(&mut bytes)?;
        skip_field(wire, number, &mut bytes, DecodeContext::default())?;
        parts += 1;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partner::v1::{PartnerRow, RecordPartnersRequest};

    fn rows(count: usize) -> Bytes {
        let request = RecordPartnersRequest {
            rows: vec![PartnerRow::default(); count],
            ..Default::default()
        };
        request.encode_to_vec().into()
    }

    #[test]
    fn a_message_of_too_many_rows_is_refused_before_they_are_made() {
        let read_rows = |count| read::<RecordPartnersRequest>(rows(count));
        assert_eq!(read_rows(MAX_PARTS).unwrap().rows.len(), MAX_PARTS);
        let refusal = read_rows(MAX_PARTS + 1).unwrap_err();
        assert_eq!(refusal.code(), tonic::Code::ResourceExhausted);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bytes in [&[0xff_u8, 0xff][..], &[0x0a, 0x05], &[0x0b], &[0x07]] {
            let refusal = read::<RecordPartnersRequest>(Bytes::copy_from_slice(bytes));
            let refusal = refusal.unwrap_err();
            assert_eq!(refusal.code(), tonic::Code::InvalidArgument, "{bytes:?}");
        }
    }
}
