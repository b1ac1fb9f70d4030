//! What happens to every call on its way in and out: one layer, because each more would cost on the path of every
//! submission. Trace, place among the calls in hand, deadline, panic, end of streams, record.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use lifecycle::CancellationToken;
use pin_project_lite::pin_project;
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use crate::ended::Ended;
use crate::methods::{self, Kind};
use crate::record::Record;
use crate::{Refusal, Settings};

/// When to come again after a refusal for want of room.
const OVERLOAD_RETRY: Duration = Duration::from_secs(1);
/// Answer this much before the caller stops listening (but never more than a tenth of its patience).
const ANSWER_MARGIN: Duration = Duration::from_millis(5);

/// The layer, applied.
#[derive(Debug, Clone)]
pub(crate) struct Calls<S> {
    inner: S,
    limits: Arc<Limits>,
}

#[derive(Debug)]
struct Limits {
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    longest: Duration,
    streams_end: CancellationToken,
}

impl<S> Calls<S> {
    pub(crate) fn new(inner: S, settings: &Settings, streams_end: CancellationToken) -> Self {
        let calls = Arc::new(Semaphore::new(settings.max_concurrent));
        let streams = Arc::new(Semaphore::new(settings.max_streams));
        Self { inner, limits: Arc::new(Limits { calls, streams, longest: settings.max_call(), streams_end }) }
    }
}

impl<S> Service<Request<Body>> for Calls<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Call<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let method = methods::of(request.uri().path());
        let mut record = Record::begin(method, request.headers());
        let room = match method.kind {
            Kind::Call => Some(&self.limits.calls),
            Kind::Stream => Some(&self.limits.streams),
            Kind::Probe => None,
        };
        if let Some(room) = room {
            let Ok(permit) = Arc::clone(room).try_acquire_owned() else {
                let ended = Ended::default();
                return Call { inner: None, sleep: None, deadline: None, ending: None, ended, record: Some(record) };
            };
            record.permit = Some(permit);
        }
        let deadline = (!method.streams).then(|| Instant::now() + patience(request.headers(), self.limits.longest));
        let ending = method.streams.then(|| Ending::new(&self.limits.streams_end));
        let ended = Ended::default();
        request.extensions_mut().insert(ended.clone());
        let inner = {
            let _entered = record.span.enter();
            self.inner.call(request)
        };
        Call { inner: Some(inner), sleep: None, deadline, ending, ended, record: Some(record) }
    }
}

pin_project! {
    /// A call in hand, until its answer begins.
    pub(crate) struct Call<F> {
        // None: there is no room for it.
        #[pin]
        inner: Option<F>,
        // Made when the handler first waits: most answers to come at once never need it.
        #[pin]
        sleep: Option<Sleep>,
        deadline: Option<Instant>,
        ending: Option<Ending>,
        ended: Ended,
        record: Option<Record>,
    }
}

impl<F> Future for Call<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let record = this.record.as_mut().expect("not polled after its end");
        let refusal = match this.inner.as_pin_mut() {
            None => Refusal::overloaded(OVERLOAD_RETRY),
            Some(inner) => {
                let polled = {
                    let _entered = record.span.enter();
                    catch_unwind(AssertUnwindSafe(|| inner.poll(cx)))
                };
                match polled {
                    Ok(Poll::Ready(Ok(response))) => {
                        record.note(response.headers());
                        let record = this.record.take().expect("it was there");
                        let (ending, ended) = (this.ending.take(), this.ended.clone());
                        let answer = response.map(|inner| Answer { inner, record, ending, ended, over: false });
                        return Poll::Ready(Ok(answer));
                    }
                    Err(panic) => panicked(record, panic.as_ref()),
                    Ok(Poll::Pending) => {
                        if let Some(ending) = this.ending {
                            ready!(ending.poll(cx));
                            Refusal::shutting_down()
                        } else if let Some(deadline) = this.deadline {
                            if this.sleep.is_none() {
                                this.sleep.set(Some(tokio::time::sleep_until(*deadline)));
                            }
                            ready!(this.sleep.as_pin_mut().expect("made above").poll(cx));
                            Refusal::deadline_exceeded()
                        } else {
                            return Poll::Pending;
                        }
                    }
                }
            }
        };
        let mut record = this.record.take().expect("it was there");
        let (status, ended) = (Status::from(refusal), this.ended.clone());
        ended.with(&status);
        let response = status.into_http::<Body>();
        record.note(response.headers());
        Poll::Ready(Ok(response.map(|inner| Answer { inner, record, ending: None, ended, over: false })))
    }
}

