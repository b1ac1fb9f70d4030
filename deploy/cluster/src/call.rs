//! `deploy/call`: any RPC by name with JSON, as a demonstration actor who signs in as that person would.

use std::collections::BTreeMap;
use std::fs;

use futures::{StreamExt as _, stream};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Extensions, Request, Status};

use crate::actor::{Actor, Credentials, Letters};
use crate::failure::Doing as _;
use crate::layout::Layout;
use crate::{Failure, Result, Service, session};

/// Calls without signing in.
pub const NOBODY: &str = "nobody";
/// Every service offers these two.
const OPERATIONS: &str = "dingzhu.operations.v1.";

/// Who may be named: `applicant`, `liaison`, `clerk`, `county`, `city`, `province`, `operator`, `auditor`, and who else was made.
pub type Staff = BTreeMap<String, Credentials>;

/// Reads who the demonstration actors are.
pub fn staff(layout: &Layout) -> Result<Staff> {
    let path = layout.staff();
    let text = fs::read(&path).doing(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&text).doing(|| format!("read {}", path.display()))
}

/// Calls `method` (`dingzhu.identity.v1.Profiles/GetProfile`) and gives every answer, each as JSON with the service it is from.
/// An array as `json` is a stream of requests. Operations without a service ask all five.
pub async fn call(
    layout: &Layout,
    service: Option<Service>,
    who: &str,
    method: &str,
    json: &str,
    say: &dyn Fn(&str),
) -> Result<()> {
    let method = find(method)?;
    let requests = parse(&method.input(), json)?;
    let actor = if who == NOBODY { None } else { Some(sign_in(layout, who).await?) };
    let package = method.parent_service().full_name().to_owned();
    let asked = match service {
        Some(service) => vec![service],
        None if package.starts_with(OPERATIONS) => Service::ALL.to_vec(),
        None => vec![owner(&package)?],
    };
    let many = asked.len() > 1;
    for service in asked {
        if many {
            say(&format!("# {service}"));
        }
        let bearer = actor.as_ref().map(Actor::bearer);
        let url = layout.url(service);
        let doing = || format!("call {} at {url}", method.full_name());
        let channel = Endpoint::new(url.clone()).doing(doing)?.connect().await.doing(doing)?;
        let mut metadata = MetadataMap::new();
        if let Some(bearer) = bearer {
            metadata.insert("authorization", bearer.parse().doing(doing)?);
        }
        send(channel, metadata, &method, requests.clone(), say).await.doing(doing)?;
    }
    Ok(())
}

/// Signs in a demonstration actor, or goes on with a session that is young enough.
pub async fn sign_in(layout: &Layout, who: &str) -> Result<Actor> {
    let staff = staff(layout)?;
    let credentials = staff.get(who).ok_or_else(|| {
        let names: Vec<&str> = staff.keys().map(String::as_str).collect();
        Failure::new(format!("there is no actor {who}; there are {NOBODY}, {}", names.join(", ")))
    })?;
    if let Some(actor) = session::find(layout, who, credentials, lifecycle::clock::now()) {
        return Ok(actor);
    }
    let actor = Actor::sign_in(&layout.addresses(), &Letters::at(layout), credentials).await?;
    session::keep(layout, who, credentials, &actor)?;
    Ok(actor)
}

/// Every RPC of the API: of all five services, and those that each of them offers.
pub fn methods() -> Result<Vec<MethodDescriptor>> {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).doing(|| "read the API's descriptors".into())?;
    Ok(pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect())
}

fn find(method: &str) -> Result<MethodDescriptor> {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).doing(|| "read the API's descriptors".into())?;
    let (service, name) =
        method.split_once('/').ok_or_else(|| Failure::new("a method is named package.Service/Method"))?;
    let service = pool.get_service_by_name(service).ok_or_else(|| {
        let names: Vec<String> = pool.services().map(|service| service.full_name().to_owned()).collect();
        Failure::new(format!("there is no {service}; there are {}", names.join(", ")))
    })?;
    let found = service.methods().find(|method| method.name() == name);
    found.ok_or_else(|| {
        let names: Vec<String> = service.methods().map(|method| method.name().to_owned()).collect();
        Failure::new(format!("{} has no {name}; it has {}", service.full_name(), names.join(", ")))
    })
}

