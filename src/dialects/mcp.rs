//! Servers of tools that speak the Model Context Protocol, as three dialects declare them: OpenAI Responses in a tool each (`mcp`),
//! Claude in `mcp_servers` with a tool each that says which of their tools are on offer (`mcp_toolset`), Gemini in one tool
//! (`mcpServers`). Only OpenAI asks before a call (and does so unless it is told not to), and only Gemini and OpenAI send headers.

use serde_json::{Map, Value, json};

use crate::context::Cx;
use crate::diagnostics::codes;
use crate::ir;

/// The beta of Claude that has `mcp_toolset` (platform.claude.com: MCP connector).
pub const CLAUDE_BETA: &str = "mcp-client-2025-11-20";

fn text(value: Option<&Value>) -> Option<ir::Text> {
    value.and_then(Value::as_str).map(Into::into)
}

fn texts(value: &Value) -> Option<Vec<ir::Text>> {
    value.as_array()?.iter().map(|one| text(Some(one))).collect()
}

fn is_said(value: &Value) -> bool {
    !value.is_null() && *value != Value::Bool(false)
}

/// The names of what is said beside `known`.
fn others(fields: &Map<String, Value>, known: &[&str]) -> Vec<ir::Text> {
    let is_other = |(name, value): &(&String, &Value)| !known.contains(&name.as_str()) && is_said(value);
    fields.iter().filter(is_other).map(|(name, _)| name.as_str().into()).collect()
}

/// Headers, and the token that one of them may hold.
fn headers(value: Option<&Value>) -> (Vec<(ir::Text, ir::Text)>, Option<ir::Text>) {
    let (mut rest, mut token) = (Vec::new(), None);
    for (name, value) in value.and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        match value.strip_prefix("Bearer ").filter(|_| name.eq_ignore_ascii_case("authorization")) {
            Some(bearer) => token = Some(bearer.into()),
            None => rest.push((name.as_str().into(), value.into())),
        }
    }
    (rest, token)
}

/// The server of a tool `mcp`; `None` for what OpenAI alone reaches (connectors, tunnels) or can say (a filter by kind).
#[must_use]
pub fn of_openai(tool: &Value) -> Option<ir::McpServer> {
    let fields = tool.as_object()?;
    let allowed = match fields.get("allowed_tools").filter(|allowed| is_said(allowed)) {
        None => None,
        Some(Value::Object(filter)) if filter.keys().any(|key| key != "tool_names") => return None,
        Some(Value::Object(filter)) => Some(texts(filter.get("tool_names")?)?),
        Some(list) => Some(texts(list)?),
    };
    let (headers, token) = headers(fields.get("headers"));
    let known = ["type", "server_label", "server_url", "authorization", "headers", "allowed_tools", "require_approval"];
    Some(ir::McpServer {
        name: text(fields.get("server_label"))?,
        url: text(fields.get("server_url"))?,
        token: text(fields.get("authorization")).or(token),
        headers,
        allowed,
        approval: fields.get("require_approval").and_then(Value::as_str) != Some("never"),
        unsaid: others(fields, &known),
    })
}

/// The server among `servers` that a tool `mcp_toolset` offers; `None` where it leaves single tools out, which nobody else can.
#[must_use]
pub fn of_claude(servers: &Value, tool: &Value) -> Option<ir::McpServer> {
    let toolset = tool.as_object()?;
    let name = text(toolset.get("mcp_server_name"))?;
    let is_it = |server: &&Value| server.get("name").and_then(Value::as_str) == Some(&*name);
    let server = servers.as_array()?.iter().find(is_it)?.as_object()?;
    if server.get("tool_configuration").is_some_and(is_said) {
        return None;
    }
    let is_on = |config: &Value| config.get("enabled").and_then(Value::as_bool);
    let all = toolset.get("default_config").and_then(is_on).unwrap_or(true);
    let configs = || toolset.get("configs").and_then(Value::as_object).into_iter().flatten();
    if all && configs().any(|(_, config)| is_on(config) == Some(false)) {
        return None;
    }
    let named = configs().filter(|(_, config)| is_on(config) == Some(true)).map(|(name, _)| name.as_str().into());
    let defers = |config: &Value| config.get("defer_loading").is_some_and(is_said);
    let mut unsaid = others(toolset, &["type", "mcp_server_name", "default_config", "configs"]);
    unsaid.extend(others(server, &["type", "name", "url", "authorization_token"]));
    if toolset.get("default_config").is_some_and(defers) || configs().any(|(_, config)| defers(config)) {
        unsaid.push("defer_loading".into());
    }
    Some(ir::McpServer {
        url: text(server.get("url"))?,
        token: text(server.get("authorization_token")),
        headers: Vec::new(),
        allowed: (!all).then(|| named.collect()),
        approval: false,
        unsaid,
        name,
    })
}

