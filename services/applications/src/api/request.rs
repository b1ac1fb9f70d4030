//! What every request has: who asks, by which id, about which application.

use std::collections::{BTreeSet, HashSet};

use access::Caller;
use eventlog::Division;
use prost::Message;
use proto::applications::v1 as wire;
use proto::identity::v1::{Entry, Role};
use rpc::{Refusal, Violations, fingerprint, parse_timestamp, parse_uuid};
use tonic::{Request, Status};
use uuid::Uuid;

use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::registration::{Officer, Order, Unit};
use crate::domain::text::{TextRef, is_in_lines};
use crate::error::Error;
use crate::handle::{Asked, Key, MOST_ITEMS, Pledge, Viewer};
use crate::store::record::AsOf;

/// Longest free text: reasons, opinions, notes.
const MOST_TEXT: usize = 1_000;
/// 文号, and why somebody looks, as identity takes it.
const MOST_OF_A_LINE: usize = 100;

/// Collects the wrong fields of one request.
#[derive(Default)]
pub(super) struct Parsing(Violations);

impl Parsing {
    /// Who asks, and by which request.
    pub(super) fn asked<M: Message>(&mut self, caller: &Caller, request_id: &str, message: &M) -> Asked {
        let request_id = parse_uuid("request_id", request_id, &mut self.0).unwrap_or_default();
        Asked { actor: caller.actor(), request_id, fingerprint: fingerprint(message) }
    }

    /// Which application.
    pub(super) fn key(&mut self, key: Option<&wire::ApplicationKey>) -> Key {
        let empty = wire::ApplicationKey::default();
        let key = key.unwrap_or(&empty);
        let certificate = parse_uuid("key.certificate_id", &key.certificate_id, &mut self.0).unwrap_or_default();
        let number = EnrolmentNumber::parse(&key.enrolment_number);
        self.0.check(
            "key.enrolment_number",
            number.is_some(),
            "NOT_AN_ENROLMENT_NUMBER",
            "报名号应为17位数字，请核对后再试。",
        );
        Key { certificate, number: number.unwrap_or_else(nothing) }
    }

    /// Which applications, not more of them than one call takes; what cannot be one, or comes again, is refused for itself.
    pub(super) fn keys(
        &mut self,
        field: &'static str,
        keys: &[Option<&wire::ApplicationKey>],
    ) -> Vec<Result<Key, wire::ItemRefusal>> {
        self.0.check(field, !keys.is_empty(), "REQUIRED", "请至少选择一条申报。");
        self.0.check(field, keys.len() <= MOST_ITEMS, "TOO_MANY_ITEMS", "每次最多处理1000条申报，请分批提交。");
        if keys.len() > MOST_ITEMS {
            return Vec::new();
        }
        let mut seen = HashSet::with_capacity(keys.len());
        let mut read = |key: Option<&wire::ApplicationKey>| {
            let key = key.ok_or_else(|| refused_item("REQUIRED", "此项不能为空。"))?;
            let certificate = Uuid::try_parse(&key.certificate_id).ok().filter(|id| !id.is_nil());
            let certificate =
                certificate.ok_or_else(|| refused_item("NOT_A_UUID", "证书编号应为 UUID，请核对后再试。"))?;
            let number = EnrolmentNumber::parse(&key.enrolment_number)
                .ok_or_else(|| refused_item("NOT_AN_ENROLMENT_NUMBER", "报名号应为17位数字，请核对后再试。"))?;
            if seen.insert((certificate, number)) {
                Ok(Key { certificate, number })
            } else {
                Err(refused_item("GIVEN_TWICE", "同一条申报重复出现，只处理第一次，请删去重复的。"))
            }
        };
        keys.iter().map(|key| read(*key)).collect()
    }

    /// An id.
    pub(super) fn id(&mut self, field: &'static str, text: &str) -> uuid::Uuid {
        parse_uuid(field, text, &mut self.0).unwrap_or_default()
    }

    /// An id, or none.
    pub(super) fn optional_id(&mut self, field: &'static str, text: &str) -> Option<uuid::Uuid> {
        if text.is_empty() { None } else { parse_uuid(field, text, &mut self.0) }
    }

    /// A moment of the past, where one is asked for.
    pub(super) fn as_of(&mut self, asked: Option<wire::AsOf>) -> Option<AsOf> {
        use wire::as_of::Moment;
        let is_not_negative = |number: i64| number >= 0;
        match asked?.moment {
            None => {
                self.0.add("as_of.moment", "REQUIRED", "请选择要查看的版本、时间或位置。");
                None
            }
            Some(Moment::Version(version)) => {
                self.0.check("as_of.version", is_not_negative(version), "NEGATIVE", "版本不能为负数。");
                Some(AsOf::Version(version))
            }
            Some(Moment::Position(position)) => {
                self.0.check("as_of.position", is_not_negative(position), "NEGATIVE", "位置不能为负数。");
                Some(AsOf::Position(position))
            }
            Some(Moment::Time(at)) => parse_timestamp("as_of.time", Some(&at), &mut self.0).map(AsOf::Time),
        }
    }

    /// Two digits of a province.
    pub(super) fn province(&mut self, field: &'static str, digits: &str) -> Option<Division> {
        let province = Some(digits).filter(|digits| digits.len() == 2).and_then(Division::parse);
        self.0.check(field, province.is_some(), "NOT_A_PROVINCE", "省份代码应为两位数字。");
        province
    }

    /// A day, or none.
    pub(super) fn optional_date(&mut self, field: &'static str, text: &str) -> Option<time::Date> {
        if text.is_empty() { None } else { rpc::parse_date(field, text, &mut self.0) }
    }

