//! Raises parts into content blocks.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::super::Names;
use crate::context::Cx;
use crate::diagnostics::codes;
use crate::dialects::claude::{ID, REDACTED, Signed, marks};
use crate::dialects::media::{is_text, known_mime, standard_base64, standard_base64_text};
use crate::ir;

/// A content block.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text {
        text: Cow<'a, ir::Text>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        citations: Vec<&'a ir::Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a ir::Text>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    ToolUse {
        id: &'a ir::Text,
        name: ir::Text,
        input: ir::Json,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    ToolResult {
        tool_use_id: &'a ir::Text,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<Content<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    Thinking {
        thinking: &'a ir::Text,
        signature: &'a ir::Text,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    RedactedThinking {
        data: &'a ir::Text,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    #[serde(untagged)]
    Raw(&'a ir::Json),
}

/// Where the content of a picture or document is.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    Base64 {
        media_type: &'a str,
        data: Cow<'a, ir::Text>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    Text {
        media_type: &'static str,
        data: Cow<'a, ir::Text>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    Url {
        url: &'a ir::Text,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    File {
        file_id: &'a ir::Text,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
}

/// A wish to cache.
#[derive(Debug, Serialize)]
pub(super) struct CacheControl<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
    /// The node that asks for it.
    #[serde(skip)]
    place: ir::Place,
}

impl<'a> CacheControl<'a> {
    pub(super) fn of(cx: &mut Cx, meta: &'a ir::Meta) -> Option<Self> {
        let mark = meta.cache?;
        let ttl = match mark.ttl {
            None => None,
            Some(ir::CacheTtl::FiveMinutes) => Some("5m"),
            Some(ir::CacheTtl::OneHour) => Some("1h"),
            Some(ir::CacheTtl::ThirtyMinutes | ir::CacheTtl::TwelveHours) => {
                cx.report_at(
                    &codes::CACHE_TTL_APPROXIMATED,
                    meta.place,
                    ir::Setting::CacheMark,
                    "one hour is asked for",
                );
                Some("1h")
            }
        };
        Some(Self { r#type: "ephemeral", ttl, rest: meta.extensions.written(ID, "cache_control"), place: meta.place })
    }
}

/// Content: one plain text, or blocks.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    Plain(Cow<'a, ir::Text>),
    Blocks(Vec<Block<'a>>),
}

/// Leaves out the first of `marks`, which stand in the order of the prompt, until there are as many as Claude takes: a mark
/// covers all that stands before it, so the last ones are worth most.
pub(super) fn limit_marks(cx: &mut Cx, marks: Vec<&mut Option<CacheControl<'_>>>) {
    const MOST: usize = 4;
    let surplus = marks.len().saturating_sub(MOST);
    for mark in marks.into_iter().take(surplus) {
        if let Some(CacheControl { place, .. }) = mark.take() {
            let what = format!("Claude takes {MOST} marks; the last ones are sent");
            cx.report_at(&codes::CACHE_HINT_LOST, place, ir::Setting::CacheMark, what);
        }
    }
}

impl<'a> Block<'a> {
    /// The marks of the block and of those inside of it, in order.
    fn marks(&mut self) -> Vec<&mut Option<CacheControl<'a>>> {
        match self {
            Self::Text { cache_control, .. }
            | Self::Image { cache_control, .. }
            | Self::Document { cache_control, .. }
            | Self::ToolUse { cache_control, .. } => vec![cache_control],
            Self::ToolResult { content, cache_control, .. } => {
                let mut out = content.as_mut().map(Content::marks).unwrap_or_default();
                out.push(cache_control);
                out
            }
            Self::Thinking { .. } | Self::RedactedThinking { .. } | Self::Raw(_) => Vec::new(),
        }
    }
}

impl<'a> Content<'a> {
    /// The marks of its blocks, in order.
    pub(super) fn marks(&mut self) -> Vec<&mut Option<CacheControl<'a>>> {
        let blocks: &mut [Block<'a>] = match self {
            Self::Plain(_) => &mut [],
            Self::Blocks(blocks) => blocks,
        };
        blocks.iter_mut().flat_map(Block::marks).filter(|mark| mark.is_some()).collect()
    }

    pub(super) fn of(mut blocks: Vec<Block<'a>>) -> Self {
        match (blocks.pop(), blocks.is_empty()) {
            (Some(Block::Text { text, citations, cache_control: None, rest }), true)
                if citations.is_empty() && rest.is_empty() =>
            {
                Self::Plain(text)
            }
            (last, _) => {
                blocks.extend(last);
                Self::Blocks(blocks)
            }
        }
    }
}

