//! Where the dialect says a request's settings. What it cannot say at all is told where it is nearest.

use crate::ir::Setting;

/// The places of a setting, the one that counts first.
pub(super) fn of(setting: Setting) -> &'static [&'static str] {
    match setting {
        Setting::Instructions => &["systemInstruction"],
        Setting::Messages => &["contents"],
        Setting::ToolChoice | Setting::ParallelToolCalls => &["toolConfig.functionCallingConfig"],
        Setting::Temperature => &["generationConfig.temperature"],
        Setting::TopP => &["generationConfig.topP"],
        Setting::TopK => &["generationConfig.topK"],
        Setting::Seed => &["generationConfig.seed"],
        Setting::PresencePenalty => &["generationConfig.presencePenalty"],
        Setting::FrequencyPenalty => &["generationConfig.frequencyPenalty"],
        Setting::Stop => &["generationConfig.stopSequences"],
        Setting::Logprobs => &["generationConfig.responseLogprobs"],
        Setting::MaxOutputTokens => &["generationConfig.maxOutputTokens"],
        Setting::Format => &[
            "generationConfig.responseJsonSchema",
            "generationConfig.responseSchema",
            "generationConfig.responseMimeType",
        ],
        Setting::FormatName | Setting::FormatDescription => {
            &["generationConfig.responseJsonSchema", "generationConfig.responseSchema"]
        }
        Setting::Verbosity => &["generationConfig"],
        Setting::Reasoning => &["generationConfig.thinkingConfig"],
        Setting::Effort => {
            &["generationConfig.thinkingConfig.thinkingLevel", "generationConfig.thinkingConfig.thinkingBudget"]
        }
        Setting::Budget => &["generationConfig.thinkingConfig.thinkingBudget"],
        Setting::Visibility => &["generationConfig.thinkingConfig.includeThoughts"],
        Setting::PreviousResponse | Setting::Conversation => &["continuationToken"],
        Setting::Store => &["store"],
        Setting::User | Setting::Metadata => &["labels"],
        Setting::Tier => &["serviceTier"],
        Setting::CacheKey => &["cachedContent"],
        Setting::Detail => &["mediaResolution"],
        Setting::FileName => &["inlineData.displayName", "fileData.displayName"],
        // Its clients say none; what has one is told as a whole.
        Setting::Strict | Setting::CacheMark | Setting::Citations => &[],
    }
}
