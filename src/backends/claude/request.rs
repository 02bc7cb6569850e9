//! Raises a request into the body of `POST /v1/messages`.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Number;

use super::super::{Memo, NameRules, Names, Target};
use super::blocks::{Block, CacheControl, CallIds, Content, Writer, limit_marks};
use super::schema;
use super::thinking::{self, Circumstances, Plan, Thinking};
use super::tools::{self, WireChoice, WireTool};
use crate::capabilities::{Capabilities, Taken};
use crate::context::Cx;
use crate::conversation::{self, Turn};
use crate::diagnostics::codes;
use crate::dialects::claude::{ID, marks};
use crate::error::Result;
use crate::ir;

const RULES: NameRules = NameRules {
    longest: 128,
    first: is_name_char,
    rest: is_name_char,
    namespaces: false,
    customs: false,
    own_tools: false,
};

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// A body, written.
#[derive(Debug)]
pub(super) struct Raised {
    pub(super) bytes: Vec<u8>,
    has_sampling: bool,
    /// MCP servers are in it, which belong to a beta.
    pub(super) has_servers: bool,
}

impl Raised {
    /// Whether there are sampling parameters in it, which newer versions of the API refuse.
    pub(super) fn has_sampling(&self) -> bool {
        self.has_sampling
    }
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<Content<'a>>,
    messages: Vec<WireMessage<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<WireChoice<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a ir::Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_format: Option<OutputFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mcp_servers: Vec<serde_json::Value>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

#[derive(Serialize)]
struct WireMessage<'a> {
    role: &'static str,
    content: Content<'a>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<OutputFormat<'a>>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

#[derive(Serialize)]
struct OutputFormat<'a> {
    r#type: &'static str,
    schema: ir::Json,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a ir::Text>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

pub(super) fn raise(cx: &mut Cx, request: &ir::Request, target: &Target) -> Result<(Raised, Memo)> {
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
        delivery,
        caller,
        headers,
        extensions,
    } = request;
    cx.report_extensions(extensions, ir::Place::default(), ID);
    cx.report_headers(headers, ID);
    cx.report_session(session, false, ID);
    let takes = &target.capabilities;
    let names = Names::new(cx, request, &RULES);
    let issuer = target.issuer(ID);
    let ids = CallIds::of(cx, messages);

    let history = without_late_instructions(cx, messages, takes.system_turns);
    let turns = conversation::turns(cx, &history, true);
    let is_meant = |meta: &ir::Meta| meta.extensions.get(ID, marks::ASSISTANT_MEDIA).is_some();
    let turns = conversation::without_assistant_media(cx, turns, is_meant);
    report_joined(cx, &history, &turns);
    let writer = Writer { names: &names, ids: &ids, issuer: &issuer };
    let mut messages = write_turns(cx, &turns, &writer);
    drop_unfinished(cx, &history, &mut messages);
    end_with_user(cx, &history, &mut messages, takes.prefill);
    let mut messages = user_first(cx, &history, messages);

