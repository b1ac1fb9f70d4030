//! `Export`: drafts and applications of the caller with form, facts and history, as JSON.

use access::Caller;
use proto::applications::v1 as wire;
use proto::applications::v1::export_server::Export;
use serde_json::{Value, json};
use tonic::{Request, Response, Status};

use super::ApplicationsApi;
use super::history;
use super::request::viewer;
use crate::domain::form::{Coded, Personal};
use crate::domain::registration::Rejection;
use crate::error::Error;
use crate::handle::{Key, Seen};
use crate::store::drafts::{Draft, Secret};
use crate::wire as values;

#[tonic::async_trait]
impl Export for ApplicationsApi {
    async fn export_my_data(
        &self,
        request: Request<wire::ExportMyDataRequest>,
    ) -> Result<Response<wire::ExportMyDataResponse>, Status> {
        let viewer = viewer(&Caller::of(&request))?;
        let mut applications = Vec::new();
        for (certificate, number) in self.handle.filed_by(viewer.person).await? {
            let key = Key { certificate, number };
            applications.push(application(key, &self.handle.read(&viewer, key, None).await?)?);
        }
        let drafts = self.handle.drafts_of(viewer.person).await?;
        let drafts: Vec<Value> = drafts.iter().map(|(found, secret)| draft(found, secret)).collect();
        let json = json!({ "applications": applications, "drafts": drafts }).to_string();
        Ok(Response::new(wire::ExportMyDataResponse { json }))
    }
}

fn application(key: Key, seen: &Seen) -> Result<Value, Error> {
    let found = seen.record.state.application(key.number).ok_or(Rejection::NotFound)?;
    let lines = history::of_application(&seen.record, key.number, seen.reader, &seen.words);
    let history = lines.map(|wire::HistoryEntry { summary, actor, time, text, .. }| {
        json!({ "time": time.map(|time| time.to_string()), "by": actor, "what": summary, "text": text })
    });
    Ok(json!({
        "certificate_id": key.certificate.to_string(),
        "enrolment_number": key.number.to_string(),
        "ordinal": found.ordinal,
        "status": found.status().name(),
        "conclusion": found.conclusion().map(|record| record.conclusion.name()),
        "form_version": found.form_version,
        "form": coded(&found.form),
        "personal": seen.secret.as_ref().map(secret),
        "note_of_the_facts": seen.note,
        "history": history.collect::<Vec<_>>(),
    }))
}

fn draft(found: &Draft, known: &Secret) -> Value {
    json!({
        "draft_id": found.id.to_string(),
        "certificate_id": found.certificate.to_string(),
        "revision": found.revision,
        "updated": rpc::timestamp(found.updated_at).to_string(),
        "form": coded(&found.coded),
        "personal": secret(known),
    })
}

fn secret(secret: &Secret) -> Value {
    let Secret { personal, applicant, certificate_issue_date, account_mobile, account_email } = secret;
    json!({
        "name": applicant.name,
        "number": applicant.number,
        "sex": applicant.sex,
        "birth_date": applicant.birth_date,
        "ethnicity": applicant.ethnicity,
        "document_type": applicant.document_type,
        "certificate_number": applicant.certificate_number,
        "certificate_subject": applicant.certificate_subject,
        "issuing_agency": applicant.issuing_agency,
        "certificate_issue_date": certificate_issue_date,
        "account_mobile": account_mobile,
        "account_email": account_email,
        "filled_in": filled_in(personal),
    })
}

fn filled_in(personal: &Personal) -> Value {
    let wire::PersonalPart {
        putonghua_number,
        graduation_date,
        birth_place,
        household_place,
        address,
        postcode,
        telephone,
        mobile,
        email,
    } = values::personal(personal.clone());
    json!({
        "putonghua_number": putonghua_number,
        "graduation_date": graduation_date,
        "birth_place": birth_place,
        "household_place": household_place,
        "address": address,
        "postcode": postcode,
        "telephone": telephone,
        "mobile": mobile,
        "email": email,
    })
}

/// Codes of the tables that `ListTexts` and `GetRuleSet` speak of, and ids of the directory.
fn coded(form: &Coded) -> Value {
    let form = values::coded(form.clone());
    json!({
        "putonghua_level": form.putonghua_level,
        "education": form.education,
        "degree": form.degree,
        "major_category": form.major_category,
        "major": form.major,
        "graduate_school": form.graduate_school,
        "study_form": form.study_form,
        "school_id": form.school_id,
        "school_nature": form.school_nature,
        "school_location": form.school_location,
        "work_start_date": form.work_start_date,
        "employment_date": form.employment_date,
        "title": form.title,
        "post_nature": form.post_nature,
        "political_status": form.political_status,
        "stage": form.stage().as_str_name(),
        "subject": form.subject,
        "agency_id": form.agency_id,
        "point_id": form.point_id,
    })
}
