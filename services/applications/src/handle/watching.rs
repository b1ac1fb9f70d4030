//! Watching lists: the own log is read once for all who watch, each change is judged for each of them, and whoever comes
//! back goes on where they were.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use eventlog::{EventLog, ReadError};
use lifecycle::{Lifecycle, OnDeath, Stage};
use tokio::sync::{Notify, broadcast};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::lists::select;
use super::{Handle, Key, Viewer};
use crate::domain::directory::Directory;
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::error::Error;
use crate::store::event::{decode, is_of_a_record};
use crate::views::applications::{Filter, Row, Selection, Stamp};

/// Events that a watcher may be behind the reader for all; at one more it is too slow.
const BUFFER: usize = 4_096;
/// Events that are read at a time.
const PAGE: i64 = 500;
/// Applications of one page of the state.
const STATE_PAGE: usize = 200;
/// Events that a resumed watch may lie back: to begin anew is cheaper then.
const FURTHEST_BACK: i64 = 100_000;
/// How soon the reader notices that nobody listens any more.
const IDLE: Duration = Duration::from_secs(1);
/// Pause after a read that failed.
const RETRY: Duration = Duration::from_secs(1);

/// A place in the own log, behind an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Position of the event; 0 before the first.
    pub position: i64,
    /// Its hash, which no other history has.
    pub hash: [u8; 32],
}

/// An event, and what it did to an application.
#[derive(Debug)]
struct Change {
    place: Place,
    rows: Option<Rows>,
}

#[derive(Debug)]
struct Rows {
    before: Option<Row>,
    after: Row,
}

/// What all who listen hear: the next event; or, without one, how far the log had come when the reader began.
#[derive(Debug, Clone)]
struct Heard {
    position: i64,
    change: Option<Arc<Change>>,
}

/// Every event of the own log with what it did, for as long as anybody listens. Clones are the same.
#[derive(Clone)]
pub struct Changes(Arc<Shared>);

struct Shared {
    log: EventLog,
    told: broadcast::Sender<Heard>,
    wanted: Notify,
}

impl Changes {
    /// Starts the reader; it sleeps while nobody listens.
    pub fn follow(log: EventLog, lifecycle: &Lifecycle) -> Self {
        let changes = Self(Arc::new(Shared { log, told: broadcast::Sender::new(BUFFER), wanted: Notify::new() }));
        let (reader, stopping) = (changes.clone(), lifecycle.stopping(Stage::Work));
        lifecycle.spawn("changes of applications", OnDeath::StopsTheService, async move {
            stopping.run_until_cancelled(reader.read()).await;
        });
        changes
    }

    fn listen(&self) -> broadcast::Receiver<Heard> {
        let listening = self.0.told.subscribe();
        self.0.wanted.notify_one();
        listening
    }

    async fn read(&self) {
        loop {
            self.0.wanted.notified().await;
            if let Err(error) = self.read_while_wanted().await {
                tracing::warn!(%error, "changes of applications cannot be read");
                sleep(RETRY).await;
                self.0.wanted.notify_one();
            }
        }
    }

    async fn read_while_wanted(&self) -> Result<(), Error> {
        let mut place = self.newest().await?;
        let mut head = self.0.log.head();
        self.tell(place.position, None);
        while self.0.told.receiver_count() > 0 {
            if timeout(IDLE, head.wait_for(|head| *head > place.position)).await.is_err() {
                continue;
            }
            for change in self.after(&place).await? {
                place = change.place;
                self.tell(place.position, Some(Arc::new(change)));
            }
        }
        Ok(())
    }

    fn tell(&self, position: i64, change: Option<Arc<Change>>) {
        // Nobody listens any more: then nobody misses it.
        let _ = self.0.told.send(Heard { position, change });
    }

    /// The next events behind a place; none when there are none yet.
    async fn after(&self, place: &Place) -> Result<Vec<Change>, Error> {
        let page = self.0.log.follow(place.position, &place.hash, PAGE).await?;
        let Some(last) = page.last() else { return Ok(Vec::new()) };
        let of_records = page.iter().filter(|event| is_of_a_record(&event.kind));
        let mut streams: Vec<Uuid> = of_records.map(|event| event.stream).collect();
        streams.sort_unstable();
        streams.dedup();
        let mut changed: HashMap<i64, Rows> = HashMap::with_capacity(page.len());
        for events in self.0.log.load_many(&streams).await?.values() {
            let mut rows: HashMap<EnrolmentNumber, Row> = HashMap::new();
            for recorded in events.iter().take_while(|recorded| recorded.position <= last.position) {
                let event = decode(&recorded.kind, &recorded.payload, &recorded.inner)?;
                let Some(number) = event.number() else { continue };
                let before = rows.remove(&number);
                let is_new = recorded.position > place.position;
                let earlier = before.clone().filter(|_| is_new);
                let Some(after) = Row::after(before, &event, Stamp::from(recorded)) else { continue };
                if is_new {
                    changed.insert(recorded.position, Rows { before: earlier, after: after.clone() });
                }
                rows.insert(number, after);
            }
        }
        let changes = page.iter().map(|event| Change {
            place: Place { position: event.position, hash: event.hash },
            rows: changed.remove(&event.position),
        });
        Ok(changes.collect())
    }

    /// Behind the newest event.
    async fn newest(&self) -> Result<Place, Error> {
        Ok(self.at(self.0.log.newest().await?).await?)
    }

