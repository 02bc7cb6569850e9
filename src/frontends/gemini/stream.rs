//! Writes streamed answers.

use std::borrow::Cow;

use super::error_body;
use super::response::{self, Answer, Call, Candidate, Signer, Tail, call, usage, whole};
use crate::context::Losses;
use crate::diagnostics::Diagnostic;
use crate::dialects::gemini::write::{Content, Part};
use crate::dialects::gemini::{ANSWER, ID};
use crate::envelope;
use crate::error::Error;
use crate::frontends::{Asked, Encoder};
use crate::ir;
use crate::sse::{self, Refrain};

/// The block that is open.
enum Block {
    Text { meta: ir::Meta, text: String, sources: Vec<ir::Citation> },
    Reasoning { meta: ir::Meta },
    Refusal { meta: ir::Meta },
    Call { id: ir::Text, name: ir::Text, kind: ir::CallKind, meta: ir::Meta, arguments: String },
    Whole,
}

/// Server-sent events, or one JSON array written piece by piece. Each piece is a whole answer with what is new.
///
/// Google's Python client takes each line that does not begin with `data: ` for a bare answer, so there are no comments, no
/// names and no other fields; a blank line is the sign of life.
pub(super) struct GeminiEncoder {
    model: ir::Text,
    id: ir::Text,
    hide_reasoning: bool,
    sse: bool,
    has_written: bool,
    start: ir::Start,
    usage: ir::Usage,
    tail: Tail,
    signer: Signer,
    block: Option<Block>,
    /// How more of the open block is written, once it was.
    refrain: Option<Refrain>,
    /// A call whose arguments cannot be run. Whether it was cut off, the next event tells: then it is left out, since a client
    /// would run it.
    doubtful: Option<Block>,
    /// Bytes of text in the blocks before the open one: sources are told by their place in all of the answer's text.
    text_before: usize,
    has_parts: bool,
    losses: Losses,
}

impl GeminiEncoder {
    pub(super) fn new(asked: &Asked) -> Self {
        Self {
            model: asked.model.clone(),
            id: asked.ids.clone().make(""),
            hide_reasoning: asked.hide_reasoning,
            sse: asked.sse,
            has_written: false,
            start: ir::Start::default(),
            usage: ir::Usage::default(),
            tail: Tail::default(),
            signer: Signer::default(),
            block: None,
            refrain: None,
            doubtful: None,
            text_before: 0,
            has_parts: false,
            losses: Losses::default(),
        }
    }

    /// Writes one piece of the stream; `json` writes what is in it.
    fn frame(&mut self, out: &mut Vec<u8>, json: impl FnOnce(&Self, &mut Vec<u8>)) {
        let is_first = !std::mem::replace(&mut self.has_written, true);
        if self.sse {
            out.extend_from_slice(b"data: ");
            json(self, out);
            out.extend_from_slice(b"\r\n\r\n");
        } else {
            out.extend_from_slice(if is_first { b"[" } else { b",\r\n" });
            json(self, out);
        }
    }

    fn part(&mut self, part: Part<'_>, out: &mut Vec<u8>) {
        self.has_parts = true;
        self.frame(out, |this, out| this.write_part(part, out));
    }

    fn write_part(&self, part: Part<'_>, out: &mut Vec<u8>) {
        let content = Content { role: Some(Cow::Borrowed("model")), parts: vec![part], extensions: None };
        let candidate = Candidate { content: Some(content), ..Candidate::default() };
        sse::write_json_line(&self.answer(Some(candidate), ir::Written::default()), out);
    }

    /// More of the open block. Its own fields, `meta`, are told once, on its first piece.
    fn more_of(&mut self, part: fn(&ir::Text) -> Part<'_>, delta: &ir::Text, meta: &ir::Meta, out: &mut Vec<u8>) {
        if self.refrain.is_some() {
            return self.frame(out, |this, out| {
                this.refrain.iter().for_each(|refrain| refrain.write(0, delta, out));
            });
        }
        self.part(part(delta).with(meta), out);
        let mut json = Vec::new();
        self.write_part(part(&ir::Text::constant(Refrain::TEXT)), &mut json);
        self.refrain = Refrain::of(&json);
    }

