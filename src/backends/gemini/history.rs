//! Raises the conversation.

use std::borrow::Cow;

use super::request::report_meta;
use crate::backends::{Names, Target};
use crate::context::Cx;
use crate::conversation::Turn;
use crate::diagnostics::codes;
use crate::dialects::gemini::write::{self, Content, FunctionCall, FunctionResponse, Part};
use crate::dialects::gemini::{ID, NOTE_ID, NOTE_NATIVE, NOTE_RESPONSE, response_value};
use crate::dialects::media::known_mime;
use crate::ir;

/// Stands in the place of a signature that the history lacks: Google's validator lets it pass.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// What all turns are written with.
pub(super) struct History<'a> {
    pub(super) request: &'a ir::Request,
    pub(super) calls: ir::Calls<'a>,
    pub(super) target: &'a Target,
    pub(super) names: &'a Names,
    pub(super) issuer: ir::Issuer,
}

impl<'a> History<'a> {
    /// The turns as Gemini's contents, neighbours of one role joined.
    pub(super) fn contents<'t>(&self, cx: &mut Cx, turns: &'t [Turn<'t>]) -> Vec<Content<'t>>
    where
        'a: 't,
    {
        // Google's validator looks at what came since the user last said something; words and pictures beside results are
        // nothing that it is known to take for that.
        let says_something = |turn: &Turn<'_>| {
            let has_results = turn.parts.iter().any(|part| matches!(**part, ir::Part::ToolResult(_)));
            turn.role == ir::Role::User && !has_results && !turn.parts.is_empty()
        };
        let current = turns.iter().rposition(says_something).map_or(0, |index| index + 1);
        let mut out: Vec<Content<'t>> = Vec::new();
        self.report_messages(cx, turns);
        for (index, turn) in turns.iter().enumerate() {
            let (role, parts) = match turn.role {
                ir::Role::Assistant => ("model", self.model_parts(cx, turn, index >= current)),
                ir::Role::User => ("user", self.user_parts(cx, turn)),
                ir::Role::System | ir::Role::Developer => ("user", self.reminders(cx, turn)),
            };
            if parts.is_empty() {
                continue;
            }
            let extensions = Some(turn.message.extensions.written(ID, "")).filter(|written| !written.is_empty());
            match out.last_mut() {
                Some(last) if last.role.as_deref() == Some(role) => last.parts.extend(parts),
                _ => out.push(Content { role: Some(Cow::Borrowed(role)), parts, extensions }),
            }
        }
        out
    }

