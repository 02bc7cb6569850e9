//! Reads answers. A whole one is read as a stream of whole blocks, so that both agree by construction.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::super::Memo;
use super::error;
use crate::context::Cx;
use crate::diagnostics::codes;
use crate::dialects::claude::{self, ID, REDACTED, Signed};
use crate::dialects::hosted::keep_untold;
use crate::error::{Error, Result};
use crate::ir;
use crate::json::{self, Str, Unknown, wire};

wire! {
    pub(super) struct Answer<'a> {
        "content" content: Vec<&'a RawValue>,
        "error" error: &'a RawValue,
    }
    /// A message: the whole answer, or as a stream begins it.
    struct Message<'a> {
        "type" kind: Str<'a>,
        "id" id: Str<'a>,
        "role" role: &'a RawValue,
        "model" model: Str<'a>,
        "content" content: &'a RawValue,
        "stop_reason" stop_reason: Str<'a>,
        "stop_sequence" stop_sequence: Str<'a>,
        "stop_details" stop_details: &'a RawValue,
        "container" container: &'a RawValue,
        "context_management" context_management: &'a RawValue,
        "usage" usage: &'a RawValue,
    }
    struct Block<'a> {
        "type" kind: Str<'a>,
        "text" text: Str<'a>,
        "citations" citations: Vec<&'a RawValue>,
        "thinking" thinking: Str<'a>,
        "signature" signature: Str<'a>,
        "data" data: Str<'a>,
        "id" id: Str<'a>,
        "name" name: Str<'a>,
        "input" input: &'a RawValue,
    }
    struct Head<'a> {
        "type" kind: Str<'a>,
    }
    struct StopDetails<'a> {
        "explanation" explanation: Str<'a>,
    }
    struct CustomInput<'a> {
        "input" input: Str<'a>,
    }
    struct Counts<'a> {
        "input_tokens" input: u64,
        "cache_creation_input_tokens" cache_write: u64,
        "cache_read_input_tokens" cache_read: u64,
        "output_tokens" output: u64,
        "output_tokens_details" details: OutputDetails<'a>,
    }
    struct OutputDetails<'a> {
        "thinking_tokens" thinking: u64,
    }
}

pub(super) fn parse(cx: &mut Cx, memo: &Memo) -> Result<ir::Response> {
    let document = cx.body();
    let text = document.as_str();
    let answer: Answer<'_> = json::read(text).map_err(|error| unreadable(&error))?;
    if answer.error.is_some() {
        return Err(error::read(text).unwrap_or_else(|| Error::unreadable("the upstream answered with an error")));
    }
    let Some(content) = answer.content else {
        return Err(Error::unreadable("the upstream's answer has no content"));
    };
    let mut out = ir::Emitter::new(memo.ids.clone());
    let mut reader = Reader { document: document.clone(), ..Reader::new(memo.clone()) };
    reader.message(text, &mut out)?;
    reader.blocks(content, &mut out)?;
    reader.finish(&mut out);
    for diagnostic in out.take_diagnostics() {
        cx.report(diagnostic.code, ir::Place::default(), &diagnostic.place, diagnostic.message);
    }
    ir::collect(out.take())
}

/// What cannot be read is the upstream's fault, not the client's.
pub(super) fn unreadable(error: &Error) -> Error {
    Error::unreadable(format!("the upstream's answer cannot be read: {}", error.full_message()))
}

/// The state of an answer that is being read.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    memo: Memo,
    /// The whole answer; nothing, of a stream.
    document: ir::Body,
    block: Option<Open>,
    calls: u64,
    usage: Map<String, Value>,
    stop_reason: Option<ir::Text>,
    stop_sequence: Option<ir::Text>,
    detail: Option<ir::Text>,
    /// What a stream tells at its end; what comes later replaces what came before.
    late: Vec<ir::Extension>,
}

/// The open block.
#[derive(Clone, Debug)]
enum Open {
    /// Text opens with its first piece: what has none is no text.
    Text {
        meta: Option<ir::Meta>,
    },
    Thinking {
        signature: String,
        signed: Signed,
    },
    Redacted,
    Call {
        key: u64,
        whole: ir::Text,
        begun: bool,
    },
    Opaque {
        value: Map<String, Value>,
        partial_json: String,
    },
}

impl Reader {
    pub(super) fn new(memo: Memo) -> Self {
        Self {
            memo,
            document: ir::Body::default(),
            block: None,
            calls: 0,
            usage: Map::new(),
            stop_reason: None,
            stop_sequence: None,
            detail: None,
            late: Vec::new(),
        }
    }

