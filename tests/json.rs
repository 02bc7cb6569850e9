//! The reader of JSON, held to serde_json: both take the same documents and read the same of them; and what is kept as it was
//! written is written so again.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

use std::fs;
use std::path::Path;

use any_api::ir::{self, MAX_DEPTH};
use any_api::json::{self, Object, Str};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Both read `text`, as a tree and as raw text, or neither does.
fn agree(text: &str) {
    let ours = json::read::<Value>(text);
    let theirs = serde_json::from_str::<Value>(text);
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{text}"),
        (Err(_), Err(_)) => {}
        _ => panic!("{text}: we read {ours:?}, serde_json {theirs:?}"),
    }
    let raw = json::read::<&RawValue>(text).map(|raw| raw.get().to_owned());
    let their_raw = serde_json::from_str::<&RawValue>(text).map(|raw| raw.get().to_owned());
    assert_eq!(raw.ok(), their_raw.ok(), "{text}");
    let skipped = json::check(text).is_ok();
    assert_eq!(skipped, serde_json::from_str::<IgnoredAny>(text).is_ok(), "{text}");
    let body = ir::Body::new(text.to_owned());
    assert_eq!(json::document::<&RawValue>(&body).is_ok(), skipped, "{text}");
}

/// A document that was looked through before, and each part of it, is read as if it had not been.
fn agree_again(text: &str) {
    agree(text);
    let body = ir::Body::new(text.to_owned());
    let Ok(raw) = json::document::<&RawValue>(&body) else { return };
    assert_eq!(json::document::<Value>(&body).ok(), serde_json::from_str(text).ok(), "{text}");
    same_parts(&body, raw.get());
}

fn same_parts(body: &ir::Body, text: &str) {
    assert_eq!(json::part::<Value>(body, text).ok(), serde_json::from_str(text).ok(), "{text}");
    if text.starts_with('[') {
        let parts: Vec<&RawValue> = json::part(body, text).unwrap();
        let theirs: Vec<&RawValue> = serde_json::from_str(text).unwrap();
        assert!(parts.iter().zip(&theirs).all(|(one, other)| one.get() == other.get()) && parts.len() == theirs.len());
        parts.into_iter().for_each(|part| same_parts(body, part.get()));
    } else if text.starts_with('{') {
        let parts = json::part::<Object<'_>>(body, text);
        let theirs = serde_json::from_str::<Pairs<'_>>(text);
        // The name of a field may have a lone surrogate.
        let (Ok(parts), Ok(theirs)) = (&parts, &theirs) else {
            assert_eq!(parts.is_ok(), theirs.is_ok(), "{text}");
            return;
        };
        let ours = parts.unknown.iter().map(|(name, raw)| (&**name, raw.get()));
        assert!(ours.eq(theirs.0.iter().map(|(name, raw)| (name.as_str(), raw.get()))), "{text}");
        parts.unknown.iter().for_each(|(_, part)| same_parts(body, part.get()));
    } else if text.starts_with('"') {
        let ours = json::part::<Str<'_>>(body, text).ok();
        assert_eq!(ours.as_deref(), serde_json::from_str::<String>(text).ok().as_deref(), "{text}");
        let written = ours.map(|text| serde_json::to_string(&text.text(body)).unwrap());
        assert_eq!(written.map(|text| serde_json::from_str::<String>(&text).unwrap()), serde_json::from_str(text).ok());
    } else {
        assert_eq!(json::part::<f64>(body, text).ok(), serde_json::from_str(text).ok(), "{text}");
        assert_eq!(json::part::<u64>(body, text).ok(), serde_json::from_str(text).ok(), "{text}");
        assert_eq!(json::part::<bool>(body, text).ok(), serde_json::from_str(text).ok(), "{text}");
        assert_eq!(json::part::<Option<u64>>(body, text).ok(), serde_json::from_str(text).ok(), "{text}");
    }
}

/// The fields of an object as serde_json reads them, in their order.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut out = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    out.push(pair);
                }
                Ok(Pairs(out))
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}

#[test]
fn odd_documents_are_read_alike() {
    let texts = [
        "",
        " ",
        "null",
        "nul",
        "nullx",
        "true",
        "false",
        "tru",
        " [ ] ",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{}",
        "{ }",
        "{,}",
        "{\"a\":1,}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1,\"a\":2}",
        "[",
        "]",
        "{",
        "}",
        "[}",
        "{]",
        "[[]",
        "[]]",
        "1 2",
        "0",
        "-0",
        "00",
        "01",
        "-",
        "-1",
        "+1",
        "1.",
        ".5",
        "1.5",
        "1e",
        "1e5",
        "1E+5",
        "1e-5",
        "1e400",
        "-1e400",
        "0.1e1",
        "1.e1",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "\"",
        "\"a",
        "\"\\",
        "\"\\\"",
        "\"\\n\"",
        "\"\\x\"",
        "\"\\u\"",
        "\"\\u12\"",
        "\"\\u0041\"",
        "\"\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"a\\/b\"",
        "\"\u{1}\"",
        "\"\n\"",
        "\"\t\"",
        "\"\u{7f}\"",
        "\"é😀\"",
        "\u{feff}1",
        "\"1234567\\\"\"",
        "\"12345678\\\"\"",
        "\"123456789\"",
        "{\"a\\n\":1}",
        "{\"\\u0061\":1}",
        "[1]\u{b}",
    ];
    texts.into_iter().for_each(agree_again);
}

