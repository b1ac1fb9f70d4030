//! Where a person can be reached: asked of identity at the moment of sending, kept nowhere.

use std::fmt;
use std::time::Duration;

use proto::identity::v1::GetContactRequest;
use proto::identity::v1::profiles_client::ProfilesClient;
use service::PeerChannel;
use tonic::{Code, Request};
use uuid::Uuid;

/// Written into the person's own access log.
const PURPOSE: &str = "发送申请进度通知";

/// The service identity, as the keeper of addresses.
#[derive(Debug, Clone)]
pub struct Contacts {
    profiles: ProfilesClient<PeerChannel>,
}

/// How a person is called and reached; empty where there is nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// 姓名
    pub name: String,
    /// 手机
    pub phone: String,
    /// 电子邮件
    pub email: String,
}

/// Why there is no contact.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum ContactError {
    /// There is no such person, or not any more.
    #[error("the person is unknown")]
    Unknown,
    /// Identity does not answer as it should.
    #[error("identity answers {0:?}")]
    Unavailable(Code),
}

impl Contacts {
    /// Through a channel to identity.
    pub fn new(channel: PeerChannel) -> Self {
        Self { profiles: ProfilesClient::new(channel) }
    }

    /// Asks for one person's contact.
    pub async fn get(&self, person: Uuid, timeout: Duration) -> Result<Contact, ContactError> {
        let mut request =
            Request::new(GetContactRequest { person_id: person.to_string(), purpose: PURPOSE.to_owned() });
        request.set_timeout(timeout);
        match self.profiles.clone().get_contact(request).await {
            Ok(answer) => {
                let contact = answer.into_inner();
                Ok(Contact { name: contact.name, phone: contact.phone, email: contact.email })
            }
            Err(status) if status.code() == Code::NotFound => Err(ContactError::Unknown),
            Err(status) => Err(ContactError::Unavailable(status.code())),
        }
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact(…)")
    }
}
