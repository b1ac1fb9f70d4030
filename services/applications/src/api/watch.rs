//! `WatchApplications`: a list for as long as somebody watches and may, with a token to go on behind every message.

use std::time::Duration;

use access::{Authority, Caller};
use futures::{Stream, StreamExt as _, stream};
use prost::Message as _;
use proto::applications::v1 as wire;
use proto::applications::v1::watch_applications_response::News as Told;
use rpc::{Refusal, Violations, Watchers, Watching};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};
use tonic::{Code, Request, Response, Status};

use super::applications::ApplicationsApi;
use super::render::summary;
use super::request::{Parsing, viewer};
use super::status::reached;
use crate::handle::{Beginning, News, Place, State, Viewer, Watch};
use crate::views::applications::APPLICATIONS;

/// Whoever waits hears this often that they still do.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How often it is looked whether the watcher still may: a role that is taken back ends the watch within ten seconds.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Bytes of a place's hash and of a token's digest: enough that nobody confuses two of them.
const SHORT: usize = 8;

/// What an answer is.
pub(super) type Answers = std::pin::Pin<Box<dyn Stream<Item = Result<wire::WatchApplicationsResponse, Status>> + Send>>;

/// Who may watch, how many, how long.
#[derive(Clone)]
pub struct Watches {
    /// Who may what, as of now.
    pub authority: Authority,
    /// Places.
    pub watchers: Watchers,
    /// The longest life of a watch.
    pub longest: Duration,
}

pub(super) async fn watch(
    api: &ApplicationsApi,
    request: Request<wire::WatchApplicationsRequest>,
) -> Result<Response<Answers>, Status> {
    let caller = Caller::of(&request);
    let viewer = viewer(&caller)?;
    let message = request.into_inner();
    let mut parsing = Parsing::default();
    let asked = message.filter.unwrap_or_default();
    let filter = parsing.filter(&asked);
    let digest = digest(&viewer, &asked);
    let token = parsing.resume_token(&message.resume_token, digest);
    parsing.done()?;
    let beginning = match token {
        Some(token) => {
            let is_same = |place: &Place| place.hash[..SHORT] == token.hash;
            let place = api.handle.find_place(token.position, is_same).await?;
            Beginning { place, state: token.state }
        }
        None => api.handle.begin_watch(message.with_state).await?,
    };
    if beginning.state.is_some() {
        // The state holds at least what was recorded before the place from which changes are told.
        reached(&api.bus, APPLICATIONS, beginning.place.position).await?;
    }
    let place = api.watches.watchers.admit(viewer.person)?;
    let watch = api.handle.watch(viewer.clone(), filter, beginning)?;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let rights = Rights { caller, viewer, authority: api.watches.authority.clone() };
    let ends = Instant::now() + api.watches.longest;
    let watcher = Watcher { watch, rights, looks, ends, digest, _place: place };
    let answers = stream::try_unfold(watcher, |mut watcher| async { Ok(Some((watcher.next().await?, watcher))) });
    Ok(Response::new(answers.boxed()))
}

/// Somebody who watches.
struct Watcher {
    watch: Watch,
    rights: Rights,
    looks: Interval,
    ends: Instant,
    digest: [u8; SHORT],
    _place: Watching,
}

impl Watcher {
    async fn next(&mut self) -> Result<wire::WatchApplicationsResponse, Status> {
        let Self { watch, rights, looks, ends, .. } = self;
        let silent_until = Instant::now() + SIGN_OF_LIFE;
        let news = {
            let mut news = std::pin::pin!(watch.next());
            loop {
                tokio::select! {
                    biased;
                    () = sleep_until(*ends) => return Err(over().into()),
                    _ = looks.tick() => rights.still_hold()?,
                    news = &mut news => break Some(news?),
                    () = sleep_until(silent_until) => break None,
                }
            }
        };
        let resume_token = token(&self.watch.at(), self.digest);
        Ok(wire::WatchApplicationsResponse { resume_token, news: news.map(render) })
    }
}

/// What the watcher may, as it was at the beginning.
struct Rights {
    caller: Caller,
    viewer: Viewer,
    authority: Authority,
}

impl Rights {
    fn still_hold(&self) -> Result<(), Refusal> {
        let (person, Some(known)) = (self.caller.signed_in()?, self.authority.now()) else { return Ok(()) };
        let grants = known.grants.get(&person.id).filter(|_| person.second_factor).cloned().unwrap_or_default();
        let now = viewer(&Caller { grants, ..self.caller.clone() })?;
        if known.erased.contains(&person.id) || now != self.viewer {
            return Err(Refusal::new(Code::Aborted, "RIGHTS_CHANGED", "您的岗位权限已变更，请重新查询。"));
        }
        Ok(())
    }
}

fn over() -> Refusal {
    Refusal::new(Code::Aborted, "WATCH_OVER", "本次实时查询已到时限，请从中断处继续。").retry_after(Duration::ZERO)
}

fn render(news: News) -> Told {
    match news {
        News::State { rows, last } => {
            Told::State(wire::ApplicationPage { applications: rows.iter().map(summary).collect(), last })
        }
        News::Changed(row) => Told::Changed(summary(&row)),
        News::Gone(key) => Told::Gone(wire::ApplicationKey {
            certificate_id: key.certificate.to_string(),
            enrolment_number: key.number.to_string(),
        }),
    }
}

/// Tells apart who asks, by which roles, for what.
fn digest(viewer: &Viewer, filter: &wire::ApplicationFilter) -> [u8; SHORT] {
    let mut digest = Sha256::new_with_prefix(filter.encode_to_vec());
    let units = [&viewer.officer.schools, &viewer.officer.points, &viewer.officer.agencies];
    for ids in [&vec![viewer.person]].into_iter().chain(units) {
        digest.update([u8::MAX]);
        for id in ids {
            digest.update(id.as_bytes());
        }
    }
    let digest = digest.finalize();
    std::array::from_fn(|place| digest[place])
}

/// What a token says: position and hash of the place, and how much of the state was told (0: all, -1: nothing).
struct Token {
    position: i64,
    hash: [u8; SHORT],
    state: Option<State>,
}

fn token(at: &Beginning, digest: [u8; SHORT]) -> String {
    let state: i64 = match at.state {
        None => 0,
        Some(State::Whole) => -1,
        Some(State::Before(position)) => position,
    };
    let parts = [&at.place.position.to_be_bytes(), &at.place.hash[..SHORT], &state.to_be_bytes(), &digest];
    rpc::page_token(&parts.concat())
}

impl Parsing {
    fn resume_token(&mut self, token: &str, digest: [u8; SHORT]) -> Option<Token> {
        // Its own words: there is no first page to go back to.
        let read = rpc::parse_page_place("resume_token", token, &mut Violations::new(), |parts| {
            let ([position, hash, state, of], []) = parts.as_chunks::<SHORT>() else { return None };
            let state = match i64::from_be_bytes(*state) {
                0 => None,
                -1 => Some(State::Whole),
                position => Some(State::Before(position)),
            };
            (*of == digest).then(|| Token { position: i64::from_be_bytes(*position), hash: *hash, state })
        });
        let sentence = "续查标记无效，或与当前查询条件、岗位权限不符，请重新查询。";
        self.violations().check("resume_token", read.is_some() || token.is_empty(), "NOT_A_RESUME_TOKEN", sentence);
        read
    }
}
