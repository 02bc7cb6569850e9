//! What models take: the table, cell by cell as the vendors' pages have it; what a configuration corrects; and what
//! backends make of it, what is sent and what is told.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use any_api::backends::{self, Call, Target};
use any_api::capabilities::{Budget, Capabilities, Efforts, Extent, Taken};
use any_api::config::Config;
use any_api::context::{Cx, Ids};
use any_api::diagnostics::Level;
use any_api::ir::{self, Effort};
use serde_json::{Value, json};

const CLAUDE: &str = "claude";
const GEMINI: &str = "gemini";
const CHAT: &str = "openai-chat-completions";
const RESPONSES: &str = "openai-responses";

fn of(model: &str) -> Capabilities {
    Capabilities::of(model)
}

fn efforts(list: &[Effort]) -> Option<Efforts> {
    Some(list.iter().fold(Efforts::EMPTY, |all, effort| all.and(*effort)))
}

fn budget(least: i64, most: i64) -> Option<Budget> {
    Some(Budget::Taken { least, most: Some(most) })
}

/// "Thinking per model", a row a line: thinks unasked, adaptive, enabled, disabled, between tools, words unless asked
/// otherwise, effort unless asked otherwise.
#[test]
fn claude_thinks_as_its_page_says() {
    use Effort::{High, Medium};
    use Extent::{Always, Never, UpTo};
    type Cells = (bool, bool, bool, Extent, Extent, Option<bool>, Option<Effort>);
    let table: &[(&[&str], Cells)] = &[
        (&["claude-opus-5-5"], (true, true, false, Never, Never, Some(false), Some(Medium))),
        (&["claude-fable-5-1", "claude-mythos-5-1"], (true, true, false, Never, Never, Some(false), None)),
        (&["claude-sonnet-5-5"], (true, true, false, Never, UpTo(High), Some(false), Some(High))),
        (&["claude-haiku-5-5"], (true, true, false, Always, Never, None, Some(Medium))),
        (&["claude-fable-5", "claude-mythos-5"], (true, true, false, Never, Never, Some(false), Some(High))),
        (&["claude-opus-5"], (true, true, false, UpTo(High), Never, Some(false), Some(High))),
        (&["claude-sonnet-5"], (true, true, false, Always, Never, Some(false), Some(High))),
        (&["claude-opus-4-7", "claude-opus-4-8"], (false, true, false, Always, Never, Some(false), Some(High))),
        (&["claude-opus-4-6", "claude-sonnet-4-6"], (false, true, true, Always, Never, Some(true), Some(High))),
        (
            &["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"],
            (false, false, true, Always, Never, Some(true), None),
        ),
        (
            &["claude-opus-4-1", "claude-sonnet-4-0", "claude-3-7-sonnet"],
            (false, false, true, Always, Never, Some(true), None),
        ),
    ];
    for (models, (unasked, adaptive, enabled, off, between, shows, effort)) in table {
        for model in *models {
            let takes = of(model);
            assert_eq!(takes.thinks_unasked, Some(*unasked), "{model}: field omitted");
            assert_eq!(takes.adaptive, Some(*adaptive), "{model}: adaptive");
            let has_budget = matches!(takes.budget, Some(Budget::Taken { least: 1_024, most: None }));
            assert_eq!(has_budget, *enabled, "{model}: enabled");
            assert_eq!(takes.budget == Some(Budget::Refused), !enabled, "{model}: no budget");
            assert_eq!(takes.off, Some(*off), "{model}: disabled");
            assert_eq!(takes.between_tools, Some(*between), "{model}: between_tools");
            assert_eq!(takes.shows_thoughts, *shows, "{model}: default display");
            assert_eq!(takes.default_effort, *effort, "{model}: default effort");
        }
    }
    assert_eq!(of("claude-opus-4-5").efforts, efforts(&[Effort::Low, Medium, High]));
    assert_eq!(of("claude-sonnet-4-5").efforts, Some(Efforts::EMPTY));
    assert_eq!(of("claude-3-5-haiku").budget, Some(Budget::Refused));
}

