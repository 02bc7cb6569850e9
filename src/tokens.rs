//! Counting a prompt's tokens, roughly.
//!
//! No tokenizer fits into a Worker for every model there is, so this is an estimate, and answers that use it say so. It cuts
//! text where tokenizers cut it first (words, numbers, punctuation, white space) and says what such a piece costs on
//! average; what a model family's template adds is a table. Both were fitted to recorded prompts and the counts that the
//! vendors answered them with (`tests/tokens.rs` says how well), robustly: a few prompts cannot be estimated at all, since
//! their vendor counted words of its own with them, and must not bend the table for the others. Where a family has no
//! recording of a thing, the table says what [`ANY`] does.

use crate::ir;

/// What the pieces of text cost, in tokens.
mod piece {
    /// A word, with the space before it.
    pub(super) const WORD: f64 = 1.0;
    /// Each letter of a word behind the sixth.
    pub(super) const LONG: f64 = 0.12;
    /// A capital inside a word.
    pub(super) const CAPITAL: f64 = 0.25;
    /// Three digits.
    pub(super) const DIGITS: f64 = 0.62;
    /// A digit.
    pub(super) const DIGIT: f64 = 0.2;
    /// A mark, or the first of several.
    pub(super) const MARK: f64 = 0.74;
    /// Each further one.
    pub(super) const MARKS: f64 = 0.25;
    /// Line ends in a row.
    pub(super) const LINE: f64 = 0.6;
    /// Several spaces in a row.
    pub(super) const SPACES: f64 = 0.6;
    /// A character of Chinese, Japanese or Korean.
    pub(super) const WIDE: f64 = 0.7;
    /// A letter of any other script.
    pub(super) const OTHER: f64 = 0.4;
    /// Emoji and other signs.
    pub(super) const SYMBOL: f64 = 1.2;
}

/// A picture of middling size, with the vendors that publish it.
const PICTURE: f64 = 1_000.0;

/// What a model's template makes of the things that a prompt consists of.
#[derive(Clone, Copy, Debug)]
struct Costs {
    /// Of each token of text.
    text: f64,
    /// Of the prompt.
    base: f64,
    /// Of there being instructions.
    system: f64,
    /// Of each message.
    message: f64,
    /// Of there being tools.
    tools: f64,
    /// Of each tool.
    tool: f64,
    /// Of each call, and of each result.
    call: f64,
    /// Of each token of a tool's parameters; its name and its description are text.
    parameters: f64,
    /// Of there being a schema for the answer.
    schema: f64,
    /// Of each token of that schema.
    schema_text: f64,
    /// Of each four bytes of sealed state since the user's last words.
    seal: f64,
    /// Of thinking being asked for.
    thinking: f64,
    /// Of each token of thoughts before the user's last words, which most templates leave out.
    thoughts: f64,
}

/// OpenAI's models.
#[rustfmt::skip]
const OPENAI: Costs = Costs { text: 0.99, base: 2.0, system: 4.0, message: 5.1, tools: 11.3, tool: 0.0, call: 3.4, parameters: 0.55, schema: 7.7, schema_text: 0.72, seal: 0.39, thinking: 0.0, thoughts: 0.0 };

/// The id of the dialect Chat Completions, which this module knows by name only.
const CHAT: &str = "openai-chat-completions";

/// As [`OPENAI`], where Chat Completions is spoken with GPT-5 and its kin at OpenAI itself: there tools bring a preamble along,
/// which the same models are not given by the Responses API, nor by relays (these write `openai/gpt-5`).
const GPT_5_IN_CHAT: Costs = Costs { tools: 92.0, ..OPENAI };

