//! 姓名, 手机, 电子邮件: what people are called and where they are reached, as they were typed.

/// Characters that separate parts of a name; on keyboards and in files the first one has many look-alikes.
const MIDDLE_DOT: char = '·';
const LIKE_MIDDLE_DOT: [char; 6] = ['•', '・', '‧', '∙', '･', '．'];

/// What is wrong with a name or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContactFlaw {
    /// Nothing was given.
    #[error("nothing was given")]
    Empty,
    /// Too short, too long, or of other characters than it may have.
    #[error("not the shape it must have")]
    Shape,
}

/// 姓名: 2 to 50 letters, with the middle dot, blanks, points, hyphens and apostrophes between them.
pub fn name(text: &str) -> Result<String, ContactFlaw> {
    let name: String = text.trim().chars().map(|c| if LIKE_MIDDLE_DOT.contains(&c) { MIDDLE_DOT } else { c }).collect();
    if name.is_empty() {
        return Err(ContactFlaw::Empty);
    }
    let count = name.chars().count();
    let between = |c: char| c == MIDDLE_DOT || matches!(c, ' ' | '.' | '-' | '\'');
    let fits = (2..=50).contains(&count)
        && name.chars().all(|c| c.is_alphabetic() || between(c))
        && name.starts_with(char::is_alphabetic);
    if fits { Ok(name) } else { Err(ContactFlaw::Shape) }
}

/// Whether two names are the same, however they were typed. What is no name matches nothing.
pub fn same_name(one: &str, other: &str) -> bool {
    matches!((name(one), name(other)), (Ok(one), Ok(other)) if one == other)
}

/// 手机: 11 digits.
pub fn phone(text: &str) -> Result<String, ContactFlaw> {
    let phone = text.trim();
    match phone {
        "" => Err(ContactFlaw::Empty),
        _ if phone.len() == 11 && phone.bytes().all(|byte| byte.is_ascii_digit()) => Ok(phone.to_owned()),
        _ => Err(ContactFlaw::Shape),
    }
}

/// 电子邮件: something, @, something with a point in it; nothing that could end a header.
pub fn email(text: &str) -> Result<String, ContactFlaw> {
    let email = text.trim();
    if email.is_empty() {
        return Err(ContactFlaw::Empty);
    }
    let plain =
        email.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | ',' | ';' | '"' | '(' | ')' | '\\'));
    let parts = email.split_once('@').and_then(|(local, domain)| Some((local, domain.rsplit_once('.')?)));
    let fits = parts.is_some_and(|(local, (domain, top))| {
        !local.is_empty() && !domain.is_empty() && !top.is_empty() && !domain.contains('@') && !top.contains('@')
    });
    if plain && fits && email.len() <= 254 { Ok(email.to_owned()) } else { Err(ContactFlaw::Shape) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_kinds_are_read_in_one_form() {
        assert_eq!(name(" 张三 ").as_deref(), Ok("张三"));
        assert_eq!(name("阿依古丽•买买提").as_deref(), Ok("阿依古丽·买买提"));
        assert_eq!(name("Wong Tai-man").as_deref(), Ok("Wong Tai-man"));
        assert!(same_name("阿依古丽・买买提", "阿依古丽·买买提"));
        assert!(!same_name("张三", "张四"));
        assert!(!same_name("", ""));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert_eq!(name("  "), Err(ContactFlaw::Empty));
        let long = "张".repeat(51);
        for text in ["张", "张3", "·张三", "张\n三", long.as_str()] {
            assert_eq!(name(text), Err(ContactFlaw::Shape), "{text}");
        }
        assert!(name(&"张".repeat(50)).is_ok());
    }

    #[test]
    fn a_phone_has_eleven_half_width_digits() {
        assert_eq!(phone(" 13812345678").as_deref(), Ok("13812345678"));
        assert_eq!(phone(""), Err(ContactFlaw::Empty));
        for text in ["1381234567", "138123456789", "1381234567x", "１３８１２３４５６７８"] {
            assert_eq!(phone(text), Err(ContactFlaw::Shape), "{text}");
        }
    }

    #[test]
    fn a_mail_address_has_two_sides_and_no_tricks() {
        assert_eq!(email("teacher@school.example").as_deref(), Ok("teacher@school.example"));
        assert_eq!(email(""), Err(ContactFlaw::Empty));
        let long = format!("{}@school.example", "a".repeat(250));
        for text in
            ["teacher", "a@b", "@b.c", "a@.c", "a@b.", "a@b@c.d", "a b@c.d", "a@b.c\r\nBcc: x@y.z", "<a@b.c>", &long]
        {
            assert_eq!(email(text), Err(ContactFlaw::Shape), "{text}");
        }
    }
}
