//! What any node of the IR may carry beside its meaning: where it came from, and what one dialect alone understands.

use serde::Serialize;

use super::{Json, Text};
use crate::diagnostics::Code;

/// Where in the client's document a node came from: a handle that [`crate::context::Cx::path`] turns into
/// `messages[3].content[0]`. It is no part of a node's meaning, so any two are equal. The default is the document itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place(pub(crate) u32);

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

/// Opaque state of a provider (thinking signature, redacted thinking, encrypted reasoning, thought signature). Only the
/// issuer gets it back, byte for byte; anyone else never sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sealed {
    /// Who can read it.
    pub issuer: Issuer,
    /// As the issuer wrote it.
    pub payload: Text,
    /// What the issuer's own backend has to know to give it back as it was, where a client's slot could not say it: which
    /// kind of block it stood in, the id of its item. One line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Text>,
}

impl Sealed {
    /// Whether it holds nothing but its note. Nothing of the model's mind is lost with it, only the exact words in which its
    /// issuer's upstream would be told again what it said.
    #[must_use]
    pub fn is_note(&self) -> bool {
        self.payload.is_empty()
    }

    /// This seal, with what `behind` notes of what came after it: for clients that keep one seal where there are two.
    #[must_use]
    pub fn with_note(&self, behind: &Self) -> Self {
        let notes: Vec<&str> = [&self.note, &behind.note].into_iter().filter_map(|note| note.as_deref()).collect();
        Self { note: Some(notes.join(" ").into()), ..self.clone() }
    }

    /// Takes in a copy of this seal that a client kept elsewhere, which may note more; `false` for another seal.
    pub fn merge(&mut self, copy: &Self) -> bool {
        let is_copy = self.issuer == copy.issuer && self.payload == copy.payload;
        if is_copy && copy.note.as_ref().map_or(0, |note| note.len()) > self.note.as_ref().map_or(0, |note| note.len())
        {
            self.note.clone_from(&copy.note);
        }
        is_copy
    }
}

/// Who made a [`Sealed`] value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Issuer {
    /// The dialect that the value was written in.
    pub dialect: Text,
    /// The provider's id in the configuration; `None` when a client sent a bare value that no envelope names.
    pub provider: Option<Text>,
    /// The upstream's own name of the model; `None` as above.
    pub model: Option<Text>,
}

impl Issuer {
    /// Whether `self`, an upstream about to be asked, may be given what `other` sealed. A bare value goes to any
    /// upstream of its dialect: a client that talked to it directly, or through the relay, holds such values.
    #[must_use]
    pub fn may_open(&self, other: &Self) -> bool {
        self.dialect == other.dialect
            && (other.provider.is_none() || other.provider == self.provider)
            && (other.model.is_none() || other.model == self.model)
    }
}

/// What groups the blocks of an answer in protocols that have items (Responses): kept so that it can be said again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The item's id, as its maker wrote it.
    pub id: Option<Text>,
    /// `commentary` or `final_answer`; some models want it back.
    pub phase: Option<Text>,
}

/// How long a prompt cache is asked to keep what precedes a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheTtl {
    /// Five minutes: Claude's `5m`.
    FiveMinutes,
    /// Thirty minutes: OpenAI's `30m`.
    ThirtyMinutes,
    /// One hour: Claude's `1h`.
    OneHour,
    /// Twelve hours: OpenAI's `12h`.
    TwelveHours,
}

/// A wish that the prompt up to here be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CacheMark {
    /// The wish for a duration; `None` leaves it to the provider.
    pub ttl: Option<CacheTtl>,
}

/// A field that only its own dialect understands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Extension {
    /// The field's path from the node: its name, for a field of an inner object `image_url.foo`, for one of the object
    /// around the node [`AROUND`]. [`field_path`] makes one of a name that a client chose.
    pub name: Text,
    /// Its value.
    pub value: Json,
    /// What is lost when a backend of another dialect leaves it out.
    pub loss: &'static Code,
}

/// Under this name stand fields of the object around a node, where the IR has no node of its own for that: of the message
/// that an instruction came in, of an item of several parts, of a tool's name space.
pub const AROUND: &str = "^";

