//! The upstream: `/DIALECT/SCRIPT/…`, where the script is `whole`, `burst`, `paced`, or `events-N` for a burst of `N` events.
use std::collections::HashMap;
use std::io::Result;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::http::{Connection, chunk, find};

/// The bytes of each event of a stream.
fn events(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = stream;
    // Gemini's lines end in CRLF.
    let end: &[u8] = if find(stream, b"\r\n\r\n").is_some() { b"\r\n\r\n" } else { b"\n\n" };
    while let Some(at) = find(rest, end) {
        out.push(rest[..at + end.len()].to_vec());
        rest = &rest[at + end.len()..];
    }
    out
}

struct Answers {
    whole: Vec<u8>,
    events: Vec<Vec<u8>>,
    burst: Vec<u8>,
}

const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

pub async fn serve(port: &str, dir: &str) -> Result<()> {
    let mut answers = HashMap::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(dialect) = name.strip_prefix("answer-").and_then(|name| name.strip_suffix(".json")) else { continue };
        let json = std::fs::read(&path)?;
        let mut whole =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", json.len())
                .into_bytes();
        whole.extend_from_slice(&json);
        let events = events(&std::fs::read(format!("{dir}/stream-{dialect}.sse"))?);
        let mut burst = STREAM.to_vec();
        events.iter().for_each(|event| chunk(event, &mut burst));
        burst.extend_from_slice(b"0\r\n\r\n");
        answers.insert(dialect.to_owned(), Answers { whole, events, burst });
    }
    let answers = Rc::new(answers);
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("ready");
    tokio::task::LocalSet::new()
        .run_until(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                let answers = Rc::clone(&answers);
                tokio::task::spawn_local(async move {
                    let _ = converse(Connection::new(stream), &answers).await;
                });
            }
        })
        .await
}

async fn converse(mut client: Connection, answers: &HashMap<String, Answers>) -> Result<()> {
    while let Some(head) = client.head().await? {
        client.body(&head).await?;
        let mut segments = head.path().split('/').skip(1);
        let answer = segments.next().and_then(|dialect| answers.get(dialect));
        match (answer, segments.next()) {
            (Some(answer), Some("whole")) => client.write(&answer.whole).await?,
            (Some(answer), Some("burst")) => client.write(&answer.burst).await?,
            (Some(answer), Some("paced")) => {
                client.write(STREAM).await?;
                for event in &answer.events {
                    let mut out = Vec::new();
                    chunk(event, &mut out);
                    client.write(&out).await?;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                client.write(b"0\r\n\r\n").await?;
            }
            (Some(answer), Some(script)) if script.starts_with("events-") => {
                let count = script.trim_start_matches("events-").parse().unwrap_or(0);
                client.write(STREAM).await?;
                many(&mut client, &answer.events, count).await?;
                client.write(b"0\r\n\r\n").await?;
            }
            _ => client.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await?,
        }
    }
    Ok(())
}

/// A stream of `count` events: the one in its middle as often as it takes.
async fn many(client: &mut Connection, events: &[Vec<u8>], count: usize) -> Result<()> {
    const EDGE: usize = 5;
    let (begin, end) = (&events[..EDGE], &events[events.len() - EDGE..]);
    let middle = std::iter::repeat_n(&events[events.len() / 2], count.saturating_sub(2 * EDGE));
    let mut out = Vec::new();
    for event in begin.iter().chain(middle).chain(end) {
        chunk(event, &mut out);
        if out.len() > 32 << 10 {
            client.write(&out).await?;
            out.clear();
        }
    }
    client.write(&out).await
}