#[test]
fn claude_takes_of_the_rest_what_its_page_says() {
    for (model, sampling, both, prefill, turns, forced) in [
        ("claude-3-opus", Some(Taken::Always), Some(true), Some(true), Some(false), Some(true)),
        ("claude-opus-4-5", Some(Taken::Always), Some(false), Some(true), Some(false), Some(true)),
        ("claude-sonnet-4-6", Some(Taken::Always), Some(false), Some(false), Some(false), Some(true)),
        ("claude-opus-4-7", Some(Taken::Never), Some(false), Some(false), Some(false), Some(true)),
        ("claude-opus-4-8", Some(Taken::Never), Some(false), Some(false), Some(true), Some(true)),
        ("claude-opus-5", Some(Taken::Never), Some(false), Some(false), Some(true), Some(true)),
        ("claude-opus-5-5", Some(Taken::Never), Some(false), Some(false), Some(true), Some(false)),
        ("claude-sonnet-5-5", Some(Taken::Never), Some(false), Some(false), None, Some(false)),
        ("claude-fable-5-1", Some(Taken::Never), Some(false), Some(false), None, Some(false)),
        ("claude-haiku-5-5", Some(Taken::Never), Some(false), Some(false), None, None),
    ] {
        let takes = of(model);
        let found = (takes.sampling, takes.temperature_with_top_p, takes.prefill, takes.system_turns);
        assert_eq!(found, (sampling, both, prefill, turns), "{model}");
        assert_eq!(takes.forced_tool_choice, forced, "{model}");
    }
}

/// `thinkingConfig`, a row a line: budget, levels, whether it can be off, what it does unless asked.
#[test]
fn gemini_thinks_as_its_page_says() {
    use Effort::{High, Low, Medium, Minimal};
    let flash: &[Effort] = &[Minimal, Low, Medium, High];
    let late: &[Effort] = &[Low, Medium, High];
    for (model, bounds, can_be_off, thinks) in [
        ("gemini-2.5-pro", budget(128, 32_768), Extent::Never, true),
        ("gemini-2.5-flash", budget(1, 24_576), Extent::Always, true),
        ("gemini-2.5-flash-lite", budget(512, 24_576), Extent::Always, false),
    ] {
        let takes = of(model);
        assert_eq!((takes.budget, takes.efforts), (bounds, Some(Efforts::EMPTY)), "{model}");
        assert_eq!((takes.off, takes.thinks_unasked), (Some(can_be_off), Some(thinks)), "{model}");
        let old = [takes.signatures, takes.media_in_results, takes.media_resolution, takes.hosted_with_functions];
        assert_eq!(old, [Some(false); 4], "{model}");
        assert_eq!(takes.media_urls, Some(false), "{model}");
    }
    for (model, levels, default) in [
        ("gemini-3-flash-preview", flash, High),
        ("gemini-3.1-pro-preview", late, High),
        ("gemini-3.1-flash-lite", flash, Minimal),
        ("gemini-3.5-flash-lite", flash, Minimal),
        ("gemini-3.5-flash", flash, Medium),
        ("gemini-3.6-flash", flash, Medium),
        ("gemini-3.7-flash", late, Medium),
        ("gemini-3.8-flash", late, Medium),
    ] {
        let takes = of(model);
        assert_eq!(takes.efforts, efforts(levels), "{model}");
        assert_eq!(takes.default_effort, Some(default), "{model}");
        assert_eq!((takes.budget, takes.off), (Some(Budget::Refused), Some(Extent::Never)), "{model}");
        let new = [takes.signatures, takes.media_in_results, takes.media_resolution, takes.hosted_with_functions];
        assert_eq!(new, [Some(true); 4], "{model}");
        assert_eq!(takes.media_urls, Some(true), "{model}");
    }
}

