//! The stream of a rule set's dry run: changes up to the size of a page, counts of everything, progress after each batch.

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use proto::applications::v1::dry_run_rules_response::Part;
use proto::applications::v1::{self as wire};
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;

use super::render::int;
use crate::domain::calendar::render_date;
use crate::domain::registration::{Aspect, Outlook};
use crate::handle::{Cursor, DryRun, Handle, Replayed};
use crate::wire as values;

/// What a dry run answers.
pub(super) type Answers = BoxStream<'static, Result<wire::DryRunRulesResponse, Status>>;

/// Bytes of a place in a resume token: agency and position.
const PLACE: usize = 24;

/// A run under way.
struct Run {
    handle: Handle,
    trial: DryRun,
    /// Where the next batch begins; `None` when all have been looked at.
    next: Option<Cursor>,
    /// Changes that are still to be listed.
    room: usize,
    listed: Option<Cursor>,
    /// More has changed than was listed.
    more: bool,
    counts: wire::DryRunProgress,
    _permit: OwnedSemaphorePermit,
}

/// Goes through the applications behind a place, and lists at most `page_size` changes.
pub(super) fn answers(
    handle: Handle,
    run: DryRun,
    after: Cursor,
    page_size: usize,
    permit: OwnedSemaphorePermit,
) -> Answers {
    let run = Run {
        handle,
        trial: run,
        next: Some(after),
        room: page_size,
        listed: None,
        more: false,
        counts: wire::DryRunProgress::default(),
        _permit: permit,
    };
    let batches = stream::try_unfold(run, |mut run| async move {
        let Some(after) = run.next else { return Ok(None) };
        let (replayed, next) = run.handle.replay(&run.trial, after).await.map_err(Status::from)?;
        let parts = run.take(replayed, next);
        Ok::<_, Status>(Some((stream::iter(parts.into_iter().map(Ok)), run)))
    });
    futures::TryStreamExt::try_flatten(batches).boxed()
}

impl Run {
    fn take(&mut self, replayed: Vec<Replayed>, next: Option<Cursor>) -> Vec<wire::DryRunRulesResponse> {
        let looked_at = !replayed.is_empty();
        let mut parts = Vec::new();
        for one in replayed {
            self.counts.examined += 1;
            if one.differences.is_empty() {
                continue;
            }
            self.count(&one);
            if self.room == 0 {
                self.more = true;
                continue;
            }
            (self.room, self.listed) = (self.room - 1, Some(one.place));
            parts.push(part(Part::Change(change(&one))));
        }
        self.next = next;
        if next.is_none() {
            self.counts.done = true;
            self.counts.resume_token = self.listed.filter(|_| self.more).map(token).unwrap_or_default();
        }
        if looked_at || next.is_none() {
            parts.push(part(Part::Progress(self.counts.clone())));
        }
        parts
    }

    fn count(&mut self, one: &Replayed) {
        let counts = &mut self.counts;
        counts.changed += 1;
        for aspect in &one.differences {
            *match aspect {
                Aspect::Proposal => &mut counts.proposal_changed,
                Aspect::Earliest => &mut counts.earliest_date_changed,
                Aspect::Missing => &mut counts.missing_facts_changed,
                Aspect::Route => &mut counts.route_changed,
                Aspect::Scope => &mut counts.scope_changed,
            } += 1;
        }
    }
}

fn part(part: Part) -> wire::DryRunRulesResponse {
    wire::DryRunRulesResponse { part: Some(part) }
}

fn change(one: &Replayed) -> wire::OutcomeChange {
    wire::OutcomeChange {
        key: Some(wire::ApplicationKey {
            certificate_id: one.key.certificate.to_string(),
            enrolment_number: one.key.number.to_string(),
        }),
        before: Some(outlook(&one.before)),
        after: Some(outlook(&one.after)),
    }
}

fn outlook(outlook: &Outlook) -> wire::Outlook {
    wire::Outlook {
        rule_set_version: int(outlook.rules.version),
        assessment: outlook.assessment.as_ref().map(values::assessment),
        earliest_date: outlook.earliest.map(render_date).unwrap_or_default(),
        missing_facts: outlook.missing.iter().map(ToString::to_string).collect(),
        levels: outlook.levels.iter().map(|level| values::level(*level).into()).collect(),
        school_in_scope: outlook.in_scope,
    }
}

fn token(place: Cursor) -> String {
    let mut bytes = place.agency.as_bytes().to_vec();
    bytes.extend_from_slice(&place.position.to_be_bytes());
    rpc::page_token(&bytes)
}

/// The place in a resume token.
pub(super) fn parse_place(bytes: &[u8]) -> Option<Cursor> {
    let bytes: &[u8; PLACE] = bytes.try_into().ok()?;
    let (agency, position) = bytes.split_at(16);
    let position = i64::from_be_bytes(position.try_into().ok()?);
    Some(Cursor { agency: uuid::Uuid::from_slice(agency).ok()?, position })
}
