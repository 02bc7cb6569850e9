//! Words of OpenAI Responses that its two sides share: how content, items and sources are written and read, and the marks
//! by which the backend writes again what the frontend read.
//!
//! The IR has parts where Responses has items. An item that became several parts is told by marks: extensions that no
//! body ever carries, since their names hold a dot that stands for no object of the wire. Fields of an item that the IR
//! has no place for are extensions `^.…` of its first part.

pub mod own_tools;

use serde::Serialize;
use serde_json::value::RawValue;

use super::openai::RESPONSES as ID;
use crate::diagnostics::codes;
use crate::ir;
use crate::json::{Integer, Str, wire};

/// A request of this very dialect: what it leaves out keeps the dialect's own defaults.
pub const OWN_REQUEST: &str = "mark.request";
/// Of a request: its leading `additional_tools` items, each with its index in `input`.
pub const LEADING_TOOLS: &str = "mark.additional_tools";
/// Of a tool: it stands in an item of the input, not in `tools`.
pub const LIFTED: &str = "mark.lifted";
/// Of a part or an instruction: an item begins here, though the part before could go on.
pub const BEGINS: &str = "mark.begins";
/// Of a part or an instruction: it belongs to the item of the part before.
pub const JOINED: &str = "mark.joined";
/// Of an opaque part: it is a part of a message's content, not an item.
pub const CONTENT: &str = "mark.content";
/// Of a tool's result: `output` was a list.
pub const LISTED: &str = "mark.listed";
/// Of a request: the end user's id came as `user`, not as `safety_identifier`.
pub const USER_ALONE: &str = "mark.user";
/// Of a picture or file: the words before the comma of its `data:` URL, where they say more than the media type.
pub const DATA_HEAD: &str = "mark.data";
/// Of a part of an answer: the status of its item, where it is another than `completed`.
pub const STATUS: &str = "mark.status";
/// Where an item's own fields are kept on its first part.
pub const ITEM: &str = ir::AROUND;
/// The field `phase` among them.
pub const ITEM_PHASE: &str = "^.phase";
/// Where a name space's own fields are kept on its first tool.
pub const NAMESPACE: &str = ir::AROUND;

/// Ids of reasoning items that the gateway made up begin so: an upstream is never asked to look one up.
pub const MADE_UP_REASONING: &str = "rs_any_";

/// Ids of items about hosted tools of other dialects begin so, for the same reason.
pub const MADE_UP_SEARCH: &str = "ws_any_";
/// See [`MADE_UP_SEARCH`].
pub const MADE_UP_CODE: &str = "ci_any_";

/// What a hosted tool did, as an item of the kind `kind` tells.
#[must_use]
pub fn trace(kind: &str, raw: &RawValue) -> Option<ir::Trace> {
    if !matches!(kind, "web_search_call" | "code_interpreter_call") {
        return None;
    }
    let item: serde_json::Value = serde_json::from_str(raw.get()).ok()?;
    let text = |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_str).map(ir::Text::from);
    if kind == "web_search_call" {
        let action = item.get("action")?;
        return match text(action.get("type")).as_deref() {
            Some("search") => {
                let first = || text(action.get("queries").and_then(|queries| queries.get(0)));
                Some(ir::Trace::Search { query: text(action.get("query")).or_else(first)? })
            }
            Some("open_page") => Some(ir::Trace::Open { url: text(action.get("url"))? }),
            _ => None,
        };
    }
    let outputs = item.get("outputs").and_then(serde_json::Value::as_array);
    let output = outputs.map(|list| {
        let written = list.iter().filter_map(|one| one.get("logs").or_else(|| one.get("url"))?.as_str());
        let failed = item.get("status").is_some_and(|status| status == "failed");
        ir::CodeOutput { text: written.collect::<Vec<_>>().join("\n").into(), failed }
    });
    let language = Some(ir::Text::constant("python"));
    Some(ir::Trace::Code { id: None, language, code: text(item.get("code"))?, output })
}

/// Sets a mark.
pub fn mark(name: &'static str, extensions: &mut ir::Extensions) {
    let value = ir::Json::of(&true);
    extensions.push(ID, ir::Extension { name: ir::Text::constant(name), value, loss: &codes::WIRE_FORM });
}

/// Whether a mark is set.
#[must_use]
pub fn is_marked(extensions: &ir::Extensions, name: &str) -> bool {
    extensions.get(ID, name).is_some()
}

