//! What an answer's wire says beside its parts: usage, sources, errors.

use serde_json::value::RawValue;

use crate::backends::error_of_headers;
use crate::dialects::gemini::read::{Content, Fields, Number, Segment, Word};
use crate::dialects::gemini::{ID, kind};
use crate::error::{Error, Kind, NativeError};
use crate::http;
use crate::ir;
use crate::json::{self, Integer, Many, Str, StrOr, wire};

wire! {
    /// An answer, or a piece of a streamed one.
    pub(super) struct Answer<'a> {
        "candidates" candidates: Many<Candidate<'a>>,
        "promptFeedback" | "prompt_feedback" feedback: &'a RawValue,
        "usageMetadata" | "usage_metadata" usage: &'a RawValue,
        "modelVersion" | "model_version" model: Str<'a>,
        "responseId" | "response_id" id: Str<'a>,
        "createTime" | "create_time" created: Str<'a>,
        "error" error: &'a RawValue,
    }

    pub(super) struct Candidate<'a> {
        "content" content: Content<'a>,
        "finishReason" | "finish_reason" finish: Word,
        "finishMessage" | "finish_message" message: Str<'a>,
        "index" index: Integer,
        "groundingMetadata" | "grounding_metadata" grounding: &'a RawValue,
        "citationMetadata" | "citation_metadata" citations: &'a RawValue,
        "logprobsResult" | "logprobs_result" logprobs: &'a RawValue,
    }

    pub(super) struct Feedback<'a> {
        "blockReason" | "block_reason" reason: Word,
        "blockReasonMessage" | "block_reason_message" message: Str<'a>,
    }

    struct UsageFields<'a> {
        "promptTokenCount" | "prompt_token_count" prompt: Integer,
        "toolUsePromptTokenCount" | "tool_use_prompt_token_count" tool_use: Integer,
        "cachedContentTokenCount" | "cached_content_token_count" cached: Integer,
        "candidatesTokenCount" | "candidates_token_count" candidates: Integer,
        "thoughtsTokenCount" | "thoughts_token_count" thoughts: Integer,
    }

    struct Grounding<'a> {
        "groundingChunks" | "grounding_chunks" chunks: Many<Chunk<'a>>,
        "groundingSupports" | "grounding_supports" supports: Many<Support<'a>>,
    }

    struct Chunk<'a> {
        "web" web: Source<'a>,
        "retrievedContext" | "retrieved_context" retrieved: Source<'a>,
        "maps" maps: Source<'a>,
        "image" image: Source<'a>,
    }

    struct Source<'a> {
        "uri" | "sourceUri" | "source_uri" uri: Str<'a>,
        "title" title: Str<'a>,
        "text" text: Str<'a>,
    }

    struct Support<'a> {
        "segment" segment: Segment<'a>,
        "groundingChunkIndices" | "grounding_chunk_indices" chunks: Many<Integer>,
    }

    struct Citations<'a> {
        "citationSources" | "citation_sources" | "citations" sources: Many<Cited<'a>>,
    }

    struct Cited<'a> {
        "startIndex" | "start_index" start: Integer,
        "endIndex" | "end_index" end: Integer,
        "uri" uri: Str<'a>,
        "title" title: Str<'a>,
    }

    struct Logprobs<'a> {
        "chosenCandidates" | "chosen_candidates" chosen: Many<Token<'a>>,
        "topCandidates" | "top_candidates" top: Many<Top<'a>>,
    }

    struct Top<'a> {
        "candidates" candidates: Many<Token<'a>>,
    }

    struct Token<'a> {
        "token" token: Str<'a>,
        "logProbability" | "log_probability" logprob: Number,
    }

    struct ErrorFields<'a> {
        "code" code: Integer,
        "message" message: Str<'a>,
        "status" status: Str<'a>,
        "details" details: Many<Detail<'a>>,
    }

    struct Detail<'a> {
        "reason" reason: Str<'a>,
        "retryDelay" | "retry_delay" delay: Str<'a>,
    }

    struct ErrorBody<'a> {
        "error" error: &'a RawValue,
        "message" message: Str<'a>,
    }
}

/// Reads what is no reason to refuse a whole answer where it is odd.
pub(super) fn lenient<'a, T: json::Wire<'a> + Default>(raw: Option<&'a RawValue>) -> T {
    raw.and_then(|raw| json::read(raw.get()).ok()).unwrap_or_default()
}

/// Usage, in the IR's words: the prompt with what tools added to it, the answer with its thoughts.
pub(super) fn usage(body: &ir::Body, raw: &RawValue) -> ir::Usage {
    let UsageFields { prompt, tool_use, cached, candidates, thoughts, unknown: _ } = lenient(Some(raw));
    let count = |number: Option<Integer>| number.and_then(Integer::unsigned);
    let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
    };
    ir::Usage {
        input: sum(count(prompt), count(tool_use)),
        cache_read: count(cached),
        cache_write: None,
        output: sum(count(candidates), count(thoughts)),
        reasoning: count(thoughts),
        raw: Some(ir::Native { dialect: ID, value: body.json(raw) }),
    }
}

