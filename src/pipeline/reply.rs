//! The way back: an upstream's answer becomes the client's.

use crate::backends::{Backend, Decoder, Memo, Target};
use crate::context::Cx;
use crate::conversations::{Keep, Record};
use crate::diagnostics::{Diagnostic, Level, Levels};
use crate::error::Error;
use crate::frontends::{Asked, Encoder, Frontend};
use crate::http;
use crate::ir::{self, Delivery};

use super::cutter::Cutter;
use super::watch::Heard;
use super::{Count, MAX_BODY_BYTES, dress, dump, refuse};

/// Longest `x-any-api-diagnostics` header, in bytes.
const MAX_DIAGNOSTICS_HEADER: usize = 2_000;

/// Takes an upstream's answer.
#[derive(Debug)]
pub struct Reply {
    frontend: &'static dyn Frontend,
    backend: &'static dyn Backend,
    provider: String,
    model: String,
    request_id: ir::Text,
    levels: Levels,
    /// What was lost on the way up, then on the way back.
    diagnostics: Vec<(Level, Diagnostic)>,
    is_relay: bool,
    /// What is to be done with the answer; the relay does nothing.
    work: Option<Box<Translation>>,
    /// The answer is a number of tokens.
    count: Option<Count>,
}

/// Between whom an answer travels.
#[derive(Clone, Copy)]
pub(super) struct Parties<'a> {
    pub(super) frontend: &'static dyn Frontend,
    pub(super) backend: &'static dyn Backend,
    pub(super) target: &'a Target,
    pub(super) request_id: &'a ir::Text,
}

/// What it takes to translate an answer.
#[derive(Debug)]
pub(super) struct Translation {
    pub(super) asked: Asked,
    pub(super) memo: Memo,
    pub(super) trace: dump::Trace,
    pub(super) keep: Option<Keep>,
}

/// What to do with an answer whose status and headers have come.
#[derive(Debug)]
pub enum Stage {
    /// Answer this; the upstream's body is of no interest.
    Answer(http::Response),
    /// Answer with this head, and pass the upstream's body through untouched.
    PassThrough(http::Response),
    /// Read the whole body, then [`Collector::finish`].
    Collect(Box<Collector>),
    /// Give the body to the translator as it comes.
    Translate(Box<Translator>),
}

/// Takes a whole answer.
#[derive(Debug)]
pub struct Collector {
    reply: Reply,
    status: u16,
    headers: http::Headers,
    record: Option<Record>,
}

impl Reply {
    /// Hands the upstream's bytes on.
    pub(super) fn relay(parties: Parties<'_>) -> Self {
        let Parties { frontend, backend, target, request_id } = parties;
        Self {
            frontend,
            backend,
            provider: target.provider.clone(),
            model: target.model.clone(),
            request_id: request_id.clone(),
            levels: Levels::default(),
            diagnostics: Vec::new(),
            is_relay: true,
            work: None,
            count: None,
        }
    }

    /// Hands on what the upstream answers to a request that was translated.
    pub(super) fn beside(parties: Parties<'_>, lost: Vec<(Level, Diagnostic)>) -> Self {
        Self { diagnostics: lost, ..Self::relay(parties) }
    }

    /// Translates what the upstream answers.
    pub(super) fn translate(
        parties: Parties<'_>,
        work: Translation,
        levels: Levels,
        lost: Vec<(Level, Diagnostic)>,
    ) -> Self {
        let work = Some(Box::new(work));
        Self { levels, diagnostics: lost, is_relay: false, work, ..Self::relay(parties) }
    }

    /// Takes what the upstream's counter of tokens answers.
    pub(super) fn count(parties: Parties<'_>, count: Count, lost: Vec<(Level, Diagnostic)>) -> Self {
        Self { diagnostics: lost, is_relay: false, count: Some(count), ..Self::relay(parties) }
    }

    /// The upstream could not be reached, or broke off before its headers: refuses in the client's dialect.
    #[must_use]
    pub fn unreachable(&self, error: &Error) -> http::Response {
        self.log(error.status.unwrap_or_else(|| error.kind.status()), Some(error));
        refuse(self.frontend, error, &self.request_id)
    }

