//! Texts that applicants read and agree to, named by version and digest.

use std::sync::Arc;

/// 必读
pub const MUST_READ: &str = "must_read";
/// 协议
pub const AGREEMENT: &str = "agreement";
/// 承诺书
pub const PLEDGE: &str = "pledge";
/// 注意事项
pub const NOTICE: &str = "notice";
/// 申报提醒
pub const REMINDER: &str = "reminder";

/// All texts, in the order in which they are read.
pub const NAMES: [&str; 5] = [MUST_READ, AGREEMENT, NOTICE, PLEDGE, REMINDER];

/// The name of a text, if it is one.
pub fn known_name(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|known| *known == name)
}

/// Which text somebody agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRef {
    /// From 1.
    pub version: u32,
    /// SHA-256 of the body, hex.
    pub digest: String,
}

/// A text that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// One of [`NAMES`].
    pub name: &'static str,
    /// Two digits of the province that published it; `None` for ours, which is a model.
    pub province: Option<String>,
    /// Version and digest.
    pub reference: TextRef,
    /// In Chinese.
    pub body: Arc<str>,
}

/// Characters of the longest text of a province.
const LONGEST: usize = 20_000;
/// Numbers of people and of certificates have so many digits.
const DIGITS: usize = 15;

/// Why a text cannot be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Nothing is in it.
    Empty,
    /// Too many characters.
    TooLong,
    /// Other control characters than ends of lines.
    NotPlain,
    /// A number that may be somebody's.
    NumberInIt,
}

/// Whether a text has no control characters but ends of lines.
pub fn is_in_lines(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() && c != '\n')
}

/// Judges a text that is to be published.
pub fn judge(body: &str) -> Result<(), Unfit> {
    if body.trim().is_empty() {
        return Err(Unfit::Empty);
    }
    if body.chars().count() > LONGEST {
        return Err(Unfit::TooLong);
    }
    if !is_in_lines(body) {
        return Err(Unfit::NotPlain);
    }
    let numbered = body.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() >= DIGITS);
    if numbered { Err(Unfit::NumberInIt) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_in_lines_is_fit_to_be_published() {
        assert_eq!(judge("申报须知\n一、请于2026年11月30日前提交。咨询电话：0516-83700000。\n"), Ok(()));
        assert_eq!(judge(&"字".repeat(20_000)), Ok(()));
    }

    #[test]
    fn what_is_empty_endless_not_plain_or_numbers_somebody_is_not() {
        assert_eq!(judge(" \n"), Err(Unfit::Empty));
        assert_eq!(judge(&"字".repeat(20_001)), Err(Unfit::TooLong));
        assert_eq!(judge("一\t二"), Err(Unfit::NotPlain));
        assert_eq!(judge("证书20153200000000000号"), Err(Unfit::NumberInIt));
        assert_eq!(judge("12345678901234"), Ok(()));
    }

    #[test]
    fn names_are_known() {
        assert!(NAMES.iter().all(|name| known_name(name) == Some(*name)));
        assert_eq!(known_name("novel"), None);
    }
}
