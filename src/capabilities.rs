//! What a model takes: data, not code. A backend asks its [`Capabilities`], never its name.
//!
//! Everything here is a fact of the model, whichever wire it is reached by. A fact that nobody has recorded is `None`, and
//! each backend then does what most models of its dialect want. So a table, and a configuration that corrects it, are one
//! thing: [`Capabilities`] laid over [`Capabilities`] ([`Capabilities::with`]).
//!
//! # Names
//!
//! A name is read into words and a version ([`Name`]), so that `claude-opus-4-5-20251101`,
//! `anthropic/claude-opus-4.5:thinking`, `us.anthropic.claude-opus-4-5-20251101-v1:0` and `claude-opus-4-5@20251101` are
//! one: the words `claude opus`, the version 4.5. A row of [`TABLE`] fits if its words are among the name's, the first being
//! the first, and the version is in its range. All rows that fit are laid over each other in the order of the table, which
//! goes from families to single models: the most specific wins. Ranges are open at the end where the newest behaviour is
//! expected to stay, so that tomorrow's model is taken for today's.
//!
//! # Sources
//!
//! - Claude: "Thinking per model", tool choice and prefill of the Messages page (platform.claude.com: extended thinking,
//!   adaptive thinking, effort, tool use), model overview for limits of tokens, structured outputs.
//! - Gemini: `thinkingConfig` by model and thought signatures (ai.google.dev and Google Cloud: thinking, thought signatures,
//!   function calling).
//!   Addresses that Google fetches itself: Google's announcement of January 2026 and ai.google.dev's page on the input of files, which
//!   name a preview of 3 in their examples, and later ones are taken to be like it. That 2.5 takes them too is not recorded; whoever knows says so by `mediaUrls`.
//! - OpenAI: the API reference's `reasoning_effort`, which says what GPT-5, GPT-5.1 and the pro models take; the guides on
//!   reasoning and prompt caching; the effort that recorded answers name where none was asked for; the error that Chat Completions answers to tools with an effort since GPT-5.4.

use crate::ir;

/// What a model takes. `None`: not recorded, so a backend does what most models of its dialect want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The efforts it takes, `none` aside (that is [`off`](Self::off)); empty for a model that takes budgets only, or does
    /// not think.
    pub efforts: Option<Efforts>,
    /// The effort that it takes when none is asked for.
    pub default_effort: Option<ir::Effort>,
    /// Whether it takes a budget of thought, and which.
    pub budget: Option<Budget>,
    /// Whether it can be told not to think.
    pub off: Option<Extent>,
    /// Whether it can be told to think as it sees fit (Claude's `adaptive`).
    pub adaptive: Option<bool>,
    /// Whether it can be told to think only between tool calls (Claude's `between_tools`).
    pub between_tools: Option<Extent>,
    /// Whether it thinks when nothing is said about it.
    pub thinks_unasked: Option<bool>,
    /// Whether its thoughts come in words when nothing is said about it.
    pub shows_thoughts: Option<bool>,
    /// Whether it wants what it thought before its calls back: Gemini's `thoughtSignature`, DeepSeek's `reasoning_content`.
    pub signatures: Option<bool>,

    /// Whether it takes temperature, `top_p`, `top_k` and penalties.
    pub sampling: Option<Taken>,
    /// Whether it takes temperature and `top_p` at once.
    pub temperature_with_top_p: Option<bool>,
    /// Whether it takes stop sequences.
    pub stops: Option<Taken>,
    /// The longest answer that it gives, in tokens, thoughts included.
    pub max_output_tokens: Option<u64>,
    /// Whether it keeps to a schema for its answer.
    pub structured_outputs: Option<bool>,

    /// Whether it can be made to call a tool.
    pub forced_tool_choice: Option<bool>,
    /// Whether it takes free-form tools (OpenAI's `custom`).
    pub custom_tools: Option<bool>,
    /// Whether Chat Completions lets it think and have tools at once.
    pub tools_with_effort: Option<bool>,
    /// Whether its provider's own tools can stand beside functions, if what they did is shown (Gemini).
    pub hosted_with_functions: Option<bool>,
    /// Whether a tool's result may hold pictures and files (Gemini).
    pub media_in_results: Option<bool>,
    /// Whether single pictures can be looked at more closely than others (Gemini's `mediaResolution`).
    pub media_resolution: Option<bool>,
    /// Whether its provider fetches pictures and files from public addresses (Gemini); where it does not, the gateway may.
    pub media_urls: Option<bool>,

    /// Whether it goes on from a begun answer.
    pub prefill: Option<bool>,
    /// Whether the operator may speak in mid-conversation (Claude's role `system`).
    pub system_turns: Option<bool>,
    /// Whether it knows the role `developer`.
    pub developer_role: Option<bool>,
    /// Whether it takes marks of what to cache (OpenAI's `prompt_cache_breakpoint`).
    pub cache_marks: Option<bool>,
    /// Whether Chat Completions calls the limit of its tokens `max_completion_tokens`, not `max_tokens`.
    pub max_completion_tokens: Option<bool>,
    /// Whether Chat Completions calls the end user `safety_identifier`, not `user`.
    pub safety_identifier: Option<bool>,
}

