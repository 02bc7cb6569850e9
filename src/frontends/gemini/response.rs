//! Renders whole answers, and what streamed ones share with them.

use std::borrow::Cow;

use serde::Serialize;

use crate::context::{Cx, Losses};
use crate::diagnostics::codes;
use crate::dialects::gemini::write::{self, Content, FunctionCall, Part};
use crate::dialects::gemini::{ANSWER, CANDIDATE, ID, NOTE_ID, finish_word};
use crate::dialects::hosted::other_language;
use crate::envelope;
use crate::frontends::Asked;
use crate::ir;

/// What a hidden thought says.
static NOTHING: ir::Text = ir::Text::constant("");

/// An answer, or a piece of a streamed one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) candidates: Option<[Candidate<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage_metadata: Option<Usage<'a>>,
    pub(super) model_version: &'a str,
    pub(super) response_id: &'a str,
    #[serde(flatten)]
    pub(super) extensions: ir::Written<'a>,
    #[serde(flatten)]
    pub(super) late: ir::Written<'a>,
}

/// What the model said. Gemini's first candidate is the only one.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_reason: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_message: Option<&'a str>,
    pub(super) index: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grounding_metadata: Option<Grounding<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) avg_logprobs: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs_result: Option<Logprobs<'a>>,
    #[serde(flatten)]
    pub(super) extensions: ir::Written<'a>,
}

/// What it cost.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Usage<'a> {
    AsWritten(&'a ir::Json),
    #[serde(rename_all = "camelCase")]
    Counted {
        prompt_token_count: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        cached_content_token_count: Option<u64>,
        candidates_token_count: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        thoughts_token_count: Option<u64>,
        total_token_count: u64,
    },
}

