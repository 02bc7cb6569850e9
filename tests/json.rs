//! The reader of JSON, held to serde_json: both take the same documents and read the same of them; and what is kept as it was
//! written is written so again.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

use std::fs;
use std::path::Path;

use any_api::ir::{self, MAX_DEPTH};
use any_api::json::{self, Str};
use serde::de::IgnoredAny;
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
    let skipped = json::read::<IgnoredAny>(text).is_ok();
    assert_eq!(skipped, serde_json::from_str::<IgnoredAny>(text).is_ok(), "{text}");
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
    texts.into_iter().for_each(agree);
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
            agree(&text);
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
        let map: std::collections::BTreeMap<String, Str<'_>> = json::read(body.as_str()).unwrap();
        map.into_iter().collect()
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
