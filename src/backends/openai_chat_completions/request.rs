//! Raises everything of a request but its messages.

use serde::Serialize;

use super::message::{self, Raiser};
use super::wire::Message;
use super::{has_newest_models, setting};
use crate::backends::{Call, Memo, NameRules, Names, Raised, Target};
use crate::capabilities::{Capabilities, Taken};
use crate::context::Cx;
use crate::conversation;
use crate::diagnostics::codes;
use crate::dialects::effort;
use crate::dialects::openai::{fitting_effort, sampled};
use crate::dialects::openai_chat_completions as words;
use crate::dialects::openai_chat_completions::{
    CHOICE_FORM, EFFORT_FORM, FIELD_FORM, FORMAT_FORM, ID, LAST_FORM, LEGACY_CHOICE, LIMIT_FORM, MEANT, SEED_FORM,
    STOP_FORM, STREAM_FORM, TOP_K_FORM, TOP_LOGPROBS_FORM, USER_FORM, WITHOUT_TOOLS, noted,
};
use crate::http;
use crate::ir;
use crate::schema;
use crate::sse;

/// How many texts may end an answer.
const MAX_STOPS: usize = 4;
/// The longest id of an end user.
const MAX_USER_BYTES: usize = 64;

#[derive(Serialize)]
struct Document<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "StreamOptions::is_empty")]
    stream_options: StreamOptions<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<Stop<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    functions: Vec<Function<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<ToolChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    web_search_options: Option<&'a ir::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a ir::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_identifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

#[derive(Serialize)]
struct StreamOptions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    include_usage: Option<bool>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

impl StreamOptions<'_> {
    fn is_empty(&self) -> bool {
        self.include_usage.is_none() && self.rest.is_empty()
    }
}

