//! A person who binds a WeChat, recovers through it and unbinds it; their openid is looked for afterwards.

use proto::identity::v1 as api;
use proto::identity::v1::recovery_client::RecoveryClient;

use crate::canary::{dump, listen};
use crate::desk::{Desk, Teacher};
use crate::wechat::{bind, reset_by_wechat, wechat};

#[tokio::test]
async fn the_openid_of_a_canary_is_found_nowhere_but_at_the_gateway() {
    let lines = listen();
    let canary = Teacher { name: "金丝雀".to_owned(), ..Teacher::new(778) };
    let openid = "oKanarienvogel_778";
    let desk = Desk::open().await;
    let token = desk.newcomer(&canary).await.access_token;
    bind(&desk, &token, &canary, openid).await;
    let reset = reset_by_wechat(&desk, &canary, || desk.wechat.codes(openid)).await;
    RecoveryClient::new(desk.identity.anyone()).reset_password_by_code(reset.clone()).await.unwrap();
    let request_id = lifecycle::ids::random().to_string();
    let unbind = api::UnbindWechatRequest { request_id, password: reset.new_password };
    wechat(&desk, &token).unbind_wechat(unbind).await.unwrap();
    // Taken by another account: what is refused says nothing of the first.
    let other = Teacher::new(2);
    let others = desk.newcomer(&other).await.access_token;
    bind(&desk, &others, &other, openid).await;
    let ticket = api::BeginWechatBindingRequest { password: other.password.clone() };
    let refused = format!("{:?}", wechat(&desk, &others).begin_wechat_binding(ticket).await.unwrap_err());

    let stored = dump(&desk.identity.service.ground.pool).await;
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("UnbindWechat") && stored.contains("dingzhu.identity.v1.WechatUnbound"));
    let bytes = hex::encode(openid);
    for (place, text) in [("log", &logged), ("refusals", &refused), ("database", &stored)] {
        assert!(!text.contains(openid), "the openid is in the {place}");
        assert!(!text.to_lowercase().contains(&bytes), "the openid is in the {place}, as bytes");
    }
}
