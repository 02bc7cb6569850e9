//! Lowers `messages`.

use serde_json::value::RawValue;

use super::layout::{self, Layout, Slot};
use super::thoughts;
use crate::context::Cx;
use crate::diagnostics::codes;
use crate::dialects::media;
use crate::dialects::openai_chat_completions as words;
use crate::dialects::openai_chat_completions::{
    CONTENT_FORM, FIELD_FORM, FILE_FORM, ID, LAST_FORM, PART_FORM, ROLE_FORM, ThoughtField, Thoughts, VALUE_FORM, note,
    note_loss,
};
use crate::error::Result;
use crate::ir;
use crate::json::{self, Str, StrOr, Unknown, wire};

wire! {
    /// One of `messages`, whatever its role.
    pub(super) struct Message<'a> {
        "role" role: Str<'a>,
        "content" content: StrOr<'a, Vec<ContentPart<'a>>>,
        "name" name: Str<'a>,
        "refusal" refusal: Str<'a>,
        "tool_calls" tool_calls: Vec<Call<'a>>,
        "function_call" function_call: CalledFunction<'a>,
        "tool_call_id" tool_call_id: Str<'a>,
        "audio" audio: &'a RawValue,
        "annotations" annotations: &'a RawValue,
        "prefix" prefix: &'a RawValue,
        "reasoning_content" reasoning_content: &'a RawValue,
        "reasoning" reasoning: &'a RawValue,
        "reasoning_details" reasoning_details: &'a RawValue,
        "thinking_blocks" thinking_blocks: &'a RawValue,
        "extra_content" extra_content: ExtraContent<'a>,
    }

    /// One part of a content, whatever its kind.
    pub(super) struct ContentPart<'a> {
        "type" kind: Str<'a>,
        "text" text: Str<'a>,
        "refusal" refusal: Str<'a>,
        "image_url" image_url: StrOr<'a, ImageUrl<'a>>,
        "input_audio" input_audio: InputAudio<'a>,
        "file" file: File<'a>,
        "document_url" document_url: StrOr<'a, ImageUrl<'a>>,
        "document_name" document_name: Str<'a>,
        "file_url" file_url: StrOr<'a, ImageUrl<'a>>,
        "audio_url" audio_url: StrOr<'a, ImageUrl<'a>>,
        "video_url" video_url: StrOr<'a, ImageUrl<'a>>,
        "thinking" thinking: &'a RawValue,
        "prompt_cache_breakpoint" prompt_cache_breakpoint: &'a RawValue,
        "cache_control" cache_control: &'a RawValue,
    }

    pub(super) struct ImageUrl<'a> { "url" url: Str<'a>, "detail" detail: Str<'a>, }

    pub(super) struct InputAudio<'a> { "data" data: Str<'a>, "format" format: Str<'a>, }

    pub(super) struct File<'a> { "file_data" file_data: Str<'a>, "file_id" file_id: Str<'a>, "filename" filename: Str<'a>, }

    pub(super) struct Thinking<'a> { "text" text: Str<'a>, }

    pub(super) struct Cached<'a> { "ttl" ttl: Str<'a>, }

    pub(super) struct Call<'a> {
        "id" id: Str<'a>,
        "type" kind: Str<'a>,
        "index" index: &'a RawValue,
        "function" function: CalledFunction<'a>,
        "custom" custom: CalledCustom<'a>,
        "extra_content" extra_content: ExtraContent<'a>,
    }

    pub(super) struct CalledFunction<'a> { "name" name: Str<'a>, "arguments" arguments: Str<'a>, }

    pub(super) struct CalledCustom<'a> { "name" name: Str<'a>, "input" input: Str<'a>, }

    pub(super) struct ExtraContent<'a> { "google" google: Google<'a>, }

    pub(super) struct Google<'a> { "thought_signature" thought_signature: Str<'a>, }

    /// The document once more, for the few parts that have to be kept whole.
    pub(super) struct RawDocument<'a> { "messages" messages: Vec<RawMessage<'a>>, }

    pub(super) struct RawMessage<'a> { "content" content: StrOr<'a, Vec<&'a RawValue>>, }
}

