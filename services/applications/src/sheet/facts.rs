//! Facts for the conclusion (DOMAIN 2.3b) in a school's file: its columns, what each cell must be, and how it is written.

use super::{Header, NUMBER, Problem, Problems, Rows, Sheet, Unusable, columns};
use crate::domain::calendar::{parse_date, render_date};
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::facts::{Facts, Finding, Grade, Interruption, LeaveReason};
use crate::domain::given::Given;

/// Interruptions that a row has room for.
pub const MOST_STOPS: usize = 9;
const YEARS: std::ops::RangeInclusive<i32> = 1990..=2200;
const MOST_AMOUNT: f64 = 100_000.0;
const LONGEST_NAME: usize = 60;
/// Columns of the work list that only people read.
pub const FOR_PEOPLE: [&str; 3] = ["姓名", "注册次数", "尚缺"];

const NOTE: &str = "备注";
const TRAINING_TOTAL: &str = "培训合计";
const GRADE_OF_YEAR: &str = "年年度考核";
const TRAINING_OF_YEAR: &str = "年培训";
const CONDITION: &str = "其他条件：";
const NONE: &str = "无";

/// A column that is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Column {
    /// 报名号
    Number,
    /// 师德考核
    Ethics,
    /// 年度考核 of a year.
    Grade(i32),
    /// 培训合计
    TrainingTotal,
    /// 培训 of a year.
    Training(i32),
    /// A cell of the interruption at this place, from 0.
    Stop(usize, StopCell),
    /// 身心健康
    Health,
    /// 其他条件 of this name.
    Condition(String),
    /// 试用期考核
    Probation,
    /// 聘用合同
    Contract,
    /// 备注
    Note,
}

/// What a cell tells of an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopCell {
    /// 起始日期
    From,
    /// 结束日期
    To,
    /// 学期数
    Semesters,
    /// 原因
    Reason,
    /// 经批准
    Approved,
}

impl StopCell {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::From, Self::To, Self::Semesters, Self::Reason, Self::Approved];

    fn name(self) -> &'static str {
        match self {
            Self::From => "中止教学起始日期",
            Self::To => "中止教学结束日期",
            Self::Semesters => "中止教学学期数",
            Self::Reason => "中止教学原因",
            Self::Approved => "中止教学经批准",
        }
    }
}

impl Column {
    /// Its header.
    pub fn name(&self) -> String {
        match self {
            Self::Number => NUMBER.to_owned(),
            Self::Ethics => "师德考核".to_owned(),
            Self::Grade(year) => format!("{year}{GRADE_OF_YEAR}"),
            Self::TrainingTotal => TRAINING_TOTAL.to_owned(),
            Self::Training(year) => format!("{year}{TRAINING_OF_YEAR}"),
            Self::Stop(0, cell) => cell.name().to_owned(),
            Self::Stop(place, cell) => format!("{}{}", cell.name(), place + 1),
            Self::Health => "身心健康".to_owned(),
            Self::Condition(name) => format!("{CONDITION}{name}"),
            Self::Probation => "试用期考核".to_owned(),
            Self::Contract => "聘用合同".to_owned(),
            Self::Note => NOTE.to_owned(),
        }
    }

