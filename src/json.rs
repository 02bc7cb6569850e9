//! Reading JSON tolerantly: null, missing and unknown fields are taken; a wrong type is an error that names its path.
//!
//! Wire structs are declared with [`wire!`]: every field is an `Option`, strings borrow from the document where they can,
//! and fields that are not known are kept in `unknown`. What a field may hold is what has the trait [`Wire`].

mod reader;
mod scan;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::ops::Deref;

use serde::de::Unexpected;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::ir::{Body, MAX_DEPTH, Text};
use reader::What;
pub use reader::{Fault, Reader};
pub(crate) use reader::{Number, Scalar};

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

    /// What stands between the quotes of a document, and has no escapes.
    fn plain(text: &'a str) -> Self {
        Self(Form::Plain(text))
    }

    /// As it stands in a document, with quotes and escapes.
    fn literal(literal: &'a str) -> Self {
        Self(Form::Literal { literal, text: OnceCell::new() })
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

/// What can be read of a document.
pub trait Wire<'a>: Sized {
    /// Reads the value that comes.
    ///
    /// # Errors
    /// It is something else, or no JSON.
    fn read(reader: &mut Reader<'a, '_>) -> std::result::Result<Self, Fault>;
}

impl<'a> Wire<'a> for Str<'a> {
    fn read(reader: &mut Reader<'a, '_>) -> std::result::Result<Self, Fault> {
        reader.string()
    }
}

impl<'a> Wire<'a> for &'a RawValue {
    fn read(reader: &mut Reader<'a, '_>) -> std::result::Result<Self, Fault> {
        reader.raw()
    }
}

/// A tree, for what is looked at closely.
impl Wire<'_> for serde_json::Value {
    fn read(reader: &mut Reader<'_, '_>) -> std::result::Result<Self, Fault> {
        // A lone surrogate and a number out of range are the faults that are left.
        serde_json::from_str(reader.skip()?).map_err(|_| Fault::syntax())
    }
}

impl Wire<'_> for bool {
    fn read(reader: &mut Reader<'_, '_>) -> std::result::Result<Self, Fault> {
        reader.boolean()
    }
}

impl Wire<'_> for f64 {
    fn read(reader: &mut Reader<'_, '_>) -> std::result::Result<Self, Fault> {
        reader.number("f64").map(Number::fraction)
    }
}

