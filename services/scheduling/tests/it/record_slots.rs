//! Golden samples of slots: every version of every stored event that was ever written decodes for ever.

use scheduling::domain::booking::{Cause, EnrolmentNumber, Event, Place};
use scheduling::domain::capacity::{CapacityPublished, Places};
use scheduling::domain::id::{BookingId, PointId};
use scheduling::domain::slot::{HalfDay, Slot};
use time::macros::date;
use uuid::Uuid;

use crate::record::{STREAM, golden};

/// Without the code of the cause, which is the last byte.
const RELEASED: &str = "\
    0a2430303030303030302d303030302d303030302d303030302d3030303030303030303030311211323032363332303330303030303030\
    31371a340a2430303030303030302d303030302d303030302d303030302d303030303030303030303034120a323032362d31312d333018\
    0120";

fn slot(half: HalfDay) -> Slot {
    Slot { point: PointId(Uuid::from_u128(4)), date: date!(2026 - 11 - 30), half }
}

fn number(text: &str) -> EnrolmentNumber {
    EnrolmentNumber::parse(text).unwrap()
}

#[test]
fn a_capacity_of_the_first_version_decodes() {
    let places = Places { capacity: 3, seats: 5, closed: [2, 4].into() };
    golden(
        &CapacityPublished { slot: slot(HalfDay::Morning), places },
        "SlotCapacityPublished",
        "\
        0a340a2430303030303030302d303030302d303030302d303030302d303030303030303030303034120a323032362d31312d333018\
        011003180522020204",
    );
}

#[test]
fn bookings_of_the_first_version_decode() {
    let (one, other) = (number("20263203000000017"), number("20263203000000025"));
    let morning = slot(HalfDay::Morning);
    let seats = vec![(one.clone(), 7), (other, 8)];
    golden(
        &Event::Booked { booking: BookingId(STREAM), slot: morning, seats },
        "SlotBooked",
        "\
        0a2430303030303030302d303030302d303030302d303030302d30303030303030303030303112340a2430303030303030302d3030\
        30302d303030302d303030302d303030303030303030303034120a323032362d31312d333018011a150a1132303236333230333030\
        3030303030313710071a150a1132303236333230333030303030303032351008",
    );
    let to = Place { slot: slot(HalfDay::Afternoon), seat: 9 };
    golden(
        &Event::Moved { number: one.clone(), from: morning, to },
        "SlotMoved",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031121132303236333230333030303030\
        303031371a340a2430303030303030302d303030302d303030302d303030302d303030303030303030303034120a323032362d3131\
        2d3330180122340a2430303030303030302d303030302d303030302d303030302d303030303030303030303034120a323032362d31\
        312d333018022809",
    );
    let causes =
        [Cause::GivenBack, Cause::Withdrawn, Cause::Confirmed, Cause::Concluded, Cause::PointChanged].into_iter();
    for (cause, code) in causes.zip(1..) {
        let released = Event::Released { number: one.clone(), slot: morning, cause };
        golden(&released, "SlotReleased", &format!("{RELEASED}{code:02x}"));
    }
    golden(
        &Event::Missed { number: one.clone(), slot: morning },
        "SlotMissed",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031121132303236333230333030303030\
        303031371a340a2430303030303030302d303030302d303030302d303030302d303030303030303030303034120a323032362d3131\
        2d33301801",
    );
}
