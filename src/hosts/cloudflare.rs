//! The Cloudflare Worker.
//!
//! It uses the runtime's own request and response types: the `http` crate's would copy every pass-through body through
//! WebAssembly. An isolate serves many requests at once and shares nothing between them but the configuration.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use futures_util::{Stream, StreamExt, stream};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use worker::wasm_bindgen::JsCast;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::closure::Closure;
use worker::{
    ByteStream, Context, Date, Delay, Env, Fetch, Request, Response, ResponseBody, ResponseBuilder, Result,
    console_error, console_log, console_warn, event, js_sys, web_sys,
};

use super::kv::Namespace;
use super::log::JsonLines;
use crate::config::Timeouts;
use crate::conversations::{Record, Store};
use crate::error::{Error, Kind};
use crate::http;
use crate::pipeline::{
    Collector, Due, Gateway, Heard, Lookup, MAX_BODY_BYTES, Moment, Opening, Received, Reply, Stage, Step, Translator,
    Watch,
};

thread_local! {
    /// An isolate's variables do not change, so the configuration is read once.
    static GATEWAY: OnceCell<Rc<Gateway>> = const { OnceCell::new() };
}

/// An instance of the WebAssembly begins.
#[event(start)]
fn start() {
    let write = |level, line: &str| match level {
        tracing::Level::ERROR => console_error!("{line}"),
        tracing::Level::WARN => console_warn!("{line}"),
        _ => console_log!("{line}"),
    };
    // A second start in one isolate, after a panic, finds the subscriber set.
    let _ = tracing_subscriber::registry().with(JsonLines { level: tracing::Level::INFO, write }).try_init();
}

/// Answers a request. A client that leaves ends the work at once: without that its future would never be dropped, since
/// the promises it waits for never settle.
///
/// # Errors
/// The runtime refuses what we made of the answer; the entry point then tells the client that the gateway failed.
#[event(fetch)]
pub async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    let gone = Gone::of(&request);
    match select(pin!(answer(request, &env, context)), gone).await {
        Either::Left((response, _)) => response,
        Either::Right(_) => Response::error("the client has left", 499),
    }
}

fn gateway(env: &Env) -> Rc<Gateway> {
    let make = || {
        let gateway = Gateway::new(&|name| setting(env, name));
        for problem in gateway.problems() {
            tracing::warn!(place = problem.place, message = problem.message, "configuration");
        }
        Rc::new(gateway)
    };
    GATEWAY.with(|gateway| Rc::clone(gateway.get_or_init(make)))
}

/// A variable or secret; one of JSON type is given as its text.
fn setting(env: &Env, name: &str) -> Option<String> {
    let value = js_sys::Reflect::get(env, &JsValue::from(name)).ok()?;
    if value.is_undefined() || value.is_null() {
        return None;
    }
    value.as_string().or_else(|| js_sys::JSON::stringify(&value).ok()?.as_string())
}

fn moment() -> Moment {
    Moment { now: Date::now().as_millis() / 1000, seed: random() }
}

/// A number that nobody can guess: a UUID, which has 122 bits of chance.
fn random() -> u128 {
    let of = |object: &JsValue, name: &str| js_sys::Reflect::get(object, &JsValue::from(name)).ok();
    let uuid = of(&js_sys::global(), "crypto").and_then(|crypto| {
        let make: js_sys::Function = of(&crypto, "randomUUID")?.dyn_into().ok()?;
        make.call0(&crypto).ok()?.as_string()
    });
    let digits = uuid.unwrap_or_default().replace('-', "");
    u128::from_str_radix(&digits, 16).unwrap_or_default()
}

