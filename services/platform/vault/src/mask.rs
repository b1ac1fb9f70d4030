//! How personal data is shown by default: enough to recognise one's own, too little to learn another's.

/// Document number: first three and last two characters stay.
pub fn number(number: &str) -> String {
    keep(number, 3, 2)
}

/// Phone: first three and last four digits stay.
pub fn phone(phone: &str) -> String {
    keep(phone, 3, 4)
}

/// Certificate number: first four and last two digits stay.
pub fn certificate(number: &str) -> String {
    keep(number, 4, 2)
}

/// Name: all but its last character.
pub fn name(name: &str) -> String {
    let mut characters: Vec<char> = name.chars().collect();
    if let Some(last) = characters.last_mut() {
        *last = '*';
    }
    characters.into_iter().collect()
}

/// Mail address: first character and the domain stay.
pub fn email(email: &str) -> String {
    match email.split_once('@') {
        Some((local, domain)) => format!("{}***@{domain}", local.chars().next().map(String::from).unwrap_or_default()),
        None => String::new(),
    }
}

fn keep(text: &str, head: usize, tail: usize) -> String {
    let count = text.chars().count();
    if count <= head + tail {
        return "*".repeat(count);
    }
    text.chars().enumerate().map(|(i, c)| if i < head || i >= count - tail { c } else { '*' }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn masks_tell_only_what_they_should() {
        assert_eq!(super::number("320399199001010018"), "320*************18");
        assert_eq!(super::phone("13812345678"), "138****5678");
        assert_eq!(super::certificate("20203203211234567"), "2020***********67");
        assert_eq!(super::name("欧阳测试"), "欧阳测*");
        assert_eq!(super::email("teacher@school.example"), "t***@school.example");
        assert_eq!(super::email("no address"), "");
    }

    #[test]
    fn what_is_too_short_is_hidden_whole() {
        assert_eq!(super::phone("1381234"), "*******");
        assert_eq!(super::name("王"), "*");
        assert_eq!(super::name(""), "");
    }
}
