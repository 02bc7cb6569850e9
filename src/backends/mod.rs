//! What upstreams speak: each backend raises requests from the IR into one dialect, and parses answers into it.

mod claude;
mod echo;
mod gemini;
mod names;
mod openai_chat_completions;
mod openai_responses;

pub use claude::Claude;
pub use echo::Echo;
pub use gemini::Gemini;
pub use names::{NameRules, Names};
pub use openai_chat_completions::OpenaiChatCompletions;
pub use openai_responses::OpenaiResponses;

use std::fmt;

use crate::capabilities::Capabilities;
use crate::context::{Cx, Ids};
use crate::error::{Error, Result};
use crate::http;
use crate::ir;
use crate::secret::Secret;

/// All backends. To add one, write its file and enter it here; `echo.rs` is the template.
pub static ALL: &[&dyn Backend] = &[&OpenaiChatCompletions, &OpenaiResponses, &Claude, &Gemini, &Echo];

/// The backend of a dialect.
#[must_use]
pub fn of_dialect(dialect: &str) -> Option<&'static dyn Backend> {
    ALL.iter().copied().find(|backend| backend.dialect() == dialect)
}

/// The upstream of a request: a provider and a model of the configuration, resolved.
#[derive(Clone, Default)]
pub struct Target {
    /// The provider's id in the configuration.
    pub provider: String,
    /// The upstream's own name of the model.
    pub model: String,
    /// Base URL without a trailing slash.
    pub base_url: String,
    /// The upstream's key; `None` sends none.
    pub api_key: Option<Secret>,
    /// Headers of the configuration, sent as they are.
    pub headers: Vec<(String, String)>,
    /// Paths in the place of the dialect's own.
    pub endpoints: Endpoints,
    /// The provider's `settings`, read by the backend alone; an object.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// The limit of tokens for a Claude upstream when the client gives none.
    pub max_tokens: Option<u64>,
    /// What the model takes.
    pub capabilities: Capabilities,
}

/// Paths of the configuration that replace a dialect's own; each begins with `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Replaces `/v1/responses`.
    pub responses_path: Option<String>,
    /// Replaces `/v1/chat/completions`.
    pub chat_completions_path: Option<String>,
    /// Replaces `/v1/messages`.
    pub messages_path: Option<String>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers and settings may hold secrets of any name.
        f.debug_struct("Target")
            .field("provider", &self.provider)
            .field("model", &self.model)
            .field("base_url", &self.base_url)
            .field("api_key", &self.api_key)
            .field("endpoints", &self.endpoints)
            .field("max_tokens", &self.max_tokens)
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}

impl Target {
    /// The URL of `path` (it begins with `/`) at the upstream. `version` (`v1`) goes in between unless a segment of the
    /// base URL's path is a version already.
    #[must_use]
    pub fn url(&self, version: &str, path: &str) -> String {
        let base = self.base_url.trim_end_matches('/');
        let after_scheme = base.split_once("://").map_or(base, |(_, rest)| rest);
        let is_version = |segment: &str| {
            let digits = segment.strip_prefix('v').unwrap_or_default();
            digits.starts_with(|first: char| first.is_ascii_digit())
                && digits.chars().all(|c| c.is_ascii_alphanumeric())
        };
        if after_scheme.split('/').skip(1).any(is_version) {
            return format!("{base}{path}");
        }
        format!("{base}/{version}{path}")
    }

    /// Who seals and opens the upstream's opaque state.
    #[must_use]
    pub fn issuer(&self, dialect: &'static str) -> ir::Issuer {
        ir::Issuer {
            dialect: ir::Text::constant(dialect),
            provider: Some(self.provider.as_str().into()),
            model: Some(self.model.as_str().into()),
        }
    }

    /// A `POST` of JSON to `url`, with the headers of the configuration.
    #[must_use]
    pub fn post(&self, url: String) -> http::Request {
        let mut headers = http::Headers::new();
        headers.set("content-type", "application/json");
        // Some firewalls refuse a request without one, and workerd sends none by itself.
        headers.set("user-agent", concat!("any-api/", env!("CARGO_PKG_VERSION")));
        for (name, value) in &self.headers {
            headers.set(name, value.as_str());
        }
        http::Request { method: "POST".to_owned(), url, query: String::new(), headers, body: Vec::new() }
    }
}

/// A request on its way to the upstream.
#[derive(Clone, Debug)]
pub struct Raised {
    /// What to do.
    pub call: Call,
    /// What the backend has to remember to read the answer.
    pub memo: Memo,
}

/// What to do with a raised request.
#[derive(Clone, Debug)]
pub enum Call {
    /// Send it.
    Send(http::Request),
    /// Nothing: the answer is here, in the upstream dialect's own words (the backend `echo`). A streamed one comes in
    /// several chunks.
    Answered(Vec<Vec<u8>>),
}

/// What a backend has to remember to read the answer.
#[derive(Clone, Debug)]
pub struct Memo {
    /// Who seals the answer's opaque state.
    pub issuer: ir::Issuer,
    /// Names that had to be changed on the way up.
    pub names: Names,
    /// The time, in seconds since 1970.
    pub now: u64,
    /// Makes ids that the upstream left out.
    pub ids: Ids,
    /// Stop sequences that the upstream was not told, so that the gateway cuts the answer at them.
    pub cuts: Vec<ir::Text>,
}