async fn answer(mut request: Request, env: &Env, context: Context) -> Result<Response> {
    let gateway = gateway(env);
    let memory = Memory::of(&gateway, env, context);
    let head = head(&request)?;
    let inbound = match gateway.receive(&head, moment()) {
        Received::Answer(response) => return whole(response),
        Received::Kept(lookup) => return whole(memory.look_up(*lookup).await),
        Received::Body(inbound) => inbound,
    };
    let length = head.headers.get("content-length").and_then(|length| length.parse::<usize>().ok());
    if length.is_some_and(|length| length > MAX_BODY_BYTES) {
        let message = format!("the body is larger than {MAX_BODY_BYTES} bytes");
        return whole(inbound.refuse(&Error::new(Kind::TooLarge, message)));
    }
    let body = request.bytes().await?;
    let mut plan = match gateway.plan(*inbound, body) {
        Ok(plan) => plan,
        Err(refusal) => return whole(refusal),
    };
    while let Some(name) = plan.need() {
        plan = match plan.meet(memory.namespace.get(&name).await) {
            Ok(plan) => plan,
            Err(refusal) => return whole(refusal),
        };
    }
    match plan.raise(0) {
        Step::Answer(response) => whole(response),
        Step::Answered { chunks, reply } => answered(chunks, *reply, &memory).await,
        Step::Send { request, timeouts, reply } => send(&request, timeouts, *reply, memory).await,
    }
}

/// Where conversations are kept, and what lets that outlive the request.
struct Memory {
    namespace: Namespace,
    context: Context,
}

/// How long the end of an answer waits for its turn to be kept, in milliseconds.
const KEEPING_MS: u64 = 2_000;

impl Memory {
    fn of(gateway: &Gateway, env: &Env, context: Context) -> Self {
        let namespace = if gateway.store().is_some() { Namespace::bound(env) } else { Namespace::default() };
        Self { namespace, context }
    }

    async fn look_up(&self, lookup: Lookup) -> http::Response {
        let Some(name) = lookup.name() else { return lookup.answer(Ok(None)) };
        let mut found = self.namespace.get(name).await;
        if lookup.deletes()
            && let Ok(Some(_)) = &found
            && let Err(error) = self.namespace.delete(name).await
        {
            found = Err(error);
        }
        lookup.answer(found)
    }

    /// Keeps a turn, also if the client leaves in between; waits for it a little, since the client may go on from it at
    /// once.
    async fn keep(&self, record: Option<Record>) {
        let Some(record) = record else { return };
        let namespace = self.namespace.clone();
        let (kept, waits) = oneshot::channel::<()>();
        self.context.wait_until(async move {
            if let Err(error) = namespace.put(record).await {
                tracing::error!(%error, "a conversation is not kept");
            }
            drop(kept);
        });
        select(waits, Delay::from(Duration::from_millis(KEEPING_MS))).await;
    }
}

fn head(request: &Request) -> Result<http::Request> {
    let url = request.url()?;
    Ok(http::Request {
        method: request.method().to_string(),
        url: url.path().to_owned(),
        query: url.query().unwrap_or_default().to_owned(),
        headers: request.headers().entries().collect(),
        body: Vec::new(),
    })
}

async fn send(request: &http::Request, timeouts: Timeouts, reply: Reply, memory: Memory) -> Result<Response> {
    let mut watch = Watch::new(timeouts, now());
    let fetched = match outgoing(request) {
        Ok(request) => in_time(&mut watch, Fetch::Request(request).send()).await,
        Err(error) => Ok(Err(error)),
    };
    let response = match fetched {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return whole(reply.unreachable(&unreachable(&error))),
        Err(error) => return whole(reply.unreachable(&error)),
    };
    let status = response.status_code();
    let headers = response.headers().entries().collect();
    match reply.head(status, headers) {
        Stage::Answer(response) => whole(response),
        Stage::PassThrough(head) => {
            // Handed through untouched the runtime moves the bytes by itself, which costs a tenth; it also means that its
            // body is out of our sight, and of the time limits.
            let (_, body) = response.into_parts();
            Ok(builder(&head)?.body(body))
        }
        Stage::Collect(collector) => {
            let exchange = Exchange { watch, body: chunks(response)? };
            whole(collect(exchange, *collector, &memory).await)
        }
        Stage::Translate(translator) => open(Exchange { watch, body: chunks(response)? }, translator, memory).await,
    }
}

