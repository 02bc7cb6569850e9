//! The history as strict upstreams want it: results behind the calls they answer, none missing, none left over.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::context::Cx;
use crate::diagnostics::codes;
use crate::ir::{Message, Meta, Part, Role, Text, TextPart, ToolCall, ToolResult};

/// A turn of a conversation: what a backend writes as one message.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn<'a> {
    /// Who speaks.
    pub role: Role,
    /// The participant's name.
    pub name: Option<&'a Text>,
    /// What is said; a user's turn begins with the results of the calls before it.
    pub parts: Vec<Cow<'a, Part>>,
    /// The message that it came from, or the first of them.
    pub message: &'a Message,
}

/// The turns of `messages`: each call's result stands in the user's turn right behind it, in the order of the calls;
/// missing results are made up, results for no call become words; all of it reported. With `join`, neighbours of one
/// role are one turn; without, messages stay apart, except that calls which wait for their results are one turn.
#[must_use]
pub fn turns<'a>(cx: &mut Cx, messages: &'a [Message], join: bool) -> Vec<Turn<'a>> {
    let mut results = Results::of(messages);
    let mut out: Vec<Turn<'a>> = Vec::new();
    let mut unanswered: Vec<&'a ToolCall> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if message.role != Role::Assistant {
            answer(cx, &mut unanswered, &mut results, index, messages, &mut out);
        }
        let keeps_open = message.role == Role::Assistant && !unanswered.is_empty();
        let parts = own_parts(cx, message, &mut results);
        unanswered.extend(message.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        }));
        if parts.is_empty() && !message.parts.is_empty() {
            continue;
        }
        match out.last_mut() {
            Some(last) if last.role == message.role && (join || keeps_open) => last.parts.extend(parts),
            _ => out.push(Turn { role: message.role, name: message.name.as_ref(), parts, message }),
        }
    }
    // Calls at the very end wait for the client: only results that it did send are put behind them.
    unanswered.retain(|call| results.has(&call.id, 0));
    if !unanswered.is_empty() {
        answer(cx, &mut unanswered, &mut results, 0, messages, &mut out);
    }
    out
}

/// Turns for an upstream that takes no media from the assistant: what the model once made is shown to it in the user's next
/// turn, behind the results. Media that are `meant` stay: a client of the upstream's own dialect put them there.
#[must_use]
pub fn without_assistant_media<'a>(
    cx: &mut Cx,
    turns: Vec<Turn<'a>>,
    is_meant: impl Fn(&Meta) -> bool,
) -> Vec<Turn<'a>> {
    let is_moved = |part: &Part| matches!(part, Part::Media(media) if !is_meant(&media.meta));
    let mut out: Vec<Turn<'a>> = Vec::with_capacity(turns.len());
    let mut moved: Vec<Cow<'a, Part>> = Vec::new();
    for mut turn in turns {
        if turn.role == Role::User {
            let behind = turn.parts.iter().take_while(|part| matches!(***part, Part::ToolResult(_))).count();
            turn.parts.splice(behind..behind, moved.drain(..));
        } else if let (false, Some(before)) = (moved.is_empty(), out.last()) {
            let message = before.message;
            out.push(Turn { role: Role::User, name: None, parts: std::mem::take(&mut moved), message });
        }
        if turn.role == Role::Assistant {
            let (media, rest) = turn.parts.into_iter().partition(|part| is_moved(part));
            (moved, turn.parts) = (media, rest);
            for part in &moved {
                let what = "what the model made is shown to it in the user's turn";
                cx.report(&codes::ASSISTANT_MEDIA_MOVED, part.meta().place, "", what);
            }
        }
        let message = turn.message;
        if !turn.parts.is_empty() || moved.is_empty() {
            out.push(turn);
        } else if out.is_empty() {
            // Nobody said anything before: the user shows it.
            out.push(Turn { role: Role::User, name: None, parts: std::mem::take(&mut moved), message });
        }
    }
    if let (false, Some(last)) = (moved.is_empty(), out.last()) {
        let message = last.message;
        out.push(Turn { role: Role::User, name: None, parts: moved, message });
    }
    out
}

/// Reports that a conversation ends with words of the assistant, which the upstream takes as history and need not go on
/// from. What a client of its own dialect wrote is for it to judge: the last message has the mark `is_meant`.
pub fn report_prefill(cx: &mut Cx, messages: &[Message], is_meant: impl Fn(&Message) -> bool) {
    let Some(last) = messages.last().filter(|last| last.role == Role::Assistant && !is_meant(last)) else { return };
    if last.parts.iter().any(|part| matches!(part, Part::Text(_))) {
        let what = "the answer that was begun is history for the model";
        cx.report(&codes::PREFILL_AS_HISTORY, last.place, "", what);
    }
}

