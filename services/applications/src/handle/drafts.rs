//! 填写注册信息: drafts from start to submission.

use std::borrow::Cow;

use access::Person;
use eventlog::Division;
use lifecycle::{clock, ids};
use rpc::{Violation, Violations};
use time::{Date, OffsetDateTime};
use uuid::Uuid;
use vault::PersonKey;

use super::Handle;
use crate::domain::calendar::shanghai_date;
use crate::domain::draft::{ChosenPlace, DraftEnd, DraftEvent};
use crate::domain::form::{Checklist, Coded, Gravity, Personal, Problem, Section, check};
use crate::domain::opening::{Windows, closed, outside};
use crate::domain::registration::{Rejection, agreed};
use crate::domain::route::Route;
use crate::domain::text::{AGREEMENT, TextRef};
use crate::domain::values::{CertificateKind, Restriction};
use crate::error::Error;
use crate::store::draft_changes::Changing;
use crate::store::drafts::{Draft, Secret, seal};
use crate::store::record;

/// A draft, opened.
#[derive(Debug)]
pub struct DraftAt {
    /// As it is stored.
    pub draft: Draft,
    /// What is sealed in it.
    pub secret: Secret,
}

/// A saving, and everything that is to be said of the form.
#[derive(Debug)]
pub struct Checked {
    /// The revision that was written.
    pub revision: i32,
    /// All problems, warnings among them.
    pub problems: Vec<Problem>,
}

const NO_DRAFT: Error = Error::NotFound { kind: "draft" };

/// As the log names the caller.
fn of_person(person: Uuid) -> String {
    format!("person:{person}")
}

impl Handle {
    /// Begins a draft, or finds the one that the person has for the certificate.
    pub async fn start_draft(&self, person: &Person, certificate: Uuid) -> Result<Draft, Error> {
        let known = self.0.tables.certificate(certificate).await?;
        if known.is_none_or(|known| known.facts.person != Some(person.id)) {
            self.0.certificates.require()?;
            return Err(Rejection::CertificateUnknown.into());
        }
        let record = record::load(&self.0.log, certificate).await?;
        if let Some(live) = record.state.live() {
            return Err(Rejection::AlreadyApplied { number: live.number }.into());
        }
        if let Some(draft) = self.0.drafts.find_for(person.id, certificate).await? {
            if !record.state.applications.iter().any(|application| application.draft == draft.id) {
                return Ok(draft);
            }
            // Filed, and its application is over: the sweep has not come by yet.
            self.0.drafts.remove_filed(draft.id).await?;
        }
        let secret = self.0.details.fetch(person, certificate).await?;
        let secret = Secret { personal: with_account(Personal::default(), &secret), ..secret };
        let key = self.0.vault.obtain(person.id).await?;
        let (id, revision) = (ids::random(), 1);
        let draft = Draft {
            id,
            person: person.id,
            certificate,
            revision,
            coded: Coded::default(),
            sealed: seal(&key, id, certificate, revision, &secret.encode()),
            agreement: None,
            ticket: None,
            updated_at: clock::now(),
        };
        if let Some(begun) = self.0.drafts.begin_insert(&draft).await? {
            let started = DraftEvent::Started { certificate, person: person.id };
            begun.commit(&started, &of_person(person.id), Division::NONE).await?;
            return Ok(draft);
        }
        // Two devices began at once: the first one's draft stands.
        self.0.drafts.find_for(person.id, certificate).await?.ok_or(NO_DRAFT)
    }

    /// What keeps a certificate from registration now: a draft of it may be filled in, but not submitted.
    pub async fn restriction(&self, certificate: Uuid) -> Result<Option<(Restriction, Option<Date>)>, Error> {
        let facts = self.0.tables.certificate(certificate).await?.map(|known| known.facts);
        Ok(facts.and_then(|facts| Some((facts.restriction?, facts.restricted_until))))
    }

    /// Notes that 网上申报协议 was agreed to.
    pub async fn accept_agreement(&self, person: Uuid, draft: Uuid, text: &TextRef) -> Result<i32, Error> {
        // Where the draft will belong is not chosen yet: a submission asks for what is shown there.
        if !self.is_shown(AGREEMENT, text)? {
            return Err(Rejection::TextChanged { text: AGREEMENT }.into());
        }
        self.0.drafts.accept(draft, person, text, clock::now()).await?.ok_or(NO_DRAFT)
    }

