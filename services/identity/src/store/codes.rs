//! One-time codes: given out, answered, spent. The code itself is nowhere, only its keyed hash.

use sqlx::{PgPool, Postgres, Transaction};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use vault::{Index, Vault};

use crate::domain::code;
use crate::domain::session::Entry;

/// Numbers of the purposes in the records.
const REGISTER: i16 = 1;
const SIGN_IN: i16 = 2;
const RECOVER: i16 = 3;
const NEW_PHONE: i16 = 4;
const EMAIL: i16 = 5;
const PHONE_FIX: i16 = 6;

/// What a code is for, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A new account.
    Register,
    /// Signing in.
    SignIn {
        /// Who.
        person: Uuid,
        /// Through which entry.
        entry: Entry,
        /// Version of the account at which password and phone were read.
        version: i64,
    },
    /// Setting a password without the old one.
    Recover {
        /// Whose; `None` where the code goes nowhere, so that no answer is right.
        person: Option<Uuid>,
    },
    /// Another phone for this person.
    NewPhone {
        /// Whose.
        person: Uuid,
    },
    /// A mail address, whoever it will belong to.
    Email,
    /// A phone that the helpdesk shall put in, whoever asks.
    PhoneFix,
}

/// A code that was given out.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// To be repeated with the code.
    pub id: Uuid,
    /// When the code stops to count.
    pub expires_at: OffsetDateTime,
    /// When the phone may get another one for the same.
    pub resend_at: OffsetDateTime,
}

/// The outcome of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// It is the code. It has to be spent, which only one answer can do.
    Right(T),
    /// It is not.
    Wrong,
    /// There is no such code, or it does not count any more.
    Expired,
}

/// A code that counts, and one try of it gone.
#[derive(sqlx::FromRow)]
struct Tried {
    code_hash: [u8; 32],
    phone_hash: [u8; 32],
    person: Option<Uuid>,
    entry: Option<i16>,
    compared_version: Option<i64>,
}

/// A sign-in whose code was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningIn {
    /// Who.
    pub person: Uuid,
    /// Through which entry.
    pub entry: Entry,
    /// Version of the account at which the password was compared and the phone was read.
    pub version: i64,
}

/// The records of codes. Clones share them.
#[derive(Clone, Debug)]
pub struct Codes {
    pool: PgPool,
    code_index: Index,
    phone_index: Index,
}

impl Codes {
    /// Over the service's own database.
    pub fn new(pool: PgPool, vault: &Vault) -> Self {
        Self { pool, code_index: vault.index("code"), phone_index: vault.index("phone") }
    }

