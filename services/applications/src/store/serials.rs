//! Serials of 报名号: reserved in blocks ahead, handed out from memory, never twice. What a crash loses is not reused.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::Instant;

use crate::domain::enrolment_number::{EnrolmentNumber, SERIALS};

/// Serials of the first block of an agency, and of the largest.
const BLOCK: Range<u32> = 100..12_800;
/// A block that is used up sooner than this is followed by one of twice its size, else by one of half of it.
const LASTS: Duration = Duration::from_secs(10);

/// The serials of all agencies and years that this replica has reserved. Clones share them.
#[derive(Debug, Clone)]
pub struct Serials {
    pool: PgPool,
    agencies: Arc<Mutex<HashMap<Key, Arc<Agency>>>>,
}

type Key = (i32, [u8; 6]);

/// The serials of one agency and year.
#[derive(Debug, Default)]
struct Agency {
    left: Mutex<Left>,
    /// Held by the one caller that reserves the next block.
    reserving: tokio::sync::Mutex<Option<(u32, Instant)>>,
}

/// What of a block is left, and what came back unused.
#[derive(Debug, Default)]
struct Left {
    block: Range<u32>,
    returned: Vec<u32>,
}

/// Why there is no number.
#[derive(Debug, thiserror::Error)]
pub enum SerialError {
    /// No block could be reserved.
    #[error("no serials could be reserved")]
    Storage(#[from] sqlx::Error),
    /// The agency has used all its serials of the year.
    #[error("agency {agency_code} has no serials left in {year}")]
    Exhausted {
        /// Six digits.
        agency_code: String,
        /// Shanghai.
        year: i32,
    },
    /// The agency's code is not six digits.
    #[error("{agency_code} is no code of an agency")]
    NotACode {
        /// What stands in the directory.
        agency_code: String,
    },
}

impl Serials {
    /// Over the service's database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, agencies: Arc::default() }
    }

    /// The next number of an agency in a year.
    pub async fn take(&self, year: i32, agency_code: &str) -> Result<EnrolmentNumber, SerialError> {
        let not_a_code = || SerialError::NotACode { agency_code: agency_code.to_owned() };
        let code: [u8; 6] = agency_code.as_bytes().try_into().map_err(|_| not_a_code())?;
        let agency = self.agency((year, code));
        let serial = match agency.pop() {
            Some(serial) => serial,
            None => self.reserve(&agency, year, agency_code).await?,
        };
        EnrolmentNumber::new(year, agency_code, serial).ok_or_else(not_a_code)
    }

    /// Takes a number back that was neither recorded nor shown, so that refusals do not use up the serials.
    pub fn give_back(&self, number: EnrolmentNumber) {
        let agency = self.agency((number.year(), number.agency_code()));
        agency.left.lock().unwrap_or_else(PoisonError::into_inner).returned.push(number.serial());
    }

    fn agency(&self, key: Key) -> Arc<Agency> {
        Arc::clone(self.agencies.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default())
    }

    /// One caller reserves a block, those behind it find it filled.
    async fn reserve(&self, agency: &Agency, year: i32, agency_code: &str) -> Result<u32, SerialError> {
        let mut reserving = agency.reserving.lock().await;
        if let Some(serial) = agency.pop() {
            return Ok(serial);
        }
        let size = match *reserving {
            None => BLOCK.start,
            Some((size, since)) if since.elapsed() < LASTS => (size * 2).min(BLOCK.end),
            Some((size, _)) => (size / 2).max(BLOCK.start),
        };
        let begin: i64 = sqlx::query_scalar(
            "INSERT INTO public.enrolment_serial AS serial (agency_code, year, next) VALUES ($1, $2, 1 + $3) \
             ON CONFLICT (agency_code, year) DO UPDATE SET next = serial.next + $3 RETURNING next - $3",
        )
        .bind(agency_code)
        .bind(year)
        .bind(i64::from(size))
        .fetch_one(&self.pool)
        .await?;
        let begin = u32::try_from(begin).unwrap_or(SERIALS).min(SERIALS);
        let block = begin..(begin + size).min(SERIALS);
        *reserving = Some((size, Instant::now()));
        agency.left.lock().unwrap_or_else(PoisonError::into_inner).block = block;
        agency.pop().ok_or_else(|| SerialError::Exhausted { agency_code: agency_code.to_owned(), year })
    }
}

impl Agency {
    fn pop(&self) -> Option<u32> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.returned.pop().or_else(|| left.block.next())
    }
}