    /// Status and headers have come.
    #[must_use]
    pub fn head(self, status: u16, headers: http::Headers) -> Stage {
        let is_success = (200..300).contains(&status);
        let collect =
            |reply| Stage::Collect(Box::new(Collector { reply, status, headers: headers.clone(), record: None }));
        if self.count.is_some() || self.work.as_ref().is_some_and(|work| work.trace.is_on()) {
            return collect(self);
        }
        if let Some(error) = no_answer(status, &headers) {
            return Stage::Answer(self.unreachable(&error));
        }
        if self.is_relay {
            if !is_success && !is_json(&headers) {
                // The page of a proxy: the client is told in its own words.
                return collect(self);
            }
            self.log(status, None);
            let kept = headers.iter().filter(|(name, _)| is_relayed(name));
            let mut head = http::Response { status, headers: kept.collect(), body: Vec::new() };
            self.tell_diagnostics(&mut head.headers);
            return Stage::PassThrough(dress(head, &self.request_id));
        }
        let streams = |work: &mut Box<Translation>| is_success && work.asked.delivery == Delivery::Stream;
        let mut reply = self;
        match reply.work.take_if(streams) {
            Some(work) => {
                let told = headers.iter().filter(|(name, _)| is_told(name)).collect();
                Stage::Translate(Box::new(Translator::new(reply, *work, told)))
            }
            None => collect(reply),
        }
    }

    fn tell_diagnostics(&self, headers: &mut http::Headers) {
        let mut out = String::new();
        for (_, Diagnostic { code, place, .. }) in &self.diagnostics {
            let one = if place.is_empty() { code.name.to_owned() } else { format!("{} at {place}", code.name) };
            if out.len() + one.len() > MAX_DIAGNOSTICS_HEADER {
                out.push_str(", …more in the log");
                break;
            }
            if !out.is_empty() {
                out.push_str(", ");
            }
            out.push_str(&one);
        }
        if !out.is_empty() {
            // A place may hold a client's own field names; a header takes visible ASCII.
            headers.set("x-any-api-diagnostics", out.replace(|c: char| !(' '..='~').contains(&c), "?"));
        }
    }

    fn log(&self, status: u16, error: Option<&Error>) {
        let codes: Vec<&str> = self.diagnostics.iter().map(|(_, diagnostic)| diagnostic.code.name).collect();
        tracing::info!(
            request_id = &*self.request_id,
            client = self.frontend.dialect(),
            upstream = self.backend.dialect(),
            provider = self.provider,
            model = self.model,
            relay = self.is_relay,
            status,
            diagnostics = codes.join(","),
            error = error.map(ToString::to_string),
            "answered"
        );
    }

    /// What the client cannot be told of the answer. Nothing of it is refused, as there is an answer by then.
    fn lose(&mut self, losses: Vec<Diagnostic>) {
        for loss in losses {
            let level = self.levels.level(loss.code).min(Level::Warn);
            if level > Level::Allow && !self.diagnostics.iter().any(|(_, other)| *other == loss) {
                let Diagnostic { code, place, message } = &loss;
                tracing::debug!(request_id = &*self.request_id, code = code.name, place, message, "lost in the answer");
                self.diagnostics.push((level, loss));
            }
        }
    }
}

impl Collector {
    /// How long the upstream says that its body is, in bytes.
    #[must_use]
    pub fn length(&self) -> Option<usize> {
        self.headers.get("content-length")?.trim().parse().ok()
    }

    /// The whole body has come. What is to be kept of it is known then ([`Collector::take_record`]).
    #[must_use]
    pub fn finish(&mut self, body: Vec<u8>) -> http::Response {
        let Self { reply, status, headers, record } = self;
        let status = *status;
        if let Some(count) = reply.count {
            return reply.counted(count, status, headers, &body);
        }
        let Some(mut work) = reply.work.take() else {
            let error = refused(reply.backend, status, headers, &body);
            return reply.unreachable(&error);
        };
        work.trace.put("upstreamAnswer", || serde_json::json!({ "status": status, "body": dump::body(&body) }));
        let made = if (200..300).contains(&status) {
            reply.render(&mut work, body)
        } else {
            Err(refused(reply.backend, status, headers, &body))
        };
        work.trace.diagnosed(&reply.diagnostics);
        *record = made.as_ref().ok().and_then(|made| work.keep.as_ref()?.record(&made.body));
        let mut response = made.unwrap_or_else(|error| {
            reply.log(error.status.unwrap_or_else(|| error.kind.status()), Some(&error));
            refuse(reply.frontend, &error, &reply.request_id)
        });
        for (name, value) in headers.iter().filter(|(name, _)| is_told(name)) {
            response.headers.set_default(name, value);
        }
        reply.tell_diagnostics(&mut response.headers);
        if work.trace.is_on() {
            work.trace
                .put("client", || serde_json::json!({ "status": response.status, "body": dump::body(&response.body) }));
            response = work.trace.finish();
        }
        dress(response, &reply.request_id)
    }

