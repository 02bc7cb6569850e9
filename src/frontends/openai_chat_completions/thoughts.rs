//! A client's slots for thoughts and their seals: read from its history, shown in answers.
//!
//! `reasoning_content` has the words. Seals travel in `reasoning_details`, in the shape that OpenRouter made common: so
//! its clients keep and return them. Every entry has an `index` of its own, since accumulators join those of one index.

use serde::Serialize;
use serde_json::Value;

use crate::context::Cx;
use crate::diagnostics::codes;
use crate::dialects::openai_chat_completions::{ID, ThoughtField, Thoughts};
use crate::dialects::{claude, gemini, openai};
use crate::envelope;
use crate::ir;

/// Thoughts that a client holds without an envelope: an upstream of this dialect gave them, nobody says which.
pub(super) fn bare(thoughts: &Thoughts) -> ir::Sealed {
    sealed(None, thoughts)
}

fn sealed(issuer: Option<ir::Issuer>, thoughts: &Thoughts) -> ir::Sealed {
    let unknown = || ir::Issuer { dialect: ir::Text::constant(ID), provider: None, model: None };
    ir::Sealed { issuer: issuer.unwrap_or_else(unknown), payload: thoughts.payload(), note: None }
}

/// Reads thoughts of the history: `told` are the words in a field of their own, `entries` those of `reasoning_details`,
/// which say the same words once more, and who sealed them.
pub(super) fn read(cx: &mut Cx, told: Option<(ThoughtField, ir::Text)>, entries: Vec<Value>, out: &mut Vec<ir::Part>) {
    let field = told.as_ref().map(|(field, _)| *field);
    let mut reader = Reader { field, group: Group::default(), out: Vec::new() };
    for entry in entries {
        cx.at("reasoning_details", |cx| reader.entry(cx, entry));
    }
    cx.at("reasoning_details", |cx| reader.end_group(cx));
    let mut found = reader.out;
    if let Some((field, words)) = told.filter(|_| found.iter().all(|part| part.text.is_empty())) {
        match found.as_mut_slice() {
            // An entry that holds nothing but state: the words beside it are its own.
            [only] if only.meta.seal.as_ref().is_some_and(|seal| seal.issuer.dialect == ID) => only.text = words,
            _ => {
                let thoughts = Thoughts { field: Some(field), details: Vec::new() };
                let seal = Some(Box::new(bare(&thoughts)));
                let meta = cx.at(field.name(), |cx| ir::Meta { seal, ..ir::Meta::at(cx.here()) });
                found.insert(0, ir::Reasoning { text: words, form: ir::ReasoningForm::Raw, meta });
            }
        }
    }
    out.extend(found.into_iter().map(ir::Part::Reasoning));
}

/// The seal of a call as it belongs to the call. Those of other dialects' thoughts stand on the call behind them, too, since some
/// clients keep no `reasoning_details`: where the thought lacks it, it gets it back.
pub(super) fn attach(seal: Option<Box<ir::Sealed>>, parts: &mut Vec<ir::Part>) -> Option<Box<ir::Sealed>> {
    let seal = match seal {
        Some(seal) if !matches!(seal.issuer.dialect.as_str(), ID | gemini::ID) && !seal.is_note() => seal,
        own => return own,
    };
    if parts.iter_mut().any(|part| part.meta_mut().seal.as_mut().is_some_and(|own| own.merge(&seal))) {
        return None;
    }
    let is_bare = |seal: &ir::Sealed| seal.issuer.dialect == ID && seal.issuer.provider.is_none();
    for part in parts.iter_mut() {
        if let ir::Part::Reasoning(part) = part
            && part.meta.seal.as_deref().is_none_or(is_bare)
        {
            (part.form, part.meta.seal) = (ir::ReasoningForm::Summary, Some(seal));
            return None;
        }
    }
    let form = ir::ReasoningForm::Summary;
    let meta = ir::Meta { seal: Some(seal), ..ir::Meta::default() };
    let at = parts.iter().rposition(|part| matches!(part, ir::Part::ToolCall(_))).map_or(0, |index| index + 1);
    parts.insert(at, ir::Part::Reasoning(ir::Reasoning { text: ir::Text::default(), form, meta }));
    None
}

