//! Slots over gRPC: capacities, bookings, moves, blocks, no-shows, and every reason that people meet.

use proto::applications::v1::{ApplicationAmended, ApplicationWithdrawn, CodedPart, ConfirmationRefused};
use proto::identity::v1::Role;
use proto::scheduling::v1::slots_client::SlotsClient;
use proto::scheduling::v1::{
    BookBlockRequest, BookSlotRequest, Booking, ExportBookingsRequest, GetMyBookingRequest, HalfDay,
    ListBookingsRequest, ListSlotsRequest, ListedBooking, MarkNoShowRequest, MoveSlotRequest, PublishCapacityRequest,
    ReleaseSlotRequest, Slot,
};
use proto::types::v1::PersonalDataErased;
use scheduling::config::Settings;
use scheduling::domain::booking::{EnrolmentNumber, Event, State};
use scheduling::domain::id::BookingId;
use scheduling::store;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{World, eventually, reason, refused, request_id};
use crate::slot_world::{DATES, SCHOOL, SlotWorld, book, certificate, number, person};

async fn free(world: &SlotWorld, expected: &[(i32, i32)]) {
    eventually("the slots to be listed so", || async {
        let request = ListSlotsRequest { point_id: world.point.point_id.clone(), from_date: String::new(), days: 31 };
        let listed = world.person(1).list_slots(request).await.unwrap().into_inner().slots;
        let shown: Vec<_> = listed.iter().map(|slot| (slot.capacity, slot.free)).collect();
        (shown == expected).then_some(())
    })
    .await;
}

async fn live(world: &SlotWorld, n: u32) -> Option<Booking> {
    let request = GetMyBookingRequest { enrolment_number: number(n) };
    world.person(n).get_my_booking(request).await.unwrap().into_inner().booking
}

async fn listed(world: &SlotWorld, slot: &Slot) -> Vec<ListedBooking> {
    let request = ListBookingsRequest { slot: Some(slot.clone()), ..ListBookingsRequest::default() };
    world.clerk.clone().list_bookings(request).await.unwrap().into_inner().bookings
}

fn capacity(slot: &Slot, capacity: i32) -> PublishCapacityRequest {
    PublishCapacityRequest { request_id: request_id(), slot: Some(slot.clone()), capacity }
}

fn shift(n: u32, slot: &Slot) -> MoveSlotRequest {
    MoveSlotRequest { request_id: request_id(), enrolment_number: number(n), slot: Some(slot.clone()) }
}

fn give_back(n: u32) -> ReleaseSlotRequest {
    ReleaseSlotRequest { request_id: request_id(), enrolment_number: number(n) }
}

fn no_show(n: u32) -> MarkNoShowRequest {
    MarkNoShowRequest { request_id: request_id(), enrolment_number: number(n) }
}

#[tokio::test]
async fn a_person_books_moves_and_gives_back() {
    let world = SlotWorld::start().await;
    let (morning, afternoon) = (world.slot(2, HalfDay::Morning), world.slot(2, HalfDay::Afternoon));
    world.submit(1).await;
    world.known(1).await;
    let mut me = world.person(1);
    assert_eq!(reason(me.book_slot(book(1, &morning)).await), "SLOT_NOT_OPEN");
    world.publish(&morning, 2).await;
    let request = book(1, &morning);
    let booked = me.book_slot(request.clone()).await.unwrap().into_inner();
    assert_eq!(me.book_slot(request.clone()).await.unwrap().into_inner(), booked, "one request, one effect");
    let reused = BookSlotRequest { slot: Some(afternoon.clone()), ..request };
    assert_eq!(reason(me.book_slot(reused).await), "REQUEST_ID_REUSED");
    let booking = booked.booking.unwrap();
    assert_eq!((booking.slot.as_ref(), booking.enrolment_number), (Some(&morning), number(1)));
    assert_eq!(live(&world, 1).await.unwrap().slot, Some(morning.clone()));
    let twice = refused(me.book_slot(book(1, &morning)).await);
    assert_eq!(twice.reason, "ALREADY_BOOKED");
    assert!(twice.sentence.contains("改约"), "{}", twice.sentence);
    free(&world, &[(2, 1)]).await;

    assert_eq!(reason(me.move_slot(shift(1, &afternoon)).await), "SLOT_NOT_OPEN");
    world.publish(&afternoon, 1).await;
    me.move_slot(shift(1, &afternoon)).await.unwrap();
    me.move_slot(shift(1, &afternoon)).await.unwrap();
    let moved = live(&world, 1).await.unwrap();
    assert_eq!((moved.slot, moved.booking_id), (Some(afternoon.clone()), booking.booking_id));
    free(&world, &[(2, 2), (1, 0)]).await;
    let [only] = listed(&world, &afternoon).await.try_into().unwrap();
    assert_eq!((only.enrolment_number, only.seat, only.no_show), (number(1), 1, false));

    me.release_slot(give_back(1)).await.unwrap();
    assert_eq!(live(&world, 1).await, None);
    assert_eq!(reason(me.release_slot(give_back(1)).await), "NOT_BOOKED");
    free(&world, &[(2, 2), (1, 1)]).await;
    me.book_slot(book(1, &afternoon)).await.unwrap();
    for view in ["slots", "applications"] {
        let rebuilt = world.world.running.service.bus.rebuild(view, |_| {}).await.unwrap();
        assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest, "{view}");
    }
}

