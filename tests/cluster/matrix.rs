//! Every RPC of every service, called as everybody: the answers are those of a table that was written by hand (`matrix/expected.txt`).
//! Whoever may call sends too much as well.

pub mod callers;
mod limits;
mod requests;
mod season;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use cluster::{Cluster, Service, call};
use futures::{StreamExt as _, stream};
use prost_reflect::MethodDescriptor;
use tokio::sync::Notify;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use callers::{Caller, Callers};
use season::Season;
use table::{Expected, Mark, Row};

/// Calls at once.
const AT_ONCE: usize = 16;
/// Refusals that say no more than that there is no such object, beside `NOT_FOUND`.
const HIDDEN: [&str; 3] = ["UNKNOWN_GRANT", "UNKNOWN_FIX", "CERTIFICATE_UNKNOWN"];

/// Never end by themselves: the first answer shows that the caller got past authorization.
const ENDLESS: [&str; 2] =
    ["dingzhu.scheduling.v1.Availability/WatchAvailability", "dingzhu.applications.v1.Applications/WatchApplications"];

/// `dingzhu.identity.v1.Staff/GrantRole` and its descriptor.
fn offered() -> BTreeMap<String, MethodDescriptor> {
    let named =
        |method: MethodDescriptor| (format!("{}/{}", method.parent_service().full_name(), method.name()), method);
    call::methods().unwrap().into_iter().map(named).collect()
}

fn expected() -> Expected {
    Expected::read(include_str!("matrix/expected.txt")).unwrap()
}

#[test]
fn every_rpc_of_the_api_has_its_row_in_the_matrix() {
    let flaws = expected().flaws(&offered().into_keys().collect::<BTreeSet<_>>());
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}

/// What a status or an answer means for the matrix; an error is trouble that has nothing to do with who calls.
fn verdict(answer: Result<String, Status>, shows: Option<&str>) -> Result<Mark, String> {
    let status = match answer {
        Ok(text) if shows.is_none_or(|shown| text.contains(shown)) => return Ok(Mark::Yes),
        Ok(_) => return Ok(Mark::Empty),
        Err(status) => status,
    };
    let reason = rpc::Refusal::from_status(&status).reason;
    match status.code() {
        _ if reason == "SIGN_IN_REQUIRED" => Ok(Mark::SignIn),
        _ if HIDDEN.contains(&reason.as_str()) => Ok(Mark::Hidden),
        Code::NotFound => Ok(Mark::Hidden),
        Code::PermissionDenied => Ok(Mark::No),
        Code::InvalidArgument | Code::FailedPrecondition | Code::AlreadyExists | Code::ResourceExhausted => {
            Ok(Mark::Yes)
        }
        // Of codes and passwords that are wrong, not of tokens.
        Code::Unauthenticated if !reason.starts_with("TOKEN_") => Ok(Mark::Yes),
        code => Err(format!("{code:?} {reason} {}", status.message())),
    }
}

/// A running cluster, seen by everybody.
struct Matrix {
    season: Season,
    callers: Callers,
    channels: BTreeMap<Service, Channel>,
    offered: BTreeMap<String, MethodDescriptor>,
}

impl Matrix {
    async fn ask(&self, service: Service, rpc: &str, caller: &Caller) -> Result<Mark, String> {
        let method = &self.offered[rpc];
        let body = requests::request(rpc, &self.season).to_string();
        let requests = call::parse(&method.input(), &body).map_err(|failure| failure.to_string())?;
        let metadata = caller.metadata(service, self.season.owner(rpc));
        let (said, enough) = (Mutex::new(String::new()), Notify::new());
        let say = |line: &str| {
            said.lock().unwrap().push_str(line);
            if ENDLESS.contains(&rpc) {
                enough.notify_one();
            }
        };
        let answer = tokio::select! {
            answer = call::send(self.channels[&service].clone(), metadata, method, requests, &say) => answer,
            () = enough.notified() => Ok(()),
        };
        let shows = requests::shows(rpc, &self.season);
        match verdict(answer.map(|()| said.into_inner().unwrap()), shows.as_deref()) {
            // Operations belong to nobody: a feed that is not there is there for no operator.
            Ok(Mark::Hidden) if rpc.starts_with("dingzhu.operations.") => Ok(Mark::Yes),
            judged => judged,
        }
    }

    /// Calls one RPC of one service as everybody; gives what is not as expected.
    async fn try_row(&self, service: Service, row: &Row, columns: &[String]) -> Vec<String> {
        let cells = columns.iter().zip(&row.marks).flat_map(|(column, marks)| {
            let sides = ["own", "other"].into_iter().zip(&self.callers[column]).zip(marks);
            sides.map(move |((side, caller), mark)| (column, side, caller, *mark))
        });
        let (admitted, refused): (Vec<_>, Vec<_>) = cells.partition(|(.., mark)| *mark == Mark::Yes);
        let differs = async |(column, side, caller, mark): (&String, &str, &Caller, Mark)| {
            let got = self.ask(service, &row.rpc, caller).await;
            (got.as_ref() != Ok(&mark))
                .then(|| format!("{} at {service} as {column} ({side}): {mark:?} expected, got {got:?}", row.rpc))
        };
        // Those who may come last and one by one: what they do must not be why the others are refused.
        let mut found: Vec<_> = stream::iter(refused).map(&differs).buffered(AT_ONCE).collect().await;
        let (_, _, admitted_first, _) = admitted[0];
        for cell in admitted {
            found.push(differs(cell).await);
        }
        found.push(self.try_limits(service, &row.rpc, admitted_first).await);
        found.into_iter().flatten().collect()
    }
}

impl Matrix {
    /// Sends too much as somebody who may call; gives what is not a refusal.
    async fn try_limits(&self, service: Service, rpc: &str, caller: &Caller) -> Option<String> {
        let metadata = || caller.metadata(service, self.season.owner(rpc));
        let (channel, method) = (|| self.channels[&service].clone(), &self.offered[rpc]);
        let body = limits::too_large_a_body(channel(), metadata(), method).await;
        if body.is_some() || !rpc.ends_with("/GetStatus") {
            return body;
        }
        // Headers are the server's business, the same for all that it offers.
        limits::too_many_headers(channel(), metadata(), method).await
    }
}

/// The services that offer an RPC: its own, or all.
fn offering(rpc: &str) -> Vec<Service> {
    Service::parse(rpc.split('.').nth(1).unwrap()).map_or(Service::ALL.to_vec(), |service| vec![service])
}

#[tokio::test]
async fn everybody_gets_from_every_rpc_what_the_table_says_and_nobody_sends_too_much() {
    let cluster = Cluster::start().await.unwrap();
    let season = Season::begin(&cluster).await;
    let callers = callers::gather(&cluster, &season, &callers::chief(&cluster).await).await;
    let channel = |service| Endpoint::from_shared(cluster.layout().url(service)).unwrap().connect_lazy();
    let channels = Service::ALL.into_iter().map(|service| (service, channel(service))).collect();
    let matrix = Matrix { season, callers, channels, offered: offered() };

    let expected = expected();
    let mut differences = Vec::new();
    for row in &expected.rows {
        for service in offering(&row.rpc) {
            differences.extend(matrix.try_row(service, row, &expected.columns).await);
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
