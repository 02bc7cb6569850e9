//! Claude, both sides, on fixtures of our own.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use any_api::backends::{Backend, Call, Claude as Upstream, Memo, Names, Target};
use any_api::context::{Cx, Ids};
use any_api::diagnostics::{Code, Diagnostic, Level, codes};
use any_api::dialects::claude::ID;
use any_api::envelope;
use any_api::error::{Error, Kind};
use any_api::frontends::{Asked, Claude as Client, Frontend, Operation, Route};
use any_api::http::{self, Headers};
use any_api::ir::{
    self, Ability, Body, CallKind, Effort, Emitter, Event, Issuer, Json, Media, MediaKind, MediaSource, Message, Meta,
    Part, Reason, Reasoning, ReasoningForm, ReasoningMode, Role, Sealed, Text, TextPart, Tool, ToolCall, ToolChoice,
    ToolResult,
};
use serde_json::{Value, json};

const COUNT: Operation = Operation::CountTokens { answer_field: "input_tokens" };

fn cx(document: &str) -> Cx {
    Cx::new(Body::new(document.to_owned()), 1_700_000_000, Ids::new(7))
}

fn lower(document: &Value) -> Result<ir::Request, Error> {
    let mut cx = cx(&document.to_string());
    Client.lower(&mut cx, &Route::to(Operation::Generate)).map(|lowered| lowered.request)
}

fn target() -> Target {
    Target {
        provider: "anthropic".to_owned(),
        model: "claude-up".to_owned(),
        base_url: "https://upstream.example".to_owned(),
        api_key: Some("upstream-key".into()),
        ..Target::default()
    }
}

struct Sent {
    http: http::Request,
    body: Value,
    diagnostics: Vec<Diagnostic>,
}

impl Sent {
    fn told(&self, code: &'static Code) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.code == code)
    }

    #[track_caller]
    fn only(&self, expected: &[&'static Code]) {
        let told: Vec<&Diagnostic> = self.diagnostics.iter().filter(|d| d.code.level != Level::Allow).collect();
        assert!(told.iter().all(|d| expected.contains(&d.code)), "{told:#?}");
        assert!(expected.iter().all(|code| self.told(code)), "{told:#?}");
    }
}

fn raise_to(request: &ir::Request, target: &Target) -> Sent {
    let mut cx = cx("{}");
    let raised = Upstream.raise(&mut cx, request, target).unwrap();
    let Call::Send(http) = raised.call else { panic!("not sent") };
    let body = serde_json::from_slice(&http.body).unwrap();
    Sent { http, body, diagnostics: cx.take_diagnostics() }
}

fn raise(request: &ir::Request) -> Sent {
    raise_to(request, &target())
}

/// Lower and raise: what a Claude upstream gets of a Claude client's body on the long way.
fn long_way(document: &Value) -> Sent {
    raise(&lower(document).unwrap())
}

fn memo() -> Memo {
    Memo {
        issuer: target().issuer(ID),
        names: Names::default(),
        now: 1_700_000_000,
        ids: Ids::new(7),
        cuts: Vec::new(),
    }
}

fn asked() -> Asked {
    Asked::new(&mut cx("{}"), &ir::Request { model: "anthropic.main".into(), ..ir::Request::default() })
}

fn parse(document: &Value) -> Result<ir::Response, Error> {
    Upstream.parse(&mut cx(&document.to_string()), &memo())
}

fn render(response: ir::Response) -> Value {
    serde_json::from_slice(&Client.render(&mut cx("{}"), &asked(), response)).unwrap()
}

fn decode(sse: &[u8], size: usize) -> Vec<Event> {
    let mut decoder = Upstream.decoder(&memo());
    let mut out = Emitter::new(Ids::new(1));
    for chunk in sse.chunks(size) {
        decoder.push(chunk, &mut out);
    }
    decoder.finish(&mut out);
    out.take()
}

fn encode(events: impl IntoIterator<Item = Event>, asked: &Asked) -> String {
    let mut encoder = Client.encoder(asked);
    let mut out = Vec::new();
    for event in events {
        encoder.push(event, &mut out);
    }
    encoder.finish(&mut out);
    String::from_utf8(out).unwrap()
}

/// The data of a written stream; each event has to have its name.
fn data(sse: &str) -> Vec<Value> {
    let mut out = Vec::new();
    for block in sse.split("\n\n").filter(|block| !block.is_empty()) {
        let (name, data) = block.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: "), data.get("type").and_then(Value::as_str));
        out.push(data);
    }
    out
}

fn text(text: &str) -> Part {
    Part::Text(TextPart { text: text.into(), ..TextPart::default() })
}

fn message(role: Role, parts: impl IntoIterator<Item = Part>) -> Message {
    Message {
        place: ir::Place::default(),
        role,
        name: None,
        parts: parts.into_iter().collect(),
        extensions: ir::Extensions::default(),
    }
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into(), ..ToolCall::default() })
}

fn result(id: &str, words: &str) -> Part {
    Part::ToolResult(ToolResult { call_id: id.into(), content: vec![text(words)], ..ToolResult::default() })
}

fn function(name: &str, schema: Value) -> Tool {
    Tool::Function(ir::Function {
        name: name.into(),
        parameters: Some(ir::Schema::json_schema(Json::of(&schema))),
        ..ir::Function::default()
    })
}

fn tool() -> Tool {
    function("look", json!({"type": "object", "properties": {}}))
}

/// A request of another dialect's client.
fn foreign(messages: impl IntoIterator<Item = Message>) -> ir::Request {
    ir::Request { max_output_tokens: Some(1_000), messages: messages.into_iter().collect(), ..ir::Request::default() }
}

fn hello() -> ir::Request {
    foreign([message(Role::User, [text("hello")])])
}

fn seal(dialect: &str, payload: &str) -> Sealed {
    let issuer = Issuer { dialect: dialect.into(), provider: Some("p".into()), model: Some("m".into()) };
    Sealed { issuer, payload: payload.into(), note: None }
}

fn sealed(mut part: Part, seal: Sealed) -> Part {
    part.meta_mut().seal = Some(Box::new(seal));
    part
}

// ---------------------------------------------------------------------------------------------------- requests in

/// Everything that the reference knows, and more.
fn everything() -> Value {
    json!({
        "model": "anthropic.main",
        "max_tokens": 4096,
        "system": [
            {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "text", "text": "Be kind.", "x_block": 1}
        ],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"},
                    "transformations": {"oversized_image": "error"}},
                {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"},
                    "title": "A paper", "context": "old", "citations": {"enabled": true}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain words"}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "in blocks"}]}},
                {"type": "search_result", "source": "https://s.example", "title": "S",
                    "content": [{"type": "text", "text": "found"}], "citations": {"enabled": true}},
                {"type": "container_upload", "file_id": "file_2"}
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Let me look.", "signature": "c2lnbmF0dXJl"},
                {"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="},
                {"type": "text", "text": "I look.", "citations": [
                    {"type": "char_location", "cited_text": "plain", "document_index": 1, "document_title": "D",
                        "start_char_index": 0, "end_char_index": 5}
                ]},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
                    {"type": "web_search_result", "title": "T", "url": "https://t.example", "encrypted_content": "eA=="}
                ]},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "x"}, "caller": {"type": "direct"}},
                {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {}}
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                    {"type": "text", "text": "seen"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lGODlh"}},
                    {"type": "tool_reference", "tool_name": "look"}
                ], "cache_control": {"type": "ephemeral", "ttl": "5m"}},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "broken", "is_error": true},
                {"type": "text", "text": "Go on."}
            ]},
            {"role": "system", "content": "From now on, in French.", "clear_at": "end"},
            {"role": "assistant", "content": "Je "}
        ],
        "tools": [
            {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}},
                "strict": false, "cache_control": {"type": "ephemeral"}, "input_examples": [{"at": "y"}],
                "eager_input_streaming": true, "defer_loading": false, "type": "custom"},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3, "allowed_domains": ["a.example"],
                "user_location": {"type": "approximate", "city": "Bern", "country": "CH"}},
            {"type": "web_fetch_20250910", "name": "web_fetch"},
            {"type": "code_execution_20250825", "name": "code_execution"},
            {"type": "bash_20250124", "name": "bash"}
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "stop_sequences": ["END", "STOP"],
        "temperature": 1.0,
        "thinking": {"type": "enabled", "budget_tokens": 2048, "display": "summarized"},
        "output_config": {"effort": "high", "task_budget": {"type": "tokens", "total": 20000},
            "format": {"type": "json_schema", "schema": {"type": "object", "properties": {}, "additionalProperties": false}}},
        "metadata": {"user_id": "u-1", "team": "t"},
        "service_tier": "standard_only",
        "speed": "standard",
        "inference_geo": "eu",
        "container": {"id": "c_1"},
        "context_management": {"edits": []},
        "mcp_servers": [{"type": "url", "url": "https://m.example", "name": "m"}],
        "cache_control": {"type": "ephemeral"},
        "x_unknown": {"deep": [1, null, "two"]},
        "stream": true
    })
}

