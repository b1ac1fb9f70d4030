//! What a new cluster is filled with, by the ways that are open to staff: directory, staff, register, rules, plan and window.
//! Everything that is made up says so, or lies under a county code that is assigned to nobody.

mod directory;
pub(crate) mod people;
mod season;

use std::fs;
use std::time::Duration;

use proto::identity::v1::Role;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset};
use tonic::{Code, Response, Status};

use crate::failure::Doing as _;
use crate::journey::Place;
use crate::layout::Layout;
use crate::{Cluster, Result, call, register, secrets, wait};

use people::Post;

/// Teachers in the register of the local cluster.
pub const TEACHERS: u32 = 10_000;

/// How long what travels by events may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(120);

/// What was seeded, kept in the cluster's folder so that a second start finds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeded {
    /// Where the demonstration staff work.
    pub place: Place,
    /// Teachers in the register.
    pub teachers: u32,
    /// How many of them, the first ones, have walked already.
    pub walked: u32,
    /// When it was seeded.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Seeded {
    /// Reads what an earlier start has seeded; `None` in a new cluster.
    pub fn load(layout: &Layout) -> Result<Option<Self>> {
        let path = layout.seeded();
        match fs::read(&path) {
            Err(_) => Ok(None),
            Ok(text) => serde_json::from_slice(&text).map(Some).doing(|| format!("read {}", path.display())),
        }
    }

    /// Keeps it.
    pub fn save(&self, layout: &Layout) -> Result<()> {
        let path = layout.seeded();
        let text = serde_json::to_string_pretty(self).doing(|| "describe what was seeded".into())?;
        fs::write(&path, text + "\n").doing(|| format!("write {}", path.display()))
    }
}

/// Fills a new cluster; one that was filled to the end before is left as it is.
pub async fn fill(cluster: &Cluster, teachers: u32, say: &dyn Fn(&str)) -> Result<Seeded> {
    if let Some(seeded) = Seeded::load(cluster.layout())? {
        return Ok(seeded);
    }
    let at = lifecycle::clock::now();
    say("seeding the directory: the national tree, agencies, schools and confirmation points of Jiangsu");
    directory::fill(cluster).await?;
    say("enrolling the demonstration staff");
    let officers = [
        Post::of_province("operator", Role::Operator),
        Post::of_province("approver", Role::Operator),
        Post::of_province("rules", Role::RuleOfficer),
        Post::of_province("register", Role::RegisterOfficer),
    ];
    people::enrol(cluster, &officers).await?;
    let layout = cluster.layout();
    let units = directory::units(&call::sign_in(layout, "rules").await?).await?;
    let (province, city, county) = (units.agency("320000")?, units.agency("320300")?, units.agency("320302")?);
    let (school, point) = (&units.school, &units.point);
    let everybody_else = [
        Post::at("schedule", Role::ScheduleOfficer, &province.division, &province.agency_id),
        Post::at("liaison", Role::Liaison, &school.division, &school.school_id),
        Post::at("clerk", Role::Clerk, &point.division, &point.point_id),
        Post::at("county", Role::Reviewer, &county.division, &county.agency_id),
        Post::at("city", Role::Reviewer, &city.division, &city.agency_id),
        Post::at("province", Role::Reviewer, &province.division, &province.agency_id),
        Post::of_province("auditor", Role::Auditor),
        Post::of_province("security", Role::SecurityAdmin),
        Post::of_nation("chief", Role::SecurityAdmin),
    ];
    people::enrol(cluster, &everybody_else).await?;
    say("publishing plan, windows and points");
    season::plan(&call::sign_in(layout, "schedule").await?, &units, at).await?;
    say(&format!("importing a register of {teachers} synthetic teachers"));
    let mut file = Vec::new();
    let today = at.to_offset(UtcOffset::from_hms(8, 0, 0).expect("Shanghai's offset")).date();
    register::write(&mut file, teachers, today)?;
    secrets::write(&layout.real_names(), &register::names(teachers))?;
    season::import(&call::sign_in(layout, "register").await?, file).await?;
    say("publishing the rules of the province");
    season::rules(&call::sign_in(layout, "rules").await?).await?;
    let seeded = Seeded { place: units.place(), teachers, walked: 0, at };
    seeded.save(layout)?;
    Ok(seeded)
}

/// Calls until what the call needs has arrived by events: roles and units are known to the others some time after they were made.
async fn once_allowed<T>(
    what: &str,
    mut call: impl AsyncFnMut() -> std::result::Result<Response<T>, Status>,
) -> std::result::Result<T, Status> {
    let answered = wait::until(what, ARRIVAL, async || match call().await {
        Err(status) if matches!(status.code(), Code::PermissionDenied | Code::Unavailable | Code::NotFound) => None,
        answered => Some(answered),
    });
    match answered.await {
        Ok(answered) => answered.map(Response::into_inner),
        // What it says by now is the best explanation.
        Err(_) => call().await.map(Response::into_inner),
    }
}
