//! Who looks at an application, and which words about it are theirs to read.

use uuid::Uuid;

use crate::domain::directory::Directory;
use crate::domain::registration::command::Officer;
use crate::domain::registration::event::{Event, Unit};
use crate::domain::registration::state::Application;

/// As whom somebody looks at an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Whose it is.
    Applicant,
    /// A member of staff, in the name of this unit.
    Staff(Unit),
}

impl Application {
    /// In whose name a member of staff may see it: own agency and those below it, own school, own point.
    pub fn admits(&self, officer: &Officer, directory: &Directory) -> Option<Unit> {
        let reviews = |agency: &Uuid| {
            directory.is_reviewed_by(self.place.agency, *agency)
                || self.route.steps().iter().any(|step| step.agency == *agency)
        };
        let agency = officer.agencies.iter().copied().find(reviews).map(Unit::Agency);
        let school = || officer.schools.contains(&self.place.school).then_some(Unit::School(self.place.school));
        let point = || officer.points.contains(&self.place.point).then_some(Unit::Point(self.place.point));
        agency.or_else(school).or_else(point)
    }
}

impl Reader {
    /// Whether they may read what was written with an event: agencies everything; the applicant what answers them; school and
    /// point everything but who objects, and what is proposed against a conclusion.
    pub fn may_read(self, event: &Event) -> bool {
        match event {
            Event::ConfirmationRefused { .. }
            | Event::ApplicationReturned { .. }
            | Event::ReviewSentBack { to: None, .. }
            | Event::ApplicationConcluded(_)
            | Event::ConclusionReversed { .. }
            | Event::RegistrationRevoked { .. } => true,
            Event::PriorRegistrationRecorded(_)
            | Event::RecordMerged { .. }
            | Event::ApplicationSubmitted(_)
            | Event::ApplicationAmended(_)
            | Event::ApplicationWithdrawn(_)
            | Event::FactsRecorded { .. }
            | Event::ApplicationConfirmed { .. }
            | Event::ReviewPassed { .. }
            | Event::ReviewSentBack { to: Some(_), .. }
            | Event::PublicityBegun { .. }
            | Event::PublicityEnded { .. }
            | Event::CertificateNotePrinted(_) => self != Self::Applicant,
            Event::ObjectionRecorded(_) | Event::ObjectionSettled(_) | Event::ReversalProposed { .. } => {
                matches!(self, Self::Staff(Unit::Agency(_)))
            }
        }
    }
}
