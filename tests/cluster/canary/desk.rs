//! What staff do with canaries, and a canary that is staff itself: lists, second factor, roles, the helpdesk (identity).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cluster::actor::Actor;
use cluster::journey::{Place, request_id};
use cluster::{Cluster, Service, totp};
use serde_json::{Value, json};

use super::account::anew;
use super::api::Api;
use super::person::Canary;

/// Bytes of a file as they stand in JSON.
pub fn packed(file: &str) -> String {
    STANDARD.encode(file)
}

/// An account of the old system: imported from a file with lines that are not taken, and sent to register again.
pub async fn import_from_the_old_system(cluster: &Cluster, canary: &mut Canary) {
    let (number, name) = (&canary.papers.number, &canary.papers.name);
    let folder = &cluster.layout().folder;
    let (file, report) = (folder.join("legacy.csv"), folder.join("legacy-report.csv"));
    let rows = format!("{number},{name},2018-05-01T08:00:00+08:00\n{number},{name}乙,x\n1,{name},x\n");
    std::fs::write(&file, format!("number,name,created_at\n{rows}")).unwrap();
    let arguments = ["import-legacy", "--file", &file.to_string_lossy(), "--report", &report.to_string_lossy()];
    let printed = cluster.run(Service::Identity, &arguments).await.unwrap();
    canary.refused.push(printed);
    canary.must_be_refused("Recovery/StartRecovery", canary.recovery()).await;
}

/// 人员名单: the canary becomes the helpdesk of Jiangsu and a teacher in charge at a school; a row that names somebody else is rejected.
pub async fn list_as_staff(api: &Api, chief: &Actor, canary: &mut Canary, school_id: &str) {
    let (number, name) = (canary.papers.number.clone(), canary.papers.name.clone());
    let kind = "港澳居民来往内地通行证";
    let list = format!(
        "证件类型,证件号码,姓名,角色,行政区划,单位\n{kind},{number},{name},服务台人员,320000,\n\
         {kind},{number},{name},学校老师,320303,{school_id}\n{kind},{number},金丝雀错,学校老师,320303,{school_id}\n"
    );
    for dry in [true, false] {
        let parts = json!([{"options": {"requestId": request_id(), "dryRun": dry}}, {"chunk": packed(&list)}]);
        let report = api.once(chief, "StaffLists/ImportStaff", parts).await;
        assert_eq!((&report["granted"], &report["rejected"]), (&json!("2"), &json!("1")), "{report}");
        canary.refused.push(report.to_string());
    }
}

/// 动态口令: enrolled, shown in another session, taken away by an administrator, enrolled anew.
pub async fn pass_second_factors(api: &Api, chief: &Actor, canary: &mut Canary) {
    canary.sign_in().await;
    let now = enrol(canary).await;
    let next = canary.sign_in().await;
    assert_eq!(next["secondFactor"], "SECOND_FACTOR_STEP_VERIFY");
    canary.must_be_refused("SecondFactor/VerifyTotp", json!({"code": totp::code(&now.secret, now.at).unwrap()})).await;
    // One that nobody has used yet counts half a minute early.
    let code = totp::code(&now.secret, now.at + totp::STEP).unwrap();
    let passed = canary.tell("SecondFactor/VerifyTotp", json!({"code": code})).await;
    canary.hold(&passed["tokens"]);
    let reset = json!({"requestId": request_id(), "personId": canary.person_id});
    api.must(chief, "SecondFactor/ResetTotp", reset).await;
    canary.sign_in().await;
    enrol(canary).await;
}

struct Enrolled {
    secret: String,
    at: u64,
}

async fn enrol(canary: &mut Canary) -> Enrolled {
    let enrolled = canary.tell("SecondFactor/EnrolTotp", json!({})).await;
    let secret = canary.say(enrolled["secret"].as_str().unwrap());
    let at = lifecycle::clock::now().unix_timestamp().unsigned_abs();
    let confirm = json!({"code": totp::code(&secret, at).unwrap()});
    let confirmed = canary.tell("SecondFactor/ConfirmTotp", confirm).await;
    canary.hold(&confirmed["tokens"]);
    Enrolled { secret, at }
}

/// A further role: 终审 of the province.
pub async fn grant_review(api: &Api, chief: &Actor, canary: &Canary) {
    let agencies = json!({"province": "32", "city": "3203"});
    let listed = api.must(chief, "scheduling.v1.Directory/ListAgencies", agencies).await;
    let agencies = listed["agencies"].as_array().unwrap();
    let agency = agencies.iter().find(|agency| agency["division"] == "320000").unwrap();
    let scope = json!({"division": "320000", "unitId": agency["agencyId"]});
    let grant =
        json!({"requestId": request_id(), "personId": canary.person_id, "role": "ROLE_REVIEWER", "scope": scope});
    api.must(chief, "Staff/GrantRole", grant.clone()).await;
    let again = api.ask(Some(chief), "Staff/GrantRole", anew(grant)).await;
    assert!(again.is_err());
}

/// A school of another county than the place's.
pub async fn another_school(api: &Api, who: &Actor, place: &Place) -> String {
    let listed = api.must(who, "scheduling.v1.Directory/ListSchools", json!({"division": "320303"})).await;
    let school = listed["schools"][0]["schoolId"].as_str().unwrap().to_owned();
    assert_ne!(school, place.school_id);
    school
}

/// Every role of the canary ends: by unit, and one by one.
pub async fn end_roles(api: &Api, chief: &Actor, canary: &Canary, school_id: &str) {
    api.must(chief, "StaffLists/EndRolesOfUnit", json!({"requestId": request_id(), "unitId": school_id})).await;
    let listed = api.must(chief, "Staff/ListGrants", json!({"personId": canary.person_id})).await;
    for grant in listed["grants"].as_array().unwrap() {
        let revoke = json!({"requestId": request_id(), "personId": canary.person_id, "grantId": grant["grantId"]});
        let revoked = api.ask(Some(chief), "Staff/RevokeRole", revoke).await;
        // The list may still hold what ended a moment ago.
        assert!(revoked.is_ok() || grant["scope"]["unitId"] == school_id, "{revoked:?}");
    }
}

/// 服务台: the canary's request for another phone is read and settled, then their data is shown for a purpose.
pub async fn help(api: &Api, helpdesk: &Actor, canary: &mut Canary) -> String {
    let evidence = canary.ask_for_another_phone().await;
    let fix = api
        .until(helpdesk, "PhoneFixes/ListPhoneFixes", json!({}), |listed| {
            listed["fixes"].as_array().and_then(|fixes| fixes.first().cloned())
        })
        .await;
    assert_eq!(fix["evidence"], Value::String(evidence), "the helpdesk reads the evidence");
    let settle = json!({"requestId": request_id(), "personId": fix["personId"], "fixId": fix["fixId"], "outcome": 1});
    api.must(helpdesk, "PhoneFixes/SettlePhoneFix", settle).await;
    canary.sign_in().await;
    let purpose = canary.say("应金丝雀本人要求核对账号信息");
    let papers = &canary.papers;
    let find = json!({"documentType": papers.document_type, "number": papers.number, "purpose": purpose});
    let found = api.must(helpdesk, "AccessLog/FindPerson", find).await;
    assert_eq!(found["personId"], Value::String(canary.person_id.clone()));
    let reveal = json!({"personId": canary.person_id, "fields": [1, 2, 3, 4, 5], "purpose": purpose});
    let revealed = api.must(helpdesk, "AccessLog/Reveal", reveal).await;
    assert_eq!(revealed["name"], Value::String(canary.papers.name.clone()));
    purpose
}
