//! Lowers a request.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::thoughts;
use crate::context::Cx;
use crate::diagnostics::codes;
use crate::dialects::gemini::read::{self, Content, FunctionCall, FunctionResponse, Number, Part, Word};
use crate::dialects::gemini::{
    ID, MODE_NUMBERS, NOTE_ENTRY, NOTE_ID, NOTE_LABELS, NOTE_LAST, NOTE_LEVEL, NOTE_MODE, NOTE_RESPONSE, NOTE_SCHEMA,
    as_response_object, spelling,
};
use crate::dialects::mcp;
use crate::envelope;
use crate::error::Result;
use crate::frontends::{Operation, Route};
use crate::ir;
use crate::json::{self, Integer, Many, Str, StrOr, Unknown, wire};
use crate::schema;

wire! {
    struct Request<'a> {
        "contents" contents: Many<StrOr<'a, Content<'a>>>,
        "systemInstruction" | "system_instruction" system: StrOr<'a, Many<StrOr<'a, System<'a>>>>,
        "tools" tools: Many<Tool<'a>>,
        "toolConfig" | "tool_config" tool_config: ToolConfig<'a>,
        "generationConfig" | "generation_config" config: Config<'a>,
        "safetySettings" | "safety_settings" safety: &'a RawValue,
        "cachedContent" | "cached_content" cached: &'a RawValue,
        "continuationToken" | "continuation_token" continuation: &'a RawValue,
        "labels" labels: &'a RawValue,
        "serviceTier" | "service_tier" tier: Word,
        "store" store: &'a RawValue,
        // The path names the model.
        "model" model: Str<'a>,
        "generateContentRequest" | "generate_content_request" inner: &'a RawValue,
    }

    /// The system's content, or a part of it.
    struct System<'a> {
        "role" role: Str<'a>,
        "parts" parts: Many<StrOr<'a, Part<'a>>>,
        "text" text: Str<'a>,
    }

    struct Tool<'a> {
        "functionDeclarations" | "function_declarations" functions: Many<Function<'a>>,
    }

    struct Function<'a> {
        "name" name: Str<'a>,
        "description" description: Str<'a>,
        "parameters" parameters: &'a RawValue,
        "parametersJsonSchema" | "parameters_json_schema" json_schema: &'a RawValue,
        "response" response: &'a RawValue,
        "responseJsonSchema" | "response_json_schema" response_json_schema: &'a RawValue,
        "behavior" behavior: &'a RawValue,
    }

    struct ToolConfig<'a> {
        "functionCallingConfig" | "function_calling_config" calling: Calling<'a>,
        "retrievalConfig" | "retrieval_config" retrieval: &'a RawValue,
        "includeServerSideToolInvocations" | "include_server_side_tool_invocations" server_side: &'a RawValue,
    }

    struct Calling<'a> {
        "mode" mode: Word,
        "allowedFunctionNames" | "allowed_function_names" allowed: Many<Str<'a>>,
    }

    struct Config<'a> {
        "temperature" temperature: Number,
        "topP" | "top_p" top_p: Number,
        "topK" | "top_k" top_k: Number,
        "seed" seed: Integer,
        "presencePenalty" | "presence_penalty" presence: Number,
        "frequencyPenalty" | "frequency_penalty" frequency: Number,
        "stopSequences" | "stop_sequences" stop: Many<Str<'a>>,
        "maxOutputTokens" | "max_output_tokens" max_tokens: Integer,
        "candidateCount" | "candidate_count" candidates: Integer,
        "responseLogprobs" | "response_logprobs" wants_logprobs: bool,
        "logprobs" logprobs: Integer,
        "responseMimeType" | "response_mime_type" mime: Str<'a>,
        "responseSchema" | "response_schema" open_api: &'a RawValue,
        "responseJsonSchema" | "response_json_schema" json_schema: &'a RawValue,
        "responseModalities" | "response_modalities" modalities: Many<Word>,
        "thinkingConfig" | "thinking_config" thinking: Thinking<'a>,
        "mediaResolution" | "media_resolution" resolution: &'a RawValue,
        "speechConfig" | "speech_config" speech: &'a RawValue,
        "imageConfig" | "image_config" image: &'a RawValue,
        "audioTranscriptionConfig" | "audio_transcription_config" transcription: &'a RawValue,
        "enableEnhancedCivicAnswers" | "enable_enhanced_civic_answers" civic: &'a RawValue,
    }

    struct Thinking<'a> {
        "includeThoughts" | "include_thoughts" include: bool,
        "thinkingBudget" | "thinking_budget" budget: Integer,
        "thinkingLevel" | "thinking_level" level: Word,
    }
}

