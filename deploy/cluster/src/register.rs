//! The synthetic register: teachers of Xuzhou who do not exist, under an unassigned county code so that no number is anybody's.

use std::io::Write;

use time::{Date, Duration, Month};

use crate::Result;
use crate::failure::Doing as _;

/// 320399 is assigned to no county: a number under it belongs to nobody.
const COUNTY: &str = "320399";
/// Weights of GB 11643.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// Header of the register's file, as `certificates.Sync/ImportRegister` reads it.
const HEADER: [&str; 10] = [
    "证件号码",
    "姓名",
    "证书号码",
    "资格种类",
    "任教学科",
    "认定机构",
    "签发日期",
    "注册次数",
    "注册结论",
    "注册日期",
];
/// Kinds by the tenth digit of a number, with the subjects that teachers of the kind have here.
const KINDS: [(u32, &str, [&str; 3]); 4] = [
    (1, "幼儿园教师资格", ["无", "无", "无"]),
    (2, "小学教师资格", ["语文", "数学", "英语"]),
    (3, "初级中学教师资格", ["语文", "物理", "地理"]),
    (4, "高级中学教师资格", ["数学", "化学", "历史"]),
];
/// Months after the last 注册合格 at which half of the teachers stand: past the 54 that the interval asks for.
const DUE_DAYS: i64 = 58 * 30 + 29;

/// A teacher of the synthetic register; the same index is always the same teacher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Teacher {
    index: u32,
}

impl Teacher {
    /// The teacher number `index`, below 1,000,000.
    pub fn new(index: u32) -> Self {
        assert!(index < 1_000_000, "the register has a million teachers at most");
        Self { index }
    }

    /// 证件号码 with a right check digit.
    pub fn number(self) -> String {
        // 25 years of birth days, 999 people a day.
        let born = Date::from_calendar_date(1968, Month::January, 1).expect("a date")
            + Duration::days(i64::from(self.index / 999 * 7 % 9_000));
        let sequence = self.index % 999 + 1;
        let digits = format!("{COUNTY}{:04}{:02}{:02}{sequence:03}", born.year(), u8::from(born.month()), born.day());
        let sum: u32 = digits.bytes().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        let check = b"10X98765432"[(sum % 11) as usize] as char;
        format!("{digits}{check}")
    }

    /// 姓名: says that it is an example.
    pub fn name(self) -> String {
        const DIGITS: [char; 10] = ['零', '一', '二', '三', '四', '五', '六', '七', '八', '九'];
        let digits = format!("{:05}", self.index);
        std::iter::once('示')
            .chain(['例'])
            .chain(digits.bytes().map(|digit| DIGITS[usize::from(digit - b'0')]))
            .collect()
    }

    /// 手机, under a prefix that no operator uses.
    pub fn phone(self) -> String {
        format!("100{:08}", self.index)
    }

    /// 证书号码: year, province, agency, kind, sex, running number.
    pub fn certificate_number(self) -> String {
        let (kind, ..) = self.kind();
        // 1 for men, as the document number has it.
        let sex = self.index % 999 % 2 + 1;
        format!("{}32003{kind}{sex}{:06}", self.issued().year(), self.index)
    }

    /// Stage that the certificate is for: the number of `dingzhu.types.v1.Stage` is the same as the kind's.
    pub fn stage(self) -> i32 {
        self.kind().0.cast_signed()
    }

    /// Subject taught.
    pub fn subject(self) -> &'static str {
        let (_, _, subjects) = self.kind();
        subjects[(self.index / 8 % 3) as usize]
    }

    /// Whether the register holds an earlier registration: every second one has been registered once and is due again.
    pub fn registered_before(self) -> bool {
        self.index % 2 == 1
    }

    fn kind(self) -> (u32, &'static str, [&'static str; 3]) {
        KINDS[(self.index / 2 % 4) as usize]
    }

    fn issued(self) -> Date {
        Date::from_calendar_date(2008 + (self.index % 12).cast_signed(), Month::June, 15).expect("a date")
    }
}

/// Writes the register of the first `count` teachers as a CSV file, with prior registrations as they stand on `today`.
pub fn write(to: impl Write, count: u32, today: Date) -> Result<()> {
    let mut file = csv::Writer::from_writer(to);
    let failed = || "write the register".to_owned();
    file.write_record(HEADER).doing(failed)?;
    for teacher in (0..count).map(Teacher::new) {
        let (_, kind, _) = teacher.kind();
        let (ordinal, conclusion, concluded) = if teacher.registered_before() {
            ("1", "注册合格", (today - Duration::days(DUE_DAYS)).to_string())
        } else {
            ("", "", String::new())
        };
        file.write_record([
            &teacher.number(),
            &teacher.name(),
            &teacher.certificate_number(),
            kind,
            teacher.subject(),
            "徐州市教育局",
            &teacher.issued().to_string(),
            ordinal,
            conclusion,
            &concluded,
        ])
        .doing(failed)?;
    }
    file.flush().doing(failed)
}

/// Number and name of the first `count` teachers as CSV: what identity's check of real names reads in place of a provider.
pub fn names(count: u32) -> String {
    let lines = (0..count).map(Teacher::new).map(|teacher| format!("{},{}\n", teacher.number(), teacher.name()));
    std::iter::once("number,name\n".to_owned()).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_names_are_those_of_the_register() {
        let first = Teacher::new(0);
        assert_eq!(names(2).lines().nth(1), Some(format!("{},{}", first.number(), first.name()).as_str()));
        assert_eq!(names(2).lines().count(), 3);
    }

    #[test]
    fn numbers_names_phones_and_certificates_are_all_different() {
        let teachers: Vec<Teacher> = (0..20_000).map(Teacher::new).collect();
        let different =
            |of: fn(Teacher) -> String| teachers.iter().map(|teacher| of(*teacher)).collect::<HashSet<_>>().len();
        assert_eq!(different(Teacher::number), 20_000);
        assert_eq!(different(Teacher::name), 20_000);
        assert_eq!(different(Teacher::phone), 20_000);
        assert_eq!(different(Teacher::certificate_number), 20_000);
    }

    #[test]
    fn numbers_have_the_shape_of_their_standards() {
        let teacher = Teacher::new(7);
        assert!(teacher.number().starts_with("320399") && teacher.number().len() == 18);
        assert_eq!(teacher.certificate_number().len(), 17);
        assert_eq!(teacher.phone().len(), 11);
    }

    #[test]
    fn the_file_has_a_row_for_each_teacher_and_one_header() {
        let mut file = Vec::new();
        write(&mut file, 10, Date::from_calendar_date(2026, Month::November, 1).unwrap()).unwrap();
        let text = String::from_utf8(file).unwrap();
        assert_eq!(text.lines().count(), 11);
        assert_eq!(text.lines().filter(|line| line.contains("注册合格")).count(), 5);
    }
}
