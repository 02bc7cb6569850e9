//! Lowers content blocks into parts.

use std::collections::HashMap;

use serde_json::Value;
use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::request::{Content, keep, mark};
use super::slots::{self, Owner};
use crate::context::Cx;
use crate::diagnostics::{Code, codes};
use crate::dialects::claude::{self, ID, marks};
use crate::dialects::hosted::keep_untold;
use crate::envelope;
use crate::error::Result;
use crate::ir;
use crate::json::{Str, StrOr, Unknown, wire};

wire! {
    struct Head<'a> {
        "type" kind: Str<'a>,
    }
    struct TextBlock<'a> {
        "type" kind: Str<'a>,
        "text" text: Str<'a>,
        "citations" citations: Vec<&'a RawValue>,
        "cache_control" cache: &'a RawValue,
    }
    struct MediaBlock<'a> {
        "source" source: &'a RawValue,
        "title" title: Str<'a>,
        "cache_control" cache: &'a RawValue,
    }
    struct Source<'a> {
        "type" kind: Str<'a>,
        "media_type" mime: Str<'a>,
        "data" data: Str<'a>,
        "url" url: Str<'a>,
        "file_id" file_id: Str<'a>,
    }
    struct ToolUse<'a> {
        "id" id: Str<'a>,
        "name" name: Str<'a>,
        "input" input: &'a RawValue,
        "cache_control" cache: &'a RawValue,
    }
    struct ToolResult<'a> {
        "tool_use_id" id: Str<'a>,
        "content" content: Content<'a>,
        "is_error" is_error: bool,
        "cache_control" cache: &'a RawValue,
    }
    struct Thinking<'a> {
        "thinking" thinking: Str<'a>,
        "signature" signature: Str<'a>,
    }
    struct RedactedThinking<'a> {
        "data" data: Str<'a>,
    }
    struct CacheControl<'a> {
        "type" kind: Str<'a>,
        "ttl" ttl: Str<'a>,
    }
}

/// The names of the tools that were called so far, by the calls' ids.
#[derive(Debug, Default)]
pub(super) struct Calls(HashMap<String, ir::Text>);

/// The parts of one message.
#[derive(Default)]
struct Parts {
    parts: SmallVec<[ir::Part; 1]>,
    /// Seals of calls, which a client may have put in front of them.
    seals: Vec<(ir::Text, ir::Sealed)>,
    /// The seal of the next text.
    of_next: Option<ir::Sealed>,
}

/// The parts of a message; where we are is its content.
pub(super) fn parts(cx: &mut Cx, content: &Content<'_>, calls: &mut Calls) -> Result<SmallVec<[ir::Part; 1]>> {
    let mut out = Parts::default();
    match content {
        StrOr::Str(text) => push_text(cx.text(text), ir::Meta::at(cx.here()), &mut out),
        StrOr::Other(list) => {
            for (index, raw) in list.iter().enumerate() {
                cx.at_index(index, |cx| block(cx, raw, calls, &mut out))?;
            }
        }
    }
    leave_next(cx, &mut out);
    for (id, seal) in out.seals {
        let called = |part: &&mut ir::Part| matches!(part, ir::Part::ToolCall(call) if call.id == id);
        if let Some(part) = out.parts.iter_mut().find(called) {
            part.meta_mut().seal = Some(Box::new(seal));
        }
    }
    Ok(out.parts)
}

/// A block that can only be text: the operator's words.
pub(super) fn only_text(cx: &mut Cx, raw: &RawValue) -> Result<(ir::Text, ir::Meta)> {
    let wire: TextBlock<'_> = cx.read_here(raw)?;
    match wire.kind.as_deref() {
        Some("text") | None => {}
        Some(other) => return Err(cx.invalid("type", format!("unexpected block `{other}`, expected `text`"))),
    }
    let text = cx.text(&cx.required(wire.text, "text")?);
    let meta = meta(cx, wire.cache, &wire.unknown)?;
    Ok((text, meta))
}

fn push_text(text: ir::Text, meta: ir::Meta, out: &mut Parts) {
    if !text.is_empty() {
        out.parts.push(ir::Part::Text(ir::TextPart { text, meta, ..ir::TextPart::default() }));
    }
}

