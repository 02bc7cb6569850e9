//! Lowers tools and the choice among them.

use serde_json::value::RawValue;

use super::blocks::cache_mark;
use super::request::keep;
use crate::context::Cx;
use crate::diagnostics::{Code, codes};
use crate::dialects::claude::{self, ID};
use crate::dialects::mcp;
use crate::error::Result;
use crate::ir;
use crate::json::{self, Integer, Str, wire};

wire! {
    struct Function<'a> {
        "type" kind: Str<'a>,
        "name" name: Str<'a>,
        "description" description: Str<'a>,
        "input_schema" schema: &'a RawValue,
        "strict" strict: bool,
        "cache_control" cache: &'a RawValue,
    }
    struct Search<'a> {
        "allowed_domains" allowed: Vec<Str<'a>>,
        "blocked_domains" blocked: Vec<Str<'a>>,
        "max_uses" max_uses: Integer,
        "user_location" location: Location<'a>,
    }
    struct Location<'a> {
        "city" city: Str<'a>,
        "region" region: Str<'a>,
        "country" country: Str<'a>,
        "timezone" timezone: Str<'a>,
    }
    struct Named<'a> {
        "name" name: Str<'a>,
    }
    struct Choice<'a> {
        "type" kind: Str<'a>,
        "name" name: Str<'a>,
        "disable_parallel_tool_use" disable_parallel: bool,
    }
}

/// A tool; where we are is its declaration.
pub(super) fn tool(cx: &mut Cx, raw: &RawValue) -> Result<ir::Tool> {
    match cx.kind(raw).as_deref() {
        None | Some("custom") => {}
        Some(kind) => return hosted(cx, raw, kind),
    }
    // Few clients say the type of a function.
    let wire: Function<'_> = cx.read_here(raw)?;
    match wire.kind.as_deref() {
        None | Some("custom") => function(cx, wire),
        Some(kind) => hosted(cx, raw, kind),
    }
}

fn function(cx: &mut Cx, wire: Function<'_>) -> Result<ir::Tool> {
    let name = cx.text(&cx.required(wire.name, "name")?);
    let parameters = match wire.schema.filter(|raw| raw.get() != "null") {
        Some(schema) if !schema.get().starts_with('{') => {
            return Err(cx.invalid("input_schema", "expected an object"));
        }
        schema => schema.map(|schema| ir::Schema::json_schema(cx.json(schema))),
    };
    let mut meta = ir::Meta::at(cx.here());
    keep(cx, &wire.unknown, "", option_loss, &mut meta.extensions);
    if let Some(kind) = &wire.kind {
        cx.keep(ID, "type", ir::Json::of(&**kind), &codes::WIRE_FORM, &mut meta.extensions);
    }
    cache_mark(cx, wire.cache, &mut meta)?;
    let description = cx.optional_text(wire.description.as_ref());
    Ok(ir::Tool::Function(ir::Function { name, namespace: None, description, parameters, strict: wire.strict, meta }))
}

fn option_loss(name: &str) -> &'static Code {
    match name {
        "input_examples" | "eager_input_streaming" | "defer_loading" | "allowed_callers" => &codes::TOOL_OPTION_LOST,
        _ => &codes::UNKNOWN_FIELD,
    }
}

fn hosted(cx: &mut Cx, raw: &RawValue, kind: &str) -> Result<ir::Tool> {
    let ability = match claude::undated(kind) {
        "web_search" => ir::Ability::WebSearch(web_search(cx, raw)?),
        "web_fetch" => ir::Ability::UrlContext,
        "code_execution" => ir::Ability::CodeExecution,
        _ => ir::Ability::Other,
    };
    let loss = match claude::undated(kind) {
        // Without the search all tools are loaded at once, which says the same at a higher price.
        "tool_search_tool_regex" | "tool_search_tool_bm25" => &codes::BUILTIN_TOOL_OPTIONS_LOST,
        _ => &codes::BUILTIN_TOOL_UNSUPPORTED,
    };
    let meta = ir::Meta::at(cx.here());
    Ok(ir::Tool::Hosted(ir::Hosted { dialect: ID, kind: kind.into(), value: cx.json(raw), ability, loss, meta }))
}

