//! What the gateway fetches of what clients name: which addresses, how much, and what becomes of it on its way up.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

use std::net::IpAddr;

use any_api::error::Result;
use any_api::fetch::{Address, Cause, Fetches, Next, Peers, Rules, is_public};
use any_api::http::{self, Headers};
use any_api::ir;
use any_api::pipeline::{Gateway, Moment, Plan, Received, Step};
use serde_json::{Value, json};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const PDF: &[u8] = b"%PDF-1.7 and so on";

fn media(kind: ir::MediaKind, url: &str, mime: Option<&str>) -> ir::Media {
    let (source, mime) = (ir::MediaSource::Url(url.into()), mime.map(Into::into));
    ir::Media { kind, source, mime, name: None, detail: None, meta: ir::Meta::default() }
}

fn address<'a>(scheme: &'a str, host: &'a str) -> Address<'a> {
    Address { scheme, host, port: None, has_user: false }
}

fn one(rules: Rules, media: &ir::Media) -> Fetches {
    Fetches::new(rules, &[media])
}

/// What comes of a file that a server sends as `said`.
fn sent(media: &ir::Media, said: Option<&str>, body: &[u8]) -> std::result::Result<String, Cause> {
    let mut fetches = one(Rules::default(), media);
    let headers: Headers = said.map(|said| ("content-type", said)).into_iter().collect();
    assert_eq!(fetches.head(0, 200, &headers), Next::Read);
    assert!(fetches.chunk(0, body));
    fetches.end(0);
    let found: &std::result::Result<_, _> = fetches.found(media).unwrap();
    found.clone().map(|file| file.mime)
}

#[test]
fn only_public_addresses_are_public() {
    let inside = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:a00:1::1",
        "2002:7f00:1::",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ];
    for address in inside {
        assert!(!is_public(address.parse::<IpAddr>().unwrap()), "{address}");
    }
    let outside = [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "169.253.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.167.1.1",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
        "2606:4700:4700::1111",
        "2a00:1450::1",
    ];
    for address in outside {
        assert!(is_public(address.parse::<IpAddr>().unwrap()), "{address}");
    }
}

#[test]
fn who_may_be_asked() {
    let image = media(ir::MediaKind::Image, "https://a.example/x", None);
    let verdict = |rules: &Rules, address: &Address<'_>| {
        let mut fetches = one(rules.clone(), &image);
        let peers = fetches.may_ask(0, address);
        peers.ok_or_else(|| fetches.found(&image).unwrap().clone().unwrap_err())
    };
    let rules = Rules::default();
    assert_eq!(verdict(&rules, &address("https", "files.example")), Ok(Peers::Public));
    assert_eq!(verdict(&rules, &Address { port: Some(8443), ..address("https", "8.8.8.8") }), Ok(Peers::Public));
    assert_eq!(verdict(&rules, &address("https", "[2606:4700:4700::1111]")), Ok(Peers::Public));
    for scheme in ["http", "ftp", "file", "data", ""] {
        assert_eq!(verdict(&rules, &address(scheme, "files.example")), Err(Cause::Scheme), "{scheme}");
    }
    let named = Address { has_user: true, ..address("https", "files.example") };
    assert_eq!(verdict(&rules, &named), Err(Cause::User));
    let inside = [
        "127.0.0.1",
        "169.254.169.254",
        "[::1]",
        "[::ffff:7f00:1]",
        "[fd00::1]",
        "localhost",
        "localhost.",
        "metadata",
        "",
        "db.internal",
        "metadata.google.internal",
        "printer.local",
        "x.localhost",
        "nas.lan",
        "router.home.arpa",
    ];
    for host in inside {
        assert_eq!(verdict(&rules, &address("https", host)), Err(Cause::NotPublic), "{host}");
    }
    let rules = Rules { allow_hosts: vec!["127.0.0.1:9000".into(), "files.internal".into()], ..rules };
    let local = Address { port: Some(9000), ..address("http", "127.0.0.1") };
    assert_eq!(verdict(&rules, &local), Ok(Peers::Any));
    assert_eq!(verdict(&rules, &Address { port: Some(9001), ..local }), Err(Cause::Scheme));
    assert_eq!(verdict(&rules, &Address { scheme: "ftp", ..local }), Err(Cause::Scheme));
    assert_eq!(verdict(&rules, &Address { has_user: true, ..local }), Err(Cause::User));
    assert_eq!(verdict(&rules, &address("https", "files.internal")), Ok(Peers::Any));
    assert_eq!(verdict(&rules, &address("https", "not-files.internal")), Err(Cause::NotPublic));
}

