//! Golden samples: every version of every stored event that was ever written decodes for ever.

use certificates::domain::certificate::{
    Announcement, Besides, Conclusion, Details, Event, Evidence, Outcome, PriorRegistration, Restriction, Source,
};
use certificates::domain::correction;
use certificates::domain::kind::Kind;
use certificates::store;
use time::macros::date;
use uuid::Uuid;

const RECORD: Uuid = Uuid::from_u128(1);
const PERSON: Uuid = Uuid::from_u128(2);
const OTHER: Uuid = Uuid::from_u128(3);
const INNER: &str = "\
        0a20010101010101010101010101010101010101010101010101010101010101010112200202020202020202020202020202\
        0202020202020202020202020202020202021a20030303030303030303030303030303030303030303030303030303030303\
        0303";

/// The sample must be what is written today, and must be read as what it was.
#[track_caller]
fn golden(event: &Event, kind: &str, payload: &str, inner: &str) {
    let written = store::write(RECORD, event);
    assert_eq!(written.kind, format!("dingzhu.certificates.v1.{kind}"));
    assert_eq!(
        (hex::encode(&written.payload).as_str(), hex::encode(&written.inner).as_str()),
        (payload, inner),
        "{kind}"
    );
    assert_eq!(store::read(&written.kind, &written.payload, &written.inner).as_ref(), Some(event), "{kind}");
}

fn details() -> Details {
    Details {
        kind: Kind::Senior,
        subject: "数学".to_owned(),
        issuing_agency: "徐州市教育局".to_owned(),
        issue_date: date!(2010 - 06 - 15),
        number: [1; 32],
        holder: [2; 32],
        digest: [3; 32],
        generation: 0,
    }
}

#[test]
fn what_was_said_of_a_certificate_decodes_in_its_first_version() {
    let synced = Event::Synced { details: details(), source: Source::Register };
    golden(
        &synced,
        "CertificateSynced",
        "\
        0a2430303030303030302d303030302d303030302d303030302d30303030303030303030303110041a06e695b0e5ada62212\
        e5be90e5b79ee5b882e69599e882b2e5b1802a0a323031302d30362d31353001",
        INNER,
    );
    let changed = Event::Changed { details: details(), source: Source::PriorRegistration };
    golden(
        &changed,
        "CertificateChanged",
        "\
        0a2430303030303030302d303030302d303030302d303030302d30303030303030303030303110041a06e695b0e5ada62212\
        e5be90e5b79ee5b882e69599e882b2e5b1802a0a323031302d30362d31353002",
        INNER,
    );
    let by_hand = Event::AddedByHand { details: details(), person: PERSON };
    golden(
        &by_hand,
        "CertificateAddedByHand",
        "\
        0a2430303030303030302d303030302d303030302d303030302d30303030303030303030303110041a06e695b0e5ada62212\
        e5be90e5b79ee5b882e69599e882b2e5b1802a0a323031302d30362d3135322430303030303030302d303030302d30303030\
        2d303030302d303030303030303030303032",
        INNER,
    );
}

#[test]
fn what_happened_to_a_certificate_decodes_in_its_first_version() {
    let matched = Event::Matched { person: PERSON, evidence: Evidence::NumberAndName };
    golden(
        &matched,
        "CertificateMatched",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031122430303030303030302d30\
        3030302d303030302d303030302d3030303030303030303030321a0f4e554d4245525f414e445f4e414d45",
        "",
    );
    let (ordinal, concluded) = (1, date!(2021 - 11 - 30));
    let prior = PriorRegistration { ordinal, conclusion: Conclusion::Qualified, concluded };
    golden(
        &Event::PriorRegistrationImported(prior),
        "PriorRegistrationImported",
        "\
        0a2430303030303030302d303030302d303030302d303030302d3030303030303030303030311210080110011a0a32303231\
        2d31312d3330",
        "",
    );
    let restricted = Event::Restricted {
        kind: Restriction::ExamCheating,
        end: Some(date!(2029 - 01 - 31)),
        file_reference: "2026-1".to_owned(),
    };
    golden(
        &restricted,
        "CertificateRestricted",
        "\
        0a2430303030303030302d303030302d303030302d303030302d30303030303030303030303110041a0a323032392d30312d\
        33312206323032362d31",
        "",
    );
    let lifted = Event::RestrictionLifted { file_reference: "2026-2".to_owned() };
    golden(
        &lifted,
        "RestrictionLifted",
        "\
        0a2430303030303030302d303030302d303030302d303030302d3030303030303030303030311206323032362d32",
        "",
    );
    golden(
        &Event::Forgotten { generation: 1 },
        "CertificateForgotten",
        "\
        0a2430303030303030302d303030302d303030302d303030302d3030303030303030303030311001",
        "",
    );
}

#[test]
fn what_is_sealed_for_a_later_holder_decodes_with_the_name_of_its_key() {
    let details = Details { generation: 2, ..details() };
    golden(
        &Event::Changed { details, source: Source::Register },
        "CertificateChanged",
        "\
        0a2430303030303030302d303030302d303030302d303030302d30303030303030303030303110041a06e695b0e5ada62212\
        e5be90e5b79ee5b882e69599e882b2e5b1802a0a323031302d30362d31353001",
        &format!("{INNER}2002"),
    );
}

