//! The order of an answer's blocks, on its way through a client whose message has one content, one list of calls and its
//! thoughts beside them.
//!
//! Where a message's own fields do not say in which order its blocks came (a thought between words, several of them, words
//! behind a call, what a hosted tool did), a layout says it: how long each block is, and what was sealed with it. It stands
//! in the slots that clients keep: in the first piece of the call that comes next, as clients that know only calls' slots
//! read that alone, and of what comes behind the last call in the message's own slot. Each tells the order from the
//! beginning, and the seals that no slot before it has. Who gives all back unchanged has the blocks where they stood, byte
//! for byte. A sum finds out who changed something; then the message is read as it stands.

use std::borrow::Cow;

use super::thoughts;
use crate::dialects::claude::Signed;
use crate::dialects::openai_chat_completions::ID;
use crate::dialects::{gemini, hosted};
use crate::envelope;
use crate::ir;

/// The issuer of a layout, which is no provider.
const LAYOUT: &str = "any-api";

/// What separates the envelopes of a slot: no letter of theirs.
const BETWEEN: char = '.';

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Thought(ir::ReasoningForm),
    Text,
    /// What another dialect alone understands, whole in its first seal; its length is that of the words told instead.
    Opaque,
    Call,
}

impl Kind {
    const ALL: [(char, Self); 6] = [
        ('s', Self::Thought(ir::ReasoningForm::Summary)),
        ('r', Self::Thought(ir::ReasoningForm::Raw)),
        ('d', Self::Thought(ir::ReasoningForm::Redacted)),
        ('t', Self::Text),
        ('o', Self::Opaque),
        ('c', Self::Call),
    ];

    /// Where it stands in a message that says no other order.
    fn rank(self) -> u8 {
        match self {
            Self::Thought(_) => 0,
            Self::Text | Self::Opaque => 1,
            Self::Call => 2,
        }
    }
}

/// A block.
#[derive(Clone, Debug)]
struct Entry {
    kind: Kind,
    /// So many bytes in front of its words are not its own.
    gap: usize,
    length: usize,
    /// What no slot has yet.
    seals: Vec<ir::Sealed>,
}

impl Entry {
    /// Whether its seal says by itself whose it is, on the call that it stands before, or is. Gemini seals its calls itself.
    fn is_told_by_call(&self) -> bool {
        match self.kind {
            Kind::Thought(_) => self.seals.iter().all(|seal| seal.issuer.dialect != gemini::ID),
            Kind::Call => true,
            Kind::Text | Kind::Opaque => false,
        }
    }

    fn total(&self) -> usize {
        self.gap.saturating_add(self.length)
    }

    fn write(&self, out: &mut String) {
        let letter = Kind::ALL.iter().find(|(_, kind)| *kind == self.kind).map_or('t', |(letter, _)| *letter);
        out.push_str(&format!(" {letter}{}", self.length));
        if self.gap > 0 {
            out.push_str(&format!("+{}", self.gap));
        }
        out.extend(self.seals.iter().map(|_| '*'));
    }

    fn read(word: &str) -> Option<Self> {
        let mut letters = word.trim_end_matches('*').chars();
        let letter = letters.next()?;
        let kind = Kind::ALL.iter().find(|(other, _)| *other == letter)?.1;
        let (length, gap) = letters.as_str().split_once('+').unwrap_or((letters.as_str(), "0"));
        Some(Self { kind, gap: gap.parse().ok()?, length: length.parse().ok()?, seals: Vec::new() })
    }
}

/// A sum of all that a layout is about.
fn sum(content: Signed, thoughts: Signed, calls: Signed) -> String {
    Signed::NOTHING.with(&[content, thoughts, calls].map(Signed::note).concat()).note()
}

/// Notes the blocks of an answer as they are told.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    entries: Vec<Entry>,
    /// So many of them a slot has told.
    told: usize,
    is_off: bool,
    content: Signed,
    thoughts: Signed,
    calls: Signed,
}

impl Recorder {
    pub(super) fn new() -> Self {
        let (content, thoughts, calls) = (Signed::NOTHING, Signed::NOTHING, Signed::NOTHING);
        Self { entries: Vec::new(), told: 0, is_off: false, content, thoughts, calls }
    }

    /// Nothing more is told: the message has what no layout can say, or its upstream is one that knows no order itself.
    pub(super) fn give_up(&mut self) {
        self.is_off = true;
    }

    fn begin(&mut self, kind: Kind) {
        self.entries.push(Entry { kind, gap: 0, length: 0, seals: Vec::new() });
    }

