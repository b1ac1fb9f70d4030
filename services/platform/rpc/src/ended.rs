//! How a call was ended from outside of its handler: its time was over, it panicked, its stream was closed.

use std::sync::{Arc, OnceLock};

use tonic::Status;

/// In the extensions of every request, for layers within: their future or answer is dropped when the call is ended, and may look here what
/// the caller was told. Clones are the same call's.
#[derive(Clone, Debug, Default)]
pub struct Ended(Arc<OnceLock<Status>>);

impl Ended {
    /// What the caller was told; `None` where the call was not ended, or the caller has gone.
    pub fn status(&self) -> Option<&Status> {
        self.0.get()
    }

    pub(crate) fn with(&self, status: &Status) {
        // A call is ended once.
        let _ = self.0.set(status.clone());
    }
}
