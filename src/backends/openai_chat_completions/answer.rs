//! Reads answers. A whole answer is read as a stream of one delta, so both are understood alike.

mod more;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::backends::Memo;
use crate::context::Cx;
use crate::diagnostics::codes;
use crate::dialects::openai;
use crate::dialects::openai_chat_completions as words;
use crate::dialects::openai_chat_completions::{
    CONTENT_FORM, FIELD_FORM, ID, INDEX_FORM, ThoughtField, Thoughts, note, note_loss,
};
use crate::error::{Error, Kind, Result};
use crate::ir;
use crate::json::{self, Integer, Repeats, Str, StrOr, Unknown, Varying, wire};
pub(super) use more::More;

wire! {
    /// A whole answer, or a chunk of a streamed one.
    struct Document<'a> {
        "id" id: Str<'a>,
        "object" object: &'a RawValue,
        "created" created: f64,
        "model" model: Str<'a>,
        "choices" choices: Vec<Choice<'a>>,
        "usage" usage: &'a RawValue,
        "error" error: &'a RawValue,
        "x_groq" x_groq: &'a RawValue,
        "obfuscation" obfuscation: &'a RawValue,
        "p" padding: &'a RawValue,
    }

    struct Choice<'a> {
        "index" index: Integer,
        "message" message: Box<Message<'a>>,
        "delta" delta: Box<Message<'a>>,
        "finish_reason" finish_reason: Str<'a>,
        "stop_reason" stop_reason: &'a RawValue,
        "logprobs" logprobs: &'a RawValue,
        "error" error: &'a RawValue,
    }

    /// A message, or what a chunk adds to it.
    struct Message<'a> {
        "role" role: &'a RawValue,
        "content" content: StrOr<'a, Vec<ContentPart<'a>>>,
        "refusal" refusal: Str<'a>,
        "reasoning_content" reasoning_content: &'a RawValue,
        "reasoning" reasoning: &'a RawValue,
        "reasoning_details" reasoning_details: &'a RawValue,
        "annotations" annotations: Vec<&'a RawValue>,
        "tool_calls" tool_calls: Vec<Call<'a>>,
        "function_call" function_call: Called<'a>,
        "images" images: Vec<Image<'a>>,
        "audio" audio: &'a RawValue,
        "extra_content" extra_content: ExtraContent<'a>,
    }

    struct ContentPart<'a> {
        "type" kind: Str<'a>,
        "text" text: Str<'a>,
        "thinking" thinking: &'a RawValue,
        "image_url" image_url: StrOr<'a, ImageUrl<'a>>,
    }

    struct Chunk<'a> { "text" text: Str<'a>, }

    struct Image<'a> { "image_url" image_url: StrOr<'a, ImageUrl<'a>>, }

    struct ImageUrl<'a> { "url" url: Str<'a>, }

    struct Call<'a> {
        "index" index: Integer,
        "id" id: Str<'a>,
        "type" kind: Str<'a>,
        "function" function: Called<'a>,
        "custom" custom: Called<'a>,
        "extra_content" extra_content: ExtraContent<'a>,
    }

    struct Called<'a> {
        "name" name: Str<'a>,
        "arguments" arguments: &'a RawValue,
        "input" input: &'a RawValue,
    }

    struct ExtraContent<'a> { "google" google: Google<'a>, }

    struct Google<'a> { "thought_signature" thought_signature: Str<'a>, }

    struct AnnotationEntry<'a> { "url_citation" url_citation: UrlCitation<'a>, }

    struct UrlCitation<'a> {
        "start_index" start_index: Integer,
        "end_index" end_index: Integer,
        "title" title: Str<'a>,
        "url" url: Str<'a>,
        "content" content: Str<'a>,
    }

    struct SearchResult<'a> { "url" url: Str<'a>, "title" title: Str<'a>, "snippet" snippet: Str<'a>, }

    struct Logprobs<'a> { "content" content: Vec<Token<'a>>, "refusal" refusal: Vec<Token<'a>>, }

    struct Token<'a> {
        "token" token: Str<'a>,
        "logprob" logprob: f64,
        "top_logprobs" top_logprobs: Vec<TopToken<'a>>,
    }

    struct TopToken<'a> { "token" token: Str<'a>, "logprob" logprob: f64, }

    struct WireUsage<'a> {
        "prompt_tokens" prompt: Integer,
        "completion_tokens" completion: Integer,
        "total_tokens" total: Integer,
        "prompt_tokens_details" prompt_details: PromptDetails<'a>,
        "completion_tokens_details" completion_details: CompletionDetails<'a>,
        "prompt_cache_hit_tokens" cache_hit: Integer,
        "cached_tokens" | "num_cached_tokens" cached: Integer,
    }

    struct PromptDetails<'a> { "cached_tokens" cached: Integer, "cache_write_tokens" written: Integer, }

    struct CompletionDetails<'a> { "reasoning_tokens" reasoning: Integer, }

    /// Groq's older place for usage.
    struct Groq<'a> { "usage" usage: &'a RawValue, }
}

