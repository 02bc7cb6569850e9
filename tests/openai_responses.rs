//! OpenAI Responses, both sides, on fixtures of our own.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use any_api::backends::{self, Backend, Call, Memo, Names, Target};
use any_api::capabilities::Capabilities;
use any_api::context::{Cx, Ids};
use any_api::diagnostics::Level;
use any_api::error::{Error, Kind};
use any_api::frontends::{self, Asked, Encoder, Frontend, Lowered, Operation, Route};
use any_api::ir::{self, Body, Emitter, Event, Part};
use serde_json::{Value, json};

const FRONTEND: frontends::OpenaiResponses = frontends::OpenaiResponses;
const BACKEND: backends::OpenaiResponses = backends::OpenaiResponses;

fn cx(document: &Value) -> Cx {
    Cx::new(Body::new(document.to_string()), 1, Ids::new(7))
}

fn target(model: &str) -> Target {
    let capabilities = Capabilities::of(model);
    let base_url = "https://host.example".into();
    Target { provider: "p".into(), model: model.into(), base_url, capabilities, ..Target::default() }
}

fn lower(document: &Value) -> Result<(Lowered, Cx), Error> {
    let mut cx = cx(document);
    let lowered = FRONTEND.lower(&mut cx, &Route::to(Operation::Generate))?;
    Ok((lowered, cx))
}

/// What reaches an upstream of `backend`, and the codes of what was lost.
fn raised(backend: &dyn Backend, request: &ir::Request, mut cx: Cx) -> (Value, Vec<&'static str>) {
    let raised = backend.raise(&mut cx, request, &target("gpt-x")).unwrap();
    let Call::Send(request) = raised.call else { panic!("nothing is sent") };
    let codes = cx.diagnostics().iter().filter(|one| one.code.level > Level::Allow).map(|one| one.code.name).collect();
    (serde_json::from_slice(&request.body).unwrap(), codes)
}

/// A request of another dialect, raised to this one.
fn from(frontend: &dyn Frontend, document: &Value) -> (Value, Vec<&'static str>) {
    let mut cx = cx(document);
    let mut route = Route::to(Operation::Generate);
    route.model = Some("m".to_owned());
    let lowered = frontend.lower(&mut cx, &route).unwrap();
    raised(&BACKEND, &lowered.request, cx)
}

fn memo() -> Memo {
    Memo::new(&mut cx(&Value::Null), &target("gpt-x"), BACKEND.dialect(), Names::default())
}

fn asked() -> Asked {
    lower(&json!({"model": "m", "input": "hi"})).unwrap().0.asked
}

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let memo = memo();
    let (mut decoder, mut out) = (BACKEND.decoder(&memo), Emitter::new(memo.ids.clone()));
    for chunk in chunks {
        decoder.push(chunk, &mut out);
    }
    decoder.finish(&mut out);
    let events = out.take();
    ir::check(&events).unwrap();
    events
}

fn encode(asked: &Asked, events: Vec<Event>) -> Vec<u8> {
    ir::check(&events).unwrap();
    let mut encoder: Box<dyn Encoder> = FRONTEND.encoder(asked);
    let mut out = Vec::new();
    for event in events {
        encoder.push(event, &mut out);
    }
    encoder.finish(&mut out);
    out
}

/// The events of a stream, after a look at what holds for every stream.
fn events_of(stream: &[u8]) -> Vec<Value> {
    let mut out = Vec::new();
    for frame in std::str::from_utf8(stream).unwrap().split("\n\n").filter(|frame| !frame.is_empty()) {
        if frame.starts_with(':') {
            continue;
        }
        let (name, data) = frame.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
        assert_eq!(data["sequence_number"], out.len());
        out.push(data);
    }
    out
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap().trim_start_matches("response.")).collect()
}

