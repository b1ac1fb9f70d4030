//! `StaffLists`: a file of staff, row by row and as often as one likes; the end of a unit's roles.

use futures::{StreamExt as _, stream};
use identity::domain::role::Role as OwnRole;
use proto::identity::v1 as api;
use proto::identity::v1::import_staff_request::Part;
use proto::identity::v1::staff_client::StaffClient;
use proto::identity::v1::staff_lists_client::StaffListsClient;
use service::testing::Channel;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::desk::{Desk, Teacher, refusal, violations};
use crate::directory::{self, point, school};

/// Where everybody works.
const COUNTY: &str = "320302";
const HEADER: &str = "证件类型,证件号码,姓名,角色,行政区划,单位\n";

/// A security administrator of Jiangsu, and two people without a role.
struct Office {
    desk: Desk,
    lists: StaffListsClient<Channel>,
    staff: StaffClient<Channel>,
    administrator: Teacher,
    people: [Teacher; 2],
}

async fn office() -> Office {
    let desk = directory::desk().await;
    let administrator = Teacher::new(1);
    let (_, token) = desk.staff(&administrator, OwnRole::SecurityAdmin, "320000", None).await;
    let people = [Teacher::new(2), Teacher::new(3)];
    for teacher in &people {
        desk.register(teacher).await;
    }
    let lists = StaffListsClient::new(desk.identity.with_token(&token));
    let staff = StaffClient::new(desk.identity.with_token(&token));
    Office { desk, lists, staff, administrator, people }
}

fn row(teacher: &Teacher, role: &str, division: &str, unit: &str) -> String {
    format!("居民身份证,{},{},{role},{division},{unit}\n", teacher.number, teacher.name)
}

fn options(dry_run: bool) -> Part {
    Part::Options(api::ImportStaffOptions { request_id: lifecycle::ids::random().to_string(), dry_run })
}

/// Everything that is answered to these parts.
async fn send(
    lists: &StaffListsClient<Channel>,
    parts: impl IntoIterator<Item = Part>,
) -> Result<Vec<api::ImportStaffResponse>, Status> {
    let parts: Vec<_> = parts.into_iter().map(|part| api::ImportStaffRequest { part: Some(part) }).collect();
    let answers = lists.clone().import_staff(stream::iter(parts)).await?.into_inner();
    answers.collect::<Vec<_>>().await.into_iter().collect()
}

/// The report of a file, with the rejected rows of all answers.
async fn import(lists: &StaffListsClient<Channel>, file: &[u8], dry_run: bool) -> api::ImportStaffResponse {
    let chunks = file.chunks(50).map(|chunk| Part::Chunk(chunk.to_vec().into()));
    let answers = send(lists, std::iter::once(options(dry_run)).chain(chunks)).await.unwrap();
    assert!(answers.iter().rev().skip(1).all(|answer| !answer.done));
    let rejected_rows = answers.iter().flat_map(|answer| answer.rejected_rows.clone()).collect();
    let last = answers.into_iter().next_back().unwrap();
    assert!(last.done);
    api::ImportStaffResponse { rejected_rows, ..last }
}

/// Line, field and reason of each rejection; all of them say what to do.
fn rejections(report: &api::ImportStaffResponse) -> Vec<(i64, &str, &str)> {
    assert!(report.rejected_rows.iter().all(|row| !row.message.is_empty()));
    report.rejected_rows.iter().map(|row| (row.line, row.field.as_str(), row.reason.as_str())).collect()
}

fn counts(report: &api::ImportStaffResponse) -> (i64, i64, i64, i64) {
    (report.rows_read, report.granted, report.unchanged, report.rejected)
}

