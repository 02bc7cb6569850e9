//! What clients speak: each frontend lowers requests of one dialect into the IR, and renders answers from it.

mod claude;
mod gemini;
mod openai_chat_completions;
mod openai_responses;

pub use claude::Claude;
pub use gemini::Gemini;
pub use openai_chat_completions::OpenaiChatCompletions;
pub use openai_responses::OpenaiResponses;

use crate::context::{Cx, Ids};
use crate::diagnostics::Diagnostic;
use crate::error::{Error, Result};
use crate::http;
use crate::ir;

/// All frontends. A path that several could claim goes to the first.
pub static ALL: &[&dyn Frontend] = &[&OpenaiChatCompletions, &OpenaiResponses, &Claude, &Gemini];

/// The frontend of a dialect.
#[must_use]
pub fn of_dialect(dialect: &str) -> Option<&'static dyn Frontend> {
    ALL.iter().copied().find(|frontend| frontend.dialect() == dialect)
}

/// The frontend whose words an error at `path` is told in, by the path's beginning.
#[must_use]
pub fn of_path(path: &str) -> &'static dyn Frontend {
    let begins = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if begins("/gemini") || begins("/v1beta") || begins("/v1alpha") {
        &Gemini
    } else if begins("/claude") || begins("/v1/messages") {
        &Claude
    } else if begins("/openai/v1/responses") || begins("/v1/responses") {
        &OpenaiResponses
    } else {
        &OpenaiChatCompletions
    }
}

/// What a request asks the gateway to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To answer.
    Generate,
    /// To count a prompt's tokens.
    CountTokens {
        /// The field of the answer that holds the number.
        answer_field: &'static str,
    },
    /// What nobody but an upstream of the client's own dialect can do: it is passed on, or refused.
    Beside {
        /// Where, behind the address at which the upstream answers.
        path: &'static str,
    },
    /// Something about an answer that the gateway keeps.
    Kept {
        /// The answer's id.
        id: String,
        /// What.
        ask: KeptAsk,
    },
}

/// What can be asked about an answer that the gateway keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptAsk {
    /// To see it.
    Answer,
    /// To see what led to it.
    Input,
    /// To forget it.
    Removal,
    /// To stop making it.
    Cancel,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What is asked.
    pub operation: Operation,
    /// The model, where the path names it (Gemini).
    pub model: Option<String>,
    /// Whole or streamed, where the path says it (Gemini).
    pub delivery: Option<ir::Delivery>,
    /// A streamed answer is server-sent events; else one JSON array (Gemini without `alt=sse`).
    pub sse: bool,
    /// The headers of the request that belong to the dialect ([`Frontend::dialect_headers`]).
    pub headers: Vec<ir::DialectHeader>,
    /// How many items at the beginning of the conversation are not in the client's request: the gateway kept them.
    pub kept_items: usize,
}

impl Route {
    /// A route to `operation` with nothing said in the path.
    #[must_use]
    pub fn to(operation: Operation) -> Self {
        Self { operation, model: None, delivery: None, sse: true, headers: Vec::new(), kept_items: 0 }
    }
}

/// What a renderer repeats to the client; taken before the passes, so that quirks never show.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The model, as the client named it.
    pub model: ir::Text,
    /// Whole or streamed.
    pub delivery: ir::Delivery,
    /// A streamed answer is server-sent events; else one JSON array (Gemini).
    pub sse: bool,
    /// A Chat stream ends with a usage chunk (`stream_options.include_usage`).
    pub include_usage: bool,
    /// The client said that it does not want to see thoughts.
    pub hide_reasoning: bool,
    /// Fields of the request that the answer repeats (Responses): name and value as the client wrote it.
    pub repeat: Vec<(&'static str, ir::Json)>,
    /// Names of functions that stand for tools of the client's dialect, which it runs itself: their calls have a form of their
    /// own (Responses).
    pub own_tools: Vec<ir::Text>,
    /// The answer is to take the place of the conversation: a summary in an item of its own (Responses).
    pub sums_up: bool,
    /// About how many tokens the prompt has, at least 1: for the dialect whose streams begin with that number, which upstreams
    /// of others say too late or not at all. Counting looks at every text, so only that dialect's frontend does it.
    pub input_estimate: u64,
    /// The time, in seconds since 1970.
    pub now: u64,
    /// Makes ids for the answer.
    pub ids: Ids,
    /// The answer's id, where the gateway keeps the answer.
    pub kept_as: Option<ir::Text>,
}

