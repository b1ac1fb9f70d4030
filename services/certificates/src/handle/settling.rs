//! What officers settle: which of two sources is right, and which records are one certificate.

use std::collections::HashMap;

use decider::Decider;
use eventlog::{Append, Appended, Claim, Recorded};
use uuid::Uuid;

use super::{Answered, Asked, Handle, Loaded, Said, fold, former, key_id, of_record, read, rejected};
use crate::domain::certificate::{Command, Decisions, Event, Hash};
use crate::error::Error;
use crate::store::{self, Personal};

/// What an officer decided, and why.
#[derive(Clone, Debug)]
pub struct Decision {
    /// In their own words; sealed.
    pub reason: String,
    /// Of the decision's file.
    pub file_reference: String,
}

impl Handle {
    /// Settles a conflict: the record stays as it is, or says what the other source says.
    pub async fn settle(
        &self,
        asked: &Asked,
        certificate: Uuid,
        ordinal: u32,
        take: bool,
        decision: &Decision,
    ) -> Result<Answered, Error> {
        let attempt = || async move {
            let recorded = self.log.load(certificate).await?;
            let loaded = fold(certificate, &recorded)?;
            let command = Command::Settle { ordinal, take, file_reference: decision.file_reference.clone() };
            let events = Decisions::decide(&loaded.state, command).map_err(rejected)?;
            let taken = if take { Some(self.contradicting(&loaded, &recorded, ordinal).await?) } else { None };
            let said: Vec<Said> = events.into_iter().map(|event| tell(event, decision, taken.as_ref())).collect();
            self.append(asked, &loaded, &said, Vec::new()).await
        };
        self.again(asked, attempt).await
    }

    /// What is personal in the other side of a conflict.
    async fn contradicting(&self, loaded: &Loaded, recorded: &[Recorded], ordinal: u32) -> Result<Personal, Error> {
        for said in of_record(recorded) {
            if let Event::ConflictFound { ordinal: found, details, .. } = read(said)?
                && found == ordinal
            {
                let sealed_under = (loaded.id, details.generation);
                let opened = self.open(sealed_under, &said.sealed, said.event_id, said.version).await?;
                // Its key goes when it is over: somebody was faster.
                return opened.ok_or(Error::Conflict);
            }
        }
        Err(Error::Conflict)
    }

    /// Closes an entry by hand, whose number was mistyped; the other record takes over what was known of it, in a reaction.
    pub async fn merge(
        &self,
        asked: &Asked,
        certificate: Uuid,
        into: Uuid,
        decision: &Decision,
    ) -> Result<Answered, Error> {
        let attempt = || async move {
            let (loaded, other) = (self.load(certificate).await?, self.load(into).await?);
            let holder = other.state.record().ok_or(Error::NotFound)?.details.holder;
            let command = Command::Merge { into, holder, file_reference: decision.file_reference.clone() };
            let events = Decisions::decide(&loaded.state, command).map_err(rejected)?;
            let said: Vec<Said> = events.into_iter().map(|event| tell(event, decision, None)).collect();
            self.append(asked, &loaded, &said, Vec::new()).await
        };
        self.again(asked, attempt).await
    }

    /// The record of the right number takes over what was known of `merged` before the event of this version closed it.
    pub async fn absorb(&self, asked: &Asked, (merged, version): (Uuid, i64), into: Uuid) -> Result<(), Error> {
        let mut recorded = self.log.load(merged).await?;
        recorded.retain(|event| event.version < version);
        let loaded = fold(merged, &recorded)?;
        let Some(record) = loaded.state.record() else { return Ok(()) };
        let person = match record.person {
            Some(person) if !self.is_erased(person).await? => Some(person),
            _ => None,
        };
        let prior_registrations = record.prior_registrations.clone();
        let mut restriction = None;
        for event in of_record(&recorded).filter(|_| record.restriction.is_some()) {
            if let Event::Restricted { kind, end, file_reference } = read(event)? {
                restriction = Some((kind, end, file_reference));
            }
        }
        let command = Command::Absorb { merged, person, prior_registrations, restriction };
        self.change(asked, into, command, Vec::new()).await.map(drop)
    }

    /// What sources say of a person against the record of somebody else is over with the person's erasure; their keys are among those
    /// that are destroyed with the person.
    pub async fn forget_claims(
        &self,
        asked: &Asked,
        certificate: Uuid,
        person: Uuid,
        holder: Hash,
    ) -> Result<Answered, Error> {
        let attempt = || async move {
            let loaded = self.load(certificate).await?;
            let events = Decisions::decide(&loaded.state, Command::ForgetClaims { holder }).map_err(rejected)?;
            let generations = events.iter().filter_map(|event| match event {
                Event::ConflictSettled { generation, .. } => Some(*generation),
                _ => None,
            });
            let theirs: Vec<Claim> = generations.map(|it| former(person, certificate, it)).collect();
            let said: Vec<Said> = events.into_iter().map(|event| (event, None)).collect();
            let append = self.prepare(asked, &loaded, &said, &HashMap::new(), Vec::new()).ok_or(Error::Conflict)?;
            let claims = append.claims.into_iter().chain(theirs).collect();
            let Appended { answer, position, .. } = self.log().append(Append { claims, ..append }).await?;
            Ok(Answered { answer, position })
        };
        self.again(asked, attempt).await
    }

    /// Destroys the key of what one side of a conflict said.
    pub async fn destroy_key(&self, certificate: Uuid, generation: u32) -> Result<(), Error> {
        Ok(self.vault.destroy(key_id(certificate, generation)).await?)
    }
}

/// An event with what it has to seal: the reason where an officer decides, the holder where one is named.
fn tell(event: Event, decision: &Decision, personal: Option<&Personal>) -> Said {
    let plain = match &event {
        Event::ConflictSettled { file_reference, .. } if file_reference.is_empty() => None,
        Event::ConflictSettled { .. } | Event::Merged { .. } => Some(store::events::decision(&decision.reason)),
        event if event.names_holder() => personal.map(Personal::encode),
        _ => None,
    };
    (event, plain)
}
