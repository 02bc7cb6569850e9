//! The driver: the only module that sees a frontend and a backend.
//!
//! It has no I/O. A host receives a request, asks [`Gateway::receive`] what to do with it, reads its body, makes a plan
//! ([`Gateway::plan`]), raises it for a target ([`Plan::raise`]), sends what comes out, and hands the answer to the
//! [`Reply`]:
//!
//! ```text
//! receive ─ plan ─────── meet ──── raise ───────────────── send ─ reply
//!           (relay? |   (what the  (options, passes,       (the   (pass through | parse, render
//!            lower)      store has) backend, levels)        host)  | decode, encode)
//! ```
//!
//! [`Plan::raise`] takes the plan by reference, so it can be raised again for the next target.

mod cutter;
mod dump;
mod kept;
mod paths;
mod relay;
mod reply;
mod watch;

pub use dump::DumpKind;
pub use kept::{Found, Lookup};
pub use reply::{Collector, Opening, Reply, Stage, Translator};
pub use watch::{Due, Heard, Watch};

use crate::auth::Keys;
use crate::backends::{self, Backend, Call, Target};
use crate::catalog;
use crate::config::{self, Config, Options, Problem, Resolved, Timeouts};
use crate::context::{Cx, Ids};
use crate::conversations::{self, Caller, Keep, Turn};
use crate::diagnostics::{Diagnostic, Level, Levels, codes};
use crate::dialects;
use crate::error::{Error, Kind, Result};
use crate::fetch::{self, Fetches};
use crate::frontends::{self, Asked, Frontend, Lowered, Operation, Route};
use crate::http;
use crate::ir;
use crate::quirks::Quirks;
use crate::tokens;

/// The largest request body that is read, in bytes: what Cloudflare takes on its smaller plans.
pub const MAX_BODY_BYTES: usize = 100 << 20;

/// What the core cannot know by itself.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time, in seconds since 1970.
    pub now: u64,
    /// A number that differs from request to request and that nobody can guess.
    pub seed: u128,
}

/// A configured gateway; made once.
#[derive(Debug)]
pub struct Gateway {
    config: Result<Config, Vec<Problem>>,
    keys: Keys,
}

/// What to do with a request whose body was not read yet.
#[derive(Debug)]
pub enum Received {
    /// Answer this.
    Answer(http::Response),
    /// Read the body, then [`Gateway::plan`].
    Body(Box<Inbound>),
    /// Ask the store, then [`Lookup::answer`].
    Kept(Box<Lookup>),
}

/// A request that was let in.
#[derive(Debug)]
pub struct Inbound {
    frontend: &'static dyn Frontend,
    route: Route,
    strict: bool,
    dump: Option<DumpKind>,
    request_id: ir::Text,
    moment: Moment,
    ids: Ids,
    caller: Caller,
}

impl Inbound {
    /// Refuses the request, in its client's dialect.
    #[must_use]
    pub fn refuse(&self, error: &Error) -> http::Response {
        refuse(self.frontend, error, &self.request_id)
    }
}

impl Gateway {
    /// Reads the configuration and the keys; `settings` gives an environment variable by its name. A configuration that
    /// cannot be used makes a gateway that says so to whoever has a key.
    #[must_use]
    pub fn new(settings: &dyn Fn(&str) -> Option<String>) -> Self {
        let dialects: Vec<&str> = backends::ALL.iter().map(|backend| backend.dialect()).collect();
        Self { config: Config::read(settings, &dialects), keys: Keys::read(settings) }
    }

