//! The request of each RPC: about an object of the season, such that whoever may would be let through to it.

use base64::Engine as _;
use cluster::journey::request_id;
use cluster::register::{self, Teacher};
use serde_json::{Value, json};

use super::season::Season;

/// The province of everything.
const JIANGSU: &str = "32";

/// The request of an RPC; an array where it takes a stream.
pub fn request(rpc: &str, season: &Season) -> Value {
    let (service, method) = rpc.split_once('/').unwrap();
    let (package, service) = service.rsplit_once('.').unwrap();
    match package {
        "dingzhu.applications.v1" => of_applications(service, method, season),
        "dingzhu.certificates.v1" => of_certificates(method, season),
        "dingzhu.scheduling.v1" => of_scheduling(method, season),
        "dingzhu.identity.v1" => of_identity(method, season),
        _ => of_others(method, season),
    }
}

/// The same as a change: with a fresh id.
fn asked(mut body: Value) -> Value {
    body["requestId"] = request_id().into();
    body
}

fn of_applications(service: &str, method: &str, season: &Season) -> Value {
    let draft = &season.draft;
    let key = json!({"certificateId": season.certificate_id, "enrolmentNumber": season.enrolment_number});
    let pledge =
        json!({"accepted": true, "textVersion": draft.pledge.text_version, "textDigest": draft.pledge.text_digest});
    match (service, method) {
        ("Export" | "DueDates", _) | ("Bulk", "ExportFacts") => json!({}),
        ("Drafts", "ListTexts") | ("Rules", "GetRuleSet") | ("Codes", "ListCodeTables") => json!({"province": JIANGSU}),
        ("Drafts", "StartDraft") => asked(json!({"certificateId": draft.certificate_id})),
        ("Drafts", "AcceptAgreement") => {
            let (version, digest) = &season.agreement;
            json!({"draftId": draft.draft_id, "textVersion": version, "textDigest": digest})
        }
        // A revision that nobody has edited: whoever may is told that, and the draft stays as it is.
        ("Drafts", "SaveDraft") => json!({"draftId": draft.draft_id, "revision": 999, "form": season.form}),
        ("Drafts", _) => json!({"draftId": draft.draft_id}),
        (_, "SubmitApplication") => asked(json!({"draftId": draft.draft_id, "revision": 999, "pledge": pledge})),
        (_, "AmendApplication") => asked(json!({"key": key, "form": season.form, "pledge": pledge})),
        (_, "ListApplications") => json!({"pageSize": 200}),
        (_, "WatchApplications") => json!({"withState": true}),
        ("Statistics", _) => {
            json!({"filter": {"enrolmentNumber": season.enrolment_number}, "by": ["COUNT_BY_AGENCY"]})
        }
        (_, "WithdrawApplication" | "ConfirmApplication" | "ApproveReversal") => asked(json!({"key": key})),
        ("Applications" | "Explanations", _) | (_, "AssessApplication") => json!({"key": key}),
        (_, "RecordFacts") => asked(json!({"key": key, "facts": facts()})),
        (_, "PassReview") => asked(json!({"key": key, "opinion": "同意。"})),
        (_, "ConcludeApplication") => asked(json!({"key": key, "conclusion": 1})),
        (_, "RecordConclusionFact") => asked(json!({"key": key, "fact": 1})),
        (_, "ProposeReversal") => {
            asked(json!({"key": key, "revoke": false, "reason": "复核发现有误。", "fileReference": "示例2026-1"}))
        }
        // Before the confirmation, when no reviewer records any.
        ("Bulk", "ImportFacts") => {
            let file = format!("报名号,师德考核\n{},合格\n", season.enrolment_number);
            json!([{"options": asked(json!({"dryRun": true}))}, {"chunk": base64(file.as_bytes())}])
        }
        ("Bulk", "ImportConclusions") => {
            let file = format!("报名号,注册结论\n{},注册合格\n", season.enrolment_number);
            json!([{"options": asked(json!({"dryRun": true}))}, {"chunk": base64(file.as_bytes())}])
        }
        ("Bulk", "ConcludeApplications") => asked(json!({"items": [{"key": key, "conclusion": 1}], "dryRun": true})),
        ("Bulk", "ReturnApplications") => asked(json!({"keys": [key], "dryRun": true, "reason": "材料不全，请补充。"})),
        ("Bulk", _) => asked(json!({"keys": [key], "dryRun": true})),
        ("Codes", _) => json!({"name": "subject_ours", "province": JIANGSU}),
        ("Texts", _) => asked(json!({"province": JIANGSU, "name": "notice", "body": "示例注意事项"})),
        ("Rules", "PublishRuleSet") => asked(json!({"ruleSet": rules(JIANGSU)})),
        ("Rules", "DryRunRules") => json!({"ruleSet": rules(JIANGSU)}),
        // Refusing, returning and sending back say why.
        _ => asked(json!({"key": key, "reason": "材料不全，请补充。"})),
    }
}