fn block(cx: &mut Cx, raw: &RawValue, calls: &mut Calls, out: &mut Parts) -> Result<()> {
    let kind = match cx.kind(raw) {
        Some(kind) => kind,
        None => cx.required(cx.read_here::<Head<'_>>(raw)?.kind, "type")?,
    };
    if &*kind != "text" {
        leave_next(cx, out);
    }
    let part = match &*kind {
        "text" => return text(cx, raw, out),
        "image" => media(cx, raw, ir::MediaKind::Image)?,
        "document" => media(cx, raw, ir::MediaKind::Document)?,
        "tool_use" => tool_use(cx, raw, calls)?,
        "tool_result" => tool_result(cx, raw, calls)?,
        "thinking" => return thinking(cx, raw, out),
        "redacted_thinking" => return redacted(cx, raw, out),
        _ => opaque(cx, raw, &kind),
    };
    out.parts.push(part);
    Ok(())
}

/// Place, cache mark, and what only Claude understands.
fn meta(cx: &mut Cx, cache: Option<&RawValue>, unknown: &Unknown<'_>) -> Result<ir::Meta> {
    let mut out = ir::Meta::at(cx.here());
    keep(cx, unknown, "", field_loss, &mut out.extensions);
    cache_mark(cx, cache, &mut out)?;
    Ok(out)
}

pub(super) fn cache_mark(cx: &mut Cx, cache: Option<&RawValue>, out: &mut ir::Meta) -> Result<()> {
    let Some(raw) = cache.filter(|raw| raw.get() != "null") else { return Ok(()) };
    let wire: CacheControl<'_> = cx.read("cache_control", raw)?;
    let ttl = match wire.ttl.as_deref() {
        None => Some(None),
        Some("5m") => Some(Some(ir::CacheTtl::FiveMinutes)),
        Some("1h") => Some(Some(ir::CacheTtl::OneHour)),
        Some(_) => None,
    };
    match ttl {
        Some(ttl) if wire.kind.as_deref().unwrap_or("ephemeral") == "ephemeral" => {
            out.cache = Some(ir::CacheMark { ttl });
            keep(cx, &wire.unknown, "cache_control", |_| &codes::CACHE_HINT_LOST, &mut out.extensions);
        }
        _ => cx.keep(ID, "cache_control", cx.json(raw), &codes::CACHE_HINT_LOST, &mut out.extensions),
    }
    Ok(())
}

/// What is lost when another dialect cannot be told a field of a block.
fn field_loss(name: &str) -> &'static Code {
    match name {
        "caller" | "toolset_name" => &codes::TOOL_OPTION_LOST,
        "transformations" | "context" => &codes::MEDIA_DETAIL_LOST,
        "citations" => &codes::CITATIONS_LOST,
        _ => &codes::UNKNOWN_FIELD,
    }
}

fn text(cx: &mut Cx, raw: &RawValue, out: &mut Parts) -> Result<()> {
    let wire: TextBlock<'_> = cx.read_here(raw)?;
    let text = cx.text(&cx.required(wire.text, "text")?);
    let mut meta = meta(cx, wire.cache, &wire.unknown)?;
    let mut citations = Vec::new();
    for (index, raw) in wire.citations.unwrap_or_default().into_iter().enumerate() {
        let citation = claude::citation(raw, cx.json(raw));
        let wrong = |cx: &mut Cx| cx.invalid("", "expected a citation");
        citations.push(citation.map_err(|_| cx.at_item("citations", index, wrong))?);
    }
    if text.is_empty() {
        return Ok(());
    }
    if text.is_blank() {
        mark(marks::BLANK, &mut meta.extensions);
    }
    meta.seal = out.of_next.take().map(Box::new);
    out.parts.push(ir::Part::Text(ir::TextPart { text, citations, logprobs: Vec::new(), meta }));
    Ok(())
}