    /// What is wrong with the configuration; also what is wrong with single providers of one that serves.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match &self.config {
            Ok(config) => &config.problems,
            Err(problems) => problems,
        }
    }

    /// What is not wrong, but hardly meant.
    #[must_use]
    pub fn hints(&self) -> &[Problem] {
        self.config.as_ref().map_or(&[], |config| &config.hints)
    }

    /// How conversations are to be kept, if they are: a host opens its store by it.
    #[must_use]
    pub fn store(&self) -> Option<&config::Store> {
        self.config.as_ref().ok()?.store.as_ref()
    }

    /// Decides by method, path and headers; `request` has no body yet.
    #[must_use]
    pub fn receive(&self, request: &http::Request, moment: Moment) -> Received {
        let mut ids = Ids::new(folded(moment.seed));
        let request_id = ids.make("req_");
        match self.admit(request, &request_id, moment, ids) {
            Ok(received) => received,
            Err(Refused { frontend, error }) => Received::Answer(refuse(frontend, &error, &request_id)),
        }
    }

    fn admit(
        &self,
        request: &http::Request,
        request_id: &ir::Text,
        moment: Moment,
        ids: Ids,
    ) -> Result<Received, Refused> {
        let path = &*paths::usual(&request.url);
        if let Some(response) = open_to_all(request, path) {
            return Ok(Received::Answer(dress(response, request_id)));
        }
        if let Some(listing) =
            (request.method == "GET").then(|| catalog::claim(path, &request.query, &request.headers)).flatten()
        {
            let frontend = frontends::of_dialect(listing.shape.dialect()).unwrap_or_else(|| frontends::of_path(path));
            let refuse = |error| Refused { frontend, error };
            self.keys.check(request, listing.is_gemini_route).map_err(refuse)?;
            let response = catalog::answer(self.config().map_err(refuse)?, &listing).map_err(refuse)?;
            return Ok(Received::Answer(dress(response, request_id)));
        }
        let (frontend, mut route) = claim(request, path)?;
        let refuse = |error| Refused { frontend, error };
        let is_gemini_route = frontend.dialect() == dialects::gemini::ID;
        let caller = self.keys.check(request, is_gemini_route).map_err(refuse)?;
        let request_id = request_id.clone();
        if let Operation::Kept { id, ask } = route.operation {
            let has_store = self.config().map_err(refuse)?.store.is_some();
            let name = caller.record(&id).filter(|_| has_store);
            let query = request.query.clone();
            return Ok(Received::Kept(Box::new(Lookup { frontend, request_id, id, ask, query, name })));
        }
        route.headers = dialect_headers(frontend, &request.headers);
        let dump = self.dump(request).map_err(refuse)?;
        let strict = request.headers.get("x-any-api-strict").is_some_and(|value| matches!(value, "1" | "true"));
        Ok(Received::Body(Box::new(Inbound { frontend, route, strict, dump, request_id, moment, ids, caller })))
    }

    fn config(&self) -> Result<&Config> {
        self.config.as_ref().map_err(config::refusal)
    }

    fn dump(&self, request: &http::Request) -> Result<Option<DumpKind>> {
        let headers = &request.headers;
        let Some(wanted) = headers.get("--dump-ir").or_else(|| headers.get("x-any-api-dump-ir")) else {
            return Ok(None);
        };
        if !self.config()?.debug.dump_ir {
            return Err(Error::new(Kind::Permission, "--dump-ir is switched off by the configuration (debug.dumpIr)"));
        }
        let unknown = || Error::invalid("--dump-ir", format!("expected \"request\" or \"response\", not {wanted:?}"));
        DumpKind::named(wanted).ok_or_else(unknown).map(Some)
    }

    /// Reads the body: finds the upstream, and lowers the request unless the relay carries it, or it leans on turns that the
    /// store has to give first ([`Plan::need`]).
    ///
    /// # Errors
    /// The answer that refuses it.
    pub fn plan(&self, inbound: Inbound, body: Vec<u8>) -> Result<Plan, http::Response> {
        let Inbound { frontend, route, strict, dump, request_id, moment, ids, caller } = inbound;
        let made = self.find(&route, body);
        let refused = |error: Error| refuse(frontend, &error, &request_id);
        let (resolved, seen, body) = made.map_err(refused)?;
        let config = self.config().map_err(refused)?;
        let mut levels = config.levels.clone();
        levels.strict |= strict;
        let backend = backends::of_dialect(&resolved.dialect).ok_or_else(|| {
            refused(Error::new(Kind::Server, format!("there is no backend of the type {:?}", resolved.dialect)))
        })?;
        let memory = config.store.clone().filter(|_| frontend.dialect() == dialects::openai::RESPONSES);
        let memory = memory.map(|store| Memory { store, caller, token: conversations::token(moment.seed) });
        let waiting = kept::Waiting::new(body, memory.as_ref().map(|memory| &memory.caller));
        let work = Work::Waiting(Box::new(Reading { waiting, seen, now: moment.now, ids }));
        let fetching = config.fetch_media.clone();
        Plan { frontend, backend, route, resolved, levels, dump, request_id, fetching, memory, keep: None, work }
            .advance()
    }

    /// The upstream that a body names.
    fn find(&self, route: &Route, body: Vec<u8>) -> Result<(Resolved, relay::Seen, ir::Body)> {
        let body = String::from_utf8(body).map_err(|_| Error::invalid("", "the body is not UTF-8"))?;
        let body = ir::Body::new(body);
        let seen = relay::peek(&body, route)?;
        let resolved = self.config()?.resolve(&seen.model)?;
        Ok((resolved, seen, body))
    }
}

