//! How thought is asked for. Which words a model takes differs, and `target.capabilities` says which:
//!
//! - off: `disabled`; where a model cannot be off, `between_tools`, else as little thought as it can do with;
//! - a budget: `enabled`, the only word that says a number; where a model takes none, the effort that is nearest;
//! - an effort, or no more than the wish to see thoughts: `adaptive` and `output_config.effort`; where a model takes no
//!   effort, `enabled` with the budget of that effort.
//!
//! Of a model that nobody knows each word is expected to be taken. Who asks by a budget knows such a model.

use serde::Serialize;

use crate::capabilities::{Budget, Capabilities, Efforts, Extent};
use crate::context::Cx;
use crate::diagnostics::codes;
use crate::dialects::claude::{ID, marks};
use crate::dialects::effort;
use crate::ir;

/// The least budget that Claude takes.
const LEAST_BUDGET: u64 = 1_024;
/// The limit of tokens when neither client nor configuration gives one.
const DEFAULT_MAX_TOKENS: u64 = 8_192;
/// The most that is added to it for thoughts: with it the limit is one that every model takes that thinks.
const MOST_ROOM: u64 = 24_576;
/// The efforts that there are words for.
const EFFORTS: Efforts = Efforts::range(ir::Effort::Low, ir::Effort::Max);

/// `thinking`.
#[derive(Debug, Serialize)]
pub(super) struct Thinking<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'static str>,
    #[serde(flatten)]
    rest: ir::Written<'a>,
}

/// What the rest of the request means for thought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// A tool must be called.
    pub(super) forced: bool,
    /// The last turn of the assistant calls tools, and the thoughts that led to it are not there.
    pub(super) lacks_state: bool,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) thinking: Option<Thinking<'a>>,
    pub(super) effort: Option<&'static str>,
    pub(super) max_tokens: u64,
    /// Nothing is said of it, and the model thinks then.
    pub(super) thinks_unasked: bool,
}

impl Plan<'_> {
    /// Whether the model thinks, so that it takes no sampling parameters.
    pub(super) fn thinks(&self) -> bool {
        self.thinking.as_ref().map_or(self.thinks_unasked, |thinking| thinking.r#type != "disabled")
    }
}

/// The word for how to think, and what goes with it.
#[derive(Clone, Copy, Debug)]
struct Ask {
    kind: Option<&'static str>,
    effort: Option<ir::Effort>,
    budget: Option<i64>,
    /// The budget is what an effort was turned into, so its bounds take nothing away.
    is_estimate: bool,
}

/// How to ask for `config`.
pub(super) fn plan<'a>(
    cx: &mut Cx,
    config: &ir::ReasoningConfig,
    extensions: &'a ir::Extensions,
    circumstances: Circumstances,
    max_tokens: Option<u64>,
    configured: Option<u64>,
    takes: &Capabilities,
) -> Plan<'a> {
    let mut ask = ask(cx, config, extensions, takes);
    if ask.kind == Some("enabled") {
        ask.kind = check_enabled(cx, circumstances);
    }
    let word = effort_word(cx, &ask, takes);
    ask.budget = ask.budget.filter(|_| ask.kind == Some("enabled"));
    let thinks_unasked =
        ask.kind.is_none() && takes.thinks_unasked == Some(true) && extensions.get(ID, "thinking").is_none();
    if thinks_unasked && ask.effort.is_none() {
        ask.effort = takes.default_effort;
    }
    let (budget, max_tokens) = room(cx, &ask, thinks_unasked, max_tokens, configured, takes);
    let display = match config.visibility {
        _ if !matches!(ask.kind, Some("enabled" | "adaptive")) => None,
        None => None,
        Some(ir::Visibility::Hidden) => Some("omitted"),
        Some(ir::Visibility::Auto | ir::Visibility::Concise | ir::Visibility::Detailed) => Some("summarized"),
    };
    let rest = extensions.written(ID, "thinking");
    let thinking = ask.kind.map(|r#type| Thinking { r#type, budget_tokens: budget, display, rest });
    Plan { thinking, effort: word, max_tokens, thinks_unasked }
}

