//! The reader: one document, read once, where it lies.
//!
//! It is what a library's deserializer is, with three differences that requests of half a megabyte pay for. A string with
//! escapes is given out as its literal, so that a prompt nobody looks at is neither unescaped nor escaped again. The path of an
//! error is put together while the error goes up, so that nothing has to keep it before there is one. And it reads into the wire
//! structs itself ([`super::Wire`]): behind a library's traits each field passes through half a dozen calls that are compiled for
//! every struct anew, which cost more than the field, and make up much of a Worker.
//!
//! What it does not do itself is done by `serde_json`: unescaping, and the words for what is no JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, Expected, MapAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;

use super::Str;
use super::scan::{self, Passed};
use crate::ir::{DEEPEST, LONG_GROUP, LONG_STRING, Landmark, Landmarks, MAX_DEPTH};

/// The newtype by which serde_json's `RawValue` asks for raw text.
const RAW: &str = "$serde_json::private::RawValue";

/// What is wrong with a document. Boxed, since every result on the way down has room for it.
#[derive(Debug)]
pub struct Fault(Box<Inner>);

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

    pub(super) fn syntax() -> Self {
        Self::new(What::Syntax)
    }

    #[cold]
    fn under(mut self, step: Step) -> Self {
        self.0.steps.push(step);
        self
    }

    /// The same, found in the field `key`.
    #[cold]
    pub(super) fn under_key(self, key: &str) -> Self {
        self.under(Step::Key(key.to_owned()))
    }

    /// The same, found in the element `index`.
    #[cold]
    pub(super) fn under_index(self, index: usize) -> Self {
        self.under(Step::Index(index))
    }

    /// A value of the right type is not what is expected there.
    #[cold]
    pub(crate) fn wrong_value(found: Unexpected<'_>, expected: &str) -> Self {
        de::Error::invalid_value(found, &expected)
    }

    /// A value is of the wrong type.
    #[cold]
    pub(crate) fn wrong_type(found: Unexpected<'_>, expected: &str) -> Self {
        de::Error::invalid_type(found, &expected)
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
pub(crate) enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl Number {
    /// The number as a fraction.
    #[expect(clippy::cast_precision_loss, reason = "a whole number where a fraction may stand is meant as one")]
    pub(crate) fn fraction(self) -> f64 {
        match self {
            Self::Unsigned(number) => number as f64,
            Self::Signed(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

/// A string or a number.
pub(crate) enum Scalar<'de> {
    Text(Cow<'de, str>),
    Number(Number),
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

    /// Its text.
    fn text(&self) -> Result<Cow<'de, str>, Fault> {
        Ok(if self.has_escapes() { Cow::Owned(self.unescaped()?) } else { Cow::Borrowed(self.inner()) })
    }

    /// The same, unescaped when somebody looks at it, unless it is not known whether it can be.
    fn string(&self) -> Result<Str<'de>, Fault> {
        Ok(match self.escapes {
            Escapes::None => Str::plain(self.inner()),
            Escapes::Plain => Str::literal(self.whole()),
            Escapes::Unicode => Str::from(self.unescaped()?),
        })
    }
}

/// What is known of a document's long values.
enum Known<'k> {
    Nothing,
    /// They are being noted.
    Noting(Vec<Landmark>),
    /// They were noted. What is read begins so many bytes into the document, and no landmark before this index lies ahead.
    All {
        landmarks: &'k Landmarks,
        start: usize,
        near: usize,
    },
}

/// Reads a document from its beginning.
pub struct Reader<'de, 'k> {
    text: &'de str,
    at: usize,
    depth: usize,
    /// A list or an object was opened, and nothing of it was read yet.
    is_fresh: bool,
    known: Known<'k>,
}

impl fmt::Debug for Reader<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader(at {} of {} bytes)", self.at, self.text.len())
    }
}

impl<'de, 'k> Reader<'de, 'k> {
    pub(super) fn new(text: &'de str) -> Self {
        Self { text, at: 0, depth: 0, is_fresh: false, known: Known::Nothing }
    }

