//! What an account is asked to do, and who stands behind it.

use uuid::Uuid;

use super::{FixOutcome, Imported, PhoneFix};
use crate::domain::document::DocumentType;
use crate::domain::erasure::Standing;
use crate::domain::role::{Division, Grant, Scope};

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An account for a number that has none; that it has none is claimed in the log.
    Register {
        /// Type of the document.
        document_type: DocumentType,
        /// Keyed hash of type and number.
        number_hash: [u8; 32],
        /// PHC string of argon2id.
        password_hash: String,
        /// Version of the table by which the number was judged.
        document_table: u32,
        /// Whether the mail address that travels beside was verified.
        email_verified: bool,
    },
    /// An account of the old system; number and name travel beside.
    Import(Imported),
    /// Another password.
    ChangePassword {
        /// PHC string of argon2id.
        password_hash: String,
    },
    /// Another phone, which travels beside.
    ChangePhone,
    /// A mail address that the person reads; it travels beside.
    VerifyEmail,
    /// What a real-name check has said of a name, which travels beside.
    RecordNameCheck {
        /// Whether number and name belong together.
        passed: bool,
        /// Whether it is another name than the account's.
        differs: bool,
        /// Who said so.
        provider: String,
    },
    /// Another phone, put in by the helpdesk; phone and evidence travel beside.
    RequestPhoneFix(PhoneFix),
    /// The end of such a request; an approved phone travels beside.
    SettlePhoneFix {
        /// Which one.
        fix_id: Uuid,
        /// How.
        outcome: FixOutcome,
        /// Where the person belongs.
        belongs: Vec<Division>,
        /// Who settles.
        by: Authority,
    },
    /// The profile, whose fields travel beside.
    CompleteProfile,
    /// Another profile, whose fields travel beside.
    ChangeProfile {
        /// Whether it says something else than the account's.
        differs: bool,
    },
    /// A role for this person.
    GrantRole {
        /// The role and where it shall hold.
        grant: Grant,
        /// Who grants.
        by: Authority,
    },
    /// The end of a role.
    RevokeRole {
        /// Which one.
        grant_id: Uuid,
        /// Who revokes.
        by: Authority,
    },
    /// 绑定动态口令: a second factor, whose secret travels beside.
    EnrolTotp,
    /// The end of a second factor that is lost.
    ResetTotp {
        /// Who ends it.
        by: Authority,
    },
    /// 绑定微信; the openid travels beside, and that nobody else has it is claimed in the log.
    BindWechat {
        /// Keyed hash of the openid.
        openid_hash: [u8; 32],
    },
    /// 解除绑定
    UnbindWechat,
    /// To be forgotten.
    Erase {
        /// Names the erasure and its receipt.
        erasure_id: Uuid,
        /// What there is to be kept.
        standing: Standing,
    },
    /// The request to be forgotten is taken back.
    Reinstate,
}

/// Who gives and takes roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The one-time command that enrols the first staff, before there is anybody who could.
    Bootstrap,
    /// A security administrator; for requests for another phone the helpdesk.
    Administrator {
        /// Whether the person concerned is the administrator.
        is_self: bool,
        /// Where the administrator's role holds.
        divisions: Vec<Division>,
    },
}

impl Authority {
    /// Whether a scope lies within what this one may give and take.
    pub fn covers(&self, scope: Scope) -> bool {
        self.reaches(scope.division)
    }

    /// Whether a division lies where this one may do something.
    pub fn reaches(&self, division: Division) -> bool {
        match self {
            Self::Bootstrap => true,
            Self::Administrator { divisions, .. } => divisions.iter().any(|own| own.covers(division)),
        }
    }

    /// Whether they would do it to themselves.
    pub fn is_self(&self) -> bool {
        matches!(self, Self::Administrator { is_self: true, .. })
    }
}
