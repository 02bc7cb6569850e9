//! Reads answers: whole ones as a stream of one piece, so that both are read by the same code.

use super::answer::{self, Answer, Candidate, Cite, Feedback};
use super::frames::{Found, Framer};
use super::pieces::Arguments;
use crate::backends::{Decoder, Memo};
use crate::context::Cx;
use crate::diagnostics::codes;
use crate::dialects::gemini::read::{self, Part};
use crate::dialects::gemini::{ANSWER, BLOCK_NUMBERS, CANDIDATE, FINISH_NUMBERS, ID, NOTE_ID, reason, spelling};
use crate::error::{Error, Result};
use crate::ir;
use crate::json::{self, Many, Repeats, StrOr, Varying};

/// Reads a whole answer, the document of `cx`.
pub(super) fn parse(cx: &mut Cx, memo: &Memo) -> Result<ir::Response> {
    let body = cx.body();
    let answers: Many<Answer<'_>> =
        json::read(body.as_str()).map_err(|error| Error::unreadable(error.full_message()))?;
    let mut out = ir::Emitter::new(memo.ids.clone());
    let mut reader = Reader::new(memo);
    for answer in answers.0 {
        reader.piece(&body, answer, &mut out);
    }
    // A whole answer is whole also where it does not say why it ended.
    if reader.finish.is_none() && out.has_started() && reader.has_parts {
        reader.finish = Some(ir::Finish::default());
    }
    let is_empty = reader.finish.is_none();
    reader.end(&mut out);
    for loss in out.take_diagnostics() {
        cx.report(loss.code, ir::Place::default(), &loss.place, loss.message);
    }
    match ir::collect(out.take()) {
        Err(error) if is_empty && error.code.as_deref() == Some("upstream_cut_short") => {
            Err(Error::unreadable("the upstream's answer has no candidates"))
        }
        response => response,
    }
}

/// Reads a streamed answer.
#[derive(Clone)]
pub(super) struct GeminiDecoder {
    framer: Framer,
    reader: Reader,
}

impl GeminiDecoder {
    pub(super) fn new(memo: &Memo) -> Self {
        Self { framer: Framer::default(), reader: Reader::new(memo) }
    }
}

impl Decoder for GeminiDecoder {
    fn push(&mut self, chunk: &[u8], out: &mut ir::Emitter) {
        let Self { framer, reader } = self;
        framer.push(chunk, |found| reader.found(found, out));
    }

    fn finish(&mut self, out: &mut ir::Emitter) {
        let Self { framer, reader } = self;
        framer.finish(|found| {
            // The body may end in the middle of an event: then it was cut short, and what there is of it says nothing.
            let is_whole = |text: &str| json::check(text).is_ok();
            if !matches!(&found, Found::Json(text) if !is_whole(text)) {
                reader.found(found, out);
            }
        });
        reader.end(out);
    }

    fn fork(&self) -> Box<dyn Decoder> {
        Box::new(self.clone())
    }
}

/// A call whose arguments come in pieces.
#[derive(Clone)]
struct Pending {
    key: u64,
    arguments: Arguments,
    seal: Option<ir::Sealed>,
}

/// What is known of an answer so far.
#[derive(Clone)]
struct Reader {
    memo: Memo,
    /// Why it ends. Older models say so in every piece, so the answer ends where the body does.
    finish: Option<ir::Finish>,
    /// The text of the newest block, if more text would go on with it.
    text: Option<String>,
    /// Whether more thoughts would go on with the newest block.
    is_thinking: bool,
    /// Bytes of text in all blocks before the newest.
    text_before: usize,
    calls: u64,
    pending: Option<Pending>,
    has_parts: bool,
    /// Fields of the whole answer that came after its beginning, and what the candidate says beside its parts.
    late: Vec<(ir::Text, ir::Json)>,
    candidate: Vec<(ir::Text, ir::Json)>,
    repeats: Repeats<More>,
    /// The newest totals, as they came, where they came with more of a block: nobody is told before it ends.
    totals: String,
}

/// What a piece of the stream has more of.
#[derive(Clone, Copy, Debug)]
enum More {
    Text,
    Thoughts,
}

