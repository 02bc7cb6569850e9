//! Messages and their parts.

use serde::Serialize;
use smallvec::SmallVec;

use super::{Json, Meta, Place, Text};
use crate::diagnostics::Code;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person or program that asks; tool results are the user's parts too.
    User,
    /// The model.
    Assistant,
    /// The operator, in the middle of a conversation. At its beginning it is [`super::Request::instructions`].
    System,
    /// As [`Role::System`], in dialects that rank the two (OpenAI). Nearly every upstream reads both alike.
    Developer,
}

/// One turn, or a piece of one: neighbours of one role are allowed, and a backend whose dialect minds joins them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// Where it came from.
    #[serde(skip)]
    pub place: Place,
    /// Who speaks.
    pub role: Role,
    /// The participant's name (Chat's `name`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// What is said, in order; most messages have one part.
    pub parts: SmallVec<[Part; 1]>,
    /// What its own dialect alone understands.
    #[serde(skip_serializing_if = "super::Extensions::is_empty")]
    pub extensions: super::Extensions,
}

/// A piece of a message or of an answer. Order is meaning: reasoning stands before the call that it led to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Words. Never empty, unless a seal rides on them.
    Text(TextPart),
    /// A picture, sound, film or document.
    Media(Media),
    /// The model asks for a tool to be run. Only in assistant messages and answers.
    ToolCall(ToolCall),
    /// What a tool answered. Only in user messages.
    ToolResult(ToolResult),
    /// What the model thought. Only in assistant messages and answers.
    Reasoning(Reasoning),
    /// The model's words for saying no. Only in assistant messages and answers.
    Refusal(Refusal),
    /// What only one dialect understands.
    Opaque(Opaque),
}

impl Part {
    /// What the part carries beside its meaning.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        match self {
            Self::Text(part) => &part.meta,
            Self::Media(part) => &part.meta,
            Self::ToolCall(part) => &part.meta,
            Self::ToolResult(part) => &part.meta,
            Self::Reasoning(part) => &part.meta,
            Self::Refusal(part) => &part.meta,
            Self::Opaque(part) => &part.meta,
        }
    }

    /// The same, to change it.
    pub fn meta_mut(&mut self) -> &mut Meta {
        match self {
            Self::Text(part) => &mut part.meta,
            Self::Media(part) => &mut part.meta,
            Self::ToolCall(part) => &mut part.meta,
            Self::ToolResult(part) => &mut part.meta,
            Self::Reasoning(part) => &mut part.meta,
            Self::Refusal(part) => &mut part.meta,
            Self::Opaque(part) => &mut part.meta,
        }
    }
}

/// Words, and what backs them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TextPart {
    /// The words.
    pub text: Text,
    /// Sources; in answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub citations: Vec<Citation>,
    /// How likely each token was; in answers, where it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logprobs: Vec<TokenLogprob>,
    /// What any node may carry.
    #[serde(flatten)]
    pub meta: Meta,
}

/// A source of a stretch of text.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Citation {
    /// Start and end of the stretch in its text block, in Unicode scalar values; `None` is the whole block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<(usize, usize)>,
    /// The source's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Text>,
    /// The source's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// The words of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<Text>,
    /// The citation as its own dialect wrote it, for a client of that dialect; `null` where it is among the answer's
    /// extensions, which such a client gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native: Option<Native>,
}

/// A value as one dialect wrote it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Native {
    /// Whose.
    pub dialect: &'static str,
    /// The value.
    pub value: Json,
}

/// How likely a token was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenLogprob {
    /// The token's text.
    pub token: Text,
    /// Natural logarithm of its probability.
    pub logprob: f64,
    /// The likeliest tokens at this position.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<(Text, f64)>,
}

/// What kind of thing a [`Media`] part shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A sound.
    Audio,
    /// A film.
    Video,
    /// A document: PDF, text, spreadsheet.
    Document,
}

/// A picture, sound, film or document.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Where its content is.
    pub source: MediaSource,
    /// Its media type, lower case, without parameters: `image/png`. Known for inline content nearly always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime: Option<Text>,
    /// File name or title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// How closely a picture is to be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
    /// What any node may carry.
    #[serde(flatten)]
    pub meta: Meta,
}

impl Media {
    /// Whether it stands at an address of the web.
    #[must_use]
    pub fn is_on_web(&self) -> bool {
        let MediaSource::Url(url) = &self.source else { return false };
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")
    }

