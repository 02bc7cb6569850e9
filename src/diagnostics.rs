//! Losses are typed: what was lost or changed on the way, by a stable code, a level, a place and a few words.

use serde::Serialize;

/// What happens when a loss is found. Ordered from silent to refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Not reported.
    Allow,
    /// Reported: an approximation.
    Note,
    /// Reported: something that was asked for is lost or weakened.
    Warn,
    /// The request is refused before anything is sent: the meaning would change.
    Deny,
}

impl Level {
    /// The level of a name in the configuration.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "allow" => Some(Self::Allow),
            "note" => Some(Self::Note),
            "warn" => Some(Self::Warn),
            "deny" => Some(Self::Deny),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }
}

/// A kind of loss.
#[derive(Debug)]
pub struct Code {
    /// Stable, kebab-case.
    pub name: &'static str,
    /// The level unless the configuration says otherwise.
    pub level: Level,
    /// What it means, in a sentence: for `any-api codes`, which the Worker has not.
    #[cfg(feature = "native")]
    pub meaning: &'static str,
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// A loss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnostic {
    /// What kind.
    pub code: &'static Code,
    /// Where, in the client's document (in the upstream's, for losses on the way back).
    pub place: String,
    /// In a few words.
    pub message: String,
}

/// The levels that a configuration sets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Levels {
    /// For codes that are not named.
    pub default: Option<Level>,
    /// For single codes.
    pub codes: Vec<(&'static Code, Level)>,
    /// Every warning is a refusal (`x-any-api-strict: 1`).
    pub strict: bool,
}

impl Levels {
    /// The level of `code`.
    #[must_use]
    pub fn level(&self, code: &Code) -> Level {
        let named = self.codes.iter().find(|(other, _)| *other == code).map(|(_, level)| *level);
        let level = named.or(self.default).unwrap_or(code.level);
        if self.strict && level == Level::Warn { Level::Deny } else { level }
    }
}

macro_rules! codes {
    ($($constant:ident $name:literal $level:ident $meaning:literal;)*) => {
        /// The catalogue.
        pub mod codes {
            use super::{Code, Level};
            $(
                #[doc = $meaning]
                pub static $constant: Code = Code {
                    name: $name,
                    level: Level::$level,
                    #[cfg(feature = "native")]
                    meaning: $meaning,
                };
            )*
            /// All codes, in the order of the catalogue.
            pub static ALL: &[&Code] = &[$(&$constant),*];
        }
    };
}

