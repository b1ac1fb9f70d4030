//! Which event leads to which step.

use eventlog::Division;
use prost::{Message, Name};
use time::macros::{date, datetime};

use super::*;

fn event<M: Message + Name>(message: &M) -> Event {
    Event {
        position: 1,
        epoch: 1,
        event_id: Uuid::from_u128(1),
        kind: M::full_name(),
        stream: Uuid::from_u128(2),
        version: 1,
        division: Division::NONE,
        recorded_at: datetime!(2026-11-23 08:00 UTC),
        payload: message.encode_to_vec().into(),
        inner: Vec::new().into(),
        sealed: Vec::new().into(),
        hash: [0; 32],
        previous_hash: [0; 32],
        traceparent: None,
        actor: None,
    }
}

fn number() -> String {
    "20263203020000017".to_owned()
}

#[track_caller]
fn leads_to<M: Message + Name>(message: &M, step: Step) {
    assert_eq!(read(&event(message)), Ok(Some((About::Application(number()), step))));
}

#[test]
fn a_reminder_of_a_draft_names_its_owner() {
    let owner = Uuid::from_u128(7);
    let reminded = |reminder| DraftReminded {
        draft_id: Uuid::from_u128(2).to_string(),
        person_id: owner.to_string(),
        reminder,
        delete_date: "2026-12-03".to_owned(),
    };
    for (reminder, last) in [(1, false), (2, true)] {
        let step = Step::DraftReminded { last, delete_on: date!(2026 - 12 - 03) };
        assert_eq!(read(&event(&reminded(reminder))), Ok(Some((About::Draft { owner }, step))));
    }
    let nobody = DraftReminded { person_id: String::new(), ..reminded(1) };
    assert!(matches!(read(&event(&nobody)), Err(ReactionError::Rejected(_))));
}

#[test]
fn each_step_of_an_application_is_recognised() {
    let enrolment_number = number();
    leads_to(&ApplicationSubmitted { enrolment_number: number(), ..Default::default() }, Step::Submitted);
    leads_to(
        &ApplicationAmended { enrolment_number: number(), form_version: 3, ..Default::default() },
        Step::Amended { form_version: 3 },
    );
    leads_to(&ApplicationWithdrawn { enrolment_number: number(), ..Default::default() }, Step::Withdrawn);
    leads_to(
        &ApplicationConfirmed { enrolment_number: number(), level: ReviewLevel::City.into(), ..Default::default() },
        Step::Confirmed { next: Level::City },
    );
    leads_to(&ConfirmationRefused { enrolment_number: number(), ..Default::default() }, Step::ConfirmationRefused);
    leads_to(
        &ApplicationReturned { enrolment_number: number(), by_role: "clerk".to_owned(), ..Default::default() },
        Step::Returned { by: Returner::Clerk },
    );
    leads_to(
        &ConclusionReversed { enrolment_number, level: ReviewLevel::Province.into(), ..Default::default() },
        Step::ConclusionReversed { level: Level::Province },
    );
    leads_to(
        &RegistrationRevoked { enrolment_number: number(), revoke_date: "2026-11-23".to_owned(), ..Default::default() },
        Step::Revoked { on: date!(2026 - 11 - 23) },
    );
}

#[test]
fn a_review_that_is_sent_back_goes_to_the_applicant_or_to_a_level() {
    let passed = ReviewPassed {
        enrolment_number: number(),
        level: ReviewLevel::County.into(),
        next_level: ReviewLevel::City.into(),
        ..Default::default()
    };
    leads_to(&passed, Step::ReviewPassed { level: Level::County, next: Level::City });
    let back = |to: ReviewLevel| ReviewSentBack {
        enrolment_number: number(),
        level: ReviewLevel::City.into(),
        to_level: to.into(),
        ..Default::default()
    };
    leads_to(&back(ReviewLevel::Unspecified), Step::SentBackToApplicant { level: Level::City });
    leads_to(&back(ReviewLevel::County), Step::SentBackToLevel { level: Level::City, to: Level::County });
}

#[test]
fn each_conclusion_has_its_own_step() {
    let concluded = |conclusion: ProtoConclusion| ApplicationConcluded {
        enrolment_number: number(),
        conclusion: conclusion.into(),
        conclude_date: "2026-11-23".to_owned(),
        ..Default::default()
    };
    for (conclusion, expected) in [
        (ProtoConclusion::Qualified, Conclusion::Qualified),
        (ProtoConclusion::Deferred, Conclusion::Deferred),
        (ProtoConclusion::Failed, Conclusion::Failed),
    ] {
        let on = date!(2026 - 11 - 23);
        leads_to(&concluded(conclusion), Step::Concluded { conclusion: expected, on });
    }
    for unknown in [ProtoConclusion::Unspecified, ProtoConclusion::Revoked] {
        let refused = read(&event(&concluded(unknown)));
        assert!(matches!(refused, Err(ReactionError::Rejected(_))), "{refused:?}");
    }
}

#[test]
fn what_does_not_concern_the_applicant_is_passed_over() {
    use proto::applications::v1::{FactsRecorded, ObjectionRecorded, ReversalProposed};
    assert_eq!(read(&event(&FactsRecorded::default())), Ok(None));
    assert_eq!(read(&event(&ObjectionRecorded::default())), Ok(None));
    assert_eq!(read(&event(&ReversalProposed::default())), Ok(None));
    let other =
        Event { kind: "dingzhu.scheduling.v1.ApplicationSubmitted".to_owned(), ..event(&FactsRecorded::default()) };
    assert_eq!(read(&other), Ok(None));
}

#[test]
fn an_event_that_makes_no_sense_is_rejected_and_not_guessed_at() {
    let no_level = ApplicationConfirmed { enrolment_number: number(), ..Default::default() };
    let no_role = ApplicationReturned { enrolment_number: number(), ..Default::default() };
    let no_date = RegistrationRevoked { enrolment_number: number(), ..Default::default() };
    for refused in [read(&event(&no_level)), read(&event(&no_role)), read(&event(&no_date))] {
        assert!(matches!(refused, Err(ReactionError::Rejected(_))), "{refused:?}");
    }
    let garbage = Event { payload: vec![0xff].into(), ..event(&no_level) };
    assert!(matches!(read(&garbage), Err(ReactionError::Rejected(_))));
}
