//! What follows when something is said of a certificate, and what it leaves behind.

use std::collections::BTreeMap;

use decider::Decider;
use time::Date;
use uuid::Uuid;

use super::{
    Announcement, Besides, Command, Conclusion, Conflict, Details, Event, Evidence, Hash, NOBODY, Outcome,
    PriorRegistration, Record, Rejection, Restriction, Source, Standing, State,
};

/// Stands for the reference of a restriction that a row of a certificate tells of: 认定历史库 names no file.
pub(super) const REGISTER: &str = "认定历史库";

/// Decides about one certificate.
pub struct Decisions;

impl Decider for Decisions {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        let mut events = follow(state, command)?;
        if !events.is_empty() {
            // What waited may have waited for this.
            events.extend(events.iter().fold(state.clone(), Self::evolve).due());
        }
        Ok(events)
    }

    fn evolve(state: State, event: &Event) -> State {
        match event {
            Event::Synced { details, source } | Event::Changed { details, source } => {
                State::Known(state.with(details, *source))
            }
            Event::AddedByHand { details, .. } => State::Known(state.with(details, Source::ByHand)),
            Event::Matched { person, .. } => state.changed(|record| record.person = Some(*person)),
            Event::Unmatched => state.changed(|record| record.person = None),
            Event::PriorRegistrationImported(prior) => state.changed(|record| {
                record.prior_registrations.insert(prior.ordinal, (prior.conclusion, prior.concluded));
            }),
            Event::ConflictFound { ordinal, details, besides, source } => state.changed(|record| {
                record.newest = record.newest.max(details.generation);
                record.conflict_count = *ordinal;
                let (details, besides) = (details.clone(), besides.clone());
                record.conflicts.insert(*source, Conflict { ordinal: *ordinal, details, besides });
            }),
            Event::ConflictSettled { ordinal, outcome, .. } => state.changed(|record| record.end(*ordinal, *outcome)),
            Event::Deleted => state.changed(|record| {
                record.leave();
                record.deleted = true;
            }),
            Event::Merged { into, .. } => state.changed(|record| {
                record.leave();
                record.details.holder = NOBODY;
                record.merged_into = Some(*into);
            }),
            Event::Absorbed { merged } => state.changed(|record| {
                record.absorbed.insert(*merged);
            }),
            Event::Restricted { kind, file_reference, .. } => state.changed(|record| {
                record.restriction = Some(*kind);
                record.end_decisions();
                record.waiting.retain(|it| it.file_reference != *file_reference);
                record.decisions.insert(file_reference.clone(), true);
            }),
            Event::RestrictionLifted { .. } => state.changed(|record| {
                record.restriction = None;
                record.end_decisions();
            }),
            Event::RestrictionAnnounced { announcement, .. } => {
                state.deciding(|waiting, _| waiting.push(announcement.clone()))
            }
            Event::RestrictionWithdrawn { file_reference } => state.deciding(|waiting, decisions| {
                waiting.retain(|it| it.file_reference != *file_reference);
                decisions.insert(file_reference.clone(), false);
            }),
            Event::Forgotten { .. } => state.changed(|record| {
                record.leave();
                record.details.holder = NOBODY;
            }),
        }
    }
}