/// Usage as Gemini counts it: thoughts are no part of the candidates. `None` for nothing known.
pub(super) fn usage(usage: &ir::Usage) -> Option<Usage<'_>> {
    if *usage == ir::Usage::default() {
        return None;
    }
    let ir::Usage { input, cache_read, cache_write: _, output, reasoning, raw } = usage;
    if let Some(raw) = raw.as_ref().filter(|raw| raw.dialect == ID) {
        return Some(Usage::AsWritten(&raw.value));
    }
    Some(Usage::Counted {
        prompt_token_count: input.unwrap_or(0),
        cached_content_token_count: *cache_read,
        candidates_token_count: output.unwrap_or(0).saturating_sub(reasoning.unwrap_or(0)),
        thoughts_token_count: *reasoning,
        total_token_count: usage.total(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Grounding<'a> {
    #[serde(skip_serializing_if = "<[ir::Text]>::is_empty")]
    web_search_queries: &'a [ir::Text],
    grounding_chunks: &'a [Chunk],
    grounding_supports: &'a [Support],
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Chunk {
    Web(Source),
    RetrievedContext(Source),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Source {
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<ir::Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<ir::Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<ir::Text>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Support {
    segment: Segment,
    grounding_chunk_indices: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Segment {
    #[serde(skip_serializing_if = "Option::is_none")]
    part_index: Option<usize>,
    start_index: usize,
    end_index: usize,
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Logprobs<'a> {
    chosen_candidates: Vec<Token<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    top_candidates: Vec<Top<'a>>,
}

#[derive(Serialize)]
struct Top<'a> {
    candidates: Vec<Token<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Token<'a> {
    token: &'a str,
    log_probability: f64,
}

/// What is said about an answer at its end, gathered while its parts are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    queries: Vec<ir::Text>,
    chunks: Vec<Chunk>,
    supports: Vec<Support>,
    logprobs: Vec<ir::TokenLogprob>,
    /// The model's words were a refusal.
    pub(super) is_refused: bool,
}

impl Tail {
    /// Adds the sources of a block of text, which begins `before` bytes into the part, or in a stream into all text so far.
    pub(super) fn cite(&mut self, citation: &ir::Citation, text: &str, before: usize, part: Option<usize>) {
        let ir::Citation { span, url, title, quote, native: _ } = citation;
        let source = Source { uri: url.clone(), title: title.clone(), text: None };
        let chunk = match url {
            Some(_) => Chunk::Web(source),
            None => Chunk::RetrievedContext(Source { text: quote.clone(), ..source }),
        };
        let index = self.chunks.iter().position(|other| *other == chunk).unwrap_or_else(|| {
            self.chunks.push(chunk);
            self.chunks.len() - 1
        });
        let byte = |chars: usize| text.char_indices().nth(chars).map_or(text.len(), |(byte, _)| byte);
        let (start, end) = span.map_or((0, text.len()), |(start, end)| (byte(start), byte(end)));
        let segment = Segment {
            part_index: part,
            start_index: before + start,
            end_index: before + end,
            text: text.get(start..end).unwrap_or_default().to_owned(),
        };
        match self.supports.iter_mut().find(|support| support.segment == segment) {
            Some(support) => support.grounding_chunk_indices.push(index),
            None => self.supports.push(Support { segment, grounding_chunk_indices: vec![index] }),
        }
    }

    /// Adds what the web was searched for, if `part` tells that.
    pub(super) fn search(&mut self, part: &ir::Part) {
        if let ir::Part::Opaque(ir::Opaque { trace: Some(trace), .. }) = part {
            self.queries.extend(searched(trace).cloned());
        }
    }

    /// Adds log probabilities.
    pub(super) fn logprobs(&mut self, logprobs: Vec<ir::TokenLogprob>) {
        self.logprobs.extend(logprobs);
    }

    /// The end of the candidate that says `parts`.
    pub(super) fn candidate<'a>(&'a self, finish: &'a ir::Finish, content: Option<Content<'a>>) -> Candidate<'a> {
        let grounding = Grounding {
            web_search_queries: &self.queries,
            grounding_chunks: &self.chunks,
            grounding_supports: &self.supports,
        };
        // What a Gemini upstream said is given back as it came; the sources and the rest were read out of it.
        let has_own = |name: &str| {
            let is_it = |field: &ir::Extension| field.name.strip_prefix("candidate.") == Some(name);
            finish.extensions.dialect() == Some(ID) && finish.extensions.fields().iter().any(is_it)
        };
        let has_own_sources = has_own("groundingMetadata") || has_own("citationMetadata");
        let has_sources = !self.chunks.is_empty() || !self.queries.is_empty();
        Candidate {
            content,
            finish_reason: Some(finish_word(finish, self.is_refused)),
            finish_message: finish.detail.as_deref(),
            index: 0,
            grounding_metadata: Some(grounding).filter(|_| has_sources && !has_own_sources),
            avg_logprobs: self.average().filter(|_| !has_own("avgLogprobs")),
            logprobs_result: self.logprobs_result().filter(|_| !has_own("logprobsResult")),
            extensions: finish.extensions.written(ID, CANDIDATE),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "no answer has so many tokens")]
    fn average(&self) -> Option<f64> {
        let sum: f64 = self.logprobs.iter().map(|token| token.logprob).sum();
        (!self.logprobs.is_empty()).then(|| sum / self.logprobs.len() as f64)
    }

    fn logprobs_result(&self) -> Option<Logprobs<'_>> {
        let token = |token, log_probability| Token { token, log_probability };
        let top = |one: &ir::TokenLogprob| !one.top.is_empty();
        (!self.logprobs.is_empty()).then(|| Logprobs {
            chosen_candidates: self.logprobs.iter().map(|one| token(one.token.as_str(), one.logprob)).collect(),
            top_candidates: if self.logprobs.iter().any(top) {
                let tops = self.logprobs.iter().map(|one| Top {
                    candidates: one.top.iter().map(|(text, logprob)| token(text.as_str(), *logprob)).collect(),
                });
                tops.collect()
            } else {
                Vec::new()
            },
        })
    }
}

/// What a hosted tool searched the web for.
fn searched(trace: &ir::Trace) -> Option<&ir::Text> {
    match trace {
        ir::Trace::Search { query } => Some(query),
        ir::Trace::Open { .. } | ir::Trace::Code { .. } | ir::Trace::Output { .. } => None,
    }
}

/// The signatures of an answer, each put into an envelope.
///
/// Another dialect's state belongs to thoughts. Some clients (the Gemini CLI) keep a model's calls and not its thoughts, so
/// the first call behind such a thought carries its state, too; lowering takes the second away again.
#[derive(Clone, Debug, Default)]
pub(super) struct Signer {
    of_thought: Option<ir::Sealed>,
}

impl Signer {
    /// The signature of a thought.
    pub(super) fn thought(&mut self, seal: &ir::Sealed) -> ir::Text {
        self.of_thought = (seal.issuer.dialect != ID).then(|| seal.clone());
        envelope::wrap(seal)
    }

    /// The signature of a call.
    pub(super) fn call(&mut self, seal: Option<&ir::Sealed>) -> Option<ir::Text> {
        Some(match (self.of_thought.take(), seal) {
            (Some(thought), Some(note)) if note.is_note() => envelope::wrap(&thought.with_note(note)),
            (_, Some(seal)) => envelope::wrap(seal),
            (thought, None) => envelope::wrap(&thought?),
        })
    }
}

fn owned<'a>(slot: Option<ir::Text>) -> Option<Cow<'a, str>> {
    slot.map(|slot| Cow::Owned(slot.as_str().to_owned()))
}

/// What a call is made of, as blocks of a stream and whole parts both have it.
pub(super) struct Call<'a> {
    pub(super) id: &'a ir::Text,
    pub(super) name: &'a ir::Text,
    pub(super) kind: ir::CallKind,
    pub(super) arguments: &'a ir::Text,
    pub(super) meta: &'a ir::Meta,
}

