//! The reader: serde's view of a document that is read once, where it lies.
//!
//! It is what a library's deserializer is, with three differences that requests of half a megabyte pay for. A string with
//! escapes is given out as its literal ([`LITERAL`]), so that a prompt nobody looks at is neither unescaped nor escaped
//! again. The path of an error is put together while the error goes up, so that nothing has to keep it before there is one.
//! And the wire structs are compiled for this one reader, where a deserializer that is wrapped in another makes two of each.
//!
//! What it does not do itself is done by `serde_json`: unescaping, and the words for what is no JSON.

use std::fmt;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, Expected, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::Str;
use crate::ir::{DEEPEST, LONG_GROUP, LONG_STRING, Landmark, Landmarks, MAX_DEPTH};

/// The newtype by which a value asks for a string as it is written: without quotes where it has no escapes, else with them.
pub(super) const LITERAL: &str = "$any-api::literal";

/// The newtype of a value that is such a string, or a list or an object: these come by `visit_some`.
pub(super) const LITERAL_OR: &str = "$any-api::literal-or";

/// The newtype of a value that is a list, or anything else, which comes by `visit_some`.
pub(super) const MANY: &str = "$any-api::many";

/// The newtype by which serde_json's `RawValue` asks for raw text.
const RAW: &str = "$serde_json::private::RawValue";

/// What is wrong with a document. Boxed, since every result on the way down has room for it.
#[derive(Debug)]
pub(super) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    what: What,
    /// The steps to the place, the last one first.
    steps: Vec<Step>,
}

/// The kinds of fault.
#[derive(Debug)]
pub(super) enum What {
    /// It is no JSON.
    Syntax,
    /// It is nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// A value is not what is expected there.
    Value(String),
}

#[derive(Debug)]
enum Step {
    Key(String),
    Index(usize),
}

impl Fault {
    fn new(what: What) -> Self {
        Self(Box::new(Inner { what, steps: Vec::new() }))
    }

    fn syntax() -> Self {
        Self::new(What::Syntax)
    }

    #[cold]
    fn under(mut self, step: Step) -> Self {
        self.0.steps.push(step);
        self
    }

    /// What is wrong.
    pub(super) fn what(&self) -> &What {
        &self.0.what
    }

    /// Where: `messages[3].content`.
    pub(super) fn path(&self) -> String {
        let mut out = String::new();
        for step in self.0.steps.iter().rev() {
            match step {
                Step::Key(key) => {
                    if !out.is_empty() {
                        out.push('.');
                    }
                    out.push_str(key);
                }
                Step::Index(index) => {
                    out.push('[');
                    out.push_str(&index.to_string());
                    out.push(']');
                }
            }
        }
        out
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.what {
            What::Syntax => f.write_str("no valid JSON"),
            What::TooDeep => f.write_str("nested too deep"),
            What::Value(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self::new(What::Value(words.to_string()))
    }

    #[cold]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match found {
            Unexpected::Unit => Self::custom(format_args!("invalid type: null, expected {expected}")),
            found => Self::custom(format_args!("invalid type: {found}, expected {expected}")),
        }
    }
}

/// A number, as serde tells them apart.
enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

/// A string as it is written.
struct Literal<'de> {
    text: &'de str,
    /// Where its quotes are.
    start: usize,
    end: usize,
    escapes: Escapes,
}

/// What has to be undone in a string.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    None,
    Plain,
    /// One of them is `\u`, so that it is not known whether the string can be unescaped.
    Unicode,
}

impl<'de> Literal<'de> {
    /// What stands between the quotes.
    fn inner(&self) -> &'de str {
        self.text.get(self.start + 1..self.end).unwrap_or_default()
    }

    /// With its quotes.
    fn whole(&self) -> &'de str {
        self.text.get(self.start..=self.end).unwrap_or_default()
    }

    fn has_escapes(&self) -> bool {
        self.escapes != Escapes::None
    }

    fn unescaped(&self) -> Result<String, Fault> {
        // A lone surrogate is the one fault that is left.
        serde_json::from_str(self.whole()).map_err(|_| Fault::syntax())
    }
}

