//! Laws of requests.

use any_api::backends::{NameRules, Names};
use any_api::diagnostics::{Diagnostic, Level, codes};
use any_api::ir::{self, Delivery};
use any_api::quirks::{MaxInstructionsChars, NoInstructions, NoPreviousResponseId, Pass};
use serde_json::{Value, json};

use crate::inputs::{Request, all, requests};
use crate::support::fixtures::{DIALECTS, MENDED, fixtures};
use crate::support::prng::Prng;
use crate::support::ways::{self, Refused};

/// A request that comes back to its own dialect the long way loses nothing: no diagnostic, and the same IR when it is
/// lowered again. (The dialects' own tests compare the documents.)
#[test]
fn a_request_survives_its_own_dialect() {
    let (mut held, mut refused) = (0, 0);
    all(requests(), |Request { dialect, name, text, delivery }| {
        let (cx, lowered) = match ways::lower(dialect, &text, delivery) {
            Ok(done) => done,
            Err(error) => {
                assert!(!name.contains('/'), "{name}: {error}");
                refused += 1;
                return;
            }
        };
        if lowered.request.messages.iter().all(|message| message.parts.is_empty()) {
            // Who says nothing cannot be told without a change.
            return;
        }
        let (raised, losses) = match ways::raise(&cx, &lowered.request, dialect) {
            Ok(done) => done,
            Err(Refused::Denied(losses)) => {
                let is_relayed = losses.iter().all(|loss| loss.code.name == "n-unsupported");
                assert!(is_relayed, "{name}: {losses:?}");
                return;
            }
            Err(Refused::Impossible(error)) => panic!("{name}: {error}"),
        };
        let told = |loss: &&Diagnostic| !MENDED.contains(&loss.code.name);
        let told: Vec<String> = losses
            .iter()
            .filter(told)
            .map(|loss| format!("{} at {}: {}", loss.code.name, loss.place, loss.message))
            .collect();
        assert!(told.is_empty(), "{name}: {}", told.join("; "));
        let body = String::from_utf8(ways::body(&raised)).unwrap();
        let (_, again) =
            ways::lower(dialect, &body, delivery).unwrap_or_else(|error| panic!("{name}: {error}\n{body}"));
        let is_mended = !losses.is_empty();
        let (once, twice) = (comparable(dialect, lowered.request), comparable(dialect, again.request));
        assert!(is_mended || once == twice, "{name}:\n{}\nand not\n{}\n{body}", json!(twice), json!(once));
        held += 1;
    });
    assert!(refused * 20 < held, "{refused} recordings are refused, {held} held");
}

/// A request without what its dialect reads alike: the model is the upstream's, and neighbours of one role are one turn
/// where the dialect says so.
fn comparable(dialect: &str, request: ir::Request) -> ir::Request {
    let mut out = ir::Request { model: "model".into(), messages: Vec::new(), ..request.clone() };
    for message in request.messages {
        match out.messages.last_mut() {
            Some(last) if last.role == message.role && matches!(dialect, "claude" | "gemini") => {
                last.parts.extend(message.parts);
            }
            _ => out.messages.push(message),
        }
    }
    out
}

/// Every leaf of a request is said to an upstream of its own dialect again.
#[test]
fn nothing_is_lost_in_silence_within_a_dialect() {
    all(fixtures("request"), |fixture| {
        let delivery = if fixture.case.starts_with("stream") { Delivery::Stream } else { Delivery::Whole };
        let Ok((cx, lowered)) = ways::lower(fixture.dialect, &fixture.text, delivery) else { return };
        let Ok((raised, losses)) = ways::raise(&cx, &lowered.request, fixture.dialect) else { return };
        if !losses.is_empty() {
            return;
        }
        let body: Value = serde_json::from_slice(&ways::body(&raised)).unwrap();
        let mut said = Vec::new();
        leaves(&body, &mut said);
        let mut wanted = Vec::new();
        leaves(&serde_json::from_str(&fixture.text).unwrap(), &mut wanted);
        for leaf in wanted {
            let is_said = leaf == "upstream.model"
                || said
                    .iter()
                    .any(|other| *other == leaf || is_base64_of(other, &leaf) || other.eq_ignore_ascii_case(&leaf));
            assert!(is_said, "{}: {leaf:?} is lost in {body}", fixture.name());
        }
    });
}

fn is_base64_of(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.replace('-', "+").replace('_', "/") == other.replace('-', "+").replace('_', "/")
}

