//! The register of restrictions (DOMAIN L21): its columns, and what each cell must be.

use std::borrow::Cow;

use super::columns::{Columns, Needs};
use super::file::{Limits, Problem, Row, Says};
use crate::domain::certificate::Restriction;

#[cfg(test)]
mod tests;

/// Columns of every file.
const COLUMNS: [&str; 6] = ["证件号码", "证书号码", "限制类型", "文件编号", "截止日期", "状态"];
/// All of them.
pub const NEEDS: Needs = Needs { required: &COLUMNS, together: &[], optional: &[] };
/// Those that must say something; a restriction without 截止日期 holds for life.
const REQUIRED: [&str; 5] = ["证件号码", "证书号码", "限制类型", "文件编号", "状态"];

/// Reads a row that begins at this line.
pub fn row(columns: &Columns, cells: &[Cow<'_, str>], line: i64, limits: &Limits) -> Result<Row, Vec<Problem>> {
    let mut cells = columns.cells(cells, line);
    cells.required(&REQUIRED);
    let holder_number = cells.holder_number();
    let number = cells.certificate_number(limits);
    let kind = match cells.get("限制类型") {
        "丧失" => Some(Restriction::Forfeited),
        "撤销（品行不良）" | "撤销(品行不良)" => Some(Restriction::RevokedConduct),
        "撤销（弄虚作假）" | "撤销(弄虚作假)" => Some(Restriction::RevokedFraud),
        "考试作弊" => Some(Restriction::ExamCheating),
        "其他" => Some(Restriction::Unspecified),
        _ => None,
    };
    let sentence = "限制类型应为丧失、撤销（品行不良）、撤销（弄虚作假）、考试作弊或其他。";
    cells.check("限制类型", kind.is_some(), "UNKNOWN_RESTRICTION", sentence);
    let lifted = match cells.get("状态") {
        "已审核" => Some(false),
        "已解除" => Some(true),
        _ => None,
    };
    cells.check("状态", lifted.is_some(), "UNKNOWN_STATUS", "状态应为已审核或已解除。");
    let end = if cells.get("截止日期").is_empty() { None } else { cells.date("截止日期") };
    // It is published: whoever files by the numbers of people has to say it in another way.
    let file_reference = cells.get("文件编号").to_owned();
    let numbers = [cells.get("证件号码"), cells.get("证书号码")];
    let names_somebody = numbers.iter().any(|number| !number.is_empty() && file_reference.contains(number));
    cells.check("文件编号", !names_somebody, "NOT_A_REFERENCE", "文件编号不能含有证件号码或证书号码。");
    let (number, kind, lifted) = match cells.judged(number.zip(kind).zip(lifted)) {
        Ok(((number, kind), lifted)) => (number.as_str().to_owned(), kind, lifted),
        Err(problems) => return Err(problems),
    };
    let says = Says::Restriction { number, holder_number, kind, end, file_reference, lifted };
    Ok(Row { line, says, warnings: Vec::new() })
}
