//! Chat Completions on fixtures of our own.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use any_api::backends::{self, Backend, Call, Memo, Names, Target};
use any_api::capabilities::Capabilities;
use any_api::context::{Cx, Ids};
use any_api::diagnostics::{Level, codes};
use any_api::dialects::openai_chat_completions::ID;
use any_api::envelope;
use any_api::error::{Error, Kind};
use any_api::frontends::{self, Asked, Frontend, Lowered, Operation, Route};
use any_api::ir::{self, Event, Json, Meta, Part};
use serde_json::{Value, json};

const FRONTEND: frontends::OpenaiChatCompletions = frontends::OpenaiChatCompletions;
const BACKEND: backends::OpenaiChatCompletions = backends::OpenaiChatCompletions;

fn context(document: &str) -> Cx {
    Cx::new(ir::Body::new(document.to_owned()), 1_700_000_000, Ids::new(7))
}

fn target() -> Target {
    let base_url = "http://upstream.example".to_owned();
    Target { provider: "up".to_owned(), model: "m".to_owned(), base_url, ..Target::default() }
}

fn lower(body: &Value) -> Result<(Cx, Lowered), Error> {
    let mut cx = context(&body.to_string());
    let lowered = FRONTEND.lower(&mut cx, &Route::to(Operation::Generate))?;
    Ok((cx, lowered))
}

/// The upstream's request, and the codes of what was lost.
fn raise(cx: &mut Cx, request: &ir::Request, target: &Target) -> (Value, Vec<&'static str>) {
    let raised = BACKEND.raise(cx, request, target).unwrap();
    let Call::Send(http) = raised.call else { panic!() };
    let losses = cx.take_diagnostics();
    let told = losses.iter().filter(|loss| loss.code.level > Level::Allow).map(|loss| loss.code.name);
    (serde_json::from_slice(&http.body).unwrap(), told.collect())
}

/// Lowers and raises, for an upstream of the same dialect.
fn there_and_back(body: &Value) -> (Value, Vec<&'static str>) {
    let (mut cx, lowered) = lower(body).unwrap();
    raise(&mut cx, &lowered.request, &target())
}

#[test]
fn claims_its_paths() {
    for path in ["/v1/chat/completions", "/chat/completions", "/openai/v1/chat/completions"] {
        assert_eq!(FRONTEND.claim("POST", path, "").unwrap().operation, Operation::Generate, "{path}");
        assert!(FRONTEND.claim("GET", path, "").is_none());
    }
    assert!(FRONTEND.claim("POST", "/v1/responses", "").is_none());
}

#[test]
fn errors_name_the_place() {
    let user = json!([{"role": "user", "content": "hi"}]);
    for (body, place, message) in [
        (json!({"messages": user}), "model", "required"),
        (json!({"model": "m"}), "messages", "required"),
        (json!({"model": "m", "messages": []}), "messages", "at least one"),
        (json!({"model": 5, "messages": user}), "model", "expected a string"),
        (json!({"model": "m", "messages": user, "temperature": "hot"}), "temperature", "invalid type"),
        (json!({"model": "m", "messages": user, "max_tokens": -1}), "max_tokens", "negative"),
        (json!({"model": "m", "messages": user, "metadata": []}), "metadata", "an object"),
        (json!({"model": "m", "messages": [{"content": "hi"}]}), "messages[0].role", "required"),
        (json!({"model": "m", "messages": [{"role": "robot", "content": "hi"}]}), "messages[0].role", "robot"),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": 5}]}),
            "messages[0].content",
            "a string, a list",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": [{}]}]}),
            "messages[0].content[0].type",
            "required",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}),
            "messages[0].content[0].text",
            "expected a string",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}),
            "messages[0].content[0].image_url.url",
            "required",
        ),
        (
            json!({"model": "m", "messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "function"}]}]}),
            "messages[0].tool_calls[0].function",
            "required",
        ),
        (
            json!({"model": "m", "messages": user, "tools": [{"type": "function", "function": {}}]}),
            "tools[0].function.name",
            "required",
        ),
        (json!({"model": "m", "messages": user, "response_format": {}}), "response_format.type", "required"),
    ] {
        let error = lower(&body).unwrap_err();
        assert_eq!(error.kind, Kind::InvalidRequest);
        assert_eq!(error.place.as_deref(), Some(place), "{body}: {error}");
        assert!(error.message.contains(message), "{body}: {error}");
    }
}

