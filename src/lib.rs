//! any-api: every LLM client protocol reaches every upstream, through one typed intermediate representation.
//!
//! A gateway is a compiler. A client's request is source text in one of four languages, an upstream is a machine that
//! speaks one of four others, and between them stands one intermediate representation: N + M converters do the work of
//! N × M. Read the modules in this order:
//!
//! 1. [`ir`]: what any client can ask and any upstream can answer. Begin here.
//! 2. [`pipeline`]: the driver, which reads aloud: lower, passes, raise; parse, render.
//! 3. [`frontends`]: what clients speak. [`backends`]: what upstreams speak. [`quirks`]: passes that a configuration
//!    switches on for an upstream's oddities. None of these knows another.
//! 4. [`dialects`]: words that both sides of a dialect share. [`conversation`], [`json`], [`sse`]: their tools.
//! 5. [`capabilities`]: what each model takes, as data that the backends ask.
//! 6. [`error`] refuses, [`diagnostics`] reports what was lost, [`context`] knows where in the client's document we are.
//! 7. [`fetch`]: what may be fetched of what clients name, for upstreams that want content. [`config`], [`auth`], [`catalog`]: providers, gateway keys, model lists. [`conversations`]: what is kept of them.
//!    [`hosts`]: the Worker and the native
//!    server, the only places that know a socket or a clock.

pub mod auth;
pub mod backends;
pub mod capabilities;
pub mod catalog;
pub mod config;
pub mod context;
pub mod conversation;
pub mod conversations;
pub mod diagnostics;
pub mod dialects;
pub mod envelope;
pub mod error;
pub mod fetch;
pub mod frontends;
pub mod hosts;
pub mod http;
pub mod ir;
pub mod json;
pub mod pipeline;
pub mod quirks;
pub mod schema;
pub mod secret;
pub mod sse;
pub mod tokens;
