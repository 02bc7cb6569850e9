//! Encodes events as Claude's stream: every event has its name, blocks have contiguous indexes and never overlap.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

use super::super::{Asked, Encoder};
use super::error;
use super::response::{self, Block, Message, Said, StopDetails};
use super::slots::{self, Owner};
use crate::context::Losses;
use crate::diagnostics::Diagnostic;
use crate::dialects::claude::ID;
use crate::envelope;
use crate::ir;
use crate::sse::{self, Refrain};

/// The state of one stream.
#[derive(Debug)]
pub(super) struct ClaudeEncoder {
    asked: Asked,
    usage: ir::Usage,
    index: u64,
    block: Option<ir::Open>,
    /// The open block has been begun on the wire. For a custom tool's call: and none of its text has been told.
    begun: bool,
    /// A seal that has no slot in its own block.
    seal: Option<ir::Sealed>,
    said: Said,
    /// The open block is a function's call; its arguments so far.
    arguments: String,
    /// How more of the open block is written, once it was.
    refrain: Option<Refrain>,
    losses: Losses,
}

#[derive(Serialize)]
struct MessageStart<'a> {
    r#type: &'static str,
    message: Message<'a>,
}

#[derive(Serialize)]
struct BlockStart<'a> {
    r#type: &'static str,
    index: u64,
    content_block: Block<'a>,
}

#[derive(Serialize)]
struct BlockDelta<'a> {
    r#type: &'static str,
    index: u64,
    delta: Delta<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: &'a str },
    #[serde(rename = "citations_delta")]
    Citation { citation: &'a ir::Json },
}

#[derive(Serialize)]
struct BlockStop {
    r#type: &'static str,
    index: u64,
}

#[derive(Serialize)]
struct MessageDelta<'a> {
    r#type: &'static str,
    delta: EndDelta<'a>,
    usage: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_management: Option<&'a ir::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_transformations: Option<&'a ir::Json>,
}

#[derive(Serialize)]
struct EndDelta<'a> {
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_details: Option<StopDetails<'a>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Serialize)]
struct Bare {
    r#type: &'static str,
}

impl ClaudeEncoder {
    pub(super) fn new(asked: Asked) -> Self {
        Self {
            asked,
            usage: ir::Usage::default(),
            index: 0,
            block: None,
            begun: false,
            seal: None,
            said: Said::default(),
            arguments: String::new(),
            refrain: None,
            losses: Losses::default(),
        }
    }

