//! 滑块拼图登录: a puzzle, then number and password with its answer.

use access::Origin;
use lifecycle::{clock, ids};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Handle, SignedIn, TRIES};
use crate::chance;
use crate::domain::document::Document;
use crate::domain::limit::Deed;
use crate::domain::puzzle::{self, Puzzle, Verdict};
use crate::domain::session::Entry;
use crate::error::Error;
use crate::hashing::Password;
use crate::picture::{Picture, Place};

/// A puzzle as it is handed out.
#[derive(Debug)]
pub struct Posed {
    /// To be repeated with the answer.
    pub id: Uuid,
    /// Both files.
    pub picture: Picture,
    /// Where the piece lies, from the upper edge.
    pub top: u16,
    /// When the puzzle stops to count.
    pub expires_at: OffsetDateTime,
}

/// Which puzzle was answered how.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// The puzzle.
    pub id: Uuid,
    /// Pixels from the left edge.
    pub offset: i32,
}

impl Handle {
    /// Makes a puzzle for a number; nothing is looked up, so that nothing can be learned.
    pub async fn make_puzzle(&self, document: &Document, origin: Origin) -> Result<Posed, Error> {
        self.limit_origin(Deed::MakePuzzle, origin).await?;
        let number_hash = self.accounts.hash(document);
        self.limit_account(Deed::MakePuzzle, &number_hash).await?;
        let place = Place { left: chance::within(puzzle::GAP), top: chance::within(puzzle::TOP) };
        let picture = self.painter.draw(chance::bytes(), place).await?;
        let (id, now) = (ids::random(), clock::now());
        let puzzle = Puzzle::new(number_hash, place.left, now);
        self.puzzles.keep(id, &puzzle, now).await?;
        Ok(Posed { id, picture, top: place.top, expires_at: puzzle.expires_at })
    }

    /// Signs in. The puzzle is judged before the password is looked at, and before a place to wait for a core is taken, so that it protects both.
    pub async fn sign_in(
        &self,
        document: &Document,
        password: Password,
        entry: Entry,
        answered: Answered,
        origin: Origin,
    ) -> Result<SignedIn, Error> {
        let number_hash = self.accounts.hash(document);
        let mut connection = self.connection().await?;
        let now = clock::now();
        let arrived = self.attempts.arrive(&mut connection, origin, answered.id, now).await?;
        let puzzle = arrived.map_err(|retry_after| Error::Throttled { retry_after })?.ok_or(Error::PuzzleExpired)?;
        match puzzle.judge(&number_hash, answered.offset, now) {
            Verdict::Right => {}
            Verdict::Wrong => return Err(Error::PuzzleWrong),
            Verdict::Expired => return Err(Error::PuzzleExpired),
        }
        let waiting = match self.hasher.enter() {
            Ok(waiting) => waiting,
            // Whoever finds no room gets the puzzle back.
            Err(busy) => {
                drop(connection);
                self.puzzles.keep(answered.id, &puzzle, now).await?;
                return Err(busy);
            }
        };
        let mut loaded = self.check_password(waiting, connection, &number_hash, password).await?;
        // An account whose key was destroyed is nobody's any more.
        self.vault.find(loaded.person).await?.ok_or(Error::WrongCredentials)?;
        for _ in 0..TRIES {
            let account = loaded.account.registered().ok_or(Error::WrongCredentials)?;
            let (kept, tokens) = self.new_session(loaded.person, account, entry, false, clock::now())?;
            let secret = tokens.refresh.secret();
            if self.sessions.begin_by_password(&kept, secret, &number_hash, loaded.version).await? {
                return Ok(SignedIn::new(tokens, account));
            }
            // A password that was changed meanwhile has ended all sessions, and this one would have come too late to be among them.
            let stands = self.accounts.load(loaded.person).await?;
            if stands.account.registered().map(|account| &account.password_hash) != Some(&account.password_hash) {
                return Err(Error::WrongCredentials);
            }
            loaded = stands;
        }
        Err(Error::Conflict)
    }
}