    /// Takes a message's own fields, but not its content.
    pub(super) fn message(&mut self, document: &str, out: &mut ir::Emitter) -> Result<()> {
        let message: Message<'_> = json::read(document).map_err(|error| unreadable(&error))?;
        let mut extensions = ir::Extensions::default();
        keep(&message.unknown, &mut extensions);
        out.start(ir::Start {
            id: message.id.as_deref().filter(|id| !id.is_empty()).map(ir::Text::from),
            model: message.model.as_deref().map(ir::Text::from),
            created: None,
            usage: self.merged_usage(message.usage),
            extensions,
        });
        self.end(message.stop_reason.as_ref(), message.stop_sequence.as_ref());
        self.stop_details(message.stop_details);
        self.late("container", message.container);
        self.late("context_management", message.context_management);
        Ok(())
    }

    /// Takes why the answer ends.
    pub(super) fn end(&mut self, reason: Option<&Str<'_>>, sequence: Option<&Str<'_>>) {
        self.stop_reason = reason.map(|reason| ir::Text::from(&**reason)).or(self.stop_reason.take());
        self.stop_sequence = sequence.map(|sequence| ir::Text::from(&**sequence)).or(self.stop_sequence.take());
    }

    /// Takes the details of a refusal.
    pub(super) fn stop_details(&mut self, raw: Option<&RawValue>) {
        self.late("stop_details", raw);
        let details: Option<StopDetails<'_>> = raw.and_then(|raw| json::read(raw.get()).ok());
        let explanation = details.and_then(|details| details.explanation);
        self.detail = explanation.map(|text| text.into_owned().into()).or(self.detail.take());
    }

