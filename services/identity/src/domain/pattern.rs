//! 号码格式: a small part of regular expressions, which every engine reads alike, and of which two can be compared.

/// Characters that may stand at one place, a bit for each of ASCII.
type Class = u128;

/// Longest number that a pattern can describe.
const LONGEST: usize = 64;

/// One or more forms, each of a fixed length: `[HM][0-9]{8}|[HM][0-9]{10}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    forms: Vec<Vec<Class>>,
}

/// What is wrong with the text of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternFlaw {
    /// A form without any place.
    #[error("a form of the pattern is empty")]
    Empty,
    /// Neither a letter or digit, nor a class.
    #[error("the pattern holds what is neither a letter, a digit nor a class")]
    Character,
    /// A class that is empty, does not end, or has a range backwards.
    #[error("a class of the pattern is not of the form [0-9X]")]
    Class,
    /// Not a number from 1 in braces.
    #[error("a count of the pattern is not of the form {{8}}")]
    Count,
    /// Nobody has such a number.
    #[error("a form of the pattern is longer than {LONGEST}")]
    Long,
}

impl Pattern {
    /// Reads a pattern: letters, digits and classes of them, each perhaps with a count; forms are parted by `|`.
    pub fn parse(text: &str) -> Result<Self, PatternFlaw> {
        let forms = text.split('|').map(form).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), forms })
    }

    /// Whether the whole text is of one of the forms.
    pub fn matches(&self, text: &str) -> bool {
        let holds = |(byte, class): (u8, &Class)| byte.is_ascii() && class & (1 << byte) != 0;
        self.forms.iter().any(|form| form.len() == text.len() && text.bytes().zip(form).all(holds))
    }

    /// Whether some text is of a form of both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let meet =
            |one: &[Class], two: &[Class]| one.len() == two.len() && one.iter().zip(two).all(|(a, b)| a & b != 0);
        self.forms.iter().any(|one| other.forms.iter().any(|two| meet(one, two)))
    }

    /// Length of the shortest form.
    pub fn shortest(&self) -> usize {
        self.forms.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn form(text: &str) -> Result<Vec<Class>, PatternFlaw> {
    let (mut places, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let class;
        (class, rest) = if let Some(inside) = rest.strip_prefix('[') {
            let (members, behind) = inside.split_once(']').ok_or(PatternFlaw::Class)?;
            (self::class(members)?, behind)
        } else {
            (single(first).ok_or(PatternFlaw::Character)?, &rest[1..])
        };
        let mut count = 1;
        if let Some(inside) = rest.strip_prefix('{') {
            let (digits, behind) = inside.split_once('}').ok_or(PatternFlaw::Count)?;
            count = digits.parse().ok().filter(|count| *count > 0).ok_or(PatternFlaw::Count)?;
            rest = behind;
        }
        if count > LONGEST - places.len() {
            return Err(PatternFlaw::Long);
        }
        places.extend(std::iter::repeat_n(class, count));
    }
    if places.is_empty() { Err(PatternFlaw::Empty) } else { Ok(places) }
}

/// `0-9X`
fn class(members: &str) -> Result<Class, PatternFlaw> {
    let (mut class, mut rest) = (0, members);
    while let Some(first) = rest.chars().next() {
        let low = single(first).ok_or(PatternFlaw::Class)?;
        rest = &rest[1..];
        let mut high = low;
        if let Some(behind) = rest.strip_prefix('-') {
            high = behind.chars().next().and_then(single).filter(|high| *high >= low).ok_or(PatternFlaw::Class)?;
            rest = &behind[1..];
        }
        // All bits from the lower to the higher one.
        class |= (high - low) | high;
    }
    if class == 0 { Err(PatternFlaw::Class) } else { Ok(class) }
}

/// The bit of a letter or digit.
fn single(character: char) -> Option<Class> {
    character.is_ascii_alphanumeric().then(|| 1 << u32::from(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn only_a_whole_text_of_one_form_matches() {
        let permit = pattern("[HM][0-9]{8}|[HM][0-9]{10}");
        for (text, matches) in [
            ("H12345678", true),
            ("M1234567801", true),
            ("H1234567", false),
            ("H123456789", false),
            ("A12345678", false),
            ("h12345678", false),
            ("H1234567８", false),
            ("", false),
        ] {
            assert_eq!(permit.matches(text), matches, "{text}");
        }
        assert_eq!((permit.shortest(), permit.as_str()), (9, "[HM][0-9]{8}|[HM][0-9]{10}"));
        assert!(pattern("AB1[0-27]").matches("AB17") && !pattern("AB1[0-27]").matches("AB13"));
    }

    #[test]
    fn patterns_overlap_when_some_text_is_of_both() {
        for (one, two, overlap) in [
            ("[0-9]{8}", "[0-9]{9}", false),
            ("[0-9]{2}", "1[5-7]", true),
            ("[0-79][0-9]|8[04-9]", "8[1-3]", false),
            ("[A-F]{3}", "[G-Z]{3}|[0-9]{3}", false),
            ("A|B", "C|B", true),
        ] {
            assert_eq!(pattern(one).overlaps(&pattern(two)), overlap, "{one} {two}");
            assert_eq!(pattern(two).overlaps(&pattern(one)), overlap, "{two} {one}");
        }
    }

    #[test]
    fn each_flaw_is_named() {
        for (text, flaw) in [
            ("", PatternFlaw::Empty),
            ("A|", PatternFlaw::Empty),
            ("[0-9", PatternFlaw::Class),
            ("[]", PatternFlaw::Class),
            ("[9-0]", PatternFlaw::Class),
            ("[0-]", PatternFlaw::Class),
            ("[号]", PatternFlaw::Class),
            ("A{", PatternFlaw::Count),
            ("A{0}", PatternFlaw::Count),
            ("A{x}", PatternFlaw::Count),
            ("A{65}", PatternFlaw::Long),
            ("A{64}B", PatternFlaw::Long),
            (".", PatternFlaw::Character),
            ("(A)", PatternFlaw::Character),
            ("号", PatternFlaw::Character),
        ] {
            assert_eq!(Pattern::parse(text).err(), Some(flaw), "{text}");
        }
    }
}
