//! The callers of the matrix: people of every role inside and outside of the scopes, people without roles, the services.

use std::collections::BTreeMap;
use std::time::Duration;

use access::ServiceIdentity;
use cluster::actor::{Actor, Credentials, Letters};
use cluster::journey::request_id;
use cluster::register::Teacher;
use cluster::{Cluster, Service, call, totp, wait};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use proto::identity::v1 as identity;
use proto::identity::v1::Role;
use proto::operations::v1::GetStatusRequest;
use proto::operations::v1::operations_client::OperationsClient;
use tonic::Request;
use tonic::metadata::MetadataMap;
use tonic::service::Interceptor as _;

use super::season::Season;

/// Staff are beyond the register: they are nobody's teachers here.
const STAFF: u32 = 500_000;
/// One of them who has not completed the profile.
const HASTY: u32 = STAFF + 90;
/// How long a role may take to be known everywhere.
const KNOWN: Duration = Duration::from_secs(30);

/// Somebody who calls.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Shows nothing.
    Nobody,
    /// Shows an access token.
    Person(Actor),
    /// The person whose object it is: a draft and an application have different owners.
    Owner,
    /// A service, for the owner of the object.
    ServiceForOwner(ServiceIdentity),
    /// A service, for somebody else.
    ServiceForOther(ServiceIdentity, Actor),
}

/// Callers by the name of their column: inside and outside of the scopes.
pub type Callers = BTreeMap<String, [Caller; 2]>;

impl Caller {
    /// What is shown to `service`, where the object belongs to `owner`.
    pub fn metadata(&self, service: Service, owner: &Actor) -> MetadataMap {
        let person = |actor: &Actor| {
            let mut shown = MetadataMap::new();
            shown.insert("authorization", actor.bearer().parse().unwrap());
            shown
        };
        let behalf = |identity: &ServiceIdentity, actor: &Actor| {
            let bearer = actor.bearer();
            let token = bearer.strip_prefix("Bearer ").unwrap();
            let mut showing = identity.token_for(service.name()).on_behalf_of(token);
            showing.call(Request::new(())).unwrap().metadata().clone()
        };
        match self {
            Self::Nobody => MetadataMap::new(),
            Self::Person(actor) => person(actor),
            Self::Owner => person(owner),
            Self::ServiceForOwner(identity) => behalf(identity, owner),
            Self::ServiceForOther(identity, actor) => behalf(identity, actor),
        }
    }
}

/// Somebody with an account and an incomplete profile.
pub async fn newcomer(cluster: &Cluster, teacher: Teacher) -> Actor {
    let (addresses, letters) = (cluster.layout().addresses(), Letters::at(cluster.layout()));
    let password = "matrix#2026".to_owned();
    let who = Credentials { number: teacher.number(), phone: teacher.phone(), password, totp: None };
    Actor::register(&addresses, &letters, &who, &teacher.name()).await.unwrap();
    Actor::sign_in(&addresses, &letters, &who).await.unwrap()
}

/// The same member of staff with a complete profile, in a session that has passed a second factor, enrolled for it.
pub async fn with_second_factor(actor: &Actor) -> Actor {
    actor.complete_profile().await.unwrap();
    passed(actor).await
}

/// The same in a session that has passed a second factor.
async fn passed(actor: &Actor) -> Actor {
    let channel = actor.channel(&actor.addresses.identity).unwrap();
    let mut second_factor = identity::second_factor_client::SecondFactorClient::new(channel);
    let secret = second_factor.enrol_totp(identity::EnrolTotpRequest {}).await.unwrap().into_inner().secret;
    let code = totp::code(&secret, lifecycle::clock::now().unix_timestamp().unsigned_abs()).unwrap();
    let confirmed = second_factor.confirm_totp(identity::ConfirmTotpRequest { code }).await.unwrap().into_inner();
    Actor::with_tokens(&actor.addresses, confirmed.tokens).unwrap()
}

/// The id of whoever shows this token.
pub async fn person_id(actor: &Actor) -> String {
    let channel = actor.channel(&actor.addresses.identity).unwrap();
    let mut profiles = identity::profiles_client::ProfilesClient::new(channel);
    profiles.get_profile(identity::GetProfileRequest {}).await.unwrap().into_inner().person_id
}

/// Gives a role, as the security administrator of the nation; gives the grant's id.
pub async fn grant(chief: &Actor, person_id: &str, role: Role, division: &str, unit_id: &str) -> String {
    let mut staff = identity::staff_client::StaffClient::new(chief.channel(&chief.addresses.identity).unwrap());
    let scope = identity::Scope { division: division.to_owned(), unit_id: unit_id.to_owned() };
    let request = identity::GrantRoleRequest {
        request_id: request_id(),
        person_id: person_id.to_owned(),
        role: role.into(),
        scope: Some(scope),
    };
    staff.grant_role(request).await.unwrap().into_inner().grant_id
}

