//! Decodes the stream of chunks.

use super::answer::{More, Reader};
use crate::backends::{Decoder, Memo};
use crate::error::Error;
use crate::ir;
use crate::json::Repeats;
use crate::sse::{Found, Frame, Parser};

/// Decodes chunks. The answer ends with `[DONE]`; where an upstream does not send it, with the end of the body, if the
/// upstream said before why the answer ended.
#[derive(Clone, Debug)]
pub(super) struct ChunkDecoder {
    parser: Parser,
    reader: Reader,
    repeats: Repeats<More>,
}

impl ChunkDecoder {
    pub(super) fn new(memo: &Memo) -> Self {
        Self { parser: Parser::default(), reader: Reader::new(memo.clone()), repeats: Repeats::default() }
    }
}

fn take(found: Found<'_>, reader: &mut Reader, repeats: &mut Repeats<More>, out: &mut ir::Emitter) {
    if out.has_ended() {
        return;
    }
    match found {
        Found::Comment => out.idle(),
        Found::TooLarge => out.fail(Error::unreadable("an event of the upstream's stream is too large")),
        Found::Frame(Frame { data, .. }) => match data.trim() {
            "" => {}
            "[DONE]" if out.has_started() => reader.finish(out),
            "[DONE]" => out.fail(Error::unreadable("the upstream's stream is empty")),
            text => reader.chunk(text, repeats, out),
        },
    }
}

impl Decoder for ChunkDecoder {
    fn push(&mut self, chunk: &[u8], out: &mut ir::Emitter) {
        let Self { parser, reader, repeats } = self;
        parser.push(chunk, |found| take(found, reader, repeats, out));
    }

    fn finish(&mut self, out: &mut ir::Emitter) {
        let Self { parser, reader, repeats } = self;
        parser.finish(|found| take(found, reader, repeats, out));
        if out.has_ended() {
            return;
        }
        if reader.has_reason() {
            reader.finish(out);
        } else {
            out.fail(Error::cut_short());
        }
    }

    fn fork(&self) -> Box<dyn Decoder> {
        Box::new(self.clone())
    }
}
