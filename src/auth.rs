//! The gateway's own keys: who may use it.
//!
//! A client may send its key in any field that an SDK has for one, and may send several: an SDK fills one with a dummy
//! when the user put the right key into another. Any right key opens.

use crate::conversations::Caller;
use crate::error::{Error, Kind, Result};
use crate::http;
use crate::secret::Secret;

/// The variable that holds one key.
pub const VARIABLE: &str = "WORKER_AUTH_KEY";
/// The variable that holds several keys, with commas between them.
pub const VARIABLE_OF_MANY: &str = "WORKER_AUTH_KEYS";

/// The keys that open the gateway.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<(Secret, Caller)>);

impl Keys {
    /// Reads the keys from `WORKER_AUTH_KEY` and `WORKER_AUTH_KEYS`; `settings` looks a variable up. What people paste
    /// along with a key is taken off: spaces, quotes, `Bearer`.
    #[must_use]
    pub fn read(settings: &dyn Fn(&str) -> Option<String>) -> Self {
        let one = settings(VARIABLE).unwrap_or_default();
        let many = settings(VARIABLE_OF_MANY).unwrap_or_default();
        let many = unquoted(many.trim());
        let keys = std::iter::once(one.as_str()).chain(many.split(',')).map(bare).filter(|key| !key.is_empty());
        Self(keys.map(|key| (Secret::from(key), Caller::of(key))).collect())
    }

    /// Whether no key is set, so that nobody can be let in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that a request holds a right key: as `Authorization`, with or without `Bearer`, or as `x-api-key`. On
    /// Gemini's routes `x-goog-api-key` and the parameter `key` are taken too, and `x-goog-api-key` on the list of models
    /// that all clients share, where nothing but the key tells a Gemini client. Tells who calls.
    ///
    /// # Errors
    /// No key, or none that is right; or the gateway has none itself, and so stays closed.
    pub fn check(&self, request: &http::Request, gemini: bool) -> Result<Caller> {
        if self.is_empty() {
            let message = format!("the gateway is closed, since it has no key: set {VARIABLE} (or {VARIABLE_OF_MANY})");
            let mut error = Error::new(Kind::Server, message).with_code("gateway_not_configured");
            error.status = Some(503);
            return Err(error);
        }
        let given = candidates(request, gemini);
        // Every candidate is compared with every key, so that the time does not tell which was right.
        let mut found = None;
        for candidate in &given {
            for (key, caller) in &self.0 {
                if key.matches(candidate) {
                    found = Some(caller);
                }
            }
        }
        if let Some(caller) = found {
            return Ok(caller.clone());
        }
        let (message, code) = if !given.is_empty() {
            ("the key is none of this gateway's".to_owned(), "invalid_api_key")
        } else if !candidates(request, true).is_empty() {
            let message =
                "`x-goog-api-key` and `?key=` are taken on Gemini's paths only; send `Authorization: Bearer <key>`";
            (message.to_owned(), "missing_api_key")
        } else {
            let google = if gemini { ", `x-goog-api-key: <key>`" } else { "" };
            let message = format!(
                "a key of this gateway is needed: send `Authorization: Bearer <key>`{google} or `x-api-key: <key>`"
            );
            (message, "missing_api_key")
        };
        Err(Error::new(Kind::Authentication, message).with_code(code))
    }
}

/// Everything in a request that may be a key of the gateway.
fn candidates(request: &http::Request, gemini: bool) -> Vec<String> {
    let mut out = Vec::new();
    for (name, value) in request.headers.iter() {
        let value = value.trim();
        match name {
            "authorization" => out.push(without_scheme(value).to_owned()),
            "x-api-key" => out.push(value.to_owned()),
            "x-goog-api-key" if gemini || is_shared(&request.url) => out.push(value.to_owned()),
            _ => {}
        }
    }
    if gemini {
        let keys = http::parameters(&request.query).filter(|(name, _)| http::is_key_parameter(name));
        out.extend(keys.map(|(_, value)| value.trim().to_owned()));
    }
    out.retain(|candidate| !candidate.is_empty());
    out
}

/// Whether a path is one of the lists of models that clients of all dialects ask for.
fn is_shared(path: &str) -> bool {
    ["/v1/models", "/models"]
        .iter()
        .any(|list| path.strip_prefix(list).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// A key as it was meant, without what was pasted along.
fn bare(key: &str) -> &str {
    let mut key = key.trim();
    loop {
        let shorter = without_scheme(unquoted(key)).trim();
        if shorter.len() == key.len() {
            return key;
        }
        key = shorter;
    }
}

/// Text without the quotes that surround it, unless they are those of several quoted pieces.
fn unquoted(text: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote).filter(|inner| !inner.contains(quote)))
        .unwrap_or(text)
}

/// The value of `Authorization` without the word `Bearer`, however it is written.
fn without_scheme(value: &str) -> &str {
    const SCHEME: &str = "bearer";
    match value.split_at_checked(SCHEME.len()) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(SCHEME) && key.starts_with(char::is_whitespace) => {
            key.trim()
        }
        _ if value.eq_ignore_ascii_case(SCHEME) => "",
        _ => value,
    }
}