#[test]
fn a_request_for_the_same_dialect_is_the_same() {
    let image = "data:image/PNG;charset=x;base64,iVBORw0KGgo=";
    for body in [
        json!({
            "model": "m",
            "messages": [
                {"role": "developer", "name": "op", "content": "Be brief.", "own": 1},
                {"role": "system", "content": [
                    {"type": "text", "text": "Facts:", "cache_control": {"type": "ephemeral"}},
                    {"type": "text", "text": "none", "x": true},
                ]},
                {"role": "user", "name": "ann", "content": [
                    {"type": "text", "text": "What is this?", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
                    {"type": "image_url", "image_url": {"url": image, "detail": "low", "y": 2}},
                    {"type": "image_url", "image_url": "https://example.com/a.png"},
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "flac"}},
                    {"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.pdf"}},
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}},
                    {"type": "file", "file": {"file_id": "file-1"}},
                    {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
                ]},
                {"role": "system", "content": "Later words."},
                {"role": "assistant", "content": "", "refusal": "No.", "reasoning_content": "Hm.", "tool_calls": [
                    {"id": "a", "type": "function", "index": 0, "function": {"name": "f", "arguments": "{ }", "z": 1},
                     "extra_content": {"google": {"thought_signature": "c2ln", "w": 1}, "v": 2}},
                    {"id": "b", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}},
                ]},
                {"role": "tool", "tool_call_id": "b", "name": "patch", "content": [{"type": "text", "text": "ok"}]},
                {"role": "tool", "tool_call_id": "a", "content": ""},
                {"role": "user", "content": "", "u": null},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "I see."}], "closed": true},
                    {"type": "text", "text": "So be it."},
                    {"type": "refusal", "refusal": "But no."},
                ], "prefix": false, "annotations": [], "audio": {"id": "audio_1"}},
                {"role": "user", "content": "Go on."},
            ],
            "tools": [
                {"type": "function", "function": {"name": "f", "description": "d", "strict": true, "parameters":
                    {"type": "object", "properties": {}}, "k": 1}, "eager": true},
                {"type": "custom", "custom": {"name": "patch", "description": "d",
                    "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: x"}}}},
                {"type": "openrouter:web_search", "parameters": {"max": 1}},
            ],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
                {"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "patch"}}]}},
            "parallel_tool_calls": false,
            "max_tokens": 10, "max_completion_tokens": 20, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "seed": 1,
            "presence_penalty": 0.1, "frequency_penalty": 0, "stop": ["a", "b", "c", "d", "e"], "n": 2,
            "logprobs": true, "top_logprobs": 2, "logit_bias": {"1": 2},
            "reasoning_effort": "high", "verbosity": "low",
            "response_format": {"type": "json_schema", "json_schema":
                {"name": "s", "description": "d", "schema": {"type": "object"}, "strict": false, "h": 1}, "i": 2},
            "modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"},
            "prediction": {"type": "content", "content": "x"}, "moderation": {"model": "o"},
            "web_search_options": {"search_context_size": "low"},
            "metadata": {"a": "b"}, "user": "u", "safety_identifier": "s", "prompt_cache_key": "k",
            "prompt_cache_options": {"mode": "implicit"}, "prompt_cache_retention": "24h",
            "service_tier": "flex", "store": true, "stream": true,
            "stream_options": {"include_usage": true, "include_obfuscation": false},
            "provider": {"order": ["x"]},
        }),
        json!({
            "model": "m", "stream": false, "stop": "\n", "max_completion_tokens": 5, "safety_identifier": "x".repeat(100),
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
                {"role": "function", "name": "f", "content": "1"},
            ],
            "functions": [{"name": "f", "parameters": {"type": "object", "properties": {}}}],
            "function_call": {"name": "f"},
            "reasoning": {"effort": "low", "exclude": true}, "enable_thinking": false,
            "service_tier": "standard_only", "response_format": {"type": "text"}, "logprobs": false,
        }),
        json!({
            "model": "m", "tool_choice": "any", "thinking": {"type": "enabled", "clear_thinking": false},
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": "Hello.", "reasoning": "Greet.", "reasoning_details": [
                    {"type": "reasoning.summary", "summary": "Greet.", "format": "openai-responses-v1", "index": 0},
                    {"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "index": 0},
                ]},
                {"role": "user", "content": "bye"},
            ],
            "response_format": {"type": "json_object"},
        }),
    ] {
        let (got, losses) = there_and_back(&body);
        let mut want = body.clone();
        for message in want["messages"].as_array_mut().unwrap() {
            message.as_object_mut().unwrap().shift_remove("u");
        }
        assert_eq!(sorted(got), sorted(want));
        assert_eq!(losses, Vec::<&str>::new());
    }
}

/// The value with its keys in order, and numbers alike.
fn sorted(value: Value) -> String {
    fn sort(value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.into_iter().map(|(key, value)| (key, sort(value))).collect();
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Object(fields.into_iter().collect())
            }
            Value::Array(list) => list.into_iter().map(sort).collect(),
            Value::Number(number) => number.as_f64().into(),
            other => other,
        }
    }
    serde_json::to_string_pretty(&sort(value)).unwrap()
}

fn text(text: &str) -> Part {
    Part::Text(ir::TextPart { text: text.into(), ..ir::TextPart::default() })
}

fn message(role: ir::Role, parts: Vec<Part>) -> ir::Message {
    ir::Message {
        place: ir::Place::default(),
        role,
        name: None,
        parts: parts.into(),
        extensions: ir::Extensions::default(),
    }
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    let (id, name, arguments) = (id.into(), name.into(), arguments.into());
    Part::ToolCall(ir::ToolCall { id, name, arguments, ..ir::ToolCall::default() })
}

fn result(id: &str, content: Vec<Part>, error: bool) -> Part {
    Part::ToolResult(ir::ToolResult { call_id: id.into(), content, error, ..ir::ToolResult::default() })
}

fn picture() -> Part {
    Part::Media(ir::Media {
        kind: ir::MediaKind::Image,
        source: ir::MediaSource::Inline("iVBORw0KGgo-_w".into()),
        mime: Some("image/png".into()),
        name: None,
        detail: None,
        meta: Meta::default(),
    })
}

fn seal(dialect: &'static str, payload: &str) -> ir::Sealed {
    let issuer = ir::Issuer { dialect: dialect.into(), provider: Some("other".into()), model: Some("m".into()) };
    ir::Sealed { issuer, payload: payload.into(), note: None }
}

fn thought(words: &str, seal: Option<ir::Sealed>) -> Part {
    let meta = Meta { seal: seal.map(Box::new), ..Meta::default() };
    Part::Reasoning(ir::Reasoning { text: words.into(), form: ir::ReasoningForm::Summary, meta })
}

fn instruction(role: ir::Role, text: &str) -> ir::Instruction {
    ir::Instruction { role, text: text.into(), meta: Meta::default() }
}

