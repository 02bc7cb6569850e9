//! From JSON5 to a tree of values.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::Problem;
use super::place::Place;

/// Deeper nesting is a mistake, and would exhaust the stack.
const MAX_DEPTH: usize = 64;

/// The pieces of a configuration: the name of each and its text.
pub(super) type Pieces = [(String, String)];

/// Reads the joined texts of `pieces`. Keys that stand twice in an object are problems; of their values the last counts,
/// so that the rest can be checked too.
///
/// # Errors
/// The text is no JSON5. The problem names the piece, and the line and column in it.
pub(super) fn read(pieces: &Pieces) -> Result<(Value, Vec<Problem>), Problem> {
    let text: String = pieces.iter().map(|(_, text)| text.as_str()).collect();
    let Whole { value, twice } = json5::from_str(&text).map_err(|error| syntax(pieces, &text, &error))?;
    Ok((value, twice))
}

/// The tree of a whole text, and what stands in it twice.
struct Whole {
    value: Value,
    twice: Vec<Problem>,
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut twice = Vec::new();
        let value = Tree { place: Place::default(), depth: 0, twice: &mut twice }.deserialize(deserializer)?;
        Ok(Self { value, twice })
    }
}

/// The keys that lead to where the text stops making sense. The text is read once more for them: hardly any has a fault.
fn path(text: &str) -> Option<String> {
    let mut deserializer = json5::Deserializer::from_str(text);
    let error = serde_path_to_error::deserialize::<_, Whole>(&mut deserializer).err()?;
    let path = error.path().to_string();
    // A question mark stands for what has no key yet.
    let known = path.trim_end_matches('?').trim_end_matches('.');
    (!known.is_empty()).then(|| known.to_owned())
}

/// A syntax error. The words say nothing of the text itself: a key of an upstream may stand right there.
fn syntax(pieces: &Pieces, text: &str, error: &json5::Error) -> Problem {
    let words = match error.code() {
        Some(code) => code.to_string(),
        None => {
            let words = error.to_string();
            words.rsplit_once(" at line ").map_or(words.clone(), |(words, _)| words.to_owned())
        }
    };
    let words = match words.strip_prefix("EOF parsing ") {
        Some(unfinished) => format!("the text ends before the {unfinished} does"),
        None => words,
    };
    let first = pieces.first().map_or(super::VARIABLE, |(name, _)| name.as_str());
    let Some(position) = error.position() else {
        return Place::whole(first).problem(words);
    };
    // The last piece that begins before the fault holds it.
    let (mut name, mut line, mut column, mut offset) = (first, position.line, position.column, 0);
    for (piece, piece_text) in pieces {
        let start = json5::Position::from_offset(offset, text);
        if (start.line, start.column) > (position.line, position.column) {
            break;
        }
        name = piece;
        line = position.line - start.line;
        column = if line == 0 { position.column - start.column } else { position.column };
        offset += piece_text.len();
    }
    let path = path(text).map(|path| format!(", in {path}")).unwrap_or_default();
    Place::whole(name).problem(format!("line {}, column {}{path}: {words}", line + 1, column + 1))
}

/// Reads one value.
struct Tree<'t> {
    place: Place,
    depth: usize,
    twice: &'t mut Vec<Problem>,
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth > MAX_DEPTH {
            return Err(D::Error::custom("the nesting is too deep"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        Number::from_f64(number).map(Value::Number).ok_or_else(|| E::custom("Infinity and NaN mean nothing here"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        let depth = self.depth + 1;
        while let Some(value) =
            seq.next_element_seed(Tree { place: self.place.index(out.len()), depth, twice: &mut *self.twice })?
        {
            out.push(value);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        let depth = self.depth + 1;
        while let Some(key) = map.next_key::<String>()? {
            let place = self.place.key(&key);
            let value = map.next_value_seed(Tree { place: place.clone(), depth, twice: &mut *self.twice })?;
            if out.insert(key, value).is_some() {
                self.twice.push(place.problem("stands here twice"));
            }
        }
        Ok(Value::Object(out))
    }
}
