//! Any RPC by its name with JSON, at whichever service.

use std::sync::Mutex;

use cluster::actor::Actor;
use cluster::call;
use prost_reflect::MethodDescriptor;
use serde_json::Value;
use tonic::Status;
use tonic::metadata::MetadataMap;
use tonic::transport::Endpoint;

/// Calls `dingzhu.identity.v1.Profiles/GetProfile` at an address and gives the last answer as JSON. An array is a stream of requests.
pub async fn ask(url: &str, who: Option<&Actor>, rpc: &str, request: &Value) -> Result<Value, Status> {
    let method = method(rpc);
    let requests = call::parse(&method.input(), &request.to_string()).unwrap();
    let mut metadata = MetadataMap::new();
    if let Some(actor) = who {
        metadata.insert("authorization", actor.bearer().parse().unwrap());
    }
    let channel = Endpoint::new(url.to_owned()).unwrap().connect().await;
    let channel = channel.map_err(|error| Status::unavailable(error.to_string()))?;
    let said = Mutex::new("null".to_owned());
    call::send(channel, metadata, &method, requests, &|line| line.clone_into(&mut said.lock().unwrap())).await?;
    Ok(serde_json::from_str(&said.into_inner().unwrap()).unwrap())
}

fn method(name: &str) -> MethodDescriptor {
    let full = |method: &MethodDescriptor| format!("{}/{}", method.parent_service().full_name(), method.name());
    call::methods().unwrap().into_iter().find(|method| full(method) == name).unwrap_or_else(|| panic!("no RPC {name}"))
}
