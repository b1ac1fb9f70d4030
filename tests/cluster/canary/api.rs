//! How canaries and those who deal with them call: any RPC by its name with JSON, and what comes by SMS and mail.

use std::time::Duration;

use cluster::actor::{Actor, Addresses, Letters};
use cluster::{Cluster, wait};
use serde_json::Value;
use tonic::{Code, Status};

/// How long what travels by events may take to arrive.
pub const ARRIVAL: Duration = Duration::from_secs(60);

/// Where to call, and where messages arrive. Clones share what was read already.
#[derive(Clone)]
pub struct Api {
    pub addresses: Addresses,
    pub letters: Letters,
}

impl Api {
    pub fn of(cluster: &Cluster) -> Self {
        let layout = cluster.layout();
        Self { addresses: layout.addresses(), letters: Letters::at(layout) }
    }

    /// Calls an RPC, of identity where no package is named, and gives the last answer as JSON. An array is a stream of requests.
    pub async fn ask(&self, who: Option<&Actor>, rpc: &str, request: Value) -> Result<Value, Status> {
        let name = if rpc.contains('.') { rpc.to_owned() } else { format!("identity.v1.{rpc}") };
        let url = match name.split('.').next().unwrap() {
            "identity" => &self.addresses.identity,
            "certificates" => &self.addresses.certificates,
            "scheduling" => &self.addresses.scheduling,
            "applications" => &self.addresses.applications,
            _ => &self.addresses.notifications,
        };
        crate::ask::ask(url, who, &format!("dingzhu.{name}"), &request).await
    }

    /// The same of a call that must be answered.
    pub async fn must(&self, who: &Actor, rpc: &str, request: Value) -> Value {
        self.ask(Some(who), rpc, request).await.unwrap_or_else(|status| panic!("{rpc}: {}", shown(&status)))
    }

    /// The same, once what the call needs has arrived by events.
    pub async fn once(&self, who: &Actor, rpc: &str, request: Value) -> Value {
        let answered = wait::until(rpc, ARRIVAL, async || match self.ask(Some(who), rpc, request.clone()).await {
            Err(status) if may_come_true(&status) => None,
            answered => Some(answered),
        });
        match answered.await {
            Ok(answered) => answered.unwrap_or_else(|status| panic!("{rpc}: {}", shown(&status))),
            Err(_) => self.must(who, rpc, request).await,
        }
    }

    /// Asks until the answer holds what is looked for.
    pub async fn until<T>(&self, who: &Actor, rpc: &str, request: Value, look: impl Fn(&Value) -> Option<T>) -> T {
        let mut last = Value::Null;
        let found = wait::until(rpc, ARRIVAL, async || {
            last = self.ask(Some(who), rpc, request.clone()).await.unwrap_or_else(|status| shown(&status).into());
            look(&last)
        });
        match found.await {
            Ok(found) => found,
            Err(failure) => panic!("{failure}: {last}"),
        }
    }
}

/// Refusals that end by themselves once the events have arrived.
fn may_come_true(status: &Status) -> bool {
    let waits = matches!(status.code(), Code::Unavailable | Code::NotFound | Code::PermissionDenied);
    waits || rpc::Refusal::from_status(status).reason == "CERTIFICATE_UNKNOWN"
}

/// All that a refusal tells, to be searched.
pub fn shown(status: &Status) -> String {
    format!("{status:?} {}", hex::encode(status.details()))
}