fn of_certificates(method: &str, season: &Season) -> Value {
    let certificate = &season.certificate_id;
    match method {
        "GetCertificate" => json!({"certificateId": certificate}),
        "GetCertificateDetails" => {
            json!({"certificateId": certificate, "personId": season.filer_id, "purpose": "对照权限"})
        }
        "ImportRegister" => json!([{"options": asked(json!({"dryRun": true}))}, {"chunk": register_file()}]),
        "SyncFromSource" => asked(json!({})),
        "SettleConflict" => asked(json!({
            "certificateId": certificate, "ordinal": 1, "side": 1, "reason": "对照权限", "fileReference": "示例2026-4",
        })),
        // What was not entered by hand is not merged: whoever may is told that.
        "MergeCertificates" => asked(json!({
            "certificateId": certificate, "intoCertificateId": season.draft.certificate_id, "reason": "对照权限",
            "fileReference": "示例2026-5",
        })),
        "RequestCorrection" => asked(json!({"certificateId": certificate, "statement": "任教学科有误，应为数学。"})),
        "AnswerCorrection" => asked(json!({
            "correctionId": season.correction_id, "state": "CORRECTION_STATE_IN_PROGRESS", "answer": "已转原发证机关核实。",
        })),
        "RestrictCertificate" => asked(json!({"certificateId": certificate, "kind": 4, "fileReference": "示例2026-2"})),
        "LiftRestriction" => asked(json!({"certificateId": certificate, "fileReference": "示例2026-3"})),
        _ => json!({}),
    }
}

