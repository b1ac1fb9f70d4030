//! What clients were told, held against what stands in the database.

use std::collections::{HashMap, HashSet};

use eventlog::{EventLog, Verdict};
use sqlx::PgPool;
use uuid::Uuid;

/// Promises that were found broken, one sentence each; empty when all are kept.
pub type Broken = Vec<String>;

/// An acknowledgement: this event, at this position.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    pub event_id: Uuid,
    pub position: i64,
}

/// Every acknowledged event stands at its position, exactly once; positions and versions are 1..n.
pub async fn check(pool: &PgPool, acknowledged: &[Acknowledged]) -> Broken {
    let rows: Vec<(i64, Uuid)> =
        sqlx::query_as("SELECT position, event_id FROM event_log ORDER BY position").fetch_all(pool).await.unwrap();
    let mut broken = Broken::new();
    if let Some((place, (position, _))) = (1..).zip(&rows).find(|(place, (position, _))| place != position) {
        broken.push(format!("position {position} stands in place {place}"));
    }
    let places: HashMap<Uuid, i64> = rows.iter().map(|(position, id)| (*id, *position)).collect();
    if places.len() != rows.len() {
        broken.push(format!("{} rows hold {} events", rows.len(), places.len()));
    }
    let lost = acknowledged.iter().filter(|told| places.get(&told.event_id) != Some(&told.position)).count();
    if lost > 0 {
        broken.push(format!("{lost} of {} acknowledged events are not where they were said to be", acknowledged.len()));
    }
    let sql = "SELECT count(*) FROM (SELECT 1 FROM event_log GROUP BY stream HAVING max(version) <> count(*)) AS gap";
    let gaps: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
    if gaps > 0 {
        broken.push(format!("{gaps} streams have gaps"));
    }
    broken
}

/// The hash chain verifies from the first record.
pub async fn check_chain(log: &EventLog) -> Broken {
    match log.verify(1, |_, _| {}).await.unwrap() {
        Verdict::Intact { .. } => Broken::new(),
        Verdict::Broken { position } => vec![format!("the hash chain breaks at {position}")],
    }
}

/// Panics with everything that is broken.
pub async fn check_all(log: &EventLog, acknowledged: &[Acknowledged]) {
    let mut broken = check(log.pool(), acknowledged).await;
    broken.extend(check_chain(log).await);
    assert_eq!(broken, Broken::new());
}

/// Follows the log as a consumer with a checkpoint does: asks for what is behind the last position seen, and never
/// looks back.
pub struct Reader {
    pool: PgPool,
    position: i64,
    seen: HashSet<Uuid>,
}

impl Reader {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, position: 0, seen: HashSet::new() }
    }

    /// Reads until nothing is behind the position.
    pub async fn catch_up(&mut self) {
        loop {
            let sql = "SELECT position, event_id FROM event_log WHERE position > $1 ORDER BY position LIMIT 20";
            let rows: Vec<(i64, Uuid)> = sqlx::query_as(sql).bind(self.position).fetch_all(&self.pool).await.unwrap();
            let Some((position, _)) = rows.last() else { return };
            self.position = *position;
            self.seen.extend(rows.iter().map(|(_, id)| *id));
        }
    }

    /// The reader has seen every event there is.
    pub async fn check(&self) -> Broken {
        let ids: Vec<Uuid> = sqlx::query_scalar("SELECT event_id FROM event_log").fetch_all(&self.pool).await.unwrap();
        let missed = ids.iter().filter(|id| !self.seen.contains(id)).count();
        if missed == 0 { Broken::new() } else { vec![format!("the reader missed {missed} of {} events", ids.len())] }
    }
}