/// How DeepSeek, Moonshot and Z.ai switch thinking off.
#[derive(Serialize)]
struct Thinking {
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Stop<'a> {
    One(&'a ir::Text),
    Several(&'a [ir::Text]),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Tool<'a> {
    Function {
        r#type: &'static str,
        function: Function<'a>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    Custom {
        r#type: &'static str,
        custom: Custom<'a>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    Raw(&'a ir::Json),
}

#[derive(Serialize)]
struct Function<'a> {
    name: ir::Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<ir::Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<ir::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

#[derive(Serialize)]
struct Custom<'a> {
    name: ir::Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a ir::Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<CustomFormat<'a>>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

#[derive(Serialize)]
struct CustomFormat<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grammar: Option<&'a ir::Grammar>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ToolChoice {
    Word(&'static str),
    /// The forerunner's way to name a function.
    Name {
        name: ir::Text,
    },
    Function {
        r#type: &'static str,
        function: Named,
    },
    Custom {
        r#type: &'static str,
        custom: Named,
    },
    Allowed {
        r#type: &'static str,
        allowed_tools: AllowedTools,
    },
    Raw(ir::Json),
}

#[derive(Serialize)]
struct Named {
    name: ir::Text,
}

#[derive(Serialize)]
struct AllowedTools {
    mode: &'static str,
    tools: Vec<ToolChoice>,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<JsonSchema<'a>>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a ir::Text>,
    schema: ir::Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

pub(super) fn raise(cx: &mut Cx, request: &ir::Request, target: &Target, mut http: http::Request) -> Raised {
    let ir::Request {
        // The upstream's own name of it is in the target.
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
        // No header belongs to this dialect.
        headers,
        extensions,
    } = request;
    cx.report_headers(headers, ID);
    let takes = &target.capabilities;
    let customs = target.settings.get("customTools").and_then(serde_json::Value::as_bool);
    // Of a model that nobody knows, only a client of the dialect may know that it takes such tools.
    let is_own =
        |tool: &ir::Tool| matches!(tool, ir::Tool::Custom(_)) && noted(FIELD_FORM, &tool.meta().extensions).is_some();
    let customs = customs.or(takes.custom_tools).unwrap_or_else(|| tools.iter().any(is_own));
    let rules = NameRules {
        longest: 64,
        first: is_name_character,
        rest: is_name_character,
        namespaces: false,
        customs,
        own_tools: false,
    };
    let names = Names::new(cx, request, &rules);
    cx.report_extensions(extensions, ir::Place::default(), ID);
    let raiser = Raiser::new(target, &names, customs);
    let turns = message::turns(cx, messages);
    conversation::report_prefill(cx, messages, |last| noted(LAST_FORM, &last.extensions).is_some());
    let mut messages = raiser.messages(cx, instructions, &turns);
    let lacks_thoughts = takes.signatures == Some(true) && Raiser::lack_thoughts(&mut messages);
    let allowed = match tool_choice {
        Some(ir::ToolChoice::Allowed { required: _, names }) if !takes_subsets(target, extensions) => Some(&**names),
        _ => None,
    };
    let raised = Tools::new(cx, tools, allowed, &names, customs);
    let (tool_choice, function_call) = choose(cx, tool_choice.as_ref(), tools, &raised, &names, customs, extensions);
    let is_streamed = *delivery == ir::Delivery::Stream;
    let limit = if *prewarm { Some(cx.report_prewarm(ID)) } else { *max_output_tokens };
    let (max_completion_tokens, max_tokens) = limits(target, limit, extensions);
    let (safety_identifier, user) = end_user(target, caller.user.as_ref(), extensions);
    let short_user = shortened(cx, safety_identifier.or(user), extensions);
    let logprobs = sampling.logprobs;
    let has_tools = !raised.tools.is_empty() || !raised.functions.is_empty();
    let top_k = top_k(cx, sampling.top_k, extensions);
    let effort = reasoning_effort(cx, reasoning, extensions, takes, has_tools);
    let is_silenced = lacks_thoughts && extensions.get(ID, "thinking").is_none();
    if is_silenced {
        let what = "calls of the history lack the thoughts that led to them: thinking is off";
        cx.report_setting(&codes::REASONING_STATE_MISSING, ir::Setting::Reasoning, what);
    }
    let effort = effort.filter(|_| !is_silenced);
    let thinks = takes.thinks(effort);
    let is_sampled = takes.sampling.unwrap_or(Taken::Always).holds(thinks);
    let has_stops = takes.stops.unwrap_or(Taken::Always).holds(thinks);
    cx.report_session(session, true, ID);
    let document = Document {
        model: &target.model,
        messages,
        stream: if is_streamed { Some(true) } else { noted(STREAM_FORM, extensions).map(|_| false) },
        stream_options: StreamOptions {
            include_usage: is_streamed.then_some(true),
            rest: extensions.written(ID, "stream_options"),
        },
        max_completion_tokens,
        max_tokens,
        temperature: sampled(cx, ir::Setting::Temperature, sampling.temperature, 1.0, is_sampled),
        top_p: sampled(cx, ir::Setting::TopP, sampling.top_p, 1.0, is_sampled),
        top_k,
        frequency_penalty: sampled(cx, ir::Setting::FrequencyPenalty, sampling.frequency_penalty, 0.0, is_sampled),
        presence_penalty: sampled(cx, ir::Setting::PresencePenalty, sampling.presence_penalty, 0.0, is_sampled),
        seed: sampling.seed.filter(|_| noted(SEED_FORM, extensions).is_none()),
        stop: stop(cx, &sampling.stop, has_stops, extensions),
        logprobs: logprobs.map(|_| true),
        top_logprobs: logprobs.filter(|top| *top > 0 || noted(TOP_LOGPROBS_FORM, extensions).is_some()),
        reasoning_effort: effort.map(effort::name),
        thinking: is_silenced.then_some(Thinking { r#type: "disabled" }),
        verbosity: output.verbosity.as_deref(),
        tools: raised.tools,
        tool_choice,
        // Without tools the field is refused; a client of this dialect that sent it so may know better.
        parallel_tool_calls: parallel_tool_calls.filter(|_| has_tools || noted(WITHOUT_TOOLS, extensions).is_some()),
        functions: raised.functions,
        function_call,
        response_format: response_format(cx, &output.format, extensions),
        web_search_options: raised.web_search_options,
        metadata: caller.metadata.as_ref(),
        safety_identifier: safety_identifier.and(short_user.as_deref()),
        user: user.and(short_user.as_deref()),
        prompt_cache_key: caller.cache_key.as_deref(),
        service_tier: caller.tier.map(|tier| service_tier(cx, tier)),
        store: session.store,
        rest: extensions.written(ID, ""),
    };
    http.body.reserve(cx.room());
    sse::write_json(&document, &mut http.body);
    drop(document);
    let memo = Memo::new(cx, target, ID, names);
    Raised { call: Call::Send(http), memo }
}

/// The limit in the field that the client used, else in the one that the upstream knows.
fn limits(target: &Target, limit: Option<u64>, extensions: &ir::Extensions) -> (Option<u64>, Option<u64>) {
    let is_newest = match (noted(LIMIT_FORM, extensions), setting(target, "maxTokensField")) {
        (Some(field), _) => field == "\"max_completion_tokens\"",
        (None, Some(field)) => field == "max_completion_tokens",
        (None, None) => target.capabilities.max_completion_tokens.unwrap_or_else(|| has_newest_models(target)),
    };
    if is_newest { (limit, None) } else { (None, limit) }
}

fn end_user<'a>(
    target: &Target,
    user: Option<&'a ir::Text>,
    extensions: &ir::Extensions,
) -> (Option<&'a ir::Text>, Option<&'a ir::Text>) {
    let is_newest = match noted(USER_FORM, extensions) {
        Some(field) => field == "\"safety_identifier\"",
        None => target.capabilities.safety_identifier.unwrap_or_else(|| has_newest_models(target)),
    };
    if is_newest { (user, None) } else { (None, user) }
}

/// An id of an end user that is not too long. Two users have to stay two, and one user the same.
fn shortened<'a>(
    cx: &mut Cx,
    user: Option<&'a ir::Text>,
    extensions: &ir::Extensions,
) -> Option<std::borrow::Cow<'a, str>> {
    let user = user?;
    if user.len() <= MAX_USER_BYTES || noted(USER_FORM, extensions).is_some() {
        return Some(user.as_str().into());
    }
    let what = format!("the end user's id is longer than {MAX_USER_BYTES} bytes; a digest of it is sent");
    cx.report_setting(&codes::END_USER_ID_LOST, ir::Setting::User, what);
    let digest = |seed: u128| {
        // FNV-1a in 128 bits.
        user.bytes().fold(seed, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b))
    };
    Some(format!("{:032x}", digest(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)).into())
}

/// Only the compatible servers know it: a client of this dialect may ask for it.
fn top_k(cx: &mut Cx, top_k: Option<f64>, extensions: &ir::Extensions) -> Option<f64> {
    if top_k.is_some() && noted(TOP_K_FORM, extensions).is_none() {
        cx.report_setting(&codes::SAMPLING_DROPPED, ir::Setting::TopK, "the dialect has no such parameter");
        return None;
    }
    top_k
}

fn stop<'a>(cx: &mut Cx, stop: &'a [ir::Text], is_taken: bool, extensions: &ir::Extensions) -> Option<Stop<'a>> {
    if !is_taken && !stop.is_empty() {
        let what = "the model takes no stop sequences while it thinks";
        cx.cut_at(stop, &codes::STOP_UNSUPPORTED, what);
        return None;
    }
    let form = noted(STOP_FORM, extensions);
    match stop {
        [] if form == Some("[]") => Some(Stop::Several(stop)),
        [] => None,
        [one] if form == Some("\"\"") => Some(Stop::One(one)),
        _ if form.is_some() => Some(Stop::Several(stop)),
        _ => {
            let (first, rest) = stop.split_at(stop.len().min(MAX_STOPS));
            if !rest.is_empty() {
                let what = format!("{} texts end the answer; the first {MAX_STOPS} are sent", stop.len());
                cx.cut_at(rest, &codes::VALUE_CLAMPED, what);
            }
            Some(Stop::Several(first))
        }
    }
}