    let asked_tools = tools;
    let mut tools = tools::tools(cx, asked_tools, tool_choice.as_ref(), &names);
    let tool_choice = tools::choice(
        cx,
        tool_choice.as_ref(),
        *parallel_tool_calls,
        &names,
        asked_tools,
        !tools.is_empty(),
        extensions,
    );
    let (tool_choice, call_words) = match takes.forced_tool_choice {
        Some(false) => tools::asked_in_words(cx, tool_choice),
        Some(true) | None => (tool_choice, None),
    };
    let circumstances = Circumstances {
        forced: tool_choice.as_ref().is_some_and(WireChoice::is_forced),
        lacks_state: lacks_state(&messages),
    };
    // Who wants no answer needs no room for one.
    let limit = if *prewarm { Some(u64::MAX) } else { *max_output_tokens };
    let plan = thinking::plan(cx, reasoning, extensions, circumstances, limit, target.max_tokens, takes);
    let is_both_meant = extensions.get(ID, marks::BOTH_SAMPLINGS).is_some();
    let sampling = write_sampling(cx, sampling, plan.thinks(), is_both_meant, takes);
    let (service_tier, speed) = write_tier(cx, caller.tier);
    let (format, format_words) = match takes.structured_outputs {
        Some(false) => (None, format_words(cx, &output.format)),
        Some(true) | None => (write_format(cx, &output.format, extensions), json_words(cx, &output.format)),
    };
    let in_format = extensions.get(ID, marks::OUTPUT_FORMAT).is_some();
    if output.verbosity.is_some() {
        cx.report_setting(&codes::VERBOSITY_LOST, ir::Setting::Verbosity, "Claude has no verbosity");
    }
    let Plan { thinking, effort, max_tokens, thinks_unasked: _ } = plan;
    let (output_format, format) = if in_format { (format, None) } else { (None, format) };
    let config_rest = extensions.written(ID, "output_config");
    let has_config = effort.is_some() || format.is_some() || !config_rest.is_empty();
    let mut system = write_instructions(cx, instructions, [format_words, call_words]);
    let mut marks: Vec<_> = tools.iter_mut().filter_map(WireTool::mark).collect();
    marks.extend(system.iter_mut().flat_map(Content::marks));
    marks.extend(messages.iter_mut().flat_map(|message| message.content.marks()));
    limit_marks(cx, marks);
    let body = Body {
        model: &target.model,
        max_tokens: if *prewarm { 0 } else { max_tokens },
        system,
        messages,
        tools,
        tool_choice,
        stop_sequences: sampling.stop,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        thinking,
        output_config: has_config.then_some(OutputConfig { effort, format, rest: config_rest }),
        output_format,
        metadata: write_caller(cx, caller, extensions),
        service_tier,
        speed,
        stream: *delivery == ir::Delivery::Stream,
        mcp_servers: tools::mcp_servers(asked_tools),
        rest: extensions.written(ID, ""),
    };
    let has_sampling = body.temperature.is_some() || body.top_p.is_some() || body.top_k.is_some();
    let has_servers = !body.mcp_servers.is_empty();
    let mut bytes = Vec::with_capacity(cx.room());
    crate::sse::write_json(&body, &mut bytes);
    let memo = Memo::new(cx, target, ID, names);
    Ok((Raised { bytes, has_sampling, has_servers }, memo))
}

/// The operator's words in mid-conversation become the user's, marked as what they are; but a Claude client's own system
/// messages stay what they were.
///
/// A model that lets the operator speak there hears them as what they are, if they stand where it wants them: behind the
/// user's words, and at the end or before the assistant's. One that does not hears nobody's so.
fn without_late_instructions<'a>(
    cx: &mut Cx,
    messages: &'a [ir::Message],
    takes_turns: Option<bool>,
) -> Cow<'a, [ir::Message]> {
    let is_operator = |message: &ir::Message| matches!(message.role, ir::Role::System | ir::Role::Developer);
    let is_placed = |index: usize, message: &ir::Message| {
        let before = index.checked_sub(1).and_then(|index| messages.get(index));
        before.is_some_and(|before| before.role == ir::Role::User)
            && messages.get(index + 1).is_none_or(|next| next.role == ir::Role::Assistant)
            && message.parts.iter().all(|part| matches!(part, ir::Part::Text(_)))
    };
    let is_late = |(index, message): (usize, &ir::Message)| {
        is_operator(message)
            && match takes_turns {
                Some(false) => true,
                Some(true) if is_placed(index, message) => false,
                Some(true) | None => message.extensions.get(ID, marks::SYSTEM_TURN).is_none(),
            }
    };
    let late: Vec<bool> = messages.iter().enumerate().map(is_late).collect();
    if !late.contains(&true) {
        return Cow::Borrowed(messages);
    }
    let mut out = messages.to_vec();
    for (message, _) in out.iter_mut().zip(late).filter(|(_, is_late)| *is_late) {
        cx.report(&codes::INSTRUCTION_MOVED, message.place, "", "told as the user's words");
        message.role = ir::Role::User;
        for part in &mut message.parts {
            if let ir::Part::Text(part) = part {
                part.text = format!("<system-reminder>\n{}\n</system-reminder>", part.text).into();
            }
        }
    }
    Cow::Owned(out)
}

