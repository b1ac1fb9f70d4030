//! Why a certificate is not in a person's list, and thereby what they can do about it (manual 2.2.2 (2) and 3.2 (2), DOMAIN 4.3).

use time::Date;

use super::hand_entry::{self, Refusal};
use super::kind::Kind;
use super::number::warning::province_name;
use super::number::{Number, SexDigit};

#[cfg(test)]
mod tests;

/// Digits in which a number may differ from the one that was meant.
const SLIPS: usize = 2;

/// The certificate that is missed, as its holder reads it off the paper.
#[derive(Clone, Copy, Debug)]
pub struct Missed<'m> {
    /// 证书号码
    pub number: &'m Number,
    /// 资格种类
    pub kind: Kind,
    /// 签发日期
    pub issued: Date,
}

/// A certificate that is in the person's list, or that the register holds under their document number. Nothing else is
/// looked at, so that what others hold makes no difference to what is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each holds or does not, whatever the others do")]
pub struct Own {
    /// 证书号码
    pub number: String,
    /// 资格种类
    pub kind: Kind,
    /// 签发日期
    pub issued: Date,
    /// In the person's list.
    pub is_listed: bool,
    /// The register's name for the holder is the person's.
    pub is_same_name: bool,
    /// A restriction holds (DOMAIN L21).
    pub is_restricted: bool,
    /// Sources contradict each other about it.
    pub is_contradicted: bool,
    /// The register says that there is no such certificate.
    pub is_deleted: bool,
}

/// When a register of a province was brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brought {
    /// Last, or a part of it.
    pub last: Date,
    /// All of it last, as whoever brought it said, and no row of it was rejected; `None` where that never was.
    pub whole: Option<Date>,
}

/// Why it is not listed; what is said of one of the person's own certificates names its place among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explanation {
    /// It is listed.
    Listed(usize),
    /// It is listed, but restricted.
    Restricted(usize),
    /// Sources contradict each other about it: an officer has to settle which of them is right.
    RecordsDisagree(usize),
    /// The register says that there is no such certificate.
    DeletedFromRegister,
    /// The register holds it under the person's document number and another name.
    NameDiffers,
    /// It is the person's, and about to be listed.
    MatchPending(usize),
    /// Unknown, but one of the person's certificates is so much like it that the number was mistyped.
    NumberTypedDifferently(usize),
    /// Unknown, and several of the person's certificates have its kind and date of issue under other numbers.
    RecordedTwice,
    /// 高等学校教师资格 is not registered here.
    HigherEducation,
    /// There were no certificates yet.
    Before1996,
    /// The year of the number is not the year of issue.
    NumberAndDateDisagree,
    /// Old enough to be entered by hand, unless it was registered before.
    MayBeAdded {
        /// From which year on certificates are synced.
        synced_since: i32,
    },
    /// No certificate of this kind has such a number.
    NumberImpossible,
    /// The register of its province has not been brought since it was issued, or not all of it.
    NotSyncedYet {
        /// When it was brought last.
        brought: Option<Brought>,
        /// From which year on certificates are synced.
        synced_since: i32,
    },
    /// All of the register was brought since, and holds no such certificate for this person.
    NotInRegister {
        /// From which year on certificates are synced.
        synced_since: i32,
    },
}

/// Judges by the person's own certificates, and by the days on which the register of the number's province was brought last.
pub fn explain(missed: &Missed<'_>, own: &[Own], brought: Option<Brought>) -> Explanation {
    if let Some(place) = own.iter().position(|one| one.number == missed.number.as_str()) {
        return of_own(&own[place], place);
    }
    let mut alike = own.iter().enumerate().filter(|(_, one)| one.is_theirs() && one.is_like(missed));
    match (alike.next(), alike.next()) {
        (Some(_), Some(_)) => return Explanation::RecordedTwice,
        (Some((place, _)), None) => return Explanation::NumberTypedDifferently(place),
        (None, _) => {}
    }
    let Missed { number, kind, issued } = *missed;
    match hand_entry::judge(number, kind, issued) {
        Err(Refusal::HigherEducation) => Explanation::HigherEducation,
        Err(Refusal::Before1996) => Explanation::Before1996,
        Err(Refusal::NumberAndDateDisagree) => Explanation::NumberAndDateDisagree,
        Ok(()) => Explanation::MayBeAdded { synced_since: hand_entry::synced_since(number) },
        Err(Refusal::SyncedSince { .. }) if number.year() != issued.year() => Explanation::NumberAndDateDisagree,
        Err(Refusal::SyncedSince { .. }) if is_impossible(number, kind) => Explanation::NumberImpossible,
        Err(Refusal::SyncedSince { year }) => match brought {
            Some(Brought { whole: Some(day), .. }) if day > issued => Explanation::NotInRegister { synced_since: year },
            brought => Explanation::NotSyncedYet { brought, synced_since: year },
        },
    }
}

fn of_own(own: &Own, place: usize) -> Explanation {
    match own {
        Own { is_listed: false, is_same_name: false, .. } => Explanation::NameDiffers,
        Own { is_deleted: true, .. } => Explanation::DeletedFromRegister,
        Own { is_contradicted: true, .. } => Explanation::RecordsDisagree(place),
        Own { is_listed: true, is_restricted: true, .. } => Explanation::Restricted(place),
        Own { is_listed: true, .. } => Explanation::Listed(place),
        Own { .. } => Explanation::MatchPending(place),
    }
}

fn is_impossible(number: &Number, kind: Kind) -> bool {
    number.parts().is_some_and(|parts| {
        parts.kind != Some(kind) || parts.sex == SexDigit::Unknown || province_name(parts.province).is_none()
    })
}

impl Own {
    /// Nothing may be told of one that only bears the person's document number.
    fn is_theirs(&self) -> bool {
        self.is_listed || self.is_same_name
    }

    fn is_like(&self, missed: &Missed<'_>) -> bool {
        if self.is_deleted {
            return false;
        }
        let other = missed.number.as_str();
        let slips = self.number.bytes().zip(other.bytes()).filter(|(one, other)| one != other).count();
        self.kind == missed.kind
            && (self.issued == missed.issued || (self.number.len() == other.len() && slips <= SLIPS))
    }
}
