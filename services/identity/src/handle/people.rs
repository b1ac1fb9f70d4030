//! Profiles: completed, changed and read by their person; details, contacts and matches for the other services.

use std::collections::HashMap;

use lifecycle::clock;
use time::{Date, OffsetDateTime, UtcOffset};
use uuid::Uuid;

use super::{Asked, Handle, TRIES, decide};
use crate::domain::account::{Account, Command, Event};
use crate::domain::contact::same_name;
use crate::domain::document::DocumentType;
use crate::domain::personal::Personal;
use crate::domain::profile::{self, Form};
use crate::error::Error;
use crate::store::phone_fix::Claimed;

/// What is known of a person.
#[derive(Clone, Debug)]
pub struct Details {
    /// Who.
    pub person: Uuid,
    /// Type of the document.
    pub document_type: DocumentType,
    /// Everything that is sealed, with what a resident number says.
    pub personal: Personal,
    /// Whether the profile is complete.
    pub complete: bool,
    /// Whether the mail address was verified.
    pub email_verified: bool,
    /// Whether the name passed a real-name check.
    pub name_verified: bool,
}

/// What has happened to an account.
#[derive(Debug)]
pub struct History {
    /// In order, each with its time.
    pub events: Vec<(OffsetDateTime, Event)>,
    /// By the id of the request.
    pub claimed: HashMap<Uuid, Claimed>,
}

/// Whose account has this number, and is the name right?
#[derive(Clone)]
pub struct Lookup {
    /// As it stands in a register.
    pub number: String,
    /// As it stands in a register.
    pub name: String,
}

/// An account that has the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Whose.
    pub person: Uuid,
    /// Whether the name is the account's.
    pub name_matches: bool,
}

impl Handle {
    /// Completes the profile of a person.
    pub async fn complete_profile(&self, asked: &Asked, person: Uuid, form: &Form) -> Result<(), Error> {
        self.set_profile(asked, person, form, |_| Command::CompleteProfile).await
    }

    /// Changes the profile of a person; where it says the same, nothing is recorded.
    pub async fn change_profile(&self, asked: &Asked, person: Uuid, form: &Form) -> Result<(), Error> {
        self.set_profile(asked, person, form, |differs| Command::ChangeProfile { differs }).await
    }

    /// Records what a form says; `command` learns whether it is something else than what is known.
    async fn set_profile(
        &self,
        asked: &Asked,
        person: Uuid,
        form: &Form,
        command: impl Fn(bool) -> Command,
    ) -> Result<(), Error> {
        if self.remembered(asked).await?.is_some() {
            return Ok(());
        }
        for _ in 0..TRIES {
            let (loaded, known) = self.accounts.open(person).await?.ok_or(Error::NotFound)?;
            let document = self.document_types.recognise(&known.number).ok_or(Error::NotFound)?;
            let today = super::today();
            let table = self.document_types.on(today);
            let mut personal = profile::check(table, &document, form, today).map_err(Error::Profile)?;
            if loaded.account.registered().is_some_and(|account| account.email_verified) {
                // What nobody has verified takes no verified address's place.
                personal.email.clear();
            }
            let differs = known.clone().overlaid_by(personal.clone()) != known;
            let events = decide(&loaded, command(differs))?;
            let key = self.vault.obtain(person).await?;
            let mut append = self.append(&loaded, &events, Some((&key, &personal)), &asked.actor);
            append.request = Some(self.request(asked, Vec::new()));
            match self.log.append(append).await.map_err(Error::from) {
                Err(Error::Conflict) => {}
                done => return done.map(drop),
            }
        }
        Err(Error::Conflict)
    }

    /// All that is known of a person.
    pub async fn details(&self, person: Uuid) -> Result<Details, Error> {
        let (loaded, personal) = self.accounts.open(person).await?.ok_or(Error::NotFound)?;
        let Account::Registered(account) = loaded.account else { return Err(Error::NotFound) };
        let personal = match self.document_types.recognise(&personal.number) {
            Some(document) => personal.with_what_the_number_says(&document),
            None => personal,
        };
        Ok(Details {
            person,
            document_type: account.document_type,
            personal,
            complete: account.complete,
            email_verified: account.email_verified,
            name_verified: account.name_verified,
        })
    }

    /// All that has happened to an account, each with its time, and what its requests for another phone say.
    pub async fn history(&self, person: Uuid) -> Result<History, Error> {
        let key = self.vault.find(person).await?.ok_or(Error::NotFound)?;
        let loaded = self.accounts.load(person).await?;
        let events = loaded.history()?;
        let mut claimed = HashMap::new();
        for (_, event) in &events {
            if let Event::PhoneFixRequested(fix) = event {
                claimed.extend(loaded.claimed(fix.id, &key)?.map(|said| (fix.id, said)));
            }
        }
        Ok(History { events, claimed })
    }

    /// The accounts of many numbers, in order; four queries however many they are.
    pub async fn find_by_number(&self, lookups: &[Lookup]) -> Result<Vec<Option<Match>>, Error> {
        let recognise = |lookup: &Lookup| self.document_types.recognise(&lookup.number);
        let hash = |lookup: &Lookup| recognise(lookup).map(|document| self.accounts.hash(&document));
        let hashes: Vec<Option<[u8; 32]>> = lookups.iter().map(hash).collect();
        let asked: Vec<[u8; 32]> = hashes.iter().flatten().copied().collect();
        let people = self.accounts.find_all(&asked).await?;
        let found: Vec<Uuid> = people.values().copied().collect();
        let keys = self.vault.find_all(&found).await?;
        let mut names: HashMap<Uuid, String> = HashMap::with_capacity(found.len());
        for (person, loaded) in self.accounts.load_all(&found).await? {
            // An account of the old system is matched once its person has registered again, and under the name given then; one
            // whose key was destroyed is nobody's any more.
            if let (Some(_), Some(key)) = (loaded.account.registered(), keys.get(&person)) {
                names.insert(person, loaded.personal(key)?.name);
            }
        }
        let matched = lookups.iter().zip(hashes).map(|(lookup, hash)| {
            let person = *people.get(&hash?)?;
            let name = names.get(&person)?;
            Some(Match { person, name_matches: same_name(name, &lookup.name) })
        });
        Ok(matched.collect())
    }
}

/// China has one time.
pub(crate) const SHANGHAI: UtcOffset = time::macros::offset!(+8);

/// Today, in China.
pub(crate) fn today() -> Date {
    clock::now().to_offset(SHANGHAI).date()
}
