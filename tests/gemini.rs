//! Gemini, both sides, on fixtures of our own.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

use any_api::backends::Gemini as Backend;
use any_api::backends::{Backend as _, Call, Memo, NameRules, Names, Target};
use any_api::capabilities::Capabilities;
use any_api::context::{Cx, Ids};
use any_api::error::{Error, Kind};
use any_api::frontends::Gemini as Frontend;
use any_api::frontends::{Asked, Frontend as _, Lowered, Operation, Route};
use any_api::ir::{self, Event, Json, Part, Reason};
use any_api::{envelope, http};
use serde_json::{Value, json};

fn cx(text: &str) -> Cx {
    Cx::new(ir::Body::new(text.to_owned()), 1_700_000_000, Ids::new(7))
}

fn target(model: &str) -> Target {
    Target {
        provider: "google".to_owned(),
        model: model.to_owned(),
        capabilities: Capabilities::of(model),
        base_url: "https://upstream.test".to_owned(),
        ..Target::default()
    }
}

fn route() -> Route {
    Route { model: Some("p.m".to_owned()), delivery: Some(ir::Delivery::Whole), ..Route::to(Operation::Generate) }
}

fn lower_with(cx: &mut Cx, route: &Route) -> Result<Lowered, Error> {
    Frontend.lower(cx, route)
}

fn lower(body: &Value) -> ir::Request {
    lower_with(&mut cx(&body.to_string()), &route()).unwrap().request
}

/// What is sent for `request`, and the codes of what was lost.
fn raise(request: &ir::Request, model: &str) -> (Value, Vec<&'static str>) {
    let mut cx = cx("");
    let raised = Backend.raise(&mut cx, request, &target(model)).unwrap();
    let Call::Send(sent) = raised.call else { panic!("not sent") };
    let codes = cx.diagnostics().iter().map(|loss| loss.code.name).collect();
    (serde_json::from_slice(&sent.body).unwrap(), codes)
}

fn memo() -> Memo {
    Memo { issuer: target("m").issuer("gemini"), names: Names::default(), now: 0, ids: Ids::new(3), cuts: Vec::new() }
}

fn asked() -> Asked {
    let request = ir::Request { model: "p.m".into(), ..ir::Request::default() };
    Asked::new(&mut cx(""), &request)
}

fn decode(chunks: &[&[u8]]) -> Vec<Event> {
    let mut decoder = Backend.decoder(&memo());
    let mut out = ir::Emitter::new(Ids::new(5));
    for chunk in chunks {
        decoder.push(chunk, &mut out);
    }
    decoder.finish(&mut out);
    let events = out.take();
    ir::check(&events).unwrap();
    events
}

fn sse(chunks: &[Value]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect()
}

fn encode(events: Vec<Event>, asked: &Asked) -> String {
    let mut encoder = Frontend.encoder(asked);
    let mut out = Vec::new();
    for event in events {
        encoder.push(event, &mut out);
    }
    encoder.finish(&mut out);
    String::from_utf8(out).unwrap()
}

fn chunks(stream: &str) -> Vec<Value> {
    let lines = stream.split("\r\n").filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap()).collect()
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

fn request(messages: Vec<ir::Message>) -> ir::Request {
    ir::Request { messages, ..ir::Request::default() }
}

fn tool_call(id: &str, name: &str, arguments: &str) -> ir::ToolCall {
    ir::ToolCall { id: id.into(), name: name.into(), arguments: arguments.into(), ..ir::ToolCall::default() }
}

fn tool_result(id: &str, words: &str) -> ir::ToolResult {
    ir::ToolResult { call_id: id.into(), content: vec![text(words)], ..ir::ToolResult::default() }
}

fn sealed(dialect: &'static str, payload: &str) -> ir::Sealed {
    let issuer = ir::Issuer { dialect: dialect.into(), provider: Some("p".into()), model: Some("m".into()) };
    ir::Sealed { issuer, payload: payload.into(), note: None }
}

// Routes

#[test]
fn routes_are_claimed() {
    let claim = |path: &str, query: &str| Frontend.claim("POST", path, query);
    let model = |path: &str| claim(path, "").map(|route| route.model.unwrap());
    assert_eq!(model("/gemini/v1beta/models/p.m:generateContent").as_deref(), Some("p.m"));
    assert_eq!(model("/gemini/v1/models/p.m:generateContent").as_deref(), Some("p.m"));
    assert_eq!(model("/v1alpha/models/p.m:countTokens").as_deref(), Some("p.m"));
    assert_eq!(model("/v1/models/p.a/b:c:generateContent").as_deref(), Some("p.a/b:c"));
    assert_eq!(model("/gemini/v1beta/models/p%2Ea%2Fb%3Ac:generateContent").as_deref(), Some("p.a/b:c"));
    assert_eq!(model("/gemini/v1beta/tunedModels/p.m%3AgenerateContent").as_deref(), Some("p.m"));
    assert_eq!(model("/gemini/v1beta/models/p.m:embedContent"), None);
    assert_eq!(model("/gemini/v2/models/p.m:generateContent"), None);
    assert_eq!(model("/v1/models/p.m"), None);
    assert_eq!(Frontend.claim("GET", "/gemini/v1beta/models/p.m:generateContent", ""), None);
    let stream = claim("/gemini/v1beta/models/p.m:streamGenerateContent", "key=x&alt=sse").unwrap();
    assert_eq!((stream.delivery, stream.sse), (Some(ir::Delivery::Stream), true));
    let array = claim("/gemini/v1beta/models/p.m:streamGenerateContent", "alt=json").unwrap();
    assert!(!array.sse);
    let count = claim("/gemini/v1beta/models/p.m:countTokens", "").unwrap();
    assert!(matches!(count.operation, Operation::CountTokens { .. }));
}

// Lowering

#[test]
fn both_spellings_and_lone_elements_are_read() {
    let request = lower(&json!({
        "system_instruction": {"parts": {"text": "Be kind."}},
        "contents": {"parts": [
            {"text": "Look."},
            {"inline_data": {"mime_type": "image/png", "data": "__4="}},
            {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a", "mimeType": "application/pdf"}},
            {"fileData": {"fileUri": "https://www.youtube.com/watch?v=a"}},
            {"fileData": {"fileUri": "gs://bucket/a.wav", "mimeType": "audio/wav"}},
            {"fileData": {"fileUri": "https://example.com/a.png", "mimeType": "image/png"}, "media_resolution": {"level": "MEDIA_RESOLUTION_HIGH"}},
        ]},
        "tools": {"function_declarations": {"name": "f", "parameters_json_schema": {"type": "object"}}},
        "tool_config": {"function_calling_config": {"mode": "any", "allowed_function_names": "f"}},
        "generation_config": {
            "max_output_tokens": "100", "temperature": "0.5", "topK": 40, "stop_sequences": "x", "seed": 3,
            "thinkingConfig": {"include_thoughts": true, "thinking_budget": "1024"},
            "response_mime_type": "application/json",
        },
    }));
    assert_eq!(request.instructions[0].text, "Be kind.");
    let parts = &request.messages[0].parts;
    let sources: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Media(media) => Some((media.kind, media.source.clone(), media.detail)),
            _ => None,
        })
        .collect();
    let file = |id: &str| ir::MediaSource::File { dialect: "gemini", id: id.into() };
    assert_eq!(
        sources,
        [
            (ir::MediaKind::Image, ir::MediaSource::Inline("__4=".into()), None),
            (ir::MediaKind::Document, file("https://generativelanguage.googleapis.com/v1beta/files/a"), None),
            (ir::MediaKind::Video, file("https://www.youtube.com/watch?v=a"), None),
            (ir::MediaKind::Audio, file("gs://bucket/a.wav"), None),
            (ir::MediaKind::Image, ir::MediaSource::Url("https://example.com/a.png".into()), Some(ir::Detail::High)),
        ]
    );
    assert!(matches!(&request.tools[0], ir::Tool::Function(function) if function.name == "f"));
    assert_eq!(request.tool_choice, Some(ir::ToolChoice::Tool { name: "f".into(), kind: ir::CallKind::Function }));
    assert_eq!(request.max_output_tokens, Some(100));
    assert_eq!(request.sampling.temperature, Some(0.5));
    assert_eq!(request.sampling.stop, ["x"]);
    assert_eq!(request.reasoning.budget, Some(1024));
    assert_eq!(request.reasoning.visibility, Some(ir::Visibility::Auto));
    assert_eq!(request.output.format, ir::Format::Json);
}

