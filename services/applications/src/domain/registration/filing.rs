//! Whether a certificate may be applied for again, and for the how manieth time (DOMAIN L6b, L17b, enrol number).

use time::{Date, Duration};

use crate::domain::calendar::add_months;
use crate::domain::registration::rejection::Rejection;
use crate::domain::registration::state::{Prior, Registration};
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
        let prior = self.prior.iter().map(Prior::standing);
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

/// What keeps a record from a new application, and until when.
fn bars(standings: &[Standing], rules: &RuleSet) -> Vec<(Date, Rejection)> {
    let mut bars = Vec::new();
    let revoked = standings.iter().rev().find(|standing| standing.conclusion == Conclusion::Revoked);
    if let Some(Standing { on, .. }) = revoked.copied() {
        let earliest = add_months(on, rules.revocation_bar_years * 12);
        bars.push((earliest, Rejection::RevokedRecently { on, earliest }));
    }
    match standings.last().copied() {
        Some(Standing { conclusion: Conclusion::Qualified, on, .. }) => {
            let earliest = add_months(on, rules.interval_months);
            let expiry = add_months(on, rules.cycle_months);
            bars.push((earliest, Rejection::RegisteredRecently { on, earliest, expiry }));
        }
        Some(Standing { conclusion: Conclusion::Failed, on, .. }) => {
            let earliest = on.saturating_add(Duration::days(i64::from(rules.reapply_after_failed_days)));
            bars.push((earliest, Rejection::FailedRecently { on, earliest }));
        }
        Some(Standing { conclusion: Conclusion::Deferred | Conclusion::Revoked, .. }) | None => {}
    }
    bars
}

/// First day on which the record takes a new application; `None` where nothing has ever kept it from one.
pub fn earliest(record: &Registration, rules: &RuleSet) -> Option<Date> {
    bars(&record.standings(), rules).into_iter().map(|(earliest, _)| earliest).max()
}

/// The ordinal of a new application today, or why there may be none yet. After 注册合格 n + 1, else the same n.
pub fn ordinal(record: &Registration, rules: &RuleSet, today: Date) -> Result<Ordinal, Rejection> {
    let standings = record.standings();
    if let Some((_, refusal)) = bars(&standings, rules).into_iter().find(|(earliest, _)| today < *earliest) {
        return Err(refusal);
    }
    Ok(match standings.last() {
        None => 1,
        Some(last) if last.conclusion == Conclusion::Qualified => last.ordinal + 1,
        Some(last) => last.ordinal,
    })
}