    fn answer<'a>(&'a self, candidate: Option<Candidate<'a>>, late: ir::Written<'a>) -> Answer<'a> {
        Answer {
            candidates: candidate.map(|candidate| [candidate]),
            usage_metadata: usage(&self.usage),
            model_version: &self.model,
            response_id: self.start.id.as_ref().unwrap_or(&self.id),
            extensions: self.start.extensions.written(ID, ""),
            late,
        }
    }

    fn open(&mut self, open: ir::Open, out: &mut Vec<u8>) {
        self.refrain = None;
        self.settle(out);
        self.losses.extensions(&open.meta().extensions, ID);
        self.block = Some(match open {
            ir::Open::Text { meta } => Block::Text { meta, text: String::new(), sources: Vec::new() },
            ir::Open::Reasoning { form: _, meta } => Block::Reasoning { meta },
            ir::Open::Refusal { meta } => {
                self.tail.is_refused = true;
                Block::Refusal { meta }
            }
            ir::Open::ToolCall { id, name, namespace, kind, meta } => {
                response::lose_of_call(&name, namespace.as_ref(), &mut self.losses);
                Block::Call { id, name, kind, meta, arguments: String::new() }
            }
            ir::Open::Whole(part) => {
                let told = whole(&part);
                self.tail.search(&part);
                response::lose_of_whole(&part, !told.is_empty(), &mut self.losses);
                for told in told {
                    self.text_before += told.text.as_ref().map_or(0, |text| text.len());
                    self.part(told, out);
                }
                Block::Whole
            }
        });
    }

    fn delta(&mut self, delta: &ir::Text, out: &mut Vec<u8>) {
        match &mut self.block {
            Some(Block::Text { meta, text, .. }) => {
                text.push_str(delta);
                let meta = std::mem::take(meta);
                self.more_of(|text| Part::of_text(text), delta, &meta, out);
            }
            Some(Block::Refusal { meta }) => {
                self.text_before += delta.len();
                let meta = std::mem::take(meta);
                self.more_of(|text| Part::of_text(text), delta, &meta, out);
            }
            Some(Block::Reasoning { meta }) if !self.hide_reasoning => {
                let meta = std::mem::take(meta);
                self.more_of(|text| Part::of_thought(text), delta, &meta, out);
            }
            // A call is told when it is whole: Gemini's streams have no pieces of calls.
            Some(Block::Call { arguments, .. }) => arguments.push_str(delta),
            Some(Block::Reasoning { .. }) => response::lose_thoughts(&mut self.losses),
            Some(Block::Whole) | None => {}
        }
    }

    /// The signature of a text or a thought stands on a part of its own, an empty one, behind the words: they are told
    /// already. A call's is told with the call.
    fn seal(&mut self, seal: ir::Sealed, out: &mut Vec<u8>) {
        let part = match &mut self.block {
            Some(Block::Reasoning { meta }) => {
                let slot = self.signer.thought(&seal);
                let part = Part::of_thought(ir::Text::default()).signed(Some(slot.as_str().to_owned()));
                let meta = std::mem::take(meta);
                return self.part(part.with(&meta), out);
            }
            Some(Block::Call { meta, .. }) => {
                meta.seal = Some(Box::new(seal));
                return;
            }
            Some(Block::Text { meta, .. } | Block::Refusal { meta }) => {
                let slot = envelope::wrap(&seal);
                (Part::of_text(ir::Text::default()).signed(Some(slot.as_str().to_owned())), std::mem::take(meta))
            }
            Some(Block::Whole) | None => return,
        };
        let (part, meta) = part;
        self.part(part.with(&meta), out);
    }

    fn annotate(&mut self, annotation: ir::Annotation) {
        match (annotation, &mut self.block) {
            // Told at the end of the answer, so that it can wait for the end of the block, which it may be a source of.
            (ir::Annotation::Citation(citation), Some(Block::Text { sources, .. })) => sources.push(citation),
            (ir::Annotation::Logprobs(logprobs), _) => self.tail.logprobs(logprobs),
            (ir::Annotation::Citation(_), _) => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match self.block.take() {
            Some(Block::Text { text, sources, .. }) => {
                for citation in sources {
                    response::lose_of_source(&citation, &mut self.losses);
                    self.tail.cite(&citation, &text, self.text_before, None);
                }
                self.text_before += text.len();
            }
            Some(block @ Block::Call { .. }) => {
                let is_whole =
                    matches!(&block, Block::Call { kind, arguments, .. } if ir::is_runnable(*kind, arguments));
                self.doubtful = Some(block);
                if is_whole {
                    self.settle(out);
                }
            }
            Some(Block::Reasoning { .. } | Block::Refusal { .. } | Block::Whole) | None => {}
        }
    }

    /// Tells the call that waits, if one does.
    fn settle(&mut self, out: &mut Vec<u8>) {
        if let Some(Block::Call { id, name, kind, meta, arguments }) = self.doubtful.take() {
            let signature = self.signer.call(meta.seal.as_deref());
            let arguments = ir::Text::from(arguments);
            let (part, is_wrapped) =
                call(&Call { id: &id, name: &name, kind, arguments: &arguments, meta: &meta }, signature);
            if is_wrapped {
                response::lose_arguments(&mut self.losses);
            }
            self.part(part, out);
        }
    }

    fn finish_with(&mut self, finish: &ir::Finish, out: &mut Vec<u8>) {
        response::lose_end(finish, &mut self.losses);
        if !finish.reason.cuts_off() {
            self.settle(out);
        } else if self.doubtful.is_some() {
            response::lose_cut(&mut self.losses);
        }
        // A prompt that was blocked has feedback and no candidate.
        let is_blocked = !self.has_parts && self.start.extensions.get(ID, "promptFeedback").is_some();
        let is_refused = !self.has_parts && finish.reason == ir::Reason::Refusal;
        let content = Content {
            role: Some(Cow::Borrowed("model")),
            parts: vec![Part::of_text(ir::Text::default())],
            extensions: None,
        };
        let late = finish.extensions.written(ID, ANSWER);
        let candidate = self.tail.candidate(finish, (!is_refused).then_some(content));
        let mut json = Vec::new();
        sse::write_json_line(&self.answer((!is_blocked).then_some(candidate), late), &mut json);
        self.frame(out, |_, out| out.extend_from_slice(&json));
    }
}

