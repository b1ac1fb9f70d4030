//! A service whose databases come from a backup: it serves only when it has applied the erasures since then once more.
//!
//! Three witnesses know of the newest erasure: the event database (the confirmation and its claim), the key database (a mark) and
//! a file outside of both. An ordinary restart finds them agreed and asks nobody, so that a service starts with NATS and identity
//! away. Where one of them lacks what another knows, a database was restored: the reaction begins at identity's first event again,
//! and nothing is served until it has applied the last. A row of its own among the checkpoints says so until then: whatever ends the
//! start in between, the next one goes on with it.
//!
//! Identity reads its own log. One that was restored has lost the erasures themselves: they are taken from its stream, which holds
//! what was published since the backup, and recorded once more.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use eventbus::{BusHandle, Event, LoadError};
use lifecycle::ids;
use prost::{Message as _, Name as _};
use proto::identity::v1::PersonErased;
use proto::operations::v1::PublishedEvent;
use sqlx::PgPool;
use tokio::time::Instant;
use uuid::Uuid;

use crate::erasure::{ERASED, ON_PERSON_ERASED};
use crate::{Failure, Ground, Service};

/// Name of the row that stands among the checkpoints while erasures are applied once more.
const UNSETTLED: &str = "on_person_erased/restored";
/// What stands in the file before the first erasure.
const NONE: &str = "none";
/// How often it is said that the service waits.
const REMIND: Duration = Duration::from_secs(10);

/// What was restored, as far as the witnesses tell; `None` where they agree.
pub(crate) async fn detect(ground: &Ground) -> Result<Option<&'static str>, Failure> {
    let is_unsettled = "SELECT EXISTS (SELECT FROM public.feed_checkpoint WHERE name = $1)";
    if sqlx::query_scalar(is_unsettled).bind(UNSETTLED).fetch_one(&ground.pool).await? {
        return Ok(Some("what an earlier start has not finished with"));
    }
    let newest = "SELECT key FROM public.claim WHERE kind = $1 ORDER BY position DESC LIMIT 1";
    let confirmed: Option<Uuid> = sqlx::query_scalar::<_, Vec<u8>>(newest)
        .bind(ERASED)
        .fetch_optional(&ground.pool)
        .await?
        .map(|key| Uuid::from_slice(&key))
        .transpose()?;
    if let Some(confirmed) = confirmed
        && !ground.vault.is_erasure_marked(confirmed).await?
    {
        return Ok(Some("the key database"));
    }
    if let Some(marked) = ground.vault.newest_erasure_mark().await?
        && !is_confirmed(&ground.pool, marked).await?
    {
        return Ok(Some("the event database"));
    }
    let Some(path) = &ground.erasure_mark_file else { return Ok(None) };
    match read(path)? {
        Noted::None => Ok(None),
        Noted::Erasure(noted) => Ok((!is_confirmed(&ground.pool, noted).await?).then_some("both databases")),
        Noted::Nothing => {
            let is_new = "SELECT NOT EXISTS (SELECT FROM public.event_log)";
            let is_new: bool = sqlx::query_scalar(is_new).fetch_one(&ground.pool).await?;
            Ok((!is_new).then_some("perhaps everything: no file names the newest erasure"))
        }
    }
}

/// Lets the reaction begin again at the first event, and notes that it has not come to its end; before the bus is started.
pub(crate) async fn rewind(ground: &Ground) -> Result<(), sqlx::Error> {
    let mut transaction = ground.pool.begin().await?;
    let unsettled = "INSERT INTO public.feed_checkpoint (name, source, epoch, position, hash) VALUES ($1, '', 0, 0, $2) ON CONFLICT DO NOTHING";
    sqlx::query(unsettled).bind(UNSETTLED).bind([0_u8; 32].as_slice()).execute(&mut *transaction).await?;
    eventbus::begin_again(&mut transaction, ON_PERSON_ERASED).await?;
    transaction.commit().await
}

