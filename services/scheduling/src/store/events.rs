//! Events as the log keeps them: the full name of a message and its bytes. All of them are public, none has other parts.

use prost::{Message, Name};
use proto::scheduling::v1 as wire;
use uuid::Uuid;

use super::convert;
use crate::domain::division::Code;
use crate::domain::id::{AgencyId, PlanId, WindowId};
use crate::domain::plan::Event;

/// An event that the log can keep.
pub trait Stored: Sized {
    /// Full name and bytes of its message, as an event of this stream.
    fn write(&self, stream: Uuid) -> (String, Vec<u8>);

    /// Reads it back; `None` when it is not what [`Self::write`] makes.
    fn read(kind: &str, payload: &[u8]) -> Option<Self>;
}

pub(super) fn form<M: Message + Name>(message: &M) -> (String, Vec<u8>) {
    (M::full_name(), message.encode_to_vec())
}

pub(super) fn message<M: Message + Name + Default>(kind: &str, payload: &[u8]) -> Option<M> {
    if kind == M::full_name() { M::decode(payload).ok() } else { None }
}

impl Stored for Event {
    fn write(&self, stream: Uuid) -> (String, Vec<u8>) {
        let plan_id = stream.to_string();
        match self {
            Self::PlanPublished { plan, province, batch } => {
                let province = province.as_str()[..2].to_owned();
                form(&wire::PlanPublished { plan_id: plan.to_string(), province, batch: batch.clone() })
            }
            Self::PlanFinished => form(&wire::PlanFinished { plan_id }),
            Self::AgencyJoined { agency, join_in, is_open } => form(&wire::AgencyJoined {
                plan_id,
                agency_id: agency.to_string(),
                join_in: *join_in,
                is_open: *is_open,
            }),
            Self::WindowOpened { agency, window } => {
                let window = Some(convert::window(window));
                form(&wire::WindowOpened { plan_id, agency_id: agency.to_string(), window })
            }
            Self::WindowExtended { agency, window } => {
                let window = Some(convert::window(window));
                form(&wire::WindowExtended { plan_id, agency_id: agency.to_string(), window })
            }
            Self::WindowClosed { agency, window } => {
                let window = Some(convert::window(window));
                form(&wire::WindowClosed { plan_id, agency_id: agency.to_string(), window })
            }
            Self::WindowCancelled { agency, window } => {
                let (agency_id, window_id) = (agency.to_string(), window.to_string());
                form(&wire::WindowCancelled { plan_id, agency_id, window_id })
            }
            Self::PointAssigned { agency, assignment } => {
                let assignment = Some(convert::assignment(assignment));
                form(&wire::PointAssigned { plan_id, agency_id: agency.to_string(), assignment })
            }
        }
    }

    fn read(kind: &str, payload: &[u8]) -> Option<Self> {
        let agency = |text: &str| convert::id(text).map(AgencyId);
        match kind.strip_prefix("dingzhu.scheduling.v1.")? {
            "PlanPublished" => {
                let wire::PlanPublished { plan_id, province, batch } = message(kind, payload)?;
                let (plan, province) = (PlanId(convert::id(&plan_id)?), Code::parse(&province)?);
                Some(Self::PlanPublished { plan, province, batch })
            }
            "PlanFinished" => message::<wire::PlanFinished>(kind, payload).map(|_| Self::PlanFinished),
            "AgencyJoined" => {
                let wire::AgencyJoined { agency_id, join_in, is_open, .. } = message(kind, payload)?;
                Some(Self::AgencyJoined { agency: agency(&agency_id)?, join_in, is_open })
            }
            "WindowOpened" => {
                let wire::WindowOpened { agency_id, window, .. } = message(kind, payload)?;
                Some(Self::WindowOpened { agency: agency(&agency_id)?, window: convert::read_window(window)? })
            }
            "WindowExtended" => {
                let wire::WindowExtended { agency_id, window, .. } = message(kind, payload)?;
                Some(Self::WindowExtended { agency: agency(&agency_id)?, window: convert::read_window(window)? })
            }
            "WindowClosed" => {
                let wire::WindowClosed { agency_id, window, .. } = message(kind, payload)?;
                Some(Self::WindowClosed { agency: agency(&agency_id)?, window: convert::read_window(window)? })
            }
            "WindowCancelled" => {
                let wire::WindowCancelled { agency_id, window_id, .. } = message(kind, payload)?;
                Some(Self::WindowCancelled { agency: agency(&agency_id)?, window: WindowId(convert::id(&window_id)?) })
            }
            "PointAssigned" => {
                let wire::PointAssigned { agency_id, assignment, .. } = message(kind, payload)?;
                let assignment = convert::read_assignment(assignment)?;
                Some(Self::PointAssigned { agency: agency(&agency_id)?, assignment })
            }
            _ => None,
        }
    }
}
