//! What users of other gateways lost by their streams, each a test: over every stream of `in/`, for every client.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

#[expect(dead_code, reason = "each test takes what it needs")]
mod support;

use any_api::ir::Event;
use serde_json::Value;
use support::fixtures::{DIALECTS, fixtures};
use support::ways;

const CHAT: &str = "openai-chat-completions";
const RESPONSES: &str = "openai-responses";

/// The name and the data of each event that a client gets; data that is no JSON is a string.
fn told(client: &str, events: &[Event]) -> Vec<(String, Value)> {
    let text = String::from_utf8(ways::encode(client, events)).unwrap().replace("\r\n", "\n");
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim_start().to_owned()
    };
    let one = |block: &str| {
        let data = field(block, "data:");
        (field(block, "event:"), serde_json::from_str(&data).unwrap_or(Value::String(data)))
    };
    text.split("\n\n").filter(|block| block.contains("data:")).map(one).collect()
}

/// Every stream of `in/` as `client` gets it: its name, the IR's events, what is told.
fn all(client: &str) -> impl Iterator<Item = (String, Vec<Event>, Vec<(String, Value)>)> {
    fixtures("stream").into_iter().map(move |fixture| {
        let (events, _) = ways::decode(fixture.dialect, [fixture.text.as_bytes()]);
        let told = told(client, &events);
        (fixture.name(), events, told)
    })
}

fn one(client: &str, name: &str) -> Vec<(String, Value)> {
    let found = all(client).find(|(other, ..)| other == name);
    found.unwrap_or_else(|| panic!("there is no stream {name}")).2
}

/// The text of `path` in all of the data, joined.
fn joined(told: &[(String, Value)], path: &str) -> String {
    told.iter().filter_map(|(_, data)| data.pointer(path)?.as_str()).collect()
}

/// Lesson 1: a chunk that ends one block and begins the next has both.
#[test]
fn a_chunk_with_the_end_of_the_text_and_a_call_loses_nothing() {
    let told = one("claude", &format!("{CHAT}/text-and-call-in-one-chunk"));
    let source = one(CHAT, &format!("{CHAT}/text-and-call-in-one-chunk"));
    let text = joined(&source, "/choices/0/delta/content");
    assert!(!text.is_empty());
    assert_eq!(joined(&told, "/delta/text"), text);
    let arguments = joined(&source, "/choices/0/delta/tool_calls/0/function/arguments");
    assert!(!arguments.is_empty());
    assert_eq!(joined(&told, "/delta/partial_json"), arguments);
}

/// Lesson 2: one beginning; a block is of the kind of its deltas; no calls in a list that is empty.
#[test]
fn claude_clients_get_one_beginning_and_blocks_of_one_kind() {
    for (name, events, told) in all("claude") {
        let starts = told.iter().filter(|(event, _)| event == "message_start").count();
        assert_eq!(starts, 1, "{name}");
        let mut kinds: Vec<String> = Vec::new();
        for (event, data) in &told {
            match event.as_str() {
                "content_block_start" => {
                    assert_eq!(data["index"], kinds.len(), "{name}");
                    kinds.push(data["content_block"]["type"].as_str().unwrap().to_owned());
                }
                "content_block_delta" => {
                    let kind = kinds[usize::try_from(data["index"].as_u64().unwrap()).unwrap()].as_str();
                    let wanted: &[&str] = match data["delta"]["type"].as_str().unwrap() {
                        "text_delta" | "citations_delta" => &["text"],
                        "thinking_delta" | "signature_delta" => &["thinking"],
                        "input_json_delta" => &["tool_use", "server_tool_use"],
                        other => panic!("{name}: {other}"),
                    };
                    assert!(wanted.contains(&kind), "{name}: {data} in {kind}");
                }
                _ => {}
            }
        }
        let calls = events.iter().filter(|event| matches!(event, Event::Open(any_api::ir::Open::ToolCall { .. })));
        assert_eq!(kinds.iter().filter(|kind| *kind == "tool_use").count(), calls.count(), "{name}");
    }
}

