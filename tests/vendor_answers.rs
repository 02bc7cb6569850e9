//! Every field of the vendors' answers and of the events of their streams reaches a client, or is reported: by the schemas of
//! their SDKs, where they are there (`SCHEMAS_DIR`, `../shared/protocols/schemas` unless set).
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
#[expect(dead_code, reason = "each test takes what it needs")]
mod schemas;

use std::collections::{BTreeMap, BTreeSet};

use any_api::context::Cx;
use any_api::diagnostics::Diagnostic;
use any_api::ir;
use schemas::{CANARY, CANARY_INTEGER, CANARY_NUMBER, Case, Step, WORD};
use serde_json::{Value, json};
use support::fixtures::DIALECTS;
use support::ways;

/// [`CANARY`] in base64.
const BASE64: &str = "Y2FuYXJ5UTc=";

/// Fields that are neither told nor reported, and why that is right: upstream's dialect (any if empty), end of the name,
/// value (any if empty), reason.
const EXCUSED: &[(&str, &str, &str, &str)] = &[
    ("", "model", "", "clients are told the name that they asked for"),
    ("", "created", "", "Claude and Gemini do not say when"),
    ("", "id", "", "names of answers, items and traces are each dialect's own; those of calls are told"),
    ("", "responseId", "", "Responses' clients expect ids of its own kind"),
    ("", "index", "", "the gateway counts what it writes; further choices are reported"),
    // How far something is; the gateway writes its own.
    ("", "status", "\"completed\"", "the default"),
    ("", "stop_reason", "\"end_turn\"", "the default"),
    ("", "stop_reason", "\"tool_use\"", "calls tell it"),
    ("", "finish_reason", "\"stop\"", "the default"),
    ("", "finish_reason", "\"tool_calls\"", "calls tell it"),
    ("", "finish_reason", "\"function_call\"", "calls tell it"),
    ("gemini", "modelVersion", "", "clients are told the name that they asked for"),
    ("gemini", "finishReason", "\"STOP\"", "the default"),
    ("gemini", "finishReason", "\"FINISH_REASON_UNSPECIFIED\"", "says nothing"),
    ("gemini", "content.(word)role", "", "always the model's"),
    ("openai-chat-completions", "delta.role", "", "always the model's"),
    ("openai-responses", "background", "false", "the default"),
    ("openai-responses", "parallel_tool_calls", "true", "the default"),
    ("openai-responses", "service_tier", "\"default\"", "the default"),
    ("openai-responses", "tool_choice", "\"auto\"", "the default"),
    ("openai-responses", "truncation", "\"disabled\"", "the default"),
    ("openai-responses", "status", "\"incomplete\"", "why, is told"),
    ("openai-responses", "created_at", "", "whole seconds"),
    ("openai-responses", "namespace", "", "a name space that the client has not declared"),
    ("openai-chat-completions", "bytes", "", "the bytes of the token"),
    ("openai-responses", "bytes", "", "the bytes of the token"),
    ("openai-responses", "response.status", "\"in_progress\"", "the event says that the answer is over"),
    ("openai-responses", "response.status", "\"queued\"", "the event says that the answer is over"),
    ("openai-responses", "(response.audio.delta)delta", "", "reported: no answer of Responses is sound yet"),
    ("openai-responses", "(response.audio.transcript.delta)delta", "", "reported: no answer of Responses is sound yet"),
    ("claude", "tool_use_id", "", "what Gemini's clients are told of a trace has no names"),
    ("claude", "(thinking_delta)estimated_tokens", "", "a guess on the way; the usage tells how many there were"),
    // Pieces of Vertex' arguments, which are put together.
    ("gemini", "functionCall.willContinue", "", "the pieces are put together"),
    ("gemini", "partialArgs.willContinue", "", "the pieces are put together"),
    ("gemini", "partialArgs.jsonPath", "", "a path that is none is reported"),
];

