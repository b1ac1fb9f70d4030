//! Accounts, sign-in, tokens, staff roles and the personal data of people.
//!
//! ```text
//! api/ ──> handle/ ──> domain/account ──> event_log: one stream per person, found by the claim on its number
//!            │  └────> courier ──> notifications: one-time codes
//!            ├──> hashing: argon2id behind a bounded queue
//!            ├──> store/: plain records of signing in and of getting back in, and who looked at whom
//!            ├──> picture: slider puzzles
//!            ├──> real_name, wechat ──> gateway: providers of a deployment
//!            ├──> shipped: document types, as versioned files
//!            └──> tokens ──> domain/signing_key ──> event_log: one stream of signing keys
//! ```
//!
//! Personal data is sealed beside the events, under a key per person; a number is found by its keyed hash.

pub mod access_log;
pub mod api;
pub mod chance;
pub mod config;
pub mod courier;
pub mod domain;
pub mod enrol;
pub mod error;
pub mod handle;
pub mod hashing;
pub mod import_legacy;
pub mod picture;
pub mod reactions;
pub mod real_name;
pub mod shipped;
pub mod staff_list;
pub mod store;
pub mod tokens;
pub mod totp;
pub mod views;
pub mod wechat;

use std::path::PathBuf;
use std::thread::available_parallelism;

use access::root::{RootKey, RootPublicKey};
use access::{Rule, Table};
use audit::{Methods, When};
use eventbus::{Bus, BusHandle};
use proto::identity::v1::access_log_server::AccessLogServer;
use proto::identity::v1::accounts_server::AccountsServer;
use proto::identity::v1::credentials_server::CredentialsServer;
use proto::identity::v1::document_types_server::DocumentTypesServer;
use proto::identity::v1::erasure_server::ErasureServer;
use proto::identity::v1::export_server::ExportServer;
use proto::identity::v1::keys_server::KeysServer;
use proto::identity::v1::my_sessions_server::MySessionsServer;
use proto::identity::v1::phone_fixes_server::PhoneFixesServer;
use proto::identity::v1::profiles_server::ProfilesServer;
use proto::identity::v1::puzzle_sign_in_server::PuzzleSignInServer;
use proto::identity::v1::real_name_server::RealNameServer;
use proto::identity::v1::recovery_server::RecoveryServer;
use proto::identity::v1::second_factor_server::SecondFactorServer;
use proto::identity::v1::sessions_server::SessionsServer;
use proto::identity::v1::staff_lists_server::StaffListsServer;
use proto::identity::v1::staff_server::StaffServer;
use proto::identity::v1::wechat_bindings_server::WechatBindingsServer;
use proto::identity::v1::{Role, StaffRoleRevoked};
use rpc::Surface;
use service::erasure::OnPersonErased;
use service::{Failure, Ground, Service};
use uuid::Uuid;

use crate::access_log::AccessLog;
use crate::config::Settings;
use crate::courier::Courier;
use crate::handle::{Enrolled, Handle};
use crate::hashing::Hasher;
use crate::picture::Painter;
use crate::reactions::ForgetAccount;
use crate::real_name::Provider;
use crate::store::access_records::AccessRecords;
use crate::store::accounts::Accounts;
use crate::store::attempts::Attempts;
use crate::store::codes::Codes;
use crate::store::puzzles::Puzzles;
use crate::store::recoveries::Recoveries;
use crate::store::second_factors::SecondFactors;
use crate::store::sessions::Sessions;
use crate::store::wechat::WechatTickets;
use crate::tokens::Tokens;
use crate::views::erasures::Erasures;
use crate::views::grants::Grants;
use crate::views::phone_fixes::PhoneFixes;
use crate::views::standing::{self, Filed};
use crate::views::units::{self, Units, UnitsView};
use crate::wechat::Wechat;

/// The service.
#[derive(Debug)]
pub struct Identity {
    handle: Handle,
}