pub(super) fn lower(cx: &mut Cx, route: &Route) -> Result<ir::Request> {
    let body = cx.body();
    let document: Request<'_> = json::document(&body)?;
    let mut out = ir::Request {
        model: route.model.as_deref().unwrap_or_default().into(),
        delivery: route.delivery.unwrap_or_default(),
        headers: route.headers.clone(),
        ..ir::Request::default()
    };
    match document.inner.filter(|_| matches!(route.operation, Operation::CountTokens { .. })) {
        Some(inner) => {
            let inner: Request<'_> = cx.read("generateContentRequest", inner)?;
            cx.at("generateContentRequest", |cx| request(cx, inner, &mut out))?;
        }
        None => request(cx, document, &mut out)?,
    }
    Ok(out)
}

fn request(cx: &mut Cx, document: Request<'_>, out: &mut ir::Request) -> Result<()> {
    let Request {
        contents,
        system,
        tools,
        tool_config,
        config,
        safety,
        cached,
        continuation,
        labels,
        tier,
        store,
        model,
        inner,
        unknown,
    } = document;
    if out.model.is_empty() {
        out.model = cx.optional_text(model.as_ref()).unwrap_or_default();
    }
    if let Some(system) = system {
        cx.at("systemInstruction", |cx| instructions(cx, system, out));
    }
    let mut history = History::default();
    for (index, content) in cx.required(contents, "contents")?.0.into_iter().enumerate() {
        let content = match content {
            StrOr::Str(text) => Content { parts: Some(Many(vec![StrOr::Str(text)])), ..Content::default() },
            StrOr::Other(content) => content,
        };
        cx.at_item("contents", index, |cx| self::content(cx, content, &mut history))?;
    }
    out.messages = super::pieces::join(history.messages);
    if let Some(last) = out.messages.last_mut().filter(|last| last.role == ir::Role::Assistant) {
        spelling(NOTE_LAST, ir::Json::of(&true), &mut last.extensions);
    }
    cx.at("tools", |cx| self::tools(cx, tools.unwrap_or_default().0, &mut out.tools))?;
    if let Some(config) = tool_config {
        cx.at("toolConfig", |cx| tool_choice(cx, config, out));
    }
    if let Some(config) = config {
        cx.at("generationConfig", |cx| generation_config(cx, config, out))?;
    }
    if let Some(tier) = tier {
        match tier.upper(&[]).as_str() {
            "STANDARD" => out.caller.tier = Some(ir::Tier::Standard),
            "FLEX" => out.caller.tier = Some(ir::Tier::Flex),
            "PRIORITY" => out.caller.tier = Some(ir::Tier::Priority),
            _ => keep(cx, "serviceTier", tier.as_written(), &codes::SERVICE_TIER_APPROXIMATED, &mut out.extensions),
        }
    }
    if let Some(labels) = cx.optional_json(labels) {
        out.caller.metadata = Some(labels);
        spelling(NOTE_LABELS, ir::Json::of(&true), &mut out.extensions);
    }
    let fields = [
        ("safetySettings", safety, &codes::SAFETY_SETTINGS_LOST),
        ("cachedContent", cached, &codes::FILE_ID_NOT_PORTABLE),
        ("continuationToken", continuation, &codes::SERVER_STATE_UNSUPPORTED),
        // Whether Google logs the request; not the state that OpenAI's `store` keeps.
        ("store", store, &codes::STORE_LOST),
        ("generateContentRequest", inner, &codes::UNKNOWN_FIELD),
    ];
    for (name, raw, loss) in fields {
        if let Some(raw) = raw {
            keep(cx, name, cx.json(raw), loss, &mut out.extensions);
        }
    }
    cx.keep_unknown(ID, &unknown, &mut out.extensions);
    Ok(())
}

fn keep(
    cx: &Cx,
    name: &'static str,
    value: ir::Json,
    loss: &'static crate::diagnostics::Code,
    out: &mut ir::Extensions,
) {
    cx.keep(ID, ir::Text::constant(name), value, loss, out);
}

