//! Where what is said of a certificate does not fit together: its number with the rest, its agency with the directory (DOMAIN 4.4).

use std::borrow::Cow;

use time::Date;

use super::{Number, SexDigit};
use crate::domain::agency::{Agency, Issuer};
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
    /// Whom that name stands for; `None` while the directory of agencies has never been complete.
    pub issuer: Option<Issuer<'s>>,
    /// 证件号码 of the holder, of whatever document.
    pub holder_number: &'s str,
}

/// What does not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Digits 1 to 4 against the date of issue.
    Year,
    /// No province has the digits 5 and 6.
    UnknownProvince,
    /// Digits 5 and 6 against the agency's province.
    Province,
    /// Digit 10 against the kind.
    Kind,
    /// Digit 11 is none of 0 to 2.
    UnknownSex,
    /// Digit 11 against the holder's 居民身份证, from 2009 on.
    Sex,
    /// The directory never knew an agency of this name.
    UnknownAgency,
    /// The agency was called otherwise on the day of issue.
    AgencyNamedOtherwise {
        /// Day of issue.
        issued: Date,
        /// Its name then.
        then: String,
    },
    /// The agency had ended by the day of issue.
    AgencyAbolished {
        /// First day without it.
        on: Date,
        /// Who goes on with what it did.
        successor: Option<String>,
    },
}

impl Warning {
    /// Stable.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Year => "NUMBER_YEAR_DIFFERS",
            Self::UnknownProvince => "NUMBER_PROVINCE_UNKNOWN",
            Self::Province => "NUMBER_PROVINCE_DIFFERS",
            Self::Kind => "NUMBER_KIND_DIFFERS",
            Self::UnknownSex => "NUMBER_SEX_UNKNOWN",
            Self::Sex => "NUMBER_SEX_DIFFERS",
            Self::UnknownAgency => "AGENCY_UNKNOWN",
            Self::AgencyNamedOtherwise { .. } => "AGENCY_NAMED_OTHERWISE",
            Self::AgencyAbolished { .. } => "AGENCY_ABOLISHED",
        }
    }

    /// For a person.
    pub fn sentence(&self) -> Cow<'static, str> {
        let sentence = match self {
            Self::Year => "证书号码中的年份与签发日期不一致，请核对。",
            Self::UnknownProvince => "证书号码第5至6位不是已知的省份代码，请核对。",
            Self::Province => "证书号码第5至6位的省份与发证机关不一致，请核对。",
            Self::Kind => "证书号码第10位与资格种类不一致，请核对。",
            Self::UnknownSex => "证书号码第11位应为0、1或2，请核对。",
            Self::Sex => "证书号码第11位的性别与身份证件不一致，请核对。",
            Self::UnknownAgency => "机构目录中没有该名称的发证机关，请对照证书信息页右下角的盖章核对。",
            Self::AgencyNamedOtherwise { issued, then } => {
                let day = day(*issued);
                return format!("该机构在{day}时名称为“{then}”，请对照证书信息页右下角的盖章和签发日期核对。").into();
            }
            Self::AgencyAbolished { on, successor } => {
                let successor = successor.as_ref().map_or_else(String::new, |name| format!("，其工作由“{name}”承接"));
                let day = day(*on);
                return format!("该机构已于{day}撤销{successor}，请对照证书信息页右下角的盖章和签发日期核对。").into();
            }
        };
        sentence.into()
    }

    /// Whether it is about the agency; else it is about the number.
    pub fn is_of_agency(&self) -> bool {
        match self {
            Self::UnknownAgency | Self::AgencyNamedOtherwise { .. } | Self::AgencyAbolished { .. } => true,
            Self::Year | Self::UnknownProvince | Self::Province | Self::Kind | Self::UnknownSex | Self::Sex => false,
        }
    }

    /// What the directory has against an agency as the issuing one on that day.
    pub fn of_issuer(issuer: Issuer<'_>, issued: Date) -> Option<Self> {
        match issuer {
            Issuer::Known(_) | Issuer::Several => None,
            Issuer::NamedOtherwise(agency) => {
                Some(Self::AgencyNamedOtherwise { issued, then: agency.name_on(issued).to_owned() })
            }
            Issuer::Ended(_, end, successor) => {
                let successor = successor.map(|agency| agency.name_on(issued).to_owned());
                Some(Self::AgencyAbolished { on: end.on, successor })
            }
            Issuer::Unknown => Some(Self::UnknownAgency),
        }
    }
}

fn day(date: Date) -> String {
    format!("{}年{}月{}日", date.year(), u8::from(date.month()), date.day())
}

impl Number {
    /// Everything that does not fit together: first what is about the number, in the order of its digits.
    pub fn warnings(&self, said: &Said<'_>) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |wrong: bool, warning| warnings.extend(wrong.then_some(warning));
        warn(self.year() != said.issued.year(), Warning::Year);
        if let Some(parts) = self.parts() {
            warn(province_name(parts.province).is_none(), Warning::UnknownProvince);
            let agencys = said.issuer.and_then(Issuer::agency).map(Agency::province);
            let agencys = agencys.or_else(|| province_at_the_head_of(said.agency));
            warn(agencys.is_some_and(|province| province != parts.province), Warning::Province);
            warn(parts.kind != Some(said.kind), Warning::Kind);
            warn(parts.sex == SexDigit::Unknown, Warning::UnknownSex);
            let is_male = is_male(said.holder_number);
            let differs = match parts.sex {
                SexDigit::Male => is_male == Some(false),
                SexDigit::Female => is_male == Some(true),
                SexDigit::Unsaid | SexDigit::Unknown => false,
            };
            warn(differs, Warning::Sex);
        }
        warnings.extend(said.issuer.and_then(|issuer| Warning::of_issuer(issuer, said.issued)));
        warnings
    }
}

/// The province that the name of an authority begins with.
fn province_at_the_head_of(agency: &str) -> Option<&'static str> {
    PROVINCES.iter().find(|(_, name)| agency.trim().starts_with(name)).map(|(code, _)| *code)
}

/// What the seventeenth character of 18 says, for the documents that are built like 居民身份证; other documents say nothing.
fn is_male(holder_number: &str) -> Option<bool> {
    let (digits, check) = holder_number.trim().as_bytes().split_at_checked(17)?;
    let is_whole = matches!(check, [b'0'..=b'9' | b'X' | b'x']) && digits.iter().all(u8::is_ascii_digit);
    is_whole.then(|| digits[16] % 2 == 1)
}
