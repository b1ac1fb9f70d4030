//! `Operations`: status, parked events, redrive, rebuild, verification, forks and rewinding, the same for every service.

use std::pin::Pin;
use std::sync::Arc;

use eventlog::Verdict;
use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use proto::operations::v1::operations_server::Operations;
use proto::operations::v1::resolve_fork_request::Step;
use proto::operations::v1::{
    GetStatusRequest, GetStatusResponse, ListParkedEventsRequest, ListParkedEventsResponse, RebuildViewRequest,
    RebuildViewResponse, RedriveParkedEventsRequest, RedriveParkedEventsResponse, ResolveForkRequest,
    ResolveForkResponse, RewindReactionRequest, RewindReactionResponse, VerifyLogRequest, VerifyLogResponse,
};
use rpc::{Refusal, Violations};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tonic::{Extensions, Request, Response, Status};
use uuid::Uuid;

use crate::checkpoint::MoveError;
use crate::fork::{self, ResolveError};
use crate::rebuild::{RebuildError, RebuildProgress};
use crate::rewind::{self, RewindError};
use crate::{BusHandle, parking};

const PARKED_PAGE: i32 = 100;
const MAX_PARKED_PAGE: i32 = 1_000;
/// Characters of the reason for ending a fork.
const LONGEST_REASON: usize = 500;

type Actor = Arc<dyn Fn(&Extensions) -> Option<String> + Send + Sync>;
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Serves `Operations` for one service.
pub struct Operator {
    handle: BusHandle,
    actor: Actor,
}

impl Operator {
    pub(crate) fn new(handle: BusHandle, actor: Actor) -> Self {
        Self { handle, actor }
    }
}

#[tonic::async_trait]
impl Operations for Operator {
    type RebuildViewStream = Answers<RebuildViewResponse>;
    type VerifyLogStream = Answers<VerifyLogResponse>;

    async fn get_status(&self, _: Request<GetStatusRequest>) -> Result<Response<GetStatusResponse>, Status> {
        self.handle.status().await.map(Response::new).map_err(|error| storage(&error))
    }

    async fn list_parked_events(
        &self,
        request: Request<ListParkedEventsRequest>,
    ) -> Result<Response<ListParkedEventsResponse>, Status> {
        let ListParkedEventsRequest { feed, page_size, page_token } = request.into_inner();
        let size = if page_size <= 0 { PARKED_PAGE } else { page_size.min(MAX_PARKED_PAGE) };
        let behind = page_token.split_once(' ').and_then(|(feed, position)| Some((feed, position.parse().ok()?)));
        let mut violations = Violations::new();
        if behind.is_none() && !page_token.is_empty() {
            violations.add("page_token", "NOT_A_PAGE_TOKEN", "翻页标记无效,请从第一页重新查询。");
        }
        violations.into_result()?;
        let feed = Some(feed.as_str()).filter(|feed| !feed.is_empty());
        let pool = &self.handle.0.core.pool;
        let events = parking::list(pool, feed, behind.unwrap_or_default(), size.into()).await;
        let events = events.map_err(|error| storage(&error))?;
        let full = i32::try_from(events.len()) == Ok(size);
        let next_page_token = events.last().filter(|_| full).map(|last| format!("{} {}", last.feed, last.position));
        Ok(Response::new(ListParkedEventsResponse { events, next_page_token: next_page_token.unwrap_or_default() }))
    }

    async fn redrive_parked_events(
        &self,
        request: Request<RedriveParkedEventsRequest>,
    ) -> Result<Response<RedriveParkedEventsResponse>, Status> {
        let RedriveParkedEventsRequest { feed, key } = request.into_inner();
        let core = Arc::clone(&self.handle.0.core);
        let known = core.feeds.iter().find(|known| known.name == feed && known.reaction().is_some());
        let known = Arc::clone(known.ok_or_else(|| Refusal::not_found("feed", &feed))?);
        let mut violations = Violations::new();
        let key: Option<Uuid> = if key.is_empty() { None } else { rpc::parse_uuid("key", &key, &mut violations) };
        violations.into_result()?;
        let redrive = async move { parking::redrive(&core, &known, key).await };
        let redriven = rpc::run(&self.handle.0.lifecycle, redrive).await.map_err(|error| storage(&error))?;
        Ok(Response::new(RedriveParkedEventsResponse {
            applied: redriven.applied,
            still_parked: redriven.still_parked,
        }))
    }

