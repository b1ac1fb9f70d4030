//! The ways out of the system: mail and SMS, each by the provider that the settings name.

mod folder;
mod mail;
mod sms;

use std::fmt;

use time::OffsetDateTime;
use uuid::Uuid;

pub use self::mail::Mail;
pub use self::sms::Sms;
use crate::domain::address::{MailAddress, Phone};
use crate::settings::Settings;

/// A mail on its way. The text is nobody's business, so it is not shown for debugging.
pub struct Letter {
    /// The same for every try: the provider can tell a repetition by it.
    pub id: Uuid,
    /// Where it goes.
    pub to: MailAddress,
    /// Its title.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// When the message was made, also the same for every try.
    pub at: OffsetDateTime,
}

/// An SMS on its way. The text may hold a secret, so it is not shown for debugging.
pub struct ShortMessage {
    /// The same for every try.
    pub id: Uuid,
    /// Where it goes.
    pub to: Phone,
    /// Name of the template, as providers register them.
    pub template: String,
    /// The text.
    pub text: String,
    /// When the message was made.
    pub at: OffsetDateTime,
}

/// Why a channel did not take a message. Holds no address and nothing that the other side said.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum SendError {
    /// The address does not exist, or never takes mail.
    #[error("the address is refused")]
    AddressRefused,
    /// Something else; another try may succeed. A stable word for it.
    #[error("{0}")]
    Failed(String),
}

/// All channels that leave the system.
#[derive(Debug)]
pub struct Channels {
    /// 邮件
    pub mail: Mail,
    /// 短信
    pub sms: Sms,
}

/// What is wrong with the settings of the channels, all of it.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("the channels cannot be used: {}", .0.join("; "))]
pub struct Unusable(pub Vec<String>);

impl Channels {
    /// Opens the channels; folders are made, servers are not asked yet.
    pub fn open(settings: &Settings) -> Result<Self, Unusable> {
        match (Mail::open(settings), Sms::open(settings)) {
            (Ok(mail), Ok(sms)) => Ok(Self { mail, sms }),
            (mail, sms) => Err(Unusable([mail.err(), sms.err()].into_iter().flatten().collect())),
        }
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Letter({})", self.id)
    }
}

impl fmt::Debug for ShortMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortMessage({}, {})", self.template, self.id)
    }
}
