//! Server-sent events: framing in, framing out.

use std::borrow::Cow;

use memchr::memchr2;
use serde::Serialize;

/// An event larger than this breaks the stream off: memory stays bounded.
const MAX_EVENT_BYTES: usize = 64 << 20;

/// One event as it was framed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The `event:` line; empty where there was none.
    pub event: String,
    /// The `data:` lines, joined.
    pub data: String,
}

impl Frame {
    /// Makes room for the next one. It lies in the same place, unless that is large.
    fn clear(&mut self) {
        const KEPT: usize = 64 << 10;
        if self.data.capacity() > KEPT {
            self.data = String::new();
        }
        self.data.clear();
        self.event.clear();
    }
}

/// Cuts bytes into events. Takes any chunking (also inside a character), CR, LF and CRLF, comments, a byte order mark,
/// and lines without a blank behind the colon.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    /// Bytes of a line that has not ended yet.
    line: Vec<u8>,
    frame: Frame,
    has_data: bool,
    has_comment: bool,
    /// The last byte was a CR, so a LF that follows belongs to it.
    after_cr: bool,
    begun: bool,
    bytes: usize,
}

/// What a [`Parser`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// An event.
    Frame(&'a Frame),
    /// A comment, which upstreams send to keep a connection alive.
    Comment,
    /// An event beyond all measure; nothing more will be found.
    TooLarge,
}

impl Parser {
    /// Takes a chunk and gives each thing it completes to `found`, in order.
    pub fn push(&mut self, chunk: &[u8], mut found: impl FnMut(Found<'_>)) {
        if self.bytes > MAX_EVENT_BYTES {
            return;
        }
        let mut rest = chunk;
        while let Some(end) = memchr2(b'\n', b'\r', rest) {
            let (head, tail) = rest.split_at(end);
            let is_lf = tail.first() == Some(&b'\n');
            rest = tail.get(1..).unwrap_or_default();
            if is_lf && std::mem::take(&mut self.after_cr) && head.is_empty() && self.line.is_empty() {
                continue;
            }
            self.after_cr = !is_lf;
            if self.line.is_empty() {
                self.take_line(head, &mut found);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(head);
                self.take_line(&line, &mut found);
            }
        }
        if !rest.is_empty() {
            self.after_cr = false;
            self.line.extend_from_slice(rest);
            self.bytes += rest.len();
        }
        if self.bytes > MAX_EVENT_BYTES {
            self.line = Vec::new();
            found(Found::TooLarge);
        }
    }

    /// The stream has ended: an event whose blank line never came counts, as some upstreams leave the last one out.
    pub fn finish(&mut self, mut found: impl FnMut(Found<'_>)) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line, &mut found);
        }
        self.take_line(b"", &mut found);
    }

    fn take_line(&mut self, line: &[u8], found: &mut impl FnMut(Found<'_>)) {
        let line = if std::mem::replace(&mut self.begun, true) {
            line
        } else {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
        };
        if line.is_empty() {
            self.bytes = 0;
            if std::mem::take(&mut self.has_data) {
                self.has_comment = false;
                found(Found::Frame(&self.frame));
            } else if std::mem::take(&mut self.has_comment) {
                found(Found::Comment);
            }
            self.frame.clear();
            return;
        }
        self.bytes += line.len();
        if line.starts_with(b":") {
            self.has_comment = true;
            return;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            Some(at) => (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default()),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        // Nearly always it is UTF-8, which can be seen faster than it can be mended.
        let value = std::str::from_utf8(value).map_or_else(|_| String::from_utf8_lossy(value), Cow::Borrowed);
        match name {
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.frame.data.push('\n');
                }
                self.frame.data.push_str(&value);
            }
            b"event" => {
                self.frame.event.clear();
                self.frame.event.push_str(&value);
            }
            _ => {}
        }
    }
}

/// Writes an event with a name: `event:` and `data:` lines.
pub fn write_event<T: Serialize + ?Sized>(name: &str, data: &T, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
    write_data(data, out);
}

/// Writes an event without a name: a `data:` line.
pub fn write_data<T: Serialize + ?Sized>(data: &T, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    write_json_line(data, out);
    out.extend_from_slice(b"\n\n");
}

/// Writes JSON on one line. Raw values (a call's arguments, an upstream's own fields) may hold line breaks; where JSON has
/// one it is only space, as strings escape theirs.
pub fn write_json_line<T: Serialize + ?Sized>(data: &T, out: &mut Vec<u8>) {
    let start = out.len();
    write_json(data, out);
    let mut rest = out.get_mut(start..).unwrap_or_default();
    while let Some(at) = memchr2(b'\n', b'\r', rest) {
        let Some((line_break, behind)) = rest.get_mut(at..).and_then(<[u8]>::split_first_mut) else { return };
        *line_break = b' ';
        rest = behind;
    }
}

/// Writes JSON. What serde cannot say (there is no such thing among our wire structs) is written as `null`.
pub fn write_json<T: Serialize + ?Sized>(data: &T, out: &mut Vec<u8>) {
    crate::ir::write_json(data, out);
}
