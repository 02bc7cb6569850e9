//! Rendering an answer, whole and streamed: the same code builds the items of both.

mod traces;

use serde::Serialize;
use serde_json::Value;

use super::DIALECT;
use super::compaction::Summary;
use super::response::{Call, ErrorEvent, Head, Item, ResponseObject, Status, content, image};
use super::slots::{self, Owner};
use crate::context::{Cx, Ids, Losses};
use crate::diagnostics::{Diagnostic, codes};
use crate::dialects::hosted;
use crate::dialects::openai_responses::own_tools::OwnTool;
use crate::dialects::openai_responses::{self as words, Annotation, Content, Logprob};
use crate::error::{Error, Kind};
use crate::frontends::{Asked, Encoder};
use crate::ir;
use crate::sse::{self, Refrain};

/// Renders a whole answer.
pub(super) fn render(cx: &mut Cx, asked: &Asked, response: ir::Response) -> Vec<u8> {
    let mut stream = Stream { writes: false, ..Stream::new(asked) };
    let mut out = Vec::new();
    for event in response.events() {
        stream.push(event, &mut out);
    }
    out.clear();
    cx.report_all(stream.take_losses());
    sse::write_json(&stream.object(stream.status), &mut out);
    out
}

/// The content of a picture.
fn image_data(media: &ir::Media) -> Option<&ir::Text> {
    match &media.source {
        ir::MediaSource::Inline(data) if media.kind == ir::MediaKind::Image => Some(data),
        ir::MediaSource::Inline(_)
        | ir::MediaSource::Url(_)
        | ir::MediaSource::File { .. }
        | ir::MediaSource::Text(_) => None,
    }
}

/// The state of one answer.
pub(super) struct Stream {
    asked: Asked,
    ids: Ids,
    /// Events are written; a whole answer needs none.
    writes: bool,
    sequence: u64,
    head: Head,
    /// The items that are done.
    output: Vec<ir::Json>,
    /// The item that is open. A message and an item of thoughts stay open until something else begins, since more of them
    /// may follow.
    item: Option<Item>,
    block: Block,
    /// How more of the open block is written, once it was.
    refrain: Option<Refrain>,
    /// The open item is a call whose arguments cannot be run, with its seal: whether it was cut off, the next event tells.
    doubtful: Option<Option<ir::Sealed>>,
    /// Runs of code whose output is still to come: one item tells both.
    runs: Vec<traces::Run>,
    usage: ir::Usage,
    has_refusal: bool,
    status: Status,
    failure: Option<Error>,
    losses: Losses,
    /// What the answer is made into, where the conversation is to be summed up.
    summary: Option<Summary>,
}

/// The block of the IR that is open. Texts and thoughts begin on the wire with their first words: what stays empty is
/// never told.
enum Block {
    None,
    Text {
        part: ir::TextPart,
        text: String,
        begun: bool,
        seal: Option<ir::Sealed>,
        /// Sources of the whole block: where it ends is known once it does.
        sources: Vec<ir::Citation>,
    },
    Refusal {
        part: ir::Refusal,
        text: String,
        begun: bool,
    },
    Reasoning {
        part: ir::Reasoning,
        text: String,
        begun: bool,
        seal: Option<ir::Sealed>,
    },
    Call {
        seal: Option<ir::Sealed>,
    },
}

/// Data of an event. One struct for all, since they share their fields.
#[derive(Clone, Default, Serialize)]
struct Data<'a> {
    r#type: &'static str,
    sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a ResponseObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotation_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a ir::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<&'a Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotation: Option<&'a Annotation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<Vec<Logprob<'a>>>,
}

impl Stream {
    pub(super) fn new(asked: &Asked) -> Self {
        Self {
            asked: asked.clone(),
            ids: asked.ids.clone(),
            writes: true,
            sequence: 0,
            head: Head::default(),
            output: Vec::new(),
            item: None,
            block: Block::None,
            refrain: None,
            doubtful: None,
            runs: Vec::new(),
            usage: ir::Usage::default(),
            has_refusal: false,
            status: Status::IN_PROGRESS,
            failure: None,
            losses: Losses::default(),
            summary: asked.sums_up.then(Summary::default),
        }
    }

