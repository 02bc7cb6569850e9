//! Parts as they are read: from clients and from upstreams.
//!
//! Protobuf's JSON takes each name in camel case and in snake case, a lone element where a list belongs, and bytes in either
//! alphabet of base64.

use serde::de::Unexpected;
use serde_json::value::RawValue;

use super::ID;
use crate::diagnostics::codes;
use crate::ir::{self, Body, Json, Text};
use crate::json::{Fault, Integer, Many, Reader, Scalar, Str, Unknown, Wire, wire};

/// An enum: a word, or the number that Vertex' clients write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word(String);

impl Word {
    /// The word; a number is looked up in `numbers`.
    pub(crate) fn named(&self, numbers: &[&str]) -> String {
        let known = self.0.parse().ok().and_then(|index: usize| numbers.get(index));
        known.map_or_else(|| self.0.clone(), |name| (*name).to_owned())
    }

    /// The word, in capitals.
    pub(crate) fn upper(&self, numbers: &[&str]) -> String {
        self.named(numbers).to_ascii_uppercase()
    }

    /// As it was written.
    pub(crate) fn as_written(&self) -> Json {
        Json::of(&self.0)
    }
}

impl Wire<'_> for Word {
    fn read(reader: &mut Reader<'_, '_>) -> Result<Self, Fault> {
        const WHAT: &str = "a string";
        match reader.text_or_number(WHAT)? {
            Scalar::Text(word) => Ok(Self(word.into_owned())),
            Scalar::Number(crate::json::Number::Unsigned(number)) => Ok(Self(number.to_string())),
            Scalar::Number(crate::json::Number::Signed(number)) => Ok(Self(number.to_string())),
            Scalar::Number(crate::json::Number::Float(number)) => {
                Err(Fault::wrong_type(Unexpected::Float(number), WHAT))
            }
        }
    }
}

/// A number; protobuf's JSON takes it as a string, too.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Number(pub(crate) f64);

impl Wire<'_> for Number {
    fn read(reader: &mut Reader<'_, '_>) -> Result<Self, Fault> {
        const WHAT: &str = "a number";
        match reader.text_or_number(WHAT)? {
            Scalar::Number(number) => Ok(Self(number.fraction())),
            Scalar::Text(text) => {
                let number = text.parse().ok().filter(|number: &f64| number.is_finite());
                number.map(Self).ok_or_else(|| Fault::wrong_value(Unexpected::Str(&text), WHAT))
            }
        }
    }
}

