//! Words of OpenAI's two dialects. They share how they refuse: one error body, one table of types and codes.

use serde::Serialize;
use serde_json::Value;

use super::effort;
use crate::capabilities::Capabilities;
use crate::context::Cx;
use crate::diagnostics::codes;
use crate::error::{Error, Kind, NativeError};
use crate::http;
use crate::ir;

/// The id of Chat Completions.
pub const CHAT_COMPLETIONS: &str = "openai-chat-completions";
/// The id of Responses.
pub const RESPONSES: &str = "openai-responses";

/// Words of a refusal that nobody needs more of.
const MAX_MESSAGE_CHARS: usize = 2_000;

/// The effort that a model takes in the place of the one that was asked for. A model without efforts of its own is reached
/// through somebody who makes budgets of them.
pub(crate) fn fitting_effort(cx: &mut Cx, asked: ir::Effort, takes: &Capabilities) -> ir::Effort {
    let efforts = takes.efforts.filter(|efforts| !efforts.is_empty());
    if asked == ir::Effort::None {
        if takes.off.is_none_or(|off| off.most().is_some()) {
            return asked;
        }
        let least = efforts.and_then(|efforts| efforts.nearest(asked)).unwrap_or(ir::Effort::Low);
        let what = format!("the model always thinks; the effort {} is sent", effort::name(least));
        cx.report_setting(&codes::THINKING_CANNOT_BE_DISABLED, ir::Setting::Reasoning, what);
        return least;
    }
    let fitting = efforts.and_then(|efforts| efforts.nearest(asked)).unwrap_or(asked);
    if fitting != asked {
        let what = format!("the effort {} is sent as {}", effort::name(asked), effort::name(fitting));
        cx.report_setting(&codes::EFFORT_APPROXIMATED, ir::Setting::Effort, what);
    }
    fitting
}

/// A sampling parameter, if the model takes any. To leave out what would be so anyway loses nothing.
pub(crate) fn sampled(
    cx: &mut Cx,
    setting: ir::Setting,
    value: Option<f64>,
    default: f64,
    is_taken: bool,
) -> Option<f64> {
    let value = value?;
    if is_taken {
        return Some(value);
    }
    #[expect(clippy::float_cmp, reason = "the default is meant exactly")]
    if value != default {
        cx.report_setting(&codes::SAMPLING_DROPPED, setting, "the model takes none while it thinks");
    }
    None
}

/// What a kind of error is called: `type`, and `code` where OpenAI has one.
#[must_use]
pub fn error_words(kind: Kind) -> (&'static str, Option<&'static str>) {
    match kind {
        Kind::InvalidRequest => ("invalid_request_error", None),
        Kind::ContextTooLong => ("invalid_request_error", Some("context_length_exceeded")),
        Kind::Authentication => ("invalid_request_error", Some("invalid_api_key")),
        Kind::Billing => ("insufficient_quota", Some("insufficient_quota")),
        Kind::Permission => ("permission_error", None),
        Kind::NotFound => ("invalid_request_error", Some("model_not_found")),
        Kind::Method => ("invalid_request_error", Some("method_not_allowed")),
        Kind::Conflict => ("conflict_error", None),
        Kind::TooLarge => ("invalid_request_error", Some("request_too_large")),
        Kind::RateLimit => ("rate_limit_exceeded", Some("rate_limit_exceeded")),
        Kind::Overloaded => ("server_error", Some("overloaded")),
        Kind::Timeout => ("server_error", Some("timeout")),
        Kind::Server => ("server_error", None),
    }
}

/// The machine-readable word for `error`: its own where it is OpenAI's or ours, else OpenAI's word for the kind, which
/// is what these clients know.
#[must_use]
pub fn error_code(error: &Error) -> Option<&str> {
    let (_, word) = error_words(error.kind);
    let is_foreign = error.native.as_ref().is_some_and(|native| !is_ours(native.dialect));
    let own = error.code.as_deref();
    if is_foreign { word.or(own) } else { own.or(word) }
}

/// What an error is said in: the object `error` of an error body, and of a stream's error event.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorBody<'a> {
    /// In plain words, with the place: many clients show nothing else.
    pub message: String,
    /// The kind.
    pub r#type: &'a str,
    /// The field of the request that is wrong.
    pub param: Option<&'a str>,
    /// A machine-readable word.
    pub code: Option<&'a str>,
}