    fn parse(header: &str) -> Option<Self> {
        let fixed = [
            Self::Number,
            Self::Ethics,
            Self::TrainingTotal,
            Self::Health,
            Self::Probation,
            Self::Contract,
            Self::Note,
        ];
        if let Some(column) = fixed.into_iter().find(|column| column.name() == header) {
            return Some(column);
        }
        let year = |suffix: &str| header.strip_suffix(suffix)?.parse().ok().filter(|year| YEARS.contains(year));
        if let Some(year) = year(GRADE_OF_YEAR) {
            return Some(Self::Grade(year));
        }
        if let Some(year) = year(TRAINING_OF_YEAR) {
            return Some(Self::Training(year));
        }
        if let Some(name) = header.strip_prefix(CONDITION).or_else(|| header.strip_prefix("其他条件:")) {
            let name = name.trim();
            let fits = (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.contains(char::is_control);
            return fits.then(|| Self::Condition(name.to_owned()));
        }
        let stops = (0..MOST_STOPS).flat_map(|place| StopCell::ALL.map(|cell| Self::Stop(place, cell)));
        stops.into_iter().find(|column| column.name() == header)
    }

    /// What stands in it for these facts.
    pub fn cell(&self, facts: &Facts) -> String {
        let finding = |finding, [passed, failed]: [&str; 2]| match finding {
            None => String::new(),
            Some(Finding::Passed) => passed.to_owned(),
            Some(Finding::Failed) => failed.to_owned(),
        };
        match self {
            Self::Number | Self::Note => String::new(),
            Self::Ethics => finding(facts.ethics, PASSED),
            Self::Grade(year) => facts.grades.get(year).map_or(String::new(), |grade| grade_name(*grade).to_owned()),
            Self::TrainingTotal => facts.training_total.map_or(String::new(), |total| total.to_string()),
            Self::Training(year) => facts.training_years.get(year).map_or(String::new(), ToString::to_string),
            // More than a row has room for are not told at all: what is told is all there is.
            Self::Stop(..) if facts.interruptions.len() > MOST_STOPS => String::new(),
            Self::Stop(place, cell) => facts.interruptions.get(*place).map_or(String::new(), |stop| match cell {
                StopCell::From => render_date(stop.from),
                StopCell::To => render_date(stop.to),
                StopCell::Semesters => stop.semesters.to_string(),
                StopCell::Reason => stop.reason.name().to_owned(),
                StopCell::Approved => (if stop.approved { YES[0] } else { YES[1] }).to_owned(),
            }),
            Self::Health => finding(facts.health, PASSED),
            Self::Condition(wanted) => {
                let found = facts.others.iter().find(|(name, _)| name == wanted);
                found.map_or(String::new(), |(_, met)| (if *met { MET[0] } else { MET[1] }).to_owned())
            }
            Self::Probation => finding(facts.probation, PASSED),
            Self::Contract => finding(facts.contract, HELD),
        }
    }
}

const PASSED: [&str; 2] = ["合格", "不合格"];
const HELD: [&str; 2] = ["有", "无"];
const MET: [&str; 2] = ["满足", "不满足"];
const YES: [&str; 2] = ["是", "否"];

const GRADES: [Grade; 5] = [Grade::Excellent, Grade::Qualified, Grade::Basic, Grade::Unqualified, Grade::Undetermined];

fn grade_name(grade: Grade) -> &'static str {
    match grade {
        Grade::Excellent => "优秀",
        Grade::Qualified => "合格",
        Grade::Basic => "基本合格",
        Grade::Unqualified => "不合格",
        Grade::Undetermined => "不定等次",
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// 报名号
    pub number: EnrolmentNumber,
    /// Its facts.
    pub given: Given,
    /// 备注, where there is one.
    pub note: Option<String>,
}

/// Reads the rows below their header.
pub fn rows(sheet: Sheet) -> Result<Rows<Row>, Unusable> {
    let parse = |name: &str| {
        let for_people = || FOR_PEOPLE.contains(&name).then_some(Header::PassedOver);
        Column::parse(name).map(Header::Read).or_else(for_people)
    };
    let columns = columns(&sheet.header, parse, &[(NUMBER, Column::Number)])?;
    let read = |cells: Vec<String>| row(&columns, &cells);
    let rows = sheet.rows.into_iter().map(|row| (row.line, row.cells.map_err(|problem| vec![problem]).and_then(read)));
    Ok(rows.collect())
}

fn row(columns: &[Option<Column>], cells: &[String]) -> Result<Row, Vec<Problem>> {
    let mut problems = Problems::default();
    let (mut given, mut note, mut number) = (Given::default(), None, None);
    let mut stops: [Stop<'_>; MOST_STOPS] = Default::default();
    for (column, cell) in columns.iter().zip(cells).filter_map(|(column, cell)| Some((column.as_ref()?, cell))) {
        let name = column.name();
        let Some(cell) = problems.cell(&name, cell) else { continue };
        let facts = &mut given.facts;
        match column {
            Column::Number => number = Some(cell),
            Column::Ethics => facts.ethics = problems.finding(name, cell, PASSED, "应为合格或不合格。"),
            Column::Grade(year) => {
                let grade = GRADES.into_iter().find(|grade| grade_name(*grade) == cell);
                let sentence = "应为优秀、合格、基本合格、不合格或不定等次。";
                facts.grades.extend(problems.known(name, grade, sentence).map(|grade| (*year, grade)));
            }
            Column::TrainingTotal => facts.training_total = problems.amount(name, cell),
            Column::Training(year) => {
                facts.training_years.extend(problems.amount(name, cell).map(|amount| (*year, amount)));
            }
            Column::Stop(place, of) => stops[*place][*of as usize] = Some(cell),
            Column::Health => facts.health = problems.finding(name, cell, PASSED, "应为合格或不合格。"),
            Column::Condition(condition) => {
                let met = problems.choice(name, cell, MET, "应为满足或不满足。");
                facts.others.extend(met.map(|met| (condition.clone(), met)));
            }
            Column::Probation => facts.probation = problems.finding(name, cell, PASSED, "应为合格或不合格。"),
            Column::Contract => facts.contract = problems.finding(name, cell, HELD, "应为有或无。"),
            Column::Note => note = problems.text(NOTE, Some(cell)),
        }
    }
    for (place, stop) in stops.into_iter().enumerate() {
        match stop {
            [None, None, None, None, None] => {}
            [Some(NONE), None, None, None, None] => given.uninterrupted = true,
            stop => given.facts.interruptions.extend(problems.interruption(place, stop)),
        }
    }
    if given.uninterrupted && !given.facts.interruptions.is_empty() {
        let name = Column::Stop(0, StopCell::From).name();
        problems.add(name, "NOT_AN_INTERRUPTION", "填写“无”时，不能同时填写其他中止教学情况。");
    }
    match problems.number(number) {
        Some(number) if problems.0.is_empty() => Ok(Row { number, given, note }),
        _ => Err(problems.0),
    }
}

/// The cells of an interruption, in the order of [`StopCell::ALL`].
type Stop<'c> = [Option<&'c str>; 5];

impl Problems {
    fn known<T>(&mut self, column: String, value: Option<T>, sentence: &'static str) -> Option<T> {
        if value.is_none() {
            self.add(column, "UNKNOWN_VALUE", sentence);
        }
        value
    }