wire! {
    /// Any object, all of its fields unknown.
    pub(crate) struct Fields<'a> {}

    /// A part of a content or an answer: one field of data, and what is said about it.
    pub(crate) struct Part<'a> {
        "text" text: Str<'a>,
        "thought" thought: bool,
        "thoughtSignature" | "thought_signature" signature: Str<'a>,
        "inlineData" | "inline_data" inline: Blob<'a>,
        "fileData" | "file_data" file: FileData<'a>,
        "functionCall" | "function_call" call: FunctionCall<'a>,
        "functionResponse" | "function_response" result: FunctionResponse<'a>,
        "executableCode" | "executable_code" code: &'a RawValue,
        "codeExecutionResult" | "code_execution_result" code_result: &'a RawValue,
        "toolCall" | "tool_call" tool_call: &'a RawValue,
        "toolResponse" | "tool_response" tool_response: &'a RawValue,
        "mediaResolution" | "media_resolution" resolution: &'a RawValue,
        "videoMetadata" | "video_metadata" video: &'a RawValue,
    }

    pub(crate) struct Blob<'a> {
        "mimeType" | "mime_type" mime: Str<'a>,
        "data" data: Str<'a>,
        "displayName" | "display_name" name: Str<'a>,
    }

    pub(crate) struct FileData<'a> {
        "mimeType" | "mime_type" mime: Str<'a>,
        "fileUri" | "file_uri" uri: Str<'a>,
        "displayName" | "display_name" name: Str<'a>,
    }

    pub(crate) struct FunctionCall<'a> {
        "id" id: Str<'a>,
        "name" name: Str<'a>,
        "args" args: &'a RawValue,
        "partialArgs" | "partial_args" pieces: Many<Piece<'a>>,
        "willContinue" | "will_continue" goes_on: bool,
    }

    /// A piece of a call's arguments, which Vertex streams by their paths.
    pub(crate) struct Piece<'a> {
        "jsonPath" | "json_path" path: Str<'a>,
        "stringValue" | "string_value" string: Str<'a>,
        "numberValue" | "number_value" number: &'a RawValue,
        "boolValue" | "bool_value" boolean: bool,
        "nullValue" | "null_value" null: &'a RawValue,
        "willContinue" | "will_continue" goes_on: bool,
    }

    pub(crate) struct FunctionResponse<'a> {
        "id" id: Str<'a>,
        "name" name: Str<'a>,
        "response" response: &'a RawValue,
        "parts" parts: Many<Part<'a>>,
    }

    struct Code<'a> {
        "code" code: Str<'a>,
        "language" language: Word,
        "id" id: Str<'a>,
    }

    struct CodeResult<'a> {
        "outcome" outcome: Word,
        "output" output: Str<'a>,
        "id" id: Str<'a>,
    }

    struct ToolCall<'a> {
        "toolType" | "tool_type" kind: Word,
        "args" args: &'a RawValue,
        "response" response: &'a RawValue,
    }

    struct Resolution<'a> {
        "level" level: Word,
    }

    pub(crate) struct Content<'a> {
        "role" role: Str<'a>,
        "parts" parts: Many<crate::json::StrOr<'a, Part<'a>>>,
    }

    pub(crate) struct Segment<'a> {
        "partIndex" | "part_index" part: Integer,
        "startIndex" | "start_index" start: Integer,
        "endIndex" | "end_index" end: Integer,
        "text" text: Str<'a>,
    }
}

impl<'a> Part<'a> {
    /// A part that is nothing but text.
    pub(crate) fn of_text(text: Str<'a>) -> Self {
        Self { text: Some(text), ..Self::default() }
    }

    /// How many things it holds beside its text.
    pub(crate) fn kinds(&self) -> usize {
        let raw = [self.code, self.code_result, self.tool_call, self.tool_response];
        let typed = [self.call.is_some(), self.result.is_some(), self.inline.is_some(), self.file.is_some()];
        raw.iter().flatten().count() + typed.iter().filter(|is_there| **is_there).count()
    }
}

/// The fields of an object.
pub(crate) fn fields(json: &str) -> Option<Fields<'_>> {
    crate::json::read(json).ok()
}

fn keep_unknown(body: &Body, under: &str, unknown: &Unknown<'_>, out: &mut ir::Extensions) {
    for (name, raw) in unknown.iter().filter(|(_, raw)| raw.get() != "null") {
        let name = ir::field_path(under, name);
        out.push(ID, ir::Extension { name, value: body.json(raw), loss: &codes::UNKNOWN_FIELD });
    }
}

/// What a part carries beside its data and its signature.
pub(crate) fn meta(body: &Body, part: &Part<'_>, place: ir::Place) -> ir::Meta {
    let mut meta = ir::Meta::at(place);
    let out = &mut meta.extensions;
    keep_unknown(body, "", &part.unknown, out);
    // A thought is words; the mark on anything else, and its absence said aloud, are kept as they are.
    if let Some(thought) = part.thought.filter(|thought| !thought || part.kinds() > 0) {
        super::spelling("thought", Json::of(&thought), out);
    }
    if let Some(video) = part.video {
        super::note("videoMetadata", body.json(video), &codes::MEDIA_DETAIL_LOST, out);
    }
    if let Some(inline) = &part.inline {
        keep_unknown(body, "inlineData", &inline.unknown, out);
        keep_name(body, "inlineData.displayName", inline.name.as_ref(), out);
    }
    if let Some(file) = &part.file {
        keep_unknown(body, "fileData", &file.unknown, out);
        keep_name(body, "fileData.displayName", file.name.as_ref(), out);
    }
    if let Some(call) = &part.call {
        keep_unknown(body, "functionCall", &call.unknown, out);
    }
    if let Some(result) = &part.result {
        for (name, raw) in result.unknown.iter().filter(|(_, raw)| raw.get() != "null") {
            let loss = match &**name {
                "scheduling" | "willContinue" | "will_continue" => &codes::TOOL_OPTION_LOST,
                _ => &codes::UNKNOWN_FIELD,
            };
            let name = ir::field_path("functionResponse", name);
            out.push(ID, ir::Extension { name, value: body.json(raw), loss });
        }
    }
    let is_media = part.inline.is_some() || part.file.is_some();
    if let Some(resolution) = part.resolution.filter(|raw| !is_media || detail(raw).is_none()) {
        super::note("mediaResolution", body.json(resolution), &codes::MEDIA_DETAIL_LOST, out);
    }
    meta
}

