//! Where the dialect says a request's settings. What it cannot say at all is told where it is nearest.

use crate::ir::Setting;

/// The places of a setting, the one that counts first.
pub(super) fn of(setting: Setting) -> &'static [&'static str] {
    match setting {
        Setting::Instructions => &["system"],
        Setting::Messages => &["messages"],
        Setting::ToolChoice => &["tool_choice"],
        Setting::ParallelToolCalls => &["tool_choice.disable_parallel_tool_use"],
        Setting::Temperature => &["temperature"],
        Setting::TopP => &["top_p"],
        Setting::TopK => &["top_k"],
        Setting::Seed => &["seed"],
        Setting::PresencePenalty => &["presence_penalty"],
        Setting::FrequencyPenalty => &["frequency_penalty"],
        Setting::Stop => &["stop_sequences"],
        Setting::Logprobs => &["logprobs"],
        Setting::MaxOutputTokens => &["max_tokens"],
        Setting::Format => &["output_config.format", "output_format"],
        Setting::FormatName => &["output_config.format.name"],
        Setting::FormatDescription => &["output_config.format.description"],
        Setting::Verbosity => &["verbosity"],
        Setting::Reasoning => &["thinking", "output_config.effort"],
        Setting::Effort => &["output_config.effort", "thinking"],
        Setting::Budget => &["thinking.budget_tokens"],
        Setting::Visibility => &["thinking.display"],
        Setting::PreviousResponse | Setting::Conversation => &["thread"],
        Setting::Store => &["store"],
        Setting::User => &["metadata.user_id"],
        Setting::Metadata => &["metadata"],
        Setting::Tier => &["speed", "service_tier"],
        Setting::CacheKey => &["cache_control"],
        Setting::Strict => &["strict"],
        Setting::CacheMark => &["cache_control"],
        Setting::FileName => &["title"],
        Setting::Citations => &["citations"],
        // Its clients say none; what has one is told as a whole.
        Setting::Detail => &[],
    }
}