/// The gateway's memory, for one request.
#[derive(Debug)]
struct Memory {
    store: config::Store,
    caller: Caller,
    /// What the ids of the answer have in common, if it is kept.
    token: String,
}

impl Memory {
    /// What it takes to keep the turn of a request.
    fn keep(&self, waiting: &kept::Waiting) -> Option<Keep> {
        let name = self.caller.record(&conversations::response_id(&self.token))?;
        let config::Store { ttl_seconds, max_bytes, .. } = self.store;
        let input = waiting.input();
        // What is too large already is not held on to while the answer is made.
        (input.len() < max_bytes).then(|| Keep { name, input: input.into(), ttl_seconds, max_bytes })
    }
}

/// A request that was understood, and its upstream.
#[derive(Debug)]
pub struct Plan {
    frontend: &'static dyn Frontend,
    backend: &'static dyn Backend,
    route: Route,
    resolved: Resolved,
    levels: Levels,
    dump: Option<DumpKind>,
    request_id: ir::Text,
    /// What may be fetched of what the client names; `None` fetches nothing.
    fetching: Option<fetch::Rules>,
    /// `None` where nothing is kept, or the client's dialect has no word for it.
    memory: Option<Memory>,
    /// What it takes to keep the turn.
    keep: Option<Keep>,
    work: Work,
}

#[derive(Debug)]
enum Work {
    /// It is not read yet: turns have to be fetched first.
    Waiting(Box<Reading>),
    /// The body goes on with the model's name replaced.
    Relay { body: ir::Body, seen: relay::Seen },
    /// The long way.
    Translate { cx: Box<Cx>, lowered: Box<Lowered>, takes_relay: bool },
}

/// What it takes to read a request.
#[derive(Debug)]
struct Reading {
    waiting: kept::Waiting,
    seen: relay::Seen,
    now: u64,
    ids: Ids,
}

/// What a host does next.
#[derive(Debug)]
pub enum Step {
    /// Answers this.
    Answer(http::Response),
    /// Sends `request` and hands what comes to `reply`.
    Send {
        /// To the upstream.
        request: http::Request,
        /// How long the upstream may take.
        timeouts: Timeouts,
        /// Takes the answer.
        reply: Box<Reply>,
    },
    /// Hands these chunks, the body of an answer with status 200, to `reply`; nothing is sent.
    Answered {
        /// The body, in the pieces that a stream has.
        chunks: Vec<Vec<u8>>,
        /// Takes the answer.
        reply: Box<Reply>,
    },
}

impl Plan {
    /// A plan without a gateway: for the command line, and for tests. Every loss below `deny` is taken.
    ///
    /// # Errors
    /// The document is not what the client's dialect wants.
    pub fn offline(
        frontend: &'static dyn Frontend,
        backend: &'static dyn Backend,
        target: Target,
        quirks: Quirks,
        body: String,
        dump: Option<DumpKind>,
    ) -> Result<Self> {
        let mut cx = Cx::new(ir::Body::new(body), 0, Ids::new(0));
        let route = Route::to(Operation::Generate);
        let mut lowered = frontend.lower(&mut cx, &route)?;
        settle(&mut lowered, frontend.dialect() == backend.dialect());
        let resolved = Resolved {
            dialect: backend.dialect().to_owned(),
            targets: vec![target],
            quirks,
            options: Options::default(),
            delivery: None,
            timeouts: Timeouts::default(),
        };
        let work = Work::Translate { cx: Box::new(cx), lowered: Box::new(lowered), takes_relay: false };
        let (levels, request_id) = (Levels::default(), ir::Text::constant("req_offline"));
        let (fetching, memory, keep) = (None, None, None);
        Ok(Self { frontend, backend, route, resolved, levels, dump, request_id, fetching, memory, keep, work })
    }

    /// Whether the upstream keeps what it answers, and knows it by the ids that the client has.
    fn upstream_keeps(&self) -> bool {
        self.frontend.dialect() == self.backend.dialect() && !self.resolved.quirks.no_previous_response_id
    }