/// Fields of a message that was joined with the one before it have no place of their own.
fn report_joined(cx: &mut Cx, messages: &[ir::Message], turns: &[Turn<'_>]) {
    for message in messages {
        if message.name.is_some() {
            cx.report(&codes::ROLE_DISTINCTION_LOST, message.place, "name", "Claude tells no participants apart");
        }
        cx.report_extensions(&message.extensions, message.place, ID);
        if turns.iter().any(|turn| std::ptr::eq(turn.message, message)) || message.extensions.dialect() != Some(ID) {
            continue;
        }
        for field in message.extensions.fields() {
            let what = "the message was joined with the one before it";
            cx.report(field.loss, message.place, field.path(), what);
        }
    }
}

fn write_turns<'a>(cx: &mut Cx, turns: &'a [Turn<'a>], writer: &Writer<'a>) -> Vec<WireMessage<'a>> {
    let mut out = Vec::with_capacity(turns.len());
    for turn in turns {
        let mut blocks = Vec::with_capacity(turn.parts.len());
        for part in &turn.parts {
            writer.write(cx, part, &mut blocks);
        }
        if blocks.is_empty() {
            continue;
        }
        let role = match turn.role {
            ir::Role::User => "user",
            ir::Role::Assistant => "assistant",
            ir::Role::System | ir::Role::Developer => "system",
        };
        out.push(WireMessage { role, content: Content::of(blocks), rest: turn.message.extensions.written(ID, "") });
    }
    out
}

/// Thoughts at the very end led to nothing: of an answer that broke off, clients (Codex) keep what was whole. They are no begun
/// answer, and the model thinks again. What Claude's own clients send is theirs to judge.
fn drop_unfinished(cx: &mut Cx, history: &[ir::Message], written: &mut Vec<WireMessage<'_>>) {
    let Some(last) = history.last().filter(|last| last.extensions.get(ID, marks::ASSISTANT_EDGE).is_none()) else {
        return;
    };
    let is_unfinished = |message: &WireMessage<'_>| {
        let Content::Blocks(blocks) = &message.content else { return false };
        message.role == "assistant" && blocks.iter().all(is_thought)
    };
    if written.pop_if(|message| is_unfinished(message)).is_some() {
        cx.report(&codes::REASONING_DROPPED, last.place, "", "thoughts of an answer that broke off");
    }
}

fn is_thought(block: &Block<'_>) -> bool {
    matches!(block, Block::Thinking { .. } | Block::RedactedThinking { .. })
}

/// A begun answer goes on only with models that take it; where that is not known, with Claude's own clients, who know. A
/// turn that a hosted tool's work ends is none: the API goes on from it by itself. Nor is one of a client in whose dialect
/// nobody begins an answer: it is what came before its stream was cut, and the user asks for the rest.
fn end_with_user(cx: &mut Cx, history: &[ir::Message], written: &mut Vec<WireMessage<'_>>, takes: Option<bool>) {
    let Some(last) = history.last().filter(|_| written.last().is_some_and(|last| last.role == "assistant")) else {
        return;
    };
    let is_begun = match takes {
        Some(true) => false,
        Some(false) => !matches!(last.parts.last(), Some(ir::Part::Opaque(_))),
        None => last.extensions.get(ID, marks::ASSISTANT_EDGE).is_none(),
    };
    if !is_begun {
        return;
    }
    // The dialects whose clients begin answers mark the message that may be one.
    if last.extensions.is_empty() {
        let what = "the conversation ends with the assistant's words: the user asks for more";
        cx.report(&codes::TURN_INSERTED, last.place, "", what);
        let content = Content::Plain(Cow::Owned(ir::Text::constant("Continue.")));
        written.push(WireMessage { role: "user", content, rest: ir::Written::default() });
        return;
    }
    let what = "the conversation ends with the assistant's words";
    cx.report(&codes::PREFILL_UNSUPPORTED, last.place, "", what);
}

/// The user has to speak first, as the API's reference has it; but it takes what Claude's own clients send.
fn user_first<'a>(cx: &mut Cx, history: &[ir::Message], mut messages: Vec<WireMessage<'a>>) -> Vec<WireMessage<'a>> {
    let is_meant = history.first().is_some_and(|first| first.extensions.get(ID, marks::ASSISTANT_EDGE).is_some());
    if messages.first().is_some_and(|first| first.role != "assistant" || is_meant) {
        return messages;
    }
    cx.report_setting(&codes::TURN_INSERTED, ir::Setting::Messages, "a user's turn was put in front");
    let content = Content::Plain(Cow::Owned(ir::Text::constant(".")));
    messages.insert(0, WireMessage { role: "user", content, rest: ir::Written::default() });
    messages
}