fn ask(cx: &mut Cx, config: &ir::ReasoningConfig, extensions: &ir::Extensions, takes: &Capabilities) -> Ask {
    let ir::ReasoningConfig { mode, effort, budget, visibility } = config;
    let asked = Ask { kind: None, effort: *effort, budget: *budget, is_estimate: false };
    if extensions.get(ID, "thinking").is_some() {
        // A kind that the gateway does not know goes up as it came.
        return asked;
    }
    if *mode == Some(ir::ReasoningMode::Off) || *effort == Some(ir::Effort::None) || *budget == Some(0) {
        return off(cx, asked, takes);
    }
    if *mode == Some(ir::ReasoningMode::BetweenTools) {
        return between_tools(cx, asked, takes);
    }
    if let Some(tokens) = budget.filter(|budget| *budget > 0) {
        return by_budget(cx, asked, tokens, takes);
    }
    if mode.is_none() && extensions.get(ID, marks::EFFORT_ALONE).is_some() {
        return asked;
    }
    let shown = visibility.is_some_and(|visibility| visibility != ir::Visibility::Hidden);
    if mode.is_some() || effort.is_some() || budget.is_some() || shown {
        return by_effort(cx, asked, takes);
    }
    asked
}

/// Not at all, or as little as the model can do with.
fn off(cx: &mut Cx, asked: Ask, takes: &Capabilities) -> Ask {
    let off = takes.off.unwrap_or(Extent::Always);
    if !thinks_at_all(takes) {
        return Ask { budget: None, ..asked };
    }
    if let Some(most) = off.most() {
        return up_to(cx, Ask { kind: Some("disabled"), ..asked }, most);
    }
    let what = "the model always thinks; it is asked to think little";
    cx.report_setting(&codes::THINKING_CANNOT_BE_DISABLED, ir::Setting::Reasoning, what);
    let least = Ask { effort: Some(ir::Effort::Low), budget: None, ..asked };
    if takes.between_tools.is_some_and(|extent| extent.most().is_some()) {
        return Ask { kind: Some("between_tools"), ..least };
    }
    by_effort(cx, least, takes)
}

fn between_tools(cx: &mut Cx, asked: Ask, takes: &Capabilities) -> Ask {
    if let Some(most) = takes.between_tools.unwrap_or(Extent::Always).most() {
        return up_to(cx, Ask { kind: Some("between_tools"), ..asked }, most);
    }
    let what = "the model cannot be told to think between tools only; it is asked to think little";
    cx.report_setting(&codes::REASONING_OPTION_LOST, ir::Setting::Reasoning, what);
    by_effort(cx, Ask { effort: Some(ir::Effort::Low), ..asked }, takes)
}

fn by_budget(cx: &mut Cx, asked: Ask, tokens: i64, takes: &Capabilities) -> Ask {
    if takes.budget != Some(Budget::Refused) {
        return Ask { kind: Some("enabled"), ..asked };
    }
    let effort = asked.effort.or_else(|| effort::of_budget(tokens));
    if let Some(effort) = effort.filter(|_| takes.adaptive != Some(false)) {
        let what = format!("a budget of {tokens} tokens became the effort {}", effort::name(effort));
        cx.report_setting(&codes::BUDGET_TO_EFFORT, ir::Setting::Budget, what);
    }
    by_effort(cx, Ask { effort, ..asked }, takes)
}

fn by_effort(cx: &mut Cx, asked: Ask, takes: &Capabilities) -> Ask {
    if takes.adaptive != Some(false) {
        return Ask { kind: Some("adaptive"), ..asked };
    }
    if takes.budget == Some(Budget::Refused) {
        cx.report_setting(&codes::REASONING_OPTION_LOST, ir::Setting::Reasoning, "the model does not think");
        return Ask { effort: None, budget: None, ..asked };
    }
    let effort = asked.effort.unwrap_or(ir::Effort::Medium);
    let budget = effort::to_budget(effort);
    let what = format!("the effort {} became a budget of {budget} tokens", effort::name(effort));
    cx.report_setting(&codes::EFFORT_TO_BUDGET, ir::Setting::Effort, what);
    Ask { kind: Some("enabled"), budget: Some(budget), is_estimate: true, ..asked }
}

/// Whether there is any way to make the model think.
fn thinks_at_all(takes: &Capabilities) -> bool {
    takes.adaptive != Some(false) || takes.budget != Some(Budget::Refused)
}

