//! Tools of this dialect that the client runs, and that have items of their own where others have functions: the local shell,
//! and the search for tools. Elsewhere they go up as functions; a call of one is the dialect's own item again.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::ID;
use crate::ir;

/// Of a tool, a call or a result: the whole of it, as this dialect's own form has it.
pub const OWN_FORM: &str = "mark.own";

/// Whether what carries `meta` came in this dialect's own form.
#[must_use]
pub fn is_own(meta: &ir::Meta) -> bool {
    own_form(meta).is_some()
}

/// What carries `meta` as it came, where that was in this dialect's own form.
#[must_use]
pub fn own_form(meta: &ir::Meta) -> Option<&ir::Json> {
    meta.extensions.get(ID, OWN_FORM)
}

/// A tool that the client runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnTool {
    /// `local_shell`: runs a command on the client's machine.
    LocalShell,
    /// `tool_search` that the client executes: brings more tools.
    ToolSearch,
}

impl OwnTool {
    /// The tool that a function of this name stands for.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::LocalShell, Self::ToolSearch].into_iter().find(|tool| tool.name() == name)
    }

    /// Its type in `tools`, and the name of the function that stands for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LocalShell => "local_shell",
            Self::ToolSearch => "tool_search",
        }
    }

    /// How ids of its calls' items begin.
    #[must_use]
    pub const fn id_prefix(self) -> &'static str {
        match self {
            Self::LocalShell => "lsh_",
            Self::ToolSearch => "tsc_",
        }
    }

    /// The item that tells a call, as far as `arguments` can be read.
    #[must_use]
    pub fn call(self, id: &str, call_id: &str, arguments: &str, status: &Value) -> Value {
        let object = object(arguments).unwrap_or_default();
        match self {
            Self::LocalShell => json!({
                "id": id,
                "type": "local_shell_call",
                "status": status,
                "call_id": call_id,
                "action": action(object),
            }),
            Self::ToolSearch => json!({
                "id": id,
                "type": "tool_search_call",
                "status": status,
                "call_id": call_id,
                "execution": "client",
                "arguments": object,
            }),
        }
    }

    /// Whether a client can run a call with these arguments.
    #[must_use]
    pub fn is_runnable(self, arguments: &str) -> bool {
        match (self, object(arguments)) {
            (_, None) => false,
            (Self::LocalShell, Some(object)) => !command(object.get("command")).is_empty(),
            (Self::ToolSearch, Some(_)) => true,
        }
    }
}

/// What a model is told of the local shell, which no client declares in words.
pub const SHELL_DESCRIPTION: &str = "Runs a command in a shell on the user's machine, and returns what it wrote.";

/// What the local shell takes: the fields of a `local_shell_call`'s action.
#[must_use]
pub fn shell_parameters() -> ir::Schema {
    let words = |description: &str| json!({ "type": "string", "description": description });
    ir::Schema::json_schema(ir::Json::of(&json!({
        "type": "object",
        "properties": {
            "command": {
                "type": "array",
                "items": { "type": "string" },
                "description": "The program and its arguments, such as [\"bash\", \"-lc\", \"ls\"].",
            },
            "timeout_ms": { "type": "integer", "description": "After how many milliseconds the command is stopped." },
            "working_directory": words("The directory to run it in."),
            "env": {
                "type": "object",
                "additionalProperties": { "type": "string" },
                "description": "Environment variables to set.",
            },
            "user": words("The user to run it as."),
        },
        "required": ["command"],
    })))
}

/// The arguments of the function that stands for the local shell, of an item's action: what it leaves unsaid is left out.
#[must_use]
pub fn shell_arguments(action: &Value) -> ir::Text {
    let is_said = |name: &str, value: &Value| {
        name != "type" && !value.is_null() && !(name == "env" && value.as_object().is_some_and(Map::is_empty))
    };
    let fields = action.as_object().into_iter().flatten();
    let said: Map<String, Value> = fields
        .filter(|(name, value)| is_said(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    ir::Json::of(&said).text().clone()
}

/// What a model is told of the tools that a search brought, which are on offer from then on.
#[must_use]
pub fn found(tools: &[ir::Tool]) -> ir::Text {
    let name = |tool: &ir::Tool| {
        let (name, namespace) = match tool {
            ir::Tool::Function(tool) => (&tool.name, tool.namespace.as_ref()),
            ir::Tool::Custom(tool) => (&tool.name, tool.namespace.as_ref()),
            ir::Tool::Hosted(tool) => (&tool.kind, None),
        };
        // As upstreams without name spaces get them.
        namespace.map_or_else(|| name.to_string(), |namespace| format!("{namespace}__{name}"))
    };
    if tools.is_empty() {
        return ir::Text::constant("No tools were found.");
    }
    let mut out = String::from("These tools can be called now:");
    for tool in tools {
        // Writing to a string never fails.
        let _ = write!(out, "\n- {}", name(tool));
    }
    out.into()
}

fn object(arguments: &str) -> Option<Map<String, Value>> {
    if arguments.trim().is_empty() {
        return Some(Map::new());
    }
    serde_json::from_str(arguments).ok()
}

/// The words of a command. Models write one line as well, which only a shell can read.
fn command(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(line)) => ["bash", "-lc", line].map(str::to_owned).to_vec(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The action of a call with these arguments. Fields of another type than the dialect's say nothing.
fn action(mut arguments: Map<String, Value>) -> Value {
    let mut out = Map::new();
    out.insert("type".to_owned(), "exec".into());
    out.insert("command".to_owned(), command(arguments.get("command")).into());
    let env = match arguments.remove("env") {
        Some(Value::Object(env)) => env.into_iter().filter(|(_, value)| value.is_string()).collect(),
        _ => Map::new(),
    };
    out.insert("env".to_owned(), Value::Object(env));
    let mut take = |name: &str, fits: fn(&Value) -> bool| {
        if let Some(value) = arguments.remove(name).filter(fits) {
            out.insert(name.to_owned(), value);
        }
    };
    take("timeout_ms", Value::is_u64);
    take("user", Value::is_string);
    take("working_directory", Value::is_string);
    Value::Object(out)
}