fn instructions(cx: &mut Cx, system: StrOr<'_, Many<StrOr<'_, System<'_>>>>, out: &mut ir::Request) {
    let contents = match system {
        StrOr::Str(text) => vec![StrOr::Str(text)],
        StrOr::Other(Many(contents)) => contents,
    };
    for content in contents {
        let System { role, parts, text, unknown } = match content {
            StrOr::Str(text) => System { text: Some(text), ..System::default() },
            StrOr::Other(content) => content,
        };
        if let Some(role) = role {
            spelling("systemInstruction.role", ir::Json::of(&*role), &mut out.extensions);
        }
        cx.keep_unknown_under(ID, "systemInstruction", &unknown, &mut out.extensions);
        if let Some(text) = text {
            instruction(cx, Part::of_text(text), &mut out.instructions);
        }
        for (index, part) in parts.unwrap_or_default().0.into_iter().enumerate() {
            let part = part_of(part);
            cx.at_item("parts", index, |cx| instruction(cx, part, &mut out.instructions));
        }
    }
}

fn instruction(cx: &mut Cx, part: Part<'_>, out: &mut Vec<ir::Instruction>) {
    let here = cx.here();
    let meta = read::meta(&cx.body(), &part, here);
    match part.text {
        Some(text) if !text.is_empty() => {
            out.push(ir::Instruction { role: ir::Role::System, text: cx.text(&text), meta });
        }
        Some(_) => {}
        None => cx.report_here(&codes::CONTENT_DROPPED, "", "an instruction can only be text"),
    }
}

fn part_of<'a>(part: StrOr<'a, Part<'a>>) -> Part<'a> {
    match part {
        StrOr::Str(text) => Part::of_text(text),
        StrOr::Other(part) => part,
    }
}

/// A call of the history.
struct Call {
    /// The id that the client wrote.
    given: Option<ir::Text>,
    id: ir::Text,
    name: ir::Text,
    answered: bool,
}

/// What the messages so far were.
#[derive(Default)]
struct History {
    messages: Vec<ir::Message>,
    calls: Vec<Call>,
    /// The ids of the calls.
    ids: HashSet<ir::Text>,
}

fn content(cx: &mut Cx, content: Content<'_>, history: &mut History) -> Result<()> {
    let Content { role, parts, unknown } = content;
    let role = match role.as_deref() {
        None | Some("" | "user" | "function" | "tool") => ir::Role::User,
        Some("model" | "assistant") => ir::Role::Assistant,
        Some(other) => return Err(cx.invalid("role", format!("unknown role {other:?}: expected user or model"))),
    };
    let mut message = ir::Message {
        place: cx.here(),
        role,
        name: None,
        parts: smallvec::SmallVec::new(),
        extensions: ir::Extensions::default(),
    };
    cx.keep_unknown(ID, &unknown, &mut message.extensions);
    for (index, part) in parts.unwrap_or_default().0.into_iter().enumerate() {
        let part = part_of(part);
        cx.at_item("parts", index, |cx| self::part(cx, part, &mut message, history))?;
    }
    // A content without a part says nothing, and Gemini refuses it.
    if !message.parts.is_empty() {
        history.messages.push(message);
    }
    Ok(())
}

fn part(cx: &mut Cx, part: Part<'_>, message: &mut ir::Message, history: &mut History) -> Result<()> {
    let body = cx.body();
    let here = cx.here();
    let is_model = message.role == ir::Role::Assistant;
    let slot = cx.optional_text(part.signature.as_ref()).filter(|slot| !slot.is_empty());
    let seal = slot.as_ref().and_then(|slot| envelope::open(ID, slot)).map(Box::new);
    if slot.is_some() && seal.is_none() {
        cx.report_here(&codes::REASONING_STATE_FOREIGN, "thoughtSignature", "nobody can read it");
    }
    if part.thought == Some(true) && is_model && part.call.is_none() && part.inline.is_none() {
        thoughts::thought(cx, &part, seal, message, &mut history.messages);
        return Ok(());
    }
    let mut out = if let Some(call) = &part.call {
        if !is_model {
            return Err(cx.invalid("functionCall", "only the model calls functions"));
        }
        let seal = thoughts::attach_foreign(seal.clone(), message, &mut history.messages);
        let mut call = cx.at("functionCall", |cx| function_call(cx, call, &part, history))?;
        call.meta.seal = seal;
        message.parts.push(ir::Part::ToolCall(call));
        return Ok(());
    } else if let Some(result) = &part.result {
        if is_model {
            return Err(cx.invalid("functionResponse", "only the user answers calls"));
        }
        ir::Part::ToolResult(cx.at("functionResponse", |cx| function_response(cx, result, &part, history))?)
    } else if part.inline.is_some() || part.file.is_some() {
        let key = if part.inline.is_some() { "inlineData" } else { "fileData" };
        let has_source = match (&part.inline, &part.file) {
            (Some(inline), _) => inline.data.is_some(),
            (None, Some(file)) => file.uri.is_some(),
            (None, None) => false,
        };
        if !has_source {
            let what = if part.inline.is_some() { "data" } else { "fileUri" };
            return cx.at(key, |cx| cx.required(None, what));
        }
        match read::media(&body, &part, here) {
            Some(media) => ir::Part::Media(media),
            None => return Ok(()),
        }
    } else if let Some(text) = part.text.as_ref().filter(|text| !text.is_empty()) {
        let text = cx.text(text);
        let mut meta = read::meta(&body, &part, here);
        if part.thought == Some(true) {
            // The user's words, whatever they are marked as.
            crate::dialects::gemini::note("thought", ir::Json::of(&true), &codes::OPTION_LOST, &mut meta.extensions);
        }
        ir::Part::Text(ir::TextPart { text, meta, ..ir::TextPart::default() })
    } else if let Some(opaque) = read::opaque(&body, &part, here).filter(|_| part.text.is_none()) {
        ir::Part::Opaque(opaque)
    } else if seal.is_some() {
        let meta = read::meta(&body, &part, here);
        ir::Part::Text(ir::TextPart { meta, ..ir::TextPart::default() })
    } else {
        return Ok(());
    };
    out.meta_mut().seal = seal;
    message.parts.push(out);
    Ok(())
}