/// Reads a whole answer.
pub(super) fn parse(cx: &mut Cx, memo: &Memo) -> Result<ir::Response> {
    let body = cx.body();
    if body.as_str().trim().is_empty() {
        return Err(Error::unreadable("the upstream's answer is empty"));
    }
    let document: Document<'_> = read(body.as_str())?;
    if let Some(error) = broken(&document, body.as_str()) {
        return Err(error);
    }
    let Some(choice) = document.choices.as_deref().and_then(first) else {
        return Err(Error::unreadable("the upstream's answer has no choices"));
    };
    let mut out = ir::Emitter::new(memo.ids.clone());
    let mut start = start_of(&document, |raw| body.json(raw));
    whole_fields(choice, |raw| body.json(raw), &mut start.extensions);
    if document.choices.as_ref().is_some_and(|choices| choices.len() > 1) {
        out.report(&codes::ANSWER_PART_DROPPED, "choices", "only the first choice is told");
    }
    out.start(start);
    let mut reader = Reader { is_whole: true, document: body.clone(), ..Reader::new(memo.clone()) };
    match choice.message.as_ref().or(choice.delta.as_ref()) {
        Some(message) => reader.message(message, choice.logprobs, &mut out),
        // Azure leaves out what its filters caught.
        None if choice.finish_reason.is_some() => {}
        None => return Err(Error::unreadable("the upstream's answer has no message")),
    }
    reader.ending(choice);
    reader.sources_of(&document);
    if let Some(usage) = usage_of(&document, |raw| body.json(raw)) {
        out.usage(usage);
    }
    reader.finish(&mut out);
    for loss in out.take_diagnostics() {
        cx.report(loss.code, ir::Place::default(), &loss.place, loss.message);
    }
    ir::collect(out.take())
}

/// Fields of a whole answer that the IR has no place for; a client of the same dialect gets them.
fn whole_fields<'a>(choice: &Choice<'a>, json: impl Fn(&RawValue) -> ir::Json, out: &mut ir::Extensions) {
    let mut keep = |name: String, raw: &RawValue| {
        let value = json(raw);
        if !value.is_null() {
            let loss = &codes::ANSWER_DETAIL_LOST;
            out.push(ID, ir::Extension { name: name.into(), value, loss });
        }
    };
    for (name, raw) in choice.unknown.iter() {
        keep(format!("choices.{}", &**name), raw);
    }
    for (name, raw) in [("logprobs", choice.logprobs), ("stop_reason", choice.stop_reason)] {
        if let Some(raw) = raw {
            keep(format!("choices.{name}"), raw);
        }
    }
    for (name, raw) in choice.message.iter().flat_map(|message| message.unknown.iter()) {
        keep(format!("choices.message.{}", &**name), raw);
    }
    if choice
        .message
        .as_ref()
        .is_some_and(|message| matches!(&message.content, Some(StrOr::Str(text)) if text.is_empty()))
    {
        note(CONTENT_FORM, ir::Json::of(""), out);
    }
    if choice.message.as_ref().is_some_and(|message| message.annotations.as_ref().is_some_and(Vec::is_empty)) {
        let empty = ir::Json::of::<[(); 0]>(&[]);
        out.push(
            ID,
            ir::Extension {
                name: ir::Text::constant("choices.message.annotations"),
                value: empty,
                loss: &codes::WIRE_FORM,
            },
        );
    }
}

fn read<'a>(text: &'a str) -> Result<Document<'a>> {
    json::read(text)
        .map_err(|error| Error::unreadable(format!("the upstream's answer cannot be read: {}", error.full_message())))
}

/// The choice that is told: the first.
fn first<'s, 'a>(choices: &'s [Choice<'a>]) -> Option<&'s Choice<'a>> {
    choices.iter().find(|choice| choice.index.is_none_or(|index| index.0 == 0))
}

