//! `Slots`: clerks publish capacities, people and schools book, everybody sees what is free.

use access::Caller;
use lifecycle::{Lifecycle, clock};
use prost::Message as _;
use proto::identity::v1::Role;
use proto::scheduling::v1 as wire;
use proto::scheduling::v1::slots_server::Slots;
use rpc::{Refusal, Violations, cut_page, page_size, parse_date, parse_page_place, parse_uuid};
use time::{Date, Duration};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::asked;
use super::directory::decoded;
use crate::domain::booking::{EnrolmentNumber, Event, LARGEST_BLOCK, Place};
use crate::domain::id::PointId;
use crate::domain::shanghai::SHANGHAI;
use crate::domain::slot::{HalfDay, MOST_SEATS, Slot};
use crate::error::Error;
use crate::handle::slots::{self, Change, Party};
use crate::handle::{Answered, Asked};
use crate::store;
use crate::views::slots::{Calendar, Listed};

/// Days of a list when the caller names none, and at most.
const DAYS: (i32, i32) = (31, 62);

/// Serves `Slots`.
pub struct SlotsApi {
    /// Use cases.
    pub slots: slots::Slots,
    /// What lists show.
    pub calendar: Calendar,
    /// Tasks.
    pub lifecycle: Lifecycle,
}

impl SlotsApi {
    async fn change(&self, asked: Asked, party: Party, number: EnrolmentNumber, change: Change) -> Result<i64, Error> {
        let slots = self.slots.clone();
        let changed =
            rpc::run(&self.lifecycle, async move { slots.change(&asked, &party, &number, change).await }).await;
        Ok(changed?.position)
    }

    async fn book(
        &self,
        asked: Asked,
        party: Party,
        slot: Slot,
        numbers: Vec<EnrolmentNumber>,
    ) -> Result<(Vec<wire::Booking>, i64), Error> {
        let slots = self.slots.clone();
        let booked =
            rpc::run(&self.lifecycle, async move { slots.book(&asked, &party, slot, &numbers, render).await }).await;
        let Answered { answer, position, .. } = booked?;
        let answer = decoded(wire::BookBlockResponse::decode(&answer[..]), position)?;
        Ok((answer.bookings, position))
    }
}