    /// The response object as it stands.
    fn object(&self, status: Status) -> ResponseObject<'_> {
        ResponseObject {
            head: &self.head,
            asked: &self.asked,
            status,
            error: self.failure.as_ref(),
            output: &self.output,
            usage: (self.usage != ir::Usage::default()).then_some(&self.usage),
        }
    }

    fn write(&mut self, data: Data<'_>, out: &mut Vec<u8>) {
        if self.writes {
            sse::write_event(data.r#type, &Data { sequence_number: self.sequence, ..data }, out);
            self.sequence += 1;
        }
    }

    fn write_response(&mut self, name: &'static str, status: Status, out: &mut Vec<u8>) {
        if self.writes {
            let object = self.object(status);
            let data =
                Data { r#type: name, sequence_number: self.sequence, response: Some(&object), ..Data::default() };
            sse::write_event(name, &data, out);
            self.sequence += 1;
        }
    }

    /// Where the item that is open stands in the output.
    fn index(&self) -> usize {
        self.output.len()
    }

    fn start(&mut self, start: ir::Start, out: &mut Vec<u8>) {
        let ir::Start { id, model: _, created, usage, extensions } = start;
        self.usage.update(usage);
        self.losses.extensions(&extensions, DIALECT);
        let is_ours = |id: &ir::Text| extensions.dialect() == Some(DIALECT) || id.starts_with("resp_");
        let kept_as = self.asked.kept_as.clone();
        let id = kept_as.or_else(|| id.filter(is_ours)).unwrap_or_else(|| self.ids.make("resp_"));
        let created = created.unwrap_or(self.asked.now);
        self.head = Head { id, created, extensions, late: ir::Extensions::default() };
        self.write_response("response.created", Status::IN_PROGRESS, out);
        self.write_response("response.in_progress", Status::IN_PROGRESS, out);
    }

    /// An item begins.
    fn open_item(&mut self, item: Item, out: &mut Vec<u8>) {
        let json = item.json("in_progress");
        self.item = Some(item);
        self.write_item("response.output_item.added", &json, out);
    }

    fn write_item(&mut self, name: &'static str, json: &ir::Json, out: &mut Vec<u8>) {
        let output_index = Some(self.index());
        self.write(Data { r#type: name, output_index, item: Some(json), ..Data::default() }, out);
    }

    /// The item that is open, if any, is whole.
    fn close_item(&mut self, status: &str, out: &mut Vec<u8>) {
        if let Some(item) = self.item.take() {
            if matches!(&item, Item::Call(Call { own: Some(_), .. })) {
                self.write_item("response.output_item.added", &item.json("in_progress"), out);
            }
            let json = item.json(status);
            self.done(json, out);
        }
    }

    fn done(&mut self, json: ir::Json, out: &mut Vec<u8>) {
        self.write_item("response.output_item.done", &json, out);
        self.output.push(json);
    }

    /// An item that comes in one piece.
    fn whole_item(&mut self, json: ir::Json, out: &mut Vec<u8>) {
        self.close_item("completed", out);
        self.write_item("response.output_item.added", &json, out);
        self.done(json, out);
    }

    /// The reasoning item that carries the seal of an item which has no slot.
    fn seal_item(&mut self, seal: &ir::Sealed, owner: &Owner, out: &mut Vec<u8>) {
        self.close_item("completed", out);
        let id = self.ids.make(words::MADE_UP_REASONING);
        let encrypted = Some(slots::wrap(seal, owner));
        let item = Item::Reasoning { id, meta: ir::Meta::default(), texts: Vec::new(), encrypted };
        let json = item.json("completed");
        self.whole_item(json, out);
    }

    /// Opens the message that a text or refusal belongs to, unless it is open.
    fn open_message(&mut self, meta: &ir::Meta, out: &mut Vec<u8>) {
        let is_same = match &self.item {
            Some(Item::Message { meta: open, .. }) => {
                open.item == meta.item && !words::is_marked(&meta.extensions, words::BEGINS)
            }
            Some(Item::Reasoning { .. } | Item::Call(_)) | None => false,
        };
        if is_same {
            return;
        }
        self.close_item("completed", out);
        let id = meta.item.as_ref().and_then(|item| item.id.clone()).unwrap_or_else(|| self.ids.make("msg_"));
        self.open_item(Item::Message { id, meta: meta.clone(), parts: Vec::new() }, out);
    }

    /// How many parts of the open item are done: the index of the one that is open.
    fn part_index(&self, form: Option<ir::ReasoningForm>) -> usize {
        match (&self.item, form) {
            (Some(Item::Message { parts, .. }), _) => parts.len(),
            (Some(Item::Reasoning { texts, .. }), form) => {
                texts.iter().filter(|(other, _)| Some(*other) == form).count()
            }
            (Some(Item::Call(_)) | None, _) => 0,
        }
    }

    /// Data about the open part of the open item.
    fn at_part(&self, form: Option<ir::ReasoningForm>) -> (ir::Text, usize, usize) {
        let id = self.item.as_ref().map(|item| item.id().clone()).unwrap_or_default();
        (id, self.index(), self.part_index(form))
    }

    /// An event about the content part that is open.
    fn write_part(&mut self, data: Data<'_>, out: &mut Vec<u8>) {
        if self.writes {
            let (id, output_index, content_index) = self.at_part(None);
            let place = (Some(output_index), Some(content_index));
            self.write(Data { item_id: Some(&id), output_index: place.0, content_index: place.1, ..data }, out);
        }
    }

    /// An event about the piece of thoughts that is open.
    fn write_thought(&mut self, form: ir::ReasoningForm, data: Data<'_>, out: &mut Vec<u8>) {
        if self.writes {
            let (id, output_index, index) = self.at_part(Some(form));
            let is_raw = form == ir::ReasoningForm::Raw;
            let data = Data {
                item_id: Some(&id),
                output_index: Some(output_index),
                content_index: is_raw.then_some(index),
                summary_index: (!is_raw).then_some(index),
                ..data
            };
            self.write(data, out);
        }
    }

    fn open(&mut self, open: ir::Open, out: &mut Vec<u8>) {
        self.refrain = None;
        self.settle(false, out);
        if !traces::is_of_run(&open) {
            self.tell_runs(out);
        }
        self.losses.extensions(&open.meta().extensions, DIALECT);
        self.block = match open {
            ir::Open::Text { meta } => {
                let part = ir::TextPart { meta, ..ir::TextPart::default() };
                Block::Text { part, text: String::new(), begun: false, seal: None, sources: Vec::new() }
            }
            ir::Open::Refusal { meta } => {
                self.has_refusal = true;
                Block::Refusal {
                    part: ir::Refusal { meta, ..ir::Refusal::default() },
                    text: String::new(),
                    begun: false,
                }
            }
            ir::Open::Reasoning { form, meta } => {
                let part = ir::Reasoning { form, meta, ..ir::Reasoning::default() };
                Block::Reasoning { part, text: String::new(), begun: false, seal: None }
            }
            ir::Open::ToolCall { id: call_id, name, namespace, kind, meta } => {
                self.close_item("completed", out);
                let is_own =
                    kind == ir::CallKind::Function && namespace.is_none() && self.asked.own_tools.contains(&name);
                let own = OwnTool::of_name(&name).filter(|_| is_own);
                let prefix = match (own, kind) {
                    (Some(own), _) => own.id_prefix(),
                    (None, ir::CallKind::Custom) => "ctc_",
                    (None, ir::CallKind::Function) => "fc_",
                };
                let id = meta.item.as_ref().and_then(|item| item.id.clone()).unwrap_or_else(|| self.ids.make(prefix));
                let arguments = String::new();
                let seal = meta.seal.as_deref().filter(|seal| !seal.is_note()).cloned();
                let item = Item::Call(Call { id, call_id, name, namespace, kind, own, arguments, meta });
                match own {
                    // Clients take the file of a patch from the item's beginning, so it waits until that is known.
                    Some(_) => self.item = Some(item),
                    None => self.open_item(item, out),
                }
                Block::Call { seal }
            }
            ir::Open::Whole(part) => {
                self.whole(*part, out);
                Block::None
            }
        };
    }

    /// The text, refusal or piece of thoughts that is open begins on the wire, unless it has.
    fn begin(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.block, Block::None) {
            Block::Text { part, text, begun: false, seal, sources } => {
                self.open_message(&part.meta, out);
                let empty = ir::Part::Text(ir::TextPart::default());
                let data = Data { r#type: "response.content_part.added", ..Data::default() };
                self.write_part(Data { part: content(&empty).as_ref(), ..data }, out);
                self.block = Block::Text { part, text, begun: true, seal, sources };
            }
            Block::Refusal { part, text, begun: false } => {
                self.open_message(&part.meta, out);
                let empty = ir::Part::Refusal(ir::Refusal::default());
                let data = Data { r#type: "response.content_part.added", ..Data::default() };
                self.write_part(Data { part: content(&empty).as_ref(), ..data }, out);
                self.block = Block::Refusal { part, text, begun: true };
            }
            Block::Reasoning { part, text, begun: false, seal } => {
                self.open_reasoning(&part.meta, out);
                match part.form {
                    ir::ReasoningForm::Summary => {
                        let empty = Content::SummaryText { text: "" };
                        let name = "response.reasoning_summary_part.added";
                        let data = Data { r#type: name, part: Some(&empty), ..Data::default() };
                        self.write_thought(part.form, data, out);
                    }
                    ir::ReasoningForm::Raw => {
                        let empty = Content::ReasoningText { text: "" };
                        let name = "response.content_part.added";
                        let data = Data { r#type: name, part: Some(&empty), ..Data::default() };
                        self.write_thought(part.form, data, out);
                    }
                    ir::ReasoningForm::Redacted => {}
                }
                self.block = Block::Reasoning { part, text, begun: true, seal };
            }
            other => self.block = other,
        }
    }

    fn open_reasoning(&mut self, meta: &ir::Meta, out: &mut Vec<u8>) {
        let is_same = match &self.item {
            Some(Item::Reasoning { meta: open, encrypted, .. }) => {
                encrypted.is_none() && words::joins_reasoning(open, meta)
            }
            Some(Item::Message { .. } | Item::Call(_)) | None => false,
        };
        if is_same {
            return;
        }
        self.close_item("completed", out);
        let id = meta.item.as_ref().and_then(|item| item.id.clone());
        let id = id.unwrap_or_else(|| self.ids.make(words::MADE_UP_REASONING));
        self.open_item(Item::Reasoning { id, meta: meta.clone(), texts: Vec::new(), encrypted: None }, out);
    }

    fn delta(&mut self, delta: &ir::Text, out: &mut Vec<u8>) {
        let is_hidden = matches!(self.block, Block::Reasoning { .. }) && self.asked.hide_reasoning;
        if is_hidden {
            return self.losses.add(&codes::REASONING_HIDDEN, "", "the client asked not to see thoughts");
        }
        self.begin(out);
        match &mut self.block {
            Block::Text { text, .. } | Block::Refusal { text, .. } | Block::Reasoning { text, .. } => {
                text.push_str(delta)
            }
            Block::Call { .. } => {
                let Some(Item::Call(call)) = &mut self.item else { return };
                call.arguments.push_str(delta);
            }
            Block::None => {}
        }
        if !self.writes {
            return;
        }
        if let Some(refrain) = &self.refrain {
            refrain.write(self.sequence, delta, out);
            self.sequence += 1;
            return;
        }
        self.write_delta(delta, out);
        let (sequence, mut event) = (std::mem::replace(&mut self.sequence, Refrain::NUMBER), Vec::new());
        self.write_delta(Refrain::TEXT, &mut event);
        self.sequence = sequence;
        self.refrain = Refrain::of(&event);
    }

    /// The event that tells more of the open block.
    fn write_delta(&mut self, delta: &str, out: &mut Vec<u8>) {
        let data = |name: &'static str| Data { r#type: name, delta: Some(delta), ..Data::default() };
        match &self.block {
            Block::Text { .. } => {
                self.write_part(Data { logprobs: Some(Vec::new()), ..data("response.output_text.delta") }, out);
            }
            Block::Refusal { .. } => self.write_part(data("response.refusal.delta"), out),
            Block::Reasoning { part, .. } => match part.form {
                form @ ir::ReasoningForm::Summary => {
                    self.write_thought(form, data("response.reasoning_summary_text.delta"), out);
                }
                form @ ir::ReasoningForm::Raw => self.write_thought(form, data("response.reasoning_text.delta"), out),
                ir::ReasoningForm::Redacted => {}
            },
            Block::Call { .. } => {
                let Some(Item::Call(call)) = &self.item else { return };
                // Such an item has no events between its beginning and its end.
                if call.own.is_some() {
                    return;
                }
                let (id, kind) = (call.id.clone(), call.kind);
                let name = match kind {
                    ir::CallKind::Function => "response.function_call_arguments.delta",
                    ir::CallKind::Custom => "response.custom_tool_call_input.delta",
                };
                let output_index = Some(self.index());
                self.write(Data { item_id: Some(&id), output_index, ..data(name) }, out);
            }
            Block::None => {}
        }
    }

    fn cite(&mut self, citation: ir::Citation, out: &mut Vec<u8>) {
        self.begin(out);
        let Block::Text { part, text, sources, .. } = &mut self.block else { return };
        let is_own = citation.native.as_ref().is_some_and(|native| native.dialect == DIALECT);
        if citation.span.is_none() && !is_own {
            return sources.push(citation);
        }
        if citation.quote.is_some() && !is_own {
            self.losses.add(&codes::CITATION_DEGRADED, "", "the words of a source are left out");
        }
        let characters = text.chars().count();
        let Some(annotation) = Annotation::new(&citation, characters) else {
            return self.losses.add(&codes::CITATION_DEGRADED, "", "a source without an address is left out");
        };
        let annotation_index = Some(part.citations.len());
        let name = "response.output_text.annotation.added";
        let data = Data { r#type: name, annotation_index, annotation: Some(&annotation), ..Data::default() };
        part.citations.push(citation.clone());
        self.write_part(data, out);
    }

    fn logprobs(&mut self, logprobs: Vec<ir::TokenLogprob>, out: &mut Vec<u8>) {
        self.begin(out);
        let Block::Text { part, .. } = &mut self.block else { return };
        // The deltas they belong to are gone; a delta without words carries them.
        let list = Some(Logprob::list(&logprobs));
        let data = Data { r#type: "response.output_text.delta", delta: Some(""), logprobs: list, ..Data::default() };
        part.logprobs.extend(logprobs.iter().cloned());
        self.write_part(data, out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let Block::Text { text, sources, .. } = &mut self.block {
            let span = Some((0, text.chars().count()));
            for citation in std::mem::take(sources) {
                self.cite(ir::Citation { span, ..citation }, out);
            }
        }
        match std::mem::replace(&mut self.block, Block::None) {
            Block::None => {}
            Block::Text { part, text, begun, seal, sources: _ } => {
                if begun {
                    self.close_text(ir::TextPart { text: text.into(), ..part }, out);
                }
                if let Some(seal) = seal {
                    self.seal_item(&seal, if begun { &Owner::Text } else { &Owner::Empty }, out);
                }
            }
            Block::Refusal { part, text, begun } => {
                if begun {
                    self.close_refusal(ir::Refusal { text: text.into(), ..part }, out);
                }
            }
            Block::Reasoning { part, text, begun, seal } => {
                let has_id = part.meta.item.as_ref().is_some_and(|item| item.id.is_some());
                if begun {
                    self.close_thought(part.form, text, out);
                } else if seal.is_some() || has_id {
                    self.open_reasoning(&part.meta, out);
                }
                if let (Some(seal), Some(Item::Reasoning { encrypted, .. })) = (seal, &mut self.item) {
                    *encrypted = Some(slots::wrap(&seal, &Owner::Reasoning));
                    // Nothing joins thoughts that are sealed.
                    self.close_item("completed", out);
                }
            }
            Block::Call { seal } => match &self.item {
                Some(Item::Call(call)) if !ir::is_runnable(call.kind, &call.arguments) => self.doubtful = Some(seal),
                _ => self.close_call(seal.as_ref(), out),
            },
        }
    }

    fn close_text(&mut self, part: ir::TextPart, out: &mut Vec<u8>) {
        let name = "response.output_text.done";
        let logprobs = Some(Logprob::list(&part.logprobs));
        self.write_part(Data { r#type: name, text: Some(&part.text), logprobs, ..Data::default() }, out);
        self.close_content(ir::Part::Text(part), out);
    }

    fn close_refusal(&mut self, part: ir::Refusal, out: &mut Vec<u8>) {
        let name = "response.refusal.done";
        self.write_part(Data { r#type: name, refusal: Some(&part.text), ..Data::default() }, out);
        self.close_content(ir::Part::Refusal(part), out);
    }

    fn close_content(&mut self, part: ir::Part, out: &mut Vec<u8>) {
        let data = Data { r#type: "response.content_part.done", ..Data::default() };
        self.write_part(Data { part: content(&part).as_ref(), ..data }, out);
        if let Some(Item::Message { parts, .. }) = &mut self.item {
            parts.push(part);
        }
    }

    fn close_thought(&mut self, form: ir::ReasoningForm, text: String, out: &mut Vec<u8>) {
        let data = |name: &'static str| Data { r#type: name, ..Data::default() };
        match form {
            ir::ReasoningForm::Summary => {
                let done = data("response.reasoning_summary_text.done");
                self.write_thought(form, Data { text: Some(&text), ..done }, out);
                let part = Content::SummaryText { text: &text };
                let done = data("response.reasoning_summary_part.done");
                self.write_thought(form, Data { part: Some(&part), ..done }, out);
            }
            ir::ReasoningForm::Raw => {
                let done = data("response.reasoning_text.done");
                self.write_thought(form, Data { text: Some(&text), ..done }, out);
                let part = Content::ReasoningText { text: &text };
                let done = data("response.content_part.done");
                self.write_thought(form, Data { part: Some(&part), ..done }, out);
            }
            ir::ReasoningForm::Redacted => {}
        }
        if let Some(Item::Reasoning { texts, .. }) = &mut self.item {
            texts.push((form, text));
        }
    }

    /// The call that waits, if one does, is known to be whole, or to be `cut` off: then nobody is to run it.
    fn settle(&mut self, cut: bool, out: &mut Vec<u8>) {
        match self.doubtful.take() {
            Some(_) if cut => self.close_item("incomplete", out),
            Some(seal) => self.close_call(seal.as_ref(), out),
            None => {}
        }
    }

    fn close_call(&mut self, seal: Option<&ir::Sealed>, out: &mut Vec<u8>) {
        let Some(Item::Call(call)) = &self.item else { return };
        let call = call.clone();
        if let Some(own) = call.own {
            let is_runnable = own.is_runnable(&call.arguments);
            if !is_runnable {
                let what = format!("what the model wrote to call {} cannot be read", own.name());
                self.losses.add(&codes::UPSTREAM_ODDITY, "", what);
            }
            self.close_item(if is_runnable { "completed" } else { "incomplete" }, out);
            return self.seal_call(seal, call.call_id, out);
        }
        let (is_custom, output_index) = (call.kind == ir::CallKind::Custom, Some(self.index()));
        let name =
            if is_custom { "response.custom_tool_call_input.done" } else { "response.function_call_arguments.done" };
        let data = Data {
            r#type: name,
            item_id: Some(&call.id),
            output_index,
            arguments: (!is_custom).then_some(&call.arguments),
            input: is_custom.then_some(&call.arguments),
            name: (!is_custom).then_some(&call.name),
            ..Data::default()
        };
        self.write(data, out);
        self.close_item("completed", out);
        self.seal_call(seal, call.call_id, out);
    }

    fn seal_call(&mut self, seal: Option<&ir::Sealed>, call_id: ir::Text, out: &mut Vec<u8>) {
        if let Some(seal) = seal {
            self.seal_item(seal, &Owner::Call(call_id), out);
        }
    }

    fn whole(&mut self, part: ir::Part, out: &mut Vec<u8>) {
        match part {
            ir::Part::Opaque(opaque) if opaque.dialect == DIALECT => {
                if words::is_marked(&opaque.meta.extensions, words::CONTENT) {
                    self.open_message(&opaque.meta, out);
                    let part = ir::Part::Opaque(opaque);
                    let data = Data { r#type: "response.content_part.added", ..Data::default() };
                    self.write_part(Data { part: content(&part).as_ref(), ..data }, out);
                    self.close_content(part, out);
                } else if opaque.kind == "message" {
                    self.empty_message(opaque.value, out);
                } else {
                    let json = self.with_id(opaque.value);
                    self.whole_item(json, out);
                }
            }
            ir::Part::Opaque(opaque) => {
                if let Some(seal) = hosted::carry(&opaque) {
                    self.seal_item(&seal, &Owner::Part, out);
                }
                if self.trace(&opaque, out) {
                    return;
                }
                self.tell_runs(out);
                self.losses.opaque(&opaque, DIALECT);
                if let Some(text) = opaque.words {
                    self.words(text, out);
                }
            }
            ir::Part::Media(media) => match (image_data(&media), media.words()) {
                (Some(data), _) => {
                    let id = media.meta.item.as_ref().and_then(|item| item.id.clone());
                    let id = id.unwrap_or_else(|| self.ids.make("ig_"));
                    let json = image(&media, data, &id);
                    self.whole_item(json, out);
                }
                (None, Some(text)) => {
                    self.losses.add(&codes::CONTENT_AS_TEXT, "", "media that the dialect has no item for");
                    self.words(text, out);
                }
                (None, None) => {
                    self.losses.add(&codes::ANSWER_PART_DROPPED, "", "media that the dialect has no item for");
                }
            },
            ir::Part::ToolResult(_) => {
                self.losses.add(&codes::ANSWER_PART_DROPPED, "", "a tool's result has no place in an answer");
            }
            // These never come whole.
            ir::Part::Text(_) | ir::Part::ToolCall(_) | ir::Part::Reasoning(_) | ir::Part::Refusal(_) => {}
        }
    }

    /// An item as it came, with an id where it has none: clients know items by their ids.
    fn with_id(&mut self, json: ir::Json) -> ir::Json {
        match json.value() {
            Value::Object(mut item) if !item.get("id").is_some_and(Value::is_string) => {
                item.insert("id".to_owned(), self.ids.make("item_").as_str().into());
                ir::Json::of(&item)
            }
            _ => json,
        }
    }

    /// A message without words, of an upstream of the same dialect: its parts are told as if they had some.
    fn empty_message(&mut self, value: ir::Json, out: &mut Vec<u8>) {
        let Value::Object(mut item) = value.value() else { return self.whole_item(value, out) };
        let content = item.insert("content".to_owned(), Value::Array(Vec::new()));
        item.insert("status".to_owned(), "in_progress".into());
        self.close_item("completed", out);
        self.write_item("response.output_item.added", &ir::Json::of(&item), out);
        let (item_id, output_index) = (item.get("id").and_then(Value::as_str), Some(self.index()));
        for (index, part) in content.as_ref().and_then(Value::as_array).into_iter().flatten().enumerate() {
            let at = Data { item_id, output_index, content_index: Some(index), ..Data::default() };
            let json = ir::Json::of(part);
            let raw = Content::Raw(&json);
            self.write(Data { r#type: "response.content_part.added", part: Some(&raw), ..at.clone() }, out);
            if part.get("type").is_some_and(|kind| kind == "output_text") {
                let (text, logprobs) = (Some(""), Some(Vec::new()));
                self.write(Data { r#type: "response.output_text.done", text, logprobs, ..at.clone() }, out);
            }
            self.write(Data { r#type: "response.content_part.done", part: Some(&raw), ..at }, out);
        }
        self.done(value, out);
    }

    /// Tells in words what has no item.
    fn words(&mut self, text: ir::Text, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.open(ir::Open::Text { meta: ir::Meta::default() }, out);
        self.delta(&text, out);
        self.close(out);
    }

    fn finish_with(&mut self, finish: &ir::Finish, out: &mut Vec<u8>) {
        if let Some(summary) = self.summary.take().filter(|_| !finish.reason.cuts_off()) {
            let id = self.ids.make("cmp_");
            match summary.item(&id) {
                Some(item) => self.whole_item(item, out),
                None => return self.fail(Error::new(Kind::Server, "the model wrote no summary"), out),
            }
        }
        self.status = Status::of(finish, self.has_refusal);
        self.settle(finish.reason.cuts_off(), out);
        self.tell_runs(out);
        self.head.late = finish.extensions.clone();
        self.losses.extensions(&finish.extensions, DIALECT);
        let is_odd = matches!(finish.reason, ir::Reason::Pause | ir::Reason::Other);
        if is_odd && self.status.word == "completed" {
            let what = format!("why the answer ended: {}", finish.raw.as_deref().unwrap_or("unknown"));
            self.losses.add(&codes::STOP_DETAIL_LOST, "", what);
        }
        if finish.stop_sequence.is_some() {
            self.losses.add(&codes::STOP_DETAIL_LOST, "", "the stop sequence that was met");
        }
        let is_filtered = self.status.reason == Some("content_filter");
        if let Some(detail) = finish.detail.clone().filter(|detail| is_filtered && !detail.is_empty()) {
            // Other vendors explain a refusal beside the answer; here that is a refusal's words.
            self.open(ir::Open::Refusal { meta: ir::Meta::default() }, out);
            self.delta(&detail, out);
            self.close(out);
        }
        if self.status == Status::FAILED {
            self.failure = finish.failure();
        }
        let status = if self.status.word == "incomplete" { "incomplete" } else { "completed" };
        self.close_item(status, out);
        self.write_response(self.status.event(), self.status, out);
    }

    fn fail(&mut self, error: Error, out: &mut Vec<u8>) {
        self.tell_runs(out);
        // A block that is open stays open: nobody may take half a call for a whole one.
        if matches!(self.block, Block::None) && self.doubtful.is_none() {
            self.close_item("incomplete", out);
        }
        self.item = None;
        if self.writes {
            sse::write_event("error", &ErrorEvent::new(&error, self.sequence), out);
            self.sequence += 1;
        }
        self.failure = Some(error);
        self.status = Status::FAILED;
        self.write_response("response.failed", Status::FAILED, out);
    }
}

impl Encoder for Stream {
    fn push(&mut self, event: ir::Event, out: &mut Vec<u8>) {
        let event = match &mut self.summary {
            Some(summary) => summary.take(event),
            None => Some(event),
        };
        let Some(event) = event else { return };
        match event {
            ir::Event::Start(start) => self.start(start, out),
            ir::Event::Usage(usage) => self.usage.update(usage),
            ir::Event::Idle => out.extend_from_slice(b": keep-alive\n\n"),
            ir::Event::Open(open) => self.open(open, out),
            ir::Event::Delta(delta) => self.delta(&delta, out),
            ir::Event::Annotate(ir::Annotation::Citation(citation)) => self.cite(citation, out),
            ir::Event::Annotate(ir::Annotation::Logprobs(logprobs)) => self.logprobs(logprobs, out),
            // What it notes stands in the item itself, for a client of this dialect.
            ir::Event::Seal(new) if new.is_note() => {}
            ir::Event::Seal(new) => match &mut self.block {
                Block::Text { seal, .. } | Block::Reasoning { seal, .. } | Block::Call { seal } => *seal = Some(new),
                Block::Refusal { .. } | Block::None => {}
            },
            ir::Event::Close => self.close(out),
            ir::Event::Finish(finish) => self.finish_with(&finish, out),
            ir::Event::Failed(error) => self.fail(error, out),
        }
    }

    fn take_losses(&mut self) -> Vec<Diagnostic> {
        self.losses.take()
    }

    fn whole(&self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        sse::write_json(&self.object(self.status), &mut out);
        Some(out)
    }
}