#[tokio::test]
async fn a_list_grants_its_roles_once_however_often_it_comes_and_however_it_is_encoded() {
    let Office { desk, lists, mut staff, people: [one, other], .. } = office().await;
    let rows = [row(&one, "学校老师", COUNTY, &school(COUNTY)), row(&other, "确认点工作人员", COUNTY, &point(COUNTY))];
    let file = format!("{HEADER}{}{}", rows[0], rows[1]);

    let before = desk.head().await;
    let planned = import(&lists, file.as_bytes(), true).await;
    assert_eq!(counts(&planned), (2, 2, 0, 0), "{planned:?}");
    assert_eq!(desk.head().await, before, "a dry run changes nothing");

    let report = import(&lists, file.as_bytes(), false).await;
    assert_eq!(counts(&report), (2, 2, 0, 0), "{report:?}");
    assert_eq!(report.position, desk.head().await);
    let request = api::ListGrantsRequest {
        unit_id: point(COUNTY),
        min_position: report.position,
        role: api::Role::Clerk.into(),
        ..Default::default()
    };
    let listed = staff.list_grants(request).await.unwrap().into_inner().grants;
    assert_eq!(listed.len(), 1, "{listed:?}");
    let token = desk.sign_in(&other).await.access_token;
    assert_eq!(listed[0].person_id, desk.person_id(&token).await.to_string());

    let signed_in = desk.head().await;
    let bom = [b"\xef\xbb\xbf", file.as_bytes()].concat();
    for again in [file.as_bytes(), &bom, &gb18030(&file)] {
        let report = import(&lists, again, false).await;
        assert_eq!(counts(&report), (2, 0, 2, 0), "{report:?}");
    }
    assert_eq!(desk.head().await, signed_in, "the same list changes nothing");

    // Once a role was taken back, the list grants it anew, also in the same run.
    let parts = [options(false), Part::Chunk(file.clone().into())];
    send(&lists, parts.clone()).await.unwrap();
    let revoke = api::RevokeRoleRequest {
        request_id: lifecycle::ids::random().to_string(),
        person_id: listed[0].person_id.clone(),
        grant_id: listed[0].grant_id.clone(),
    };
    staff.revoke_role(revoke).await.unwrap();
    assert_eq!(counts(send(&lists, parts).await.unwrap().last().unwrap()), (2, 1, 1, 0));
}

#[tokio::test]
async fn each_bad_row_is_told_with_line_field_and_reason_and_the_good_ones_are_done() {
    let Office { desk: _desk, lists, administrator, people: [one, other], .. } = office().await;
    let renamed = Teacher { name: "示例二".to_owned(), ..one.clone() };
    let rows = [
        row(&one, "审计管理员", "320000", ""),
        row(&one, "系统管理员", "320000", ""),
        row(&Teacher::new(9), "学校老师", COUNTY, &school(COUNTY)),
        row(&renamed, "学校老师", COUNTY, &school(COUNTY)),
        row(&one, "学校老师", "330102", &school("330102")),
        row(&one, "系统管理员", "000000", ""),
        row(&administrator, "学校老师", COUNTY, &school(COUNTY)),
        "护照,E12345678,示,校长,32,x\n".to_owned(),
        row(&one, "学校老师", COUNTY, ""),
        row(&one, "规则管理员", "320300", ""),
        row(&other, "学校老师", COUNTY, &school(COUNTY)),
        "居民身份证,320399199001010019,示例一,学校老师,320302\n".to_owned(),
        "\n".to_owned(),
        row(&other, "学校老师", COUNTY, &school("320303")),
    ];
    let file = format!("{HEADER}{}", rows.concat());
    let expected = [
        (3, "", "ROLES_EXCLUDE_EACH_OTHER"),
        (4, "证件号码", "UNKNOWN_PERSON"),
        (5, "", "PERSON_MISMATCH"),
        (6, "", "OUTSIDE_SCOPE"),
        (7, "", "OUTSIDE_SCOPE"),
        (8, "", "OWN_ROLE"),
        (9, "证件类型", "UNKNOWN_VALUE"),
        (9, "姓名", "MALFORMED"),
        (9, "角色", "UNKNOWN_VALUE"),
        (9, "行政区划", "MALFORMED"),
        (9, "单位", "NOT_A_UUID"),
        (10, "单位", "REQUIRED"),
        (11, "行政区划", "PROVINCE_EXPECTED"),
        (13, "证件号码", "WRONG_CHECK_DIGIT"),
        (13, "单位", "REQUIRED"),
        (15, "", "UNIT_ELSEWHERE"),
    ];
    for dry_run in [true, false] {
        let report = import(&lists, file.as_bytes(), dry_run).await;
        assert_eq!(rejections(&report), expected, "dry run: {dry_run}");
        assert_eq!(counts(&report), (13, 2, 0, 11), "dry run: {dry_run}");
    }
}

#[tokio::test]
async fn a_long_list_tells_its_progress_and_every_rejected_row_once() {
    let Office { desk: _desk, lists, people: [one, _], .. } = office().await;
    let unknown = (100..220).map(|n| row(&Teacher::new(n), "学校老师", COUNTY, &school(COUNTY))).collect::<String>();
    let file = format!("{HEADER}{}{unknown}", row(&one, "学校老师", COUNTY, &school(COUNTY)));
    let answers = send(&lists, [options(false), Part::Chunk(file.into())]).await.unwrap();
    assert!(answers.len() > 2, "{} answers", answers.len());
    assert!(answers.is_sorted_by_key(|answer| answer.rows_read));
    let lines: Vec<i64> = answers.iter().flat_map(|answer| &answer.rejected_rows).map(|row| row.line).collect();
    assert_eq!(lines, (3..=122).collect::<Vec<_>>());
    assert_eq!(counts(answers.last().unwrap()), (121, 1, 0, 120));
}

