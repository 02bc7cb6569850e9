//! Lowers the body of `POST /v1/messages` and `/v1/messages/count_tokens`.

use serde_json::value::RawValue;

use super::super::{Asked, Lowered, Operation, Route};
use super::blocks::{self, Calls};
use super::tools;
use crate::context::Cx;
use crate::diagnostics::{Code, codes};
use crate::dialects::claude::{ID, marks};
use crate::dialects::effort;
use crate::error::{Error, Result};
use crate::ir;
use crate::json::{self, Integer, Str, StrOr, Unknown, wire};
use crate::tokens;

/// Content as a bare text or a list of blocks, each raw: what a block holds depends on its type.
pub(super) type Content<'a> = StrOr<'a, Vec<&'a RawValue>>;

wire! {
    struct Body<'a> {
        "model" model: Str<'a>,
        "max_tokens" max_tokens: Integer,
        "messages" messages: Vec<Turn<'a>>,
        "system" system: Content<'a>,
        "stop_sequences" stop: Vec<Str<'a>>,
        "stream" stream: bool,
        "temperature" temperature: f64,
        "top_p" top_p: f64,
        "top_k" top_k: f64,
        "thinking" thinking: &'a RawValue,
        "output_config" output_config: OutputConfig<'a>,
        "output_format" output_format: &'a RawValue,
        "tools" tools: Vec<&'a RawValue>,
        "tool_choice" tool_choice: &'a RawValue,
        "metadata" metadata: Metadata<'a>,
        "service_tier" service_tier: Str<'a>,
        "speed" speed: Str<'a>,
        "mcp_servers" mcp_servers: &'a RawValue,
    }
    struct Turn<'a> {
        "role" role: Str<'a>,
        "content" content: Content<'a>,
    }
    struct Thinking<'a> {
        "type" kind: Str<'a>,
        "budget_tokens" budget: Integer,
        "display" display: Str<'a>,
    }
    struct OutputConfig<'a> {
        "effort" effort: Str<'a>,
        "format" format: &'a RawValue,
    }
    struct OutputFormat<'a> {
        "type" kind: Str<'a>,
        "schema" schema: &'a RawValue,
    }
    struct Metadata<'a> {
        "user_id" user: Str<'a>,
    }
}

pub(super) fn lower(cx: &mut Cx, route: &Route) -> Result<Lowered> {
    let document = cx.body();
    let wire: Body<'_> = json::document(&document)?;
    let mut request = ir::Request { headers: route.headers.clone(), ..ir::Request::default() };
    request.model = cx.text(&cx.required(wire.model, "model")?);
    if wire.stream == Some(true) {
        request.delivery = ir::Delivery::Stream;
    }
    if wire.max_tokens.is_none() && route.operation == Operation::Generate {
        return Err(cx.invalid("max_tokens", "this field is required"));
    }
    let limit = wire.max_tokens.map(|limit| unsigned(cx, "max_tokens", limit)).transpose()?;
    request.prewarm = limit == Some(0);
    request.max_output_tokens = limit.filter(|limit| *limit > 0);
    keep(cx, &wire.unknown, "", field_loss, &mut request.extensions);

    let both_samplings = wire.temperature.is_some() && wire.top_p.is_some();
    request.sampling = ir::Sampling {
        temperature: wire.temperature,
        top_p: wire.top_p,
        top_k: wire.top_k,
        stop: wire.stop.unwrap_or_default().iter().map(|stop| cx.text(stop)).collect(),
        ..ir::Sampling::default()
    };
    if both_samplings {
        mark(marks::BOTH_SAMPLINGS, &mut request.extensions);
    }

    reasoning(cx, wire.thinking, &mut request)?;
    if let Some(config) = wire.output_config {
        cx.at("output_config", |cx| output_config(cx, &config, &mut request))?;
        if wire.thinking.is_none() && request.reasoning.effort.is_some() {
            mark(marks::EFFORT_ALONE, &mut request.extensions);
        }
    }
    if let Some(raw) = wire.output_format.filter(|raw| raw.get() != "null") {
        format(cx, "output_format", raw, &mut request)?;
        mark(marks::OUTPUT_FORMAT, &mut request.extensions);
    }
    caller(cx, wire.metadata, wire.service_tier.as_ref(), wire.speed.as_ref(), &mut request);

    if let Some(system) = &wire.system {
        cx.at("system", |cx| instructions(cx, system, &mut request))?;
    }
    let mut calls = Calls::default();
    for (index, turn) in cx.required(wire.messages, "messages")?.into_iter().enumerate() {
        cx.at_item("messages", index, |cx| message(cx, turn, &mut calls, &mut request))?;
    }
    let ends = match request.messages.as_mut_slice() {
        [] => [None, None],
        [only] => [Some(only), None],
        [first, .., last] => [Some(first), Some(last)],
    };
    for end in ends.into_iter().flatten().filter(|end| end.role == ir::Role::Assistant) {
        mark(marks::ASSISTANT_EDGE, &mut end.extensions);
    }

    for (index, raw) in wire.tools.unwrap_or_default().into_iter().enumerate() {
        let tool = cx.at_item("tools", index, |cx| tools::tool(cx, raw))?;
        request.tools.push(tool);
    }
    if let Some(raw) = wire.mcp_servers {
        tools::mcp_servers(cx, raw, &mut request);
    }
    if let Some(raw) = wire.tool_choice.filter(|raw| raw.get() != "null") {
        tools::choice(cx, raw, &mut request)?;
    }
    let asked = Asked { input_estimate: tokens::rough(&request), ..Asked::new(cx, &request) };
    Ok(Lowered { request, asked })
}

