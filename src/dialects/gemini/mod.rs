//! Words of Gemini that requests and answers share: names of finish reasons and errors, what is known of models, parts as
//! they are read ([`read`]) and written ([`write`]).
//!
//! # Notes of the frontend to the backend
//!
//! Gemini's JSON can say one thing in several ways (with an id or without, a schema in one of two languages, a budget or a
//! level of thought). The IR keeps the meaning; how it was written is kept beside it as an extension whose name begins with
//! `any-api.`, so that the long way of the same dialect writes it as it was. The dot keeps it off the wire.

pub(crate) mod read;
pub(crate) mod write;

use std::borrow::Cow;

use crate::diagnostics::{Code, codes};
use crate::error::Kind;
use crate::ir;

/// The id of the dialect.
pub const ID: &str = "gemini";

/// The call, or the result, had no id: the one it has was made here.
pub(crate) const NOTE_ID: &str = "any-api.id";
/// The whole `response` of a result, where its words alone would be written otherwise.
pub(crate) const NOTE_RESPONSE: &str = "any-api.response";
/// The field that a schema stood in.
pub(crate) const NOTE_SCHEMA: &str = "any-api.schema";
/// The number of the entry of `tools` that a tool stood in.
pub(crate) const NOTE_ENTRY: &str = "any-api.entry";
/// Written by a Gemini client: a thought without a signature, a public address of a file.
pub(crate) const NOTE_NATIVE: &str = "any-api.native";
/// The mode of `functionCallingConfig`, where the choice of tools alone would be written otherwise.
pub(crate) const NOTE_MODE: &str = "any-api.toolConfig.functionCallingConfig";
/// The `thinkingLevel` as it was written.
pub(crate) const NOTE_LEVEL: &str = "any-api.thinkingLevel";
/// Of the last content: the client gives the model the last word.
pub(crate) const NOTE_LAST: &str = "any-api.last";
/// The metadata stood in `labels`.
pub(crate) const NOTE_LABELS: &str = "any-api.labels";

/// Where the extensions of an answer's end hold what the candidate says beside its parts (grounding, safety ratings), and
/// fields of the answer that came after its beginning.
pub(crate) const CANDIDATE: &str = "candidate";
/// See [`CANDIDATE`].
pub(crate) const ANSWER: &str = "answer";

/// A note of the frontend, or a field whose loss is `loss`.
pub(crate) fn note(name: &'static str, value: ir::Json, loss: &'static Code, out: &mut ir::Extensions) {
    out.push(ID, ir::Extension { name: ir::Text::constant(name), value, loss });
}

/// A note that nobody else has to hear of.
pub(crate) fn spelling(name: &'static str, value: ir::Json, out: &mut ir::Extensions) {
    note(name, value, &codes::WIRE_FORM, out);
}

/// Vertex' Python clients write enums as numbers.
pub(crate) const FINISH_NUMBERS: [&str; 17] = [
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_OTHER",
    "UNEXPECTED_TOOL_CALL",
    "NO_IMAGE",
];

/// The same, of `promptFeedback.blockReason`.
pub(crate) const BLOCK_NUMBERS: [&str; 8] = [
    "BLOCKED_REASON_UNSPECIFIED",
    "SAFETY",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "JAILBREAK",
];

/// The same, of `functionCallingConfig.mode`.
pub(crate) const MODE_NUMBERS: [&str; 5] = ["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"];

/// Why an answer ended, by Gemini's word for it.
pub(crate) fn reason(word: &str) -> ir::Reason {
    match word {
        "STOP" => ir::Reason::End,
        // CONTINUATION: the limit of one request was met; the client may send the token that came with it.
        "MAX_TOKENS" | "CONTINUATION" => ir::Reason::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "ESCALATION"
        | "PUP_LIMITED_DISABLED"
        | "MODEL_ARMOR"
        | "JAILBREAK" => ir::Reason::Refusal,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "MALFORMED_RESPONSE" => ir::Reason::Malformed,
        _ => ir::Reason::Other,
    }
}

/// Gemini's word for why an answer ended: the upstream's own where it was Gemini's, else the nearest. Gemini's are the only
/// ones in capitals.
pub(crate) fn finish_word(finish: &ir::Finish, refused: bool) -> Cow<'_, str> {
    let is_ours = |word: &&ir::Text| word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    if let Some(word) = finish.raw.as_ref().filter(|word| !word.is_empty()).filter(is_ours) {
        return Cow::Borrowed(word);
    }
    Cow::Borrowed(match finish.reason {
        ir::Reason::End | ir::Reason::StopSequence | ir::Reason::ToolUse | ir::Reason::Pause if refused => "SAFETY",
        ir::Reason::End | ir::Reason::StopSequence | ir::Reason::ToolUse | ir::Reason::Pause => "STOP",
        ir::Reason::Length | ir::Reason::ContextExceeded => "MAX_TOKENS",
        ir::Reason::Refusal => "SAFETY",
        ir::Reason::Malformed => "MALFORMED_FUNCTION_CALL",
        ir::Reason::Other => "OTHER",
    })
}

/// The word of Google's RPC errors for a kind.
pub(crate) fn status_word(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidRequest | Kind::ContextTooLong | Kind::TooLarge => "INVALID_ARGUMENT",
        Kind::Authentication => "UNAUTHENTICATED",
        Kind::Billing | Kind::RateLimit => "RESOURCE_EXHAUSTED",
        Kind::Permission => "PERMISSION_DENIED",
        Kind::NotFound => "NOT_FOUND",
        Kind::Method => "UNIMPLEMENTED",
        Kind::Conflict => "ABORTED",
        Kind::Overloaded => "UNAVAILABLE",
        Kind::Timeout => "DEADLINE_EXCEEDED",
        Kind::Server => "INTERNAL",
    }
}

/// The kind of an error by the word of Google's RPC errors.
pub(crate) fn kind(word: &str) -> Option<Kind> {
    Some(match word {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" | "CANCELLED" => Kind::InvalidRequest,
        "UNAUTHENTICATED" => Kind::Authentication,
        "PERMISSION_DENIED" => Kind::Permission,
        "NOT_FOUND" => Kind::NotFound,
        "ABORTED" | "ALREADY_EXISTS" => Kind::Conflict,
        "RESOURCE_EXHAUSTED" => Kind::RateLimit,
        "UNAVAILABLE" => Kind::Overloaded,
        "DEADLINE_EXCEEDED" => Kind::Timeout,
        "INTERNAL" | "UNKNOWN" | "DATA_LOSS" => Kind::Server,
        "UNIMPLEMENTED" => Kind::Method,
        _ => return None,
    })
}

/// How a result's words and its error flag are written as an object where nothing else is known: text that is an object
/// goes as it stands, unless Gemini would take one of its fields for the whole.
pub(crate) fn response_value(text: &ir::Text, error: bool) -> ir::Json {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Wrapped<'a> {
        Output(&'a ir::Text),
        Error(&'a ir::Text),
    }
    if error {
        return ir::Json::of(&Wrapped::Error(text));
    }
    match as_response_object(text) {
        Some(json) => json,
        None => ir::Json::of(&Wrapped::Output(text)),
    }
}

/// `text`, if it is an object that can be a result as it stands.
pub(crate) fn as_response_object(text: &ir::Text) -> Option<ir::Json> {
    if !text.begins('{') {
        return None;
    }
    let json = ir::Json::parse_object(text)?;
    let fields = read::fields(json.as_str())?;
    let is_special = fields.unknown.iter().any(|(name, _)| matches!(&**name, "output" | "error"));
    (!is_special).then_some(json)
}
