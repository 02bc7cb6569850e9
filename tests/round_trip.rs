//! What a dialect can say, it says: requests made by chance, of what the dialect can express, are the same after they were
//! raised into it and lowered again.
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

use any_api::ir;
use serde_json::{Value, json};
use smallvec::SmallVec;
use support::fixtures::{DIALECTS, is_full};
use support::prng::Prng;
use support::ways;

const WORDS: [&str; 7] = ["yes", "no\n\nno", "«Grüße»", "🦀", "\"quoted\" \\", "{\"a\":1}", "漢字 \u{1}"];
const CUSTOM: &str = "apply_patch";
const NAMES: [&str; 4] = ["get_weather", "search-docs", "f", "update_plan"];

fn words(prng: &mut Prng) -> ir::Text {
    (0..=prng.below(3)).map(|_| *prng.pick(&WORDS)).collect::<Vec<_>>().join(" ").into()
}

/// What a dialect can say, as far as it is made here.
#[derive(Clone, Copy, PartialEq)]
enum Dialect {
    Chat,
    Responses,
    Claude,
    Gemini,
}

impl Dialect {
    fn is_openai(self) -> bool {
        matches!(self, Self::Chat | Self::Responses)
    }
}

fn text(prng: &mut Prng) -> ir::Part {
    ir::Part::Text(ir::TextPart { text: words(prng), ..ir::TextPart::default() })
}

fn media(prng: &mut Prng, dialect: Dialect) -> ir::Part {
    let is_image = prng.one_in(2);
    let (kind, mime) = match is_image {
        true => (ir::MediaKind::Image, *prng.pick(&["image/png", "image/jpeg"])),
        false => (ir::MediaKind::Document, "application/pdf"),
    };
    let name = (!is_image && dialect != Dialect::Gemini).then(|| "a file.pdf".into());
    let detail = (is_image && dialect.is_openai() && prng.one_in(2))
        .then(|| *prng.pick(&[ir::Detail::Auto, ir::Detail::Low, ir::Detail::High]));
    let source = match is_image && dialect != Dialect::Gemini && prng.one_in(3) {
        true => ir::MediaSource::Url("https://vendor.example/a.png?b=1&c=%20".into()),
        false => ir::MediaSource::Inline((*prng.pick(&["AAAA", "ab+/", "iVBORw0KGgo="])).into()),
    };
    // At an address nobody says what it is.
    let mime = matches!(source, ir::MediaSource::Inline(_)).then(|| mime.into());
    ir::Part::Media(ir::Media { kind, source, mime, name, detail, meta: ir::Meta::default() })
}

/// Opaque state as a client of the dialect itself holds it: bare.
fn seal(id: &'static str) -> Option<Box<ir::Sealed>> {
    let issuer = ir::Issuer { dialect: ir::Text::constant(id), provider: None, model: None };
    Some(Box::new(ir::Sealed { issuer, payload: "c2VhbGVkIHN0YXRl".into(), note: None }))
}

/// Thoughts that the dialect carries in a history.
fn thought(prng: &mut Prng, dialect: Dialect) -> Option<ir::Part> {
    let id = match dialect {
        Dialect::Responses => "openai-responses",
        Dialect::Claude => "claude",
        // Chat carries none, Gemini its signatures on calls.
        Dialect::Chat | Dialect::Gemini => return None,
    };
    let is_redacted = dialect == Dialect::Claude && prng.one_in(3);
    let form = if is_redacted { ir::ReasoningForm::Redacted } else { ir::ReasoningForm::Summary };
    let text = if is_redacted { ir::Text::default() } else { words(prng) };
    Some(ir::Part::Reasoning(ir::Reasoning { text, form, meta: ir::Meta { seal: seal(id), ..ir::Meta::default() } }))
}

fn message(role: ir::Role, parts: Vec<ir::Part>) -> ir::Message {
    let parts = SmallVec::from_vec(parts);
    ir::Message { place: ir::Place::default(), role, name: None, parts, extensions: ir::Extensions::default() }
}

