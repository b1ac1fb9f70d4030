//! Binding and unbinding a WeChat: given, when, then.

use decider::testing::given;

use super::*;

const OPENID: [u8; 32] = [8; 32];

pub fn bind(openid_hash: [u8; 32]) -> Command {
    Command::BindWechat { openid_hash }
}

fn bound() -> Event {
    Event::WechatBound { openid_hash: OPENID }
}

#[test]
fn an_account_has_one_wechat_at_a_time() {
    given::<Account>([registered()]).when(bind(OPENID)).then([bound()]);
    given::<Account>([registered(), bound()]).when(bind(OPENID)).then_nothing();
    given::<Account>([registered(), bound()]).when(bind([9; 32])).then_refused(&Rejection::WechatAlreadyBound);
    given::<Account>([registered(), bound(), Event::WechatUnbound]).when(bind(OPENID)).then([bound()]);
}

#[test]
fn what_is_not_bound_cannot_be_unbound() {
    given::<Account>([registered(), bound()]).when(Command::UnbindWechat).then([Event::WechatUnbound]);
    given::<Account>([registered()]).when(Command::UnbindWechat).then_refused(&Rejection::WechatNotBound);
    given::<Account>([registered(), bound(), Event::WechatUnbound])
        .when(Command::UnbindWechat)
        .then_refused(&Rejection::WechatNotBound);
}

#[test]
fn nobody_has_no_wechat() {
    for command in [bind(OPENID), Command::UnbindWechat] {
        given::<Account>([]).when(command.clone()).then_refused(&Rejection::UnknownPerson);
        given::<Account>([Event::Imported(legacy::imported())]).when(command).then_refused(&Rejection::UnknownPerson);
    }
}
