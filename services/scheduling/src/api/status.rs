//! Errors as callers see them: a stable reason, a sentence in Chinese, what to do.

use std::time::Duration;

use eventbus::NotReady;
use rpc::Refusal;
use tonic::{Code, Status};

use super::slot_refusals::{of_booking, of_capacity};
use crate::domain::shanghai::{render, render_day};
use crate::domain::{agency, graduate_school, plan, point, school, subject};
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
        Error::Subject(rejection) => of_subject(&rejection),
        Error::GraduateSchool(rejection) => match rejection {
            graduate_school::Rejection::SchoolExists => school_exists(),
            graduate_school::Rejection::TooManySchools => {
                Refusal::rejected("TOO_MANY_SCHOOLS", "您新增的学校已达上限，请从列表中选择毕业学校。")
            }
        },
        Error::Plan(rejection) => of_plan(rejection),
        Error::Capacity(rejection) => of_capacity(&rejection),
        Error::Booking(rejection) => of_booking(&rejection),
        Error::UploadBroken => Refusal::rejected("UPLOAD_BROKEN", "文件没有完整上传，请用同一文件重新导入。"),
        Error::QuoteNotClosed { line } => Refusal::rejected(
            "QUOTE_NOT_CLOSED",
            format!("从第{line}行开始的引号没有成对，其后的内容无法读取，请改正后重新导入。"),
        ),
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
        agency::Rejection::UnknownAgency => unknown_agency(),
        agency::Rejection::AgencyAbolished { name, on } => {
            let on = render_day(*on);
            Refusal::rejected("AGENCY_ABOLISHED", format!("{name}自{on}起撤销，请选择承接其职责的注册机构。"))
        }
        agency::Rejection::SucceedsItself => {
            Refusal::rejected("SUCCEEDS_ITSELF", "承接机构不能是被撤销的机构本身，请另选承接机构或不填。")
        }
        agency::Rejection::HasOthersBelow => {
            Refusal::rejected("AGENCIES_BELOW", "该机构届时仍有下级注册机构，请先撤销其下级注册机构。")
        }
        agency::Rejection::WindowNotOver { window } => {
            let (begin, end, over) = (render(window.begin), render(window.end), render(window.end_with_grace()));
            Refusal::rejected(
                "WINDOW_NOT_OVER",
                format!(
                    "该机构的网报时间段（{begin} 至 {end}）届时尚未结束，{over}以后才能撤销；如需提前，请先撤回或提前截止该时间段。"
                ),
            )
        }
        agency::Rejection::TooManyNames => {
            Refusal::rejected("TOO_MANY_NAMES", "该机构的名称变更次数已达上限，请更正已有的变更。")
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
        point::Rejection::UnknownSchool => unknown_school(),
        point::Rejection::SchoolOfAnotherAgency => Refusal::rejected(
            "SCHOOL_OF_ANOTHER_AGENCY",
            "该学校隶属于其他注册机构，请由其隶属的注册机构将其设为确认点。",
        ),
        point::Rejection::SchoolClosed => school_closed(),
        point::Rejection::UnknownPoint => unknown_point(),
        point::Rejection::PointAbolished => {
            Refusal::rejected("POINT_ABOLISHED", "该确认点已经撤销，请选择其他确认点。")
        }
    }
}

fn unknown_point() -> Refusal {
    Refusal::rejected("UNKNOWN_POINT", "没有找到该确认点，请重新选择确认点。")
}

fn unknown_school() -> Refusal {
    Refusal::rejected("UNKNOWN_SCHOOL", "没有找到该学校，请重新选择学校。")
}

fn school_exists() -> Refusal {
    Refusal::rejected("SCHOOL_EXISTS", "学校名称已经存在!")
}

fn school_closed() -> Refusal {
    Refusal::rejected("SCHOOL_CLOSED", "该学校已经撤销或停办，请重新选择学校。")
}

fn of_school(rejection: &school::Rejection) -> Refusal {
    match rejection {
        school::Rejection::SchoolExists => school_exists(),
        school::Rejection::UnknownAgency => unknown_agency(),
        school::Rejection::AgencyElsewhere => {
            Refusal::rejected("AGENCY_ELSEWHERE", "该注册机构不管辖学校所在区县，请选择学校隶属的注册机构。")
        }
        school::Rejection::UnknownSchool => unknown_school(),
        school::Rejection::SchoolClosed => school_closed(),
    }
}

fn of_subject(rejection: &subject::Rejection) -> Refusal {
    match rejection {
        subject::Rejection::SubjectExists => Refusal::rejected("SUBJECT_EXISTS", "该学段已有这一学科，不能重复添加。"),
        subject::Rejection::UnknownSubject => {
            Refusal::rejected("UNKNOWN_SUBJECT", "该学段没有这一学科，请先添加后再启用或停用。")
        }
        subject::Rejection::TooManySubjects => {
            Refusal::rejected("TOO_MANY_SUBJECTS", "本省新增的学科已达上限，请启用已停用的学科。")
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
        R::WindowNotOver { window } => {
            let (begin, end, over) = (render(window.begin), render(window.end), render(window.end_with_grace()));
            Refusal::rejected(
                "WINDOW_NOT_OVER",
                format!(
                    "网报时间段（{begin} 至 {end}）正在进行、尚在宽限期内或将在10分钟内开始，{over}以后才能操作；\
                     如需提前，请先提前截止该时间段。"
                ),
            )
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
        R::UnknownPoint => unknown_point(),
    }
}
