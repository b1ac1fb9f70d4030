//! The delivery of notices by mail and SMS: what is due is taken in hand, tried, and settled or put off.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use lifecycle::CancellationToken;
use tokio::time::{interval, sleep, timeout};
use vault::mask;

use crate::channels::{Letter, SendError, ShortMessage};
use crate::contacts::{Contact, ContactError, Contacts};
use crate::domain::address::{MailAddress, Phone};
use crate::domain::channel::Channel;
use crate::domain::notice::{Failure, Queued, State};
use crate::error::Error;
use crate::handle::{Handle, Loaded, Outcome};
use crate::store::Lease;
use crate::templates::Catalogue;

/// How soon notices of other replicas, and second tries, are noticed.
const POLL: Duration = Duration::from_millis(500);
/// How often old ids of secrets are forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(3_600);

/// Delivers, on this replica. Others may do the same: a delivery is in one hand at a time.
#[derive(Debug, Clone)]
pub struct Courier {
    handle: Handle,
    contacts: Contacts,
}

/// How a try went.
enum Try {
    Ended(Outcome),
    Again(String),
}

impl Courier {
    /// For one replica.
    pub fn new(handle: Handle, contacts: Contacts) -> Self {
        Self { handle, contacts }
    }

    /// Delivers until the service stops; what is in hand then is finished.
    pub async fn run(self, stopping: CancellationToken) {
        let mut in_hand = FuturesUnordered::new();
        let mut housekeeping = interval(HOUSEKEEPING);
        while !stopping.is_cancelled() {
            for lease in self.take(in_hand.len()).await {
                in_hand.push(self.deliver(lease));
            }
            tokio::select! {
                () = stopping.cancelled() => {}
                Some(()) = in_hand.next() => {}
                () = self.handle.queued.notified() => {}
                () = sleep(POLL) => {}
                _ = housekeeping.tick() => self.forget_secrets().await,
            }
        }
        while in_hand.next().await.is_some() {}
    }

    /// Takes as much in hand as there is room for.
    async fn take(&self, in_hand: usize) -> Vec<Lease> {
        let settings = &self.handle.settings;
        let room = settings.delivery_parallel.saturating_sub(in_hand);
        if room == 0 {
            return Vec::new();
        }
        let leased = self.handle.store.lease_deliveries(room, settings.lease(), lifecycle::ids::random()).await;
        leased.unwrap_or_else(|error| {
            tracing::warn!(%error, "due deliveries could not be taken in hand");
            Vec::new()
        })
    }

    async fn forget_secrets(&self) {
        if let Err(error) = self.handle.store.forget_old_secrets().await {
            tracing::warn!(%error, "old ids of secrets could not be forgotten");
        }
    }

    /// Tries one delivery and records what came of it. Where that cannot be recorded, the lease runs out and the same
    /// message, under the same id, is tried again.
    async fn deliver(&self, lease: Lease) {
        let mut masked_address = String::new();
        let tried = self.attempt(&lease, &mut masked_address).await.unwrap_or_else(|error| {
            tracing::warn!(notice = %lease.notice, %error, "a delivery could not be prepared");
            Try::Again("INTERNAL".to_owned())
        });
        let recorded = match tried {
            Try::Ended(outcome) => self.handle.settle(&lease, outcome, &masked_address).await,
            Try::Again(problem) => self.put_off(&lease, &masked_address, &problem).await,
        };
        if let Err(error) = recorded {
            tracing::warn!(notice = %lease.notice, channel = lease.channel.name(), %error, "a delivery was not recorded");
        }
    }

    async fn put_off(&self, lease: &Lease, masked_address: &str, problem: &str) -> Result<(), Error> {
        let (notice, channel, attempt) = (lease.notice, lease.channel.name(), lease.attempt);
        tracing::warn!(%notice, channel, attempt, problem, "a delivery failed");
        match self.handle.settings.retry().pause(attempt, chance()) {
            Some(pause) => Ok(self.handle.store.postpone_delivery(lease, pause, masked_address, problem).await?),
            None => self.handle.settle(lease, Outcome::Failed(Failure::GaveUp), masked_address).await,
        }
    }

