//! Which command leads to which events (DOMAIN 2.3, line by line), and which is refused.

use crate::domain::assessment::{Assessment, Circumstances, Proposal, assess, missing};
use crate::domain::calendar::shanghai_date;
use crate::domain::directory::Assignment;
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::facts::Facts;
use crate::domain::registration::command::{Amend, CertificateFacts, Command, ConclusionFact, Officer, Order, Submit};
use crate::domain::registration::event::{Amended, Concluded, Event, Submitted, Unit};
use crate::domain::registration::filing::{Ordinal, ordinal};
use crate::domain::registration::rejection::Rejection;
use crate::domain::registration::state::{Application, ConclusionRecord, Mending, Phase, Prior, Registration};
use crate::domain::rules::RuleSet;
use crate::domain::text::{AGREEMENT, TextRef};
use crate::domain::values::{CertificateKind, Conclusion, Restriction};

type Decision = Result<Vec<Event>, Rejection>;

pub(super) fn decide(record: &Registration, command: Command) -> Decision {
    match command {
        Command::RecordPrior(prior) if record.knows(&prior) => Ok(Vec::new()),
        Command::RecordPrior(prior) => one(Event::PriorRegistrationRecorded(prior)),
        Command::Merge { into } => one(Event::RecordMerged { into }),
        Command::Submit(submit) => record.submit(*submit),
        Command::Amend(amend) => record.amend(*amend),
        // At any time: after the point's dates nothing else would be left to do with it, and it would keep the next one out for ever.
        Command::Withdraw { number, person } => {
            record.own(number, person)?.pending()?;
            one(Event::ApplicationWithdrawn(number))
        }
        Command::RecordFacts { order, facts, seen, with_note } => {
            let application = record.find(order.number)?;
            let by = Some(application.may_record_facts(&order.by)?);
            if application.facts.as_ref().unwrap_or(&Facts::default()) == facts.as_ref() && !with_note {
                return Ok(Vec::new());
            }
            if seen.is_some_and(|seen| seen < application.facts_version) {
                return Err(Rejection::FactsChanged);
            }
            one(Event::FactsRecorded { number: order.number, facts, by })
        }
        Command::Confirm { order, form_version, now, assignment, certificate, rules } => {
            let application = record.at_point(&order)?;
            if application.pending()? == Some(Mending::Refused) {
                return Err(Rejection::ConfirmationRefused);
            }
            application.not_merged()?;
            begun_and_not_ended(assignment, now)?;
            application.registrable(certificate)?;
            if form_version.is_some_and(|seen| seen != application.form_version) {
                return Err(Rejection::FormChanged);
            }
            record.facts_complete(application, &rules)?;
            let (point, level) = (application.place.point, application.route.step(0).level);
            let rules = Some(rules.reference());
            one(Event::ApplicationConfirmed { number: order.number, point, level, rules })
        }
        Command::RefuseConfirmation { order } => {
            let application = record.at_point(&order)?;
            application.pending()?;
            one(Event::ConfirmationRefused { number: order.number, point: application.place.point })
        }
        Command::Return { order } => {
            let application = record.find(order.number)?;
            let by_liaison = order.by.schools.contains(&application.place.school);
            if !by_liaison && !order.by.points.contains(&application.place.point) {
                return Err(Rejection::NotFound);
            }
            match application.phase {
                Phase::Confirmed { decided: false, .. } => {
                    one(Event::ApplicationReturned { number: order.number, by_liaison })
                }
                Phase::Confirmed { decided: true, .. } => Err(Rejection::TooLate),
                Phase::Pending { .. } | Phase::Concluded(_) | Phase::Withdrawn => Err(application.wrong_state()),
            }
        }
        Command::Pass { order, certificate } => {
            let (application, step) = record.in_review(&order)?;
            application.not_merged()?;
            application.registrable(certificate)?;
            if step == application.route.last_index() {
                return Err(Rejection::LastLevel);
            }
            let level = |step| application.route.step(step).level;
            one(Event::ReviewPassed { number: order.number, level: level(step), next: level(step + 1) })
        }
        Command::SendBack { order } => {
            let (application, step) = record.in_review(&order)?;
            let level = |step| application.route.step(step).level;
            one(Event::ReviewSentBack { number: order.number, level: level(step), to: step.checked_sub(1).map(level) })
        }
        Command::Conclude { order, conclusion, with_reason, today, certificate, rules } => {
            let (application, step) = record.in_review(&order)?;
            if step != application.route.last_index() {
                return Err(Rejection::NotLastLevel);
            }
            application.not_merged()?;
            if conclusion == Conclusion::Qualified {
                application.registrable(certificate)?;
            }
            let restriction = certificate.and_then(|certificate| certificate.restriction);
            let assessment = record.assess(application, &rules, restriction);
            let agrees = agrees(conclusion, assessment.proposal);
            if agrees == Some(false) && !with_reason {
                return Err(Rejection::ReasonRequired);
            }
            one(Event::ApplicationConcluded(Box::new(Concluded {
                number: order.number,
                ordinal: application.ordinal,
                conclusion,
                on: today,
                rules: rules.reference(),
                level: application.route.step(step).level,
                articles: if agrees == Some(true) { assessment.articles.clone() } else { Vec::new() },
                assessment,
            })))
        }
        Command::RecordConclusionFact { order, fact, now, rules } => {
            let (application, conclusion) = record.concluded(&order)?;
            let number = order.number;
            let out_of_order = || Err(application.wrong_state());
            match fact {
                ConclusionFact::PublicityBegun { .. } if conclusion.publicity_begun_at.is_some() => {
                    Err(Rejection::AlreadySo)
                }
                ConclusionFact::PublicityBegun { until: Some(until), at_least } if until < at_least => {
                    Err(Rejection::PublicityTooShort { at_least })
                }
                ConclusionFact::PublicityBegun { until, .. } => {
                    one(Event::PublicityBegun { number, at: now, until, rules: Some(rules) })
                }
                ConclusionFact::PublicityEnded if conclusion.publicity_ended_at.is_some() => Err(Rejection::AlreadySo),
                ConclusionFact::PublicityEnded if conclusion.publicity_begun_at.is_none() => out_of_order(),
                ConclusionFact::PublicityEnded => {
                    let until = conclusion.publicity_until;
                    if until.is_some_and(|until| shanghai_date(now) <= until) {
                        return Err(Rejection::PublicityNotOver { until });
                    }
                    settled(conclusion)?;
                    one(Event::PublicityEnded { number, at: now })
                }
                ConclusionFact::ObjectionRecorded if conclusion.objection_open => Err(Rejection::AlreadySo),
                ConclusionFact::ObjectionRecorded => one(Event::ObjectionRecorded(number)),
                ConclusionFact::ObjectionSettled if !conclusion.objection_open => out_of_order(),
                ConclusionFact::ObjectionSettled => one(Event::ObjectionSettled(number)),
                ConclusionFact::NotePrinted if conclusion.note_printed => Err(Rejection::AlreadySo),
                ConclusionFact::NotePrinted => {
                    settled(conclusion)?;
                    if conclusion.publicity_begun_at.is_some() && conclusion.publicity_ended_at.is_none() {
                        return Err(Rejection::PublicityNotOver { until: conclusion.publicity_until });
                    }
                    one(Event::CertificateNotePrinted(number))
                }
            }
        }
        Command::ProposeReversal { order, revoke, file_reference } => {
            let (application, conclusion) = record.reversible(&order)?;
            if conclusion.conclusion == Conclusion::Revoked || revoke && conclusion.conclusion != Conclusion::Qualified
            {
                return Err(application.wrong_state());
            }
            one(Event::ReversalProposed { number: order.number, revoke, by: order.by.person, file_reference })
        }
        Command::ApproveReversal { order, proposal, today } => {
            let (application, conclusion) = record.reversible(&order)?;
            let proposed = conclusion.proposed.ok_or(Rejection::NoProposal)?;
            if proposed.by == order.by.person {
                return Err(Rejection::SecondPersonNeeded);
            }
            if proposed.version != proposal {
                return Err(Rejection::OtherProposal);
            }
            let level = application.route.step(application.route.last_index()).level;
            one(if proposed.revoke {
                Event::RegistrationRevoked { number: order.number, on: today }
            } else {
                Event::ConclusionReversed { number: order.number, level }
            })
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "most decisions end in it")]
fn one(event: Event) -> Decision {
    Ok(vec![event])
}

/// Whether a conclusion is what the rules compute; `None` where they leave it to the agency.
fn agrees(conclusion: Conclusion, proposal: Proposal) -> Option<bool> {
    match proposal {
        Proposal::NeedsDecision => None,
        Proposal::Qualified => Some(conclusion == Conclusion::Qualified),
        Proposal::Deferred => Some(conclusion == Conclusion::Deferred),
        Proposal::Failed => Some(conclusion == Conclusion::Failed),
    }
}

fn settled(conclusion: &ConclusionRecord) -> Result<(), Rejection> {
    if conclusion.objection_open { Err(Rejection::ObjectionOpen) } else { Ok(()) }
}

/// What was agreed to, if it is what is shown now.
pub fn agreed(agreement: Option<TextRef>, shown: &TextRef) -> Result<TextRef, Rejection> {
    let agreement = agreement.ok_or(Rejection::AgreementMissing)?;
    if agreement == *shown { Ok(agreement) } else { Err(Rejection::TextChanged { text: AGREEMENT }) }
}

/// A point without dates has not ended.
fn not_ended(assignment: Option<Assignment>, now: time::OffsetDateTime) -> Result<(), Rejection> {
    match assignment {
        Some(Assignment { end, .. }) if now >= end => Err(Rejection::ConfirmationEnded { end }),
        _ => Ok(()),
    }
}

fn begun_and_not_ended(assignment: Option<Assignment>, now: time::OffsetDateTime) -> Result<(), Rejection> {
    match assignment {
        None => Err(Rejection::NotOpen(crate::domain::opening::Closed::PointNotListed)),
        Some(Assignment { begin, .. }) if now < begin => Err(Rejection::ConfirmationNotBegun { begin }),
        Some(_) => not_ended(assignment, now),
    }
}

impl Registration {
    /// What a merger brings the register may have told; what the register tells is its word, whatever a merger has brought.
    fn knows(&self, prior: &Prior) -> bool {
        let same = |known: &&Prior| known.standing() == prior.standing();
        self.prior.iter().find(same).is_some_and(|known| known.merged_from.is_none() || prior.merged_from.is_some())
    }

    fn submit(&self, submit: Submit) -> Decision {
        let Submit { person, draft, certificate, today, .. } = submit;
        let (kind, ordinal) = self
            .eligible((person, draft), certificate, &submit.rules, today)
            .map_err(|mut against| against.swap_remove(0))?;
        let admission = submit.admission.map_err(Rejection::NotOpen)?;
        let submitted = Submitted {
            number: submit.number,
            person,
            draft,
            ordinal,
            kind,
            form: submit.form,
            place: submit.place,
            window: admission.window,
            window_revision: admission.revision,
            with_ticket: admission.with_ticket,
            agreement: agreed(submit.agreement, &submit.shown_agreement)?,
            pledge: submit.pledge.ok_or(Rejection::PledgeRefused)?,
            route: submit.route.ok_or(Rejection::NobodyReviews)?,
            rules: submit.rules.reference(),
            on: today,
        };
        one(Event::ApplicationSubmitted(Box::new(submitted)))
    }

    /// Kind of the certificate and 注册次数 of an application that a person files today from this draft; else everything that
    /// speaks against it, the first the most important.
    pub fn eligible(
        &self,
        (person, draft): (uuid::Uuid, uuid::Uuid),
        certificate: Option<CertificateFacts>,
        rules: &RuleSet,
        today: time::Date,
    ) -> Result<(CertificateKind, Ordinal), Vec<Rejection>> {
        let mut against = Vec::new();
        if self.applications.iter().any(|application| application.draft == draft && !application.lives()) {
            against.push(Rejection::NotFound);
        }
        if let Some(live) = self.live() {
            against.push(Rejection::AlreadyApplied { number: live.number });
        }
        let certificate = certificate.filter(|certificate| certificate.person == Some(person));
        match certificate {
            None => against.push(Rejection::CertificateUnknown),
            Some(certificate) => {
                if certificate.kind == CertificateKind::Higher {
                    against.push(Rejection::CertificateNotRegistrable);
                }
                against.extend(certificate.barred());
            }
        }
        match (certificate, ordinal(self, rules, today)) {
            (Some(certificate), Ok(ordinal)) if against.is_empty() => Ok((certificate.kind, ordinal)),
            (_, ordinal) => {
                against.extend(ordinal.err());
                Err(against)
            }
        }
    }

    fn amend(&self, amend: Amend) -> Decision {
        let application = self.own(amend.number, amend.person)?;
        application.pending()?;
        application.not_merged()?;
        not_ended(amend.assignment, amend.now)?;
        if (amend.place.agency, amend.place.point) != (application.place.agency, application.place.point) {
            amend.transfer.map_err(Rejection::NotOpen)?;
        }
        one(Event::ApplicationAmended(Box::new(Amended {
            number: amend.number,
            form_version: application.form_version + 1,
            form: amend.form,
            place: amend.place,
            pledge: amend.pledge.ok_or(Rejection::PledgeRefused)?,
            route: amend.route.ok_or(Rejection::NobodyReviews)?,
            rules: Some(amend.rules),
        })))
    }

    fn find(&self, number: EnrolmentNumber) -> Result<&Application, Rejection> {
        self.application(number).ok_or(Rejection::NotFound)
    }

    /// The application of this very person.
    fn own(&self, number: EnrolmentNumber, person: uuid::Uuid) -> Result<&Application, Rejection> {
        self.find(number).and_then(|found| if found.person == person { Ok(found) } else { Err(Rejection::NotFound) })
    }

    /// The application, if the officer is a clerk of its point.
    fn at_point(&self, order: &Order) -> Result<&Application, Rejection> {
        let application = self.find(order.number)?;
        if order.by.points.contains(&application.place.point) { Ok(application) } else { Err(Rejection::NotFound) }
    }

    /// The application and the place of its step, if the officer reviews there.
    fn in_review(&self, order: &Order) -> Result<(&Application, usize), Rejection> {
        let application = self.find(order.number)?;
        application.reviewer(&order.by)?;
        match application.phase {
            Phase::Confirmed { step, .. } if order.by.agencies.contains(&application.route.step(step).agency) => {
                Ok((application, step))
            }
            Phase::Confirmed { .. } => Err(Rejection::NotYourTurn { turn: application.turn() }),
            Phase::Pending { .. } | Phase::Concluded(_) | Phase::Withdrawn => Err(application.wrong_state()),
        }
    }

    /// The application and its conclusion, if the officer reviews at the last level.
    fn concluded(&self, order: &Order) -> Result<(&Application, &ConclusionRecord), Rejection> {
        let application = self.find(order.number)?;
        application.reviewer(&order.by)?;
        let conclusion = application.conclusion().ok_or_else(|| application.wrong_state())?;
        if !order.by.agencies.contains(&application.route.step(application.route.last_index()).agency) {
            return Err(Rejection::NotLastLevel);
        }
        Ok((application, conclusion))
    }

    /// … and it counts here, and no later application stands in the way.
    fn reversible(&self, order: &Order) -> Result<(&Application, &ConclusionRecord), Rejection> {
        let found = self.concluded(order)?;
        found.0.not_merged()?;
        let later = self.applications.iter().skip_while(|other| other.number != order.number).skip(1);
        match later.filter(|other| other.phase != Phase::Withdrawn).last() {
            Some(later) => Err(Rejection::LaterApplication { number: later.number }),
            None => Ok(found),
        }
    }

    fn facts_complete(&self, application: &Application, rules: &RuleSet) -> Result<(), Rejection> {
        let facts = application.facts.clone().unwrap_or_default();
        let missing = missing(&facts, rules, &self.check(application, rules));
        if missing.is_empty() { Ok(()) } else { Err(Rejection::FactsMissing(missing)) }
    }

    /// What facts and rules lead to for one of the record's applications.
    pub fn assess(&self, application: &Application, rules: &RuleSet, restriction: Option<Restriction>) -> Assessment {
        let circumstances = Circumstances {
            check: self.check(application, rules),
            kind_fits: application.kind.is_of(application.place.stage),
            restriction,
        };
        assess(&application.facts.clone().unwrap_or_default(), rules, &circumstances)
    }
}

impl Application {
    /// Under a mistyped number nothing goes on to a conclusion, and none is changed: it counts for another certificate.
    pub(super) fn not_merged(&self) -> Result<(), Rejection> {
        if self.merged_into.is_none() { Ok(()) } else { Err(Rejection::NumberMistyped) }
    }

    /// The certificate is still the applicant's, and nothing keeps it from being registered.
    fn registrable(&self, certificate: Option<CertificateFacts>) -> Result<(), Rejection> {
        let own = certificate.filter(|certificate| certificate.person == Some(self.person));
        own.ok_or(Rejection::NotTheHolder)?.barred().map_or(Ok(()), Err)
    }

    fn wrong_state(&self) -> Rejection {
        Rejection::WrongState { status: self.status() }
    }

    /// What is to be mended, while 网报待确认.
    fn pending(&self) -> Result<Option<Mending>, Rejection> {
        match self.phase {
            Phase::Pending { mending } => Ok(mending),
            Phase::Confirmed { .. } | Phase::Concluded(_) | Phase::Withdrawn => Err(self.wrong_state()),
        }
    }

    /// Whether the officer reviews at some level of the route.
    fn reviewer(&self, officer: &Officer) -> Result<(), Rejection> {
        let reviews = self.route.steps().iter().any(|step| officer.agencies.contains(&step.agency));
        if reviews { Ok(()) } else { Err(Rejection::NotFound) }
    }

    /// School and point before confirmation; afterwards the level whose turn it is.
    fn may_record_facts(&self, officer: &Officer) -> Result<Unit, Rejection> {
        let school = officer.schools.contains(&self.place.school).then_some(Unit::School(self.place.school));
        let point = || officer.points.contains(&self.place.point).then_some(Unit::Point(self.place.point));
        let local = school.or_else(point);
        let reviewer = self.reviewer(officer).is_ok();
        match self.step() {
            _ if local.is_none() && !reviewer => Err(Rejection::NotFound),
            Some(step) if officer.agencies.contains(&step.agency) => Ok(Unit::Agency(step.agency)),
            Some(_) if reviewer => Err(Rejection::NotYourTurn { turn: self.turn() }),
            None if matches!(self.phase, Phase::Pending { .. }) => local.ok_or_else(|| self.wrong_state()),
            _ => Err(self.wrong_state()),
        }
    }
}
