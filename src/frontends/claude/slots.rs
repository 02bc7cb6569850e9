//! The slots in which a Claude client carries opaque state: `thinking.signature` and `redacted_thinking.data`.
//!
//! Only thoughts have a slot. A seal on anything else (Gemini puts signatures on calls and on text) travels in a
//! `redacted_thinking` block of its own, in front of the block that it belongs to: many programs take the last block of an
//! answer for its text. Only in a stream a text's seal comes behind it, as the text is told by then. So that `lower` can put it
//! back exactly, the data begins with words that say whose it is:
//!
//! - `of-call:<id>:` and the envelope: the call `<id>`, wherever in the message a client has put the block;
//! - `of-next:` and the envelope: the text block behind it;
//! - `of-text:` and the envelope: the text block before it;
//! - `of-nothing:` and the envelope: an empty text of its own, which the wire cannot say.
//!
//! An envelope has no colon, so the last one ends these words. They never reach an upstream.

use crate::dialects::claude::ID;
use crate::envelope;
use crate::ir;

/// What a seal in a block of its own belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Call(ir::Text),
    TextBehind,
    TextBefore,
    EmptyText,
}

/// The `data` for a seal that is not a thought's.
pub(super) fn carry(owner: &Owner, seal: &ir::Sealed) -> String {
    let envelope = envelope::wrap(seal);
    match owner {
        Owner::Call(id) => format!("of-call:{id}:{envelope}"),
        Owner::TextBehind => format!("of-next:{envelope}"),
        Owner::TextBefore => format!("of-text:{envelope}"),
        Owner::EmptyText => format!("of-nothing:{envelope}"),
    }
}

/// The inverse of [`carry`]; `None` for any other `data`.
pub(super) fn carried(data: &str) -> Option<(Owner, ir::Sealed)> {
    let (owner, envelope) = data.rsplit_once(':')?;
    if !envelope.starts_with(envelope::MARK) {
        return None;
    }
    let owner = match owner {
        "of-next" => Owner::TextBehind,
        "of-text" => Owner::TextBefore,
        "of-nothing" => Owner::EmptyText,
        _ => Owner::Call(owner.strip_prefix("of-call:")?.into()),
    };
    Some((owner, envelope::open(ID, &envelope.into())?))
}