#[test]
fn the_type_is_what_the_content_shows_else_what_the_server_says() {
    use ir::MediaKind::{Audio, Document, Image, Video};
    let image = media(Image, "https://a.example/x", None);
    assert_eq!(sent(&image, Some("image/png"), PNG), Ok("image/png".to_owned()));
    assert_eq!(sent(&image, Some("IMAGE/JPEG; q=1"), PNG), Ok("image/png".to_owned()));
    assert_eq!(sent(&image, Some("application/octet-stream"), PNG), Ok("image/png".to_owned()));
    assert_eq!(sent(&image, None, PNG), Ok("image/png".to_owned()));
    assert_eq!(sent(&image, Some("image/x-new"), b"new"), Ok("image/x-new".to_owned()));
    assert_eq!(sent(&image, Some("text/html"), b"<html>"), Err(Cause::Type(Some("text/html".to_owned()))));
    assert_eq!(sent(&image, Some("text/html"), PNG), Err(Cause::Type(Some("text/html".to_owned()))));
    assert_eq!(sent(&image, None, b"what is this"), Err(Cause::Type(None)));
    assert_eq!(sent(&image, Some("image/png"), b""), Err(Cause::Empty));
    let named = media(Image, "https://a.example/x.WebP?size=1", None);
    assert_eq!(sent(&named, None, b"what is this"), Ok("image/webp".to_owned()));
    let document = media(Document, "https://a.example/x", None);
    assert_eq!(sent(&document, Some("application/pdf"), PDF), Ok("application/pdf".to_owned()));
    assert_eq!(sent(&document, Some("text/plain; charset=utf-8"), b"words"), Ok("text/plain".to_owned()));
    assert_eq!(sent(&document, Some("text/html"), b"<html>"), Ok("text/html".to_owned()));
    assert_eq!(sent(&document, Some("image/png"), PNG), Err(Cause::Type(Some("image/png".to_owned()))));
    for pdf in [
        media(Document, "https://a.example/x.pdf", None),
        media(Document, "https://a.example/x", Some("application/pdf")),
    ] {
        assert_eq!(sent(&pdf, Some("application/octet-stream"), PDF), Ok("application/pdf".to_owned()));
        // A page that says that there is no such file.
        assert_eq!(sent(&pdf, Some("text/html"), b"<html>"), Err(Cause::Type(Some("text/html".to_owned()))));
    }
    let sound = media(Audio, "https://a.example/x", None);
    assert_eq!(sent(&sound, None, b"RIFF\0\0\0\0WAVEfmt "), Ok("audio/wav".to_owned()));
    assert_eq!(sent(&sound, Some("audio/mpeg"), b"ID3 and so on"), Ok("audio/mpeg".to_owned()));
    let film = media(Video, "https://a.example/x.mp4", None);
    assert_eq!(sent(&film, Some("video/mp4"), b"\0\0\0\x18ftypmp42"), Ok("video/mp4".to_owned()));
}

