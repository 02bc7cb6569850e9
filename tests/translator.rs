//! The translator of streams between its host and its client: when an answer begins, and what a silence sounds like.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

#[expect(dead_code, reason = "each test takes what it needs")]
mod support;

use any_api::error::Error;
use any_api::http;
use any_api::pipeline::{DumpKind, Heard, Opening, Plan, Stage, Step, Translator};
use any_api::quirks::Quirks;
use support::ways;

const CLIENTS: [(&str, &str); 3] =
    [("openai-chat-completions", ": ping\n\n"), ("openai-responses", ": keep-alive\n\n"), ("claude", "event: ping\n")];

const FIRST: &str = concat!(
    "event: message_start\n",
    r#"data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}"#,
    "\n\n"
);
const WORD: &str = concat!(
    r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    "\n\n",
    r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}"#,
    "\n\n"
);
const BUSY: &str = concat!(
    "event: error\n",
    r#"data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    "\n\n"
);

/// A translator of a Claude upstream's stream for `client`.
fn translator(client: &str) -> Translator {
    let document = match client {
        "openai-responses" => r#"{ "model": "up.m", "input": "Hi", "stream": true }"#,
        _ => {
            r#"{ "model": "up.m", "max_tokens": 9, "stream": true, "messages": [{ "role": "user", "content": "Hi" }] }"#
        }
    };
    let (frontend, backend) = (ways::frontend(client), ways::backend("claude"));
    let plan =
        Plan::offline(frontend, backend, ways::target("m"), Quirks::default(), document.to_owned(), None).unwrap();
    let Step::Send { reply, request, .. } = plan.raise(0) else { panic!("{client} is not sent") };
    assert_eq!(request.headers.get("accept-encoding"), Some("identity"));
    let Stage::Translate(translator) = reply.head(200, http::Headers::new()) else { panic!("{client} is no stream") };
    *translator
}

fn hear(translator: &mut Translator, heard: Heard<&str>) -> (bool, String) {
    let mut out = Vec::new();
    let goes_on = translator.hear(heard, &mut out);
    (goes_on, String::from_utf8(out).unwrap())
}

#[test]
fn a_stream_that_fails_before_its_first_word_is_refused() {
    for (client, _) in CLIENTS {
        let mut translator = translator(client);
        assert_eq!(hear(&mut translator, Heard::Chunk(FIRST)), (true, String::new()));
        assert!(translator.opening().is_none(), "{client} is told that it begins");
        hear(&mut translator, Heard::Chunk(BUSY));
        assert_eq!(hear(&mut translator, Heard::End), (false, String::new()));
        let Some(Opening::Refused(response)) = translator.opening() else { panic!("{client} is not refused") };
        assert!(matches!(response.status, 503 | 529), "{client}: {}", response.status);
        assert!(String::from_utf8(response.body).unwrap().contains("Overloaded"));
    }
}

#[test]
fn a_stream_that_fails_later_ends_in_its_error() {
    for (client, _) in CLIENTS {
        let mut translator = translator(client);
        hear(&mut translator, Heard::Chunk(FIRST));
        assert!(hear(&mut translator, Heard::Chunk(WORD)).1.contains("Hel"));
        assert!(matches!(translator.opening(), Some(Opening::Begun(_))));
        let (goes_on, told) = hear(&mut translator, Heard::Failed(Error::timed_out("too long")));
        assert!(!goes_on && told.contains("too long"), "{client}: {told}");
        assert_eq!(hear(&mut translator, Heard::End), (false, String::new()), "{client}: nothing follows the end");
    }
}

#[test]
fn a_silence_is_bridged() {
    for (client, ping) in CLIENTS {
        // Before anything came: the head goes out, and the client's patience begins anew.
        let mut early = translator(client);
        let (goes_on, told) = hear(&mut early, Heard::Silence);
        assert!(goes_on && told.contains(ping), "{client}: {told}");
        assert!(matches!(early.opening(), Some(Opening::Begun(_))));
        assert!(hear(&mut early, Heard::Failed(Error::timed_out("too long"))).1.contains("too long"));
        // In the middle.
        let mut later = translator(client);
        hear(&mut later, Heard::Chunk(FIRST));
        hear(&mut later, Heard::Chunk(WORD));
        assert!(hear(&mut later, Heard::Silence).1.contains(ping));
        // Behind the end.
        hear(&mut later, Heard::End);
        assert_eq!(hear(&mut later, Heard::Silence).1, "");
    }
}

#[test]
fn what_an_answer_lost_is_told_in_its_head() {
    let document = r#"{ "model": "up.m", "max_tokens": 9, "messages": [{ "role": "user", "content": "Hi" }] }"#;
    let answer = r#"{ "candidates": [{ "content": { "parts": [
        { "executableCode": { "language": "PYTHON", "code": "print(4)" } }, { "text": "4" }
    ] }, "finishReason": "STOP" }] }"#;
    let finish = |dump| {
        let (frontend, backend) = (ways::frontend("claude"), ways::backend("gemini"));
        let target = ways::target("m");
        let plan = Plan::offline(frontend, backend, target, Quirks::default(), document.to_owned(), dump).unwrap();
        let Step::Send { reply, .. } = plan.raise(0) else { panic!("nothing is sent") };
        let Stage::Collect(mut collector) = reply.head(200, http::Headers::new()) else { panic!("it is a stream") };
        collector.finish(answer.as_bytes().to_vec())
    };
    let told = finish(None);
    assert_eq!(told.headers.get("x-any-api-diagnostics"), Some("content-as-text"));
    let dumped: serde_json::Value = serde_json::from_slice(&finish(Some(DumpKind::Response)).body).unwrap();
    let lost = dumped.pointer("/diagnostics/0").unwrap();
    assert_eq!(lost["code"], "content-as-text", "{dumped}");
    assert_eq!(lost["message"], "executableCode of gemini is told in words for claude");
}
