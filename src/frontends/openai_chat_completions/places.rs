//! Where the dialect says a request's settings. What it cannot say at all is told where it is nearest.

use crate::ir;

/// The places of a setting, the one that counts first.
pub(super) fn of(setting: ir::Setting) -> &'static [&'static str] {
    match setting {
        ir::Setting::Instructions | ir::Setting::Messages => &["messages"],
        ir::Setting::ToolChoice => &["tool_choice", "function_call"],
        ir::Setting::ParallelToolCalls => &["parallel_tool_calls"],
        ir::Setting::Temperature => &["temperature"],
        ir::Setting::TopP => &["top_p"],
        ir::Setting::TopK => &["top_k"],
        ir::Setting::Seed => &["seed", "random_seed"],
        ir::Setting::PresencePenalty => &["presence_penalty"],
        ir::Setting::FrequencyPenalty => &["frequency_penalty"],
        ir::Setting::Stop => &["stop"],
        ir::Setting::Logprobs => &["logprobs"],
        ir::Setting::Prewarm => &["prompt_cache_options"],
        ir::Setting::MaxOutputTokens => &["max_completion_tokens", "max_tokens"],
        ir::Setting::Format => &["response_format"],
        ir::Setting::FormatName => &["response_format.json_schema.name"],
        ir::Setting::FormatDescription => &["response_format.json_schema.description"],
        ir::Setting::Verbosity => &["verbosity"],
        ir::Setting::Reasoning => &["reasoning_effort", "reasoning", "thinking", "enable_thinking", "thinking_budget"],
        ir::Setting::Effort => &["reasoning_effort", "reasoning.effort"],
        ir::Setting::Budget => &["reasoning.max_tokens", "thinking_budget"],
        ir::Setting::Visibility => &["reasoning.exclude", "reasoning", "include_reasoning", "reasoning_format"],
        ir::Setting::PreviousResponse => &["previous_response_id"],
        ir::Setting::Conversation => &["conversation"],
        ir::Setting::Store => &["store"],
        ir::Setting::User => &["safety_identifier", "user"],
        ir::Setting::Metadata => &["metadata"],
        ir::Setting::Tier => &["service_tier"],
        ir::Setting::CacheKey => &["prompt_cache_key"],
        ir::Setting::Strict => &["function.strict"],
        ir::Setting::Parameters => &["function.parameters", "parameters"],
        ir::Setting::CacheMark => &["prompt_cache_breakpoint", "cache_control"],
        ir::Setting::Detail => &["image_url.detail"],
        ir::Setting::FileName => &["file.filename", "document_name"],
        ir::Setting::Citations => &["annotations"],
    }
}
