//! The sources are held to the design: who may import whom, what only the hosts know, and a few rules of style that a
//! compiler does not check. The table is ARCHITECTURE.md's, with the rooms as they are.
#![expect(clippy::unwrap_used, clippy::string_slice, reason = "a test may fail so")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A room of the house, the rooms that it may know, and why those.
type Room = (&'static str, &'static [&'static str], &'static str);

const ROOMS: &[Room] = &[
    ("error", &[], "the words for what went wrong know nothing of what it was"),
    ("diagnostics", &[], "so do the words for what was lost"),
    ("http", &[], "messages as data"),
    ("secret", &[], "a text that does not show itself"),
    ("sse", &["ir"], "framing, whatever is framed; the IR knows how JSON is written"),
    ("ir", &["context", "diagnostics", "error"], "plain data; only the emitter takes its ids from the context"),
    ("json", &["error", "ir"], "a reader that names the path of what is wrong"),
    ("context", &["diagnostics", "error", "ir", "json"], "what every spoke is handed"),
    ("envelope", &["ir"], "sealed values in clients' slots"),
    ("schema", &["ir"], "schemas in two languages"),
    ("tokens", &["ir"], "an estimate of a prompt"),
    ("capabilities", &["ir"], "what models take: a table that asks nobody"),
    ("fetch", &["dialects", "http", "ir"], "what may be fetched; of dialects it knows the types of media"),
    ("conversation", &["context", "diagnostics", "ir"], "the history as strict upstreams want it"),
    (
        "conversations",
        &["error", "http", "ir", "json", "sse"],
        "turns that are kept, in the words of the client that reads them",
    ),
    (
        "dialects",
        &["capabilities", "context", "diagnostics", "envelope", "error", "http", "ir", "json", "schema", "sse"],
        "words that both sides of a dialect share; it cannot know either side",
    ),
    ("quirks", &["context", "diagnostics", "ir"], "a pass knows the IR alone, neither clients nor upstreams"),
    (
        "frontends",
        &[
            "context",
            "conversation",
            "diagnostics",
            "dialects",
            "envelope",
            "error",
            "http",
            "ir",
            "json",
            "schema",
            "sse",
            "tokens",
        ],
        "a frontend cannot find out what the upstream is",
    ),
    (
        "backends",
        &[
            "capabilities",
            "context",
            "conversation",
            "diagnostics",
            "dialects",
            "envelope",
            "error",
            "http",
            "ir",
            "json",
            "schema",
            "secret",
            "sse",
            "tokens",
        ],
        "a backend cannot find out who the client is",
    ),
    (
        "config",
        &["backends", "capabilities", "diagnostics", "dialects", "error", "fetch", "ir", "json", "quirks", "secret"],
        "which upstreams there are; of the backends it knows the table and what a target is",
    ),
    (
        "auth",
        &["conversations", "error", "http", "secret"],
        "the gateway's own keys; of conversations it knows who calls",
    ),
    ("catalog", &["config", "dialects", "error", "http"], "lists of models"),
    (
        "pipeline",
        &[
            "auth",
            "backends",
            "catalog",
            "config",
            "context",
            "conversations",
            "diagnostics",
            "dialects",
            "envelope",
            "error",
            "fetch",
            "frontends",
            "http",
            "ir",
            "json",
            "quirks",
            "secret",
            "tokens",
        ],
        "the driver, the only one that sees a frontend and a backend",
    ),
    (
        "hosts",
        &["config", "conversations", "error", "fetch", "http", "pipeline"],
        "the world outside; hands everything to the pipeline",
    ),
    (
        "main",
        &["backends", "capabilities", "context", "diagnostics", "frontends", "hosts", "ir", "pipeline", "quirks"],
        "the command line, which also translates without a gateway",
    ),
    ("lib", &[], "the tour"),
];

/// A source file, without its comments and unit tests.
struct Source {
    /// Its path under `src`, with `/`.
    path: String,
    code: String,
    lines: usize,
}

impl Source {
    fn room(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// The spoke that this file belongs to: `claude` of `frontends/claude/stream.rs`.
    fn spoke(&self) -> Option<&str> {
        let mut steps = self.path.split('/');
        let room = steps.next()?;
        let name = steps.next()?.trim_end_matches(".rs");
        (matches!(room, "frontends" | "backends" | "quirks") && !matches!(name, "mod" | "names")).then_some(name)
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut out = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            let tested = text.find("#[cfg(test)]").unwrap_or(text.len());
            let is_code = |line: &&str| !line.trim_start().starts_with("//");
            let code: String = text[..tested].lines().filter(is_code).flat_map(|line| [line, "\n"]).collect();
            out.push(Source { path, code, lines: text.lines().count() });
        }
    }
    out.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(out.len() > 30, "the sources were not found");
    out
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The names that follow `before`: `crate::` gives the rooms of both `crate::ir::Text` and `crate::{ir, json}`.
fn names_behind(code: &str, before: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for (at, _) in code.match_indices(before) {
        let rest = &code[at + before.len()..];
        let list = match rest.strip_prefix('{') {
            Some(list) => top_level(list),
            None => vec![rest],
        };
        for one in list {
            out.insert(one.trim_start().chars().take_while(|c| is_name(*c)).collect());
        }
    }
    out
}

/// The elements of a list that ends with `}`, those of inner lists left out.
fn top_level(list: &str) -> Vec<&str> {
    let (mut out, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                out.push(&list[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                out.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    out
}

/// Where `word` stands in `code` as a word of its own.
fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_some_and(is_name);
        let after = code[at + word.len()..].chars().next().is_some_and(is_name);
        !before && !after
    })
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn rooms_know_only_whom_they_may() {
    let table: BTreeMap<&str, (&[&str], &str)> = ROOMS.iter().map(|(room, may, why)| (*room, (*may, *why))).collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let room = source.room();
        let Some((may, why)) = table.get(room) else {
            wrong.push(format!("{}: the room {room} is not in the table", source.path));
            continue;
        };
        let root = if room == "main" { "any_api::" } else { "crate::" };
        for known in names_behind(&source.code, root) {
            let is_room = table.contains_key(known.as_str());
            if is_room && known != room && !may.contains(&known.as_str()) {
                wrong.push(format!("{} knows {known}: {why}", source.path));
            }
        }
    }
    report(&wrong);
}

#[test]
fn spokes_do_not_know_each_other() {
    let sources = sources();
    let spokes: BTreeSet<&str> = sources.iter().filter_map(Source::spoke).collect();
    let mut wrong = Vec::new();
    for source in &sources {
        let Some(own) = source.spoke() else { continue };
        let room = source.room();
        let mut known = names_behind(&source.code, &format!("crate::{room}::"));
        let outside = if source.path.matches('/').count() == 1 || source.path.ends_with("/mod.rs") {
            "super::"
        } else {
            "super::super::"
        };
        known.extend(names_behind(&source.code, outside));
        for other in known {
            if other != own && spokes.contains(other.as_str()) {
                wrong.push(format!("{} knows its sibling {other}", source.path));
            }
        }
    }
    report(&wrong);
}

/// The core has no sockets, no clock, no threads, no state of its own.
#[test]
fn only_hosts_know_the_world() {
    let words = [
        "worker",
        "tokio",
        "hyper",
        "hyper_util",
        "std::net",
        "std::fs",
        "std::env",
        "std::thread",
        "std::io",
        "SystemTime",
        "Instant",
        "Mutex",
        "RwLock",
        "OnceLock",
        "LazyLock",
        "RefCell",
        "thread_local",
        "AtomicU64",
        "AtomicUsize",
        "println",
        "eprintln",
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        if matches!(source.room(), "hosts" | "main") {
            continue;
        }
        // A handle keeps what it was unescaped to; that is a value's own, and no state that others share.
        // And what serde_json writes into has to have a trait of that name, also where it is a list of bytes.
        let is_own = |word: &&str| matches!(*word, "OnceLock" | "std::io") && source.path == "ir/text.rs";
        let known = words.iter().filter(|word| has_word(&source.code, word) && !is_own(word));
        wrong.extend(known.map(|word| format!("{} names {word}", source.path)));
    }
    report(&wrong);
}

/// Four verbs: lower, raise, parse, render.
#[test]
fn functions_are_named_by_what_they_do() {
    let bad_starts = ["convert_", "transform_", "translate_to_", "map_to_"];
    let bad_parts = ["claude", "anthropic", "gemini", "openai", "chat_completions", "responses"];
    let mut wrong = Vec::new();
    for source in sources() {
        for name in names_behind(&source.code, "fn ") {
            let is_from_to = |way: &str| {
                name.strip_prefix(way).is_some_and(|rest| bad_parts.iter().any(|part| rest.starts_with(part)))
            };
            if bad_starts.iter().any(|start| name.starts_with(start)) || is_from_to("to_") || is_from_to("from_") {
                wrong.push(format!("{}: fn {name}", source.path));
            }
        }
    }
    report(&wrong);
}

#[test]
fn files_are_of_a_size_to_read() {
    let long = sources().into_iter().filter(|source| source.lines > 900);
    report(
        &long.map(|source| format!("{} has {} lines: make it a folder", source.path, source.lines)).collect::<Vec<_>>(),
    );
}

/// A lint is expected with a reason, never silenced.
#[test]
fn no_lint_is_silenced() {
    let silenced = |source: &Source| source.code.contains("#[allow(") || source.code.contains("#![allow(");
    report(&sources().iter().filter(|source| silenced(source)).map(|source| source.path.clone()).collect::<Vec<_>>());
}

/// A reader of a spoke sees at once which `Message` is the wire's and which the IR's.
#[test]
fn spokes_write_ir_types_with_their_room() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.spoke().is_some()) {
        for name in names_behind(&source.code, "use crate::ir::") {
            if name != "self" {
                wrong.push(format!("{}: use crate::ir::{name}", source.path));
            }
        }
        if source.code.lines().any(|line| line.contains("ir::{") && line.contains("use "))
            && !source.code.contains("ir::{self}")
        {
            wrong.push(format!("{}: takes names out of ir", source.path));
        }
    }
    report(&wrong);
}

