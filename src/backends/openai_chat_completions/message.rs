//! Raises instructions and messages.

use std::borrow::Cow;
use std::cell::Cell;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::wire::{
    Address, Body, CacheField, Call, CalledCustom, CalledFunction, Chunk, Content, ContentPart, ExtraContent, File,
    ImageUrl, InputAudio, Message,
};
use super::{CacheMarks, DocumentUrls, has_newest_models, is_openai, takes_videos};
use crate::backends::{Names, Target};
use crate::context::Cx;
use crate::conversation::{self, Turn};
use crate::diagnostics::codes;
use crate::dialects::media::{is_text, known_mime, standard_base64};
use crate::dialects::openai;
use crate::dialects::openai_chat_completions as words;
use crate::dialects::openai_chat_completions::{
    CONTENT_FORM, FIELD_FORM, ID, PART_FORM, ROLE_FORM, ThoughtField, Thoughts, VALUE_FORM, noted,
};
use crate::ir;

/// More marks than this are refused.
const MAX_MARKS: usize = 4;

/// What holds for the whole request.
pub(super) struct Raiser<'a> {
    names: &'a Names,
    issuer: ir::Issuer,
    cache: CacheMarks,
    /// So many of the first marks are left out: only the last ones are taken.
    marks_over: Cell<usize>,
    takes_developer: bool,
    takes_thoughts: bool,
    takes_customs: bool,
    document_urls: DocumentUrls,
    takes_videos: bool,
}

impl<'a> Raiser<'a> {
    pub(super) fn new(target: &Target, names: &'a Names, takes_customs: bool) -> Self {
        Self {
            names,
            issuer: target.issuer(ID),
            cache: CacheMarks::of(target),
            marks_over: Cell::new(0),
            takes_developer: target.capabilities.developer_role.unwrap_or_else(|| has_newest_models(target)),
            takes_thoughts: !is_openai(target),
            takes_customs,
            document_urls: DocumentUrls::of(target),
            takes_videos: takes_videos(target),
        }
    }

