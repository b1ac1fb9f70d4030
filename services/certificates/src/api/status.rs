//! From an error of the service to what its caller sees: reason, sentence, what to do next.

use rpc::Refusal;
use tonic::Status;
use workbook::Flaw;

use super::explain::{NAME_DIFFERS, match_pending};
use crate::domain::certificate::Rejection;
use crate::domain::{correction, hand_entry};
use crate::error::Error;

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("certificate", ""),
            Error::Rejected(rejection) => rejected(&rejection),
            Error::Unmatched { is_same_name } => unmatched(is_same_name),
            Error::HandEntry(refusal) => hand_entry(refusal),
            Error::Correction(rejection) => correction(rejection),
            Error::RequestIdReused => Self::rejected("REQUEST_ID_REUSED", "该请求编号已用于另一项操作，请重新发起。"),
            Error::UploadBroken => Self::rejected(
                "UPLOAD_BROKEN",
                "文件未完整上传，已读取的各行已经生效；请重新上传整个文件，已生效的行不会重复。",
            ),
            Error::QuoteNotClosed { line } => Self::rejected(
                "QUOTE_NOT_CLOSED",
                format!(
                    "第{line}行的引号没有闭合，该行及其后的内容未读取，此前各行已经生效；请补上或删去引号后重新上传整个文件，已生效的行不会重复。"
                ),
            ),
            Error::Workbook(flaw) => workbook(flaw),
            Error::NoSource => Self::rejected("NO_SOURCE", "本系统没有配置数据源，请导入文件。"),
            Error::OutsideScope => {
                Self::forbidden("OUTSIDE_SCOPE", "数据源涉及的范围超出您的管理范围，请由上级管理人员发起同步。")
            }
            Error::SyncUnderWay => Self::rejected(
                "SYNC_UNDER_WAY",
                "数据源正在以其他方式同步（试运行或从头同步与否不同），请待其结束后再发起。",
            ),
            Error::SourceFailed { reason } => source_failed(&reason),
            Error::Conflict => Self::conflict(),
            Error::Overloaded { retry_after } => Self::overloaded(retry_after),
            Error::Unavailable { dependency } => Self::unavailable(dependency),
            Error::Storage(source) if eventlog::is_away(source.as_ref()) => {
                tracing::warn!(error = source.to_string(), "the database does not answer");
                Self::unavailable("database")
            }
            Error::Storage(source) => {
                let id = lifecycle::ids::random().to_string();
                tracing::error!(error = source.to_string(), request_id = id, "cannot use what is stored");
                Self::internal(id)
            }
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        Refusal::from(error).into()
    }
}

fn workbook(flaw: Flaw) -> Refusal {
    match flaw {
        Flaw::Encrypted => Refusal::rejected(
            "WORKBOOK_ENCRYPTED",
            "工作簿设有密码或为旧版格式（xls），无法读取，请去掉密码并另存为 xlsx 或 CSV 后重试。",
        ),
        Flaw::Malformed => Refusal::rejected(
            "WORKBOOK_MALFORMED",
            "工作簿已损坏或不是 xlsx 文件，已读取的各行已经生效；请另存为 xlsx 或 CSV 后重新上传，已生效的行不会重复。",
        ),
        Flaw::TooLarge => Refusal::rejected(
            "WORKBOOK_TOO_LARGE",
            "工作簿过大，读取所需的内存或时间超过限制，已读取的各行已经生效；请另存为 CSV 后重新上传，已生效的行不会重复。",
        ),
        Flaw::NoReader => Refusal::unavailable("workbook reader"),
    }
}

/// What ended a run over a source, and what to do.
const SOURCE_FAILURES: [(&str, &str); 9] = [
    ("SOURCE_UNAVAILABLE", "数据源多次没有应答，请稍后再次发起同步，将从中断处继续。"),
    ("SOURCE_REFUSES", "数据源拒绝了请求，请核对数据源地址和访问令牌。"),
    ("SOURCE_TOO_LARGE", "数据源的应答超过允许的大小，请数据提供方核实。"),
    ("SOURCE_NOT_UTF8", "数据源的应答不是 UTF-8 编码，请数据提供方核实。"),
    ("SOURCE_MALFORMED", "数据源的应答不符合接口约定，请数据提供方核实。"),
    ("SOURCE_COUNT_WRONG", "数据源声明的条数与实际不符，该页未采用，请数据提供方核实。"),
    ("SOURCE_REPEATS", "数据源重复给出已读取的数据，该页未采用，请数据提供方核实。"),
    ("SOURCE_OUT_OF_ORDER", "数据源的数据没有按约定排序，该页未采用，请数据提供方核实。"),
    ("SOURCE_FROM_FUTURE", "数据源的变更时间晚于当前时间，该页未采用，请数据提供方核实。"),
];

