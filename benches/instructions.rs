//! The same work as in `translation.rs`, once each, for callgrind to count its instructions: `npm run bench:instructions`. With no
//! argument it names the cases; with `run` it does them all in that order, each in a call of [`measured`] of its own; with `time` it
//! says how many nanoseconds each takes; with more words only those whose name has them, for a look with `callgrind_annotate`.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a program")]

#[path = "workload.rs"]
mod workload;

use std::any::Any;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use workload::{
    DIALECTS, SIZES, answer, asked, backend, decode, encode, frontend, lower, memo, pictures, raise, request, stream,
};

use any_api::context::{Cx, Ids};
use any_api::ir;
use any_api::pipeline::{Gateway, Moment, Received, Step};

/// What callgrind looks at.
#[inline(never)]
fn measured(work: Work) -> (usize, Box<dyn Any>) {
    work()
}

/// What is measured. Gives how much it made, and what is to be thrown away afterwards.
type Work = Box<dyn FnOnce() -> (usize, Box<dyn Any>)>;

/// A case: made anew for each run, so that what it needs is not counted.
type Case = (String, Box<dyn Fn() -> Work>);

/// Work of which nothing is left.
fn work(does: impl FnOnce() -> usize + 'static) -> Work {
    Box::new(move || (does(), Box::new(())))
}

/// The events of a measured stream.
const PIECES: usize = 300;

fn cases() -> Vec<Case> {
    let mut out: Vec<Case> = Vec::new();
    for dialect in DIALECTS {
        for (size, bytes) in SIZES {
            let document = request(dialect, bytes);
            let text = document.clone();
            out.push((
                format!("lower {dialect} {size}"),
                Box::new(move || {
                    let document = text.clone();
                    Box::new(move || {
                        let (cx, lowered) = lower(dialect, document);
                        // It goes on to be raised, and is thrown away then.
                        (lowered.request.messages.len(), Box::new((cx, lowered)) as Box<dyn Any>)
                    })
                }),
            ));
            out.push((
                format!("raise {dialect} {size}"),
                Box::new(move || {
                    let (cx, lowered) = lower(dialect, document.clone());
                    work(move || raise(dialect, &cx, &lowered.request).len())
                }),
            ));
        }
        out.push((
            format!("parse {dialect}"),
            Box::new(move || {
                let document = answer(dialect);
                work(move || {
                    let mut cx = Cx::new(ir::Body::new(document), 0, Ids::new(1));
                    backend(dialect).parse(&mut cx, &memo(dialect)).map_or(0, |response| response.parts.len())
                })
            }),
        ));
        out.push((
            format!("render {dialect}"),
            Box::new(move || {
                let mut cx = Cx::new(ir::Body::new(answer(dialect)), 0, Ids::new(1));
                let response = backend(dialect).parse(&mut cx, &memo(dialect));
                work(move || response.map_or(0, |response| frontend(dialect).render(&mut cx, &asked(), response).len()))
            }),
        ));
        out.push((
            format!("decoder {dialect}, {PIECES} events"),
            Box::new(move || {
                let chunks = stream(dialect, PIECES);
                work(move || decode(dialect, &chunks).len())
            }),
        ));
        out.push((
            format!("encoder {dialect}, {PIECES} events"),
            Box::new(move || {
                let events = decode(dialect, &stream(dialect, PIECES));
                work(move || encode(dialect, events))
            }),
        ));
    }
    for (name, upstream) in [("relay", "claude"), ("translate", "openai-chat-completions")] {
        let gateway = Rc::new(gateway(upstream));
        for (size, bytes) in SIZES {
            let (gateway, document) = (Rc::clone(&gateway), request("claude", bytes).into_bytes());
            out.push((
                format!("gateway {name} {size}"),
                Box::new(move || {
                    let (gateway, body) = (Rc::clone(&gateway), document.clone());
                    work(move || whole(&gateway, body))
                }),
            ));
        }
    }
    out
}

fn gateway(upstream: &str) -> Gateway {
    let config = format!(
        r#"{{"version":1,"providers":{{"upstream":{{"type":"{upstream}","baseURL":"https://upstream.example","apiKey":"key","models":{{"model":{{}}}}}}}}}}"#
    );
    Gateway::new(&move |name| match name {
        "ANY_API_CONFIG" => Some(config.clone()),
        "WORKER_AUTH_KEY" => Some("bench".to_owned()),
        _ => None,
    })
}

/// All that the core does to a request, from its head to the upstream's body.
fn whole(gateway: &Gateway, body: Vec<u8>) -> usize {
    let head = any_api::http::Request {
        method: "POST".to_owned(),
        url: "/v1/messages".to_owned(),
        query: String::new(),
        headers: [("x-api-key", "bench"), ("content-type", "application/json")].into_iter().collect(),
        body: Vec::new(),
    };
    let Received::Body(inbound) = gateway.receive(&head, Moment { now: 0, seed: 1 }) else { return 0 };
    let Ok(plan) = gateway.plan(*inbound, body) else { return 0 };
    match plan.raise(0) {
        Step::Send { request, .. } => request.body.len(),
        Step::Answer(_) | Step::Answered { .. } => 0,
    }
}

/// Writes what `npm run bench` sends and answers: the same documents and streams.
fn write(dir: &str) -> std::io::Result<()> {
    let file = |name: String, bytes: &[u8]| std::fs::write(std::path::Path::new(dir).join(name), bytes);
    for dialect in DIALECTS {
        for (size, bytes) in SIZES {
            let request = request(dialect, bytes);
            file(format!("request-{dialect}-{}.json", size.replace(' ', "")), request.as_bytes())?;
        }
        file(format!("answer-{dialect}.json"), answer(dialect).as_bytes())?;
        file(format!("stream-{dialect}.sse"), &stream(dialect, PIECES).concat())?;
    }
    file("request-claude-20MB.json".to_owned(), pictures(10, 20 << 20).as_bytes())
}

/// How long a case takes, at the median of some runs.
fn nanoseconds(make: &dyn Fn() -> Work) -> u128 {
    let mut times: Vec<u128> = (0..51)
        .map(|_| {
            let work = make();
            let began = Instant::now();
            let left = black_box(measured(work));
            let took = began.elapsed().as_nanos();
            drop(left);
            took
        })
        .collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, dir] = arguments.as_slice()
        && word == "write"
    {
        write(dir).expect("the folder is there");
        return;
    }
    let mut arguments = arguments.into_iter();
    let mode = arguments.next().unwrap_or_default();
    let words: Vec<String> = arguments.collect();
    for (name, make) in cases() {
        if !words.iter().all(|word| name.contains(word.as_str())) {
            continue;
        }
        if mode == "time" {
            println!("{name}: {}", nanoseconds(&make));
        } else if mode == "run" {
            // The first time fills what is filled once a process.
            let (first, _) = make()();
            assert!(first > 0, "{name} did nothing");
            black_box(measured(make()));
        } else {
            println!("{name}");
        }
    }
}
