//! Drafts that nobody works on: their owners are reminded twice, then they are deleted.

use lifecycle::clock;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Handle;
use crate::domain::calendar::shanghai_date;
use crate::domain::draft::{DraftEnd, DraftEvent, Patience, Step};
use crate::error::Error;

/// Drafts of one step in one go.
const AT_ONCE: u16 = 200;
const ACTOR: &str = "service:applications";

impl Handle {
    /// Takes the next step with drafts that have waited for it; how many there were, and whether more may wait.
    pub async fn attend_to_idle_drafts(&self, patience: &Patience) -> Result<(usize, bool), Error> {
        let now = clock::now();
        let (mut taken, mut more) = (0, false);
        for step in Step::LAST_FIRST {
            let since = now - patience.before(step);
            let waiting = self.0.drafts.idle(step, since, i64::from(AT_ONCE)).await?;
            more |= waiting.len() == usize::from(AT_ONCE);
            for draft in waiting {
                match self.take_step(draft, step, since, now, patience).await {
                    Ok(done) => taken += usize::from(done),
                    Err(error) => {
                        // It waits on, and so that it is not all that is ever looked at, no more is asked for at once.
                        more = false;
                        tracing::warn!(%error, %draft, ?step, "an idle draft could not be attended to");
                    }
                }
            }
        }
        Ok((taken, more))
    }

    async fn take_step(
        &self,
        draft: Uuid,
        step: Step,
        since: OffsetDateTime,
        now: OffsetDateTime,
        patience: &Patience,
    ) -> Result<bool, Error> {
        let change = self.0.drafts.begin_step(draft, step, since, now).await?;
        let event = change.as_ref().map(|change| match step {
            Step::Remind(reminder) => DraftEvent::Reminded {
                person: change.draft().person,
                reminder,
                delete_on: shanghai_date(now + patience.after(reminder)),
            },
            Step::Delete => DraftEvent::Dropped(DraftEnd::Expiry),
        });
        let Some(event) = event else { return Ok(false) };
        Ok(self.commit(change, &event, ACTOR).await?.is_some())
    }
}
