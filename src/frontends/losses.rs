//! What an answer could not be told of, gathered by an encoder: in a stream, where there is no [`Cx`](crate::context::Cx).

use crate::diagnostics::{Code, Diagnostic};
use crate::ir;

/// Losses of an answer, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Losses(Vec<Diagnostic>);

impl Losses {
    /// Notes a loss.
    pub(super) fn add(&mut self, code: &'static Code, place: &str, message: impl Into<String>) {
        let loss = Diagnostic { code, place: place.to_owned(), message: message.into() };
        if !self.0.contains(&loss) {
            self.0.push(loss);
        }
    }

    /// Notes each extension that a client of `dialect` cannot be told.
    pub(super) fn extensions(&mut self, extensions: &ir::Extensions, dialect: &str) {
        if extensions.dialect() == Some(dialect) {
            return;
        }
        for field in extensions.fields() {
            self.add(field.loss, &field.name, format!("{dialect} has no such field"));
        }
    }

    /// Notes that an opaque part of another dialect is told in words, or left out.
    pub(super) fn opaque(&mut self, part: &ir::Opaque, dialect: &str) {
        let what = if part.words.is_some() { "is told in words" } else { "is left out" };
        self.add(part.loss, "", format!("{} of {} {what} for {dialect}", part.kind, part.dialect));
    }

    /// Takes what was noted.
    pub(super) fn take(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.0)
    }
}
