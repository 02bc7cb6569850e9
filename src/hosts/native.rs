//! The native server: tokio, hyper, and TLS by rustls.

mod exchange;
mod fetch;
mod store;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::NonZero;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::Timeouts;
use crate::conversations::Record;
use crate::error::{Error, Kind};
use crate::http;
use crate::pipeline::{
    Collector, Gateway, Heard, Inbound, Lookup, MAX_BODY_BYTES, Moment, Opening, Plan, Received, Reply, Stage, Step,
    Translator,
};
use exchange::{Exchange, Next};
use fetch::Fetcher;
use store::Place;

/// How long requests in flight may go on after the server was told to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// A body of more bytes is translated on a thread of its own: the others of its thread would wait for milliseconds.
const LARGE: usize = 1 << 20;

/// A piece of a stream that is as long as that goes on without waiting for more.
const PIECE_BYTES: usize = 64 << 10;

type Upstreams = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Serves until the process is asked to stop, then lets requests in flight end.
///
/// Each thread has connections of its own, to clients and to upstreams, and a runtime that shares nothing: what a request
/// does stays on one core. Waking another thread costs more than translating a small request.
///
/// # Errors
/// The address cannot be listened on, or the store cannot be opened.
pub fn serve(gateway: Gateway, listen: SocketAddr) -> std::io::Result<()> {
    let store = Place::open(gateway.store()).map_err(|error| {
        let message = format!("the store of conversations cannot be opened (`store.path`): {error}");
        std::io::Error::other(message)
    })?;
    let gateway = Arc::new(gateway);
    let count = std::thread::available_parallelism().map_or(1, NonZero::get);
    let start = |_| Thread::start(Arc::clone(&gateway), store.clone());
    let threads = (0..count).map(start).collect::<std::io::Result<Vec<_>>>()?;
    runtime()?.block_on(hand_out(listen, &threads))?;
    tracing::info!("stopping");
    let handles: Vec<_> = threads.into_iter().map(|thread| thread.handle).collect();
    for handle in handles {
        let _ = handle.join();
    }
    Ok(())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Takes clients' connections and gives each to the thread that has the fewest.
async fn hand_out(listen: SocketAddr, threads: &[Thread]) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let stop = told_to_stop();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted.and_then(|(stream, _)| stream.into_std()),
            () = &mut stop => return Ok(()),
        };
        match accepted {
            Ok(stream) => {
                if let Some(thread) = threads.iter().min_by_key(|thread| Arc::strong_count(&thread.busy)) {
                    let _ = thread.connections.send((stream, Arc::clone(&thread.busy)));
                }
            }
            // Out of file descriptors, most likely: wait for some to be given back.
            Err(error) => {
                tracing::warn!(%error, "accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// As many are shared as the thread has connections.
type Busy = Arc<()>;

/// A thread that serves some of the clients.
struct Thread {
    connections: mpsc::UnboundedSender<(std::net::TcpStream, Busy)>,
    busy: Busy,
    handle: std::thread::JoinHandle<()>,
}

impl Thread {
    fn start(gateway: Arc<Gateway>, store: Place) -> std::io::Result<Self> {
        let (connections, mut incoming) = mpsc::unbounded_channel::<(std::net::TcpStream, Busy)>();
        let runtime = runtime()?;
        let serve = async move {
            let (upstreams, fetcher) = (Mutex::default(), OnceLock::new());
            let server = Arc::new(Server { gateway, upstreams, fetcher, store });
            let graceful = GracefulShutdown::new();
            while let Some((stream, busy)) = incoming.recv().await {
                match TcpStream::from_std(stream) {
                    Ok(stream) => accept(&server, &graceful, stream, busy),
                    Err(error) => tracing::warn!(%error, "accept"),
                }
            }
            let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, graceful.shutdown()).await;
        };
        let handle = std::thread::Builder::new().name("gateway".to_owned()).spawn(move || {
            runtime.block_on(serve);
            // What still waits for a disk may go on; the process ends when it is done.
            runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        })?;
        Ok(Self { connections, busy: Arc::default(), handle })
    }
}

fn upstreams(connect_timeout: Duration) -> Upstreams {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout));
    let tls = hyper_rustls::HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(tcp);
    Client::builder(TokioExecutor::new()).build(tls)
}

