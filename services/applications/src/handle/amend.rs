//! 修改: a new form version, with name and certificate details as they are now.

use access::Person;
use decider::Decider as _;
use lifecycle::clock;

use super::{ATTEMPTS, Asked, Decided, Handle, Key, Pledge, Render};
use crate::domain::calendar::shanghai_date;
use crate::domain::form::{Checklist, Coded, Gravity, Personal, check};
use crate::domain::opening::transfer;
use crate::domain::registration::{Amend, Command, Registrations, Rejection};
use crate::domain::route::Route;
use crate::domain::text::PLEDGE;
use crate::error::Error;
use crate::store::record;

/// What an applicant changes: the whole form.
#[derive(Debug, Clone)]
pub struct Amendment {
    /// The personal part.
    pub personal: Personal,
    /// The coded part.
    pub coded: Coded,
    /// The answer to the pledge.
    pub pledge: Pledge,
}

impl Handle {
    /// Replaces the form of a pending application.
    pub async fn amend(
        &self,
        asked: &Asked,
        person: &Person,
        key: Key,
        amendment: Amendment,
        render: Render,
    ) -> Result<Vec<u8>, Error> {
        let amended = self.amend_once_more(asked, person, key, amendment, render).await;
        self.or_remembered(asked, amended).await
    }

    async fn amend_once_more(
        &self,
        asked: &Asked,
        person: &Person,
        key: Key,
        amendment: Amendment,
        render: Render,
    ) -> Result<Vec<u8>, Error> {
        let Amendment { personal, coded, pledge } = amendment;
        let directory = self.directory()?;
        if pledge.accepted && self.text_of(&directory, coded.agency, PLEDGE)?.reference != pledge.text {
            return Err(Rejection::TextChanged { text: PLEDGE }.into());
        }
        let school = self.0.tables.school(coded.school).await?;
        let mut secret = None;
        for _ in 0..ATTEMPTS {
            let record = record::load(&self.0.log, key.certificate).await?;
            let found = record.state.application(key.number).filter(|application| application.person == person.id);
            let application = found.ok_or(Rejection::NotFound)?;
            let (now, rules) = (clock::now(), self.rules_of(&directory, coded.agency)?);
            // Asked for once, and only for somebody whose application it is.
            let secret = match &mut secret {
                Some(secret) => secret,
                none => none.insert(self.0.details.fetch(person, key.certificate).await?),
            };
            secret.personal = super::drafts::with_account(personal.clone(), secret);
            let list = Checklist {
                codes: &self.0.shipped.codes,
                rules: &rules,
                directory: &directory,
                school,
                certificate_kind: application.kind,
                filed: Some(&application.form),
                today: shanghai_date(now),
            };
            let mut problems = check(&secret.personal, &coded, &list);
            problems.retain(|problem| problem.gravity != Gravity::Warning);
            let place = match coded.place() {
                Some(place) if problems.is_empty() => place,
                _ => return Err(Error::Invalid(problems.into_iter().map(super::drafts::violation).collect())),
            };
            let assignment =
                directory.assignment(application.window, application.place.agency, application.place.point);
            let amend = Amend {
                number: key.number,
                person: person.id,
                form: coded.clone(),
                place,
                transfer: transfer(&directory, application.window, place.agency, place.point, now),
                pledge: pledge.accepted.then(|| pledge.text.clone()),
                route: Route::of(&directory.chain(place.agency), &rules),
                rules: rules.reference(),
                assignment,
                now,
            };
            let events = Registrations::decide(&record.state, Command::Amend(Box::new(amend)))?;
            let (plain, end) = (Some(secret.encode()), assignment.map(|assignment| assignment.end));
            let decided = Decided::new(key, person.id, record, events, end);
            match self.append(asked, decided, plain, render).await {
                Err(Error::Conflict) => {}
                other => return other,
            }
        }
        Err(Error::Conflict)
    }
}
