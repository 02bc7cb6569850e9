//! A request.

use std::collections::HashMap;

use serde::Serialize;
use smallvec::SmallVec;

use super::{Extensions, Json, Message, Meta, Part, Role, Schema, Text, Tool, ToolCall, ToolChoice};
use crate::diagnostics::codes;

/// What a client asks for. A backend's `raise` begins by destructuring it without `..`, so a new field breaks every
/// backend until it is mapped or reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Request {
    /// The model as the client named it: `provider.modelName` or an alias.
    pub model: Text,
    /// The operator's words at the beginning, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instructions: Vec<Instruction>,
    /// The conversation.
    pub messages: Vec<Message>,
    /// Tools on offer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Whether and which tools must be called; `None` leaves it to the upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether several tools may be called at once; `None` leaves it to the upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// How the next token is chosen.
    #[serde(skip_serializing_if = "Sampling::is_default")]
    pub sampling: Sampling,
    /// The longest answer, in tokens, thoughts included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    /// The prompt is only to be put into the upstream's cache: nothing is to be answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub prewarm: bool,
    /// The shape of the answer.
    pub output: Output,
    /// How much to think, and what to show of it.
    #[serde(skip_serializing_if = "ReasoningConfig::is_default")]
    pub reasoning: ReasoningConfig,
    /// State kept on a server.
    #[serde(skip_serializing_if = "Session::is_default")]
    pub session: Session,
    /// Whole or streamed.
    pub delivery: Delivery,
    /// Who asks, and for what account.
    #[serde(skip_serializing_if = "Caller::is_default")]
    pub caller: Caller,
    /// Headers that belong to the client's dialect (`anthropic-beta`), for an upstream of the same one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<DialectHeader>,
    /// What its own dialect alone understands.
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

/// Words of the operator at the beginning of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Instruction {
    /// [`Role::System`] or [`Role::Developer`].
    pub role: Role,
    /// The words; never empty.
    pub text: Text,
    /// What any node may carry.
    #[serde(flatten)]
    pub meta: Meta,
}

/// How the next token is chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sampling {
    /// 0 to 2 (Claude: to 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// The k likeliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<f64>,
    /// For the same answer again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// −2 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// −2 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// Texts that end the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<Text>,
    /// Log probabilities asked for: how many of the likeliest tokens beside the chosen one (0 for none beside it).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u64>,
}

impl Sampling {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The shape of the answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Output {
    /// Words, any JSON, or JSON by a schema.
    pub format: Format,
    /// `low`, `medium` or `high`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verbosity: Option<Text>,
}

/// What the answer's text is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Words.
    #[default]
    Text,
    /// Some JSON object.
    Json,
    /// JSON by a schema.
    Schema(OutputSchema),
}

/// A schema for the answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputSchema {
    /// A name for it (OpenAI wants one).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// The schema.
    pub schema: Schema,
    /// Whether the answer must match; `None` leaves it to the dialect's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

/// How much to think, and what to show of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReasoningConfig {
    /// Whether thinking is on: `None` leaves it to the upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<ReasoningMode>,
    /// How hard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// At most so many tokens of thought; −1 is the model's own choice (Gemini).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<i64>,
    /// What to show of it; `None` leaves it to the upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
}

impl ReasoningConfig {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a model thinks before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningMode {
    /// It does, within a budget (Claude's `enabled`).
    On,
    /// As it sees fit (Claude's `adaptive`).
    Adaptive,
    /// Only between tool calls (Claude's `between_tools`).
    BetweenTools,
    /// It does not (Claude's `disabled`, effort `none`, a budget of 0).
    Off,
}

/// How hard a model thinks, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Not at all.
    None,
    /// Hardly.
    Minimal,
    /// A little.
    Low,
    /// Middling.
    Medium,
    /// Much.
    High,
    /// More than much.
    Xhigh,
    /// All it can.
    Max,
}

/// What to show of a model's thoughts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Nothing.
    Hidden,
    /// A summary, as the provider sees fit.
    Auto,
    /// A short summary.
    Concise,
    /// A long summary.
    Detailed,
}

/// State kept on a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Session {
    /// The answer that this turn goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_response_id: Option<Text>,
    /// A conversation object of the upstream's (id or object).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Json>,
    /// Whether the upstream is to keep the answer; `None` leaves it to the dialect's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<bool>,
}