#[tokio::test]
async fn what_is_no_list_or_too_large_is_refused_as_a_whole() {
    let Office { desk, lists, .. } = office().await;
    let before = desk.head().await;
    let refused = refusal(send(&lists, [Part::Chunk(HEADER.into())]).await);
    assert_eq!(violations(&refused), [("options", "REQUIRED")]);
    let unnamed = Part::Options(api::ImportStaffOptions::default());
    assert_eq!(violations(&refusal(send(&lists, [unnamed]).await)), [("options.request_id", "REQUIRED")]);

    let chunk = |size: usize| Part::Chunk(vec![b'x'; size].into());
    let refused = refusal(send(&lists, [options(false), chunk(64 * 1024 + 1)]).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "UPLOAD_BROKEN"));
    let large = std::iter::once(options(false)).chain(std::iter::repeat_n(chunk(64 * 1024), 65));
    assert_eq!(refusal(send(&lists, large).await).reason, "FILE_TOO_LARGE");

    let report = import(&lists, b"\xff\xff\xff\xff", false).await;
    assert_eq!(rejections(&report), [(0, "", "NOT_TEXT")]);
    let report = import(&lists, "证件号码,姓名\n".as_bytes(), false).await;
    assert_eq!(rejections(&report), [(1, "证件类型", "COLUMN_MISSING")]);
    assert_eq!(desk.head().await, before);
}

#[tokio::test]
async fn a_file_of_somebody_who_lost_the_role_before_it_came_grants_nothing() {
    let Office { desk, lists, mut staff, people: [one, other], .. } = office().await;
    let own = api::ListGrantsRequest { role: api::Role::SecurityAdmin.into(), ..Default::default() };
    let own = staff.list_grants(own).await.unwrap().into_inner().grants.remove(0);
    let (sender, parts) = tokio::sync::mpsc::channel(4);
    let send = async |part| sender.send(api::ImportStaffRequest { part: Some(part) }).await.unwrap();
    send(options(false)).await;
    let parts = tokio_stream::wrappers::ReceiverStream::new(parts);
    let answers = lists.clone().import_staff(parts).await.unwrap().into_inner();

    let asked = identity::handle::Asked { actor: "person:5".to_owned(), id: Uuid::from_u128(5), fingerprint: [0; 32] };
    let (person, grant) = (own.person_id.parse().unwrap(), own.grant_id.parse().unwrap());
    let by = identity::domain::account::Authority::Bootstrap;
    let revoked = desk.handle().await.revoke_role(&asked, person, grant, &by).await.unwrap();
    let rows = [row(&one, "学校老师", COUNTY, &school(COUNTY)), row(&other, "确认点工作人员", COUNTY, &point(COUNTY))];
    send(Part::Chunk(format!("{HEADER}{}", rows.concat()).into())).await;
    drop(sender);

    let report = answers.collect::<Vec<_>>().await.pop().unwrap().unwrap();
    assert_eq!(counts(&report), (2, 0, 0, 2));
    assert_eq!(rejections(&report), [(2, "", "OUTSIDE_SCOPE"), (3, "", "OUTSIDE_SCOPE")]);
    assert_eq!(desk.head().await, revoked, "nothing was recorded since");
}

#[tokio::test]
async fn a_role_that_another_replica_has_just_granted_ends_with_its_unit() {
    let Office { desk, mut lists, people: [one, _], .. } = office().await;
    let token = desk.sign_in(&one).await.access_token;
    let person_id = desk.person_id(&token).await.to_string();
    let starting = desk.identity.start_again(&desk.identity.settings, desk.settings.clone());
    let replica = Box::pin(starting).await.unwrap();
    let bearer = format!("Bearer {}", desk.sign_in_as_staff(&Teacher::new(1)).await.access_token);
    let mut ended = Vec::new();
    for _ in 0..3 {
        let grant = api::GrantRoleRequest {
            request_id: lifecycle::ids::random().to_string(),
            person_id: person_id.clone(),
            role: api::Role::Liaison.into(),
            scope: Some(api::Scope { division: COUNTY.to_owned(), unit_id: school(COUNTY) }),
        };
        let granting = async || {
            let mut request = tonic::Request::new(grant.clone());
            request.metadata_mut().insert("authorization", bearer.parse().unwrap());
            StaffClient::new(replica.anyone()).grant_role(request).await.ok()
        };
        let patience = std::time::Duration::from_secs(20);
        cluster::wait::until("the other replica to know everybody", patience, granting).await.unwrap();
        let end =
            api::EndRolesOfUnitRequest { request_id: lifecycle::ids::random().to_string(), unit_id: school(COUNTY) };
        ended.push(lists.end_roles_of_unit(end).await.unwrap().into_inner().ended);
    }
    assert_eq!(ended, [1, 1, 1]);
}