/// What follows at once.
fn follow(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
    match (state, command) {
        (State::Known(record), Command::Forget { person }) if record.person == Some(person) => {
            let forgotten = Event::Forgotten { generation: record.details.generation };
            Ok(record.conflicts.values().map(withdrawn).chain([forgotten]).collect())
        }
        (State::Known(record), Command::ForgetClaims { holder }) => {
            let claims = record.conflicts.values().filter(|conflict| conflict.details.holder == holder);
            Ok(claims.map(withdrawn).collect())
        }
        (_, Command::Forget { .. } | Command::ForgetClaims { .. }) => Ok(Vec::new()),
        (State::Known(record), Command::Sync { details, source, standing: Standing::Deleted, .. }) => {
            Ok(record.delete(details, source))
        }
        (State::Empty | State::Announced(_), Command::Sync { details, source, prior, standing }) => {
            let prior = prior.map(Event::PriorRegistrationImported);
            let standing = match standing {
                Standing::Normal => None,
                Standing::Restricted => Some(by_register()),
                // Nobody enters it by hand.
                Standing::Deleted => Some(Event::Deleted),
            };
            Ok(std::iter::once(Event::Synced { details, source }).chain(prior).chain(standing).collect())
        }
        (State::Known(record), Command::Sync { details, source, prior, standing }) => {
            Ok(record.sync(details, source, prior, standing))
        }
        (State::Empty | State::Announced(_), Command::AddByHand { details, person }) => {
            Ok(vec![Event::AddedByHand { details, person }, Event::Matched { person, evidence: Evidence::AddedByHand }])
        }
        (State::Known(record), Command::AddByHand { details, person }) if record.may_be_entered_again() => Ok(vec![
            Event::AddedByHand { details: record.sealed_for_holder(details), person },
            Event::Matched { person, evidence: Evidence::AddedByHand },
        ]),
        (State::Known(record), Command::AddByHand { details, person }) => Err(record.refuse_entry(&details, person)),
        (State::Known(record), Command::Match { person, holder }) => Ok(match record.person {
            // Whoever was found by what it said before is not its holder any more.
            _ if record.details.holder != holder => Vec::new(),
            Some(known) if known == person => Vec::new(),
            None if record.deleted || record.merged_into.is_some() => Vec::new(),
            _ => vec![Event::Matched { person, evidence: Evidence::NumberAndName }],
        }),
        (State::Known(record), Command::Settle { ordinal, take, file_reference }) => {
            record.settle(ordinal, take, file_reference)
        }
        (State::Known(record), Command::Merge { into, holder, file_reference }) => {
            record.merge(into, holder, file_reference)
        }
        (State::Known(record), Command::Absorb { merged, person, prior_registrations, restriction }) => {
            Ok(record.absorb(merged, person, prior_registrations, restriction))
        }
        (State::Known(Record { restriction: Some(_), .. }), Command::Restrict { .. }) => {
            Err(Rejection::AlreadyRestricted)
        }
        (State::Known(_), Command::Restrict { kind, end, file_reference }) => {
            Ok(vec![Event::Restricted { kind, end, file_reference }])
        }
        (State::Known(Record { restriction: None, .. }), Command::Lift { .. }) => Err(Rejection::NotRestricted),
        (State::Known(_), Command::Lift { file_reference }) => Ok(vec![Event::RestrictionLifted { file_reference }]),
        (_, Command::SyncRestriction { number, holder, kind, end, file_reference }) => {
            Ok(state.restrict(number, Announcement { holder, kind, end, file_reference }))
        }
        (_, Command::SyncLift { holder, file_reference }) => state.lift(holder, file_reference),
        (
            State::Empty | State::Announced(_),
            Command::Match { .. }
            | Command::Settle { .. }
            | Command::Merge { .. }
            | Command::Absorb { .. }
            | Command::Restrict { .. }
            | Command::Lift { .. },
        ) => Err(Rejection::UnknownCertificate),
    }
}

impl Record {
    /// What a row of a register changes. A source that says something else than before changes what it said; of two that
    /// disagree each keeps its word until an officer settles it; of two that agree the record follows the one that has the say.
    fn sync(
        &self,
        details: Details,
        source: Source,
        prior: Option<PriorRegistration>,
        standing: Standing,
    ) -> Vec<Event> {
        let open = self.conflicts.get(&source);
        let digest = details.digest;
        let before = open.filter(|conflict| conflict.details.digest == digest).map(|conflict| &conflict.besides);
        let besides = before.unwrap_or(&Besides::default()).and(prior, standing);
        let is_own_word = self.details.holder == NOBODY || source == self.source;
        let agrees = !self.details.contradicts(&details);
        let follows = if is_own_word {
            let over = self.agreeing(&details).map(withdrawn).collect();
            if digest == self.details.digest { Vec::new() } else { self.change(details, source, over) }
        } else if before == Some(&besides) {
            Vec::new()
        } else if agrees && source < self.source {
            self.change(details, source, open.map(withdrawn).into_iter().collect())
        } else if agrees || self.overruled.get(&source) == Some(&digest) {
            open.map(withdrawn).into_iter().collect()
        } else {
            let (ordinal, generation) = (self.conflict_count + 1, self.newest + 1);
            let details = Details { generation, ..details };
            let found = Event::ConflictFound { ordinal, details, besides, source };
            open.map(withdrawn).into_iter().chain([found]).collect()
        };
        // What else a row tells that contradicts the record counts when it is taken.
        let told = Besides::default().and(prior, standing);
        follows.into_iter().chain(if is_own_word || agrees { self.counts(&told) } else { Vec::new() }).collect()
    }

