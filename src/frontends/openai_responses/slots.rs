//! The opaque slot of the dialect: `encrypted_content` of a reasoning item.
//!
//! A seal of thoughts stands in the reasoning item that shows them. Other vendors seal calls and texts too (Gemini), and
//! those items have no slot here; by the time the seal is known, a stream has told the item already. So a reasoning item
//! with an empty summary follows it, whose slot says behind the envelope what the seal belongs to: `#call:` and the
//! call's id, `#text` for the text right before, `#empty` for a text without words. It is bound by that word, not by its
//! place alone, so a client may move it, and [`open`] takes it back exactly. `#part` says that the envelope holds what a hosted
//! tool of another dialect did, in that dialect's words: the items that show it stand behind.

use super::DIALECT;
use crate::envelope;
use crate::ir;

/// What a seal belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The reasoning item itself.
    Reasoning,
    /// The call with this id.
    Call(ir::Text),
    /// The text before.
    Text,
    /// A text without words.
    Empty,
    /// It is a part itself.
    Part,
}

/// The slot's value for a seal.
pub(super) fn wrap(seal: &ir::Sealed, owner: &Owner) -> String {
    let mut out = envelope::wrap(seal).to_string();
    match owner {
        Owner::Reasoning => {}
        Owner::Call(id) => {
            out.push_str("#call:");
            out.push_str(id);
        }
        Owner::Text => out.push_str("#text"),
        Owner::Empty => out.push_str("#empty"),
        Owner::Part => out.push_str("#part"),
    }
    out
}

/// Reads the slot; `None` for what nobody can use.
pub(super) fn open(slot: &ir::Text) -> Option<(ir::Sealed, Owner)> {
    let split = slot.starts_with(envelope::MARK).then(|| slot.split_once('#')).flatten();
    let Some((value, owner)) = split else {
        return Some((envelope::open(DIALECT, slot)?, Owner::Reasoning));
    };
    let owner = match owner {
        "text" => Owner::Text,
        "empty" => Owner::Empty,
        "part" => Owner::Part,
        other => Owner::Call(other.strip_prefix("call:")?.into()),
    };
    Some((envelope::open(DIALECT, &value.into())?, owner))
}
