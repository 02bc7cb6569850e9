//! HTTP/1.1, as much as is needed.
use std::io::{Error, Result};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection and what was read of it and not used.
pub struct Connection {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

/// What is said of a message before its body.
#[derive(Debug, Default)]
pub struct Head {
    /// The request line or the status line.
    pub first: String,
    pub headers: Vec<(String, String)>,
}

impl Head {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn is_chunked(&self) -> bool {
        self.get("transfer-encoding").is_some_and(|value| value.contains("chunked"))
    }

    pub fn path(&self) -> &str {
        self.first.split(' ').nth(1).unwrap_or("/")
    }
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        Self { stream, buffer: Vec::with_capacity(64 << 10) }
    }

    async fn more(&mut self) -> Result<bool> {
        self.buffer.reserve(64 << 10);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    /// The next message's head; `None` at the end of the connection.
    pub async fn head(&mut self) -> Result<Option<Head>> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if !self.more().await? {
                return Ok(None);
            }
        };
        let text = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
        Ok(Some(Head { first, headers: headers.collect() }))
    }

    /// The next piece of a body; `None` at its end.
    pub async fn piece(&mut self, head: &Head, left: &mut Option<usize>) -> Result<Option<Vec<u8>>> {
        if head.is_chunked() {
            let line = loop {
                if let Some(line) = find(&self.buffer, b"\r\n") {
                    break line;
                }
                self.need().await?;
            };
            let digits = String::from_utf8_lossy(&self.buffer[..line]).into_owned();
            let length =
                usize::from_str_radix(digits.split(';').next().unwrap_or_default().trim(), 16).map_err(Error::other)?;
            let whole = line + 2 + length + 2;
            while self.buffer.len() < whole {
                self.need().await?;
            }
            let piece = self.buffer[line + 2..line + 2 + length].to_vec();
            self.buffer.drain(..whole);
            return Ok((length > 0).then_some(piece));
        }
        let left =
            left.get_or_insert_with(|| head.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0));
        if *left == 0 {
            return Ok(None);
        }
        if self.buffer.is_empty() {
            self.need().await?;
        }
        let taken = self.buffer.len().min(*left);
        *left -= taken;
        Ok(Some(self.buffer.drain(..taken).collect()))
    }

    async fn need(&mut self) -> Result<()> {
        if self.more().await? { Ok(()) } else { Err(Error::other("the connection broke off")) }
    }

    /// A whole body.
    pub async fn body(&mut self, head: &Head) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut left = None;
        while let Some(piece) = self.piece(head, &mut left).await? {
            out.extend_from_slice(&piece);
        }
        Ok(out)
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await
    }
}

pub fn chunk(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

pub fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
