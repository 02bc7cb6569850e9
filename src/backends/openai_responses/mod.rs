//! OpenAI Responses, as upstreams speak it.

mod answer;
mod decoder;
mod hints;
mod input;
mod request;
mod tools;

use super::{Backend, Decoder, Memo, Raised, Target};
use crate::context::Cx;
use crate::dialects::openai;
use crate::error::{Error, Result};
use crate::{http, ir};

/// The id of the dialect.
const DIALECT: &str = openai::RESPONSES;

/// The dialect.
#[derive(Debug)]
pub struct OpenaiResponses;

impl Backend for OpenaiResponses {
    fn dialect(&self) -> &'static str {
        DIALECT
    }

    fn endpoint(&self, target: &Target, delivery: ir::Delivery, headers: &[ir::DialectHeader]) -> http::Request {
        let url = match &target.endpoints.responses_path {
            Some(path) => format!("{}{path}", target.base_url.trim_end_matches('/')),
            None => target.url("v1", "/responses"),
        };
        let mut request = target.post(url);
        if let Some(key) = &target.api_key {
            request.headers.set_default("authorization", format!("Bearer {}", key.expose()));
        }
        let accept = match delivery {
            ir::Delivery::Whole => "application/json",
            ir::Delivery::Stream => "text/event-stream",
        };
        request.headers.set_default("accept", accept);
        for header in headers.iter().filter(|header| header.dialect == DIALECT) {
            request.headers.set_default(header.name, header.value.as_str());
        }
        request
    }

    fn raise(&self, cx: &mut Cx, request: &ir::Request, target: &Target) -> Result<Raised> {
        request::raise(self, cx, request, target)
    }

    fn counter(&self, raised: &http::Request) -> Option<http::Request> {
        // Anything else is refused: the counter takes what makes the prompt.
        const FIELDS: [&str; 10] = [
            "model",
            "input",
            "instructions",
            "tools",
            "text",
            "reasoning",
            "tool_choice",
            "parallel_tool_calls",
            "previous_response_id",
            "conversation",
        ];
        let body = super::only_fields(&raised.body, &FIELDS)?;
        Some(http::Request { url: format!("{}/input_tokens", raised.url), body, ..raised.clone() })
    }

    fn beside(&self, raised: &http::Request, path: &str) -> Option<http::Request> {
        // What a compaction takes; there is nothing else yet.
        const FIELDS: [&str; 9] = [
            "model",
            "input",
            "instructions",
            "previous_response_id",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "service_tier",
            "image",
        ];
        let body = super::only_fields(&raised.body, &FIELDS)?;
        Some(http::Request { url: format!("{}{path}", raised.url), body, ..raised.clone() })
    }

    fn parse_count(&self, body: &[u8]) -> Option<u64> {
        super::number_in(body, "input_tokens")
    }

    fn parse(&self, cx: &mut Cx, memo: &Memo) -> Result<ir::Response> {
        answer::parse(cx, memo)
    }

    fn parse_error(&self, status: u16, headers: &http::Headers, body: &[u8]) -> Error {
        openai::parse_error(DIALECT, status, headers, body)
    }

    fn decoder(&self, memo: &Memo) -> Box<dyn Decoder> {
        Box::new(decoder::Stream::new(memo))
    }
}
