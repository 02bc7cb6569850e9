//! The stream of chunks that a client reads.

use serde::Serialize;
use serde_json::Value;

use super::delta::{Delta, More};
use super::response::{Logprobs, Teller, Told, UsageEntry};
use crate::context::Ids;
use crate::diagnostics::Diagnostic;
use crate::dialects::openai;
use crate::dialects::openai_chat_completions::ID;
use crate::error::Error;
use crate::frontends::{Asked, Encoder};
use crate::ir;
use crate::sse::{self, Refrain};

/// Writes an answer as chunks. Each says the whole head again, as the vendor's do.
#[derive(Debug)]
pub(super) struct ChunkEncoder {
    head: Head,
    /// How a chunk is written that has more of one thing, once one was.
    refrain: Option<(More, Refrain)>,
    created: u64,
    model: ir::Text,
    teller: Teller,
    includes_usage: bool,
    usage: ir::Usage,
    ids: Ids,
}

/// What all chunks have in common, as it is written: what stands before their choices, and what stands behind them.
#[derive(Debug, Default)]
struct Head {
    before: Vec<u8>,
    behind: Vec<u8>,
}

#[derive(Serialize)]
struct Before<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u64,
    delta: &'a Delta,
    logprobs: Option<&'a Logprobs>,
    finish_reason: Option<&'static str>,
}

impl ChunkEncoder {
    pub(super) fn new(asked: &Asked) -> Self {
        Self {
            head: Head::default(),
            refrain: None,
            created: asked.now,
            model: asked.model.clone(),
            teller: Teller::new(asked, true),
            includes_usage: asked.include_usage,
            usage: ir::Usage::default(),
            ids: asked.ids.clone(),
        }
    }

    fn start(&mut self, start: ir::Start, out: &mut Vec<u8>) {
        let ir::Start { id, created, usage, extensions, model: _ } = start;
        self.usage.update(usage);
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| self.ids.make("chatcmpl-"));
        self.head = Head::new(&id, created.unwrap_or(self.created), &self.model, &extensions);
        self.teller.extensions(&extensions);
        let first = Delta { role: Some("assistant"), content: Some(ir::Text::default()), ..Delta::default() };
        self.head.write(&(first, None), None, self.includes_usage, out);
    }

    fn finish_stream(&mut self, finish: &ir::Finish, out: &mut Vec<u8>) {
        let Self { head, teller, includes_usage, .. } = self;
        let reason = teller.finish(finish, &mut |told| head.write(&told, None, *includes_usage, out));
        head.write(&(Delta::default(), None), Some(reason), *includes_usage, out);
        // Where the upstream told no usage there is nothing to put in a chunk that holds nothing else.
        let usage = includes_usage.then(|| UsageEntry::new(std::mem::take(&mut self.usage))).flatten();
        if let Some(usage) = usage {
            head.write_chunk(&[], Some(Some(&usage)), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl Head {
    fn new(id: &str, created: u64, model: &str, extensions: &ir::Extensions) -> Self {
        let mut out = Self::default();
        sse::write_json_line(&Before { id, object: "chat.completion.chunk", created, model }, &mut out.before);
        // The object goes on.
        out.before.pop();
        sse::write_json_line(&extensions.written(ID, ""), &mut out.behind);
        // So does its end, unless there is nothing in it.
        if out.behind == b"{}" {
            out.behind = b"}".to_vec();
        } else if let Some(brace) = out.behind.first_mut() {
            *brace = b',';
        }
        out
    }

    fn write(&self, (delta, logprobs): &Told, finish: Option<&'static str>, says_usage: bool, out: &mut Vec<u8>) {
        let choice = Choice { index: 0, delta, logprobs: logprobs.as_ref(), finish_reason: finish };
        self.write_chunk(&[choice], says_usage.then_some(None), out);
    }

    /// The same for more of an answer, where that may be of the kind of the one before it.
    fn write_more(&self, told: &Told, refrain: &mut Option<(More, Refrain)>, says_usage: bool, out: &mut Vec<u8>) {
        let more = told.0.only().filter(|_| told.1.is_none());
        match (more, &*refrain) {
            (Some((more, text)), Some((before, refrain))) if more == *before => refrain.write(0, text, out),
            (Some((more, _)), _) => {
                self.write(told, None, says_usage, out);
                let mut event = Vec::new();
                self.write(&(more.delta(ir::Text::constant(Refrain::TEXT)), None), None, says_usage, &mut event);
                *refrain = Refrain::of(&event).map(|refrain| (more, refrain));
            }
            (None, _) => self.write(told, None, says_usage, out),
        }
    }

    fn write_chunk(&self, choices: &[Choice<'_>], usage: Option<Option<&UsageEntry>>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.before);
        out.extend_from_slice(b",\"choices\":");
        sse::write_json_line(choices, out);
        if let Some(usage) = usage {
            out.extend_from_slice(b",\"usage\":");
            sse::write_json_line(&usage, out);
        }
        out.extend_from_slice(&self.behind);
        out.extend_from_slice(b"\n\n");
    }
}

impl Encoder for ChunkEncoder {
    fn push(&mut self, event: ir::Event, out: &mut Vec<u8>) {
        let Self { head, refrain, teller, includes_usage, .. } = self;
        let mut told = |told: Told| head.write_more(&told, refrain, *includes_usage, out);
        match event {
            ir::Event::Start(start) => self.start(start, out),
            ir::Event::Usage(usage) => self.usage.update(usage),
            ir::Event::Idle => out.extend_from_slice(b": ping\n\n"),
            ir::Event::Open(open) => teller.open(open, &mut told),
            ir::Event::Delta(text) => teller.delta(text, &mut told),
            ir::Event::Annotate(annotation) => teller.annotate(annotation, &mut told),
            ir::Event::Seal(seal) => teller.seal(seal, &mut told),
            ir::Event::Close => teller.close(&mut told),
            ir::Event::Finish(finish) => self.finish_stream(&finish, out),
            ir::Event::Failed(error) => write_error(&error, out),
        }
    }

    fn take_losses(&mut self) -> Vec<Diagnostic> {
        self.teller.take_losses()
    }
}

/// The vendor's error event. Nothing follows it, not even `[DONE]`: nobody may take half an answer for a whole one.
fn write_error(error: &Error, out: &mut Vec<u8>) {
    // A native body may be spread over lines, which would end the event.
    let body: Value = serde_json::from_slice(&openai::render_error(error).body).unwrap_or_default();
    sse::write_data(&body, out);
}
