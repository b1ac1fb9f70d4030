//! `Texts`: what provinces tell their applicants.

use access::Caller;
use eventlog::Division;
use lifecycle::Lifecycle;
use prost::Message as _;
use proto::applications::v1::texts_server::Texts;
use proto::applications::v1::{self as wire};
use proto::identity::v1::Role;
use tonic::{Request, Response, Status};

use super::render::int;
use super::request::Parsing;
use crate::domain::text::{Unfit, judge, known_name};
use crate::error::Error;
use crate::handle::Handle;

/// The service.
pub struct TextsApi {
    /// Use cases.
    pub handle: Handle,
    /// Runs the bodies of commands.
    pub lifecycle: Lifecycle,
}

#[tonic::async_trait]
impl Texts for TextsApi {
    async fn publish_text(
        &self,
        request: Request<wire::PublishTextRequest>,
    ) -> Result<Response<wire::PublishTextResponse>, Status> {
        let caller = Caller::of(&request);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let province = parsing.province("province", &message.province);
        let name = known_name(&message.name);
        parsing.violations().check("name", name.is_some(), "UNKNOWN_TEXT", "没有这一文本，请重新选择。");
        if let Err(unfit) = judge(&message.body) {
            let (reason, sentence) = told(unfit);
            parsing.violations().add("body", reason, sentence);
        }
        parsing.done()?;
        let not_found = || Error::NotFound { kind: "text" };
        let (province, name) = province.zip(name).ok_or_else(not_found)?;
        if province == Division::NONE || !caller.holds_for_division(Role::RuleOfficer, province) {
            return Err(not_found().into());
        }
        let handle = self.handle.clone();
        let body = async move {
            let render = |text: &crate::domain::text::TextRef| {
                let (version, digest) = (int(text.version), text.digest.clone());
                wire::PublishTextResponse { version, digest, position: 0 }.encode_to_vec()
            };
            handle.publish_text(&asked, &message.province, name, &message.body, render).await
        };
        let (answer, position) = rpc::run(&self.lifecycle, body).await?;
        let published = wire::PublishTextResponse::decode(answer.as_slice());
        let published = published.map_err(|_| Error::Corrupt(crate::store::Corrupt { kind: "answer".to_owned() }))?;
        Ok(Response::new(wire::PublishTextResponse { position, ..published }))
    }
}

fn told(unfit: Unfit) -> (&'static str, &'static str) {
    match unfit {
        Unfit::Empty => ("REQUIRED", "请填写文本内容。"),
        Unfit::TooLong => ("TOO_LONG", "不能超过20000个字。"),
        Unfit::NotPlain => ("NOT_PLAIN_TEXT", "只能是分行的纯文本，不能含有制表符等控制字符。"),
        Unfit::NumberInIt => ("NUMBER_IN_TEXT", "公开文本中不能出现15位及以上的数字，以免泄露个人证件或证书号码。"),
    }
}