/// The error that came where an answer was expected.
fn broken(document: &Document<'_>, body: &str) -> Option<Error> {
    if document.error.is_some_and(|error| !matches!(error.get(), "null" | "false" | "\"\"" | "{}")) {
        return Some(openai::parse_error_in_band(ID, body));
    }
    let choice = document.choices.as_deref().and_then(first)?;
    if let Some(error) = choice.error.filter(|error| error.get() != "null") {
        return Some(openai::parse_error_in_band(ID, &format!("{{\"error\":{}}}", error.get())));
    }
    let word = choice.finish_reason.as_deref().filter(|word| words::is_failure(word))?;
    let kind = if word == "insufficient_system_resource" { Kind::Overloaded } else { Kind::Server };
    Some(Error::new(kind, format!("the upstream broke off: {word}")).with_code(word))
}

/// How the answer begins.
fn start_of(document: &Document<'_>, json: impl Fn(&RawValue) -> ir::Json) -> ir::Start {
    let text = |text: &Option<Str<'_>>| text.as_deref().filter(|text| !text.is_empty()).map(ir::Text::from);
    let mut extensions = ir::Extensions::default();
    let groq = document.x_groq.map(|raw| (Str::from("x_groq"), raw));
    let unknown = document.unknown.iter().map(|(name, raw)| (name.clone(), raw));
    for (name, raw) in unknown.chain(groq) {
        let value = json(raw);
        if !value.is_null() {
            let loss = &codes::ANSWER_DETAIL_LOST;
            extensions.push(ID, ir::Extension { name: name.into_owned().into(), value, loss });
        }
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time; the cast saturates")]
    let created = document.created.map(|seconds| seconds as u64);
    let (id, model) = (text(&document.id), text(&document.model));
    ir::Start { id, model, created, usage: ir::Usage::default(), extensions }
}

/// What the answer cost.
fn usage_of(document: &Document<'_>, json: impl Fn(&RawValue) -> ir::Json) -> Option<ir::Usage> {
    let groq = || document.x_groq.and_then(|raw| json::read::<Groq<'_>>(raw.get()).ok()).and_then(|groq| groq.usage);
    let raw = document.usage.or_else(groq).filter(|raw| raw.get() != "null")?;
    let usage: WireUsage<'_> = json::read(raw.get()).ok()?;
    let count = |number: Option<Integer>| number.and_then(Integer::unsigned);
    let (input, completion, total) = (count(usage.prompt), count(usage.completion), count(usage.total));
    let details = usage.prompt_details.as_ref();
    let reasoning = count(usage.completion_details.and_then(|details| details.reasoning));
    // xAI counts thoughts beside the answer; its totals tell.
    let output = match (input, completion, total, reasoning) {
        (Some(input), Some(output), Some(total), Some(reasoning))
            if reasoning > 0 && total == input.saturating_add(output).saturating_add(reasoning) =>
        {
            Some(output.saturating_add(reasoning))
        }
        _ => completion,
    };
    let cached = details.and_then(|details| details.cached).or(usage.cache_hit).or(usage.cached);
    Some(ir::Usage {
        input,
        cache_read: count(cached),
        cache_write: count(details.and_then(|details| details.written)),
        output,
        reasoning,
        raw: Some(ir::Native { dialect: ID, value: json(raw) }),
    })
}

/// A call as far as it has come.
#[derive(Clone, Debug)]
struct KnownCall {
    key: u64,
    index: Option<i64>,
    id: String,
    /// Arguments that came before the name.
    held: String,
    has_begun: bool,
    is_custom: bool,
}

/// Thoughts that are not whole yet, and what their upstream wants back of them.
#[derive(Clone, Debug, Default)]
struct Run {
    field: Option<ThoughtField>,
    details: Vec<Value>,
    /// The form of the block that is open: that of its first words.
    form: Option<ir::ReasoningForm>,
    /// The words that came in a field of their own and in no entry yet.
    words: String,
}

/// The key of the call of `function_call`, the forerunner of `tool_calls`.
const FUNCTION_CALL: u64 = u64::MAX;

/// Reads deltas, and says what arrived.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    memo: Memo,
    calls: Vec<KnownCall>,
    run: Run,
    begun: bool,
    is_whole: bool,
    /// The whole answer; nothing, of a stream.
    document: ir::Body,
    /// The newest block is text, as far as this reader opened it.
    in_text: bool,
    /// Sources that came before the text they back, as OpenRouter sends them.
    early_sources: Vec<ir::Citation>,
    /// Sources that are told beside the answer, by fields of the document; the last list counts.
    sources: Vec<ir::Citation>,
    has_annotations: bool,
    /// The word for the end, once it was said.
    reason: Option<String>,
    stop_sequence: Option<ir::Text>,
    /// The answer as sound, as far as it has come: streams tell it in pieces.
    audio: Map<String, Value>,
}

impl Reader {
    pub(super) fn new(memo: Memo) -> Self {
        Self {
            memo,
            calls: Vec::new(),
            run: Run::default(),
            begun: false,
            is_whole: false,
            document: ir::Body::default(),
            in_text: false,
            early_sources: Vec::new(),
            sources: Vec::new(),
            has_annotations: false,
            reason: None,
            stop_sequence: None,
            audio: Map::new(),
        }
    }

    /// Whether the upstream said why the answer ended.
    pub(super) fn has_reason(&self) -> bool {
        self.reason.is_some()
    }

    /// Reads a chunk of a stream, unless it repeats one.
    pub(super) fn chunk(&mut self, text: &str, repeats: &mut Repeats<More>, out: &mut ir::Emitter) {
        if let Some(repeat) = repeats.find(text)
            && self.more(*repeat.said, &repeat.words, out)
        {
            return;
        }
        let document = match read(text) {
            Ok(document) => document,
            Err(error) => return out.fail(error),
        };
        if let Some(error) = broken(&document, text) {
            return out.fail(error);
        }
        if let Some((more, words)) = document.only() {
            let passed = &[document.obfuscation, document.padding];
            repeats.note(text, Varying { words, passed, counts: None }, more);
        }
        let choices = document.choices.as_deref().unwrap_or_default();
        // Azure's first chunk tells of filters alone, under no id.
        let is_head = document.id.as_deref().is_some_and(|id| !id.is_empty()) || !choices.is_empty();
        if is_head && !out.has_started() {
            out.start(start_of(&document, |raw| raw.into()));
        }
        if let Some(choice) = first(choices) {
            match (&choice.delta, &choice.message) {
                (Some(delta), _) => self.message(delta, choice.logprobs, out),
                // A stream of one chunk that is a whole answer. Beside deltas, Perplexity repeats all there is so far.
                (None, Some(message)) if !self.begun => self.message(message, choice.logprobs, out),
                (None, _) => {}
            }
            self.ending(choice);
        } else if let Some(choice) = choices.first() {
            let what = format!("choice {}", choice.index.map_or(0, |index| index.0));
            out.report(&codes::UPSTREAM_ODDITY, "choices", format!("{what} was not asked for"));
        }
        self.sources_of(&document);
        if let Some(usage) = usage_of(&document, |raw| raw.into()) {
            out.usage(usage);
        }
    }

    /// Reads what a message has, or gains.
    fn message(&mut self, message: &Message<'_>, logprobs: Option<&RawValue>, out: &mut ir::Emitter) {
        self.begun = true;
        self.thoughts(message, out);
        let had_text = match &message.content {
            None => false,
            Some(StrOr::Str(text)) => self.text(text.text(&self.document), out),
            Some(StrOr::Other(parts)) => {
                let texts = parts.iter().filter(|part| self.content_part(part, out));
                texts.count() > 0
            }
        };
        let Logprobs { content, refusal, unknown: _ } =
            logprobs.and_then(|raw| json::read(raw.get()).ok()).unwrap_or_default();
        let tokens = tokens_of(content.unwrap_or_default());
        if had_text && !tokens.is_empty() {
            out.annotate(ir::Annotation::Logprobs(tokens));
        }
        if refusal.is_some_and(|tokens| !tokens.is_empty()) {
            // The IR has none of a refusal's; a whole answer keeps them for a client of this dialect.
            out.report(&codes::ANSWER_DETAIL_LOST, "choices[0].logprobs.refusal", "how likely a refusal's words were");
        }
        self.has_annotations |= message.annotations.as_ref().is_some_and(|list| !list.is_empty());
        self.early_sources.extend(message.annotations.iter().flatten().map(|raw| citation_of(raw)));
        self.tell_early_sources(out);
        if let Some(signature) = signature_of(message.extra_content.as_ref()) {
            if !std::mem::take(&mut self.in_text) {
                self.end_thoughts(out);
                out.open_text(ir::Meta::default());
            }
            out.seal(self.memo.seal(signature));
        }
        if let Some(refusal) = message.refusal.as_deref().filter(|refusal| !refusal.is_empty()) {
            self.end_thoughts(out);
            out.refusal(refusal);
        }
        for call in message.tool_calls.iter().flatten() {
            self.in_text = false;
            self.end_thoughts(out);
            self.call(call, out);
        }
        if let Some(function) = message.function_call.as_ref() {
            self.end_thoughts(out);
            self.function_call(function, out);
        }
        for image in message.images.iter().flatten() {
            if let Some(media) = image_of(image.image_url.as_ref()) {
                self.end_thoughts(out);
                out.whole(ir::Part::Media(media));
            }
        }
        if let Some(Ok(Value::Object(more))) = message.audio.map(|raw| serde_json::from_str(raw.get())) {
            extend(&mut self.audio, more);
            out.idle();
        }
    }

    fn tell_early_sources(&mut self, out: &mut ir::Emitter) {
        if self.in_text {
            for citation in self.early_sources.drain(..) {
                out.annotate(ir::Annotation::Citation(citation));
            }
        }
    }

    fn text(&mut self, text: ir::Text, out: &mut ir::Emitter) -> bool {
        if text.is_empty() {
            return false;
        }
        self.end_thoughts(out);
        out.text(text);
        self.in_text = true;
        true
    }

    /// A part of a content that is a list; gives whether it was text.
    fn content_part(&mut self, part: &ContentPart<'_>, out: &mut ir::Emitter) -> bool {
        match (part.kind.as_deref(), &part.text) {
            (Some("text") | None, Some(text)) => return self.text(text.text(&self.document), out),
            (Some("thinking"), _) => {
                let words = part.thinking.map(thinking_of).unwrap_or_default();
                self.more_thoughts(ThoughtField::Thinking, ir::ReasoningForm::Raw, &words, out);
            }
            (Some("image_url"), _) => {
                if let Some(media) = image_of(part.image_url.as_ref()) {
                    self.end_thoughts(out);
                    out.whole(ir::Part::Media(media));
                }
            }
            (Some(kind), _) => {
                let what = format!("a part of the kind {kind}");
                out.report(&codes::UPSTREAM_ODDITY, "choices[0].message.content", what);
            }
            (None, None) => {}
        }
        false
    }

    /// Thoughts, in whichever fields they stand. Entries of `reasoning_details` say the same words as `reasoning`.
    fn thoughts(&mut self, message: &Message<'_>, out: &mut ir::Emitter) {
        let told =
            [(ThoughtField::ReasoningContent, message.reasoning_content), (ThoughtField::Reasoning, message.reasoning)];
        let told = told.into_iter().find_map(|(field, raw)| {
            let text = json::read::<Str<'_>>(raw?.get()).ok()?;
            (!text.is_empty()).then_some((field, text))
        });
        let entries: Vec<Value> =
            message.reasoning_details.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        let has_words = entries.iter().any(|entry| !Thoughts::words(entry).is_empty());
        if let Some((field, words)) = &told {
            if has_words {
                self.run.field = self.run.field.or(Some(*field));
            } else {
                self.more_thoughts(*field, ir::ReasoningForm::Raw, words, out);
            }
        }
        for entry in entries {
            self.detail(entry, out);
        }
    }

    fn more_thoughts(&mut self, field: ThoughtField, form: ir::ReasoningForm, words: &str, out: &mut ir::Emitter) {
        if words.is_empty() {
            return;
        }
        if self.run.field.is_some_and(|before| before != field) {
            self.end_thoughts(out);
        }
        self.run.field = Some(field);
        self.run.words.push_str(words);
        self.think(form, words, out);
    }

    fn think(&mut self, form: ir::ReasoningForm, words: &str, out: &mut ir::Emitter) {
        self.in_text = false;
        if let Some(form) = self.run.form {
            return out.reasoning(form, words);
        }
        self.run.form = Some(form);
        let mut meta = ir::Meta::default();
        if let Some(field) = self.run.field {
            note(FIELD_FORM, ir::Json::of(field.name()), &mut meta.extensions);
        }
        out.open_reasoning(form, meta);
        out.reasoning(form, words);
    }

    /// One entry of `reasoning_details`, or more of one.
    fn detail(&mut self, entry: Value, out: &mut ir::Emitter) {
        let words = Thoughts::words(&entry).to_owned();
        let form = match entry.get("type").and_then(Value::as_str) {
            Some("reasoning.summary") => ir::ReasoningForm::Summary,
            _ => ir::ReasoningForm::Raw,
        };
        let is_same = |other: &Value| ["type", "index"].iter().all(|key| other.get(key) == entry.get(key));
        let known = self.run.details.iter_mut().rev().find(|other| entry.get("index").is_some() && is_same(other));
        match known {
            Some(Value::Object(known)) => {
                if let Value::Object(entry) = entry {
                    extend(known, entry);
                }
            }
            Some(_) => {}
            None => self.run.details.push(entry),
        }
        if words.is_empty() {
            return;
        }
        // Some tell the words once more, in the entries that seal them.
        match self.run.words.find(&words) {
            Some(at) => drop(self.run.words.drain(..at + words.len())),
            None => self.think(form, &words, out),
        }
    }

    /// Something else comes: what was thought is whole, and sealed with how to give it back.
    fn end_thoughts(&mut self, out: &mut ir::Emitter) {
        let Run { field, details, form, words } = std::mem::take(&mut self.run);
        // An entry may come after something else was said.
        self.run.words = words;
        if form.is_none() && details.is_empty() {
            return;
        }
        self.in_text = false;
        if form.is_none() {
            out.open_reasoning(ir::ReasoningForm::Redacted, ir::Meta::default());
        }
        out.seal(self.memo.seal(Thoughts { field, details }.payload()));
    }

    /// A call, or more of one. Upstreams leave out the index, or give all calls the same; repeat the id, or leave it
    /// empty; send arguments before the name.
    fn call(&mut self, call: &Call<'_>, out: &mut ir::Emitter) {
        let id = call.id.as_deref().unwrap_or_default();
        let index = call.index.map(|index| index.0);
        // Snowflake sends both, one of them empty.
        let is_custom = call.kind.as_deref() == Some("custom") || call.function.is_none();
        let (first, second) = (call.function.as_ref(), call.custom.as_ref());
        let called = if is_custom { second.or(first) } else { first };
        let name = called.and_then(|called| called.name.as_deref()).unwrap_or_default();
        let known = match (index, id, name) {
            (Some(_), ..) => self.calls.iter_mut().rev().find(|known| known.index == index),
            // Without an index and an id, a name tells that a call begins.
            (None, "", "") => self.calls.last_mut(),
            (None, "", _) => None,
            (None, id, _) => self.calls.iter_mut().find(|known| known.id == id),
        };
        let is_other = |known: &KnownCall| ![id, known.id.as_str()].contains(&"") && known.id != id && !name.is_empty();
        let key = match known.filter(|known| !is_other(known)) {
            Some(known) => {
                if known.id.is_empty() {
                    id.clone_into(&mut known.id);
                }
                known.key
            }
            None => {
                let key = self.calls.len() as u64;
                let is_custom = is_custom && second.is_some();
                let (id, held) = (id.to_owned(), String::new());
                self.calls.push(KnownCall { key, index, id, held, has_begun: false, is_custom });
                key
            }
        };
        let text = called.and_then(|called| called.arguments.or(called.input)).map(text_of).unwrap_or_default();
        self.more_of_call(key, name, &text, call, out);
    }

    fn more_of_call(&mut self, key: u64, name: &str, text: &str, call: &Call<'_>, out: &mut ir::Emitter) {
        let Some(known) = self.calls.iter_mut().find(|known| known.key == key) else { return };
        let mut seal = signature_of(call.extra_content.as_ref()).map(|signature| self.memo.seal(signature));
        if known.has_begun {
            out.call_delta(key, text);
        } else {
            known.held.push_str(text);
            if name.is_empty() {
                return;
            }
            known.has_begun = true;
            let mut start = self.memo.names.restore(name);
            if known.is_custom {
                start.kind = ir::CallKind::Custom;
                start.unwrap_input = false;
            }
            start.id = Some(known.id.as_str().into());
            if let Some(index) = call.index.filter(|_| self.is_whole) {
                note(INDEX_FORM, ir::Json::of(&index.0), &mut start.meta.extensions);
            }
            keep_fields("", &call.unknown, &mut start.meta.extensions);
            if let Some(called) = call.function.as_ref() {
                keep_fields("function.", &called.unknown, &mut start.meta.extensions);
            }
            start.meta.seal = seal.take().map(Box::new);
            out.call(key, start);
            out.call_delta(key, &std::mem::take(&mut known.held));
        }
        if let Some(seal) = seal {
            out.call_seal(key, seal);
        }
    }

    fn function_call(&mut self, function: &Called<'_>, out: &mut ir::Emitter) {
        let name = function.name.as_deref().unwrap_or_default();
        if !name.is_empty() {
            let mut start: ir::CallStart = self.memo.names.restore(name);
            let spelled = ir::Json::of("function_call");
            note_loss(FIELD_FORM, spelled, &codes::TOOL_ID_SYNTHESISED, &mut start.meta.extensions);
            out.call(FUNCTION_CALL, start);
        }
        out.call_delta(FUNCTION_CALL, &function.arguments.map(text_of).unwrap_or_default());
    }

    /// The answer as sound is whole, if there is any.
    fn audio(&mut self, out: &mut ir::Emitter) {
        let audio = std::mem::take(&mut self.audio);
        let text = |key: &str| audio.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let words = text("transcript").map(ir::Text::from);
        if words.is_none() && text("data").is_none() {
            return;
        }
        self.end_thoughts(out);
        let (kind, loss) = (ir::Text::constant("audio"), &codes::ANSWER_PART_DROPPED);
        let (dialect, value, meta) = (ID, ir::Json::of(&audio), ir::Meta::default());
        out.whole(ir::Part::Opaque(ir::Opaque { dialect, kind, value, words, trace: None, loss, meta }));
    }

    /// Remembers why the answer ends; what comes later still counts. Some say it twice.
    fn ending(&mut self, choice: &Choice<'_>) {
        if let Some(word) = choice.finish_reason.as_deref().filter(|word| !word.is_empty()) {
            self.reason = Some(word.to_owned());
        }
        // vLLM tells the text that ended the answer.
        let stop = choice.stop_reason.and_then(|raw| json::read::<Str<'_>>(raw.get()).ok());
        if let Some(stop) = stop.filter(|stop| !stop.is_empty()) {
            self.stop_sequence = Some((&*stop).into());
        }
    }

    /// Sources that stand beside the answer. Perplexity names them so, and its text refers to them by numbers: `[1]`.
    fn sources_of(&mut self, document: &Document<'_>) {
        let find =
            |wanted: &str| document.unknown.iter().find(|(name, _)| &***name == wanted).map(|(_, raw)| raw.get());
        let results: Vec<SearchResult<'_>> =
            find("search_results").and_then(|raw| json::read(raw).ok()).unwrap_or_default();
        let addresses: Vec<Str<'_>> = find("citations").and_then(|raw| json::read(raw).ok()).unwrap_or_default();
        let bare = addresses.into_iter().map(|url| SearchResult { url: Some(url), ..SearchResult::default() });
        let all: Vec<SearchResult<'_>> = if results.is_empty() { bare.collect() } else { results };
        let text =
            |text: Option<Str<'_>>| text.map(|text| ir::Text::from(text.into_owned())).filter(|text| !text.is_empty());
        let source = |SearchResult { url, title, snippet, unknown: _ }: SearchResult<'_>| ir::Citation {
            span: None,
            url: text(url),
            title: text(title),
            quote: text(snippet),
            native: Some(ir::Native { dialect: ID, value: ir::Json::NULL }),
        };
        let sources: Vec<ir::Citation> = all.into_iter().map(source).filter(|source| source.url.is_some()).collect();
        if !sources.is_empty() {
            self.sources = sources;
        }
    }

    /// The answer is whole.
    pub(super) fn finish(&mut self, out: &mut ir::Emitter) {
        if self.in_text && !self.has_annotations {
            for source in std::mem::take(&mut self.sources) {
                out.annotate(ir::Annotation::Citation(source));
            }
        }
        self.audio(out);
        self.end_thoughts(out);
        for known in self.calls.iter().filter(|known| !known.has_begun) {
            let what = format!("a call without a name: {}", known.held);
            out.report(&codes::UPSTREAM_ODDITY, "tool_calls", what);
        }
        if !self.early_sources.is_empty() {
            out.report(&codes::UPSTREAM_ODDITY, "annotations", "sources of no text");
        }
        let word = self.reason.as_deref().unwrap_or_default();
        let reason = match words::reason_named(word) {
            ir::Reason::End if out.has_tool_call() => ir::Reason::ToolUse,
            ir::Reason::End if word == "stop" && self.stop_sequence.is_some() => ir::Reason::StopSequence,
            reason => reason,
        };
        let raw = self.reason.as_deref().map(ir::Text::from);
        out.finish(ir::Finish { reason, raw, stop_sequence: self.stop_sequence.take(), ..ir::Finish::default() });
    }
}

fn keep_fields(under: &str, unknown: &Unknown<'_>, out: &mut ir::Extensions) {
    for (name, raw) in unknown.iter().filter(|(_, raw)| raw.get() != "null") {
        let name = format!("{under}{}", &**name).into();
        out.push(ID, ir::Extension { name, value: raw.into(), loss: &codes::ANSWER_DETAIL_LOST });
    }
}

/// Adds more of an entry: texts grow, what else there is replaces what was.
fn extend(known: &mut Map<String, Value>, more: Map<String, Value>) {
    for (key, value) in more {
        match (known.get_mut(&key), &value) {
            (Some(Value::String(all)), Value::String(text))
                if matches!(&*key, "text" | "summary" | "data" | "signature" | "transcript") =>
            {
                all.push_str(text);
            }
            (Some(_), Value::Null) => {}
            _ => {
                known.insert(key, value);
            }
        }
    }
}

/// A text, or JSON as it stands: some upstreams give arguments as an object.
fn text_of(raw: &RawValue) -> String {
    match json::read::<Str<'_>>(raw.get()) {
        Ok(text) => text.into_owned(),
        Err(_) if raw.get() == "null" => String::new(),
        Err(_) => raw.get().to_owned(),
    }
}

