//! The stored form of a person's events: public payload, inner part, personal data sealed under the person's key.

use access::root::RootKey;
use eventlog::{Division, NewEvent, Recorded};
use prost::{Message, Name};
use proto::identity::v1::{
    AccountImported, AccountImportedInner, AccountRegistered, AccountRegisteredInner, AccountReinstated,
    AccountRestricted, DocumentType as ProtoType, EmailVerified, NameChanged, NameCheckMethod, NameRefused,
    NameVerified, PasswordChanged, PasswordChangedInner, PersonErased, PhoneChanged, PhoneFixRequested,
    PhoneFixSettled, ProfileChanged, ProfileCompleted, Role as ProtoRole, Scope as ProtoScope, SealedPerson,
    StaffRoleGranted, StaffRoleRevoked, TotpEnrolled, TotpReset, WechatBound, WechatBoundInner, WechatUnbound,
};
use time::OffsetDateTime;
use uuid::Uuid;
use vault::PersonKey;

use super::CorruptEvent;
use crate::domain::account::{Event, FixOutcome, Imported, PhoneFix};
use crate::domain::document::DocumentType;
use crate::domain::personal::Personal;
use crate::domain::role::{self, Grant, Role, Scope};

/// How names are checked; there is one way.
const METHOD: NameCheckMethod = NameCheckMethod::NumberAndName;

/// Where an event will stand; its sealed part is bound to it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Random id of the event.
    pub event_id: Uuid,
    /// The person, whose id is the stream.
    pub person: Uuid,
    /// Version of the event in the stream.
    pub version: i64,
}

/// Personal data that an event sets, and the key to seal it with.
#[derive(Clone, Copy, Debug)]
pub struct Sealing<'a> {
    /// The person's key.
    pub key: &'a PersonKey,
    /// What the event sets.
    pub personal: &'a Personal,
}

