//! Every field of the vendors' request types arrives or is reported: by the schemas of their SDKs, where they are there
//! (`SCHEMAS_DIR`, `../shared/protocols/schemas` unless set).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may fail so"
)]

#[path = "support/mod.rs"]
#[expect(dead_code, reason = "each test takes what it needs")]
mod support;

#[path = "support/schemas.rs"]
mod schemas;

use std::collections::BTreeMap;

use any_api::diagnostics::Diagnostic;
use any_api::ir::Delivery;
use schemas::{CANARY, CANARY_INTEGER, CANARY_NUMBER, Case};
use serde_json::{Value, json};
use support::fixtures::DIALECTS;
use support::ways;

/// [`CANARY`] in base64.
const BASE64: &str = "Y2FuYXJ5UTc=";

/// Fields that the long way of the same dialect changes, and why that is right: dialect, end of the name, reason.
const CHANGED: &[(&str, &str, &str)] = &[
    ("", "model", "the configuration names the upstream's model"),
    ("claude", "tool_use_id", "a result for no call is told in words"),
    ("gemini", "partialArgs.boolValue", "only Vertex streams arguments by their paths, and only in answers"),
    ("gemini", "partialArgs.jsonPath", "only Vertex streams arguments by their paths, and only in answers"),
    ("gemini", "partialArgs.numberValue", "only Vertex streams arguments by their paths, and only in answers"),
    ("gemini", "partialArgs.stringValue", "only Vertex streams arguments by their paths, and only in answers"),
    ("gemini", "partialArgs.willContinue", "only Vertex streams arguments by their paths, and only in answers"),
    ("gemini", "functionCall.willContinue", "only Vertex streams arguments by their paths, and only in answers"),
    ("gemini", "functionResponse.name", "a result for no call is told in words"),
    ("gemini", "(user)role", "the default"),
    ("gemini", "contents.role", "the default"),
    ("openai-chat-completions", "(function)name", "a result for no call is told in words"),
    ("openai-chat-completions", "tool_call_id", "a result for no call is told in words"),
    ("openai-chat-completions", "input_audio.format", "what is taken for a sound without a format"),
    ("openai-chat-completions", "stream_options.include_usage", "usage is always asked for, in streams alone"),
    ("openai-responses", "logprobs.bytes", "the bytes of the token"),
    ("openai-responses", "top_logprobs.bytes", "the bytes of the token"),
    ("openai-responses", "(reasoning)status", "OpenAI refuses a thought with neither id nor state"),
    ("openai-responses", "(summary_text)text", "OpenAI refuses a thought with neither id nor state"),
];

