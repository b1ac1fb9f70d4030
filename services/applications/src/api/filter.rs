//! Filters of lists, counts and watches from the wire, and the tokens that are bound to them.

use proto::applications::v1 as wire;

use super::request::Parsing;
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::views::applications::Filter;
use crate::wire as values;

/// Bytes of a filter's digest in a token: enough that nobody confuses two of them.
const DIGEST: usize = 8;

impl Parsing {
    /// Which applications.
    pub(super) fn filter(&mut self, asked: &wire::ApplicationFilter) -> Filter {
        let known = |read: fn(i32) -> bool, number: i32| number == 0 || read(number);
        let sentence = "该查询条件的取值无法识别，请重新选择。";
        let numbers = [
            ("filter.level", known(|number| values::parse_level(number).is_some(), asked.level)),
            ("filter.turn", known(|number| values::parse_turn(number).is_some(), asked.turn)),
            ("filter.conclusion", known(|number| values::parse_conclusion(number).is_some(), asked.conclusion)),
            ("filter.stage", known(|number| values::parse_stage(number).is_some(), asked.stage)),
        ];
        let statuses: Vec<_> = asked.statuses.iter().filter_map(|status| values::parse_status(*status)).collect();
        let violations = self.violations();
        violations.check("filter.statuses", statuses.len() == asked.statuses.len(), "UNKNOWN_VALUE", sentence);
        for (field, is_known) in numbers {
            violations.check(field, is_known, "UNKNOWN_VALUE", sentence);
        }
        let mut time = |field, at: Option<&prost_types::Timestamp>| {
            at.and_then(|at| rpc::parse_timestamp(field, Some(at), violations))
        };
        let submitted_from = time("filter.submitted_from_time", asked.submitted_from_time.as_ref());
        let submitted_before = time("filter.submitted_before_time", asked.submitted_before_time.as_ref());
        let number = EnrolmentNumber::parse(&asked.enrolment_number);
        let is_number = number.is_some() || asked.enrolment_number.is_empty();
        let sentence = "报名号应为17位数字，请核对后再试。";
        violations.check("filter.enrolment_number", is_number, "NOT_AN_ENROLMENT_NUMBER", sentence);
        Filter {
            own: asked.own,
            statuses,
            level: values::parse_level(asked.level),
            turn: values::parse_turn(asked.turn),
            conclusion: values::parse_conclusion(asked.conclusion),
            stage: values::parse_stage(asked.stage),
            refused: asked.confirmation_refused,
            mending: asked.mending,
            facts: asked.facts_recorded,
            submitted_from,
            submitted_before,
            agency: self.optional_id("filter.agency_id", &asked.agency_id),
            without_below: asked.without_below,
            point: self.optional_id("filter.point_id", &asked.point_id),
            school: self.optional_id("filter.school_id", &asked.school_id),
            number,
        }
    }

    /// Where the page before ended, with the same filter.
    pub(super) fn page_of(&mut self, filter: &wire::ApplicationFilter, token: &str) -> Option<i64> {
        rpc::parse_page_place("page_token", token, self.violations(), |place| {
            let (position, of) = place.split_first_chunk()?;
            (*of == digest(filter)).then(|| i64::from_be_bytes(*position))
        })
    }
}

/// The place of a row in the list of a filter.
pub(super) fn place_of(filter: &wire::ApplicationFilter, position: i64) -> Vec<u8> {
    [position.to_be_bytes(), digest(filter)].concat()
}

fn digest(filter: &wire::ApplicationFilter) -> [u8; DIGEST] {
    let digest = rpc::fingerprint(filter);
    std::array::from_fn(|place| digest[place])
}