/// Waits until the reaction has seen every event of identity; for ever, since nothing may be served before. Fails where it has parked
/// an erasure.
pub(crate) async fn settle(
    ground: &Ground,
    bus: &BusHandle,
    what: &'static str,
    accepted: Option<Uuid>,
) -> Result<(), Failure> {
    let reference = bus.reference(ON_PERSON_ERASED, |_| async { Ok::<_, LoadError>(()) });
    let mut reminder = Reminder::default();
    while !reference.ready() {
        if reminder.is_due() {
            tracing::warn!(
                restored = what,
                "restored from a backup: nothing is served before all erasures are applied"
            );
        }
        pause(ground).await?;
    }
    refuse_parked(ground, accepted).await?;
    tracing::info!(restored = what, "the erasures since the backup are applied");
    Ok(())
}

/// Fails where the reaction has parked an erasure: it is not applied, however far the reaction has come. The next start tries it again.
async fn refuse_parked(ground: &Ground, accepted: Option<Uuid>) -> Result<(), Failure> {
    let sql =
        "SELECT position, event, problem FROM public.parked_event WHERE feed = $1 AND type = $2 ORDER BY position";
    let parked: Vec<(i64, Vec<u8>, String)> =
        sqlx::query_as(sql).bind(ON_PERSON_ERASED).bind(PersonErased::full_name()).fetch_all(&ground.pool).await?;
    for (position, event, problem) in parked {
        let erased = PersonErased::decode(PublishedEvent::decode(event.as_slice())?.payload);
        let erasure = erased.map(|erased| erased.erasure_id).unwrap_or_default();
        if accepted.is_none_or(|accepted| accepted.to_string() != erasure) {
            return Err(format!(
                "the erasure {erasure} at position {position} of identity is not applied: {problem}. Mend that and start again, or see to \
                 its person by other means and set DINGZHU_ACCEPT_LOST_ERASURE={erasure}"
            )
            .into());
        }
        tracing::error!(erasure, position, problem, "serving without an erasure that is parked, as the settings say");
    }
    Ok(())
}

/// Takes the erasures that identity's own log has lost from its stream, records them once more and waits until they are applied.
/// Fails where a witness knows of one that is nowhere any more, unless that one is accepted.
pub(crate) async fn recover<S: Service>(
    ground: &Ground,
    bus: &BusHandle,
    service: &S,
    accepted: Option<Uuid>,
) -> Result<(), Failure> {
    let nobody_can_say = match &ground.erasure_mark_file {
        Some(path) => matches!(read(path)?, Noted::Nothing),
        None => false,
    };
    if !nobody_can_say && unconfirmed(ground).await?.is_none() {
        return Ok(());
    }
    let mut applying = Vec::new();
    for event in lost(ground, bus).await? {
        let erased = event.decode::<PersonErased>().ok().filter(|erased| ground.root.signed_erasure(erased));
        let Some(erased) = erased else {
            tracing::error!(position = event.position, "an erasure in the own stream is not signed by the root key");
            continue;
        };
        let (erasure, person) = (Uuid::parse_str(&erased.erasure_id)?, Uuid::parse_str(&erased.person_id)?);
        service.erase_again(erasure, person).await?;
        tracing::warn!(%erasure, "an erasure that the log has lost is recorded once more");
        applying.push(erasure);
    }
    let mut reminder = Reminder::default();
    for erasure in applying {
        while accepted != Some(erasure) && !is_confirmed(&ground.pool, erasure).await? {
            refuse_parked(ground, accepted).await?;
            if reminder.is_due() {
                tracing::warn!(%erasure, "restored from a backup: nothing is served before the erasure is applied");
            }
            pause(ground).await?;
        }
    }
    match unconfirmed(ground).await? {
        Some(erasure) if accepted != Some(erasure) => Err(format!(
            "the erasure {erasure} was applied here and stands neither in the log nor in the stream any more: restore a newer backup, or \
             see to its person by other means and set DINGZHU_ACCEPT_LOST_ERASURE={erasure}"
        )
        .into()),
        Some(erasure) => {
            tracing::error!(%erasure, "serving without an erasure that is lost, as the settings say");
            Ok(())
        }
        None => Ok(()),
    }
}