impl Reader {
    fn new(memo: &Memo) -> Self {
        Self {
            memo: memo.clone(),
            finish: None,
            text: None,
            is_thinking: false,
            text_before: 0,
            calls: 0,
            pending: None,
            has_parts: false,
            late: Vec::new(),
            candidate: Vec::new(),
            repeats: Repeats::default(),
            totals: String::new(),
        }
    }

    fn found(&mut self, found: Found<'_>, out: &mut ir::Emitter) {
        if out.has_ended() {
            return;
        }
        let text = match found {
            Found::Json(text) => text,
            Found::Idle => return out.idle(),
            Found::TooLarge => return out.fail(Error::unreadable("an event of the upstream's stream is too large")),
        };
        if self.repeated(text, out) {
            return;
        }
        self.tell_totals(out);
        // Some relays end a stream as OpenAI does.
        if text.trim().is_empty() || text.trim() == "[DONE]" {
            return;
        }
        let body = ir::Body::new(text.to_owned());
        match json::read::<Many<Answer<'_>>>(body.as_str()) {
            Ok(Many(answers)) => {
                if let [answer] = answers.as_slice()
                    && let Some((more, words)) = only(answer)
                {
                    let varying = Varying { words: words.into(), passed: &[], counts: answer.usage };
                    self.repeats.note(body.as_str(), varying, more);
                }
                for answer in answers {
                    self.piece(&body, answer, out);
                }
            }
            Err(error) if json::check(body.as_str()).is_err() => {
                out.fail(Error::unreadable(format!("an event of the upstream's stream is no JSON: {}", error.message)));
            }
            Err(error) => out.fail(Error::unreadable(error.full_message())),
        }
    }

    /// Does what [`Reader::piece`] does with a piece that has no more than another one before it. Gives whether it is such a piece,
    /// and there is a block that goes on with it.
    fn repeated(&mut self, text: &str, out: &mut ir::Emitter) -> bool {
        let Some(repeat) = self.repeats.find(text).filter(|_| out.has_open_block()) else { return false };
        match (repeat.said, &mut self.text) {
            (More::Text, Some(text)) => {
                text.push_str(&repeat.words);
                out.text(&*repeat.words);
            }
            (More::Thoughts, _) if self.is_thinking => out.reasoning(ir::ReasoningForm::Summary, &*repeat.words),
            (More::Text | More::Thoughts, _) => return false,
        }
        if let Some(totals) = repeat.counts {
            self.totals.clear();
            self.totals.push_str(totals);
        }
        true
    }

    /// Tells the totals that were left for later. Those that they replaced knew the same fields.
    fn tell_totals(&mut self, out: &mut ir::Emitter) {
        if self.totals.is_empty() {
            return;
        }
        let body = ir::Body::new(std::mem::take(&mut self.totals));
        if let Ok(totals) = json::read(body.as_str()) {
            out.usage(answer::usage(&body, totals));
        }
    }

    /// A piece of the answer, or all of it.
    fn piece(&mut self, body: &ir::Body, answer: Answer<'_>, out: &mut ir::Emitter) {
        let Answer { candidates, feedback, usage, model, id, created, error, unknown } = answer;
        if out.has_ended() {
            return;
        }
        if let Some(error) = error {
            return out.fail(answer::error_in_band(error));
        }
        let candidates = candidates.unwrap_or_default().0;
        if candidates.is_empty() && feedback.is_none() && usage.is_none() {
            out.report(&codes::UPSTREAM_ODDITY, "", "a piece of the stream that holds nothing known");
        }
        let mut fields: Vec<(ir::Text, ir::Json)> = Vec::new();
        let text = |text: &json::Str<'_>| text.text(body);
        if let Some(created) = &created {
            fields.push((ir::Text::constant("createTime"), ir::Json::of(&**created)));
        }
        if let Some(feedback) = feedback {
            fields.push((ir::Text::constant("promptFeedback"), body.json(feedback)));
        }
        let known = unknown.iter().filter(|(_, raw)| raw.get() != "null");
        fields.extend(known.map(|(name, raw)| (text(name), body.json(raw))));
        let usage = usage.map(|usage| answer::usage(body, usage));
        let is_first = !out.has_started();
        if !is_first {
            for (name, value) in fields.into_iter().filter(|(name, _)| *name != "createTime") {
                keep(&mut self.late, name, value);
            }
        } else {
            let mut extensions = ir::Extensions::default();
            for (name, value) in fields {
                extensions.push(ID, ir::Extension { name, value, loss: &codes::ANSWER_DETAIL_LOST });
            }
            let created = created.as_deref().and_then(answer::seconds);
            let (id, model) = (id.as_ref().map(text), model.as_ref().map(text));
            let usage = usage.clone().unwrap_or_default();
            out.start(ir::Start { id, model, created, usage, extensions });
        }
        if let Some(usage) = usage.filter(|_| !is_first) {
            out.usage(usage);
        }
        let Feedback { reason: block, message, unknown: _ } = answer::lenient(feedback);
        if let Some(block) = block {
            self.finish = Some(ir::Finish {
                reason: ir::Reason::Refusal,
                raw: Some(block.named(&BLOCK_NUMBERS).into()),
                stop_sequence: None,
                detail: message.as_ref().map(text),
                extensions: ir::Extensions::default(),
            });
        }
        for candidate in candidates {
            if candidate.index.is_some_and(|index| index.0 != 0) {
                out.report(&codes::ANSWER_PART_DROPPED, "candidates", "only the first candidate is read");
                continue;
            }
            self.candidate(body, candidate, out);
        }
    }

    fn candidate(&mut self, body: &ir::Body, mut candidate: Candidate<'_>, out: &mut ir::Emitter) {
        for (name, value) in answer::extras(body, &candidate) {
            keep(&mut self.candidate, name, value);
        }
        let content = candidate.content.take().unwrap_or_default();
        let parts: Vec<Part<'_>> = content.parts.unwrap_or_default().0.into_iter().map(part_of).collect();
        let mut annotations = self.annotations(body, &candidate, &parts);
        for annotation in annotations.before {
            out.annotate(annotation);
        }
        for (index, mut part) in parts.into_iter().enumerate() {
            let own = std::mem::take(annotations.of_parts.get_mut(index).unwrap_or(&mut Vec::new()));
            let kinds = part.kinds();
            // Google's parts hold one thing each; text beside another is a part before it.
            match part.text.take_if(|text| kinds > 0 && !text.is_empty()) {
                Some(text) => {
                    let text = Part { thought: part.thought, ..Part::of_text(text) };
                    self.part(body, &text, index == 0, own, out);
                    self.part(body, &part, false, Vec::new(), out);
                }
                None => self.part(body, &part, index == 0, own, out),
            }
            if kinds > 1 {
                out.report(&codes::UPSTREAM_ODDITY, "candidates[0].content", "a part that holds several things");
            }
        }
        let word = candidate.finish.map(|word| word.named(&FINISH_NUMBERS)).unwrap_or_default();
        if !matches!(word.as_str(), "" | "FINISH_REASON_UNSPECIFIED") {
            let detail = candidate.message.map(|message| message.text(body));
            self.finish = Some(ir::Finish { detail, ..ir::Finish::new(reason(&word), &word) });
        }
    }

    fn part(
        &mut self,
        body: &ir::Body,
        part: &Part<'_>,
        is_first: bool,
        annotations: Vec<ir::Annotation>,
        out: &mut ir::Emitter,
    ) {
        let signature = part.signature.as_ref().filter(|signature| !signature.is_empty());
        let is_text = part.call.is_none() && part.thought != Some(true);
        let seal = signature.map(|signature| match part.text.as_deref().filter(|_| is_text) {
            // Other dialects' clients may join the text with the one before it; the note tells where to part them again.
            Some(text) => self.memo.noted_seal(signature.text(body), text.chars().count().to_string()),
            None => self.memo.seal(signature.text(body)),
        });
        let place = ir::Place::default();
        if part.call.is_some() {
            return self.call(body, part, seal, out);
        }
        let has_media = part.inline.is_some() || part.file.is_some();
        let opaque = || if part.text.is_some() || has_media { None } else { read::opaque(body, part, place) };
        let mut whole = if has_media {
            read::media(body, part, place).map(ir::Part::Media)
        } else {
            opaque().map(|opaque| ir::Part::Opaque(in_answer(opaque)))
        };
        if let Some(whole) = &mut whole {
            whole.meta_mut().seal = seal.map(Box::new);
            self.leave();
            self.has_parts = true;
            return out.whole(whole.clone());
        }
        if part.result.is_some() {
            return out.report(&codes::UPSTREAM_ODDITY, "candidates[0].content", "a functionResponse in an answer");
        }
        let text = part.text.as_deref().unwrap_or_default();
        if text.is_empty() && seal.is_none() {
            return;
        }
        self.has_parts = true;
        let meta = read::meta(body, part, place);
        // A signature is the part's own, so a signed part is a block of its own, and so is one with fields of its own.
        let goes_on = is_first && seal.is_none() && meta.extensions.is_empty();
        if part.thought == Some(true) {
            let form = ir::ReasoningForm::Summary;
            if !(goes_on && self.is_thinking) {
                self.leave();
                out.open_reasoning(form, meta);
            }
            out.reasoning(form, text);
            self.is_thinking = seal.is_none();
        } else {
            if !(goes_on && self.text.is_some()) {
                self.leave();
                out.open_text(meta);
            }
            out.text(text);
            for annotation in annotations {
                out.annotate(annotation);
            }
            self.text.get_or_insert_default().push_str(text);
        }
        if let Some(seal) = seal {
            out.seal(seal);
            self.leave();
        }
    }

    /// The newest block is done: what comes begins another.
    fn leave(&mut self) {
        self.text_before += self.text.take().map_or(0, |text| text.len());
        self.is_thinking = false;
    }

    fn call(&mut self, body: &ir::Body, part: &Part<'_>, seal: Option<ir::Sealed>, out: &mut ir::Emitter) {
        let Some(call) = &part.call else { return };
        let goes_on = call.goes_on == Some(true);
        let pieces = call.pieces.iter().flat_map(|pieces| &pieces.0);
        let args = call.args.map(|args| body.json(args)).filter(|args| !args.is_null());
        let name = call.name.as_ref().filter(|name| !name.is_empty());
        if let Some(name) = name {
            self.end_call(out);
            self.leave();
            self.has_parts = true;
            let mut meta = read::meta(body, part, ir::Place::default());
            let id = call.id.as_ref().filter(|id| !id.is_empty()).map(|id| id.text(body));
            if id.is_none() {
                spelling(NOTE_ID, ir::Json::of(&true), &mut meta.extensions);
            }
            meta.seal = seal.map(Box::new);
            let key = self.calls;
            self.calls += 1;
            out.call(key, ir::CallStart { id, meta, ..self.memo.names.restore(name) });
            if !goes_on && call.pieces.is_none() {
                out.call_delta(key, args.as_ref().map_or("", ir::Json::as_str));
                return out.call_close(key);
            }
            let arguments = args.as_ref().map(|args| Arguments::of(args.as_str())).unwrap_or_default();
            self.pending = Some(Pending { key, arguments, seal: None });
        } else if let Some(pending) = &mut self.pending {
            pending.seal = pending.seal.take().or(seal);
        }
        let Some(pending) = &mut self.pending else {
            return out.report(&codes::UPSTREAM_ODDITY, "candidates[0].content", "a call without a name");
        };
        for piece in pieces {
            if pending.arguments.put(piece).is_none() {
                let what = format!("an argument's path {:?}", piece.path.as_deref().unwrap_or_default());
                out.report(&codes::UPSTREAM_ODDITY, "candidates[0].content", what);
            }
        }
        if !goes_on {
            self.end_call(out);
        }
    }

    fn end_call(&mut self, out: &mut ir::Emitter) {
        let Some(Pending { key, arguments, seal }) = self.pending.take() else { return };
        out.call_delta(key, &arguments.json());
        if let Some(seal) = seal {
            out.call_seal(key, seal);
        }
        out.call_close(key);
    }

    /// Sources and log probabilities, each for the block of text that it is about: the one that is open, or a part's.
    fn annotations(&self, body: &ir::Body, candidate: &Candidate<'_>, parts: &[Part<'_>]) -> Annotations {
        let mut out = Annotations { before: Vec::new(), of_parts: vec![Vec::new(); parts.len()] };
        let cites = answer::cites(body, candidate);
        let logprobs = answer::logprobs(body, candidate);
        if cites.is_empty() && logprobs.is_empty() {
            return out;
        }
        let blocks = self.blocks(parts);
        if blocks.is_empty() && self.text_before == 0 {
            // Sources of no text: they are among the details.
            return out;
        }
        for cite in cites {
            let (block, citation) = locate(cite, &blocks, self.text_before == 0 && self.text.is_none());
            out.of_block(block.and_then(|index| blocks.get(index))).push(ir::Annotation::Citation(citation));
        }
        if !logprobs.is_empty() {
            out.of_block(blocks.last()).push(ir::Annotation::Logprobs(logprobs));
        }
        out
    }

    /// The blocks of text that may still be annotated: the one that is open, and those of `parts`.
    fn blocks(&self, parts: &[Part<'_>]) -> Vec<Block> {
        let mut out = Vec::new();
        let mut start = self.text_before;
        let texts = parts.iter().enumerate().filter_map(|(index, part)| {
            let text = part.text.as_deref().filter(|text| !text.is_empty())?;
            (part.thought != Some(true)).then_some((index, text, part.signature.is_some()))
        });
        if let Some(open) = &self.text {
            out.push(Block { part: None, start, text: open.clone() });
        }
        for (index, text, is_signed) in texts {
            match out.last_mut() {
                Some(block) if index == 0 && block.part.is_none() && !is_signed => {
                    block.part = Some(0);
                    block.text.push_str(text);
                }
                last => {
                    start += last.map_or(0, |block| block.text.len());
                    out.push(Block { part: Some(index), start, text: text.to_owned() });
                }
            }
        }
        out
    }

    /// The body has ended.
    fn end(&mut self, out: &mut ir::Emitter) {
        if out.has_ended() {
            return;
        }
        self.tell_totals(out);
        let Some(mut finish) = self.finish.take() else { return out.fail(Error::cut_short()) };
        self.end_call(out);
        if finish.reason == ir::Reason::End && out.has_tool_call() {
            finish.reason = ir::Reason::ToolUse;
        }
        let under = |node: &str, fields: &[(ir::Text, ir::Json)], out: &mut ir::Extensions| {
            for (name, value) in fields {
                let name = format!("{node}.{name}").into();
                out.push(ID, ir::Extension { name, value: value.clone(), loss: &codes::ANSWER_DETAIL_LOST });
            }
        };
        under(CANDIDATE, &self.candidate, &mut finish.extensions);
        under(ANSWER, &self.late, &mut finish.extensions);
        out.finish(finish);
    }
}

