//! 添加证书: which certificates a person may enter by hand (manual 3.2 (2), DOMAIN 4.3).

use time::Date;

use super::kind::Kind;
use super::number::{FIRST_YEAR, Number};

/// 广西: there certificates are synced from 2012 on.
const GUANGXI: &str = "45";

/// Why a certificate may not be entered by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Issued in or after the year from which all certificates are synced.
    SyncedSince {
        /// 2008, or 2012 in Guangxi.
        year: i32,
    },
    /// There were no certificates yet.
    Before1996,
    /// The year of the number is not the year of issue.
    NumberAndDateDisagree,
    /// 高等学校教师资格 is not registered here.
    HigherEducation,
}

/// The year from which certificates like this one are synced.
pub fn synced_since(number: &Number) -> i32 {
    if number.province() == Some(GUANGXI) { 2012 } else { 2008 }
}

/// Judges an entry by number, kind and date of issue alone.
pub fn judge(number: &Number, kind: Kind, issued: Date) -> Result<(), Refusal> {
    let synced_since = synced_since(number);
    if kind == Kind::Higher {
        Err(Refusal::HigherEducation)
    } else if number.year() < FIRST_YEAR {
        Err(Refusal::Before1996)
    } else if number.year() >= synced_since || issued.year() >= synced_since {
        Err(Refusal::SyncedSince { year: synced_since })
    } else if number.year() != issued.year() {
        Err(Refusal::NumberAndDateDisagree)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn judge(digits: &str, kind: Kind, issued: Date) -> Result<(), Refusal> {
        super::judge(&Number::parse(digits, date!(2026 - 11 - 23)).unwrap(), kind, issued)
    }

    #[test]
    fn an_old_certificate_may_be_entered() {
        assert_eq!(judge("20053203211234567", Kind::Primary, date!(2005 - 06 - 01)), Ok(()));
        assert_eq!(judge("983203041234567", Kind::Primary, date!(1998 - 06 - 01)), Ok(()));
    }

    #[test]
    fn from_2008_on_certificates_are_synced() {
        let refusal = Err(Refusal::SyncedSince { year: 2008 });
        assert_eq!(judge("20083203211234567", Kind::Primary, date!(2008 - 01 - 01)), refusal);
        assert_eq!(judge("20073203211234567", Kind::Primary, date!(2008 - 01 - 01)), refusal);
        assert_eq!(judge("20073203211234567", Kind::Primary, date!(2007 - 12 - 31)), Ok(()));
    }

    #[test]
    fn in_guangxi_from_2012_on() {
        assert_eq!(judge("20114503211234567", Kind::Primary, date!(2011 - 12 - 31)), Ok(()));
        let refusal = Err(Refusal::SyncedSince { year: 2012 });
        assert_eq!(judge("20124503211234567", Kind::Primary, date!(2012 - 01 - 01)), refusal);
    }

    #[test]
    fn a_year_before_the_first_certificates_is_refused() {
        assert_eq!(judge("19953203211234567", Kind::Primary, date!(1995 - 06 - 01)), Err(Refusal::Before1996));
        assert_eq!(judge("073203041234567", Kind::Primary, date!(2007 - 06 - 01)), Err(Refusal::Before1996));
    }

    #[test]
    fn number_and_date_must_agree() {
        let refusal = Err(Refusal::NumberAndDateDisagree);
        assert_eq!(judge("20053203211234567", Kind::Primary, date!(2006 - 06 - 01)), refusal);
    }

    #[test]
    fn certificates_of_higher_education_are_not_registered_here() {
        let refusal = Err(Refusal::HigherEducation);
        assert_eq!(judge("20053203271234567", Kind::Higher, date!(2005 - 06 - 01)), refusal);
    }
}
