//! Where the dialect says a request's settings. What it cannot say at all is told where it is nearest.

use crate::ir::Setting;

/// The places of a setting, the one that counts first.
pub(super) fn of(setting: Setting) -> &'static [&'static str] {
    match setting {
        Setting::Instructions | Setting::Messages => &["messages"],
        Setting::ToolChoice => &["tool_choice", "function_call"],
        Setting::ParallelToolCalls => &["parallel_tool_calls"],
        Setting::Temperature => &["temperature"],
        Setting::TopP => &["top_p"],
        Setting::TopK => &["top_k"],
        Setting::Seed => &["seed"],
        Setting::PresencePenalty => &["presence_penalty"],
        Setting::FrequencyPenalty => &["frequency_penalty"],
        Setting::Stop => &["stop"],
        Setting::Logprobs => &["logprobs"],
        Setting::MaxOutputTokens => &["max_completion_tokens", "max_tokens"],
        Setting::Format => &["response_format"],
        Setting::FormatName => &["response_format.json_schema.name"],
        Setting::FormatDescription => &["response_format.json_schema.description"],
        Setting::Verbosity => &["verbosity"],
        Setting::Reasoning => &["reasoning_effort", "reasoning", "thinking", "enable_thinking"],
        Setting::Effort => &["reasoning_effort", "reasoning.effort"],
        Setting::Budget => &["reasoning.max_tokens"],
        Setting::Visibility => &["reasoning.exclude", "reasoning"],
        Setting::PreviousResponse => &["previous_response_id"],
        Setting::Conversation => &["conversation"],
        Setting::Store => &["store"],
        Setting::User => &["safety_identifier", "user"],
        Setting::Metadata => &["metadata"],
        Setting::Tier => &["service_tier"],
        Setting::CacheKey => &["prompt_cache_key"],
        Setting::Strict => &["function.strict"],
        Setting::CacheMark => &["prompt_cache_breakpoint", "cache_control"],
        Setting::Detail => &["image_url.detail"],
        Setting::FileName => &["file.filename"],
        Setting::Citations => &["annotations"],
    }
}
