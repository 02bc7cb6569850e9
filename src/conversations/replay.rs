//! A kept answer as a stream: what its client would have been told, each text in one piece.

use serde_json::{Map, Value};

use crate::sse;

/// Writes the events of a stream, numbered, and leaves out those that the client says it has.
struct Replay {
    number: u64,
    from: u64,
    out: Vec<u8>,
}

impl Replay {
    fn event(&mut self, kind: &str, fields: &[(&str, &Value)]) {
        let number = self.number;
        self.number += 1;
        if number < self.from {
            return;
        }
        let mut data = Map::new();
        data.insert("type".to_owned(), kind.into());
        data.insert("sequence_number".to_owned(), number.into());
        data.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())));
        sse::write_event(kind, &data, &mut self.out);
    }

    /// An item: begun with nothing in it, then each of its texts, then whole.
    fn item(&mut self, index: usize, item: &Value) {
        let index = &Value::from(index);
        let at = ("output_index", index);
        let mut begun = item.clone();
        for name in ["content", "summary", "arguments", "input"] {
            match begun.get_mut(name) {
                Some(list @ Value::Array(_)) => *list = Value::Array(Vec::new()),
                Some(text @ Value::String(_)) => *text = "".into(),
                _ => {}
            }
        }
        if let Some(status) = begun.get_mut("status") {
            *status = "in_progress".into();
        }
        self.event("response.output_item.added", &[at, ("item", &begun)]);
        let id = ("item_id", item.get("id").unwrap_or(&Value::Null));
        for (list, number) in [("summary", "summary_index"), ("content", "content_index")] {
            let parts = item.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            for (place, part) in parts.iter().enumerate() {
                let place = &Value::from(place);
                self.part(part, list == "summary", &[id, at, (number, place)]);
            }
        }
        for (name, kind) in [("arguments", "function_call_arguments"), ("input", "custom_tool_call_input")] {
            if let Some(text) = item.get(name).filter(|text| text.is_string()) {
                self.event(&format!("response.{kind}.delta"), &[id, at, ("delta", text)]);
                let called = item.get("name").unwrap_or(&Value::Null);
                self.event(&format!("response.{kind}.done"), &[id, at, ("name", called), (name, text)]);
            }
        }
        self.event("response.output_item.done", &[at, ("item", item)]);
    }

    fn part(&mut self, part: &Value, is_summary: bool, at: &[(&str, &Value)]) {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        let name = if kind == "refusal" { "refusal" } else { "text" };
        let text = part.get(name).unwrap_or(&Value::Null);
        let (around, inside) = match (is_summary, kind) {
            (true, _) => ("reasoning_summary_part", "reasoning_summary_text"),
            (false, kind) => ("content_part", kind),
        };
        let mut begun = part.clone();
        if let Some(words) = begun.get_mut(name) {
            *words = "".into();
        }
        let with = |more: (&'static str, &Value)| {
            let mut fields: Vec<(&str, Value)> = at.iter().map(|(name, value)| (*name, (*value).clone())).collect();
            fields.push((more.0, more.1.clone()));
            if more.0 != "part" && kind == "output_text" {
                fields.push(("logprobs", part.get("logprobs").cloned().unwrap_or_else(|| Value::Array(Vec::new()))));
            }
            fields
        };
        for (kind, more) in [
            (format!("response.{around}.added"), ("part", &begun)),
            (format!("response.{inside}.delta"), ("delta", text)),
            (format!("response.{inside}.done"), (name, text)),
            (format!("response.{around}.done"), ("part", part)),
        ] {
            let fields = with(more);
            let fields: Vec<(&str, &Value)> = fields.iter().map(|(name, value)| (*name, value)).collect();
            self.event(&kind, &fields);
        }
    }
}

/// The stream of an answer; `after` is the number of the last event that the client has.
#[must_use]
pub fn replay(response: &Value, after: Option<u64>) -> Vec<u8> {
    let mut replay = Replay { number: 0, from: after.map_or(0, |after| after.saturating_add(1)), out: Vec::new() };
    let mut begun = response.clone();
    if let Value::Object(fields) = &mut begun {
        fields.insert("status".to_owned(), "in_progress".into());
        fields.insert("output".to_owned(), Value::Array(Vec::new()));
        fields.insert("usage".to_owned(), Value::Null);
    }
    replay.event("response.created", &[("response", &begun)]);
    replay.event("response.in_progress", &[("response", &begun)]);
    let output = response.get("output").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (index, item) in output.iter().enumerate() {
        replay.item(index, item);
    }
    let status = response.get("status").and_then(Value::as_str).unwrap_or("completed");
    replay.event(&format!("response.{status}"), &[("response", response)]);
    replay.out
}