#[tonic::async_trait]
impl Slots for SlotsApi {
    async fn publish_capacity(
        &self,
        request: Request<wire::PublishCapacityRequest>,
    ) -> Result<Response<wire::PublishCapacityResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let slot = slot(body.slot.as_ref(), &mut violations);
        let capacity = u32::try_from(body.capacity).ok().filter(|capacity| *capacity <= MOST_SEATS);
        violations.check("capacity", capacity.is_some(), "OUT_OF_RANGE", "可预约人数应为0至1000。");
        let (Some(asked), Some(slot), Some(capacity)) = (asked, slot, capacity) else { return Err(violations.into()) };
        let party = clerk(&Caller::of(&request));
        let slots = self.slots.clone();
        let published =
            rpc::run(&self.lifecycle, async move { slots.publish_capacity(&asked, &party, slot, capacity).await });
        Ok(Response::new(wire::PublishCapacityResponse { position: published.await?.position }))
    }

    async fn list_slots(
        &self,
        request: Request<wire::ListSlotsRequest>,
    ) -> Result<Response<wire::ListSlotsResponse>, Status> {
        let wire::ListSlotsRequest { point_id, from_date, days } = request.into_inner();
        let mut violations = Violations::new();
        let point = parse_uuid("point_id", &point_id, &mut violations).map(PointId);
        let from = match from_date.as_str() {
            "" => Some(clock::now().to_offset(SHANGHAI).date()),
            from => parse_date("from_date", from, &mut violations),
        };
        let days = if days == 0 { DAYS.0 } else { days };
        violations.check("days", (1..=DAYS.1).contains(&days), "OUT_OF_RANGE", "每次可查询1至62天。");
        let (Some(point), Some(from), true) = (point, from, violations.is_empty()) else {
            return Err(violations.into());
        };
        let until = from.checked_add(Duration::days(days.into())).unwrap_or(Date::MAX);
        let shown = self.calendar.slots(point, from, until).await.map_err(Error::View)?;
        let slots = shown.iter().map(|shown| wire::SlotCapacity {
            slot: Some(store::slot(&shown.slot)),
            capacity: shown.capacity,
            free: shown.free,
        });
        Ok(Response::new(wire::ListSlotsResponse { slots: slots.collect() }))
    }

    async fn book_slot(
        &self,
        request: Request<wire::BookSlotRequest>,
    ) -> Result<Response<wire::BookSlotResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let number = number("enrolment_number", &body.enrolment_number, &mut violations);
        let slot = slot(body.slot.as_ref(), &mut violations);
        let (Some(asked), Some(number), Some(slot)) = (asked, number, slot) else { return Err(violations.into()) };
        let party = person(&Caller::of(&request))?;
        let (mut bookings, position) = self.book(asked, party, slot, vec![number]).await?;
        Ok(Response::new(wire::BookSlotResponse { booking: bookings.pop(), position }))
    }

    async fn move_slot(
        &self,
        request: Request<wire::MoveSlotRequest>,
    ) -> Result<Response<wire::MoveSlotResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let number = number("enrolment_number", &body.enrolment_number, &mut violations);
        let slot = slot(body.slot.as_ref(), &mut violations);
        let (Some(asked), Some(number), Some(slot)) = (asked, number, slot) else { return Err(violations.into()) };
        let party = person(&Caller::of(&request))?;
        let position = self.change(asked, party, number, Change::Move(slot)).await?;
        Ok(Response::new(wire::MoveSlotResponse { position }))
    }

    async fn release_slot(
        &self,
        request: Request<wire::ReleaseSlotRequest>,
    ) -> Result<Response<wire::ReleaseSlotResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let number = number("enrolment_number", &body.enrolment_number, &mut violations);
        let (Some(asked), Some(number)) = (asked, number) else { return Err(violations.into()) };
        let caller = Caller::of(&request);
        let party = Party { person: person(&caller)?.person, ..liaison(&caller) };
        let position = self.change(asked, party, number, Change::GiveBack).await?;
        Ok(Response::new(wire::ReleaseSlotResponse { position }))
    }

    async fn get_my_booking(
        &self,
        request: Request<wire::GetMyBookingRequest>,
    ) -> Result<Response<wire::GetMyBookingResponse>, Status> {
        let mut violations = Violations::new();
        let number = number("enrolment_number", &request.get_ref().enrolment_number, &mut violations);
        let Some(number) = number else { return Err(violations.into()) };
        let live = self.slots.find(&person(&Caller::of(&request))?, &number).await?;
        let booking = live.map(|(booking, place)| store::booking(booking, &number, place));
        Ok(Response::new(wire::GetMyBookingResponse { booking }))
    }

    async fn book_block(
        &self,
        request: Request<wire::BookBlockRequest>,
    ) -> Result<Response<wire::BookBlockResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let slot = slot(body.slot.as_ref(), &mut violations);
        let numbers = numbers(&body.enrolment_numbers, &mut violations);
        let (Some(asked), Some(slot), Some(numbers)) = (asked, slot, numbers) else { return Err(violations.into()) };
        let party = liaison(&Caller::of(&request));
        let (bookings, position) = self.book(asked, party, slot, numbers).await?;
        Ok(Response::new(wire::BookBlockResponse { bookings, position }))
    }

    async fn mark_no_show(
        &self,
        request: Request<wire::MarkNoShowRequest>,
    ) -> Result<Response<wire::MarkNoShowResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let number = number("enrolment_number", &body.enrolment_number, &mut violations);
        let (Some(asked), Some(number)) = (asked, number) else { return Err(violations.into()) };
        let party = clerk(&Caller::of(&request));
        let position = self.change(asked, party, number, Change::NoShow).await?;
        Ok(Response::new(wire::MarkNoShowResponse { position }))
    }

    async fn list_bookings(
        &self,
        request: Request<wire::ListBookingsRequest>,
    ) -> Result<Response<wire::ListBookingsResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let slot = slot(body.slot.as_ref(), &mut violations);
        let size = page_size("page_size", body.page_size, &mut violations);
        let place = |place: &[u8]| EnrolmentNumber::parse(std::str::from_utf8(place).ok()?);
        let after = parse_page_place("page_token", &body.page_token, &mut violations, place);
        let (Some(slot), true) = (slot, violations.is_empty()) else { return Err(violations.into()) };
        own_point(&Caller::of(&request), slot.point)?;
        let after = after.as_ref().map_or("", EnrolmentNumber::as_str);
        let mut listed = self.calendar.bookings(&slot, after, size + 1).await.map_err(Error::View)?;
        let next_page_token = cut_page(&mut listed, size, |last| last.number.clone());
        let bookings = listed.into_iter().map(|listed| wire::ListedBooking {
            enrolment_number: listed.number,
            seat: listed.seat,
            no_show: listed.no_show,
        });
        Ok(Response::new(wire::ListBookingsResponse { bookings: bookings.collect(), next_page_token }))
    }

    async fn export_bookings(
        &self,
        request: Request<wire::ExportBookingsRequest>,
    ) -> Result<Response<wire::ExportBookingsResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let point = parse_uuid("point_id", &body.point_id, &mut violations).map(PointId);
        let date = parse_date("date", &body.date, &mut violations);
        let (Some(point), Some(date)) = (point, date) else { return Err(violations.into()) };
        own_point(&Caller::of(&request), point)?;
        let day = self.calendar.day(point, date).await.map_err(Error::View)?;
        let csv = csv(date, &day).map_err(|error| Error::View(error.into()))?;
        Ok(Response::new(wire::ExportBookingsResponse { csv }))
    }
}

