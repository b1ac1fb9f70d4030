//! Leases: who of several replicas relays and feeds, by session advisory locks on a connection of its own.

use std::collections::HashMap;
use std::time::Duration;

use lifecycle::{CancellationToken, Lifecycle, OnDeath, Stage};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Row as _};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How often locks are asked for, and the session shown to be alive.
const BEAT: Duration = Duration::from_secs(1);
/// An answer later than this means that the session may be lost.
const PATIENCE: Duration = Duration::from_secs(3);
/// PostgreSQL ends the session of a holder that is frozen or cut off, so that another one can take over. Longer than
/// beat and patience together: a holder knows first.
const SILENCE: &str = "6s";

/// Whether this replica holds one lease.
#[derive(Clone, Debug)]
pub(crate) struct Lease(watch::Receiver<bool>);

impl Lease {
    /// Waits until it is held.
    pub(crate) async fn held(&mut self) {
        self.until(true).await;
    }

    /// Waits until it is held no longer.
    pub(crate) async fn lost(&mut self) {
        self.until(false).await;
    }

    pub(crate) fn is_held(&self) -> bool {
        *self.0.borrow()
    }

    async fn until(&mut self, held: bool) {
        if self.0.wait_for(|now| *now == held).await.is_err() && held {
            // The keeper has ended, and so does whoever waits here.
            std::future::pending::<()>().await;
        }
    }
}

/// Starts to keep the named leases; a holder keeps them until it stops, freezes, or loses its connection.
pub(crate) fn keep(
    options: PgConnectOptions,
    names: impl Iterator<Item = String>,
    lifecycle: &Lifecycle,
) -> HashMap<String, Lease> {
    let (senders, leases): (Vec<_>, HashMap<_, _>) = names
        .map(|name| {
            let (sender, receiver) = watch::channel(false);
            ((name.clone(), sender), (name, Lease(receiver)))
        })
        .unzip();
    let options = options.options([("idle_session_timeout", SILENCE)]);
    // Leases outlive the tasks that work under them: those end in the stage before.
    let stopping = lifecycle.stopping(Stage::Store);
    let keeper = Keeper { options, leases: senders };
    lifecycle.spawn_in(Stage::Store, "lease keeper", OnDeath::StopsTheService, keeper.run(stopping));
    leases
}

struct Keeper {
    options: PgConnectOptions,
    leases: Vec<(String, watch::Sender<bool>)>,
}

impl Keeper {
    async fn run(self, stopping: CancellationToken) {
        loop {
            let mut session = None;
            let end = stopping.run_until_cancelled(self.session(&mut session)).await;
            for (_, held) in &self.leases {
                held.send_if_modified(|held| std::mem::replace(held, false));
            }
            let Some(error) = end else {
                if let Some(session) = session {
                    // Ends the session now, so that others need not wait; PostgreSQL does it later otherwise.
                    let _ = timeout(PATIENCE, PgConnection::close(session)).await;
                }
                return;
            };
            tracing::warn!(%error, "the leases are lost");
            if stopping.run_until_cancelled(sleep(BEAT)).await.is_none() {
                return;
            }
        }
    }

    /// Holds what can be held until the session fails.
    async fn session(&self, session: &mut Option<PgConnection>) -> sqlx::Error {
        match timeout(PATIENCE, self.options.connect()).await {
            Ok(Ok(connection)) => {
                let connection = session.insert(connection);
                loop {
                    match timeout(PATIENCE, self.beat(connection)).await {
                        Ok(Ok(())) => sleep(BEAT).await,
                        Ok(Err(error)) => return error,
                        Err(_) => return sqlx::Error::PoolTimedOut,
                    }
                }
            }
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::PoolTimedOut,
        }
    }

    /// Asks for what is not held; with nothing to ask for, a sign of life.
    async fn beat(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let wanted: Vec<String> =
            self.leases.iter().filter(|(_, held)| !*held.borrow()).map(|(name, _)| name.clone()).collect();
        let rows = sqlx::query(
            "SELECT name FROM unnest($1::text[]) AS name \
             WHERE pg_try_advisory_lock(hashtextextended('eventbus/lease/' || name, 0))",
        )
        .bind(wanted)
        .fetch_all(connection)
        .await?;
        for row in rows {
            let name: String = row.try_get(0)?;
            tracing::info!(lease = name, "lease taken");
            for (_, held) in self.leases.iter().filter(|(other, _)| *other == name) {
                held.send_replace(true);
            }
        }
        Ok(())
    }
}
