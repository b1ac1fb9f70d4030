//! Use cases: load, decide, seal, append; again when somebody else was faster.

pub mod corrections;
pub mod settling;

use std::collections::HashMap;
use std::sync::Arc;

use decider::Decider;
use eventbus::Reference;
use eventlog::{Append, AppendError, Appended, Claim, Division, EventLog, NewEvent, Recorded, Remembered, RequestKey};
use lifecycle::ids;
use uuid::Uuid;
use vault::{Index, PersonKey, Vault};

use crate::domain::agency::Agencies;
use crate::domain::certificate::{Command, Decisions, Details, Event, Hash, Rejection, State};
use crate::domain::name;
use crate::domain::number::Number;
use crate::error::Error;
use crate::store::lookup::{CERTIFICATE, FORGOTTEN, FORMER, Generations, forgotten_key, former_key};
use crate::store::{self, Personal};

/// Attempts at a command while others change the same record.
const ATTEMPTS: usize = 5;

/// Who asks, and by which request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// As the log names them.
    pub actor: String,
    /// The request, where it can come again; a reaction's too.
    pub request: Option<(Uuid, [u8; 32])>,
    /// The event that this is a reaction to.
    pub cause: Option<Uuid>,
}

/// What is answered, and where the log stood afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The encoded answer: the first one, when the request came again.
    pub answer: Vec<u8>,
    /// Position of the last event.
    pub position: i64,
}

/// What happens to a record, with what is to be sealed in it where something is.
pub type Said = (Event, Option<Vec<u8>>);

/// A record as it stands.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The record's id.
    pub id: Uuid,
    /// Its version, 0 for none.
    pub version: i64,
    /// The province that its number names, known also when the number itself cannot be read any more.
    pub division: Division,
    /// Its state.
    pub state: State,
}

impl Loaded {
    /// A record of a number of which nothing is known yet.
    pub fn unknown(number: &str) -> Self {
        Self { id: ids::random(), version: 0, division: division_of(number), state: State::Empty }
    }

    /// Whether it is of such a province; where the number names none it is everybody's.
    pub fn is_of_province(&self, covers: impl Fn(Division) -> bool) -> bool {
        self.division == Division::NONE || covers(self.division)
    }

    /// Id of the key that seals what is personal in this record as long as it has this holder.
    pub fn key_id(&self) -> Uuid {
        key_id(self.id, self.state.record().map_or(0, |record| record.details.generation))
    }
}

/// Id of a key of a record, by its generation.
pub fn key_id(certificate: Uuid, generation: u32) -> Uuid {
    if generation == 0 { certificate } else { Uuid::new_v5(&certificate, &generation.to_be_bytes()) }
}

/// The use cases. Clones share everything.
#[derive(Clone, Debug)]
pub struct Handle {
    log: EventLog,
    vault: Vault,
    numbers: Index,
    holders: Index,
    rows: Index,
    agencies: Reference<Agencies>,
}

impl Handle {
    /// Over this log and these keys, and the agencies that scheduling knows.
    pub fn new(log: EventLog, vault: Vault, agencies: Reference<Agencies>) -> Self {
        let (numbers, holders, rows) = (vault.index("certificate"), vault.index("holder"), vault.index("row"));
        Self { log, vault, numbers, holders, rows, agencies }
    }

    /// Who may have issued a certificate; `None` while that has never been complete.
    pub fn agencies(&self) -> Option<Arc<Agencies>> {
        self.agencies.require().ok()
    }

    /// The log that it writes.
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// Keyed hash of a certificate's number.
    pub fn number_hash(&self, number: &str) -> Hash {
        self.numbers.hash(number)
    }

    /// Keyed hash of a document number, in the form that is compared.
    pub fn holder_hash(&self, number: &str) -> Hash {
        self.holders.hash(&number.trim().to_uppercase())
    }

    /// What a certificate's details are when this was said of it; the digest covers everything.
    pub fn details(&self, said: &Details, personal: &Personal) -> Details {
        let parts = [
            &personal.number,
            &personal.holder_number,
            &personal.holder_name,
            said.kind.name(),
            &said.subject,
            &said.issuing_agency,
            &rpc::render_date(said.issue_date),
        ];
        Details {
            number: self.number_hash(&personal.number),
            holder: self.holder_hash(&personal.holder_number),
            digest: self.rows.hash(&parts.join("\u{1f}")),
            ..said.clone()
        }
    }

