//! The demonstration staff: accounts with generated passwords, made and given roles as real staff would be.

use std::collections::BTreeMap;

use proto::identity::v1 as identity;
use proto::identity::v1::profiles_client::ProfilesClient;
use proto::identity::v1::staff_client::StaffClient;

use crate::actor::{Actor, Credentials, Phones};
use crate::call::{self, Staff};
use crate::failure::Doing as _;
use crate::journey::{Applicant, request_id};
use crate::layout::Layout;
use crate::register::Teacher;
use crate::{Cluster, Result, Service, secrets};

use super::once_allowed;

/// The province of the demonstration.
pub(super) const PROVINCE: &str = "320000";
/// Teachers from this number on are staff: beyond every register.
const FIRST: u32 = 990_000;

/// Names in `deploy/call` and their roles. The first one grants the others theirs. The order is that of their numbers: only ever
/// add at the end.
const POSTS: [(&str, identity::Role); 11] = [
    ("security", identity::Role::SecurityAdmin),
    ("schedule", identity::Role::ScheduleOfficer),
    ("rules", identity::Role::RuleOfficer),
    ("register", identity::Role::RegisterOfficer),
    ("operator", identity::Role::Operator),
    ("approver", identity::Role::Operator),
    ("liaison", identity::Role::Liaison),
    ("clerk", identity::Role::Clerk),
    ("county", identity::Role::Reviewer),
    ("city", identity::Role::Reviewer),
    ("province", identity::Role::Reviewer),
];

/// The first administrator, whom only the one-time command can enrol.
pub(super) async fn administrator(cluster: &Cluster) -> Result<Actor> {
    let administrator = enrol(cluster, "security").await?;
    let person = person_id(&administrator).await?;
    let arguments = ["enrol-first-administrator", "--person", &person, "--division", PROVINCE];
    cluster.run(Service::Identity, &arguments).await?;
    Ok(administrator)
}

/// Gives somebody a role in a unit, or in the whole province where there is none.
pub(super) async fn appoint(
    cluster: &Cluster,
    administrator: &Actor,
    name: &str,
    division: &str,
    unit_id: &str,
) -> Result<Actor> {
    let somebody = enrol(cluster, name).await?;
    let (_, role) = POSTS.iter().find(|(post, _)| *post == name).expect("only posts of the table are filled");
    let request = identity::GrantRoleRequest {
        request_id: request_id(),
        person_id: person_id(&somebody).await?,
        role: (*role).into(),
        scope: Some(identity::Scope { division: division.to_owned(), unit_id: unit_id.to_owned() }),
    };
    let client = StaffClient::new(administrator.channel(&administrator.addresses.identity)?);
    let what = format!("the appointment of {name}");
    let granted = once_allowed(&what, async || client.clone().grant_role(request.clone()).await).await;
    match granted {
        Err(status) if rpc::Refusal::from_status(&status).reason != "ALREADY_GRANTED" => {
            Err(status).doing(|| format!("appoint {name}"))
        }
        _ => Ok(somebody),
    }
}

/// Signs in somebody of the table; makes the account at the first time, with a password that is written down before.
async fn enrol(cluster: &Cluster, name: &str) -> Result<Actor> {
    let layout = cluster.layout();
    let (addresses, phones) = (layout.addresses(), Phones::at(&layout.sms()));
    let mut staff: Staff = if layout.staff().exists() { call::staff(layout)? } else { BTreeMap::new() };
    if let Some(credentials) = staff.get(name)
        && let Ok(actor) = Actor::sign_in(&addresses, &phones, credentials).await
    {
        return Ok(actor);
    }
    let place = POSTS.iter().position(|(post, _)| *post == name).expect("only posts of the table are filled");
    let teacher = Teacher::new(FIRST + u32::try_from(place).expect("a short table"));
    let password = password();
    let credentials = Credentials { number: teacher.number(), phone: teacher.phone(), password: password.clone() };
    staff.insert(name.to_owned(), credentials);
    keep(layout, &staff)?;
    Ok(Applicant::arrive(&addresses, &phones, teacher, &password).await?.actor)
}

/// Writes down who can sign in.
pub(crate) fn keep(layout: &Layout, staff: &Staff) -> Result<()> {
    let text = serde_json::to_string_pretty(staff).doing(|| "list the staff".into())?;
    secrets::write(&layout.staff(), &text)
}

/// A generated password by the rule of DOMAIN 3.2: letters, digits, one of the special characters.
pub(crate) fn password() -> String {
    format!("{}#a1", hex::encode(rand::random::<[u8; 10]>()))
}

async fn person_id(actor: &Actor) -> Result<String> {
    let mut profiles = ProfilesClient::new(actor.channel(&actor.addresses.identity)?);
    let profile = profiles.get_profile(identity::GetProfileRequest {}).await.doing(|| "read the profile".into())?;
    Ok(profile.into_inner().person_id)
}
