//! Renders whole answers, and what the stream's encoder shares with that: blocks, usage, the end.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

use super::super::Asked;
use super::slots::{self, Owner};
use crate::context::{Cx, Losses};
use crate::diagnostics::codes;
use crate::dialects::claude::{self, ID};
use crate::envelope;
use crate::ir;

/// A content block of an answer.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text {
        text: Cow<'a, ir::Text>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        citations: Vec<&'a ir::Json>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    Thinking {
        thinking: ir::Text,
        /// The SDKs want the field; "" where there is no signature. Never a made-up one.
        signature: Cow<'a, str>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    RedactedThinking {
        data: Cow<'a, str>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: ir::Json,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    #[serde(untagged)]
    Raw(&'a ir::Json),
}

/// A message: the whole answer, or as a stream begins it.
#[derive(Serialize)]
pub(super) struct Message<'a> {
    pub(super) id: &'a str,
    pub(super) r#type: &'static str,
    pub(super) role: &'static str,
    pub(super) model: &'a str,
    pub(super) content: Vec<Block<'a>>,
    pub(super) stop_reason: Option<&'static str>,
    pub(super) stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop_details: Option<StopDetails<'a>>,
    #[serde(flatten)]
    pub(super) rest: ir::Written<'a>,
    #[serde(flatten)]
    pub(super) late: ir::Written<'a>,
    pub(super) usage: Map<String, Value>,
}

#[derive(Serialize)]
pub(super) struct StopDetails<'a> {
    r#type: &'static str,
    category: Option<&'static str>,
    explanation: &'a str,
}

pub(super) fn render(cx: &mut Cx, asked: &Asked, response: ir::Response) -> Vec<u8> {
    let ir::Response { id, model: _, created: _, parts, finish, usage, extensions } = response;
    let id = id.unwrap_or_else(|| asked.ids.clone().make("msg_"));
    let mut losses = Losses::default();
    losses.extensions(&extensions, ID);
    let said = Said::of(&parts);
    let mut content = Vec::new();
    for part in &parts {
        losses.extensions(&part.meta().extensions, ID);
        blocks(asked, part, &mut content, &mut losses);
    }
    lose_end(&finish, said, &mut losses);
    cx.report_all(losses.take());
    let message = Message {
        id: &id,
        r#type: "message",
        role: "assistant",
        model: &asked.model,
        content,
        stop_reason: Some(stop_reason(&finish, said)),
        stop_sequence: finish.stop_sequence.as_deref(),
        stop_details: stop_details(&finish),
        rest: extensions.written(ID, ""),
        late: finish.extensions.written(ID, ""),
        usage: usage_fields(&usage, asked),
    };
    serde_json::to_vec(&message).unwrap_or_default()
}