    /// The name of what a host has to fetch from the store, and hand to [`Plan::meet`], before the plan can be raised.
    #[must_use]
    pub fn need(&self) -> Option<String> {
        let (Work::Waiting(reading), Some(memory)) = (&self.work, &self.memory) else { return None };
        memory.caller.record(&reading.waiting.next()?)
    }

    /// Takes what the store had.
    ///
    /// # Errors
    /// The answer that refuses the request: the store cannot be asked, or the request is wrong.
    pub fn meet(mut self, found: Found) -> Result<Self, http::Response> {
        if let Work::Waiting(reading) = &mut self.work {
            let found = found.map_err(|error| refuse(self.frontend, &error, &self.request_id))?;
            reading.waiting.meet(found.and_then(Turn::read));
        }
        self.advance()
    }

    /// What a host has to fetch from the web, and hand to [`Plan::fetched`], before the plan is raised: media of which the
    /// upstream wants the content. Asked when [`Plan::need`] needs nothing any more.
    #[must_use]
    pub fn fetches(&self) -> Option<Fetches> {
        let (Work::Translate { lowered, .. }, Some(rules)) = (&self.work, &self.fetching) else { return None };
        let target = self.resolved.targets.first()?;
        let wanted: Vec<&ir::Media> = lowered
            .request
            .media()
            .filter(|media| media.is_on_web() && self.backend.wants_content(media, target))
            .collect();
        (!wanted.is_empty()).then(|| Fetches::new(rules.clone(), &wanted))
    }

    /// Takes what was fetched, and puts it where the client named it.
    ///
    /// # Errors
    /// The answer that refuses the request: something could not be fetched.
    pub fn fetched(mut self, fetches: &Fetches) -> Result<Self, http::Response> {
        let Work::Translate { cx, lowered, .. } = &mut self.work else { return Ok(self) };
        let (backend, target) = (self.backend, self.resolved.targets.first());
        let wanted = |media: &ir::Media| target.is_some_and(|target| backend.wants_content(media, target));
        for media in lowered.request.media_mut() {
            match fetches.found(media).filter(|_| wanted(media)) {
                None => {}
                Some(Ok(file)) => {
                    let what = format!("{} of {} bytes was fetched", file.mime, file.data.len() / 4 * 3);
                    cx.report(&codes::MEDIA_FETCH_EMULATED, media.meta.place, "", what);
                    media.mime = Some(file.mime.as_str().into());
                    media.source = ir::MediaSource::Inline(file.data.clone());
                }
                Some(Err(cause)) => {
                    let words = format!("the file at this address was not fetched: {}", cause.words());
                    let mut error = cx.invalid_at(media.meta.place, words).with_code("media_fetch_failed");
                    if *cause == fetch::Cause::NoRoom {
                        error.kind = Kind::Overloaded;
                    }
                    return Err(refuse(self.frontend, &error, &self.request_id));
                }
            }
        }
        Ok(self)
    }

    /// Reads the request once nothing has to be fetched any more.
    fn advance(self) -> Result<Self, http::Response> {
        let Work::Waiting(reading) = &self.work else { return Ok(self) };
        if reading.waiting.next().is_some() {
            return Ok(self);
        }
        match self.compile(reading) {
            Ok((work, keep)) => Ok(Self { work, keep, ..self }),
            Err(error) => Err(refuse(self.frontend, &error, &self.request_id)),
        }
    }

