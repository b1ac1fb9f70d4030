//! 办理说明: what a viewer may do with an application now, or why not.

use lifecycle::clock;

use super::{Handle, Key, Viewer, Warning};
use crate::domain::calendar::shanghai_date;
use crate::domain::registration::{Advice, Event, Occasion, Order, Reader, Rejection, Verdict, explain};
use crate::domain::route::Route;
use crate::domain::time_limit::TimeLimit;
use crate::error::Error;
use crate::store::record::{Record, Words};

/// An application with a verdict on each action.
#[derive(Debug)]
pub struct Explained {
    /// The record; a verdict names events by their place in it.
    pub record: Record,
    /// As whom the viewer sees it.
    pub reader: Reader,
    /// What was written, as far as the viewer may read it.
    pub words: Words,
    /// What was asked, and what was known beside the history.
    pub occasion: Occasion,
    /// In the order of an application's life.
    pub verdicts: Vec<Verdict>,
    /// 审核期限, once it is confirmed.
    pub time_limit: Option<TimeLimit>,
    /// What is unusual.
    pub warnings: Vec<Warning>,
    /// Once it is concluded.
    pub advice: Vec<Advice>,
}

impl Handle {
    /// What the viewer may do with an application that they may see.
    pub async fn explain(&self, viewer: &Viewer, key: Key) -> Result<Explained, Error> {
        let (record, reader) = self.visible(viewer, key, None).await?;
        let application = record.state.application(key.number).ok_or(Rejection::NotFound)?;
        let certificate = self.0.tables.certificate(key.certificate).await?;
        self.0.certificates.require()?;
        let (directory, place, now) = (self.directory()?, application.place, clock::now());
        let rules = self.rules_of(&directory, Some(place.agency))?;
        let occasion = Occasion {
            order: Order { number: key.number, by: viewer.officer.clone() },
            now,
            today: shanghai_date(now),
            assignment: directory.assignment(application.window, place.agency, place.point),
            certificate: certificate.map(|certificate| certificate.facts),
            route: Route::of(&directory.chain(place.agency), &rules),
            rules,
        };
        let history: Vec<&Event> = record.entries.iter().map(|entry| &entry.event).collect();
        let verdicts = explain(&record.state, &history, &occasion);
        let time_limit = self.time_limit(application)?;
        let advice = record.state.advice(application, &occasion.rules);
        let warnings = self.second_live_application(application.person, key.certificate).await?.into_iter().collect();
        let words = self.words(&record, key.number, reader).await?;
        Ok(Explained { record, reader, words, occasion, verdicts, time_limit, warnings, advice })
    }
}
