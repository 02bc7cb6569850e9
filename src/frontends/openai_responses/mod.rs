//! OpenAI Responses, as clients speak it.

mod compaction;
mod content;
mod items;
mod places;
mod request;
mod response;
mod slots;
mod stream;
mod tools;

use super::{Asked, Encoder, Frontend, KeptAsk, Lowered, Operation, Route};
use crate::context::Cx;
use crate::dialects::openai;
use crate::dialects::openai_responses::{MADE_UP_CODE, MADE_UP_SEARCH};
use crate::error::{Error, Result};
use crate::{http, ir};

/// The id of the dialect.
const DIALECT: &str = openai::RESPONSES;

/// Whose that is which the gateway made up: no backend's.
const GATEWAY: &str = "any-api";

/// Where answers are made, and below which they are kept.
const BASES: [&str; 3] = ["/openai/v1/responses", "/v1/responses", "/responses"];

/// The dialect.
#[derive(Debug)]
pub struct OpenaiResponses;

impl Frontend for OpenaiResponses {
    fn dialect(&self) -> &'static str {
        DIALECT
    }

    fn claim(&self, method: &str, path: &str, _query: &str) -> Option<Route> {
        let below = BASES.iter().find_map(|base| path.strip_prefix(base))?;
        let operation = match (method, below) {
            ("POST", "") => Operation::Generate,
            ("POST", "/compact") => Operation::Beside { path: "/compact" },
            ("POST", "/input_tokens") => Operation::CountTokens { answer_field: "input_tokens" },
            _ => {
                let (id, under) = below.strip_prefix('/')?.split_once('/').unwrap_or((below.get(1..)?, ""));
                let ask = match (method, under) {
                    ("GET", "") => KeptAsk::Answer,
                    ("GET", "input_items") => KeptAsk::Input,
                    ("DELETE", "") => KeptAsk::Removal,
                    ("POST", "cancel") => KeptAsk::Cancel,
                    _ => return None,
                };
                let id = Some(http::percent_decode(id))
                    .filter(|id| !id.is_empty() && id != "input_tokens" && id != "compact")?;
                Operation::Kept { id, ask }
            }
        };
        Some(Route::to(operation))
    }

    fn dialect_headers(&self) -> &'static [&'static str] {
        &["openai-beta", "x-openai-internal-codex-responses-lite"]
    }

    fn made_up_ids(&self) -> &'static [&'static str] {
        &[MADE_UP_SEARCH, MADE_UP_CODE]
    }

    fn lower(&self, cx: &mut Cx, route: &Route) -> Result<Lowered> {
        cx.settings_at(places::of);
        request::lower(cx, route)
    }

    fn render(&self, cx: &mut Cx, asked: &Asked, response: ir::Response) -> Vec<u8> {
        stream::render(cx, asked, response)
    }

    fn tells_malformed(&self) -> bool {
        true
    }

    fn render_error(&self, error: &Error) -> http::Response {
        openai::render_error_to(DIALECT, error)
    }

    fn encoder(&self, asked: &Asked) -> Box<dyn Encoder> {
        Box::new(stream::Stream::new(asked))
    }
}
