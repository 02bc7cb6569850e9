//! The relay: client and upstream speak the same dialect and nothing has to be changed, so the best translation is none.

use std::ops::Range;

use memchr::memmem;
use serde_json::value::RawValue;

use crate::backends::Backend;
use crate::config::Resolved;
use crate::envelope;
use crate::error::{Error, Result};
use crate::frontends::{Frontend, Operation, Route};
use crate::ir;
use crate::json::{self, Str, wire};

wire! {
    /// What the gateway itself must know of a body. The rest is skipped, not read.
    struct Top<'a> {
        "model" model: &'a RawValue,
        "stream" stream: &'a RawValue,
    }
}

/// What a shallow look at a body found.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The model's name.
    pub(super) model: String,
    /// Whole or streamed.
    pub(super) delivery: ir::Delivery,
    /// Where the model's value stands in the body; `None` where the path names it.
    at: Option<Range<usize>>,
}

/// Looks at a body. Bad JSON, JSON that is nested too deep and a missing model are refused here, whichever way the request
/// will take.
pub(super) fn peek(document: &ir::Body, route: &Route) -> Result<Seen> {
    let body = document.as_str();
    let top: Top<'_> = json::document(document)?;
    if let Some(model) = &route.model {
        return Ok(Seen { model: model.clone(), delivery: route.delivery.unwrap_or_default(), at: None });
    }
    let raw = top.model.ok_or_else(|| Error::invalid("model", "this field is required"))?;
    let model: Str<'_> = json::read(raw.get()).map_err(|error| Error::invalid("model", error.message.as_str()))?;
    if model.is_empty() {
        return Err(Error::invalid("model", "the model's name is empty"));
    }
    let start = (raw.get().as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
    let is_stream = top.stream.is_some_and(|raw| raw.get() == "true");
    let delivery = if is_stream { ir::Delivery::Stream } else { ir::Delivery::Whole };
    Ok(Seen { model: model.into_owned(), delivery, at: Some(start..start + raw.get().len()) })
}

impl Seen {
    /// The body with the model's name replaced, and not another byte.
    pub(super) fn with_model(&self, body: &str, model: &str) -> String {
        let Some(at) = &self.at else { return body.to_owned() };
        let name = ir::Json::of(model);
        let head = body.get(..at.start).unwrap_or_default();
        let tail = body.get(at.end..).unwrap_or_default();
        [head, name.as_str(), tail].concat()
    }
}

/// Whether the relay carries this request.
pub(super) fn applies(
    frontend: &dyn Frontend,
    backend: &dyn Backend,
    route: &Route,
    resolved: &Resolved,
    seen: &Seen,
    body: &str,
) -> bool {
    frontend.dialect() == resolved.dialect
        && matches!(route.operation, Operation::Generate | Operation::Beside { .. })
        && route.sse
        && resolved.quirks == crate::quirks::Quirks::default()
        && resolved.options.reasoning_effort.is_none()
        && resolved.delivery.is_none_or(|delivery| delivery == seen.delivery)
        && !holds(body, envelope::MARK)
        && !frontend.made_up_ids().iter().any(|id| holds(body, id))
        && !resolved.targets.first().is_some_and(|target| backend.mends(body, target))
}

/// Whether `mark` stands anywhere in a body. The standard library looks for it byte by byte, which tells in half a megabyte.
fn holds(body: &str, mark: &str) -> bool {
    memmem::find(body.as_bytes(), mark.as_bytes()).is_some()
}
