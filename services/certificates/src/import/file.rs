//! The file of a register: its encoding, its columns, its rows one after the other. The source is untrusted.

use std::borrow::Cow;
use std::sync::Arc;

use access::Scope;
use time::Date;
use tokio::sync::mpsc;

use super::columns::{Columns, Needs};
use super::twice::Given;
use super::{certificates, restrictions};
use crate::domain::agency::Agencies;
use crate::domain::certificate::{Details, PriorRegistration, Restriction, Source, Standing};
use crate::domain::number::warning::Warning;
use crate::store::Personal;
use records::{Encoding, Record, Records, Stopped};
use workbook::{Broken, Chunk};

#[cfg(test)]
mod tests;

/// What a file tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// 认定历史库, and earlier registrations.
    Certificates,
    /// 丧失, 撤销, 考试作弊.
    Restrictions,
}

/// A row that can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Line at which it begins.
    pub line: i64,
    /// What it says.
    pub says: Says,
    /// What does not fit together, without being a reason to refuse.
    pub warnings: Vec<Warning>,
}

/// What a row says of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// There is such a certificate.
    Certificate {
        /// Without the keyed hashes.
        details: Details,
        /// Which kind of register.
        source: Source,
        /// The earlier registration that the row tells of.
        prior: Option<PriorRegistration>,
        /// Whether the certificate may be used, and is there at all.
        standing: Standing,
        /// To be sealed.
        personal: Personal,
    },
    /// A decision restricts it, or did.
    Restriction {
        /// 证书号码
        number: String,
        /// 证件号码 of the holder.
        holder_number: String,
        /// How.
        kind: Restriction,
        /// Until when; shown only.
        end: Option<Date>,
        /// Of the decision.
        file_reference: String,
        /// Not any more.
        lifted: bool,
    },
}

impl Row {
    /// 证书号码
    pub fn number(&self) -> &str {
        match &self.says {
            Says::Certificate { personal, .. } => &personal.number,
            Says::Restriction { number, .. } => number,
        }
    }
}

/// What is wrong with a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file, as an editor shows it; the header is 1.
    pub line: i64,
    /// The column's header.
    pub field: &'static str,
    /// Stable.
    pub reason: &'static str,
    /// For the officer. Never repeats the cell.
    pub sentence: &'static str,
}

/// What deserves a look in a row that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// As of a problem.
    pub line: i64,
    /// The column's header.
    pub field: &'static str,
    /// Stable.
    pub reason: &'static str,
    /// For the officer.
    pub sentence: Cow<'static, str>,
}

impl Notice {
    /// That something in a row does not fit together.
    pub fn of(line: i64, warning: &Warning) -> Self {
        let field = if warning.is_of_agency() { "认定机构" } else { "证书号码" };
        Self { line, field, reason: warning.reason(), sentence: warning.sentence() }
    }
}

/// Rows of a file, in its order; each can be taken, or says why not.
pub type Batch = Vec<Result<Row, Vec<Problem>>>;

/// What rows are held against.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Whose columns they have.
    pub register: Register,
    /// Scopes of the officer who brings the file.
    pub within: Vec<Scope>,
    /// In Shanghai.
    pub today: Date,
    /// Who may have issued a certificate; `None` while that has never been complete.
    pub agencies: Option<Arc<Agencies>>,
}

impl Register {
    /// The headers of all columns that it may have.
    pub fn headers(self) -> impl Iterator<Item = &'static str> {
        let Needs { required, together, optional } = self.needs();
        [required, together, optional].into_iter().flatten().copied()
    }

    /// Where its columns stand below this header.
    pub fn columns(self, line: i64, header: &[Cow<'_, str>]) -> Result<Columns, Problem> {
        Columns::find(line, header, &self.needs())
    }

    const fn needs(self) -> Needs {
        match self {
            Self::Certificates => certificates::NEEDS,
            Self::Restrictions => restrictions::NEEDS,
        }
    }
}

impl Limits {
    /// Reads a row that begins at this line.
    pub fn row(&self, columns: &Columns, cells: &[Cow<'_, str>], line: i64) -> Result<Row, Vec<Problem>> {
        match self.register {
            Register::Certificates => certificates::row(columns, cells, line, self),
            Register::Restrictions => restrictions::row(columns, cells, line, self),
        }
    }
}

/// Reads the chunks as CSV to their end, in a thread that may block, and sends batches of rows. What came before the end
/// of a file that breaks off is sent, but for the record that it broke.
pub fn read(
    chunks: mpsc::Receiver<Chunk>,
    batches: &mpsc::Sender<Batch>,
    size: usize,
    limits: &Limits,
) -> Result<(), Stopped<Broken>> {
    let mut batch = Batch::with_capacity(size);
    let outcome = read_rows(Records::new(chunks), limits, |row| {
        batch.push(row);
        // Whoever took the batches may have stopped: then nothing more is wanted.
        batch.len() < size || batches.blocking_send(std::mem::take(&mut batch)).is_ok()
    });
    if !batch.is_empty() {
        // As above.
        let _ = batches.blocking_send(batch);
    }
    outcome
}

/// Hands out row by row as long as `take` wants more.
fn read_rows(
    mut file: Records<Broken>,
    limits: &Limits,
    mut take: impl FnMut(Result<Row, Vec<Problem>>) -> bool,
) -> Result<(), Stopped<Broken>> {
    let header = match file.read()? {
        Some(header) => header_of(&header, limits.register),
        None => limits.register.columns(1, &[]).map(|columns| (columns, Encoding::Utf8)),
    };
    let (columns, encoding) = match header {
        Ok(header) => header,
        Err(problem) => {
            take(Err(vec![problem]));
            return Ok(());
        }
    };
    let mut given = Given::nothing();
    while let Some(Record { line, cells }) = file.read()? {
        let row = match cells.map(|cells| cells.text(encoding)) {
            Some(Some(cells)) => limits.row(&columns, &cells, line).and_then(|row| given.judge(row)),
            Some(None) => Err(vec![unreadable(line, encoding)]),
            None => Err(vec![too_long(line)]),
        };
        if !take(row) {
            return Ok(());
        }
    }
    Ok(())
}

/// The columns, and the encoding of the whole file.
fn header_of(header: &Record<'_>, register: Register) -> Result<(Columns, Encoding), Problem> {
    let cells = header.cells.ok_or_else(|| too_long(header.line))?;
    let not_text = || Problem {
        line: header.line,
        field: "",
        reason: "NOT_TEXT",
        sentence: "文件不是 UTF-8 或 GB18030 编码的 CSV，请另存为 CSV 后重试。",
    };
    let (cells, encoding) = cells.header().ok_or_else(not_text)?;
    Ok((register.columns(header.line, &cells)?, encoding))
}

fn unreadable(line: i64, encoding: Encoding) -> Problem {
    let (reason, sentence) = match encoding {
        Encoding::Utf8 => ("NOT_UTF8", "该行不是 UTF-8 编码，请将文件另存为 UTF-8 后重试。"),
        Encoding::Gb18030 => ("NOT_GB18030", "该行不是 GB18030 编码，请将文件另存为 UTF-8 后重试。"),
    };
    Problem { line, field: "", reason, sentence }
}

fn too_long(line: i64) -> Problem {
    let sentence = "该行过长或列数过多，无法读取，请对照模板检查分隔符和换行，改正后重试。";
    Problem { line, field: "", reason: "RECORD_TOO_LONG", sentence }
}
