//! Lowering what stands inside items: texts, pictures, documents.

use serde_json::value::RawValue;

use super::DIALECT;
use crate::context::Cx;
use crate::diagnostics::{Code, codes};
use crate::dialects::openai_responses as words;
use crate::error::Result;
use crate::ir;
use crate::json::{Str, StrOr, wire};

wire! {
    struct ContentPart<'a> {
        "type" kind: Str<'a>,
        "text" text: Str<'a>,
        "refusal" refusal: Str<'a>,
        "annotations" annotations: &'a RawValue,
        "logprobs" logprobs: &'a RawValue,
        "image_url" image_url: Str<'a>,
        "file_id" file_id: Str<'a>,
        "file_data" file_data: Str<'a>,
        "file_url" file_url: Str<'a>,
        "filename" filename: Str<'a>,
        "detail" detail: Str<'a>,
        "input_audio" input_audio: &'a RawValue,
        "prompt_cache_breakpoint" breakpoint: &'a RawValue,
    }
    struct Tag<'a> {
        "type" kind: Str<'a>,
        "text" text: Str<'a>,
    }
    struct Audio<'a> {
        "data" data: Str<'a>,
        "format" format: Str<'a>,
    }
    struct BreakpointRead<'a> {
        "mode" mode: Str<'a>,
        "ttl" ttl: Str<'a>,
    }
}

/// A handle to a piece of a string of the document.
fn slice(cx: &Cx, text: &str) -> ir::Text {
    cx.body().text(text)
}

/// The parts of `content`, or of a tool's `output`: a string or a list. Empty text is no part.
pub(super) fn parts<'a>(
    cx: &mut Cx,
    key: &'static str,
    content: &StrOr<'a, Vec<&'a RawValue>>,
) -> Result<Vec<ir::Part>> {
    match content {
        StrOr::Str(text) if text.is_empty() => Ok(Vec::new()),
        StrOr::Str(text) => cx.at(key, |cx| {
            let text = ir::TextPart { text: cx.text(text), meta: ir::Meta::at(cx.here()), ..ir::TextPart::default() };
            Ok(vec![ir::Part::Text(text)])
        }),
        StrOr::Other(list) => {
            list.iter().enumerate().map(|(index, raw)| cx.at_item(key, index, |cx| part(cx, raw))).collect()
        }
    }
}

fn part(cx: &mut Cx, raw: &RawValue) -> Result<ir::Part> {
    let tag: Tag<'_> = cx.read_here(raw)?;
    let kind = cx.required(tag.kind, "type")?;
    match &*kind {
        "input_text" | "output_text" | "text" => {
            let read: ContentPart<'_> = cx.read_here(raw)?;
            let text = cx.required(read.text.as_ref(), "text")?;
            if text.is_empty() {
                return Ok(opaque(cx, &kind, raw, None, &codes::WIRE_FORM));
            }
            let text = cx.text(text);
            let citations = words::citations(read.annotations);
            let logprobs = words::logprobs(read.logprobs);
            let mut meta = meta(cx, &read)?;
            keep_all(cx, &read, &["text"], &mut meta.extensions);
            Ok(ir::Part::Text(ir::TextPart { text, citations, logprobs, meta }))
        }
        "refusal" => {
            let read: ContentPart<'_> = cx.read_here(raw)?;
            let text = cx.required(read.refusal.as_ref(), "refusal")?;
            if text.is_empty() {
                return Ok(opaque(cx, &kind, raw, None, &codes::WIRE_FORM));
            }
            let text = cx.text(text);
            let meta = meta(cx, &read)?;
            Ok(ir::Part::Refusal(ir::Refusal { text, meta }))
        }
        "input_image" => image(cx, &cx.read_here(raw)?),
        "input_file" => file(cx, &cx.read_here(raw)?),
        "input_audio" => audio(cx, &cx.read_here(raw)?),
        _ => match tag.text.filter(|text| !text.is_empty()) {
            Some(text) => Ok(opaque(cx, &kind, raw, Some(cx.text(&text)), &codes::CONTENT_AS_TEXT)),
            None => Ok(opaque(cx, &kind, raw, None, &codes::CONTENT_DROPPED)),
        },
    }
}

/// A part of a message's content that only this dialect understands.
fn opaque(cx: &Cx, kind: &Str<'_>, raw: &RawValue, words: Option<ir::Text>, loss: &'static Code) -> ir::Part {
    let mut meta = ir::Meta::at(cx.here());
    words::mark(words::CONTENT, &mut meta.extensions);
    ir::Part::Opaque(ir::Opaque {
        dialect: DIALECT,
        kind: cx.text(kind),
        value: cx.json(raw),
        words,
        trace: None,
        loss,
        meta,
    })
}

/// Place, cache mark and unknown fields of a part.
fn meta(cx: &mut Cx, read: &ContentPart<'_>) -> Result<ir::Meta> {
    let mut meta = ir::Meta::at(cx.here());
    cx.keep_unknown(DIALECT, &read.unknown, &mut meta.extensions);
    if let Some(raw) = read.breakpoint {
        let wish: BreakpointRead<'_> = cx.read("prompt_cache_breakpoint", raw)?;
        let ttl = match wish.ttl.as_deref() {
            None => Some(None),
            Some("30m") => Some(Some(ir::CacheTtl::ThirtyMinutes)),
            Some("12h") => Some(Some(ir::CacheTtl::TwelveHours)),
            Some(_) => None,
        };
        let is_known = wish.mode.as_deref() == Some("explicit") && wish.unknown.iter().next().is_none();
        match ttl.filter(|_| is_known) {
            Some(ttl) => meta.cache = Some(ir::CacheMark { ttl }),
            None => {
                let value = cx.json(raw);
                cx.keep(DIALECT, "prompt_cache_breakpoint", value, &codes::CACHE_HINT_LOST, &mut meta.extensions);
            }
        }
    }
    Ok(meta)
}

