//! Lowering a request.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::items::Input;
use super::{DIALECT, tools};
use crate::context::Cx;
use crate::diagnostics::{Code, codes};
use crate::dialects::effort;
use crate::dialects::openai_responses::{self as words, own_tools};
use crate::error::Result;
use crate::frontends::{Asked, Lowered, Route};
use crate::ir;
use crate::json::{self, Integer, Str, StrOr, wire};

wire! {
    struct Document<'a> {
        "model" model: Str<'a>,
        "input" input: StrOr<'a, Vec<&'a RawValue>>,
        "stream" stream: bool,
        "background" background: &'a RawValue,
        "conversation" conversation: &'a RawValue,
        "include" include: &'a RawValue,
        "instructions" instructions: &'a RawValue,
        "max_output_tokens" max_output_tokens: &'a RawValue,
        "max_tool_calls" max_tool_calls: &'a RawValue,
        "metadata" metadata: &'a RawValue,
        "parallel_tool_calls" parallel_tool_calls: &'a RawValue,
        "previous_response_id" previous_response_id: &'a RawValue,
        "prompt" prompt: &'a RawValue,
        "prompt_cache_key" prompt_cache_key: &'a RawValue,
        "reasoning" reasoning: &'a RawValue,
        "safety_identifier" safety_identifier: &'a RawValue,
        "service_tier" service_tier: &'a RawValue,
        "store" store: &'a RawValue,
        "temperature" temperature: &'a RawValue,
        "text" text: &'a RawValue,
        "tool_choice" tool_choice: &'a RawValue,
        "tools" tools: &'a RawValue,
        "top_logprobs" top_logprobs: &'a RawValue,
        "top_p" top_p: &'a RawValue,
        "truncation" truncation: &'a RawValue,
        "user" user: &'a RawValue,
    }
    struct TextConfig<'a> {
        "format" format: &'a RawValue,
        "verbosity" verbosity: Str<'a>,
    }
    struct FormatRead<'a> {
        "type" kind: Str<'a>,
        "name" name: Str<'a>,
        "description" description: Str<'a>,
        "schema" schema: &'a RawValue,
        "strict" strict: bool,
    }
    struct CacheOptions<'a> {
        "prewarm" prewarm: bool,
    }
    struct Reasoning<'a> {
        "effort" effort: Str<'a>,
        "summary" summary: Str<'a>,
        "generate_summary" generate_summary: Str<'a>,
    }
}

/// Lowers the document of `cx`.
pub(super) fn lower(cx: &mut Cx, route: &Route) -> Result<Lowered> {
    let body = cx.body();
    let document: Document<'_> = json::document(&body)?;
    let mut request =
        ir::Request { model: cx.text(cx.required(document.model.as_ref(), "model")?), ..ir::Request::default() };
    request.delivery = if document.stream == Some(true) { ir::Delivery::Stream } else { ir::Delivery::Whole };
    words::mark(words::OWN_REQUEST, &mut request.extensions);

    if let Some(text) = typed::<Str<'_>>(cx, "instructions", document.instructions)? {
        if text.is_empty() {
            keep(cx, "instructions", document.instructions, &codes::WIRE_FORM, &mut request.extensions);
        } else {
            let meta = cx.at("instructions", |cx| ir::Meta::at(cx.here()));
            request.instructions.push(ir::Instruction { role: ir::Role::System, text: cx.text(&text), meta });
        }
    }
    input(cx, &document, route.kept_items, &mut request)?;
    tool_fields(cx, &document, &mut request)?;
    sampling(cx, &document, &mut request)?;
    output(cx, &document, &mut request)?;
    if let Some(raw) = document.reasoning {
        request.reasoning = reasoning(cx, raw, &mut request.extensions)?;
    }
    session(cx, &document, &mut request)?;
    caller(cx, &document, &mut request)?;
    for (name, raw) in document.unknown.iter() {
        if **name == *"prompt_cache_options" {
            request.prewarm = json::read::<CacheOptions<'_>>(raw.get()).is_ok_and(|read| read.prewarm == Some(true));
        }
        cx.keep(DIALECT, ir::field_path("", name), cx.json(raw), loss_of(name, raw), &mut request.extensions);
    }
    let mut asked = Asked::new(cx, &request);
    asked.repeat = repeat(cx, &document);
    asked.own_tools = own_names(&request);
    Ok(Lowered { request, asked })
}

