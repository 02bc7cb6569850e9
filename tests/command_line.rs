//! The built program: its commands, and the server on a real socket.
#![cfg(feature = "native")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

const KEY: &str = "a-gateway-key";

const CONFIG: &str = r#"{
  // Comments and trailing commas are taken.
  "version": 1,
  "providers": {
    "demo": { "type": "echo", "models": { "echo": {}, "brief": { "quirks": { "maxInstructionsChars": 3 } } } },
    "nowhere": { "type": "claude", "baseURL": "http://127.0.0.1:9", "models": { "main": { "upstreamModel": "x" } } },
  },
}"#;

/// How long a test waits for what must come. It is so long that only what never comes takes it, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(300);

/// A folder of a test's own, gone with it; nobody's `.dev.vars` are in it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("command-line-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // A process of the same number may have been killed before it could clean up.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The path of a new file.
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A command in an environment of its own.
fn any_api(arguments: &[&str], folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_any-api"));
    command
        .args(arguments)
        .env_clear()
        .current_dir(&folder.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str], input: &str) -> Output {
    let folder = Folder::new();
    let mut child = any_api(arguments, &folder).spawn().unwrap();
    match child.stdin.take().unwrap().write_all(input.as_bytes()) {
        // Whoever is refused for its arguments may be gone before it has read anything.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written.unwrap(),
    }
    child.wait_with_output().unwrap()
}

fn printed(arguments: &[&str], input: &str) -> String {
    let output = run(arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(arguments: &[&str], input: &str) -> String {
    let output = run(arguments, input);
    assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn translate_raises_a_request() {
    let request =
        r#"{"model":"a.b","max_tokens":9,"system":"Be brief.","messages":[{"role":"user","content":"Hello!"}]}"#;
    let out = printed(&["translate", "--from", "claude", "--to", "chat", "--model", "gpt-x"], request);
    let body: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(body["model"], "gpt-x");
    assert_eq!(body["messages"][1], json!({ "role": "user", "content": "Hello!" }));

    let out = printed(&["translate", "--from", "claude", "--to", "openai-responses", "--no-instructions"], request);
    let body: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&body["instructions"], &body["input"][0]["role"]), (&Value::Null, &json!("developer")));

    let out = printed(&["translate", "--from", "claude", "--to", "gemini", "--dump-ir"], request);
    let dump: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(dump["ir"]["instructions"][0]["text"], "Be brief.");
    assert!(dump["upstream"]["body"]["contents"].is_array(), "{dump}");
}

#[test]
fn translate_tells_what_is_wrong() {
    let told = refused(
        &["translate", "--from", "claude", "--to", "chat"],
        r#"{"model":"a.b","max_tokens":9,"messages":[{"role":"user","content":5}]}"#,
    );
    assert!(told.contains("messages[0].content"), "{told}");
    let told = refused(&["translate", "--from", "klingon", "--to", "chat"], "{}");
    assert!(told.contains("klingon") && told.contains("claude"), "{told}");
    let denied = r#"{"model":"a.b","messages":[{"role":"user","content":"Hi"}],"n":2}"#;
    let told = refused(&["translate", "--from", "chat", "--to", "claude"], denied);
    assert!(told.contains("n-unsupported"), "{told}");
}

#[test]
fn stream_translates_a_stream() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/in/stream/claude/text.sse");
    let input = std::fs::read_to_string(fixture).unwrap();
    let out = printed(&["stream", "--from", "claude", "--to", "chat"], &input);
    assert!(out.starts_with("data: {") && out.ends_with("data: [DONE]\n\n"), "{out}");
    let out = printed(&["stream", "--from", "claude", "--to", "chat", "--dump-ir"], &input);
    let events: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events[0]["start"].is_object() && events.last().unwrap()["finish"].is_object(), "{out}");
    let out = printed(&["stream", "--from", "claude", "--to", "responses"], input.split_at(input.len() / 2).0);
    assert!(out.contains("event: response.failed"), "{out}");
}

