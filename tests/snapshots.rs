//! What every fixture becomes: requests for all upstreams, answers, streams and refusals for all clients, each with the
//! IR between. `BLESS=1 cargo test --test snapshots` writes `tests/out` anew; a reviewer reads the difference.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may fail so"
)]

#[expect(dead_code, reason = "each test takes what it needs")]
mod support;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use any_api::backends::Call;
use any_api::diagnostics::{Diagnostic, Level};
use any_api::error::Error;
use any_api::http;
use any_api::ir::{Delivery, Event, Reason};
use serde_json::{Value, json};
use support::fixtures::{DIALECTS, Fixture, MENDED, fixtures, folder, list};
use support::grammar;
use support::pretty::{inline, pretty};
use support::ways::{self, Refused};

/// Texts by their paths under `tests/out`.
type Pages = BTreeMap<String, String>;

/// A row of the matrix: the case, and what became of it for each target.
type Rows = Vec<(String, Vec<String>)>;

fn fenced(language: &str, text: &str) -> String {
    format!("```{language}\n{}\n```\n", text.trim_end_matches('\n'))
}

fn as_json(bytes: &[u8]) -> String {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => fenced("json", &pretty(&value)),
        Err(_) => fenced("text", &String::from_utf8_lossy(bytes)),
    }
}

