//! An answer, piece by piece.
//!
//! ```text
//! stream := Start (Usage | Idle | block)* (Finish | Failed)
//! block  := Open (Delta | Seal | Annotate | Idle)* (Close | Failed)
//! ```
//!
//! At most one block is open, so no event needs an index. A block that was cut short is never closed: the stream ends in
//! `Failed` while it is open, and nobody can take half a call for a whole one. [`check`] holds a list of events to this.

use serde::Serialize;

use super::{
    CallKind, Citation, Extensions, Finish, Meta, Part, Pieces, Reasoning, ReasoningForm, Refusal, Response, Sealed,
    Text, TextPart, TokenLogprob, ToolCall, Usage,
};
use crate::error::Error;

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The answer begins. Always first, once.
    Start(Start),
    /// Running totals; what a later one knows replaces what an earlier one said. Never while a block is open.
    Usage(Usage),
    /// The upstream is alive and has nothing to say: a keep-alive.
    Idle,
    /// A block begins.
    Open(Open),
    /// More of the open block's text or arguments; never empty.
    Delta(Text),
    /// A source or log probabilities of the open text block.
    Annotate(Annotation),
    /// Provider state of the open block; at most once a block, after its last delta. That of a call may be known when it
    /// begins, and is told there.
    Seal(Sealed),
    /// The open block is whole.
    Close,
    /// The answer is whole. Always last, or [`Event::Failed`] is.
    Finish(Finish),
    /// The answer broke off.
    Failed(Error),
}

/// How an answer begins.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Start {
    /// As in [`Response`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Text>,
    /// As in [`Response`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Text>,
    /// As in [`Response`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<u64>,
    /// What is known of the cost already: with some upstreams the prompt's size. Totals, as in [`Event::Usage`].
    #[serde(skip_serializing_if = "Usage::is_unknown")]
    pub usage: Usage,
    /// As in [`Response`].
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

/// What kind of block begins. The seal comes as an event of its own, so `meta.seal` is empty here, but for calls whose seal is
/// known by then: some clients read a call's state where it begins, and nowhere else.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Open {
    /// Words.
    Text {
        /// What any node may carry.
        meta: Meta,
    },
    /// Thoughts.
    Reasoning {
        /// What the words are.
        form: ReasoningForm,
        /// What any node may carry.
        meta: Meta,
    },
    /// A tool call; its deltas are the arguments.
    ToolCall {
        /// As in [`ToolCall`].
        id: Text,
        /// As in [`ToolCall`].
        name: Text,
        /// As in [`ToolCall`].
        namespace: Option<Text>,
        /// As in [`ToolCall`].
        kind: CallKind,
        /// What any node may carry.
        meta: Meta,
    },
    /// The words of a refusal.
    Refusal {
        /// What any node may carry.
        meta: Meta,
    },
    /// A part that comes in one piece (media, opaque): no deltas follow.
    Whole(Box<Part>),
}

impl Open {
    /// What the block carries beside its meaning.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        match self {
            Self::Text { meta }
            | Self::Reasoning { meta, .. }
            | Self::ToolCall { meta, .. }
            | Self::Refusal { meta } => meta,
            Self::Whole(part) => part.meta(),
        }
    }
}

/// What is added to a text block.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Annotation {
    /// A source.
    Citation(Citation),
    /// Log probabilities of the tokens of the deltas so far.
    Logprobs(Vec<TokenLogprob>),
}

/// The answer that `events` tell: the inverse of [`Response::events`].
///
/// # Errors
/// The failure that the stream ended in; a stream without an end is one too.
pub fn collect(events: impl IntoIterator<Item = Event>) -> Result<Response, Error> {
    let mut response = Response::default();
    let mut open: Option<Part> = None;
    let mut delta = Pieces::default();
    for event in events {
        match event {
            Event::Start(Start { id, model, created, usage, extensions }) => {
                response = Response { id, model, created, usage, extensions, ..response };
            }
            Event::Usage(usage) => response.usage.update(usage),
            Event::Idle => {}
            Event::Open(block) => open = Some(begin(block)),
            Event::Delta(text) => delta.push(text),
            Event::Annotate(annotation) => annotate(annotation, &mut open),
            Event::Seal(seal) => {
                if let Some(part) = &mut open {
                    part.meta_mut().seal = Some(Box::new(seal));
                }
            }
            Event::Close => response.parts.extend(open.take().map(|part| end(part, std::mem::take(&mut delta)))),
            Event::Finish(finish) => {
                response.finish = finish;
                return Ok(response);
            }
            Event::Failed(error) => return Err(error),
        }
    }
    Err(Error::cut_short())
}