#[test]
fn the_long_way_of_the_same_dialect_keeps_everything() {
    let document = everything();
    let sent = long_way(&document);
    let mut want = document;
    *want.get_mut("model").unwrap() = "claude-up".into();
    assert_eq!(sent.body, want, "\n{:#}", sent.body);
    sent.only(&[]);
}

#[test]
fn what_a_request_means() {
    let request = lower(&everything()).unwrap();
    assert_eq!(request.model, "anthropic.main");
    assert_eq!(request.instructions.len(), 2);
    assert_eq!(request.delivery, ir::Delivery::Stream);
    assert_eq!(request.max_output_tokens, Some(4096));
    assert_eq!(request.parallel_tool_calls, Some(false));
    assert_eq!(request.sampling.stop, ["END", "STOP"].map(Text::from));
    assert_eq!(request.reasoning.mode, Some(ReasoningMode::On));
    assert_eq!(request.reasoning.budget, Some(2048));
    assert_eq!(request.reasoning.effort, Some(Effort::High));
    assert_eq!(request.reasoning.visibility, Some(ir::Visibility::Auto));
    assert_eq!(request.caller.user.as_deref(), Some("u-1"));
    assert_eq!(request.caller.tier, Some(ir::Tier::Standard));
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User, Role::System, Role::Assistant]);
    let Some(Part::ToolResult(result)) = request.messages[2].parts.first() else { panic!("no result") };
    assert_eq!(result.name.as_deref(), Some("look"));
    assert_eq!(result.content.len(), 3);
    let Some(Part::ToolResult(result)) = request.messages[2].parts.get(1) else { panic!("no result") };
    assert!(result.error);
    let Some(Part::Reasoning(thought)) = request.messages[1].parts.first() else { panic!("no thought") };
    assert_eq!(thought.meta.seal.as_ref().unwrap().payload, "c2lnbmF0dXJl");
    assert_eq!(thought.meta.seal.as_ref().unwrap().issuer.provider, None);
    let Some(Part::Opaque(search)) = request.messages[1].parts.get(4) else { panic!("no search") };
    assert_eq!(search.words.as_deref(), Some("[web_search_tool_result]\nT\nhttps://t.example"));
    let abilities: Vec<bool> =
        request.tools.iter().map(|tool| matches!(tool, Tool::Hosted(tool) if tool.ability != Ability::Other)).collect();
    assert_eq!(abilities, [false, true, true, true, false]);
    // Each field that only Claude knows carries what is lost without it.
    let losses: Vec<(&str, &str)> =
        request.extensions.fields().iter().map(|field| (field.name.as_str(), field.loss.name)).collect();
    for expected in [
        ("container", "server-state-unsupported"),
        ("context_management", "context-management-lost"),
        ("mcp_servers", "builtin-tool-unsupported"),
        ("cache_control", "cache-hint-lost"),
        ("x_unknown", "unknown-field"),
        ("metadata.team", "metadata-lost"),
        ("inference_geo", "option-lost"),
        ("speed", "wire-form"),
    ] {
        assert!(losses.contains(&expected), "{expected:?} is not among {losses:?}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let with = |path: &str, value: Value| {
        let mut document = everything();
        let (parent, key) = path.rsplit_once('/').unwrap();
        let parent = document.pointer_mut(parent).unwrap();
        match parent {
            Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
            other => other[key] = value,
        }
        document
    };
    for (path, value, place) in [
        ("/model", json!(5), "model"),
        ("/model", Value::Null, "model"),
        ("/max_tokens", json!("many"), "max_tokens"),
        ("/max_tokens", json!(-1), "max_tokens"),
        ("/max_tokens", Value::Null, "max_tokens"),
        ("/messages", Value::Null, "messages"),
        ("/messages", json!("hi"), "messages"),
        ("/messages/0", json!("hi"), "messages[0]"),
        ("/messages/0/role", json!("tool"), "messages[0].role"),
        ("/messages/0/role", Value::Null, "messages[0].role"),
        ("/messages/0/content", json!(5), "messages[0].content"),
        ("/messages/0/content/0", json!("hi"), "messages[0].content[0]"),
        ("/messages/0/content/0/type", Value::Null, "messages[0].content[0].type"),
        ("/messages/0/content/0/text", json!(5), "messages[0].content[0].text"),
        ("/messages/0/content/0/cache_control", json!(true), "messages[0].content[0].cache_control"),
        ("/messages/0/content/1/source/data", json!(5), "messages[0].content[1].source.data"),
        ("/messages/0/content/1/source/media_type", Value::Null, "messages[0].content[1].source.media_type"),
        ("/messages/0/content/1/source", Value::Null, "messages[0].content[1].source"),
        ("/messages/0/content/4/title", json!([]), "messages[0].content[4].title"),
        ("/messages/1/content/0/signature", json!(7), "messages[1].content[0].signature"),
        ("/messages/1/content/2/citations", json!({}), "messages[1].content[2].citations"),
        ("/messages/1/content/2/citations/0", json!("c"), "messages[1].content[2].citations[0]"),
        ("/messages/1/content/5/input", json!("x"), "messages[1].content[5].input"),
        ("/messages/1/content/5/id", Value::Null, "messages[1].content[5].id"),
        ("/messages/2/content/0/content/0/text", json!({}), "messages[2].content[0].content[0].text"),
        ("/messages/2/content/0/tool_use_id", Value::Null, "messages[2].content[0].tool_use_id"),
        ("/messages/2/content/1/is_error", json!("no"), "messages[2].content[1].is_error"),
        ("/system/1/text", json!(1), "system[1].text"),
        ("/system/1/type", json!("image"), "system[1].type"),
        ("/system", json!(1), "system"),
        ("/tools/0/name", Value::Null, "tools[0].name"),
        ("/tools/0/input_schema", json!([]), "tools[0].input_schema"),
        ("/tools/1/max_uses", json!("x"), "tools[1].max_uses"),
        ("/tools/0", json!(1), "tools[0]"),
        ("/tool_choice/type", json!("some"), "tool_choice.type"),
        ("/tool_choice", json!("auto"), "tool_choice"),
        ("/thinking/budget_tokens", json!("x"), "thinking.budget_tokens"),
        ("/thinking/budget_tokens", Value::Null, "thinking.budget_tokens"),
        ("/thinking/type", Value::Null, "thinking.type"),
        ("/output_config/effort", json!(3), "output_config.effort"),
        ("/output_config/format/type", json!("xml"), "output_config.format.type"),
        ("/output_config/format/schema", json!("x"), "output_config.format.schema"),
        ("/metadata/user_id", json!(3), "metadata.user_id"),
        ("/temperature", json!("warm"), "temperature"),
        ("/stop_sequences", json!("END"), "stop_sequences"),
        ("/stream", json!("yes"), "stream"),
    ] {
        let error = lower(&with(path, value.clone())).expect_err(path);
        assert_eq!(error.place.as_deref(), Some(place), "{path} = {value}: {error}");
        assert_eq!(error.kind, Kind::InvalidRequest);
    }
}

#[test]
fn counting_needs_no_limit() {
    let document = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(lower(&document).unwrap_err().place.as_deref(), Some("max_tokens"));
    let mut cx = cx(&document.to_string());
    assert!(Client.lower(&mut cx, &Route::to(COUNT)).is_ok());
}

#[test]
fn routes() {
    for path in ["/v1/messages", "/claude/v1/messages"] {
        assert_eq!(Client.claim("POST", path, "beta=true").unwrap().operation, Operation::Generate);
        let count = format!("{path}/count_tokens");
        assert_eq!(Client.claim("POST", &count, "").unwrap().operation, COUNT);
        assert!(Client.claim("GET", path, "").is_none());
    }
    assert!(Client.claim("POST", "/v1/chat/completions", "").is_none());
}

#[test]
fn text_that_says_nothing_is_not_there() {
    let document = json!({"model": "m", "max_tokens": 5, "system": "", "messages": [
        {"role": "system", "content": "Leading words."},
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": ""}
    ]});
    let request = lower(&document).unwrap();
    assert_eq!(request.instructions.len(), 1);
    assert_eq!(request.messages.len(), 1);
    assert_eq!(request.messages[0].parts.len(), 1);
}

#[test]
fn threads_are_refused_so_that_sdks_send_the_whole_history() {
    let document = json!({"model": "m", "max_tokens": 5, "thread": {"type": "create"},
        "messages": [{"role": "user", "content": "hi"}]});
    let request = lower(&document).unwrap();
    let field = &request.extensions.fields()[0];
    assert_eq!((field.name.as_str(), field.loss.level), ("thread", Level::Deny));
    // As the pipeline words it.
    let refusal = Client.render_error(&Error::invalid("thread", "no threads").with_code(field.loss.name));
    assert_eq!(refusal.status, 400);
    let body: Value = serde_json::from_slice(&refusal.body).unwrap();
    let details = json!({"error_code": "thread_unsupported_request", "unsupported": ["thread"]});
    assert_eq!(body["error"]["details"], details);
    assert_eq!(body["error"]["type"], "invalid_request_error");
    // A Claude upstream may have them.
    assert_eq!(raise(&request).body["thread"], json!({"type": "create"}));
}