    async fn rebuild_view(
        &self,
        request: Request<RebuildViewRequest>,
    ) -> Result<Response<Self::RebuildViewStream>, Status> {
        let view = request.into_inner().view;
        let (sender, progress) = watch::channel(RebuildViewResponse::default());
        let handle = self.handle.clone();
        let work = async move {
            let tell = |at: RebuildProgress| {
                let answer = RebuildViewResponse { position: at.position, target: at.target, ..Default::default() };
                sender.send_replace(answer);
            };
            let rebuilt = handle.rebuild(&view, tell).await.map_err(|error| refuse_rebuild(&error, &view))?;
            Ok(RebuildViewResponse {
                position: rebuilt.position,
                target: rebuilt.position,
                done: true,
                live_digest: rebuilt.live_digest,
                rebuilt_digest: rebuilt.rebuilt_digest,
            })
        };
        Ok(Response::new(self.stream(progress, work)))
    }

    async fn verify_log(&self, request: Request<VerifyLogRequest>) -> Result<Response<Self::VerifyLogStream>, Status> {
        let from = request.into_inner().from_position.max(1);
        let (sender, progress) = watch::channel(VerifyLogResponse::default());
        let log = self.handle.0.core.log.clone();
        let work = async move {
            let tell = |position, head| {
                sender.send_replace(VerifyLogResponse { position, head, ..Default::default() });
            };
            let verdict = log.verify(from, tell).await.map_err(|error| {
                tracing::error!(%error, "the log could not be verified");
                Status::from(Refusal::unavailable("event_log"))
            })?;
            Ok(match verdict {
                Verdict::Intact { head } => {
                    VerifyLogResponse { position: head, head, done: true, intact: true, broken_at: 0 }
                }
                Verdict::Broken { position } => VerifyLogResponse {
                    position,
                    head: sender.borrow().head,
                    done: true,
                    intact: false,
                    broken_at: position,
                },
            })
        };
        Ok(Response::new(self.stream(progress, work)))
    }

    async fn resolve_fork(
        &self,
        request: Request<ResolveForkRequest>,
    ) -> Result<Response<ResolveForkResponse>, Status> {
        let actor = self.actor(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::new();
        let step = Step::try_from(request.step).unwrap_or_default();
        if step == Step::Unspecified {
            violations.add("step", "REQUIRED", "请选择“提出”或“批准”。");
        }
        if step == Step::Propose && request.reason.trim().is_empty() {
            violations.add("reason", "REQUIRED", "请说明处理理由。");
        }
        let fits = request.reason.chars().count() <= LONGEST_REASON;
        violations.check("reason", fits, "TOO_LONG", format!("处理理由不超过{LONGEST_REASON}个字，请精简后再提交。"));
        let is_plain = !request.reason.contains(|c: char| c.is_control() && c != '\n');
        violations.check("reason", is_plain, "NOT_PLAIN_TEXT", "处理理由不能含有控制字符，请删去后重试。");
        violations.into_result()?;
        let core = Arc::clone(&self.handle.0.core);
        let ResolveForkRequest { fork_digest, reason, .. } = request;
        let resolve = async move {
            if step == Step::Propose {
                return fork::propose(&core, &fork_digest, &actor, &reason).await.map(|()| 0);
            }
            fork::approve(&core, &fork_digest, &actor).await
        };
        let epoch = rpc::run(&self.handle.0.lifecycle, resolve).await.map_err(|error| refuse_resolve(&error))?;
        Ok(Response::new(ResolveForkResponse { epoch }))
    }

    async fn rewind_reaction(
        &self,
        request: Request<RewindReactionRequest>,
    ) -> Result<Response<RewindReactionResponse>, Status> {
        let actor = self.actor(&request)?;
        let RewindReactionRequest { reaction } = request.into_inner();
        let core = Arc::clone(&self.handle.0.core);
        let known = core.feeds.iter().find(|known| known.name == reaction && known.reaction().is_some());
        let known = Arc::clone(known.ok_or_else(|| {
            Refusal::rejected("UNKNOWN_REACTION", "没有这个反应，可用 GetStatus 查看；视图请用 RebuildView 重建。")
                .with("reaction", &reaction)
        })?);
        let rewind = async move { rewind::rewind(&core, &known, &actor).await };
        let rewound = rpc::run(&self.handle.0.lifecycle, rewind).await;
        let rewound = rewound.map_err(|error| refuse_rewind(&error, &reaction))?;
        Ok(Response::new(RewindReactionResponse { position: rewound.position, dropped: rewound.dropped }))
    }
}

impl Operator {
    /// Who calls.
    fn actor<T>(&self, request: &Request<T>) -> Result<String, Refusal> {
        (self.actor)(request.extensions())
            .ok_or_else(|| Refusal::unauthenticated("UNAUTHENTICATED", "请先登录后再操作。"))
    }