    pub(super) fn begin_text(&mut self) {
        self.begin(Kind::Text);
    }

    pub(super) fn begin_thought(&mut self, form: ir::ReasoningForm) {
        self.begin(Kind::Thought(form));
    }

    pub(super) fn call(&mut self, id: &str, seal: Option<ir::Sealed>) {
        self.calls = self.calls.with(id).with("\n");
        self.begin(Kind::Call);
        self.seal(seal);
    }

    pub(super) fn opaque(&mut self, part: &ir::Opaque) {
        self.begin(Kind::Opaque);
        let seal = hosted::carry(part);
        self.is_off |= seal.is_none();
        self.seal(seal);
        self.seal(part.meta.seal.as_deref().cloned());
    }

    /// Words of the block, behind so many that are not its own.
    pub(super) fn content(&mut self, gap: usize, text: &str) {
        self.content = self.content.with(text);
        if let Some(last) = self.entries.last_mut() {
            last.gap += gap;
            last.length += text.len().saturating_sub(gap);
        }
    }

    pub(super) fn thought(&mut self, text: &str) {
        self.thoughts = self.thoughts.with(text);
        if let Some(last) = self.entries.last_mut() {
            last.length += text.len();
        }
    }

    /// Provider state of the block.
    pub(super) fn seal(&mut self, seal: Option<ir::Sealed>) {
        if let (Some(last), Some(seal)) = (self.entries.last_mut(), seal) {
            self.is_off |= seal.issuer.dialect == ID;
            last.seals.push(seal);
        }
    }

    /// The block is whole.
    pub(super) fn close(&mut self) {
        self.entries.pop_if(|last| last.kind != Kind::Call && last.length == 0 && last.seals.is_empty());
    }

    /// The slot of the call that has begun. One seal of the call, or of the thought before it, says alone what it is.
    pub(super) fn slot_of_call(&mut self) -> Option<ir::Text> {
        if self.is_off {
            return self.entries.last_mut()?.seals.pop().as_ref().map(envelope::wrap);
        }
        let sealed = self.entries.iter().enumerate().filter(|(_, entry)| !entry.seals.is_empty());
        let plain = match sealed.collect::<Vec<_>>().as_slice() {
            [] => Some(None),
            [(at, entry)] => entry.is_told_by_call().then_some(Some(*at)),
            _ => None,
        };
        match plain.filter(|_| self.is_in_order()) {
            Some(at) => self.entries.get_mut(at?)?.seals.pop().as_ref().map(envelope::wrap),
            None => self.layout(),
        }
    }

    /// The slot of the message, when all is told: what the calls' do not say; and whether there was one seal too many for
    /// it.
    pub(super) fn slot(&mut self) -> (Option<ir::Text>, bool) {
        let has_seal = |entry: &Entry| entry.kind == Kind::Call && entry.seals.iter().any(|seal| !seal.is_note());
        if !self.is_off && (self.told > 0 || !self.is_in_order() || self.entries.iter().any(has_seal)) {
            return (self.layout(), false);
        }
        let seals = || self.entries.iter().filter(|entry| entry.kind.rank() > 0).flat_map(|entry| &entry.seals);
        let mut own = seals().filter(|seal| !seal.is_note());
        let notes = || seals().cloned().reduce(|notes, more| notes.with_note(&more));
        let plain = own.next().cloned().or_else(notes);
        (plain.as_ref().map(envelope::wrap), own.next().is_some())
    }

    /// Whether the message says by itself in which order its blocks stood.
    fn is_in_order(&self) -> bool {
        let pairs = self.entries.iter().zip(self.entries.iter().skip(1));
        self.told == 0
            && !self.entries.iter().any(|entry| entry.kind == Kind::Opaque)
            && pairs.into_iter().all(|(one, next)| {
                one.kind.rank() < next.kind.rank() || one.kind == Kind::Call && next.kind == Kind::Call
            })
    }

    /// The order so far, if there is something new to say of it.
    fn layout(&mut self) -> Option<ir::Text> {
        let is_new =
            |(index, entry): (usize, &Entry)| index >= self.told && entry.kind != Kind::Call || !entry.seals.is_empty();
        if !self.entries.iter().enumerate().any(is_new) {
            return None;
        }
        let mut note = sum(self.content, self.thoughts, self.calls);
        self.entries.iter().for_each(|entry| entry.write(&mut note));
        let issuer = ir::Issuer { dialect: ir::Text::constant(LAYOUT), provider: None, model: None };
        let layout = ir::Sealed { issuer, payload: ir::Text::default(), note: Some(note.into()) };
        let mut out = envelope::wrap(&layout).to_string();
        for seal in self.entries.iter_mut().flat_map(|entry| entry.seals.drain(..)) {
            out.push(BETWEEN);
            out.push_str(&envelope::wrap(&seal));
        }
        self.told = self.entries.len();
        Some(out.into())
    }
}

