//! Lowers everything of a request but its messages.

use serde_json::value::RawValue;

use super::message::{self, Message};
use crate::context::Cx;
use crate::diagnostics::{Code, codes};
use crate::dialects::openai_chat_completions::{
    CHOICE_FORM, EFFORT_FORM, FIELD_FORM, FORMAT_FORM, FUNCTIONS, ID, LEGACY_CHOICE, LIMIT_FORM, MEANT, SEED_FORM,
    STOP_FORM, STREAM_FORM, TOP_K_FORM, TOP_LOGPROBS_FORM, USER_FORM, WITHOUT_TOOLS, note,
};
use crate::dialects::{effort, openai_chat_completions};
use crate::error::Result;
use crate::frontends::{Asked, Lowered};
use crate::ir;
use crate::json::{self, Integer, Str, StrOr, wire};

wire! {
    struct Document<'a> {
        "model" model: Str<'a>,
        "messages" messages: Vec<Message<'a>>,
        "stream" stream: bool,
        "stream_options" stream_options: StreamOptions<'a>,
        "max_completion_tokens" max_completion_tokens: Integer,
        "max_tokens" max_tokens: Integer,
        "temperature" temperature: f64,
        "top_p" top_p: f64,
        "top_k" top_k: f64,
        "frequency_penalty" frequency_penalty: f64,
        "presence_penalty" presence_penalty: f64,
        "seed" seed: Integer,
        "random_seed" random_seed: Integer,
        "stop" stop: StrOr<'a, Vec<Str<'a>>>,
        "n" n: Integer,
        "logprobs" logprobs: bool,
        "top_logprobs" top_logprobs: Integer,
        "logit_bias" logit_bias: &'a RawValue,
        "reasoning_effort" reasoning_effort: Str<'a>,
        "reasoning" reasoning: &'a RawValue,
        "thinking" thinking: &'a RawValue,
        "enable_thinking" enable_thinking: &'a RawValue,
        "thinking_budget" thinking_budget: &'a RawValue,
        "include_reasoning" include_reasoning: &'a RawValue,
        "reasoning_format" reasoning_format: &'a RawValue,
        "verbosity" verbosity: Str<'a>,
        "tools" tools: Vec<Tool<'a>>,
        "tool_choice" tool_choice: &'a RawValue,
        "parallel_tool_calls" parallel_tool_calls: bool,
        "functions" functions: Vec<Function<'a>>,
        "function_call" function_call: &'a RawValue,
        "response_format" response_format: ResponseFormat<'a>,
        "modalities" modalities: &'a RawValue,
        "audio" audio: &'a RawValue,
        "prediction" prediction: &'a RawValue,
        "moderation" moderation: &'a RawValue,
        "web_search_options" web_search_options: &'a RawValue,
        "metadata" metadata: &'a RawValue,
        "user" user: Str<'a>,
        "safety_identifier" safety_identifier: Str<'a>,
        "prompt_cache_key" prompt_cache_key: Str<'a>,
        "prompt_cache_options" prompt_cache_options: &'a RawValue,
        "prompt_cache_retention" prompt_cache_retention: &'a RawValue,
        "service_tier" service_tier: Str<'a>,
        "store" store: bool,
    }

    struct StreamOptions<'a> { "include_usage" include_usage: bool, }

    struct Tool<'a> {
        "type" kind: Str<'a>,
        "function" function: Function<'a>,
        "custom" custom: Custom<'a>,
        "cache_control" cache_control: &'a RawValue,
    }

    struct Function<'a> {
        "name" name: Str<'a>,
        "description" description: Str<'a>,
        "parameters" parameters: &'a RawValue,
        "strict" strict: bool,
    }

    struct Custom<'a> { "name" name: Str<'a>, "description" description: Str<'a>, "format" format: CustomFormat<'a>, }

    struct CustomFormat<'a> { "type" kind: Str<'a>, "grammar" grammar: Grammar<'a>, }

    struct Grammar<'a> { "definition" definition: Str<'a>, "syntax" syntax: Str<'a>, }

    struct ResponseFormat<'a> { "type" kind: Str<'a>, "json_schema" json_schema: JsonSchema<'a>, }

    struct JsonSchema<'a> {
        "name" name: Str<'a>,
        "description" description: Str<'a>,
        "schema" schema: &'a RawValue,
        "strict" strict: bool,
    }

    struct Choice<'a> {
        "type" kind: Str<'a>,
        "name" name: Str<'a>,
        "function" function: Named<'a>,
        "custom" custom: Named<'a>,
        "allowed_tools" allowed_tools: AllowedTools<'a>,
    }

    struct Named<'a> { "name" name: Str<'a>, }

    struct AllowedTools<'a> { "mode" mode: Str<'a>, "tools" tools: Vec<Choice<'a>>, }

    struct WebSearch<'a> { "search_context_size" context_size: Str<'a>, "user_location" user_location: UserLocation<'a>, }

    struct UserLocation<'a> { "approximate" approximate: Location<'a>, }

    struct Location<'a> {
        "city" city: Str<'a>,
        "region" region: Str<'a>,
        "country" country: Str<'a>,
        "timezone" timezone: Str<'a>,
    }

    /// How OpenRouter asks for thoughts.
    struct Reasoning<'a> {
        "effort" effort: Str<'a>,
        "max_tokens" max_tokens: Integer,
        "enabled" enabled: bool,
        "exclude" exclude: bool,
    }

    /// How DeepSeek, Moonshot and Z.ai do.
    struct Thinking<'a> { "type" kind: Str<'a>, }

    /// The document once more, for the few tools that have to be kept whole.
    struct RawDocument<'a> { "tools" tools: Vec<&'a RawValue>, }
}

