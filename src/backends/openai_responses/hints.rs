//! The ids of items, and the phases of messages, on their way through clients of other dialects, which have no place for
//! them: they travel in the notes of seals. A note of thoughts begins with their own id and goes on with a hint of the item
//! that they led to; what comes later in the answer has a seal of its own that holds nothing but a hint.
//!
//! The id of an item that thoughts led to goes back only behind them: the vendor takes a call under its id only together
//! with its thoughts.

use crate::ir;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    Call,
}

/// What a note says of an item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hint<'a> {
    kind: Kind,
    /// Thoughts led to it.
    needs_thoughts: bool,
    pub(super) id: Option<&'a str>,
    pub(super) phase: Option<&'a str>,
}

/// The hint of an item; `None` where there is nothing to say, or nothing that fits into a note.
pub(super) fn hint(kind: Kind, needs_thoughts: bool, id: Option<&str>, phase: Option<&str>) -> Option<String> {
    let fits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    let (id, phase) = (id.filter(fits), phase.filter(fits));
    if id.is_none() && phase.is_none() {
        return None;
    }
    let kind = match (kind, needs_thoughts) {
        (Kind::Message, true) => 'm',
        (Kind::Message, false) => 'M',
        (Kind::Call, true) => 'c',
        (Kind::Call, false) => 'C',
    };
    Some(format!("{kind}:{}:{}", id.unwrap_or_default(), phase.unwrap_or_default()))
}

/// The id of the thoughts that a note belongs to.
pub(super) fn own_id(note: &str) -> Option<&str> {
    note.split(' ').next().filter(|word| !word.is_empty() && read(word).is_none())
}

/// The hints of a note.
pub(super) fn hints(note: &str) -> impl Iterator<Item = Hint<'_>> {
    note.split(' ').filter_map(read)
}

fn read(word: &str) -> Option<Hint<'_>> {
    let mut fields = word.split(':');
    let (kind, needs_thoughts) = match fields.next()? {
        "m" => (Kind::Message, true),
        "M" => (Kind::Message, false),
        "c" => (Kind::Call, true),
        "C" => (Kind::Call, false),
        _ => return None,
    };
    let mut field = || fields.next().map(|field| Some(field).filter(|field| !field.is_empty()));
    Some(Hint { kind, needs_thoughts, id: field()?, phase: field()? })
}

/// What the seals of a turn said of the items behind them.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending<'a> {
    hints: Vec<Hint<'a>>,
    /// Thoughts went up in this turn.
    has_thoughts: bool,
}

impl<'a> Pending<'a> {
    /// Takes in what a seal that may be opened says.
    pub(super) fn note(&mut self, seal: &'a ir::Sealed) {
        self.has_thoughts |= !seal.is_note();
        self.hints.extend(seal.note.iter().flat_map(|note| hints(note)));
    }

    /// The hint of the next item of a kind.
    pub(super) fn take(&mut self, kind: Kind) -> Option<Hint<'a>> {
        let at = self.hints.iter().position(|hint| hint.kind == kind)?;
        let hint = self.hints.remove(at);
        Some(Hint { id: hint.id.filter(|_| self.has_thoughts || !hint.needs_thoughts), ..hint })
    }
}
