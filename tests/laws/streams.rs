//! Laws of answers, streamed and whole.

use std::collections::BTreeMap;

use any_api::context::Ids;
use any_api::diagnostics::Diagnostic;
use any_api::ir::{self, Event};
use any_api::pipeline::{Opening, Plan, Stage, Step};
use any_api::quirks::Quirks;
use serde_json::{Value, json};

use crate::inputs::{Answer, Stream, all, answers, check_for, check_for_all, ends_in, streams};
use crate::support::fixtures::{DIALECTS, fixtures, is_full};
use crate::support::grammar::{self, End};
use crate::support::prng::Prng;
use crate::support::{generate, ways};

/// Bounds of chunks: `cuts` are the places between them.
fn chunks<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut out = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([bytes.len()]) {
        out.push(&bytes[from..cut]);
        from = cut;
    }
    out
}

#[test]
fn a_stream_is_the_same_however_it_is_cut() {
    all(streams(), |Stream { dialect, name, bytes, is_ours }| {
        let whole = ways::decode(dialect, [bytes.as_slice()]);
        let same = |cuts: &[usize], how: &str| {
            let cut = ways::decode(dialect, chunks(&bytes, cuts));
            assert!(cut == whole, "{name}, cut {how}:\n{:?}\nand not\n{:?}", cut.0, whole.0);
        };
        if is_ours {
            same(&(1..bytes.len()).collect::<Vec<_>>(), "at every byte");
            let step = if is_full() { 1 } else { bytes.len().div_ceil(64).max(1) };
            for cut in (0..=bytes.len()).step_by(step) {
                same(&[cut], &format!("at {cut}"));
            }
        }
        let mut prng = Prng::named(&name);
        for seed in 0..2 {
            let mut cuts: Vec<usize> = (0..prng.below(40)).map(|_| prng.below(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            same(&cuts, &format!("by chance {seed}"));
        }
    });
}

/// The same through the pipeline, to the client's bytes.
#[test]
fn a_client_reads_the_same_however_the_upstream_is_cut() {
    all(fixtures("stream"), |fixture| {
        let bytes = fixture.text.as_bytes();
        for client in DIALECTS {
            let whole = translated(fixture.dialect, client, &[bytes]);
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            let cut = translated(fixture.dialect, client, &single);
            assert!(whole == cut, "{} for {client}", fixture.name());
        }
    });
}

/// What a client gets of an upstream's stream.
fn translated(upstream: &str, client: &str, chunks: &[&[u8]]) -> Vec<u8> {
    let document = match client {
        "openai-responses" => json!({ "model": "upstream.model", "input": "Hi", "stream": true }),
        "claude" => {
            json!({ "model": "upstream.model", "max_tokens": 9, "stream": true, "messages": [{ "role": "user", "content": "Hi" }] })
        }
        "gemini" => json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hi" }] }], "stream": true }),
        _ => json!({ "model": "upstream.model", "stream": true, "messages": [{ "role": "user", "content": "Hi" }] }),
    };
    let (frontend, backend) = (ways::frontend(client), ways::backend(upstream));
    let plan =
        Plan::offline(frontend, backend, ways::target("model"), Quirks::default(), document.to_string(), None).unwrap();
    let Step::Send { reply, .. } = plan.raise(0) else { panic!("{client} to {upstream} is not sent") };
    let headers = [("content-type", "text/event-stream")].into_iter().collect();
    match reply.head(200, headers) {
        Stage::Translate(mut translator) => {
            let mut out = Vec::new();
            chunks.iter().for_each(|chunk| translator.push(chunk, &mut out));
            translator.finish(&mut out);
            match translator.opening().unwrap() {
                Opening::Begun(_) => out,
                Opening::Refused(response) => response.body,
            }
        }
        // Gemini says in its path that it wants a stream, and an offline plan has none.
        Stage::Collect(mut collector) => collector.finish(chunks.concat()).body,
        Stage::Answer(_) | Stage::PassThrough(_) => panic!("an offline plan takes no relay"),
    }
}

#[test]
fn events_keep_to_the_grammar_and_clients_get_valid_streams() {
    all(streams(), |Stream { dialect, name, bytes, .. }| {
        let (events, _) = ways::decode(dialect, [bytes.as_slice()]);
        check_for_all(&events, &name);
    });
}

#[test]
fn a_whole_answer_is_a_stream_that_came_at_once() {
    all(answers(), |Answer { dialect, name, text }| {
        let Ok((_, response)) = ways::parse(dialect, &text) else { return };
        let events = response.clone().events();
        check_for_all(&events, &name);
        assert_eq!(ir::collect(events).unwrap(), response, "{name}");
    });
}

/// What a client cannot be told is the same whether it gets the answer whole or streamed.
#[test]
fn whole_and_streamed_lose_the_same() {
    let sorted = |losses: Vec<Diagnostic>| {
        let one = |loss: Diagnostic| (loss.code.name, loss.place, loss.message);
        let mut out: Vec<_> = losses.into_iter().map(one).collect();
        out.sort_unstable();
        out
    };
    all(answers(), |Answer { dialect, name, text }| {
        let Ok((_, response)) = ways::parse(dialect, &text) else { return };
        for client in DIALECTS {
            let (_, whole) = ways::render(client, &ways::cx(""), response.clone());
            let (_, streamed) = ways::encode_all(client, &response.clone().events());
            // A failure is told, and no loss.
            if ways::frontend(client).failure(&response.finish).is_none() {
                assert_eq!(sorted(whole), sorted(streamed), "{name} for {client}");
            }
        }
    });
}

#[test]
fn whole_answers_are_valid_for_every_client() {
    all(answers(), |Answer { dialect, name, text }| {
        let Ok((cx, response)) = ways::parse(dialect, &text) else { return };
        for client in DIALECTS {
            let (body, _) = ways::render(client, &cx, response.clone());
            let shown = || String::from_utf8_lossy(&body).into_owned();
            grammar::check_whole(client, &body)
                .unwrap_or_else(|what| panic!("{name} for {client}: {what}\n{}", shown()));
        }
    });
}

/// Words of an answer are written again as they were: nobody unescapes and escapes them on the way. Where an escape is by number it
/// is read, since it may be half of a character.
#[test]
fn words_of_a_whole_answer_pass_as_they_are_written() {
    let written = r#"a \/ b \\ c \" d \n\te \b\f\r 日本"#;
    let numbered = r#"\u00e9 \ud83d\ude00 \/"#;
    let chat = |words: &str| {
        format!(
            r#"{{"id":"c","model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{words}"}},"finish_reason":"stop"}}]}}"#
        )
    };
    let claude = |words: &str| {
        format!(
            r#"{{"id":"m","type":"message","role":"assistant","model":"m","content":[{{"type":"text","text":"{words}"}}],"stop_reason":"end_turn","usage":{{"input_tokens":1,"output_tokens":1}}}}"#
        )
    };
    for (upstream, answer) in [("openai-chat-completions", &chat as &dyn Fn(&str) -> String), ("claude", &claude)] {
        for words in [written, numbered] {
            let text: String = serde_json::from_str(&format!("\"{words}\"")).unwrap();
            let (cx, response) = ways::parse(upstream, &answer(words)).unwrap();
            for client in DIALECTS {
                let (body, _) = ways::render(client, &cx, response.clone());
                let body = String::from_utf8(body).unwrap();
                let read: Value = serde_json::from_str(&body).unwrap();
                let way = match client {
                    "openai-chat-completions" => "/choices/0/message/content",
                    "openai-responses" => "/output/0/content/0/text",
                    "claude" => "/content/0/text",
                    _ => "/candidates/0/content/parts/0/text",
                };
                assert_eq!(read.pointer(way).and_then(Value::as_str), Some(text.as_str()), "{upstream} for {client}");
                let keeps = matches!(client, "openai-chat-completions" | "claude") && words == written;
                assert!(!keeps || body.contains(words), "{upstream} for {client}: {body}");
            }
        }
    }
}

/// What of an answer does not hang on its wire: what was said, why it ended, what it cost.
fn meaning(response: &ir::Response) -> Value {
    let mut parts: Vec<Value> = Vec::new();
    for part in &response.parts {
        let mut value = json!(part);
        for body in value.as_object_mut().unwrap().values_mut() {
            let body = body.as_object_mut().unwrap();
            body.remove("item");
            body.remove("extensions");
            // Gemini's calls often have no ids; arguments are the same in whatever spacing.
            body.remove("id");
            if let Some(read) = body.get("arguments").and_then(|text| serde_json::from_str(text.as_str()?).ok()) {
                body.insert("arguments".to_owned(), read);
            }
        }
        parts.push(value);
    }
    let mut usage = json!(response.usage);
    usage.as_object_mut().unwrap().remove("raw");
    json!({ "parts": parts, "reason": response.finish.reason, "usage": usage })
}

/// Where a fixture is there whole and streamed, both say the same.
#[test]
fn streamed_and_whole_say_the_same() {
    let whole: BTreeMap<String, String> =
        fixtures("response").into_iter().map(|fixture| (fixture.name(), fixture.text)).collect();
    let mut pairs = 0;
    all(fixtures("stream"), |fixture| {
        let Some(text) = whole.get(&fixture.name()) else { return };
        pairs += 1;
        let (events, _) = ways::decode(fixture.dialect, [fixture.text.as_bytes()]);
        let streamed = ir::collect(events);
        let parsed = ways::parse(fixture.dialect, text).map(|(_, response)| response);
        match (streamed, parsed) {
            (Ok(streamed), Ok(parsed)) => assert_eq!(meaning(&streamed), meaning(&parsed), "{}", fixture.name()),
            (Err(streamed), Err(parsed)) => assert_eq!(streamed.kind, parsed.kind, "{}", fixture.name()),
            (streamed, parsed) => panic!("{}: streamed {streamed:?}, whole {parsed:?}", fixture.name()),
        }
    });
    assert!(pairs > 40, "only {pairs} fixtures are there in both forms");
}

/// A stream that breaks off anywhere ends in a failure, unless all of it was there already.
#[test]
fn a_stream_that_is_cut_short_never_passes_for_a_whole_one() {
    all(streams(), |Stream { dialect, name, bytes, is_ours }| {
        if !is_ours && bytes.len() > 8_000 && !is_full() {
            return;
        }
        let (all, _) = ways::decode(dialect, [bytes.as_slice()]);
        let whole = ir::collect(all).map(|response| (response.parts, response.finish.reason));
        // Some say an end, and then something more: without the more, that was an end.
        let ends_often = !is_ours && String::from_utf8_lossy(&bytes).matches("\"finish_reason\":\"").count() > 1;
        let mut decoder = ways::backend(dialect).decoder(&ways::memo(dialect));
        let mut emitter = ir::Emitter::new(Ids::new(17));
        let (mut events, mut last): (Vec<Event>, Vec<Event>) = (Vec::new(), Vec::new());
        let step = if is_ours || is_full() { 1 } else { 37 };
        for (at, chunk) in bytes.chunks(step).enumerate() {
            decoder.push(chunk, &mut emitter);
            let news = emitter.take();
            let mut ended = emitter.clone();
            decoder.fork().finish(&mut ended);
            let end = ended.take();
            // A failure may say at which column something broke off; that is no other end.
            let is_as_before = match (end.last(), last.last()) {
                (Some(Event::Failed(now)), Some(Event::Failed(before))) => {
                    (now.kind, &now.code) == (before.kind, &before.code)
                        && end[..end.len() - 1] == last[..last.len() - 1]
                }
                _ => end == last,
            };
            if news.is_empty() && is_as_before {
                continue;
            }
            events.extend(news);
            let cut: Vec<Event> = events.iter().chain(&end).cloned().collect();
            last = end;
            let at = (at + 1) * step;
            // Clients take turns, unless there is time for all of them.
            let client = &DIALECTS[at / step % DIALECTS.len()..][..1];
            let clients = if is_full() { &DIALECTS[..] } else { client };
            check_for(if is_ours { clients } else { &[] }, &cut, &format!("{name}, cut at {at}"));
            if let Ok(response) = ir::collect(cut.clone()) {
                let said = Ok((response.parts, response.finish.reason));
                assert!(said == whole || ends_often, "{name}, cut at {at}, passes for a whole one: {cut:?}");
            }
        }
    });
}

/// What a stream says, as far as every dialect can say it.
#[derive(Debug, PartialEq)]
struct Said {
    text: String,
    thoughts: String,
    calls: Vec<(String, Value)>,
    reason: Option<ir::Reason>,
    tokens: Option<(u64, u64)>,
}

fn said(events: &[Event]) -> Said {
    let mut out = Said { text: String::new(), thoughts: String::new(), calls: Vec::new(), reason: None, tokens: None };
    let mut open: Option<&ir::Open> = None;
    let mut arguments = String::new();
    let mut has_refusal = false;
    for event in events {
        match event {
            Event::Open(block) => {
                open = Some(block);
                arguments.clear();
                has_refusal |= matches!(block, ir::Open::Refusal { .. });
            }
            Event::Delta(piece) => match open {
                Some(ir::Open::Reasoning { .. }) => out.thoughts.push_str(piece),
                Some(ir::Open::ToolCall { .. }) => arguments.push_str(piece),
                _ => out.text.push_str(piece),
            },
            Event::Close => {
                if let Some(ir::Open::ToolCall { name, .. }) = open {
                    let arguments =
                        if arguments.is_empty() { json!({}) } else { serde_json::from_str(&arguments).unwrap() };
                    out.calls.push((name.to_string(), arguments));
                }
            }
            Event::Start(ir::Start { usage, .. }) | Event::Usage(usage) if !usage.is_unknown() => {
                let (input, output) = out.tokens.unwrap_or_default();
                out.tokens = Some((usage.input.unwrap_or(input), usage.output.unwrap_or(output)));
            }
            Event::Finish(finish) => out.reason = Some(finish.reason),
            _ => {}
        }
    }
    // Where a dialect has one text and we have several, a paragraph stands between them.
    out.text.retain(|c| c != '\n');
    if has_refusal && out.reason.is_some() {
        // A refusal in words is an ordinary end for some dialects and the reason for others.
        out.reason = Some(ir::Reason::End);
    }
    out
}

/// Whatever a stream says, our decoder reads out of what our encoder of the same dialect wrote.
#[test]
fn an_encoder_writes_what_its_decoder_reads() {
    let times = if is_full() { 5_000 } else { 400 };
    all((0..times).flat_map(|seed| DIALECTS.map(|dialect| (seed, dialect))), |(seed, dialect)| {
        let events = generate::stream(&mut Prng::new(seed));
        ir::check(&events).unwrap_or_else(|what| panic!("the generator, {seed}: {what}"));
        let bytes = ways::encode(dialect, &events);
        let shown = || format!("{dialect}, {seed}:\n{events:?}\n{}", String::from_utf8_lossy(&bytes));
        let end = grammar::check(dialect, &bytes).unwrap_or_else(|what| panic!("{what}\n{}", shown()));
        assert_eq!(end, ends_in(&events), "{}", shown());
        let (read, _) = ways::decode(dialect, [bytes.as_slice()]);
        ir::check(&read).unwrap_or_else(|what| panic!("{what}\n{}", shown()));
        assert_eq!(ends_in(&read), end, "{}\n{read:?}", shown());
        if end == End::Failed {
            return;
        }
        let (mut wanted, mut got) = (said(&events), said(&read));
        if events.iter().any(|event| matches!(event, Event::Open(ir::Open::Refusal { .. }))) {
            (wanted.reason, got.reason) = (None, None);
        }
        if wanted.tokens.is_none() {
            got.tokens = None;
        }
        assert!(got == wanted, "{dialect}, {seed}:\n{got:?}\nand not\n{wanted:?}\n{}", shown());
    });
}
