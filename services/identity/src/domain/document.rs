//! 证件: the four document types, a document of one of them, and what its number says of its holder.

use std::fmt;

use time::Date;

use super::citizen_number::{CitizenNumber, CitizenNumberFlaw, Sex};
use super::document_table::{Check, Origin};

/// 证件类型 (DOMAIN 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DocumentType {
    /// 居民身份证
    ResidentId,
    /// 港澳台居民居住证
    ResidencePermit,
    /// 港澳居民来往内地通行证
    HkMacauPermit,
    /// 五年有效期台湾居民来往大陆通行证
    TaiwanPermit,
}

/// Where a document other than 居民身份证 says that its holder comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// 香港
    HongKong,
    /// 澳门
    Macau,
    /// 台湾
    Taiwan,
}

/// A document: its type and its number in the one form in which it is compared, which is the account's name. Made by a
/// [`DocumentTable`](super::document_table::DocumentTable).
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    pub(super) kind: DocumentType,
    pub(super) number: String,
    pub(super) origin: Option<Origin>,
    pub(super) check: Check,
    pub(super) read_by: u32,
}

/// What is wrong with a document number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentFlaw {
    /// Nothing was given.
    #[error("no number")]
    Empty,
    /// Not the characters that this type has.
    #[error("not the shape of this type")]
    Shape,
    /// No such province.
    #[error("no such province")]
    Province,
    /// No such day, or one that is still to come.
    #[error("no possible birth date")]
    Date,
    /// Mistyped somewhere.
    #[error("the check digit does not fit")]
    CheckDigit,
    /// The number is that of another type: a residence permit's under 居民身份证, or the other way round.
    #[error("the number belongs to another document type")]
    OtherType,
    /// HA or MA: a permit for residents without Chinese nationality, none of the four types.
    #[error("a permit for residents without Chinese nationality")]
    NonChineseResident,
}

impl Document {
    /// Its type.
    pub fn kind(&self) -> DocumentType {
        self.kind
    }

    /// Its number, in upper case.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// What keyed hashes of it are taken of: one account per type and number.
    pub fn key(&self) -> String {
        format!("{}:{}", self.kind.code(), self.number)
    }

    /// Sex, where the number says it.
    pub fn sex(&self) -> Option<Sex> {
        self.citizen().map(CitizenNumber::sex)
    }

    /// Birth date, where the number says it.
    pub fn birth_date(&self) -> Option<Date> {
        self.citizen().map(CitizenNumber::birth_date)
    }

    /// Where the holder comes from; `None` for 居民身份证.
    pub fn region(&self) -> Option<Region> {
        self.origin.map(|origin| origin.region)
    }

    /// The type of the 通行证 that goes with this document, where one does.
    pub fn permit(&self) -> Option<DocumentType> {
        self.origin.and_then(|origin| origin.permit)
    }

    /// Version of the table that it was read by.
    pub fn read_by(&self) -> u32 {
        self.read_by
    }

    /// The number as GB 11643 has it; read without a date of today, since it was checked when it was new.
    fn citizen(&self) -> Option<CitizenNumber<'_>> {
        match self.check {
            Check::Gb11643 => CitizenNumber::parse(&self.number, Date::MAX).ok(),
            Check::Shape => None,
        }
    }
}

impl DocumentType {
    /// All of them, by their numbers.
    pub const ALL: [Self; 4] = [Self::ResidentId, Self::ResidencePermit, Self::HkMacauPermit, Self::TaiwanPermit];

    /// Number of the type in the API and in keyed hashes: never changes.
    pub const fn code(self) -> i32 {
        match self {
            Self::ResidentId => 1,
            Self::ResidencePermit => 2,
            Self::HkMacauPermit => 3,
            Self::TaiwanPermit => 4,
        }
    }

    /// The type of this number.
    pub const fn from_code(code: i32) -> Option<Self> {
        match code {
            1 => Some(Self::ResidentId),
            2 => Some(Self::ResidencePermit),
            3 => Some(Self::HkMacauPermit),
            4 => Some(Self::TaiwanPermit),
            _ => None,
        }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({:?}, …)", self.kind)
    }
}

impl From<CitizenNumberFlaw> for DocumentFlaw {
    fn from(flaw: CitizenNumberFlaw) -> Self {
        match flaw {
            CitizenNumberFlaw::Shape => Self::Shape,
            CitizenNumberFlaw::Date => Self::Date,
            CitizenNumberFlaw::CheckDigit => Self::CheckDigit,
        }
    }
}
