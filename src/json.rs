//! Reading JSON tolerantly: null, missing and unknown fields are taken; a wrong type is an error that names its path.
//!
//! Wire structs are declared with [`wire!`]: every field is an `Option`, strings borrow from the document where they can,
//! and fields that are not known are kept in `unknown`. Derived `flatten`, `untagged` and internal tags buffer their
//! input and lose the path of an error, so polymorphic values have types of their own here.

mod reader;
mod repeats;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::ir::{Body, MAX_DEPTH, Text};
use reader::{Fault, LITERAL, LITERAL_OR, MANY, Reader, What};
pub(crate) use repeats::{Repeats, Varying, Written};

/// A string of the document; borrowed unless it has escapes, and then unescaped when somebody looks at it.
#[derive(Clone)]
pub struct Str<'a>(Form<'a>);

#[derive(Clone)]
enum Form<'a> {
    Text(Cow<'a, str>),
    /// What stands between the quotes of a document, without an escape.
    Plain(&'a str),
    /// As it is written, with quotes and escapes.
    Literal {
        literal: &'a str,
        text: OnceCell<String>,
    },
}

impl<'a> Str<'a> {
    /// A handle to it, if it was read from `body`; else a copy.
    #[must_use]
    pub fn text(&self, body: &Body) -> Text {
        match &self.0 {
            Form::Text(text) => body.text(text),
            Form::Plain(text) => body.plain(text),
            Form::Literal { literal, .. } => body.literal(literal),
        }
    }

    /// Whether there is none; looks at no more than it must.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Form::Text(text) => text.is_empty(),
            Form::Plain(text) => text.is_empty(),
            // An escape is a character.
            Form::Literal { .. } => false,
        }
    }

    /// The text.
    #[must_use]
    pub fn into_owned(self) -> String {
        match self.0 {
            Form::Text(text) => text.into_owned(),
            Form::Plain(text) => text.to_owned(),
            Form::Literal { literal, text } => text.into_inner().unwrap_or_else(|| unescape(literal)),
        }
    }

    /// What stands between its quotes in the document, where that is known.
    fn written(&self) -> Option<&'a str> {
        match &self.0 {
            Form::Text(_) => None,
            Form::Plain(text) => Some(text),
            Form::Literal { literal, .. } => literal.strip_prefix('"')?.strip_suffix('"'),
        }
    }

    fn of_literal(text: &'a str) -> Self {
        // No string without escapes has a quote.
        if text.starts_with('"') {
            return Self(Form::Literal { literal: text, text: OnceCell::new() });
        }
        Self(Form::Plain(text))
    }
}

/// The text of a literal that was read before.
fn unescape(literal: &str) -> String {
    serde_json::from_str(literal).unwrap_or_default()
}

impl Deref for Str<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        match &self.0 {
            Form::Text(text) => text,
            Form::Plain(text) => text,
            Form::Literal { literal, text } => text.get_or_init(|| unescape(literal)),
        }
    }
}

impl<'a> From<&'a str> for Str<'a> {
    fn from(text: &'a str) -> Self {
        Self(Form::Text(Cow::Borrowed(text)))
    }
}

impl<'a> From<Cow<'a, str>> for Str<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self(Form::Text(text))
    }
}

impl From<String> for Str<'_> {
    fn from(text: String) -> Self {
        Self(Form::Text(Cow::Owned(text)))
    }
}

impl Default for Str<'_> {
    fn default() -> Self {
        Self::from("")
    }
}

impl fmt::Debug for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl PartialEq for Str<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Str<'_> {}

/// Takes what a [`Reader`] gives of a string.
struct LiteralVisitor;

impl<'de> Visitor<'de> for LiteralVisitor {
    type Value = Str<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Str::of_literal(text))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Str::from(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Str::from(text))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StrVisitor;
        impl<'de> Visitor<'de> for StrVisitor {
            type Value = Str<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            // The key of an object.
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Str::from(text))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Str::from(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Str::from(text))
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                deserializer.deserialize_str(LiteralVisitor)
            }
        }
        deserializer.deserialize_newtype_struct(LITERAL, StrVisitor)
    }
}

/// The name of a field.
#[derive(Debug)]
pub(crate) struct Key<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// A whole number; `3.0` and `"3"` are taken too, as protobuf's JSON writes 64-bit numbers so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Integer(pub i64);

impl Integer {
    /// The number, if it is not negative.
    #[must_use]
    pub fn unsigned(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntegerVisitor;
        impl Visitor<'_> for IntegerVisitor {
            type Value = i64;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_i64<E>(self, number: i64) -> Result<i64, E> {
                Ok(number)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
                i64::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }
            #[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<i64, E> {
                if number.fract() == 0.0 && number.abs() < 9.0e15 {
                    return Ok(number as i64);
                }
                Err(E::invalid_value(de::Unexpected::Float(number), &self))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
                text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(IntegerVisitor).map(Integer)
    }
}

