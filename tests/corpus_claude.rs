//! Claude, both sides, on recorded traffic, where it is there: `CORPUS_DIR`, else `../shared/corpus`.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by panicking and says why")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use any_api::backends::{Backend, Call, Claude as Upstream, Memo, Names, Target};
use any_api::capabilities::Capabilities;
use any_api::context::{Cx, Ids};
use any_api::diagnostics::{Level, codes};
use any_api::dialects::claude::ID;
use any_api::envelope;
use any_api::frontends::{Asked, Claude as Client, Frontend, Operation, Route};
use any_api::ir::{self, Body, Emitter, Event, Part, Text};
use serde_json::{Map, Value};

fn recordings() -> Vec<(String, Value)> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus");
    let folder = std::env::var("CORPUS_DIR").unwrap_or_else(|_| default.to_owned());
    let Ok(files) = std::fs::read_dir(PathBuf::from(folder).join("claude")) else {
        eprintln!("no recordings here: skipped");
        return Vec::new();
    };
    let mut out = BTreeMap::new();
    for file in files {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        out.insert(name, serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap());
    }
    out.into_iter().collect()
}

fn cx(document: &str) -> Cx {
    Cx::new(Body::new(document.to_owned()), 1_700_000_000, Ids::new(7))
}

fn target(model: &str) -> Target {
    Target {
        provider: "anthropic".to_owned(),
        model: model.to_owned(),
        capabilities: Capabilities::of(model),
        base_url: "https://upstream.example".to_owned(),
        ..Target::default()
    }
}

fn memo() -> Memo {
    Memo {
        issuer: target("m").issuer(ID),
        names: Names::default(),
        now: 1_700_000_000,
        ids: Ids::new(7),
        cuts: Vec::new(),
    }
}

/// The request's body and its route, of recordings that the API took.
fn request(recording: &Value) -> Option<(&Value, Operation)> {
    let operation = match recording.get("endpoint")?.as_str()? {
        "messages" => Operation::Generate,
        "count_tokens" => Operation::CountTokens { answer_field: "input_tokens" },
        _ => return None,
    };
    let body = recording.pointer("/request/body").filter(|body| body.is_object())?;
    let status = recording.pointer("/response/status")?.as_u64()?;
    (status < 400).then_some((body, operation))
}

/// A document as it may be written another way: no nulls, a bare text as one block, neighbours of one role joined, whole
/// numbers without a point.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut out = Map::new();
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                let value = match (name.as_str(), value) {
                    ("system", Value::String(text)) if text.is_empty() => continue,
                    ("content" | "system", Value::String(text)) => {
                        serde_json::json!([{"type": "text", "text": text}])
                    }
                    ("messages", Value::Array(list)) => joined(list),
                    // Empty text says nothing.
                    ("system", Value::Array(list))
                        if list.iter().all(|block| block.get("text") == Some(&"".into())) =>
                    {
                        continue;
                    }
                    // Raw JSON: a null in it stays.
                    ("input" | "schema" | "input_schema", value) => value.clone(),
                    (_, value) => plain(value),
                };
                out.insert(name.clone(), value);
            }
            Value::Object(out)
        }
        Value::Array(list) => Value::Array(list.iter().map(plain).collect()),
        Value::Number(number) => Value::from(number.as_f64().unwrap()),
        other => other.clone(),
    }
}

fn joined(list: &[Value]) -> Value {
    let mut out: Vec<Value> = Vec::new();
    for message in list.iter().map(plain) {
        let content = message.get("content").and_then(Value::as_array).cloned().unwrap_or_default();
        match out.last_mut() {
            Some(last) if last.get("role") == message.get("role") => {
                last.get_mut("content").unwrap().as_array_mut().unwrap().extend(content);
            }
            _ => out.push(message),
        }
    }
    Value::Array(out)
}

/// Where two documents differ.
fn difference(left: &Value, right: &Value, path: &str) -> Option<String> {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| match (a.get(key), b.get(key)) {
                (Some(a), Some(b)) => difference(a, b, &format!("{path}/{key}")),
                (a, b) => Some(format!("{path}/{key}: {a:?} became {b:?}")),
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(index, (a, b))| difference(a, b, &format!("{path}/{index}")))
        }
        (a, b) => (a != b).then(|| format!("{path}: {a} became {b}")),
    }
}

