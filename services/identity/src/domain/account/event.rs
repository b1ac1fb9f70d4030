//! What has happened to an account.

use uuid::Uuid;

use super::{FixOutcome, Imported, PhoneFix};
use crate::domain::document::DocumentType;
use crate::domain::role::Grant;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The account was made.
    Registered {
        /// Type of the document.
        document_type: DocumentType,
        /// Keyed hash of type and number.
        number_hash: [u8; 32],
        /// PHC string of argon2id.
        password_hash: String,
        /// Version of the table by which the number was judged; 0 from before there was one.
        document_table: u32,
    },
    /// The account came from the old system.
    Imported(Imported),
    /// The profile is complete.
    ProfileCompleted,
    /// The profile says something else.
    ProfileChanged,
    /// The password is another one.
    PasswordChanged {
        /// PHC string of argon2id.
        password_hash: String,
    },
    /// The phone is another one.
    PhoneChanged,
    /// The mail address is verified.
    EmailVerified,
    /// The name is another one.
    NameChanged,
    /// The name passed a real-name check.
    NameVerified {
        /// Who said so.
        provider: String,
    },
    /// A name did not pass; the account keeps its own.
    NameRefused {
        /// Who said so.
        provider: String,
    },
    /// Somebody asks for another phone.
    PhoneFixRequested(PhoneFix),
    /// The request ended.
    PhoneFixSettled {
        /// Which one.
        fix_id: Uuid,
        /// How.
        outcome: FixOutcome,
    },
    /// A role was given.
    RoleGranted(Grant),
    /// A role was taken back.
    RoleRevoked {
        /// Which one.
        grant_id: Uuid,
    },
    /// There is a second factor.
    TotpEnrolled,
    /// There is none any more.
    TotpReset,
    /// There is a WeChat.
    WechatBound {
        /// Keyed hash of the openid.
        openid_hash: [u8; 32],
    },
    /// There is none any more.
    WechatUnbound,
    /// The person asked to be forgotten, and something has to be kept for now.
    Restricted,
    /// The person wants the account back.
    Reinstated,
    /// The person is forgotten.
    Erased {
        /// Which erasure.
        erasure_id: Uuid,
    },
}

impl Event {
    /// Whether the account is opened with another password or another phone from here on.
    pub fn changes_what_opens(&self) -> bool {
        match self {
            Self::Registered { .. } | Self::PasswordChanged { .. } | Self::PhoneChanged | Self::Erased { .. } => true,
            // An approved phone has its own `PhoneChanged`.
            Self::PhoneFixSettled { .. }
            | Self::Imported(_)
            | Self::ProfileCompleted
            | Self::ProfileChanged
            | Self::EmailVerified
            | Self::NameChanged
            | Self::NameVerified { .. }
            | Self::NameRefused { .. }
            | Self::PhoneFixRequested(_)
            | Self::RoleGranted(_)
            | Self::RoleRevoked { .. }
            | Self::TotpEnrolled
            | Self::TotpReset
            | Self::WechatBound { .. }
            | Self::WechatUnbound
            | Self::Restricted
            | Self::Reinstated => false,
        }
    }
}