impl Wire<'_> for u64 {
    fn read(reader: &mut Reader<'_, '_>) -> std::result::Result<Self, Fault> {
        const WHAT: &str = "u64";
        match reader.number(WHAT)? {
            Number::Unsigned(number) => Ok(number),
            Number::Signed(number) => Err(Fault::wrong_value(Unexpected::Signed(number), WHAT)),
            Number::Float(number) => Err(Fault::wrong_type(Unexpected::Float(number), WHAT)),
        }
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Option<T> {
    fn read(reader: &mut Reader<'a, '_>) -> std::result::Result<Self, Fault> {
        if reader.null()? {
            return Ok(None);
        }
        T::read(reader).map(Some)
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Box<T> {
    fn read(reader: &mut Reader<'a, '_>) -> std::result::Result<Self, Fault> {
        T::read(reader).map(Self::new)
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Vec<T> {
    fn read(reader: &mut Reader<'a, '_>) -> std::result::Result<Self, Fault> {
        reader.begin_list("a sequence")?;
        let mut out = Self::new();
        while reader.element()? {
            out.push(T::read(reader).map_err(|fault| fault.under_index(out.len()))?);
        }
        Ok(out)
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

impl Wire<'_> for Integer {
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
    fn read(reader: &mut Reader<'_, '_>) -> std::result::Result<Self, Fault> {
        const WHAT: &str = "a whole number";
        let invalid = |found: Unexpected<'_>| Err(Fault::wrong_value(found, WHAT));
        match reader.text_or_number(WHAT)? {
            Scalar::Number(Number::Signed(number)) => Ok(Self(number)),
            Scalar::Number(Number::Unsigned(number)) => {
                i64::try_from(number).map_or_else(|_| invalid(Unexpected::Unsigned(number)), |number| Ok(Self(number)))
            }
            Scalar::Number(Number::Float(number)) if number.fract() == 0.0 && number.abs() < 9.0e15 => {
                Ok(Self(number as i64))
            }
            Scalar::Number(Number::Float(number)) => invalid(Unexpected::Float(number)),
            Scalar::Text(text) => {
                text.parse().map_or_else(|_| invalid(Unexpected::Str(&text)), |number| Ok(Self(number)))
            }
        }
    }
}

/// A string, or something else: `content` as text or parts, `tool_choice` as a word or an object.
#[derive(Clone, Debug, PartialEq)]
pub enum StrOr<'a, T> {
    /// The string.
    Str(Str<'a>),
    /// The something else.
    Other(T),
}

impl<'a, T: Wire<'a>> Wire<'a> for StrOr<'a, T> {
    fn read(reader: &mut Reader<'a, '_>) -> std::result::Result<Self, Fault> {
        match reader.string_or()? {
            Some(text) => Ok(Self::Str(text)),
            None => T::read(reader).map(Self::Other),
        }
    }
}

/// A list, or a lone element where a list belongs: proto3's readers take both.
#[derive(Clone, Debug, PartialEq)]
pub struct Many<T>(pub Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Many<T> {
    fn read(reader: &mut Reader<'a, '_>) -> std::result::Result<Self, Fault> {
        if reader.is_list() {
            return Vec::read(reader).map(Self);
        }
        T::read(reader).map(|one| Self(vec![one]))
    }
}

/// Fields that a wire struct does not know, in their order.
#[derive(Clone, Debug, Default)]
pub struct Unknown<'a>(Vec<(Str<'a>, &'a RawValue)>);

impl<'a> Unknown<'a> {
    /// Keeps the field `key`, whose value comes.
    pub(crate) fn take(&mut self, reader: &mut Reader<'a, '_>, key: Cow<'a, str>) -> std::result::Result<(), Fault> {
        let value = reader.raw().map_err(|fault| fault.under_key(&key))?;
        self.0.push((key.into(), value));
        Ok(())
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
            /// Fields that it does not name.
            $vis unknown: $crate::json::Unknown<$life>,
        }

        impl<$life> $crate::json::Wire<$life> for $name<$life> {
            fn read(reader: &mut $crate::json::Reader<$life, '_>) -> ::std::result::Result<Self, $crate::json::Fault> {
                reader.begin_object("an object")?;
                let mut out = Self::default();
                while let Some(key) = reader.key()? {
                    match &*key {
                        $($($wire)|+ => $crate::json::take(reader, &key, &mut out.$field)?,)*
                        _ => out.unknown.take(reader, key)?,
                    }
                }
                Ok(out)
            }
        }
    )*};
}
pub(crate) use wire;

/// Reads the value of the field `key`. A function of its own for each type and not for each field, since a Worker has to be small.
#[cfg_attr(target_family = "wasm", inline(never))]
pub(crate) fn take<'a, T: Wire<'a>>(
    reader: &mut Reader<'a, '_>,
    key: &str,
    out: &mut Option<T>,
) -> std::result::Result<(), Fault> {
    *out = Wire::read(reader).map_err(|fault: Fault| fault.under_key(key))?;
    Ok(())
}

/// Reads `text`.
///
/// # Errors
/// It is no JSON, nested deeper than [`MAX_DEPTH`], or not what `T` wants: then the error names the path of the field.
pub fn read<'a, T: Wire<'a>>(text: &'a str) -> Result<T> {
    finish(text, Reader::new(text))
}

/// Reads a whole document, whose parts are read faster then.
///
/// # Errors
/// As [`read`]. What is no JSON is told before what is not wanted.
pub fn document<'a, T: Wire<'a>>(body: &'a Body) -> Result<T> {
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
pub fn part<'a, T: Wire<'a>>(body: &Body, text: &'a str) -> Result<T> {
    finish(text, reader(body, text))
}

fn reader<'a, 'k>(body: &'k Body, text: &'a str) -> Reader<'a, 'k> {
    match (body.landmarks(), body.position(text)) {
        (Some(landmarks), Some(start)) => Reader::of_part(text, landmarks, start),
        _ => Reader::new(text),
    }
}

fn finish<'a, T: Wire<'a>>(text: &'a str, mut reader: Reader<'a, '_>) -> Result<T> {
    let value = T::read(&mut reader).map_err(|fault| explain(text, &fault))?;
    reader.end().map_err(|fault| explain(text, &fault))?;
    Ok(value)
}

/// The paths of all fields in `text` that say something, in objects inside of objects up to `depth` deep. Lists are not
/// looked into. What is no JSON has none.
#[must_use]
pub fn paths(text: &str, depth: usize) -> Vec<String> {
    fn gather(text: &str, prefix: &str, depth: usize, out: &mut Vec<String>) {
        // What cannot be read was refused before anyone asks for its paths.
        let object: Object<'_> = read(text).unwrap_or_default();
        for (key, value) in object.unknown.iter().filter(|(_, value)| value.get() != "null") {
            let dot = if prefix.is_empty() { "" } else { "." };
            let path = format!("{prefix}{dot}{}", &**key);
            out.push(path.clone());
            if depth > 1 && value.get().starts_with('{') {
                gather(value.get(), &path, depth - 1, out);
            }
        }
    }
    let mut out = Vec::new();
    gather(text, "", depth, &mut out);
    out
}

wire! {
    /// An object, of which no field is known.
    pub struct Object<'a> {}
}

/// Whether there is something at the end of a way into `text`, through fields by their names and elements by their numbers.
#[must_use]
pub fn has<'s>(text: &str, way: impl Iterator<Item = &'s str>) -> bool {
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
    reader(body, raw.get()).field("type").map(Str::plain)
}

/// Whether `text` is one JSON value; reads nothing of it.
///
/// # Errors
/// It is no JSON.
pub fn check(text: &str) -> Result<()> {
    let mut reader = Reader::new(text);
    reader.skip().and_then(|_| reader.end()).map_err(|fault| explain(text, &fault))
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

    wire! {
        struct Typed<'a> {
            "text" text: Str<'a>,
            "count" count: u64,
            "yes" yes: bool,
            "list" list: Vec<Typed<'a>>,
            "inner" inner: Box<Typed<'a>>,
        }
    }

    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "it is read, not looked at")]
    struct Theirs {
        text: Option<String>,
        count: Option<u64>,
        yes: Option<bool>,
        list: Option<Vec<Theirs>>,
        inner: Option<Box<Theirs>>,
    }

    #[test]
    fn faults_are_found_and_told_as_libraries_do() {
        let values = [
            "5",
            "-1",
            "0.5",
            "\"a\"",
            "\"\\n\"",
            "true",
            "[]",
            "{}",
            "[[]]",
            "[{}, 5]",
            "{\"text\": 5}",
            "[{\"list\": [{}, {\"yes\": 1}]}]",
        ];
        for field in ["text", "count", "yes", "list", "inner"] {
            // A list for a struct is its fields in order to serde_json, and a fault to us.
            for value in values.into_iter().filter(|value| field != "inner" || !value.starts_with('[')) {
                let text = format!(r#"{{"list": [{{}}, {{"inner": {{"{field}": {value}}}}}]}}"#);
                let theirs =
                    serde_path_to_error::deserialize::<_, Theirs>(&mut serde_json::Deserializer::from_str(&text));
                let ours = read::<Typed<'_>>(&text).err();
                let place = ours.as_ref().map(|error| error.place.clone().unwrap_or_default());
                assert_eq!(place, theirs.as_ref().err().map(|error| error.path().to_string()), "{text}");
                let words = theirs.err().map(|error| error.into_inner().to_string());
                let words = words.as_deref().and_then(|words| words.split(" at line").next());
                // A list that is too short for a struct again.
                if let (Some(ours), Some(words)) = (ours, words.filter(|words| !words.starts_with("invalid length"))) {
                    assert_eq!(ours.message, words.replace("struct Theirs", "an object"), "{text}");
                }
            }
        }
    }
}
