//! `--dump-ir`: what the compiler did with a request, as JSON.

use serde::Serialize;
use serde_json::{Value, json};

use crate::backends::Target;
use crate::diagnostics::{Diagnostic, Level};
use crate::error::Error;
use crate::http;
use crate::ir;
use crate::secret::Secret;

/// How far a dumped request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpKind {
    /// It is compiled and not sent.
    Request,
    /// It is sent, and what comes back is dumped too.
    Response,
}

impl DumpKind {
    /// The kind of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.trim() {
            "request" => Some(Self::Request),
            "response" => Some(Self::Response),
            _ => None,
        }
    }
}

/// Upstream headers whose values are no secrets. Others, those of the configuration too, are shown by name only.
const SHOWN: [&str; 6] =
    ["content-type", "accept", "accept-encoding", "user-agent", "anthropic-version", "anthropic-beta"];

/// Collects what happens to a request, if it is to be dumped; else costs nothing.
#[derive(Debug, Default)]
pub(super) struct Trace {
    kind: Option<DumpKind>,
    out: serde_json::Map<String, Value>,
    passes: Vec<Value>,
    key: Option<Secret>,
}

impl Trace {
    pub(super) fn new(kind: Option<DumpKind>, takes_relay: bool) -> Self {
        let mut trace = Self { kind, ..Self::default() };
        trace.put("relay", || json!(takes_relay));
        trace
    }

    pub(super) fn is_on(&self) -> bool {
        self.kind.is_some()
    }

    pub(super) fn put(&mut self, name: &str, value: impl FnOnce() -> Value) {
        if self.is_on() {
            self.out.insert(name.to_owned(), value());
        }
    }

    pub(super) fn lowered(&mut self, request: &ir::Request) {
        self.put("ir", || tree(request));
    }

    /// A pass has run; `before` is there if it is to be dumped.
    pub(super) fn passed(&mut self, name: &str, before: Option<&ir::Request>, after: &ir::Request) {
        if let Some(before) = before {
            let changed = before != after;
            self.passes.push(json!({ "pass": name, "changed": changed, "ir": changed.then(|| tree(after)) }));
        }
    }

    pub(super) fn raised(&mut self, request: &http::Request, target: &Target) {
        self.key.clone_from(&target.api_key);
        self.put("upstream", || {
            let shown = |name: &str, value: &str| if SHOWN.contains(&name) { json!(value) } else { json!("***") };
            let headers: serde_json::Map<String, Value> =
                request.headers.iter().map(|(name, value)| (name.to_owned(), shown(name, value))).collect();
            json!({ "method": request.method, "url": request.url, "headers": headers, "body": body(&request.body) })
        });
    }

    pub(super) fn answered(&mut self, chunks: &[Vec<u8>]) {
        self.put("upstream", || json!({ "answered": body(&chunks.concat()) }));
    }

    pub(super) fn diagnosed(&mut self, diagnostics: &[(Level, Diagnostic)]) {
        self.put("diagnostics", || {
            let one = |(level, Diagnostic { code, place, message }): &(Level, Diagnostic)| {
                json!({ "code": code.name, "level": level.name(), "place": place, "message": message })
            };
            diagnostics.iter().map(one).collect()
        });
    }

    /// The dump of a request that was refused.
    pub(super) fn refused(&mut self, error: &Error) -> http::Response {
        self.put("refused", || tree(error));
        self.finish()
    }

    /// The dump.
    pub(super) fn finish(&mut self) -> http::Response {
        let mut out = std::mem::take(&mut self.out);
        out.insert("passes".to_owned(), Value::Array(std::mem::take(&mut self.passes)));
        let mut text = serde_json::to_string_pretty(&out).unwrap_or_default();
        // A key cannot be in here but by an upstream that repeats it.
        if let Some(key) = self.key.take().filter(|key| !key.expose().is_empty()) {
            text = text.replace(key.expose(), "***");
        }
        http::Response::json(200, text.into_bytes())
    }
}

/// What `value` serializes to. By way of its text, so that the IR is compiled for one serializer and not for two.
pub(super) fn tree<T: Serialize + ?Sized>(value: &T) -> Value {
    ir::Json::of(value).value()
}

/// A body as JSON where it is some, else as text.
pub(super) fn body(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}
