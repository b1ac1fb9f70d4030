//! Events of a certificate as they are stored: a public message, keyed hashes inside, numbers and names sealed.

use bytes::Bytes;
use prost::{Message, Name};
use proto::certificates::v1 as wire;
use proto::types::v1 as types;
use time::Date;
use time::macros::format_description;
use uuid::Uuid;

use crate::domain::certificate::{
    Announcement, Besides, Conclusion, Details, Event, Evidence, Hash, Outcome, PriorRegistration, Restriction, Source,
};
use crate::domain::kind::Kind;

/// What is personal in a certificate; sealed wherever it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Personal {
    /// 证书号码
    pub number: String,
    /// 证件号码 of the holder.
    pub holder_number: String,
    /// 姓名 of the holder.
    pub holder_name: String,
}

impl std::fmt::Debug for Personal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Personal(…)")
    }
}

impl Personal {
    /// The sealed part before it is sealed.
    pub fn encode(&self) -> Vec<u8> {
        let Self { number, holder_number, holder_name } = self.clone();
        wire::SealedCertificate { number, holder_number, holder_name }.encode_to_vec()
    }

    /// Reads the sealed part after it was opened.
    pub fn decode(plain: &[u8]) -> Option<Self> {
        let wire::SealedCertificate { number, holder_number, holder_name } =
            wire::SealedCertificate::decode(plain).ok()?;
        Some(Self { number, holder_number, holder_name })
    }
}

/// What is sealed of an officer's decision, before it is sealed.
pub fn decision(reason: &str) -> Vec<u8> {
    wire::SealedDecision { reason: reason.to_owned() }.encode_to_vec()
}

/// The parts of an event that are written as they are; the sealed part is made where the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Full name of the message.
    pub kind: String,
    /// The public message.
    pub payload: Vec<u8>,
    /// Keyed hashes.
    pub inner: Vec<u8>,
}

/// Writes an event of the record `certificate`.
pub fn write(certificate: Uuid, event: &Event) -> StoredEvent {
    let id = certificate.to_string();
    match event {
        Event::Synced { details, source } => with_details(&synced(id, details, *source), details),
        Event::Changed { details, source } => {
            let wire::CertificateSynced { certificate_id, kind, subject, issuing_agency, issue_date, source } =
                synced(id, details, *source);
            let changed =
                wire::CertificateChanged { certificate_id, kind, subject, issuing_agency, issue_date, source };
            with_details(&changed, details)
        }
        Event::AddedByHand { details, person } => {
            let added = wire::CertificateAddedByHand {
                certificate_id: id,
                kind: kind(details.kind).into(),
                subject: details.subject.clone(),
                issuing_agency: details.issuing_agency.clone(),
                issue_date: rpc::render_date(details.issue_date),
                person_id: person.to_string(),
            };
            with_details(&added, details)
        }
        Event::Matched { person, evidence } => plain(&wire::CertificateMatched {
            certificate_id: id,
            person_id: person.to_string(),
            evidence: match evidence {
                Evidence::NumberAndName => "NUMBER_AND_NAME".to_owned(),
                Evidence::AddedByHand => "ADDED_BY_HAND".to_owned(),
                Evidence::Merged => "MERGED".to_owned(),
            },
        }),
        Event::Unmatched => plain(&wire::CertificateUnmatched { certificate_id: id }),
        Event::PriorRegistrationImported(prior) => plain(&wire::PriorRegistrationImported {
            certificate_id: id,
            registration: Some(prior_registration(prior)),
        }),
        Event::ConflictFound { ordinal, details, besides, source: from } => {
            let wire::CertificateSynced { certificate_id, kind, subject, issuing_agency, issue_date, source } =
                synced(id, details, *from);
            let ordinal = ordinal.cast_signed();
            let registrations = besides.registrations.iter().map(|(&ordinal, &(conclusion, concluded))| {
                prior_registration(&PriorRegistration { ordinal, conclusion, concluded })
            });
            let found = wire::ConflictFound {
                certificate_id,
                ordinal,
                kind,
                subject,
                issuing_agency,
                issue_date,
                source,
                registrations: registrations.collect(),
                restricted: besides.restricted,
            };
            with_details(&found, details)
        }
        Event::ConflictSettled { ordinal, outcome: how, file_reference, generation } => plain(&wire::ConflictSettled {
            certificate_id: id,
            ordinal: ordinal.cast_signed(),
            outcome: outcome(*how).into(),
            file_reference: file_reference.clone(),
            key_generation: generation.cast_signed(),
        }),
        Event::Deleted => plain(&wire::CertificateDeleted { certificate_id: id }),
        Event::Merged { into, file_reference, generation } => plain(&wire::CertificateMerged {
            certificate_id: id,
            into_certificate_id: into.to_string(),
            file_reference: file_reference.clone(),
            key_generation: generation.cast_signed(),
        }),
        Event::Absorbed { merged } => {
            plain(&wire::CertificateAbsorbed { certificate_id: id, merged_certificate_id: merged.to_string() })
        }
        Event::Restricted { kind, end, file_reference } => plain(&wire::CertificateRestricted {
            certificate_id: id,
            kind: restriction(*kind).into(),
            end_date: end.map(rpc::render_date).unwrap_or_default(),
            file_reference: file_reference.clone(),
        }),
        Event::RestrictionLifted { file_reference } => {
            plain(&wire::RestrictionLifted { certificate_id: id, file_reference: file_reference.clone() })
        }
        Event::RestrictionAnnounced { number, announcement } => {
            let announced = wire::RestrictionAnnounced {
                certificate_id: id,
                kind: restriction(announcement.kind).into(),
                end_date: announcement.end.map(rpc::render_date).unwrap_or_default(),
                file_reference: announcement.file_reference.clone(),
            };
            let inner = wire::CertificateInner {
                number_hash: bytes(number),
                holder_number_hash: bytes(&announcement.holder),
                ..Default::default()
            };
            StoredEvent { inner: inner.encode_to_vec(), ..plain(&announced) }
        }
        Event::RestrictionWithdrawn { file_reference } => {
            plain(&wire::RestrictionWithdrawn { certificate_id: id, file_reference: file_reference.clone() })
        }
        Event::Forgotten { generation } => {
            plain(&wire::CertificateForgotten { certificate_id: id, key_generation: generation.cast_signed() })
        }
    }
}

