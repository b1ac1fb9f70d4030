//! Two thousand people want a hundred places, through two replicas at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use lifecycle::Lifecycle;
use proto::identity::v1::Entry;
use proto::scheduling::v1::slots_client::SlotsClient;
use proto::scheduling::v1::{BookSlotRequest, BookSlotResponse, Booking, HalfDay, ListSlotsRequest, Slot};
use scheduling::Scheduling;
use scheduling::config::Settings;
use service::testing::person_token;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};

use crate::harness::eventually;
use crate::slot_world::{SlotWorld, book, outcome, person};

const PEOPLE: u32 = 2_000;
const PLACES: i32 = 100;
/// Connections to each replica: one carries some hundred calls at a time.
const CONNECTIONS: usize = 8;
/// How often somebody asks who is told to ask again.
const TRIES: u32 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_thousand_people_through_two_replicas_exactly_a_hundred_get_the_hundred_places() {
    let world = SlotWorld::start().await;
    let slot = world.slot(2, HalfDay::Morning);
    world.publish(&slot, PLACES).await;
    stream::iter(1..=PEOPLE).map(|n| world.submit(n)).buffer_unordered(32).collect::<Vec<_>>().await;
    world.known(PEOPLE).await;
    for n in 1..PEOPLE {
        world.known(n).await;
    }

    let (running, lifecycle) = (&world.world.running, Lifecycle::new(Duration::from_secs(5)));
    let second = service::serve::<Scheduling>(&running.settings, Settings::default(), &lifecycle).await.unwrap();
    let addresses = [running.service.address, second.address];
    let connect = |n: usize| {
        let address = addresses[n % addresses.len()];
        Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
    };
    let channels: Vec<Channel> = (0..CONNECTIONS * addresses.len()).map(connect).collect();
    for channel in &channels[..addresses.len()] {
        ready(channel, &slot).await;
    }

    let race = stream::iter(1..=PEOPLE).map(|n| {
        let channel = channels[usize::try_from(n).unwrap() % channels.len()].clone();
        ask(channel, n, book(n, &slot))
    });
    let answers: Vec<_> = race.buffer_unordered(usize::try_from(PEOPLE).unwrap()).collect().await;

    let mut refusals: BTreeMap<String, u32> = BTreeMap::new();
    let mut seats = BTreeSet::new();
    for answer in answers {
        match answer {
            Ok(booked) => {
                let Booking { seat, .. } = booked.into_inner().booking.unwrap();
                assert!((1..=PLACES).contains(&seat) && seats.insert(seat), "place {seat} was given twice");
            }
            refused => *refusals.entry(outcome(refused)).or_default() += 1,
        }
    }
    assert_eq!(i32::try_from(seats.len()).unwrap(), PLACES, "{refusals:?}");
    assert_eq!(refusals, BTreeMap::from([("SLOT_FULL".to_owned(), PEOPLE - PLACES.unsigned_abs())]));
    eventually("the list to show no free place", || async {
        let request = ListSlotsRequest { point_id: world.point.point_id.clone(), from_date: String::new(), days: 0 };
        let listed = world.person(1).list_slots(request).await.unwrap().into_inner().slots;
        (listed.len() == 1 && (listed[0].capacity, listed[0].free) == (PLACES, 0)).then_some(())
    })
    .await;
    let events: i64 =
        sqlx::query_scalar("SELECT count(*) FROM event_log WHERE type = 'dingzhu.scheduling.v1.SlotBooked'")
            .fetch_one(&running.service.ground.pool)
            .await
            .unwrap();
    assert_eq!(events, i64::from(PLACES));
    lifecycle.stop();
    lifecycle.clone().until_stopped().await;
}

/// Waits until a replica knows plans, applications and keys: then it refuses an application that nobody has submitted.
async fn ready(channel: &Channel, slot: &Slot) {
    eventually("the replica to be ready", || async {
        let answer = SlotsClient::new(channel.clone()).book_slot(authorized(PEOPLE + 1, book(PEOPLE + 1, slot))).await;
        (outcome(answer) == "NOT_FOUND").then_some(())
    })
    .await;
}

/// The n-th person asks for a place, the same again while the replica has too much to do to decide.
async fn ask(channel: Channel, n: u32, wanted: BookSlotRequest) -> Result<Response<BookSlotResponse>, Status> {
    for _ in 0..TRIES {
        let answer = SlotsClient::new(channel.clone()).book_slot(authorized(n, wanted.clone())).await;
        match answer {
            Err(status) if matches!(status.code(), Code::Unavailable | Code::ResourceExhausted) => {}
            decided => return decided,
        }
    }
    Err(Status::unavailable("nobody decided"))
}

/// As the n-th person.
fn authorized(n: u32, wanted: BookSlotRequest) -> Request<BookSlotRequest> {
    let mut request = Request::new(wanted);
    let token = person_token(person(n), Entry::Registration, true);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}