/// What a slot holds.
#[derive(Debug)]
pub(super) enum Slot {
    Seal(ir::Sealed),
    Layout(Layout),
}

impl Slot {
    pub(super) fn layout(&self) -> Option<&Layout> {
        match self {
            Self::Seal(_) => None,
            Self::Layout(layout) => Some(layout),
        }
    }
}

/// A layout that came back.
#[derive(Debug)]
pub(super) struct Layout {
    note: ir::Text,
    seals: Vec<ir::Sealed>,
}

/// Reads a slot; `None` for what nobody can use.
pub(super) fn open(slot: &ir::Text) -> Option<Slot> {
    if !slot.starts_with(envelope::MARK) {
        return envelope::open(ID, slot).map(Slot::Seal);
    }
    let is_whole = |envelope: &&str| envelope.starts_with(envelope::MARK);
    let mut envelopes =
        slot.split(BETWEEN).map(|one| Some(one).filter(is_whole).and_then(|one| envelope::open(ID, &one.into())));
    let first = envelopes.next()??;
    if first.issuer.dialect != LAYOUT {
        return Some(Slot::Seal(first));
    }
    let layout = Layout { note: first.note?, seals: envelopes.collect::<Option<_>>()? };
    (layout.note.matches('*').count() == layout.seals.len()).then_some(Slot::Layout(layout))
}

impl Layout {
    fn words(&self) -> impl Iterator<Item = &str> {
        self.note.split(' ').skip(1)
    }

    /// What is left of it where the message was changed: the call's own seal, and that of the thought before it, if there is
    /// but one.
    pub(super) fn give_up(self) -> (Option<ir::Sealed>, Option<ir::Sealed>) {
        let is_thought = |word: &&str| word.starts_with(['s', 'r', 'd']);
        let of_call = self.words().last().is_some_and(|word| word.starts_with('c') && word.ends_with('*'));
        let of_thought = self.words().filter(is_thought).count() == 1
            && self.words().find(|word| word.ends_with('*')).is_some_and(|word| is_thought(&word));
        let mut seals = self.seals;
        let own = if of_call { seals.pop() } else { None };
        (own, seals.into_iter().next().filter(|_| of_thought))
    }
}

/// What a message says, in the fields that it has.
pub(super) struct Said<'a> {
    /// What was read of `reasoning_details`, or of the words of thoughts alone.
    pub(super) thoughts: &'a [ir::Part],
    /// The words of thoughts, where they have a field of their own.
    pub(super) told: &'a str,
    pub(super) content: &'a [ir::Part],
    pub(super) calls: &'a [(ir::ToolCall, Option<Layout>)],
    /// What the slot of the message holds.
    pub(super) layout: Option<&'a Layout>,
    /// What thoughts without a seal are sealed with.
    pub(super) bare: ir::Sealed,
}

