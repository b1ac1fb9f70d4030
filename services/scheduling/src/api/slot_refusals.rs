//! Why a slot is not published or booked, as callers see it.

use rpc::Refusal;

use crate::domain::shanghai::render;
use crate::domain::slot::Barred;
use crate::domain::{booking, capacity};

pub(super) fn of_capacity(rejection: &capacity::Rejection) -> Refusal {
    match rejection {
        capacity::Rejection::Barred(barred) => of_barred(*barred),
        capacity::Rejection::BelowBooked { booked } => {
            let sentence = format!("该时段已预约{booked}人，可预约人数不能少于{booked}。");
            Refusal::rejected("BELOW_BOOKED", sentence).with("booked", booked.to_string())
        }
    }
}

pub(super) fn of_booking(rejection: &booking::Rejection) -> Refusal {
    use booking::Rejection as R;
    match rejection {
        R::Barred(barred) => of_barred(*barred),
        R::NotOpen => Refusal::rejected("SLOT_NOT_OPEN", "该时段未开放预约，请选择其他时段。"),
        R::Full { free: 0 } => Refusal::rejected("SLOT_FULL", "该时段已约满，请选择其他时段。"),
        R::Full { free } => {
            let sentence = format!("该时段仅余{free}个名额，请减少人数或选择其他时段。");
            Refusal::rejected("SLOT_FULL", sentence).with("free", free.to_string())
        }
        R::NotPending { number } => {
            let sentence = format!("报名号{number}的申请不在网报待确认状态，无需预约现场确认。");
            Refusal::rejected("APPLICATION_NOT_PENDING", sentence).with("enrolment_number", number.as_str())
        }
        R::AnotherPoint { number } => {
            let sentence = format!("报名号{number}的申请选择的是其他确认点，请在申请所选的确认点预约。");
            Refusal::rejected("ANOTHER_POINT", sentence).with("enrolment_number", number.as_str())
        }
        R::AlreadyBooked { number, slot } => {
            let sentence = format!("报名号{number}已预约{slot}，如需更换时间请改约。");
            Refusal::rejected("ALREADY_BOOKED", sentence).with("enrolment_number", number.as_str())
        }
        R::TooManyNoShows { number, no_shows } => {
            let sentence =
                format!("报名号{number}已有{no_shows}次预约未到场，不能再自行预约，请联系确认点安排现场确认时间。");
            Refusal::rejected("TOO_MANY_NO_SHOWS", sentence)
                .with("enrolment_number", number.as_str())
                .with("no_shows", no_shows.to_string())
        }
        R::NotBooked => Refusal::rejected("NOT_BOOKED", "该申请没有有效的预约，请先预约。"),
        R::Begun { slot } => {
            let sentence = format!("预约的{slot}已经开始，不能再改约或取消；结束后仍需确认的，请重新预约。");
            Refusal::rejected("SLOT_BEGUN", sentence)
        }
        R::NotOver { slot } => {
            Refusal::rejected("SLOT_NOT_OVER", format!("预约的{slot}尚未结束，请在结束后再登记未到场。"))
        }
    }
}

fn of_barred(barred: Barred) -> Refusal {
    match barred {
        Barred::NotAssigned => Refusal::rejected("POINT_NOT_ASSIGNED", "该确认点未列入本次注册安排，请联系注册机构。"),
        Barred::OutsideDates { dates } => {
            let (begin, end) = (render(dates.begin), render(dates.end));
            let sentence = format!("该确认点的现场确认时间为{begin}至{end}，请在此期间选择时段。");
            Refusal::rejected("OUTSIDE_POINT_DATES", sentence)
        }
        Barred::Past => Refusal::rejected("SLOT_IN_THE_PAST", "该时段已经开始或结束，请选择之后的时段。"),
    }
}
