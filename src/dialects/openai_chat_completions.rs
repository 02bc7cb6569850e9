//! Words of Chat Completions, and of the many relatives that speak it with additions of their own.
//!
//! # Thoughts
//!
//! The official protocol has no field for what a model thought. Its relatives have several: `reasoning_content`
//! (DeepSeek and most others), `reasoning` with `reasoning_details` (OpenRouter), parts of the kind `thinking` in the
//! content (Mistral). Each takes back what it gave, in the field where it gave it, and some refuse a turn without it; but
//! hardly any takes another's. So what an upstream thought is sealed with [`Thoughts`], which say where it stood: nobody
//! but its issuer ever sees them again.

use serde::Serialize;
use serde_json::Value;

use crate::diagnostics::{Code, codes};
use crate::ir::{CacheTtl, Detail, Extension, Extensions, Json, Reason, Text, Tier};

/// The id of the dialect.
pub const ID: &str = super::openai::CHAT_COMPLETIONS;

/// The last message: the client gives the assistant the last word, which some relatives go on from.
pub const LAST_FORM: &str = "wire.last";
/// How a content was spelled where a string, a list and nothing mean the same: `[]`, `""`; for an instruction also
/// `"more"`, a further part of the list before it.
pub const CONTENT_FORM: &str = "wire.content";
/// The role as it was spelled: `developer`, `function`.
pub const ROLE_FORM: &str = "wire.role";
/// The field that held a value which several fields can hold.
pub const FIELD_FORM: &str = "wire.field";
/// A value as it was written, where its own spelling would be lost.
pub const VALUE_FORM: &str = "wire.value";
/// The index that a call of a whole answer has with some.
pub const INDEX_FORM: &str = "wire.index";
/// A choice of a tool in the words of a relative.
pub const CHOICE_FORM: &str = "wire.tool_choice.value";
/// The client chose among tools without declaring one.
pub const WITHOUT_TOOLS: &str = "wire.without_tools";
/// The client said aloud that it wants a whole answer.
pub const STREAM_FORM: &str = "wire.stream";
/// The field that held the limit of tokens.
pub const LIMIT_FORM: &str = "wire.max_tokens";
/// Whether `stop` was a string or a list.
pub const STOP_FORM: &str = "wire.stop";
/// The seed stood in `random_seed`, Mistral's name for it.
pub const SEED_FORM: &str = "wire.seed";
/// The client asked for `top_k`, which only relatives know.
pub const TOP_K_FORM: &str = "wire.top_k";
/// The client said aloud that it wants no token beside the chosen one.
pub const TOP_LOGPROBS_FORM: &str = "wire.top_logprobs";
/// The effort stood in `reasoning_effort`, perhaps beside a relative's field.
pub const EFFORT_FORM: &str = "wire.reasoning_effort";
/// The field that held the end user's id.
pub const USER_FORM: &str = "wire.user";
/// The choice stood in `function_call`.
pub const LEGACY_CHOICE: &str = "wire.tool_choice";
/// The kind of `response_format`, where it asks for words in so many words, or for what only a relative knows.
pub const FORMAT_FORM: &str = "wire.response_format";
/// `file_data` held an address, which a relative takes.
pub const FILE_FORM: &str = "wire.file_data";
/// The kind of a part that a relative alone has: `document_url`, `file_url`, `audio_url`, `video_url`.
pub const PART_FORM: &str = "wire.part";
/// The client of this dialect said `strict`, or chose among tools by `allowed_tools`: it may know better what its upstream takes.
pub const MEANT: &str = "wire.meant";
/// The request declared `functions`, the forerunner of `tools`.
pub const FUNCTIONS: &str = "functions";

/// Notes how something was spelled, so that an upstream of the same dialect reads it so. The name has a dot, thus it is
/// never written as a field.
pub fn note(name: &'static str, value: Json, out: &mut Extensions) {
    note_loss(name, value, &codes::WIRE_FORM, out);
}

/// The same, for a spelling whose loss says something.
pub fn note_loss(name: &'static str, value: Json, loss: &'static Code, out: &mut Extensions) {
    out.push(ID, Extension { name: Text::constant(name), value, loss });
}

/// How something was spelled: the JSON text that [`note`] was given.
#[must_use]
pub fn noted<'a>(name: &str, extensions: &'a Extensions) -> Option<&'a str> {
    extensions.get(ID, name).map(Json::as_str)
}

/// Where an upstream tells its thoughts in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThoughtField {
    /// The message's field `reasoning_content`.
    ReasoningContent,
    /// The message's field `reasoning`.
    Reasoning,
    /// A part of the content, of the kind `thinking`.
    Thinking,
}

impl ThoughtField {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ReasoningContent => "reasoning_content",
            Self::Reasoning => "reasoning",
            Self::Thinking => "thinking",
        }
    }

    /// The field of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::ReasoningContent, Self::Reasoning, Self::Thinking].into_iter().find(|field| field.name() == name)
    }
}

/// What an upstream has to get back of its thoughts beside the words: the payload of their seal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thoughts {
    /// Where the words stood.
    pub field: Option<ThoughtField>,
    /// The entries of `reasoning_details`, as they were.
    pub details: Vec<Value>,
}

