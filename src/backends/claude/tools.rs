//! Raises tools and the choice among them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::super::Names;
use super::blocks::CacheControl;
use super::schema;
use crate::context::Cx;
use crate::diagnostics::codes;
use crate::dialects::claude::ID;
use crate::dialects::hosted::{chosen, other_options};
use crate::dialects::mcp;
use crate::ir;

const WEB_SEARCH: &str = "web_search";
const WEB_FETCH: &str = "web_fetch";
const CODE_EXECUTION: &str = "code_execution";

/// A tool.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum WireTool<'a> {
    Function {
        name: ir::Text,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<Cow<'a, ir::Text>>,
        input_schema: ir::Json,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    WebSearch {
        r#type: &'static str,
        name: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        max_uses: Option<u64>,
        #[serde(skip_serializing_if = "<[ir::Text]>::is_empty")]
        allowed_domains: &'a [ir::Text],
        #[serde(skip_serializing_if = "<[ir::Text]>::is_empty")]
        blocked_domains: &'a [ir::Text],
        #[serde(skip_serializing_if = "Option::is_none")]
        user_location: Option<Location<'a>>,
    },
    Hosted {
        r#type: &'static str,
        name: &'static str,
    },
    Mcp(Value),
    Raw(&'a ir::Json),
}

#[derive(Debug, Serialize)]
pub(super) struct Location<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    place: &'a ir::Location,
}

/// `tool_choice`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum WireChoice<'a> {
    Said {
        r#type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<ir::Text>,
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
    Raw(&'a ir::Json),
}

impl WireChoice<'_> {
    /// Whether a tool must be called.
    pub(super) fn is_forced(&self) -> bool {
        match self {
            Self::Said { r#type, .. } => matches!(*r#type, "any" | "tool"),
            Self::Raw(_) => true,
        }
    }
}

impl<'a> WireTool<'a> {
    /// Its mark, if it has one.
    pub(super) fn mark(&mut self) -> Option<&mut Option<CacheControl<'a>>> {
        match self {
            Self::Function { cache_control, .. } => Some(cache_control).filter(|mark| mark.is_some()),
            Self::WebSearch { .. } | Self::Hosted { .. } | Self::Mcp(_) | Self::Raw(_) => None,
        }
    }
}

/// The tools to offer: all, or only those that may be called, since Claude cannot be told the difference.
pub(super) fn tools<'a>(
    cx: &mut Cx,
    tools: &'a [ir::Tool],
    choice: Option<&ir::ToolChoice>,
    names: &Names,
) -> Vec<WireTool<'a>> {
    let allowed = match choice {
        Some(ir::ToolChoice::Allowed { names, .. }) => Some(names),
        _ => None,
    };
    let mut out = Vec::new();
    for tool in tools {
        let meta = tool.meta();
        cx.report_extensions(&meta.extensions, meta.place, ID);
        let offered = |name: &ir::Text| allowed.is_none_or(|allowed| allowed.contains(name));
        match tool {
            ir::Tool::Function(tool) if offered(&tool.name) => out.push(function(cx, tool, names)),
            ir::Tool::Custom(tool) if offered(&tool.name) => out.push(custom(cx, tool, names)),
            ir::Tool::Function(_) | ir::Tool::Custom(_) => {
                cx.report(&codes::TOOL_OPTION_LOST, meta.place, "", "not offered, since it may not be called");
            }
            ir::Tool::Hosted(tool) => match foreign_servers(tool) {
                [] => out.extend(hosted(cx, tool)),
                servers => {
                    let says = mcp::Says { allowed: true, approval: false, headers: false };
                    mcp::report(cx, servers, says, "Claude", meta.place);
                    out.extend(mcp::claude_servers(servers).map(|(_, tool)| WireTool::Mcp(tool)));
                }
            },
        }
    }
    out
}

/// The MCP servers of a tool that another dialect's client declared.
fn foreign_servers(tool: &ir::Hosted) -> &[ir::McpServer] {
    match &tool.ability {
        ir::Ability::Mcp(servers) if tool.dialect != ID => servers,
        ir::Ability::Mcp(_)
        | ir::Ability::WebSearch(_)
        | ir::Ability::UrlContext
        | ir::Ability::CodeExecution
        | ir::Ability::Other => &[],
    }
}