#[test]
fn the_page_of_codes_is_up_to_date() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diagnostics.md")).unwrap_or_default();
    let made = printed(&["codes", "--markdown"], "");
    assert!(page == made, "docs/diagnostics.md is old: any-api codes --markdown > docs/diagnostics.md");
    assert!(printed(&["codes"], "").lines().count() > 50);
}

#[test]
fn check_config_tells_everything_at_once() {
    let folder = Folder::new();
    let good = folder.write("good.jsonc", CONFIG);
    assert!(printed(&["check-config", "--config", &good], "").contains("usable"));
    let bad = folder.write(
        "bad.jsonc",
        r#"{"version": 1, "providers": {"a": {"type": "klaude", "models": {}}, "b": {"type": "claude", "modles": {}}}}"#,
    );
    let told = refused(&["check-config", "--config", &bad], "");
    for word in ["providers.a.type", "modles", "baseURL"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    let told = refused(&["check-config", "--config", "/no/such/file"], "");
    assert!(told.contains("/no/such/file"), "{told}");
}

/// A server on a free port; stopped when dropped.
struct Server {
    child: Child,
    address: String,
    /// The lines of its log behind the first, as they come.
    log: mpsc::Receiver<String>,
    _folder: Folder,
}

impl Server {
    fn start() -> Self {
        Self::with(CONFIG)
    }

    fn with(config: &str) -> Self {
        let folder = Folder::new();
        let config = folder.write("config.jsonc", config);
        let mut command = any_api(&["serve", "--listen", "127.0.0.1:0", "--config", &config], &folder);
        let mut child = command.env("WORKER_AUTH_KEY", KEY).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().expect("the server ended without a word").unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no line of JSON: {line}"));
        let address = told["address"].as_str().unwrap_or_else(|| panic!("no address: {line}")).to_owned();
        let (tell, log) = mpsc::channel();
        // The log is read on, so that the server never waits for somebody to read it; a test need not listen.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(tell.send(line))));
        Self { child, address, log, _folder: folder }
    }

    /// Waits until the log says `word`.
    fn waits_for(&self, word: &str) {
        while !self.log.recv_timeout(PATIENCE).expect("the log goes on").contains(word) {}
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// Sends a request by hand; gives status, head and body.
    fn ask(&self, method: &str, path: &str, key: &str, body: &str) -> (u16, String, String) {
        let mut socket = self.connect();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\n{key}connection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        socket.write_all((head + body).as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {answer}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        let head = head.to_ascii_lowercase();
        let body = if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() };
        (status, head, body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unchunked(mut body: &str) -> String {
    let mut out = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        let (chunk, rest) = rest.split_at(length);
        out.push_str(chunk);
        body = rest.trim_start_matches("\r\n");
    }
    out
}

/// The path and the body with which each dialect says something to the echo.
fn hello(dialect: &str, stream: bool) -> (String, String) {
    let (path, body) = match dialect {
        "claude" => (
            "/claude/v1/messages",
            json!({ "model": "demo.echo", "max_tokens": 9, "stream": stream, "messages": [{ "role": "user", "content": "Hello, echo" }] }),
        ),
        "responses" => {
            ("/openai/v1/responses", json!({ "model": "demo.echo", "stream": stream, "input": "Hello, echo" }))
        }
        "gemini" => {
            let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            let body = json!({ "contents": [{ "parts": [{ "text": "Hello, echo" }] }] });
            return (format!("/gemini/v1beta/models/demo.echo:{verb}"), body.to_string());
        }
        _ => (
            "/v1/chat/completions",
            json!({ "model": "demo.echo", "stream": stream, "messages": [{ "role": "user", "content": "Hello, echo" }] }),
        ),
    };
    (path.to_owned(), body.to_string())
}

#[test]
fn serve_answers_every_dialect() {
    let server = Server::start();
    let bearer = format!("authorization: Bearer {KEY}\r\n");
    for dialect in ["chat", "responses", "claude", "gemini"] {
        let (path, body) = hello(dialect, false);
        let (status, head, answer) = server.ask("POST", &path, &bearer, &body);
        assert_eq!(status, 200, "{dialect}: {answer}");
        assert!(head.contains("content-type: application/json") && head.contains("x-request-id: "), "{head}");
        assert!(answer.contains("Hello, echo"), "{dialect}: {answer}");
        serde_json::from_str::<Value>(&answer).unwrap();

        let (path, body) = hello(dialect, true);
        let (status, head, answer) = server.ask("POST", &path, &bearer, &body);
        assert_eq!(status, 200, "{dialect}: {answer}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        assert!(answer.contains("Hello, ") && answer.contains("data: "), "{dialect}: {answer}");
        let end = match dialect {
            "chat" => "data: [DONE]",
            "responses" => "event: response.completed",
            "claude" => "event: message_stop",
            _ => "\"finishReason\":\"STOP\"",
        };
        assert!(answer.contains(end), "{dialect}: {answer}");
    }
}

#[test]
fn serve_refuses_in_the_clients_words() {
    let server = Server::start();
    let bearer = format!("authorization: Bearer {KEY}\r\n");
    let (path, body) = hello("claude", false);
    let (status, _, answer) = server.ask("POST", &path, "x-api-key: wrong\r\n", &body);
    assert_eq!(status, 401, "{answer}");
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["error"]["type"], "authentication_error");
    assert_eq!(server.ask("POST", &path, &format!("x-api-key: {KEY}\r\n"), &body).0, 200);
    let (status, head, _) = server.ask("GET", &path, &bearer, "");
    assert!(status == 405 && head.contains("allow: post"), "{status} {head}");
    assert_eq!(server.ask("GET", "/no/such/path", &bearer, "").0, 404);
    assert_eq!(server.ask("GET", "/health", "", "").0, 200);
    assert_eq!(server.ask("GET", "/v1/models", &bearer, "").0, 200);
    assert_eq!(server.ask("GET", "/openai/v1/responses", &format!("{bearer}upgrade: websocket\r\n"), "").0, 426);
    let unreachable = body.replace("demo.echo", "nowhere.main");
    let (path, _) = hello("chat", false);
    let (status, _, answer) = server.ask("POST", &path, &bearer, &unreachable);
    assert_eq!(status, 502, "{answer}");
    assert!(answer.contains("cannot be reached"), "{answer}");
    let (status, _, answer) = server.ask("POST", &path, &bearer, "{");
    assert!(status == 400 && answer.contains("not valid JSON"), "{status} {answer}");
}

/// Told to stop, the server answers what it has begun and ends well.
#[cfg(unix)]
#[test]
fn serve_stops_gracefully() {
    let mut server = Server::start();
    let (path, body) = hello("chat", true);
    let mut socket = server.connect();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\nexpect: 100-continue\r\n\
         content-length: {length}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    // The server says so once it has begun to read the body: the request is under way when the signal comes.
    let mut go_on = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    socket.read_exact(&mut go_on).unwrap();
    assert_eq!(go_on.as_slice(), b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(&body.as_bytes()[..10]).unwrap();
    let stopped = Command::new("sh").args(["-c", &format!("kill -TERM {}", server.child.id())]).status().unwrap();
    assert!(stopped.success());
    server.waits_for("stopping");
    socket.write_all(&body.as_bytes()[10..]).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("[DONE]"), "{answer}");
    assert!(server.child.wait().expect("it was started").success());
}

/// An upstream that speaks Claude and is played by hand: it reads one request, and `play` writes the answer. Gives a server before it.
fn played(play: impl FnOnce(&mut TcpStream) + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = BufReader::new(socket.try_clone().unwrap());
        let mut length = 0;
        loop {
            let mut line = String::new();
            request.read_line(&mut line).unwrap();
            if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = number.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        request.read_exact(&mut vec![0; length]).unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        socket.write_all(head.as_bytes()).unwrap();
        play(&mut socket);
    });
    let provider = json!({ "type": "claude", "baseURL": format!("http://{address}"), "models": { "main": {} } });
    Server::with(&json!({ "version": 1, "providers": { "demo": provider } }).to_string())
}

/// The events of a stream, each a chunk.
fn chunks(events: &[Value]) -> String {
    let one = |event: &Value| {
        let text = format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
        format!("{:x}\r\n{text}\r\n", text.len())
    };
    events.iter().map(one).collect()
}

fn beginning() -> [Value; 2] {
    [
        json!({ "type": "message_start", "message": { "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": { "input_tokens": 1, "output_tokens": 1 } } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
    ]
}

fn word(word: &str) -> Value {
    json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": word } })
}

fn end() -> [Value; 3] {
    [
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 9 } }),
        json!({ "type": "message_stop" }),
    ]
}

/// A connection on which a streamed answer was asked for.
fn asked(server: &Server, client: &str) -> TcpStream {
    let (path, body) = hello(client, true);
    let body = body.replace("demo.echo", "demo.main");
    let mut socket = server.connect();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    socket.write_all((head + &body).as_bytes()).unwrap();
    socket
}

/// Events that came together go on together, relayed and translated: one write for all, and not one each.
#[test]
fn a_burst_goes_on_in_few_pieces() {
    for client in ["claude", "chat"] {
        let words: Vec<String> = (0..300).map(|number| format!("word{number} ")).collect();
        let mut events = beginning().to_vec();
        events.extend(words.iter().map(|text| word(text)));
        events.extend(end());
        let burst = chunks(&events) + "0\r\n\r\n";
        let server = played(move |socket| socket.write_all(burst.as_bytes()).unwrap());
        let mut answer = String::new();
        asked(&server, client).read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut rest = body;
        for text in &words {
            (_, rest) = rest.split_once(text.as_str()).unwrap_or_else(|| panic!("{client}: no {text}"));
        }
        let mut pieces = 0;
        rest = body;
        while let Some((length, behind)) = rest.split_once("\r\n") {
            pieces += 1;
            rest = behind.get(usize::from_str_radix(length, 16).unwrap() + 2..).unwrap_or_default();
        }
        // How many reads the burst takes is the system's to say.
        assert!(pieces <= 30, "{client}: {pieces} pieces");
    }
}

/// One event that comes alone goes on at once: nothing waits for the next.
#[test]
fn a_lone_event_does_not_wait() {
    for client in ["claude", "chat"] {
        let (tell, heard) = mpsc::channel();
        let server = played(move |socket| {
            let mut events = beginning().to_vec();
            for number in 0..5 {
                events.push(word(&format!("word{number} ")));
                socket.write_all(chunks(&events).as_bytes()).unwrap();
                events.clear();
                heard.recv_timeout(PATIENCE).unwrap();
            }
            socket.write_all((chunks(&end()) + "0\r\n\r\n").as_bytes()).unwrap();
        });
        let mut socket = BufReader::new(asked(&server, client));
        for number in 0..5 {
            let mut line = String::new();
            while !line.contains(&format!("word{number} ")) {
                line.clear();
                assert!(socket.read_line(&mut line).unwrap() > 0, "{client}: the answer ended before word {number}");
            }
            tell.send(()).unwrap();
        }
        let mut rest = String::new();
        socket.read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with("0\r\n\r\n"), "{client}: {rest}");
    }
}

/// What came before an upstream broke off goes on, and then it breaks off for the client too.
#[test]
fn a_burst_that_breaks_off_is_no_whole_answer() {
    for client in ["claude", "chat"] {
        let mut events = beginning().to_vec();
        events.extend((0..50).map(|number| word(&format!("word{number} "))));
        let burst = chunks(&events);
        let server = played(move |socket| socket.write_all(burst.as_bytes()).unwrap());
        let mut answer = Vec::new();
        let _ = asked(&server, client).read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains("word49 "), "{client}: {answer}");
        if client == "claude" {
            assert!(!answer.ends_with("0\r\n\r\n"), "the relay ended the answer: {answer}");
        } else {
            assert!(answer.contains("\"error\"") && !answer.contains("[DONE]"), "{answer}");
        }
    }
}
