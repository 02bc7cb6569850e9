//! Tells an answer: [`Teller`] turns events into deltas, a stream writes each, and a whole answer is what they add up to.

use serde::Serialize;
use serde_json::Value;

use super::delta::{CallDelta, CalledCustom, CalledFunction, Delta, ExtraContent, More};
use super::layout::Recorder;
use super::thoughts::Details;
use crate::context::{Cx, Losses};
use crate::diagnostics::{Diagnostic, codes};
use crate::dialects::openai_chat_completions::{
    CONTENT_FORM, FIELD_FORM, FUNCTIONS, ID, INDEX_FORM, ThoughtField, Thoughts, noted, reason_name,
};
use crate::envelope;
use crate::frontends::Asked;
use crate::ir;
use crate::sse;

/// A source. In a stream it has an index: accumulators want one.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum AnnotationEntry {
    /// As the upstream wrote it.
    Native(Value),
    /// Made from a citation of another dialect.
    Made {
        #[serde(skip_serializing_if = "Option::is_none")]
        index: Option<u64>,
        r#type: &'static str,
        url_citation: UrlCitation,
    },
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct UrlCitation {
    start_index: usize,
    end_index: usize,
    title: ir::Text,
    url: ir::Text,
    /// The words of the source, in the field that OpenRouter made common.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<ir::Text>,
}

/// A picture that the model made, in the shape that OpenRouter made common.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Image {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    r#type: &'static str,
    image_url: ImageUrl,
}

#[derive(Clone, Debug, Serialize)]
struct ImageUrl {
    url: ir::Text,
}

/// Log probabilities, as `choices[].logprobs` has them.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Logprobs {
    content: Vec<TokenEntry>,
    refusal: Option<()>,
}

#[derive(Clone, Debug, Serialize)]
struct TokenEntry {
    token: ir::Text,
    logprob: f64,
    bytes: Vec<u8>,
    top_logprobs: Vec<TopEntry>,
}

#[derive(Clone, Debug, Serialize)]
struct TopEntry {
    token: ir::Text,
    logprob: f64,
    bytes: Vec<u8>,
}

impl Logprobs {
    fn new(tokens: Vec<ir::TokenLogprob>) -> Self {
        let top = |(token, logprob): (ir::Text, f64)| TopEntry { bytes: bytes_of(&token), token, logprob };
        let entry = |token: ir::TokenLogprob| TokenEntry {
            bytes: bytes_of(&token.token),
            token: token.token,
            logprob: token.logprob,
            top_logprobs: token.top.into_iter().map(top).collect(),
        };
        Self { content: tokens.into_iter().map(entry).collect(), refusal: None }
    }
}

/// The bytes of a token. OpenAI spells those that are no whole characters as `\xe2\x80`, sometimes behind `bytes:`.
fn bytes_of(token: &str) -> Vec<u8> {
    let escaped = token.strip_prefix("bytes:").unwrap_or(token);
    let bytes: Option<Vec<u8>> =
        escaped.split("\\x").skip(1).map(|digits| u8::from_str_radix(digits, 16).ok()).collect();
    match bytes {
        Some(bytes) if escaped.starts_with("\\x") => bytes,
        _ => token.as_bytes().to_vec(),
    }
}

/// `usage`.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum UsageEntry {
    /// As the upstream wrote it.
    Native(ir::Json),
    /// Made from what is known; unknown is 0.
    Made {
        prompt_tokens: u64,
        completion_tokens: u64,
        total_tokens: u64,
        prompt_tokens_details: PromptDetails,
        completion_tokens_details: CompletionDetails,
    },
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct PromptDetails {
    cached_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct CompletionDetails {
    reasoning_tokens: u64,
}

impl UsageEntry {
    /// What is known of an answer's cost; `None` for nothing.
    pub(super) fn new(usage: ir::Usage) -> Option<Self> {
        if usage == ir::Usage::default() {
            return None;
        }
        let native = usage.raw.as_ref().filter(|native| native.dialect == ID).map(|native| &native.value);
        let totals = ["prompt_tokens", "completion_tokens", "total_tokens"];
        if let Some(native) = native.filter(|native| totals.iter().all(|key| native.value().get(key).is_some())) {
            return Some(Self::Native(native.clone()));
        }
        Some(Self::Made {
            prompt_tokens: usage.input.unwrap_or(0),
            completion_tokens: usage.output.unwrap_or(0),
            total_tokens: usage.total(),
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cache_read.unwrap_or(0),
                cache_write_tokens: usage.cache_write,
            },
            completion_tokens_details: CompletionDetails { reasoning_tokens: usage.reasoning.unwrap_or(0) },
        })
    }
}

