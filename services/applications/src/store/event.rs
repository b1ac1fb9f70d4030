//! The stored form of the record's events: what is public, and what only this service may see. The sealed part stands
//! beside both (`record.rs`).

use prost::{Message, Name};
use proto::applications::v1 as wire;
use uuid::Uuid;

use crate::domain::calendar::{parse_date, render_date};
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::registration::{Amended, Concluded, Event, Prior, Submitted, Unit};
use crate::domain::route::{Route, Step};
use crate::domain::rules::RuleRef;
use crate::domain::text::TextRef;
use crate::store::Corrupt;
use crate::store::draft_events::is_of_a_draft;
use crate::wire as values;

#[cfg(test)]
mod tests;

/// Whether events of this kind belong to the record of a certificate; the log holds rule sets, texts, drafts, erasures and epochs, too.
pub fn is_of_a_record(kind: &str) -> bool {
    let ours = kind.strip_prefix("dingzhu.applications.v1.");
    ours.is_some_and(|name| ![wire::RuleSetPublished::NAME, wire::TextPublished::NAME].contains(&name))
        && !is_of_a_draft(kind)
}

/// Kind, payload and inner part of an event of a certificate's record. Takes the event: its form moves.
pub fn encode(certificate: Uuid, event: Event) -> (String, Vec<u8>, Vec<u8>) {
    let certificate_id = certificate.to_string();
    let number = event.number().map(|number| number.to_string());
    let enrolment_number = number.unwrap_or_default();
    match event {
        Event::PriorRegistrationRecorded(prior) => public(&wire::PriorRegistrationRecorded {
            certificate_id,
            ordinal: int(prior.ordinal),
            conclusion: values::conclusion(prior.conclusion).into(),
            conclude_date: render_date(prior.on),
            merged_from_certificate_id: prior.merged_from.map(|from| from.to_string()).unwrap_or_default(),
        }),
        Event::RecordMerged { into } => {
            public(&wire::RecordMerged { certificate_id, into_certificate_id: into.to_string() })
        }
        Event::ApplicationSubmitted(submitted) => {
            let inner = wire::SubmissionInner { draft_id: submitted.draft.to_string() };
            with_inner(
                &wire::ApplicationSubmitted {
                    certificate_id,
                    enrolment_number,
                    person_id: submitted.person.to_string(),
                    ordinal: int(submitted.ordinal),
                    form: Some(values::coded(submitted.form)),
                    window_id: submitted.window.to_string(),
                    window_revision: int(submitted.window_revision),
                    with_grace_ticket: submitted.with_ticket,
                    agreement_version: int(submitted.agreement.version),
                    agreement_digest: submitted.agreement.digest,
                    pledge_version: int(submitted.pledge.version),
                    pledge_digest: submitted.pledge.digest,
                    route: steps(&submitted.route),
                    rule_set_province: submitted.rules.province,
                    rule_set_version: int(submitted.rules.version),
                    certificate_kind: values::certificate_kind(submitted.kind).into(),
                    submit_date: render_date(submitted.on),
                },
                &inner,
            )
        }
        Event::ApplicationAmended(amended) => public(&wire::ApplicationAmended {
            certificate_id,
            enrolment_number,
            form_version: int(amended.form_version),
            form: Some(values::coded(amended.form)),
            pledge_version: int(amended.pledge.version),
            pledge_digest: amended.pledge.digest,
            route: steps(&amended.route),
            rule_set_version: version(amended.rules.as_ref()),
            rule_set_province: province(amended.rules),
        }),
        Event::ApplicationWithdrawn(_) => public(&wire::ApplicationWithdrawn { certificate_id, enrolment_number }),
        Event::FactsRecorded { facts, by, .. } => with_inner(
            &facts_recorded(certificate_id, enrolment_number, by),
            &wire::FactsInner { facts: Some(values::facts(&facts)) },
        ),
        Event::ApplicationConfirmed { point, level, rules, .. } => public(&wire::ApplicationConfirmed {
            certificate_id,
            enrolment_number,
            point_id: point.to_string(),
            level: values::level(level).into(),
            rule_set_version: version(rules.as_ref()),
            rule_set_province: province(rules),
        }),
        Event::ConfirmationRefused { point, .. } => {
            public(&wire::ConfirmationRefused { certificate_id, enrolment_number, point_id: point.to_string() })
        }
        Event::ApplicationReturned { by_liaison, .. } => public(&wire::ApplicationReturned {
            certificate_id,
            enrolment_number,
            by_role: (if by_liaison { LIAISON } else { CLERK }).to_owned(),
        }),
        Event::ReviewPassed { level, next, .. } => public(&wire::ReviewPassed {
            certificate_id,
            enrolment_number,
            level: values::level(level).into(),
            next_level: values::level(next).into(),
        }),
        Event::ReviewSentBack { level, to, .. } => public(&wire::ReviewSentBack {
            certificate_id,
            enrolment_number,
            level: values::level(level).into(),
            to_level: to.map(|to| values::level(to).into()).unwrap_or_default(),
        }),
        Event::ApplicationConcluded(concluded) => with_inner(
            &wire::ApplicationConcluded {
                certificate_id,
                enrolment_number,
                ordinal: int(concluded.ordinal),
                conclusion: values::conclusion(concluded.conclusion).into(),
                conclude_date: render_date(concluded.on),
                rule_set_province: concluded.rules.province,
                rule_set_version: int(concluded.rules.version),
                level: values::level(concluded.level).into(),
            },
            &wire::ConclusionInner {
                articles: concluded.articles,
                assessment: Some(values::assessment(&concluded.assessment)),
            },
        ),
        Event::PublicityBegun { at, until, rules, .. } => public(&wire::PublicityBegun {
            certificate_id,
            enrolment_number,
            time: Some(rpc::timestamp(at)),
            planned_end_date: until.map(render_date).unwrap_or_default(),
            rule_set_version: version(rules.as_ref()),
            rule_set_province: province(rules),
        }),
        Event::PublicityEnded { at, .. } => {
            public(&wire::PublicityEnded { certificate_id, enrolment_number, time: Some(rpc::timestamp(at)) })
        }
        Event::ObjectionRecorded(_) => public(&wire::ObjectionRecorded { certificate_id, enrolment_number }),
        Event::ObjectionSettled(_) => public(&wire::ObjectionSettled { certificate_id, enrolment_number }),
        Event::CertificateNotePrinted(_) => public(&wire::CertificateNotePrinted { certificate_id, enrolment_number }),
        Event::ReversalProposed { revoke, by, file_reference, .. } => with_inner(
            &wire::ReversalProposed { certificate_id, enrolment_number, revoke },
            &wire::ReversalInner { proposed_by: by.to_string(), file_reference },
        ),
        Event::ConclusionReversed { level, .. } => {
            let level = values::level(level).into();
            public(&wire::ConclusionReversed { certificate_id, enrolment_number, level })
        }
        Event::RegistrationRevoked { on, .. } => {
            public(&wire::RegistrationRevoked { certificate_id, enrolment_number, revoke_date: render_date(on) })
        }
    }
}