fn source_failed(reason: &str) -> Refusal {
    match SOURCE_FAILURES.iter().find(|(known, _)| *known == reason) {
        Some((reason, sentence)) => Refusal::rejected(*reason, *sentence),
        None => Refusal::internal(lifecycle::ids::random().to_string()),
    }
}

fn rejected(rejection: &Rejection) -> Refusal {
    match rejection {
        Rejection::RegisteredBefore => Refusal::rejected(
            "REGISTERED_BEFORE",
            "该证书已参加过首次注册，系统可以同步到首次注册信息，不允许添加证书。如列表中没有该证书，请核对姓名和证件号码，或联系发证机关。",
        ),
        Rejection::CertificateOfAnother => Refusal::rejected(
            "CERTIFICATE_OF_ANOTHER",
            "该证书号码登记在他人名下，请仔细核对证书号码；如确认无误，请携带证书原件联系发证机关核实。",
        ),
        Rejection::AlreadyListed => {
            Refusal::rejected("ALREADY_LISTED", "该证书已在您的证书列表中，无需重复添加，请直接选择。")
        }
        // Whoever is refused for this is told which of both it is.
        Rejection::Unmatched => unmatched(true),
        Rejection::UnknownCertificate => Refusal::not_found("certificate", ""),
        Rejection::Deleted => Refusal::rejected(
            "DELETED_FROM_REGISTER",
            "该证书不存在，请您仔细核对信息!认定历史库中该证书的数据已删除，不允许添加；如您持有该证书原件，请携带原件联系发证机关处理。",
        ),
        Rejection::NumberMistyped => Refusal::rejected(
            "NUMBER_MISTYPED",
            "经核实该证书号码有误，原添加的证书已并入号码正确的证书，请核对证书号码，或在证书列表中选择。",
        ),
        Rejection::NotEnteredByHand => {
            Refusal::rejected("NOT_ENTERED_BY_HAND", "只有手工添加的证书可以并入其他证书，请核对所选证书。")
        }
        Rejection::HoldersDiffer => {
            Refusal::rejected("HOLDERS_DIFFER", "两本证书登记的持证人证件号码不同，不能合并，请核对所选证书。")
        }
        Rejection::NoSuchConflict => {
            Refusal::rejected("NO_SUCH_CONFLICT", "该异常已处理，或数据已有变化，请刷新列表后查看。")
        }
        Rejection::AlreadyRestricted => {
            Refusal::rejected("ALREADY_RESTRICTED", "该证书已处于受限状态，请先解除再重新设置。")
        }
        Rejection::NotRestricted => Refusal::rejected("NOT_RESTRICTED", "该证书没有受到限制，无需解除。"),
    }
}

/// As it is explained to whoever misses the certificate.
fn unmatched(is_same_name: bool) -> Refusal {
    if is_same_name {
        Refusal::rejected("MATCH_PENDING", match_pending())
    } else {
        Refusal::rejected("NAME_DIFFERS", NAME_DIFFERS)
    }
}

fn correction(rejection: correction::Rejection) -> Refusal {
    match rejection {
        correction::Rejection::TooMany => Refusal::rejected(
            "TOO_MANY_CORRECTIONS",
            "您有多项更正申请尚未办结，请等待答复后再提交；紧急情况请联系证书的发证机关。",
        ),
        correction::Rejection::Unknown => Refusal::not_found("correction", ""),
        correction::Rejection::Closed => Refusal::rejected("CORRECTION_CLOSED", "该更正申请已办结，请刷新列表后查看。"),
        correction::Rejection::Own => {
            Refusal::rejected("OWN_CORRECTION", "不能处理本人的更正申请，请由其他工作人员处理。")
        }
    }
}

fn hand_entry(refusal: hand_entry::Refusal) -> Refusal {
    match refusal {
        hand_entry::Refusal::SyncedSince { year } => Refusal::rejected(
            "SYNCED_SINCE_2008",
            format!(
                "{year}年及以后取得的教师资格证书由系统同步，不允许添加证书。如列表中没有该证书，请核对姓名和证件号码，或联系发证机关处理。"
            ),
        ),
        hand_entry::Refusal::Before1996 => Refusal::rejected("BEFORE_1996", "无此教师资格,请与发证机关确认"),
        hand_entry::Refusal::NumberAndDateDisagree => {
            Refusal::rejected("NUMBER_AND_DATE_DISAGREE", "请仔细检查证书号码或证书签发日期是否有误")
        }
        hand_entry::Refusal::HigherEducation => {
            Refusal::rejected("HIGHER_EDUCATION", "高等学校教师资格不参加中小学教师资格定期注册，请选择其他证书。")
        }
    }
}