/// Fields that neither arrive nor are reported, and why that is right: dialect (any if empty), end of the name, value (any
/// if empty), reason.
const EXCUSED: &[(&str, &str, &str, &str)] = &[
    ("", "model", "", "the configuration names the upstream's model"),
    // Defaults, said aloud.
    ("", "parallel_tool_calls", "true", "the default of all vendors"),
    ("", "store", "false", "nobody but OpenAI keeps answers"),
    ("", "service_tier", "\"auto\"", "the default"),
    ("claude", "speed", "\"standard\"", "the default"),
    ("claude", "is_error", "false", "the default"),
    ("claude", "disable_parallel_tool_use", "false", "the default"),
    ("", "strict", "false", "nothing is asked for"),
    ("gemini", "thought", "false", "the default"),
    ("gemini", "role", "\"user\"", "the default"),
    ("gemini", "responseLogprobs", "false", "the default"),
    ("gemini", "responseMimeType", "\"text/plain\"", "the default"),
    ("gemini", "includeThoughts", "false", "the default"),
    ("gemini", "type", "\"TYPE_UNSPECIFIED\"", "the default"),
    ("openai-chat-completions", "logprobs", "false", "the default"),
    ("openai-chat-completions", "modalities", "\"text\"", "the default"),
    ("openai-chat-completions", "format", "\"wav\"", "what is taken for a sound without a format"),
    ("openai-responses", "background", "false", "the default"),
    ("openai-responses", "truncation", "\"disabled\"", "the default"),
    ("openai-responses", "context", "\"auto\"", "the default"),
    ("openai-responses", "mode", "\"standard\"", "the default"),
    ("", "detail", "\"auto\"", "the default"),
    ("openai-responses", "output_format", "\"png\"", "the default"),
    // What the gateway does itself.
    ("openai-chat-completions", "stream_options.include_usage", "", "usage is always asked for, and told if asked for"),
    ("openai-responses", "stream_options.include_obfuscation", "", "the gateway makes the stream"),
    ("openai-responses", "include", "\"reasoning.encrypted_content\"", "sealed thoughts are always told"),
    ("claude", "display", "\"omitted\"", "the gateway leaves thoughts out of the answer"),
    ("claude", "budget_tokens", "", "turned into an effort, and reported so; required, so nothing tells it is new"),
    // What says nothing by itself.
    ("openai-chat-completions", "json_schema.name", "", "a label that OpenAI wants"),
    ("openai-responses", "format.(json_schema)name", "", "a label that OpenAI wants"),
    ("openai-responses", "format.(json_schema)description", "", "reported together with the name"),
    ("", "json_schema.strict", "", "the others always keep to the schema"),
    ("", "format.(json_schema)strict", "", "the others always keep to the schema"),
    ("openai-chat-completions", "top_logprobs", "", "reported together with `logprobs`"),
    ("gemini", "logprobs", "", "reported together with `responseLogprobs`"),
    ("gemini", "systemInstruction.role", "", "Google passes it over"),
    ("gemini", "nullable", "", "a schema without a type takes null anyway"),
    ("gemini", "propertyOrdering", "", "an order of properties that there are none of"),
    ("gemini", "functionResponse.id", "", "the call has none, so the result is found by its name"),
    ("openai-responses", "id", "", "the upstream's own name of an item"),
    ("openai-responses", "status", "", "how far the upstream got with an item of the history"),
    ("openai-responses", "(function_call_output)name", "", "the call says it"),
    ("openai-responses", "(function_call_output)namespace", "", "the call says it"),
    ("openai-responses", "(web_search)type", "", "the version of the tool"),
    ("openai-responses", "(web_search_preview)type", "", "the version of the tool"),
    ("openai-responses", "logprobs.token", "", "how likely old words were is no part of the prompt"),
    ("openai-responses", "logprobs.logprob", "", "how likely old words were is no part of the prompt"),
    ("openai-responses", "logprobs.bytes", "", "the bytes of the token"),
    ("openai-responses", "top_logprobs.token", "", "how likely old words were is no part of the prompt"),
    ("openai-responses", "top_logprobs.logprob", "", "how likely old words were is no part of the prompt"),
    ("openai-responses", "top_logprobs.bytes", "", "the bytes of the token"),
    ("gemini", "partialArgs.boolValue", "", "only Vertex streams arguments by their paths, and only in answers"),
    ("gemini", "partialArgs.jsonPath", "", "only Vertex streams arguments by their paths, and only in answers"),
    ("gemini", "partialArgs.numberValue", "", "only Vertex streams arguments by their paths, and only in answers"),
    ("gemini", "partialArgs.stringValue", "", "only Vertex streams arguments by their paths, and only in answers"),
    ("gemini", "partialArgs.willContinue", "", "only Vertex streams arguments by their paths, and only in answers"),
    ("gemini", "functionCall.willContinue", "", "only Vertex streams arguments by their paths, and only in answers"),
    ("gemini", "functionResponse.name", "", "a result for no call is told in words, and reported so"),
    ("claude", "properties.description", "", "a property whose schema is none"),
];

/// Whether the name of the case ends with `name`.
fn ends_with(case: &Case, name: &str) -> bool {
    case.name.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with(['.', ')']))
}

/// Whether a change on the long way of the same dialect is right, by the list.
fn is_changed(dialect: &str, case: &Case) -> bool {
    CHANGED.iter().any(|(of, name, _)| (of.is_empty() || *of == dialect) && ends_with(case, name))
}

/// Whether a loss is right, by the list.
fn is_excused(dialect: &str, case: &Case) -> bool {
    let value = case.value.to_string();
    EXCUSED.iter().any(|(of, name, of_value, _)| {
        (of.is_empty() || *of == dialect) && ends_with(case, name) && (of_value.is_empty() || *of_value == value)
    })
}

/// Losses that tell of a whole: what is in it goes with it, however deep. Any other counts for a field only at its own place,
/// or at the object that it is a field of.
const COVERING: &[&str] = &[
    // A part or a tool that is told in words, left out, or sent to nobody.
    "content-as-text",
    "content-dropped",
    "hosted-trace-lost",
    "reasoning-dropped",
    "tool-choice-weakened",
    // Its words name the options.
    "builtin-tool-options-lost",
    // A value that only its own dialect understands, whatever is in it.
    "unknown-field",
    "option-lost",
    "tool-option-lost",
    "reasoning-option-lost",
    "safety-settings-lost",
    "context-management-lost",
    "cache-hint-lost",
    "citations-lost",
    "citation-degraded",
    "media-detail-lost",
];

/// What became of a document on its way up.
struct Outcome {
    body: String,
    losses: Vec<Diagnostic>,
    refused: bool,
}

fn way(dialect: &str, document: &Value, target: &str) -> Option<Outcome> {
    let (cx, lowered) = ways::lower(dialect, &document.to_string(), Delivery::Whole).ok()?;
    Some(match ways::raise(&cx, &lowered.request, target) {
        Ok((raised, losses)) => {
            Outcome { body: String::from_utf8(ways::body(&raised)).unwrap(), losses, refused: false }
        }
        Err(_) => Outcome { body: String::new(), losses: Vec::new(), refused: true },
    })
}

fn is_canary(value: &Value) -> bool {
    *value == json!(CANARY) || *value == json!(CANARY_INTEGER) || *value == json!(CANARY_NUMBER)
}

