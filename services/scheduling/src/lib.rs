//! Where and when one may apply: divisions, agencies, points, schools, plans, filing windows, and slots of the points.
//!
//! ```text
//! api/ ──> handle.rs ──> domain/ (decides) ──> eventlog
//!   │         └────────> store/taken.rs (places of slots: the claims of the log)
//!   └────> views/ (agencies and plans in memory; points, schools, slots, applications in tables)
//! reactions/ ──> handle/slots.rs   what becomes of applications frees their places
//! import.rs, export.rs             agencies, points and schools as files; import.rs through handle/directory.rs
//! ```
//!
//! What it owns, its commands, events and reasons: `README.md`.

pub mod api;
pub mod config;
pub mod domain;
pub mod error;
pub mod export;
pub mod handle;
pub mod import;
pub mod reactions;
pub mod seed;
pub mod store;
pub mod views;

use std::path::PathBuf;

use access::Rule;
use eventbus::{Bus, BusHandle, Reference};
use proto::identity::v1::Role;
use proto::scheduling::v1::availability_server::AvailabilityServer;
use proto::scheduling::v1::directory_server::DirectoryServer;
use proto::scheduling::v1::plans_server::PlansServer;
use proto::scheduling::v1::slots_server::SlotsServer;
use rpc::Surface;
use service::{Failure, Ground, Service};

use api::{AvailabilityApi, DirectoryApi, Memory, PlansApi, SlotsApi};
use config::Settings;
use handle::Handle;
use handle::slots::Slots;
use reactions::OnApplicationChanged;
use store::Aggregates;
use views::applications::{APPLICATIONS, Applications, Registry};
use views::directory::{Agencies, DIRECTORY, Directory, Points};
use views::drafts::{DRAFTS, DraftView};
use views::filings::{FILINGS, FilingView, Filings};
use views::graduate_schools::{GraduateSchoolList, GraduateSchools};
use views::plans::{PLANS, PlanIndex, Plans};
use views::schools::{SchoolList, Schools};
use views::slots::Calendar;
use views::subjects::{SubjectList, Subjects};

/// The service.
pub struct Scheduling {
    settings: Settings,
    handle: Handle,
    agencies: Reference<Agencies>,
    plans: Reference<Plans>,
    /// Whether all applications are known.
    filed: Reference<()>,
    /// Whether all drafts are known.
    begun: Reference<()>,
    slots: Slots,
}

/// Commands beyond those of every service.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Adds the education authorities of the national tree, and schools and points from files. What is there already stays
    /// as it is, so that it can be repeated.
    SeedDirectory {
        /// CSV with the header `name,division,agency,kind`: six digits of the county and of the agency's division.
        #[arg(long)]
        schools: Option<PathBuf>,
        /// CSV with the header `name,agency,school_division,school`; the last two are empty where a point is no school.
        #[arg(long)]
        points: Option<PathBuf>,
    },
}

const OFFICER: Rule = Rule::Staff(&[Role::ScheduleOfficer]);
const CLERK: Rule = Rule::Staff(&[Role::Clerk]);

impl Service for Scheduling {
    const NAME: &'static str = "scheduling";

    const ACCESS: access::Table = &[
        ("dingzhu.scheduling.v1.Directory/ListDivisions", Rule::Person),
        ("dingzhu.scheduling.v1.Directory/ListAgencies", Rule::Person),
        ("dingzhu.scheduling.v1.Directory/GetAgency", Rule::Person),
        ("dingzhu.scheduling.v1.Directory/ListPoints", Rule::Person),
        ("dingzhu.scheduling.v1.Directory/ListSchools", Rule::Person),
        ("dingzhu.scheduling.v1.Directory/ListSubjects", Rule::Person),
        ("dingzhu.scheduling.v1.Directory/ListGraduateSchools", Rule::Person),
        ("dingzhu.scheduling.v1.Directory/AddGraduateSchool", Rule::Person),
        ("dingzhu.scheduling.v1.Directory/ImportDirectory", OFFICER),
        ("dingzhu.scheduling.v1.Directory/ExportDirectory", OFFICER),
        ("dingzhu.scheduling.v1.Directory/AddAgency", OFFICER),
        ("dingzhu.scheduling.v1.Directory/RenameAgency", OFFICER),
        ("dingzhu.scheduling.v1.Directory/AbolishAgency", OFFICER),
        ("dingzhu.scheduling.v1.Directory/AddPoint", OFFICER),
        ("dingzhu.scheduling.v1.Directory/RenamePoint", OFFICER),
        ("dingzhu.scheduling.v1.Directory/SetPointRange", OFFICER),
        ("dingzhu.scheduling.v1.Directory/ClosePoint", OFFICER),
        ("dingzhu.scheduling.v1.Directory/AddSchool", OFFICER),
        ("dingzhu.scheduling.v1.Directory/RenameSchool", OFFICER),
        ("dingzhu.scheduling.v1.Directory/MoveSchool", OFFICER),
        ("dingzhu.scheduling.v1.Directory/CloseSchool", OFFICER),
        ("dingzhu.scheduling.v1.Directory/AddSubject", OFFICER),
        ("dingzhu.scheduling.v1.Directory/SwitchSubject", OFFICER),
        ("dingzhu.scheduling.v1.Plans/PublishPlan", OFFICER),
        ("dingzhu.scheduling.v1.Plans/FinishPlan", OFFICER),
        ("dingzhu.scheduling.v1.Plans/JoinAgency", OFFICER),
        ("dingzhu.scheduling.v1.Plans/OpenWindow", OFFICER),
        ("dingzhu.scheduling.v1.Plans/ExtendWindow", OFFICER),
        ("dingzhu.scheduling.v1.Plans/CloseWindow", OFFICER),
        ("dingzhu.scheduling.v1.Plans/CancelWindow", OFFICER),
        ("dingzhu.scheduling.v1.Plans/AssignPoint", OFFICER),
        ("dingzhu.scheduling.v1.Plans/PreviewChange", OFFICER),
        ("dingzhu.scheduling.v1.Plans/ListSupersededSubmissions", OFFICER),
        ("dingzhu.scheduling.v1.Plans/GetPlan", Rule::Person),
        ("dingzhu.scheduling.v1.Plans/ListPlans", Rule::Person),
        ("dingzhu.scheduling.v1.Availability/CheckAvailability", Rule::Person),
        ("dingzhu.scheduling.v1.Availability/WatchAvailability", Rule::Person),
        ("dingzhu.scheduling.v1.Slots/PublishCapacity", CLERK),
        ("dingzhu.scheduling.v1.Slots/ListSlots", Rule::Person),
        ("dingzhu.scheduling.v1.Slots/BookSlot", Rule::Person),
        ("dingzhu.scheduling.v1.Slots/MoveSlot", Rule::Person),
        ("dingzhu.scheduling.v1.Slots/ReleaseSlot", Rule::PersonOrStaff(&[Role::Liaison])),
        ("dingzhu.scheduling.v1.Slots/GetMyBooking", Rule::Person),
        ("dingzhu.scheduling.v1.Slots/BookBlock", Rule::Staff(&[Role::Liaison])),
        ("dingzhu.scheduling.v1.Slots/MarkNoShow", CLERK),
        ("dingzhu.scheduling.v1.Slots/ListBookings", CLERK),
        ("dingzhu.scheduling.v1.Slots/ExportBookings", CLERK),
    ];

