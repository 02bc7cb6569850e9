//! Lowering `input`: items become messages. Neighbouring items of the model (reasoning, message, calls, what hosted tools
//! did) are one assistant message, neighbouring results one user message, the operator's leading words instructions.

use std::collections::HashMap;

use serde_json::Value;
use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::content;
use super::slots::{self, Owner};
use super::{DIALECT, GATEWAY, compaction, tools};
use crate::context::Cx;
use crate::diagnostics::{Code, codes};
use crate::dialects::hosted::{self, keep_untold};
use crate::dialects::openai_responses::{self as words, own_tools, own_tools::OwnTool};
use crate::error::Result;
use crate::ir;
use crate::json::{Str, StrOr, Unknown, wire};

wire! {
    struct Tag<'a> {
        "id" id: &'a RawValue,
        "type" kind: Str<'a>,
        "role" role: Str<'a>,
    }
    struct MessageItem<'a> {
        "type" kind: Str<'a>,
        "role" role: Str<'a>,
        "content" content: StrOr<'a, Vec<&'a RawValue>>,
        "id" id: Str<'a>,
        "status" status: Str<'a>,
        "phase" phase: Str<'a>,
    }
    struct CallItem<'a> {
        "type" kind: Str<'a>,
        "id" id: Str<'a>,
        "call_id" call_id: Str<'a>,
        "name" name: Str<'a>,
        "namespace" namespace: Str<'a>,
        "arguments" arguments: Str<'a>,
        "input" input: Str<'a>,
        "status" status: Str<'a>,
    }
    struct OutputItem<'a> {
        "type" kind: Str<'a>,
        "id" id: Str<'a>,
        "call_id" call_id: Str<'a>,
        "name" name: Str<'a>,
        "namespace" namespace: Str<'a>,
        "output" output: StrOr<'a, Vec<&'a RawValue>>,
        "status" status: Str<'a>,
    }
    struct RunCallItem<'a> {
        "type" kind: Str<'a>,
        "id" id: Str<'a>,
        "call_id" call_id: Str<'a>,
        "action" action: &'a RawValue,
        "operation" operation: &'a RawValue,
        "environment" environment: &'a RawValue,
        "status" status: Str<'a>,
    }
    struct RunOutputItem<'a> {
        "type" kind: Str<'a>,
        "id" id: Str<'a>,
        "call_id" call_id: Str<'a>,
        "output" output: StrOr<'a, Vec<&'a RawValue>>,
        "status" status: Str<'a>,
    }
    struct SearchCallItem<'a> {
        "type" kind: Str<'a>,
        "id" id: Str<'a>,
        "call_id" call_id: Str<'a>,
        "execution" execution: Str<'a>,
        "arguments" arguments: &'a RawValue,
        "status" status: Str<'a>,
    }
    struct ReasoningItem<'a> {
        "type" kind: Str<'a>,
        "id" id: Str<'a>,
        "summary" summary: Vec<ReasoningText<'a>>,
        "content" content: Vec<ReasoningText<'a>>,
        "encrypted_content" encrypted: Str<'a>,
        "status" status: Str<'a>,
    }
    struct ReasoningText<'a> {
        "type" kind: Str<'a>,
        "text" text: Str<'a>,
    }
    struct ImageItem<'a> {
        "type" kind: Str<'a>,
        "id" id: Str<'a>,
        "result" result: Str<'a>,
        "output_format" format: Str<'a>,
        "status" status: Str<'a>,
    }
    struct CompactionItem<'a> {
        "encrypted_content" encrypted: Str<'a>,
    }
    struct ToolsItem<'a> {
        "type" kind: Str<'a>,
        "call_id" call_id: Str<'a>,
        "execution" execution: Str<'a>,
        "tools" tools: Vec<&'a RawValue>,
    }
}

/// What `input` holds.
#[derive(Default)]
pub(super) struct Input {
    pub(super) instructions: Vec<ir::Instruction>,
    pub(super) messages: Vec<ir::Message>,
    /// Tools that stand in items.
    pub(super) tools: Vec<ir::Tool>,
    /// The conversation is to be summed up ([`compaction`]).
    pub(super) sums_up: bool,
    /// The leading `additional_tools` items, each with its index.
    leading_tools: Vec<(usize, ir::Json)>,
    /// Something that is no instruction has come.
    begun: bool,
    /// The last message takes more results.
    takes_results: bool,
    calls: HashMap<ir::Text, ir::Text>,
    /// Seals of calls, which may stand before their call.
    seals: Vec<(ir::Text, ir::Sealed, ir::Place)>,
}

