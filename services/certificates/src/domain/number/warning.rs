//! Where a number disagrees with what else is said of its certificate: never a reason to refuse (DOMAIN 4.4).

use time::Date;

use super::{Number, SexDigit};
use crate::domain::kind::Kind;

/// Provinces of GB/T 2260 by their code, with how the names of their authorities begin. 新疆生产建设兵团 has no code of its own.
const PROVINCES: [(&str, &str); 34] = [
    ("11", "北京市"),
    ("12", "天津市"),
    ("13", "河北省"),
    ("14", "山西省"),
    ("15", "内蒙古自治区"),
    ("21", "辽宁省"),
    ("22", "吉林省"),
    ("23", "黑龙江省"),
    ("31", "上海市"),
    ("32", "江苏省"),
    ("33", "浙江省"),
    ("34", "安徽省"),
    ("35", "福建省"),
    ("36", "江西省"),
    ("37", "山东省"),
    ("41", "河南省"),
    ("42", "湖北省"),
    ("43", "湖南省"),
    ("44", "广东省"),
    ("45", "广西壮族自治区"),
    ("46", "海南省"),
    ("50", "重庆市"),
    ("51", "四川省"),
    ("52", "贵州省"),
    ("53", "云南省"),
    ("54", "西藏自治区"),
    ("61", "陕西省"),
    ("62", "甘肃省"),
    ("63", "青海省"),
    ("64", "宁夏回族自治区"),
    ("65", "新疆维吾尔自治区"),
    ("71", "台湾省"),
    ("81", "香港特别行政区"),
    ("82", "澳门特别行政区"),
];

/// The name of a province.
pub fn province_name(code: &str) -> Option<&'static str> {
    PROVINCES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

/// What a number is held against.
#[derive(Clone, Copy)]
pub struct Said<'s> {
    /// 资格种类
    pub kind: Kind,
    /// 签发日期
    pub issued: Date,
    /// 发证机关, the name on the seal.
    pub agency: &'s str,
    /// 证件号码 of the holder, of whatever document.
    pub holder_number: &'s str,
}

/// What does not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Digits 1 to 4 against the date of issue.
    Year,
    /// No province has the digits 5 and 6.
    UnknownProvince,
    /// Digits 5 and 6 against an agency whose name begins with its province.
    Province,
    /// Digit 10 against the kind.
    Kind,
    /// Digit 11 is none of 0 to 2.
    UnknownSex,
    /// Digit 11 against the holder's 居民身份证, from 2009 on.
    Sex,
}

impl Warning {
    /// All of them, in the order of the digits.
    pub const ALL: [Self; 6] =
        [Self::Year, Self::UnknownProvince, Self::Province, Self::Kind, Self::UnknownSex, Self::Sex];

    /// Stable.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Year => "NUMBER_YEAR_DIFFERS",
            Self::UnknownProvince => "NUMBER_PROVINCE_UNKNOWN",
            Self::Province => "NUMBER_PROVINCE_DIFFERS",
            Self::Kind => "NUMBER_KIND_DIFFERS",
            Self::UnknownSex => "NUMBER_SEX_UNKNOWN",
            Self::Sex => "NUMBER_SEX_DIFFERS",
        }
    }

    /// For a person.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Year => "证书号码中的年份与签发日期不一致，请核对。",
            Self::UnknownProvince => "证书号码第5至6位不是已知的省份代码，请核对。",
            Self::Province => "证书号码第5至6位的省份与发证机关不一致，请核对。",
            Self::Kind => "证书号码第10位与资格种类不一致，请核对。",
            Self::UnknownSex => "证书号码第11位应为0、1或2，请核对。",
            Self::Sex => "证书号码第11位的性别与身份证件不一致，请核对。",
        }
    }
}

impl Number {
    /// Everything about it that does not fit, in the order of its digits.
    pub fn warnings(&self, said: &Said<'_>) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |wrong: bool, warning| warnings.extend(wrong.then_some(warning));
        warn(self.year() != said.issued.year(), Warning::Year);
        let Some(parts) = self.parts() else { return warnings };
        warn(province_name(parts.province).is_none(), Warning::UnknownProvince);
        let agencys = PROVINCES.iter().find(|(_, name)| said.agency.trim().starts_with(name));
        warn(agencys.is_some_and(|(code, _)| *code != parts.province), Warning::Province);
        warn(parts.kind != Some(said.kind), Warning::Kind);
        warn(parts.sex == SexDigit::Unknown, Warning::UnknownSex);
        let is_male = is_male(said.holder_number);
        let differs = match parts.sex {
            SexDigit::Male => is_male == Some(false),
            SexDigit::Female => is_male == Some(true),
            SexDigit::Unsaid | SexDigit::Unknown => false,
        };
        warn(differs, Warning::Sex);
        warnings
    }
}

/// What the seventeenth character of 18 says, for the documents that are built like 居民身份证; other documents say nothing.
fn is_male(holder_number: &str) -> Option<bool> {
    let (digits, check) = holder_number.trim().as_bytes().split_at_checked(17)?;
    let is_whole = matches!(check, [b'0'..=b'9' | b'X' | b'x']) && digits.iter().all(u8::is_ascii_digit);
    is_whole.then(|| digits[16] % 2 == 1)
}
