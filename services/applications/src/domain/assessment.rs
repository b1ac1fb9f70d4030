//! `assess`: what the recorded facts and the rule set lead to (DOMAIN L8 to L12). A proposal; the agency concludes.

use std::fmt;

use crate::domain::calendar::Cycle;
use crate::domain::facts::{Facts, Finding, Grade, Interruption, LeaveReason};
use crate::domain::rules::RuleSet;
use crate::domain::values::Restriction;

#[cfg(test)]
mod tests;

/// How a registration is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// 首次注册, n = 1: probation and contract, no cycle (L10c).
    First,
    /// 定期注册 (L10d).
    Cycle {
        /// 注册周期
        cycle: Cycle,
        /// The years of it that count.
        years: Vec<i32>,
    },
}

/// What is known beside the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circumstances {
    /// How it is checked.
    pub check: Check,
    /// Whether the certificate's kind is the one of the stage.
    pub kind_fits: bool,
    /// A restriction of the certificate.
    pub restriction: Option<Restriction>,
}

/// What the rules propose, the hardest first: 不合格 > 暂缓 > needs decision > 合格 (L10b).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proposal {
    /// 注册合格
    Qualified,
    /// The rules leave it to the agency.
    NeedsDecision,
    /// 暂缓注册
    Deferred,
    /// 注册不合格
    Failed,
}

/// A proposal with the articles that carry it and a sentence for each ground.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// The proposal.
    pub proposal: Proposal,
    /// `9.1`, `9.2`, `9.3`, `10.1`, `10.2`, `10.3`; only those of the proposal itself, in this order.
    pub articles: Vec<String>,
    /// Sentences in Chinese.
    pub explanations: Vec<String>,
}

/// A fact without which the point cannot confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// 师德考核
    Ethics,
    /// 身心健康
    Health,
    /// 试用期考核
    Probation,
    /// 聘用合同
    Contract,
    /// 培训学时 or 学分
    Training,
    /// 年度考核 of a year.
    Grade(i32),
    /// 培训 of a year, where the rule set has a bound for it.
    YearTraining(i32),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ethics => f.write_str("师德考核"),
            Self::Health => f.write_str("身心健康状况"),
            Self::Probation => f.write_str("试用期考核"),
            Self::Contract => f.write_str("聘用合同"),
            Self::Training => f.write_str("培训学时或学分"),
            Self::Grade(year) => write!(f, "{year}年年度考核"),
            Self::YearTraining(year) => write!(f, "{year}年培训学时或学分"),
        }
    }
}

/// The facts that are still unknown. A year that has no grade is recorded as 不定等次.
pub fn missing(facts: &Facts, rules: &RuleSet, check: &Check) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut need = |known: bool, fact| {
        if !known {
            missing.push(fact);
        }
    };
    need(facts.ethics.is_some(), Missing::Ethics);
    need(facts.health.is_some(), Missing::Health);
    match check {
        Check::First => {
            need(facts.probation.is_some(), Missing::Probation);
            need(facts.contract.is_some(), Missing::Contract);
        }
        Check::Cycle { years, .. } => {
            need(facts.training_total.is_some(), Missing::Training);
            for year in years {
                need(facts.grades.contains_key(year), Missing::Grade(*year));
            }
            for year in years.iter().filter(|_| rules.training_per_year_min.is_some()) {
                need(facts.training_years.contains_key(year), Missing::YearTraining(*year));
            }
        }
    }
    missing
}

/// Judges the facts. Total: every combination of facts has a proposal.
pub fn assess(facts: &Facts, rules: &RuleSet, circumstances: &Circumstances) -> Assessment {
    let mut grounds = Grounds::default();
    grounds.for_everybody(facts, circumstances.restriction);
    match &circumstances.check {
        Check::First => grounds.of_a_first_registration(facts, circumstances.kind_fits),
        Check::Cycle { cycle, years } => grounds.of_a_cycle(facts, rules, *cycle, years),
    }
    for fact in missing(facts, rules, &circumstances.check) {
        grounds.undecided(format!("缺少{fact}，由注册机构认定。"));
    }
    grounds.conclude()
}