#[test]
fn openai_thinks_as_its_reference_says() {
    use Effort::{High, Low, Max, Medium, Minimal, Xhigh};
    let wait = Some(Taken::WithoutThought);
    let table: &[(&str, &[Effort], Extent, Option<Taken>)] = &[
        ("o1", &[Low, Medium, High], Extent::Never, None),
        ("o3", &[Low, Medium, High], Extent::Never, wait),
        ("o3-mini", &[Low, Medium, High], Extent::Never, Some(Taken::Always)),
        ("gpt-5-mini", &[Minimal, Low, Medium, High], Extent::Never, wait),
        ("gpt-5-pro", &[High], Extent::Never, wait),
        ("gpt-5.1", &[Low, Medium, High], Extent::Always, wait),
        ("gpt-5.1-codex-max", &[Low, Medium, High, Xhigh], Extent::Always, wait),
        ("gpt-5.2", &[Low, Medium, High, Xhigh], Extent::Always, wait),
        ("gpt-5.6-terra", &[Low, Medium, High, Xhigh, Max], Extent::Always, wait),
        ("gpt-6-astra", &[Low, Medium, High, Xhigh, Max], Extent::Never, wait),
        ("gpt-6.1-sol", &[Low, Medium, High, Xhigh, Max], Extent::Never, wait),
    ];
    for (model, list, off, stops) in table {
        let takes = of(model);
        assert_eq!(takes.efforts, efforts(list), "{model}");
        assert_eq!((takes.off, takes.stops, takes.sampling), (Some(*off), *stops, wait), "{model}");
        assert_eq!(takes.developer_role, Some(true), "{model}");
    }
    for (model, effort, thinks) in [
        ("gpt-5-nano", Some(Medium), true),
        ("gpt-5-pro", Some(High), true),
        ("gpt-5.2", None, false),
        ("gpt-5.4-mini", None, false),
        ("openai.gpt-5.5", Some(Medium), true),
        ("gpt-5.6-luna", Some(Medium), true),
        ("o4-mini", Some(Medium), true),
    ] {
        assert_eq!((of(model).default_effort, of(model).thinks_unasked), (effort, Some(thinks)), "{model}");
    }
    assert_eq!(of("gpt-5.3").tools_with_effort, None);
    assert_eq!(of("gpt-5.4-mini").tools_with_effort, Some(false));
    assert_eq!((of("gpt-5.5").cache_marks, of("gpt-5.6").cache_marks), (None, Some(true)));
    assert_eq!((of("gpt-4o").max_completion_tokens, of("gpt-4o").sampling), (Some(true), None));
    assert_eq!(of("gpt-oss-120b").max_completion_tokens, Some(false));
    assert_eq!(of("gpt-5-chat-latest").sampling, Some(Taken::Always));
}

#[test]
fn names_are_read_however_they_are_dressed() {
    for (plain, dressed) in [
        (
            "claude-opus-4-5",
            &[
                "claude-opus-4.5",
                "claude-opus-4-5-20251101",
                "claude-opus-4-5-latest",
                "claude-opus-4-5@20251101",
                "anthropic/claude-opus-4.5",
                "openrouter/anthropic/claude-opus-4.5:thinking",
                "anthropic.claude-opus-4-5-20251101-v1:0",
                "us.anthropic.claude-opus-4-5-20251101-v1:0",
                "Claude-Opus-4-5",
            ][..],
        ),
        ("claude-sonnet-3.5", &["claude-3-5-sonnet-20241022", "claude-3.5-sonnet", "claude-3-5-sonnet-latest"]),
        ("claude-opus-4", &["claude-opus-4-20250514", "claude-opus-4-0"]),
        ("gemini-2.5-flash-lite", &["models/gemini-2.5-flash-lite", "gemini-2.5-flash-lite-preview-09-2025"]),
        ("gpt-5.4", &["openai/gpt-5.4", "gpt-5.4-2026-03-05", "openai/gpt-5.4:free"]),
        ("gpt-5", &["gpt-5-2025-08-07"]),
        ("o4-mini", &["o4-mini-2025-04-16", "openai/o4-mini"]),
    ] {
        assert_ne!(of(plain), Capabilities::UNKNOWN, "{plain}");
        for name in dressed {
            assert_eq!(of(name), of(plain), "{name}");
        }
    }
    for unknown in [
        "",
        "up-model",
        "claude-up",
        "model",
        "gemini",
        "qwen3-max",
        "my-claude-opus-5",
        "orca",
        "o",
        "-",
        "gemini-flash-latest",
    ] {
        assert_eq!(of(unknown), Capabilities::UNKNOWN, "{unknown}");
    }
}