/// What becomes of the fields of an item that the IR has no place for.
fn loss_of(name: &str) -> &'static Code {
    match name {
        "caller" | "async" => &codes::TOOL_OPTION_LOST,
        "internal_chat_message_metadata_passthrough" => &codes::METADATA_LOST,
        // How much a shell's output may hold was said by its call.
        "status" | "id" | "max_output_length" => &codes::WIRE_FORM,
        "phase" => &codes::OPTION_LOST,
        _ => &codes::UNKNOWN_FIELD,
    }
}

/// Keeps fields of an item; `under` is empty, or where they are kept on the item's first part.
fn keep(cx: &Cx, under: &str, unknown: &Unknown<'_>, known: &[(&str, &Option<Str<'_>>)], out: &mut ir::Extensions) {
    let mut push = |name: &str, value: ir::Json| {
        cx.keep(DIALECT, ir::field_path(under, name), value, loss_of(name), out);
    };
    for (name, value) in known {
        if let Some(value) = value {
            push(name, ir::Json::of(&**value));
        }
    }
    for (name, raw) in unknown.iter() {
        push(name, cx.json(raw));
    }
}

/// Keeps the whole of what is one of the dialect's own forms, for an upstream of the dialect.
fn own_form(cx: &Cx, raw: &RawValue, meta: &mut ir::Meta) {
    let name = ir::Text::constant(own_tools::OWN_FORM);
    cx.keep(DIALECT, name, cx.json(raw), &codes::WIRE_FORM, &mut meta.extensions);
}

/// A part that is nothing but words.
fn words_part(text: ir::Text) -> ir::Part {
    ir::Part::Text(ir::TextPart { text, ..ir::TextPart::default() })
}

fn item_id(cx: &Cx, id: Option<&Str<'_>>, phase: Option<&Str<'_>>) -> Option<Box<ir::Item>> {
    let item = ir::Item { id: cx.optional_text(id), phase: cx.optional_text(phase) };
    (item != ir::Item::default()).then(|| Box::new(item))
}

impl Input {
    /// Lowers `input`, whose first `kept_items` come from the gateway's memory.
    pub(super) fn lower(cx: &mut Cx, input: &StrOr<'_, Vec<&RawValue>>, kept_items: usize) -> Result<Self> {
        let mut out = Self::default();
        match input {
            StrOr::Str(text) => {
                let parts = content::parts(cx, "input", &StrOr::Str(text.clone()))?;
                let place = cx.here();
                if !parts.is_empty() {
                    out.push(ir::Role::User, parts, ir::Extensions::default(), place);
                }
            }
            StrOr::Other(items) => {
                for (index, raw) in items.iter().enumerate() {
                    // What the client did not send is not to be found in its `input`.
                    match index.checked_sub(kept_items) {
                        Some(own) => cx.at_item("input", own, |cx| out.item(cx, index, raw))?,
                        None => cx.at_item("previous_response_id", index, |cx| out.item(cx, index, raw))?,
                    }
                }
            }
        }
        out.apply_seals(cx);
        Ok(out)
    }

    /// What a request keeps of the leading tools.
    pub(super) fn keep_leading_tools(&self, extensions: &mut ir::Extensions) {
        if !self.leading_tools.is_empty() {
            let value = ir::Json::of(&self.leading_tools);
            let name = ir::Text::constant(words::LEADING_TOOLS);
            extensions.push(DIALECT, ir::Extension { name, value, loss: &codes::WIRE_FORM });
        }
    }

