//! The certificate register of a province: sync, matching, manual entry, conflicts, corrections, restrictions.
//!
//! ```text
//! api/ ──> handle.rs ──> domain/ (decides) ──> eventlog
//!   ├────> import/ (a register's rows, many records at a time)  <──── source/ (registers over HTTP)
//!   └────> views/ (certificates of a person, what contradicts, what is asked, when registers came, agencies)      reactions/ (a certificate finds its owner)
//! ```
//!
//! What it owns, its commands, events and reasons: `README.md`.

pub mod api;
pub mod config;
pub mod domain;
pub mod error;
pub mod handle;
pub mod import;
pub mod reactions;
pub mod source;
pub mod store;
pub mod views;

use access::Rule;
use eventbus::{Bus, BusHandle};
use proto::certificates::v1::certificates_server::CertificatesServer;
use proto::certificates::v1::conflicts_server::ConflictsServer;
use proto::certificates::v1::corrections_server::CorrectionsServer;
use proto::certificates::v1::export_server::ExportServer;
use proto::certificates::v1::restrictions_server::RestrictionsServer;
use proto::certificates::v1::sync_server::SyncServer;
use proto::identity::v1::Role;
use proto::identity::v1::profiles_client::ProfilesClient;
use rpc::Surface;
use service::erasure::OnPersonErased;
use service::{Failure, Ground, NoCommand, Service};

use api::{CertificatesApi, ConflictsApi, CorrectionsApi, RestrictionsApi, SyncApi};
use config::Settings;
use domain::agency::Agencies;
use handle::Handle;
use reactions::on_certificate_merged::OnCertificateMerged;
use reactions::on_certificate_synced::OnCertificateSynced;
use reactions::on_conflict_settled::OnConflictSettled;
use reactions::on_person_erased::ForgetCertificates;
use reactions::on_profile_completed::OnProfileCompleted;
use source::Source;
use views::agencies::{AGENCIES, AgenciesView};
use views::conflicts::Conflicts;
use views::corrections::Corrections;
use views::register::Register;
use views::synced::Synced;
use workbook::Workbooks;

/// The service.
pub struct Certificates {
    handle: Handle,
    source: Option<Source>,
    workbooks: Workbooks,
}

const OFFICER: Rule = Rule::Staff(&[Role::RegisterOfficer]);

impl Service for Certificates {
    const NAME: &'static str = "certificates";

    const ACCESS: access::Table = &[
        ("dingzhu.certificates.v1.Certificates/ListMyCertificates", Rule::Person),
        ("dingzhu.certificates.v1.Certificates/AddCertificate", Rule::Person),
        ("dingzhu.certificates.v1.Certificates/ExplainMissing", Rule::Person),
        ("dingzhu.certificates.v1.Export/ExportMyData", Rule::SignedIn),
        ("dingzhu.certificates.v1.Certificates/GetCertificate", Rule::Staff(&[Role::RegisterOfficer, Role::Reviewer])),
        ("dingzhu.certificates.v1.Certificates/GetCertificateDetails", Rule::Service(&["applications"])),
        ("dingzhu.certificates.v1.Sync/ImportRegister", OFFICER),
        ("dingzhu.certificates.v1.Sync/SyncFromSource", OFFICER),
        ("dingzhu.certificates.v1.Conflicts/ListConflicts", OFFICER),
        ("dingzhu.certificates.v1.Conflicts/SettleConflict", OFFICER),
        ("dingzhu.certificates.v1.Conflicts/MergeCertificates", OFFICER),
        ("dingzhu.certificates.v1.Corrections/RequestCorrection", Rule::Person),
        ("dingzhu.certificates.v1.Corrections/ListMyCorrections", Rule::Person),
        ("dingzhu.certificates.v1.Corrections/ListCorrections", OFFICER),
        ("dingzhu.certificates.v1.Corrections/AnswerCorrection", OFFICER),
        ("dingzhu.certificates.v1.Restrictions/RestrictCertificate", OFFICER),
        ("dingzhu.certificates.v1.Restrictions/LiftRestriction", OFFICER),
    ];

    type Settings = Settings;
    type Command = NoCommand;

    fn migrations() -> sqlx::migrate::Migrator {
        sqlx::migrate!()
    }

    async fn wire(ground: &Ground, settings: Settings, bus: Bus) -> Result<(Self, Bus), Failure> {
        let bus = bus.view("scheduling", AgenciesView);
        let agencies = bus.reference::<Agencies, _, _, _>(AGENCIES, views::agencies::load);
        let handle = Handle::new(ground.log.clone(), ground.vault.clone(), agencies);
        let source = Source::open(&settings.source, handle.clone())?;
        let program = settings.workbook_reader.map_or_else(std::env::current_exe, Ok)?;
        let workbooks = Workbooks { program, lifecycle: ground.lifecycle.clone() };
        let profiles = ProfilesClient::new(ground.peers.channel("identity"));
        let bus = bus
            .own_view(Register)
            .own_view(Synced)
            .own_view(Conflicts)
            .own_view(Corrections)
            .own_reaction(OnConflictSettled { handle: handle.clone() })
            .own_reaction(OnCertificateMerged { handle: handle.clone() })
            .own_reaction(OnCertificateSynced { handle: handle.clone(), profiles: profiles.clone() })
            .reaction("identity", OnProfileCompleted { handle: handle.clone(), profiles })
            .reaction(
                "identity",
                OnPersonErased::new(Self::NAME, ground, ForgetCertificates { handle: handle.clone() }),
            );
        Ok((Self { handle, source, workbooks }, bus))
    }

    fn surface(&self, ground: &Ground, bus: &BusHandle) -> Surface {
        let (handle, lifecycle) = (self.handle.clone(), ground.lifecycle.clone());
        let certificates = CertificatesApi {
            handle: handle.clone(),
            bus: bus.clone(),
            peers: ground.peers.clone(),
            lifecycle: lifecycle.clone(),
        };
        let conflicts = ConflictsApi { handle: handle.clone(), bus: bus.clone(), lifecycle: lifecycle.clone() };
        let corrections = CorrectionsApi { handle: handle.clone(), bus: bus.clone(), lifecycle: lifecycle.clone() };
        if let Some(source) = &self.source {
            source.start(&lifecycle);
        }
        let sync = SyncApi {
            handle: handle.clone(),
            source: self.source.clone(),
            workbooks: self.workbooks.clone(),
            lifecycle: lifecycle.clone(),
        };
        let restrictions = RestrictionsApi { handle, lifecycle };
        Surface::new()
            .offer(rpc::sized!(ExportServer::new(certificates.clone())))
            .offer(rpc::sized!(CertificatesServer::new(certificates)))
            .offer(rpc::sized!(SyncServer::new(sync)))
            .offer(rpc::sized!(ConflictsServer::new(conflicts)))
            .offer(rpc::sized!(CorrectionsServer::new(corrections)))
            .offer(rpc::sized!(RestrictionsServer::new(restrictions)))
    }

    async fn run(_: &Ground, _: Settings, command: NoCommand) -> Result<(), Failure> {
        match command {}
    }
}