/// What is known of a document's long values.
enum Known<'k> {
    Nothing,
    /// They are being noted.
    Noting(Vec<Landmark>),
    /// They were noted. What is read begins so many bytes into the document.
    All(&'k Landmarks, usize),
}

/// Reads a document from its beginning.
pub(super) struct Reader<'de, 'k> {
    text: &'de str,
    at: usize,
    depth: usize,
    known: Known<'k>,
}

impl<'de, 'k> Reader<'de, 'k> {
    pub(super) fn new(text: &'de str) -> Self {
        Self { text, at: 0, depth: 0, known: Known::Nothing }
    }

    /// Reads a part of a document of which the landmarks are known; it begins at `start`.
    pub(super) fn of_part(text: &'de str, landmarks: &'k Landmarks, start: usize) -> Self {
        Self { text, at: 0, depth: 0, known: Known::All(landmarks, start) }
    }

    /// The landmarks of a document, all of which has to be JSON.
    pub(super) fn survey(text: &'de str) -> Result<Landmarks, Fault> {
        // Notes have no room for places in larger documents.
        let known = if u32::try_from(text.len()).is_ok() { Known::Noting(Vec::new()) } else { Known::Nothing };
        let mut reader = Self { text, at: 0, depth: 0, known };
        reader.skip()?;
        reader.end()?;
        match reader.known {
            Known::Noting(notes) => Ok(Landmarks::new(notes)),
            Known::Nothing | Known::All(..) => Ok(Landmarks::default()),
        }
    }

