//! Where the Worker keeps conversations: in a namespace of Workers KV.
//!
//! KV tells other places of a change late only where they have read the name before. A record is written once, under a name
//! that was never read, so whoever reads it later gets it from where it was written.

use worker::{Env, KvStore};

use crate::conversations::{Record, Store, unavailable};
use crate::error::Error;

/// What the Worker's settings call the namespace.
const BINDING: &str = "ANY_API_STORE";

/// The namespace, if the Worker is bound to one.
#[derive(Clone, Default)]
pub(super) struct Namespace(Option<KvStore>);

impl Namespace {
    /// The namespace that the Worker is bound to. There being none although the configuration wants to keep conversations
    /// is told at every request: otherwise they would be forgotten without a word.
    pub(super) fn bound(env: &Env) -> Self {
        let namespace = env.kv(BINDING).ok();
        if namespace.is_none() {
            tracing::warn!("`store` is configured, but the Worker has no KV namespace {BINDING}: nothing is kept");
        }
        Self(namespace)
    }
}

impl Store for Namespace {
    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match &self.0 {
            Some(namespace) => namespace.get(name).bytes().await.map_err(|error| unavailable(&error)),
            None => Ok(None),
        }
    }

    async fn put(&self, record: Record) -> Result<(), Error> {
        let Some(namespace) = &self.0 else { return Ok(()) };
        let Record { name, value, ttl_seconds } = record;
        let put = namespace.put_bytes(&name, &value).map_err(|error| unavailable(&error))?;
        put.expiration_ttl(ttl_seconds).execute().await.map_err(|error| unavailable(&error))
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        match &self.0 {
            Some(namespace) => namespace.delete(name).await.map_err(|error| unavailable(&error)),
            None => Ok(()),
        }
    }
}