    async fn attempt(&self, lease: &Lease, masked_address: &mut String) -> Result<Try, Error> {
        let loaded = self.handle.load(lease.notice).await?;
        let State::Queued { notice, .. } = &loaded.state else { return Err(Error::NotFound) };
        let limit = self.handle.settings.timeout();
        let contact = match self.contacts.get(notice.person, limit).await {
            Ok(contact) => contact,
            Err(ContactError::Unknown) => return Ok(Try::Ended(Outcome::Failed(Failure::PersonUnknown))),
            Err(ContactError::Unavailable(code)) => return Ok(Try::Again(format!("IDENTITY_{code:?}"))),
        };
        let sending = async {
            match lease.channel {
                Channel::Inbox => Ok(Ok(())),
                Channel::Mail => {
                    let Some(to) = MailAddress::parse(&contact.email) else { return Ok(Err(None)) };
                    *masked_address = mask::email(to.as_str());
                    let letter = letter(lease, &loaded, notice, &contact, to)?;
                    Ok(self.handle.channels.mail.send(&letter).await.map_err(Some))
                }
                Channel::Sms => {
                    let Some(to) = Phone::parse(&contact.phone) else { return Ok(Err(None)) };
                    *masked_address = mask::phone(to.as_str());
                    let message = short_message(lease, &loaded, notice, to)?;
                    Ok(self.handle.channels.sms.send(&message).await.map_err(Some))
                }
            }
        };
        let sent: Result<Result<(), Option<SendError>>, Error> =
            timeout(limit, sending).await.unwrap_or_else(|_| Ok(Err(Some(SendError::Failed("TIMEOUT".to_owned())))));
        Ok(match sent? {
            Ok(()) => Try::Ended(Outcome::Delivered),
            Err(None) => Try::Ended(Outcome::Failed(Failure::NoAddress)),
            Err(Some(SendError::AddressRefused)) => Try::Ended(Outcome::Failed(Failure::AddressRefused)),
            Err(Some(SendError::Failed(problem))) => Try::Again(problem),
        })
    }
}

fn letter(
    lease: &Lease,
    loaded: &Loaded,
    notice: &Queued,
    contact: &Contact,
    to: MailAddress,
) -> Result<Letter, Error> {
    let template = template(notice)?;
    let greeting = if contact.name.is_empty() { "老师".to_owned() } else { format!("{}老师", contact.name) };
    let body = template.render_body(&notice.values)?;
    let text = format!("{greeting}，您好：\n\n{body}\n\n本邮件由系统自动发出，请勿直接回复。\n");
    let subject = template.render_title(&notice.values)?;
    Ok(Letter { id: lease.notice, to, subject, text, at: loaded.queued_at.ok_or(Error::NotFound)? })
}

fn short_message(lease: &Lease, loaded: &Loaded, notice: &Queued, to: Phone) -> Result<ShortMessage, Error> {
    let text = template(notice)?.render_sms(&notice.values)?;
    let at = loaded.queued_at.ok_or(Error::NotFound)?;
    Ok(ShortMessage { id: lease.notice, to, template: notice.template.clone(), text, at })
}

fn template(notice: &Queued) -> Result<&'static crate::domain::template::Template, Error> {
    let found = Catalogue::shipped().find(&notice.template, notice.version);
    found.ok_or_else(|| Error::UnknownTemplate(format!("{} v{}", notice.template, notice.version)))
}

/// From 0 to 1, by the random bits of a fresh id.
fn chance() -> f64 {
    let (bits, ..) = lifecycle::ids::random().as_fields();
    f64::from(bits) / f64::from(u32::MAX)
}