/// A request as an agent sends it: tools in the input, name spaces, custom tools, thoughts with their state.
fn agent() -> Value {
    json!({
        "model": "m",
        "input": [
            {"type": "additional_tools", "role": "developer", "tools": [
                {"type": "namespace", "name": "clock", "description": "Time.", "tools": [
                    {"type": "function", "name": "now", "description": "d", "strict": false, "parameters": {"type": "object"}},
                    {"type": "custom", "name": "set", "description": "d", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /a/"}},
                ]},
            ]},
            {"type": "message", "role": "developer", "content": [
                {"type": "input_text", "text": "One."}, {"type": "input_text", "text": "Two."},
            ]},
            {"type": "message", "role": "system", "content": "Three.", "id": "msg_s"},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "Look", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
                {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "high"},
                {"type": "input_image", "file_id": "file-1"},
                {"type": "input_file", "file_data": "data:application/pdf;name=x;base64,JVBERi0=", "filename": "x.pdf"},
                {"type": "input_file", "file_url": "https://host.example/x.pdf"},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "input_hologram", "hologram": [1]},
            ], "unknown": {"kept": true}},
            {"type": "reasoning", "id": "rs_1", "summary": [
                {"type": "summary_text", "text": "A"}, {"type": "summary_text", "text": "B"},
            ], "encrypted_content": "c3RhdGU="},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "C"}], "encrypted_content": "c3RhdGUy"},
            {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "phase": "commentary", "content": [
                {"type": "output_text", "text": "So", "annotations": [
                    {"type": "url_citation", "url": "https://host.example", "title": "t", "start_index": 0, "end_index": 2},
                ]},
                {"type": "refusal", "refusal": "No"},
            ]},
            {"role": "assistant", "content": "apart"},
            {"role": "assistant", "content": "again"},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "now", "namespace": "clock", "arguments": "{\"a\": 1}", "status": "completed"},
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "set", "namespace": "clock", "input": "a"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
            {"type": "function_call_output", "call_id": "call_1", "output": "12:00"},
            {"type": "custom_tool_call_output", "call_id": "call_2", "output": [
                {"type": "input_text", "text": "done"}, {"type": "input_image", "image_url": "https://host.example/x.png"},
            ]},
            {"type": "message", "role": "developer", "content": "Mind the time."},
            {"type": "message", "role": "user", "content": ""},
            {"type": "item_reference", "id": "rs_0"},
            {"role": "user", "content": "Go on"},
        ],
        "instructions": "Be brief.",
        "tools": [
            {"type": "function", "name": "f", "parameters": null, "strict": true, "description": "d", "defer_loading": true},
            {"type": "function", "name": "g"},
            {"type": "function", "function": {"name": "h", "parameters": {"type": "object", "properties": {}}}},
            {"type": "custom", "name": "c", "format": {"type": "text"}},
            {"type": "namespace", "name": "one", "description": "1", "tools": [{"type": "function", "name": "f"}]},
            {"type": "namespace", "name": "one", "description": "2", "tools": [{"type": "function", "name": "k"}]},
            {"type": "web_search", "search_context_size": "low", "external_web_access": false},
            {"type": "mcp", "server_label": "s", "server_url": "https://host.example"},
        ],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}]},
        "parallel_tool_calls": false,
        "reasoning": {"effort": "high", "summary": "detailed", "context": "all_turns"},
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": false}},
        "include": ["reasoning.encrypted_content"],
        "store": false, "stream": true, "temperature": 0.5, "top_p": 0.25, "max_output_tokens": 9, "max_tool_calls": 3,
        "metadata": {"a": "b"}, "user": "u", "prompt_cache_key": "k", "service_tier": "flex", "truncation": "auto",
        "top_logprobs": 2, "client_metadata": {"x": 1}, "prompt_cache_options": {"mode": "explicit"}, "novel": [1],
    })
}

#[test]
fn claims_its_paths() {
    for path in ["/openai/v1/responses", "/v1/responses", "/responses"] {
        assert_eq!(FRONTEND.claim("POST", path, "").unwrap().operation, Operation::Generate);
        assert!(FRONTEND.claim("GET", path, "").is_none());
    }
    assert!(FRONTEND.claim("POST", "/v1/responses/input_tokens", "").is_some());
    assert!(FRONTEND.claim("POST", "/v1/chat/completions", "").is_none());
}

#[test]
fn finds_the_upstream() {
    let url = |base: &str, path: Option<&str>| {
        let mut target = target("m");
        target.base_url = base.to_owned();
        target.endpoints.responses_path = path.map(ToOwned::to_owned);
        BACKEND.endpoint(&target, ir::Delivery::Stream, &[]).url
    };
    assert_eq!(url("https://www.right.codes/codex", None), "https://www.right.codes/codex/v1/responses");
    assert_eq!(url("https://api.openai.com/v1/", None), "https://api.openai.com/v1/responses");
    assert_eq!(url("https://host.example/x", Some("/v2/r")), "https://host.example/x/v2/r");
    let mut target = target("m");
    target.api_key = Some("key".to_owned().into());
    let request = BACKEND.endpoint(&target, ir::Delivery::Whole, &[]);
    assert_eq!(request.headers.get("authorization"), Some("Bearer key"));
}

