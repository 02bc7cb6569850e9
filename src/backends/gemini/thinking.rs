//! Raises how much to think.

use std::borrow::Cow;

use serde::Serialize;

use crate::capabilities::{Budget, Capabilities, Efforts};
use crate::context::Cx;
use crate::diagnostics::codes;
use crate::dialects::effort;
use crate::dialects::gemini::{ID, NOTE_LEVEL};
use crate::ir;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Thinking<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<Cow<'a, str>>,
    #[serde(flatten)]
    extensions: ir::Written<'a>,
}

/// The levels that a model takes of which nobody knows better.
const LEVELS: Efforts = Efforts::range(ir::Effort::Low, ir::Effort::High);

/// How much to think: a level, or a budget for a model that takes no level. What a Gemini client wrote goes as it came.
pub(super) fn thinking<'a>(
    cx: &mut Cx,
    reasoning: &ir::ReasoningConfig,
    takes: &Capabilities,
    extensions: &'a ir::Extensions,
) -> Option<Thinking<'a>> {
    let ir::ReasoningConfig { mode, effort, budget, visibility } = reasoning;
    let mut out = Thinking {
        include_thoughts: visibility.map(|visibility| visibility != ir::Visibility::Hidden),
        thinking_budget: None,
        thinking_level: None,
        extensions: extensions.written(ID, "generationConfig.thinkingConfig"),
    };
    let notes =
        extensions.fields().iter().filter(|field| extensions.dialect() == Some(ID) && field.name == *NOTE_LEVEL);
    for note in notes {
        match note.value.value() {
            serde_json::Value::Number(number) => out.thinking_budget = number.as_i64(),
            serde_json::Value::String(level) => out.thinking_level = Some(Cow::Owned(level)),
            _ => {}
        }
    }
    let is_as_written = out.thinking_budget.is_some() || out.thinking_level.is_some();
    let is_between = *mode == Some(ir::ReasoningMode::BetweenTools);
    if is_between {
        let what = "Gemini thinks whenever it sees fit";
        cx.report_setting(&codes::REASONING_OPTION_LOST, ir::Setting::Reasoning, what);
    }
    let is_off = *mode == Some(ir::ReasoningMode::Off) || *effort == Some(ir::Effort::None) || *budget == Some(0);
    let levels = takes.efforts.unwrap_or(LEVELS);
    let can_be_off = takes.off.is_some_and(|off| off.most().is_some());
    if is_as_written {
        // Nothing is to be found out.
    } else if !levels.is_empty() {
        let effort = effort.or(is_between.then_some(ir::Effort::Low));
        if is_off && can_be_off {
            out.thinking_budget = Some(0);
        } else {
            out.thinking_level = level(cx, levels, is_off, effort, *budget).map(Cow::Borrowed);
        }
    } else if let Some(Budget::Taken { least, most }) = takes.budget {
        let bounds = (least, most.unwrap_or(i64::MAX));
        out.thinking_budget = self::budget(cx, bounds, can_be_off, is_off, *effort, *budget);
    } else {
        // The model does not think, and refuses to hear of it.
        let is_shown = out.include_thoughts.take() == Some(true);
        if is_shown || !is_off && (effort.is_some() || budget.is_some()) {
            cx.report_setting(&codes::REASONING_OPTION_LOST, ir::Setting::Reasoning, "the model does not think");
        }
    }
    let is_empty = out.include_thoughts.is_none()
        && out.thinking_budget.is_none()
        && out.thinking_level.is_none()
        && out.extensions.is_empty();
    (!is_empty).then_some(out)
}

fn budget(
    cx: &mut Cx,
    (least, most): (i64, i64),
    can_be_off: bool,
    is_off: bool,
    effort: Option<ir::Effort>,
    budget: Option<i64>,
) -> Option<i64> {
    if is_off {
        if !can_be_off {
            let what = format!("the model always thinks; a budget of {least} is sent");
            cx.report_setting(&codes::THINKING_CANNOT_BE_DISABLED, ir::Setting::Reasoning, what);
            return Some(least);
        }
        return Some(0);
    }
    let wanted = match (budget, effort) {
        (Some(budget), _) => budget,
        (None, Some(effort)) => {
            let budget = effort::to_budget(effort);
            let what = format!("{} is a budget of {budget}", effort::name(effort));
            cx.report_setting(&codes::EFFORT_TO_BUDGET, ir::Setting::Effort, what);
            budget
        }
        (None, None) => return None,
    };
    if wanted < 0 {
        return Some(-1);
    }
    let fitting = wanted.clamp(least, most);
    // An effort is no number of tokens, so a bound takes nothing away from it.
    if fitting != wanted && budget.is_some() {
        cx.report_setting(
            &codes::VALUE_CLAMPED,
            ir::Setting::Budget,
            format!("a budget of {wanted} is sent as {fitting}"),
        );
    }
    Some(fitting)
}

fn level(
    cx: &mut Cx,
    levels: Efforts,
    is_off: bool,
    effort: Option<ir::Effort>,
    budget: Option<i64>,
) -> Option<&'static str> {
    if is_off {
        let least = word(levels.nearest(ir::Effort::None)?);
        let what = format!("Gemini always thinks; {least} is sent");
        cx.report_setting(&codes::THINKING_CANNOT_BE_DISABLED, ir::Setting::Reasoning, what);
        return Some(least);
    }
    let wanted = match (effort, budget.map(|budget| (budget, effort::of_budget(budget)))) {
        (Some(effort), _) => effort,
        (None, Some((budget, Some(effort)))) => {
            let what = format!("a budget of {budget} is {}", effort::name(effort));
            cx.report_setting(&codes::BUDGET_TO_EFFORT, ir::Setting::Budget, what);
            effort
        }
        (None, _) => return None,
    };
    let nearest = levels.nearest(wanted)?;
    let level = word(nearest);
    if nearest != wanted {
        let what = format!("{} is sent as {level}", effort::name(wanted));
        cx.report_setting(&codes::EFFORT_APPROXIMATED, ir::Setting::Effort, what);
    }
    Some(level)
}

/// What Gemini calls an effort. It has no word for the greatest.
fn word(effort: ir::Effort) -> &'static str {
    match effort {
        ir::Effort::None | ir::Effort::Minimal => "MINIMAL",
        ir::Effort::Low => "LOW",
        ir::Effort::Medium => "MEDIUM",
        ir::Effort::High => "HIGH",
        ir::Effort::Xhigh | ir::Effort::Max => "XHIGH",
    }
}
