//! Forgetting a person, on a service that keeps a note of each: in what order, how often, and on whose word.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use eventbus::{Bus, BusHandle, ReactionError, ReactionIds};
use prost::{Message as _, Name as _};
use proto::identity::v1::PersonErased;
use proto::operations::v1::GetStatusRequest;
use proto::operations::v1::operations_client::OperationsClient;
use proto::types::v1::{ErasedKind, PersonalDataErased};
use rpc::Refusal;
use service::erasure::{Confirming, Erased, Forget, OnPersonErased, transient};
use service::testing::{Running, root_key, start};
use service::{Failure, Ground, NoCommand, Service};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use uuid::Uuid;

pub const PERSON: Uuid = Uuid::from_u128(0x11);
const ERASURE: Uuid = Uuid::from_u128(0x22);

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Attempts {
    /// How often the service has begun to forget.
    #[arg(skip)]
    pub begun: Arc<AtomicUsize>,
    /// It does not come further.
    #[arg(skip)]
    pub held: Arc<AtomicBool>,
    /// It does not come further with this person.
    #[arg(skip)]
    pub held_for: Arc<Mutex<Option<Uuid>>>,
    /// It panics with this person, where it removes records.
    #[arg(skip)]
    pub panics_for: Arc<Mutex<Option<Uuid>>>,
}

pub struct Notes;

struct ForgetNotes(Attempts);

#[tonic::async_trait]
impl Forget for ForgetNotes {
    async fn make_unreadable(&self, person: Uuid, _: &ReactionIds) -> Result<Vec<Erased>, ReactionError> {
        // As when the process ends after the key is destroyed and before anything else is.
        let held = self.0.held.load(Ordering::SeqCst) || *self.0.held_for.lock().unwrap() == Some(person);
        if self.0.begun.fetch_add(1, Ordering::SeqCst) == 0 || held {
            return Err(ReactionError::Transient("not yet".to_owned()));
        }
        Ok(vec![("sealed_event", 7)])
    }

    async fn remove_records(&self, tx: &mut Confirming, person: Uuid) -> Result<Vec<Erased>, ReactionError> {
        let panics = *self.0.panics_for.lock().unwrap() == Some(person);
        assert!(!panics, "nobody has thought of this person");
        let done = sqlx::query("DELETE FROM public.note WHERE person = $1").bind(person).execute(&mut **tx).await;
        let rows = done.map_err(|error| transient("the notes", &error))?.rows_affected();
        Ok(vec![("note", i64::try_from(rows).unwrap())])
    }
}

impl Service for Notes {
    const NAME: &'static str = "scheduling";
    const ACCESS: access::Table = &[];
    type Settings = Attempts;
    type Command = NoCommand;

    fn migrations() -> Migrator {
        let migration = |version, sql: &'static str| {
            Migration::new(version, "schema".into(), MigrationType::Simple, sqlx::SqlStr::from_static(sql), false)
        };
        let note = "CREATE TABLE public.note (person uuid NOT NULL, line integer NOT NULL)";
        let all = [eventlog::MIGRATION_SQL, eventbus::SCHEMA, note, audit::SCHEMA];
        Migrator::with_migrations((1..).zip(all).map(|(version, sql)| migration(version, sql)).collect())
    }

    async fn wire(ground: &Ground, attempts: Attempts, bus: Bus) -> Result<(Self, Bus), Failure> {
        let forget = OnPersonErased::new(Self::NAME, ground, ForgetNotes(attempts));
        Ok((Self, bus.reaction("identity", forget)))
    }

    fn surface(&self, _: &Ground, _: &BusHandle) -> rpc::Surface {
        rpc::Surface::new()
    }

    async fn run(_: &Ground, _: Attempts, command: NoCommand) -> Result<(), Failure> {
        match command {}
    }
}

pub async fn notes(attempts: &Attempts) -> Running<Notes> {
    let running = start::<Notes>(attempts.clone(), Vec::new()).await;
    let ground = &running.service.ground;
    ground.vault.obtain(PERSON).await.unwrap();
    let lines = "INSERT INTO public.note SELECT $1, line FROM generate_series(1, 3) AS line";
    sqlx::query(lines).bind(PERSON).execute(&ground.pool).await.unwrap();
    running
}