/// Whole branches of which the same holds: upstream's dialect, how delivered, beginning of the name, reason.
const PASSED_OVER: &[(&str, Way, &str, &str)] = &[
    (
        "gemini",
        Way::Whole,
        "candidates.content.(word)parts.functionResponse.",
        "no answer has results: an error, as it holds nothing else",
    ),
    ("gemini", Way::Streamed, "candidates.content.(word)parts.functionResponse.", "no answer has results: reported"),
    ("openai-chat-completions", Way::Streamed, "choices.logprobs.refusal.", "reported: there are such of text alone"),
    ("claude", Way::Streamed, "(message_start)message.(message)stop_reason", "the end says it again"),
    (
        "openai-responses",
        Way::Streamed,
        "(response.created)response.",
        "what comes later, comes by events and in the end",
    ),
    ("openai-responses", Way::Streamed, "(response.in_progress)", "says what `response.created` said"),
    ("openai-responses", Way::Streamed, "(response.queued)", "says what `response.created` said"),
    (
        "openai-responses",
        Way::Streamed,
        "(response.failed)response.",
        "a failure is told as an error, without the half answer",
    ),
    ("openai-responses", Way::Streamed, "(response.content_part.added)part.", "the part's end tells all of it"),
    ("openai-responses", Way::Streamed, "(response.reasoning_summary_part.", "the item's end tells all of it"),
    ("openai-responses", Way::Streamed, "(response.code_interpreter_call", "the item's end tells all of it"),
    ("openai-responses", Way::Streamed, "(response.mcp_call_arguments.", "the item's end tells all of it"),
    ("openai-responses", Way::Streamed, "(response.shell_call_", "the item's end tells all of it"),
    ("openai-responses", Way::Streamed, "(response.image_generation_call.", "sketches; the item's end has the picture"),
];

/// Fields by which a stream counts, or pads: the gateway counts for itself.
const COUNTS: &[&str] = &[
    "sequence_number",
    "item_id",
    "output_index",
    "content_index",
    "summary_index",
    "annotation_index",
    "command_index",
    "obfuscation",
];

/// Losses that tell of a whole: what is in it goes with it, however deep.
const COVERING: &[&str] = &["answer-part-dropped", "citation-degraded", "content-as-text", "reasoning-hidden"];

/// What an event is reported with that is passed over whole.
const UNKNOWN_EVENT: &str = "an event that the dialect does not know";

/// Whether the name of the case ends with `name`.
fn ends_with(case: &Case, name: &str) -> bool {
    case.name.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with(['.', ')']))
}

fn is_excused(dialect: &str, way: Way, case: &Case, used: &mut BTreeSet<usize>) -> bool {
    let value = case.value.to_string();
    let found = EXCUSED.iter().position(|(of, name, of_value, _)| {
        (of.is_empty() || *of == dialect) && ends_with(case, name) && (of_value.is_empty() || *of_value == value)
    });
    used.extend(found);
    found.is_some() || way == Way::Streamed && COUNTS.iter().any(|name| ends_with(case, name))
}

fn is_passed_over(dialect: &str, way: Way, case: &Case) -> bool {
    PASSED_OVER.iter().any(|(of, by, beginning, _)| *of == dialect && *by == way && case.name.starts_with(beginning))
}

/// What a client is told of an answer, and what not.
struct Outcome {
    body: String,
    losses: Vec<Diagnostic>,
}

/// A whole answer or a streamed one, as it is read; an error where none was read.
enum Answer {
    Whole(Box<(ir::Response, Cx)>, Vec<Diagnostic>),
    Streamed(Vec<ir::Event>, Vec<Diagnostic>),
    Failed(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Whole,
    /// By an event of a stream.
    Streamed,
}

fn read(dialect: &str, way: Way, document: &Value) -> Answer {
    match way {
        Way::Whole => match ways::parse(dialect, &document.to_string()) {
            Ok((mut cx, response)) => {
                let losses = cx.take_diagnostics();
                Answer::Whole(Box::new((response, cx)), losses)
            }
            Err(error) => Answer::Failed(format!("{error:?}")),
        },
        Way::Streamed => {
            let (events, losses) = ways::decode(dialect, [stream(dialect, document).as_bytes()]);
            match events.last() {
                Some(ir::Event::Failed(error)) => Answer::Failed(format!("{error:?}")),
                _ => Answer::Streamed(events, losses),
            }
        }
    }
}

impl Answer {
    fn ir(&self) -> Option<Value> {
        match self {
            Self::Whole(whole, _) => Some(ir::Json::of(&whole.0).value()),
            Self::Streamed(events, _) => Some(ir::Json::of(events).value()),
            Self::Failed(_) => None,
        }
    }

