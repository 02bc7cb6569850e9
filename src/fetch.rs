//! Media that the gateway fetches, for upstreams that take them by their content alone.
//!
//! Who fetches whatever a client names lends it the network that he stands in. So nothing is fetched unless the configuration
//! says so, and then by the rules of this module: which addresses, how many, how large, how often redirected. It has no I/O: a
//! host moves the bytes, and asks here before each step and after it ([`Fetches`]).
//!
//! What goes wrong is told in words that say nothing of the network the gateway is in: neither what a name resolved to, nor
//! why a connection did not come about.

// Addresses as plain data, without what one does with them.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::dialects::media::{class, is_said, mime_of_bytes, mime_of_name};
use crate::http;
use crate::ir;

/// How often an address may point to another.
const MAX_REDIRECTS: usize = 3;

/// What may be fetched, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// All that is fetched for one request together is no larger, in bytes.
    pub max_bytes: usize,
    /// So many addresses a request.
    pub max_urls: usize,
    /// All are fetched within this time, in milliseconds.
    pub timeout_ms: u64,
    /// Hosts (`files.example`) or hosts with a port (`127.0.0.1:9000`) that may be fetched from though they are not public, or
    /// have no TLS; in lower case.
    pub allow_hosts: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        // No vendor takes more inline than a few tens of megabytes, and a Worker has room for 40 MB.
        Self { max_bytes: 20 << 20, max_urls: 20, timeout_ms: 30_000, allow_hosts: Vec::new() }
    }
}

/// An address, taken apart as the URL standard says: a host `127.1` is `127.0.0.1` by now, in lower case, and one of IPv6 stands in
/// brackets.
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    /// `https`.
    pub scheme: &'a str,
    /// The host.
    pub host: &'a str,
    /// The port, if it is not the scheme's own.
    pub port: Option<u16>,
    /// It names a user or a password.
    pub has_user: bool,
}

/// Whom a host may connect to, to fetch an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peers {
    /// Public ones alone ([`is_public`]), whatever the name resolves to.
    Public,
    /// Any: the configuration names the host.
    Any,
}

/// What a host does when the head of an answer has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Reads the body.
    Read,
    /// Asks at this address, which may be relative to the one it asked at.
    Follow(String),
    /// Nothing more.
    Stop,
}

/// Why something was not fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It cannot be read as an address.
    NoAddress,
    /// It is none of `https`.
    Scheme,
    /// It names a user or a password.
    User,
    /// It leads into a network that is not public.
    NotPublic,
    /// It was redirected too often.
    Redirects,
    /// Nobody answered.
    Unreachable,
    /// The answer was no file.
    Status(u16),
    /// It, or all of one request, is too large.
    TooLarge(usize),
    /// It took too long, in milliseconds.
    TooSlow(u64),
    /// The answer broke off, or cannot be read.
    Broken,
    /// It is nothing.
    Empty,
    /// It is of a type that has no place there, or of none that is known.
    Type(Option<String>),
    /// The request has more addresses than this.
    TooMany(usize),
    /// There is no room for it at the moment.
    NoRoom,
}

impl Cause {
    /// The same in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::NoAddress => "it cannot be read as an address".to_owned(),
            Self::Scheme => "only https is fetched".to_owned(),
            Self::User => "it names a user or a password".to_owned(),
            Self::NotPublic => "it leads to a host that is not public".to_owned(),
            Self::Redirects => format!("it is redirected more than {MAX_REDIRECTS} times"),
            Self::Unreachable => "nobody answers there".to_owned(),
            Self::Status(status) => format!("the answer was status {status}"),
            Self::TooLarge(bytes) => format!("what is fetched for a request may have {bytes} bytes in all"),
            Self::TooSlow(milliseconds) => format!("it did not come within {milliseconds} ms"),
            Self::Broken => "the answer broke off, or cannot be read".to_owned(),
            Self::Empty => "there is nothing in it".to_owned(),
            Self::Type(None) => "nothing says of what type it is".to_owned(),
            Self::Type(Some(mime)) => format!("{mime} has no place here"),
            Self::TooMany(urls) => format!("no more than {urls} addresses of a request are fetched"),
            Self::NoRoom => "the gateway has no room for it at the moment: try again".to_owned(),
        }
    }
}

/// What a file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its media type.
    pub mime: String,
    /// Its content, in base64.
    pub data: ir::Text,
}

/// Something to fetch.
#[derive(Clone, Debug)]
struct Fetch {
    url: ir::Text,
    /// What is expected of it.
    kind: ir::MediaKind,
    mime: Option<String>,
    hops: usize,
    said: Option<String>,
    body: Vec<u8>,
    done: Option<Result<File, Cause>>,
}

/// All that is to be fetched for a request. For each a host asks at [`Fetches::url`], if [`Fetches::may_ask`] lets it, and tells
/// what came: [`head`](Fetches::head), [`chunk`](Fetches::chunk), [`end`](Fetches::end), or [`fail`](Fetches::fail). No keys and
/// no cookies go along.
#[derive(Clone, Debug)]
pub struct Fetches {
    rules: Rules,
    all: Vec<Fetch>,
    /// What has come of all.
    bytes: usize,
}

