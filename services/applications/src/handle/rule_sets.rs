//! Rule sets of provinces: published as events, the next version each time.

use eventlog::{Division, NewEvent};
use lifecycle::ids;
use uuid::Uuid;

use super::{ATTEMPTS, Asked, Handle};
use crate::domain::rules::RuleSet;
use crate::error::Error;
use crate::store::rules::published;

/// Namespace of the streams of rule sets: one for each province, for ever.
const NAMESPACE: Uuid = Uuid::from_u128(0x3d1c_5a90_6f0b_4f7e_9c55_1f0e_7b2a_8d46);

impl Handle {
    /// Publishes the next version of a province's rule set; `render` makes the answer from it. Answer and position.
    pub async fn publish_rules(
        &self,
        asked: &Asked,
        rules: &RuleSet,
        render: fn(u32) -> Vec<u8>,
    ) -> Result<(Vec<u8>, i64), Error> {
        let stream = Uuid::new_v5(&NAMESPACE, rules.province.as_bytes());
        for _ in 0..ATTEMPTS {
            let versions = self.0.log.load(stream).await?.len();
            let version = u32::try_from(versions).unwrap_or(u32::MAX).saturating_add(1);
            let (kind, payload) = published(&RuleSet { version, ..rules.clone() });
            let event = NewEvent {
                event_id: ids::random(),
                kind,
                payload,
                inner: Vec::new(),
                sealed: Vec::new(),
                division: Division::parse(&rules.province).unwrap_or(Division::NONE),
            };
            let expected = i64::try_from(versions).unwrap_or(i64::MAX);
            match self.0.log.append(asked.append(stream, expected, vec![event], render(version), None)).await {
                Ok(appended) => return Ok((appended.answer, appended.position)),
                Err(eventlog::AppendError::VersionConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }
}
