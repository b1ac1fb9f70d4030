//! What a read model is: tables of its own, fed by the events of one service.

use sqlx::PgConnection;

use crate::DecodeError;

/// A read model. Its rows are a function of one service's events alone, so that a rebuild gives the same bytes.
///
/// A kind of event that `apply` does not match is passed over. A new kind is therefore released in two steps: first the
/// readers that know it, then the writers that append it; a view that learns an old kind is rebuilt.
#[tonic::async_trait]
pub trait View: Send + Sync + 'static {
    /// Name of the feed, unique within the service.
    fn name(&self) -> &'static str;

    /// DDL with unqualified names (`CREATE TABLE IF NOT EXISTS …`), run in the schema `views` at each start and in the
    /// schema `rebuild` by a rebuild. Every table has a primary key; no default depends on time or chance.
    fn schema(&self) -> &'static str;

    /// All its tables; a digest covers their rows in the order of their primary keys.
    fn tables(&self) -> &'static [&'static str];

    /// Whether an event can change what the view shows. Others are not handed to [`View::apply`], and references over the
    /// view are not loaded anew for them.
    fn concerns(&self, _event: &crate::Event) -> bool {
        true
    }

    /// Applies events in log order, in the transaction of the checkpoint: one to some hundred when live, thousands at
    /// a time in a rebuild. Reads and writes its own tables only, by unqualified names. An error halts the feed, loudly.
    async fn apply(&self, tx: &mut PgConnection, events: &[crate::Event]) -> Result<(), ViewError>;
}

/// Why a view cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The database failed, or refuses the statement; tried again, ever more slowly.
    #[error("the view's statement failed")]
    Storage(#[from] sqlx::Error),
    /// An event cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// An event contradicts what the view holds.
    #[error("{0}")]
    Contradiction(String),
}