/// An event, ready to be recorded; roles and erasures are signed by the root key.
pub fn encode(event: &Event, place: Place, sealing: Option<Sealing<'_>>, root: &RootKey) -> NewEvent {
    let person_id = place.person.to_string();
    let mut encoded = match event {
        Event::Registered { document_type, number_hash, password_hash, document_table } => {
            let inner = AccountRegisteredInner {
                number_hash: number_hash.to_vec().into(),
                password_hash: password_hash.clone(),
            };
            let document_table = document_table.cast_signed();
            let payload = AccountRegistered { person_id, document_type: document_type.code(), document_table };
            NewEvent { inner: inner.encode_to_vec(), ..public(place, &payload) }
        }
        Event::Imported(imported) => {
            let inner = AccountImportedInner {
                number_hash: imported.number_hash.to_vec().into(),
                create_time: Some(prost_types::Timestamp {
                    seconds: imported.created_at.unix_timestamp(),
                    nanos: i32::try_from(imported.created_at.nanosecond()).expect("below a thousand million"),
                }),
            };
            let payload = AccountImported { person_id, document_type: imported.document_type.code() };
            NewEvent { inner: inner.encode_to_vec(), ..public(place, &payload) }
        }
        Event::ProfileCompleted => public(place, &ProfileCompleted { person_id }),
        Event::ProfileChanged => public(place, &ProfileChanged { person_id }),
        Event::PasswordChanged { password_hash } => {
            let inner = PasswordChangedInner { password_hash: password_hash.clone() };
            NewEvent { inner: inner.encode_to_vec(), ..public(place, &PasswordChanged { person_id }) }
        }
        Event::PhoneChanged => public(place, &PhoneChanged { person_id }),
        Event::EmailVerified => public(place, &EmailVerified { person_id }),
        Event::PhoneFixRequested(fix) => {
            let payload = PhoneFixRequested { fix_id: fix.id.to_string(), person_id };
            NewEvent { division: division(fix.province), ..public(place, &payload) }
        }
        Event::PhoneFixSettled { fix_id, outcome } => {
            let fix_id = fix_id.to_string();
            public(place, &PhoneFixSettled { fix_id, person_id, outcome: outcome.code() })
        }
        Event::NameChanged => public(place, &NameChanged { person_id }),
        Event::NameVerified { provider } => {
            public(place, &NameVerified { person_id, method: METHOD.into(), provider: provider.clone() })
        }
        Event::NameRefused { provider } => {
            public(place, &NameRefused { person_id, method: METHOD.into(), provider: provider.clone() })
        }
        Event::RoleGranted(grant) => {
            let mut granted = StaffRoleGranted {
                grant_id: grant.id.to_string(),
                person_id,
                role: role_code(grant.role).into(),
                scope: Some(scope(grant.scope)),
                root_signature: prost::bytes::Bytes::new(),
            };
            granted.root_signature = root.sign_grant(&granted).into();
            NewEvent { division: division(grant.scope.division), ..public(place, &granted) }
        }
        Event::RoleRevoked { grant_id } => {
            let mut revoked = StaffRoleRevoked {
                grant_id: grant_id.to_string(),
                person_id,
                root_signature: prost::bytes::Bytes::new(),
            };
            revoked.root_signature = root.sign_revocation(&revoked).into();
            public(place, &revoked)
        }
        Event::TotpEnrolled => public(place, &TotpEnrolled { person_id }),
        Event::TotpReset => public(place, &TotpReset { person_id }),
        Event::Restricted => public(place, &AccountRestricted { person_id }),
        Event::Reinstated => public(place, &AccountReinstated { person_id }),
        Event::Erased { erasure_id } => {
            let erasure_id = erasure_id.to_string();
            let mut erased = PersonErased { erasure_id, person_id, root_signature: prost::bytes::Bytes::new() };
            erased.root_signature = root.sign_erasure(&erased).into();
            public(place, &erased)
        }
        Event::WechatBound { openid_hash } => {
            let inner = WechatBoundInner { openid_hash: openid_hash.to_vec().into() };
            NewEvent { inner: inner.encode_to_vec(), ..public(place, &WechatBound { person_id }) }
        }
        Event::WechatUnbound => public(place, &WechatUnbound { person_id }),
    };
    if let Some(Sealing { key, personal }) = sealing {
        let binding = vault::binding(place.event_id, place.person, place.version);
        encoded.sealed = key.seal(&sealed(personal).encode_to_vec(), &binding);
    }
    encoded
}

