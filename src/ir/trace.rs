//! What hosted tools did.

use serde::Serialize;

use super::Text;

/// What a hosted tool did, in words that several vendors share; read out of the part that tells it in its own dialect's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trace {
    /// It searched the web.
    Search {
        /// For what.
        query: Text,
    },
    /// It read an address.
    Open {
        /// Which.
        url: Text,
    },
    /// It ran code.
    Code {
        /// The name of the run, by which its output knows it.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Text>,
        /// The language: `python`, `bash`.
        #[serde(skip_serializing_if = "Option::is_none")]
        language: Option<Text>,
        /// The code.
        code: Text,
        /// What it wrote, where that is told together.
        #[serde(skip_serializing_if = "Option::is_none")]
        output: Option<CodeOutput>,
    },
    /// What the code of a run wrote.
    Output {
        /// The name of the run; `None` is the last.
        #[serde(skip_serializing_if = "Option::is_none")]
        of: Option<Text>,
        /// What it wrote.
        output: CodeOutput,
    },
}

/// What code wrote.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CodeOutput {
    /// The words.
    pub text: Text,
    /// The code failed.
    pub failed: bool,
}

impl Trace {
    /// Whether both tell the same, whatever came of it.
    #[must_use]
    pub fn is_same_doing(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Code { code, .. }, Self::Code { code: other, .. }) => code == other,
            _ => self == other,
        }
    }

    /// The same in words: the code and its output as fenced text. Searches are no part of what is said.
    #[must_use]
    pub fn words(&self) -> Option<Text> {
        let fenced = |language: &str, text: &str| format!("```{language}\n{}\n```", text.trim_end_matches('\n'));
        match self {
            Self::Search { .. } | Self::Open { .. } => None,
            Self::Code { id: _, language, code, output } => {
                let code = fenced(language.as_deref().unwrap_or_default(), code);
                let output = output.as_ref().map(|output| fenced("", &output.text));
                Some(output.map_or_else(|| code.clone(), |output| format!("{code}\n\n{output}")).into())
            }
            Self::Output { of: _, output } => Some(fenced("", &output.text).into()),
        }
    }
}
