//! The gRPC surface: one file per service, and the way of refusals to the wire.

mod certificates;
mod conflicts;
mod corrections;
mod explain;
mod export;
mod restrictions;
mod status;
mod sync;

use access::Caller;
use eventlog::Division;
use proto::identity::v1::Role;
use rpc::Violations;
use tonic::Request;

pub use certificates::CertificatesApi;
pub use conflicts::ConflictsApi;
pub use corrections::CorrectionsApi;
pub use restrictions::RestrictionsApi;
pub use sync::SyncApi;

use crate::handle::Asked;

/// Where the caller is a register officer.
fn divisions(caller: &Caller) -> Vec<Division> {
    caller.holds(Role::RegisterOfficer).map(|scope| scope.division).collect()
}

/// Who asks, by which request.
fn asked<T: prost::Message>(request: &Request<T>, request_id: &str, violations: &mut Violations) -> Option<Asked> {
    let id = rpc::parse_uuid("request_id", request_id, violations)?;
    let actor = Caller::of(request).actor();
    Some(Asked { actor, request: Some((id, rpc::fingerprint(request.get_ref()))), cause: None })
}

/// Digits in a row that no name of an agency and no 文号 has, but numbers of people do.
const DIGITS_OF_A_NUMBER: usize = 6;

/// A text of 1 to `longest` characters, of one line, that is read by everybody: nothing passes that could be a number of a person.
fn published(field: &'static str, text: &str, longest: usize, violations: &mut Violations) -> String {
    let text = fits(field, text, longest, violations);
    is_plain(field, &text, violations);
    let longest_number = text.split(|c: char| !c.is_numeric()).map(|digits| digits.chars().count()).max();
    violations.check(
        field,
        longest_number.unwrap_or(0) < DIGITS_OF_A_NUMBER,
        "NUMBER_IN_TEXT",
        "此项会公开，不能出现连续6位及以上的数字，以免泄露个人证件或证书号码，请删去后重试。",
    );
    text
}

/// A text of 1 to `longest` characters, of as many lines as it takes.
fn prose(field: &'static str, text: &str, longest: usize, violations: &mut Violations) -> String {
    let text = fits(field, text, longest, violations);
    is_plain_prose(field, &text, violations);
    text
}

fn fits(field: &'static str, text: &str, longest: usize, violations: &mut Violations) -> String {
    let text = text.trim();
    let fits = (1..=longest).contains(&text.chars().count());
    violations.check(field, fits, "WRONG_LENGTH", format!("应为1至{longest}个字。"));
    text.to_owned()
}

/// No control characters, ends of lines included: a view could not hold some of them.
fn is_plain(field: &'static str, text: &str, violations: &mut Violations) {
    let plain = !text.contains(char::is_control);
    violations.check(field, plain, "NOT_PLAIN_TEXT", "不能含有换行、制表符等控制字符，请删去后重试。");
}

/// No control characters but those that part lines and words.
fn is_plain_prose(field: &'static str, text: &str, violations: &mut Violations) {
    let plain = !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    violations.check(field, plain, "NOT_PLAIN_TEXT", "只能是分行的纯文本，不能含有控制字符，请删去后重试。");
}
