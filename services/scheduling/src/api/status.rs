//! Errors as callers see them: a stable reason, a sentence in Chinese, what to do.

use std::time::Duration;

use eventbus::NotReady;
use rpc::Refusal;
use tonic::{Code, Status};

use super::slot_refusals::{of_booking, of_capacity};
use crate::domain::shanghai::render;
use crate::domain::{agency, plan, point, school};
use crate::error::Error;

impl From<NotReady> for Error {
    fn from(_: NotReady) -> Self {
        Self::NotReady
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        refusal(error).into()
    }
}

fn refusal(error: Error) -> Refusal {
    match error {
        Error::NotFound { kind, name } => Refusal::not_found(kind, &name),
        Error::Agency(rejection) => of_agency(&rejection),
        Error::Point(rejection) => of_point(&rejection),
        Error::School(rejection) => of_school(&rejection),
        Error::Plan(rejection) => of_plan(rejection),
        Error::Capacity(rejection) => of_capacity(&rejection),
        Error::Booking(rejection) => of_booking(&rejection),
        Error::RequestIdReused => {
            Refusal::rejected("REQUEST_ID_REUSED", "该请求编号已用于内容不同的另一请求，请使用新的请求编号重新提交。")
        }
        Error::Conflict => Refusal::conflict(),
        Error::Overloaded { retry_after } => Refusal::overloaded(retry_after),
        Error::Unavailable => Refusal::unavailable("database"),
        error if eventlog::is_away(&error) => {
            tracing::warn!(%error, "the database does not answer");
            Refusal::unavailable("database")
        }
        Error::NotReady => {
            Refusal::new(Code::Unavailable, "REFERENCE_NOT_READY", "系统正在加载机构和计划信息，请稍后再试。")
                .retry_after(Duration::from_secs(1))
        }
        error @ (Error::Corrupt { .. } | Error::Read(_) | Error::Append(_) | Error::View(_)) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, cause, "the call failed");
            Refusal::internal(rpc::request_id())
        }
    }
}

fn of_agency(rejection: &agency::Rejection) -> Refusal {
    match rejection {
        agency::Rejection::AgencyExists => Refusal::rejected("AGENCY_EXISTS", "该行政区划已有注册机构，不能重复添加。"),
        agency::Rejection::NoAuthorityHere => {
            Refusal::rejected("UNKNOWN_DIVISION", "该行政区划不单独设立注册机构，请选择其上级或下级行政区划。")
        }
    }
}

fn unknown_agency() -> Refusal {
    Refusal::rejected("UNKNOWN_AGENCY", "没有找到该注册机构，请重新选择注册机构。")
}

fn of_point(rejection: &point::Rejection) -> Refusal {
    match rejection {
        point::Rejection::PointExists => Refusal::rejected("POINT_EXISTS", "该机构已有同名确认点，请更换名称。"),
        point::Rejection::UnknownAgency => unknown_agency(),
        point::Rejection::UnknownSchool => Refusal::rejected("UNKNOWN_SCHOOL", "没有找到该学校，请重新选择学校。"),
        point::Rejection::SchoolOfAnotherAgency => Refusal::rejected(
            "SCHOOL_OF_ANOTHER_AGENCY",
            "该学校隶属于其他注册机构，请由其隶属的注册机构将其设为确认点。",
        ),
    }
}

fn of_school(rejection: &school::Rejection) -> Refusal {
    match rejection {
        school::Rejection::SchoolExists => Refusal::rejected("SCHOOL_EXISTS", "学校名称已经存在!"),
        school::Rejection::UnknownAgency => unknown_agency(),
        school::Rejection::AgencyElsewhere => {
            Refusal::rejected("AGENCY_ELSEWHERE", "该注册机构不管辖学校所在区县，请选择学校隶属的注册机构。")
        }
    }
}

fn of_plan(rejection: plan::Rejection) -> Refusal {
    use plan::Rejection as R;
    match rejection {
        R::UnknownPlan => Refusal::rejected("UNKNOWN_PLAN", "没有找到该注册计划，请核对后再试。"),
        R::PlanExists => Refusal::rejected("PLAN_EXISTS", "本省已有尚未结束的注册计划，请先结束该计划再发布新计划。"),
        R::PlanFinished => Refusal::rejected("PLAN_FINISHED", "该注册计划已经结束，不能再修改。"),
        R::UnknownAgency => unknown_agency(),
        R::AgencyNotJoined => Refusal::rejected("AGENCY_NOT_JOINED", "该机构未参加本次注册计划，请先将其设为参加。"),
        R::WindowsOverlap { with } => {
            let (begin, end) = (render(with.begin), render(with.end));
            Refusal::rejected(
                "WINDOWS_OVERLAP",
                format!("与该机构已有的网报时间段（{begin} 至 {end}）重叠，请调整起止时间。"),
            )
        }
        R::WindowInThePast => {
            Refusal::rejected("WINDOW_IN_THE_PAST", "网报截止时间已过，请填写晚于当前时间的截止时间。")
        }
        R::UnknownWindow => Refusal::rejected("UNKNOWN_WINDOW", "该计划中没有找到该网报时间段，请核对后再试。"),
        R::NotLater { end } => {
            let end = render(end);
            Refusal::rejected(
                "NOT_LATER",
                format!("延长后的截止时间应晚于原截止时间（{end}），提前截止请使用关闭操作。"),
            )
        }
        R::NotEarlier { end } => {
            let end = render(end);
            Refusal::rejected(
                "NOT_EARLIER",
                format!("提前截止的时间应早于原截止时间（{end}），推迟截止请使用延长操作。"),
            )
        }
        R::TooEarly { earliest } => {
            let earliest = render(earliest);
            Refusal::rejected("TOO_EARLY", format!("提前截止须至少提前10分钟公布，截止时间不得早于{earliest}。"))
        }
        R::EndsBeforeBegin { begin } => {
            let begin = render(begin);
            Refusal::rejected("ENDS_BEFORE_BEGIN", format!("截止时间应晚于该时间段的开始时间（{begin}）。"))
        }
        R::WindowClosed { end } => {
            let end = render(end);
            Refusal::rejected("WINDOW_CLOSED", format!("该网报时间段已于{end}截止，如需继续网报请新开时间段。"))
        }
        R::WindowBegun { begin } => {
            let begin = render(begin);
            Refusal::rejected(
                "WINDOW_BEGUN",
                format!("该网报时间段已于{begin}开始，不能撤销，如需提前截止请使用关闭操作。"),
            )
        }
        R::UnknownPoint => Refusal::rejected("UNKNOWN_POINT", "没有找到该确认点，请重新选择确认点。"),
    }
}
