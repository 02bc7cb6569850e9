//! The specs of `tests/specs/*.md`: prose, and examples that are run. A fenced block's second word says what it is:
//!
//! - `config`: the configuration of the gateway for what follows;
//! - `request`: what a client sends (a request line, headers, a blank line, the body);
//! - `upstream`: what the upstream must get of it;
//! - `answer`: what the upstream answers (a status, headers, a blank line, the body);
//! - `response`: what the client must get.
//!
//! JSON is shown for reading; `upstream-bytes` and `response-bytes` show a body byte for byte. `ENVELOPE` in a request is
//! the first envelope of the last response. What is kept stays for the page; `KEY2` in a request is a second key. `BLESS=1 cargo test --test specs` writes what is expected anew.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test may fail so")]

#[expect(dead_code, reason = "each test takes what it needs")]
mod support;

use std::collections::HashMap;
use std::fmt::Write;

use any_api::envelope;
use any_api::http;
use any_api::pipeline::{Gateway, Moment, Opening, Plan, Received, Reply, Stage, Step};
use serde_json::Value;
use support::fixtures::{folder, list};
use support::pretty::pretty;
use support::ways::NOW;

const KEY: &str = "a-gateway-key";
const SECOND_KEY: &str = "another-gateway-key";

/// A piece of a page.
enum Piece {
    /// Prose, and blocks of no concern.
    Text(String),
    /// A fenced block: the line that opens it, what it is, and what is in it.
    Block { fence: String, kind: String, body: String },
}

fn pieces(page: &str) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut text = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let kind = line.strip_prefix("```").and_then(|info| info.split_whitespace().nth(1));
        let Some(kind) = kind else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        out.push(Piece::Text(std::mem::take(&mut text)));
        let body = if body.is_empty() { String::new() } else { body.join("\n") + "\n" };
        out.push(Piece::Block { fence: line.to_owned(), kind: kind.to_owned(), body });
    }
    out.push(Piece::Text(text));
    out
}

fn joined(pieces: &[Piece]) -> String {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Block { fence, body, .. } => write!(out, "{fence}\n{body}```\n").unwrap(),
        }
    }
    out
}

/// A first line, header fields, and what stands behind a blank line.
fn message(text: &str) -> (String, http::Headers, Vec<u8>) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default().to_owned();
    let headers = lines.map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no header field: {line}")));
    (first, headers.collect(), body.as_bytes().to_vec())
}

/// How a body is shown.
#[derive(Clone, Copy, PartialEq)]
enum Show {
    ForReading,
    Bytes,
}

fn shown(body: &[u8], show: Show) -> String {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(value) if show == Show::ForReading => pretty(&value),
        _ => String::from_utf8_lossy(body).trim_end().replace('\r', ""),
    };
    if text.is_empty() { text } else { format!("\n{text}\n") }
}

/// The world of a page.
#[derive(Default)]
struct World {
    gateway: Option<Gateway>,
    /// Requests so far: each has ids of its own.
    requests: u128,
    /// What the store holds.
    store: HashMap<String, Vec<u8>>,
    sent: Option<http::Request>,
    reply: Option<Reply>,
    response: Option<http::Response>,
    envelope: String,
}

impl World {
    fn configure(&mut self, document: &str) {
        let settings = |name: &str| match name {
            "ANY_API_CONFIG" => Some(document.to_owned()),
            "WORKER_AUTH_KEYS" => Some(format!("{KEY},{SECOND_KEY}")),
            _ => None,
        };
        let gateway = Gateway::new(&settings);
        assert!(gateway.problems().is_empty(), "{:?}", gateway.problems());
        self.gateway = Some(gateway);
    }

    fn request(&mut self, text: &str) {
        let (first, mut headers, body) = message(&text.replace("ENVELOPE", &self.envelope).replace("KEY2", SECOND_KEY));
        headers.set_default("authorization", format!("Bearer {KEY}"));
        let (method, path) = first.split_once(' ').unwrap();
        let (url, query) = path.split_once('?').unwrap_or((path, ""));
        let head = http::Request {
            method: method.to_owned(),
            url: url.to_owned(),
            query: query.to_owned(),
            headers,
            body: Vec::new(),
        };
        self.requests += 1;
        let gateway = self.gateway.as_ref().unwrap();
        (self.sent, self.reply) = (None, None);
        let inbound = match gateway.receive(&head, Moment { now: NOW, seed: self.requests }) {
            Received::Answer(response) => {
                self.response = Some(response);
                return;
            }
            Received::Kept(lookup) => {
                let found = lookup.name().and_then(|name| self.store.get(name).cloned());
                if let (Some(name), true) = (lookup.name(), lookup.deletes()) {
                    self.store.remove(name);
                }
                self.response = Some(lookup.answer(Ok(found)));
                return;
            }
            Received::Body(inbound) => inbound,
        };
        let mut plan = gateway.plan(*inbound, body);
        while let Some(name) = plan.as_ref().ok().and_then(Plan::need) {
            plan = plan.and_then(|plan| plan.meet(Ok(self.store.get(&name).cloned())));
        }
        match plan.map(|plan| plan.raise(0)) {
            Err(response) | Ok(Step::Answer(response)) => self.response = Some(response),
            Ok(Step::Send { request, reply, .. }) => {
                (self.sent, self.reply, self.response) = (Some(request), Some(*reply), None);
            }
            Ok(Step::Answered { chunks, reply }) => {
                self.reply = Some(*reply);
                self.take(200, http::Headers::new(), &chunks.concat());
            }
        }
    }

