//! Claude upstreams: `POST /v1/messages`.

mod blocks;
mod error;
mod request;
mod response;
mod schema;
mod stream;
mod thinking;
mod tools;

use super::{Backend, Decoder, Memo, Raised, Target};
use crate::context::Cx;
use crate::dialects::claude::{BETA_HEADER, ID, VERSION_HEADER, VERSION_WITH_SAMPLING};
use crate::dialects::mcp;
use crate::error::{Error, Result};
use crate::http;
use crate::ir;

/// Claude Messages.
#[derive(Clone, Copy, Debug)]
pub struct Claude;

impl Backend for Claude {
    fn dialect(&self) -> &'static str {
        ID
    }

    fn endpoint(&self, target: &Target, _delivery: ir::Delivery, headers: &[ir::DialectHeader]) -> http::Request {
        let url = match &target.endpoints.messages_path {
            Some(path) => format!("{}{path}", target.base_url.trim_end_matches('/')),
            None => target.url("v1", "/messages"),
        };
        let mut request = target.post(url);
        if let Some(key) = &target.api_key {
            request.headers.set_default("x-api-key", key.expose());
        }
        for header in headers.iter().filter(|header| header.dialect == ID) {
            match request.headers.get(header.name) {
                // The betas of the configuration and the client's go together.
                Some(configured) if header.name == BETA_HEADER => {
                    let both = join_betas(configured, &header.value);
                    request.headers.set(BETA_HEADER, both);
                }
                _ => request.headers.set_default(header.name, header.value.as_str()),
            }
        }
        request.headers.set_default(VERSION_HEADER, VERSION_WITH_SAMPLING);
        request
    }

    fn wants_content(&self, media: &ir::Media, _target: &Target) -> bool {
        blocks::wants_content(media)
    }

    fn raise(&self, cx: &mut Cx, request: &ir::Request, target: &Target) -> Result<Raised> {
        let mut call = self.endpoint(target, request.delivery, &request.headers);
        let (body, memo) = request::raise(cx, request, target)?;
        if body.has_sampling() {
            call.headers.set(VERSION_HEADER, VERSION_WITH_SAMPLING);
        }
        if body.has_servers {
            let betas = join_betas(call.headers.get(BETA_HEADER).unwrap_or_default(), mcp::CLAUDE_BETA);
            call.headers.set(BETA_HEADER, betas);
        }
        call.body = body.bytes;
        Ok(Raised { call: super::Call::Send(call), memo })
    }

    fn counter(&self, raised: &http::Request) -> Option<http::Request> {
        // Anything else is refused: the counter takes what makes the prompt.
        const FIELDS: [&str; 11] = [
            "model",
            "messages",
            "system",
            "tools",
            "tool_choice",
            "thinking",
            "output_config",
            "cache_control",
            "context_management",
            "mcp_servers",
            "speed",
        ];
        let body = super::only_fields(&raised.body, &FIELDS)?;
        Some(http::Request { url: format!("{}/count_tokens", raised.url), body, ..raised.clone() })
    }

    fn parse_count(&self, body: &[u8]) -> Option<u64> {
        super::number_in(body, "input_tokens")
    }

    fn parse(&self, cx: &mut Cx, memo: &Memo) -> Result<ir::Response> {
        response::parse(cx, memo)
    }

    fn parse_error(&self, status: u16, headers: &http::Headers, body: &[u8]) -> Error {
        error::parse(status, headers, body)
    }

    fn decoder(&self, memo: &Memo) -> Box<dyn Decoder> {
        Box::new(stream::ClaudeDecoder::new(memo.clone()))
    }
}

fn join_betas(configured: &str, asked: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    for beta in configured.split(',').chain(asked.split(',')).map(str::trim) {
        if !beta.is_empty() && !out.contains(&beta) {
            out.push(beta);
        }
    }
    out.join(",")
}
