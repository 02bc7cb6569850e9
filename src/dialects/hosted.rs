//! Hosted tools of other dialects: what a backend that has the like must say it leaves out.

use serde_json::Value;

use crate::diagnostics::codes;
use crate::dialects::{claude, gemini, openai};
use crate::ir;

/// The dialects whose hosted tools leave parts that want to be given back.
const CARRIED: [&str; 3] = [claude::ID, gemini::ID, openai::RESPONSES];

/// A part that its own dialect alone understands, for a client of another to carry.
pub(crate) fn carry(part: &ir::Opaque) -> Option<ir::Sealed> {
    let issuer = ir::Issuer { dialect: ir::Text::constant(part.dialect), provider: None, model: None };
    let seal = ir::Sealed { issuer, payload: part.value.text().clone(), note: Some(part.kind.clone()) };
    CARRIED.contains(&part.dialect).then_some(seal)
}

/// The part that a client carried. What it says in words is the client's to tell.
pub(crate) fn carried(seal: &ir::Sealed) -> Option<ir::Opaque> {
    let dialect = CARRIED.into_iter().find(|dialect| seal.issuer.dialect == *dialect)?;
    let (kind, value) = (seal.note.clone()?, ir::Json::parse_object(&seal.payload)?);
    let fields = value.value();
    let trace = match dialect {
        claude::ID => fields.as_object().and_then(claude::trace),
        gemini::ID => fields.get(kind.as_str()).and_then(|raw| gemini::read::trace(&kind, &raw.to_string())),
        _ => None,
    };
    let words = trace.as_ref().and_then(ir::Trace::words);
    let loss = if words.is_some() { &codes::CONTENT_AS_TEXT } else { &codes::HOSTED_TRACE_LOST };
    Some(ir::Opaque { dialect, kind, value, words, trace, loss, meta: ir::Meta::default() })
}

/// Options in another dialect's declaration that the IR has no words for, or that the backend has no use for: those of a
/// search have a place in [`ir::WebSearch`], all others are the declaration's own.
pub(crate) fn other_options(hosted: &ir::Hosted) -> Vec<String> {
    const NAMES: [&str; 2] = ["type", "name"];
    let Value::Object(mut fields) = hosted.value.value() else { return Vec::new() };
    // Gemini names the tool by its key, and has the options inside.
    if !fields.contains_key("type")
        && fields.len() == 1
        && let Some(Value::Object(inner)) = fields.values().next().cloned()
    {
        fields = inner;
    }
    let is_said = |name: &str| NAMES.contains(&name) || has_words(&hosted.ability, name);
    let lost = fields.into_iter().filter(|(name, value)| !is_said(name) && !says_nothing(value));
    lost.map(|(name, _)| name).collect()
}

/// Whether the IR says the option `name`, as its client wrote it.
fn has_words(ability: &ir::Ability, name: &str) -> bool {
    let ir::Ability::WebSearch(search) = ability else { return false };
    let ir::WebSearch { allowed_domains, blocked_domains, location, max_uses, context_size } = search;
    match name {
        "user_location" => location.is_some(),
        "search_context_size" => context_size.is_some(),
        "filters" => !allowed_domains.is_empty() || !blocked_domains.is_empty(),
        "allowed_domains" => !allowed_domains.is_empty(),
        "blocked_domains" => !blocked_domains.is_empty(),
        "max_uses" => max_uses.is_some(),
        _ => false,
    }
}

/// The tool among `tools` that the choice of another dialect says must be called. The versions of a tool are one: a search
/// may be declared by one name and chosen by another.
pub(crate) fn chosen<'a>(tools: &'a [ir::Tool], choice: &ir::ToolChoice) -> Option<&'a ir::Hosted> {
    let ir::ToolChoice::Opaque { dialect, value: _, hosted: Some(kind) } = choice else { return None };
    let hosted = || {
        tools.iter().filter_map(|tool| match tool {
            ir::Tool::Hosted(tool) if tool.dialect == *dialect => Some(tool),
            ir::Tool::Hosted(_) | ir::Tool::Function(_) | ir::Tool::Custom(_) => None,
        })
    };
    let is_search = |tool: &&ir::Hosted| matches!(tool.ability, ir::Ability::WebSearch(_));
    hosted()
        .find(|tool| tool.kind == *kind)
        .or_else(|| hosted().find(is_search).filter(|_| kind.starts_with("web_search")))
}

/// Keeps what the item or block `value` of `dialect` says beside its trace: for other dialects it is lost.
pub(crate) fn keep_untold(dialect: &'static str, value: &Value, extensions: &mut ir::Extensions) {
    let at = |path: &str| path.split('.').try_fold(value, |value, key| value.get(key));
    let is_said = |path: &str, value: &Value| match path {
        // The first is what the trace says, where there is no `query`.
        "action.queries" => {
            let others = |query: &&Value| Some(*query) != at("action.query");
            value.as_array().is_some_and(|queries| {
                queries.iter().filter(others).count() > usize::from(at("action.query").is_none())
            })
        }
        // That the code ended well is said in other ways.
        "content.return_code" => *value != 0,
        _ => true,
    };
    for path in ["action.sources", "action.queries", "container_id", "content.return_code"] {
        let Some(value) = at(path).filter(|value| !says_nothing(value) && is_said(path, value)) else { continue };
        let (name, value) = (ir::Text::constant(path), ir::Json::of(value));
        extensions.push(dialect, ir::Extension { name, value, loss: &codes::ANSWER_DETAIL_LOST });
    }
}

/// The language that code is in, where a target that knows Python alone cannot say it.
pub(crate) fn other_language(trace: &ir::Trace) -> Option<&str> {
    match trace {
        ir::Trace::Code { language, .. } => language.as_deref().filter(|language| *language != "python"),
        ir::Trace::Search { .. } | ir::Trace::Open { .. } | ir::Trace::Output { .. } => None,
    }
}

fn says_nothing(value: &Value) -> bool {
    value.is_null()
        || value.as_object().is_some_and(|inner| inner.is_empty() || *inner == auto())
        || value.as_array().is_some_and(Vec::is_empty)
}

/// A container that the provider makes itself.
fn auto() -> serde_json::Map<String, Value> {
    serde_json::Map::from_iter([("type".to_owned(), Value::from("auto"))])
}
