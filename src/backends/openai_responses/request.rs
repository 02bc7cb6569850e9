//! Raising a request.

use std::borrow::Cow;

use serde::Serialize;

use super::input::{Item, Raiser};
use super::tools::{self, ChoiceBody, ToolBody};
use super::{DIALECT, OpenaiResponses};
use crate::backends::{Backend, Call, Memo, NameRules, Names, Raised, Target};
use crate::capabilities::{Capabilities, Taken};
use crate::context::Cx;
use crate::conversation;
use crate::diagnostics::codes;
use crate::dialects::openai::{fitting_effort, sampled};
use crate::dialects::{effort, openai_responses as words};
use crate::error::Result;
use crate::ir;
use crate::schema;

/// The least limit of tokens.
const MIN_OUTPUT_TOKENS: u64 = 16;
/// The longest id of an end user.
const MAX_SAFETY_IDENTIFIER: usize = 64;
/// The longest name of a schema.
const MAX_SCHEMA_NAME: usize = 64;

/// What the dialect wants of names.
const NAMES: NameRules =
    NameRules { longest: 128, first: is_name, rest: is_name, namespaces: true, customs: true, own_tools: true };

/// Names that a client of the dialect chose are for the upstream to judge.
const ANY_NAMES: NameRules = NameRules {
    longest: usize::MAX,
    first: |_| true,
    rest: |_| true,
    namespaces: true,
    customs: true,
    own_tools: true,
};

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a ir::Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    input: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ChoiceBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "ReasoningBody::is_empty")]
    reasoning: ReasoningBody<'a>,
    #[serde(skip_serializing_if = "TextBody::is_empty")]
    text: TextBody<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_response_id: Option<&'a ir::Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<&'a ir::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a ir::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_identifier: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a ir::Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a ir::Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_options: Option<CacheOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    stream: bool,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

/// A client of the dialect has said it in an object of its own, which goes up as it came.
#[derive(Serialize)]
struct CacheOptions {
    prewarm: bool,
}

#[derive(Serialize)]
struct ReasoningBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

impl ReasoningBody<'_> {
    fn is_empty(&self) -> bool {
        self.effort.is_none() && self.summary.is_none() && self.extensions.is_empty()
    }
}

#[derive(Serialize)]
struct TextBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<FormatBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a ir::Text>,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