    /// The answer that a request got before.
    pub async fn remembered(&self, asked: &Asked) -> Result<Option<Answered>, Error> {
        let Some((id, fingerprint)) = &asked.request else { return Ok(None) };
        match self.log.remembered(&asked.actor, *id, fingerprint).await? {
            None => Ok(None),
            Some(Remembered::Reused) => Err(Error::RequestIdReused),
            Some(Remembered::Answer { answer, position }) => Ok(Some(Answered { answer, position })),
        }
    }

    /// The record of a number; a fresh id where nothing is known of it yet.
    pub async fn by_number(&self, number: &str) -> Result<Loaded, Error> {
        let hash = self.number_hash(number);
        match store::lookup::find(self.log.pool(), &[hash]).await?.get(&hash) {
            Some(id) => self.load(*id).await,
            None => Ok(Loaded::unknown(number)),
        }
    }

    /// The record of an id; nothing is known of one where the log has something else under it.
    pub async fn load(&self, id: Uuid) -> Result<Loaded, Error> {
        fold(id, &self.log.load(id).await?)
    }

    /// The answer that a request got before, or what an attempt at it comes to: again while others change the same record.
    async fn again<F>(&self, asked: &Asked, attempt: impl Fn() -> F) -> Result<Answered, Error>
    where
        F: Future<Output = Result<Answered, Error>>,
    {
        if let Some(answered) = self.remembered(asked).await? {
            return Ok(answered);
        }
        for _ in 0..ATTEMPTS {
            match attempt().await {
                Err(Error::Conflict) => {}
                done => return done,
            }
        }
        Err(Error::Conflict)
    }

    /// Decides about an existing record and records what follows.
    pub async fn change(&self, asked: &Asked, id: Uuid, command: Command, answer: Vec<u8>) -> Result<Answered, Error> {
        let (command, answer) = (&command, &answer);
        let attempt = || async move {
            if let Command::Match { person, .. } = command
                && self.is_erased(*person).await?
            {
                return Err(Error::NotFound);
            }
            let loaded = self.load(id).await?;
            let events = Decisions::decide(&loaded.state, command.clone()).map_err(rejected)?;
            let said: Vec<Said> = events.into_iter().map(|event| (event, None)).collect();
            self.append(asked, &loaded, &said, answer.clone()).await
        };
        self.again(asked, attempt).await
    }

    /// Records a person's own entry of a certificate.
    pub async fn add_by_hand(
        &self,
        asked: &Asked,
        person: Uuid,
        said: &Details,
        personal: &Personal,
        answer: impl Fn(Uuid) -> Vec<u8> + Sync,
    ) -> Result<Answered, Error> {
        let answer = &answer;
        let attempt = || async move {
            if self.is_erased(person).await? {
                return Err(Error::NotFound);
            }
            let loaded = self.by_number(&personal.number).await?;
            let command = Command::AddByHand { details: self.details(said, personal), person };
            let events = match Decisions::decide(&loaded.state, command) {
                Err(Rejection::Unmatched) => {
                    let is_same_name = self.is_held_by(&loaded, &personal.holder_name).await?;
                    return Err(Error::Unmatched { is_same_name });
                }
                decided => decided.map_err(Error::Rejected)?,
            };
            let said: Vec<Said> = events.into_iter().map(|event| naming(event, personal)).collect();
            self.append(asked, &loaded, &said, answer(loaded.id)).await
        };
        self.again(asked, attempt).await
    }

    /// Whether the record names this holder; not when the key of its name was destroyed.
    async fn is_held_by(&self, loaded: &Loaded, holder_name: &str) -> Result<bool, Error> {
        let (mut state, mut named) = (State::Empty, None);
        let recorded = self.log.load(loaded.id).await?;
        for said in of_record(&recorded) {
            let event = read(said)?;
            state = Decisions::evolve(state, &event);
            if matches!(event, Event::Synced { .. } | Event::Changed { .. } | Event::AddedByHand { .. }) {
                named = event.generation(&state).map(|generation| (generation, said));
            }
        }
        let Some((generation, said)) = named else { return Ok(false) };
        let opened = self.open((loaded.id, generation), &said.sealed, said.event_id, said.version).await?;
        Ok(opened.is_some_and(|personal| name::is_same(&personal.holder_name, holder_name)))
    }

