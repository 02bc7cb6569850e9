//! What hosted tools did, told in another dialect's form: what that form cannot say is reported at its place.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "support/ways.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod ways;

use std::fs;

use any_api::diagnostics::{Diagnostic, codes};
use any_api::ir;

fn input(path: &str) -> String {
    fs::read_to_string(format!("{}/tests/in/{path}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn lost(diagnostics: &[Diagnostic]) -> Vec<String> {
    let details = diagnostics.iter().filter(|one| *one.code == codes::ANSWER_DETAIL_LOST);
    details.map(|one| format!("{} {}", one.place, one.message)).collect()
}

/// What a client of `client` is not told of an answer of `dialect`.
fn lost_of_answer(dialect: &str, case: &str, client: &str) -> Vec<String> {
    let (cx, response) = ways::parse(dialect, &input(&format!("response/{dialect}/{case}"))).unwrap();
    lost(&ways::render(client, &cx, response).1)
}

/// What an upstream of `upstream` is not told of a history of `dialect`.
fn lost_of_history(dialect: &str, case: &str, upstream: &str) -> Vec<String> {
    let document = input(&format!("request/{dialect}/{case}"));
    let (mut cx, lowered) = ways::lower(dialect, &document, ir::Delivery::Whole).unwrap();
    ways::backend(upstream).raise(&mut cx, &lowered.request, &ways::target("model")).unwrap();
    lost(&cx.take_diagnostics())
}

fn has(lost: &[String], words: &str) -> bool {
    lost.iter().any(|one| one.contains(words))
}

#[test]
fn the_language_of_code_is_not_lost_in_silence() {
    for client in ["openai-responses", "gemini"] {
        let lost = lost_of_answer("claude", "code-execution", client);
        assert!(has(&lost, "the code is bash"), "{client}: {lost:?}");
    }
    let python = lost_of_answer("gemini", "code-execution", "openai-responses");
    assert!(!has(&python, "that the code is"), "{python:?}");
}

#[test]
fn how_code_ended_is_not_lost_in_silence() {
    for client in ["openai-responses", "gemini", "openai-chat-completions"] {
        let lost = lost_of_answer("claude", "code-execution", client);
        assert!(has(&lost, "content.return_code"), "{client}: {lost:?}");
    }
    assert!(has(&lost_of_answer("claude", "code-execution", "openai-responses"), "that the code failed"));
    for upstream in ["openai-responses", "gemini", "openai-chat-completions"] {
        let lost = lost_of_history("claude", "code-that-failed", upstream);
        assert!(has(&lost, "content.return_code"), "{upstream}: {lost:?}");
    }
    assert_eq!(lost_of_history("claude", "code-that-failed", "claude"), Vec::<String>::new());
}

#[test]
fn containers_are_not_lost_or_made_up_in_silence() {
    for client in ["claude", "gemini", "openai-chat-completions"] {
        let lost = lost_of_answer("openai-responses", "code-interpreter", client);
        assert!(has(&lost, "container_id"), "{client}: {lost:?}");
        let lost = lost_of_history("openai-responses", "code-interpreter-history", client);
        assert!(has(&lost, "container_id"), "{client}: {lost:?}");
    }
    assert!(has(&lost_of_answer("claude", "code-execution", "openai-responses"), "is made up"));
    assert!(!has(&lost_of_answer("openai-responses", "code-interpreter", "openai-responses"), "container"));
}

#[test]
fn what_a_search_found_is_not_lost_in_silence() {
    for client in ["claude", "gemini", "openai-chat-completions"] {
        let lost = lost_of_answer("openai-responses", "web-search-sources", client);
        assert!(has(&lost, "action.sources") && has(&lost, "action.queries"), "{client}: {lost:?}");
        let plain = lost_of_answer("openai-responses", "web-search", client);
        assert!(!has(&plain, "action."), "{client}: {plain:?}");
    }
}