    fn compile(&self, reading: &Reading) -> Result<(Work, Option<Keep>)> {
        let Reading { waiting, seen, now, ids } = reading;
        let Self { frontend, resolved, route, .. } = self;
        let is_whole = !waiting.has_found();
        if matches!(route.operation, Operation::Beside { .. }) && frontend.dialect() != resolved.dialect {
            return Err(not_compacted());
        }
        let body = waiting.body().as_str();
        let takes_relay = is_whole && relay::applies(*frontend, self.backend, route, resolved, seen, body);
        if takes_relay && self.dump.is_none() {
            return Ok((Work::Relay { body: waiting.body().clone(), seen: seen.clone() }, None));
        }
        let is_kept = waiting.may_be_kept() && route.operation == Operation::Generate && self.dump.is_none();
        let memory = self.memory.as_ref().filter(|_| is_kept && !self.upstream_keeps());
        let keep = memory.and_then(|memory| memory.keep(waiting));
        let (body, kept_items) = waiting.continued();
        let mut cx = Cx::new(body, *now, ids.clone());
        let mut lowered = frontend.lower(&mut cx, &Route { kept_items, ..route.clone() })?;
        let is_native = frontend.dialect() == resolved.dialect;
        settle(&mut lowered, is_native);
        if waiting.has_previous() {
            lowered.request.session.previous_response_id = None;
        }
        if let (Some(memory), Some(_)) = (memory, &keep) {
            lowered.asked.kept_as = Some(conversations::response_id(&memory.token).into());
            if !is_native {
                // The wish is granted here; an upstream that keeps nothing has nothing to say to it.
                lowered.request.session.store = None;
            }
        }
        Ok((Work::Translate { cx: Box::new(cx), lowered: Box::new(lowered), takes_relay }, keep))
    }

    /// How many targets it can be raised for.
    #[must_use]
    pub fn targets(&self) -> usize {
        self.resolved.targets.len()
    }

    /// Raises the request for the target `index`.
    #[must_use]
    pub fn raise(&self, index: usize) -> Step {
        let refused = |error: &Error| Step::Answer(refuse(self.frontend, error, &self.request_id));
        let Some(target) = self.resolved.targets.get(index) else {
            return refused(&Error::new(Kind::Server, "the provider has no base URL"));
        };
        match &self.work {
            Work::Waiting(_) => {
                refused(&Error::new(Kind::Server, "the store was not asked for what the request needs"))
            }
            Work::Relay { body, seen } => {
                let mut request = self.backend.endpoint(target, seen.delivery, &self.route.headers);
                request.body = seen.with_model(body.as_str(), &target.model).into_bytes();
                if let Operation::Beside { path } = self.route.operation {
                    request.url.push_str(path);
                }
                let reply = Reply::relay(self.parties(target));
                Step::Send { request, timeouts: self.resolved.timeouts, reply: Box::new(reply) }
            }
            Work::Translate { cx, lowered, takes_relay } => {
                let mut trace = dump::Trace::new(self.dump, *takes_relay);
                match self.translate(target, cx, lowered, &mut trace) {
                    Ok(step) => step,
                    Err(error) => match self.dump {
                        Some(_) => Step::Answer(dress(trace.refused(&error), &self.request_id)),
                        None => refused(&error),
                    },
                }
            }
        }
    }

    fn parties<'a>(&'a self, target: &'a Target) -> reply::Parties<'a> {
        reply::Parties { frontend: self.frontend, backend: self.backend, target, request_id: &self.request_id }
    }

    /// The long way up: options, passes, backend, levels.
    fn translate(&self, target: &Target, cx: &Cx, lowered: &Lowered, trace: &mut dump::Trace) -> Result<Step> {
        let mut cx = cx.clone();
        let mut request = lowered.request.clone();
        trace.lowered(&request);
        if let Some(id) = request.session.previous_response_id.as_ref().filter(|_| !self.upstream_keeps()) {
            let dropped = self.levels.level(&codes::PREVIOUS_RESPONSE_DROPPED);
            let may_forget = self.resolved.quirks.no_previous_response_id && dropped < Level::Deny;
            if !may_forget {
                return Err(kept::previous_not_found(id));
            }
        }
        let count = match self.route.operation {
            Operation::CountTokens { answer_field } => Some(Count {
                answer_field,
                estimate: tokens::estimate(&request, &target.model, self.backend.dialect()),
            }),
            Operation::Generate | Operation::Beside { .. } | Operation::Kept { .. } => None,
        };
        if request.reasoning.is_default() {
            request.reasoning.effort = self.resolved.options.reasoning_effort;
        }
        for pass in self.resolved.quirks.passes() {
            let before = trace.is_on().then(|| request.clone());
            pass.run(&mut cx, &mut request);
            trace.passed(pass.name(), before.as_ref(), &request);
        }
        let delivery = self.resolved.delivery.filter(|_| self.route.operation == Operation::Generate);
        request.delivery = delivery.unwrap_or(request.delivery);
        let raised = self.backend.raise(&mut cx, &request, target);
        // What is refused by its code is told so, also where no body could be made of the rest.
        let diagnostics = self.judge(cx.take_diagnostics(), trace)?;
        let mut raised = raised?;
        if let Some(count) = count {
            return Ok(self.count(count, &raised.call, target, diagnostics));
        }
        if let (Operation::Beside { path }, Call::Send(raised)) = (&self.route.operation, &raised.call) {
            let request = self.backend.beside(raised, path).ok_or_else(not_compacted)?;
            let reply = Box::new(Reply::beside(self.parties(target), diagnostics));
            return Ok(Step::Send { request, timeouts: self.resolved.timeouts, reply });
        }
        if let Call::Send(request) = &mut raised.call {
            // The answer is read here: compressed it would only come later, and in larger pieces.
            request.headers.set("accept-encoding", "identity");
        }
        let mut asked = Asked { ids: cx.ids.fork(), ..lowered.asked.clone() };
        if let (Some(memory), Some(_)) = (&self.memory, &self.keep) {
            asked.ids = asked.ids.with_stem(&conversations::stem(&memory.token));
        }
        match &raised.call {
            Call::Send(request) => trace.raised(request, target),
            Call::Answered(chunks) => trace.answered(chunks),
        }
        if self.dump == Some(DumpKind::Request) {
            return Ok(Step::Answer(dress(trace.finish(), &self.request_id)));
        }
        let trace = std::mem::replace(trace, dump::Trace::new(None, false));
        let work = reply::Translation { asked, memo: raised.memo, trace, keep: self.keep.clone() };
        let reply = Box::new(Reply::translate(self.parties(target), work, self.levels.clone(), diagnostics));
        Ok(match raised.call {
            Call::Send(request) => Step::Send { request, timeouts: self.resolved.timeouts, reply },
            Call::Answered(chunks) => Step::Answered { chunks, reply },
        })
    }