fn messages(prng: &mut Prng, dialect: Dialect) -> Vec<ir::Message> {
    let mut out = Vec::new();
    let mut calls = 0;
    for _ in 0..=prng.below(3) {
        let mut said = vec![text(prng)];
        if dialect == Dialect::Claude && prng.one_in(4) {
            let ttl = *prng.pick(&[None, Some(ir::CacheTtl::FiveMinutes), Some(ir::CacheTtl::OneHour)]);
            said[0].meta_mut().cache = Some(ir::CacheMark { ttl });
        }
        for _ in 0..prng.below(3) {
            said.push(if prng.one_in(2) { media(prng, dialect) } else { text(prng) });
        }
        out.push(message(ir::Role::User, said));
        let mut answered = Vec::new();
        if prng.one_in(3) {
            answered.extend(thought(prng, dialect));
        }
        if answered.is_empty() && prng.one_in(2) || prng.one_in(2) {
            answered.push(text(prng));
        }
        let mut results = Vec::new();
        for _ in 0..prng.below(3) {
            calls += 1;
            let (id, name): (ir::Text, ir::Text) = (format!("call_{calls}").into(), (*prng.pick(&NAMES)).into());
            let arguments = json!({"city": &*words(prng), "n": prng.below(9)}).to_string().into();
            let is_custom = dialect.is_openai() && prng.one_in(4);
            let mut call = ir::ToolCall { id: id.clone(), name: name.clone(), arguments, ..ir::ToolCall::default() };
            if is_custom {
                (call.name, call.kind, call.arguments) = (CUSTOM.into(), ir::CallKind::Custom, words(prng));
            }
            if dialect == Dialect::Gemini && prng.one_in(2) {
                call.meta.seal = seal("gemini");
            }
            let (name, kind) = (call.name.clone(), call.kind);
            answered.push(ir::Part::ToolCall(call));
            results.push(ir::Part::ToolResult(ir::ToolResult {
                call_id: id,
                name: Some(name),
                kind,
                content: vec![text(prng)],
                error: dialect == Dialect::Claude && prng.one_in(3),
                ..ir::ToolResult::default()
            }));
        }
        if answered.is_empty() {
            answered.push(text(prng));
        }
        out.push(message(ir::Role::Assistant, answered));
        if !results.is_empty() {
            out.push(message(ir::Role::User, results));
            out.push(message(ir::Role::Assistant, vec![text(prng)]));
        }
    }
    out.push(message(ir::Role::User, vec![text(prng)]));
    out
}

fn schema(prng: &mut Prng) -> ir::Schema {
    let property = *prng.pick(&["string", "integer", "boolean"]);
    let schema = json!({"type": "object", "properties": {"a": {"type": property, "description": &*words(prng)}},
        "required": ["a"], "additionalProperties": false});
    ir::Schema::json_schema(ir::Json::of(&schema))
}

fn tools(prng: &mut Prng, dialect: Dialect, out: &mut ir::Request) {
    for name in NAMES.iter().take(prng.below(3)) {
        let strict = match dialect {
            Dialect::Responses => Some(prng.one_in(2)),
            Dialect::Chat => prng.one_in(2).then(|| prng.one_in(2)),
            Dialect::Claude => prng.one_in(3).then_some(true),
            Dialect::Gemini => None,
        };
        out.tools.push(ir::Tool::Function(ir::Function {
            name: (*name).into(),
            namespace: None,
            description: prng.one_in(2).then(|| words(prng)),
            parameters: Some(schema(prng)),
            strict,
            meta: ir::Meta::default(),
        }));
    }
    if dialect.is_openai() && prng.one_in(3) {
        let grammar = prng.one_in(2).then(|| ir::Grammar { syntax: "lark".into(), definition: words(prng) });
        out.tools.push(ir::Tool::Custom(ir::Custom {
            name: CUSTOM.into(),
            namespace: None,
            description: prng.one_in(2).then(|| words(prng)),
            grammar,
            meta: ir::Meta::default(),
        }));
    }
    if out.tools.is_empty() {
        return;
    }
    let choice = match prng.below(5) {
        0 => None,
        1 => Some(ir::ToolChoice::Auto),
        2 => Some(ir::ToolChoice::None),
        3 => Some(ir::ToolChoice::Required),
        _ => Some(ir::ToolChoice::Tool { name: NAMES[0].into(), kind: ir::CallKind::Function }),
    };
    out.parallel_tool_calls = match dialect {
        Dialect::Chat | Dialect::Responses => prng.one_in(2).then(|| prng.one_in(2)),
        // Claude says it inside of the choice.
        Dialect::Claude if matches!(choice, None | Some(ir::ToolChoice::None)) => None,
        Dialect::Claude => prng.one_in(2).then(|| prng.one_in(2)),
        Dialect::Gemini => None,
    };
    out.tool_choice = choice;
}