/// The families, by a piece of the model's name; the first that fits counts.
#[rustfmt::skip]
const FAMILIES: &[(&[&str], Costs)] = &[
    // OpenAI's open models.
    (&["gpt-oss"], Costs { text: 0.99, base: 66.0, system: 4.4, message: 3.4, tools: 22.7, tool: 1.1, call: 9.3, parameters: 0.58, schema: 22.0, schema_text: 1.05, seal: 0.25, thinking: 0.6, thoughts: 0.0 }),
    // Claude from Opus 4.7 on.
    (&["opus-4-7", "opus-4.7", "opus-4-8", "opus-4.8", "opus-5", "sonnet-5", "haiku-5", "fable", "mythos"], Costs { text: 1.2, base: 3.2, system: 6.0, message: 3.0, tools: 401.0, tool: 7.8, call: 6.8, parameters: 0.98, schema: 5.0, schema_text: 0.8, seal: 0.2, thinking: 0.8, thoughts: 0.2 }),
    // Claude 4.5 and 4.6.
    (&["opus-4-5", "opus-4.5", "sonnet-4-5", "sonnet-4.5", "haiku-4-5", "haiku-4.5", "opus-4-6", "opus-4.6", "sonnet-4-6", "sonnet-4.6"], Costs { text: 1.05, base: 4.7, system: 1.9, message: 2.5, tools: 509.7, tool: 2.3, call: 23.7, parameters: 1.45, schema: 84.5, schema_text: 1.95, seal: 0.19, thinking: 30.8, thoughts: 0.37 }),
    // Claude before.
    (&["claude"], Costs { text: 1.17, base: 4.6, system: 0.0, message: 2.2, tools: 316.8, tool: 10.8, call: 32.2, parameters: 1.13, schema: 5.0, schema_text: 0.8, seal: 0.29, thinking: 28.6, thoughts: 0.01 }),
    // Gemini before 2.5, and any that speaks Chat Completions: of a declaration little but its words counts.
    (&["gemini-1", "gemini-2.0", "google/gemini"], Costs { text: 0.95, base: 0.0, system: 0.6, message: 0.4, tools: 0.0, tool: 0.0, call: 0.8, parameters: 0.3, schema: 4.6, schema_text: 0.27, seal: 0.28, thinking: 0.0, thoughts: 0.2 }),
    // Gemini 2.5.
    (&["gemini-2.5"], Costs { text: 1.09, base: 0.0, system: 0.3, message: 0.9, tools: 0.0, tool: 7.4, call: 8.9, parameters: 0.82, schema: 0.0, schema_text: 0.0, seal: 0.0, thinking: 1.7, thoughts: 1.68 }),
    // Gemini from 3 on.
    (&["gemini"], Costs { text: 0.96, base: 0.0, system: 0.3, message: 1.1, tools: 0.0, tool: 0.0, call: 14.1, parameters: 1.14, schema: 1.4, schema_text: 0.0, seal: 0.57, thinking: 1.8, thoughts: 0.01 }),
    // OpenAI.
    (&["gpt", "o1", "o3", "o4"], OPENAI),
    // Others.
    (&["grok-4.3", "grok-4-fast", "grok-code"], Costs { text: 1.11, base: 186.5, system: 3.2, message: 4.5, tools: 112.8, tool: 9.0, call: 15.2, parameters: 0.84, schema: 14.4, schema_text: 0.8, seal: 0.31, thinking: 0.0, thoughts: 0.94 }),
    (&["grok"], Costs { text: 0.93, base: 4.3, system: 3.8, message: 2.6, tools: 121.5, tool: 23.6, call: 18.0, parameters: 1.01, schema: 30.8, schema_text: 0.9, seal: 0.2, thinking: 2.1, thoughts: 0.2 }),
    (&["deepseek-v4"], Costs { text: 1.02, base: 80.0, system: 3.0, message: 3.2, tools: 235.0, tool: 6.1, call: 17.2, parameters: 0.91, schema: 5.0, schema_text: 0.8, seal: 0.2, thinking: 2.0, thoughts: 0.08 }),
    (&["deepseek"], Costs { text: 0.96, base: 1.6, system: 0.8, message: 3.9, tools: 220.9, tool: 6.6, call: 19.2, parameters: 1.26, schema: 5.0, schema_text: 0.8, seal: 0.21, thinking: 0.0, thoughts: 0.1 }),
    (&["glm"], Costs { text: 0.99, base: 3.1, system: 0.5, message: 3.9, tools: 101.0, tool: 13.2, call: 8.3, parameters: 1.16, schema: 0.0, schema_text: 0.21, seal: 0.2, thinking: 0.0, thoughts: 0.69 }),
    (&["qwen"], Costs { text: 0.95, base: 4.8, system: 6.7, message: 4.0, tools: 106.2, tool: 12.2, call: 13.5, parameters: 1.05, schema: 16.1, schema_text: 0.96, seal: 0.25, thinking: 0.8, thoughts: 0.04 }),
    (&["kimi"], Costs { text: 0.96, base: 21.6, system: 1.9, message: 3.5, tools: 28.8, tool: 10.9, call: 6.0, parameters: 1.03, schema: 5.0, schema_text: 0.8, seal: 0.2, thinking: 2.0, thoughts: 0.2 }),
    (&["llama-4"], Costs { text: 0.98, base: 6.5, system: 4.1, message: 3.6, tools: 548.8, tool: 5.4, call: 8.2, parameters: 0.83, schema: 5.0, schema_text: 0.8, seal: 0.2, thinking: 2.0, thoughts: 0.2 }),
    (&["llama-3.3", "llama3.3"], Costs { text: 0.93, base: 33.2, system: 0.5, message: 3.5, tools: 133.4, tool: 9.8, call: 6.1, parameters: 1.09, schema: 5.0, schema_text: 0.8, seal: 0.2, thinking: 2.0, thoughts: 0.2 }),
    (&["llama"], Costs { text: 1.0, base: 7.1, system: 3.3, message: 3.5, tools: 179.4, tool: 8.9, call: 6.0, parameters: 0.94, schema: 5.0, schema_text: 0.8, seal: 0.2, thinking: 2.0, thoughts: 0.2 }),
    (&["mistral-small"], Costs { text: 1.03, base: 12.5, system: 3.5, message: 3.6, tools: 8.8, tool: 9.1, call: 4.2, parameters: 1.41, schema: 2.3, schema_text: 0.76, seal: 0.2, thinking: 1.7, thoughts: 1.12 }),
    (&["mistral", "mixtral", "magistral", "codestral", "devstral", "ministral", "pixtral"], Costs { text: 1.02, base: 0.0, system: 2.1, message: 3.1, tools: 13.2, tool: 9.5, call: 2.2, parameters: 1.19, schema: 5.0, schema_text: 0.8, seal: 0.2, thinking: 2.0, thoughts: 0.9 }),
];

