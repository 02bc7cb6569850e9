//! The Cloudflare Worker.
//!
//! What costs in the runtime is crossing between JavaScript and WebAssembly, and each promise: more than the translation
//! itself. So cloudflare.js moves the bytes with the runtime's own means, and an [`Exchange`] says what to do next. It is
//! called with plain strings and bytes, and none of its calls waits. `docs/adr/0005` has the figures.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen::{self, JsValue};
use worker::{Env, console_error, console_log, console_warn, event, js_sys};

use super::log::JsonLines;
use crate::config::Timeouts;
use crate::conversations::{self, Record};
use crate::error::{Error, Kind};
use crate::fetch::{Address, Cause, Fetches, Next};
use crate::http;
use crate::pipeline::{
    self, Collector, Due, Gateway, Heard, Inbound, Lookup, MAX_BODY_BYTES, Moment, Opening, Plan, Received, Reply,
    Stage, Translator, Watch,
};

thread_local! {
    /// An isolate's variables do not change, so the configuration is read once.
    static GATEWAY: OnceCell<Rc<Gateway>> = const { OnceCell::new() };

    /// How many bytes of clients' bodies are in the isolate.
    static IN_FLIGHT: Cell<usize> = const { Cell::new(0) };
}

/// How many bytes of clients' bodies an isolate takes at once. It has 128 MB for everything, and a body is in it up to twice
/// as it came and twice as it goes on. Who exhausts an isolate takes all its other requests along.
const MAX_BYTES_IN_FLIGHT: usize = 40 << 20;

/// Room for a body, given back when this is dropped.
#[derive(Debug)]
struct Room(usize);

impl Room {
    /// Room for so many bytes.
    ///
    /// # Errors
    /// There is never so much, or not at the moment.
    fn take(bytes: usize) -> Result<Self, Error> {
        if bytes > MAX_BYTES_IN_FLIGHT {
            let message =
                format!("the body is larger than {MAX_BYTES_IN_FLIGHT} bytes, which is what a Worker has room for");
            return Err(Error::new(Kind::TooLarge, message));
        }
        let all = IN_FLIGHT.get() + bytes;
        if all > MAX_BYTES_IN_FLIGHT {
            let message =
                "the gateway has no room for the body at the moment, since it handles other large ones: try again";
            let mut error = Error::new(Kind::Overloaded, message);
            error.retry_after = Some("1".to_owned());
            return Err(error.with_code("gateway_busy"));
        }
        IN_FLIGHT.set(all);
        Ok(Self(bytes))
    }
}

impl Room {
    /// Takes more, if there is room for it.
    fn grow(&mut self, bytes: usize) -> bool {
        let all = IN_FLIGHT.get() + bytes;
        let fits = all <= MAX_BYTES_IN_FLIGHT;
        if fits {
            IN_FLIGHT.set(all);
            self.0 += bytes;
        }
        fits
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        IN_FLIGHT.set(IN_FLIGHT.get().saturating_sub(self.0));
    }
}

/// An instance of the WebAssembly begins.
#[event(start)]
fn start() {
    let write = |level, line: &str| match level {
        tracing::Level::ERROR => console_error!("{line}"),
        tracing::Level::WARN => console_warn!("{line}"),
        _ => console_log!("{line}"),
    };
    JsonLines { level: tracing::Level::INFO, write }.listen();
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

/// What the entry point does next with an exchange.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reads the client's body, then [`Exchange::read`].
    Read,
    /// Looks up the record of [`Exchange::record_name`], forgets it if the exchange says so, then [`Exchange::recalled`].
    Recall,
    /// Fetches the files `0` to [`Exchange::fetch_count`], each from [`Exchange::fetch_url`], then [`Exchange::fetched`].
    Fetch,
    /// Sends the request that stands in the exchange, then [`Exchange::sent`] and [`Exchange::head`].
    Send,
    /// Answers with this head, and the upstream's body untouched.
    PassThrough,
    /// Hands on the upstream's body with [`Exchange::hear`] and [`Exchange::end`], until there is something else to do.
    Hear,
    /// Begins to answer, and hands on the upstream's body as before; what comes back is for the client, at once.
    Stream,
    /// Keeps [`Exchange::record`]; the client may go on from its answer at once, so its end waits a little.
    Keep,
    /// Answers; after a stream, ends it.
    Answer,
}

/// A request and its answer.
#[wasm_bindgen(wasm_bindgen = ::worker::wasm_bindgen)]
#[derive(Debug)]
pub struct Exchange {
    gateway: Rc<Gateway>,
    state: State,
    watch: Option<Watch>,
    /// A turn that is to be kept.
    record: Option<Record>,
    /// Until the request has gone on.
    room: Option<Room>,
}