    fn begin_message(&mut self, start: ir::Start, out: &mut Vec<u8>) {
        let ir::Start { id, model: _, created: _, usage, extensions } = start;
        self.usage.update(usage);
        self.losses.extensions(&extensions, ID);
        let id = id.unwrap_or_else(|| self.asked.ids.make("msg_"));
        let message = Message {
            id: &id,
            r#type: "message",
            role: "assistant",
            model: &self.asked.model,
            content: Vec::new(),
            stop_reason: None,
            stop_sequence: None,
            stop_details: None,
            rest: extensions.written(ID, ""),
            late: ir::Written::default(),
            usage: response::usage_fields(&self.usage, &self.asked),
        };
        sse::write_event("message_start", &MessageStart { r#type: "message_start", message }, out);
    }

    fn start_block(&self, content_block: Block<'_>, out: &mut Vec<u8>) {
        let event = BlockStart { r#type: "content_block_start", index: self.index, content_block };
        sse::write_event("content_block_start", &event, out);
    }

    fn delta(&self, delta: Delta<'_>, out: &mut Vec<u8>) {
        let event = BlockDelta { r#type: "content_block_delta", index: self.index, delta };
        sse::write_event("content_block_delta", &event, out);
    }

    /// More of the open block, which is nearly all of a stream.
    fn more_of(&mut self, delta: impl for<'t> Fn(&'t str) -> Delta<'t>, text: &str, out: &mut Vec<u8>) {
        if let Some(refrain) = &self.refrain {
            return refrain.write(0, text, out);
        }
        self.delta(delta(text), out);
        let mut event = Vec::new();
        self.delta(delta(Refrain::TEXT), &mut event);
        self.refrain = Refrain::of(&event);
    }

    fn stop_block(&mut self, out: &mut Vec<u8>) {
        let event = BlockStop { r#type: "content_block_stop", index: self.index };
        sse::write_event("content_block_stop", &event, out);
        self.index += 1;
    }

    /// The index of the block that is open, or comes next.
    fn place(&self) -> usize {
        usize::try_from(self.index).unwrap_or_default()
    }

    fn whole_block(&mut self, block: Block<'_>, out: &mut Vec<u8>) {
        self.start_block(block, out);
        self.stop_block(out);
    }

    /// Begins the open block on the wire. Text and thoughts begin with their first piece, so that there are no empty blocks,
    /// which the API refuses in a history.
    fn begin_block(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let Some(open) = self.block.take() else { return };
        let rest = rest(&open);
        match &open {
            ir::Open::Text { .. } | ir::Open::Refusal { .. } => {
                self.start_block(Block::Text { text: Cow::default(), citations: Vec::new(), rest }, out);
            }
            ir::Open::Reasoning { .. } => {
                self.said.thought = true;
                self.start_block(Block::Thinking { thinking: ir::Text::default(), signature: "".into(), rest }, out);
            }
            ir::Open::ToolCall { id, name, .. } => {
                self.said.call = true;
                self.start_block(Block::ToolUse { id, name, input: ir::Json::EMPTY_OBJECT, rest }, out);
            }
            ir::Open::Whole(_) => {}
        }
        self.block = Some(open);
    }

    fn open(&mut self, open: ir::Open, out: &mut Vec<u8>) {
        self.begun = false;
        self.seal = None;
        self.refrain = None;
        self.arguments.clear();
        self.losses.extensions(&open.meta().extensions, ID);
        match &open {
            ir::Open::Text { .. } | ir::Open::Reasoning { .. } => {}
            ir::Open::Refusal { .. } => self.said.refusal = true,
            ir::Open::ToolCall { id, meta, .. } => {
                self.carry(&Owner::Call(id.clone()), meta.seal.as_deref(), out);
                self.block = Some(open);
                self.begin_block(out);
                return;
            }
            ir::Open::Whole(part) => self.whole(part, out),
        }
        self.block = Some(open);
    }

    fn whole(&mut self, part: &ir::Part, out: &mut Vec<u8>) {
        if let ir::Part::Opaque(part) = part
            && part.dialect == ID
        {
            return self.whole_block(Block::Raw(&part.value), out);
        }
        if let Some(text) = response::words(part, self.place(), &mut self.losses) {
            let rest = part.meta().extensions.written(ID, "");
            self.start_block(Block::Text { text: Cow::default(), citations: Vec::new(), rest }, out);
            self.delta(Delta::Text { text: &text }, out);
            self.stop_block(out);
        }
    }

    fn more(&mut self, text: &str, out: &mut Vec<u8>) {
        match &self.block {
            Some(ir::Open::Text { .. } | ir::Open::Refusal { .. }) => {
                self.begin_block(out);
                self.more_of(|text| Delta::Text { text }, text, out);
            }
            Some(ir::Open::Reasoning { form, .. }) => {
                if self.asked.hide_reasoning {
                    response::lose_thoughts(&mut self.losses);
                } else if *form != ir::ReasoningForm::Redacted {
                    self.begin_block(out);
                    self.more_of(|thinking| Delta::Thinking { thinking }, text, out);
                }
            }
            Some(ir::Open::ToolCall { kind: ir::CallKind::Function, .. }) => {
                self.arguments.push_str(text);
                self.more_of(|partial_json| Delta::Input { partial_json }, text, out);
            }
            Some(ir::Open::ToolCall { kind: ir::CallKind::Custom, .. }) => {
                // Free text goes into an object with one text, and so do its pieces.
                let quoted = ir::Json::of(text);
                let escaped =
                    quoted.as_str().strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
                let head = if std::mem::replace(&mut self.begun, false) { "{\"input\":\"" } else { "" };
                self.delta(Delta::Input { partial_json: &format!("{head}{escaped}") }, out);
            }
            Some(ir::Open::Whole(_)) | None => {}
        }
    }

    fn annotate(&mut self, annotation: &ir::Annotation, out: &mut Vec<u8>) {
        let ir::Annotation::Citation(citation) = annotation else { return };
        if let Some(citation) = response::cite(citation, self.place(), &mut self.losses) {
            self.begin_block(out);
            self.delta(Delta::Citation { citation }, out);
        }
    }

    fn seal(&mut self, seal: ir::Sealed, out: &mut Vec<u8>) {
        match &self.block {
            Some(ir::Open::Reasoning { form: ir::ReasoningForm::Redacted, meta }) => {
                self.said.thought = true;
                let data = envelope::wrap(&seal);
                let rest = meta.extensions.written(ID, "");
                self.start_block(Block::RedactedThinking { data: data.as_str().into(), rest }, out);
                self.begun = true;
            }
            Some(ir::Open::Reasoning { .. }) => {
                self.begin_block(out);
                self.delta(Delta::Signature { signature: &envelope::wrap(&seal) }, out);
            }
            Some(ir::Open::Text { .. } | ir::Open::ToolCall { .. } | ir::Open::Refusal { .. } | ir::Open::Whole(_))
            | None => {
                self.seal = Some(seal);
            }
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(open) = self.block.take() else { return };
        let seal = self.seal.take();
        match open {
            ir::Open::Text { .. } => {
                if self.begun {
                    self.stop_block(out);
                }
                let owner = if self.begun { Owner::TextBefore } else { Owner::EmptyText };
                self.carry(&owner, seal.as_ref(), out);
            }
            ir::Open::Refusal { .. } | ir::Open::Reasoning { .. } => {
                if self.begun {
                    self.stop_block(out);
                }
            }
            ir::Open::ToolCall { id, kind, .. } => {
                if !ir::is_runnable(kind, &self.arguments) {
                    response::lose_arguments(self.place(), &mut self.losses);
                }
                if kind == ir::CallKind::Custom {
                    let tail = if self.begun { "{\"input\":\"\"}" } else { "\"}" };
                    self.delta(Delta::Input { partial_json: tail }, out);
                }
                self.stop_block(out);
                self.carry(&Owner::Call(id), seal.as_ref(), out);
            }
            ir::Open::Whole(_) => {}
        }
    }

    fn carry(&mut self, owner: &Owner, seal: Option<&ir::Sealed>, out: &mut Vec<u8>) {
        let Some(seal) = seal else { return };
        if seal.is_note() && !self.said.thought {
            response::lose_note(&mut self.losses);
        } else {
            let data = slots::carry(owner, seal).into();
            self.whole_block(Block::RedactedThinking { data, rest: ir::Written::default() }, out);
        }
    }

    fn end(&mut self, finish: &ir::Finish, out: &mut Vec<u8>) {
        response::lose_end(finish, self.said, &mut self.losses);
        let delta = EndDelta {
            stop_reason: response::stop_reason(finish, self.said),
            stop_sequence: finish.stop_sequence.as_deref(),
            stop_details: response::stop_details(finish),
            rest: end_fields(&finish.extensions),
        };
        let event = MessageDelta {
            r#type: "message_delta",
            delta,
            usage: response::usage_fields(&self.usage, &self.asked),
            context_management: finish.extensions.get(ID, "context_management"),
            input_transformations: finish.extensions.get(ID, "input_transformations"),
        };
        sse::write_event("message_delta", &event, out);
        sse::write_event("message_stop", &Bare { r#type: "message_stop" }, out);
    }
}

/// What only Claude says of the open block.
fn rest(open: &ir::Open) -> ir::Written<'_> {
    open.meta().extensions.written(ID, "")
}

/// What only Claude says at the end and stands beside the delta.
const BESIDE_DELTA: [&str; 2] = ["context_management", "input_transformations"];

/// What only Claude says at the end, but for what stands beside the delta.
fn end_fields(extensions: &ir::Extensions) -> Map<String, Value> {
    if extensions.dialect() != Some(ID) {
        return Map::new();
    }
    let fields = extensions.fields().iter().filter(|field| !BESIDE_DELTA.contains(&field.name.as_str()));
    fields.map(|field| (field.name.as_str().to_owned(), field.value.value())).collect()
}

impl Encoder for ClaudeEncoder {
    fn push(&mut self, event: ir::Event, out: &mut Vec<u8>) {
        match event {
            ir::Event::Start(start) => self.begin_message(start, out),
            ir::Event::Usage(usage) => self.usage.update(usage),
            ir::Event::Idle => sse::write_event("ping", &Bare { r#type: "ping" }, out),
            ir::Event::Open(open) => self.open(open, out),
            ir::Event::Delta(text) => self.more(&text, out),
            ir::Event::Annotate(annotation) => self.annotate(&annotation, out),
            ir::Event::Seal(seal) => self.seal(seal, out),
            ir::Event::Close => self.close(out),
            ir::Event::Finish(finish) => self.end(&finish, out),
            ir::Event::Failed(failure) => sse::write_event("error", &error::event(&failure), out),
        }
    }

    fn take_losses(&mut self) -> Vec<Diagnostic> {
        self.losses.take()
    }
}
