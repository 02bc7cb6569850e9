//! Parts as they are written: to upstreams and to clients.

use std::borrow::Cow;

use base64::Engine;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::{ID, read};
use crate::dialects::media::known_mime;
use crate::ir::{self, Json, Written};

/// A turn.
#[derive(Serialize, Default)]
pub(crate) struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<Part<'a>>,
    #[serde(flatten)]
    pub(crate) extensions: Option<Written<'a>>,
}

/// A part.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part<'a> {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) thought: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<Cow<'a, ir::Text>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inline_data: Option<Blob<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file_data: Option<FileData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) function_call: Option<FunctionCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) function_response: Option<FunctionResponse<'a>>,
    #[serde(flatten, serialize_with = "write_fields")]
    pub(crate) own: Option<Cow<'a, Json>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) media_resolution: Option<MediaResolution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thought_signature: Option<Cow<'a, str>>,
    #[serde(flatten)]
    pub(crate) extensions: Option<Written<'a>>,
}

/// The fields of an object, among those of another.
pub(crate) fn write_fields<S: Serializer>(json: &Option<Cow<'_, Json>>, serializer: S) -> Result<S::Ok, S::Error> {
    let fields = json.as_ref().and_then(|json| read::fields(json.as_str())).unwrap_or_default();
    serializer.collect_map(fields.unknown.iter().map(|(name, raw)| (&**name, raw)))
}

/// The same, of several objects.
pub(crate) fn fields_of_all<S: Serializer>(all: &[Cow<'_, Json>], serializer: S) -> Result<S::Ok, S::Error> {
    let fields: Vec<_> = all.iter().filter_map(|json| read::fields(json.as_str())).collect();
    serializer.collect_map(fields.iter().flat_map(|one| one.unknown.iter()).map(|(name, raw)| (&**name, raw)))
}

impl<'a> Part<'a> {
    /// What code execution did: the code, and what it wrote. Nothing for what Gemini has no parts for.
    pub(crate) fn of_trace(trace: &ir::Trace) -> Vec<Self> {
        let own = |value: serde_json::Value| Self { own: Some(Cow::Owned(Json::of(&value))), ..Self::default() };
        let result = |output: &ir::CodeOutput| {
            let outcome = if output.failed { "OUTCOME_FAILED" } else { "OUTCOME_OK" };
            own(json!({ "codeExecutionResult": { "outcome": outcome, "output": output.text } }))
        };
        match trace {
            ir::Trace::Code { id: _, language, code, output } => {
                // Python is the only language that Gemini has a word for.
                let is_python = language.as_deref().is_none_or(|language| language == "python");
                let language = if is_python { "PYTHON" } else { "LANGUAGE_UNSPECIFIED" };
                let code = own(json!({ "executableCode": { "language": language, "code": code } }));
                std::iter::once(code).chain(output.as_ref().map(result)).collect()
            }
            ir::Trace::Output { of: _, output } => vec![result(output)],
            ir::Trace::Search { .. } | ir::Trace::Open { .. } => Vec::new(),
        }
    }

    /// Words.
    pub(crate) fn of_text(text: impl Into<Cow<'a, ir::Text>>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// A thought.
    pub(crate) fn of_thought(text: impl Into<Cow<'a, ir::Text>>) -> Self {
        Self { thought: true, ..Self::of_text(text) }
    }

    /// The same with the extension fields of `meta`.
    pub(crate) fn with(self, meta: &'a ir::Meta) -> Self {
        let extensions = Some(meta.extensions.written(ID, "")).filter(|written| !written.is_empty());
        Self { extensions, ..self }
    }

    /// The same with a signature.
    pub(crate) fn signed(self, signature: Option<impl Into<Cow<'a, str>>>) -> Self {
        Self { thought_signature: signature.map(Into::into), ..self }
    }
}

/// Content that is here.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Blob<'a> {
    mime_type: &'a str,
    data: Cow<'a, ir::Text>,
    #[serde(flatten)]
    extensions: Written<'a>,
}

/// Content that is elsewhere.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'a str>,
    file_uri: &'a str,
    #[serde(flatten)]
    extensions: Written<'a>,
}