#[test]
fn requests_come_back_as_they_were() {
    let recordings = recordings();
    let mut all = 0;
    let mut wrong = Vec::new();
    for (name, recording) in &recordings {
        let Some((body, operation)) = request(recording) else { continue };
        all += 1;
        let document = body.to_string();
        let mut cx = cx(&document);
        let lowered = match Client.lower(&mut cx, &Route::to(operation.clone())) {
            Ok(lowered) => lowered,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let model = body.get("model").and_then(Value::as_str).unwrap();
        let raised = Upstream.raise(&mut cx, &lowered.request, &target(model)).unwrap();
        let Call::Send(sent) = raised.call else { panic!("{name}: not sent") };
        let mut sent: Value = serde_json::from_slice(&sent.body).unwrap();
        let mut want = body.clone();
        for document in [&mut sent, &mut want] {
            let fields = document.as_object_mut().unwrap();
            if fields.get("stream") == Some(&Value::Bool(false)) {
                fields.remove("stream");
            }
            if matches!(operation, Operation::CountTokens { .. }) {
                fields.remove("max_tokens");
            }
        }
        // Results for no call break the API's own rules; they are mended, and nothing is left to compare.
        if cx.diagnostics().iter().any(|diagnostic| *diagnostic.code == codes::TOOL_RESULT_ORPHAN) {
            eprintln!("{name}: results for no call");
            continue;
        }
        if let Some(difference) = difference(&plain(&want), &plain(&sent), "") {
            wrong.push(format!("{name}: {difference}"));
        }
        let told = |level: Level| level != Level::Allow;
        for diagnostic in cx.diagnostics().iter().filter(|diagnostic| told(diagnostic.code.level)) {
            if operation == Operation::Generate {
                wrong.push(format!("{name}: {} {}: {}", diagnostic.code.name, diagnostic.place, diagnostic.message));
            }
        }
    }
    eprintln!("{} of {all} requests right", all - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The answer as its upstream's client would hold it: seals out of their envelopes.
fn unwrapped(mut response: ir::Response) -> ir::Response {
    for part in &mut response.parts {
        if let Some(seal) = &mut part.meta_mut().seal {
            **seal = envelope::open(ID, &seal.payload).unwrap();
        }
    }
    response
}

fn asked() -> Asked {
    let mut cx = cx("{}");
    Asked::new(&mut cx, &ir::Request { model: "client's".into(), ..ir::Request::default() })
}

#[test]
fn answers_come_back_as_they_were() {
    let recordings = recordings();
    let mut all = 0;
    let mut wrong = Vec::new();
    for (name, recording) in &recordings {
        let Some(body) = recording.pointer("/response/body").filter(|body| body.get("content").is_some()) else {
            continue;
        };
        all += 1;
        let mut cx = cx(&body.to_string());
        let response = match Upstream.parse(&mut cx, &memo()) {
            Ok(response) => response,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        if let Err(error) = ir::check(&response.clone().events()) {
            wrong.push(format!("{name}: {error}"));
        }
        if ir::collect(response.clone().events()).unwrap() != response {
            wrong.push(format!("{name}: collect(events) differs"));
        }
        let rendered = Client.render(&mut cx, &asked(), response);
        let mut rendered: Value = serde_json::from_slice(&rendered).unwrap();
        for block in rendered.get_mut("content").unwrap().as_array_mut().unwrap() {
            for slot in ["signature", "data"] {
                if let Some(Value::String(slot)) = block.get_mut(slot) {
                    let seal = envelope::open(ID, &Text::from(slot.as_str())).unwrap();
                    *slot = seal.payload.as_str().to_owned();
                }
            }
        }
        let mut want = body.clone();
        for document in [&mut rendered, &mut want] {
            let fields = document.as_object_mut().unwrap();
            fields.remove("model");
            // One recording was put together from several answers, and says so beside its calls.
            let is_call = |block: &Value| block.get("type") == Some(&"tool_use".into());
            if fields["content"].as_array().unwrap().iter().any(is_call) && fields["stop_reason"] == "end_turn" {
                fields.insert("stop_reason".to_owned(), "tool_use".into());
            }
        }
        if let Some(difference) = difference(&plain(&want), &plain(&rendered), "") {
            wrong.push(format!("{name}: {difference}"));
        }
        for diagnostic in cx.diagnostics() {
            wrong.push(format!("{name}: {} {}: {}", diagnostic.code.name, diagnostic.place, diagnostic.message));
        }
    }
    eprintln!("{} of {all} answers right", all - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn streams(recordings: &[(String, Value)]) -> Vec<(&str, &str)> {
    recordings
        .iter()
        .filter_map(|(name, recording)| Some((name.as_str(), recording.pointer("/response/sse")?.as_str()?)))
        .collect()
}

fn decode(sse: &str, size: usize) -> Vec<Event> {
    let mut decoder = Upstream.decoder(&memo());
    let mut out = Emitter::new(Ids::new(1));
    for chunk in sse.as_bytes().chunks(size) {
        decoder.push(chunk, &mut out);
    }
    decoder.finish(&mut out);
    out.take()
}

#[test]
fn streams_are_read_in_any_chunking() {
    let recordings = recordings();
    let streams = streams(&recordings);
    let mut wrong = Vec::new();
    for (name, sse) in &streams {
        let events = decode(sse, usize::MAX);
        if let Err(error) = ir::check(&events) {
            wrong.push(format!("{name}: {error}"));
        }
        if !matches!(events.last(), Some(Event::Finish(_))) {
            wrong.push(format!("{name}: ends with {:?}", events.last()));
        }
        for size in [1, 2, 3, 7, 64, 1_000] {
            if decode(sse, size) != events {
                wrong.push(format!("{name}: in chunks of {size} it reads otherwise"));
            }
        }
    }
    eprintln!("{} of {} streams right", streams.len() - wrong.len(), streams.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn streams_cut_short_fail() {
    let recordings = recordings();
    let mut wrong = Vec::new();
    for (name, sse) in streams(&recordings) {
        let step = 1 + sse.len() / 3_000;
        let mut decoder = Upstream.decoder(&memo());
        let mut out = Emitter::new(Ids::new(1));
        let mut so_far: Vec<Event> = Vec::new();
        for chunk in sse.as_bytes().chunks(step) {
            decoder.push(chunk, &mut out);
            so_far.extend(out.take());
            let mut cut = out.clone();
            decoder.fork().finish(&mut cut);
            let mut events = so_far.clone();
            events.extend(cut.take());
            if let Err(error) = ir::check(&events) {
                wrong.push(format!("{name}: {error}"));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn streams_are_written_again() {
    let recordings = recordings();
    let streams = streams(&recordings);
    let mut wrong = Vec::new();
    for (name, sse) in &streams {
        let events = decode(sse, usize::MAX);
        let Ok(response) = ir::collect(events.clone()) else {
            wrong.push(format!("{name}: no answer"));
            continue;
        };
        let mut encoder = Client.encoder(&asked());
        let mut out = Vec::new();
        for event in events {
            encoder.push(event, &mut out);
        }
        encoder.finish(&mut out);
        let written = String::from_utf8(out).unwrap();
        if let Err(error) = well_formed(&written) {
            wrong.push(format!("{name}: {error}"));
        }
        let mut again = unwrapped(ir::collect(decode(&written, usize::MAX)).unwrap());
        again.model.clone_from(&response.model);
        if again != response {
            wrong.push(format!("{name}: read again it differs\n{response:?}\n{again:?}"));
        }
        // The same answer as a whole one; arguments that were cut off have no place there.
        let is_cut = |part: &Part| matches!(part, Part::ToolCall(call) if call.arguments_object().is_none());
        if response.parts.iter().any(is_cut) {
            continue;
        }
        let mut cx = cx("{}");
        let rendered = String::from_utf8(Client.render(&mut cx, &asked(), response.clone())).unwrap();
        let mut cx = self::cx(&rendered);
        let mut whole = unwrapped(Upstream.parse(&mut cx, &memo()).unwrap());
        whole.model.clone_from(&response.model);
        // A call's arguments are the same value, maybe not in the same spelling; and usage not in the same order.
        let spelled = |response: &mut ir::Response| {
            for part in &mut response.parts {
                if let Part::ToolCall(call) = part {
                    let value: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
                    call.arguments = value.to_string().into();
                }
            }
        };
        let mut response = response;
        spelled(&mut response);
        spelled(&mut whole);
        if whole != response {
            wrong.push(format!("{name}: as a whole it differs\n{response:?}\n{whole:?}"));
        }
    }
    eprintln!("{} of {} streams right", streams.len() - wrong.len(), streams.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Holds a written stream to the grammar that Claude's SDKs rely on.
fn well_formed(sse: &str) -> Result<(), String> {
    let mut index = 0;
    let mut open = false;
    let mut names = Vec::new();
    for block in sse.split("\n\n").filter(|block| !block.is_empty()) {
        let (name, data) = block.split_once('\n').ok_or("no data line")?;
        let name = name.strip_prefix("event: ").ok_or("no event line")?;
        let data: Value =
            serde_json::from_str(data.strip_prefix("data: ").ok_or("no data")?).map_err(|e| e.to_string())?;
        if data.get("type").and_then(Value::as_str) != Some(name) {
            return Err(format!("the event {name} is {data}"));
        }
        let at = data.get("index").and_then(Value::as_u64);
        match name {
            "content_block_start" if !open && at == Some(index) => open = true,
            "content_block_delta" if open && at == Some(index) => {}
            "content_block_stop" if open && at == Some(index) => {
                open = false;
                index += 1;
            }
            "ping" | "message_start" | "message_delta" | "message_stop" => {}
            _ => return Err(format!("out of order: {data}")),
        }
        if name != "ping" {
            names.push(name);
        }
    }
    let ends = names.len() > 2 && names.ends_with(&["message_delta", "message_stop"]);
    let begins =
        names.first() == Some(&"message_start") && names.iter().filter(|name| **name == "message_start").count() == 1;
    if begins && ends && !open { Ok(()) } else { Err("no beginning or no end".to_owned()) }
}