#[test]
fn efforts_are_sets() {
    let set = efforts(&[Effort::Low, Effort::High]).unwrap();
    let nearest = |effort| set.nearest(effort).unwrap();
    assert_eq!((nearest(Effort::Minimal), nearest(Effort::Medium)), (Effort::Low, Effort::Low));
    assert_eq!((nearest(Effort::None), nearest(Effort::Max)), (Effort::Low, Effort::High));
    assert_eq!(Efforts::EMPTY.nearest(Effort::Low), None);
    assert_eq!(Efforts::range(Effort::Minimal, Effort::Max).iter().count(), 6);
    assert_eq!(format!("{set:?}"), "{Low, High}");
}

fn config(text: &str) -> Config {
    Config::read_text("test", text, &|_| None, &["echo"]).unwrap()
}

#[test]
fn a_configuration_corrects_the_table() {
    let config = config(
        "{ version: 1, providers: { up: { type: 'echo',
            capabilities: { prefill: true, efforts: ['low', 'max'], off: 'high', stops: 'withoutThought' },
            models: { opus: { upstreamModel: 'claude-opus-5.5', capabilities: { prefill: false, budget: { least: 7, most: 9 } } },
                '*': { capabilities: { sampling: false, budget: false, maxOutputTokens: 5, betweenTools: true } } } } } }",
    );
    assert!(config.problems.is_empty(), "{:?}", config.problems);
    let takes = |model: &str| config.resolve(model).unwrap().targets[0].capabilities;
    let both = Capabilities {
        prefill: Some(true),
        efforts: efforts(&[Effort::Low, Effort::Max]),
        off: Some(Extent::UpTo(Effort::High)),
        stops: Some(Taken::WithoutThought),
        ..Capabilities::UNKNOWN
    };
    let opus = Capabilities { prefill: Some(false), budget: budget(7, 9), ..both };
    assert_eq!(takes("up.opus"), of("claude-opus-5.5").with(&opus));
    let any = Capabilities {
        sampling: Some(Taken::Never),
        budget: Some(Budget::Refused),
        max_output_tokens: Some(5),
        between_tools: Some(Extent::Always),
        ..both
    };
    assert_eq!(takes("up.gemini-2.5-pro"), of("gemini-2.5-pro").with(&any));
    assert_eq!(takes("up.whatever"), any);
}

#[test]
fn a_wrong_capability_is_told() {
    for (fields, problem) in [
        ("prefil: true", ".prefil: there is no such key; did you mean `prefill`?"),
        ("prefill: 'yes'", ".prefill: expected true or false, found a string"),
        ("efforts: 'low'", ".efforts: expected a list of efforts, found a string"),
        ("efforts: ['low', 'none']", ".efforts[1]: whether thinking can be off is said by `off`"),
        ("budget: true", ".budget: expected false or an object with `least` and `most`, found true or false"),
        ("budget: { least: 9, most: 8 }", ".budget: `most` is less than `least`"),
        ("off: 3", ".off: expected true, false or the greatest effort it goes with, found a number"),
        ("sampling: 'sometimes'", ".sampling: there is no such word; expected true, false or `withoutThought`"),
        ("reasoningEffort: 'low'", ".reasoningEffort: there is no such key here; it belongs in `options`"),
    ] {
        let text = format!(
            "{{ version: 1, providers: {{ up: {{ type: 'echo', models: {{ m: {{ capabilities: {{ {fields} }} }} }} }} }} }}"
        );
        let found: Vec<String> = config(&text).problems.iter().map(ToString::to_string).collect();
        assert_eq!(found, [format!("providers.up.models.m.capabilities{problem}")]);
    }
    let text = "{ version: 1, providers: { up: { type: 'echo', models: { m: {} }, prefill: true } } }";
    assert_eq!(
        config(text).problems[0].to_string(),
        "providers.up.prefill: there is no such key here; it belongs in `capabilities`"
    );
}

