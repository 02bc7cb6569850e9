//! Reads refusals: Anthropic's own, and what relays and proxies put in their place.

use serde_json::Value;
use serde_json::value::RawValue;

use super::super::error_of_headers;
use crate::dialects::claude::{self, ID};
use crate::error::{Error, Kind, NativeError};
use crate::http;
use crate::json::{self, Str, wire};

wire! {
    struct Body<'a> {
        "type" kind: Str<'a>,
        "error" error: &'a RawValue,
        "request_id" request_id: Str<'a>,
    }
    struct Inner<'a> {
        "type" kind: Str<'a>,
        "message" message: Str<'a>,
        "details" details: &'a RawValue,
    }
    struct Details<'a> {
        "error_code" code: Str<'a>,
    }
}

/// The longest piece of a body of no known shape that is repeated in a message.
const MAX_QUOTE: usize = 300;

/// An error answer. Whatever the body is, it yields an error that says what is known.
pub(super) fn parse(status: u16, headers: &http::Headers, body: &[u8]) -> Error {
    let text = String::from_utf8_lossy(body);
    let mut out = match read(&text) {
        Some(error) => {
            let mut out = error_of_headers(status, headers, error.message.clone());
            out.kind = if error.kind == Kind::Server { out.kind } else { error.kind };
            out.code = error.code.clone();
            out.native = error.native.clone();
            out.request_id = out.request_id.take().or_else(|| error.request_id.clone());
            out
        }
        None => error_of_headers(status, headers, in_other_words(status, &text)),
    };
    if let Some(id) = headers.get("request-id") {
        out.request_id = Some(id.to_owned());
    }
    out
}

/// An error in Anthropic's shape, in an answer's body or in a stream; `None` for anything else.
pub(super) fn read(text: &str) -> Option<Error> {
    let body: Body<'_> = json::read(text).ok()?;
    let inner: Inner<'_> = json::read(body.error?.get()).ok()?;
    let word = inner.kind.as_deref().unwrap_or_default();
    let message = inner.message?.into_owned();
    let kind = claude::error_kind(word).unwrap_or(Kind::Server);
    let kind = if kind == Kind::InvalidRequest && is_too_long(&message) { Kind::ContextTooLong } else { kind };
    let mut out = Error::new(kind, message);
    let details: Option<Details<'_>> = inner.details.and_then(|raw| json::read(raw.get()).ok());
    out.code = details.and_then(|details| details.code).map(|code| code.into_owned());
    out.request_id = body.request_id.map(|id| id.into_owned());
    if body.kind.as_deref() == Some("error") {
        out.native = Some(NativeError { dialect: ID, body: text.to_owned() });
    }
    Some(out)
}

/// How the API says that a prompt does not fit.
fn is_too_long(message: &str) -> bool {
    message.contains("prompt is too long") || message.contains("exceed context limit")
}

/// The message in an error of another shape, or a word about it.
fn in_other_words(status: u16, text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let candidates = ["/error/message", "/error", "/message", "/detail", "/0/error/message"];
    let said = candidates.iter().find_map(|path| value.pointer(path).and_then(Value::as_str));
    if let Some(said) = said {
        return said.to_owned();
    }
    let text = text.trim();
    if text.is_empty() {
        return format!("the upstream answered {status} without a word");
    }
    if text.starts_with('<') {
        return format!("the upstream answered {status} with a page that is no error of its API");
    }
    text.chars().take(MAX_QUOTE).collect()
}
