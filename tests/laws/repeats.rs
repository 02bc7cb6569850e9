//! Events that repeat the one before them are known by their bytes. Whoever reads each of them hears the same.

use any_api::context::Ids;
use any_api::diagnostics::Diagnostic;
use any_api::ir::{self, Event};

use crate::inputs::{Stream, all, streams};
use crate::support::fixtures::is_full;
use crate::support::prng::Prng;
use crate::support::ways;

/// What a decoder hears that reads each event for itself: its copies remember none.
fn read_each(dialect: &str, bytes: &[u8]) -> (Vec<Event>, Vec<Diagnostic>) {
    let mut decoder = ways::backend(dialect).decoder(&ways::memo(dialect));
    let mut out = ir::Emitter::new(Ids::new(17));
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        decoder.push(line, &mut out);
        decoder = decoder.fork();
    }
    decoder.finish(&mut out);
    (out.take(), out.take_diagnostics())
}

fn hold(dialect: &str, bytes: &[u8], name: &str) {
    let apart = read_each(dialect, bytes);
    let together = ways::decode(dialect, [bytes]);
    assert!(together == apart, "{name}:\n{:?}\nand not\n{:?}\n{}", together, apart, String::from_utf8_lossy(bytes));
}

#[test]
fn a_stream_is_the_same_if_each_of_its_events_is_read() {
    all(streams(), |Stream { dialect, name, bytes, .. }| hold(dialect, &bytes, &name));
}

/// The strings (without their quotes), numbers and words of JSON, and the names of its fields.
fn leaves(json: &str) -> Vec<std::ops::Range<usize>> {
    let bytes = json.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
                out.push(start + 1..(at - 1).min(bytes.len()));
            }
            b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                while at < bytes.len() && !b",}] \r\n".contains(&bytes[at]) {
                    at += 1;
                }
                out.push(start..at);
            }
            _ => at += 1,
        }
    }
    out.retain(|leaf| json.is_char_boundary(leaf.start) && json.is_char_boundary(leaf.end));
    out
}

/// Another event that is much like `event`, and perhaps no JSON.
fn altered(prng: &mut Prng, event: &str) -> String {
    const STRINGS: [&str; 14] = [
        "",
        " ",
        "x",
        r"\n\t\\\/",
        r#"\""#,
        r"\u00e9",
        r"\ud83d\ude00",
        r"\ud800",
        r"\x",
        "\u{1}",
        "\t",
        "😀",
        "[DONE]",
        r"\u12",
    ];
    const NUMBERS: [&str; 14] = [
        "0",
        "7",
        "12345",
        "007",
        "-1",
        "1.0",
        "1.5",
        "1e2",
        "99999999999999999999",
        "1234567890123456",
        "null",
        "\"7\"",
        "{}",
        "",
    ];
    let leaves = leaves(event);
    if leaves.is_empty() {
        return event.to_owned();
    }
    let leaf = leaves[prng.below(leaves.len())].clone();
    let (before, behind) = (&event[..leaf.start], &event[leaf.end..]);
    let old = &event[leaf.clone()];
    let is_string = before.ends_with('"');
    match prng.below(10) {
        // A field less, or of another name.
        0 if is_string && behind.starts_with("\":") => format!("{before}x{behind}"),
        // A field twice.
        1 if is_string && behind.starts_with("\":") => {
            let value = ["null", "\"x\"", "1", "{}", "[]"][prng.below(5)];
            let before = before.strip_suffix('"').unwrap();
            format!("{before}\"{old}\":{value},\"{old}{behind}")
        }
        2 => {
            let at = leaf.start - usize::from(is_string);
            format!("{} {}", &event[..at], &event[at..])
        }
        3 if is_string && !behind.starts_with("\":") => {
            let value = ["null", "1", "true", "{}", "[]", "[\"x\"]"][prng.below(6)];
            format!("{}{value}{}", before.strip_suffix('"').unwrap(), behind.strip_prefix('"').unwrap_or_default())
        }
        4 => {
            // The first two fields change places, if they are plain.
            let end = event.find(',').unwrap_or_default();
            let next = event[end..].get(1..).and_then(|rest| rest.find(',')).map_or(end, |at| at + 1 + end);
            let both = event.get(1..end).zip(event.get(end + 1..next));
            both.map_or_else(|| event.to_owned(), |(one, other)| format!("{{{other},{one}{}", &event[next..]))
        }
        5 => format!("{before}{behind}"),
        _ if is_string => format!("{before}{}{behind}", STRINGS[prng.below(STRINGS.len())]),
        _ => format!("{before}{}{behind}", NUMBERS[prng.below(NUMBERS.len())]),
    }
}

#[test]
fn what_is_almost_a_repeat_is_read() {
    let times: usize = if is_full() { 1_500 } else { 30 };
    all(streams(), |Stream { dialect, name, bytes, is_ours }| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if text.len() > 20_000 && !is_full() {
            return;
        }
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let events: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].starts_with("data: {")).collect();
        if events.is_empty() {
            return;
        }
        let mut prng = Prng::named(&name);
        for _ in 0..if is_ours { times } else { times.div_ceil(20) } {
            let at = events[prng.below(events.len())];
            let json = lines[at].trim_start_matches("data: ").trim_end();
            let other = altered(&mut prng, json);
            // With its name before it, if it has one.
            let first = (0..at).rev().take_while(|line| !lines[*line].trim().is_empty()).last().unwrap_or(at);
            let name_line = lines[first..at].concat();
            let event = |json: &str| format!("{name_line}data: {json}\n\n");
            let mut out = lines[..first].concat();
            for json in [json, json, &other, json, &other, &other] {
                out.push_str(&event(json));
            }
            out.push_str(&lines[first..].concat());
            hold(dialect, out.as_bytes(), &name);
            // What an event says may have come to mean something else, when it comes again later.
            let later = events[prng.below(events.len())];
            let later =
                (later..lines.len()).find(|line| lines[*line].trim().is_empty()).map_or(lines.len(), |line| line + 1);
            let again = [event(json), event(json)].concat();
            let (before, behind) = lines.split_at(later);
            hold(dialect, [before.concat(), again, behind.concat()].concat().as_bytes(), &name);
        }
    });
}

/// Totals that come with each piece of Gemini's text are told at the end of the block, also where the last piece has none.
#[test]
fn totals_of_repeated_pieces_are_told() {
    let piece = |text: &str, count: u32| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}],\"role\":\"model\"}}}}],\"usageMetadata\":{{\"promptTokenCount\":5,\"candidatesTokenCount\":{count}}}}}\r\n\r\n"
        )
    };
    let end = "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n";
    let stream = [piece("One", 1), piece(" two", 2), piece(" three", 30), end.to_owned()].concat();
    hold("gemini", stream.as_bytes(), "totals");
    let (events, _) = ways::decode("gemini", [stream.as_bytes()]);
    let response = ir::collect(events).unwrap();
    assert_eq!((response.usage.input, response.usage.output), (Some(5), Some(30)));
    assert!(response.usage.raw.unwrap().value.as_str().contains("30"));
}
