//! Whether a certificate may be applied for again, and for the how manieth time (DOMAIN L6b, L17b, enrol number).

use time::{Date, Duration};

use crate::domain::calendar::add_months;
use crate::domain::registration::rejection::Rejection;
use crate::domain::registration::state::Registration;
use crate::domain::rules::RuleSet;
use crate::domain::values::Conclusion;

/// 注册次数.
pub type Ordinal = u32;

/// A conclusion of this certificate that stands, from the register or from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// 注册次数
    pub ordinal: Ordinal,
    /// The conclusion.
    pub conclusion: Conclusion,
    /// Its day.
    pub on: Date,
}

impl Registration {
    /// All conclusions that stand, oldest first.
    pub fn standings(&self) -> Vec<Standing> {
        let prior = self.prior.iter().map(|prior| Standing {
            ordinal: prior.ordinal,
            conclusion: prior.conclusion,
            on: prior.on,
        });
        let here = self.applications.iter().filter(|application| application.merged_into.is_none());
        let here = here.filter_map(|application| {
            let record = application.conclusion()?;
            Some(Standing { ordinal: application.ordinal, conclusion: record.conclusion, on: record.on })
        });
        let mut standings: Vec<Standing> = prior.chain(here).collect();
        standings.sort_by_key(|standing| standing.on);
        standings
    }
}

/// The ordinal of a new application today, or why there may be none yet. After 注册合格 n + 1, else the same n.
pub fn ordinal(record: &Registration, rules: &RuleSet, today: Date) -> Result<Ordinal, Rejection> {
    let standings = record.standings();
    let latest = |conclusion| standings.iter().rev().find(|standing| standing.conclusion == conclusion);
    if let Some(revoked) = latest(Conclusion::Revoked) {
        let earliest = add_months(revoked.on, rules.revocation_bar_years * 12);
        if today < earliest {
            return Err(Rejection::RevokedRecently { on: revoked.on, earliest });
        }
    }
    let Some(last) = standings.last() else {
        return Ok(1);
    };
    match last.conclusion {
        Conclusion::Qualified => {
            let earliest = add_months(last.on, rules.interval_months);
            if today < earliest {
                return Err(Rejection::RegisteredRecently { on: last.on, earliest });
            }
            Ok(last.ordinal + 1)
        }
        Conclusion::Failed => {
            let earliest = last.on.saturating_add(Duration::days(i64::from(rules.reapply_after_failed_days)));
            if today < earliest {
                return Err(Rejection::FailedRecently { on: last.on, earliest });
            }
            Ok(last.ordinal)
        }
        Conclusion::Deferred | Conclusion::Revoked => Ok(last.ordinal),
    }
}