    /// What is new of what a row tells besides.
    fn counts(&self, told: &Besides) -> Vec<Event> {
        let is_new =
            |(ordinal, said): &(&u32, &(Conclusion, Date))| self.prior_registrations.get(ordinal) != Some(said);
        let news = told.registrations.iter().filter(is_new).map(|(&ordinal, &(conclusion, concluded))| {
            Event::PriorRegistrationImported(PriorRegistration { ordinal, conclusion, concluded })
        });
        // Once is enough: whoever lifts it has the last word.
        let restricts = told.restricted && self.restriction.is_none() && !self.decisions.contains_key(REGISTER);
        news.chain(restricts.then(by_register)).collect()
    }

    /// The record says this from now on, and some conflicts are over. Another holder ends the match with the former one.
    fn change(&self, details: Details, source: Source, over: Vec<Event>) -> Vec<Event> {
        let is_another = self.person.is_some() && self.details.holder != details.holder;
        let changed = Event::Changed { details: self.sealed_for_holder(details), source };
        over.into_iter().chain(is_another.then_some(Event::Unmatched)).chain([changed]).collect()
    }

    /// A register takes its word back: of the record, or of what it contradicts the record in. So does one that has the say over a
    /// record with which it agrees.
    fn delete(&self, details: Details, source: Source) -> Vec<Event> {
        let open = self.conflicts.get(&source).map(withdrawn);
        let deleted = self.conflicts.values().map(withdrawn).chain([Event::Deleted]);
        if source == self.source && !self.deleted {
            deleted.collect()
        } else if source < self.source && !self.details.contradicts(&details) {
            self.change(details, source, Vec::new()).into_iter().chain(deleted).collect()
        } else {
            open.into_iter().collect()
        }
    }

    fn merge(&self, into: Uuid, holder: Hash, file_reference: String) -> Result<Vec<Event>, Rejection> {
        if self.source != Source::ByHand {
            Err(Rejection::NotEnteredByHand)
        } else if self.details.holder == NOBODY || self.details.holder != holder {
            Err(Rejection::HoldersDiffer)
        } else {
            let merged = Event::Merged { into, file_reference, generation: self.details.generation };
            Ok(self.conflicts.values().map(withdrawn).chain([merged]).collect())
        }
    }

    fn absorb(
        &self,
        merged: Uuid,
        person: Option<Uuid>,
        prior_registrations: BTreeMap<u32, (Conclusion, Date)>,
        restriction: Option<(Restriction, Option<Date>, String)>,
    ) -> Vec<Event> {
        if self.absorbed.contains(&merged) {
            return Vec::new();
        }
        let news = prior_registrations.into_iter().filter(|(it, _)| !self.prior_registrations.contains_key(it));
        let news = news.map(|(ordinal, (conclusion, concluded))| {
            Event::PriorRegistrationImported(PriorRegistration { ordinal, conclusion, concluded })
        });
        // What was decided under that reference about this very record, and lifted, stays lifted.
        let restriction = restriction.filter(|(.., decision)| !self.decisions.contains_key(decision));
        let restriction = restriction.filter(|_| self.restriction.is_none());
        let restricted = restriction.map(|(kind, end, file_reference)| Event::Restricted { kind, end, file_reference });
        let matched = person.filter(|_| self.person.is_none());
        let matched = matched.map(|person| Event::Matched { person, evidence: Evidence::Merged });
        std::iter::once(Event::Absorbed { merged }).chain(matched).chain(news).chain(restricted).collect()
    }

