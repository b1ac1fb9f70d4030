//! Names of people and agencies: when two spellings are the same name.

/// Names are the same when they differ in white space and in the dots of transcribed names only.
pub fn is_same(one: &str, other: &str) -> bool {
    letters(one) == letters(other)
}

/// What is compared of a name.
pub fn letters(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace() && !"·•．.".contains(*c)).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_compared_by_their_letters() {
        assert!(super::is_same("示例一", " 示例 一"));
        assert!(super::is_same("示例·一", "示例•一"));
        assert!(!super::is_same("示例一", "示例二"));
    }
}
