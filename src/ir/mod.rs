//! The intermediate representation: what any client can ask and any upstream can answer, in provider-neutral words.
//!
//! A frontend *lowers* a client's document into a [`Request`], passes rewrite it, a backend *raises* it into an
//! upstream's document. What comes back is a [`Response`], or a stream of [`Event`]s; the two are one thing
//! ([`Response::events`], [`collect`]).
//!
//! # Rules
//!
//! - Lowering yields one canonical form: the operator's leading words are [`Request::instructions`], empty text does not
//!   exist (unless a seal rides on it), every call has an id. A pass may leave that form.
//! - Text parts stay as apart as the client wrote them: cache marks, signatures and citations hang on single blocks.
//! - Order is meaning. Tool results stand in user messages, calls and reasoning in the assistant's.
//! - Tool schemas, arguments and metadata are raw text ([`Json`], [`Text`]), byte for byte: prompt caches depend on it.
//! - A [`Sealed`] value goes back to its issuer alone. [`Extensions`] and [`Opaque`] go back to their dialect alone, and
//!   carry the [`crate::diagnostics::Code`] that any other backend reports.
//! - A node knows its [`Place`] in the client's document, so that errors and diagnostics can name it.
//! - Unknown is `None`, never 0 or "".
//!
//! # The IR and the four dialects
//!
//! | IR | Chat Completions | Responses | Claude Messages | Gemini |
//! |---|---|---|---|---|
//! | `instructions` | leading `system`, `developer` messages | `instructions`, leading items | `system` | `systemInstruction` |
//! | `Role::System`, `Developer` later on | messages | items | `system` messages | user text |
//! | `Part::Text` | `text` | `input_text`, `output_text` | `text` | `text` |
//! | `Part::Media` | `image_url`, `input_audio`, `file` | `input_image`, `input_file` | `image`, `document` | `inlineData`, `fileData` |
//! | `Part::ToolCall` | `tool_calls[]` | `function_call`, `custom_tool_call` | `tool_use` | `functionCall` |
//! | `Part::ToolResult` | `tool` message | `function_call_output` | `tool_result` | `functionResponse` |
//! | `Part::Reasoning` | `reasoning_content` (extension) | `reasoning` item | `thinking`, `redacted_thinking` | `thought: true` |
//! | `Sealed` | `reasoning_details`, `extra_content` | `encrypted_content` | `signature`, `data` | `thoughtSignature` |
//! | `Part::Refusal` | `refusal` | `refusal` | `stop_reason: refusal` | `finishReason: SAFETY` |
//! | `Tool::Function` | `tools[].function` | `tools[]` | `tools[]` | `functionDeclarations[]` |
//! | `ToolChoice::Required`, `Tool` | `required`, `{function}` | `required`, `{name}` | `any`, `tool` | `ANY`, `allowedFunctionNames` |
//! | `parallel_tool_calls` | same | same | `disable_parallel_tool_use` | – |
//! | `max_output_tokens` | `max_completion_tokens` | `max_output_tokens` | `max_tokens` | `maxOutputTokens` |
//! | `prewarm` | – | `prompt_cache_options.prewarm` | `max_tokens: 0` | – |
//! | `Format::Schema` | `response_format` | `text.format` | `output_config.format` | `responseJsonSchema` |
//! | `ReasoningConfig` | `reasoning_effort` | `reasoning` | `thinking`, `output_config.effort` | `thinkingConfig` |
//! | `Session` | `store` | `previous_response_id`, `store` | – | – |
//! | `Caller::user` | `safety_identifier`, `user` | same | `metadata.user_id` | – |
//! | `CacheMark` | `prompt_cache_breakpoint` | same | `cache_control` | – |
//! | `Finish` | `finish_reason` | `status`, `incomplete_details` | `stop_reason` | `finishReason` |
//! | `Usage::input` | `prompt_tokens` | `input_tokens` | `input_tokens` + cache | `promptTokenCount` + tool use |

mod emitter;
mod landmarks;
mod message;
mod meta;
mod request;
mod response;
mod setting;
mod stream;
mod text;
mod tool;
mod trace;

pub use emitter::{CallStart, Emitter};
pub(crate) use landmarks::{DEEPEST, LONG_GROUP, LONG_STRING, Landmark, Landmarks};
pub use message::{
    CallKind, Citation, Detail, Media, MediaKind, MediaSource, Message, Native, Opaque, Part, Reasoning, ReasoningForm,
    Refusal, Role, TextPart, TokenLogprob, ToolCall, ToolResult, is_runnable,
};
pub use meta::{
    AROUND, CacheMark, CacheTtl, Extension, Extensions, Issuer, Item, Meta, Place, Sealed, Written, field_path,
};
pub use request::{
    Caller, Calls, Delivery, DialectHeader, Effort, Format, Instruction, Output, OutputSchema, ReasoningConfig,
    ReasoningMode, Request, Sampling, Session, Tier, Visibility,
};
pub use response::{Finish, Reason, Response, Usage};
pub use setting::{Places, Setting};
pub use stream::{Annotation, Event, Open, Start, check, collect};
pub use text::{Body, Json, MAX_DEPTH, Text, is_too_deep};
pub(crate) use text::{Pieces, write_json};
pub use tool::{
    Ability, Custom, Function, Grammar, Hosted, Location, McpServer, Schema, SchemaLanguage, Tool, ToolChoice,
    WebSearch,
};
pub use trace::{CodeOutput, Trace};