#[test]
fn a_message_that_the_assistant_begins_or_ends_is_left_to_claude() {
    let document = json!({"model": "claude-up", "max_tokens": 5, "messages": [
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "I"}
    ]});
    let sent = long_way(&document);
    assert_eq!(sent.body, document);
    sent.only(&[]);
}

// --------------------------------------------------------------------------------------------------- requests out

#[test]
fn address_and_headers() {
    let sent = raise(&hello());
    assert_eq!(sent.http.url, "https://upstream.example/v1/messages");
    assert_eq!(sent.http.headers.get("x-api-key"), Some("upstream-key"));
    assert_eq!(sent.http.headers.get("anthropic-version"), Some("2023-06-01"));

    let header = |name, value: &str| ir::DialectHeader { dialect: ID, name, value: value.into() };
    let headers = vec![header("anthropic-version", "2026-10-21"), header("anthropic-beta", "a-1,b-2")];
    let mut request = ir::Request { headers, ..hello() };
    let mut target = target();
    target.headers = vec![("anthropic-beta".to_owned(), "b-2, c-3".to_owned())];
    let sent = raise_to(&request, &target);
    assert_eq!(sent.http.headers.get("anthropic-version"), Some("2026-10-21"));
    assert_eq!(sent.http.headers.get("anthropic-beta"), Some("b-2,c-3,a-1"));
    // The newer version takes no sampling parameters.
    request.sampling.temperature = Some(0.5);
    assert_eq!(raise(&request).http.headers.get("anthropic-version"), Some("2023-06-01"));

    // Servers of tools belong to a beta; whoever has none does not ask for it.
    let server = ir::McpServer { name: "docs".into(), url: "https://docs.example".into(), ..ir::McpServer::default() };
    let served = Tool::Hosted(ir::Hosted {
        dialect: "openai-responses",
        kind: "mcp".into(),
        value: Json::EMPTY_OBJECT,
        ability: Ability::Mcp(vec![server]),
        loss: &codes::BUILTIN_TOOL_UNSUPPORTED,
        meta: Meta::default(),
    });
    let request = ir::Request { tools: vec![served], ..hello() };
    assert_eq!(raise_to(&request, &target).http.headers.get("anthropic-beta"), Some("b-2,c-3,mcp-client-2025-11-20"));
    assert_eq!(raise(&request).http.headers.get("anthropic-beta"), Some("mcp-client-2025-11-20"));
    assert_eq!(raise(&hello()).http.headers.get("anthropic-beta"), None);

    target.endpoints.messages_path = Some("/api/anthropic/messages".to_owned());
    assert_eq!(raise_to(&hello(), &target).http.url, "https://upstream.example/api/anthropic/messages");
}

#[test]
fn the_limit_of_tokens() {
    let mut request = ir::Request { max_output_tokens: None, ..hello() };
    let sent = raise(&request);
    assert_eq!(sent.body["max_tokens"], 8192);
    sent.only(&[&codes::MAX_TOKENS_DEFAULTED]);
    let configured = Target { max_tokens: Some(500), ..target() };
    assert_eq!(raise_to(&request, &configured).body["max_tokens"], 500);
    request.reasoning.effort = Some(Effort::Medium);
    assert_eq!(raise(&request).body["max_tokens"], 16_384);
}

#[test]
fn thought() {
    let ask = |reasoning: ir::ReasoningConfig, limit: u64| {
        let request = ir::Request { reasoning, max_output_tokens: Some(limit), ..hello() };
        raise(&request)
    };
    let config = ir::ReasoningConfig::default();
    let by_effort = |effort| ask(ir::ReasoningConfig { effort: Some(effort), ..config.clone() }, 100);
    let by_budget = |budget, limit| ask(ir::ReasoningConfig { budget: Some(budget), ..config.clone() }, limit);

    let sent = by_effort(Effort::High);
    assert_eq!(sent.body["thinking"], json!({"type": "adaptive"}));
    assert_eq!(sent.body["output_config"], json!({"effort": "high"}));
    sent.only(&[]);
    let sent = by_effort(Effort::Minimal);
    assert_eq!(sent.body["output_config"], json!({"effort": "low"}));
    sent.only(&[&codes::EFFORT_APPROXIMATED]);
    let sent = by_effort(Effort::None);
    assert_eq!(sent.body["thinking"], json!({"type": "disabled"}));
    assert!(sent.body.get("output_config").is_none());

    let sent = by_budget(2_000, 8_000);
    assert_eq!(sent.body["thinking"], json!({"type": "enabled", "budget_tokens": 2_000}));
    sent.only(&[]);
    // Too little, too much, and no room at all.
    for (budget, limit, budget_sent, limit_sent) in
        [(100, 8_000, 1_024, 8_000), (8_000, 8_000, 6_976, 8_000), (8_000, 100, 1_024, 1_124)]
    {
        let sent = by_budget(budget, limit);
        assert_eq!(sent.body["thinking"]["budget_tokens"], budget_sent);
        assert_eq!(sent.body["max_tokens"], limit_sent);
        sent.only(&[&codes::VALUE_CLAMPED]);
    }
    assert_eq!(by_budget(0, 100).body["thinking"], json!({"type": "disabled"}));
    assert_eq!(by_budget(-1, 100).body["thinking"], json!({"type": "adaptive"}));

    let shown = ir::ReasoningConfig { visibility: Some(ir::Visibility::Concise), ..config.clone() };
    assert_eq!(ask(shown, 100).body["thinking"], json!({"type": "adaptive", "display": "summarized"}));
    let hidden =
        ir::ReasoningConfig { effort: Some(Effort::Low), visibility: Some(ir::Visibility::Hidden), ..config.clone() };
    assert_eq!(ask(hidden, 100).body["thinking"], json!({"type": "adaptive", "display": "omitted"}));
    assert!(ask(config, 100).body.get("thinking").is_none());
}

#[test]
fn a_claude_clients_words_about_thought_come_back() {
    for (thinking, output_config) in [
        (json!({"type": "enabled", "budget_tokens": 1024}), Value::Null),
        (json!({"type": "enabled", "budget_tokens": 1024, "display": "omitted"}), json!({"effort": "low"})),
        (json!({"type": "adaptive", "x": 1}), json!({"effort": "max"})),
        (json!({"type": "between_tools"}), json!({"effort": "high"})),
        (json!({"type": "disabled"}), json!({"effort": "high"})),
        (json!({"type": "deeply", "why": "new"}), Value::Null),
        (json!({"type": "adaptive", "display": "updates"}), json!({"effort": "extreme"})),
        (Value::Null, json!({"effort": "medium"})),
    ] {
        let document = json!({"model": "claude-up", "max_tokens": 5000, "thinking": thinking, "output_config": output_config,
            "messages": [{"role": "user", "content": "hi"}]});
        let sent = long_way(&document);
        assert_eq!(sent.body.get("thinking").unwrap_or(&Value::Null), &thinking);
        assert_eq!(sent.body.get("output_config").unwrap_or(&Value::Null), &output_config);
        sent.only(&[]);
    }
}

#[test]
fn sampling() {
    let mut request = hello();
    request.sampling = ir::Sampling {
        temperature: Some(1.5),
        top_p: Some(0.9),
        top_k: Some(40.0),
        seed: Some(1),
        presence_penalty: Some(0.0),
        frequency_penalty: Some(0.5),
        stop: vec!["END".into(), " ".into()],
        logprobs: Some(2),
    };
    let sent = raise(&request);
    assert_eq!(sent.body["temperature"], 1.0);
    assert!(sent.body.get("top_p").is_none());
    assert_eq!(sent.body["top_k"], json!(40));
    assert_eq!(sent.body["stop_sequences"], json!(["END"]));
    sent.only(&[&codes::VALUE_CLAMPED, &codes::SAMPLING_DROPPED, &codes::LOGPROBS_UNSUPPORTED]);

    request.sampling =
        ir::Sampling { temperature: Some(0.5), top_p: Some(0.5), top_k: Some(4.0), ..ir::Sampling::default() };
    request.reasoning.effort = Some(Effort::Low);
    let sent = raise(&request);
    for name in ["temperature", "top_p", "top_k"] {
        assert!(sent.body.get(name).is_none(), "{name}");
    }
    sent.only(&[&codes::SAMPLING_DROPPED]);
}