    /// The landmark that begins where the reader is.
    fn landmark(&self, at: usize) -> Option<&'k Landmark> {
        match &self.known {
            Known::All(landmarks, start) => landmarks.at(start + at),
            Known::Nothing | Known::Noting(_) => None,
        }
    }

    /// Nothing but space is left.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Fault::syntax()),
        }
    }

    /// The first field `name` of the object that comes, if it is a string without escapes.
    pub(super) fn field(&mut self, name: &str) -> Option<&'de str> {
        if !self.take(b'{') {
            return None;
        }
        loop {
            if self.peek() != Some(b'"') {
                return None;
            }
            let key = self.literal().ok()?;
            if !self.take(b':') {
                return None;
            }
            if key.inner() == name {
                let comes = self.peek() == Some(b'"');
                let literal = comes.then(|| self.literal()).and_then(Result::ok)?;
                return (!literal.has_escapes()).then(|| literal.inner());
            }
            self.skip().ok()?;
            if !self.take(b',') {
                return None;
            }
        }
    }

    /// The string of `text` between two quotes, the first of which stands before `at`, as reading it would give it; and how long
    /// it is there.
    pub(super) fn string_between_quotes(text: &'de str, at: usize) -> Option<(Str<'de>, usize)> {
        let mut reader = Reader { at: at.checked_sub(1)?, ..Reader::new(text) };
        let literal = reader.literal().ok()?;
        let out = match literal.escapes {
            Escapes::None => Str::of_literal(literal.inner()),
            Escapes::Plain => Str::of_literal(literal.whole()),
            Escapes::Unicode => Str::from(literal.unescaped().ok()?),
        };
        Some((out, literal.inner().len()))
    }

    /// How long the string between two quotes is, the first of which stands before `at`. It is JSON, but perhaps no text.
    pub(super) fn length_between_quotes(text: &str, at: usize) -> Option<usize> {
        let mut reader = Reader { at: at.checked_sub(1)?, ..Reader::new(text) };
        reader.pass_string().ok()?;
        (reader.at - 1).checked_sub(at)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> Result<&'de str, Fault> {
        self.text.get(from..to).ok_or_else(Fault::syntax)
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte()? {
                b' ' | b'\n' | b'\t' | b'\r' => self.at += 1,
                other => return Some(other),
            }
        }
    }

    /// Takes `byte` if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        let comes = self.peek() == Some(byte);
        self.at += usize::from(comes);
        comes
    }

    fn word(&mut self, word: &'static str) -> Result<(), Fault> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(Fault::syntax());
        }
        self.at += word.len();
        Ok(())
    }

    /// A string; the quote comes next.
    fn literal(&mut self) -> Result<Literal<'de>, Fault> {
        let start = self.at;
        let escapes = self.pass_string()?;
        Ok(Literal { text: self.text, start, end: self.at - 1, escapes })
    }

    /// Passes over a string; the quote comes next.
    fn pass_string(&mut self) -> Result<Escapes, Fault> {
        /// In whole words of [`next_special`], and less than a long string.
        const NEAR: usize = 1 + 7 * 8;
        const { assert!(NEAR < LONG_STRING) };
        let bytes = self.text.as_bytes();
        let near = bytes.get(..self.at + NEAR).unwrap_or(bytes);
        let at = next_special(near, self.at + 1);
        // Most strings are short and have no escapes.
        if near.get(at) == Some(&b'"') {
            self.at = at + 1;
            return Ok(Escapes::None);
        }
        self.pass_rest(at)
    }

    /// The same for the rest of a string, from `at` on.
    #[inline(never)]
    fn pass_rest(&mut self, mut at: usize) -> Result<Escapes, Fault> {
        let start = self.at;
        if let Some(known) = self.landmark(start) {
            self.at = start + (known.end - known.start) as usize;
            return Ok(match known {
                Landmark { has_unicode: true, .. } => Escapes::Unicode,
                Landmark { escapes: 0, .. } => Escapes::None,
                Landmark { .. } => Escapes::Plain,
            });
        }
        let bytes = self.text.as_bytes();
        let (mut escapes, mut has_unicode) = (0, false);
        loop {
            at = next_special(bytes, at);
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escapes += 1;
                    match bytes.get(at + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                        Some(b'u') => {
                            has_unicode = true;
                            let digits = bytes.get(at + 2..at + 6).unwrap_or_default();
                            if digits.len() < 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                                return Err(Fault::syntax());
                            }
                            at += 6;
                        }
                        _ => return Err(Fault::syntax()),
                    }
                }
                // A control character, or the end.
                _ => return Err(Fault::syntax()),
            }
        }
        self.at = at + 1;
        if let Known::Noting(notes) = &mut self.known
            && self.at - start >= LONG_STRING
            && let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(self.at))
        {
            notes.push(Landmark { start, end, escapes, has_unicode });
        }
        Ok(match (has_unicode, escapes) {
            (true, _) => Escapes::Unicode,
            (false, 0) => Escapes::None,
            (false, _) => Escapes::Plain,
        })
    }

    /// The text of a number; its first byte comes next.
    fn number_text(&mut self) -> Result<&'de str, Fault> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(Fault::syntax()),
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        // `01` is no number.
        if self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(Fault::syntax());
        }
        self.slice(start, self.at)
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(Fault::syntax()) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Number, Fault> {
        let text = self.number_text()?;
        if let Ok(number) = text.parse() {
            return Ok(Number::Unsigned(number));
        }
        // `-0` is a fraction's zero, as serde_json has it.
        if let (Ok(number), true) = (text.parse(), text != "-0") {
            return Ok(Number::Signed(number));
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Number::Float(number)),
            _ => Err(Fault::new(What::Value("number out of range".to_owned()))),
        }
    }

    /// Passes over a value, which has to be JSON; gives its text.
    fn skip(&mut self) -> Result<&'de str, Fault> {
        let next = self.peek();
        let start = self.at;
        if let (Some(b'{' | b'['), Some(known)) = (next, self.landmark(start)) {
            self.at += (known.end - known.start) as usize;
            return self.slice(start, self.at);
        }
        // What is open: lists and objects by their closing bracket, and the landmarks of the outermost.
        let mut open: smallvec::SmallVec<[u8; 64]> = smallvec::SmallVec::new();
        let mut noted = [0; DEEPEST];
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.pass_string()?;
                }
                Some(bracket @ (b'{' | b'[')) => {
                    let start = self.at;
                    self.at += 1;
                    if self.depth + open.len() >= MAX_DEPTH {
                        return Err(Fault::new(What::TooDeep));
                    }
                    // In ASCII both close two behind where they open.
                    let close = bracket + 2;
                    if !self.take(close) {
                        self.note_begin(start, noted.get_mut(open.len()));
                        open.push(close);
                        if bracket == b'{' {
                            self.skip_key()?;
                        }
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            // A value has ended, and perhaps what holds it.
            loop {
                let Some(close) = open.last() else { return self.slice(start, self.at) };
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        if *close == b'}' {
                            self.skip_key()?;
                        }
                        break;
                    }
                    Some(byte) if byte == *close => {
                        self.at += 1;
                        open.pop();
                        self.note_end(noted.get(open.len()));
                    }
                    _ => return Err(Fault::syntax()),
                }
            }
        }
    }

    /// A list or an object begins: its landmark stands before those of what is in it.
    fn note_begin(&mut self, start: usize, index: Option<&mut usize>) {
        if let (Known::Noting(notes), Some(index), Ok(start)) = (&mut self.known, index, u32::try_from(start)) {
            *index = notes.len();
            notes.push(Landmark { start, end: start, escapes: 0, has_unicode: false });
        }
    }

    /// It has ended.
    fn note_end(&mut self, index: Option<&usize>) {
        let (Known::Noting(notes), Some(index)) = (&mut self.known, index) else { return };
        let end = u32::try_from(self.at).unwrap_or_default();
        match notes.get_mut(*index) {
            Some(landmark) if end.saturating_sub(landmark.start) as usize >= LONG_GROUP => landmark.end = end,
            // Nor is anything in it worth a note.
            _ => notes.truncate(*index),
        }
    }

    fn skip_key(&mut self) -> Result<(), Fault> {
        if self.peek() != Some(b'"') {
            return Err(Fault::syntax());
        }
        self.pass_string()?;
        if self.take(b':') { Ok(()) } else { Err(Fault::syntax()) }
    }

    fn scalar(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.number_text().map(drop),
        }
    }

    fn enter(&mut self) -> Result<(), Fault> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Fault::new(What::TooDeep)) } else { Ok(()) }
    }

    fn leave(&mut self, close: u8) -> Result<(), Fault> {
        self.depth -= 1;
        if self.take(close) { Ok(()) } else { Err(Fault::syntax()) }
    }

    /// The value that comes is of the wrong type.
    #[cold]
    #[inline(never)]
    fn unexpected(&mut self, expected: &dyn Expected) -> Fault {
        let wrong = |found: Unexpected<'_>| -> Fault { de::Error::invalid_type(found, expected) };
        let found = match self.peek() {
            Some(b'{') => Ok(wrong(Unexpected::Map)),
            Some(b'[') => Ok(wrong(Unexpected::Seq)),
            Some(b'"') => {
                self.literal().and_then(|literal| literal.unescaped()).map(|text| wrong(Unexpected::Str(&text)))
            }
            Some(b't') => self.word("true").map(|()| wrong(Unexpected::Bool(true))),
            Some(b'f') => self.word("false").map(|()| wrong(Unexpected::Bool(false))),
            Some(b'n') => self.word("null").map(|()| wrong(Unexpected::Unit)),
            _ => self.number().map(|number| {
                wrong(match number {
                    Number::Unsigned(number) => Unexpected::Unsigned(number),
                    Number::Signed(number) => Unexpected::Signed(number),
                    Number::Float(number) => Unexpected::Float(number),
                })
            }),
        };
        found.unwrap_or_else(|fault| fault)
    }
}