pub(super) fn lower(cx: &mut Cx) -> Result<Lowered> {
    let body = cx.body();
    let mut document: Document<'_> = json::document(&body)?;
    let mut out =
        ir::Request { model: cx.text(cx.required(document.model.as_ref(), "model")?), ..ir::Request::default() };
    let messages = cx.required(document.messages.take(), "messages")?;
    if messages.is_empty() {
        return Err(cx.invalid("messages", "an empty list; at least one message is needed"));
    }
    message::lower(cx, &messages, &mut out)?;
    tools(cx, &document, &mut out)?;
    out.tool_choice = tool_choice(cx, &document, &mut out.extensions)?;
    out.parallel_tool_calls = document.parallel_tool_calls;
    if out.tools.is_empty() && (out.tool_choice.is_some() || out.parallel_tool_calls.is_some()) {
        note(WITHOUT_TOOLS, ir::Json::of(&true), &mut out.extensions);
    }
    out.sampling = sampling(cx, &document, &mut out.extensions);
    out.max_output_tokens = max_output_tokens(cx, &document, &mut out.extensions)?;
    out.output.format = format(cx, &document, &mut out.extensions)?;
    out.output.verbosity = cx.optional_text(document.verbosity.as_ref());
    out.reasoning = reasoning(cx, &document, &mut out.extensions);
    out.session.store = document.store;
    out.delivery = if document.stream == Some(true) { ir::Delivery::Stream } else { ir::Delivery::Whole };
    out.caller = caller(cx, &document, &mut out.extensions)?;
    rest(cx, &document, &mut out.extensions);
    let mut asked = Asked::new(cx, &out);
    asked.include_usage = document.stream_options.as_ref().is_some_and(|options| options.include_usage == Some(true));
    if document.functions.is_some() {
        asked.repeat.push((FUNCTIONS, ir::Json::of(&true)));
    }
    Ok(Lowered { request: out, asked })
}