/// What speaks for each proposal but 合格, which is what remains when nothing does.
#[derive(Default)]
struct Grounds {
    failed: Vec<(&'static str, String)>,
    deferred: Vec<(&'static str, String)>,
    undecided: Vec<String>,
}

impl Grounds {
    fn for_everybody(&mut self, facts: &Facts, restriction: Option<Restriction>) {
        if facts.ethics == Some(Finding::Failed) {
            self.failed.push(("10.1", "师德考核不合格。".to_owned()));
        }
        match restriction {
            Some(Restriction::Forfeited | Restriction::RevokedConduct | Restriction::RevokedFraud) => {
                self.failed.push(("10.3", "教师资格已被依法撤销或丧失。".to_owned()));
            }
            Some(Restriction::ExamCheating | Restriction::Unspecified) => {
                self.undecided("证书受到限制，由注册机构认定。".to_owned());
            }
            Some(Restriction::RecordsDisagree) => {
                self.undecided("证书数据存在异常，由证书所属省份核实。".to_owned());
            }
            None => {}
        }
        if facts.health == Some(Finding::Failed) {
            self.undecided("身心健康状况不合格，由注册机构认定。".to_owned());
        }
        for (name, _) in facts.others.iter().filter(|(_, met)| !met) {
            self.undecided(format!("未满足本省规定的其他条件（{name}），由注册机构认定。"));
        }
    }

    /// L10c: hours and yearly grades do not count.
    fn of_a_first_registration(&mut self, facts: &Facts, kind_fits: bool) {
        if facts.probation == Some(Finding::Failed) {
            self.undecided("试用期考核不合格，由注册机构认定。".to_owned());
        }
        if facts.contract == Some(Finding::Failed) {
            self.undecided("未聘用为在编在岗教师，由注册机构认定。".to_owned());
        }
        if !kind_fits {
            self.undecided("资格种类与现任教学段不一致，由注册机构认定。".to_owned());
        }
    }

    fn of_a_cycle(&mut self, facts: &Facts, rules: &RuleSet, cycle: Cycle, years: &[i32]) {
        self.grades(facts, rules, years);
        self.training(facts, rules, years);
        self.interruptions(facts, rules, cycle);
    }

    /// 9.3 any year 不合格, 10.2 two or more years in a row.
    fn grades(&mut self, facts: &Facts, rules: &RuleSet, years: &[i32]) {
        let grade = |year: &i32| facts.grades.get(year).copied();
        let unqualified = |year: &i32| grade(year) == Some(Grade::Unqualified);
        if years.iter().any(|year| unqualified(year) && years.contains(&(year + 1)) && unqualified(&(year + 1))) {
            self.failed.push(("10.2", "注册周期内连续两年以上（含两年）年度考核不合格。".to_owned()));
        }
        if years.iter().any(unqualified) {
            self.deferred.push(("9.3", "注册周期内有一年年度考核不合格。".to_owned()));
        }
        for year in years {
            let open = |grade: &Grade| *grade != Grade::Unqualified && !rules.qualifying_grades.contains(grade);
            if let Some(grade) = grade(year).filter(open) {
                self.undecided(format!("{year}年年度考核为{}，由注册机构认定。", grade.name()));
            }
        }
    }

    /// 9.1: the cycle's hours or credits, and those of each year where there is a bound.
    fn training(&mut self, facts: &Facts, rules: &RuleSet, years: &[i32]) {
        let unit = rules.training_unit.name();
        if facts.training_total.is_some_and(|total| total < rules.training_per_cycle_min) {
            let sentence = format!("注册周期内培训未满{}{unit}。", rules.training_per_cycle_min);
            self.deferred.push(("9.1", sentence));
        }
        if let Some(min) = rules.training_per_year_min {
            let short = |year: &&i32| facts.training_years.get(year).is_some_and(|amount| *amount < min);
            for year in years.iter().filter(short) {
                self.deferred.push(("9.1", format!("{year}年培训未满{min}{unit}。")));
            }
        }
    }

    /// 9.2: the semesters of all unapproved stops of the cycle together, whole where one reaches beyond it. Only the five
    /// reasons of the text excuse; another approved reason is for the agency to judge.
    fn interruptions(&mut self, facts: &Facts, rules: &RuleSet, cycle: Cycle) {
        let excused = |stop: &Interruption| stop.approved && stop.reason != LeaveReason::Other;
        let of_the_cycle = |stop: &Interruption| stop.from < cycle.to && cycle.from <= stop.to;
        let counted = || facts.interruptions.iter().filter(|stop| of_the_cycle(stop) && !excused(stop));
        let reaches = |semesters: f64| {
            semesters > 0.0
                && (semesters > rules.interruption_semesters
                    || rules.interruption_inclusive && semesters >= rules.interruption_semesters)
        };
        if reaches(counted().filter(|stop| !stop.approved).map(|stop| stop.semesters).sum()) {
            let bound = rules.interruption_semesters;
            self.deferred.push(("9.2", format!("未经批准中止教育教学和教育管理工作{bound}学期以上。")));
        } else if reaches(counted().map(|stop| stop.semesters).sum()) {
            self.undecided("因其他经批准的原因中止教学，由注册机构认定。".to_owned());
        }
    }

    fn undecided(&mut self, sentence: String) {
        self.undecided.push(sentence);
    }

    fn conclude(self) -> Assessment {
        let (proposal, grounds) = if !self.failed.is_empty() {
            (Proposal::Failed, self.failed)
        } else if !self.deferred.is_empty() {
            (Proposal::Deferred, self.deferred)
        } else if !self.undecided.is_empty() {
            let explanations = self.undecided;
            return Assessment { proposal: Proposal::NeedsDecision, articles: Vec::new(), explanations };
        } else {
            (Proposal::Qualified, Vec::new())
        };
        // In the order of the articles, each once: 9.1 < 9.2 < 9.3, 10.1 < 10.2 < 10.3.
        let (mut articles, explanations): (Vec<String>, Vec<String>) =
            grounds.into_iter().map(|(article, sentence)| (article.to_owned(), sentence)).unzip();
        articles.sort_unstable();
        articles.dedup();
        Assessment { proposal, articles, explanations }
    }
}
