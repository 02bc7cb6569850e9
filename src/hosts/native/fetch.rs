//! Fetches media of which an upstream wants the content. What may be fetched is said by [`crate::fetch`]; here is how nobody gets
//! round it: a name is resolved once, and the connection goes to an address that was looked at.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;
use tower_service::Service;
use url::Url;

use super::headers;
use crate::fetch::{Address, Cause, Fetches, Next, Peers, is_public};

/// How long a connection may take to stand; all together have a limit of their own.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

type Connections = Client<HttpsConnector<HttpConnector<Resolver>>, Empty<Bytes>>;

/// The connections for fetching, apart from those to upstreams: nothing of the one is any use to the other.
#[derive(Clone)]
pub(super) struct Fetcher {
    public: Connections,
    any: Connections,
}

impl Default for Fetcher {
    fn default() -> Self {
        Self { public: connections(Peers::Public), any: connections(Peers::Any) }
    }
}

fn connections(peers: Peers) -> Connections {
    let mut tcp = HttpConnector::new_with_resolver(Resolver { peers, all: GaiResolver::new() });
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let tls = HttpsConnectorBuilder::new().with_webpki_roots();
    let tls = match peers {
        Peers::Public => tls.https_only(),
        Peers::Any => tls.https_or_http(),
    };
    // What was fetched once is seldom fetched again at once.
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(tls.enable_http1().wrap_connector(tcp))
}

/// Resolves names, and says nothing of one that leads inside.
#[derive(Clone)]
struct Resolver {
    peers: Peers,
    all: GaiResolver,
}

/// A name leads to an address that is not public.
#[derive(Debug)]
struct LeadsInside;

impl std::fmt::Display for LeadsInside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name leads inside")
    }
}

impl std::error::Error for LeadsInside {}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.all.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (peers, found) = (self.peers, self.all.call(name));
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            // A name that leads to both sides is up to no good.
            if peers == Peers::Public && found.iter().any(|address| !is_public(address.ip())) {
                return Err(std::io::Error::other(LeadsInside));
            }
            Ok(found.into_iter())
        })
    }
}

/// What is fetched, by several tasks at once. No lock is held while one waits.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Fetches>>);

impl Shared {
    /// What there is by now.
    pub(super) fn lock(&self) -> MutexGuard<'_, Fetches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fetcher {
    /// Fetches all that is to be fetched; it is settled afterwards, one way or the other.
    pub(super) async fn fetch(&self, fetches: Fetches) -> Shared {
        let (count, patience) = (fetches.len(), Duration::from_millis(fetches.timeout_ms()));
        let shared = Shared(Arc::new(Mutex::new(fetches)));
        let mut tasks = JoinSet::new();
        for index in 0..count {
            let (fetcher, shared) = (self.clone(), shared.clone());
            tasks.spawn(async move {
                if let Err(cause) = fetcher.one(&shared, index).await {
                    shared.lock().fail(index, cause);
                }
            });
        }
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            shared.lock().expire();
            tasks.shutdown().await;
        }
        shared
    }

    async fn one(&self, shared: &Shared, index: usize) -> Result<(), Cause> {
        let Some(url) = shared.lock().url(index).map(Url::parse) else { return Ok(()) };
        let mut url = url.map_err(|_| Cause::NoAddress)?;
        let mut body: Incoming = loop {
            url.set_fragment(None);
            let Some(peers) = shared.lock().may_ask(index, &address(&url)) else { return Ok(()) };
            let accept = shared.lock().accept(index);
            let request = hyper::Request::get(url.as_str())
                .header("accept", accept)
                .header("accept-encoding", "identity")
                .header("user-agent", concat!("any-api/", env!("CARGO_PKG_VERSION")))
                .body(Empty::new())
                .map_err(|_| Cause::NoAddress)?;
            let connections = match peers {
                Peers::Public => &self.public,
                Peers::Any => &self.any,
            };
            let response = connections.request(request).await.map_err(|error| cause(&error))?;
            let (parts, body) = response.into_parts();
            let next = shared.lock().head(index, parts.status.as_u16(), &headers(&parts.headers));
            match next {
                Next::Read => break body,
                Next::Follow(location) => url = url.join(&location).map_err(|_| Cause::NoAddress)?,
                Next::Stop => return Ok(()),
            }
        };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Cause::Broken)?;
            if frame.data_ref().is_some_and(|data| !shared.lock().chunk(index, data)) {
                return Ok(());
            }
        }
        shared.lock().end(index);
        Ok(())
    }
}

fn address(url: &Url) -> Address<'_> {
    Address {
        scheme: url.scheme(),
        host: url.host_str().unwrap_or_default(),
        port: url.port(),
        has_user: !url.username().is_empty() || url.password().is_some(),
    }
}

/// Why there was no answer. More is not told: it would show whoever asks what the network behind the gateway is like.
fn cause(error: &hyper_util::client::legacy::Error) -> Cause {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let io = inner.downcast_ref::<std::io::Error>();
        let reason = io.and_then(std::io::Error::get_ref).filter(|inner| inner.is::<LeadsInside>());
        if reason.is_some() || inner.is::<LeadsInside>() {
            return Cause::NotPublic;
        }
        source = inner.source();
    }
    if error.is_connect() { Cause::Unreachable } else { Cause::Broken }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[expect(clippy::unwrap_used, reason = "a test may fail so")]
    async fn a_name_that_leads_inside_resolves_to_nothing() {
        let resolve = |peers| {
            let mut resolver = Resolver { peers, all: GaiResolver::new() };
            resolver.call("localhost".parse().unwrap())
        };
        assert!(resolve(Peers::Public).await.unwrap_err().get_ref().unwrap().is::<LeadsInside>());
        assert!(resolve(Peers::Any).await.unwrap().all(|address| address.ip().is_loopback()));
        // The client of connections says so, whatever it wraps it in.
        let request = hyper::Request::get("https://localhost:1/").body(Empty::new()).unwrap();
        let error = Fetcher::default().public.request(request).await.unwrap_err();
        assert_eq!(cause(&error), Cause::NotPublic);
    }
}