#[test]
fn choices() {
    let with = |choice: ToolChoice, parallel: Option<bool>| {
        let tools = vec![tool(), function("read", json!({"type": "object"}))];
        ir::Request { tools, tool_choice: Some(choice), parallel_tool_calls: parallel, ..hello() }
    };
    for (choice, parallel, wanted) in [
        (ToolChoice::Auto, None, json!({"type": "auto"})),
        (ToolChoice::None, Some(false), json!({"type": "none"})),
        (ToolChoice::Required, Some(false), json!({"type": "any", "disable_parallel_tool_use": true})),
        (
            ToolChoice::Tool { name: "look".into(), kind: CallKind::Function },
            None,
            json!({"type": "tool", "name": "look"}),
        ),
    ] {
        let sent = raise(&with(choice, parallel));
        assert_eq!(sent.body["tool_choice"], wanted);
        assert_eq!(sent.body["tools"].as_array().unwrap().len(), 2);
        sent.only(&[]);
    }
    let sent = raise(&with(ToolChoice::Allowed { required: true, names: vec!["read".into()] }, None));
    assert_eq!(sent.body["tool_choice"], json!({"type": "any"}));
    assert_eq!(sent.body["tools"].as_array().unwrap().len(), 1);
    sent.only(&[&codes::TOOL_OPTION_LOST]);
    let request = ir::Request { parallel_tool_calls: Some(false), tools: vec![tool()], ..hello() };
    assert_eq!(raise(&request).body["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
    // Without tools there is nothing to choose.
    let request = ir::Request { tool_choice: Some(ToolChoice::Auto), ..hello() };
    assert!(raise(&request).body.get("tool_choice").is_none());

    // Thinking by a budget goes not with a tool that must be called; with an effort it does.
    let mut request = with(ToolChoice::Required, None);
    request.max_output_tokens = Some(9_000);
    request.reasoning.budget = Some(2_000);
    let sent = raise(&request);
    assert!(sent.body.get("thinking").is_none());
    sent.only(&[&codes::REASONING_OPTION_LOST]);
    request.reasoning = ir::ReasoningConfig { effort: Some(Effort::Low), ..ir::ReasoningConfig::default() };
    let sent = raise(&request);
    assert_eq!(sent.body["thinking"]["type"], "adaptive");
    assert_eq!(sent.body["tool_choice"]["type"], "any");
    sent.only(&[]);
}

#[test]
fn tools_of_other_dialects() {
    let custom = Tool::Custom(ir::Custom {
        name: "apply patch".into(),
        namespace: Some("files".into()),
        description: Some("Patches.".into()),
        grammar: Some(ir::Grammar { syntax: "lark".into(), definition: "start: x".into() }),
        meta: Meta::default(),
    });
    let hosted = |kind: &str, value: Value, ability| {
        Tool::Hosted(ir::Hosted {
            dialect: "gemini",
            kind: kind.into(),
            value: Json::of(&value),
            ability,
            loss: &codes::BUILTIN_TOOL_UNSUPPORTED,
            meta: Meta::default(),
        })
    };
    let search = ir::WebSearch {
        allowed_domains: vec!["a.example".into()],
        location: Some(ir::Location { city: Some("Bern".into()), ..ir::Location::default() }),
        ..ir::WebSearch::default()
    };
    let request = ir::Request {
        tools: vec![
            custom,
            Tool::Function(ir::Function { name: "bare".into(), ..ir::Function::default() }),
            hosted("googleSearch", json!({"googleSearch": {}}), Ability::WebSearch(search)),
            hosted("urlContext", json!({"urlContext": {}}), Ability::UrlContext),
            hosted("codeExecution", json!({"codeExecution": {"files": ["x"]}}), Ability::CodeExecution),
            hosted("googleMaps", json!({"googleMaps": {}}), Ability::Other),
        ],
        ..hello()
    };
    let sent = raise(&request);
    let tools = sent.body["tools"].as_array().unwrap();
    assert_eq!(tools[0]["name"], "files__apply_patch");
    assert_eq!(tools[0]["input_schema"]["required"], json!(["input"]));
    assert!(tools[0]["description"].as_str().unwrap().contains("start: x"));
    assert_eq!(tools[1]["input_schema"], json!({"type": "object", "properties": {}}));
    let wanted = json!({"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["a.example"],
        "user_location": {"type": "approximate", "city": "Bern"}});
    assert_eq!(tools[2], wanted);
    assert_eq!(tools[3], json!({"type": "web_fetch_20250910", "name": "web_fetch"}));
    assert_eq!(tools[4], json!({"type": "code_execution_20250825", "name": "code_execution"}));
    assert_eq!(tools.len(), 5);
    sent.only(&[
        &codes::CUSTOM_TOOL_AS_FUNCTION,
        &codes::NAMESPACE_FLATTENED,
        &codes::TOOL_NAME_REWRITTEN,
        &codes::BUILTIN_TOOL_OPTIONS_LOST,
        &codes::BUILTIN_TOOL_UNSUPPORTED,
    ]);
}

#[test]
fn schemas() {
    let fitted = |tool: Tool| {
        let sent = raise(&ir::Request { tools: vec![tool], ..hello() });
        (sent.body["tools"][0]["input_schema"].clone(), sent.told(&codes::TOOL_SCHEMA_REWRITTEN))
    };
    let open_api = Tool::Function(ir::Function {
        name: "look".into(),
        parameters: Some(ir::Schema {
            language: ir::SchemaLanguage::OpenApi,
            json: Json::of(&json!({"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": true}}})),
        }),
        ..ir::Function::default()
    });
    let wanted = json!({"type": "object", "properties": {"a": {"type": ["string", "null"]}}});
    assert_eq!(fitted(open_api), (wanted, false));
    let alternatives = json!({"anyOf": [
        {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a", "b"]},
        {"$ref": "#/$defs/c"}
    ], "$defs": {"c": {"type": "object", "properties": {"c": {}}, "required": ["a"]}}});
    let (schema, reported) = fitted(function("look", alternatives));
    assert!(reported);
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["required"], json!(["a"]));
    assert_eq!(schema["properties"].as_object().unwrap().len(), 3);
    assert!(schema.get("anyOf").is_none());
    let mut strict = ir::Function {
        name: "look".into(),
        parameters: Some(ir::Schema::json_schema(Json::of(
            &json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}),
        ))),
        ..ir::Function::default()
    };
    let (schema, reported) = fitted(Tool::Function(strict.clone()));
    assert!(!reported && schema["properties"]["n"]["minimum"] == 1);
    strict.strict = Some(true);
    let (schema, reported) = fitted(Tool::Function(strict));
    assert!(reported);
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["n"], json!({"type": "integer", "description": "{minimum: 1}"}));
}

#[test]
fn formats_of_answers() {
    let mut request = hello();
    request.output.format = ir::Format::Json;
    let sent = raise(&request);
    assert!(sent.body["system"].as_str().unwrap().contains("JSON object"));
    sent.only(&[&codes::JSON_MODE_EMULATED]);
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "maximum": 9, "description": "A number."},
        "m": {"type": "object", "additionalProperties": {"type": "string"}}, "o": {"oneOf": [{"type": "string"}, {"type": "null"}]}}});
    request.output.format = ir::Format::Schema(ir::OutputSchema {
        name: Some("n".into()),
        description: None,
        schema: ir::Schema::json_schema(Json::of(&schema)),
        strict: Some(false),
    });
    let sent = raise(&request);
    let format = &sent.body["output_config"]["format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["schema"]["additionalProperties"], false);
    assert_eq!(format["schema"]["properties"]["n"]["description"], "A number.\n\n{maximum: 9}");
    assert_eq!(format["schema"]["properties"]["m"]["additionalProperties"], false);
    assert!(format["schema"]["properties"]["o"].get("anyOf").is_some());
    sent.only(&[&codes::STRUCTURED_OUTPUT_EMULATED, &codes::STRICT_ENFORCED]);
    // The older place of the same, for the client that used it.
    let document = json!({"model": "claude-up", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}],
        "output_format": {"type": "json_schema", "schema": {"type": "object", "properties": {}, "additionalProperties": false}}});
    assert_eq!(long_way(&document).body, document);
}

