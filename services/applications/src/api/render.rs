//! Answers: the domain's values as messages.

use proto::applications::v1 as wire;

use crate::domain::calendar::render_date;
use crate::domain::form::{Gravity, Personal, Problem};
use crate::domain::opening::Closed;
use crate::domain::registration::{Application, ConclusionRecord, Event, Proposed, Reader, Rejection};
use crate::domain::time_limit::TimeLimit;
use crate::handle::{Done, Seen, Warning};
use crate::store::drafts::Secret;
use crate::views::applications::Row;
use crate::wire as values;

/// Where an application stands after a command.
pub(super) fn outcome(done: &Done) -> wire::Outcome {
    wire::Outcome {
        status: values::status(done.status).into(),
        level: done.level.map(|level| values::level(level).into()).unwrap_or_default(),
        turn: values::turn(done.turn).into(),
        version: done.version,
        conclusion: done.conclusion.map(|conclusion| values::conclusion(conclusion).into()).unwrap_or_default(),
    }
}

/// Problems of this gravity, or of any but warnings.
pub(super) fn problems(problems: &[Problem], warnings: bool) -> Vec<wire::FieldProblem> {
    let wanted = problems.iter().filter(|problem| (problem.gravity == Gravity::Warning) == warnings);
    wanted
        .map(|problem| wire::FieldProblem {
            field: problem.field.to_owned(),
            reason: problem.reason.to_owned(),
            message: problem.message.clone().into_owned(),
        })
        .collect()
}

/// What speaks against a submission, and what it concerns.
pub(super) fn obstacle(against: &Rejection) -> wire::FieldProblem {
    let field = match against {
        Rejection::AgreementMissing | Rejection::TextChanged { .. } => "agreement",
        Rejection::NotOpen(Closed::NoPoint { .. } | Closed::PointNotListed | Closed::PointClosed { .. }) => {
            "coded.point_id"
        }
        Rejection::NotOpen(_) | Rejection::NobodyReviews => "coded.agency_id",
        _ => "certificate",
    };
    let refusal = super::status::rejected(against);
    wire::FieldProblem {
        field: field.to_owned(),
        reason: refusal.reason().to_owned(),
        message: refusal.sentence().to_owned(),
    }
}

/// One application. Personal data is masked unless `clear`.
pub(super) fn application(seen: &Seen, found: &Application, clear: bool) -> wire::Application {
    let number = found.number;
    let submitted = seen.record.entries_of(number).next();
    let updated = seen.record.entries_of(number).next_back();
    let time =
        |entry: Option<&crate::store::record::Entry>| entry.map(|entry| rpc::timestamp(entry.recorded.recorded_at));
    let conclusion = found.conclusion();
    let printed = seen.record.entries_of(number).rfind(|entry| matches!(entry.event, Event::CertificateNotePrinted(_)));
    let concluded = seen.record.entries_of(number).rfind(|entry| matches!(entry.event, Event::ApplicationConcluded(_)));
    let place = found.place;
    let (personal, applicant) = personal(seen.secret.as_ref(), clear);
    wire::Application {
        key: Some(wire::ApplicationKey {
            certificate_id: updated.map(|entry| entry.recorded.stream.to_string()).unwrap_or_default(),
            enrolment_number: number.to_string(),
        }),
        status: values::status(found.status()).into(),
        level: found.step().map(|step| values::level(step.level).into()).unwrap_or_default(),
        turn: values::turn(found.turn()).into(),
        conclusion: conclusion.map(|record| values::conclusion(record.conclusion).into()).unwrap_or_default(),
        ordinal: int(found.ordinal),
        form_version: int(found.form_version),
        confirmation_refused: found.is_refused(),
        form: Some(wire::Form {
            personal: personal.map(values::personal),
            coded: Some(values::coded(found.form.clone())),
        }),
        applicant: Some(wire::Applicant {
            person_id: found.person.to_string(),
            certificate_kind: values::certificate_kind(found.kind).into(),
            ..applicant
        }),
        facts: found
            .facts
            .as_ref()
            .map(|facts| wire::Facts { note: seen.note.clone().unwrap_or_default(), ..values::facts(facts) }),
        conclusion_record: conclusion.map(|record| wire::ConclusionRecord {
            conclude_time: time(concluded),
            note_printed_time: time(printed.filter(|_| record.note_printed)),
            certificate_note: seen.certificate_note.clone().unwrap_or_default(),
            proposal: record
                .proposed
                .filter(|_| seen.reader != Reader::Applicant)
                .map(|proposed| proposal(seen, proposed)),
            ..conclusion_record(record)
        }),
        submit_time: time(submitted),
        update_time: time(updated),
        version: seen.record.version,
        agency_id: place.agency.to_string(),
        point_id: place.point.to_string(),
        school_id: place.school.to_string(),
        time_limit: seen.time_limit.as_ref().map(time_limit),
        warnings: seen.warnings.iter().map(warning).collect(),
    }
}