#[test]
fn each_dialect_has_two_sides_of_one_name() {
    let sources = sources();
    let side = |room: &str| -> BTreeSet<&str> {
        sources.iter().filter(|source| source.room() == room).filter_map(Source::spoke).collect()
    };
    let (frontends, mut backends) = (side("frontends"), side("backends"));
    assert!(backends.remove("echo"), "echo is a backend alone");
    assert_eq!(frontends, backends);
    assert_eq!(frontends.len(), 4);
}

/// A new field of a request breaks every backend until it is mapped or reported.
#[test]
fn backends_take_requests_apart_field_by_field() {
    let sources = sources();
    let mut held: BTreeSet<&str> = BTreeSet::new();
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| source.room() == "backends") {
        let Some(spoke) = source.spoke() else { continue };
        for (at, _) in source.code.match_indices("let ir::Request {") {
            let rest = &source.code[at..];
            let pattern = &rest[..rest.find('=').unwrap_or(rest.len())];
            if pattern.contains("..") {
                wrong.push(format!("{}: leaves fields out with `..`", source.path));
            }
            held.insert(spoke);
        }
    }
    let all: BTreeSet<&str> =
        sources.iter().filter(|source| source.room() == "backends").filter_map(Source::spoke).collect();
    wrong.extend(all.difference(&held).map(|spoke| format!("backends/{spoke}: no `let ir::Request {{`")));
    report(&wrong);
}

