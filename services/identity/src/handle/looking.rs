//! Who looked at whose data: recorded, listed for the person beside their own calls, and the ways in which staff look on purpose.

use audit::{Filter, Record};
use lifecycle::clock;
use uuid::Uuid;

use super::{Details, Handle};
use crate::domain::access::{self, Access, Field};
use crate::domain::account::Rejection;
use crate::domain::document::{Document, DocumentType};
use crate::domain::personal::Personal;
use crate::domain::role::{Division, Role};
use crate::error::Error;
use crate::store::sessions::Kept;

/// What other services see of a person whom they ask about.
const DETAILS: [Field; 5] = [Field::Number, Field::Name, Field::Phone, Field::Email, Field::Particulars];
const CONTACT: [Field; 3] = [Field::Name, Field::Phone, Field::Email];
/// Whether a name is the account's: nothing is shown, and still somebody looked.
const MATCHED: [Field; 2] = [Field::Number, Field::Name];
/// What the helpdesk sees of the holder of a number, masked.
const FOUND: [Field; 3] = [Field::Number, Field::Name, Field::Phone];
const MATCHING: &str = "按证件号码核对账号";
const SETTLING: &str = "办理更换手机号码申请";

/// Who looks, through which service.
#[derive(Clone, Debug)]
pub struct Looking {
    /// Name of the service; this one's own where staff call it.
    pub service: String,
    /// The person behind the call.
    pub viewer: Option<Uuid>,
    /// Their role, where they look as staff.
    pub role: Option<(Role, Division)>,
}

impl Handle {
    /// A service got all that is known of a person.
    pub fn details_seen(&self, looking: Looking, person: Uuid, purpose: &str) {
        self.access_log.record(looking.at(person, DETAILS.to_vec(), purpose));
    }

    /// A service got a person's addresses.
    pub fn contact_seen(&self, looking: Looking, person: Uuid, purpose: &str) {
        self.access_log.record(looking.at(person, CONTACT.to_vec(), purpose));
    }

    /// A service asked whose account has a number.
    pub fn match_seen(&self, looking: Looking, person: Uuid) {
        self.access_log.record(looking.at(person, MATCHED.to_vec(), MATCHING));
    }

    /// A service is about to show a person's data to a member of staff by a grant of theirs, which is looked up in their account.
    pub async fn record_reveal(
        &self,
        looking: Looking,
        grant: Uuid,
        person: Uuid,
        fields: Vec<Field>,
        purpose: &str,
    ) -> Result<(), Error> {
        let unknown = Error::Rejected(Rejection::UnknownGrant);
        let Some(viewer) = looking.viewer else { return Err(unknown) };
        let loaded = self.accounts.load(viewer).await?;
        let grants = loaded.account.registered().map(|account| account.grants.as_slice()).unwrap_or_default();
        let held = grants.iter().find(|held| held.id == grant).ok_or(unknown)?;
        let looking = Looking { role: Some((held.role, held.scope.division)), ..looking };
        self.access_log.record_first(&[looking.at(person, fields, purpose)]).await
    }

    /// Fields of a person in clear, for whoever helps people where this one belongs; the record stands before the answer.
    pub async fn reveal(
        &self,
        viewer: Uuid,
        provinces: &[Division],
        person: Uuid,
        fields: &[Field],
        purpose: &str,
    ) -> Result<Personal, Error> {
        let details = self.look(viewer, provinces, person, fields, purpose).await?;
        Ok(access::reveal(details.personal, fields))
    }

    /// Whose account has a number, for whoever helps people where its holder belongs; the record stands before the answer.
    pub async fn find_person(
        &self,
        viewer: Uuid,
        provinces: &[Division],
        document: &Document,
        purpose: &str,
    ) -> Result<Details, Error> {
        let found = self.accounts.find(&self.accounts.hash(document)).await?;
        self.look(viewer, provinces, found.ok_or(Error::NotFound)?, &FOUND, purpose).await
    }

    /// The helpdesk looks at a person who belongs into one of these provinces.
    async fn look(
        &self,
        viewer: Uuid,
        provinces: &[Division],
        person: Uuid,
        fields: &[Field],
        purpose: &str,
    ) -> Result<Details, Error> {
        let details = self.details(person).await?;
        let belongs = self.belongs(person, details.document_type, &details.personal.number).await?;
        let covering = provinces.iter().find(|own| belongs.iter().any(|division| own.covers(*division)));
        let province = *covering.ok_or(Error::NotFound)?;
        let looking =
            Looking { service: "identity".to_owned(), viewer: Some(viewer), role: Some((Role::Helpdesk, province)) };
        self.access_log.record_first(&[looking.at(person, fields.to_vec(), purpose)]).await?;
        Ok(details)
    }

    /// The helpdesk reads what these people's requests for another phone say; the records stand before the answer.
    pub(super) async fn evidence_seen(
        &self,
        viewer: Uuid,
        people: impl Iterator<Item = (Uuid, Division)>,
    ) -> Result<(), Error> {
        let seen = |(person, division)| {
            let role = Some((Role::Helpdesk, division));
            let looking = Looking { service: "identity".to_owned(), viewer: Some(viewer), role };
            looking.at(person, vec![Field::Evidence], SETTLING)
        };
        self.access_log.record_first(&people.map(seen).collect::<Vec<_>>()).await
    }

    /// Where a person belongs as far as helping them goes, as of now.
    pub(super) async fn belongs(&self, person: Uuid, kind: DocumentType, number: &str) -> Result<Vec<Division>, Error> {
        Ok(access::divisions(&self.filed.divisions(person).await?, kind, number))
    }

    /// The sessions of a person that are still kept, newest first.
    pub async fn sessions_of(&self, person: Uuid) -> Result<Vec<Kept>, Error> {
        Ok(self.sessions.of_person(person).await?)
    }

    /// Who looked at a person's data, newest first.
    pub async fn accesses(&self, person: Uuid, before: Option<i64>, limit: usize) -> Result<Vec<(i64, Access)>, Error> {
        self.access_records.list(person, before, limit).await
    }

    /// What the audit trail says of a person's own calls, newest first.
    pub async fn calls_of(&self, person: Uuid, limit: usize) -> Result<Vec<Record>, Error> {
        let filter = Filter { person: Some(person), ..Filter::default() };
        let records = self.trail.list(&filter, None, limit).await?;
        Ok(records.into_iter().map(|(_, record)| record).collect())
    }
}

impl Looking {
    fn at(self, person: Uuid, fields: Vec<Field>, purpose: &str) -> Access {
        let Self { service, viewer, role } = self;
        Access { person, at: clock::now(), service, viewer, role, fields, purpose: purpose.trim().to_owned() }
    }
}