/// `dingzhu.identity.v1.Profiles` is offered by identity.
fn owner(package: &str) -> Result<Service> {
    let name = package.split('.').nth(1).unwrap_or_default();
    Service::parse(name).ok_or_else(|| Failure::new(format!("name the service of {package} by --service")))
}

/// A message of this full name as JSON.
pub fn json(message: &impl prost::Message, name: &str) -> Result<serde_json::Value> {
    let doing = || format!("show a {name}");
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).doing(doing)?;
    let descriptor =
        pool.get_message_by_name(name).ok_or_else(|| Failure::new(format!("there is no message {name}")))?;
    let message = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).doing(doing)?;
    serde_json::to_value(&message).doing(doing)
}

/// Reads JSON as requests of this type; an array is a stream of them.
pub fn parse(input: &MessageDescriptor, json: &str) -> Result<Vec<DynamicMessage>> {
    let doing = || format!("read the request as {}", input.full_name());
    let value: serde_json::Value = serde_json::from_str(json).doing(doing)?;
    let values = match value {
        serde_json::Value::Array(values) => values,
        one => vec![one],
    };
    values.into_iter().map(|value| DynamicMessage::deserialize(input.clone(), value).doing(doing)).collect()
}

/// Calls a method over a channel, with this metadata, and gives every answer as JSON as it comes.
pub async fn send(
    channel: Channel,
    metadata: MetadataMap,
    method: &MethodDescriptor,
    requests: Vec<DynamicMessage>,
    say: &dyn Fn(&str),
) -> std::result::Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let path = PathAndQuery::try_from(path).expect("names of methods are paths");
    let request = Request::from_parts(metadata, Extensions::default(), stream::iter(requests));
    let mut answers = client.streaming(request, path, Dynamic(method.output())).await?.into_inner();
    while let Some(answer) = answers.next().await {
        say(&serde_json::to_string_pretty(&answer?).expect("an answer shows itself as JSON"));
    }
    Ok(())
}

/// Messages that only their descriptor is known of.
#[derive(Clone, Debug)]
struct Dynamic(MessageDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> std::result::Result<(), Status> {
        item.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> std::result::Result<Option<DynamicMessage>, Status> {
        let decoded = DynamicMessage::decode(self.0.clone(), buffer);
        decoded.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_found_by_its_name_and_json_becomes_its_request() {
        let method = find("dingzhu.identity.v1.Sessions/StartSignIn").unwrap();
        let requests = parse(&method.input(), r#"{"number": "320399196801010017", "documentType": 1}"#).unwrap();
        let bytes = requests[0].encode_to_vec();
        let request = proto::identity::v1::StartSignInRequest::decode(&*bytes).unwrap();
        assert_eq!((request.number.as_str(), request.document_type), ("320399196801010017", 1));
        assert!(parse(&method.input(), r#"{"nummer": "1"}"#).unwrap_err().to_string().contains("nummer"));
        assert_eq!(parse(&method.input(), "[{}, {}]").unwrap().len(), 2);
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let unknown = find("dingzhu.identity.v1.Sessions/SignIn").unwrap_err().to_string();
        assert!(unknown.contains("StartSignIn"), "{unknown}");
        let unknown = find("dingzhu.identity.v1.Session/SignIn").unwrap_err().to_string();
        assert!(unknown.contains("dingzhu.identity.v1.Sessions"), "{unknown}");
    }

    #[test]
    fn every_service_of_the_api_has_an_owner() {
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
        for service in pool.services().filter(|service| !service.full_name().starts_with(OPERATIONS)) {
            owner(service.full_name()).unwrap();
        }
    }
}
