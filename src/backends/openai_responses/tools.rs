//! Raising tools and the choice among them.

use serde::Serialize;
use serde_json::{Value, json};

use super::DIALECT;
use crate::backends::Names;
use crate::context::Cx;
use crate::diagnostics::codes;
use crate::dialects::hosted::{chosen, other_options};
use crate::dialects::mcp;
use crate::dialects::openai_responses::{self as words, own_tools, own_tools::OwnTool};
use crate::ir;
use crate::schema;

/// A tool, as it is written.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ToolBody<'a> {
    Function(FunctionBody<'a>),
    /// A function that a client wrote in Chat's nesting, as it came.
    Nested(NestedBody<'a>),
    Custom(CustomBody<'a>),
    Namespace(NamespaceBody<'a>),
    Raw(&'a ir::Json),
    WebSearch(WebSearchBody<'a>),
    CodeInterpreter(CodeInterpreterBody),
    Mcp(Value),
}

#[derive(Serialize)]
pub(super) struct FunctionBody<'a> {
    r#type: &'static str,
    name: ir::Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a ir::Text>,
    parameters: Option<ir::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

#[derive(Serialize)]
pub(super) struct NestedBody<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

#[derive(Serialize)]
pub(super) struct CustomBody<'a> {
    r#type: &'static str,
    name: ir::Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a ir::Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<GrammarBody<'a>>,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

#[derive(Serialize)]
struct GrammarBody<'a> {
    r#type: &'static str,
    syntax: &'a ir::Text,
    definition: &'a ir::Text,
}

#[derive(Serialize)]
pub(super) struct NamespaceBody<'a> {
    r#type: &'static str,
    name: &'a ir::Text,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
    tools: Vec<ToolBody<'a>>,
}

/// The tools of a request. Those that stand in items of the input go back there with them.
pub(super) fn raise<'a>(cx: &mut Cx, request: &'a ir::Request, names: &Names, is_own: bool) -> Vec<ToolBody<'a>> {
    let mut out: Vec<ToolBody<'a>> = Vec::new();
    let is_search =
        |tool: &ir::Tool| matches!(tool, ir::Tool::Hosted(tool) if matches!(tool.ability, ir::Ability::WebSearch(_)));
    let has_search = request.tools.iter().any(is_search);
    for tool in request.tools.iter().filter(|tool| !words::is_marked(&tool.meta().extensions, words::LIFTED)) {
        let meta = tool.meta();
        cx.report_extensions(&meta.extensions, meta.place, DIALECT);
        if meta.cache.is_some() {
            cx.report_at(
                &codes::CACHE_HINT_LOST,
                meta.place,
                ir::Setting::CacheMark,
                "a tool has no cache mark in this dialect",
            );
        }
        let (body, namespace) = match tool {
            ir::Tool::Function(tool) => (function(cx, tool, names, is_own), tool.namespace.as_ref()),
            ir::Tool::Custom(tool) => (custom(tool, names), tool.namespace.as_ref()),
            ir::Tool::Hosted(tool) => {
                if let (ir::Ability::Mcp(servers), true) = (&tool.ability, tool.dialect != DIALECT) {
                    let says = mcp::Says { allowed: true, approval: true, headers: true };
                    mcp::report(cx, servers, says, "OpenAI", meta.place);
                    out.extend(mcp::openai_tools(servers).map(ToolBody::Mcp));
                    continue;
                }
                out.extend(hosted(cx, tool, has_search));
                continue;
            }
        };
        let Some(namespace) = namespace else {
            out.push(body);
            continue;
        };
        let begins = words::is_marked(&meta.extensions, words::BEGINS);
        match out.last_mut() {
            Some(ToolBody::Namespace(open)) if open.name == namespace && !begins => open.tools.push(body),
            _ => {
                let extensions = meta.extensions.written(DIALECT, words::NAMESPACE);
                let tools = vec![body];
                let space = NamespaceBody { r#type: "namespace", name: namespace, extensions, tools };
                out.push(ToolBody::Namespace(space));
            }
        }
    }
    out
}

fn function<'a>(cx: &mut Cx, tool: &'a ir::Function, names: &Names, is_own: bool) -> ToolBody<'a> {
    let ir::Function { name, namespace, description, parameters, strict, meta } = tool;
    if let Some(own) = own_tools::own_form(meta) {
        return ToolBody::Raw(own);
    }
    let extensions = meta.extensions.written(DIALECT, "");
    if meta.extensions.get(DIALECT, "function").is_some() {
        return ToolBody::Nested(NestedBody { r#type: "function", extensions });
    }
    let name = names.sent(name, namespace.as_ref());
    let is_loose = *strict == Some(true) && !is_own && !parameters.as_ref().is_none_or(schema::is_strict);
    if is_loose {
        cx.report_loose(meta.place);
    }
    let strict = &strict.filter(|_| !is_loose);
    let parameters = parameters.as_ref().map(|schema| {
        let json = schema::json_schema(schema);
        if is_own { json } else { with_properties(json) }
    });
    // Left out, the dialect would try to be strict; the others' default is not to.
    let strict = if is_own { *strict } else { Some(strict.unwrap_or(false)) };
    let description = description.as_ref();
    ToolBody::Function(FunctionBody { r#type: "function", name, description, parameters, strict, extensions })
}

/// An object's schema has to say `properties`, be there any or not.
fn with_properties(json: ir::Json) -> ir::Json {
    if json.as_str().contains("\"properties\"") {
        return json;
    }
    let Value::Object(mut schema) = json.value() else { return json };
    let is_object = schema.get("type").is_none_or(|kind| kind == "object");
    if !is_object || ["$ref", "anyOf", "oneOf", "allOf"].iter().any(|key| schema.contains_key(*key)) {
        return json;
    }
    schema.entry("type").or_insert_with(|| json!("object"));
    schema.insert("properties".to_owned(), json!({}));
    ir::Json::of(&schema)
}

fn custom<'a>(tool: &'a ir::Custom, names: &Names) -> ToolBody<'a> {
    let ir::Custom { name, namespace, description, grammar, meta } = tool;
    let format = grammar.as_ref().map(|ir::Grammar { syntax, definition }| GrammarBody {
        r#type: "grammar",
        syntax,
        definition,
    });
    ToolBody::Custom(CustomBody {
        r#type: "custom",
        name: names.sent(name, namespace.as_ref()),
        description: description.as_ref(),
        format,
        extensions: meta.extensions.written(DIALECT, ""),
    })
}

fn hosted<'a>(cx: &mut Cx, tool: &'a ir::Hosted, has_search: bool) -> Option<ToolBody<'a>> {
    let ir::Hosted { dialect, kind, value, ability, loss, meta } = tool;
    if *dialect == DIALECT {
        return Some(ToolBody::Raw(value));
    }
    let raised = match ability {
        ir::Ability::WebSearch(search) => Some(ToolBody::WebSearch(web_search(cx, search, meta.place))),
        ir::Ability::CodeExecution => Some(ToolBody::CodeInterpreter(CodeInterpreterBody {
            r#type: "code_interpreter",
            container: Container { r#type: "auto" },
        })),
        // The search opens the addresses that it is told of.
        ir::Ability::UrlContext if has_search => None,
        ir::Ability::UrlContext | ir::Ability::Mcp(_) | ir::Ability::Other => {
            cx.report(loss, meta.place, "", format!("{DIALECT} has no tool like {kind} of {dialect}"));
            return None;
        }
    };
    // Those of a Gemini client's search are extensions, too, and reported with them.
    let is_reported = meta.extensions.fields().iter().any(|field| *field.loss == codes::BUILTIN_TOOL_OPTIONS_LOST);
    let lost = if is_reported { Vec::new() } else { other_options(tool) };
    if !lost.is_empty() {
        cx.report(&codes::BUILTIN_TOOL_OPTIONS_LOST, meta.place, "", lost.join(", "));
    }
    raised
}

/// The code interpreter, in a container that the provider makes.
#[derive(Serialize)]
pub(super) struct CodeInterpreterBody {
    r#type: &'static str,
    container: Container,
}

#[derive(Serialize)]
struct Container {
    r#type: &'static str,
}

/// The web search, as it is written.
#[derive(Serialize)]
pub(super) struct WebSearchBody<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    search_context_size: Option<&'a ir::Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_location: Option<UserLocation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filters: Option<Filters<'a>>,
}

