//! Raising the conversation: messages become items.

use std::borrow::Cow;

use base64::Engine;
use serde::Serialize;

use super::DIALECT;
use super::hints::{self, Kind, Pending};
use crate::backends::Names;
use crate::context::Cx;
use crate::conversation;
use crate::diagnostics::codes;
use crate::dialects::media::{known_mime, standard_base64};
use crate::dialects::openai;
use crate::dialects::openai_responses::{self as words, Annotation, Breakpoint, Content, Logprob, own_tools};
use crate::ir;

/// The longest id of a call.
const MAX_CALL_ID: usize = 64;
/// So many cache marks count; the last ones.
const MAX_BREAKPOINTS: usize = 4;

/// An item, as it is written.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item<'a> {
    Message {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        role: &'static str,
        content: Words<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<&'a str>,
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    Reasoning {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        summary: Vec<Content<'a>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Content<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<&'a ir::Text>,
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    FunctionCall {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        call_id: Cow<'a, str>,
        name: ir::Text,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<&'a ir::Text>,
        arguments: Cow<'a, ir::Text>,
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    CustomToolCall {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        call_id: Cow<'a, str>,
        name: ir::Text,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<&'a ir::Text>,
        input: &'a ir::Text,
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    FunctionCallOutput {
        call_id: Cow<'a, str>,
        output: Words<'a>,
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    CustomToolCallOutput {
        call_id: Cow<'a, str>,
        output: Words<'a>,
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    ImageGenerationCall {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        result: &'a ir::Text,
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    #[serde(untagged)]
    Raw(Cow<'a, ir::Json>),
}

/// Content or output: a string where one text says it all.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Words<'a> {
    Plain(Cow<'a, ir::Text>),
    Parts(Vec<Content<'a>>),
}

/// A message of the conversation, whichever way its parts were ordered.
struct Turn<'a> {
    role: ir::Role,
    name: Option<&'a ir::Text>,
    parts: Vec<&'a ir::Part>,
    message: &'a ir::Message,
}

/// Raises instructions and messages; a single text of the operator's is left to the field `instructions`.
pub(super) struct Raiser<'a> {
    pub(super) items: Vec<Item<'a>>,
    names: &'a Names,
    issuer: ir::Issuer,
    is_own: bool,
    /// The upstream's model takes cache marks.
    takes_marks: bool,
    /// So many of the first marks are left out.
    marks_over: usize,
    /// Ids of the calls of custom tools, whose results are of another kind.
    customs: Vec<&'a ir::Text>,
    /// What seals said of the items of the turn at hand.
    pending: Pending<'a>,
}

impl<'a> Raiser<'a> {
    pub(super) fn new(names: &'a Names, issuer: ir::Issuer, is_own: bool, takes_marks: bool) -> Self {
        let (items, customs, pending) = (Vec::new(), Vec::new(), Pending::default());
        Self { items, names, issuer, is_own, takes_marks, marks_over: 0, customs, pending }
    }

    /// The text for the field `instructions`, and the rest as items.
    pub(super) fn instructions(&mut self, cx: &mut Cx, request: &'a ir::Request) -> Option<&'a ir::Text> {
        self.count_marks(request);
        let all = &request.instructions;
        let is_item = |one: &ir::Instruction| {
            words::is_marked(&one.meta.extensions, words::BEGINS)
                || words::is_marked(&one.meta.extensions, words::JOINED)
        };
        let (first, rest) = all.split_first()?;
        let has_mark = first.meta.cache.is_some() && self.takes_marks;
        let is_field = !is_item(first) && !has_mark && rest.iter().all(is_item);
        let items = if is_field { rest } else { all };
        if is_field {
            cx.report_extensions(&first.meta.extensions, first.meta.place, DIALECT);
            self.breakpoint(cx, &first.meta);
        }
        for group in items.chunk_by(|_, next| words::is_marked(&next.meta.extensions, words::JOINED)) {
            self.instruction(cx, group);
        }
        is_field.then_some(&first.text)
    }

    fn instruction(&mut self, cx: &mut Cx, group: &'a [ir::Instruction]) {
        let Some(first) = group.first() else { return };
        let mut content = Vec::with_capacity(group.len());
        for one in group {
            let ir::Instruction { role: _, text, meta } = one;
            cx.report_extensions(&meta.extensions, meta.place, DIALECT);
            let prompt_cache_breakpoint = self.breakpoint(cx, meta);
            let extensions = meta.extensions.written(DIALECT, "");
            content.push(Content::InputText { text, prompt_cache_breakpoint, extensions });
        }
        let extensions = first.meta.extensions.written(DIALECT, words::ITEM);
        self.message(first.role, &first.meta, content, extensions);
    }

    /// All messages.
    pub(super) fn messages(&mut self, cx: &mut Cx, messages: &'a [ir::Message], turns: &'a [conversation::Turn<'a>]) {
        if self.is_own {
            for message in messages {
                let (name, parts) = (message.name.as_ref(), message.parts.iter().collect());
                self.turn(cx, &Turn { role: message.role, name, parts, message });
            }
            return;
        }
        self.customs = messages.iter().flat_map(|message| &message.parts).filter_map(custom_call).collect();
        for turn in turns {
            let parts = turn.parts.iter().map(|part| &**part).collect();
            self.turn(cx, &Turn { role: turn.role, name: turn.name, parts, message: turn.message });
        }
        if self.items.is_empty() && messages.iter().all(|message| message.parts.is_empty()) {
            // Who says nothing says it in a message, as there has to be one.
            self.items.extend(messages.first().map(|_| Item::Message {
                id: None,
                role: "user",
                content: Words::Plain(Cow::Owned(ir::Text::default())),
                phase: None,
                extensions: no_extensions(),
            }));
        }
        conversation::report_prefill(cx, messages, |_| false);
    }

    fn turn(&mut self, cx: &mut Cx, turn: &Turn<'a>) {
        if turn.role != ir::Role::Assistant {
            self.pending = Pending::default();
        }
        cx.report_extensions(&turn.message.extensions, turn.message.place, DIALECT);
        if turn.name.is_some() {
            let what = "participants have no names in this dialect";
            cx.report(&codes::ROLE_DISTINCTION_LOST, turn.message.place, "name", what);
        }
        for part in &turn.parts {
            cx.report_extensions(&part.meta().extensions, part.meta().place, DIALECT);
        }
        for group in turn.parts.chunk_by(|part, next| words::is_same_item(part, next)) {
            match group {
                [ir::Part::Reasoning(_), ..] => self.reasoning(cx, group),
                [ir::Part::ToolCall(call)] => self.call(cx, call),
                [ir::Part::ToolResult(result)] => self.result(cx, result),
                [part @ ir::Part::Opaque(opaque)] if !words::is_content(part) => {
                    self.items.push(Item::Raw(Cow::Borrowed(&opaque.value)));
                }
                [ir::Part::Media(media)] if words::is_generated(media) => self.generated(media),
                group => self.content_message(cx, turn, group),
            }
        }
    }

    fn content_message(&mut self, cx: &mut Cx, turn: &Turn<'a>, group: &[&'a ir::Part]) {
        let Some(first) = group.first() else { return };
        for part in group {
            self.seal_before(cx, part.meta());
        }
        let mut content = Vec::with_capacity(group.len());
        for part in group {
            content.extend(self.content(cx, part, turn.role));
        }
        // A message's own fields are the message's, or its first part's where it shares one with other items.
        let extensions = match turn.role {
            ir::Role::Assistant => first.meta().extensions.written(DIALECT, words::ITEM),
            ir::Role::User | ir::Role::System | ir::Role::Developer => turn.message.extensions.written(DIALECT, ""),
        };
        if !content.is_empty() {
            self.message(turn.role, first.meta(), content, extensions);
        }
    }

    fn message(&mut self, role: ir::Role, meta: &'a ir::Meta, content: Vec<Content<'a>>, extensions: ir::Written<'a>) {
        let item = meta.item.as_ref().filter(|_| role != ir::Role::User);
        let hint = if role == ir::Role::Assistant { self.pending.take(Kind::Message) } else { None };
        let role = match role {
            ir::Role::User => "user",
            ir::Role::Assistant => "assistant",
            ir::Role::System => "system",
            ir::Role::Developer => "developer",
        };
        let id = item.and_then(|item| item.id.as_deref()).or(hint.and_then(|hint| hint.id));
        // A client of the dialect said it; then it stands among the extensions.
        let is_said = meta.extensions.get(DIALECT, words::ITEM_PHASE).is_some();
        let phase = item.and_then(|item| item.phase.as_deref()).or(hint.and_then(|hint| hint.phase));
        let phase = phase.filter(|_| !is_said);
        let content = match <[Content<'a>; 1]>::try_from(content) {
            // An output message, which an id tells, has a list.
            Ok([content]) => match plain(&content).filter(|_| id.is_none()) {
                Some(text) => Words::Plain(Cow::Borrowed(text)),
                None => Words::Parts(vec![content]),
            },
            Err(content) => Words::Parts(content),
        };
        self.items.push(Item::Message { id, role, content, phase, extensions });
    }

    /// A part of a message, or of a tool's result.
    fn content(&mut self, cx: &mut Cx, part: &'a ir::Part, role: ir::Role) -> Option<Content<'a>> {
        match part {
            // Nothing but a seal, which stands in an item of its own.
            ir::Part::Text(part) if part.text.is_empty() => None,
            ir::Part::Text(part) => {
                let extensions = part.meta.extensions.written(DIALECT, "");
                if role != ir::Role::Assistant {
                    // Only the model's words have sources in this dialect.
                    cx.report_sources(&part.citations, part.meta.place, DIALECT);
                    let prompt_cache_breakpoint = self.breakpoint(cx, &part.meta);
                    return Some(Content::InputText { text: &part.text, prompt_cache_breakpoint, extensions });
                }
                self.lost_mark(cx, &part.meta);
                let characters = part.text.chars().count();
                let annotations: Vec<_> =
                    part.citations.iter().filter_map(|citation| Annotation::new(citation, characters)).collect();
                if annotations.len() < part.citations.len() {
                    let what = "a source without an address is left out";
                    cx.report_at(&codes::CITATIONS_LOST, part.meta.place, ir::Setting::Citations, what);
                }
                let is_foreign = |native: &ir::Native| native.dialect != DIALECT;
                let says_more = |one: &ir::Citation| one.quote.is_some() || one.native.as_ref().is_some_and(is_foreign);
                if part.citations.iter().any(says_more) {
                    let what = "no more than a source's address and title is told";
                    cx.report_at(&codes::CITATION_DEGRADED, part.meta.place, ir::Setting::Citations, what);
                }
                let logprobs = (!part.logprobs.is_empty()).then(|| Logprob::list(&part.logprobs));
                Some(Content::OutputText { text: &part.text, annotations, logprobs, extensions })
            }
            ir::Part::Refusal(part) => {
                self.lost_mark(cx, &part.meta);
                let extensions = part.meta.extensions.written(DIALECT, "");
                Some(Content::Refusal { refusal: &part.text, extensions })
            }
            ir::Part::Media(media) => self.media(cx, media),
            ir::Part::Opaque(opaque) => self.opaque(cx, opaque, role),
            ir::Part::ToolCall(_) | ir::Part::ToolResult(_) | ir::Part::Reasoning(_) => {
                cx.report(&codes::CONTENT_DROPPED, part.meta().place, "", "this has no place inside a message");
                None
            }
        }
    }

    fn opaque(&mut self, cx: &mut Cx, opaque: &'a ir::Opaque, role: ir::Role) -> Option<Content<'a>> {
        if opaque.dialect == DIALECT {
            return Some(Content::Raw(&opaque.value));
        }
        cx.report_opaque(opaque, DIALECT);
        let text = opaque.words.as_ref().filter(|words| !words.is_empty())?;
        let extensions = no_extensions();
        Some(match role {
            ir::Role::Assistant => Content::OutputText { text, annotations: Vec::new(), logprobs: None, extensions },
            ir::Role::User | ir::Role::System | ir::Role::Developer => {
                let prompt_cache_breakpoint = self.breakpoint(cx, &opaque.meta);
                Content::InputText { text, prompt_cache_breakpoint, extensions }
            }
        })
    }

    fn media(&mut self, cx: &mut Cx, media: &'a ir::Media) -> Option<Content<'a>> {
        let ir::Media { kind, source, mime, name, detail, meta } = media;
        let extensions = meta.extensions.written(DIALECT, "");
        match kind {
            ir::MediaKind::Audio if meta.extensions.get(DIALECT, "input_audio").is_some() => {
                return Some(Content::InputAudio { extensions });
            }
            ir::MediaKind::Audio | ir::MediaKind::Video => {
                cx.report(
                    &codes::MODALITY_UNSUPPORTED,
                    meta.place,
                    "",
                    format!("{DIALECT} takes neither sound nor film"),
                );
                return None;
            }
            ir::MediaKind::Image | ir::MediaKind::Document => {}
        }
        let is_image = *kind == ir::MediaKind::Image;
        let (mut data, mut url, mut file_id) = (None, None, None);
        match source {
            ir::MediaSource::Inline(inline) => {
                let mime = known_mime(media);
                data = Some(match (meta.extensions.get(DIALECT, words::DATA_HEAD), mime) {
                    (Some(head), _) => format!("data:{},{inline}", head.value().as_str().unwrap_or_default()),
                    // A document without a media type came without the head of a `data:` URL, too.
                    (None, _) if self.is_own && media.mime.is_none() && !is_image => inline.to_string(),
                    (None, None) if !is_image => inline.to_string(),
                    (None, mime) => {
                        format!("data:{};base64,{}", mime.unwrap_or("image/png"), standard_base64(inline))
                    }
                });
            }
            ir::MediaSource::Text(text) => {
                let mime = mime.as_deref().unwrap_or("text/plain");
                let encoded = base64::engine::general_purpose::STANDARD.encode(text.as_bytes());
                data = Some(format!("data:{mime};base64,{encoded}"));
            }
            ir::MediaSource::Url(address) => url = Some(address),
            ir::MediaSource::File { dialect, id } => {
                if !matches!(*dialect, openai::RESPONSES | openai::CHAT_COMPLETIONS) {
                    let what = format!("the file {id} is known to providers of {dialect} alone");
                    cx.report(&codes::FILE_ID_NOT_PORTABLE, meta.place, "", what);
                    return None;
                }
                file_id = Some(id.as_str());
            }
        }
        let prompt_cache_breakpoint = self.breakpoint(cx, meta);
        if is_image {
            if name.is_some() {
                cx.report_at(&codes::MEDIA_DETAIL_LOST, meta.place, ir::Setting::FileName, "only files have a name");
            }
            let image_url = data.or_else(|| url.map(ToString::to_string));
            let detail = detail.map(|detail| match detail {
                ir::Detail::Auto => "auto",
                ir::Detail::Low => "low",
                // There is nothing between; too much is better than too little.
                ir::Detail::Medium | ir::Detail::High => "high",
                ir::Detail::Original => "original",
            });
            return Some(Content::InputImage { image_url, file_id, detail, prompt_cache_breakpoint, extensions });
        }
        let detail = detail.and_then(|detail| match detail {
            ir::Detail::Auto => Some("auto"),
            ir::Detail::Low => Some("low"),
            ir::Detail::High => Some("high"),
            ir::Detail::Medium | ir::Detail::Original => {
                cx.report_at(
                    &codes::MEDIA_DETAIL_LOST,
                    meta.place,
                    ir::Setting::Detail,
                    "a document has no such detail",
                );
                None
            }
        });
        // A document at hand needs a name.
        let needs_name = data.is_some() && !self.is_own;
        let filename = name.as_deref().or_else(|| needs_name.then(|| file_name(media)));
        let file_url = url.map(|url| &**url);
        Some(Content::InputFile {
            filename,
            file_data: data,
            file_url,
            file_id,
            detail,
            prompt_cache_breakpoint,
            extensions,
        })
    }

    fn generated(&mut self, media: &'a ir::Media) {
        if let ir::MediaSource::Inline(result) = &media.source {
            let id = media.meta.item.as_ref().and_then(|item| item.id.as_deref());
            let extensions = media.meta.extensions.written(DIALECT, "");
            self.items.push(Item::ImageGenerationCall { id, result, extensions });
        }
    }

    /// Whether the upstream may be given a seal; reports where it may not.
    fn may_send(&self, cx: &mut Cx, seal: &ir::Sealed, meta: &ir::Meta) -> bool {
        let may = self.issuer.may_open(&seal.issuer);
        if !may && !seal.is_note() {
            let what = format!("sealed by {}", seal.issuer.dialect);
            cx.report(&codes::REASONING_STATE_FOREIGN, meta.place, "", what);
        }
        may
    }

    /// Another dialect's client may have carried our reasoning on a text or a call: it stands before it here.
    fn seal_before(&mut self, cx: &mut Cx, meta: &'a ir::Meta) {
        let Some(seal) = &meta.seal else { return };
        if !self.may_send(cx, seal, meta) {
            return;
        }
        self.pending.note(seal);
        if !seal.is_note() {
            self.items.push(Item::Reasoning {
                id: seal.note.as_deref().and_then(hints::own_id),
                summary: Vec::new(),
                content: Vec::new(),
                encrypted_content: Some(&seal.payload),
                extensions: no_extensions(),
            });
        }
    }

    /// An item of thoughts. Without state that the upstream can open, or an id by which it knows them, they are of no
    /// use to it, and refused; only models that show all their thoughts take them as they are.
    fn reasoning(&mut self, cx: &mut Cx, group: &[&'a ir::Part]) {
        let (mut summary, mut content, mut encrypted_content, mut is_foreign) = (Vec::new(), Vec::new(), None, false);
        let Some(first) = group.first() else { return };
        let mut noted = None;
        for part in group {
            let ir::Part::Reasoning(part) = part else { continue };
            if let Some(seal) = &part.meta.seal {
                is_foreign |= !self.may_send(cx, seal, &part.meta);
                encrypted_content = Some(&seal.payload);
                noted = Some(&**seal);
            }
            self.lost_mark(cx, &part.meta);
            // A piece without words stands for an item without pieces.
            let is_piece = !part.text.is_empty() || group.len() > 1;
            match part.form {
                ir::ReasoningForm::Summary if is_piece => summary.push(Content::SummaryText { text: &part.text }),
                ir::ReasoningForm::Raw if is_piece => content.push(Content::ReasoningText { text: &part.text }),
                ir::ReasoningForm::Summary | ir::ReasoningForm::Raw | ir::ReasoningForm::Redacted => {}
            }
        }
        if is_foreign {
            return;
        }
        let own_id = noted.and_then(|seal| hints::own_id(seal.note.as_deref()?));
        let id = first.meta().item.as_ref().and_then(|item| item.id.as_deref()).or(own_id);
        if encrypted_content.is_none() && !(self.is_own && (id.is_some() || !content.is_empty())) {
            let what = "thoughts without their sealed state are of no use to the upstream";
            cx.report(&codes::REASONING_DROPPED, first.meta().place, "", what);
            return;
        }
        if let Some(seal) = noted {
            self.pending.note(seal);
        }
        let extensions = first.meta().extensions.written(DIALECT, "");
        self.items.push(Item::Reasoning { id, summary, content, encrypted_content, extensions });
    }

    fn call(&mut self, cx: &mut Cx, call: &'a ir::ToolCall) {
        let ir::ToolCall { id, name, namespace, kind, arguments, meta } = call;
        self.seal_before(cx, meta);
        self.lost_mark(cx, meta);
        let call_id = call_id(id);
        if *call_id != **id {
            cx.report(&codes::TOOL_ID_REWRITTEN, meta.place, "", format!("{id} is sent as {call_id}"));
        }
        let hint = self.pending.take(Kind::Call);
        if let Some(own) = own_tools::own_form(meta) {
            self.items.push(Item::Raw(Cow::Borrowed(own)));
            return;
        }
        let id = meta.item.as_ref().and_then(|item| item.id.as_deref()).or(hint.and_then(|hint| hint.id));
        let name = self.names.sent(name, namespace.as_ref());
        let namespace = namespace.as_ref();
        let extensions = meta.extensions.written(DIALECT, "");
        self.items.push(match kind {
            ir::CallKind::Function => {
                let is_empty = arguments.is_blank() && !self.is_own;
                let arguments = if is_empty { Cow::Owned(ir::Text::constant("{}")) } else { Cow::Borrowed(arguments) };
                Item::FunctionCall { id, call_id, name, namespace, arguments, extensions }
            }
            ir::CallKind::Custom => Item::CustomToolCall { id, call_id, name, namespace, input: arguments, extensions },
        });
    }

    fn result(&mut self, cx: &mut Cx, result: &'a ir::ToolResult) {
        let ir::ToolResult { call_id: id, name: _, kind, content, error, meta } = result;
        self.lost_mark(cx, meta);
        if let Some(seal) = &meta.seal {
            self.may_send(cx, seal, meta);
        }
        if let Some(own) = own_tools::own_form(meta) {
            self.items.push(Item::Raw(Cow::Borrowed(own)));
            return;
        }
        let mut parts = Vec::with_capacity(content.len());
        for part in content {
            cx.report_extensions(&part.meta().extensions, part.meta().place, DIALECT);
            if let Some(seal) = &part.meta().seal {
                self.may_send(cx, seal, part.meta());
            }
            parts.extend(self.content(cx, part, ir::Role::User));
        }
        let is_list = words::is_marked(&meta.extensions, words::LISTED);
        let mut output = match parts.as_slice() {
            [] if !is_list => Words::Plain(Cow::Owned(ir::Text::default())),
            [one] if !is_list => match plain(one) {
                Some(text) => Words::Plain(Cow::Borrowed(text)),
                None => Words::Parts(parts),
            },
            _ => Words::Parts(parts),
        };
        if *error {
            cx.report(&codes::TOOL_ERROR_FLAG_TEXTUAL, meta.place, "", "that the tool failed is said in words");
            say_error(&mut output);
        }
        let kind = if self.customs.contains(&id) { ir::CallKind::Custom } else { *kind };
        let call_id = call_id(id);
        let extensions = meta.extensions.written(DIALECT, "");
        self.items.push(match kind {
            ir::CallKind::Function => Item::FunctionCallOutput { call_id, output, extensions },
            ir::CallKind::Custom => Item::CustomToolCallOutput { call_id, output, extensions },
        });
    }

    /// Counts the marks that can be written: only the last ones are.
    fn count_marks(&mut self, request: &ir::Request) {
        if self.is_own || !self.takes_marks {
            return;
        }
        let of_parts = |message: &ir::Message| {
            let is_marked = |part: &&ir::Part| {
                matches!(part, ir::Part::Text(_) | ir::Part::Media(_)) && part.meta().cache.is_some()
            };
            message.parts.iter().filter(is_marked).count()
        };
        let instructions = request.instructions.iter().filter(|one| one.meta.cache.is_some()).count();
        let messages = request.messages.iter().filter(|message| message.role != ir::Role::Assistant);
        self.marks_over = (instructions + messages.map(of_parts).sum::<usize>()).saturating_sub(MAX_BREAKPOINTS);
    }

    fn breakpoint(&mut self, cx: &mut Cx, meta: &ir::Meta) -> Option<Breakpoint> {
        let ir::CacheMark { ttl } = meta.cache?;
        if !self.takes_marks || self.marks_over > 0 {
            self.marks_over = self.marks_over.saturating_sub(1);
            self.lost_mark(cx, meta);
            return None;
        }
        let (ttl, is_near) = match ttl {
            None => (None, false),
            Some(ir::CacheTtl::FiveMinutes) => (Some("30m"), true),
            Some(ir::CacheTtl::ThirtyMinutes) => (Some("30m"), false),
            Some(ir::CacheTtl::OneHour) => (Some("12h"), true),
            Some(ir::CacheTtl::TwelveHours) => (Some("12h"), false),
        };
        if is_near {
            cx.report_at(
                &codes::CACHE_TTL_APPROXIMATED,
                meta.place,
                ir::Setting::CacheMark,
                "the cache is kept for 30 minutes or 12 hours",
            );
        }
        Some(Breakpoint { mode: "explicit", ttl })
    }

    fn lost_mark(&self, cx: &mut Cx, meta: &ir::Meta) {
        if meta.cache.is_some() {
            cx.report_at(
                &codes::CACHE_HINT_LOST,
                meta.place,
                ir::Setting::CacheMark,
                "the upstream takes no cache mark here; it caches by itself",
            );
        }
    }
}

/// Nothing to write.
fn no_extensions<'a>() -> ir::Written<'a> {
    ir::Written::default()
}

/// The id of a call of a custom tool.
fn custom_call(part: &ir::Part) -> Option<&ir::Text> {
    match part {
        ir::Part::ToolCall(call) if call.kind == ir::CallKind::Custom => Some(&call.id),
        _ => None,
    }
}

/// The words of a part that is nothing but words.
fn plain<'a>(content: &Content<'a>) -> Option<&'a ir::Text> {
    match content {
        Content::InputText { text, prompt_cache_breakpoint: None, extensions } if extensions.is_empty() => Some(text),
        Content::OutputText { text, annotations, logprobs: None, extensions }
            if annotations.is_empty() && extensions.is_empty() =>
        {
            Some(text)
        }
        Content::InputText { .. }
        | Content::OutputText { .. }
        | Content::Refusal { .. }
        | Content::InputImage { .. }
        | Content::InputFile { .. }
        | Content::InputAudio { .. }
        | Content::SummaryText { .. }
        | Content::ReasoningText { .. }
        | Content::Raw(_) => None,
    }
}

static ERROR: ir::Text = ir::Text::constant("Error:");

/// Puts before a result that its tool failed.
fn say_error(output: &mut Words<'_>) {
    match output {
        Words::Plain(text) if text.is_empty() => *text = Cow::Owned(ir::Text::constant("Error")),
        Words::Plain(text) => {
            let begins = text.get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case("error"));
            if !begins {
                *text = Cow::Owned(format!("Error: {text}").into());
            }
        }
        Words::Parts(parts) => {
            let extensions = no_extensions();
            parts.insert(0, Content::InputText { text: &ERROR, prompt_cache_breakpoint: None, extensions });
        }
    }
}

/// An id that the dialect takes: the same one is always cut to the same.
fn call_id(id: &ir::Text) -> Cow<'_, str> {
    if id.chars().count() <= MAX_CALL_ID {
        return Cow::Borrowed(id);
    }
    Cow::Owned(super::request::cut(id, MAX_CALL_ID))
}

/// A name for a document that has none; its end tells the kind.
fn file_name(media: &ir::Media) -> &'static str {
    match media.mime.as_deref() {
        Some("application/pdf") => "document.pdf",
        Some("text/markdown") => "document.md",
        Some("text/html") => "document.html",
        Some("text/csv") => "document.csv",
        Some("application/json") => "document.json",
        Some("text/plain") => "document.txt",
        None if matches!(media.source, ir::MediaSource::Text(_)) => "document.txt",
        _ => "document",
    }
}
