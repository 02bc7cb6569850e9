//! Reading an answer, item by item: what a whole answer and a streamed one share.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{DIALECT, hints};
use crate::backends::Memo;
use crate::context::Cx;
use crate::diagnostics::{Code, codes};
use crate::dialects::hosted::keep_untold;
use crate::dialects::openai;
use crate::dialects::openai_responses as words;
use crate::error::{Error, Result};
use crate::ir;
use crate::json::{self, Integer, Str, Unknown, wire};

wire! {
    struct ResponseRead<'a> {
        "id" id: Str<'a>,
        "object" object: &'a RawValue,
        "model" model: Str<'a>,
        "created_at" created: f64,
        "status" status: Str<'a>,
        "error" error: &'a RawValue,
        "incomplete_details" incomplete: IncompleteRead<'a>,
        "output" output: Vec<&'a RawValue>,
        "usage" usage: &'a RawValue,
    }
    struct IncompleteRead<'a> {
        "reason" reason: Str<'a>,
    }
    struct UsageRead<'a> {
        "input_tokens" input: Integer,
        "input_tokens_details" input_details: InputDetails<'a>,
        "output_tokens" output: Integer,
        "output_tokens_details" output_details: OutputDetails<'a>,
    }
    struct InputDetails<'a> {
        "cached_tokens" cached: Integer,
        "cache_write_tokens" written: Integer,
    }
    struct OutputDetails<'a> {
        "reasoning_tokens" reasoning: Integer,
    }
    struct Tag<'a> {
        "type" kind: Str<'a>,
        "id" id: Str<'a>,
        "phase" phase: &'a RawValue,
    }
    struct MessageRead<'a> {
        "type" kind: Str<'a>,
        "id" id: Str<'a>,
        "role" role: Str<'a>,
        "status" status: Str<'a>,
        "phase" phase: Str<'a>,
        "content" content: Vec<&'a RawValue>,
    }
    struct PartRead<'a> {
        "type" kind: Str<'a>,
        "text" text: Str<'a>,
        "refusal" refusal: Str<'a>,
        "annotations" annotations: &'a RawValue,
        "logprobs" logprobs: &'a RawValue,
    }
    struct ReasoningRead<'a> {
        "type" kind: Str<'a>,
        "id" id: Str<'a>,
        "summary" summary: Vec<PieceRead<'a>>,
        "content" content: Vec<PieceRead<'a>>,
        "encrypted_content" encrypted: Str<'a>,
    }
    struct PieceRead<'a> {
        "type" kind: Str<'a>,
        "text" text: Str<'a>,
    }
    struct CallRead<'a> {
        "type" kind: Str<'a>,
        "id" id: Str<'a>,
        "call_id" call_id: Str<'a>,
        "name" name: Str<'a>,
        "namespace" namespace: Str<'a>,
        "arguments" arguments: Str<'a>,
        "input" input: Str<'a>,
        "status" status: Str<'a>,
    }
    struct ImageRead<'a> {
        "type" kind: Str<'a>,
        "id" id: Str<'a>,
        "result" result: Str<'a>,
        "output_format" format: Str<'a>,
    }
}

/// Reads a whole answer, the document of `cx`.
pub(super) fn parse(cx: &mut Cx, memo: &Memo) -> Result<ir::Response> {
    let body = cx.body();
    let response = ResponseObject::read(body.as_str())?;
    if response.0.output.is_none() && response.0.status.is_none() {
        return Err(Error::unreadable("the upstream's answer is no response: it has neither output nor status"));
    }
    let mut out = ir::Emitter::new(memo.ids.clone());
    let mut reader = Reader::new(memo);
    reader.start(&response, &mut out);
    reader.end(&response, &mut out);
    for lost in out.take_diagnostics() {
        cx.report(lost.code, ir::Place::default(), &lost.place, lost.message);
    }
    ir::collect(out.take())
}

/// An error of ours about what the upstream wrote.
pub(super) fn unreadable(error: &Error) -> Error {
    Error::unreadable(format!("the upstream's answer cannot be read: {}", error.full_message()))
}

