//! Words of Claude Messages that both sides share: versions, stop reasons, error types, marks.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Kind, Result};
use crate::ir::{Citation, CodeOutput, Json, Native, Reason, Text, Trace};
use crate::json::{self, Str, wire};

/// The id of the dialect.
pub const ID: &str = "claude";

/// The note on a seal that stood in a `redacted_thinking` block.
pub const REDACTED: &str = "redacted";

/// The note on a seal that stood beside words: a sum of them, since Claude refuses a thought whose words are not what it signed,
/// and some clients drop or trim them. It grows with the words, piece by piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed(u32);

impl Signed {
    /// No words yet.
    pub const NOTHING: Self = Self(0x811c_9dc5);

    /// The sum with more words (FNV-1a).
    #[must_use]
    pub fn with(self, words: &str) -> Self {
        Self(words.bytes().fold(self.0, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193)))
    }

    /// The note.
    #[must_use]
    pub fn note(self) -> String {
        format!("{:08x}", self.0)
    }
}

/// The header that names the version of the API.
pub const VERSION_HEADER: &str = "anthropic-version";
/// The header that switches on what is not released yet: a list, in pairs with fields of the body.
pub const BETA_HEADER: &str = "anthropic-beta";
/// The version that still takes sampling parameters. Its successor, of 2026-10-21, refuses them even at their defaults.
pub const VERSION_WITH_SAMPLING: &str = "2023-06-01";

/// Marks: extensions that remember how a Claude client spelled what the IR says in one way only, so that a Claude
/// upstream hears it as it was said. They carry [`crate::diagnostics::codes::WIRE_FORM`], which nobody need report. Their
/// names are paths of an inner object that is never there, so they are not written as fields.
pub mod marks {
    /// At a message in mid-conversation: it had the role `system` of its own.
    pub const SYSTEM_TURN: &str = "mark.system_turn";
    /// At the first or the last message: the client lets the assistant begin the conversation, or began its answer.
    pub const ASSISTANT_EDGE: &str = "mark.assistant_edge";
    /// At a picture or document of the assistant's: the client put it there.
    pub const ASSISTANT_MEDIA: &str = "mark.assistant_media";
    /// At a text: nothing but white space, which the API takes between its own cited texts and refuses elsewhere.
    pub const BLANK: &str = "mark.blank";
    /// At the request: an effort, but no word about `thinking`.
    pub const EFFORT_ALONE: &str = "mark.effort_alone";
    /// At the request: `temperature` and `top_p` at once, which models since 4.5 refuse and older ones take.
    pub const BOTH_SAMPLINGS: &str = "mark.both_samplings";
    /// At the request: the schema of the answer stood in `output_format`, the older name of `output_config.format`.
    pub const OUTPUT_FORMAT: &str = "mark.output_format";
}

/// The reason that a `stop_reason` tells. An ordinary end is [`Reason::ToolUse`] exactly when there is a call.
#[must_use]
pub fn reason(word: &str, has_tool_call: bool) -> Reason {
    match word {
        "end_turn" | "tool_use" | "" => {
            if has_tool_call {
                Reason::ToolUse
            } else {
                Reason::End
            }
        }
        "stop_sequence" => Reason::StopSequence,
        "max_tokens" => Reason::Length,
        "model_context_window_exceeded" => Reason::ContextExceeded,
        "refusal" => Reason::Refusal,
        "pause_turn" => Reason::Pause,
        _ => Reason::Other,
    }
}

/// The `stop_reason` of a reason; `raw` is the upstream's own word.
#[must_use]
pub fn stop_reason(reason: Reason, raw: Option<&str>) -> &'static str {
    match reason {
        Reason::End => "end_turn",
        Reason::StopSequence => "stop_sequence",
        Reason::ToolUse => "tool_use",
        Reason::Length => "max_tokens",
        Reason::ContextExceeded => "model_context_window_exceeded",
        Reason::Refusal => "refusal",
        Reason::Pause => "pause_turn",
        // A beta word: the conversation was compacted, and the client is to send it again.
        Reason::Other if raw == Some("compaction") => "compaction",
        Reason::Malformed | Reason::Other => "end_turn",
    }
}

