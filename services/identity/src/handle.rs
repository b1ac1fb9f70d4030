//! The use cases: load, decide, append; and the plain records of signing in.

mod credentials;
mod enrolment;
mod erasure;
mod legacy;
mod limits;
mod looking;
mod own_sessions;
mod people;
mod phone_fix;
mod puzzle;
mod real_name;
mod recovery;
mod registration;
mod second_factor;
mod sign_in;
mod staff;
mod staff_lists;
mod wechat;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use access::root::RootKey;
use decider::Decider as _;
use eventlog::{Append, Claim, EventLog, Remembered, RequestKey};
use lifecycle::{Lifecycle, OnDeath, Stage, clock, ids};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;
use vault::{Index, PersonKey, Vault};

pub use credentials::NewContact;
pub use enrolment::{Enrolled, EnrolmentError, Member};
pub use erasure::Asking;
pub use legacy::{LegacyAccount, LegacyTaken};
pub use looking::Looking;
pub(crate) use people::today;
pub use people::{Details, History, Lookup, Match};
pub use phone_fix::{OpenFix, PhoneFixAsked};
pub use puzzle::{Answered, Posed};
pub use recovery::{LinkToken, RecoveryBegun};
pub use registration::Registration;
pub use second_factor::{NextStep, Proposed};
pub use sign_in::{RefreshToken, SignedIn, Started, TokenPair};
pub use staff_lists::{Ended, Listed, Run, Taken};
pub use wechat::WechatTicket;

use crate::access_log::AccessLog;
use crate::courier::Courier;
use crate::domain::account::{Account, Command, Event};
use crate::domain::document_table::DocumentTypes;
use crate::domain::personal::Personal;
use crate::error::Error;
use crate::hashing::Hasher;
use crate::picture::Painter;
use crate::real_name::Provider;
use crate::store::access_records::AccessRecords;
use crate::store::account_event::{self, Place, Sealing};
use crate::store::accounts::{Accounts, Loaded};
use crate::store::attempts::Attempts;
use crate::store::codes::Codes;
use crate::store::puzzles::Puzzles;
use crate::store::recoveries::Recoveries;
use crate::store::second_factors::SecondFactors;
use crate::store::sessions::Sessions;
use crate::store::wechat::WechatTickets;
use crate::tokens::Tokens;
use crate::views::erasures::Erasures;
use crate::views::grants::Grants;
use crate::views::phone_fixes::PhoneFixes;
use crate::views::standing::Filed;
use crate::views::units::Units;
use crate::wechat::Wechat;

/// What a stranger asks for is not answered earlier, found or not: longer than the work takes, whatever of it is remembered.
const ANSWER_AFTER: Duration = Duration::from_millis(300);
/// How often a command is decided again when others are faster.
const TRIES: usize = 5;
/// How often records that count no more are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// What the use cases need. Clones share it.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) log: EventLog,
    pub(crate) vault: Vault,
    pub(crate) root: RootKey,
    /// What the document types ask for.
    pub document_types: DocumentTypes,
    pub(crate) accounts: Accounts,
    pub(crate) codes: Codes,
    pub(crate) attempts: Attempts,
    pub(crate) puzzles: Puzzles,
    pub(crate) painter: Painter,
    /// Whose word on the address of a call counts.
    pub(crate) proxies: Arc<[IpAddr]>,
    pub(crate) second_factors: SecondFactors,
    pub(crate) sessions: Sessions,
    pub(crate) recoveries: Recoveries,
    /// What a recovery of nobody shows.
    pub(crate) made_up: Index,
    pub(crate) grants: Grants,
    pub(crate) units: Units,
    pub(crate) phone_fixes: PhoneFixes,
    /// Where passwords wait for a core.
    pub hasher: Hasher,
    pub(crate) courier: Courier,
    pub(crate) real_name: Provider,
    pub(crate) wechat: Wechat,
    pub(crate) wechat_tickets: WechatTickets,
    pub(crate) tokens: Tokens,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) access_log: AccessLog,
    pub(crate) access_records: AccessRecords,
    pub(crate) trail: audit::Trail,
    pub(crate) filed: Filed,
    pub(crate) erasures: Erasures,
    /// Years for which the papers of a conclusion are kept.
    pub(crate) archive_years: u16,
    /// Requests hold passwords and numbers: what is kept of them is a keyed hash.
    pub(crate) requests: Index,
}

