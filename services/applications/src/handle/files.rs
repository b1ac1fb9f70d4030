//! What rows of files ask for: facts over those that are recorded, conclusions beside what the rules propose, and the list of whose
//! facts are due.

use std::collections::HashMap;

use uuid::Uuid;

use super::lists::scope_of;
use super::{Asked, Handle, Key, Render, Situation, Viewer, Wanted};
use crate::domain::assessment::{Assessment, Check, Missing, missing};
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::facts::Facts;
use crate::domain::given::Given;
use crate::domain::registration::{Application, Command, Officer, Order, Phase, Rejection};
use crate::error::Error;
use crate::store::drafts::Secret;
use crate::store::record::{Record, read_text};
use crate::views::applications::Row;
use crate::wire;

/// An application whose facts a school or point records.
#[derive(Debug)]
pub struct FactsDue {
    /// 报名号
    pub number: EnrolmentNumber,
    /// 姓名 without its last character; empty once the person is erased.
    pub masked_name: String,
    /// 注册次数
    pub ordinal: u32,
    /// Years of its cycle; none for a first registration.
    pub years: Vec<i32>,
    /// What is recorded.
    pub facts: Facts,
    /// 备注
    pub note: Option<String>,
    /// What is not, and keeps the point from confirming.
    pub missing: Vec<Missing>,
}

/// What came of a conclusion, beside what the rules propose.
#[derive(Debug)]
pub struct Judged {
    /// What the rules propose; `None` where the application is not the reviewer's to know.
    pub proposal: Option<Assessment>,
    /// The answer.
    pub answer: Result<Vec<u8>, Error>,
}

impl Handle {
    /// The certificates of these numbers, for applications in the officer's scope.
    pub async fn find(
        &self,
        officer: &Officer,
        numbers: &[EnrolmentNumber],
    ) -> Result<HashMap<EnrolmentNumber, Uuid>, Error> {
        let viewer = Viewer { person: officer.person, officer: officer.clone() };
        let scope = scope_of(&viewer, self.directory()?.as_ref());
        Ok(self.0.tables.numbered(&scope, numbers).await?.into_iter().collect())
    }

    /// Records what a row tells of an application over what is recorded, or says what would come of it when `dry`.
    #[expect(clippy::too_many_arguments, reason = "who, which, what and how; a struct would only rename them")]
    pub async fn record_given(
        &self,
        asked: &Asked,
        officer: &Officer,
        key: Key,
        given: &Given,
        note: Option<&str>,
        dry: bool,
        render: Render,
    ) -> Result<Vec<u8>, Error> {
        let viewer = Viewer { person: officer.person, officer: officer.clone() };
        let (record, _) = self.visible(&viewer, key, None).await?;
        let application = record.state.application(key.number).ok_or(Rejection::NotFound)?;
        let merged = |application: &Application| given.over(application.facts.clone().unwrap_or_default());
        check(&merged(application))?;
        let known = self.note_of(&record, application).await?;
        let with_note = note.is_some() && note != known.as_deref();
        let attempt = |now: Situation<'_>| {
            let order = Order { number: key.number, by: officer.clone() };
            let facts = Box::new(merged(now.application));
            Command::RecordFacts { order, facts, seen: None, with_note }.into()
        };
        if dry {
            return self.rehearse(asked, key, render, attempt).await;
        }
        // The newest facts carry the note: one that the row does not tell goes on with them.
        self.act(asked, key, note.or(known.as_deref()), render, attempt).await
    }

    /// Concludes, or says what would come of it when `dry`, beside what the rules propose.
    pub async fn judge(
        &self,
        asked: &Asked,
        officer: &Officer,
        key: Key,
        wanted: &Wanted,
        dry: bool,
        render: Render,
    ) -> Judged {
        let viewer = Viewer { person: officer.person, officer: officer.clone() };
        match self.assess(&viewer, key).await {
            Ok((proposal, _)) => {
                let answer = self.work(asked, officer, key, wanted, dry, render).await;
                Judged { proposal: Some(proposal), answer }
            }
            Err(error) => Judged { proposal: None, answer: Err(error) },
        }
    }

    /// Whose facts are due, of an application in a list; `None` when it is past that by now.
    pub async fn due(&self, row: &Row) -> Result<Option<FactsDue>, Error> {
        let (number, certificate) = (row.number, row.certificate);
        let record = crate::store::record::load(&self.0.log, certificate).await?;
        let pending = |found: &&Application| matches!(found.phase, Phase::Pending { .. });
        let Some(application) = record.state.application(number).filter(pending) else { return Ok(None) };
        let rules = self.rules_of(self.directory()?.as_ref(), Some(application.place.agency))?;
        let check = record.state.check(application, &rules);
        let facts = application.facts.clone().unwrap_or_default();
        let missing = missing(&facts, &rules, &check);
        let years = match check {
            Check::First => Vec::new(),
            Check::Cycle { years, .. } => years,
        };
        let (mut masked_name, mut note) = (String::new(), None);
        if let Some(key) = self.0.vault.find(application.person).await? {
            let form = record.form_entry(number).and_then(|entry| entry.open(&key));
            if let Some(secret) = form.map(|plain| Secret::decode(&plain)).transpose()? {
                masked_name = vault::mask::name(&secret.applicant.name);
            }
            note = self.note_of(&record, application).await?;
        }
        Ok(Some(FactsDue { number, masked_name, ordinal: application.ordinal, years, facts, note, missing }))
    }

    /// 备注 of the newest facts.
    async fn note_of(&self, record: &Record, application: &Application) -> Result<Option<String>, Error> {
        let Some(key) = self.0.vault.find(application.person).await? else { return Ok(None) };
        let entry = record.facts_entry(application.number);
        Ok(entry.and_then(|entry| entry.open(&key)).and_then(|plain| read_text(&plain)))
    }
}

/// Rows that come one after the other add up: what is kept stays within the bounds of a single call.
fn check(facts: &Facts) -> Result<(), Error> {
    let mut violations = rpc::Violations::new();
    for (field, reason) in wire::check_facts(&wire::facts(facts)) {
        violations.add(field, reason, "与已登记的内容合并后超出范围，请核对后重试。");
    }
    violations.into_result().map_err(Error::Invalid)
}