#[test]
fn conversations_are_put_in_claudes_order() {
    let request = foreign([
        message(Role::Assistant, [text("I begin.")]),
        message(Role::User, [text("two calls")]),
        message(Role::Assistant, [text(" "), call("a.1", "look", "{\"x\":1}"), call("a_1", "look", "not json")]),
        message(Role::Developer, [text("Mind the gap.")]),
        message(Role::User, [result("a_1", "second")]),
        message(Role::User, [result("a.1", "first"), text("and?")]),
    ]);
    let sent = raise(&request);
    let wanted = json!([
        {"role": "user", "content": "."},
        {"role": "assistant", "content": "I begin."},
        {"role": "user", "content": "two calls"},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "a_1_2", "name": "look", "input": {"x": 1}},
            {"type": "tool_use", "id": "a_1", "name": "look", "input": {"_raw": "not json"}}
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a_1_2", "content": "first"},
            {"type": "tool_result", "tool_use_id": "a_1", "content": "second"},
            {"type": "text", "text": "<system-reminder>\nMind the gap.\n</system-reminder>"},
            {"type": "text", "text": "and?"}
        ]}
    ]);
    assert_eq!(sent.body["messages"], wanted, "{:#}", sent.body["messages"]);
    sent.only(&[
        &codes::TURN_INSERTED,
        &codes::TOOL_ID_REWRITTEN,
        &codes::TOOL_ARGUMENTS_WRAPPED,
        &codes::INSTRUCTION_MOVED,
        &codes::TOOL_RESULT_REORDERED,
    ]);
    let sent = raise(&foreign([message(Role::User, [text("go on")]), message(Role::Assistant, [text("Once upon")])]));
    sent.only(&[&codes::TURN_INSERTED]);
    assert_eq!(sent.body["messages"][2], json!({"role": "user", "content": "Continue."}));
    assert_eq!(raise(&foreign([])).body["messages"], json!([{"role": "user", "content": "."}]));
}

#[test]
fn state_goes_to_its_issuer_alone() {
    let own = Issuer { dialect: ID.into(), provider: Some("anthropic".into()), model: Some("claude-up".into()) };
    let thought = |seal: Option<Sealed>, form| {
        let part = Part::Reasoning(Reasoning { text: "hm".into(), form, meta: Meta::default() });
        match seal {
            Some(seal) => sealed(part, seal),
            None => part,
        }
    };
    let with = |parts: Vec<Part>| {
        let mut request = foreign([
            message(Role::User, [text("hi")]),
            message(Role::Assistant, parts.into_iter().chain([call("c", "look", "{}")])),
            message(Role::User, [result("c", "seen")]),
        ]);
        request.tools = vec![tool()];
        request.max_output_tokens = Some(9_000);
        request.reasoning.budget = Some(2_000);
        raise(&request)
    };
    let own_seal = Sealed { issuer: own.clone(), payload: "c2ln".into(), note: None };
    let sent = with(vec![thought(Some(own_seal.clone()), ReasoningForm::Summary)]);
    let wanted = json!({"type": "thinking", "thinking": "hm", "signature": "c2ln"});
    assert_eq!(sent.body["messages"][1]["content"][0], wanted);
    assert_eq!(sent.body["thinking"]["type"], "enabled");
    sent.only(&[]);
    // What a client's slot says of it does not count: the seal's note tells that it was redacted.
    let sent = with(vec![thought(Some(own_seal.clone()), ReasoningForm::Redacted)]);
    assert_eq!(sent.body["messages"][1]["content"][0], wanted);
    let redacted = Sealed { note: Some("redacted".into()), ..own_seal };
    let sent = with(vec![thought(Some(redacted), ReasoningForm::Summary)]);
    assert_eq!(sent.body["messages"][1]["content"][0], json!({"type": "redacted_thinking", "data": "c2ln"}));
    // Another's thoughts stay out, and thinking by a budget with them.
    for seal in [
        seal("gemini", "Z2Vt"),
        Sealed { issuer: Issuer { model: Some("older".into()), ..own }, payload: "b2xk".into(), note: None },
    ] {
        let sent = with(vec![thought(Some(seal.clone()), ReasoningForm::Summary)]);
        assert!(!sent.body.to_string().contains(seal.payload.as_str()));
        assert!(sent.body.get("thinking").is_none());
        sent.only(&[&codes::REASONING_STATE_FOREIGN, &codes::REASONING_STATE_MISSING]);
    }
    let sent = with(vec![thought(None, ReasoningForm::Raw), sealed(text("so"), seal("gemini", "dGV4dA=="))]);
    sent.only(&[&codes::REASONING_DROPPED, &codes::REASONING_STATE_FOREIGN, &codes::REASONING_STATE_MISSING]);
}

#[test]
fn media() {
    let media = |kind, mime: Option<&str>, source| {
        Part::Media(Media { kind, source, mime: mime.map(Text::from), name: None, detail: None, meta: Meta::default() })
    };
    let inline = |data: &str| MediaSource::Inline(data.into());
    let one = |part: Part| {
        let sent = raise(&foreign([message(Role::User, [text("see"), part])]));
        (sent.body.pointer("/messages/0/content/1").cloned(), sent)
    };
    let (block, sent) = one(media(MediaKind::Image, Some("image/jpg"), inline("_9j-4A")));
    let wanted = json!({"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j+4A=="}});
    assert_eq!(block, Some(wanted));
    sent.only(&[]);
    let (block, _) = one(media(MediaKind::Image, None, inline("iVBORw0KGgoA")));
    assert_eq!(block.unwrap()["source"]["media_type"], "image/png");
    let (block, _) = one(media(MediaKind::Document, Some("text/csv"), inline("YSxi")));
    assert_eq!(block.unwrap()["source"], json!({"type": "text", "media_type": "text/plain", "data": "a,b"}));
    let (block, _) = one(media(MediaKind::Document, None, inline("JVBERi0xLjQ=")));
    assert_eq!(block.unwrap()["source"]["media_type"], "application/pdf");
    let (block, _) = one(media(MediaKind::Document, None, MediaSource::Url("https://a.example/b.pdf".into())));
    assert_eq!(block.unwrap()["source"]["type"], "url");
    for (part, code) in [
        (media(MediaKind::Image, Some("image/heic"), inline("AAAA")), &codes::MODALITY_UNSUPPORTED),
        (media(MediaKind::Audio, Some("audio/wav"), inline("AAAA")), &codes::MODALITY_UNSUPPORTED),
        (media(MediaKind::Video, Some("video/mp4"), inline("AAAA")), &codes::MODALITY_UNSUPPORTED),
        (media(MediaKind::Document, Some("application/zip"), inline("AAAA")), &codes::MODALITY_UNSUPPORTED),
        (media(MediaKind::Image, None, MediaSource::Url("gs://bucket/x".into())), &codes::FILE_ID_NOT_PORTABLE),
        (
            media(MediaKind::Image, None, MediaSource::File { dialect: "gemini", id: "f".into() }),
            &codes::FILE_ID_NOT_PORTABLE,
        ),
    ] {
        let (block, sent) = one(part);
        assert_eq!(block, None);
        sent.only(&[code]);
    }
}

#[test]
fn the_rest_of_other_dialects() {
    let mut request = hello();
    request.output.verbosity = Some("low".into());
    request.session = ir::Session { store: Some(true), previous_response_id: Some("r".into()), conversation: None };
    request.caller = ir::Caller {
        user: Some("u".into()),
        metadata: Some(Json::of(&json!({"a": "b"}))),
        tier: Some(ir::Tier::Flex),
        cache_key: Some("k".into()),
    };
    request.extensions.push(
        "openai-responses",
        ir::Extension { name: "truncation".into(), value: Json::of("auto"), loss: &codes::CONTEXT_MANAGEMENT_LOST },
    );
    request.messages[0].name = Some("Ann".into());
    request.messages[0].parts[0].meta_mut().cache = Some(ir::CacheMark { ttl: Some(ir::CacheTtl::TwelveHours) });
    let sent = raise(&request);
    assert_eq!(sent.body["metadata"], json!({"user_id": "u"}));
    let cached = json!([{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    assert_eq!(sent.body["messages"][0]["content"], cached);
    assert!(sent.body.get("truncation").is_none());
    sent.only(&[
        &codes::VERBOSITY_LOST,
        &codes::STORE_LOST,
        &codes::SERVER_STATE_UNSUPPORTED,
        &codes::METADATA_LOST,
        &codes::SERVICE_TIER_APPROXIMATED,
        &codes::CACHE_HINT_LOST,
        &codes::CONTEXT_MANAGEMENT_LOST,
        &codes::ROLE_DISTINCTION_LOST,
        &codes::CACHE_TTL_APPROXIMATED,
    ]);
    request.caller.tier = Some(ir::Tier::Fast);
    assert_eq!(raise(&request).body["speed"], "fast");
}

// -------------------------------------------------------------------------------------------------------- answers

fn answer() -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-up",
        "content": [
            {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "cmVk"},
            {"type": "text", "text": "I searched. ", "citations": [
                {"type": "web_search_result_location", "url": "https://t.example", "title": "T", "cited_text": "t",
                    "encrypted_index": "aW5k"}
            ]},
            {"type": "text", "text": "Now I look."},
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
            {"type": "something_new", "payload": {"a": [1]}},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "x"}, "caller": {"type": "direct"}},
            {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {}}
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "container": {"id": "c_1", "expires_at": "2026-12-01T00:00:00Z"},
        "context_management": {"applied_edits": []},
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 4,
            "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 20, "output_tokens_details": {"thinking_tokens": 7}, "service_tier": "standard"}
    })
}

