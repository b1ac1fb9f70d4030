//! Between the API's messages and our own types: fields read with all their violations, values rendered.

use audit::Subject;
use prost_types::Timestamp;
use proto::identity::v1 as api;
use rpc::Violations;
use tonic::Response;
use uuid::Uuid;

use crate::domain::contact::{self, ContactFlaw};
use crate::domain::document::{Document, DocumentFlaw, DocumentType};
use crate::domain::document_table::DocumentTypes;
use crate::domain::password::{self, PasswordFlaw};
use crate::domain::profile::{Field, Flaw};
use crate::domain::role::{Division, Role, Scope, ScopeFlaw};
use crate::domain::session::Entry;
use crate::handle::{NextStep, TokenPair, today};
use crate::hashing::Password;
use crate::store::account_event;
use crate::store::codes::Begun;

const REQUIRED: &str = "REQUIRED";
const EMPTY: &str = "此项不能为空。";

pub(super) fn document(
    types: &DocumentTypes,
    kind: i32,
    number: &str,
    violations: &mut Violations,
) -> Option<Document> {
    let Some(kind) = DocumentType::from_code(kind) else {
        violations.add("document_type", "UNKNOWN_VALUE", "请选择证件类型。");
        return None;
    };
    let today = today();
    let table = types.on(today);
    let hint = || table.rules(kind).hint.clone();
    table.parse(kind, number, today).map_err(|flaw| number_violation(flaw, hint, violations)).ok()
}

fn number_violation(flaw: DocumentFlaw, hint: impl FnOnce() -> String, violations: &mut Violations) {
    let (reason, sentence) = match flaw {
        DocumentFlaw::Empty => (REQUIRED, EMPTY),
        DocumentFlaw::Shape => return violations.add("number", "MALFORMED", hint()),
        DocumentFlaw::Province => ("UNKNOWN_PROVINCE", "证件号码前几位的地区代码不正确，请核对后重新填写。"),
        DocumentFlaw::Date => ("IMPOSSIBLE_DATE", "证件号码中的出生日期不存在，请核对后重新填写。"),
        DocumentFlaw::CheckDigit => ("WRONG_CHECK_DIGIT", "证件号码的校验码不正确，请逐位核对后重新填写。"),
        DocumentFlaw::OtherType => (
            "OTHER_DOCUMENT_TYPE",
            "该号码与所选证件类型不符：81、82、83开头的为港澳台居民居住证，请重新选择证件类型。",
        ),
        DocumentFlaw::NonChineseResident => {
            ("NON_CHINESE_RESIDENT", "HA、MA开头的证件不在可用的四种证件类型之内，请改用其他证件。")
        }
    };
    violations.add("number", reason, sentence);
}

pub(super) fn name(text: &str, violations: &mut Violations) -> Option<String> {
    let malformed = "姓名应为2至50个字，只含文字和间隔号，请按证件填写。";
    contact("name", contact::name(text), malformed, violations)
}

pub(super) fn phone(text: &str, violations: &mut Violations) -> Option<String> {
    contact("phone", contact::phone(text), "手机号码应为11位半角数字。", violations)
}

pub(super) fn email(text: &str, violations: &mut Violations) -> Option<String> {
    contact("email", contact::email(text), MALFORMED_EMAIL, violations)
}

const MALFORMED_EMAIL: &str = "电子邮箱格式不正确，应类似 name@example.com。";

fn contact(
    field: &'static str,
    parsed: Result<String, ContactFlaw>,
    malformed: &'static str,
    violations: &mut Violations,
) -> Option<String> {
    parsed
        .map_err(|flaw| match flaw {
            ContactFlaw::Empty => violations.add(field, REQUIRED, EMPTY),
            ContactFlaw::Shape => violations.add(field, "MALFORMED", malformed),
        })
        .ok()
}

/// A password that is chosen now.
pub(super) fn new_password(field: &'static str, text: String, violations: &mut Violations) -> Password {
    match password::check(&text) {
        Ok(()) => {}
        Err(PasswordFlaw::Empty) => violations.add(field, REQUIRED, EMPTY),
        Err(PasswordFlaw::Rule) => violations.add(
            field,
            "PASSWORD_RULE",
            "密码应为8至64位，并同时包含字母、数字和特殊符号 # % * - _ ! @ $ & 中的至少一个。",
        ),
    }
    Password::new(text)
}

/// A password that was chosen before: whatever it is, the work on it is bounded.
pub(super) fn known_password(field: &'static str, text: String, violations: &mut Violations) -> Password {
    violations.check(field, !text.is_empty(), REQUIRED, EMPTY);
    violations.check(field, text.chars().count() <= *password::LENGTH.end(), "TOO_LONG", "密码不超过64位。");
    Password::new(text)
}

pub(super) fn code(field: &'static str, text: &str, violations: &mut Violations) -> String {
    let code = text.trim();
    violations.check(field, crate::domain::code::has_shape(code), "MALFORMED", "验证码为6位数字，请按收到的消息填写。");
    code.to_owned()
}

pub(super) fn totp(text: &str, violations: &mut Violations) -> String {
    let code = text.trim();
    violations.check(
        "code",
        crate::domain::code::has_shape(code),
        "MALFORMED",
        "动态口令为6位数字，请按手机上显示的填写。",
    );
    code.to_owned()
}

