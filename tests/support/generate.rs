//! Streams by the grammar of the IR, made by chance.
#![expect(clippy::unwrap_used, reason = "a test may fail so")]

use any_api::error::{Error, Kind};
use any_api::ir::{self, Event};

use super::prng::Prng;

const WORDS: [&str; 12] = [
    "yes",
    " no",
    "\n\n",
    "«Grüße» ",
    "🦀",
    "\"quoted\"",
    "</think>",
    "data: x\n\n",
    "\\",
    "\u{0}",
    "{\"a\":1}",
    "漢字",
];
const NAMES: [&str; 4] = ["get_weather", "search-docs", "f", "update_plan"];

fn words(prng: &mut Prng) -> String {
    (0..=prng.below(4)).map(|_| *prng.pick(&WORDS)).collect()
}

/// JSON of an object, in pieces that fall anywhere.
fn arguments(prng: &mut Prng) -> Vec<String> {
    let whole = match prng.below(4) {
        0 => return Vec::new(),
        1 => "{}".to_owned(),
        _ => serde_json::json!({ "city": words(prng), "days": prng.below(9), "nested": { "list": [1, words(prng)] } })
            .to_string(),
    };
    pieces(prng, &whole)
}

fn pieces(prng: &mut Prng, whole: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    for c in whole.chars() {
        if prng.one_in(9) && out.last().is_some_and(|piece| !piece.is_empty()) {
            out.push(String::new());
        }
        out.last_mut().unwrap().push(c);
    }
    out.retain(|piece| !piece.is_empty());
    out
}

fn seal(prng: &mut Prng) -> Event {
    let issuer =
        ir::Issuer { dialect: "gemini".into(), provider: Some("upstream".into()), model: Some("model".into()) };
    let payload = prng.pick(&["c2lnbmF0dXJl", "c2ln-_8", "c2ln+/8=", "not base64 at all!"]);
    Event::Seal(ir::Sealed { issuer, payload: (*payload).into(), note: None })
}

/// Running totals of an answer to a prompt of `input` tokens.
fn usage(input: u64, output: u64) -> Event {
    let (cache_read, cache_write) = (Some(input / 2), Some(input / 4));
    Event::Usage(ir::Usage {
        input: Some(input),
        cache_read,
        cache_write,
        output: Some(output),
        reasoning: (output > 400).then_some(output / 3),
        raw: None,
    })
}

/// A stream. Reasoning, where there is any, stands before what it led to: so answers are made.
pub(crate) fn stream(prng: &mut Prng) -> Vec<Event> {
    let mut out = vec![Event::Start(ir::Start {
        id: prng.one_in(2).then(|| "id_1".into()),
        model: prng.one_in(2).then(|| "model".into()),
        created: prng.one_in(2).then_some(1_600_000_000),
        usage: ir::Usage { input: prng.one_in(2).then_some(77), ..ir::Usage::default() },
        extensions: ir::Extensions::default(),
    })];
    let mut calls = 0;
    let input = prng.below(5_000) as u64;
    if prng.one_in(3) {
        out.push(usage(input, 1));
    }
    for _ in 0..prng.below(6) {
        if prng.one_in(4) {
            out.push(Event::Idle);
        }
        block(prng, &mut calls, &mut out);
        if prng.one_in(12) {
            out.pop();
            out.push(Event::Failed(failure(prng)));
            return out;
        }
    }
    if prng.one_in(8) {
        out.push(Event::Failed(failure(prng)));
        return out;
    }
    if !prng.one_in(6) {
        out.push(usage(input, prng.below(900) as u64));
    }
    let reason = match calls {
        0 => *prng.pick(&[ir::Reason::End, ir::Reason::Length, ir::Reason::Refusal]),
        _ => ir::Reason::ToolUse,
    };
    out.push(Event::Finish(ir::Finish { reason, ..ir::Finish::default() }));
    out
}

fn failure(prng: &mut Prng) -> Error {
    match prng.below(3) {
        0 => Error::cut_short(),
        1 => Error::new(Kind::Overloaded, "the upstream is at its limit"),
        _ => Error::new(Kind::RateLimit, "too many requests").with_code("rate_limit_exceeded"),
    }
}

fn block(prng: &mut Prng, calls: &mut usize, out: &mut Vec<Event>) {
    let meta = ir::Meta::default();
    match prng.below(6) {
        0 | 1 => {
            out.push(Event::Open(ir::Open::Text { meta }));
            deltas(prng, out);
        }
        2 => {
            let form = *prng.pick(&[ir::ReasoningForm::Summary, ir::ReasoningForm::Raw]);
            out.push(Event::Open(ir::Open::Reasoning { form, meta }));
            deltas(prng, out);
            if prng.one_in(2) {
                out.push(seal(prng));
            }
        }
        3 => {
            out.push(Event::Open(ir::Open::Reasoning { form: ir::ReasoningForm::Redacted, meta }));
            out.push(seal(prng));
        }
        4 => {
            out.push(Event::Open(ir::Open::Refusal { meta }));
            deltas(prng, out);
        }
        _ => {
            *calls += 1;
            let (id, name) = (format!("call_{calls}").into(), (*prng.pick(&NAMES)).into());
            out.push(Event::Open(ir::Open::ToolCall { id, name, namespace: None, kind: ir::CallKind::Function, meta }));
            for piece in arguments(prng) {
                out.push(Event::Delta(piece.into()));
                if prng.one_in(7) {
                    out.push(Event::Idle);
                }
            }
            if prng.one_in(3) {
                out.push(seal(prng));
            }
        }
    }
    out.push(Event::Close);
}

fn deltas(prng: &mut Prng, out: &mut Vec<Event>) {
    for _ in 0..=prng.below(4) {
        out.push(Event::Delta(words(prng).into()));
        if prng.one_in(7) {
            out.push(Event::Idle);
        }
    }
}
