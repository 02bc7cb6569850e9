//! What a stream repeats. Nearly every event is the one before it with another piece of text; such a one is known by its bytes,
//! and need not be read.
//!
//! A decoder notes an event of which all that counts is one string, with what it said of that string ([`Repeats::note`]). An event
//! with the same bytes around another string says the same of that ([`Repeats::find`]): it has the same fields with the same values in
//! the same order, so reading it could find nothing else. What may differ beside the string has to be named: fields that nobody looks
//! at, and objects of counts, which are given out as they came. Where anything else differs, or a string is empty or no JSON, there is
//! nothing found, and the event is read. What an event does is the decoder's to decide: what is remembered hangs on the bytes alone,
//! and not on the state of the stream.

use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::Str;
use super::reader::Reader;

/// Longer events are not noted. Their strings are what makes them long, and they are seldom.
const LONGEST: usize = 4 << 10;

/// Longer numbers are read and not compared: they may be none, or too large.
const MOST_DIGITS: usize = 15;

/// The newest event that was noted, and what it said: `T`, of a string.
#[derive(Debug)]
pub(crate) struct Repeats<T> {
    pattern: Pattern,
    said: Option<T>,
}

/// An event, and what of it may differ.
#[derive(Debug, Default)]
struct Pattern {
    event: String,
    /// In order, none inside another.
    holes: SmallVec<[Hole; 4]>,
}

/// A copy remembers nothing, and reads its next event: the laws hold a stream that is read so to one that is not.
impl<T> Clone for Repeats<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> Default for Repeats<T> {
    fn default() -> Self {
        Self { pattern: Pattern::default(), said: None }
    }
}

/// A part of an event that may differ.
#[derive(Clone, Copy, Debug)]
struct Hole {
    start: usize,
    end: usize,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// The string that counts, between its quotes.
    Words,
    /// A string that nobody looks at, between its quotes.
    Passed,
    /// A number that nobody looks at.
    Number,
    /// JSON with the same bytes but for its numbers.
    Counts,
}

/// What of an event may be another in one that repeats it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Varying<'a, 's> {
    /// The string that counts: a part of the event.
    pub(crate) words: Written<'a>,
    /// Fields that nobody looks at, whatever is in them.
    pub(crate) passed: &'s [Option<&'a RawValue>],
    /// An object of numbers, which is read when somebody asks.
    pub(crate) counts: Option<&'a RawValue>,
}

/// A string where it stands in an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written<'a>(Option<&'a str>);

impl<'a> From<&Str<'a>> for Written<'a> {
    fn from(text: &Str<'a>) -> Self {
        Self(text.written())
    }
}

impl<'a> From<&'a RawValue> for Written<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Self(between_quotes(raw.get()))
    }
}

fn between_quotes(literal: &str) -> Option<&str> {
    literal.strip_prefix('"')?.strip_suffix('"')
}

/// An event that repeats the one that was noted.
#[derive(Debug)]
pub(crate) struct Repeat<'r, 'e, T> {
    /// What is said of the string.
    pub(crate) said: &'r T,
    /// The string; never empty.
    pub(crate) words: Str<'e>,
    /// The object of numbers, where the event that was noted has one.
    pub(crate) counts: Option<&'e str>,
}

impl<T> Repeats<T> {
    /// Notes an event, and that all it said is `said` of a string.
    pub(crate) fn note(&mut self, event: &str, varying: Varying<'_, '_>, said: T) {
        self.said = self.pattern.note(event, varying).then_some(said);
    }

    /// What `event` says, if it repeats the one that was noted.
    pub(crate) fn find<'e>(&self, event: &'e str) -> Option<Repeat<'_, 'e, T>> {
        let said = self.said.as_ref()?;
        let (words, counts) = self.pattern.find(event)?;
        Some(Repeat { said, words, counts })
    }
}

// Apart from what is said, so that a Worker has it once.
impl Pattern {
    /// Becomes that of `event`, if it can.
    fn note(&mut self, event: &str, varying: Varying<'_, '_>) -> bool {
        self.holes.clear();
        let words = varying.words.0.and_then(|words| range(event, words));
        let Some((start, end)) = words.filter(|_| event.len() <= LONGEST) else { return false };
        self.holes.push(Hole { start, end, what: What::Words });
        for raw in varying.passed.iter().flatten() {
            match between_quotes(raw.get()) {
                Some(inner) => self.may_differ(event, inner, What::Passed),
                None => self.may_differ(event, raw.get(), What::Number),
            }
        }
        if let Some(raw) = varying.counts {
            self.may_differ(event, raw.get(), What::Counts);
        }
        self.event.clear();
        self.event.push_str(event);
        self.holes.iter().zip(self.holes.iter().skip(1)).all(|(one, next)| one.end < next.start)
    }

