//! What people ask issuing agencies to put right, and what is answered.

use decider::Decider;
use eventlog::{Append, Claim, Division, NewEvent, RequestKey};
use lifecycle::ids;
use uuid::Uuid;

use super::{Answered, Asked, Handle};
use crate::domain::correction::{Command, Decisions, Event, State};
use crate::error::Error;
use crate::store::StoredEvent;
use crate::store::corrections::{self, CORRECTION, Statement, claim_key};

/// A request as it stands.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its id; its stream.
    pub id: Uuid,
    version: i64,
    /// The province of the certificate's number.
    pub division: Division,
    /// Its state.
    pub state: State,
}

impl Handle {
    /// Records what a person asks for, about a certificate of their list or one whose number names the division.
    pub async fn request_correction(
        &self,
        asked: &Asked,
        person: Uuid,
        certificate: Option<Uuid>,
        division: Division,
        statement: &Statement,
        answer: impl Fn(Uuid) -> Vec<u8> + Sync,
    ) -> Result<Answered, Error> {
        let answer = &answer;
        let attempt = || async move {
            if self.is_erased(person).await? {
                return Err(Error::NotFound);
            }
            let known = Known { id: ids::random(), version: 0, division, state: State::Empty };
            let slot = corrections::free_slot(self.log.pool(), person).await?;
            let command = Command::Request { person, certificate, slot };
            let events = Decisions::decide(&known.state, command).map_err(Error::Correction)?;
            self.append_correction(asked, &known, person, &events, &statement.encode(), answer(known.id)).await
        };
        self.again(asked, attempt).await
    }

    /// Records an officer's answer.
    pub async fn answer_correction(
        &self,
        asked: &Asked,
        id: Uuid,
        command: Command,
        answer: &str,
    ) -> Result<Answered, Error> {
        let attempt = || async move {
            let known = self.correction(id).await?;
            let State::Known { person, .. } = known.state else { return Err(Error::NotFound) };
            let events = Decisions::decide(&known.state, command).map_err(Error::Correction)?;
            if self.is_erased(person).await? {
                return Err(Error::NotFound);
            }
            let plain = corrections::encode_answer(answer);
            self.append_correction(asked, &known, person, &events, &plain, Vec::new()).await
        };
        self.again(asked, attempt).await
    }

    /// A request by its id; nothing is known of one where the log has something else under it.
    pub async fn correction(&self, id: Uuid) -> Result<Known, Error> {
        let recorded = self.log.load(id).await?;
        let mut state = State::Empty;
        for event in &recorded {
            let Some(event) = corrections::read(&event.kind, &event.payload) else { continue };
            state = Decisions::evolve(state, &event);
        }
        let version = recorded.last().map_or(0, |event| event.version);
        let division = recorded.first().map_or(Division::NONE, |event| event.metadata.division);
        Ok(Known { id, version, division, state })
    }

    /// Opens what a person or an officer wrote; `None` when the person was erased.
    pub async fn open_correction(
        &self,
        (person, correction): (Uuid, Uuid),
        sealed: &[u8],
        event: Uuid,
        version: i64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Some(key) = self.vault.find(person).await? else { return Ok(None) };
        let plain = key.open(sealed, &vault::binding(event, correction, version));
        plain.map(|plain| Some(plain.to_vec())).ok_or_else(|| Error::Storage("what was sealed does not open".into()))
    }

    async fn append_correction(
        &self,
        asked: &Asked,
        known: &Known,
        person: Uuid,
        events: &[Event],
        plain: &[u8],
        answer: Vec<u8>,
    ) -> Result<Answered, Error> {
        let key = self.vault.obtain(person).await?;
        let (mut new, mut claims, mut state) = (Vec::new(), Vec::new(), known.state);
        for (event, version) in events.iter().zip(known.version + 1..) {
            state = Decisions::evolve(state, event);
            match (event, state) {
                (Event::Requested { person, slot, .. }, _) => {
                    claims.push(Claim::Take { kind: CORRECTION, key: claim_key(*person, *slot) });
                }
                (Event::Answered { stage, .. }, State::Known { person, slot, .. }) if stage.is_end() => {
                    claims.push(Claim::Release { kind: CORRECTION, key: claim_key(person, slot) });
                }
                (Event::Answered { .. }, _) => {}
            }
            let StoredEvent { kind, payload, inner } = corrections::write(known.id, event);
            let event_id = ids::random();
            let sealed = key.seal(plain, &vault::binding(event_id, known.id, version));
            new.push(NewEvent { event_id, kind, payload, inner, sealed, division: known.division });
        }
        let append = Append {
            stream: known.id,
            expected_version: known.version,
            events: new,
            actor: asked.actor.clone(),
            request: asked.request.map(|(id, fingerprint)| RequestKey { id, fingerprint, answer }),
            claims,
            not_before: None,
            not_after: None,
            traceparent: telemetry::current_traceparent(),
            cause: asked.cause,
        };
        let appended = self.log.append(append).await?;
        Ok(Answered { answer: appended.answer, position: appended.position })
    }
}