#[test]
fn another_dialects_conversation_is_told_as_all_upstreams_know_it() {
    let request = ir::Request {
        instructions: vec![instruction(ir::Role::System, "One."), instruction(ir::Role::Developer, "Two.")],
        messages: vec![
            message(ir::Role::User, vec![text("Look."), text("Well?")]),
            message(
                ir::Role::Assistant,
                vec![
                    thought("secret", Some(seal("claude", "sig"))),
                    text("I look."),
                    call("a", "see", "{}"),
                    call("b", "see", "{}"),
                ],
            ),
            message(
                ir::Role::User,
                vec![
                    result("b", vec![text("gone")], true),
                    result("a", vec![text("here"), picture()], false),
                    text("And now?"),
                ],
            ),
            message(ir::Role::Assistant, vec![thought("only thoughts", None)]),
            message(ir::Role::User, vec![text("Say.")]),
        ],
        ..ir::Request::default()
    };
    let (got, losses) = raise(&mut context(""), &request, &target());
    assert_eq!(
        got["messages"],
        json!([
            {"role": "system", "content": "One.\n\nTwo."},
            {"role": "user", "content": "Look.\n\nWell?"},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "see", "arguments": "{}"}},
                {"id": "b", "type": "function", "function": {"name": "see", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "a", "content": "here"},
            {"role": "tool", "tool_call_id": "b", "content": "Error: gone"},
            {"role": "user", "content": [
                {"type": "text", "text": "From the result of the call a:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo+/w=="}},
                {"type": "text", "text": "And now?"},
            ]},
            {"role": "user", "content": "Say."},
        ])
    );
    for code in [
        &codes::ROLE_DISTINCTION_LOST,
        &codes::REASONING_STATE_FOREIGN,
        &codes::REASONING_DROPPED,
        &codes::TOOL_ERROR_FLAG_TEXTUAL,
        &codes::TOOL_RESULT_MEDIA_MOVED,
    ] {
        assert!(losses.contains(&code.name), "{}: {losses:?}", code.name);
    }
}

#[test]
fn what_the_dialect_cannot_say_is_reported() {
    let hosted = ir::Tool::Hosted(ir::Hosted {
        dialect: "claude",
        kind: "web_search_20250305".into(),
        value: Json::EMPTY_OBJECT,
        ability: ir::Ability::WebSearch(ir::WebSearch::default()),
        loss: &codes::BUILTIN_TOOL_UNSUPPORTED,
        meta: Meta::default(),
    });
    let media = |kind, source| {
        let (mime, name, detail) = (None, None, None);
        Part::Media(ir::Media { kind, source, mime, name, detail, meta: Meta::default() })
    };
    let request = ir::Request {
        messages: vec![message(
            ir::Role::User,
            vec![
                text("hi"),
                media(ir::MediaKind::Video, ir::MediaSource::Inline("AAAA".into())),
                media(ir::MediaKind::Document, ir::MediaSource::Url("https://example.com/a.pdf".into())),
                media(ir::MediaKind::Image, ir::MediaSource::File { dialect: "claude", id: "f".into() }),
            ],
        )],
        tools: vec![hosted],
        tool_choice: Some(ir::ToolChoice::Required),
        parallel_tool_calls: Some(false),
        sampling: ir::Sampling {
            top_k: Some(4.0),
            stop: ["a", "b", "c", "d", "e"].map(ir::Text::from).to_vec(),
            ..ir::Sampling::default()
        },
        reasoning: ir::ReasoningConfig { budget: Some(8_192), ..ir::ReasoningConfig::default() },
        session: ir::Session { previous_response_id: Some("resp_1".into()), ..ir::Session::default() },
        caller: ir::Caller { user: Some("u".repeat(100).into()), ..ir::Caller::default() },
        ..ir::Request::default()
    };
    let (got, losses) = raise(&mut context(""), &request, &target());
    assert_eq!(got["messages"], json!([{"role": "user", "content": "hi"}]));
    assert_eq!(got["stop"], json!(["a", "b", "c", "d"]));
    assert_eq!(got["reasoning_effort"], "medium");
    assert_eq!(got["user"].as_str().unwrap().len(), 32);
    for absent in ["tools", "tool_choice", "parallel_tool_calls", "top_k"] {
        assert!(got.get(absent).is_none(), "{absent}");
    }
    for code in [
        &codes::MODALITY_UNSUPPORTED,
        &codes::MEDIA_URL_UNSUPPORTED,
        &codes::FILE_ID_NOT_PORTABLE,
        &codes::BUILTIN_TOOL_UNSUPPORTED,
        &codes::TOOL_CHOICE_WEAKENED,
        &codes::SAMPLING_DROPPED,
        &codes::VALUE_CLAMPED,
        &codes::BUDGET_TO_EFFORT,
        &codes::SERVER_STATE_UNSUPPORTED,
        &codes::END_USER_ID_LOST,
    ] {
        assert!(losses.contains(&code.name), "{}: {losses:?}", code.name);
    }
}