    fn to(&self, client: &str) -> Outcome {
        match self {
            Self::Whole(whole, before) => {
                let (response, cx) = &**whole;
                let (body, losses) = ways::render(client, cx, response.clone());
                let losses = before.iter().cloned().chain(losses).collect();
                Outcome { body: String::from_utf8(body).unwrap(), losses }
            }
            Self::Streamed(events, before) => {
                let (body, losses) = ways::encode_all(client, events);
                let losses = before.iter().cloned().chain(losses).collect();
                Outcome { body: String::from_utf8(body).unwrap(), losses }
            }
            Self::Failed(error) => Outcome { body: error.clone(), losses: Vec::new() },
        }
    }
}

fn is_canary(value: &Value) -> bool {
    *value == json!(CANARY) || *value == json!(CANARY_INTEGER) || *value == json!(CANARY_NUMBER)
}

#[derive(Debug, PartialEq)]
enum Fate {
    Told,
    Reported,
    /// With what only clients of its own dialect are given: those of others miss it by design (`answer-detail-lost`).
    Kept,
    Lost,
}

/// Whether a canary stands among what the IR keeps for clients of the upstream's own dialect.
fn is_kept(node: &Value, is_inside: bool) -> bool {
    match node {
        Value::Object(fields) => fields.iter().any(|(name, field)| {
            is_kept(field, is_inside || matches!(name.as_str(), "extensions" | "native" | "raw" | "logprobs"))
        }),
        Value::Array(list) => list.iter().any(|one| is_kept(one, is_inside)),
        Value::String(text) => is_inside && (text.contains(CANARY) || text.contains(BASE64)),
        Value::Number(_) => is_inside && is_canary(node),
        Value::Null | Value::Bool(_) => false,
    }
}

fn fate(case: &Case, with: &Outcome, base: Option<&Outcome>) -> Fate {
    let is_told = if is_canary(&case.value) {
        let text = case.value.to_string();
        with.body.contains(text.trim_matches('"')) || with.body.contains(BASE64)
    } else {
        base.is_none_or(|base| base.body != with.body)
    };
    if is_told {
        return Fate::Told;
    }
    let is_new = |loss: &Diagnostic| base.is_none_or(|base| !base.losses.contains(loss));
    let is_reported = with
        .losses
        .iter()
        .any(|loss| is_new(loss) || COVERING.contains(&loss.code.name) || loss.message == UNKNOWN_EVENT);
    if is_reported { Fate::Reported } else { Fate::Lost }
}

/// The types of a dialect's whole answers, or of its streams' events.
fn types(dialect: &str, way: Way) -> Option<Value> {
    let mut schema = schemas::file(match (dialect, way) {
        ("openai-chat-completions", Way::Whole) => "openai.ChatCompletion.json",
        ("openai-chat-completions", Way::Streamed) => "openai.ChatCompletionChunk.json",
        ("openai-responses", Way::Whole) => "openai.Response.json",
        ("openai-responses", Way::Streamed) => "openai.ResponseStreamEvent.json",
        ("claude", Way::Whole) => "anthropic.BetaMessage.json",
        ("claude", Way::Streamed) => "anthropic.BetaRawMessageStreamEvent.json",
        _ => "google.GenerateContentResponse.json",
    })?;
    // What the SDKs leave open, and an answer makes no sense without.
    let required: &[(&str, &[&str])] = match dialect {
        "openai-chat-completions" => &[
            ("ChoiceDeltaToolCall", &["index", "id", "function"]),
            ("ChoiceDeltaToolCallFunction", &["name", "arguments"]),
            ("ChoiceDeltaFunctionCall", &["name", "arguments"]),
            ("ChoiceDelta", &["content"]),
            ("ChoiceDeltaAudio", &["transcript"]),
        ],
        "openai-responses" => &[
            ("ImageGenerationCall", &["id", "status", "type", "result"]),
            ("LogprobTopLogprob", &["token", "logprob"]),
        ],
        "gemini" => &[
            ("Candidate", &["content"]),
            ("Content", &["role", "parts"]),
            ("FunctionCall", &["name"]),
            ("FunctionResponse", &["name", "response"]),
            ("Blob", &["mimeType", "data"]),
            ("FileData", &["fileUri"]),
            ("GroundingChunkWeb", &["uri"]),
            ("LogprobsResultCandidate", &["token", "logProbability"]),
            ("PartialArg", &["jsonPath"]),
        ],
        _ => &[],
    };
    for (name, def) in schema["$defs"].as_object_mut().into_iter().flatten() {
        // Types of one name in several modules have the module before it.
        let name = name.rsplit("__").next().unwrap_or_default();
        if let Some((_, fields)) = required.iter().find(|(other, _)| *other == name) {
            def["required"] = json!(fields);
        }
    }
    Some(schema)
}

/// Makes sense of a case.
fn dress(dialect: &str, case: &mut Case) {
    let last = match case.steps.last() {
        Some(Step::Key(key)) => key.clone(),
        _ => String::new(),
    };
    let document = &mut case.document;
    match dialect {
        "openai-chat-completions" => {
            let choice = &mut document["choices"][0];
            if last != "index" {
                choice["index"] = json!(0);
            }
            let is_of_refusal = choice["logprobs"].get("refusal").is_some();
            for kind in ["message", "delta"] {
                if let Some(message) = choice.get_mut(kind).and_then(Value::as_object_mut) {
                    if is_of_refusal {
                        message.insert("refusal".to_owned(), json!(WORD));
                    } else if !message.contains_key("content") || message["content"].is_null() {
                        message.insert("content".to_owned(), json!(WORD));
                    }
                }
            }
        }
        "openai-responses" => {
            let response = if document.get("response").is_some() { &mut document["response"] } else { document };
            if response.get("incomplete_details").is_some() {
                response["status"] = json!("incomplete");
            }
        }
        "gemini" => {
            let is_blocked = document["promptFeedback"].get("blockReason").is_some();
            if !is_blocked && document.get("candidates").is_none() {
                let content = json!({"role": "model", "parts": [{"text": WORD}]});
                document["candidates"] = json!([{"content": content}]);
            }
            if last == "finishMessage" {
                document["candidates"][0]["finishReason"] = json!("SAFETY");
            }
            if let Some(piece) = document.pointer_mut("/candidates/0/content/parts/0/functionCall/partialArgs/0")
                && last != "jsonPath"
            {
                piece["jsonPath"] = json!("$.a");
            }
        }
        _ => {}
    }
}

/// The stream around an event.
fn stream(dialect: &str, event: &Value) -> String {
    let data = |event: &Value| format!("data: {event}\n\n");
    let named = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    match dialect {
        "openai-chat-completions" => {
            let end = json!({"id": WORD, "object": "chat.completion.chunk", "created": 1, "model": WORD,
                "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
            let is_last = event["choices"][0].get("finish_reason").is_some_and(|reason| !reason.is_null());
            let end = if is_last { String::new() } else { data(&end) };
            format!("{}{end}data: [DONE]\n\n", data(event))
        }
        "gemini" => {
            let end = json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "."}]}, "finishReason": "STOP"}]});
            let is_last =
                event["candidates"][0].get("finishReason").is_some_and(|reason| reason != "FINISH_REASON_UNSPECIFIED")
                    || event["promptFeedback"].get("blockReason").is_some();
            let end = if is_last { String::new() } else { data(&end) };
            format!("{}{end}", data(event))
        }
        "claude" => claude_events(event).iter().map(named).collect(),
        _ => responses_events(event).iter().map(named).collect(),
    }
}