impl Memo {
    /// A memo for an answer of `target`.
    #[must_use]
    pub fn new(cx: &mut Cx, target: &Target, dialect: &'static str, names: Names) -> Self {
        Self { issuer: target.issuer(dialect), names, now: cx.now, ids: cx.ids.fork(), cuts: cx.take_cuts() }
    }

    /// A value that the upstream sealed.
    #[must_use]
    pub fn seal(&self, payload: impl Into<ir::Text>) -> ir::Sealed {
        ir::Sealed { issuer: self.issuer.clone(), payload: payload.into(), note: None }
    }

    /// The same, with a note for when it comes back ([`ir::Sealed::note`]).
    #[must_use]
    pub fn noted_seal(&self, payload: impl Into<ir::Text>, note: impl Into<ir::Text>) -> ir::Sealed {
        ir::Sealed { note: Some(note.into()), ..self.seal(payload) }
    }
}

/// A dialect that upstreams speak.
pub trait Backend: Sync {
    /// The dialect's id: the `type` of a provider in the configuration.
    fn dialect(&self) -> &'static str;

    /// Where a request of the dialect is sent: method, URL and headers with the key; no body. The relay uses it too.
    /// `headers` are those of the client that belong to this dialect.
    fn endpoint(&self, target: &Target, delivery: ir::Delivery, headers: &[ir::DialectHeader]) -> http::Request;

    /// Whether `media`, which stand at an address of the web, are of use to the upstream by their content alone: then they are
    /// fetched first, where the configuration lets the gateway.
    fn wants_content(&self, media: &ir::Media, target: &Target) -> bool {
        let _ = (media, target);
        false
    }

    /// Whether a request of this very dialect, `body`, is refused by the upstream as it stands, for something that raising it mends:
    /// then it is not relayed. This is for a look at the bytes; in doubt it says yes.
    fn mends(&self, body: &str, target: &Target) -> bool {
        let _ = (body, target);
        false
    }

    /// Raises a request. Reports to `cx` what the dialect cannot say.
    ///
    /// # Errors
    /// The dialect cannot say it at all.
    fn raise(&self, cx: &mut Cx, request: &ir::Request, target: &Target) -> Result<Raised>;

    /// Makes of a raised request, whole and not streamed, the one that counts its prompt's tokens; `None` where the dialect
    /// has no counter.
    fn counter(&self, raised: &http::Request) -> Option<http::Request> {
        let _ = raised;
        None
    }

    /// Makes of a raised request the one that asks the upstream for something else, at `path` behind the address of its answers;
    /// `None` where the dialect has nothing there.
    fn beside(&self, raised: &http::Request, path: &str) -> Option<http::Request> {
        let _ = (raised, path);
        None
    }

    /// Reads what the counter answered: a number of tokens, if it is one.
    fn parse_count(&self, body: &[u8]) -> Option<u64> {
        let _ = body;
        None
    }

    /// Reads a whole answer, the document of `cx`.
    ///
    /// # Errors
    /// It is none: unreadable, empty, or an error in an answer's clothes.
    fn parse(&self, cx: &mut Cx, memo: &Memo) -> Result<ir::Response>;

    /// Reads an error answer. Whatever the body is, it yields an error that says what is known.
    fn parse_error(&self, status: u16, headers: &http::Headers, body: &[u8]) -> Error;

    /// Makes the decoder of a streamed answer.
    fn decoder(&self, memo: &Memo) -> Box<dyn Decoder>;
}

impl fmt::Debug for dyn Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.dialect())
    }
}

/// Turns an upstream's bytes into events. It holds the state of one stream, takes any chunking, and cannot fail: what
/// cannot be read ends the stream with [`ir::Emitter::fail`].
pub trait Decoder: Send {
    /// Takes a chunk.
    fn push(&mut self, chunk: &[u8], out: &mut ir::Emitter);

    /// The body has ended. A stream that lacks its end fails.
    fn finish(&mut self, out: &mut ir::Emitter);

    /// A copy in the same state, so that tests can end a stream at every byte.
    fn fork(&self) -> Box<dyn Decoder>;
}

/// A request's body, a JSON object, with nothing in it but the fields `names`.
pub(crate) fn only_fields(body: &[u8], names: &[&str]) -> Option<Vec<u8>> {
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    let kept: serde_json::Map<_, _> = fields.into_iter().filter(|(name, _)| names.contains(&name.as_str())).collect();
    serde_json::to_vec(&kept).ok()
}

/// The number in the field `name` of a JSON object.
pub(crate) fn number_in(body: &[u8], name: &str) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(body).ok()?.get(name)?.as_u64()
}

/// Fields of an error that all upstreams send in headers.
pub(crate) fn error_of_headers(status: u16, headers: &http::Headers, message: String) -> Error {
    let mut error = Error::new(crate::error::Kind::of_status(status), message);
    error.status = Some(status);
    error.retry_after = headers.get("retry-after").map(ToOwned::to_owned);
    error.request_id = headers.get("x-request-id").or_else(|| headers.get("request-id")).map(ToOwned::to_owned);
    error
}