/// What stands in `mcp_servers` beside the tools.
pub(super) fn mcp_servers(tools: &[ir::Tool]) -> Vec<Value> {
    let servers = tools.iter().flat_map(|tool| match tool {
        ir::Tool::Hosted(tool) => foreign_servers(tool),
        ir::Tool::Function(_) | ir::Tool::Custom(_) => &[],
    });
    servers.flat_map(|server| mcp::claude_servers(std::slice::from_ref(server)).map(|(entry, _)| entry)).collect()
}

fn function<'a>(cx: &mut Cx, tool: &'a ir::Function, names: &Names) -> WireTool<'a> {
    let ir::Function { name, namespace, description, parameters, strict, meta } = tool;
    let fitted = schema::for_tool(parameters.as_ref(), *strict == Some(true));
    if !fitted.lost.is_empty() {
        cx.report_at(&codes::TOOL_SCHEMA_REWRITTEN, meta.place, ir::Setting::Parameters, fitted.lost.join("; "));
    }
    WireTool::Function {
        name: names.sent(name, namespace.as_ref()),
        description: description.as_ref().map(Cow::Borrowed),
        input_schema: fitted.json,
        strict: *strict,
        cache_control: CacheControl::of(cx, meta),
        rest: meta.extensions.written(ID, ""),
    }
}

/// A function with one text, and the grammar in words.
fn custom<'a>(cx: &mut Cx, tool: &'a ir::Custom, names: &Names) -> WireTool<'a> {
    let ir::Custom { name, namespace, description, grammar, meta } = tool;
    cx.report(&codes::CUSTOM_TOOL_AS_FUNCTION, meta.place, "", format!("{name} takes its text as `input`"));
    let mut words = description.as_deref().unwrap_or_default().to_owned();
    if let Some(ir::Grammar { syntax, definition }) = grammar {
        if !words.is_empty() {
            words.push_str("\n\n");
        }
        words.push_str(&format!("`input` must follow this {syntax} grammar:\n{definition}"));
    }
    let input_schema = serde_json::json!({
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
        "additionalProperties": false,
    });
    WireTool::Function {
        name: names.sent(name, namespace.as_ref()),
        description: (!words.is_empty()).then(|| Cow::Owned(words.into())),
        input_schema: ir::Json::of(&input_schema),
        strict: None,
        cache_control: CacheControl::of(cx, meta),
        rest: meta.extensions.written(ID, ""),
    }
}