/// Fields that only this dialect has.
fn rest(cx: &Cx, document: &Document<'_>, out: &mut ir::Extensions) {
    let Document {
        stream,
        stream_options,
        n,
        logit_bias,
        modalities,
        audio,
        prediction,
        moderation,
        prompt_cache_options,
        prompt_cache_retention,
        unknown,
        ..
    } = document;
    if let Some(n) = n {
        let loss = if n.0 > 1 { &codes::N_UNSUPPORTED } else { &codes::WIRE_FORM };
        cx.keep(ID, "n", ir::Json::of(&n.0), loss, out);
    }
    if let Some(modalities) = modalities {
        let is_text = modalities.get().split_whitespace().collect::<String>() == "[\"text\"]";
        let loss = if is_text { &codes::WIRE_FORM } else { &codes::MODALITY_UNSUPPORTED };
        cx.keep(ID, "modalities", cx.json(modalities), loss, out);
    }
    let fields: [(&'static str, &Option<&RawValue>, &'static Code); 6] = [
        ("logit_bias", logit_bias, &codes::SAMPLING_DROPPED),
        ("audio", audio, &codes::MODALITY_UNSUPPORTED),
        ("prediction", prediction, &codes::OPTION_LOST),
        ("moderation", moderation, &codes::SAFETY_SETTINGS_LOST),
        ("prompt_cache_options", prompt_cache_options, &codes::CACHE_HINT_LOST),
        ("prompt_cache_retention", prompt_cache_retention, &codes::CACHE_HINT_LOST),
    ];
    for (name, raw, loss) in fields {
        if let Some(raw) = raw {
            cx.keep(ID, name, cx.json(raw), loss, out);
        }
    }
    if let Some(options) = stream_options {
        for (name, raw) in options.unknown.iter() {
            let name = ir::field_path("stream_options", name);
            cx.keep(ID, name, cx.json(raw), &codes::OPTION_LOST, out);
        }
    }
    if *stream == Some(false) {
        note(STREAM_FORM, ir::Json::of(&false), out);
    }
    for (name, raw) in unknown.iter() {
        cx.keep(ID, ir::field_path("", name), cx.json(raw), relatives_loss(name), out);
    }
}

/// What is lost of a field that only relatives of the dialect know.
fn relatives_loss(name: &str) -> &'static Code {
    match name {
        // vLLM and its like.
        "min_p" | "top_a" | "typical_p" | "repetition_penalty" | "length_penalty" | "min_tokens" | "best_of" => {
            &codes::SAMPLING_DROPPED
        }
        "guided_json" | "guided_regex" | "guided_choice" | "guided_grammar" | "grammar" => {
            &codes::STRUCTURED_OUTPUT_EMULATED
        }
        "chat_template_kwargs" | "clear_thinking" => &codes::REASONING_OPTION_LOST,
        // OpenRouter: which provider answers, and what it does with the prompt before.
        "provider" | "models" | "route" | "preset" | "transforms" | "plugins" | "usage" => &codes::OPTION_LOST,
        // Mistral.
        "safe_prompt" => &codes::SAFETY_SETTINGS_LOST,
        // Groq, xAI, Qwen.
        "search_settings" | "search_parameters" | "enable_search" | "search_options" => {
            &codes::BUILTIN_TOOL_OPTIONS_LOST
        }
        _ => &codes::UNKNOWN_FIELD,
    }
}

fn max_output_tokens(cx: &Cx, document: &Document<'_>, out: &mut ir::Extensions) -> Result<Option<u64>> {
    let (key, limit) = match (document.max_completion_tokens, document.max_tokens) {
        (Some(limit), older) => {
            if let Some(older) = older {
                cx.keep(ID, "max_tokens", ir::Json::of(&older.0), &codes::WIRE_FORM, out);
            }
            ("max_completion_tokens", limit)
        }
        (None, Some(limit)) => ("max_tokens", limit),
        (None, None) => return Ok(None),
    };
    note(LIMIT_FORM, ir::Json::of(key), out);
    limit.unsigned().map(Some).ok_or_else(|| cx.invalid(key, "the limit must not be negative"))
}

