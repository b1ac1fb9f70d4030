//! The steps of an application that its applicant is told of: which template, filled with what.

use time::{Date, OffsetDateTime, UtcOffset};

use super::template::Values;

#[cfg(test)]
mod tests;

/// What happened to an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Filed; the 报名号 was given.
    Submitted,
    /// Changed by the applicant.
    Amended {
        /// Version of the form, from 2.
        form_version: u32,
    },
    /// Taken back by the applicant.
    Withdrawn,
    /// Passed on site.
    Confirmed {
        /// Whose turn it is now.
        next: Level,
    },
    /// 确认不通过
    ConfirmationRefused,
    /// Back to 网报待确认 from school or point.
    Returned {
        /// Who did it.
        by: Returner,
    },
    /// One level of review passed.
    ReviewPassed {
        /// Which.
        level: Level,
        /// Whose turn it is now.
        next: Level,
    },
    /// Sent back by the first level: the applicant has to act.
    SentBackToApplicant {
        /// Which level did it.
        level: Level,
    },
    /// Sent back to the level before: nothing for the applicant to do.
    SentBackToLevel {
        /// Which level did it.
        level: Level,
        /// Whose turn it is now.
        to: Level,
    },
    /// 注册结论
    Concluded {
        /// Which.
        conclusion: Conclusion,
        /// Date of the conclusion, Shanghai.
        on: Date,
    },
    /// The conclusion no longer stands.
    ConclusionReversed {
        /// Whose turn it is now.
        level: Level,
    },
    /// 撤销注册
    Revoked {
        /// Since when, Shanghai.
        on: Date,
    },
    /// A draft, that is: no application yet, on which nobody works.
    DraftReminded {
        /// Whether the deletion is all that comes after it.
        last: bool,
        /// Not deleted before this day, Shanghai.
        delete_on: Date,
    },
}

/// Level of review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// 县级
    County,
    /// 市级
    City,
    /// 省级
    Province,
}

/// Who returned an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returner {
    /// 学校老师
    Liaison,
    /// 确认点工作人员
    Clerk,
}

/// How a registration was concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// 注册合格
    Qualified,
    /// 暂缓注册
    Deferred,
    /// 注册不合格
    Failed,
}

impl Step {
    /// Name of the template that tells of it.
    pub fn template(&self) -> &'static str {
        match self {
            Self::Submitted => "application_submitted",
            Self::Amended { .. } => "application_amended",
            Self::Withdrawn => "application_withdrawn",
            Self::Confirmed { .. } => "application_confirmed",
            Self::ConfirmationRefused => "confirmation_refused",
            Self::Returned { .. } => "application_returned",
            Self::ReviewPassed { .. } => "review_passed",
            Self::SentBackToApplicant { .. } => "application_sent_back",
            Self::SentBackToLevel { .. } => "review_sent_back",
            Self::Concluded { conclusion: Conclusion::Qualified, .. } => "concluded_qualified",
            Self::Concluded { conclusion: Conclusion::Deferred, .. } => "concluded_deferred",
            Self::Concluded { conclusion: Conclusion::Failed, .. } => "concluded_failed",
            Self::ConclusionReversed { .. } => "conclusion_reversed",
            Self::Revoked { .. } => "registration_revoked",
            Self::DraftReminded { last: false, .. } => "draft_reminder",
            Self::DraftReminded { last: true, .. } => "draft_last_reminder",
        }
    }

    /// What the template's placeholders stand for. The 报名号 is the only thing in it that belongs to one application; a draft
    /// has none.
    pub fn values(&self, enrolment_number: &str, at: OffsetDateTime) -> Values {
        let mut values = Values::new();
        let mut set = |name: &str, value: String| values.insert(name.to_owned(), value);
        if !enrolment_number.is_empty() {
            set("enrolment_number", enrolment_number.to_owned());
        }
        set("time", render_time(at));
        match *self {
            Self::Submitted | Self::Withdrawn | Self::ConfirmationRefused => {}
            Self::Amended { form_version } => {
                set("form_version", form_version.to_string());
            }
            Self::Confirmed { next } => {
                set("level", next.label().to_owned());
            }
            Self::Returned { by } => {
                set("by", by.label().to_owned());
            }
            Self::ReviewPassed { level, next } => {
                set("level", level.label().to_owned());
                set("next_level", next.label().to_owned());
            }
            Self::SentBackToApplicant { level } | Self::ConclusionReversed { level } => {
                set("level", level.label().to_owned());
            }
            Self::SentBackToLevel { level, to } => {
                set("level", level.label().to_owned());
                set("to_level", to.label().to_owned());
            }
            Self::Concluded { on, .. } | Self::Revoked { on } | Self::DraftReminded { delete_on: on, .. } => {
                set("date", render_date(on));
            }
        }
        values
    }
}

impl Level {
    fn label(self) -> &'static str {
        match self {
            Self::County => "县级初审",
            Self::City => "市级审核",
            Self::Province => "省级终审",
        }
    }
}

impl Returner {
    fn label(self) -> &'static str {
        match self {
            Self::Liaison => "学校",
            Self::Clerk => "确认点",
        }
    }
}

/// A day as people write it: 2026年11月23日.
fn render_date(date: Date) -> String {
    format!("{}年{}月{}日", date.year(), u8::from(date.month()), date.day())
}

/// An instant as people in China write it: 2026年11月23日16:05.
fn render_time(at: OffsetDateTime) -> String {
    let local = at.to_offset(UtcOffset::from_hms(8, 0, 0).expect("+08:00 is an offset"));
    format!("{}{:02}:{:02}", render_date(local.date()), local.hour(), local.minute())
}