/// What a piece of the stream has more of, if it has nothing else but totals.
fn only<'s, 'a>(answer: &'s Answer<'a>) -> Option<(More, &'s json::Str<'a>)> {
    let Answer { candidates: Some(candidates), feedback: None, error: None, unknown, .. } = answer else { return None };
    let [candidate] = candidates.0.as_slice() else { return None };
    let Candidate { content: Some(content), finish, index, grounding, citations, logprobs, unknown: others, .. } =
        candidate
    else {
        return None;
    };
    let is_more = [grounding, citations, logprobs].iter().any(|raw| raw.is_some());
    let is_other = index.is_some_and(|index| index.0 != 0);
    if is_more || is_other || finish.is_some() || !unknown.is_empty() || !others.is_empty() {
        return None;
    }
    let [StrOr::Other(part)] = content.parts.as_ref()?.0.as_slice() else { return None };
    let Part { text, thought, signature, resolution: None, video: None, unknown, .. } = part else { return None };
    if signature.is_some() || !unknown.is_empty() || part.kinds() > 0 {
        return None;
    }
    let more = match thought {
        None => More::Text,
        Some(true) => More::Thoughts,
        Some(false) => return None,
    };
    Some((more, text.as_ref()?))
}

fn part_of<'a>(part: StrOr<'a, Part<'a>>) -> Part<'a> {
    match part {
        StrOr::Str(text) => Part::of_text(text),
        StrOr::Other(part) => part,
    }
}

