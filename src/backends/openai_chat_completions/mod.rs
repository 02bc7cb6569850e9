//! Chat Completions, as upstreams speak it: OpenAI, and the many that are compatible with it, more or less.
//!
//! # What relatives take
//!
//! Where the official protocol has two spellings and one is understood more widely, the choice is made by
//! what is known of the model (`target.capabilities`), else by the host: OpenAI's own models get the newest, wherever they
//! are hosted, all others the oldest. The provider's `settings` overrule it:
//!
//! | setting | values | without it |
//! |---|---|---|
//! | `maxTokensField` | `max_completion_tokens`, `max_tokens` | by the model |
//! | `customTools` | `true`, `false`: they go up as functions with one text | by the model, else `true` where the client speaks this dialect |
//! | `allowedTools` | `true`, `false`: only the tools that may be called are offered | `true` for OpenAI, or where the client speaks this dialect |
//! | `documentUrls` | the field for a document's address: `file_data` (OpenRouter), `document_url` (Mistral), `file_url`, `none` | by the host |
//! | `videos` | `true`, `false`: films go up as `video_url` | by the host: OpenRouter takes them |
//! | `cacheMarks` | `prompt_cache_breakpoint`, `cache_control` (OpenRouter), `none` | by the model |

mod answer;
mod message;
mod request;
mod stream;
mod wire;

use memchr::memmem;
use serde_json::Value;

use super::{Backend, Decoder, Memo, Raised, Target};
use crate::context::Cx;
use crate::dialects::openai;
use crate::dialects::openai_chat_completions::ID;
use crate::error::{Error, Result};
use crate::http;
use crate::ir;

/// The backend of Chat Completions.
#[derive(Clone, Copy, Debug)]
pub struct OpenaiChatCompletions;

impl Backend for OpenaiChatCompletions {
    fn dialect(&self) -> &'static str {
        ID
    }

    fn endpoint(&self, target: &Target, _delivery: ir::Delivery, _headers: &[ir::DialectHeader]) -> http::Request {
        let url = match &target.endpoints.chat_completions_path {
            Some(path) => format!("{}{path}", target.base_url.trim_end_matches('/')),
            None => target.url("v1", "/chat/completions"),
        };
        let mut request = target.post(url);
        if let Some(key) = &target.api_key {
            request.headers.set_default("authorization", format!("Bearer {}", key.expose()));
        }
        request
    }

    fn wants_content(&self, media: &ir::Media, target: &Target) -> bool {
        let is_own = || media.meta.extensions.dialect() == Some(ID);
        match media.kind {
            ir::MediaKind::Document => !is_own() && DocumentUrls::of(target) == DocumentUrls::None,
            ir::MediaKind::Audio => !is_own(),
            ir::MediaKind::Image | ir::MediaKind::Video => false,
        }
    }

    /// Most clients drop `reasoning_content`, which they do not know, and DeepSeek refuses calls without it.
    fn mends(&self, body: &str, target: &Target) -> bool {
        let count = |name: &str| memmem::find_iter(body.as_bytes(), name).count();
        target.capabilities.signatures == Some(true) && count("\"tool_calls\"") > count("\"reasoning_content\"")
    }

    fn raise(&self, cx: &mut Cx, request: &ir::Request, target: &Target) -> Result<Raised> {
        let http = self.endpoint(target, request.delivery, &request.headers);
        Ok(request::raise(cx, request, target, http))
    }

    fn parse(&self, cx: &mut Cx, memo: &Memo) -> Result<ir::Response> {
        answer::parse(cx, memo)
    }

    fn parse_error(&self, status: u16, headers: &http::Headers, body: &[u8]) -> Error {
        openai::parse_error(ID, status, headers, body)
    }

    fn decoder(&self, memo: &Memo) -> Box<dyn Decoder> {
        Box::new(stream::ChunkDecoder::new(memo))
    }
}

/// Whether the upstream is OpenAI itself, which refuses fields that its documentation does not have.
fn is_openai(target: &Target) -> bool {
    host(target).is_some_and(|host| host == "openai.com" || host.ends_with(".openai.com"))
}

fn host(target: &Target) -> Option<&str> {
    let (_, rest) = target.base_url.split_once("://")?;
    let authority = rest.split('/').next()?;
    authority.rsplit('@').next()?.split(':').next()
}

/// Whether all models of the upstream have OpenAI's newest spellings. What is only compatible is told apart by its model:
/// most relatives know neither `max_completion_tokens` nor `developer` nor `safety_identifier`, and some refuse what they
/// do not know.
fn has_newest_models(target: &Target) -> bool {
    is_openai(target) || host(target).is_some_and(|host| host.ends_with(".openai.azure.com"))
}

fn setting<'a>(target: &'a Target, name: &str) -> Option<&'a str> {
    target.settings.get(name).and_then(Value::as_str)
}

/// Where a document's address is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DocumentUrls {
    /// `file.file_data`, where OpenAI has the content.
    FileData,
    /// A part of its own, which takes the content too, as a `data:` URL (Mistral, who knows no other).
    DocumentUrl,
    /// A part of its own, for addresses alone.
    FileUrl,
    None,
}

impl DocumentUrls {
    fn of(target: &Target) -> Self {
        match setting(target, "documentUrls") {
            Some("file_data") => Self::FileData,
            Some("document_url") => Self::DocumentUrl,
            Some("file_url") => Self::FileUrl,
            Some(_) => Self::None,
            None if is_at(target, OPENROUTER) => Self::FileData,
            None if is_at(target, "mistral.ai") => Self::DocumentUrl,
            None => Self::None,
        }
    }
}

/// Whether films are taken.
fn takes_videos(target: &Target) -> bool {
    let said = target.settings.get("videos").and_then(Value::as_bool);
    said.unwrap_or_else(|| is_at(target, OPENROUTER))
}

/// Takes documents by their addresses where OpenAI has their content, and films (openrouter.ai/docs: PDF inputs, multimodal).
const OPENROUTER: &str = "openrouter.ai";

/// Whether the upstream is a domain, or within it.
fn is_at(target: &Target, domain: &str) -> bool {
    let rest = host(target).and_then(|host| host.strip_suffix(domain));
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// What becomes of a wish to cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CacheMarks {
    /// OpenAI's own field, which newer models know.
    Breakpoint,
    /// Claude's field, as OpenRouter takes it.
    CacheControl,
    None,
}

impl CacheMarks {
    fn of(target: &Target) -> Self {
        match setting(target, "cacheMarks") {
            Some("prompt_cache_breakpoint") => Self::Breakpoint,
            Some("cache_control") => Self::CacheControl,
            Some(_) => Self::None,
            None if target.capabilities.cache_marks == Some(true) => Self::Breakpoint,
            None => Self::None,
        }
    }
}