    /// Does long work in a task of its own and streams what is newest of its progress, then its result. A caller that
    /// goes away does not end it.
    fn stream<T: Clone + Send + Sync + 'static>(
        &self,
        progress: watch::Receiver<T>,
        work: impl Future<Output = Result<T, Status>> + Send + 'static,
    ) -> Answers<T> {
        let lifecycle = self.handle.0.lifecycle.clone();
        let work = async move { rpc::run(&lifecycle, work).await }.boxed();
        let progress = WatchStream::from_changes(progress);
        let answers = stream::unfold(Some((progress, work)), |state| async move {
            let (mut progress, mut work) = state?;
            tokio::select! {
                biased;
                result = &mut work => Some((result, None)),
                Some(step) = progress.next() => Some((Ok(step), Some((progress, work)))),
            }
        });
        answers.boxed()
    }
}

fn storage(error: &sqlx::Error) -> Status {
    tracing::error!(%error, "an operation on the bus failed");
    Refusal::unavailable("database").into()
}

fn refuse_rebuild(error: &RebuildError, view: &str) -> Status {
    match error {
        RebuildError::UnknownView => {
            Refusal::rejected("UNKNOWN_VIEW", "没有这个视图,可用 GetStatus 查看可重建的视图。")
                .with("view", view)
                .into()
        }
        RebuildError::Running => Refusal::rejected("REBUILD_RUNNING", "该视图正在重建,请等待完成。").into(),
        RebuildError::Storage(error) => storage(error),
        RebuildError::Away(reason) => {
            tracing::warn!(view, reason, "the view was not rebuilt");
            Refusal::unavailable("events").into()
        }
        RebuildError::View(_) | RebuildError::Source(_) => {
            tracing::error!(
                view,
                error = error as &dyn std::error::Error,
                "the rebuild failed; the live view is untouched"
            );
            Refusal::internal(rpc::request_id()).into()
        }
    }
}

fn refuse_resolve(error: &ResolveError) -> Status {
    match error {
        ResolveError::NotForked => Refusal::rejected("NOT_FORKED", "事件流与日志一致,无需处理。").into(),
        ResolveError::DigestMismatch => {
            Refusal::rejected("DIGEST_MISMATCH", "分叉摘要不符,请用 GetStatus 查看当前的摘要。").into()
        }
        ResolveError::NoProposal => Refusal::rejected("NO_PROPOSAL", "尚无人提出处理,请先由一人提出。").into(),
        ResolveError::SecondPersonNeeded => {
            Refusal::rejected("SECOND_PERSON_NEEDED", "提出人不能自行批准,请由另一名操作员批准。").into()
        }
        ResolveError::Storage(error) => storage(error),
        ResolveError::Append(error) => {
            tracing::error!(%error, "the new epoch could not be started");
            Refusal::unavailable("event_log").into()
        }
    }
}

fn refuse_rewind(error: &RewindError, reaction: &str) -> Status {
    match error {
        RewindError::SameHistory => Refusal::rejected(
            "SAME_HISTORY",
            "来源仍有该反应最后处理的事件，不能回退；停滞的原因请用 GetStatus 和 ListParkedEvents 查看。",
        )
        .into(),
        RewindError::Away(error) => {
            tracing::warn!(reaction, %error, "the reaction was not rewound");
            Refusal::unavailable("events").into()
        }
        RewindError::Move(MoveError::Moved) => Refusal::conflict().into(),
        RewindError::Move(MoveError::Storage(error)) => storage(error),
    }
}