fn function_call(cx: &mut Cx, call: &FunctionCall<'_>, part: &Part<'_>, history: &mut History) -> Result<ir::ToolCall> {
    let name = cx.required(call.name.as_ref().filter(|name| !name.is_empty()), "name")?;
    let name = cx.text(name);
    let mut meta = read::meta(&cx.body(), part, cx.around(cx.here()));
    let given = cx.optional_text(call.id.as_ref()).filter(|id| !id.is_empty());
    let id = match given.clone().filter(|id| !history.ids.contains(id)) {
        Some(id) => id,
        None => {
            let loss = if given.is_some() { &codes::TOOL_ID_REWRITTEN } else { &codes::TOOL_ID_SYNTHESISED };
            let value = given.as_ref().map_or_else(|| ir::Json::of(&true), |given| ir::Json::of(&**given));
            crate::dialects::gemini::note(NOTE_ID, value, loss, &mut meta.extensions);
            made_id(history.calls.len(), &name)
        }
    };
    let arguments = match call.args.filter(|args| args.get() != "null") {
        // Google's Python SDK puts blanks between the tokens; to others the arguments are a text, which no model writes so.
        Some(args) if cx.json(args).is_object() => super::pieces::compact(cx.json(args).text()),
        Some(_) => return Err(cx.invalid("args", "expected an object")),
        None => ir::Text::default(),
    };
    history.ids.insert(id.clone());
    history.calls.push(Call { given, id: id.clone(), name: name.clone(), answered: false });
    Ok(ir::ToolCall { id, name, namespace: None, kind: ir::CallKind::Function, arguments, meta })
}

/// An id for a call that has none: by its place, so that it is the same in every request of the conversation, as upstreams'
/// prompt caches want it. All dialects allow its letters and its length.
fn made_id(place: usize, name: &str) -> ir::Text {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    let name: String = name.chars().take(40).map(allowed).collect();
    format!("call_{place}_{name}").into()
}

fn function_response(
    cx: &mut Cx,
    result: &FunctionResponse<'_>,
    part: &Part<'_>,
    history: &mut History,
) -> Result<ir::ToolResult> {
    let mut meta = read::meta(&cx.body(), part, cx.around(cx.here()));
    let given = cx.optional_text(result.id.as_ref()).filter(|id| !id.is_empty());
    let name = cx.optional_text(result.name.as_ref()).filter(|name| !name.is_empty());
    let by_id = |call: &&mut Call| !call.answered && call.given.is_some() && call.given == given;
    let by_name = |call: &&mut Call| !call.answered && Some(&call.name) == name.as_ref();
    let found = match history.calls.iter_mut().rev().find(by_id) {
        Some(call) => Some(call),
        None => history.calls.iter_mut().find(by_name),
    };
    let (call_id, name) = match found {
        Some(call) => {
            call.answered = true;
            (call.id.clone(), name.or_else(|| Some(call.name.clone())))
        }
        None => {
            let id =
                given.clone().unwrap_or_else(|| ir::Text::from(format!("no_call_{}", name.as_deref().unwrap_or(""))));
            (id, name)
        }
    };
    if given.as_ref() != Some(&call_id) {
        let value = given.as_ref().map_or_else(|| ir::Json::of(&true), |given| ir::Json::of(&**given));
        spelling(NOTE_ID, value, &mut meta.extensions);
    }
    let mut content = Vec::new();
    let mut error = false;
    if let Some(raw) = result.response.filter(|raw| raw.get() != "null") {
        let (text, is_error) = response_text(cx, raw, &mut meta.extensions)?;
        error = is_error;
        if !text.is_empty() {
            let meta = ir::Meta::at(cx.here());
            content.push(ir::Part::Text(ir::TextPart { text, meta, ..ir::TextPart::default() }));
        }
    }
    for (index, part) in result.parts.iter().flat_map(|parts| &parts.0).enumerate() {
        cx.at_item("parts", index, |cx| {
            let here = cx.here();
            let media = read::media(&cx.body(), part, here).map(ir::Part::Media);
            content.extend(media.or_else(|| read::opaque(&cx.body(), part, here).map(ir::Part::Opaque)));
        });
    }
    Ok(ir::ToolResult { call_id, name, kind: ir::CallKind::Function, content, error, meta })
}