fn of_scheduling(method: &str, season: &Season) -> Value {
    let (plan, window, agency) = (&season.plan_id, &season.window_id, &season.place.agency_id);
    match method {
        "ListAgencies" => json!({"province": JIANGSU, "city": "3203"}),
        "ListPoints" | "GetAgency" => json!({"agencyId": agency}),
        "ListSchools" => json!({"division": "320302"}),
        "AddAgency" => asked(json!({"division": "320302", "name": "示例教育局"})),
        "RenameAgency" => asked(json!({"agencyId": agency, "name": "示例教育局", "effectiveDate": "2026-01-01"})),
        "AbolishAgency" => asked(json!({"agencyId": agency, "effectiveDate": "2099-01-01"})),
        "AddPoint" => asked(json!({"agencyId": agency, "name": "示例第二确认点"})),
        "RenamePoint" => asked(json!({"pointId": season.place.point_id, "name": "示例第三确认点"})),
        "SetPointRange" => asked(json!({"pointId": season.place.point_id, "range": "本区教师"})),
        "ClosePoint" => asked(json!({"pointId": season.place.point_id})),
        "RenameSchool" => asked(json!({"schoolId": season.place.school_id, "name": "示例第三小学"})),
        "MoveSchool" => asked(json!({"schoolId": season.place.school_id, "agencyId": agency})),
        "CloseSchool" => asked(json!({"schoolId": season.place.school_id})),
        "AddSchool" => asked(json!({"name": "示例第二小学", "division": "320302", "agencyId": agency, "kind": "21"})),
        "ImportDirectory" => {
            let options = asked(json!({"table": "DIRECTORY_TABLE_SCHOOLS", "dryRun": true}));
            json!([{"options": options}, {"chunk": base64("行政区划,名称,隶属机构,学校类型\n".as_bytes())}])
        }
        "ExportDirectory" => json!({"table": "DIRECTORY_TABLE_AGENCIES", "division": "320302"}),
        "AddGraduateSchool" => asked(json!({"name": "示例师范学院", "province": JIANGSU, "kind": "1"})),
        "ListSubjects" => json!({"province": JIANGSU, "stage": 2}),
        "AddSubject" => asked(json!({"province": JIANGSU, "stage": 2, "subject": "书法"})),
        "SwitchSubject" => asked(json!({"province": JIANGSU, "stage": 2, "subject": "书法", "on": false})),
        "GetPlan" => json!({"province": JIANGSU}),
        "ListPlans" => json!({"batch": "示例第二批次"}),
        "PublishPlan" => asked(json!({"province": JIANGSU, "batch": "示例第二批次"})),
        "FinishPlan" => asked(json!({"planId": plan})),
        "JoinAgency" => asked(json!({"planId": plan, "agencyId": agency, "joinIn": true, "isOpen": true})),
        "OpenWindow" => asked(json!({
            "planId": plan, "agencyId": agency,
            "beginTime": "2099-03-01T00:00:00Z", "endTime": "2099-03-10T00:00:00Z", "graceMinutes": 10,
        })),
        "ExtendWindow" | "CloseWindow" => {
            asked(json!({"planId": plan, "windowId": window, "endTime": "2098-03-10T00:00:00Z"}))
        }
        // It has begun: whoever may is told that.
        "CancelWindow" => asked(json!({"planId": plan, "windowId": window})),
        "PreviewChange" => json!({"finish": {"planId": plan}}),
        "ListSupersededSubmissions" => json!({"planId": plan}),
        "AssignPoint" => {
            let assignment = json!({
                "pointId": season.place.point_id, "range": "本单位", "notes": "请携带原件。",
                "confirmBeginTime": "2026-01-01T00:00:00Z", "confirmEndTime": "2099-01-01T00:00:00Z",
            });
            asked(json!({"planId": plan, "assignment": assignment}))
        }
        "ListSlots" => json!({"pointId": season.place.point_id}),
        "PublishCapacity" => asked(json!({"slot": slot(season), "capacity": 5})),
        "BookSlot" | "MoveSlot" => asked(json!({"enrolmentNumber": season.enrolment_number, "slot": slot(season)})),
        "BookBlock" => asked(json!({"enrolmentNumbers": [season.enrolment_number], "slot": slot(season)})),
        "GetMyBooking" => json!({"enrolmentNumber": season.enrolment_number}),
        "ListBookings" => json!({"slot": slot(season)}),
        "ExportBookings" => json!({"pointId": season.place.point_id, "date": "2098-03-11"}),
        "ReleaseSlot" | "MarkNoShow" => asked(json!({"enrolmentNumber": season.enrolment_number})),
        "CheckAvailability" => question(agency),
        "WatchAvailability" => json!({"question": question(agency)}),
        _ => json!({}),
    }
}

/// Whether one may file with an agency of Xuzhou.
fn question(agency: &str) -> Value {
    json!({"province": JIANGSU, "city": "3203", "stage": 2, "agencyId": agency})
}

/// A half-day of the point that the application is filed with, far ahead.
fn slot(season: &Season) -> Value {
    json!({"pointId": season.place.point_id, "date": "2098-03-11", "halfDay": 1})
}

fn of_identity(method: &str, season: &Season) -> Value {
    match method {
        "FindPersonByNumber" => json!({"lookups": [{"number": Teacher::new(0).number(), "name": "示例"}]}),
        "GetPersonDetails" | "GetContact" => json!({"personId": season.filer_id, "purpose": "对照权限"}),
        "FindPerson" => {
            json!({"documentType": 1, "number": Teacher::new(0).number(), "purpose": "对照权限"})
        }
        "Reveal" => json!({"personId": season.filer_id, "fields": [3], "purpose": "对照权限"}),
        "GrantRole" => {
            let scope = json!({"division": "320302", "unitId": season.place.school_id});
            asked(json!({"personId": season.spare_id, "role": "ROLE_LIAISON", "scope": scope}))
        }
        "RevokeRole" => asked(json!({"personId": season.spare_id, "grantId": season.spare_grant})),
        "ImportStaff" => {
            json!([{"options": asked(json!({"dryRun": true}))}, {"chunk": base64(staff_list(season).as_bytes())}])
        }
        "EndRolesOfUnit" => asked(json!({"unitId": season.place.school_id})),
        "SettlePhoneFix" => asked(
            json!({"personId": season.filer_id, "fixId": season.fix_id, "outcome": "PHONE_FIX_OUTCOME_NOT_THE_PERSON"}),
        ),
        "ResetTotp" => asked(json!({"personId": season.spare_id})),
        "EndMySession" => json!({"sessionId": season.session_id}),
        "RecordReveal" => json!({
            "personId": season.filer_id, "fields": [3], "purpose": "对照权限", "grantId": season.spare_grant,
        }),
        _ => json!({}),
    }
}