#[test]
fn a_request_of_its_own_comes_back_whole() {
    let document = agent();
    let (lowered, cx) = lower(&document).unwrap();
    let (mut got, lost) = raised(&BACKEND, &lowered.request, cx);
    assert_eq!(lost, Vec::<&str>::new());
    let mut want = document;
    want["model"] = "gpt-x".into();
    for body in [&mut want, &mut got] {
        normal(body);
    }
    for (index, item) in want["input"].as_array().unwrap().iter().enumerate() {
        assert_eq!(&got["input"][index], item, "item {index}");
    }
    assert_eq!(got, want);
}

/// One spelling for what has several.
fn normal(body: &mut Value) {
    for item in body["input"].as_array_mut().unwrap() {
        if item["role"].is_string() && item["tools"].is_null() {
            item["type"] = "message".into();
            if let Value::String(text) = item["content"].clone() {
                item["content"] = json!([{"type": "words", "text": text}]);
            }
        }
        for part in item["content"].as_array_mut().into_iter().flatten() {
            if matches!(part["type"].as_str(), Some("input_text" | "output_text")) {
                part["type"] = "words".into();
            }
        }
    }
    strip(body);
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(strip);
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}

#[test]
fn items_become_messages() {
    let (lowered, _) = lower(&agent()).unwrap();
    let request = lowered.request;
    let instructions: Vec<_> = request.instructions.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(instructions, ["Be brief.", "One.", "Two.", "Three."]);
    let roles: Vec<_> = request.messages.iter().map(|message| message.role).collect();
    use ir::Role::{Assistant, Developer, User};
    assert_eq!(roles, [User, Assistant, User, Developer, User, Assistant, User]);
    let assistant = &request.messages[1].parts;
    let names: Vec<_> = assistant
        .iter()
        .map(|part| match part {
            Part::Text(_) => "text",
            Part::Reasoning(_) => "reasoning",
            Part::ToolCall(_) => "call",
            Part::Refusal(_) => "refusal",
            Part::Opaque(_) => "opaque",
            Part::Media(_) | Part::ToolResult(_) => "other",
        })
        .collect();
    assert_eq!(names[..3], ["reasoning"; 3]);
    assert_eq!(names[3..], ["text", "refusal", "text", "text", "call", "call", "opaque"]);
    assert!(assistant[0].meta().seal.is_none() && assistant[1].meta().seal.is_some());
    let Part::ToolResult(result) = &request.messages[2].parts[0] else { panic!() };
    assert_eq!(result.name.as_deref(), Some("now"));
    assert_eq!(request.messages[2].parts.len(), 2);
    // Tools inside the input are tools.
    assert!(request.tools.iter().any(|tool| matches!(tool, ir::Tool::Custom(tool) if tool.name == "set")));
}

#[test]
fn wrong_types_are_named() {
    for (change, place) in [
        (json!({"input": 5}), "input"),
        (json!({"input": [5]}), "input[0]"),
        (json!({"input": [{"role": "tool", "content": "x"}]}), "input[0].role"),
        (json!({"input": [{"content": "x"}]}), "input[0].type"),
        (json!({"input": [{"role": "user"}]}), "input[0].content"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": 5}]}]}),
            "input[0].content[0].text",
        ),
        (json!({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}), "input[0].content[0].image_url"),
        (json!({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}), "input[0].call_id"),
        (
            json!({"input": [{"type": "function_call", "name": "f", "call_id": "c", "arguments": {}}]}),
            "input[0].arguments",
        ),
        (json!({"input": [{"type": "function_call_output", "call_id": "c"}]}), "input[0].output"),
        (json!({"input": [{"type": "reasoning", "summary": "x"}]}), "input[0].summary"),
        (json!({"tools": [{"type": "function"}]}), "tools[0].name"),
        (json!({"tools": [{"type": "function", "name": "f", "strict": "yes"}]}), "tools[0].strict"),
        (
            json!({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function", "name": 1}]}]}),
            "tools[0].tools[0].name",
        ),
        (json!({"tool_choice": "any"}), "tool_choice"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"max_output_tokens": -1}), "max_output_tokens"),
        (json!({"text": {"format": {"type": "json_schema"}}}), "text.format.schema"),
        (json!({"reasoning": {"effort": 1}}), "reasoning.effort"),
        (json!({"metadata": []}), "metadata"),
        (json!({"stream": "yes"}), "stream"),
        (json!({"model": null}), "model"),
    ] {
        let mut document = json!({"model": "m", "input": "hi"});
        for (key, value) in change.as_object().unwrap() {
            document[key] = value.clone();
        }
        let Err(error) = lower(&document) else { panic!("{change} is taken") };
        assert_eq!((error.kind, error.place.as_deref()), (Kind::InvalidRequest, Some(place)), "{change}: {error}");
    }
    assert!(lower(&json!({"model": "m"})).is_err());
    assert!(lower(&json!({"model": "m", "previous_response_id": "resp_1"})).is_ok());
}