/// Whether `next` belongs to the same item as `part`, which stands right before it.
#[must_use]
pub fn is_same_item(part: &ir::Part, next: &ir::Part) -> bool {
    // A text that has a note is an item of its own; one without words holds the note of the one before.
    let is_noted = matches!(next, ir::Part::Text(next) if !next.text.is_empty() && is_note(&next.meta));
    let begins = |next: &ir::Meta| is_marked(&next.extensions, BEGINS) || is_noted;
    let same = |part: &ir::Meta, next: &ir::Meta| part.item == next.item && !begins(next);
    match (part, next) {
        (ir::Part::Reasoning(part), ir::Part::Reasoning(next)) => joins_reasoning(&part.meta, &next.meta),
        (part, next) => is_content(part) && is_content(next) && same(part.meta(), next.meta()),
    }
}

fn is_note(meta: &ir::Meta) -> bool {
    meta.seal.as_ref().is_some_and(|seal| seal.is_note())
}

/// Whether two neighbouring pieces of reasoning are of one item: only an id, or a mark, says so.
#[must_use]
pub fn joins_reasoning(part: &ir::Meta, next: &ir::Meta) -> bool {
    let id = |meta: &ir::Meta| meta.item.as_ref().and_then(|item| item.id.clone());
    is_marked(&next.extensions, JOINED) || id(part).is_some() && id(part) == id(next)
}

/// Whether a part is content of a message, and no item of its own.
#[must_use]
pub fn is_content(part: &ir::Part) -> bool {
    match part {
        ir::Part::Text(_) | ir::Part::Refusal(_) => true,
        ir::Part::Media(media) => !is_generated(media),
        ir::Part::Opaque(opaque) => opaque.dialect != ID || is_marked(&opaque.meta.extensions, CONTENT),
        ir::Part::ToolCall(_) | ir::Part::ToolResult(_) | ir::Part::Reasoning(_) => false,
    }
}

/// Whether a picture is an `image_generation_call` of this dialect.
#[must_use]
pub fn is_generated(media: &ir::Media) -> bool {
    media.kind == ir::MediaKind::Image && media.meta.item.is_some()
}