/// Keeps the known fields of a part that its kind has no use for, but for `used`.
fn keep_all(cx: &Cx, read: &ContentPart<'_>, used: &[&str], out: &mut ir::Extensions) {
    let fields = [
        ("text", &read.text),
        ("refusal", &read.refusal),
        ("image_url", &read.image_url),
        ("file_id", &read.file_id),
        ("file_data", &read.file_data),
        ("file_url", &read.file_url),
        ("filename", &read.filename),
        ("detail", &read.detail),
    ];
    for (name, value) in fields {
        if let Some(value) = value.as_ref().filter(|_| !used.contains(&name)) {
            cx.keep(DIALECT, name, ir::Json::of(&**value), &codes::UNKNOWN_FIELD, out);
        }
    }
}

fn image(cx: &mut Cx, read: &ContentPart<'_>) -> Result<ir::Part> {
    let mut meta = meta(cx, read)?;
    let (source, mime, used) = match (&read.image_url, &read.file_id) {
        (Some(url), _) => {
            let (source, mime) = data_or_url(cx, url, &mut meta.extensions);
            (source, mime, "image_url")
        }
        (None, Some(id)) => (ir::MediaSource::File { dialect: DIALECT, id: cx.text(id) }, None, "file_id"),
        (None, None) => return Err(cx.invalid("image_url", "this field is required")),
    };
    let detail = detail(read);
    keep_all(cx, read, &[used, if detail.is_some() { "detail" } else { "" }], &mut meta.extensions);
    Ok(ir::Part::Media(ir::Media { kind: ir::MediaKind::Image, source, mime, name: None, detail, meta }))
}

fn file(cx: &mut Cx, read: &ContentPart<'_>) -> Result<ir::Part> {
    let mut meta = meta(cx, read)?;
    let (source, mime, used) = match (&read.file_data, &read.file_url, &read.file_id) {
        (Some(data), _, _) if data.starts_with("data:") => {
            let (source, mime) = data_or_url(cx, data, &mut meta.extensions);
            (source, mime, "file_data")
        }
        (Some(data), _, _) => (ir::MediaSource::Inline(cx.text(data)), None, "file_data"),
        (None, Some(url), _) => (ir::MediaSource::Url(cx.text(url)), None, "file_url"),
        (None, None, Some(id)) => (ir::MediaSource::File { dialect: DIALECT, id: cx.text(id) }, None, "file_id"),
        (None, None, None) => return Err(cx.invalid("file_data", "one of file_data, file_url and file_id is required")),
    };
    let detail = detail(read);
    let used = [used, "filename", if detail.is_some() { "detail" } else { "" }];
    keep_all(cx, read, &used, &mut meta.extensions);
    let name = cx.optional_text(read.filename.as_ref());
    Ok(ir::Part::Media(ir::Media { kind: ir::MediaKind::Document, source, mime, name, detail, meta }))
}

fn audio(cx: &mut Cx, read: &ContentPart<'_>) -> Result<ir::Part> {
    let mut meta = meta(cx, read)?;
    let raw = cx.required(read.input_audio, "input_audio")?;
    let audio: Audio<'_> = cx.read("input_audio", raw)?;
    let data = cx.at("input_audio", |cx| cx.required(audio.data, "data"))?;
    // It stands whole among the extensions too: the dialect's types have the part, but no place for it.
    cx.keep(DIALECT, "input_audio", cx.json(raw), &codes::WIRE_FORM, &mut meta.extensions);
    let mime = audio.format.map(|format| ir::Text::from(format!("audio/{}", &*format)));
    let source = ir::MediaSource::Inline(cx.text(&data));
    Ok(ir::Part::Media(ir::Media { kind: ir::MediaKind::Audio, source, mime, name: None, detail: None, meta }))
}

fn detail(read: &ContentPart<'_>) -> Option<ir::Detail> {
    match read.detail.as_deref()? {
        "auto" => Some(ir::Detail::Auto),
        "low" => Some(ir::Detail::Low),
        "high" => Some(ir::Detail::High),
        "original" => Some(ir::Detail::Original),
        _ => None,
    }
}

/// An address, or the content of a `data:` URL with its media type.
fn data_or_url(cx: &Cx, url: &Str<'_>, extensions: &mut ir::Extensions) -> (ir::MediaSource, Option<ir::Text>) {
    let whole = || (ir::MediaSource::Url(cx.text(url)), None);
    let Some((head, data)) = url.strip_prefix("data:").and_then(|rest| rest.split_once(',')) else { return whole() };
    let Some(plain) = head.strip_suffix(";base64") else { return whole() };
    let mime = plain.split(';').next().unwrap_or_default();
    let is_lower = !mime.bytes().any(|byte| byte.is_ascii_uppercase());
    if mime != plain || !is_lower {
        let value = ir::Json::of(head);
        cx.keep(DIALECT, words::DATA_HEAD, value, &codes::WIRE_FORM, extensions);
    }
    let mime = match (mime.is_empty(), is_lower) {
        (true, _) => None,
        (false, true) => Some(slice(cx, mime)),
        (false, false) => Some(mime.to_ascii_lowercase().into()),
    };
    (ir::MediaSource::Inline(slice(cx, data)), mime)
}
