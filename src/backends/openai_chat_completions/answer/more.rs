//! Chunks that have no more than another piece of what came before: nearly all of a stream.

use super::{Call, Choice, Document, Message, Reader, ThoughtField};
use crate::ir;
use crate::json::{Str, StrOr, Written};

/// What a chunk has more of.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum More {
    Text,
    Thoughts(ThoughtField),
    /// Of the call with this index.
    Arguments(i64),
}

impl<'a> Document<'a> {
    /// What a chunk has more of, if it has nothing else that says anything once the answer has begun.
    pub(super) fn only(&self) -> Option<(More, Written<'a>)> {
        let Self { choices, usage, x_groq, unknown, .. } = self;
        let [Choice { index, delta: Some(delta), finish_reason, stop_reason, logprobs, .. }] = choices.as_deref()?
        else {
            return None;
        };
        let is_first = index.is_none_or(|index| index.0 == 0);
        let has_sources = unknown.iter().any(|(name, _)| matches!(&**name, "search_results" | "citations"));
        let ends = finish_reason.as_ref().is_some_and(|word| !word.is_empty());
        if !is_first
            || has_sources
            || ends
            || usage.is_some()
            || x_groq.is_some()
            || stop_reason.is_some()
            || logprobs.is_some()
        {
            return None;
        }
        delta.only()
    }
}

impl<'a> Message<'a> {
    fn only(&self) -> Option<(More, Written<'a>)> {
        let Self { content, refusal, reasoning_content, reasoning, annotations, tool_calls, images, .. } = self;
        let is_more = [self.reasoning_details, self.audio].iter().any(Option::is_some)
            || self.function_call.is_some()
            || self.extra_content.is_some()
            || refusal.as_ref().is_some_and(|text| !text.is_empty())
            || annotations.as_ref().is_some_and(|list| !list.is_empty())
            || images.as_ref().is_some_and(|list| !list.is_empty());
        let text = match content {
            Some(StrOr::Str(text)) => Some(text).filter(|text| !text.is_empty()),
            Some(StrOr::Other(_)) => return None,
            None => None,
        };
        let calls = tool_calls.as_deref().unwrap_or_default();
        match (text, reasoning_content, reasoning, calls) {
            _ if is_more => None,
            (Some(text), None, None, []) => Some((More::Text, text.into())),
            (None, Some(raw), None, []) => Some((More::Thoughts(ThoughtField::ReasoningContent), (*raw).into())),
            (None, None, Some(raw), []) => Some((More::Thoughts(ThoughtField::Reasoning), (*raw).into())),
            (None, None, None, [call]) => call.only(),
            _ => None,
        }
    }
}

impl<'a> Call<'a> {
    fn only(&self) -> Option<(More, Written<'a>)> {
        let Self { index, id, kind, function: Some(called), custom: None, extra_content: None, .. } = self else {
            return None;
        };
        let says = |text: &Option<Str<'_>>| text.as_ref().is_some_and(|text| !text.is_empty());
        let is_known = says(id) || says(&called.name) || kind.as_deref() == Some("custom");
        let arguments = called.arguments.filter(|_| !is_known)?;
        Some((More::Arguments(index.as_ref()?.0), arguments.into()))
    }
}

impl Reader {
    /// What [`Reader::chunk`] does with a chunk that has nothing but more of one thing. Gives whether it could: not before the
    /// answer, or the call, has begun.
    pub(super) fn more(&mut self, more: More, words: &str, out: &mut ir::Emitter) -> bool {
        if !out.has_started() {
            return false;
        }
        match more {
            More::Text => {
                self.text(words.into(), out);
                self.tell_early_sources(out);
            }
            More::Thoughts(field) => {
                self.more_thoughts(field, ir::ReasoningForm::Raw, words, out);
                self.tell_early_sources(out);
            }
            More::Arguments(index) => {
                let known = self.calls.iter().rev().find(|known| known.index == Some(index));
                let Some(key) = known.filter(|known| known.has_begun).map(|known| known.key) else { return false };
                self.tell_early_sources(out);
                self.in_text = false;
                self.end_thoughts(out);
                out.call_delta(key, words);
            }
        }
        self.begun = true;
        true
    }
}
