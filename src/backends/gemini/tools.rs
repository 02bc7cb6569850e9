//! Raises tools, the choice of them, and schemas.

use std::borrow::Cow;

use serde::Serialize;

use super::request::report_meta;
use crate::backends::{Names, Target};
use crate::context::Cx;
use crate::diagnostics::codes;
use crate::dialects::gemini::{ID, NOTE_ENTRY, NOTE_MODE, NOTE_SCHEMA, write};
use crate::dialects::{hosted, mcp};
use crate::ir;
use crate::schema;

/// One entry of `tools`.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tool<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    function_declarations: Vec<Function<'a>>,
    #[serde(flatten, serialize_with = "write::fields_of_all")]
    hosted: Vec<Cow<'a, ir::Json>>,
    #[serde(skip)]
    entry: Option<ir::Json>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Function<'a> {
    name: ir::Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, ir::Text>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<ir::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<ir::Json>,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    function_calling_config: Option<Calling<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include_server_side_tool_invocations: Option<bool>,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Calling<'a> {
    #[serde(rename_all = "camelCase")]
    Known {
        mode: &'static str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        allowed_function_names: Vec<ir::Text>,
        #[serde(flatten)]
        extensions: ir::Written<'a>,
    },
    AsWritten(&'a ir::Json),
}

/// The tools, in the entries that Gemini wants them in.
pub(super) fn raise_tools<'a>(cx: &mut Cx, tools: &'a [ir::Tool], names: &Names) -> Vec<Tool<'a>> {
    let mut out: Vec<Tool<'a>> = Vec::new();
    for tool in tools {
        report_meta(cx, tool.meta());
        let entry = tool.meta().extensions.get(ID, NOTE_ENTRY).cloned();
        // The functions of other clients stand in one entry, as Vertex wants them; a Gemini client's as it wrote them.
        let place = match &entry {
            Some(_) => out.iter().position(|other| other.entry == entry),
            None => out.iter().position(|other| !other.function_declarations.is_empty()),
        };
        let function = match tool {
            ir::Tool::Function(function) => raise_function(cx, function, names),
            ir::Tool::Custom(custom) => raise_custom(cx, custom, names),
            ir::Tool::Hosted(hosted) => {
                let Some(value) = raise_hosted(cx, hosted) else { continue };
                match place.filter(|_| entry.is_some()).and_then(|index| out.get_mut(index)) {
                    Some(tool) => tool.hosted.push(value),
                    None => out.push(Tool { hosted: vec![value], entry, ..Tool::default() }),
                }
                continue;
            }
        };
        match place.and_then(|index| out.get_mut(index)) {
            Some(tool) => tool.function_declarations.push(function),
            None => out.push(Tool { function_declarations: vec![function], entry, ..Tool::default() }),
        }
    }
    out
}

fn raise_function<'a>(cx: &mut Cx, function: &'a ir::Function, names: &Names) -> Function<'a> {
    let ir::Function { name, namespace, description, parameters, strict: _, meta } = function;
    let field = meta.extensions.get(ID, NOTE_SCHEMA);
    let (parameters, parameters_json_schema) = match parameters {
        Some(schema) => {
            let raised = raise_schema(schema, field);
            if !raised.lost.is_empty() {
                let what = in_short(&raised.lost);
                cx.report_at(&codes::TOOL_SCHEMA_REWRITTEN, meta.place, ir::Setting::Parameters, what);
            }
            (raised.open_api, raised.json_schema)
        }
        None => (None, None),
    };
    Function {
        name: names.sent(name, namespace.as_ref()),
        description: description.as_ref().map(Cow::Borrowed),
        parameters,
        parameters_json_schema,
        extensions: meta.extensions.written(ID, ""),
    }
}

/// A schema in one of Gemini's two fields: the older subset of OpenAPI's, or JSON Schema.
#[derive(Default)]
pub(super) struct RaisedSchema {
    pub(super) open_api: Option<ir::Json>,
    pub(super) json_schema: Option<ir::Json>,
    /// What was removed, or moved into descriptions.
    pub(super) lost: Vec<String>,
    /// Keywords that Gemini takes and does not promise to keep to.
    pub(super) unpromised: Vec<&'static str>,
}

