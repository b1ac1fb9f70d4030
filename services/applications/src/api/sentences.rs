//! Sentences that name dates, in Chinese.

use time::{Date, OffsetDateTime};

use crate::domain::calendar::SHANGHAI;
pub(super) use crate::domain::calendar::in_chinese as day;
use crate::domain::registration::{Advice, Application, Next};
use crate::domain::values::{Level, Restriction, Turn};

/// 2026年11月23日09:00, Shanghai.
pub(super) fn instant(at: OffsetDateTime) -> String {
    let at = at.to_offset(SHANGHAI);
    format!("{}{:02}:{:02}", day(at.date()), at.hour(), at.minute())
}

/// The months between two days as the rules count them, in years where they are whole ones: 5年, 54个月.
pub(super) fn period(from: Date, to: Date) -> String {
    let months = |day: Date| day.year() * 12 + i32::from(u8::from(day.month()));
    match months(to) - months(from) {
        months if months % 12 == 0 => format!("{}年", months / 12),
        months => format!("{months}个月"),
    }
}

/// Reason and sentence of a certificate that cannot be registered now (DOMAIN L21, 4.3).
pub(super) fn restricted(restriction: Restriction, until: Option<Date>) -> (&'static str, String) {
    let what = restriction.sentence();
    match restriction {
        Restriction::RecordsDisagree => (
            "RECORDS_DISAGREE",
            format!(
                "{what}：不同来源的数据对该证书的记载不一致，核实以前不能办理；请携带证书原件联系证书的发证机关核实，处理完成后再办理。"
            ),
        ),
        Restriction::Unspecified
        | Restriction::Forfeited
        | Restriction::RevokedConduct
        | Restriction::RevokedFraud
        | Restriction::ExamCheating => {
            let until =
                until.map(|until| format!("（登记的期限至{}，解除以前一直有效）", day(until))).unwrap_or_default();
            ("CERTIFICATE_RESTRICTED", format!("{what}，不能办理{until}；如有疑问，请与证书的发证机构联系。"))
        }
    }
}

/// Who is to act, as a sentence says it.
pub(super) fn turn(turn: Turn) -> &'static str {
    match turn {
        Turn::Applicant => "申请人",
        Turn::School => "学校",
        Turn::Point => "确认点",
        Turn::Review(Level::County) => "县级注册机构",
        Turn::Review(Level::City) => "市级注册机构",
        Turn::Review(Level::Province) => "省级注册机构",
        Turn::Nobody => "无",
    }
}

/// Where an application stands.
pub(super) fn state(application: &Application) -> String {
    let status = application.status().name();
    let conclusion = application.conclusion().map(|record| format!("：{}", record.conclusion.name()));
    let whose = match application.turn() {
        Turn::Nobody => String::new(),
        waited_for => format!("，由{}处理", turn(waited_for)),
    };
    format!("申报当前状态为“{status}”{}{whose}。", conclusion.unwrap_or_default())
}

/// What comes next.
pub(super) fn next(next: Next) -> String {
    match next {
        Next::Mend => "等待申请人修改申报信息并重新提交。".to_owned(),
        Next::RecordFacts => "等待学校或确认点登记注册条件，登记后由确认点现场确认。".to_owned(),
        Next::Confirm => "等待确认点现场确认。".to_owned(),
        Next::Review(level) => format!("等待{}审核。", turn(Turn::Review(level))),
        Next::Conclude(level) => format!("等待{}作出注册结论。", turn(Turn::Review(level))),
        Next::ApproveProposal => "已有提议，等待另一人批准。".to_owned(),
        Next::SettleObjection => "已登记异议，等待处理。".to_owned(),
        Next::BeginPublicity => "已有注册结论，等待公示。".to_owned(),
        Next::EndPublicity => "正在公示，期满后结束公示。".to_owned(),
        Next::PrintNote => "等待打印证书附页。".to_owned(),
        Next::Nothing => "没有待办事项。".to_owned(),
    }
}

/// What is worth knowing about a conclusion.
pub(super) fn advice(advice: &Advice) -> String {
    match *advice {
        Advice::NextApplication { earliest, advised, expiry } => format!(
            "本次注册有效期于{}届满；最早可于{}申请下次定期注册，建议自{}起及时申请。",
            day(expiry),
            day(earliest),
            day(advised)
        ),
        Advice::NewApplication { earliest } => format!("符合条件后，最早可于{}重新申请注册。", day(earliest)),
        Advice::Reconsideration { until } => {
            format!("对注册结论不服的，可自知道之日起依法申请行政复议；自结论作出之日起算至{}。", day(until))
        }
        Advice::Litigation { until } => {
            format!("对注册结论不服的，可自知道之日起依法提起行政诉讼；自结论作出之日起算至{}。", day(until))
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn a_period_is_told_in_years_where_they_are_whole_ones() {
        let told =
            |months| period(date!(2024 - 02 - 29), crate::domain::calendar::add_months(date!(2024 - 02 - 29), months));
        assert_eq!((told(60), told(36), told(54)), ("5年".to_owned(), "3年".to_owned(), "54个月".to_owned()));
    }

    #[test]
    fn instants_are_told_in_shanghai() {
        assert_eq!(instant(datetime!(2026-11-23 01:05 UTC)), "2026年11月23日09:05");
        assert_eq!(instant(datetime!(2026-11-23 16:00 UTC)), "2026年11月24日00:00");
    }
}