    fn may_differ(&mut self, event: &str, part: &str, what: What) {
        let is_fit = what == What::Passed || same_but_for_numbers(part, part) == Some(part.len());
        if let Some((start, end)) = range(event, part).filter(|_| is_fit) {
            let at = self.holes.iter().take_while(|hole| hole.start < start).count();
            self.holes.insert(at, Hole { start, end, what });
        }
    }

    /// The words and the counts of `event`, if nothing else differs.
    fn find<'e>(&self, event: &'e str) -> Option<(Str<'e>, Option<&'e str>)> {
        let (mut words, mut counts) = (None, None);
        // What is left of this event, behind what was compared of the one that was noted.
        let (mut behind, mut rest) = (0, event);
        for hole in &self.holes {
            rest = rest.strip_prefix(self.event.get(behind..hole.start)?)?;
            let length = match hole.what {
                What::Words => {
                    let (text, length) = Reader::string_between_quotes(event, event.len() - rest.len())?;
                    words = Some(text).filter(|_| length > 0);
                    length
                }
                What::Passed => Reader::length_between_quotes(event, event.len() - rest.len())?,
                What::Number | What::Counts => {
                    let length = same_but_for_numbers(self.event.get(hole.start..hole.end)?, rest)?;
                    if hole.what == What::Counts {
                        counts = rest.get(..length);
                    }
                    length
                }
            };
            rest = rest.get(length..)?;
            behind = hole.end;
        }
        let is_same = *rest == *self.event.get(behind..)?;
        Some((words.filter(|_| is_same)?, counts))
    }
}

/// Where `part` lies in `event`, if it does.
fn range(event: &str, part: &str) -> Option<(usize, usize)> {
    let start = (part.as_ptr() as usize).checked_sub(event.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= event.len()).then_some((start, end))
}

/// How much of `new` is `old` with other whole numbers that are not negative, each where `old` has one. Both are JSON then, or
/// neither is.
fn same_but_for_numbers(old: &str, new: &str) -> Option<usize> {
    let (mut old, mut rest) = (old.as_bytes(), new.as_bytes());
    while let Some((first, tail)) = old.split_first() {
        if first.is_ascii_digit() {
            old = old.get(number(old)?..)?;
            rest = rest.get(number(rest)?..)?;
            // More of a number, which is not a whole one.
            if matches!(old.first(), Some(b'e' | b'E')) {
                return None;
            }
            continue;
        }
        // An escape may have digits, and so may what stands before and behind a point.
        if matches!(first, b'\\' | b'.' | b'-' | b'+') {
            return None;
        }
        rest = rest.strip_prefix(std::slice::from_ref(first))?;
        old = tail;
    }
    Some(new.len() - rest.len())
}