    /// Free text that must be given.
    pub(super) fn reason<'t>(&mut self, field: &'static str, text: &'t str) -> &'t str {
        self.0.check(field, !text.trim().is_empty(), "REQUIRED", "请填写原因。");
        self.text(field, text)
    }

    /// Free text that may be left out, in lines.
    pub(super) fn text<'t>(&mut self, field: &'static str, text: &'t str) -> &'t str {
        if let Some((reason, sentence)) = unfit(text) {
            self.0.add(field, reason, sentence);
        }
        text
    }

    /// 文号: goes into the inner part, so it is no place for names.
    pub(super) fn file_reference<'t>(&mut self, text: &'t str) -> &'t str {
        self.0.check("file_reference", !text.trim().is_empty(), "REQUIRED", "请填写文号。");
        self.line("file_reference", text, "文号不能超过100个字。")
    }

    /// Free text on one line, at most 100 characters of it.
    pub(super) fn line<'t>(&mut self, field: &'static str, text: &'t str, too_long: &'static str) -> &'t str {
        self.0.check(field, text.chars().count() <= MOST_OF_A_LINE, "TOO_LONG", too_long);
        self.0.check(
            field,
            !text.contains(char::is_control),
            "NOT_PLAIN_TEXT",
            "不能含有换行等控制字符，请改正后再试。",
        );
        text
    }

    /// Which text was agreed to.
    pub(super) fn text_ref(&mut self, field: &'static str, version: i32, digest: String) -> TextRef {
        let version = u32::try_from(version).unwrap_or_default();
        let right = version > 0 && digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.0.check(field, right, "NOT_A_TEXT", "文本的版本或摘要不正确，请重新阅读后再提交。");
        TextRef { version, digest }
    }

    /// 承诺书. Which text was refused does not matter.
    pub(super) fn pledge(&mut self, pledge: Option<wire::Pledge>) -> Pledge {
        self.0.check("pledge", pledge.is_some(), "REQUIRED", "请阅读个人承诺书并选择同意或不同意。");
        let wire::Pledge { accepted, text_version, text_digest } = pledge.unwrap_or_default();
        if accepted {
            return Pledge { accepted, text: self.text_ref("pledge", text_version, text_digest) };
        }
        Pledge { accepted, text: TextRef { version: 0, digest: text_digest } }
    }

    pub(super) fn violations(&mut self) -> &mut Violations {
        &mut self.0
    }

    /// Refuses with all that is wrong.
    pub(super) fn done(self) -> Result<(), Status> {
        self.0.into_result().map_err(Status::from)
    }
}

/// What is wrong with a free text, if anything is.
pub(super) fn unfit(text: &str) -> Option<(&'static str, &'static str)> {
    if text.chars().count() > MOST_TEXT {
        return Some(("TOO_LONG", "不能超过1000个字。"));
    }
    (!is_in_lines(text)).then_some(("NOT_PLAIN_TEXT", "只能是分行的纯文本，不能含有制表符等控制字符。"))
}

/// Why an item of a call is not even tried.
pub(super) fn refused_item(reason: &str, sentence: &str) -> wire::ItemRefusal {
    wire::ItemRefusal { reason: reason.to_owned(), message: sentence.to_owned() }
}

/// Stands for a number that could not be read until [`Parsing::done`] refuses.
fn nothing() -> EnrolmentNumber {
    EnrolmentNumber::new(1_000, "000000", 0).expect("all digits fit")
}

/// The signed-in person; the access table has made sure of it.
pub(super) fn person<T>(request: &Request<T>) -> Result<access::Person, Refusal> {
    Caller::of(request).signed_in().cloned()
}

/// The person, whose session must have begun at the entry for registrations: what one entry begins the other does not go on with.
pub(super) fn applicant<T>(request: &Request<T>) -> Result<access::Person, Status> {
    let person = person(request)?;
    if person.entry == Entry::Registration { Ok(person) } else { Err(Error::WrongEntry.into()) }
}

/// The person with the units of all roles that read.
pub(super) fn viewer(caller: &Caller) -> Result<Viewer, Refusal> {
    let person = caller.signed_in()?.id;
    Ok(Viewer { person, officer: officer(caller, &[Role::Liaison, Role::Clerk, Role::Reviewer])? })
}

/// The person with the units of these roles.
pub(super) fn officer(caller: &Caller, roles: &[Role]) -> Result<Officer, Refusal> {
    let units = |role: Role| -> Vec<uuid::Uuid> {
        let held = caller.holds(role).filter(|_| roles.contains(&role));
        // Each once and in order, however they were granted.
        held.filter_map(|scope| scope.unit).collect::<BTreeSet<_>>().into_iter().collect()
    };
    Ok(Officer {
        person: caller.signed_in()?.id,
        schools: units(Role::Liaison),
        points: units(Role::Clerk),
        agencies: units(Role::Reviewer),
    })
}

/// The caller's grant behind what lets them see an application.
pub(super) fn grant_of(caller: &Caller, unit: Unit) -> Option<Uuid> {
    let (role, unit) = match unit {
        Unit::School(school) => (Role::Liaison, school),
        Unit::Point(point) => (Role::Clerk, point),
        Unit::Agency(agency) => (Role::Reviewer, agency),
    };
    let mut grants = caller.grants.iter();
    grants.find(|grant| grant.role == role && grant.scope.unit == Some(unit)).map(|grant| grant.id)
}

/// Who wants something of an application, by these roles.
pub(super) fn order(caller: &Caller, key: Key, roles: &[Role]) -> Result<Order, Refusal> {
    Ok(Order { number: key.number, by: officer(caller, roles)? })
}
