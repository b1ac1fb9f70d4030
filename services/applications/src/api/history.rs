//! Who did what and when, in words.

use decider::Decider as _;
use proto::applications::v1 as wire;

use crate::domain::calendar::render_date;
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::registration::{Event, Reader, Registration, Registrations, Unit};
use crate::domain::values::Level;
use crate::store::record::{Record, Words};

/// The lines of one application in a record's history.
pub(super) fn of_application(
    record: &Record,
    number: EnrolmentNumber,
    reader: Reader,
    words: &Words,
) -> impl Iterator<Item = wire::HistoryEntry> {
    let lines = record.entries.iter().zip(lines(record, reader, words));
    lines.filter(move |(entry, _)| entry.event.number() == Some(number)).map(|(_, line)| line)
}

/// The lines of a record's history, one for each entry. The applicant learns roles, staff also who, for whom and where it is filed.
pub(super) fn lines(record: &Record, reader: Reader, words: &Words) -> impl Iterator<Item = wire::HistoryEntry> {
    let own = reader == Reader::Applicant;
    let mut state = Registration::default();
    let mut proposed = "";
    record.entries.iter().map(move |entry| {
        state = Registrations::evolve(std::mem::take(&mut state), &entry.event);
        let application = entry.event.number().and_then(|number| state.application(number));
        let unit = application.and_then(|application| application.unit_of(&entry.event)).filter(|_| !own);
        let (role, summary) = told(&entry.event);
        let staff = !own && role.starts_with("staff:");
        let person = entry.recorded.metadata.actor.strip_prefix("person:").filter(|_| staff);
        let filed = match &entry.event {
            Event::ReversalProposed { file_reference, .. } => {
                proposed = file_reference;
                proposed
            }
            Event::ConclusionReversed { .. } | Event::RegistrationRevoked { .. } => proposed,
            _ => "",
        };
        wire::HistoryEntry {
            version: entry.recorded.version,
            r#type: entry.recorded.kind.clone(),
            summary,
            actor: person.map_or_else(|| role.to_owned(), |person| format!("{role}:{person}")),
            time: Some(rpc::timestamp(entry.recorded.recorded_at)),
            text: words.get(&entry.recorded.version).cloned().unwrap_or_default(),
            unit_id: unit.map(unit_id).unwrap_or_default(),
            file_reference: if own { String::new() } else { filed.to_owned() },
        }
    })
}

fn unit_id(unit: Unit) -> String {
    let (Unit::School(id) | Unit::Point(id) | Unit::Agency(id)) = unit;
    id.to_string()
}

fn told(event: &Event) -> (&'static str, String) {
    const APPLICANT: &str = "applicant";
    const CLERK: &str = "staff:clerk";
    const REVIEWER: &str = "staff:reviewer";
    match event {
        Event::PriorRegistrationRecorded(prior) => {
            ("system", format!("登记历史注册：第{}次，{}", prior.ordinal, prior.conclusion.name()))
        }
        Event::RecordMerged { .. } => ("system", "证书号码有误，已并入号码正确的证书".to_owned()),
        Event::ApplicationSubmitted(submitted) => {
            (APPLICANT, format!("提交申报，报名号{}，第{}次注册", submitted.number, submitted.ordinal))
        }
        Event::ApplicationAmended(amended) => (APPLICANT, format!("修改申报信息，第{}版", amended.form_version)),
        Event::ApplicationWithdrawn(_) => (APPLICANT, "撤回申报".to_owned()),
        Event::FactsRecorded { by, .. } => {
            let role = match by {
                Some(Unit::School(_)) => "staff:liaison",
                Some(Unit::Point(_)) => CLERK,
                Some(Unit::Agency(_)) => REVIEWER,
                None => "staff:facts",
            };
            (role, "登记注册条件".to_owned())
        }
        Event::ApplicationConfirmed { .. } => (CLERK, "现场确认通过".to_owned()),
        Event::ConfirmationRefused { .. } => (CLERK, "确认不通过".to_owned()),
        Event::ApplicationReturned { by_liaison: true, .. } => ("staff:liaison", "学校退回至网报待确认".to_owned()),
        Event::ApplicationReturned { by_liaison: false, .. } => (CLERK, "确认点退回至网报待确认".to_owned()),
        Event::ReviewPassed { level, next, .. } => (REVIEWER, format!("{}审核通过，转{}", name(*level), name(*next))),
        Event::ReviewSentBack { level, to: Some(to), .. } => (REVIEWER, format!("{}退回至{}", name(*level), name(*to))),
        Event::ReviewSentBack { level, to: None, .. } => (REVIEWER, format!("{}退回至网报待确认", name(*level))),
        Event::ApplicationConcluded(concluded) => {
            (REVIEWER, format!("{}作出注册结论：{}", name(concluded.level), concluded.conclusion.name()))
        }
        Event::PublicityBegun { .. } => (REVIEWER, "公示开始".to_owned()),
        Event::PublicityEnded { .. } => (REVIEWER, "公示结束".to_owned()),
        Event::ObjectionRecorded(_) => (REVIEWER, "登记异议".to_owned()),
        Event::ObjectionSettled(_) => (REVIEWER, "异议处理完毕".to_owned()),
        Event::CertificateNotePrinted(_) => (REVIEWER, "证书附页已打印".to_owned()),
        Event::ReversalProposed { revoke: true, .. } => (REVIEWER, "提议撤销注册，待另一人批准".to_owned()),
        Event::ReversalProposed { revoke: false, .. } => (REVIEWER, "提议撤回注册结论，待另一人批准".to_owned()),
        Event::ConclusionReversed { level, .. } => (REVIEWER, format!("注册结论已撤回，由{}重新审核", name(*level))),
        Event::RegistrationRevoked { on, .. } => (REVIEWER, format!("{}撤销注册", render_date(*on))),
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::County => "县级",
        Level::City => "市级",
        Level::Province => "省级",
    }
}
