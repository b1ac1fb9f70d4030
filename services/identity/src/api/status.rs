//! From the service's error to the status that its caller reads.

use std::time::Duration;

use rpc::Refusal;
use tonic::{Code, Status};

use super::convert;
use crate::domain::account::Rejection;
use crate::domain::role::Role;
use crate::error::Error;

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let refusal = match error {
            Error::Profile(flaws) => Refusal::invalid(convert::profile_violations(flaws)),
            Error::NotFound => Refusal::not_found("person", ""),
            Error::Rejected(rejection) => rejected(rejection),
            Error::WrongCode => Refusal::rejected("WRONG_CODE", "验证码不正确，请按最近一条短信重新填写。"),
            Error::CodeExpired => {
                Refusal::rejected("CODE_EXPIRED", "验证码已失效（超过5分钟、错误次数过多或已使用），请重新获取验证码。")
            }
            Error::WrongEmailCode => {
                Refusal::rejected("WRONG_EMAIL_CODE", "邮箱验证码不正确，请按最近一封邮件重新填写。")
            }
            Error::EmailCodeExpired => Refusal::rejected(
                "EMAIL_CODE_EXPIRED",
                "邮箱验证码已失效（超过5分钟、错误次数过多或已使用），请重新获取验证码。",
            ),
            Error::WrongPassword => {
                Refusal::rejected("WRONG_PASSWORD", "密码不正确，请核对后重试；连续5次不正确，该账号将锁定15分钟。")
            }
            Error::LegacyAccount => Refusal::rejected(
                "LEGACY_ACCOUNT",
                "该账号注册于2019年3月1日前，不能重置密码，请重新注册账号；注册成功后原账号即被替换。",
            ),
            Error::RecoveryExpired => {
                Refusal::rejected("RECOVERY_EXPIRED", "本次找回密码已超过30分钟，请重新填写证件信息。")
            }
            Error::LinkExpired => Refusal::rejected(
                "LINK_EXPIRED",
                "链接无效、已使用或已超过24小时，请在登录页面点击忘记密码，重新获取链接。",
            ),
            Error::RealNameUnavailable => Refusal::unavailable("real-name"),
            Error::WechatUnavailable => Refusal::unavailable("wechat"),
            Error::WechatTicketExpired => Refusal::rejected(
                "WECHAT_TICKET_EXPIRED",
                "二维码已失效（超过5分钟或已使用），请重新获取二维码后用微信扫描。",
            ),
            Error::WechatNotScanned => {
                Refusal::rejected("WECHAT_NOT_SCANNED", "尚未扫码，请用微信扫描二维码并关注服务号。")
            }
            Error::WechatTaken => {
                Refusal::rejected("WECHAT_TAKEN", "该微信已绑定其他账号，请先在该账号的个人信息中心解除绑定。")
            }
            Error::TooManyChecks { retry_after } => Refusal::new(
                Code::ResourceExhausted,
                "TOO_MANY_CHECKS",
                "实名核验已连续提交5次，请核对证件上的姓名，15分钟后再试。",
            )
            .retry_after(whole_seconds(retry_after)),
            Error::TooSoon { retry_after } => {
                Refusal::new(Code::ResourceExhausted, "TOO_SOON", "60秒内只能获取一次验证码，请稍后再试。")
                    .retry_after(whole_seconds(retry_after))
            }
            Error::WrongCredentials => Refusal::unauthenticated(
                "WRONG_CREDENTIALS",
                "证件号码或密码不正确，请核对后重试；连续5次不正确，该账号将锁定15分钟。",
            ),
            Error::LockedOut { retry_after } => {
                let minutes = retry_after.whole_seconds().div_euclid(60) + 1;
                let sentence = format!("密码连续多次不正确，该账号已锁定，请在约{minutes}分钟后再试。");
                Refusal::new(Code::ResourceExhausted, "LOCKED_OUT", sentence).retry_after(whole_seconds(retry_after))
            }
            Error::Busy => Refusal::new(Code::ResourceExhausted, "BUSY", "当前登录和注册的人数较多，请稍后再试。")
                .retry_after(Duration::from_secs(2)),
            Error::PuzzleWrong => Refusal::rejected("PUZZLE_WRONG", "拼图没有对准缺口，请获取新的拼图后重新拖动滑块。"),
            Error::PuzzleExpired => Refusal::rejected(
                "PUZZLE_EXPIRED",
                "拼图验证已失效（超过2分钟、已使用或不是为该证件号码生成），请获取新的拼图后重试。",
            ),
            Error::Throttled { retry_after } => Refusal::throttled(whole_seconds(retry_after)),
            Error::SessionEnded => Refusal::unauthenticated("SESSION_ENDED", "登录已结束，请重新登录。"),
            Error::CodeSignInRequired => Refusal::rejected(
                "CODE_SIGN_IN_REQUIRED",
                "绑定动态口令须使用短信验证码登录，请退出后改用短信验证码登录，再进行绑定。",
            ),
            Error::WrongTotp => {
                Refusal::rejected("WRONG_TOTP", "动态口令不正确，请核对手机时间后填写当前显示的6位数字。")
            }
            Error::TotpSpent => Refusal::rejected("TOTP_SPENT", "该动态口令已使用过，请等待显示下一个口令后重新填写。"),
            Error::TotpLocked { retry_after } => {
                let minutes = retry_after.whole_seconds().div_euclid(60) + 1;
                let sentence = format!("动态口令连续多次不正确，已锁定，请在约{minutes}分钟后再试。");
                Refusal::new(Code::ResourceExhausted, "TOTP_LOCKED", sentence).retry_after(whole_seconds(retry_after))
            }
            Error::NoSuchSession => Refusal::not_found("session", ""),
            Error::NotDelivered => Refusal::unavailable("notifications"),
            Error::NoSigningKey => Refusal::unavailable("signing-key"),
            Error::RequestIdReused => Refusal::rejected(
                "REQUEST_ID_REUSED",
                "该请求编号已用于内容不同的另一请求，请使用新的请求编号重新提交。",
            ),
            Error::NotReady => {
                Refusal::new(Code::Unavailable, "REFERENCE_NOT_READY", "单位名录还在加载中，请稍后再试。")
                    .retry_after(Duration::from_secs(2))
            }
            Error::ViewBehind => Refusal::new(Code::Unavailable, "VIEW_BEHIND", "最近的更改还在处理中，请稍后再查询。")
                .retry_after(Duration::from_secs(1)),
            Error::StandingUnknown => {
                Refusal::new(Code::Unavailable, "REFERENCE_NOT_READY", "系统暂时无法核实您的申请情况，请稍后再试。")
                    .retry_after(Duration::from_secs(5))
            }
            Error::Conflict => Refusal::conflict(),
            Error::Overloaded { retry_after } => Refusal::overloaded(retry_after),
            Error::Unavailable => Refusal::unavailable("database"),
            Error::Append(_) | Error::Read(_) | Error::Storage(_) | Error::Vault(_) | Error::Corrupt(_) => {
                internal(&error)
            }
        };
        refusal.into()
    }
}

