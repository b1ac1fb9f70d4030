//! How an event changes the record. Total: history is not judged again.

use crate::domain::registration::event::{Event, Submitted};
use crate::domain::registration::state::{Application, ConclusionRecord, Mending, Phase, Proposed, Registration};
use crate::domain::values::{Conclusion, Level};

pub(super) fn evolve(mut record: Registration, event: &Event) -> Registration {
    record.version += 1;
    match event {
        Event::PriorRegistrationRecorded(prior) => {
            record.prior.retain(|known| !known.gives_way_to(prior));
            record.prior.push(*prior);
            record.prior.sort_by_key(|prior| prior.on);
        }
        Event::RecordMerged { into } => {
            record.prior.clear();
            for application in &mut record.applications {
                application.merged_into.get_or_insert(*into);
            }
        }
        Event::ApplicationSubmitted(submitted) => record.applications.push(opened(submitted)),
        Event::ApplicationAmended(_)
        | Event::ApplicationWithdrawn(_)
        | Event::FactsRecorded { .. }
        | Event::ApplicationConfirmed { .. }
        | Event::ConfirmationRefused { .. }
        | Event::ApplicationReturned { .. }
        | Event::ReviewPassed { .. }
        | Event::ReviewSentBack { .. }
        | Event::ApplicationConcluded(_)
        | Event::PublicityBegun { .. }
        | Event::PublicityEnded { .. }
        | Event::ObjectionRecorded(_)
        | Event::ObjectionSettled(_)
        | Event::CertificateNotePrinted(_)
        | Event::ReversalProposed { .. }
        | Event::ConclusionReversed { .. }
        | Event::RegistrationRevoked { .. } => {
            if let Some(application) = record.applications.iter_mut().find(|known| Some(known.number) == event.number())
            {
                application.evolve(event, record.version);
            }
        }
    }
    record
}

fn opened(submitted: &Submitted) -> Application {
    Application {
        number: submitted.number,
        person: submitted.person,
        draft: submitted.draft,
        ordinal: submitted.ordinal,
        kind: submitted.kind,
        form: submitted.form.clone(),
        place: submitted.place,
        form_version: 1,
        window: submitted.window,
        route: submitted.route.clone(),
        rules: submitted.rules.clone(),
        submitted_on: submitted.on,
        facts: None,
        facts_version: 0,
        merged_into: None,
        phase: Phase::Pending { mending: None },
    }
}

impl Application {
    /// `version` is the record's after the event.
    fn evolve(&mut self, event: &Event, version: i64) {
        match event {
            Event::PriorRegistrationRecorded(_) | Event::RecordMerged { .. } | Event::ApplicationSubmitted(_) => {}
            Event::ApplicationAmended(amended) => {
                self.form = amended.form.clone();
                self.place = amended.place;
                self.form_version = amended.form_version;
                self.route = amended.route.clone();
                self.rules = amended.rules.clone().unwrap_or_else(|| self.rules.clone());
                self.phase = Phase::Pending { mending: None };
            }
            Event::ApplicationWithdrawn(_) => self.phase = Phase::Withdrawn,
            Event::FactsRecorded { facts, .. } => {
                (self.facts, self.facts_version) = (Some(facts.as_ref().clone()), version);
            }
            Event::ApplicationConfirmed { level, .. } => self.review_at(*level, false),
            Event::ConfirmationRefused { .. } => self.phase = Phase::Pending { mending: Some(Mending::Refused) },
            Event::ApplicationReturned { .. } => self.phase = Phase::Pending { mending: Some(Mending::Returned) },
            Event::ReviewPassed { next, .. } => self.review_at(*next, true),
            Event::ReviewSentBack { to: None, .. } => self.phase = Phase::Pending { mending: Some(Mending::SentBack) },
            Event::ApplicationConcluded(concluded) => {
                self.phase = Phase::Concluded(Box::new(ConclusionRecord {
                    conclusion: concluded.conclusion,
                    on: concluded.on,
                    concluded_on: concluded.on,
                    rules: concluded.rules.clone(),
                    articles: concluded.articles.clone(),
                    assessment: concluded.assessment.clone(),
                    publicity_begun_at: None,
                    publicity_until: None,
                    publicity_ended_at: None,
                    objection_open: false,
                    note_printed: false,
                    proposed: None,
                }));
            }
            Event::ReviewSentBack { to: Some(level), .. } | Event::ConclusionReversed { level, .. } => {
                self.review_at(*level, true);
            }
            Event::PublicityBegun { .. }
            | Event::PublicityEnded { .. }
            | Event::ObjectionRecorded(_)
            | Event::ObjectionSettled(_)
            | Event::CertificateNotePrinted(_)
            | Event::ReversalProposed { .. }
            | Event::RegistrationRevoked { .. } => {
                if let Phase::Concluded(record) = &mut self.phase {
                    record.evolve(event, version);
                }
            }
        }
    }

    fn review_at(&mut self, level: Level, decided: bool) {
        self.phase = Phase::Confirmed { step: self.route.index_of(level).unwrap_or_default(), decided };
    }
}

impl ConclusionRecord {
    fn evolve(&mut self, event: &Event, version: i64) {
        match event {
            Event::PublicityBegun { at, until, .. } => {
                (self.publicity_begun_at, self.publicity_until) = (Some(*at), *until);
            }
            Event::PublicityEnded { at, .. } => self.publicity_ended_at = Some(*at),
            Event::ObjectionRecorded(_) => self.objection_open = true,
            Event::ObjectionSettled(_) => self.objection_open = false,
            Event::CertificateNotePrinted(_) => self.note_printed = true,
            Event::ReversalProposed { revoke, by, .. } => {
                self.proposed = Some(Proposed { by: *by, revoke: *revoke, version });
            }
            Event::RegistrationRevoked { on, .. } => {
                self.conclusion = Conclusion::Revoked;
                self.on = *on;
                self.proposed = None;
            }
            Event::PriorRegistrationRecorded(_)
            | Event::RecordMerged { .. }
            | Event::ApplicationSubmitted(_)
            | Event::ApplicationAmended(_)
            | Event::ApplicationWithdrawn(_)
            | Event::FactsRecorded { .. }
            | Event::ApplicationConfirmed { .. }
            | Event::ConfirmationRefused { .. }
            | Event::ApplicationReturned { .. }
            | Event::ReviewPassed { .. }
            | Event::ReviewSentBack { .. }
            | Event::ApplicationConcluded(_)
            | Event::ConclusionReversed { .. } => {}
        }
    }
}