/// The blocks of a part: none, one, or two where a seal needs one of its own.
fn blocks<'a>(asked: &Asked, part: &'a ir::Part, out: &mut Vec<Block<'a>>, losses: &mut Losses) {
    let meta = part.meta();
    let rest = meta.extensions.written(ID, "");
    let has_thoughts =
        || out.iter().any(|block| matches!(block, Block::Thinking { .. } | Block::RedactedThinking { .. }));
    let seal = meta.seal.as_deref().filter(|seal| !seal.is_note() || has_thoughts());
    if seal.is_none() && meta.seal.is_some() {
        lose_note(losses);
    }
    match part {
        ir::Part::Text(part) => {
            let place = out.len() + usize::from(seal.is_some());
            let citations = part.citations.iter().filter_map(|citation| cite(citation, place, losses)).collect();
            let owner = if part.text.is_empty() { Owner::EmptyText } else { Owner::TextBehind };
            out.extend(seal.map(|seal| carrier(slots::carry(&owner, seal))));
            if !part.text.is_empty() {
                out.push(Block::Text { text: Cow::Borrowed(&part.text), citations, rest });
            }
        }
        ir::Part::Refusal(part) => {
            if !part.text.is_empty() {
                out.push(Block::Text { text: Cow::Borrowed(&part.text), citations: Vec::new(), rest });
            }
        }
        ir::Part::Reasoning(part) => {
            let slot = seal.map(|seal| Cow::Owned(envelope::wrap(seal).as_str().to_owned()));
            let is_hidden = asked.hide_reasoning && !part.text.is_empty();
            if is_hidden {
                lose_thoughts(losses);
            }
            let thinking = if is_hidden { ir::Text::default() } else { part.text.clone() };
            match (part.form, slot) {
                (ir::ReasoningForm::Redacted, Some(data)) => out.push(Block::RedactedThinking { data, rest }),
                (ir::ReasoningForm::Redacted, None) => {}
                (ir::ReasoningForm::Summary | ir::ReasoningForm::Raw, slot) => {
                    if !thinking.is_empty() || slot.is_some() {
                        out.push(Block::Thinking { thinking, signature: slot.unwrap_or_default(), rest });
                    }
                }
            }
        }
        ir::Part::ToolCall(part) => {
            let input = match (part.kind, part.arguments_object()) {
                (ir::CallKind::Function, Some(object)) => object,
                (ir::CallKind::Function, None) => {
                    lose_arguments(out.len(), losses);
                    wrapped("_raw", &part.arguments)
                }
                (ir::CallKind::Custom, _) => wrapped("input", &part.arguments),
            };
            let owner = Owner::Call(part.id.clone());
            out.extend(seal.map(|seal| carrier(slots::carry(&owner, seal))));
            out.push(Block::ToolUse { id: &part.id, name: &part.name, input, rest });
        }
        ir::Part::Opaque(part) if part.dialect == ID => out.push(Block::Raw(&part.value)),
        ir::Part::Opaque(_) | ir::Part::Media(_) | ir::Part::ToolResult(_) => {
            if let Some(text) = words(part, out.len(), losses) {
                out.push(Block::Text { text, citations: Vec::new(), rest });
            }
        }
    }
}

/// What is told in words of a part that has no form here. `block`: where it would stand.
pub(super) fn words<'a>(part: &'a ir::Part, block: usize, losses: &mut Losses) -> Option<Cow<'a, ir::Text>> {
    let words = match part {
        ir::Part::Opaque(part) => {
            losses.opaque(part, ID);
            return part.words.as_ref().map(Cow::Borrowed);
        }
        ir::Part::Media(media) => media.words().map(Cow::Owned),
        ir::Part::ToolResult(_)
        | ir::Part::Text(_)
        | ir::Part::ToolCall(_)
        | ir::Part::Reasoning(_)
        | ir::Part::Refusal(_) => None,
    };
    let code = if words.is_some() { &codes::CONTENT_AS_TEXT } else { &codes::ANSWER_PART_DROPPED };
    losses.add(code, &place(block), "media, or a tool's result, has no form in an answer");
    words
}

fn place(block: usize) -> String {
    format!("content[{block}]")
}

/// The citation as Claude wrote it, if it did.
pub(super) fn cite<'a>(citation: &'a ir::Citation, block: usize, losses: &mut Losses) -> Option<&'a ir::Json> {
    let native = native(citation);
    if native.is_none() {
        let what = "a citation without an encrypted index has no form here";
        losses.add(&codes::CITATION_DEGRADED, &place(block), what);
    }
    native
}

/// Arguments that are no object.
pub(super) fn lose_arguments(block: usize, losses: &mut Losses) {
    losses.add(&codes::TOOL_ARGUMENTS_WRAPPED, &place(block), "the arguments are no object");
}

/// Thoughts that the client asked not to see.
pub(super) fn lose_thoughts(losses: &mut Losses) {
    losses.add(&codes::REASONING_HIDDEN, "", "the client asked not to see thoughts");
}

/// How the upstream would be told again what it said. It takes a block that only clients expect who asked for thoughts.
pub(super) fn lose_note(losses: &mut Losses) {
    losses.add(&codes::ANSWER_DETAIL_LOST, "", "the upstream's own id or phase of an item has no place");
}

