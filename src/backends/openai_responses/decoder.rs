//! Reading a streamed answer.

use serde_json::value::RawValue;

use super::DIALECT;
use super::answer::{Piece, Reader, ResponseObject, Whole, unreadable};
use crate::backends::{Decoder, Memo};
use crate::diagnostics::codes;
use crate::dialects::openai;
use crate::error::{Error, Result};
use crate::ir;
use crate::json::{self, Integer, Repeats, Str, Varying, wire};
use crate::sse::{Found, Frame, Parser};

wire! {
    struct EventRead<'a> {
        "type" kind: Str<'a>,
        "sequence_number" sequence: &'a RawValue,
        "obfuscation" obfuscation: &'a RawValue,
        "response" response: &'a RawValue,
        "output_index" output_index: Integer,
        "item_id" item_id: Str<'a>,
        "item" item: &'a RawValue,
        "content_index" content_index: Integer,
        "summary_index" summary_index: Integer,
        "part" part: &'a RawValue,
        "delta" delta: &'a RawValue,
        "text" text: &'a RawValue,
        "refusal" refusal: &'a RawValue,
        "arguments" arguments: &'a RawValue,
        "input" input: &'a RawValue,
        "annotation" annotation: &'a RawValue,
        "logprobs" logprobs: &'a RawValue,
        "error" error: &'a RawValue,
    }
}

/// The state of one stream.
#[derive(Clone)]
pub(super) struct Stream {
    parser: Parser,
    reader: Reader,
    repeats: Repeats<More>,
}

/// More of a piece, or of a call's arguments.
#[derive(Debug)]
struct More {
    index: u64,
    /// `None` for arguments.
    piece: Option<Piece>,
    item_id: Option<String>,
}

impl More {
    fn tell(&self, words: &str, reader: &mut Reader, out: &mut ir::Emitter) {
        match self.piece {
            Some(piece) => reader.delta(self.index, piece, self.item_id.as_deref(), words, None, out),
            None => reader.call_delta(self.index, words, out),
        }
    }
}

impl Stream {
    pub(super) fn new(memo: &Memo) -> Self {
        Self { parser: Parser::default(), reader: Reader::new(memo), repeats: Repeats::default() }
    }

    fn found(reader: &mut Reader, repeats: &mut Repeats<More>, found: Found<'_>, out: &mut ir::Emitter) {
        if out.has_ended() {
            return;
        }
        match found {
            Found::Comment => out.idle(),
            Found::TooLarge => out.fail(Error::unreadable("the upstream sent an event beyond all measure")),
            Found::Frame(frame) => {
                if let Err(error) = event(reader, repeats, frame, out) {
                    out.fail(error);
                }
            }
        }
    }
}

impl Decoder for Stream {
    fn push(&mut self, chunk: &[u8], out: &mut ir::Emitter) {
        let Self { parser, reader, repeats } = self;
        parser.push(chunk, |found| Self::found(reader, repeats, found, out));
    }

    fn finish(&mut self, out: &mut ir::Emitter) {
        let Self { parser, reader, repeats } = self;
        parser.finish(|found| match found {
            // Half an event, since the stream broke off inside it.
            Found::Frame(frame) if json::check(&frame.data).is_err() => {}
            found => Self::found(reader, repeats, found, out),
        });
        if !out.has_ended() {
            out.fail(Error::cut_short());
        }
    }

    fn fork(&self) -> Box<dyn Decoder> {
        Box::new(self.clone())
    }
}