impl Fetches {
    /// What `wanted` needs, each address once.
    #[must_use]
    pub fn new(rules: Rules, wanted: &[&ir::Media]) -> Self {
        let mut all: Vec<Fetch> = Vec::new();
        for media in wanted {
            let ir::MediaSource::Url(url) = &media.source else { continue };
            if all.iter().any(|fetch| fetch.url == *url && fetch.kind == media.kind) {
                continue;
            }
            let by_name = || media.name.as_deref().or_else(|| url.split(['?', '#']).next()).and_then(mime_of_name);
            let mime =
                is_said(media.mime.as_deref()).map(ToOwned::to_owned).or_else(|| by_name().map(ToOwned::to_owned));
            all.push(Fetch {
                url: url.clone(),
                kind: media.kind,
                mime,
                hops: 0,
                said: None,
                body: Vec::new(),
                done: None,
            });
        }
        if all.len() > rules.max_urls {
            // Fetching a part of them would be for nothing.
            all.drain(..rules.max_urls);
            all.iter_mut().for_each(|fetch| fetch.done = Some(Err(Cause::TooMany(rules.max_urls))));
        }
        Self { rules, all, bytes: 0 }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// In how many milliseconds all of it has to be there; then [`Fetches::expire`].
    #[must_use]
    pub fn timeout_ms(&self) -> u64 {
        self.rules.timeout_ms
    }

    /// Where to ask first for the file `index`; `None` where it is settled.
    #[must_use]
    pub fn url(&self, index: usize) -> Option<&str> {
        self.all.get(index).filter(|fetch| fetch.done.is_none()).map(|fetch| &*fetch.url)
    }

    /// What to tell a server of the types that are taken.
    #[must_use]
    pub fn accept(&self, index: usize) -> &'static str {
        match self.all.get(index).map(|fetch| fetch.kind) {
            Some(ir::MediaKind::Image) => "image/*, */*;q=0.1",
            Some(ir::MediaKind::Audio) => "audio/*, */*;q=0.1",
            Some(ir::MediaKind::Video) => "video/*, */*;q=0.1",
            Some(ir::MediaKind::Document) | None => "*/*",
        }
    }

    /// Whether to ask at an address, and whom; asked before each request, that after a redirect too.
    pub fn may_ask(&mut self, index: usize, address: &Address<'_>) -> Option<Peers> {
        match peers(&self.rules, address) {
            Ok(peers) => Some(peers),
            Err(cause) => {
                self.fail(index, cause);
                None
            }
        }
    }

    /// Status and headers have come.
    pub fn head(&mut self, index: usize, status: u16, headers: &http::Headers) -> Next {
        let max_bytes = self.rules.max_bytes;
        let left = max_bytes.saturating_sub(self.bytes);
        let Some(fetch) = self.all.get_mut(index).filter(|fetch| fetch.done.is_none()) else { return Next::Stop };
        if matches!(status, 301 | 302 | 303 | 307 | 308)
            && let Some(location) = headers.get("location")
        {
            fetch.hops += 1;
            if fetch.hops <= MAX_REDIRECTS {
                return Next::Follow(location.to_owned());
            }
            self.fail(index, Cause::Redirects);
            return Next::Stop;
        }
        let length = headers.get("content-length").and_then(|length| length.parse::<usize>().ok());
        let is_plain = headers.get("content-encoding").is_none_or(|encoding| encoding.eq_ignore_ascii_case("identity"));
        let cause = match (status, length) {
            (200, Some(length)) if length > left => Cause::TooLarge(max_bytes),
            (200, _) if !is_plain => Cause::Broken,
            (200, _) => {
                let said = headers.get("content-type").and_then(|said| said.split(';').next());
                fetch.said = said.map(|said| said.trim().to_ascii_lowercase());
                return Next::Read;
            }
            (status, _) => Cause::Status(status),
        };
        self.fail(index, cause);
        Next::Stop
    }

    /// A piece of the body has come. Gives whether to go on reading.
    pub fn chunk(&mut self, index: usize, chunk: &[u8]) -> bool {
        let Some(fetch) = self.all.get_mut(index).filter(|fetch| fetch.done.is_none()) else { return false };
        self.bytes += chunk.len();
        if self.bytes > self.rules.max_bytes {
            let cause = Cause::TooLarge(self.rules.max_bytes);
            self.fail(index, cause);
            return false;
        }
        fetch.body.extend_from_slice(chunk);
        true
    }

    /// The body has ended.
    pub fn end(&mut self, index: usize) {
        let Some(fetch) = self.all.get_mut(index).filter(|fetch| fetch.done.is_none()) else { return };
        let body = std::mem::take(&mut fetch.body);
        fetch.done = Some(match fetch.settle(&body) {
            Ok(mime) => Ok(File { mime, data: STANDARD.encode(&body).into() }),
            Err(cause) => Err(cause),
        });
    }