/// The same answer as a stream, with all that real ones do: pings anywhere, padding, empty pieces, an early guess at the
/// usage, a second guess at the end, an unknown event.
fn stream() -> String {
    let start = json!({"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-up", "content": [],
        "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 4,
            "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 1, "service_tier": "standard"}}});
    let block = |index: u64, block: Value, deltas: &[Value]| {
        let mut out = vec![json!({"type": "content_block_start", "index": index, "content_block": block})];
        for delta in deltas {
            out.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        out.push(json!({"type": "content_block_stop", "index": index}));
        out
    };
    let text = |words: &str| json!({"type": "text_delta", "text": words});
    let input = |words: &str| json!({"type": "input_json_delta", "partial_json": words});
    let citation = answer()["content"][2]["citations"][0].clone();
    let mut events = vec![start, json!({"type": "ping"})];
    events.extend(block(
        0,
        json!({"type": "thinking", "thinking": "", "signature": ""}),
        &[
            json!({"type": "thinking_delta", "thinking": "Let me"}),
            json!({"type": "thinking_delta", "thinking": " see."}),
            json!({"type": "signature_delta", "signature": "c2ln"}),
        ],
    ));
    events.extend(block(1, json!({"type": "redacted_thinking", "data": "cmVk"}), &[]));
    events.extend(block(
        2,
        json!({"type": "text", "text": "", "citations": []}),
        &[text(""), text("I sear"), text("ched. "), json!({"type": "citations_delta", "citation": citation})],
    ));
    events.extend(block(3, json!({"type": "text", "text": "Now "}), &[text("I "), text("look.")]));
    events.push(json!({"type": "brand_new_event"}));
    events.extend(block(
        4,
        json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}),
        &[input("{\"query\""), input(": \"q\"}")],
    ));
    events.extend(block(5, json!({"type": "something_new", "payload": {"a": [1]}}), &[]));
    events.extend(block(
        6,
        json!({"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}, "caller": {"type": "direct"}}),
        &[input(""), input("{\"at\":"), input("\"x\"}")],
    ));
    events.extend(block(7, json!({"type": "tool_use", "id": "toolu_2", "name": "look", "input": {}}), &[]));
    events.extend(block(8, json!({"type": "text", "text": ""}), &[]));
    let end = |delta: Value, usage: Value| json!({"type": "message_delta", "delta": delta, "usage": usage, "context_management": {"applied_edits": []}});
    events.push(end(json!({"stop_reason": null}), json!({"output_tokens": 5})));
    events.push(end(
        json!({"stop_reason": "tool_use", "stop_sequence": null, "container": answer()["container"]}),
        json!({"output_tokens": 20, "input_tokens": null, "output_tokens_details": {"thinking_tokens": 7}}),
    ));
    events.push(json!({"type": "message_stop"}));
    let mut out = String::from(": hello\n\n");
    for event in events {
        let name = event["type"].as_str().unwrap();
        out.push_str(&format!("event: {name}\ndata: {event}   \n\n"));
    }
    out
}

#[test]
fn answers_come_back_as_they_were() {
    let response = parse(&answer()).unwrap();
    assert_eq!(response.finish.reason, Reason::ToolUse);
    assert_eq!(response.usage.input, Some(17));
    assert_eq!((response.usage.cache_read, response.usage.cache_write), (Some(4), Some(3)));
    assert_eq!((response.usage.output, response.usage.reasoning), (Some(20), Some(7)));
    assert_eq!(ir::collect(response.clone().events()).unwrap(), response);
    let mut rendered = render(response);
    for slot in ["/content/0/signature", "/content/1/data"] {
        let slot = rendered.pointer_mut(slot).unwrap();
        let seal = envelope::open(ID, &slot.as_str().unwrap().into()).unwrap();
        assert_eq!(seal.issuer, target().issuer(ID));
        *slot = seal.payload.as_str().into();
    }
    let mut want = answer();
    want["model"] = "anthropic.main".into();
    assert_eq!(rendered, want);
}

#[test]
fn whole_and_streamed_are_the_same() {
    let whole = parse(&answer()).unwrap();
    let mut streamed = ir::collect(decode(stream().as_bytes(), usize::MAX)).unwrap();
    // The same counts, though not in the same order.
    let raw = |response: &ir::Response| response.usage.raw.as_ref().unwrap().value.value();
    assert_eq!(raw(&streamed), raw(&whole));
    streamed.usage.raw.clone_from(&whole.usage.raw);
    assert_eq!(streamed, whole);
}

#[test]
fn streams_are_read_in_any_chunking_and_fail_when_cut() {
    let sse = stream();
    let whole = decode(sse.as_bytes(), usize::MAX);
    ir::check(&whole).unwrap();
    for size in 1..40 {
        assert_eq!(decode(sse.as_bytes(), size), whole, "chunks of {size}");
    }
    let with_crlf = sse.replace('\n', "\r\n");
    assert_eq!(decode(with_crlf.as_bytes(), 1), whole);
    let end = sse.find("event: message_stop").unwrap() + "event: message_stop\ndata: {\"type\":\"message_stop\"}".len();
    let mut decoder = Upstream.decoder(&memo());
    let mut out = Emitter::new(Ids::new(1));
    let mut events: Vec<Event> = Vec::new();
    for (at, byte) in sse.as_bytes().iter().enumerate() {
        decoder.push(&[*byte], &mut out);
        events.extend(out.take());
        let mut cut = out.clone();
        decoder.fork().finish(&mut cut);
        let mut all = events.clone();
        all.extend(cut.take());
        ir::check(&all).unwrap();
        let failed = matches!(all.last(), Some(Event::Failed(_)));
        assert_eq!(failed, at + 1 < end, "cut after {at} of {end}");
    }
}

#[test]
fn streams_that_go_wrong() {
    let overloaded = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let last = |sse: &str| match decode(sse.as_bytes(), 5).pop() {
        Some(Event::Failed(error)) => error,
        other => panic!("{other:?}"),
    };
    let error = last(overloaded);
    assert_eq!((error.kind, error.message.as_str()), (Kind::Overloaded, "Overloaded"));
    let half: String = stream().split_inclusive("\n\n").take(6).collect();
    assert_eq!(last(&format!("{half}{overloaded}")).kind, Kind::Overloaded);
    assert_eq!(last(&half).code.as_deref(), Some("upstream_cut_short"));
    for junk in [
        "",
        "data: {\n\n",
        "data: 5\n\n",
        "data: {\"type\":\"message_start\"}\n\n",
        "data: {\"type\":\"message_start\",\"message\":{\"id\":5}}\n\n",
        "data: {\"type\":\"content_block_start\"}\n\n",
        "data: {\"type\":\"content_block_start\",\"content_block\":[]}\n\n",
        "<html>bad gateway</html>",
        "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"x\"}}\n\n",
        "data: [DONE]\n\n",
    ] {
        let error = last(junk);
        assert_eq!(error.status, Some(502), "{junk}: {error}");
    }
}

#[test]
fn answers_that_are_none() {
    let error = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}});
    assert_eq!(parse(&error).unwrap_err().kind, Kind::RateLimit);
    for document in [
        json!({}),
        json!([]),
        json!({"content": "x"}),
        json!({"content": [5]}),
        json!({"content": [{"type": "text", "text": 5}]}),
    ] {
        assert_eq!(parse(&document).unwrap_err().status, Some(502), "{document}");
    }
    let mut cx = cx("<html>");
    assert_eq!(Upstream.parse(&mut cx, &memo()).unwrap_err().status, Some(502));
}

#[test]
fn reasons() {
    for (word, reason) in [
        ("end_turn", Reason::End),
        ("max_tokens", Reason::Length),
        ("stop_sequence", Reason::StopSequence),
        ("refusal", Reason::Refusal),
        ("pause_turn", Reason::Pause),
        ("model_context_window_exceeded", Reason::ContextExceeded),
        ("compaction", Reason::Other),
    ] {
        let details = json!({"type": "refusal", "category": "cyber", "explanation": "No."});
        let mut document = json!({"id": "m", "content": [], "stop_reason": word, "stop_sequence": "END",
            "usage": {"input_tokens": 1, "output_tokens": 1}});
        if reason == Reason::Refusal {
            document["stop_details"] = details.clone();
        }
        let response = parse(&document).unwrap();
        assert_eq!(response.finish.reason, reason);
        let asked = asked();
        let streamed = data(&encode(response.clone().events(), &asked));
        let rendered = render(response);
        assert_eq!(rendered["stop_reason"], word);
        assert_eq!(rendered["stop_sequence"], "END");
        let delta = &streamed[streamed.len() - 2]["delta"];
        assert_eq!(delta["stop_reason"], word);
        if reason == Reason::Refusal {
            assert_eq!(rendered["stop_details"], details);
            assert_eq!(delta["stop_details"], details);
        }
    }
}

