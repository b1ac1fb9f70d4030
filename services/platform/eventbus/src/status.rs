//! The service at a glance: log, relay, feeds.

use std::collections::HashMap;

use proto::operations::v1::relay_status::State;
use proto::operations::v1::{FeedStatus, GetStatusResponse, LogStatus, RelayStatus};
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::feed::Feed;
use crate::fork::{self, Stand};
use crate::{BusHandle, parking};

pub(crate) async fn status(handle: &BusHandle) -> Result<GetStatusResponse, sqlx::Error> {
    let core = &handle.0.core;
    let now = lifecycle::clock::now();
    let newest = "SELECT position, epoch FROM public.event_log ORDER BY position DESC LIMIT 1";
    let newest: Option<(i64, i64)> = sqlx::query_as(newest).fetch_optional(&core.pool).await?;
    let (head, epoch) = newest.unwrap_or((0, 1));
    let parked: HashMap<String, i64> = parking::counts(&core.pool).await?.into_iter().collect();
    let mut feeds = Vec::with_capacity(core.feeds.len());
    for feed in &core.feeds {
        let own = feed.source == core.service;
        feeds.push(feed_status(feed, own.then_some((&core.pool, head)), &parked, now).await?);
    }
    Ok(GetStatusResponse {
        service: core.service.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        log: Some(LogStatus { head, epoch, queued: i64::try_from(core.log.queued()).unwrap_or(i64::MAX) }),
        relay: Some(relay_status(handle, head).await?),
        feeds,
        time: Some(rpc::timestamp(now)),
    })
}

async fn relay_status(handle: &BusHandle, head: i64) -> Result<RelayStatus, sqlx::Error> {
    let kept = fork::state(&handle.0.core.pool).await?;
    let here = handle.0.relay_report();
    // Whoever does not publish now knows only what was kept, every few seconds and when publishing began.
    let published = if here.state == State::Running { here.published } else { kept.published };
    let (state, problem) = match (kept.stand, handle.0.nats.refusal()) {
        (Stand::Forked, _) => (State::Forked, kept.problem.unwrap_or_default()),
        (_, Some(refusal)) if here.problem.is_empty() => (here.state, format!("NATS refuses: {refusal}")),
        _ => (here.state, here.problem),
    };
    Ok(RelayStatus {
        state: state.into(),
        published,
        lag: (head - published).max(0),
        problem,
        fork_digest: kept.fork_digest.unwrap_or_default(),
    })
}

async fn feed_status(
    feed: &Feed,
    own: Option<(&PgPool, i64)>,
    parked: &HashMap<String, i64>,
    now: OffsetDateTime,
) -> Result<FeedStatus, sqlx::Error> {
    let progress = feed.progress.borrow().clone();
    let head = own.map_or(progress.source_head, |(_, head)| head);
    let lag = (head - progress.position).max(0);
    let oldest_unread_at = match own {
        Some((pool, _)) if lag > 0 => {
            let next = sqlx::query_scalar("SELECT recorded_at FROM public.event_log WHERE position = $1");
            next.bind(progress.position + 1).fetch_optional(pool).await?
        }
        _ => progress.oldest_unread_at,
    };
    let age = oldest_unread_at.map_or(0.0, |at| (now - at).as_seconds_f64().max(0.0));
    Ok(FeedStatus {
        name: feed.name.to_owned(),
        source: feed.source.to_owned(),
        position: progress.position,
        lag,
        oldest_unread_age_seconds: age,
        parked: parked.get(feed.name).copied().unwrap_or_default(),
        reached_head: progress.reached_head(),
        problem: progress.problem.unwrap_or_default(),
        rebuildable: feed.view().is_some(),
    })
}