/// Lesson 3: an answer that has calls ends so, whatever else it says and whichever comes first; without arguments, too.
#[test]
fn an_answer_with_whole_calls_ends_in_calls() {
    let cases = ["text-and-tool-calls", "tool-call-then-text", "tool-call-null-arguments", "tool-call-says-stop"];
    for case in cases.map(|case| format!("{CHAT}/{case}")) {
        let claude = one("claude", &case);
        let end = claude.iter().find(|(event, _)| event == "message_delta").unwrap();
        assert_eq!(end.1["delta"]["stop_reason"], "tool_use", "{case}");
        assert_eq!(joined(&one(CHAT, &case), "/choices/0/finish_reason"), "tool_calls", "{case}");
    }
}

/// Lesson 4: what a call is, is told once, with its first piece; there are no pieces of nothing.
#[test]
fn chat_clients_get_a_calls_name_once_and_no_filler() {
    for (name, _, told) in all(CHAT) {
        let mut known = Vec::new();
        let deltas = told.iter().filter_map(|(_, data)| data.pointer("/choices/0/delta/tool_calls")?.as_array());
        for call in deltas.flatten() {
            let is_new = !known.contains(&call["index"]);
            let says = |key: &str| call.get(key).is_some();
            assert_eq!([says("id"), says("type")], [is_new, is_new], "{name}: {call}");
            let called = call.get("function").or_else(|| call.get("custom")).unwrap();
            assert_eq!(called.get("name").is_some(), is_new, "{name}: {call}");
            let piece = called.get("arguments").or_else(|| called.get("input")).and_then(Value::as_str);
            assert!(is_new || says("extra_content") || piece != Some(""), "{name}: {call}");
            if is_new {
                known.push(call["index"].clone());
            }
        }
    }
}

/// Lesson 6: a Claude client learns the size of its prompt when the answer begins, estimated if need be; and the counts of an
/// upstream arrive as each client counts.
#[test]
fn usage_survives_every_path() {
    for (name, _, told) in all("claude") {
        let usage = &told[0].1["message"]["usage"];
        let of = |key: &str| usage[key].as_u64().unwrap_or_default();
        let input = of("input_tokens") + of("cache_read_input_tokens") + of("cache_creation_input_tokens");
        assert!(input > 0, "{name}: {usage}");
    }
    // 16 tokens of prompt, 4 of them from a cache: inside for OpenAI and Gemini, beside for Claude.
    let last = |client: &str, path: &str| {
        let told = one(client, "claude/text");
        told.iter().filter_map(|(_, data)| data.pointer(path)?.as_u64()).next_back()
    };
    assert_eq!(last(CHAT, "/usage/prompt_tokens"), Some(16));
    assert_eq!(last(CHAT, "/usage/prompt_tokens_details/cached_tokens"), Some(4));
    assert_eq!(last(RESPONSES, "/response/usage/input_tokens"), Some(16));
    assert_eq!(last("gemini", "/usageMetadata/promptTokenCount"), Some(16));
    assert_eq!(last("claude", "/usage/input_tokens"), Some(12));
}

/// Lessons 5 and 7: what broke off ends in an error, and in nothing that says it was whole. (That every stream keeps to its
/// client's grammar is held by the snapshots and the laws.)
#[test]
fn what_broke_off_has_no_end_that_says_otherwise() {
    let mut failures = 0;
    for client in DIALECTS {
        for (name, events, told) in all(client) {
            if !matches!(events.last(), Some(Event::Failed(_))) {
                continue;
            }
            failures += 1;
            let text = serde_json::to_string(&told.iter().map(|(_, data)| data).collect::<Vec<_>>()).unwrap();
            for end in
                ["[DONE]", "\"message_stop\"", "\"response.completed\"", "\"finishReason\"", "\"finish_reason\":\""]
            {
                assert!(!text.contains(end), "{name} for {client}: {end}");
            }
            let (event, data) = told.last().unwrap();
            let is_error = data.get("error").is_some() || event == "response.failed";
            assert!(is_error, "{name} for {client}: {data}");
        }
    }
    assert!(failures > 40, "{failures}");
}

/// Lesson 8: Codex reads the kind of an event out of its data.
#[test]
fn every_event_for_responses_clients_names_itself_in_its_data() {
    for (name, _, told) in all(RESPONSES) {
        for (number, (event, data)) in told.iter().enumerate() {
            assert_eq!(data["type"], event.as_str(), "{name}");
            assert_eq!(data["sequence_number"], number, "{name}");
        }
    }
}