#[test]
fn relatives_take_documents_and_films_by_their_addresses() {
    let media = |kind, source: ir::MediaSource| {
        let (name, meta) = (Some("a".into()), Meta::default());
        let request = ir::Media { kind, source, mime: None, name, detail: None, meta };
        ir::Request { messages: vec![message(ir::Role::User, vec![Part::Media(request)])], ..ir::Request::default() }
    };
    let url = || ir::MediaSource::Url("https://a.example/x".into());
    let inline = || ir::MediaSource::Inline("JVBERi0xLjc=".into());
    let at = |base_url: &str, settings: Value| {
        let settings = settings.as_object().unwrap().clone();
        Target { base_url: base_url.to_owned(), settings, ..target() }
    };
    let data = "data:application/pdf;base64,JVBERi0xLjc=";
    let (document, film) = (ir::MediaKind::Document, ir::MediaKind::Video);
    let openrouter = at("https://openrouter.ai/api/v1", json!({}));
    let mistral = at("https://api.mistral.ai", json!({}));
    let other = at("https://up.example", json!({ "documentUrls": "file_url", "videos": true }));
    for (target, request, part) in [
        (
            &openrouter,
            media(document, url()),
            json!({"type": "file", "file": {"filename": "a", "file_data": "https://a.example/x"}}),
        ),
        (&openrouter, media(document, inline()), json!({"type": "file", "file": {"filename": "a", "file_data": data}})),
        (&openrouter, media(film, url()), json!({"type": "video_url", "video_url": {"url": "https://a.example/x"}})),
        (
            &mistral,
            media(document, url()),
            json!({"type": "document_url", "document_url": "https://a.example/x", "document_name": "a"}),
        ),
        (
            &mistral,
            media(document, inline()),
            json!({"type": "document_url", "document_url": data, "document_name": "a"}),
        ),
        (&other, media(document, url()), json!({"type": "file_url", "file_url": {"url": "https://a.example/x"}})),
        (&other, media(film, url()), json!({"type": "video_url", "video_url": {"url": "https://a.example/x"}})),
    ] {
        let (got, _) = raise(&mut context(""), &request, target);
        assert_eq!(got["messages"][0]["content"], json!([part]), "{}", target.base_url);
    }
    let (_, losses) = raise(&mut context(""), &media(film, url()), &mistral);
    assert!(losses.contains(&"modality-unsupported"), "{losses:?}");
    let off = at("https://openrouter.ai/api/v1", json!({ "documentUrls": "none", "videos": false }));
    assert!(raise(&mut context(""), &media(document, url()), &off).1.contains(&"media-url-unsupported"));
}

#[test]
fn spellings_depend_on_the_upstream() {
    let custom = ir::Custom {
        name: "patch".into(),
        namespace: Some("ns".into()),
        description: None,
        grammar: Some(ir::Grammar { syntax: "lark".into(), definition: "start: x".into() }),
        meta: Meta::default(),
    };
    let marked = Part::Text(ir::TextPart {
        text: "hi".into(),
        meta: Meta { cache: Some(ir::CacheMark { ttl: Some(ir::CacheTtl::OneHour) }), ..Meta::default() },
        ..ir::TextPart::default()
    });
    let request = ir::Request {
        instructions: vec![instruction(ir::Role::Developer, "Two.")],
        messages: vec![message(ir::Role::User, vec![marked])],
        tools: vec![ir::Tool::Custom(custom)],
        max_output_tokens: Some(9),
        caller: ir::Caller { user: Some("u".into()), ..ir::Caller::default() },
        ..ir::Request::default()
    };
    let mut relative = target();
    relative.settings = json!({"customTools": false, "cacheMarks": "cache_control"}).as_object().unwrap().clone();
    let (got, losses) = raise(&mut context(""), &request, &relative);
    assert_eq!(
        (&got["max_tokens"], &got["user"], &got["messages"][0]["role"]),
        (&json!(9), &json!("u"), &json!("system"))
    );
    assert_eq!(got["messages"][1]["content"][0]["cache_control"], json!({"type": "ephemeral", "ttl": "1h"}));
    assert_eq!(got["tools"][0]["function"]["name"], "ns__patch");
    assert_eq!(got["tools"][0]["function"]["parameters"]["required"], json!(["input"]));
    assert!(losses.contains(&codes::CUSTOM_TOOL_AS_FUNCTION.name));
    let capabilities = Capabilities::of("gpt-5.6");
    let newest = Target { model: "gpt-5.6".to_owned(), capabilities, ..target() };
    let (got, losses) = raise(&mut context(""), &request, &newest);
    assert_eq!((&got["max_completion_tokens"], &got["safety_identifier"]), (&json!(9), &json!("u")));
    assert_eq!(got["messages"][0]["role"], "developer");
    assert_eq!(got["messages"][1]["content"][0]["prompt_cache_breakpoint"], json!({"mode": "explicit", "ttl": "12h"}));
    assert_eq!(got["tools"][0]["custom"]["format"]["grammar"]["definition"], "start: x");
    assert!(losses.contains(&codes::CACHE_TTL_APPROXIMATED.name));
}

#[test]
fn of_many_cache_marks_the_last_are_sent() {
    let marked = |text: &str| {
        let meta = Meta { cache: Some(ir::CacheMark { ttl: None }), ..Meta::default() };
        Part::Text(ir::TextPart { text: text.into(), meta, ..ir::TextPart::default() })
    };
    let texts = ["one", "two", "three", "four", "five", "six"];
    let request = ir::Request {
        messages: vec![message(ir::Role::User, texts.into_iter().map(marked).collect())],
        ..ir::Request::default()
    };
    let mut relative = target();
    relative.settings = json!({"cacheMarks": "cache_control"}).as_object().unwrap().clone();
    let (got, losses) = raise(&mut context(""), &request, &relative);
    let parts = got["messages"][0]["content"].as_array().unwrap();
    let is_marked: Vec<bool> = parts.iter().map(|part| part.get("cache_control").is_some()).collect();
    assert_eq!(is_marked, [false, false, true, true, true, true]);
    assert_eq!(losses, [codes::CACHE_HINT_LOST.name; 2]);
}