    /// The messages of a whole request.
    pub(super) fn messages<'r>(
        &self,
        cx: &mut Cx,
        instructions: &'r [ir::Instruction],
        turns: &'r [Turn<'r>],
    ) -> Vec<Message<'r>> {
        self.marks_over.set(marks(instructions, turns).saturating_sub(MAX_MARKS));
        let mut out = Vec::new();
        self.instructions(cx, instructions, &mut out);
        let mut moved = Vec::new();
        for turn in turns {
            self.turn(cx, turn, &mut moved, &mut out);
        }
        flush_moved(&mut moved, &mut out);
        out
    }

    /// Whether a call of the history lacks the thoughts that led to it, which some upstreams want to read again as long as
    /// they think. Each such call gets the field with nothing in it: hosts of such models that know no switch look for that.
    /// Clients that keep a thought's state and not its words (LangChain's streams of Responses) lack them too.
    pub(super) fn lack_thoughts(messages: &mut [Message<'_>]) -> bool {
        let mut out = false;
        for message in messages.iter_mut().filter(|message| !message.tool_calls.is_empty()) {
            let is_thought = message.reasoning.is_some() || !message.reasoning_details.is_empty();
            if message.reasoning_content.as_deref().is_none_or(str::is_empty) && !is_thought {
                message.reasoning_content = Some(String::new());
                out = true;
            }
        }
        out
    }

    fn instructions<'r>(&self, cx: &mut Cx, instructions: &'r [ir::Instruction], out: &mut Vec<Message<'r>>) {
        for instruction in instructions {
            let ir::Instruction { role, text, meta } = instruction;
            let form = noted(CONTENT_FORM, &meta.extensions);
            let part = self.text_part(cx, text, meta);
            // A further part of a list has the role of the message that the list is in.
            let is_more = form == Some("\"more\"");
            if let (true, Some(Message { content: Some(content), .. })) = (is_more, out.last_mut()) {
                add(part, true, content);
                continue;
            }
            let role = self.operator(cx, *role, &meta.extensions, meta.place);
            // Who wrote no form wrote blocks of one text: together they are one message, as all upstreams know it.
            match out.last_mut().filter(|last| form.is_none() && last.role == role) {
                Some(Message { content: Some(content), .. }) => add(part, false, content),
                _ => {
                    let rest = meta.extensions.written(ID, ir::AROUND);
                    let mut message = Message::new(role, rest);
                    message.content = Some(content(vec![part], form == Some("[]")));
                    out.push(message);
                }
            }
        }
    }

    fn operator(&self, cx: &mut Cx, role: ir::Role, extensions: &ir::Extensions, place: ir::Place) -> &'static str {
        if role != ir::Role::Developer {
            return "system";
        }
        if self.takes_developer || noted(ROLE_FORM, extensions).is_some() {
            return "developer";
        }
        let what = "the upstream may not know the role developer; it is sent as system";
        cx.report(&codes::ROLE_DISTINCTION_LOST, place, "", what);
        "system"
    }

    fn turn<'r>(&self, cx: &mut Cx, turn: &'r Turn<'r>, moved: &mut Vec<ContentPart<'r>>, out: &mut Vec<Message<'r>>) {
        let extensions = &turn.message.extensions;
        let is_list = noted(CONTENT_FORM, extensions) == Some("[]");
        let is_spelled = noted(CONTENT_FORM, extensions).is_some();
        if turn.role == ir::Role::Assistant {
            flush_moved(moved, out);
            let mut message = self.assistant(cx, turn, is_list);
            message.name = turn.name.map(ir::Text::as_str);
            let is_empty = message.content.is_none()
                && message.tool_calls.is_empty()
                && message.function_call.is_none()
                && message.refusal.is_none()
                && message.reasoning_content.is_none()
                && message.rest.is_empty();
            // A turn whose every part another provider alone can read is no turn for this one.
            if is_empty && (!turn.message.parts.is_empty() || !is_spelled) {
                return;
            }
            if message.content.is_none() && is_spelled {
                message.content = Some(content(Vec::new(), is_list));
            }
            out.push(message);
            return;
        }
        let mut own = Vec::new();
        let mut has_results = false;
        for part in &turn.parts {
            match &**part {
                ir::Part::ToolResult(result) => {
                    has_results = true;
                    let message = self.tool_result(cx, result, moved);
                    out.push(message);
                }
                part => own.extend(self.user_part(cx, part)),
            }
        }
        if own.is_empty() && (has_results || !turn.message.parts.is_empty()) {
            return;
        }
        let role = match turn.role {
            ir::Role::System | ir::Role::Developer => {
                flush_moved(moved, out);
                self.operator(cx, turn.role, extensions, turn.message.place)
            }
            ir::Role::User | ir::Role::Assistant => "user",
        };
        let is_moved = !moved.is_empty();
        let mut parts = std::mem::take(moved);
        parts.append(&mut own);
        let mut message = Message::new(role, extensions.written(ID, ""));
        message.name = turn.name.map(ir::Text::as_str);
        message.content = Some(content(parts, is_list || is_moved));
        out.push(message);
    }

    /// A part of what the user or the operator says.
    fn user_part<'r>(&self, cx: &mut Cx, part: &'r ir::Part) -> Option<ContentPart<'r>> {
        match part {
            ir::Part::Text(ir::TextPart { text, citations, logprobs: _, meta }) => {
                self.foreign_seal(cx, meta);
                cx.report_sources(citations, meta.place, ID);
                Some(self.text_part(cx, text, meta))
            }
            ir::Part::Media(media) => self.media(cx, media),
            ir::Part::Opaque(part) => opaque(cx, part),
            ir::Part::Refusal(part) => Some(self.text_part(cx, &part.text, &part.meta)),
            // Lowering puts these into the assistant's turns.
            ir::Part::ToolCall(ir::ToolCall { meta, .. }) | ir::Part::Reasoning(ir::Reasoning { meta, .. }) => {
                cx.report(&codes::CONTENT_DROPPED, meta.place, "", "only the assistant can say this");
                None
            }
            ir::Part::ToolResult(_) => None,
        }
    }

    fn text_part<'r>(&self, cx: &mut Cx, text: &'r ir::Text, meta: &'r ir::Meta) -> ContentPart<'r> {
        cx.report_extensions(&meta.extensions, meta.place, ID);
        ContentPart {
            body: Body::Text { text: Cow::Borrowed(text) },
            cache: self.cache_field(cx, meta),
            rest: meta.extensions.written(ID, ""),
        }
    }

    /// The field for a wish to cache, unless the client wrote one for this dialect.
    fn cache_field(&self, cx: &mut Cx, meta: &ir::Meta) -> Option<CacheField> {
        let mark = meta.cache?;
        if has_own_mark(meta) {
            return None;
        }
        let over = self.marks_over.get();
        if over > 0 && !matches!(self.cache, CacheMarks::None) {
            self.marks_over.set(over - 1);
            let what = format!("a request has {MAX_MARKS} marks; the last ones are sent");
            cx.report_at(&codes::CACHE_HINT_LOST, meta.place, ir::Setting::CacheMark, what);
            return None;
        }
        match self.cache {
            CacheMarks::None => {
                cx.report_at(
                    &codes::CACHE_HINT_LOST,
                    meta.place,
                    ir::Setting::CacheMark,
                    "the upstream has no such marks",
                );
                None
            }
            CacheMarks::Breakpoint => {
                let (ttl, is_near) = match mark.ttl {
                    None => (None, true),
                    Some(ir::CacheTtl::FiveMinutes) => (Some("30m"), false),
                    Some(ir::CacheTtl::ThirtyMinutes) => (Some("30m"), true),
                    Some(ir::CacheTtl::OneHour) => (Some("12h"), false),
                    Some(ir::CacheTtl::TwelveHours) => (Some("12h"), true),
                };
                approximated(cx, is_near, ttl, meta.place);
                Some(CacheField::Breakpoint { mode: "explicit", ttl })
            }
            CacheMarks::CacheControl => {
                let (ttl, is_near) = match mark.ttl {
                    None => (None, true),
                    Some(ir::CacheTtl::FiveMinutes) => (Some("5m"), true),
                    Some(ir::CacheTtl::OneHour) => (Some("1h"), true),
                    Some(ir::CacheTtl::ThirtyMinutes | ir::CacheTtl::TwelveHours) => (Some("1h"), false),
                };
                approximated(cx, is_near, ttl, meta.place);
                Some(CacheField::CacheControl { r#type: "ephemeral", ttl })
            }
        }
    }

    /// The marks of parts that have no field for one.
    fn no_cache_field(cx: &mut Cx, meta: &ir::Meta) {
        if meta.cache.is_some() && meta.extensions.get(ID, "cache_control").is_none() {
            cx.report_at(
                &codes::CACHE_HINT_LOST,
                meta.place,
                ir::Setting::CacheMark,
                "the upstream has no mark for this",
            );
        }
    }

    /// What the upstream may be given of a node's state.
    fn seal<'r>(&self, cx: &mut Cx, meta: &'r ir::Meta) -> Option<&'r ir::Sealed> {
        let seal = meta.seal.as_deref().filter(|seal| !seal.is_note())?;
        if self.issuer.may_open(&seal.issuer) {
            return Some(seal);
        }
        let what = format!("sealed by {}", seal.issuer.dialect);
        cx.report(&codes::REASONING_STATE_FOREIGN, meta.place, "", what);
        None
    }

    fn foreign_seal(&self, cx: &mut Cx, meta: &ir::Meta) {
        if meta.seal.as_ref().is_some_and(|seal| !seal.is_note()) {
            cx.report(&codes::REASONING_STATE_FOREIGN, meta.place, "", "the upstream has no place for it");
        }
    }

    fn assistant<'r>(&self, cx: &mut Cx, turn: &'r Turn<'r>, is_list: bool) -> Message<'r> {
        let extensions = &turn.message.extensions;
        let mut message = Message::new("assistant", extensions.written(ID, ""));
        let mut parts: Vec<ContentPart<'r>> = Vec::new();
        let mut text_seal = None;
        for part in &turn.parts {
            match &**part {
                ir::Part::Text(ir::TextPart { text, citations, logprobs: _, meta }) => {
                    cx.report_sources(citations, meta.place, ID);
                    text_seal = self.seal(cx, meta).or(text_seal);
                    if !text.is_empty() {
                        parts.push(self.text_part(cx, text, meta));
                    }
                }
                ir::Part::Reasoning(part) => self.thoughts(cx, part, &mut parts, &mut message),
                ir::Part::Refusal(ir::Refusal { text, meta }) => {
                    cx.report_extensions(&meta.extensions, meta.place, ID);
                    self.foreign_seal(cx, meta);
                    if noted(CONTENT_FORM, &meta.extensions).is_some() {
                        let (body, rest) = (Body::Refusal { refusal: text }, meta.extensions.written(ID, ""));
                        parts.push(ContentPart { body, cache: None, rest });
                    } else {
                        message.refusal.get_or_insert_default().push_str(text);
                    }
                }
                ir::Part::ToolCall(call) => self.call(cx, call, &mut message),
                ir::Part::Opaque(part) => parts.extend(opaque(cx, part)),
                // A client's of this dialect, for a relative that makes pictures.
                ir::Part::Media(media) => parts.extend(self.media(cx, media)),
                // These stand in turns of their own.
                ir::Part::ToolResult(_) => {}
            }
        }
        message.extra_content = ExtraContent::new(text_seal, extensions);
        if !parts.is_empty() {
            message.content = Some(content(parts, is_list));
        }
        message
    }

    /// Thoughts go back to who thought them, in the field where they stood.
    fn thoughts<'r>(
        &self,
        cx: &mut Cx,
        part: &'r ir::Reasoning,
        parts: &mut Vec<ContentPart<'r>>,
        message: &mut Message<'r>,
    ) {
        let ir::Reasoning { text, meta, .. } = part;
        cx.report_extensions(&meta.extensions, meta.place, ID);
        Self::no_cache_field(cx, meta);
        let thoughts = if meta.seal.is_none() {
            None
        } else {
            match self.seal(cx, meta) {
                Some(seal) => Thoughts::of_payload(&seal.payload),
                None => return,
            }
        };
        let Some(Thoughts { field, details }) = thoughts.filter(|_| self.takes_thoughts) else {
            let what = "the upstream has no place for thoughts that it did not have itself";
            cx.report(&codes::REASONING_DROPPED, meta.place, "", what);
            return;
        };
        message.reasoning_details.extend(details);
        match field {
            Some(ThoughtField::ReasoningContent) => message.reasoning_content.get_or_insert_default().push_str(text),
            Some(ThoughtField::Reasoning) => message.reasoning.get_or_insert_default().push_str(text),
            Some(ThoughtField::Thinking) => {
                let thinking = [Chunk { r#type: "text", text: Cow::Borrowed(text) }];
                let body = meta.extensions.get(ID, VALUE_FORM).map_or(Body::Thinking { thinking }, Body::Raw);
                parts.push(ContentPart { body, cache: None, rest: ir::Written::default() });
            }
            None => {}
        }
    }

    fn call<'r>(&self, cx: &mut Cx, call: &'r ir::ToolCall, message: &mut Message<'r>) {
        let ir::ToolCall { id, name, namespace, kind, arguments, meta } = call;
        cx.report_extensions(&meta.extensions, meta.place, ID);
        Self::no_cache_field(cx, meta);
        let seal = self.seal(cx, meta);
        let name = self.names.sent(name, namespace.as_ref());
        let rest = meta.extensions.written(ID, "function");
        let function = match kind {
            ir::CallKind::Custom if !self.takes_customs => {
                let arguments = Cow::Owned(ir::Json::of(&Wrapped { input: arguments }).text().clone());
                Some(CalledFunction { name: name.clone(), arguments, rest })
            }
            ir::CallKind::Custom => None,
            ir::CallKind::Function => {
                Some(CalledFunction { name: name.clone(), arguments: Cow::Borrowed(arguments), rest })
            }
        };
        if noted(FIELD_FORM, &meta.extensions).is_some() && message.function_call.is_none() {
            message.function_call = function;
            return;
        }
        let custom = match function {
            Some(_) => None,
            None => Some(CalledCustom { name, input: arguments, rest: meta.extensions.written(ID, "custom") }),
        };
        message.tool_calls.push(Call {
            id: id.as_str(),
            r#type: if custom.is_some() { "custom" } else { "function" },
            function,
            custom,
            extra_content: ExtraContent::new(seal, &meta.extensions),
            rest: meta.extensions.written(ID, ""),
        });
    }

    /// A result is words alone, so its pictures and files wait for the user's next turn; a result that a client of this
    /// dialect wrote as a list stays one, media and all: some relatives take it.
    fn tool_result<'r>(
        &self,
        cx: &mut Cx,
        result: &'r ir::ToolResult,
        moved: &mut Vec<ContentPart<'r>>,
    ) -> Message<'r> {
        let ir::ToolResult { call_id, name, content: said, error, meta, kind: _ } = result;
        cx.report_extensions(&meta.extensions, meta.place, ID);
        Self::no_cache_field(cx, meta);
        self.foreign_seal(cx, meta);
        let is_list = noted(CONTENT_FORM, &meta.extensions) == Some("[]");
        let is_legacy = noted(ROLE_FORM, &meta.extensions).is_some();
        let mut message = Message::new(if is_legacy { "function" } else { "tool" }, meta.extensions.written(ID, ""));
        message.tool_call_id = (!is_legacy).then_some(call_id.as_str());
        let mut parts = Vec::new();
        let mut files = 0;
        for part in said {
            match part {
                ir::Part::Text(ir::TextPart { text, citations, logprobs: _, meta }) => {
                    cx.report_extensions(&meta.extensions, meta.place, ID);
                    self.foreign_seal(cx, meta);
                    Self::no_cache_field(cx, meta);
                    cx.report_sources(citations, meta.place, ID);
                    parts.push(ContentPart {
                        body: Body::Text { text: Cow::Borrowed(text) },
                        cache: None,
                        rest: meta.extensions.written(ID, ""),
                    });
                }
                ir::Part::Media(media) => match self.media(cx, media) {
                    Some(part) if is_list || matches!(part.body, Body::Text { .. }) => parts.push(part),
                    Some(part) => {
                        let what = "it follows the results, in a message of the user";
                        cx.report(&codes::TOOL_RESULT_MEDIA_MOVED, media.meta.place, "", what);
                        if files == 0 {
                            let of = name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
                            moved.push(words_part(format!("From the result of the call {call_id}{of}:")));
                        }
                        files += 1;
                        moved.push(part);
                    }
                    None => {}
                },
                ir::Part::Opaque(part) => parts.extend(opaque(cx, part)),
                ir::Part::Refusal(ir::Refusal { text, meta }) => parts.push(self.text_part(cx, text, meta)),
                ir::Part::ToolCall(_) | ir::Part::ToolResult(_) | ir::Part::Reasoning(_) => {
                    cx.report(&codes::CONTENT_DROPPED, part.meta().place, "", "no part of a result");
                }
            }
        }
        if *error {
            cx.report(&codes::TOOL_ERROR_FLAG_TEXTUAL, meta.place, "", "the result begins with \"Error: \"");
            match parts.first_mut().map(|part| &mut part.body) {
                Some(Body::Text { text }) => *text = Cow::Owned(format!("Error: {text}").into()),
                _ => parts.insert(0, words_part("Error: the tool failed".to_owned())),
            }
        }
        if parts.is_empty() && files > 0 {
            parts.push(words_part("(The result is in the user's next message.)".to_owned()));
        }
        message.content = Some(if is_list { Content::Parts(parts) } else { joined(parts, "\n") });
        message
    }

    fn media<'r>(&self, cx: &mut Cx, media: &'r ir::Media) -> Option<ContentPart<'r>> {
        let ir::Media { kind, source, mime, name, detail, meta } = media;
        cx.report_extensions(&meta.extensions, meta.place, ID);
        self.foreign_seal(cx, meta);
        let spelled = noted(PART_FORM, &meta.extensions);
        let body = match (kind, source) {
            (_, ir::MediaSource::Inline(_) | ir::MediaSource::Url(_)) if spelled.is_some() => {
                self.at_address(cx, media, spelled.unwrap_or_default())?
            }
            (ir::MediaKind::Document, ir::MediaSource::Inline(_) | ir::MediaSource::Url(_))
                if self.document_urls == DocumentUrls::DocumentUrl && !is_own(meta) =>
            {
                self.at_address(cx, media, "\"document_url\"")?
            }
            (ir::MediaKind::Document, ir::MediaSource::Url(_))
                if self.document_urls == DocumentUrls::FileUrl && !is_own(meta) =>
            {
                self.at_address(cx, media, "\"file_url\"")?
            }
            (ir::MediaKind::Video, ir::MediaSource::Inline(_) | ir::MediaSource::Url(_)) if self.takes_videos => {
                self.at_address(cx, media, "\"video_url\"")?
            }
            (_, ir::MediaSource::Text(text)) => {
                let what = "a text document is told in words";
                cx.report(&codes::CONTENT_AS_TEXT, meta.place, "", what);
                Body::Text { text: Cow::Borrowed(text) }
            }
            (ir::MediaKind::Image, ir::MediaSource::Inline(_) | ir::MediaSource::Url(_)) => {
                Body::ImageUrl { image_url: self.image(cx, media)? }
            }
            (ir::MediaKind::Audio, ir::MediaSource::Inline(data)) => {
                let spelled =
                    noted(VALUE_FORM, &meta.extensions).and_then(|json| serde_json::from_str::<String>(json).ok());
                let format = match (spelled, mime.as_deref()) {
                    (Some(format), _) => Cow::Owned(format),
                    (None, mime) => Cow::Borrowed(words::format_of_mime(mime.unwrap_or("audio/wav"))),
                };
                if noted(VALUE_FORM, &meta.extensions).is_none() && !matches!(&*format, "wav" | "mp3") {
                    let what = format!("sound is taken as wav or mp3, not {format}");
                    cx.report(&codes::MODALITY_UNSUPPORTED, meta.place, "", what);
                }
                let rest = meta.extensions.written(ID, "input_audio");
                Body::InputAudio { input_audio: InputAudio { data: standard_base64(data), format, rest } }
            }
            (ir::MediaKind::Document, ir::MediaSource::Inline(data)) => self.document(cx, media, data),
            (ir::MediaKind::Document, ir::MediaSource::Url(url))
                if is_own(meta) || self.document_urls == DocumentUrls::FileData =>
            {
                let (file_data, rest) = (Some(Address::Url(url)), meta.extensions.written(ID, "file"));
                Body::File { file: File { filename: name.as_deref(), file_data, file_id: None, rest } }
            }
            (ir::MediaKind::Document, ir::MediaSource::File { dialect, id })
                if matches!(*dialect, ID | openai::RESPONSES) =>
            {
                let rest = meta.extensions.written(ID, "file");
                Body::File { file: File { filename: name.as_deref(), file_data: None, file_id: Some(id), rest } }
            }
            (_, ir::MediaSource::File { dialect, .. }) => {
                let what = format!("a file's id of {dialect}");
                cx.report(&codes::FILE_ID_NOT_PORTABLE, meta.place, "", what);
                return None;
            }
            (ir::MediaKind::Video, ir::MediaSource::Inline(_) | ir::MediaSource::Url(_)) => {
                cx.report(&codes::MODALITY_UNSUPPORTED, meta.place, "", "films are not taken");
                return None;
            }
            (ir::MediaKind::Audio | ir::MediaKind::Document, ir::MediaSource::Url(_)) => {
                cx.report_media_url(media);
                return None;
            }
        };
        if *kind != ir::MediaKind::Image && detail.is_some() {
            cx.report_at(&codes::MEDIA_DETAIL_LOST, meta.place, ir::Setting::Detail, "only pictures have one");
        }
        if name.is_some() && !matches!(body, Body::File { .. } | Body::DocumentUrl { .. }) {
            cx.report_at(&codes::MEDIA_DETAIL_LOST, meta.place, ir::Setting::FileName, "only files have a name");
        }
        Some(ContentPart { body, cache: self.cache_field(cx, meta), rest: meta.extensions.written(ID, "") })
    }

    /// What relatives take by its address, or by a `data:` URL, in a part of its own. `part` is the part's kind, in quotes.
    fn at_address<'r>(&self, cx: &mut Cx, media: &'r ir::Media, part: &str) -> Option<Body<'r>> {
        let ir::Media { name, meta, .. } = media;
        let key = match part {
            "\"document_url\"" => "document_url",
            "\"file_url\"" => "file_url",
            "\"audio_url\"" => "audio_url",
            _ => "video_url",
        };
        let url = Self::address(cx, media, if key == "video_url" { "video/mp4" } else { "application/pdf" })?;
        // Mistral writes no object.
        let is_bare = noted(FIELD_FORM, &meta.extensions).is_some() || key == "document_url" && !is_own(meta);
        let place = if is_bare {
            ImageUrl::Bare(url)
        } else {
            ImageUrl::Object { url, detail: None, rest: meta.extensions.written(ID, key) }
        };
        Some(match key {
            "document_url" => Body::DocumentUrl { document_url: place, document_name: name.as_deref() },
            "file_url" => Body::FileUrl { file_url: place },
            "audio_url" => Body::AudioUrl { audio_url: place },
            _ => Body::VideoUrl { video_url: place },
        })
    }

    /// An address, or the content as a `data:` URL.
    fn address<'r>(cx: &mut Cx, media: &'r ir::Media, mime: &'static str) -> Option<Address<'r>> {
        let meta = &media.meta;
        match &media.source {
            ir::MediaSource::Inline(data) => {
                let mime = known_mime(media).unwrap_or(mime);
                Some(Address::Data { head: head(mime, &meta.extensions), data: standard_base64(data) })
            }
            ir::MediaSource::Url(url) if media.is_on_web() || url.starts_with("data:") || is_own(meta) => {
                Some(Address::Url(url))
            }
            ir::MediaSource::Url(_) | ir::MediaSource::File { .. } | ir::MediaSource::Text(_) => {
                cx.report_media_url(media);
                None
            }
        }
    }

    fn image<'r>(&self, cx: &mut Cx, media: &'r ir::Media) -> Option<ImageUrl<'r>> {
        let ir::Media { name, detail, meta, .. } = media;
        let url = Self::address(cx, media, "image/png")?;
        let word = detail.and_then(words::detail_name);
        if detail.is_some() && word.is_none() {
            cx.report_at(&codes::MEDIA_DETAIL_LOST, meta.place, ir::Setting::Detail, "there is no such detail");
        }
        if name.is_some() {
            cx.report_at(&codes::MEDIA_DETAIL_LOST, meta.place, ir::Setting::FileName, "a picture has no name");
        }
        if noted(FIELD_FORM, &meta.extensions).is_some() {
            return Some(ImageUrl::Bare(url));
        }
        Some(ImageUrl::Object { url, detail: word, rest: meta.extensions.written(ID, "image_url") })
    }

    fn document<'r>(&self, cx: &mut Cx, media: &'r ir::Media, data: &'r str) -> Body<'r> {
        let ir::Media { name, meta, .. } = media;
        let is_own = is_own(meta);
        let mime = known_mime(media).unwrap_or("application/pdf");
        if !is_own && is_text(mime) {
            let words =
                STANDARD.decode(standard_base64(data).as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            if let Some(words) = words {
                cx.report(&codes::CONTENT_AS_TEXT, meta.place, "", "a text document is told in words");
                return Body::Text { text: Cow::Owned(words.into()) };
            }
        }
        let unnamed = noted(FIELD_FORM, &meta.extensions).is_some();
        let filename = name
            .as_deref()
            .or_else(|| (!unnamed).then_some(if mime.ends_with("pdf") { "document.pdf" } else { "document" }));
        let file_data = Some(Address::Data { head: head(mime, &meta.extensions), data: standard_base64(data) });
        Body::File { file: File { filename, file_data, file_id: None, rest: meta.extensions.written(ID, "file") } }
    }
}