/// The blocks of a message in the order in which they stood; `None` where nobody knows it.
pub(super) fn restore(said: &Said<'_>) -> Option<Vec<ir::Part>> {
    let layouts = || said.calls.iter().filter_map(|(_, layout)| layout.as_ref()).chain(said.layout);
    let last = layouts().last()?;
    let mut entries: Vec<Entry> = last.words().map(Entry::read).collect::<Option<_>>()?;
    for layout in layouts() {
        let mut seals = layout.seals.iter().cloned();
        for (entry, word) in entries.iter_mut().zip(layout.words()) {
            entry.seals.extend(seals.by_ref().take(word.matches('*').count()));
        }
    }
    let (text, meta) = match said.content {
        [] => ("", None),
        [ir::Part::Text(part)] => (part.text.as_str(), Some(&part.meta)),
        _ => return None,
    };
    let length = |of: fn(Kind) -> bool| {
        let lengths = entries.iter().filter(|entry| of(entry.kind)).map(Entry::total);
        lengths.fold(0, usize::saturating_add)
    };
    let (words, text_rest) = text.split_at_checked(length(|kind| matches!(kind, Kind::Text | Kind::Opaque)))?;
    let calls = entries.iter().filter(|entry| entry.kind == Kind::Call).count();
    let ids = said.calls.get(..calls)?.iter().fold(Signed::NOTHING, |sum, (call, _)| sum.with(&call.id).with("\n"));
    let told = [Cow::Borrowed(said.told), said.thoughts.iter().map(words_of).collect()];
    let (thoughts, thought_rest) = told.iter().find_map(|told| {
        let (thoughts, rest) = told.split_at_checked(length(|kind| matches!(kind, Kind::Thought(_))))?;
        let of = |text: &str| Signed::NOTHING.with(text);
        (last.note.split(' ').next()? == sum(of(words), of(thoughts), ids)).then_some((thoughts, rest))
    })?;
    let place = meta.map_or_else(ir::Place::default, |meta| meta.place);
    let mut source = Source { words, thoughts, place };
    let mut calls = said.calls.iter();
    let mut out = Vec::new();
    for entry in &entries {
        let part = match entry.kind {
            Kind::Thought(form) => source.thought(form, entry)?,
            Kind::Text => source.text(entry)?,
            Kind::Opaque => source.opaque(entry)?,
            Kind::Call => {
                let mut call = calls.next()?.0.clone();
                call.meta.seal = match entry.seals.first() {
                    Some(own) => Some(Box::new(own.clone())),
                    None => thoughts::attach(call.meta.seal.take(), &mut out),
                };
                ir::Part::ToolCall(call)
            }
        };
        out.push(part);
    }
    // What came behind the last slot that the client kept.
    source = Source { words: text_rest, thoughts: thought_rest, place };
    let behind_call = entries.last().is_some_and(|last| last.kind == Kind::Call) && !words.is_empty();
    let gap = if behind_call && text_rest.starts_with("\n\n") { 2 } else { 0 };
    let rest = |gap, length| Entry { kind: Kind::Text, gap, length, seals: Vec::new() };
    if !thought_rest.is_empty() {
        out.push(source.thought(ir::ReasoningForm::Raw, &rest(0, thought_rest.len()))?);
    }
    if text_rest.len() > gap {
        out.push(source.text(&rest(gap, text_rest.len() - gap))?);
    }
    for (call, _) in calls {
        let mut call = call.clone();
        call.meta.seal = thoughts::attach(call.meta.seal.take(), &mut out);
        out.push(ir::Part::ToolCall(call));
    }
    for part in &mut out {
        if let ir::Part::Reasoning(part) = part
            && part.meta.seal.is_none()
        {
            part.meta.seal = Some(Box::new(said.bare.clone()));
        }
    }
    // What the client said of its content, it said of the end.
    let last = out.iter_mut().rev().find(|part| matches!(part, ir::Part::Text(_)));
    if let (Some(last), Some(meta)) = (last, meta) {
        let last = last.meta_mut();
        last.cache = meta.cache;
        last.extensions = meta.extensions.clone();
    }
    Some(out)
}

fn words_of(part: &ir::Part) -> &str {
    match part {
        ir::Part::Reasoning(part) => &part.text,
        ir::Part::Text(_)
        | ir::Part::Media(_)
        | ir::Part::ToolCall(_)
        | ir::Part::ToolResult(_)
        | ir::Part::Refusal(_)
        | ir::Part::Opaque(_) => "",
    }
}

/// What is left to be divided.
struct Source<'a> {
    words: &'a str,
    thoughts: &'a str,
    place: ir::Place,
}

impl Source<'_> {
    fn meta(&self, seal: Option<&ir::Sealed>) -> ir::Meta {
        ir::Meta { seal: seal.cloned().map(Box::new), ..ir::Meta::at(self.place) }
    }

    fn thought(&mut self, form: ir::ReasoningForm, entry: &Entry) -> Option<ir::Part> {
        let (text, rest) = self.thoughts.split_at_checked(entry.length)?;
        self.thoughts = rest;
        Some(ir::Part::Reasoning(ir::Reasoning { text: text.into(), form, meta: self.meta(entry.seals.first()) }))
    }

    fn take(&mut self, entry: &Entry) -> Option<ir::Text> {
        let (text, rest) = self.words.split_at_checked(entry.total())?;
        self.words = rest;
        text.get(entry.gap..).map(Into::into)
    }

    fn text(&mut self, entry: &Entry) -> Option<ir::Part> {
        let (text, meta) = (self.take(entry)?, self.meta(entry.seals.first()));
        Some(ir::Part::Text(ir::TextPart { text, meta, ..ir::TextPart::default() }))
    }

    fn opaque(&mut self, entry: &Entry) -> Option<ir::Part> {
        let mut part = hosted::carried(entry.seals.first()?)?;
        part.words = Some(self.take(entry)?).filter(|words| !words.is_empty());
        part.meta = self.meta(entry.seals.get(1));
        Some(ir::Part::Opaque(part))
    }
}