    /// One restriction holds at a time.
    fn end_decisions(&mut self) {
        self.decisions.values_mut().for_each(|holds| *holds = false);
    }

    /// It is nobody's, and no row is like it: whatever is said of it next is news, under another key.
    fn leave(&mut self) {
        self.person = None;
        self.details.digest = NOBODY;
        self.newest += 1;
        self.details.generation = self.newest;
    }

    /// The open conflicts that are none once the record says this.
    fn agreeing(&self, details: &Details) -> impl Iterator<Item = &Conflict> {
        self.conflicts.values().filter(|conflict| !details.contradicts(&conflict.details))
    }

    fn settle(&self, ordinal: u32, take: bool, file_reference: String) -> Result<Vec<Event>, Rejection> {
        let open = self.conflicts.iter().find(|(_, conflict)| conflict.ordinal == ordinal);
        let (source, Conflict { details, besides, .. }) = open.ok_or(Rejection::NoSuchConflict)?;
        let (outcome, generation) = (if take { Outcome::Taken } else { Outcome::Kept }, details.generation);
        let settled = Event::ConflictSettled { ordinal, outcome, file_reference, generation };
        let others = self.agreeing(details).filter(|conflict| conflict.ordinal != ordinal).map(withdrawn).collect();
        let changes = if take { self.change(details.clone(), *source, others) } else { Vec::new() };
        let counts = if take { self.counts(besides) } else { Vec::new() };
        Ok(std::iter::once(settled).chain(changes).chain(counts).collect())
    }

    fn end(&mut self, ordinal: u32, outcome: Outcome) {
        let Some(source) = self.conflicts.iter().find(|(_, conflict)| conflict.ordinal == ordinal).map(|(it, _)| *it)
        else {
            return;
        };
        let Some(conflict) = self.conflicts.remove(&source) else { return };
        match outcome {
            Outcome::Kept => drop(self.overruled.insert(source, conflict.details.digest)),
            Outcome::Taken => drop(self.overruled.insert(self.source, self.details.digest)),
            Outcome::Withdrawn => {}
        }
    }

    /// The same under the key of its holder: a new one, unless the holder is the present one or there is none.
    fn sealed_for_holder(&self, details: Details) -> Details {
        let present = self.details.holder == details.holder || self.details.holder == NOBODY;
        let generation = if present { self.details.generation } else { self.newest + 1 };
        Details { generation, ..details }
    }

    /// It was forgotten, and nothing but its person's own word is known of it.
    fn may_be_entered_again(&self) -> bool {
        self.details.holder == NOBODY
            && self.merged_into.is_none()
            && (self.source == Source::ByHand || self.prior_registrations.is_empty())
    }

    fn refuse_entry(&self, entered: &Details, person: Uuid) -> Rejection {
        if self.merged_into.is_some() {
            Rejection::NumberMistyped
        } else if self.person.is_some_and(|owner| owner != person) || self.details.holder != entered.holder {
            Rejection::CertificateOfAnother
        } else if self.deleted {
            Rejection::Deleted
        } else if self.source != Source::ByHand && !self.prior_registrations.is_empty() {
            Rejection::RegisteredBefore
        } else if self.person.is_none() {
            Rejection::Unmatched
        } else {
            Rejection::AlreadyListed
        }
    }
}

impl Details {
    /// Whether two cannot both be true: another holder, kind or date of issue. Subject, agency and the spelling of the name are
    /// written in more than one way.
    fn contradicts(&self, other: &Self) -> bool {
        (self.holder, self.kind, self.issue_date) != (other.holder, other.kind, other.issue_date)
    }
}

/// Its own word on a restriction; the kinds are officers'.
fn by_register() -> Event {
    Event::Restricted { kind: Restriction::Unspecified, end: None, file_reference: REGISTER.to_owned() }
}

fn withdrawn(conflict: &Conflict) -> Event {
    let Conflict { ordinal, details: Details { generation, .. }, .. } = *conflict;
    Event::ConflictSettled { ordinal, outcome: Outcome::Withdrawn, file_reference: String::new(), generation }
}