/// Answers after a time that tells nothing of the work.
async fn no_earlier<T>(work: impl Future<Output = T>) -> T {
    let answer_at = Instant::now() + ANSWER_AFTER;
    let done = Box::pin(work).await;
    sleep_until(answer_at).await;
    done
}

/// A changing request, as its caller identifies it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who asks.
    pub actor: String,
    /// Made by the caller.
    pub id: Uuid,
    /// SHA-256 of the whole request.
    pub fingerprint: [u8; 32],
}

impl Handle {
    /// Removes records that count no more, every now and then, until the service stops.
    pub fn sweep(&self) {
        let (pool, stopping) = (self.log.pool().clone(), self.lifecycle.stopping(Stage::Work));
        self.lifecycle.spawn("sweep", OnDeath::StopsTheService, async move {
            let sweeping = async {
                loop {
                    tokio::time::sleep(SWEEP_EVERY).await;
                    if let Err(error) = crate::store::sweep(&pool, clock::now()).await {
                        tracing::warn!(%error, "old records could not be removed");
                    }
                }
            };
            stopping.run_until_cancelled(sweeping).await;
        });
    }

    /// What was answered to this request before, with the position of its last event.
    async fn remembered(&self, asked: &Asked) -> Result<Option<(Vec<u8>, i64)>, Error> {
        match self.log.remembered(&asked.actor, asked.id, &self.fingerprint(asked)).await? {
            Some(Remembered::Answer { answer, position }) => Ok(Some((answer, position))),
            Some(Remembered::Reused) => Err(Error::RequestIdReused),
            None => Ok(None),
        }
    }

    fn fingerprint(&self, asked: &Asked) -> [u8; 32] {
        self.requests.hash(&hex::encode(asked.fingerprint))
    }

    fn request(&self, asked: &Asked, answer: Vec<u8>) -> RequestKey {
        RequestKey { id: asked.id, fingerprint: self.fingerprint(asked), answer }
    }

    /// A code counts no more: right if the very same request has used it in the meantime.
    async fn answered_meanwhile(&self, asked: &Asked, expired: Error) -> Result<(), Error> {
        self.remembered(asked).await?.map(drop).ok_or(expired)
    }

    /// An append of what was decided about a loaded account. `sealing` goes to the first event, the only one that sets
    /// personal data.
    fn append(
        &self,
        loaded: &Loaded,
        events: &[Event],
        sealing: Option<(&PersonKey, &Personal)>,
        actor: &str,
    ) -> Append {
        let encoded = events.iter().zip(loaded.version + 1..).map(|(event, version)| {
            let place = Place { event_id: ids::random(), person: loaded.person, version };
            let first = version == loaded.version + 1;
            let sealing = sealing.filter(|_| first).map(|(key, personal)| Sealing { key, personal });
            account_event::encode(event, place, sealing, &self.root)
        });
        Append {
            stream: loaded.person,
            expected_version: loaded.version,
            events: encoded.collect(),
            actor: actor.to_owned(),
            request: None,
            claims: Vec::new(),
            not_before: None,
            not_after: None,
            traceparent: telemetry::current_traceparent(),
            cause: None,
        }
    }
}

fn decide(loaded: &Loaded, command: Command) -> Result<Vec<Event>, Error> {
    Ok(Account::decide(&loaded.account, command)?)
}

/// The claim that makes an account the only one of its number.
fn account_claim(number_hash: &[u8; 32]) -> Claim {
    Claim::Take { kind: crate::store::accounts::CLAIM, key: number_hash.to_vec() }
}