/// Lowers all messages: leading words of the operator become instructions.
pub(super) fn lower(cx: &mut Cx, messages: &[Message<'_>], out: &mut ir::Request) -> Result<()> {
    let mut history = History::default();
    for (index, message) in messages.iter().enumerate() {
        history.message = index;
        cx.at_item("messages", index, |cx| lower_message(cx, message, &mut history, out))?;
    }
    if let Some(last) = out.messages.last_mut().filter(|last| last.role == ir::Role::Assistant) {
        note(LAST_FORM, ir::Json::of(&true), &mut last.extensions);
    }
    Ok(())
}

/// What has to be known of the messages before.
#[derive(Default)]
struct History {
    /// The message at hand.
    message: usize,
    calls: Vec<EarlierCall>,
}

struct EarlierCall {
    id: ir::Text,
    name: ir::Text,
    kind: ir::CallKind,
    answered: bool,
}

impl History {
    /// An id for a call without one. Not random: the same history has to give the same request, or prompt caches miss.
    fn make_id(&self) -> ir::Text {
        let is_free = |id: &String| !self.calls.iter().any(|call| call.id == id.as_str());
        let ids = (self.calls.len() + 1..).map(|number| format!("call_{number}"));
        ids.into_iter().find(is_free).unwrap_or_default().into()
    }

    fn add(&mut self, call: &ir::ToolCall) {
        let ir::ToolCall { id, name, kind, .. } = call;
        self.calls.push(EarlierCall { id: id.clone(), name: name.clone(), kind: *kind, answered: false });
    }

    /// The call that a result answers: the one of its id; without an id the first that waits, of its name if it has one.
    fn answered(&mut self, id: Option<&str>, name: Option<&str>) -> Option<&EarlierCall> {
        let is_it = |call: &EarlierCall| match id {
            Some(id) => call.id == *id,
            None => !call.answered && name.is_none_or(|name| call.name == *name),
        };
        let call = match id {
            Some(_) => self.calls.iter_mut().rev().find(|call| is_it(call)),
            None => self.calls.iter_mut().find(|call| is_it(call)),
        }?;
        call.answered = true;
        Some(call)
    }
}

fn lower_message(cx: &mut Cx, message: &Message<'_>, history: &mut History, out: &mut ir::Request) -> Result<()> {
    let role = cx.required(message.role.as_deref(), "role")?;
    match role {
        "system" => operator(cx, ir::Role::System, message, history, out),
        "developer" => operator(cx, ir::Role::Developer, message, history, out),
        "user" => {
            let mut extensions = own_fields(cx, "", message);
            let parts = content(cx, history.message, message, &mut extensions)?;
            push(cx, ir::Role::User, message, parts, extensions, out);
            Ok(())
        }
        "assistant" => assistant(cx, message, history, out),
        "tool" | "function" => tool_result(cx, role, message, history, out),
        other => {
            let what = format!("unknown role `{other}`, expected `developer`, `system`, `user`, `assistant` or `tool`");
            Err(cx.invalid("role", what))
        }
    }
}

fn push(
    cx: &Cx,
    role: ir::Role,
    message: &Message<'_>,
    parts: Vec<ir::Part>,
    extensions: ir::Extensions,
    out: &mut ir::Request,
) {
    let name = cx.optional_text(message.name.as_ref());
    out.messages.push(ir::Message { place: cx.here(), role, name, parts: parts.into(), extensions });
}

/// The fields of a message that have no place in the IR; `under` is where they are kept.
fn own_fields(cx: &Cx, under: &'static str, message: &Message<'_>) -> ir::Extensions {
    let mut out = ir::Extensions::default();
    cx.keep_unknown_under(ID, under, &message.unknown, &mut out);
    out
}

/// Words of the operator: at the beginning they are instructions, later messages.
fn operator(
    cx: &mut Cx,
    role: ir::Role,
    message: &Message<'_>,
    history: &History,
    out: &mut ir::Request,
) -> Result<()> {
    let is_words = match &message.content {
        Some(StrOr::Other(parts)) => parts.iter().all(|part| part.kind.as_deref() == Some("text")),
        Some(StrOr::Str(_)) | None => true,
    };
    if !out.messages.is_empty() || !is_words {
        let mut extensions = own_fields(cx, "", message);
        note_developer(role, &mut extensions);
        let parts = content(cx, history.message, message, &mut extensions)?;
        push(cx, role, message, parts, extensions, out);
        return Ok(());
    }
    let mut extensions = own_fields(cx, ir::AROUND, message);
    note_developer(role, &mut extensions);
    if let Some(name) = &message.name {
        let name = ir::Json::of(&**name);
        cx.keep(ID, ir::field_path(ir::AROUND, "name"), name, &codes::ROLE_DISTINCTION_LOST, &mut extensions);
    }
    let is_list = matches!(message.content, Some(StrOr::Other(_)));
    for (index, part) in content(cx, history.message, message, &mut ir::Extensions::default())?.into_iter().enumerate()
    {
        let ir::Part::Text(ir::TextPart { text, mut meta, .. }) = part else { continue };
        // What the message itself says is kept with its first part.
        let mut fields = if index == 0 { std::mem::take(&mut extensions) } else { ir::Extensions::default() };
        let form = match (is_list, index) {
            (false, _) => ir::Json::of("text"),
            (true, 0) => ir::Json::of::<[(); 0]>(&[]),
            (true, _) => ir::Json::of("more"),
        };
        note(CONTENT_FORM, form, &mut fields);
        for field in meta.extensions.fields() {
            fields.push(ID, field.clone());
        }
        meta.extensions = fields;
        out.instructions.push(ir::Instruction { role, text, meta });
    }
    Ok(())
}

fn note_developer(role: ir::Role, out: &mut ir::Extensions) {
    if role == ir::Role::Developer {
        note(ROLE_FORM, ir::Json::of("developer"), out);
    }
}

fn assistant(cx: &mut Cx, message: &Message<'_>, history: &mut History, out: &mut ir::Request) -> Result<()> {
    let mut extensions = own_fields(cx, "", message);
    let mut keep = |name: &'static str, raw: Option<&RawValue>, loss| {
        if let Some(json) = cx.optional_json(raw) {
            let says_nothing = matches!(json.as_str(), "[]" | "false" | "\"\"");
            cx.keep(ID, name, json, if says_nothing { &codes::WIRE_FORM } else { loss }, &mut extensions);
        }
    };
    keep("audio", message.audio, &codes::MODALITY_UNSUPPORTED);
    keep("annotations", message.annotations, &codes::CITATIONS_LOST);
    keep("prefix", message.prefix, &codes::OPTION_LOST);
    keep("thinking_blocks", message.thinking_blocks, &codes::REASONING_STATE_FOREIGN);
    let (thoughts, told) = read_thoughts(cx, message, &mut extensions);
    let content = content(cx, history.message, message, &mut extensions)?;
    // Clients that make a message of what they kept of its call say the call's signature of the message too (@openai/agents).
    let around = written(message.extra_content.as_ref());
    let is_calls = message.tool_calls.iter().flatten().any(|call| written(call.extra_content.as_ref()) == around);
    let slot = signature(cx, message.extra_content.as_ref(), &mut extensions).filter(|_| !is_calls);
    let mut calls = Vec::new();
    for (index, call) in message.tool_calls.iter().flatten().enumerate() {
        let call = cx.at_item("tool_calls", index, |cx| lower_call(cx, call, history))?;
        history.add(&call.0);
        calls.push(call);
    }
    let refusal = message.refusal.as_ref().filter(|refusal| !refusal.is_empty());
    let (field, told) = told.unwrap_or((ThoughtField::ReasoningContent, ir::Text::default()));
    let said = layout::Said {
        thoughts: &thoughts,
        told: &told,
        content: &content,
        calls: &calls,
        layout: slot.as_ref().and_then(Slot::layout),
        bare: thoughts::bare(&Thoughts { field: Some(field), details: Vec::new() }),
    };
    let is_whole = refusal.is_none() && message.function_call.is_none();
    if let Some(parts) = is_whole.then(|| layout::restore(&said)).flatten() {
        push(cx, ir::Role::Assistant, message, parts, extensions, out);
        return Ok(());
    }
    let mut parts = thoughts;
    parts.extend(content);
    match slot {
        Some(Slot::Seal(seal)) => {
            let text = parts.iter_mut().rev().find(|part| matches!(part, ir::Part::Text(_)));
            match text {
                Some(text) => text.meta_mut().seal = Some(Box::new(seal)),
                None => {
                    let meta = ir::Meta { seal: Some(Box::new(seal)), ..ir::Meta::at(cx.here()) };
                    parts.push(ir::Part::Text(ir::TextPart { meta, ..ir::TextPart::default() }));
                }
            }
        }
        Some(Slot::Layout(_)) | None => {}
    }
    if let Some(refusal) = refusal {
        let (text, place) = cx.at("refusal", |cx| (cx.text(refusal), cx.here()));
        parts.push(ir::Part::Refusal(ir::Refusal { text, meta: ir::Meta::at(place) }));
    }
    for (mut call, layout) in calls {
        let (own, of_thought) = layout.map_or_else(|| (call.meta.seal.take().map(|seal| *seal), None), Layout::give_up);
        thoughts::attach(of_thought.map(Box::new), &mut parts);
        call.meta.seal = thoughts::attach(own.map(Box::new), &mut parts);
        parts.push(ir::Part::ToolCall(call));
    }
    if let Some(function) = &message.function_call {
        let call = cx.at("function_call", |cx| legacy_call(cx, function, history))?;
        history.add(&call);
        parts.push(ir::Part::ToolCall(call));
    }
    push(cx, ir::Role::Assistant, message, parts, extensions, out);
    Ok(())
}