#[tokio::test]
async fn nobody_acts_on_what_is_not_theirs() {
    let world = SlotWorld::start().await;
    let morning = world.slot(2, HalfDay::Morning);
    world.publish(&morning, 2).await;
    world.submit(1).await;
    world.known(1).await;
    let mut other = world.person(2);
    assert_eq!(refused(other.book_slot(book(1, &morning)).await).code, Code::NotFound);
    assert_eq!(refused(other.move_slot(shift(1, &morning)).await).code, Code::NotFound);
    assert_eq!(refused(other.release_slot(give_back(1)).await).code, Code::NotFound);
    let request = GetMyBookingRequest { enrolment_number: number(1) };
    assert_eq!(refused(other.get_my_booking(request).await).code, Code::NotFound);
    let elsewhere = world.world.running.staff(Uuid::from_u128(0xc2), Role::Clerk, "320300", Some(SCHOOL)).await;
    let mut clerk = SlotsClient::new(elsewhere);
    assert_eq!(refused(clerk.publish_capacity(capacity(&morning, 1)).await).code, Code::NotFound);
    assert_eq!(refused(clerk.mark_no_show(no_show(1)).await).code, Code::NotFound);
    let request = ListBookingsRequest { slot: Some(morning), ..ListBookingsRequest::default() };
    assert_eq!(refused(clerk.list_bookings(request).await).code, Code::NotFound);
    assert_eq!(
        refused(other.publish_capacity(capacity(&world.slot(2, HalfDay::Morning), 1)).await).reason,
        "ROLE_REQUIRED"
    );
}

#[tokio::test]
async fn a_capacity_is_lowered_to_what_is_booked_and_no_further() {
    let world = SlotWorld::start().await;
    let (morning, mut clerk) = (world.slot(2, HalfDay::Morning), world.clerk.clone());
    world.publish(&morning, 5).await;
    for n in 1..=4 {
        world.submit(n).await;
    }
    for n in 1..=4 {
        world.known(n).await;
    }
    for n in 1..=2 {
        world.person(n).book_slot(book(n, &morning)).await.unwrap();
    }
    let refusal = refused(clerk.publish_capacity(capacity(&morning, 1)).await);
    assert_eq!((refusal.reason.as_str(), refusal.metadata["booked"].as_str()), ("BELOW_BOOKED", "2"));
    assert!(refusal.sentence.contains("已预约2人"), "{}", refusal.sentence);
    world.publish(&morning, 2).await;
    assert_eq!(reason(world.person(3).book_slot(book(3, &morning)).await), "SLOT_FULL");
    world.person(1).release_slot(give_back(1)).await.unwrap();
    world.person(3).book_slot(book(3, &morning)).await.unwrap();
    assert_eq!(reason(world.person(4).book_slot(book(4, &morning)).await), "SLOT_FULL");
    world.publish(&morning, 3).await;
    world.person(4).book_slot(book(4, &morning)).await.unwrap();
    assert_eq!(reason(world.person(1).book_slot(book(1, &morning)).await), "SLOT_FULL");
    free(&world, &[(3, 0)]).await;
}

