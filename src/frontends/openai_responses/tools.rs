//! Lowering tools and the choice among them.

use serde_json::Value;
use serde_json::value::RawValue;

use super::DIALECT;
use crate::context::Cx;
use crate::diagnostics::{Code, codes};
use crate::dialects::mcp;
use crate::dialects::openai_responses::{self as words, own_tools, own_tools::OwnTool};
use crate::error::Result;
use crate::ir;
use crate::json::{Str, StrOr, Unknown, wire};

wire! {
    struct Tag<'a> {
        "type" kind: Str<'a>,
        "function" function: &'a RawValue,
        "execution" execution: Str<'a>,
    }
    struct FunctionTool<'a> {
        "type" kind: Str<'a>,
        "name" name: Str<'a>,
        "description" description: Str<'a>,
        "parameters" parameters: &'a RawValue,
        "strict" strict: bool,
        "function" function: &'a RawValue,
    }
    struct CustomTool<'a> {
        "type" kind: Str<'a>,
        "name" name: Str<'a>,
        "description" description: Str<'a>,
        "format" format: &'a RawValue,
    }
    struct FormatRead<'a> {
        "type" kind: Str<'a>,
        "syntax" syntax: Str<'a>,
        "definition" definition: Str<'a>,
    }
    struct ShellTool<'a> {
        "type" kind: Str<'a>,
        "environment" environment: &'a RawValue,
    }
    struct SearchTool<'a> {
        "type" kind: Str<'a>,
        "execution" execution: Str<'a>,
        "description" description: Str<'a>,
        "parameters" parameters: &'a RawValue,
    }
    struct NamespaceTool<'a> {
        "type" kind: Str<'a>,
        "name" name: Str<'a>,
        "description" description: Str<'a>,
        "tools" tools: Vec<&'a RawValue>,
    }
    struct WebSearchTool<'a> {
        "type" kind: Str<'a>,
        "filters" filters: Filters<'a>,
        "search_context_size" context_size: Str<'a>,
        "user_location" location: UserLocation<'a>,
    }
    struct Filters<'a> {
        "allowed_domains" allowed: Vec<Str<'a>>,
        "blocked_domains" blocked: Vec<Str<'a>>,
    }
    struct UserLocation<'a> {
        "type" kind: Str<'a>,
        "city" city: Str<'a>,
        "region" region: Str<'a>,
        "country" country: Str<'a>,
        "timezone" timezone: Str<'a>,
    }
    struct Choice<'a> {
        "type" kind: Str<'a>,
        "name" name: Str<'a>,
        "mode" mode: Str<'a>,
        "tools" tools: Vec<Choice<'a>>,
        "function" function: &'a RawValue,
    }
    struct Named<'a> {
        "name" name: Str<'a>,
    }
}

/// Lowers the list `tools` of where we are.
pub(super) fn lower(cx: &mut Cx, list: &[&RawValue], out: &mut Vec<ir::Tool>) -> Result<()> {
    for (index, raw) in list.iter().enumerate() {
        cx.at_item("tools", index, |cx| tool(cx, raw, out))?;
    }
    Ok(())
}

fn tool(cx: &mut Cx, raw: &RawValue, out: &mut Vec<ir::Tool>) -> Result<()> {
    let tag: Tag<'_> = match cx.read_here(raw) {
        Ok(tag) => tag,
        // A hosted tool may have fields of these names and other types.
        Err(_) => Tag { kind: cx.read_here::<Kind<'_>>(raw)?.kind, ..Tag::default() },
    };
    let kind = match (&tag.kind, tag.function) {
        (Some(kind), _) => &**kind,
        (None, Some(_)) => "function",
        (None, None) => return Err(cx.invalid("type", "this field is required")),
    };
    match kind {
        "function" => out.push(function(cx, raw, None)?),
        "custom" => out.push(custom(cx, raw, None)?),
        "namespace" => namespace(cx, raw, out)?,
        "web_search" | "web_search_2025_08_26" | "web_search_preview" | "web_search_preview_2025_03_11" => {
            out.push(web_search(cx, kind, raw)?);
        }
        "code_interpreter" => {
            out.push(hosted(cx, kind, raw, ir::Ability::CodeExecution, &codes::BUILTIN_TOOL_UNSUPPORTED))
        }
        "local_shell" => out.push(own_tool(cx, raw, OwnTool::LocalShell)?),
        "apply_patch" => out.push(own_tool(cx, raw, OwnTool::ApplyPatch)?),
        "shell" => out.push(own_tool(cx, raw, OwnTool::Shell)?),
        "tool_search" if tag.execution.as_deref() == Some("client") => out.push(tool_search(cx, raw)?),
        "mcp" => {
            let server = mcp::of_openai(&cx.json(raw).value());
            let ability = server.map_or(ir::Ability::Other, |server| ir::Ability::Mcp(vec![server]));
            out.push(hosted(cx, kind, raw, ability, &codes::BUILTIN_TOOL_UNSUPPORTED));
        }
        // Tools that the provider would have loaded when they are searched for are all on offer elsewhere.
        "tool_search" => {
            out.push(hosted(cx, kind, raw, ir::Ability::Other, &codes::TOOL_OPTION_LOST));
        }
        _ => out.push(hosted(cx, kind, raw, ir::Ability::Other, &codes::BUILTIN_TOOL_UNSUPPORTED)),
    }
    Ok(())
}