    fn item(&mut self, cx: &mut Cx, index: usize, raw: &RawValue) -> Result<()> {
        let tag: Tag<'_> = match cx.kind(raw) {
            None => cx.read_here(raw)?,
            kind => Tag { kind, ..Tag::default() },
        };
        let kind = match (&tag.kind, &tag.role) {
            (Some(kind), _) => &**kind,
            (None, Some(_)) => "message",
            // The type of a reference may be left out.
            (None, None) if tag.id.is_some() => "item_reference",
            (None, None) => return Err(cx.invalid("type", "this field is required, or `role` for a message")),
        };
        if !matches!(kind, "message" | "additional_tools") {
            self.begun = true;
        }
        match kind {
            "message" => self.message(cx, raw, cx.read_here(raw)?),
            "function_call" => self.call(cx, ir::CallKind::Function, cx.read_here(raw)?),
            "custom_tool_call" => self.call(cx, ir::CallKind::Custom, cx.read_here(raw)?),
            "function_call_output" => self.output(cx, ir::CallKind::Function, cx.read_here(raw)?),
            "custom_tool_call_output" => self.output(cx, ir::CallKind::Custom, cx.read_here(raw)?),
            "reasoning" => self.reasoning(cx, raw, &cx.read_here(raw)?),
            "image_generation_call" => self.image(cx, raw, cx.read_here(raw)?),
            "additional_tools" => {
                let item: ToolsItem<'_> = cx.read_here(raw)?;
                self.lift(cx, &item)?;
                if self.begun {
                    self.opaque(cx, ir::Role::Developer, kind, raw, &codes::WIRE_FORM);
                } else {
                    self.leading_tools.push((index, cx.json(raw)));
                }
                Ok(())
            }
            "tool_search_output" => {
                let item: ToolsItem<'_> = cx.read_here(raw)?;
                let before = self.tools.len();
                self.lift(cx, &item)?;
                if item.execution.as_deref() == Some("client")
                    && let Some(id) = &item.call_id
                {
                    let found = own_tools::found(self.tools.get(before..).unwrap_or_default());
                    self.found(cx, raw, id, found);
                    return Ok(());
                }
                self.opaque(cx, ir::Role::Assistant, kind, raw, &codes::HOSTED_TRACE_LOST);
                Ok(())
            }
            "local_shell_call" => self.run_call(cx, raw, OwnTool::LocalShell, &cx.read_here(raw)?),
            "shell_call" => self.run_call(cx, raw, OwnTool::Shell, &cx.read_here(raw)?),
            "apply_patch_call" => self.run_call(cx, raw, OwnTool::ApplyPatch, &cx.read_here(raw)?),
            "local_shell_call_output" => self.run_output(cx, raw, OwnTool::LocalShell, &cx.read_here(raw)?),
            "shell_call_output" => self.run_output(cx, raw, OwnTool::Shell, &cx.read_here(raw)?),
            "apply_patch_call_output" => self.run_output(cx, raw, OwnTool::ApplyPatch, &cx.read_here(raw)?),
            "tool_search_call" => self.search_call(cx, raw, &cx.read_here(raw)?),
            "compaction_trigger" => {
                self.sums_up = true;
                let words = Some(ir::Text::constant(compaction::PROMPT));
                self.told(cx, ir::Role::User, kind, raw, words, &codes::COMPACTION_EMULATED);
                Ok(())
            }
            "compaction" | "compaction_summary" | "context_compaction" => {
                let item: CompactionItem<'_> = cx.read_here(raw)?;
                match compaction::open(cx, item.encrypted.as_ref())? {
                    Some(summary) => {
                        let place = cx.here();
                        self.push(ir::Role::User, vec![words_part(summary)], ir::Extensions::default(), place);
                    }
                    None => self.opaque(cx, ir::Role::Assistant, kind, raw, &codes::SERVER_STATE_UNSUPPORTED),
                }
                Ok(())
            }
            _ => {
                let (role, loss) = hosted(kind);
                if matches!(kind, "web_search_call" | "code_interpreter_call") {
                    return self.trace(cx, kind, raw, role, loss);
                }
                self.opaque(cx, role, kind, raw, loss);
                Ok(())
            }
        }
    }

    /// Tools inside an item are tools of the request.
    fn lift(&mut self, cx: &mut Cx, item: &ToolsItem<'_>) -> Result<()> {
        let before = self.tools.len();
        tools::lower(cx, item.tools.as_deref().unwrap_or_default(), &mut self.tools)?;
        for tool in self.tools.iter_mut().skip(before) {
            let meta = match tool {
                ir::Tool::Function(tool) => &mut tool.meta,
                ir::Tool::Custom(tool) => &mut tool.meta,
                ir::Tool::Hosted(tool) => &mut tool.meta,
            };
            words::mark(words::LIFTED, &mut meta.extensions);
        }
        Ok(())
    }

    fn message(&mut self, cx: &mut Cx, raw: &RawValue, item: MessageItem<'_>) -> Result<()> {
        let role = match &**cx.required(item.role.as_ref(), "role")? {
            "user" => ir::Role::User,
            "assistant" => ir::Role::Assistant,
            "system" => ir::Role::System,
            "developer" => ir::Role::Developer,
            other => {
                let words = format!("unknown role `{other}`, expected user, assistant, system or developer");
                return Err(cx.invalid("role", words));
            }
        };
        let content = cx.required(item.content.as_ref(), "content")?;
        let mut parts = content::parts(cx, "content", content)?;
        if parts.is_empty() {
            // A message without words is kept for its own dialect alone.
            self.begun = true;
            self.opaque(cx, role, "message", raw, &codes::WIRE_FORM);
            return Ok(());
        }
        let is_instruction = !self.begun
            && matches!(role, ir::Role::System | ir::Role::Developer)
            && parts.iter().all(|part| matches!(part, ir::Part::Text(_)));
        self.begun |= !is_instruction;
        if !is_instruction && role != ir::Role::Assistant {
            let mut extensions = ir::Extensions::default();
            let known = [("id", &item.id), ("status", &item.status), ("phase", &item.phase)];
            keep(cx, "", &item.unknown, &known, &mut extensions);
            let place = cx.here();
            self.push(role, parts, extensions, place);
            return Ok(());
        }
        let id = item_id(cx, item.id.as_ref(), item.phase.as_ref());
        for part in &mut parts {
            part.meta_mut().item.clone_from(&id);
        }
        if let Some(first) = parts.first_mut() {
            let extensions = &mut first.meta_mut().extensions;
            // The phase stands in the item too; here it tells another backend what it leaves out.
            let known = [("status", &item.status), ("phase", &item.phase)];
            keep(cx, words::ITEM, &item.unknown, &known, extensions);
        }
        if is_instruction {
            self.instructions(role, parts);
            return Ok(());
        }
        // Texts without an id between them would be taken for one item.
        let before = self.open_assistant().and_then(|open| open.parts.last());
        if let Some(first) =
            parts.first_mut().filter(|first| before.is_some_and(|before| words::is_same_item(before, first)))
        {
            words::mark(words::BEGINS, &mut first.meta_mut().extensions);
        }
        for part in parts {
            self.push_assistant(cx, part);
        }
        Ok(())
    }

    fn instructions(&mut self, role: ir::Role, parts: Vec<ir::Part>) {
        for (index, part) in parts.into_iter().enumerate() {
            if let ir::Part::Text(ir::TextPart { text, mut meta, .. }) = part {
                let mark = if index == 0 { words::BEGINS } else { words::JOINED };
                words::mark(mark, &mut meta.extensions);
                self.instructions.push(ir::Instruction { role, text, meta });
            }
        }
    }

    fn call(&mut self, cx: &mut Cx, kind: ir::CallKind, item: CallItem<'_>) -> Result<()> {
        let id = cx.text(cx.required(item.call_id.as_ref(), "call_id")?);
        let name = cx.text(cx.required(item.name.as_ref(), "name")?);
        let mut meta = ir::Meta::at(cx.here());
        meta.item = item_id(cx, item.id.as_ref(), None);
        let (arguments, other) = match kind {
            ir::CallKind::Function => (&item.arguments, ("input", &item.input)),
            ir::CallKind::Custom => (&item.input, ("arguments", &item.arguments)),
        };
        keep(cx, "", &item.unknown, &[("status", &item.status), other], &mut meta.extensions);
        self.calls.insert(id.clone(), name.clone());
        let arguments = cx.optional_text(arguments.as_ref()).unwrap_or_default();
        let namespace = cx.optional_text(item.namespace.as_ref());
        self.push_assistant(cx, ir::Part::ToolCall(ir::ToolCall { id, name, namespace, kind, arguments, meta }));
        Ok(())
    }

    fn output(&mut self, cx: &mut Cx, kind: ir::CallKind, item: OutputItem<'_>) -> Result<()> {
        let call_id = cx.text(cx.required(item.call_id.as_ref(), "call_id")?);
        let output = cx.required(item.output.as_ref(), "output")?;
        let content = content::parts(cx, "output", output)?;
        let mut meta = ir::Meta::at(cx.here());
        if matches!(output, StrOr::Other(_)) {
            words::mark(words::LISTED, &mut meta.extensions);
        }
        keep(cx, "", &item.unknown, &[("id", &item.id), ("status", &item.status)], &mut meta.extensions);
        for (name, value) in [("name", &item.name), ("namespace", &item.namespace)] {
            if let Some(value) = value {
                let value = ir::Json::of(&**value);
                cx.keep(DIALECT, name, value, &codes::WIRE_FORM, &mut meta.extensions);
            }
        }
        let name = cx.optional_text(item.name.as_ref()).or_else(|| self.calls.get(&call_id).cloned());
        let result = ir::ToolResult { call_id, name, kind, content, error: false, meta };
        self.push_result(cx, ir::Part::ToolResult(result));
        Ok(())
    }

    /// A call of one of the dialect's own tools: a function's elsewhere.
    fn own_call(
        &mut self,
        cx: &Cx,
        raw: &RawValue,
        tool: OwnTool,
        id: ir::Text,
        arguments: ir::Text,
        mut meta: ir::Meta,
    ) {
        own_form(cx, raw, &mut meta);
        let name = ir::Text::constant(tool.name());
        self.calls.insert(id.clone(), name.clone());
        let kind = ir::CallKind::Function;
        self.push_assistant(cx, ir::Part::ToolCall(ir::ToolCall { id, name, namespace: None, kind, arguments, meta }));
    }

    /// A call of a shell or a patch.
    fn run_call(&mut self, cx: &mut Cx, raw: &RawValue, tool: OwnTool, item: &RunCallItem<'_>) -> Result<()> {
        let environment: Option<Value> = item.environment.map(|raw| cx.read("environment", raw)).transpose()?;
        if environment.as_ref().is_some_and(|environment| !own_tools::is_local(environment)) {
            // What ran in a container is the provider's own doing.
            self.opaque(cx, ir::Role::Assistant, tool.call_type(), raw, &codes::BUILTIN_TOOL_UNSUPPORTED);
            return Ok(());
        }
        let id = cx.text(cx.required(item.call_id.as_ref().or(item.id.as_ref()), "call_id")?);
        let (name, action) = match tool {
            OwnTool::ApplyPatch => ("operation", item.operation),
            OwnTool::LocalShell | OwnTool::Shell | OwnTool::ToolSearch => ("action", item.action),
        };
        let action: Value = cx.read(name, cx.required(action, name)?)?;
        let mut meta = ir::Meta::at(cx.here());
        meta.item = item_id(cx, item.id.as_ref(), None);
        keep(cx, "", &item.unknown, &[("status", &item.status)], &mut meta.extensions);
        if let Some(skills) = environment.as_ref().and_then(|environment| environment.get("skills")) {
            // The declaration tells them.
            let (name, loss) = ("environment.skills", &codes::TOOL_OPTION_LOST);
            cx.keep(DIALECT, name, ir::Json::of(skills), loss, &mut meta.extensions);
        }
        self.own_call(cx, raw, tool, id, tool.arguments(&action), meta);
        Ok(())
    }

    /// What a shell or a patch came to. The vendor names the local shell's call by the output's own `id`; others have a
    /// `call_id`, as every output has.
    fn run_output(&mut self, cx: &mut Cx, raw: &RawValue, tool: OwnTool, item: &RunOutputItem<'_>) -> Result<()> {
        let id = item.id.as_ref().filter(|_| tool == OwnTool::LocalShell);
        let said = cx.text(cx.required(item.call_id.as_ref().or(id), "call_id")?);
        let call_id = if self.calls.contains_key(&said) { said } else { self.call_of_item(&said).unwrap_or(said) };
        if tool == OwnTool::Shell && !self.calls.contains_key(&call_id) {
            // The call ran in a container, or the provider keeps it.
            self.opaque(cx, ir::Role::User, "shell_call_output", raw, &codes::BUILTIN_TOOL_UNSUPPORTED);
            return Ok(());
        }
        let content = match (&item.output, tool) {
            // What each command wrote and how it ended, as the client tells it.
            (Some(StrOr::Other(list)), OwnTool::Shell) => vec![words_part(ir::Json::of(list).text().clone())],
            (None, OwnTool::ApplyPatch) => vec![words_part(cx.text(cx.required(item.status.as_ref(), "status")?))],
            (output, _) => content::parts(cx, "output", cx.required(output.as_ref(), "output")?)?,
        };
        let mut meta = ir::Meta::at(cx.here());
        keep(cx, "", &item.unknown, &[("status", &item.status)], &mut meta.extensions);
        let error = tool == OwnTool::ApplyPatch && item.status.as_deref() == Some("failed");
        let kind = ir::CallKind::Function;
        self.own_result(cx, raw, tool, ir::ToolResult { call_id, name: None, kind, content, error, meta });
        Ok(())
    }

    /// The id of the last call whose item is called `id`.
    fn call_of_item(&self, id: &ir::Text) -> Option<ir::Text> {
        let is_it = |call: &&ir::ToolCall| call.meta.item.as_ref().is_some_and(|item| item.id.as_ref() == Some(id));
        self.messages.iter().rev().flat_map(|message| &message.parts).find_map(|part| match part {
            ir::Part::ToolCall(call) => Some(call).filter(is_it).map(|call| call.id.clone()),
            _ => None,
        })
    }

    /// A search that the client executes; the provider's own is a trace.
    fn search_call(&mut self, cx: &mut Cx, raw: &RawValue, item: &SearchCallItem<'_>) -> Result<()> {
        let (Some("client"), Some(id)) = (item.execution.as_deref(), &item.call_id) else {
            self.opaque(cx, ir::Role::Assistant, "tool_search_call", raw, &codes::HOSTED_TRACE_LOST);
            return Ok(());
        };
        let mut meta = ir::Meta::at(cx.here());
        meta.item = item_id(cx, item.id.as_ref(), None);
        keep(cx, "", &item.unknown, &[("status", &item.status)], &mut meta.extensions);
        let arguments = match item.arguments.map(|raw| cx.json(raw)) {
            Some(json) => json.value().as_str().map_or_else(|| json.text().clone(), ir::Text::from),
            None => ir::Text::default(),
        };
        let id = cx.text(id);
        self.own_call(cx, raw, OwnTool::ToolSearch, id, arguments, meta);
        Ok(())
    }

    /// What a search that the client executed brought.
    fn found(&mut self, cx: &Cx, raw: &RawValue, id: &Str<'_>, found: ir::Text) {
        let (call_id, content, meta) = (cx.text(id), vec![words_part(found)], ir::Meta::at(cx.here()));
        let kind = ir::CallKind::Function;
        let result = ir::ToolResult { call_id, name: None, kind, content, error: false, meta };
        self.own_result(cx, raw, OwnTool::ToolSearch, result);
    }

    /// A result of one of the dialect's own tools.
    fn own_result(&mut self, cx: &Cx, raw: &RawValue, tool: OwnTool, mut result: ir::ToolResult) {
        own_form(cx, raw, &mut result.meta);
        result.name = Some(ir::Text::constant(tool.name()));
        self.push_result(cx, ir::Part::ToolResult(result));
    }

    fn reasoning(&mut self, cx: &mut Cx, raw: &RawValue, item: &ReasoningItem<'_>) -> Result<()> {
        let seal = match item.encrypted.as_ref().filter(|slot| !slot.is_empty()) {
            None => None,
            Some(slot) => match slots::open(&cx.text(slot)) {
                Some((seal, Owner::Reasoning)) => Some(seal),
                Some((seal, owner)) => {
                    self.seal_other(cx, seal, owner);
                    return Ok(());
                }
                None => {
                    let what = "an envelope that cannot be opened";
                    cx.report_here(&codes::REASONING_STATE_FOREIGN, "encrypted_content", what);
                    None
                }
            },
        };
        let texts = |list: &Option<Vec<ReasoningText<'_>>>, form: ir::ReasoningForm| {
            let texts = list.iter().flatten().filter_map(|text| text.text.as_ref()).map(|text| (form, cx.text(text)));
            texts.collect::<Vec<_>>()
        };
        let mut all = texts(&item.summary, ir::ReasoningForm::Summary);
        all.extend(texts(&item.content, ir::ReasoningForm::Raw));
        if all.is_empty() {
            all.push((ir::ReasoningForm::Summary, ir::Text::default()));
        }
        let is_odd = |list: &Option<Vec<ReasoningText<'_>>>, kind: &str| {
            list.iter().flatten().any(|text| text.kind.as_deref() != Some(kind) || text.text.is_none())
        };
        if is_odd(&item.summary, "summary_text") || is_odd(&item.content, "reasoning_text") {
            self.opaque(cx, ir::Role::Assistant, "reasoning", raw, &codes::REASONING_DROPPED);
            return Ok(());
        }
        // An id that the gateway made up is no name by which any server knows the item.
        let id = item.id.as_ref().filter(|id| !id.starts_with(words::MADE_UP_REASONING));
        let last = all.len() - 1;
        let mut seal = seal.map(Box::new);
        for (index, (form, text)) in all.into_iter().enumerate() {
            let mut meta = ir::Meta::at(cx.here());
            meta.item = item_id(cx, id, None);
            if index == 0 {
                keep(cx, "", &item.unknown, &[("status", &item.status)], &mut meta.extensions);
            } else if id.is_none() {
                words::mark(words::JOINED, &mut meta.extensions);
            }
            if index == last {
                meta.seal = seal.take();
            }
            self.push_assistant(cx, ir::Part::Reasoning(ir::Reasoning { text, form, meta }));
        }
        Ok(())
    }

    /// A seal that stands behind the item it belongs to.
    fn seal_other(&mut self, cx: &mut Cx, seal: ir::Sealed, owner: Owner) {
        match owner {
            Owner::Reasoning => {}
            Owner::Part => {
                if let Some(mut part) = hosted::carried(&seal) {
                    part.meta.place = cx.here();
                    self.push_assistant(cx, ir::Part::Opaque(part));
                }
            }
            Owner::Call(id) => self.seals.push((id, seal, cx.here())),
            Owner::Text | Owner::Empty => {
                let before = self.open_assistant().and_then(|message| message.parts.last_mut());
                match before {
                    Some(ir::Part::Text(text)) if owner == Owner::Text && text.meta.seal.is_none() => {
                        text.meta.seal = Some(Box::new(seal));
                    }
                    _ => {
                        let mut meta = ir::Meta::at(cx.here());
                        meta.seal = Some(Box::new(seal));
                        self.push_assistant(cx, ir::Part::Text(ir::TextPart { meta, ..ir::TextPart::default() }));
                    }
                }
            }
        }
    }

    fn apply_seals(&mut self, cx: &mut Cx) {
        for (id, seal, place) in std::mem::take(&mut self.seals) {
            let mut parts = self.messages.iter_mut().rev().flat_map(|message| &mut message.parts);
            let call = parts.find_map(|part| match part {
                ir::Part::ToolCall(call) if call.id == id => Some(call),
                _ => None,
            });
            match call {
                Some(call) => call.meta.seal = Some(Box::new(seal)),
                None => {
                    let what = format!("the call {id:?}, which this belongs to, is gone");
                    cx.report(&codes::REASONING_STATE_FOREIGN, place, "encrypted_content", what);
                }
            }
        }
    }

    /// A picture that the model made.
    fn image(&mut self, cx: &mut Cx, raw: &RawValue, item: ImageItem<'_>) -> Result<()> {
        let Some(result) = item.result.as_ref().filter(|result| !result.is_empty()) else {
            self.opaque(cx, ir::Role::Assistant, "image_generation_call", raw, &codes::SERVER_STATE_UNSUPPORTED);
            return Ok(());
        };
        let mut meta = ir::Meta::at(cx.here());
        meta.item = Some(Box::new(ir::Item { id: cx.optional_text(item.id.as_ref()), phase: None }));
        let mime = format!("image/{}", item.format.as_deref().unwrap_or("png")).into();
        for (name, value) in [("status", &item.status), ("output_format", &item.format)] {
            if let Some(value) = value {
                cx.keep(DIALECT, name, ir::Json::of(&**value), &codes::WIRE_FORM, &mut meta.extensions);
            }
        }
        for (name, value) in item.unknown.iter() {
            let name = ir::field_path("", name);
            cx.keep(DIALECT, name, cx.json(value), &codes::OPTION_LOST, &mut meta.extensions);
        }
        let source = ir::MediaSource::Inline(cx.text(result));
        let media = ir::Media { kind: ir::MediaKind::Image, source, mime: Some(mime), name: None, detail: None, meta };
        self.push_assistant(cx, ir::Part::Media(media));
        Ok(())
    }

    fn opaque(&mut self, cx: &Cx, role: ir::Role, kind: &str, raw: &RawValue, loss: &'static Code) {
        self.told(cx, role, kind, raw, None, loss);
    }

    /// What only this dialect understands, and what it says in words.
    fn told(
        &mut self,
        cx: &Cx,
        role: ir::Role,
        kind: &str,
        raw: &RawValue,
        words: Option<ir::Text>,
        loss: &'static Code,
    ) {
        let (value, meta) = (cx.json(raw), ir::Meta::at(cx.here()));
        let part = ir::Opaque { dialect: DIALECT, kind: kind.into(), value, words, trace: None, loss, meta };
        self.push_opaque(cx, role, part);
    }

    /// What a hosted tool did. Code and its output can be told in words. What the gateway told of another dialect's tools is
    /// no server's item: an upstream of this dialect would not know it.
    fn trace(&mut self, cx: &Cx, kind: &str, raw: &RawValue, role: ir::Role, loss: &'static Code) -> Result<()> {
        let tag: Tag<'_> = cx.read_here(raw)?;
        let id = tag.id.map_or("", RawValue::get).trim_start_matches('"');
        let is_made_up = id.starts_with(words::MADE_UP_SEARCH) || id.starts_with(words::MADE_UP_CODE);
        let trace = words::trace(kind, raw);
        // The item shows what its own dialect's words, which the client kept too, say whole.
        let is_same = |part: &ir::Part| match (part, &trace) {
            (ir::Part::Opaque(ir::Opaque { trace: Some(own), .. }), Some(trace)) => own.is_same_doing(trace),
            _ => false,
        };
        if is_made_up && self.open_assistant().is_some_and(|message| message.parts.iter().any(is_same)) {
            return Ok(());
        }
        let words = trace.as_ref().and_then(ir::Trace::words);
        let loss = if words.is_some() { &codes::CONTENT_AS_TEXT } else { loss };
        let dialect = if is_made_up { GATEWAY } else { DIALECT };
        let (value, mut meta) = (cx.json(raw), ir::Meta::at(cx.here()));
        if trace.is_some() && !is_made_up {
            keep_untold(DIALECT, &value.value(), &mut meta.extensions);
        }
        let part = ir::Opaque { dialect, kind: kind.into(), value, words, trace, loss, meta };
        self.push_opaque(cx, role, part);
        Ok(())
    }

    fn push_opaque(&mut self, cx: &Cx, role: ir::Role, part: ir::Opaque) {
        let is_message = part.kind == "message";
        let part = ir::Part::Opaque(part);
        match role {
            ir::Role::Assistant => self.push_assistant(cx, part),
            ir::Role::User if !is_message => self.push_result(cx, part),
            role => self.push(role, vec![part], ir::Extensions::default(), cx.here()),
        }
    }

    fn push(&mut self, role: ir::Role, parts: Vec<ir::Part>, extensions: ir::Extensions, place: ir::Place) {
        self.takes_results = false;
        self.messages.push(ir::Message { place, role, name: None, parts: SmallVec::from_vec(parts), extensions });
    }

    fn open_assistant(&mut self) -> Option<&mut ir::Message> {
        self.messages.last_mut().filter(|message| message.role == ir::Role::Assistant)
    }

    fn push_assistant(&mut self, cx: &Cx, part: ir::Part) {
        match self.open_assistant() {
            Some(message) => message.parts.push(part),
            None => self.push(ir::Role::Assistant, vec![part], ir::Extensions::default(), cx.here()),
        }
    }

    fn push_result(&mut self, cx: &Cx, part: ir::Part) {
        match self.messages.last_mut().filter(|_| self.takes_results) {
            Some(message) => message.parts.push(part),
            None => {
                self.push(ir::Role::User, vec![part], ir::Extensions::default(), cx.here());
                self.takes_results = true;
            }
        }
    }
}

/// Whose an item is that only this dialect understands, and what is lost without it.
fn hosted(kind: &str) -> (ir::Role, &'static Code) {
    match kind {
        "web_search_call" | "x_search_call" | "mcp_list_tools" | "tool_search_call" => {
            (ir::Role::Assistant, &codes::HOSTED_TRACE_LOST)
        }
        "item_reference" => (ir::Role::Assistant, &codes::SERVER_STATE_UNSUPPORTED),
        "configuration_update" => (ir::Role::User, &codes::REASONING_OPTION_LOST),
        "computer_call_output" | "mcp_approval_response" => (ir::Role::User, &codes::BUILTIN_TOOL_UNSUPPORTED),
        "file_search_call"
        | "code_interpreter_call"
        | "computer_call"
        | "mcp_call"
        | "mcp_approval_request"
        | "program"
        | "program_output" => (ir::Role::Assistant, &codes::BUILTIN_TOOL_UNSUPPORTED),
        _ => (ir::Role::Assistant, &codes::CONTENT_DROPPED),
    }
}
