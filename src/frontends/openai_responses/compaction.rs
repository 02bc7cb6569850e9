//! Compaction, where the upstream is not OpenAI's own: a conversation that ends with a `compaction_trigger` is to be replaced by
//! one `compaction` item, which the client sends back in the place of what came before. Codex asks for it whenever its model's
//! window is full, and cannot go on without. The upstream's model is asked for a summary in words, and the item carries
//! it in an envelope, so that it comes back to the gateway alone, whatever the upstream is by then.

use super::{DIALECT, GATEWAY};
use crate::context::Cx;
use crate::envelope;
use crate::error::Result;
use crate::ir;
use crate::json::Str;

/// What the model is asked for.
pub(super) const PROMPT: &str = "Stop here and sum up the conversation so far. Your summary takes its place: whoever goes on has \
    read nothing else. Say what the user wants and how, in the user's own words where they matter; what was decided and \
    found out; what was done, with files, commands and their results; what is open, and what comes next. Keep names, \
    paths and values exact. Write the summary alone, and call no tools.";

/// What stands before a summary that comes back.
const PREFIX: &str = "The conversation so far was summed up, and goes on from there. The summary:\n\n";

/// The summary in the slot of a `compaction` item; `None` for what an upstream of the dialect made itself.
///
/// # Errors
/// It was damaged on its way: nothing else tells what it replaced.
pub(super) fn open(cx: &Cx, slot: Option<&Str<'_>>) -> Result<Option<ir::Text>> {
    let Some(slot) = slot.filter(|slot| slot.starts_with(envelope::MARK)) else { return Ok(None) };
    match envelope::open(DIALECT, &cx.text(slot)) {
        Some(seal) if *seal.issuer.dialect == *GATEWAY => Ok(Some(format!("{PREFIX}{}", seal.payload).into())),
        Some(_) | None => Err(cx.invalid("encrypted_content", "this summary cannot be read: it was cut or changed")),
    }
}

/// Takes the place of an answer's blocks, and makes an item of their words.
#[derive(Default)]
pub(super) struct Summary {
    text: String,
    is_open: bool,
}

impl Summary {
    /// Takes what belongs to a block; gives back anything else.
    pub(super) fn take(&mut self, event: ir::Event) -> Option<ir::Event> {
        match event {
            ir::Event::Open(open) => self.is_open = matches!(open, ir::Open::Text { .. }),
            ir::Event::Delta(delta) if self.is_open => self.text.push_str(&delta),
            ir::Event::Delta(_) | ir::Event::Annotate(_) | ir::Event::Seal(_) | ir::Event::Close => {}
            ir::Event::Start(_)
            | ir::Event::Usage(_)
            | ir::Event::Idle
            | ir::Event::Finish(_)
            | ir::Event::Failed(_) => return Some(event),
        }
        None
    }

    /// The item; `None` where the model wrote no words.
    pub(super) fn item(&self, id: &str) -> Option<ir::Json> {
        let text = self.text.trim();
        if text.is_empty() {
            return None;
        }
        let issuer = ir::Issuer { dialect: ir::Text::constant(GATEWAY), provider: None, model: None };
        let slot = envelope::wrap(&ir::Sealed { issuer, payload: text.into(), note: None });
        Some(ir::Json::of(&serde_json::json!({ "id": id, "type": "compaction", "encrypted_content": &*slot })))
    }
}