    fn choice(&mut self, column: String, cell: &str, [yes, no]: [&str; 2], sentence: &'static str) -> Option<bool> {
        let chosen = if cell == yes { Some(true) } else { (cell == no).then_some(false) };
        self.known(column, chosen, sentence)
    }

    fn finding(&mut self, column: String, cell: &str, words: [&str; 2], sentence: &'static str) -> Option<Finding> {
        let passed = self.choice(column, cell, words, sentence)?;
        Some(if passed { Finding::Passed } else { Finding::Failed })
    }

    fn amount(&mut self, column: String, cell: &str) -> Option<f64> {
        let Some(amount) = cell.parse::<f64>().ok().filter(|amount| amount.is_finite()) else {
            self.add(column, "NOT_A_NUMBER", "应为数字，例如 72 或 72.5。");
            return None;
        };
        if !(0.0..=MOST_AMOUNT).contains(&amount) {
            self.add(column, "OUT_OF_RANGE", "应在0到100000之间。");
            return None;
        }
        Some(amount)
    }

    fn date(&mut self, column: String, cell: &str) -> Option<time::Date> {
        let date = parse_date(cell);
        if date.is_none() {
            self.add(column, "NOT_A_DATE", "日期应写作 2025-09-01 的形式。");
        }
        date
    }

    /// All five cells, each with what is wrong with it.
    fn interruption(&mut self, place: usize, stop: Stop<'_>) -> Option<Interruption> {
        let name = |cell| Column::Stop(place, cell).name();
        for (cell, _) in StopCell::ALL.into_iter().zip(stop).filter(|(_, told)| told.is_none()) {
            let is_told = self.0.iter().any(|problem| problem.column == name(cell));
            if !is_told {
                self.add(name(cell), "REQUIRED", "每次中止教学须填写起止日期、学期数、原因和是否经批准。");
            }
        }
        let [from, to, semesters, reason, approved] = stop;
        let from = from.and_then(|cell| self.date(name(StopCell::From), cell));
        let to = to.and_then(|cell| self.date(name(StopCell::To), cell));
        let semesters = semesters.and_then(|cell| self.amount(name(StopCell::Semesters), cell));
        let reason = reason.and_then(|cell| {
            let sentence = "应为进修、培训、学术交流、病休、产假或其他。";
            self.known(name(StopCell::Reason), LeaveReason::parse(cell), sentence)
        });
        let approved = approved.and_then(|cell| self.choice(name(StopCell::Approved), cell, YES, "应为是或否。"));
        let stop = Interruption { from: from?, to: to?, semesters: semesters?, reason: reason?, approved: approved? };
        if stop.from > stop.to {
            self.add(name(StopCell::To), "NOT_AN_INTERRUPTION", "结束日期不能早于起始日期。");
        }
        if stop.semesters <= 0.0 {
            self.add(name(StopCell::Semesters), "OUT_OF_RANGE", "学期数应大于0。");
        }
        Some(stop)
    }
}

#[cfg(test)]
mod tests;
