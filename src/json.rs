//! Reading JSON tolerantly: null, missing and unknown fields are taken; a wrong type is an error that names its path.
//!
//! Wire structs are declared with [`wire!`]: every field is an `Option`, strings borrow from the document where they can,
//! and fields that are not known are kept in `unknown`. Derived `flatten`, `untagged` and internal tags buffer their
//! input and lose the path of an error, so polymorphic values have types of their own here.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// A string of the document; borrowed unless it has escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Str<'a>(pub Cow<'a, str>);

impl Deref for Str<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StrVisitor;
        impl<'de> Visitor<'de> for StrVisitor {
            type Value = Cow<'de, str>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text))
            }
        }
        deserializer.deserialize_str(StrVisitor).map(Str)
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

/// A string, or something else: `content` as text or parts, `tool_choice` as a word or an object.
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
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(StrOr::Str(Str(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(StrOr::Str(Str(Cow::Owned(text.to_owned()))))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                T::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(StrOr::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(StrOr::Other)
            }
        }
        deserializer.deserialize_any(StrOrVisitor(PhantomData))
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

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ManyVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
            type Value = Many<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Many)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(|one| Many(vec![one]))
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                T::deserialize(de::value::BorrowedStrDeserializer::new(text)).map(|one| Many(vec![one]))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                T::deserialize(de::value::StringDeserializer::new(text.to_owned())).map(|one| Many(vec![one]))
            }
        }
        deserializer.deserialize_any(ManyVisitor(PhantomData))
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
                        while let Some(key) = map.next_key::<$crate::json::Str<$life>>()? {
                            match &*key {
                                $($($wire)|+ => out.$field = map.next_value()?,)*
                                _ => out.unknown.push(key, map.next_value()?),
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

/// Reads `text`.
///
/// # Errors
/// It is no JSON, or not what `T` wants: then the error names the path of the field.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        explain(error.inner(), if path == "." { String::new() } else { path })
    })?;
    deserializer.end().map_err(|error| explain(&error, String::new()))?;
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
        let _ = serde_json::Deserializer::from_str(text).deserialize_map(fields);
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
            let elements: Vec<&RawValue> = serde_json::from_str(at).unwrap_or_default();
            step.parse().ok().and_then(|index: usize| elements.get(index).copied())
        } else {
            let object: Object<'_> = serde_json::from_str(at).unwrap_or_default();
            object.unknown.iter().find(|(name, _)| ***name == *step).map(|(_, value)| value)
        };
        let Some(next) = next else { return false };
        at = next.get();
    }
    at != "null"
}

/// Whether `text` is one JSON value; reads nothing of it.
///
/// # Errors
/// It is no JSON.
pub fn check(text: &str) -> Result<()> {
    read::<IgnoredAny>(text).map(|_| ())
}

fn explain(error: &serde_json::Error, path: String) -> Error {
    // serde_json ends its words with a position that the path says better.
    let whole = error.to_string();
    let words = whole.rsplit_once(" at line ").map_or(whole.as_str(), |(words, _)| words);
    // A number that no type can hold is JSON all the same, and its field is known.
    let is_number = words == "number out of range" && !path.is_empty();
    if error.classify() == serde_json::error::Category::Data || is_number {
        return Error::invalid(path, words);
    }
    Error::invalid("", format!("the body is not valid JSON: {whole}"))
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
