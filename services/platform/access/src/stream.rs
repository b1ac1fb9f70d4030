//! A stream that rests on a role ends with the role: neither an upload nor an answer goes on by what was taken back meanwhile.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use rpc::Refusal;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::layer::outdated;
use crate::{Authority, Caller};

/// How often it is looked whether the caller still may.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// An upload that brings nothing for so many looks is broken off: it keeps others from their place.
const SILENT_LOOKS: u32 = 60;

/// What a stream began with, all of which has to hold for as long as it lasts.
#[derive(Debug)]
pub(crate) struct Rights {
    authority: Authority,
    /// With the roles that the stream rests on.
    caller: Caller,
    /// Something is changed by it: that needs to be known for sure.
    changing: bool,
    /// Why the upload was broken off, which is what the caller is told whatever the handler makes of it.
    ended: OnceLock<Status>,
}

impl Rights {
    pub(crate) fn new(authority: Authority, caller: Caller, changing: bool) -> Self {
        Self { authority, caller, changing, ended: OnceLock::new() }
    }

    /// Why the upload was broken off, if it was.
    pub(crate) fn ended(&self) -> Option<Status> {
        self.ended.get().cloned()
    }

    fn end(&self, refusal: Refusal) -> Status {
        self.ended.get_or_init(|| refusal.into()).clone()
    }

    fn still_hold(&self) -> Result<(), Refusal> {
        let (Some(person), Some(known)) = (&self.caller.person, self.authority.now()) else { return Ok(()) };
        let now = known.grants.get(&person.id).map(|grants| &**grants).unwrap_or_default();
        let lost = self.caller.grants.iter().any(|grant| !now.contains(grant));
        let restricted = !person.restricted && known.restricted.contains(&person.id);
        if lost || restricted || known.erased.contains(&person.id) {
            return Err(Refusal::new(
                Code::Aborted,
                "RIGHTS_CHANGED",
                "您的岗位权限已变更，本次操作已中止，请重新办理。",
            ));
        }
        if self.changing && !self.authority.is_current() { Err(outdated()) } else { Ok(()) }
    }
}

fn looks() -> Interval {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

/// What the caller sends.
struct Upload {
    inner: Body,
    rights: Arc<Rights>,
    looks: Interval,
    silent: u32,
}

/// What the caller is sent.
struct Answer {
    inner: Body,
    rights: Arc<Rights>,
    looks: Interval,
    over: bool,
}

/// The body of a request for as long as these rights hold.
pub(crate) fn upload(inner: Body, rights: Arc<Rights>) -> Body {
    Body::new(Upload { inner, rights, looks: looks(), silent: 0 })
}

/// The body of an answer for as long as these rights hold.
pub(crate) fn answer(inner: Body, rights: Arc<Rights>) -> Body {
    Body::new(Answer { inner, rights, looks: looks(), over: false })
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        if polled.is_ready() {
            this.silent = 0;
        }
        // What has come is judged at once, what may yet come now and then.
        let mut looked = polled.is_pending();
        while this.looks.poll_tick(cx).is_ready() {
            (looked, this.silent) = (false, this.silent + 1);
        }
        if !looked && let Err(refusal) = this.rights.still_hold() {
            return Poll::Ready(Some(Err(this.rights.end(refusal))));
        }
        if polled.is_pending() && this.silent > SILENT_LOOKS {
            return Poll::Ready(Some(Err(this.rights.end(stalled()))));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        let mut ended = this.rights.ended();
        while ended.is_none() && this.looks.poll_tick(cx).is_ready() {
            ended = this.rights.still_hold().err().map(Status::from);
        }
        if let Some(status) = ended {
            this.over = true;
            return Poll::Ready(Some(Ok(Frame::trailers(status.into_http::<()>().into_parts().0.headers))));
        }
        Pin::new(&mut this.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn stalled() -> Refusal {
    Refusal::new(Code::Aborted, "UPLOAD_STALLED", "上传长时间没有进展，已停止接收，请检查网络后重新上传。")
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use http_body::Body as _;

    use super::*;
    use crate::ServiceKeys;

    struct Silence;

    impl http_body::Body for Silence {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_stalls_is_broken_off_and_the_caller_is_told_so_whatever_the_handler_says() {
        let authority = Authority::new("certificates", ServiceKeys::default());
        let rights = Arc::new(Rights::new(authority, Caller::default(), false));
        let mut upload = upload(Body::new(Silence), Arc::clone(&rights));
        let begin = tokio::time::Instant::now();
        let broken = poll_fn(|cx| Pin::new(&mut upload).poll_frame(cx)).await.unwrap().unwrap_err();
        assert_eq!(Refusal::from_status(&broken).reason, "UPLOAD_STALLED");
        assert_eq!(begin.elapsed(), LOOK_EVERY * SILENT_LOOKS);

        let mut answer = answer(Body::new("UPLOAD_BROKEN".to_owned()), rights);
        let told = poll_fn(|cx| Pin::new(&mut answer).poll_frame(cx)).await.unwrap().unwrap();
        let told = Status::from_header_map(told.trailers_ref().unwrap()).unwrap();
        assert_eq!(Refusal::from_status(&told).reason, "UPLOAD_STALLED");
        assert!(answer.is_end_stream());
    }
}
