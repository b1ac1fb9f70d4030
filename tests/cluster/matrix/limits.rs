//! What is too large, sent by whoever may call: refused before anybody reads it, and the connection goes on.

use futures::stream;
use prost_reflect::MethodDescriptor;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Extensions, Request, Status};

/// RELIABILITY "tonic": the largest message.
const LARGEST_BODY: usize = 256 * 1024;
/// More than the 16 KiB of headers that a call may have.
const HEADERS: usize = 20 * 1024;

/// Sends a body that is too large; says what came of it when that is not the refusal.
pub async fn too_large_a_body(channel: Channel, metadata: MetadataMap, method: &MethodDescriptor) -> Option<String> {
    let code = send(channel, metadata, method, vec![0; LARGEST_BODY + 1]).await.err().map(|status| status.code());
    (code != Some(Code::OutOfRange)).then(|| format!("{} takes a body that is too large: {code:?}", method.full_name()))
}

/// Sends too many headers, then a call that is right; says what came of them when that is not a refusal and an answer.
pub async fn too_many_headers(channel: Channel, metadata: MetadataMap, method: &MethodDescriptor) -> Option<String> {
    let mut large = metadata.clone();
    large.insert("x-large", "x".repeat(HEADERS).parse().unwrap());
    let refused = send(channel.clone(), large, method, Vec::new()).await;
    let then = send(channel, metadata, method, Vec::new()).await;
    (refused.is_ok() || then.is_err())
        .then(|| format!("{} answers {refused:?} to too many headers, {then:?} afterwards", method.full_name()))
}

async fn send(channel: Channel, metadata: MetadataMap, method: &MethodDescriptor, body: Vec<u8>) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let request = Request::from_parts(metadata, Extensions::default(), stream::iter([body]));
    let mut answers = client.streaming(request, PathAndQuery::try_from(path).unwrap(), Raw).await?.into_inner();
    while answers.message().await?.is_some() {}
    Ok(())
}

/// Bytes as they are.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put_slice(buffer, &item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        let rest = bytes::Buf::remaining(buffer);
        bytes::Buf::advance(buffer, rest);
        Ok(Some(()))
    }
}