/// A set of efforts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Efforts(u8);

/// A budget of thought, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// It takes none.
    Refused,
    /// From `least` to `most`; without `most` it is bounded by the limit of the answer alone.
    Taken {
        /// The least above 0.
        least: i64,
        /// The greatest.
        most: Option<i64>,
    },
}

/// Up to which effort something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// It does not.
    Never,
    /// Up to this effort.
    UpTo(ir::Effort),
    /// With any.
    Always,
}

/// When something is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Always.
    Always,
    /// Only when the model does not think.
    WithoutThought,
    /// Never: it is refused.
    Never,
}

impl Taken {
    /// Whether it is taken by a model that thinks, or does not.
    #[must_use]
    pub fn holds(self, thinks: bool) -> bool {
        match self {
            Self::Always => true,
            Self::WithoutThought => !thinks,
            Self::Never => false,
        }
    }
}

impl Extent {
    /// The greatest effort that it goes with, if it goes at all.
    #[must_use]
    pub fn most(self) -> Option<ir::Effort> {
        match self {
            Self::Never => None,
            Self::UpTo(effort) => Some(effort),
            Self::Always => Some(ir::Effort::Max),
        }
    }
}

impl Efforts {
    /// None at all.
    pub const EMPTY: Self = Self(0);
    /// Every effort, weakest first; `none` is no member of a set.
    const ALL: [ir::Effort; 6] = [
        ir::Effort::Minimal,
        ir::Effort::Low,
        ir::Effort::Medium,
        ir::Effort::High,
        ir::Effort::Xhigh,
        ir::Effort::Max,
    ];

    /// These with another; `none` changes nothing.
    #[must_use]
    pub const fn and(self, effort: ir::Effort) -> Self {
        Self(self.0 | Self::bit(effort))
    }

    /// All from one to another.
    #[must_use]
    pub const fn range(least: ir::Effort, most: ir::Effort) -> Self {
        let below = Self::bit(least).saturating_sub(1);
        let up_to = Self::bit(most).saturating_mul(2).saturating_sub(1);
        Self(up_to & !below)
    }

    const fn bit(effort: ir::Effort) -> u8 {
        match effort {
            ir::Effort::None => 0,
            ir::Effort::Minimal => 1,
            ir::Effort::Low => 2,
            ir::Effort::Medium => 4,
            ir::Effort::High => 8,
            ir::Effort::Xhigh => 16,
            ir::Effort::Max => 32,
        }
    }

