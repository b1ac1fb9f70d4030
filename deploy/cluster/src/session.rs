//! Sessions of demonstration actors, kept beside their passwords so that each command does not sign in anew: a code of a second factor
//! counts only once in thirty seconds.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::actor::{Actor, Credentials};
use crate::failure::Doing as _;
use crate::layout::Layout;
use crate::{Result, secrets};

/// A session is used again as long as its token lives for so long.
const REST: Duration = Duration::minutes(5);

/// What is kept, for its owner's eyes only.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Whose: an actor's name may pass on to another person.
    number: String,
    bearer: String,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// An earlier session of an actor that still counts.
pub fn find(layout: &Layout, who: &str, credentials: &Credentials, now: OffsetDateTime) -> Option<Actor> {
    let kept: Kept = serde_json::from_slice(&fs::read(path(layout, who)).ok()?).ok()?;
    let counts = kept.number == credentials.number && kept.expires_at - now >= REST;
    counts.then(|| Actor::with_bearer(&layout.addresses(), &kept.bearer, kept.expires_at))
}

/// Keeps a session.
pub fn keep(layout: &Layout, who: &str, credentials: &Credentials, actor: &Actor) -> Result<()> {
    let kept =
        Kept { number: credentials.number.clone(), bearer: actor.bearer().to_string(), expires_at: actor.expires_at() };
    let text = serde_json::to_string(&kept).doing(|| "describe a session".into())?;
    secrets::write(&path(layout, who), &text)
}

fn path(layout: &Layout, who: &str) -> PathBuf {
    layout.sessions().join(format!("{who}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_found_again_by_its_own_person_until_it_is_nearly_over() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::private(folder.path()).unwrap();
        let credentials = |number: &str| Credentials {
            number: number.to_owned(),
            phone: String::new(),
            password: String::new(),
            totp: None,
        };
        let now = lifecycle::clock::now();
        let actor = Actor::with_bearer(&layout.addresses(), "Bearer x", now + Duration::minutes(10));
        keep(&layout, "operator", &credentials("1"), &actor).unwrap();
        let found =
            |who, number, now| find(&layout, who, &credentials(number), now).map(|actor| actor.bearer().to_string());
        assert_eq!(found("operator", "1", now).as_deref(), Some("Bearer x"));
        assert_eq!(found("operator", "1", now + Duration::minutes(5)).as_deref(), Some("Bearer x"));
        assert_eq!(found("operator", "1", now + Duration::minutes(6)), None);
        assert_eq!(found("operator", "2", now), None);
        assert_eq!(found("clerk", "1", now), None);
    }
}