#[test]
fn other_dialects_reach_it() {
    let long = "t".repeat(100);
    let (body, lost) = from(
        &frontends::Claude,
        &json!({
            "model": "m", "max_tokens": 5, "stop_sequences": ["x"], "top_k": 3, "metadata": {"user_id": "u".repeat(70)},
            "system": "Be brief.",
            "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "summarized"},
            "tools": [{"name": "f", "input_schema": {"type": "object"}}, {"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["a.b"]}],
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                    {"type": "tool_use", "id": long, "name": "f", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": long, "is_error": true, "content": [
                        {"type": "text", "text": "broken"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                    ]},
                    {"type": "document", "title": "t", "source": {"type": "text", "media_type": "text/plain", "data": "words"}, "cache_control": {"type": "ephemeral"}},
                ]},
            ],
        }),
    );
    assert_eq!(body["instructions"], "Be brief.");
    assert_eq!(body["store"], false);
    assert_eq!(body["max_output_tokens"], 16);
    assert_eq!(body["reasoning"], json!({"effort": "low", "summary": "auto"}));
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(body["tools"][0]["strict"], false);
    assert_eq!(body["tools"][0]["parameters"], json!({"type": "object", "properties": {}}));
    assert_eq!(body["tools"][1], json!({"type": "web_search", "filters": {"allowed_domains": ["a.b"]}}));
    assert_eq!(body["safety_identifier"].as_str().unwrap().len(), 64);
    let input = body["input"].as_array().unwrap();
    assert_eq!(input.len(), 4);
    assert_eq!(input[0], json!({"type": "message", "role": "user", "content": "hi"}));
    assert_eq!(input[1]["arguments"], "{}");
    assert_eq!(input[1]["call_id"].as_str().unwrap().len(), 64);
    assert_eq!(input[1]["call_id"], input[2]["call_id"]);
    assert_eq!(input[2]["output"][0]["text"], "Error:");
    assert_eq!(input[2]["output"][2]["image_url"], "data:image/png;base64,iVBORw0KGgo=");
    assert_eq!(input[3]["content"][0]["file_data"], "data:text/plain;base64,d29yZHM=");
    for code in [
        "stop-unsupported",
        "sampling-dropped",
        "value-clamped",
        "budget-to-effort",
        "reasoning-state-foreign",
        "tool-id-rewritten",
        "tool-error-flag-textual",
        "cache-hint-lost",
    ] {
        assert!(lost.contains(&code), "{code} of {lost:?}");
    }
}

#[test]
fn a_history_is_mended_for_others_only() {
    let messages = json!([
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"role": "user", "content": "well?"},
    ]);
    let (body, lost) = from(&frontends::OpenaiChatCompletions, &json!({"model": "m", "messages": messages}));
    let kinds: Vec<_> = body["input"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "function_call", "function_call_output", "message"]);
    assert!(lost.contains(&"tool-result-synthesised"));
    // What the upstream keeps is not here to be looked at.
    let own = json!({"model": "m", "previous_response_id": "resp_1", "input": [
        {"type": "function_call_output", "call_id": "c1", "output": ""},
    ]});
    let (lowered, cx) = lower(&own).unwrap();
    let (body, lost) = raised(&BACKEND, &lowered.request, cx);
    assert_eq!(body["input"], own["input"]);
    assert_eq!(body["previous_response_id"], "resp_1");
    assert!(lost.is_empty() && body.get("store").is_none());
}

