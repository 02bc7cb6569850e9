//! What is said at a provider or at a model, of which the model's own word wins; and time limits.

use serde_json::Value;

use super::super::words::list;
use super::super::{Options, Quirks, Timeouts};
use super::{BUDGET, CAPABILITIES, EFFORTS, FETCH, Fields, Node, OPTIONS, QUIRKS, Reader, TIMEOUTS, kind};
use crate::capabilities::{Budget, Capabilities, Efforts, Extent, Taken};
use crate::dialects::effort;
use crate::fetch;
use crate::ir;

/// Quirks, options and capabilities of one place; what is not said there is `None`.
#[derive(Clone, Default)]
pub(super) struct Tuning {
    no_instructions: Option<bool>,
    no_previous_response_id: Option<bool>,
    max_instructions_chars: Option<usize>,
    reasoning_effort: Option<ir::Effort>,
    max_tokens: Option<u64>,
    capabilities: Capabilities,
    delivery: Option<UpstreamDelivery>,
}

/// How an upstream is asked.
#[derive(Clone, Copy)]
enum UpstreamDelivery {
    /// As the client asks.
    Auto,
    /// Always so.
    Always(ir::Delivery),
}

impl UpstreamDelivery {
    fn forced(self) -> Option<ir::Delivery> {
        match self {
            Self::Auto => None,
            Self::Always(delivery) => Some(delivery),
        }
    }
}

impl Tuning {
    /// What holds for a model of a provider: the model's own word wins.
    pub(super) fn over(self, provider: &Self) -> (Quirks, Options, Capabilities, Option<ir::Delivery>) {
        let quirks = Quirks {
            no_instructions: self.no_instructions.or(provider.no_instructions).unwrap_or_default(),
            no_previous_response_id: self
                .no_previous_response_id
                .or(provider.no_previous_response_id)
                .unwrap_or_default(),
            max_instructions_chars: self.max_instructions_chars.or(provider.max_instructions_chars),
        };
        let options = Options {
            reasoning_effort: self.reasoning_effort.or(provider.reasoning_effort),
            max_tokens: self.max_tokens.or(provider.max_tokens),
        };
        let capabilities = provider.capabilities.with(&self.capabilities);
        let delivery = self.delivery.or(provider.delivery).and_then(UpstreamDelivery::forced);
        (quirks, options, capabilities, delivery)
    }
}

