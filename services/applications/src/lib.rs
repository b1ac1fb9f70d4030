//! The registration of a certificate, from draft to conclusion.
//!
//! ```text
//! api/ ──> handle.rs ──> domain/ (decides) ──> eventlog ──> views/applications (lists)
//!             │  ├─ store/filing.rs   what submissions need, one query for all that wait
//!             │  ├─ store/serials.rs  报名号 from reserved blocks
//!             │  └─ views/            directory and rules in memory, certificates and schools in tables
//!             └── details.rs          names and numbers for drafts, from identity and certificates
//! sheet.rs                            files of schools and reviewers, read and written
//! reactions/ ──> handle.rs            prior registrations of the register, and of mistyped numbers
//! ```
//!
//! What it owns, its commands, events and reasons, and which test shows which rule: `README.md`.

pub mod api;
pub mod config;
pub mod details;
pub mod domain;
pub mod error;
pub mod handle;
pub mod reactions;
pub mod sheet;
pub mod shipped;
pub mod store;
pub mod sweep;
pub mod views;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use access::{Rule, Table};
use eventbus::{Bus, BusHandle};
use proto::applications::v1::applications_server::ApplicationsServer;
use proto::applications::v1::bulk_server::BulkServer;
use proto::applications::v1::codes_server::CodesServer;
use proto::applications::v1::confirmation_server::ConfirmationServer;
use proto::applications::v1::drafts_server::DraftsServer;
use proto::applications::v1::due_dates_server::DueDatesServer;
use proto::applications::v1::explanations_server::ExplanationsServer;
use proto::applications::v1::export_server::ExportServer;
use proto::applications::v1::review_server::ReviewServer;
use proto::applications::v1::rules_server::RulesServer;
use proto::applications::v1::statistics_server::StatisticsServer;
use proto::applications::v1::texts_server::TextsServer;
use proto::identity::v1::Role;
use rpc::Surface;
use service::erasure::OnPersonErased;
use service::{Failure, Ground, NoCommand, Service};
use tokio::sync::Semaphore;
use workbook::Workbooks;

use crate::config::Settings;
use crate::details::Details;
use crate::domain::directory::Directory;
use crate::handle::{Changes, Handle};
use crate::reactions::{ForgetApplicant, OnCertificateMerged, OnPriorRegistrationImported};
use crate::shipped::Shipped;
use crate::store::drafts::Drafts;
use crate::store::filing::Filings;
use crate::store::serials::Serials;
use crate::views::Tables;
use crate::views::certificates::{CERTIFICATES, Certificates};
use crate::views::directory::{DIRECTORY, DirectoryView};
use crate::views::rules::{RULES, RuleBook, Rules};
use crate::views::schools::Schools;
use crate::views::texts::{TEXTS, TextBook, Texts};

/// The service.
pub struct Applications {
    handle: Handle,
    drafts: Drafts,
    settings: Settings,
    workbooks: Workbooks,
}

const READERS: Rule = Rule::PersonOrStaff(&[Role::Liaison, Role::Clerk, Role::Reviewer]);
/// Dry runs of rule sets under way at a time in one replica: each holds the histories of a page in memory.
const DRY_RUNS: usize = 2;
const REVIEWER: Rule = Rule::Staff(&[Role::Reviewer]);

impl Service for Applications {
    const NAME: &'static str = "applications";

