//! Laws: what holds for every input. Over the fixtures of our own, and over the recordings where they are there
//! (`CORPUS_DIR`, `../shared/corpus` unless set): some of them, or all with `LAWS=full`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail so"
)]

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "each test takes what it needs")]
mod support;

mod damage;
mod inputs;
mod repeats;
mod requests;
mod seals;
mod streams;