fn message(role: ir::Role, text: &str) -> ir::Message {
    let part = ir::Part::Text(ir::TextPart { text: text.into(), ..ir::TextPart::default() });
    ir::Message {
        place: ir::Place::default(),
        role,
        name: None,
        parts: [part].into_iter().collect(),
        extensions: ir::Extensions::default(),
    }
}

fn hello() -> ir::Request {
    ir::Request { messages: vec![message(ir::Role::User, "hi")], ..ir::Request::default() }
}

fn with_effort(effort: Effort) -> ir::Request {
    let reasoning = ir::ReasoningConfig { effort: Some(effort), ..ir::ReasoningConfig::default() };
    ir::Request { reasoning, ..hello() }
}

fn with_tool(request: ir::Request) -> ir::Request {
    let function = ir::Function {
        name: "look".into(),
        namespace: None,
        description: None,
        parameters: None,
        strict: None,
        meta: ir::Meta::default(),
    };
    ir::Request { tools: vec![ir::Tool::Function(function)], ..request }
}

/// What a model gets, and what is told of it.
fn raise(dialect: &str, model: &str, request: &ir::Request) -> (Value, Vec<&'static str>) {
    let target = Target {
        provider: "up".to_owned(),
        model: model.to_owned(),
        base_url: "https://host.example".to_owned(),
        capabilities: of(model),
        ..Target::default()
    };
    let mut cx = Cx::new(ir::Body::new("{}".to_owned()), 0, Ids::new(7));
    let raised = backends::of_dialect(dialect).unwrap().raise(&mut cx, request, &target).unwrap();
    let Call::Send(http) = raised.call else { panic!("not sent") };
    let told = cx.take_diagnostics();
    let told = told.iter().filter(|loss| loss.code.level != Level::Allow).map(|loss| loss.code.name);
    let told = told.filter(|name| *name != "max-tokens-defaulted").collect();
    (serde_json::from_slice(&http.body).unwrap(), told)
}

