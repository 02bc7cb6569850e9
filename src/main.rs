//! The command line.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use any_api::capabilities::Capabilities;
use any_api::context::{Cx, Ids};
use any_api::hosts::{log::JsonLines, native};
use any_api::pipeline::{self, DumpKind, Gateway, Step};
use any_api::quirks::Quirks;
use any_api::{backends, diagnostics, frontends, ir};
use clap::{Parser, Subcommand};

/// An LLM API gateway: every client protocol reaches every upstream.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the gateway.
    Serve {
        /// Address and port to listen on.
        #[arg(long, default_value = "127.0.0.1:8787")]
        listen: SocketAddr,
        /// A file with what ANY_API_CONFIG holds.
        #[arg(long)]
        config: Option<PathBuf>,
        /// Log what was lost in answers too.
        #[arg(long)]
        verbose: bool,
    },
    /// Translates a request from standard input, without a network.
    Translate {
        /// The client's dialect: chat, responses, claude, gemini.
        #[arg(long)]
        from: String,
        /// The upstream's dialect: chat, responses, claude, gemini, echo.
        #[arg(long)]
        to: String,
        /// The model's name in the upstream's request.
        #[arg(long, default_value = "model")]
        model: String,
        /// Moves instructions into a developer message.
        #[arg(long)]
        no_instructions: bool,
        /// Takes the session off.
        #[arg(long)]
        no_previous_response_id: bool,
        /// Cuts instructions to so many characters.
        #[arg(long)]
        max_instructions_chars: Option<usize>,
        /// Prints the IR, the passes and the diagnostics too.
        #[arg(long)]
        dump_ir: bool,
    },
    /// Translates an upstream's stream from standard input into a client's.
    Stream {
        /// The upstream's dialect.
        #[arg(long)]
        from: String,
        /// The client's dialect.
        #[arg(long)]
        to: String,
        /// Prints the events of the IR instead.
        #[arg(long)]
        dump_ir: bool,
    },
    /// Tells everything that is wrong with the configuration.
    CheckConfig {
        /// A file with what ANY_API_CONFIG holds.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Lists the codes of diagnostics.
    Codes {
        /// As the page docs/diagnostics.md.
        #[arg(long)]
        markdown: bool,
    },
}

type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Serve { listen, config, verbose } => serve(listen, config.as_deref(), verbose),
        Command::Translate {
            from,
            to,
            model,
            no_instructions,
            no_previous_response_id,
            max_instructions_chars,
            dump_ir,
        } => {
            let quirks = Quirks { no_instructions, no_previous_response_id, max_instructions_chars };
            translate(&from, &to, &model, quirks, dump_ir)
        }
        Command::Stream { from, to, dump_ir } => stream(&from, &to, dump_ir),
        Command::CheckConfig { config } => check_config(config.as_deref()),
        Command::Codes { markdown } => print(&codes(markdown)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> Outcome {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| error.to_string())
}

fn read_input() -> Result<Vec<u8>, String> {
    let mut input = Vec::new();
    std::io::stdin().lock().read_to_end(&mut input).map_err(|error| format!("standard input: {error}"))?;
    Ok(input)
}

/// The gateway as the environment, `.dev.vars` and `--config` have it; the first that knows a name wins.
fn gateway(config: Option<&Path>) -> Result<Gateway, String> {
    let document = match config {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Some(text)
        }
        None => None,
    };
    let file = std::fs::read_to_string(".dev.vars").unwrap_or_default();
    let dev_vars = native::read_dev_vars(&file);
    let setting = |name: &str| {
        if let Some(document) = &document
            && name.starts_with("ANY_API_CONFIG")
        {
            return (name == "ANY_API_CONFIG").then(|| document.clone());
        }
        let in_file = || dev_vars.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.clone());
        std::env::var(name).ok().or_else(in_file)
    };
    Ok(Gateway::new(&setting))
}

fn serve(listen: SocketAddr, config: Option<&Path>, verbose: bool) -> Outcome {
    let level = if verbose { tracing::Level::DEBUG } else { tracing::Level::INFO };
    let write = |_, line: &str| {
        // In one piece, so that the lines of several threads do not mix.
        let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
    };
    JsonLines { level, write }.listen();
    let gateway = gateway(config)?;
    for problem in gateway.problems() {
        tracing::warn!(place = problem.place, message = problem.message, "configuration");
    }
    native::serve(gateway, listen).map_err(|error| format!("{listen}: {error}"))
}

/// A dialect's full name; the command line also takes `chat` and `responses`.
fn full_name(name: &str) -> &str {
    match name {
        "chat" => "openai-chat-completions",
        "responses" => "openai-responses",
        _ => name,
    }
}

