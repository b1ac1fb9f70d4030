//! `Secrets`: one-time codes from identity, sent at once and never kept.

use lifecycle::Lifecycle;
use proto::notifications::v1::secrets_server;
use proto::notifications::v1::{Channel, DeliverRequest, DeliverResponse};
use rpc::Violations;
use tonic::{Request, Response, Status};

use crate::domain::address::{MailAddress, Phone};
use crate::domain::template::Template;
use crate::handle::{Code, Destination, Handle, Secret};
use crate::store::notice;
use crate::templates::{Catalogue, SECRETS};

/// The RPC service.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// The use cases.
    pub handle: Handle,
    /// Runs what must not end with its caller.
    pub lifecycle: Lifecycle,
}

#[tonic::async_trait]
impl secrets_server::Secrets for Secrets {
    async fn deliver(&self, request: Request<DeliverRequest>) -> Result<Response<DeliverResponse>, Status> {
        let secret = parse(request.into_inner())?;
        let handle = self.handle.clone();
        rpc::run(&self.lifecycle, async move { handle.deliver_secret(&secret).await }).await?;
        Ok(Response::new(DeliverResponse {}))
    }
}

fn parse(request: DeliverRequest) -> Result<Secret, Violations> {
    let mut violations = Violations::new();
    let id = rpc::parse_uuid("request_id", &request.request_id, &mut violations);
    let template = parse_template(&request, &mut violations);
    let to = parse_destination(&request, &mut violations);
    if let Some(template) = template {
        let goes = notice::channel(request.channel).is_none_or(|channel| template.channels.contains(&channel));
        violations.check("channel", goes, "CHANNEL_NOT_OFFERED", "该消息不支持通过此渠道发送。");
        let secret = request.secret.as_str();
        if template.placeholders().next().is_none() {
            violations.check("secret", secret.is_empty(), "NOT_ALLOWED", "该消息不含验证码，此项应为空。");
        } else {
            let fits = (4..=64).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
            violations.check("secret", fits, "MALFORMED", "验证码应为4至64位字母或数字。");
        }
    }
    match (id, template, to, violations.is_empty()) {
        (Some(request_id), Some(template), Some(to), true) => {
            Ok(Secret { request: request_id, to, template, code: Code(request.secret) })
        }
        _ => Err(violations),
    }
}

fn parse_template(request: &DeliverRequest, violations: &mut Violations) -> Option<&'static Template> {
    let name = SECRETS.iter().find(|name| **name == request.template);
    let template = name.and_then(|name| Catalogue::shipped().in_force(name));
    violations.check("template", template.is_some(), "UNKNOWN_VALUE", "没有这个一次性消息模板。");
    template
}

fn parse_destination(request: &DeliverRequest, violations: &mut Violations) -> Option<Destination> {
    let to = match Channel::try_from(request.channel) {
        Ok(Channel::Sms) => Phone::parse(&request.address).map(Destination::Sms),
        Ok(Channel::Mail) => MailAddress::parse(&request.address).map(Destination::Mail),
        Ok(Channel::Inbox | Channel::Unspecified) | Err(_) => {
            violations.add("channel", "UNKNOWN_VALUE", "一次性消息只能通过短信或邮件发送。");
            return None;
        }
    };
    violations.check("address", to.is_some(), "MALFORMED", "手机号码应为11位数字，或填写正确的电子邮箱。");
    to
}