    /// Whether it is one of them.
    #[must_use]
    pub const fn has(self, effort: ir::Effort) -> bool {
        self.0 & Self::bit(effort) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All of them, weakest first.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = ir::Effort> {
        Self::ALL.into_iter().filter(move |effort| self.has(*effort))
    }

    /// The effort itself, else the next lower one that is taken, else the least; nothing if none is.
    #[must_use]
    pub fn nearest(self, effort: ir::Effort) -> Option<ir::Effort> {
        self.iter().rfind(|taken| *taken <= effort).or_else(|| self.iter().next())
    }
}

impl std::fmt::Debug for Efforts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Capabilities {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        efforts: None,
        default_effort: None,
        budget: None,
        off: None,
        adaptive: None,
        between_tools: None,
        thinks_unasked: None,
        shows_thoughts: None,
        signatures: None,
        sampling: None,
        temperature_with_top_p: None,
        stops: None,
        max_output_tokens: None,
        structured_outputs: None,
        forced_tool_choice: None,
        custom_tools: None,
        tools_with_effort: None,
        hosted_with_functions: None,
        media_in_results: None,
        media_resolution: None,
        media_urls: None,
        prefill: None,
        system_turns: None,
        developer_role: None,
        cache_marks: None,
        max_completion_tokens: None,
        safety_identifier: None,
    };

    /// What the model of a name takes, as the table has it.
    #[must_use]
    pub fn of(model: &str) -> Self {
        let name = Name::read(model);
        let rows = TABLE.iter().filter(|row| row.fits(&name));
        rows.fold(Self::UNKNOWN, |known, row| known.with(&row.takes))
    }

    /// These, with what `overrides` knows better.
    #[must_use]
    pub fn with(self, overrides: &Self) -> Self {
        let better = *overrides;
        Self {
            efforts: better.efforts.or(self.efforts),
            default_effort: better.default_effort.or(self.default_effort),
            budget: better.budget.or(self.budget),
            off: better.off.or(self.off),
            adaptive: better.adaptive.or(self.adaptive),
            between_tools: better.between_tools.or(self.between_tools),
            thinks_unasked: better.thinks_unasked.or(self.thinks_unasked),
            shows_thoughts: better.shows_thoughts.or(self.shows_thoughts),
            signatures: better.signatures.or(self.signatures),
            sampling: better.sampling.or(self.sampling),
            temperature_with_top_p: better.temperature_with_top_p.or(self.temperature_with_top_p),
            stops: better.stops.or(self.stops),
            max_output_tokens: better.max_output_tokens.or(self.max_output_tokens),
            structured_outputs: better.structured_outputs.or(self.structured_outputs),
            forced_tool_choice: better.forced_tool_choice.or(self.forced_tool_choice),
            custom_tools: better.custom_tools.or(self.custom_tools),
            tools_with_effort: better.tools_with_effort.or(self.tools_with_effort),
            hosted_with_functions: better.hosted_with_functions.or(self.hosted_with_functions),
            media_in_results: better.media_in_results.or(self.media_in_results),
            media_resolution: better.media_resolution.or(self.media_resolution),
            media_urls: better.media_urls.or(self.media_urls),
            prefill: better.prefill.or(self.prefill),
            system_turns: better.system_turns.or(self.system_turns),
            developer_role: better.developer_role.or(self.developer_role),
            cache_marks: better.cache_marks.or(self.cache_marks),
            max_completion_tokens: better.max_completion_tokens.or(self.max_completion_tokens),
            safety_identifier: better.safety_identifier.or(self.safety_identifier),
        }
    }

    /// Whether it thinks when this effort is asked for. A model of which nobody knows is taken to think.
    #[must_use]
    pub fn thinks(&self, effort: Option<ir::Effort>) -> bool {
        match effort {
            Some(ir::Effort::None) => false,
            Some(_) => true,
            None => self.thinks_unasked.unwrap_or(true),
        }
    }
}

/// A version: major and minor.
type Version = (u16, u16);

/// A model's name, read: its words, and its version if it tells one.
#[derive(Debug)]
struct Name {
    words: Vec<String>,
    version: Option<Version>,
}