/// What the end cannot say.
pub(super) fn lose_end(finish: &ir::Finish, said: Said, losses: &mut Losses) {
    losses.extensions(&finish.extensions, ID);
    let is_odd = matches!(finish.reason, ir::Reason::Malformed | ir::Reason::Other);
    if is_odd && finish.raw.as_deref() != Some(stop_reason(finish, said)) {
        let what = format!("why the answer ended: {}", finish.raw.as_deref().unwrap_or("unknown"));
        losses.add(&codes::STOP_DETAIL_LOST, "", what);
    }
}

/// The block that carries the seal of another one.
fn carrier<'a>(data: String) -> Block<'a> {
    Block::RedactedThinking { data: Cow::Owned(data), rest: ir::Written::default() }
}

/// The citation as Claude wrote it; only Claude can, since the sealed index is wanted back.
fn native(citation: &ir::Citation) -> Option<&ir::Json> {
    citation.native.as_ref().filter(|native| native.dialect == ID).map(|native| &native.value)
}

fn wrapped(key: &str, text: &str) -> ir::Json {
    ir::Json::of(&Map::from_iter([(key.to_owned(), Value::from(text))]))
}

/// What an answer says beside words, as far as its end depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    /// The words of a refusal.
    pub(super) refusal: bool,
    /// A call.
    pub(super) call: bool,
    /// Thoughts, or what stands for them.
    pub(super) thought: bool,
}

impl Said {
    fn of(parts: &[ir::Part]) -> Self {
        Self {
            refusal: parts.iter().any(|part| matches!(part, ir::Part::Refusal(_))),
            call: parts.iter().any(|part| matches!(part, ir::Part::ToolCall(_))),
            thought: parts.iter().any(|part| matches!(part, ir::Part::Reasoning(_))),
        }
    }
}

/// Why the answer ended. The words of a refusal are text here, so the reason has to say what they are; and clients run the
/// calls of an answer only where its end says so.
pub(super) fn stop_reason(finish: &ir::Finish, said: Said) -> &'static str {
    match finish.reason {
        ir::Reason::End if said.refusal => claude::stop_reason(ir::Reason::Refusal, None),
        reason => match claude::stop_reason(reason, finish.raw.as_deref()) {
            "end_turn" if said.call => claude::stop_reason(ir::Reason::ToolUse, None),
            word => word,
        },
    }
}

/// The explanation of a refusal, unless it is among the extensions as Claude itself gave it.
pub(super) fn stop_details(finish: &ir::Finish) -> Option<StopDetails<'_>> {
    if finish.reason != ir::Reason::Refusal || finish.extensions.get(ID, "stop_details").is_some() {
        return None;
    }
    finish.detail.as_deref().map(|explanation| StopDetails { r#type: "refusal", category: None, explanation })
}

/// Usage: as Claude wrote it, or from the totals. `input_tokens` leaves out what a cache read or wrote. Where nobody told
/// the prompt's size it is estimated: clients take the size of their context from it, and 0 would be a claim.
pub(super) fn usage_fields(usage: &ir::Usage, asked: &Asked) -> Map<String, Value> {
    let native = usage.raw.as_ref().filter(|raw| raw.dialect == ID).map(|raw| raw.value.value());
    if let Some(Value::Object(mut fields)) = native {
        for (required, otherwise) in [("input_tokens", asked.input_estimate), ("output_tokens", 0)] {
            if fields.get(required).is_none_or(Value::is_null) {
                fields.insert(required.to_owned(), Value::from(otherwise));
            }
        }
        return fields;
    }
    let read = usage.cache_read.unwrap_or(0);
    let written = usage.cache_write.unwrap_or(0);
    let fresh = usage.input.unwrap_or(asked.input_estimate).saturating_sub(read).saturating_sub(written);
    let mut fields = Map::new();
    for (name, count) in [
        ("input_tokens", fresh),
        ("cache_creation_input_tokens", written),
        ("cache_read_input_tokens", read),
        ("output_tokens", usage.output.unwrap_or(0)),
    ] {
        fields.insert(name.to_owned(), Value::from(count));
    }
    if let Some(count) = usage.reasoning {
        let details = Map::from_iter([("thinking_tokens".to_owned(), Value::from(count))]);
        fields.insert("output_tokens_details".to_owned(), Value::Object(details));
    }
    fields
}