    /// Gives each loss its level. One to be denied is a refusal.
    fn judge(&self, diagnostics: Vec<Diagnostic>, trace: &mut dump::Trace) -> Result<Vec<(Level, Diagnostic)>> {
        let mut out: Vec<(Level, Diagnostic)> = Vec::new();
        for diagnostic in diagnostics {
            let level = self.levels.level(diagnostic.code);
            let is_new = !out.iter().any(|(_, other)| *other == diagnostic);
            if level > Level::Allow && is_new {
                out.push((level, diagnostic));
            }
        }
        trace.diagnosed(&out);
        match out.iter().find(|(level, _)| *level == Level::Deny) {
            Some((_, Diagnostic { code, place, message })) => {
                Err(Error::invalid(place.as_str(), format!("{message} [{}]", code.name)).with_code(code.name))
            }
            None => Ok(out),
        }
    }

    /// Counts the prompt's tokens: by the upstream's own counter, or by an estimate.
    fn count(&self, count: Count, call: &Call, target: &Target, mut diagnostics: Vec<(Level, Diagnostic)>) -> Step {
        // A limit of the answer is none of the prompt's.
        diagnostics.retain(|(_, diagnostic)| *diagnostic.code != codes::MAX_TOKENS_DEFAULTED);
        let counter = match call {
            Call::Send(raised) => self.backend.counter(raised),
            Call::Answered(_) => None,
        };
        let Some(mut request) = counter else {
            return Step::Answer(dress(count.answer(self.frontend, None), &self.request_id));
        };
        request.headers.set("accept-encoding", "identity");
        let reply = Reply::count(self.parties(target), count, diagnostics);
        Step::Send { request, timeouts: self.resolved.timeouts, reply: Box::new(reply) }
    }
}

/// What it takes to answer how many tokens a prompt has.
#[derive(Clone, Copy, Debug)]
struct Count {
    /// The field of the answer that holds the number.
    answer_field: &'static str,
    /// About how many there are.
    estimate: u64,
}

impl Count {
    /// The answer: what the upstream counted, or the estimate, marked as one.
    fn answer(self, frontend: &dyn Frontend, counted: Option<u64>) -> http::Response {
        let mut body = serde_json::json!({ self.answer_field: counted.unwrap_or(self.estimate) });
        if let Some(body) = body.as_object_mut().filter(|_| frontend.dialect() == dialects::openai::RESPONSES) {
            body.insert("object".to_owned(), "response.input_tokens".into());
        }
        let mut response = http::Response::json(200, body.to_string().into_bytes());
        if counted.is_none() {
            response.headers.set("x-any-api-estimate", "tokens");
        }
        response
    }
}