/// Takes an event in.
fn event(reader: &mut Reader, repeats: &mut Repeats<More>, frame: &Frame, out: &mut ir::Emitter) -> Result<()> {
    let data = frame.data.trim();
    if let Some(repeat) = repeats.find(data) {
        repeat.said.tell(&repeat.words, reader, out);
        return Ok(());
    }
    if data.is_empty() || data == "[DONE]" {
        return Ok(());
    }
    let event: EventRead<'_> = json::read(data).map_err(|error| unreadable(&error))?;
    let kind = event.kind.as_deref().unwrap_or(&frame.event);
    let number = |number: Option<Integer>| number.and_then(Integer::unsigned);
    let told = number(event.output_index);
    let index = told.or_else(|| reader.newest()).unwrap_or(0);
    let part = number(event.content_index).unwrap_or(0);
    let summary = Piece::Thought(ir::ReasoningForm::Summary, number(event.summary_index).unwrap_or(0));
    let raw_thought = Piece::Thought(ir::ReasoningForm::Raw, part);
    let item_id = event.item_id.as_deref();
    let mut more = |piece: Option<Piece>| {
        let has_logprobs = event.logprobs.is_some_and(|raw| raw.get() != "[]");
        // An event that leaves out its type, or its place, hangs on what came before.
        if let (Some(raw), Some(index), Some(_), false) = (event.delta, told, &event.kind, has_logprobs) {
            let varying = Varying { words: raw.into(), passed: &[event.sequence, event.obfuscation], counts: None };
            repeats.note(data, varying, More { index, piece, item_id: item_id.map(ToOwned::to_owned) });
        }
    };
    let mut delta = |reader: &mut Reader, piece: Piece, out: &mut ir::Emitter| -> Result<()> {
        let delta = string(event.delta)?;
        more(Some(piece));
        reader.delta(index, piece, item_id, &delta, event.logprobs, out);
        Ok(())
    };
    let whole = |reader: &mut Reader, piece: Piece, text: Option<&RawValue>, out: &mut ir::Emitter| -> Result<()> {
        let text = string(text)?;
        let whole = Whole { text: &text, logprobs: event.logprobs, ..Whole::default() };
        reader.whole(index, piece, item_id, whole, out);
        Ok(())
    };
    match kind {
        "response.created" | "response.in_progress" | "response.queued" => {
            if let (Some(raw), false) = (event.response, out.has_started()) {
                reader.start(&ResponseObject::read(raw.get())?, out);
            }
        }
        "response.output_item.added" => {
            if let Some(raw) = event.item {
                let next = reader.newest().map_or(0, |newest| newest.saturating_add(1));
                reader.begin(told.unwrap_or(next), raw, false, out)?;
            }
        }
        "response.output_item.done" => {
            if let Some(raw) = event.item {
                reader.item(index, raw, out)?;
            }
        }
        "response.output_text.delta" => delta(reader, Piece::Text(part), out)?,
        "response.refusal.delta" => delta(reader, Piece::Refusal(part), out)?,
        "response.reasoning_summary_text.delta" => delta(reader, summary, out)?,
        "response.reasoning_text.delta" => delta(reader, raw_thought, out)?,
        "response.output_text.done" => whole(reader, Piece::Text(part), event.text, out)?,
        "response.refusal.done" => whole(reader, Piece::Refusal(part), event.refusal, out)?,
        "response.reasoning_summary_text.done" => whole(reader, summary, event.text, out)?,
        "response.reasoning_text.done" => whole(reader, raw_thought, event.text, out)?,
        "response.content_part.done" => {
            if let Some(raw) = event.part.filter(|raw| is_said(raw)) {
                reader.part(index, part, item_id, raw, ir::Extensions::default(), out)?;
            }
        }
        "response.output_text.annotation.added" => {
            if let Some(raw) = event.annotation {
                reader.cite(index, Piece::Text(part), item_id, raw, out);
            }
        }
        "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
            let delta = string(event.delta)?;
            more(None);
            reader.call_delta(index, &delta, out);
        }
        "response.function_call_arguments.done" => {
            let arguments = string(event.arguments)?;
            reader.call_whole(index, &arguments, out);
        }
        "response.custom_tool_call_input.done" => {
            let input = string(event.input)?;
            reader.call_whole(index, &input, out);
        }
        "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
            let raw = event.response.ok_or_else(|| Error::unreadable("the upstream's last event has no response"))?;
            let response = ResponseObject::read(raw.get())?.ended_by(kind)?;
            reader.start(&response, out);
            reader.end(&response, out);
        }
        "error" => out.fail(openai::parse_error_in_band(DIALECT, data)),
        // What these tell, another event tells too, or nobody needs.
        "response.content_part.added"
        | "response.reasoning_summary_part.added"
        | "response.reasoning_summary_part.done"
        | "response.reasoning_part.added"
        | "response.reasoning_part.done"
        | "response.compaction.compacting"
        | "response.steer.accepted"
        | "response.steer.pending"
        | "response.steer.failed"
        | "keepalive"
        | "ping" => out.idle(),
        _ if event.error.is_some() => out.fail(openai::parse_error_in_band(DIALECT, data)),
        _ if reader.is_opaque(index) => out.idle(),
        _ => out.report(&codes::UPSTREAM_ODDITY, kind, "an event that the dialect does not know"),
    }
    Ok(())
}

/// A part that an item's end tells again is taken from there, unless it is text or thoughts: those end here.
fn is_said(raw: &RawValue) -> bool {
    wire! {
        struct Tag<'a> { "type" kind: Str<'a>, }
    }
    let tag: Tag<'_> = json::read(raw.get()).unwrap_or_default();
    matches!(tag.kind.as_deref(), Some("output_text" | "refusal" | "reasoning_text"))
}

/// A string of an event; a missing one is empty.
fn string(raw: Option<&RawValue>) -> Result<Str<'_>> {
    match raw {
        Some(raw) => json::read(raw.get()).map_err(|error| unreadable(&error)),
        None => Ok(Str::default()),
    }
}