fn sampling(cx: &Cx, document: &Document<'_>, out: &mut ir::Extensions) -> ir::Sampling {
    let stop = match &document.stop {
        None => Vec::new(),
        Some(StrOr::Str(stop)) => {
            note(STOP_FORM, ir::Json::of(""), out);
            vec![cx.text(stop)]
        }
        Some(StrOr::Other(stop)) => {
            note(STOP_FORM, ir::Json::of::<[(); 0]>(&[]), out);
            stop.iter().map(|stop| cx.text(stop)).collect()
        }
    };
    if let (None, Some(seed)) = (document.seed, document.random_seed) {
        note(SEED_FORM, ir::Json::of("random_seed"), out);
        cx.keep(ID, "random_seed", ir::Json::of(&seed.0), &codes::WIRE_FORM, out);
    }
    if document.top_k.is_some() {
        note(TOP_K_FORM, ir::Json::of(&true), out);
    }
    let top = document.top_logprobs.and_then(Integer::unsigned);
    let logprobs = if document.logprobs == Some(true) {
        Some(top.unwrap_or(0))
    } else {
        if let Some(top) = document.top_logprobs {
            cx.keep(ID, "top_logprobs", ir::Json::of(&top.0), &codes::WIRE_FORM, out);
        }
        if document.logprobs == Some(false) {
            cx.keep(ID, "logprobs", ir::Json::of(&false), &codes::WIRE_FORM, out);
        }
        None
    };
    if logprobs == Some(0) && top.is_some() {
        note(TOP_LOGPROBS_FORM, ir::Json::of(&0), out);
    }
    ir::Sampling {
        temperature: document.temperature,
        top_p: document.top_p,
        top_k: document.top_k,
        seed: document.seed.or(document.random_seed).map(|seed| seed.0),
        presence_penalty: document.presence_penalty,
        frequency_penalty: document.frequency_penalty,
        stop: stop.into_iter().filter(|stop| !stop.is_empty()).collect(),
        logprobs,
    }
}

fn format(cx: &mut Cx, document: &Document<'_>, out: &mut ir::Extensions) -> Result<ir::Format> {
    let Some(ResponseFormat { kind, json_schema, unknown }) = &document.response_format else {
        return Ok(ir::Format::Text);
    };
    cx.keep_unknown_under(ID, "response_format", unknown, out);
    cx.at("response_format", |cx| match cx.required(kind.as_deref(), "type")? {
        "text" => {
            note(FORMAT_FORM, ir::Json::of("text"), out);
            Ok(ir::Format::Text)
        }
        "json_object" => Ok(ir::Format::Json),
        "json_schema" => {
            let JsonSchema { name, description, schema, strict, unknown } =
                cx.required(json_schema.as_ref(), "json_schema")?;
            cx.keep_unknown_under(ID, "response_format.json_schema", unknown, out);
            let json = cx.optional_json(*schema).unwrap_or(ir::Json::EMPTY_OBJECT);
            Ok(ir::Format::Schema(ir::OutputSchema {
                name: cx.optional_text(name.as_ref()),
                description: cx.optional_text(description.as_ref()),
                schema: ir::Schema::json_schema(json),
                strict: *strict,
            }))
        }
        // Grammars and the like, of single providers.
        other => {
            note(FORMAT_FORM, ir::Json::of(other), out);
            let loss = &codes::STRUCTURED_OUTPUT_EMULATED;
            cx.keep(ID, "response_format.type", ir::Json::of(other), loss, out);
            Ok(ir::Format::Text)
        }
    })
}