/// Reads an event of a record back.
pub fn decode(kind: &str, payload: &[u8], inner: &[u8]) -> Result<Event, Corrupt> {
    read(kind, payload, inner).ok_or_else(|| Corrupt { kind: kind.to_owned() })
}

fn read(kind: &str, payload: &[u8], inner: &[u8]) -> Option<Event> {
    Some(match kind.strip_prefix("dingzhu.applications.v1.")? {
        wire::PriorRegistrationRecorded::NAME => {
            let message = wire::PriorRegistrationRecorded::decode(payload).ok()?;
            Event::PriorRegistrationRecorded(Prior {
                ordinal: count(message.ordinal)?,
                conclusion: values::parse_conclusion(message.conclusion)?,
                on: parse_date(&message.conclude_date)?,
                merged_from: match message.merged_from_certificate_id.as_str() {
                    "" => None,
                    from => Some(id(from)?),
                },
            })
        }
        wire::RecordMerged::NAME => {
            Event::RecordMerged { into: id(&wire::RecordMerged::decode(payload).ok()?.into_certificate_id)? }
        }
        wire::ApplicationSubmitted::NAME => {
            let message = wire::ApplicationSubmitted::decode(payload).ok()?;
            let inner = wire::SubmissionInner::decode(inner).ok()?;
            let form = values::parse_coded(message.form?).ok()?;
            Event::ApplicationSubmitted(Box::new(Submitted {
                number: EnrolmentNumber::parse(&message.enrolment_number)?,
                person: id(&message.person_id)?,
                draft: id(&inner.draft_id)?,
                ordinal: count(message.ordinal)?,
                kind: values::parse_certificate_kind(message.certificate_kind)?,
                place: form.place()?,
                form,
                window: id(&message.window_id)?,
                window_revision: count(message.window_revision)?,
                with_ticket: message.with_grace_ticket,
                agreement: TextRef { version: count(message.agreement_version)?, digest: message.agreement_digest },
                pledge: TextRef { version: count(message.pledge_version)?, digest: message.pledge_digest },
                route: route(&message.route)?,
                rules: RuleRef { province: message.rule_set_province, version: count(message.rule_set_version)? },
                on: parse_date(&message.submit_date)?,
            }))
        }
        wire::ApplicationAmended::NAME => {
            let message = wire::ApplicationAmended::decode(payload).ok()?;
            let form = values::parse_coded(message.form?).ok()?;
            Event::ApplicationAmended(Box::new(Amended {
                number: EnrolmentNumber::parse(&message.enrolment_number)?,
                form_version: count(message.form_version)?,
                place: form.place()?,
                form,
                pledge: TextRef { version: count(message.pledge_version)?, digest: message.pledge_digest },
                route: route(&message.route)?,
                rules: rules(message.rule_set_province, message.rule_set_version),
            }))
        }
        wire::ApplicationWithdrawn::NAME => {
            let message = wire::ApplicationWithdrawn::decode(payload).ok()?;
            Event::ApplicationWithdrawn(EnrolmentNumber::parse(&message.enrolment_number)?)
        }
        wire::FactsRecorded::NAME => {
            let message = wire::FactsRecorded::decode(payload).ok()?;
            let facts = wire::FactsInner::decode(inner).ok()?.facts?;
            let number = EnrolmentNumber::parse(&message.enrolment_number)?;
            let by = unit(&message.by_role, &message.unit_id);
            Event::FactsRecorded { number, facts: Box::new(values::parse_facts(&facts).ok()?), by }
        }
        wire::ApplicationConfirmed::NAME => {
            let message = wire::ApplicationConfirmed::decode(payload).ok()?;
            Event::ApplicationConfirmed {
                number: EnrolmentNumber::parse(&message.enrolment_number)?,
                point: id(&message.point_id)?,
                level: values::parse_level(message.level)?,
                rules: rules(message.rule_set_province, message.rule_set_version),
            }
        }
        wire::ConfirmationRefused::NAME => {
            let message = wire::ConfirmationRefused::decode(payload).ok()?;
            let number = EnrolmentNumber::parse(&message.enrolment_number)?;
            Event::ConfirmationRefused { number, point: id(&message.point_id)? }
        }
        wire::ApplicationReturned::NAME => {
            let message = wire::ApplicationReturned::decode(payload).ok()?;
            let number = EnrolmentNumber::parse(&message.enrolment_number)?;
            let by_liaison = match message.by_role.as_str() {
                LIAISON => true,
                CLERK => false,
                _ => return None,
            };
            Event::ApplicationReturned { number, by_liaison }
        }
        name => return read_review(name, payload, inner),
    })
}

