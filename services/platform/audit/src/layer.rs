//! The layer that makes a record of each call that the trail is for: whatever becomes of it, once it has ended.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use access::{Caller, Origin};
use bytes::Bytes;
use futures::future::Either;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use rpc::{Ended, Refusal};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use uuid::Uuid;

use crate::{Behind, Record, Trail};

/// When a call of a method is recorded although it is not staff who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always.
    Called,
    /// When it was not answered with `OK`.
    Refused,
}

/// Methods, `package.Service/Method`, that are recorded whoever calls.
pub type Methods = &'static [(&'static str, When)];

/// Who has signed in by a call: left with its answer, since nobody was signed in when the call came.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// The person.
    pub person: Uuid,
    /// The session that has begun.
    pub session: Uuid,
}

/// Records calls. Stands behind [`access::Authority::recognise`] and before [`access::AccessLayer`], whose refusals it sees.
#[derive(Clone, Debug)]
pub struct AuditLayer {
    methods: Arc<HashMap<&'static str, When>>,
    proxies: Arc<[IpAddr]>,
    trail: Behind<Trail>,
}

impl AuditLayer {
    /// Records into this trail; `proxies` are those whose word on the origin of a call counts.
    pub fn new(methods: Methods, proxies: Arc<[IpAddr]>, trail: Behind<Trail>) -> Self {
        Self { methods: Arc::new(methods.iter().copied().collect()), proxies, trail }
    }

    /// The record of a call, where there is to be one.
    fn begin<B>(&self, request: &Request<B>) -> Option<Pending> {
        let nobody = Caller::default();
        let caller = request.extensions().get().unwrap_or(&nobody);
        let path = request.uri().path();
        let when = self.methods.get(path.trim_start_matches('/')).copied();
        let is_staff = !caller.grants.is_empty() || !caller.withheld.is_empty();
        let when = if is_staff { When::Called } else { when? };
        let mut divisions: Vec<_> =
            caller.grants.iter().chain(&*caller.withheld).map(|grant| grant.scope.division).collect();
        divisions.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        divisions.dedup();
        let record = Record {
            at: lifecycle::clock::now(),
            person: caller.person.as_ref().map(|person| person.id),
            session: caller.person.as_ref().map(|person| person.session),
            service: caller.service.clone(),
            divisions,
            method: rpc::method_name(path).to_owned(),
            origin: Origin::of(request.extensions(), request.headers(), &self.proxies).address(),
            code: String::new(),
            reason: String::new(),
            trace: telemetry::current().map(|trace| trace.trace_id()),
        };
        let ended = request.extensions().get().cloned().unwrap_or_default();
        Some(Pending { record: Some(record), when, code: Code::Cancelled, ended, trail: self.trail.clone() })
    }
}

impl<S> Layer<S> for AuditLayer {
    type Service = Audited<S>;

    fn layer(&self, inner: S) -> Audited<S> {
        Audited { inner, layer: self.clone() }
    }
}

/// An inner service whose calls are recorded.
#[derive(Clone, Debug)]
pub struct Audited<S> {
    inner: S,
    layer: AuditLayer,
}

impl<S> Service<Request<Body>> for Audited<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Watching<S::Future>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.layer.begin(&request) {
            None => Either::Left(self.inner.call(request)),
            Some(pending) => Either::Right(Watching { call: self.inner.call(request), pending: Some(pending) }),
        }
    }
}

/// A record whose call has not ended. It is written when this is dropped: at the end of the answer, or when nobody waits for
/// it any more.
#[derive(Debug)]
struct Pending {
    record: Option<Record>,
    when: When,
    code: Code,
    /// Whether it is ended from outside, before its answer or in it.
    ended: Ended,
    trail: Behind<Trail>,
}

impl Pending {
    /// Notes the outcome where headers or trailers have it.
    fn note(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.note_status(&status);
        }
    }

    fn note_status(&mut self, status: &Status) {
        self.code = status.code();
        if let Some(record) = self.record.as_mut().filter(|_| status.code() != Code::Ok) {
            record.reason = Refusal::from_status(status).reason;
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let ended = self.ended.clone();
        if let Some(status) = ended.status() {
            self.note_status(status);
        }
        let Some(mut record) = self.record.take() else { return };
        if self.when == When::Refused && self.code == Code::Ok {
            return;
        }
        // Nobody fills the trail with what was not even tried.
        if record.person.is_none() && matches!(self.code, Code::InvalidArgument | Code::ResourceExhausted) {
            return;
        }
        rpc::code_name(self.code).clone_into(&mut record.code);
        self.trail.record(record);
    }
}

pin_project! {
    /// A call in hand, until its answer begins.
    #[derive(Debug)]
    pub struct Watching<F> {
        #[pin]
        call: F,
        pending: Option<Pending>,
    }
}

impl<F> Future for Watching<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.call.poll(context));
        let Some(mut pending) = this.pending.take() else { return Poll::Ready(Ok(response)) };
        pending.note(response.headers());
        if let (Some(record), Some(subject)) = (&mut pending.record, response.extensions().get::<Subject>()) {
            record.person = Some(subject.person);
            record.session = Some(subject.session);
        }
        Poll::Ready(Ok(response.map(|inner| Body::new(Answer { inner, pending }))))
    }
}

/// The answer on its way out; carries the record to its end.
#[derive(Debug)]
struct Answer {
    inner: Body,
    pending: Pending,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.pending.note(trailers);
                }
            }
            Some(Err(status)) => this.pending.note_status(status),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