impl<'a> ErrorBody<'a> {
    /// What `error` says.
    #[must_use]
    pub fn new(error: &'a Error) -> Self {
        let (kind, _) = error_words(error.kind);
        Self { message: error.full_message(), r#type: kind, param: error.place.as_deref(), code: error_code(error) }
    }
}

/// A refusal as OpenAI sends it, to a client of either dialect.
#[must_use]
pub fn render_error(error: &Error) -> http::Response {
    render_error_to("", error)
}

/// A refusal as OpenAI sends it, to a client of `dialect`. An upstream's own body in that dialect is passed on
/// unmodified, odd as it may be; one of the other dialect if it has all that OpenAI's own have.
#[must_use]
pub fn render_error_to(dialect: &str, error: &Error) -> http::Response {
    #[derive(Serialize)]
    struct Body<'a> {
        error: ErrorBody<'a>,
    }
    let is_whole = |body: &str| {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        body.get("error").and_then(|error| error.get("type")).is_some_and(Value::is_string)
    };
    let native = error.native.as_ref();
    let native = native.filter(|native| native.dialect == dialect || is_ours(native.dialect) && is_whole(&native.body));
    let status = error.status.unwrap_or(if error.kind == Kind::Billing { 429 } else { error.kind.status() });
    let mut response = match native {
        Some(native) => http::Response::json(status, native.body.clone().into_bytes()),
        None => {
            // OpenAI's clients know neither of the two: 402 is its 429, 529 its 503.
            let status = match status {
                402 => 429,
                529 => 503,
                other => other,
            };
            let body = serde_json::to_vec(&Body { error: ErrorBody::new(error) });
            http::Response::json(status, body.unwrap_or_default())
        }
    };
    if let Some(request_id) = &error.request_id {
        response.headers.set("x-request-id", request_id.as_str());
    }
    if let Some(retry_after) = &error.retry_after {
        response.headers.set("retry-after", retry_after.as_str());
    }
    response
}

/// Reads an error answer of an upstream that speaks `dialect`, one of the two. Takes what their relatives send: `error`
/// as a string, `detail`, `message` at the top, a list, a web page, nothing.
#[must_use]
pub fn parse_error(dialect: &'static str, status: u16, headers: &http::Headers, body: &[u8]) -> Error {
    let text = String::from_utf8_lossy(body);
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    let said = Said::of(&value);
    let message = said.message.clone().unwrap_or_else(|| words_of_no_json(status, &value, &text));
    let mut error = Error::new(Kind::of_status(status), cut(&message));
    error.status = Some(status);
    error.retry_after = headers.get("retry-after").map(ToOwned::to_owned);
    error.request_id = headers.get("x-request-id").map(ToOwned::to_owned);
    // Invalid request and server error are said beside every status: the status tells more.
    if let Some(kind) = said.kind(&message).filter(|kind| !matches!(kind, Kind::InvalidRequest | Kind::Server)) {
        error.kind = kind;
    }
    error.code = said.code.clone();
    error.place = said.param.clone();
    if matches!(status, 401 | 403) {
        // The key is the gateway's own: nothing of it is for the client to see, and some upstreams repeat it.
        error.message = match &said.message {
            Some(message) => format!("the upstream refused the gateway's key or permission: {}", veil(&cut(message))),
            None => "the upstream refused the gateway's key".to_owned(),
        };
        return error;
    }
    if said.is_native {
        error.native = Some(NativeError { dialect, body: text.into_owned() });
    }
    error
}

/// Reads an error that came where an answer was expected: with HTTP 200, or in the middle of a stream. `body` is the
/// object around `error`, or that object itself.
#[must_use]
pub fn parse_error_in_band(dialect: &'static str, body: &str) -> Error {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    let said = Said::of(&value);
    let message = said.message.clone().unwrap_or_else(|| "the upstream broke off without saying why".to_owned());
    let status =
        said.code.as_deref().and_then(|code| code.parse::<u16>().ok()).filter(|code| (400..600).contains(code));
    let kind = said.kind(&message).or(status.map(Kind::of_status)).unwrap_or(Kind::Server);
    let mut error = Error::new(kind, cut(&message));
    error.status = status;
    error.code = said.code;
    error.place = said.param;
    if matches!(kind, Kind::Authentication | Kind::Permission) {
        error.message = format!("the upstream refused the gateway's key or permission: {}", veil(&error.message));
    } else if said.is_native {
        error.native = Some(NativeError { dialect, body: body.to_owned() });
    }
    error
}

fn is_ours(dialect: &str) -> bool {
    matches!(dialect, CHAT_COMPLETIONS | RESPONSES)
}