/// The words of a result, and whether they tell a failure. An object that these alone would not give again is kept.
fn response_text(cx: &mut Cx, raw: &RawValue, out: &mut ir::Extensions) -> Result<(ir::Text, bool)> {
    let whole = cx.json(raw);
    if !whole.is_object() {
        return Err(cx.invalid("response", "expected an object"));
    }
    let fields: read::Fields<'_> = cx.read_here(raw).unwrap_or_default();
    let mut entries = fields.unknown.iter();
    let only = entries.next().filter(|_| entries.next().is_none());
    let as_text = |raw: &RawValue| cx.read_here::<Str<'_>>(raw).ok().map(|text| cx.text(&text));
    let (text, error, is_canonical) = match only {
        Some((name, value)) if **name == *"error" => match as_text(value) {
            Some(text) => (text, true, true),
            None => (cx.json(value).text().clone(), true, false),
        },
        Some((name, value)) if **name == *"output" => match as_text(value) {
            Some(text) => {
                let is_canonical = !text.is_empty() && as_response_object(&text).is_none();
                (text, false, is_canonical)
            }
            None => (whole.text().clone(), false, false),
        },
        _ => {
            let is_canonical = as_response_object(whole.text()).is_some();
            (whole.text().clone(), false, is_canonical)
        }
    };
    if !is_canonical {
        spelling(NOTE_RESPONSE, whole, out);
    }
    Ok((text, error))
}

fn tools(cx: &mut Cx, tools: Vec<Tool<'_>>, out: &mut Vec<ir::Tool>) -> Result<()> {
    // Written again, all functions stand in one entry, and each hosted tool in its own.
    let count = |tool: &Tool<'_>| usize::from(tool.functions.is_some()) + tool.unknown.iter().count();
    let with_functions = tools.iter().filter(|tool| tool.functions.is_some()).count();
    let is_canonical = with_functions <= 1 && tools.iter().all(|tool| count(tool) <= 1);
    for (index, tool) in tools.into_iter().enumerate() {
        cx.at_index(index, |cx| self::tool(cx, tool, (!is_canonical).then_some(index), out))?;
    }
    Ok(())
}

fn tool(cx: &mut Cx, tool: Tool<'_>, entry: Option<usize>, out: &mut Vec<ir::Tool>) -> Result<()> {
    let note_entry = |extensions: &mut ir::Extensions| {
        if let Some(entry) = entry {
            spelling(NOTE_ENTRY, ir::Json::of(&entry), extensions);
        }
    };
    for (index, declaration) in tool.functions.unwrap_or_default().0.into_iter().enumerate() {
        let mut function = cx.at_item("functionDeclarations", index, |cx| function(cx, declaration))?;
        note_entry(&mut function.meta.extensions);
        out.push(ir::Tool::Function(function));
    }
    for (name, raw) in tool.unknown.iter().filter(|(_, raw)| raw.get() != "null") {
        let kind = camel_case(name);
        let (ability, loss) = match kind.as_str() {
            "googleSearch" | "googleSearchRetrieval" => {
                (ir::Ability::WebSearch(ir::WebSearch::default()), &codes::BUILTIN_TOOL_UNSUPPORTED)
            }
            "urlContext" => (ir::Ability::UrlContext, &codes::BUILTIN_TOOL_UNSUPPORTED),
            "codeExecution" => (ir::Ability::CodeExecution, &codes::BUILTIN_TOOL_UNSUPPORTED),
            "mcpServers" => {
                let servers = mcp::of_gemini(&cx.json(raw).value());
                (servers.map_or(ir::Ability::Other, ir::Ability::Mcp), &codes::BUILTIN_TOOL_UNSUPPORTED)
            }
            _ => (ir::Ability::Other, &codes::BUILTIN_TOOL_UNSUPPORTED),
        };
        let mut meta = ir::Meta::at(cx.named_place(kind.clone()));
        if matches!(ability, ir::Ability::WebSearch(_)) {
            keep_search_options(cx, raw, &mut meta.extensions);
        }
        note_entry(&mut meta.extensions);
        let value = ir::Json::of(&std::collections::BTreeMap::from([(kind.as_str(), raw)]));
        out.push(ir::Tool::Hosted(ir::Hosted { dialect: ID, kind, value, ability, loss, meta }));
    }
    Ok(())
}