#[test]
fn an_answer_has_all_that_clients_require() {
    let (lowered, mut cx) = lower(&json!({
        "model": "gateway.m", "input": "hi", "tools": [{"type": "function", "name": "f"}], "temperature": 0.5,
        "instructions": "Be brief.", "metadata": {"a": "b"}, "conversation": "conv_1",
    }))
    .unwrap();
    let text = Part::Text(ir::TextPart { text: "ok".into(), ..ir::TextPart::default() });
    let response = ir::Response { id: Some("chatcmpl-1".into()), parts: vec![text], ..ir::Response::default() };
    let answer: Value = serde_json::from_slice(&FRONTEND.render(&mut cx, &lowered.asked, response)).unwrap();
    assert!(answer["id"].as_str().unwrap().starts_with("resp_"));
    assert_eq!(answer["model"], "gateway.m");
    assert_eq!(answer["status"], "completed");
    assert_eq!(answer["temperature"], 0.5);
    assert_eq!(answer["instructions"], "Be brief.");
    assert_eq!(answer["metadata"], json!({"a": "b"}));
    assert_eq!(answer["conversation"], json!({"id": "conv_1"}));
    assert_eq!(answer["tools"], json!([{"type": "function", "name": "f"}]));
    let keys = ["error", "incomplete_details", "usage", "top_p", "parallel_tool_calls", "tool_choice", "text", "user"];
    assert!(keys.iter().all(|key| answer.get(key).is_some()));
    assert_eq!(
        answer["output"][0]["content"],
        json!([{"type": "output_text", "text": "ok", "annotations": [], "logprobs": []}])
    );
}

/// An answer with one of everything.
fn everything() -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 5, "model": "gpt-x", "status": "completed", "service_tier": "flex",
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "A"}, {"type": "summary_text", "text": "B"}], "encrypted_content": "c3RhdGU="},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "phase": "commentary", "content": [
                {"type": "output_text", "text": "héllo", "logprobs": [], "annotations": [
                    {"type": "url_citation", "url": "https://host.example", "title": "t", "start_index": 0, "end_index": 5},
                    {"type": "file_citation", "file_id": "f", "filename": "x", "index": 1},
                ]},
                {"type": "refusal", "refusal": "no"},
            ]},
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed", "name": "f", "namespace": "n", "arguments": "{\"a\":1}"},
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "status": "completed", "name": "c", "input": "free"},
            {"type": "reasoning", "id": "rs_2", "summary": [], "content": [{"type": "reasoning_text", "text": "raw"}]},
            {"type": "reasoning", "id": "rs_3", "summary": []},
        ],
        "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0}, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 16},
    })
}

/// The stream that tells `answer`, as the vendor would.
fn stream_of(answer: &Value) -> String {
    let document = answer.clone();
    let response = BACKEND.parse(&mut cx(&document), &memo()).unwrap();
    String::from_utf8(encode(&asked(), response.events())).unwrap()
}

#[test]
fn answers_come_back_as_they_went() {
    let answer = everything();
    let mut cx = cx(&answer);
    let response = BACKEND.parse(&mut cx, &memo()).unwrap();
    assert_eq!(response.finish.reason, ir::Reason::ToolUse);
    assert_eq!(response.usage.cache_read, Some(2));
    let rendered: Value = serde_json::from_slice(&FRONTEND.render(&mut cx, &asked(), response)).unwrap();
    let mut output = rendered["output"].clone();
    let slot = ir::Text::from(output[0]["encrypted_content"].as_str().unwrap());
    output[0]["encrypted_content"] =
        any_api::envelope::open("openai-responses", &slot).unwrap().payload.as_str().into();
    assert_eq!(output, answer["output"]);
    assert_eq!(rendered["usage"], answer["usage"]);
    assert_eq!((&rendered["id"], &rendered["service_tier"]), (&answer["id"], &answer["service_tier"]));
}

#[test]
fn streams_have_the_canonical_order() {
    let stream = stream_of(&everything());
    let events = events_of(stream.as_bytes());
    assert_eq!(
        kinds(&events),
        [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.annotation.added",
            "output_text.annotation.added",
            "output_text.done",
            "content_part.done",
            "content_part.added",
            "refusal.delta",
            "refusal.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "custom_tool_call_input.delta",
            "custom_tool_call_input.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "reasoning_text.delta",
            "reasoning_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "output_item.done",
            "completed",
        ]
    );
    let done: Vec<_> = events.iter().filter(|event| event["type"] == "response.output_item.done").collect();
    let last = &events[events.len() - 1]["response"];
    for (index, event) in done.iter().enumerate() {
        assert_eq!(event["output_index"], index);
        assert_eq!(event["item"], last["output"][index]);
    }
    assert_eq!(events[8]["summary_index"], 1);
    assert_eq!(last["usage"]["total_tokens"], 16);
}