    /// It cannot be fetched.
    pub fn fail(&mut self, index: usize, cause: Cause) {
        if let Some(fetch) = self.all.get_mut(index).filter(|fetch| fetch.done.is_none()) {
            fetch.body = Vec::new();
            fetch.done = Some(Err(cause));
        }
    }

    /// The time is over.
    pub fn expire(&mut self) {
        for index in 0..self.all.len() {
            self.fail(index, Cause::TooSlow(self.rules.timeout_ms));
        }
    }

    /// How many bytes have come, of all.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What came of `media`.
    #[must_use]
    pub fn found(&self, media: &ir::Media) -> Option<&Result<File, Cause>> {
        let ir::MediaSource::Url(url) = &media.source else { return None };
        self.all.iter().find(|fetch| fetch.url == *url && fetch.kind == media.kind)?.done.as_ref()
    }

    /// Why nothing came, where that is so: the first.
    #[must_use]
    pub fn failure(&self) -> Option<(&ir::Text, &Cause)> {
        self.all.iter().find_map(|fetch| Some((&fetch.url, fetch.done.as_ref()?.as_ref().err()?)))
    }
}

impl Fetch {
    /// The type of the file, if it has a place where it is wanted. What the content shows counts more than what the server says of
    /// it, for an upstream looks at the content too.
    fn settle(&self, body: &[u8]) -> Result<String, Cause> {
        if body.is_empty() {
            return Err(Cause::Empty);
        }
        let said = is_said(self.said.as_deref());
        let shown = mime_of_bytes(body).filter(|shown| said.is_none_or(|said| class(said) == class(shown)));
        let mime = shown.or(said).or(self.mime.as_deref()).ok_or(Cause::Type(None))?;
        let fits = match self.kind {
            ir::MediaKind::Image => class(mime) == "image",
            ir::MediaKind::Audio => class(mime) == "audio",
            ir::MediaKind::Video => class(mime) == "video",
            // A page that says "not found" is no PDF; where nothing is expected, any document will do.
            ir::MediaKind::Document => match self.mime.as_deref() {
                Some(expected) => class(mime) == class(expected),
                None => !matches!(class(mime), "image" | "audio" | "video"),
            },
        };
        if fits { Ok(mime.to_owned()) } else { Err(Cause::Type(Some(mime.to_owned()))) }
    }
}

/// Whether an address may be asked, and whom.
fn peers(rules: &Rules, address: &Address<'_>) -> Result<Peers, Cause> {
    let Address { scheme, host, port, has_user } = *address;
    if has_user {
        return Err(Cause::User);
    }
    if !matches!(scheme, "https" | "http") {
        return Err(Cause::Scheme);
    }
    let with_port = port.map(|port| format!("{host}:{port}"));
    let is_allowed = |allowed: &String| *allowed == host || with_port.as_ref() == Some(allowed);
    if rules.allow_hosts.iter().any(is_allowed) {
        return Ok(Peers::Any);
    }
    if scheme != "https" {
        return Err(Cause::Scheme);
    }
    if is_public_name(host) { Ok(Peers::Public) } else { Err(Cause::NotPublic) }
}

/// Whether a host may be public: an address that is, or a name that is not known to lead inside.
fn is_public_name(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if let Some(address) = bare {
        return address.parse().is_ok_and(|address| is_public(IpAddr::V6(address)));
    }
    if let Ok(address) = host.parse() {
        return is_public(IpAddr::V4(address));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    // A name without a dot is one of the house; the others lead inside by their standards (RFC 6761, 6762, 8375; ICANN's `internal`).
    let inside = ["localhost", "local", "internal", "intranet", "lan", "home", "corp", "home.arpa"];
    name.contains('.') && !inside.iter().any(|end| name.strip_suffix(end).is_some_and(|before| before.ends_with('.')))
}

/// Whether an address is one that anybody may reach: not this host's, not of a private, shared or local network, not one where
/// clouds tell their machines' secrets, nor one that hides such a one.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let inside = match address.octets() {
        // This network, private ones, loopback, link-local (with 169.254.169.254), multicast and what is reserved.
        [0 | 10 | 127, ..] | [169, 254, ..] | [192, 168, ..] | [224..=255, ..] => true,
        [172, second, ..] => (16..32).contains(&second),
        // Shared by a provider's customers (100.100.100.200 is a cloud's), and the place of special protocols.
        [100, second, ..] => (64..128).contains(&second),
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // A cloud's metadata.
        [168, 63, 129, 16] => true,
        _ => false,
    };
    !inside
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // For documents, and what special protocols tunnel.
        [0x2001, 0x0000..=0x01ff | 0x0db8, ..] | [0x3fff, 0x0000..=0x0fff, ..] => false,
        // The rest of what is given out to the world. What is not (loopback, unique-local, link-local, multicast) is elsewhere.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

/// The address of IPv4 that one of IPv6 stands for: mapped, compatible, by NAT64 or by 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        _ => None,
    }
}
