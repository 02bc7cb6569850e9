//! `ANY_API_CONFIG`: providers, their models, aliases; and which upstream a model's name stands for.
//!
//! The text is JSON5, read into a tree and checked provider by provider, so that everything wrong is told at once and a
//! wrong provider takes down only its own models. What is wrong is a [`Problem`]: a place and a sentence. A sentence
//! never repeats a value of the configuration, only names of its keys, so no key of an upstream can get into a log.

mod place;
mod read;
mod resolve;
mod tree;
mod words;

use std::fmt;

use serde_json::{Map, Value};

use crate::backends::Endpoints;
use crate::capabilities::Capabilities;
use crate::diagnostics::Levels;
use crate::error::{Error, Kind};
use crate::fetch;
use crate::ir;
use crate::quirks::Quirks;
use crate::secret::Secret;

pub use resolve::{Listed, Resolved};

/// The name of the variable that holds the configuration. Longer texts go on in `ANY_API_CONFIG_1`, `…_2` and so on.
pub const VARIABLE: &str = "ANY_API_CONFIG";

/// The `type` of a provider that answers by itself and so needs no `baseURL`.
const ECHO: &str = "echo";

/// The configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The providers, in the order of the text; those with a problem are among them.
    pub providers: Vec<Provider>,
    /// Bare names for models, in the order of the text.
    pub aliases: Vec<Alias>,
    /// What happens when something is lost on the way.
    pub levels: Levels,
    /// Switches for those who look for faults.
    pub debug: Debug,
    /// How conversations are kept; `None` keeps none.
    pub store: Option<Store>,
    /// What the gateway may fetch of what clients name, for upstreams that take media by their content alone; `None` fetches
    /// nothing.
    pub fetch_media: Option<fetch::Rules>,
    /// Everything that is wrong. A provider named here serves nothing.
    pub problems: Vec<Problem>,
    /// What is not wrong, but hardly meant: a key that is still a placeholder.
    pub hints: Vec<Problem>,
}

/// Switches for those who look for faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debug {
    /// Requests may ask to see their translation; they may unless the configuration says no.
    pub dump_ir: bool,
}

impl Default for Debug {
    fn default() -> Self {
        Self { dump_ir: true }
    }
}

/// How conversations are kept. The Worker keeps them in the KV namespace that it is bound to as `ANY_API_STORE`, the
/// native server in a file or in its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// For so many seconds.
    pub ttl_seconds: u64,
    /// A larger conversation is not kept, in bytes.
    pub max_bytes: usize,
    /// Natively: no more than this in all, in bytes; the oldest make room.
    pub max_total_bytes: u64,
    /// Natively: the `SQLite` file; `None` keeps them in memory, until the server stops.
    pub path: Option<String>,
}

impl Default for Store {
    fn default() -> Self {
        // OpenAI keeps answers for thirty days.
        Self { ttl_seconds: 30 * 86_400, max_bytes: 4 << 20, max_total_bytes: 256 << 20, path: None }
    }
}

/// An upstream, with the models it serves.
#[derive(Clone, Default)]
pub struct Provider {
    /// What stands before the first dot of a model's id.
    pub id: String,
    /// The dialect it speaks; empty if the configuration does not say.
    pub dialect: String,
    /// Base URLs without trailing slashes. Empty for `echo` only.
    pub base_urls: Vec<String>,
    /// Its keys; none is sent if there is none.
    pub api_keys: Vec<Secret>,
    /// Headers that it is sent.
    pub headers: Vec<(String, Secret)>,
    /// Paths in the place of the dialect's own.
    pub endpoints: Endpoints,
    /// What its backend alone reads.
    pub settings: Map<String, Value>,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// Its models, in the order of the text.
    pub models: Vec<Model>,
}

/// How long an upstream may take, in milliseconds. The defaults are the patience of the clients themselves: a gateway that
/// gives up earlier fails requests that would have been answered, one that gives up later waits for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands. The Worker's runtime does not tell: there it is a part of `first_byte_ms`.
    pub connect_ms: u64,
    /// From the sending until the first byte of the answer's body: a whole answer of a model that thinks comes all at once.
    pub first_byte_ms: u64,
    /// Between two pieces of the body.
    pub idle_ms: u64,
    /// From the sending to the end; `None` sets no limit, since a stream that flows may take as long as it wants.
    pub total_ms: Option<u64>,
}

impl Default for Timeouts {
    fn default() -> Self {
        // The SDKs of OpenAI and Anthropic wait ten minutes for an answer, Codex five for the next event of a stream.
        Self { connect_ms: 30_000, first_byte_ms: 600_000, idle_ms: 300_000, total_ms: None }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Settings may hold secrets of any name.
        f.debug_struct("Provider")
            .field("id", &self.id)
            .field("dialect", &self.dialect)
            .field("base_urls", &self.base_urls)
            .field("api_keys", &self.api_keys)
            .field("headers", &self.headers)
            .field("endpoints", &self.endpoints)
            .field("timeouts", &self.timeouts)
            .field("models", &self.models)
            .finish_non_exhaustive()
    }
}

/// A model of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// What stands after the first dot of its id; `*` lets any name through.
    pub name: String,
    /// The upstream's name of it, if that is another.
    pub upstream: Option<String>,
    /// Passes over its requests: the provider's and its own.
    pub quirks: Quirks,
    /// What is asked for when the client does not say: the provider's and its own.
    pub options: Options,
    /// What the table of capabilities does not know, or has wrong: the provider's word and its own.
    pub capabilities: Capabilities,
    /// How the upstream is asked, whatever the client asks for; `None` asks as the client does.
    pub delivery: Option<ir::Delivery>,
}

impl Model {
    /// Whether any name is let through.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.name == "*"
    }
}

/// What is asked for when the client asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How hard to think.
    pub reasoning_effort: Option<ir::Effort>,
    /// The limit of tokens for an upstream that needs one.
    pub max_tokens: Option<u64>,
}

/// Another name for a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name; each `*` in it stands for any characters.
    pub name: String,
    /// The model that it means: `provider.modelName`.
    pub target: String,
}

impl Alias {
    /// Whether it stands for more than one name.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.name.contains('*')
    }
}

/// Something wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `providers.rightcode.models.main.upstreamModel`, or the variable if it is the text as a whole.
    pub place: String,
    /// What, in a sentence. It holds no value of the configuration.
    pub message: String,
    /// The provider that cannot be used for it.
    pub provider: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// How many problems an answer names; the log and `check-config` name them all.
const PROBLEMS_TOLD: usize = 3;

/// The answer to a request that cannot be served for what is wrong with the configuration.
#[must_use]
pub fn refusal<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> Error {
    let mut problems = problems.into_iter();
    let told: Vec<_> = problems.by_ref().take(PROBLEMS_TOLD).map(ToString::to_string).collect();
    let more = match problems.count() {
        0 => String::new(),
        count => format!("; and {count} more"),
    };
    let message = format!("the gateway's configuration is wrong: {}{more}", told.join("; "));
    let mut error = Error::new(Kind::Server, message).with_code("gateway_misconfigured");
    // As where there is no key: it will serve once somebody has put it right.
    error.status = Some(503);
    error
}