/// The event as the domain knows it.
pub fn decode(recorded: &Recorded) -> Result<Event, CorruptEvent> {
    let kind = recorded.kind.as_str();
    if kind == AccountRegistered::full_name() {
        let payload: AccountRegistered = message(recorded, &recorded.payload)?;
        let inner: AccountRegisteredInner = message(recorded, &recorded.inner)?;
        Ok(Event::Registered {
            document_type: DocumentType::from_code(payload.document_type)
                .ok_or_else(|| corrupt(recorded, "unknown document type"))?,
            number_hash: inner.number_hash[..].try_into().map_err(|_| corrupt(recorded, "no number hash"))?,
            password_hash: inner.password_hash,
            document_table: payload.document_table.cast_unsigned(),
        })
    } else if kind == ProfileCompleted::full_name() {
        Ok(Event::ProfileCompleted)
    } else if kind == ProfileChanged::full_name() {
        Ok(Event::ProfileChanged)
    } else if kind == AccountImported::full_name() {
        let payload: AccountImported = message(recorded, &recorded.payload)?;
        let inner: AccountImportedInner = message(recorded, &recorded.inner)?;
        let created = inner.create_time.ok_or_else(|| corrupt(recorded, "no time of creation"))?;
        let nanos = i128::from(created.seconds) * 1_000_000_000 + i128::from(created.nanos);
        Ok(Event::Imported(Imported {
            document_type: DocumentType::from_code(payload.document_type)
                .ok_or_else(|| corrupt(recorded, "unknown document type"))?,
            number_hash: inner.number_hash[..].try_into().map_err(|_| corrupt(recorded, "no number hash"))?,
            created_at: OffsetDateTime::from_unix_timestamp_nanos(nanos)
                .map_err(|_| corrupt(recorded, "no possible time of creation"))?,
        }))
    } else if kind == PasswordChanged::full_name() {
        let inner: PasswordChangedInner = message(recorded, &recorded.inner)?;
        if inner.password_hash.is_empty() {
            return Err(corrupt(recorded, "no password hash"));
        }
        Ok(Event::PasswordChanged { password_hash: inner.password_hash })
    } else if kind == PhoneChanged::full_name() {
        Ok(Event::PhoneChanged)
    } else if kind == EmailVerified::full_name() {
        Ok(Event::EmailVerified)
    } else if kind == PhoneFixRequested::full_name() {
        let asked: PhoneFixRequested = message(recorded, &recorded.payload)?;
        Ok(Event::PhoneFixRequested(PhoneFix {
            id: Uuid::parse_str(&asked.fix_id).map_err(|_| corrupt(recorded, "unreadable request id"))?,
            province: role::Division::parse(recorded.metadata.division.as_str())
                .ok_or_else(|| corrupt(recorded, "no division"))?,
        }))
    } else if kind == PhoneFixSettled::full_name() {
        let settled: PhoneFixSettled = message(recorded, &recorded.payload)?;
        Ok(Event::PhoneFixSettled {
            fix_id: Uuid::parse_str(&settled.fix_id).map_err(|_| corrupt(recorded, "unreadable request id"))?,
            outcome: FixOutcome::from_code(settled.outcome).ok_or_else(|| corrupt(recorded, "unknown outcome"))?,
        })
    } else if kind == NameChanged::full_name() {
        Ok(Event::NameChanged)
    } else if kind == NameVerified::full_name() {
        let verified: NameVerified = message(recorded, &recorded.payload)?;
        Ok(Event::NameVerified { provider: verified.provider })
    } else if kind == NameRefused::full_name() {
        let refused: NameRefused = message(recorded, &recorded.payload)?;
        Ok(Event::NameRefused { provider: refused.provider })
    } else if kind == StaffRoleGranted::full_name() {
        let granted: StaffRoleGranted = message(recorded, &recorded.payload)?;
        grant(&granted).map(Event::RoleGranted).ok_or_else(|| corrupt(recorded, "unreadable grant"))
    } else if kind == StaffRoleRevoked::full_name() {
        let revoked: StaffRoleRevoked = message(recorded, &recorded.payload)?;
        let grant_id = Uuid::parse_str(&revoked.grant_id).map_err(|_| corrupt(recorded, "unreadable grant id"))?;
        Ok(Event::RoleRevoked { grant_id })
    } else if kind == TotpEnrolled::full_name() {
        Ok(Event::TotpEnrolled)
    } else if kind == TotpReset::full_name() {
        Ok(Event::TotpReset)
    } else if kind == AccountRestricted::full_name() {
        Ok(Event::Restricted)
    } else if kind == AccountReinstated::full_name() {
        Ok(Event::Reinstated)
    } else if kind == PersonErased::full_name() {
        let erased: PersonErased = message(recorded, &recorded.payload)?;
        let erasure_id = Uuid::parse_str(&erased.erasure_id);
        Ok(Event::Erased { erasure_id: erasure_id.map_err(|_| corrupt(recorded, "unreadable erasure id"))? })
    } else if kind == WechatBound::full_name() {
        let inner: WechatBoundInner = message(recorded, &recorded.inner)?;
        let openid_hash = inner.openid_hash[..].try_into().map_err(|_| corrupt(recorded, "no hash of an openid"))?;
        Ok(Event::WechatBound { openid_hash })
    } else if kind == WechatUnbound::full_name() {
        Ok(Event::WechatUnbound)
    } else {
        Err(corrupt(recorded, "no event of an account"))
    }
}

