//! Handles to text: [`Text`] and [`Json`], slices of one reference-counted [`Body`] or owned.
//!
//! Requests carry megabytes of prompt that no pass looks at. A handle points into the document it was read from, so
//! nothing is copied on the way from the client's body to the upstream's, and a value can be kept as long as one likes.
//! What a handle is made of is known in this file alone.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::landmarks::Landmarks;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use smallvec::SmallVec;

/// A whole document (a request's or an answer's body), shared by all handles that point into it.
#[derive(Clone, Default)]
pub struct Body(Arc<Document>);

#[derive(Default)]
struct Document {
    text: String,
    landmarks: OnceLock<Landmarks>,
}

impl Body {
    /// A document that handles can point into. Takes the text over; nothing is copied.
    #[must_use]
    pub fn new(document: String) -> Self {
        Self(Arc::new(Document { text: document, landmarks: OnceLock::new() }))
    }

    /// The document.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// What was noted of the document when it was first read, once it was.
    pub(crate) fn landmarks(&self) -> Option<&Landmarks> {
        self.0.landmarks.get()
    }

    /// Notes what was found in the document. The first notes count.
    pub(crate) fn note(&self, landmarks: Landmarks) {
        // Two who read one document find the same in it.
        let _ = self.0.landmarks.set(landmarks);
    }

    /// Where `part` begins in this document, if it is a part of it.
    pub(crate) fn position(&self, part: &str) -> Option<usize> {
        let start = (part.as_ptr() as usize).checked_sub(self.as_str().as_ptr() as usize)?;
        (start.checked_add(part.len())? <= self.as_str().len()).then_some(start)
    }

    /// Where `part` lies in this document, if it is a part of it.
    fn locate(&self, part: &str) -> Option<(u32, u32)> {
        Some((u32::try_from(self.position(part)?).ok()?, u32::try_from(part.len()).ok()?))
    }

    fn slice(&self, part: &str) -> Option<Slice> {
        self.locate(part).map(|(start, length)| Slice { body: self.clone(), start, length })
    }

    /// A handle to `part`: a slice where it lies in this document, else a copy.
    #[must_use]
    pub fn text(&self, part: &str) -> Text {
        self.slice(part).map_or_else(|| Text::from(part), |slice| Text(Repr::Slice(slice)))
    }

    /// The same, for what stands between the quotes of a string of this document that has no escapes: it is written again
    /// as it is.
    #[must_use]
    pub fn plain(&self, part: &str) -> Text {
        self.slice(part).map_or_else(|| Text::from(part), |slice| Text(Repr::Plain(slice)))
    }

    /// A handle to a string of this document with escapes. `literal` has its quotes; it is unescaped when somebody looks at
    /// the text, and written again as it is.
    #[must_use]
    pub fn literal(&self, literal: &str) -> Text {
        match self.slice(literal) {
            Some(slice) => Text(Repr::Literal(Arc::new(Literal { slice, text: OnceLock::new() }))),
            None => Text::from(unescape(literal)),
        }
    }

    /// A handle to raw JSON read from this document.
    #[must_use]
    pub fn json(&self, raw: &RawValue) -> Json {
        Json(self.text(raw.get()))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.as_str().len())
    }
}

/// A part of a document.
#[derive(Clone)]
struct Slice {
    body: Body,
    start: u32,
    length: u32,
}

impl Slice {
    fn as_str(&self) -> &str {
        let start = self.start as usize;
        self.body.as_str().get(start..start + self.length as usize).unwrap_or_default()
    }

    /// How many escapes a string has that lies here.
    fn escapes(&self) -> usize {
        let noted = self.body.landmarks().and_then(|landmarks| landmarks.at(self.start as usize));
        noted.map_or_else(
            || self.as_str().bytes().filter(|byte| *byte == b'\\').count(),
            |landmark| landmark.count as usize,
        )
    }

    /// With the byte before and the one behind.
    fn with_quotes(&self) -> Option<&str> {
        let start = self.start as usize;
        let quoted = self.body.as_str().get(start.checked_sub(1)?..start + self.length as usize + 1)?;
        (quoted.starts_with('"') && quoted.ends_with('"')).then_some(quoted)
    }
}

/// A string of a document with quotes and escapes, and its text once that was asked for.
struct Literal {
    slice: Slice,
    text: OnceLock<String>,
}

/// The text of a literal that was read before.
fn unescape(literal: &str) -> String {
    serde_json::from_str(literal).unwrap_or_default()
}

#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Owned(Arc<str>),
    Slice(Slice),
    Plain(Slice),
    Literal(Arc<Literal>),
}

/// A piece of text; cheap to clone.
#[derive(Clone)]
pub struct Text(Repr);

