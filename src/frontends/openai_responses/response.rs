//! What an answer is made of: the response object and its items, as they are written.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use super::DIALECT;
use crate::dialects::openai::{ErrorBody, RESPONSES};
use crate::dialects::openai_responses::own_tools::OwnTool;
use crate::dialects::openai_responses::{self as words, Annotation, Content, Logprob};
use crate::error::{Error, Kind};
use crate::frontends::Asked;
use crate::ir;

/// What the vendor says of a request that leaves a field out; `null` too is said.
const DEFAULTS: [(&str, &str); 21] = [
    ("background", "false"),
    ("completed_at", "null"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("service_tier", "\"default\""),
    ("store", "true"),
    ("temperature", "1.0"),
    ("text", r#"{"format":{"type":"text"},"verbosity":"medium"}"#),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "1.0"),
    ("truncation", "\"disabled\""),
    ("user", "null"),
];

/// Fields that the upstream knows better than the request does.
const ANSWERED: [&str; 2] = ["completed_at", "service_tier"];

/// How far an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    /// `completed`, `incomplete`, …
    pub(super) word: &'static str,
    /// Why it is incomplete.
    pub(super) reason: Option<&'static str>,
}

impl Status {
    pub(super) const IN_PROGRESS: Self = Self { word: "in_progress", reason: None };
    pub(super) const COMPLETED: Self = Self { word: "completed", reason: None };
    pub(super) const FAILED: Self = Self { word: "failed", reason: None };

    const fn incomplete(reason: &'static str) -> Self {
        Self { word: "incomplete", reason: Some(reason) }
    }

    /// What an end is called. A refusal that is said in words is an ordinary end.
    pub(super) fn of(finish: &ir::Finish, has_refusal: bool) -> Self {
        match finish.reason {
            ir::Reason::End | ir::Reason::StopSequence | ir::Reason::ToolUse | ir::Reason::Pause => Self::COMPLETED,
            ir::Reason::Length | ir::Reason::ContextExceeded => Self::incomplete("max_output_tokens"),
            ir::Reason::Refusal if has_refusal && finish.raw.as_deref() != Some("content_filter") => Self::COMPLETED,
            ir::Reason::Refusal => Self::incomplete("content_filter"),
            ir::Reason::Malformed => Self::FAILED,
            ir::Reason::Other => match finish.raw.as_deref() {
                Some("max_messages") => Self::incomplete("max_messages"),
                Some("steered") => Self::incomplete("steered"),
                Some("queued") => Self { word: "queued", reason: None },
                Some("in_progress") => Self::IN_PROGRESS,
                Some("cancelled") => Self { word: "cancelled", reason: None },
                _ => Self::COMPLETED,
            },
        }
    }

    /// The event that ends a stream so.
    pub(super) fn event(self) -> &'static str {
        match self.word {
            "incomplete" => "response.incomplete",
            "failed" | "cancelled" => "response.failed",
            // An answer that is none yet, in the background of its upstream: to say that it is complete would be a lie.
            "queued" => "response.queued",
            "in_progress" => "response.in_progress",
            _ => "response.completed",
        }
    }
}

/// How an answer begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) id: ir::Text,
    pub(super) created: u64,
    pub(super) extensions: ir::Extensions,
    /// What the upstream told at the end; it counts more than what it told at the beginning.
    pub(super) late: ir::Extensions,
}

/// The response object.
pub(super) struct ResponseObject<'a> {
    pub(super) head: &'a Head,
    pub(super) asked: &'a Asked,
    pub(super) status: Status,
    pub(super) error: Option<&'a Error>,
    pub(super) output: &'a [ir::Json],
    pub(super) usage: Option<&'a ir::Usage>,
}

impl Serialize for ResponseObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Head { id, created, extensions, late } = self.head;
        let answered = |name: &str| late.get(DIALECT, name).or_else(|| extensions.get(DIALECT, name));
        let asked = |name: &str| self.asked.repeat.iter().find(|(other, _)| *other == name).map(|(_, value)| value);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", id)?;
        map.serialize_entry("object", "response")?;
        map.serialize_entry("created_at", created)?;
        map.serialize_entry("status", self.status.word)?;
        map.serialize_entry("error", &self.error.map(FailedBody::new))?;
        map.serialize_entry("incomplete_details", &self.status.reason.map(|reason| json!({ "reason": reason })))?;
        map.serialize_entry("model", &self.asked.model)?;
        map.serialize_entry("output", self.output)?;
        map.serialize_entry("usage", &self.usage.map(usage))?;
        for (name, default) in DEFAULTS {
            // An upstream may say what nobody can read.
            let answered = || answered(name).filter(|value| fits(name, value, default));
            let value = match ANSWERED.contains(&name) {
                true => answered().or_else(|| asked(name)),
                false => asked(name).or_else(answered),
            };
            match value {
                Some(value) => map.serialize_entry(name, value)?,
                None => map.serialize_entry(name, &ir::Json::constant(default))?,
            }
        }
        let is_default = |name: &str| DEFAULTS.iter().any(|(other, _)| *other == name);
        let more = ["conversation", "prompt"].into_iter().filter_map(|name| Some((name, asked(name)?)));
        let told: Vec<_> = more.collect();
        for (name, value) in &told {
            map.serialize_entry(name, value)?;
        }
        let is_told = |name: &str| told.iter().any(|(other, _)| *other == name);
        let is_own = |extensions: &&ir::Extensions| extensions.dialect() == Some(DIALECT);
        for (at, extensions) in [late, extensions].into_iter().enumerate().filter(|(_, extensions)| is_own(extensions))
        {
            for field in extensions.fields() {
                let name = field.name.as_str();
                let is_said = at == 1 && late.get(DIALECT, name).is_some();
                if !is_said && !is_default(name) && !is_told(name) && !name.contains('.') {
                    map.serialize_entry(name, &field.value)?;
                }
            }
        }
        map.end()
    }
}