/// Raises a schema. `field` is the one that a Gemini client wrote it in; then it goes as it came.
pub(super) fn raise_schema(schema: &ir::Schema, field: Option<&ir::Json>) -> RaisedSchema {
    if field.is_some() {
        return RaisedSchema { json_schema: Some(schema.json.clone()), ..RaisedSchema::default() };
    }
    if schema.language == ir::SchemaLanguage::OpenApi {
        return RaisedSchema { open_api: Some(schema.json.clone()), ..RaisedSchema::default() };
    }
    if !schema.json.is_object() {
        let lost = vec!["a schema that is no object".to_owned()];
        return RaisedSchema { lost, ..RaisedSchema::default() };
    }
    let schema::Narrowed { json, lost, unpromised } = schema::for_gemini(&schema.json);
    RaisedSchema { open_api: None, json_schema: Some(json), lost, unpromised }
}

/// The first of many losses, and how many more there are.
pub(super) fn in_short(lost: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<&str> = lost.iter().take(SHOWN).map(String::as_str).collect();
    match lost.len().saturating_sub(SHOWN) {
        0 => shown.join("; "),
        more => format!("{}; and {more} more", shown.join("; ")),
    }
}

fn raise_custom<'a>(cx: &mut Cx, custom: &'a ir::Custom, names: &Names) -> Function<'a> {
    let ir::Custom { name, namespace, description, grammar, meta } = custom;
    let what = "sent as a function with the text `input`";
    cx.report(&codes::CUSTOM_TOOL_AS_FUNCTION, meta.place, "", what);
    let description = match grammar {
        Some(ir::Grammar { syntax, definition }) => {
            let before = description.as_deref().unwrap_or_default();
            let gap = if before.is_empty() { "" } else { "\n\n" };
            Some(Cow::Owned(format!("{before}{gap}The input must follow this {syntax} grammar:\n{definition}").into()))
        }
        None => description.as_ref().map(Cow::Borrowed),
    };
    Function {
        name: names.sent(name, namespace.as_ref()),
        description,
        parameters: None,
        parameters_json_schema: Some(ir::Json::of(&serde_json::json!({
            "type": "object",
            "properties": { "input": { "type": "string" } },
            "required": ["input"],
        }))),
        extensions: meta.extensions.written(ID, ""),
    }
}

