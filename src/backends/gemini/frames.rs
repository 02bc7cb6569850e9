//! Cuts a stream's bytes into JSON objects, however they are framed.
//!
//! Google sends server-sent events; without `alt=sse`, and from some of Vertex' servers even with it, one JSON array that
//! is written piece by piece; an error in mid-stream may be a bare object between events.

use memchr::memchr2;

use crate::sse;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A JSON text; whether it is valid is for the reader to see.
    Json(&'a str),
    /// A sign of life.
    Idle,
    /// An object beyond all measure.
    TooLarge,
}

/// An object larger than this breaks the stream off: memory stays bounded.
const MAX_BYTES: usize = 64 << 20;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// At the beginning of a line, or between the elements of an array.
    #[default]
    Between,
    /// In a line of an event.
    Line,
    /// In a bare object, so deep in brackets.
    Object { depth: usize, in_string: bool, escaped: bool },
}

/// The state of the cutting.
#[derive(Clone, Debug, Default)]
pub(super) struct Framer {
    mode: Mode,
    sse: sse::Parser,
    object: Vec<u8>,
}

impl Framer {
    /// Takes a chunk and gives each thing it completes to `found`, in order.
    pub(super) fn push(&mut self, chunk: &[u8], mut found: impl FnMut(Found<'_>)) {
        let mut rest = chunk;
        while let Some((byte, tail)) = rest.split_first() {
            match self.mode {
                Mode::Between => match byte {
                    b'{' => {
                        // An event that still waits for its blank line comes first.
                        self.sse.push(b"\n", |event| give(event, &mut found));
                        self.mode = Mode::Object { depth: 0, in_string: false, escaped: false };
                    }
                    b'[' | b']' | b',' => rest = tail,
                    b' ' | b'\t' | b'\r' | b'\n' => {
                        self.sse.push(std::slice::from_ref(byte), |event| give(event, &mut found));
                        rest = tail;
                    }
                    _ => self.mode = Mode::Line,
                },
                Mode::Line => {
                    let end = memchr2(b'\n', b'\r', rest);
                    let (line, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
                    self.sse.push(line, |event| give(event, &mut found));
                    rest = after;
                    if end.is_some() {
                        self.mode = Mode::Between;
                    }
                }
                Mode::Object { depth, in_string, escaped } => {
                    let (length, mode) = scan(rest, depth, in_string, escaped);
                    let (part, after) = rest.split_at(length);
                    self.object.extend_from_slice(part);
                    rest = after;
                    self.mode = mode;
                    if mode == Mode::Between {
                        let object = std::mem::take(&mut self.object);
                        found(Found::Json(&String::from_utf8_lossy(&object)));
                    } else if self.object.len() > MAX_BYTES {
                        self.object = Vec::new();
                        found(Found::TooLarge);
                    }
                }
            }
        }
    }

    /// The stream has ended: an event whose blank line never came counts; half an object does not.
    pub(super) fn finish(&mut self, mut found: impl FnMut(Found<'_>)) {
        self.sse.finish(|event| give(event, &mut found));
    }
}

fn give(event: sse::Found<'_>, found: &mut impl FnMut(Found<'_>)) {
    match event {
        sse::Found::Frame(frame) => found(Found::Json(&frame.data)),
        sse::Found::Comment => found(Found::Idle),
        sse::Found::TooLarge => found(Found::TooLarge),
    }
}

/// How many bytes of `bytes` belong to the object that we are in, and the state behind them.
fn scan(bytes: &[u8], mut depth: usize, mut in_string: bool, mut escaped: bool) -> (usize, Mode) {
    for (index, byte) in bytes.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return (index + 1, Mode::Between);
                }
            }
            _ => {}
        }
    }
    (bytes.len(), Mode::Object { depth, in_string, escaped })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found; a sign of life is nothing.
    fn found(chunks: &[&[u8]]) -> Vec<Option<String>> {
        let mut framer = Framer::default();
        let mut out = Vec::new();
        let mut take = |one: Found<'_>| match one {
            Found::Json(text) => out.push(Some(text.to_owned())),
            Found::Idle => out.push(None),
            Found::TooLarge => out.push(Some("too large".to_owned())),
        };
        for chunk in chunks {
            framer.push(chunk, &mut take);
        }
        framer.finish(take);
        out
    }

    #[test]
    fn all_framings_cut_anywhere_give_the_same() {
        let json = |text: &str| Some(text.to_owned());
        let cases: [(&str, Vec<Option<String>>); 5] = [
            (
                "data: {\"a\":1}\r\n\r\n: hi\n\ndata:{\"b\":\"é\"}\n\n",
                vec![json("{\"a\":1}"), None, json("{\"b\":\"é\"}")],
            ),
            ("[{\"a\":\"]}\\\"\"}\r\n,\r\n{\"b\":[{}]}]", vec![json("{\"a\":\"]}\\\"\"}"), json("{\"b\":[{}]}")]),
            ("{\n \"a\": {\"b\": 1}\n}\n", vec![json("{\n \"a\": {\"b\": 1}\n}")]),
            ("data: {\"a\":1}\n{\"error\":\n{}}\n", vec![json("{\"a\":1}"), json("{\"error\":\n{}}")]),
            ("data: {\"a\"", vec![json("{\"a\"")]),
        ];
        for (text, expected) in cases {
            let bytes = text.as_bytes();
            assert_eq!(found(&[bytes]), expected, "{text:?}");
            for cut in 0..bytes.len() {
                let (head, tail) = bytes.split_at(cut);
                assert_eq!(found(&[head, tail]), expected, "{text:?} cut at {cut}");
            }
        }
    }
}
