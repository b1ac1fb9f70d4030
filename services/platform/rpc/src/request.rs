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
    page_size_within(field, asked, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, violations)
}

/// [`page_size`] for lists with sizes of their own.
pub fn page_size_within(
    field: &'static str,
    asked: i32,
    default: usize,
    max: usize,
    violations: &mut Violations,
) -> usize {
    match usize::try_from(asked) {
        Ok(0) => default,
        Ok(asked) => asked.min(max),
        Err(_) => {
            violations.add(field, "NEGATIVE", "每页条数不能为负数。");
            default
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

/// The place in a token of this very list, as `read` understands it; `None` as [`parse_page_token`] has it.
pub fn parse_page_place<T>(
    field: &'static str,
    token: &str,
    violations: &mut Violations,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Option<T> {
    let place = read(&parse_page_token(field, token, violations)?);
    violations.check(field, place.is_some(), "NOT_A_PAGE_TOKEN", "翻页标记无效，请从第一页重新查询。");
    place
}

/// [`parse_page_place`] for lists whose places are positions, eight bytes each.
pub fn parse_page_position(field: &'static str, token: &str, violations: &mut Violations) -> Option<i64> {
    parse_page_place(field, token, violations, |place| Some(i64::from_be_bytes(place.try_into().ok()?)))
}

/// Cuts rows, of which one more was asked for than the page holds, to the page; gives the token of the next page, empty when
/// this is the last one.
pub fn cut_page<T, P: AsRef<[u8]>>(rows: &mut Vec<T>, size: usize, place: impl FnOnce(&T) -> P) -> String {
    let more = rows.len() > size;
    rows.truncate(size);
    rows.last().filter(|_| more).map(|last| page_token(place(last).as_ref())).unwrap_or_default()
}

/// What tells whether a repeated `request_id` comes with the same request: SHA-256 of the whole encoded message.
pub fn fingerprint(request: &impl prost::Message) -> [u8; 32] {
    Sha256::digest(request.encode_to_vec()).into()
}

fn checksum(place: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::digest(place);
    [digest[0], digest[1], digest[2], digest[3]]
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    fn reasons(violations: Violations) -> Vec<(String, String)> {
        violations.into_iter().map(|one| (one.field.into_owned(), one.reason.into_owned())).collect()
    }

    #[test]
    fn ids_days_and_times_are_read_and_all_wrong_ones_are_told_at_once() {
        let mut violations = Violations::new();
        let id = Uuid::from_u128(7);
        assert_eq!(parse_uuid("id", &id.to_string(), &mut violations), Some(id));
        assert_eq!(parse_date("day", "2028-02-29", &mut violations), Some(date!(2028 - 02 - 29)));
        let at = datetime!(2026-11-23 08:00:00.123456 UTC);
        assert_eq!(parse_timestamp("at", Some(&timestamp(at)), &mut violations), Some(at));
        assert!(violations.is_empty());

        assert_eq!(parse_uuid("empty", "", &mut violations), None);
        assert_eq!(parse_uuid("nil", &Uuid::nil().to_string(), &mut violations), None);
        assert_eq!(parse_uuid("braces", "{00000000-0000-0000-0000-000000000007}", &mut violations), None);
        assert_eq!(parse_date("no_day", "2026-02-29", &mut violations), None);
        assert_eq!(parse_date("short", "2026-1-1", &mut violations), None);
        assert_eq!(parse_timestamp("none", None, &mut violations), None);
        assert_eq!(parse_timestamp("nanos", Some(&Timestamp { seconds: 0, nanos: -1 }), &mut violations), None);
        assert_eq!(parse_timestamp("far", Some(&Timestamp { seconds: i64::MAX, nanos: 0 }), &mut violations), None);
        let expected = [
            ("empty", "REQUIRED"),
            ("nil", "NOT_A_UUID"),
            ("braces", "NOT_A_UUID"),
            ("no_day", "NOT_A_DATE"),
            ("short", "NOT_A_DATE"),
            ("none", "REQUIRED"),
            ("nanos", "NOT_A_TIME"),
            ("far", "NOT_A_TIME"),
        ];
        assert_eq!(reasons(violations), expected.map(|(field, reason)| (field.to_owned(), reason.to_owned())));
    }

    #[test]
    fn days_are_rendered_as_they_are_read() {
        let mut violations = Violations::new();
        let day = date!(0987 - 01 - 02);
        assert_eq!(render_date(day), "0987-01-02");
        assert_eq!(parse_date("day", &render_date(day), &mut violations), Some(day));
    }

    #[test]
    fn times_from_the_wire_lose_what_postgresql_would_lose() {
        let wire = Timestamp { seconds: -1, nanos: 999_999_999 };
        let at = parse_timestamp("at", Some(&wire), &mut Violations::new()).unwrap();
        assert_eq!(at, datetime!(1969-12-31 23:59:59.999999 UTC));
    }

    #[test]
    fn page_sizes_have_a_default_and_a_limit() {
        let mut violations = Violations::new();
        assert_eq!(page_size("page_size", 0, &mut violations), DEFAULT_PAGE_SIZE);
        assert_eq!(page_size("page_size", 7, &mut violations), 7);
        assert_eq!(page_size("page_size", 1_000_000, &mut violations), MAX_PAGE_SIZE);
        assert_eq!(page_size_within("page_size", 700, 100, 1_000, &mut violations), 700);
        assert!(violations.is_empty());
        page_size("page_size", -1, &mut violations);
        assert_eq!(reasons(violations), [("page_size".to_owned(), "NEGATIVE".to_owned())]);
    }

    #[test]
    fn a_page_is_cut_where_the_next_one_begins() {
        let mut violations = Violations::new();
        let place = |row: &i64| row.to_be_bytes();
        for (mut rows, cut, next) in [
            (vec![9, 8, 7], vec![9, 8], Some(8)),
            (vec![9, 8], vec![9, 8], None),
            (vec![9], vec![9], None),
            (vec![], vec![], None),
        ] {
            let token = cut_page(&mut rows, 2, place);
            assert_eq!(rows, cut);
            assert_eq!(parse_page_position("page_token", &token, &mut violations), next);
        }
        assert_eq!(reasons(violations), []);
    }

    #[test]
    fn a_token_of_another_list_is_no_place_of_this_one() {
        let mut violations = Violations::new();
        assert_eq!(parse_page_position("page_token", &page_token(b"a name"), &mut violations), None);
        assert_eq!(reasons(violations), [("page_token".to_owned(), "NOT_A_PAGE_TOKEN".to_owned())]);
    }

    #[test]
    fn a_page_token_leads_back_to_its_place_and_no_other_text_does() {
        let mut violations = Violations::new();
        let token = page_token(b"after this one");
        assert_eq!(parse_page_token("page_token", &token, &mut violations).unwrap(), b"after this one");
        assert_eq!(parse_page_token("page_token", &page_token(b""), &mut violations).unwrap(), b"");
        assert_eq!(parse_page_token("page_token", "", &mut violations), None);
        assert!(violations.is_empty());

        let mut changed = token.clone().into_bytes();
        changed[3] ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        for text in [changed.as_str(), "AA", "not base64!", &token[..token.len() - 4]] {
            let mut violations = Violations::new();
            assert_eq!(parse_page_token("page_token", text, &mut violations), None);
            assert_eq!(reasons(violations), [("page_token".to_owned(), "NOT_A_PAGE_TOKEN".to_owned())], "{text}");
        }
    }

    #[test]
    fn the_fingerprint_tells_requests_apart() {
        let one = Timestamp { seconds: 1, nanos: 0 };
        assert_eq!(fingerprint(&one), fingerprint(&Timestamp { seconds: 1, nanos: 0 }));
        assert_ne!(fingerprint(&one), fingerprint(&Timestamp { seconds: 1, nanos: 1 }));
    }
}