/// A custom tool's text as a function's arguments.
#[derive(Serialize)]
struct Wrapped<'a> {
    input: &'a str,
}

/// Whether a client of this dialect wrote a mark, in a field that goes back as it came.
fn has_own_mark(meta: &ir::Meta) -> bool {
    ["prompt_cache_breakpoint", "cache_control"].iter().any(|name| meta.extensions.get(ID, name).is_some())
}

/// How many marks of other dialects could be written.
fn marks(instructions: &[ir::Instruction], turns: &[Turn<'_>]) -> usize {
    let is_mark = |meta: &ir::Meta| meta.cache.is_some() && !has_own_mark(meta);
    let parts = turns.iter().flat_map(|turn| &turn.parts);
    let of_parts =
        parts.filter(|part| matches!(***part, ir::Part::Text(_) | ir::Part::Media(_)) && is_mark(part.meta()));
    instructions.iter().filter(|one| is_mark(&one.meta)).count() + of_parts.count()
}

/// Whether a client of this dialect wrote it, who may know better what its upstream takes.
fn is_own(meta: &ir::Meta) -> bool {
    meta.extensions.dialect() == Some(ID)
}

fn approximated(cx: &mut Cx, is_near: bool, ttl: Option<&str>, place: ir::Place) {
    if !is_near {
        let what = format!("asked for {}", ttl.unwrap_or_default());
        cx.report_at(&codes::CACHE_TTL_APPROXIMATED, place, ir::Setting::CacheMark, what);
    }
}

/// The head of a `data:` URL as the client spelled it, else the media type; empty for bare base64.
fn head<'a>(mime: &'a str, extensions: &ir::Extensions) -> Cow<'a, str> {
    let spelled = noted(VALUE_FORM, extensions).and_then(|json| serde_json::from_str(json).ok());
    spelled.map_or(Cow::Borrowed(mime), Cow::Owned)
}