/// No account has the number.
pub(super) fn unknown_person() -> Refusal {
    Refusal::rejected("UNKNOWN_PERSON", "没有找到该人员，请其先注册账号。")
}

/// Number and name are not those of one account; which of them is wrong is not said.
pub(super) fn person_mismatch() -> Refusal {
    Refusal::rejected("PERSON_MISMATCH", "证件号码与姓名不一致，请与本人核对后重新填写。")
}

/// What the rules forbid.
pub(super) fn rejected(rejection: Rejection) -> Refusal {
    match rejection {
        Rejection::UnknownPerson => unknown_person(),
        Rejection::ProfileIncomplete => {
            Refusal::rejected("PROFILE_INCOMPLETE", "请先在个人信息中心完善个人身份信息，再办理业务。")
        }
        Rejection::ProfileAlreadyComplete => {
            Refusal::rejected("PROFILE_ALREADY_COMPLETE", "个人身份信息已经完善，如需更改，请在个人信息中心修改。")
        }
        Rejection::AlreadyGranted => Refusal::rejected("ALREADY_GRANTED", "该人员在此范围内已有该角色，无需重复授予。"),
        Rejection::RolesExcludeEachOther(held, asked) => Refusal::rejected(
            "ROLES_EXCLUDE_EACH_OTHER",
            format!("该人员已是{}，不能同时担任{}；系统、安全、审计管理须由不同人员担任。", title(held), title(asked)),
        ),
        Rejection::OwnRole => Refusal::forbidden("OWN_ROLE", "不能为自己授予角色，请由其他安全管理员办理。"),
        Rejection::OutsideScope => {
            Refusal::forbidden("OUTSIDE_SCOPE", "该范围不在您的管理范围之内，请由上级安全管理员办理。")
        }
        Rejection::UnknownUnit => {
            Refusal::rejected("UNKNOWN_UNIT", "没有找到该角色所属的学校、确认点或注册机构，请按单位编号核对。")
        }
        Rejection::UnitElsewhere => {
            Refusal::rejected("UNIT_ELSEWHERE", "该单位不在所填的行政区划内，请按单位所在的行政区划填写。")
        }
        Rejection::NotStaff => Refusal::rejected("ONLY_FOR_STAFF", "动态口令仅供工作人员使用，您的账号无需绑定。"),
        Rejection::TotpAlreadyEnrolled => {
            Refusal::rejected("TOTP_ALREADY_ENROLLED", "您已绑定动态口令；如设备遗失，请联系安全管理员重置后重新绑定。")
        }
        Rejection::TotpNotEnrolled => Refusal::rejected("TOTP_NOT_ENROLLED", "尚未绑定动态口令，请先完成绑定。"),
        Rejection::OwnTotp => Refusal::forbidden("OWN_TOTP", "不能重置自己的动态口令，请由其他安全管理员办理。"),
        Rejection::WechatAlreadyBound => {
            Refusal::rejected("WECHAT_ALREADY_BOUND", "该账号已绑定微信，如需更换，请先解除绑定。")
        }
        Rejection::WechatNotBound => Refusal::rejected("WECHAT_NOT_BOUND", "该账号尚未绑定微信，无需解除。"),
        Rejection::UnknownFix => {
            Refusal::rejected("UNKNOWN_FIX", "没有找到这项手机号码修改申请，可能已经处理，请刷新后再试。")
        }
        Rejection::OwnAccount => Refusal::forbidden("OWN_ACCOUNT", "不能处理本人账号的申请，请由其他服务台人员办理。"),
        Rejection::PersonElsewhere => Refusal::forbidden(
            "PERSON_ELSEWHERE",
            "该人员不属于您所服务的省份，不能为其更换手机号码；请不予通过，由本人重新提交申请。",
        ),
        Rejection::UnknownGrant => {
            Refusal::rejected("UNKNOWN_GRANT", "没有找到该人员的这项角色，可能已被收回，请刷新后再试。")
        }
        Rejection::ApplicationOpen => Refusal::rejected(
            "APPLICATION_OPEN",
            "您有尚未办结的定期注册申请，暂不能注销账号；请先撤回申请，或待注册结论作出后再申请注销。",
        ),
        Rejection::RolesHeld => {
            Refusal::rejected("ROLES_HELD", "您的账号仍有工作角色，请先请安全管理员收回全部角色，再申请注销。")
        }
        Rejection::NotRestricted => Refusal::rejected("NOT_RESTRICTED", "该账号没有待处理的注销申请，无需撤回。"),
        Rejection::Restricted => {
            Refusal::rejected("ACCOUNT_RESTRICTED", "该人员已申请注销账号，不能授予角色；请其先撤回注销申请。")
        }
    }
}

/// How a role is called in Chinese, here and in lists of staff.
pub(super) fn title(role: Role) -> &'static str {
    match role {
        Role::Liaison => "学校老师",
        Role::Clerk => "确认点工作人员",
        Role::Reviewer => "审核人员",
        Role::ScheduleOfficer => "计划管理员",
        Role::RuleOfficer => "规则管理员",
        Role::Helpdesk => "服务台人员",
        Role::Operator => "系统管理员",
        Role::SecurityAdmin => "安全管理员",
        Role::Auditor => "审计管理员",
        Role::RegisterOfficer => "证书登记管理员",
    }
}

fn whole_seconds(duration: time::Duration) -> Duration {
    Duration::from_secs(duration.whole_seconds().max(0).unsigned_abs() + 1)
}

/// Logged once, here, with all its causes.
fn internal(error: &Error) -> Refusal {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(%error, cause, "a call failed");
    Refusal::internal(rpc::request_id())
}
