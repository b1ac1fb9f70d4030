//! Given / when / then of a notice, and what holds for every history.

use decider::testing::given;
use proptest::prelude::*;

use super::*;

fn queued(channels: &[Channel]) -> Queued {
    Queued {
        person: Uuid::from_u128(1),
        template: "application_submitted".to_owned(),
        version: 1,
        channels: channels.iter().copied().collect(),
        cause: Uuid::from_u128(2),
        enrolment_number: "20263203020000017".to_owned(),
        values: Values::from([("enrolment_number".to_owned(), "20263203020000017".to_owned())]),
    }
}

const INBOX: Event = Event::Delivered { channel: Channel::Inbox };

#[test]
fn a_notice_is_in_the_inbox_as_soon_as_it_is_queued() {
    let notice = queued(&Channel::ALL);
    given::<Notice>([]).when(Command::Queue(notice.clone())).then([Event::Queued(notice), INBOX]);
}

#[test]
fn a_notice_without_inbox_is_only_queued() {
    let notice = queued(&[Channel::Sms]);
    given::<Notice>([]).when(Command::Queue(notice.clone())).then([Event::Queued(notice)]);
}

#[test]
fn a_notice_is_queued_once() {
    let notice = queued(&Channel::ALL);
    given::<Notice>([Event::Queued(notice.clone()), INBOX]).when(Command::Queue(notice)).then_nothing();
}

#[test]
fn a_channel_has_one_outcome_and_the_first_stands() {
    let queued = Event::Queued(queued(&Channel::ALL));
    let (delivered, failed) = (
        Event::Delivered { channel: Channel::Mail },
        Event::Failed { channel: Channel::Mail, reason: Failure::GaveUp },
    );
    given::<Notice>([queued.clone()]).when(Command::RecordDelivery(Channel::Mail)).then([delivered.clone()]);
    given::<Notice>([queued.clone()])
        .when(Command::RecordFailure(Channel::Mail, Failure::GaveUp))
        .then([failed.clone()]);
    given::<Notice>([queued.clone(), delivered.clone()]).when(Command::RecordDelivery(Channel::Mail)).then_nothing();
    given::<Notice>([queued.clone(), delivered])
        .when(Command::RecordFailure(Channel::Mail, Failure::GaveUp))
        .then_nothing();
    given::<Notice>([queued, failed]).when(Command::RecordDelivery(Channel::Mail)).then_nothing();
}

#[test]
fn one_channel_says_nothing_of_another() {
    let history = [Event::Queued(queued(&Channel::ALL)), INBOX, Event::Delivered { channel: Channel::Mail }];
    let failed = Event::Failed { channel: Channel::Sms, reason: Failure::NoAddress };
    given::<Notice>(history).when(Command::RecordFailure(Channel::Sms, Failure::NoAddress)).then([failed]);
}

#[test]
fn outcomes_of_what_was_never_queued_are_refused() {
    given::<Notice>([]).when(Command::RecordDelivery(Channel::Mail)).then_refused(&Rejection::NotQueued);
    given::<Notice>([])
        .when(Command::RecordFailure(Channel::Mail, Failure::GaveUp))
        .then_refused(&Rejection::NotQueued);
}

#[test]
fn outcomes_of_a_channel_that_was_not_chosen_are_refused() {
    given::<Notice>([Event::Queued(queued(&[Channel::Inbox]))])
        .when(Command::RecordDelivery(Channel::Sms))
        .then_refused(&Rejection::OtherChannel);
}

#[test]
fn the_id_depends_on_event_template_and_person() {
    let (cause, person) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let id = id(cause, "a", person);
    assert_eq!(id, super::id(cause, "a", person));
    for other in [super::id(person, "a", cause), super::id(cause, "b", person), super::id(cause, "a", cause)] {
        assert_ne!(id, other);
    }
}

fn channel() -> impl Strategy<Value = Channel> {
    prop::sample::select(Channel::ALL.to_vec())
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        prop::collection::vec(channel(), 1..3).prop_map(|channels| Command::Queue(queued(&channels))),
        channel().prop_map(Command::RecordDelivery),
        (channel(), prop::sample::select(Failure::ALL.to_vec())).prop_map(|(c, f)| Command::RecordFailure(c, f)),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_a_channel_ends_at_most_once(commands in prop::collection::vec(command(), 0..20)) {
        let (mut state, mut history) = (State::default(), Vec::new());
        for command in commands {
            for event in Notice::decide(&state, command).unwrap_or_default() {
                state = Notice::evolve(state, &event);
                history.push(event);
            }
        }
        prop_assert_eq!(&Notice::fold(&history), &state);
        prop_assert!(history.iter().filter(|event| matches!(event, Event::Queued(_))).count() <= 1);
        for channel in Channel::ALL {
            let ends = history.iter().filter(|event| match event {
                Event::Queued(_) => false,
                Event::Delivered { channel: c } | Event::Failed { channel: c, .. } => *c == channel,
            });
            prop_assert!(ends.count() <= 1);
        }
    }

    #[test]
    fn evolve_takes_any_history(order in prop::collection::vec(0_usize..4, 0..12)) {
        let events = [
            Event::Queued(queued(&Channel::ALL)),
            INBOX,
            Event::Delivered { channel: Channel::Sms },
            Event::Failed { channel: Channel::Mail, reason: Failure::AddressRefused },
        ];
        let _ = Notice::fold(order.iter().map(|i| &events[*i]));
    }
}
