//! `echo`: an upstream that needs no network. It answers with what it was told, streams, and calls a tool it is offered.
//!
//! It is there so that a fresh gateway answers before anyone has a key, and as the template for a new backend: copy this
//! file, enter it in the table of `backends/mod.rs`, and replace the words of its dialect, which are these. A body is
//! server-sent events, whole or streamed: `{"text": "…"}`, `{"call": {"name": "…", "arguments": {}}}`, and at the end
//! `{"end": {"input": 3, "output": 1}}` with the tokens, counted as four bytes each.
//!
//! What it says: the results of tools, if the last message holds some; else a call, if a tool must be called, or the
//! user's words begin with `call NAME` and there is such a tool (what follows, if it is a JSON object, is the
//! arguments); else the last message's words, with a note for each picture or file.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Backend, Call, Decoder, Memo, NameRules, Names, Raised, Target};
use crate::context::Cx;
use crate::diagnostics::codes;
use crate::error::{Error, Result};
use crate::http;
use crate::ir;
use crate::json::{self, Integer, Str, wire};
use crate::sse;

/// The dialect's id.
const ID: &str = "echo";

/// Any name will do.
const NAMES: NameRules =
    NameRules { longest: 256, first: |_| true, rest: |_| true, namespaces: true, customs: true, own_tools: true };

/// The backend.
#[derive(Clone, Copy, Debug)]
pub struct Echo;

#[derive(Serialize)]
struct TextLine<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct CallLine<'a> {
    call: CallBody<'a>,
}

#[derive(Serialize)]
struct CallBody<'a> {
    name: &'a str,
    arguments: &'a ir::Json,
}

#[derive(Serialize)]
struct EndLine {
    end: Tokens,
}

#[derive(Serialize)]
struct Tokens {
    input: u64,
    output: u64,
}

wire! {
    struct Line<'a> {
        "text" text: Str<'a>,
        "call" call: CallRead<'a>,
        "end" end: EndRead<'a>,
    }
    struct CallRead<'a> {
        "name" name: Str<'a>,
        "arguments" arguments: &'a RawValue,
    }
    struct EndRead<'a> {
        "input" input: Integer,
        "output" output: Integer,
    }
}

impl Backend for Echo {
    fn dialect(&self) -> &'static str {
        ID
    }

    fn endpoint(&self, target: &Target, _delivery: ir::Delivery, _headers: &[ir::DialectHeader]) -> http::Request {
        target.post("echo:".to_owned())
    }

    fn raise(&self, cx: &mut Cx, request: &ir::Request, target: &Target) -> Result<Raised> {
        // A new field of the IR breaks this line until the backend says it or reports it.
        let ir::Request {
            model: _,
            instructions,
            messages,
            tools,
            tool_choice,
            parallel_tool_calls: _,
            sampling,
            max_output_tokens: _,
            prewarm: _,
            output,
            reasoning: _,
            session: _,
            delivery: _,
            caller: _,
            headers: _,
            extensions,
        } = request;
        if *sampling != ir::Sampling::default() {
            cx.report_here(&codes::SAMPLING_DROPPED, "", "echo says what it was told, however it is sampled");
        }
        if output.format != ir::Format::Text {
            cx.report_here(&codes::STRUCTURED_OUTPUT_EMULATED, "", "echo keeps to no schema");
        }
        cx.report_extensions(extensions, ir::Place::default(), ID);
        let names = Names::new(cx, request, &NAMES);
        let memo = Memo::new(cx, target, ID, names);
        let told = told(cx, messages.last());
        let input = instructions.iter().map(|instruction| instruction.text.len()).sum::<usize>() + told.len();
        let mut lines = Vec::new();
        let mut output = 0;
        match wanted_call(&told, messages.last(), tools, tool_choice.as_ref()) {
            Some((name, arguments)) => {
                output = name.len() + arguments.as_str().len();
                lines.push(line(&CallLine { call: CallBody { name: &name, arguments: &arguments } }));
            }
            None => {
                for piece in told.split_inclusive(' ') {
                    output += piece.len();
                    lines.push(line(&TextLine { text: piece }));
                }
            }
        }
        lines.push(line(&EndLine { end: Tokens { input: tokens(input), output: tokens(output) } }));
        Ok(Raised { call: Call::Answered(lines), memo })
    }

    fn parse(&self, cx: &mut Cx, memo: &Memo) -> Result<ir::Response> {
        // A whole answer is a stream that came at once, so one reader serves both.
        let mut out = ir::Emitter::new(cx.ids.fork());
        let mut decoder = EchoDecoder::new(memo);
        decoder.push(cx.body().as_str().as_bytes(), &mut out);
        decoder.finish(&mut out);
        ir::collect(out.take())
    }

    fn parse_error(&self, status: u16, headers: &http::Headers, body: &[u8]) -> Error {
        super::error_of_headers(status, headers, String::from_utf8_lossy(body).into_owned())
    }

    fn decoder(&self, memo: &Memo) -> Box<dyn Decoder> {
        Box::new(EchoDecoder::new(memo))
    }
}

fn line<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    sse::write_data(value, &mut out);
    out
}

fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}

/// The words of the last message: of its results where it has some.
fn told(cx: &mut Cx, message: Option<&ir::Message>) -> String {
    let Some(message) = message else { return String::new() };
    let mut out = Vec::new();
    for part in &message.parts {
        match part {
            ir::Part::ToolResult(result) => out.extend(result.content.iter().filter_map(|part| words(cx, part))),
            other => out.extend(words(cx, other)),
        }
    }
    out.join("\n")
}

