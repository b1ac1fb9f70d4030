//! 提交申报, the path that must never fail: one loaded batch, one decision, one append; no other service is called.

use decider::Decider as _;
use eventlog::{Append, AppendError, Division};
use lifecycle::{clock, ids};
use uuid::Uuid;

use super::{ATTEMPTS, Asked, Done, Handle, Key, Render};
use crate::domain::calendar::shanghai_date;
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::form::{Checklist, Gravity, check};
use crate::domain::opening::{Windows, admit, outside};
use crate::domain::registration::{Command, Event, Prior, Registration, Registrations, Rejection, Standing, Submit};
use crate::domain::route::Route;
use crate::domain::text::{AGREEMENT, PLEDGE, TextRef};
use crate::domain::values::{CertificateKind, Status, Turn};
use crate::error::Error;
use crate::store::drafts::Secret;
use crate::store::filing::Filing;
use crate::store::record::new_event;
use crate::views::certificates::Certificate;

/// 个人承诺书: the text that was shown, and the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pledge {
    /// 同意
    pub accepted: bool,
    /// What was shown.
    pub text: TextRef,
}

/// What is submitted.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Who.
    pub person: Uuid,
    /// Their draft.
    pub draft: Uuid,
    /// The revision that was confirmed.
    pub revision: i32,
    /// The answer to the pledge.
    pub pledge: Pledge,
}

impl Handle {
    /// Files a draft; the answer comes after the commit.
    pub async fn submit(&self, asked: &Asked, submission: Submission, render: Render) -> Result<Vec<u8>, Error> {
        if !submission.pledge.accepted {
            self.refuse_pledge(submission.draft, submission.person).await?;
            return Err(Rejection::PledgeRefused.into());
        }
        let mut number = None;
        let submitted = self.submit_once_more(asked, &submission, render, &mut number).await;
        if let Some(number) = number {
            self.0.serials.give_back(number);
        }
        self.or_remembered(asked, submitted).await
    }

    /// `number` keeps what was taken and is certainly not recorded.
    async fn submit_once_more(
        &self,
        asked: &Asked,
        submission: &Submission,
        render: Render,
        number: &mut Option<EnrolmentNumber>,
    ) -> Result<Vec<u8>, Error> {
        for _ in 0..ATTEMPTS {
            let filing = self.0.filings.load(submission.draft, submission.person).await?;
            let filing = filing.ok_or(Error::NotFound { kind: "draft" })?;
            match self.file(asked, submission, filing, render, number).await {
                Err(Error::Conflict) => {}
                other => return other,
            }
        }
        Err(Error::Conflict)
    }

    /// Refused while this replica has not seen all certificates, or a prior registration is on its way to the record.
    pub(super) fn require_registers(
        &self,
        certificate: Option<&Certificate>,
        record: &Registration,
    ) -> Result<(), Error> {
        let known = match certificate {
            Some(certificate) => {
                let recorded: Vec<Standing> = record.prior.iter().map(Prior::standing).collect();
                certificate.priors.iter().all(|told| recorded.contains(told))
            }
            None => self.0.certificates.ready(),
        };
        if known { Ok(()) } else { Err(Error::NotReady) }
    }

    async fn file(
        &self,
        asked: &Asked,
        submission: &Submission,
        filing: Filing,
        render: Render,
        number: &mut Option<EnrolmentNumber>,
    ) -> Result<Vec<u8>, Error> {
        let Filing { draft, beginning_untold, certificate, school, record, version, key } = filing;
        if submission.revision != draft.revision {
            return Err(Error::RevisionConflict { actual: draft.revision });
        }
        let directory = self.directory()?;
        if self.text_of(&directory, draft.coded.agency, PLEDGE)?.reference != submission.pledge.text {
            return Err(Rejection::TextChanged { text: PLEDGE }.into());
        }
        self.require_registers(certificate.as_ref(), &record)?;
        // Without a key the person is erased, and the draft with them.
        let key = key.ok_or(Error::NotFound { kind: "draft" })?;
        let plain = draft.open(&key)?;
        let secret = Secret::decode(&plain)?;
        let rules = self.rules_of(&directory, draft.coded.agency)?;
        let now = clock::now();
        let today = shanghai_date(now);

        let kind = certificate.as_ref().map_or(CertificateKind::Higher, |certificate| certificate.facts.kind);
        let list = Checklist {
            codes: &self.0.shipped.codes,
            rules: &rules,
            directory: &directory,
            school,
            certificate_kind: kind,
            filed: None,
            today,
        };
        let mut problems = check(&secret.personal, &draft.coded, &list);
        problems.retain(|problem| problem.gravity != Gravity::Warning);
        let place = match draft.coded.place() {
            Some(place) if problems.is_empty() => place,
            _ => return Err(Error::Invalid(problems.into_iter().map(super::drafts::violation).collect())),
        };

        let agency = directory.agencies.get(&place.agency).ok_or(Error::NotReady)?;
        let division = Division::parse(&agency.division).unwrap_or(Division::NONE);
        let taken = match *number {
            Some(number) => number,
            None => self.0.serials.take(today.year(), &agency.division).await?,
        };
        *number = Some(taken);
        let submit = Submit {
            number: taken,
            person: submission.person,
            draft: draft.id,
            certificate: certificate.map(|certificate| certificate.facts),
            form: draft.coded,
            place,
            admission: admit(&directory, place.agency, place.point, now, draft.ticket),
            agreement: draft.agreement,
            shown_agreement: self.text_of(&directory, Some(place.agency), AGREEMENT)?.reference.clone(),
            pledge: Some(submission.pledge.text.clone()),
            route: Route::of(&directory.chain(place.agency), &rules),
            rules,
            today,
        };
        let (opening, closing) =
            submit.admission.as_ref().ok().map(|admission| (admission.opening, admission.closing)).unzip();
        let mut events = Registrations::decide(&record, Command::Submit(Box::new(submit)))?;
        let Some(event @ Event::ApplicationSubmitted(_)) = events.pop() else { return Err(Error::Conflict) };
        let Event::ApplicationSubmitted(submitted) = &event else { return Err(Error::Conflict) };

        let certificate = draft.certificate;
        let answer = render(&Done {
            key: Key { certificate, number: taken },
            version: version + 1,
            ordinal: submitted.ordinal,
            status: Status::Pending,
            level: None,
            turn: Turn::School,
            conclusion: None,
        });
        let event = new_event(certificate, version + 1, event, ids::random(), division, Some((&key, &plain)));
        if beginning_untold {
            // Whoever counts drafts must hear that one was begun before it hears that it is filed.
            let told = Box::pin(self.0.drafts.tell_of(&self.0.log, draft.id)).await?;
            told.failure.map_or(Ok(()), Err)?;
        }
        let append = asked.append(certificate, version, vec![event], answer, closing);
        match self.0.log.append(Append { not_before: opening, ..append }).await {
            Ok(appended) => {
                if !appended.repeated {
                    *number = None;
                }
                Ok(appended.answer)
            }
            Err(AppendError::TooEarly { now, .. } | AppendError::TooLate { now, .. }) => {
                Err(Rejection::NotOpen(outside(Windows::of(&directory, place.agency, now))).into())
            }
            Err(AppendError::Unavailable) => {
                // It may have been recorded: the number is not given to anybody else.
                *number = None;
                Err(AppendError::Unavailable.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}
