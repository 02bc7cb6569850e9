//! Streams tell a text in pieces, and Google's SDKs keep each chunk as a content of its own. Where one of the model's contents
//! follows another, and texts meet that have nothing of their own, they are one text again, as the model wrote it: upstreams of
//! other dialects would take each piece for a block. Texts inside one content stay apart, as they were said.

use crate::ir;

/// Joins the model's neighbouring contents, and the texts that meet there.
pub(super) fn join(messages: Vec<ir::Message>) -> Vec<ir::Message> {
    let mut out: Vec<ir::Message> = Vec::with_capacity(messages.len());
    // The words of the last text, where it is joined of several.
    let mut words = String::new();
    for mut message in messages {
        let is_model = message.role == ir::Role::Assistant && message.extensions.is_empty();
        let Some(last) = out.last_mut().filter(|last| is_model && last.role == ir::Role::Assistant) else {
            finish(&mut words, out.last_mut());
            out.push(message);
            continue;
        };
        for (index, part) in std::mem::take(&mut message.parts).into_iter().enumerate() {
            match (last.parts.last().and_then(piece), piece(&part)) {
                (Some(first), Some(next)) if index == 0 => {
                    if words.is_empty() {
                        words.push_str(first);
                    }
                    words.push_str(next);
                }
                _ => {
                    finish(&mut words, Some(last));
                    last.parts.push(part);
                }
            }
        }
    }
    finish(&mut words, out.last_mut());
    out
}

/// Gives the joined words to the text that began them.
fn finish(words: &mut String, message: Option<&mut ir::Message>) {
    if words.is_empty() {
        return;
    }
    if let Some(ir::Part::Text(text)) = message.and_then(|message| message.parts.last_mut()) {
        text.text = std::mem::take(words).into();
    }
}

/// The words of a text that has nothing else.
fn piece(part: &ir::Part) -> Option<&ir::Text> {
    match part {
        ir::Part::Text(ir::TextPart { text, citations, logprobs, meta }) => {
            let ir::Meta { place: _, seal, cache, item, extensions } = meta;
            let is_bare = citations.is_empty() && logprobs.is_empty() && extensions.is_empty();
            (is_bare && seal.is_none() && cache.is_none() && item.is_none()).then_some(text)
        }
        ir::Part::Media(_)
        | ir::Part::ToolCall(_)
        | ir::Part::ToolResult(_)
        | ir::Part::Reasoning(_)
        | ir::Part::Refusal(_)
        | ir::Part::Opaque(_) => None,
    }
}

/// JSON text without the blanks between its tokens.
pub(super) fn compact(text: &ir::Text) -> ir::Text {
    let mut is_inside = false;
    let mut is_escaped = false;
    // Whether a letter is part of a token.
    let mut belongs = |letter: char| {
        if is_inside {
            is_inside = is_escaped || letter != '"';
            is_escaped = letter == '\\' && !is_escaped;
            return true;
        }
        is_inside = letter == '"';
        !matches!(letter, ' ' | '\t' | '\n' | '\r')
    };
    if text.chars().all(&mut belongs) {
        return text.clone();
    }
    text.chars().filter(|letter| belongs(*letter)).collect::<String>().into()
}
