//! Raises a request.

use std::borrow::Cow;

use serde::Serialize;

use super::history::History;
use super::thinking::{Thinking, thinking};
use super::tools::{RaisedSchema, Tool, ToolConfig, in_short, raise_schema, raise_tools, tool_config};
use crate::backends::{Call, Memo, NameRules, Names, Raised, Target};
use crate::context::Cx;
use crate::conversation;
use crate::diagnostics::codes;
use crate::dialects::gemini::write::{self, Content, Part};
use crate::dialects::gemini::{ID, NOTE_LABELS, NOTE_LAST, NOTE_SCHEMA};
use crate::error::{Error, Kind, Result};
use crate::http;
use crate::ir;

/// Letters, digits and `_.:-`, and no digit in front.
const NAMES: NameRules = NameRules {
    longest: 128,
    first: |c| c.is_ascii_alphabetic() || c == '_',
    rest: |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-'),
    namespaces: false,
    customs: false,
    own_tools: false,
};

/// More stop sequences than this are refused.
const MAX_STOPS: usize = 5;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'a>>,
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_config: Option<Config<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a ir::Json>,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "write::number")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "write::number")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "write::number")]
    top_k: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "write::number")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "write::number")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "<[ir::Text]>::is_empty")]
    stop_sequences: &'a [ir::Text],
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_schema: Option<ir::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<ir::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<Thinking<'a>>,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

pub(super) fn raise(cx: &mut Cx, request: &ir::Request, target: &Target, mut out: http::Request) -> Result<Raised> {
    let ir::Request {
        model: _,
        instructions,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls,
        sampling,
        max_output_tokens,
        prewarm,
        output,
        reasoning,
        session,
        delivery: _,
        caller,
        headers,
        extensions,
    } = request;
    cx.report_extensions(extensions, ir::Place::default(), ID);
    cx.report_headers(headers, ID);
    cx.report_session(session, false, ID);
    if *parallel_tool_calls == Some(false) && !tools.is_empty() {
        let what = "the model may call several at once";
        cx.report_setting(&codes::PARALLEL_CONTROL_LOST, ir::Setting::ParallelToolCalls, what);
    }

    let names = Names::new(cx, request, &NAMES);
    let turns = conversation::turns(cx, messages, true);
    conversation::report_prefill(cx, messages, |last| last.extensions.get(ID, NOTE_LAST).is_some());
    let history = History { request, calls: ir::Calls::of(messages), target, names: &names, issuer: target.issuer(ID) };
    let mut contents = history.contents(cx, &turns);
    let mut system_instruction = system_instruction(cx, instructions, extensions);
    if contents.is_empty() {
        let says_nothing = !messages.is_empty() && messages.iter().all(|message| message.parts.is_empty());
        contents.push(only_turn(cx, &mut system_instruction, says_nothing)?);
    }

    let limit = if *prewarm { Some(cx.report_prewarm(ID)) } else { *max_output_tokens };
    let labels = caller_metadata(cx, caller, extensions);
    let body = Body {
        system_instruction,
        contents,
        tools: raise_tools(cx, tools, &names),
        tool_config: tool_config(cx, tools, tool_choice.as_ref(), &names, target, extensions),
        generation_config: generation_config(cx, sampling, limit, output, reasoning, target, extensions),
        service_tier: service_tier(cx, caller.tier),
        labels,
        extensions: extensions.written(ID, ""),
    };
    out.body.reserve(cx.room());
    crate::sse::write_json(&body, &mut out.body);
    Ok(Raised { call: Call::Send(out), memo: Memo::new(cx, target, ID, names.clone()) })
}

/// A turn where the conversation has none, which Gemini refuses: the operator's words are the user's then. Where there are
/// none either and the user said nothing in so many words, it is a full stop.
fn only_turn<'a>(cx: &mut Cx, system: &mut Option<Content<'a>>, says_nothing: bool) -> Result<Content<'a>> {
    let parts = match system.take() {
        Some(system) => {
            let what = "sent as the user's words: there are no others";
            cx.report_setting(&codes::INSTRUCTION_MOVED, ir::Setting::Instructions, what);
            system.parts
        }
        None if says_nothing => {
            let what = "the user says nothing; a full stop is sent";
            cx.report_setting(&codes::TURN_INSERTED, ir::Setting::Messages, what);
            vec![Part::of_text(Cow::Owned(ir::Text::constant(".")))]
        }
        None => {
            let what = "the conversation is empty: Gemini wants at least one message";
            return Err(Error::new(Kind::InvalidRequest, what));
        }
    };
    Ok(Content { role: Some(Cow::Borrowed("user")), parts, extensions: None })
}

/// What is known of the caller. Labels are for Google's own accounts and refuse most texts, so only a Gemini client's go up.
fn caller_metadata<'a>(cx: &mut Cx, caller: &'a ir::Caller, extensions: &ir::Extensions) -> Option<&'a ir::Json> {
    let ir::Caller { user, metadata, tier: _, cache_key } = caller;
    if user.is_some() {
        cx.report_setting(&codes::END_USER_ID_LOST, ir::Setting::User, "Gemini has no field for it");
    }
    if cache_key.is_some() {
        cx.report_setting(&codes::CACHE_HINT_LOST, ir::Setting::CacheKey, "Gemini caches by the prompt alone");
    }
    let labels = metadata.as_ref().filter(|_| extensions.get(ID, NOTE_LABELS).is_some());
    if metadata.is_some() && labels.is_none() {
        cx.report_setting(&codes::METADATA_LOST, ir::Setting::Metadata, "Gemini has no field for it");
    }
    labels
}