/// What is lost when another dialect cannot be told a field of the request.
fn field_loss(name: &str) -> &'static Code {
    match name {
        "thread" => &codes::THREAD_UNSUPPORTED,
        "container" => &codes::SERVER_STATE_UNSUPPORTED,
        "context_management" | "compaction" => &codes::CONTEXT_MANAGEMENT_LOST,
        "cache_control" => &codes::CACHE_HINT_LOST,
        "user_profile_id" | "workspace_id" => &codes::METADATA_LOST,
        "fallbacks" | "fallback_credit_token" | "inference_geo" | "diagnostics" | "billing_policy" => {
            &codes::OPTION_LOST
        }
        _ => &codes::UNKNOWN_FIELD,
    }
}

/// The same for a field of a message.
fn turn_loss(name: &str) -> &'static Code {
    match name {
        "output_config" => &codes::REASONING_OPTION_LOST,
        "clear_at" => &codes::OPTION_LOST,
        _ => &codes::UNKNOWN_FIELD,
    }
}

/// Keeps fields that the IR has no place for, each with its own loss. The type of a block is what it was read as.
pub(super) fn keep(
    cx: &Cx,
    fields: &Unknown<'_>,
    under: &str,
    loss: fn(&str) -> &'static Code,
    out: &mut ir::Extensions,
) {
    for (name, raw) in fields.iter().filter(|(name, _)| ***name != *"type") {
        cx.keep(ID, ir::field_path(under, name), cx.json(raw), loss(name), out);
    }
}

pub(super) fn mark(name: &'static str, out: &mut ir::Extensions) {
    let field = ir::Extension { name: ir::Text::constant(name), value: ir::Json::of(&true), loss: &codes::WIRE_FORM };
    out.push(ID, field);
}

fn unsigned(cx: &Cx, key: &str, number: Integer) -> Result<u64> {
    number.unsigned().ok_or_else(|| cx.invalid(key, "expected a number that is not negative"))
}

fn reasoning(cx: &mut Cx, raw: Option<&RawValue>, request: &mut ir::Request) -> Result<()> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(()) };
    let wire: Thinking<'_> = cx.read("thinking", raw)?;
    let mode = match wire.kind.as_deref() {
        Some("enabled") => ir::ReasoningMode::On,
        Some("adaptive") => ir::ReasoningMode::Adaptive,
        Some("between_tools") => ir::ReasoningMode::BetweenTools,
        Some("disabled") => ir::ReasoningMode::Off,
        Some(_) => {
            cx.keep(ID, "thinking", cx.json(raw), &codes::REASONING_OPTION_LOST, &mut request.extensions);
            return Ok(());
        }
        None => return Err(cx.invalid("thinking.type", "this field is required")),
    };
    request.reasoning.mode = Some(mode);
    if mode == ir::ReasoningMode::On {
        let budget = cx.at("thinking", |cx| cx.required(wire.budget, "budget_tokens"))?;
        request.reasoning.budget = Some(budget.0);
    } else if let Some(Integer(budget)) = wire.budget {
        cx.keep(ID, "thinking.budget_tokens", ir::Json::of(&budget), &codes::WIRE_FORM, &mut request.extensions);
    }
    match wire.display.as_deref() {
        None => {}
        Some("summarized") => request.reasoning.visibility = Some(ir::Visibility::Auto),
        Some("omitted") => request.reasoning.visibility = Some(ir::Visibility::Hidden),
        Some(other) => {
            let loss = &codes::REASONING_OPTION_LOST;
            cx.keep(ID, "thinking.display", ir::Json::of(other), loss, &mut request.extensions);
        }
    }
    keep(cx, &wire.unknown, "thinking", |_| &codes::REASONING_OPTION_LOST, &mut request.extensions);
    Ok(())
}

fn output_config(cx: &mut Cx, wire: &OutputConfig<'_>, request: &mut ir::Request) -> Result<()> {
    if let Some(word) = &wire.effort {
        request.reasoning.effort = effort::named(word);
        if request.reasoning.effort.is_none() {
            let loss = &codes::EFFORT_APPROXIMATED;
            cx.keep(ID, "output_config.effort", ir::Json::of(&**word), loss, &mut request.extensions);
        }
    }
    if let Some(raw) = wire.format.filter(|raw| raw.get() != "null") {
        format(cx, "format", raw, request)?;
    }
    keep(cx, &wire.unknown, "output_config", |_| &codes::OPTION_LOST, &mut request.extensions);
    Ok(())
}