/// The parts of a message but for results that answer a call: those stand behind their call already, or will.
fn own_parts<'a>(cx: &mut Cx, message: &'a Message, results: &mut Results<'a>) -> Vec<Cow<'a, Part>> {
    let mut out = Vec::with_capacity(message.parts.len());
    for part in &message.parts {
        match part {
            Part::ToolResult(result) => {
                if results.is_orphan(result) {
                    let what = match results.calls(&result.call_id) {
                        0 => format!("no call in the history has the id {:?}", &*result.call_id),
                        _ => format!("the call {:?} has a result already", &*result.call_id),
                    };
                    cx.report(&codes::TOOL_RESULT_ORPHAN, result.meta.place, "", what);
                    for field in result.meta.extensions.fields() {
                        cx.report(
                            field.loss,
                            result.meta.place,
                            field.path(),
                            "goes with the result that it belongs to",
                        );
                    }
                    out.extend(result.content.iter().map(Cow::Borrowed));
                }
            }
            _ => out.push(Cow::Borrowed(part)),
        }
    }
    out
}

/// Puts the results of `unanswered` calls behind them, as a user's turn.
fn answer<'a>(
    cx: &mut Cx,
    unanswered: &mut Vec<&'a ToolCall>,
    results: &mut Results<'a>,
    at: usize,
    messages: &'a [Message],
    out: &mut Vec<Turn<'a>>,
) {
    let mut parts = Vec::new();
    for call in unanswered.drain(..) {
        match results.take(&call.id) {
            Some((index, result, part)) => {
                // In front of its call, or behind more than other results.
                let is_far = messages.get(at..index).is_none_or(|between| !between.iter().all(is_results));
                if is_far {
                    let what = "moved behind the call that it answers";
                    cx.report(&codes::TOOL_RESULT_REORDERED, result.meta.place, "", what);
                }
                parts.push(Cow::Borrowed(part));
            }
            None => {
                let what = format!("the call {:?} has no result", &*call.id);
                cx.report(&codes::TOOL_RESULT_SYNTHESISED, call.meta.place, "", what);
                parts.push(Cow::Owned(Part::ToolResult(no_result(call))));
            }
        }
    }
    if let (false, Some(message)) = (parts.is_empty(), messages.get(at)) {
        out.push(Turn { role: Role::User, name: None, parts, message });
    }
}

fn is_results(message: &Message) -> bool {
    message.parts.iter().all(|part| matches!(part, Part::ToolResult(_)))
}

fn no_result(call: &ToolCall) -> ToolResult {
    let words = TextPart { text: Text::constant("The tool gave no result."), ..TextPart::default() };
    ToolResult {
        call_id: call.id.clone(),
        name: Some(call.name.clone()),
        kind: call.kind,
        content: vec![Part::Text(words)],
        error: true,
        meta: Meta::at(call.meta.place),
    }
}

/// The results of a conversation, each to be given to one call.
struct Results<'a> {
    all: Vec<(usize, &'a ToolResult, &'a Part, bool)>,
    /// How many calls have an id, and how many results for it were met so far.
    ids: HashMap<&'a str, (usize, usize)>,
}

impl<'a> Results<'a> {
    fn of(messages: &'a [Message]) -> Self {
        let mut out = Self { all: Vec::new(), ids: HashMap::new() };
        for (index, message) in messages.iter().enumerate() {
            for part in &message.parts {
                match part {
                    Part::ToolResult(result) => out.all.push((index, result, part, false)),
                    Part::ToolCall(call) => out.ids.entry(&call.id).or_default().0 += 1,
                    _ => {}
                }
            }
        }
        out
    }

    fn take(&mut self, id: &str) -> Option<(usize, &'a ToolResult, &'a Part)> {
        let found = self.all.iter_mut().find(|(_, result, _, taken)| !taken && result.call_id == *id)?;
        found.3 = true;
        Some((found.0, found.1, found.2))
    }

    fn has(&self, id: &str, from: usize) -> bool {
        self.all.iter().any(|(index, result, _, taken)| !taken && *index >= from && result.call_id == *id)
    }

    fn calls(&self, id: &str) -> usize {
        self.ids.get(id).map_or(0, |(calls, _)| *calls)
    }

    /// Whether no call is left for a result; each result is asked about once, in order.
    fn is_orphan(&mut self, result: &'a ToolResult) -> bool {
        let (calls, results) = self.ids.entry(&result.call_id).or_default();
        *results += 1;
        *results > *calls
    }
}