/// The effort. Other ways of asking are turned into one; those of the dialect's relatives go back as they came.
fn reasoning_effort(
    cx: &mut Cx,
    config: &ir::ReasoningConfig,
    extensions: &ir::Extensions,
    takes: &Capabilities,
    has_tools: bool,
) -> Option<ir::Effort> {
    let ir::ReasoningConfig { mode, effort: asked, budget, visibility } = config;
    let by_relatives =
        ["reasoning", "thinking", "enable_thinking", "thinking_budget", "include_reasoning", "reasoning_format"];
    if by_relatives.iter().any(|name| extensions.get(ID, name).is_some()) {
        let is_said = noted(EFFORT_FORM, extensions).is_some();
        return asked.filter(|_| is_said);
    }
    match visibility {
        Some(ir::Visibility::Auto | ir::Visibility::Concise | ir::Visibility::Detailed) => {
            let what = "upstreams show thoughts as they see fit";
            cx.report_setting(&codes::REASONING_OPTION_LOST, ir::Setting::Visibility, what);
        }
        Some(ir::Visibility::Hidden) | None => {}
    }
    let effort = match (mode, asked, budget) {
        (Some(ir::ReasoningMode::Off), None, _) => ir::Effort::None,
        (Some(ir::ReasoningMode::BetweenTools), None | Some(ir::Effort::None), _) => {
            let what = "to think between tools only cannot be asked for; little thought is";
            cx.report_setting(&codes::REASONING_OPTION_LOST, ir::Setting::Reasoning, what);
            ir::Effort::Low
        }
        (_, Some(effort), _) => *effort,
        (_, None, Some(budget)) => {
            let effort = effort::of_budget(*budget)?;
            let what = format!("{budget} tokens of thought became the effort {}", effort::name(effort));
            cx.report_setting(&codes::BUDGET_TO_EFFORT, ir::Setting::Budget, what);
            effort
        }
        (_, None, None) => return None,
    };
    let effort = fitting_effort(cx, effort, takes);
    if effort == ir::Effort::None || !has_tools || takes.tools_with_effort != Some(false) {
        return Some(effort);
    }
    // OpenAI refuses the two together. Tools are what the client can do nothing without, so the thought goes.
    let what = "with tools the model does not think in Chat Completions; an upstream of Responses lets it do both";
    cx.report_setting(&codes::REASONING_OPTION_LOST, ir::Setting::Reasoning, what);
    takes.off.and_then(crate::capabilities::Extent::most).map(|_| ir::Effort::None)
}

