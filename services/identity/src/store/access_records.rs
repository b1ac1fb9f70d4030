//! Records of who looked at whose data: inserted many at a time, the purpose sealed under the person's key.

use std::collections::HashMap;

use audit::Target;
use lifecycle::ids;
use proto::identity::v1::{PersonField, Role as ProtoRole};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;
use vault::{PersonKey, Vault};

use super::account_event::{role, role_code};
use crate::domain::access::{Access, Field};
use crate::domain::role::Division;
use crate::error::Error;

/// The records. Clones share them.
#[derive(Clone, Debug)]
pub struct AccessRecords {
    pool: PgPool,
    vault: Vault,
}

#[derive(sqlx::FromRow)]
struct Row {
    sequence: i64,
    record_id: Uuid,
    person: Uuid,
    looked_at: OffsetDateTime,
    service: String,
    viewer: Option<Uuid>,
    role: Option<i32>,
    division: Option<String>,
    fields: Vec<i32>,
    purpose: Vec<u8>,
}

impl AccessRecords {
    /// Over the service's own database and keys.
    pub fn new(pool: PgPool, vault: Vault) -> Self {
        Self { pool, vault }
    }

    /// A person's records before a place, newest first, each with its place; a purpose that no longer opens is empty.
    pub async fn list(&self, person: Uuid, before: Option<i64>, limit: usize) -> Result<Vec<(i64, Access)>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT sequence, record_id, person, looked_at, service, viewer, role, division, fields, purpose \
             FROM access_record WHERE person = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT $3",
        )
        .bind(person)
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        let key = self.vault.find(person).await?;
        Ok(rows.into_iter().map(|row| (row.sequence, row.read(key.as_ref()))).collect())
    }
}

impl Target for AccessRecords {
    type Record = Access;
    type Failure = Error;
    const NAME: &'static str = "record of access";

    async fn insert(&self, accesses: &[Access]) -> Result<(), Error> {
        let people: Vec<Uuid> = accesses.iter().map(|access| access.person).collect();
        let keys = self.vault.find_all(&people).await?;
        let ids: Vec<Uuid> = accesses.iter().map(|_| ids::random()).collect();
        let purposes: Vec<Vec<u8>> =
            accesses.iter().zip(&ids).map(|(access, id)| sealed_purpose(access, *id, &keys)).collect();
        // Arrays of arrays must be rectangular: the fields travel as text.
        let fields: Vec<String> = accesses.iter().map(|access| array(&access.fields)).collect();
        sqlx::query(
            "INSERT INTO access_record (record_id, person, looked_at, service, viewer, role, division, fields, purpose) \
             SELECT record_id, person, looked_at, service, viewer, role, division, fields::integer[], purpose \
             FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::uuid[], $6::integer[], $7::text[], \
                 $8::text[], $9::bytea[]) WITH ORDINALITY AS new \
                 (record_id, person, looked_at, service, viewer, role, division, fields, purpose, n) ORDER BY n",
        )
        .bind(&ids)
        .bind(&people)
        .bind(accesses.iter().map(|access| access.at).collect::<Vec<_>>())
        .bind(accesses.iter().map(|access| access.service.as_str()).collect::<Vec<_>>())
        .bind(accesses.iter().map(|access| access.viewer).collect::<Vec<_>>())
        .bind(accesses.iter().map(|access| access.role.map(|(role, _)| role_code(role).into())).collect::<Vec<Option<i32>>>())
        .bind(accesses.iter().map(|access| access.role.map(|(_, division)| division.as_str().to_owned())).collect::<Vec<_>>())
        .bind(fields)
        .bind(purposes)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

impl Row {
    fn read(self, key: Option<&PersonKey>) -> Access {
        let place = vault::binding(self.record_id, self.person, 0);
        let purpose = key.and_then(|key| key.open(&self.purpose, &place));
        let known = self.role.and_then(|number| role(ProtoRole::try_from(number).ok()?));
        Access {
            person: self.person,
            at: self.looked_at,
            service: self.service,
            viewer: self.viewer,
            role: known.zip(self.division.as_deref().and_then(Division::parse)),
            fields: self.fields.into_iter().filter_map(|number| field(PersonField::try_from(number).ok()?)).collect(),
            purpose: purpose.map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default(),
        }
    }
}

fn sealed_purpose(access: &Access, id: Uuid, keys: &HashMap<Uuid, PersonKey>) -> Vec<u8> {
    let key = keys.get(&access.person);
    key.map(|key| key.seal(access.purpose.as_bytes(), &vault::binding(id, access.person, 0))).unwrap_or_default()
}

fn array(fields: &[Field]) -> String {
    let numbers: Vec<String> = fields.iter().map(|field| i32::from(field_code(*field)).to_string()).collect();
    format!("{{{}}}", numbers.join(","))
}

/// The field of the API.
pub fn field_code(field: Field) -> PersonField {
    match field {
        Field::Number => PersonField::Number,
        Field::Name => PersonField::Name,
        Field::Phone => PersonField::Phone,
        Field::Email => PersonField::Email,
        Field::Particulars => PersonField::Particulars,
        Field::Form => PersonField::Form,
        Field::Evidence => PersonField::Evidence,
    }
}

/// The field of this number in the API.
pub fn field(code: PersonField) -> Option<Field> {
    Field::ALL.into_iter().find(|known| field_code(*known) == code)
}