fn read_review(name: &str, payload: &[u8], inner: &[u8]) -> Option<Event> {
    Some(match name {
        wire::ReviewPassed::NAME => {
            let message = wire::ReviewPassed::decode(payload).ok()?;
            Event::ReviewPassed {
                number: EnrolmentNumber::parse(&message.enrolment_number)?,
                level: values::parse_level(message.level)?,
                next: values::parse_level(message.next_level)?,
            }
        }
        wire::ReviewSentBack::NAME => {
            let message = wire::ReviewSentBack::decode(payload).ok()?;
            Event::ReviewSentBack {
                number: EnrolmentNumber::parse(&message.enrolment_number)?,
                level: values::parse_level(message.level)?,
                to: match message.to_level {
                    0 => None,
                    level => Some(values::parse_level(level)?),
                },
            }
        }
        wire::ApplicationConcluded::NAME => {
            let message = wire::ApplicationConcluded::decode(payload).ok()?;
            let inner = wire::ConclusionInner::decode(inner).ok()?;
            Event::ApplicationConcluded(Box::new(Concluded {
                number: EnrolmentNumber::parse(&message.enrolment_number)?,
                ordinal: count(message.ordinal)?,
                conclusion: values::parse_conclusion(message.conclusion)?,
                on: parse_date(&message.conclude_date)?,
                rules: RuleRef { province: message.rule_set_province, version: count(message.rule_set_version)? },
                level: values::parse_level(message.level)?,
                articles: inner.articles,
                assessment: values::parse_assessment(inner.assessment?)?,
            }))
        }
        wire::PublicityBegun::NAME => {
            let message = wire::PublicityBegun::decode(payload).ok()?;
            let until = match message.planned_end_date.as_str() {
                "" => None,
                date => Some(parse_date(date)?),
            };
            let (number, at) = (EnrolmentNumber::parse(&message.enrolment_number)?, time(message.time.as_ref())?);
            let rules = rules(message.rule_set_province, message.rule_set_version);
            Event::PublicityBegun { number, at, until, rules }
        }
        wire::PublicityEnded::NAME => {
            let message = wire::PublicityEnded::decode(payload).ok()?;
            let at = time(message.time.as_ref())?;
            Event::PublicityEnded { number: EnrolmentNumber::parse(&message.enrolment_number)?, at }
        }
        wire::ObjectionRecorded::NAME => {
            let message = wire::ObjectionRecorded::decode(payload).ok()?;
            Event::ObjectionRecorded(EnrolmentNumber::parse(&message.enrolment_number)?)
        }
        wire::ObjectionSettled::NAME => {
            let message = wire::ObjectionSettled::decode(payload).ok()?;
            Event::ObjectionSettled(EnrolmentNumber::parse(&message.enrolment_number)?)
        }
        wire::CertificateNotePrinted::NAME => {
            let message = wire::CertificateNotePrinted::decode(payload).ok()?;
            Event::CertificateNotePrinted(EnrolmentNumber::parse(&message.enrolment_number)?)
        }
        wire::ReversalProposed::NAME => {
            let message = wire::ReversalProposed::decode(payload).ok()?;
            let inner = wire::ReversalInner::decode(inner).ok()?;
            Event::ReversalProposed {
                number: EnrolmentNumber::parse(&message.enrolment_number)?,
                revoke: message.revoke,
                by: id(&inner.proposed_by)?,
                file_reference: inner.file_reference,
            }
        }
        wire::ConclusionReversed::NAME => {
            let message = wire::ConclusionReversed::decode(payload).ok()?;
            let number = EnrolmentNumber::parse(&message.enrolment_number)?;
            Event::ConclusionReversed { number, level: values::parse_level(message.level)? }
        }
        wire::RegistrationRevoked::NAME => {
            let message = wire::RegistrationRevoked::decode(payload).ok()?;
            let number = EnrolmentNumber::parse(&message.enrolment_number)?;
            Event::RegistrationRevoked { number, on: parse_date(&message.revoke_date)? }
        }
        _ => return None,
    })
}