fn service_tier(cx: &mut Cx, tier: ir::Tier) -> &'static str {
    if tier == ir::Tier::Ultrafast {
        cx.report_setting(&codes::SERVICE_TIER_APPROXIMATED, ir::Setting::Tier, "fast was asked for");
    }
    words::tier_name(tier)
}

/// The tools of a request, as they are written.
#[derive(Default)]
struct Tools<'a> {
    tools: Vec<Tool<'a>>,
    functions: Vec<Function<'a>>,
    web_search_options: Option<&'a ir::Json>,
    /// Only the tools that may be called are among them.
    is_filtered: bool,
}

impl<'a> Tools<'a> {
    /// All tools, or only the `allowed` ones, for an upstream that cannot be told the difference.
    fn new(cx: &mut Cx, tools: &'a [ir::Tool], allowed: Option<&[ir::Text]>, names: &Names, customs: bool) -> Self {
        let mut out = Self { is_filtered: allowed.is_some(), ..Self::default() };
        for tool in tools {
            let meta = tool.meta();
            if let (
                Some(allowed),
                ir::Tool::Function(ir::Function { name, .. }) | ir::Tool::Custom(ir::Custom { name, .. }),
            ) = (allowed, tool)
                && !allowed.contains(name)
            {
                cx.report(&codes::TOOL_OPTION_LOST, meta.place, "", "not offered, since it may not be called");
                continue;
            }
            cx.report_extensions(&meta.extensions, meta.place, ID);
            if meta.cache.is_some() && meta.extensions.get(ID, "cache_control").is_none() {
                cx.report_at(&codes::CACHE_HINT_LOST, meta.place, ir::Setting::CacheMark, "tools have no mark");
            }
            match tool {
                ir::Tool::Function(tool) => out.function(cx, tool, names),
                ir::Tool::Custom(tool) if customs => {
                    let custom = custom(tool, names);
                    out.tools.push(Tool::Custom { r#type: "custom", custom, rest: meta.extensions.written(ID, "") });
                }
                ir::Tool::Custom(tool) => {
                    let what = format!("{} takes its text as the argument `input`", tool.name);
                    cx.report(&codes::CUSTOM_TOOL_AS_FUNCTION, meta.place, "", what);
                    let (function, rest) = (as_function(tool, names), meta.extensions.written(ID, ""));
                    out.tools.push(Tool::Function { r#type: "function", function, rest });
                }
                ir::Tool::Hosted(tool) if tool.dialect == ID && tool.kind == "web_search_options" => {
                    out.web_search_options = Some(&tool.value);
                }
                ir::Tool::Hosted(tool) if tool.dialect == ID => out.tools.push(Tool::Raw(&tool.value)),
                ir::Tool::Hosted(tool) => {
                    let what = format!("{} of {}: the dialect has no hosted tools", tool.kind, tool.dialect);
                    cx.report(tool.loss, meta.place, "", what);
                }
            }
        }
        out
    }

    fn function(&mut self, cx: &mut Cx, tool: &'a ir::Function, names: &Names) {
        let ir::Function { name, namespace, description, parameters, strict, meta } = tool;
        let is_legacy = noted(FIELD_FORM, &meta.extensions).is_some();
        let is_meant = noted(MEANT, &meta.extensions).is_some();
        let is_loose = *strict == Some(true) && !is_meant && !parameters.as_ref().is_none_or(schema::is_strict);
        if is_loose {
            cx.report_loose(meta.place);
        }
        let function = Function {
            name: names.sent(name, namespace.as_ref()),
            description: description.clone(),
            parameters: parameters.as_ref().map(parameters_of),
            strict: strict.filter(|_| !is_loose),
            rest: meta.extensions.written(ID, if is_legacy { "" } else { "function" }),
        };
        if is_legacy {
            self.functions.push(function);
        } else {
            let rest = meta.extensions.written(ID, "");
            self.tools.push(Tool::Function { r#type: "function", function, rest });
        }
    }
}

/// The schema of a function's arguments. OpenAI refuses an object that does not say which properties it has.
fn parameters_of(parameters: &ir::Schema) -> ir::Json {
    let json = schema::json_schema(parameters);
    if json.as_str().contains("\"properties\"") {
        return json;
    }
    let mut value = json.value();
    let serde_json::Value::Object(fields) = &mut value else { return json };
    let is_object = fields.get("type").is_some_and(|kind| kind == "object");
    if !is_object && !fields.is_empty() {
        return json;
    }
    fields.entry("type").or_insert_with(|| "object".into());
    fields.insert("properties".to_owned(), serde_json::Map::new().into());
    ir::Json::of(&value)
}

fn custom<'a>(tool: &'a ir::Custom, names: &Names) -> Custom<'a> {
    let ir::Custom { name, namespace, description, grammar, meta } = tool;
    let rest = meta.extensions.written(ID, "custom.format");
    let has_format = grammar.is_some() || !rest.is_empty();
    let format = CustomFormat { kind: grammar.as_ref().map(|_| "grammar"), grammar: grammar.as_ref(), rest };
    Custom {
        name: names.sent(name, namespace.as_ref()),
        description: description.as_ref(),
        format: has_format.then_some(format),
        rest: meta.extensions.written(ID, "custom"),
    }
}

/// A custom tool for an upstream that has none.
fn as_function<'a>(tool: &'a ir::Custom, names: &Names) -> Function<'a> {
    let ir::Custom { name, namespace, description, grammar, meta: _ } = tool;
    let mut words = description.as_deref().unwrap_or_default().to_owned();
    if let Some(ir::Grammar { syntax, definition }) = grammar {
        words.push_str(&format!("\n\nThe input has to follow this {syntax} grammar:\n{definition}"));
    }
    let parameters = r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;
    Function {
        name: names.sent(name, namespace.as_ref()),
        description: (!words.is_empty()).then(|| words.trim_start().into()),
        parameters: ir::Json::parse(&ir::Text::constant(parameters)),
        strict: None,
        rest: ir::Written::default(),
    }
}

/// Whether the upstream can be told which tools may be called: OpenAI's models can, of others only their clients may know.
fn takes_subsets(target: &Target, extensions: &ir::Extensions) -> bool {
    let said = target.settings.get("allowedTools").and_then(serde_json::Value::as_bool);
    said.unwrap_or_else(|| has_newest_models(target) || noted(MEANT, extensions).is_some())
}

/// The choice of a tool, in the field that the client used.
fn choose(
    cx: &mut Cx,
    choice: Option<&ir::ToolChoice>,
    asked: &[ir::Tool],
    raised: &Tools<'_>,
    names: &Names,
    customs: bool,
    extensions: &ir::Extensions,
) -> (Option<ToolChoice>, Option<ToolChoice>) {
    let Some(choice) = choice else { return (None, None) };
    let is_legacy = noted(LEGACY_CHOICE, extensions).is_some();
    let has_none = raised.tools.is_empty() && raised.functions.is_empty();
    if has_none && noted(WITHOUT_TOOLS, extensions).is_none() {
        // Without tools the field is refused. None to choose from is none chosen.
        if !matches!(choice, ir::ToolChoice::Auto | ir::ToolChoice::None) {
            let what = "there is no tool that the upstream could be made to call";
            cx.report_setting(&codes::TOOL_CHOICE_WEAKENED, ir::Setting::ToolChoice, what);
        }
        return (None, None);
    }
    if let Some(spelled) = extensions.get(ID, CHOICE_FORM) {
        return (Some(ToolChoice::Raw(spelled.clone())), None);
    }
    let named = |name: &ir::Text, kind: ir::CallKind| {
        let name = names.sent(name, None);
        match kind {
            ir::CallKind::Custom if customs => ToolChoice::Custom { r#type: "custom", custom: Named { name } },
            ir::CallKind::Custom | ir::CallKind::Function => {
                ToolChoice::Function { r#type: "function", function: Named { name } }
            }
        }
    };
    let kind_of = |name: &ir::Text| {
        let is_custom = |tool: &ir::Tool| matches!(tool, ir::Tool::Custom(tool) if tool.name == *name);
        if asked.iter().any(is_custom) { ir::CallKind::Custom } else { ir::CallKind::Function }
    };
    let raised = match choice {
        ir::ToolChoice::Auto => ToolChoice::Word("auto"),
        ir::ToolChoice::None => ToolChoice::Word("none"),
        ir::ToolChoice::Allowed { required, .. } if raised.is_filtered => {
            ToolChoice::Word(if *required { "required" } else { "auto" })
        }
        ir::ToolChoice::Required => ToolChoice::Word("required"),
        ir::ToolChoice::Tool { name, .. } if is_legacy => ToolChoice::Name { name: names.sent(name, None) },
        ir::ToolChoice::Tool { name, kind } => named(name, *kind),
        ir::ToolChoice::Allowed { required, names } => {
            let tools = names.iter().map(|name| named(name, kind_of(name))).collect();
            let mode = if *required { "required" } else { "auto" };
            ToolChoice::Allowed { r#type: "allowed_tools", allowed_tools: AllowedTools { mode, tools } }
        }
        ir::ToolChoice::Opaque { dialect, value, .. } if *dialect == ID => ToolChoice::Raw(value.clone()),
        ir::ToolChoice::Opaque { dialect, .. } => {
            let what = format!("a choice that {dialect} alone can say");
            cx.report_setting(&codes::TOOL_CHOICE_WEAKENED, ir::Setting::ToolChoice, what);
            return (None, None);
        }
    };
    if is_legacy { (None, Some(raised)) } else { (Some(raised), None) }
}

fn response_format<'a>(
    cx: &mut Cx,
    format: &'a ir::Format,
    extensions: &'a ir::Extensions,
) -> Option<ResponseFormat<'a>> {
    let rest = extensions.written(ID, "response_format");
    let made = |kind| ResponseFormat { kind, json_schema: None, rest };
    match format {
        ir::Format::Text => match noted(FORMAT_FORM, extensions) {
            Some("\"text\"") => Some(made(Some("text"))),
            // Another kind, whose name is among the rest.
            Some(_) => Some(made(None)),
            None => None,
        },
        ir::Format::Json => Some(made(Some("json_object"))),
        ir::Format::Schema(ir::OutputSchema { name, description, schema, strict }) => {
            let schema_name = format_name(cx, name.as_deref());
            let json_schema = JsonSchema {
                name: schema_name,
                description: description.as_ref(),
                schema: schema::json_schema(schema),
                strict: *strict,
                rest: extensions.written(ID, "response_format.json_schema"),
            };
            Some(ResponseFormat { json_schema: Some(json_schema), ..made(Some("json_schema")) })
        }
    }
}

/// The name of a schema, which the upstream wants.
fn format_name(cx: &mut Cx, name: Option<&str>) -> String {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return "answer".to_owned() };
    let fit: String = name.chars().take(64).map(|c| if is_name_character(c) { c } else { '_' }).collect();
    if fit != name {
        let what = format!("the schema {name} is sent as {fit}");
        cx.report_setting(&codes::TOOL_NAME_REWRITTEN, ir::Setting::FormatName, what);
    }
    fit
}
