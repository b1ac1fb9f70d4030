//! The connection to NATS: it may be absent at the start, comes back by itself, and its refusals are seen.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ConnectOptions, Event, ServerAddr, ServerError};
use tokio::sync::watch;

use crate::NatsSettings;

/// Longest wait for any answer of JetStream.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// Messages published and not acknowledged yet.
pub(crate) const IN_FLIGHT: usize = 4_096;
/// Longest pause between attempts to connect.
const MAX_DELAY: Duration = Duration::from_secs(4);
/// Messages that wait in the client for a slow reader; more than one pull asks for.
const WAITING: usize = 65_536;

/// What is wrong while there is no connection.
pub(crate) const UNREACHABLE: &str = "NATS cannot be reached";

/// One connection of this replica, shared by relay and feeds.
#[derive(Clone, Debug)]
pub(crate) struct Nats {
    pub(crate) client: Client,
    pub(crate) jetstream: Context,
    /// Counts the connections made: whoever trusts the server's state looks again when it changes.
    pub(crate) connections: watch::Receiver<u64>,
    /// What the server refuses this user. Such a refusal reaches the caller as a mere timeout.
    refusal: watch::Receiver<Option<String>>,
}

impl Nats {
    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// What the server has refused since the connection was made.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.refusal.borrow().clone()
    }
}

/// Begins to connect; a server that does not answer is no error. Must run in the runtime that lasts.
pub(crate) async fn connect(service: &'static str, settings: &NatsSettings) -> Result<Nats, String> {
    let servers: Vec<ServerAddr> = settings
        .url
        .split(',')
        .map(|url| url.trim().parse().map_err(|error| format!("the address {url} cannot be used: {error}")))
        .collect::<Result<_, _>>()?;
    let (connected, connections) = watch::channel(0_u64);
    let (refused, refusal) = watch::channel(None);
    let mut options = ConnectOptions::new()
        .name(format!("dingzhu-{service}"))
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(delay)
        .ping_interval(Duration::from_secs(10))
        .connection_timeout(PATIENCE)
        .request_timeout(Some(PATIENCE))
        .subscription_capacity(WAITING)
        .client_capacity(IN_FLIGHT)
        .event_callback(move |event| {
            match event {
                Event::Connected => {
                    tracing::info!("connected to NATS");
                    refused.send_replace(None);
                    connected.send_modify(|count| *count += 1);
                }
                Event::Disconnected => tracing::warn!("disconnected from NATS"),
                Event::ServerError(error @ (ServerError::AuthorizationViolation | ServerError::Other(_))) => {
                    tracing::error!(%error, "NATS refuses");
                    refused.send_replace(Some(error.to_string()));
                }
                // Of each attempt to connect that fails, among others.
                Event::ClientError(error) => tracing::debug!(%error, "NATS"),
                other => tracing::warn!(event = %other, "NATS"),
            }
            std::future::ready(())
        });
    if let (Some(user), Some(file)) = (&settings.user, &settings.password_file) {
        let password = std::fs::read_to_string(file)
            .map_err(|error| format!("the password file {} cannot be read: {error}", file.display()))?;
        options = options
            .user_and_password(user.clone(), password.trim_end().to_owned())
            .custom_inbox_prefix(format!("_INBOX_{user}"));
    }
    let client = options.connect(servers).await.map_err(|error| error.to_string())?;
    let jetstream = ContextBuilder::new()
        .timeout(PATIENCE)
        .ack_timeout(PATIENCE)
        .max_ack_inflight(IN_FLIGHT * 2)
        .backpressure_on_inflight(true)
        .build(client.clone());
    Ok(Nats { client, jetstream, connections, refusal })
}

/// Exponential, with full jitter: a thousand clients of a restarted server do not come back at one moment.
fn delay(attempt: usize) -> Duration {
    let exponent = u32::try_from(attempt.min(6)).expect("at most six");
    let longest = Duration::from_millis(100 * 2_u64.pow(exponent)).min(MAX_DELAY);
    longest.mul_f64(rand::random::<f64>())
}