    async fn at(&self, position: i64) -> Result<Place, ReadError> {
        Ok(Place { position, hash: self.0.log.previous_hash(position + 1).await? })
    }
}

/// What a watcher is told.
#[derive(Debug)]
pub enum News {
    /// Of what the list holds.
    State {
        /// Newest submission first.
        rows: Vec<Row>,
        /// The state is complete.
        last: bool,
    },
    /// It stands in the list, new or changed.
    Changed(Row),
    /// It stands in the list no longer.
    Gone(Key),
}

/// Where a watch begins, or goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beginning {
    /// Changes behind this place are told …
    pub place: Place,
    /// … after the rest of the state, if any is still to be told.
    pub state: Option<State>,
}

/// How much of the state has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Whole,
    /// Submissions from this position on.
    Before(i64),
}

/// One who watches a list.
pub struct Watch {
    handle: Handle,
    viewer: Viewer,
    filter: Filter,
    selection: Selection,
    /// By which the selection was made.
    directory: Arc<Directory>,
    at: Beginning,
    /// Not judged yet.
    ahead: VecDeque<Arc<Change>>,
    /// The log may hold more than was heard of.
    behind: bool,
    listening: Option<broadcast::Receiver<Heard>>,
}

impl Handle {
    /// Where a watch begins now, with the whole state or with none of it.
    pub async fn begin_watch(&self, with_state: bool) -> Result<Beginning, Error> {
        let place = self.0.changes.newest().await?;
        Ok(Beginning { place, state: with_state.then_some(State::Whole) })
    }

    /// The place of a position, if this history has it, `is_same` knows it again, and it does not lie too far back.
    pub async fn find_place(&self, position: i64, is_same: impl Fn(&Place) -> bool) -> Result<Place, Error> {
        let newest = self.log().newest().await?;
        if !(newest - FURTHEST_BACK..=newest).contains(&position) {
            return Err(Error::ResumeLost);
        }
        match self.0.changes.at(position).await {
            Ok(place) if is_same(&place) => Ok(place),
            Ok(_) | Err(ReadError::Missing { .. }) => Err(Error::ResumeLost),
            Err(error) => Err(error.into()),
        }
    }

    /// Watches the list of a filter.
    pub fn watch(&self, viewer: Viewer, filter: Filter, at: Beginning) -> Result<Watch, Error> {
        let directory = self.directory()?;
        let selection = select(&viewer, filter.clone(), &directory);
        let (ahead, behind, listening) = (VecDeque::new(), true, None);
        Ok(Watch { handle: self.clone(), viewer, filter, selection, directory, at, ahead, behind, listening })
    }
}

impl Watch {
    /// Where it stands: behind all that it has told.
    pub fn at(&self) -> Beginning {
        self.at
    }

    /// What is to be told next; waits for it. Nothing is lost when it is not waited for to the end.
    pub async fn next(&mut self) -> Result<News, Error> {
        if let Some(state) = self.at.state {
            return self.next_page(state).await;
        }
        loop {
            while let Some(change) = self.ahead.pop_front() {
                self.at.place = change.place;
                if let Some(news) = self.judge(&change)? {
                    return Ok(news);
                }
            }
            if self.behind {
                self.catch_up().await?;
                continue;
            }
            let listening = self.listening.as_mut().expect("whoever has caught up listens");
            match listening.recv().await {
                Ok(Heard { position, change: Some(change) }) if position == self.at.place.position + 1 => {
                    self.ahead.push_back(change);
                }
                // Known from the log already; or recorded before the reader began.
                Ok(heard) => self.behind = heard.position > self.at.place.position,
                Err(broadcast::error::RecvError::Lagged(_)) => return Err(Error::WatchTooSlow),
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    async fn next_page(&mut self, state: State) -> Result<News, Error> {
        let before = match state {
            State::Whole => None,
            State::Before(position) => Some(position),
        };
        let mut rows = self.handle.list(&self.selection, before, STATE_PAGE + 1).await?;
        let last = rows.len() <= STATE_PAGE;
        rows.truncate(STATE_PAGE);
        self.at.state = rows.last().filter(|_| !last).map(|row| State::Before(row.position));
        Ok(News::State { rows, last })
    }

    /// Reads on in the log; whoever has everything listens, and then looks once more.
    async fn catch_up(&mut self) -> Result<(), Error> {
        let page = self.handle.0.changes.after(&self.at.place).await?;
        if page.is_empty() {
            self.behind = self.listening.is_none();
            self.listening.get_or_insert_with(|| self.handle.0.changes.listen());
        }
        self.ahead = page.into_iter().map(Arc::new).collect();
        Ok(())
    }

    fn judge(&mut self, change: &Change) -> Result<Option<News>, Error> {
        let Some(Rows { before, after }) = &change.rows else { return Ok(None) };
        let directory = self.handle.directory()?;
        if !Arc::ptr_eq(&directory, &self.directory) {
            self.selection = select(&self.viewer, self.filter.clone(), &directory);
            self.directory = directory;
        }
        if self.selection.holds(after) {
            return Ok(Some(News::Changed(after.clone())));
        }
        let was_there = before.as_ref().is_some_and(|before| self.selection.holds(before));
        Ok(was_there.then_some(News::Gone(Key { certificate: after.certificate, number: after.number })))
    }
}