/// A call.
#[derive(Serialize)]
pub(crate) struct FunctionCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) name: Cow<'a, str>,
    pub(crate) args: Json,
    #[serde(flatten)]
    pub(crate) extensions: Written<'a>,
}

/// A result.
#[derive(Serialize)]
pub(crate) struct FunctionResponse<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) name: Cow<'a, str>,
    pub(crate) response: Json,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<Part<'a>>,
    #[serde(flatten)]
    pub(crate) extensions: Written<'a>,
}

/// How closely to look.
#[derive(Serialize)]
pub(crate) struct MediaResolution {
    level: &'static str,
}

/// Media as a part; `None` for an id that only another dialect knows.
pub(crate) fn media(media: &ir::Media) -> Option<Part<'_>> {
    let is_text = matches!(media.source, ir::MediaSource::Text(_));
    let is_native = media.meta.extensions.dialect() == Some(ID);
    let known = if is_native { media.mime.as_deref() } else { known_mime(media) };
    let mime = known.or(is_text.then_some("text/plain"));
    let inline = |data| {
        let mime_type = mime.unwrap_or(match media.kind {
            ir::MediaKind::Image => "image/png",
            ir::MediaKind::Audio => "audio/wav",
            ir::MediaKind::Video => "video/mp4",
            ir::MediaKind::Document => "application/pdf",
        });
        let extensions = media.meta.extensions.written(ID, "inlineData");
        Part { inline_data: Some(Blob { mime_type, data, extensions }), ..Part::default() }
    };
    let address = |file_uri| {
        let extensions = media.meta.extensions.written(ID, "fileData");
        Part { file_data: Some(FileData { mime_type: mime, file_uri, extensions }), ..Part::default() }
    };
    let part = match &media.source {
        ir::MediaSource::Inline(data) => inline(Cow::Borrowed(data)),
        ir::MediaSource::Text(text) => {
            inline(Cow::Owned(base64::engine::general_purpose::STANDARD.encode(text.as_bytes()).into()))
        }
        ir::MediaSource::Url(url) => address(url),
        ir::MediaSource::File { dialect, id } if *dialect == ID => address(id),
        ir::MediaSource::File { .. } => return None,
    };
    Some(part.with(&media.meta))
}

/// The word for how closely to look; automatic is unsaid.
pub(crate) fn resolution(detail: ir::Detail) -> Option<MediaResolution> {
    let level = match detail {
        ir::Detail::Auto => return None,
        ir::Detail::Low => "MEDIA_RESOLUTION_LOW",
        ir::Detail::Medium => "MEDIA_RESOLUTION_MEDIUM",
        ir::Detail::High => "MEDIA_RESOLUTION_HIGH",
        ir::Detail::Original => "MEDIA_RESOLUTION_ULTRA_HIGH",
    };
    Some(MediaResolution { level })
}

/// The arguments of a call as an object, and whether they had to be put inside one: a custom tool's text goes under
/// `input`, as its declaration says; what is no object under `_raw`.
pub(crate) fn args(kind: ir::CallKind, arguments: &ir::Text) -> (Json, bool) {
    #[derive(Serialize)]
    struct Input<'a> {
        input: &'a str,
    }
    #[derive(Serialize)]
    struct Raw<'a> {
        _raw: &'a str,
    }
    if kind == ir::CallKind::Custom {
        return (Json::of(&Input { input: arguments }), false);
    }
    if arguments.trim().is_empty() {
        return (Json::EMPTY_OBJECT, false);
    }
    match Json::parse_object(arguments) {
        Some(json) => (json, false),
        None => (Json::of(&Raw { _raw: arguments }), true),
    }
}

/// A number as JSON writes whole ones: Gemini's `topK` is an integer.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
pub(crate) fn number<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => serializer.serialize_i64(*number as i64),
        Some(number) => serializer.serialize_f64(*number),
        None => serializer.serialize_none(),
    }
}