#[derive(Debug)]
enum State {
    Body(Box<Inbound>),
    Lookup(Box<Lookup>),
    /// The plan needs the record of this name.
    Needs(Box<Plan>, String),
    /// The plan needs these from the web.
    Fetch(Box<Plan>, Box<Fetches>),
    Send(Box<http::Request>, Timeouts, Box<Reply>),
    Sent(Box<Reply>),
    PassThrough(http::Response),
    Collect(Box<Collector>, Vec<u8>),
    Translate(Box<Translator>),
    Answer(http::Response),
    /// There was a panic in between, or the entry point has lost its way.
    Lost,
}

#[wasm_bindgen(wasm_bindgen = ::worker::wasm_bindgen)]
impl Exchange {
    /// A request has come. `headers` are lines: a name, its value, the next name. `random` is a UUID; `now` is in
    /// milliseconds, as in all that follows.
    #[must_use]
    #[wasm_bindgen(constructor)]
    pub fn new(env: &Env, method: String, url: &str, headers: &str, random: &str, now: f64) -> Self {
        let gateway = gateway(env);
        let (path, query) = split(url);
        let request = http::Request {
            method,
            url: path.to_owned(),
            query: query.to_owned(),
            headers: fields(headers),
            body: Vec::new(),
        };
        let seed = u128::from_str_radix(&random.replace('-', ""), 16).unwrap_or_default();
        let mut room = None;
        let state = match gateway.receive(&request, Moment { now: milliseconds(now) / 1000, seed }) {
            Received::Answer(response) => State::Answer(response),
            Received::Kept(lookup) => State::Lookup(lookup),
            Received::Body(inbound) => {
                let length = request.headers.get("content-length").and_then(|length| length.parse().ok());
                match length.map(Room::take).transpose() {
                    Ok(taken) => {
                        room = taken;
                        State::Body(inbound)
                    }
                    Err(error) => State::Answer(inbound.refuse(&error)),
                }
            }
        };
        Self { gateway, state, watch: None, record: None, room }
    }

    /// What to do next.
    #[must_use]
    pub fn step(&self) -> Step {
        if self.record.is_some() {
            return Step::Keep;
        }
        match &self.state {
            State::Body(_) => Step::Read,
            State::Lookup(_) | State::Needs(..) => Step::Recall,
            State::Fetch(..) => Step::Fetch,
            State::Send(..) => Step::Send,
            State::PassThrough(_) => Step::PassThrough,
            State::Translate(translator) if translator.has_begun() => Step::Stream,
            State::Sent(_) | State::Collect(..) | State::Translate(_) => Step::Hear,
            State::Answer(_) | State::Lost => Step::Answer,
        }
    }

    /// The client's body.
    pub fn read(&mut self, body: Vec<u8>) {
        let State::Body(inbound) = self.take() else { return };
        if self.room.is_none() {
            // Its length was not known before it was there.
            match Room::take(body.len()) {
                Ok(room) => self.room = Some(room),
                Err(error) => {
                    self.state = State::Answer(inbound.refuse(&error));
                    return;
                }
            }
        }
        self.state = match self.gateway.plan(*inbound, body) {
            Ok(plan) => self.planned(plan),
            Err(refusal) => State::Answer(refusal),
        };
    }

    /// The name of the record that is wanted, or is to be kept; none if nothing is kept.
    #[must_use]
    #[wasm_bindgen(js_name = recordName)]
    pub fn record_name(&self) -> Option<String> {
        self.gateway.store()?;
        match (&self.record, &self.state) {
            (Some(record), _) => Some(record.name.clone()),
            (None, State::Lookup(lookup)) => lookup.name().map(ToOwned::to_owned),
            (None, State::Needs(_, name)) => Some(name.clone()),
            _ => None,
        }
    }

    /// Whether the record that is found is to be forgotten.
    #[must_use]
    pub fn forgets(&self) -> bool {
        matches!(&self.state, State::Lookup(lookup) if lookup.deletes())
    }

    /// What was found, or why it cannot be known.
    pub fn recalled(&mut self, value: Option<Vec<u8>>, why: Option<String>) {
        let found = match why {
            Some(why) => Err(conversations::unavailable(&why)),
            None => Ok(value),
        };
        self.state = match self.take() {
            State::Lookup(lookup) => State::Answer(lookup.answer(found)),
            State::Needs(plan, _) => match plan.meet(found) {
                Ok(plan) => self.planned(plan),
                Err(refusal) => State::Answer(refusal),
            },
            other => other,
        };
    }