/// Thoughts in the history, in whichever of the fields they stand.
/// The words of a field of their own are given as they stood, too.
fn read_thoughts(
    cx: &mut Cx,
    message: &Message<'_>,
    extensions: &mut ir::Extensions,
) -> (Vec<ir::Part>, Option<(ThoughtField, ir::Text)>) {
    let mut told: Option<(ThoughtField, ir::Text)> = None;
    for (field, raw) in
        [(ThoughtField::ReasoningContent, message.reasoning_content), (ThoughtField::Reasoning, message.reasoning)]
    {
        let Some(raw) = raw else { continue };
        let text = json::read::<Str<'_>>(raw.get()).ok().filter(|text| !text.is_empty() && told.is_none());
        match text {
            Some(text) => told = Some((field, cx.text(&text))),
            // The same words once more, or none: nothing but a spelling.
            None => cx.keep(ID, field.name(), cx.json(raw), &codes::WIRE_FORM, extensions),
        }
    }
    let entries = message.reasoning_details.and_then(|raw| serde_json::from_str(raw.get()).ok());
    if let (None, Some(raw)) = (&entries, message.reasoning_details) {
        cx.keep(ID, "reasoning_details", cx.json(raw), &codes::UNKNOWN_FIELD, extensions);
    }
    let mut out = Vec::new();
    thoughts::read(cx, told.clone(), entries.unwrap_or_default(), &mut out);
    (out, told)
}

