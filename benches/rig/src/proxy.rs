//! The native floors: bytes passed on, and JSON read as a tree and written again.
use std::io::Result;

use tokio::net::{TcpListener, TcpStream};

use crate::http::{Connection, Head, chunk, find};

/// Passes bytes both ways and looks at none.
pub async fn relay(port: &str, to: &str) -> Result<()> {
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    loop {
        let (mut client, _) = listener.accept().await?;
        let mut upstream = TcpStream::connect(to).await?;
        client.set_nodelay(true)?;
        upstream.set_nodelay(true)?;
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut upstream).await });
    }
}

/// Reads each document as a `serde_json::Value` and writes it: the request, the answer, each event.
pub async fn value(port: &str, to: &str) -> Result<()> {
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    loop {
        let (client, _) = listener.accept().await?;
        let upstream = TcpStream::connect(to).await?;
        tokio::spawn(async move {
            let _ = converse(Connection::new(client), Connection::new(upstream)).await;
        });
    }
}

fn head_of(head: &Head, length: Option<usize>) -> Vec<u8> {
    let mut out = format!("{}\r\n", head.first);
    for (name, value) in &head.headers {
        if !name.eq_ignore_ascii_case("content-length") {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if let Some(length) = length {
        out.push_str(&format!("content-length: {length}\r\n"));
    }
    out.push_str("\r\n");
    out.into_bytes()
}

fn round_trip(json: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<serde_json::Value>(json) {
        Ok(mut value) => {
            if let Some(model) = value.get_mut("model") {
                *model = "model".into();
            }
            serde_json::to_vec(&value).unwrap_or_default()
        }
        Err(_) => json.to_vec(),
    }
}

async fn converse(mut client: Connection, mut upstream: Connection) -> Result<()> {
    while let Some(head) = client.head().await? {
        let body = round_trip(&client.body(&head).await?);
        let mut out = head_of(&head, Some(body.len()));
        out.extend_from_slice(&body);
        upstream.write(&out).await?;
        let Some(head) = upstream.head().await? else { return Ok(()) };
        if !head.is_chunked() {
            let body = round_trip(&upstream.body(&head).await?);
            let mut out = head_of(&head, Some(body.len()));
            out.extend_from_slice(&body);
            client.write(&out).await?;
            continue;
        }
        client.write(&head_of(&head, None)).await?;
        let mut left = None;
        let mut rest = Vec::new();
        while let Some(piece) = upstream.piece(&head, &mut left).await? {
            rest.extend_from_slice(&piece);
            let mut out = Vec::new();
            while let Some(end) = find(&rest, b"\n\n") {
                let event: Vec<u8> = rest.drain(..end + 2).collect();
                match find(&event, b"data: ") {
                    Some(at) => {
                        let mut written = event[..at + 6].to_vec();
                        written.extend_from_slice(&round_trip(&event[at + 6..end]));
                        written.extend_from_slice(b"\n\n");
                        chunk(&written, &mut out);
                    }
                    None => chunk(&event, &mut out),
                }
            }
            if !out.is_empty() {
                client.write(&out).await?;
            }
        }
        client.write(b"0\r\n\r\n").await?;
    }
    Ok(())
}
