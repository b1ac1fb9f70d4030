//! 手机号码不正确: asked for by whoever matches an account, settled by the helpdesk of where the person belongs; a stranger is answered alike.

use lifecycle::{clock, ids};
use uuid::Uuid;

use super::{Asked, Handle, TRIES, decide, no_earlier};
use crate::courier::Message;
use crate::domain::account::{Authority, Command, FixOutcome, PhoneFix, Rejection};
use crate::domain::contact::same_name;
use crate::domain::document::Document;
use crate::domain::limit::Deed;
use crate::domain::personal::Personal;
use crate::domain::role::Division;
use crate::error::Error;
use crate::store::codes::{Answer, Begun, Purpose};
use crate::store::phone_fix::{self, Claimed};
use crate::views::phone_fixes::Row;

/// A request whose fields are all right.
#[derive(Debug)]
pub struct PhoneFixAsked {
    /// The account's document.
    pub document: Document,
    /// 姓名
    pub name: String,
    /// Phone and evidence.
    pub claimed: Claimed,
    /// Which code was sent to the phone, and the code.
    pub code: (Uuid, String),
    /// Where whoever asks wants it settled.
    pub province: Division,
}

/// An open request as the helpdesk needs it.
#[derive(Debug)]
pub struct OpenFix {
    /// Where it stands.
    pub row: Row,
    /// The account's own data.
    pub known: Personal,
    /// What is asked for.
    pub claimed: Claimed,
}

impl Handle {
    /// Sends a code to the phone that shall be put in.
    pub async fn send_phone_fix_code(&self, phone: &str) -> Result<Begun, Error> {
        self.send_code(phone, Purpose::PhoneFix, Message::NewPhoneCode).await
    }

    /// Records a request. Whoever matches nothing is answered alike, after the same time.
    pub async fn request_phone_fix(&self, asked: &Asked, fix: &PhoneFixAsked) -> Result<(), Error> {
        no_earlier(self.record_phone_fix(asked, fix)).await
    }