#[tokio::test]
async fn slots_lie_ahead_and_inside_the_points_dates() {
    let world = SlotWorld::start().await;
    let mut clerk = world.clerk.clone();
    let publish = async |slot: &Slot| refused(world.clerk.clone().publish_capacity(capacity(slot, 1)).await);
    assert_eq!(publish(&world.slot(-1, HalfDay::Morning)).await.reason, "SLOT_IN_THE_PAST");
    let outside = publish(&world.slot(DATES + 2, HalfDay::Morning)).await;
    assert_eq!(outside.reason, "OUTSIDE_POINT_DATES");
    assert!(outside.sentence.contains("现场确认时间为"), "{}", outside.sentence);
    let wrong = PublishCapacityRequest { request_id: String::new(), slot: None, capacity: 1_001 };
    let refusal = refused(clerk.publish_capacity(wrong).await);
    let fields: Vec<&str> = refusal.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["request_id", "slot.point_id", "slot.date", "slot.half_day", "capacity"]);

    let xuzhou = proto::scheduling::v1::Agency { agency_id: world.point.agency_id.clone(), ..Default::default() };
    let unassigned = world.world.add_point(&xuzhou, "徐州市第二确认点", None).await;
    let unit = Some(Uuid::parse_str(&unassigned.point_id).unwrap());
    let mut other =
        SlotsClient::new(world.world.running.staff(Uuid::from_u128(0xc3), Role::Clerk, "320300", unit).await);
    let there = Slot { point_id: unassigned.point_id, ..world.slot(2, HalfDay::Morning) };
    assert_eq!(reason(other.publish_capacity(capacity(&there, 1)).await), "POINT_NOT_ASSIGNED");
    world.submit(1).await;
    world.known(1).await;
    assert_eq!(reason(world.person(1).book_slot(book(1, &there)).await), "ANOTHER_POINT");
}

#[tokio::test]
async fn a_school_books_a_block_or_nothing() {
    let world = SlotWorld::start().await;
    let morning = world.slot(2, HalfDay::Morning);
    world.publish(&morning, 3).await;
    for n in 1..=4 {
        world.submit(n).await;
    }
    for n in 1..=4 {
        world.known(n).await;
    }
    let liaison = world.world.running.staff(Uuid::from_u128(0x1a), Role::Liaison, "320300", Some(SCHOOL)).await;
    let mut liaison = SlotsClient::new(liaison);
    let block = |numbers: &[u32]| BookBlockRequest {
        request_id: request_id(),
        slot: Some(morning.clone()),
        enrolment_numbers: numbers.iter().map(|n| number(*n)).collect(),
    };
    let full = refused(liaison.book_block(block(&[1, 2, 3, 4])).await);
    assert_eq!((full.reason.as_str(), full.metadata["free"].as_str()), ("SLOT_FULL", "3"));
    assert_eq!(refused(liaison.book_block(block(&[1, 9])).await).code, Code::NotFound);
    let request = block(&[2, 1]);
    let booked = liaison.book_block(request.clone()).await.unwrap().into_inner();
    assert_eq!(liaison.book_block(request).await.unwrap().into_inner(), booked);
    let numbers: Vec<_> = booked.bookings.iter().map(|booking| booking.enrolment_number.clone()).collect();
    assert_eq!(numbers, [number(2), number(1)]);
    assert_ne!(booked.bookings[0].seat, booked.bookings[1].seat);
    assert_eq!(reason(liaison.book_block(block(&[3, 1])).await), "ALREADY_BOOKED");
    assert_eq!(live(&world, 3).await, None);
    free(&world, &[(3, 1)]).await;
    liaison.release_slot(give_back(1)).await.unwrap();
    world.person(2).release_slot(give_back(2)).await.unwrap();
    free(&world, &[(3, 3)]).await;

    let wrong = BookBlockRequest { enrolment_numbers: vec!["1".to_owned(), "1".to_owned()], ..block(&[]) };
    let refusal = refused(liaison.book_block(wrong).await);
    let reasons: Vec<&str> = refusal.violations.iter().map(|violation| violation.reason.as_str()).collect();
    assert_eq!(reasons, ["GIVEN_TWICE", "NOT_AN_ENROLMENT_NUMBER"]);
    assert_eq!(refused(liaison.book_block(block(&[])).await).violations[0].reason, "OUT_OF_RANGE");
}

