//! The use cases: tell a person of a step, record how a delivery ended, send a secret, mark a notice as read.

use std::sync::Arc;

use decider::Decider as _;
use eventlog::{Append, AppendError, Division, EventLog};
use time::OffsetDateTime;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::channels::{Channels, Letter, ShortMessage, Unusable};
use crate::domain::address::{MailAddress, Phone};
use crate::domain::channel::Channel;
use crate::domain::notice::{self, Command, Event, Failure, Notice, Queued, State};
use crate::domain::step::Step;
use crate::domain::template::{Template, Values};
use crate::error::Error;
use crate::settings::Settings;
use crate::store::notice::{decode, encode};
use crate::store::{Claimed, DeliveryState, Lease, Settlement, Store};
use crate::templates::{Catalogue, PORTAL_PLACEHOLDER, SECRET_PLACEHOLDER};
use crate::views::inbox::Inbox;

/// How often a command is decided again when others are faster.
const TRIES: usize = 5;
/// Who acts here.
const ACTOR: &str = "service:notifications";

/// What the use cases need. Clones share it.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) log: EventLog,
    pub(crate) store: Store,
    pub(crate) inbox: Inbox,
    pub(crate) channels: Arc<Channels>,
    pub(crate) settings: Settings,
    /// Wakes the delivery of this replica.
    pub(crate) queued: Arc<Notify>,
}

/// A step of an application, and everything that is needed to tell of it.
#[derive(Debug, Clone)]
pub struct Told {
    /// What happened.
    pub step: Step,
    /// To which application; empty for a draft.
    pub enrolment_number: String,
    /// Whose it is.
    pub person: Uuid,
    /// By which event.
    pub cause: Uuid,
    /// When.
    pub at: OffsetDateTime,
    /// Where the application belongs.
    pub division: Division,
}

/// A one-time secret, or the warning in its place, on its way to an address.
#[derive(Debug)]
pub struct Secret {
    /// Made by the caller: the same id is sent once.
    pub request: Uuid,
    /// Where it goes.
    pub to: Destination,
    /// The text.
    pub template: &'static Template,
    /// What the placeholder stands for; shown nowhere.
    pub code: Code,
}

/// Where a secret goes.
#[derive(Debug)]
pub enum Destination {
    /// By mail.
    Mail(MailAddress),
    /// By SMS.
    Sms(Phone),
}

/// A code that does not show itself.
pub struct Code(pub String);

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(…)")
    }
}

/// A notice as it stands in the log.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// By status.
    pub state: State,
    /// Of its stream.
    pub version: i64,
    /// When it was queued; `None` before.
    pub queued_at: Option<OffsetDateTime>,
    division: Division,
}

/// How a try ended for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The channel took it.
    Delivered,
    /// It will never get there.
    Failed(Failure),
}

impl Handle {
    /// Over the service's log and its database; opens the channels that the settings name.
    pub fn new(log: EventLog, settings: Settings) -> Result<Self, Unusable> {
        let pool = log.pool();
        Ok(Self {
            store: Store::new(pool.clone()),
            inbox: Inbox::new(pool.clone()),
            channels: Arc::new(Channels::open(&settings)?),
            queued: Arc::new(Notify::new()),
            log,
            settings,
        })
    }