    async fn record_phone_fix(&self, asked: &Asked, fix: &PhoneFixAsked) -> Result<(), Error> {
        if self.remembered(asked).await?.is_some() {
            return Ok(());
        }
        // Before the number is counted: the code says nothing of the account, and without one nobody uses up its requests.
        let (challenge, code) = &fix.code;
        match self.codes.answer_phone_fix(*challenge, code, &fix.claimed.phone, clock::now()).await? {
            Answer::Right(()) => {}
            Answer::Wrong => return Err(Error::WrongCode),
            Answer::Expired => return self.answered_meanwhile(asked, Error::CodeExpired).await,
        }
        let number_hash = self.accounts.hash(&fix.document);
        self.limit_account(Deed::FixPhone, &number_hash).await?;
        for _ in 0..TRIES {
            let person = self.accounts.find(&number_hash).await?.unwrap_or_else(ids::random);
            let loaded = self.accounts.load(person).await?;
            let key = self.vault.find(person).await?;
            let known = key.as_ref().map(|key| loaded.personal(key)).transpose()?;
            let matches = known.as_ref().is_some_and(|known| same_name(&known.name, &fix.name));
            // Looked up for nobody, too. What counts is where the person belongs, not what whoever asks says of it.
            let belongs = self.belongs(person, fix.document.kind(), fix.document.number()).await?;
            let command = Command::RequestPhoneFix(PhoneFix::new(ids::random(), fix.province, &belongs));
            let events = match decide(&loaded, command) {
                Ok(events) if matches => events,
                Ok(_) | Err(Error::Rejected(_)) => Vec::new(),
                Err(error) => return Err(error),
            };
            let mut append = self.append(&loaded, &events, None, &asked.actor);
            append.request = Some(self.request(asked, Vec::new()));
            if let (Some(event), Some(key)) = (append.events.first_mut(), &key) {
                phone_fix::seal(event, person, loaded.version + 1, key, &fix.claimed);
            }
            let Some(transaction) = self.codes.spend(*challenge, clock::now()).await? else {
                return self.answered_meanwhile(asked, Error::CodeExpired).await;
            };
            match self.log.append_in(transaction, append).await.map_err(Error::from) {
                Ok(appended) => {
                    // Long before the helpdesk settles it: whoever did not ask still has the phone, and time to object.
                    if let (Some(known), false) = (known, events.is_empty()) {
                        self.tell_unless(appended.repeated, Message::PhoneFixRequested, known.phone);
                        self.tell_unless(appended.repeated, Message::PhoneFixRequestedMail, known.email);
                    }
                    return Ok(());
                }
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }

    /// What whoever holds the helpdesk's role in these divisions needs to know of open requests; those of erased people are left out.
    /// The people learn that their evidence was read.
    pub async fn open_fixes(
        &self,
        viewer: Uuid,
        divisions: &[Division],
        rows: Vec<Row>,
    ) -> Result<Vec<OpenFix>, Error> {
        let people: Vec<Uuid> = rows.iter().map(|row| row.person).collect();
        let (keys, accounts) = (self.vault.find_all(&people).await?, self.accounts.load_all(&people).await?);
        let mut open = Vec::with_capacity(rows.len());
        for row in rows {
            let (Some(key), Some(loaded)) = (keys.get(&row.person), accounts.get(&row.person)) else { continue };
            if let Some(claimed) = loaded.claimed(row.fix_id, key)? {
                open.push(OpenFix { known: loaded.personal(key)?, claimed, row });
            }
        }
        let covering = |row: &Row| {
            let seen_by = Division::parse(&row.division)?;
            divisions.iter().copied().find(|own| own.covers(seen_by))
        };
        let seen = open.iter().filter_map(|fix| Some((fix.row.person, covering(&fix.row)?)));
        self.evidence_seen(viewer, seen).await?;
        Ok(open)
    }

    /// Puts the phone in, or refuses; returns the position.
    pub async fn settle_phone_fix(
        &self,
        asked: &Asked,
        person: Uuid,
        fix_id: Uuid,
        outcome: FixOutcome,
        by: &Authority,
    ) -> Result<i64, Error> {
        if let Some((_, position)) = self.remembered(asked).await? {
            return Ok(position);
        }
        for _ in 0..TRIES {
            let now = clock::now();
            let unknown = || Error::Rejected(Rejection::UnknownFix);
            let loaded = self.accounts.load(person).await?;
            let account = loaded.account.registered().ok_or_else(unknown)?;
            // Of an erased person nothing is left to settle.
            let key = self.vault.find(person).await?.ok_or_else(unknown)?;
            let known = loaded.personal(&key)?;
            let belongs = self.belongs(person, account.document_type, &known.number).await?;
            let events = decide(&loaded, Command::SettlePhoneFix { fix_id, outcome, belongs, by: by.clone() })?;
            let claimed = loaded.claimed(fix_id, &key)?.ok_or_else(unknown)?;
            let personal = Personal { phone: claimed.phone.clone(), ..Personal::default() };
            let approved = outcome == FixOutcome::Approved;
            let sealing = approved.then_some((&key, &personal));
            let mut append = self.append(&loaded, &events, sealing, &asked.actor);
            append.request = Some(self.request(asked, Vec::new()));
            let mut transaction = self.sessions.begin_transaction().await?;
            if approved {
                self.codes.void_in(&mut transaction, person, now).await?;
                self.recoveries.void_in(&mut transaction, person, now).await?;
            }
            match self.log.append_in(transaction, append).await.map_err(Error::from) {
                Ok(appended) => {
                    let told = if approved { Message::PhoneFixApproved } else { Message::PhoneFixRefused };
                    self.tell_unless(appended.repeated, told, claimed.phone);
                    self.tell_unless(appended.repeated || !approved, Message::PhoneChanged, known.phone);
                    return Ok(appended.position);
                }
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }
}