#[tokio::test]
async fn what_becomes_of_an_application_frees_its_place() {
    let world = SlotWorld::start().await;
    let morning = world.slot(2, HalfDay::Morning);
    world.publish(&morning, 2).await;
    for n in 1..=2 {
        world.submit(n).await;
        world.known(n).await;
        world.person(n).book_slot(book(n, &morning)).await.unwrap();
    }
    let applications = world.world.running.neighbour("applications");
    let withdrawn = ApplicationWithdrawn { certificate_id: certificate(1).to_string(), enrolment_number: number(1) };
    applications.publish(certificate(1), "320300", &withdrawn).await;
    let amended = |point_id: &str| ApplicationAmended {
        certificate_id: certificate(2).to_string(),
        enrolment_number: number(2),
        form: Some(CodedPart { point_id: point_id.to_owned(), ..world.form() }),
        ..ApplicationAmended::default()
    };
    applications.publish(certificate(2), "320300", &amended(&world.point.point_id)).await;
    eventually("the place of the withdrawn application to be free", || async {
        live(&world, 1).await.is_none().then_some(())
    })
    .await;
    assert!(live(&world, 2).await.is_some(), "the point is the same");
    assert_eq!(reason(world.person(1).book_slot(book(1, &morning)).await), "APPLICATION_NOT_PENDING");
    applications.publish(certificate(2), "320300", &amended(&request_id())).await;
    eventually("the place of the amended application to be free", || async {
        live(&world, 2).await.is_none().then_some(())
    })
    .await;
    assert_eq!(reason(world.person(2).book_slot(book(2, &morning)).await), "ANOTHER_POINT");
    free(&world, &[(2, 2)]).await;

    let erased = PersonalDataErased { person_id: person(1).to_string(), ..PersonalDataErased::default() };
    applications.publish(Uuid::from_u128(0xe), "00", &erased).await;
    eventually("the erased person to have no application", || async {
        let request = GetMyBookingRequest { enrolment_number: number(1) };
        world.person(1).get_my_booking(request).await.err()
    })
    .await;
}

/// A booking of these applications in the past, as it would have been recorded then.
async fn booked_in_the_past(world: &SlotWorld, numbers: &[u32], slot: &Slot) {
    let stream = lifecycle::ids::random();
    let slot = store::read_slot(Some(slot.clone())).unwrap();
    let seats = numbers.iter().zip(1..).map(|(n, seat)| (EnrolmentNumber::parse(&number(*n)).unwrap(), seat)).collect();
    let event = Event::Booked { booking: BookingId(stream), slot, seats };
    let claims = store::taken::claims_of_booking(&State::Empty, &event);
    world.world.record(stream, 0, &[event], claims).await;
}

#[tokio::test]
async fn who_did_not_come_books_again() {
    let world = SlotWorld::start().await;
    let (yesterday, next) = (world.slot(-1, HalfDay::Afternoon), world.slot(2, HalfDay::Morning));
    world.publish(&next, 1).await;
    world.submit(1).await;
    world.known(1).await;
    let (mut me, mut clerk) = (world.person(1), world.clerk.clone());
    assert_eq!(reason(clerk.mark_no_show(no_show(1)).await), "NOT_BOOKED");
    booked_in_the_past(&world, &[1], &yesterday).await;
    assert_eq!(reason(me.release_slot(give_back(1)).await), "SLOT_BEGUN");
    assert_eq!(reason(me.move_slot(shift(1, &next)).await), "SLOT_BEGUN");
    clerk.mark_no_show(no_show(1)).await.unwrap();
    me.book_slot(book(1, &next)).await.unwrap();
    assert_eq!(reason(clerk.mark_no_show(no_show(1)).await), "SLOT_NOT_OVER");
    eventually("the no-show to be listed", || async {
        let listed = listed(&world, &yesterday).await;
        (listed.len() == 1 && listed[0].no_show).then_some(())
    })
    .await;
}

/// Waits until these bookings of a slot are listed, each as a no-show or not.
async fn missed(world: &SlotWorld, slot: &Slot, expected: &[(String, bool)]) {
    eventually("the no-shows to be listed", || async {
        let listed = listed(world, slot).await;
        let shown: Vec<_> = listed.into_iter().map(|booking| (booking.enrolment_number, booking.no_show)).collect();
        (shown == expected).then_some(())
    })
    .await;
}