impl Text {
    /// A constant.
    #[must_use]
    pub const fn constant(text: &'static str) -> Self {
        Self(Repr::Static(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(text) => text,
            Repr::Owned(text) => text,
            Repr::Slice(slice) | Repr::Plain(slice) => slice.as_str(),
            Repr::Literal(literal) => literal.text.get_or_init(|| unescape(literal.slice.as_str())),
        }
    }

    /// Whether there is none; looks at no more than it must.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            // An escape is at least one character.
            Repr::Literal(_) => false,
            _ => self.as_str().is_empty(),
        }
    }

    /// About how long it is, in bytes: an escape counts as one.
    #[must_use]
    pub fn rough_length(&self) -> usize {
        match &self.0 {
            Repr::Literal(literal) => (literal.slice.length as usize).saturating_sub(2 + literal.slice.escapes()),
            _ => self.as_str().len(),
        }
    }

    /// Whether there is nothing but white space; looks at no more than it must.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match &self.0 {
            Repr::Literal(literal) => {
                let inner = literal.slice.as_str().trim_matches('"').trim_start();
                // Only what begins with an escape may be blank still.
                inner.starts_with('\\') && self.as_str().trim().is_empty()
            }
            _ => self.as_str().trim().is_empty(),
        }
    }

    /// Whether its first character that is no white space is `first`; looks at no more than it must.
    #[must_use]
    pub fn begins(&self, first: char) -> bool {
        match &self.0 {
            Repr::Literal(literal) => {
                let inner = literal.slice.as_str().trim_start_matches('"').trim_start();
                if inner.starts_with('\\') {
                    self.as_str().trim_start().starts_with(first)
                } else {
                    inner.starts_with(first)
                }
            }
            _ => self.as_str().trim_start().starts_with(first),
        }
    }

    /// As it stands in a document, with quotes and escapes.
    fn written(&self) -> Option<&str> {
        match &self.0 {
            Repr::Static(_) | Repr::Owned(_) | Repr::Slice(_) => None,
            Repr::Plain(slice) => slice.with_quotes(),
            Repr::Literal(literal) => Some(literal.slice.as_str()),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::constant("")
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Repr::Owned(text.into()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Repr::Owned(text.into()))
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        Self(Repr::Owned(text.into()))
    }
}

impl<'a> From<&'a Text> for Cow<'a, Text> {
    fn from(text: &'a Text) -> Self {
        Self::Borrowed(text)
    }
}

impl From<Text> for Cow<'_, Text> {
    fn from(text: Text) -> Self {
        Self::Owned(text)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl std::hash::Hash for Text {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.written() {
            Some(written) => serialize_raw(written, serializer),
            None => serializer.serialize_str(self.as_str()),
        }
    }
}

/// Texts that are told one by one and are one text together. A single one stays what it is: a part of its document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces(SmallVec<[Text; 1]>);

impl Pieces {
    /// One more.
    pub(crate) fn push(&mut self, piece: Text) {
        self.0.push(piece);
    }

    /// All of it; `None` where there was none.
    pub(crate) fn join(self) -> Option<Text> {
        let mut pieces = self.0;
        match pieces.as_slice() {
            [] => None,
            [_] => pieces.pop(),
            several => Some(several.iter().map(Text::as_str).collect::<String>().into()),
        }
    }
}

/// Writes what is JSON already, as it is. `RawValue` is written so too, but cannot be made without reading it once more, which
/// for a prompt is most of the work; so what it says to serde_json is said here.
fn serialize_raw<S: Serializer>(json: &str, serializer: S) -> Result<S::Ok, S::Error> {
    const RAW: &str = "$serde_json::private::RawValue";
    let mut raw = serializer.serialize_struct(RAW, 1)?;
    raw.serialize_field(RAW, json)?;
    raw.end()
}

/// Writes JSON behind what is in `out`. What JSON cannot say (there is no such thing among our wire structs) is written as `null`.
pub(crate) fn write_json<T: Serialize + ?Sized>(data: &T, out: &mut Vec<u8>) {
    let start = out.len();
    if serde_json::to_writer(Gathered(out), data).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// Takes what the library writes: mostly a quote, a comma or a colon at a time, which is not worth a call to copy it.
struct Gathered<'o>(&'o mut Vec<u8>);

impl io::Write for Gathered<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match bytes {
            [byte] => self.0.push(*byte),
            bytes => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Documents that are nested deeper are refused: no vendor's are, and it is as deep as values are read, so that what
/// was taken at the door can be turned into a tree anywhere behind it.
pub const MAX_DEPTH: usize = 127;

/// Whether `text`, JSON or not, opens more than [`MAX_DEPTH`] lists and objects inside each other.
#[must_use]
pub fn is_too_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' | b'{' if depth == MAX_DEPTH => return true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

/// A JSON value as raw text, byte for byte as it was read: tool schemas, arguments, metadata. Prompt caches depend on
/// those bytes, so nothing here parses and prints them again. Always valid JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Text);

impl Json {
    /// `null`.
    pub const NULL: Self = Self::constant("null");
    /// `{}`.
    pub const EMPTY_OBJECT: Self = Self::constant("{}");

    /// A constant, which has to be JSON.
    #[must_use]
    pub const fn constant(json: &'static str) -> Self {
        Self(Text::constant(json))
    }

    /// Takes `text` if it is one valid JSON value, and not nested deeper than documents are.
    #[must_use]
    pub fn parse(text: &Text) -> Option<Self> {
        if is_too_deep(text) {
            return None;
        }
        serde_json::from_str::<&RawValue>(text).ok().map(|_| Self(text.clone()))
    }

    /// Takes `text` if it is one valid JSON object: what a function's arguments have to be.
    #[must_use]
    pub fn parse_object(text: &Text) -> Option<Self> {
        let json = Self::parse(text)?;
        json.is_object().then_some(json)
    }

    /// What `value` serializes to; `null` for what JSON cannot say (a map with keys that are no strings).
    #[must_use]
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        let mut out = Vec::new();
        write_json(value, &mut out);
        String::from_utf8(out).map_or(Self::NULL, |text| Self(text.into()))
    }

    /// The raw text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The raw text, as a handle.
    #[must_use]
    pub fn text(&self) -> &Text {
        &self.0
    }

    /// The value as a tree, for the few who must look inside.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        serde_json::from_str(self.as_str()).unwrap_or_default()
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.as_str().trim_start().starts_with('{')
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.as_str().trim() == "null"
    }
}

/// A copy of what was read from somewhere, and is JSON therefore.
impl From<&RawValue> for Json {
    fn from(raw: &RawValue) -> Self {
        Self(raw.get().into())
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::NULL
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_raw(self.as_str(), serializer)
    }
}