    /// Records a code for a phone, or for a mail address; `Err` says how long it has to wait for one of this purpose.
    pub async fn begin(
        &self,
        id: Uuid,
        code: &str,
        phone: &str,
        purpose: Purpose,
        now: OffsetDateTime,
    ) -> Result<Result<Begun, Duration>, sqlx::Error> {
        let (expires_at, resend_at) = code::times(now);
        let (person, entry, version) = match purpose {
            Purpose::Register | Purpose::Email | Purpose::PhoneFix => (None, None, None),
            Purpose::SignIn { person, entry, version } => (Some(person), Some(entry.code()), Some(version)),
            Purpose::Recover { person } => (person, None, None),
            Purpose::NewPhone { person } => (Some(person), None, None),
        };
        let phone_hash = self.address_hash(purpose, phone);
        let begun = sqlx::query(
            "WITH place AS (
                 INSERT INTO code_wait AS w (phone_hash, until) VALUES ($1, $2)
                 ON CONFLICT (phone_hash) DO UPDATE SET until = $2 WHERE w.until <= $3
                 RETURNING phone_hash
             )
             INSERT INTO one_time_code (id, purpose, code_hash, phone_hash, person, entry, compared_version, expires_at)
             SELECT $4, $5, $6, phone_hash, $7, $8, $9, $10 FROM place",
        )
        .bind(phone_hash.as_slice())
        .bind(resend_at)
        .bind(now)
        .bind(id)
        .bind(purpose.number())
        .bind(self.code_hash(id, code).as_slice())
        .bind(person)
        .bind(entry)
        .bind(version)
        .bind(expires_at)
        .execute(&self.pool)
        .await?;
        if begun.rows_affected() == 1 {
            return Ok(Ok(Begun { id, expires_at, resend_at }));
        }
        let until: Option<OffsetDateTime> = sqlx::query_scalar("SELECT until FROM code_wait WHERE phone_hash = $1")
            .bind(phone_hash.as_slice())
            .fetch_optional(&self.pool)
            .await?;
        Ok(Err(until.map_or(Duration::SECOND, |until| (until - now).max(Duration::SECOND))))
    }

    /// Takes back a code that could not be delivered: it never counts, and the phone need not wait.
    pub async fn take_back(&self, id: Uuid) -> Result<(), sqlx::Error> {
        sqlx::query(
            "WITH gone AS (DELETE FROM one_time_code WHERE id = $1 RETURNING phone_hash)
             DELETE FROM code_wait USING gone WHERE code_wait.phone_hash = gone.phone_hash",
        )
        .bind(id)
        .execute(&self.pool)
        .await
        .map(drop)
    }

    /// Judges the code of a registration; it was sent to one phone and counts for no other.
    pub async fn answer_registration(
        &self,
        id: Uuid,
        code: &str,
        phone: &str,
        now: OffsetDateTime,
    ) -> Result<Answer<()>, sqlx::Error> {
        self.answer_address(id, REGISTER, code, phone, now).await
    }

    /// Judges the code of a recovery, and says whose it is.
    pub async fn answer_recovery(
        &self,
        id: Uuid,
        code: &str,
        now: OffsetDateTime,
    ) -> Result<Answer<Uuid>, sqlx::Error> {
        let Some(tried) = self.count_try(id, RECOVER, now).await? else { return Ok(Answer::Expired) };
        let right = tried.code_hash == self.code_hash(id, code);
        Ok(tried.person.filter(|_| right).map_or(Answer::Wrong, Answer::Right))
    }

    /// Judges the code that was sent to a person's new phone.
    pub async fn answer_new_phone(
        &self,
        id: Uuid,
        code: &str,
        phone: &str,
        whose: Uuid,
        now: OffsetDateTime,
    ) -> Result<Answer<()>, sqlx::Error> {
        let Some(tried) = self.count_try(id, NEW_PHONE, now).await? else { return Ok(Answer::Expired) };
        let right = tried.person == Some(whose) && tried.phone_hash == self.hash_for(NEW_PHONE, phone);
        Ok(if right && tried.code_hash == self.code_hash(id, code) { Answer::Right(()) } else { Answer::Wrong })
    }

    /// Judges the code that was sent to a mail address.
    pub async fn answer_email(
        &self,
        id: Uuid,
        code: &str,
        email: &str,
        now: OffsetDateTime,
    ) -> Result<Answer<()>, sqlx::Error> {
        self.answer_address(id, EMAIL, code, email, now).await
    }

    /// Judges the code that was sent to a phone that the helpdesk shall put in.
    pub async fn answer_phone_fix(
        &self,
        id: Uuid,
        code: &str,
        phone: &str,
        now: OffsetDateTime,
    ) -> Result<Answer<()>, sqlx::Error> {
        self.answer_address(id, PHONE_FIX, code, phone, now).await
    }

    /// The code was sent to one address and counts for no other.
    async fn answer_address(
        &self,
        id: Uuid,
        purpose: i16,
        code: &str,
        address: &str,
        now: OffsetDateTime,
    ) -> Result<Answer<()>, sqlx::Error> {
        let Some(tried) = self.count_try(id, purpose, now).await? else { return Ok(Answer::Expired) };
        let right = tried.code_hash == self.code_hash(id, code) && tried.phone_hash == self.hash_for(purpose, address);
        Ok(if right { Answer::Right(()) } else { Answer::Wrong })
    }

    /// Judges the code of a sign-in, and says whose it is. One that names no version of the account counts for nothing.
    pub async fn answer_sign_in(
        &self,
        id: Uuid,
        code: &str,
        now: OffsetDateTime,
    ) -> Result<Answer<SigningIn>, sqlx::Error> {
        let Some(tried) = self.count_try(id, SIGN_IN, now).await? else { return Ok(Answer::Expired) };
        let entry = tried.entry.and_then(|entry| Entry::from_code(entry.into()));
        let (Some(person), Some(entry), Some(version)) = (tried.person, entry, tried.compared_version) else {
            return Ok(Answer::Expired);
        };
        let right = tried.code_hash == self.code_hash(id, code);
        Ok(if right { Answer::Right(SigningIn { person, entry, version }) } else { Answer::Wrong })
    }

    /// The try is counted before the code is looked at: many at once get no more than one after the other.
    async fn count_try(&self, id: Uuid, purpose: i16, now: OffsetDateTime) -> Result<Option<Tried>, sqlx::Error> {
        sqlx::query_as(
            "UPDATE one_time_code SET tries = tries + 1
             WHERE id = $1 AND purpose = $2 AND tries < $3 AND answered_at IS NULL AND expires_at > $4
             RETURNING code_hash, phone_hash, person, entry, compared_version",
        )
        .bind(id)
        .bind(purpose)
        .bind(code::TRIES)
        .bind(now)
        .fetch_optional(&self.pool)
        .await
    }

    /// Begins a transaction that spends a code; `None` when it was spent before. With it ends the phone's wait.
    pub async fn spend(
        &self,
        id: Uuid,
        now: OffsetDateTime,
    ) -> Result<Option<Transaction<'static, Postgres>>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        Ok(self.spend_in(&mut transaction, id, now).await?.then_some(transaction))
    }

    /// The same in a transaction that has begun; false when the code was spent before.
    pub async fn spend_in(
        &self,
        transaction: &mut Transaction<'static, Postgres>,
        id: Uuid,
        now: OffsetDateTime,
    ) -> Result<bool, sqlx::Error> {
        let spent = sqlx::query(
            "WITH spent AS (
                 UPDATE one_time_code SET answered_at = $2 WHERE id = $1 AND answered_at IS NULL RETURNING phone_hash
             ), waited AS (
                 DELETE FROM code_wait USING spent WHERE code_wait.phone_hash = spent.phone_hash
             )
             SELECT FROM spent",
        )
        .bind(id)
        .bind(now)
        .fetch_optional(&mut **transaction)
        .await?;
        Ok(spent.is_some())
    }

    /// Makes every code of a person that was not answered yet worthless: what it was to open has changed.
    pub async fn void_in(
        &self,
        transaction: &mut Transaction<'static, Postgres>,
        person: Uuid,
        now: OffsetDateTime,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE one_time_code SET answered_at = $2 WHERE person = $1 AND answered_at IS NULL")
            .bind(person)
            .bind(now)
            .execute(&mut **transaction)
            .await
            .map(drop)
    }

    /// Keyed hash of a phone or mail address for one purpose. It waits and is counted for each by itself: whoever has codes sent to somebody
    /// else's phone, which anyone may, keeps no code of a sign-in away.
    pub fn address_hash(&self, purpose: Purpose, address: &str) -> [u8; 32] {
        self.hash_for(purpose.number(), address)
    }

    fn hash_for(&self, purpose: i16, address: &str) -> [u8; 32] {
        self.phone_index.hash(&format!("{purpose}:{address}"))
    }

    /// Bound to the id, so that equal codes do not look alike.
    fn code_hash(&self, id: Uuid, code: &str) -> [u8; 32] {
        self.code_index.hash(&format!("{id}:{code}"))
    }
}

impl Purpose {
    const fn number(self) -> i16 {
        match self {
            Self::Register => REGISTER,
            Self::SignIn { .. } => SIGN_IN,
            Self::Recover { .. } => RECOVER,
            Self::NewPhone { .. } => NEW_PHONE,
            Self::Email => EMAIL,
            Self::PhoneFix => PHONE_FIX,
        }
    }
}