/// Whether events of this kind stand in the record of a certificate.
pub fn is_of_a_record(kind: &str) -> bool {
    let name = kind.strip_prefix("dingzhu.certificates.v1.");
    name.is_some_and(|name| !name.starts_with("Sync") && !name.starts_with("Correction"))
}

/// Reads an event back; `None` when its bytes are not what [`write()`] makes.
pub fn read(kind: &str, payload: &[u8], inner: &[u8]) -> Option<Event> {
    let name = kind.strip_prefix(wire::CertificateSynced::PACKAGE)?.strip_prefix('.')?;
    match name {
        wire::CertificateSynced::NAME => {
            let message = wire::CertificateSynced::decode(payload).ok()?;
            let source = read_source(message.source)?;
            let wire::CertificateSynced { kind, subject, issuing_agency, issue_date, .. } = message;
            Some(Event::Synced { details: read_details(kind, subject, issuing_agency, &issue_date, inner)?, source })
        }
        wire::CertificateChanged::NAME => {
            let message = wire::CertificateChanged::decode(payload).ok()?;
            let source = read_source(message.source)?;
            let wire::CertificateChanged { kind, subject, issuing_agency, issue_date, .. } = message;
            Some(Event::Changed { details: read_details(kind, subject, issuing_agency, &issue_date, inner)?, source })
        }
        wire::CertificateAddedByHand::NAME => {
            let message = wire::CertificateAddedByHand::decode(payload).ok()?;
            let person = Uuid::parse_str(&message.person_id).ok()?;
            let wire::CertificateAddedByHand { kind, subject, issuing_agency, issue_date, .. } = message;
            Some(Event::AddedByHand {
                details: read_details(kind, subject, issuing_agency, &issue_date, inner)?,
                person,
            })
        }
        wire::CertificateMatched::NAME => {
            let message = wire::CertificateMatched::decode(payload).ok()?;
            let evidence = match message.evidence.as_str() {
                "NUMBER_AND_NAME" => Evidence::NumberAndName,
                "ADDED_BY_HAND" => Evidence::AddedByHand,
                "MERGED" => Evidence::Merged,
                _ => return None,
            };
            Some(Event::Matched { person: Uuid::parse_str(&message.person_id).ok()?, evidence })
        }
        wire::CertificateUnmatched::NAME => Some(Event::Unmatched),
        wire::PriorRegistrationImported::NAME => {
            let registration = wire::PriorRegistrationImported::decode(payload).ok()?.registration?;
            Some(Event::PriorRegistrationImported(read_registration(&registration)?))
        }
        wire::ConflictFound::NAME => {
            let message = wire::ConflictFound::decode(payload).ok()?;
            let (ordinal, source) = (u32::try_from(message.ordinal).ok()?, read_source(message.source)?);
            let wire::ConflictFound { kind, subject, issuing_agency, issue_date, registrations, restricted, .. } =
                message;
            let details = read_details(kind, subject, issuing_agency, &issue_date, inner)?;
            let registrations = registrations.iter().map(read_registration);
            let registrations = registrations.map(|it| it.map(|it| (it.ordinal, (it.conclusion, it.concluded))));
            let besides = Besides { registrations: registrations.collect::<Option<_>>()?, restricted };
            Some(Event::ConflictFound { ordinal, details, besides, source })
        }
        wire::ConflictSettled::NAME => {
            let message = wire::ConflictSettled::decode(payload).ok()?;
            Some(Event::ConflictSettled {
                ordinal: u32::try_from(message.ordinal).ok()?,
                outcome: read_outcome(message.outcome)?,
                file_reference: message.file_reference,
                generation: u32::try_from(message.key_generation).ok()?,
            })
        }
        wire::CertificateDeleted::NAME => Some(Event::Deleted),
        wire::CertificateMerged::NAME => {
            let message = wire::CertificateMerged::decode(payload).ok()?;
            Some(Event::Merged {
                into: Uuid::parse_str(&message.into_certificate_id).ok()?,
                file_reference: message.file_reference,
                generation: u32::try_from(message.key_generation).ok()?,
            })
        }
        wire::CertificateAbsorbed::NAME => {
            let merged = wire::CertificateAbsorbed::decode(payload).ok()?.merged_certificate_id;
            Some(Event::Absorbed { merged: Uuid::parse_str(&merged).ok()? })
        }
        wire::CertificateRestricted::NAME => {
            let message = wire::CertificateRestricted::decode(payload).ok()?;
            let end = if message.end_date.is_empty() { None } else { Some(read_date(&message.end_date)?) };
            let kind = read_restriction(message.kind)?;
            Some(Event::Restricted { kind, end, file_reference: message.file_reference })
        }
        wire::RestrictionLifted::NAME => {
            let file_reference = wire::RestrictionLifted::decode(payload).ok()?.file_reference;
            Some(Event::RestrictionLifted { file_reference })
        }
        wire::RestrictionAnnounced::NAME => {
            let wire::RestrictionAnnounced { kind, end_date, file_reference, .. } =
                wire::RestrictionAnnounced::decode(payload).ok()?;
            let inner = wire::CertificateInner::decode(inner).ok()?;
            let end = if end_date.is_empty() { None } else { Some(read_date(&end_date)?) };
            let (holder, kind) = (hash(&inner.holder_number_hash)?, read_restriction(kind)?);
            let announcement = Announcement { holder, kind, end, file_reference };
            Some(Event::RestrictionAnnounced { number: hash(&inner.number_hash)?, announcement })
        }
        wire::RestrictionWithdrawn::NAME => {
            let file_reference = wire::RestrictionWithdrawn::decode(payload).ok()?.file_reference;
            Some(Event::RestrictionWithdrawn { file_reference })
        }
        wire::CertificateForgotten::NAME => {
            let generation = wire::CertificateForgotten::decode(payload).ok()?.key_generation;
            Some(Event::Forgotten { generation: u32::try_from(generation).ok()? })
        }
        _ => None,
    }
}

