//! SMS: files in a folder, until a provider is chosen.

use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use super::folder::Folder;
use super::{SendError, ShortMessage};
use crate::settings::Settings;

/// The way by which SMS leave.
#[derive(Debug)]
pub struct Sms {
    folder: Folder,
}

/// One file.
#[derive(Serialize)]
struct File<'a> {
    to: &'a str,
    template: &'a str,
    text: &'a str,
    time: String,
}

impl Sms {
    pub(super) fn open(settings: &Settings) -> Result<Self, String> {
        let path = settings.sms_dir.as_ref().ok_or("DINGZHU_SMS_DIR is not set")?;
        Ok(Self { folder: Folder::open(path)? })
    }

    /// Hands over one message.
    pub async fn send(&self, message: &ShortMessage) -> Result<(), SendError> {
        let file = File {
            to: message.to.as_str(),
            template: &message.template,
            text: &message.text,
            time: message.at.format(&Rfc3339).expect("a time of this era can be written"),
        };
        let bytes = serde_json::to_vec(&file).expect("text can be written as JSON");
        let put = self.folder.put(message.id, message.at, "json", bytes).await;
        put.map_err(|error| SendError::Failed(format!("SMS_FOLDER_{:?}", error.kind())))
    }
}
