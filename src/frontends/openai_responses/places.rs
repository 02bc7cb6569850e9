//! Where the dialect says a request's settings. What it cannot say at all is told where it is nearest.

use crate::ir::Setting;

/// The places of a setting, the one that counts first.
pub(super) fn of(setting: Setting) -> &'static [&'static str] {
    match setting {
        Setting::Instructions => &["instructions", "input"],
        Setting::Messages => &["input", "prompt"],
        Setting::ToolChoice => &["tool_choice"],
        Setting::ParallelToolCalls => &["parallel_tool_calls"],
        Setting::Temperature => &["temperature"],
        Setting::TopP => &["top_p"],
        Setting::TopK => &["top_k"],
        Setting::Seed => &["seed"],
        Setting::PresencePenalty => &["presence_penalty"],
        Setting::FrequencyPenalty => &["frequency_penalty"],
        Setting::Stop => &["stop"],
        Setting::Logprobs => &["top_logprobs", "include"],
        Setting::MaxOutputTokens => &["max_output_tokens"],
        Setting::Format => &["text.format"],
        Setting::FormatName => &["text.format.name"],
        Setting::FormatDescription => &["text.format.description"],
        Setting::Verbosity => &["text.verbosity"],
        Setting::Reasoning | Setting::Budget => &["reasoning"],
        Setting::Effort => &["reasoning.effort"],
        Setting::Visibility => &["reasoning.summary", "reasoning.generate_summary"],
        Setting::PreviousResponse => &["previous_response_id"],
        Setting::Conversation => &["conversation"],
        Setting::Store => &["store"],
        Setting::User => &["safety_identifier", "user"],
        Setting::Metadata => &["metadata"],
        Setting::Tier => &["service_tier"],
        Setting::CacheKey => &["prompt_cache_key"],
        Setting::Strict => &["strict"],
        Setting::CacheMark => &["prompt_cache_breakpoint"],
        Setting::Detail => &["detail"],
        Setting::FileName => &["filename"],
        Setting::Citations => &["annotations"],
    }
}