/// What is lost when a field that only this dialect has is left out.
fn loss_of(name: &str, raw: &RawValue) -> &'static Code {
    match name {
        "background_options" | "compact_threshold" => &codes::SERVER_STATE_UNSUPPORTED,
        "context_management" => &codes::CONTEXT_MANAGEMENT_LOST,
        "moderation" => &codes::SAFETY_SETTINGS_LOST,
        "prompt_cache_options" | "prompt_cache_retention" => &codes::CACHE_HINT_LOST,
        "client_metadata" => &codes::METADATA_LOST,
        "access_programs" | "image" => &codes::OPTION_LOST,
        "stream_options" => &codes::WIRE_FORM,
        // Chat's penalties, which some relatives take here too; 0 asks for nothing.
        "frequency_penalty" | "presence_penalty" if raw.get().parse() == Ok(0.0) => &codes::WIRE_FORM,
        "frequency_penalty" | "presence_penalty" | "seed" | "top_k" => &codes::SAMPLING_DROPPED,
        _ => &codes::UNKNOWN_FIELD,
    }
}

/// Reads a field that may be missing.
fn typed<'a, T: json::Wire<'a>>(cx: &mut Cx, key: &'static str, raw: Option<&'a RawValue>) -> Result<Option<T>> {
    raw.map(|raw| cx.read(key, raw)).transpose()
}

fn keep(cx: &Cx, name: &'static str, raw: Option<&RawValue>, loss: &'static Code, out: &mut ir::Extensions) {
    if let Some(raw) = raw {
        cx.keep(DIALECT, ir::Text::constant(name), cx.json(raw), loss, out);
    }
}

fn input(cx: &mut Cx, document: &Document<'_>, kept_items: usize, request: &mut ir::Request) -> Result<()> {
    let Some(input) = &document.input else {
        // A stored prompt, or the conversation so far, may stand for it.
        let others = [document.prompt, document.previous_response_id, document.conversation];
        return if others.iter().any(Option::is_some) { Ok(()) } else { cx.required(None, "input") };
    };
    let mut lowered = Input::lower(cx, input, kept_items)?;
    lowered.keep_leading_tools(&mut request.extensions);
    request.instructions.append(&mut lowered.instructions);
    request.messages = lowered.messages;
    request.tools = lowered.tools;
    Ok(())
}

fn tool_fields(cx: &mut Cx, document: &Document<'_>, request: &mut ir::Request) -> Result<()> {
    let lifted = std::mem::take(&mut request.tools);
    if let Some(list) = typed::<Vec<&RawValue>>(cx, "tools", document.tools)? {
        tools::lower(cx, &list, &mut request.tools)?;
    }
    // A tool that an item repeats is on offer already.
    let name_of = |tool: &ir::Tool| match tool {
        ir::Tool::Function(ir::Function { namespace, name, .. })
        | ir::Tool::Custom(ir::Custom { namespace, name, .. }) => {
            Some((namespace.as_ref().map(ir::Text::to_string), name.to_string()))
        }
        ir::Tool::Hosted(_) => None,
    };
    let mut offered: HashSet<_> = request.tools.iter().filter_map(name_of).collect();
    request.tools.extend(lifted.into_iter().filter(|tool| name_of(tool).is_none_or(|name| offered.insert(name))));
    if let Some(raw) = document.tool_choice {
        request.tool_choice = tools::choice(cx, raw, &mut request.extensions)?;
    }
    request.parallel_tool_calls = typed(cx, "parallel_tool_calls", document.parallel_tool_calls)?;
    Ok(())
}

/// The functions that stand for tools of this dialect.
fn own_names(request: &ir::Request) -> Vec<ir::Text> {
    let name = |tool: &ir::Tool| match tool {
        ir::Tool::Function(tool) if own_tools::is_own(&tool.meta) => Some(tool.name.clone()),
        ir::Tool::Function(_) | ir::Tool::Custom(_) | ir::Tool::Hosted(_) => None,
    };
    request.tools.iter().filter_map(name).collect()
}

fn sampling(cx: &mut Cx, document: &Document<'_>, request: &mut ir::Request) -> Result<()> {
    request.sampling.temperature = typed(cx, "temperature", document.temperature)?;
    request.sampling.top_p = typed(cx, "top_p", document.top_p)?;
    let limit: Option<Integer> = typed(cx, "max_output_tokens", document.max_output_tokens)?;
    request.max_output_tokens = match limit {
        Some(limit) => Some(limit.unsigned().ok_or_else(|| cx.invalid("max_output_tokens", "it is negative"))?),
        None => None,
    };
    let include: Vec<Str<'_>> = typed(cx, "include", document.include)?.unwrap_or_default();
    let top: Option<Integer> = typed(cx, "top_logprobs", document.top_logprobs)?;
    let wants_logprobs = include.iter().any(|name| &**name == "message.output_text.logprobs");
    request.sampling.logprobs =
        top.and_then(Integer::unsigned).filter(|top| *top > 0).or_else(|| wants_logprobs.then_some(0));
    // Both go back as they were; what they ask for stands in the sampling.
    keep(cx, "top_logprobs", document.top_logprobs, &codes::WIRE_FORM, &mut request.extensions);
    let told = ["reasoning.encrypted_content", "message.output_text.logprobs"];
    let is_told = include.iter().all(|name| told.contains(&&**name));
    let loss = if is_told { &codes::WIRE_FORM } else { &codes::OPTION_LOST };
    keep(cx, "include", document.include, loss, &mut request.extensions);
    Ok(())
}