fn web_search(cx: &Cx, raw: &RawValue) -> Result<ir::WebSearch> {
    let wire: Search<'_> = cx.read_here(raw)?;
    let texts = |list: Option<Vec<Str<'_>>>| list.unwrap_or_default().iter().map(|text| cx.text(text)).collect();
    let location = wire.location.map(|location| ir::Location {
        city: cx.optional_text(location.city.as_ref()),
        region: cx.optional_text(location.region.as_ref()),
        country: cx.optional_text(location.country.as_ref()),
        timezone: cx.optional_text(location.timezone.as_ref()),
    });
    Ok(ir::WebSearch {
        allowed_domains: texts(wire.allowed),
        blocked_domains: texts(wire.blocked),
        location,
        max_uses: wire.max_uses.and_then(Integer::unsigned),
        context_size: None,
    })
}

/// The servers that tools of `request` offer. The field itself goes back to Claude as it came; elsewhere they say all that it does,
/// unless one of the servers is offered by none, as an older beta has it.
pub(super) fn mcp_servers(cx: &mut Cx, raw: &RawValue, request: &mut ir::Request) {
    let json = cx.json(raw);
    let servers = json.value();
    let mut offered = 0;
    for tool in &mut request.tools {
        if let ir::Tool::Hosted(tool) = tool
            && tool.kind == "mcp_toolset"
            && let Some(server) = mcp::of_claude(&servers, &tool.value.value())
        {
            tool.ability = ir::Ability::Mcp(vec![server]);
            offered += 1;
        }
    }
    let is_said = servers.as_array().is_some_and(|servers| servers.len() == offered);
    let loss = if is_said { &codes::WIRE_FORM } else { &codes::BUILTIN_TOOL_UNSUPPORTED };
    cx.keep(ID, "mcp_servers", json, loss, &mut request.extensions);
}

/// The choice among the tools of `request`, which are lowered already.
pub(super) fn choice(cx: &mut Cx, raw: &RawValue, request: &mut ir::Request) -> Result<()> {
    let wire: Choice<'_> = cx.read("tool_choice", raw)?;
    cx.at("tool_choice", |cx| {
        let kind = cx.required(wire.kind, "type")?;
        let choice = match &*kind {
            "auto" => ir::ToolChoice::Auto,
            "any" => ir::ToolChoice::Required,
            "none" => ir::ToolChoice::None,
            "tool" => {
                let name = cx.text(&cx.required(wire.name, "name")?);
                let hosted = request.tools.iter().find_map(|tool| match tool {
                    ir::Tool::Hosted(tool) if hosted_name(tool) == *name => Some(tool.kind.clone()),
                    ir::Tool::Hosted(_) | ir::Tool::Function(_) | ir::Tool::Custom(_) => None,
                });
                match hosted {
                    Some(_) => ir::ToolChoice::Opaque { dialect: ID, value: cx.json(raw), hosted },
                    None => ir::ToolChoice::Tool { name, kind: ir::CallKind::Function },
                }
            }
            other => {
                let what = format!("unknown choice `{other}`, expected `auto`, `any`, `tool` or `none`");
                return Err(cx.invalid("type", what));
            }
        };
        request.tool_choice = Some(choice);
        request.parallel_tool_calls = wire.disable_parallel.map(|disable| !disable);
        keep(cx, &wire.unknown, "tool_choice", |_| &codes::UNKNOWN_FIELD, &mut request.extensions);
        Ok(())
    })
}

fn hosted_name(tool: &ir::Hosted) -> String {
    let wire: Option<Named<'_>> = json::read(tool.value.as_str()).ok();
    wire.and_then(|wire| wire.name).map(|name| name.into_owned()).unwrap_or_default()
}
