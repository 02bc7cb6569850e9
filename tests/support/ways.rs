//! Short ways through the library, without a gateway: what the pipeline does, one step at a time.
#![expect(clippy::unwrap_used, reason = "a test may fail so")]

use any_api::backends::{self, Backend, Call, Memo, Names, Raised, Target};
use any_api::capabilities::Capabilities;
use any_api::context::{Cx, Ids};
use any_api::diagnostics::{Diagnostic, Level};
use any_api::error::Error;
use any_api::frontends::{self, Asked, Frontend, Lowered, Operation, Route};
use any_api::ir;

/// The clock of all tests.
pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) fn frontend(dialect: &str) -> &'static dyn Frontend {
    frontends::of_dialect(dialect).unwrap()
}

pub(crate) fn backend(dialect: &str) -> &'static dyn Backend {
    backends::of_dialect(dialect).unwrap()
}

/// The upstream of all tests: the model's name is one that no capability table knows, unless `model` says otherwise.
pub(crate) fn target(model: &str) -> Target {
    Target {
        provider: "upstream".to_owned(),
        model: model.to_owned(),
        capabilities: Capabilities::of(model),
        base_url: "https://upstream.example".to_owned(),
        ..Target::default()
    }
}

pub(crate) fn cx(document: &str) -> Cx {
    Cx::new(ir::Body::new(document.to_owned()), NOW, Ids::new(7))
}

/// A route without a path; Gemini's say the model and the delivery in theirs.
pub(crate) fn route(dialect: &str, delivery: ir::Delivery) -> Route {
    let mut route = Route::to(Operation::Generate);
    if dialect == "gemini" {
        route.model = Some("upstream.model".to_owned());
        route.delivery = Some(delivery);
    }
    route
}

/// Lowers a document of a client.
pub(crate) fn lower(dialect: &str, document: &str, delivery: ir::Delivery) -> Result<(Cx, Lowered), Error> {
    let mut cx = cx(document);
    let mut lowered = frontend(dialect).lower(&mut cx, &route(dialect, delivery))?;
    lowered.request.settle_hosted_tools();
    Ok((cx, lowered))
}

/// Raises a request for an upstream of `dialect`, and tells the losses of lowering and raising. As in the pipeline, a
/// loss that is denied is the reason where there is one, also where no body could be made of the rest.
pub(crate) fn raise(cx: &Cx, request: &ir::Request, dialect: &str) -> Result<(Raised, Vec<Diagnostic>), Refused> {
    raise_to(cx, request, dialect, &target("model"))
}

/// The same, for an upstream of which more is known.
pub(crate) fn raise_to(
    cx: &Cx,
    request: &ir::Request,
    dialect: &str,
    target: &Target,
) -> Result<(Raised, Vec<Diagnostic>), Refused> {
    let mut cx = cx.clone();
    let raised = backend(dialect).raise(&mut cx, request, target);
    let mut losses: Vec<Diagnostic> = Vec::new();
    for loss in cx.take_diagnostics() {
        if loss.code.level > Level::Allow && !losses.contains(&loss) {
            losses.push(loss);
        }
    }
    match raised {
        _ if losses.iter().any(|loss| loss.code.level == Level::Deny) => Err(Refused::Denied(losses)),
        Ok(raised) => Ok((raised, losses)),
        Err(error) => Err(Refused::Impossible(error)),
    }
}

/// Why a request is not sent.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Some of these are denied.
    Denied(Vec<Diagnostic>),
    /// No body could be made.
    Impossible(Error),
}

/// The body that would be sent.
pub(crate) fn body(raised: &Raised) -> Vec<u8> {
    match &raised.call {
        Call::Send(request) => request.body.clone(),
        Call::Answered(chunks) => chunks.concat(),
    }
}

/// What a backend remembers of a request that no answer depends on.
pub(crate) fn memo(dialect: &str) -> Memo {
    let issuer = target("model").issuer(backend(dialect).dialect());
    Memo { issuer, names: Names::default(), now: NOW, ids: Ids::new(11), cuts: Vec::new() }
}

/// What a renderer repeats of a request that no answer depends on.
pub(crate) fn asked(delivery: ir::Delivery) -> Asked {
    let request = ir::Request { model: "upstream.model".into(), delivery, ..ir::Request::default() };
    let asked = Asked::new(&mut cx(""), &request);
    Asked { include_usage: true, ids: Ids::new(13), ..asked }
}

/// Parses a whole answer.
pub(crate) fn parse(dialect: &str, document: &str) -> Result<(Cx, ir::Response), Error> {
    let mut cx = cx(document);
    let response = backend(dialect).parse(&mut cx, &memo(dialect))?;
    Ok((cx, response))
}

/// Renders a whole answer.
pub(crate) fn render(dialect: &str, cx: &Cx, response: ir::Response) -> (Vec<u8>, Vec<Diagnostic>) {
    let mut cx = cx.clone();
    let body = frontend(dialect).render(&mut cx, &asked(ir::Delivery::Whole), response);
    (body, cx.take_diagnostics())
}

/// The events of a streamed answer that comes in `chunks`.
pub(crate) fn decode<'a>(
    dialect: &str,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<ir::Event>, Vec<Diagnostic>) {
    let mut out = ir::Emitter::new(Ids::new(17));
    let mut decoder = backend(dialect).decoder(&memo(dialect));
    for chunk in chunks {
        decoder.push(chunk, &mut out);
    }
    decoder.finish(&mut out);
    (out.take(), out.take_diagnostics())
}

/// An event as a client's encoder gets it: an end that its dialect has no word for is a failure.
fn told(dialect: &str, event: ir::Event) -> ir::Event {
    match event {
        ir::Event::Finish(finish) => match frontend(dialect).failure(&finish) {
            Some(failure) => ir::Event::Failed(failure),
            None => ir::Event::Finish(finish),
        },
        other => other,
    }
}

/// What a client gets of `events`.
pub(crate) fn encode(dialect: &str, events: &[ir::Event]) -> Vec<u8> {
    encode_all(dialect, events).0
}

/// The same, and what it cannot be told.
pub(crate) fn encode_all(dialect: &str, events: &[ir::Event]) -> (Vec<u8>, Vec<Diagnostic>) {
    let mut out = Vec::new();
    let mut encoder = frontend(dialect).encoder(&asked(ir::Delivery::Stream));
    for event in events {
        encoder.push(told(dialect, event.clone()), &mut out);
    }
    encoder.finish(&mut out);
    (out, encoder.take_losses())
}
