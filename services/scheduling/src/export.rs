//! The directory as files that the import takes: agencies with their names, points, schools, subjects of a division.

use eventbus::LoadError;
use time::Date;

use crate::domain::agency::{Agency, Record};
use crate::domain::division::{Code, Division, Divisions};
use crate::domain::id::AgencyId;
use crate::domain::shanghai;
use crate::domain::subject::Stage;
use crate::import::file::{OFF, ON, Table};
use crate::views::directory::{Agencies, Points};
use crate::views::schools::SchoolList;
use crate::views::search::Sought;
use crate::views::subjects::SubjectList;

/// Rows that are read together.
const PAGE: usize = 500;

/// Begins a file, so that spreadsheets read it as UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where a file goes: called with each part in order; false when nobody wants more.
pub trait Sink: Send {
    /// Takes the next part.
    fn take(&mut self, part: Vec<u8>) -> impl Future<Output = bool> + Send;
}

/// Writes a part of the directory.
pub struct Export<'d> {
    /// Agencies in memory.
    pub agencies: &'d Agencies,
    /// Points of the view.
    pub points: &'d Points,
    /// Schools of the view.
    pub schools: &'d SchoolList,
    /// Subjects of the view.
    pub subjects: &'d SubjectList,
    /// What lies in it is written.
    pub within: Code,
}

impl Export<'_> {
    /// Writes one table to its end, or until nobody wants more.
    pub async fn write(&self, table: Table, sink: &mut impl Sink) -> Result<(), LoadError> {
        let header: Vec<String> = table.columns().iter().map(|column| (*column).to_owned()).collect();
        if !sink.take([BYTE_ORDER_MARK, &lines([header])?].concat()).await {
            return Ok(());
        }
        match table {
            Table::Agencies => self.agencies(sink).await,
            Table::Points => self.points(sink).await,
            Table::Schools => self.schools(sink).await,
            Table::Subjects => self.subjects(sink).await,
        }
    }

    /// Those that are there today, the highest first.
    fn records(&self) -> Vec<&Record> {
        let today = shanghai::day(lifecycle::clock::now());
        let covered = |record: &&Record| self.within.covers(first(record).division) && !record.is_abolished_on(today);
        let mut records: Vec<&Record> = self.agencies.records().filter(covered).collect();
        records.sort_by_key(|record| (std::cmp::Reverse(first(record).level), first(record).division));
        records
    }

    async fn agencies(&self, sink: &mut impl Sink) -> Result<(), LoadError> {
        let rows = self.records().into_iter().flat_map(|record| {
            let division = first(record).division;
            record.names().map(move |(since, name)| {
                [division.to_string(), name.to_string(), since.map(rpc::render_date).unwrap_or_default()]
            })
        });
        let rows: Vec<_> = rows.collect();
        for page in rows.chunks(PAGE) {
            if !sink.take(lines(page.iter().cloned())?).await {
                break;
            }
        }
        Ok(())
    }

    async fn points(&self, sink: &mut impl Sink) -> Result<(), LoadError> {
        for record in self.records() {
            let agency = first(record);
            let mut after = String::new();
            loop {
                let points = self.points.list(agency.id, &after, PAGE).await?;
                let Some(last) = points.last() else { break };
                after = last.name.to_string();
                let ids: Vec<_> = points.iter().filter_map(|point| point.school).collect();
                let schools = self.schools.named(&ids).await?;
                // A point whose school was closed is an office of its agency for who reads the file.
                let rows = points.iter().map(|point| {
                    let school = point.school.and_then(|school| schools.get(&school));
                    let (county, school) =
                        school.map(|(county, name)| (county.clone(), name.clone())).unwrap_or_default();
                    let agency = agency.division.to_string();
                    [agency, point.name.to_string(), point.range.clone(), county, school]
                });
                if !sink.take(lines(rows)?).await {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn schools(&self, sink: &mut impl Sink) -> Result<(), LoadError> {
        let within = self.within.significant();
        let mut after = (String::new(), String::new());
        loop {
            let schools = self.schools.list(within, &Sought::All, (&after.0, &after.1), PAGE).await?;
            let Some(last) = schools.last() else { return Ok(()) };
            after = (last.division.to_string(), last.name.to_string());
            let rows = schools.iter().map(|school| {
                let agency = self.division_of(school.agency).ok_or("the view holds a school of no agency")?;
                let kind = school.kind.as_str().to_owned();
                Ok([school.division.to_string(), school.name.to_string(), agency.to_string(), kind])
            });
            let rows: Vec<_> = rows.collect::<Result<_, LoadError>>()?;
            if !sink.take(lines(rows)?).await {
                return Ok(());
            }
        }
    }

    /// Of whole provinces, as each has them.
    async fn subjects(&self, sink: &mut impl Sink) -> Result<(), LoadError> {
        let provinces = Divisions::national().children("").map(Division::code);
        for province in provinces.filter(|province| self.within.covers(*province)) {
            let mut rows = Vec::new();
            for stage in Stage::ALL {
                let listed = self.subjects.list(province, stage).await?;
                rows.extend(listed.into_iter().map(|subject| {
                    let state = if subject.on { ON } else { OFF };
                    [province.to_string(), stage.name().to_owned(), subject.name, state.to_owned()]
                }));
            }
            if !sink.take(lines(rows)?).await {
                break;
            }
        }
        Ok(())
    }

    fn division_of(&self, agency: AgencyId) -> Option<Code> {
        Some(first(self.agencies.record(agency)?).division)
    }
}

fn first(record: &Record) -> &Agency {
    record.on(Date::MIN)
}

fn lines<R: IntoIterator<Item = String>>(rows: impl IntoIterator<Item = R>) -> Result<Vec<u8>, LoadError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row)?;
    }
    Ok(writer.into_inner().map_err(|error| error.to_string())?)
}