/// A part of Google's own tools in an answer. Code and what came of it are shown in words; what a search was asked and
/// found is in the answer's words and sources already.
fn in_answer(opaque: ir::Opaque) -> ir::Opaque {
    let is_shown = matches!(opaque.kind.as_str(), "executableCode" | "codeExecutionResult");
    ir::Opaque {
        words: opaque.words.filter(|_| is_shown),
        loss: if is_shown { &codes::CONTENT_AS_TEXT } else { &codes::ANSWER_PART_DROPPED },
        ..opaque
    }
}

/// Keeps a field; a later one replaces it, unless it is empty (every piece of a stream has its `groundingMetadata`, but one
/// has something in it).
fn keep(fields: &mut Vec<(ir::Text, ir::Json)>, name: ir::Text, value: ir::Json) {
    let Some((_, before)) = fields.iter_mut().find(|(other, _)| *other == name) else {
        return fields.push((name, value));
    };
    if name == "logprobsResult" {
        *before = answer::join_logprobs(before, &value);
    } else if !matches!(value.as_str().trim(), "{}" | "[]") {
        *before = value;
    }
}

/// A block of text that may be annotated.
struct Block {
    /// The part of this piece that ends it; `None` where all of it came before.
    part: Option<usize>,
    /// Where it begins in the answer's text, in bytes.
    start: usize,
    text: String,
}