    /// How many files are to be fetched.
    #[must_use]
    #[wasm_bindgen(js_name = fetchCount)]
    pub fn fetch_count(&self) -> usize {
        self.fetches().map_or(0, Fetches::len)
    }

    /// In how many milliseconds all of them have to be there.
    #[must_use]
    #[wasm_bindgen(js_name = fetchPatience)]
    pub fn fetch_patience(&self) -> u32 {
        let patience = self.fetches().map_or(0, Fetches::timeout_ms);
        u32::try_from(patience.min(1 << 30)).unwrap_or(1 << 30)
    }

    /// Where the file `index` is; nothing where that is settled.
    #[must_use]
    #[wasm_bindgen(js_name = fetchUrl)]
    pub fn fetch_url(&self, index: usize) -> Option<String> {
        self.fetches()?.url(index).map(ToOwned::to_owned)
    }

    /// The types that are taken for the file.
    #[must_use]
    #[wasm_bindgen(js_name = fetchAccept)]
    pub fn fetch_accept(&self, index: usize) -> String {
        self.fetches().map_or("*/*", |fetches| fetches.accept(index)).to_owned()
    }

    /// Whether to ask for the file at an address. Private networks are out of a Worker's reach, whatever a name resolves to.
    #[wasm_bindgen(js_name = mayFetch)]
    pub fn may_fetch(&mut self, index: usize, scheme: &str, host: &str, port: u16, has_user: bool) -> bool {
        let port = (port != 0).then_some(port);
        self.fetches_mut()
            .is_some_and(|fetches| fetches.may_ask(index, &Address { scheme, host, port, has_user }).is_some())
    }

    /// Status and headers have come. Gives where to ask next; nothing where it is over, and an empty text to read the body.
    #[wasm_bindgen(js_name = fetchHead)]
    pub fn fetch_head(&mut self, index: usize, status: u16, headers: &str) -> Option<String> {
        let mut headers = fields(headers);
        // The runtime has decoded it already.
        headers.set("content-encoding", "identity");
        match self.fetches_mut()?.head(index, status, &headers) {
            Next::Read => Some(String::new()),
            Next::Follow(location) => Some(location),
            Next::Stop => None,
        }
    }

    /// A piece of the file has come. Gives whether to go on reading.
    #[wasm_bindgen(js_name = fetchChunk)]
    pub fn fetch_chunk(&mut self, index: usize, chunk: &[u8]) -> bool {
        let State::Fetch(_, fetches) = &mut self.state else { return false };
        // It goes on in base64.
        let has_room = self.room.as_mut().is_none_or(|room| room.grow(chunk.len().div_ceil(3) * 4));
        if !has_room {
            fetches.fail(index, Cause::NoRoom);
        }
        has_room && fetches.chunk(index, chunk)
    }

    /// The file is there.
    #[wasm_bindgen(js_name = fetchEnd)]
    pub fn fetch_end(&mut self, index: usize) {
        if let Some(fetches) = self.fetches_mut() {
            fetches.end(index);
        }
    }

    /// The file cannot be fetched: its address cannot be read (0), nobody answers (1), or the answer breaks off (2).
    #[wasm_bindgen(js_name = fetchFail)]
    pub fn fetch_fail(&mut self, index: usize, step: u8) {
        let cause = match step {
            0 => Cause::NoAddress,
            1 => Cause::Unreachable,
            _ => Cause::Broken,
        };
        if let Some(fetches) = self.fetches_mut() {
            fetches.fail(index, cause);
        }
    }

    /// The time for fetching is over.
    #[wasm_bindgen(js_name = fetchExpire)]
    pub fn fetch_expire(&mut self) {
        if let Some(fetches) = self.fetches_mut() {
            fetches.expire();
        }
    }

    /// All is there that can be fetched.
    pub fn fetched(&mut self) {
        self.state = match self.take() {
            State::Fetch(plan, fetches) => match plan.fetched(&fetches) {
                Ok(plan) => self.planned(plan),
                Err(refusal) => State::Answer(refusal),
            },
            other => other,
        };
    }

    /// For how many seconds the record is kept.
    #[must_use]
    #[wasm_bindgen(js_name = recordSeconds)]
    pub fn record_seconds(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a number of seconds is far from where it matters")]
        self.record.as_ref().map_or(0.0, |record| record.ttl_seconds as f64)
    }

    /// What is to be kept.
    pub fn record(&mut self) -> Option<Vec<u8>> {
        self.record.take().map(|record| record.value)
    }