/// The length of the number at the beginning of `bytes`.
fn number(bytes: &[u8]) -> Option<usize> {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_plain = length == 1 || bytes.first() != Some(&b'0');
    (is_plain && (1..=MOST_DIGITS).contains(&length)).then_some(length)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::{read, wire};
    use super::*;

    wire! {
        struct Event<'a> {
            "delta" delta: Str<'a>,
            "padding" padding: &'a RawValue,
            "number" number: &'a RawValue,
            "usage" usage: &'a RawValue,
        }
    }

    fn repeats(event: &str) -> Repeats<u8> {
        let read: Event<'_> = read(event).unwrap();
        let mut out = Repeats::default();
        let words = read.delta.as_ref().map_or(Written(None), Written::from);
        out.note(event, Varying { words, passed: &[read.padding, read.number], counts: read.usage }, 7);
        out
    }

    /// The string and the counts that are found of `event` after `before`.
    fn found(before: &str, event: &str) -> Option<(String, Option<String>)> {
        let repeats = repeats(before);
        let Repeat { said, words, counts } = repeats.find(event)?;
        assert_eq!(*said, 7);
        Some((words.into_owned(), counts.map(ToOwned::to_owned)))
    }

    #[test]
    fn what_differs_only_where_it_may_is_found() {
        let before = r#"{"type":"x","delta":"one","padding":"ab","number":9,"usage":{"a":1,"b":[{"c":0}]}, "e":1.5}"#;
        let words = |event: &str| found(before, event);
        let usage = |text: &str| Some(text.to_owned());
        let told = words(before).unwrap();
        assert_eq!(told, ("one".to_owned(), usage(r#"{"a":1,"b":[{"c":0}]}"#)));
        let event = r#"{"type":"x","delta":"\"t\u00e9\n😀","padding":"\ud800","number":10,"usage":{"a":20,"b":[{"c":3}]}, "e":1.5}"#;
        assert_eq!(words(event).unwrap(), ("\"té\n😀".to_owned(), usage(r#"{"a":20,"b":[{"c":3}]}"#)));
        let others = [
            r#"{"type":"y","delta":"one","padding":"ab","number":9,"usage":{"a":1,"b":[{"c":0}]}, "e":1.5}"#,
            r#"{"type":"x","delta":"","padding":"ab","number":9,"usage":{"a":1,"b":[{"c":0}]}, "e":1.5}"#,
            r#"{"type":"x","delta":"\x","padding":"ab","number":9,"usage":{"a":1,"b":[{"c":0}]}, "e":1.5}"#,
            r#"{"type":"x","delta":"\ud800","padding":"ab","number":9,"usage":{"a":1,"b":[{"c":0}]}, "e":1.5}"#,
            r#"{"type":"x","delta":null,"padding":"ab","number":9,"usage":{"a":1,"b":[{"c":0}]}, "e":1.5}"#,
            r#"{"type":"x","delta":"one","padding":5,"number":9,"usage":{"a":1,"b":[{"c":0}]}, "e":1.5}"#,
            r#"{"type":"x","delta":"one","padding":"ab","number":09,"usage":{"a":1,"b":[{"c":0}]}, "e":1.5}"#,
            r#"{"type":"x","delta":"one","padding":"ab","number":9.5,"usage":{"a":1,"b":[{"c":0}]}, "e":1.5}"#,
            r#"{"type":"x","delta":"one","padding":"ab","number":9e5,"usage":{"a":1,"b":[{"c":0}]}, "e":1.5}"#,
            r#"{"type":"x","delta":"one","padding":"ab","number":9,"usage":{"a":-1,"b":[{"c":0}]}, "e":1.5}"#,
            r#"{"type":"x","delta":"one","padding":"ab","number":9,"usage":{"a":1,"b":[{"d":0}]}, "e":1.5}"#,
            r#"{"type":"x","delta":"one","padding":"ab","number":9,"usage":{"a":1,"b":[{"c":0}]}, "e":2.5}"#,
            r#"{"type":"x","delta":"one","padding":"ab","number":9,"usage":{"a":1,"b":[{"c":0}]}, "e":1.5"#,
            r#"{"type":"x","delta":"one","padding":"ab","number":9,"usage":{"a":1,"b":[{"c":0}]}, "e":1.5}}"#,
            "{\"type\":\"x\",\"delta\":\"o\nne\",\"padding\":\"ab\",\"number\":9,\"usage\":{\"a\":1,\"b\":[{\"c\":0}]}, \"e\":1.5}",
        ];
        for other in others {
            assert_eq!(words(other), None, "{other}");
        }
    }

    #[test]
    fn what_may_be_read_otherwise_is_not_taken_for_counts() {
        for usage in [r#"{"a":1.5}"#, r#"{"a":-1}"#, r#"{"a":1e5}"#, r#"{"\u0061":1}"#, "null"] {
            let before = format!(r#"{{"delta":"a","usage":{usage}}}"#);
            let same = found(&before, &before.replace("\"a\",", "\"b\",")).unwrap();
            assert_eq!(same, ("b".to_owned(), None), "{usage}");
            assert_eq!(found(&before, &before.replace('1', "2")).is_some(), usage == "null");
        }
    }

    #[test]
    fn the_last_of_two_counts() {
        let before = r#"{"delta":"a","delta":"b"}"#;
        assert_eq!(found(before, r#"{"delta":"a","delta":"c"}"#).unwrap().0, "c");
        assert_eq!(found(before, r#"{"delta":"c","delta":"b"}"#), None);
        assert!(found(r#"{"other":"a"}"#, r#"{"other":"a"}"#).is_none());
    }
}