#[test]
fn size_redirects_number_and_time_have_bounds() {
    let rules = Rules { max_bytes: 10, max_urls: 2, ..Rules::default() };
    let (a, b) = (
        media(ir::MediaKind::Image, "https://a.example/a", None),
        media(ir::MediaKind::Image, "https://a.example/b", None),
    );
    let failed = |fetches: &Fetches, media: &ir::Media| fetches.found(media).unwrap().clone().unwrap_err();
    let length = |length: &str| Headers::from_iter([("content-length", length)]);
    // What is said to be too large is not read.
    let mut fetches = one(rules.clone(), &a);
    assert_eq!(fetches.head(0, 200, &length("11")), Next::Stop);
    assert_eq!(failed(&fetches, &a), Cause::TooLarge(10));
    // All of a request count, and what is said of the length is not believed.
    let mut fetches = Fetches::new(rules.clone(), &[&a, &b, &a]);
    assert_eq!(fetches.len(), 2);
    assert_eq!((fetches.head(0, 200, &length("6")), fetches.head(1, 200, &length("1"))), (Next::Read, Next::Read));
    assert!(fetches.chunk(0, b"123456"));
    assert!(!fetches.chunk(1, b"12345"));
    assert_eq!(failed(&fetches, &b), Cause::TooLarge(10));
    assert!(fetches.found(&a).is_none() && fetches.url(1).is_none());
    // Three redirects are followed; a fourth is not, and one without an address is an answer.
    let mut fetches = one(rules.clone(), &a);
    let location = Headers::from_iter([("location", "/there")]);
    for status in [301, 302, 307] {
        assert_eq!(fetches.head(0, status, &location), Next::Follow("/there".to_owned()));
    }
    assert_eq!(fetches.head(0, 308, &location), Next::Stop);
    assert_eq!(failed(&fetches, &a), Cause::Redirects);
    for status in [204, 206, 302, 304, 404, 500] {
        let mut fetches = one(rules.clone(), &a);
        assert_eq!(fetches.head(0, status, &Headers::new()), Next::Stop);
        assert_eq!(failed(&fetches, &a), Cause::Status(status));
    }
    let mut fetches = one(rules.clone(), &a);
    assert_eq!(fetches.head(0, 200, &Headers::from_iter([("content-encoding", "gzip")])), Next::Stop);
    assert_eq!(failed(&fetches, &a), Cause::Broken);
    // Too many: none is fetched.
    let c = media(ir::MediaKind::Image, "https://a.example/c", None);
    let fetches = Fetches::new(rules.clone(), &[&a, &b, &c]);
    assert!((0..fetches.len()).all(|index| fetches.url(index).is_none()));
    assert_eq!(failed(&fetches, &c), Cause::TooMany(2));
    // What is settled stays so.
    let mut fetches = Fetches::new(rules, &[&a, &b]);
    fetches.fail(0, Cause::Unreachable);
    fetches.expire();
    fetches.end(0);
    assert_eq!((failed(&fetches, &a), failed(&fetches, &b)), (Cause::Unreachable, Cause::TooSlow(30_000)));
}

/// A gateway with a provider of each dialect; what is in `top` stands in its configuration too.
fn gateway(top: Value) -> Gateway {
    let provider = |dialect: &str, model: &str| json!({ "type": dialect, "baseURL": "https://up.example", "models": { "main": { "upstreamModel": model } } });
    let mut config = json!({ "version": 1, "providers": {
        "chat": provider("openai-chat-completions", "gpt-x"),
        "claude": provider("claude", "claude-x"),
        "gemini": provider("gemini", "gemini-2.0-flash"),
        "gemini3": provider("gemini", "gemini-3-pro"),
        "responses": provider("openai-responses", "gpt-x"),
    } });
    config.as_object_mut().unwrap().extend(top.as_object().unwrap().clone());
    let settings = |name: &str| match name {
        "ANY_API_CONFIG" => Some(config.to_string()),
        "WORKER_AUTH_KEY" => Some("key".to_owned()),
        _ => None,
    };
    let gateway = Gateway::new(&settings);
    assert_eq!(gateway.problems(), []);
    gateway
}

fn plan(gateway: &Gateway, path: &str, body: &Value) -> Result<Plan, http::Response> {
    let mut headers = Headers::new();
    headers.set("authorization", "Bearer key");
    let request = http::Request {
        method: "POST".to_owned(),
        url: path.to_owned(),
        query: String::new(),
        headers,
        body: Vec::new(),
    };
    let Received::Body(inbound) = gateway.receive(&request, Moment { now: 0, seed: 1 }) else { panic!("not let in") };
    gateway.plan(*inbound, body.to_string().into_bytes())
}