    /// Saves the form, or one page of it, as far as it is filled in; what is saved must be well formed.
    pub async fn save_draft(
        &self,
        person: Uuid,
        draft: Uuid,
        revision: i32,
        page: (Personal, Coded),
        section: Option<Section>,
    ) -> Result<Checked, Error> {
        let DraftAt { mut draft, mut secret } = self.draft(person, draft).await?;
        self.not_filed(&draft).await?;
        if draft.revision != revision {
            return Err(Error::RevisionConflict { actual: draft.revision });
        }
        let before = ChosenPlace::of(&draft.coded);
        match section {
            None => (secret.personal, draft.coded) = page,
            Some(section) => section.replace(page, (&mut secret.personal, &mut draft.coded)),
        }
        secret.personal = with_account(std::mem::take(&mut secret.personal), &secret);
        let place = ChosenPlace::of(&draft.coded);
        let moved = place != before;
        let certificate = self.0.tables.certificate(draft.certificate).await?.ok_or(Rejection::CertificateUnknown)?;
        let problems = self.check(&secret.personal, &draft, certificate.facts.kind).await?;
        // What was saved before may have become unknown since; it stays until its own page is saved.
        let saved_now = |problem: &&Problem| section.is_none() || Section::of(problem.field) == section;
        let malformed = problems.iter().filter(|problem| problem.gravity == Gravity::Malformed).filter(saved_now);
        let malformed: Violations = malformed.cloned().map(violation).collect();
        malformed.into_result().map_err(Error::Invalid)?;
        let key = self.key(person).await?;
        draft.revision += 1;
        draft.sealed = seal(&key, draft.id, draft.certificate, draft.revision, &secret.encode());
        draft.updated_at = clock::now();
        let saved = if moved {
            let change = self.0.drafts.begin_save(&draft).await?;
            self.commit(change, &DraftEvent::Placed(place), &of_person(person)).await?.is_some()
        } else {
            self.0.drafts.save(&draft).await?
        };
        if saved {
            return Ok(Checked { revision: draft.revision, problems });
        }
        match self.0.drafts.find(draft.id, person).await? {
            Some(draft) => Err(Error::RevisionConflict { actual: draft.revision }),
            None => Err(NO_DRAFT),
        }
    }

    /// A person's draft, opened.
    pub async fn draft(&self, person: Uuid, draft: Uuid) -> Result<DraftAt, Error> {
        let draft = self.0.drafts.find(draft, person).await?.ok_or(NO_DRAFT)?;
        let secret = Secret::decode(&draft.open(&self.key(person).await?)?)?;
        Ok(DraftAt { draft, secret })
    }

    /// Everything that still keeps the draft from being submitted now: the form's problems, and what else speaks against it.
    pub async fn check_draft(&self, person: Uuid, draft: Uuid) -> Result<(Vec<Problem>, Vec<Rejection>), Error> {
        let DraftAt { draft, secret } = self.draft(person, draft).await?;
        let (record, certificate) =
            futures::try_join!(async { Ok::<_, Error>(record::load(&self.0.log, draft.certificate).await?) }, async {
                Ok(self.0.tables.certificate(draft.certificate).await?)
            },)?;
        self.require_registers(certificate.as_ref(), &record.state)?;
        let (directory, now) = (self.directory()?, clock::now());
        let (today, rules) = (shanghai_date(now), self.rules_of(&directory, draft.coded.agency)?);
        let facts = certificate.map(|certificate| certificate.facts);
        let eligible = record.state.eligible((person, draft.id), facts, &rules, today);
        let mut against = eligible.err().unwrap_or_default();
        if against.contains(&Rejection::NotFound) {
            return Err(NO_DRAFT);
        }
        let agency = draft.coded.agency.filter(|agency| directory.agencies.contains_key(agency));
        if let Some(agency) = agency {
            let closed = closed(&directory, agency, draft.coded.point, now, draft.ticket);
            against.extend(closed.into_iter().map(Rejection::NotOpen));
        }
        let shown = self.text_of(&directory, agency, AGREEMENT)?;
        against.extend(agreed(draft.agreement.clone(), &shown.reference).err());
        if agency.is_some_and(|agency| Route::of(&directory.chain(agency), &rules).is_none()) {
            against.push(Rejection::NobodyReviews);
        }
        let kind = facts.map_or(CertificateKind::Higher, |facts| facts.kind);
        let mut problems = self.check(&secret.personal, &draft, kind).await?;
        if let Some(warning) = self.second_live_application(person, draft.certificate).await? {
            let (gravity, reason, message) = (Gravity::Warning, warning.reason, warning.sentence.into());
            problems.push(Problem { field: "certificate_id", gravity, reason, message });
        }
        Ok((problems, against))
    }

    /// Whether what was agreed to in a draft is what is shown where it belongs by now.
    pub fn has_agreed(&self, draft: &Draft) -> Result<bool, Error> {
        let shown = self.text_of(self.directory()?.as_ref(), draft.coded.agency, AGREEMENT)?;
        Ok(draft.agreement.as_ref() == Some(&shown.reference))
    }

