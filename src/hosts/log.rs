//! Log lines as JSON, one an event, for either host. Bodies, headers and keys are never logged, so nothing is filtered.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::util::SubscriberInitExt;

/// Writes each event as a JSON object to a sink of the host's.
#[derive(Clone, Copy, Debug)]
pub struct JsonLines {
    /// Events above this are passed over.
    pub level: Level,
    /// Takes a finished line.
    pub write: fn(Level, &str),
}

impl JsonLines {
    /// Takes all events from now on. A second start in one process changes nothing.
    pub fn listen(self) {
        let _ = self.with_subscriber(Spanless).try_init();
    }
}

/// What is below the layer: each event says itself what it belongs to, so there are no spans, and nothing to keep of them.
struct Spanless;

impl Subscriber for Spanless {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl<S: Subscriber> Layer<S> for JsonLines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= self.level && metadata.target().starts_with("any_api")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.level))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        let mut line = Line(Vec::with_capacity(256));
        line.0.push(b'{');
        line.put("level", &level.as_str().to_ascii_lowercase());
        event.record(&mut line);
        line.0.push(b'}');
        (self.write)(level, &String::from_utf8_lossy(&line.0));
    }
}

/// An object that is being written.
struct Line(Vec<u8>);

impl Line {
    fn put<T: serde::Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        // Neither texts nor numbers can fail to be written.
        let _ = serde_json::to_writer(&mut self.0, name);
        self.0.push(b':');
        let _ = serde_json::to_writer(&mut self.0, value);
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), &format!("{value:?}"));
    }
}