wire! {
    struct Kind<'a> {
        "type" kind: Str<'a>,
    }
}

fn hosted(cx: &Cx, kind: &str, raw: &RawValue, ability: ir::Ability, loss: &'static Code) -> ir::Tool {
    let (value, meta) = (cx.json(raw), ir::Meta::at(cx.here()));
    ir::Tool::Hosted(ir::Hosted { dialect: DIALECT, kind: kind.into(), value, ability, loss, meta })
}

/// What the client runs is a function elsewhere, with the fields of its calls' actions. A shell in a container is the provider's.
fn own_tool(cx: &mut Cx, raw: &RawValue, own: OwnTool) -> Result<ir::Tool> {
    let tool: ShellTool<'_> = cx.read_here(raw)?;
    let environment: Value = match tool.environment {
        Some(environment) => cx.read("environment", environment)?,
        None => Value::Null,
    };
    if !own_tools::is_local(&environment) {
        return Ok(hosted(cx, own.name(), raw, ir::Ability::Other, &codes::BUILTIN_TOOL_UNSUPPORTED));
    }
    let description = own.description().to_owned() + &own_tools::skills(&environment);
    Ok(ir::Tool::Function(ir::Function {
        name: ir::Text::constant(own.name()),
        description: Some(description.into()),
        parameters: Some(own.parameters()),
        meta: own_meta(cx, raw, &tool.unknown),
        ..ir::Function::default()
    }))
}

/// A search that the client executes is a function elsewhere: what it finds is in no request before.
fn tool_search(cx: &mut Cx, raw: &RawValue) -> Result<ir::Tool> {
    let tool: SearchTool<'_> = cx.read_here(raw)?;
    Ok(ir::Tool::Function(ir::Function {
        name: ir::Text::constant(OwnTool::ToolSearch.name()),
        description: cx.optional_text(tool.description.as_ref()),
        parameters: cx.optional_json(tool.parameters).map(ir::Schema::json_schema),
        meta: own_meta(cx, raw, &tool.unknown),
        ..ir::Function::default()
    }))
}

fn own_meta(cx: &Cx, raw: &RawValue, unknown: &Unknown<'_>) -> ir::Meta {
    let mut meta = ir::Meta::at(cx.here());
    cx.keep(DIALECT, ir::Text::constant(own_tools::OWN_FORM), cx.json(raw), &codes::WIRE_FORM, &mut meta.extensions);
    keep(cx, unknown, &mut meta.extensions);
    meta
}

/// Keeps fields of a tool that the IR has no place for.
fn keep(cx: &Cx, unknown: &Unknown<'_>, out: &mut ir::Extensions) {
    for (name, raw) in unknown.iter() {
        let loss = match &**name {
            "defer_loading" | "output_schema" | "allowed_callers" | "async" => &codes::TOOL_OPTION_LOST,
            _ => &codes::UNKNOWN_FIELD,
        };
        cx.keep(DIALECT, ir::field_path("", name), cx.json(raw), loss, out);
    }
}

fn function(cx: &mut Cx, raw: &RawValue, namespace: Option<&ir::Text>) -> Result<ir::Tool> {
    let outer: FunctionTool<'_> = cx.read_here(raw)?;
    let mut meta = ir::Meta::at(cx.here());
    keep(cx, &outer.unknown, &mut meta.extensions);
    // Chat's nesting, which the API takes too; what it holds counts more.
    let inner = match outer.function {
        Some(raw) => {
            cx.keep(DIALECT, "function", cx.json(raw), &codes::WIRE_FORM, &mut meta.extensions);
            if let Some(name) = &outer.name {
                cx.keep(DIALECT, "name", ir::Json::of(&**name), &codes::WIRE_FORM, &mut meta.extensions);
            }
            cx.read::<FunctionTool<'_>>("function", raw)?
        }
        None => FunctionTool::default(),
    };
    let name = cx.required(inner.name.as_ref().or(outer.name.as_ref()), "name")?;
    let parameters = inner.parameters.or(outer.parameters);
    Ok(ir::Tool::Function(ir::Function {
        name: cx.text(name),
        namespace: namespace.cloned(),
        description: cx.optional_text(inner.description.as_ref().or(outer.description.as_ref())),
        parameters: cx.optional_json(parameters).map(ir::Schema::json_schema),
        strict: inner.strict.or(outer.strict),
        meta,
    }))
}