fn synced(certificate_id: String, details: &Details, from: Source) -> wire::CertificateSynced {
    wire::CertificateSynced {
        certificate_id,
        kind: kind(details.kind).into(),
        subject: details.subject.clone(),
        issuing_agency: details.issuing_agency.clone(),
        issue_date: rpc::render_date(details.issue_date),
        source: source(from).into(),
    }
}

fn plain<M: Message + Name>(message: &M) -> StoredEvent {
    StoredEvent { kind: M::full_name(), payload: message.encode_to_vec(), inner: Vec::new() }
}

fn with_details<M: Message + Name>(message: &M, details: &Details) -> StoredEvent {
    let inner = wire::CertificateInner {
        number_hash: bytes(&details.number),
        holder_number_hash: bytes(&details.holder),
        row_digest: bytes(&details.digest),
        key_generation: details.generation.cast_signed(),
    };
    StoredEvent { inner: inner.encode_to_vec(), ..plain(message) }
}

fn read_details(kind: i32, subject: String, issuing_agency: String, issue_date: &str, inner: &[u8]) -> Option<Details> {
    let inner = wire::CertificateInner::decode(inner).ok()?;
    Some(Details {
        kind: Kind::of_digit(u8::try_from(kind).ok()?)?,
        subject,
        issuing_agency,
        issue_date: read_date(issue_date)?,
        number: hash(&inner.number_hash)?,
        holder: hash(&inner.holder_number_hash)?,
        digest: hash(&inner.row_digest)?,
        generation: u32::try_from(inner.key_generation).ok()?,
    })
}

