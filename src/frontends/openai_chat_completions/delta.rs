//! What an answer gains: a delta, as it is written.

use serde::Serialize;

use super::response::{AnnotationEntry, Image};
use super::thoughts::Detail;
use crate::dialects::openai_chat_completions::ID;
use crate::ir;

/// What an answer's message gains: the fields of one delta of a stream, or of the whole message.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<ir::Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<ir::Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_content: Option<ir::Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning: Option<ir::Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) reasoning_details: Vec<Detail>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) annotations: Vec<AnnotationEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<CallDelta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<CalledFunction>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) images: Vec<Image>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audio: Option<ir::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extra_content: Option<ExtraContent>,
}

/// What a delta may have more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    Content,
    ReasoningContent,
    Reasoning,
    /// Of the call with this index.
    Arguments(u64),
}

impl More {
    /// A delta with nothing else.
    pub(super) fn delta(self, text: ir::Text) -> Delta {
        match self {
            Self::Content => Delta { content: Some(text), ..Delta::default() },
            Self::ReasoningContent => Delta { reasoning_content: Some(text), ..Delta::default() },
            Self::Reasoning => Delta { reasoning: Some(text), ..Delta::default() },
            Self::Arguments(index) => {
                let function = Some(CalledFunction { name: None, arguments: text });
                let call = CallDelta { index: Some(index), function, ..CallDelta::default() };
                Delta { tool_calls: vec![call], ..Delta::default() }
            }
        }
    }
}

impl Delta {
    /// What it has more of, if it has nothing else.
    pub(super) fn only(&self) -> Option<(More, &ir::Text)> {
        let Self {
            role: None,
            content,
            refusal: None,
            reasoning_content,
            reasoning,
            reasoning_details,
            annotations,
            tool_calls,
            function_call: None,
            images,
            audio: None,
            extra_content: None,
        } = self
        else {
            return None;
        };
        if !(reasoning_details.is_empty() && annotations.is_empty() && images.is_empty()) {
            return None;
        }
        match (content, reasoning_content, reasoning, tool_calls.as_slice()) {
            (Some(text), None, None, []) => Some((More::Content, text)),
            (None, Some(text), None, []) => Some((More::ReasoningContent, text)),
            (None, None, Some(text), []) => Some((More::Reasoning, text)),
            (None, None, None, [call]) => call.only(),
            _ => None,
        }
    }
}

impl CallDelta {
    fn only(&self) -> Option<(More, &ir::Text)> {
        let Self { index, id: None, kind: None, function, custom: None, extra_content: None, extensions } = self else {
            return None;
        };
        let CalledFunction { name: None, arguments } = function.as_ref()? else { return None };
        Some((More::Arguments((*index)?), arguments)).filter(|_| extensions.is_empty())
    }
}

/// More of a tool call, or all of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct CallDelta {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<ir::Text>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function: Option<CalledFunction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) custom: Option<CalledCustom>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extra_content: Option<ExtraContent>,
    #[serde(flatten, serialize_with = "own_fields")]
    pub(super) extensions: ir::Extensions,
}

fn own_fields<S: serde::Serializer>(extensions: &ir::Extensions, serializer: S) -> Result<S::Ok, S::Error> {
    extensions.written(ID, "").serialize(serializer)
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct CalledFunction {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<ir::Text>,
    pub(super) arguments: ir::Text,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct CalledCustom {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<ir::Text>,
    pub(super) input: ir::Text,
}

/// Google's slot for a signature.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ExtraContent {
    google: Google,
}

#[derive(Clone, Debug, Serialize)]
struct Google {
    thought_signature: ir::Text,
}

impl ExtraContent {
    pub(super) fn new(thought_signature: ir::Text) -> Self {
        Self { google: Google { thought_signature } }
    }
}