/// Waits for headers, no longer than the limits allow.
async fn in_time<T>(watch: &mut Watch, headers: impl Future<Output = T>) -> Result<T, Error> {
    let mut headers = pin!(headers);
    loop {
        match select(headers.as_mut(), timer(watch)).await {
            Either::Left((out, _)) => return Ok(out),
            Either::Right(_) => {
                if let Some(Due::GiveUp(error)) = watch.due(now()) {
                    return Err(error);
                }
            }
        }
    }
}

/// Is done when something may be due. One for each wait: a timer of the runtime wakes only the task that first asked for it.
fn timer(watch: &Watch) -> Delay {
    // The runtime takes milliseconds of 31 bits; who wakes too early looks again.
    let wait = watch.next().saturating_sub(now()).min(1 << 30);
    Delay::from(Duration::from_millis(wait))
}

fn now() -> u64 {
    Date::now().as_millis()
}

/// The chunks of a body.
type Chunks = Pin<Box<dyn Stream<Item = Result<Vec<u8>>>>>;

fn chunks(mut response: Response) -> Result<Chunks> {
    Ok(match response.body() {
        ResponseBody::Empty => stream::empty().boxed_local(),
        ResponseBody::Body(_) | ResponseBody::Stream(_) => {
            let body: ByteStream = response.stream()?;
            body.boxed_local()
        }
    })
}

/// An upstream that answers, held to its time limits. Dropping it cancels the answer.
struct Exchange {
    watch: Watch,
    body: Chunks,
}

impl Exchange {
    async fn next(&mut self) -> Heard<Vec<u8>> {
        loop {
            let timer = timer(&self.watch);
            match select(self.body.next(), timer).await {
                Either::Left((Some(Ok(chunk)), _)) => {
                    self.watch.heard(now());
                    return Heard::Chunk(chunk);
                }
                Either::Left((Some(Err(error)), _)) => return Heard::Failed(broken_off(&error)),
                Either::Left((None, _)) => return Heard::End,
                Either::Right(_) => match self.watch.due(now()) {
                    Some(Due::KeepAlive) => return Heard::Silence,
                    Some(Due::GiveUp(error)) => return Heard::Failed(error),
                    None => {}
                },
            }
        }
    }
}

async fn collect(mut exchange: Exchange, mut collector: Collector, memory: &Memory) -> http::Response {
    let mut body = Vec::new();
    loop {
        match exchange.next().await {
            Heard::Chunk(chunk) if body.len() + chunk.len() > MAX_BODY_BYTES => {
                return collector.fail(&Error::unreadable("the upstream's answer is too large"));
            }
            Heard::Chunk(chunk) => body.extend_from_slice(&chunk),
            Heard::End => {
                let response = collector.finish(body);
                memory.keep(collector.take_record()).await;
                return response;
            }
            Heard::Failed(error) => return collector.fail(&error),
            Heard::Silence => {}
        }
    }
}

/// Waits until it is known whether the answer is a stream or a refusal.
async fn open(mut exchange: Exchange, mut translator: Box<Translator>, memory: Memory) -> Result<Response> {
    let mut out = Vec::new();
    exchange.watch.keep_alive(now());
    while translator.hear(exchange.next().await, &mut out) {
        if let Some(Opening::Begun(head)) = translator.opening() {
            exchange.watch.told(now());
            return builder(&head)?.from_stream(translated(exchange, translator, memory, out));
        }
    }
    memory.keep(translator.take_record()).await;
    opened(&translator, out)
}

/// A translator's answer that is whole.
fn opened(translator: &Translator, out: Vec<u8>) -> Result<Response> {
    match translator.opening() {
        Some(Opening::Begun(head)) => Ok(builder(&head)?.fixed(out)),
        Some(Opening::Refused(response)) => whole(response),
        // It ends in the one or the other.
        None => Response::error("the upstream's answer is empty", 502),
    }
}