/// Whether `value` is of the type that the field `name` has, as its default tells.
fn fits(name: &str, value: &ir::Json, default: &str) -> bool {
    let kind = |text: &str| match text.trim_start().chars().next() {
        Some('t' | 'f') => 'b',
        Some(first) if first == '-' || first.is_ascii_digit() => '0',
        other => other.unwrap_or('n'),
    };
    let is_required = matches!(name, "parallel_tool_calls" | "tool_choice" | "tools");
    match (kind(value.as_str()), kind(default)) {
        ('n', _) => !is_required,
        ('{', '"') => name == "tool_choice",
        (_, 'n') => true,
        (value, default) => value == default,
    }
}

/// The `error` of a response object.
#[derive(Serialize)]
struct FailedBody<'a> {
    code: &'a str,
    message: String,
}

impl<'a> FailedBody<'a> {
    fn new(error: &'a Error) -> Self {
        let is_own = error.native.as_ref().is_some_and(|native| native.dialect == RESPONSES);
        let code = match error.kind {
            _ if is_own && error.code.is_some() => error.code.as_deref().unwrap_or_default(),
            Kind::RateLimit => "rate_limit_exceeded",
            Kind::ContextTooLong => "context_length_exceeded",
            Kind::Billing => "insufficient_quota",
            Kind::InvalidRequest => "invalid_prompt",
            Kind::Authentication
            | Kind::Permission
            | Kind::NotFound
            | Kind::Method
            | Kind::Conflict
            | Kind::TooLarge
            | Kind::Overloaded
            | Kind::Timeout
            | Kind::Server => "server_error",
        };
        Self { code, message: error.full_message() }
    }
}

/// The data of the event `error`: with the object `error`, which makes the SDKs raise, and the documented flat fields.
#[derive(Serialize)]
pub(super) struct ErrorEvent<'a> {
    r#type: &'static str,
    pub(super) sequence_number: u64,
    error: ErrorBody<'a>,
    code: Option<&'a str>,
    message: String,
    param: Option<&'a str>,
}

impl<'a> ErrorEvent<'a> {
    pub(super) fn new(error: &'a Error, sequence_number: u64) -> Self {
        let body = ErrorBody::new(error);
        let (code, message, param) = (body.code, body.message.clone(), body.param);
        Self { r#type: "error", sequence_number, error: body, code, message, param }
    }
}

/// All that the SDKs require; an upstream of the same dialect may have told more.
fn usage(usage: &ir::Usage) -> Value {
    let native = usage.raw.as_ref().filter(|raw| raw.dialect == DIALECT).map(|raw| raw.value.value());
    let mut out = match native {
        Some(Value::Object(native)) => native,
        _ => Map::new(),
    };
    // What is there stays, unless it is of no use.
    let fill_in = |slot: &mut Value, value: Value| {
        if !slot.is_number() {
            *slot = value;
        }
    };
    let mut fill = |key: &str, value: Value| {
        let slot = out.entry(key.to_owned()).or_insert(Value::Null);
        match (slot, value) {
            (Value::Object(slot), Value::Object(value)) => {
                for (key, value) in value {
                    fill_in(slot.entry(key).or_insert(Value::Null), value);
                }
            }
            (slot, value @ Value::Object(_)) => *slot = value,
            (slot, value) => fill_in(slot, value),
        }
    };
    fill("input_tokens", json!(usage.input.unwrap_or(0)));
    let (read, written) = (usage.cache_read.unwrap_or(0), usage.cache_write.unwrap_or(0));
    fill("input_tokens_details", json!({ "cached_tokens": read, "cache_write_tokens": written }));
    fill("output_tokens", json!(usage.output.unwrap_or(0)));
    fill("output_tokens_details", json!({ "reasoning_tokens": usage.reasoning.unwrap_or(0) }));
    fill("total_tokens", json!(usage.total()));
    Value::Object(out)
}

/// An item that is being told.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Message { id: ir::Text, meta: ir::Meta, parts: Vec<ir::Part> },
    Reasoning { id: ir::Text, meta: ir::Meta, texts: Vec<(ir::ReasoningForm, String)>, encrypted: Option<String> },
    Call(Call),
}

