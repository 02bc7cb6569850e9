//! Gemini's `generateContent` and `streamGenerateContent`, as upstreams speak them.

mod answer;
mod frames;
mod history;
mod pieces;
mod request;
mod stream;
mod thinking;
mod tools;

use crate::backends::{Backend, Decoder, Memo, Raised, Target};
use crate::context::Cx;
use crate::dialects::gemini::ID;
use crate::error::{Error, Result};
use crate::http;
use crate::ir;

/// The backend.
#[derive(Clone, Copy, Debug)]
pub struct Gemini;

impl Backend for Gemini {
    fn dialect(&self) -> &'static str {
        ID
    }

    fn endpoint(&self, target: &Target, delivery: ir::Delivery, _headers: &[ir::DialectHeader]) -> http::Request {
        let method = match delivery {
            ir::Delivery::Whole => "generateContent",
            // Without `alt` it would be one JSON array; the decoder reads that, too.
            ir::Delivery::Stream => "streamGenerateContent?alt=sse",
        };
        let model = target.model.as_str();
        let collection = if model.starts_with("models/") || model.starts_with("tunedModels/") { "" } else { "models/" };
        let url = target.url("v1beta", &format!("/{collection}{model}:{method}"));
        let mut out = target.post(url);
        if let Some(key) = &target.api_key {
            out.headers.set_default("x-goog-api-key", key.expose());
        }
        out
    }

    fn wants_content(&self, media: &ir::Media, target: &Target) -> bool {
        history::wants_content(media, target)
    }

    fn raise(&self, cx: &mut Cx, request: &ir::Request, target: &Target) -> Result<Raised> {
        request::raise(cx, request, target, self.endpoint(target, request.delivery, &request.headers))
    }

    fn counter(&self, raised: &http::Request) -> Option<http::Request> {
        let url = raised.url.strip_suffix(":generateContent")?;
        // Inside of `generateContentRequest` instructions and tools are counted too; it has to name the model again.
        let (_, model) = url.rsplit_once("/models/").or_else(|| url.rsplit_once("/tunedModels/"))?;
        let collection = if url.contains("/tunedModels/") { "tunedModels" } else { "models" };
        let mut inner: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&raised.body).ok()?;
        inner.insert("model".to_owned(), format!("{collection}/{model}").into());
        let body = serde_json::json!({ "generateContentRequest": inner }).to_string().into_bytes();
        Some(http::Request { url: format!("{url}:countTokens"), body, ..raised.clone() })
    }

    fn parse_count(&self, body: &[u8]) -> Option<u64> {
        super::number_in(body, "totalTokens")
    }

    fn parse(&self, cx: &mut Cx, memo: &Memo) -> Result<ir::Response> {
        stream::parse(cx, memo)
    }

    fn parse_error(&self, status: u16, headers: &http::Headers, body: &[u8]) -> Error {
        answer::error(status, headers, body)
    }

    fn decoder(&self, memo: &Memo) -> Box<dyn Decoder> {
        Box::new(stream::GeminiDecoder::new(memo))
    }
}