fn accept(server: &Arc<Server>, graceful: &GracefulShutdown, stream: TcpStream, busy: Busy) {
    // Without it the kernel may hold a small event back for tens of milliseconds.
    let _ = stream.set_nodelay(true);
    let server = Arc::clone(server);
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(server.answer(request).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned());
    tokio::spawn(async move {
        // A client that leaves ends its connection with an error; that drops the request, and so the upstream's.
        let _ = connection.await;
        drop(busy);
    });
}

/// A number that nobody can guess.
fn seed() -> u128 {
    let mut bytes = [0; 16];
    if let Err(error) = getrandom::getrandom(&mut bytes) {
        // Unheard of. Ids still differ then; whoever guesses one needs the right key too.
        tracing::error!(%error, "the system gives no random numbers");
        return since_1970().as_nanos() ^ (u128::from(std::process::id()) << 96);
    }
    u128::from_le_bytes(bytes)
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What the requests of a thread share.
struct Server {
    gateway: Arc<Gateway>,
    /// The connections, by the time that one may take to stand: the client library knows no other place for it.
    upstreams: Mutex<HashMap<u64, Upstreams>>,
    /// Made when something is fetched first.
    fetcher: OnceLock<Fetcher>,
    /// Where conversations are kept.
    store: Place,
}

impl Server {
    async fn answer(&self, request: hyper::Request<Incoming>) -> hyper::Response<Answer> {
        let (parts, body) = request.into_parts();
        let head = http::Request {
            method: parts.method.as_str().to_owned(),
            url: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: headers(&parts.headers),
            body: Vec::new(),
        };
        let inbound = match self.gateway.receive(&head, Moment { now: since_1970().as_secs(), seed: seed() }) {
            Received::Answer(response) => return whole(response),
            Received::Kept(lookup) => return whole(self.look_up(*lookup).await),
            Received::Body(inbound) => inbound,
        };
        let body = match Limited::new(body, MAX_BODY_BYTES).collect().await {
            Ok(body) => Vec::from(body.to_bytes()),
            Err(_) => {
                let message = format!("the body broke off, or is larger than {MAX_BODY_BYTES} bytes");
                return whole(inbound.refuse(&Error::new(Kind::TooLarge, message)));
            }
        };
        let is_large = body.len() > LARGE;
        let mut plan = match self.plan(*inbound, body).await {
            Ok(plan) => plan,
            Err(refusal) => return whole(refusal),
        };
        while let Some(name) = plan.need() {
            plan = match plan.meet(self.store.get(&name).await) {
                Ok(plan) => plan,
                Err(refusal) => return whole(refusal),
            };
        }
        if let Some(fetches) = plan.fetches() {
            let fetched = self.fetcher.get_or_init(Fetcher::default).fetch(fetches).await;
            let met = plan.fetched(&fetched.lock());
            plan = match met {
                Ok(plan) => plan,
                Err(refusal) => return whole(refusal),
            };
        }
        let step = if is_large { aside(move || plan.raise(0)).await } else { plan.raise(0) };
        match step {
            Step::Answer(response) => whole(response),
            Step::Answered { chunks, reply } => self.answered(chunks, *reply).await,
            Step::Send { request, timeouts, reply } => self.send(request, timeouts, *reply).await,
        }
    }

    async fn plan(&self, inbound: Inbound, body: Vec<u8>) -> Result<Plan, http::Response> {
        if body.len() <= LARGE {
            return self.gateway.plan(inbound, body);
        }
        let gateway = Arc::clone(&self.gateway);
        aside(move || gateway.plan(inbound, body)).await
    }

    async fn look_up(&self, lookup: Lookup) -> http::Response {
        let Some(name) = lookup.name() else { return lookup.answer(Ok(None)) };
        let mut found = self.store.get(name).await;
        if lookup.deletes()
            && let Ok(Some(_)) = &found
            && let Err(error) = self.store.delete(name).await
        {
            found = Err(error);
        }
        lookup.answer(found)
    }

    fn upstreams(&self, timeouts: Timeouts) -> Upstreams {
        let mut all = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        let connect_ms = timeouts.connect_ms;
        all.entry(connect_ms).or_insert_with(|| upstreams(Duration::from_millis(connect_ms))).clone()
    }

    async fn send(&self, request: http::Request, timeouts: Timeouts, reply: Reply) -> hyper::Response<Answer> {
        let request = match outgoing(request) {
            Ok(request) => request,
            Err(error) => return whole(reply.unreachable(&error)),
        };
        let mut exchange = Exchange::new(timeouts);
        let response = match exchange.wait(self.upstreams(timeouts).request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return whole(reply.unreachable(&unreachable(&error))),
            Err(error) => return whole(reply.unreachable(&error)),
        };
        let (parts, body) = response.into_parts();
        let head = headers(&parts.headers);
        let encoding = head.get("content-encoding").map(ToOwned::to_owned);
        exchange.begin(body);
        match reply.head(parts.status.as_u16(), head) {
            Stage::Answer(response) => whole(response),
            Stage::PassThrough(head) => answer(head, Answer::PassThrough(Box::new(Relayed::new(exchange)))),
            Stage::Collect(collector) => match exchange.decode(encoding.as_deref()) {
                Ok(()) => whole(self.collect(exchange, *collector).await),
                Err(error) => whole(collector.fail(&error)),
            },
            Stage::Translate(mut translator) => match exchange.decode(encoding.as_deref()) {
                Ok(()) => self.open(exchange, translator).await,
                Err(error) => {
                    let mut out = Vec::new();
                    translator.fail(error, &mut out);
                    opened(&translator, out)
                }
            },
        }
    }

    async fn collect(&self, mut exchange: Exchange, mut collector: Collector) -> http::Response {
        let mut body = Vec::new();
        loop {
            match exchange.next().await {
                Heard::Chunk(chunk) if body.len() + chunk.len() > MAX_BODY_BYTES => {
                    return collector.fail(&Error::unreadable("the upstream's answer is too large"));
                }
                Heard::Chunk(chunk) => body.extend_from_slice(&chunk),
                Heard::End => {
                    let response = collector.finish(body);
                    self.keep(collector.take_record()).await;
                    return response;
                }
                Heard::Failed(error) => return collector.fail(&error),
                Heard::Silence => {}
            }
        }
    }

    /// Waits until it is known whether the answer is a stream or a refusal.
    async fn open(&self, mut exchange: Exchange, mut translator: Box<Translator>) -> hyper::Response<Answer> {
        let mut out = Vec::new();
        exchange.keep_alive();
        while translator.hear(exchange.next().await, &mut out) {
            if let Some(Opening::Begun(head)) = translator.opening() {
                exchange.told();
                let first = (!out.is_empty()).then(|| Bytes::from(out));
                let stream = Translated { first, out: Vec::new(), exchange, translator: Some(translator), last: None };
                return answer(head, Answer::Translated { stream: Box::new(stream), store: self.store.clone() });
            }
        }
        self.keep(translator.take_record()).await;
        opened(&translator, out)
    }

    /// An answer that needed no network.
    async fn answered(&self, chunks: Vec<Vec<u8>>, reply: Reply) -> hyper::Response<Answer> {
        match reply.head(200, http::Headers::new()) {
            Stage::Answer(response) => whole(response),
            Stage::PassThrough(head) => answer(head, Answer::Whole(Full::from(chunks.concat()))),
            Stage::Collect(mut collector) => {
                let response = collector.finish(chunks.concat());
                self.keep(collector.take_record()).await;
                whole(response)
            }
            Stage::Translate(mut translator) => {
                let mut out = Vec::new();
                chunks.iter().for_each(|chunk| translator.push(chunk, &mut out));
                translator.finish(&mut out);
                self.keep(translator.take_record()).await;
                opened(&translator, out)
            }
        }
    }

    async fn keep(&self, record: Option<Record>) {
        if let Some(record) = record {
            let _ = keep(&self.store, record).await;
        }
    }
}

/// Does `work` on a thread that may take its time.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and who waits here with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Keeps a turn, also if the client leaves in between: it has its answer.
fn keep(store: &Place, record: Record) -> JoinHandle<()> {
    let store = store.clone();
    tokio::spawn(async move {
        if let Err(error) = store.put(record).await {
            tracing::error!(%error, "a conversation is not kept");
        }
    })
}

/// A translator's answer that is whole.
fn opened(translator: &Translator, out: Vec<u8>) -> hyper::Response<Answer> {
    match translator.opening() {
        Some(Opening::Begun(head)) => answer(head, Answer::Whole(Full::from(out))),
        Some(Opening::Refused(response)) => whole(response),
        // It ends in the one or the other.
        None => whole(http::Response { status: 502, ..http::Response::default() }),
    }
}

fn headers(fields: &hyper::HeaderMap) -> http::Headers {
    fields.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}

fn outgoing(request: http::Request) -> Result<hyper::Request<Full<Bytes>>, Error> {
    let mut out = hyper::Request::builder().method(request.method.as_str()).uri(request.url.as_str());
    for (name, value) in request.headers.iter() {
        out = out.header(name, value);
    }
    out.body(Full::from(request.body)).map_err(|error| {
        let mut error = Error::new(Kind::Server, format!("the provider's baseURL or headers cannot be sent: {error}"));
        error.status = Some(502);
        error
    })
}

fn unreachable(error: &hyper_util::client::legacy::Error) -> Error {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        words = format!("{words}: {inner}");
        source = inner.source();
    }
    let mut out = Error::new(Kind::Server, format!("the upstream cannot be reached: {words}"));
    out.status = Some(502);
    out.code = Some("upstream_unreachable".to_owned());
    out
}

