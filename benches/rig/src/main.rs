//! `rig upstream PORT DIR` answers, `rig load …` asks, `rig relay PORT TO` and `rig value PORT TO` are the native floors. HTTP/1.1 is
//! spoken by hand and as plainly as can be: what is measured should not wait for what measures.
mod http;
mod load;
mod proxy;
mod upstream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["upstream", port, dir] => upstream::serve(port, dir).await,
        ["relay", port, to] => proxy::relay(port, to).await,
        ["value", port, to] => proxy::value(port, to).await,
        ["load", rest @ ..] => load::run(rest).await,
        _ => {
            eprintln!(
                "usage: rig upstream PORT DIR | relay PORT TO | value PORT TO | load ADDRESS PATH KEY BODY CONCURRENCY COUNT"
            );
            std::process::exit(2);
        }
    }
}