codes! {
    UNKNOWN_FIELD "unknown-field" Warn "A field that the gateway does not know; kept only when client and upstream speak the same dialect.";
    REASONING_STATE_FOREIGN "reasoning-state-foreign" Note "Opaque reasoning of another provider or model was left out of the history.";
    REASONING_STATE_MISSING "reasoning-state-missing" Note "The upstream wants reasoning state that the history lacks; a stand-in was sent, or thinking was switched off.";
    REASONING_DROPPED "reasoning-dropped" Note "Thoughts in the history have no place in the upstream's dialect.";
    REASONING_OPTION_LOST "reasoning-option-lost" Warn "A way of reasoning that only the client's dialect can ask for.";
    EFFORT_APPROXIMATED "effort-approximated" Note "The upstream has no such effort; the nearest one was asked for.";
    BUDGET_TO_EFFORT "budget-to-effort" Note "A budget of thought was turned into an effort, by the documented table.";
    EFFORT_TO_BUDGET "effort-to-budget" Note "An effort was turned into a budget of thought, by the documented table.";
    THINKING_CANNOT_BE_DISABLED "thinking-cannot-be-disabled" Warn "The upstream's model always thinks; the least effort was asked for.";
    SAMPLING_DROPPED "sampling-dropped" Warn "A sampling parameter has no counterpart.";
    VALUE_CLAMPED "value-clamped" Warn "A value lies outside the upstream's range and was moved into it.";
    STOP_UNSUPPORTED "stop-unsupported" Warn "The upstream has no stop sequences; the gateway cuts the answer's words at them.";
    N_UNSUPPORTED "n-unsupported" Deny "More than one candidate can be asked for in the same dialect only.";
    LOGPROBS_UNSUPPORTED "logprobs-unsupported" Warn "The upstream gives no log probabilities.";
    MODALITY_UNSUPPORTED "modality-unsupported" Deny "The upstream cannot take or make this kind of media.";
    MEDIA_URL_UNSUPPORTED "media-url-unsupported" Deny "The upstream takes this kind of media inline only, not by its address; the gateway can fetch it (`fetchMedia` in the configuration).";
    MEDIA_FETCH_EMULATED "media-fetch-emulated" Note "The upstream takes this kind of media inline only; the gateway fetched it (`fetchMedia` in the configuration).";
    FILE_ID_NOT_PORTABLE "file-id-not-portable" Deny "An id that only another provider knows.";
    TOOL_RESULT_MEDIA_MOVED "tool-result-media-moved" Warn "A picture or file of a tool's result was moved behind it, into the user's turn.";
    TOOL_ERROR_FLAG_TEXTUAL "tool-error-flag-textual" Note "That a tool failed is said in words.";
    TOOL_NAME_REWRITTEN "tool-name-rewritten" Note "A tool's name that the upstream refuses was rewritten; answers carry the client's name again.";
    TOOL_ID_REWRITTEN "tool-id-rewritten" Note "A call's id that the upstream refuses was rewritten.";
    TOOL_ID_SYNTHESISED "tool-id-synthesised" Note "A call without an id was given one.";
    TOOL_ARGUMENTS_WRAPPED "tool-arguments-wrapped" Warn "A call's arguments are no JSON object; they were put inside one.";
    TOOL_RESULT_SYNTHESISED "tool-result-synthesised" Warn "A call without a result was given one that says so, since the upstream wants one.";
    TOOL_RESULT_ORPHAN "tool-result-orphan" Warn "A result for no call in the history is told as the user's words.";
    TOOL_RESULT_REORDERED "tool-result-reordered" Note "Results were moved behind the calls they answer.";
    TOOL_SCHEMA_REWRITTEN "tool-schema-rewritten" Warn "Keywords of a schema were removed, or moved into its description.";
    TOOL_OPTION_LOST "tool-option-lost" Note "An option of a tool that only the client's dialect has.";
    STRICT_NOT_ENFORCED "strict-not-enforced" Warn "The upstream does not promise to keep to the schema.";
    STRICT_ENFORCED "strict-enforced" Note "The upstream keeps to the schema of the answer, though it was asked not to.";
    TOOL_CHOICE_WEAKENED "tool-choice-weakened" Warn "The upstream cannot be made to call this tool, or only these.";
    PARALLEL_CONTROL_LOST "parallel-control-lost" Warn "The upstream cannot be kept from calling several tools at once.";
    CUSTOM_TOOL_AS_FUNCTION "custom-tool-as-function" Warn "A free-form tool became a function with one text; its grammar is not enforced.";
    NAMESPACE_FLATTENED "namespace-flattened" Note "Tools of a name space became tools of their own; answers carry the name space again.";
    BUILTIN_TOOL_UNSUPPORTED "builtin-tool-unsupported" Deny "The upstream has no such hosted tool.";
    BUILTIN_TOOL_LEFT_OUT "builtin-tool-left-out" Warn "The upstream has no such hosted tool; the client's own tools, which stood beside it, are left.";
    BUILTIN_TOOL_AS_FUNCTION "builtin-tool-as-function" Note "A tool of the client's dialect that the client runs itself became a function; calls of it come back in its own form.";
    BUILTIN_TOOL_OPTIONS_LOST "builtin-tool-options-lost" Warn "An option of a hosted tool has no counterpart.";
    MCP_LIMIT_UNSUPPORTED "mcp-limit-unsupported" Deny "The upstream cannot be told to ask before it calls tools of an MCP server, to offer only some of them, or to send headers.";
    INSTRUCTION_MOVED "instruction-moved" Warn "Operator's words in mid-conversation were moved, or became the user's.";
    ROLE_DISTINCTION_LOST "role-distinction-lost" Note "System and developer, or a participant's name, are not told apart.";
    TURN_INSERTED "turn-inserted" Warn "The upstream wants the user to speak first and last; a turn of the user's was put there.";
    PREFILL_UNSUPPORTED "prefill-unsupported" Deny "The upstream does not go on from a begun answer.";
    PREFILL_AS_HISTORY "prefill-as-history" Warn "The upstream takes a begun answer as history, and need not go on from it.";
    ASSISTANT_MEDIA_MOVED "assistant-media-moved" Warn "A picture that the model made is shown to it in the user's turn.";
    CACHE_HINT_LOST "cache-hint-lost" Note "A wish about prompt caching has no counterpart.";
    CACHE_TTL_APPROXIMATED "cache-ttl-approximated" Note "The upstream keeps caches for other durations; the nearest longer one was asked for.";
    METADATA_LOST "metadata-lost" Note "The client's own book-keeping has no place.";
    END_USER_ID_LOST "end-user-id-lost" Note "The end user's id has no place.";
    SERVICE_TIER_APPROXIMATED "service-tier-approximated" Note "The upstream has other speed and price classes.";
    VERBOSITY_LOST "verbosity-lost" Warn "The upstream has no verbosity.";
    JSON_MODE_EMULATED "json-mode-emulated" Warn "JSON was asked for in words; the upstream has no JSON mode.";
    STRUCTURED_OUTPUT_EMULATED "structured-output-emulated" Warn "A schema for the answer is not fully enforced.";
    SAFETY_SETTINGS_LOST "safety-settings-lost" Warn "Safety settings have no counterpart.";
    SERVER_STATE_UNSUPPORTED "server-state-unsupported" Deny "State kept by a provider, or a mode that needs it.";
    COMPACTION_EMULATED "compaction-emulated" Warn "The conversation is to be summed up by its provider; the upstream's model writes the summary, in words.";
    CONTEXT_MANAGEMENT_LOST "context-management-lost" Warn "The upstream does not shorten long conversations by itself.";
    STORE_LOST "store-lost" Note "The upstream keeps no answers.";
    OPTION_LOST "option-lost" Note "An option that only the client's dialect has.";
    HOSTED_TRACE_LOST "hosted-trace-lost" Warn "What a hosted tool did earlier is left out; what it found stands in the text.";
    MAX_TOKENS_DEFAULTED "max-tokens-defaulted" Note "The upstream needs a limit of tokens; the configured default was sent.";
    MEDIA_DETAIL_LOST "media-detail-lost" Note "How closely a picture is to be looked at, or a file's title, cannot be said.";
    CONTENT_AS_TEXT "content-as-text" Warn "A part that the upstream has no form for is told in words.";
    CONTENT_DROPPED "content-dropped" Deny "A part that the upstream has no form for would be lost.";
    CITATIONS_LOST "citations-lost" Warn "Citations in the history, or the wish for them, cannot be said.";
    CITATION_DEGRADED "citation-degraded" Note "A citation of the answer lost its place or its kind.";
    BLOCK_ORDER_LOST "block-order-lost" Note "The order of text, calls and thoughts in the answer cannot be said.";
    REASONING_HIDDEN "reasoning-hidden" Note "Thoughts in the answer cannot be shown to this client.";
    STOP_DETAIL_LOST "stop-detail-lost" Note "Why the answer ended is told more coarsely.";
    ANSWER_PART_DROPPED "answer-part-dropped" Warn "A part of the answer has no form in the client's dialect.";
    ANSWER_DETAIL_LOST "answer-detail-lost" Allow "A field of the answer that only the upstream's dialect has.";
    UPSTREAM_ODDITY "upstream-oddity" Note "The upstream said something that its dialect does not know; it was passed over.";
    THREAD_UNSUPPORTED "thread-unsupported" Deny "Claude's server-side threads; its SDKs send the whole history when they are refused.";
    WIRE_FORM "wire-form" Allow "How the client spelled what other dialects spell in one way only; nothing is lost.";
    INSTRUCTIONS_MOVED "instructions-moved" Note "The quirk noInstructions moved the instructions into a leading developer message.";
    INSTRUCTIONS_TRUNCATED "instructions-truncated" Warn "The quirk maxInstructionsChars cut the instructions.";
    PREVIOUS_RESPONSE_DROPPED "previous-response-dropped" Deny "The upstream keeps no state, and the history of previous_response_id cannot be put back.";
}

/// The code of a name in the configuration.
#[must_use]
pub fn named(name: &str) -> Option<&'static Code> {
    codes::ALL.iter().copied().find(|code| code.name == name)
}
