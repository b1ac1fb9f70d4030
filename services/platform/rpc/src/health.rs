//! Health as gRPC tells it: the parts of a service report in, and what cannot be done without decides.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt as _, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthApi, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::Refusal;

/// The health of a service. Clones are the same health.
///
/// The service, and each gRPC service it offers, is `SERVING` when all its essential components are well and it is
/// not stopping. Every component can be asked for by its own name.
#[derive(Debug, Clone)]
pub struct Health(Arc<watch::Sender<State>>);

#[derive(Debug, Default)]
struct State {
    draining: bool,
    components: BTreeMap<&'static str, Component>,
}

#[derive(Debug)]
struct Component {
    essential: bool,
    problem: Option<String>,
}

impl Health {
    /// Names the components without which the service cannot answer; each is unwell until it reports.
    pub fn new(essential: &[&'static str]) -> Self {
        let unreported = |name: &&'static str| {
            (*name, Component { essential: true, problem: Some("has not reported yet".to_owned()) })
        };
        let components = essential.iter().map(unreported).collect();
        Self(Arc::new(watch::Sender::new(State { draining: false, components })))
    }

    /// Reports how a component is; those not named to [`Self::new`] count for themselves only. The problem is for
    /// operators: what is wrong, no personal data.
    pub fn set(&self, component: &'static str, report: Result<(), String>) {
        let problem = report.err();
        self.0.send_if_modified(|state| {
            let before = state.components.get(component);
            if before.is_some_and(|before| before.problem == problem) {
                return false;
            }
            if let Some(problem) = &problem {
                tracing::warn!(component, problem, "component is unwell");
            } else {
                tracing::info!(component, "component is well");
            }
            let essential = before.is_some_and(|before| before.essential);
            state.components.insert(component, Component { essential, problem });
            true
        });
    }

    /// Whether the service answers calls.
    pub fn serving(&self) -> bool {
        self.0.borrow().serving()
    }

    /// Every component, with its problem where it has one.
    pub fn components(&self) -> Vec<(&'static str, Option<String>)> {
        self.0.borrow().components.iter().map(|(name, component)| (*name, component.problem.clone())).collect()
    }

    /// Says `NOT_SERVING` from now on.
    pub(crate) fn drain(&self) {
        self.0.send_modify(|state| state.draining = true);
    }

    /// The gRPC service that tells it, for a server that offers `services`.
    pub(crate) fn api(&self, services: &[&'static str]) -> HealthServer<impl HealthApi> {
        HealthServer::new(Teller { state: self.0.subscribe(), services: services.into() })
    }
}

impl State {
    fn serving(&self) -> bool {
        !self.draining && self.components.values().all(|component| !component.essential || component.problem.is_none())
    }
}

#[derive(Debug, Clone)]
struct Teller {
    state: watch::Receiver<State>,
    services: Arc<[&'static str]>,
}

impl Teller {
    fn status(&self, service: &str) -> ServingStatus {
        status(&self.state.borrow(), &self.services, service)
    }

    /// The status now, and whether it is the last one.
    fn look(&mut self, service: &str) -> (ServingStatus, bool) {
        let state = self.state.borrow_and_update();
        (status(&state, &self.services, service), state.draining)
    }
}

fn status(state: &State, services: &[&'static str], service: &str) -> ServingStatus {
    let well = match state.components.get(service) {
        Some(component) => !state.draining && component.problem.is_none(),
        None if service.is_empty() || services.contains(&service) => state.serving(),
        None => return ServingStatus::ServiceUnknown,
    };
    if well { ServingStatus::Serving } else { ServingStatus::NotServing }
}

#[tonic::async_trait]
impl HealthApi for Teller {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        match self.status(&service) {
            ServingStatus::ServiceUnknown => Err(Refusal::not_found("grpc.health.v1.Service", &service).into()),
            status => Ok(Response::new(answer(status))),
        }
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    /// Tells each change; ends with the stop of the service, after its `NOT_SERVING`.
    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let service = request.into_inner().service;
        let start = (self.clone(), service, None, false);
        let changes = stream::unfold(start, |(mut teller, service, told, last)| async move {
            if last {
                return None;
            }
            loop {
                let (status, last) = teller.look(&service);
                if last || told != Some(status) {
                    return Some((Ok(answer(status)), (teller, service, Some(status), last)));
                }
                teller.state.changed().await.ok()?;
            }
        });
        Ok(Response::new(changes.boxed()))
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