fn options(prng: &mut Prng, dialect: Dialect, out: &mut ir::Request) {
    let quarter = |prng: &mut Prng| prng.below(5) as f64 / 4.0;
    if prng.one_in(3) {
        out.sampling.temperature = Some(quarter(prng));
    } else if prng.one_in(2) {
        out.sampling.top_p = Some(quarter(prng));
    }
    if matches!(dialect, Dialect::Claude | Dialect::Gemini) {
        out.sampling.top_k = prng.one_in(3).then(|| prng.below(40) as f64 + 1.0);
    }
    if matches!(dialect, Dialect::Chat | Dialect::Gemini) {
        out.sampling.seed = prng.one_in(3).then(|| prng.below(99) as i64 - 9);
        out.sampling.presence_penalty = prng.one_in(3).then(|| quarter(prng));
        out.sampling.frequency_penalty = prng.one_in(3).then(|| quarter(prng));
    }
    if dialect != Dialect::Responses {
        out.sampling.stop = (0..prng.below(4)).map(|index| format!("stop {index}").into()).collect();
    }
    if dialect != Dialect::Claude {
        out.sampling.logprobs = prng.one_in(4).then(|| prng.below(5) as u64);
    }
    let is_limited = dialect == Dialect::Claude || prng.one_in(2);
    out.max_output_tokens = is_limited.then(|| 9_000 + prng.below(9) as u64);
    out.output.format = match prng.below(4) {
        0 if dialect != Dialect::Claude => ir::Format::Json,
        1 => ir::Format::Schema(ir::OutputSchema {
            name: dialect.is_openai().then(|| "weather".into()),
            description: (dialect.is_openai() && prng.one_in(2)).then(|| words(prng)),
            schema: schema(prng),
            strict: (dialect.is_openai() && prng.one_in(2)).then(|| prng.one_in(2)),
        }),
        _ => ir::Format::Text,
    };
    out.delivery = if prng.one_in(2) { ir::Delivery::Stream } else { ir::Delivery::Whole };
    if dialect != Dialect::Gemini {
        out.caller.user = prng.one_in(3).then(|| "user-1".into());
    }
    if dialect.is_openai() {
        out.output.verbosity = prng.one_in(3).then(|| "low".into());
        out.reasoning.effort =
            prng.one_in(3).then(|| *prng.pick(&[ir::Effort::Low, ir::Effort::Medium, ir::Effort::High]));
        out.caller.metadata = prng.one_in(3).then(|| ir::Json::constant(r#"{"a":"b"}"#));
        out.caller.cache_key = prng.one_in(3).then(|| "key".into());
        out.caller.tier = prng.one_in(3).then(|| *prng.pick(&[ir::Tier::Flex, ir::Tier::Priority]));
        out.session.store = Some(prng.one_in(2));
    }
}

/// How hard to think, in the words that the dialect has; where neither a choice of tools nor sampling forbids it.
fn thinking(prng: &mut Prng, dialect: Dialect, out: &mut ir::Request) {
    let is_free = !matches!(out.tool_choice, Some(ir::ToolChoice::Required | ir::ToolChoice::Tool { .. }))
        && out.sampling.temperature.is_none()
        && out.sampling.top_p.is_none()
        && out.sampling.top_k.is_none();
    let effort = *prng.pick(&[ir::Effort::Low, ir::Effort::Medium, ir::Effort::High]);
    match dialect {
        Dialect::Claude if is_free && prng.one_in(2) => {
            out.reasoning.mode = Some(ir::ReasoningMode::Adaptive);
            out.reasoning.effort = Some(effort);
        }
        Dialect::Gemini if prng.one_in(3) => out.reasoning.effort = Some(effort),
        Dialect::Chat | Dialect::Responses | Dialect::Claude | Dialect::Gemini => {}
    }
}

fn request(prng: &mut Prng, dialect: Dialect) -> ir::Request {
    let mut out = ir::Request { model: "model".into(), messages: messages(prng, dialect), ..ir::Request::default() };
    // Responses has one text for it.
    let most = if dialect == Dialect::Responses { 2 } else { 3 };
    for _ in 0..prng.below(most) {
        let (role, text) = (ir::Role::System, words(prng));
        out.instructions.push(ir::Instruction { role, text, meta: ir::Meta::default() });
    }
    tools(prng, dialect, &mut out);
    options(prng, dialect, &mut out);
    thinking(prng, dialect, &mut out);
    out
}

/// A request as it is compared: without how it was spelled, which is what extensions tell of a dialect's own requests;
/// neighbours of one role are one message (Chat has a message for each result); and neighbouring texts are one, as Chat
/// writes texts alone as one string, which all of its relatives take.
fn meaning(request: &ir::Request) -> Value {
    fn join_texts(parts: &mut Vec<Value>, text: fn(&mut Value) -> Option<&mut Value>) {
        let mut out: Vec<Value> = Vec::new();
        for mut part in std::mem::take(parts) {
            match (out.last_mut().and_then(text), text(&mut part)) {
                (Some(last), Some(next)) => {
                    *last = json!(format!("{}\n\n{}", last.as_str().unwrap(), next.as_str().unwrap()));
                }
                _ => out.push(part),
            }
        }
        *parts = out;
    }
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| name != "extensions" && name != "item");
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut out = serde_json::to_value(request).unwrap();
    strip(&mut out);
    if let Some(instructions) = out.get_mut("instructions").and_then(Value::as_array_mut) {
        join_texts(instructions, |one| one.get_mut("text"));
    }
    let mut messages: Vec<Value> = Vec::new();
    for message in out["messages"].as_array_mut().unwrap().drain(..) {
        match messages.last_mut().filter(|last| last["role"] == message["role"]) {
            Some(last) => {
                let parts = message["parts"].as_array().unwrap().clone();
                last["parts"].as_array_mut().unwrap().extend(parts);
            }
            None => messages.push(message),
        }
    }
    for message in &mut messages {
        join_texts(message["parts"].as_array_mut().unwrap(), |part| part.get_mut("text")?.get_mut("text"));
    }
    out["messages"] = Value::Array(messages);
    out
}

/// The first thing that differs.
fn difference(one: &Value, other: &Value, path: &str) -> Option<String> {
    match (one, other) {
        (Value::Object(left), Value::Object(right)) => {
            let names = left.keys().chain(right.keys());
            names.into_iter().find_map(|name| {
                let (a, b) = (left.get(name).unwrap_or(&Value::Null), right.get(name).unwrap_or(&Value::Null));
                difference(a, b, &format!("{path}.{name}"))
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            left.iter().zip(right).enumerate().find_map(|(i, (a, b))| difference(a, b, &format!("{path}[{i}]")))
        }
        _ if one == other => None,
        _ => Some(format!("{path}: {one} became {other}")),
    }
}

#[test]
fn what_a_dialect_can_say_it_says() {
    let count = if is_full() { 20_000 } else { 1_000 };
    let mut broken = Vec::new();
    for (id, dialect) in DIALECTS.into_iter().zip([Dialect::Chat, Dialect::Responses, Dialect::Claude, Dialect::Gemini])
    {
        for index in 0..count {
            let mut prng = Prng::named(&format!("{id} {index}"));
            let asked = request(&mut prng, dialect);
            // Free-form tools are for models that are known to take them.
            let mut target = ways::target("model");
            target.capabilities.custom_tools = Some(true);
            let (raised, losses) = ways::raise_to(&ways::cx(""), &asked, id, &target).unwrap();
            let body = String::from_utf8(ways::body(&raised)).unwrap();
            // A stand-in for a signature is told, and is all that may be.
            let losses: Vec<_> = losses.iter().filter(|loss| loss.code.name != "reasoning-state-missing").collect();
            if !losses.is_empty() {
                broken.push(format!("{id} {index}: {losses:?}"));
                continue;
            }
            let (_, lowered) =
                ways::lower(id, &body, asked.delivery).unwrap_or_else(|error| panic!("{id} {index}: {error}\n{body}"));
            let mut back = lowered.request;
            back.model = asked.model.clone();
            if let Some(what) = difference(&meaning(&asked), &meaning(&back), "") {
                broken.push(format!("{id} {index}: {what}\n  {body}"));
            }
        }
    }
    eprintln!("{count} requests of each dialect were raised and lowered again");
    let shown: Vec<String> = broken.iter().take(12).map(|what| what.chars().take(900).collect()).collect();
    assert!(broken.is_empty(), "{} differ:\n{}", broken.len(), shown.join("\n"));
}