fn raise_hosted<'a>(cx: &mut Cx, hosted: &'a ir::Hosted) -> Option<Cow<'a, ir::Json>> {
    static SEARCH: ir::Json = ir::Json::constant(r#"{"googleSearch":{}}"#);
    static URL_CONTEXT: ir::Json = ir::Json::constant(r#"{"urlContext":{}}"#);
    static CODE_EXECUTION: ir::Json = ir::Json::constant(r#"{"codeExecution":{}}"#);
    let ir::Hosted { dialect, kind, value, ability, loss, meta } = hosted;
    if *dialect == ID {
        return Some(Cow::Borrowed(value));
    }
    if let ir::Ability::Mcp(servers) = ability {
        let says = mcp::Says { allowed: false, approval: false, headers: true };
        mcp::report(cx, servers, says, "Gemini", meta.place);
        return Some(Cow::Owned(ir::Json::of(&mcp::gemini_tool(servers))));
    }
    let mut lost = hosted::other_options(hosted);
    let raised = match ability {
        ir::Ability::WebSearch(ir::WebSearch {
            allowed_domains,
            blocked_domains,
            location,
            max_uses,
            context_size,
        }) => {
            let options = [
                ("allowed domains", !allowed_domains.is_empty()),
                ("blocked domains", !blocked_domains.is_empty()),
                ("location", location.is_some()),
                ("max uses", max_uses.is_some()),
                ("context size", context_size.is_some()),
            ];
            lost.splice(0..0, options.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name.to_owned()));
            ("googleSearch", &SEARCH)
        }
        ir::Ability::UrlContext => ("urlContext", &URL_CONTEXT),
        ir::Ability::CodeExecution => ("codeExecution", &CODE_EXECUTION),
        ir::Ability::Mcp(_) | ir::Ability::Other => {
            cx.report(loss, meta.place, "", format!("Gemini has no hosted tool like {kind} of {dialect}"));
            return None;
        }
    };
    let (name, declaration) = raised;
    if !lost.is_empty() {
        let what = format!("{name} has no {}", lost.join(", "));
        cx.report(&codes::BUILTIN_TOOL_OPTIONS_LOST, meta.place, "", what);
    }
    Some(Cow::Borrowed(declaration))
}

/// Which tools may or must be called.
pub(super) fn tool_config<'a>(
    cx: &mut Cx,
    tools: &[ir::Tool],
    choice: Option<&ir::ToolChoice>,
    names: &Names,
    target: &Target,
    extensions: &'a ir::Extensions,
) -> Option<ToolConfig<'a>> {
    let known = |mode, allowed_function_names| {
        let extensions = extensions.written(ID, "toolConfig.functionCallingConfig");
        Some(Calling::Known { mode, allowed_function_names, extensions })
    };
    let has_functions = tools.iter().any(|tool| !matches!(tool, ir::Tool::Hosted(_)));
    // Gemini refuses a choice without functions to choose from.
    let choice = match choice {
        Some(ir::ToolChoice::Auto | ir::ToolChoice::None) if !has_functions => None,
        Some(_) if !has_functions => {
            let what = "there is no function that could be called";
            cx.report_setting(&codes::TOOL_CHOICE_WEAKENED, ir::Setting::ToolChoice, what);
            None
        }
        choice => choice,
    };
    let sent = |name: &ir::Text| names.sent(name, namespace_of(tools, name));
    let note = extensions.get(ID, NOTE_MODE);
    let function_calling_config = match choice {
        Some(ir::ToolChoice::Auto) if note.is_some() => known("VALIDATED", Vec::new()),
        Some(ir::ToolChoice::Auto) => known(if all_strict(cx, tools) { "VALIDATED" } else { "AUTO" }, Vec::new()),
        Some(ir::ToolChoice::None) => known("NONE", Vec::new()),
        Some(ir::ToolChoice::Required) => known("ANY", Vec::new()),
        Some(ir::ToolChoice::Tool { name, kind: _ }) => known("ANY", vec![sent(name)]),
        Some(ir::ToolChoice::Allowed { required, names: allowed }) => {
            known(if *required { "ANY" } else { "VALIDATED" }, allowed.iter().map(sent).collect())
        }
        Some(ir::ToolChoice::Opaque { dialect, value: _, hosted: _ }) => {
            let what = format!("only {dialect} can say this choice");
            cx.report_setting(&codes::TOOL_CHOICE_WEAKENED, ir::Setting::ToolChoice, what);
            None
        }
        None => match note {
            Some(note) if note.is_object() => Some(Calling::AsWritten(note)),
            Some(_) => known("MODE_UNSPECIFIED", Vec::new()),
            None if all_strict(cx, tools) => known("VALIDATED", Vec::new()),
            None => None,
        },
    };
    let is_foreign = |tool: &ir::Tool| matches!(tool, ir::Tool::Hosted(hosted) if hosted.dialect != ID);
    // Its own tools run beside functions only where what they did may be shown; older models don't know the switch.
    let is_shown = target.capabilities.hosted_with_functions.unwrap_or(true);
    let include_server_side_tool_invocations =
        (has_functions && tools.iter().any(is_foreign) && is_shown).then_some(true);
    let extensions = extensions.written(ID, "toolConfig");
    let is_empty =
        function_calling_config.is_none() && include_server_side_tool_invocations.is_none() && extensions.is_empty();
    (!is_empty).then_some(ToolConfig { function_calling_config, include_server_side_tool_invocations, extensions })
}

/// The name space of a tool that a choice names alone.
fn namespace_of<'a>(tools: &'a [ir::Tool], wanted: &ir::Text) -> Option<&'a ir::Text> {
    tools.iter().find_map(|tool| match tool {
        ir::Tool::Function(ir::Function { name, namespace, .. })
        | ir::Tool::Custom(ir::Custom { name, namespace, .. })
            if name == wanted =>
        {
            namespace.as_ref()
        }
        ir::Tool::Function(_) | ir::Tool::Custom(_) | ir::Tool::Hosted(_) => None,
    })
}

/// Gemini keeps to the schemas of all functions (`VALIDATED`; `ANY` does it by itself) or promises nothing.
fn all_strict(cx: &mut Cx, tools: &[ir::Tool]) -> bool {
    let functions = tools.iter().filter_map(|tool| match tool {
        ir::Tool::Function(function) => Some(function),
        ir::Tool::Custom(_) | ir::Tool::Hosted(_) => None,
    });
    let (strict, loose): (Vec<_>, Vec<_>) = functions.partition(|function| function.strict == Some(true));
    if loose.is_empty() {
        return !strict.is_empty();
    }
    for function in strict {
        let what = "Gemini is strict with all functions or with none";
        cx.report_at(&codes::STRICT_NOT_ENFORCED, function.meta.place, ir::Setting::Strict, what);
    }
    false
}
