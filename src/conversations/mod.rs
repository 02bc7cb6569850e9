//! Conversations that the gateway keeps, so that `previous_response_id` works whatever the upstream is.
//!
//! A turn is kept in the words of the client's own dialect (OpenAI Responses): the items that led to the answer, and the
//! answer. Putting it back is then writing the request that a client without a memory would have sent, and everything
//! behind the frontend, sealed values in their envelopes among it, works as it does for such a client. One record holds
//! the whole conversation up to its answer, so going on takes one read; `docs/adr/0004` says why.
//!
//! Records are known by the caller and the answer's id. The caller is a hash of the gateway key that the request came with:
//! what one key keeps, another cannot name.

mod listing;
mod turn;

pub use listing::{Page, list, removed};
pub use turn::{Turn, Wish, input, with_input};

use sha2::{Digest, Sha256};

use crate::error::{Error, Kind};
use crate::ir;

/// What stands between an id's prefix and what nobody can guess: no vendor's ids have it, so it tells ours from theirs.
const MARK: &str = "any_";

/// How many letters and digits of an id nobody can guess: 128 bits' worth.
const TOKEN_CHARS: usize = 25;

/// Where conversations are kept. Names and values are opaque to it; a value is written once and never changed. `now` is in
/// seconds since 1970. The native server's are in hosts/native/store.rs; a Worker's is KV, of which hosts/cloudflare.js
/// asks the same three things by the runtime's own means (docs/adr/0005).
pub trait Store {
    /// The value of `name`; `None` where there is none, or no more.
    ///
    /// # Errors
    /// The store cannot be used.
    fn get(&mut self, name: &str, now: u64) -> Result<Option<Vec<u8>>, Error>;

    /// Keeps a record for as long as it wants to be kept, or shorter if there is no room.
    ///
    /// # Errors
    /// The store cannot be used.
    fn put(&mut self, record: Record, now: u64) -> Result<(), Error>;

    /// Forgets `name`.
    ///
    /// # Errors
    /// The store cannot be used.
    fn delete(&mut self, name: &str) -> Result<(), Error>;
}

/// The store cannot be used at the moment. What it holds is not lost, so this is never told as "not found".
#[must_use]
pub fn unavailable(why: &dyn std::fmt::Display) -> Error {
    let mut error = Error::new(Kind::Server, format!("the store of conversations cannot be used: {why}"));
    error.status = Some(503);
    error.with_code("store_unavailable")
}

/// What is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// Its content.
    pub value: Vec<u8>,
    /// For so many seconds.
    pub ttl_seconds: u64,
}

/// Who calls: a hash of the gateway key, never the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller(String);

impl Caller {
    /// The caller that has `key`.
    #[must_use]
    pub fn of(key: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"any-api caller\0");
        hash.update(key.as_bytes());
        let digest = hash.finalize();
        Self(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The name of the record of the answer `id`; `None` where the id is none that the gateway gave.
    #[must_use]
    pub fn record(&self, id: &str) -> Option<String> {
        let token = token_of(id).filter(|_| id.starts_with("resp_"))?;
        Some(format!("{}/{token}", self.0))
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Caller")
    }
}

/// What an answer that is kept has in all its ids: `random` written out.
#[must_use]
pub fn token(random: u128) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut bits = random;
    let digit = |_| {
        let digit = DIGITS.get((bits % 36) as usize).copied().unwrap_or(b'0');
        bits /= 36;
        char::from(digit)
    };
    (0..TOKEN_CHARS).map(digit).collect()
}

/// The beginning of the ids of an answer and its items, behind `resp_`, `msg_` and so on.
#[must_use]
pub fn stem(token: &str) -> String {
    format!("{MARK}{token}")
}

/// The token in an id of an answer or an item that is kept.
#[must_use]
pub fn token_of(id: &str) -> Option<&str> {
    let (_, behind) = id.split_once("_any_")?;
    let (token, rest) = behind.split_at_checked(TOKEN_CHARS)?;
    let is_token = token.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (is_token && (rest.is_empty() || rest.starts_with('_'))).then_some(token)
}

/// The id of the answer that has `token`.
#[must_use]
pub fn response_id(token: &str) -> String {
    format!("resp_{}", stem(token))
}

/// The id of the answer that the item `id` belongs to.
#[must_use]
pub fn answer_of(id: &str) -> Option<String> {
    token_of(id).map(response_id)
}

/// What it takes to keep a turn once its answer is complete.
#[derive(Clone, Debug)]
pub struct Keep {
    /// The name of the record.
    pub name: String,
    /// The items that led to the answer, as a JSON list.
    pub input: ir::Text,
    /// For so many seconds.
    pub ttl_seconds: u64,
    /// A larger record is not kept, in bytes.
    pub max_bytes: usize,
}

impl Keep {
    /// The record of the turn; `response` is the answer as the client got it. `None` where the answer did not come to its
    /// end, or is too large.
    #[must_use]
    pub fn record(&self, response: &[u8]) -> Option<Record> {
        let response = std::str::from_utf8(response).ok()?.trim();
        if !turn::is_complete(response) {
            return None;
        }
        let value = turn::write(&self.input, response);
        if value.len() > self.max_bytes {
            tracing::warn!(bytes = value.len(), limit = self.max_bytes, "a conversation is too large to be kept");
            return None;
        }
        Some(Record { name: self.name.clone(), value, ttl_seconds: self.ttl_seconds })
    }
}