/// What the block at hand is.
#[derive(Clone, Debug)]
enum Block {
    Text {
        start: usize,
        citations: Vec<ir::Citation>,
    },
    Reasoning {
        field: ThoughtField,
        form: ir::ReasoningForm,
        words: String,
        seal: Option<ir::Sealed>,
    },
    Refusal,
    Call {
        kind: ir::CallKind,
        /// Its slot is filled already.
        has_state: bool,
    },
    /// The one call of a client that knows `function_call` alone.
    FunctionCall,
    Nothing,
}

/// Tells an answer, event by event.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    now: u64,
    hides_thoughts: bool,
    is_legacy: bool,
    ids: crate::context::Ids,
    block: Block,
    /// Characters of text told so far: citations count from the beginning of the message.
    characters: usize,
    /// Something that is no text was told after the text before.
    gap: bool,
    calls: u64,
    has_refusal: bool,
    annotations: u64,
    images: u64,
    layout: Recorder,
    details: Details,
    losses: Losses,
}

/// What a [`Teller`] gives for an event.
pub(super) type Told = (Delta, Option<Logprobs>);

impl Teller {
    /// A teller for a stream, or for a whole answer.
    pub(super) fn new(asked: &Asked, is_stream: bool) -> Self {
        let mut ids = asked.ids.clone();
        Self {
            now: asked.now,
            hides_thoughts: asked.hide_reasoning,
            is_legacy: asked.repeat.iter().any(|(name, _)| *name == FUNCTIONS),
            ids: ids.fork(),
            block: Block::Nothing,
            characters: 0,
            gap: false,
            calls: 0,
            has_refusal: false,
            annotations: 0,
            images: 0,
            layout: Recorder::new(),
            details: Details::new(is_stream),
            losses: Losses::default(),
        }
    }

    /// What of the answer itself the dialect has no field for.
    pub(super) fn extensions(&mut self, extensions: &ir::Extensions) {
        self.losses.extensions(extensions, ID);
    }

    pub(super) fn take_losses(&mut self) -> Vec<Diagnostic> {
        self.losses.take()
    }

    fn lose(&mut self, code: &'static crate::diagnostics::Code, message: impl Into<String>) {
        self.losses.add(code, "", message);
    }

    /// A block begins.
    pub(super) fn open(&mut self, open: ir::Open, out: &mut dyn FnMut(Told)) {
        if !matches!(open, ir::Open::Reasoning { .. }) {
            self.tell_details(out);
        }
        match open {
            ir::Open::Text { .. } => {
                if self.gap && self.characters > 0 {
                    self.lose(&codes::BLOCK_ORDER_LOST, "text that stood apart is told as one");
                }
                self.layout.begin_text();
                self.block = Block::Text { start: self.characters, citations: Vec::new() };
            }
            ir::Open::Reasoning { form, meta } => {
                let field = noted(FIELD_FORM, &meta.extensions) == Some("\"reasoning\"");
                let field = if field { ThoughtField::Reasoning } else { ThoughtField::ReasoningContent };
                self.layout.begin_thought(form);
                self.block = Block::Reasoning { field, form, words: String::new(), seal: None };
            }
            ir::Open::Refusal { .. } => {
                self.has_refusal = true;
                self.layout.give_up();
                self.block = Block::Refusal;
            }
            ir::Open::ToolCall { id, name, kind, meta, .. } => {
                self.gap = true;
                let is_legacy = self.is_legacy || noted(FIELD_FORM, &meta.extensions).is_some();
                self.open_call(id, name, kind, meta, is_legacy, out);
            }
            ir::Open::Whole(part) => {
                self.block = Block::Nothing;
                self.whole(*part, out);
            }
        }
    }

    fn tell_details(&mut self, out: &mut dyn FnMut(Told)) {
        let reasoning_details = self.details.take();
        if !reasoning_details.is_empty() {
            out((Delta { reasoning_details, ..Delta::default() }, None));
        }
    }