fn losses(diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for Diagnostic { code, place, message } in diagnostics.iter().filter(|loss| loss.code.level > Level::Allow) {
        let place = if place.is_empty() { String::new() } else { format!(" at `{place}`") };
        writeln!(out, "- {} `{}`{place}: {message}", code.level.name(), code.name).unwrap();
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn told(error: &Error) -> String {
    format!("Refused: `{}`\n", inline(&json!(error)))
}

/// Delivery of a fixture: most dialects say it in the body, Gemini in the path.
fn delivery(fixture: &Fixture) -> Delivery {
    if fixture.case.starts_with("stream") { Delivery::Stream } else { Delivery::Whole }
}

fn request(fixture: &Fixture) -> (String, Vec<String>) {
    let Fixture { dialect, case, text } = fixture;
    let mut page = format!("# `{dialect}`, request `{case}`\n\n");
    let (cx, lowered) = match ways::lower(dialect, text, delivery(fixture)) {
        Ok(done) => done,
        Err(error) => {
            page.push_str(&told(&error));
            return (page, vec!["✗".to_owned(); DIALECTS.len()]);
        }
    };
    page.push_str(&fenced("json", &pretty(&json!(lowered.request))));
    let mut cells = Vec::new();
    for target in DIALECTS {
        write!(page, "\n## To `{target}`\n\n").unwrap();
        let (raised, diagnostics) = match ways::raise(&cx, &lowered.request, target) {
            Ok(done) => done,
            Err(Refused::Denied(diagnostics)) => {
                writeln!(page, "{}Refused.", losses(&diagnostics)).unwrap();
                cells.push(cell(true, diagnostics.iter().filter(|loss| loss.code.level == Level::Deny)));
                continue;
            }
            Err(Refused::Impossible(error)) => {
                page.push_str(&told(&error));
                cells.push("✗".to_owned());
                continue;
            }
        };
        page.push_str(&losses(&diagnostics));
        cells.push(cell(false, diagnostics.iter()));
        let Call::Send(request) = &raised.call else { panic!("{target} sends nothing") };
        write!(page, "`{} {}`\n\n{}", request.method, request.url, as_json(&request.body)).unwrap();
    }
    (page, cells)
}

fn cell<'a>(refused: bool, diagnostics: impl Iterator<Item = &'a Diagnostic>) -> String {
    let mut codes: Vec<&str> = diagnostics.map(|loss| loss.code.name).collect();
    codes.sort_unstable();
    codes.dedup();
    match (refused, codes.is_empty()) {
        (true, _) => format!("✗ {}", codes.join(", ")),
        (false, true) => "=".to_owned(),
        (false, false) => codes.join(", "),
    }
}

fn answer(fixture: &Fixture) -> (String, Vec<String>) {
    let Fixture { dialect, case, text } = fixture;
    let mut page = format!("# `{dialect}`, answer `{case}`\n\n");
    let (cx, response) = match ways::parse(dialect, text) {
        Ok(done) => done,
        Err(error) => {
            page.push_str(&told(&error));
            return (page, vec!["✗".to_owned(); DIALECTS.len()]);
        }
    };
    page.push_str(&losses(cx.diagnostics()));
    page.push_str(&fenced("json", &pretty(&json!(response))));
    let mut cells = Vec::new();
    for client in DIALECTS {
        if let Some(failure) = ways::frontend(client).failure(&response.finish) {
            write!(page, "\n## For `{client}`\n\n{}", told(&failure)).unwrap();
            cells.push("✗".to_owned());
            continue;
        }
        let (body, diagnostics) = ways::render(client, &cx, response.clone());
        write!(page, "\n## For `{client}`\n\n{}{}", losses(&diagnostics), as_json(&body)).unwrap();
        grammar::check_whole(client, &body).unwrap_or_else(|what| panic!("{} for {client}: {what}", fixture.name()));
        cells.push(cell(false, diagnostics.iter().filter(|loss| loss.code.level > Level::Allow)));
    }
    (page, cells)
}

fn stream(fixture: &Fixture) -> String {
    let Fixture { dialect, case, text } = fixture;
    let mut page = format!("# `{dialect}`, stream `{case}`\n\n");
    let (events, diagnostics) = ways::decode(dialect, [text.as_bytes()]);
    page.push_str(&losses(&diagnostics));
    let lines: Vec<String> = events.iter().map(|event| inline(&json!(event))).collect();
    page.push_str(&fenced("json", &lines.join("\n")));
    let (finishes, is_malformed) = match events.last() {
        Some(Event::Finish(finish)) => (true, finish.reason == Reason::Malformed),
        _ => (false, false),
    };
    for client in DIALECTS {
        let bytes = ways::encode(client, &events);
        write!(page, "\n## For `{client}`\n\n{}", fenced("text", &String::from_utf8_lossy(&bytes).replace('\r', "")))
            .unwrap();
        let told =
            grammar::check(client, &bytes).unwrap_or_else(|what| panic!("{} for {client}: {what}", fixture.name()));
        let is_told = finishes == (told == grammar::End::Finished);
        assert!(is_told || is_malformed, "{} for {client}: {told:?}", fixture.name());
    }
    page
}

fn refusal(fixture: &Fixture) -> String {
    let Fixture { dialect, case, text } = fixture;
    let mut page = format!("# `{dialect}`, refusal `{case}`\n\n");
    let input: Value = serde_json::from_str(text).unwrap();
    let status = u16::try_from(input["status"].as_u64().unwrap()).unwrap();
    let fields = input["headers"].as_object().unwrap().iter();
    let headers: http::Headers = fields.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let body = input["body"].as_str().map_or_else(|| input["body"].to_string(), ToOwned::to_owned);
    let error = ways::backend(dialect).parse_error(status, &headers, body.as_bytes());
    page.push_str(&fenced("json", &pretty(&json!(error))));
    for client in DIALECTS {
        let response = ways::frontend(client).render_error(&error);
        write!(page, "\n## For `{client}`\n\n{}", response.status).unwrap();
        for (name, value) in response.headers.iter() {
            write!(page, ", `{name}: {value}`").unwrap();
        }
        write!(page, "\n\n{}", as_json(&response.body)).unwrap();
        if client != *dialect {
            grammar::check_error(client, &response.body)
                .unwrap_or_else(|what| panic!("{} for {client}: {what}", fixture.name()));
        }
    }
    page
}

fn requests() -> (Pages, Rows) {
    paged("request", request)
}

fn answers() -> (Pages, Rows) {
    paged("response", answer)
}

fn paged(kind: &str, make: fn(&Fixture) -> (String, Vec<String>)) -> (Pages, Rows) {
    let mut pages = Pages::new();
    let mut rows = Rows::new();
    for fixture in fixtures(kind) {
        let (page, cells) = make(&fixture);
        pages.insert(format!("{kind}/{}.md", fixture.name()), page);
        rows.push((fixture.name(), cells));
    }
    (pages, rows)
}

#[test]
fn requests_are_raised_as_before() {
    compare("request", &requests().0);
}

#[test]
fn answers_are_rendered_as_before() {
    compare("response", &answers().0);
}

#[test]
fn streams_are_translated_as_before() {
    let page = |fixture: Fixture| (format!("stream/{}.md", fixture.name()), stream(&fixture));
    compare("stream", &fixtures("stream").into_iter().map(page).collect());
}

#[test]
fn refusals_are_told_as_before() {
    let page = |fixture: Fixture| (format!("error/{}.md", fixture.name()), refusal(&fixture));
    compare("error", &fixtures("error").into_iter().map(page).collect());
}

/// `MATRIX.md`: the snapshots at a glance.
#[test]
fn the_matrix_is_as_before() {
    let mut page = "# What becomes of each fixture\n\n\
        `=` is without loss; else the codes of `docs/diagnostics.md`; ✗ is refused. Made by `tests/snapshots.rs`.\n"
        .to_owned();
    let tables = [("Requests", "from", "to", requests().1), ("Answers", "of", "for", answers().1)];
    for (title, from, to, rows) in tables {
        write!(page, "\n## {title}\n").unwrap();
        for dialect in DIALECTS {
            let heads: Vec<String> = DIALECTS.iter().map(|target| format!("{to} {target}")).collect();
            write!(page, "\n| {from} {dialect} | {} |\n|---|---|---|---|---|\n", heads.join(" | ")).unwrap();
            for (name, cells) in &rows {
                if let Some(case) = name.strip_prefix(dialect).and_then(|rest| rest.strip_prefix('/')) {
                    writeln!(page, "| {case} | {} |", cells.join(" | ")).unwrap();
                }
            }
        }
    }
    compare("MATRIX.md", &Pages::from([("MATRIX.md".to_owned(), page)]));
}

/// Between equal dialects nothing is lost. Broken histories are mended, and that is told.
#[test]
fn a_dialect_loses_nothing_to_itself() {
    let at = |name: &str| DIALECTS.iter().position(|dialect| name.starts_with(dialect)).unwrap();
    let lossy: Vec<String> = [requests().1, answers().1]
        .into_iter()
        .flatten()
        .filter(|(name, cells)| cells[at(name)] != "=" && !cells[at(name)].starts_with("✗"))
        .filter(|(name, cells)| !cells[at(name)].split(", ").all(|code| MENDED.contains(&code)))
        .map(|(name, cells)| format!("{name}: {}", cells[at(&name)]))
        .collect();
    assert!(lossy.is_empty(), "{}", lossy.join("\n"));
}

/// Compares pages with the files under `tests/out/<part>`, or with `BLESS=1` writes them.
fn compare(part: &str, pages: &Pages) {
    let root = folder().join("out");
    if std::env::var("BLESS").is_ok_and(|value| value == "1") {
        bless(&root, part, pages);
        return;
    }
    let mut wrong = Vec::new();
    for (path, page) in pages {
        match std::fs::read_to_string(root.join(path)) {
            Ok(before) if before == *page => {}
            Ok(before) => wrong.push(format!("{path} is another:\n{}", difference(&before, page))),
            Err(_) => wrong.push(format!("{path} is new")),
        }
    }
    let stale = files(&root, part).into_iter().filter(|path| !pages.contains_key(path));
    wrong.extend(stale.map(|path| format!("{path} is stale: it has no input")));
    if wrong.is_empty() {
        return;
    }
    let shown = wrong.len().min(12);
    panic!(
        "{}\n{} pages of tests/out/{part} differ. If this is what you want: BLESS=1 cargo test --test snapshots",
        wrong[..shown].join("\n"),
        wrong.len()
    );
}

fn bless(root: &Path, part: &str, pages: &Pages) {
    for path in files(root, part) {
        if !pages.contains_key(&path) {
            eprintln!("removed {path}");
            std::fs::remove_file(root.join(path)).unwrap();
        }
    }
    for (path, page) in pages {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, page).unwrap();
    }
}

/// The files under `part`, by their paths under `root`.
fn files(root: &Path, part: &str) -> Vec<String> {
    let top = root.join(part);
    if top.is_file() {
        return vec![part.to_owned()];
    }
    let dialects = list(&top);
    let files = dialects.iter().flat_map(|dialect| list(dialect));
    files.map(|path| path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/")).collect()
}

/// The first stretch of lines that differs, with two lines around it.
fn difference(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(old, new)| old == new).count();
    let mut out = String::new();
    let mut show = |mark: char, lines: &[&str]| {
        for line in lines.iter().take(12) {
            writeln!(out, "  {mark} {line}").unwrap();
        }
        if lines.len() > 12 {
            writeln!(out, "  {mark} … {} lines more", lines.len() - 12).unwrap();
        }
    };
    show(' ', &old[head.saturating_sub(2)..head]);
    show('-', &old[head..old.len() - tail]);
    show('+', &new[head..new.len() - tail]);
    show(' ', &old[old.len() - tail..(old.len() - tail + 2).min(old.len())]);
    out
}