    /// What is said of messages and not in them; one that was joined with another has no place for fields of its own.
    fn report_messages(&self, cx: &mut Cx, turns: &[Turn<'_>]) {
        for message in &self.request.messages {
            if message.name.is_some() {
                let what = "Gemini has no names of participants";
                cx.report(&codes::ROLE_DISTINCTION_LOST, message.place, "name", what);
            }
            cx.report_extensions(&message.extensions, message.place, ID);
            let is_turn = || turns.iter().any(|turn| std::ptr::eq(turn.message, message));
            if message.extensions.dialect() != Some(ID) || is_turn() {
                continue;
            }
            for field in message.extensions.fields() {
                let what = "the content was joined with the one before it";
                cx.report(field.loss, message.place, field.path(), what);
            }
        }
    }

    /// The operator's words in mid-conversation, marked as what they are: Gemini hears the user or the model only.
    fn reminders<'t>(&self, cx: &mut Cx, turn: &'t Turn<'t>) -> Vec<Part<'t>> {
        let mut out = Vec::new();
        for part in &turn.parts {
            if let ir::Part::Text(text) = &**part {
                report_meta(cx, &text.meta);
                cx.report_sources(&text.citations, text.meta.place, ID);
                let what = "told as the user's words, marked as the operator's";
                cx.report(&codes::INSTRUCTION_MOVED, text.meta.place, "", what);
                out.push(Part::of_text(ir::Text::from(format!(
                    "<system-reminder>\n{}\n</system-reminder>",
                    text.text
                ))));
            } else {
                self.part(cx, part, &mut out);
            }
        }
        out
    }

    /// A user's turn: first the results, then what their media need a place for, then the rest.
    fn user_parts<'t>(&self, cx: &mut Cx, turn: &'t Turn<'t>) -> Vec<Part<'t>> {
        let mut out = Vec::new();
        let mut moved = Vec::new();
        let mut rest = Vec::new();
        for part in &turn.parts {
            match &**part {
                ir::Part::ToolResult(result) => {
                    let signature = self.signature(cx, &result.meta);
                    out.push(self.result(cx, result, &mut moved).signed(signature));
                }
                part => {
                    let before = rest.len();
                    self.part(cx, part, &mut rest);
                    if let (Some(signature), Some(last)) = (self.signature(cx, part.meta()), rest.get_mut(before..)) {
                        last.last_mut().into_iter().for_each(|last| last.thought_signature = Some(signature.into()));
                    }
                }
            }
        }
        out.append(&mut moved);
        out.append(&mut rest);
        out
    }

    /// A model's turn. Signatures stand where Gemini wants them: one that another dialect's client kept on a thought goes
    /// back to the call or the text behind it, and in the turn under way the first call gets a stand-in where it has none.
    fn model_parts<'t>(&self, cx: &mut Cx, turn: &'t Turn<'t>, is_current: bool) -> Vec<Part<'t>> {
        let mut out = Vec::new();
        // The signature of a thought, until something to sign comes.
        let mut pending: Option<&'t str> = None;
        let mut has_call = false;
        let alone = |signature| Part::of_text(ir::Text::default()).signed(Some(signature));
        for part in &turn.parts {
            let part = &**part;
            let own = self.signature(cx, part.meta());
            if let ir::Part::Reasoning(reasoning) = part {
                if let Some(signature) = self.thought(cx, reasoning, own, &mut out) {
                    out.extend(pending.replace(signature).map(alone));
                }
                continue;
            }
            if own.is_some() {
                out.extend(pending.take().map(alone));
            }
            let mut signature = own.or_else(|| pending.take());
            if matches!(part, ir::Part::ToolCall(_)) {
                let is_first = !std::mem::replace(&mut has_call, true);
                if is_first && is_current && signature.is_none() && self.wants_signatures() {
                    let what = "the call has no signature of this model; a stand-in is sent";
                    cx.report(&codes::REASONING_STATE_MISSING, part.meta().place, "", what);
                    signature = Some(NO_SIGNATURE);
                }
            }
            let before = out.len();
            self.part(cx, part, &mut out);
            if out.len() == before {
                pending = signature;
            } else if let Some(last) = out.last_mut() {
                let signed = signature.and_then(|_| split_signed(part, last));
                last.thought_signature = if signed.is_some() { None } else { signature.map(Cow::Borrowed) };
                out.extend(signed.map(|signed| signed.signed(signature)));
            }
        }
        out.extend(pending.map(alone));
        out
    }

    /// A thought of the history. A Gemini client's goes as it came. Another client's has done its duty with its signature,
    /// which is given back for what the thought led to.
    fn thought<'t>(
        &self,
        cx: &mut Cx,
        reasoning: &'t ir::Reasoning,
        signature: Option<&'t str>,
        out: &mut Vec<Part<'t>>,
    ) -> Option<&'t str> {
        let ir::Reasoning { text, form: _, meta } = reasoning;
        report_meta(cx, meta);
        let is_foreign = meta.seal.is_some() && signature.is_none();
        if is_foreign {
            return None;
        }
        if meta.extensions.get(ID, NOTE_NATIVE).is_some() {
            out.push(Part::of_thought(text).with(meta).signed(signature));
            return None;
        }
        if !text.is_empty() {
            cx.report(&codes::REASONING_DROPPED, meta.place, "", "Gemini takes no words of thoughts back");
        }
        signature
    }

    /// The signature of a node, if this upstream wrote it.
    fn signature<'t>(&self, cx: &mut Cx, meta: &'t ir::Meta) -> Option<&'t str> {
        let seal = meta.seal.as_ref().filter(|seal| !seal.is_note())?;
        if self.issuer.may_open(&seal.issuer) {
            return Some(seal.payload.as_str());
        }
        let what = format!("sealed by {}", seal.issuer.dialect);
        cx.report(&codes::REASONING_STATE_FOREIGN, meta.place, "", what);
        None
    }

    fn part<'t>(&self, cx: &mut Cx, part: &'t ir::Part, out: &mut Vec<Part<'t>>) {
        let meta = part.meta();
        match part {
            ir::Part::Text(ir::TextPart { text, citations, logprobs: _, meta }) => {
                report_meta(cx, meta);
                cx.report_sources(citations, meta.place, ID);
                if !text.is_empty() || self.is_sealed_here(meta) {
                    out.push(Part::of_text(text).with(meta));
                }
            }
            ir::Part::Media(media) => {
                report_meta(cx, meta);
                out.extend(self.media(cx, media));
            }
            ir::Part::ToolCall(call) => {
                report_meta(cx, meta);
                out.push(self.call(cx, call));
            }
            ir::Part::ToolResult(result) => {
                let mut moved = Vec::new();
                out.push(self.result(cx, result, &mut moved));
                out.append(&mut moved);
            }
            ir::Part::Refusal(refusal) => {
                report_meta(cx, meta);
                cx.report(&codes::CONTENT_AS_TEXT, meta.place, "", "a refusal is told as the model's words");
                if !refusal.text.is_empty() {
                    out.push(Part::of_text(&refusal.text));
                }
            }
            ir::Part::Opaque(opaque) if opaque.dialect == ID => {
                out.push(Part { own: Some(Cow::Borrowed(&opaque.value)), ..Part::default() }.with(meta));
            }
            ir::Part::Opaque(opaque) => {
                report_meta(cx, meta);
                cx.report_opaque(opaque, ID);
                out.extend(opaque.words.as_ref().filter(|words| !words.is_empty()).map(Part::of_text));
            }
            // Thoughts are the model's; anywhere else there is no place for them.
            ir::Part::Reasoning(reasoning) => {
                let what = "a thought outside the model's turn is left out";
                cx.report(&codes::REASONING_DROPPED, reasoning.meta.place, "", what);
            }
        }
    }

    /// Whether the model asks for the signature of each step's first call. Newer ones refuse a request without; of one that
    /// nobody knows we think it is newer: the stand-in does no harm, and its absence does. Older models are not sent it,
    /// since nothing says that they know it.
    fn wants_signatures(&self) -> bool {
        self.target.capabilities.signatures.unwrap_or(true)
    }

    fn is_sealed_here(&self, meta: &ir::Meta) -> bool {
        meta.seal.as_ref().is_some_and(|seal| self.issuer.may_open(&seal.issuer))
    }

    fn media<'t>(&self, cx: &mut Cx, media: &'t ir::Media) -> Option<Part<'t>> {
        let place = media.meta.place;
        let is_native = media.meta.extensions.dialect() == Some(ID);
        match &media.source {
            ir::MediaSource::Url(_) if !is_url_taken(media, self.target) => {
                cx.report_media_url(media);
                return None;
            }
            ir::MediaSource::File { dialect, id } if *dialect != ID => {
                cx.report(&codes::FILE_ID_NOT_PORTABLE, place, "", format!("only {dialect} knows the file {id}"));
                return None;
            }
            ir::MediaSource::Url(_)
            | ir::MediaSource::File { .. }
            | ir::MediaSource::Inline(_)
            | ir::MediaSource::Text(_) => {}
        }
        if !is_native && !is_picture_taken(media) {
            let what = format!("Gemini takes PNG, JPEG, WebP and HEIC, not {}", known_mime(media).unwrap_or_default());
            cx.report(&codes::MODALITY_UNSUPPORTED, place, "", what);
            return None;
        }
        let has_name = media.name.as_ref().is_some_and(|name| !name.is_empty());
        if has_name && !is_native {
            cx.report_at(&codes::MEDIA_DETAIL_LOST, place, ir::Setting::FileName, "a file's name is not sent");
        }
        let mut part = write::media(media)?;
        if let Some(detail) = media.detail {
            if is_native || self.target.capabilities.media_resolution.unwrap_or(true) {
                part.media_resolution = write::resolution(detail);
            } else if detail != ir::Detail::Auto {
                cx.report_at(
                    &codes::MEDIA_DETAIL_LOST,
                    place,
                    ir::Setting::Detail,
                    "the model looks at all pictures alike",
                );
            }
        }
        Some(part)
    }

    fn call<'t>(&self, cx: &mut Cx, call: &'t ir::ToolCall) -> Part<'t> {
        let ir::ToolCall { id, name, namespace, kind, arguments, meta } = call;
        let (args, is_wrapped) = write::args(*kind, arguments);
        if is_wrapped {
            cx.report(&codes::TOOL_ARGUMENTS_WRAPPED, meta.place, "", "put under _raw, as they are no object");
        }
        Part {
            function_call: Some(FunctionCall {
                id: id_to_write(id, &meta.extensions),
                name: Cow::Owned(self.names.sent(name, namespace.as_ref()).as_str().to_owned()),
                args,
                extensions: meta.extensions.written(ID, "functionCall"),
            }),
            ..Part::default()
        }
        .with(meta)
    }

    fn result<'t>(&self, cx: &mut Cx, result: &'t ir::ToolResult, moved: &mut Vec<Part<'t>>) -> Part<'t> {
        let ir::ToolResult { call_id, name, kind: _, content, error, meta } = result;
        report_meta(cx, meta);
        let mut words: Vec<ir::Text> = Vec::new();
        let mut parts = Vec::new();
        for part in content {
            if let Some(text) = self.result_words(cx, part) {
                words.extend(Some(text).filter(|text| !text.is_empty()));
                continue;
            }
            let mut one = Vec::new();
            self.part(cx, part, &mut one);
            let is_moved = self.target.capabilities.media_in_results == Some(false);
            if is_moved && part.meta().extensions.dialect() != Some(ID) {
                let what = "stands behind the results";
                cx.report(&codes::TOOL_RESULT_MEDIA_MOVED, part.meta().place, "", what);
                moved.append(&mut one);
            } else {
                parts.append(&mut one);
            }
        }
        let call = self.calls.find(call_id, name.as_ref());
        let name = match (call, name) {
            (Some(call), _) => self.names.sent(&call.name, call.namespace.as_ref()),
            (None, Some(name)) => self.names.sent(name, None),
            (None, None) => call_id.clone(),
        };
        let words = match words.as_slice() {
            [only] => only.clone(),
            several => several.iter().map(ir::Text::as_str).collect::<Vec<_>>().join("\n").into(),
        };
        let as_written = meta.extensions.get(ID, NOTE_RESPONSE).cloned();
        Part {
            function_response: Some(FunctionResponse {
                id: id_to_write(call_id, &meta.extensions),
                name: Cow::Owned(name.as_str().to_owned()),
                response: as_written.unwrap_or_else(|| response_value(&words, *error)),
                parts,
                extensions: meta.extensions.written(ID, "functionResponse"),
            }),
            ..Part::default()
        }
        .with(meta)
    }

    /// What a part of a result says in words; `None` for what is shown.
    fn result_words(&self, cx: &mut Cx, part: &ir::Part) -> Option<ir::Text> {
        match part {
            ir::Part::Text(text) => {
                report_meta(cx, &text.meta);
                cx.report_sources(&text.citations, text.meta.place, ID);
                // A result is words without a signature; a foreign one is told.
                self.signature(cx, &text.meta);
                Some(text.text.clone())
            }
            ir::Part::Media(ir::Media { source: ir::MediaSource::Text(text), name, meta, .. }) => {
                report_meta(cx, meta);
                match name.as_ref().filter(|name| !name.is_empty()) {
                    Some(name) => Some(format!("{name}\n{text}").into()),
                    None => Some(text.clone()),
                }
            }
            ir::Part::Opaque(opaque) if opaque.dialect != ID => {
                report_meta(cx, &opaque.meta);
                cx.report_opaque(opaque, ID);
                Some(opaque.words.clone().unwrap_or_default())
            }
            ir::Part::Opaque(_)
            | ir::Part::Media(_)
            | ir::Part::ToolCall(_)
            | ir::Part::ToolResult(_)
            | ir::Part::Reasoning(_)
            | ir::Part::Refusal(_) => None,
        }
    }
}