struct Annotations {
    before: Vec<ir::Annotation>,
    of_parts: Vec<Vec<ir::Annotation>>,
}

impl Annotations {
    fn of_block(&mut self, block: Option<&Block>) -> &mut Vec<ir::Annotation> {
        match block.and_then(|block| block.part).and_then(|index| self.of_parts.get_mut(index)) {
            Some(own) => own,
            None => &mut self.before,
        }
    }
}

/// The block that a source backs, and the citation with its span there. Offsets are bytes of a part in a whole answer, and
/// of all text so far in a streamed one; the words that they cover tell which is meant.
fn locate(cite: Cite, blocks: &[Block], is_whole: bool) -> (Option<usize>, ir::Citation) {
    let Cite { part, span, text, citation } = cite;
    let at = |index: usize, start: usize, end: usize| {
        let covered = blocks.get(index)?.text.get(start..end)?;
        text.as_ref().is_none_or(|text| *text == *covered).then_some((index, start, end))
    };
    let named = part.filter(|_| is_whole).and_then(|part| blocks.iter().position(|block| block.part == Some(part)));
    let exact = span.and_then(|(start, end)| {
        let own = named.and_then(|index| at(index, start, end));
        let of_part = || (0..blocks.len()).find_map(|index| at(index, start, end));
        let of_all = || {
            blocks
                .iter()
                .enumerate()
                .find_map(|(index, block)| at(index, start.checked_sub(block.start)?, end.checked_sub(block.start)?))
        };
        if is_whole { own.or_else(of_part).or_else(of_all) } else { own.or_else(of_all).or_else(of_part) }
    });
    let found = exact.or_else(|| {
        let text = text.as_ref().filter(|text| !text.is_empty())?;
        blocks.iter().enumerate().find_map(|(index, block)| {
            let start = block.text.find(text.as_str())?;
            Some((index, start, start + text.len()))
        })
    });
    let Some((index, start, end)) = found else {
        return (blocks.len().checked_sub(1), ir::Citation { span: None, ..citation });
    };
    let chars = |end: usize| {
        let text = blocks.get(index).and_then(|block| block.text.get(..end));
        text.map_or(0, |text| text.chars().count())
    };
    (Some(index), ir::Citation { span: Some((chars(start), chars(end))), ..citation })
}
