//! From log to bus: the relay to JetStream, feeds with checkpoints, views, reactions, parking, rebuild.
//!
//! ```text
//!  event_log ──relay──> JetStream stream ──> feeds of other services ──> their views and reactions
//!      └──────────────> feeds of the own events ──> own views and reactions
//! ```
//!
//! A service builds one [`Bus`] from its [`View`]s and [`Reaction`]s, starts it, and keeps the [`BusHandle`]:
//!
//! ```ignore
//! let bus = Bus::new("applications", pool, log, settings.nats)
//!     .own_view(views::Registrations)
//!     .view("scheduling", views::Windows)
//!     .reaction("certificates", reactions::OnCertificateRestricted { handle })
//!     .source("scheduling", channel, || Some(service_token()));
//! let windows = bus.reference("windows", |pool| async move { views::windows::load(&pool).await });
//! let bus = bus.start(&lifecycle).await?;
//! ```
//!
//! * Every event that a consumer sees is linked to the one before by its hash; a feed halts loudly where the link breaks.
//! * A checkpoint moves in the transaction of the effects, and only from where it stood: two replicas that both believe to
//!   hold a lease cannot apply an event twice.
//! * A reaction takes event after event in the order of the log, or, where its effects know nothing of each other, several streams at
//!   once: each in its own order, and the checkpoint behind what is done without a gap.
//! * Tables of views live in the schema `views`, which is in the search path of [`eventlog::pool`]; a migration has run
//!   [`SCHEMA`] before.

mod bus;
mod checkpoint;
mod copy;
mod event;
mod event_feed;
mod feed;
mod fork;
mod handle;
mod lease;
mod lost;
mod message;
mod nats;
mod operations;
mod owner;
mod parking;
mod reacting;
mod reaction;
mod rebuild;
mod reference;
mod relay;
mod rewind;
mod settings;
mod source;
mod status;
mod stream;
mod subscription;
mod view;
mod viewing;

pub use bus::{Bus, StartError};
pub use event::{DecodeError, Event};
pub use event_feed::OwnEvents;
pub use handle::{BusHandle, NotYet};
pub use lost::Unread;
pub use operations::Operator;
pub use reaction::{ABREAST, Reaction, ReactionError, ReactionIds};
pub use rebuild::{RebuildError, RebuildProgress, Rebuilt};
pub use reference::{LoadError, NotReady, Reference};
pub use rewind::begin_again;
pub use settings::NatsSettings;
pub use tonic::async_trait;
pub use view::{View, ViewError};

/// DDL of checkpoints, parked events, the relay's state and the schemas of views; every service has a copy as a migration.
pub const SCHEMA: &str = include_str!("schema.sql");