/// How much to think. Beside OpenAI's word there are those of its relatives; they go back to this dialect as they came.
fn reasoning(cx: &mut Cx, document: &Document<'_>, out: &mut ir::Extensions) -> ir::ReasoningConfig {
    let mut config = ir::ReasoningConfig::default();
    if let Some(raw) = document.enable_thinking {
        let is_on = json::read::<bool>(raw.get()).ok();
        config.mode = is_on.map(|is_on| if is_on { ir::ReasoningMode::Adaptive } else { ir::ReasoningMode::Off });
        keep_relative(cx, "enable_thinking", raw, is_on.is_some(), out);
    }
    if let Some(raw) = document.thinking {
        let thinking = json::read::<Thinking<'_>>(raw.get()).unwrap_or_default();
        let mode = match thinking.kind.as_deref() {
            Some("enabled" | "adaptive" | "auto") => Some(ir::ReasoningMode::Adaptive),
            Some("disabled") => Some(ir::ReasoningMode::Off),
            _ => None,
        };
        config.mode = mode.or(config.mode);
        keep_relative(cx, "thinking", raw, mode.is_some() && thinking.unknown.iter().next().is_none(), out);
    }
    if let Some(raw) = document.reasoning {
        let asked = json::read::<Reasoning<'_>>(raw.get()).unwrap_or_default();
        config.effort = asked.effort.as_deref().and_then(effort::named);
        config.budget = asked.max_tokens.map(|budget| budget.0);
        if asked.enabled == Some(false) {
            config.mode = Some(ir::ReasoningMode::Off);
        }
        // OpenRouter's word, and thoughts are shown there unless they are excluded.
        let is_hidden = asked.exclude == Some(true);
        config.visibility = Some(if is_hidden { ir::Visibility::Hidden } else { ir::Visibility::Auto });
        keep_relative(cx, "reasoning", raw, asked.unknown.iter().next().is_none(), out);
    }
    if let Some(raw) = document.thinking_budget {
        let budget = json::read::<Integer>(raw.get()).ok();
        config.budget = budget.map(|budget| budget.0).or(config.budget);
        keep_relative(cx, "thinking_budget", raw, budget.is_some(), out);
    }
    let shown = [
        ("include_reasoning", document.include_reasoning, [("true", true), ("false", false), ("", false)]),
        (
            "reasoning_format",
            document.reasoning_format,
            [("\"parsed\"", true), ("\"raw\"", true), ("\"hidden\"", false)],
        ),
    ];
    for (name, raw, words) in shown {
        let Some(raw) = raw else { continue };
        let known = words.into_iter().find(|(word, _)| *word == raw.get()).map(|(_, is_shown)| is_shown);
        config.visibility = known
            .map(|is_shown| if is_shown { ir::Visibility::Auto } else { ir::Visibility::Hidden })
            .or(config.visibility);
        keep_relative(cx, name, raw, known.is_some(), out);
    }
    if let Some(word) = &document.reasoning_effort {
        note(EFFORT_FORM, ir::Json::of(&true), out);
        match effort::named(word) {
            Some(effort) => config.effort = Some(effort),
            None => {
                cx.keep(ID, "reasoning_effort", ir::Json::of(&**word), &codes::EFFORT_APPROXIMATED, out);
            }
        }
    }
    if config.effort == Some(ir::Effort::None) {
        config.mode = Some(ir::ReasoningMode::Off);
    }
    config
}

fn keep_relative(cx: &Cx, name: &'static str, raw: &RawValue, is_understood: bool, out: &mut ir::Extensions) {
    let loss = if is_understood { &codes::WIRE_FORM } else { &codes::REASONING_OPTION_LOST };
    cx.keep(ID, name, cx.json(raw), loss, out);
}

fn caller(cx: &Cx, document: &Document<'_>, out: &mut ir::Extensions) -> Result<ir::Caller> {
    let user = match (&document.safety_identifier, &document.user) {
        (Some(identifier), older) => {
            note(USER_FORM, ir::Json::of("safety_identifier"), out);
            if let Some(older) = older {
                cx.keep(ID, "user", ir::Json::of(&**older), &codes::WIRE_FORM, out);
            }
            Some(identifier)
        }
        (None, Some(user)) => {
            note(USER_FORM, ir::Json::of("user"), out);
            Some(user)
        }
        (None, None) => None,
    };
    let metadata = cx.optional_json(document.metadata);
    if metadata.as_ref().is_some_and(|metadata| !metadata.is_object()) {
        return Err(cx.invalid("metadata", "expected an object"));
    }
    let tier = document.service_tier.as_deref().and_then(openai_chat_completions::tier_named);
    if let (Some(word), None) = (&document.service_tier, tier) {
        cx.keep(ID, "service_tier", ir::Json::of(&**word), &codes::SERVICE_TIER_APPROXIMATED, out);
    }
    let cache_key = cx.optional_text(document.prompt_cache_key.as_ref());
    Ok(ir::Caller { user: cx.optional_text(user), metadata, tier, cache_key })
}