/// Any other model.
const ANY: Costs = Costs {
    text: 1.0,
    base: 3.0,
    system: 3.0,
    message: 3.5,
    tools: 20.0,
    tool: 6.0,
    call: 6.0,
    parameters: 0.9,
    schema: 5.0,
    schema_text: 0.8,
    seal: 0.2,
    thinking: 2.0,
    thoughts: 0.2,
};

fn costs(model: &str, upstream: &str) -> &'static Costs {
    let model = model.to_ascii_lowercase();
    if upstream == CHAT && model.starts_with("gpt-5") {
        return &GPT_5_IN_CHAT;
    }
    let is_meant = |words: &[&str]| words.iter().any(|word| model.contains(word));
    FAMILIES.iter().find(|(words, _)| is_meant(words)).map_or(&ANY, |(_, costs)| costs)
}

/// What a character is to a tokenizer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Start,
    Lower,
    Upper,
    Digit,
    Space,
    Line,
    Mark,
    Wide,
    Other,
    Symbol,
}

fn class(c: char) -> Class {
    match c {
        'a'..='z' => Class::Lower,
        'A'..='Z' => Class::Upper,
        '0'..='9' => Class::Digit,
        ' ' | '\t' | '\r' => Class::Space,
        '\n' => Class::Line,
        '!'..='~' => Class::Mark,
        '\u{1100}'..='\u{11ff}'
        | '\u{2e80}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ffef}'
        | '\u{20000}'..='\u{3ffff}' => Class::Wide,
        c if c.is_alphabetic() => Class::Other,
        _ => Class::Symbol,
    }
}