fn opaque<'r>(cx: &mut Cx, part: &'r ir::Opaque) -> Option<ContentPart<'r>> {
    if part.dialect == ID {
        return Some(ContentPart {
            body: Body::Raw(&part.value),
            cache: None,
            rest: part.meta.extensions.written(ID, ""),
        });
    }
    cx.report_extensions(&part.meta.extensions, part.meta.place, ID);
    cx.report_opaque(part, ID);
    let text = Cow::Borrowed(part.words.as_ref()?);
    let rest = part.meta.extensions.written(ID, "");
    Some(ContentPart { body: Body::Text { text }, cache: None, rest })
}

fn words_part<'r>(words: String) -> ContentPart<'r> {
    ContentPart { body: Body::Text { text: Cow::Owned(words.into()) }, cache: None, rest: ir::Written::default() }
}

/// ir::Media of results, that no turn of the user follows.
fn flush_moved<'r>(moved: &mut Vec<ContentPart<'r>>, out: &mut Vec<Message<'r>>) {
    if !moved.is_empty() {
        let mut message = Message::new("user", ir::Written::default());
        message.content = Some(Content::Parts(std::mem::take(moved)));
        out.push(message);
    }
}

/// A content: a list where the client wrote one or more than words are in it, else one string, which every upstream
/// takes.
fn content<'r>(parts: Vec<ContentPart<'r>>, is_list: bool) -> Content<'r> {
    let is_plain =
        |part: &ContentPart<'_>| matches!(part.body, Body::Text { .. }) && part.cache.is_none() && part.rest.is_empty();
    if is_list || !parts.iter().all(is_plain) { Content::Parts(parts) } else { joined(parts, "\n\n") }
}

