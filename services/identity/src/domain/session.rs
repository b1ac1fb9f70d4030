//! How long a session lives, by its last use and by its beginning, and through which entry it began.

use time::{Duration, OffsetDateTime};

/// The two ends of every session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Without use.
    pub idle: Duration,
    /// In all.
    pub absolute: Duration,
}

/// When a session began and when it was last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Sign-in.
    pub started_at: OffsetDateTime,
    /// Last refresh.
    pub used_at: OffsetDateTime,
}

/// Business entry through which a session began: what one opens, the other does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// 教师资格定期注册申请人网报入口
    Registration,
    /// 教师资格认定
    Recognition,
}

impl Entry {
    /// Number of the entry in the API and in records.
    pub const fn code(self) -> i16 {
        match self {
            Self::Registration => 1,
            Self::Recognition => 2,
        }
    }

    /// The entry of this number.
    pub const fn from_code(code: i32) -> Option<Self> {
        match code {
            1 => Some(Self::Registration),
            2 => Some(Self::Recognition),
            _ => None,
        }
    }
}

impl Limits {
    /// 30 minutes and 12 hours; for staff 15 minutes and 8 hours.
    pub const fn of(staff: bool) -> Self {
        if staff {
            Self { idle: Duration::minutes(15), absolute: Duration::hours(8) }
        } else {
            Self { idle: Duration::minutes(30), absolute: Duration::hours(12) }
        }
    }
}

impl Session {
    /// A session that begins.
    pub const fn begin(now: OffsetDateTime) -> Self {
        Self { started_at: now, used_at: now }
    }

    /// Until when it can be refreshed.
    pub fn ends_at(self, limits: Limits) -> OffsetDateTime {
        (self.used_at + limits.idle).min(self.started_at + limits.absolute)
    }

    /// The session after a use now; `None` when it is over.
    pub fn used(self, limits: Limits, now: OffsetDateTime) -> Option<Self> {
        (now < self.ends_at(limits)).then_some(Self { used_at: now, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn a_session_ends_when_it_is_idle() {
        let (session, limits) = (Session::begin(START), Limits::of(false));
        assert!(session.used(limits, START + Duration::seconds(30 * 60 - 1)).is_some());
        assert_eq!(session.used(limits, START + Duration::minutes(30)), None);
        assert_eq!(session.used(Limits::of(true), START + Duration::minutes(15)), None);
    }

    #[test]
    fn a_session_that_is_always_used_ends_after_twelve_hours() {
        let limits = Limits::of(false);
        let mut session = Session::begin(START);
        let mut uses = 0;
        while let Some(used) = session.used(limits, session.used_at + Duration::minutes(10)) {
            session = used;
            uses += 1;
        }
        assert_eq!(uses, 12 * 6 - 1);
        assert_eq!(session.ends_at(limits), START + Duration::hours(12));
    }
}
