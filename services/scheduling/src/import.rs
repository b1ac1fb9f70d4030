//! A file of agencies, points, schools or subjects: read in bounded memory, each row brought or rejected by itself.

pub mod file;

use std::collections::HashSet;

use eventbus::BusHandle;
use futures::StreamExt as _;
use records::{Chunk, Stopped};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

use crate::domain::agency;
use crate::domain::id::AgencyId;
use crate::domain::officer::Officer;
use crate::domain::point;
use crate::domain::school;
use crate::domain::subject;
use crate::error::Error;
use crate::handle::directory::{AgencyChange, SchoolChange};
use crate::handle::{Asked, Handle};
use crate::views::directory::{DIRECTORY, Points};
use crate::views::schools::{SCHOOLS, SchoolList};
use file::{AgencyRow, Line, PointRow, Problem, Row, SchoolRow, SubjectRow, Table};

/// Rows that wait at most between reader and run.
const WAITING: usize = 256;
/// Rows of points and schools in hand at a time; names of an agency and subjects of a province come one after the other.
const AT_ONCE: usize = 16;
/// Rows between two reports.
const REPORT_EVERY: i64 = 500;

/// What an import has done so far.
#[derive(Debug, Default)]
pub struct Progress {
    /// Rows read, without the header.
    pub rows_read: i64,
    /// Rows of what was not there.
    pub added: i64,
    /// Rows that said something new of what was there.
    pub changed: i64,
    /// Rows that said nothing new.
    pub unchanged: i64,
    /// Rows that cannot be taken.
    pub rejected: i64,
    /// Why not, for the rows since the last report.
    pub rejections: Vec<(i64, Wrong)>,
    /// Nothing more follows.
    pub done: bool,
}

/// Why a row cannot be taken.
#[derive(Debug)]
pub enum Wrong {
    /// What stands in a cell.
    Cell(Problem),
    /// What is refused, as it would be refused to who asks for it alone.
    Refused(Error),
}

/// What a row led to.
enum Taken {
    Added,
    Changed,
    Unchanged,
    Rejected(Vec<Wrong>),
}

/// One run over a file.
pub struct Import {
    /// Use cases; a rehearsal for a dry run.
    pub handle: Handle,
    /// Points of the view.
    pub points: Points,
    /// Schools of the view.
    pub schools: SchoolList,
    /// Knows how far the views have come.
    pub bus: BusHandle,
    /// Who.
    pub officer: Officer,
    /// Names the run: its rows are requests of their own.
    pub run_id: Uuid,
    /// Of which kind the rows are.
    pub table: Table,
    /// Report only.
    pub dry_run: bool,
}

impl Import {
    /// Reads `chunks` to their end and reports after each batch. A dropped report does not stop the run.
    pub async fn run(self, chunks: mpsc::Receiver<Chunk>, report: mpsc::Sender<Result<Progress, Error>>) {
        let outcome = self.take_all(chunks, &report).await;
        // Nobody may be listening any more; the run is complete all the same.
        let _ = report.send(outcome).await;
    }

    async fn take_all(
        &self,
        chunks: mpsc::Receiver<Chunk>,
        report: &mpsc::Sender<Result<Progress, Error>>,
    ) -> Result<Progress, Error> {
        // So that what was there before this run is seen.
        let head = self.handle.head();
        for view in [DIRECTORY, SCHOOLS] {
            self.bus.wait_for(view, head).await.map_err(|_| Error::NotReady)?;
        }
        let (send, lines) = mpsc::channel(WAITING);
        let table = self.table;
        let reading = tokio::task::spawn_blocking(move || file::read(table, chunks, &send));
        // Sixteen bytes for each row, whatever it holds.
        let mut seen = HashSet::new();
        let lines = ReceiverStream::new(lines);
        let at_once = match table {
            Table::Agencies | Table::Subjects => 1,
            Table::Points | Table::Schools => AT_ONCE,
        };
        // A rehearsal records nothing: names of what it would have added are taken as told.
        let mut added = HashSet::new();
        let taking = lines.map(|line| {
            let number = line.line;
            let again =
                line.row.as_ref().is_ok_and(|row| !seen.insert(Uuid::new_v5(&self.run_id, row.key().as_bytes())));
            let follows_its_agency = match &line.row {
                Ok(Row::Agency(AgencyRow { division, since: Some(_), .. })) => {
                    self.dry_run && added.contains(division.digits)
                }
                Ok(Row::Agency(AgencyRow { division, since: None, .. })) => {
                    added.insert(division.digits);
                    false
                }
                Ok(Row::Point(_) | Row::School(_) | Row::Subject(_)) | Err(_) => false,
            };
            async move {
                let taken = if again { Ok(given_twice(number)) } else { self.take(line, follows_its_agency).await };
                (number, taken)
            }
        });
        let mut taking = std::pin::pin!(taking.buffered(at_once));
        let mut progress = Progress::default();
        while let Some((line, taken)) = taking.next().await {
            progress.rows_read += 1;
            match taken? {
                Taken::Added => progress.added += 1,
                Taken::Changed => progress.changed += 1,
                Taken::Unchanged => progress.unchanged += 1,
                Taken::Rejected(wrong) => {
                    progress.rejected += 1;
                    progress.rejections.extend(wrong.into_iter().map(|wrong| (line, wrong)));
                }
            }
            if progress.rows_read % REPORT_EVERY == 0 {
                let rejections = std::mem::take(&mut progress.rejections);
                let _ = report.send(Ok(Progress { rejections, ..progress.counts() })).await;
            }
        }
        let read = reading.await.map_err(|error| Error::View(Box::new(error)))?;
        read.map_err(|stopped| match stopped {
            Stopped::Broken(_) => Error::UploadBroken,
            Stopped::QuoteNotClosed { line } => Error::QuoteNotClosed { line },
        })?;
        progress.done = true;
        Ok(progress)
    }

