//! Messages as they are written.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::dialects::openai_chat_completions::ID;
use crate::ir;

/// A message on the wire.
#[derive(Serialize)]
pub(super) struct Message<'a> {
    pub(super) role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_call_id: Option<&'a str>,
    /// Some upstreams want the field even where it is `null`.
    pub(super) content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) reasoning_details: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<CalledFunction<'a>>,
    #[serde(skip_serializing_if = "ExtraContent::is_empty")]
    pub(super) extra_content: ExtraContent<'a>,
    #[serde(flatten)]
    pub(super) rest: ir::Written<'a>,
}

impl<'a> Message<'a> {
    pub(super) fn new(role: &'static str, rest: ir::Written<'a>) -> Self {
        Self {
            role,
            name: None,
            tool_call_id: None,
            content: None,
            refusal: None,
            reasoning_content: None,
            reasoning: None,
            reasoning_details: Vec::new(),
            tool_calls: Vec::new(),
            function_call: None,
            extra_content: ExtraContent::default(),
            rest,
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    Words(Cow<'a, ir::Text>),
    Parts(Vec<ContentPart<'a>>),
}

pub(super) struct ContentPart<'a> {
    pub(super) body: Body<'a>,
    pub(super) cache: Option<CacheField>,
    pub(super) rest: ir::Written<'a>,
}

impl Serialize for ContentPart<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Flat<'a> {
            #[serde(flatten)]
            body: &'a Body<'a>,
            #[serde(flatten)]
            cache: &'a Option<CacheField>,
            #[serde(flatten)]
            rest: ir::Written<'a>,
        }
        let Self { body, cache, rest } = self;
        match body {
            // Raw JSON cannot be flattened; it is the whole part anyway.
            Body::Raw(json) => json.serialize(serializer),
            body => Flat { body, cache, rest: *rest }.serialize(serializer),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Body<'a> {
    Text {
        text: Cow<'a, ir::Text>,
    },
    Refusal {
        refusal: &'a str,
    },
    ImageUrl {
        image_url: ImageUrl<'a>,
    },
    InputAudio {
        input_audio: InputAudio<'a>,
    },
    File {
        file: File<'a>,
    },
    DocumentUrl {
        document_url: ImageUrl<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        document_name: Option<&'a str>,
    },
    FileUrl {
        file_url: ImageUrl<'a>,
    },
    AudioUrl {
        audio_url: ImageUrl<'a>,
    },
    VideoUrl {
        video_url: ImageUrl<'a>,
    },
    Thinking {
        thinking: [Chunk<'a>; 1],
    },
    #[serde(skip)]
    Raw(&'a ir::Json),
}

/// Mistral's thoughts stand in chunks.
#[derive(Serialize)]
pub(super) struct Chunk<'a> {
    pub(super) r#type: &'static str,
    pub(super) text: Cow<'a, ir::Text>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ImageUrl<'a> {
    /// Nothing but the address, for those who wrote it so.
    Bare(Address<'a>),
    Object {
        url: Address<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'static str>,
        #[serde(flatten)]
        rest: ir::Written<'a>,
    },
}

#[derive(Serialize)]
pub(super) struct InputAudio<'a> {
    pub(super) data: Cow<'a, str>,
    pub(super) format: Cow<'a, str>,
    #[serde(flatten)]
    pub(super) rest: ir::Written<'a>,
}

#[derive(Serialize)]
pub(super) struct File<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filename: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_data: Option<Address<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_id: Option<&'a str>,
    #[serde(flatten)]
    pub(super) rest: ir::Written<'a>,
}

/// An address, or a `data:` URL that is put together only as it is written: files are large.
pub(super) enum Address<'a> {
    Url(&'a str),
    Data { head: Cow<'a, str>, data: Cow<'a, str> },
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url),
            Self::Data { head, data } if head.is_empty() => f.write_str(data),
            Self::Data { head, data } => write!(f, "data:{head};base64,{data}"),
        }
    }
}

impl Serialize for Address<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Serialize)]
pub(super) enum CacheField {
    #[serde(rename = "prompt_cache_breakpoint")]
    Breakpoint {
        mode: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        ttl: Option<&'static str>,
    },
    #[serde(rename = "cache_control")]
    CacheControl {
        r#type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        ttl: Option<&'static str>,
    },
}

#[derive(Serialize)]
pub(super) struct Call<'a> {
    pub(super) id: &'a str,
    pub(super) r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function: Option<CalledFunction<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) custom: Option<CalledCustom<'a>>,
    #[serde(skip_serializing_if = "ExtraContent::is_empty")]
    pub(super) extra_content: ExtraContent<'a>,
    #[serde(flatten)]
    pub(super) rest: ir::Written<'a>,
}

#[derive(Serialize)]
pub(super) struct CalledFunction<'a> {
    pub(super) name: ir::Text,
    pub(super) arguments: Cow<'a, ir::Text>,
    #[serde(flatten)]
    pub(super) rest: ir::Written<'a>,
}

#[derive(Serialize)]
pub(super) struct CalledCustom<'a> {
    pub(super) name: ir::Text,
    pub(super) input: &'a ir::Text,
    #[serde(flatten)]
    pub(super) rest: ir::Written<'a>,
}

#[derive(Default, Serialize)]
pub(super) struct ExtraContent<'a> {
    #[serde(skip_serializing_if = "Google::is_empty")]
    pub(super) google: Google<'a>,
    #[serde(flatten)]
    pub(super) rest: Option<ir::Written<'a>>,
}

impl<'a> ExtraContent<'a> {
    pub(super) fn new(seal: Option<&'a ir::Sealed>, extensions: &'a ir::Extensions) -> Self {
        Self {
            google: Google {
                thought_signature: seal.map(|seal| seal.payload.as_str()),
                rest: Some(extensions.written(ID, "extra_content.google")).filter(|rest| !rest.is_empty()),
            },
            rest: Some(extensions.written(ID, "extra_content")).filter(|rest| !rest.is_empty()),
        }
    }

    fn is_empty(&self) -> bool {
        self.google.is_empty() && self.rest.is_none()
    }
}

#[derive(Default, Serialize)]
pub(super) struct Google<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thought_signature: Option<&'a str>,
    #[serde(flatten)]
    pub(super) rest: Option<ir::Written<'a>>,
}

impl Google<'_> {
    fn is_empty(&self) -> bool {
        self.thought_signature.is_none() && self.rest.is_none()
    }
}