impl Name {
    /// Reads a name without the folders and regions in front of it, the date, platform's version and variant behind it.
    fn read(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let name = name.split(['@', ':']).next().unwrap_or_default();
        let mut words: Vec<String> = Vec::new();
        let mut version: Option<Version> = None;
        // A lone major number may have its minor one as the next word.
        let mut is_minor_next = false;
        for word in without_regions(name).split('-') {
            let is_minor_here = std::mem::take(&mut is_minor_next);
            if let Some(number) = short_number(word).filter(|_| is_minor_here) {
                version = version.map(|(major, _)| (major, number));
                continue;
            }
            if let Some(found) = read_version(word).filter(|_| version.is_none() && matches!(words.len(), 1 | 2)) {
                version = Some(found);
                is_minor_next = !word.contains('.');
                continue;
            }
            // `o3` is the family o in its third version.
            if let (true, Some(digits)) = (words.is_empty(), word.strip_prefix('o'))
                && let Some(major) = short_number(digits)
            {
                words.push("o".to_owned());
                version = Some((major, 0));
                continue;
            }
            words.push(word.to_owned());
        }
        Self { words, version }
    }
}

/// `us.anthropic.claude-opus-4-5` without `us.anthropic.`: letters alone stand before those dots.
fn without_regions(name: &str) -> &str {
    let mut rest = name;
    while let Some((region, behind)) = rest.split_once('.') {
        if region.is_empty() || !region.chars().all(|c| c.is_ascii_alphabetic()) {
            break;
        }
        rest = behind;
    }
    rest
}

/// `4` and `4.5`, but no date.
fn read_version(word: &str) -> Option<Version> {
    let (major, minor) = word.split_once('.').unwrap_or((word, "0"));
    Some((short_number(major)?, short_number(minor)?))
}

/// A number of one or two digits.
fn short_number(word: &str) -> Option<u16> {
    let is_short = (1..=2).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|_| is_short)
}

/// A row of the table: whom it is about, and what they take that was not said before.
struct Row {
    /// The family, then words that have to stand in the name.
    words: &'static [&'static str],
    /// The first version that it is about, and the first that it is no longer about.
    versions: Option<(Version, Version)>,
    takes: Capabilities,
}

impl Row {
    fn fits(&self, name: &Name) -> bool {
        let is_family = self.words.first().copied() == name.words.first().map(String::as_str);
        let in_range = |(from, before): (Version, Version)| {
            name.version.is_some_and(|version| from <= version && version < before)
        };
        is_family
            && self.words.iter().all(|word| name.words.iter().any(|other| other == word))
            && self.versions.is_none_or(in_range)
    }
}

/// Every version up to this one, and every one since.
const FIRST: Version = (0, 0);
const LAST: Version = (u16::MAX, 0);

const fn all(words: &'static [&'static str], takes: Capabilities) -> Row {
    Row { words, versions: None, takes }
}

const fn row(words: &'static [&'static str], from: Version, before: Version, takes: Capabilities) -> Row {
    Row { words, versions: Some((from, before)), takes }
}

const fn budget(least: i64, most: i64) -> Option<Budget> {
    Some(Budget::Taken { least, most: Some(most) })
}

const UNKNOWN: Capabilities = Capabilities::UNKNOWN;
const LOW_TO_HIGH: Efforts = Efforts::range(ir::Effort::Low, ir::Effort::High);

