//! The directory of the demonstration: a point for each agency of Jiangsu, and in Xuzhou a school of each county that is a point itself.

use std::path::PathBuf;

use proto::scheduling::v1 as scheduling;
use proto::scheduling::v1::directory_client::DirectoryClient;

use crate::actor::Actor;
use crate::failure::Doing as _;
use crate::journey::Place;
use crate::{Cluster, Failure, Result, Service, wait};

use super::ARRIVAL;

/// The national tree, which scheduling itself begins with.
const DIVISIONS: &str = include_str!("../../../../services/scheduling/directory/divisions.csv");
const PROVINCE: &str = "32";
const CITY: &str = "3203";
/// 鼓楼区: where the demonstration staff work.
const COUNTY: &str = "320302";
/// Code of `employing_school_kind`: 小学.
const PRIMARY_SCHOOL: &str = "21";

/// The units that the demonstration needs.
#[derive(Clone, Debug)]
pub(super) struct Units {
    /// Agencies of Xuzhou with their points: the province's, the city's, the counties'.
    pub(super) agencies: Vec<(scheduling::Agency, Vec<scheduling::Point>)>,
    /// The demonstration's school, a point itself.
    pub(super) school: scheduling::School,
    /// That point.
    pub(super) point: scheduling::Point,
}

impl Units {
    /// Where the demonstration's applicants apply.
    pub(super) fn place(&self) -> Place {
        Place {
            school_id: self.school.school_id.clone(),
            agency_id: self.school.agency_id.clone(),
            point_id: self.point.point_id.clone(),
        }
    }

    /// The agency of a division of six digits.
    pub(super) fn agency(&self, division: &str) -> Result<&scheduling::Agency> {
        let found = self.agencies.iter().map(|(agency, _)| agency).find(|agency| agency.division == division);
        found.ok_or_else(|| Failure::new(format!("the directory has no agency of {division}")))
    }
}

/// Has scheduling add what is not there yet.
pub(super) async fn fill(cluster: &Cluster) -> Result<()> {
    let (schools, points) = (cluster.layout().folder.join("schools.csv"), cluster.layout().folder.join("points.csv"));
    let jiangsu = jiangsu()?;
    let mut school_rows = vec![["name", "division", "agency", "kind"].map(str::to_owned)];
    let mut point_rows = vec![["name", "agency", "school_division", "school"].map(str::to_owned)];
    for (code, name) in &jiangsu {
        let agency = format!("{code:0<6}");
        if code.starts_with(CITY) && code.len() == 6 {
            let school = format!("徐州市{name}示例小学");
            school_rows.push([school.clone(), code.clone(), agency.clone(), PRIMARY_SCHOOL.to_owned()]);
            point_rows.push([school.clone(), agency, code.clone(), school]);
        } else {
            point_rows.push([format!("{name}示例确认点"), agency, String::new(), String::new()]);
        }
    }
    write(&schools, &school_rows)?;
    write(&points, &point_rows)?;
    let files = ["--schools", &schools.to_string_lossy(), "--points", &points.to_string_lossy()].map(str::to_owned);
    let [schools_flag, schools, points_flag, points] = &files;
    cluster.run(Service::Scheduling, &["seed-directory", schools_flag, schools, points_flag, points]).await?;
    Ok(())
}

/// Finds the units by the API, once the directory shows them.
pub(super) async fn units(officer: &Actor) -> Result<Units> {
    let client = DirectoryClient::new(officer.channel(&officer.addresses.scheduling)?);
    wait::until("the directory to show what was seeded", ARRIVAL, async || look(client.clone()).await).await
}

async fn look(mut client: DirectoryClient<crate::actor::Channel>) -> Option<Units> {
    let (province, city) = (PROVINCE.to_owned(), CITY.to_owned());
    let request = scheduling::ListAgenciesRequest { province, city, ..Default::default() };
    let listed = client.list_agencies(request).await.ok()?.into_inner().agencies;
    let mut agencies = Vec::new();
    for agency in listed {
        let agency_id = agency.agency_id.clone();
        let request = scheduling::ListPointsRequest { agency_id, ..Default::default() };
        let points = client.list_points(request).await.ok()?.into_inner().points;
        agencies.push((agency, points));
    }
    let request = scheduling::ListSchoolsRequest { division: COUNTY.to_owned(), ..Default::default() };
    let school = client.list_schools(request).await.ok()?.into_inner().schools.into_iter().next()?;
    let points = agencies.iter().flat_map(|(_, points)| points);
    let point = points.into_iter().find(|point| point.school_id == school.school_id)?.clone();
    Some(Units { agencies, school, point })
}

/// Codes and names of the province, its cities and its counties.
fn jiangsu() -> Result<Vec<(String, String)>> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(DIVISIONS.as_bytes());
    let mut found = Vec::new();
    for row in reader.deserialize::<(String, String, String)>() {
        let (code, name, _) = row.doing(|| "read the national tree".into())?;
        if code.starts_with(PROVINCE) {
            found.push((code, name));
        }
    }
    Ok(found)
}

fn write(path: &PathBuf, rows: &[[String; 4]]) -> Result<()> {
    let doing = || format!("write {}", path.display());
    let mut file = csv::Writer::from_path(path).doing(doing)?;
    for row in rows {
        file.write_record(row).doing(doing)?;
    }
    file.flush().doing(doing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jiangsu_has_thirteen_cities_and_the_county_of_the_demonstration() {
        let divisions = jiangsu().unwrap();
        assert_eq!(divisions.iter().filter(|(code, _)| code.len() == 4).count(), 13);
        assert!(divisions.contains(&(COUNTY.to_owned(), "鼓楼区".to_owned())));
    }
}