/// No clerk has said a word.
#[tokio::test]
async fn who_was_not_seen_books_again_and_was_missed() {
    let world = SlotWorld::with(Settings { max_no_shows: 2, ..Settings::default() }).await;
    let (yesterday, next) = (world.slot(-1, HalfDay::Afternoon), world.slot(2, HalfDay::Morning));
    world.publish(&next, 3).await;
    for n in 1..=4 {
        world.submit(n).await;
        world.known(n).await;
    }
    booked_in_the_past(&world, &[1, 2, 3, 4], &yesterday).await;
    // Who gets no place was not missed yet.
    let liaison = world.world.running.staff(Uuid::from_u128(0x1a), Role::Liaison, "320300", Some(SCHOOL)).await;
    let mut liaison = SlotsClient::new(liaison);
    let block = |numbers: &[u32]| BookBlockRequest {
        request_id: request_id(),
        slot: Some(next.clone()),
        enrolment_numbers: numbers.iter().map(|n| number(*n)).collect(),
    };
    assert_eq!(reason(liaison.book_block(block(&[1, 2, 3, 4])).await), "SLOT_FULL");
    assert_eq!(live(&world, 1).await.unwrap().slot, Some(yesterday.clone()));

    let mut me = world.person(1);
    let request = book(1, &next);
    let booked = me.book_slot(request.clone()).await.unwrap().into_inner();
    assert_eq!(me.book_slot(request).await.unwrap().into_inner(), booked, "one request, one effect");
    assert_eq!(live(&world, 1).await, booked.booking);
    assert_eq!(reason(me.book_slot(book(1, &next)).await), "ALREADY_BOOKED");
    assert_eq!(reason(world.clerk.clone().mark_no_show(no_show(1)).await), "SLOT_NOT_OVER");
    // Two of what was one block once.
    liaison.book_block(block(&[2, 3])).await.unwrap();
    let of = |n, no_show| (number(n), no_show);
    missed(&world, &yesterday, &[of(1, true), of(2, true), of(3, true), of(4, false)]).await;

    // The second time is one too many, whether a clerk has said so or not.
    me.release_slot(give_back(1)).await.unwrap();
    let before = world.slot(-2, HalfDay::Morning);
    booked_in_the_past(&world, &[1], &before).await;
    let refusal = refused(me.book_slot(book(1, &next)).await);
    assert_eq!((refusal.reason.as_str(), refusal.metadata["no_shows"].as_str()), ("TOO_MANY_NO_SHOWS", "2"));
    missed(&world, &before, &[of(1, false)]).await;
}

#[tokio::test]
async fn whoever_was_refused_at_the_point_was_seen_there() {
    let world = SlotWorld::with(Settings { max_no_shows: 1, ..Settings::default() }).await;
    let (yesterday, next) = (world.slot(-1, HalfDay::Afternoon), world.slot(2, HalfDay::Morning));
    world.publish(&next, 3).await;
    for n in 1..=2 {
        world.submit(n).await;
        world.known(n).await;
    }
    booked_in_the_past(&world, &[1], &yesterday).await;
    world.person(2).book_slot(book(2, &next)).await.unwrap();
    let applications = world.world.running.neighbour("applications");
    for n in [2, 1] {
        let refused = ConfirmationRefused {
            certificate_id: certificate(n).to_string(),
            enrolment_number: number(n),
            point_id: world.point.point_id.clone(),
        };
        applications.publish(certificate(n), "320300", &refused).await;
    }
    eventually("the place of the refused application to be free", || async {
        live(&world, 1).await.is_none().then_some(())
    })
    .await;
    missed(&world, &yesterday, &[]).await;
    assert!(live(&world, 2).await.is_some(), "that one is yet to come");
    let booked = world.person(1).book_slot(book(1, &next)).await.unwrap().into_inner();
    assert_eq!(live(&world, 1).await, booked.booking);
}

