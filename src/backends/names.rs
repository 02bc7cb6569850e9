//! Tool names on the way up and back: what a target refuses is rewritten, each to one other, and restored in answers.

use crate::context::Cx;
use crate::diagnostics::codes;
use crate::dialects::openai_responses::own_tools;
use crate::ir;

/// What a target's names may look like.
#[derive(Clone, Copy, Debug)]
pub struct NameRules {
    /// The longest name, in characters.
    pub longest: usize,
    /// Whether a character may begin a name.
    pub first: fn(char) -> bool,
    /// Whether a character may stand in a name.
    pub rest: fn(char) -> bool,
    /// The target has name spaces; else they are flattened to `space__name`.
    pub namespaces: bool,
    /// The target has custom tools; else they are functions with one text.
    pub customs: bool,
    /// The target has the tools of Responses that clients run (`local_shell`); else they are functions.
    pub own_tools: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    sent: ir::Text,
    name: ir::Text,
    namespace: Option<ir::Text>,
    kind: ir::CallKind,
}

/// The tools of a request, by the names they were sent under.
#[derive(Clone, Debug, Default)]
pub struct Names {
    entries: Vec<Entry>,
    customs: bool,
}

impl Names {
    /// The names of all tools of `request`, those that its history calls included. Reports what it rewrites.
    #[must_use]
    pub fn new(cx: &mut Cx, request: &ir::Request, rules: &NameRules) -> Self {
        let mut out = Self { entries: Vec::new(), customs: rules.customs };
        for tool in &request.tools {
            match tool {
                ir::Tool::Function(tool) => {
                    if !rules.own_tools && own_tools::is_own(&tool.meta) {
                        let what = format!("{} is sent as a function", tool.name);
                        cx.report(&codes::BUILTIN_TOOL_AS_FUNCTION, tool.meta.place, "", what);
                    }
                    out.add(cx, rules, &tool.name, tool.namespace.as_ref(), ir::CallKind::Function, tool.meta.place);
                }
                ir::Tool::Custom(tool) => {
                    out.add(cx, rules, &tool.name, tool.namespace.as_ref(), ir::CallKind::Custom, tool.meta.place);
                }
                ir::Tool::Hosted(_) => {}
            }
        }
        for part in request.messages.iter().flat_map(|message| &message.parts) {
            if let ir::Part::ToolCall(call) = part {
                out.add(cx, rules, &call.name, call.namespace.as_ref(), call.kind, call.meta.place);
            }
        }
        out
    }

    fn add(
        &mut self,
        cx: &mut Cx,
        rules: &NameRules,
        name: &ir::Text,
        namespace: Option<&ir::Text>,
        kind: ir::CallKind,
        place: ir::Place,
    ) {
        if self.entry(name, namespace).is_some() {
            return;
        }
        let flat = match namespace.filter(|_| !rules.namespaces) {
            Some(namespace) => {
                let flat = ir::Text::from(format!("{namespace}__{name}"));
                cx.report(&codes::NAMESPACE_FLATTENED, place, "", format!("{name} of {namespace} is sent as {flat}"));
                flat
            }
            None => name.clone(),
        };
        let sent = self.free(fit(rules, &flat), namespace, rules);
        if sent != flat {
            cx.report(&codes::TOOL_NAME_REWRITTEN, place, "", format!("{flat} is sent as {sent}"));
        }
        self.entries.push(Entry { sent, name: name.clone(), namespace: namespace.cloned(), kind });
    }

    /// `name`, or where it is taken already (in its name space, where the target has such) the same with a number.
    fn free(&self, name: ir::Text, namespace: Option<&ir::Text>, rules: &NameRules) -> ir::Text {
        let is_apart = |entry: &Entry| rules.namespaces && entry.namespace.as_ref() != namespace;
        let is_taken = |name: &str| self.entries.iter().any(|entry| entry.sent == *name && !is_apart(entry));
        if !is_taken(&name) {
            return name;
        }
        let short: String = name.chars().take(rules.longest.saturating_sub(4)).collect();
        (2..1000).map(|number| format!("{short}_{number}")).find(|name| !is_taken(name)).map_or(name, ir::Text::from)
    }

    fn entry(&self, name: &str, namespace: Option<&ir::Text>) -> Option<&Entry> {
        let is_it = |entry: &&Entry| entry.name == *name && entry.namespace.as_ref() == namespace;
        self.entries.iter().find(is_it)
    }

    /// The name to send for a tool or a call.
    #[must_use]
    pub fn sent(&self, name: &ir::Text, namespace: Option<&ir::Text>) -> ir::Text {
        let entry = self.entry(name, namespace).or_else(|| self.entries.iter().find(|entry| entry.name == *name));
        entry.map_or_else(|| name.clone(), |entry| entry.sent.clone())
    }

    /// How a call of the answer begins, with the client's names again; id and meta are for the caller to fill.
    #[must_use]
    pub fn restore(&self, sent: &str) -> ir::CallStart {
        match self.entries.iter().find(|entry| entry.sent == *sent) {
            Some(entry) => ir::CallStart {
                name: entry.name.clone(),
                namespace: entry.namespace.clone(),
                kind: entry.kind,
                unwrap_input: entry.kind == ir::CallKind::Custom && !self.customs,
                ..ir::CallStart::default()
            },
            None => ir::CallStart { name: sent.into(), ..ir::CallStart::default() },
        }
    }
}

/// `name` as the rules allow it: other characters become `_`; what is too long is cut and told apart by a hash.
fn fit(rules: &NameRules, name: &ir::Text) -> ir::Text {
    let fits = name.chars().count() <= rules.longest
        && name.chars().next().is_some_and(rules.first)
        && name.chars().all(rules.rest);
    if fits {
        return name.clone();
    }
    let mut out: String = name.chars().map(|c| if (rules.rest)(c) { c } else { '_' }).collect();
    if !out.chars().next().is_some_and(rules.first) {
        out.insert(0, '_');
    }
    if out.chars().count() > rules.longest {
        // FNV-1a: the same name is cut to the same name in every request, so prompt caches hold.
        let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let kept: String = out.chars().take(rules.longest.saturating_sub(9)).collect();
        out = format!("{kept}_{hash:08x}");
    }
    out.into()
}