fn format(cx: &mut Cx, key: &'static str, raw: &RawValue, request: &mut ir::Request) -> Result<()> {
    let wire: OutputFormat<'_> = cx.read(key, raw)?;
    match wire.kind.as_deref() {
        Some("json_schema") => {}
        Some(other) => {
            let what = format!("unknown format `{other}`, expected `json_schema`");
            return Err(cx.at(key, |cx| cx.invalid("type", what)));
        }
        None => return Err(cx.at(key, |cx| cx.invalid("type", "this field is required"))),
    }
    let schema = cx.at(key, |cx| {
        let schema = cx.required(wire.schema, "schema")?;
        if !schema.get().starts_with('{') {
            return Err(cx.invalid("schema", "expected an object"));
        }
        Ok(cx.json(schema))
    })?;
    keep(cx, &wire.unknown, "output_config.format", |_| &codes::UNKNOWN_FIELD, &mut request.extensions);
    request.output.format = ir::Format::Schema(ir::OutputSchema {
        name: None,
        description: None,
        schema: ir::Schema::json_schema(schema),
        // Claude always keeps to the schema, but the client did not say that it keeps to OpenAI's strict subset.
        strict: None,
    });
    Ok(())
}

fn caller(
    cx: &Cx,
    metadata: Option<Metadata<'_>>,
    service_tier: Option<&Str<'_>>,
    speed: Option<&Str<'_>>,
    request: &mut ir::Request,
) {
    if let Some(metadata) = metadata {
        request.caller.user = cx.optional_text(metadata.user.as_ref());
        keep(cx, &metadata.unknown, "metadata", |_| &codes::METADATA_LOST, &mut request.extensions);
    }
    let is_fast = speed.is_some_and(|speed| **speed == *"fast");
    let tier = match service_tier.map(|word| &**word) {
        Some("auto") => Some(ir::Tier::Auto),
        Some("standard_only") => Some(ir::Tier::Standard),
        _ => None,
    };
    request.caller.tier = if is_fast { Some(ir::Tier::Fast) } else { tier };
    let loss = &codes::SERVICE_TIER_APPROXIMATED;
    if let Some(word) = service_tier.filter(|_| is_fast || tier.is_none()) {
        cx.keep(ID, "service_tier", ir::Json::of(&**word), loss, &mut request.extensions);
    }
    if let Some(word) = speed.filter(|_| !is_fast) {
        let loss = if **word == *"standard" { &codes::WIRE_FORM } else { loss };
        cx.keep(ID, "speed", ir::Json::of(&**word), loss, &mut request.extensions);
    }
}

fn instructions(cx: &mut Cx, system: &Content<'_>, request: &mut ir::Request) -> Result<()> {
    match system {
        StrOr::Str(text) => instruction(cx.text(text), ir::Meta::at(cx.here()), request),
        StrOr::Other(list) => {
            for (index, raw) in list.iter().enumerate() {
                let (text, meta) = cx.at_index(index, |cx| blocks::only_text(cx, raw))?;
                instruction(text, meta, request);
            }
        }
    }
    Ok(())
}

fn instruction(text: ir::Text, meta: ir::Meta, request: &mut ir::Request) {
    if !text.is_empty() {
        request.instructions.push(ir::Instruction { role: ir::Role::System, text, meta });
    }
}

fn message(cx: &mut Cx, turn: Turn<'_>, calls: &mut Calls, request: &mut ir::Request) -> Result<()> {
    let role = match &*cx.required(turn.role, "role")? {
        "user" => ir::Role::User,
        "assistant" => ir::Role::Assistant,
        "system" => ir::Role::System,
        other => return Err(unknown_role(cx, other)),
    };
    let content = cx.required(turn.content, "content")?;
    let parts = cx.at("content", |cx| blocks::parts(cx, &content, calls))?;
    let mut message = ir::Message { place: cx.here(), role, name: None, parts, extensions: ir::Extensions::default() };
    keep(cx, &turn.unknown, "", turn_loss, &mut message.extensions);
    if role == ir::Role::Assistant {
        for part in &mut message.parts {
            if let ir::Part::Media(media) = part {
                mark(marks::ASSISTANT_MEDIA, &mut media.meta.extensions);
            }
        }
    }
    if role == ir::Role::System {
        let is_leading = request.messages.is_empty() && message.extensions.is_empty();
        if is_leading && message.parts.iter().all(|part| matches!(part, ir::Part::Text(_))) {
            for part in message.parts {
                if let ir::Part::Text(part) = part {
                    instruction(part.text, part.meta, request);
                }
            }
            return Ok(());
        }
        mark(marks::SYSTEM_TURN, &mut message.extensions);
    }
    // A turn of nothing but empty text says nothing.
    if !message.parts.is_empty() {
        request.messages.push(message);
    }
    Ok(())
}

fn unknown_role(cx: &Cx, role: &str) -> Error {
    cx.invalid("role", format!("unknown role `{role}`, expected `user`, `assistant` or `system`"))
}
