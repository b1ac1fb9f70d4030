//! 账号注册: a phone code, then an account; the same answer and the same work whether or not the number has one already.

use lifecycle::{clock, ids};
use uuid::Uuid;

use super::{Asked, Handle, TRIES, account_claim, decide};
use crate::chance;
use crate::courier::Message;
use crate::domain::account::Command;
use crate::domain::document::Document;
use crate::domain::limit::Deed;
use crate::domain::personal::Personal;
use crate::error::Error;
use crate::hashing::Password;
use crate::store::codes::{Answer, Begun, Purpose};

/// A registration whose fields are all right.
#[derive(Debug)]
pub struct Registration {
    /// The document whose number becomes the account's name.
    pub document: Document,
    /// 姓名
    pub name: String,
    /// 手机
    pub phone: String,
    /// 电子邮件; may be empty.
    pub email: String,
    /// The code that was sent to the mail address, and which; without it the address stays unverified.
    pub email_code: Option<(Uuid, String)>,
    /// Which code was sent to the phone.
    pub challenge: Uuid,
    /// The code.
    pub code: String,
    /// As the rule asks.
    pub password: Password,
}

impl Registration {
    fn personal(&self) -> Personal {
        Personal {
            number: self.document.number().to_owned(),
            name: self.name.clone(),
            phone: self.phone.clone(),
            email: self.email.clone(),
            ..Personal::default()
        }
    }
}

impl Handle {
    /// Sends a code to a phone.
    pub async fn send_phone_code(&self, phone: &str) -> Result<Begun, Error> {
        self.send_code(phone, Purpose::Register, Message::RegisterCode).await
    }

    /// Records a code and hands it over; one that nobody took is taken back.
    pub(super) async fn send_code(&self, phone: &str, purpose: Purpose, message: Message) -> Result<Begun, Error> {
        self.limit_account(Deed::SendCode, &self.codes.phone_hash(phone)).await?;
        let (id, code) = (ids::random(), chance::code());
        let begun = self.codes.begin(id, &code, phone, purpose, clock::now()).await?;
        let begun = begun.map_err(|retry_after| Error::TooSoon { retry_after })?;
        if let Err(error) = self.courier.send(id, message, phone, &code).await {
            self.codes.take_back(id).await?;
            return Err(error);
        }
        Ok(begun)
    }

    /// Makes an account, or tells the owner of the one that there is.
    pub async fn register(&self, asked: &Asked, registration: &Registration) -> Result<(), Error> {
        if self.remembered(asked).await?.is_some() {
            return Ok(());
        }
        self.limit_account(Deed::Register, &self.accounts.hash(&registration.document)).await?;
        let place = self.hasher.admit().await?;
        let (challenge, phone) = (registration.challenge, &registration.phone);
        match self.codes.answer_registration(challenge, &registration.code, phone, clock::now()).await? {
            Answer::Right(()) => {}
            Answer::Wrong => return Err(Error::WrongCode),
            Answer::Expired => return self.answered_meanwhile(asked, Error::CodeExpired).await,
        }
        if let Some((challenge, code)) = &registration.email_code {
            match self.codes.answer_email(*challenge, code, &registration.email, clock::now()).await? {
                Answer::Right(()) => {}
                Answer::Wrong => return Err(Error::WrongEmailCode),
                Answer::Expired => return self.answered_meanwhile(asked, Error::EmailCodeExpired).await,
            }
        }
        let password_hash = place.hash(registration.password.clone()).await;
        for _ in 0..TRIES {
            match Box::pin(self.try_to_register(asked, registration, &password_hash)).await {
                Err(Error::Conflict) => {}
                done => return done,
            }
        }
        Err(Error::Conflict)
    }

    async fn try_to_register(
        &self,
        asked: &Asked,
        registration: &Registration,
        password_hash: &str,
    ) -> Result<(), Error> {
        let number_hash = self.accounts.hash(&registration.document);
        let holder = self.accounts.find(&number_hash).await?;
        let loaded = self.accounts.load(holder.unwrap_or_else(ids::random)).await?;
        let key = self.vault.obtain(loaded.person).await?;
        let command = Command::Register {
            document_type: registration.document.kind(),
            number_hash,
            password_hash: password_hash.to_owned(),
            document_table: registration.document.read_by(),
            email_verified: registration.email_code.is_some(),
        };
        let events = decide(&loaded, command)?;
        let personal = registration.personal();
        let mut append = self.append(&loaded, &events, Some((&key, &personal)), &asked.actor);
        append.request = Some(self.request(asked, Vec::new()));
        append.claims.extend((loaded.version == 0).then(|| account_claim(&number_hash)));

        let now = clock::now();
        let Some(mut transaction) = self.codes.spend(registration.challenge, now).await? else {
            return self.answered_meanwhile(asked, Error::CodeExpired).await;
        };
        if let Some((challenge, _)) = &registration.email_code
            && !self.codes.spend_in(&mut transaction, *challenge, now).await?
        {
            return self.answered_meanwhile(asked, Error::EmailCodeExpired).await;
        }
        let appended = self.log.append_in(transaction, append).await?;
        if events.is_empty() && !appended.repeated {
            let owner = loaded.personal(&key)?;
            // Behind the answer, which must not depend on it.
            self.tell_unless(false, Message::AccountExists, owner.phone);
        }
        Ok(())
    }
}