#[test]
fn calls_without_ids_get_the_same_ones_each_time() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Go."}]},
        {"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {"a": 1}}},
            {"functionCall": {"name": "g.h"}},
            {"functionCall": {"name": "f", "args": {}}},
        ]},
        {"role": "function", "parts": [
            {"functionResponse": {"name": "g.h", "response": {"output": "two"}}},
            {"functionResponse": {"name": "f", "response": {"output": "one"}}},
            {"functionResponse": {"name": "f", "response": {"error": "three"}}},
        ]},
    ]});
    let request = lower(&body);
    assert_eq!(request, lower(&body));
    let calls: Vec<_> = request.messages[1]
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some((call.id.as_str(), call.arguments.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(calls, [("call_0_f", "{\"a\":1}"), ("call_1_g_h", ""), ("call_2_f", "{}")]);
    let results: Vec<_> = request.messages[2]
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolResult(result) => Some((result.call_id.as_str(), result.error)),
            _ => None,
        })
        .collect();
    assert_eq!(results, [("call_1_g_h", false), ("call_0_f", false), ("call_2_f", true)]);
    // Gemini's own models are sent no ids either, and the results in the order of the calls.
    let (sent, _) = raise(&request, "gemini-2.5-flash");
    let results = &sent["contents"][2]["parts"];
    assert_eq!(results[0], json!({"functionResponse": {"name": "f", "response": {"output": "one"}}}));
    assert_eq!(results[1]["functionResponse"]["name"], "g.h");
    assert_eq!(results[2]["functionResponse"]["response"], json!({"error": "three"}));
    assert_eq!(sent["contents"][1]["parts"][1], json!({"functionCall": {"name": "g.h", "args": {}}}));
}

#[test]
fn results_keep_their_object() {
    let responses = [
        json!({"output": "words"}),
        json!({"output": "{\"a\": 1}"}),
        json!({"output": {"a": 1}}),
        json!({"output": ""}),
        json!({"error": "bad"}),
        json!({"error": {"code": 5}}),
        json!({"return_value": "x"}),
        json!({"output": "x", "more": 1}),
        json!({}),
    ];
    for response in responses {
        let body = json!({"contents": [
            {"role": "user", "parts": [{"text": "Go."}]},
            {"role": "model", "parts": [{"functionCall": {"id": "1", "name": "f", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "1", "name": "f", "response": response, "scheduling": "SILENT"}}]},
        ]});
        let (sent, _) = raise(&lower(&body), "gemini-2.5-pro");
        assert_eq!(sent["contents"], body["contents"]);
    }
    let result = |response: &Value| {
        let request = lower(&json!({"contents": [
            {"role": "model", "parts": [{"functionCall": {"id": "1", "name": "f"}}]},
            {"parts": [{"functionResponse": {"id": "1", "name": "f", "response": response}}]},
        ]}));
        let Part::ToolResult(result) = request.messages[1].parts[0].clone() else { panic!("no result") };
        let words = match result.content.as_slice() {
            [Part::Text(text)] => text.text.as_str().to_owned(),
            _ => String::new(),
        };
        (words, result.error)
    };
    assert_eq!(result(&json!({"output": "words"})), ("words".to_owned(), false));
    assert_eq!(result(&json!({"error": {"code": 5}})), ("{\"code\":5}".to_owned(), true));
    assert_eq!(result(&json!({"a": 1})), ("{\"a\":1}".to_owned(), false));
}

#[test]
fn wrong_types_name_their_place() {
    let cases = [
        (json!({"contents": [{"parts": [{"text": 5}]}]}), "contents[0].parts[0].text"),
        (
            json!({"contents": [{}, {"parts": [{}, {"inlineData": {"data": 5}}]}]}),
            "contents[1].parts[1].inlineData.data",
        ),
        (json!({"contents": [{"role": "system", "parts": []}]}), "contents[0].role"),
        (
            json!({"contents": [{"role": "model", "parts": [{"functionCall": {"args": {}}}]}]}),
            "contents[0].parts[0].functionCall.name",
        ),
        (
            json!({"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": []}}]}]}),
            "contents[0].parts[0].functionCall.args",
        ),
        (
            json!({"contents": [{"parts": [{"functionResponse": {"name": "f", "response": "x"}}]}]}),
            "contents[0].parts[0].functionResponse.response",
        ),
        (
            json!({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png"}}]}]}),
            "contents[0].parts[0].inlineData.data",
        ),
        (json!({"generationConfig": {"maxOutputTokens": "many"}}), "generationConfig.maxOutputTokens"),
        (json!({"contents": [], "generationConfig": {"responseSchema": "x"}}), "generationConfig.responseSchema"),
        (
            json!({"contents": [], "tools": [{"functionDeclarations": [{"description": "x"}]}]}),
            "tools[0].functionDeclarations[0].name",
        ),
        (json!({"contents": null}), "contents"),
        (json!({"systemInstruction": 5}), "systemInstruction"),
    ];
    for (body, place) in cases {
        let error = lower_with(&mut cx(&body.to_string()), &route()).unwrap_err();
        assert_eq!(error.place.as_deref(), Some(place), "{error}");
        assert_eq!(error.kind, Kind::InvalidRequest);
    }
    assert!(lower_with(&mut cx("{"), &route()).is_err());
}