/// A string, or something else: `content` as text or parts, `tool_choice` as a word or an object. Only [`read`] reads it.
#[derive(Clone, Debug, PartialEq)]
pub enum StrOr<'a, T> {
    /// The string.
    Str(Str<'a>),
    /// The something else.
    Other(T),
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for StrOr<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StrOrVisitor<'a, T>(PhantomData<(&'a (), T)>);
        impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for StrOrVisitor<'a, T> {
            type Value = StrOr<'a, T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a list or an object")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                deserializer.deserialize_str(LiteralVisitor).map(StrOr::Str)
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                T::deserialize(deserializer).map(StrOr::Other)
            }
        }
        deserializer.deserialize_newtype_struct(LITERAL_OR, StrOrVisitor(PhantomData))
    }
}

/// A list, or a lone element where a list belongs: proto3's readers take both. Only [`read`] reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Many<T>(pub Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ManyVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
            type Value = Many<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut out = Vec::new();
                while let Some(element) = seq.next_element()? {
                    out.push(element);
                }
                Ok(Many(out))
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                T::deserialize(deserializer).map(|one| Many(vec![one]))
            }
        }
        deserializer.deserialize_newtype_struct(MANY, ManyVisitor(PhantomData))
    }
}

/// Fields that a wire struct does not know, in their order.
#[derive(Clone, Debug, Default)]
pub struct Unknown<'a>(Vec<(Str<'a>, &'a RawValue)>);

impl<'a> Unknown<'a> {
    /// Keeps a field.
    pub fn push(&mut self, name: Str<'a>, value: &'a RawValue) {
        self.0.push((name, value));
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields.
    pub fn iter(&self) -> impl Iterator<Item = (&Str<'a>, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name, *value))
    }
}

/// Declares structs that are read from a vendor's JSON. Every field has the type `Option<…>` and its name, or names, on
/// the wire; what the struct does not name is kept in `unknown`. A repeated field counts as its last.
///
/// ```text
/// wire! {
///     /// One message.
///     struct Message<'a> {
///         "role" role: Str<'a>,
///         "mimeType" | "mime_type" mime: Str<'a>,
///     }
/// }
/// ```
macro_rules! wire {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident<$life:lifetime> { $($($wire:literal)|+ $field:ident: $type:ty,)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default)]
        $vis struct $name<$life> {
            $($vis $field: Option<$type>,)*
            $vis unknown: $crate::json::Unknown<$life>,
        }

        impl<'de: $life, $life> ::serde::de::Deserialize<'de> for $name<$life> {
            fn deserialize<D: ::serde::de::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                struct WireVisitor<$life>(::std::marker::PhantomData<&$life ()>);
                impl<'de: $life, $life> ::serde::de::Visitor<'de> for WireVisitor<$life> {
                    type Value = $name<$life>;
                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: ::serde::de::MapAccess<'de>>(self, mut map: A) -> ::std::result::Result<Self::Value, A::Error> {
                        let mut out = $name::default();
                        while let Some($crate::json::Key(key)) = map.next_key()? {
                            match &*key {
                                $($($wire)|+ => $crate::json::take(&mut map, &mut out.$field)?,)*
                                _ => out.unknown.push(key.into(), map.next_value()?),
                            }
                        }
                        Ok(out)
                    }
                }
                deserializer.deserialize_map(WireVisitor(::std::marker::PhantomData))
            }
        }
    )*};
}
pub(crate) use wire;

/// Reads the value of a field. A function of its own for each type and not for each field, since a Worker has to be small.
#[cfg_attr(target_family = "wasm", inline(never))]
pub(crate) fn take<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    map: &mut A,
    out: &mut T,
) -> std::result::Result<(), A::Error> {
    *out = map.next_value()?;
    Ok(())
}

/// Reads `text`.
///
/// # Errors
/// It is no JSON, nested deeper than [`MAX_DEPTH`], or not what `T` wants: then the error names the path of the field.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    finish(text, Reader::new(text))
}

/// Reads a whole document, whose parts are read faster then.
///
/// # Errors
/// As [`read`]. What is no JSON is told before what is not wanted.
pub fn document<'a, T: Deserialize<'a>>(body: &'a Body) -> Result<T> {
    survey(body)?;
    part(body, body.as_str())
}

/// Looks through a whole document once: where its long values end is known then.
///
/// # Errors
/// It is no JSON, or nested deeper than [`MAX_DEPTH`].
fn survey(body: &Body) -> Result<()> {
    if body.landmarks().is_none() {
        let text = body.as_str();
        body.note(Reader::survey(text).map_err(|fault| explain(text, &fault))?);
    }
    Ok(())
}

/// Reads `text`, which is raw JSON of `body`, or of something else.
///
/// # Errors
/// As [`read`].
pub fn part<'a, T: Deserialize<'a>>(body: &Body, text: &'a str) -> Result<T> {
    finish(text, reader(body, text))
}

fn reader<'a, 'k>(body: &'k Body, text: &'a str) -> Reader<'a, 'k> {
    match (body.landmarks(), body.position(text)) {
        (Some(landmarks), Some(start)) => Reader::of_part(text, landmarks, start),
        _ => Reader::new(text),
    }
}