    /// What can be told of it in words, where a dialect has no other form: its address, or its own text. Nothing of bytes.
    #[must_use]
    pub fn words(&self) -> Option<Text> {
        match &self.source {
            MediaSource::Url(url) if self.kind == MediaKind::Image => Some(format!("![image]({url})").into()),
            MediaSource::Url(url) => Some(url.clone()),
            MediaSource::Text(text) => Some(text.clone()),
            MediaSource::Inline(_) | MediaSource::File { .. } => None,
        }
    }
}

/// Where the content of a [`Media`] part is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaSource {
    /// Here, as base64 in either alphabet, exactly as it was sent.
    Inline(Text),
    /// At an address.
    Url(Text),
    /// Uploaded to a provider before, under an id that only its dialect's providers know.
    File {
        /// The dialect whose providers may know it.
        dialect: &'static str,
        /// The id.
        id: Text,
    },
    /// Here, as plain words: a text document.
    Text(Text),
}

/// How closely a picture is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// The provider's choice, said aloud.
    Auto,
    /// Coarsely.
    Low,
    /// Between low and high (Gemini's `MEDIUM`).
    Medium,
    /// Finely.
    High,
    /// At the picture's own size.
    Original,
}

/// Whether a tool takes arguments by a schema, or free text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// Arguments are a JSON object.
    #[default]
    Function,
    /// The argument is free text, perhaps by a grammar (OpenAI's custom tools).
    Custom,
}

/// The model asks for a tool to be run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ToolCall {
    /// The call's id; made up where the upstream gave none. Unique within a conversation.
    pub id: Text,
    /// The tool's name, as the client declared it.
    pub name: Text,
    /// The name space of the tool (Responses).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Text>,
    /// How to read `arguments`.
    pub kind: CallKind,
    /// For a function the arguments as JSON text, byte for byte as the model wrote it: nearly always an object, empty
    /// where there are none, but models do write broken JSON. For a custom tool the free text.
    pub arguments: Text,
    /// What any node may carry.
    #[serde(flatten)]
    pub meta: Meta,
}

impl ToolCall {
    /// The arguments as a JSON object: `{}` for none; `None` where they are no object, which a backend that needs one
    /// has to wrap and report.
    #[must_use]
    pub fn arguments_object(&self) -> Option<Json> {
        if self.kind == CallKind::Custom {
            return None;
        }
        if self.arguments.is_blank() {
            return Some(Json::EMPTY_OBJECT);
        }
        Json::parse_object(&self.arguments)
    }
}

/// Whether the arguments of a function's call can be run: an object, or none. Others were cut off, or the model wrote what is
/// no JSON.
#[must_use]
pub fn is_runnable(kind: CallKind, arguments: &str) -> bool {
    kind == CallKind::Custom || arguments.trim().is_empty() || Json::parse_object(&arguments.into()).is_some()
}

/// What a tool answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ToolResult {
    /// The call that this answers.
    pub call_id: Text,
    /// The tool's name, where the client said it (Gemini) or lowering found the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// How the call was made.
    pub kind: CallKind,
    /// Text, media and opaque parts; may be empty.
    pub content: Vec<Part>,
    /// The tool failed, and the content says how.
    pub error: bool,
    /// What any node may carry.
    #[serde(flatten)]
    pub meta: Meta,
}

/// How much of its thoughts a model shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningForm {
    /// A summary of them.
    #[default]
    Summary,
    /// The thoughts themselves (open models).
    Raw,
    /// Nothing: the seal holds them (Claude's `redacted_thinking`).
    Redacted,
}

/// What the model thought. The seal, if any, is in `meta`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reasoning {
    /// The words; may be empty.
    pub text: Text,
    /// What the words are.
    pub form: ReasoningForm,
    /// What any node may carry.
    #[serde(flatten)]
    pub meta: Meta,
}

/// The model's words for saying no.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Refusal {
    /// The words.
    pub text: Text,
    /// What any node may carry.
    #[serde(flatten)]
    pub meta: Meta,
}

/// A part that only one dialect understands: given back to that dialect as it was; elsewhere told in words where it has
/// some, else left out; reported either way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Opaque {
    /// Whose.
    pub dialect: &'static str,
    /// Its kind in that dialect: `web_search_call`, `server_tool_use`.
    pub kind: Text,
    /// The whole of it.
    pub value: Json,
    /// What it says in words, for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Text>,
    /// What a hosted tool did, where the part tells that and several dialects have a form for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<super::Trace>,
    /// What is lost when another dialect cannot carry it.
    pub loss: &'static Code,
    /// What any node may carry.
    #[serde(flatten)]
    pub meta: Meta,
}