/// About how many tokens a text has.
fn text(text: &str) -> f64 {
    let mut tokens = 0.0;
    let mut before = Class::Start;
    // How many characters of one class there were in a row, and how many letters of one word.
    let (mut run, mut word) = (0_u32, 0_u32);
    for now in text.chars().map(class) {
        // A capital begins a word; what follows it in small letters belongs to it.
        let continues = now == before || (now == Class::Lower && before == Class::Upper && run == 1);
        run = if continues { run + 1 } else { 1 };
        tokens += match now {
            Class::Lower | Class::Upper => {
                word = if continues { word + 1 } else { 1 };
                let new = if word == 1 { piece::WORD } else { 0.0 };
                let long = if word > 6 { piece::LONG } else { 0.0 };
                let capital = if now == Class::Upper && word > 1 { piece::CAPITAL } else { 0.0 };
                new + long + capital
            }
            Class::Digit if run % 3 == 1 => piece::DIGITS + piece::DIGIT,
            Class::Digit => piece::DIGIT,
            Class::Mark if run == 1 => piece::MARK,
            Class::Mark => piece::MARKS,
            Class::Line if run == 1 => piece::LINE,
            Class::Space if run == 2 => piece::SPACES,
            Class::Wide => piece::WIDE,
            Class::Other => piece::OTHER,
            Class::Symbol => piece::SYMBOL,
            Class::Line | Class::Space | Class::Start => 0.0,
        };
        before = now;
    }
    tokens
}

/// About how many tokens the prompt of `request` has for `model`, which is asked in the dialect `upstream`; at least 1.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tokens are never that many, nor negative")]
pub fn estimate(request: &ir::Request, model: &str, upstream: &str) -> u64 {
    (of_request(request, costs(model, upstream)).round() as u64).max(1)
}

fn of_request(request: &ir::Request, costs: &Costs) -> f64 {
    let mut tokens = costs.base + costs.message * count(request.messages.len());
    if !request.instructions.is_empty() {
        tokens += costs.system;
    }
    tokens += costs.text * request.instructions.iter().map(|instruction| text(&instruction.text)).sum::<f64>();
    if !request.tools.is_empty() {
        tokens += costs.tools + costs.tool * count(request.tools.len());
    }
    tokens += request.tools.iter().map(|tool| declaration(tool, costs)).sum::<f64>();
    match &request.output.format {
        ir::Format::Text | ir::Format::Json => {}
        ir::Format::Schema(schema) => tokens += costs.schema + costs.schema_text * text(schema.schema.json.as_str()),
    }
    let reasoning = &request.reasoning;
    let thinks = reasoning.mode.is_some_and(|mode| mode != ir::ReasoningMode::Off)
        || reasoning.budget.is_some_and(|budget| budget > 0)
        || reasoning.effort.is_some_and(|effort| effort > ir::Effort::None);
    if thinks {
        tokens += costs.thinking;
    }
    // Few models are shown what they thought before the user's last words, and none the state that was sealed then.
    let is_question = |message: &ir::Message| {
        message.role != ir::Role::Assistant && message.parts.iter().any(|part| matches!(part, ir::Part::Text(_)))
    };
    let question = request.messages.iter().rposition(is_question).unwrap_or_default();
    for (index, message) in request.messages.iter().enumerate() {
        for part in &message.parts {
            let is_past = index <= question;
            tokens += match part {
                ir::Part::Reasoning(past) if is_past => costs.thoughts * text(&past.text),
                _ => of_part(part, costs),
            };
            let seal = part.meta().seal.as_ref().filter(|_| !is_past);
            tokens += seal.map_or(0.0, |seal| costs.seal * count(seal.payload.len()) / 4.0);
        }
    }
    tokens
}

#[expect(clippy::cast_precision_loss, reason = "no request has that many")]
fn count(length: usize) -> f64 {
    length as f64
}

