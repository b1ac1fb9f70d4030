//! How the API says no: a status with a stable reason, a Chinese sentence, and what to do next, in google.rpc details.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::Violations;

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "dingzhu";
const LOCALE: &str = "zh-CN";

/// Reason of [`Refusal::invalid`].
pub const INVALID_FIELDS: &str = "INVALID_FIELDS";
/// Reason of [`Refusal::not_found`].
pub const NOT_FOUND: &str = "NOT_FOUND";
/// Reason of [`Refusal::conflict`].
pub const CONFLICT: &str = "CONFLICT";
/// Reason of [`Refusal::throttled`].
pub const THROTTLED: &str = "THROTTLED";
/// Reason of [`Refusal::overloaded`].
pub const OVERLOADED: &str = "OVERLOADED";
/// Reason of [`Refusal::unavailable`].
pub const DEPENDENCY_UNAVAILABLE: &str = "DEPENDENCY_UNAVAILABLE";
/// Reason of [`Refusal::deadline_exceeded`].
pub const DEADLINE_EXCEEDED: &str = "DEADLINE_EXCEEDED";
/// Reason of [`Refusal::shutting_down`].
pub const SHUTTING_DOWN: &str = "SHUTTING_DOWN";

/// A status travels in one block of headers, which many clients limit to 16 KiB: more violations than these are left
/// for the next attempt.
const MAX_VIOLATIONS: usize = 64;

/// A refusal on its way to the caller; becomes a [`Status`].
#[derive(Debug, Clone)]
pub struct Refusal {
    code: Code,
    reason: Cow<'static, str>,
    sentence: Cow<'static, str>,
    metadata: HashMap<String, String>,
    /// Boxed, since every fallible function of the API carries a refusal in its result.
    details: Box<ErrorDetails>,
}

impl Refusal {
    /// A refusal of any code; prefer the constructors below, which are the table of all errors.
    pub fn new(code: Code, reason: impl Into<Cow<'static, str>>, sentence: impl Into<Cow<'static, str>>) -> Self {
        let (reason, sentence) = (reason.into(), sentence.into());
        Self { code, reason, sentence, metadata: HashMap::new(), details: Box::default() }
    }

    /// Fields of the request are wrong: all of them, each with its reason and sentence.
    pub fn invalid(violations: Violations) -> Self {
        let mut refusal =
            Self::new(Code::InvalidArgument, INVALID_FIELDS, "填写的内容有误,请按各项提示修改后重新提交。");
        let fields: Vec<_> = violations
            .into_iter()
            .take(MAX_VIOLATIONS)
            .map(|violation| FieldViolation {
                field: violation.field.into_owned(),
                reason: violation.reason.into_owned(),
                description: violation.sentence.into_owned(),
                localized_message: None,
            })
            .collect();
        refusal.details.set_bad_request(fields);
        refusal
    }

    /// There is none of that name, or it is not the caller's to know.
    pub fn not_found(resource_type: &str, name: &str) -> Self {
        Self::new(Code::NotFound, NOT_FOUND, "没有找到所请求的内容,请核对后再试。").resource(resource_type, name)
    }

    /// The rules forbid it in the present state.
    pub fn rejected(reason: impl Into<Cow<'static, str>>, sentence: impl Into<Cow<'static, str>>) -> Self {
        let mut refusal = Self::new(Code::FailedPrecondition, reason, sentence);
        refusal.details.add_precondition_failure_violation(refusal.reason.as_ref(), "", refusal.sentence.as_ref());
        refusal
    }

    /// Others changed the same thing at the same time, more than once: the caller may repeat the same request.
    pub fn conflict() -> Self {
        Self::new(Code::Aborted, CONFLICT, "该内容正被同时修改,请稍后用同一请求重试。")
            .retry_after(Duration::from_millis(200))
    }

    /// Nobody is signed in, or not any more.
    pub fn unauthenticated(reason: impl Into<Cow<'static, str>>, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Unauthenticated, reason, sentence)
    }

    /// Signed in, but without this right.
    pub fn forbidden(reason: impl Into<Cow<'static, str>>, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::PermissionDenied, reason, sentence)
    }

    /// This caller asks too often.
    pub fn throttled(retry_after: Duration) -> Self {
        Self::new(Code::ResourceExhausted, THROTTLED, "操作过于频繁,请稍后再试。").retry_after(retry_after)
    }

