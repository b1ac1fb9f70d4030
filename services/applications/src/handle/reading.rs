//! Reading one application: who may, as of which version, and what is opened for whom.

use lifecycle::clock;
use uuid::Uuid;

use super::{Handle, Key};
use crate::domain::assessment::Assessment;
use crate::domain::calendar::shanghai_date;
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::registration::{Application, Officer, Reader, Rejection};
use crate::domain::rules::RuleRef;
use crate::domain::time_limit::TimeLimit;
use crate::error::Error;
use crate::store::drafts::{Draft, Secret};
use crate::store::record::{self, AsOf, Record, Words, read_text};

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// The person.
    pub person: Uuid,
    /// Their roles; empty for those who have none.
    pub officer: Officer,
}

/// What a viewer sees of an application.
#[derive(Debug)]
pub struct Seen {
    /// The record, as of the version that was asked for.
    pub record: Record,
    /// As whom the viewer sees it.
    pub reader: Reader,
    /// Personal part and details; `None` once the person is erased.
    pub secret: Option<Secret>,
    /// Note of the facts.
    pub note: Option<String>,
    /// 审核期限 as of today, once it is confirmed.
    pub time_limit: Option<TimeLimit>,
    /// Text for the 附页, once it is concluded.
    pub certificate_note: Option<String>,
    /// What is unusual today.
    pub warnings: Vec<Warning>,
    /// What was written, as far as the viewer may read it.
    pub words: Words,
}

/// Something unusual that keeps nobody from anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Stable, `UPPER_SNAKE`.
    pub reason: &'static str,
    /// In Chinese.
    pub sentence: String,
}

impl Handle {
    /// One application, for its applicant and for staff in whose scope it is.
    pub async fn read(&self, viewer: &Viewer, key: Key, as_of: Option<AsOf>) -> Result<Seen, Error> {
        let (record, reader) = self.visible(viewer, key, as_of).await?;
        let application = record.state.application(key.number).ok_or(Rejection::NotFound)?;
        let person_key = self.0.vault.find(application.person).await?;
        let (mut secret, mut note, mut words) = (None, None, Words::new());
        if let Some(person_key) = &person_key {
            let form = record.form_entry(key.number).and_then(|entry| entry.open(person_key));
            secret = form.map(|plain| Secret::decode(&plain)).transpose()?;
            note = record
                .facts_entry(key.number)
                .and_then(|entry| entry.open(person_key))
                .and_then(|plain| read_text(&plain));
            words = record.words(key.number, person_key, reader);
        }
        let warnings = self.second_live_application(application.person, key.certificate).await?.into_iter().collect();
        let (time_limit, certificate_note) = (self.time_limit(application)?, self.certificate_note(application)?);
        Ok(Seen { record, reader, secret, note, time_limit, certificate_note, warnings, words })
    }

    /// 审核期限 of an application as of today.
    pub fn time_limit(&self, application: &Application) -> Result<Option<TimeLimit>, Error> {
        let directory = self.directory()?;
        let rules = self.rules_of(&directory, Some(application.place.agency))?;
        let today = shanghai_date(clock::now());
        Ok(TimeLimit::of(application, &directory, &rules, &self.0.shipped.working_days, today))
    }

    /// What is noted on the certificate, by the rules that were in force then.
    fn certificate_note(&self, application: &Application) -> Result<Option<String>, Error> {
        let Some(record) = application.conclusion() else { return Ok(None) };
        let directory = self.directory()?;
        let rules = match self.rules_of_version(&record.rules) {
            // Of an older version of the national set, whose length of a cycle is the same.
            Err(Error::NotFound { .. }) => self.rules_of(&directory, Some(application.place.agency))?,
            found => found?,
        };
        let last = application.route.step(application.route.last_index());
        let agency = directory.agencies.get(&last.agency).map_or("", |agency| agency.name_on(record.concluded_on));
        Ok(Some(application.note(record, &rules, agency)))
    }