impl Session {
    /// Whether there is none.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Whole or streamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// One answer.
    #[default]
    Whole,
    /// Piece by piece.
    Stream,
}

/// Who asks, and for what account.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Caller {
    /// A stable id of the end user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Text>,
    /// Pairs of strings for the client's own book-keeping, as a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Json>,
    /// Speed and price class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Requests with the same key share a prompt cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_key: Option<Text>,
}

impl Caller {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Speed and price class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// The project's setting.
    Auto,
    /// The ordinary one.
    Standard,
    /// Slower and cheaper.
    Flex,
    /// Reserved capacity (OpenAI's `scale`).
    Scale,
    /// Faster and dearer.
    Priority,
    /// A faster mode of the model (OpenAI's `fast`, Claude's `speed: fast`).
    Fast,
    /// The fastest (Responses' `ultrafast`).
    Ultrafast,
}

/// A header that belongs to the client's dialect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DialectHeader {
    /// Whose.
    pub dialect: &'static str,
    /// Its name, lower case.
    pub name: &'static str,
    /// Its value.
    pub value: Text,
}

impl Request {
    /// Every part of every message, those inside tool results included, for passes and checks.
    pub fn for_each_part(&self, mut visit: impl FnMut(&Part)) {
        for part in self.messages.iter().flat_map(|message| &message.parts) {
            visit(part);
            if let Part::ToolResult(result) = part {
                result.content.iter().for_each(&mut visit);
            }
        }
    }

    /// Every picture, sound, film and document, those inside tool results included.
    pub fn media(&self) -> impl Iterator<Item = &super::Media> {
        let parts = self.messages.iter().flat_map(|message| &message.parts);
        let all = parts.flat_map(|part| match part {
            Part::ToolResult(result) => result.content.as_slice(),
            other => std::slice::from_ref(other),
        });
        all.filter_map(|part| if let Part::Media(media) = part { Some(media) } else { None })
    }

    /// The same, to change them.
    pub fn media_mut(&mut self) -> impl Iterator<Item = &mut super::Media> {
        let parts = self.messages.iter_mut().flat_map(|message| &mut message.parts);
        let all = parts.flat_map(|part| match part {
            Part::ToolResult(result) => result.content.as_mut_slice(),
            other => std::slice::from_mut(other),
        });
        all.filter_map(|part| if let Part::Media(media) = part { Some(media) } else { None })
    }

    /// Settles what it means that an upstream lacks a hosted tool. An agent offers such tools beside its own, in every request
    /// (Codex a web search, whatever the model), and works without them; where nothing else is on offer, or one must be called,
    /// the request makes no sense without.
    pub fn settle_hosted_tools(&mut self) {
        let is_own = |tool: &Tool| matches!(tool, Tool::Function(_) | Tool::Custom(_));
        let is_free = matches!(self.tool_choice, None | Some(ToolChoice::Auto | ToolChoice::None));
        if !is_free || !self.tools.iter().any(is_own) {
            return;
        }
        for tool in &mut self.tools {
            if let Tool::Hosted(tool) = tool
                && *tool.loss == codes::BUILTIN_TOOL_UNSUPPORTED
                && tool.is_dispensable()
            {
                tool.loss = &codes::BUILTIN_TOOL_LEFT_OUT;
            }
        }
    }
}

/// The calls of a history by their ids: each result asks for its own.
#[derive(Debug)]
pub struct Calls<'a>(HashMap<&'a str, SmallVec<[&'a ToolCall; 1]>>);

impl<'a> Calls<'a> {
    /// All calls of `messages`.
    #[must_use]
    pub fn of(messages: &'a [Message]) -> Self {
        let mut out: HashMap<&str, SmallVec<[&ToolCall; 1]>> = HashMap::new();
        for part in messages.iter().rev().flat_map(|message| &message.parts) {
            if let Part::ToolCall(call) = part {
                out.entry(&call.id).or_default().push(call);
            }
        }
        Self(out)
    }

    /// The call `id`, and of several the last of the tool `name`, where that is known: some upstreams give calls of different
    /// turns the same id.
    #[must_use]
    pub fn find(&self, id: &str, name: Option<&Text>) -> Option<&'a ToolCall> {
        let calls = self.0.get(id)?;
        let named = calls.iter().find(|call| name == Some(&call.name));
        named.or_else(|| calls.first()).copied()
    }
}