/// A fake host: every file is there, and what it is its address says.
fn fetched(mut fetches: Fetches) -> Fetches {
    for index in 0..fetches.len() {
        let Some(url) = fetches.url(index).map(ToOwned::to_owned) else { continue };
        let (mime, body): (_, &[u8]) = match url.rsplit('.').next().unwrap() {
            "png" => ("image/png", PNG),
            "pdf" => ("application/pdf", PDF),
            "txt" => ("text/plain", b"Some words."),
            "wav" => ("audio/wav", b"RIFF\0\0\0\0WAVEfmt "),
            _ => {
                fetches.head(index, 404, &Headers::new());
                continue;
            }
        };
        fetches.head(index, 200, &Headers::from_iter([("content-type", mime)]));
        fetches.chunk(index, body);
        fetches.end(index);
    }
    fetches
}

/// The body that goes up, and the losses that are told.
fn sent_up(plan: &Plan) -> Value {
    match plan.raise(0) {
        Step::Send { request, .. } => serde_json::from_slice(&request.body).unwrap(),
        Step::Answer(answer) => panic!("{}", String::from_utf8_lossy(&answer.body)),
        Step::Answered { .. } => panic!("nothing is sent"),
    }
}

fn refusal(step: Step) -> Value {
    let Step::Answer(answer) = step else { panic!("it is not refused") };
    assert_eq!(answer.status, 400);
    serde_json::from_slice(&answer.body).unwrap()
}

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/openai/v1/responses";

fn images(model: &str, urls: &[&str]) -> Value {
    let part = |url: &&str| json!({ "type": "image_url", "image_url": { "url": url } });
    json!({ "model": model, "messages": [{ "role": "user", "content": urls.iter().map(part).collect::<Vec<_>>() }] })
}

fn file(model: &str, url: &str) -> Value {
    json!({ "model": model, "input": [{ "role": "user", "content": [
        { "type": "input_text", "text": "What is this?" }, { "type": "input_file", "file_url": url },
    ] }] })
}

#[test]
fn nothing_is_fetched_unless_the_configuration_says_so() {
    for top in [json!({}), json!({ "fetchMedia": false })] {
        let gateway = gateway(top);
        let plan = plan(&gateway, CHAT, &images("gemini.main", &["https://a.example/x.png"])).unwrap();
        assert!(plan.fetches().is_none());
        let refusal = refusal(plan.raise(0));
        assert_eq!(refusal["error"]["code"], "media-url-unsupported");
        assert_eq!(refusal["error"]["param"], "messages[0].content[0]");
        assert!(refusal["error"]["message"].as_str().unwrap().contains("`fetchMedia`"), "{refusal}");
    }
}

#[test]
fn what_is_fetched_stands_where_the_address_stood() {
    let gateway = gateway(json!({ "fetchMedia": true }));
    let urls = ["https://a.example/1.png", "https://a.example/1.png"];
    let plan = plan(&gateway, CHAT, &images("gemini.main", &urls)).unwrap();
    let fetches = plan.fetches().unwrap();
    assert_eq!(fetches.len(), 1);
    let plan = plan.fetched(&fetched(fetches)).unwrap();
    assert!(plan.fetches().is_none());
    let part = json!({ "inlineData": { "mimeType": "image/png", "data": "iVBORw0KGgoAAAANSUhEUg==" } });
    assert_eq!(sent_up(&plan)["contents"][0]["parts"], json!([part, part]));
}

#[test]
fn only_what_the_upstream_wants_is_fetched() {
    let gateway = gateway(json!({ "fetchMedia": true }));
    let wants =
        |path: &str, body: &Value| plan(&gateway, path, body).unwrap().fetches().map_or(0, |fetches| fetches.len());
    let png = ["https://a.example/1.png"];
    assert_eq!(wants(CHAT, &images("gemini.main", &png)), 1);
    for model in ["gemini3.main", "claude.main", "chat.main", "responses.main"] {
        assert_eq!(wants(CHAT, &images(model, &png)), 0, "{model}");
    }
    assert_eq!(wants(CHAT, &images("gemini.main", &["gs://bucket/1.png", "data:image/png;base64,iVBORw0KGgo="])), 0);
    for (model, of_pdf, of_text) in
        [("chat.main", 1, 1), ("gemini.main", 1, 1), ("claude.main", 0, 1), ("gemini3.main", 0, 0)]
    {
        assert_eq!(wants(RESPONSES, &file(model, "https://a.example/1.pdf")), of_pdf, "{model}");
        assert_eq!(wants(RESPONSES, &file(model, "https://a.example/1.txt")), of_text, "{model}");
    }
}

