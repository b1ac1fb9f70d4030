//! 工作日: weekdays that are no holidays, and the weekend days that are worked in their place (DOMAIN L15).

use std::collections::{BTreeMap, BTreeSet};

use time::{Date, Weekday};

/// Which days are worked, as far as a version of the arrangement says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkCalendar {
    /// Rises with each change of the file.
    pub version: u32,
    /// By calendar year; of other years only the weekends are known.
    pub years: BTreeMap<i32, Arrangement>,
}

/// 节假日安排 of one year.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arrangement {
    /// 放假
    pub holidays: BTreeSet<Date>,
    /// 上班 on a weekend.
    pub worked: BTreeSet<Date>,
}

impl WorkCalendar {
    /// Whether a day is worked.
    pub fn is_working_day(&self, day: Date) -> bool {
        let weekday = !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        match self.years.get(&day.year()) {
            Some(arranged) => arranged.worked.contains(&day) || weekday && !arranged.holidays.contains(&day),
            None => weekday,
        }
    }

    /// The so-manieth working day after a day, which does not count itself; that day for 0.
    pub fn after(&self, day: Date, count: u32) -> Date {
        let mut found = day;
        for _ in 0..count {
            found = self.working_day_after(found);
        }
        found
    }

    /// How many working days lie after `day`, up to and with `last`.
    pub fn count(&self, day: Date, last: Date) -> u32 {
        let days = std::iter::successors(day.next_day(), |day| day.next_day()).take_while(|day| *day <= last);
        u32::try_from(days.filter(|day| self.is_working_day(*day)).count()).unwrap_or(u32::MAX)
    }

    /// Whether holidays are known for every year between two days.
    pub fn is_arranged(&self, from: Date, to: Date) -> bool {
        (from.year()..=to.year()).all(|year| self.years.contains_key(&year))
    }

    fn working_day_after(&self, day: Date) -> Date {
        let mut days = std::iter::successors(day.next_day(), |day| day.next_day());
        days.find(|day| self.is_working_day(*day)).unwrap_or(Date::MAX)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    /// New Year's Day of 2027 and the Monday after are off, the Sunday after is worked.
    fn calendar() -> WorkCalendar {
        let arranged = Arrangement {
            holidays: [date!(2027 - 01 - 01), date!(2027 - 01 - 04)].into(),
            worked: [date!(2027 - 01 - 10)].into(),
        };
        WorkCalendar { version: 1, years: BTreeMap::from([(2027, arranged)]) }
    }

    #[test]
    fn weekends_and_holidays_are_not_worked_and_some_weekend_days_are() {
        let worked = |day| calendar().is_working_day(day);
        assert!(worked(date!(2026 - 12 - 31)) && !worked(date!(2027 - 01 - 01)));
        assert!(!worked(date!(2027 - 01 - 02)) && !worked(date!(2027 - 01 - 03)) && !worked(date!(2027 - 01 - 04)));
        assert!(worked(date!(2027 - 01 - 05)));
        assert!(!worked(date!(2027 - 01 - 09)) && worked(date!(2027 - 01 - 10)));
        assert!(worked(date!(2028 - 01 - 03)), "of a year without an arrangement only the weekends are known");
    }

    #[test]
    fn working_days_are_counted_over_the_turn_of_the_year() {
        let eve = date!(2026 - 12 - 30);
        assert_eq!(calendar().after(eve, 0), eve);
        assert_eq!(calendar().after(eve, 1), date!(2026 - 12 - 31));
        assert_eq!(calendar().after(eve, 2), date!(2027 - 01 - 05));
        assert_eq!(calendar().after(eve, 6), date!(2027 - 01 - 10), "the worked Sunday counts");
        assert_eq!(calendar().count(eve, date!(2027 - 01 - 10)), 6);
        assert_eq!(calendar().count(eve, eve), 0);
        assert_eq!(calendar().count(eve, date!(2026 - 01 - 01)), 0);
    }

    #[test]
    fn counting_and_going_there_agree() {
        let begin = date!(2026 - 11 - 23);
        for count in 0..300 {
            let reached = calendar().after(begin, count);
            assert_eq!(calendar().count(begin, reached), count);
        }
    }

    #[test]
    fn whether_holidays_are_known_is_told_of_every_year_between() {
        assert!(calendar().is_arranged(date!(2027 - 01 - 01), date!(2027 - 12 - 31)));
        assert!(!calendar().is_arranged(date!(2026 - 12 - 31), date!(2027 - 01 - 01)));
        assert!(!calendar().is_arranged(date!(2027 - 12 - 31), date!(2028 - 01 - 01)));
    }
}