/// The options of a search stand in the tool's value; each is named as well, so that who cannot carry it says so.
fn keep_search_options(cx: &Cx, raw: &RawValue, out: &mut ir::Extensions) {
    for (name, value) in read::fields(raw.get()).unwrap_or_default().unknown.iter() {
        let name = format!("any-api.{}", &**name);
        cx.keep(ID, name, ir::Json::of(value), &codes::BUILTIN_TOOL_OPTIONS_LOST, out);
    }
}

fn camel_case(name: &str) -> ir::Text {
    let mut out = String::with_capacity(name.len());
    let mut after_underscore = false;
    for c in name.chars() {
        if c == '_' {
            after_underscore = true;
        } else if std::mem::take(&mut after_underscore) {
            out.push(c.to_ascii_uppercase());
        } else {
            out.push(c);
        }
    }
    out.into()
}

fn function(cx: &mut Cx, declaration: Function<'_>) -> Result<ir::Function> {
    let Function { name, description, parameters, json_schema, response, response_json_schema, behavior, unknown } =
        declaration;
    let name = cx.required(name.as_ref().filter(|name| !name.is_empty()), "name")?;
    let mut meta = ir::Meta::at(cx.here());
    let out = &mut meta.extensions;
    let parameters = cx.optional_json(parameters);
    let json_schema = cx.optional_json(json_schema);
    for (key, schema) in [("parameters", &parameters), ("parametersJsonSchema", &json_schema)] {
        if schema.as_ref().is_some_and(|schema| !schema.is_object()) {
            return Err(cx.invalid(key, "expected an object"));
        }
    }
    let schema = match (json_schema, parameters) {
        (Some(json), both) => {
            spelling(NOTE_SCHEMA, ir::Json::of("parametersJsonSchema"), out);
            if let Some(other) = both {
                keep(cx, "parameters", other, &codes::WIRE_FORM, out);
            }
            Some(ir::Schema { language: schema::language(&json), json })
        }
        (None, Some(json)) => Some(ir::Schema { language: ir::SchemaLanguage::OpenApi, json }),
        (None, None) => None,
    };
    let fields = [("response", response), ("responseJsonSchema", response_json_schema), ("behavior", behavior)];
    for (name, raw) in fields {
        if let Some(raw) = raw {
            keep(cx, name, cx.json(raw), &codes::TOOL_OPTION_LOST, out);
        }
    }
    cx.keep_unknown(ID, &unknown, out);
    let description = cx.optional_text(description.as_ref());
    Ok(ir::Function { name: cx.text(name), namespace: None, description, parameters: schema, strict: None, meta })
}