#[tokio::test]
async fn a_closed_schools_roles_end_at_once_and_no_others() {
    let Office { desk, mut lists, mut staff, people: [one, other], .. } = office().await;
    let rows = [
        row(&one, "学校老师", COUNTY, &school(COUNTY)),
        row(&other, "学校老师", COUNTY, &school(COUNTY)),
        row(&other, "确认点工作人员", COUNTY, &point(COUNTY)),
    ];
    import(&lists, format!("{HEADER}{}", rows.concat()).as_bytes(), false).await;
    // A role in another province for the same unit: not this administrator's to know.
    let token = desk.sign_in(&one).await.access_token;
    let asked = identity::handle::Asked { actor: "person:5".to_owned(), id: Uuid::from_u128(5), fingerprint: [0; 32] };
    let elsewhere = identity::domain::role::Scope {
        division: identity::domain::role::Division::parse("330102").unwrap(),
        unit: Some(school(COUNTY).parse().unwrap()),
    };
    let by = identity::domain::account::Authority::Bootstrap;
    let person = desk.person_id(&token).await;
    let (kept, _) = desk.handle().await.grant_role(&asked, person, OwnRole::Liaison, elsewhere, &by).await.unwrap();

    let end =
        || api::EndRolesOfUnitRequest { request_id: lifecycle::ids::random().to_string(), unit_id: school(COUNTY) };
    let ended = lists.end_roles_of_unit(end()).await.unwrap().into_inner();
    assert_eq!((ended.ended, ended.position), (2, desk.head().await));
    let request = api::ListGrantsRequest { min_position: ended.position, ..Default::default() };
    let left = staff.list_grants(request).await.unwrap().into_inner().grants;
    let left: Vec<&str> = left.iter().map(|grant| grant.scope.as_ref().unwrap().unit_id.as_str()).collect();
    assert_eq!(left, [point(COUNTY).as_str(), ""]);
    let account = desk.handle().await;
    let listed = account.end_roles_of_unit(&run_of_nation(), school(COUNTY).parse().unwrap()).await.unwrap();
    assert_eq!(listed.count, 1, "{kept} was there until now");

    let again = lists.end_roles_of_unit(end()).await.unwrap().into_inner();
    assert_eq!(again, api::EndRolesOfUnitResponse::default());
    let refused = refusal(lists.end_roles_of_unit(api::EndRolesOfUnitRequest::default()).await);
    assert_eq!(violations(&refused), [("request_id", "REQUIRED"), ("unit_id", "REQUIRED")]);
}

#[tokio::test]
async fn a_list_of_grants_is_narrowed_by_person_role_and_unit() {
    let Office { desk, lists, mut staff, people: [one, other], .. } = office().await;
    let rows = [
        row(&one, "学校老师", COUNTY, &school(COUNTY)),
        row(&one, "确认点工作人员", COUNTY, &point(COUNTY)),
        row(&other, "学校老师", "320303", &school("320303")),
    ];
    let report = import(&lists, format!("{HEADER}{}", rows.concat()).as_bytes(), false).await;
    let token = desk.sign_in(&one).await.access_token;
    let person_id = desk.person_id(&token).await.to_string();
    let everything = api::ListGrantsRequest { min_position: report.position, ..Default::default() };
    let mut count =
        async |request: api::ListGrantsRequest| staff.list_grants(request).await.unwrap().into_inner().grants.len();
    assert_eq!(count(everything.clone()).await, 4);
    assert_eq!(count(api::ListGrantsRequest { person_id: person_id.clone(), ..everything.clone() }).await, 2);
    let liaisons = api::ListGrantsRequest { role: api::Role::Liaison.into(), ..everything.clone() };
    assert_eq!(count(liaisons.clone()).await, 2);
    assert_eq!(count(api::ListGrantsRequest { unit_id: point(COUNTY), ..everything.clone() }).await, 1);
    assert_eq!(count(api::ListGrantsRequest { person_id, ..liaisons }).await, 1);
    let wrong =
        api::ListGrantsRequest { person_id: "x".to_owned(), unit_id: "x".to_owned(), role: 99, ..Default::default() };
    let expected = [("person_id", "NOT_A_UUID"), ("unit_id", "NOT_A_UUID"), ("role", "UNKNOWN_VALUE")];
    assert_eq!(violations(&refusal(staff.list_grants(wrong).await)), expected);
}

fn run_of_nation() -> identity::handle::Run {
    identity::handle::Run {
        id: Uuid::from_u128(6),
        actor: "person:6".to_owned(),
        administrator: Uuid::from_u128(6),
        divisions: vec![identity::domain::role::Division::NATION],
        dry: None,
    }
}

fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}
