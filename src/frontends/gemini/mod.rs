//! Gemini's `generateContent` and `streamGenerateContent`, as clients speak them.

mod pieces;
mod places;
mod request;
mod response;
mod stream;
mod thoughts;

use crate::context::Cx;
use crate::dialects::gemini::{ID, status_word};
use crate::error::{Error, Result};
use crate::frontends::{Asked, Encoder, Frontend, Lowered, Operation, Route};
use crate::http;
use crate::ir;

/// The frontend.
#[derive(Clone, Copy, Debug)]
pub struct Gemini;

impl Frontend for Gemini {
    fn dialect(&self) -> &'static str {
        ID
    }

    fn claim(&self, method: &str, path: &str, query: &str) -> Option<Route> {
        let path = path.strip_prefix("/gemini").unwrap_or(path);
        let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
        let id = rest.strip_prefix("models/").or_else(|| rest.strip_prefix("tunedModels/"))?;
        if method != "POST" || !matches!(version, "v1" | "v1beta" | "v1alpha") {
            return None;
        }
        generation(&http::percent_decode(id), query)
    }

    fn lower(&self, cx: &mut Cx, route: &Route) -> Result<Lowered> {
        cx.settings_at(places::of);
        let request = request::lower(cx, route)?;
        let asked = Asked { sse: route.sse, ..Asked::new(cx, &request) };
        Ok(Lowered { request, asked })
    }

    fn render(&self, cx: &mut Cx, asked: &Asked, response: ir::Response) -> Vec<u8> {
        response::render(cx, asked, response)
    }

    fn tells_malformed(&self) -> bool {
        true
    }

    fn render_error(&self, error: &Error) -> http::Response {
        let status = error.status.unwrap_or_else(|| error.kind.status());
        http::Response::json(status, error_body(error))
    }

    fn encoder(&self, asked: &Asked) -> Box<dyn Encoder> {
        Box::new(stream::GeminiEncoder::new(asked))
    }
}

/// `{id}:{method}`: the method is what follows the last colon.
fn generation(id: &str, query: &str) -> Option<Route> {
    let (model, method) = id.rsplit_once(':')?;
    let (operation, delivery) = match method {
        "generateContent" => (Operation::Generate, ir::Delivery::Whole),
        "streamGenerateContent" => (Operation::Generate, ir::Delivery::Stream),
        "countTokens" => (Operation::CountTokens { answer_field: "totalTokens" }, ir::Delivery::Whole),
        _ => return None,
    };
    // Google's servers take each of their system parameters with a dollar sign, too.
    let is_sse =
        |(name, value): (String, String)| matches!(name.as_str(), "alt" | "$alt") && value.eq_ignore_ascii_case("sse");
    let wants_sse = http::parameters(query).any(is_sse);
    Some(Route {
        model: Some(model.to_owned()),
        delivery: Some(delivery),
        sse: delivery == ir::Delivery::Whole || wants_sse,
        ..Route::to(operation)
    })
}

/// An error as Google writes it. An upstream's own stays as it came.
fn error_body(error: &Error) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Body<'a> {
        // First, as Google's Python client looks at the first key of what a stream brings.
        error: Inner<'a>,
    }
    #[derive(serde::Serialize)]
    struct Inner<'a> {
        code: u16,
        message: String,
        status: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        details: Vec<serde_json::Value>,
    }
    if let Some(native) = error.native.as_ref().filter(|native| native.dialect == ID) {
        return native.body.clone().into_bytes();
    }
    let mut details = Vec::new();
    if let Some(code) = &error.code {
        details.push(serde_json::json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": code.to_ascii_uppercase(),
        }));
    }
    if let Some(place) = &error.place {
        details.push(serde_json::json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{ "field": place, "description": error.message }],
        }));
    }
    // A date has no form here; a number of seconds has.
    if let Some(seconds) = error.retry_after.as_ref().filter(|value| value.parse::<f64>().is_ok()) {
        details.push(serde_json::json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{seconds}s"),
        }));
    }
    let inner = Inner {
        code: error.status.unwrap_or_else(|| error.kind.status()),
        message: error.full_message(),
        status: status_word(error.kind),
        details,
    };
    let mut out = Vec::new();
    crate::sse::write_json_line(&Body { error: inner }, &mut out);
    out
}
