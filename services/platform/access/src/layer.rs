//! The layer in front of every RPC: judges the caller by the table, denies what has no row.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, Either, Ready, ready};
use http::{Request, Response};
use rpc::Refusal;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::Authority;
use crate::authority::Unrecognised;
use crate::caller::Caller;
use crate::stream::{Rights, answer, upload};
use crate::table::{COMMON, Rule, Table, changing};

/// When staff may try again after a refusal that is nobody's fault.
const RETRY: Duration = Duration::from_secs(5);

/// Enforces an access table on whom [`Authority::recognise`] has found to call; without it everybody is nobody.
#[derive(Clone, Debug)]
pub struct AccessLayer {
    rules: Arc<HashMap<&'static str, Rule>>,
    /// RPCs that change something.
    changing: Arc<HashSet<String>>,
    authority: Authority,
}

impl AccessLayer {
    /// The rows of a service, and those that all services share.
    pub fn new(table: Table, authority: Authority) -> Self {
        let rules = COMMON.iter().chain(table).copied().collect();
        Self { rules: Arc::new(rules), changing: Arc::new(changing()), authority }
    }

    /// Admits a call, or says why not; gives what a stream has to go on resting on.
    fn admit<B>(&self, request: &Request<B>) -> Result<Option<Rights>, Refusal> {
        let rpc = request.uri().path().trim_start_matches('/');
        let rule = self.rules.get(rpc).ok_or_else(|| Refusal::forbidden("RPC_NOT_LISTED", "该接口未开放。"))?;
        let nobody = Caller::default();
        let caller = match (request.extensions().get::<Caller>(), request.extensions().get::<Unrecognised>()) {
            (Some(caller), _) => caller,
            // An expired token must not keep anybody from what is open to all, such as signing in again.
            (None, Some(Unrecognised(refusal))) if *rule != Rule::Anyone => return Err(refusal.clone()),
            (None, _) => &nobody,
        };
        rule.check(caller)?;
        if !rule.rests_on_a_role(caller) {
            return Ok(None);
        }
        let changing = self.changing.contains(rpc);
        if changing && !self.authority.is_current() {
            return Err(outdated());
        }
        let held = || caller.grants.iter().filter(|grant| rule.roles().contains(&grant.role)).cloned().collect();
        let rights = || Rights::new(self.authority.clone(), Caller { grants: held(), ..caller.clone() }, changing);
        Ok(rpc::streams(request.uri().path()).then(rights))
    }
}

/// A role may have been taken back meanwhile.
pub(crate) fn outdated() -> Refusal {
    let sentence = "系统暂时无法核实您的岗位权限是否仍然有效，为安全起见暂停办理，请稍后重试。";
    Refusal::new(tonic::Code::Unavailable, "RIGHTS_OUTDATED", sentence).retry_after(RETRY)
}

impl<S> Layer<S> for AccessLayer {
    type Service = Access<S>;

    fn layer(&self, inner: S) -> Access<S> {
        Access { inner, layer: self.clone() }
    }
}

/// An inner service behind the table.
#[derive(Clone, Debug)]
pub struct Access<S> {
    inner: S,
    layer: AccessLayer,
}

impl<S> Service<Request<Body>> for Access<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<
        Either<S::Future, BoxFuture<'static, Result<S::Response, S::Error>>>,
        Ready<Result<S::Response, S::Error>>,
    >;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.layer.admit(&request) {
            Ok(None) => Either::Left(Either::Left(self.inner.call(request))),
            Ok(Some(rights)) => {
                let rights = Arc::new(rights);
                let answered = self.inner.call(request.map(|body| upload(body, Arc::clone(&rights))));
                Either::Left(Either::Right(Box::pin(async move {
                    let answered = answered.await?;
                    Ok(match rights.ended() {
                        Some(status) => status.into_http(),
                        None => answered.map(|body| answer(body, rights)),
                    })
                })))
            }
            Err(refusal) => Either::Right(ready(Ok(Status::from(refusal).into_http()))),
        }
    }
}