/// Commands beyond those of every service.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Enrols the first staff, once; the same list again changes nothing.
    EnrolStaff {
        /// JSON list of {number, name, phone, password, role, division, `unit_id`, `totp_secret`}.
        #[arg(long)]
        file: PathBuf,
    },
    /// Imports accounts of the old system from before 2019-03-01; the same file again changes nothing.
    ImportLegacy {
        /// CSV in UTF-8 with the header `number,name,created_at`; times in RFC 3339.
        #[arg(long)]
        file: PathBuf,
        /// Takes the rejected rows as CSV: line, field, reason.
        #[arg(long)]
        report: PathBuf,
        /// Reports only.
        #[arg(long)]
        dry_run: bool,
    },
}

impl Service for Identity {
    const NAME: &'static str = "identity";

    const ACCESS: Table = &[
        ("dingzhu.identity.v1.Accounts/SendPhoneCode", Rule::Anyone),
        ("dingzhu.identity.v1.Accounts/RegisterAccount", Rule::Anyone),
        ("dingzhu.identity.v1.Credentials/ChangePassword", Rule::SignedIn),
        ("dingzhu.identity.v1.Credentials/SendNewPhoneCode", Rule::SignedIn),
        ("dingzhu.identity.v1.Credentials/ChangePhone", Rule::SignedIn),
        ("dingzhu.identity.v1.Credentials/SendEmailCode", Rule::Anyone),
        ("dingzhu.identity.v1.Credentials/ChangeEmail", Rule::SignedIn),
        ("dingzhu.identity.v1.DocumentTypes/ListDocumentTypes", Rule::Anyone),
        ("dingzhu.identity.v1.PhoneFixes/SendPhoneFixCode", Rule::Anyone),
        ("dingzhu.identity.v1.PhoneFixes/RequestPhoneFix", Rule::Anyone),
        ("dingzhu.identity.v1.PhoneFixes/ListPhoneFixes", Rule::Staff(&[Role::Helpdesk])),
        ("dingzhu.identity.v1.PhoneFixes/SettlePhoneFix", Rule::Staff(&[Role::Helpdesk])),
        ("dingzhu.identity.v1.RealName/VerifyRealName", Rule::SignedIn),
        ("dingzhu.identity.v1.Recovery/StartRecovery", Rule::Anyone),
        ("dingzhu.identity.v1.Recovery/SendRecoveryCode", Rule::Anyone),
        ("dingzhu.identity.v1.Recovery/SendRecoveryLink", Rule::Anyone),
        ("dingzhu.identity.v1.Recovery/ResetPasswordByCode", Rule::Anyone),
        ("dingzhu.identity.v1.Recovery/ResetPasswordByLink", Rule::Anyone),
        ("dingzhu.identity.v1.Sessions/StartSignIn", Rule::Anyone),
        ("dingzhu.identity.v1.Sessions/CompleteSignIn", Rule::Anyone),
        ("dingzhu.identity.v1.Sessions/RefreshSession", Rule::Anyone),
        ("dingzhu.identity.v1.Sessions/EndSession", Rule::SignedIn),
        ("dingzhu.identity.v1.MySessions/ListMySessions", Rule::SignedIn),
        ("dingzhu.identity.v1.MySessions/EndMySession", Rule::SignedIn),
        ("dingzhu.identity.v1.MySessions/EndMyOtherSessions", Rule::SignedIn),
        ("dingzhu.identity.v1.PuzzleSignIn/MakePuzzle", Rule::Anyone),
        ("dingzhu.identity.v1.PuzzleSignIn/SignIn", Rule::Anyone),
        ("dingzhu.identity.v1.SecondFactor/EnrolTotp", Rule::SignedIn),
        ("dingzhu.identity.v1.SecondFactor/ConfirmTotp", Rule::SignedIn),
        ("dingzhu.identity.v1.SecondFactor/VerifyTotp", Rule::SignedIn),
        ("dingzhu.identity.v1.SecondFactor/ResetTotp", Rule::Staff(&[Role::SecurityAdmin])),
        ("dingzhu.identity.v1.Profiles/GetProfile", Rule::SignedIn),
        ("dingzhu.identity.v1.Profiles/CompleteProfile", Rule::SignedIn),
        ("dingzhu.identity.v1.Profiles/ChangeProfile", Rule::SignedIn),
        ("dingzhu.identity.v1.Profiles/FindPersonByNumber", Rule::Service(&["certificates"])),
        ("dingzhu.identity.v1.Profiles/GetPersonDetails", Rule::Service(&["applications", "certificates"])),
        ("dingzhu.identity.v1.Profiles/GetContact", Rule::Service(&["notifications"])),
        ("dingzhu.identity.v1.Staff/GrantRole", Rule::Staff(&[Role::SecurityAdmin])),
        ("dingzhu.identity.v1.Staff/RevokeRole", Rule::Staff(&[Role::SecurityAdmin])),
        ("dingzhu.identity.v1.Staff/ListGrants", Rule::Staff(&[Role::SecurityAdmin, Role::Auditor])),
        ("dingzhu.identity.v1.StaffLists/ImportStaff", Rule::Staff(&[Role::SecurityAdmin])),
        ("dingzhu.identity.v1.StaffLists/EndRolesOfUnit", Rule::Staff(&[Role::SecurityAdmin])),
        ("dingzhu.identity.v1.WechatBindings/BeginWechatBinding", Rule::SignedIn),
        ("dingzhu.identity.v1.WechatBindings/CompleteWechatBinding", Rule::SignedIn),
        ("dingzhu.identity.v1.WechatBindings/GetWechatBinding", Rule::SignedIn),
        ("dingzhu.identity.v1.WechatBindings/UnbindWechat", Rule::SignedIn),
        ("dingzhu.identity.v1.WechatBindings/SendRecoveryWechatCode", Rule::Anyone),
        ("dingzhu.identity.v1.Keys/ListSigningKeys", Rule::Anyone),
        ("dingzhu.identity.v1.AccessLog/ListMyAccess", Rule::SignedIn),
        ("dingzhu.identity.v1.AccessLog/Reveal", Rule::Staff(&[Role::Helpdesk])),
        ("dingzhu.identity.v1.AccessLog/FindPerson", Rule::Staff(&[Role::Helpdesk])),
        ("dingzhu.identity.v1.AccessLog/RecordReveal", Rule::Service(&["applications"])),
        ("dingzhu.identity.v1.Export/ExportMyData", Rule::SignedIn),
        ("dingzhu.identity.v1.Erasure/RequestErasure", Rule::SignedIn),
        ("dingzhu.identity.v1.Erasure/WithdrawErasure", Rule::SignedIn),
        ("dingzhu.identity.v1.Erasure/GetReceipt", Rule::Anyone),
    ];