#[test]
fn endpoints() {
    let send = |target: &Target| BACKEND.endpoint(target, ir::Delivery::Whole, &[]);
    let mut target = Target { api_key: Some("k".into()), ..target() };
    let request = send(&target);
    assert_eq!(request.url, "http://upstream.example/v1/chat/completions");
    assert_eq!(request.headers.get("authorization"), Some("Bearer k"));
    target.base_url = "http://upstream.example/api/v3/".to_owned();
    assert_eq!(send(&target).url, "http://upstream.example/api/v3/chat/completions");
    target.endpoints.chat_completions_path = Some("/openai/chat?api-version=1".to_owned());
    assert_eq!(send(&target).url, "http://upstream.example/api/v3/openai/chat?api-version=1");
}

fn memo(cx: &mut Cx) -> Memo {
    Memo::new(cx, &target(), ID, Names::default())
}

fn parse(body: &Value) -> Result<ir::Response, Error> {
    let mut cx = context(&body.to_string());
    let memo = memo(&mut cx);
    BACKEND.parse(&mut cx, &memo)
}

fn asked(include_usage: bool) -> Asked {
    let request = ir::Request { model: "up.m".into(), ..ir::Request::default() };
    Asked { include_usage, ..Asked::new(&mut context(""), &request) }
}

fn render(asked: &Asked, response: ir::Response) -> Value {
    serde_json::from_slice(&FRONTEND.render(&mut context(""), asked, response)).unwrap()
}

