//! The ways by which a message reaches a person.

/// A way to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// 站内消息: shown in the portal as soon as it is recorded.
    Inbox,
    /// 邮件
    Mail,
    /// 短信
    Sms,
}

impl Channel {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Inbox, Self::Mail, Self::Sms];

    /// Its name in templates and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Mail => "mail",
            Self::Sms => "sms",
        }
    }

    /// The channel of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }
}