    const ACCESS: Table = &[
        ("dingzhu.applications.v1.Drafts/StartDraft", Rule::Person),
        ("dingzhu.applications.v1.Drafts/AcceptAgreement", Rule::Person),
        ("dingzhu.applications.v1.Drafts/SaveDraft", Rule::Person),
        ("dingzhu.applications.v1.Drafts/GetDraft", Rule::Person),
        ("dingzhu.applications.v1.Drafts/CheckDraft", Rule::Person),
        ("dingzhu.applications.v1.Drafts/TakeGraceTicket", Rule::Person),
        ("dingzhu.applications.v1.Drafts/DropDraft", Rule::Person),
        ("dingzhu.applications.v1.Drafts/ListTexts", Rule::Person),
        ("dingzhu.applications.v1.Applications/SubmitApplication", Rule::Person),
        ("dingzhu.applications.v1.Applications/AmendApplication", Rule::Person),
        ("dingzhu.applications.v1.Applications/WithdrawApplication", Rule::Person),
        ("dingzhu.applications.v1.Applications/GetApplication", READERS),
        ("dingzhu.applications.v1.Applications/ListApplications", READERS),
        ("dingzhu.applications.v1.Applications/WatchApplications", READERS),
        ("dingzhu.applications.v1.Applications/GetHistory", READERS),
        ("dingzhu.applications.v1.Statistics/CountApplications", READERS),
        ("dingzhu.applications.v1.DueDates/ListDueCertificates", READERS),
        ("dingzhu.applications.v1.DueDates/CountDue", Rule::Staff(&[Role::Liaison, Role::Clerk, Role::Reviewer])),
        ("dingzhu.applications.v1.Explanations/ExplainApplication", READERS),
        (
            "dingzhu.applications.v1.Confirmation/RecordFacts",
            Rule::Staff(&[Role::Liaison, Role::Clerk, Role::Reviewer]),
        ),
        ("dingzhu.applications.v1.Confirmation/ConfirmApplication", Rule::Staff(&[Role::Clerk])),
        ("dingzhu.applications.v1.Confirmation/RefuseConfirmation", Rule::Staff(&[Role::Clerk])),
        ("dingzhu.applications.v1.Confirmation/ReturnApplication", Rule::Staff(&[Role::Liaison, Role::Clerk])),
        ("dingzhu.applications.v1.Review/AssessApplication", REVIEWER),
        ("dingzhu.applications.v1.Review/PassReview", REVIEWER),
        ("dingzhu.applications.v1.Review/SendBack", REVIEWER),
        ("dingzhu.applications.v1.Review/ConcludeApplication", REVIEWER),
        ("dingzhu.applications.v1.Review/RecordConclusionFact", REVIEWER),
        ("dingzhu.applications.v1.Review/ProposeReversal", REVIEWER),
        ("dingzhu.applications.v1.Review/ApproveReversal", REVIEWER),
        ("dingzhu.applications.v1.Bulk/ConfirmApplications", Rule::Staff(&[Role::Clerk])),
        ("dingzhu.applications.v1.Bulk/ReturnApplications", Rule::Staff(&[Role::Liaison, Role::Clerk])),
        ("dingzhu.applications.v1.Bulk/PassReviews", REVIEWER),
        ("dingzhu.applications.v1.Bulk/ConcludeApplications", REVIEWER),
        ("dingzhu.applications.v1.Bulk/ImportFacts", Rule::Staff(&[Role::Liaison, Role::Clerk, Role::Reviewer])),
        ("dingzhu.applications.v1.Bulk/ExportFacts", Rule::Staff(&[Role::Liaison, Role::Clerk, Role::Reviewer])),
        ("dingzhu.applications.v1.Bulk/ImportConclusions", REVIEWER),
        ("dingzhu.applications.v1.Rules/PublishRuleSet", Rule::Staff(&[Role::RuleOfficer])),
        ("dingzhu.applications.v1.Rules/GetRuleSet", Rule::Person),
        ("dingzhu.applications.v1.Rules/DryRunRules", Rule::Staff(&[Role::RuleOfficer])),
        ("dingzhu.applications.v1.Codes/ListCodeTables", Rule::Person),
        ("dingzhu.applications.v1.Codes/GetCodeTable", Rule::Person),
        ("dingzhu.applications.v1.Texts/PublishText", Rule::Staff(&[Role::RuleOfficer])),
        ("dingzhu.applications.v1.Export/ExportMyData", Rule::SignedIn),
    ];

    type Settings = Settings;
    type Command = NoCommand;

    fn migrations() -> sqlx::migrate::Migrator {
        sqlx::migrate!()
    }

