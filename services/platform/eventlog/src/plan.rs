//! What becomes of a batch: every command judged in order against what stands in the database, without touching it.

use std::borrow::Cow;
use std::collections::HashMap;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::append::{Append, AppendError, Appended, Claim};
use crate::chain::{Link, digest};
use crate::event::{Metadata, Recorded};

#[cfg(test)]
mod tests;

/// What the caller of one command is told.
pub(crate) type Answer = Result<Appended, AppendError>;

/// An append with everything computed that can be before the lock is held.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) append: Append,
    records: Vec<Record>,
}

/// What is stored and hashed beside an event's own parts.
#[derive(Debug)]
struct Record {
    metadata: Metadata,
    metadata_bytes: Vec<u8>,
    digests: [[u8; 32]; 4],
}

impl Command {
    pub(crate) fn new(append: Append) -> Self {
        let record = |event: &crate::NewEvent| {
            let metadata = Metadata {
                actor: append.actor.clone(),
                request_id: append.request.as_ref().map(|request| request.id),
                traceparent: append.traceparent.clone(),
                cause: append.cause,
                division: event.division,
            };
            let metadata_bytes = metadata.encode();
            let digests = [&event.payload, &event.inner, &event.sealed, &metadata_bytes].map(|part| digest(part));
            Record { metadata, metadata_bytes, digests }
        };
        let records = append.events.iter().map(record).collect();
        Self { append, records }
    }

    /// Bytes that recording it will send, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let answer = self.append.request.as_ref().map_or(0, |request| request.answer.len());
        let events = self.append.events.iter().zip(&self.records);
        events.map(|(event, record)| event.bytes() + record.metadata_bytes.len()).sum::<usize>() + answer
    }
}

/// What stands in the database under the lock, as far as a batch asks.
#[derive(Debug)]
pub(crate) struct Ground<'a> {
    pub(crate) position: i64,
    pub(crate) epoch: i64,
    pub(crate) hash: [u8; 32],
    /// PostgreSQL's clock, never before the last event.
    pub(crate) now: OffsetDateTime,
    /// Of every stream in the batch.
    pub(crate) versions: HashMap<Uuid, i64>,
    /// Of the requests in the batch, those answered before.
    pub(crate) requests: HashMap<RequestId<'a>, Kept<'a>>,
    /// Of the claims in the batch, those that somebody has.
    pub(crate) claims: HashMap<ClaimKey<'a>, Held>,
}

/// Actor and id of a request.
pub(crate) type RequestId<'a> = (&'a str, Uuid);

/// Kind and key of a claim.
pub(crate) type ClaimKey<'a> = (&'static str, &'a [u8]);

/// An answer given before, in the database or in this batch.
#[derive(Clone, Debug)]
pub(crate) struct Kept<'a> {
    pub(crate) fingerprint: [u8; 32],
    pub(crate) position: i64,
    pub(crate) recorded_at: OffsetDateTime,
    pub(crate) answer: Cow<'a, [u8]>,
}

/// How a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Since before this batch.
    Before,
    /// Taken in this batch, with the event at this position.
    Now(i64),
    /// No more: given back in this batch.
    Released,
}

/// By what a committed transaction can be recognised afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Witness {
    /// This event stands at this position.
    Event { position: i64, event_id: Uuid },
    /// The request of the command with this index in the batch was kept at this position and time.
    Request { command: usize, position: i64, recorded_at: OffsetDateTime },
}

/// Columns of the new rows of `event_log`, in log order.
#[derive(Debug, Default)]
pub(crate) struct EventRows<'a> {
    pub(crate) position: Vec<i64>,
    pub(crate) epoch: Vec<i64>,
    pub(crate) stream: Vec<Uuid>,
    pub(crate) version: Vec<i64>,
    pub(crate) kind: Vec<&'a str>,
    pub(crate) payload: Vec<&'a [u8]>,
    pub(crate) inner: Vec<&'a [u8]>,
    pub(crate) sealed: Vec<&'a [u8]>,
    pub(crate) metadata: Vec<&'a [u8]>,
    pub(crate) event_id: Vec<Uuid>,
    pub(crate) hash: Vec<[u8; 32]>,
}

/// Columns of the new rows of `request`.
#[derive(Debug, Default)]
pub(crate) struct RequestRows<'a> {
    pub(crate) actor: Vec<&'a str>,
    pub(crate) request_id: Vec<Uuid>,
    pub(crate) fingerprint: Vec<&'a [u8]>,
    pub(crate) position: Vec<i64>,
    pub(crate) answer: Vec<&'a [u8]>,
}