/// Mistral's thoughts: a list of chunks, or a string.
fn thinking_of(raw: &RawValue) -> String {
    match json::read::<StrOr<'_, Vec<Chunk<'_>>>>(raw.get()) {
        Ok(StrOr::Str(text)) => text.into_owned(),
        Ok(StrOr::Other(chunks)) => chunks.iter().filter_map(|chunk| chunk.text.as_deref()).collect(),
        Err(_) => String::new(),
    }
}

fn signature_of(extra: Option<&ExtraContent<'_>>) -> Option<ir::Text> {
    let signature = extra?.google.as_ref()?.thought_signature.as_deref()?;
    (!signature.is_empty()).then(|| signature.into())
}

fn image_of(image: Option<&StrOr<'_, ImageUrl<'_>>>) -> Option<ir::Media> {
    let url = match image? {
        StrOr::Str(url) => url,
        StrOr::Other(image) => image.url.as_ref()?,
    };
    let (source, mime) = match words::split_data_url(url) {
        Some((mime, data)) => (ir::MediaSource::Inline(data.into()), Some(mime.to_ascii_lowercase().into())),
        None => (ir::MediaSource::Url((&**url).into()), None),
    };
    Some(ir::Media { kind: ir::MediaKind::Image, source, mime, name: None, detail: None, meta: ir::Meta::default() })
}

