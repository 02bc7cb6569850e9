//! Tools that the model may call.

use serde::Serialize;

use super::{Json, Meta, Text};
use crate::diagnostics::Code;

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// Run by the client, called with a JSON object.
    Function(Function),
    /// Run by the client, called with free text (OpenAI's custom tools).
    Custom(Custom),
    /// Run by the provider.
    Hosted(Hosted),
}

impl Tool {
    /// What the tool carries beside its meaning.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        match self {
            Self::Function(tool) => &tool.meta,
            Self::Custom(tool) => &tool.meta,
            Self::Hosted(tool) => &tool.meta,
        }
    }
}

/// A function.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Function {
    /// Its name, as the client declared it.
    pub name: Text,
    /// The name space it stands in (Responses).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Text>,
    /// When to call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// Its arguments; `None` takes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Schema>,
    /// Whether arguments must match the schema; `None` leaves it to the dialect's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// What any node may carry.
    #[serde(flatten)]
    pub meta: Meta,
}

/// A schema as raw text, and the language it is written in. [`crate::schema`] translates where a target needs it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Schema {
    /// The language.
    pub language: SchemaLanguage,
    /// The schema.
    pub json: Json,
}

impl Schema {
    /// A JSON Schema.
    #[must_use]
    pub fn json_schema(json: Json) -> Self {
        Self { language: SchemaLanguage::JsonSchema, json }
    }
}

/// The language of a [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaLanguage {
    /// JSON Schema, as all four vendors take it.
    JsonSchema,
    /// Gemini's older subset of OpenAPI's, with types in capitals (`parameters`, `responseSchema`).
    OpenApi,
}

/// A tool called with free text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Custom {
    /// Its name.
    pub name: Text,
    /// The name space it stands in (Responses).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Text>,
    /// When to call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// What the text must look like; `None` is any text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grammar: Option<Grammar>,
    /// What any node may carry.
    #[serde(flatten)]
    pub meta: Meta,
}

/// A grammar that free text must follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grammar {
    /// `lark` or `regex`.
    pub syntax: Text,
    /// The grammar.
    pub definition: Text,
}

/// A tool that the provider runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hosted {
    /// Whose words `value` is in.
    pub dialect: &'static str,
    /// Its kind there: `web_search`, `codeExecution`.
    pub kind: Text,
    /// The whole declaration, for a target of the same dialect.
    pub value: Json,
    /// What it does, where several vendors have the like.
    pub ability: Ability,
    /// What is lost when the target has nothing like it.
    pub loss: &'static Code,
    /// What any node may carry.
    #[serde(flatten)]
    pub meta: Meta,
}

impl Hosted {
    /// Whether an agent can do without: it looks things up, or makes something. Others hold what the client wants to be used
    /// (its files, its servers).
    #[must_use]
    pub fn is_dispensable(&self) -> bool {
        match &self.ability {
            Ability::WebSearch(_) | Ability::UrlContext | Ability::CodeExecution => true,
            Ability::Mcp(_) => false,
            Ability::Other => self.kind == "image_generation",
        }
    }
}

/// What a hosted tool does, in words that several vendors share.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    /// Searches the web.
    WebSearch(WebSearch),
    /// Reads an address.
    UrlContext,
    /// Runs code.
    CodeExecution,
    /// Calls tools of servers that speak the Model Context Protocol.
    Mcp(Vec<McpServer>),
    /// Something of its own.
    Other,
}

/// A server of tools that speaks the Model Context Protocol.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct McpServer {
    /// Its name in the request.
    pub name: Text,
    /// Where it is.
    pub url: Text,
    /// The bearer token that it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Text>,
    /// Other headers that it is sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(Text, Text)>,
    /// Only these of its tools are on offer; `None` offers all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<Text>>,
    /// The client wants to be asked before a call.
    pub approval: bool,
    /// Options that only its dialect has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsaid: Vec<Text>,
}

/// Options of a web search.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct WebSearch {
    /// Only these domains.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_domains: Vec<Text>,
    /// Not these domains.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked_domains: Vec<Text>,
    /// Where the user is: `city`, `region`, `country`, `timezone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// At most so many searches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u64>,
    /// `low`, `medium` or `high`: how much of what is found the model reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_size: Option<Text>,
}

/// Roughly where the user is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Location {
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<Text>,
    /// Region or state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Text>,
    /// Two-letter country code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Text>,
    /// IANA time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<Text>,
}

/// Whether and which tools must be called.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// None may be called.
    None,
    /// Some tool must be called.
    Required,
    /// This tool must be called.
    Tool {
        /// The tool's name.
        name: Text,
        /// How it is called.
        kind: super::CallKind,
    },
    /// Only these may be called.
    Allowed {
        /// Whether one of them must be.
        required: bool,
        /// Their names.
        names: Vec<Text>,
    },
    /// A choice that only its dialect can say (a hosted tool's).
    Opaque {
        /// Whose.
        dialect: &'static str,
        /// The whole of it.
        value: Json,
        /// The kind of the hosted tool that it says must be called, as [`Hosted::kind`] has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        hosted: Option<Text>,
    },
}