impl Asked {
    /// What any renderer repeats of `request`.
    #[must_use]
    pub fn new(cx: &mut Cx, request: &ir::Request) -> Self {
        Self {
            model: request.model.clone(),
            delivery: request.delivery,
            sse: true,
            include_usage: false,
            hide_reasoning: request.reasoning.visibility == Some(ir::Visibility::Hidden),
            repeat: Vec::new(),
            own_tools: Vec::new(),
            sums_up: false,
            input_estimate: 1,
            now: cx.now,
            ids: cx.ids.fork(),
            kept_as: None,
        }
    }
}

/// A request, lowered.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// What is asked.
    pub request: ir::Request,
    /// What the answer repeats.
    pub asked: Asked,
}

/// A dialect that clients speak.
pub trait Frontend: Sync {
    /// The dialect's id: `claude`.
    fn dialect(&self) -> &'static str;

    /// Whether a request is for this dialect. `path` has no query and no trailing slash; it is percent-encoded still.
    fn claim(&self, method: &str, path: &str, query: &str) -> Option<Route>;

    /// Names, in lower case, of request headers that belong to the dialect and that an upstream of the same one gets.
    fn dialect_headers(&self) -> &'static [&'static str] {
        &[]
    }

    /// How ids begin that the gateway made up for its clients, and that no upstream may get: a request that holds one is not
    /// relayed.
    fn made_up_ids(&self) -> &'static [&'static str] {
        &[]
    }

    /// Lowers the document of `cx` into the IR.
    ///
    /// # Errors
    /// The document is not what the dialect wants; the error names the place.
    fn lower(&self, cx: &mut Cx, route: &Route) -> Result<Lowered>;

    /// Renders a whole answer. `cx` collects what the client's dialect cannot say.
    fn render(&self, cx: &mut Cx, asked: &Asked, response: ir::Response) -> Vec<u8>;

    /// Whether an answer has a word for a call that the model wrote and nobody could read ([`ir::Reason::Malformed`]). Where it
    /// has none the client is told of a failure: an ordinary end without the call would be an empty success.
    fn tells_malformed(&self) -> bool {
        false
    }

    /// Renders a refusal: status, headers and body as the dialect's vendor would send them.
    fn render_error(&self, error: &Error) -> http::Response;

    /// Makes the encoder of a streamed answer.
    fn encoder(&self, asked: &Asked) -> Box<dyn Encoder>;
}

impl dyn Frontend {
    /// The failure that an end is to this client, if it is one.
    #[must_use]
    pub fn failure(&self, finish: &ir::Finish) -> Option<Error> {
        finish.failure().filter(|_| !self.tells_malformed())
    }
}

impl std::fmt::Debug for dyn Frontend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.dialect())
    }
}

/// Turns events into the bytes that a client reads. It holds the state of one stream, takes events by the grammar of
/// [`ir::check`], and cannot fail.
pub trait Encoder: Send {
    /// Writes what `event` has to say.
    fn push(&mut self, event: ir::Event, out: &mut Vec<u8>);

    /// Writes what ends the body, after the last event.
    fn finish(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// Takes what the client's dialect could not say so far: the same as [`Frontend::render`] reports of the whole answer.
    fn take_losses(&mut self) -> Vec<Diagnostic>;

    /// The answer as a whole, once all of it was told, in a dialect whose answers are kept.
    fn whole(&self) -> Option<Vec<u8>> {
        None
    }

    /// The media type of the body.
    fn content_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }
}
