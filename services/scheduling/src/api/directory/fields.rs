//! Fields that requests of the directory have in common.

use lifecycle::clock;
use rpc::{Violations, parse_date, parse_page_place};
use time::Date;

use super::super::changes::NOT_PLAIN;
use crate::domain::division::{Code, Division, Divisions};
use crate::domain::name::Name;
use crate::domain::shanghai;
use crate::domain::subject::{Stage, Subject};
use crate::domain::text::is_plain;
use crate::store;

pub(super) const UNKNOWN_DIVISION: &str = "UNKNOWN_DIVISION";
pub(super) const NOT_A_DIVISION: &str = "行政区划代码不正确，请重新选择。";
/// Longest part of a name that is searched for, in bytes.
const LONGEST_QUERY: usize = 200;

pub(super) fn at(digits: &str, violations: &mut Violations) -> Option<&'static Division> {
    let code = Code::parse(digits).filter(|_| digits.len() == 6);
    let division = code.and_then(|code| Divisions::national().at(code));
    violations.check("division", division.is_some(), UNKNOWN_DIVISION, NOT_A_DIVISION);
    division
}

pub(super) fn province(digits: &str, violations: &mut Violations) -> Option<Code> {
    let province = Divisions::national().find(digits).filter(|division| division.digits.len() == 2);
    violations.check("province", province.is_some(), UNKNOWN_DIVISION, "请选择省份。");
    province.map(Division::code)
}

pub(super) fn stage(code: i32, violations: &mut Violations) -> Option<Stage> {
    let stage = store::read_stage(code);
    violations.check("stage", stage.is_some(), "UNKNOWN_CODE", "请选择现任教学段。");
    stage
}

pub(super) fn subject(text: &str, violations: &mut Violations) -> Option<Subject> {
    let subject = Subject::parse(text);
    violations.check("subject", subject.is_some(), "NOT_A_NAME", "学科名称应为1至30个字，不含空格。");
    subject
}

/// A day of the request, in Shanghai; today where it names none.
pub(super) fn day_or_today(field: &'static str, text: &str, violations: &mut Violations) -> Option<Date> {
    if text.is_empty() { Some(shanghai::day(clock::now())) } else { parse_date(field, text, violations) }
}

pub(super) fn name(text: &str, violations: &mut Violations) -> Option<Name> {
    let name = Name::parse(text);
    violations.check("name", name.is_some(), "NOT_A_NAME", "名称应为2至60个字，以公章名称为准。");
    name
}

pub(super) fn query(text: &str, violations: &mut Violations) {
    violations.check("query", text.len() <= LONGEST_QUERY, "TOO_LONG", "查询内容过长，请缩短后再试。");
    violations.check("query", !text.trim().contains(char::is_control), NOT_PLAIN.0, NOT_PLAIN.1);
}

/// The name after which a page begins; empty for the first page.
pub(super) fn place(token: &str, violations: &mut Violations) -> String {
    let name = |place: &[u8]| std::str::from_utf8(place).ok().filter(|name| is_plain(name)).map(str::to_owned);
    parse_page_place("page_token", token, violations, name).unwrap_or_default()
}
