//! Chat Completions, as clients speak it.

mod delta;
mod layout;
mod message;
mod places;
mod request;
mod response;
mod stream;
mod thoughts;

use super::{Asked, Encoder, Frontend, Lowered, Operation, Route};
use crate::context::Cx;
use crate::dialects::openai;
use crate::dialects::openai_chat_completions::ID;
use crate::error::{Error, Result};
use crate::http;
use crate::ir;

/// The frontend of Chat Completions.
#[derive(Clone, Copy, Debug)]
pub struct OpenaiChatCompletions;

impl Frontend for OpenaiChatCompletions {
    fn dialect(&self) -> &'static str {
        ID
    }

    fn claim(&self, method: &str, path: &str, _query: &str) -> Option<Route> {
        let is_ours = matches!(path, "/v1/chat/completions" | "/chat/completions" | "/openai/v1/chat/completions");
        (is_ours && method == "POST").then(|| Route::to(Operation::Generate))
    }

    fn lower(&self, cx: &mut Cx, _route: &Route) -> Result<Lowered> {
        cx.settings_at(places::of);
        request::lower(cx)
    }

    fn render(&self, cx: &mut Cx, asked: &Asked, response: ir::Response) -> Vec<u8> {
        response::render(cx, asked, response)
    }

    fn render_error(&self, error: &Error) -> http::Response {
        openai::render_error_to(ID, error)
    }

    fn encoder(&self, asked: &Asked) -> Box<dyn Encoder> {
        Box::new(stream::ChunkEncoder::new(asked))
    }
}