fn tools(cx: &mut Cx, document: &Document<'_>, out: &mut ir::Request) -> Result<()> {
    for (index, tool) in document.tools.iter().flatten().enumerate() {
        out.tools.push(cx.at_item("tools", index, |cx| lower_tool(cx, index, tool))?);
    }
    for (index, tool) in document.functions.iter().flatten().enumerate() {
        let tool = cx.at_item("functions", index, |cx| {
            let mut meta = ir::Meta::at(cx.here());
            note(FIELD_FORM, ir::Json::of("functions"), &mut meta.extensions);
            function(cx, tool, meta, "name")
        })?;
        out.tools.push(ir::Tool::Function(tool));
    }
    if document.functions.as_ref().is_some_and(Vec::is_empty) {
        cx.keep(ID, "functions", ir::Json::of::<[(); 0]>(&[]), &codes::WIRE_FORM, &mut out.extensions);
    }
    if let Some(raw) = document.web_search_options {
        let (value, place) = cx.at("web_search_options", |cx| (cx.json(raw), cx.here()));
        let ability = ir::Ability::WebSearch(web_search(cx, raw)?);
        let kind = ir::Text::constant("web_search_options");
        let loss = &codes::BUILTIN_TOOL_UNSUPPORTED;
        out.tools.push(ir::Tool::Hosted(ir::Hosted {
            dialect: ID,
            kind,
            value,
            ability,
            loss,
            meta: ir::Meta::at(place),
        }));
    }
    Ok(())
}

fn lower_tool(cx: &mut Cx, index: usize, tool: &Tool<'_>) -> Result<ir::Tool> {
    let mut meta = ir::Meta::at(cx.here());
    cx.keep_unknown(ID, &tool.unknown, &mut meta.extensions);
    if let Some(raw) = tool.cache_control {
        meta.cache = Some(ir::CacheMark { ttl: None });
        cx.keep(ID, "cache_control", cx.json(raw), &codes::WIRE_FORM, &mut meta.extensions);
    }
    match (tool.kind.as_deref(), &tool.function, &tool.custom) {
        (Some("function") | None, Some(declared), _) => {
            cx.keep_unknown_under(ID, "function", &declared.unknown, &mut meta.extensions);
            Ok(ir::Tool::Function(function(cx, declared, meta, "function.name")?))
        }
        (Some("custom"), _, Some(declared)) => Ok(ir::Tool::Custom(custom(cx, declared, meta)?)),
        (Some("function") | None, None, _) => Err(cx.invalid("function", "this field is required")),
        (Some("custom"), _, None) => Err(cx.invalid("custom", "this field is required")),
        (Some(kind), _, _) => {
            let body = cx.body();
            let document: RawDocument<'_> = json::document(&body)?;
            let raw = document.tools.as_ref().and_then(|tools| tools.get(index)).copied();
            let value = raw.map_or(ir::Json::NULL, |raw| body.json(raw));
            let ability = if kind.contains("web_search") {
                ir::Ability::WebSearch(ir::WebSearch::default())
            } else {
                ir::Ability::Other
            };
            let (kind, loss) = (kind.into(), &codes::BUILTIN_TOOL_UNSUPPORTED);
            let meta = ir::Meta::at(meta.place);
            Ok(ir::Tool::Hosted(ir::Hosted { dialect: ID, kind, value, ability, loss, meta }))
        }
    }
}

fn function(cx: &Cx, declared: &Function<'_>, mut meta: ir::Meta, key: &str) -> Result<ir::Function> {
    let Function { name, description, parameters, strict, unknown } = declared;
    if key == "name" {
        cx.keep_unknown(ID, unknown, &mut meta.extensions);
    }
    if *strict == Some(true) {
        note(MEANT, ir::Json::of(&true), &mut meta.extensions);
    }
    Ok(ir::Function {
        name: cx.text(cx.required(name.as_ref(), key)?),
        namespace: None,
        description: cx.optional_text(description.as_ref()),
        parameters: cx.optional_json(*parameters).map(ir::Schema::json_schema),
        strict: *strict,
        meta,
    })
}