/// Where the next quote, backslash or control character stands, at `from` or behind it; the end if there is none. Eight bytes
/// are looked at together: prompts are long strings.
fn next_special(bytes: &[u8], from: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = ONES << 7;
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        // A byte that is zero borrows from its top bit. Bytes above the first found may be wrong, and do not count.
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let special = (control | zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c))) & TOPS;
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if *byte < 0x20 || matches!(byte, b'"' | b'\\') {
            break;
        }
        at += 1;
    }
    at
}

impl<'de> Deserializer<'de> for &mut Reader<'de, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.peek() {
            Some(b'{') => self.deserialize_map(visitor),
            Some(b'[') => self.deserialize_seq(visitor),
            Some(b'"') => self.deserialize_str(visitor),
            Some(b't' | b'f') => self.deserialize_bool(visitor),
            Some(b'n') => {
                self.word("null")?;
                visitor.visit_unit()
            }
            _ => match self.number()? {
                Number::Unsigned(number) => visitor.visit_u64(number),
                Number::Signed(number) => visitor.visit_i64(number),
                Number::Float(number) => visitor.visit_f64(number),
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.peek() {
            Some(b't') => {
                self.word("true")?;
                visitor.visit_bool(true)
            }
            Some(b'f') => {
                self.word("false")?;
                visitor.visit_bool(false)
            }
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected(&visitor));
        }
        let literal = self.literal()?;
        if literal.has_escapes() {
            return visitor.visit_string(literal.unescaped()?);
        }
        visitor.visit_borrowed_str(literal.inner())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.peek() != Some(b'[') {
            return Err(self.unexpected(&visitor));
        }
        self.enter()?;
        let out = visitor.visit_seq(Elements { reader: &mut *self, index: 0 })?;
        self.leave(b']')?;
        Ok(out)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.peek() != Some(b'{') {
            return Err(self.unexpected(&visitor));
        }
        self.enter()?;
        let out = visitor.visit_map(Fields { reader: &mut *self, key: "", begun: false })?;
        self.leave(b'}')?;
        Ok(out)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.peek() == Some(b'n') {
            self.word("null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        let next = self.peek();
        match (name, next) {
            (RAW, _) => visitor.visit_map(Raw(Some(self.skip()?))),
            (LITERAL | LITERAL_OR, Some(b'"')) => visitor.visit_newtype_struct(self.literal()?),
            (LITERAL_OR, Some(b'{' | b'[')) => visitor.visit_some(self),
            (LITERAL | LITERAL_OR, _) => Err(self.unexpected(&visitor)),
            (MANY, Some(b'[')) => self.deserialize_seq(visitor),
            (MANY, _) => visitor.visit_some(self),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum
        identifier
    }
}

impl<'de> Deserializer<'de> for Literal<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.escapes {
            Escapes::None => visitor.visit_borrowed_str(self.inner()),
            Escapes::Plain => visitor.visit_borrowed_str(self.whole()),
            Escapes::Unicode => visitor.visit_string(self.unescaped()?),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The elements of a list.
struct Elements<'r, 'de, 'k> {
    reader: &'r mut Reader<'de, 'k>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        match self.reader.peek() {
            Some(b']') => return Ok(None),
            _ if self.index == 0 => {}
            Some(b',') => self.reader.at += 1,
            _ => return Err(Fault::syntax()),
        }
        let element = seed.deserialize(&mut *self.reader).map_err(|fault| fault.under(Step::Index(self.index)))?;
        self.index += 1;
        Ok(Some(element))
    }
}

