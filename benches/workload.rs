//! What is measured: agents' requests of a given size and streams of a given length, in every dialect. One is written here in
//! one dialect; the translator itself says it in the others, so that all four ask for the same.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement that cannot begin has to say so"
)]

use std::fmt::Write as _;

use any_api::backends::{self, Backend, Call, Memo, Names, Target};
use any_api::capabilities::Capabilities;
use any_api::context::{Cx, Ids};
use any_api::frontends::{self, Asked, Frontend, Lowered, Operation, Route};
use any_api::ir;
use serde_json::{Value, json};

/// The dialects, by the names that a report shows.
pub(crate) const DIALECTS: [&str; 4] = ["openai-chat-completions", "openai-responses", "claude", "gemini"];

/// The sizes of requests, in bytes.
pub(crate) const SIZES: [(&str, usize); 3] = [("1 KB", 1_000), ("69 KB", 69_000), ("500 KB", 500_000)];

pub(crate) fn frontend(dialect: &str) -> &'static dyn Frontend {
    frontends::of_dialect(dialect).expect("a frontend")
}

pub(crate) fn backend(dialect: &str) -> &'static dyn Backend {
    backends::of_dialect(dialect).expect("a backend")
}

pub(crate) fn target() -> Target {
    Target {
        provider: "upstream".to_owned(),
        model: "model".to_owned(),
        capabilities: Capabilities::of("model"),
        base_url: "https://upstream.example".to_owned(),
        ..Target::default()
    }
}

pub(crate) fn route(dialect: &str) -> Route {
    let mut route = Route::to(Operation::Generate);
    if dialect == "gemini" {
        route.model = Some("upstream.model".to_owned());
        route.delivery = Some(ir::Delivery::Stream);
    }
    route
}

pub(crate) fn lower(dialect: &str, document: String) -> (Cx, Lowered) {
    let mut cx = Cx::new(ir::Body::new(document), 1_700_000_000, Ids::new(7));
    let lowered = frontend(dialect).lower(&mut cx, &route(dialect)).expect("a request of our own");
    (cx, lowered)
}

/// The body that an upstream of `dialect` is sent.
pub(crate) fn raise(dialect: &str, cx: &Cx, request: &ir::Request) -> Vec<u8> {
    match backend(dialect).raise(&mut cx.clone(), request, &target()).expect("a request of our own").call {
        Call::Send(request) => request.body,
        Call::Answered(chunks) => chunks.concat(),
    }
}

pub(crate) fn memo(dialect: &str) -> Memo {
    let issuer = target().issuer(backend(dialect).dialect());
    Memo { issuer, names: Names::default(), now: 1_700_000_000, ids: Ids::new(11), cuts: Vec::new() }
}

pub(crate) fn asked() -> Asked {
    let request =
        ir::Request { model: "upstream.model".into(), delivery: ir::Delivery::Stream, ..ir::Request::default() };
    let mut cx = Cx::new(ir::Body::default(), 1_700_000_000, Ids::new(13));
    Asked { include_usage: true, ..Asked::new(&mut cx, &request) }
}

/// An agent's request of about `bytes` in `dialect`: instructions, tools, and a history of calls with their results.
pub(crate) fn request(dialect: &str, bytes: usize) -> String {
    let document = agent(bytes);
    if dialect == "claude" {
        return document;
    }
    let (cx, lowered) = lower("claude", document);
    let mut body: Value = serde_json::from_slice(&raise(dialect, &cx, &lowered.request)).unwrap();
    if dialect != "gemini" {
        body["model"] = json!("upstream.model");
    }
    body.to_string()
}

/// Source code as agents send it: every line has an escape.
fn code(seed: usize, bytes: usize) -> String {
    let mut out = String::new();
    let mut line = seed;
    while out.len() < bytes {
        line += 1;
        let _ = writeln!(
            out,
            "{line:6}\tif let Some(found) = self.table.get(\"key-{line}\") {{ total += found.len() * {line}; }}"
        );
    }
    out
}

fn prose(seed: usize, bytes: usize) -> String {
    let mut out = String::new();
    let mut sentence = seed;
    while out.len() < bytes {
        sentence += 1;
        let _ = write!(
            out,
            "When step {sentence} asks for a file, read all of it before you change a line. Report what you did, and why.\n\n"
        );
    }
    out
}

fn tool(index: usize) -> Value {
    json!({
        "name": format!("tool_{index}"),
        "description": prose(index, 600),
        "input_schema": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "The absolute path of the file."},
                "range": {"type": "array", "items": {"type": "integer"}, "description": "First and last line."},
                "mode": {"type": "string", "enum": ["read", "write", "append"]},
                "limit": {"type": "integer", "description": "The largest number of lines that is given back."}
            },
            "required": ["path"]
        }
    })
}