fn frontend(name: &str) -> Result<&'static dyn frontends::Frontend, String> {
    frontends::of_dialect(full_name(name))
        .ok_or_else(|| format!("no client speaks {name:?}: expected chat, responses, claude or gemini"))
}

fn backend(name: &str) -> Result<&'static dyn backends::Backend, String> {
    let unknown = || format!("no upstream speaks {name:?}: expected chat, responses, claude, gemini or echo");
    backends::of_dialect(full_name(name)).ok_or_else(unknown)
}

fn translate(from: &str, to: &str, model: &str, quirks: Quirks, dump_ir: bool) -> Outcome {
    let target = backends::Target {
        provider: "upstream".to_owned(),
        model: model.to_owned(),
        base_url: "https://upstream.example".to_owned(),
        capabilities: Capabilities::of(model),
        ..backends::Target::default()
    };
    let body = String::from_utf8(read_input()?).map_err(|_| "standard input is not UTF-8".to_owned())?;
    let dump = dump_ir.then_some(DumpKind::Request);
    let plan = pipeline::Plan::offline(frontend(from)?, backend(to)?, target, quirks, body, dump)
        .map_err(|error| error.to_string())?;
    let body = match plan.raise(0) {
        Step::Answer(response) if response.status >= 400 => {
            return Err(String::from_utf8_lossy(&response.body).into_owned());
        }
        Step::Answer(response) => response.body,
        Step::Send { request, .. } => request.body,
        Step::Answered { chunks, .. } => chunks.concat(),
    };
    print(&format!("{}\n", String::from_utf8_lossy(&body)))
}

fn stream(from: &str, to: &str, dump_ir: bool) -> Outcome {
    let (backend, frontend) = (backend(from)?, frontend(to)?);
    let mut cx = Cx::new(ir::Body::default(), 0, Ids::new(1));
    let target = backends::Target { provider: "upstream".to_owned(), model: "model".to_owned(), ..Default::default() };
    let memo = backends::Memo::new(&mut cx, &target, backend.dialect(), backends::Names::default());
    let request =
        ir::Request { model: "upstream.model".into(), delivery: ir::Delivery::Stream, ..ir::Request::default() };
    let asked = frontends::Asked { include_usage: true, ..frontends::Asked::new(&mut cx, &request) };
    let mut emitter = ir::Emitter::new(cx.ids.fork());
    let mut decoder = backend.decoder(&memo);
    decoder.push(&read_input()?, &mut emitter);
    decoder.finish(&mut emitter);
    let events = emitter.take();
    if dump_ir {
        let lines: Vec<String> = events.iter().map(|event| ir::Json::of(event).as_str().to_owned()).collect();
        return print(&format!("{}\n", lines.join("\n")));
    }
    let mut out = Vec::new();
    let mut encoder = frontend.encoder(&asked);
    events.into_iter().for_each(|event| encoder.push(event, &mut out));
    encoder.finish(&mut out);
    print(&String::from_utf8_lossy(&out))
}

fn check_config(config: Option<&Path>) -> Outcome {
    let gateway = gateway(config)?;
    for hint in gateway.hints() {
        print(&format!("hint: {hint}\n"))?;
    }
    let problems: Vec<String> = gateway.problems().iter().map(ToString::to_string).collect();
    if problems.is_empty() {
        return print("the configuration is usable\n");
    }
    Err(problems.join("\n"))
}

fn codes(markdown: bool) -> String {
    let mut out = String::new();
    if markdown {
        out.push_str(DIAGNOSTICS_PAGE);
    }
    for code in diagnostics::codes::ALL {
        let (name, level, meaning) = (code.name, code.level.name(), code.meaning);
        let line = if markdown {
            format!("| `{name}` | {level} | {meaning} |\n")
        } else {
            format!("{name:32} {level:6} {meaning}\n")
        };
        out.push_str(&line);
    }
    out
}

const DIAGNOSTICS_PAGE: &str = "\
# Diagnostics

What a translation loses or changes is reported by a code, in the header `x-any-api-diagnostics`, in the log, and in
`--dump-ir`. Each code has a level: `allow` is silent, `note` is an approximation, `warn` is a loss, `deny` refuses the
request before anything is sent. Set levels in the configuration: `\"diagnostics\": {\"sampling-dropped\": \"deny\"}`. The
request header `x-any-api-strict: 1` makes every warning a refusal.

What the answer loses on its way to the client is told in the same places; it is never refused, as there is an answer by then. The
head of a streamed answer is gone before its losses are known: they are in the log line that ends the request.

This page is made by `any-api codes --markdown`.

| code | level | meaning |
|---|---|---|
";