fn choice(message: Value, finish: &str) -> Value {
    json!({"id": "c", "object": "chat.completion", "created": 5, "model": "x",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
}

#[test]
fn answers_are_read() {
    let answer = choice(
        json!({"role": "assistant", "content": "It is 5.", "refusal": null, "reasoning_content": "2 + 3",
            "annotations": [{"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 2, "title": "T", "url": "https://e.com"}}],
            "tool_calls": [{"id": "", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]}),
        "stop",
    );
    let response = parse(&answer).unwrap();
    assert_eq!(response.finish.reason, ir::Reason::ToolUse);
    assert_eq!((response.usage.input, response.usage.output), (Some(3), Some(4)));
    let [Part::Reasoning(thought), Part::Text(text), Part::ToolCall(call)] = response.parts.as_slice() else {
        panic!("{response:?}")
    };
    assert_eq!(thought.text, "2 + 3");
    assert_eq!(thought.meta.seal.as_ref().unwrap().payload, r#"{"field":"reasoning_content"}"#);
    assert_eq!(text.citations[0].span, Some((0, 2)));
    assert_eq!(call.arguments, r#"{"a":1}"#);
    assert!(call.id.starts_with("call_"));
}

#[test]
fn ends_and_errors_are_told_apart() {
    let words = json!({"role": "assistant", "content": "x"});
    for (word, reason) in [
        ("stop", ir::Reason::End),
        ("eos", ir::Reason::End),
        ("tool_calls", ir::Reason::End),
        ("length", ir::Reason::Length),
        ("content_filter", ir::Reason::Refusal),
        ("abort", ir::Reason::Other),
    ] {
        assert_eq!(parse(&choice(words.clone(), word)).unwrap().finish.reason, reason, "{word}");
    }
    assert_eq!(parse(&choice(words.clone(), "error")).unwrap_err().kind, Kind::Server);
    for (body, kind) in [
        (json!({"error": {"message": "slow down", "code": 429}}), Kind::RateLimit),
        (json!({"choices": []}), Kind::Server),
        (json!([]), Kind::Server),
        (json!({"choices": [{"index": 0, "error": {"message": "m", "code": 502}}]}), Kind::Server),
    ] {
        assert_eq!(parse(&body).unwrap_err().kind, kind, "{body}");
    }
    let stopped = json!({"choices": [{"message": {"content": "a"}, "finish_reason": "stop", "stop_reason": "###"}]});
    let finish = parse(&stopped).unwrap().finish;
    assert_eq!((finish.reason, finish.stop_sequence.as_deref()), (ir::Reason::StopSequence, Some("###")));
    let xai = json!({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 5,
        "completion_tokens": 1, "total_tokens": 16, "completion_tokens_details": {"reasoning_tokens": 10}}});
    assert_eq!(parse(&xai).unwrap().usage.output, Some(11));
}

/// A stream with much of what real ones have.
const STREAM: &str = concat!(
    ": OPENROUTER PROCESSING\r\n\r\n",
    "data: {\"id\":\"\",\"choices\":[],\"prompt_filter_results\":[]}\n\n",
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":9,\"model\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"Thé\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"Thé\",\"index\":0}]}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\" end\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\" end\",\"index\":0}]}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_details\":[{\"type\":\"reasoning.text\",\"signature\":\"c2ln\",\"index\":0}]}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Héllo\"},\"logprobs\":{\"content\":[{\"token\":\"Héllo\",\"logprob\":-0.5,\"bytes\":null,\"top_logprobs\":[]}]}}]}\r\n\r\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"url\":\"https://e.com\",\"start_index\":0,\"end_index\":5,\"title\":\"T\"}}]}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{\\\"y\\\"\"}}]}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"\",\"function\":{\"arguments\":\"{\\\"x\\\":1}\"}},{\"index\":1,\"function\":{\"arguments\":\":2}\"}}]}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\"}]}\n\n",
    "data: [DONE]\n\n",
);

fn decode(chunks: &[&[u8]]) -> Vec<Event> {
    let mut cx = context("");
    let memo = memo(&mut cx);
    let mut out = ir::Emitter::new(memo.ids.clone());
    let mut decoder = BACKEND.decoder(&memo);
    for chunk in chunks {
        decoder.push(chunk, &mut out);
    }
    decoder.finish(&mut out);
    out.take()
}

#[test]
fn a_stream_is_read_in_any_pieces() {
    let bytes = STREAM.as_bytes();
    let events = decode(&[bytes]);
    ir::check(&events).unwrap();
    for size in 1..40 {
        let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
        assert_eq!(decode(&chunks), events, "in chunks of {size}");
    }
    let response = ir::collect(events).unwrap();
    assert_eq!(response.finish.reason, ir::Reason::ToolUse);
    assert_eq!(response.usage.output, Some(2));
    let [Part::Reasoning(thought), Part::Text(text), Part::ToolCall(f), Part::ToolCall(g)] = response.parts.as_slice()
    else {
        panic!("{response:?}")
    };
    assert_eq!((thought.text.as_str(), text.text.as_str()), ("Thé end", "Héllo"));
    assert_eq!(
        thought.meta.seal.as_ref().unwrap().payload,
        r#"{"field":"reasoning","details":[{"type":"reasoning.text","text":"Thé end","index":0,"signature":"c2ln"}]}"#
    );
    assert_eq!((text.logprobs.len(), text.citations.len()), (1, 1));
    assert_eq!((f.id.as_str(), f.arguments.as_str()), ("a", r#"{"x":1}"#));
    assert_eq!((g.id.as_str(), g.arguments.as_str()), ("b", r#"{"y":2}"#));
}

#[test]
fn a_stream_may_be_cut_at_every_byte() {
    let mut cx = context("");
    let memo = memo(&mut cx);
    let mut out = ir::Emitter::new(memo.ids.clone());
    let mut decoder = BACKEND.decoder(&memo);
    let mut events = Vec::new();
    let end = STREAM.rfind("data: [DONE]").unwrap() + "data: [DONE]".len();
    let ended = STREAM.find("\"finish_reason\":\"stop\"").unwrap();
    for (at, byte) in STREAM.as_bytes().iter().enumerate() {
        let (mut cut, mut rest) = (decoder.fork(), out.clone());
        cut.finish(&mut rest);
        let all: Vec<Event> = events.iter().cloned().chain(rest.take()).collect();
        ir::check(&all).unwrap_or_else(|what| panic!("cut at byte {at}: {what}"));
        let failed = matches!(all.last(), Some(Event::Failed(_)));
        assert!(failed || at > ended, "cut at byte {at}");
        assert!(!failed || at < end, "cut at byte {at}");
        decoder.push(&[*byte], &mut out);
        events.append(&mut out.take());
    }
}

fn chunk(delta: &str) -> String {
    format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n")
}

#[test]
fn calls_come_in_many_ways() {
    let ended = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n";
    let function = |fields: &str, name: &str, arguments: &str| {
        chunk(&format!("{{\"tool_calls\":[{{{fields}\"function\":{{\"name\":{name},\"arguments\":{arguments}}}}}]}}"))
    };
    for (what, stream) in [
        // Mistral: whole and without an index.
        ("no index", function("\"id\":\"a\",", "\"f\"", "\"{}\"") + &function("\"id\":\"b\",", "\"g\"", "\"{}\"")),
        // Google: every call is the first.
        (
            "one index for all",
            function("\"index\":0,\"id\":\"a\",", "\"f\"", "\"{}\"")
                + &function("\"index\":0,\"id\":\"b\",", "\"g\"", "\"{}\""),
        ),
        (
            "the name comes late, the id again",
            function("\"index\":0,\"id\":\"a\",", "null", "\"{\"")
                + &function("\"index\":0,\"id\":\"a\",", "\"f\"", "\"}\"")
                + &function("\"index\":1,\"id\":\"b\",", "\"g\"", "null")
                + &function("\"index\":1,\"id\":\"\",", "\"\"", "\"{}\""),
        ),
    ] {
        let response = ir::collect(decode(&[(stream + ended).as_bytes()])).unwrap();
        let calls: Vec<_> = response
            .parts
            .iter()
            .map(|part| match part {
                Part::ToolCall(call) => (call.id.as_str(), call.name.as_str(), call.arguments.as_str()),
                other => panic!("{what}: {other:?}"),
            })
            .collect();
        assert_eq!(calls, [("a", "f", "{}"), ("b", "g", "{}")], "{what}");
        assert_eq!(response.finish.reason, ir::Reason::ToolUse, "{what}");
    }
}

#[test]
fn streams_that_break_off_fail() {
    let words = chunk("{\"content\":\"x\"}");
    for (stream, message) in [
        (words.clone(), "ended before"),
        (String::new(), "ended before"),
        ("data: [DONE]\n\n".to_owned(), "empty"),
        (
            format!(
                "{words}data: {{\"error\":{{\"message\":\"too much\",\"type\":\"server_error\"}}}}\n\ndata: [DONE]\n\n"
            ),
            "too much",
        ),
        (format!("{words}event: error\ndata: {{\"error\":\"gone\"}}\n\n"), "gone"),
        (format!("{words}data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"error\"}}]}}\n\n"), "broke off"),
        (format!("{words}data: {{nonsense\n\n"), "cannot be read"),
        (format!("{words}data: {{\"choices\":5}}\n\n"), "cannot be read"),
    ] {
        let events = decode(&[stream.as_bytes()]);
        ir::check(&events).unwrap();
        let error = ir::collect(events).unwrap_err();
        assert!(error.message.contains(message), "{stream}: {error}");
    }
    // Snowflake never says why; `[DONE]` is an end all the same. Others never say `[DONE]`.
    for end in ["data: [DONE]\n\n", "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}"] {
        assert!(ir::collect(decode(&[format!("{words}{end}").as_bytes()])).is_ok());
    }
}

fn encode(asked: &Asked, events: &[Event]) -> Vec<Value> {
    let mut encoder = FRONTEND.encoder(asked);
    let mut out = Vec::new();
    for event in events {
        encoder.push(event.clone(), &mut out);
    }
    encoder.finish(&mut out);
    let out = String::from_utf8(out).unwrap();
    let frames = out.split("\n\n").filter(|frame| !frame.is_empty());
    frames
        .map(|frame| match frame.strip_prefix("data: ") {
            Some("[DONE]") => Value::from("[DONE]"),
            Some(data) => serde_json::from_str(data).unwrap(),
            None => Value::from(frame),
        })
        .collect()
}

/// An answer of another dialect, with much of what one can have.
fn rich() -> ir::Response {
    let citation = ir::Citation { url: Some("https://e.com".into()), ..ir::Citation::default() };
    let spanned = ir::Citation { span: Some((1, 2)), ..citation.clone() };
    let sealed_call = match call("t1", "f", "{\"a\":1}") {
        Part::ToolCall(mut call) => {
            call.meta.seal = Some(Box::new(seal("gemini", "c2ln")));
            Part::ToolCall(call)
        }
        other => other,
    };
    let cited = |words: &str, citation| {
        Part::Text(ir::TextPart { text: words.into(), citations: vec![citation], ..ir::TextPart::default() })
    };
    ir::Response {
        id: Some("msg_1".into()),
        model: Some("claude".into()),
        created: None,
        parts: vec![
            thought("open", None),
            thought("sealed", Some(seal("claude", "c2ln"))),
            cited("Ab", citation),
            cited("cde", spanned),
            sealed_call,
            call("t2", "g", ""),
        ],
        finish: ir::Finish::new(ir::Reason::ToolUse, "tool_use"),
        usage: ir::Usage { input: Some(5), cache_read: Some(2), output: Some(7), ..ir::Usage::default() },
        extensions: ir::Extensions::default(),
    }
}

#[test]
fn an_answer_is_told_whole_and_in_pieces() {
    let got = render(&asked(false), rich());
    let message = &got["choices"][0]["message"];
    assert_eq!(got["model"], "up.m");
    assert_eq!(got["created"], 1_700_000_000);
    assert_eq!((&message["content"], &message["reasoning_content"]), (&json!("Abcde"), &json!("opensealed")));
    assert_eq!(message["refusal"], Value::Null);
    let cited: Vec<_> = message["annotations"].as_array().unwrap().iter().map(|entry| &entry["url_citation"]).collect();
    assert_eq!((&cited[0]["start_index"], &cited[0]["end_index"]), (&json!(0), &json!(2)));
    assert_eq!((&cited[1]["start_index"], &cited[1]["end_index"]), (&json!(3), &json!(4)));
    let details = message["reasoning_details"].as_array().unwrap();
    assert_eq!((&details[0]["type"], &details[0]["summary"]), (&json!("reasoning.summary"), &json!("open")));
    assert_eq!((&details[1]["type"], &details[1]["format"]), (&json!("reasoning.text"), &json!("anthropic-claude-v1")));
    assert!(details[1]["signature"].as_str().unwrap().starts_with(envelope::MARK));
    assert_eq!(
        message["tool_calls"][1],
        json!({"id": "t2", "type": "function", "function": {"name": "g", "arguments": ""}})
    );
    assert_eq!(got["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(got["usage"]["prompt_tokens_details"]["cached_tokens"], 2);
    assert_eq!(got["usage"]["total_tokens"], 12);

    let chunks = encode(&asked(true), &rich().events());
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    assert_eq!(chunks.last().unwrap(), "[DONE]");
    let usage = &chunks[chunks.len() - 2];
    assert_eq!((&usage["choices"], &usage["usage"]["total_tokens"]), (&json!([]), &json!(12)));
    let ends = chunks.iter().filter(|chunk| chunk["choices"][0]["finish_reason"].is_string()).count();
    assert_eq!(ends, 1);
    // What the chunks add up to is the whole.
    let all = |pointer: &str| -> String {
        chunks.iter().filter_map(|chunk| chunk.pointer(&format!("/choices/0/delta/{pointer}"))?.as_str()).collect()
    };
    assert_eq!((all("content"), all("reasoning_content")), ("Abcde".to_owned(), "opensealed".to_owned()));
    let lists = |key: &str| -> Vec<Value> {
        chunks
            .iter()
            .flat_map(|chunk| chunk["choices"][0]["delta"][key].as_array().cloned().unwrap_or_default())
            .collect()
    };
    assert_eq!(Value::from(lists("reasoning_details")), message["reasoning_details"]);
    let mut annotations = lists("annotations");
    for (index, entry) in annotations.iter_mut().enumerate() {
        assert_eq!(entry.as_object_mut().unwrap().shift_remove("index"), Some(index.into()));
    }
    assert_eq!(Value::from(annotations), message["annotations"]);
    let begun = lists("tool_calls").into_iter().filter(|call| call.get("id").is_some()).count();
    assert_eq!(begun, 2);
}

#[test]
fn seals_come_back_from_a_clients_history() {
    let got = render(&asked(false), rich());
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "hi"}, got["choices"][0]["message"], {"role": "user", "content": "go on"}]});
    let (mut cx, lowered) = lower(&body).unwrap();
    let parts = &lowered.request.messages[1].parts;
    let [
        Part::Reasoning(open),
        Part::Reasoning(sealed),
        Part::Text(first),
        Part::Text(second),
        Part::ToolCall(called),
        _,
    ] = parts.as_slice()
    else {
        panic!("{parts:?}")
    };
    assert_eq!((open.text.as_str(), sealed.text.as_str()), ("open", "sealed"));
    assert_eq!((first.text.as_str(), second.text.as_str()), ("Ab", "cde"));
    assert_eq!(**sealed.meta.seal.as_ref().unwrap(), seal("claude", "c2ln"));
    assert_eq!(**called.meta.seal.as_ref().unwrap(), seal("gemini", "c2ln"));
    // Nothing of another provider's state reaches the upstream.
    let (raised, losses) = raise(&mut cx, &lowered.request, &target());
    assert!(!raised.to_string().contains("c2ln") && !raised.to_string().contains(envelope::MARK));
    assert!(losses.contains(&codes::REASONING_STATE_FOREIGN.name));
}

#[test]
fn a_relatives_thoughts_go_back_to_it_through_any_client() {
    for (message, field) in [
        (json!({"role": "assistant", "content": "5", "reasoning_content": "2 + 3"}), "reasoning_content"),
        (
            json!({"role": "assistant", "content": "5", "reasoning": "2 + 3", "reasoning_details": [
                {"type": "reasoning.text", "text": "2 + 3", "signature": "c2ln", "format": "f", "index": 0}]}),
            "reasoning",
        ),
        (
            json!({"role": "assistant", "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "2 + 3"}]}, {"type": "text", "text": "5"}]}),
            "content",
        ),
    ] {
        let response = parse(&choice(message.clone(), "stop")).unwrap();
        // A client that keeps seals: any of another dialect.
        let request = ir::Request {
            messages: vec![message_of(&response), self::message(ir::Role::User, vec![text("more")])],
            ..ir::Request::default()
        };
        let (got, losses) = raise(&mut context(""), &request, &target());
        assert_eq!(sorted(got["messages"][0].clone()), sorted(message.clone()));
        assert_eq!(losses, Vec::<&str>::new());
        // Nobody else sees them.
        let other = Target { provider: "other".to_owned(), ..target() };
        let (got, losses) = raise(&mut context(""), &request, &other);
        assert!(!got.to_string().contains("2 + 3"), "{field}: {got}");
        assert_eq!(losses, [codes::REASONING_STATE_FOREIGN.name]);
        // A client of this dialect, by the long way.
        let rendered = render(&asked(false), response);
        let body =
            json!({"model": "m", "messages": [rendered["choices"][0]["message"], {"role": "user", "content": "more"}]});
        let (got, _) = there_and_back(&body);
        assert_eq!(sorted(got["messages"][0].clone()), sorted(message));
    }
}

fn message_of(response: &ir::Response) -> ir::Message {
    message(ir::Role::Assistant, response.parts.clone())
}

#[test]
fn a_client_of_functions_gets_a_function_call() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "functions": [{"name": "f"}]});
    let (_, lowered) = lower(&body).unwrap();
    let response = ir::Response {
        parts: vec![call("t1", "f", "{}"), call("t2", "f", "{}")],
        finish: ir::Finish::new(ir::Reason::ToolUse, "tool_use"),
        ..ir::Response::default()
    };
    let got = render(&lowered.asked, response.clone());
    assert_eq!(got["choices"][0]["message"]["function_call"], json!({"name": "f", "arguments": "{}"}));
    assert_eq!(got["choices"][0]["finish_reason"], "function_call");
    let chunks = encode(&lowered.asked, &response.events());
    assert!(chunks.iter().all(|chunk| chunk["choices"][0]["delta"].get("tool_calls").is_none()));
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "function_call");
}

#[test]
fn a_broken_answer_ends_in_an_error() {
    let error = Error::new(Kind::Overloaded, "too much");
    let open = ir::Open::ToolCall {
        id: "a".into(),
        name: "f".into(),
        namespace: None,
        kind: ir::CallKind::Custom,
        meta: Meta::default(),
    };
    let events = [
        Event::Start(ir::Start::default()),
        Event::Idle,
        Event::Open(open),
        Event::Delta("x".into()),
        Event::Failed(error),
    ];
    let chunks = encode(&asked(true), &events);
    assert_eq!(chunks[1], ": ping");
    assert_eq!(chunks[2]["choices"][0]["delta"]["tool_calls"][0]["custom"], json!({"name": "f", "input": ""}));
    let last = chunks.last().unwrap();
    assert_eq!((&last["error"]["message"], &last["error"]["type"]), (&json!("too much"), &json!("server_error")));
}

#[test]
fn what_has_no_form_in_an_answer_is_told_otherwise() {
    let opaque = ir::Opaque {
        dialect: "claude",
        kind: "server_tool_use".into(),
        value: Json::EMPTY_OBJECT,
        words: Some("(searched)".into()),
        trace: None,
        loss: &codes::ANSWER_PART_DROPPED,
        meta: Meta::default(),
    };
    let mut finish = ir::Finish::new(ir::Reason::Refusal, "refusal");
    finish.detail = Some("not allowed".into());
    let response = ir::Response {
        parts: vec![text("A."), Part::Opaque(opaque), text("B."), picture()],
        finish,
        ..ir::Response::default()
    };
    let mut cx = context("");
    let got: Value = serde_json::from_slice(&FRONTEND.render(&mut cx, &asked(false), response)).unwrap();
    let message = &got["choices"][0]["message"];
    assert_eq!(message["content"], "A.\n\n(searched)\n\nB.");
    assert_eq!(message["refusal"], "not allowed");
    assert!(message["images"][0]["image_url"]["url"].as_str().unwrap().starts_with("data:image/png;base64,"));
    assert_eq!(got["choices"][0]["finish_reason"], "content_filter");
    assert!(got.get("usage").is_none());
    assert!(cx.diagnostics().iter().any(|loss| *loss.code == codes::ANSWER_PART_DROPPED));
}