fn agent(bytes: usize) -> String {
    let tools = (bytes / 4_000).clamp(1, 20);
    let mut messages = vec![json!({"role": "user", "content": prose(0, (bytes / 20).min(2_000))})];
    let mut size = 0;
    let mut document = Value::Null;
    while size < bytes {
        let turn = messages.len();
        let id = format!("toolu_{turn:020}");
        messages.push(json!({"role": "assistant", "content": [
            {"type": "text", "text": format!("I read file {turn} first.")},
            {"type": "tool_use", "id": id, "name": "tool_0", "input": {"path": format!("/src/file_{turn}.rs"), "limit": 200}}
        ]}));
        messages.push(json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": id, "content": code(turn, (bytes / 10).clamp(100, 4_000))}
        ]}));
        document = json!({
            "model": "upstream.model",
            "max_tokens": 4_096,
            "stream": true,
            "system": [{"type": "text", "text": prose(1, (bytes / 10).min(12_000))}],
            "tools": (0..tools).map(tool).collect::<Vec<_>>(),
            "messages": messages,
        });
        size = document.to_string().len();
    }
    document.to_string()
}

/// A request with `count` pictures, `bytes` in all.
pub(crate) fn pictures(count: usize, bytes: usize) -> String {
    let picture = "iVBORw0KGgoAAAANSUhEUgAA".repeat(bytes / count / 24);
    let block = |_| json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture}});
    let mut content: Vec<Value> = (0..count).map(block).collect();
    content.push(json!({"type": "text", "text": "What is on them?"}));
    json!({"model": "upstream.model", "max_tokens": 100, "messages": [{"role": "user", "content": content}]})
        .to_string()
}

/// A streamed answer of `dialect` with `pieces` pieces of text: the bytes of each event.
pub(crate) fn stream(dialect: &str, pieces: usize) -> Vec<Vec<u8>> {
    if dialect == "openai-chat-completions" {
        return chat_stream(pieces);
    }
    let mut out = ir::Emitter::new(Ids::new(17));
    let mut decoder = backend("openai-chat-completions").decoder(&memo("openai-chat-completions"));
    for chunk in chat_stream(pieces) {
        decoder.push(&chunk, &mut out);
    }
    decoder.finish(&mut out);
    let mut encoder = frontend(dialect).encoder(&asked());
    let mut chunks = Vec::new();
    for event in out.take() {
        let mut chunk = Vec::new();
        encoder.push(event, &mut chunk);
        chunks.push(chunk);
    }
    let mut end = Vec::new();
    encoder.finish(&mut end);
    chunks.push(end);
    chunks.retain(|chunk| !chunk.is_empty());
    chunks
}

fn chat_stream(pieces: usize) -> Vec<Vec<u8>> {
    let chunk = |delta: &str, finish: &str, usage: &str| {
        let head = r#"{"id":"chatcmpl-5nW2","object":"chat.completion.chunk","created":1700000000,"model":"model-2026-10-01","service_tier":"default","system_fingerprint":"fp_1a2b3c4d""#;
        format!(
            r#"data: {head},"choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}],"usage":{usage}}}"#
        ) + "\n\n"
    };
    let mut out = vec![chunk(r#"{"role":"assistant","content":""}"#, "null", "null")];
    for piece in 0..pieces {
        let text = if piece % 12 == 11 { ".\\n" } else { " word" };
        out.push(chunk(&format!(r#"{{"content":"{text}"}}"#), "null", "null"));
    }
    out.push(chunk("{}", "\"stop\"", "null"));
    out.push(chunk("{}", "null", r#"{"prompt_tokens":20,"completion_tokens":300,"total_tokens":320}"#));
    out.push("data: [DONE]\n\n".to_owned());
    out.into_iter().map(String::into_bytes).collect()
}

/// A whole answer of `dialect`.
pub(crate) fn answer(dialect: &str) -> String {
    let text = prose(3, 1_500);
    let chat = json!({
        "id": "chatcmpl-5nW2", "object": "chat.completion", "created": 1_700_000_000, "model": "model-2026-10-01",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "tool_0", "arguments": "{\"path\":\"/src/lib.rs\"}"}}
        ]}, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 300, "total_tokens": 320}
    });
    if dialect == "openai-chat-completions" {
        return chat.to_string();
    }
    let mut cx = Cx::new(ir::Body::new(chat.to_string()), 1_700_000_000, Ids::new(3));
    let response = backend("openai-chat-completions").parse(&mut cx, &memo("openai-chat-completions")).unwrap();
    String::from_utf8(frontend(dialect).render(&mut cx, &asked(), response)).unwrap()
}

/// The events that a decoder of `dialect` gives for `chunks`, each chunk read for itself.
pub(crate) fn decode(dialect: &str, chunks: &[Vec<u8>]) -> Vec<ir::Event> {
    let mut out = ir::Emitter::new(Ids::new(17));
    let mut decoder = backend(dialect).decoder(&memo(dialect));
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.push(chunk, &mut out);
        events.append(&mut out.take());
    }
    decoder.finish(&mut out);
    events.append(&mut out.take());
    events
}

/// The bytes that a client of `dialect` gets for `events`.
pub(crate) fn encode(dialect: &str, events: Vec<ir::Event>) -> usize {
    let mut encoder = frontend(dialect).encoder(&asked());
    let mut written = 0;
    let mut out = Vec::new();
    for event in events {
        encoder.push(event, &mut out);
        written += out.len();
        out.clear();
    }
    encoder.finish(&mut out);
    written + out.len()
}
