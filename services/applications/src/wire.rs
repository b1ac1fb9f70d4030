//! Values of the domain as protobuf, both ways: shared by the API and by the stored form of events.

mod facts;
mod form;
mod rules;
mod texts;
mod values;

pub use facts::{assessment, check_facts, facts, parse_assessment, parse_facts};
pub use form::{coded, parse_coded, parse_personal, personal};
pub use rules::{parse_rule_set, rule_set};
pub use texts::text;
pub use values::{
    action, certificate_kind, conclusion, level, next_step, parse_certificate_kind, parse_conclusion, parse_level,
    parse_stage, parse_status, parse_turn, proposal, stage, status, turn,
};