/// What was written already, then one chunk for the client for each chunk of the upstream that has something to say: chunks
/// are what costs here.
fn translated(
    exchange: Exchange,
    translator: Box<Translator>,
    memory: Memory,
    written: Vec<u8>,
) -> impl Stream<Item = Result<Vec<u8>>> {
    let state = (exchange, Some(translator), memory, written);
    stream::unfold(state, |(mut exchange, mut slot, memory, mut out)| async move {
        while out.is_empty() {
            let translator = slot.as_mut()?;
            let goes_on = translator.hear(exchange.next().await, &mut out);
            // The end of the answer waits until the turn is kept.
            memory.keep(translator.take_record()).await;
            if !goes_on {
                slot = None;
            }
            if !out.is_empty() {
                exchange.watch.told(now());
            }
        }
        Some((Ok(out), (exchange, slot, memory, Vec::new())))
    })
}

/// An answer that needed no network.
async fn answered(chunks: Vec<Vec<u8>>, reply: Reply, memory: &Memory) -> Result<Response> {
    match reply.head(200, http::Headers::new()) {
        Stage::Answer(response) => whole(response),
        Stage::PassThrough(head) => Ok(builder(&head)?.fixed(chunks.concat())),
        Stage::Collect(mut collector) => {
            let response = collector.finish(chunks.concat());
            memory.keep(collector.take_record()).await;
            whole(response)
        }
        Stage::Translate(mut translator) => {
            let mut out = Vec::new();
            chunks.iter().for_each(|chunk| translator.push(chunk, &mut out));
            translator.finish(&mut out);
            memory.keep(translator.take_record()).await;
            opened(&translator, out)
        }
    }
}

/// The request to an upstream. Redirects are not followed: a key must not go where the configuration does not say.
fn outgoing(request: &http::Request) -> Result<Request> {
    let headers = worker::Headers::new();
    for (name, value) in request.headers.iter() {
        headers.append(name, value)?;
    }
    let init = web_sys::RequestInit::new();
    init.set_method(&request.method);
    init.set_headers(&headers.0);
    init.set_redirect(web_sys::RequestRedirect::Manual);
    init.set_body(&js_sys::Uint8Array::from(request.body.as_slice()));
    Ok(web_sys::Request::new_with_str_and_init(&request.url, &init)?.into())
}

fn unreachable(error: &worker::Error) -> Error {
    let mut out = Error::new(Kind::Server, format!("the upstream cannot be reached: {error}"));
    out.status = Some(502);
    out.code = Some("upstream_unreachable".to_owned());
    out
}

fn broken_off(error: &worker::Error) -> Error {
    let mut out = Error::cut_short();
    out.message = format!("{}: {error}", out.message);
    out
}

fn whole(response: http::Response) -> Result<Response> {
    let builder = builder(&response)?;
    Ok(if response.body.is_empty() { builder.empty() } else { builder.fixed(response.body) })
}

fn builder(head: &http::Response) -> Result<ResponseBuilder> {
    let headers = worker::Headers::new();
    for (name, value) in head.headers.iter() {
        headers.append(name, value)?;
    }
    Ok(ResponseBuilder::new().with_status(head.status.clamp(200, 599)).with_headers(headers))
}

/// Is done when the client has left.
struct Gone {
    signal: web_sys::AbortSignal,
    state: Rc<GoneState>,
    /// Lives as long as the signal may call it.
    _listener: Closure<dyn FnMut()>,
}

#[derive(Default)]
struct GoneState {
    gone: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Gone {
    fn of(request: &Request) -> Self {
        let signal = request.inner().signal();
        let state = Rc::new(GoneState::default());
        state.gone.set(signal.aborted());
        let heard = Rc::clone(&state);
        let listener = Closure::<dyn FnMut()>::new(move || {
            heard.gone.set(true);
            if let Some(waker) = heard.waker.take() {
                waker.wake();
            }
        });
        signal.set_onabort(Some(listener.as_ref().unchecked_ref()));
        Self { signal, state, _listener: listener }
    }
}

impl Future for Gone {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        if self.state.gone.get() {
            return Poll::Ready(());
        }
        self.state.waker.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.signal.set_onabort(None);
    }
}
