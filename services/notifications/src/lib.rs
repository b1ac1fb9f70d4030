//! Messages to people: inbox, mail, SMS, one-time secrets.
//!
//! ```text
//! events of applications ─> reactions/on_application_step ─> handle.tell ─> NoticeQueued + delivery records
//!                               views/applicants: whose it is                    │                │
//!                                                              views/inbox <─────┘    delivery.rs <┘ mail, SMS
//! identity ─> api/secrets ─> handle.deliver_secret ─> channels/
//! ```
//!
//! What is said stands in `templates/`; which step says it, and what a notice may become, in `domain/`.

pub mod api;
pub mod channels;
pub mod contacts;
pub mod delivery;
pub mod domain;
pub mod error;
pub mod handle;
pub mod reactions;
pub mod settings;
pub mod store;
pub mod templates;
pub mod views;

use access::{Rule, Table};
use eventbus::{Bus, BusHandle};
use lifecycle::{OnDeath, Stage};
use proto::identity::v1::Role;
use proto::notifications::v1::export_server::ExportServer;
use proto::notifications::v1::notices_server::NoticesServer;
use proto::notifications::v1::secrets_server::SecretsServer;
use proto::notifications::v1::templates_server::TemplatesServer;
use rpc::Surface;
use service::erasure::OnPersonErased;
use service::{Failure, Ground, NoCommand, Service};

use crate::contacts::Contacts;
use crate::delivery::Courier;
use crate::handle::Handle;
use crate::reactions::on_application_step::OnApplicationStep;
use crate::reactions::on_person_erased::ForgetRecipient;
use crate::settings::Settings;
use crate::views::applicants::Applicants;
use crate::views::inbox::Inbox;

/// The service.
#[derive(Debug)]
pub struct Notifications {
    handle: Handle,
}

impl Service for Notifications {
    const NAME: &'static str = "notifications";

    const ACCESS: Table = &[
        ("dingzhu.notifications.v1.Notices/ListNotices", Rule::Person),
        ("dingzhu.notifications.v1.Notices/MarkNoticeRead", Rule::Person),
        ("dingzhu.notifications.v1.Export/ExportMyData", Rule::SignedIn),
        ("dingzhu.notifications.v1.Notices/ListDeliveries", Rule::Staff(&[Role::Operator])),
        ("dingzhu.notifications.v1.Templates/ListTemplates", Rule::Person),
        ("dingzhu.notifications.v1.Secrets/Deliver", Rule::Service(&["identity"])),
    ];

    type Settings = Settings;
    type Command = NoCommand;

    fn migrations() -> sqlx::migrate::Migrator {
        sqlx::migrate!()
    }

    async fn wire(ground: &Ground, settings: Settings, bus: Bus) -> Result<(Self, Bus), Failure> {
        let handle = Handle::new(ground.log.clone(), settings)?;
        let applicants = Applicants::new(ground.pool.clone());
        let bus = bus
            .own_view(Inbox::new(ground.pool.clone()))
            .view("applications", applicants.clone())
            .reaction(
                "applications",
                OnApplicationStep { handle: handle.clone(), applicants, vault: ground.vault.clone() },
            )
            .reaction("identity", OnPersonErased::new(Self::NAME, ground, ForgetRecipient { handle: handle.clone() }));
        Ok((Self { handle }, bus))
    }

    fn surface(&self, ground: &Ground, _: &BusHandle) -> Surface {
        let (handle, lifecycle) = (self.handle.clone(), ground.lifecycle.clone());
        let courier = Courier::new(handle.clone(), Contacts::new(ground.peers.channel("identity")));
        lifecycle.spawn("delivery", OnDeath::StopsTheService, courier.run(lifecycle.stopping(Stage::Work)));
        let notices = api::Notices { handle: handle.clone(), lifecycle: lifecycle.clone() };
        let export = api::Export { handle: handle.clone() };
        let secrets = api::Secrets { handle, lifecycle };
        Surface::new()
            .offer(rpc::sized!(ExportServer::new(export)))
            .offer(rpc::sized!(NoticesServer::new(notices)))
            .offer(rpc::sized!(TemplatesServer::new(api::Templates)))
            .offer(rpc::sized!(SecretsServer::new(secrets)))
    }

    async fn run(_: &Ground, _: Settings, command: NoCommand) -> Result<(), Failure> {
        match command {}
    }
}