    /// What is to be kept of the answer, which should be kept before the client has it: it may go on at once.
    pub fn take_record(&mut self) -> Option<Record> {
        self.record.take()
    }

    /// The body broke off.
    #[must_use]
    pub fn fail(&self, error: &Error) -> http::Response {
        self.reply.unreachable(error)
    }
}

impl Reply {
    /// The answer of the upstream's counter. A relay that has none refuses the path, and one that answers something else has
    /// none either: then the estimate is told. Any other refusal is the client's to know.
    fn counted(&self, count: Count, status: u16, headers: &http::Headers, body: &[u8]) -> http::Response {
        let counted = match status {
            200..=299 => self.backend.parse_count(body),
            404 | 405 | 501 => None,
            _ => return self.unreachable(&refused(self.backend, status, headers, body)),
        };
        self.log(200, None);
        let mut response = count.answer(self.frontend, counted);
        self.tell_diagnostics(&mut response.headers);
        dress(response, &self.request_id)
    }

    fn render(&mut self, work: &mut Translation, body: Vec<u8>) -> Result<http::Response, Error> {
        let (mut cx, response) = read(self.backend, &work.memo, body)?;
        work.trace.put("irResponse", || dump::tree(&response));
        if let Some(failure) = self.frontend.failure(&response.finish) {
            return Err(failure);
        }
        if work.asked.delivery == Delivery::Stream {
            // Only a dump gets here: the client asked for a stream, and is shown all of it.
            let events = response.events();
            work.trace.put("irEvents", || dump::tree(&events));
            let mut out = Vec::new();
            let mut encoder = self.frontend.encoder(&work.asked);
            events.into_iter().for_each(|event| encoder.push(event, &mut out));
            encoder.finish(&mut out);
            self.lose(cx.take_diagnostics());
            self.lose(encoder.take_losses());
            return Ok(http::Response::json(200, out));
        }
        let body = self.frontend.render(&mut cx, &work.asked, response);
        self.lose(cx.take_diagnostics());
        self.log(200, None);
        Ok(http::Response::json(200, body))
    }
}

/// Reads the whole body of an upstream, which is a document or a stream whatever was asked for: so one that only streams,
/// or never does, serves every client, and a relay that does not mind what it is asked does no harm.
fn read(backend: &dyn Backend, memo: &Memo, body: Vec<u8>) -> Result<(Cx, ir::Response), Error> {
    let body = String::from_utf8(body).map_err(|_| Error::unreadable("the upstream's answer is not UTF-8"))?;
    let form = Form::of(body.as_bytes()).ok_or_else(empty)?;
    let mut cx = Cx::new(ir::Body::new(body), memo.now, memo.ids.clone());
    let response = match form {
        Form::Document => backend.parse(&mut cx, memo),
        Form::Stream => {
            let mut out = ir::Emitter::new(cx.ids.fork());
            let mut decoder = backend.decoder(memo);
            decoder.push(cx.body().as_str().as_bytes(), &mut out);
            decoder.finish(&mut out);
            cx.report_all(out.take_diagnostics());
            ir::collect(out.take())
        }
    };
    let cut = |response| match Cutter::at(&memo.cuts) {
        Some(cutter) => cutter.whole(response),
        None => Ok(response),
    };
    Ok((cx, response.and_then(cut).map_err(in_error_status)?))
}

/// How a body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// At once: JSON, or no answer at all.
    Document,
    /// Piece by piece.
    Stream,
}

impl Form {
    /// Told by the first character, since a stream may come byte by byte; `None` while there is only white space.
    fn of(body: &[u8]) -> Option<Self> {
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace())?;
        Some(match first {
            // `data:`, `event:`, `id:`, `retry:`, a comment; a list is Gemini's other kind of stream. A byte order mark that
            // has not come whole stands before a stream: JSON has none.
            b'd' | b'e' | b'i' | b'r' | b':' | b'[' | 0xef => Self::Stream,
            _ => Self::Document,
        })
    }
}

fn empty() -> Error {
    Error::unreadable("the upstream's answer is empty")
}

/// An error in an answer's clothes (status 200) gets the status of its kind.
fn in_error_status(mut error: Error) -> Error {
    if error.status.is_some_and(|status| status < 400) {
        error.status = None;
    }
    error
}

/// The error that an upstream's status and body tell.
fn refused(backend: &dyn Backend, status: u16, headers: &http::Headers, body: &[u8]) -> Error {
    no_answer(status, headers).unwrap_or_else(|| backend.parse_error(status, headers, body))
}