#[test]
fn what_only_gemini_has_is_kept_and_named() {
    let body = json!({
        "contents": [{"role": "user", "parts": [
            {"text": "Hi.", "partMetadata": {"a": 1}},
            {"fileData": {"fileUri": "https://youtu.be/a"}, "videoMetadata": {"fps": 1.5}},
        ]}],
        "systemInstruction": {"role": "user", "parts": [{"text": "A"}, {"text": "B"}]},
        "tools": [{"googleSearch": {"timeRangeFilter": {"startTime": "x"}}}, {"codeExecution": {}}, {"fileSearch": {"topK": 3}},
            {"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}}]}],
        "toolConfig": {
            "functionCallingConfig": {"mode": "VALIDATED"},
            "retrievalConfig": {"languageCode": "de"},
            "includeServerSideToolInvocations": true,
        },
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
        "cachedContent": "cachedContents/a",
        "labels": {"team": "a"},
        "serviceTier": "flex",
        "store": false,
        "generationConfig": {
            "candidateCount": 2,
            "responseModalities": ["TEXT", "IMAGE"],
            "responseMimeType": "text/x.enum",
            "responseSchema": {"type": "STRING", "enum": ["a", "b"]},
            "thinkingConfig": {"thinkingLevel": "XHIGH", "includeThoughts": false, "future": 1},
            "speechConfig": {"a": 1},
            "newThing": true,
        },
        "newField": {"x": 1},
    });
    let request = lower(&body);
    let (sent, codes) = raise(&request, "gemini-3-flash-preview");
    assert_eq!(sent, body);
    assert_eq!(codes, [] as [&str; 0]);
    let mut cx = cx("");
    cx.report_extensions(&request.extensions, ir::Place::default(), "claude");
    let named: Vec<_> = cx.diagnostics().iter().map(|loss| (loss.place.as_str(), loss.code.name)).collect();
    for expected in [
        ("cachedContent", "file-id-not-portable"),
        ("safetySettings", "safety-settings-lost"),
        ("generationConfig.candidateCount", "n-unsupported"),
        ("generationConfig.responseModalities", "modality-unsupported"),
        ("generationConfig.newThing", "unknown-field"),
        ("newField", "unknown-field"),
    ] {
        assert!(named.contains(&expected), "{expected:?} is not among {named:?}");
    }
}

#[test]
fn entries_of_tools_stay_as_they_were() {
    let body = json!({
        "contents": [{"role": "user", "parts": [{"text": "Hi."}]}],
        "tools": [
            {"functionDeclarations": [{"name": "a"}]},
            {"functionDeclarations": [{"name": "b", "parametersJsonSchema": {"type": "object", "$comment": "kept"}}], "googleSearch": {}, "urlContext": {}},
        ],
    });
    assert_eq!(raise(&lower(&body), "gemini-2.5-pro").0, body);
}

#[test]
fn tokens_are_counted_of_an_inner_request() {
    let route =
        Route { model: Some("p.m".to_owned()), ..Route::to(Operation::CountTokens { answer_field: "totalTokens" }) };
    let body = json!({"generateContentRequest": {"model": "models/p.m", "contents": [{"parts": [{"text": "Hi."}]}]}});
    let lowered = lower_with(&mut cx(&body.to_string()), &route).unwrap();
    assert_eq!(lowered.request.messages.len(), 1);
    let wrong = json!({"generateContentRequest": {"contents": [{"parts": [{"text": 1}]}]}});
    let error = lower_with(&mut cx(&wrong.to_string()), &route).unwrap_err();
    assert_eq!(error.place.as_deref(), Some("generateContentRequest.contents[0].parts[0].text"));
}

// Signatures and thoughts

#[test]
fn signatures_stay_on_their_parts() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Go."}]},
        {"role": "model", "parts": [
            {"thought": true, "text": "Hm."},
            {"text": "I call.", "thoughtSignature": "AAAA"},
            {"functionCall": {"id": "1", "name": "f", "args": {}}, "thoughtSignature": "BBBB"},
            {"functionCall": {"id": "2", "name": "f", "args": {}}},
            {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "CCCC"},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
            {"text": "", "thoughtSignature": "DDDD"},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "1", "name": "f", "response": {"output": "x"}}},
            {"functionResponse": {"id": "2", "name": "f", "response": {"output": "y"}}},
        ]},
    ]});
    let (sent, codes) = raise(&lower(&body), "gemini-3-pro-preview");
    assert_eq!(sent, body);
    assert_eq!(codes, [] as [&str; 0]);
}

#[test]
fn each_step_under_way_begins_with_a_signature() {
    let step = |id: &str| {
        [
            message(
                ir::Role::Assistant,
                vec![Part::ToolCall(tool_call(id, "f", "{}")), Part::ToolCall(tool_call(&format!("{id}b"), "f", "{}"))],
            ),
            message(
                ir::Role::User,
                vec![Part::ToolResult(tool_result(id, "x")), Part::ToolResult(tool_result(&format!("{id}b"), "y"))],
            ),
        ]
    };
    let mut messages = vec![message(ir::Role::User, vec![text("One.")])];
    messages.extend(step("1"));
    messages.push(message(ir::Role::Assistant, vec![text("Done.")]));
    messages.push(message(ir::Role::User, vec![text("Two.")]));
    messages.extend(step("2"));
    messages.extend(step("3"));
    let request = request(messages);
    let signatures = |model: &str| {
        let (sent, codes) = raise(&request, model);
        let mut out = Vec::new();
        for part in sent["contents"].as_array().unwrap().iter().flat_map(|content| content["parts"].as_array().unwrap())
        {
            if let Some(call) = part.get("functionCall") {
                out.push((call["id"].as_str().unwrap().to_owned(), part.get("thoughtSignature").is_some()));
            }
        }
        (out, codes.contains(&"reasoning-state-missing"))
    };
    let signed = |ids: &[&str]| -> Vec<(String, bool)> {
        ["1", "1b", "2", "2b", "3", "3b"].iter().map(|id| ((*id).to_owned(), ids.contains(id))).collect()
    };
    assert_eq!(signatures("gemini-3-flash-preview"), (signed(&["2", "3"]), true));
    assert_eq!(signatures("something"), (signed(&["2", "3"]), true));
    assert_eq!(signatures("models/gemini-2.5-flash"), (signed(&[]), false));
}

#[test]
fn a_seal_goes_to_its_issuer_alone() {
    let mut own = sealed("gemini", "T1dO");
    own.issuer.provider = Some("google".into());
    own.issuer.model = Some("gemini-3-pro".into());
    let reasoning = |seal: ir::Sealed| {
        let meta = ir::Meta { seal: Some(Box::new(seal)), ..ir::Meta::default() };
        Part::Reasoning(ir::Reasoning { text: "Hm.".into(), meta, ..ir::Reasoning::default() })
    };
    let turn = |seal: ir::Sealed| {
        request(vec![
            message(ir::Role::User, vec![text("Go.")]),
            message(ir::Role::Assistant, vec![reasoning(seal), Part::ToolCall(tool_call("1", "f", "{}"))]),
            message(ir::Role::User, vec![Part::ToolResult(tool_result("1", "x"))]),
        ])
    };
    // A client that keeps signatures on thoughts alone: it goes back to the call behind the thought.
    let (sent, _) = raise(&turn(own), "gemini-3-pro");
    assert_eq!(
        sent["contents"][1]["parts"],
        json!([
            {"functionCall": {"id": "1", "name": "f", "args": {}}, "thoughtSignature": "T1dO"},
        ])
    );
    let (sent, codes) = raise(&turn(sealed("claude", "Rm9yZWlnbg==")), "gemini-3-pro");
    assert!(!sent.to_string().contains("Rm9yZWlnbg"));
    assert_eq!(sent["contents"][1]["parts"][0]["thoughtSignature"], "skip_thought_signature_validator");
    assert!(codes.contains(&"reasoning-state-foreign"));
}

#[test]
fn foreign_thoughts_survive_a_gemini_client() {
    // Claude's thought and a call, streamed to a Gemini client.
    let seal = sealed("claude", "c2VhbA==");
    let events = vec![
        Event::Start(ir::Start::default()),
        Event::Open(ir::Open::Reasoning { form: ir::ReasoningForm::Summary, meta: ir::Meta::default() }),
        Event::Delta("I think".into()),
        Event::Delta(" so.".into()),
        Event::Seal(seal.clone()),
        Event::Close,
        Event::Open(ir::Open::ToolCall {
            id: "1".into(),
            name: "f".into(),
            namespace: None,
            kind: ir::CallKind::Function,
            meta: ir::Meta::default(),
        }),
        Event::Delta("{\"a\":1}".into()),
        Event::Close,
        Event::Finish(ir::Finish::new(Reason::ToolUse, "tool_use")),
    ];
    let written = chunks(&encode(events, &asked()));
    let contents: Vec<Value> = written.iter().map(|chunk| chunk["candidates"][0]["content"].clone()).collect();
    let expected = Part::Reasoning(ir::Reasoning {
        text: "I think so.".into(),
        meta: ir::Meta { seal: Some(Box::new(seal.clone())), ..ir::Meta::default() },
        ..ir::Reasoning::default()
    });
    let assistant = |contents: Vec<Value>| {
        let request = lower(&json!({"contents": contents}));
        let parts: Vec<Part> = request.messages.into_iter().flat_map(|message| message.parts).collect();
        parts
    };
    // As Google's chat helpers keep it: each chunk a content of its own.
    let parts = assistant(contents.clone());
    assert_eq!(parts[0], expected);
    assert!(matches!(&parts[1], Part::ToolCall(call) if call.meta.seal.is_none() && call.arguments == "{\"a\":1}"));
    assert_eq!(parts.len(), 2);
    // As the Gemini CLI keeps it: thoughts are dropped. The state is still there.
    let is_thought = |part: &Value| part.get("thought").is_some();
    let kept: Vec<Value> = contents.into_iter().filter(|content| !is_thought(&content["parts"][0])).collect();
    let parts = assistant(kept);
    let Part::Reasoning(reasoning) = &parts[0] else { panic!("{parts:?}") };
    assert_eq!(reasoning.meta.seal.as_deref(), Some(&seal));
}