fn output(cx: &mut Cx, document: &Document<'_>, request: &mut ir::Request) -> Result<()> {
    let Some(raw) = document.text else { return Ok(()) };
    let text: TextConfig<'_> = cx.read("text", raw)?;
    request.output.verbosity = cx.optional_text(text.verbosity.as_ref());
    let extensions = &mut request.extensions;
    cx.keep_unknown_under(DIALECT, "text", &text.unknown, extensions);
    let Some(raw) = text.format else { return Ok(()) };
    let format: FormatRead<'_> = cx.at("text", |cx| cx.read("format", raw))?;
    match format.kind.as_deref() {
        Some("json_object") => request.output.format = ir::Format::Json,
        Some("json_schema") => {
            let schema = cx.at("text", |cx| cx.at("format", |cx| cx.required(format.schema, "schema")))?;
            request.output.format = ir::Format::Schema(ir::OutputSchema {
                name: cx.optional_text(format.name.as_ref()),
                description: cx.optional_text(format.description.as_ref()),
                schema: ir::Schema::json_schema(cx.json(schema)),
                strict: format.strict,
            });
            cx.keep_unknown_under(DIALECT, "text.format", &format.unknown, extensions);
        }
        kind => {
            let is_text = kind.is_none_or(|kind| kind == "text");
            let loss = if is_text { &codes::WIRE_FORM } else { &codes::STRUCTURED_OUTPUT_EMULATED };
            keep(cx, "text.format", Some(raw), loss, extensions);
        }
    }
    Ok(())
}

fn reasoning(cx: &mut Cx, raw: &RawValue, extensions: &mut ir::Extensions) -> Result<ir::ReasoningConfig> {
    let read: Reasoning<'_> = cx.read("reasoning", raw)?;
    let mut out = ir::ReasoningConfig::default();
    let mut keep = |name: &'static str, word: &Str<'_>, loss: &'static Code| {
        cx.keep(DIALECT, name, ir::Json::of(&**word), loss, extensions);
    };
    if let Some(word) = &read.effort {
        out.effort = effort::named(word);
        match out.effort {
            Some(ir::Effort::None) => out.mode = Some(ir::ReasoningMode::Off),
            Some(_) => {}
            None => keep("reasoning.effort", word, &codes::EFFORT_APPROXIMATED),
        }
    }
    let visibility = |word: &Str<'_>| match &**word {
        "auto" => Some(ir::Visibility::Auto),
        "concise" => Some(ir::Visibility::Concise),
        "detailed" => Some(ir::Visibility::Detailed),
        _ => None,
    };
    if let Some(word) = &read.generate_summary {
        // The older name of `summary`.
        out.visibility = visibility(word);
        keep("reasoning.generate_summary", word, &codes::WIRE_FORM);
    }
    if let Some(word) = &read.summary {
        out.visibility = visibility(word).or(out.visibility);
        match visibility(word) {
            None => keep("reasoning.summary", word, &codes::REASONING_OPTION_LOST),
            // Beside the older name both go back as they came.
            Some(_) if read.generate_summary.is_some() => keep("reasoning.summary", word, &codes::WIRE_FORM),
            Some(_) => {}
        }
    }
    for (name, raw) in read.unknown.iter() {
        let loss = match (&**name, raw.get()) {
            ("mode", "\"standard\"") | ("context", "\"auto\"") => &codes::WIRE_FORM,
            ("mode" | "context", _) => &codes::REASONING_OPTION_LOST,
            _ => &codes::UNKNOWN_FIELD,
        };
        cx.keep(DIALECT, ir::field_path("reasoning", name), cx.json(raw), loss, extensions);
    }
    Ok(out)
}