impl TextBody<'_> {
    fn is_empty(&self) -> bool {
        self.format.is_none() && self.verbosity.is_none() && self.extensions.is_empty()
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FormatBody<'a> {
    JsonObject,
    JsonSchema {
        name: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a ir::Text>,
        schema: ir::Json,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
}

/// Raises a request.
pub(super) fn raise(backend: &OpenaiResponses, cx: &mut Cx, request: &ir::Request, target: &Target) -> Result<Raised> {
    let ir::Request {
        model: _,
        instructions: _,
        messages,
        tools: _,
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
    let is_own = words::is_marked(extensions, words::OWN_REQUEST);
    cx.report_extensions(extensions, ir::Place::default(), DIALECT);
    let names = Names::new(cx, request, if is_own { &ANY_NAMES } else { &NAMES });
    let issuer = target.issuer(DIALECT);

    // A conversation that goes on from the upstream's own state answers calls that are not here.
    let continues = session.previous_response_id.is_some() || session.conversation.is_some();
    let turns = if is_own || continues { Vec::new() } else { conversation::turns(cx, messages, false) };
    // A picture that is an item of its own is the model's to have made here.
    let turns = conversation::without_assistant_media(cx, turns, |meta| meta.item.is_some());
    let takes = &target.capabilities;
    let is_free = is_own || continues;
    let mut raiser = Raiser::new(&names, issuer, is_free, is_free || takes.cache_marks == Some(true));
    let instructions = raiser.instructions(cx, request);
    raiser.messages(cx, messages, &turns);
    let mut input = raiser.items;
    put_leading_tools(extensions, &mut input);

    let tools = tools::raise(cx, request, &names, is_own);
    let has_tools = is_own || !tools.is_empty();
    let choice = tool_choice.as_ref().filter(|_| has_tools);
    if !has_tools && !matches!(tool_choice, None | Some(ir::ToolChoice::Auto | ir::ToolChoice::None)) {
        let what = "there is no tool that could be called";
        cx.report_setting(&codes::TOOL_CHOICE_WEAKENED, ir::Setting::ToolChoice, what);
    }
    cx.report_headers(headers, DIALECT);
    let tool_choice = choice.and_then(|choice| tools::choice(cx, choice, request, &names, extensions));
    let parallel_tool_calls = parallel_tool_calls.filter(|_| has_tools);

    let ir::Sampling {
        temperature,
        top_p,
        top_k: _,
        seed: _,
        presence_penalty: _,
        frequency_penalty: _,
        stop: _,
        logprobs,
    } = sampling;
    lost_sampling(cx, sampling);
    let (effort, reasoning) = raise_reasoning(cx, reasoning, extensions, takes);
    let is_sampled = takes.sampling.unwrap_or(Taken::Always).holds(takes.thinks(effort));
    let text = raise_text(output, extensions);
    let mut include = Vec::new();
    if !is_own {
        let thinks = !reasoning.is_empty() && reasoning.effort != Some("none");
        let has_state = request.messages.iter().flat_map(|message| &message.parts).any(|part| match part {
            ir::Part::Reasoning(part) => {
                part.meta.seal.as_ref().is_some_and(|seal| target.issuer(DIALECT).may_open(&seal.issuer))
            }
            _ => false,
        });
        if thinks || has_state {
            include.push("reasoning.encrypted_content");
        }
        if logprobs.is_some() {
            include.push("message.output_text.logprobs");
        }
        // Other dialects tell what code wrote unasked.
        let runs_code =
            |tool: &ir::Tool| matches!(tool, ir::Tool::Hosted(tool) if tool.ability == ir::Ability::CodeExecution);
        if request.tools.iter().any(runs_code) {
            include.push("code_interpreter_call.outputs");
        }
    }
    let ir::Session { previous_response_id, conversation, store } = session;
    let ir::Caller { user, metadata, tier, cache_key } = caller;
    let is_user = words::is_marked(extensions, words::USER_ALONE);
    let body = Body {
        model: &target.model,
        instructions,
        input,
        tools,
        tool_choice,
        parallel_tool_calls,
        temperature: sampled(cx, ir::Setting::Temperature, *temperature, 1.0, is_sampled),
        top_p: sampled(cx, ir::Setting::TopP, *top_p, 1.0, is_sampled),
        top_logprobs: logprobs.filter(|top| !is_own && *top > 0),
        max_output_tokens: limit(cx, *max_output_tokens, is_own),
        reasoning,
        text,
        include,
        previous_response_id: previous_response_id.as_ref(),
        conversation: conversation.as_ref(),
        // Left out, the dialect keeps answers; the others do not.
        store: if is_own { *store } else { Some(store.unwrap_or(false)) },
        metadata: metadata.as_ref(),
        safety_identifier: user.as_ref().filter(|_| !is_user).map(|user| identifier(cx, user, is_own)),
        user: user.as_ref().filter(|_| is_user),
        prompt_cache_key: cache_key.as_ref(),
        prompt_cache_options: (*prewarm && !is_own).then_some(CacheOptions { prewarm: true }),
        service_tier: tier.map(tier_name),
        stream: *delivery == ir::Delivery::Stream,
        extensions: extensions.written(DIALECT, ""),
    };
    let mut call = backend.endpoint(target, *delivery, headers);
    call.body.reserve(cx.room());
    crate::sse::write_json(&body, &mut call.body);
    let memo = Memo::new(cx, target, DIALECT, names);
    Ok(Raised { call: Call::Send(call), memo })
}

/// The items that tools came in go back to where they stood.
fn put_leading_tools(extensions: &ir::Extensions, input: &mut Vec<Item<'_>>) {
    let Some(value) = extensions.get(DIALECT, words::LEADING_TOOLS) else { return };
    let list: Vec<(usize, Box<serde_json::value::RawValue>)> = serde_json::from_str(value.as_str()).unwrap_or_default();
    for (index, raw) in list {
        input.insert(index.min(input.len()), Item::Raw(Cow::Owned((&*raw).into())));
    }
}

fn lost_sampling(cx: &mut Cx, sampling: &ir::Sampling) {
    let ir::Sampling { temperature: _, top_p: _, top_k, seed, presence_penalty, frequency_penalty, stop, logprobs: _ } =
        sampling;
    let is_asked = |penalty: &Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    let lost = [
        (ir::Setting::TopK, top_k.is_some()),
        (ir::Setting::Seed, seed.is_some()),
        (ir::Setting::PresencePenalty, is_asked(presence_penalty)),
        (ir::Setting::FrequencyPenalty, is_asked(frequency_penalty)),
    ];
    for (setting, _) in lost.into_iter().filter(|(_, is_lost)| *is_lost) {
        cx.report_setting(&codes::SAMPLING_DROPPED, setting, format!("{DIALECT} has no such parameter"));
    }
    if !stop.is_empty() {
        cx.cut_at(stop, &codes::STOP_UNSUPPORTED, format!("{DIALECT} has no stop sequences"));
    }
}

fn limit(cx: &mut Cx, limit: Option<u64>, is_own: bool) -> Option<u64> {
    let limit = limit?;
    if is_own || limit >= MIN_OUTPUT_TOKENS {
        return Some(limit);
    }
    let what = format!("{limit} is less than the least limit of {MIN_OUTPUT_TOKENS}");
    cx.report_setting(&codes::VALUE_CLAMPED, ir::Setting::MaxOutputTokens, what);
    Some(MIN_OUTPUT_TOKENS)
}

fn raise_reasoning<'a>(
    cx: &mut Cx,
    reasoning: &ir::ReasoningConfig,
    extensions: &'a ir::Extensions,
    takes: &Capabilities,
) -> (Option<ir::Effort>, ReasoningBody<'a>) {
    let ir::ReasoningConfig { mode, effort: asked, budget, visibility } = reasoning;
    let effort = match (mode, asked, budget) {
        (Some(ir::ReasoningMode::Off), ..) => Some(ir::Effort::None),
        (_, Some(effort), _) => Some(*effort),
        (Some(ir::ReasoningMode::BetweenTools), None, _) => {
            let what = "thought between tool calls alone cannot be asked for; a little was";
            cx.report_setting(&codes::REASONING_OPTION_LOST, ir::Setting::Reasoning, what);
            Some(ir::Effort::Low)
        }
        (_, None, Some(budget)) => {
            let effort = effort::of_budget(*budget);
            if let Some(effort) = effort {
                let what = format!("a budget of {budget} tokens became the effort {}", effort::name(effort));
                cx.report_setting(&codes::BUDGET_TO_EFFORT, ir::Setting::Budget, what);
            }
            effort
        }
        (Some(ir::ReasoningMode::On | ir::ReasoningMode::Adaptive) | None, None, None) => None,
    };
    let effort = effort.map(|effort| fitting_effort(cx, effort, takes));
    let summary = visibility.and_then(|visibility| match visibility {
        ir::Visibility::Hidden => None,
        ir::Visibility::Auto => Some("auto"),
        ir::Visibility::Concise => Some("concise"),
        ir::Visibility::Detailed => Some("detailed"),
    });
    let written = extensions.written(DIALECT, "reasoning");
    // The older name of `summary` goes back as it came.
    let is_older = extensions.get(DIALECT, "reasoning.generate_summary").is_some()
        || extensions.get(DIALECT, "reasoning.summary").is_some();
    let body =
        ReasoningBody { effort: effort.map(effort::name), summary: summary.filter(|_| !is_older), extensions: written };
    (effort, body)
}

fn raise_text<'a>(output: &'a ir::Output, extensions: &'a ir::Extensions) -> TextBody<'a> {
    let ir::Output { format, verbosity } = output;
    let format = match format {
        ir::Format::Text => None,
        ir::Format::Json => Some(FormatBody::JsonObject),
        ir::Format::Schema(ir::OutputSchema { name, description, schema, strict }) => Some(FormatBody::JsonSchema {
            name: name.as_ref().map_or(Cow::Borrowed("response"), |name| schema_name(name)),
            description: description.as_ref(),
            schema: schema::json_schema(schema),
            strict: *strict,
            extensions: extensions.written(DIALECT, "text.format"),
        }),
    };
    TextBody { format, verbosity: verbosity.as_ref(), extensions: extensions.written(DIALECT, "text") }
}

fn schema_name(name: &ir::Text) -> Cow<'_, str> {
    if !name.is_empty() && name.chars().all(is_name) && name.len() <= MAX_SCHEMA_NAME {
        return Cow::Borrowed(name);
    }
    let fitting: String = name.chars().map(|c| if is_name(c) { c } else { '_' }).take(MAX_SCHEMA_NAME).collect();
    Cow::Owned(if fitting.is_empty() { "response".to_owned() } else { fitting })
}

fn identifier<'a>(cx: &mut Cx, user: &'a ir::Text, is_own: bool) -> Cow<'a, str> {
    if is_own || user.chars().count() <= MAX_SAFETY_IDENTIFIER {
        return Cow::Borrowed(user);
    }
    let what = format!("an end user's id has at most {MAX_SAFETY_IDENTIFIER} characters");
    cx.report_setting(&codes::VALUE_CLAMPED, ir::Setting::User, what);
    Cow::Owned(cut(user, MAX_SAFETY_IDENTIFIER))
}

/// The beginning of `id`, and a hash of all of it: the same id is always cut to the same, different ones to others.
pub(super) fn cut(id: &str, longest: usize) -> String {
    // FNV-1a.
    let hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let kept: String = id.chars().take(longest.saturating_sub(17)).collect();
    format!("{kept}_{hash:016x}")
}

fn tier_name(tier: ir::Tier) -> &'static str {
    match tier {
        ir::Tier::Auto => "auto",
        ir::Tier::Standard => "default",
        ir::Tier::Flex => "flex",
        ir::Tier::Scale => "scale",
        ir::Tier::Priority => "priority",
        ir::Tier::Fast => "fast",
        ir::Tier::Ultrafast => "ultrafast",
    }
}
