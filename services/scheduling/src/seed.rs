//! The command `seed-directory`: the authorities of the national tree, and schools and points from CSV files, through the
//! same rules and log as everything else. Each row is a request of its own that can be repeated.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use proto::scheduling::v1::{AddAgencyRequest, AddPointRequest, AddSchoolRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::domain::division::{Code, Division, Divisions};
use crate::domain::id::{AgencyId, SchoolId};
use crate::domain::name::Name;
use crate::domain::officer::Officer;
use crate::domain::school::Kind;
use crate::domain::{agency, point, school};
use crate::error::Error;
use crate::handle::{Answered, Asked, Handle};
use crate::views::schools::SchoolList;

/// Agencies in hand at a time: they only append, and this many are one batch of the log's writer.
const AT_ONCE: usize = 256;
/// Rows of a file in hand at a time: each reads before it appends, and none may wait for a connection longer than the pool lets it.
const ROWS_AT_ONCE: usize = 4;

/// Namespace of the request ids of rows.
const ROWS: Uuid = Uuid::from_u128(0x9a54_1c7e_3b0d_4f6a_a1d2_5e88_70c3_4b19);

/// Why the directory was not seeded to the end.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// A file cannot be read as CSV.
    #[error("{} cannot be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// Rows cannot be taken; each is named in the log.
    #[error("{refused} rows of {} were refused", path.display())]
    Refused {
        /// Which file.
        path: PathBuf,
        /// How many.
        refused: usize,
    },
    /// Something does not answer.
    #[error("the directory cannot be written")]
    Failed(#[from] Error),
}

/// A row of the schools' file.
#[derive(Debug, Deserialize)]
struct SchoolRow {
    name: String,
    division: String,
    agency: String,
    kind: String,
}

/// A row of the points' file.
#[derive(Debug, Deserialize)]
struct PointRow {
    name: String,
    agency: String,
    school_division: String,
    school: String,
}

/// What became of a row.
enum Outcome {
    Added,
    Known,
    Refused,
}

/// How many of each.
#[derive(Debug, Default)]
struct Tally {
    added: usize,
    known: usize,
    refused: usize,
}

impl Tally {
    fn count(mut self, outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Added => self.added += 1,
            Outcome::Known => self.known += 1,
            Outcome::Refused => self.refused += 1,
        }
        self
    }
}

/// Seeds agencies, then schools, then points.
pub async fn directory(
    handle: &Handle,
    schools_known: &SchoolList,
    schools: Option<&Path>,
    points: Option<&Path>,
) -> Result<(), SeedError> {
    let tally = agencies(handle).await?;
    tracing::info!(added = tally.added, known = tally.known, "agencies of the national tree");
    let mut ids = HashMap::new();
    if let Some(path) = schools {
        let tally = seed_schools(handle, read(path)?, &mut ids).await?;
        tracing::info!(added = tally.added, known = tally.known, refused = tally.refused, "schools");
        all_taken(path, &tally)?;
    }
    if let Some(path) = points {
        let tally = seed_points(handle, schools_known, read(path)?, &ids).await?;
        tracing::info!(added = tally.added, known = tally.known, refused = tally.refused, "points");
        all_taken(path, &tally)?;
    }
    Ok(())
}

fn all_taken(path: &Path, tally: &Tally) -> Result<(), SeedError> {
    match tally.refused {
        0 => Ok(()),
        refused => Err(SeedError::Refused { path: path.to_owned(), refused }),
    }
}

async fn agencies(handle: &Handle) -> Result<Tally, Error> {
    // One level after the other, so that the log has each authority after the one above it.
    let divisions = Divisions::national().with_authority();
    let mut tally = Tally::default();
    for level in divisions.chunk_by(|one, next| one.digits.len() == next.digits.len()) {
        let additions: Vec<_> = level.iter().map(|division| add_agency(handle, division)).collect();
        tally = stream::iter(additions)
            .buffer_unordered(AT_ONCE)
            .try_fold(tally, async |tally, outcome| Ok(tally.count(&outcome)))
            .await?;
    }
    Ok(tally)
}

async fn add_agency(handle: &Handle, division: &'static Division) -> Result<Outcome, Error> {
    let name = Name::parse(&division.derived_authority()).expect("a division's name and 教育局 are a name");
    let code = division.code().to_string();
    let asked = asked(&AddAgencyRequest { request_id: String::new(), division: code, name: name.to_string() });
    match handle.add_agency(&asked, division, name, |_| Vec::new()).await {
        Err(Error::Agency(agency::Rejection::AgencyExists)) => Ok(Outcome::Known),
        answered => answered.map(|answered| outcome(&answered)),
    }
}

type Row<T> = (u64, T);

fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<Row<T>>, SeedError> {
    let failed = |source| SeedError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(|error| failed(error.into()))?;
    let mut reader = csv::Reader::from_reader(file);
    let headers = reader.headers().map_err(failed)?.clone();
    let rows = reader.records().map(|record| {
        let record = record.map_err(failed)?;
        let line = record.position().map_or(0, csv::Position::line);
        Ok((line, record.deserialize(Some(&headers)).map_err(failed)?))
    });
    rows.collect()
}