/// An answer of other providers: seals on calls and text, a refusal, usage without details.
fn foreign_answer() -> ir::Response {
    let refusal = Part::Refusal(ir::Refusal { text: "I must not.".into(), meta: Meta::default() });
    let thought = Part::Reasoning(Reasoning { text: "hm".into(), form: ReasoningForm::Raw, meta: Meta::default() });
    let redacted = Part::Reasoning(Reasoning { form: ReasoningForm::Redacted, ..Reasoning::default() });
    let citation = ir::Citation { url: Some("https://a.example".into()), ..ir::Citation::default() };
    ir::Response {
        id: Some("resp_1".into()),
        parts: vec![
            thought.clone(),
            sealed(thought, seal("openai-responses", "Z0FB")),
            sealed(redacted, seal("openai-responses", "ZW5j")),
            Part::Text(TextPart { text: "See.".into(), citations: vec![citation], ..TextPart::default() }),
            sealed(text("Signed."), seal("gemini", "c2lnbmVk")),
            sealed(text(""), seal("gemini", "ZW1wdHk=")),
            sealed(call("call:1", "look", "{\"a\": 1}"), seal("gemini", "Y2FsbA==")),
            call("call_2", "look", ""),
            refusal,
        ],
        finish: ir::Finish::new(Reason::End, "stop"),
        usage: ir::Usage {
            input: Some(10),
            cache_read: Some(4),
            output: Some(5),
            reasoning: Some(2),
            ..ir::Usage::default()
        },
        ..ir::Response::default()
    }
}

#[test]
fn answers_of_other_dialects() {
    let mut cx = cx("{}");
    let rendered: Value = serde_json::from_slice(&Client.render(&mut cx, &asked(), foreign_answer())).unwrap();
    let kinds: Vec<&str> =
        rendered["content"].as_array().unwrap().iter().map(|b| b["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "thinking",
            "thinking",
            "redacted_thinking",
            "text",
            "redacted_thinking",
            "text",
            "redacted_thinking",
            "redacted_thinking",
            "tool_use",
            "tool_use",
            "text"
        ]
    );
    assert_eq!(rendered["content"][0]["signature"], "");
    assert!(rendered["content"][3].get("citations").is_none());
    assert_eq!(rendered["content"][9]["input"], json!({}));
    assert_eq!(rendered["stop_reason"], "refusal");
    assert_eq!(rendered["model"], "anthropic.main");
    let usage = json!({"input_tokens": 6, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 4,
        "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 2}});
    assert_eq!(rendered["usage"], usage);
    assert!(cx.diagnostics().iter().any(|diagnostic| *diagnostic.code == codes::CITATION_DEGRADED));
}

/// A whole answer's content as a stream tells it: there the seal of a text comes behind it.
fn as_streamed(content: &Value) -> Value {
    let mut out = content.as_array().unwrap().clone();
    for at in 0..out.len() {
        if let Some(envelope) = out[at]["data"].as_str().and_then(|data| data.strip_prefix("of-next:")) {
            out[at]["data"] = format!("of-text:{envelope}").into();
            out.swap(at, at + 1);
        }
    }
    out.into()
}

/// What a client would send back: the content that it got.
fn replayed(content: Value) -> Vec<Part> {
    let document = json!({"model": "m", "max_tokens": 5, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": content}
    ]});
    lower(&document).unwrap().messages[1].parts.to_vec()
}

/// The content of a written stream, as an SDK gathers it.
fn gathered(sse: &str) -> Value {
    let mut content: Vec<Value> = Vec::new();
    let mut partial = String::new();
    for event in data(sse) {
        let delta = &event["delta"];
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!(event["index"], content.len());
                content.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let block = content.last_mut().unwrap();
                let (kind, field) = match delta["type"].as_str().unwrap() {
                    "text_delta" => ("text", "text"),
                    "thinking_delta" => ("thinking", "thinking"),
                    "signature_delta" => ("thinking", "signature"),
                    "input_json_delta" => {
                        partial.push_str(delta["partial_json"].as_str().unwrap());
                        continue;
                    }
                    other => panic!("{other}"),
                };
                assert_eq!(block["type"], kind);
                let more = format!("{}{}", block[field].as_str().unwrap(), delta[field].as_str().unwrap());
                block[field] = more.into();
            }
            "content_block_stop" if !partial.is_empty() => {
                content.last_mut().unwrap()["input"] = serde_json::from_str(&std::mem::take(&mut partial)).unwrap();
            }
            _ => {}
        }
    }
    content.into()
}

#[test]
fn seals_of_other_dialects_survive_a_claude_client() {
    let response = foreign_answer();
    let wanted: Vec<Sealed> = response.parts.iter().filter_map(|part| part.meta().seal.as_deref().cloned()).collect();
    let streamed = encode(response.clone().events(), &asked());
    let rendered = render(response.clone());
    assert_eq!(gathered(&streamed), as_streamed(&rendered["content"]));
    assert_eq!(replayed(gathered(&streamed)), replayed(rendered["content"].clone()));
    let parts = replayed(rendered["content"].clone());
    let back: Vec<Sealed> = parts.iter().filter_map(|part| part.meta().seal.as_deref().cloned()).collect();
    assert_eq!(back, wanted);
    // Each with its own part: what has no form here is all that is not as it was.
    let mut expected = response.parts;
    for part in &mut expected {
        match part {
            Part::Reasoning(part) if part.form == ReasoningForm::Raw => part.form = ReasoningForm::Summary,
            Part::Text(part) => part.citations.clear(),
            Part::ToolCall(part) if part.arguments.is_empty() => part.arguments = "{}".into(),
            Part::ToolCall(part) => part.arguments = "{\"a\":1}".into(),
            Part::Refusal(refusal) => *part = text(&refusal.text),
            _ => {}
        }
    }
    assert_eq!(parts, expected);
    // A call's seal finds its call wherever the block stands; another's text that is gone leaves its seal on none.
    let mut content = rendered["content"].as_array().unwrap().clone();
    let of_call = content.remove(7);
    content.insert(0, of_call);
    assert_eq!(content.remove(5 + 1)["text"], "Signed.");
    let parts = replayed(content.into());
    let call = parts.iter().find_map(|part| match part {
        Part::ToolCall(call) if call.id == "call:1" => call.meta.seal.as_deref(),
        _ => None,
    });
    assert_eq!(call.unwrap().payload, "Y2FsbA==");
    let of_nothing = parts.iter().filter(|part| matches!(part, Part::Text(part) if part.text.is_empty()));
    assert_eq!(of_nothing.count(), 2);
}

#[test]
fn no_envelope_goes_up() {
    let rendered = render(foreign_answer());
    let document = json!({"model": "m", "max_tokens": 5000, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": rendered["content"]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call:1", "content": "a"},
            {"type": "tool_result", "tool_use_id": "call_2", "content": "b"}
        ]}
    ]});
    let sent = long_way(&document);
    let body = sent.body.to_string();
    assert!(!body.contains(envelope::MARK), "{body}");
    for payload in ["Z0FB", "ZW5j", "c2lnbmVk", "ZW1wdHk=", "Y2FsbA=="] {
        assert!(!body.contains(payload), "{payload}");
    }
    assert!(sent.told(&codes::REASONING_STATE_FOREIGN));
}

#[test]
fn thoughts_that_the_client_does_not_want_to_see() {
    let asked = Asked { hide_reasoning: true, ..asked() };
    let streamed = gathered(&encode(foreign_answer().events(), &asked));
    let rendered: Value = serde_json::from_slice(&Client.render(&mut cx("{}"), &asked, foreign_answer())).unwrap();
    assert_eq!(as_streamed(&rendered["content"]), streamed);
    assert!(!streamed.to_string().contains("hm"));
    // The state goes on all the same.
    assert_eq!(streamed[0]["type"], "thinking");
    assert_ne!(streamed[0]["signature"], "");
}

