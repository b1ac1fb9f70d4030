//! Accounts of the old system: imported once, without a password; their people register again.

use std::collections::HashSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use lifecycle::ids;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Handle, account_claim, decide};
use crate::domain::account::{Command, Imported};
use crate::domain::document::Document;
use crate::domain::personal::Personal;
use crate::error::Error;
use crate::store::accounts::Loaded;

const ACTOR: &str = "system";
/// Accounts that are recorded at once.
const AT_ONCE: usize = 32;

/// An account of the old system, as its register has it.
#[derive(Clone, Debug)]
pub struct LegacyAccount {
    /// The document whose number is the account's name.
    pub document: Document,
    /// 姓名
    pub name: String,
    /// When it was made there.
    pub created_at: OffsetDateTime,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegacyTaken {
    /// New here.
    pub imported: usize,
    /// Their numbers have an account already, of whichever kind.
    pub known: usize,
}

impl Handle {
    /// Imports the accounts whose numbers have none. Doing it again changes nothing; a dry run never does.
    pub async fn import_legacy(&self, batch: &[LegacyAccount], dry_run: bool) -> Result<LegacyTaken, Error> {
        let hashes: Vec<[u8; 32]> = batch.iter().map(|account| self.accounts.hash(&account.document)).collect();
        let mut taken: HashSet<[u8; 32]> = self.accounts.find_all(&hashes).await?.into_keys().collect();
        // A number that comes twice in a batch is new once.
        let new: Vec<_> = batch.iter().zip(hashes).filter(|(_, hash)| taken.insert(*hash)).collect();
        let mut done = LegacyTaken { imported: 0, known: batch.len() - new.len() };
        if dry_run {
            done.imported = new.len();
            return Ok(done);
        }
        let people: Vec<Uuid> = new.iter().map(|_| ids::random()).collect();
        self.vault.obtain_all(&people).await?;
        let importing: Vec<_> =
            new.into_iter().zip(people).map(|((account, hash), person)| self.take(account, hash, person)).collect();
        let mut outcomes = stream::iter(importing).buffer_unordered(AT_ONCE);
        while let Some(is_new) = outcomes.try_next().await? {
            if is_new {
                done.imported += 1;
            } else {
                done.known += 1;
            }
        }
        Ok(done)
    }

    /// False when its person registered in the meantime.
    async fn take(&self, account: &LegacyAccount, number_hash: [u8; 32], person: Uuid) -> Result<bool, Error> {
        let loaded = Loaded::nobody(person);
        let (document_type, created_at) = (account.document.kind(), account.created_at);
        let events = decide(&loaded, Command::Import(Imported { document_type, number_hash, created_at }))?;
        let key = self.vault.obtain(person).await?;
        let personal = Personal {
            number: account.document.number().to_owned(),
            name: account.name.clone(),
            ..Personal::default()
        };
        let mut append = self.append(&loaded, &events, Some((&key, &personal)), ACTOR);
        append.claims.push(account_claim(&number_hash));
        match self.log.append(append).await.map_err(Error::from) {
            Ok(_) => Ok(true),
            Err(Error::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