fn broken_off(error: &dyn std::fmt::Display) -> Error {
    let mut out = Error::cut_short();
    out.message = format!("{}: {error}", out.message);
    out
}

fn whole(response: http::Response) -> hyper::Response<Answer> {
    let http::Response { status, headers, body } = response;
    answer(http::Response { status, headers, body: Vec::new() }, Answer::Whole(Full::from(body)))
}

fn answer(head: http::Response, body: Answer) -> hyper::Response<Answer> {
    let mut out = hyper::Response::new(body);
    *out.status_mut() = hyper::StatusCode::from_u16(head.status).unwrap_or(hyper::StatusCode::BAD_GATEWAY);
    for (name, value) in head.headers.iter() {
        let name = hyper::header::HeaderName::from_bytes(name.as_bytes());
        let value = hyper::header::HeaderValue::from_str(value);
        if let (Ok(name), Ok(value)) = (name, value) {
            out.headers_mut().append(name, value);
        }
    }
    out
}

/// The body of an answer to a client. Dropping it drops the upstream's.
enum Answer {
    Whole(Full<Bytes>),
    PassThrough(Box<Relayed>),
    Translated { stream: Box<Translated>, store: Place },
}

/// An answer that is translated as it comes.
struct Translated {
    /// What was written before the head was sent.
    first: Option<Bytes>,
    /// What is written, and goes on with what has come since.
    out: Vec<u8>,
    exchange: Exchange,
    translator: Option<Box<Translator>>,
    /// The end of the answer, which waits until the turn is kept: the client may go on from it at once.
    last: Option<(JoinHandle<()>, Bytes)>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::PassThrough(relayed) => relayed.poll(cx).map_ok(Frame::data),
            Self::Translated { stream, store } => stream.poll(store, cx).map(|bytes| Some(Ok(Frame::data(bytes?)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::PassThrough(_) => false,
            Self::Translated { stream, .. } => stream.is_over(),
        }
    }

    // What is known to be whole is sent with its length, and not in chunks.
    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::PassThrough(relayed) => relayed.exchange.size_hint(),
            Self::Translated { .. } => SizeHint::default(),
        }
    }
}

