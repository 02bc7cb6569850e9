//! Recorded Gemini traffic: every request, answer and stream of the folder that `CORPUS_DIR` names goes through the frontend
//! and the backend. The recordings are other people's; without them there is nothing to do.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use any_api::backends::Gemini as Backend;
use any_api::backends::{Backend as _, Call, Memo, Names, Target};
use any_api::capabilities::Capabilities;
use any_api::context::{Cx, Ids};
use any_api::frontends::Gemini as Frontend;
use any_api::frontends::{Asked, Frontend as _, Operation, Route};
use any_api::{http, ir};
use serde_json::{Map, Value};

/// The recordings, each with its file's name; none where the folder is not there.
fn recordings() -> Vec<(String, Value)> {
    let folder = std::env::var("CORPUS_DIR").unwrap_or_else(|_| "../shared/corpus".to_owned());
    let folder = PathBuf::from(folder).join("gemini");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: there are no recordings in {}", folder.display());
        return Vec::new();
    };
    let mut out: Vec<(String, Value)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let text = std::fs::read_to_string(&path).ok()?;
            Some((path.file_name()?.to_string_lossy().into_owned(), serde_json::from_str(&text).ok()?))
        })
        .collect();
    out.sort_by(|one, other| one.0.cmp(&other.0));
    out
}

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

fn memo() -> Memo {
    Memo { issuer: target("m").issuer("gemini"), names: Names::default(), now: 0, ids: Ids::new(3), cuts: Vec::new() }
}

fn asked(model: &str) -> Asked {
    let request = ir::Request { model: model.into(), ..ir::Request::default() };
    Asked::new(&mut cx(""), &request)
}

fn camel(name: &str) -> String {
    let mut out = String::new();
    let mut up = false;
    for c in name.chars() {
        match c {
            '_' => up = true,
            c if std::mem::take(&mut up) => out.extend(c.to_uppercase()),
            c => out.push(c),
        }
    }
    out
}

/// A body as it may be written another way: names in camel case, no nulls, whole numbers as such.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields.iter().filter(|(_, v)| !v.is_null()).map(|(name, v)| (camel(name), plain(v))).collect::<Map<_, _>>(),
        ),
        Value::Array(list) => list.iter().map(plain).collect(),
        Value::Number(number) => match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
            Some(float) if float.fract() == 0.0 && float.abs() < 1e15 => Value::from(float as i64),
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

fn list(value: Option<&Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(list)) => list.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

/// A request as Gemini reads it: contents of one role joined, results first, lone elements in lists, no empty text.
fn plain_request(body: &Value) -> Value {
    let mut body = plain(body);
    let mut contents: Vec<Value> = Vec::new();
    for content in list(body.get("contents")) {
        let role = if content.get("role").and_then(Value::as_str) == Some("model") { "model" } else { "user" };
        let mut parts = list(content.get("parts"));
        let is_signed = |part: &Value| part.get("thoughtSignature").is_some();
        parts.retain(|part| is_signed(part) || part.get("text").and_then(Value::as_str) != Some(""));
        if parts.is_empty() {
            continue;
        }
        match contents.last_mut() {
            Some(last) if last["role"] == role => last["parts"].as_array_mut().unwrap().append(&mut parts),
            _ => contents.push(serde_json::json!({ "role": role, "parts": parts })),
        }
    }
    for content in &mut contents {
        let parts = content["parts"].as_array_mut().unwrap();
        let (results, rest): (Vec<_>, Vec<_>) =
            std::mem::take(parts).into_iter().partition(|part| part.get("functionResponse").is_some());
        parts.extend(results.into_iter().chain(rest));
    }
    body["contents"] = Value::Array(contents);
    if let Some(system) = body.get_mut("systemInstruction") {
        let parts = list(system.get("parts"));
        let says_nothing = parts.iter().all(|part| part.get("text").and_then(Value::as_str) == Some(""));
        system["parts"] = Value::Array(parts);
        if says_nothing {
            body.as_object_mut().unwrap().remove("systemInstruction");
        }
    }
    if body.get("tools").is_some() {
        body["tools"] = Value::Array(list(body.get("tools")));
    }
    if let Some(Value::String(mode)) = body.pointer_mut("/toolConfig/functionCallingConfig/mode") {
        *mode = mode.to_uppercase();
    }
    body
}