/// Whether a diagnostic's place is the field, or something inside of it.
fn is_in(place: &str, path: &str) -> bool {
    let rest = place.strip_prefix(path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// What stands right around a field: the object that it is a field of, or the list that it is an element of.
fn around(path: &str) -> &str {
    path.rfind(['.', '[']).and_then(|end| path.get(..end)).unwrap_or_default()
}

#[derive(Default)]
struct Counts {
    carried: usize,
    reported: usize,
    excused: usize,
}

#[derive(Debug, PartialEq)]
enum Fate {
    Carried,
    Reported,
    /// With what was reported.
    ReportedElsewhere(String),
    Lost,
}

fn fate(case: &Case, dialect: &str, target: &str) -> Fate {
    let with = way(dialect, &case.document, target).unwrap();
    if with.refused {
        return Fate::Reported;
    }
    let without = way(dialect, &case.with(None), target).filter(|outcome| !outcome.refused);
    let other = || case.others.iter().find_map(|other| way(dialect, &case.with(Some(other.clone())), target));
    let base = without.or_else(other);
    let carried = if is_canary(&case.value) {
        // Texts of documents travel as base64, too.
        let text = case.value.to_string();
        with.body.contains(text.trim_matches('"')) || with.body.contains(BASE64)
    } else {
        base.as_ref().is_none_or(|base| base.body != with.body)
    };
    if carried {
        return Fate::Carried;
    }
    let path = case.path();
    let is_new = |loss: &&Diagnostic| base.as_ref().is_none_or(|base| !base.losses.contains(loss));
    let mut new = with.losses.iter().filter(is_new).peekable();
    let has_new = base.is_some() && new.peek().is_some();
    if new.any(|loss| is_in(&loss.place, &path)) {
        return Fate::Reported;
    }
    // What is reported as a whole is reported with all that is in it.
    let is_whole = |loss: &Diagnostic| loss.place == around(&path) || COVERING.contains(&loss.code.name);
    if with.losses.iter().any(|loss| !loss.place.is_empty() && is_in(&path, &loss.place) && is_whole(loss)) {
        return Fate::Reported;
    }
    if has_new || with.losses.iter().any(|loss| is_in(&path, &loss.place)) {
        let other = with.losses.iter().map(|loss| format!("{} at {:?}", loss.code.name, loss.place));
        return Fate::ReportedElsewhere(other.collect::<Vec<_>>().join(", "));
    }
    Fate::Lost
}

#[test]
fn every_field_arrives_or_is_reported() {
    let mut lost: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for dialect in DIALECTS {
        let cases: Vec<Case> = schemas::cases(dialect).into_iter().filter(|case| !case.is_constant).collect();
        let (mut refused, mut total) = (0, 0);
        let mut counts: Vec<Counts> = DIALECTS.iter().map(|_| Counts::default()).collect();
        for case in &cases {
            total += 1;
            if let Err(error) = ways::lower(dialect, &case.document.to_string(), Delivery::Whole) {
                refused += 1;
                lost.entry(format!("{dialect} is refused: {error}")).or_default().push(case.name.clone());
                continue;
            }
            for (target, counts) in DIALECTS.into_iter().zip(&mut counts) {
                match fate(case, dialect, target) {
                    // The long way of the same dialect loses nothing.
                    Fate::Reported | Fate::ReportedElsewhere(_) | Fate::Lost if target == dialect => {
                        if is_changed(dialect, case) {
                            counts.excused += 1;
                            continue;
                        }
                        let to = lost.entry(format!("{dialect} {} = {}", case.name, case.value)).or_default();
                        to.push("itself".to_owned());
                    }
                    Fate::Carried => counts.carried += 1,
                    Fate::Reported => counts.reported += 1,
                    Fate::ReportedElsewhere(_) if is_excused(dialect, case) => counts.excused += 1,
                    Fate::ReportedElsewhere(other) => {
                        let to = lost.entry(format!("{dialect} {} = {}", case.name, case.value)).or_default();
                        to.push(format!("{target} ({other})"));
                    }
                    Fate::Lost if is_excused(dialect, case) => counts.excused += 1,
                    Fate::Lost => {
                        let to = lost.entry(format!("{dialect} {} = {}", case.name, case.value)).or_default();
                        if !to.iter().any(|other| other == target) {
                            to.push(target.to_owned());
                        }
                    }
                }
            }
        }
        eprintln!("{dialect}: {total} fields, {refused} refused");
        for (target, counts) in DIALECTS.into_iter().zip(&counts) {
            let Counts { carried, reported, excused } = counts;
            eprintln!("  for {target}: {carried} carried, {reported} reported at their place, {excused} excused");
        }
    }
    let lines: Vec<String> = lost.iter().map(|(what, to)| format!("{what} -> {}", to.join(" "))).collect();
    assert!(lost.is_empty(), "{} fields are lost:\n{}", lost.len(), lines.join("\n"));
}