#[test]
fn thoughts_without_words_come_back_with_their_seals() {
    // Which kind of block it was, the seal's note tells; the part cannot, and has a text, since clients want one.
    let seal = ir::Sealed { note: Some("redacted".into()), ..sealed("claude", "c2VhbA==") };
    let meta = ir::Meta { seal: Some(Box::new(seal)), ..ir::Meta::default() };
    for form in [ir::ReasoningForm::Redacted, ir::ReasoningForm::Summary] {
        let reasoning = Part::Reasoning(ir::Reasoning { text: "".into(), form, meta: meta.clone() });
        let response = ir::Response { parts: vec![reasoning.clone(), text("Hi.")], ..ir::Response::default() };
        let whole: Value = serde_json::from_slice(&Frontend.render(&mut cx(""), &asked(), response.clone())).unwrap();
        assert_eq!(whole["candidates"][0]["content"]["parts"][0]["text"], "");
        let request = lower(&json!({"contents": [whole["candidates"][0]["content"]]}));
        assert_eq!(request.messages[0].parts[0].meta(), reasoning.meta());
        let streamed = chunks(&encode(response.events(), &asked()));
        let request = lower(&json!({"contents": [streamed[0]["candidates"][0]["content"]]}));
        assert_eq!(request.messages[0].parts[0].meta(), reasoning.meta());
    }
}

// Raising what other clients say

