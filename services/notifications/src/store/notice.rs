//! The stored form of a notice's events: what is public, and the placeholders' values beside it.

use std::collections::BTreeSet;

use eventlog::{Division, NewEvent, Recorded};
use prost::{Message as _, Name as _};
use proto::notifications::v1 as stored;
use uuid::Uuid;

use crate::domain::channel::Channel;
use crate::domain::notice::{Event, Failure, Queued};

#[cfg(test)]
mod tests;

/// A record that this program did not write.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[error("the record at position {position} is no event of a notice")]
pub struct CorruptEvent {
    position: i64,
}

/// An event of the notice `id`, ready to be recorded.
pub fn encode(id: Uuid, event: &Event, event_id: Uuid, division: Division) -> NewEvent {
    let notice_id = id.to_string();
    let (kind, payload, inner) = match event {
        Event::Queued(queued) => {
            let payload = stored::NoticeQueued {
                notice_id,
                person_id: queued.person.to_string(),
                template: queued.template.clone(),
                template_version: i32::try_from(queued.version).expect("versions of templates are small"),
                channels: queued.channels.iter().map(|channel| number(*channel).into()).collect(),
                cause_event_id: queued.cause.to_string(),
            };
            let values = queued.values.iter();
            let inner = stored::NoticeQueuedInner {
                enrolment_number: queued.enrolment_number.clone(),
                values: values
                    .map(|(name, value)| stored::PlaceholderValue { name: name.clone(), value: value.clone() })
                    .collect(),
            };
            (stored::NoticeQueued::full_name(), payload.encode_to_vec(), inner.encode_to_vec())
        }
        Event::Delivered { channel } => {
            let payload = stored::NoticeDelivered { notice_id, channel: number(*channel).into() };
            (stored::NoticeDelivered::full_name(), payload.encode_to_vec(), Vec::new())
        }
        Event::Failed { channel, reason } => {
            let (channel, reason) = (number(*channel).into(), reason.reason().to_owned());
            let payload = stored::NoticeFailed { notice_id, channel, reason };
            (stored::NoticeFailed::full_name(), payload.encode_to_vec(), Vec::new())
        }
    };
    NewEvent { event_id, kind, payload, inner, sealed: Vec::new(), division }
}

/// Reads an event back.
pub fn decode(recorded: &Recorded) -> Result<Event, CorruptEvent> {
    let kind = recorded.kind.strip_prefix("dingzhu.notifications.v1.").unwrap_or_default();
    let event = match kind {
        stored::NoticeQueued::NAME => queued(&recorded.payload, &recorded.inner),
        stored::NoticeDelivered::NAME => delivered(&recorded.payload),
        stored::NoticeFailed::NAME => failed(&recorded.payload),
        _ => None,
    };
    event.ok_or(CorruptEvent { position: recorded.position })
}

fn queued(payload: &[u8], inner: &[u8]) -> Option<Event> {
    let (message, inner) =
        (stored::NoticeQueued::decode(payload).ok()?, stored::NoticeQueuedInner::decode(inner).ok()?);
    let channels: Option<BTreeSet<Channel>> = message.channels.iter().map(|number| channel(*number)).collect();
    Some(Event::Queued(Queued {
        person: Uuid::parse_str(&message.person_id).ok()?,
        version: u32::try_from(message.template_version).ok()?,
        channels: channels?,
        cause: Uuid::parse_str(&message.cause_event_id).ok()?,
        enrolment_number: inner.enrolment_number,
        values: inner.values.into_iter().map(|value| (value.name, value.value)).collect(),
        template: message.template,
    }))
}

fn delivered(payload: &[u8]) -> Option<Event> {
    let message = stored::NoticeDelivered::decode(payload).ok()?;
    Some(Event::Delivered { channel: channel(message.channel)? })
}

fn failed(payload: &[u8]) -> Option<Event> {
    let message = stored::NoticeFailed::decode(payload).ok()?;
    let reason = Failure::ALL.into_iter().find(|failure| failure.reason() == message.reason)?;
    Some(Event::Failed { channel: channel(message.channel)?, reason })
}

/// A channel's number in events, records and the API.
pub fn number(channel: Channel) -> stored::Channel {
    match channel {
        Channel::Inbox => stored::Channel::Inbox,
        Channel::Mail => stored::Channel::Mail,
        Channel::Sms => stored::Channel::Sms,
    }
}

/// The channel of a number.
pub fn channel(number: i32) -> Option<Channel> {
    match stored::Channel::try_from(number).ok()? {
        stored::Channel::Unspecified => None,
        stored::Channel::Inbox => Some(Channel::Inbox),
        stored::Channel::Mail => Some(Channel::Mail),
        stored::Channel::Sms => Some(Channel::Sms),
    }
}