/// What is wrong with an answer by its status and headers alone.
fn no_answer(status: u16, headers: &http::Headers) -> Option<Error> {
    match status {
        204 | 205 => return Some(empty()),
        200..=299 | 400..=599 => {}
        // Redirects among them: a key must not go where the configuration does not say.
        _ => {
            let message = format!("the upstream answered with the status {status}, which is no answer");
            return Some(Error::unreadable(message));
        }
    }
    if status >= 400 {
        return None;
    }
    if headers.get("content-length").is_some_and(|length| length.trim() == "0") {
        return Some(empty());
    }
    (media_type(headers) == Some("text/html")).then(|| Error::unreadable("the upstream answered with a page of HTML"))
}

/// The media type of an answer, without its parameters.
fn media_type(headers: &http::Headers) -> Option<&str> {
    headers.get("content-type")?.split(';').next().map(str::trim)
}

fn is_json(headers: &http::Headers) -> bool {
    media_type(headers).is_some_and(|media| media == "application/json" || media.ends_with("+json"))
}

/// Headers of an upstream that a client is told, whatever the dialects.
fn is_told(name: &str) -> bool {
    matches!(name, "retry-after" | "retry-after-ms" | "x-should-retry")
        || name.starts_with("x-ratelimit-")
        || name.starts_with("anthropic-ratelimit-")
}

/// Headers of an upstream that go through the relay.
fn is_relayed(name: &str) -> bool {
    is_told(name)
        || matches!(name, "content-type" | "content-encoding" | "x-request-id" | "request-id" | "server-timing")
        || name.starts_with("openai-")
        || name.starts_with("anthropic-")
}

/// Makes a client's stream of an upstream's. Until the first word has come, an answer that fails is refused with a status
/// that says so, which clients understand best; from then on it ends in the dialect's error event.
pub struct Translator {
    reply: Reply,
    /// Headers of the upstream that the client is told.
    told: http::Headers,
    source: Source,
    encoder: Box<dyn Encoder>,
    emitter: ir::Emitter,
    cutter: Option<Cutter>,
    memo: Memo,
    /// How the stream begins, held back until it is known that there is something in it.
    held: Option<Vec<ir::Event>>,
    failure: Option<Error>,
    keep: Option<Keep>,
    record: Option<Record>,
}

impl std::fmt::Debug for Translator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Translator").field("reply", &self.reply).finish_non_exhaustive()
    }
}

/// What the upstream sends.
enum Source {
    /// Nothing yet but white space.
    Unknown,
    /// A stream.
    Stream(Box<dyn Decoder>),
    /// A whole answer, although a stream was asked for.
    Document(Vec<u8>),
    /// Nothing more.
    Ended,
}

impl Translator {
    fn new(reply: Reply, work: Translation, told: http::Headers) -> Self {
        let Translation { asked, mut memo, trace: _, keep } = work;
        let encoder = reply.frontend.encoder(&asked);
        let emitter = ir::Emitter::new(memo.ids.fork());
        let cutter = Cutter::at(&memo.cuts);
        let source = Source::Unknown;
        let (failure, record) = (None, None);
        Self { reply, told, source, encoder, emitter, cutter, memo, held: Some(Vec::new()), failure, keep, record }
    }

    /// What is to be kept of the answer, once it is complete; it should be kept before the client has the end of it.
    pub fn take_record(&mut self) -> Option<Record> {
        self.record.take()
    }