#[test]
fn a_turn_begins_with_the_results_in_the_order_of_the_calls() {
    let request = request(vec![
        message(ir::Role::User, vec![text("Go.")]),
        message(
            ir::Role::Assistant,
            vec![Part::ToolCall(tool_call("a", "f", "{\"x\": 1}")), Part::ToolCall(tool_call("b", "g h", "no json"))],
        ),
        message(
            ir::Role::User,
            vec![
                Part::ToolResult(tool_result("b", "two")),
                text("And?"),
                Part::ToolResult(ir::ToolResult { error: true, ..tool_result("a", "one") }),
            ],
        ),
        message(ir::Role::System, vec![text("Be brief.")]),
    ]);
    let (sent, codes) = raise(&request, "gemini-2.5-pro");
    assert_eq!(
        sent["contents"],
        json!([
            {"role": "user", "parts": [{"text": "Go."}]},
            {"role": "model", "parts": [
                {"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}},
                {"functionCall": {"id": "b", "name": "g_h", "args": {"_raw": "no json"}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "a", "name": "f", "response": {"error": "one"}}},
                {"functionResponse": {"id": "b", "name": "g_h", "response": {"output": "two"}}},
                {"text": "And?"},
                {"text": "<system-reminder>\nBe brief.\n</system-reminder>"},
            ]},
        ])
    );
    for code in ["tool-arguments-wrapped", "tool-name-rewritten", "instruction-moved"] {
        assert!(codes.contains(&code), "{code}");
    }
}

#[test]
fn media_of_results_go_where_the_model_takes_them() {
    let image = Part::Media(ir::Media {
        kind: ir::MediaKind::Image,
        source: ir::MediaSource::Inline("aGk=".into()),
        mime: Some("image/png".into()),
        name: None,
        detail: Some(ir::Detail::Low),
        meta: ir::Meta::default(),
    });
    let mut result = tool_result("a", "see");
    result.content.push(image);
    let request = request(vec![
        message(ir::Role::User, vec![text("Go.")]),
        message(ir::Role::Assistant, vec![Part::ToolCall(tool_call("a", "f", ""))]),
        message(ir::Role::User, vec![Part::ToolResult(result), text("So?")]),
    ]);
    let inline = json!({"mimeType": "image/png", "data": "aGk="});
    let (sent, codes) = raise(&request, "gemini-3-pro");
    assert_eq!(
        sent["contents"][2]["parts"][0]["functionResponse"]["parts"],
        json!([
            {"inlineData": inline, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
        ])
    );
    assert!(!codes.contains(&"tool-result-media-moved"));
    let (sent, codes) = raise(&request, "gemini-2.5-flash");
    assert_eq!(sent["contents"][2]["parts"][1], json!({"inlineData": inline}));
    assert_eq!(sent["contents"][2]["parts"][2], json!({"text": "So?"}));
    assert!(codes.contains(&"tool-result-media-moved"));
}

#[test]
fn tools_and_choices_of_others_are_said_in_geminis_words() {
    let function = |name: &str, schema: Value, strict| {
        ir::Tool::Function(ir::Function {
            name: name.into(),
            parameters: Some(ir::Schema::json_schema(Json::of(&schema))),
            strict,
            ..ir::Function::default()
        })
    };
    let plain = r#"{"type" : "object"}"#;
    let request = ir::Request {
        tools: vec![
            ir::Tool::Function(ir::Function {
                name: "f".into(),
                parameters: Some(ir::Schema::json_schema(Json::parse(&plain.into()).unwrap())),
                strict: Some(true),
                ..ir::Function::default()
            }),
            ir::Tool::Hosted(ir::Hosted {
                dialect: "openai-responses",
                kind: "web_search".into(),
                value: Json::EMPTY_OBJECT,
                ability: ir::Ability::WebSearch(ir::WebSearch { max_uses: Some(2), ..ir::WebSearch::default() }),
                loss: &any_api::diagnostics::codes::BUILTIN_TOOL_UNSUPPORTED,
                meta: ir::Meta::default(),
            }),
            function(
                "g",
                json!({"$schema": "x", "type": "object", "properties": {"a": {"type": "number", "multipleOf": 2}}}),
                Some(true),
            ),
            ir::Tool::Custom(ir::Custom {
                name: "patch".into(),
                namespace: None,
                description: Some("Patches.".into()),
                grammar: Some(ir::Grammar { syntax: "lark".into(), definition: "start: A".into() }),
                meta: ir::Meta::default(),
            }),
        ],
        tool_choice: Some(ir::ToolChoice::Auto),
        parallel_tool_calls: Some(false),
        ..request(vec![message(ir::Role::User, vec![text("Go.")])])
    };
    let mut cx = cx("");
    let raised = Backend.raise(&mut cx, &request, &target("gemini-3-pro")).unwrap();
    let Call::Send(sent) = raised.call else { panic!("not sent") };
    assert!(String::from_utf8(sent.body.clone()).unwrap().contains(plain), "the bytes of a schema that fits stay");
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(
        body["tools"],
        json!([
            {"functionDeclarations": [
                {"name": "f", "parametersJsonSchema": {"type": "object"}},
                {"name": "g", "parametersJsonSchema": {"type": "object", "properties": {"a": {"type": "number", "description": "(multipleOf: 2)"}}}},
                {
                    "name": "patch",
                    "description": "Patches.\n\nThe input must follow this lark grammar:\nstart: A",
                    "parametersJsonSchema": {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]},
                },
            ]},
            {"googleSearch": {}},
        ])
    );
    assert_eq!(
        body["toolConfig"],
        json!({
            "functionCallingConfig": {"mode": "VALIDATED"}, "includeServerSideToolInvocations": true,
        })
    );
    let codes: Vec<_> = cx.diagnostics().iter().map(|loss| loss.code.name).collect();
    for code in
        ["parallel-control-lost", "custom-tool-as-function", "builtin-tool-options-lost", "tool-schema-rewritten"]
    {
        assert!(codes.contains(&code), "{code}");
    }

    let choice = |tool_choice| {
        let request = ir::Request { tool_choice: Some(tool_choice), ..request.clone() };
        raise(&request, "gemini-3-pro").0["toolConfig"]["functionCallingConfig"].clone()
    };
    let names = || vec!["f".into(), "g".into()];
    assert_eq!(choice(ir::ToolChoice::Required), json!({"mode": "ANY"}));
    assert_eq!(choice(ir::ToolChoice::None), json!({"mode": "NONE"}));
    assert_eq!(
        choice(ir::ToolChoice::Tool { name: "g".into(), kind: ir::CallKind::Function }),
        json!({"mode": "ANY", "allowedFunctionNames": ["g"]})
    );
    assert_eq!(
        choice(ir::ToolChoice::Allowed { required: false, names: names() }),
        json!({"mode": "VALIDATED", "allowedFunctionNames": ["f", "g"]})
    );
    assert_eq!(
        choice(ir::ToolChoice::Allowed { required: true, names: names() }),
        json!({"mode": "ANY", "allowedFunctionNames": ["f", "g"]})
    );
}

#[test]
fn thought_is_asked_for_as_the_model_takes_it() {
    let config = |reasoning: ir::ReasoningConfig, model: &str| {
        let request = ir::Request { reasoning, ..request(vec![message(ir::Role::User, vec![text("Go.")])]) };
        raise(&request, model).0["generationConfig"]["thinkingConfig"].clone()
    };
    let effort = |effort| ir::ReasoningConfig { effort: Some(effort), ..ir::ReasoningConfig::default() };
    let budget = |budget| ir::ReasoningConfig { budget: Some(budget), ..ir::ReasoningConfig::default() };
    assert_eq!(config(effort(ir::Effort::Medium), "gemini-2.5-flash"), json!({"thinkingBudget": 8192}));
    assert_eq!(config(effort(ir::Effort::Max), "gemini-2.5-pro"), json!({"thinkingBudget": 32768}));
    assert_eq!(config(effort(ir::Effort::None), "gemini-2.5-pro"), json!({"thinkingBudget": 128}));
    assert_eq!(config(effort(ir::Effort::None), "gemini-2.5-flash"), json!({"thinkingBudget": 0}));
    assert_eq!(config(budget(100), "gemini-2.5-flash-lite"), json!({"thinkingBudget": 512}));
    assert_eq!(config(budget(-1), "gemini-2.5-pro"), json!({"thinkingBudget": -1}));
    assert_eq!(config(effort(ir::Effort::Minimal), "gemini-3-flash-preview"), json!({"thinkingLevel": "MINIMAL"}));
    assert_eq!(config(effort(ir::Effort::Minimal), "gemini-3.8-flash"), json!({"thinkingLevel": "LOW"}));
    assert_eq!(config(effort(ir::Effort::Xhigh), "unknown"), json!({"thinkingLevel": "HIGH"}));
    assert_eq!(config(budget(30_000), "gemini-3.1-pro-preview"), json!({"thinkingLevel": "HIGH"}));
    assert_eq!(config(budget(-1), "gemini-3.1-pro-preview"), Value::Null);
    let shown = ir::ReasoningConfig { visibility: Some(ir::Visibility::Detailed), ..ir::ReasoningConfig::default() };
    assert_eq!(config(shown, "gemini-3.1-pro-preview"), json!({"includeThoughts": true}));
}

#[test]
fn the_rest_is_said_or_reported() {
    let request = ir::Request {
        instructions: vec![ir::Instruction {
            role: ir::Role::Developer,
            text: "Be kind.".into(),
            meta: ir::Meta::default(),
        }],
        sampling: ir::Sampling {
            temperature: Some(2.0),
            top_k: Some(40.0),
            stop: ["a", "b", "c", "d", "e", "f"].into_iter().map(Into::into).collect(),
            logprobs: Some(3),
            ..ir::Sampling::default()
        },
        max_output_tokens: Some(5),
        output: ir::Output {
            format: ir::Format::Schema(ir::OutputSchema {
                name: Some("n".into()),
                description: None,
                schema: ir::Schema::json_schema(Json::of(&json!({"type": "object"}))),
                strict: Some(true),
            }),
            verbosity: Some("low".into()),
        },
        session: ir::Session { previous_response_id: Some("r".into()), ..ir::Session::default() },
        caller: ir::Caller {
            user: Some("u".into()),
            metadata: Some(Json::EMPTY_OBJECT),
            tier: Some(ir::Tier::Fast),
            cache_key: Some("k".into()),
        },
        ..request(vec![message(
            ir::Role::User,
            vec![
                Part::Media(ir::Media {
                    kind: ir::MediaKind::Image,
                    source: ir::MediaSource::Url("https://example.com/a.png".into()),
                    mime: None,
                    name: None,
                    detail: None,
                    meta: ir::Meta::default(),
                }),
                text("Go."),
            ],
        )])
    };
    let (sent, codes) = raise(&request, "gemini-3-pro");
    assert_eq!(
        sent,
        json!({
            "systemInstruction": {"parts": [{"text": "Be kind."}]},
            "contents": [{"role": "user", "parts": [
                {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.png"}},
                {"text": "Go."},
            ]}],
            "generationConfig": {
                "temperature": 2, "topK": 40, "stopSequences": ["a", "b", "c", "d", "e"], "maxOutputTokens": 5,
                "responseLogprobs": true, "logprobs": 3,
                "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
            },
            "serviceTier": "priority",
        })
    );
    for code in [
        "server-state-unsupported",
        "value-clamped",
        "verbosity-lost",
        "end-user-id-lost",
        "metadata-lost",
        "cache-hint-lost",
        "service-tier-approximated",
    ] {
        assert!(codes.contains(&code), "{code} is not among {codes:?}");
    }
    // Older models, and those that nobody knows, fetch nothing.
    for model in ["gemini-2.5-pro", "unknown"] {
        assert!(raise(&request, model).1.contains(&"media-url-unsupported"), "{model}");
    }
    let only_words = ir::Request { messages: Vec::new(), ..request };
    let (sent, codes) = raise(&only_words, "gemini-3-pro");
    assert_eq!(sent["contents"], json!([{"role": "user", "parts": [{"text": "Be kind."}]}]));
    assert!(sent.get("systemInstruction").is_none() && codes.contains(&"instruction-moved"));
    let nothing = Backend.raise(&mut cx(""), &ir::Request::default(), &target("m"));
    assert_eq!(nothing.unwrap_err().kind, Kind::InvalidRequest);
}

#[test]
fn requests_go_to_the_right_address() {
    let url = |base: &str, model: &str, delivery| {
        let target = Target { base_url: base.to_owned(), api_key: Some("k".to_owned().into()), ..target(model) };
        let request = Backend.endpoint(&target, delivery, &[]);
        assert_eq!(request.headers.get("x-goog-api-key"), Some("k"));
        request.url
    };
    assert_eq!(
        url("https://g.test", "gemini-3-pro", ir::Delivery::Whole),
        "https://g.test/v1beta/models/gemini-3-pro:generateContent"
    );
    assert_eq!(
        url("https://g.test/v1/", "tunedModels/a", ir::Delivery::Stream),
        "https://g.test/v1/tunedModels/a:streamGenerateContent?alt=sse"
    );
}

// Answers

fn answer() -> Value {
    json!({
        "candidates": [{
            "content": {"role": "model", "parts": [
                {"text": "Hm.", "thought": true},
                {"text": "Grüße aus Köln. Ja."},
                {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
                {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1.0}}, "thoughtSignature": "QUFB"},
                {"functionCall": {"name": "g"}},
            ]},
            "finishReason": "STOP",
            "finishMessage": "Model generated function call(s).",
            "index": 0,
            "safetyRatings": [{"category": "X", "probability": "LOW"}],
            "avgLogprobs": -0.5,
            "groundingMetadata": {
                "groundingChunks": [{"web": {"uri": "https://a.test", "title": "A"}}, {"web": {"uri": "https://b.test"}}],
                "groundingSupports": [
                    {"segment": {"partIndex": 1, "startIndex": 7, "endIndex": 17, "text": "aus Köln."}, "groundingChunkIndices": [0, 1]},
                    {"segment": {"startIndex": 18, "endIndex": 21, "text": "Ja."}, "groundingChunkIndices": [1, 9]},
                ],
                "webSearchQueries": ["q"],
            },
            "logprobsResult": {"chosenCandidates": [{"token": "Gr", "logProbability": -0.1}]},
        }],
        "usageMetadata": {"promptTokenCount": 10, "toolUsePromptTokenCount": 2, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "cachedContentTokenCount": 4, "totalTokenCount": 20, "trafficType": "ON_DEMAND"},
        "modelVersion": "gemini-3-pro",
        "responseId": "r1",
        "createTime": "2026-05-04T20:01:02.264968Z",
        "modelStatus": {"modelStage": "STABLE"},
    })
}

fn parse(body: &Value) -> Result<ir::Response, Error> {
    Backend.parse(&mut cx(&body.to_string()), &memo())
}

#[test]
fn a_whole_answer_is_read() {
    let response = parse(&answer()).unwrap();
    assert_eq!(response.id.as_deref(), Some("r1"));
    assert_eq!(response.created, Some(1_777_924_862));
    assert_eq!(response.finish.reason, Reason::ToolUse);
    assert_eq!(response.finish.detail.as_deref(), Some("Model generated function call(s)."));
    let usage = &response.usage;
    assert_eq!((usage.input, usage.cache_read, usage.output, usage.reasoning), (Some(12), Some(4), Some(8), Some(3)));
    let kinds: Vec<&str> = response
        .parts
        .iter()
        .map(|part| match part {
            Part::Reasoning(_) => "thought",
            Part::Text(_) => "text",
            Part::Media(_) => "media",
            Part::Opaque(_) => "opaque",
            Part::ToolCall(_) => "call",
            Part::ToolResult(_) | Part::Refusal(_) => "?",
        })
        .collect();
    assert_eq!(kinds, ["thought", "text", "media", "opaque", "call", "call"]);
    let Part::Text(words) = &response.parts[1] else { panic!("no text") };
    let cited: Vec<_> = words.citations.iter().map(|cite| (cite.span, cite.url.as_deref().unwrap())).collect();
    // Bytes became characters.
    assert_eq!(
        cited,
        [(Some((6, 15)), "https://a.test"), (Some((6, 15)), "https://b.test"), (Some((16, 19)), "https://b.test"),]
    );
    assert_eq!(words.logprobs.len(), 1);
    let Part::Opaque(code) = &response.parts[3] else { panic!("no code") };
    assert_eq!(code.words.as_deref(), Some("```python\nprint(1)\n```"));
    let Part::ToolCall(call) = &response.parts[4] else { panic!("no call") };
    assert_eq!((call.id.as_str(), call.arguments.as_str()), ("c1", "{\"a\":1.0}"));
    assert_eq!(call.meta.seal.as_ref().unwrap().payload, "QUFB");
    let Part::ToolCall(call) = &response.parts[5] else { panic!("no call") };
    assert!(call.id.starts_with("call_") && call.arguments.is_empty());
}

#[test]
fn an_answer_of_gemini_comes_back_as_it_was() {
    let response = parse(&answer()).unwrap();
    let mut rendered: Value = serde_json::from_slice(&Frontend.render(&mut cx(""), &asked(), response)).unwrap();
    let mut expected = answer();
    expected["modelVersion"] = "p.m".into();
    expected["candidates"][0]["content"]["parts"][5]["functionCall"]["args"] = json!({});
    let slot = &mut rendered["candidates"][0]["content"]["parts"][4]["thoughtSignature"];
    let seal = envelope::open("gemini", &slot.as_str().unwrap().into()).unwrap();
    assert_eq!(seal.issuer.provider.as_deref(), Some("google"));
    *slot = seal.payload.as_str().into();
    assert_eq!(rendered, expected);
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    let whole = parse(&answer()).unwrap();
    let same = |mut response: ir::Response| {
        // Made ids follow the host's seed.
        if let Some(Part::ToolCall(call)) = response.parts.last_mut() {
            call.id = "made".into();
        }
        response
    };
    // One piece, as an object, in an array, as an event; and one part a piece.
    let one = answer().to_string();
    for text in [one.clone(), format!("[{one}]"), format!("data: {one}\n\n"), format!("data: [{one}]\r\n\r\n")] {
        assert_eq!(same(ir::collect(decode(&[text.as_bytes()])).unwrap()), same(whole.clone()));
    }
    let mut last = answer();
    let parts = last["candidates"][0]["content"]["parts"].as_array().unwrap().clone();
    let rest = std::mem::take(&mut last["candidates"][0]["content"]["parts"]);
    let mut pieces: Vec<Value> = Vec::new();
    for part in parts {
        let mut piece = answer();
        let candidate = &mut piece["candidates"][0];
        let metadata = candidate["groundingMetadata"].take();
        let is_text = part.get("text").is_some() && part.get("thought").is_none();
        *candidate = json!({"content": {"parts": [part]}});
        if is_text {
            candidate["groundingMetadata"] = metadata;
            candidate["logprobsResult"] = last["candidates"][0]["logprobsResult"].take();
        }
        pieces.push(piece);
    }
    drop(rest);
    last["candidates"][0].as_object_mut().unwrap().remove("logprobsResult");
    last["candidates"][0].as_object_mut().unwrap().remove("groundingMetadata");
    pieces.push(last);
    let streamed = ir::collect(decode(&[sse(&pieces).as_bytes()])).unwrap();
    assert_eq!(same(streamed).parts, same(whole).parts);
}

#[test]
fn sources_in_a_stream_are_told_by_their_place_in_all_of_the_text() {
    let piece = |text: &str| json!({"candidates": [{"content": {"parts": [{"text": text}]}, "groundingMetadata": {}}]});
    let mut last = piece("Zwei Sätze.");
    last["candidates"][0]["finishReason"] = "STOP".into();
    last["candidates"][0]["groundingMetadata"] = json!({
        "groundingChunks": [{"web": {"uri": "https://a.test"}}],
        "groundingSupports": [{"segment": {"startIndex": 12, "endIndex": 24, "text": "Zwei Sätze."}, "groundingChunkIndices": [0]}],
    });
    let signed = json!({"candidates": [{"content": {"parts": [{"text": "", "thoughtSignature": "QUFB"}]}}]});
    let response = ir::collect(decode(&[sse(&[piece("Ein "), piece("Grüßen. "), last, signed]).as_bytes()])).unwrap();
    let [Part::Text(words), Part::Text(signed)] = response.parts.as_slice() else { panic!("{:?}", response.parts) };
    assert_eq!(words.text, "Ein Grüßen. Zwei Sätze.");
    assert_eq!(words.citations[0].span, Some((12, 23)));
    assert!(signed.text.is_empty() && signed.meta.seal.is_some());
    // And back: bytes again, with the signature behind the words.
    let response = ir::Response { finish: ir::Finish::default(), ..response };
    let written = chunks(&encode(response.events(), &asked()));
    let support = &written.last().unwrap()["candidates"][0]["groundingMetadata"]["groundingSupports"][0];
    assert_eq!(support["segment"], json!({"startIndex": 14, "endIndex": 26, "text": "Zwei Sätze."}));
}

#[test]
fn arguments_in_pieces_become_a_call() {
    let piece =
        |call: Value| json!({"candidates": [{"content": {"role": "model", "parts": [{"functionCall": call}]}}]});
    let pieces = [
        json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "willContinue": true}, "thoughtSignature": "QUFB"}]}}]}),
        piece(
            json!({"partialArgs": [{"jsonPath": "$.list[0].a", "stringValue": "x", "willContinue": true}], "willContinue": true}),
        ),
        piece(json!({"willContinue": true})),
        piece(json!({"partialArgs": [{"jsonPath": "$.list[0].a", "stringValue": "y"}], "willContinue": true})),
        piece(json!({"partialArgs": [{"jsonPath": "$.n", "numberValue": 0.5}]})),
        piece(json!({"name": "none"})),
        piece(json!({"name": "g", "willContinue": true})),
        piece(json!({})),
        json!({"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}]}),
    ];
    let events = decode(&[sse(&pieces).as_bytes()]);
    let response = ir::collect(events.clone()).unwrap();
    let calls: Vec<_> = response
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolCall(call) => (call.name.as_str(), call.arguments.as_str(), call.meta.seal.is_some()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(calls, [("f", "{\"list\":[{\"a\":\"xy\"}],\"n\":0.5}", true), ("none", "", false), ("g", "{}", false)]);
    assert_eq!(response.finish.reason, Reason::ToolUse);
    // The client gets whole calls: its protocol has no pieces.
    assert!(!encode(events, &asked()).contains("partialArgs"));
}

#[test]
fn ends_are_told_apart() {
    let ended = |finish: Value| {
        let body = json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": finish}]});
        parse(&body).unwrap().finish
    };
    assert_eq!(ended("STOP".into()).reason, Reason::End);
    assert_eq!(ended(1.into()).raw.as_deref(), Some("STOP"));
    assert_eq!(ended("MAX_TOKENS".into()).reason, Reason::Length);
    assert_eq!(ended("CONTINUATION".into()).reason, Reason::Length);
    assert_eq!(ended("MODEL_ARMOR".into()).reason, Reason::Refusal);
    assert_eq!(ended("NEW_ONE".into()).raw.as_deref(), Some("NEW_ONE"));
    let call = json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}, "finishReason": "UNEXPECTED_TOOL_CALL"}]});
    assert_eq!(parse(&call).unwrap().finish.reason, Reason::Malformed);
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "No."}, "responseId": "r"});
    let response = parse(&blocked).unwrap();
    assert_eq!((response.finish.reason, response.finish.detail.as_deref()), (Reason::Refusal, Some("No.")));
    let rendered: Value = serde_json::from_slice(&Frontend.render(&mut cx(""), &asked(), response)).unwrap();
    assert_eq!(rendered["promptFeedback"], blocked["promptFeedback"]);
    assert!(rendered.get("candidates").is_none());
    let refused = ir::Response { finish: ir::Finish::new(Reason::Refusal, "refusal"), ..ir::Response::default() };
    let rendered: Value = serde_json::from_slice(&Frontend.render(&mut cx(""), &asked(), refused)).unwrap();
    assert_eq!(rendered["candidates"], json!([{"finishReason": "SAFETY", "index": 0}]));
}

