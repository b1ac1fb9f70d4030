//! What others may know of a draft, and what becomes of one that nobody works on.

use time::{Date, Duration};
use uuid::Uuid;

use crate::domain::form::Coded;

/// What happens to a draft; the form itself stays in its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftEvent {
    /// Begun.
    Started {
        /// For which certificate.
        certificate: Uuid,
        /// By whom.
        person: Uuid,
    },
    /// It belongs elsewhere now.
    Placed(ChosenPlace),
    /// Thrown away without having been filed.
    Dropped(DraftEnd),
    /// Its owner is to be told of it.
    Reminded {
        /// Whose it is.
        person: Uuid,
        /// First or last.
        reminder: Reminder,
        /// Not deleted before this day in Shanghai.
        delete_on: Date,
    },
}

/// Agency, point and school of a draft as far as they are chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChosenPlace {
    /// 注册机构
    pub agency: Option<Uuid>,
    /// 确认点
    pub point: Option<Uuid>,
    /// 现任教学校
    pub school: Option<Uuid>,
}

impl ChosenPlace {
    /// As the form has it.
    pub fn of(coded: &Coded) -> Self {
        Self { agency: coded.agency, point: coded.point, school: coded.school }
    }
}

/// Why a draft was thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DraftEnd {
    /// By the applicant.
    Applicant,
    /// Nobody came back to it.
    Expiry,
    /// 不同意承诺书
    PledgeRefused,
}

/// Which reminder of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reminder {
    /// The first.
    First,
    /// The one before the deletion.
    Last,
}

impl Reminder {
    /// Place in the order: 1 or 2.
    pub fn number(self) -> i32 {
        match self {
            Self::First => 1,
            Self::Last => 2,
        }
    }
}

/// What comes next for a draft that nobody works on, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its owner is told.
    Remind(Reminder),
    /// It is deleted.
    Delete,
}

impl Step {
    /// The last step first, so that no draft takes two in one go.
    pub const LAST_FIRST: [Self; 3] = [Self::Delete, Self::Remind(Reminder::Last), Self::Remind(Reminder::First)];

    /// Reminders that have gone before it.
    pub fn after_reminders(self) -> i32 {
        match self {
            Self::Remind(reminder) => reminder.number() - 1,
            Self::Delete => Reminder::Last.number(),
        }
    }
}

/// How long each step waits for the one before, the first one for the last saving: whatever is set, nothing is deleted
/// without both reminders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From the last saving to the first reminder.
    pub first: Duration,
    /// From the first reminder to the last one.
    pub last: Duration,
    /// From the last reminder to the deletion.
    pub delete: Duration,
}

impl Patience {
    /// Before a step.
    pub fn before(&self, step: Step) -> Duration {
        match step {
            Step::Remind(Reminder::First) => self.first,
            Step::Remind(Reminder::Last) => self.last,
            Step::Delete => self.delete,
        }
    }

    /// From a reminder to the deletion, if nobody comes back.
    pub fn after(&self, reminder: Reminder) -> Duration {
        match reminder {
            Reminder::First => self.last + self.delete,
            Reminder::Last => self.delete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_comes_after_both_reminders() {
        let counts = Step::LAST_FIRST.map(Step::after_reminders);
        assert_eq!(counts, [2, 1, 0]);
        let patience = Patience { first: Duration::days(3), last: Duration::days(20), delete: Duration::days(7) };
        assert_eq!(Step::LAST_FIRST.map(|step| patience.before(step).whole_days()), [7, 20, 3]);
        assert_eq!(patience.after(Reminder::First), Duration::days(27));
        assert_eq!(patience.after(Reminder::Last), Duration::days(7));
    }
}