fn keep_name(body: &Body, path: &'static str, name: Option<&Str<'_>>, out: &mut ir::Extensions) {
    // The IR has a place for the name, so nothing is lost elsewhere.
    if let Some(name) = name {
        super::spelling(path, Json::of(&*name.text(body)), out);
    }
}

/// How closely a picture is to be looked at, by `mediaResolution`; `None` for what the IR cannot say.
fn detail(raw: &RawValue) -> Option<ir::Detail> {
    let resolution: Resolution<'_> = crate::json::read(raw.get()).ok()?;
    if resolution.unknown.iter().next().is_some() {
        return None;
    }
    match resolution.level?.upper(&[]).as_str() {
        "MEDIA_RESOLUTION_LOW" => Some(ir::Detail::Low),
        "MEDIA_RESOLUTION_MEDIUM" => Some(ir::Detail::Medium),
        "MEDIA_RESOLUTION_HIGH" => Some(ir::Detail::High),
        "MEDIA_RESOLUTION_ULTRA_HIGH" => Some(ir::Detail::Original),
        _ => None,
    }
}

/// The media of a part: `inlineData` or `fileData`. The caller adds the seal.
pub(crate) fn media(body: &Body, part: &Part<'_>, place: ir::Place) -> Option<ir::Media> {
    let mut meta = meta(body, part, place);
    let (source, mime, name) = match (&part.inline, &part.file) {
        (Some(inline), _) => {
            let data = inline.data.as_ref().map(|data| data.text(body)).unwrap_or_default();
            (ir::MediaSource::Inline(data), &inline.mime, &inline.name)
        }
        (None, Some(file)) => {
            let uri = file.uri.as_ref().map(|uri| uri.text(body)).unwrap_or_default();
            let source = if is_public(&uri) {
                super::spelling(super::NOTE_NATIVE, Json::of(&true), &mut meta.extensions);
                ir::MediaSource::Url(uri)
            } else {
                ir::MediaSource::File { dialect: ID, id: uri }
            };
            (source, &file.mime, &file.name)
        }
        (None, None) => return None,
    };
    let mime = mime.as_ref().map(|mime| mime.text(body)).filter(|mime| !mime.is_empty());
    Some(ir::Media {
        kind: kind(mime.as_deref().unwrap_or_default(), &source),
        source,
        mime,
        name: name.as_ref().map(|name| name.text(body)),
        detail: part.resolution.and_then(detail),
        meta,
    })
}

/// Whether anybody can fetch an address: not Google's own storage, uploaded files, or films on YouTube, which only Google's
/// models can see.
fn is_public(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://")) else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    let is_of = |domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|left| left.ends_with('.'));
    !(is_of("googleapis.com") && rest.contains("/files/") || is_of("youtube.com") || is_of("youtu.be"))
}

fn kind(mime: &str, source: &ir::MediaSource) -> ir::MediaKind {
    match mime.split('/').next().unwrap_or_default() {
        "image" => ir::MediaKind::Image,
        "audio" => ir::MediaKind::Audio,
        "video" => ir::MediaKind::Video,
        // A film on YouTube needs no media type.
        "" if matches!(source, ir::MediaSource::File { id, .. } if id.contains("youtu")) => ir::MediaKind::Video,
        _ => ir::MediaKind::Document,
    }
}

