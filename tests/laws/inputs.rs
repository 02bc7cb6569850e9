//! What the laws are held over.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use any_api::ir::{self, Delivery, Event};

use crate::support::fixtures::{DIALECTS, fixtures, recordings};
use crate::support::grammar::{self, End};
use crate::support::ways;

/// A streamed answer, and where it comes from.
pub(crate) struct Stream {
    pub(crate) dialect: &'static str,
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_ours: bool,
}

pub(crate) fn streams() -> Vec<Stream> {
    let ours = fixtures("stream").into_iter().map(|fixture| Stream {
        dialect: fixture.dialect,
        name: fixture.name(),
        bytes: fixture.text.into_bytes(),
        is_ours: true,
    });
    let others = recordings().iter().filter(|recording| recording.status < 300).filter_map(|recording| {
        let bytes = recording.stream.clone()?.into_bytes();
        Some(Stream { dialect: recording.dialect, name: recording.name.clone(), bytes, is_ours: false })
    });
    ours.chain(others).collect()
}

/// A whole answer, and where it comes from.
pub(crate) struct Answer {
    pub(crate) dialect: &'static str,
    pub(crate) name: String,
    pub(crate) text: String,
}

pub(crate) fn answers() -> Vec<Answer> {
    let ours = fixtures("response").into_iter().map(|fixture| Answer {
        dialect: fixture.dialect,
        name: fixture.name(),
        text: fixture.text,
    });
    let others = recordings().iter().filter(|recording| recording.status < 300).filter_map(|recording| {
        // An answer that was asked for in the background is none yet.
        let text = recording.answer.clone().filter(|text| !text.contains("\"status\":\"queued\""))?;
        Some(Answer { dialect: recording.dialect, name: recording.name.clone(), text })
    });
    ours.chain(others).collect()
}

/// A client's request, and where it comes from.
pub(crate) struct Request {
    pub(crate) dialect: &'static str,
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) delivery: Delivery,
}

pub(crate) fn requests() -> Vec<Request> {
    let ours = fixtures("request").into_iter().map(|fixture| {
        let delivery = if fixture.case.starts_with("stream") { Delivery::Stream } else { Delivery::Whole };
        Request { dialect: fixture.dialect, name: fixture.name(), text: fixture.text, delivery }
    });
    let others = recordings().iter().filter_map(|recording| {
        let text = recording.request.clone()?;
        let delivery = if recording.path.contains(":stream") { Delivery::Stream } else { Delivery::Whole };
        Some(Request { dialect: recording.dialect, name: recording.name.clone(), text, delivery })
    });
    ours.chain(others).collect()
}

pub(crate) fn ends_in(events: &[Event]) -> End {
    if matches!(events.last(), Some(Event::Finish(_))) { End::Finished } else { End::Failed }
}

pub(crate) fn is_malformed(events: &[Event]) -> bool {
    matches!(events.last(), Some(Event::Finish(finish)) if finish.reason == ir::Reason::Malformed)
}

/// Holds events to the IR's grammar, and what each client gets of them to that client's.
pub(crate) fn check_for_all(events: &[Event], name: &str) {
    check_for(&DIALECTS, events, name);
}

/// The same where the upstream's own words are damaged: a client of its dialect gets some of them as they are.
pub(crate) fn check_for_others(upstream: &str, events: &[Event], name: &str) {
    let others: Vec<&str> = DIALECTS.into_iter().filter(|client| *client != upstream).collect();
    ways::encode(upstream, events);
    check_for(&others, events, name);
}

pub(crate) fn check_for(clients: &[&str], events: &[Event], name: &str) {
    ir::check(events).unwrap_or_else(|what| panic!("{name}: {what}"));
    for client in clients {
        let bytes = ways::encode(client, events);
        match grammar::check(client, &bytes) {
            // A call that the upstream could not read is a failure for clients that have no word for such an end.
            Ok(End::Failed) if is_malformed(events) => {}
            Ok(end) => assert_eq!(end, ends_in(events), "{name} for {client}"),
            Err(what) if what.starts_with(grammar::BROKEN_INPUT) => {}
            Err(what) => panic!("{name} for {client}: {what}\n{}", String::from_utf8_lossy(&bytes)),
        }
    }
}

static QUIET: Once = Once::new();

thread_local! {
    /// Broken laws are told by [`all`], once and together.
    static IS_HELD: Cell<bool> = const { Cell::new(false) };
}

/// Holds each input to a law, and tells of all that break it and not only of the first.
pub(crate) fn all<T>(inputs: impl IntoIterator<Item = T>, mut law: impl FnMut(T)) {
    QUIET.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !IS_HELD.get() {
                tell(info);
            }
        }));
    });
    IS_HELD.set(true);
    let mut broken = Vec::new();
    let mut count = 0;
    for input in inputs {
        count += 1;
        if let Err(told) = catch_unwind(AssertUnwindSafe(|| law(input))) {
            let words = told.downcast_ref::<String>().cloned();
            broken
                .push(words.or_else(|| told.downcast_ref::<&str>().map(|&words| words.to_owned())).unwrap_or_default());
        }
    }
    IS_HELD.set(false);
    let shown: Vec<String> = broken.iter().take(30).map(|words| words.chars().take(1_500).collect()).collect();
    assert!(broken.is_empty(), "{} of {count} inputs break the law:\n\n{}", broken.len(), shown.join("\n\n"));
}