#[test]
fn whole_and_streamed_agree() {
    let answer = everything();
    let whole = BACKEND.parse(&mut cx(&answer), &memo()).unwrap();
    // The streamed one's seals are those of its own envelopes.
    let stream = stream_of(&answer);
    let mut streamed = ir::collect(decode([stream.as_bytes()])).unwrap();
    for part in &mut streamed.parts {
        if let Some(seal) = part.meta_mut().seal.as_mut().filter(|seal| !seal.is_note()) {
            **seal = any_api::envelope::open("openai-responses", &seal.payload).unwrap();
        }
    }
    assert_eq!(streamed.parts, whole.parts);
    assert_eq!(streamed.finish.reason, whole.finish.reason);
    assert_eq!(streamed.usage, whole.usage);
    assert_eq!(streamed.id, whole.id);
}

#[test]
fn any_chunks_and_any_break() {
    let stream = stream_of(&everything());
    let events = decode([stream.as_bytes()]);
    assert_eq!(decode(stream.as_bytes().chunks(1)), events);
    let memo = memo();
    let (mut decoder, mut out) = (BACKEND.decoder(&memo), Emitter::new(memo.ids.clone()));
    let mut so_far = Vec::new();
    for byte in stream.as_bytes() {
        decoder.push(&[*byte], &mut out);
        so_far.extend(out.take());
        let (mut fork, mut broken) = (decoder.fork(), out.clone());
        fork.finish(&mut broken);
        let mut all = so_far.clone();
        all.extend(broken.take());
        ir::check(&all).unwrap();
        // What broke off is told to the client as broken off.
        if let Some(Event::Failed(error)) = all.last() {
            assert_eq!(error.code.as_deref(), Some("upstream_cut_short"));
            let told = events_of(&encode(&asked(), all));
            assert_eq!(kinds(&told)[told.len() - 2..], ["error", "failed"]);
        }
    }
}

fn sse(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

#[test]
fn odd_streams_are_understood() {
    let text = |events: &[Value]| {
        let stream = sse(events);
        let response = ir::collect(decode([stream.as_bytes()])).unwrap();
        let text: Vec<_> = response
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(part) => part.text.to_string(),
                Part::ToolCall(call) => format!("{}({})", call.name, call.arguments),
                Part::Reasoning(part) => format!("({})", part.text),
                other => format!("{other:?}"),
            })
            .collect();
        (text.join("|"), response.finish.reason)
    };
    let completed = |output: Value| json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": output}});
    let message = json!({"type": "message", "id": "b", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]});
    // Nothing but the end.
    assert_eq!(text(&[completed(json!([message]))]).0, "hello");
    // Ids that change, no index of the item, no begin of item or part, another index at the end.
    assert_eq!(
        text(&[
            json!({"type": "response.created", "response": {"id": "r"}}),
            json!({"type": "response.output_text.delta", "item_id": "x", "output_index": 0, "content_index": 1, "delta": "hel"}),
            json!({"type": "response.output_text.delta", "item_id": "y", "output_index": 0, "content_index": 1, "delta": "lo"}),
            json!({"type": "response.output_item.done", "output_index": 0, "item": message}),
            completed(json!([message])),
        ])
        .0,
        "hello"
    );
    // Deltas that lack the end; calls told at their end only; a status that was left behind.
    assert_eq!(
        text(&[
            json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "hel"}),
            json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "hello"}),
            json!({"type": "response.output_item.done", "output_index": 1, "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}}),
            json!({"type": "response.completed", "response": {"id": "r", "status": "in_progress", "output": []}}),
        ]),
        ("hello|f({})".to_owned(), ir::Reason::ToolUse)
    );
    // Two calls in turns, and thoughts between.
    assert_eq!(
        text(&[
            json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "function_call", "call_id": "a", "name": "f", "arguments": ""}}),
            json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "function_call", "call_id": "b", "name": "g", "arguments": ""}}),
            json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{\"x\":"}),
            json!({"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{}"}),
            json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "1}"}),
            json!({"type": "response.reasoning_text.delta", "output_index": 2, "content_index": 0, "delta": "hm"}),
            json!({"type": "response.incomplete", "response": {"id": "r", "incomplete_details": {"reason": "max_output_tokens"}}}),
        ]),
        ("f({\"x\":1})|g({})|(hm)".to_owned(), ir::Reason::Length)
    );
}