    /// Whether the stream to the client has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.held.is_none()
    }

    /// Whether the answer has failed before the stream to the client began.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.held.is_some() && self.failure.is_some()
    }

    /// How the answer to the client begins, once that can be told.
    #[must_use]
    pub fn opening(&self) -> Option<Opening> {
        let mut response = match (&self.held, &self.failure) {
            (Some(_), None) => return None,
            (Some(_), Some(error)) => self.reply.frontend.render_error(error),
            (None, _) => {
                let mut head = http::Response { status: 200, ..http::Response::default() };
                head.headers.set("content-type", self.encoder.content_type());
                head.headers.set("cache-control", "no-cache");
                head
            }
        };
        for (name, value) in self.told.iter() {
            response.headers.set_default(name, value);
        }
        self.reply.tell_diagnostics(&mut response.headers);
        let response = dress(response, &self.reply.request_id);
        Some(if self.held.is_some() { Opening::Refused(response) } else { Opening::Begun(response) })
    }

    /// Takes what a host heard, and writes what the client is to read now: perhaps nothing. Tells whether it goes on.
    pub fn hear<B: AsRef<[u8]>>(&mut self, heard: Heard<B>, out: &mut Vec<u8>) -> bool {
        match heard {
            Heard::Chunk(chunk) => self.push(chunk.as_ref(), out),
            Heard::End => self.finish(out),
            Heard::Failed(error) => self.fail(error, out),
            Heard::Silence => self.idle(out),
        }
        !matches!(self.source, Source::Ended)
    }

    /// Takes a chunk of the upstream's body.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if let (Source::Unknown, Some(form)) = (&self.source, Form::of(chunk)) {
            self.source = match form {
                Form::Document => Source::Document(Vec::new()),
                Form::Stream => Source::Stream(self.reply.backend.decoder(&self.memo)),
            };
        }
        match &mut self.source {
            Source::Unknown | Source::Ended => {}
            Source::Stream(decoder) => decoder.push(chunk, &mut self.emitter),
            Source::Document(body) if body.len() + chunk.len() > MAX_BODY_BYTES => {
                self.fail(Error::unreadable("the upstream's answer is too large"), out);
                return;
            }
            Source::Document(body) => body.extend_from_slice(chunk),
        }
        self.encode(out);
        if self.cutter.as_ref().is_some_and(Cutter::has_met) {
            // What the model would say yet is of no use to anybody.
            self.source = Source::Ended;
            self.end(out);
        }
    }

    /// The upstream's body has ended.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.source, Source::Ended) {
            Source::Ended => return,
            Source::Unknown => self.emitter.fail(empty()),
            Source::Stream(mut decoder) => decoder.finish(&mut self.emitter),
            Source::Document(body) => match read(self.reply.backend, &self.memo, body) {
                Ok((mut cx, response)) => {
                    self.reply.lose(cx.take_diagnostics());
                    response.events().into_iter().for_each(|event| self.tell(event, out));
                }
                Err(error) => self.emitter.fail(error),
            },
        }
        self.end(out);
    }

    /// The upstream's body broke off.
    pub fn fail(&mut self, error: Error, out: &mut Vec<u8>) {
        if !self.emitter.has_ended() {
            self.emitter.fail(error);
        }
        self.source = Source::Ended;
        self.end(out);
    }

    /// The upstream has been silent for long. Its answer has begun to the client then, even if nothing came of it yet.
    fn idle(&mut self, out: &mut Vec<u8>) {
        if !self.emitter.has_ended() {
            self.begin(out);
            self.encoder.push(ir::Event::Idle, out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.encode(out);
        if let Some(finish) = self.cutter.as_ref().and_then(Cutter::finish) {
            self.tell(finish, out);
        }
        let refused = self.failure.as_ref().filter(|_| self.held.is_some());
        let status = refused.map_or(200, |error| error.status.unwrap_or_else(|| error.kind.status()));
        if refused.is_none() {
            self.begin(out);
            self.encoder.finish(out);
        }
        self.reply.lose(self.emitter.take_diagnostics());
        self.reply.lose(self.encoder.take_losses());
        if let Some(keep) = self.keep.take().filter(|_| self.failure.is_none()) {
            self.record = self.encoder.whole().and_then(|answer| keep.record(&answer));
        }
        self.reply.log(status, self.failure.as_ref());
    }

    fn encode(&mut self, out: &mut Vec<u8>) {
        let mut events = self.emitter.take();
        if let Some(cutter) = &mut self.cutter {
            let heard = std::mem::take(&mut events);
            heard.into_iter().for_each(|event| cutter.push(event, &mut events));
        }
        for event in events {
            self.tell(event, out);
        }
    }

    fn tell(&mut self, event: ir::Event, out: &mut Vec<u8>) {
        let event = match event {
            ir::Event::Finish(finish) => match self.reply.frontend.failure(&finish) {
                Some(failure) => ir::Event::Failed(failure),
                None => ir::Event::Finish(finish),
            },
            other => other,
        };
        if let ir::Event::Failed(error) = &event {
            self.failure = Some(in_error_status(error.clone()));
        }
        if let Some(held) = &mut self.held {
            match event {
                ir::Event::Start(_) | ir::Event::Usage(_) => held.push(event),
                ir::Event::Idle | ir::Event::Failed(_) => {}
                _ => {
                    self.begin(out);
                    self.encoder.push(event, out);
                }
            }
            return;
        }
        self.encoder.push(event, out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        for event in self.held.take().into_iter().flatten() {
            self.encoder.push(event, out);
        }
    }
}

/// How the answer to a client's streamed request begins.
#[derive(Debug)]
pub enum Opening {
    /// With a refusal, which is all of it.
    Refused(http::Response),
    /// With this head; what is written is its body.
    Begun(http::Response),
}
