//! A record of the trail: one call and what came of it.

use std::fmt;
use std::net::IpAddr;

use eventlog::Division;
use time::OffsetDateTime;
use uuid::Uuid;

/// Who called what, when, from where and with which result; nothing of what the call said.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// When the call came.
    pub at: OffsetDateTime,
    /// Who called, or has signed in by it.
    pub person: Option<Uuid>,
    /// The session that the call belongs to.
    pub session: Option<Uuid>,
    /// The service that acted for the person.
    pub service: Option<String>,
    /// Where the person's roles held; empty for applicants and for nobody.
    pub divisions: Vec<Division>,
    /// Full name of the method.
    pub method: String,
    /// Where the call came from.
    pub origin: Option<IpAddr>,
    /// `OK`, or the gRPC code.
    pub code: String,
    /// The stable reason of a refusal; empty where there is none.
    pub reason: String,
    /// 32 hexadecimal digits: finds the logs of the call.
    pub trace: Option<String>,
}

/// An address belongs to somebody and is not shown.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let person = self.person.map_or_else(|| "nobody".to_owned(), |person| person.to_string());
        write!(f, "{} by {person}: {} {}", self.method, self.code, self.reason)
    }
}