impl Translated {
    fn is_over(&self) -> bool {
        self.first.is_none() && self.translator.is_none() && self.last.is_none()
    }

    fn poll(&mut self, store: &Place, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        if let Some((kept, _)) = &mut self.last {
            let _ = ready!(Pin::new(kept).poll(cx));
            return Poll::Ready(self.last.take().map(|(_, bytes)| bytes));
        }
        // What has come already goes on in one piece: in a burst each event is a chunk of its own.
        while let Some(translator) = &mut self.translator
            && self.out.len() < PIECE_BYTES
        {
            let heard = match self.exchange.poll_more(!self.out.is_empty(), cx) {
                Next::Heard(heard) => heard,
                Next::Later => return Poll::Pending,
                Next::Nothing => break,
            };
            let goes_on = translator.hear(heard, &mut self.out);
            let record = translator.take_record();
            if !goes_on {
                self.translator = None;
            }
            if let Some(record) = record {
                self.last = Some((keep(store, record), Bytes::from(std::mem::take(&mut self.out))));
                return self.poll(store, cx);
            }
        }
        if self.out.is_empty() {
            return Poll::Ready(None);
        }
        self.exchange.told();
        Poll::Ready(Some(Bytes::from(std::mem::take(&mut self.out))))
    }
}

/// The upstream's own bytes. A relay has no words of its own: what breaks off, or takes too long, breaks off for the client.
struct Relayed {
    exchange: Exchange,
    /// What has come, and goes on with what has come since.
    held: Vec<Bytes>,
    bytes: usize,
    /// It broke off behind what is held.
    failure: Option<Error>,
    /// A piece was given out, and perhaps not sent yet.
    is_sending: bool,
}