/// What follows of a whole request, and of whether its upstream speaks the client's dialect.
fn settle(lowered: &mut Lowered, is_native: bool) {
    let Lowered { request, asked } = lowered;
    request.settle_hosted_tools();
    asked.sums_up &= !is_native;
    if asked.sums_up {
        // A summary is words: no call, and no JSON.
        request.output.format = ir::Format::Text;
        request.tool_choice = (!request.tools.is_empty()).then_some(ir::ToolChoice::None);
    }
}

/// The refusal of what only an upstream of the client's own dialect can do.
fn not_compacted() -> Error {
    let words = "conversations are not compacted here: send the whole one, or ask OpenAI itself";
    Error::new(Kind::NotFound, words).with_code("compaction_unsupported")
}

/// A refusal before there is a plan.
struct Refused {
    frontend: &'static dyn Frontend,
    error: Error,
}

/// What anyone may ask, without a key.
fn open_to_all(request: &http::Request, path: &str) -> Option<http::Response> {
    let empty = |status| http::Response { status, ..http::Response::default() };
    match (request.method.as_str(), path) {
        ("OPTIONS", _) => {
            let mut response = empty(204);
            let asked = request.headers.get("access-control-request-headers").unwrap_or("*");
            response.headers.set("access-control-allow-headers", asked);
            response.headers.set("access-control-allow-methods", "GET, POST, DELETE, HEAD, OPTIONS");
            response.headers.set("access-control-max-age", "86400");
            Some(response)
        }
        ("HEAD", "" | "/") => Some(empty(200)),
        ("GET" | "HEAD", "/health" | "/v1/health") => Some(http::Response::json(200, br#"{"ok":true}"#.to_vec())),
        _ => None,
    }
}

/// The frontend whose path this is.
fn claim(request: &http::Request, path: &str) -> Result<(&'static dyn Frontend, Route), Refused> {
    let of_method = |method: &str| {
        frontends::ALL.iter().find_map(|frontend| Some((*frontend, frontend.claim(method, path, &request.query)?)))
    };
    if let Some(found) = of_method(&request.method) {
        return Ok(found);
    }
    let Some((frontend, _)) = of_method("POST") else {
        let frontend = frontends::of_path(path);
        let error = Error::new(Kind::NotFound, format!("there is nothing at {} {path}", request.method));
        return Err(Refused { frontend, error });
    };
    let upgrades = request.headers.get("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
    let mut error = Error::new(Kind::Method, format!("{path} takes POST, not {}", request.method));
    if upgrades {
        // Codex tries a WebSocket first and falls back at once on this status; another costs it seconds.
        error = Error::new(Kind::Method, "WebSockets are not served here: use POST and server-sent events");
        error.status = Some(426);
    }
    Err(Refused { frontend, error })
}

fn dialect_headers(frontend: &dyn Frontend, headers: &http::Headers) -> Vec<ir::DialectHeader> {
    let of_name = |name: &&'static str| {
        let value = headers.get(name)?.into();
        Some(ir::DialectHeader { dialect: frontend.dialect(), name, value })
    };
    frontend.dialect_headers().iter().filter_map(of_name).collect()
}

/// All bits of a number in half as many.
#[expect(clippy::cast_possible_truncation, reason = "the upper half is folded in")]
fn folded(number: u128) -> u64 {
    number as u64 ^ (number >> 64) as u64
}

/// A refusal in the client's dialect. It is known by the upstream's id of the request, or by ours where that gave none.
fn refuse(frontend: &dyn Frontend, error: &Error, request_id: &str) -> http::Response {
    let mut error = error.clone();
    error.request_id.get_or_insert_with(|| request_id.to_owned());
    dress(frontend.render_error(&error), request_id)
}

/// What every answer of the gateway carries.
fn dress(mut response: http::Response, request_id: &str) -> http::Response {
    let headers = &mut response.headers;
    headers.set("access-control-allow-origin", "*");
    headers.set("access-control-expose-headers", "*");
    // OpenAI's clients read the first, Anthropic's the second.
    let names = ["x-request-id", "request-id"];
    let request_id = names.iter().find_map(|name| headers.get(name)).unwrap_or(request_id).to_owned();
    for name in names {
        headers.set_default(name, &request_id);
    }
    match response.status {
        405 => headers.set("allow", "POST, OPTIONS"),
        426 => headers.set("upgrade", "websocket"),
        _ => {}
    }
    response
}
