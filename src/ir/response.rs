//! An answer, whole.

use serde::Serialize;

use super::{Annotation, Event, Extensions, Open, Part, Reasoning, Refusal, Start, Text, TextPart, ToolCall};
use crate::error::Error;

/// What an upstream answered. One candidate: more travel by the relay alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Response {
    /// The upstream's id of the answer; `None` where it gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Text>,
    /// The upstream's name of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Text>,
    /// When it was made, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<u64>,
    /// What was said, in order.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: Finish,
    /// What it cost.
    pub usage: Usage,
    /// What its own dialect alone understands.
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

/// Why an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Finish {
    /// The reason, in words that all dialects share.
    pub reason: Reason,
    /// The upstream's own word for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<Text>,
    /// The stop sequence that was met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_sequence: Option<Text>,
    /// An explanation, where the upstream gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Text>,
    /// What its own dialect alone understands, and tells at the end: in a stream those of the answer are gone by then.
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

impl Reason {
    /// Whether the answer was cut off by something other than its maker's will, perhaps in the middle of a call.
    #[must_use]
    pub fn cuts_off(self) -> bool {
        match self {
            Self::Length | Self::ContextExceeded | Self::Refusal => true,
            Self::End | Self::StopSequence | Self::ToolUse | Self::Pause | Self::Malformed | Self::Other => false,
        }
    }
}

impl Finish {
    /// A reason and the upstream's word for it.
    #[must_use]
    pub fn new(reason: Reason, raw: &str) -> Self {
        Self { reason, raw: Some(raw.into()), ..Self::default() }
    }

    /// What a client is told of an answer that came to no good, where its dialect has no word for such an end.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        if self.reason != Reason::Malformed {
            return None;
        }
        let words = [self.raw.as_deref(), self.detail.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(": ");
        let what = "the model wrote a call that the upstream could not read";
        let message = if words.is_empty() { what.to_owned() } else { format!("{what} ({words})") };
        let mut error = Error::unreadable(message);
        error.code = Some("upstream_malformed_call".to_owned());
        Some(error)
    }
}

/// Why an answer ended. A tool call is told by the calls themselves: some upstreams say `stop` beside one, so a decoder
/// says [`Reason::ToolUse`] exactly when there is a call and the upstream's word is an ordinary end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// All was said.
    #[default]
    End,
    /// A stop sequence was met.
    StopSequence,
    /// The model waits for its tools.
    ToolUse,
    /// The limit of tokens was met.
    Length,
    /// The context window is full.
    ContextExceeded,
    /// The model, or a filter, declined.
    Refusal,
    /// A provider's own tool loop paused; the turn is to be sent again.
    Pause,
    /// The model wrote a call that the provider could not read.
    Malformed,
    /// Anything else; see `raw`.
    Other,
}

/// What an answer cost, in tokens. Unknown is not 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    /// The whole prompt, cached or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    /// Of it, read from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<u64>,
    /// Of it, written to a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
    /// The whole answer, thoughts included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Of it, thoughts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
    /// As the upstream wrote it, for a client of the same dialect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<super::Native>,
}

impl Usage {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// Takes what `newer` knows; the rest stays. Upstreams tell usage in several pieces, each with running totals.
    pub fn update(&mut self, newer: Self) {
        let Self { input, cache_read, cache_write, output, reasoning, raw } = newer;
        self.input = input.or(self.input);
        self.cache_read = cache_read.or(self.cache_read);
        self.cache_write = cache_write.or(self.cache_write);
        self.output = output.or(self.output);
        self.reasoning = reasoning.or(self.reasoning);
        self.raw = raw.or_else(|| self.raw.take());
    }

    /// Input and output together; unknown counts as 0.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.input.unwrap_or(0).saturating_add(self.output.unwrap_or(0))
    }
}

impl Response {
    /// Whether the model asks for a tool.
    #[must_use]
    pub fn has_tool_call(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::ToolCall(_)))
    }

    /// The same answer as a stream: `collect(response.events())` is `response`.
    #[must_use]
    pub fn events(self) -> Vec<Event> {
        let Self { id, model, created, parts, finish, usage, extensions } = self;
        // As with an upstream that knows the prompt's size when it begins; the rest is known at the end.
        let Usage { input, cache_read, cache_write, .. } = usage;
        let prompt = Usage { input, cache_read, cache_write, ..Usage::default() };
        let mut out = vec![Event::Start(Start { id, model, created, usage: prompt, extensions })];
        for part in parts {
            part_events(part, &mut out);
        }
        if !usage.is_unknown() {
            out.push(Event::Usage(usage));
        }
        out.push(Event::Finish(finish));
        out
    }
}

fn part_events(part: Part, out: &mut Vec<Event>) {
    match part {
        Part::Text(TextPart { text, citations, logprobs, mut meta }) => {
            let seal = meta.seal.take();
            out.push(Event::Open(Open::Text { meta }));
            push_delta(text, out);
            out.extend(citations.into_iter().map(|citation| Event::Annotate(Annotation::Citation(citation))));
            if !logprobs.is_empty() {
                out.push(Event::Annotate(Annotation::Logprobs(logprobs)));
            }
            out.extend(seal.map(|seal| Event::Seal(*seal)));
        }
        Part::ToolCall(ToolCall { id, name, namespace, kind, arguments, meta }) => {
            out.push(Event::Open(Open::ToolCall { id, name, namespace, kind, meta }));
            push_delta(arguments, out);
        }
        Part::Reasoning(Reasoning { text, form, mut meta }) => {
            let seal = meta.seal.take();
            out.push(Event::Open(Open::Reasoning { form, meta }));
            push_delta(text, out);
            out.extend(seal.map(|seal| Event::Seal(*seal)));
        }
        Part::Refusal(Refusal { text, mut meta }) => {
            let seal = meta.seal.take();
            out.push(Event::Open(Open::Refusal { meta }));
            push_delta(text, out);
            out.extend(seal.map(|seal| Event::Seal(*seal)));
        }
        whole @ (Part::Media(_) | Part::ToolResult(_) | Part::Opaque(_)) => {
            out.push(Event::Open(Open::Whole(Box::new(whole))));
        }
    }
    out.push(Event::Close);
}

fn push_delta(text: Text, out: &mut Vec<Event>) {
    if !text.is_empty() {
        out.push(Event::Delta(text));
    }
}