/// A part of an item's content, as it is written.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content<'a> {
    /// Words for the model.
    InputText {
        /// The words.
        text: &'a ir::Text,
        /// A wish to cache the prompt up to here.
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_cache_breakpoint: Option<Breakpoint>,
        /// Fields that the IR has no place for.
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    /// The model's words.
    OutputText {
        /// The words.
        text: &'a ir::Text,
        /// Their sources.
        annotations: Vec<Annotation<'a>>,
        /// How likely each token was.
        #[serde(skip_serializing_if = "Option::is_none")]
        logprobs: Option<Vec<Logprob<'a>>>,
        /// Fields that the IR has no place for.
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    /// The model's words for saying no.
    Refusal {
        /// The words.
        refusal: &'a str,
        /// Fields that the IR has no place for.
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    /// A picture.
    InputImage {
        /// Its address, or `data:` URL.
        #[serde(skip_serializing_if = "Option::is_none")]
        image_url: Option<String>,
        /// Its id at the provider's.
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
        /// How closely to look.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'static str>,
        /// A wish to cache the prompt up to here.
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_cache_breakpoint: Option<Breakpoint>,
        /// Fields that the IR has no place for.
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    /// A document.
    InputFile {
        /// Its name.
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<&'a str>,
        /// Its content, as a `data:` URL.
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<String>,
        /// Its address.
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'a str>,
        /// Its id at the provider's.
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
        /// How closely to look.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'static str>,
        /// A wish to cache the prompt up to here.
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_cache_breakpoint: Option<Breakpoint>,
        /// Fields that the IR has no place for.
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    /// A sound; it stands whole in its extensions.
    InputAudio {
        /// `input_audio`.
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    /// A piece of a summary of thoughts.
    SummaryText {
        /// The words.
        text: &'a str,
    },
    /// A piece of the thoughts themselves.
    ReasoningText {
        /// The words.
        text: &'a str,
    },
    /// What only this dialect understands, as it came.
    #[serde(untagged)]
    Raw(&'a ir::Json),
}

/// A wish to cache the prompt.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Breakpoint {
    /// Always `explicit`.
    pub mode: &'static str,
    /// `30m` or `12h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<&'static str>,
}

/// A source, as it is written.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Annotation<'a> {
    /// As this dialect's upstream wrote it.
    Native(&'a ir::Json),
    /// An address.
    Url {
        /// Always `url_citation`.
        r#type: &'static str,
        /// Where the stretch of text begins that it backs.
        start_index: usize,
        /// Where it ends.
        end_index: usize,
        /// The address.
        url: &'a str,
        /// The source's title.
        title: &'a str,
    },
}

impl<'a> Annotation<'a> {
    /// How a citation of a text of so many characters is written; `None` for a source without an address, which the
    /// dialect has no words for.
    #[must_use]
    pub fn new(citation: &'a ir::Citation, characters: usize) -> Option<Self> {
        if let Some(native) = citation.native.as_ref().filter(|native| native.dialect == ID) {
            return Some(Self::Native(&native.value));
        }
        let (start_index, end_index) = citation.span.unwrap_or((0, characters));
        let title = citation.title.as_deref().unwrap_or_default();
        citation.url.as_deref().map(|url| Self::Url { r#type: "url_citation", start_index, end_index, url, title })
    }
}

/// How likely a token was, as it is written.
#[derive(Clone, Debug, Serialize)]
pub struct Logprob<'a> {
    token: &'a str,
    bytes: &'a [u8],
    logprob: f64,
    top_logprobs: Vec<TopLogprob<'a>>,
}

#[derive(Clone, Debug, Serialize)]
struct TopLogprob<'a> {
    token: &'a str,
    bytes: &'a [u8],
    logprob: f64,
}

impl<'a> Logprob<'a> {
    /// How the tokens of a text are written.
    #[must_use]
    pub fn list(tokens: &'a [ir::TokenLogprob]) -> Vec<Self> {
        let top =
            |(token, logprob): &'a (ir::Text, f64)| TopLogprob { token, bytes: token.as_bytes(), logprob: *logprob };
        let one = |token: &'a ir::TokenLogprob| Self {
            token: &token.token,
            bytes: token.token.as_bytes(),
            logprob: token.logprob,
            top_logprobs: token.top.iter().map(top).collect(),
        };
        tokens.iter().map(one).collect()
    }
}

wire! {
    struct AnnotationRead<'a> {
        "type" kind: Str<'a>,
        "url" url: Str<'a>,
        "title" title: Str<'a>,
        "filename" filename: Str<'a>,
        "start_index" start: Integer,
        "end_index" end: Integer,
    }
    struct LogprobRead<'a> {
        "token" token: Str<'a>,
        "logprob" logprob: f64,
        "top_logprobs" top: Vec<TopLogprobRead<'a>>,
    }
    struct TopLogprobRead<'a> {
        "token" token: Str<'a>,
        "logprob" logprob: f64,
    }
}

/// Reads one source. What cannot be read is kept for a client of this dialect all the same.
#[must_use]
pub fn citation(raw: &RawValue) -> ir::Citation {
    let native = Some(ir::Native { dialect: ID, value: raw.into() });
    let Ok(read) = crate::json::read::<AnnotationRead<'_>>(raw.get()) else {
        return ir::Citation { native, ..ir::Citation::default() };
    };
    let index = |at: Option<Integer>| at.and_then(Integer::unsigned).and_then(|at| usize::try_from(at).ok());
    let text = |text: Option<Str<'_>>| text.filter(|text| !text.is_empty()).map(|text| ir::Text::from(&*text));
    let is_url = read.kind.as_deref().is_some_and(|kind| kind == "url_citation");
    ir::Citation {
        span: index(read.start).zip(index(read.end)).filter(|(start, end)| start <= end),
        url: text(read.url).filter(|_| is_url),
        title: text(read.title).or_else(|| text(read.filename)),
        quote: None,
        native,
    }
}

/// Reads a list of sources.
#[must_use]
pub fn citations(raw: Option<&RawValue>) -> Vec<ir::Citation> {
    let list: Vec<&RawValue> = raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    list.into_iter().map(citation).collect()
}

/// Reads the log probabilities of a text's tokens.
#[must_use]
pub fn logprobs(raw: Option<&RawValue>) -> Vec<ir::TokenLogprob> {
    let list: Vec<LogprobRead<'_>> = raw.and_then(|raw| crate::json::read(raw.get()).ok()).unwrap_or_default();
    let top = |read: TopLogprobRead<'_>| Some((ir::Text::from(&*read.token?), read.logprob?));
    let one = |read: LogprobRead<'_>| {
        Some(ir::TokenLogprob {
            token: ir::Text::from(&*read.token?),
            logprob: read.logprob?,
            top: read.top.unwrap_or_default().into_iter().filter_map(top).collect(),
        })
    };
    list.into_iter().filter_map(one).collect()
}
