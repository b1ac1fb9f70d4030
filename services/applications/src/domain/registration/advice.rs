//! What people are told in good time, and nobody enforces: when the next application is due, how long a conclusion can be
//! appealed against (DOMAIN L6, L6b, L19).

use time::{Date, Duration};

use crate::domain::calendar::add_months;
use crate::domain::registration::filing::earliest;
use crate::domain::registration::state::{Application, Registration};
use crate::domain::rules::RuleSet;
use crate::domain::values::{Conclusion, Status};

/// Days before the expiry within which the text asks for the next application (L6).
const ADVISED_DAYS: i64 = 60;

/// One piece of advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// The next application for the certificate.
    NextApplication {
        /// First day on which it is accepted.
        earliest: Date,
        /// From here on it is advised.
        advised: Date,
        /// The registration holds up to the day before.
        expiry: Date,
    },
    /// A new application for the certificate, which has no registration that holds.
    NewApplication {
        /// First day on which it is accepted.
        earliest: Date,
    },
    /// 行政复议 against the conclusion, by the general law.
    Reconsideration {
        /// Last day, counted from the day of the conclusion.
        until: Date,
    },
    /// 行政诉讼 against the conclusion, by the general law.
    Litigation {
        /// Last day, counted from the day of the conclusion.
        until: Date,
    },
}

impl Registration {
    /// What is to be told about a concluded application; of the next one only about the newest that was not withdrawn.
    pub fn advice(&self, application: &Application, rules: &RuleSet) -> Vec<Advice> {
        let Some(record) = application.conclusion() else { return Vec::new() };
        let newest = self.applications.iter().rfind(|later| later.status() != Status::Withdrawn);
        let is_newest = newest.is_some_and(|newest| newest.number == application.number);
        let mut advice = Vec::new();
        if is_newest {
            let earliest = earliest(self, rules).unwrap_or(record.on);
            advice.push(if record.conclusion == Conclusion::Qualified {
                let expiry = add_months(record.on, rules.cycle_months);
                let advised = expiry.saturating_sub(Duration::days(ADVISED_DAYS));
                Advice::NextApplication { earliest, advised, expiry }
            } else {
                Advice::NewApplication { earliest }
            });
        }
        let days = Duration::days(i64::from(rules.reconsideration_days));
        advice.push(Advice::Reconsideration { until: record.on.saturating_add(days) });
        advice.push(Advice::Litigation { until: add_months(record.on, rules.litigation_months) });
        advice
    }
}