/// What an error body says, whoever's shape it has.
#[derive(Default)]
struct Said {
    message: Option<String>,
    kind: Option<String>,
    code: Option<String>,
    param: Option<String>,
    /// It has OpenAI's own shape.
    is_native: bool,
}

impl Said {
    fn of(value: &Value) -> Self {
        let (value, is_list) = match value {
            Value::Array(list) => (list.first().unwrap_or(&Value::Null), true),
            other => (other, false),
        };
        let Value::Object(outer) = value else {
            return Self { message: value.as_str().map(ToOwned::to_owned), ..Self::default() };
        };
        let (inner, is_wrapped) = match outer.get("error") {
            Some(Value::Object(inner)) => (inner, true),
            _ => (outer, false),
        };
        let word = |key: &str| match inner.get(key) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let message = ["message", "error", "detail", "msg", "error_description", "title"]
            .into_iter()
            .find_map(|key| inner.get(key).or_else(|| outer.get(key)).and_then(words));
        let is_native = is_wrapped && !is_list && inner.get("message").is_some_and(Value::is_string);
        // OpenRouter and its like wrap another's error and keep its words beside.
        let raw = inner.get("metadata").and_then(|metadata| metadata.get("raw")).and_then(Value::as_str);
        let message = match (message, raw) {
            (Some(message), Some(raw)) => {
                let inner: Value = serde_json::from_str(raw).unwrap_or_default();
                let inner = Self::of(&inner).message;
                Some(format!("{message}: {}", inner.as_deref().unwrap_or(raw)))
            }
            (message, _) => message,
        };
        Self { message, kind: word("type"), code: word("code"), param: word("param"), is_native }
    }

    /// The kind that the words tell more exactly than an HTTP status does.
    fn kind(&self, message: &str) -> Option<Kind> {
        let told = [&self.code, &self.kind].into_iter().flatten().find_map(|word| {
            Some(match word.as_str() {
                "context_length_exceeded" => Kind::ContextTooLong,
                "insufficient_quota" | "billing_hard_limit_reached" | "billing_not_active" => Kind::Billing,
                "rate_limit_exceeded" | "rate_limit_error" | "RateLimitReached" => Kind::RateLimit,
                "model_not_found" => Kind::NotFound,
                "invalid_api_key" | "authentication_error" => Kind::Authentication,
                "permission_error" => Kind::Permission,
                "overloaded" | "overloaded_error" | "server_overloaded" | "slow_down" => Kind::Overloaded,
                "timeout" => Kind::Timeout,
                "invalid_prompt" | "invalid_request_error" => Kind::InvalidRequest,
                "server_error" | "api_error" | "internal_error" => Kind::Server,
                _ => return None,
            })
        });
        let is_vague = matches!(told, None | Some(Kind::InvalidRequest));
        let is_too_long = ["maximum context length", "exceeds the context window", "context window is full"];
        if is_vague && is_too_long.iter().any(|words| message.contains(words)) {
            return Some(Kind::ContextTooLong);
        }
        told
    }
}

/// The words of a message field: a string, or (FastAPI's `detail`) a list of objects with `loc` and `msg`.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (!text.is_empty()).then(|| text.clone()),
        Value::Array(list) => {
            let all: Vec<String> = list.iter().filter_map(words).collect();
            (!all.is_empty()).then(|| all.join("; "))
        }
        Value::Object(object) => {
            ["msg", "message", "error"].into_iter().find_map(|key| object.get(key).and_then(words))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// What to say of a body that has no words in a known place.
fn words_of_no_json(status: u16, value: &Value, text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return format!("the upstream answered HTTP {status} without saying why");
    }
    let is_page = text.starts_with('<');
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title>").zip(lower.find("</title>")).and_then(|(start, end)| text.get(start + 7..end));
    match (is_page, title.map(str::trim).filter(|title| !title.is_empty())) {
        (true, Some(title)) => format!("the upstream answered HTTP {status} with a web page: {title}"),
        (true, None) => format!("the upstream answered HTTP {status} with a web page"),
        (false, _) if value.is_null() => format!("the upstream answered HTTP {status}: {text}"),
        (false, _) => format!("the upstream answered HTTP {status} with {text}"),
    }
}

fn cut(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}

