//! What Claude clients speak: `POST /v1/messages` and `/v1/messages/count_tokens`.

mod blocks;
mod error;
mod places;
mod request;
mod response;
mod slots;
mod stream;
mod tools;

use super::{Asked, Encoder, Frontend, Lowered, Operation, Route};
use crate::context::Cx;
use crate::dialects::claude::{BETA_HEADER, ID, VERSION_HEADER};
use crate::error::{Error, Result};
use crate::http;
use crate::ir;

/// Claude Messages.
#[derive(Clone, Copy, Debug)]
pub struct Claude;

impl Frontend for Claude {
    fn dialect(&self) -> &'static str {
        ID
    }

    fn claim(&self, method: &str, path: &str, _query: &str) -> Option<Route> {
        if method != "POST" {
            return None;
        }
        match path.strip_prefix("/claude").unwrap_or(path) {
            "/v1/messages" => Some(Route::to(Operation::Generate)),
            "/v1/messages/count_tokens" => Some(Route::to(Operation::CountTokens { answer_field: "input_tokens" })),
            _ => None,
        }
    }

    fn dialect_headers(&self) -> &'static [&'static str] {
        &[BETA_HEADER, VERSION_HEADER]
    }

    fn lower(&self, cx: &mut Cx, route: &Route) -> Result<Lowered> {
        cx.settings_at(places::of);
        request::lower(cx, route)
    }

    fn render(&self, cx: &mut Cx, asked: &Asked, response: ir::Response) -> Vec<u8> {
        response::render(cx, asked, response)
    }

    fn render_error(&self, error: &Error) -> http::Response {
        error::render(error)
    }

    fn encoder(&self, asked: &Asked) -> Box<dyn Encoder> {
        Box::new(stream::ClaudeEncoder::new(asked.clone()))
    }
}