/// Whether the last turn of the assistant calls tools and has no thoughts.
fn lacks_state(messages: &[WireMessage<'_>]) -> bool {
    let last = messages.iter().rfind(|message| message.role == "assistant");
    let Some(Content::Blocks(blocks)) = last.map(|last| &last.content) else { return false };
    blocks.iter().any(|block| matches!(block, Block::ToolUse { .. })) && !blocks.iter().any(is_thought)
}

fn write_instructions<'a>(
    cx: &mut Cx,
    instructions: &'a [ir::Instruction],
    ours: [Option<String>; 2],
) -> Option<Content<'a>> {
    let has_role = |role: ir::Role| instructions.iter().any(|instruction| instruction.role == role);
    if has_role(ir::Role::System) && has_role(ir::Role::Developer) {
        let what = "system and developer are one to Claude";
        cx.report_setting(&codes::ROLE_DISTINCTION_LOST, ir::Setting::Instructions, what);
    }
    let mut blocks = Vec::with_capacity(instructions.len());
    for ir::Instruction { role: _, text, meta } in instructions {
        cx.report_extensions(&meta.extensions, meta.place, ID);
        if text.is_blank() {
            continue;
        }
        blocks.push(Block::Text {
            text: Cow::Borrowed(text),
            citations: Vec::new(),
            cache_control: CacheControl::of(cx, meta),
            rest: meta.extensions.written(ID, ""),
        });
    }
    for words in ours.into_iter().flatten() {
        blocks.push(Block::Text {
            text: Cow::Owned(words.into()),
            citations: Vec::new(),
            cache_control: None,
            rest: ir::Written::default(),
        });
    }
    (!blocks.is_empty()).then(|| Content::of(blocks))
}

/// What asks for JSON.
const JSON_WORDS: &str = "Answer with one JSON object and nothing else: no prose around it, no code fence.";

/// The words that ask for JSON where only words can.
fn json_words(cx: &mut Cx, format: &ir::Format) -> Option<String> {
    if !matches!(format, ir::Format::Json) {
        return None;
    }
    cx.report_setting(&codes::JSON_MODE_EMULATED, ir::Setting::Format, "JSON is asked for in the instructions");
    Some(JSON_WORDS.to_owned())
}

/// The same for a model that does not keep to a schema either.
fn format_words(cx: &mut Cx, format: &ir::Format) -> Option<String> {
    let ir::Format::Schema(ir::OutputSchema { name: _, description: _, schema, strict: _ }) = format else {
        return json_words(cx, format);
    };
    let what = "the model keeps to no schema; the instructions ask for it";
    cx.report_setting(&codes::STRUCTURED_OUTPUT_EMULATED, ir::Setting::Format, what);
    let schema = crate::schema::json_schema(schema);
    Some(format!("{JSON_WORDS} It has to fit this JSON Schema:\n{}", schema.as_str()))
}

struct WireSampling<'a> {
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<Number>,
    stop: Vec<&'a ir::Text>,
}

fn write_sampling<'a>(
    cx: &mut Cx,
    sampling: &'a ir::Sampling,
    thinks: bool,
    is_both_meant: bool,
    takes: &Capabilities,
) -> WireSampling<'a> {
    let ir::Sampling { temperature, top_p, top_k, seed, presence_penalty, frequency_penalty, stop, logprobs } =
        sampling;
    let mut temperature = *temperature;
    let mut top_p = *top_p;
    let mut top_k = *top_k;
    if !takes.sampling.unwrap_or(Taken::Always).holds(thinks) {
        // What would be so anyway is left out without a word.
        #[expect(clippy::float_cmp, reason = "the default is meant exactly")]
        let is_default = |value: Option<f64>| value.is_none_or(|value| value == 1.0);
        for (setting, is_lost) in [
            (ir::Setting::Temperature, !is_default(temperature.take())),
            (ir::Setting::TopP, !is_default(top_p.take())),
            (ir::Setting::TopK, top_k.take().is_some()),
        ] {
            if is_lost {
                cx.report_setting(&codes::SAMPLING_DROPPED, setting, "the model takes no sampling parameters");
            }
        }
    }
    if let Some(value) = temperature.filter(|value| *value > 1.0) {
        cx.report_setting(&codes::VALUE_CLAMPED, ir::Setting::Temperature, format!("{value} became 1"));
        temperature = Some(1.0);
    }
    if thinks {
        let what = "a thinking model takes none";
        #[expect(clippy::float_cmp, reason = "exactly 1 is what a thinking model takes")]
        if temperature.take_if(|value| *value != 1.0).is_some() {
            cx.report_setting(&codes::SAMPLING_DROPPED, ir::Setting::Temperature, what);
        }
        if top_p.take_if(|value| *value < 0.95).is_some() {
            cx.report_setting(&codes::SAMPLING_DROPPED, ir::Setting::TopP, what);
        }
        if top_k.take().is_some() {
            cx.report_setting(&codes::SAMPLING_DROPPED, ir::Setting::TopK, what);
        }
    }
    let takes_both = takes.temperature_with_top_p.unwrap_or(is_both_meant);
    if temperature.is_some() && !takes_both && top_p.take().is_some() {
        cx.report_setting(&codes::SAMPLING_DROPPED, ir::Setting::TopP, "Claude takes either temperature or top_p");
    }
    let dropped = [
        (ir::Setting::Seed, seed.is_some()),
        (ir::Setting::PresencePenalty, presence_penalty.is_some_and(|penalty| penalty != 0.0)),
        (ir::Setting::FrequencyPenalty, frequency_penalty.is_some_and(|penalty| penalty != 0.0)),
    ];
    for (setting, _) in dropped.into_iter().filter(|(_, is_asked)| *is_asked) {
        cx.report_setting(&codes::SAMPLING_DROPPED, setting, "Claude has no such parameter");
    }
    if logprobs.is_some() {
        cx.report_setting(&codes::LOGPROBS_UNSUPPORTED, ir::Setting::Logprobs, "Claude gives no log probabilities");
    }
    let (stop, blank): (Vec<_>, Vec<_>) = stop.iter().partition(|text| !text.trim().is_empty());
    if !blank.is_empty() {
        cx.cut_at(blank, &codes::VALUE_CLAMPED, "Claude takes no blank stop sequence");
    }
    WireSampling { temperature, top_p, top_k: top_k.and_then(number), stop }
}

