//! What a client is told of a turn that was kept: `GET …/input_items`, `DELETE …`.

use serde_json::{Value, json};

use super::{Turn, stem, token_of};
use crate::error::{Error, Result};
use crate::http;
use crate::ir;

/// What stands before an item's place in an id that is made up for it.
pub(super) const INPUT: &str = "_in";

/// The longest page.
const LONGEST_PAGE: usize = 100;

/// Which items of the input are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many at most.
    pub limit: usize,
    /// The id of the item before the first.
    pub after: Option<String>,
    /// The oldest first; else the newest.
    pub ascending: bool,
}

impl Page {
    /// Reads a query.
    ///
    /// # Errors
    /// A parameter has a value that is none of its own.
    pub fn of(query: &str) -> Result<Self> {
        let mut out = Self { limit: 20, after: None, ascending: false };
        for (name, value) in http::parameters(query) {
            match (name.as_str(), value.as_str()) {
                ("limit", _) => {
                    let limit = value.parse().ok().filter(|limit| (1..=LONGEST_PAGE).contains(limit));
                    let wrong = || Error::invalid("limit", format!("expected a number from 1 to {LONGEST_PAGE}"));
                    out.limit = limit.ok_or_else(wrong)?;
                }
                ("after", _) => out.after = Some(value),
                ("order", "asc") => out.ascending = true,
                ("order", "desc") => out.ascending = false,
                ("order", _) => return Err(Error::invalid("order", "expected `asc` or `desc`")),
                _ => {}
            }
        }
        Ok(out)
    }
}

/// A page of what led to an answer.
///
/// # Errors
/// There is no such item as the page begins after.
pub fn list(turn: &Turn, page: &Page) -> Result<Vec<u8>> {
    let own = token_of(&turn.id).map(stem).unwrap_or_default();
    let mut all: Vec<Value> =
        turn.input.iter().enumerate().map(|(index, item)| shown(item, &format!("{own}{INPUT}{index}"))).collect();
    if !page.ascending {
        all.reverse();
    }
    let skipped = match &page.after {
        None => 0,
        Some(after) => {
            let at = all.iter().position(|item| id_of(item) == Some(after));
            at.ok_or_else(|| Error::invalid("after", format!("there is no item {after:?}")))? + 1
        }
    };
    let has_more = all.len() > skipped + page.limit;
    let data: Vec<Value> = all.into_iter().skip(skipped).take(page.limit).collect();
    let id = |item: Option<&Value>| item.and_then(id_of).map(ToOwned::to_owned);
    let (first, last) = (id(data.first()), id(data.last()));
    let list = json!({ "object": "list", "data": data, "first_id": first, "last_id": last, "has_more": has_more });
    Ok(list.to_string().into_bytes())
}

fn id_of(item: &Value) -> Option<&str> {
    item.get("id").and_then(Value::as_str)
}

/// An item as the vendor lists it: with a type and an id, a message's content as a list of parts.
fn shown(item: &ir::Json, made_up: &str) -> Value {
    let mut value = item.value();
    let Some(fields) = value.as_object_mut() else { return value };
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or("message").to_owned();
    let prefix = match kind.as_str() {
        "message" => "msg_",
        "reasoning" => "rs_",
        "function_call" => "fc_",
        "custom_tool_call" => "ctc_",
        _ => "item_",
    };
    if fields.get("id").is_none_or(|id| !id.is_string()) {
        fields.insert("id".to_owned(), format!("{prefix}{made_up}").into());
    }
    fields.insert("type".to_owned(), kind.as_str().into());
    if kind == "message" {
        let is_answer = fields.get("role").and_then(Value::as_str) == Some("assistant");
        if let Some(Value::String(text)) = fields.get("content") {
            let part = if is_answer {
                json!({ "type": "output_text", "text": text, "annotations": [] })
            } else {
                json!({ "type": "input_text", "text": text })
            };
            fields.insert("content".to_owned(), json!([part]));
        }
        fields.entry("status").or_insert_with(|| "completed".into());
    }
    value
}

/// What a client is told when an answer was forgotten.
#[must_use]
pub fn removed(id: &str) -> Vec<u8> {
    json!({ "id": id, "object": "response", "deleted": true }).to_string().into_bytes()
}
