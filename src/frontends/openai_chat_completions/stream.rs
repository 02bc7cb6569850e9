//! The stream of chunks that a client reads.

use serde::Serialize;
use serde_json::Value;

use super::response::{Delta, Logprobs, Teller, Told, UsageEntry};
use crate::context::Ids;
use crate::diagnostics::Diagnostic;
use crate::dialects::openai;
use crate::dialects::openai_chat_completions::ID;
use crate::error::Error;
use crate::frontends::{Asked, Encoder};
use crate::ir;
use crate::sse;

/// Writes an answer as chunks. Each says the whole head again, as the vendor's do.
#[derive(Debug)]
pub(super) struct ChunkEncoder {
    head: Head,
    teller: Teller,
    includes_usage: bool,
    usage: ir::Usage,
    ids: Ids,
}

#[derive(Debug)]
struct Head {
    id: ir::Text,
    created: u64,
    model: ir::Text,
    extensions: ir::Extensions,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<&'a UsageEntry>>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
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
        let head = Head {
            id: ir::Text::default(),
            created: asked.now,
            model: asked.model.clone(),
            extensions: ir::Extensions::default(),
        };
        let (includes_usage, ids) = (asked.include_usage, asked.ids.clone());
        Self { head, teller: Teller::new(asked, true), includes_usage, usage: ir::Usage::default(), ids }
    }

    fn start(&mut self, start: ir::Start, out: &mut Vec<u8>) {
        let ir::Start { id, created, usage, extensions, model: _ } = start;
        self.usage.update(usage);
        self.head.id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| self.ids.make("chatcmpl-"));
        self.head.created = created.unwrap_or(self.head.created);
        self.teller.extensions(&extensions);
        self.head.extensions = extensions;
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
    fn write(&self, (delta, logprobs): &Told, finish: Option<&'static str>, says_usage: bool, out: &mut Vec<u8>) {
        let choice = Choice { index: 0, delta, logprobs: logprobs.as_ref(), finish_reason: finish };
        self.write_chunk(&[choice], says_usage.then_some(None), out);
    }

    fn write_chunk(&self, choices: &[Choice<'_>], usage: Option<Option<&UsageEntry>>, out: &mut Vec<u8>) {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage,
            rest: self.extensions.written(ID, ""),
        };
        sse::write_data(&chunk, out);
    }
}

impl Encoder for ChunkEncoder {
    fn push(&mut self, event: ir::Event, out: &mut Vec<u8>) {
        let Self { head, teller, includes_usage, .. } = self;
        let mut told = |told: Told| head.write(&told, None, *includes_usage, out);
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
