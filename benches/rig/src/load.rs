//! The load: `COUNT` requests over `CONCURRENCY` connections that are kept. Prints one line of JSON.
use std::cell::{Cell, RefCell};
use std::io::{Error, Result};
use std::rc::Rc;
use std::time::Instant;

use tokio::net::TcpStream;

use crate::http::Connection;

#[derive(Default)]
struct Sum {
    /// Of each request, in microseconds.
    latencies: RefCell<Vec<u64>>,
    bytes: Cell<usize>,
    failed: Cell<usize>,
    left: Cell<usize>,
}

pub async fn run(words: &[&str]) -> Result<()> {
    let [address, path, key, body, concurrency, count] = words else {
        return Err(Error::other("six words are needed"));
    };
    let body = std::fs::read(body)?;
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nx-api-key: {key}\r\nauthorization: Bearer {key}\r\nx-goog-api-key: {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(&body);
    let request = Rc::new(request);
    let number = |word: &str| word.parse::<usize>().map_err(Error::other);
    let (concurrency, count) = (number(concurrency)?, number(count)?);
    let sum = Rc::new(Sum { left: Cell::new(count), ..Sum::default() });
    let began = Instant::now();
    let all = tokio::task::LocalSet::new();
    for _ in 0..concurrency {
        let (address, request, sum) = ((*address).to_owned(), Rc::clone(&request), Rc::clone(&sum));
        all.spawn_local(async move {
            if let Err(error) = client(&address, &request, &sum).await {
                eprintln!("load: {error}");
                sum.failed.set(sum.failed.get() + 1);
            }
        });
    }
    all.await;
    let mut latencies = sum.latencies.take();
    latencies.sort_unstable();
    let at = |share: f64| {
        latencies.get((latencies.len() as f64 * share) as usize).or(latencies.last()).copied().unwrap_or_default()
    };
    println!(
        "{{\"count\":{},\"failed\":{},\"bytes\":{},\"seconds\":{:.3},\"p50\":{},\"p99\":{}}}",
        latencies.len(),
        sum.failed.get(),
        sum.bytes.get(),
        began.elapsed().as_secs_f64(),
        at(0.5),
        at(0.99)
    );
    Ok(())
}

async fn client(address: &str, request: &[u8], sum: &Sum) -> Result<()> {
    let mut connection = Connection::new(TcpStream::connect(address).await?);
    while sum.left.get() > 0 {
        sum.left.set(sum.left.get() - 1);
        let began = Instant::now();
        connection.write(request).await?;
        let head = connection.head().await?.ok_or_else(|| Error::other("no answer"))?;
        let mut left = None;
        let mut first = Vec::new();
        while let Some(piece) = connection.piece(&head, &mut left).await? {
            sum.bytes.set(sum.bytes.get() + piece.len());
            if first.is_empty() {
                first = piece;
            }
        }
        sum.latencies.borrow_mut().push(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        if !head.first.contains(" 200 ") {
            let words = String::from_utf8_lossy(&first).chars().take(200).collect::<String>();
            return Err(Error::other(format!("{}: {words}", head.first)));
        }
    }
    Ok(())
}