    async fn take(&self, line: Line, follows_its_agency: bool) -> Result<Taken, Error> {
        let row = match line.row {
            Ok(row) => row,
            Err(problems) => return Ok(Taken::Rejected(problems.into_iter().map(Wrong::Cell).collect())),
        };
        let asked = Asked {
            officer: self.officer.clone(),
            request_id: Uuid::new_v5(&self.run_id, &line.line.to_be_bytes()),
            fingerprint: row.fingerprint(),
        };
        let taken = match row {
            Row::Agency(row) => self.take_agency(&asked, row, follows_its_agency).await,
            Row::Point(row) => self.take_point(&asked, row).await,
            Row::School(row) => self.take_school(&asked, row).await,
            Row::Subject(row) => self.take_subject(&asked, row).await,
        };
        match taken {
            Err(
                refused @ (Error::NotFound { .. }
                | Error::Agency(_)
                | Error::Point(_)
                | Error::School(_)
                | Error::Subject(_)
                | Error::RequestIdReused
                | Error::Conflict),
            ) => Ok(Taken::Rejected(vec![Wrong::Refused(refused)])),
            taken => taken,
        }
    }

    async fn take_agency(&self, asked: &Asked, row: AgencyRow, follows: bool) -> Result<Taken, Error> {
        let id = AgencyId::of(row.division.code());
        let known = self.handle.find_agency(id).await?;
        let before = known.as_ref().map(|record| record.on(row.since.unwrap_or(time::Date::MIN)));
        match (before, row.since) {
            (Some(agency), _) if agency.name == row.name => Ok(Taken::Unchanged),
            (Some(_), None) => Err(Error::Agency(agency::Rejection::AgencyExists)),
            (None, None) => {
                self.handle.add_agency(asked, row.division, row.name, |_| Vec::new()).await?;
                Ok(Taken::Added)
            }
            (None, Some(_)) if follows => Ok(Taken::Changed),
            (_, Some(since)) => {
                self.handle.change_agency(asked, id, AgencyChange::Rename { name: row.name, since }).await?;
                Ok(Taken::Changed)
            }
        }
    }

    async fn take_point(&self, asked: &Asked, row: PointRow) -> Result<Taken, Error> {
        let agency = AgencyId::of(row.agency);
        if let Some(known) = self.points.find(agency, &row.name).await.map_err(Error::View)? {
            if known.range == row.range {
                return Ok(Taken::Unchanged);
            }
            self.handle.change_point(asked, known.id, point::Command::SetPointRange { range: row.range }).await?;
            return Ok(Taken::Changed);
        }
        let school = match row.school {
            None => None,
            Some((county, name)) => {
                let known = self.schools.find(county, &name).await.map_err(Error::View)?;
                Some(known.ok_or(Error::Point(point::Rejection::UnknownSchool))?.id)
            }
        };
        self.handle.add_point(asked, agency, (row.name, row.range), school, |_| Vec::new()).await?;
        Ok(Taken::Added)
    }

    async fn take_school(&self, asked: &Asked, row: SchoolRow) -> Result<Taken, Error> {
        let agency = AgencyId::of(row.agency);
        let Some(known) = self.schools.find(row.division, &row.name).await.map_err(Error::View)? else {
            let what = (row.name, row.division, row.kind);
            self.handle.add_school(asked, what, agency, |_| Vec::new()).await?;
            return Ok(Taken::Added);
        };
        if known.kind != row.kind {
            return Err(Error::School(school::Rejection::SchoolExists));
        }
        if known.agency == agency {
            return Ok(Taken::Unchanged);
        }
        self.handle.change_school(asked, known.id, SchoolChange::Move(agency)).await?;
        Ok(Taken::Changed)
    }

    async fn take_subject(&self, asked: &Asked, row: SubjectRow) -> Result<Taken, Error> {
        let SubjectRow { province, stage, subject, on } = row;
        let taken = match self.handle.find_subject(province, stage, &subject).await? {
            Some(known) if known == on => return Ok(Taken::Unchanged),
            Some(_) => Taken::Changed,
            None => Taken::Added,
        };
        let command = subject::Command::BringSubject { province, stage, subject, on };
        self.handle.change_subjects(asked, province, command).await?;
        Ok(taken)
    }
}

impl Progress {
    /// The counts alone.
    fn counts(&self) -> Self {
        let Self { rows_read, added, changed, unchanged, rejected, .. } = *self;
        Self { rows_read, added, changed, unchanged, rejected, rejections: Vec::new(), done: false }
    }
}

fn given_twice(line: i64) -> Taken {
    let sentence = "文件中已有相同的一行，请删除重复行。";
    Taken::Rejected(vec![Wrong::Cell(Problem { line, field: "", reason: "GIVEN_TWICE", sentence })])
}
