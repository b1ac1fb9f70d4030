//! Random commands against a plain model in memory: the same answers, the same log, however they are batched.

use std::collections::{BTreeMap, BTreeSet};

use eventlog::{Append, AppendError, Claim};
use futures::future::join_all;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use crate::fixture::{Fixture, event, release, request, take, to};
use crate::history::check_all;

/// Few of everything, so that commands meet.
#[derive(Clone, Debug)]
struct Asked {
    stream: u8,
    expected_version: i64,
    events: usize,
    actor: u8,
    request: Option<(u8, u8)>,
    claims: Vec<(bool, u8)>,
    late: bool,
}

fn asked() -> impl Strategy<Value = Asked> {
    let claims = vec((any::<bool>(), 0..3_u8), 0..3);
    let request = proptest::option::of((0..6_u8, 0..2_u8));
    (0..3_u8, 0..4_i64, 0..3_usize, 0..2_u8, request, claims, prop::bool::weighted(0.1)).prop_map(
        |(stream, expected_version, events, actor, request, claims, late)| Asked {
            stream,
            expected_version,
            events,
            actor,
            request,
            claims,
            late,
        },
    )
}

/// What must be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Recorded { position: i64, version: i64 },
    Repeated { position: i64, answer: usize },
    Reused,
    TooLate,
    Conflict { actual: i64 },
    Taken,
}

/// The log in a few lines.
#[derive(Default)]
struct Model {
    log: Vec<(u8, i64)>,
    versions: BTreeMap<u8, i64>,
    requests: BTreeMap<(u8, u8), (u8, i64, usize)>,
    claims: BTreeSet<u8>,
}

impl Model {
    fn tell(&mut self, number: usize, asked: &Asked) -> Told {
        let key = asked.request.map(|(id, body)| ((asked.actor, id), body));
        if let Some((key, body)) = key
            && let Some((kept, position, answer)) = self.requests.get(&key)
        {
            let repeated = Told::Repeated { position: *position, answer: *answer };
            return if *kept == body { repeated } else { Told::Reused };
        }
        if asked.late {
            return Told::TooLate;
        }
        let version = self.versions.entry(asked.stream).or_default();
        if *version != asked.expected_version {
            return Told::Conflict { actual: *version };
        }
        let mut claims = self.claims.clone();
        for (taken, claim) in &asked.claims {
            if *taken && !claims.insert(*claim) {
                return Told::Taken;
            }
            if !taken {
                claims.remove(claim);
            }
        }
        self.claims = claims;
        for _ in 0..asked.events {
            *version += 1;
            self.log.push((asked.stream, *version));
        }
        let position = i64::try_from(self.log.len()).unwrap();
        if let Some((key, body)) = key {
            self.requests.insert(key, (body, position, number));
        }
        Told::Recorded { position, version: *version }
    }
}

fn command(number: usize, asked: &Asked) -> Append {
    let claim = |(taken, key): &(bool, u8)| -> Claim {
        let key = format!("key {key}");
        if *taken { take(&key) } else { release(&key) }
    };
    Append {
        events: (0..asked.events).map(|_| event(number.to_string())).collect(),
        actor: format!("person:{}", asked.actor),
        request: asked
            .request
            .map(|(id, body)| request(Uuid::from_u128(id.into()), &body.to_string(), &number.to_string())),
        claims: asked.claims.iter().map(claim).collect(),
        not_after: asked.late.then_some(time::OffsetDateTime::UNIX_EPOCH),
        ..to(Uuid::from_u128(u128::from(asked.stream) + 1), asked.expected_version)
    }
}

fn told(answer: Result<eventlog::Appended, AppendError>) -> Told {
    match answer {
        Ok(appended) if appended.repeated => {
            let answer = String::from_utf8(appended.answer).unwrap().parse().unwrap();
            Told::Repeated { position: appended.position, answer }
        }
        Ok(appended) => Told::Recorded { position: appended.position, version: appended.version },
        Err(AppendError::RequestIdReused) => Told::Reused,
        Err(AppendError::TooLate { .. }) => Told::TooLate,
        Err(AppendError::VersionConflict { actual, .. }) => Told::Conflict { actual },
        Err(AppendError::ClaimTaken { .. }) => Told::Taken,
        Err(error) => panic!("{error}"),
    }
}

/// Sends the commands in order, in groups that wait together, some of them as the end of a transaction with records.
async fn compare(fixture: &Fixture, groups: Vec<Vec<Asked>>) {
    fixture.execute("TRUNCATE event_log, request, claim").await;
    let (mut model, mut number) = (Model::default(), 0);
    for group in groups {
        let numbered: Vec<(usize, Asked)> = (number..).zip(group).collect();
        number += numbered.len();
        let expected: Vec<Told> = numbered.iter().map(|(number, asked)| model.tell(*number, asked)).collect();
        let answers = if let [(number, asked)] = numbered.as_slice() {
            let transaction = fixture.log.pool().begin().await.unwrap();
            vec![fixture.log.append_in(transaction, command(*number, asked)).await]
        } else {
            join_all(numbered.iter().map(|(number, asked)| fixture.log.append(command(*number, asked)))).await
        };
        let answers: Vec<Told> = answers.into_iter().map(told).collect();
        assert_eq!(answers, expected, "{numbered:?}");
    }
    let events = fixture.log.read(0, 10_000).await.unwrap();
    let log: Vec<(u8, i64)> =
        events.iter().map(|event| (u8::try_from(event.stream.as_u128() - 1).unwrap(), event.version)).collect();
    assert_eq!(log, model.log);
    assert_eq!(fixture.value("SELECT count(*) FROM claim").await, i64::try_from(model.claims.len()).unwrap());
    assert_eq!(fixture.value("SELECT count(*) FROM request").await, i64::try_from(model.requests.len()).unwrap());
    check_all(&fixture.log, &[]).await;
}

#[test]
fn random_commands_are_answered_as_by_a_plain_model() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fixture = runtime.block_on(async {
        let fixture = Fixture::start().await;
        fixture.execute("ALTER TABLE event_log DISABLE TRIGGER USER").await;
        fixture
    });
    let config =
        ProptestConfig { cases: 60, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() };
    let groups = vec(vec(asked(), 1..30), 1..6);
    TestRunner::new(config)
        .run(&groups, |groups| {
            runtime.block_on(compare(&fixture, groups));
            Ok(())
        })
        .unwrap();
}