/// What an `error.type` says went wrong.
#[must_use]
pub fn error_kind(word: &str) -> Option<Kind> {
    Some(match word {
        "invalid_request_error" => Kind::InvalidRequest,
        "authentication_error" => Kind::Authentication,
        "billing_error" => Kind::Billing,
        "permission_error" => Kind::Permission,
        "not_found_error" => Kind::NotFound,
        "conflict_error" => Kind::Conflict,
        "request_too_large" => Kind::TooLarge,
        "rate_limit_error" => Kind::RateLimit,
        "overloaded_error" => Kind::Overloaded,
        "timeout_error" => Kind::Timeout,
        "api_error" => Kind::Server,
        _ => return None,
    })
}

/// The `error.type` for what went wrong.
#[must_use]
pub fn error_type(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidRequest | Kind::ContextTooLong | Kind::Method => "invalid_request_error",
        Kind::Authentication => "authentication_error",
        Kind::Billing => "billing_error",
        Kind::Permission => "permission_error",
        Kind::NotFound => "not_found_error",
        Kind::Conflict => "conflict_error",
        Kind::TooLarge => "request_too_large",
        Kind::RateLimit => "rate_limit_error",
        Kind::Overloaded => "overloaded_error",
        Kind::Timeout => "timeout_error",
        Kind::Server => "api_error",
    }
}

/// The HTTP status for what went wrong, where no upstream said one.
#[must_use]
pub fn status(kind: Kind) -> u16 {
    match kind {
        Kind::Overloaded => 529,
        other => other.status(),
    }
}

/// The kind of a typed tool without the date of its version: `web_search` of `web_search_20250305`.
#[must_use]
pub fn undated(kind: &str) -> &str {
    match kind.rsplit_once('_') {
        Some((name, date)) if date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => kind,
    }
}

/// What a hosted tool did, as a block of it tells.
#[must_use]
pub fn trace(block: &serde_json::Map<String, Value>) -> Option<Trace> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(Text::from);
    let input = |key: &str| text(block.get("input").and_then(|input| input.get(key)));
    let id = || text(block.get("id"));
    match block.get("type").and_then(Value::as_str)? {
        "server_tool_use" => match block.get("name").and_then(Value::as_str)? {
            "web_search" => Some(Trace::Search { query: input("query")? }),
            "web_fetch" => Some(Trace::Open { url: input("url")? }),
            "code_execution" => {
                let language = Some(Text::constant("python"));
                Some(Trace::Code { id: id(), language, code: input("code")?, output: None })
            }
            "bash_code_execution" => {
                let language = Some(Text::constant("bash"));
                Some(Trace::Code { id: id(), language, code: input("command")?, output: None })
            }
            _ => None,
        },
        "code_execution_tool_result" | "bash_code_execution_tool_result" => {
            let content = block.get("content")?;
            // Files that the code made are Claude's own: such a block is more than what was written.
            if content.get("content").and_then(Value::as_array).is_some_and(|files| !files.is_empty()) {
                return None;
            }
            let said = |key: &str| content.get(key).and_then(Value::as_str).unwrap_or_default();
            let written = format!("{}{}{}", said("stdout"), said("stderr"), said("error_code"));
            let failed = content.get("return_code").and_then(Value::as_i64) != Some(0);
            let output = CodeOutput { text: written.into(), failed };
            Some(Trace::Output { of: text(block.get("tool_use_id")), output })
        }
        _ => None,
    }
}

wire! {
    /// What citations of all kinds have in common.
    struct WireCitation<'a> {
        "type" kind: Str<'a>,
        "url" url: Str<'a>,
        "source" source: Str<'a>,
        "title" title: Str<'a>,
        "document_title" document_title: Str<'a>,
        "cited_text" quote: Str<'a>,
    }
}

/// A citation as Claude writes it. It backs the whole block that it stands in.
///
/// # Errors
/// It is no object, or one of its words is no text.
pub fn citation(raw: &RawValue, value: Json) -> Result<Citation> {
    let wire: WireCitation<'_> = json::read(raw.get())?;
    let is_address = |source: &Str<'_>| source.starts_with("http://") || source.starts_with("https://");
    Ok(Citation {
        span: None,
        url: wire.url.or(wire.source.filter(is_address)).map(|url| url.into_owned().into()),
        title: wire.title.or(wire.document_title).map(|title| title.into_owned().into()),
        quote: wire.quote.map(|quote| quote.into_owned().into()),
        native: Some(Native { dialect: ID, value }),
    })
}