/// A call as a part, and whether its arguments had to be put inside an object. An id that was made here is left out, as
/// Gemini's own models give none.
pub(super) fn call<'a>(call: &Call<'a>, signature: Option<ir::Text>) -> (Part<'a>, bool) {
    let Call { id, name, kind, arguments, meta } = *call;
    let (args, is_wrapped) = write::args(kind, arguments);
    let is_made = meta.extensions.get(ID, NOTE_ID).is_some();
    let function_call = FunctionCall {
        id: (!is_made).then(|| Cow::Borrowed(id.as_str())),
        name: Cow::Borrowed(name.as_str()),
        args,
        extensions: meta.extensions.written(ID, "functionCall"),
    };
    let part = Part { function_call: Some(function_call), ..Part::default() };
    (part.with(meta).signed(owned(signature)), is_wrapped)
}

/// A part that comes in one piece: media, and what only one dialect understands. Nothing where there is no form for it.
pub(super) fn whole(part: &ir::Part) -> Vec<Part<'_>> {
    if let ir::Part::Opaque(ir::Opaque { dialect, trace: Some(trace), .. }) = part
        && *dialect != ID
    {
        return Part::of_trace(trace);
    }
    one(part).into_iter().collect()
}

fn one(part: &ir::Part) -> Option<Part<'_>> {
    let out = match part {
        ir::Part::Media(media) => write::media(media)?,
        ir::Part::Opaque(opaque) if opaque.dialect == ID => {
            Part { own: Some(Cow::Borrowed(&opaque.value)), ..Part::default() }.with(&opaque.meta)
        }
        ir::Part::Opaque(opaque) => Part::of_text(opaque.words.as_ref().filter(|words| !words.is_empty())?),
        ir::Part::Text(_)
        | ir::Part::ToolCall(_)
        | ir::Part::ToolResult(_)
        | ir::Part::Reasoning(_)
        | ir::Part::Refusal(_) => return None,
    };
    Some(out.signed(owned(part.meta().seal.as_deref().map(envelope::wrap))))
}

pub(super) fn render(cx: &mut Cx, asked: &Asked, response: ir::Response) -> Vec<u8> {
    let ir::Response { id, model: _, created: _, parts, finish, usage: cost, extensions } = &response;
    let mut losses = Losses::default();
    losses.extensions(extensions, ID);
    let mut tail = Tail::default();
    let mut signer = Signer::default();
    let mut out = Vec::with_capacity(parts.len());
    let cut = parts.last().filter(|part| finish.reason.cuts_off() && is_cut(part));
    if cut.is_some() {
        lose_cut(&mut losses);
    }
    for part in parts.iter().take(parts.len() - usize::from(cut.is_some())) {
        losses.extensions(&part.meta().extensions, ID);
        self::part(part, asked, &mut tail, &mut signer, &mut out, &mut losses);
    }
    lose_end(finish, &mut losses);
    cx.report_all(losses.take());
    let made_id;
    let response_id = match id {
        Some(id) => id,
        None => {
            made_id = asked.ids.clone().make("");
            &made_id
        }
    };
    // A prompt that was blocked has feedback and no candidate.
    let is_blocked = out.is_empty() && extensions.get(ID, "promptFeedback").is_some();
    let is_refused = out.is_empty() && finish.reason == ir::Reason::Refusal;
    let content = Content { role: Some(Cow::Borrowed("model")), parts: out, extensions: None };
    let answer = Answer {
        candidates: (!is_blocked).then(|| [tail.candidate(finish, (!is_refused).then_some(content))]),
        usage_metadata: usage(cost),
        model_version: &asked.model,
        response_id,
        extensions: extensions.written(ID, ""),
        late: finish.extensions.written(ID, ANSWER),
    };
    let mut bytes = Vec::new();
    crate::sse::write_json(&answer, &mut bytes);
    bytes
}

/// Half a call: there is no form for one here, and a client would run it.
pub(super) fn lose_cut(losses: &mut Losses) {
    losses.add(&codes::ANSWER_PART_DROPPED, "", "a call that was cut off");
}

/// Thoughts that the client asked not to see.
pub(super) fn lose_thoughts(losses: &mut Losses) {
    losses.add(&codes::REASONING_HIDDEN, "", "the client asked for no thoughts");
}

/// What a call cannot say.
pub(super) fn lose_of_call(name: &str, namespace: Option<&ir::Text>, losses: &mut Losses) {
    if let Some(namespace) = namespace {
        losses.add(&codes::ANSWER_PART_DROPPED, "namespace", format!("{name} is of {namespace}"));
    }
}