fn hosted<'a>(cx: &mut Cx, tool: &'a ir::Hosted) -> Option<WireTool<'a>> {
    let ir::Hosted { dialect, kind, value, ability, loss, meta } = tool;
    if *dialect == ID {
        return Some(WireTool::Raw(value));
    }
    let lost = match ability {
        ir::Ability::WebSearch(search) => {
            let mut lost = other_options(tool);
            if search.context_size.is_some() {
                lost.push("search_context_size".to_owned());
            }
            lost
        }
        ir::Ability::UrlContext | ir::Ability::CodeExecution => other_options(tool),
        ir::Ability::Mcp(_) | ir::Ability::Other => {
            cx.report(loss, meta.place, "", format!("Claude has nothing like {kind}"));
            return None;
        }
    };
    if !lost.is_empty() {
        cx.report(&codes::BUILTIN_TOOL_OPTIONS_LOST, meta.place, "", lost.join(", "));
    }
    Some(match ability {
        ir::Ability::WebSearch(search) => web_search(cx, search, meta),
        ir::Ability::UrlContext => WireTool::Hosted { r#type: "web_fetch_20250910", name: WEB_FETCH },
        ir::Ability::CodeExecution | ir::Ability::Mcp(_) | ir::Ability::Other => {
            WireTool::Hosted { r#type: "code_execution_20250825", name: CODE_EXECUTION }
        }
    })
}

fn web_search<'a>(cx: &mut Cx, search: &'a ir::WebSearch, meta: &ir::Meta) -> WireTool<'a> {
    let ir::WebSearch { allowed_domains, blocked_domains, location, max_uses, context_size: _ } = search;
    let has_both = !allowed_domains.is_empty() && !blocked_domains.is_empty();
    if has_both {
        let what = "only allowed or only blocked domains can be said; the allowed ones are";
        cx.report(&codes::BUILTIN_TOOL_OPTIONS_LOST, meta.place, "", what);
    }
    WireTool::WebSearch {
        r#type: "web_search_20250305",
        name: WEB_SEARCH,
        max_uses: *max_uses,
        allowed_domains,
        blocked_domains: if has_both { &[] } else { blocked_domains },
        user_location: location.as_ref().map(|place| Location { r#type: "approximate", place }),
    }
}

/// What a model is told that cannot be made to call a tool, and the choice that it is left.
pub(super) fn asked_in_words<'a>(
    cx: &mut Cx,
    choice: Option<WireChoice<'a>>,
) -> (Option<WireChoice<'a>>, Option<String>) {
    match choice {
        Some(WireChoice::Said { r#type: "any" | "tool", name, disable_parallel_tool_use, rest }) => {
            let what = "the model cannot be made to call a tool; it is asked to";
            cx.report_setting(&codes::TOOL_CHOICE_WEAKENED, ir::Setting::ToolChoice, what);
            let words = match name {
                Some(name) => format!("Answer by calling the tool {name}."),
                None => "Answer by calling one of the tools.".to_owned(),
            };
            (Some(WireChoice::Said { r#type: "auto", name: None, disable_parallel_tool_use, rest }), Some(words))
        }
        choice => (choice, None),
    }
}

/// The choice among `offered` tools.
pub(super) fn choice<'a>(
    cx: &mut Cx,
    choice: Option<&'a ir::ToolChoice>,
    parallel: Option<bool>,
    names: &Names,
    tools: &[ir::Tool],
    has_tools: bool,
    extensions: &'a ir::Extensions,
) -> Option<WireChoice<'a>> {
    let hosted = choice.and_then(|choice| chosen(tools, choice)).and_then(|tool| match tool.ability {
        ir::Ability::WebSearch(_) => Some(WEB_SEARCH),
        ir::Ability::UrlContext => Some(WEB_FETCH),
        ir::Ability::CodeExecution => Some(CODE_EXECUTION),
        ir::Ability::Mcp(_) | ir::Ability::Other => None,
    });
    let (r#type, name) = match choice {
        None if parallel == Some(false) => ("auto", None),
        None => return None,
        Some(ir::ToolChoice::Auto | ir::ToolChoice::Allowed { required: false, .. }) => ("auto", None),
        Some(ir::ToolChoice::None) => ("none", None),
        Some(ir::ToolChoice::Required | ir::ToolChoice::Allowed { required: true, .. }) => ("any", None),
        Some(ir::ToolChoice::Tool { name, kind: _ }) => ("tool", Some(names.sent(name, None))),
        Some(ir::ToolChoice::Opaque { dialect, value, .. }) if *dialect == ID => return Some(WireChoice::Raw(value)),
        Some(ir::ToolChoice::Opaque { dialect, .. }) => match hosted {
            Some(name) => ("tool", Some(ir::Text::constant(name))),
            None => {
                let what = format!("a choice that only {dialect} can say");
                cx.report_setting(&codes::TOOL_CHOICE_WEAKENED, ir::Setting::ToolChoice, what);
                ("auto", None)
            }
        },
    };
    if !has_tools {
        // Without tools Claude takes no choice.
        if matches!(r#type, "any" | "tool") {
            let what = "there is no tool that could be called";
            cx.report_setting(&codes::TOOL_CHOICE_WEAKENED, ir::Setting::ToolChoice, what);
        }
        return None;
    }
    Some(WireChoice::Said {
        r#type,
        name,
        disable_parallel_tool_use: parallel.map(|parallel| !parallel).filter(|_| r#type != "none"),
        rest: extensions.written(ID, "tool_choice"),
    })
}
