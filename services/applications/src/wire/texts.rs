//! Texts as messages.

use proto::applications::v1 as wire;

use crate::domain::text::Text;

/// A text that is shown.
pub fn text(text: &Text) -> wire::Text {
    wire::Text {
        name: text.name.to_owned(),
        version: i32::try_from(text.reference.version).unwrap_or(i32::MAX),
        digest: text.reference.digest.clone(),
        body: text.body.to_string(),
        province: text.province.clone().unwrap_or_default(),
        modelled: text.province.is_none(),
    }
}