/// A part that only Gemini understands: what the provider ran, or a kind that is not known here. The caller adds the seal.
pub(crate) fn opaque(body: &Body, part: &Part<'_>, place: ir::Place) -> Option<ir::Opaque> {
    let known = [
        ("executableCode", part.code),
        ("codeExecutionResult", part.code_result),
        ("toolCall", part.tool_call),
        ("toolResponse", part.tool_response),
    ];
    if let Some((kind, raw)) = known.into_iter().find_map(|(kind, raw)| Some((kind, raw?))) {
        return Some(ir::Opaque {
            dialect: ID,
            kind: Text::constant(kind),
            value: Json::of(&std::collections::BTreeMap::from([(kind, raw)])),
            words: words(kind, raw.get()).map(Text::from),
            trace: trace(kind, raw.get()),
            loss: &codes::CONTENT_AS_TEXT,
            meta: meta(body, part, place),
        });
    }
    let (name, _) = part.unknown.iter().find(|(_, raw)| raw.get() != "null")?;
    let mut meta = ir::Meta::at(place);
    let mut fields = ir::Extensions::default();
    keep_unknown(body, "", &part.unknown, &mut fields);
    if let Some(video) = part.video {
        super::note("videoMetadata", body.json(video), &codes::MEDIA_DETAIL_LOST, &mut meta.extensions);
    }
    Some(ir::Opaque {
        dialect: ID,
        kind: name.text(body),
        value: Json::of(&fields.written(ID, "")),
        words: None,
        trace: None,
        loss: &codes::CONTENT_DROPPED,
        meta,
    })
}

/// What Google's code execution ran, and what came of it.
pub(crate) fn trace(kind: &str, raw: &str) -> Option<ir::Trace> {
    let text = |text: Option<Str<'_>>| text.map(|text| Text::from(&*text));
    match kind {
        "executableCode" => {
            let Code { code, language, id, unknown: _ } = crate::json::read(raw).ok()?;
            let language = language.unwrap_or_default().named(&[]).to_ascii_lowercase();
            let language = (!language.is_empty() && !language.contains("unspecified")).then(|| language.into());
            Some(ir::Trace::Code { id: text(id), language, code: text(code).unwrap_or_default(), output: None })
        }
        "codeExecutionResult" => {
            let CodeResult { outcome, output, id, unknown: _ } = crate::json::read(raw).ok()?;
            let failed = !matches!(outcome.unwrap_or_default().upper(&[]).as_str(), "" | "OUTCOME_OK");
            let output = ir::CodeOutput { text: text(output).unwrap_or_default(), failed };
            Some(ir::Trace::Output { of: text(id), output })
        }
        _ => None,
    }
}

/// What a part of the provider's own tools says in words.
fn words(kind: &str, raw: &str) -> Option<String> {
    match kind {
        "executableCode" => {
            let Code { code, language, .. } = crate::json::read(raw).ok()?;
            let language = language.unwrap_or_default().named(&[]).to_ascii_lowercase();
            let language = if language.contains("unspecified") { String::new() } else { language };
            Some(format!("```{language}\n{}\n```", code.unwrap_or_default().trim_end_matches('\n')))
        }
        "codeExecutionResult" => {
            let CodeResult { outcome, output, .. } = crate::json::read(raw).ok()?;
            let outcome = outcome.unwrap_or_default().upper(&[]);
            let output = output.unwrap_or_default();
            let note =
                if matches!(outcome.as_str(), "" | "OUTCOME_OK") { String::new() } else { format!("{outcome}\n") };
            Some(format!("```\n{note}{}\n```", output.trim_end_matches('\n')))
        }
        "toolCall" | "toolResponse" => {
            let ToolCall { kind: tool, args, response, .. } = crate::json::read(raw).ok()?;
            let said = args.or(response).map_or("", RawValue::get);
            Some(format!("[{} {kind}: {said}]", tool.unwrap_or_default().named(&[])))
        }
        _ => None,
    }
}
