//! Decodes Claude's stream.

use serde_json::value::RawValue;

use super::super::{Decoder, Memo};
use super::error;
use super::response::{Answer, Reader, unreadable};
use crate::diagnostics::codes;
use crate::error::Error;
use crate::ir;
use crate::json::{self, Repeats, Str, Varying, wire};
use crate::sse::{Found, Parser};

wire! {
    struct Event<'a> {
        "type" kind: Str<'a>,
        "index" index: u64,
        "message" message: &'a RawValue,
        "content_block" block: &'a RawValue,
        "delta" delta: Delta<'a>,
        "usage" usage: &'a RawValue,
        "context_management" context_management: &'a RawValue,
    }
    struct Delta<'a> {
        "type" kind: Str<'a>,
        "text" text: Str<'a>,
        "thinking" thinking: Str<'a>,
        "signature" signature: Str<'a>,
        "partial_json" partial_json: Str<'a>,
        "citation" citation: &'a RawValue,
        "stop_reason" stop_reason: Str<'a>,
        "stop_sequence" stop_sequence: Str<'a>,
        "stop_details" stop_details: &'a RawValue,
        "container" container: &'a RawValue,
    }
}

/// The state of one stream.
#[derive(Clone, Debug)]
pub(super) struct ClaudeDecoder {
    parser: Parser,
    reader: Reader,
    repeats: Repeats<More>,
}

/// What a delta has more of.
#[derive(Clone, Copy, Debug)]
enum More {
    Text,
    Thinking,
    PartialJson,
}

impl More {
    fn tell(self, words: &str, reader: &mut Reader, out: &mut ir::Emitter) {
        match self {
            Self::Text => reader.text(words.into(), out),
            Self::Thinking => reader.thinking(words, out),
            Self::PartialJson => reader.partial_json(words, out),
        }
    }
}

impl ClaudeDecoder {
    pub(super) fn new(memo: Memo) -> Self {
        Self { parser: Parser::default(), reader: Reader::new(memo), repeats: Repeats::default() }
    }
}

impl Decoder for ClaudeDecoder {
    fn push(&mut self, chunk: &[u8], out: &mut ir::Emitter) {
        let Self { parser, reader, repeats } = self;
        parser.push(chunk, |found| take(reader, repeats, found, out));
    }

    fn finish(&mut self, out: &mut ir::Emitter) {
        let Self { parser, reader, repeats } = self;
        parser.finish(|found| take(reader, repeats, found, out));
        if !out.has_ended() {
            out.fail(Error::cut_short());
        }
    }

    fn fork(&self) -> Box<dyn Decoder> {
        Box::new(self.clone())
    }
}

fn take(reader: &mut Reader, repeats: &mut Repeats<More>, found: Found<'_>, out: &mut ir::Emitter) {
    if out.has_ended() {
        return;
    }
    let data = match found {
        Found::Comment => return out.idle(),
        Found::TooLarge => return out.fail(Error::unreadable("an event of the upstream's stream is too large")),
        Found::Frame(frame) => &frame.data,
    };
    if let Some(repeat) = repeats.find(data).filter(|_| reader.is_open()) {
        return repeat.said.tell(&repeat.words, reader, out);
    }
    // The end that OpenAI's streams have: some relays write it everywhere.
    if data.trim() == "[DONE]" {
        return;
    }
    if let Err(failure) = event(reader, repeats, data, out) {
        out.fail(failure);
    }
}

fn event(reader: &mut Reader, repeats: &mut Repeats<More>, data: &str, out: &mut ir::Emitter) -> Result<(), Error> {
    let event: Event<'_> = json::read(data).map_err(|error| unreadable(&error))?;
    match event.kind.as_deref().unwrap_or_default() {
        "ping" => out.idle(),
        "message_start" => message_start(reader, &event, out)?,
        "content_block_start" => match event.block {
            Some(block) => reader.open(block, out)?,
            None => return Err(Error::unreadable("a block of the upstream's stream begins without a block")),
        },
        "content_block_delta" => {
            if let Some((more, words)) = event.delta.as_ref().and_then(only) {
                repeats.note(data, Varying { words: words.into(), passed: &[], counts: None }, more);
            }
            delta(reader, event.delta, out)?;
        }
        "content_block_stop" => reader.close(out),
        "message_delta" => {
            if let Some(delta) = &event.delta {
                reader.end(delta.stop_reason.as_ref(), delta.stop_sequence.as_ref());
                reader.stop_details(delta.stop_details);
                reader.late("container", delta.container);
                reader.late_unknown(&delta.unknown);
            }
            reader.late("context_management", event.context_management);
            reader.late_unknown(&event.unknown);
            reader.usage(event.usage, out);
        }
        "message_stop" => reader.finish(out),
        "error" => {
            return Err(error::read(data).unwrap_or_else(|| Error::unreadable("the upstream's stream broke off")));
        }
        other => {
            out.report(&codes::UPSTREAM_ODDITY, other, "an event that is not known");
        }
    }
    Ok(())
}

fn message_start(reader: &mut Reader, event: &Event<'_>, out: &mut ir::Emitter) -> Result<(), Error> {
    let Some(raw) = event.message else {
        return Err(Error::unreadable("the upstream's stream begins without a message"));
    };
    if out.has_started() {
        out.report(&codes::UPSTREAM_ODDITY, "message_start", "a second beginning was passed over");
        return Ok(());
    }
    reader.message(raw.get(), out)?;
    // Empty at Claude's; a relay that has the whole answer may begin with it.
    let message: Answer<'_> = json::read(raw.get()).map_err(|error| unreadable(&error))?;
    reader.blocks(message.content.unwrap_or_default(), out)
}

fn delta(reader: &mut Reader, delta: Option<Delta<'_>>, out: &mut ir::Emitter) -> Result<(), Error> {
    let Some(delta) = delta else { return Ok(()) };
    if !reader.is_open() {
        let place = delta.kind.as_deref().unwrap_or("content_block_delta");
        out.report(&codes::UPSTREAM_ODDITY, place, "a piece of a block that is not open");
        return Ok(());
    }
    if let Some(text) = said(delta.text) {
        reader.text((&*text).into(), out);
    }
    if let Some(text) = said(delta.thinking) {
        reader.thinking(&text, out);
    }
    if let Some(text) = said(delta.signature) {
        reader.signature(&text, out);
    }
    if let Some(text) = said(delta.partial_json) {
        reader.partial_json(&text, out);
    }
    if let Some(citation) = delta.citation {
        reader.citation(citation, out)?;
    }
    reader.unknown_delta(&delta.unknown, out);
    Ok(())
}

/// What a delta has more of, if that is one thing.
fn only<'s, 'a>(delta: &'s Delta<'a>) -> Option<(More, &'s Str<'a>)> {
    let Delta { text, thinking, signature, partial_json, citation, unknown, .. } = delta;
    let told = [(More::Text, text), (More::Thinking, thinking), (More::PartialJson, partial_json)];
    let mut told =
        told.into_iter().filter_map(|(more, text)| Some((more, text.as_ref().filter(|text| !text.is_empty())?)));
    let is_all = signature.as_ref().is_none_or(|text| text.is_empty()) && citation.is_none() && unknown.is_empty();
    told.next().filter(|_| is_all && told.next().is_none())
}

/// Some relays write all fields, those of other blocks empty.
fn said(text: Option<Str<'_>>) -> Option<Str<'_>> {
    text.filter(|text| !text.is_empty())
}