fn media(cx: &mut Cx, raw: &RawValue, kind: ir::MediaKind) -> Result<ir::Part> {
    let wire: MediaBlock<'_> = cx.read_here(raw)?;
    let source_raw = cx.required(wire.source, "source")?;
    let source: Source<'_> = cx.read("source", source_raw)?;
    let source_kind = cx.at("source", |cx| cx.required(source.kind, "type"))?;
    let (content, mime) = match &*source_kind {
        "base64" => {
            let data = cx.at("source", |cx| cx.required(source.data, "data"))?;
            let mime = cx.at("source", |cx| cx.required(source.mime, "media_type"))?;
            (ir::MediaSource::Inline(cx.text(&data)), Some(plain_mime(cx, &mime)))
        }
        "text" => {
            let data = cx.at("source", |cx| cx.required(source.data, "data"))?;
            let mime = source.mime.as_ref().map(|mime| plain_mime(cx, mime));
            (ir::MediaSource::Text(cx.text(&data)), Some(mime.unwrap_or(ir::Text::constant("text/plain"))))
        }
        "url" => {
            let url = cx.at("source", |cx| cx.required(source.url, "url"))?;
            (ir::MediaSource::Url(cx.text(&url)), None)
        }
        "file" => {
            let id = cx.at("source", |cx| cx.required(source.file_id, "file_id"))?;
            (ir::MediaSource::File { dialect: ID, id: cx.text(&id) }, None)
        }
        // A document of blocks, or a source that is not known: nobody else has the like.
        _ => return Ok(opaque(cx, raw, if kind == ir::MediaKind::Image { "image" } else { "document" })),
    };
    let mut meta = meta(cx, wire.cache, &wire.unknown)?;
    keep(cx, &source.unknown, "source", field_loss, &mut meta.extensions);
    Ok(ir::Part::Media(ir::Media {
        kind,
        source: content,
        mime,
        name: cx.optional_text(wire.title.as_ref()),
        detail: None,
        meta,
    }))
}

/// The media type in lower case, without parameters.
fn plain_mime(cx: &Cx, mime: &Str<'_>) -> ir::Text {
    let is_plain = mime.bytes().all(|byte| byte != b';' && !byte.is_ascii_uppercase());
    if is_plain {
        return cx.text(mime);
    }
    mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().into()
}

fn tool_use(cx: &mut Cx, raw: &RawValue, calls: &mut Calls) -> Result<ir::Part> {
    let wire: ToolUse<'_> = cx.read_here(raw)?;
    let id = cx.text(&cx.required(wire.id, "id")?);
    let name = cx.text(&cx.required(wire.name, "name")?);
    let arguments = match wire.input {
        Some(input) if !input.get().starts_with('{') && input.get() != "null" => {
            return Err(cx.invalid("input", "expected an object"));
        }
        Some(input) if input.get() != "null" => cx.json(input).text().clone(),
        _ => ir::Text::constant("{}"),
    };
    calls.0.insert(id.as_str().to_owned(), name.clone());
    let meta = meta(cx, wire.cache, &wire.unknown)?;
    Ok(ir::Part::ToolCall(ir::ToolCall { id, name, namespace: None, kind: ir::CallKind::Function, arguments, meta }))
}

fn tool_result(cx: &mut Cx, raw: &RawValue, calls: &mut Calls) -> Result<ir::Part> {
    let wire: ToolResult<'_> = cx.read_here(raw)?;
    let call_id = cx.text(&cx.required(wire.id, "tool_use_id")?);
    let name = calls.0.get(call_id.as_str()).cloned();
    let content = match &wire.content {
        Some(content) => cx.at("content", |cx| parts(cx, content, calls))?.into_vec(),
        None => Vec::new(),
    };
    let mut meta = meta(cx, wire.cache, &wire.unknown)?;
    if wire.is_error == Some(false) {
        cx.keep(ID, "is_error", ir::Json::of(&false), &codes::WIRE_FORM, &mut meta.extensions);
    }
    let error = wire.is_error.unwrap_or_default();
    Ok(ir::Part::ToolResult(ir::ToolResult { call_id, name, kind: ir::CallKind::Function, content, error, meta }))
}

fn thinking(cx: &mut Cx, raw: &RawValue, out: &mut Parts) -> Result<()> {
    let wire: Thinking<'_> = cx.read_here(raw)?;
    let text = cx.optional_text(wire.thinking.as_ref()).unwrap_or_default();
    let mut meta = meta(cx, None, &wire.unknown)?;
    let signature = wire.signature.filter(|signature| !signature.is_empty());
    meta.seal = signature.and_then(|signature| envelope::open(ID, &cx.text(&signature))).map(Box::new);
    if !text.is_empty() || meta.seal.is_some() {
        let form = ir::ReasoningForm::Summary;
        out.parts.push(ir::Part::Reasoning(ir::Reasoning { text, form, meta }));
    }
    Ok(())
}