fn erased() -> PersonErased {
    PersonErased { erasure_id: ERASURE.to_string(), person_id: PERSON.to_string(), root_signature: bytes::Bytes::new() }
}

async fn count(running: &Running<Notes>, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&running.service.ground.pool).await.unwrap()
}

pub async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    cluster::wait::until(what, std::time::Duration::from_secs(20), ask).await.unwrap()
}

#[tokio::test]
async fn a_begun_erasure_goes_on_and_is_confirmed_once_with_what_was_removed() {
    let attempts = Attempts::default();
    let running = notes(&attempts).await;
    let mut signed = erased();
    signed.root_signature = root_key().sign_erasure(&signed).into();
    running.neighbour("identity").publish(PERSON, "00", &signed).await;
    let ground = &running.service.ground;
    let confirmed =
        eventually("the confirmation", async || ground.log.load(ERASURE).await.unwrap().into_iter().next()).await;
    assert!(attempts.begun.load(Ordering::SeqCst) >= 2, "the first attempt failed");
    assert_eq!((confirmed.kind, confirmed.version), (PersonalDataErased::full_name(), 1));
    let kind = |kind: &str, count| ErasedKind { kind: kind.to_owned(), count };
    let said = PersonalDataErased::decode(confirmed.payload.as_slice()).unwrap();
    assert_eq!((said.person_id, said.erased), (PERSON.to_string(), vec![kind("sealed_event", 7), kind("note", 3)]));
    assert_eq!(count(&running, "SELECT count(*) FROM public.note").await, 0);
    assert!(ground.vault.is_destroyed(PERSON).await.unwrap());
    assert!(ground.vault.find(PERSON).await.unwrap().is_none());

    // The same event once more, as after a crash: nothing is said twice, and what was written late is removed all the same.
    let late = "INSERT INTO public.note VALUES ($1, 4)";
    sqlx::query(late).bind(PERSON).execute(&ground.pool).await.unwrap();
    let begun = attempts.begun.load(Ordering::SeqCst);
    let again = "UPDATE public.feed_checkpoint SET epoch = 0, position = 0, hash = decode(repeat('00', 32), 'hex')
                 WHERE name = 'on_person_erased'";
    sqlx::query(again).execute(&ground.pool).await.unwrap();
    eventually("another attempt", async || (attempts.begun.load(Ordering::SeqCst) > begun).then_some(())).await;
    eventually("the checkpoint", async || {
        let sql = "SELECT position FROM public.feed_checkpoint WHERE name = 'on_person_erased'";
        (count(&running, sql).await > 0).then_some(())
    })
    .await;
    assert_eq!(ground.log.load(ERASURE).await.unwrap().len(), 1);
    assert_eq!(count(&running, "SELECT count(*) FROM public.note").await, 0);

    let mut client = OperationsClient::new(running.person(PERSON));
    eventually("the person's token to count no more", async || {
        let status = client.clone().get_status(GetStatusRequest {}).await.unwrap_err();
        (Refusal::from_status(&status).reason == "TOKEN_INVALID").then_some(())
    })
    .await;
    let other = client.get_status(GetStatusRequest {}).await.unwrap_err();
    assert_eq!(Refusal::from_status(&other).code, tonic::Code::Unauthenticated);
}

#[tokio::test]
async fn nobody_is_forgotten_on_the_word_of_the_bus_alone() {
    let attempts = Attempts::default();
    let running = notes(&attempts).await;
    let mut forged = erased();
    forged.root_signature = access::root::RootKey::from_seed([9; 32]).sign_erasure(&forged).into();
    running.neighbour("identity").publish(PERSON, "00", &forged).await;
    let parked = "SELECT count(*) FROM public.parked_event WHERE feed = 'on_person_erased'";
    eventually("the event to be parked", async || (count(&running, parked).await == 1).then_some(())).await;
    assert_eq!(attempts.begun.load(Ordering::SeqCst), 0);
    assert!(running.service.ground.vault.find(PERSON).await.unwrap().is_some());
    assert_eq!(count(&running, "SELECT count(*) FROM public.note").await, 3);
    assert_eq!(running.service.ground.log.load(ERASURE).await.unwrap().len(), 0);
}