/// What stands in the slot of Google's signature.
fn written<'a>(extra: Option<&'a ExtraContent<'_>>) -> Option<&'a str> {
    extra?.google.as_ref()?.thought_signature.as_deref()
}

/// Google's signature, and what else stands in `extra_content`.
fn signature(cx: &mut Cx, extra: Option<&ExtraContent<'_>>, extensions: &mut ir::Extensions) -> Option<Slot> {
    let ExtraContent { google, unknown } = extra?;
    cx.keep_unknown_under(ID, "extra_content", unknown, extensions);
    let Google { thought_signature, unknown } = google.as_ref()?;
    cx.keep_unknown_under(ID, "extra_content.google", unknown, extensions);
    let slot = cx.text(thought_signature.as_ref().filter(|slot| !slot.is_empty())?);
    let slot = layout::open(&slot);
    if slot.is_none() {
        cx.report_here(&codes::REASONING_STATE_FOREIGN, "extra_content", "an envelope that cannot be read");
    }
    slot
}

fn lower_call(cx: &mut Cx, call: &Call<'_>, history: &History) -> Result<(ir::ToolCall, Option<Layout>)> {
    let mut meta = ir::Meta::at(cx.here());
    cx.keep_unknown(ID, &call.unknown, &mut meta.extensions);
    if let Some(index) = call.index {
        cx.keep(ID, "index", cx.json(index), &codes::WIRE_FORM, &mut meta.extensions);
    }
    let layout = match signature(cx, call.extra_content.as_ref(), &mut meta.extensions) {
        Some(Slot::Seal(seal)) => {
            meta.seal = Some(Box::new(seal));
            None
        }
        Some(Slot::Layout(layout)) => Some(layout),
        None => None,
    };
    let id = match call.id.as_ref().filter(|id| !id.is_empty()) {
        Some(id) => cx.text(id),
        None => {
            let id = history.make_id();
            cx.report_here(&codes::TOOL_ID_SYNTHESISED, "id", format!("the call is given the id {id}"));
            id
        }
    };
    let (name, kind, arguments) = match (&call.function, &call.custom) {
        (function, Some(custom)) if function.is_none() || call.kind.as_deref() == Some("custom") => {
            cx.keep_unknown_under(ID, "custom", &custom.unknown, &mut meta.extensions);
            (custom.name.as_ref(), ir::CallKind::Custom, custom.input.as_ref())
        }
        (Some(function), _) => {
            cx.keep_unknown_under(ID, "function", &function.unknown, &mut meta.extensions);
            (function.name.as_ref(), ir::CallKind::Function, function.arguments.as_ref())
        }
        (None, _) if call.kind.as_deref() == Some("custom") => {
            return Err(cx.invalid("custom", "this field is required"));
        }
        (None, _) => return Err(cx.invalid("function", "this field is required")),
    };
    let key = if kind == ir::CallKind::Custom { "custom.name" } else { "function.name" };
    let name = cx.text(cx.required(name, key)?);
    let arguments = cx.optional_text(arguments).unwrap_or_default();
    Ok((ir::ToolCall { id, name, namespace: None, kind, arguments, meta }, layout))
}