/// The answer on its way out; carries the record of the call to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    inner: Body,
    record: Record,
    ending: Option<Ending>,
    ended: Ended,
    over: bool,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        let Some(ending) = &mut this.ending else {
            // The answer to a call is already there: nothing to wait for, nobody's code runs.
            let frame = Pin::new(&mut this.inner).poll_frame(cx);
            note(&mut this.record, &frame);
            return frame;
        };
        let polled = {
            let _entered = this.record.span.enter();
            catch_unwind(AssertUnwindSafe(|| Pin::new(&mut this.inner).poll_frame(cx)))
        };
        let refusal = match polled {
            Ok(Poll::Pending) => {
                ready!(ending.poll(cx));
                Refusal::shutting_down()
            }
            Ok(frame) => {
                note(&mut this.record, &frame);
                return frame;
            }
            Err(panic) => panicked(&this.record, panic.as_ref()),
        };
        this.over = true;
        let status = Status::from(refusal);
        this.ended.with(&status);
        let trailers = Frame::trailers(status.into_http::<()>().into_parts().0.headers);
        let frame = Poll::Ready(Some(Ok(trailers)));
        note(&mut this.record, &frame);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn note(record: &mut Record, frame: &Poll<Option<Result<Frame<Bytes>, Status>>>) {
    match frame {
        Poll::Ready(Some(Ok(frame))) => {
            if let Some(trailers) = frame.trailers_ref() {
                record.note(trailers);
            }
        }
        Poll::Ready(Some(Err(status))) => record.note_code(status.code()),
        Poll::Ready(None) | Poll::Pending => {}
    }
}

/// Logs what only operators may know, and answers with the rest.
fn panicked(record: &Record, panic: &(dyn Any + Send)) -> Refusal {
    let message = lifecycle::panic_message(panic);
    tracing::error!(parent: &record.span, message, "the handler panicked");
    Refusal::internal(record.request_id())
}

/// The end of all streams when the service stops; asked for only where a stream waits.
#[derive(Debug)]
struct Ending {
    token: CancellationToken,
    waiting: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Ending {
    fn new(token: &CancellationToken) -> Self {
        Self { token: token.clone(), waiting: None }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.waiting.get_or_insert_with(|| Box::pin(self.token.clone().cancelled_owned())).as_mut().poll(cx)
    }
}

/// How long the caller waits, by its `grpc-timeout`, but at most `longest`.
fn patience(headers: &HeaderMap, longest: Duration) -> Duration {
    let asked = headers.get("grpc-timeout").and_then(|value| timeout(value.to_str().ok()?));
    asked.map_or(longest, |asked| asked.saturating_sub(ANSWER_MARGIN.min(asked / 10)).min(longest))
}

/// At most eight digits and a unit.
pub(crate) fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::net::Ipv4Addr;

    use tower::{ServiceExt as _, service_fn};

    use super::*;
    use crate::ReadRefusal;

    const UNARY: &str = "/dingzhu.notifications.v1.Templates/ListTemplates";

    #[test]
    fn the_callers_patience_counts_up_to_the_longest() {
        let longest = Duration::from_secs(30);
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            patience(&headers, longest)
        };
        assert_eq!(of("2S"), Duration::from_millis(1995));
        assert_eq!(of("10m"), Duration::from_millis(9));
        assert_eq!(of("500000u"), Duration::from_millis(495));
        assert_eq!(of("1H"), longest);
        for rubbish in ["", "S", "5", "123456789S", "-1S", "5X"] {
            assert_eq!(of(rubbish), longest, "{rubbish}");
        }
        assert_eq!(patience(&HeaderMap::new(), longest), longest);
    }

    /// What a call over `path` is told when its handler never answers.
    async fn told(path: &str, grpc_timeout: Option<&str>, max_call_ms: u64) -> ReadRefusal {
        let settings = Settings { max_call_ms, ..Settings::at((Ipv4Addr::LOCALHOST, 0).into()) };
        let silent = service_fn(|_: Request<Body>| pending::<Result<Response<Body>, Infallible>>());
        let mut request = Request::builder().uri(path);
        if let Some(timeout) = grpc_timeout {
            request = request.header("grpc-timeout", timeout);
        }
        let calls = Calls::new(silent, &settings, CancellationToken::new());
        let Ok(response) = calls.oneshot(request.body(Body::empty()).unwrap()).await;
        Refusal::from_status(&Status::from_header_map(response.headers()).unwrap())
    }

    #[tokio::test]
    async fn the_callers_deadline_is_kept() {
        let refusal = told(UNARY, Some("20m"), 3_600_000).await;
        assert_eq!(refusal.code, tonic::Code::DeadlineExceeded);
        assert_eq!(refusal.reason, crate::DEADLINE_EXCEEDED);
    }

    #[tokio::test]
    async fn without_a_deadline_of_the_callers_the_longest_is_kept() {
        assert_eq!(told(UNARY, None, 20).await.reason, crate::DEADLINE_EXCEEDED);
        assert_eq!(told(UNARY, Some("1H"), 20).await.reason, crate::DEADLINE_EXCEEDED);
    }

    #[tokio::test]
    async fn a_stream_has_no_deadline() {
        let path = "/dingzhu.operations.v1.EventFeed/ReadEvents";
        let waiting = tokio::time::timeout(Duration::from_millis(100), told(path, None, 1)).await;
        assert!(waiting.is_err(), "nobody ends it");
    }
}
