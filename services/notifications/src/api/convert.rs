//! Between the API's messages and our own types.

use proto::notifications::v1 as api;

use crate::domain::template::Template;
use crate::error::Error;
use crate::store::{Delivery, notice};
use crate::templates::Catalogue;
use crate::views::inbox::Entry;

/// A notice as its person reads it, from the very version of the template that it was made with.
pub(super) fn notice(entry: Entry) -> Result<api::Notice, Error> {
    let template = Catalogue::shipped().find(&entry.template, entry.version);
    let template = template.ok_or_else(|| Error::UnknownTemplate(format!("{} v{}", entry.template, entry.version)))?;
    Ok(api::Notice {
        notice_id: entry.notice.to_string(),
        title: template.render_title(&entry.values)?,
        body: template.render_body(&entry.values)?,
        template: entry.template,
        create_time: Some(rpc::timestamp(entry.created_at)),
        read: entry.read,
        enrolment_number: entry.enrolment_number,
    })
}

pub(super) fn delivery(delivery: Delivery) -> api::Delivery {
    api::Delivery {
        notice_id: delivery.notice.to_string(),
        channel: notice::number(delivery.channel).into(),
        state: delivery.state as i32,
        masked_address: delivery.masked_address,
        attempts: i32::try_from(delivery.attempts).unwrap_or(i32::MAX),
        update_time: Some(rpc::timestamp(delivery.updated_at)),
        problem: delivery.problem,
    }
}

/// A template with its placeholders; where there is only an SMS, its text is the body.
pub(super) fn template(template: &Template) -> api::Template {
    let body = if template.body.source().is_empty() { &template.sms } else { &template.body };
    api::Template {
        name: template.name.to_owned(),
        version: i32::try_from(template.version).unwrap_or(i32::MAX),
        title: template.title.source().to_owned(),
        body: body.source().to_owned(),
        channels: template.channels.iter().map(|channel| notice::number(*channel).into()).collect(),
    }
}
