//! Recomputing the hash chain over the stored bytes.

use crate::log::EventLog;
use crate::read::ReadError;

/// Records per short transaction.
const PAGE: i64 = 1_000;

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every record up to the head follows from the one before it.
    Intact {
        /// Last position checked.
        head: i64,
    },
    /// Something was changed, removed or put in.
    Broken {
        /// First position that does not verify.
        position: i64,
    },
}

/// Why a verification came to no verdict.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The log could not be read.
    #[error("verifying the event log")]
    Read(#[from] ReadError),
}

impl EventLog {
    /// Recomputes every hash from position `from` (1 for all) up to the head at the start, and checks that positions
    /// have no gap. Tells `progress` the position reached and the head, page by page.
    pub async fn verify(&self, from: i64, mut progress: impl FnMut(i64, i64)) -> Result<Verdict, VerifyError> {
        let head = self.newest().await?;
        let mut next = from.max(1);
        let mut previous = match self.previous_hash(next).await {
            Ok(hash) => hash,
            Err(ReadError::Missing { position }) => return Ok(Verdict::Broken { position }),
            Err(error) => return Err(error.into()),
        };
        while next <= head {
            let records = self.stored(next - 1, PAGE.min(head - next + 1)).await.map_err(ReadError::from)?;
            if records.is_empty() {
                return Ok(Verdict::Broken { position: next });
            }
            for record in records {
                if record.position != next || record.hash != record.expected_hash(&previous) {
                    return Ok(Verdict::Broken { position: next });
                }
                previous = record.hash;
                next += 1;
            }
            progress(next - 1, head);
        }
        Ok(Verdict::Intact { head })
    }
}
