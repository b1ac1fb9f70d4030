//! Every event of every random history goes through its stored form and comes back the same.

use super::*;
use crate::domain::registration::testing;

#[test]
fn a_submission_keeps_its_draft_inside_and_its_form_outside() {
    let (kind, payload, inner) = encode(Uuid::from_u128(1), testing::submitted(1, 2));
    assert_eq!(kind, "dingzhu.applications.v1.ApplicationSubmitted");
    let message = wire::ApplicationSubmitted::decode(payload.as_slice()).unwrap();
    assert_eq!(message.form.unwrap().subject, "物理");
    assert_eq!(wire::SubmissionInner::decode(inner.as_slice()).unwrap().draft_id, testing::submit(1).draft.to_string());
}

#[test]
fn what_this_program_did_not_write_is_corrupt() {
    let (kind, payload, inner) = encode(Uuid::from_u128(1), testing::submitted(1, 2));
    assert!(decode(&kind, &payload, b"").is_err());
    assert!(decode("dingzhu.applications.v1.Unheard", &payload, &inner).is_err());
    assert!(decode("dingzhu.identity.v1.ApplicationSubmitted", &payload, &inner).is_err());
    assert!(decode(&kind, &payload[1..], &inner).is_err());
}

/// One event of each kind, in its first version.
fn first_version() -> Vec<Event> {
    use time::macros::{date, datetime};

    use crate::domain::assessment::{Assessment, Proposal};
    use crate::domain::values::{Conclusion, Level};

    let (number, at, on) = (testing::number(1), datetime!(2026-11-23 02:00 UTC), date!(2026 - 11 - 23));
    let assessment = Assessment {
        proposal: Proposal::Deferred,
        articles: vec!["9.1".to_owned()],
        explanations: vec!["注册周期内培训未满360学时。".to_owned()],
    };
    vec![
        testing::prior(1, Conclusion::Qualified, date!(2021 - 01 - 01)),
        testing::submitted(1, 2),
        Event::ApplicationAmended(Box::new(Amended {
            number,
            form_version: 2,
            form: testing::coded(),
            place: testing::coded().place().unwrap(),
            pledge: testing::text(),
            route: testing::route(),
            rules: None,
        })),
        Event::ApplicationWithdrawn(number),
        Event::FactsRecorded { number, facts: Box::new(testing::facts()), by: None },
        Event::ApplicationConfirmed { number, point: testing::POINT, level: Level::County, rules: None },
        Event::ConfirmationRefused { number, point: testing::POINT },
        Event::ApplicationReturned { number, by_liaison: true },
        Event::ReviewPassed { number, level: Level::County, next: Level::City },
        Event::ReviewSentBack { number, level: Level::County, to: None },
        Event::ApplicationConcluded(Box::new(Concluded {
            number,
            ordinal: 2,
            conclusion: Conclusion::Deferred,
            on,
            rules: RuleRef { province: "32".to_owned(), version: 1 },
            level: Level::Province,
            articles: vec!["9.1".to_owned()],
            assessment,
        })),
        Event::PublicityBegun { number, at, until: None, rules: None },
        Event::PublicityEnded { number, at },
        Event::ObjectionRecorded(number),
        Event::ObjectionSettled(number),
        Event::CertificateNotePrinted(number),
        Event::ReversalProposed { number, revoke: true, by: Uuid::from_u128(9), file_reference: "1号".to_owned() },
        Event::ConclusionReversed { number, level: Level::Province },
        Event::RegistrationRevoked { number, on },
        Event::RecordMerged { into: Uuid::from_u128(2) },
    ]
}

/// The events that the second version writes in another form.
fn second_version() -> Vec<Event> {
    use time::macros::{date, datetime};

    let (number, at) = (testing::number(1), datetime!(2026-11-23 02:00 UTC));
    vec![Event::PublicityBegun { number, at, until: Some(date!(2026 - 11 - 30)), rules: None }]
}

/// The events that the third version writes in another form: with the rules that decided, and in whose name.
fn third_version() -> Vec<Event> {
    use time::macros::datetime;

    use crate::domain::values::Level;

    let (number, at) = (testing::number(1), datetime!(2026-11-23 02:00 UTC));
    let rules = Some(RuleRef { province: "32".to_owned(), version: 3 });
    let recorded = |by| Event::FactsRecorded { number, facts: Box::new(testing::facts()), by: Some(by) };
    vec![
        Event::ApplicationAmended(Box::new(Amended {
            number,
            form_version: 2,
            form: testing::coded(),
            place: testing::coded().place().unwrap(),
            pledge: testing::text(),
            route: testing::route(),
            rules: rules.clone(),
        })),
        recorded(Unit::School(testing::SCHOOL)),
        recorded(Unit::Point(testing::POINT)),
        recorded(Unit::Agency(testing::COUNTY)),
        Event::ApplicationConfirmed { number, point: testing::POINT, level: Level::County, rules: rules.clone() },
        Event::PublicityBegun { number, at, until: None, rules },
    ]
}

/// The event that the fourth version writes in another form: with the record that it was merged from.
fn fourth_version() -> Vec<Event> {
    use time::macros::date;

    use crate::domain::values::Conclusion;

    let (on, merged_from) = (date!(2021 - 01 - 01), Some(Uuid::from_u128(2)));
    vec![Event::PriorRegistrationRecorded(Prior { ordinal: 1, conclusion: Conclusion::Qualified, on, merged_from })]
}

/// Lines of kind, payload and inner part, as the first version of this program wrote them. They stay for ever: a new
/// form of an event gets lines of its own.
const GOLDEN: [&str; 4] = [
    include_str!("golden.v1.txt"),
    include_str!("golden.v2.txt"),
    include_str!("golden.v3.txt"),
    include_str!("golden.v4.txt"),
];

#[test]
fn every_event_of_every_version_decodes_for_ever() {
    let samples: Vec<&str> = GOLDEN.iter().flat_map(|version| version.lines()).collect();
    let events = [first_version(), second_version(), third_version(), fourth_version()].concat();
    assert_eq!(samples.len(), events.len());
    for (sample, event) in samples.into_iter().zip(events) {
        let parts: Vec<&str> = sample.split(' ').collect();
        let bytes = |part: usize| hex::decode(parts[part]).unwrap();
        assert_eq!(decode(parts[0], &bytes(1), &bytes(2)).as_ref(), Ok(&event));
        let (kind, payload, inner) = encode(Uuid::from_u128(1), event);
        let written = format!("{kind} {} {}", hex::encode(payload), hex::encode(inner));
        assert_eq!(written, sample, "{kind} is written in another form: keep this sample, add one of the new form");
    }
}