#[test]
fn no_answer_is_an_error() {
    for body in ["", "{}", "null", "{\"usageMetadata\":{}}", "<html>", "{\"candidates\":5}"] {
        assert!(Backend.parse(&mut cx(body), &memo()).is_err(), "{body}");
    }
    let error = parse(&json!({"error": {"code": 503, "message": "Busy.", "status": "UNAVAILABLE"}})).unwrap_err();
    assert_eq!((error.kind, error.status, error.message.as_str()), (Kind::Overloaded, Some(503), "Busy."));
}

#[test]
fn streams_fail_where_they_fail() {
    let begun = json!({"candidates": [{"content": {"parts": [{"text": "Hi"}]}}]});
    let failed = |stream: &str| match decode(&[stream.as_bytes()]).pop() {
        Some(Event::Failed(error)) => error,
        other => panic!("{other:?}"),
    };
    let error = json!({"error": {"code": 429, "message": "Slow.", "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "3.5s"}]}});
    for stream in [
        sse(&[begun.clone(), error.clone()]),
        format!("{}{error}", sse(std::slice::from_ref(&begun))),
        format!("[{begun},\n{error}]"),
        format!("data: {begun}\n\ndata: [{error}]\n\n"),
    ] {
        let error = failed(&stream);
        assert_eq!((error.kind, error.status, error.retry_after.as_deref()), (Kind::RateLimit, Some(429), Some("4")));
        let written = encode(decode(&[stream.as_bytes()]), &asked());
        let last = chunks(&written).pop().unwrap();
        assert_eq!(last["error"]["code"], 429);
        assert!(written.contains("data: {\"error\":{\"code\":429"));
    }
    assert_eq!(failed(&sse(std::slice::from_ref(&begun))).code.as_deref(), Some("upstream_cut_short"));
    assert_eq!(failed("").code.as_deref(), Some("upstream_cut_short"));
    assert_eq!(failed("data: {nonsense}\n\n").code.as_deref(), Some("upstream_unreadable"));
    assert_eq!(failed("data: {\"candidates\": 5}\n\n").code.as_deref(), Some("upstream_unreadable"));
}

#[test]
fn any_chunking_says_the_same_and_any_end_is_an_end() {
    let stream = sse(&[
        json!({"candidates": [{"content": {"parts": [{"text": "Hä", "thought": true}]}}], "usageMetadata": {"promptTokenCount": 1}}),
        json!({"candidates": [{"content": {"parts": [{"text": "Grüß"}]}}]}),
        json!({"candidates": [{"content": {"parts": [{"text": " Gott"}, {"functionCall": {"name": "f", "args": {"a": "}"}}}]}}]}),
        json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "g", "willContinue": true}}]}}]}),
        json!({"candidates": [{"content": {"parts": [{"functionCall": {}}]}, "finishReason": "STOP"}]}),
        json!({"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2}}),
    ]);
    let objects: Vec<&str> = stream.split("\r\n").filter_map(|line| line.strip_prefix("data: ")).collect();
    for stream in [stream.clone(), format!("[{}]", objects.join(",\r\n"))] {
        let bytes = stream.as_bytes();
        let all = decode(&[bytes]);
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(decode(&[head, tail]), all, "cut at {cut}");
        }
        let mut decoder = Backend.decoder(&memo());
        let mut out = ir::Emitter::new(Ids::new(5));
        let mut told = Vec::new();
        for byte in bytes {
            let (mut fork, mut copy) = (decoder.fork(), out.clone());
            fork.finish(&mut copy);
            let mut events = told.clone();
            events.extend(copy.take());
            ir::check(&events).unwrap();
            let is_told = events.iter().any(|event| matches!(event, Event::Finish(_)));
            assert!(!is_told || stream.contains("STOP"));
            decoder.push(std::slice::from_ref(byte), &mut out);
            told.extend(out.take());
        }
    }
}

