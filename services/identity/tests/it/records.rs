//! The stored form of every event: what it says in which part, and golden samples that decode for ever.

use access::root::RootKey;
use decider::Decider as _;
use eventlog::{Metadata, NewEvent, Recorded};
use identity::domain::account::{Account, Event, FixOutcome, Imported, PhoneFix};
use identity::domain::document::DocumentType;
use identity::domain::personal::Personal;
use identity::domain::role::{Division, Grant, Role, Scope};
use identity::domain::signing_key::{Key, KeyRing, Published};
use identity::store::account_event::{Place, Sealing, decode, encode, open};
use identity::store::keys;
use time::macros::datetime;
use uuid::Uuid;
use vault::{MasterKey, PersonKey, Vault};

const PERSON: Uuid = Uuid::from_u128(0x11);

fn root() -> RootKey {
    RootKey::from_seed([1; 32])
}

fn recorded(event: NewEvent, version: i64) -> Recorded {
    let division = event.division;
    let metadata = Metadata { actor: "system".to_owned(), request_id: None, traceparent: None, cause: None, division };
    Recorded {
        position: version,
        epoch: 1,
        stream: PERSON,
        version,
        kind: event.kind,
        payload: event.payload,
        inner: event.inner,
        sealed: event.sealed,
        metadata,
        metadata_bytes: Vec::new(),
        event_id: event.event_id,
        recorded_at: datetime!(2026-11-23 00:00 UTC),
        hash: [0; 32],
    }
}

fn history() -> Vec<Event> {
    let scope = Scope { division: Division::parse("320302").unwrap(), unit: Some(Uuid::from_u128(0x33)) };
    let grants = Role::ALL.map(|role| Event::RoleGranted(Grant { id: Uuid::from_u128(0x22), role, scope }));
    let mut history = vec![
        Event::Registered {
            document_type: DocumentType::HkMacauPermit,
            number_hash: [7; 32],
            password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned(),
            // From before the table had versions.
            document_table: 0,
        },
        Event::ProfileCompleted,
        Event::RoleRevoked { grant_id: Uuid::from_u128(0x22) },
    ];
    history.extend(grants);
    history.extend([Event::TotpEnrolled, Event::TotpReset]);
    history.extend([
        Event::PasswordChanged { password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned() },
        Event::PhoneChanged,
        Event::EmailVerified,
        Event::NameChanged,
        Event::NameVerified { provider: "file".to_owned() },
        Event::NameRefused { provider: "provider.example".to_owned() },
        Event::PhoneFixRequested(PhoneFix { id: Uuid::from_u128(0x77), province: Division::parse("320000").unwrap() }),
        Event::PhoneFixSettled { fix_id: Uuid::from_u128(0x77), outcome: FixOutcome::EvidenceInsufficient },
        Event::Imported(Imported {
            document_type: DocumentType::HkMacauPermit,
            number_hash: [7; 32],
            created_at: datetime!(2018-05-01 00:00:00.5 UTC),
        }),
        Event::Restricted,
        Event::Reinstated,
        Event::Erased { erasure_id: Uuid::from_u128(0x77) },
        Event::Registered {
            document_type: DocumentType::HkMacauPermit,
            number_hash: [7; 32],
            password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned(),
            document_table: 1,
        },
        Event::WechatBound { openid_hash: [8; 32] },
        Event::WechatUnbound,
        Event::ProfileChanged,
    ]);
    history
}

fn place(version: i64) -> Place {
    Place { event_id: Uuid::from_u128(0x44), person: PERSON, version }
}

/// The key of one person, from a vault that nobody else has.
async fn key() -> (PersonKey, cluster::database::TestDatabase) {
    let database = cluster::database::TestDatabase::create().await.unwrap();
    let pool = eventlog::pool(&database.url(), "test", 2).unwrap();
    let vault = Vault::new(pool, MasterKey::parse(&"0f".repeat(32)).unwrap());
    vault.migrate().await.unwrap();
    (vault.obtain(PERSON).await.unwrap(), database)
}

#[test]
fn every_event_comes_back_as_it_was_recorded() {
    let history = history();
    let stored: Vec<Event> = (1..)
        .zip(&history)
        .map(|(version, event)| decode(&recorded(encode(event, place(version), None, &root()), version)).unwrap())
        .collect();
    assert_eq!(stored, history);
    assert_eq!(Account::fold(&stored), Account::fold(&history));
}