/// Where a client has joined a signed text with the words before it, as Chat's do, the signed end of it (perhaps empty): the
/// seal's note tells how many characters that are.
fn split_signed<'t>(part: &ir::Part, written: &mut Part<'t>) -> Option<Part<'t>> {
    let ir::Part::Text(ir::TextPart { text, meta, .. }) = part else { return None };
    let signed: usize = meta.seal.as_ref()?.note.as_deref()?.parse().ok()?;
    let unsigned = text.chars().count().checked_sub(signed).filter(|unsigned| *unsigned > 0)?;
    let at = text.char_indices().nth(unsigned).map_or(text.len(), |(at, _)| at);
    let (before, end) = text.split_at_checked(at)?;
    written.text = Some(Cow::Owned(before.into()));
    Some(Part::of_text(ir::Text::from(end)))
}

/// Whether an address goes up as it is. Google fetches public ones for its newer models only, and films of YouTube for all; a
/// Gemini client may know better.
fn is_url_taken(media: &ir::Media, target: &Target) -> bool {
    let ir::MediaSource::Url(url) = &media.source else { return true };
    let is_film = || {
        let host = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next()).unwrap_or_default();
        matches!(host, "youtube.com" | "www.youtube.com" | "m.youtube.com" | "youtu.be")
    };
    media.meta.extensions.get(ID, NOTE_NATIVE).is_some()
        || media.is_on_web() && (target.capabilities.media_urls == Some(true) || is_film())
}

/// Whether the content is wanted in the place of an address.
pub(super) fn wants_content(media: &ir::Media, target: &Target) -> bool {
    !is_url_taken(media, target)
}

/// Whether Gemini takes pictures of this type; what is no picture is for it to judge.
fn is_picture_taken(media: &ir::Media) -> bool {
    const TAKEN: [&str; 6] = ["image/png", "image/jpeg", "image/jpg", "image/webp", "image/heic", "image/heif"];
    let mime = known_mime(media).map(str::to_ascii_lowercase);
    media.kind != ir::MediaKind::Image || mime.is_none_or(|mime| TAKEN.contains(&mime.as_str()))
}

/// The id of a call as the client wrote it: one that was made here stays here, as Gemini goes by names then.
fn id_to_write<'a>(id: &'a ir::Text, extensions: &'a ir::Extensions) -> Option<Cow<'a, str>> {
    match extensions.get(ID, NOTE_ID) {
        Some(written) => serde_json::from_str::<String>(written.as_str()).ok().map(Cow::Owned),
        None => Some(Cow::Borrowed(id.as_str())),
    }
}