async fn seed_schools(
    handle: &Handle,
    rows: Vec<Row<SchoolRow>>,
    ids: &mut HashMap<(String, String), SchoolId>,
) -> Result<Tally, Error> {
    let mut outcomes =
        stream::iter(rows).map(|(line, row)| add_school(handle, line, row)).buffer_unordered(ROWS_AT_ONCE);
    let mut tally = Tally::default();
    while let Some((outcome, school)) = outcomes.try_next().await? {
        ids.extend(school);
        tally = tally.count(&outcome);
    }
    Ok(tally)
}

type Known = Option<((String, String), SchoolId)>;

async fn add_school(handle: &Handle, line: u64, row: SchoolRow) -> Result<(Outcome, Known), Error> {
    let SchoolRow { name, division, agency, kind } = row;
    let county = Divisions::national().find(&division).filter(|division| division.digits.len() == 6);
    let (Some(parsed), Some(county), Some(agency), Some(kind)) =
        (Name::parse(&name), county, Code::parse(&agency), Kind::parse(&kind))
    else {
        tracing::error!(line, "a school needs a name, a county, the division of its agency and a kind");
        return Ok((Outcome::Refused, None));
    };
    let asked = asked(&AddSchoolRequest {
        request_id: String::new(),
        name: name.clone(),
        division: division.clone(),
        agency_id: AgencyId::of(agency).to_string(),
        kind: kind.as_str().to_owned(),
    });
    let what = (parsed, county.code(), kind);
    match handle.add_school(&asked, what, AgencyId::of(agency), |school| school.id.0.as_bytes().to_vec()).await {
        Ok(answered) => {
            let id = Uuid::from_slice(&answered.answer).map_err(|_| Error::Corrupt { position: answered.position })?;
            Ok((outcome(&answered), Some(((division, name), SchoolId(id)))))
        }
        Err(Error::School(school::Rejection::SchoolExists)) => Ok((Outcome::Known, None)),
        Err(Error::School(rejection)) => {
            tracing::error!(line, ?rejection, "the school is refused");
            Ok((Outcome::Refused, None))
        }
        Err(error) => Err(error),
    }
}

async fn seed_points(
    handle: &Handle,
    schools_known: &SchoolList,
    rows: Vec<Row<PointRow>>,
    ids: &HashMap<(String, String), SchoolId>,
) -> Result<Tally, Error> {
    stream::iter(rows)
        .map(|(line, row)| add_point(handle, schools_known, line, row, ids))
        .buffer_unordered(ROWS_AT_ONCE)
        .try_fold(Tally::default(), async |tally, outcome| Ok(tally.count(&outcome)))
        .await
}

async fn add_point(
    handle: &Handle,
    schools_known: &SchoolList,
    line: u64,
    row: PointRow,
    ids: &HashMap<(String, String), SchoolId>,
) -> Result<Outcome, Error> {
    let PointRow { name, agency, school_division, school } = row;
    let (Some(parsed), Some(agency)) = (Name::parse(&name), Code::parse(&agency)) else {
        tracing::error!(line, "a point needs a name and the division of its agency");
        return Ok(Outcome::Refused);
    };
    let site = if school.is_empty() && school_division.is_empty() {
        None
    } else {
        let Some(id) = school_of(schools_known, ids, &school_division, &school).await? else {
            tracing::error!(line, "the point's school is not known");
            return Ok(Outcome::Refused);
        };
        Some(id)
    };
    let asked = asked(&AddPointRequest {
        request_id: String::new(),
        agency_id: AgencyId::of(agency).to_string(),
        name,
        school_id: site.map(|school| school.to_string()).unwrap_or_default(),
        range: String::new(),
    });
    match handle.add_point(&asked, AgencyId::of(agency), (parsed, String::new()), site, |_| Vec::new()).await {
        Err(Error::Point(point::Rejection::PointExists)) => Ok(Outcome::Known),
        Err(Error::Point(rejection)) => {
            tracing::error!(line, ?rejection, "the point is refused");
            Ok(Outcome::Refused)
        }
        answered => answered.map(|answered| outcome(&answered)),
    }
}

/// A school of this run, or one that the view knows from before.
async fn school_of(
    schools_known: &SchoolList,
    ids: &HashMap<(String, String), SchoolId>,
    division: &str,
    name: &str,
) -> Result<Option<SchoolId>, Error> {
    if let Some(id) = ids.get(&(division.to_owned(), name.to_owned())) {
        return Ok(Some(*id));
    }
    let (Some(division), Some(name)) = (Code::parse(division), Name::parse(name)) else { return Ok(None) };
    Ok(schools_known.find(division, &name).await.map_err(Error::View)?.map(|school| school.id))
}

fn outcome(answered: &Answered) -> Outcome {
    if answered.repeated { Outcome::Known } else { Outcome::Added }
}

/// A request of the installation itself, named by its content.
fn asked(row: &impl prost::Message) -> Asked {
    let fingerprint = rpc::fingerprint(row);
    Asked { officer: Officer::system(), request_id: Uuid::new_v5(&ROWS, &fingerprint), fingerprint }
}