    /// The warning of DOMAIN 2.3: the person has another application under way, for another certificate.
    pub async fn second_live_application(&self, person: Uuid, certificate: Uuid) -> Result<Option<Warning>, Error> {
        let others = self.0.tables.living_elsewhere(person, certificate).await?;
        Ok((others > 0).then(|| Warning {
            reason: "SECOND_LIVE_APPLICATION",
            sentence: format!(
                "申请人另有{others}项在办的定期注册申报（其他证书）；有多本证书的，应选择与现任教学段、学科一致的证书注册，请核对。"
            ),
        }))
    }

    /// The record of an application that the viewer may see now, as it was then, and as whom they do; not found where there
    /// was no such application then.
    pub async fn visible(&self, viewer: &Viewer, key: Key, as_of: Option<AsOf>) -> Result<(Record, Reader), Error> {
        let record = record::load(&self.0.log, key.certificate).await?;
        let application = record.state.application(key.number).ok_or(Rejection::NotFound)?;
        let reader = if application.person == viewer.person {
            Reader::Applicant
        } else {
            let unit = application.admits(&viewer.officer, self.directory()?.as_ref()).ok_or(Rejection::NotFound)?;
            Reader::Staff(unit)
        };
        let record = match as_of {
            Some(as_of) => record.as_of(as_of),
            None => record,
        };
        record.state.application(key.number).ok_or(Rejection::NotFound)?;
        Ok((record, reader))
    }

    /// What was written about an application, as far as somebody may read it; nothing once the person is erased.
    pub async fn words(&self, record: &Record, number: EnrolmentNumber, reader: Reader) -> Result<Words, Error> {
        let application = record.state.application(number).ok_or(Rejection::NotFound)?;
        let key = self.0.vault.find(application.person).await?;
        Ok(key.map(|key| record.words(number, &key, reader)).unwrap_or_default())
    }

    /// The applications of a person, in the order of their submission.
    pub async fn filed_by(&self, person: Uuid) -> Result<Vec<(Uuid, EnrolmentNumber)>, Error> {
        Ok(self.0.tables.filed_by(person).await?)
    }

    /// The drafts of a person, opened.
    pub async fn drafts_of(&self, person: Uuid) -> Result<Vec<(Draft, Secret)>, Error> {
        let Some(key) = self.0.vault.find(person).await? else { return Ok(Vec::new()) };
        let drafts = self.0.drafts.of_person(person).await?.into_iter();
        drafts.map(|draft| Ok((draft.clone(), Secret::decode(&draft.open(&key)?)?))).collect()
    }

    /// Records with identity, for the person to read, that a member of staff sees their data in clear by this grant.
    pub async fn record_reveal(
        &self,
        viewer: &access::Person,
        grant: Uuid,
        person: Uuid,
        purpose: &str,
    ) -> Result<(), Error> {
        self.0.details.record_reveal(viewer, grant, person, purpose).await
    }

    /// How many applications a person has filed, and how many of their events have a sealed part.
    pub async fn sealed_of(&self, person: Uuid) -> Result<(i64, i64), Error> {
        let filed = self.0.tables.filed_by(person).await?;
        let mut sealed = 0;
        for (certificate, number) in &filed {
            let record = record::load(&self.0.log, *certificate).await?;
            sealed += record.entries_of(*number).filter(|entry| !entry.recorded.sealed.is_empty()).count();
        }
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        Ok((count(filed.len()), count(sealed)))
    }

    /// What the recorded facts and the rule set in force lead to.
    pub async fn assess(&self, viewer: &Viewer, key: Key) -> Result<(Assessment, RuleRef), Error> {
        let (record, _) = self.visible(viewer, key, None).await?;
        let application = record.state.application(key.number).ok_or(Rejection::NotFound)?;
        let rules = self.rules_of(self.directory()?.as_ref(), Some(application.place.agency))?;
        let certificate = self.0.tables.certificate(key.certificate).await?;
        let restriction = certificate.and_then(|certificate| certificate.facts.restriction);
        Ok((record.state.assess(application, &rules, restriction), rules.reference()))
    }
}