/// A source of the answer's text, and where in it; the offsets are bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Cite {
    pub(super) part: Option<usize>,
    pub(super) span: Option<(usize, usize)>,
    /// The words that the span covers.
    pub(super) text: Option<ir::Text>,
    pub(super) citation: ir::Citation,
}

/// The sources that grounding and citation metadata name.
pub(super) fn cites(body: &ir::Body, candidate: &Candidate<'_>) -> Vec<Cite> {
    let mut out = Vec::new();
    let Grounding { chunks, supports, unknown: _ } = lenient(candidate.grounding);
    let chunks = chunks.unwrap_or_default().0;
    let supports = supports.unwrap_or_default().0;
    // Sources that back no stretch of the text: told at the end, of all of it.
    if supports.is_empty() && candidate.finish.is_some() {
        let whole = |citation| Cite { citation, ..Cite::default() };
        out.extend(chunks.iter().filter_map(|chunk| citation(body, chunk)).map(whole));
    }
    for Support { segment, chunks: indices, unknown: _ } in supports {
        let Segment { part, start, end, text, unknown: _ } = segment.unwrap_or_default();
        let size = |number: Integer| number.unsigned().and_then(|number| usize::try_from(number).ok());
        let end = end.and_then(size);
        let span = end.map(|end| (start.and_then(size).unwrap_or(0), end));
        for index in indices.unwrap_or_default().0 {
            let Some(chunk) = size(index).and_then(|index| chunks.get(index)) else { continue };
            let Some(citation) = citation(body, chunk) else { continue };
            let part = part.and_then(size);
            out.push(Cite { part, span, text: text.as_ref().map(|text| text.text(body)), citation });
        }
    }
    let Citations { sources, unknown: _ } = lenient(candidate.citations);
    for Cited { start, end, uri, title, unknown: _ } in sources.unwrap_or_default().0 {
        let Some(uri) = uri.filter(|uri| !uri.is_empty()) else { continue };
        let size = |number: Integer| number.unsigned().and_then(|number| usize::try_from(number).ok());
        let span = end.and_then(size).map(|end| (start.and_then(size).unwrap_or(0), end));
        let title = title.map(|title| title.text(body));
        let citation = ir::Citation { url: Some(uri.text(body)), title, ..ir::Citation::default() };
        // Vertex repeats them.
        let is_known = |other: &Cite| other.span == span && other.citation.url == citation.url;
        if !out.iter().any(is_known) {
            out.push(Cite { part: None, span, text: None, citation });
        }
    }
    out
}

fn citation(body: &ir::Body, chunk: &Chunk<'_>) -> Option<ir::Citation> {
    let sources = [&chunk.web, &chunk.retrieved, &chunk.maps, &chunk.image];
    let source = sources.into_iter().flatten().next()?;
    let text = |text: &Option<Str<'_>>| text.as_ref().map(|text| text.text(body)).filter(|text| !text.is_empty());
    let out = ir::Citation {
        url: text(&source.uri),
        title: text(&source.title),
        quote: text(&source.text),
        ..ir::Citation::default()
    };
    (out != ir::Citation::default()).then_some(out)
}

/// Log probabilities of the answer's tokens.
pub(super) fn logprobs(body: &ir::Body, candidate: &Candidate<'_>) -> Vec<ir::TokenLogprob> {
    let Logprobs { chosen, top, unknown: _ } = lenient(candidate.logprobs);
    let pair = |Token { token, logprob, unknown: _ }: Token<'_>| {
        (token.map(|token| token.text(body)).unwrap_or_default(), logprob.unwrap_or_default().0)
    };
    let mut top = top.unwrap_or_default().0.into_iter();
    let chosen = chosen.unwrap_or_default().0.into_iter().map(pair);
    chosen
        .map(|(token, logprob)| {
            let top = top.next().and_then(|top| top.candidates).unwrap_or_default().0;
            ir::TokenLogprob { token, logprob, top: top.into_iter().map(pair).collect() }
        })
        .collect()
}

/// The fields of a candidate that nobody but a Gemini client understands, to be given back to one.
pub(super) fn extras(body: &ir::Body, candidate: &Candidate<'_>) -> Vec<(ir::Text, ir::Json)> {
    let known = [
        ("groundingMetadata", candidate.grounding),
        ("citationMetadata", candidate.citations),
        ("logprobsResult", candidate.logprobs),
    ];
    let known = known.into_iter().filter_map(|(name, raw)| Some((ir::Text::constant(name), body.json(raw?))));
    let unknown = candidate.unknown.iter().filter(|(_, raw)| raw.get() != "null");
    known.chain(unknown.map(|(name, raw)| (name.text(body), body.json(raw)))).collect()
}