    /// Keeps a field that streams tell at their end; `null` says nothing.
    pub(super) fn late(&mut self, name: &str, raw: Option<&RawValue>) {
        let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return };
        self.late.retain(|field| field.name != name);
        self.late.push(field(name.into(), raw));
    }

    /// The same for fields that are not known.
    pub(super) fn late_unknown(&mut self, unknown: &Unknown<'_>) {
        for (name, raw) in unknown.iter() {
            self.late(name, Some(raw));
        }
    }

    /// Takes running totals.
    pub(super) fn usage(&mut self, raw: Option<&RawValue>, out: &mut ir::Emitter) {
        out.usage(self.merged_usage(raw));
    }

    /// Running totals: what is not null replaces what was told before.
    fn merged_usage(&mut self, raw: Option<&RawValue>) -> ir::Usage {
        let told = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let Some(Value::Object(told)) = told else { return ir::Usage::default() };
        for (name, value) in told {
            if !value.is_null() {
                self.usage.insert(name, value);
            }
        }
        self.totals()
    }

    fn totals(&self) -> ir::Usage {
        let raw = ir::Json::of(&self.usage);
        let counts: Counts<'_> = json::read(raw.as_str()).unwrap_or_default();
        let Counts { input, cache_write, cache_read, output, details, unknown: _ } = counts;
        ir::Usage {
            input: input
                .map(|fresh| fresh.saturating_add(cache_write.unwrap_or(0)).saturating_add(cache_read.unwrap_or(0))),
            cache_read,
            cache_write,
            output,
            reasoning: details.and_then(|details| details.thinking),
            raw: Some(ir::Native { dialect: ID, value: raw.clone() }),
        }
    }

    /// Takes whole blocks.
    pub(super) fn blocks(&mut self, content: Vec<&RawValue>, out: &mut ir::Emitter) -> Result<()> {
        for raw in content {
            self.open(raw, out)?;
            self.close(out);
        }
        Ok(())
    }

    /// A block begins; what it holds already counts.
    pub(super) fn open(&mut self, raw: &RawValue, out: &mut ir::Emitter) -> Result<()> {
        self.close(out);
        let head: Head<'_> = json::read(raw.get()).map_err(|error| unreadable(&error))?;
        let kind = head.kind.unwrap_or_default();
        if !matches!(&*kind, "text" | "thinking" | "redacted_thinking" | "tool_use") {
            let Ok(Value::Object(value)) = serde_json::from_str(raw.get()) else {
                return Err(Error::unreadable("a block of the upstream's answer is no object"));
            };
            self.block = Some(Open::Opaque { value, partial_json: String::new() });
            return Ok(());
        }
        let block: Block<'_> = json::read(raw.get()).map_err(|error| unreadable(&error))?;
        let mut meta = ir::Meta::default();
        keep(&block.unknown, &mut meta.extensions);
        match &*kind {
            "thinking" => {
                out.open_reasoning(ir::ReasoningForm::Summary, meta);
                self.block = Some(Open::Thinking { signature: String::new(), signed: Signed::NOTHING });
                self.thinking(block.thinking.as_deref().unwrap_or_default(), out);
                self.signature(block.signature.as_deref().unwrap_or_default(), out);
            }
            "redacted_thinking" => {
                out.open_reasoning(ir::ReasoningForm::Redacted, meta);
                out.seal(self.memo.noted_seal(block.data.as_deref().unwrap_or_default(), REDACTED));
                self.block = Some(Open::Redacted);
            }
            "tool_use" => self.open_call(&block, meta, out),
            _ => {
                self.block = Some(Open::Text { meta: Some(meta) });
                let text = block.text.map(|text| text.text(&self.document)).unwrap_or_default();
                self.text(text, out);
                for raw in block.citations.unwrap_or_default() {
                    self.citation(raw, out)?;
                }
            }
        }
        Ok(())
    }

    fn open_call(&mut self, block: &Block<'_>, meta: ir::Meta, out: &mut ir::Emitter) {
        let mut start = self.memo.names.restore(block.name.as_deref().unwrap_or_default());
        start.id = block.id.as_deref().map(ir::Text::from);
        start.meta = meta;
        self.calls += 1;
        let key = self.calls;
        let is_custom = start.unwrap_input && start.kind == ir::CallKind::Custom;
        out.call(key, start);
        // Custom tools want their one text told as an object, even where the model left it out.
        let whole = match block.input {
            Some(input) if input.get() != "null" => ir::Text::from(input.get()),
            _ => ir::Text::constant("{}"),
        };
        let whole = if is_custom { with_input(whole) } else { whole };
        self.block = Some(Open::Call { key, whole, begun: false });
    }

    /// More text.
    pub(super) fn text(&mut self, text: ir::Text, out: &mut ir::Emitter) {
        match &mut self.block {
            _ if text.is_empty() => {}
            Some(Open::Text { meta }) => {
                if let Some(meta) = meta.take() {
                    out.open_text(meta);
                }
                out.text(text);
            }
            _ => self.merge("text", &text, out),
        }
    }

    /// A source of the open text.
    pub(super) fn citation(&mut self, raw: &RawValue, out: &mut ir::Emitter) -> Result<()> {
        let value = ir::Json::from(raw);
        match &mut self.block {
            Some(Open::Text { meta }) => {
                let citation = claude::citation(raw, value).map_err(|error| unreadable(&error))?;
                if let Some(meta) = meta.take() {
                    out.open_text(meta);
                }
                out.annotate(ir::Annotation::Citation(citation));
            }
            Some(Open::Opaque { value: block, .. }) => {
                let list = block.entry("citations").or_insert_with(|| Value::Array(Vec::new()));
                if list.is_null() {
                    *list = Value::Array(Vec::new());
                }
                if let Value::Array(list) = list {
                    list.push(value.value());
                }
            }
            _ => misplaced("citation", out),
        }
        Ok(())
    }

    /// More thoughts.
    pub(super) fn thinking(&mut self, text: &str, out: &mut ir::Emitter) {
        if let Some(Open::Thinking { signed, .. }) = &mut self.block {
            *signed = signed.with(text);
            out.reasoning(ir::ReasoningForm::Summary, text);
        } else {
            self.merge("thinking", text, out);
        }
    }

    /// The signature of the open thoughts. A later one replaces it.
    pub(super) fn signature(&mut self, text: &str, out: &mut ir::Emitter) {
        match &mut self.block {
            Some(Open::Thinking { signature, .. }) => text.clone_into(signature),
            Some(Open::Opaque { value, .. }) => {
                value.insert("signature".to_owned(), Value::from(text));
            }
            _ => misplaced("signature", out),
        }
    }

    /// More of a call's arguments.
    pub(super) fn partial_json(&mut self, text: &str, out: &mut ir::Emitter) {
        match &mut self.block {
            Some(Open::Call { key, begun, .. }) => {
                *begun = true;
                out.call_delta(*key, text);
            }
            Some(Open::Opaque { partial_json, .. }) => partial_json.push_str(text),
            _ => misplaced("partial_json", out),
        }
    }

    /// More of a block that is only known to Claude: text goes on, anything else is set.
    pub(super) fn unknown_delta(&mut self, fields: &Unknown<'_>, out: &mut ir::Emitter) {
        for (name, raw) in fields.iter() {
            if !matches!(self.block, Some(Open::Opaque { .. })) && raw.get() != "null" {
                misplaced(name, out);
                continue;
            }
            match serde_json::from_str(raw.get()) {
                Ok(Value::String(text)) => self.merge(name, &text, out),
                Ok(Value::Null) | Err(_) => {}
                Ok(other) => {
                    if let Some(Open::Opaque { value, .. }) = &mut self.block {
                        value.insert((**name).to_owned(), other);
                    }
                }
            }
        }
    }

    fn merge(&mut self, name: &str, text: &str, out: &mut ir::Emitter) {
        let Some(Open::Opaque { value, .. }) = &mut self.block else { return misplaced(name, out) };
        match value.get_mut(name) {
            Some(Value::String(before)) => before.push_str(text),
            _ => {
                value.insert(name.to_owned(), Value::from(text));
            }
        }
    }

    /// Whether a block is open.
    pub(super) fn is_open(&self) -> bool {
        self.block.is_some()
    }

    /// The open block is whole.
    pub(super) fn close(&mut self, out: &mut ir::Emitter) {
        match self.block.take() {
            None | Some(Open::Text { meta: Some(_) }) => {}
            Some(Open::Text { meta: None } | Open::Redacted) => out.close(),
            Some(Open::Thinking { signature, signed }) => {
                if !signature.is_empty() {
                    out.seal(self.memo.noted_seal(signature, signed.note()));
                }
                out.close();
            }
            Some(Open::Call { key, whole, begun }) => {
                if !begun {
                    out.call_delta(key, &whole);
                }
                out.call_close(key);
            }
            Some(Open::Opaque { mut value, partial_json }) => {
                match serde_json::from_str(&partial_json) {
                    Ok(input) => {
                        value.insert("input".to_owned(), input);
                    }
                    Err(_) if partial_json.is_empty() => {}
                    Err(_) => out.report(&codes::UPSTREAM_ODDITY, "input", "a block's input is no JSON"),
                }
                let kind = value.get("type").and_then(Value::as_str).unwrap_or_default().into();
                let trace = claude::trace(&value);
                let (mut meta, value) = (ir::Meta::default(), Value::Object(value));
                if trace.is_some() {
                    keep_untold(ID, &value, &mut meta.extensions);
                }
                out.whole(ir::Part::Opaque(ir::Opaque {
                    dialect: ID,
                    kind,
                    trace,
                    value: ir::Json::of(&value),
                    // Traces of the provider's own tools are no part of what the model says.
                    words: None,
                    loss: &codes::ANSWER_PART_DROPPED,
                    meta,
                }));
            }
        }
    }

    /// The answer is whole.
    pub(super) fn finish(&mut self, out: &mut ir::Emitter) {
        self.close(out);
        let word = self.stop_reason.take();
        let mut extensions = ir::Extensions::default();
        for field in std::mem::take(&mut self.late) {
            extensions.push(ID, field);
        }
        out.finish(ir::Finish {
            reason: claude::reason(word.as_deref().unwrap_or_default(), out.has_tool_call()),
            raw: word,
            stop_sequence: self.stop_sequence.take(),
            detail: self.detail.take(),
            extensions,
        });
    }
}

fn misplaced(name: &str, out: &mut ir::Emitter) {
    out.report(&codes::UPSTREAM_ODDITY, name, "a piece that its block has no place for");
}

fn keep(unknown: &Unknown<'_>, out: &mut ir::Extensions) {
    for (name, raw) in unknown.iter().filter(|(_, raw)| raw.get() != "null") {
        out.push(ID, field(ir::Text::from(&**name), raw));
    }
}

fn field(name: ir::Text, raw: &RawValue) -> ir::Extension {
    ir::Extension { name, value: raw.into(), loss: &codes::ANSWER_DETAIL_LOST }
}

/// The arguments of a custom tool's call, with its text in the place where it is looked for.
fn with_input(arguments: ir::Text) -> ir::Text {
    match json::read::<CustomInput<'_>>(&arguments) {
        Ok(CustomInput { input: None, .. }) => ir::Text::constant("{\"input\":\"\"}"),
        _ => arguments,
    }
}