#[test]
fn claude_is_asked_to_think_as_the_model_takes_it() {
    let by_budget = |budget| {
        let reasoning = ir::ReasoningConfig { budget: Some(budget), ..ir::ReasoningConfig::default() };
        ir::Request { reasoning, max_output_tokens: Some(60_000), ..hello() }
    };
    let between = ir::ReasoningConfig {
        mode: Some(ir::ReasoningMode::BetweenTools),
        effort: Some(Effort::Max),
        ..ir::ReasoningConfig::default()
    };
    let between = ir::Request { reasoning: between, ..hello() };
    let off_but_hard = ir::ReasoningConfig {
        mode: Some(ir::ReasoningMode::Off),
        effort: Some(Effort::Max),
        ..ir::ReasoningConfig::default()
    };
    let off_but_hard = ir::Request { reasoning: off_but_hard, ..hello() };
    let adaptive = json!({"type": "adaptive"});
    let disabled = json!({"type": "disabled"});
    let enabled = |budget: i64| json!({"type": "enabled", "budget_tokens": budget});
    let cases: Vec<(&str, ir::Request, Value, Value, &[&str])> = vec![
        ("claude-opus-5-5", with_effort(Effort::Max), adaptive.clone(), json!("max"), &[]),
        (
            "claude-opus-5-5",
            with_effort(Effort::None),
            adaptive.clone(),
            json!("low"),
            &["thinking-cannot-be-disabled"],
        ),
        ("claude-opus-5-5", by_budget(9_000), adaptive.clone(), json!("medium"), &["budget-to-effort"]),
        ("claude-opus-5-5", between.clone(), adaptive.clone(), json!("low"), &["reasoning-option-lost"]),
        (
            "claude-sonnet-5-5",
            with_effort(Effort::None),
            json!({"type": "between_tools"}),
            json!("low"),
            &["thinking-cannot-be-disabled"],
        ),
        ("claude-sonnet-5-5", between, json!({"type": "between_tools"}), json!("high"), &["effort-approximated"]),
        ("claude-opus-5", with_effort(Effort::None), disabled.clone(), Value::Null, &[]),
        ("claude-opus-5", off_but_hard.clone(), disabled.clone(), json!("high"), &["effort-approximated"]),
        ("claude-sonnet-5", off_but_hard, disabled.clone(), json!("max"), &[]),
        ("claude-opus-4-6", by_budget(9_000), enabled(9_000), Value::Null, &[]),
        ("claude-opus-4-6", with_effort(Effort::Xhigh), adaptive.clone(), json!("high"), &["effort-approximated"]),
        ("claude-sonnet-4-5", with_effort(Effort::Medium), enabled(8_192), Value::Null, &["effort-to-budget"]),
        ("claude-sonnet-4-5", with_effort(Effort::None), disabled, Value::Null, &[]),
        ("claude-opus-4-5", with_effort(Effort::Low), enabled(1_024), json!("low"), &["effort-to-budget"]),
        ("claude-3-5-sonnet", with_effort(Effort::High), Value::Null, Value::Null, &["reasoning-option-lost"]),
        ("claude-3-5-sonnet", with_effort(Effort::None), Value::Null, Value::Null, &[]),
        ("up-model", with_effort(Effort::High), adaptive, json!("high"), &[]),
        ("up-model", by_budget(9_000), enabled(9_000), Value::Null, &[]),
    ];
    for (model, request, thinking, effort, told) in cases {
        let (body, found) = raise(CLAUDE, model, &request);
        assert_eq!((&body["thinking"], &body["output_config"]["effort"]), (&thinking, &effort), "{model}: {body}");
        assert_eq!(found, told, "{model}: {body}");
    }
    let limit = |model: &str, request: &ir::Request| raise(CLAUDE, model, request).0["max_tokens"].clone();
    assert_eq!(limit("claude-3-haiku", &hello()), 4_096);
    assert_eq!(limit("claude-opus-4-1", &with_effort(Effort::High)), 32_000);
    assert_eq!(limit("claude-opus-5-5", &hello()), 16_384);
    assert_eq!(limit("up-model", &hello()), 8_192);
}

