//! Names of institutions, as they stand on a seal.

use std::fmt;

/// Characters of the longest name (现任教学校, DOMAIN 4.1 #16).
pub const LONGEST: usize = 60;

/// Two to sixty characters without space around them and without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Reads a name; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let length = text.chars().count();
        ((2..=LONGEST).contains(&length) && !text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
    }

    /// A name that was accepted when it was recorded.
    pub fn recorded(text: String) -> Self {
        Self(text)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_two_to_sixty_characters() {
        assert_eq!(Name::parse(" 徐州市第一中学 ").unwrap().as_str(), "徐州市第一中学");
        assert!(Name::parse(&"校".repeat(60)).is_some());
        for wrong in ["", " ", "校", "一\n中", &"校".repeat(61)] {
            assert!(Name::parse(wrong).is_none(), "{wrong:?}");
        }
    }
}