fn declaration(tool: &ir::Tool, costs: &Costs) -> f64 {
    let words =
        |name: &str, description: &Option<ir::Text>| text(name) + text(description.as_deref().unwrap_or_default());
    let (words, parameters) = match tool {
        ir::Tool::Function(tool) => {
            let schema = tool.parameters.as_ref().map_or("", |schema| schema.json.as_str());
            (words(&tool.name, &tool.description), text(schema))
        }
        ir::Tool::Custom(tool) => {
            let grammar = tool.grammar.as_ref().map_or("", |grammar| &grammar.definition);
            (words(&tool.name, &tool.description), text(grammar))
        }
        ir::Tool::Hosted(tool) => (0.0, text(tool.value.as_str())),
    };
    costs.text * words + costs.parameters * parameters
}

fn of_part(part: &ir::Part, costs: &Costs) -> f64 {
    match part {
        ir::Part::Text(part) => costs.text * text(&part.text),
        // The seal holds the thoughts; what can be read of them is a summary.
        ir::Part::Reasoning(part) if part.meta.seal.is_some() => 0.0,
        ir::Part::Reasoning(part) => costs.text * text(&part.text),
        ir::Part::Refusal(part) => costs.text * text(&part.text),
        ir::Part::ToolCall(part) => costs.call + costs.text * (text(&part.name) + text(&part.arguments)),
        ir::Part::ToolResult(part) => costs.call + part.content.iter().map(|part| of_part(part, costs)).sum::<f64>(),
        ir::Part::Opaque(part) => costs.text * text(part.value.as_str()),
        ir::Part::Media(part) => match &part.source {
            ir::MediaSource::Text(words) => costs.text * text(words),
            ir::MediaSource::Inline(_) | ir::MediaSource::Url(_) | ir::MediaSource::File { .. } => PICTURE,
        },
    }
}

/// What the frame of a message or a tool costs.
const FRAME: u64 = 4;
/// As [`PICTURE`].
const ROUGH_PICTURE: u64 = 1_000;

/// The same at a glance, for whom the order of magnitude is enough: by the length of the texts, four bytes a token, without
/// looking at them. Every request of the dialect that needs it pays for it.
#[must_use]
pub fn rough(request: &ir::Request) -> u64 {
    let mut bytes = 0;
    let mut flat = 0;
    for instruction in &request.instructions {
        bytes += instruction.text.rough_length();
        flat += FRAME;
    }
    for tool in &request.tools {
        flat += FRAME;
        bytes += match tool {
            ir::Tool::Function(tool) => {
                let schema = tool.parameters.as_ref().map_or(0, |schema| schema.json.as_str().len());
                tool.name.len() + tool.description.as_ref().map_or(0, ir::Text::rough_length) + schema
            }
            ir::Tool::Custom(tool) => tool.name.len() + tool.description.as_ref().map_or(0, ir::Text::rough_length),
            ir::Tool::Hosted(tool) => tool.value.as_str().len(),
        };
    }
    flat += FRAME * u64::try_from(request.messages.len()).unwrap_or_default();
    request.for_each_part(|part| match part {
        ir::Part::Text(part) => bytes += part.text.rough_length(),
        ir::Part::Reasoning(part) => bytes += part.text.rough_length(),
        ir::Part::Refusal(part) => bytes += part.text.rough_length(),
        ir::Part::ToolCall(part) => bytes += part.name.len() + part.arguments.rough_length(),
        ir::Part::ToolResult(_) => flat += FRAME,
        ir::Part::Opaque(part) => bytes += part.value.as_str().len(),
        ir::Part::Media(part) => match &part.source {
            ir::MediaSource::Text(text) => bytes += text.rough_length(),
            ir::MediaSource::Inline(_) | ir::MediaSource::Url(_) | ir::MediaSource::File { .. } => {
                flat += ROUGH_PICTURE
            }
        },
    });
    (u64::try_from(bytes).unwrap_or_default().div_ceil(4) + flat).max(1)
}
