//! The arguments of a call that Vertex streams in pieces: each piece has a path into the arguments and a value for it.

use serde_json::{Map, Value};

use crate::dialects::gemini::read::Piece;

/// What is deeper or farther than this is nobody's arguments.
const MAX_STEPS: usize = 64;
const MAX_INDEX: usize = 4_096;

/// Arguments under construction.
#[derive(Clone, Debug)]
pub(super) struct Arguments(Value);

impl Default for Arguments {
    fn default() -> Self {
        Self(Value::Object(Map::new()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Arguments {
    /// Begins with what came whole.
    pub(super) fn of(json: &str) -> Self {
        serde_json::from_str(json).ok().filter(Value::is_object).map(Self).unwrap_or_default()
    }

    /// Puts a piece in its place; text goes on where text is. `None` if its path is none.
    pub(super) fn put(&mut self, piece: &Piece<'_>) -> Option<()> {
        let steps = steps(piece.path.as_deref()?)?;
        let mut at = &mut self.0;
        for step in steps {
            at = at_step(at, step)?;
        }
        if let Some(text) = &piece.string {
            match at {
                Value::String(before) => before.push_str(text),
                _ => *at = Value::String(text.clone().into_owned()),
            }
        } else if let Some(number) = piece.number {
            *at = serde_json::from_str(number.get()).ok()?;
        } else if let Some(boolean) = piece.boolean {
            *at = Value::Bool(boolean);
        } else if piece.null.is_some() {
            *at = Value::Null;
        }
        Some(())
    }

    /// The arguments as JSON.
    pub(super) fn json(&self) -> String {
        self.0.to_string()
    }
}

fn at_step(at: &mut Value, step: Step) -> Option<&mut Value> {
    match step {
        Step::Key(key) => {
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            Some(at.as_object_mut()?.entry(key).or_insert(Value::Null))
        }
        Step::Index(index) => {
            if index > MAX_INDEX {
                return None;
            }
            if !at.is_array() {
                *at = Value::Array(Vec::new());
            }
            let list = at.as_array_mut()?;
            if list.len() <= index {
                list.resize(index + 1, Value::Null);
            }
            list.get_mut(index)
        }
    }
}

/// The steps of a path: `$.recipe.steps[0]`, `$['a b']`.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut out = Vec::new();
    while !rest.is_empty() {
        if out.len() == MAX_STEPS {
            return None;
        }
        if let Some(tail) = rest.strip_prefix('.') {
            let end = tail.find(['.', '[']).unwrap_or(tail.len());
            let (key, after) = tail.split_at_checked(end)?;
            out.push(Step::Key(key.to_owned()));
            rest = after;
            continue;
        }
        let tail = rest.strip_prefix('[')?;
        let quote = tail.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
        let Some(quote) = quote else {
            let (index, after) = tail.split_once(']')?;
            out.push(Step::Index(index.parse().ok()?));
            rest = after;
            continue;
        };
        let (key, after) = quoted(tail.strip_prefix(quote)?, quote)?;
        out.push(Step::Key(key));
        rest = after.strip_prefix(']')?;
    }
    Some(out)
}

/// The text up to the closing `quote`, and what follows it.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(chars.next()?),
            _ if c == quote => return Some((out, chars.as_str())),
            _ => out.push(c),
        }
    }
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail so")]
mod tests {
    use super::*;

    #[test]
    fn pieces_find_their_places() {
        let mut arguments = Arguments::default();
        let pieces = [
            r#"{"jsonPath": "$.a.list[1]['b c']", "stringValue": "x", "willContinue": true}"#,
            r#"{"jsonPath": "$.a.list[1]['b c']", "stringValue": "y"}"#,
            r#"{"jsonPath": "$.a.list[0]", "numberValue": 0.5}"#,
            r#"{"jsonPath": "$.yes", "boolValue": true}"#,
            r#"{"jsonPath": "$.none", "nullValue": "NULL_VALUE"}"#,
        ];
        for piece in pieces {
            let piece: Piece<'_> = crate::json::read(piece).unwrap();
            arguments.put(&piece).unwrap();
        }
        assert_eq!(arguments.json(), r#"{"a":{"list":[0.5,{"b c":"xy"}]},"yes":true,"none":null}"#);
        for path in ["a", "$.a[", "$.a[x]", "$['a", "$.a[999999]", "$a"] {
            let piece = Piece { path: Some(crate::json::Str::from(path)), boolean: Some(true), ..Piece::default() };
            assert!(arguments.put(&piece).is_none(), "{path}");
        }
    }
}