    /// The request that is sent, as lines: its method, its URL, then its headers.
    #[must_use]
    pub fn request(&self) -> String {
        match &self.state {
            State::Send(request, ..) => lines([request.method.as_str(), &request.url], &request.headers),
            _ => String::new(),
        }
    }

    /// The answer, as lines: its status, then its headers.
    #[must_use]
    pub fn answer(&self) -> String {
        let head = match &self.state {
            State::PassThrough(response) | State::Answer(response) => Some(Cow::Borrowed(response)),
            State::Translate(translator) => match translator.opening() {
                Some(Opening::Begun(head) | Opening::Refused(head)) => Some(Cow::Owned(head)),
                None => None,
            },
            _ => None,
        };
        let Some(head) = head else { return "500\n".to_owned() };
        lines([head.status.clamp(200, 599).to_string().as_str()], &head.headers)
    }

    /// The body of the request that is sent, or of the answer.
    pub fn body(&mut self) -> Option<Vec<u8>> {
        let body = match &mut self.state {
            State::Send(request, ..) => std::mem::take(&mut request.body),
            State::Answer(response) => std::mem::take(&mut response.body),
            _ => return None,
        };
        (!body.is_empty()).then_some(body)
    }

    /// The request is on its way.
    pub fn sent(&mut self, now: f64) {
        self.state = match self.take() {
            State::Send(_, timeouts, reply) => {
                self.watch = Some(Watch::new(timeouts, milliseconds(now)));
                State::Sent(reply)
            }
            other => other,
        };
    }

    /// Status and headers of the upstream have come.
    pub fn head(&mut self, status: u16, headers: &str, now: f64) {
        let State::Sent(reply) = self.take() else { return };
        self.room = None;
        self.state = match reply.head(status, fields(headers)) {
            Stage::Answer(response) => State::Answer(response),
            Stage::PassThrough(head) => State::PassThrough(head),
            Stage::Collect(collector) => State::Collect(collector, Vec::new()),
            Stage::Translate(translator) => {
                if let Some(watch) = &mut self.watch {
                    watch.keep_alive(milliseconds(now));
                }
                State::Translate(translator)
            }
        };
    }

    /// Whether nothing can be done before the whole body is there, which is known to be a short one.
    #[must_use]
    #[wasm_bindgen(js_name = takesWhole)]
    pub fn takes_whole(&self) -> bool {
        matches!(&self.state, State::Collect(collector, _) if collector.length().is_some_and(|length| length <= MAX_BODY_BYTES))
    }

    /// A piece of the upstream's body has come. Gives what the client is to read.
    pub fn hear(&mut self, chunk: Vec<u8>, now: f64) -> Option<Vec<u8>> {
        if let Some(watch) = &mut self.watch {
            watch.heard(milliseconds(now));
        }
        if let State::Collect(collector, body) = &mut self.state {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                let refusal = collector.fail(&Error::unreadable("the upstream's answer is too large"));
                self.state = State::Answer(refusal);
            } else {
                body.extend_from_slice(&chunk);
            }
            return None;
        }
        self.translate(Heard::Chunk(chunk), now)
    }

    /// The upstream's body has ended. Gives what the client is to read, of a stream.
    pub fn end(&mut self, now: f64) -> Option<Vec<u8>> {
        if let State::Collect(collector, body) = &mut self.state {
            let response = collector.finish(std::mem::take(body));
            self.record = collector.take_record();
            self.state = State::Answer(response);
            return None;
        }
        self.translate(Heard::End, now)
    }

    /// The upstream cannot be reached, or broke off: `why`. Gives what the client is to read, of a stream.
    pub fn fail(&mut self, why: &str, now: f64) -> Option<Vec<u8>> {
        let mut error = match self.state {
            State::Sent(_) => unreachable(why),
            _ => Error::cut_short(),
        };
        if !matches!(self.state, State::Sent(_)) {
            error.message = format!("{}: {why}", error.message);
        }
        self.give_up(error, now)
    }

    /// In how many milliseconds [`Exchange::ring`] is due.
    #[must_use]
    pub fn wait(&self, now: f64) -> u32 {
        let wait = self.watch.as_ref().map_or(u64::MAX, |watch| watch.next().saturating_sub(milliseconds(now)));
        // The runtime takes milliseconds of 31 bits; who looks too early looks again.
        u32::try_from(wait.min(1 << 30)).unwrap_or(1 << 30)
    }

    /// Some time has passed. Gives what the client is to read, of a stream.
    pub fn ring(&mut self, now: f64) -> Option<Vec<u8>> {
        match self.watch.as_mut()?.due(milliseconds(now))? {
            Due::GiveUp(error) => self.give_up(error, now),
            Due::KeepAlive => self.translate(Heard::Silence, now),
        }
    }
}

