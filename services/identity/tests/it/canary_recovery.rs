//! A person who changes and recovers everything; their data is looked for afterwards, in logs, refusals and tables.

use proto::identity::v1 as api;
use proto::identity::v1::real_name_client::RealNameClient;
use proto::identity::v1::recovery_client::RecoveryClient;

use crate::canary::{dump, listen};
use crate::credentials::{email_change, password_change, phone_change};
use crate::desk::{Desk, Teacher};
use crate::recovery::{reset_by_code, reset_by_link, start};

#[tokio::test]
async fn a_canary_that_recovers_and_changes_everything_is_found_nowhere() {
    let lines = listen();
    let canary = Teacher { name: "金丝雀".to_owned(), password: "Kanarienvogel77#".to_owned(), ..Teacher::new(777) };
    let (email, new_phone, new_name) = ("canary77@school.example", "10000077777", "夜莺歌");
    let register = format!("number,name\n{},{new_name}\n", canary.number);
    let desk = Desk::open_with(|folder| {
        let path = folder.join("names.csv");
        std::fs::write(&path, register).unwrap();
        identity::real_name::Settings { real_name_file: Some(path), ..Default::default() }
    })
    .await;
    let mut refused = Vec::new();
    let token = desk.newcomer(&canary).await.access_token;
    let change = email_change(&desk, &token, &canary, email).await;
    let wrong = api::ChangeEmailRequest { code: "000000".to_owned(), ..change.clone() };
    refused.extend(desk.credentials(&token).change_email(wrong).await.err());
    desk.credentials(&token).change_email(change).await.unwrap();
    let change = phone_change(&desk, &token, &canary, new_phone).await;
    let wrong = api::ChangePhoneRequest { password: "wrong99#".to_owned(), ..change.clone() };
    refused.extend(desk.credentials(&token).change_phone(wrong).await.err());
    desk.credentials(&token).change_phone(change).await.unwrap();
    let canary = Teacher { phone: new_phone.to_owned(), ..canary };
    let mut real_name = RealNameClient::new(desk.identity.with_token(&token));
    for name in [canary.name.as_str(), new_name] {
        let request_id = lifecycle::ids::random().to_string();
        real_name.verify_real_name(api::VerifyRealNameRequest { request_id, name: name.to_owned() }).await.unwrap();
    }
    let canary = Teacher { name: new_name.to_owned(), ..canary };
    desk.credentials(&token).change_password(password_change(&canary)).await.unwrap();
    let mut recovery = RecoveryClient::new(desk.identity.anyone());
    let by_link = reset_by_link(&desk, &canary, email).await;
    recovery.reset_password_by_link(by_link.clone()).await.unwrap();
    let again = api::ResetPasswordByLinkRequest { request_id: lifecycle::ids::random().to_string(), ..by_link.clone() };
    refused.extend(recovery.reset_password_by_link(again).await.err());
    let by_code = reset_by_code(&desk, &canary).await;
    recovery.reset_password_by_code(by_code).await.unwrap();
    recovery.start_recovery(start(&Teacher { name: "金丝鸟".to_owned(), ..canary.clone() })).await.unwrap();
    assert_eq!(refused.len(), 3);

    let refused: Vec<String> =
        refused.iter().map(|status| format!("{status:?} {}", hex::encode(status.details()))).collect();
    let refused = refused.join(" ");
    let stored = dump(&desk.identity.service.ground.pool).await;
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("ResetPasswordByLink") && stored.contains("dingzhu.identity.v1.NameChanged"));
    for secret in [
        canary.number.as_str(),
        "金丝雀",
        new_name,
        "10000000777",
        new_phone,
        email,
        by_link.token.as_str(),
        "another99#",
    ] {
        let bytes = hex::encode(secret);
        for (place, text) in [("log", &logged), ("refusals", &refused), ("database", &stored)] {
            assert!(!text.contains(secret), "{secret} is in the {place}");
            assert!(!text.to_lowercase().contains(&bytes), "{secret} is in the {place}, as bytes");
        }
    }
}
