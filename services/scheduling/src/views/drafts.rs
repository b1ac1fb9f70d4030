//! Drafts that wait to be filed, with the agency and the point that they have chosen so far: who would file by a plan.

use std::collections::BTreeMap;

use eventbus::{Event, View, ViewError};
use proto::applications::v1 as applications;
use proto::types::v1::PersonalDataErased;
use sqlx::PgConnection;
use uuid::Uuid;

/// Name of the view.
pub const DRAFTS: &str = "drafts";

/// Fed by applications.
pub struct DraftView;

/// What a page of events leads to: of the drafts from before it, and of those that it begins.
#[derive(Default)]
struct Page {
    begun: BTreeMap<Uuid, Draft>,
    placed: BTreeMap<Uuid, Place>,
    dropped: Vec<Uuid>,
    filed: Vec<(Uuid, Uuid)>,
    erased: Vec<Uuid>,
}

struct Draft {
    person: Uuid,
    certificate: Uuid,
    place: Place,
}

#[derive(Clone, Copy, Default)]
struct Place {
    agency: Option<Uuid>,
    point: Option<Uuid>,
}

#[eventbus::async_trait]
impl View for DraftView {
    fn name(&self) -> &'static str {
        DRAFTS
    }

    fn schema(&self) -> &'static str {
        include_str!("drafts.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["draft"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<applications::DraftStarted>()
            || event.is::<applications::DraftPlaced>()
            || event.is::<applications::DraftDropped>()
            || event.is::<applications::ApplicationSubmitted>()
            || event.is::<PersonalDataErased>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        let mut page = Page::default();
        for event in events {
            page.read(event)?;
        }
        page.write(tx).await?;
        Ok(())
    }
}

impl Page {
    fn read(&mut self, event: &Event) -> Result<(), ViewError> {
        if event.is::<applications::DraftStarted>() {
            let applications::DraftStarted { draft_id, certificate_id, person_id } = event.decode()?;
            let (person, certificate) = (id(event, &person_id)?, id(event, &certificate_id)?);
            self.begun.insert(id(event, &draft_id)?, Draft { person, certificate, place: Place::default() });
        } else if event.is::<applications::DraftPlaced>() {
            let applications::DraftPlaced { draft_id, agency_id, point_id, .. } = event.decode()?;
            let draft = id(event, &draft_id)?;
            let place = Place { agency: chosen(event, &agency_id)?, point: chosen(event, &point_id)? };
            match self.begun.get_mut(&draft) {
                Some(begun) => begun.place = place,
                None => drop(self.placed.insert(draft, place)),
            }
        } else if event.is::<applications::DraftDropped>() {
            let draft = id(event, &event.decode::<applications::DraftDropped>()?.draft_id)?;
            self.begun.remove(&draft);
            self.dropped.push(draft);
        } else if event.is::<applications::ApplicationSubmitted>() {
            let applications::ApplicationSubmitted { person_id, certificate_id, .. } = event.decode()?;
            let of = (id(event, &person_id)?, id(event, &certificate_id)?);
            self.begun.retain(|_, draft| (draft.person, draft.certificate) != of);
            self.filed.push(of);
        } else if event.is::<PersonalDataErased>() {
            let person = id(event, &event.decode::<PersonalDataErased>()?.person_id)?;
            self.begun.retain(|_, draft| draft.person != person);
            self.erased.push(person);
        }
        Ok(())
    }

    async fn write(self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (people, certificates): (Vec<Uuid>, Vec<Uuid>) = self.filed.into_iter().unzip();
        sqlx::query(
            "DELETE FROM draft WHERE draft_id = ANY($1) OR person_id = ANY($2) OR (person_id, certificate_id) IN ( \
                 SELECT * FROM unnest($3::uuid[], $4::uuid[]))",
        )
        .bind(self.dropped)
        .bind(self.erased)
        .bind(people)
        .bind(certificates)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE draft SET agency_id = placed.agency_id, point_id = placed.point_id \
             FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS placed (draft_id, agency_id, point_id) \
             WHERE draft.draft_id = placed.draft_id",
        )
        .bind(self.placed.keys().copied().collect::<Vec<_>>())
        .bind(self.placed.values().map(|place| place.agency).collect::<Vec<_>>())
        .bind(self.placed.values().map(|place| place.point).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO draft (draft_id, certificate_id, person_id, agency_id, point_id) \
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[])",
        )
        .bind(self.begun.keys().copied().collect::<Vec<_>>())
        .bind(self.begun.values().map(|draft| draft.certificate).collect::<Vec<_>>())
        .bind(self.begun.values().map(|draft| draft.person).collect::<Vec<_>>())
        .bind(self.begun.values().map(|draft| draft.place.agency).collect::<Vec<_>>())
        .bind(self.begun.values().map(|draft| draft.place.point).collect::<Vec<_>>())
        .execute(tx)
        .await?;
        Ok(())
    }
}

fn chosen(event: &Event, text: &str) -> Result<Option<Uuid>, ViewError> {
    if text.is_empty() { Ok(None) } else { id(event, text).map(Some) }
}

fn id(event: &Event, text: &str) -> Result<Uuid, ViewError> {
    let incomplete =
        |_| ViewError::Contradiction(format!("{} at position {} is incomplete", event.kind, event.position));
    Uuid::parse_str(text).map_err(incomplete)
}
