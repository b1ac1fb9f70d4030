//! 密码: the rule that a new password must meet (DOMAIN 3.2).

/// 特殊符号: one of them must be in a password.
pub const SYMBOLS: &str = "#%*-_!@$&";
/// Shortest and longest, in characters.
pub const LENGTH: std::ops::RangeInclusive<usize> = 8..=64;

/// Why a password cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFlaw {
    /// Nothing was given.
    #[error("no password")]
    Empty,
    /// Too short, too long, or without a letter, a digit or one of [`SYMBOLS`].
    #[error("not as the rule asks")]
    Rule,
}

/// Judges a new password. Other characters may be in it, too: password managers stay welcome.
pub fn check(password: &str) -> Result<(), PasswordFlaw> {
    if password.is_empty() {
        return Err(PasswordFlaw::Empty);
    }
    let fits = LENGTH.contains(&password.chars().count())
        && password.contains(|c: char| c.is_ascii_alphabetic())
        && password.contains(|c: char| c.is_ascii_digit())
        && password.contains(|c| SYMBOLS.contains(c))
        && !password.contains(char::is_control);
    if fits { Ok(()) } else { Err(PasswordFlaw::Rule) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_needs_eight_characters_a_letter_a_digit_and_a_symbol() {
        for symbol in SYMBOLS.chars() {
            assert_eq!(check(&format!("abcdef1{symbol}")), Ok(()), "{symbol}");
        }
        assert_eq!(check(""), Err(PasswordFlaw::Empty));
        for password in ["abcde1#", "abcdefg#", "1234567#", "abcdefg1", "abcdef1?", "abcdef1#\n"] {
            assert_eq!(check(password), Err(PasswordFlaw::Rule), "{password}");
        }
    }

    #[test]
    fn sixty_four_characters_are_the_most() {
        let of = |length: usize| format!("a1#{}", "密".repeat(length - 3));
        assert_eq!(check(&of(64)), Ok(()));
        assert_eq!(check(&of(65)), Err(PasswordFlaw::Rule));
    }
}