/// A judged batch: the answer of every command, and the rows to write before the answers are true.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) answers: Vec<Answer>,
    pub(crate) events: EventRows<'a>,
    pub(crate) requests: RequestRows<'a>,
    claims: HashMap<ClaimKey<'a>, Held>,
    /// Position of the last event once the plan is carried out.
    pub(crate) head: i64,
    pub(crate) now: OffsetDateTime,
    /// Hash of the last event before.
    previous: [u8; 32],
    first_request: Option<(usize, i64)>,
}

impl Plan<'_> {
    /// Whether there is anything to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.position.is_empty()
            && self.requests.request_id.is_empty()
            && self.claims.values().all(|held| *held == Held::Before)
    }

    /// Claims that are somebody's afterwards and were not before, with the position where they were taken.
    pub(crate) fn taken(&self) -> impl Iterator<Item = (ClaimKey<'_>, i64)> {
        self.claims.iter().filter_map(|(key, held)| match held {
            Held::Now(position) => Some((*key, *position)),
            Held::Before | Held::Released => None,
        })
    }

    /// Claims that are nobody's afterwards.
    pub(crate) fn released(&self) -> impl Iterator<Item = ClaimKey<'_>> {
        self.claims.iter().filter(|(_, held)| **held == Held::Released).map(|(key, _)| *key)
    }

    /// By what to recognise that the plan was carried out; nothing when it only moves claims.
    pub(crate) fn witness(&self) -> Option<Witness> {
        match (self.events.position.first(), self.events.event_id.first(), self.first_request) {
            (Some(&position), Some(&event_id), _) => Some(Witness::Event { position, event_id }),
            (_, _, Some((command, position))) => Some(Witness::Request { command, position, recorded_at: self.now }),
            _ => None,
        }
    }
}

/// Where the events of a batch stand in the log, once it is committed.
#[derive(Debug)]
pub(crate) struct Placed {
    /// Position of the log's last event.
    pub(crate) head: i64,
    /// Hash of the event before the first.
    pub(crate) previous: [u8; 32],
    recorded_at: OffsetDateTime,
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    position: i64,
    epoch: i64,
    version: i64,
    hash: [u8; 32],
}

impl Plan<'_> {
    /// The answers, and where the events stand.
    pub(crate) fn carried_out(self) -> (Vec<Answer>, Placed) {
        let EventRows { position, epoch, version, hash, .. } = self.events;
        let rows = position.into_iter().zip(epoch).zip(version).zip(hash);
        let place = |(((position, epoch), version), hash)| Place { position, epoch, version, hash };
        let places = rows.map(place).collect();
        (self.answers, Placed { head: self.head, previous: self.previous, recorded_at: self.now, places })
    }
}

impl Placed {
    /// The events of the batch as they stand in the log: those of the commands that these answers accept.
    pub(crate) fn recorded(self, commands: Vec<Command>, answers: &[Answer]) -> impl Iterator<Item = Recorded> {
        let accepted = |(_, answer): &(_, &Answer)| answer.as_ref().is_ok_and(|appended| !appended.repeated);
        let accepted = commands.into_iter().zip(answers).filter(accepted);
        let events = accepted.flat_map(|(Command { append, records }, _)| {
            append.events.into_iter().zip(records).map(move |(event, record)| (append.stream, event, record))
        });
        self.places.into_iter().zip(events).map(move |(place, (stream, event, record))| Recorded {
            position: place.position,
            epoch: place.epoch,
            stream,
            version: place.version,
            kind: event.kind,
            payload: event.payload,
            inner: event.inner,
            sealed: event.sealed,
            metadata: record.metadata,
            metadata_bytes: record.metadata_bytes,
            event_id: event.event_id,
            recorded_at: self.recorded_at,
            hash: place.hash,
        })
    }
}

/// Judges the commands in order: each sees the effects of those before it.
pub(crate) fn plan<'a>(ground: Ground<'a>, commands: &'a [Command]) -> Plan<'a> {
    let Ground { position, epoch, hash, now, versions, requests, claims } = ground;
    let plan = Plan {
        answers: Vec::with_capacity(commands.len()),
        events: EventRows::default(),
        requests: RequestRows::default(),
        claims,
        head: position,
        now,
        previous: hash,
        first_request: None,
    };
    let mut planner = Planner { plan, epoch, hash, versions, kept: requests };
    for (index, command) in commands.iter().enumerate() {
        let answer = planner.judge(index, command);
        planner.plan.answers.push(answer);
    }
    planner.plan
}

struct Planner<'a> {
    plan: Plan<'a>,
    epoch: i64,
    hash: [u8; 32],
    versions: HashMap<Uuid, i64>,
    kept: HashMap<RequestId<'a>, Kept<'a>>,
}