    /// Seals and records events of one record.
    pub async fn append(
        &self,
        asked: &Asked,
        loaded: &Loaded,
        said: &[Said],
        answer: Vec<u8>,
    ) -> Result<Answered, Error> {
        let keys = self.keys(&sealing(loaded, said)).await?;
        let append = self.prepare(asked, loaded, said, &keys, answer).ok_or(Error::Conflict)?;
        let Appended { answer, position, .. } = self.log.append(append).await?;
        Ok(Answered { answer, position })
    }

    /// What is handed to the log's writer, under keys of which [`sealing()`] names those that it takes; `None` when one of them was destroyed.
    pub fn prepare(
        &self,
        asked: &Asked,
        loaded: &Loaded,
        said: &[Said],
        keys: &HashMap<Uuid, PersonKey>,
        answer: Vec<u8>,
    ) -> Option<Append> {
        let (mut claims, mut new) = (Vec::new(), Vec::with_capacity(said.len()));
        let mut state = loaded.state.clone();
        for ((event, plain), version) in said.iter().zip(loaded.version + 1..) {
            claims.extend(claim(loaded.id, version, &state, event));
            state = Decisions::evolve(state, event);
            let store::StoredEvent { kind, payload, inner } = store::write(loaded.id, event);
            let event_id = ids::random();
            let sealed = match plain.as_ref().zip(event.generation(&state)) {
                Some((plain, generation)) => {
                    let key = keys.get(&key_id(loaded.id, generation))?;
                    key.seal(plain, &vault::binding(event_id, loaded.id, version))
                }
                None => Vec::new(),
            };
            new.push(NewEvent { event_id, kind, payload, inner, sealed, division: loaded.division });
        }
        Some(Append {
            stream: loaded.id,
            expected_version: loaded.version,
            events: new,
            actor: asked.actor.clone(),
            request: asked.request.map(|(id, fingerprint)| RequestKey { id, fingerprint, answer }),
            claims,
            not_before: None,
            not_after: None,
            traceparent: telemetry::current_traceparent(),
            cause: asked.cause,
        })
    }

    /// Opens what is personal in a certificate, by the generation of its key; `None` when the key was destroyed.
    pub async fn open(
        &self,
        (certificate, generation): (Uuid, u32),
        sealed: &[u8],
        event: Uuid,
        version: i64,
    ) -> Result<Option<Personal>, Error> {
        if sealed.is_empty() {
            return Ok(None);
        }
        let Some(key) = self.vault.find(key_id(certificate, generation)).await? else { return Ok(None) };
        let plain = key.open(sealed, &vault::binding(event, certificate, version));
        let personal = plain.as_deref().and_then(|plain| Personal::decode(plain));
        personal.map(Some).ok_or_else(|| Error::Storage("what was sealed does not open".into()))
    }

    /// Names the key that the sealed part of this version of a record opens with; `said` is what stands in it.
    pub async fn generation_of(&self, certificate: Uuid, version: i64, said: &Details) -> Result<u32, Error> {
        // An event that names none is the first holder's, or older than the naming and comes behind a first key that was destroyed.
        if said.generation > 0 || self.vault.find(certificate).await?.is_some() {
            return Ok(said.generation);
        }
        let mut recorded = self.log.load(certificate).await?;
        recorded.retain(|event| event.version <= version);
        Ok(fold(certificate, &recorded)?.state.record().map_or(0, |record| record.details.generation))
    }

    /// Forgets a person's certificate: destroys its key, then says so in its record.
    pub async fn forget(&self, asked: &Asked, certificate: Uuid, person: Uuid) -> Result<(), Error> {
        let loaded = self.load(certificate).await?;
        if loaded.state.record().is_some_and(|record| record.person == Some(person)) {
            self.vault.destroy(loaded.key_id()).await?;
            self.change(asked, certificate, Command::Forget { person }, Vec::new()).await?;
        }
        Ok(())
    }

    /// Destroys keys, also those that were destroyed before, as after a restore; gives how many sealed parts they were of.
    pub async fn destroy_keys(&self, keys: &Generations) -> Result<i64, Error> {
        let mut sealed_events = 0;
        for (certificate, generations) in keys {
            for generation in generations {
                self.vault.destroy(key_id(*certificate, *generation)).await?;
            }
            let mut state = State::Empty;
            for recorded in of_record(&self.log.load(*certificate).await?) {
                let event = read(recorded)?;
                state = Decisions::evolve(state, &event);
                let is_theirs = event.generation(&state).is_some_and(|generation| generations.contains(&generation));
                sealed_events += i64::from(is_theirs && !recorded.sealed.is_empty());
            }
        }
        Ok(sealed_events)
    }