fn leaves(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter().for_each(|item| leaves(item, out)),
        // What kind of thing something is, and whose, can be told in several ways: a text as a part, or as it is.
        Value::Object(fields) => {
            let said = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "type" | "role"));
            said.for_each(|(_, field)| leaves(field, out));
        }
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => out.push(text.clone()),
        Value::Number(number) => out.push(number.as_f64().unwrap().to_string()),
        Value::Bool(flag) => out.push(flag.to_string()),
    }
}

/// A word in every text of a request reaches every upstream, or a diagnostic says that something went.
#[test]
fn nothing_is_lost_in_silence_between_dialects() {
    all(fixtures("request"), |fixture| {
        let delivery = if fixture.case.starts_with("stream") { Delivery::Stream } else { Delivery::Whole };
        let Ok((cx, lowered)) = ways::lower(fixture.dialect, &fixture.text, delivery) else { return };
        let mut texts: Vec<ir::Text> = lowered.request.instructions.iter().map(|one| one.text.clone()).collect();
        lowered.request.for_each_part(|part| match part {
            ir::Part::Text(text) => texts.push(text.text.clone()),
            ir::Part::Refusal(refusal) => texts.push(refusal.text.clone()),
            _ => {}
        });
        let mut asked = Vec::new();
        leaves(&serde_json::from_str(&fixture.text).unwrap(), &mut asked);
        for target in DIALECTS {
            let Ok((raised, losses)) = ways::raise(&cx, &lowered.request, target) else { continue };
            if losses.iter().any(|loss| loss.code.level >= Level::Warn) {
                continue;
            }
            let body: Value = serde_json::from_slice(&ways::body(&raised)).unwrap();
            let mut said = Vec::new();
            leaves(&body, &mut said);
            // A result that is JSON may be told as JSON. What the gateway put in words for others is not told to the dialect whose
            // client said it otherwise: the law above is about that.
            let in_words =
                |text: &ir::Text| fixture.dialect == target && !asked.iter().any(|leaf| leaf.contains(text.as_str()));
            let texts = texts.iter().filter(|text| !text.is_empty() && !text.starts_with('{') && !in_words(text));
            for text in texts {
                let is_said = said.iter().any(|other| other.contains(text.as_str()));
                assert!(is_said, "{} to {target}: {text:?} is lost in {body}", fixture.name());
            }
        }
    });
}

/// A diagnostic names a place in the client's own document.
#[test]
fn places_are_in_the_clients_document() {
    // What was made up, or has a default put in, is told where it is missing.
    all(fixtures("request"), |fixture| {
        let delivery = if fixture.case.starts_with("stream") { Delivery::Stream } else { Delivery::Whole };
        let Ok((cx, lowered)) = ways::lower(fixture.dialect, &fixture.text, delivery) else { return };
        let document: Value = serde_json::from_str(&fixture.text).unwrap();
        let mut elsewhere = Vec::new();
        for target in DIALECTS {
            let losses = match ways::raise(&cx, &lowered.request, target) {
                Ok((_, losses)) | Err(Refused::Denied(losses)) => losses,
                Err(Refused::Impossible(_)) => continue,
            };
            for loss in losses {
                let around = loss.place.rsplit_once('.').map_or("", |(around, _)| around);
                let is_defaulted = *loss.code == codes::MAX_TOKENS_DEFAULTED;
                let is_missing = is_defaulted || *loss.code == codes::TOOL_ID_SYNTHESISED && leads(&document, around);
                if loss.place.is_empty() || !(is_missing || leads(&document, &loss.place)) {
                    elsewhere.push(format!("to {target}: {} at {:?}: {}", loss.code.name, loss.place, loss.message));
                }
            }
        }
        assert!(elsewhere.is_empty(), "{}: {}", fixture.name(), elsewhere.join("; "));
    });
}

/// Whether a path like `messages[3].content[0].text` or `messages[3]["a.b"]` leads somewhere. A lone part may be told as
/// the first of a list.
fn leads(document: &Value, path: &str) -> bool {
    let mut at = document;
    let mut rest = path;
    while !rest.is_empty() {
        let (next, after) =
            if let Some((name, after)) = rest.strip_prefix("[\"").and_then(|quoted| quoted.split_once("\"]")) {
                (at.get(name), after)
            } else if let Some((index, after)) = rest.strip_prefix('[').and_then(|index| index.split_once(']')) {
                let is_lone = index == "0" && !at.is_array();
                (if is_lone { Some(at) } else { at.get(index.parse::<usize>().unwrap()) }, after)
            } else {
                let name = rest.trim_start_matches('.');
                let end = name.find(['.', '[']).unwrap_or(name.len());
                (at.get(&name[..end]), &name[end..])
            };
        let Some(next) = next else { return false };
        (at, rest) = (next, after);
    }
    true
}