/// `message` without what may be a key: the word behind `provided:`, words with asterisks, words that begin as keys do,
/// and long ones of letters and digits.
fn veil(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut before = "";
    for word in message.split_inclusive(char::is_whitespace) {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '*');
        let begins_as_key =
            ["sk-", "sk_", "gsk_", "xai-", "pplx-", "Bearer"].iter().any(|begin| bare.starts_with(begin));
        let is_long = bare.len() >= 20
            && bare.bytes().any(|byte| byte.is_ascii_digit())
            && bare.bytes().any(|byte| byte.is_ascii_alphabetic())
            && !bare.contains('/');
        let is_secret = !bare.is_empty()
            && (begins_as_key || is_long || bare.contains('*') || before.trim_end().ends_with("provided:"));
        if is_secret {
            out.push('…');
            out.push_str(word.get(word.trim_end().len()..).unwrap_or_default());
        } else {
            out.push_str(word);
        }
        before = word;
    }
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn parse(status: u16, body: &str) -> Error {
        parse_error(RESPONSES, status, &http::Headers::new(), body.as_bytes())
    }

    #[test]
    fn reads_every_shape() {
        let own = r#"{"error":{"message":"too long","type":"invalid_request_error","param":"input","code":"context_length_exceeded"}}"#;
        let error = parse(400, own);
        assert_eq!((error.kind, error.place.as_deref()), (Kind::ContextTooLong, Some("input")));
        assert_eq!(render_error(&error).body, own.as_bytes());
        for (body, message) in [
            (r#"{"code":"Client specified an invalid argument","error":"no such model"}"#, "no such model"),
            (r#"{"detail":"no such model"}"#, "no such model"),
            (r#"{"detail":[{"loc":["body","model"],"msg":"field required"}]}"#, "field required"),
            (r#"{"message":"no such model"}"#, "no such model"),
            (r#"[{"error":{"code":400,"message":"no such model"}}]"#, "no such model"),
            (
                "<html><head><title>Bad gateway</title></head></html>",
                "the upstream answered HTTP 404 with a web page: Bad gateway",
            ),
            ("", "the upstream answered HTTP 404 without saying why"),
            ("\"gone\"", "gone"),
            ("7", "the upstream answered HTTP 404 with 7"),
        ] {
            let error = parse(404, body);
            assert_eq!(error.message, message, "{body}");
            let rendered: Value = serde_json::from_slice(&render_error(&error).body).unwrap();
            assert_eq!(rendered["error"]["message"], message);
            assert!(rendered["error"]["type"].is_string());
        }
    }

    #[test]
    fn keeps_status_and_headers() {
        let headers = http::Headers::from_iter([("retry-after", "7"), ("x-request-id", "req_1")]);
        let error = parse_error(
            CHAT_COMPLETIONS,
            429,
            &headers,
            b"{\"error\":{\"message\":\"slow\",\"code\":\"insufficient_quota\"}}",
        );
        assert_eq!(error.kind, Kind::Billing);
        let response = render_error(&error);
        assert_eq!(response.status, 429);
        assert_eq!(response.headers.get("retry-after"), Some("7"));
        assert_eq!(response.headers.get("x-request-id"), Some("req_1"));
        let mut foreign = Error::new(Kind::Overloaded, "busy");
        foreign.status = Some(529);
        foreign.code = Some("overloaded_error".to_owned());
        foreign.native = Some(NativeError { dialect: "claude", body: "{}".to_owned() });
        let response = render_error(&foreign);
        assert_eq!(response.status, 503);
        assert_eq!(
            String::from_utf8(response.body).unwrap(),
            r#"{"error":{"message":"busy","type":"server_error","param":null,"code":"overloaded"}}"#
        );
    }

    #[test]
    fn a_key_never_shows() {
        let body = r#"{"error":{"message":"Incorrect API key provided: sk-abcd****wxyz. You can find it.","code":"invalid_api_key"}}"#;
        for status in [401, 403] {
            let error = parse(status, body);
            let rendered = String::from_utf8(render_error(&error).body).unwrap();
            assert!(rendered.contains("the upstream refused the gateway's key"), "{rendered}");
            assert!(!rendered.contains("abcd") && !rendered.contains("wxyz"), "{rendered}");
        }
        let in_band = parse_error_in_band(RESPONSES, body);
        assert_eq!(in_band.kind, Kind::Authentication);
        assert!(!in_band.message.contains("abcd") && in_band.native.is_none());
    }

    #[test]
    fn in_band_errors_tell_their_kind() {
        let error = parse_error_in_band(CHAT_COMPLETIONS, r#"{"error":{"message":"slow down","code":429}}"#);
        assert_eq!((error.kind, error.status), (Kind::RateLimit, Some(429)));
        let error = parse_error_in_band(RESPONSES, r#"{"message":"x","code":"server_error"}"#);
        assert_eq!(error.kind, Kind::Server);
        assert_eq!(parse_error_in_band(RESPONSES, "").kind, Kind::Server);
    }
}
