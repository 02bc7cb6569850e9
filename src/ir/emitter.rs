//! Keeps the grammar of a stream, so that a decoder only says what arrived.

use super::{Annotation, CallKind, Event, Finish, Meta, Open, Part, ReasoningForm, Sealed, Start, Text, Usage};
use crate::context::Ids;
use crate::diagnostics::{Code, Diagnostic};
use crate::error::Error;

/// How a tool call begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallStart {
    /// The upstream's id; one is made where it gave none.
    pub id: Option<Text>,
    /// The tool's name, as the client declared it.
    pub name: Text,
    /// Its name space.
    pub namespace: Option<Text>,
    /// How the client declared it.
    pub kind: CallKind,
    /// What any node may carry.
    pub meta: Meta,
    /// A custom tool that went up as a function `{"input": …}`: its text is taken out once the call is whole.
    pub unwrap_input: bool,
}

/// A block that is open, or waits for the open one to end.
#[derive(Clone, Debug)]
struct Block {
    kind: BlockKind,
    /// What has arrived and was not given out: all of a waiting block's, and the arguments that wait to be unwrapped.
    held: Vec<Event>,
    /// The whole text of a call so far: tells whether its arguments are whole.
    arguments: String,
    /// No delta may follow a seal.
    sealed: bool,
    closed: bool,
    unwrap_input: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum BlockKind {
    Text,
    Reasoning(ReasoningForm),
    Refusal,
    /// A call, by the upstream's own index or id for it.
    Call(u64, CallKind),
}

/// Takes what a decoder says arrived and gives events by the grammar of [`super::stream`](super::check): one start, one
/// end, one open block. Blocks open when their first piece comes and close when another kind of piece does. While a call
/// is open that may not be whole yet, what belongs to other blocks waits; everything else goes out at once.
#[derive(Clone, Debug)]
pub struct Emitter {
    events: Vec<Event>,
    open: Option<Block>,
    waiting: Vec<Block>,
    usage: Option<Usage>,
    started: bool,
    ended: bool,
    calls: usize,
    diagnostics: Vec<Diagnostic>,
    ids: Ids,
}

impl Emitter {
    /// An emitter that makes missing ids from `ids`.
    #[must_use]
    pub fn new(ids: Ids) -> Self {
        Self {
            events: Vec::new(),
            open: None,
            waiting: Vec::new(),
            usage: None,
            started: false,
            ended: false,
            calls: 0,
            diagnostics: Vec::new(),
            ids,
        }
    }

    /// Takes the events that are ready.
    pub fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Takes what was lost so far.
    pub fn take_diagnostics(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.diagnostics)
    }

    /// Reports a loss; `place` is in the upstream's words.
    pub fn report(&mut self, code: &'static Code, place: impl Into<String>, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic { code, place: place.into(), message: message.into() });
    }

