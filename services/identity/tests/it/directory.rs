//! A stand-in for scheduling whose directory has a school, a point and an agency in some counties.

use proto::scheduling::v1 as scheduling;
use rpc::Surface;
use service::testing::Neighbour;
use uuid::Uuid;

use crate::desk::Desk;

/// Counties of Xuzhou, and one of Hangzhou.
const COUNTIES: [&str; 4] = ["320302", "320303", "320305", "330102"];

/// The school of a county.
pub fn school(county: &str) -> String {
    id("school", county)
}

/// The confirmation point of a county.
pub fn point(county: &str) -> String {
    id("point", county)
}

/// The agency of a county.
pub fn agency(county: &str) -> String {
    id("agency", county)
}

fn id(kind: &str, county: &str) -> String {
    Uuid::new_v5(&Uuid::nil(), format!("{kind}/{county}").as_bytes()).to_string()
}

/// Identity beside such a scheduling, once it knows all of the directory.
pub async fn desk() -> Desk {
    let neighbour = Neighbour::start("scheduling", Surface::new()).await;
    let mut head = 0;
    for county in COUNTIES {
        let division = county.to_owned();
        let agency = scheduling::Agency { agency_id: agency(county), division: division.clone(), ..Default::default() };
        let school = scheduling::School { school_id: school(county), division: division.clone(), ..Default::default() };
        let point = scheduling::Point { point_id: point(county), division, ..Default::default() };
        let stream = lifecycle::ids::random();
        neighbour.publish(stream, county, &scheduling::AgencyAdded { agency: Some(agency) }).await;
        neighbour.publish(stream, county, &scheduling::SchoolAdded { school: Some(school) }).await;
        head = neighbour.publish(stream, county, &scheduling::PointAdded { point: Some(point) }).await.position;
    }
    let desk = Desk::open_beside(vec![neighbour]).await;
    while desk.identity.service.bus.wait_for("units", head).await.is_err() {}
    desk
}