/// What is known, from families to single models. A later row is laid over the earlier ones.
static TABLE: &[Row] = &[
    // Claude. Up to 4.5 thought is asked for by a budget, and off unless asked for; what it says comes in words.
    row(
        &["claude"],
        FIRST,
        (4, 6),
        Capabilities {
            efforts: Some(Efforts::EMPTY),
            budget: Some(Budget::Taken { least: 1_024, most: None }),
            off: Some(Extent::Always),
            adaptive: Some(false),
            between_tools: Some(Extent::Never),
            thinks_unasked: Some(false),
            shows_thoughts: Some(true),
            sampling: Some(Taken::Always),
            forced_tool_choice: Some(true),
            prefill: Some(true),
            max_output_tokens: Some(64_000),
            ..UNKNOWN
        },
    ),
    row(&["claude"], FIRST, (4, 5), Capabilities { temperature_with_top_p: Some(true), ..UNKNOWN }),
    row(&["claude"], (4, 5), LAST, Capabilities { temperature_with_top_p: Some(false), ..UNKNOWN }),
    row(&["claude"], FIRST, (4, 5), Capabilities { structured_outputs: Some(false), ..UNKNOWN }),
    row(&["claude", "opus"], (4, 1), (4, 5), Capabilities { structured_outputs: Some(true), ..UNKNOWN }),
    row(&["claude"], (4, 5), LAST, Capabilities { structured_outputs: Some(true), ..UNKNOWN }),
    // Before 3.7 no Claude thinks.
    row(
        &["claude"],
        FIRST,
        (3, 7),
        Capabilities { budget: Some(Budget::Refused), max_output_tokens: Some(8_192), ..UNKNOWN },
    ),
    row(&["claude"], FIRST, (3, 5), Capabilities { max_output_tokens: Some(4_096), ..UNKNOWN }),
    row(&["claude", "opus"], (4, 0), (4, 5), Capabilities { max_output_tokens: Some(32_000), ..UNKNOWN }),
    row(&["claude", "opus"], (4, 5), (4, 6), Capabilities { efforts: Some(LOW_TO_HIGH), ..UNKNOWN }),
    // Since 4.6 by an effort; a begun answer is refused.
    row(
        &["claude"],
        (4, 6),
        LAST,
        Capabilities { adaptive: Some(true), between_tools: Some(Extent::Never), prefill: Some(false), ..UNKNOWN },
    ),
    row(
        &["claude"],
        (4, 6),
        (4, 7),
        Capabilities {
            efforts: Some(LOW_TO_HIGH.and(ir::Effort::Max)),
            default_effort: Some(ir::Effort::High),
            budget: Some(Budget::Taken { least: 1_024, most: None }),
            off: Some(Extent::Always),
            thinks_unasked: Some(false),
            shows_thoughts: Some(true),
            sampling: Some(Taken::Always),
            forced_tool_choice: Some(true),
            ..UNKNOWN
        },
    ),
    // Since 4.7 by an effort alone, and no sampling.
    row(
        &["claude"],
        (4, 7),
        LAST,
        Capabilities {
            efforts: Some(Efforts::range(ir::Effort::Low, ir::Effort::Max)),
            budget: Some(Budget::Refused),
            sampling: Some(Taken::Never),
            ..UNKNOWN
        },
    ),
    row(&["claude"], FIRST, (4, 8), Capabilities { system_turns: Some(false), ..UNKNOWN }),
    row(&["claude", "opus"], (4, 8), LAST, Capabilities { system_turns: Some(true), ..UNKNOWN }),
    row(
        &["claude", "opus"],
        (4, 7),
        LAST,
        Capabilities {
            default_effort: Some(ir::Effort::High),
            off: Some(Extent::Always),
            thinks_unasked: Some(false),
            shows_thoughts: Some(false),
            forced_tool_choice: Some(true),
            ..UNKNOWN
        },
    ),
    // Since 5 they think unless told otherwise; the largest cannot be told so.
    row(&["claude"], (5, 0), LAST, Capabilities { thinks_unasked: Some(true), ..UNKNOWN }),
    row(&["claude", "opus"], (5, 0), LAST, Capabilities { off: Some(Extent::UpTo(ir::Effort::High)), ..UNKNOWN }),
    row(
        &["claude", "opus"],
        (5, 5),
        LAST,
        Capabilities {
            default_effort: Some(ir::Effort::Medium),
            off: Some(Extent::Never),
            forced_tool_choice: Some(false),
            ..UNKNOWN
        },
    ),
    row(
        &["claude", "sonnet"],
        (5, 0),
        LAST,
        Capabilities {
            default_effort: Some(ir::Effort::High),
            off: Some(Extent::Always),
            shows_thoughts: Some(false),
            ..UNKNOWN
        },
    ),
    row(
        &["claude", "sonnet"],
        (5, 5),
        LAST,
        Capabilities {
            off: Some(Extent::Never),
            between_tools: Some(Extent::UpTo(ir::Effort::High)),
            forced_tool_choice: Some(false),
            ..UNKNOWN
        },
    ),
    row(
        &["claude", "haiku"],
        (5, 5),
        LAST,
        Capabilities { default_effort: Some(ir::Effort::Medium), off: Some(Extent::Always), ..UNKNOWN },
    ),
    row(
        &["claude", "fable"],
        (5, 0),
        LAST,
        Capabilities { off: Some(Extent::Never), shows_thoughts: Some(false), ..UNKNOWN },
    ),
    row(&["claude", "fable"], (5, 0), (5, 1), Capabilities { default_effort: Some(ir::Effort::High), ..UNKNOWN }),
    row(&["claude", "fable"], (5, 1), LAST, Capabilities { forced_tool_choice: Some(false), ..UNKNOWN }),
    row(
        &["claude", "mythos"],
        (5, 0),
        LAST,
        Capabilities { off: Some(Extent::Never), shows_thoughts: Some(false), ..UNKNOWN },
    ),
    row(&["claude", "mythos"], (5, 0), (5, 1), Capabilities { default_effort: Some(ir::Effort::High), ..UNKNOWN }),
    // Gemini. Before 3 by a budget, before 2.5 not at all; no signatures, no media in results.
    row(
        &["gemini"],
        FIRST,
        (3, 0),
        Capabilities {
            efforts: Some(Efforts::EMPTY),
            signatures: Some(false),
            hosted_with_functions: Some(false),
            media_in_results: Some(false),
            media_resolution: Some(false),
            media_urls: Some(false),
            ..UNKNOWN
        },
    ),
    row(
        &["gemini"],
        FIRST,
        (2, 5),
        Capabilities {
            budget: Some(Budget::Refused),
            off: Some(Extent::Always),
            thinks_unasked: Some(false),
            ..UNKNOWN
        },
    ),
    row(
        &["gemini"],
        (2, 5),
        (3, 0),
        Capabilities { budget: budget(1, 24_576), off: Some(Extent::Always), thinks_unasked: Some(true), ..UNKNOWN },
    ),
    row(
        &["gemini", "pro"],
        (2, 5),
        (3, 0),
        Capabilities { budget: budget(128, 32_768), off: Some(Extent::Never), ..UNKNOWN },
    ),
    row(
        &["gemini", "flash", "lite"],
        (2, 5),
        (3, 0),
        Capabilities { budget: budget(512, 24_576), thinks_unasked: Some(false), ..UNKNOWN },
    ),
    row(
        &["gemini"],
        (3, 0),
        LAST,
        Capabilities {
            efforts: Some(LOW_TO_HIGH),
            budget: Some(Budget::Refused),
            off: Some(Extent::Never),
            thinks_unasked: Some(true),
            signatures: Some(true),
            hosted_with_functions: Some(true),
            media_in_results: Some(true),
            media_resolution: Some(true),
            media_urls: Some(true),
            ..UNKNOWN
        },
    ),
    row(&["gemini", "pro"], (3, 0), LAST, Capabilities { default_effort: Some(ir::Effort::High), ..UNKNOWN }),
    row(
        &["gemini", "flash"],
        (3, 0),
        (3, 7),
        Capabilities { efforts: Some(LOW_TO_HIGH.and(ir::Effort::Minimal)), ..UNKNOWN },
    ),
    row(&["gemini", "flash"], (3, 0), (3, 1), Capabilities { default_effort: Some(ir::Effort::High), ..UNKNOWN }),
    row(&["gemini", "flash"], (3, 5), (3, 9), Capabilities { default_effort: Some(ir::Effort::Medium), ..UNKNOWN }),
    row(
        &["gemini", "flash", "lite"],
        (3, 1),
        (3, 6),
        Capabilities { default_effort: Some(ir::Effort::Minimal), ..UNKNOWN },
    ),
    // OpenAI. Its own models have the newest spellings, wherever they are hosted; the open one has none of them.
    all(&["gpt"], NEWEST),
    all(&["chatgpt"], NEWEST),
    all(&["codex"], NEWEST),
    row(&["o"], FIRST, LAST, NEWEST),
    all(
        &["gpt", "oss"],
        Capabilities {
            developer_role: Some(false),
            max_completion_tokens: Some(false),
            safety_identifier: Some(false),
            ..UNKNOWN
        },
    ),
    row(
        &["o"],
        FIRST,
        LAST,
        Capabilities {
            efforts: Some(LOW_TO_HIGH),
            default_effort: Some(ir::Effort::Medium),
            off: Some(Extent::Never),
            thinks_unasked: Some(true),
            sampling: Some(Taken::WithoutThought),
            ..UNKNOWN
        },
    ),
    row(&["o"], (3, 0), LAST, Capabilities { stops: Some(Taken::WithoutThought), ..UNKNOWN }),
    // DeepSeek's guide to its thinking mode, and the like of Moonshot's: calls without their thoughts are refused.
    all(&["deepseek"], Capabilities { signatures: Some(true), ..UNKNOWN }),
    all(&["kimi"], Capabilities { signatures: Some(true), ..UNKNOWN }),
    row(&["o", "mini"], (3, 0), (4, 0), Capabilities { stops: Some(Taken::Always), ..UNKNOWN }),
    row(
        &["gpt"],
        (5, 0),
        LAST,
        Capabilities {
            sampling: Some(Taken::WithoutThought),
            stops: Some(Taken::WithoutThought),
            custom_tools: Some(true),
            ..UNKNOWN
        },
    ),
    row(
        &["gpt"],
        (5, 0),
        (5, 1),
        Capabilities {
            efforts: Some(LOW_TO_HIGH.and(ir::Effort::Minimal)),
            default_effort: Some(ir::Effort::Medium),
            off: Some(Extent::Never),
            thinks_unasked: Some(true),
            ..UNKNOWN
        },
    ),
    row(&["gpt"], (5, 1), LAST, Capabilities { off: Some(Extent::Always), ..UNKNOWN }),
    row(&["gpt"], (5, 1), (5, 2), Capabilities { efforts: Some(LOW_TO_HIGH), ..UNKNOWN }),
    row(&["gpt"], (5, 1), (5, 5), Capabilities { thinks_unasked: Some(false), ..UNKNOWN }),
    row(
        &["gpt"],
        (5, 5),
        LAST,
        Capabilities { default_effort: Some(ir::Effort::Medium), thinks_unasked: Some(true), ..UNKNOWN },
    ),
    row(&["gpt"], (5, 2), (5, 6), Capabilities { efforts: Some(LOW_TO_HIGH.and(ir::Effort::Xhigh)), ..UNKNOWN }),
    row(&["gpt"], (5, 4), LAST, Capabilities { tools_with_effort: Some(false), ..UNKNOWN }),
    row(
        &["gpt"],
        (5, 6),
        LAST,
        Capabilities {
            efforts: Some(Efforts::range(ir::Effort::Low, ir::Effort::Max)),
            cache_marks: Some(true),
            ..UNKNOWN
        },
    ),
    row(&["gpt", "astra"], (6, 0), (6, 1), Capabilities { off: Some(Extent::Never), ..UNKNOWN }),
    row(&["gpt", "sol"], (6, 1), (6, 2), Capabilities { off: Some(Extent::Never), ..UNKNOWN }),
    // Variants that think whatever the model beside them does, and one that does not.
    row(&["gpt", "codex"], (5, 0), LAST, Capabilities { thinks_unasked: Some(true), ..UNKNOWN }),
    row(
        &["gpt", "codex", "max"],
        (5, 1),
        (5, 2),
        Capabilities { efforts: Some(LOW_TO_HIGH.and(ir::Effort::Xhigh)), ..UNKNOWN },
    ),
    row(&["gpt", "pro"], (5, 0), LAST, Capabilities { thinks_unasked: Some(true), ..UNKNOWN }),
    row(
        &["gpt", "pro"],
        (5, 0),
        (5, 1),
        Capabilities {
            efforts: Some(Efforts::EMPTY.and(ir::Effort::High)),
            default_effort: Some(ir::Effort::High),
            ..UNKNOWN
        },
    ),
    row(
        &["gpt", "chat"],
        (5, 0),
        (5, 1),
        Capabilities {
            thinks_unasked: Some(false),
            sampling: Some(Taken::Always),
            stops: Some(Taken::Always),
            ..UNKNOWN
        },
    ),
];

/// The newest spellings of Chat Completions.
const NEWEST: Capabilities = Capabilities {
    developer_role: Some(true),
    max_completion_tokens: Some(true),
    safety_identifier: Some(true),
    ..UNKNOWN
};