/// Joins the log probabilities of two pieces of a stream.
pub(super) fn join_logprobs(before: &ir::Json, after: &ir::Json) -> ir::Json {
    let (mut out, after) = (before.value(), after.value());
    for key in ["chosenCandidates", "topCandidates"] {
        if let (Some(out), Some(more)) = (out.get_mut(key).and_then(|list| list.as_array_mut()), after.get(key)) {
            out.extend(more.as_array().cloned().unwrap_or_default());
        } else if let (Some(out), Some(more)) = (out.as_object_mut(), after.get(key)) {
            out.insert(key.to_owned(), more.clone());
        }
    }
    ir::Json::of(&out)
}

/// Seconds since 1970 of a time like `2026-05-04T20:01:02.264968Z`.
pub(super) fn seconds(time: &str) -> Option<u64> {
    let (date, clock) = time.split_once('T')?;
    let clock = clock.strip_suffix('Z')?;
    let mut date = date.split('-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let mut clock = clock.split('.').next()?.split(':').map(str::parse::<i64>);
    let (hour, minute, second) = (clock.next()?.ok()?, clock.next()?.ok()?, clock.next()?.ok()?);
    let is_sane = (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_sane || !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
        return None;
    }
    // Days since 1970: years are counted from March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    u64::try_from(((days * 24 + hour) * 60 + minute) * 60 + second).ok()
}

/// An error answer: `{"error": {…}}`, or a list with one.
pub(super) fn error(status: u16, headers: &http::Headers, body: &[u8]) -> Error {
    let text = String::from_utf8_lossy(body);
    let mut out = error_of_headers(status, headers, format!("the upstream answered with status {status}"));
    let Ok(Many(bodies)) = json::read::<Many<ErrorBody<'_>>>(&text) else {
        let words: String = text.trim().chars().take(500).collect();
        // A page for people says nothing to a program.
        if !words.is_empty() && !words.starts_with('<') {
            out.message = words;
        }
        return out;
    };
    out.native = Some(NativeError { dialect: ID, body: text.clone().into_owned() });
    let Some(body) = bodies.into_iter().next() else { return out };
    match (body.error, body.message) {
        (Some(error), _) => describe(error, &mut out),
        (None, Some(message)) => out.message = message.into_owned(),
        (None, None) => {}
    }
    out
}

/// An error in the place of an answer.
pub(super) fn error_in_band(raw: &RawValue) -> Error {
    let mut out = Error::unreadable("the upstream's answer is an error");
    describe(raw, &mut out);
    let body = format!("{{\"error\":{}}}", raw.get());
    out.native = Some(NativeError { dialect: ID, body });
    out
}

fn describe(raw: &RawValue, out: &mut Error) {
    let fields = match json::read::<StrOr<'_, ErrorFields<'_>>>(raw.get()) {
        Ok(StrOr::Other(fields)) => fields,
        Ok(StrOr::Str(message)) => ErrorFields { message: Some(message), ..ErrorFields::default() },
        Err(_) => {
            let fields: Fields<'_> = lenient(Some(raw));
            let message = fields.unknown.iter().find(|(name, _)| ***name == *"message").map(|(_, raw)| raw.get());
            out.message = message.unwrap_or(raw.get()).to_owned();
            return;
        }
    };
    let ErrorFields { code, message, status, details, unknown: _ } = fields;
    let is_in_band = out.status == Some(502) && out.code.as_deref() == Some("upstream_unreadable");
    if let Some(code) = code.and_then(Integer::unsigned).and_then(|code| u16::try_from(code).ok())
        && is_in_band
        && (400..600).contains(&code)
    {
        out.status = Some(code);
        out.kind = Kind::of_status(code);
    }
    if let Some(message) = message.filter(|message| !message.is_empty()) {
        out.message = message.into_owned();
    }
    if let Some(word) = status.filter(|word| !word.is_empty()) {
        out.kind = kind(&word).unwrap_or(out.kind);
        out.code = Some(word.into_owned());
    }
    for Detail { reason, delay, unknown: _ } in details.unwrap_or_default().0 {
        if reason.as_deref() == Some("API_KEY_INVALID") {
            out.kind = Kind::Authentication;
        }
        if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
            out.code = Some(reason.into_owned());
        }
        if let Some(delay) = delay.filter(|_| out.retry_after.is_none()) {
            out.retry_after = whole_seconds(&delay);
        }
    }
    let is_too_long = out.message.contains("exceeds the maximum number of tokens");
    if out.kind == Kind::InvalidRequest && is_too_long {
        out.kind = Kind::ContextTooLong;
    }
}

/// A delay like `34.4s`, as the header `retry-after` says it: in whole seconds, rather too late than too early.
fn whole_seconds(delay: &str) -> Option<String> {
    let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in the range that is asked for")]
    (0.0..1.0e9).contains(&seconds).then(|| (seconds.ceil() as u64).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2026-05-04T20:01:02.264968Z"), Some(1_777_924_862));
        assert_eq!(seconds("2024-02-29T12:00:00Z"), Some(1_709_208_000));
        assert_eq!(seconds("yesterday"), None);
        assert_eq!(whole_seconds("34.4s").as_deref(), Some("35"));
    }
}
