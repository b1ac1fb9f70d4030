//! Keys that sign access tokens: published before they are used, kept until their last token ends.

use decider::Decider;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// How long a key signs before the next one takes over.
pub const SIGNS_FOR: Duration = Duration::days(30);
/// How long it goes on where the next one could not be published in time, since nobody was there to do it.
pub const RESERVE: Duration = Duration::days(30);
/// The next key is published this long before it takes over.
pub const PUBLISHED_AHEAD: Duration = Duration::hours(48);
/// It does not sign before it has been published for so long: services need to know it by then.
pub const LEAD: Duration = Duration::hours(24);
/// How long a token outlives the last moment at which its key signs.
pub const LAST_TOKEN: Duration = Duration::minutes(10);

/// All keys ever published, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRing(Vec<Key>);

/// A published key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Random id.
    pub id: Uuid,
    /// Ed25519 public key.
    pub public_key: [u8; 32],
    /// First moment at which its tokens count, whole seconds.
    pub not_before: OffsetDateTime,
    /// Last one, also where no other key follows.
    pub not_after: OffsetDateTime,
}

/// Publishes a key where one is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishIfDue {
    /// Random id.
    pub id: Uuid,
    /// Ed25519 public key.
    pub public_key: [u8; 32],
    /// Now.
    pub now: OffsetDateTime,
}

/// A key was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published(pub Key);

/// Publishing is never refused: at most it is not due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {}

impl KeyRing {
    /// When a key that is published now begins to sign; `None` when none is due.
    pub fn due(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let now = now.replace_nanosecond(0).expect("zero is a valid nanosecond");
        let newest = match self.0.last() {
            Some(newest) if now < newest.signs_until() => newest,
            // Nothing signs: at the very first start, or after a sleep that was longer than the reserve.
            Some(_) | None => return Some(now),
        };
        let takes_over = newest.not_before + SIGNS_FOR;
        // After a sleep the newest goes on until the next one has been known for long enough.
        let begins = takes_over.max(now + LEAD).min(newest.signs_until());
        (takes_over <= now + PUBLISHED_AHEAD).then_some(begins)
    }

    /// The key that signs now.
    pub fn signing(&self, now: OffsetDateTime) -> Option<&Key> {
        self.0.iter().rev().find(|key| key.not_before <= now && now < key.signs_until())
    }

    /// Keys whose tokens may be alive now or later, oldest first.
    pub fn alive(&self, now: OffsetDateTime) -> impl Iterator<Item = &Key> {
        self.ends().filter(move |(_, end)| now < *end).map(|(key, _)| key)
    }

    /// Keys whose last token has ended.
    pub fn over(&self, now: OffsetDateTime) -> impl Iterator<Item = &Key> {
        self.ends().filter(move |(_, end)| *end <= now).map(|(key, _)| key)
    }

    /// Each key with the moment at which its last token ends, oldest first.
    fn ends(&self) -> impl Iterator<Item = (&Key, OffsetDateTime)> {
        let replaced_at = self.0.iter().skip(1).map(|next| Some(next.not_before)).chain([None]);
        self.0.iter().zip(replaced_at).map(|(key, replaced_at)| {
            let signed_last = replaced_at.unwrap_or(key.not_after).min(key.signs_until());
            (key, signed_last + LAST_TOKEN)
        })
    }
}

impl Key {
    /// When it stops signing at the latest, so that its last token ends with it.
    pub fn signs_until(&self) -> OffsetDateTime {
        self.not_after - LAST_TOKEN
    }
}

impl Decider for KeyRing {
    type State = Self;
    type Command = PublishIfDue;
    type Event = Published;
    type Rejection = Never;

    fn decide(state: &Self, command: PublishIfDue) -> Result<Vec<Published>, Never> {
        let PublishIfDue { id, public_key, now } = command;
        let key = state.due(now).map(|not_before| {
            let not_after = not_before + SIGNS_FOR + RESERVE + LAST_TOKEN;
            Published(Key { id, public_key, not_before, not_after })
        });
        Ok(key.into_iter().collect())
    }

    fn evolve(mut state: Self, Published(key): &Published) -> Self {
        state.0.push(*key);
        state
    }
}

#[cfg(test)]
mod tests;