fn tool_choice(cx: &mut Cx, config: ToolConfig<'_>, out: &mut ir::Request) {
    let ToolConfig { calling, retrieval, server_side, unknown } = config;
    let extensions = &mut out.extensions;
    if let Some(raw) = retrieval {
        keep(cx, "toolConfig.retrievalConfig", cx.json(raw), &codes::BUILTIN_TOOL_OPTIONS_LOST, extensions);
    }
    if let Some(raw) = server_side {
        // Only whether the answer shows what Google's own tools did.
        keep(cx, "toolConfig.includeServerSideToolInvocations", cx.json(raw), &codes::OPTION_LOST, extensions);
    }
    cx.keep_unknown_under(ID, "toolConfig", &unknown, extensions);
    let Some(Calling { mode, allowed, unknown }) = calling else { return };
    keep_inner(cx, "toolConfig.functionCallingConfig", &unknown, extensions);
    let names: Vec<ir::Text> = allowed.unwrap_or_default().0.iter().map(|name| cx.text(name)).collect();
    let word = mode.as_ref().map(|mode| mode.upper(&MODE_NUMBERS)).unwrap_or_default();
    out.tool_choice = match (word.as_str(), names.as_slice()) {
        ("AUTO", []) => Some(ir::ToolChoice::Auto),
        ("NONE", []) => Some(ir::ToolChoice::None),
        ("ANY", []) => Some(ir::ToolChoice::Required),
        ("ANY", [name]) => Some(ir::ToolChoice::Tool { name: name.clone(), kind: ir::CallKind::Function }),
        ("ANY", _) => Some(ir::ToolChoice::Allowed { required: true, names }),
        ("VALIDATED", []) => {
            crate::dialects::gemini::note(
                NOTE_MODE,
                ir::Json::of("VALIDATED"),
                &codes::STRICT_NOT_ENFORCED,
                extensions,
            );
            Some(ir::ToolChoice::Auto)
        }
        ("VALIDATED", _) => Some(ir::ToolChoice::Allowed { required: false, names }),
        ("" | "MODE_UNSPECIFIED", []) => {
            if mode.is_some() {
                spelling(NOTE_MODE, ir::Json::of(&word), extensions);
            }
            None
        }
        // Names go with ANY and VALIDATED alone; a new mode means who knows what.
        _ => {
            #[derive(serde::Serialize)]
            #[serde(rename_all = "camelCase")]
            struct Written<'a> {
                mode: &'a str,
                #[serde(skip_serializing_if = "<[ir::Text]>::is_empty")]
                allowed_function_names: &'a [ir::Text],
            }
            let value = ir::Json::of(&Written { mode: &word, allowed_function_names: &names });
            keep(cx, NOTE_MODE, value, &codes::TOOL_CHOICE_WEAKENED, extensions);
            None
        }
    };
}

fn keep_inner(cx: &Cx, under: &str, unknown: &Unknown<'_>, out: &mut ir::Extensions) {
    cx.keep_unknown_under(ID, under, unknown, out);
}

fn generation_config(cx: &mut Cx, config: Config<'_>, out: &mut ir::Request) -> Result<()> {
    let Config {
        temperature,
        top_p,
        top_k,
        seed,
        presence,
        frequency,
        stop,
        max_tokens,
        candidates,
        wants_logprobs,
        logprobs,
        mime,
        open_api,
        json_schema,
        modalities,
        thinking,
        resolution,
        speech,
        image,
        transcription,
        civic,
        unknown,
    } = config;
    out.max_output_tokens = match max_tokens {
        Some(limit) => Some(cx.required(limit.unsigned(), "maxOutputTokens")?),
        None => None,
    };
    out.sampling = ir::Sampling {
        temperature: temperature.map(|number| number.0),
        top_p: top_p.map(|number| number.0),
        top_k: top_k.map(|number| number.0),
        seed: seed.map(|number| number.0),
        presence_penalty: presence.map(|number| number.0),
        frequency_penalty: frequency.map(|number| number.0),
        stop: stop.unwrap_or_default().0.iter().map(|text| cx.text(text)).collect(),
        logprobs: None,
    };
    let extensions = &mut out.extensions;
    match (wants_logprobs, logprobs) {
        (Some(true), count) => {
            out.sampling.logprobs = Some(count.and_then(Integer::unsigned).unwrap_or(0));
            if count.is_some_and(|count| count.0 == 0) {
                spelling("generationConfig.logprobs", ir::Json::of(&0), extensions);
            }
        }
        (wish, count) => {
            if let Some(wish) = wish {
                spelling("generationConfig.responseLogprobs", ir::Json::of(&wish), extensions);
            }
            if let Some(count) = count {
                keep(cx, "generationConfig.logprobs", ir::Json::of(&count.0), &codes::LOGPROBS_UNSUPPORTED, extensions);
            }
        }
    }
    if let Some(count) = candidates {
        let loss = if count.0 > 1 { &codes::N_UNSUPPORTED } else { &codes::WIRE_FORM };
        keep(cx, "generationConfig.candidateCount", ir::Json::of(&count.0), loss, extensions);
    }
    if let Some(Many(modalities)) = modalities {
        let names: Vec<String> = modalities.iter().map(|word| word.named(&["MODALITY_UNSPECIFIED", "TEXT"])).collect();
        let is_text = names.iter().all(|name| name.eq_ignore_ascii_case("TEXT"));
        let loss = if is_text { &codes::WIRE_FORM } else { &codes::MODALITY_UNSUPPORTED };
        keep(cx, "generationConfig.responseModalities", ir::Json::of(&names), loss, extensions);
    }
    let fields = [
        ("generationConfig.mediaResolution", resolution, &codes::MEDIA_DETAIL_LOST),
        ("generationConfig.speechConfig", speech, &codes::OPTION_LOST),
        ("generationConfig.imageConfig", image, &codes::OPTION_LOST),
        ("generationConfig.audioTranscriptionConfig", transcription, &codes::OPTION_LOST),
        ("generationConfig.enableEnhancedCivicAnswers", civic, &codes::OPTION_LOST),
    ];
    for (name, raw, loss) in fields {
        if let Some(raw) = raw {
            keep(cx, name, cx.json(raw), loss, extensions);
        }
    }
    cx.keep_unknown_under(ID, "generationConfig", &unknown, extensions);
    if let Some(thinking) = thinking {
        self::thinking(cx, thinking, out);
    }
    format(cx, mime, open_api, json_schema, out)
}