impl Exchange {
    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Lost)
    }

    fn fetches(&self) -> Option<&Fetches> {
        if let State::Fetch(_, fetches) = &self.state { Some(fetches) } else { None }
    }

    fn fetches_mut(&mut self) -> Option<&mut Fetches> {
        if let State::Fetch(_, fetches) = &mut self.state { Some(fetches) } else { None }
    }

    fn planned(&mut self, plan: Plan) -> State {
        if let Some(name) = plan.need() {
            return State::Needs(Box::new(plan), name);
        }
        if let Some(fetches) = plan.fetches() {
            return State::Fetch(Box::new(plan), Box::new(fetches));
        }
        match plan.raise(0) {
            pipeline::Step::Answer(response) => State::Answer(response),
            pipeline::Step::Answered { chunks, reply } => self.answered(&chunks, *reply),
            pipeline::Step::Send { request, timeouts, reply } => State::Send(Box::new(request), timeouts, reply),
        }
    }

    /// An answer that needed no network.
    fn answered(&mut self, chunks: &[Vec<u8>], reply: Reply) -> State {
        match reply.head(200, http::Headers::new()) {
            Stage::Answer(response) => State::Answer(response),
            Stage::PassThrough(head) => State::Answer(http::Response { body: chunks.concat(), ..head }),
            Stage::Collect(mut collector) => {
                let response = collector.finish(chunks.concat());
                self.record = collector.take_record();
                State::Answer(response)
            }
            Stage::Translate(mut translator) => {
                let mut out = Vec::new();
                chunks.iter().for_each(|chunk| translator.push(chunk, &mut out));
                translator.finish(&mut out);
                self.record = translator.take_record();
                State::Answer(opened(&translator, out))
            }
        }
    }

    /// Gives the upstream up.
    fn give_up(&mut self, error: Error, now: f64) -> Option<Vec<u8>> {
        let refusal = match &self.state {
            State::Sent(reply) => reply.unreachable(&error),
            State::Collect(collector, _) => collector.fail(&error),
            _ => return self.translate(Heard::Failed(error), now),
        };
        self.state = State::Answer(refusal);
        None
    }

    /// What the upstream's stream says to the client's.
    fn translate(&mut self, heard: Heard<Vec<u8>>, now: f64) -> Option<Vec<u8>> {
        let State::Translate(translator) = &mut self.state else { return None };
        let has_begun = translator.has_begun();
        let mut out = Vec::new();
        let goes_on = translator.hear(heard, &mut out);
        self.record = translator.take_record();
        if !goes_on || translator.is_refused() {
            let (rest, told) = if has_begun { (Vec::new(), out) } else { (out, Vec::new()) };
            self.state = State::Answer(opened(translator, rest));
            out = told;
        }
        if out.is_empty() {
            return None;
        }
        if let Some(watch) = &mut self.watch {
            watch.told(milliseconds(now));
        }
        Some(out)
    }
}

/// A translator's answer that is whole.
fn opened(translator: &Translator, out: Vec<u8>) -> http::Response {
    match translator.opening() {
        Some(Opening::Begun(head)) => http::Response { body: out, ..head },
        Some(Opening::Refused(response)) => response,
        // It ends in the one or the other.
        None => http::Response { status: 502, ..http::Response::default() },
    }
}

fn unreachable(why: &str) -> Error {
    let mut out = Error::new(Kind::Server, format!("the upstream cannot be reached: {why}"));
    out.status = Some(502);
    out.code = Some("upstream_unreachable".to_owned());
    out
}

/// The path of a URL, and what stands behind its `?`.
fn split(url: &str) -> (&str, &str) {
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    let path = behind.find('/').and_then(|at| behind.get(at..)).unwrap_or("/");
    let path = path.split('#').next().unwrap_or_default();
    path.split_once('?').unwrap_or((path, ""))
}

fn fields(lines: &str) -> http::Headers {
    let mut lines = lines.split('\n');
    std::iter::from_fn(|| Some((lines.next()?, lines.next()?))).collect()
}

/// What is said first, and headers, as [`fields`] reads them.
fn lines<'a>(first: impl IntoIterator<Item = &'a str>, headers: &'a http::Headers) -> String {
    let fields = headers.iter().flat_map(|(name, value)| [name, value]);
    let mut out = String::with_capacity(512);
    for line in first.into_iter().chain(fields) {
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time of today is neither")]
fn milliseconds(now: f64) -> u64 {
    now as u64
}
