//! Where the gateway runs: the only modules that know a socket, a clock or a platform. They are thin; what a request
//! means is decided in [`crate::pipeline`].

pub mod log;

#[cfg(all(feature = "cloudflare", target_arch = "wasm32"))]
pub mod cloudflare;
#[cfg(feature = "native")]
pub mod native;