/// What a part says in words.
fn words(cx: &mut Cx, part: &ir::Part) -> Option<String> {
    match part {
        ir::Part::Text(text) => Some(text.text.to_string()),
        ir::Part::Refusal(refusal) => Some(refusal.text.to_string()),
        ir::Part::Media(media) => {
            let kind = match media.kind {
                ir::MediaKind::Image => "image",
                ir::MediaKind::Audio => "audio",
                ir::MediaKind::Video => "video",
                ir::MediaKind::Document => "document",
            };
            let about = media.name.as_deref().or(media.mime.as_deref()).map(|about| format!(" {about}"));
            Some(format!("[{kind}{}]", about.unwrap_or_default()))
        }
        ir::Part::Opaque(opaque) => {
            cx.report_opaque(opaque, ID);
            opaque.words.as_ref().map(ToString::to_string)
        }
        ir::Part::ToolCall(_) | ir::Part::ToolResult(_) | ir::Part::Reasoning(_) => None,
    }
}

/// The tool to call, and with what.
fn wanted_call(
    told: &str,
    message: Option<&ir::Message>,
    tools: &[ir::Tool],
    choice: Option<&ir::ToolChoice>,
) -> Option<(ir::Text, ir::Json)> {
    let has_results =
        message.is_some_and(|message| message.parts.iter().any(|part| matches!(part, ir::Part::ToolResult(_))));
    if has_results {
        return None;
    }
    let name_of = |tool: &ir::Tool| match tool {
        ir::Tool::Function(tool) => Some(tool.name.clone()),
        ir::Tool::Custom(tool) => Some(tool.name.clone()),
        ir::Tool::Hosted(_) => None,
    };
    let mut offered = tools.iter().filter_map(name_of);
    let (asked, rest) = match told.strip_prefix("call ") {
        Some(rest) => rest.split_once(' ').map_or((Some(rest.trim()), ""), |(name, rest)| (Some(name), rest)),
        None => (None, told),
    };
    let arguments = || ir::Json::parse_object(&rest.into()).unwrap_or(ir::Json::EMPTY_OBJECT);
    let name = match choice {
        Some(ir::ToolChoice::None | ir::ToolChoice::Opaque { .. }) => None,
        Some(ir::ToolChoice::Tool { name, kind: _ }) => offered.find(|offered| offered == name),
        Some(ir::ToolChoice::Allowed { required: true, names }) => {
            offered.find(|offered| names.contains(offered) && asked.is_none_or(|asked| *offered == *asked))
        }
        Some(ir::ToolChoice::Allowed { required: false, names }) => {
            offered.find(|offered| names.contains(offered) && asked.is_some_and(|asked| *offered == *asked))
        }
        Some(ir::ToolChoice::Required) => offered
            .by_ref()
            .find(|offered| asked.is_some_and(|asked| *offered == *asked))
            .or_else(|| tools.iter().find_map(name_of)),
        Some(ir::ToolChoice::Auto) | None => offered.find(|offered| asked.is_some_and(|asked| *offered == *asked)),
    }?;
    Some((name, arguments()))
}

/// Reads events; an event may come in any pieces.
#[derive(Clone, Debug)]
struct EchoDecoder {
    memo: Memo,
    parser: sse::Parser,
    calls: u64,
}

impl EchoDecoder {
    fn new(memo: &Memo) -> Self {
        Self { memo: memo.clone(), parser: sse::Parser::default(), calls: 0 }
    }

    fn take(&mut self, found: sse::Found<'_>, out: &mut ir::Emitter) {
        let frame = match found {
            sse::Found::Frame(frame) => frame,
            sse::Found::Comment => return out.idle(),
            sse::Found::TooLarge => return out.fail(Error::unreadable("an event of echo is too large")),
        };
        let line: Line<'_> = match json::read(&frame.data) {
            Ok(line) => line,
            Err(error) => return out.fail(Error::unreadable(format!("echo said what is none of its words: {error}"))),
        };
        if let Some(text) = line.text {
            out.text(&*text);
        }
        if let Some(call) = line.call {
            let key = self.calls;
            self.calls += 1;
            out.call(key, self.memo.names.restore(call.name.as_deref().unwrap_or_default()));
            out.call_delta(key, call.arguments.map_or("{}", RawValue::get));
            out.call_close(key);
        }
        if let Some(end) = line.end {
            let count = |number: Option<Integer>| number.and_then(Integer::unsigned);
            out.usage(ir::Usage { input: count(end.input), output: count(end.output), ..ir::Usage::default() });
            let reason = if out.has_tool_call() { ir::Reason::ToolUse } else { ir::Reason::End };
            out.finish(ir::Finish::new(reason, "end"));
        }
    }
}

impl Decoder for EchoDecoder {
    fn push(&mut self, chunk: &[u8], out: &mut ir::Emitter) {
        out.start(ir::Start { created: Some(self.memo.now), ..ir::Start::default() });
        // The parser is taken out for the time being, so that what it finds can go to `self`.
        let mut parser = std::mem::take(&mut self.parser);
        parser.push(chunk, |found| self.take(found, out));
        self.parser = parser;
    }

    fn finish(&mut self, out: &mut ir::Emitter) {
        let mut parser = std::mem::take(&mut self.parser);
        parser.finish(|found| self.take(found, out));
        if !out.has_ended() {
            out.fail(Error::cut_short());
        }
    }

    fn fork(&self) -> Box<dyn Decoder> {
        Box::new(self.clone())
    }
}
