//! Thoughts of the history, in the parts and on the calls where clients keep them.

use crate::context::Cx;
use crate::dialects::gemini::read::{self, Part};
use crate::dialects::gemini::{ID, NOTE_NATIVE, spelling};
use crate::ir;

/// A thought. Our own streams tell a thought in pieces and its signature behind them, and clients keep the pieces as they
/// came, each as a content of its own even: where the signature is an envelope, the pieces are one thought again, as its
/// issuer wants it back. Gemini's own signatures stay on the part that they came on.
pub(super) fn thought(
    cx: &mut Cx,
    part: &Part<'_>,
    seal: Option<Box<ir::Sealed>>,
    message: &mut ir::Message,
    history: &mut Vec<ir::Message>,
) {
    let text = cx.optional_text(part.text.as_ref()).unwrap_or_default();
    let is_bare = seal.as_ref().is_none_or(|seal| seal.issuer.dialect == ID);
    if text.is_empty() && seal.is_none() {
        return;
    }
    let mut meta = read::meta(&cx.body(), part, cx.here());
    meta.seal = seal;
    let mut form = ir::ReasoningForm::Summary;
    let text = if is_bare {
        spelling(NOTE_NATIVE, ir::Json::of(&true), &mut meta.extensions);
        text
    } else {
        let before = take_unsealed(message, history);
        if text.is_empty() && before.is_empty() {
            form = ir::ReasoningForm::Redacted;
        }
        if before.is_empty() { text } else { format!("{before}{text}").into() }
    };
    message.parts.push(ir::Part::Reasoning(ir::Reasoning { text, form, meta }));
}

/// Takes the thoughts without a seal right before where we are, and gives their words.
fn take_unsealed(message: &mut ir::Message, history: &mut Vec<ir::Message>) -> String {
    fn take(parts: &mut smallvec::SmallVec<[ir::Part; 1]>, out: &mut Vec<ir::Text>) {
        while let Some(ir::Part::Reasoning(reasoning)) = parts.last() {
            if reasoning.meta.seal.is_some() {
                return;
            }
            out.push(reasoning.text.clone());
            parts.pop();
        }
    }
    let mut out = Vec::new();
    take(&mut message.parts, &mut out);
    while message.parts.is_empty() {
        let Some(last) = history.last_mut().filter(|last| last.role == ir::Role::Assistant) else { break };
        let before = out.len();
        take(&mut last.parts, &mut out);
        let is_empty = last.parts.is_empty();
        if is_empty {
            history.pop();
        }
        if !is_empty || out.len() == before {
            break;
        }
    }
    out.iter().rev().map(ir::Text::as_str).collect()
}

/// The seal of a call as it belongs to the call. Another dialect's seals belong to thoughts; our answers put them on the
/// call behind the thought, too, since some clients keep calls alone. Then the thought gets it back.
pub(super) fn attach_foreign(
    seal: Option<Box<ir::Sealed>>,
    message: &mut ir::Message,
    history: &mut Vec<ir::Message>,
) -> Option<Box<ir::Sealed>> {
    let seal = match seal {
        Some(seal) if seal.issuer.dialect != ID && !seal.is_note() => seal,
        own => return own,
    };
    let has_it = |parts: &mut [ir::Part]| {
        let mut before = parts.iter_mut().rev().take_while(|part| !matches!(part, ir::Part::ToolCall(_)));
        before.any(|part| part.meta_mut().seal.as_mut().is_some_and(|own| own.merge(&seal)))
    };
    let is_assistant = |message: &&mut ir::Message| message.role == ir::Role::Assistant;
    let mut earlier = history.iter_mut().rev().take_while(is_assistant);
    if has_it(&mut message.parts) || earlier.any(|message| has_it(&mut message.parts)) {
        return None;
    }
    let mut meta = ir::Meta::at(message.place);
    meta.seal = Some(seal);
    let form = ir::ReasoningForm::Summary;
    let words = take_unsealed(message, history);
    if !words.is_empty() {
        message.parts.push(ir::Part::Reasoning(ir::Reasoning { text: words.into(), form, meta }));
        return None;
    }
    let (parts, at) = step(message, history);
    let is_bare = |part: &ir::Part| matches!(part, ir::Part::Reasoning(part) if part.meta.seal.is_none());
    // A client may have kept the words of the thought, and without them its place is where the model's step began.
    let first = parts.iter().skip(at).position(is_bare).map_or(at, |first| at + first);
    let mut text = String::new();
    while let Some(ir::Part::Reasoning(piece)) = parts.get(first).filter(|part| is_bare(part)) {
        text.push_str(&piece.text);
        parts.remove(first);
    }
    parts.insert(first, ir::Part::Reasoning(ir::Reasoning { text: text.into(), form, meta }));
    None
}

/// Where the model's step that we are in began: behind its last call, or where it began to speak.
fn step<'a>(
    message: &'a mut ir::Message,
    history: &'a mut [ir::Message],
) -> (&'a mut smallvec::SmallVec<[ir::Part; 1]>, usize) {
    let behind_call = |parts: &[ir::Part]| {
        parts.iter().rposition(|part| matches!(part, ir::Part::ToolCall(_))).map_or(0, |index| index + 1)
    };
    let mut parts = &mut message.parts;
    let mut at = behind_call(parts);
    for earlier in history.iter_mut().rev().take_while(|message| message.role == ir::Role::Assistant) {
        let behind = behind_call(&earlier.parts);
        if at > 0 || behind == earlier.parts.len() {
            break;
        }
        (parts, at) = (&mut earlier.parts, behind);
    }
    (parts, at)
}