    const AUDITED: Methods = &[
        ("dingzhu.identity.v1.Accounts/RegisterAccount", When::Called),
        ("dingzhu.identity.v1.Credentials/ChangePassword", When::Called),
        ("dingzhu.identity.v1.Credentials/SendNewPhoneCode", When::Called),
        ("dingzhu.identity.v1.Credentials/ChangePhone", When::Called),
        ("dingzhu.identity.v1.Credentials/ChangeEmail", When::Called),
        ("dingzhu.identity.v1.PhoneFixes/RequestPhoneFix", When::Called),
        ("dingzhu.identity.v1.Profiles/CompleteProfile", When::Called),
        ("dingzhu.identity.v1.Profiles/ChangeProfile", When::Called),
        ("dingzhu.identity.v1.RealName/VerifyRealName", When::Called),
        ("dingzhu.identity.v1.Recovery/StartRecovery", When::Called),
        ("dingzhu.identity.v1.Recovery/SendRecoveryCode", When::Called),
        ("dingzhu.identity.v1.Recovery/SendRecoveryLink", When::Called),
        ("dingzhu.identity.v1.Recovery/ResetPasswordByCode", When::Called),
        ("dingzhu.identity.v1.Recovery/ResetPasswordByLink", When::Called),
        ("dingzhu.identity.v1.Sessions/StartSignIn", When::Called),
        ("dingzhu.identity.v1.Sessions/CompleteSignIn", When::Called),
        // A session goes on every ten minutes.
        ("dingzhu.identity.v1.Sessions/RefreshSession", When::Refused),
        ("dingzhu.identity.v1.Sessions/EndSession", When::Called),
        ("dingzhu.identity.v1.MySessions/EndMySession", When::Called),
        ("dingzhu.identity.v1.MySessions/EndMyOtherSessions", When::Called),
        ("dingzhu.identity.v1.PuzzleSignIn/SignIn", When::Called),
        ("dingzhu.identity.v1.SecondFactor/EnrolTotp", When::Called),
        ("dingzhu.identity.v1.SecondFactor/ConfirmTotp", When::Called),
        ("dingzhu.identity.v1.SecondFactor/VerifyTotp", When::Called),
        ("dingzhu.identity.v1.WechatBindings/BeginWechatBinding", When::Called),
        ("dingzhu.identity.v1.WechatBindings/CompleteWechatBinding", When::Called),
        ("dingzhu.identity.v1.WechatBindings/UnbindWechat", When::Called),
        ("dingzhu.identity.v1.WechatBindings/SendRecoveryWechatCode", When::Called),
        ("dingzhu.identity.v1.Export/ExportMyData", When::Called),
        ("dingzhu.identity.v1.Erasure/RequestErasure", When::Called),
        ("dingzhu.identity.v1.Erasure/WithdrawErasure", When::Called),
    ];