pub(super) fn next_step(step: NextStep) -> api::SecondFactorStep {
    match step {
        NextStep::None => api::SecondFactorStep::None,
        NextStep::Verify => api::SecondFactorStep::Verify,
        NextStep::Enrol => api::SecondFactorStep::Enrol,
    }
}

pub(super) fn entry(code: i32, violations: &mut Violations) -> Option<Entry> {
    let entry = Entry::from_code(code);
    violations.check("entry", entry.is_some(), "UNKNOWN_VALUE", "请从业务入口登录。");
    entry
}

/// Why a service wants to know; kept short, since it will stand in the person's own access log.
pub(super) fn purpose(text: &str, violations: &mut Violations) {
    let length = text.trim().chars().count();
    violations.check("purpose", (1..=100).contains(&length), "MALFORMED", "请说明查询目的，不超过100个字。");
}

pub(super) fn role_and_scope(
    role: i32,
    scope: Option<api::Scope>,
    violations: &mut Violations,
) -> Option<(Role, Scope)> {
    let role = api::Role::try_from(role).ok().and_then(account_event::role);
    violations.check("role", role.is_some(), "UNKNOWN_VALUE", "请选择角色。");
    let scope = scope.unwrap_or_default();
    let division = Division::parse(&scope.division);
    violations.check("scope.division", division.is_some(), "MALFORMED", "行政区划代码应为6位数字，下级以00补足。");
    let unit = if scope.unit_id.is_empty() {
        Some(None)
    } else {
        rpc::parse_uuid("scope.unit_id", &scope.unit_id, violations).map(Some)
    };
    let (role, scope) = (role?, Scope { division: division?, unit: unit? });
    role.fits(scope).map_err(|flaw| scope_violation(flaw, violations)).ok()?;
    Some((role, scope))
}

fn scope_violation(flaw: ScopeFlaw, violations: &mut Violations) {
    let (field, reason, sentence) = match flaw {
        ScopeFlaw::UnitMissing => ("scope.unit_id", REQUIRED, "该角色须指定所属的学校、确认点或注册机构。"),
        ScopeFlaw::UnitNotExpected => ("scope.unit_id", "NOT_EXPECTED", "该角色的范围是省或全国，不能指定单位。"),
        ScopeFlaw::ProvinceExpected => {
            ("scope.division", "PROVINCE_EXPECTED", "该角色的范围应为省级行政区划，如 320000。")
        }
        ScopeFlaw::NationNotExpected => {
            ("scope.division", "NATION_NOT_EXPECTED", "该角色的范围不能是全国，请指定行政区划。")
        }
    };
    violations.add(field, reason, sentence);
}

/// Violations of a profile.
pub(super) fn profile_violations(flaws: Vec<(Field, Flaw)>) -> Violations {
    let mut violations = Violations::new();
    for (field, flaw) in flaws {
        let malformed = match field {
            Field::Ethnicity => "请选择民族。",
            Field::Sex => "请选择性别：1 男，2 女。",
            Field::BirthDate => "出生日期不正确，应写作 1990-01-31 的形式。",
            Field::LocalIdNumber => "当地身份证件号码格式不正确，请按证件填写，使用半角字符。",
            Field::PermitNumber => "相应通行证号码格式不正确，请按证件填写，使用半角字符。",
            Field::Email => MALFORMED_EMAIL,
        };
        let (reason, sentence) = match flaw {
            Flaw::Required => (REQUIRED, EMPTY),
            Flaw::NotExpected => ("NOT_EXPECTED", "该证件类型无需填写此项，请留空。"),
            Flaw::Shape => ("MALFORMED", malformed),
            Flaw::CheckDigit => ("WRONG_CHECK_DIGIT", "号码的校验码不正确，请逐位核对后重新填写。"),
            Flaw::Contradiction => ("DIFFERS_FROM_DOCUMENT", "与注册时的证件号码不一致，请核对后重新填写。"),
        };
        violations.add(profile_field(field), reason, sentence);
    }
    violations
}

/// The name of a field in the API.
pub(super) const fn profile_field(field: Field) -> &'static str {
    match field {
        Field::Ethnicity => "ethnicity",
        Field::Sex => "sex",
        Field::BirthDate => "birth_date",
        Field::LocalIdNumber => "local_id_number",
        Field::PermitNumber => "permit_number",
        Field::Email => "email",
    }
}

pub(super) fn tokens(pair: TokenPair) -> api::Tokens {
    api::Tokens {
        access_token: pair.access.token,
        access_expire_time: Some(rpc::timestamp(pair.access.expires_at)),
        refresh_token: pair.refresh.render(),
        refresh_expire_time: Some(rpc::timestamp(pair.refresh_expires_at)),
    }
}

/// An answer that begins a session: the audit trail learns whose it is.
pub(super) fn signed_in<T>(answer: T, subject: Subject) -> Response<T> {
    let mut response = Response::new(answer);
    response.extensions_mut().insert(subject);
    response
}

/// Who has signed in.
pub(super) fn subject(tokens: &TokenPair) -> Subject {
    Subject { person: tokens.access.person, session: tokens.access.session }
}

/// A code on its way: its id, until when it counts, when the next one may be asked for.
pub(super) fn begun(begun: &Begun) -> (String, Option<Timestamp>, Option<Timestamp>) {
    (begun.id.to_string(), Some(rpc::timestamp(begun.expires_at)), Some(rpc::timestamp(begun.resend_at)))
}

pub(super) fn unit_id(unit: Option<Uuid>) -> String {
    unit.map(|unit| unit.to_string()).unwrap_or_default()
}