#[test]
fn what_is_settled_and_merged_decodes_in_its_first_version() {
    let found = Event::ConflictFound {
        ordinal: 3,
        details: Details { generation: 2, ..details() },
        besides: Besides::default(),
        source: Source::PriorRegistration,
    };
    golden(
        &found,
        "ConflictFound",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031100318042206e695b0e5ada6\
        2a12e5be90e5b79ee5b882e69599e882b2e5b180320a323031302d30362d31353802",
        &format!("{INNER}2002"),
    );
    let settled = Event::ConflictSettled {
        ordinal: 3,
        outcome: Outcome::Taken,
        file_reference: "2026-3".to_owned(),
        generation: 4,
    };
    golden(
        &settled,
        "ConflictSettled",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031100318022206323032362d33\
        2804",
        "",
    );
    golden(
        &Event::Unmatched,
        "CertificateUnmatched",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031",
        "",
    );
    golden(
        &Event::Deleted,
        "CertificateDeleted",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031",
        "",
    );
    let merged = Event::Merged { into: OTHER, file_reference: "2026-4".to_owned(), generation: 1 };
    golden(
        &merged,
        "CertificateMerged",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031122430303030303030302d30\
        3030302d303030302d303030302d3030303030303030303030331a06323032362d342001",
        "",
    );
    golden(
        &Event::Absorbed { merged: OTHER },
        "CertificateAbsorbed",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031122430303030303030302d30\
        3030302d303030302d303030302d303030303030303030303033",
        "",
    );
    let matched = Event::Matched { person: PERSON, evidence: Evidence::Merged };
    golden(
        &matched,
        "CertificateMatched",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031122430303030303030302d30\
        3030302d303030302d303030302d3030303030303030303030321a064d4552474544",
        "",
    );
}

#[test]
fn what_is_announced_and_withdrawn_decodes_in_its_first_version() {
    let announcement = Announcement {
        holder: [2; 32],
        kind: Restriction::Forfeited,
        end: Some(date!(2029 - 01 - 31)),
        file_reference: "2026-5".to_owned(),
    };
    golden(
        &Event::RestrictionAnnounced { number: [1; 32], announcement },
        "RestrictionAnnounced",
        "\
        0a2430303030303030302d303030302d303030302d303030302d30303030303030303030303110011a0a323032392d30312d\
        33312206323032362d35",
        "\
        0a20010101010101010101010101010101010101010101010101010101010101010112200202020202020202020202020202\
        020202020202020202020202020202020202",
    );
    golden(
        &Event::RestrictionWithdrawn { file_reference: "2026-5".to_owned() },
        "RestrictionWithdrawn",
        "\
        0a2430303030303030302d303030302d303030302d303030302d3030303030303030303030311206323032362d35",
        "",
    );
}

#[test]
fn what_a_contradicting_row_tells_besides_decodes_in_its_first_version() {
    let registrations = [(1, (Conclusion::Qualified, date!(2021 - 11 - 30)))].into();
    let found = Event::ConflictFound {
        ordinal: 3,
        details: Details { generation: 2, ..details() },
        besides: Besides { registrations, restricted: true },
        source: Source::PriorRegistration,
    };
    golden(
        &found,
        "ConflictFound",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031100318042206e695b0e5ada6\
        2a12e5be90e5b79ee5b882e69599e882b2e5b180320a323031302d30362d313538024210080110011a0a323032312d31312d\
        33304801",
        &format!("{INNER}2002"),
    );
}

#[test]
fn requests_for_corrections_decode_in_their_first_version() {
    let requested = |certificate, slot| correction::Event::Requested { person: PERSON, certificate, slot };
    let answered = correction::Event::Answered { person: PERSON, stage: correction::Stage::Corrected };
    for (event, kind, payload) in [
        (
            requested(Some(OTHER), 4),
            "CorrectionRequested",
            "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031122430303030303030302d30\
        3030302d303030302d303030302d3030303030303030303030331a2430303030303030302d303030302d303030302d303030\
        302d3030303030303030303030322004",
        ),
        (
            requested(None, 0),
            "CorrectionRequested",
            "\
        0a2430303030303030302d303030302d303030302d303030302d3030303030303030303030311a2430303030303030302d30\
        3030302d303030302d303030302d303030303030303030303032",
        ),
        (
            answered,
            "CorrectionAnswered",
            "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031122430303030303030302d30\
        3030302d303030302d303030302d3030303030303030303030321803",
        ),
    ] {
        let written = store::corrections::write(RECORD, &event);
        assert_eq!(written.kind, format!("dingzhu.certificates.v1.{kind}"));
        assert_eq!((hex::encode(&written.payload).as_str(), written.inner.len()), (payload, 0), "{kind}");
        assert_eq!(store::corrections::read(&written.kind, &written.payload), Some(event), "{kind}");
    }
}