impl Encoder for GeminiEncoder {
    fn push(&mut self, event: ir::Event, out: &mut Vec<u8>) {
        match event {
            ir::Event::Start(start) => {
                self.usage.update(start.usage.clone());
                self.losses.extensions(&start.extensions, ID);
                self.start = start;
            }
            ir::Event::Usage(usage) => self.usage.update(usage),
            // Readers of Google's own (Genkit, @google/generative-ai) take nothing but answers between answers: they fail at an
            // empty line, and know long silences from Google.
            ir::Event::Idle => {}
            ir::Event::Open(open) => self.open(open, out),
            ir::Event::Delta(delta) => self.delta(&delta, out),
            ir::Event::Annotate(annotation) => self.annotate(annotation),
            ir::Event::Seal(seal) => self.seal(seal, out),
            ir::Event::Close => self.close(out),
            ir::Event::Finish(finish) => self.finish_with(&finish, out),
            ir::Event::Failed(error) => {
                let json = failure(&error);
                self.frame(out, |_, out| out.extend_from_slice(&json));
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.sse {
            out.extend_from_slice(if self.has_written { b"]" } else { b"[]" });
        }
    }

    fn take_losses(&mut self) -> Vec<Diagnostic> {
        self.losses.take()
    }

    fn content_type(&self) -> &'static str {
        if self.sse { "text/event-stream; charset=utf-8" } else { "application/json; charset=UTF-8" }
    }
}

/// An error in mid-stream: on one line, `error` its first key and `code` a number, or Google's client takes it for an answer
/// with nothing in it.
fn failure(error: &Error) -> Vec<u8> {
    if let Some(native) = error.native.as_ref().filter(|native| native.dialect == ID) {
        let body: serde_json::Value = serde_json::from_str(&native.body).unwrap_or_default();
        let first = body.as_array().and_then(|list| list.first()).unwrap_or(&body);
        if let Some(inner) = first.get("error").filter(|inner| inner.get("code").is_some_and(|code| code.is_u64())) {
            return serde_json::json!({ "error": inner }).to_string().into_bytes();
        }
    }
    let mut error = error.clone();
    error.native = None;
    error_body(&error)
}