/// Neighbouring entries that go back to one upstream of this dialect, together.
#[derive(Default)]
struct Group {
    issuer: Option<ir::Issuer>,
    words: String,
    form: ir::ReasoningForm,
    details: Vec<Value>,
}

struct Reader {
    field: Option<ThoughtField>,
    group: Group,
    out: Vec<ir::Reasoning>,
}

impl Reader {
    fn entry(&mut self, cx: &mut Cx, mut entry: Value) {
        let form = match entry.get("type").and_then(Value::as_str) {
            Some("reasoning.summary") => ir::ReasoningForm::Summary,
            Some("reasoning.encrypted") => ir::ReasoningForm::Redacted,
            _ => ir::ReasoningForm::Raw,
        };
        let words = Thoughts::words(&entry).to_owned();
        let issuer = match Thoughts::secret(&entry).map(|secret| envelope::open(ID, &secret.into())) {
            None => None,
            Some(None) => {
                let what = "an envelope that cannot be read";
                cx.report_here(&codes::REASONING_STATE_FOREIGN, "", what);
                return;
            }
            Some(Some(seal)) if seal.issuer.dialect == ID && Thoughts::of_payload(&seal.payload).is_none() => {
                Thoughts::replace_secret(&mut entry, &seal.payload);
                seal.issuer.provider.is_some().then_some(seal.issuer)
            }
            Some(Some(seal)) => {
                self.end_group(cx);
                let form = if seal.issuer.dialect == ID { form } else { summary_unless_redacted(form) };
                let meta = ir::Meta { seal: Some(Box::new(seal)), ..ir::Meta::at(cx.here()) };
                self.out.push(ir::Reasoning { text: words.into(), form, meta });
                return;
            }
        };
        if self.group.issuer.is_some() && issuer.is_some() && self.group.issuer != issuer {
            self.end_group(cx);
        }
        let group = &mut self.group;
        if group.details.is_empty() || group.form == ir::ReasoningForm::Redacted {
            group.form = form;
        }
        group.issuer = group.issuer.take().or(issuer);
        group.words.push_str(&words);
        group.details.push(entry);
    }

    fn end_group(&mut self, cx: &mut Cx) {
        let Group { issuer, words, form, details } = std::mem::take(&mut self.group);
        if details.is_empty() {
            return;
        }
        let seal = sealed(issuer, &Thoughts { field: self.field, details });
        let meta = ir::Meta { seal: Some(Box::new(seal)), ..ir::Meta::at(cx.here()) };
        self.out.push(ir::Reasoning { text: words.into(), form, meta });
    }
}

/// What the closed vendors call thoughts are summaries.
fn summary_unless_redacted(form: ir::ReasoningForm) -> ir::ReasoningForm {
    match form {
        ir::ReasoningForm::Redacted => ir::ReasoningForm::Redacted,
        ir::ReasoningForm::Raw | ir::ReasoningForm::Summary => ir::ReasoningForm::Summary,
    }
}

/// An entry of `reasoning_details`, on its way to a client.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Detail {
    /// As an upstream of this dialect wrote it, its state in an envelope.
    Native(Value),
    /// Made for thoughts of others.
    Made {
        /// `reasoning.text`, `reasoning.summary` or `reasoning.encrypted`.
        r#type: &'static str,
        /// The words of a text.
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<ir::Text>,
        /// The words of a summary.
        #[serde(skip_serializing_if = "Option::is_none")]
        summary: Option<ir::Text>,
        /// The envelope of a text's state.
        #[serde(skip_serializing_if = "Option::is_none")]
        signature: Option<ir::Text>,
        /// The envelope of state without words.
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<ir::Text>,
        /// Whose state it is, in OpenRouter's words.
        #[serde(skip_serializing_if = "Option::is_none")]
        format: Option<&'static str>,
        /// Different for each entry.
        index: u64,
    },
}