/// What a source cannot say. One of Gemini's own is among the details that are given back.
pub(super) fn lose_of_source(citation: &ir::Citation, losses: &mut Losses) {
    if citation.url.is_some() && citation.quote.is_some() {
        losses.add(&codes::CITATION_DEGRADED, "", "the words of a source with an address are left out");
    }
}

/// Arguments that are no object.
pub(super) fn lose_arguments(losses: &mut Losses) {
    losses.add(&codes::TOOL_ARGUMENTS_WRAPPED, "", "put under _raw, as they are no object");
}

/// What a part that comes in one piece cannot say.
pub(super) fn lose_of_whole(part: &ir::Part, is_told: bool, losses: &mut Losses) {
    if let ir::Part::Opaque(ir::Opaque { dialect, trace: Some(trace), .. }) = part
        && *dialect != ID
        && let Some(language) = other_language(trace)
    {
        let what = format!("that the code is {language} cannot be said");
        losses.add(&codes::ANSWER_DETAIL_LOST, "", what);
    }
    match part {
        ir::Part::Opaque(ir::Opaque { trace: Some(trace), .. }) if is_told || searched(trace).is_some() => {}
        ir::Part::Opaque(opaque) if opaque.dialect != ID => losses.opaque(opaque, ID),
        _ if is_told => {}
        ir::Part::Media(_) => losses.add(&codes::ANSWER_PART_DROPPED, "", "a file that only another dialect knows"),
        ir::Part::ToolResult(_) => losses.add(&codes::ANSWER_PART_DROPPED, "", "a tool's result in an answer"),
        // These never come whole.
        ir::Part::Opaque(_)
        | ir::Part::Text(_)
        | ir::Part::ToolCall(_)
        | ir::Part::Reasoning(_)
        | ir::Part::Refusal(_) => {}
    }
}

/// What the end cannot say.
pub(super) fn lose_end(finish: &ir::Finish, losses: &mut Losses) {
    losses.extensions(&finish.extensions, ID);
    if finish.reason == ir::Reason::Pause {
        losses.add(&codes::STOP_DETAIL_LOST, "", "the turn was paused, and is to be sent again");
    }
    if finish.stop_sequence.is_some() {
        losses.add(&codes::STOP_DETAIL_LOST, "", "which stop sequence was met");
    }
}

fn is_cut(part: &ir::Part) -> bool {
    matches!(part, ir::Part::ToolCall(call) if !ir::is_runnable(call.kind, &call.arguments))
}

fn part<'a>(
    part: &'a ir::Part,
    asked: &Asked,
    tail: &mut Tail,
    signer: &mut Signer,
    out: &mut Vec<Part<'a>>,
    losses: &mut Losses,
) {
    match part {
        ir::Part::Text(ir::TextPart { text, citations, logprobs, meta }) => {
            for citation in citations {
                lose_of_source(citation, losses);
                tail.cite(citation, text, 0, Some(out.len()));
            }
            tail.logprobs(logprobs.clone());
            let signature = meta.seal.as_deref().map(envelope::wrap);
            if !text.is_empty() || signature.is_some() {
                out.push(Part::of_text(text).with(meta).signed(owned(signature)));
            }
        }
        ir::Part::Reasoning(ir::Reasoning { text, form: _, meta }) => {
            let is_hidden = asked.hide_reasoning && !text.is_empty();
            if is_hidden {
                lose_thoughts(losses);
            }
            let signature = meta.seal.as_deref().map(|seal| signer.thought(seal));
            let text = if is_hidden { &NOTHING } else { text };
            if !text.is_empty() || signature.is_some() {
                // The text stays, be it empty: clients take a part with nothing in it for a fault (pydantic-ai).
                out.push(Part::of_thought(text).with(meta).signed(owned(signature)));
            }
        }
        ir::Part::Refusal(ir::Refusal { text, meta }) => {
            tail.is_refused = true;
            if !text.is_empty() {
                out.push(Part::of_text(text).with(meta));
            }
        }
        ir::Part::ToolCall(ir::ToolCall { id, name, namespace, kind, arguments, meta }) => {
            lose_of_call(name, namespace.as_ref(), losses);
            let signature = signer.call(meta.seal.as_deref());
            let (part, is_wrapped) = call(&Call { id, name, kind: *kind, arguments, meta }, signature);
            if is_wrapped {
                lose_arguments(losses);
            }
            out.push(part);
        }
        ir::Part::Opaque(_) | ir::Part::Media(_) | ir::Part::ToolResult(_) => {
            let told = whole(part);
            tail.search(part);
            lose_of_whole(part, !told.is_empty(), losses);
            out.extend(told);
        }
    }
}