    type Settings = Settings;
    type Command = Command;

    fn migrations() -> sqlx::migrate::Migrator {
        sqlx::migrate!()
    }

    async fn wire(ground: &Ground, settings: Settings, bus: Bus) -> Result<(Self, Bus), Failure> {
        let mut handle = handle(ground, &settings).await?;
        let bus = bus
            .own_view(handle.grants.clone())
            .own_view(handle.phone_fixes.clone())
            .view("scheduling", UnitsView)
            .view("applications", handle.filed.clone())
            .own_reaction(OnPersonErased::new(Self::NAME, ground, ForgetAccount { log: ground.log.clone() }));
        let bus = Erasures::views().fold(bus, |bus, (service, view)| bus.view(service, view));
        let complete = bus.reference(units::NAME, |_| std::future::ready(Ok::<_, sqlx::Error>(())));
        handle.units = handle.units.completed_by(complete);
        handle.filed.follow(bus.reference(standing::NAME, |_| async { Ok::<_, eventbus::LoadError>(()) }));
        Ok((Self { handle }, bus))
    }

    fn surface(&self, ground: &Ground, bus: &BusHandle) -> Surface {
        let handle = self.handle.clone();
        handle.tokens.keep(&ground.lifecycle);
        handle.sweep();
        Surface::new()
            .offer(rpc::sized!(AccountsServer::new(api::Accounts { handle: handle.clone() })))
            .offer(rpc::sized!(DocumentTypesServer::new(api::DocumentTypes { handle: handle.clone() })))
            .offer(rpc::sized!(CredentialsServer::new(api::Credentials { handle: handle.clone() })))
            .offer(rpc::sized!(RealNameServer::new(api::RealName { handle: handle.clone() })))
            .offer(rpc::sized!(RecoveryServer::new(api::Recovery { handle: handle.clone() })))
            .offer(rpc::sized!(SessionsServer::new(api::Sessions { handle: handle.clone() })))
            .offer(rpc::sized!(MySessionsServer::new(api::MySessions { handle: handle.clone() })))
            .offer(rpc::sized!(PuzzleSignInServer::new(api::PuzzleSignIn { handle: handle.clone() })))
            .offer(rpc::sized!(ProfilesServer::new(api::Profiles { handle: handle.clone() })))
            .offer(rpc::sized!(SecondFactorServer::new(api::SecondFactor { handle: handle.clone() })))
            .offer(rpc::sized!(WechatBindingsServer::new(api::WechatBindings { handle: handle.clone() })))
            .offer(rpc::sized!(KeysServer::new(api::Keys { tokens: handle.tokens.clone() })))
            .offer(rpc::sized!(StaffListsServer::new(api::StaffLists::new(handle.clone(), bus.clone()))))
            .offer(rpc::sized!(PhoneFixesServer::new(api::PhoneFixes { handle: handle.clone(), bus: bus.clone() })))
            .offer(rpc::sized!(AccessLogServer::new(api::AccessLog { handle: handle.clone() })))
            .offer(rpc::sized!(ExportServer::new(api::Export { handle: handle.clone() })))
            .offer(rpc::sized!(ErasureServer::new(api::Erasure { handle: handle.clone() })))
            .offer(rpc::sized!(StaffServer::new(api::Staff { handle, bus: bus.clone() })))
    }