// Rendering what other upstreams say

#[test]
fn calls_and_thoughts_of_others_are_rendered() {
    let custom = ir::ToolCall { kind: ir::CallKind::Custom, ..tool_call("3", "patch", "*** Begin") };
    let response = ir::Response {
        parts: vec![
            Part::Reasoning(ir::Reasoning { text: "Hm.".into(), ..ir::Reasoning::default() }),
            text("Hi."),
            Part::ToolCall(tool_call("1", "f", "{\"a\": 1}")),
            Part::ToolCall(tool_call("2", "f", "{broken")),
            Part::ToolCall(custom),
            Part::Refusal(ir::Refusal { text: "No.".into(), ..ir::Refusal::default() }),
        ],
        finish: ir::Finish::new(Reason::End, "stop"),
        usage: ir::Usage { input: Some(5), output: Some(9), reasoning: Some(4), ..ir::Usage::default() },
        ..ir::Response::default()
    };
    let hidden = Asked { hide_reasoning: true, ..asked() };
    let rendered: Value = serde_json::from_slice(&Frontend.render(&mut cx(""), &asked(), response.clone())).unwrap();
    let candidate = &rendered["candidates"][0];
    assert_eq!(
        candidate["content"]["parts"],
        json!([
            {"thought": true, "text": "Hm."},
            {"text": "Hi."},
            {"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}},
            {"functionCall": {"id": "2", "name": "f", "args": {"_raw": "{broken"}}},
            {"functionCall": {"id": "3", "name": "patch", "args": {"input": "*** Begin"}}},
            {"text": "No."},
        ])
    );
    assert_eq!(candidate["finishReason"], "SAFETY");
    assert_eq!(
        rendered["usageMetadata"],
        json!({
            "promptTokenCount": 5, "candidatesTokenCount": 5, "thoughtsTokenCount": 4, "totalTokenCount": 14,
        })
    );
    let whole: Value = serde_json::from_slice(&Frontend.render(&mut cx(""), &hidden, response.clone())).unwrap();
    assert!(!whole.to_string().contains("Hm."));
    let streamed = chunks(&encode(response.clone().events(), &asked()));
    let parts: Vec<Value> =
        streamed.iter().map(|chunk| chunk["candidates"][0]["content"]["parts"][0].clone()).collect();
    assert_eq!(Value::Array(parts[..6].to_vec()), candidate["content"]["parts"]);
    let last = streamed.last().unwrap();
    assert_eq!(
        (&last["candidates"][0]["finishReason"], &last["usageMetadata"]),
        (&"SAFETY".into(), &rendered["usageMetadata"])
    );
    assert!(!encode(response.events(), &hidden).contains("Hm."));
}

#[test]
fn raw_json_does_not_break_the_frames() {
    let arguments = "{\n  \"a\": \"x\\ny\",\r\n\n \"b\": 1 }";
    let response =
        ir::Response { parts: vec![Part::ToolCall(tool_call("1", "f", arguments))], ..ir::Response::default() };
    let written = chunks(&encode(response.events(), &asked()));
    let call = &written[0]["candidates"][0]["content"]["parts"][0]["functionCall"];
    assert_eq!(call["args"], json!({"a": "x\ny", "b": 1}));
}

#[test]
fn a_stream_without_sse_is_an_array() {
    let array = Asked { sse: false, ..asked() };
    let response = ir::Response { parts: vec![text("Hi."), text("You.")], ..ir::Response::default() };
    let written = encode(response.events(), &array);
    let list: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 3);
    assert_eq!(Frontend.encoder(&array).content_type(), "application/json; charset=UTF-8");
    let failed = encode(vec![Event::Start(ir::Start::default()), Event::Failed(Error::cut_short())], &array);
    let list: Value = serde_json::from_str(&failed).unwrap();
    assert_eq!(list[0]["error"]["code"], 502);
}