/// A response object, whole or on its way.
pub(super) struct ResponseObject<'a>(ResponseRead<'a>);

impl<'a> ResponseObject<'a> {
    /// Reads a response object.
    pub(super) fn read(text: &'a str) -> Result<Self> {
        let read: ResponseRead<'_> = json::read(text).map_err(|error| unreadable(&error))?;
        if let Some(error) = read.error {
            return Err(openai::parse_error_in_band(DIALECT, &format!(r#"{{"error":{}}}"#, error.get())));
        }
        if read.status.as_deref() == Some("failed") {
            return Err(openai::parse_error_in_band(DIALECT, "null"));
        }
        Ok(Self(read))
    }

    /// The same, where the event `name` ended the answer: it tells the status where the response does not, or still says
    /// that it is in progress.
    pub(super) fn ended_by(mut self, name: &str) -> Result<Self> {
        let word = match name {
            "response.failed" => return Err(openai::parse_error_in_band(DIALECT, "null")),
            "response.incomplete" => "incomplete",
            "response.cancelled" => "cancelled",
            _ => "completed",
        };
        let is_ended = self.0.status.as_deref().is_some_and(|status| !matches!(status, "in_progress" | "queued"));
        if !is_ended {
            self.0.status = Some(Str::from(word));
        }
        Ok(self)
    }

    /// How the answer begins.
    fn start(&self) -> ir::Start {
        let text = |text: &Option<Str<'_>>| text.as_deref().filter(|text| !text.is_empty()).map(ir::Text::from);
        let mut extensions = ir::Extensions::default();
        keep(&self.0.unknown, "", &mut extensions);
        if extensions.is_empty() {
            // Tells a client of the dialect that the id is one of its own.
            words::mark(words::OWN_REQUEST, &mut extensions);
        }
        ir::Start {
            id: text(&self.0.id),
            model: text(&self.0.model),
            created: self.0.created.map(seconds),
            usage: ir::Usage::default(),
            extensions,
        }
    }

    /// What the end tells that the beginning, with the fields `known`, did not.
    fn told_late(&self, known: &ir::Extensions) -> ir::Extensions {
        let mut all = ir::Extensions::default();
        keep(&self.0.unknown, "", &mut all);
        let mut out = ir::Extensions::default();
        for field in all.fields().iter().filter(|field| known.get(DIALECT, &field.name) != Some(&field.value)) {
            out.push(DIALECT, field.clone());
        }
        out
    }

    /// What it cost.
    fn usage(&self) -> ir::Usage {
        let Some(raw) = self.0.usage else { return ir::Usage::default() };
        let read: UsageRead<'_> = json::read(raw.get()).unwrap_or_default();
        let number = |number: Option<Integer>| number.and_then(Integer::unsigned);
        let input = read.input_details.unwrap_or_default();
        let output = read.output_details.unwrap_or_default();
        ir::Usage {
            input: number(read.input),
            cache_read: number(input.cached),
            cache_write: number(input.written),
            output: number(read.output),
            reasoning: number(output.reasoning),
            raw: Some(ir::Native { dialect: DIALECT, value: raw.into() }),
        }
    }

    fn finish(&self, has_call: bool, has_refusal: bool) -> ir::Finish {
        let reason = self.0.incomplete.as_ref().and_then(|details| details.reason.as_deref());
        match (self.0.status.as_deref().unwrap_or("completed"), reason) {
            (status @ "completed", _) if has_call => ir::Finish::new(ir::Reason::ToolUse, status),
            (status @ "completed", _) if has_refusal => ir::Finish::new(ir::Reason::Refusal, status),
            (status @ "completed", _) => ir::Finish::new(ir::Reason::End, status),
            ("incomplete", Some(reason @ "max_output_tokens")) => ir::Finish::new(ir::Reason::Length, reason),
            ("incomplete", Some(reason @ "content_filter")) => ir::Finish::new(ir::Reason::Refusal, reason),
            ("incomplete", Some(reason)) => ir::Finish::new(ir::Reason::Other, reason),
            (status, _) => ir::Finish::new(ir::Reason::Other, status),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
fn seconds(number: f64) -> u64 {
    number as u64
}

/// Keeps fields of an answer that the IR has no place for.
fn keep(unknown: &Unknown<'_>, under: &str, out: &mut ir::Extensions) {
    for (name, raw) in unknown.iter().filter(|(_, raw)| raw.get() != "null") {
        let name = if under.is_empty() { ir::Text::from(&**name) } else { format!("{under}.{}", &**name).into() };
        push(name, raw.into(), out);
    }
}

fn push(name: impl Into<ir::Text>, value: ir::Json, out: &mut ir::Extensions) {
    out.push(DIALECT, ir::Extension { name: name.into(), value, loss: &codes::ANSWER_DETAIL_LOST });
}

/// What a hint calls an item of a kind; others need none.
fn hint_kind(kind: Kind) -> Option<hints::Kind> {
    match kind {
        Kind::Content => Some(hints::Kind::Message),
        Kind::Call(_) => Some(hints::Kind::Call),
        Kind::Reasoning | Kind::Other => None,
    }
}

/// The index of the piece that stands at `at` at the item's end, of which those of `told` were streamed.
fn place(told: &[u64], at: u64) -> u64 {
    let known = usize::try_from(at).ok().and_then(|at| told.get(at)).copied();
    known.unwrap_or_else(|| told.last().map_or(at, |last| at.max(last.saturating_add(1))))
}

/// A piece of an item: the part of a message, or of thoughts, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(u64),
    Refusal(u64),
    Thought(ir::ReasoningForm, u64),
}

/// A piece as it stands at its end.
#[derive(Default)]
pub(super) struct Whole<'a> {
    pub(super) text: &'a str,
    pub(super) annotations: Option<&'a RawValue>,
    pub(super) logprobs: Option<&'a RawValue>,
    pub(super) extensions: ir::Extensions,
}

/// What has come of a piece.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Bytes of its text.
    length: usize,
    citations: usize,
    has_logprobs: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Content,
    Reasoning,
    Call(ir::CallKind),
    Other,
}

/// What has come of an item.
#[derive(Clone, Debug)]
struct Item {
    kind: Kind,
    id: Option<ir::Text>,
    phase: Option<ir::Text>,
    pieces: Vec<(Piece, Seen)>,
    /// A part that only this dialect understands was among its content.
    has_opaque: bool,
    is_done: bool,
    /// A seal's note has its id.
    is_noted: bool,
}

/// Thoughts that are whole: their seal waits for the item that they led to, so that its note can name that.
#[derive(Clone, Debug)]
struct Held {
    index: u64,
    payload: ir::Text,
    id: Option<ir::Text>,
}

/// Puts an answer together from what arrives of it, and says each thing once. Items are known by their place in the
/// output: some upstreams change their ids on the way.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    memo: Memo,
    items: BTreeMap<u64, Item>,
    /// The piece whose block is open.
    open: Option<(u64, Piece)>,
    has_refusal: bool,
    held: Option<Held>,
    /// Thoughts were sealed.
    has_state: bool,
    /// What only this dialect understands of the answer's beginning.
    told: ir::Extensions,
}

impl Reader {
    pub(super) fn new(memo: &Memo) -> Self {
        let told = ir::Extensions::default();
        let (open, held) = (None, None);
        Self { memo: memo.clone(), items: BTreeMap::new(), open, has_refusal: false, held, has_state: false, told }
    }

    /// The answer begins; only the first time counts.
    pub(super) fn start(&mut self, response: &ResponseObject<'_>, out: &mut ir::Emitter) {
        if !out.has_started() {
            let start = response.start();
            self.told = start.extensions.clone();
            out.start(start);
        }
    }

    /// The place of the newest item, for events that leave it out.
    pub(super) fn newest(&self) -> Option<u64> {
        self.items.last_key_value().map(|(index, _)| *index)
    }

    /// Whether the item is one that only this dialect understands: its events tell nothing that its end does not.
    pub(super) fn is_opaque(&self, index: u64) -> bool {
        self.items.get(&index).is_some_and(|item| item.kind == Kind::Other)
    }

    /// An item begins; it may be whole already.
    pub(super) fn begin(&mut self, index: u64, raw: &RawValue, is_whole: bool, out: &mut ir::Emitter) -> Result<()> {
        if self.items.contains_key(&index) {
            return Ok(());
        }
        let tag: Tag<'_> = json::read(raw.get()).map_err(|error| unreadable(&error))?;
        let kind = match tag.kind.as_deref() {
            Some("message") => Kind::Content,
            Some("reasoning") => Kind::Reasoning,
            Some("function_call") => Kind::Call(ir::CallKind::Function),
            Some("custom_tool_call") => Kind::Call(ir::CallKind::Custom),
            _ => Kind::Other,
        };
        let text = |text: &str| (!text.is_empty()).then(|| ir::Text::from(text));
        let phase: Option<Str<'_>> = tag.phase.and_then(|raw| json::read(raw.get()).ok());
        let id = tag.id.as_deref().and_then(text);
        let phase = phase.as_deref().and_then(text);
        let hint = hint_kind(kind).and_then(|kind| hints::hint(kind, true, id.as_deref(), phase.as_deref()));
        let is_noted = self.settle(hint.as_deref(), out) && hint.is_some();
        let (pieces, has_opaque, is_done) = (Vec::new(), false, false);
        let item = Item { kind, id, phase, pieces, has_opaque, is_done, is_noted };
        self.items.insert(index, item);
        if let Kind::Call(kind) = kind {
            let call: CallRead<'_> = json::read(raw.get()).map_err(|error| unreadable(&error))?;
            self.call(index, kind, &call, is_whole, out);
        }
        Ok(())
    }

    fn call(&mut self, index: u64, kind: ir::CallKind, call: &CallRead<'_>, is_whole: bool, out: &mut ir::Emitter) {
        let mut meta = self.meta(index);
        keep(&call.unknown, "", &mut meta.extensions);
        if let Some(status) = call.status.as_deref().filter(|status| is_whole && *status != "completed") {
            push(words::STATUS, ir::Json::of(status), &mut meta.extensions);
        }
        meta.seal = self.note(index).map(Box::new);
        let start = self.memo.names.restore(call.name.as_deref().unwrap_or_default());
        let namespace = call.namespace.as_deref().filter(|space| !space.is_empty()).map(ir::Text::from);
        self.open = None;
        out.call(
            index,
            ir::CallStart {
                id: call.call_id.as_deref().filter(|id| !id.is_empty()).map(ir::Text::from),
                namespace: namespace.or(start.namespace),
                name: start.name,
                kind,
                meta,
                unwrap_input: false,
            },
        );
    }

    /// More of a call's arguments.
    pub(super) fn call_delta(&mut self, index: u64, delta: &str, out: &mut ir::Emitter) {
        if !self.items.get(&index).is_some_and(|item| matches!(item.kind, Kind::Call(_))) {
            // The call may still come whole, at its end.
            out.report(&codes::UPSTREAM_ODDITY, "delta", "a piece of a call that has not begun");
        }
        out.call_delta(index, delta);
    }

    /// All of a call's arguments: what has not come yet of them comes now.
    pub(super) fn call_whole(&mut self, index: u64, arguments: &str, out: &mut ir::Emitter) {
        let known = out.call_arguments(index);
        match arguments.strip_prefix(known) {
            Some(rest) => {
                let rest = rest.to_owned();
                out.call_delta(index, &rest);
            }
            None if arguments.is_empty() => {}
            None => out.report(&codes::UPSTREAM_ODDITY, "arguments", "a call's arguments differ from their pieces"),
        }
    }

    /// Seals the thoughts that wait for that; `next` is the hint of what they led to.
    fn settle(&mut self, next: Option<&str>, out: &mut ir::Emitter) -> bool {
        let Some(Held { index, payload, id }) = self.held.take() else { return false };
        let words: Vec<&str> = [id.as_deref(), next].into_iter().flatten().collect();
        // The id goes with the seal: no other dialect's client has a place for it.
        let note = (!words.is_empty()).then(|| words.join(" ").into());
        out.seal(ir::Sealed { note, ..self.memo.seal(payload) });
        self.has_state = true;
        self.close(index, out);
        true
    }

    /// What clients of other dialects have to keep of an item that no seal's note names yet. Of a plain message, without
    /// thoughts and without a phase, nobody misses anything.
    fn note(&self, index: u64) -> Option<ir::Sealed> {
        let item = self.items.get(&index).filter(|item| !item.is_noted)?;
        let is_plain = item.kind == Kind::Content && !self.has_state && item.phase.is_none();
        let kind = hint_kind(item.kind).filter(|_| !is_plain)?;
        let hint = hints::hint(kind, self.has_state, item.id.as_deref(), item.phase.as_deref())?;
        Some(self.memo.noted_seal("", hint))
    }

    fn meta(&self, index: u64) -> ir::Meta {
        let mut meta = ir::Meta::default();
        let Some(item) = self.items.get(&index) else { return meta };
        let id = ir::Item { id: item.id.clone(), phase: item.phase.clone() };
        if id != ir::Item::default() {
            meta.item = Some(Box::new(id));
        }
        if item.id.is_some() {
            return meta;
        }
        // Without an id, marks tell where an item begins.
        match (item.kind, item.pieces.is_empty()) {
            (Kind::Content, true) => words::mark(words::BEGINS, &mut meta.extensions),
            (Kind::Reasoning, false) => words::mark(words::JOINED, &mut meta.extensions),
            (Kind::Content | Kind::Reasoning | Kind::Call(_) | Kind::Other, _) => {}
        }
        meta
    }

    /// An event that names a piece of an item that never began begins it.
    fn ensure(&mut self, index: u64, piece: Piece, item_id: Option<&str>) {
        let kind = match piece {
            Piece::Text(_) | Piece::Refusal(_) => Kind::Content,
            Piece::Thought(..) => Kind::Reasoning,
        };
        self.items.entry(index).or_insert_with(|| Item {
            kind,
            id: item_id.filter(|id| !id.is_empty()).map(ir::Text::from),
            phase: None,
            pieces: Vec::new(),
            has_opaque: false,
            is_done: false,
            is_noted: false,
        });
    }

    fn seen(&mut self, index: u64, piece: Piece) -> Option<&mut Seen> {
        let item = self.items.get_mut(&index)?;
        let at = match item.pieces.iter().position(|(other, _)| *other == piece) {
            Some(at) => at,
            None => {
                item.pieces.push((piece, Seen::default()));
                item.pieces.len() - 1
            }
        };
        item.pieces.get_mut(at).map(|(_, seen)| seen)
    }

    /// Opens the block of a piece, unless it is open.
    fn open(&mut self, index: u64, piece: Piece, extensions: ir::Extensions, out: &mut ir::Emitter) {
        if self.open == Some((index, piece)) {
            return;
        }
        self.settle(None, out);
        let mut meta = self.meta(index);
        for field in extensions.fields() {
            meta.extensions.push(DIALECT, field.clone());
        }
        match piece {
            Piece::Text(_) => out.open_text(meta),
            Piece::Refusal(_) => {
                self.has_refusal = true;
                out.open_refusal(meta);
            }
            Piece::Thought(form, _) => out.open_reasoning(form, meta),
        }
        self.open = Some((index, piece));
    }

    /// More of a piece.
    pub(super) fn delta(
        &mut self,
        index: u64,
        piece: Piece,
        item_id: Option<&str>,
        delta: &str,
        logprobs: Option<&RawValue>,
        out: &mut ir::Emitter,
    ) {
        self.ensure(index, piece, item_id);
        let logprobs = words::logprobs(logprobs);
        if delta.is_empty() && logprobs.is_empty() {
            return;
        }
        self.open(index, piece, ir::Extensions::default(), out);
        match piece {
            Piece::Text(_) => out.text(delta),
            Piece::Refusal(_) => out.refusal(delta),
            Piece::Thought(form, _) => out.reasoning(form, delta),
        }
        let has_logprobs = !logprobs.is_empty();
        if has_logprobs {
            out.annotate(ir::Annotation::Logprobs(logprobs));
        }
        if let Some(seen) = self.seen(index, piece) {
            seen.length += delta.len();
            seen.has_logprobs |= has_logprobs;
        }
    }

    /// A source of a text.
    pub(super) fn cite(
        &mut self,
        index: u64,
        piece: Piece,
        item_id: Option<&str>,
        raw: &RawValue,
        out: &mut ir::Emitter,
    ) {
        self.ensure(index, piece, item_id);
        self.open(index, piece, ir::Extensions::default(), out);
        out.annotate(ir::Annotation::Citation(words::citation(raw)));
        if let Some(seen) = self.seen(index, piece) {
            seen.citations += 1;
        }
    }

    /// All of a piece: what has not come yet of it comes now.
    pub(super) fn whole(
        &mut self,
        index: u64,
        piece: Piece,
        item_id: Option<&str>,
        whole: Whole<'_>,
        out: &mut ir::Emitter,
    ) {
        let Whole { text, annotations, logprobs, extensions } = whole;
        self.ensure(index, piece, item_id);
        let pieces = self.items.get(&index).map(|item| item.pieces.as_slice()).unwrap_or_default();
        let seen = pieces.iter().find(|(other, _)| *other == piece).map(|(_, seen)| seen.clone()).unwrap_or_default();
        let rest = text.get(seen.length..).unwrap_or_default();
        let citations = words::citations(annotations);
        let citations = citations.get(seen.citations..).unwrap_or_default();
        let logprobs = if seen.has_logprobs { Vec::new() } else { words::logprobs(logprobs) };
        if rest.is_empty() && citations.is_empty() && logprobs.is_empty() {
            return;
        }
        self.open(index, piece, extensions, out);
        match piece {
            Piece::Text(_) => out.text(rest),
            Piece::Refusal(_) => out.refusal(rest),
            Piece::Thought(form, _) => out.reasoning(form, rest),
        }
        for citation in citations {
            out.annotate(ir::Annotation::Citation(citation.clone()));
        }
        let has_logprobs = !logprobs.is_empty();
        if has_logprobs {
            out.annotate(ir::Annotation::Logprobs(logprobs));
        }
        let count = citations.len();
        if let Some(seen) = self.seen(index, piece) {
            seen.length += rest.len();
            seen.citations += count;
            seen.has_logprobs |= has_logprobs;
        }
    }

    /// The block of a piece is whole.
    fn close(&mut self, index: u64, out: &mut ir::Emitter) {
        if self.open.is_some_and(|(other, _)| other == index) {
            self.open = None;
            out.close();
        }
    }

    /// A part of a message, as it stands at its end.
    pub(super) fn part(
        &mut self,
        index: u64,
        at: u64,
        item_id: Option<&str>,
        raw: &RawValue,
        mut extensions: ir::Extensions,
        out: &mut ir::Emitter,
    ) -> Result<()> {
        let part: PartRead<'_> = json::read(raw.get()).map_err(|error| unreadable(&error))?;
        let (piece, text) = match part.kind.as_deref() {
            Some("output_text") => (Piece::Text(at), &part.text),
            Some("refusal") => (Piece::Refusal(at), &part.refusal),
            Some("reasoning_text") => (Piece::Thought(ir::ReasoningForm::Raw, at), &part.text),
            Some("summary_text") => (Piece::Thought(ir::ReasoningForm::Summary, at), &part.text),
            kind => {
                let kind = ir::Text::from(kind.unwrap_or_default());
                let value = ir::Json::from(raw);
                let mut meta = self.meta(index);
                words::mark(words::CONTENT, &mut meta.extensions);
                let (dialect, loss) = (DIALECT, &codes::ANSWER_PART_DROPPED);
                self.open = None;
                if let Some(item) = self.items.get_mut(&index) {
                    item.has_opaque = true;
                }
                let (words, trace) = (None, None);
                out.whole(ir::Part::Opaque(ir::Opaque { dialect, kind, value, words, trace, loss, meta }));
                return Ok(());
            }
        };
        keep(&part.unknown, "", &mut extensions);
        let text = text.as_deref().unwrap_or_default();
        let whole = Whole { text, annotations: part.annotations, logprobs: part.logprobs, extensions };
        self.whole(index, piece, item_id, whole, out);
        Ok(())
    }

    /// An item is whole.
    pub(super) fn item(&mut self, index: u64, raw: &RawValue, out: &mut ir::Emitter) -> Result<()> {
        self.begin(index, raw, true, out)?;
        let Some(item) = self.items.get_mut(&index) else { return Ok(()) };
        if std::mem::replace(&mut item.is_done, true) {
            return Ok(());
        }
        match item.kind {
            Kind::Content => self.message(index, raw, out),
            Kind::Reasoning => self.reasoning(index, raw, out),
            Kind::Call(kind) => {
                let call: CallRead<'_> = json::read(raw.get()).map_err(|error| unreadable(&error))?;
                let arguments = match kind {
                    ir::CallKind::Function => &call.arguments,
                    ir::CallKind::Custom => &call.input,
                };
                self.call_whole(index, arguments.as_deref().unwrap_or_default(), out);
                if let Some(note) = self.note(index) {
                    out.call_seal(index, note);
                }
                out.call_close(index);
                Ok(())
            }
            Kind::Other => {
                self.opaque(index, raw, out);
                Ok(())
            }
        }
    }

    /// The indexes under which pieces of an item were streamed, in order: some upstreams count them differently at the
    /// item's end.
    fn told(&self, index: u64, is_it: impl Fn(Piece) -> bool) -> Vec<u64> {
        let pieces = self.items.get(&index).map(|item| item.pieces.as_slice()).unwrap_or_default();
        let number = |piece: Piece| match piece {
            Piece::Text(at) | Piece::Refusal(at) | Piece::Thought(_, at) => at,
        };
        pieces.iter().filter(|(piece, _)| is_it(*piece)).map(|(piece, _)| number(*piece)).collect()
    }

    fn message(&mut self, index: u64, raw: &RawValue, out: &mut ir::Emitter) -> Result<()> {
        let message: MessageRead<'_> = json::read(raw.get()).map_err(|error| unreadable(&error))?;
        let mut extensions = ir::Extensions::default();
        keep(&message.unknown, words::ITEM, &mut extensions);
        if let Some(status) = message.status.as_deref().filter(|status| *status != "completed") {
            push(words::STATUS, ir::Json::of(status), &mut extensions);
        }
        let told = self.told(index, |piece| matches!(piece, Piece::Text(_) | Piece::Refusal(_)));
        for (at, raw) in (0..).zip(message.content.unwrap_or_default()) {
            self.part(index, place(&told, at), None, raw, std::mem::take(&mut extensions), out)?;
        }
        if let Some(note) = self.note(index).filter(|_| self.open.is_some_and(|(other, _)| other == index)) {
            out.seal(note);
        }
        self.close(index, out);
        let item = self.items.get_mut(&index).filter(|item| item.pieces.is_empty() && !item.has_opaque);
        if item.is_some() {
            // A message without words is nothing to other dialects.
            self.whole_item(index, "message", raw, &codes::ANSWER_DETAIL_LOST, out);
        }
        Ok(())
    }

    fn reasoning(&mut self, index: u64, raw: &RawValue, out: &mut ir::Emitter) -> Result<()> {
        let item: ReasoningRead<'_> = json::read(raw.get()).map_err(|error| unreadable(&error))?;
        let mut extensions = ir::Extensions::default();
        keep(&item.unknown, "", &mut extensions);
        for (form, list) in [(ir::ReasoningForm::Summary, item.summary), (ir::ReasoningForm::Raw, item.content)] {
            let told = self.told(index, |piece| matches!(piece, Piece::Thought(other, _) if other == form));
            for (at, piece) in (0..).zip(list.unwrap_or_default()) {
                let text = piece.text.as_deref().unwrap_or_default();
                let extensions = std::mem::take(&mut extensions);
                let whole = Whole { text, extensions, ..Whole::default() };
                self.whole(index, Piece::Thought(form, place(&told, at)), None, whole, out);
            }
        }
        let seal = item.encrypted.as_deref().filter(|payload| !payload.is_empty());
        let has_said = self.items.get(&index).is_some_and(|item| item.pieces.iter().any(|(_, seen)| seen.length > 0));
        let is_open = self.open.is_some_and(|(other, _)| other == index);
        if !has_said || seal.is_some() && !is_open {
            // Nothing was said, or something else since: the state gets a block of its own.
            self.open = None;
            self.open(index, Piece::Thought(ir::ReasoningForm::Summary, u64::MAX), extensions, out);
        }
        match seal {
            Some(payload) => {
                let id = item.id.as_deref().filter(|id| !id.is_empty()).map(ir::Text::from);
                self.held = Some(Held { index, payload: payload.into(), id });
            }
            None => self.close(index, out),
        }
        Ok(())
    }

    fn opaque(&mut self, index: u64, raw: &RawValue, out: &mut ir::Emitter) {
        self.settle(None, out);
        self.open = None;
        let tag: Tag<'_> = json::read(raw.get()).unwrap_or_default();
        let Some(kind) = tag.kind.as_deref().filter(|kind| !kind.is_empty()) else {
            return out.report(&codes::UPSTREAM_ODDITY, "output", "an item without a type");
        };
        if kind == "image_generation_call" {
            let image: ImageRead<'_> = json::read(raw.get()).unwrap_or_default();
            if let Some(result) = image.result.as_deref().filter(|result| !result.is_empty()) {
                let mut meta = self.meta(index);
                meta.item.get_or_insert_default();
                keep(&image.unknown, "", &mut meta.extensions);
                if let Some(format) = &image.format {
                    push("output_format", ir::Json::of(&**format), &mut meta.extensions);
                }
                let mime = format!("image/{}", image.format.as_deref().unwrap_or("png"));
                let source = ir::MediaSource::Inline(result.into());
                let (kind, mime) = (ir::MediaKind::Image, Some(mime.into()));
                out.whole(ir::Part::Media(ir::Media { kind, source, mime, name: None, detail: None, meta }));
                return;
            }
        }
        self.whole_item(index, kind, raw, &codes::ANSWER_PART_DROPPED, out);
    }

    /// An item that only this dialect understands.
    fn whole_item(&mut self, index: u64, kind: &str, raw: &RawValue, loss: &'static Code, out: &mut ir::Emitter) {
        let value = ir::Json::from(raw);
        let trace = words::trace(kind, raw);
        let (dialect, kind, mut meta) = (DIALECT, kind.into(), self.meta(index));
        if trace.is_some() {
            keep_untold(DIALECT, &value.value(), &mut meta.extensions);
        }
        out.whole(ir::Part::Opaque(ir::Opaque { dialect, kind, value, words: None, trace, loss, meta }));
    }

    /// The answer is whole, as `response` says: items that no event told come now.
    pub(super) fn end(&mut self, response: &ResponseObject<'_>, out: &mut ir::Emitter) {
        let newest = self.newest();
        let output = response.0.output.as_deref().unwrap_or_default();
        for (index, raw) in (0..).zip(output) {
            // Some count items otherwise in their events; then there are as many of them as here.
            let is_told = match self.items.get(&index) {
                Some(item) => item.is_done,
                None => newest.is_some_and(|newest| index <= newest) && self.items.len() >= output.len(),
            };
            if is_told {
                continue;
            }
            if let Err(error) = self.item(index, raw, out) {
                out.usage(response.usage());
                out.fail(error);
                return;
            }
        }
        self.settle(None, out);
        out.usage(response.usage());
        let mut finish = response.finish(out.has_tool_call(), self.has_refusal);
        finish.extensions = response.told_late(&self.told);
        out.finish(finish);
    }
}
