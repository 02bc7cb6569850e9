//! Where the dialect says a request's settings. What it cannot say at all is told where it is nearest.

use crate::ir;

/// The places of a setting, the one that counts first.
pub(super) fn of(setting: ir::Setting) -> &'static [&'static str] {
    match setting {
        ir::Setting::Instructions => &["systemInstruction"],
        ir::Setting::Messages => &["contents"],
        ir::Setting::ToolChoice | ir::Setting::ParallelToolCalls => &["toolConfig.functionCallingConfig"],
        ir::Setting::Temperature => &["generationConfig.temperature"],
        ir::Setting::TopP => &["generationConfig.topP"],
        ir::Setting::TopK => &["generationConfig.topK"],
        ir::Setting::Seed => &["generationConfig.seed"],
        ir::Setting::PresencePenalty => &["generationConfig.presencePenalty"],
        ir::Setting::FrequencyPenalty => &["generationConfig.frequencyPenalty"],
        ir::Setting::Stop => &["generationConfig.stopSequences"],
        ir::Setting::Logprobs => &["generationConfig.responseLogprobs"],
        ir::Setting::Prewarm => &["generationConfig.maxOutputTokens"],
        ir::Setting::MaxOutputTokens => &["generationConfig.maxOutputTokens"],
        ir::Setting::Format => &[
            "generationConfig.responseJsonSchema",
            "generationConfig.responseSchema",
            "generationConfig.responseMimeType",
        ],
        ir::Setting::FormatName | ir::Setting::FormatDescription => {
            &["generationConfig.responseJsonSchema", "generationConfig.responseSchema"]
        }
        ir::Setting::Verbosity => &["generationConfig"],
        ir::Setting::Reasoning => &["generationConfig.thinkingConfig"],
        ir::Setting::Effort => {
            &["generationConfig.thinkingConfig.thinkingLevel", "generationConfig.thinkingConfig.thinkingBudget"]
        }
        ir::Setting::Budget => &["generationConfig.thinkingConfig.thinkingBudget"],
        ir::Setting::Visibility => &["generationConfig.thinkingConfig.includeThoughts"],
        ir::Setting::PreviousResponse | ir::Setting::Conversation => &["continuationToken"],
        ir::Setting::Store => &["store"],
        ir::Setting::User | ir::Setting::Metadata => &["labels"],
        ir::Setting::Tier => &["serviceTier"],
        ir::Setting::CacheKey => &["cachedContent"],
        ir::Setting::Detail => &["mediaResolution"],
        ir::Setting::Parameters => &["parametersJsonSchema", "parameters"],
        ir::Setting::FileName => &["inlineData.displayName", "fileData.displayName"],
        // Its clients say none; what has one is told as a whole.
        ir::Setting::Strict | ir::Setting::CacheMark | ir::Setting::Citations => &[],
    }
}