fn bytes(hash: &Hash) -> Bytes {
    Bytes::copy_from_slice(hash)
}

fn hash(bytes: &Bytes) -> Option<Hash> {
    Hash::try_from(bytes.as_ref()).ok()
}

/// Reads YYYY-MM-DD.
pub fn read_date(text: &str) -> Option<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).ok()
}

/// The kind on the wire: numbers are the digits.
pub fn kind(kind: Kind) -> types::CertificateKind {
    types::CertificateKind::try_from(i32::from(kind.digit())).expect("every digit has its kind on the wire")
}

/// The source on the wire.
pub fn source(source: Source) -> wire::Source {
    match source {
        Source::Register => wire::Source::Register,
        Source::PriorRegistration => wire::Source::PriorRegistration,
        Source::ByHand => wire::Source::ByHand,
    }
}

fn read_source(number: i32) -> Option<Source> {
    match wire::Source::try_from(number).ok()? {
        wire::Source::Register => Some(Source::Register),
        wire::Source::PriorRegistration => Some(Source::PriorRegistration),
        wire::Source::ByHand => Some(Source::ByHand),
        wire::Source::Unspecified => None,
    }
}

fn outcome(outcome: Outcome) -> wire::ConflictOutcome {
    match outcome {
        Outcome::Kept => wire::ConflictOutcome::Kept,
        Outcome::Taken => wire::ConflictOutcome::Taken,
        Outcome::Withdrawn => wire::ConflictOutcome::Withdrawn,
    }
}

fn read_outcome(number: i32) -> Option<Outcome> {
    match wire::ConflictOutcome::try_from(number).ok()? {
        wire::ConflictOutcome::Kept => Some(Outcome::Kept),
        wire::ConflictOutcome::Taken => Some(Outcome::Taken),
        wire::ConflictOutcome::Withdrawn => Some(Outcome::Withdrawn),
        wire::ConflictOutcome::Unspecified => None,
    }
}

/// A prior registration on the wire.
pub fn prior_registration(prior: &PriorRegistration) -> wire::PriorRegistration {
    let conclusion = match prior.conclusion {
        Conclusion::Qualified => types::Conclusion::Qualified,
        Conclusion::Deferred => types::Conclusion::Deferred,
        Conclusion::Failed => types::Conclusion::Failed,
        Conclusion::Revoked => types::Conclusion::Revoked,
    };
    wire::PriorRegistration {
        ordinal: prior.ordinal.cast_signed(),
        conclusion: conclusion.into(),
        conclude_date: rpc::render_date(prior.concluded),
    }
}

fn read_registration(registration: &wire::PriorRegistration) -> Option<PriorRegistration> {
    Some(PriorRegistration {
        ordinal: u32::try_from(registration.ordinal).ok()?,
        conclusion: read_conclusion(registration.conclusion)?,
        concluded: read_date(&registration.conclude_date)?,
    })
}

fn read_conclusion(number: i32) -> Option<Conclusion> {
    match types::Conclusion::try_from(number).ok()? {
        types::Conclusion::Qualified => Some(Conclusion::Qualified),
        types::Conclusion::Deferred => Some(Conclusion::Deferred),
        types::Conclusion::Failed => Some(Conclusion::Failed),
        types::Conclusion::Revoked => Some(Conclusion::Revoked),
        types::Conclusion::Unspecified => None,
    }
}

/// A restriction on the wire.
pub fn restriction(kind: Restriction) -> wire::RestrictionKind {
    match kind {
        Restriction::Unspecified => wire::RestrictionKind::Unspecified,
        Restriction::Forfeited => wire::RestrictionKind::Forfeited,
        Restriction::RevokedConduct => wire::RestrictionKind::RevokedConduct,
        Restriction::RevokedFraud => wire::RestrictionKind::RevokedFraud,
        Restriction::ExamCheating => wire::RestrictionKind::ExamCheating,
    }
}

/// Reads a restriction; `None` for a number that names none.
pub fn read_restriction(number: i32) -> Option<Restriction> {
    Some(match wire::RestrictionKind::try_from(number).ok()? {
        wire::RestrictionKind::Unspecified => Restriction::Unspecified,
        wire::RestrictionKind::Forfeited => Restriction::Forfeited,
        wire::RestrictionKind::RevokedConduct => Restriction::RevokedConduct,
        wire::RestrictionKind::RevokedFraud => Restriction::RevokedFraud,
        wire::RestrictionKind::ExamCheating => Restriction::ExamCheating,
    })
}