impl<'a> Planner<'a> {
    fn judge(&mut self, index: usize, command: &'a Command) -> Answer {
        let append = &command.append;
        if let Some(request) = &append.request
            && let Some(kept) = self.kept.get(&(append.actor.as_str(), request.id))
        {
            return repeat(kept, &request.fingerprint);
        }
        if let Some(not_before) = append.not_before
            && self.plan.now < not_before
        {
            return Err(AppendError::TooEarly { now: self.plan.now, not_before });
        }
        if let Some(not_after) = append.not_after
            && self.plan.now >= not_after
        {
            return Err(AppendError::TooLate { now: self.plan.now, not_after });
        }
        let version = self.versions.get(&append.stream).copied().unwrap_or_default();
        if version != append.expected_version {
            return Err(AppendError::VersionConflict { expected: append.expected_version, actual: version });
        }
        self.claim(append)?;
        self.record(command, version);
        self.remember(index, append);
        Ok(Appended {
            position: self.plan.head,
            version: self.versions[&append.stream],
            recorded_at: self.plan.now,
            answer: append.request.as_ref().map(|request| request.answer.clone()).unwrap_or_default(),
            repeated: false,
        })
    }

    /// Takes and releases in the order given; all of it, or nothing.
    fn claim(&mut self, append: &'a Append) -> Result<(), AppendError> {
        let position = self.plan.head + i64::try_from(append.events.len()).expect("a command's events can be counted");
        let mut changed: Vec<(ClaimKey<'a>, Held)> = Vec::with_capacity(append.claims.len());
        for claim in &append.claims {
            let key = claim.key();
            let recent = changed.iter().rev().find(|(other, _)| *other == key).map(|(_, held)| *held);
            let held = recent.or_else(|| self.plan.claims.get(&key).copied());
            match (claim, held) {
                (Claim::Take { kind, .. }, Some(Held::Before | Held::Now(_))) => {
                    return Err(AppendError::ClaimTaken { kind });
                }
                (Claim::Take { .. }, Some(Held::Released) | None) => changed.push((key, Held::Now(position))),
                (Claim::Release { .. }, Some(Held::Before | Held::Now(_))) => changed.push((key, Held::Released)),
                (Claim::Release { .. }, Some(Held::Released) | None) => {}
            }
        }
        self.plan.claims.extend(changed);
        Ok(())
    }

    fn record(&mut self, command: &'a Command, mut version: i64) {
        let append = &command.append;
        let rows = &mut self.plan.events;
        for (event, record) in append.events.iter().zip(&command.records) {
            version += 1;
            self.plan.head += 1;
            // The log's own stream holds nothing but the beginnings of epochs.
            self.epoch += i64::from(append.stream.is_nil());
            let [payload, inner, sealed, metadata] = &record.digests;
            let link = Link {
                previous: &self.hash,
                position: self.plan.head,
                epoch: self.epoch,
                stream: append.stream,
                version,
                kind: &event.kind,
                payload,
                inner,
                sealed,
                metadata,
                event_id: event.event_id,
                recorded_at: self.plan.now,
            };
            self.hash = link.hash();
            rows.position.push(self.plan.head);
            rows.epoch.push(self.epoch);
            rows.stream.push(append.stream);
            rows.version.push(version);
            rows.kind.push(&event.kind);
            rows.payload.push(&event.payload);
            rows.inner.push(&event.inner);
            rows.sealed.push(&event.sealed);
            rows.metadata.push(&record.metadata_bytes);
            rows.event_id.push(event.event_id);
            rows.hash.push(self.hash);
        }
        self.versions.insert(append.stream, version);
    }

    fn remember(&mut self, index: usize, append: &'a Append) {
        let Some(request) = &append.request else { return };
        let rows = &mut self.plan.requests;
        rows.actor.push(&append.actor);
        rows.request_id.push(request.id);
        rows.fingerprint.push(&request.fingerprint);
        rows.position.push(self.plan.head);
        rows.answer.push(&request.answer);
        self.plan.first_request.get_or_insert((index, self.plan.head));
        let kept = Kept {
            fingerprint: request.fingerprint,
            position: self.plan.head,
            recorded_at: self.plan.now,
            answer: Cow::Borrowed(&request.answer),
        };
        self.kept.insert((&append.actor, request.id), kept);
    }
}

fn repeat(kept: &Kept<'_>, fingerprint: &[u8; 32]) -> Answer {
    if kept.fingerprint != *fingerprint {
        return Err(AppendError::RequestIdReused);
    }
    Ok(Appended {
        position: kept.position,
        version: 0,
        recorded_at: kept.recorded_at,
        answer: kept.answer.to_vec(),
        repeated: true,
    })
}
