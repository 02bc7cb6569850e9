//! Counting a prompt's tokens, roughly.
//!
//! No tokenizer fits into a Worker for every model there is, so this is an estimate, and answers that use it say so. It
//! counts four bytes of text a token (what English prose and JSON come to with the vendors' current tokenizers), a few
//! tokens for the frame of each message and tool, and a flat number for each picture or file.

use crate::ir;

/// What the frame of a message or a tool costs.
const FRAME: u64 = 4;
/// What a picture of middling size costs with the vendors that publish it.
const PICTURE: u64 = 1_000;

/// About how many tokens the prompt of `request` has; at least 1.
#[must_use]
pub fn estimate(request: &ir::Request) -> u64 {
    let mut bytes = 0;
    let mut flat = 0;
    for instruction in &request.instructions {
        bytes += instruction.text.rough_length();
        flat += FRAME;
    }
    for tool in &request.tools {
        flat += FRAME;
        bytes += match tool {
            ir::Tool::Function(tool) => {
                let schema = tool.parameters.as_ref().map_or(0, |schema| schema.json.as_str().len());
                tool.name.len() + tool.description.as_ref().map_or(0, ir::Text::rough_length) + schema
            }
            ir::Tool::Custom(tool) => tool.name.len() + tool.description.as_ref().map_or(0, ir::Text::rough_length),
            ir::Tool::Hosted(tool) => tool.value.as_str().len(),
        };
    }
    flat += FRAME * u64::try_from(request.messages.len()).unwrap_or_default();
    request.for_each_part(|part| match part {
        ir::Part::Text(part) => bytes += part.text.rough_length(),
        ir::Part::Reasoning(part) => bytes += part.text.rough_length(),
        ir::Part::Refusal(part) => bytes += part.text.rough_length(),
        ir::Part::ToolCall(part) => bytes += part.name.len() + part.arguments.rough_length(),
        ir::Part::ToolResult(_) => flat += FRAME,
        ir::Part::Opaque(part) => bytes += part.value.as_str().len(),
        ir::Part::Media(part) => match &part.source {
            ir::MediaSource::Text(text) => bytes += text.rough_length(),
            ir::MediaSource::Inline(_) | ir::MediaSource::Url(_) | ir::MediaSource::File { .. } => flat += PICTURE,
        },
    });
    (u64::try_from(bytes).unwrap_or_default().div_ceil(4) + flat).max(1)
}
