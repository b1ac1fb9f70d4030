//! What every service does alike, so that each one's `main.rs` is a line: settings, start, migrations, log, bus, access, drain.
//!
//! A service implements [`Service`]; [`main`] gives it the commands
//! `serve | migrate | rebuild <view> | verify-log` and those of its own.

pub mod erasure;
mod ground;
mod peers;
mod program;
mod restored;
mod serve;
mod settings;
#[cfg(feature = "testing")]
pub mod testing;

use std::error::Error;

use uuid::Uuid;

pub use ground::{Ground, GroundError};
pub use peers::{PeerChannel, Peers};
pub use program::main;
pub use serve::serve;
pub use settings::Settings;

/// A call allocates some hundred times, on whichever thread: glibc's allocator took a quarter of a service's time under load.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Why a service does not start or a command of it fails; said once, with all its causes, on the way out.
pub type Failure = Box<dyn Error + Send + Sync>;

/// One of the services: its name, its rows of the access table, its wiring.
pub trait Service: Sized + Send + Sync + 'static {
    /// Name in logs, subjects, roles and paths: `applications`.
    const NAME: &'static str;

    /// Who may call which RPC of its own package.
    const ACCESS: access::Table;

    /// The RPCs of its own package whose calls the audit trail records whoever calls; those of staff it records anyway.
    const AUDITED: audit::Methods = &[];

    /// Settings beyond those that all services share.
    type Settings: clap::Args + Clone + Send + Sync + 'static;

    /// Commands beyond those that all services share; [`NoCommand`] where there are none.
    type Command: clap::Subcommand + Send + 'static;

    /// The forward-only migrations of its database.
    fn migrations() -> sqlx::migrate::Migrator;

    /// Builds the service and hangs its views and reactions into the bus.
    fn wire(
        ground: &Ground,
        settings: Self::Settings,
        bus: eventbus::Bus,
    ) -> impl Future<Output = Result<(Self, eventbus::Bus), Failure>> + Send;

    /// The gRPC services that it offers; operations, feed, health and reflection are added for it.
    fn surface(&self, ground: &Ground, bus: &eventbus::BusHandle) -> rpc::Surface;

    /// Records once more that a person is erased, where a log from a backup has lost it: identity's, in whose log alone it stands.
    /// Doing it twice changes nothing.
    fn erase_again(&self, _erasure: Uuid, _person: Uuid) -> impl Future<Output = Result<(), Failure>> + Send {
        std::future::ready(Ok(()))
    }

    /// Runs a command of its own; the server may be running meanwhile.
    fn run(
        ground: &Ground,
        settings: Self::Settings,
        command: Self::Command,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// The commands of a service that has none of its own.
#[derive(Debug, clap::Subcommand)]
pub enum NoCommand {}

/// The settings of a service that has none of its own.
#[derive(Clone, Debug, clap::Args)]
pub struct NoSettings {}
