//! Stop sequences for upstreams that have none: the answer is cut where the client wanted it to end.

use crate::error::Error;
use crate::ir::{Event, Finish, Open, Reason, Response, Text, collect};

/// Cuts the words of an answer at the first stop sequence, which is left out, as the vendors' own do. Thoughts and
/// arguments are not looked at.
#[derive(Debug)]
pub(super) struct Cutter {
    stops: Vec<Text>,
    /// The end of the open text that may be the beginning of a stop sequence.
    held: String,
    /// What was said of the open text since, in order: it follows the words.
    waiting: Vec<Event>,
    in_text: bool,
    has_call: bool,
    /// The stop sequence that was met.
    met: Option<Text>,
}

impl Cutter {
    /// A cutter, if there is anything to cut at.
    pub(super) fn at(stops: &[Text]) -> Option<Self> {
        let stops: Vec<Text> = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        let (held, waiting) = (String::new(), Vec::new());
        (!stops.is_empty()).then_some(Self { stops, held, waiting, in_text: false, has_call: false, met: None })
    }

    /// Whether a stop sequence was met: nothing more will be said but what the answer cost.
    pub(super) fn has_met(&self) -> bool {
        self.met.is_some()
    }

    /// How an answer that was cut ends; `None` if it was not.
    pub(super) fn finish(&self) -> Option<Event> {
        let stop_sequence = Some(self.met.clone()?);
        let reason = if self.has_call { Reason::ToolUse } else { Reason::StopSequence };
        Some(Event::Finish(Finish { reason, stop_sequence, ..Finish::default() }))
    }

    /// The answer as the client is to have it.
    pub(super) fn whole(mut self, response: Response) -> Result<Response, Error> {
        let mut out = Vec::new();
        response.events().into_iter().for_each(|event| self.push(event, &mut out));
        out.extend(self.finish());
        collect(out)
    }

    /// Takes the next piece of an answer; gives what the client is to have of it. Of an answer that was cut, all that
    /// still comes is what it cost; its end is [`Cutter::finish`].
    pub(super) fn push(&mut self, event: Event, out: &mut Vec<Event>) {
        if self.has_met() {
            match event {
                Event::Usage(_) => out.push(event),
                Event::Start(_)
                | Event::Idle
                | Event::Open(_)
                | Event::Delta(_)
                | Event::Annotate(_)
                | Event::Seal(_)
                | Event::Close
                | Event::Finish(_)
                | Event::Failed(_) => {}
            }
            return;
        }
        match event {
            Event::Open(ref open) => {
                self.in_text = matches!(open, Open::Text { .. });
                self.has_call |= matches!(open, Open::ToolCall { .. });
                out.push(event);
            }
            Event::Delta(text) if self.in_text => {
                self.held.push_str(&text);
                self.cut(out);
            }
            Event::Annotate(_) if !self.held.is_empty() => self.waiting.push(event),
            Event::Seal(_) | Event::Close | Event::Failed(_) | Event::Finish(_) => {
                self.give(self.held.len(), out);
                out.push(event);
            }
            other => out.push(other),
        }
    }

    fn cut(&mut self, out: &mut Vec<Event>) {
        let held = self.held.as_str();
        let first = self.stops.iter().filter_map(|stop| Some((held.find(&**stop)?, stop)));
        // Of two at one place the longer says more.
        if let Some((at, stop)) = first.min_by_key(|(at, stop)| (*at, usize::MAX - stop.len())) {
            self.met = Some(stop.clone());
            self.give(at, out);
            self.held.clear();
            self.waiting.clear();
            out.push(Event::Close);
            return;
        }
        let may_be_met = |tail: &str| self.stops.iter().any(|stop| stop.starts_with(tail));
        let longest = self.stops.iter().map(|stop| stop.len()).max().unwrap_or_default();
        let window = held.len().saturating_sub(longest);
        let tails = held.char_indices().map(|(at, _)| at).filter(|at| *at >= window);
        let at = tails.into_iter().find(|at| held.get(*at..).is_some_and(may_be_met));
        self.give(at.unwrap_or(self.held.len()), out);
    }

    /// Gives the first `length` bytes of what is held, and what was said of them.
    fn give(&mut self, length: usize, out: &mut Vec<Event>) {
        let rest = self.held.split_off(length);
        let given = std::mem::replace(&mut self.held, rest);
        if !given.is_empty() {
            out.push(Event::Delta(given.into()));
        }
        if self.held.is_empty() {
            out.append(&mut self.waiting);
        }
    }
}