fn custom(cx: &mut Cx, raw: &RawValue, namespace: Option<&ir::Text>) -> Result<ir::Tool> {
    let tool: CustomTool<'_> = cx.read_here(raw)?;
    let mut meta = ir::Meta::at(cx.here());
    keep(cx, &tool.unknown, &mut meta.extensions);
    let mut grammar = None;
    if let Some(raw) = tool.format {
        let format: FormatRead<'_> = cx.read("format", raw)?;
        let is_plain = format.unknown.iter().next().is_none();
        match (format.kind.as_deref(), format.syntax, format.definition) {
            (Some("grammar"), Some(syntax), Some(definition)) if is_plain => {
                grammar = Some(ir::Grammar { syntax: cx.text(&syntax), definition: cx.text(&definition) });
            }
            (kind, ..) => {
                let is_text = kind.is_none_or(|kind| kind == "text");
                let loss = if is_text { &codes::WIRE_FORM } else { &codes::CUSTOM_TOOL_AS_FUNCTION };
                cx.keep(DIALECT, "format", cx.json(raw), loss, &mut meta.extensions);
            }
        }
    }
    Ok(ir::Tool::Custom(ir::Custom {
        name: cx.text(cx.required(tool.name.as_ref(), "name")?),
        namespace: namespace.cloned(),
        description: cx.optional_text(tool.description.as_ref()),
        grammar,
        meta,
    }))
}

/// The tools of a name space become tools of their own that know it.
fn namespace(cx: &mut Cx, raw: &RawValue, out: &mut Vec<ir::Tool>) -> Result<()> {
    let space: NamespaceTool<'_> = cx.read_here(raw)?;
    let name = cx.text(cx.required(space.name.as_ref(), "name")?);
    let list = space.tools.as_deref().unwrap_or_default();
    let mut tools = Vec::with_capacity(list.len());
    for (index, raw) in list.iter().enumerate() {
        let tool = cx.at_item("tools", index, |cx| {
            let tag: Kind<'_> = cx.read_here(raw)?;
            Ok(match tag.kind.as_deref() {
                Some("function") | None => Some(function(cx, raw, Some(&name))?),
                Some("custom") => Some(custom(cx, raw, Some(&name))?),
                Some(_) => None,
            })
        })?;
        tools.push(tool);
    }
    let tools: Option<Vec<ir::Tool>> = tools.into_iter().collect();
    // What is not of client's tools alone stays whole, and is for this dialect only.
    let Some(mut tools) = tools.filter(|tools| !tools.is_empty()) else {
        let loss = if list.is_empty() { &codes::WIRE_FORM } else { &codes::BUILTIN_TOOL_UNSUPPORTED };
        out.push(hosted(cx, "namespace", raw, ir::Ability::Other, loss));
        return Ok(());
    };
    if let Some(ir::Tool::Function(ir::Function { meta, .. }) | ir::Tool::Custom(ir::Custom { meta, .. })) =
        tools.first_mut()
    {
        words::mark(words::BEGINS, &mut meta.extensions);
        let mut keep = |field: &str, value: ir::Json, loss: &'static Code| {
            let name = ir::field_path(words::NAMESPACE, field);
            meta.extensions.push(DIALECT, ir::Extension { name, value, loss });
        };
        if let Some(description) = &space.description {
            keep("description", ir::Json::of(&**description), &codes::TOOL_OPTION_LOST);
        }
        for (field, raw) in space.unknown.iter() {
            keep(field, cx.json(raw), &codes::TOOL_OPTION_LOST);
        }
    }
    out.append(&mut tools);
    Ok(())
}

