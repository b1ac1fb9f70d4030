//! From the service's error to the status that its caller reads: one reason, one sentence, what to do.

use std::time::Duration;

use eventbus::BusHandle;
use eventlog::AppendError;
use prost::Message;
use rpc::Refusal;
use time::Date;
use tonic::{Code, Response, Status};
use workbook::Flaw;

use super::sentences::{day, instant, period, restricted, turn};
use crate::domain::calendar::render_date;
use crate::domain::registration::Rejection;
use crate::error::Error;
use crate::sheet::Unusable;
use crate::store::Corrupt;

/// The answer to a command, as it was kept.
pub(super) fn answer<M: Message + Default>(done: Result<Vec<u8>, Error>) -> Result<Response<M>, Status> {
    let message = M::decode(done?.as_slice()).map_err(|_| Error::Corrupt(Corrupt { kind: "answer".to_owned() }))?;
    Ok(Response::new(message))
}

/// Waits a little until a view has come to a position; 0 for none in particular.
pub(super) async fn reached(bus: &BusHandle, view: &str, position: i64) -> Result<(), Refusal> {
    if position <= 0 {
        return Ok(());
    }
    bus.wait_for(view, position).await.map_err(|_| {
        let sentence = "刚提交的内容正在更新到列表，请稍后再查询。";
        Refusal::new(Code::Unavailable, "VIEW_BEHIND", sentence).retry_after(Duration::from_millis(500))
    })
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let refusal = match error {
            Error::Invalid(violations) => Refusal::invalid(violations),
            Error::NotFound { kind } => Refusal::not_found(kind, ""),
            Error::Rejected(rejection) => rejected(&rejection),
            Error::RevisionConflict { actual } => {
                Refusal::rejected("REVISION_CONFLICT", "草稿已在别处修改，请重新打开草稿，核对后再保存或提交。")
                    .with("revision", actual.to_string())
            }
            Error::NoGrace => Refusal::rejected("NO_GRACE", "本次网报没有延时提交的安排，请在网报截止前提交。"),
            Error::WrongEntry => Refusal::rejected(
                "WRONG_ENTRY",
                "您登录的不是教师资格定期注册入口，请返回首页，从“教师资格定期注册申请人网报入口”登录，不必重新注册账号。",
            ),
            Error::ProfileIncomplete => {
                Refusal::rejected("PROFILE_INCOMPLETE", "请先在个人信息中心完善个人身份信息，再办理报名。")
            }
            Error::RequestIdReused => {
                Refusal::rejected("REQUEST_ID_REUSED", "该请求编号已用于另一请求，请更换请求编号后重试。")
            }
            Error::Conflict => Refusal::conflict(),
            Error::Overloaded { retry_after } => Refusal::overloaded(retry_after),
            Error::Unavailable { dependency } => Refusal::unavailable(dependency),
            Error::NotReady => Refusal::new(
                Code::Unavailable,
                "REFERENCE_NOT_READY",
                "系统正在同步数据，请稍后再试，已填写的内容不会丢失。",
            )
            .retry_after(Duration::from_secs(2)),
            Error::TooManyGroups => {
                Refusal::rejected("TOO_MANY_GROUPS", "统计的分组过多，请缩小查询范围或减少分组项后再统计。")
            }
            Error::ResumeLost => {
                Refusal::rejected("RESUME_LOST", "续查位置已失效（间隔过久或数据已恢复），请重新查询。")
            }
            Error::WatchTooSlow => {
                Refusal::new(Code::Aborted, "WATCH_TOO_SLOW", "接收过慢，本次实时查询已中断，请从中断处继续。")
                    .retry_after(Duration::ZERO)
            }
            Error::NumbersExhausted => Refusal::new(
                Code::ResourceExhausted,
                "NUMBERS_EXHAUSTED",
                "该注册机构本年度的报名号已用完，请与该机构联系。",
            ),
            Error::Append(AppendError::TooLarge { .. }) => {
                Refusal::new(Code::InvalidArgument, "TOO_LARGE", "提交的内容过长，请精简后再提交。")
            }
            error if eventlog::is_away(&error) => {
                log(&error);
                Refusal::unavailable("database")
            }
            Error::File(unusable) => unusable_file(&unusable),
            Error::Storage(_)
            | Error::Sheet(_)
            | Error::Vault(_)
            | Error::Corrupt(_)
            | Error::Read(_)
            | Error::Append(_)
            | Error::Directory(_) => {
                log(&error);
                Refusal::internal(rpc::request_id())
            }
        };
        refusal.into()
    }
}

