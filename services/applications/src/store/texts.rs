//! The stored form of a published text.

use prost::{Message as _, Name as _};
use proto::applications::v1::TextPublished;

use crate::domain::text::Text;
use crate::wire;

/// Kind and payload.
pub fn published(text: &Text) -> (String, Vec<u8>) {
    let message = TextPublished { text: Some(wire::text(text)) };
    (TextPublished::full_name(), message.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::text::{AGREEMENT, TextRef};

    /// As the first version of this program wrote it: it stays for ever.
    const GOLDEN: &str = include_str!("text_published.golden.v1.txt");

    #[test]
    fn the_first_version_decodes_for_ever() {
        let text = Text {
            name: AGREEMENT,
            province: Some("32".to_owned()),
            reference: TextRef { version: 2, digest: "ab".repeat(32) },
            body: "协议\n一".into(),
        };
        let (kind, payload) = published(&text);
        assert_eq!(format!("{kind} {}", hex::encode(&payload)), GOLDEN.trim_end());
        let read = TextPublished::decode(payload.as_slice()).unwrap().text.unwrap();
        let said = (read.province.as_str(), read.name.as_str(), read.version, read.body.as_str(), read.modelled);
        assert_eq!(said, ("32", "agreement", 2, "协议\n一", false));
        assert_eq!(read.digest, "ab".repeat(32));
    }
}