    async fn erase_again(&self, erasure: Uuid, person: Uuid) -> Result<(), Failure> {
        Ok(self.handle.erase_again(erasure, person).await?)
    }

    async fn run(ground: &Ground, settings: Settings, command: Command) -> Result<(), Failure> {
        let handle = handle(ground, &settings).await?;
        match command {
            Command::EnrolStaff { file } => {
                let enrolled = enrol::enrol(&handle, &file).await?;
                let Enrolled { accounts, grants, second_factors } = enrolled;
                tracing::info!(accounts, grants, second_factors, "the staff is enrolled");
            }
            Command::ImportLegacy { file, report, dry_run } => {
                let done = import_legacy::import(&handle, &file, &report, dry_run).await?;
                tracing::info!(
                    rows = done.rows,
                    imported = done.imported,
                    known = done.known,
                    rejected = done.rejected,
                    dry_run,
                    "the old accounts were read"
                );
            }
        }
        Ok(())
    }
}

/// Everything that the use cases need, on this ground.
pub async fn handle(ground: &Ground, settings: &Settings) -> Result<Handle, Failure> {
    let root = RootKey::read(&settings.root_key_file)?;
    if !is_pinned(&root, ground.root) {
        return Err("the root key is not the one whose public half every service has pinned".into());
    }
    let pepper = access::root::read_key(&settings.pepper_file)?;
    let cores = available_parallelism().map_or(1, usize::from);
    let (pool, log, vault) = (ground.pool.clone(), ground.log.clone(), ground.vault.clone());
    let access_records = AccessRecords::new(pool.clone(), vault.clone());
    Ok(Handle {
        // Only read here: what keeps and sweeps it is the ground of every service.
        trail: audit::Trail::new(pool.clone(), audit::Settings::default()),
        access_log: AccessLog::start(access_records.clone(), &ground.lifecycle),
        access_records,
        document_types: shipped::document_types()?,
        accounts: Accounts::new(log.clone(), vault.clone()),
        codes: Codes::new(pool.clone(), &vault),
        attempts: Attempts::new(&vault),
        puzzles: Puzzles::new(pool.clone()),
        painter: Painter::new(cores),
        proxies: ground.proxies.clone(),
        second_factors: SecondFactors::new(pool.clone()),
        sessions: Sessions::new(pool.clone()),
        recoveries: Recoveries::new(pool.clone(), &vault),
        wechat_tickets: WechatTickets::new(pool.clone(), &vault),
        made_up: vault.index("recovery"),
        grants: Grants::new(pool.clone()),
        phone_fixes: PhoneFixes::new(pool.clone()),
        units: Units::new(pool.clone()),
        filed: Filed::new(pool.clone()),
        erasures: Erasures::new(pool),
        archive_years: settings.archive_years,
        hasher: Hasher::new(pepper.to_vec(), cores),
        courier: Courier::new(ground.peers.channel("notifications")),
        real_name: Provider::open(&settings.real_name)?,
        wechat: Wechat::open(&settings.wechat)?,
        tokens: Tokens::open(log.clone(), vault.clone(), root.clone()).await?,
        requests: vault.index("request"),
        lifecycle: ground.lifecycle.clone(),
        log,
        vault,
        root,
    })
}

/// Whether what this key signs is trusted by the services, this one among them.
fn is_pinned(root: &RootKey, pinned: RootPublicKey) -> bool {
    let mut probe = StaffRoleRevoked::default();
    probe.root_signature = root.sign_revocation(&probe).into();
    pinned.signed_revocation(&probe)
}