#[test]
fn errors_have_googles_shape() {
    let mut error = Error::invalid("contents[0].parts", "expected a list");
    error.retry_after = Some("7".to_owned());
    let response = Frontend.render_error(&error);
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(response.status, 400);
    assert_eq!(body["error"]["status"], "INVALID_ARGUMENT");
    assert_eq!(body["error"]["code"], 400);
    assert_eq!(body["error"]["message"], "contents[0].parts: expected a list");
    assert_eq!(body["error"]["details"][1]["retryDelay"], "7s");
    let key = json!({"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}});
    for body in [key.to_string(), format!("[{key}]")] {
        let error = Backend.parse_error(400, &http::Headers::new(), body.as_bytes());
        assert_eq!((error.kind, error.status), (Kind::Authentication, Some(400)));
        let rendered = Frontend.render_error(&error);
        assert_eq!((rendered.status, rendered.body), (400, body.into_bytes()));
    }
    for body in ["", "<html>oops</html>", "oops", "[]", "{\"error\": \"oops\"}", "{\"error\": 5}", "null"] {
        let error = Backend.parse_error(502, &http::Headers::new(), body.as_bytes());
        assert_eq!((error.kind, error.status), (Kind::Server, Some(502)), "{body}");
        assert!(!error.message.is_empty() && !error.message.contains('<'));
    }
    let long = json!({"error": {"code": 400, "message": "The input token count (9) exceeds the maximum number of tokens allowed (8).", "status": "INVALID_ARGUMENT"}});
    assert_eq!(Backend.parse_error(400, &http::Headers::new(), long.to_string().as_bytes()).kind, Kind::ContextTooLong);
}

#[test]
fn any_list_of_events_is_a_stream_that_reads_back() {
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..500 {
        let mut events = vec![Event::Start(ir::Start::default())];
        for number in 0..random(6) {
            let meta = ir::Meta::default();
            let kind = random(6);
            events.push(Event::Open(match kind {
                0 => ir::Open::Text { meta },
                1 => ir::Open::Reasoning { form: ir::ReasoningForm::Summary, meta },
                2 => ir::Open::Refusal { meta },
                3 | 4 => ir::Open::ToolCall {
                    id: format!("c{number}").into(),
                    name: "f".into(),
                    namespace: None,
                    kind: if kind == 3 { ir::CallKind::Function } else { ir::CallKind::Custom },
                    meta,
                },
                _ => ir::Open::Whole(Box::new(Part::Media(ir::Media {
                    kind: ir::MediaKind::Image,
                    source: ir::MediaSource::Inline("aGk=".into()),
                    mime: None,
                    name: None,
                    detail: None,
                    meta,
                }))),
            }));
            if kind < 5 {
                for _ in 0..random(3) {
                    events.push(Event::Delta("{\"ä\"".into()));
                    if random(3) == 0 {
                        events.push(Event::Idle);
                    }
                }
                if random(2) == 0 {
                    events.push(Event::Seal(sealed("claude", "not base64!")));
                }
            }
            events.push(Event::Close);
            if random(2) == 0 {
                events.push(Event::Usage(ir::Usage { input: Some(number), ..ir::Usage::default() }));
            }
        }
        events.push(match random(3) {
            0 => Event::Failed(Error::cut_short()),
            _ => Event::Finish(ir::Finish::default()),
        });
        ir::check(&events).unwrap();
        let failed = matches!(events.last(), Some(Event::Failed(_)));
        for sse in [true, false] {
            let asked = Asked { sse, ..asked() };
            let again = decode(&[encode(events.clone(), &asked).as_bytes()]);
            assert_eq!(matches!(again.last(), Some(Event::Failed(_))), failed);
        }
    }
}

#[test]
fn names_that_gemini_refuses_come_back_as_they_were() {
    let rules = NameRules {
        longest: 128,
        first: |c| c.is_ascii_alphabetic(),
        rest: |c| c.is_ascii_alphanumeric(),
        namespaces: false,
        customs: false,
    };
    let request = request(vec![message(ir::Role::Assistant, vec![Part::ToolCall(tool_call("1", "a b", "{}"))])]);
    let names = Names::new(&mut cx(""), &request, &rules);
    let sent = names.sent(&"a b".into(), None);
    let memo = Memo { names, ..memo() };
    let body = json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": sent.as_str()}}]}, "finishReason": "STOP"}]});
    let response = Backend.parse(&mut cx(&body.to_string()), &memo).unwrap();
    assert!(matches!(&response.parts[0], Part::ToolCall(call) if call.name == "a b"));
}
