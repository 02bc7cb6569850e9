//! The settings of a request, by name.

/// A setting of a [`super::Request`], or of a node in it: how a backend names what it cannot say. Where it stands in the client's document only
/// the frontend knows; [`crate::context::Cx::report_setting`] looks it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// [`super::Request::instructions`].
    Instructions,
    /// [`super::Request::messages`].
    Messages,
    /// [`super::Request::tool_choice`].
    ToolChoice,
    /// [`super::Request::parallel_tool_calls`].
    ParallelToolCalls,
    /// [`super::Sampling::temperature`].
    Temperature,
    /// [`super::Sampling::top_p`].
    TopP,
    /// [`super::Sampling::top_k`].
    TopK,
    /// [`super::Sampling::seed`].
    Seed,
    /// [`super::Sampling::presence_penalty`].
    PresencePenalty,
    /// [`super::Sampling::frequency_penalty`].
    FrequencyPenalty,
    /// [`super::Sampling::stop`].
    Stop,
    /// [`super::Sampling::logprobs`].
    Logprobs,
    /// [`super::Request::max_output_tokens`].
    MaxOutputTokens,
    /// [`super::Request::prewarm`].
    Prewarm,
    /// [`super::Output::format`].
    Format,
    /// The name of [`super::OutputSchema`].
    FormatName,
    /// The description of [`super::OutputSchema`].
    FormatDescription,
    /// [`super::Output::verbosity`].
    Verbosity,
    /// [`super::ReasoningConfig`]: its mode, or all of it.
    Reasoning,
    /// [`super::ReasoningConfig::effort`].
    Effort,
    /// [`super::ReasoningConfig::budget`].
    Budget,
    /// [`super::ReasoningConfig::visibility`].
    Visibility,
    /// [`super::Session::previous_response_id`].
    PreviousResponse,
    /// [`super::Session::conversation`].
    Conversation,
    /// [`super::Session::store`].
    Store,
    /// [`super::Caller::user`].
    User,
    /// [`super::Caller::metadata`].
    Metadata,
    /// [`super::Caller::tier`].
    Tier,
    /// [`super::Caller::cache_key`].
    CacheKey,
    /// [`super::Function::strict`]. The places of this one and of those that follow are told from their nodes.
    Strict,
    /// [`super::Function::parameters`].
    Parameters,
    /// [`super::Meta::cache`].
    CacheMark,
    /// [`super::Media::detail`].
    Detail,
    /// [`super::Media::name`].
    FileName,
    /// [`super::TextPart::citations`].
    Citations,
}

/// The places, in the words of a dialect, where a setting may stand: the one that counts comes first.
pub type Places = fn(Setting) -> &'static [&'static str];

impl Setting {
    /// The places of a document that is the IR itself.
    #[must_use]
    pub fn places(self) -> &'static [&'static str] {
        match self {
            Self::Instructions => &["instructions"],
            Self::Messages => &["messages"],
            Self::ToolChoice => &["tool_choice"],
            Self::ParallelToolCalls => &["parallel_tool_calls"],
            Self::Temperature => &["sampling.temperature"],
            Self::TopP => &["sampling.top_p"],
            Self::TopK => &["sampling.top_k"],
            Self::Seed => &["sampling.seed"],
            Self::PresencePenalty => &["sampling.presence_penalty"],
            Self::FrequencyPenalty => &["sampling.frequency_penalty"],
            Self::Stop => &["sampling.stop"],
            Self::Logprobs => &["sampling.logprobs"],
            Self::MaxOutputTokens => &["max_output_tokens"],
            Self::Prewarm => &["prewarm"],
            Self::Format => &["output.format"],
            Self::FormatName => &["output.format.schema.name"],
            Self::FormatDescription => &["output.format.schema.description"],
            Self::Verbosity => &["output.verbosity"],
            Self::Reasoning => &["reasoning"],
            Self::Effort => &["reasoning.effort"],
            Self::Budget => &["reasoning.budget"],
            Self::Visibility => &["reasoning.visibility"],
            Self::PreviousResponse => &["session.previous_response_id"],
            Self::Conversation => &["session.conversation"],
            Self::Store => &["session.store"],
            Self::User => &["caller.user"],
            Self::Metadata => &["caller.metadata"],
            Self::Tier => &["caller.tier"],
            Self::CacheKey => &["caller.cache_key"],
            Self::Strict => &["strict"],
            Self::Parameters => &["parameters"],
            Self::CacheMark => &["cache"],
            Self::Detail => &["detail"],
            Self::FileName => &["name"],
            Self::Citations => &["citations"],
        }
    }
}