/// The ids of calls, as they are sent: Claude takes letters, digits, `_` and `-` only.
#[derive(Debug, Default)]
pub(super) struct CallIds(HashMap<String, ir::Text>);

impl CallIds {
    /// The ids of all calls and results of `messages`. What has to be rewritten is so the same way in every request.
    pub(super) fn of(cx: &mut Cx, messages: &[ir::Message]) -> Self {
        let parts = || messages.iter().flat_map(|message| &message.parts);
        let id_of = |part: &ir::Part| match part {
            ir::Part::ToolCall(call) => Some((call.id.clone(), call.meta.place)),
            ir::Part::ToolResult(result) => Some((result.call_id.clone(), result.meta.place)),
            _ => None,
        };
        if parts().filter_map(id_of).all(|(id, _)| is_id(&id)) {
            return Self::default();
        }
        let mut taken: HashSet<String> =
            parts().filter_map(id_of).map(|(id, _)| id.as_str().to_owned()).filter(|id| is_id(id)).collect();
        let mut out = HashMap::new();
        for (id, place) in parts().filter_map(id_of) {
            if is_id(&id) || out.contains_key(id.as_str()) {
                continue;
            }
            let fitted: String = id.chars().map(|c| if is_id_char(c) { c } else { '_' }).collect();
            let fitted = if fitted.is_empty() { "call".to_owned() } else { fitted };
            let mut sent = fitted.clone();
            let mut number = 1;
            while !taken.insert(sent.clone()) {
                number += 1;
                sent = format!("{fitted}_{number}");
            }
            cx.report(&codes::TOOL_ID_REWRITTEN, place, "", format!("{} is sent as {sent}", &*id));
            out.insert(id.as_str().to_owned(), sent.into());
        }
        Self(out)
    }

    fn sent<'a>(&'a self, id: &'a ir::Text) -> &'a ir::Text {
        self.0.get(id.as_str()).unwrap_or(id)
    }
}

fn is_id_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.chars().all(is_id_char)
}

/// What parts are written with.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    pub(super) names: &'a Names,
    pub(super) ids: &'a CallIds,
    pub(super) issuer: &'a ir::Issuer,
}

impl<'a> Writer<'a> {
    /// Writes a part: as one block, or none.
    pub(super) fn write(&self, cx: &mut Cx, part: &'a ir::Part, out: &mut Vec<Block<'a>>) {
        let meta = part.meta();
        cx.report_extensions(&meta.extensions, meta.place, ID);
        if !matches!(part, ir::Part::Reasoning(_)) && meta.seal.as_ref().is_some_and(|seal| !seal.is_note()) {
            let what = "a signature that Claude has no place for";
            cx.report(&codes::REASONING_STATE_FOREIGN, meta.place, "", what);
        }
        match part {
            ir::Part::Text(part) => out.extend(text(cx, part)),
            ir::Part::Media(part) => out.extend(media(cx, part)),
            ir::Part::ToolCall(part) => out.push(self.tool_use(cx, part)),
            ir::Part::ToolResult(part) => out.push(self.tool_result(cx, part)),
            ir::Part::Reasoning(part) => out.extend(self.reasoning(cx, part)),
            ir::Part::Refusal(part) => out.extend(words(cx, &part.text, meta)),
            ir::Part::Opaque(part) if part.dialect == ID => out.push(Block::Raw(&part.value)),
            ir::Part::Opaque(part) => {
                cx.report_opaque(part, ID);
                out.extend(part.words.as_ref().and_then(|text| words(cx, text, meta)));
            }
        }
    }