/// What a dialect or a quirk is called is known to its own files, to the configuration and to the command line.
#[test]
fn names_are_compared_nowhere() {
    let dialects = ["openai-chat-completions", "openai-responses", "claude", "gemini"];
    let quirks = ["noInstructions", "noPreviousResponseId", "maxInstructionsChars"];
    let mut wrong = Vec::new();
    for source in sources() {
        // Two families of models are called as the dialects that they speak at home.
        if !matches!(source.room(), "dialects" | "main" | "capabilities" | "tokens") {
            let named = dialects.iter().filter(|id| source.code.contains(&format!("{id:?}")));
            wrong.extend(named.map(|id| format!("{} names the dialect {id}", source.path)));
        }
        if !matches!(source.room(), "quirks" | "config") {
            let named = quirks.iter().filter(|id| source.code.contains(&format!("{id:?}")));
            wrong.extend(named.map(|id| format!("{} names the quirk {id}", source.path)));
        }
    }
    report(&wrong);
}

/// What a model takes is asked of `target.capabilities`: no spoke reads a model's name.
#[test]
fn spokes_do_not_judge_models_by_their_names() {
    let families =
        ["gpt", "o1", "o3", "o4", "chatgpt", "codex", "claude", "opus", "sonnet", "haiku", "gemini", "flash"];
    let looks = ["starts_with(", "ends_with(", "contains(", "strip_prefix(", "split_once(", "find(", "== ", "!= "];
    let mut wrong = Vec::new();
    for source in sources() {
        if !matches!(source.room(), "frontends" | "backends" | "quirks" | "dialects") {
            continue;
        }
        for look in looks {
            for (at, _) in source.code.match_indices(&format!("{look}\"")) {
                let word = &source.code[at + look.len() + 1..];
                let word = word.split('"').next().unwrap_or_default();
                let is_name =
                    |family: &&&str| word.strip_prefix(**family).is_some_and(|rest| !rest.starts_with(is_name));
                if let Some(family) = families.iter().find(is_name) {
                    wrong.push(format!("{}: {look}{word:?}) is about models of the family {family}", source.path));
                }
            }
        }
        // The name is sent and told, never taken apart.
        for part in [".model.rsplit(", ".model.split(", ".model.starts_with(", ".model.contains(", ".model.strip_"] {
            if source.code.contains(part) {
                wrong.push(format!("{}: takes a model's name apart with {part}…)", source.path));
            }
        }
    }
    report(&wrong);
}
