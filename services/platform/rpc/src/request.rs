//! Reading requests and rendering answers: the values that every API has, from the wire and to it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost_types::Timestamp;
use sha2::{Digest as _, Sha256};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::Violations;

/// Page size when the caller names none.
pub const DEFAULT_PAGE_SIZE: usize = 50;
/// The largest page there is.
pub const MAX_PAGE_SIZE: usize = 200;

const CHECKSUM_BYTES: usize = 4;

/// Reads a UUID in its usual form with hyphens.
pub fn parse_uuid(field: &'static str, text: &str, violations: &mut Violations) -> Option<Uuid> {
    if text.is_empty() {
        violations.add(field, "REQUIRED", "此项不能为空。");
        return None;
    }
    let id = (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten().filter(|id| !id.is_nil());
    if id.is_none() {
        violations.add(field, "NOT_A_UUID", "编号格式不正确,应为 UUID。");
    }
    id
}

/// Reads a day, `YYYY-MM-DD`.
pub fn parse_date(field: &'static str, text: &str, violations: &mut Violations) -> Option<Date> {
    if text.is_empty() {
        violations.add(field, "REQUIRED", "此项不能为空。");
        return None;
    }
    let format = time::macros::format_description!("[year]-[month]-[day]");
    let date = (text.len() == 10).then(|| Date::parse(text, format).ok()).flatten();
    if date.is_none() {
        violations.add(field, "NOT_A_DATE", "日期不正确,应写作 2026-11-23 的形式。");
    }
    date
}

/// A day as [`parse_date`] reads it.
pub fn render_date(date: Date) -> String {
    let (year, month, day) = date.to_calendar_date();
    format!("{year:04}-{:02}-{day:02}", u8::from(month))
}

/// An instant for the wire.
pub fn timestamp(at: OffsetDateTime) -> Timestamp {
    let nanos = i32::try_from(at.nanosecond()).expect("less than 10^9");
    Timestamp { seconds: at.unix_timestamp(), nanos }
}

/// An instant from the wire, truncated to microseconds.
pub fn parse_timestamp(
    field: &'static str,
    value: Option<&Timestamp>,
    violations: &mut Violations,
) -> Option<OffsetDateTime> {
    let Some(value) = value else {
        violations.add(field, "REQUIRED", "此项不能为空。");
        return None;
    };
    let nanos = u32::try_from(value.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let at = nanos.and_then(|nanos| {
        let at = OffsetDateTime::from_unix_timestamp(value.seconds).ok()?;
        at.replace_nanosecond(nanos / 1_000 * 1_000).ok()
    });
    if at.is_none() {
        violations.add(field, "NOT_A_TIME", "时间不正确。");
    }
    at
}

/// How many rows to answer with: [`DEFAULT_PAGE_SIZE`] for 0, at most [`MAX_PAGE_SIZE`] whatever is asked for.
pub fn page_size(field: &'static str, asked: i32, violations: &mut Violations) -> usize {
    match usize::try_from(asked) {
        Ok(0) => DEFAULT_PAGE_SIZE,
        Ok(asked) => asked.min(MAX_PAGE_SIZE),
        Err(_) => {
            violations.add(field, "NEGATIVE", "每页条数不能为负数。");
            DEFAULT_PAGE_SIZE
        }
    }
}

/// A page token: where the next page begins, in a form that invites nobody to build it by hand. It grants nothing;
/// the query behind it checks rights as always.
pub fn page_token(place: &[u8]) -> String {
    let mut token = place.to_vec();
    token.extend_from_slice(&checksum(place));
    URL_SAFE_NO_PAD.encode(token)
}

/// The place that [`page_token`] was given; `None` for the first page and, with a violation, for a token that we
/// did not make.
pub fn parse_page_token(field: &'static str, token: &str, violations: &mut Violations) -> Option<Vec<u8>> {
    if token.is_empty() {
        return None;
    }
    let place = URL_SAFE_NO_PAD.decode(token).ok().and_then(|mut bytes| {
        let sum = bytes.split_off(bytes.len().checked_sub(CHECKSUM_BYTES)?);
        (sum == checksum(&bytes)).then_some(bytes)
    });
    if place.is_none() {
        violations.add(field, "NOT_A_PAGE_TOKEN", "翻页标记无效,请从第一页重新查询。");
    }
    place
}

/// What tells whether a repeated `request_id` comes with the same request: SHA-256 of the whole encoded message.
pub fn fingerprint(request: &impl prost::Message) -> [u8; 32] {
    Sha256::digest(request.encode_to_vec()).into()
}

fn checksum(place: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::digest(place);
    [digest[0], digest[1], digest[2], digest[3]]
}