    /// Reads a part of a document of which the landmarks are known; it begins at `start`.
    pub(super) fn of_part(text: &'de str, landmarks: &'k Landmarks, start: usize) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            is_fresh: false,
            known: Known::All { landmarks, start, near: landmarks.index(start) },
        }
    }

    /// The landmarks of a document, all of which has to be JSON.
    pub(super) fn survey(text: &'de str) -> Result<Landmarks, Fault> {
        // Notes have no room for places in larger documents.
        let known = if u32::try_from(text.len()).is_ok() { Known::Noting(Vec::new()) } else { Known::Nothing };
        let mut reader = Self { text, at: 0, depth: 0, is_fresh: false, known };
        reader.skip()?;
        reader.end()?;
        match reader.known {
            Known::Noting(notes) => Ok(Landmarks::new(notes)),
            Known::Nothing | Known::All { .. } => Ok(Landmarks::default()),
        }
    }

    /// The landmark that begins at `at`.
    fn landmark(&mut self, at: usize) -> Option<&'k Landmark> {
        match &mut self.known {
            Known::All { landmarks, start, near } => landmarks.next(*start + at, near),
            Known::Nothing | Known::Noting(_) => None,
        }
    }

    /// Goes over a landmark, and what is inside of it.
    fn pass(&mut self, landmark: Landmark, inside: usize) {
        self.at += (landmark.end - landmark.start) as usize;
        if let Known::All { near, .. } = &mut self.known {
            *near += 1 + inside;
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
        // Most strings are short and have no escapes.
        if let Some(quote) = scan::short(self.text.as_bytes(), self.at + 1) {
            self.at = quote + 1;
            return Ok(Escapes::None);
        }
        self.pass_long()
    }

    /// The same for a string that is not as most are.
    #[inline(never)]
    fn pass_long(&mut self) -> Result<Escapes, Fault> {
        let start = self.at;
        let (escapes, has_unicode) = match self.landmark(start) {
            Some(known) => {
                self.pass(*known, 0);
                (known.count, known.has_unicode)
            }
            None => {
                let passed = scan::string(self.text.as_bytes(), start + 1).ok_or_else(Fault::syntax)?;
                self.at = passed.end;
                self.note_string(start, &passed);
                (passed.escapes, passed.has_unicode)
            }
        };
        Ok(match (has_unicode, escapes) {
            (true, _) => Escapes::Unicode,
            (false, 0) => Escapes::None,
            (false, _) => Escapes::Plain,
        })
    }

    /// Notes a string that is long.
    fn note_string(&mut self, start: usize, passed: &Passed) {
        let Known::Noting(notes) = &mut self.known else { return };
        if passed.end - start >= LONG_STRING
            && let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(passed.end))
        {
            notes.push(Landmark { start, end, count: passed.escapes, has_unicode: passed.has_unicode });
        }
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

    fn any_number(&mut self) -> Result<Number, Fault> {
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
    pub(super) fn skip(&mut self) -> Result<&'de str, Fault> {
        let next = self.peek();
        let start = self.at;
        match next {
            Some(b'{' | b'[') => match self.landmark(start) {
                Some(known) => self.pass(*known, known.count as usize),
                None => self.skip_group()?,
            },
            Some(b'"') => {
                self.pass_string()?;
            }
            _ => self.scalar()?,
        }
        self.slice(start, self.at)
    }

    /// The same for a list or an object, whose bracket comes next.
    fn skip_group(&mut self) -> Result<(), Fault> {
        // What is open, a bit each, the innermost lowest: whether it is an object. And the landmarks of the outermost.
        const { assert!(MAX_DEPTH < u128::BITS as usize) };
        let (mut objects, mut open) = (0_u128, 0_usize);
        let mut noted = [0; DEEPEST];
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.pass_string()?;
                }
                Some(bracket @ (b'{' | b'[')) => {
                    let start = self.at;
                    self.at += 1;
                    if self.depth + open >= MAX_DEPTH {
                        return Err(Fault::new(What::TooDeep));
                    }
                    // In ASCII both close two behind where they open.
                    if !self.take(bracket + 2) {
                        self.note_begin(start, noted.get_mut(open));
                        let is_object = bracket == b'{';
                        objects = objects << 1 | u128::from(is_object);
                        open += 1;
                        if is_object {
                            self.skip_key()?;
                        }
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            // A value has ended, and perhaps what holds it.
            loop {
                if open == 0 {
                    return Ok(());
                }
                let is_object = objects & 1 != 0;
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        if is_object {
                            self.skip_key()?;
                        }
                        break;
                    }
                    Some(byte) if byte == if is_object { b'}' } else { b']' } => {
                        self.at += 1;
                        open -= 1;
                        objects >>= 1;
                        self.note_end(noted.get(open));
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
            notes.push(Landmark { start, end: start, count: 0, has_unicode: false });
        }
    }

    /// It has ended.
    fn note_end(&mut self, index: Option<&usize>) {
        let (Known::Noting(notes), Some(index)) = (&mut self.known, index) else { return };
        let end = u32::try_from(self.at).unwrap_or_default();
        let inside = u32::try_from(notes.len() - index - 1).unwrap_or_default();
        match notes.get_mut(*index) {
            Some(landmark) if end.saturating_sub(landmark.start) as usize >= LONG_GROUP => {
                landmark.end = end;
                landmark.count = inside;
            }
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
        self.is_fresh = true;
        if self.depth > MAX_DEPTH { Err(Fault::new(What::TooDeep)) } else { Ok(()) }
    }

    fn leave(&mut self) {
        self.at += 1;
        self.depth -= 1;
        self.is_fresh = false;
    }

    /// Begins to read an object, or whatever is `expected` of one: its fields come by [`Self::key`].
    pub(crate) fn begin_object(&mut self, expected: &str) -> Result<(), Fault> {
        match self.peek() {
            Some(b'{') => self.enter(),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// The name of the next field, whose value comes then; `None` behind the last one, where the object has ended.
    pub(crate) fn key(&mut self) -> Result<Option<Cow<'de, str>>, Fault> {
        match self.peek() {
            Some(b'}') => {
                self.leave();
                return Ok(None);
            }
            Some(b',') if !self.is_fresh => {
                self.at += 1;
                self.peek();
            }
            _ if self.is_fresh => {}
            _ => return Err(Fault::syntax()),
        }
        self.is_fresh = false;
        if self.byte() != Some(b'"') {
            return Err(Fault::syntax());
        }
        let literal = self.literal()?;
        if !self.take(b':') {
            return Err(Fault::syntax());
        }
        literal.text().map(Some)
    }

    /// Begins to read a list: its elements come by [`Self::element`].
    pub(super) fn begin_list(&mut self, expected: &str) -> Result<(), Fault> {
        match self.peek() {
            Some(b'[') => self.enter(),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// Whether one more element comes; if not, the list has ended.
    pub(super) fn element(&mut self) -> Result<bool, Fault> {
        match self.peek() {
            Some(b']') => {
                self.leave();
                return Ok(false);
            }
            Some(b',') if !self.is_fresh => self.at += 1,
            _ if self.is_fresh => {}
            _ => return Err(Fault::syntax()),
        }
        self.is_fresh = false;
        Ok(true)
    }

    /// Takes `null` if it comes.
    pub(super) fn null(&mut self) -> Result<bool, Fault> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.word("null")?;
        Ok(true)
    }

    /// A string.
    pub(super) fn string(&mut self) -> Result<Str<'de>, Fault> {
        match self.peek() {
            Some(b'"') => self.literal()?.string(),
            _ => Err(self.unexpected("a string")),
        }
    }

    /// A string if one comes, `None` for a list or an object.
    pub(super) fn string_or(&mut self) -> Result<Option<Str<'de>>, Fault> {
        match self.peek() {
            Some(b'"') => self.literal()?.string().map(Some),
            Some(b'{' | b'[') => Ok(None),
            _ => Err(self.unexpected("a string, a list or an object")),
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self) -> Result<bool, Fault> {
        match self.peek() {
            Some(b't') => self.word("true").map(|()| true),
            Some(b'f') => self.word("false").map(|()| false),
            _ => Err(self.unexpected("a boolean")),
        }
    }

    /// A number, which is called what is `expected`.
    pub(super) fn number(&mut self, expected: &str) -> Result<Number, Fault> {
        match self.peek() {
            Some(b'{' | b'[' | b'"' | b't' | b'f' | b'n') => Err(self.unexpected(expected)),
            _ => self.any_number(),
        }
    }

    /// A string or a number, which is called what is `expected`.
    pub(crate) fn text_or_number(&mut self, expected: &str) -> Result<Scalar<'de>, Fault> {
        match self.peek() {
            Some(b'"') => self.literal()?.text().map(Scalar::Text),
            _ => self.number(expected).map(Scalar::Number),
        }
    }

    /// Whether a list comes.
    pub(super) fn is_list(&mut self) -> bool {
        self.peek() == Some(b'[')
    }

    /// Any value, as raw text.
    pub(super) fn raw(&mut self) -> Result<&'de RawValue, Fault> {
        <&RawValue>::deserialize(Raw(Some(self.skip()?)))
    }

    /// The value that comes is of the wrong type.
    #[cold]
    #[inline(never)]
    fn unexpected(&mut self, expected: &str) -> Fault {
        let wrong = |found: Unexpected<'_>| Fault::wrong_type(found, expected);
        let found = match self.peek() {
            Some(b'{') => Ok(wrong(Unexpected::Map)),
            Some(b'[') => Ok(wrong(Unexpected::Seq)),
            Some(b'"') => {
                self.literal().and_then(|literal| literal.unescaped()).map(|text| wrong(Unexpected::Str(&text)))
            }
            Some(b't') => self.word("true").map(|()| wrong(Unexpected::Bool(true))),
            Some(b'f') => self.word("false").map(|()| wrong(Unexpected::Bool(false))),
            Some(b'n') => self.word("null").map(|()| wrong(Unexpected::Unit)),
            _ => self.any_number().map(|number| {
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

/// Raw text, in the one field that `RawValue` looks for.
struct Raw<'de>(Option<&'de str>);

impl<'de> Deserializer<'de> for Raw<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Raw<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        seed.deserialize(BorrowedStrDeserializer::new(RAW)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        seed.deserialize(BorrowedStrDeserializer::new(self.0.take().unwrap_or("null")))
    }
}
