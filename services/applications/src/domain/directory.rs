//! Agencies, points and plans as this service knows them from scheduling: a snapshot that rules are judged on.

use std::collections::{BTreeMap, HashMap};

use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::domain::route::Step;
use crate::domain::values::{Level, Stage};

/// 注册机构.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agency {
    /// Six digits: 320000, 320300, 320302.
    pub division: String,
    /// 徐州市教育局: its names by their first days; the first one holds since [`Date::MIN`].
    pub names: BTreeMap<Date, String>,
    /// First day without it.
    pub abolished_on: Option<Date>,
    /// Its level; `None` for the national centre, which reviews nothing.
    pub level: Option<Level>,
    /// The agency above.
    pub parent: Option<Uuid>,
}

impl Agency {
    /// What it is called on a day.
    pub fn name_on(&self, day: Date) -> &str {
        self.names.range(..=day).next_back().map_or("", |(_, name)| name)
    }

    /// The first day without it, when that has come by a day.
    pub fn ended_by(&self, day: Date) -> Option<Date> {
        self.abolished_on.filter(|on| *on <= day)
    }
}

/// 确认点.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Its agency.
    pub agency: Uuid,
    /// Its name.
    pub name: String,
    /// Nobody confirms there any more.
    pub closed: bool,
}

/// 省级计划, the newest of its province.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its id.
    pub id: Uuid,
    /// Whether it is over.
    pub finished: bool,
}

/// 机构计划: what an agency does within the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgencyPlan {
    /// 是否参加
    pub joined: bool,
    /// 是否开通网报
    pub open: bool,
    /// 网报时间段, in order of their begin.
    pub windows: Vec<Window>,
    /// 确认点安排
    pub assignments: HashMap<Uuid, Assignment>,
}

/// 网报时间段: inside is begin ≤ now < end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its id.
    pub id: Uuid,
    /// From here on.
    pub begin: OffsetDateTime,
    /// Up to here, outside.
    pub end: OffsetDateTime,
    /// Minutes after the end for those with a ticket.
    pub grace_minutes: u32,
    /// Rises with each extension or closing.
    pub revision: u32,
}

impl Window {
    /// Until when a ticket of this window admits.
    pub fn end_with_grace(&self) -> OffsetDateTime {
        self.end + time::Duration::minutes(i64::from(self.grace_minutes))
    }
}

/// When a point confirms: begin ≤ now < end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    /// From here on.
    pub begin: OffsetDateTime,
    /// Up to here, outside.
    pub end: OffsetDateTime,
}

/// All of it, as of one position of scheduling's log.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// Agencies by id.
    pub agencies: HashMap<Uuid, Agency>,
    /// Points by id.
    pub points: HashMap<Uuid, Point>,
    /// Whether a subject can be chosen, by two digits of the province, stage and name, where the province has said so.
    pub subjects: HashMap<(String, Stage, String), bool>,
    /// Newest plan by province.
    pub plans: HashMap<String, Plan>,
    /// What agencies do, by plan and agency.
    pub agency_plans: HashMap<(Uuid, Uuid), AgencyPlan>,
}

impl Directory {
    /// The agency and those above it that review, lowest first.
    pub fn chain(&self, agency: Uuid) -> Vec<Step> {
        let mut chain: Vec<Step> = Vec::with_capacity(3);
        let mut next = Some(agency);
        // Levels rise along the chain; a directory that says otherwise does not lead in circles.
        while let Some((id, known)) = next.and_then(|id| Some((id, self.agencies.get(&id)?))) {
            match known.level {
                Some(level) if chain.last().is_none_or(|below| below.level < level) => {
                    chain.push(Step { level, agency: id });
                }
                _ => break,
            }
            next = known.parent;
        }
        chain
    }

    /// The agencies whose applications a reviewer of `agency` may see: itself and all below.
    pub fn reviewed_by(&self, agency: Uuid) -> Vec<Uuid> {
        let mut below: Vec<Uuid> =
            self.agencies.keys().copied().filter(|id| self.is_reviewed_by(*id, agency)).collect();
        below.sort_unstable();
        below
    }

    /// Whether an application filed with `filed` is in the scope of a reviewer of `agency`.
    pub fn is_reviewed_by(&self, filed: Uuid, agency: Uuid) -> bool {
        filed == agency || self.chain(filed).iter().any(|step| step.agency == agency)
    }

    /// Two digits of an agency's province.
    pub fn province_of(&self, agency: Uuid) -> Option<&str> {
        self.agencies.get(&agency)?.division.get(..2)
    }

    /// The newest plan of an agency's province.
    pub fn plan_of(&self, agency: Uuid) -> Option<&Plan> {
        self.plans.get(self.province_of(agency)?)
    }

    /// What the agency does within that plan.
    pub fn agency_plan(&self, agency: Uuid) -> Option<&AgencyPlan> {
        self.agency_plans.get(&(self.plan_of(agency)?.id, agency))
    }

    /// Whether the agency's province lets a subject be chosen; `None` where it has said nothing of it.
    pub fn subject(&self, agency: Uuid, stage: Stage, subject: &str) -> Option<bool> {
        let province = self.province_of(agency)?;
        self.subjects.get(&(province.to_owned(), stage, subject.to_owned())).copied()
    }

    /// The subjects of a stage that a province has added or switched: whether they can be chosen, by name.
    pub fn subjects_of(&self, province: &str, stage: Stage) -> BTreeMap<&str, bool> {
        let said = self.subjects.iter().filter(|((of, of_stage, _), _)| of == province && *of_stage == stage);
        said.map(|((.., subject), on)| (subject.as_str(), *on)).collect()
    }