/// What the stream holds of erasures that the log has lost; waits for NATS.
async fn lost(ground: &Ground, bus: &BusHandle) -> Result<Vec<Event>, Failure> {
    let mut reminder = Reminder::default();
    loop {
        let error = match bus.lost(Event::is::<PersonErased>).await {
            Ok(lost) => return Ok(lost),
            Err(error) => error,
        };
        if reminder.is_due() {
            tracing::warn!(%error, "restored from a backup: nothing is served before the own stream has been read for erasures");
        }
        pause(ground).await?;
    }
}

/// Says when it is to be said once more that the service waits.
#[derive(Default)]
struct Reminder(Option<Instant>);

impl Reminder {
    fn is_due(&mut self) -> bool {
        let is_due = self.0.is_none_or(|said| said.elapsed() > REMIND);
        if is_due {
            self.0 = Some(Instant::now());
        }
        is_due
    }
}

async fn pause(ground: &Ground) -> Result<(), Failure> {
    let pausing = tokio::time::sleep(Duration::from_millis(50));
    let paused = ground.lifecycle.soft().run_until_cancelled(pausing).await;
    paused.ok_or_else(|| "stopped before the erasures since the backup were applied".into())
}

/// An erasure that a witness outside of the event database knows, and the log does not confirm.
async fn unconfirmed(ground: &Ground) -> Result<Option<Uuid>, Failure> {
    let marked = ground.vault.newest_erasure_mark().await?;
    let noted = match &ground.erasure_mark_file {
        Some(path) => match read(path)? {
            Noted::Erasure(noted) => Some(noted),
            Noted::None | Noted::Nothing => None,
        },
        None => None,
    };
    for erasure in marked.into_iter().chain(noted) {
        if !is_confirmed(&ground.pool, erasure).await? {
            return Ok(Some(erasure));
        }
    }
    Ok(None)
}

/// Makes sure that there is a file, once the witnesses agree, and that nothing is unsettled any more.
pub(crate) async fn note_start(ground: &Ground) -> Result<(), Failure> {
    if let Some(path) = &ground.erasure_mark_file {
        let newest = ground.vault.newest_erasure_mark().await?;
        write(path, &newest.map_or_else(|| NONE.to_owned(), |erasure| erasure.to_string()))?;
    }
    let settled = sqlx::query("DELETE FROM public.feed_checkpoint WHERE name = $1").bind(UNSETTLED);
    settled.execute(&ground.pool).await?;
    Ok(())
}

/// Names the newest erasure in the file: whole, or not at all. What the file names and the log does not confirm yet stays there
/// while a restored service catches up, so that it is found out again should it end before.
pub(crate) async fn note(pool: &PgPool, path: &Path, erasure: Uuid) -> Result<(), Failure> {
    let kept = match read(path)? {
        Noted::Nothing => true,
        Noted::Erasure(noted) => !is_confirmed(pool, noted).await?,
        Noted::None => false,
    };
    if !kept {
        write(path, &erasure.to_string())?;
    }
    Ok(())
}

/// What the file says.
enum Noted {
    /// Nothing: it is not there, or cannot be read.
    Nothing,
    /// That nobody was erased.
    None,
    /// The newest erasure.
    Erasure(Uuid),
}

fn read(path: &Path) -> std::io::Result<Noted> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim() == NONE => Ok(Noted::None),
        Ok(text) => Ok(Uuid::parse_str(text.trim()).map_or(Noted::Nothing, Noted::Erasure)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Noted::Nothing),
        Err(error) => Err(error),
    }
}

/// By a new file of its own name, since replicas may share the place, that is on the disk before it takes the old one's.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension(ids::random().to_string());
    let mut file = std::fs::File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(new, path)
}

async fn is_confirmed(pool: &PgPool, erasure: Uuid) -> Result<bool, sqlx::Error> {
    let sql = "SELECT EXISTS (SELECT FROM public.claim WHERE kind = $1 AND key = $2)";
    sqlx::query_scalar(sql).bind(ERASED).bind(erasure.as_bytes().as_slice()).fetch_one(pool).await
}