/// Between the decision and its record the application was withdrawn, and the reaction to that found nothing to free.
#[tokio::test]
async fn a_booking_does_not_outlive_its_application() {
    let world = SlotWorld::start().await;
    let next = world.slot(2, HalfDay::Morning);
    world.publish(&next, 1).await;
    world.submit(1).await;
    world.known(1).await;
    let (mut me, held) = (world.person(1), world.world.hold().await);
    let withdrawing = async {
        world.world.decided().await;
        let number = number(1);
        let withdrawn = ApplicationWithdrawn { certificate_id: certificate(1).to_string(), enrolment_number: number };
        let applications = world.world.running.neighbour("applications");
        let recorded = applications.publish(certificate(1), "320300", &withdrawn).await;
        let pool = &world.world.running.service.ground.pool;
        let sql = "SELECT count(*) FROM feed_checkpoint WHERE source = 'applications' AND position < $1";
        eventually("the withdrawal to be heard", || async {
            let behind: i64 = sqlx::query_scalar(sql).bind(recorded.position).fetch_one(pool).await.unwrap();
            (behind == 0).then_some(())
        })
        .await;
        held.rollback().await.unwrap();
    };
    let (booked, ()) = tokio::join!(me.book_slot(book(1, &next)), withdrawing);
    booked.unwrap();
    assert_eq!(live(&world, 1).await, None);
    free(&world, &[(1, 1)]).await;
    assert_eq!(reason(me.book_slot(book(1, &next)).await), "APPLICATION_NOT_PENDING");
}

#[tokio::test]
async fn who_was_missed_as_often_as_may_be_books_no_more_and_the_day_is_exported() {
    let world = SlotWorld::with(Settings { max_no_shows: 2, ..Settings::default() }).await;
    let next = world.slot(2, HalfDay::Morning);
    world.publish(&next, 2).await;
    for n in 1..=2 {
        world.submit(n).await;
        world.known(n).await;
    }
    let mut clerk = world.clerk.clone();
    for (missed, days) in [(1, -2), (2, -1)] {
        let slot = world.slot(days, HalfDay::Afternoon);
        booked_in_the_past(&world, &[1], &slot).await;
        clerk.mark_no_show(no_show(1)).await.unwrap();
        eventually("the no-show to be listed", || async {
            listed(&world, &slot).await.first().is_some_and(|booking| booking.no_show).then_some(())
        })
        .await;
        if missed < 2 {
            world.person(1).book_slot(book(1, &next)).await.unwrap();
            world.person(1).release_slot(give_back(1)).await.unwrap();
        }
    }
    let refusal = refused(world.person(1).book_slot(book(1, &next)).await);
    assert_eq!((refusal.reason.as_str(), refusal.metadata["no_shows"].as_str()), ("TOO_MANY_NO_SHOWS", "2"));
    assert!(refusal.sentence.contains("联系确认点"), "{}", refusal.sentence);
    let seat = world.person(2).book_slot(book(2, &next)).await.unwrap().into_inner().booking.unwrap().seat;

    let day = |slot: &Slot| ExportBookingsRequest { point_id: slot.point_id.clone(), date: slot.date.clone() };
    let file = |slot: Slot, row: String| format!("\u{feff}日期,时段,报名号,序号,未到场\r\n{},{row}\r\n", slot.date);
    eventually("the booking to be exported", || async {
        let exported = world.clerk.clone().export_bookings(day(&next)).await.unwrap().into_inner().csv;
        (exported == file(next.clone(), format!("上午,{},{seat},", number(2)))).then_some(())
    })
    .await;
    let yesterday = world.slot(-1, HalfDay::Afternoon);
    let exported = clerk.export_bookings(day(&yesterday)).await.unwrap().into_inner().csv;
    assert_eq!(exported, file(yesterday, format!("下午,{},1,是", number(1))));
    let wrong = refused(clerk.export_bookings(ExportBookingsRequest::default()).await);
    assert_eq!(wrong.violations.len(), 2);
    let elsewhere = ExportBookingsRequest { point_id: request_id(), ..day(&next) };
    assert_eq!(refused(clerk.export_bookings(elsewhere).await).code, Code::NotFound);
}

#[tokio::test]
async fn a_replica_that_does_not_know_the_applications_says_so() {
    let world = World::start().await;
    let slot = Slot { point_id: request_id(), date: "2026-11-30".to_owned(), half_day: HalfDay::Morning.into() };
    let mut person = SlotsClient::new(world.running.person(person(1)));
    let refusal = refused(person.book_slot(book(1, &slot)).await);
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::Unavailable, "REFERENCE_NOT_READY"));
}
