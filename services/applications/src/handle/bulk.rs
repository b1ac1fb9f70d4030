//! What is wanted of many applications at once: each is a command of its own, decided and recorded by itself.

use uuid::Uuid;

use super::{Asked, Attempt, Handle, Key, Render, Situation};
use crate::domain::registration::{Command, Officer, Order};
use crate::domain::values::Conclusion;
use crate::error::Error;

/// Applications of one call, and rows of one file.
pub const MOST_ITEMS: usize = 1_000;
/// Those of one call that are in hand at a time: they share the commits of the log and leave room for others.
pub const AT_ONCE: usize = 16;

/// What is wanted of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// 确认, of this version of the form where one is named.
    Confirm(Option<u32>),
    /// 退回, for this reason.
    Return(String),
    /// 审核通过, with this opinion; may be empty.
    Pass(String),
    /// 作出注册结论, for this reason; may be empty.
    Conclude(Conclusion, String),
}

impl Wanted {
    /// The id of this item within a call: the same call has the same effect on the same application.
    pub fn request_id(&self, call: Uuid, key: Key) -> Uuid {
        let kind = match self {
            Self::Confirm(_) => "confirm",
            Self::Return(_) => "return",
            Self::Pass(_) => "pass",
            Self::Conclude(..) => "conclude",
        };
        Uuid::new_v5(&call, format!("{kind}/{}/{}", key.certificate, key.number).as_bytes())
    }

    fn text(&self) -> &str {
        match self {
            Self::Confirm(_) => "",
            Self::Return(text) | Self::Pass(text) | Self::Conclude(_, text) => text,
        }
    }

    fn attempt(&self, order: Order, now: Situation<'_>) -> Attempt {
        match self {
            Self::Confirm(form_version) => Attempt {
                not_after: now.assignment.map(|assignment| assignment.end),
                command: Command::Confirm {
                    order,
                    form_version: *form_version,
                    now: now.now,
                    assignment: now.assignment,
                    certificate: now.certificate,
                    rules: now.rules,
                },
            },
            Self::Return(_) => Command::Return { order }.into(),
            Self::Pass(_) => Command::Pass { order, certificate: now.certificate }.into(),
            Self::Conclude(conclusion, reason) => Command::Conclude {
                order,
                conclusion: *conclusion,
                with_reason: !reason.is_empty(),
                today: now.today,
                certificate: now.certificate,
                rules: now.rules,
            }
            .into(),
        }
    }
}

impl Handle {
    /// Does what an officer wants of one application, or says what would come of it when `dry`.
    pub async fn work(
        &self,
        asked: &Asked,
        officer: &Officer,
        key: Key,
        wanted: &Wanted,
        dry: bool,
        render: Render,
    ) -> Result<Vec<u8>, Error> {
        let attempt = |now: Situation<'_>| wanted.attempt(Order { number: key.number, by: officer.clone() }, now);
        if dry {
            return self.rehearse(asked, key, render, attempt).await;
        }
        self.act(asked, key, Some(wanted.text()), render, attempt).await
    }
}