    fn tool_use(&self, cx: &mut Cx, call: &'a ir::ToolCall) -> Block<'a> {
        let ir::ToolCall { id, name, namespace, kind, arguments, meta } = call;
        let input = call.arguments_object().unwrap_or_else(|| {
            let key = match kind {
                ir::CallKind::Custom => "input",
                ir::CallKind::Function => {
                    let what = "the arguments are no JSON object";
                    cx.report(&codes::TOOL_ARGUMENTS_WRAPPED, meta.place, "", what);
                    "_raw"
                }
            };
            ir::Json::of(&serde_json::Map::from_iter([(key.to_owned(), arguments.as_str().into())]))
        });
        Block::ToolUse {
            id: self.ids.sent(id),
            name: self.names.sent(name, namespace.as_ref()),
            input,
            cache_control: CacheControl::of(cx, meta),
            rest: meta.extensions.written(ID, ""),
        }
    }

    fn tool_result(&self, cx: &mut Cx, result: &'a ir::ToolResult) -> Block<'a> {
        let ir::ToolResult { call_id, name: _, kind: _, content: parts, error, meta } = result;
        let mut blocks = Vec::new();
        for part in parts {
            self.write(cx, part, &mut blocks);
        }
        let content = match (blocks.is_empty(), error) {
            (false, _) => Some(Content::of(blocks)),
            // A failure has to say something.
            (true, true) => Some(Content::Plain(Cow::Owned(ir::Text::constant("The tool failed.")))),
            (true, false) => None,
        };
        Block::ToolResult {
            tool_use_id: self.ids.sent(call_id),
            content,
            is_error: *error,
            cache_control: CacheControl::of(cx, meta),
            rest: meta.extensions.written(ID, ""),
        }
    }

    /// Thoughts go up only with a seal that this upstream can open, and then as they were.
    fn reasoning(&self, cx: &mut Cx, part: &'a ir::Reasoning) -> Option<Block<'a>> {
        let ir::Reasoning { text, form, meta } = part;
        if meta.cache.is_some() {
            cx.report_at(&codes::CACHE_HINT_LOST, meta.place, ir::Setting::CacheMark, "thoughts take no cache mark");
        }
        let Some(seal) = &meta.seal else {
            cx.report(&codes::REASONING_DROPPED, meta.place, "", "thoughts without a signature");
            return None;
        };
        if !self.issuer.may_open(&seal.issuer) {
            let what = "thoughts that another provider or model signed";
            cx.report(&codes::REASONING_STATE_FOREIGN, meta.place, "", what);
            return None;
        }
        let rest = meta.extensions.written(ID, "");
        // A client's slot may not tell a thought that was not shown from a redacted one; the seal's note does. A bare value
        // is a Claude client's own, who says it.
        let is_bare = seal.issuer.provider.is_none();
        let is_redacted = seal.note.as_deref() == Some(REDACTED) || is_bare && *form == ir::ReasoningForm::Redacted;
        // Some clients drop a thought's words, or trim them, and keep its seal.
        if !is_redacted && seal.note.as_deref().is_some_and(|note| note != Signed::NOTHING.with(text).note()) {
            cx.report(&codes::REASONING_DROPPED, meta.place, "", "thoughts whose words are not those that were signed");
            return None;
        }
        Some(if is_redacted {
            Block::RedactedThinking { data: &seal.payload, rest }
        } else {
            Block::Thinking { thinking: text, signature: &seal.payload, rest }
        })
    }
}

fn text<'a>(cx: &mut Cx, part: &'a ir::TextPart) -> Option<Block<'a>> {
    let ir::TextPart { text, citations, logprobs: _, meta } = part;
    let own = |citation: &'a ir::Citation| citation.native.as_ref().filter(|native| native.dialect == ID);
    let native: Vec<&ir::Json> = citations.iter().filter_map(own).map(|native| &native.value).collect();
    if native.len() < citations.len() {
        cx.report_at(&codes::CITATIONS_LOST, meta.place, ir::Setting::Citations, "citations that Claude did not make");
    }
    match words(cx, text, meta)? {
        Block::Text { text, citations: _, cache_control, rest } => {
            Some(Block::Text { text, citations: native, cache_control, rest })
        }
        other => Some(other),
    }
}

/// A text block, unless it is blank: Claude refuses blank ones, but for those that it wrote itself.
fn words<'a>(cx: &mut Cx, text: &'a ir::Text, meta: &'a ir::Meta) -> Option<Block<'a>> {
    if text.is_empty() || text.is_blank() && meta.extensions.get(ID, marks::BLANK).is_none() {
        return None;
    }
    Some(Block::Text {
        text: Cow::Borrowed(text),
        citations: Vec::new(),
        cache_control: CacheControl::of(cx, meta),
        rest: meta.extensions.written(ID, ""),
    })
}

fn media<'a>(cx: &mut Cx, media: &'a ir::Media) -> Option<Block<'a>> {
    let ir::Media { kind, source: _, mime: _, name, detail, meta } = media;
    if detail.is_some_and(|detail| detail != ir::Detail::Auto) {
        cx.report_at(&codes::MEDIA_DETAIL_LOST, meta.place, ir::Setting::Detail, "Claude takes no detail of a picture");
    }
    let rest = meta.extensions.written(ID, "");
    match kind {
        ir::MediaKind::Image => {
            if name.is_some() {
                cx.report_at(&codes::MEDIA_DETAIL_LOST, meta.place, ir::Setting::FileName, "a picture has no name");
            }
            let source = image(cx, media)?;
            Some(Block::Image { source, cache_control: CacheControl::of(cx, meta), rest })
        }
        ir::MediaKind::Document => {
            let source = document(cx, media)?;
            let title = name.as_ref();
            Some(Block::Document { source, title, cache_control: CacheControl::of(cx, meta), rest })
        }
        ir::MediaKind::Audio | ir::MediaKind::Video => {
            cx.report(&codes::MODALITY_UNSUPPORTED, meta.place, "", "Claude takes neither sound nor film");
            None
        }
    }
}