fn claude_events(event: &Value) -> Vec<Value> {
    let index = event.get("index").cloned().unwrap_or_else(|| json!(0));
    let start = json!({"type": "message_start", "message": {"id": WORD, "type": "message", "role": "assistant",
        "model": WORD, "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 1, "output_tokens": 1}}});
    let block = |block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let text = || block(json!({"type": "text", "text": ""}));
    let stop = json!({"type": "content_block_stop", "index": index});
    let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
        "usage": {"output_tokens": 1}});
    let last = json!({"type": "message_stop"});
    let event = event.clone();
    match event["type"].as_str().unwrap_or_default() {
        "message_start" => vec![event, end, last],
        "message_delta" => vec![start, event, last],
        "message_stop" => vec![start, end, event],
        "content_block_start" => vec![start, event, stop, end, last],
        "content_block_stop" => vec![start, text(), event, end, last],
        _ => {
            let block = match event["delta"]["type"].as_str().unwrap_or_default() {
                "input_json_delta" => block(json!({"type": "tool_use", "id": WORD, "name": WORD, "input": {}})),
                "thinking_delta" | "signature_delta" => {
                    block(json!({"type": "thinking", "thinking": "", "signature": ""}))
                }
                "compaction_delta" => block(json!({"type": "compaction", "content": null})),
                _ => text(),
            };
            vec![start, block, event, stop, end, last]
        }
    }
}

fn responses_events(event: &Value) -> Vec<Value> {
    let response = |status: &str| {
        json!({"id": WORD, "object": "response", "created_at": 1, "model": WORD, "status": status, "output": [],
            "parallel_tool_calls": true, "tool_choice": "auto", "tools": []})
    };
    let start = json!({"type": "response.created", "sequence_number": 0, "response": response("in_progress")});
    let end = json!({"type": "response.completed", "sequence_number": 9, "response": response("completed")});
    let kind = event["type"].as_str().unwrap_or_default().trim_start_matches("response.");
    let event = event.clone();
    let item = match kind.split('.').next().unwrap_or_default() {
        "created" | "in_progress" | "queued" => return vec![event, end],
        "completed" | "incomplete" | "failed" => return vec![start, event],
        "error" => return vec![start, event],
        "output_item" if kind.ends_with("done") => return vec![start, event, end],
        "output_item" => {
            // What begins an item is told again at its end.
            let mut done = event.clone();
            done["type"] = json!("response.output_item.done");
            return vec![start, event, done, end];
        }
        "content_part" if event["part"]["type"] == "reasoning_text" => json!({"type": "reasoning", "summary": []}),
        "content_part" | "output_text" | "refusal" => {
            json!({"type": "message", "role": "assistant", "status": "in_progress", "content": []})
        }
        "reasoning_summary_part" | "reasoning_summary_text" | "reasoning_text" => {
            json!({"type": "reasoning", "summary": []})
        }
        "function_call_arguments" => json!({"type": "function_call", "call_id": WORD, "name": WORD, "arguments": ""}),
        "custom_tool_call_input" => json!({"type": "custom_tool_call", "call_id": WORD, "name": WORD, "input": ""}),
        "audio" => return vec![start, event, end],
        other => {
            let kind = other.trim_end_matches("_code").trim_end_matches("_arguments");
            let kind = kind.trim_end_matches("_command").trim_end_matches("_content");
            json!({"type": kind})
        }
    };
    let mut item = item;
    item["id"] = json!(WORD);
    let index = event.get("output_index").cloned().unwrap_or_else(|| json!(0));
    let begin =
        json!({"type": "response.output_item.added", "sequence_number": 1, "output_index": index, "item": item});
    vec![start, begin, event, end]
}

#[test]
fn every_field_is_told_or_reported() {
    let mut lost: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for dialect in DIALECTS {
        for way in [Way::Whole, Way::Streamed] {
            let Some(schema) = types(dialect, way) else {
                eprintln!("no schemas in {}: {dialect} is not held to them", schemas::folder().display());
                continue;
            };
            let mut cases = schemas::cases_of(&schema);
            cases.retain(|case| !case.is_constant && !is_passed_over(dialect, way, case));
            let (mut told, mut reported, mut kept, mut excused) = (0, 0, 0, 0);
            for case in &mut cases {
                dress(dialect, case);
                let with = read(dialect, way, &case.document);
                let without = Some(read(dialect, way, &case.with(None)));
                let without = without.filter(|answer| !matches!(answer, Answer::Failed(_)));
                let other = case.others.first().map(|other| read(dialect, way, &case.with(Some(other.clone()))));
                let base = without.or(other);
                let to =
                    |client: &str| fate(case, &with.to(client), base.as_ref().map(|base| base.to(client)).as_ref());
                let own = to(dialect);
                let is_kept = match with.ir() {
                    Some(ir) if is_canary(&case.value) => is_kept(&ir, false),
                    _ => own == Fate::Told,
                };
                for client in DIALECTS {
                    let fate = match to(client) {
                        Fate::Lost if is_kept && client != dialect => Fate::Kept,
                        fate => fate,
                    };
                    match fate {
                        Fate::Told => told += 1,
                        Fate::Reported if client != dialect => reported += 1,
                        Fate::Kept => kept += 1,
                        Fate::Reported | Fate::Lost if is_excused(dialect, way, case, &mut used) => excused += 1,
                        Fate::Reported | Fate::Lost => {
                            let to =
                                lost.entry(format!("{dialect} {way:?} {} = {}", case.name, case.value)).or_default();
                            to.insert(client);
                        }
                    }
                }
            }
            eprintln!("{dialect} {way:?}: {} fields, for four clients:", cases.len());
            eprintln!("  {told} told, {reported} reported, {kept} kept for its own clients, {excused} excused");
        }
    }
    let unused = |index: &usize| !used.is_empty() && !used.contains(index);
    let unused: Vec<_> = (0..EXCUSED.len()).filter(unused).map(|index| EXCUSED[index]).collect();
    assert!(unused.is_empty(), "nothing needs these excuses: {unused:?}");
    let lines: Vec<String> = lost
        .iter()
        .map(|(what, to)| format!("{what} -> {}", to.iter().copied().collect::<Vec<_>>().join(" ")))
        .collect();
    assert!(lost.is_empty(), "{} fields are lost:\n{}", lost.len(), lines.join("\n"));
}