fn finish<'a, T: Deserialize<'a>>(text: &'a str, mut reader: Reader<'a, '_>) -> Result<T> {
    let value = T::deserialize(&mut reader).map_err(|fault| explain(text, &fault))?;
    reader.end().map_err(|fault| explain(text, &fault))?;
    Ok(value)
}

/// The paths of all fields in `text` that say something, in objects inside of objects up to `depth` deep. Lists are not
/// looked into. What is no JSON has none.
#[must_use]
pub fn paths(text: &str, depth: usize) -> Vec<String> {
    struct Fields<'p> {
        prefix: &'p str,
        depth: usize,
        out: &'p mut Vec<String>,
    }
    impl<'de> Visitor<'de> for Fields<'_> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<Str<'_>>()? {
                let value: &RawValue = map.next_value()?;
                if value.get() == "null" {
                    continue;
                }
                let dot = if self.prefix.is_empty() { "" } else { "." };
                let path = format!("{}{dot}{}", self.prefix, &*key);
                self.out.push(path.clone());
                if self.depth > 1 && value.get().starts_with('{') {
                    read_fields(value.get(), Fields { prefix: &path, depth: self.depth - 1, out: self.out });
                }
            }
            Ok(())
        }
    }
    fn read_fields(text: &str, fields: Fields<'_>) {
        // What cannot be read was refused before anyone asks for its paths.
        let _ = Reader::new(text).deserialize_map(fields);
    }
    let mut out = Vec::new();
    read_fields(text, Fields { prefix: "", depth, out: &mut out });
    out
}

/// Whether there is something at the end of a way into `text`, through fields by their names and elements by their numbers.
#[must_use]
pub fn has<'s>(text: &str, way: impl Iterator<Item = &'s str>) -> bool {
    wire! {
        /// An object of any fields.
        struct Object<'a> {}
    }
    let mut at = text;
    for step in way {
        let next = if at.starts_with('[') {
            let elements: Vec<&RawValue> = read(at).unwrap_or_default();
            step.parse().ok().and_then(|index: usize| elements.get(index).copied())
        } else {
            let object: Object<'_> = read(at).unwrap_or_default();
            object.unknown.iter().find(|(name, _)| ***name == *step).map(|(_, value)| value)
        };
        let Some(next) = next else { return false };
        at = next.get();
    }
    at != "null"
}

/// The first field `type` of an object, if it is a string. What stands behind it is not read: raw text was read as a whole before,
/// and a prompt that has to be passed over just to see what it is costs as much as reading it.
#[must_use]
pub fn kind<'a>(body: &Body, raw: &'a RawValue) -> Option<Str<'a>> {
    reader(body, raw.get()).field("type").map(Str::of_literal)
}

/// Whether `text` is one JSON value; reads nothing of it.
///
/// # Errors
/// It is no JSON.
pub fn check(text: &str) -> Result<()> {
    read::<IgnoredAny>(text).map(|_| ())
}

#[cold]
fn explain(text: &str, fault: &Fault) -> Error {
    match fault.what() {
        What::Value(words) => Error::invalid(fault.path(), words.as_str()),
        What::TooDeep => Error::invalid("", format!("the body is nested deeper than {MAX_DEPTH} levels")),
        What::Syntax => {
            // The library has the better words, and knows the line.
            let words = serde_json::from_str::<serde_json::Value>(text)
                .map_or_else(|error| error.to_string(), |_| fault.to_string());
            Error::invalid("", format!("the body is not valid JSON: {words}"))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    wire! {
        struct Inner<'a> { "data" data: Str<'a>, }
        struct Outer<'a> {
            "role" role: Str<'a>,
            "content" content: StrOr<'a, Vec<Inner<'a>>>,
            "mimeType" | "mime_type" mime: Str<'a>,
            "raw" raw: &'a RawValue,
        }
    }

    #[test]
    fn wire_structs_are_tolerant_and_name_the_path() {
        let outer: Outer<'_> =
            read(r#"{"role":"user","x":[1, 2],"content":[{"data":"a"}],"mime_type":null,"raw":{"b": 1}}"#).unwrap();
        assert_eq!(outer.role.as_deref(), Some("user"));
        assert!(outer.mime.is_none());
        assert_eq!(outer.raw.unwrap().get(), r#"{"b": 1}"#);
        let unknown: Vec<_> = outer.unknown.iter().map(|(name, raw)| (name.to_string(), raw.get())).collect();
        assert_eq!(unknown, [("x".to_owned(), "[1, 2]")]);
        let Some(StrOr::Other(parts)) = outer.content else { panic!() };
        assert_eq!(parts[0].data.as_deref(), Some("a"));
        let error = read::<Outer<'_>>(r#"{"content":[{},{"data":5}]}"#).unwrap_err();
        assert_eq!(error.place.as_deref(), Some("content[1].data"));
        assert_eq!(error.message, "invalid type: integer `5`, expected a string");
    }
}