impl Reader<'_> {
    /// The quirks, options and capabilities of a provider or a model.
    pub(super) fn tuning(&mut self, owner: &Fields<'_>) -> Tuning {
        let quirks = owner.get("quirks").and_then(|node| self.object(&node, &QUIRKS));
        let options = owner.get("options").and_then(|node| self.object(&node, &OPTIONS));
        let quirk = |key: &str| quirks.as_ref().and_then(|fields| fields.get(key));
        let option = |key: &str| options.as_ref().and_then(|fields| fields.get(key));
        let in_quirks = quirk("maxInstructionsChars").and_then(|node| self.count(&node));
        let limit = option("maxInstructionsChars").and_then(|node| {
            let count = self.count(&node)?;
            if in_quirks.is_some_and(|other| other != count) {
                self.problem(&node.place, "differs from the one in `quirks` beside it");
            }
            Some(count)
        });
        Tuning {
            no_instructions: quirk("noInstructions").and_then(|node| self.flag(&node)),
            no_previous_response_id: quirk("noPreviousResponseId").and_then(|node| self.flag(&node)),
            max_instructions_chars: in_quirks.or(limit).and_then(|count| usize::try_from(count).ok()),
            reasoning_effort: option("reasoningEffort").and_then(|node| self.effort(&node)),
            max_tokens: option("maxTokens").and_then(|node| self.count(&node)),
            capabilities: owner.get("capabilities").map(|node| self.capabilities(&node)).unwrap_or_default(),
            delivery: owner.get("upstreamDelivery").and_then(|node| self.delivery(&node)),
        }
    }

    fn capabilities(&mut self, node: &Node<'_>) -> Capabilities {
        let Some(fields) = self.object(node, &CAPABILITIES) else {
            return Capabilities::default();
        };
        let flag = |reader: &mut Self, key: &str| fields.get(key).and_then(|node| reader.flag(&node));
        Capabilities {
            efforts: fields.get("efforts").and_then(|node| self.efforts(&node)),
            default_effort: fields.get("defaultEffort").and_then(|node| self.effort(&node)),
            budget: fields.get("budget").and_then(|node| self.budget(&node)),
            off: fields.get("off").and_then(|node| self.extent(&node)),
            adaptive: flag(self, "adaptive"),
            between_tools: fields.get("betweenTools").and_then(|node| self.extent(&node)),
            thinks_unasked: flag(self, "thinksUnasked"),
            shows_thoughts: flag(self, "showsThoughts"),
            signatures: flag(self, "signatures"),
            sampling: fields.get("sampling").and_then(|node| self.taken(&node)),
            temperature_with_top_p: flag(self, "temperatureWithTopP"),
            stops: fields.get("stops").and_then(|node| self.taken(&node)),
            max_output_tokens: fields.get("maxOutputTokens").and_then(|node| self.count(&node)),
            structured_outputs: flag(self, "structuredOutputs"),
            forced_tool_choice: flag(self, "forcedToolChoice"),
            custom_tools: flag(self, "customTools"),
            tools_with_effort: flag(self, "toolsWithEffort"),
            hosted_with_functions: flag(self, "hostedWithFunctions"),
            media_in_results: flag(self, "mediaInResults"),
            media_resolution: flag(self, "mediaResolution"),
            media_urls: flag(self, "mediaUrls"),
            prefill: flag(self, "prefill"),
            system_turns: flag(self, "systemTurns"),
            developer_role: flag(self, "developerRole"),
            cache_marks: flag(self, "cacheMarks"),
            max_completion_tokens: flag(self, "maxCompletionTokens"),
            safety_identifier: flag(self, "safetyIdentifier"),
        }
    }

    /// A list of efforts; `none` is no effort to list, but what `off` says.
    fn efforts(&mut self, node: &Node<'_>) -> Option<Efforts> {
        let Some(values) = node.value.as_array() else {
            self.problem(&node.place, format!("expected a list of efforts, found {}", kind(node.value)));
            return None;
        };
        let mut out = Efforts::EMPTY;
        for (index, value) in values.iter().enumerate() {
            let node = Node { value, place: node.place.index(index) };
            match self.effort(&node) {
                Some(ir::Effort::None) => self.problem(&node.place, "whether thinking can be off is said by `off`"),
                Some(effort) => out = out.and(effort),
                None => {}
            }
        }
        Some(out)
    }

    /// `false`, or bounds.
    fn budget(&mut self, node: &Node<'_>) -> Option<Budget> {
        if node.value.as_bool() == Some(false) {
            return Some(Budget::Refused);
        }
        if !node.value.is_object() {
            let what = format!("expected false or an object with `least` and `most`, found {}", kind(node.value));
            self.problem(&node.place, what);
            return None;
        }
        let fields = self.object(node, &BUDGET)?;
        let mut bound = |key: &str| {
            let count = fields.get(key).and_then(|node| self.count(&node))?;
            i64::try_from(count).ok()
        };
        let (least, most) = (bound("least").unwrap_or(1), bound("most"));
        if most.is_some_and(|most| most < least) {
            self.problem(&node.place, "`most` is less than `least`");
            return None;
        }
        Some(Budget::Taken { least, most })
    }

    /// `true`, `false`, or the greatest effort with which it goes.
    fn extent(&mut self, node: &Node<'_>) -> Option<Extent> {
        match node.value {
            Value::Bool(true) => Some(Extent::Always),
            Value::Bool(false) => Some(Extent::Never),
            Value::String(_) => self.effort(node).map(Extent::UpTo),
            Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                let what =
                    format!("expected true, false or the greatest effort it goes with, found {}", kind(node.value));
                self.problem(&node.place, what);
                None
            }
        }
    }

    /// `true`, `false` or `"withoutThought"`.
    fn taken(&mut self, node: &Node<'_>) -> Option<Taken> {
        match node.value {
            Value::Bool(true) => Some(Taken::Always),
            Value::Bool(false) => Some(Taken::Never),
            Value::String(word) if word == "withoutThought" => Some(Taken::WithoutThought),
            Value::String(_) => {
                self.problem(&node.place, "there is no such word; expected true, false or `withoutThought`");
                None
            }
            Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                let what = format!("expected true, false or `withoutThought`, found {}", kind(node.value));
                self.problem(&node.place, what);
                None
            }
        }
    }

    fn delivery(&mut self, node: &Node<'_>) -> Option<UpstreamDelivery> {
        match self.text(node)? {
            "auto" => Some(UpstreamDelivery::Auto),
            "stream" => Some(UpstreamDelivery::Always(ir::Delivery::Stream)),
            "whole" => Some(UpstreamDelivery::Always(ir::Delivery::Whole)),
            _ => {
                self.problem(&node.place, "there is no such delivery; expected `auto`, `stream` or `whole`");
                None
            }
        }
    }

    pub(super) fn timeouts(&mut self, node: &Node<'_>) -> Timeouts {
        let usual = Timeouts::default();
        let Some(fields) = self.object(node, &TIMEOUTS) else {
            return usual;
        };
        let mut limit = |key: &str| fields.get(key).and_then(|node| self.count(&node));
        let out = Timeouts {
            connect_ms: limit("connectMs").unwrap_or(usual.connect_ms),
            first_byte_ms: limit("firstByteMs").unwrap_or(usual.first_byte_ms),
            idle_ms: limit("idleMs").unwrap_or(usual.idle_ms),
            total_ms: limit("totalMs"),
        };
        for key in ["connectMs", "firstByteMs", "idleMs"] {
            let given = fields.get(key).and_then(|node| node.value.as_f64().map(|limit| (limit, node.place)));
            if let (Some((limit, place)), Some(total)) = (given, out.total_ms) {
                #[expect(clippy::cast_precision_loss, reason = "no limit is that long")]
                if limit > total as f64 {
                    self.hint(&place, "never takes effect: it is longer than `totalMs`");
                }
            }
        }
        out
    }

    /// `true`, `false`, or what may be fetched.
    pub(super) fn fetch_media(&mut self, node: &Node<'_>) -> Option<fetch::Rules> {
        let mut out = fetch::Rules::default();
        match node.value {
            Value::Bool(is_on) => return is_on.then_some(out),
            Value::Object(_) => {}
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                let what = format!("expected true, false or an object, found {}", kind(node.value));
                self.problem(&node.place, what);
                return None;
            }
        }
        let fields = self.object(node, &FETCH)?;
        let mut limit = |key: &str| fields.get(key).and_then(|node| self.count(&node));
        let size = |count: u64| usize::try_from(count).ok();
        out.max_bytes = limit("maxBytes").and_then(size).unwrap_or(out.max_bytes);
        out.max_urls = limit("maxUrls").and_then(size).unwrap_or(out.max_urls);
        out.timeout_ms = limit("timeoutMs").unwrap_or(out.timeout_ms);
        if let Some(node) = fields.get("allowHosts") {
            for node in self.one_or_more(&node) {
                let Some(host) = self.text(&node) else { continue };
                let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
                if host.is_empty() || !host.chars().all(is_host) {
                    self.problem(
                        &node.place,
                        "expected a host, perhaps with a port: `files.example`, `127.0.0.1:9000`",
                    );
                    continue;
                }
                out.allow_hosts.push(host.to_ascii_lowercase());
            }
        }
        Some(out)
    }

    fn effort(&mut self, node: &Node<'_>) -> Option<ir::Effort> {
        let effort = effort::named(self.text(node)?);
        if effort.is_none() {
            let names = EFFORTS.iter().copied().map(effort::name);
            self.problem(&node.place, format!("there is no such effort; expected {}", list(names, "or")));
        }
        effort
    }
}