/// Nothing was recorded: the whole file is read before anything is done.
fn unusable_file(unusable: &Unusable) -> Refusal {
    let (reason, sentence) = match unusable {
        Unusable::UploadBroken => ("UPLOAD_BROKEN", "文件未完整上传，未处理任何一行，请重新上传。".to_owned()),
        Unusable::Workbook(Flaw::Encrypted) => (
            "WORKBOOK_ENCRYPTED",
            "工作簿设有密码或为旧版格式（xls），无法读取，请去掉密码并另存为 xlsx 或 CSV 后重试。".to_owned(),
        ),
        Unusable::Workbook(Flaw::Malformed) => {
            ("WORKBOOK_MALFORMED", "工作簿已损坏或不是 xlsx 文件，请另存为 xlsx 或 CSV 后重试。".to_owned())
        }
        Unusable::Workbook(Flaw::TooLarge) => {
            ("WORKBOOK_TOO_LARGE", "工作簿过大，读取所需的内存或时间超过限制，请另存为 CSV 后重试。".to_owned())
        }
        Unusable::Workbook(Flaw::NoReader) => return Refusal::unavailable("workbook reader"),
        Unusable::QuoteNotClosed { line } => {
            ("QUOTE_NOT_CLOSED", format!("第{line}行的引号没有闭合，未处理任何一行，请补上或删去引号后重新上传。"))
        }
        Unusable::NotText => {
            ("NOT_TEXT", "文件不是 UTF-8 或 GB18030 编码的 CSV，也不是 xlsx 工作簿，请另存后重试。".to_owned())
        }
        Unusable::ColumnMissing(name) => ("COLUMN_MISSING", format!("文件缺少“{name}”一列，请按模板补齐表头后重试。")),
        Unusable::ColumnUnknown(place) => {
            ("COLUMN_UNKNOWN", format!("第{place}列的表头无法识别，请对照模板修改，或删去该列后重试。"))
        }
        Unusable::ColumnTwice(place) => ("COLUMN_TWICE", format!("第{place}列的表头重复出现，请删去重复的列后重试。")),
        Unusable::NoRows => ("NO_ROWS", "文件中没有数据行，请填写后重新上传。".to_owned()),
        Unusable::TooManyRows => ("TOO_MANY_ROWS", "文件超过1000行，请拆分后分别上传。".to_owned()),
    };
    Refusal::rejected(reason, sentence)
}

/// Once, here, with all its causes.
fn log(error: &Error) {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let causes = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    tracing::error!(%error, causes, "a call failed");
}