fn service_tier(cx: &mut Cx, tier: Option<ir::Tier>) -> Option<&'static str> {
    let (name, is_exact) = match tier? {
        ir::Tier::Auto => return None,
        ir::Tier::Standard => ("standard", true),
        ir::Tier::Flex => ("flex", true),
        ir::Tier::Priority => ("priority", true),
        ir::Tier::Scale | ir::Tier::Fast | ir::Tier::Ultrafast => ("priority", false),
    };
    if !is_exact {
        cx.report_setting(&codes::SERVICE_TIER_APPROXIMATED, ir::Setting::Tier, "sent as priority");
    }
    Some(name)
}

/// Reports what of a node's meta Gemini has no place for. Seals are looked at where they are written.
pub(super) fn report_meta(cx: &mut Cx, meta: &ir::Meta) {
    cx.report_extensions(&meta.extensions, meta.place, ID);
    if meta.cache.is_some() {
        cx.report_at(&codes::CACHE_HINT_LOST, meta.place, ir::Setting::CacheMark, "Gemini has no marks for its caches");
    }
}

fn system_instruction<'a>(
    cx: &mut Cx,
    instructions: &'a [ir::Instruction],
    extensions: &'a ir::Extensions,
) -> Option<Content<'a>> {
    let mut parts = Vec::with_capacity(instructions.len());
    for instruction in instructions {
        let ir::Instruction { role, text, meta } = instruction;
        report_meta(cx, meta);
        if *role == ir::Role::Developer && instructions.iter().any(|other| other.role != ir::Role::Developer) {
            cx.report(&codes::ROLE_DISTINCTION_LOST, meta.place, "", "system and developer are one for Gemini");
        }
        parts.push(Part::of_text(text).with(meta));
    }
    let extensions = Some(extensions.written(ID, "systemInstruction")).filter(|written| !written.is_empty());
    (!parts.is_empty()).then_some(Content { role: None, parts, extensions })
}

fn generation_config<'a>(
    cx: &mut Cx,
    sampling: &'a ir::Sampling,
    max_output_tokens: Option<u64>,
    output: &ir::Output,
    reasoning: &ir::ReasoningConfig,
    target: &Target,
    extensions: &'a ir::Extensions,
) -> Option<Config<'a>> {
    let ir::Sampling { temperature, top_p, top_k, seed, presence_penalty, frequency_penalty, stop, logprobs } =
        sampling;
    let (stop_sequences, rest) = stop.split_at(stop.len().min(MAX_STOPS));
    if !rest.is_empty() {
        cx.cut_at(rest, &codes::VALUE_CLAMPED, format!("only the first {MAX_STOPS} of {}", stop.len()));
    }
    let ir::Output { format, verbosity } = output;
    if verbosity.is_some() {
        cx.report_setting(&codes::VERBOSITY_LOST, ir::Setting::Verbosity, "Gemini has no verbosity");
    }
    let (response_mime_type, response_schema, response_json_schema) = match format {
        ir::Format::Text => (None, None, None),
        ir::Format::Json => (Some("application/json"), None, None),
        ir::Format::Schema(ir::OutputSchema { name, description, schema, strict }) => {
            cx.report_enforced(*strict);
            for (setting, is_said) in
                [(ir::Setting::FormatName, name.is_some()), (ir::Setting::FormatDescription, description.is_some())]
            {
                if is_said {
                    cx.report_setting(&codes::OPTION_LOST, setting, "Gemini knows a schema by itself");
                }
            }
            let RaisedSchema { open_api, json_schema, lost, unpromised } =
                raise_schema(schema, extensions.get(ID, NOTE_SCHEMA));
            if !lost.is_empty() {
                cx.report_setting(&codes::STRUCTURED_OUTPUT_EMULATED, ir::Setting::Format, in_short(&lost));
            }
            if !unpromised.is_empty() {
                let what = format!("Gemini does not promise to keep to {}", unpromised.join(", "));
                cx.report_setting(&codes::STRUCTURED_OUTPUT_EMULATED, ir::Setting::Format, what);
            }
            (Some("application/json"), open_api, json_schema)
        }
    };
    let as_written = extensions.get(ID, "generationConfig.responseMimeType").is_some();
    let config = Config {
        temperature: *temperature,
        top_p: *top_p,
        top_k: *top_k,
        seed: *seed,
        presence_penalty: *presence_penalty,
        frequency_penalty: *frequency_penalty,
        stop_sequences,
        max_output_tokens,
        response_logprobs: logprobs.map(|_| true),
        logprobs: logprobs.filter(|count| *count > 0),
        response_mime_type: response_mime_type.filter(|_| !as_written),
        response_schema,
        response_json_schema,
        thinking_config: thinking(cx, reasoning, &target.capabilities, extensions),
        extensions: extensions.written(ID, "generationConfig"),
    };
    let is_empty = sampling.is_default()
        && config.max_output_tokens.is_none()
        && matches!(format, ir::Format::Text)
        && config.thinking_config.is_none()
        && config.extensions.is_empty();
    (!is_empty).then_some(config)
}
