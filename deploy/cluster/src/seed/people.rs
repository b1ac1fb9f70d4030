//! The demonstration staff: accounts with generated passwords and second factors, and their roles, by the one-time enrolment of first staff.

use std::collections::BTreeMap;

use proto::identity::v1::Role;
use serde::Serialize;

use crate::actor::Credentials;
use crate::call::{self, Staff};
use crate::failure::Doing as _;
use crate::layout::Layout;
use crate::register::Teacher;
use crate::{Cluster, Result, Service, secrets, totp};

/// The province of the demonstration.
const PROVINCE: &str = "320000";
/// All provinces.
const NATION: &str = "000000";
/// Teachers from this number on are staff: beyond every register.
const FIRST: u32 = 990_000;
/// Everybody, in the order of their numbers: only ever add at the end.
const NAMES: [&str; 13] = [
    "security", "schedule", "rules", "register", "operator", "approver", "liaison", "clerk", "county", "city",
    "province", "chief", "auditor",
];

/// Somebody to be enrolled.
#[derive(Clone, Debug)]
pub(super) struct Post {
    name: &'static str,
    role: Role,
    division: String,
    unit_id: String,
}

impl Post {
    /// A role that belongs to a school, a point or an agency.
    pub(super) fn at(name: &'static str, role: Role, division: &str, unit_id: &str) -> Self {
        Self { name, role, division: division.to_owned(), unit_id: unit_id.to_owned() }
    }

    /// A role that reaches over the nation.
    pub(super) fn of_nation(name: &'static str, role: Role) -> Self {
        Self::at(name, role, NATION, "")
    }

    /// A role that reaches over the province.
    pub(super) fn of_province(name: &'static str, role: Role) -> Self {
        Self::at(name, role, PROVINCE, "")
    }
}

/// One entry of the file that identity reads.
#[derive(Serialize)]
struct Entry {
    number: String,
    name: String,
    phone: String,
    password: String,
    role: &'static str,
    division: String,
    unit_id: String,
    totp_secret: String,
}

/// Enrols them. Doing it again changes nothing; once a security administrator is among them, nobody else can be enrolled so.
pub(super) async fn enrol(cluster: &Cluster, posts: &[Post]) -> Result<()> {
    let layout = cluster.layout();
    let mut staff: Staff = if layout.staff().exists() { call::staff(layout)? } else { BTreeMap::new() };
    let mut entries = Vec::new();
    for post in posts {
        let place = NAMES.iter().position(|name| *name == post.name).expect("only names of the list are enrolled");
        let teacher = Teacher::new(FIRST + u32::try_from(place).expect("a short list"));
        let drawn = || Credentials {
            number: teacher.number(),
            phone: teacher.phone(),
            password: password(),
            totp: Some(totp::draw()),
        };
        let credentials = staff.entry(post.name.to_owned()).or_insert_with(drawn).clone();
        entries.push(Entry {
            number: credentials.number,
            name: teacher.name(),
            phone: credentials.phone,
            password: credentials.password,
            role: post.role.as_str_name(),
            division: post.division.clone(),
            unit_id: post.unit_id.clone(),
            totp_secret: credentials.totp.unwrap_or_default(),
        });
    }
    // Before anybody is enrolled: what is in force is always written down.
    keep(layout, &staff)?;
    let path = layout.staff().with_file_name("first-staff.json");
    let text = serde_json::to_string_pretty(&entries).doing(|| "list the first staff".into())?;
    secrets::write(&path, &text)?;
    cluster.run(Service::Identity, &["enrol-staff", "--file", &path.to_string_lossy()]).await.map(|_| ())
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