/// The forerunner of `tool_calls`: one call, without an id.
fn legacy_call(cx: &mut Cx, function: &CalledFunction<'_>, history: &History) -> Result<ir::ToolCall> {
    let CalledFunction { name, arguments, unknown } = function;
    let mut meta = ir::Meta::at(cx.here());
    cx.keep_unknown_under(ID, "function", unknown, &mut meta.extensions);
    note_loss(FIELD_FORM, ir::Json::of("function_call"), &codes::TOOL_ID_SYNTHESISED, &mut meta.extensions);
    let name = cx.text(cx.required(name.as_ref(), "name")?);
    let arguments = cx.optional_text(arguments.as_ref()).unwrap_or_default();
    Ok(ir::ToolCall { id: history.make_id(), name, namespace: None, kind: ir::CallKind::Function, arguments, meta })
}

fn tool_result(
    cx: &mut Cx,
    role: &str,
    message: &Message<'_>,
    history: &mut History,
    out: &mut ir::Request,
) -> Result<()> {
    let mut extensions = own_fields(cx, "", message);
    if role == "function" {
        note(ROLE_FORM, ir::Json::of("function"), &mut extensions);
        cx.required(message.name.as_ref(), "name")?;
    }
    let parts = content(cx, history.message, message, &mut extensions)?;
    let id = message.tool_call_id.as_ref().filter(|id| !id.is_empty() && role == "tool");
    let name = message.name.as_ref();
    if let Some(name) = name {
        cx.keep(ID, "name", ir::Json::of(&**name), &codes::WIRE_FORM, &mut extensions);
    }
    if role == "tool" && id.is_none() {
        cx.report_here(&codes::TOOL_ID_SYNTHESISED, "tool_call_id", "taken as the result of the first call that waits");
    }
    let call = history.answered(id.map(|id| &**id), name.map(|name| &**name));
    let (own_id, kind) = (call.map(|call| call.id.clone()), call.map_or(ir::CallKind::Function, |call| call.kind));
    let name = cx.optional_text(name).or_else(|| call.map(|call| call.name.clone()));
    let call_id = id.map(|id| cx.text(id)).or(own_id).unwrap_or_else(|| history.make_id());
    let meta = ir::Meta { extensions, ..ir::Meta::at(cx.here()) };
    let result = ir::ToolResult { call_id, name, kind, content: parts, error: false, meta };
    let parts = vec![ir::Part::ToolResult(result)].into();
    out.messages.push(ir::Message {
        place: cx.here(),
        role: ir::Role::User,
        name: None,
        parts,
        extensions: ir::Extensions::default(),
    });
    Ok(())
}

