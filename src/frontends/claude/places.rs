//! Where the dialect says a request's settings. What it cannot say at all is told where it is nearest.

use crate::ir;

/// The places of a setting, the one that counts first.
pub(super) fn of(setting: ir::Setting) -> &'static [&'static str] {
    match setting {
        ir::Setting::Instructions => &["system"],
        ir::Setting::Messages => &["messages"],
        ir::Setting::ToolChoice => &["tool_choice"],
        ir::Setting::ParallelToolCalls => &["tool_choice.disable_parallel_tool_use"],
        ir::Setting::Temperature => &["temperature"],
        ir::Setting::TopP => &["top_p"],
        ir::Setting::TopK => &["top_k"],
        ir::Setting::Seed => &["seed"],
        ir::Setting::PresencePenalty => &["presence_penalty"],
        ir::Setting::FrequencyPenalty => &["frequency_penalty"],
        ir::Setting::Stop => &["stop_sequences"],
        ir::Setting::Logprobs => &["logprobs"],
        ir::Setting::Prewarm => &["max_tokens"],
        ir::Setting::MaxOutputTokens => &["max_tokens"],
        ir::Setting::Format => &["output_config.format", "output_format"],
        ir::Setting::FormatName => &["output_config.format.name"],
        ir::Setting::FormatDescription => &["output_config.format.description"],
        ir::Setting::Verbosity => &["verbosity"],
        ir::Setting::Reasoning => &["thinking", "output_config.effort"],
        ir::Setting::Effort => &["output_config.effort", "thinking"],
        ir::Setting::Budget => &["thinking.budget_tokens"],
        ir::Setting::Visibility => &["thinking.display"],
        ir::Setting::PreviousResponse | ir::Setting::Conversation => &["thread"],
        ir::Setting::Store => &["store"],
        ir::Setting::User => &["metadata.user_id"],
        ir::Setting::Metadata => &["metadata"],
        ir::Setting::Tier => &["speed", "service_tier"],
        ir::Setting::CacheKey => &["cache_control"],
        ir::Setting::Strict => &["strict"],
        ir::Setting::Parameters => &["input_schema"],
        ir::Setting::CacheMark => &["cache_control"],
        ir::Setting::FileName => &["title"],
        ir::Setting::Citations => &["citations"],
        // Its clients say none; what has one is told as a whole.
        ir::Setting::Detail => &[],
    }
}
