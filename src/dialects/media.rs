//! What the upstreams have to be told of media that their dialects share: types that nobody said, and the one spelling of
//! base64 that all of them read.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::ir;

/// How content of a type begins: where, and with what.
const BEGINNINGS: [(usize, &[u8], &str); 12] = [
    (0, b"\x89PNG", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (0, b"%PDF", "application/pdf"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (4, b"ftyphei", "image/heic"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftyp", "video/mp4"),
];

/// So many bytes tell the type.
const TELLING: usize = 12;

/// What the end of a file's name says.
const ENDINGS: [(&str, &str); 25] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("heic", "image/heic"),
    ("svg", "image/svg+xml"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("log", "text/plain"),
    ("md", "text/markdown"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("xml", "text/xml"),
    ("yaml", "text/yaml"),
    ("yml", "text/yaml"),
    ("json", "application/json"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
];

/// The media type that the first bytes of a file tell, read from its base64.
#[must_use]
pub fn mime_of_base64(data: &str) -> Option<&'static str> {
    let quads = data.get(..TELLING / 3 * 4).unwrap_or(data);
    let quads = quads.get(..quads.len() / 4 * 4).unwrap_or_default();
    mime_of_bytes(&STANDARD.decode(standard_base64(quads).as_bytes()).ok()?)
}

/// The media type that the first bytes of a file tell.
#[must_use]
pub fn mime_of_bytes(bytes: &[u8]) -> Option<&'static str> {
    let begins = |at: usize, with: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(with));
    BEGINNINGS.into_iter().find(|(at, with, _)| begins(*at, with)).map(|(_, _, mime)| mime)
}

/// What kind of content a media type is of: its first half, and for documents what has to be told apart.
#[must_use]
pub fn class(mime: &str) -> &str {
    if is_text(mime) {
        return "text";
    }
    match mime.split('/').next().unwrap_or_default() {
        "application" => mime,
        class => class,
    }
}

/// A media type that says something.
#[must_use]
pub fn is_said(mime: Option<&str>) -> Option<&str> {
    mime.filter(|mime| {
        !matches!(*mime, "" | "application/octet-stream" | "binary/octet-stream" | "application/x-download")
            && !mime.ends_with("/*")
    })
}

/// The media type: the one that was said; where none was, or one that says nothing, what the content, the name or the address
/// shows.
#[must_use]
pub fn known_mime(media: &ir::Media) -> Option<&str> {
    let said = media.mime.as_deref();
    if is_said(said).is_some() {
        return said;
    }
    let shown = match &media.source {
        ir::MediaSource::Inline(data) => mime_of_base64(data),
        ir::MediaSource::Url(url) => url.split(['?', '#']).next().and_then(mime_of_name),
        ir::MediaSource::File { .. } | ir::MediaSource::Text(_) => None,
    };
    shown.or_else(|| media.name.as_deref().and_then(mime_of_name)).or(said)
}

/// The media type that the end of a file's name, or of a path, tells.
#[must_use]
pub fn mime_of_name(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    ENDINGS.into_iter().find(|(other, _)| ending.eq_ignore_ascii_case(other)).map(|(_, mime)| mime)
}

/// Whether content of a type is words, though not all vendors call it so.
#[must_use]
pub fn is_text(mime: &str) -> bool {
    mime.starts_with("text/")
        || matches!(mime, "application/json" | "application/xml" | "application/yaml" | "application/javascript")
}

/// Base64 in the alphabet that all vendors read, padded and without line ends.
#[must_use]
pub fn standard_base64(data: &str) -> Cow<'_, str> {
    let is_standard =
        data.len().is_multiple_of(4) && data.bytes().all(|byte| !matches!(byte, b'-' | b'_' | b'\n' | b'\r'));
    if is_standard {
        return Cow::Borrowed(data);
    }
    let translate = |c| match c {
        '-' => '+',
        '_' => '/',
        c => c,
    };
    let is_kept = |c: &char| !c.is_ascii_whitespace() && *c != '=';
    let mut out: String = data.chars().filter(is_kept).map(translate).collect();
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    Cow::Owned(out)
}

/// The same, of a handle, which stays one where nothing is to be done.
#[must_use]
pub fn standard_base64_text(data: &ir::Text) -> Cow<'_, ir::Text> {
    match standard_base64(data) {
        Cow::Borrowed(_) => Cow::Borrowed(data),
        Cow::Owned(standard) => Cow::Owned(standard.into()),
    }
}