#[test]
fn claude_gets_of_the_rest_what_the_model_takes() {
    let sampled = |temperature, top_p| {
        let sampling = ir::Sampling { temperature: Some(temperature), top_p: Some(top_p), ..ir::Sampling::default() };
        ir::Request { sampling, ..hello() }
    };
    for (model, temperature, top_p, told) in [
        ("claude-3-opus", json!(0.5), json!(0.5), 0),
        ("claude-opus-4-5", json!(0.5), Value::Null, 1),
        ("claude-opus-4-7", Value::Null, Value::Null, 2),
        ("up-model", json!(0.5), Value::Null, 1),
    ] {
        let (body, found) = raise(CLAUDE, model, &sampled(0.5, 0.5));
        assert_eq!((&body["temperature"], &body["top_p"]), (&temperature, &top_p), "{model}");
        assert_eq!(found, vec!["sampling-dropped"; told], "{model}");
    }
    // What would be so anyway is not missed.
    assert_eq!(raise(CLAUDE, "claude-opus-5-5", &sampled(1.0, 1.0)).1, [""; 0]);

    let forced = ir::Request { tool_choice: Some(ir::ToolChoice::Required), ..with_tool(hello()) };
    let (body, told) = raise(CLAUDE, "claude-opus-5-5", &forced);
    assert_eq!(
        (&body["tool_choice"], &body["system"]),
        (&json!({"type": "auto"}), &json!("Answer by calling one of the tools."))
    );
    assert_eq!(told, ["tool-choice-weakened"]);
    let (body, told) = raise(CLAUDE, "claude-opus-5", &forced);
    assert_eq!((&body["tool_choice"], told.len()), (&json!({"type": "any"}), 0));

    let mut begun = hello();
    begun.messages.push(message(ir::Role::Assistant, "Well,"));
    assert_eq!(raise(CLAUDE, "claude-opus-4-6", &begun).1, ["turn-inserted"]);
    assert_eq!(raise(CLAUDE, "claude-opus-4-5", &begun).1, [""; 0]);
    assert_eq!(raise(CLAUDE, "up-model", &begun).1, ["turn-inserted"]);

    let mut late = hello();
    late.messages.push(message(ir::Role::Developer, "Be brief."));
    let (body, told) = raise(CLAUDE, "claude-opus-4-8", &late);
    assert_eq!(body["messages"][1], json!({"role": "system", "content": "Be brief."}));
    assert_eq!(told, [""; 0]);
    assert_eq!(raise(CLAUDE, "claude-opus-4-7", &late).1, ["instruction-moved"]);
    // Behind the assistant's words there is no place for the operator's.
    late.messages.insert(1, message(ir::Role::Assistant, "Hm."));
    late.messages.push(message(ir::Role::User, "go on"));
    assert_eq!(raise(CLAUDE, "claude-opus-4-8", &late).1, ["instruction-moved"]);

    let schema =
        ir::Schema { json: ir::Json::of(&json!({"type": "object"})), language: ir::SchemaLanguage::JsonSchema };
    let format = ir::Format::Schema(ir::OutputSchema { name: None, description: None, schema, strict: None });
    let shaped = ir::Request { output: ir::Output { format, verbosity: None }, ..hello() };
    let (body, told) = raise(CLAUDE, "claude-sonnet-4-0", &shaped);
    assert!(body.get("output_config").is_none() && body["system"].as_str().unwrap().contains("JSON Schema"), "{body}");
    assert_eq!(told, ["structured-output-emulated"]);
    assert_eq!(raise(CLAUDE, "claude-opus-4-1", &shaped).0["output_config"]["format"]["type"], "json_schema");
}

#[test]
fn gemini_gets_what_the_model_takes() {
    let thinking = |model: &str, effort| {
        let (body, told) = raise(GEMINI, model, &with_effort(effort));
        (body["generationConfig"]["thinkingConfig"].clone(), told)
    };
    for (model, effort, config, told) in [
        ("gemini-2.5-pro", Effort::None, json!({"thinkingBudget": 128}), &["thinking-cannot-be-disabled"][..]),
        ("gemini-2.5-flash", Effort::None, json!({"thinkingBudget": 0}), &[]),
        ("gemini-2.5-flash-lite", Effort::Minimal, json!({"thinkingBudget": 512}), &["effort-to-budget"]),
        ("gemini-3-flash-preview", Effort::Minimal, json!({"thinkingLevel": "MINIMAL"}), &[]),
        ("gemini-3.5-flash", Effort::None, json!({"thinkingLevel": "MINIMAL"}), &["thinking-cannot-be-disabled"]),
        ("gemini-3.7-flash", Effort::Minimal, json!({"thinkingLevel": "LOW"}), &["effort-approximated"]),
        ("gemini-3.1-pro-preview", Effort::Max, json!({"thinkingLevel": "HIGH"}), &["effort-approximated"]),
        ("gemini-2.0-flash", Effort::High, Value::Null, &["reasoning-option-lost"]),
        ("gemini-2.0-flash", Effort::None, Value::Null, &[]),
        ("up-model", Effort::Minimal, json!({"thinkingLevel": "LOW"}), &["effort-approximated"]),
    ] {
        assert_eq!(thinking(model, effort), (config, told.to_vec()), "{model} {effort:?}");
    }
}

