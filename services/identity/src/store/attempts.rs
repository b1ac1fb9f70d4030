//! How often something was asked for lately, by keyed hashes of numbers, phones and addresses.
//!
//! What belongs together is counted in one statement: beside a password, round trips are what a sign-in costs, and flushes. No count waits
//! for the disk, nor does what one statement does with it: a crash of the database forgets what it has not written yet, some 0.6 s at most, a
//! crash of the service nothing.

use access::Origin;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use vault::{Index, Vault};

use super::failures::count_failure;
use crate::domain::limit::{self, By, Deed, Limit};
use crate::domain::lockout::{FAILURES, LOCKED_FOR};
use crate::domain::puzzle::Puzzle;

/// Counts: $1 kind, $2 key, $3 now, $4 when a window began that is over by now, $5 the most. No row where it is one too many. Of a whole
/// transaction it would take the durability: the statement is one.
macro_rules! count_attempt {
    () => {
        "INSERT INTO attempt AS a (kind, key, count, began_at)
         SELECT $1, $2, 1, $3 WHERE set_config('synchronous_commit', 'off', true) = 'off'
         ON CONFLICT (kind, key) DO UPDATE
         SET count = CASE WHEN a.began_at <= $4 THEN 1 ELSE a.count + 1 END,
             began_at = CASE WHEN a.began_at <= $4 THEN $3 ELSE a.began_at END
         WHERE a.count < $5 OR a.began_at <= $4
         RETURNING kind"
    };
}

/// Since when it is counted.
macro_rules! began_at {
    () => {
        "(SELECT began_at FROM attempt WHERE kind = $1 AND key = $2)"
    };
}

/// Whether an arrival was counted, since when arrivals are, and the puzzle that was taken away.
type Arrived = (bool, Option<OffsetDateTime>, Option<[u8; 32]>, Option<i16>, Option<OffsetDateTime>);

/// Why a try is not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too many within the window; so long until it is over.
    Throttled(Duration),
    /// Too many wrong ones; so long until the lock is off.
    LockedOut(Duration),
}

/// The counters.
#[derive(Clone, Debug)]
pub struct Attempts {
    addresses: Index,
}

impl Attempts {
    /// Over the service's own keys.
    pub fn new(vault: &Vault) -> Self {
        Self { addresses: vault.index("address") }
    }

    /// Counts a deed from an address; `Err` says how long nothing more is counted from there.
    pub async fn count_from(
        &self,
        connection: &mut PgConnection,
        deed: Deed,
        origin: Origin,
        now: OffsetDateTime,
    ) -> Result<Result<(), Duration>, sqlx::Error> {
        count(connection, deed, By::Address, &self.addresses.hash(&origin.name()), now).await
    }

    /// Counts a sign-in from an address and, where it is not one too many, takes its puzzle away; `None` where there is no such puzzle.
    pub async fn arrive(
        &self,
        connection: &mut PgConnection,
        origin: Origin,
        puzzle: Uuid,
        now: OffsetDateTime,
    ) -> Result<Result<Option<Puzzle>, Duration>, sqlx::Error> {
        let (deed, by) = (Deed::SignIn, By::Address);
        let limit = limit::of(deed, by);
        let (counted, began_at, number_hash, gap, expires_at): Arrived = sqlx::query_as(concat!(
            "WITH counted AS (",
            count_attempt!(),
            "), spent AS (DELETE FROM puzzle WHERE id = $6 AND EXISTS (SELECT FROM counted) \
             RETURNING number_hash, gap, expires_at) \
             SELECT EXISTS (SELECT FROM counted), ",
            began_at!(),
            ", number_hash, gap, expires_at \
             FROM (SELECT) AS always LEFT JOIN spent ON true"
        ))
        .bind(limit::code(deed, by))
        .bind(self.addresses.hash(&origin.name()).as_slice())
        .bind(now)
        .bind(now - limit.within)
        .bind(limit.most)
        .bind(puzzle)
        .fetch_one(connection)
        .await?;
        if !counted {
            return Ok(Err(rest(began_at, limit, now)));
        }
        let spent = Option::zip(Option::zip(number_hash, gap), expires_at);
        Ok(Ok(spent.map(|((number_hash, gap), expires_at)| Puzzle {
            number_hash,
            gap: i16::unsigned_abs(gap),
            expires_at,
        })))
    }

    /// Counts a password for a number, known or not: as asked for and, until [`super::failures::forget`] is told otherwise, as wrong.
    pub async fn try_password(
        connection: &mut PgConnection,
        number_hash: &[u8; 32],
        now: OffsetDateTime,
    ) -> Result<Result<(), Refused>, sqlx::Error> {
        let (deed, by) = (Deed::SignIn, By::Account);
        let limit = limit::of(deed, by);
        let (counted, failed, began_at, last_at): (bool, bool, _, Option<OffsetDateTime>) = sqlx::query_as(concat!(
            "WITH counted AS (",
            count_attempt!(),
            "), failed AS (",
            count_failure!("FROM counted", "$2", "$3", "$6", "$7"),
            ") \
             SELECT EXISTS (SELECT FROM counted), EXISTS (SELECT FROM failed), ",
            began_at!(),
            ", (SELECT last_at FROM sign_in_failure WHERE number_hash = $2)"
        ))
        .bind(limit::code(deed, by))
        .bind(number_hash.as_slice())
        .bind(now)
        .bind(now - limit.within)
        .bind(limit.most)
        .bind(now - LOCKED_FOR)
        .bind(FAILURES)
        .fetch_one(connection)
        .await?;
        Ok(match (counted, failed) {
            (true, true) => Ok(()),
            (true, false) => Err(Refused::LockedOut(super::failures::rest(last_at, now))),
            (false, _) => Err(Refused::Throttled(rest(began_at, limit, now))),
        })
    }

    /// Counts a deed for an account, by the keyed hash of its number or phone; `Err` says how long nothing more is counted.
    pub async fn count_for(
        &self,
        connection: &mut PgConnection,
        deed: Deed,
        account: &[u8; 32],
        now: OffsetDateTime,
    ) -> Result<Result<(), Duration>, sqlx::Error> {
        count(connection, deed, By::Account, account, now).await
    }
}

async fn count(
    connection: &mut PgConnection,
    deed: Deed,
    by: By,
    key: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Result<(), Duration>, sqlx::Error> {
    let limit = limit::of(deed, by);
    let (counted, began_at): (bool, Option<OffsetDateTime>) = sqlx::query_as(concat!(
        "WITH counted AS (",
        count_attempt!(),
        ") SELECT EXISTS (SELECT FROM counted), ",
        began_at!()
    ))
    .bind(limit::code(deed, by))
    .bind(key.as_slice())
    .bind(now)
    .bind(now - limit.within)
    .bind(limit.most)
    .fetch_one(connection)
    .await?;
    Ok(if counted { Ok(()) } else { Err(rest(began_at, limit, now)) })
}

fn rest(began_at: Option<OffsetDateTime>, limit: Limit, now: OffsetDateTime) -> Duration {
    began_at.map_or(Duration::SECOND, |began_at| began_at + limit.within - now).max(Duration::SECOND)
}