/// Makes the entries of one answer's `reasoning_details`. Thoughts without a seal need none, unless others have one:
/// then the entries have to hold all of them, in order. Those of neighbouring thoughts are told together: of a field that
/// it does not know, OpenAI's own streaming helper for JavaScript keeps what the last delta says, and its users send that
/// back. They are told before what follows the thoughts, or other clients would take them for new ones.
#[derive(Clone, Debug)]
pub(super) struct Details {
    /// In a stream entries of one index are joined, so those of an upstream that repeat it get another.
    renumbers: bool,
    next: u64,
    held: Vec<Detail>,
    has_seal: bool,
}

impl Details {
    pub(super) fn new(renumbers: bool) -> Self {
        Self { renumbers, next: 0, held: Vec::new(), has_seal: false }
    }

    /// A block of thoughts is whole.
    pub(super) fn block(&mut self, words: ir::Text, form: ir::ReasoningForm, seal: Option<&ir::Sealed>) {
        let own = seal.filter(|seal| seal.issuer.dialect == ID).and_then(|seal| Thoughts::of_payload(&seal.payload));
        match (own, seal) {
            (Some(thoughts), Some(seal)) if !thoughts.details.is_empty() => {
                self.has_seal = true;
                for entry in thoughts.details {
                    let entry = self.native(entry, &seal.issuer);
                    self.held.push(entry);
                }
            }
            // The words alone say it, in the field that the client knows as well.
            (Some(Thoughts { field: Some(ThoughtField::Reasoning | ThoughtField::ReasoningContent), .. }), _)
            | (_, None) => {
                if !words.is_empty() {
                    let made = self.made(words, form, None);
                    self.held.push(made);
                }
            }
            (_, Some(seal)) => {
                self.has_seal = true;
                let made = self.made(words, form, Some(seal));
                self.held.push(made);
            }
        }
    }

    /// Something else comes: gives the entries so far.
    pub(super) fn take(&mut self) -> Vec<Detail> {
        if self.has_seal { std::mem::take(&mut self.held) } else { Vec::new() }
    }

    fn native(&mut self, mut entry: Value, issuer: &ir::Issuer) -> Detail {
        if let Some(secret) = Thoughts::secret(&entry) {
            let slot = envelope::wrap(&ir::Sealed { issuer: issuer.clone(), payload: secret.into(), note: None });
            Thoughts::replace_secret(&mut entry, &slot);
        }
        let own = entry.get("index").and_then(Value::as_u64);
        let index = own.unwrap_or(0).max(self.next);
        self.next = index.saturating_add(1);
        if let (Value::Object(fields), true) = (&mut entry, self.renumbers || own.is_none()) {
            fields.insert("index".to_owned(), index.into());
        }
        Detail::Native(entry)
    }

    fn made(&mut self, words: ir::Text, form: ir::ReasoningForm, seal: Option<&ir::Sealed>) -> Detail {
        let index = self.next;
        self.next += 1;
        let slot = seal.map(envelope::wrap);
        let format = seal.map(|seal| format_of(&seal.issuer));
        let (kind, text, summary, signature, data) = match (form, words.is_empty(), slot) {
            (ir::ReasoningForm::Summary, _, None) => ("reasoning.summary", None, Some(words), None, None),
            (_, true, slot) => ("reasoning.encrypted", None, None, None, slot),
            (_, false, slot) => ("reasoning.text", Some(words), None, slot, None),
        };
        Detail::Made { r#type: kind, text, summary, signature, data, format, index }
    }
}

fn format_of(issuer: &ir::Issuer) -> &'static str {
    match issuer.dialect.as_str() {
        claude::ID => "anthropic-claude-v1",
        gemini::ID => "google-gemini-v1",
        openai::RESPONSES => "openai-responses-v1",
        _ => "unknown",
    }
}
