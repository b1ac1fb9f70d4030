//! One page of the form is saved without the others, from one device or another.

use proto::applications::v1::{self as wire, DraftSection};

use crate::stage::{OTHER_POINT, Stage, Teacher, form, reason, refused, request_id};

async fn start(stage: &Stage, teacher: &Teacher) -> String {
    let start = wire::StartDraftRequest { request_id: request_id(), certificate_id: teacher.certificate.to_string() };
    stage.drafts(teacher).start_draft(start).await.unwrap().into_inner().draft_id
}

async fn form_of(stage: &Stage, teacher: &Teacher, draft_id: &str) -> (wire::PersonalPart, wire::CodedPart) {
    let get = wire::GetDraftRequest { draft_id: draft_id.to_owned() };
    let form = stage.drafts(teacher).get_draft(get).await.unwrap().into_inner().form.unwrap();
    (form.personal.unwrap(), form.coded.unwrap())
}

fn page(draft_id: &str, revision: i32, section: DraftSection, form: wire::Form) -> wire::SaveDraftRequest {
    wire::SaveDraftRequest { draft_id: draft_id.to_owned(), revision, form: Some(form), section: section.into() }
}

#[tokio::test]
async fn page_by_page_the_form_is_filled_in_and_resumed_elsewhere() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let draft_id = start(&stage, &teacher).await;
    let pages = [
        DraftSection::Agency,
        DraftSection::Identity,
        DraftSection::Teaching,
        DraftSection::Putonghua,
        DraftSection::Contact,
        DraftSection::Education,
    ];
    let mut left = Vec::new();
    for (revision, section) in (1..).zip(pages) {
        // Each from a client of its own, which knows the draft from the service alone.
        let saved = stage.drafts(&teacher).save_draft(page(&draft_id, revision, section, form())).await.unwrap();
        let saved = saved.into_inner();
        assert_eq!(saved.revision, revision + 1);
        left.push(saved.problems.len());
    }
    assert!(left.is_sorted_by(|before, after| before > after), "{left:?}");
    assert_eq!(left.last(), Some(&0));
    let (personal, coded) = form_of(&stage, &teacher, &draft_id).await;
    let whole = form();
    let expected = wire::PersonalPart {
        mobile: personal.mobile.clone(),
        email: personal.email.clone(),
        ..whole.personal.unwrap()
    };
    assert_eq!((personal, coded), (expected, whole.coded.unwrap()));
}

#[tokio::test]
async fn what_is_not_on_the_page_stays_as_it_was() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let (draft_id, revision) = stage.ready_draft(&teacher).await;
    let before = form_of(&stage, &teacher, &draft_id).await;
    let mut other = form();
    other.coded = Some(wire::CodedPart { point_id: OTHER_POINT.to_string(), ..wire::CodedPart::default() });
    other.personal.as_mut().unwrap().address = "徐州市鼓楼区示范路2号".to_owned();
    stage.drafts(&teacher).save_draft(page(&draft_id, revision, DraftSection::Contact, other.clone())).await.unwrap();
    let (personal, coded) = form_of(&stage, &teacher, &draft_id).await;
    assert_eq!(personal.address, "徐州市鼓楼区示范路2号");
    assert_eq!(wire::PersonalPart { address: before.0.address.clone(), ..personal }, before.0);
    assert_eq!(coded, before.1);
    let stale = page(&draft_id, revision, DraftSection::Contact, other);
    assert_eq!(reason(stage.drafts(&teacher).save_draft(stale).await), "REVISION_CONFLICT");
}

#[tokio::test]
async fn only_what_is_saved_must_be_well_formed() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let draft_id = start(&stage, &teacher).await;
    let mut wrong = form();
    wrong.coded.as_mut().unwrap().education = "08".to_owned();
    wrong.personal.as_mut().unwrap().postcode = "22100".to_owned();
    let mut drafts = stage.drafts(&teacher);
    let refusal = refused(drafts.save_draft(page(&draft_id, 1, DraftSection::Contact, wrong.clone())).await);
    assert_eq!(refusal.violations.len(), 1);
    assert_eq!(refusal.violations[0].field, "form.personal.postcode");
    drafts.save_draft(page(&draft_id, 1, DraftSection::Teaching, wrong.clone())).await.unwrap();
    // A code that a later version of the tables does not know any more keeps nobody from saving another page.
    let sql = "UPDATE draft SET coded = coded || $1";
    let gone = prost::Message::encode_to_vec(&wire::CodedPart { education: "08".to_owned(), ..Default::default() });
    sqlx::query(sql).bind(gone).execute(&stage.running.service.ground.pool).await.unwrap();
    drafts.save_draft(page(&draft_id, 2, DraftSection::Identity, form())).await.unwrap();
    assert_eq!(form_of(&stage, &teacher, &draft_id).await.1.education, "08");
    let refusal = refused(drafts.save_draft(page(&draft_id, 3, DraftSection::Education, wrong)).await);
    assert_eq!(refusal.violations[0].field, "form.coded.education");
    let unknown = wire::SaveDraftRequest { section: 99, ..page(&draft_id, 3, DraftSection::Agency, form()) };
    assert_eq!(refused(drafts.save_draft(unknown).await).violation("section").unwrap().reason, "UNKNOWN_VALUE");
}