    fn open_call(
        &mut self,
        id: ir::Text,
        name: ir::Text,
        kind: ir::CallKind,
        meta: ir::Meta,
        is_legacy: bool,
        out: &mut dyn FnMut(Told),
    ) {
        if is_legacy {
            if self.calls > 0 {
                self.block = Block::Nothing;
                self.lose(&codes::ANSWER_PART_DROPPED, "a client of `functions` takes one call a turn");
                return;
            }
            self.calls += 1;
            self.layout.give_up();
            self.block = Block::FunctionCall;
            let function_call = Some(CalledFunction { name: Some(name), arguments: ir::Text::default() });
            return out((Delta { function_call, ..Delta::default() }, None));
        }
        let ir::Meta { seal, extensions, .. } = meta;
        self.layout.call(&id, seal.map(|seal| *seal));
        let extra_content = self.layout.slot_of_call().map(ExtraContent::new);
        self.block = Block::Call { kind, has_state: extra_content.is_some() };
        let mut call =
            CallDelta { index: Some(self.calls), id: Some(id), extra_content, extensions, ..CallDelta::default() };
        self.calls += 1;
        match kind {
            ir::CallKind::Function => {
                call.kind = Some("function");
                call.function = Some(CalledFunction { name: Some(name), arguments: ir::Text::default() });
            }
            ir::CallKind::Custom => {
                call.kind = Some("custom");
                call.custom = Some(CalledCustom { name: Some(name), input: ir::Text::default() });
            }
        }
        out((Delta { tool_calls: vec![call], ..Delta::default() }, None));
    }

    /// More of the block.
    pub(super) fn delta(&mut self, text: ir::Text, out: &mut dyn FnMut(Told)) {
        let delta = match &mut self.block {
            Block::Text { .. } => return self.text(text, out),
            Block::Reasoning { field, words, .. } => {
                words.push_str(&text);
                if self.hides_thoughts {
                    return;
                }
                self.layout.thought(&text);
                match field {
                    ThoughtField::Reasoning => More::Reasoning.delta(text),
                    ThoughtField::ReasoningContent | ThoughtField::Thinking => More::ReasoningContent.delta(text),
                }
            }
            Block::Refusal => Delta { refusal: Some(text), ..Delta::default() },
            Block::Call { kind, .. } => {
                let mut call = CallDelta { index: self.calls.checked_sub(1), ..CallDelta::default() };
                match kind {
                    ir::CallKind::Function => call.function = Some(CalledFunction { name: None, arguments: text }),
                    ir::CallKind::Custom => call.custom = Some(CalledCustom { name: None, input: text }),
                }
                Delta { tool_calls: vec![call], ..Delta::default() }
            }
            Block::FunctionCall => {
                Delta { function_call: Some(CalledFunction { name: None, arguments: text }), ..Delta::default() }
            }
            Block::Nothing => return,
        };
        out((delta, None));
    }

    fn text(&mut self, text: ir::Text, out: &mut dyn FnMut(Told)) {
        let mut text = text;
        let mut gap = 0;
        if std::mem::take(&mut self.gap) && self.characters > 0 {
            // Two blocks that a call or the like kept apart are no one sentence.
            text = format!("\n\n{text}").into();
            gap = 2;
            if let Block::Text { start, .. } = &mut self.block {
                *start += 2;
            }
        }
        self.characters += text.chars().count();
        self.layout.content(gap, &text);
        out((More::Content.delta(text), None));
    }

    /// A source or log probabilities.
    pub(super) fn annotate(&mut self, annotation: ir::Annotation, out: &mut dyn FnMut(Told)) {
        match annotation {
            ir::Annotation::Logprobs(tokens) => out((Delta::default(), Some(Logprobs::new(tokens)))),
            ir::Annotation::Citation(citation) => match &mut self.block {
                // Where the stretch ends is known once the block does.
                Block::Text { citations, .. } if citation.span.is_none() && !is_own(&citation) => {
                    citations.push(citation)
                }
                Block::Text { start, .. } => {
                    let start = *start;
                    self.cite(citation, start, out);
                }
                _ => {}
            },
        }
    }

