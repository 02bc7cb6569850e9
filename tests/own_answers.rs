//! What an upstream is given back of its own answer through clients of every dialect: each block where it stood, with its
//! signatures, ids and words, as a native client would send it.
//!
//! Answers are laid out by chance (thoughts between words, calls between thoughts, several texts), written as the upstream
//! writes them, whole and streamed; the client puts what it got into its history, as its SDK does, and asks again.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

#[path = "support/prng.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod prng;
#[path = "support/ways.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod ways;

use any_api::diagnostics::Diagnostic;
use any_api::ir;
use serde_json::{Map, Value, json};

use prng::Prng;

const CLIENTS: [&str; 4] = ["openai-chat-completions", "openai-responses", "claude", "gemini"];

/// A block of an answer.
#[derive(Clone, Debug, PartialEq)]
enum Block {
    Thought(&'static str),
    /// A thought that only its seal holds.
    Hidden,
    Text(&'static str),
    Call,
}

use Block::{Call, Hidden, Text, Thought};

/// Base64 that differs from block to block.
fn seal(index: usize) -> String {
    format!("{}{index:04}", "c2VhbA+/".repeat(index % 3 + 1))
}

/// The answer in its upstream's words: the blocks, or items, or parts.
fn issued(upstream: &str, blocks: &[Block]) -> Vec<Value> {
    let one = |(index, block): (usize, &Block)| match (upstream, block) {
        ("claude", Thought(text)) => json!({ "type": "thinking", "thinking": text, "signature": seal(index) }),
        ("claude", Hidden) => json!({ "type": "redacted_thinking", "data": seal(index) }),
        ("claude", Text(text)) => json!({ "type": "text", "text": text }),
        ("claude", Call) => {
            json!({ "type": "tool_use", "id": format!("toolu_{index}"), "name": "look", "input": { "at": index } })
        }
        ("openai-responses", Thought(text)) => json!({ "type": "reasoning", "id": format!("rs_{index}"),
            "summary": [{ "type": "summary_text", "text": text }], "encrypted_content": seal(index) }),
        ("openai-responses", Hidden) => {
            json!({ "type": "reasoning", "id": format!("rs_{index}"), "summary": [], "encrypted_content": seal(index) })
        }
        ("openai-responses", Text(text)) => json!({ "type": "message", "id": format!("msg_{index}"),
            "role": "assistant", "status": "completed", "phase": "commentary",
            "content": [{ "type": "output_text", "text": text, "annotations": [] }] }),
        ("openai-responses", Call) => {
            json!({ "type": "function_call", "id": format!("fc_{index}"), "status": "completed",
            "call_id": format!("call_{index}"), "name": "look", "arguments": format!("{{\"at\":{index}}}") })
        }
        ("gemini", Thought(text)) => json!({ "text": text, "thought": true }),
        ("gemini", Hidden) => json!({ "text": "", "thoughtSignature": seal(index) }),
        ("gemini", Text(text)) if index % 2 == 0 => json!({ "text": text, "thoughtSignature": seal(index) }),
        ("gemini", Text(text)) => json!({ "text": text }),
        (_, Call) => {
            json!({ "functionCall": { "id": format!("call-{index}"), "name": "look", "args": { "at": index } },
            "thoughtSignature": seal(index) })
        }
        (_, other) => panic!("{upstream} has no {other:?}"),
    };
    blocks.iter().enumerate().map(one).collect()
}

fn whole(upstream: &str, issued: &[Value]) -> String {
    match upstream {
        "claude" => json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "model", "content": issued,
            "stop_reason": "end_turn", "usage": { "input_tokens": 1, "output_tokens": 1 } }),
        "openai-responses" => json!({ "id": "resp_1", "object": "response", "status": "completed", "model": "model",
            "output": issued, "usage": { "input_tokens": 1, "output_tokens": 1 } }),
        _ => json!({ "candidates": [{ "content": { "role": "model", "parts": issued }, "finishReason": "STOP" }],
            "usageMetadata": { "promptTokenCount": 1 } }),
    }
    .to_string()
}