    /// Whether a person was erased: nothing may become theirs any more.
    pub async fn is_erased(&self, person: Uuid) -> Result<bool, Error> {
        Ok(self.vault.is_destroyed(person).await?)
    }

    /// The keys of records, made where they are missing.
    pub async fn keys(&self, records: &[Uuid]) -> Result<HashMap<Uuid, PersonKey>, Error> {
        Ok(self.vault.obtain_all(records).await?)
    }
}

/// The events of a record in its stream, where steps of a run may stand beside them that was named by its id.
fn of_record(recorded: &[Recorded]) -> impl Iterator<Item = &Recorded> {
    recorded.iter().filter(|event| store::events::is_of_a_record(&event.kind))
}

/// Folds the events of a record.
pub fn fold(id: Uuid, recorded: &[Recorded]) -> Result<Loaded, Error> {
    let mut state = State::default();
    for event in of_record(recorded) {
        state = Decisions::evolve(state, &read(event)?);
    }
    let version = recorded.last().map_or(0, |event| event.version);
    // Whoever speaks of a record first names its number.
    let division = of_record(recorded).next().map_or(Division::NONE, |event| event.metadata.division);
    Ok(Loaded { id, version, division, state })
}

/// An event with what is personal in it, where it names the holder.
pub fn naming(event: Event, personal: &Personal) -> Said {
    let plain = event.names_holder().then(|| personal.encode());
    (event, plain)
}

/// Ids of the keys that seal what is to be sealed in these events of a record.
pub fn sealing(loaded: &Loaded, said: &[Said]) -> Vec<Uuid> {
    let mut state = loaded.state.clone();
    let mut keys = Vec::new();
    for (event, plain) in said {
        state = Decisions::evolve(state, event);
        let generation = plain.as_ref().and_then(|_| event.generation(&state));
        keys.extend(generation.map(|generation| key_id(loaded.id, generation)));
    }
    keys
}

fn read(event: &Recorded) -> Result<Event, Error> {
    store::read(&event.kind, &event.payload, &event.inner)
        .ok_or_else(|| Error::Storage(format!("{} at position {} cannot be read", event.kind, event.position).into()))
}

/// What only one event can have: the number that it speaks of first, or the place among what is destroyed with a person.
fn claim(certificate: Uuid, version: i64, before: &State, event: &Event) -> Option<Claim> {
    let (kind, key) = match (event, before.record().and_then(|record| record.person), before.former(event)) {
        (
            Event::Synced { details: Details { number, .. }, .. }
            | Event::AddedByHand { details: Details { number, .. }, .. }
            | Event::RestrictionAnnounced { number, .. },
            ..,
        ) if version == 1 => (CERTIFICATE, number.to_vec()),
        (Event::Forgotten { .. }, Some(person), _) => (FORGOTTEN, forgotten_key(person, certificate)),
        (_, _, Some((person, generation))) => return Some(former(person, certificate, generation)),
        _ => return None,
    };
    Some(Claim::Take { kind, key })
}

/// Remembers that a key of a record is destroyed with this person.
fn former(person: Uuid, certificate: Uuid, generation: u32) -> Claim {
    Claim::Take { kind: FORMER, key: former_key(person, certificate, generation) }
}

/// The province that a number names.
pub fn division_of(number: &str) -> Division {
    let province = if number.len() == 17 { Division::parse(&number[4..6]) } else { None };
    province.unwrap_or(Division::NONE)
}

/// Whether a number names this province; of 15 digits no province is known, and it is everybody's.
pub fn is_of_province(number: &Number, covers: impl Fn(Division) -> bool) -> bool {
    number.province().and_then(Division::parse).is_none_or(covers)
}

fn rejected(rejection: Rejection) -> Error {
    match rejection {
        Rejection::UnknownCertificate => Error::NotFound,
        rejection => Error::Rejected(rejection),
    }
}

/// Whether an append failed because somebody else was faster.
pub fn was_slower(error: &AppendError) -> bool {
    matches!(error, AppendError::VersionConflict { .. } | AppendError::ClaimTaken { .. })
}