fn begin(block: Open) -> Part {
    match block {
        Open::Text { meta } => Part::Text(TextPart { meta, ..TextPart::default() }),
        Open::Reasoning { form, meta } => Part::Reasoning(Reasoning { form, meta, ..Reasoning::default() }),
        Open::ToolCall { id, name, namespace, kind, meta } => {
            Part::ToolCall(ToolCall { id, name, namespace, kind, arguments: Text::default(), meta })
        }
        Open::Refusal { meta } => Part::Refusal(Refusal { meta, ..Refusal::default() }),
        Open::Whole(part) => *part,
    }
}

fn annotate(annotation: Annotation, open: &mut Option<Part>) {
    let Some(Part::Text(text)) = open else { return };
    match annotation {
        Annotation::Citation(citation) => text.citations.push(citation),
        Annotation::Logprobs(logprobs) => text.logprobs.extend(logprobs),
    }
}

fn end(part: Part, delta: Pieces) -> Part {
    let told = || delta.join().unwrap_or_default();
    match part {
        Part::Text(part) => Part::Text(TextPart { text: told(), ..part }),
        Part::Reasoning(part) => Part::Reasoning(Reasoning { text: told(), ..part }),
        Part::ToolCall(part) => Part::ToolCall(ToolCall { arguments: told(), ..part }),
        Part::Refusal(part) => Part::Refusal(Refusal { text: told(), ..part }),
        whole @ (Part::Media(_) | Part::ToolResult(_) | Part::Opaque(_)) => whole,
    }
}

/// Holds `events`, a whole stream, to the grammar of this module.
///
/// # Errors
/// What is wrong, and at which event.
pub fn check(events: &[Event]) -> Result<(), String> {
    let mut open: Option<&Open> = None;
    let mut sealed = false;
    for (index, event) in events.iter().enumerate() {
        let wrong = |what: &str| Err(format!("event {index}: {what}: {event:?}"));
        if (index == 0) != matches!(event, Event::Start(_)) {
            return wrong("Start is not the first event, and only that");
        }
        match (event, open) {
            (Event::Start(_) | Event::Idle | Event::Failed(_), _) | (Event::Usage(_), None) => {}
            (Event::Open(block), None) => {
                open = Some(block);
                sealed = false;
            }
            (Event::Open(_) | Event::Usage(_) | Event::Finish(_), Some(_)) => return wrong("a block is open"),
            (Event::Delta(_) | Event::Annotate(_) | Event::Seal(_) | Event::Close, None) => {
                return wrong("no block is open");
            }
            (Event::Delta(text), Some(block)) => {
                if text.is_empty() || sealed || matches!(block, Open::Whole(_)) {
                    return wrong("a delta that is empty, sealed already, or of a whole part");
                }
            }
            (Event::Annotate(_), Some(block)) => {
                if !matches!(block, Open::Text { .. }) {
                    return wrong("only text is annotated");
                }
            }
            (Event::Seal(_), Some(block)) => {
                if std::mem::replace(&mut sealed, true) || block.meta().seal.is_some() {
                    return wrong("a second seal");
                }
            }
            (Event::Close, Some(_)) => open = None,
            (Event::Finish(_), None) => {}
        }
        if matches!(event, Event::Finish(_) | Event::Failed(_)) != (index + 1 == events.len()) {
            return wrong("Finish or Failed is not the last event, and only that");
        }
    }
    if events.is_empty() { Err("no events".to_owned()) } else { Ok(()) }
}
