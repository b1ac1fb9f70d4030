//! What somebody is told who finds it closed: the messages of DOMAIN 6, word for word those of scheduling's availability.

use time::OffsetDateTime;

use super::{Closed, Windows};
use crate::domain::calendar::{SHANGHAI, in_chinese};

const NOT_STARTED: &str = "该机构目前未开展注册工作，请与该机构联系，了解其注册工作的时间安排";
const FINISHED: &str = "该机构当前注册工作已经结束";
const NO_ONLINE_FILING: &str = "该机构注册工作目前未安排网上采集信息的时间，请与该机构联系，了解其注册工作的时间安排";
const NOT_LISTED: &str = "您选择的确认点未列入该机构本次注册安排，请选择其他确认点。";

impl Closed {
    /// The stable reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoPlan => "NO_PLAN",
            Self::PlanFinished => "PLAN_FINISHED",
            Self::AgencyNotJoined => "AGENCY_NOT_JOINED",
            Self::OnlineNotOpen => "ONLINE_NOT_OPEN",
            Self::NoWindow => "NO_WINDOW",
            Self::WindowNotOpen(_) => "WINDOW_NOT_OPEN",
            Self::WindowClosed(_) => "WINDOW_CLOSED",
            Self::NoPoint { .. } => "NO_POINT",
            Self::PointNotListed | Self::PointClosed { .. } => "POINT_CLOSED",
        }
    }

    /// The sentence, with the dates.
    pub fn sentence(&self) -> String {
        match self {
            Self::NoPlan | Self::AgencyNotJoined | Self::NoWindow => NOT_STARTED.to_owned(),
            Self::PlanFinished => FINISHED.to_owned(),
            Self::OnlineNotOpen => NO_ONLINE_FILING.to_owned(),
            Self::WindowNotOpen(windows) | Self::WindowClosed(windows) => windows.sentence(),
            Self::NoPoint { agency } => format!("{agency}目前还没有安排确认点，请与该机构联系！"),
            Self::PointNotListed => NOT_LISTED.to_owned(),
            Self::PointClosed { end } => {
                format!("您选择的确认点现场确认时间已于{}截止，请选择其他确认点。", instant(*end))
            }
        }
    }
}

impl Windows {
    /// Lists the windows, each marked: to come, or over.
    fn sentence(&self) -> String {
        let marked = self.windows.iter().map(|window| {
            let mark = if self.at < window.begin { "还未到网报时间" } else { "网报时间已截止" };
            format!("{} 至 {}（{mark}）", instant(window.begin), instant(window.end))
        });
        format!("{}网报时间：{}。", self.agency, marked.collect::<Vec<_>>().join("；"))
    }
}

/// `2026年10月25日 09:00`
fn instant(at: OffsetDateTime) -> String {
    let at = at.to_offset(SHANGHAI);
    format!("{} {:02}:{:02}", in_chinese(at.date()), at.hour(), at.minute())
}