    /// Takes a ticket for the grace of the window that is open now; until when it admits.
    pub async fn take_grace_ticket(&self, person: Uuid, draft: Uuid) -> Result<OffsetDateTime, Error> {
        let draft = self.0.drafts.find(draft, person).await?.ok_or(NO_DRAFT)?;
        let (directory, now) = (self.directory()?, clock::now());
        let plan = draft.coded.agency.and_then(|agency| directory.agency_plan(agency));
        let windows = plan.map(|plan| plan.windows.clone()).unwrap_or_default();
        let held = |id| draft.ticket.is_some_and(|ticket| ticket.window == id);
        let current = windows.iter().find(|window| window.begin <= now && (now < window.end || held(window.id)));
        let agency = draft.coded.agency.unwrap_or_default();
        let closed = || Error::Rejected(Rejection::NotOpen(outside(Windows::of(&directory, agency, now))));
        let window = current.ok_or_else(closed)?;
        if window.grace_minutes == 0 {
            return Err(Error::NoGrace);
        }
        if self.0.drafts.take_ticket(draft.id, person, window.id, window.end).await? {
            Ok(window.end_with_grace())
        } else {
            Err(closed())
        }
    }

    /// Throws a draft away.
    pub async fn drop_draft(&self, person: Uuid, draft: Uuid) -> Result<(), Error> {
        self.discard(draft, person, DraftEnd::Applicant).await
    }

    pub(super) async fn discard(&self, draft: Uuid, person: Uuid, end: DraftEnd) -> Result<(), Error> {
        let found = self.0.drafts.find(draft, person).await?.ok_or(NO_DRAFT)?;
        self.not_filed(&found).await?;
        let dropping = self.0.drafts.begin_drop(draft, person).await?;
        self.commit(dropping, &DraftEvent::Dropped(end), &of_person(person)).await?.ok_or(NO_DRAFT)
    }

    /// Throws a draft away because the pledge was refused, and says so each time that it is.
    pub(super) async fn refuse_pledge(&self, draft: Uuid, person: Uuid) -> Result<(), Error> {
        match self.discard(draft, person, DraftEnd::PledgeRefused).await {
            Err(Error::NotFound { .. }) if self.0.drafts.pledge_was_refused(draft, person).await? => Ok(()),
            discarded => discarded,
        }
    }

    /// Refused once the draft is filed and the sweep has not come by yet: nobody would ever see what becomes of it.
    async fn not_filed(&self, draft: &Draft) -> Result<(), Error> {
        let record = record::load(&self.0.log, draft.certificate).await?;
        match record.state.applications.iter().find(|application| application.draft == draft.id) {
            None => Ok(()),
            Some(filed) if filed.lives() => Err(Rejection::AlreadyApplied { number: filed.number }.into()),
            Some(_) => Err(NO_DRAFT),
        }
    }

    /// Makes a change with its event; `None` where there was nothing to change.
    pub(super) async fn commit(
        &self,
        change: Option<Changing>,
        event: &DraftEvent,
        actor: &str,
    ) -> Result<Option<()>, Error> {
        let Some(change) = change else { return Ok(None) };
        let agency = change.draft().coded.agency;
        let division = agency.and_then(|agency| self.division(agency).ok()).unwrap_or(Division::NONE);
        Ok(Some(change.commit(event, actor, division).await?))
    }

    async fn check(
        &self,
        personal: &Personal,
        draft: &Draft,
        certificate_kind: CertificateKind,
    ) -> Result<Vec<Problem>, Error> {
        let directory = self.directory()?;
        let rules = self.rules_of(&directory, draft.coded.agency)?;
        let school = self.0.tables.school(draft.coded.school).await?;
        let list = Checklist {
            codes: &self.0.shipped.codes,
            rules: &rules,
            directory: &directory,
            school,
            certificate_kind,
            filed: None,
            today: shanghai_date(clock::now()),
        };
        Ok(check(personal, &draft.coded, &list))
    }

    /// Without a key the person is erased, and all drafts with them.
    async fn key(&self, person: Uuid) -> Result<PersonKey, Error> {
        self.0.vault.find(person).await?.ok_or(NO_DRAFT)
    }
}

/// 手机 and 电子邮件 come from the account where the form leaves them empty.
pub(super) fn with_account(personal: Personal, secret: &Secret) -> Personal {
    let or = |own: String, account: &str| if own.is_empty() { account.to_owned() } else { own };
    Personal {
        mobile: or(personal.mobile, &secret.account_mobile),
        email: or(personal.email, &secret.account_email),
        ..personal
    }
}

/// A problem of the form as the API tells it, with the form's path in front.
pub(super) fn violation(problem: Problem) -> Violation {
    Violation {
        field: Cow::from(format!("form.{}", problem.field)),
        reason: problem.reason.into(),
        sentence: problem.message,
    }
}
