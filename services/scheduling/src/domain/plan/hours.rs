//! When a command that depends on the hour must be recorded: earlier or later the decision would be another.

use time::{Duration, OffsetDateTime};

use super::{Command, Plan, State};
use crate::domain::window::{CLOSING_NOTICE, Window};

impl State {
    /// From which instant on a command that this state admits may be recorded: when the windows that it takes for over are over.
    pub fn earliest(&self, command: &Command) -> Option<OffsetDateTime> {
        let (windows, now) = self.taken_away(command)?;
        windows.map(Window::end_with_grace).filter(|over| *over <= now).max()
    }

    /// Before which instant a command that this state admits must be recorded.
    pub fn deadline(&self, command: &Command) -> Option<OffsetDateTime> {
        let just_after = |last: OffsetDateTime| last + Duration::MICROSECOND;
        match command {
            Command::OpenWindow { end, .. } => Some(*end),
            Command::ExtendWindow { window, .. } => self.plan()?.find_window(*window).map(|(_, window)| window.end),
            Command::CloseWindow { end, .. } => Some(just_after(*end - CLOSING_NOTICE)),
            Command::CancelWindow { window, .. } => {
                self.plan()?.find_window(*window).map(|(_, window)| just_after(window.last_recall()))
            }
            Command::FinishPlan { .. } | Command::JoinAgency { .. } => {
                let (windows, now) = self.taken_away(command)?;
                windows.map(Window::last_recall).filter(|last| now <= *last).min().map(just_after)
            }
            Command::PublishPlan { .. } | Command::AssignPoint { .. } => None,
        }
    }

    /// The windows in which one may not file any more after a command, and by which hour it was decided.
    fn taken_away(&self, command: &Command) -> Option<(impl Iterator<Item = &Window>, OffsetDateTime)> {
        let (agency, now) = match command {
            Command::FinishPlan { now } => (None, *now),
            Command::JoinAgency { agency: Some(agency), join_in, is_open, now } if !(*join_in && *is_open) => {
                (Some(agency.id), *now)
            }
            Command::PublishPlan { .. }
            | Command::JoinAgency { .. }
            | Command::OpenWindow { .. }
            | Command::ExtendWindow { .. }
            | Command::CloseWindow { .. }
            | Command::CancelWindow { .. }
            | Command::AssignPoint { .. } => return None,
        };
        Some((self.plan().map(|plan| Plan::filing(plan, agency))?, now))
    }
}