    fn cite(&mut self, citation: ir::Citation, start: usize, out: &mut dyn FnMut(Told)) {
        if citation.native.as_ref().is_some_and(|native| native.dialect == ID && native.value.is_null()) {
            return;
        }
        let index = self.annotations;
        let native = citation.native.as_ref().filter(|native| native.dialect == ID && start == 0);
        let entry = match (native, citation.url) {
            (Some(native), _) => {
                let mut value = native.value.value();
                if let Value::Object(fields) = &mut value {
                    fields.insert("index".to_owned(), index.into());
                }
                AnnotationEntry::Native(value)
            }
            (None, Some(url)) => {
                let (from, to) = citation.span.unwrap_or((0, self.characters.saturating_sub(start)));
                let title = citation.title.unwrap_or_default();
                let content = citation.quote;
                let url_citation =
                    UrlCitation { start_index: start + from, end_index: start + to, title, url, content };
                AnnotationEntry::Made { index: Some(index), r#type: "url_citation", url_citation }
            }
            (None, None) => {
                return self.lose(&codes::CITATION_DEGRADED, "only sources with an address can be told");
            }
        };
        self.annotations += 1;
        out((Delta { annotations: vec![entry], ..Delta::default() }, None));
    }

    /// Provider state of the block.
    pub(super) fn seal(&mut self, sealed: ir::Sealed, out: &mut dyn FnMut(Told)) {
        match &mut self.block {
            Block::Reasoning { seal, .. } => *seal = Some(sealed),
            Block::Call { kind, has_state: false } if !sealed.is_note() => {
                let extra_content = Some(ExtraContent::new(envelope::wrap(&sealed)));
                let mut call = CallDelta { index: self.calls.checked_sub(1), extra_content, ..CallDelta::default() };
                match kind {
                    // The Python SDK wants the field in every delta of a function.
                    ir::CallKind::Function => call.function = Some(CalledFunction::default()),
                    ir::CallKind::Custom => {}
                }
                out((Delta { tool_calls: vec![call], ..Delta::default() }, None));
            }
            // Told at the end: the words of a call are nothing to add fillers to.
            Block::Call { .. } | Block::Text { .. } => self.layout.seal(Some(sealed)),
            Block::Refusal | Block::FunctionCall | Block::Nothing => {
                self.lose(&codes::REASONING_STATE_FOREIGN, "the message has no slot for more of the provider's state");
            }
        }
    }

    /// The block is whole.
    pub(super) fn close(&mut self, out: &mut dyn FnMut(Told)) {
        match std::mem::replace(&mut self.block, Block::Nothing) {
            Block::Text { start, citations } => {
                for citation in citations {
                    self.cite(citation, start, out);
                }
            }
            Block::Reasoning { form, words, seal, .. } => {
                let own = seal.as_ref().and_then(|seal| Thoughts::of_payload(&seal.payload));
                if self.hides_thoughts && !words.is_empty() {
                    self.layout.close();
                    return self.lose(&codes::REASONING_HIDDEN, "the client asked not to see thoughts");
                }
                // State of a kind that nobody can use without its words is not worth an entry.
                let is_empty = words.is_empty() && own.is_some_and(|own| own.details.is_empty());
                if !is_empty {
                    self.details.block(words.into(), form, seal.as_ref());
                }
                self.layout.seal(seal);
            }
            Block::Refusal | Block::Call { .. } | Block::FunctionCall | Block::Nothing => {}
        }
        self.layout.close();
    }

    /// A part that came in one piece.
    fn whole(&mut self, part: ir::Part, out: &mut dyn FnMut(Told)) {
        match part {
            ir::Part::Media(media) => self.media(media, out),
            ir::Part::Opaque(part) if part.dialect == ID && part.kind == "audio" => {
                out((Delta { audio: Some(part.value), ..Delta::default() }, None));
            }
            ir::Part::Opaque(part) => {
                self.gap = true;
                self.layout.opaque(&part);
                self.losses.opaque(&part, ID);
                self.losses.extensions(&part.meta.extensions, ID);
                if let Some(words) = part.words {
                    self.text(words, out);
                    self.gap = true;
                }
            }
            // These never come whole.
            ir::Part::ToolResult(_) => self.lose(&codes::ANSWER_PART_DROPPED, "a tool's result in an answer"),
            ir::Part::Text(_) | ir::Part::ToolCall(_) | ir::Part::Reasoning(_) | ir::Part::Refusal(_) => {}
        }
    }

    fn media(&mut self, media: ir::Media, out: &mut dyn FnMut(Told)) {
        let words = media.words();
        let ir::Media { kind, source, mime, .. } = media;
        let url = match (kind, source) {
            (ir::MediaKind::Image, ir::MediaSource::Inline(data)) => {
                let mime = mime.unwrap_or(ir::Text::constant("image/png"));
                format!("data:{mime};base64,{data}").into()
            }
            (ir::MediaKind::Image, ir::MediaSource::Url(url)) => url,
            (ir::MediaKind::Audio, ir::MediaSource::Inline(data)) => {
                let id = self.ids.make("audio_");
                let audio = Audio { id, data, expires_at: self.now.saturating_add(3600), transcript: "" };
                return out((Delta { audio: Some(ir::Json::of(&audio)), ..Delta::default() }, None));
            }
            (kind, _) => {
                let what = format!("{kind:?} has no form in this dialect's answers");
                let Some(words) = words else { return self.lose(&codes::ANSWER_PART_DROPPED, what) };
                self.lose(&codes::CONTENT_AS_TEXT, what);
                self.layout.begin_text();
                self.gap = true;
                self.text(words, out);
                self.gap = true;
                return;
            }
        };
        let index = Some(self.images);
        self.images += 1;
        let image = Image { index, r#type: "image_url", image_url: ImageUrl { url } };
        out((Delta { images: vec![image], ..Delta::default() }, None));
    }

    /// The end: what there is to say of why, and the word for it.
    pub(super) fn finish(&mut self, finish: &ir::Finish, out: &mut dyn FnMut(Told)) -> &'static str {
        self.extensions(&finish.extensions);
        self.tell_details(out);
        let (slot, is_too_small) = self.layout.slot();
        if is_too_small {
            self.lose(&codes::REASONING_STATE_FOREIGN, "the message has no slot for more of the provider's state");
        }
        if let Some(slot) = slot {
            out((Delta { extra_content: Some(ExtraContent::new(slot)), ..Delta::default() }, None));
        }
        if let Some(detail) =
            finish.detail.as_ref().filter(|_| finish.reason == ir::Reason::Refusal && !self.has_refusal)
        {
            out((Delta { refusal: Some(detail.clone()), ..Delta::default() }, None));
        }
        if finish.stop_sequence.is_some() {
            self.lose(&codes::STOP_DETAIL_LOST, "which stop sequence was met".to_owned());
        }
        match finish.reason {
            ir::Reason::ToolUse if self.is_legacy || finish.raw.as_deref() == Some("function_call") => "function_call",
            ir::Reason::Pause | ir::Reason::Malformed | ir::Reason::Other | ir::Reason::ContextExceeded => {
                let what = format!("{:?}", finish.raw.as_deref().unwrap_or_default());
                self.lose(&codes::STOP_DETAIL_LOST, what);
                // Clients run the calls of an answer only where its end says so, and these are whole.
                let is_call = finish.reason == ir::Reason::Other && self.calls > 0;
                reason_name(if is_call { ir::Reason::ToolUse } else { finish.reason })
            }
            ir::Reason::End
            | ir::Reason::StopSequence
            | ir::Reason::ToolUse
            | ir::Reason::Length
            | ir::Reason::Refusal => reason_name(finish.reason),
        }
    }
}

/// Whether a source is as the upstream wrote it, for a client of this dialect.
fn is_own(citation: &ir::Citation) -> bool {
    citation.native.as_ref().is_some_and(|native| native.dialect == ID)
}

#[derive(Serialize)]
struct Audio {
    id: ir::Text,
    data: ir::Text,
    expires_at: u64,
    transcript: &'static str,
}

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageEntry>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u64,
    message: Message<'a>,
    /// Where the upstream's own are kept, they are among the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<Option<Logprobs>>,
    finish_reason: &'static str,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a ir::Text>,
    refusal: Option<&'a ir::Text>,
    #[serde(flatten)]
    delta: Delta,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

/// What the deltas of an answer add up to.
#[derive(Default)]
struct Sum {
    content: ir::Pieces,
    refusal: ir::Pieces,
    reasoning_content: ir::Pieces,
    reasoning: ir::Pieces,
    rest: Delta,
    logprobs: Option<Logprobs>,
}

impl Sum {
    fn add(&mut self, (delta, logprobs): Told) {
        let Delta {
            role: _,
            content,
            refusal,
            reasoning_content,
            reasoning,
            reasoning_details,
            annotations,
            tool_calls,
            function_call,
            images,
            audio,
            extra_content,
        } = delta;
        for (more, all) in [
            (content, &mut self.content),
            (refusal, &mut self.refusal),
            (reasoning_content, &mut self.reasoning_content),
            (reasoning, &mut self.reasoning),
        ] {
            if let Some(more) = more {
                all.push(more);
            }
        }
        let rest = &mut self.rest;
        rest.reasoning_details.extend(reasoning_details);
        rest.annotations.extend(annotations.into_iter().map(without_index));
        rest.images.extend(images.into_iter().map(|image| Image { index: None, ..image }));
        for call in tool_calls {
            add_call(call, &mut rest.tool_calls);
        }
        match (&mut rest.function_call, function_call) {
            (Some(all), Some(more)) => append(&mut all.arguments, &more.arguments),
            (None, more @ Some(_)) => rest.function_call = more,
            (_, None) => {}
        }
        rest.audio = audio.or(rest.audio.take());
        rest.extra_content = extra_content.or(rest.extra_content.take());
        match (&mut self.logprobs, logprobs) {
            (Some(all), Some(more)) => all.content.extend(more.content),
            (None, more @ Some(_)) => self.logprobs = more,
            (_, None) => {}
        }
    }
}

fn without_index(entry: AnnotationEntry) -> AnnotationEntry {
    match entry {
        AnnotationEntry::Native(mut value) => {
            if let Value::Object(fields) = &mut value {
                fields.shift_remove("index");
            }
            AnnotationEntry::Native(value)
        }
        AnnotationEntry::Made { r#type, url_citation, .. } => {
            AnnotationEntry::Made { index: None, r#type, url_citation }
        }
    }
}

/// A call's first delta begins it; the others add to the last.
fn add_call(delta: CallDelta, all: &mut Vec<CallDelta>) {
    if delta.id.is_some() {
        let index = noted(INDEX_FORM, &delta.extensions).and_then(|index| index.parse().ok());
        all.push(CallDelta { index, ..delta });
        return;
    }
    let Some(call) = all.last_mut() else { return };
    if let (Some(function), Some(more)) = (&mut call.function, delta.function) {
        append(&mut function.arguments, &more.arguments);
    }
    if let (Some(custom), Some(more)) = (&mut call.custom, delta.custom) {
        append(&mut custom.input, &more.input);
    }
    call.extra_content = delta.extra_content.or(call.extra_content.take());
}

fn append(all: &mut ir::Text, more: &ir::Text) {
    *all = if all.is_empty() { more.clone() } else { format!("{all}{more}").into() };
}

/// Renders a whole answer.
pub(super) fn render(cx: &mut Cx, asked: &Asked, response: ir::Response) -> Vec<u8> {
    let ir::Response { id, created, usage, extensions, parts, finish, .. } = response;
    let mut teller = Teller::new(asked, false);
    teller.extensions(&extensions);
    let mut sum = Sum::default();
    let told = ir::Response { parts, finish, ..ir::Response::default() };
    let mut finish_reason = "stop";
    for event in told.events() {
        let mut out = |told| sum.add(told);
        match event {
            ir::Event::Open(open) => teller.open(open, &mut out),
            ir::Event::Delta(text) => teller.delta(text, &mut out),
            ir::Event::Annotate(annotation) => teller.annotate(annotation, &mut out),
            ir::Event::Seal(seal) => teller.seal(seal, &mut out),
            ir::Event::Close => teller.close(&mut out),
            ir::Event::Finish(finish) => finish_reason = teller.finish(&finish, &mut out),
            ir::Event::Start(_) | ir::Event::Usage(_) | ir::Event::Idle | ir::Event::Failed(_) => {}
        }
    }
    cx.report_all(teller.take_losses());
    let Sum { content, refusal, reasoning_content, reasoning, rest: mut delta, logprobs } = sum;
    let (content, refusal) = (content.join(), refusal.join());
    delta.reasoning_content = reasoning_content.join();
    delta.reasoning = reasoning.join();
    let is_silent = delta.tool_calls.is_empty() && delta.function_call.is_none() && refusal.is_none();
    let is_silent = (is_silent && delta.audio.is_none()) || noted(CONTENT_FORM, &extensions).is_some();
    let content = content.or_else(|| is_silent.then(ir::Text::default));
    let own_logprobs = extensions.get(ID, "choices.logprobs").is_some();
    let message = Message {
        role: "assistant",
        content: content.as_ref(),
        refusal: refusal.as_ref(),
        delta,
        rest: extensions.written(ID, "choices.message"),
    };
    let choice = Choice {
        index: 0,
        message,
        logprobs: (!own_logprobs).then_some(logprobs),
        finish_reason,
        rest: extensions.written(ID, "choices"),
    };
    let id = id.unwrap_or_else(|| asked.ids.clone().make("chatcmpl-"));
    let completion = Completion {
        id: &id,
        object: "chat.completion",
        created: created.unwrap_or(asked.now),
        model: &asked.model,
        choices: [choice],
        usage: UsageEntry::new(usage),
        rest: extensions.written(ID, ""),
    };
    let mut out = Vec::new();
    sse::write_json(&completion, &mut out);
    out
}
