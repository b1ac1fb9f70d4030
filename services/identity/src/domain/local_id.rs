//! 港澳或台湾当地有效身份证件号码: the numbers of the local ID cards of Hong Kong, Macau and Taiwan.

use super::document::Region;

/// Values of the letters A to Z in a number of Taiwan.
const TAIWAN_LETTERS: [u32; 26] =
    [10, 11, 12, 13, 14, 15, 16, 17, 34, 18, 19, 20, 21, 22, 35, 23, 24, 25, 26, 27, 28, 29, 32, 30, 31, 33];
const TAIWAN_WEIGHTS: [u32; 11] = [1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1];
/// What a missing first letter of a number of Hong Kong counts as.
const HONG_KONG_BLANK: u32 = 36;

/// What is wrong with a local ID number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocalIdFlaw {
    /// Nothing was given.
    #[error("no number")]
    Empty,
    /// Not the characters that numbers of this region have.
    #[error("not the shape of this region's numbers")]
    Shape,
    /// Mistyped somewhere.
    #[error("the check digit does not fit")]
    CheckDigit,
}

/// Reads a number and returns it in its usual form: `A123456(3)`, `1234567(8)`, `A123456789`.
///
/// The check algorithm of Macau is not public: of its numbers only the shape is known.
pub fn parse(region: Region, text: &str) -> Result<String, LocalIdFlaw> {
    let text = text.trim().to_ascii_uppercase();
    if text.is_empty() {
        return Err(LocalIdFlaw::Empty);
    }
    match region {
        Region::HongKong => {
            let (letters, digits, check) = hong_kong(&text).ok_or(LocalIdFlaw::Shape)?;
            checked(hong_kong_sum(letters, digits, check).is_multiple_of(11))?;
            Ok(format!("{letters}{digits}({check})"))
        }
        Region::Macau => {
            let (digits, check) = in_parentheses(&text).ok_or(LocalIdFlaw::Shape)?;
            let shaped = digits.len() == 7 && all_digits(digits) && digits.starts_with(['1', '5', '7']);
            if !shaped || !check.is_ascii_digit() {
                return Err(LocalIdFlaw::Shape);
            }
            Ok(format!("{digits}({check})"))
        }
        Region::Taiwan => {
            let sum = taiwan_sum(&text).ok_or(LocalIdFlaw::Shape)?;
            checked(sum.is_multiple_of(10))?;
            Ok(text)
        }
    }
}

/// One or two letters, six digits, a check character.
fn hong_kong(text: &str) -> Option<(&str, &str, char)> {
    let (body, check) = in_parentheses(text)?;
    let (letters, digits) = body.split_at_checked(body.len().checked_sub(6)?)?;
    let letters_fit = matches!(letters.len(), 1 | 2) && letters.bytes().all(|byte| byte.is_ascii_uppercase());
    let check_fits = check.is_ascii_digit() || check == 'A';
    (letters_fit && all_digits(digits) && check_fits).then_some((letters, digits, check))
}

/// Weights 9 to 1 over a blank or letter, a letter, six digits and the check character (A is ten there).
fn hong_kong_sum(letters: &str, digits: &str, check: char) -> u32 {
    let letter = |byte: u8| u32::from(byte - b'A') + 10;
    let blank = (letters.len() == 1).then_some(HONG_KONG_BLANK);
    let body = blank.into_iter().chain(letters.bytes().map(letter)).chain(digits.bytes().map(|d| u32::from(d - b'0')));
    let check = check.to_digit(11).expect("the shape was checked");
    body.zip((2..=9).rev()).map(|(value, weight)| value * weight).sum::<u32>() + check
}

fn taiwan_sum(text: &str) -> Option<u32> {
    let (first, digits) = text.split_at_checked(1)?;
    let letter = first.bytes().next().filter(u8::is_ascii_uppercase)?;
    if digits.len() != 9 || !all_digits(digits) || !digits.starts_with(['1', '2']) {
        return None;
    }
    let letter = TAIWAN_LETTERS[usize::from(letter - b'A')];
    let values = [letter / 10, letter % 10].into_iter().chain(digits.bytes().map(|d| u32::from(d - b'0')));
    Some(values.zip(TAIWAN_WEIGHTS).map(|(value, weight)| value * weight).sum())
}

fn in_parentheses(text: &str) -> Option<(&str, char)> {
    let (body, check) = text.strip_suffix(')')?.split_once('(')?;
    let mut characters = check.chars();
    characters.next().filter(|_| characters.next().is_none()).map(|check| (body, check))
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn checked(fits: bool) -> Result<(), LocalIdFlaw> {
    if fits { Ok(()) } else { Err(LocalIdFlaw::CheckDigit) }
}

#[cfg(test)]
mod tests;