/// A call that is being told.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) id: ir::Text,
    pub(super) call_id: ir::Text,
    pub(super) name: ir::Text,
    pub(super) namespace: Option<ir::Text>,
    pub(super) kind: ir::CallKind,
    /// The tool of this dialect that the function stands for.
    pub(super) own: Option<OwnTool>,
    pub(super) arguments: String,
    pub(super) meta: ir::Meta,
}

#[derive(Serialize)]
struct MessageBody<'a> {
    id: &'a str,
    r#type: &'static str,
    status: &'a Value,
    content: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<&'a str>,
    role: &'static str,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

#[derive(Serialize)]
struct ReasoningBody<'a> {
    id: &'a str,
    r#type: &'static str,
    summary: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    content: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted_content: Option<&'a str>,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

#[derive(Serialize)]
struct CallBody<'a> {
    id: &'a str,
    r#type: &'static str,
    status: &'a Value,
    call_id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

#[derive(Serialize)]
struct ImageBody<'a> {
    id: &'a str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_format: Option<&'a str>,
    result: &'a str,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

impl Item {
    pub(super) fn id(&self) -> &ir::Text {
        match self {
            Self::Message { id, .. } | Self::Reasoning { id, .. } | Self::Call(Call { id, .. }) => id,
        }
    }

    pub(super) fn meta(&self) -> &ir::Meta {
        match self {
            Self::Message { meta, .. } | Self::Reasoning { meta, .. } | Self::Call(Call { meta, .. }) => meta,
        }
    }

    /// The item as it is written; `status` unless its maker said another.
    pub(super) fn json(&self, status: &str) -> ir::Json {
        let extensions = &self.meta().extensions;
        let own = extensions.get(DIALECT, words::STATUS).filter(|_| status == "completed").map(ir::Json::value);
        let status = &own.unwrap_or_else(|| status.into());
        match self {
            Self::Message { id, meta, parts } => ir::Json::of(&MessageBody {
                id,
                r#type: "message",
                status,
                content: parts.iter().filter_map(content).collect(),
                phase: meta.item.as_ref().and_then(|item| item.phase.as_deref()),
                role: "assistant",
                extensions: extensions.written(DIALECT, words::ITEM),
            }),
            Self::Reasoning { id, texts, encrypted, .. } => {
                let of = |form: ir::ReasoningForm| texts.iter().filter(move |(other, _)| *other == form);
                ir::Json::of(&ReasoningBody {
                    id,
                    r#type: "reasoning",
                    summary: of(ir::ReasoningForm::Summary).map(|(_, text)| Content::SummaryText { text }).collect(),
                    content: of(ir::ReasoningForm::Raw).map(|(_, text)| Content::ReasoningText { text }).collect(),
                    encrypted_content: encrypted.as_deref(),
                    extensions: extensions.written(DIALECT, ""),
                })
            }
            Self::Call(Call { id, call_id, own: Some(own), arguments, .. }) => {
                ir::Json::of(&own.call(id, call_id, arguments, status))
            }
            Self::Call(Call { id, call_id, name, namespace, kind, own: None, arguments, .. }) => {
                ir::Json::of(&CallBody {
                    id,
                    r#type: if *kind == ir::CallKind::Custom { "custom_tool_call" } else { "function_call" },
                    status,
                    call_id,
                    name,
                    namespace: namespace.as_deref(),
                    arguments: (*kind == ir::CallKind::Function).then_some(arguments),
                    input: (*kind == ir::CallKind::Custom).then_some(arguments),
                    extensions: extensions.written(DIALECT, ""),
                })
            }
        }
    }
}

/// A part of a message's content, as it is written.
pub(super) fn content(part: &ir::Part) -> Option<Content<'_>> {
    match part {
        ir::Part::Text(part) => {
            let characters = part.text.chars().count();
            Some(Content::OutputText {
                text: &part.text,
                annotations: part.citations.iter().filter_map(|one| Annotation::new(one, characters)).collect(),
                logprobs: Some(Logprob::list(&part.logprobs)),
                extensions: part.meta.extensions.written(DIALECT, ""),
            })
        }
        ir::Part::Refusal(part) => {
            Some(Content::Refusal { refusal: &part.text, extensions: part.meta.extensions.written(DIALECT, "") })
        }
        ir::Part::Opaque(part) => Some(Content::Raw(&part.value)),
        ir::Part::Media(_) | ir::Part::ToolCall(_) | ir::Part::ToolResult(_) | ir::Part::Reasoning(_) => None,
    }
}

/// A picture that the model made.
pub(super) fn image(media: &ir::Media, data: &str, id: &str) -> ir::Json {
    let extensions = &media.meta.extensions;
    let is_own = words::is_generated(media);
    let subtype = media.mime.as_deref().and_then(|mime| mime.strip_prefix("image/"));
    ir::Json::of(&ImageBody {
        id,
        r#type: "image_generation_call",
        status: extensions.get(DIALECT, "status").is_none().then_some("completed"),
        output_format: subtype.filter(|_| !is_own),
        result: data,
        extensions: extensions.written(DIALECT, ""),
    })
}