/// Where `after` lacks something that `before` holds; more may be in it.
fn lost(before: &Value, after: &Value, at: &str) -> Option<String> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => before
            .iter()
            .find_map(|(name, value)| lost(value, after.get(name).unwrap_or(&Value::Null), &format!("{at}/{name}"))),
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            let pairs = before.iter().zip(after).enumerate();
            pairs.filter_map(|(index, (x, y))| lost(x, y, &format!("{at}/{index}"))).next()
        }
        (Value::Array(before), Value::Null) if before.is_empty() => None,
        (Value::Object(before), Value::Null) if before.is_empty() => None,
        _ if before == after => None,
        _ => Some(format!("{at}: {before} became {after}")),
    }
}

fn added(before: &Value, after: &Value, at: &str, out: &mut BTreeSet<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, value) in after {
                match before.get(name) {
                    Some(inner) => added(inner, value, &format!("{at}/{name}"), out),
                    None => {
                        out.insert(format!("{at}/{name}"));
                    }
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            before.iter().zip(after).for_each(|(x, y)| added(x, y, &format!("{at}[]"), out));
        }
        _ => {}
    }
}

fn report(what: &str, count: usize, failures: &[String]) {
    eprintln!("{what}: {} of {count}", count - failures.len());
    assert!(failures.is_empty(), "{what}: {} failed\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn requests_come_back_as_they_were() {
    // What a strict upstream would refuse is mended and reported: calls without results, no turn at all.
    const REPAIRS: [&str; 2] = ["tool-result-synthesised", "instruction-moved"];
    let (mut count, mut failures, mut additions, mut losses) = (0, Vec::new(), BTreeSet::new(), BTreeSet::new());
    let mut repaired = 0;
    for (file, recording) in recordings() {
        let request = &recording["request"];
        let body = &request["body"];
        if !body.is_object() || recording["response"]["status"].as_u64() == Some(400) {
            continue;
        }
        count += 1;
        let path = request["path"].as_str().unwrap_or_default();
        let (operation, delivery) = match path.rsplit(':').next() {
            Some("countTokens") => (Operation::CountTokens { answer_field: "totalTokens" }, ir::Delivery::Whole),
            Some("streamGenerateContent") => (Operation::Generate, ir::Delivery::Stream),
            _ => (Operation::Generate, ir::Delivery::Whole),
        };
        let model = path.rsplit('/').next().and_then(|id| id.split(':').next()).unwrap_or_default();
        let inner = body.get("generateContentRequest").unwrap_or(body);
        let route = Route { model: Some(model.to_owned()), delivery: Some(delivery), ..Route::to(operation) };
        let text = body.to_string();
        let mut cx = cx(&text);
        let lowered = match Frontend.lower(&mut cx, &route) {
            Ok(lowered) => lowered,
            Err(error) => {
                failures.push(format!("{file}: {error}"));
                continue;
            }
        };
        let raised = match Backend.raise(&mut cx, &lowered.request, &target(model)) {
            Ok(raised) => raised,
            Err(error) => {
                failures.push(format!("{file}: {error}"));
                continue;
            }
        };
        let reported = cx.take_diagnostics();
        let is_repaired = reported.iter().any(|loss| REPAIRS.contains(&loss.code.name));
        repaired += usize::from(is_repaired);
        losses.extend(reported.into_iter().map(|loss| format!("{} {}", loss.code.name, loss.message)));
        if is_repaired {
            continue;
        }
        let Call::Send(sent) = raised.call else { panic!("not sent") };
        let sent: Value = serde_json::from_slice(&sent.body).unwrap();
        let mut before = plain_request(inner);
        before.as_object_mut().unwrap().remove("model");
        let after = plain_request(&sent);
        added(&before, &after, "", &mut additions);
        failures.extend(lost(&before, &after, "").map(|what| format!("{file}: {what}")));
    }
    eprintln!("repaired and reported: {repaired}");
    eprintln!("added: {additions:#?}\nreported: {losses:#?}");
    report("requests", count, &failures);
}

#[test]
fn whole_answers_come_back_as_they_were() {
    let (mut count, mut failures, mut losses) = (0, Vec::new(), BTreeSet::new());
    for (file, recording) in recordings() {
        let body = &recording["response"]["body"];
        let is_answer = body.get("candidates").is_some() || body.get("promptFeedback").is_some();
        if !is_answer || recording["response"]["status"] != 200 {
            continue;
        }
        count += 1;
        let mut cx = cx(&body.to_string());
        let response = match Backend.parse(&mut cx, &memo()) {
            Ok(response) => response,
            Err(error) => {
                failures.push(format!("{file}: {error}"));
                continue;
            }
        };
        if let Err(what) = ir::check(&response.clone().events()) {
            failures.push(format!("{file}: {what}"));
        }
        let rendered = Frontend.render(&mut cx, &asked("p.m"), response);
        losses.extend(cx.take_diagnostics().into_iter().map(|loss| format!("{} {}", loss.code.name, loss.message)));
        let rendered: Value = serde_json::from_slice(&rendered).unwrap();
        let mut before = plain(body);
        // The name of the model is the client's; numbers of enums become words; a signature is in an envelope.
        before["modelVersion"] = "p.m".into();
        if before.pointer("/candidates/0/finishReason") == Some(&Value::from(1)) {
            before["candidates"][0]["finishReason"] = "STOP".into();
        }
        let mut after = plain(&rendered);
        unwrap_signatures(&mut after);
        failures.extend(lost(&before, &after, "").map(|what| format!("{file}: {what}")));
    }
    eprintln!("reported: {losses:#?}");
    report("whole answers", count, &failures);
}

fn unwrap_signatures(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(slot) if name == "thoughtSignature" => {
                        let seal = any_api::envelope::open("gemini", &slot.as_str().into()).expect("an envelope");
                        *slot = seal.payload.as_str().to_owned();
                    }
                    value => unwrap_signatures(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(unwrap_signatures),
        _ => {}
    }
}

fn decode(chunks: &[&[u8]]) -> Vec<ir::Event> {
    let mut decoder = Backend.decoder(&memo());
    let mut out = ir::Emitter::new(Ids::new(5));
    for chunk in chunks {
        decoder.push(chunk, &mut out);
    }
    decoder.finish(&mut out);
    out.take()
}

/// The answer that the data lines of a stream tell, folded as Google's clients do.
fn folded(sse: &str) -> Value {
    let mut parts = Vec::new();
    let mut out = serde_json::json!({});
    for line in sse
        .split("\r\n\r\n")
        .flat_map(|event| event.split("\n\n"))
        .filter_map(|event| event.trim().strip_prefix("data:"))
    {
        let chunk: Value = serde_json::from_str(line).unwrap();
        for (name, value) in chunk.as_object().unwrap() {
            if name != "candidates" {
                out[name] = value.clone();
            }
        }
        let Some(candidate) = chunk.pointer("/candidates/0") else { continue };
        parts.extend(list(candidate.pointer("/content/parts")));
        for (name, value) in candidate.as_object().unwrap() {
            let is_empty = value.as_object().is_some_and(Map::is_empty);
            if name != "content" && !(is_empty && out["candidate"].get(name).is_some()) {
                out["candidate"][name] = value.clone();
            }
        }
    }
    let mut joined: Vec<Value> = Vec::new();
    for part in parts {
        let is_plain = |part: &Value| part.get("text").is_some() && part.get("thoughtSignature").is_none();
        let text = part.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
        if is_plain(&part) && text.is_empty() {
            continue;
        }
        match joined.last_mut() {
            Some(last) if is_plain(last) && is_plain(&part) && last.get("thought") == part.get("thought") => {
                last["text"] = format!("{}{text}", last["text"].as_str().unwrap()).into();
            }
            _ => joined.push(part),
        }
    }
    out["parts"] = Value::Array(joined);
    out
}

#[test]
fn streams_decode_and_are_written_again() {
    let (mut count, mut failures) = (0, Vec::new());
    for (file, recording) in recordings() {
        let Some(sse) = recording["response"]["sse"].as_str() else { continue };
        if recording["response"]["status"] != 200 {
            continue;
        }
        count += 1;
        let bytes = sse.as_bytes();
        let events = decode(&[bytes]);
        if let Err(what) = ir::check(&events) {
            failures.push(format!("{file}: {what}"));
            continue;
        }
        if let Err(error) = ir::collect(events.clone()) {
            failures.push(format!("{file}: {error}"));
            continue;
        }
        for size in [1, 7, 64, 1000] {
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            if joined(decode(&chunks)) != joined(events.clone()) {
                failures.push(format!("{file}: in chunks of {size} bytes it says something else"));
            }
        }
        // The array that Google writes without `alt=sse`.
        let objects: Vec<&str> = sse
            .split("\r\n\r\n")
            .flat_map(|event| event.split("\n\n"))
            .filter_map(|event| event.trim().strip_prefix("data:"))
            .collect();
        let array = format!("[{}]", objects.join(",\r\n"));
        if decode(&[array.as_bytes()]) != events {
            failures.push(format!("{file}: as an array it says something else"));
        }
        truncated(&file, bytes, &mut failures);

        let mut encoder = Frontend.encoder(&asked("p.m"));
        let mut out = Vec::new();
        for event in events.clone() {
            encoder.push(event, &mut out);
        }
        encoder.finish(&mut out);
        let written = String::from_utf8(out).unwrap();
        for line in written.split("\r\n").filter(|line| !line.is_empty() && !line.starts_with("data: ")) {
            failures.push(format!("{file}: the line {line}"));
        }
        let again = decode(&[written.as_bytes()]);
        if let Err(what) = ir::check(&again) {
            failures.push(format!("{file}: {what}"));
        }
        if sse.contains("partialArgs") {
            continue;
        }
        let mut before = plain(&folded(sse));
        before["modelVersion"] = "p.m".into();
        let mut after = plain(&folded(&written));
        unwrap_signatures(&mut after);
        // The signature of a text stands behind it in our streams.
        let split = split_signed(before["parts"].take());
        before["parts"] = split;
        failures.extend(lost(&before, &after, "").map(|what| format!("{file}: {what}")));
    }
    report("streams", count, &failures);
}

fn split_signed(parts: Value) -> Value {
    let mut out: Vec<Value> = Vec::new();
    for mut part in list(Some(&parts)) {
        let text = part.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
        let signature = part.get("thoughtSignature").cloned();
        match signature {
            Some(signature) if !text.is_empty() => {
                part.as_object_mut().unwrap().remove("thoughtSignature");
                let rest = serde_json::json!({ "text": "", "thoughtSignature": signature });
                match out.last_mut() {
                    Some(last)
                        if last.get("text").is_some()
                            && last.get("thoughtSignature").is_none()
                            && last.get("thought").is_none() =>
                    {
                        last["text"] = format!("{}{text}", last["text"].as_str().unwrap()).into();
                    }
                    _ => out.push(part),
                }
                out.push(rest);
            }
            _ => out.push(part),
        }
    }
    Value::Array(out)
}

/// Events with neighbouring deltas joined.
fn joined(events: Vec<ir::Event>) -> Vec<ir::Event> {
    let mut out: Vec<ir::Event> = Vec::new();
    for event in events {
        match (out.last_mut(), event) {
            (Some(ir::Event::Delta(last)), ir::Event::Delta(more)) => *last = format!("{last}{more}").into(),
            (_, event) => out.push(event),
        }
    }
    out
}

/// A stream that ends anywhere ends properly, and as a failure unless the answer was told to be whole.
fn truncated(file: &str, bytes: &[u8], failures: &mut Vec<String>) {
    let mut decoder = Backend.decoder(&memo());
    let mut out = ir::Emitter::new(Ids::new(5));
    let mut told = Vec::new();
    // Long streams are cut at every so many bytes: each cut copies what is known so far.
    let step = (bytes.len() / 2000).max(1);
    for chunk in bytes.chunks(step) {
        let mut fork = decoder.fork();
        let mut copy = out.clone();
        fork.finish(&mut copy);
        let mut events: Vec<ir::Event> = told.clone();
        events.extend(copy.take());
        if let Err(what) = ir::check(&events) {
            failures.push(format!("{file}: cut short: {what}"));
            return;
        }
        decoder.push(chunk, &mut out);
        told.extend(out.take());
    }
}

#[test]
fn errors_say_what_the_upstream_said() {
    let (mut count, mut failures) = (0, Vec::new());
    for (file, recording) in recordings() {
        let response = &recording["response"];
        let status = response["status"].as_u64().unwrap();
        if status < 400 {
            continue;
        }
        count += 1;
        let body = response["body"].to_string();
        let status = u16::try_from(status).unwrap();
        let error = Backend.parse_error(status, &http::Headers::new(), body.as_bytes());
        let rendered = Frontend.render_error(&error);
        let after: Value = serde_json::from_slice(&rendered.body).unwrap();
        if rendered.status != status {
            failures.push(format!("{file}: {status} became {}", rendered.status));
        }
        failures.extend(lost(&response["body"], &after, "").map(|what| format!("{file}: {what}")));
        let message = response["body"].pointer("/error/message").and_then(Value::as_str);
        if message.is_some_and(|message| error.message != message) {
            failures.push(format!("{file}: says {}", error.message));
        }
    }
    report("errors", count, &failures);
}