impl Relayed {
    fn new(exchange: Exchange) -> Self {
        Self { exchange, held: Vec::new(), bytes: 0, failure: None, is_sending: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        while self.bytes < PIECE_BYTES && self.failure.is_none() {
            match self.exchange.poll_more(!self.held.is_empty(), cx) {
                Next::Heard(Heard::Chunk(chunk)) => {
                    self.bytes += chunk.len();
                    self.held.push(chunk);
                }
                Next::Heard(Heard::Silence) => {}
                Next::Heard(Heard::Failed(error)) => self.failure = Some(error),
                Next::Heard(Heard::End) | Next::Nothing => break,
                Next::Later => return Poll::Pending,
            }
        }
        self.bytes = 0;
        let piece = match self.held.as_slice() {
            // hyper sends what it was given when there is nothing more for now, and drops it when the body breaks off.
            [] if self.failure.is_some() && std::mem::take(&mut self.is_sending) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            [] => return Poll::Ready(self.failure.take().map(Err)),
            [one] => one.clone(),
            several => Bytes::from(several.concat()),
        };
        self.held.clear();
        self.is_sending = true;
        Poll::Ready(Some(Ok(piece)))
    }
}

/// Is done when the process is asked to stop: by ^C, or by a supervisor's SIGTERM.
pub async fn told_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        if let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = interrupted.await;
}

/// The variables of a `.dev.vars` file, in the order of the text, by wrangler's rules: `NAME=value`, `#` comments, values
/// in single, double or back quotes may have several lines; in double quotes `\n` is a line end.
#[must_use]
pub fn read_dev_vars(text: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let assignment = line.trim_start();
        let assignment = assignment.strip_prefix("export ").unwrap_or(assignment);
        let name_and_value = assignment.split_once('=').filter(|(name, _)| is_name(name.trim()));
        let Some((name, value)) = name_and_value else {
            rest = after;
            continue;
        };
        let value = value.trim_start();
        let quote = value.chars().next().filter(|first| matches!(first, '\'' | '"' | '`'));
        // The value goes on from where it stands in the whole text, since a quoted one may have several lines.
        let from = rest.get(line.len() - value.len()..).unwrap_or_default();
        let quoted = quote.and_then(|quote| from.get(1..)?.split_once(quote).map(|found| (quote, found)));
        match quoted {
            Some((quote, (value, behind))) => {
                let value =
                    if quote == '"' { value.replace("\\n", "\n").replace("\\r", "\r") } else { value.to_owned() };
                out.push((name.trim().to_owned(), value));
                rest = behind.split_once('\n').map_or("", |(_, next)| next);
            }
            None => {
                let value = value.split_once(" #").map_or(value, |(value, _)| value);
                out.push((name.trim().to_owned(), value.trim().to_owned()));
                rest = after;
            }
        }
    }
    out
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}