/// Running a pass twice is running it once.
#[test]
fn passes_are_idempotent() {
    let passes: [&dyn Pass; 4] = [
        &NoInstructions,
        &NoPreviousResponseId,
        &MaxInstructionsChars { limit: 7 },
        &MaxInstructionsChars { limit: 0 },
    ];
    all(requests(), |Request { dialect, name, text, delivery }| {
        let Ok((mut cx, lowered)) = ways::lower(dialect, &text, delivery) else { return };
        for pass in passes {
            let mut once = lowered.request.clone();
            pass.run(&mut cx, &mut once);
            cx.take_diagnostics();
            let mut twice = once.clone();
            pass.run(&mut cx, &mut twice);
            assert_eq!(once, twice, "{name}: {}", pass.name());
            assert_eq!(cx.take_diagnostics(), [], "{name}: {} reports again", pass.name());
        }
    });
}

/// A pass touches what it names and nothing else, unknown fields included: with that taken off on both sides, the request
/// is the same, and so is what a dialect makes of it for itself.
#[test]
fn passes_leave_the_rest_alone() {
    let passes: [&dyn Pass; 3] = [&NoInstructions, &NoPreviousResponseId, &MaxInstructionsChars { limit: 7 }];
    all(requests(), |Request { dialect, name, text, delivery }| {
        let Ok((cx, mut lowered)) = ways::lower(dialect, &text, delivery) else { return };
        lowered.request.instructions.clear();
        lowered.request.session.previous_response_id = None;
        lowered.request.session.conversation = None;
        let mut passed = lowered.request.clone();
        let mut cx_of_passes = cx.clone();
        for pass in passes {
            pass.run(&mut cx_of_passes, &mut passed);
        }
        assert_eq!(passed, lowered.request, "{name}");
        assert_eq!(cx_of_passes.take_diagnostics(), cx.clone().take_diagnostics(), "{name}");
        // With instructions: all but they stay, and they stand in front.
        lowered.request.instructions.push(ir::Instruction {
            role: ir::Role::System,
            text: "Be brief.".into(),
            meta: ir::Meta::default(),
        });
        let mut moved = lowered.request.clone();
        NoInstructions.run(&mut cx_of_passes, &mut moved);
        let first = moved.messages.remove(0);
        assert_eq!(first.role, ir::Role::Developer, "{name}");
        moved.instructions = std::mem::take(&mut lowered.request.instructions);
        lowered.request.instructions.clone_from(&moved.instructions);
        assert_eq!(moved, lowered.request, "{name}");
    });
}

#[test]
fn names_come_back() {
    let rules = NameRules {
        longest: 20,
        first: |c| c.is_ascii_alphabetic() || c == '_',
        rest: |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'),
        namespaces: false,
        customs: false,
        own_tools: false,
    };
    let mut prng = Prng::new(9);
    for _ in 0..500 {
        let mut tools: Vec<ir::Function> = Vec::new();
        for _ in 0..prng.below(12) {
            let letters = ["a", "b", "_", "-", ".", "/", " ", "ä", "1", "long_name_", "x"];
            let name: String = (0..=prng.below(6)).map(|_| *prng.pick(&letters)).collect();
            let namespace = prng.one_in(4).then(|| (*prng.pick(&["ns", "a", "b_"])).into());
            let tool = ir::Function { name: name.into(), namespace, ..ir::Function::default() };
            if !tools.iter().any(|other| other.name == tool.name && other.namespace == tool.namespace) {
                tools.push(tool);
            }
        }
        let all = tools.iter().cloned().map(ir::Tool::Function).collect();
        let request = ir::Request { tools: all, ..ir::Request::default() };
        let names = Names::new(&mut ways::cx(""), &request, &rules);
        let mut seen: Vec<ir::Text> = Vec::new();
        for tool in &tools {
            let sent = names.sent(&tool.name, tool.namespace.as_ref());
            let fits = sent.chars().count() <= 20 && sent.starts_with(rules.first) && sent.chars().all(rules.rest);
            assert!(fits, "{:?} is sent as {sent:?}", tool.name);
            assert!(!seen.contains(&sent), "{sent:?} is sent for two of {tools:?}");
            let back = names.restore(&sent);
            assert_eq!((&back.name, &back.namespace), (&tool.name, &tool.namespace), "{sent:?}");
            seen.push(sent);
        }
    }
}