fn thinking(cx: &Cx, thinking: Thinking<'_>, out: &mut ir::Request) {
    let Thinking { include, budget, level, unknown } = thinking;
    keep_inner(cx, "generationConfig.thinkingConfig", &unknown, &mut out.extensions);
    out.reasoning.visibility =
        include.map(|include| if include { ir::Visibility::Auto } else { ir::Visibility::Hidden });
    if let Some(Integer(budget)) = budget {
        spelling(NOTE_LEVEL, ir::Json::of(&budget), &mut out.extensions);
        out.reasoning.budget = Some(budget);
        out.reasoning.mode = match budget {
            0 => Some(ir::ReasoningMode::Off),
            1.. => Some(ir::ReasoningMode::On),
            _ => Some(ir::ReasoningMode::Adaptive),
        };
    }
    let Some(level) = level else { return };
    out.reasoning.effort = match level.upper(&[]).as_str() {
        "MINIMAL" => Some(ir::Effort::Minimal),
        "LOW" => Some(ir::Effort::Low),
        "MEDIUM" => Some(ir::Effort::Medium),
        "HIGH" => Some(ir::Effort::High),
        "XHIGH" => Some(ir::Effort::Xhigh),
        _ => None,
    };
    let is_unknown = out.reasoning.effort.is_none() && level.upper(&[]) != "THINKING_LEVEL_UNSPECIFIED";
    let loss = if is_unknown { &codes::EFFORT_APPROXIMATED } else { &codes::WIRE_FORM };
    keep(cx, NOTE_LEVEL, level.as_written(), loss, &mut out.extensions);
}

fn format(
    cx: &mut Cx,
    mime: Option<Str<'_>>,
    open_api: Option<&RawValue>,
    json_schema: Option<&RawValue>,
    out: &mut ir::Request,
) -> Result<()> {
    let mime = cx.optional_text(mime.as_ref());
    let open_api = cx.optional_json(open_api);
    let json_schema = cx.optional_json(json_schema);
    for (key, schema) in [("responseSchema", &open_api), ("responseJsonSchema", &json_schema)] {
        if schema.as_ref().is_some_and(|schema| !schema.is_object()) {
            return Err(cx.invalid(key, "expected an object"));
        }
    }
    let extensions = &mut out.extensions;
    let keep_mime = |loss, extensions: &mut ir::Extensions| {
        let value = mime.as_ref().map_or(ir::Json::NULL, |mime| ir::Json::of(&**mime));
        keep(cx, "generationConfig.responseMimeType", value, loss, extensions);
    };
    let schema = match (json_schema, open_api) {
        (Some(json), both) => {
            spelling(NOTE_SCHEMA, ir::Json::of("responseJsonSchema"), extensions);
            if let Some(other) = both {
                keep(cx, "generationConfig.responseSchema", other, &codes::WIRE_FORM, extensions);
            }
            Some(ir::Schema { language: schema::language(&json), json })
        }
        (None, Some(json)) => Some(ir::Schema { language: ir::SchemaLanguage::OpenApi, json }),
        (None, None) => None,
    };
    let is_json = mime.as_deref().is_some_and(|mime| mime.starts_with("application/json"));
    out.output.format = match schema {
        Some(schema) => {
            // Elsewhere one word of an enum comes as JSON, in quotes.
            let is_enum = mime.as_deref() == Some("text/x.enum");
            let loss = if is_enum { &codes::STRUCTURED_OUTPUT_EMULATED } else { &codes::WIRE_FORM };
            keep_mime(loss, extensions);
            ir::Format::Schema(ir::OutputSchema { name: None, description: None, schema, strict: None })
        }
        None if is_json => ir::Format::Json,
        None => {
            let is_text = mime.as_deref() == Some("text/plain");
            keep_mime(if is_text { &codes::WIRE_FORM } else { &codes::OPTION_LOST }, extensions);
            ir::Format::Text
        }
    };
    Ok(())
}