#[test]
fn openai_gets_what_the_model_takes() {
    let effort = |dialect: &str, model: &str, request: &ir::Request| {
        let (body, told) = raise(dialect, model, request);
        let field = if dialect == CHAT { &body["reasoning_effort"] } else { &body["reasoning"]["effort"] };
        (field.clone(), told)
    };
    for dialect in [CHAT, RESPONSES] {
        for (model, asked, sent, told) in [
            ("gpt-5", Effort::None, "minimal", &["thinking-cannot-be-disabled"][..]),
            ("gpt-5-pro", Effort::Low, "high", &["effort-approximated"]),
            ("gpt-5.1", Effort::Minimal, "low", &["effort-approximated"]),
            ("gpt-5.1", Effort::None, "none", &[]),
            ("gpt-5.2", Effort::Max, "xhigh", &["effort-approximated"]),
            ("gpt-5.6", Effort::Max, "max", &[]),
            ("gpt-6-astra", Effort::None, "low", &["thinking-cannot-be-disabled"]),
            ("o3", Effort::Minimal, "low", &["effort-approximated"]),
            ("up-model", Effort::Minimal, "minimal", &[]),
            // Whoever stands between turns an effort into the model's budget.
            ("google/gemini-2.5-flash", Effort::Max, "max", &[]),
        ] {
            assert_eq!(effort(dialect, model, &with_effort(asked)), (json!(sent), told.to_vec()), "{dialect} {model}");
        }
        let sampling = ir::Sampling { temperature: Some(0.5), top_p: Some(1.0), ..ir::Sampling::default() };
        for (model, asked, is_sent) in [
            ("gpt-5", None, false),
            ("gpt-5.1", None, true),
            ("gpt-5.1", Some(Effort::Low), false),
            ("gpt-5.4-nano", None, true),
            ("gpt-5.5", None, false),
            ("gpt-5.6-sol", Some(Effort::None), true),
            ("gpt-4.1", None, true),
            ("up-model", Some(Effort::High), true),
        ] {
            let request = asked.map_or_else(hello, with_effort);
            let (body, told) = raise(dialect, model, &ir::Request { sampling: sampling.clone(), ..request });
            assert_eq!((body.get("temperature").is_some(), body.get("top_p").is_some()), (is_sent, is_sent), "{model}");
            assert_eq!(told, vec!["sampling-dropped"; usize::from(!is_sent)], "{dialect} {model}");
        }
    }
    let stops = ir::Sampling { stop: vec!["END".into()], ..ir::Sampling::default() };
    let stops = |request| ir::Request { sampling: stops.clone(), ..request };
    assert_eq!(raise(CHAT, "gpt-5", &stops(hello())).1, ["stop-unsupported"]);
    assert_eq!(raise(CHAT, "gpt-5.1", &stops(with_effort(Effort::None))).0["stop"], json!(["END"]));
    assert_eq!(raise(CHAT, "o1", &stops(hello())).0["stop"], json!(["END"]));

    // Tools and thought at once are refused in Chat Completions since GPT-5.4.
    let tools = with_tool(with_effort(Effort::High));
    assert_eq!(effort(CHAT, "gpt-5.4", &tools), (json!("none"), vec!["reasoning-option-lost"]));
    assert_eq!(effort(CHAT, "gpt-6-astra", &tools), (Value::Null, vec!["reasoning-option-lost"]));
    assert_eq!(effort(CHAT, "gpt-5.2", &tools), (json!("high"), vec![]));
    assert_eq!(effort(CHAT, "up-model", &tools), (json!("high"), vec![]));
    assert_eq!(effort(RESPONSES, "gpt-5.4", &tools), (json!("high"), vec![]));
}