fn image<'a>(cx: &mut Cx, media: &'a ir::Media) -> Option<Source<'a>> {
    let rest = media.meta.extensions.written(ID, "source");
    match &media.source {
        ir::MediaSource::Inline(data) => {
            let media_type = match known_mime(media) {
                Some("image/jpeg" | "image/jpg") => "image/jpeg",
                Some("image/png") => "image/png",
                Some("image/gif") => "image/gif",
                Some("image/webp") => "image/webp",
                other => {
                    unsupported(cx, media, other);
                    return None;
                }
            };
            Some(Source::Base64 { media_type, data: standard_base64_text(data), rest })
        }
        ir::MediaSource::Text(_) => {
            unsupported(cx, media, None);
            None
        }
        ir::MediaSource::Url(_) | ir::MediaSource::File { .. } => by_reference(cx, media),
    }
}

fn document<'a>(cx: &mut Cx, media: &'a ir::Media) -> Option<Source<'a>> {
    let rest = media.meta.extensions.written(ID, "source");
    let mime = known_mime(media);
    match &media.source {
        ir::MediaSource::Inline(data) => match mime {
            Some("application/pdf") => {
                Some(Source::Base64 { media_type: "application/pdf", data: standard_base64_text(data), rest })
            }
            Some(mime) if is_text(mime) => {
                let bytes = STANDARD.decode(standard_base64(data).as_bytes()).ok();
                let Some(text) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) else {
                    cx.report(&codes::MODALITY_UNSUPPORTED, media.meta.place, "", "a text that is not UTF-8");
                    return None;
                };
                Some(Source::Text { media_type: "text/plain", data: Cow::Owned(text.into()), rest })
            }
            other => {
                unsupported(cx, media, other);
                None
            }
        },
        ir::MediaSource::Text(text) => Some(Source::Text { media_type: "text/plain", data: Cow::Borrowed(text), rest }),
        // The end of an address proves nothing, so only what was said counts.
        ir::MediaSource::Url(_) if media.mime.as_deref().is_some_and(|mime| mime != "application/pdf") => {
            if wants_content(media) {
                cx.report_media_url(media)
            } else {
                unsupported(cx, media, mime)
            }
            None
        }
        ir::MediaSource::Url(_) | ir::MediaSource::File { .. } => by_reference(cx, media),
    }
}

/// Whether the content is wanted in the place of an address: of PDF files Claude takes one, of texts the words. A client of its
/// own may know better.
pub(super) fn wants_content(media: &ir::Media) -> bool {
    media.kind == ir::MediaKind::Document
        && media.is_on_web()
        && media.meta.extensions.dialect() != Some(ID)
        && known_mime(media).is_some_and(is_text)
}

fn by_reference<'a>(cx: &mut Cx, media: &'a ir::Media) -> Option<Source<'a>> {
    let rest = media.meta.extensions.written(ID, "source");
    let place = media.meta.place;
    match &media.source {
        ir::MediaSource::Url(url) if url.starts_with("http://") || url.starts_with("https://") => {
            Some(Source::Url { url, rest })
        }
        ir::MediaSource::Url(_) => {
            cx.report(&codes::FILE_ID_NOT_PORTABLE, place, "", "an address that only another provider knows");
            None
        }
        ir::MediaSource::File { dialect, id } if *dialect == ID => Some(Source::File { file_id: id, rest }),
        ir::MediaSource::File { dialect, .. } => {
            cx.report(&codes::FILE_ID_NOT_PORTABLE, place, "", format!("a file that only {dialect} knows"));
            None
        }
        ir::MediaSource::Inline(_) | ir::MediaSource::Text(_) => None,
    }
}

fn unsupported(cx: &mut Cx, media: &ir::Media, mime: Option<&str>) {
    let what = match media.kind {
        ir::MediaKind::Image => "Claude takes JPEG, PNG, GIF and WebP",
        _ => "Claude takes PDF and text",
    };
    let what = format!("{what}, not {}", mime.unwrap_or("what this is"));
    cx.report(&codes::MODALITY_UNSUPPORTED, media.meta.place, "", what);
}