/// The content of a message; `extensions` notes how it was spelled.
fn content(
    cx: &mut Cx,
    message_index: usize,
    message: &Message<'_>,
    extensions: &mut ir::Extensions,
) -> Result<Vec<ir::Part>> {
    let mut out = Vec::new();
    match &message.content {
        None => {}
        Some(StrOr::Str(text)) if text.is_empty() => note(CONTENT_FORM, ir::Json::of(""), extensions),
        Some(StrOr::Str(text)) => {
            let meta = cx.at("content", |cx| ir::Meta::at(cx.here()));
            out.push(ir::Part::Text(ir::TextPart { text: cx.text(text), meta, ..ir::TextPart::default() }));
        }
        Some(StrOr::Other(parts)) => {
            note(CONTENT_FORM, ir::Json::of::<[(); 0]>(&[]), extensions);
            for (index, part) in parts.iter().enumerate() {
                let place = (message_index, index);
                out.extend(cx.at_item("content", index, |cx| lower_part(cx, place, part))?);
            }
        }
    }
    Ok(out)
}

fn lower_part(cx: &mut Cx, place: (usize, usize), part: &ContentPart<'_>) -> Result<Option<ir::Part>> {
    let mut meta = ir::Meta::at(cx.here());
    cx.keep_unknown(ID, &part.unknown, &mut meta.extensions);
    for (name, raw) in
        [("prompt_cache_breakpoint", part.prompt_cache_breakpoint), ("cache_control", part.cache_control)]
    {
        // The mark says it to every dialect; the field itself goes back to this one as it was.
        let Some(raw) = raw else { continue };
        let cached = json::read::<Cached<'_>>(raw.get()).unwrap_or_default();
        meta.cache = Some(ir::CacheMark { ttl: cached.ttl.and_then(|ttl| words::ttl_named(&ttl)) });
        cx.keep(ID, name, cx.json(raw), &codes::WIRE_FORM, &mut meta.extensions);
    }
    let kind = cx.required(part.kind.as_deref(), "type")?;
    Ok(Some(match kind {
        "text" => {
            let text = cx.text(cx.required(part.text.as_ref(), "text")?);
            if text.is_empty() {
                return Ok(None);
            }
            ir::Part::Text(ir::TextPart { text, meta, ..ir::TextPart::default() })
        }
        "refusal" => {
            let text = cx.text(cx.required(part.refusal.as_ref(), "refusal")?);
            note(CONTENT_FORM, ir::Json::of::<[(); 0]>(&[]), &mut meta.extensions);
            ir::Part::Refusal(ir::Refusal { text, meta })
        }
        "image_url" => {
            ir::Part::Media(image(cx, cx.required(part.image_url.as_ref(), "image_url")?, "image_url", meta)?)
        }
        "input_audio" => ir::Part::Media(audio(cx, cx.required(part.input_audio.as_ref(), "input_audio")?, meta)?),
        "file" => ir::Part::Media(file(cx, cx.required(part.file.as_ref(), "file")?, meta)?),
        "document_url" | "file_url" | "audio_url" | "video_url" => ir::Part::Media(at_address(cx, part, kind, meta)?),
        "thinking" => {
            // Its chunks may have fields of their own; the upstream that wants thoughts back wants them as they were.
            note(VALUE_FORM, whole_part(cx, place), &mut meta.extensions);
            thinking(cx, part.thinking, meta)
        }
        _ => {
            let value = whole_part(cx, place);
            // The part goes back whole, so nothing is to be written beside it.
            let meta = ir::Meta::at(meta.place);
            let loss = if kind.ends_with("_url") || kind.starts_with("input_") || kind.contains("audio") {
                &codes::MODALITY_UNSUPPORTED
            } else {
                &codes::CONTENT_DROPPED
            };
            ir::Part::Opaque(ir::Opaque { dialect: ID, kind: kind.into(), value, words: None, trace: None, loss, meta })
        }
    }))
}