#[derive(Serialize)]
struct UserLocation<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    location: &'a ir::Location,
}

#[derive(Serialize)]
struct Filters<'a> {
    allowed_domains: &'a [ir::Text],
}

fn web_search<'a>(cx: &mut Cx, search: &'a ir::WebSearch, place: ir::Place) -> WebSearchBody<'a> {
    let ir::WebSearch { allowed_domains, blocked_domains, location, max_uses, context_size } = search;
    let lost = &codes::BUILTIN_TOOL_OPTIONS_LOST;
    if !blocked_domains.is_empty() {
        cx.report(lost, place, "blocked_domains", "the web search cannot leave out domains");
    }
    if max_uses.is_some() {
        cx.report(lost, place, "max_uses", "the web search has no limit of its own");
    }
    WebSearchBody {
        r#type: "web_search",
        search_context_size: context_size.as_ref(),
        user_location: location.as_ref().map(|location| UserLocation { r#type: "approximate", location }),
        filters: (!allowed_domains.is_empty()).then_some(Filters { allowed_domains }),
    }
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ChoiceBody<'a> {
    Word(&'static str),
    Tool {
        r#type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<ir::Text>,
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    Allowed {
        r#type: &'static str,
        mode: &'static str,
        tools: Vec<Value>,
    },
    Raw(&'a ir::Json),
}

/// Which tools may be called.
pub(super) fn choice<'a>(
    cx: &mut Cx,
    choice: &'a ir::ToolChoice,
    request: &ir::Request,
    names: &Names,
    extensions: &'a ir::Extensions,
) -> Option<ChoiceBody<'a>> {
    let word = |kind: ir::CallKind| match kind {
        ir::CallKind::Function => "function",
        ir::CallKind::Custom => "custom",
    };
    Some(match choice {
        ir::ToolChoice::Auto => ChoiceBody::Word("auto"),
        ir::ToolChoice::None => ChoiceBody::Word("none"),
        ir::ToolChoice::Required => ChoiceBody::Word("required"),
        ir::ToolChoice::Tool { name, kind } => {
            let own = request.tools.iter().find_map(|tool| match tool {
                ir::Tool::Function(tool) if tool.name == *name && own_tools::is_own(&tool.meta) => {
                    OwnTool::of_name(name).filter(|own| matches!(own, OwnTool::Shell | OwnTool::ApplyPatch))
                }
                ir::Tool::Function(_) | ir::Tool::Custom(_) | ir::Tool::Hosted(_) => None,
            });
            // Chat's nesting goes back as it came.
            let is_named = own.is_none() && extensions.get(DIALECT, "tool_choice.function").is_none();
            ChoiceBody::Tool {
                r#type: own.map_or(word(*kind), OwnTool::name),
                name: is_named.then(|| names.sent(name, None)),
                extensions: extensions.written(DIALECT, "tool_choice"),
            }
        }
        ir::ToolChoice::Allowed { required, names: allowed } => {
            let kind_of = |name: &ir::Text| {
                let is_custom = |tool: &ir::Tool| matches!(tool, ir::Tool::Custom(custom) if custom.name == *name);
                word(if request.tools.iter().any(is_custom) { ir::CallKind::Custom } else { ir::CallKind::Function })
            };
            let one = |name: &ir::Text| json!({ "type": kind_of(name), "name": names.sent(name, None) });
            ChoiceBody::Allowed {
                r#type: "allowed_tools",
                mode: if *required { "required" } else { "auto" },
                tools: allowed.iter().map(one).collect(),
            }
        }
        ir::ToolChoice::Opaque { dialect, value, .. } if *dialect == DIALECT => ChoiceBody::Raw(value),
        ir::ToolChoice::Opaque { dialect, .. } => {
            let hosted = chosen(&request.tools, choice).and_then(|tool| match tool.ability {
                ir::Ability::WebSearch(_) => Some("web_search"),
                ir::Ability::CodeExecution => Some("code_interpreter"),
                ir::Ability::UrlContext | ir::Ability::Mcp(_) | ir::Ability::Other => None,
            });
            if let Some(r#type) = hosted {
                return Some(ChoiceBody::Tool {
                    r#type,
                    name: None,
                    extensions: extensions.written(DIALECT, "tool_choice"),
                });
            }
            let what = format!("a choice that only {dialect} knows");
            cx.report_setting(&codes::TOOL_CHOICE_WEAKENED, ir::Setting::ToolChoice, what);
            return None;
        }
    })
}
