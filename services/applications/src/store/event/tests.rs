//! Every event of every random history goes through its stored form and comes back the same.

use super::*;
use crate::domain::registration::testing;

#[test]
fn a_submission_keeps_its_draft_inside_and_its_form_outside() {
    let (kind, payload, inner) = encode(Uuid::from_u128(1), testing::submitted(1, 2));
    assert_eq!(kind, "dingzhu.applications.v1.ApplicationSubmitted");
    let message = wire::ApplicationSubmitted::decode(payload.as_slice()).unwrap();
    assert_eq!(message.form.unwrap().subject, "物理");
    assert_eq!(wire::SubmissionInner::decode(inner.as_slice()).unwrap().draft_id, testing::submit(1).draft.to_string());
}

#[test]
fn what_this_program_did_not_write_is_corrupt() {
    let (kind, payload, inner) = encode(Uuid::from_u128(1), testing::submitted(1, 2));
    assert!(decode(&kind, &payload, b"").is_err());
    assert!(decode("dingzhu.applications.v1.Unheard", &payload, &inner).is_err());
    assert!(decode("dingzhu.identity.v1.ApplicationSubmitted", &payload, &inner).is_err());
    assert!(decode(&kind, &payload[1..], &inner).is_err());
}