fn redacted(cx: &mut Cx, raw: &RawValue, out: &mut Parts) -> Result<()> {
    let wire: RedactedThinking<'_> = cx.read_here(raw)?;
    let data = cx.required(wire.data, "data")?;
    let mut meta = meta(cx, None, &wire.unknown)?;
    match slots::carried(&data) {
        Some((Owner::Call(id), seal)) => out.seals.push((id, seal)),
        Some((Owner::TextBehind, seal)) => out.of_next = Some(seal),
        Some((Owner::TextBefore, seal)) => match out.parts.last_mut() {
            Some(ir::Part::Text(part)) if part.meta.seal.is_none() => part.meta.seal = Some(Box::new(seal)),
            // The client dropped the text, or put another block in between.
            _ => out.parts.push(empty_text(meta, seal)),
        },
        Some((Owner::EmptyText, seal)) => out.parts.push(empty_text(meta, seal)),
        None => {
            meta.seal = envelope::open(ID, &cx.text(&data)).map(Box::new);
            let form = ir::ReasoningForm::Redacted;
            out.parts.push(ir::Part::Reasoning(ir::Reasoning { text: ir::Text::default(), form, meta }));
        }
    }
    Ok(())
}

/// The text that a seal stood in front of is gone.
fn leave_next(cx: &Cx, out: &mut Parts) {
    out.parts.extend(out.of_next.take().map(|seal| empty_text(ir::Meta::at(cx.here()), seal)));
}

fn empty_text(meta: ir::Meta, seal: ir::Sealed) -> ir::Part {
    ir::Part::Text(ir::TextPart { meta: ir::Meta { seal: Some(Box::new(seal)), ..meta }, ..ir::TextPart::default() })
}

fn opaque(cx: &Cx, raw: &RawValue, kind: &str) -> ir::Part {
    let value = cx.json(raw);
    let tree = value.value();
    let words = match kind {
        // Nobody else can make anything of these.
        "container_upload" | "fallback" | "tool_addition" | "tool_removal" => None,
        _ => words(kind, &tree),
    };
    let loss = match kind {
        "container_upload" => &codes::FILE_ID_NOT_PORTABLE,
        "fallback" => &codes::ANSWER_DETAIL_LOST,
        _ if words.is_none() || has_media(&tree) => &codes::CONTENT_DROPPED,
        _ => &codes::CONTENT_AS_TEXT,
    };
    let mut meta = ir::Meta::at(cx.here());
    keep_untold(ID, &tree, &mut meta.extensions);
    ir::Part::Opaque(ir::Opaque { dialect: ID, kind: kind.into(), value, words, trace: None, loss, meta })
}

/// Whether there is a picture or a file inside, which words cannot tell.
fn has_media(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().any(has_media),
        Value::Object(fields) => {
            let kind = |key: &str| fields.get(key).and_then(Value::as_str);
            kind("type") == Some("image")
                || (kind("type") == Some("base64") && kind("data").is_some())
                || fields.values().any(has_media)
        }
        _ => false,
    }
}

/// What a block says in words: all that is meant to be read, in its order.
fn words(kind: &str, value: &Value) -> Option<ir::Text> {
    let mut lines = Vec::new();
    match (kind, value.get("input")) {
        ("server_tool_use" | "mcp_tool_use", Some(input)) => {
            let name = value.get("name").and_then(Value::as_str).unwrap_or(kind);
            lines.push(format!("[{name}] {input}"));
        }
        _ => gather(value, &mut lines),
    }
    let is_own = matches!(kind, "document" | "search_result" | "compaction" | "server_tool_use" | "mcp_tool_use");
    if !is_own && !lines.is_empty() {
        lines.insert(0, format!("[{kind}]"));
    }
    (!lines.is_empty()).then(|| lines.join("\n").into())
}

fn gather(value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|item| gather(item, lines)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_words = match name.as_str() {
                    "title" | "context" | "url" | "source" | "text" | "content" | "stdout" | "stderr"
                    | "error_code" | "error_message" | "tool_name" | "query" | "command" | "code" | "path" => true,
                    "data" => fields.get("type").and_then(Value::as_str) == Some("text"),
                    _ => false,
                };
                match value {
                    Value::String(text) if is_words && !text.trim().is_empty() => lines.push(text.clone()),
                    Value::Array(_) | Value::Object(_) if name != "citations" => gather(value, lines),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}