/// Words as one string. Blocks that have no white space between them are set apart.
fn joined<'r>(parts: Vec<ContentPart<'r>>, between: &str) -> Content<'r> {
    let mut texts = parts.into_iter().filter_map(|part| match part.body {
        Body::Text { text } if !text.is_empty() => Some(text),
        _ => None,
    });
    let Some(first) = texts.next() else { return Content::Words(Cow::Owned(ir::Text::default())) };
    let Some(second) = texts.next() else { return Content::Words(first) };
    let mut out = first.as_str().to_owned();
    for text in std::iter::once(second).chain(texts) {
        let is_apart = out.ends_with(char::is_whitespace) || text.starts_with(char::is_whitespace);
        out.push_str(if is_apart { "" } else { between });
        out.push_str(&text);
    }
    Content::Words(Cow::Owned(out.into()))
}

/// Adds a block to an instruction's content.
fn add<'r>(part: ContentPart<'r>, is_list: bool, content: &mut Content<'r>) {
    match content {
        Content::Parts(parts) => parts.push(part),
        Content::Words(words) => {
            let before = Body::Text { text: std::mem::take(words) };
            let before = ContentPart { body: before, cache: None, rest: ir::Written::default() };
            *content = self::content(vec![before, part], is_list);
        }
    }
}

/// The turns of a conversation, each call followed by its result.
pub(super) fn turns<'a>(cx: &mut Cx, messages: &'a [ir::Message]) -> Vec<Turn<'a>> {
    for message in messages {
        cx.report_extensions(&message.extensions, message.place, ID);
    }
    let turns = conversation::turns(cx, messages, false);
    let mut turns = conversation::without_assistant_media(cx, turns, is_own);
    for turn in &mut turns {
        // Results stay in the order in which the client sent them: any order is taken, and caches know this one.
        // One that was made up has no place among them.
        let is_result = |part: &Cow<'_, ir::Part>| matches!(part, Cow::Borrowed(ir::Part::ToolResult(_)));
        if turn.parts.iter().all(is_result) {
            turn.parts.sort_by_key(|part| part.meta().place.0);
        }
    }
    turns
}