fn citation_of(raw: &RawValue) -> ir::Citation {
    let value = raw.into();
    let entry = json::read::<AnnotationEntry<'_>>(raw.get()).unwrap_or_default();
    let cited = entry.url_citation.unwrap_or_default();
    let place = |number: Option<Integer>| number.and_then(Integer::unsigned).and_then(|at| usize::try_from(at).ok());
    // OpenRouter says 0 and 0 where it does not know.
    let span = place(cited.start_index).zip(place(cited.end_index)).filter(|(start, end)| start < end);
    let text =
        |text: Option<Str<'_>>| text.map(|text| ir::Text::from(text.into_owned())).filter(|text| !text.is_empty());
    ir::Citation {
        span,
        url: text(cited.url),
        title: text(cited.title),
        quote: text(cited.content),
        native: Some(ir::Native { dialect: ID, value }),
    }
}

fn tokens_of(tokens: Vec<Token<'_>>) -> Vec<ir::TokenLogprob> {
    let one = |token: Token<'_>| {
        let top = token.top_logprobs.into_iter().flatten();
        Some(ir::TokenLogprob {
            token: token.token?.into_owned().into(),
            logprob: token.logprob?,
            top: top.filter_map(|top| Some((top.token?.into_owned().into(), top.logprob?))).collect(),
        })
    };
    tokens.into_iter().filter_map(one).collect()
}
