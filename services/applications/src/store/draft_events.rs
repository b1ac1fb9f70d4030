//! The stored form of the events of drafts: public as a whole, in a stream of each draft's own.

use prost::{Message, Name};
use proto::applications::v1 as wire;
use uuid::Uuid;

use crate::domain::calendar::render_date;
use crate::domain::draft::{ChosenPlace, DraftEnd, DraftEvent};

/// Kind and payload.
pub fn encode(draft: Uuid, event: &DraftEvent) -> (String, Vec<u8>) {
    let draft_id = draft.to_string();
    match event {
        DraftEvent::Started { certificate, person } => public(&wire::DraftStarted {
            draft_id,
            certificate_id: certificate.to_string(),
            person_id: person.to_string(),
        }),
        DraftEvent::Placed(ChosenPlace { agency, point, school }) => public(&wire::DraftPlaced {
            draft_id,
            agency_id: id(*agency),
            point_id: id(*point),
            school_id: id(*school),
        }),
        DraftEvent::Dropped(end) => public(&wire::DraftDropped { draft_id, end: draft_end(*end).into() }),
        DraftEvent::Reminded { person, reminder, delete_on } => public(&wire::DraftReminded {
            draft_id,
            person_id: person.to_string(),
            reminder: reminder.number(),
            delete_date: render_date(*delete_on),
        }),
    }
}

/// Whether an event of the own log is of a draft.
pub fn is_of_a_draft(kind: &str) -> bool {
    use wire::{DraftDropped, DraftPlaced, DraftReminded, DraftStarted};
    [DraftStarted::NAME, DraftPlaced::NAME, DraftDropped::NAME, DraftReminded::NAME]
        .iter()
        .any(|name| kind.strip_prefix("dingzhu.applications.v1.") == Some(name))
}

fn draft_end(end: DraftEnd) -> wire::DraftEnd {
    match end {
        DraftEnd::Applicant => wire::DraftEnd::Applicant,
        DraftEnd::Expiry => wire::DraftEnd::Expiry,
        DraftEnd::PledgeRefused => wire::DraftEnd::PledgeRefused,
    }
}

fn id(chosen: Option<Uuid>) -> String {
    chosen.map(|id| id.to_string()).unwrap_or_default()
}

fn public<M: Message + Name>(message: &M) -> (String, Vec<u8>) {
    (M::full_name(), message.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;
    use crate::domain::draft::Reminder;

    /// Lines of kind and payload, as the first version of this program wrote them. They stay for ever.
    const GOLDEN: &str = include_str!("draft_events.golden.v1.txt");

    fn first_version() -> Vec<DraftEvent> {
        let uuid = Uuid::from_u128;
        vec![
            DraftEvent::Started { certificate: uuid(2), person: uuid(3) },
            DraftEvent::Placed(ChosenPlace { agency: Some(uuid(4)), point: Some(uuid(5)), school: Some(uuid(6)) }),
            DraftEvent::Placed(ChosenPlace { agency: Some(uuid(4)), ..ChosenPlace::default() }),
            DraftEvent::Dropped(DraftEnd::Applicant),
            DraftEvent::Dropped(DraftEnd::Expiry),
            DraftEvent::Dropped(DraftEnd::PledgeRefused),
            DraftEvent::Reminded { person: uuid(3), reminder: Reminder::Last, delete_on: date!(2026 - 12 - 03) },
        ]
    }

    #[test]
    fn every_event_of_the_first_version_decodes_for_ever() {
        let events = first_version();
        assert_eq!(GOLDEN.lines().count(), events.len());
        for (sample, event) in GOLDEN.lines().zip(events) {
            let (kind, payload) = encode(Uuid::from_u128(1), &event);
            let written = format!("{kind} {}", hex::encode(payload));
            assert_eq!(written, sample, "{kind} is written in another form: keep this sample, add one of the new form");
            assert!(is_of_a_draft(&kind));
        }
    }

    #[test]
    fn the_samples_say_what_they_said() {
        let read: Vec<Vec<u8>> =
            GOLDEN.lines().map(|line| hex::decode(line.split_once(' ').unwrap().1).unwrap()).collect();
        let id = |number| Uuid::from_u128(number).to_string();
        let started = wire::DraftStarted { draft_id: id(1), certificate_id: id(2), person_id: id(3) };
        assert_eq!(wire::DraftStarted::decode(read[0].as_slice()), Ok(started));
        let placed = wire::DraftPlaced { draft_id: id(1), agency_id: id(4), point_id: id(5), school_id: id(6) };
        assert_eq!(wire::DraftPlaced::decode(read[1].as_slice()), Ok(placed));
        let half = wire::DraftPlaced { draft_id: id(1), agency_id: id(4), ..Default::default() };
        assert_eq!(wire::DraftPlaced::decode(read[2].as_slice()), Ok(half));
        let ends = [wire::DraftEnd::Applicant, wire::DraftEnd::Expiry, wire::DraftEnd::PledgeRefused];
        for (read, end) in read[3..6].iter().zip(ends) {
            let dropped = wire::DraftDropped { draft_id: id(1), end: end.into() };
            assert_eq!(wire::DraftDropped::decode(read.as_slice()), Ok(dropped));
        }
        let reminded = wire::DraftReminded {
            draft_id: id(1),
            person_id: id(3),
            reminder: 2,
            delete_date: "2026-12-03".to_owned(),
        };
        assert_eq!(wire::DraftReminded::decode(read[6].as_slice()), Ok(reminded));
    }

    #[test]
    fn other_events_are_not_of_drafts() {
        for kind in ["ApplicationSubmitted", "RuleSetPublished", "Draft"] {
            assert!(!is_of_a_draft(&format!("dingzhu.applications.v1.{kind}")));
        }
        assert!(!is_of_a_draft("dingzhu.identity.v1.DraftStarted"));
    }
}
