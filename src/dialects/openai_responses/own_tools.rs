//! Tools of this dialect that the client runs, and that have items of their own where others have functions: shells, patches,
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
    /// `shell` in the client's own environment: runs several.
    Shell,
    /// `apply_patch`: writes, changes or deletes a file.
    ApplyPatch,
    /// `tool_search` that the client executes: brings more tools.
    ToolSearch,
}

impl OwnTool {
    /// The tool that a function of this name stands for.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::LocalShell, Self::Shell, Self::ApplyPatch, Self::ToolSearch].into_iter().find(|tool| tool.name() == name)
    }

    /// Its type in `tools`, and the name of the function that stands for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LocalShell => "local_shell",
            Self::Shell => "shell",
            Self::ApplyPatch => "apply_patch",
            Self::ToolSearch => "tool_search",
        }
    }

    /// The type of its calls' items.
    #[must_use]
    pub const fn call_type(self) -> &'static str {
        match self {
            Self::LocalShell => "local_shell_call",
            Self::Shell => "shell_call",
            Self::ApplyPatch => "apply_patch_call",
            Self::ToolSearch => "tool_search_call",
        }
    }

    /// How ids of its calls' items begin.
    #[must_use]
    pub const fn id_prefix(self) -> &'static str {
        match self {
            Self::LocalShell => "lsh_",
            Self::Shell => "sh_",
            Self::ApplyPatch => "apc_",
            Self::ToolSearch => "tsc_",
        }
    }

    /// What a model is told of it, where no client declares it in words.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::LocalShell => "Runs a command in a shell on the user's machine, and returns what it wrote.",
            Self::Shell => {
                "Runs commands in a shell on the user's machine, and returns what each wrote and how it ended."
            }
            Self::ApplyPatch => "Writes, changes or deletes one file on the user's machine.",
            Self::ToolSearch => "",
        }
    }

    /// What it takes, where no client says so: the fields of its calls' actions.
    #[must_use]
    pub fn parameters(self) -> ir::Schema {
        ir::Schema::json_schema(ir::Json::constant(match self {
            Self::LocalShell => LOCAL_SHELL,
            Self::Shell => SHELL,
            Self::ApplyPatch => APPLY_PATCH,
            Self::ToolSearch => "{}",
        }))
    }

    /// The arguments of the function that stands for it, of a call's action: what that leaves unsaid is left out.
    #[must_use]
    pub fn arguments(self, action: &Value) -> ir::Text {
        let is_said = |name: &str, value: &Value| {
            (name != "type" || self == Self::ApplyPatch)
                && !value.is_null()
                && !(name == "env" && value.as_object().is_some_and(Map::is_empty))
        };
        let fields = action.as_object().into_iter().flatten();
        let said: Map<String, Value> = fields
            .filter(|(name, value)| is_said(name, value))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        ir::Json::of(&said).text().clone()
    }

    /// The item that tells a call, as far as `arguments` can be read.
    #[must_use]
    pub fn call(self, id: &str, call_id: &str, arguments: &str, status: &Value) -> Value {
        let mut object = object(arguments).unwrap_or_default();
        let mut item = Map::new();
        let mut put = |name: &str, value: Value| item.insert(name.to_owned(), value);
        put("id", id.into());
        put("type", self.call_type().into());
        put("status", status.clone());
        put("call_id", call_id.into());
        match self {
            Self::LocalShell => put("action", action(object)),
            Self::Shell => {
                let mut limit = |name: &str| object.remove(name).filter(Value::is_u64);
                let (timeout, length) = (limit("timeout_ms"), limit("max_output_length"));
                let commands = commands(&object);
                put("environment", json!({ "type": "local" }));
                put("action", json!({ "commands": commands, "timeout_ms": timeout, "max_output_length": length }))
            }
            Self::ApplyPatch => {
                object.retain(|name, value| value.is_string() && matches!(&**name, "type" | "path" | "diff"));
                // A file that is deleted has no lines to tell.
                if object.get("type").is_some_and(|kind| kind == "delete_file") {
                    object.remove("diff");
                }
                put("operation", object.into())
            }
            Self::ToolSearch => {
                put("execution", "client".into());
                put("arguments", object.into())
            }
        };
        item.into()
    }

    /// Whether a client can run a call with these arguments.
    #[must_use]
    pub fn is_runnable(self, arguments: &str) -> bool {
        let Some(object) = object(arguments) else { return false };
        let words = |name: &str| object.get(name).and_then(Value::as_str);
        match self {
            Self::LocalShell => !command(object.get("command")).is_empty(),
            Self::Shell => !commands(&object).is_empty(),
            Self::ApplyPatch => {
                let is_known = match words("type") {
                    Some("delete_file") => true,
                    Some("create_file" | "update_file") => words("diff").is_some(),
                    Some(_) | None => false,
                };
                is_known && words("path").is_some_and(|path| !path.is_empty())
            }
            Self::ToolSearch => true,
        }
    }
}

/// Whether a shell with this environment is the client's own: a container of the provider's is asked for, or named.
#[must_use]
pub fn is_local(environment: &Value) -> bool {
    environment.get("type").is_none_or(|kind| kind == "local")
}

/// What a shell's environment has to offer, in words that follow its description.
#[must_use]
pub fn skills(environment: &Value) -> String {
    let mut out = String::new();
    for skill in environment.get("skills").and_then(Value::as_array).into_iter().flatten() {
        let words = |name: &str| skill.get(name).and_then(Value::as_str).unwrap_or_default();
        if out.is_empty() {
            out.push_str(" There are instructions for some tasks; read them before one:");
        }
        // Writing to a string never fails.
        let _ = write!(out, "\n- {} ({}): {}", words("name"), words("path"), words("description"));
    }
    out
}

const LOCAL_SHELL: &str = r#"{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"},"description":"The program and its arguments, such as [\"bash\", \"-lc\", \"ls\"]."},"timeout_ms":{"type":"integer","description":"After how many milliseconds the command is stopped."},"working_directory":{"type":"string","description":"The directory to run it in."},"env":{"type":"object","additionalProperties":{"type":"string"},"description":"Environment variables to set."},"user":{"type":"string","description":"The user to run it as."}},"required":["command"]}"#;

const SHELL: &str = r#"{"type":"object","properties":{"commands":{"type":"array","items":{"type":"string"},"description":"The commands, each a line for the shell, in their order."},"timeout_ms":{"type":"integer","description":"After how many milliseconds they are stopped."},"max_output_length":{"type":"integer","description":"How many characters of what they write are returned."}},"required":["commands"]}"#;

const APPLY_PATCH: &str = r#"{"type":"object","properties":{"type":{"type":"string","enum":["create_file","update_file","delete_file"]},"path":{"type":"string","description":"The file, relative to the workspace."},"diff":{"type":"string","description":"For create_file: every line of the file, each with + before it. For update_file: the places to change, each begun by a line @@ (or @@ and the line of the function or class around it), then three unchanged lines with a space before each, the old lines with -, the new ones with +, and three unchanged lines again. No line numbers, no names of files. Not for delete_file."}},"required":["type","path"]}"#;

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

/// The commands of a call; a model that writes one alone means a list of it.
fn commands(arguments: &Map<String, Value>) -> Vec<String> {
    match arguments.get("commands").or_else(|| arguments.get("command")) {
        Some(Value::String(line)) => vec![line.clone()],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
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