#[test]
fn a_payload_holds_no_hash_and_the_inner_part_only_what_decisions_need() {
    let registered = encode(&history()[0], place(1), None, &root());
    let holds = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(!holds(&registered.payload, &[7; 32]) && !holds(&registered.payload, b"argon2id"));
    assert!(holds(&registered.inner, &[7; 32]) && holds(&registered.inner, b"argon2id"));
    for event in &history()[1..] {
        let encoded = encode(event, place(2), None, &root());
        assert!(!holds(&encoded.payload, b"argon2id") && !holds(&encoded.payload, &[7; 32]));
        assert_eq!(
            encoded.inner.is_empty(),
            !matches!(
                event,
                Event::PasswordChanged { .. }
                    | Event::Imported(_)
                    | Event::Registered { .. }
                    | Event::WechatBound { .. }
            ),
            "{}",
            encoded.kind
        );
    }
}

#[tokio::test]
async fn personal_data_opens_in_its_own_place_only() {
    let (key, _database) = key().await;
    let personal = Personal {
        number: "H12345678".to_owned(),
        name: "示例一".to_owned(),
        phone: "10000000001".to_owned(),
        email: "teacher@school.example".to_owned(),
        sex: "2".to_owned(),
        birth_date: "1990-01-01".to_owned(),
        ethnicity: "01".to_owned(),
        local_id_number: "A123456(3)".to_owned(),
        permit_number: "H12345678".to_owned(),
    };
    let sealing = Sealing { key: &key, personal: &personal };
    let stored = recorded(encode(&history()[0], place(1), Some(sealing), &root()), 1);
    assert_eq!(open(&stored, &key).unwrap(), personal);
    let moved = Recorded { version: 2, ..stored.clone() };
    assert_eq!(open(&moved, &key).unwrap_err().problem, "the seal does not open");
    let plain = recorded(encode(&history()[1], place(2), None, &root()), 2);
    assert_eq!(open(&plain, &key).unwrap(), Personal::default());
}

#[test]
fn what_this_program_did_not_write_is_corrupt() {
    let good = recorded(encode(&history()[0], place(1), None, &root()), 1);
    for (bad, problem) in [
        (Recorded { kind: "dingzhu.identity.v1.PersonForgotten".to_owned(), ..good.clone() }, "no event of an account"),
        (Recorded { payload: vec![0xff], ..good.clone() }, "no protobuf of its kind"),
        (Recorded { payload: Vec::new(), ..good.clone() }, "unknown document type"),
        (Recorded { inner: Vec::new(), ..good.clone() }, "no number hash"),
    ] {
        assert_eq!(decode(&bad).unwrap_err().problem, problem);
    }
}

/// Version 1 of every event, as hexadecimal bytes: kind, payload, inner. They never change; what is new is added.
#[test]
fn golden_samples_decode_for_ever() {
    let mut samples = include_str!("golden.v1.txt").lines().filter(|line| !line.starts_with('#'));
    let mut next = || samples.next().expect("a sample for every event");
    let bytes = |text: &str| if text == "-" { Vec::new() } else { hex::decode(text).unwrap() };
    for expected in history() {
        let fields: Vec<&str> = next().split(' ').collect();
        let [kind, payload, inner] = fields[..] else { panic!("kind, payload, inner") };
        let mut stored = recorded(encode(&expected, place(1), None, &root()), 1);
        (stored.kind, stored.payload, stored.inner) = (kind.to_owned(), bytes(payload), bytes(inner));
        assert_eq!(decode(&stored).unwrap(), expected, "{kind}");
    }
    let fields: Vec<&str> = next().split(' ').collect();
    let [kind, payload, _] = fields[..] else { panic!("kind, payload, inner") };
    let mut stored = recorded(encode(&Event::ProfileCompleted, place(1), None, &root()), 1);
    (stored.kind, stored.payload) = (kind.to_owned(), bytes(payload));
    assert_eq!(keys::decode(&stored).unwrap(), Published(signing_key()));
    assert_eq!(samples.next(), None);
}

fn signing_key() -> Key {
    Key {
        id: Uuid::from_u128(0x55),
        public_key: [9; 32],
        not_before: datetime!(2026-11-23 00:00 UTC),
        not_after: datetime!(2026-12-23 00:10 UTC),
    }
}

#[tokio::test]
async fn a_signing_key_comes_back_as_it_was_recorded() {
    let (sealing, _database) = key().await;
    let event = keys::encode(&signing_key(), &[3; 32], &sealing, Uuid::from_u128(0x66), 1, &root());
    // A nonce of 24 bytes, the seed of 32, a tag of 16.
    assert_eq!((event.sealed.len(), event.inner.len()), (72, 0));
    let published = keys::decode(&recorded(event, 1)).unwrap();
    assert_eq!(KeyRing::fold(&[published]), KeyRing::fold(&[Published(signing_key())]));
}