/// A number as JSON wants it: whole where it is.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn number(value: f64) -> Option<Number> {
    if value.fract() == 0.0 && value.abs() < 9.0e15 {
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

fn write_tier(cx: &mut Cx, tier: Option<ir::Tier>) -> (Option<&'static str>, Option<&'static str>) {
    let (service_tier, speed, differs) = match tier {
        None => (None, None, false),
        Some(ir::Tier::Auto) => (Some("auto"), None, false),
        Some(ir::Tier::Standard) => (Some("standard_only"), None, false),
        Some(ir::Tier::Fast) => (None, Some("fast"), false),
        Some(ir::Tier::Priority) => (Some("auto"), None, true),
        Some(ir::Tier::Ultrafast) => (None, Some("fast"), true),
        Some(ir::Tier::Flex | ir::Tier::Scale) => (None, None, true),
    };
    if differs {
        let what = "Claude has no such class; the nearest is asked for";
        cx.report_setting(&codes::SERVICE_TIER_APPROXIMATED, ir::Setting::Tier, what);
    }
    (service_tier, speed)
}

fn write_format<'a>(cx: &mut Cx, format: &ir::Format, extensions: &'a ir::Extensions) -> Option<OutputFormat<'a>> {
    let ir::Format::Schema(ir::OutputSchema { name: _, description, schema, strict }) = format else {
        return None;
    };
    cx.report_enforced(*strict);
    if description.is_some() {
        cx.report_setting(
            &codes::OPTION_LOST,
            ir::Setting::FormatDescription,
            "the description of the answer's schema",
        );
    }
    let fitted = schema::for_answer(schema);
    if !fitted.lost.is_empty() {
        cx.report_setting(&codes::STRUCTURED_OUTPUT_EMULATED, ir::Setting::Format, fitted.lost.join("; "));
    }
    let rest = extensions.written(ID, "output_config.format");
    Some(OutputFormat { r#type: "json_schema", schema: fitted.json, rest })
}

fn write_caller<'a>(cx: &mut Cx, caller: &'a ir::Caller, extensions: &'a ir::Extensions) -> Option<Metadata<'a>> {
    let ir::Caller { user, metadata, tier: _, cache_key } = caller;
    let is_empty = |json: &ir::Json| json.value().as_object().is_some_and(serde_json::Map::is_empty);
    if metadata.as_ref().is_some_and(|metadata| !metadata.is_null() && !is_empty(metadata)) {
        cx.report_setting(&codes::METADATA_LOST, ir::Setting::Metadata, "Claude takes the end user's id only");
    }
    if cache_key.is_some() {
        cx.report_setting(&codes::CACHE_HINT_LOST, ir::Setting::CacheKey, "Claude has no key of a prompt cache");
    }
    let rest = extensions.written(ID, "metadata");
    (user.is_some() || !rest.is_empty()).then_some(Metadata { user_id: user.as_ref(), rest })
}
