//! A turn as it is kept, and how it is put back in front of the next.

use serde_json::value::RawValue;

use super::token_of;
use crate::ir;
use crate::json::{self, Str, wire};

wire! {
    struct Document<'a> {
        "input" input: &'a RawValue,
        "previous_response_id" previous: &'a RawValue,
        "store" store: &'a RawValue,
    }
    struct Tag<'a> {
        "id" id: Str<'a>,
        "type" kind: Str<'a>,
        "role" role: &'a RawValue,
    }
    struct Kept<'a> {
        "input" input: Vec<&'a RawValue>,
        "response" response: &'a RawValue,
    }
    struct Answer<'a> {
        "id" id: Str<'a>,
        "output" output: Vec<&'a RawValue>,
        "status" status: Str<'a>,
    }
}

/// What a request wants of the gateway's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The answer that it goes on from.
    pub previous: Option<ir::Text>,
    /// The ids of items that it names and does not hold, the latest first; only those that the gateway gave.
    pub references: Vec<ir::Text>,
    /// Whether it wants to be kept; `None` where it does not say.
    pub store: Option<bool>,
}

impl Wish {
    /// Reads a request. What is wrong with it is told when it is lowered.
    #[must_use]
    pub fn of(body: &ir::Body) -> Self {
        let Ok(document) = json::document::<Document<'_>>(body) else { return Self::default() };
        let id = |raw: &RawValue| json::read::<Str<'_>>(raw.get()).ok().map(|id| ir::Text::from(&*id));
        let previous = document.previous.and_then(id);
        let store = document.store.and_then(|raw| raw.get().parse().ok());
        let references = match document.input {
            // Looking for them means reading every item.
            Some(input) if input.get().contains("_any_") => items(input)
                .into_iter()
                .rev()
                .filter_map(reference)
                .filter(|id| token_of(id).is_some())
                .map(|id| ir::Text::from(&*id))
                .collect(),
            Some(_) | None => Vec::new(),
        };
        Self { previous, references, store }
    }
}

/// The items of an input that is a list.
fn items(input: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(input.get()).unwrap_or_default()
}

/// The id that an item stands for, if it is a reference.
fn reference(item: &RawValue) -> Option<Str<'_>> {
    let tag: Tag<'_> = json::read(item.get()).ok()?;
    let is_reference = match &tag.kind {
        Some(kind) => &**kind == "item_reference",
        None => tag.role.is_none(),
    };
    tag.id.filter(|_| is_reference)
}

/// A turn that was kept.
#[derive(Clone, Debug)]
pub struct Turn {
    /// What led to the answer.
    pub input: Vec<ir::Json>,
    /// The answer.
    pub response: ir::Json,
    /// The answer's id.
    pub id: ir::Text,
    /// The items of the answer.
    output: Vec<ir::Json>,
}

impl Turn {
    /// Reads a record; `None` for what is none.
    #[must_use]
    pub fn read(value: Vec<u8>) -> Option<Self> {
        let body = ir::Body::new(String::from_utf8(value).ok()?);
        let kept: Kept<'_> = json::read(body.as_str()).ok()?;
        let response = kept.response?;
        let answer: Answer<'_> = json::read(response.get()).ok()?;
        let all = |list: Option<Vec<&RawValue>>| list.into_iter().flatten().map(|raw| body.json(raw)).collect();
        let id = body.text(&answer.id?);
        Some(Self { input: all(kept.input), response: body.json(response), id, output: all(answer.output) })
    }

    /// All of the conversation, in order.
    pub fn items(&self) -> impl Iterator<Item = &ir::Json> {
        self.input.iter().chain(&self.output)
    }

    /// The item that `id` names.
    #[must_use]
    pub fn item(&self, id: &str) -> Option<&ir::Json> {
        let has_id = |item: &&ir::Json| {
            let tag = json::read::<Tag<'_>>(item.as_str()).unwrap_or_default();
            tag.id.is_some_and(|own| &*own == id)
        };
        let by_place = || {
            let (stem, index) = id.rsplit_once(super::listing::INPUT)?;
            token_of(stem).filter(|token| token_of(&self.id) == Some(token))?;
            self.input.get(index.parse::<usize>().ok()?)
        };
        self.items().find(has_id).or_else(by_place)
    }
}

/// Whether an answer came to its end: only such a one is kept.
pub(super) fn is_complete(response: &str) -> bool {
    let status = json::read::<Answer<'_>>(response).ok().and_then(|answer| answer.status);
    matches!(status.as_deref(), Some("completed" | "incomplete"))
}

/// The record of a turn.
pub(super) fn write(input: &str, response: &str) -> Vec<u8> {
    [r#"{"version":1,"input":"#, input, r#","response":"#, response, "}"].concat().into_bytes()
}

/// The items of the request that the client would have sent if it had kept the conversation itself, as a JSON list: those
/// of `previous` first, and in the place of each reference that `find` knows the item, the item. Also tells how many come
/// from `previous`.
#[must_use]
pub fn input<'a>(body: &str, previous: Option<&Turn>, find: &dyn Fn(&str) -> Option<&'a ir::Json>) -> (String, usize) {
    let document: Document<'_> = json::read(body).unwrap_or_default();
    let mut out: Vec<&str> = previous.into_iter().flat_map(Turn::items).map(ir::Json::as_str).collect();
    let kept_items = out.len();
    let message;
    match document.input.map(RawValue::get) {
        None => {}
        Some(text) if text.starts_with('"') => {
            message = format!(r#"{{"type":"message","role":"user","content":{text}}}"#);
            out.push(&message);
        }
        Some(list) => {
            let all: Vec<&RawValue> = serde_json::from_str(list).unwrap_or_default();
            out.extend(all.into_iter().map(|item| {
                let found = reference(item).and_then(|id| find(&id));
                found.map_or(item.get(), ir::Json::as_str)
            }));
        }
    }
    (format!("[{}]", out.join(",")), kept_items)
}

/// `body` with another value for `input`; the rest of it stays byte for byte.
#[must_use]
pub fn with_input(body: &str, input: &str) -> String {
    let document: Document<'_> = json::read(body).unwrap_or_default();
    let Some(old) = document.input else {
        // A body that leans on a turn has a field that says so: something stands before. The last of a name counts.
        let (head, tail) = body.rsplit_once('}').unwrap_or_default();
        return [head, r#","input":"#, input, "}", tail].concat();
    };
    let start = (old.get().as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
    let head = body.get(..start).unwrap_or_default();
    let tail = body.get(start + old.get().len()..).unwrap_or_default();
    [head, input, tail].concat()
}