impl Thoughts {
    /// The payload that says this.
    #[must_use]
    pub fn payload(&self) -> Text {
        #[derive(Serialize)]
        struct Payload<'a> {
            field: Option<&'static str>,
            #[serde(skip_serializing_if = "is_empty")]
            details: &'a [Value],
        }
        fn is_empty(details: &&[Value]) -> bool {
            details.is_empty()
        }
        Json::of(&Payload { field: self.field.map(ThoughtField::name), details: &self.details }).text().clone()
    }

    /// What a payload says; `None` where it is no such thing.
    #[must_use]
    pub fn of_payload(payload: &str) -> Option<Self> {
        let Value::Object(mut object) = serde_json::from_str(payload).ok()? else { return None };
        let field = object.get("field")?;
        let field = field.as_str().and_then(ThoughtField::named);
        let details = match object.remove("details") {
            Some(Value::Array(details)) => details,
            _ => Vec::new(),
        };
        Some(Self { field, details })
    }

    /// The words that an entry of `reasoning_details` holds.
    #[must_use]
    pub fn words(entry: &Value) -> &str {
        ["text", "summary"].into_iter().find_map(|key| entry.get(key).and_then(Value::as_str)).unwrap_or_default()
    }

    /// The opaque state that an entry of `reasoning_details` holds.
    #[must_use]
    pub fn secret(entry: &Value) -> Option<&str> {
        let texts = ["signature", "data"].into_iter().filter_map(|key| entry.get(key).and_then(Value::as_str));
        texts.into_iter().find(|secret| !secret.is_empty())
    }

    /// Puts something else in the place of an entry's opaque state.
    pub fn replace_secret(entry: &mut Value, with: &str) {
        let key = ["signature", "data"]
            .into_iter()
            .find(|key| entry.get(key).and_then(Value::as_str).is_some_and(|secret| !secret.is_empty()));
        if let Some(slot) = key.and_then(|key| entry.get_mut(key)) {
            *slot = Value::String(with.to_owned());
        }
    }
}

/// The reason that a `finish_reason` tells. A call is told by the calls themselves, so its words are ordinary ends.
#[must_use]
pub fn reason_named(word: &str) -> Reason {
    match word {
        "" | "stop" | "tool_calls" | "function_call" | "tool_use" | "eos" | "eos_token" | "end" | "end_turn" => {
            Reason::End
        }
        "stop_sequence" => Reason::StopSequence,
        "length" | "max_tokens" | "model_length" => Reason::Length,
        "content_filter" | "safety" | "sensitive" | "refusal" => Reason::Refusal,
        "malformed_function_call" => Reason::Malformed,
        _ => Reason::Other,
    }
}

/// Whether a `finish_reason` says that the answer broke off.
#[must_use]
pub fn is_failure(word: &str) -> bool {
    matches!(word, "error" | "network_error" | "insufficient_system_resource")
}

/// The `finish_reason` for a reason. Only five words are known to clients.
#[must_use]
pub fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::End | Reason::StopSequence | Reason::Pause | Reason::Malformed | Reason::Other => "stop",
        Reason::ToolUse => "tool_calls",
        Reason::Length | Reason::ContextExceeded => "length",
        Reason::Refusal => "content_filter",
    }
}

/// The tier of a `service_tier`.
#[must_use]
pub fn tier_named(name: &str) -> Option<Tier> {
    Some(match name {
        "auto" => Tier::Auto,
        "default" => Tier::Standard,
        "flex" => Tier::Flex,
        "scale" => Tier::Scale,
        "priority" => Tier::Priority,
        "fast" => Tier::Fast,
        _ => return None,
    })
}

/// The `service_tier` of a tier; `ultrafast` is Responses' alone.
#[must_use]
pub fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Auto => "auto",
        Tier::Standard => "default",
        Tier::Flex => "flex",
        Tier::Scale => "scale",
        Tier::Priority => "priority",
        Tier::Fast | Tier::Ultrafast => "fast",
    }
}

/// The detail of an `image_url.detail`.
#[must_use]
pub fn detail_named(name: &str) -> Option<Detail> {
    Some(match name {
        "auto" => Detail::Auto,
        "low" => Detail::Low,
        "high" => Detail::High,
        "original" => Detail::Original,
        _ => return None,
    })
}

/// The `image_url.detail` of a detail; there is none between low and high.
#[must_use]
pub fn detail_name(detail: Detail) -> Option<&'static str> {
    Some(match detail {
        Detail::Auto => "auto",
        Detail::Low => "low",
        Detail::Medium => return None,
        Detail::High => "high",
        Detail::Original => "original",
    })
}

/// How long a cache is kept, by the name that OpenAI and (on OpenRouter) Claude have for it.
#[must_use]
pub fn ttl_named(name: &str) -> Option<CacheTtl> {
    Some(match name {
        "5m" => CacheTtl::FiveMinutes,
        "30m" => CacheTtl::ThirtyMinutes,
        "1h" => CacheTtl::OneHour,
        "12h" => CacheTtl::TwelveHours,
        _ => return None,
    })
}

/// The media type and the base64 text of a `data:` URL; `None` for any other address, and for data that is not base64.
#[must_use]
pub fn split_data_url(url: &str) -> Option<(&str, &str)> {
    let rest = url.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("data:")).and_then(|_| url.get(5..))?;
    let (head, data) = rest.split_once(',')?;
    let (mime, encoding) = head.rsplit_once(';')?;
    encoding.eq_ignore_ascii_case("base64").then_some((mime, data))
}

/// The media type of an `input_audio.format`.
#[must_use]
pub fn mime_of_format(format: &str) -> String {
    match format {
        "mp3" => "audio/mpeg".to_owned(),
        other => format!("audio/{}", other.to_ascii_lowercase()),
    }
}

/// The `input_audio.format` of a media type.
#[must_use]
pub fn format_of_mime(mime: &str) -> &str {
    match mime {
        "audio/mpeg" | "audio/mpga" => "mp3",
        "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "wav",
        other => other.rsplit_once('/').map_or(other, |(_, format)| format),
    }
}