fn custom(cx: &Cx, declared: &Custom<'_>, mut meta: ir::Meta) -> Result<ir::Custom> {
    let Custom { name, description, format, unknown } = declared;
    cx.keep_unknown_under(ID, "custom", unknown, &mut meta.extensions);
    let mut grammar = None;
    if let Some(CustomFormat { kind, grammar: declared, unknown }) = format {
        cx.keep_unknown_under(ID, "custom.format", unknown, &mut meta.extensions);
        match declared {
            Some(Grammar { definition, syntax, .. }) => {
                grammar = Some(ir::Grammar {
                    syntax: cx.text(cx.required(syntax.as_ref(), "custom.format.grammar.syntax")?),
                    definition: cx.text(cx.required(definition.as_ref(), "custom.format.grammar.definition")?),
                });
            }
            None => {
                let kind = ir::Json::of(kind.as_deref().unwrap_or("text"));
                cx.keep(ID, "custom.format.type", kind, &codes::WIRE_FORM, &mut meta.extensions);
            }
        }
    }
    note(FIELD_FORM, ir::Json::of("custom"), &mut meta.extensions);
    Ok(ir::Custom {
        name: cx.text(cx.required(name.as_ref(), "custom.name")?),
        namespace: None,
        description: cx.optional_text(description.as_ref()),
        grammar,
        meta,
    })
}

fn web_search(cx: &mut Cx, raw: &RawValue) -> Result<ir::WebSearch> {
    let WebSearch { context_size, user_location, .. } = cx.read("web_search_options", raw)?;
    let location = user_location.and_then(|location| location.approximate).map(|location| ir::Location {
        city: cx.optional_text(location.city.as_ref()),
        region: cx.optional_text(location.region.as_ref()),
        country: cx.optional_text(location.country.as_ref()),
        timezone: cx.optional_text(location.timezone.as_ref()),
    });
    Ok(ir::WebSearch { location, context_size: cx.optional_text(context_size.as_ref()), ..ir::WebSearch::default() })
}

fn tool_choice(cx: &mut Cx, document: &Document<'_>, out: &mut ir::Extensions) -> Result<Option<ir::ToolChoice>> {
    let (key, raw) = match (document.tool_choice, document.function_call) {
        (Some(raw), _) => ("tool_choice", raw),
        (None, Some(raw)) => ("function_call", raw),
        (None, None) => return Ok(None),
    };
    let value = cx.json(raw);
    let opaque = || ir::ToolChoice::Opaque { dialect: ID, value: value.clone(), hosted: None };
    if key == "function_call" {
        note(LEGACY_CHOICE, ir::Json::of("function_call"), out);
    }
    let choice = match cx.read::<StrOr<'_, Choice<'_>>>(key, raw)? {
        StrOr::Str(word) => match &*word {
            "auto" => ir::ToolChoice::Auto,
            "none" => ir::ToolChoice::None,
            "required" => ir::ToolChoice::Required,
            // Mistral's word.
            "any" => {
                note(CHOICE_FORM, value.clone(), out);
                ir::ToolChoice::Required
            }
            _ => opaque(),
        },
        StrOr::Other(choice) => {
            if choice.name.is_some() && key == "tool_choice" {
                note(CHOICE_FORM, value.clone(), out);
            }
            if choice.allowed_tools.is_some() {
                note(MEANT, ir::Json::of(&true), out);
            }
            named_choice(cx, &choice).unwrap_or_else(opaque)
        }
    };
    Ok(Some(choice))
}

/// The choice that an object says; `None` for one that only this dialect knows.
fn named_choice(cx: &Cx, choice: &Choice<'_>) -> Option<ir::ToolChoice> {
    if let Some(AllowedTools { mode, tools, .. }) = &choice.allowed_tools {
        let names = tools.iter().flatten().map(|tool| match named_choice(cx, tool) {
            Some(ir::ToolChoice::Tool { name, .. }) => Some(name),
            _ => None,
        });
        let required = mode.as_deref() == Some("required");
        return Some(ir::ToolChoice::Allowed { required, names: names.collect::<Option<Vec<_>>>()? });
    }
    let (named, kind) = match (&choice.function, &choice.custom) {
        (Some(function), _) => (function.name.as_ref(), ir::CallKind::Function),
        (None, Some(custom)) => (custom.name.as_ref(), ir::CallKind::Custom),
        (None, None) => match choice.kind.as_deref() {
            Some("function" | "tool") | None => (choice.name.as_ref(), ir::CallKind::Function),
            Some("custom") => (choice.name.as_ref(), ir::CallKind::Custom),
            Some(_) => (None, ir::CallKind::Function),
        },
    };
    Some(ir::ToolChoice::Tool { name: cx.text(named?), kind })
}