/// Pieces of a text, none of them empty.
fn pieces(text: &str) -> Vec<&str> {
    text.split_inclusive(' ').collect()
}

fn stream(upstream: &str, issued: &[Value]) -> String {
    let mut events: Vec<Value> = Vec::new();
    match upstream {
        "claude" => {
            let usage = json!({ "input_tokens": 1, "output_tokens": 1 });
            events.push(json!({ "type": "message_start", "message": { "id": "msg_1", "role": "assistant",
                "model": "model", "content": [], "usage": usage } }));
            for (index, block) in issued.iter().enumerate() {
                let mut begun = block.clone();
                let mut deltas = Vec::new();
                match block["type"].as_str().unwrap() {
                    "thinking" => {
                        begun["thinking"] = "".into();
                        begun["signature"] = "".into();
                        let text = block["thinking"].as_str().unwrap();
                        deltas.extend(
                            pieces(text).iter().map(|one| json!({ "type": "thinking_delta", "thinking": one })),
                        );
                        deltas.push(json!({ "type": "signature_delta", "signature": block["signature"] }));
                    }
                    "text" => {
                        begun["text"] = "".into();
                        let text = block["text"].as_str().unwrap();
                        deltas.extend(pieces(text).iter().map(|one| json!({ "type": "text_delta", "text": one })));
                    }
                    "tool_use" => {
                        begun["input"] = json!({});
                        let text = block["input"].to_string();
                        deltas.push(json!({ "type": "input_json_delta", "partial_json": text }));
                    }
                    _ => {}
                }
                events.push(json!({ "type": "content_block_start", "index": index, "content_block": begun }));
                events.extend(
                    deltas.iter().map(|delta| json!({ "type": "content_block_delta", "index": index, "delta": delta })),
                );
                events.push(json!({ "type": "content_block_stop", "index": index }));
            }
            events.push(json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": usage }));
            events.push(json!({ "type": "message_stop" }));
        }
        "openai-responses" => {
            let response = json!({ "id": "resp_1", "status": "in_progress", "model": "model", "output": [] });
            events.push(json!({ "type": "response.created", "response": response }));
            for (index, item) in issued.iter().enumerate() {
                let mut begun = item.clone();
                for list in ["summary", "content"] {
                    if begun.get(list).is_some() {
                        begun[list] = json!([]);
                    }
                }
                if begun.get("arguments").is_some() {
                    begun["arguments"] = "".into();
                }
                begun.as_object_mut().unwrap().shift_remove("encrypted_content");
                events.push(json!({ "type": "response.output_item.added", "output_index": index, "item": begun }));
                let place = |name: &str, piece: &str| {
                    json!({ "type": name, "output_index": index, "item_id": item["id"], "content_index": 0,
                        "summary_index": 0, "delta": piece })
                };
                let (name, text) = match item["type"].as_str().unwrap() {
                    "reasoning" => ("response.reasoning_summary_text.delta", &item["summary"][0]["text"]),
                    "message" => ("response.output_text.delta", &item["content"][0]["text"]),
                    _ => ("response.function_call_arguments.delta", &item["arguments"]),
                };
                events.extend(pieces(text.as_str().unwrap_or_default()).iter().map(|piece| place(name, piece)));
                events.push(json!({ "type": "response.output_item.done", "output_index": index, "item": item }));
            }
            let response = serde_json::from_str::<Value>(&whole(upstream, issued)).unwrap();
            events.push(json!({ "type": "response.completed", "response": response }));
        }
        _ => {
            for part in issued {
                let text = part.get("text").and_then(Value::as_str).unwrap_or_default();
                let mut told: Vec<Value> = Vec::new();
                let pieces = pieces(text);
                for piece in &pieces {
                    let mut part = part.clone();
                    part["text"] = (*piece).into();
                    part.as_object_mut().unwrap().shift_remove("thoughtSignature");
                    told.push(part);
                }
                match (told.last_mut(), part.get("thoughtSignature")) {
                    (Some(last), Some(signature)) => last["thoughtSignature"] = signature.clone(),
                    (Some(_), None) => {}
                    (None, _) => told.push(part.clone()),
                }
                let chunk =
                    |part: Value| json!({ "candidates": [{ "content": { "role": "model", "parts": [part] } }] });
                events.extend(told.into_iter().map(chunk));
            }
            events.push(json!({ "candidates": [{ "finishReason": "STOP" }] }));
        }
    }
    let line = |event: &Value| match event.get("type") {
        Some(name) => format!("event: {}\ndata: {event}\n\n", name.as_str().unwrap()),
        None => format!("data: {event}\r\n\r\n"),
    };
    events.iter().map(line).collect()
}

/// How a client reads a stream of Chat Completions.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reader {
    /// It keeps all that it gets.
    All,
    /// It keeps words of thoughts, words, and calls with the state that they begin with (`@ai-sdk/openai-compatible`).
    Calls,
}