fn session(cx: &mut Cx, document: &Document<'_>, request: &mut ir::Request) -> Result<()> {
    let previous: Option<Str<'_>> = typed(cx, "previous_response_id", document.previous_response_id)?;
    request.session.previous_response_id = cx.optional_text(previous.as_ref());
    request.session.conversation = cx.optional_json(document.conversation);
    request.session.store = typed(cx, "store", document.store)?;
    let extensions = &mut request.extensions;
    keep(cx, "prompt", document.prompt, &codes::SERVER_STATE_UNSUPPORTED, extensions);
    keep(cx, "max_tool_calls", document.max_tool_calls, &codes::BUILTIN_TOOL_OPTIONS_LOST, extensions);
    let is_background: bool = typed(cx, "background", document.background)?.unwrap_or_default();
    let loss = if is_background { &codes::SERVER_STATE_UNSUPPORTED } else { &codes::WIRE_FORM };
    keep(cx, "background", document.background, loss, extensions);
    let truncation: Option<Str<'_>> = typed(cx, "truncation", document.truncation)?;
    let is_default = truncation.is_none_or(|word| &*word == "disabled");
    let loss = if is_default { &codes::WIRE_FORM } else { &codes::CONTEXT_MANAGEMENT_LOST };
    keep(cx, "truncation", document.truncation, loss, extensions);
    Ok(())
}

fn caller(cx: &mut Cx, document: &Document<'_>, request: &mut ir::Request) -> Result<()> {
    let user: Option<Str<'_>> = typed(cx, "user", document.user)?;
    let safety: Option<Str<'_>> = typed(cx, "safety_identifier", document.safety_identifier)?;
    let cache_key: Option<Str<'_>> = typed(cx, "prompt_cache_key", document.prompt_cache_key)?;
    let tier: Option<Str<'_>> = typed(cx, "service_tier", document.service_tier)?;
    let metadata = cx.optional_json(document.metadata);
    if metadata.as_ref().is_some_and(|metadata| !metadata.is_object()) {
        return Err(cx.invalid("metadata", "expected an object"));
    }
    let extensions = &mut request.extensions;
    match (&user, &safety) {
        (Some(_), Some(_)) => keep(cx, "user", document.user, &codes::END_USER_ID_LOST, extensions),
        (Some(_), None) => words::mark(words::USER_ALONE, extensions),
        (None, _) => {}
    }
    let known = tier.as_deref().map(|word| match word {
        "auto" => Some(ir::Tier::Auto),
        "default" => Some(ir::Tier::Standard),
        "flex" => Some(ir::Tier::Flex),
        "scale" => Some(ir::Tier::Scale),
        "priority" => Some(ir::Tier::Priority),
        "fast" => Some(ir::Tier::Fast),
        "ultrafast" => Some(ir::Tier::Ultrafast),
        _ => None,
    });
    if known == Some(None) {
        keep(cx, "service_tier", document.service_tier, &codes::SERVICE_TIER_APPROXIMATED, extensions);
    }
    request.caller = ir::Caller {
        user: cx.optional_text(safety.as_ref().or(user.as_ref())),
        metadata,
        tier: known.flatten(),
        cache_key: cx.optional_text(cache_key.as_ref()),
    };
    Ok(())
}

/// What the answer repeats, as the client wrote it.
fn repeat(cx: &Cx, document: &Document<'_>) -> Vec<(&'static str, ir::Json)> {
    let fields = [
        ("background", document.background),
        ("instructions", document.instructions),
        ("max_output_tokens", document.max_output_tokens),
        ("max_tool_calls", document.max_tool_calls),
        ("metadata", document.metadata),
        ("parallel_tool_calls", document.parallel_tool_calls),
        ("previous_response_id", document.previous_response_id),
        ("prompt", document.prompt),
        ("prompt_cache_key", document.prompt_cache_key),
        ("reasoning", document.reasoning),
        ("safety_identifier", document.safety_identifier),
        ("service_tier", document.service_tier),
        ("store", document.store),
        ("temperature", document.temperature),
        ("text", document.text),
        ("tool_choice", document.tool_choice),
        ("tools", document.tools),
        ("top_logprobs", document.top_logprobs),
        ("top_p", document.top_p),
        ("truncation", document.truncation),
        ("user", document.user),
    ];
    let mut out: Vec<_> = fields.into_iter().filter_map(|(name, raw)| Some((name, cx.json(raw?)))).collect();
    if let Some(raw) = document.conversation {
        // The answer has an object where the request may have an id.
        let value = match json::read::<Str<'_>>(raw.get()) {
            Ok(id) => ir::Json::of(&serde_json::json!({ "id": &*id })),
            Err(_) => cx.json(raw),
        };
        out.push(("conversation", value));
    }
    out
}
