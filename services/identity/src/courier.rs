//! Hands one-time codes, and what stands in their place, to the service notifications; nothing of it is kept here.

use std::time::Duration;

use proto::notifications::v1::secrets_client::SecretsClient;
use proto::notifications::v1::{Channel, DeliverRequest};
use service::PeerChannel;
use tonic::Request;
use uuid::Uuid;

use crate::error::Error;

/// How long a code may take to be handed over: a person waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A message that goes to a phone or a mail address at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The code of a registration.
    RegisterCode,
    /// The code of a sign-in.
    SignInCode,
    /// Somebody tried to register a number that has an account.
    AccountExists,
    /// The code of a recovery.
    RecoveryCode,
    /// The link of a recovery.
    RecoveryLink,
    /// The code of a new phone.
    NewPhoneCode,
    /// The code of a mail address.
    EmailCode,
    /// The password was changed.
    PasswordChanged,
    /// Another phone took this one's place.
    PhoneChanged,
    /// The mail address was changed.
    EmailChanged,
    /// Somebody has asked the helpdesk to put another phone in this one's place.
    PhoneFixRequested,
    /// The same, to the mail address.
    PhoneFixRequestedMail,
    /// The helpdesk has put this phone in.
    PhoneFixApproved,
    /// The helpdesk has refused to put this phone in.
    PhoneFixRefused,
    /// A WeChat was bound.
    WechatBound,
    /// The WeChat was unbound.
    WechatUnbound,
}

/// The way to notifications. Clones share it.
#[derive(Clone, Debug)]
pub struct Courier {
    client: SecretsClient<PeerChannel>,
}

impl Courier {
    /// Through this channel.
    pub fn new(channel: PeerChannel) -> Self {
        Self { client: SecretsClient::new(channel) }
    }

    /// Sends a message to a phone, or to the mail address that its kind goes to; `id` makes it arrive once. An error says
    /// that it was not taken.
    pub async fn send(&self, id: Uuid, message: Message, address: &str, secret: &str) -> Result<(), Error> {
        let deliver = DeliverRequest {
            request_id: id.to_string(),
            channel: message.channel().into(),
            address: address.to_owned(),
            template: message.template().to_owned(),
            secret: secret.to_owned(),
        };
        let mut request = Request::new(deliver);
        request.set_timeout(PATIENCE);
        self.client.clone().deliver(request).await.map(drop).map_err(|status| {
            // The status of another service may quote what it was sent: only its code is logged.
            tracing::warn!(code = ?status.code(), ?message, "notifications did not take a message");
            Error::NotDelivered
        })
    }
}

impl Message {
    const fn template(self) -> &'static str {
        match self {
            Self::RegisterCode => "register_code",
            Self::SignInCode => "sign_in_code",
            Self::AccountExists => "account_exists",
            Self::RecoveryCode => "recovery_code",
            Self::RecoveryLink => "recovery_link",
            Self::NewPhoneCode => "new_phone_code",
            Self::EmailCode => "email_code",
            Self::PasswordChanged => "password_changed",
            Self::PhoneChanged => "phone_changed",
            Self::EmailChanged => "email_changed",
            Self::PhoneFixRequested => "phone_fix_requested",
            Self::PhoneFixRequestedMail => "phone_fix_requested_mail",
            Self::PhoneFixApproved => "phone_fix_approved",
            Self::PhoneFixRefused => "phone_fix_refused",
            Self::WechatBound => "wechat_bound",
            Self::WechatUnbound => "wechat_unbound",
        }
    }

    const fn channel(self) -> Channel {
        match self {
            Self::EmailCode | Self::RecoveryLink | Self::PhoneFixRequestedMail => Channel::Mail,
            Self::RegisterCode
            | Self::SignInCode
            | Self::AccountExists
            | Self::RecoveryCode
            | Self::NewPhoneCode
            | Self::PasswordChanged
            | Self::PhoneChanged
            | Self::EmailChanged
            | Self::PhoneFixRequested
            | Self::PhoneFixApproved
            | Self::PhoneFixRefused
            | Self::WechatBound
            | Self::WechatUnbound => Channel::Sms,
        }
    }
}