#[test]
fn documents_go_up_in_the_form_of_their_type() {
    let gateway = gateway(json!({ "fetchMedia": true }));
    let up = |model: &str, url: &str| {
        let plan = plan(&gateway, RESPONSES, &file(model, url)).unwrap();
        let fetches = plan.fetches().unwrap();
        sent_up(&plan.fetched(&fetched(fetches)).unwrap())
    };
    let content = up("chat.main", "https://a.example/1.pdf");
    let expected = json!({ "type": "file", "file": { "filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjcgYW5kIHNvIG9u" } });
    assert_eq!(content["messages"][0]["content"][1], expected);
    assert_eq!(up("chat.main", "https://a.example/1.txt")["messages"][0]["content"], "What is this?\n\nSome words.");
    let source = json!({ "type": "text", "media_type": "text/plain", "data": "Some words." });
    assert_eq!(up("claude.main", "https://a.example/1.txt")["messages"][0]["content"][1]["source"], source);
}

#[test]
fn what_a_tool_found_is_fetched_too() {
    let gateway = gateway(json!({ "fetchMedia": true }));
    let body = json!({ "model": "gemini.main", "max_tokens": 9, "messages": [
        { "role": "user", "content": "Look." },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "t1", "name": "look", "input": {} }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t1", "content": [
            { "type": "image", "source": { "type": "url", "url": "https://a.example/1.png" } },
        ] }] },
    ] });
    let plan = plan(&gateway, "/v1/messages", &body).unwrap();
    let fetches = plan.fetches().unwrap();
    let body = sent_up(&plan.fetched(&fetched(fetches)).unwrap()).to_string();
    assert!(body.contains(r#""inlineData":{"mimeType":"image/png""#), "{body}");
}

#[test]
fn a_failure_names_its_place_in_the_clients_words() {
    let gateway = gateway(json!({ "fetchMedia": { "maxUrls": 2 } }));
    let refused = |path: &str, body: &Value| {
        let plan = plan(&gateway, path, body).unwrap();
        let fetches = plan.fetches().unwrap();
        refusal(Step::Answer(plan.fetched(&fetched(fetches)).unwrap_err()))
    };
    let error = &refused(CHAT, &images("gemini.main", &["https://a.example/1.png", "https://a.example/2"]))["error"];
    assert_eq!(
        (error["code"].as_str(), error["param"].as_str()),
        (Some("media_fetch_failed"), Some("messages[0].content[1]"))
    );
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .ends_with("the file at this address was not fetched: the answer was status 404")
    );
    let many = ["https://a.example/1.png", "https://a.example/2.png", "https://a.example/3.png"];
    assert_eq!(refused(CHAT, &images("gemini.main", &many))["error"]["param"], "messages[0].content[2]");
    let error = &refused(RESPONSES, &file("chat.main", "https://a.example/2"))["error"];
    assert_eq!(error["param"], "input[0].content[1]");
    let body = json!({ "model": "gemini.main", "max_tokens": 9, "messages": [{ "role": "user", "content": [
        { "type": "image", "source": { "type": "url", "url": "https://a.example/1" } },
    ] }] });
    let error = refused("/v1/messages", &body);
    assert_eq!(
        (error["type"].as_str(), error["error"]["type"].as_str()),
        (Some("error"), Some("invalid_request_error"))
    );
    assert!(error["error"]["message"].as_str().unwrap().starts_with("messages[0].content[0]: "), "{error}");
    let body = json!({ "contents": [{ "parts": [{ "file_data": { "file_uri": "https://a.example/1", "mime_type": "application/pdf" } }] }] });
    let error = refused("/v1beta/models/chat.main:generateContent", &body);
    assert_eq!(error["error"]["status"], "INVALID_ARGUMENT");
}