    /// What the agency does within the plan that an application was filed under, by its window, where that is not the newest one any more.
    pub fn earlier_plan(&self, window: Uuid, agency: Uuid) -> Option<&AgencyPlan> {
        let (plan, _) = self.filed_under(window)?;
        self.agency_plans.get(&(plan, agency)).filter(|_| self.plan_of(agency).is_none_or(|newest| newest.id != plan))
    }

    /// When a point of the agency confirms what was filed in a window: in the plan of that window; in the newest one where the window is
    /// gone, or the agency has no part in that plan.
    pub fn assignment(&self, window: Uuid, agency: Uuid, point: Uuid) -> Option<Assignment> {
        let plan = self.earlier_plan(window, agency).or_else(|| self.agency_plan(agency))?;
        plan.assignments.get(&point).copied()
    }

    /// The end of the acceptance period of an application: of its point's confirmation, else of its window.
    pub fn acceptance_end(&self, window: Uuid, agency: Uuid, point: Uuid) -> Option<OffsetDateTime> {
        let dates = self.assignment(window, agency, point);
        dates.map(|dates| dates.end).or_else(|| Some(self.filed_under(window)?.1))
    }

    /// The plan of a window, and when the window ends.
    fn filed_under(&self, window: Uuid) -> Option<(Uuid, OffsetDateTime)> {
        self.agency_plans.iter().find_map(|((plan, _), of)| {
            let window = of.windows.iter().find(|known| known.id == window)?;
            Some((*plan, window.end))
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;
    use crate::domain::registration::testing::{CITY, COUNTY, NOW, PLAN, POINT, PROVINCE, WINDOW, directory};

    #[test]
    fn the_chain_goes_up_from_the_chosen_agency() {
        let agencies = |from| directory().chain(from).iter().map(|step| step.agency).collect::<Vec<_>>();
        assert_eq!(agencies(COUNTY), [COUNTY, CITY, PROVINCE]);
        assert_eq!(agencies(CITY), [CITY, PROVINCE]);
        assert!(agencies(Uuid::from_u128(999)).is_empty());
    }

    #[test]
    fn a_county_right_below_the_province_is_reviewed_by_both() {
        let mut directory = directory();
        directory.agencies.get_mut(&COUNTY).unwrap().parent = Some(PROVINCE);
        assert_eq!(directory.chain(COUNTY).iter().map(|step| step.agency).collect::<Vec<_>>(), [COUNTY, PROVINCE]);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let mut directory = directory();
        directory.agencies.get_mut(&PROVINCE).unwrap().parent = Some(COUNTY);
        assert_eq!(directory.chain(COUNTY).len(), 3);
    }

    #[test]
    fn an_agency_is_called_by_the_name_of_the_day() {
        let mut agency = directory().agencies[&COUNTY].clone();
        let first = agency.name_on(Date::MIN).to_owned();
        agency.names.insert(date!(2020 - 07 - 01), "云龙区教育体育局".to_owned());
        assert_eq!(agency.name_on(date!(2020 - 06 - 30)), first);
        assert_eq!(agency.name_on(date!(2020 - 07 - 01)), "云龙区教育体育局");
        assert_eq!(agency.ended_by(Date::MAX), None);
        agency.abolished_on = Some(date!(2026 - 01 - 01));
        assert_eq!(agency.ended_by(date!(2025 - 12 - 31)), None);
        assert_eq!(agency.ended_by(date!(2026 - 01 - 01)), Some(date!(2026 - 01 - 01)));
    }

    #[test]
    fn the_next_seasons_plan_leaves_a_point_its_dates_of_the_season_before() {
        let mut directory = directory();
        let dates = directory.assignment(WINDOW, COUNTY, POINT);
        let (next, later) = (Uuid::from_u128(0x4f), Uuid::from_u128(0x4e));
        directory.plans.get_mut("32").unwrap().id = next;
        assert_eq!((directory.assignment(WINDOW, COUNTY, POINT), dates.is_some()), (dates, true));
        let begin = NOW + time::Duration::days(300);
        let window = Window { id: later, begin, end: begin, grace_minutes: 0, revision: 1 };
        let new_dates = Assignment { begin, end: begin + time::Duration::days(20) };
        let assignments = HashMap::from([(POINT, new_dates)]);
        let plan = AgencyPlan { joined: true, open: true, windows: vec![window], assignments };
        directory.agency_plans.insert((next, COUNTY), plan);
        assert_eq!(directory.assignment(WINDOW, COUNTY, POINT), dates);
        assert_eq!(directory.assignment(later, COUNTY, POINT), Some(new_dates));
        // Where the window is gone, or the agency has no part in its plan, the newest one holds.
        assert_eq!(directory.assignment(Uuid::from_u128(1), COUNTY, POINT), Some(new_dates));
        directory.agency_plans.get_mut(&(PLAN, COUNTY)).unwrap().windows.clear();
        assert_eq!(directory.assignment(WINDOW, COUNTY, POINT), Some(new_dates));
    }

    #[test]
    fn a_reviewer_sees_the_own_agency_and_those_below() {
        let directory = directory();
        let mut all = vec![COUNTY, CITY, PROVINCE];
        all.sort_unstable();
        assert_eq!(directory.reviewed_by(PROVINCE), all);
        assert_eq!(directory.reviewed_by(COUNTY), [COUNTY]);
        assert!(!directory.is_reviewed_by(CITY, COUNTY));
    }
}