/// Long and short strings beside and inside of each other, with escapes at every place: what is long is noted when a document is
/// first read, and passed over afterwards.
#[test]
fn long_values_are_read_alike() {
    let odd =
        ["", "\\\"", "\\\\", "\\n", "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "é", "\u{1}", "\"", "\\", "\\x", "\\u12g4"];
    for length in
        [0, 1, 7, 8, 9, 50, 57, 58, 59, 60, 61, 62, 63, 64, 65, 70, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127]
    {
        for odd in odd {
            for place in [0, length / 2, length] {
                let (head, tail) = ("a".repeat(place), "b".repeat(length - place));
                let string = format!("\"{head}{odd}{tail}\"");
                agree_again(&string);
                agree_again(&format!("[{string},{{\"type\":{string},{string}:[{string}]}} ,{string}]"));
                agree_again(&format!(
                    "{{\"a\":[{{\"b\":[[[[[{string}]]]],{{}},[]],\"c\":\"{head}\"}}],\"type\":{string}}}"
                ));
            }
        }
    }
    for depth in 1..20 {
        agree_again(&format!(
            "{}{}{}",
            "[1,{\"a\":".repeat(depth),
            "\"long enough to be noted\"",
            "},2]".repeat(depth)
        ));
    }
}

#[test]
fn a_type_is_found_wherever_it_stands() {
    let long = "x".repeat(300);
    let cases = [
        (format!(r#"{{"type":"a","text":"{long}"}}"#), Some("a")),
        (format!(r#"{{"text":"{long}","more":[{{"type":"{long}"}}], "type" : "a"}}"#), Some("a")),
        (r#"{"type":"a\nb"}"#.to_owned(), None),
        (r#"{"type":5}"#.to_owned(), None),
        (format!(r#"{{"text":"{long}"}}"#), None),
        ("[1]".to_owned(), None),
    ];
    for (text, kind) in cases {
        let body = ir::Body::new(format!("[ {text} ]"));
        let list: Vec<&RawValue> = json::document(&body).unwrap();
        let [raw] = *list.as_slice() else { panic!("{text}") };
        assert_eq!(json::kind(&body, raw).as_deref(), kind, "{text}");
        assert_eq!(json::kind(&ir::Body::default(), raw).as_deref(), kind, "{text}");
    }
}

#[test]
fn a_lone_surrogate_is_no_text() {
    for text in [r#""\ud83d""#, r#""\ud83dx""#, r#""\ude00""#, r#""\ud83d\u0041""#] {
        assert!(json::read::<Value>(text).is_err(), "{text}");
        assert!(json::read::<Str<'_>>(text).is_err(), "{text}");
    }
}

#[test]
fn damaged_documents_are_read_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/in/request");
    let mut count = 0;
    for dialect in fs::read_dir(folder).unwrap() {
        for file in fs::read_dir(dialect.unwrap().path()).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            agree_again(&text);
            let stride = (text.len() / 20).max(1);
            for at in (0..text.len()).step_by(stride).filter(|at| text.is_char_boundary(*at)) {
                let (head, tail) = text.split_at(at);
                agree(head);
                let rest: String = tail.chars().skip(1).collect();
                agree(&format!("{head}{rest}"));
                for odd in ["\"", "\\", ",", "}", "]", "0", "\n"] {
                    agree(&format!("{head}{odd}{rest}"));
                    agree(&format!("{head}{odd}{tail}"));
                }
                count += 1;
            }
        }
    }
    assert!(count > 3_000, "{count} places of damage");
}

#[test]
fn depth_has_a_limit() {
    let lists = |depth| "[".repeat(depth) + &"]".repeat(depth);
    let objects = |depth| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
    for make in [lists, objects] {
        for read in [|text: &str| json::read::<Value>(text).is_ok(), |text: &str| json::check(text).is_ok()] {
            assert!(read(&make(MAX_DEPTH)));
            assert!(!read(&make(MAX_DEPTH + 1)));
        }
    }
    let error = json::check(&lists(10_000)).unwrap_err();
    assert_eq!(error.message, "the body is nested deeper than 127 levels");
}

#[test]
fn a_string_is_written_as_it_was_read() {
    let document = r#"{"a":"plain","b":"a \"b\"\n\/ \\ é","c":"\u00e9\n"}"#;
    let body = ir::Body::new(document.to_owned());
    let fields: Vec<(String, Str<'_>)> = {
        let object: Object<'_> = json::document(&body).unwrap();
        fn string(raw: &RawValue) -> Str<'_> {
            json::read(raw.get()).unwrap()
        }
        object.unknown.iter().map(|(name, raw)| (name.to_string(), string(raw))).collect()
    };
    let texts: Vec<ir::Text> = fields.iter().map(|(_, text)| text.text(&body)).collect();
    let written: Vec<String> = texts.iter().map(|text| serde_json::to_string(text).unwrap()).collect();
    // What has an escape by number was unescaped when it was read.
    assert_eq!(written, [r#""plain""#, r#""a \"b\"\n\/ \\ é""#, r#""é\n""#]);
    let read: Vec<&str> = texts.iter().map(ir::Text::as_str).collect();
    assert_eq!(read, ["plain", "a \"b\"\n/ \\ é", "é\n"]);
    assert_eq!(fields.iter().map(|(_, text)| &**text).collect::<Vec<_>>(), read);
    let tree = serde_json::to_value(&texts).unwrap();
    assert_eq!(tree, serde_json::json!(read));
    assert!(texts.iter().all(|text| !text.is_empty() && !text.is_blank()));
    let blank = ir::Body::new(r#""\n \t""#.to_owned());
    assert!(json::read::<Str<'_>>(blank.as_str()).unwrap().text(&blank).is_blank());
}