    /// The service has as many calls in hand as it can do; nothing was begun.
    pub fn overloaded(retry_after: Duration) -> Self {
        Self::new(Code::ResourceExhausted, OVERLOADED, "当前使用人数较多,请稍后再试,已填写的内容不会丢失。")
            .retry_after(retry_after)
    }

    /// Something this service needs does not answer.
    pub fn unavailable(dependency: &'static str) -> Self {
        Self::new(Code::Unavailable, DEPENDENCY_UNAVAILABLE, "系统暂时无法处理,请稍后再试。")
            .with("dependency", dependency)
            .retry_after(Duration::from_secs(1))
    }

    /// The caller's deadline, or the longest one, is over. The effect is unknown: repeating the request with the same
    /// `request_id` finds out.
    pub fn deadline_exceeded() -> Self {
        Self::new(Code::DeadlineExceeded, DEADLINE_EXCEEDED, "处理超时,请稍后用同一请求重试,不会重复生效。")
            .retry_after(Duration::from_secs(1))
    }

    /// The stream ends because the service stops; another replica goes on.
    pub fn shutting_down() -> Self {
        Self::new(Code::Unavailable, SHUTTING_DOWN, "服务正在重启,请稍后重新连接。").retry_after(Duration::from_secs(1))
    }

    /// Our fault. The caller learns a fixed sentence and the request id by which operators find the rest.
    pub fn internal(request_id: impl Into<String>) -> Self {
        let mut refusal =
            Self::new(Code::Internal, "", "系统内部错误,请稍后再试;如仍有问题,请向管理机构提供请求编号。");
        refusal.details.set_request_info(request_id, "");
        refusal
    }

    /// Adds a fact to the `ErrorInfo`, for programs: dates, numbers, names of states; never of people.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Says when repeating makes sense.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.details.set_retry_info(Some(delay));
        self
    }

    /// Names the resource that this is about, by type and id.
    #[must_use]
    pub fn resource(mut self, resource_type: &str, name: &str) -> Self {
        self.details.set_resource_info(resource_type, name, "", "");
        self
    }

    /// The stable reason, empty for internal errors.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What the caller is told, in Chinese.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// Reads a status that a service sent.
    pub fn from_status(status: &Status) -> ReadRefusal {
        let details = status.get_error_details();
        let info = details.error_info();
        let violations = details.bad_request().into_iter().flat_map(|bad| &bad.field_violations);
        ReadRefusal {
            code: status.code(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            sentence: details
                .localized_message()
                .map_or_else(|| status.message().to_owned(), |localized| localized.message.clone()),
            metadata: info.map(|info| info.metadata.clone()).unwrap_or_default(),
            violations: violations
                .map(|field| ReadViolation {
                    field: field.field.clone(),
                    reason: field.reason.clone(),
                    sentence: field.description.clone(),
                })
                .collect(),
            retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
            resource: details
                .resource_info()
                .map(|resource| (resource.resource_type.clone(), resource.resource_name.clone())),
            request_id: details.request_info().map(|request| request.request_id.clone()),
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let Refusal { code, reason, sentence, metadata, mut details } = refusal;
        if !reason.is_empty() {
            details.set_error_info(reason, DOMAIN, metadata);
        }
        details.set_localized_message(LOCALE, sentence.as_ref());
        Status::with_error_details(code, sentence, *details)
    }
}

impl From<Violations> for Status {
    fn from(violations: Violations) -> Self {
        Refusal::invalid(violations).into()
    }
}

/// What a client reads out of a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRefusal {
    /// The gRPC code.
    pub code: Code,
    /// The stable reason; empty where the status carries none (internal errors, other servers).
    pub reason: String,
    /// The Chinese sentence, or the status's own message where there is none.
    pub sentence: String,
    /// Facts for programs.
    pub metadata: HashMap<String, String>,
    /// Every wrong field.
    pub violations: Vec<ReadViolation>,
    /// When repeating makes sense.
    pub retry_after: Option<Duration>,
    /// Type and name of the resource that this is about.
    pub resource: Option<(String, String)>,
    /// What to tell the operators.
    pub request_id: Option<String>,
}

/// One wrong field, as a client reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadViolation {
    /// Path of the field, for example `address.phone`.
    pub field: String,
    /// The stable reason.
    pub reason: String,
    /// The Chinese sentence.
    pub sentence: String,
}

impl ReadRefusal {
    /// The violation of one field, if it has one.
    pub fn violation(&self, field: &str) -> Option<&ReadViolation> {
        self.violations.iter().find(|violation| violation.field == field)
    }
}