fn events(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// What a client's history gains of a whole answer.
fn kept_whole(client: &str, body: &[u8], reader: Reader) -> Vec<Value> {
    let body: Value = serde_json::from_slice(body).unwrap();
    match client {
        "claude" => vec![json!({ "role": "assistant", "content": body["content"] })],
        "openai-responses" => body["output"].as_array().unwrap().clone(),
        "gemini" => vec![body["candidates"][0]["content"].clone()],
        _ => vec![reader.keep(body["choices"][0]["message"].clone())],
    }
}

impl Reader {
    fn keep(self, mut message: Value) -> Value {
        if self == Self::Calls {
            let object = message.as_object_mut().unwrap();
            object.retain(|name, _| ["role", "content", "tool_calls", "reasoning_content"].contains(&name.as_str()));
        }
        message
    }
}

/// The same of a streamed one.
fn kept_stream(client: &str, bytes: &[u8], reader: Reader) -> Vec<Value> {
    let events = events(bytes);
    let append = |all: &mut Value, more: &Value| {
        *all = format!("{}{}", all.as_str().unwrap_or_default(), more.as_str().unwrap_or_default()).into();
    };
    match client {
        "claude" => {
            let mut content: Vec<Value> = Vec::new();
            let mut input = String::new();
            for event in &events {
                let delta = &event["delta"];
                match (event["type"].as_str().unwrap(), delta["type"].as_str()) {
                    ("content_block_start", _) => content.push(event["content_block"].clone()),
                    (_, Some("text_delta")) => append(&mut content.last_mut().unwrap()["text"], &delta["text"]),
                    (_, Some("thinking_delta")) => {
                        append(&mut content.last_mut().unwrap()["thinking"], &delta["thinking"]);
                    }
                    (_, Some("signature_delta")) => {
                        content.last_mut().unwrap()["signature"] = delta["signature"].clone();
                    }
                    (_, Some("input_json_delta")) => input.push_str(delta["partial_json"].as_str().unwrap()),
                    ("content_block_stop", _) if !input.is_empty() => {
                        content.last_mut().unwrap()["input"] =
                            serde_json::from_str(&std::mem::take(&mut input)).unwrap();
                    }
                    _ => {}
                }
            }
            vec![json!({ "role": "assistant", "content": content })]
        }
        "openai-responses" => events.last().unwrap()["response"]["output"].as_array().unwrap().clone(),
        // Each chunk is kept as a content of its own.
        "gemini" => {
            let contents = events.iter().filter_map(|event| event.pointer("/candidates/0/content").cloned());
            contents.collect()
        }
        _ => {
            let mut message = json!({ "role": "assistant" });
            for delta in events.iter().filter_map(|event| event.pointer("/choices/0/delta")) {
                for (name, value) in delta.as_object().unwrap() {
                    match name.as_str() {
                        "content" | "reasoning_content" => append(&mut message[name], value),
                        "reasoning_details" => {
                            let more = value.as_array().unwrap().clone();
                            let all = message.as_object_mut().unwrap().entry(name).or_insert_with(|| json!([]));
                            all.as_array_mut().unwrap().extend(more);
                        }
                        "extra_content" => {
                            assert!(message.get(name).is_none(), "told twice: accumulators would join it");
                            message[name] = value.clone();
                        }
                        "tool_calls" => {
                            let all = message.as_object_mut().unwrap().entry(name).or_insert_with(|| json!([]));
                            let call = &value[0];
                            if call.get("id").is_some() {
                                all.as_array_mut().unwrap().push(call.clone());
                            } else {
                                assert!(call.get("extra_content").is_none(), "told behind the call's beginning");
                                let last = all.as_array_mut().unwrap().last_mut().unwrap();
                                append(&mut last["function"]["arguments"], &call["function"]["arguments"]);
                            }
                        }
                        _ => {}
                    }
                }
            }
            vec![reader.keep(message)]
        }
    }
}

/// The next request of a client: a question, what it keeps of the answer, and results of the calls, or another question.
fn next(client: &str, kept: &[Value]) -> Value {
    let user = |text: &str| match client {
        "gemini" => json!({ "role": "user", "parts": [{ "text": text }] }),
        _ => json!({ "role": "user", "content": text }),
    };
    let mut history = vec![user("Hello")];
    history.extend(kept.iter().cloned());
    let mut results: Vec<Value> = Vec::new();
    for one in kept {
        for call in one["tool_calls"].as_array().into_iter().flatten() {
            results.push(json!({ "role": "tool", "tool_call_id": call["id"], "content": "seen" }));
        }
        for block in one["content"].as_array().into_iter().flatten().filter(|block| block["type"] == "tool_use") {
            results.push(json!({ "type": "tool_result", "tool_use_id": block["id"], "content": "seen" }));
        }
        for part in one["parts"].as_array().into_iter().flatten().filter_map(|part| part.get("functionCall")) {
            let response = json!({ "id": part["id"], "name": "look", "response": { "output": "seen" } });
            results.push(json!({ "functionResponse": response }));
        }
        if one["type"] == "function_call" {
            results.push(json!({ "type": "function_call_output", "call_id": one["call_id"], "output": "seen" }));
        }
    }
    match (client, results.is_empty()) {
        (_, true) => history.push(user("Go on.")),
        ("claude", false) => history.push(json!({ "role": "user", "content": results })),
        ("gemini", false) => history.push(json!({ "role": "user", "parts": results })),
        (_, false) => history.extend(results),
    }
    match client {
        "claude" => json!({ "model": "upstream.model", "max_tokens": 9, "messages": history }),
        "gemini" => json!({ "contents": history }),
        "openai-responses" => json!({ "model": "upstream.model", "store": false, "input": history }),
        _ => json!({ "model": "upstream.model", "messages": history }),
    }
}

fn send(client: &str, upstream: &str, document: &Value) -> (Value, Vec<Diagnostic>) {
    let (cx, lowered) = ways::lower(client, &document.to_string(), ir::Delivery::Whole).unwrap();
    let (raised, losses) = ways::raise(&cx, &lowered.request, upstream).unwrap();
    (serde_json::from_slice(&ways::body(&raised)).unwrap(), losses)
}

/// What a request tells an upstream of its own answer, in the form of [`issued`].
fn told(upstream: &str, body: &Value) -> Vec<Value> {
    let only = |value: &Value, names: &[&str]| -> Value {
        let fields = value.as_object().unwrap().iter().filter(|(name, _)| names.contains(&name.as_str()));
        fields.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into()
    };
    match upstream {
        "claude" => match &body["messages"][1] {
            turn if turn["role"] != "assistant" => Vec::new(),
            turn if turn["content"].is_string() => vec![json!({ "type": "text", "text": turn["content"] })],
            turn => turn["content"].as_array().unwrap().clone(),
        },
        "openai-responses" => {
            let items = body["input"].as_array().unwrap().iter();
            let own = items.filter(|item| item["role"] != "user" && item["type"] != "function_call_output");
            let names = ["type", "id", "call_id", "name", "arguments", "summary", "encrypted_content", "phase"];
            own.map(|item| {
                let mut out = only(item, &names);
                if item["type"] == "message" || item.get("type").is_none() {
                    let text = item.pointer("/content/0/text").unwrap_or(&item["content"]);
                    out["text"] = text.clone();
                }
                out
            })
            .collect()
        }
        _ => {
            let contents = body["contents"].as_array().unwrap().iter().filter(|content| content["role"] == "model");
            let parts = contents.flat_map(|content| content["parts"].as_array().unwrap());
            // Google wants signatures back; words of thoughts it does not. Its streams tell a text in parts, of which the last
            // is signed.
            let mut out: Vec<Value> = Vec::new();
            for part in parts.filter(|part| part.get("thoughtSignature").is_some() || part["thought"] != true) {
                match out.last_mut().filter(|last| last.as_object().unwrap().keys().eq(["text"])) {
                    Some(last) if part.get("functionCall").is_none() && part["thought"] != true => {
                        let text = format!("{}{}", last["text"].as_str().unwrap(), part["text"].as_str().unwrap());
                        last.clone_from(part);
                        last["text"] = text.into();
                    }
                    _ => out.push(part.clone()),
                }
            }
            out
        }
    }
}

/// What a native client would send of an answer.
fn native(upstream: &str, issued: &[Value]) -> Vec<Value> {
    let body = match upstream {
        "claude" => json!({ "messages": [{}, { "role": "assistant", "content": issued }] }),
        "openai-responses" => json!({ "input": issued.iter().map(|item| {
            let mut item = item.clone();
            item.as_object_mut().unwrap().shift_remove("role");
            item
        }).collect::<Vec<_>>() }),
        _ => json!({ "contents": [{ "role": "model", "parts": issued }] }),
    };
    told(upstream, &body)
}

/// Both ways of an answer through a client, and what comes back.
fn through(client: &str, upstream: &str, reader: Reader, blocks: &[Block]) -> [(Vec<Value>, Value); 2] {
    let issued = issued(upstream, blocks);
    let (cx, response) = ways::parse(upstream, &whole(upstream, &issued)).unwrap();
    let (body, _) = ways::render(client, &cx, response);
    let (decoded, _) = ways::decode(upstream, [stream(upstream, &issued).as_bytes()]);
    ir::check(&decoded).unwrap();
    let kept = [kept_whole(client, &body, reader), kept_stream(client, &ways::encode(client, &decoded), reader)];
    kept.map(|kept| {
        let document = next(client, &kept);
        let (body, _) = send(client, upstream, &document);
        (told(upstream, &body), document)
    })
}

#[track_caller]
fn comes_back(client: &str, upstream: &str, reader: Reader, blocks: &[Block]) {
    let expected = native(upstream, &issued(upstream, blocks));
    for ((told, document), way) in through(client, upstream, reader, blocks).into_iter().zip(["whole", "streamed"]) {
        assert_eq!(
            Value::from(told),
            Value::from(expected.clone()),
            "{client} → {upstream}, {way}, {reader:?}, {blocks:?}: {document:#}"
        );
    }
}

const UPSTREAMS: [&str; 3] = ["claude", "openai-responses", "gemini"];

#[test]
fn interleaved_answers_come_back_as_they_were_through_every_client() {
    let layouts: [&[Block]; 8] = [
        &[Thought("First. "), Text("I look."), Thought("Or there?"), Call],
        &[Text("I look. "), Thought("Where?"), Text("There."), Call],
        &[Thought("One."), Hidden, Thought("Two."), Call, Call],
        &[Hidden, Text("Ä 🌍"), Hidden, Text("b"), Call],
        &[Thought("One."), Call, Thought("Two."), Call],
        &[Thought("One."), Text("a b"), Call, Thought("Two."), Text("c"), Call],
        &[Thought("One."), Text("a"), Thought("Two."), Text("b")],
        &[Thought("One."), Call, Text("a"), Call],
    ];
    for client in CLIENTS {
        for upstream in UPSTREAMS {
            for layout in layouts {
                // Ids of what no thought led to have no place in Claude's dialect.
                if (client, upstream) != ("claude", "openai-responses") || matches!(layout[0], Thought(_) | Hidden) {
                    comes_back(client, upstream, Reader::All, layout);
                }
            }
        }
    }
}

/// A layout by chance. Thoughts lead to something: a vendor's answer ends in words or calls.
fn layout(prng: &mut Prng) -> Vec<Block> {
    let thoughts = ["Hm.", "I think: ", "\n", "\"a\"\\", "早"];
    let texts = ["Yes.", "Let me see. ", " a b c ", "\n\nWell", "Ä 🌍"];
    let mut out: Vec<Block> = (0..prng.below(7))
        .map(|_| match prng.below(6) {
            0 | 1 => Thought(prng.pick::<&'static str>(&thoughts)),
            2 => Hidden,
            3 => Call,
            _ => Text(prng.pick::<&'static str>(&texts)),
        })
        .collect();
    out.push(if prng.one_in(2) { Call } else { Text("Done.") });
    out
}

#[test]
fn any_order_comes_back_through_every_client() {
    let mut prng = Prng::named("own answers");
    for _ in 0..40 {
        let blocks = layout(&mut prng);
        let is_thought = matches!(blocks[0], Thought(_) | Hidden);
        for client in CLIENTS {
            for upstream in UPSTREAMS {
                // Ids of what no thought led to have no place in Claude's dialect.
                if (client, upstream) == ("claude", "openai-responses") && !is_thought {
                    continue;
                }
                // A stream of Gemini's tells texts in pieces, so that neighbours are one to its clients.
                let is_text = |block: &Block| matches!(block, Text(_));
                if client == "gemini" && blocks.windows(2).any(|pair| pair.iter().all(is_text)) {
                    continue;
                }
                comes_back(client, upstream, Reader::All, &blocks);
            }
        }
    }
}

/// Such a client has no slot for what stands behind the last call.
#[test]
fn clients_that_keep_words_and_calls_alone_give_back_what_led_to_calls() {
    let mut prng = Prng::named("calls alone");
    for _ in 0..60 {
        let mut blocks = layout(&mut prng);
        blocks.push(Call);
        for upstream in UPSTREAMS {
            comes_back("openai-chat-completions", upstream, Reader::Calls, &blocks);
        }
    }
}

/// What a client changed is not divided by what was: the answer is read as it stands, and no thought goes up altered.
#[test]
fn what_a_client_changed_goes_up_as_it_stands() {
    let client = "openai-chat-completions";
    let blocks = [Thought("First. "), Text(" I look. "), Thought("Or there?"), Text("Done."), Call, Call];
    let issued = issued("claude", &blocks);
    let (cx, response) = ways::parse("claude", &whole("claude", &issued)).unwrap();
    let (body, _) = ways::render(client, &cx, response);
    let kept = kept_whole(client, &body, Reader::Calls).remove(0);
    let change = |edit: &dyn Fn(&mut Value)| {
        let mut message = kept.clone();
        edit(&mut message);
        told("claude", &send(client, "claude", &next(client, &[message])).0)
    };
    let text = |words: &str| json!({ "type": "text", "text": words });
    let calls = &issued[4..];
    let trimmed = change(&|message| message["content"] = "I look. Done.".into());
    assert_eq!(trimmed, [vec![text("I look. Done.")], calls.to_vec()].concat());
    let retold = change(&|message| message["reasoning_content"] = "Something else, just as long".into());
    assert_eq!(retold, [vec![text(" I look. Done.")], calls.to_vec()].concat());
    let fewer = change(&|message| message["tool_calls"].as_array_mut().unwrap().truncate(1));
    assert_eq!(fewer, issued[..5]);
    let other = change(&|message| message["tool_calls"].as_array_mut().unwrap().rotate_left(1));
    assert_eq!(other.iter().filter(|block| block["type"] == "thinking").count(), 0, "{other:?}");
    let cut = change(&|message| {
        let slot = &mut message["tool_calls"][0]["extra_content"]["google"]["thought_signature"];
        *slot = slot.as_str().and_then(|slot| slot.get(..90)).into();
    });
    assert_eq!(cut, [vec![text(" I look. Done.")], calls.to_vec()].concat());
}

/// Many programs take the last block of an answer for its text.
#[test]
fn a_whole_answer_for_claude_clients_ends_with_its_text_or_its_call() {
    for upstream in ["gemini", "openai-responses"] {
        for blocks in [[Hidden, Text("a"), Text("b")], [Thought("Hm."), Text("a"), Call]] {
            let issued = issued(upstream, &blocks);
            let (cx, response) = ways::parse(upstream, &whole(upstream, &issued)).unwrap();
            let kept = kept_whole("claude", &ways::render("claude", &cx, response).0, Reader::All);
            let last = kept[0]["content"].as_array().unwrap().last().unwrap()["type"].clone();
            assert_eq!(last, if blocks[2] == Call { "tool_use" } else { "text" }, "{kept:?}");
        }
    }
}

/// What hosted tools did is given back to whose they are as it was, and so are their seals.
#[test]
fn hosted_traces_come_back_through_clients_of_openai() {
    for (upstream, case) in [
        ("claude", "web-search"),
        ("claude", "code-execution"),
        ("claude", "web-fetch"),
        ("gemini", "code-execution"),
        ("openai-responses", "web-search"),
        ("openai-responses", "code-interpreter"),
    ] {
        let path = format!("{}/tests/in/response/{upstream}/{case}.json", env!("CARGO_MANIFEST_DIR"));
        let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let list = match upstream {
            "claude" => &document["content"],
            "gemini" => &document["candidates"][0]["content"]["parts"],
            _ => &document["output"],
        };
        let own = |value: &Value| {
            let kind = value["type"].as_str();
            kind.is_some_and(|kind| kind.contains("_tool_") || kind.ends_with("_call"))
                || value.get("text").is_none() && kind.is_none()
        };
        let expected: Vec<Value> = list.as_array().unwrap().iter().filter(|value| own(value)).cloned().collect();
        assert!(!expected.is_empty(), "{upstream}/{case}");
        let (cx, response) = ways::parse(upstream, &document.to_string()).unwrap();
        for client in ["openai-chat-completions", "openai-responses"].into_iter().filter(|client| *client != upstream) {
            let streamed = kept_stream(client, &ways::encode(client, &response.clone().events()), Reader::All);
            let (body, _) = ways::render(client, &cx, response.clone());
            for kept in [kept_whole(client, &body, Reader::All), streamed] {
                let (body, _) = send(client, upstream, &next(client, &kept));
                let sent = match upstream {
                    "claude" => body["messages"][1]["content"].clone(),
                    "gemini" => body["contents"][1]["parts"].clone(),
                    _ => body["input"].clone(),
                };
                let sent: Vec<&Value> = sent.as_array().unwrap().iter().filter(|value| own(value)).collect();
                assert_eq!(sent, expected.iter().collect::<Vec<_>>(), "{client} → {upstream}/{case}");
            }
        }
    }
}
