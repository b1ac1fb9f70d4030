//! Each step has its own template, and values in words that people use.

use std::collections::BTreeSet;

use time::macros::{date, datetime};

use super::*;
use crate::templates::Catalogue;

const NUMBER: &str = "20263203020000017";

/// One of each kind.
const STEPS: [Step; 16] = [
    Step::Submitted,
    Step::Amended { form_version: 2 },
    Step::Withdrawn,
    Step::Confirmed { next: Level::County },
    Step::ConfirmationRefused,
    Step::Returned { by: Returner::Liaison },
    Step::ReviewPassed { level: Level::County, next: Level::City },
    Step::SentBackToApplicant { level: Level::County },
    Step::SentBackToLevel { level: Level::Province, to: Level::City },
    Step::Concluded { conclusion: Conclusion::Qualified, on: date!(2026 - 11 - 23) },
    Step::Concluded { conclusion: Conclusion::Deferred, on: date!(2026 - 11 - 23) },
    Step::Concluded { conclusion: Conclusion::Failed, on: date!(2026 - 11 - 23) },
    Step::ConclusionReversed { level: Level::Province },
    Step::Revoked { on: date!(2026 - 11 - 23) },
    Step::DraftReminded { last: false, delete_on: date!(2026 - 11 - 30) },
    Step::DraftReminded { last: true, delete_on: date!(2026 - 11 - 30) },
];

#[test]
fn every_step_renders_every_version_of_its_own_template() {
    let catalogue = Catalogue::shipped();
    let mut seen = BTreeSet::new();
    for step in STEPS {
        assert!(seen.insert(step.template()), "two steps share {}", step.template());
        let of_draft = matches!(step, Step::DraftReminded { .. });
        let (number, named) = if of_draft { ("", "2026年11月30日") } else { (NUMBER, NUMBER) };
        let values = step.values(number, datetime!(2026-11-23 08:05 UTC));
        let versions: Vec<_> = catalogue.versions(step.template()).collect();
        assert!(!versions.is_empty(), "no file for {}", step.template());
        for template in versions {
            let body = template.render_body(&values).unwrap();
            assert!(body.contains(named), "{} does not name the application, or the day", template.name);
            template.render_title(&values).unwrap();
            template.render_sms(&values).unwrap();
        }
    }
}

#[test]
fn times_are_shanghai_times() {
    let values = Step::Submitted.values("1", datetime!(2026-11-23 16:05:59 UTC));
    assert_eq!(values["time"], "2026年11月24日00:05");
}

#[test]
fn levels_are_named_as_people_know_them() {
    let step = Step::ReviewPassed { level: Level::County, next: Level::Province };
    let values = step.values("1", datetime!(2026-11-23 08:00 UTC));
    assert_eq!((values["level"].as_str(), values["next_level"].as_str()), ("县级初审", "省级终审"));
    let values = Step::Returned { by: Returner::Clerk }.values("1", datetime!(2026-11-23 08:00 UTC));
    assert_eq!(values["by"], "确认点");
}