/// Who asks is clerk of this point.
fn own_point(caller: &Caller, point: PointId) -> Result<(), Error> {
    let missing = || Error::NotFound { kind: "point", name: point.to_string() };
    caller.holds_for_unit(Role::Clerk, point.0).then_some(()).ok_or_else(missing)
}

/// A day's bookings as a file; the mark at its beginning tells spreadsheets that it is UTF-8.
fn csv(date: Date, day: &[(HalfDay, Listed)]) -> Result<String, csv::Error> {
    let mut file =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer("\u{feff}".as_bytes().to_vec());
    file.write_record(["日期", "时段", "报名号", "序号", "未到场"])?;
    let date = rpc::render_date(date);
    for (half, Listed { number, seat, no_show }) in day {
        let missed = if *no_show { "是" } else { "" };
        file.write_record([&date, &half.to_string(), number, &seat.to_string(), missed])?;
    }
    let file = file.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8(file).expect("what was written is text"))
}

/// The signed-in person, for their own applications.
fn person(caller: &Caller) -> Result<Party, Refusal> {
    Ok(Party { person: Some(caller.signed_in()?.id), ..Party::default() })
}

fn liaison(caller: &Caller) -> Party {
    Party { schools: units(caller, Role::Liaison), ..Party::default() }
}

fn clerk(caller: &Caller) -> Party {
    Party { points: units(caller, Role::Clerk), ..Party::default() }
}

fn units(caller: &Caller, role: Role) -> Vec<Uuid> {
    caller.holds(role).filter_map(|scope| scope.unit).collect()
}

fn slot(slot: Option<&wire::Slot>, violations: &mut Violations) -> Option<Slot> {
    let empty = wire::Slot::default();
    let slot = slot.unwrap_or(&empty);
    let point = parse_uuid("slot.point_id", &slot.point_id, violations).map(PointId);
    let date = parse_date("slot.date", &slot.date, violations);
    let half = store::read_half_day(slot.half_day);
    violations.check("slot.half_day", half.is_some(), "UNKNOWN_CODE", "请选择上午或下午。");
    Some(Slot { point: point?, date: date?, half: half? })
}

fn number(field: &'static str, text: &str, violations: &mut Violations) -> Option<EnrolmentNumber> {
    let number = EnrolmentNumber::parse(text);
    violations.check(field, number.is_some(), "NOT_AN_ENROLMENT_NUMBER", "报名号应为17位数字，请核对后再试。");
    number
}

/// Those of a block: some, not too many, each once.
fn numbers(texts: &[String], violations: &mut Violations) -> Option<Vec<EnrolmentNumber>> {
    const FIELD: &str = "enrolment_numbers";
    let fits = (1..=LARGEST_BLOCK).contains(&texts.len());
    violations.check(FIELD, fits, "OUT_OF_RANGE", "每次可为1至100份申请预约。");
    let mut sorted: Vec<&String> = texts.iter().collect();
    sorted.sort_unstable();
    let twice = sorted.windows(2).any(|pair| pair[0] == pair[1]);
    violations.check(FIELD, !twice, "GIVEN_TWICE", "同一报名号只能填写一次。");
    let read: Option<Vec<_>> = texts.iter().map(|text| EnrolmentNumber::parse(text)).collect();
    violations.check(FIELD, read.is_some(), "NOT_AN_ENROLMENT_NUMBER", "报名号应为17位数字，请核对后再试。");
    read.filter(|_| fits && !twice)
}

/// The answer of a booking, whether of one or of a block.
fn render(events: &[Event]) -> Vec<u8> {
    let mut bookings = Vec::new();
    for event in events {
        if let Event::Booked { booking, slot, seats } = event {
            let place = |seat| Place { slot: *slot, seat };
            bookings.extend(seats.iter().map(|(number, seat)| store::booking(*booking, number, place(*seat))));
        }
    }
    wire::BookBlockResponse { bookings, position: 0 }.encode_to_vec()
}