/// Names under which a dialect's two sides leave marks for each other. They are no fields, so they are never written.
const MARKS: [&str; 2] = ["mark.", "wire."];

/// The path of the field `name` in the inner object `under` of a node; both as a client wrote them. In a path dots tell
/// objects apart, so a name that holds some is quoted: `image_url["a.b"]`.
#[must_use]
pub fn field_path(under: &str, name: &str) -> Text {
    let is_quoted = name.contains('.') || name.starts_with('[');
    match (under.is_empty(), is_quoted) {
        (true, false) => name.into(),
        (true, true) => format!("[\"{name}\"]").into(),
        (false, false) => format!("{under}.{name}").into(),
        (false, true) => format!("{under}[\"{name}\"]").into(),
    }
}

impl Extension {
    /// The path of the field in the client's document, told from its node; empty for a mark, which is no field.
    #[must_use]
    pub fn path(&self) -> &str {
        if MARKS.iter().any(|mark| self.name.starts_with(mark)) {
            return "";
        }
        // A frontend's note of a field is told by the field's name.
        self.name.strip_prefix("any-api.").unwrap_or(&self.name)
    }
}

/// Fields that only the dialect they were written in understands. A backend of that dialect writes them again; another
/// reports each with its own code ([`crate::context::Cx::report_extensions`]).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Extensions(Option<Box<Inner>>);

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Inner {
    dialect: &'static str,
    fields: Vec<Extension>,
}

impl Extensions {
    /// Adds a field of `dialect`.
    pub fn push(&mut self, dialect: &'static str, field: Extension) {
        match &mut self.0 {
            Some(inner) => inner.fields.push(field),
            None => self.0 = Some(Box::new(Inner { dialect, fields: vec![field] })),
        }
    }

    /// The dialect whose fields these are; `None` where there is none.
    #[must_use]
    pub fn dialect(&self) -> Option<&'static str> {
        self.0.as_ref().map(|inner| inner.dialect)
    }

    /// All fields.
    #[must_use]
    pub fn fields(&self) -> &[Extension] {
        self.0.as_ref().map_or(&[], |inner| &inner.fields)
    }

    /// The fields to write in `dialect`, at the node itself (`under` empty) or in its inner object `under`: a value
    /// that serializes as a map, for `#[serde(flatten)]`.
    #[must_use]
    pub fn written<'a>(&'a self, dialect: &str, under: &'static str) -> Written<'a> {
        let fields = if self.dialect() == Some(dialect) { self.fields() } else { &[] };
        Written { fields, under }
    }

    /// The value of the field `name`, where these are `dialect`'s.
    #[must_use]
    pub fn get(&self, dialect: &str, name: &str) -> Option<&Json> {
        if self.dialect() != Some(dialect) {
            return None;
        }
        self.fields().iter().find(|field| field.name == name).map(|field| &field.value)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields().is_empty()
    }
}

/// Extension fields on their way out; see [`Extensions::written`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Written<'a> {
    fields: &'a [Extension],
    under: &'static str,
}

impl Written<'_> {
    /// Whether nothing would be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries().next().is_none()
    }

    fn entries(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.fields.iter().filter_map(|field| {
            let inner = field.name.strip_prefix(self.under)?;
            if let Some(quoted) = inner.strip_prefix("[\"").and_then(|rest| rest.strip_suffix("\"]")) {
                return Some((quoted, &field.value));
            }
            let name = if self.under.is_empty() { inner } else { inner.strip_prefix('.')? };
            (!name.contains(['.', '['])).then_some((name, &field.value))
        })
    }
}

impl Serialize for Written<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.entries())
    }
}

/// What any node may carry beside its meaning.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Meta {
    /// Where it came from.
    #[serde(skip)]
    pub place: Place,
    /// What groups blocks of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Box<Item>>,
    /// Provider state that belongs to this node: Gemini puts signatures on any part, Claude on thinking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal: Option<Box<Sealed>>,
    /// A wish to cache the prompt up to and with this node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheMark>,
    /// What its own dialect alone understands.
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

impl Meta {
    /// Nothing but a place.
    #[must_use]
    pub fn at(place: Place) -> Self {
        Self { place, ..Self::default() }
    }
}