/// An effort that goes with the word beside it.
fn up_to(cx: &mut Cx, asked: Ask, most: ir::Effort) -> Ask {
    let effort = asked.effort.map(|effort| effort.min(most));
    if let (Some(from), Some(to)) = (asked.effort, effort)
        && from != to
    {
        let kind = asked.kind.unwrap_or_default();
        let what =
            format!("with {kind} the model takes no effort {}; {} is sent", effort::name(from), effort::name(to));
        cx.report_setting(&codes::EFFORT_APPROXIMATED, ir::Setting::Effort, what);
    }
    Ask { effort, ..asked }
}

/// Thinking within a budget goes neither with a tool that must be called, nor behind a call whose own thoughts are not
/// there (they were another's).
fn check_enabled(cx: &mut Cx, circumstances: Circumstances) -> Option<&'static str> {
    if circumstances.lacks_state {
        let what = "the last turn calls tools, and its own thoughts are not there: thinking is off";
        cx.report_setting(&codes::REASONING_STATE_MISSING, ir::Setting::Reasoning, what);
        return None;
    }
    if circumstances.forced {
        let what = "a tool must be called, which goes not with thinking by a budget: thinking is off";
        cx.report_setting(&codes::REASONING_OPTION_LOST, ir::Setting::Reasoning, what);
        return None;
    }
    Some("enabled")
}

/// Budget and limit so that both can be: the limit counts thoughts, too.
fn room(
    cx: &mut Cx,
    ask: &Ask,
    thinks_unasked: bool,
    max_tokens: Option<u64>,
    configured: Option<u64>,
    takes: &Capabilities,
) -> (Option<u64>, u64) {
    let (least, most) = match takes.budget {
        Some(Budget::Taken { least, most }) => {
            (u64::try_from(least).ok(), most.and_then(|most| u64::try_from(most).ok()))
        }
        Some(Budget::Refused) | None => (None, None),
    };
    let least = least.unwrap_or(LEAST_BUDGET);
    let asked = ask.budget.and_then(|budget| u64::try_from(budget).ok());
    let mut budget = asked.map(|budget| budget.min(most.unwrap_or(u64::MAX)).max(least));
    let limit = max_tokens.unwrap_or_else(|| {
        let thoughts = match (ask.kind, budget) {
            (Some("enabled"), Some(budget)) => budget,
            (kind, _) if kind == Some("adaptive") || thinks_unasked => {
                let budget = ask.effort.map_or(0, effort::to_budget);
                u64::try_from(budget).unwrap_or(0).min(MOST_ROOM)
            }
            _ => 0,
        };
        let most = takes.max_output_tokens.unwrap_or(u64::MAX);
        let limit = configured.unwrap_or((DEFAULT_MAX_TOKENS + thoughts).min(most));
        cx.report_setting(&codes::MAX_TOKENS_DEFAULTED, ir::Setting::MaxOutputTokens, format!("{limit} is sent"));
        limit
    });
    let mut sent = limit;
    if let Some(budget) = &mut budget
        && *budget >= limit
    {
        *budget = limit.saturating_sub(LEAST_BUDGET).max(least);
        if *budget >= limit {
            sent = least + limit.max(1);
            let what = format!("thinking needs room: the limit {limit} became {sent}");
            cx.report_setting(&codes::VALUE_CLAMPED, ir::Setting::MaxOutputTokens, what);
        }
    }
    if budget != asked && !ask.is_estimate {
        let what = format!("the budget {} became {}", asked.unwrap_or(0), budget.unwrap_or(0));
        cx.report_setting(&codes::VALUE_CLAMPED, ir::Setting::Budget, what);
    }
    (budget, sent)
}

/// The word for an effort that the model takes. One that became a budget has done its duty.
fn effort_word(cx: &mut Cx, ask: &Ask, takes: &Capabilities) -> Option<&'static str> {
    let asked = ask.effort.filter(|effort| *effort != ir::Effort::None)?;
    let Some(effort) = takes.efforts.unwrap_or(EFFORTS).nearest(asked) else {
        if !ask.is_estimate {
            let what = format!("the model takes no effort; {} is left out", effort::name(asked));
            cx.report_setting(&codes::REASONING_OPTION_LOST, ir::Setting::Reasoning, what);
        }
        return None;
    };
    if effort != asked {
        let what = format!("the effort {} is sent as {}", effort::name(asked), effort::name(effort));
        cx.report_setting(&codes::EFFORT_APPROXIMATED, ir::Setting::Effort, what);
    }
    Some(effort::name(effort))
}