/// The part as it stands in the document.
fn whole_part(cx: &Cx, (message, part): (usize, usize)) -> ir::Json {
    let body = cx.body();
    let document: RawDocument<'_> = json::document(&body).unwrap_or_default();
    let message = document.messages.as_ref().and_then(|messages| messages.get(message));
    match message.and_then(|message| message.content.as_ref()) {
        Some(StrOr::Other(parts)) => parts.get(part).map_or(ir::Json::NULL, |raw| body.json(raw)),
        Some(StrOr::Str(_)) | None => ir::Json::NULL,
    }
}

/// Mistral's thoughts: a list of text chunks, or a string.
fn thinking(cx: &Cx, raw: Option<&RawValue>, mut meta: ir::Meta) -> ir::Part {
    let raw = raw.map_or("\"\"", RawValue::get);
    let text = match json::read::<StrOr<'_, Vec<Thinking<'_>>>>(raw) {
        Ok(StrOr::Str(text)) => cx.text(&text),
        Ok(StrOr::Other(chunks)) => {
            let mut texts = chunks.iter().filter_map(|chunk| chunk.text.as_ref());
            match (texts.next(), texts.next()) {
                (Some(only), None) => cx.text(only),
                _ => chunks.iter().filter_map(|chunk| chunk.text.as_deref()).collect::<String>().into(),
            }
        }
        Err(_) => ir::Text::default(),
    };
    let thoughts = Thoughts { field: Some(ThoughtField::Thinking), details: Vec::new() };
    meta.seal = Some(Box::new(thoughts::bare(&thoughts)));
    ir::Part::Reasoning(ir::Reasoning { text, form: ir::ReasoningForm::Raw, meta })
}

/// A picture, or what else stands in a field `key` as a picture does.
fn image(cx: &mut Cx, image: &StrOr<'_, ImageUrl<'_>>, key: &'static str, mut meta: ir::Meta) -> Result<ir::Media> {
    let (url, detail) = match image {
        StrOr::Str(url) => {
            note(FIELD_FORM, ir::Json::of("string"), &mut meta.extensions);
            (url, None)
        }
        StrOr::Other(ImageUrl { url, detail, unknown }) => {
            keep_inner(cx, key, unknown, &mut meta.extensions);
            let url = cx.at(key, |cx| cx.required(url.as_ref(), "url"))?;
            (url, detail.as_ref())
        }
    };
    let (source, mime) = located(cx, url, &mut meta.extensions);
    let known = detail.and_then(|detail| words::detail_named(detail));
    if let (Some(word), None) = (detail, known) {
        let word = ir::Json::of(&**word);
        cx.keep(ID, format!("{key}.detail"), word, &codes::MEDIA_DETAIL_LOST, &mut meta.extensions);
    }
    Ok(ir::Media { kind: ir::MediaKind::Image, source, mime, name: None, detail: known, meta })
}