    type Settings = Settings;
    type Command = Command;

    fn migrations() -> sqlx::migrate::Migrator {
        sqlx::migrate!()
    }

    async fn wire(ground: &Ground, settings: Settings, bus: Bus) -> Result<(Self, Bus), Failure> {
        let aggregates = Aggregates::new(ground.log.clone());
        let handle = Handle::new(ground.log.clone(), aggregates.clone());
        let bus = bus
            .own_view(Directory)
            .own_view(Schools)
            .own_view(Subjects)
            .own_view(GraduateSchools)
            .own_view(PlanIndex)
            .own_view(views::slots::Slots)
            .view("applications", Applications)
            .view("applications", FilingView)
            .view("applications", DraftView);
        let agencies = bus.reference(DIRECTORY, Agencies::load);
        let plans = bus.reference(PLANS, move |pool| Plans::load(pool, aggregates.clone()));
        let applications = bus.reference(APPLICATIONS, |_| async { Ok::<_, eventbus::LoadError>(()) });
        let filed = bus.reference(FILINGS, |_| async { Ok::<_, eventbus::LoadError>(()) });
        let begun = bus.reference(DRAFTS, |_| async { Ok::<_, eventbus::LoadError>(()) });
        let registry = (applications, Registry::new(ground.pool.clone()));
        let calendar = Calendar::new(ground.pool.clone());
        let slots = Slots::new(handle.clone(), plans.clone(), registry, calendar, settings.max_no_shows);
        let bus = bus.reaction("applications", OnApplicationChanged { slots: slots.clone() });
        Ok((Self { settings, handle, agencies, plans, filed, begun, slots }, bus))
    }

    fn surface(&self, ground: &Ground, bus: &BusHandle) -> Surface {
        let directory = DirectoryApi {
            handle: self.handle.clone(),
            agencies: self.agencies.clone(),
            points: Points::new(ground.pool.clone()),
            schools: SchoolList::new(ground.pool.clone()),
            subjects: SubjectList::new(ground.pool.clone()),
            graduate_schools: GraduateSchoolList::new(ground.pool.clone()),
            bus: bus.clone(),
            lifecycle: ground.lifecycle.clone(),
        };
        let plans = PlansApi {
            handle: self.handle.clone(),
            plans: self.plans.clone(),
            filed: self.filed.clone(),
            begun: self.begun.clone(),
            filings: Filings::new(ground.pool.clone()),
            lifecycle: ground.lifecycle.clone(),
        };
        let availability = AvailabilityApi {
            memory: Memory { agencies: self.agencies.clone(), plans: self.plans.clone() },
            watchers: rpc::Watchers::new(self.settings.max_watchers),
            stopping: ground.lifecycle.soft(),
        };
        let slots = SlotsApi {
            slots: self.slots.clone(),
            calendar: Calendar::new(ground.pool.clone()),
            lifecycle: ground.lifecycle.clone(),
        };
        Surface::new()
            .offer(rpc::sized!(DirectoryServer::new(directory)))
            .offer(rpc::sized!(PlansServer::new(plans)))
            .offer(rpc::sized!(AvailabilityServer::new(availability)))
            .offer(rpc::sized!(SlotsServer::new(slots)))
    }

    async fn run(ground: &Ground, _: Settings, command: Command) -> Result<(), Failure> {
        let Command::SeedDirectory { schools, points } = command;
        let handle = Handle::new(ground.log.clone(), Aggregates::new(ground.log.clone()));
        Ok(seed::directory(&handle, &SchoolList::new(ground.pool.clone()), schools.as_deref(), points.as_deref())
            .await?)
    }
}