fn web_search(cx: &mut Cx, kind: &str, raw: &RawValue) -> Result<ir::Tool> {
    let tool: WebSearchTool<'_> = cx.read_here(raw)?;
    let domains = |cx: &Cx, list: Option<Vec<Str<'_>>>| list.iter().flatten().map(|domain| cx.text(domain)).collect();
    let filters = tool.filters.unwrap_or_default();
    let location = tool.location.map(|location| ir::Location {
        city: cx.optional_text(location.city.as_ref()),
        region: cx.optional_text(location.region.as_ref()),
        country: cx.optional_text(location.country.as_ref()),
        timezone: cx.optional_text(location.timezone.as_ref()),
    });
    let search = ir::WebSearch {
        allowed_domains: domains(cx, filters.allowed),
        blocked_domains: domains(cx, filters.blocked),
        location,
        max_uses: None,
        context_size: cx.optional_text(tool.context_size.as_ref()),
    };
    let mut meta = ir::Meta::at(cx.here());
    // The declaration holds them already; here they tell another backend what it leaves out.
    for (under, unknown) in [("", &tool.unknown), ("filters", &filters.unknown)] {
        for (name, raw) in unknown.iter() {
            let loss = &codes::BUILTIN_TOOL_OPTIONS_LOST;
            cx.keep(DIALECT, ir::field_path(under, name), cx.json(raw), loss, &mut meta.extensions);
        }
    }
    Ok(ir::Tool::Hosted(ir::Hosted {
        dialect: DIALECT,
        kind: kind.into(),
        value: cx.json(raw),
        ability: ir::Ability::WebSearch(search),
        loss: &codes::BUILTIN_TOOL_UNSUPPORTED,
        meta,
    }))
}

/// Lowers `tool_choice`; fields that only this dialect knows go to the request's extensions.
pub(super) fn choice(cx: &mut Cx, raw: &RawValue, extensions: &mut ir::Extensions) -> Result<Option<ir::ToolChoice>> {
    let choice = match cx.read("tool_choice", raw)? {
        StrOr::Str(word) => {
            let word: Str<'_> = word;
            return Ok(Some(match &*word {
                "auto" => ir::ToolChoice::Auto,
                "none" => ir::ToolChoice::None,
                "required" => ir::ToolChoice::Required,
                _ => {
                    let words = format!("unknown choice `{}`, expected auto, none, required or an object", &*word);
                    return Err(cx.invalid("tool_choice", words));
                }
            }));
        }
        StrOr::Other(object) => object,
    };
    let choice: Choice<'_> = choice;
    let hosted =
        choice.kind.as_ref().filter(|kind| !matches!(&***kind, "allowed_tools" | "function" | "custom" | "mcp"));
    let hosted = cx.optional_text(hosted);
    let opaque = || Ok(Some(ir::ToolChoice::Opaque { dialect: DIALECT, value: cx.json(raw), hosted: hosted.clone() }));
    if choice.unknown.iter().next().is_some() {
        return opaque();
    }
    let call_kind = |kind: Option<&Str<'_>>| match kind.map(|kind| &**kind) {
        Some("function") => Some(ir::CallKind::Function),
        Some("custom") => Some(ir::CallKind::Custom),
        _ => None,
    };
    if let Some(kind) = call_kind(choice.kind.as_ref()) {
        let nested = match choice.function {
            Some(raw) => cx.at("tool_choice", |cx| cx.read::<Named<'_>>("function", raw))?.name,
            None => None,
        };
        if let Some(raw) = choice.function {
            let name = "tool_choice.function";
            cx.keep(DIALECT, name, cx.json(raw), &codes::WIRE_FORM, extensions);
            if let Some(name) = &choice.name {
                cx.keep(DIALECT, "tool_choice.name", ir::Json::of(&**name), &codes::WIRE_FORM, extensions);
            }
        }
        let name = choice.name.as_ref().or(nested.as_ref());
        let name = cx.at("tool_choice", |cx| cx.required(name, "name").map(|name| cx.text(name)))?;
        return Ok(Some(ir::ToolChoice::Tool { name, kind }));
    }
    if choice.kind.as_deref() != Some("allowed_tools") {
        return opaque();
    }
    let named = |tool: &Choice<'_>| {
        let is_plain = tool.unknown.iter().next().is_none() && call_kind(tool.kind.as_ref()).is_some();
        tool.name.as_ref().filter(|_| is_plain).map(|name| cx.text(name))
    };
    let names: Option<Vec<ir::Text>> = choice.tools.iter().flatten().map(named).collect();
    match (names, choice.mode.as_deref()) {
        (Some(names), Some("required")) => Ok(Some(ir::ToolChoice::Allowed { required: true, names })),
        (Some(names), Some("auto")) => Ok(Some(ir::ToolChoice::Allowed { required: false, names })),
        _ => opaque(),
    }
}