/// The personal data that an event sets; nothing where it sets none.
pub fn open(recorded: &Recorded, key: &PersonKey) -> Result<Personal, CorruptEvent> {
    if recorded.sealed.is_empty() {
        return Ok(Personal::default());
    }
    let binding = vault::binding(recorded.event_id, recorded.stream, recorded.version);
    let plain = key.open(&recorded.sealed, &binding).ok_or_else(|| corrupt(recorded, "the seal does not open"))?;
    Ok(unsealed(message(recorded, &plain)?))
}

/// A grant as it is published; `None` when a part of it is not what this program writes.
pub fn grant(granted: &StaffRoleGranted) -> Option<Grant> {
    let scope = granted.scope.as_ref()?;
    let unit = if scope.unit_id.is_empty() { None } else { Some(Uuid::parse_str(&scope.unit_id).ok()?) };
    Some(Grant {
        id: Uuid::parse_str(&granted.grant_id).ok()?,
        role: role(ProtoRole::try_from(granted.role).ok()?)?,
        scope: Scope { division: role::Division::parse(&scope.division)?, unit },
    })
}

/// The document type of the API.
pub fn document_type(kind: DocumentType) -> ProtoType {
    ProtoType::try_from(kind.code()).expect("the API numbers the types as the domain does")
}

/// The role of the API.
pub fn role_code(role: Role) -> ProtoRole {
    match role {
        Role::Liaison => ProtoRole::Liaison,
        Role::Clerk => ProtoRole::Clerk,
        Role::Reviewer => ProtoRole::Reviewer,
        Role::ScheduleOfficer => ProtoRole::ScheduleOfficer,
        Role::RuleOfficer => ProtoRole::RuleOfficer,
        Role::Helpdesk => ProtoRole::Helpdesk,
        Role::Operator => ProtoRole::Operator,
        Role::SecurityAdmin => ProtoRole::SecurityAdmin,
        Role::Auditor => ProtoRole::Auditor,
        Role::RegisterOfficer => ProtoRole::RegisterOfficer,
    }
}

/// The role of this number in the API.
pub fn role(role: ProtoRole) -> Option<Role> {
    Role::ALL.into_iter().find(|known| role_code(*known) == role)
}

/// The scope of the API.
pub fn scope(scope: Scope) -> ProtoScope {
    ProtoScope {
        division: scope.division.as_str().to_owned(),
        unit_id: scope.unit.map(|unit| unit.to_string()).unwrap_or_default(),
    }
}

fn public<M: Message + Name>(place: Place, payload: &M) -> NewEvent {
    NewEvent {
        event_id: place.event_id,
        kind: M::full_name(),
        payload: payload.encode_to_vec(),
        inner: Vec::new(),
        sealed: Vec::new(),
        division: Division::NONE,
    }
}

fn division(division: role::Division) -> Division {
    Division::parse(division.as_str()).expect("a division of the domain has six digits")
}

fn sealed(personal: &Personal) -> SealedPerson {
    let Personal { number, name, phone, email, sex, birth_date, ethnicity, local_id_number, permit_number } =
        personal.clone();
    SealedPerson { number, name, phone, email, sex, birth_date, ethnicity, local_id_number, permit_number }
}

fn unsealed(person: SealedPerson) -> Personal {
    let SealedPerson { number, name, phone, email, sex, birth_date, ethnicity, local_id_number, permit_number } =
        person;
    Personal { number, name, phone, email, sex, birth_date, ethnicity, local_id_number, permit_number }
}

fn message<M: Message + Default>(recorded: &Recorded, bytes: &[u8]) -> Result<M, CorruptEvent> {
    M::decode(bytes).map_err(|_| corrupt(recorded, "no protobuf of its kind"))
}

fn corrupt(recorded: &Recorded, problem: &'static str) -> CorruptEvent {
    CorruptEvent { position: recorded.position, problem }
}