    async fn wire(ground: &Ground, settings: Settings, bus: Bus) -> Result<(Self, Bus), Failure> {
        let bus = bus
            .own_view(views::applications::Applications)
            .own_view(Rules)
            .own_view(Texts)
            .view("scheduling", DirectoryView)
            .view("scheduling", Schools)
            .view("certificates", Certificates);
        let drafts = Drafts::new(ground.pool.clone());
        let handle = Handle::new(handle::Ground {
            log: ground.log.clone(),
            vault: ground.vault.clone(),
            tables: Tables::new(ground.pool.clone()),
            details: Details::new(ground.peers.clone()),
            drafts: drafts.clone(),
            filings: Filings::start(ground.pool.clone(), ground.vault.clone(), &ground.lifecycle),
            serials: Serials::new(ground.pool.clone()),
            directory: bus.reference::<Directory, _, _, _>(DIRECTORY, views::directory::load),
            rules: bus.reference(RULES, RuleBook::load),
            texts: bus.reference(TEXTS, TextBook::load),
            certificates: bus.reference(CERTIFICATES, |_| async { Ok::<_, eventbus::LoadError>(()) }),
            shipped: Shipped::read()?,
            changes: Changes::follow(ground.log.clone(), &ground.lifecycle),
        });
        let forget = OnPersonErased::new(Self::NAME, ground, ForgetApplicant { handle: handle.clone() });
        let bus = bus
            .reaction("certificates", OnPriorRegistrationImported { handle: handle.clone() })
            .reaction("certificates", OnCertificateMerged { handle: handle.clone() })
            .reaction("identity", forget);
        let program = settings.workbook_reader.clone().map_or_else(std::env::current_exe, Ok)?;
        let workbooks = Workbooks { program, lifecycle: ground.lifecycle.clone() };
        Ok((Self { handle, drafts, settings, workbooks }, bus))
    }

    fn surface(&self, ground: &Ground, bus: &BusHandle) -> Surface {
        let (handle, lifecycle) = (&self.handle, &ground.lifecycle);
        let every = Duration::from_secs(self.settings.draft_sweep_seconds);
        sweep::start_telling(ground.log.clone(), self.drafts.clone(), lifecycle);
        sweep::start(handle.clone(), self.drafts.clone(), every, self.settings.patience(), lifecycle);
        let drafts = api::DraftsApi { handle: handle.clone(), lifecycle: lifecycle.clone() };
        let watches = api::Watches {
            authority: ground.authority.clone(),
            watchers: rpc::Watchers::new(self.settings.max_watchers),
            longest: Duration::from_secs(self.settings.watch_seconds),
        };
        let applications =
            api::ApplicationsApi { handle: handle.clone(), lifecycle: lifecycle.clone(), bus: bus.clone(), watches };
        let confirmation = api::ConfirmationApi { handle: handle.clone(), lifecycle: lifecycle.clone() };
        let review = api::ReviewApi { handle: handle.clone(), lifecycle: lifecycle.clone() };
        let dry_runs = Arc::new(Semaphore::new(DRY_RUNS));
        let bulk = api::BulkApi {
            handle: handle.clone(),
            lifecycle: lifecycle.clone(),
            bus: bus.clone(),
            workbooks: self.workbooks.clone(),
        };
        let rules = api::RulesApi { handle: handle.clone(), lifecycle: lifecycle.clone(), dry_runs };
        let statistics = api::StatisticsApi { handle: handle.clone(), bus: bus.clone() };
        let due_dates = api::DueDatesApi { handle: handle.clone(), bus: bus.clone() };
        let texts = api::TextsApi { handle: handle.clone(), lifecycle: lifecycle.clone() };
        Surface::new()
            .offer(rpc::sized!(DraftsServer::new(drafts)))
            .offer(rpc::sized!(ExportServer::new(applications.clone())))
            .offer(rpc::sized!(ApplicationsServer::new(applications)))
            .offer(rpc::sized!(ExplanationsServer::new(api::ExplanationsApi { handle: handle.clone() })))
            .offer(rpc::sized!(ConfirmationServer::new(confirmation)))
            .offer(rpc::sized!(ReviewServer::new(review)))
            .offer(rpc::sized!(BulkServer::new(bulk)))
            .offer(rpc::sized!(RulesServer::new(rules)))
            .offer(rpc::sized!(StatisticsServer::new(statistics)))
            .offer(rpc::sized!(DueDatesServer::new(due_dates)))
            .offer(rpc::sized!(TextsServer::new(texts)))
            .offer(rpc::sized!(CodesServer::new(api::CodesApi { handle: handle.clone() })))
    }

    async fn run(_: &Ground, _: Settings, command: NoCommand) -> Result<(), Failure> {
        match command {}
    }
}