#[test]
fn custom_tools_go_up_as_functions_and_come_back() {
    let custom = Tool::Custom(ir::Custom {
        name: "patch".into(),
        namespace: None,
        description: None,
        grammar: None,
        meta: Meta::default(),
    });
    let request = ir::Request { tools: vec![custom], ..hello() };
    let raised = Upstream.raise(&mut cx("{}"), &request, &target()).unwrap();
    let document = json!({"id": "m", "content": [
        {"type": "tool_use", "id": "t", "name": "patch", "input": {"input": "*** \"Begin\"\n"}},
        {"type": "tool_use", "id": "u", "name": "patch", "input": {}}
    ], "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}});
    let response = Upstream.parse(&mut cx(&document.to_string()), &raised.memo).unwrap();
    let Some(Part::ToolCall(call)) = response.parts.first() else { panic!("no call") };
    assert_eq!((call.kind, call.arguments.as_str()), (CallKind::Custom, "*** \"Begin\"\n"));
    let Some(Part::ToolCall(call)) = response.parts.get(1) else { panic!("no call") };
    assert_eq!(call.arguments, "");
    // A Claude client would get the text inside an object, in pieces too.
    let events = response.clone().events();
    assert_eq!(gathered(&encode(events, &asked()))[0]["input"], json!({"input": "*** \"Begin\"\n"}));
    assert_eq!(render(response)["content"][1]["input"], json!({"input": ""}));
}

/// docs/errors.md says why.
#[test]
fn arguments_that_are_no_json_are_streamed_as_the_model_wrote_them() {
    let mut out = Emitter::new(Ids::new(1));
    out.call(0, ir::CallStart { id: Some("t".into()), name: "look".into(), ..ir::CallStart::default() });
    for piece in ["{\"city\": ", "Paris}"] {
        out.call_delta(0, piece);
    }
    out.finish(ir::Finish { reason: Reason::ToolUse, ..ir::Finish::default() });
    let events = out.take();
    let mut encoder = Client.encoder(&asked());
    let mut bytes = Vec::new();
    events.iter().cloned().for_each(|event| encoder.push(event, &mut bytes));
    let written = data(&String::from_utf8(bytes).unwrap());
    let pieces = written.iter().filter_map(|event| event["delta"]["partial_json"].as_str());
    assert_eq!(pieces.collect::<String>(), "{\"city\": Paris}");
    assert_eq!(written.last().unwrap()["type"], "message_stop");
    let losses = encoder.take_losses();
    assert_eq!(losses.iter().map(|loss| loss.code.name).collect::<Vec<_>>(), ["tool-arguments-wrapped"]);
    let whole = render(ir::collect(events).unwrap());
    assert_eq!(whole["content"][0]["input"], json!({"_raw": "{\"city\": Paris}"}));
}

#[test]
fn every_list_of_events_makes_a_stream() {
    let broken = || Event::Failed(Error::cut_short());
    for response in [foreign_answer(), parse(&answer()).unwrap(), ir::Response::default()] {
        let events = response.events();
        for end in 1..events.len() {
            let cut = events.iter().take(end).cloned().chain([Event::Idle, broken()]);
            let written = data(&encode(cut, &asked()));
            assert_eq!(written[0]["type"], "message_start");
            let last = written.last().unwrap();
            assert_eq!(last["type"], "error");
            assert_eq!(last["error"]["type"], "api_error");
            assert!(written.iter().any(|event| event["type"] == "ping"));
        }
        let written = data(&encode(events, &asked()));
        assert_eq!(written.last().unwrap()["type"], "message_stop");
        assert!(written[written.len() - 2]["usage"]["output_tokens"].is_u64());
    }
}

#[test]
fn the_beginning_tells_the_prompts_size_where_it_is_known() {
    let written = data(&encode(decode(stream().as_bytes(), usize::MAX), &asked()));
    assert_eq!(written[0]["message"]["usage"]["input_tokens"], 10);
    assert_eq!(written[0]["message"]["usage"]["cache_read_input_tokens"], 4);
    let written = data(&encode(foreign_answer().events(), &asked()));
    assert_eq!(written[0]["message"]["usage"]["input_tokens"], 6);
    assert_eq!(written[written.len() - 2]["usage"]["input_tokens"], 6);
    // Told at the end alone: an estimate until then.
    let late = foreign_answer().events().into_iter().map(|event| match event {
        Event::Start(start) => Event::Start(ir::Start { usage: ir::Usage::default(), ..start }),
        other => other,
    });
    let asked = Asked { input_estimate: 77, ..asked() };
    let at_once = data(&encode([Event::Start(ir::Start::default())], &asked));
    assert_eq!(at_once[0]["message"]["usage"]["input_tokens"], 77);
    let written = data(&encode(late, &asked));
    assert_eq!(written[0]["message"]["usage"]["input_tokens"], 77);
    assert_eq!(written[written.len() - 2]["usage"]["input_tokens"], 6);
}

// --------------------------------------------------------------------------------------------------------- errors

#[test]
fn refusals_of_upstreams() {
    let headers: Headers = [("request-id", "req_h"), ("retry-after", "7")].into_iter().collect();
    let body =
        r#"{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"}"#;
    let error = Upstream.parse_error(529, &headers, body.as_bytes());
    assert_eq!((error.kind, error.status, error.message.as_str()), (Kind::Overloaded, Some(529), "Overloaded"));
    assert_eq!((error.request_id.as_deref(), error.retry_after.as_deref()), (Some("req_h"), Some("7")));
    let rendered = Client.render_error(&error);
    assert_eq!(rendered.status, 529);
    assert_eq!(rendered.body, body.as_bytes());
    assert_eq!(rendered.headers.get("request-id"), Some("req_h"));
    assert_eq!(rendered.headers.get("retry-after"), Some("7"));

    let none = Headers::new();
    let long = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8","details":{"error_code":"too_long"}}}"#;
    let error = Upstream.parse_error(400, &none, long.as_bytes());
    assert_eq!((error.kind, error.code.as_deref()), (Kind::ContextTooLong, Some("too_long")));
    for (status, body, kind, message) in [
        (502, "<html><h1>Bad gateway</h1></html>", Kind::Server, "the upstream answered 502 with a page"),
        (503, "", Kind::Overloaded, "the upstream answered 503 without a word"),
        (404, "{\"detail\":\"Not here\"}", Kind::NotFound, "Not here"),
        (401, "{\"error\":{\"message\":\"bad key\"}}", Kind::Authentication, "bad key"),
        (429, "{\"error\":\"slow\"}", Kind::RateLimit, "slow"),
        (500, "plain words", Kind::Server, "plain words"),
    ] {
        let error = Upstream.parse_error(status, &none, body.as_bytes());
        assert_eq!((error.kind, error.status), (kind, Some(status)), "{body}");
        assert!(error.message.starts_with(message), "{error}");
        assert!(error.native.is_none());
    }
    assert_eq!(Upstream.parse_error(500, &none, b"\xff\xfe").status, Some(500));
}

#[test]
fn refusals_to_clients() {
    for (kind, status, word) in [
        (Kind::InvalidRequest, 400, "invalid_request_error"),
        (Kind::ContextTooLong, 400, "invalid_request_error"),
        (Kind::Authentication, 401, "authentication_error"),
        (Kind::Billing, 402, "billing_error"),
        (Kind::Permission, 403, "permission_error"),
        (Kind::NotFound, 404, "not_found_error"),
        (Kind::Method, 405, "invalid_request_error"),
        (Kind::Conflict, 409, "conflict_error"),
        (Kind::TooLarge, 413, "request_too_large"),
        (Kind::RateLimit, 429, "rate_limit_error"),
        (Kind::Server, 500, "api_error"),
        (Kind::Timeout, 504, "timeout_error"),
        (Kind::Overloaded, 529, "overloaded_error"),
    ] {
        let rendered = Client.render_error(&Error::new(kind, "words"));
        let body: Value = serde_json::from_slice(&rendered.body).unwrap();
        assert_eq!(rendered.status, status);
        assert_eq!(body, json!({"type": "error", "error": {"type": word, "message": "words"}}));
    }
    let error = Error::invalid("messages[0].role", "unknown role");
    let body: Value = serde_json::from_slice(&Client.render_error(&error).body).unwrap();
    assert_eq!(body["error"]["message"], "messages[0].role: unknown role");
    // In mid-stream what the upstream wrote comes through, on one line.
    let native = "{\n \"type\": \"error\",\n \"error\": {\"type\": \"overloaded_error\", \"message\": \"Overloaded\"}}";
    let error = Upstream.parse_error(529, &Headers::new(), native.as_bytes());
    let events = [Event::Start(ir::Start::default()), Event::Failed(error)];
    let written = data(&encode(events, &asked()));
    assert_eq!(written.last().unwrap()["error"]["type"], "overloaded_error");
}

// ----------------------------------------------------------------------------------------------------- round trips

#[test]
fn state_comes_back_to_its_issuer_byte_for_byte() {
    let rendered = render(parse(&answer()).unwrap());
    let document = json!({"model": "m", "max_tokens": 5000, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": rendered["content"]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a"},
            {"type": "tool_result", "tool_use_id": "toolu_2", "content": "b"}
        ]}
    ]});
    let sent = long_way(&document);
    assert_eq!(sent.body["messages"][1]["content"], answer()["content"]);
    sent.only(&[]);
}

#[test]
fn nothing_panics() {
    let sse = stream();
    for at in (0..sse.len()).step_by(5) {
        for byte in [b'"', b'}', 0xff] {
            let mut mutated = sse.clone().into_bytes();
            mutated[at] = byte;
            ir::check(&decode(&mutated, 4_096)).unwrap();
        }
    }
    let document = everything().to_string();
    for at in (0..document.len()).step_by(5).filter(|at| document.is_char_boundary(*at)) {
        let (head, tail) = document.split_at(at);
        for mutated in
            [head.to_owned(), format!("{head}9{tail}"), format!("{head}null,{tail}"), format!("{head}\"{tail}")]
        {
            let mut cx = cx(&mutated);
            if let Ok(lowered) = Client.lower(&mut cx, &Route::to(Operation::Generate)) {
                Upstream.raise(&mut cx, &lowered.request, &target()).unwrap();
            }
        }
    }
}
