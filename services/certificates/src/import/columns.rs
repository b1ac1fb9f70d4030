//! Cells of a row by the header of their column, and what is wrong with them: one problem a cell is enough to mend it.

use std::borrow::Cow;
use std::collections::HashMap;

use time::Date;
use workbook::FORMULA_ERRORS;

use super::file::{Limits, Problem};
use crate::domain::number::{FIRST_YEAR, Malformed, Number};
use crate::handle::is_of_province;
use crate::store::events::read_date;

const LONGEST_CELL: usize = 100;

/// The columns that a register may have.
pub struct Needs {
    /// All of them.
    pub required: &'static [&'static str],
    /// All or none.
    pub together: &'static [&'static str],
    /// Each by itself.
    pub optional: &'static [&'static str],
}

/// Where the columns of a register stand in a file.
pub struct Columns(HashMap<&'static str, usize>);

impl Columns {
    /// Those of a register, below this header.
    pub fn find(line: i64, header: &[Cow<'_, str>], needs: &Needs) -> Result<Self, Problem> {
        let Needs { required, together, optional } = *needs;
        let place = |name: &'static str| Some((name, header.iter().position(|cell| cell.trim() == name)?));
        let names = required.iter().chain(together).chain(optional);
        let places: HashMap<&'static str, usize> = names.filter_map(|name| place(name)).collect();
        let some = together.iter().any(|name| places.contains_key(name));
        let missing = required.iter().chain(together.iter().filter(|_| some)).find(|name| !places.contains_key(*name));
        match missing {
            None => Ok(Self(places)),
            Some(name) => Err(Problem {
                line,
                field: name,
                reason: "COLUMN_MISSING",
                sentence: "文件缺少这一列，请按模板补齐表头后重试。",
            }),
        }
    }

    /// The cells of a row that begins at this line.
    pub fn cells<'c>(&'c self, cells: &'c [Cow<'c, str>], line: i64) -> Cells<'c> {
        Cells { columns: self, row: cells, line, problems: Vec::new() }
    }
}

/// The cells of one row, and what was found wrong with them so far.
pub struct Cells<'c> {
    columns: &'c Columns,
    row: &'c [Cow<'c, str>],
    line: i64,
    problems: Vec<Problem>,
}

impl<'c> Cells<'c> {
    /// Without white space around it; empty where the file has no such column or the row ends before it.
    pub fn get(&self, name: &str) -> &'c str {
        let place = self.columns.0.get(name);
        place.and_then(|place| self.row.get(*place)).map_or("", |cell| cell.trim())
    }

    /// What is wrong with the row; the row itself when nothing is.
    pub fn judged<T>(self, row: Option<T>) -> Result<T, Vec<Problem>> {
        match row {
            Some(row) if self.problems.is_empty() => Ok(row),
            _ => Err(self.problems),
        }
    }

    /// Something is wrong with a cell.
    pub fn add(&mut self, field: &'static str, reason: &'static str, sentence: &'static str) {
        if self.problems.iter().all(|problem| problem.field != field) {
            self.problems.push(Problem { line: self.line, field, reason, sentence });
        }
    }

    /// Something is wrong with a cell, unless it holds.
    pub fn check(&mut self, field: &'static str, holds: bool, reason: &'static str, sentence: &'static str) {
        if !holds {
            self.add(field, reason, sentence);
        }
    }

    /// Cells that must say something, of a length that can be kept.
    pub fn required(&mut self, names: &[&'static str]) {
        for name in names {
            let cell = self.get(name);
            self.check(name, !cell.is_empty(), "REQUIRED", "此项不能为空。");
            let fits = cell.chars().count() <= LONGEST_CELL && !cell.contains(is_invisible);
            self.check(name, fits, "TOO_LONG", "此项过长或含有不可见字符。");
            let has_result = !FORMULA_ERRORS.contains(&cell);
            self.check(name, has_result, "FORMULA_ERROR", "此单元格的公式没有结果，请改为具体内容后重试。");
        }
    }

    /// 证件号码, in the form in which it is compared.
    pub fn holder_number(&mut self) -> String {
        let number = self.get("证件号码").to_uppercase();
        let shaped = number.len() <= 18 && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
        self.check("证件号码", shaped, "NOT_A_DOCUMENT_NUMBER", "证件号码应为半角数字或字母，不超过18位。");
        number
    }

    /// 证书号码, possible and within the officer's reach.
    pub fn certificate_number(&mut self, limits: &Limits) -> Option<Number> {
        let number = match Number::parse(self.get("证书号码"), limits.today) {
            Ok(number) if number.year() >= FIRST_YEAR => Some(number),
            Ok(_) | Err(Malformed::FutureYear) => {
                self.add("证书号码", "IMPOSSIBLE_YEAR", "证书号码中的年份不可能，请与发证机关确认。");
                None
            }
            Err(Malformed::Digits) => {
                self.add("证书号码", "NOT_A_CERTIFICATE_NUMBER", "证书号码应为15位或17位数字。");
                None
            }
        }?;
        let covers = |province| limits.within.iter().any(|scope| scope.covers(province));
        let is_theirs = is_of_province(&number, covers);
        self.check("证书号码", is_theirs, "OF_ANOTHER_PROVINCE", "该证书由其他省份认定，应由该省导入。");
        Some(number)
    }

    /// A date in the past, or today.
    pub fn past_date(&mut self, field: &'static str, today: Date) -> Option<Date> {
        let date = self.date(field);
        self.check(field, date.is_none_or(|date| date <= today), "IN_THE_FUTURE", "日期不能晚于今天。");
        date
    }

    /// A date.
    pub fn date(&mut self, field: &'static str) -> Option<Date> {
        let date = read_date(self.get(field));
        self.check(field, date.is_some(), "NOT_A_DATE", "日期应写作 2010-06-15 的形式。");
        date
    }
}

/// Characters that no cell needs: control characters but for white space, and the one that stands for what could not be read.
fn is_invisible(c: char) -> bool {
    c.is_control() && !c.is_whitespace() || c == char::REPLACEMENT_CHARACTER
}