/// The servers of `mcpServers`, names in camel case or in snake case.
#[must_use]
pub fn of_gemini(servers: &Value) -> Option<Vec<ir::McpServer>> {
    let one = |server: &Value| {
        let transport = server.get("streamableHttpTransport").or_else(|| server.get("streamable_http_transport"))?;
        let (headers, token) = headers(transport.get("headers"));
        Some(ir::McpServer {
            name: text(server.get("name"))?,
            url: text(transport.get("url"))?,
            token,
            headers,
            allowed: None,
            approval: false,
            unsaid: others(transport.as_object()?, &["url", "headers"]),
        })
    };
    servers.as_array()?.iter().map(one).collect()
}

/// What a dialect can say of a server.
#[derive(Clone, Copy, Debug)]
pub struct Says {
    /// Which of its tools are on offer.
    pub allowed: bool,
    /// That the client is asked before a call.
    pub approval: bool,
    /// Headers beside the token.
    pub headers: bool,
}

/// Reports what a backend cannot say of servers. A limit on what they may do is no option that one does without.
pub fn report(cx: &mut Cx, servers: &[ir::McpServer], says: Says, dialect: &str, place: ir::Place) {
    for ir::McpServer { name, url: _, token: _, headers, allowed, approval, unsaid } in servers {
        let mut limit = |what: &str| cx.report(&codes::MCP_LIMIT_UNSUPPORTED, place, "", format!("{name}: {what}"));
        if *approval && !says.approval {
            limit(&format!(
                "{dialect} calls its tools without asking; say `require_approval: \"never\"` if that is meant"
            ));
        }
        if allowed.is_some() && !says.allowed {
            limit(&format!("{dialect} offers all of its tools, or none"));
        }
        if !headers.is_empty() && !says.headers {
            limit(&format!("{dialect} sends a token, and no other headers"));
        }
        if !unsaid.is_empty() {
            let unsaid: Vec<&str> = unsaid.iter().map(ir::Text::as_str).collect();
            let what = format!("{name}: {dialect} has no {}", unsaid.join(", "));
            cx.report(&codes::BUILTIN_TOOL_OPTIONS_LOST, place, "", what);
        }
    }
}

/// The tools `mcp` of servers.
pub fn openai_tools(servers: &[ir::McpServer]) -> impl Iterator<Item = Value> {
    servers.iter().map(|server| {
        let ir::McpServer { name, url, token, headers, allowed, approval, unsaid: _ } = server;
        let mut out = json!({ "type": "mcp", "server_label": name, "server_url": url });
        if let Some(fields) = out.as_object_mut() {
            fields.extend(token.as_ref().map(|token| ("authorization".to_owned(), json!(token))));
            fields.extend((!headers.is_empty()).then(|| ("headers".to_owned(), pairs(headers, None))));
            fields.extend(allowed.as_ref().map(|allowed| ("allowed_tools".to_owned(), json!(allowed))));
            fields.insert("require_approval".to_owned(), json!(if *approval { "always" } else { "never" }));
        }
        out
    })
}

/// The entries of `mcp_servers`, and the tools beside them.
pub fn claude_servers(servers: &[ir::McpServer]) -> impl Iterator<Item = (Value, Value)> {
    servers.iter().map(|server| {
        let ir::McpServer { name, url, token, headers: _, allowed, approval: _, unsaid: _ } = server;
        let mut entry = json!({ "type": "url", "url": url, "name": name });
        if let (Some(fields), Some(token)) = (entry.as_object_mut(), token) {
            fields.insert("authorization_token".to_owned(), json!(token));
        }
        let mut tool = json!({ "type": "mcp_toolset", "mcp_server_name": name });
        if let (Some(fields), Some(allowed)) = (tool.as_object_mut(), allowed) {
            let on = |name: &ir::Text| (name.as_str().to_owned(), json!({ "enabled": true }));
            fields.insert("default_config".to_owned(), json!({ "enabled": false }));
            fields.insert("configs".to_owned(), allowed.iter().map(on).collect::<Map<_, _>>().into());
        }
        (entry, tool)
    })
}

/// The tool of all servers.
#[must_use]
pub fn gemini_tool(servers: &[ir::McpServer]) -> Value {
    let one = |server: &ir::McpServer| {
        let ir::McpServer { name, url, token, headers, allowed: _, approval: _, unsaid: _ } = server;
        let mut transport = json!({ "url": url });
        if let Some(fields) = transport.as_object_mut().filter(|_| token.is_some() || !headers.is_empty()) {
            fields.insert("headers".to_owned(), pairs(headers, token.as_ref()));
        }
        json!({ "name": name, "streamableHttpTransport": transport })
    };
    json!({ "mcpServers": servers.iter().map(one).collect::<Vec<_>>() })
}

fn pairs(headers: &[(ir::Text, ir::Text)], token: Option<&ir::Text>) -> Value {
    let bearer = token.map(|token| ("Authorization".to_owned(), format!("Bearer {token}").into()));
    let rest = headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_str().into()));
    bearer.into_iter().chain(rest).collect::<Map<String, Value>>().into()
}
