//! The translator alone, without I/O: `cargo bench --bench translation`. Times depend on the machine and its mood; what CI compares are
//! the instructions (`instructions.rs`).

#[path = "workload.rs"]
mod workload;

use any_api::context::{Cx, Ids};
use any_api::ir;
use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher};
use workload::{
    DIALECTS, SIZES, answer, asked, backend, decode, encode, frontend, lower, memo, raise, request, stream,
};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const PIECES: usize = 300;

fn main() {
    divan::main();
}

fn sized() -> impl Iterator<Item = (&'static str, usize)> {
    DIALECTS.into_iter().flat_map(|dialect| SIZES.map(|(_, bytes)| (dialect, bytes)))
}

#[divan::bench(args = sized().map(|(dialect, bytes)| format!("{dialect} {bytes}")))]
fn lower_request(bencher: Bencher<'_, '_>, case: &str) {
    let (dialect, document) = document(case);
    bencher
        .counter(BytesCount::new(document.len()))
        .with_inputs(|| document.clone())
        .bench_values(|document| lower(dialect, document));
}

#[divan::bench(args = sized().map(|(dialect, bytes)| format!("{dialect} {bytes}")))]
fn raise_request(bencher: Bencher<'_, '_>, case: &str) {
    let (dialect, document) = document(case);
    let length = document.len();
    let (cx, lowered) = lower(dialect, document);
    bencher.counter(BytesCount::new(length)).bench(|| raise(dialect, &cx, &lowered.request));
}

/// The floor: the whole document as a tree, and back.
#[divan::bench(args = sized().map(|(dialect, bytes)| format!("{dialect} {bytes}")))]
fn serde_json_value(bencher: Bencher<'_, '_>, case: &str) {
    let (_, document) = document(case);
    bencher
        .counter(BytesCount::new(document.len()))
        .bench(|| serde_json::from_str::<serde_json::Value>(&document).map(|value| value.to_string()));
}

#[divan::bench(args = DIALECTS)]
fn parse_answer(bencher: Bencher<'_, '_>, dialect: &str) {
    bencher.with_inputs(|| answer(dialect)).bench_values(|document| {
        let mut cx = Cx::new(ir::Body::new(document), 0, Ids::new(1));
        backend(dialect).parse(&mut cx, &memo(dialect))
    });
}

#[divan::bench(args = DIALECTS)]
fn render_answer(bencher: Bencher<'_, '_>, dialect: &str) {
    let mut cx = Cx::new(ir::Body::new(answer(dialect)), 0, Ids::new(1));
    let response = backend(dialect).parse(&mut cx, &memo(dialect)).ok();
    bencher.with_inputs(|| (cx.clone(), response.clone())).bench_values(|(mut cx, response)| {
        response.map(|response| frontend(dialect).render(&mut cx, &asked(), response))
    });
}

#[divan::bench(args = DIALECTS)]
fn decode_stream(bencher: Bencher<'_, '_>, dialect: &str) {
    let chunks = stream(dialect, PIECES);
    bencher.counter(ItemsCount::new(PIECES)).bench(|| decode(dialect, &chunks));
}

#[divan::bench(args = DIALECTS)]
fn encode_stream(bencher: Bencher<'_, '_>, dialect: &str) {
    let events = decode(dialect, &stream(dialect, PIECES));
    bencher
        .counter(ItemsCount::new(PIECES))
        .with_inputs(|| events.clone())
        .bench_values(|events| encode(dialect, events));
}

fn document(case: &str) -> (&str, String) {
    let (dialect, bytes) = case.rsplit_once(' ').unwrap_or((case, "0"));
    (dialect, request(dialect, bytes.parse().unwrap_or_default()))
}