fn of_others(method: &str, season: &Season) -> Value {
    match method {
        "MarkNoticeRead" => json!({"noticeId": season.notice_id}),
        "RebuildView" => json!({"view": "authority"}),
        "VerifyLog" => json!({"fromPosition": "1"}),
        "RewindReaction" => json!({"reaction": "on_person_erased"}),
        "ResolveFork" => json!({"step": 1, "forkDigest": "0".repeat(64), "reason": "对照权限"}),
        _ => json!({}),
    }
}

/// What stands in the answer to whoever sees the object.
pub fn shows(rpc: &str, season: &Season) -> Option<String> {
    match rpc.rsplit_once('.')?.1 {
        "Applications/ListApplications" | "Applications/WatchApplications" | "Bulk/ExportFacts" => {
            Some(season.enrolment_number.clone())
        }
        "Bulk/ImportFacts" | "Bulk/ConfirmApplications" | "Bulk/ReturnApplications" | "Bulk/PassReviews" => {
            Some(r#""outcome""#.to_owned())
        }
        // The county has passed it, and is told whose turn it is.
        "Bulk/ConcludeApplications" | "Bulk/ImportConclusions" => Some("NOT_YOUR_TURN".to_owned()),
        // Of a season in which nothing falls due, half-years hold nothing to see: that a scope is kept, applications' own tests show.
        "Statistics/CountApplications" => Some(season.place.agency_id.clone()),
        "DueDates/ListDueCertificates" | "Certificates/ListMyCertificates" => Some(season.certificate_id.clone()),
        "Sync/ImportRegister" => Some(r#""unchanged": "1""#.to_owned()),
        "Notices/ListNotices" => Some(season.notice_id.clone()),
        "Profiles/GetProfile" => Some(season.filer_id.clone()),
        // What the clerk of the county was refused before.
        "Audit/ListAudit" => Some("320302".to_owned()),
        "Staff/ListGrants" => Some(season.spare_grant.clone()),
        "PhoneFixes/ListPhoneFixes" => Some(season.fix_id.clone()),
        "StaffLists/ImportStaff" => Some(r#""granted": "1""#.to_owned()),
        "StaffLists/EndRolesOfUnit" => Some(r#""ended""#.to_owned()),
        _ => None,
    }
}

/// Facts of a first registration for which everything is in order.
fn facts() -> Value {
    json!({"ethics": 1, "health": 1, "probation": 1, "contract": 1, "trainingTotal": 360.0})
}

fn rules(province: &str) -> Value {
    json!({
        "province": province, "intervalMonths": 54, "cycleMonths": 60, "revocationBarYears": 5, "trainingUnit": "1",
        "trainingPerCycleMin": 360.0, "interruptionSemesters": 1.0, "interruptionInclusive": true,
    })
}

/// The first teacher of the register once more.
fn register_file() -> String {
    let mut file = Vec::new();
    register::write(&mut file, 1, lifecycle::clock::now().date()).unwrap();
    base64(&file)
}

/// A role at the point for somebody who may have it.
fn staff_list(season: &Season) -> String {
    let (spare, point) = (&season.spare, &season.place.point_id);
    let row = format!("居民身份证,{},{},确认点工作人员,320302,{point}", spare.number(), spare.name());
    format!("证件类型,证件号码,姓名,角色,行政区划,单位\n{row}\n")
}

/// Bytes as they stand in JSON.
fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