/// A post of the matrix: its column, whether it is inside of the scopes, role, division and unit.
struct Post<'a> {
    column: &'static str,
    own: bool,
    role: Role,
    division: &'static str,
    unit_id: &'a str,
}

/// Every role inside and outside. The operators come last: once they are known, the others are.
fn posts(season: &Season) -> Vec<Post<'_>> {
    let zhejiang = season.zhejiang_agency.as_str();
    let post = |column, own, role, division, unit_id| Post { column, own, role, division, unit_id };
    let mut posts = vec![
        post("LIAISON", true, Role::Liaison, "320302", &season.place.school_id),
        post("LIAISON", false, Role::Liaison, "320303", &season.other_school),
        post("CLERK", true, Role::Clerk, "320302", &season.place.point_id),
        post("CLERK", false, Role::Clerk, "320303", &season.other_point),
        post("REVIEWER", true, Role::Reviewer, "320302", &season.place.agency_id),
        post("REVIEWER", false, Role::Reviewer, "320303", &season.other_agency),
        post("R33", true, Role::Reviewer, "330000", zhejiang),
        post("SCHEDULE", true, Role::ScheduleOfficer, "320000", &season.province_agency),
        post("SCHEDULE", false, Role::ScheduleOfficer, "330000", zhejiang),
    ];
    let of_province = [
        ("RULE", Role::RuleOfficer),
        ("HELPDESK", Role::Helpdesk),
        ("SECURITY", Role::SecurityAdmin),
        ("AUDITOR", Role::Auditor),
        ("REGISTER", Role::RegisterOfficer),
        ("OPERATOR", Role::Operator),
    ];
    for (column, role) in of_province {
        posts.push(post(column, true, role, "320000", ""));
        posts.push(post(column, false, role, "330000", ""));
    }
    posts
}

/// Somebody with an incomplete profile and as many roles as one person can hold.
async fn hasty(cluster: &Cluster, season: &Season, chief: &Actor) -> Actor {
    let actor = newcomer(cluster, Teacher::new(HASTY)).await;
    let person = person_id(&actor).await;
    let alone = [Role::SecurityAdmin, Role::Auditor];
    for post in posts(season).iter().filter(|post| post.own && !alone.contains(&post.role)) {
        grant(chief, &person, post.role, post.division, post.unit_id).await;
    }
    passed(&actor).await
}

/// Everybody who calls.
pub async fn gather(cluster: &Cluster, season: &Season, chief: &Actor) -> Callers {
    let mut callers = Callers::new();
    let both = |caller: Caller| [caller.clone(), caller];
    callers.insert("nobody".to_owned(), both(Caller::Nobody));
    let hasty = Caller::Person(hasty(cluster, season, chief).await);
    callers.insert("newcomer".to_owned(), [Caller::Person(season.newcomer.clone()), hasty]);
    callers.insert("PERSON".to_owned(), [Caller::Owner, Caller::Person(season.stranger.clone())]);

    let posts = posts(season);
    let arriving = stream::iter(0..u32::try_from(posts.len()).unwrap())
        .map(|place| async move { Ok::<_, cluster::Failure>(newcomer(cluster, Teacher::new(STAFF + place)).await) });
    let mut people: Vec<Actor> = arriving.buffered(4).try_collect().await.unwrap();
    for (post, actor) in posts.iter().zip(&mut people) {
        grant(chief, &person_id(actor).await, post.role, post.division, post.unit_id).await;
        *actor = with_second_factor(actor).await;
        let sides = callers.entry(post.column.to_owned()).or_insert_with(|| both(Caller::Person(actor.clone())));
        if !post.own {
            sides[1] = Caller::Person(actor.clone());
        }
    }
    known_everywhere(cluster, people.last().unwrap()).await;

    for service in Service::ALL {
        let key = cluster.layout().secret(service, "service-key");
        let identity = ServiceIdentity::read(service.name(), &key).unwrap();
        let other = Caller::ServiceForOther(identity.clone(), season.stranger.clone());
        callers.insert(service.to_string(), [Caller::ServiceForOwner(identity), other]);
    }
    callers
}

/// Waits until every service knows the role that was granted last.
async fn known_everywhere(cluster: &Cluster, operator: &Actor) {
    for service in Service::ALL {
        let client = OperationsClient::new(operator.channel(&cluster.layout().url(service)).unwrap());
        let known = wait::until("the last role to be known", KNOWN, async || {
            client.clone().get_status(GetStatusRequest {}).await.ok()
        });
        known.await.unwrap();
    }
}

/// The security administrator of the nation, signed in.
pub async fn chief(cluster: &Cluster) -> Actor {
    call::sign_in(cluster.layout(), "chief").await.unwrap()
}
