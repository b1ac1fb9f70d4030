//! 资格种类, what a certificate entitles to teach (DOMAIN 4.2).

/// Kinds in the order of the tenth digit of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 幼儿园教师资格
    Kindergarten,
    /// 小学教师资格
    Primary,
    /// 初级中学教师资格
    Junior,
    /// 高级中学教师资格
    Senior,
    /// 中等职业学校教师资格
    Vocational,
    /// 中等职业学校实习指导教师资格
    VocationalPractice,
    /// 高等学校教师资格; never registered.
    Higher,
}

impl Kind {
    /// All kinds; the place in the array is the digit less one.
    pub const ALL: [Self; 7] = [
        Self::Kindergarten,
        Self::Primary,
        Self::Junior,
        Self::Senior,
        Self::Vocational,
        Self::VocationalPractice,
        Self::Higher,
    ];

    /// The kind of a digit, 1 to 7.
    pub fn of_digit(digit: u8) -> Option<Self> {
        Self::ALL.get(usize::from(digit).checked_sub(1)?).copied()
    }

    /// Its digit.
    pub fn digit(self) -> u8 {
        match self {
            Self::Kindergarten => 1,
            Self::Primary => 2,
            Self::Junior => 3,
            Self::Senior => 4,
            Self::Vocational => 5,
            Self::VocationalPractice => 6,
            Self::Higher => 7,
        }
    }

    /// The name as registers write it; the short form without 资格 or 教师资格 is read, too.
    pub fn parse(name: &str) -> Option<Self> {
        let short = name.trim().trim_end_matches("资格").trim_end_matches("教师");
        Self::ALL.into_iter().find(|kind| kind.name().trim_end_matches("教师资格") == short)
    }

    /// The whole name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kindergarten => "幼儿园教师资格",
            Self::Primary => "小学教师资格",
            Self::Junior => "初级中学教师资格",
            Self::Senior => "高级中学教师资格",
            Self::Vocational => "中等职业学校教师资格",
            Self::VocationalPractice => "中等职业学校实习指导教师资格",
            Self::Higher => "高等学校教师资格",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_names_go_both_ways() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_digit(kind.digit()), Some(kind));
            assert_eq!(Kind::parse(kind.name()), Some(kind));
        }
        assert_eq!(Kind::parse("小学"), Some(Kind::Primary));
        assert_eq!(Kind::parse("小学教师"), Some(Kind::Primary));
        assert_eq!(Kind::parse("大学"), None);
        assert_eq!((Kind::of_digit(0), Kind::of_digit(8)), (None, None));
    }
}