    /// Tells a person of a step, once, whatever is repeated.
    pub async fn tell(&self, told: &Told) -> Result<(), Error> {
        let name = told.step.template();
        let template = Catalogue::shipped().in_force(name).ok_or_else(|| Error::UnknownTemplate(name.to_owned()))?;
        let notice = Queued {
            person: told.person,
            template: name.to_owned(),
            version: template.version,
            channels: template.channels.iter().copied().collect(),
            cause: told.cause,
            enrolment_number: told.enrolment_number.clone(),
            values: told.step.values(&told.enrolment_number, told.at),
        };
        // A text that cannot be filled in is found before anybody is told half of it.
        render_all(template, &notice.values)?;
        let records: Vec<_> = notice.channels.iter().map(|channel| (*channel, first_state(*channel))).collect();
        let id = notice::id(told.cause, name, told.person);
        for _ in 0..TRIES {
            let loaded = self.load(id).await?;
            let events = Notice::decide(&loaded.state, Command::Queue(notice.clone()))?;
            if events.is_empty() {
                return Ok(());
            }
            let transaction = self.store.begin_deliveries(id, &records).await?;
            let append = append(id, loaded.version, &events, told.division, Some(told.cause));
            match self.log.append_in(transaction, append).await {
                Ok(_) => {
                    self.queued.notify_one();
                    return Ok(());
                }
                Err(AppendError::VersionConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }

    /// Records how a delivery in hand ended; does nothing when it is in another hand by now.
    pub async fn settle(&self, lease: &Lease, outcome: Outcome, masked_address: &str) -> Result<(), Error> {
        let (command, state, problem) = match outcome {
            Outcome::Delivered => (Command::RecordDelivery(lease.channel), DeliveryState::Delivered, ""),
            Outcome::Failed(failure) => {
                let state = match failure {
                    Failure::NoAddress => DeliveryState::NoAddress,
                    Failure::AddressRefused | Failure::PersonUnknown | Failure::GaveUp => DeliveryState::Failed,
                };
                (Command::RecordFailure(lease.channel, failure), state, failure.reason())
            }
        };
        let settlement = Settlement { state, masked_address, problem };
        for _ in 0..TRIES {
            let loaded = self.load(lease.notice).await?;
            let events = Notice::decide(&loaded.state, command.clone())?;
            let Some(transaction) = self.store.begin_settlement(lease, settlement).await? else { return Ok(()) };
            if events.is_empty() {
                return Ok(transaction.commit().await?);
            }
            let append = append(lease.notice, loaded.version, &events, loaded.division, None);
            match self.log.append_in(transaction, append).await {
                Ok(_) => return Ok(()),
                Err(AppendError::VersionConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }

    /// Sends a secret at once, unless its request was done before.
    pub async fn deliver_secret(&self, secret: &Secret) -> Result<(), Error> {
        let at = match self.store.claim_secret(secret.request, self.settings.lease()).await? {
            Claimed::Yours { asked_at } => asked_at,
            Claimed::Sent => return Ok(()),
            Claimed::InHand => return Err(Error::Conflict),
        };
        let sending = tokio::time::timeout(self.settings.timeout(), self.send_secret(secret, at));
        match sending.await.unwrap_or(Err(Error::ChannelFailed)) {
            Ok(()) => Ok(self.store.secret_sent(secret.request).await?),
            Err(error) => {
                self.store.release_secret(secret.request).await?;
                Err(error)
            }
        }
    }

    async fn send_secret(&self, secret: &Secret, at: OffsetDateTime) -> Result<(), Error> {
        let values = Values::from([
            (SECRET_PLACEHOLDER.to_owned(), secret.code.0.clone()),
            (PORTAL_PLACEHOLDER.to_owned(), self.settings.portal_url.trim_end_matches('/').to_owned()),
        ]);
        let (id, template) = (secret.request, secret.template);
        let sent = match &secret.to {
            Destination::Sms(phone) => {
                let (to, text) = (phone.clone(), template.render_sms(&values)?);
                let message = ShortMessage { id, to, template: template.name.to_owned(), text, at };
                self.channels.sms.send(&message).await
            }
            Destination::Mail(address) => {
                let (subject, text) = (template.render_title(&values)?, template.render_body(&values)?);
                self.channels.mail.send(&Letter { id, to: address.clone(), subject, text, at }).await
            }
        };
        sent.map_err(|error| {
            tracing::warn!(template = template.name, %error, "a one-time message was not taken");
            Error::ChannelFailed
        })
    }

    /// Marks one of a person's notices as read.
    pub async fn mark_read(&self, person: Uuid, notice: Uuid) -> Result<(), Error> {
        if !self.inbox.holds(person, notice).await? {
            return Err(Error::NotFound);
        }
        Ok(self.store.mark_read(notice).await?)
    }

    /// A notice as it stands in the log.
    pub async fn load(&self, notice: Uuid) -> Result<Loaded, Error> {
        let recorded = self.log.load(notice).await?;
        let events = recorded.iter().map(decode).collect::<Result<Vec<Event>, _>>()?;
        Ok(Loaded {
            state: Notice::fold(&events),
            version: recorded.last().map_or(0, |event| event.version),
            queued_at: recorded.first().map(|event| event.recorded_at),
            division: recorded.first().map_or(Division::NONE, |event| event.metadata.division),
        })
    }
}

/// The inbox shows what is recorded; the other channels have to be tried.
fn first_state(channel: Channel) -> DeliveryState {
    match channel {
        Channel::Inbox => DeliveryState::Delivered,
        Channel::Mail | Channel::Sms => DeliveryState::Queued,
    }
}

fn render_all(template: &Template, values: &Values) -> Result<(), Error> {
    template.render_title(values)?;
    template.render_body(values)?;
    template.render_sms(values)?;
    Ok(())
}

fn append(id: Uuid, version: i64, events: &[Event], division: Division, cause: Option<Uuid>) -> Append {
    Append {
        stream: id,
        expected_version: version,
        events: events.iter().map(|event| encode(id, event, lifecycle::ids::random(), division)).collect(),
        actor: ACTOR.to_owned(),
        request: None,
        claims: Vec::new(),
        not_before: None,
        not_after: None,
        traceparent: telemetry::current_traceparent(),
        cause,
    }
}
