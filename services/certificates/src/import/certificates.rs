//! The register of certificates: its columns, and what each cell must be.

use std::borrow::Cow;

use time::Date;

use super::columns::{Cells, Columns, Needs};
use super::file::{Limits, Problem, Row, Says};
use crate::domain::certificate::{Conclusion, Details, PriorRegistration, Source, Standing};
use crate::domain::kind::Kind;
use crate::domain::number::warning::Said;
use crate::store::Personal;

/// Columns of every file.
const COLUMNS: [&str; 7] = ["证件号码", "姓名", "证书号码", "资格种类", "任教学科", "认定机构", "签发日期"];
/// Columns of a file that tells of earlier registrations; all or none.
const REGISTRATION: [&str; 3] = ["注册次数", "注册结论", "注册日期"];
/// The register's word on the certificate itself; may be left out.
const STANDING: &str = "状态";
/// All of them.
pub const NEEDS: Needs = Needs { required: &COLUMNS, together: &REGISTRATION, optional: &[STANDING] };

/// Reads a row that begins at this line.
pub fn row(columns: &Columns, cells: &[Cow<'_, str>], line: i64, limits: &Limits) -> Result<Row, Vec<Problem>> {
    let mut cells = columns.cells(cells, line);
    cells.required(&COLUMNS);
    let holder_number = cells.holder_number();
    let number = cells.certificate_number(limits);
    let kind = Kind::parse(cells.get("资格种类"));
    cells.check("资格种类", kind.is_some(), "UNKNOWN_KIND", "资格种类不在代码表中。");
    let issue_date = cells.past_date("签发日期", limits.today);
    let prior = prior(&mut cells, limits.today);
    let standing = match cells.get(STANDING) {
        "" | "0" | "正常" => Some(Standing::Normal),
        "1" | "受限" => Some(Standing::Restricted),
        "2" | "删除" => Some(Standing::Deleted),
        _ => None,
    };
    cells.check(STANDING, standing.is_some(), "UNKNOWN_STATUS", "状态应为正常、受限或删除。");
    let (subject, agency, name) = (cells.get("任教学科"), cells.get("认定机构"), cells.get("姓名"));
    let (number, kind, issue_date, standing) = match cells.judged(number.zip(kind).zip(issue_date.zip(standing))) {
        Ok(((number, kind), (issue_date, standing))) => (number, kind, issue_date, standing),
        Err(problems) => return Err(problems),
    };
    // 认定正式表 tells of registrations, in every year; that there is no such certificate is 认定历史库's to say.
    let is_registration = prior.is_some() && standing != Standing::Deleted;
    let source = if is_registration { Source::PriorRegistration } else { Source::Register };
    let issuer = limits.agencies.as_ref().map(|agencies| agencies.issuer(agency, issue_date, number.province()));
    let said = Said { kind, issued: issue_date, agency, issuer, holder_number: &holder_number };
    let warnings = number.warnings(&said);
    let details = Details {
        kind,
        subject: subject.to_owned(),
        issuing_agency: agency.to_owned(),
        issue_date,
        number: [0; 32],
        holder: [0; 32],
        digest: [0; 32],
        generation: 0,
    };
    let personal = Personal { number: number.as_str().to_owned(), holder_number, holder_name: name.to_owned() };
    Ok(Row { line, says: Says::Certificate { details, source, prior, standing, personal }, warnings })
}

fn prior(cells: &mut Cells<'_>, today: Date) -> Option<PriorRegistration> {
    if REGISTRATION.iter().all(|name| cells.get(name).is_empty()) {
        return None;
    }
    let ordinal = cells.get("注册次数").parse::<u32>().ok().filter(|ordinal| (1..=20).contains(ordinal));
    cells.check("注册次数", ordinal.is_some(), "NOT_AN_ORDINAL", "注册次数应为1至20的整数。");
    let conclusion = match cells.get("注册结论") {
        "注册合格" | "合格" => Some(Conclusion::Qualified),
        "暂缓注册" | "暂缓" => Some(Conclusion::Deferred),
        "注册不合格" | "不合格" => Some(Conclusion::Failed),
        "撤销注册" => Some(Conclusion::Revoked),
        _ => None,
    };
    let sentence = "注册结论应为注册合格、暂缓注册、注册不合格或撤销注册。";
    cells.check("注册结论", conclusion.is_some(), "UNKNOWN_CONCLUSION", sentence);
    let concluded = cells.past_date("注册日期", today);
    Some(PriorRegistration { ordinal: ordinal?, conclusion: conclusion?, concluded: concluded? })
}