/// 审核期限
pub(super) fn time_limit(limit: &TimeLimit) -> wire::TimeLimit {
    wire::TimeLimit {
        accepted_until_date: render_date(limit.accepted_until),
        days: int(limit.days),
        due_date: render_date(limit.due),
        day: int(limit.day),
        overdue: limit.overdue,
        provisional: limit.provisional,
    }
}

/// Something unusual.
pub(super) fn warning(warning: &Warning) -> wire::Warning {
    wire::Warning { reason: warning.reason.to_owned(), message: warning.sentence.clone() }
}

/// One application in a list.
pub(super) fn summary(row: &Row) -> wire::ApplicationSummary {
    wire::ApplicationSummary {
        key: Some(wire::ApplicationKey {
            certificate_id: row.certificate.to_string(),
            enrolment_number: row.number.to_string(),
        }),
        status: values::status(row.status).into(),
        level: row.level.map(|level| values::level(level).into()).unwrap_or_default(),
        turn: values::turn(row.turn()).into(),
        conclusion: row.conclusion.map(|conclusion| values::conclusion(conclusion).into()).unwrap_or_default(),
        ordinal: int(row.ordinal),
        confirmation_refused: row.refused,
        agency_id: row.place.agency.to_string(),
        point_id: row.place.point.to_string(),
        school_id: row.place.school.to_string(),
        stage: values::stage(row.place.stage).into(),
        submit_time: Some(rpc::timestamp(row.submitted_at)),
        update_time: Some(rpc::timestamp(row.updated_at)),
        version: row.version,
    }
}

fn conclusion_record(record: &ConclusionRecord) -> wire::ConclusionRecord {
    wire::ConclusionRecord {
        conclusion: values::conclusion(record.conclusion).into(),
        articles: record.articles.clone(),
        rule_set_id: record.rules.province.clone(),
        rule_set_version: int(record.rules.version),
        conclude_time: None,
        assessment: Some(values::assessment(&record.assessment)),
        publicity_begin_time: record.publicity_begun_at.map(rpc::timestamp),
        publicity_end_time: record.publicity_ended_at.map(rpc::timestamp),
        objection_open: record.objection_open,
        note_printed_time: None,
        reversal_proposed: record.proposed.is_some(),
        publicity_planned_end_date: record.publicity_until.map(render_date).unwrap_or_default(),
        certificate_note: String::new(),
        proposal: None,
    }
}

/// What another officer has to approve.
fn proposal(seen: &Seen, proposed: Proposed) -> wire::ReversalProposal {
    let Proposed { by, revoke, version } = proposed;
    let entry = seen.record.entries.iter().find(|entry| entry.recorded.version == version);
    let file_reference = entry.and_then(|entry| match &entry.event {
        Event::ReversalProposed { file_reference, .. } => Some(file_reference.clone()),
        _ => None,
    });
    wire::ReversalProposal {
        version,
        revoke,
        file_reference: file_reference.unwrap_or_default(),
        reason: seen.words.get(&version).cloned().unwrap_or_default(),
        time: entry.map(|entry| rpc::timestamp(entry.recorded.recorded_at)),
        proposed_by: by.to_string(),
    }
}

/// Masked by default: numbers keep their ends, names all but the last character, free text and places nothing.
fn personal(secret: Option<&Secret>, clear: bool) -> (Option<Personal>, wire::Applicant) {
    let Some(Secret { personal, applicant, certificate_issue_date, .. }) = secret else {
        return (None, wire::Applicant::default());
    };
    let applicant = wire::Applicant { issue_date: certificate_issue_date.clone(), ..applicant.clone() };
    if clear {
        return (Some(personal.clone()), applicant);
    }
    let hidden = |text: &String| if text.is_empty() { String::new() } else { "***".to_owned() };
    let masked = Personal {
        putonghua_number: vault::mask::certificate(&personal.putonghua_number),
        graduation_date: hidden(&personal.graduation_date),
        birth_place: hidden(&personal.birth_place),
        household_place: hidden(&personal.household_place),
        address: hidden(&personal.address),
        postcode: hidden(&personal.postcode),
        telephone: vault::mask::phone(&personal.telephone),
        mobile: vault::mask::phone(&personal.mobile),
        email: vault::mask::email(&personal.email),
    };
    let applicant = wire::Applicant {
        name: vault::mask::name(&applicant.name),
        number: vault::mask::number(&applicant.number),
        birth_date: hidden(&applicant.birth_date),
        ethnicity: hidden(&applicant.ethnicity),
        certificate_number: vault::mask::certificate(&applicant.certificate_number),
        ..applicant
    };
    (Some(masked), applicant)
}

pub(super) fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
