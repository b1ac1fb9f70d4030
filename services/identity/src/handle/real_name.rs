//! 实名核验: the name of an account is checked with its number, and changes only through a check that passes.

use lifecycle::clock;
use uuid::Uuid;

use super::{Asked, Handle, TRIES, decide};
use crate::domain::account::Command;
use crate::domain::contact::same_name;
use crate::domain::personal::Personal;
use crate::error::Error;
use crate::store::failures;

/// The answers that requests are remembered with.
const PASSED: &[u8] = b"passed";
const REFUSED: &[u8] = b"refused";

impl Handle {
    /// Checks a name with the person's number; returns whether it passed. Without an answer nothing is recorded, and nobody is asked about
    /// the name that has passed before.
    pub async fn verify_real_name(&self, asked: &Asked, person: Uuid, name: &str) -> Result<bool, Error> {
        if let Some((answer, _)) = self.remembered(asked).await? {
            return Ok(answer == PASSED);
        }
        let (loaded, known) = self.accounts.open(person).await?.ok_or(Error::NotFound)?;
        let verified = loaded.account.registered().is_some_and(|account| account.name_verified);
        if verified && same_name(&known.name, name) {
            return Ok(true);
        }
        let document = self.document_types.recognise(&known.number).ok_or(Error::NotFound)?;
        // Counted whatever comes of it, since each costs an answer, and before it is judged, so that many at once are no way around.
        let tries = self.requests.hash(&format!("real-name:{person}"));
        let counted = failures::count(&mut *self.connection().await?, &tries, clock::now()).await?;
        counted.map_err(|retry_after| Error::TooManyChecks { retry_after })?;
        let passed = match self.real_name.check(asked.id, &document, name).await {
            Ok(passed) => passed,
            Err(error) => {
                // That nobody answers is not the person's fault.
                failures::take_back(&mut *self.connection().await?, &tries).await?;
                return Err(error);
            }
        };
        let personal = Personal { name: name.to_owned(), ..Personal::default() };
        for _ in 0..TRIES {
            let (loaded, known) = self.accounts.open(person).await?.ok_or(Error::NotFound)?;
            let differs = !same_name(&known.name, name);
            let provider = self.real_name.name().to_owned();
            let events = decide(&loaded, Command::RecordNameCheck { passed, differs, provider })?;
            let key = self.vault.obtain(person).await?;
            // Only a name that has passed and is another one is set by an event.
            let sealing = (passed && differs).then_some((&key, &personal));
            let mut append = self.append(&loaded, &events, sealing, &asked.actor);
            append.request = Some(self.request(asked, if passed { PASSED } else { REFUSED }.to_vec()));
            match self.log.append(append).await.map_err(Error::from) {
                Ok(appended) => return Ok(appended.answer == PASSED),
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }
}