    fn answer(&mut self, text: &str) {
        let (first, headers, body) = message(text);
        self.take(first.trim().parse().unwrap(), headers, &body);
    }

    fn take(&mut self, status: u16, headers: http::Headers, body: &[u8]) {
        let reply = self.reply.take().expect("nothing was sent");
        let mut record = None;
        self.response = Some(match reply.head(status, headers) {
            Stage::Answer(response) => response,
            Stage::PassThrough(head) => http::Response { body: body.to_vec(), ..head },
            Stage::Collect(mut collector) => {
                let response = collector.finish(body.to_vec());
                record = collector.take_record();
                response
            }
            Stage::Translate(mut translator) => {
                let mut out = Vec::new();
                translator.push(body, &mut out);
                translator.finish(&mut out);
                record = translator.take_record();
                match translator.opening().unwrap() {
                    Opening::Begun(head) => http::Response { body: out, ..head },
                    Opening::Refused(response) => response,
                }
            }
        });
        self.store.extend(record.map(|record| (record.name, record.value)));
        let body = self.response.iter().flat_map(|response| response.body.clone()).collect();
        let body = String::from_utf8(body).unwrap();
        if let Some(at) = body.find(envelope::MARK) {
            self.envelope = body.split_at(at).1.split('"').next().unwrap().to_owned();
        }
    }

    fn upstream(&self, show: Show) -> String {
        let Some(request) = &self.sent else { return "nothing\n".to_owned() };
        let mut out = format!("{} {}\n", request.method, request.url);
        for name in ["anthropic-version", "anthropic-beta"] {
            if let Some(value) = request.headers.get(name) {
                writeln!(out, "{name}: {value}").unwrap();
            }
        }
        out + &shown(&request.body, show)
    }

    fn client(&self, show: Show) -> String {
        let response = self.response.as_ref().expect("there is no response: an `answer` is missing");
        let mut out = format!("{}\n", response.status);
        for (name, value) in response.headers.iter() {
            if name.starts_with("x-any-api-") || matches!(name, "retry-after" | "x-should-retry") {
                writeln!(out, "{name}: {value}").unwrap();
            }
        }
        out + &shown(&response.body, show)
    }
}

#[test]
fn specs_hold() {
    let mut pages = list(&folder().join("specs"));
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    assert!(pages.len() >= 3, "the specs were not found");
    let blesses = std::env::var("BLESS").is_ok_and(|value| value == "1");
    let (mut examples, mut wrong) = (0, Vec::new());
    for path in pages {
        let page = std::fs::read_to_string(&path).unwrap();
        let mut pieces = pieces(&page);
        let mut world = World::default();
        for piece in &mut pieces {
            let Piece::Block { kind, body, .. } = piece else { continue };
            let made = match kind.as_str() {
                "config" => {
                    world.configure(body);
                    continue;
                }
                "request" => {
                    world.request(body.trim_end());
                    continue;
                }
                "answer" => {
                    world.answer(body);
                    continue;
                }
                "upstream" => world.upstream(Show::ForReading),
                "upstream-bytes" => world.upstream(Show::Bytes),
                "response" => world.client(Show::ForReading),
                "response-bytes" => world.client(Show::Bytes),
                other => panic!("{}: a block of the unknown kind {other}", path.display()),
            };
            examples += 1;
            if made != *body && !blesses {
                wrong.push(format!(
                    "{}: the block {kind} is\n{body}\nand should be, by what the gateway does,\n{made}",
                    path.display()
                ));
            }
            *body = made;
        }
        let after = joined(&pieces);
        if blesses && after != page {
            eprintln!("wrote {}", path.display());
            std::fs::write(&path, after).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}\nIf this is what you want: BLESS=1 cargo test --test specs", wrong.join("\n"));
    assert!(examples > 10, "only {examples} examples");
}
