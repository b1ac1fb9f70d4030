//! Texts in words: 批次, 确认范围, 服务范围, 注意事项.

/// Characters of the longest 服务范围 and 确认范围.
pub const LONGEST_RANGE: usize = 500;

/// Whether a text in several lines is plain: without control characters but the ends of its lines.
pub fn is_plain(text: &str) -> bool {
    !text.contains(|character: char| character.is_control() && !matches!(character, '\r' | '\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_has_lines_and_no_other_control_characters() {
        assert!(is_plain("市直属学校，\r\n幼儿园\n") && is_plain(""));
        for wrong in ["\0", "本校\u{0}教师", "本校\t教师", "\u{7}", "\u{85}"] {
            assert!(!is_plain(wrong), "{wrong:?}");
        }
    }
}