    /// Whether the stream has begun.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.started
    }

    /// Whether the stream has ended; what comes later is passed over.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether a block is open: totals wait for its end.
    #[must_use]
    pub fn has_open_block(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a tool call has begun, so that a decoder can tell [`super::Reason::ToolUse`].
    #[must_use]
    pub fn has_tool_call(&self) -> bool {
        self.calls > 0
    }

    /// The answer begins. Only the first counts; without it, the first piece begins the answer.
    pub fn start(&mut self, start: Start) {
        if !std::mem::replace(&mut self.started, true) {
            self.events.push(Event::Start(start));
        }
    }

    fn begin(&mut self) -> bool {
        if self.ended {
            return false;
        }
        self.start(Start::default());
        true
    }

    /// Running totals. They go out when no block is open, at the end at the latest.
    pub fn usage(&mut self, usage: Usage) {
        if usage.is_unknown() || !self.begin() {
            return;
        }
        self.usage.get_or_insert_default().update(usage);
        if self.open.is_none() {
            self.flush_usage();
        }
    }

    fn flush_usage(&mut self) {
        self.events.extend(self.usage.take().map(Event::Usage));
    }

    /// The upstream is alive.
    pub fn idle(&mut self) {
        if !self.ended && self.started {
            self.events.push(Event::Idle);
        }
    }

    /// More text. Goes on with the open text block, or begins one.
    pub fn text(&mut self, text: impl Into<Text>) {
        self.piece(BlockKind::Text, text.into(), || Open::Text { meta: Meta::default() });
    }

    /// More thoughts.
    pub fn reasoning(&mut self, form: ReasoningForm, text: impl Into<Text>) {
        self.piece(BlockKind::Reasoning(form), text.into(), || Open::Reasoning { form, meta: Meta::default() });
    }

    /// More of a refusal's words.
    pub fn refusal(&mut self, text: impl Into<Text>) {
        self.piece(BlockKind::Refusal, text.into(), || Open::Refusal { meta: Meta::default() });
    }

    fn piece(&mut self, kind: BlockKind, text: Text, open: impl FnOnce() -> Open) {
        if text.is_empty() || !self.begin() {
            return;
        }
        if self.current(&kind).is_none() {
            self.open_block(kind, open(), false);
        }
        self.push(Event::Delta(text));
    }

    /// Begins a text block of its own, also where one is open: for upstreams that say where blocks begin.
    pub fn open_text(&mut self, meta: Meta) {
        if self.begin() {
            self.open_block(BlockKind::Text, Open::Text { meta }, false);
        }
    }

    /// Begins a block of thoughts of its own.
    pub fn open_reasoning(&mut self, form: ReasoningForm, meta: Meta) {
        if self.begin() {
            self.open_block(BlockKind::Reasoning(form), Open::Reasoning { form, meta }, false);
        }
    }

    /// Begins a refusal of its own.
    pub fn open_refusal(&mut self, meta: Meta) {
        if self.begin() {
            self.open_block(BlockKind::Refusal, Open::Refusal { meta }, false);
        }
    }

    /// Adds a source or log probabilities to the text block that is open, or begins one for it.
    pub fn annotate(&mut self, annotation: Annotation) {
        if !self.begin() {
            return;
        }
        if self.current(&BlockKind::Text).is_none() {
            self.open_block(BlockKind::Text, Open::Text { meta: Meta::default() }, false);
        }
        self.push(Event::Annotate(annotation));
    }

    /// Seals the newest block (of those that are no calls, or the call just begun). Nothing open: the seal makes an empty
    /// block of thoughts.
    pub fn seal(&mut self, seal: Sealed) {
        if !self.begin() {
            return;
        }
        if self.waiting.last().or(self.open.as_ref()).is_none_or(|newest| newest.sealed || newest.closed) {
            let form = ReasoningForm::Summary;
            self.open_block(BlockKind::Reasoning(form), Open::Reasoning { form, meta: Meta::default() }, false);
        }
        if let Some(newest) = self.waiting.last_mut().or(self.open.as_mut()) {
            newest.sealed = true;
        }
        self.push(Event::Seal(seal));
    }

    /// A part that comes in one piece.
    pub fn whole(&mut self, part: Part) {
        if !self.begin() {
            return;
        }
        self.open_block(BlockKind::Refusal, Open::Whole(Box::new(part)), false);
        self.close();
    }

    /// A call begins, or (where `key` is known already) goes on. `key` is the upstream's own index or number for it.
    pub fn call(&mut self, key: u64, start: CallStart) {
        if !self.begin() || self.call_mut(key).is_some() {
            return;
        }
        self.calls += 1;
        let CallStart { id, name, namespace, kind, meta, unwrap_input } = start;
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| self.ids.make("call_"));
        self.open_block(BlockKind::Call(key, kind), Open::ToolCall { id, name, namespace, kind, meta }, unwrap_input);
    }

    /// More of a call's arguments. A call that never began is passed over.
    pub fn call_delta(&mut self, key: u64, arguments: &str) {
        if arguments.is_empty() || self.ended {
            return;
        }
        let Some((is_open, block)) = self.call_mut(key) else { return };
        block.arguments.push_str(arguments);
        if block.unwrap_input {
            return;
        }
        let event = Event::Delta(arguments.into());
        if is_open { self.events.push(event) } else { block.held.push(event) }
    }

    /// A call's seal.
    pub fn call_seal(&mut self, key: u64, seal: Sealed) {
        let Some((is_open, block)) = self.call_mut(key) else { return };
        if std::mem::replace(&mut block.sealed, true) {
            return;
        }
        let event = Event::Seal(seal);
        if is_open { self.events.push(event) } else { block.held.push(event) }
    }

    /// A call is whole.
    pub fn call_close(&mut self, key: u64) {
        let Some((is_open, block)) = self.call_mut(key) else { return };
        block.closed = true;
        if is_open {
            self.close_open();
            self.advance();
        }
    }

    /// How much of a call's arguments has come.
    #[must_use]
    pub fn call_arguments(&self, key: u64) -> &str {
        let blocks = self.open.iter().chain(&self.waiting);
        blocks
            .rev()
            .find(|block| matches!(block.kind, BlockKind::Call(other, _) if other == key))
            .map_or("", |block| &block.arguments)
    }

    fn call_mut(&mut self, key: u64) -> Option<(bool, &mut Block)> {
        let is_it = |block: &Block| matches!(block.kind, BlockKind::Call(other, _) if other == key) && !block.closed;
        if self.open.as_ref().is_some_and(is_it) {
            return self.open.as_mut().map(|block| (true, block));
        }
        self.waiting.iter_mut().find(|block| is_it(block)).map(|block| (false, block))
    }

    /// The newest block is whole (of those that are no calls).
    pub fn close(&mut self) {
        if let Some(block) = self.waiting.last_mut() {
            block.closed |= !matches!(block.kind, BlockKind::Call(..));
        } else if self.open.as_ref().is_some_and(|block| !matches!(block.kind, BlockKind::Call(..))) {
            self.close_open();
        }
    }

    /// The answer is whole: whatever is open or waits is, too.
    pub fn finish(&mut self, finish: Finish) {
        if !self.begin() {
            return;
        }
        self.close_open();
        while !self.waiting.is_empty() {
            self.give_next();
            self.close_open();
        }
        self.flush_usage();
        self.events.push(Event::Finish(finish));
        self.ended = true;
    }

    /// The answer broke off. What is open stays open, and what waits is dropped: nobody may take half a call for a whole.
    pub fn fail(&mut self, error: Error) {
        if !self.begin() {
            return;
        }
        if self.open.is_none() {
            self.flush_usage();
        }
        self.waiting.clear();
        self.events.push(Event::Failed(error));
        self.ended = true;
    }

    /// The block that pieces of `kind` go to: the newest, if it is of that kind and not closed.
    fn current(&self, kind: &BlockKind) -> Option<&Block> {
        let newest = self.waiting.last().or(self.open.as_ref())?;
        (newest.kind == *kind && !newest.closed && !newest.sealed).then_some(newest)
    }

    fn open_block(&mut self, kind: BlockKind, open: Open, unwrap_input: bool) {
        if let Some(block) = self.waiting.last_mut() {
            block.closed |= !matches!(block.kind, BlockKind::Call(..));
        }
        // An open call that can be no more than it is makes way, so that what follows need not wait.
        if self.waiting.is_empty() && self.open.as_ref().is_some_and(Block::is_whole) {
            self.close_open();
        }
        let block = Block {
            kind,
            sealed: open.meta().seal.is_some(),
            held: vec![Event::Open(open)],
            arguments: String::new(),
            closed: false,
            unwrap_input,
        };
        self.waiting.push(block);
        self.advance();
    }

    /// Gives out what waits, as long as nothing before it may still grow.
    fn advance(&mut self) {
        while self.open.is_none() && !self.waiting.is_empty() {
            self.give_next();
            if self.open.as_ref().is_some_and(|block| block.closed) || self.waiting_behind_whole() {
                self.close_open();
            }
        }
    }

    fn waiting_behind_whole(&self) -> bool {
        !self.waiting.is_empty() && self.open.as_ref().is_some_and(Block::is_whole)
    }

    fn give_next(&mut self) {
        if self.open.is_none() && !self.waiting.is_empty() {
            let mut block = self.waiting.remove(0);
            self.flush_usage();
            self.events.append(&mut block.held);
            self.open = Some(block);
        }
    }

    fn close_open(&mut self) {
        let Some(block) = self.open.take() else { return };
        if block.unwrap_input {
            let text = unwrap_input(&block.arguments);
            if !text.is_empty() {
                self.events.push(Event::Delta(text.into()));
            }
        }
        self.events.push(Event::Close);
        self.flush_usage();
    }

    fn push(&mut self, event: Event) {
        match self.waiting.last_mut() {
            Some(block) => block.held.push(event),
            None => self.events.push(event),
        }
    }
}

impl Block {
    /// Whether nothing more can come: a call whose arguments are a whole JSON object, or any other block once another
    /// begins.
    fn is_whole(&self) -> bool {
        match self.kind {
            BlockKind::Call(_, CallKind::Custom) if !self.unwrap_input => self.closed,
            BlockKind::Call(..) => self.closed || is_object(&self.arguments),
            BlockKind::Text | BlockKind::Reasoning(_) | BlockKind::Refusal => true,
        }
    }
}

fn is_object(arguments: &str) -> bool {
    arguments.trim_start().starts_with('{')
        && arguments.trim_end().ends_with('}')
        && serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok()
}

/// The text of a custom tool's call that went up as a function with the one argument `input`; what is no such object is
/// taken as it stands.
fn unwrap_input(arguments: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Wrapped {
        input: String,
    }
    serde_json::from_str(arguments).map_or_else(|_| arguments.to_owned(), |wrapped: Wrapped| wrapped.input)
}