const LIAISON: &str = "liaison";
const CLERK: &str = "clerk";
const REVIEWER: &str = "reviewer";

fn facts_recorded(certificate_id: String, enrolment_number: String, by: Option<Unit>) -> wire::FactsRecorded {
    let (role, unit) = match by {
        Some(Unit::School(id)) => (LIAISON, id.to_string()),
        Some(Unit::Point(id)) => (CLERK, id.to_string()),
        Some(Unit::Agency(id)) => (REVIEWER, id.to_string()),
        None => Default::default(),
    };
    wire::FactsRecorded { certificate_id, enrolment_number, by_role: role.to_owned(), unit_id: unit }
}

/// Absent from what the first version wrote.
fn unit(role: &str, unit: &str) -> Option<Unit> {
    match role {
        LIAISON => id(unit).map(Unit::School),
        CLERK => id(unit).map(Unit::Point),
        REVIEWER => id(unit).map(Unit::Agency),
        _ => None,
    }
}

/// Absent from what the first version wrote: no version is 0.
fn rules(province: String, version: i32) -> Option<RuleRef> {
    count(version).filter(|version| *version > 0).map(|version| RuleRef { province, version })
}

fn version(rules: Option<&RuleRef>) -> i32 {
    rules.map(|rules| int(rules.version)).unwrap_or_default()
}

fn province(rules: Option<RuleRef>) -> String {
    rules.map(|rules| rules.province).unwrap_or_default()
}

fn public<M: Message + Name>(message: &M) -> (String, Vec<u8>, Vec<u8>) {
    (M::full_name(), message.encode_to_vec(), Vec::new())
}

fn with_inner<M: Message + Name>(message: &M, inner: &impl Message) -> (String, Vec<u8>, Vec<u8>) {
    (M::full_name(), message.encode_to_vec(), inner.encode_to_vec())
}

fn steps(route: &Route) -> Vec<wire::ReviewStep> {
    let step =
        |step: &Step| wire::ReviewStep { level: values::level(step.level).into(), agency_id: step.agency.to_string() };
    route.steps().iter().map(step).collect()
}

fn route(steps: &[wire::ReviewStep]) -> Option<Route> {
    let step =
        |step: &wire::ReviewStep| Some(Step { level: values::parse_level(step.level)?, agency: id(&step.agency_id)? });
    Route::new(steps.iter().map(step).collect::<Option<_>>()?)
}

fn time(timestamp: Option<&prost_types::Timestamp>) -> Option<time::OffsetDateTime> {
    rpc::parse_timestamp("time", timestamp, &mut rpc::Violations::new())
}

fn id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok()
}

fn count(number: i32) -> Option<u32> {
    u32::try_from(number).ok()
}

fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