/// A document, sound or film as relatives take them by their addresses: Mistral, Z.ai, vLLM, OpenRouter.
fn at_address(cx: &mut Cx, part: &ContentPart<'_>, kind: &str, mut meta: ir::Meta) -> Result<ir::Media> {
    let (field, key, media_kind) = match kind {
        "document_url" => (&part.document_url, "document_url", ir::MediaKind::Document),
        "file_url" => (&part.file_url, "file_url", ir::MediaKind::Document),
        "audio_url" => (&part.audio_url, "audio_url", ir::MediaKind::Audio),
        _ => (&part.video_url, "video_url", ir::MediaKind::Video),
    };
    note(PART_FORM, ir::Json::of(key), &mut meta.extensions);
    let mut media = image(cx, cx.required(field.as_ref(), key)?, key, meta)?;
    media.kind = media_kind;
    media.name = cx.optional_text(part.document_name.as_ref());
    Ok(media)
}

fn audio(cx: &mut Cx, audio: &InputAudio<'_>, mut meta: ir::Meta) -> Result<ir::Media> {
    let InputAudio { data, format, unknown } = audio;
    keep_inner(cx, "input_audio", unknown, &mut meta.extensions);
    let data = cx.required(data.as_ref(), "input_audio.data")?;
    let mime = format.as_ref().map(|format| ir::Text::from(words::mime_of_format(format)));
    if let Some(format) = format {
        note(VALUE_FORM, ir::Json::of(&**format), &mut meta.extensions);
    }
    let source = ir::MediaSource::Inline(cx.text(data));
    Ok(ir::Media { kind: ir::MediaKind::Audio, source, mime, name: None, detail: None, meta })
}

fn file(cx: &mut Cx, file: &File<'_>, mut meta: ir::Meta) -> Result<ir::Media> {
    let File { file_data, file_id, filename, unknown } = file;
    keep_inner(cx, "file", unknown, &mut meta.extensions);
    let name = cx.optional_text(filename.as_ref());
    let (source, mime) = match (file_data, file_id) {
        (Some(data), _) => {
            let (source, mime) = located(cx, data, &mut meta.extensions);
            match source {
                // Bare base64 is taken too. An address of the web is not: there it stays one, for those who fetch it.
                ir::MediaSource::Url(bare) if !bare.contains("://") && !bare.starts_with("data:") => {
                    let by_name = name.as_deref().is_some_and(|name| name.to_ascii_lowercase().ends_with(".pdf"));
                    let mime = if by_name { Some("application/pdf") } else { media::mime_of_base64(&bare) };
                    note(VALUE_FORM, ir::Json::of(""), &mut meta.extensions);
                    (ir::MediaSource::Inline(bare), mime.map(ir::Text::constant))
                }
                source => {
                    note(FILE_FORM, ir::Json::of(&true), &mut meta.extensions);
                    (source, mime)
                }
            }
        }
        (None, Some(id)) => (ir::MediaSource::File { dialect: ID, id: cx.text(id) }, None),
        (None, None) => return Err(cx.invalid("file.file_data", "this field, or `file_id`, is required")),
    };
    if name.is_none() {
        note(FIELD_FORM, ir::Json::of("unnamed"), &mut meta.extensions);
    }
    Ok(ir::Media { kind: ir::MediaKind::Document, source, mime, name, detail: None, meta })
}

fn keep_inner(cx: &Cx, under: &'static str, unknown: &Unknown<'_>, out: &mut ir::Extensions) {
    cx.keep_unknown_under(ID, under, unknown, out);
}

/// Where a URL leads: for a `data:` URL its content and media type, in lower case and without parameters.
fn located(cx: &Cx, url: &Str<'_>, extensions: &mut ir::Extensions) -> (ir::MediaSource, Option<ir::Text>) {
    let Some((head, data)) = words::split_data_url(url) else {
        return (ir::MediaSource::Url(cx.text(url)), None);
    };
    let body = cx.body();
    let bare = head.split(';').next().unwrap_or_default().trim();
    let mime = match bare {
        "" => None,
        _ if bare.bytes().any(|byte| byte.is_ascii_uppercase()) => Some(bare.to_ascii_lowercase().into()),
        _ => Some(body.text(bare)),
    };
    if mime.as_deref() != Some(head) {
        note(VALUE_FORM, ir::Json::of(head), extensions);
    }
    (ir::MediaSource::Inline(body.text(data)), mime)
}
