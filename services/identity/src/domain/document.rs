//! 证件: the four document types, the shape and checks of their numbers, and what a number says of its holder.

use std::fmt;

use time::Date;

use super::citizen_number::{self, Card, CitizenNumber, CitizenNumberFlaw, Sex};

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

/// A document: its type and its number in the one form in which it is compared, which is the account's name.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    kind: DocumentType,
    number: String,
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
    /// Reads a number as it was typed: blanks around it go, small letters become capital.
    pub fn parse(kind: DocumentType, text: &str, today: Date) -> Result<Self, DocumentFlaw> {
        let text = normal(text);
        if text.is_empty() {
            return Err(DocumentFlaw::Empty);
        }
        if matches!(kind, DocumentType::HkMacauPermit) && is_non_chinese_permit(&text) {
            return Err(DocumentFlaw::NonChineseResident);
        }
        let document = Self::of_shape(&text).ok_or(DocumentFlaw::Shape)?;
        let citizen = |kind| matches!(kind, DocumentType::ResidentId | DocumentType::ResidencePermit);
        if document.kind != kind {
            let confused = citizen(document.kind) && citizen(kind);
            return Err(if confused { DocumentFlaw::OtherType } else { DocumentFlaw::Shape });
        }
        if citizen(kind) {
            CitizenNumber::parse(&document.number, today)?;
        }
        Ok(document)
    }

    /// The document that a number belongs to, by its shape alone: a number names one type. `None` where it can belong to none.
    pub fn recognise(text: &str) -> Option<Self> {
        Self::of_shape(&normal(text))
    }

    fn of_shape(text: &str) -> Option<Self> {
        let kind = if citizen_number::has_shape(text) {
            citizen_number::card(text).into()
        } else if let Some(digits) = text.strip_prefix(['H', 'M']) {
            // The old card prints two digits that count its renewals behind the number, which is for life.
            if !matches!(digits.len(), 8 | 10) || !all_digits(digits) {
                return None;
            }
            return Some(Self { kind: DocumentType::HkMacauPermit, number: text[..9].to_owned() });
        } else if text.len() == 8 && all_digits(text) {
            DocumentType::TaiwanPermit
        } else {
            return None;
        };
        Some(Self { kind, number: text.to_owned() })
    }

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
        match (self.kind, &self.number[..2]) {
            (DocumentType::ResidentId, _) => None,
            (DocumentType::TaiwanPermit, _) | (DocumentType::ResidencePermit, "83") => Some(Region::Taiwan),
            (DocumentType::ResidencePermit, "82") => Some(Region::Macau),
            (DocumentType::HkMacauPermit, number) if number.starts_with('M') => Some(Region::Macau),
            (DocumentType::ResidencePermit | DocumentType::HkMacauPermit, _) => Some(Region::HongKong),
        }
    }

    /// The number as GB 11643 has it; read without a date of today, since it was checked when it was new.
    fn citizen(&self) -> Option<CitizenNumber<'_>> {
        CitizenNumber::parse(&self.number, Date::MAX).ok()
    }
}

impl DocumentType {
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
            CitizenNumberFlaw::Province => Self::Province,
            CitizenNumberFlaw::Date => Self::Date,
            CitizenNumberFlaw::CheckDigit => Self::CheckDigit,
        }
    }
}

impl From<Card> for DocumentType {
    fn from(card: Card) -> Self {
        match card {
            Card::ResidentId => Self::ResidentId,
            Card::ResidencePermit => Self::ResidencePermit,
        }
    }
}

fn normal(text: &str) -> String {
    text.trim().to_ascii_uppercase()
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_non_chinese_permit(text: &str) -> bool {
    text.len() == 9 && (text.starts_with("HA") || text.starts_with("MA"))
}

#[cfg(test)]
mod tests;