/// The refusal of a command.
pub(super) fn rejected(rejection: &Rejection) -> Refusal {
    match rejection {
        Rejection::NotFound => Refusal::not_found("application", ""),
        Rejection::PledgeRefused => Refusal::rejected(
            "PLEDGE_REFUSED",
            "您未同意个人承诺书，本次填写的内容不予提交；尚未提交的草稿已清除，已提交的申报保持不变。",
        ),
        Rejection::AgreementMissing => {
            Refusal::rejected("AGREEMENT_MISSING", "请先阅读并同意网上申报协议，再提交申报。")
        }
        Rejection::TextChanged { text } => {
            Refusal::rejected("TEXT_CHANGED", "协议或承诺书已更新，请重新阅读当前文本后再提交。").with("text", *text)
        }
        Rejection::AlreadyApplied { number } => {
            Refusal::rejected("ALREADY_APPLIED", "您已经填写了申报信息，请直接登录查看或修改申报信息。")
                .with("enrolment_number", number.to_string())
        }
        Rejection::RegisteredRecently { on, earliest, expiry } => dated(
            "REGISTERED_RECENTLY",
            format!(
                "该证书已于{}注册，{}内无需再注册，最早可于{}申请。",
                day(*on),
                period(*on, *expiry),
                day(*earliest)
            ),
            *on,
            *earliest,
        ),
        Rejection::RevokedRecently { on, earliest } => dated(
            "REVOKED_RECENTLY",
            // A whole number of years, as the rule set has it.
            format!(
                "该证书于{}已被撤销注册，{}年内不能再注册，最早可于{}申请。",
                day(*on),
                earliest.year() - on.year(),
                day(*earliest)
            ),
            *on,
            *earliest,
        ),
        Rejection::FailedRecently { on, earliest } => dated(
            "FAILED_RECENTLY",
            format!("该证书于{}注册不合格，最早可于{}重新申请。", day(*on), day(*earliest)),
            *on,
            *earliest,
        ),
        Rejection::CertificateRestricted(restriction, until) => {
            let (reason, sentence) = restricted(*restriction, *until);
            Refusal::rejected(reason, sentence)
        }
        Rejection::NumberMistyped => Refusal::rejected(
            "NUMBER_MISTYPED",
            "经核实该申报的证书号码有误，已并入号码正确的证书，不能继续办理；尚无注册结论的，请退回并由申请人撤回，选择号码正确的证书重新申报。",
        ),
        Rejection::CertificateNotRegistrable => {
            Refusal::rejected("CERTIFICATE_NOT_REGISTRABLE", "高等学校教师资格不参加定期注册，请选择其他证书。")
        }
        Rejection::CertificateUnknown => Refusal::rejected(
            "CERTIFICATE_UNKNOWN",
            "没有查到您名下的这本证书，请在个人信息中心核对证书信息，或与发证机构确认。",
        ),
        Rejection::NotTheHolder => Refusal::rejected(
            "CERTIFICATE_UNKNOWN",
            "该证书目前不在申请人名下（已被删除、解除匹配或匹配到他人），不能确认、审核通过或作出合格结论；请退回，由申请人在个人信息中心核对证书信息，或与发证机构确认后再办理。",
        ),
        Rejection::NotOpen(closed) => Refusal::rejected(closed.reason(), closed.sentence()),
        Rejection::NobodyReviews => {
            Refusal::rejected("NOBODY_REVIEWS", "所选机构没有审核层级，不能受理申报，请重新选择注册机构。")
        }
        Rejection::WrongState { status } => Refusal::rejected(
            "WRONG_STATE",
            format!("申报当前状态为“{}”，不能进行此操作，请刷新后查看。", status.name()),
        )
        .with("status", crate::wire::status(*status).as_str_name()),
        Rejection::ConfirmationNotBegun { begin } => {
            Refusal::rejected("CONFIRMATION_NOT_BEGUN", format!("现场确认将于{}开始，请届时办理。", instant(*begin)))
        }
        Rejection::ConfirmationEnded { end } => Refusal::rejected(
            "CONFIRMATION_ENDED",
            format!(
                "该确认点的现场确认已于{}结束，不能再办理，请与注册机构联系；被退回或确认不通过的申报，申请人仍可撤回。",
                instant(*end)
            ),
        ),
        Rejection::ConfirmationRefused => {
            Refusal::rejected("CONFIRMATION_REFUSED", "该申报确认不通过，须由申请人修改并重新提交后再确认。")
        }
        Rejection::FormChanged => {
            Refusal::rejected("FORM_CHANGED", "申请人已修改申报信息，请重新打开申报，核对新的内容后再确认。")
        }
        Rejection::FactsChanged => {
            Refusal::rejected("FACTS_CHANGED", "他人已登记新的注册条件，请重新打开申报，与新登记的内容核对后再保存。")
        }
        Rejection::FactsMissing(missing) => {
            let missing = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("、");
            Refusal::rejected("FACTS_MISSING", format!("尚未登记：{missing}。请登记后再确认。"))
        }
        Rejection::TooLate => Refusal::rejected("TOO_LATE", "第一级注册机构已经审核，不能再退回，请与该机构联系。"),
        Rejection::NotYourTurn { turn: whose } => {
            Refusal::rejected("NOT_YOUR_TURN", format!("目前由{}处理，请等待其处理完毕。", turn(*whose)))
        }
        Rejection::LastLevel => Refusal::rejected("LAST_LEVEL", "本级为最后一级审核，请直接作出注册结论。"),
        Rejection::NotLastLevel => Refusal::rejected("NOT_LAST_LEVEL", "只有最后一级审核机构可以进行此操作。"),
        Rejection::ReasonRequired => {
            Refusal::rejected("REASON_REQUIRED", "所选结论与规则计算的结果不一致，请填写书面理由。")
        }
        Rejection::AlreadySo => Refusal::rejected("ALREADY_SO", "该事项已经登记，无需重复登记。"),
        Rejection::PublicityTooShort { at_least } => Refusal::rejected(
            "PUBLICITY_TOO_SHORT",
            format!("按本省规定，公示截止日期不能早于{}，请重新填写。", day(*at_least)),
        )
        .with("date", render_date(*at_least)),
        Rejection::PublicityNotOver { until: Some(until) } => {
            Refusal::rejected("PUBLICITY_NOT_OVER", format!("公示期至{}止，期满并结束公示后方可办理。", day(*until)))
                .with("date", render_date(*until))
        }
        Rejection::PublicityNotOver { until: None } => {
            Refusal::rejected("PUBLICITY_NOT_OVER", "公示尚未结束，结束公示后方可办理。")
        }
        Rejection::ObjectionOpen => {
            Refusal::rejected("OBJECTION_OPEN", "有异议尚未处理完毕，请先处理异议，再结束公示或打印附页。")
        }
        Rejection::LaterApplication { number } => {
            Refusal::rejected("LATER_APPLICATION", "该证书已有更新的申报，不能更改此前的注册结论。")
                .with("enrolment_number", number.to_string())
        }
        Rejection::OtherProposal => {
            Refusal::rejected("OTHER_PROPOSAL", "待批准的提议已变更，请重新查看提议的内容后再批准。")
        }
        Rejection::NoProposal => Refusal::rejected("NO_PROPOSAL", "没有待批准的提议，请先由一人提议。"),
        Rejection::SecondPersonNeeded => {
            Refusal::rejected("SECOND_PERSON_NEEDED", "提议人不能批准自己的提议，请由另一人批准。")
        }
    }
}

fn dated(reason: &'static str, sentence: String, on: Date, earliest: Date) -> Refusal {
    Refusal::rejected(reason, sentence).with("date", render_date(on)).with("earliest_date", render_date(earliest))
}