#[test]
fn failures_are_failures() {
    let fails = |stream: &str| match decode([stream.as_bytes()]).pop() {
        Some(Event::Failed(error)) => error,
        other => panic!("{other:?}"),
    };
    let nested = json!({"type": "error", "sequence_number": 2, "error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "empty", "param": null}});
    assert_eq!(fails(&sse(&[nested])).kind, Kind::Billing);
    let flat = json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": null});
    assert_eq!(fails(&sse(&[flat])).kind, Kind::RateLimit);
    let failed = json!({"type": "response.failed", "response": {"id": "r", "status": "failed", "error": {"code": "server_error", "message": "oh"}}});
    assert_eq!(fails(&sse(&[failed])).message, "oh");
    assert_eq!(fails("data: {not json}\n\n").kind, Kind::Server);
    assert_eq!(fails("data: {\"error\":{\"message\":\"oh\",\"code\":503}}\n\n").kind, Kind::Overloaded);
    assert_eq!(fails("").code.as_deref(), Some("upstream_cut_short"));
    assert_eq!(fails("data: [DONE]\n\n").code.as_deref(), Some("upstream_cut_short"));
    for body in [
        json!({"error": {"message": "oh", "code": "server_error"}}),
        json!({"id": "r", "status": "failed", "output": [], "error": {"message": "oh", "code": "server_error"}}),
        json!({"status": 7}),
        json!({"choices": []}),
        json!([]),
    ] {
        assert!(BACKEND.parse(&mut cx(&body), &memo()).is_err(), "{body}");
    }
}

#[test]
fn a_failure_is_told_twice() {
    let mut error = Error::new(Kind::ContextTooLong, "too long");
    error.place = Some("input".to_owned());
    let events = vec![
        Event::Start(ir::Start::default()),
        Event::Idle,
        Event::Open(ir::Open::Text { meta: ir::Meta::default() }),
        Event::Delta("half".into()),
        Event::Failed(error),
    ];
    let told = events_of(&encode(&asked(), events));
    assert_eq!(
        kinds(&told),
        ["created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "error", "failed"]
    );
    assert_eq!(told[5]["error"]["code"], "context_length_exceeded");
    assert_eq!((&told[5]["message"], &told[5]["param"]), (&json!("input: too long"), &json!("input")));
    let response = &told[6]["response"];
    assert_eq!((&response["status"], &response["output"]), (&json!("failed"), &json!([])));
    assert_eq!(response["error"], json!({"code": "context_length_exceeded", "message": "input: too long"}));
}

#[test]
fn ends_have_their_status() {
    let status = |reason: ir::Reason, raw: &str, parts: Vec<Part>| {
        let finish = ir::Finish { detail: Some("because".into()), ..ir::Finish::new(reason, raw) };
        let response = ir::Response { parts, finish, ..ir::Response::default() };
        let answer: Value =
            serde_json::from_slice(&FRONTEND.render(&mut cx(&Value::Null), &asked(), response)).unwrap();
        let reason = answer["incomplete_details"]["reason"].as_str().map(ToOwned::to_owned);
        (answer["status"].as_str().unwrap().to_owned(), reason, answer["output"].clone())
    };
    let refusal = || vec![Part::Refusal(ir::Refusal { text: "no".into(), ..ir::Refusal::default() })];
    assert_eq!(status(ir::Reason::Pause, "pause_turn", vec![]).0, "completed");
    assert_eq!(status(ir::Reason::Length, "length", vec![]).1.as_deref(), Some("max_output_tokens"));
    assert_eq!(status(ir::Reason::Refusal, "completed", refusal()).0, "completed");
    let (word, reason, output) = status(ir::Reason::Refusal, "refusal", vec![]);
    assert_eq!((word.as_str(), reason.as_deref()), ("incomplete", Some("content_filter")));
    assert_eq!(output[0]["content"][0]["refusal"], "because");
    assert_eq!(status(ir::Reason::Malformed, "MALFORMED_FUNCTION_CALL", vec![]).0, "failed");
    assert_eq!(status(ir::Reason::Other, "queued", vec![]).0, "queued");
}

fn sealed(payload: &str) -> Option<Box<ir::Sealed>> {
    let issuer = ir::Issuer { dialect: "gemini".into(), provider: Some("p".into()), model: Some("gpt-x".into()) };
    Some(Box::new(ir::Sealed { issuer, payload: payload.into(), note: None }))
}

#[test]
fn seals_of_others_find_their_way_back() {
    let meta = |payload: &str| ir::Meta { seal: sealed(payload), ..ir::Meta::default() };
    let call = |id: &str, meta: ir::Meta| {
        let arguments = "{}".into();
        Part::ToolCall(ir::ToolCall { id: id.into(), name: "f".into(), arguments, meta, ..ir::ToolCall::default() })
    };
    let text =
        |text: &str, meta: ir::Meta| Part::Text(ir::TextPart { text: text.into(), meta, ..ir::TextPart::default() });
    let thought = |text: &str, meta: ir::Meta| {
        Part::Reasoning(ir::Reasoning { text: text.into(), meta, ..ir::Reasoning::default() })
    };
    let parts = vec![
        thought("hm", meta("czE=")),
        thought("", meta("czI=")),
        text("one", ir::Meta::default()),
        text("", meta("czM=")),
        text("two", meta("czQ=")),
        call("call_1", meta("czU=")),
        call("call_2", ir::Meta::default()),
        call("call_3", meta("czY=")),
    ];
    let response = ir::Response { parts: parts.clone(), ..ir::Response::default() };
    let answer: Value =
        serde_json::from_slice(&FRONTEND.render(&mut cx(&Value::Null), &asked(), response.clone())).unwrap();
    // Streamed it is the same, and says each thing once.
    let told = events_of(&encode(&asked(), response.events()));
    let streamed = &told[told.len() - 1]["response"]["output"];
    assert_eq!(streamed, &answer["output"]);
    // The client sends the items back, here without ids, as some do, and in whatever order it likes the calls' seals.
    let mut input = answer["output"].clone();
    for item in input.as_array_mut().unwrap() {
        item.as_object_mut().unwrap().remove("id");
    }
    let last = input.as_array_mut().unwrap().pop().unwrap();
    input.as_array_mut().unwrap().insert(0, last);
    let (lowered, cx) = lower(&json!({"model": "m", "input": input})).unwrap();
    assert!(cx.diagnostics().is_empty());
    let mut back: Vec<Part> = lowered.request.messages.iter().flat_map(|message| message.parts.clone()).collect();
    for part in &mut back {
        part.meta_mut().extensions = ir::Extensions::default();
        if let Part::Text(_) | Part::ToolCall(_) = part {
            part.meta_mut().item = None;
        }
    }
    assert_eq!(back, parts);
}

#[test]
fn hidden_thoughts_keep_their_state() {
    let mut asked = asked();
    asked.hide_reasoning = true;
    let meta = ir::Meta { seal: sealed("czE="), ..ir::Meta::default() };
    let parts = vec![
        Part::Reasoning(ir::Reasoning { text: "secret".into(), meta, ..ir::Reasoning::default() }),
        Part::Reasoning(ir::Reasoning { text: "secret".into(), ..ir::Reasoning::default() }),
    ];
    let response = ir::Response { parts, ..ir::Response::default() };
    let bytes = FRONTEND.render(&mut cx(&Value::Null), &asked, response);
    let answer: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(answer["output"].as_array().unwrap().len(), 1);
    assert!(answer["output"][0]["encrypted_content"].is_string());
    assert!(!String::from_utf8(bytes).unwrap().contains("secret"));
}

#[test]
fn an_event_is_one_line() {
    let document =
        "{\"model\": \"m\", \"input\": \"hi\", \"tools\": [\n  {\"type\": \"function\",\r\n \"name\": \"f\"}\n]}";
    let mut cx = Cx::new(Body::new(document.to_owned()), 1, Ids::new(7));
    let lowered = FRONTEND.lower(&mut cx, &Route::to(Operation::Generate)).unwrap();
    let events = vec![Event::Start(ir::Start::default()), Event::Finish(ir::Finish::default())];
    let told = events_of(&encode(&lowered.asked, events));
    assert_eq!(told[0]["response"]["tools"][0]["name"], "f");
}

#[test]
fn mutilated_input_never_panics() {
    let document = agent().to_string();
    let answer = everything().to_string();
    let stream = stream_of(&everything());
    let mut random = 1_u64;
    for round in 0..3000 {
        let source = [&document, &answer, &stream][round % 3];
        let mut bytes = source.clone().into_bytes();
        for _ in 0..3 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(random >> 33).unwrap() % bytes.len();
            bytes[at] = b"\"{}[]:,0\nx"[usize::try_from(random >> 20).unwrap() % 10];
        }
        if round % 3 == 2 {
            decode([bytes.as_slice()]);
            continue;
        }
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let mut cx = Cx::new(Body::new(text), 1, Ids::new(7));
        if round % 3 == 1 {
            if let Ok(response) = BACKEND.parse(&mut cx, &memo()) {
                FRONTEND.render(&mut cx, &asked(), response);
            }
        } else if let Ok(lowered) = FRONTEND.lower(&mut cx, &Route::to(Operation::Generate)) {
            for backend in backends::ALL {
                let _ = backend.raise(&mut cx, &lowered.request, &target("gpt-5.6"));
            }
        }
    }
}
