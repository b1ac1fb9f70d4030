//! The service's plain records, and the stored form of its events.

mod deliveries;
pub mod forgetting;
pub mod notice;
mod read_marks;
mod secrets;

pub use deliveries::{Delivery, DeliveryState, Lease, Page, Place, Settlement};
pub use secrets::Claimed;
use sqlx::PgPool;

/// The records of this service. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// Over the service's own database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}
