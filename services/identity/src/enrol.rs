//! The command `enrol-staff`: reads the list of the first staff and enrols them.

use std::path::{Path, PathBuf};

use proto::identity::v1::Role as ProtoRole;
use serde::Deserialize;
use uuid::Uuid;

use crate::domain::document_table::DocumentTypes;
use crate::domain::role::{Division, Role, Scope};
use crate::domain::{contact, password};
use crate::handle::{Enrolled, EnrolmentError, Handle, Member, today};
use crate::hashing::Password;
use crate::store::account_event;
use crate::totp::Secret;

/// One entry of the file.
#[derive(Deserialize)]
struct Entry {
    /// Document number; its type follows from its shape.
    number: String,
    /// 姓名
    name: String,
    /// 手机
    phone: String,
    /// The first password.
    password: String,
    /// `CLERK`, as in `ROLE_CLERK` of the API.
    role: String,
    /// Six digits.
    division: String,
    /// School, point or agency, for the roles that belong to one.
    #[serde(default)]
    unit_id: String,
    /// Secret of the second factor, in base 32; without one the person enrols it by SMS.
    #[serde(default)]
    totp_secret: String,
}

/// Why the file cannot be enrolled. Says which entry and field, never what stands there.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no list of entries.
    #[error("{}, line {line}: not a JSON list of {{number, name, phone, password, role, division, unit_id, totp_secret}}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
    },
    /// Fields are wrong; all of them.
    #[error("the list has wrong fields: {}", .0.join("; "))]
    Fields(Vec<String>),
    /// The enrolment was refused, or failed.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
}

/// Reads the file and enrols everybody in it.
pub async fn enrol(handle: &Handle, path: &Path) -> Result<Enrolled, EnrolError> {
    let text = std::fs::read_to_string(path).map_err(|source| EnrolError::Read { path: path.to_owned(), source })?;
    let entries: Vec<Entry> = serde_json::from_str(&text)
        .map_err(|problem| EnrolError::Format { path: path.to_owned(), line: problem.line() })?;
    let mut flaws = Vec::new();
    let members: Vec<Member> = (1..)
        .zip(entries)
        .filter_map(|(number, entry)| entry.parse(number, &handle.document_types, &mut flaws))
        .collect();
    if !flaws.is_empty() {
        return Err(EnrolError::Fields(flaws));
    }
    Ok(handle.enrol(&members).await?)
}

impl Entry {
    fn parse(self, number: usize, types: &DocumentTypes, flaws: &mut Vec<String>) -> Option<Member> {
        let mut keep =
            |field: &str, problem: &dyn std::fmt::Display| flaws.push(format!("entry {number}, {field}: {problem}"));
        let today = today();
        let document = types.on(today).judge(&self.number, today).map_err(|flaw| keep("number", &flaw)).ok();
        let name = contact::name(&self.name).map_err(|flaw| keep("name", &flaw)).ok();
        let phone = contact::phone(&self.phone).map_err(|flaw| keep("phone", &flaw)).ok();
        if let Err(flaw) = password::check(&self.password) {
            keep("password", &flaw);
        }
        let role = role(&self.role);
        let division = Division::parse(&self.division);
        let unit = if self.unit_id.is_empty() { Some(None) } else { Uuid::try_parse(&self.unit_id).ok().map(Some) };
        let totp = if self.totp_secret.is_empty() { Some(None) } else { Secret::parse(&self.totp_secret).map(Some) };
        for (field, right) in [
            ("role", role.is_some()),
            ("division", division.is_some()),
            ("unit_id", unit.is_some()),
            ("totp_secret", totp.is_some()),
        ] {
            if !right {
                keep(field, &"not a known value");
            }
        }
        let scope = Scope { division: division?, unit: unit? };
        let role = role?;
        if let Err(flaw) = role.fits(scope) {
            keep("role", &flaw);
        }
        Some(Member {
            document: document?,
            name: name?,
            phone: phone?,
            password: Password::new(self.password),
            role,
            scope,
            totp: totp?,
        })
    }
}

fn role(name: &str) -> Option<Role> {
    let role = ProtoRole::from_str_name(name).or_else(|| ProtoRole::from_str_name(&format!("ROLE_{name}")));
    account_event::role(role?)
}
