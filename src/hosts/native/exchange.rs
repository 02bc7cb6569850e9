//! An exchange with an upstream: held to its time limits, and its body decoded where it is read.

use std::future::{Future, poll_fn};
use std::io::{Error as IoError, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::broken_off;
use crate::config::Timeouts;
use crate::error::Error;
use crate::pipeline::{Due, Heard, Watch};

/// An upstream that was asked. Dropping it closes the connection.
pub(super) struct Exchange {
    watch: Watch,
    began: Instant,
    timer: Pin<Box<Sleep>>,
    body: Option<Incoming>,
    decoding: Decoding,
    /// How often somebody asked in vain since the newest piece.
    asked: u8,
}

/// What comes next of a body, for somebody who has some of it already.
pub(super) enum Next {
    Heard(Heard<Bytes>),
    /// It is not known yet: whoever asked is woken.
    Later,
    /// Nothing for now: what there is should go on.
    Nothing,
}

/// How often one has to ask to know that nothing more is there. A connection hands its body on in the pieces that its upstream
/// wrote, one each time it is its turn, although all of them may have come at once. Its turn comes before the next of who
/// takes them, and hyper asks a body twice at each turn before it gives up.
const TRIES: u8 = 2;

impl Exchange {
    /// The request is sent now.
    pub(super) fn new(timeouts: Timeouts) -> Self {
        let watch = Watch::new(timeouts, 0);
        let began = Instant::now();
        let first = began.checked_add(Duration::from_millis(watch.next())).unwrap_or(began);
        let timer = Box::pin(tokio::time::sleep_until(first));
        Self { watch, began, timer, body: None, decoding: Decoding::None, asked: 0 }
    }

    /// Waits for the headers, no longer than the limits allow.
    pub(super) async fn wait<T>(&mut self, headers: impl Future<Output = T>) -> Result<T, Error> {
        tokio::select! {
            out = headers => Ok(out),
            error = poll_fn(|cx| self.poll_limits(cx)) => Err(error),
        }
    }

    /// The headers have come.
    pub(super) fn begin(&mut self, body: Incoming) {
        self.body = Some(body);
    }

    /// The body is read here, and not passed on as it is; `encoding` is its `content-encoding`.
    pub(super) fn decode(&mut self, encoding: Option<&str>) -> Result<(), Error> {
        self.decoding = Decoding::of(encoding)?;
        Ok(())
    }

    /// How long the rest of the body is, as far as it is known.
    pub(super) fn size_hint(&self) -> SizeHint {
        match (&self.body, &self.decoding) {
            (Some(body), Decoding::None) => body.size_hint(),
            _ => SizeHint::default(),
        }
    }

    /// The client reads a stream, and is to be told that all is well.
    pub(super) fn keep_alive(&mut self) {
        self.watch.keep_alive(self.now());
    }

    /// The client was told something.
    pub(super) fn told(&mut self) {
        self.watch.told(self.now());
    }

    /// What comes next of the body.
    pub(super) async fn next(&mut self) -> Heard<Bytes> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The same, for a body that is itself asked so.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Heard<Bytes>> {
        if let Poll::Ready(heard) = self.poll_body(cx) {
            return Poll::Ready(heard);
        }
        Poll::Ready(match ready!(self.poll_due(cx)) {
            Due::KeepAlive => Heard::Silence,
            Due::GiveUp(error) => Heard::Failed(error),
        })
    }

    /// The same, for who has something already if `has_some`: that waits until all is there that has come by now, so that a burst goes
    /// on in one piece, and not in as many as it came in.
    pub(super) fn poll_more(&mut self, has_some: bool, cx: &mut Context<'_>) -> Next {
        if let Poll::Ready(heard) = self.poll_next(cx) {
            self.asked = 0;
            return Next::Heard(heard);
        }
        if !has_some {
            return Next::Later;
        }
        if self.asked == TRIES {
            self.asked = 0;
            return Next::Nothing;
        }
        self.asked += 1;
        cx.waker().wake_by_ref();
        Next::Later
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Heard<Bytes>> {
        loop {
            let Some(body) = &mut self.body else { return Poll::Ready(Heard::End) };
            let heard = match ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(chunk) = frame.into_data() else { continue };
                    self.watch.heard(self.now());
                    self.decoding.push(chunk)
                }
                Some(Err(error)) => Err(broken_off(&error)),
                None => {
                    self.body = None;
                    // What a decoder held back comes before the end.
                    match self.decoding.finish() {
                        Ok(rest) if rest.is_empty() => return Poll::Ready(Heard::End),
                        other => other,
                    }
                }
            };
            match heard {
                Ok(chunk) if chunk.is_empty() => {}
                Ok(chunk) => return Poll::Ready(Heard::Chunk(chunk)),
                Err(error) => return Poll::Ready(Heard::Failed(error)),
            }
        }
    }

    fn poll_limits(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        loop {
            if let Due::GiveUp(error) = ready!(self.poll_due(cx)) {
                return Poll::Ready(error);
            }
        }
    }

    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        loop {
            let next = self.began.checked_add(Duration::from_millis(self.watch.next()));
            // A limit beyond the clock is none.
            let Some(next) = next else { return Poll::Pending };
            // What is due moves away with each piece. The timer is left where it is meanwhile, goes off too early, and is set
            // anew then: once in some seconds instead of at each piece.
            if self.timer.deadline() > next || self.timer.is_elapsed() {
                self.timer.as_mut().reset(next);
            }
            ready!(self.timer.as_mut().poll(cx));
            if let Some(due) = self.watch.due(self.now()) {
                return Poll::Ready(due);
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// What a body is coded with. Upstreams are asked for none, and some send it all the same.
enum Decoding {
    None,
    Gzip(flate2::write::MultiGzDecoder<Vec<u8>>),
    Deflate(flate2::write::ZlibDecoder<Vec<u8>>),
    Brotli(Box<brotli_decompressor::DecompressorWriter<Vec<u8>>>),
}

/// How much is decoded at a time, in bytes.
const BUFFER_BYTES: usize = 16 << 10;

impl Decoding {
    fn of(encoding: Option<&str>) -> Result<Self, Error> {
        Ok(match encoding.map(|name| name.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "identity") => Self::None,
            Some("gzip" | "x-gzip") => Self::Gzip(flate2::write::MultiGzDecoder::new(Vec::new())),
            Some("deflate") => Self::Deflate(flate2::write::ZlibDecoder::new(Vec::new())),
            Some("br") => {
                Self::Brotli(Box::new(brotli_decompressor::DecompressorWriter::new(Vec::new(), BUFFER_BYTES)))
            }
            Some(_) => {
                let message =
                    "the upstream's answer has a content-encoding that it was not asked for, and that is not known";
                return Err(Error::unreadable(message));
            }
        })
    }

    fn push(&mut self, chunk: Bytes) -> Result<Bytes, Error> {
        let out = match self {
            Self::None => return Ok(chunk),
            Self::Gzip(decoder) => write(decoder, &chunk).map(|()| std::mem::take(decoder.get_mut())),
            Self::Deflate(decoder) => write(decoder, &chunk).map(|()| std::mem::take(decoder.get_mut())),
            Self::Brotli(decoder) => write(decoder, &chunk).map(|()| std::mem::take(decoder.get_mut())),
        };
        out.map(Bytes::from).map_err(|error| undecodable(&error))
    }

    fn finish(&mut self) -> Result<Bytes, Error> {
        let out = match std::mem::replace(self, Self::None) {
            Self::None => return Ok(Bytes::new()),
            Self::Gzip(decoder) => decoder.finish(),
            Self::Deflate(decoder) => decoder.finish(),
            Self::Brotli(mut decoder) => decoder.close().map(|()| std::mem::take(decoder.get_mut())),
        };
        out.map(Bytes::from).map_err(|error| undecodable(&error))
    }
}

fn write(decoder: &mut impl Write, chunk: &[u8]) -> Result<(), IoError> {
    decoder.write_all(chunk)?;
    // Without it a piece of a stream would stay inside until the next one comes.
    decoder.flush()
}

fn undecodable(error: &IoError) -> Error {
    Error::unreadable(format!("the upstream's answer cannot be decompressed: {error}"))
}
