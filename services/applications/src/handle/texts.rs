//! Texts to read and agree to: which one is shown where, and the next version of a province's own.

use std::sync::Arc;

use uuid::Uuid;

use super::publishing::Publication;
use super::{Asked, Handle};
use crate::domain::directory::Directory;
use crate::domain::text::{Text, TextRef};
use crate::error::Error;
use crate::shipped::digest;
use crate::store::texts::published;

/// Namespace of the streams of texts: one for each province and name, for ever.
const NAMESPACE: Uuid = Uuid::from_u128(0x5b0e_71c4_92f3_4d1a_8e67_0c3d_a5f1_7b29);

impl Handle {
    /// What is shown in a province: its newest version, or ours.
    pub fn text(&self, province: &str, name: &'static str) -> Result<Arc<Text>, Error> {
        let book = self.0.texts.require()?;
        let ours = || self.0.shipped.text(name);
        book.find(province, name).or_else(ours).cloned().ok_or(Error::NotFound { kind: "text" })
    }

    /// What is shown to those who file with an agency.
    pub fn text_of(&self, directory: &Directory, agency: Option<Uuid>, name: &'static str) -> Result<Arc<Text>, Error> {
        self.text(agency.and_then(|agency| directory.province_of(agency)).unwrap_or_default(), name)
    }

    /// Whether this is what some province, or all that have none of their own, are shown.
    pub fn is_shown(&self, name: &'static str, reference: &TextRef) -> Result<bool, Error> {
        let ours = self.0.shipped.text(name).is_some_and(|text| text.reference == *reference);
        Ok(ours || self.0.texts.require()?.shows(name, reference))
    }

    /// Publishes the next version of a province's text; `render` makes the answer from it. Answer and position.
    pub async fn publish_text(
        &self,
        asked: &Asked,
        province: &str,
        name: &'static str,
        body: &str,
        render: fn(&TextRef) -> Vec<u8>,
    ) -> Result<(Vec<u8>, i64), Error> {
        let stream = Uuid::new_v5(&NAMESPACE, format!("{province}/{name}").as_bytes());
        let next = |version| {
            let reference = TextRef { version, digest: digest(body) };
            let answer = render(&reference);
            let text = Text { name, province: Some(province.to_owned()), reference, body: body.into() };
            Publication { event: published(&text), answer }
        };
        self.publish(asked, stream, province, next).await
    }
}
