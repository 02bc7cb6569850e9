//! Where the dialect says a request's settings. What it cannot say at all is told where it is nearest.

use crate::ir;

/// The places of a setting, the one that counts first.
pub(super) fn of(setting: ir::Setting) -> &'static [&'static str] {
    match setting {
        ir::Setting::Instructions => &["instructions", "input"],
        ir::Setting::Messages => &["input", "prompt"],
        ir::Setting::ToolChoice => &["tool_choice"],
        ir::Setting::ParallelToolCalls => &["parallel_tool_calls"],
        ir::Setting::Temperature => &["temperature"],
        ir::Setting::TopP => &["top_p"],
        ir::Setting::TopK => &["top_k"],
        ir::Setting::Seed => &["seed"],
        ir::Setting::PresencePenalty => &["presence_penalty"],
        ir::Setting::FrequencyPenalty => &["frequency_penalty"],
        ir::Setting::Stop => &["stop"],
        ir::Setting::Logprobs => &["top_logprobs", "include"],
        ir::Setting::Prewarm => &["prompt_cache_options.prewarm"],
        ir::Setting::MaxOutputTokens => &["max_output_tokens"],
        ir::Setting::Format => &["text.format"],
        ir::Setting::FormatName => &["text.format.name"],
        ir::Setting::FormatDescription => &["text.format.description"],
        ir::Setting::Verbosity => &["text.verbosity"],
        ir::Setting::Reasoning | ir::Setting::Budget => &["reasoning"],
        ir::Setting::Effort => &["reasoning.effort"],
        ir::Setting::Visibility => &["reasoning.summary", "reasoning.generate_summary"],
        ir::Setting::PreviousResponse => &["previous_response_id"],
        ir::Setting::Conversation => &["conversation"],
        ir::Setting::Store => &["store"],
        ir::Setting::User => &["safety_identifier", "user"],
        ir::Setting::Metadata => &["metadata"],
        ir::Setting::Tier => &["service_tier"],
        ir::Setting::CacheKey => &["prompt_cache_key"],
        ir::Setting::Strict => &["strict"],
        ir::Setting::Parameters => &["parameters"],
        ir::Setting::CacheMark => &["prompt_cache_breakpoint"],
        ir::Setting::Detail => &["detail"],
        ir::Setting::FileName => &["filename"],
        ir::Setting::Citations => &["annotations"],
    }
}