/// The fields of an object.
struct Fields<'r, 'de, 'k> {
    reader: &'r mut Reader<'de, 'k>,
    /// The one whose value comes, as it is written.
    key: &'de str,
    begun: bool,
}

impl<'de> MapAccess<'de> for Fields<'_, 'de, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let reader = &mut *self.reader;
        match (reader.peek(), self.begun) {
            (Some(b'}'), _) => return Ok(None),
            (Some(b','), true) => {
                reader.at += 1;
                reader.peek();
            }
            (_, false) => {}
            _ => return Err(Fault::syntax()),
        }
        self.begun = true;
        if reader.byte() != Some(b'"') {
            return Err(Fault::syntax());
        }
        let literal = reader.literal()?;
        if !reader.take(b':') {
            return Err(Fault::syntax());
        }
        self.key = literal.inner();
        if literal.has_escapes() {
            return seed.deserialize(de::value::StringDeserializer::new(literal.unescaped()?)).map(Some);
        }
        seed.deserialize(BorrowedStrDeserializer::new(self.key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        seed.deserialize(&mut *self.reader).map_err(|fault| fault.under(Step::Key(self.key.to_owned())))
    }
}

/// Raw text, in the one field that `RawValue` looks for.
struct Raw<'de>(Option<&'de str>);

impl<'de> MapAccess<'de> for Raw<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        seed.deserialize(BorrowedStrDeserializer::new(RAW)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        seed.deserialize(BorrowedStrDeserializer::new(self.0.take().unwrap_or("null")))
    }
}
