//! Turns that the gateway keeps: what is read of a request, what is put back, whose it is.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

use any_api::conversations::{self, Caller, Keep, Page, Turn, Wish, input, response_id, token, with_input};
use serde_json::{Value, json};

const ANSWER: &str = r#"{ "id":"resp_any_0000000000000000000000001", "status":"completed",
    "output":[ {"type":"message","id":"msg_any_0000000000000000000000001_1","role":"assistant","content":[]} ] }"#;

fn keep(input: &str, max_bytes: usize) -> Keep {
    Keep { name: "n".to_owned(), input: input.into(), ttl_seconds: 60, max_bytes }
}

fn turn(input: &str) -> Turn {
    Turn::read(keep(input, 10_000).record(ANSWER.as_bytes()).unwrap().value).unwrap()
}

fn put_back(body: &str, turn: &Turn) -> Value {
    let (items, _) = input(body, Some(turn), &|id| turn.item(id));
    serde_json::from_str(&with_input(body, &items)).unwrap()
}

#[test]
fn ids_are_of_128_bits_and_tell_whose_they_are() {
    assert_eq!(token(0), "0".repeat(25));
    assert_eq!(token(u128::MAX).len(), 25);
    assert_ne!(token(u128::MAX), token(u128::MAX >> 1));
    let id = response_id(&token(u128::MAX));
    let (one, other) = (Caller::of("one"), Caller::of("other"));
    let name = one.record(&id).unwrap();
    assert_eq!(Caller::of("one").record(&id), Some(name.clone()));
    assert_ne!(other.record(&id), Some(name.clone()));
    assert!(!name.contains("one"), "{name}");
    let long = format!("resp_any_{}", "0".repeat(26));
    for foreign in ["", "resp_1", "resp_any_", "resp_any_0000", &long, "msg_any_0000000000000000000000001", "any_"] {
        assert_eq!(one.record(foreign), None, "{foreign}");
    }
    assert_eq!(conversations::answer_of(&format!("msg_any_{}_12", token(7))), Some(response_id(&token(7))));
    assert_eq!(format!("{one:?}"), "Caller");
}

#[test]
fn what_a_request_wants_is_read_without_a_complaint() {
    let wish_of = |body: &str| Wish::of(&any_api::ir::Body::new(body.to_owned()));
    let wish = wish_of(r#"{"model":"m","previous_response_id":"resp_1","store":false,"input":"hi"}"#);
    assert_eq!((wish.previous.as_deref(), wish.store), (Some("resp_1"), Some(false)));
    for wrong in ["", "{", "[]", r#"{"previous_response_id":5,"store":"no","input":{"id":"msg_any_1"}}"#] {
        assert_eq!(wish_of(wrong), Wish::default(), "{wrong}");
    }
    let item = |id: &str| json!({ "type": "item_reference", "id": id });
    let ours = "msg_any_0000000000000000000000001_1";
    let body =
        json!({ "input": [item("msg_1"), item(ours), { "id": ours, "role": "user", "content": "x" }, { "id": ours }] });
    assert_eq!(wish_of(&body.to_string()).references, [ours, ours]);
}

#[test]
fn the_history_is_put_in_front_and_the_rest_stays() {
    let kept = turn(r#"[{"role":"user","content":"a  b"}]"#);
    let history =
        json!([{ "role": "user", "content": "a  b" }, serde_json::from_str::<Value>(ANSWER).unwrap()["output"][0]]);
    let with = |own: Value| {
        let mut all = history.as_array().unwrap().clone();
        all.extend(own.as_array().unwrap().clone());
        Value::from(all)
    };
    let text = json!([{ "type": "message", "role": "user", "content": "hi \"you\"" }]);
    for (own, expected) in [
        (r#","input" : "hi \"you\"""#, with(text)),
        (r#","input":[{"role":"user","content":"x"}]"#, with(json!([{ "role": "user", "content": "x" }]))),
        (
            r#","input":[{"type":"item_reference","id":"msg_any_0000000000000000000000001_in0"}]"#,
            with(json!([history[0]])),
        ),
        (
            r#","input":[{"type":"item_reference","id":"msg_unknown"}]"#,
            with(json!([{ "type": "item_reference", "id": "msg_unknown" }])),
        ),
        (r#","input":null"#, history.clone()),
        (r#","input":[]"#, history.clone()),
        ("", history.clone()),
    ] {
        let body = format!(r#"{{"model":"m"{own},"metadata":{{"a":1}}}}"#);
        let out = put_back(&body, &kept);
        assert_eq!(out["input"], expected, "{body}");
        assert_eq!((&out["model"], &out["metadata"]), (&json!("m"), &json!({ "a": 1 })), "{body}");
    }
    // Bytes stay: prompt caches depend on them.
    let (items, count) = input(r#"{"input":[{ "role":"user" ,"content":"x"}]}"#, Some(&kept), &|_| None);
    assert!(
        items.starts_with(r#"[{"role":"user","content":"a  b"},"#)
            && items.ends_with(r#",{ "role":"user" ,"content":"x"}]"#)
    );
    assert_eq!(count, 2);
}

#[test]
fn only_an_answer_that_came_to_its_end_and_is_small_enough_is_kept() {
    for (status, is_kept) in
        [("completed", true), ("incomplete", true), ("failed", false), ("in_progress", false), ("queued", false)]
    {
        let answer = json!({ "id": "resp_1", "status": status, "output": [] }).to_string();
        assert_eq!(keep("[]", 1_000).record(answer.as_bytes()).is_some(), is_kept, "{status}");
    }
    assert!(keep("[]", 1_000).record(b"no JSON").is_none());
    let size = keep("[]", 10_000).record(ANSWER.as_bytes()).unwrap().value.len();
    assert!(keep("[]", size).record(ANSWER.as_bytes()).is_some());
    assert!(keep("[]", size - 1).record(ANSWER.as_bytes()).is_none());
    for damaged in [
        "",
        "{}",
        "[]",
        r#"{"version":1,"input":[],"response":{}}"#,
        r#"{"version":1,"input":5,"response":{"id":"x"}}"#,
    ] {
        assert!(Turn::read(damaged.as_bytes().to_vec()).is_none(), "{damaged}");
    }
}

#[test]
fn pages_are_cut_as_asked() {
    let items: Vec<Value> = (0..5).map(|n| json!({ "role": "user", "content": n.to_string() })).collect();
    let kept = turn(&Value::from(items).to_string());
    let page = |query: &str| -> Value {
        serde_json::from_slice(&conversations::list(&kept, &Page::of(query).unwrap()).unwrap()).unwrap()
    };
    let texts = |page: &Value| -> String {
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["content"][0]["text"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(texts(&page("")), "43210");
    assert_eq!(texts(&page("order=asc&limit=100&include[]=x")), "01234");
    let first = page("limit=2");
    assert_eq!((texts(&first), first["has_more"].as_bool()), ("43".to_owned(), Some(true)));
    let last = page(&format!("limit=3&after={}", first["last_id"].as_str().unwrap()));
    assert_eq!((texts(&last), last["has_more"].as_bool()), ("210".to_owned(), Some(false)));
    assert_eq!(page(&format!("after={}", last["last_id"].as_str().unwrap()))["data"], json!([]));
    for wrong in ["limit=0", "limit=101", "limit=x", "order=up"] {
        assert!(Page::of(wrong).is_err(), "{wrong}");
    }
    assert!(conversations::list(&kept, &Page::of("after=nothing").unwrap()).is_err());
}
