//! What `scripts/build.mjs` needs beside cargo and esbuild.
//!
//! - `bundle INPUT.wasm OUT_DIR [--names]`: what the `wasm-bindgen` command does for a Worker, without the price of building
//!   that command. `scripts/build.mjs` uses an installed `wasm-bindgen` of the right version instead, where there is one.
//! - `bundle --shake MODULE.wasm SCRIPT.js`: removes from a module what the script never asks it for. The crate `worker`
//!   exports classes for all that a Worker may do, and what is exported counts as used. What is left is put in the order that compresses
//!   best.
mod order;

use std::collections::HashSet;
use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

use walrus::{ImportKind, Module};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let done = match arguments.as_slice() {
        [flag, module, script] if flag == "--shake" => shake(module, script),
        [input, out, flags @ ..] if flags.iter().all(|flag| flag == "--names") => {
            generate(input, out, !flags.is_empty())
        }
        _ => Err("usage: bundle INPUT.wasm OUT_DIR [--names], or bundle --shake MODULE.wasm SCRIPT.js".into()),
    };
    if let Err(error) = done {
        eprintln!("bundle: {error:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What stands behind the next pair of braces.
fn behind_braces(text: &str) -> &str {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return &text[at..],
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text
}

fn generate(input: &OsString, out: &OsString, names: bool) -> Result<(), Box<dyn Error>> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).out_name("index").typescript(false).remove_name_section(!names);
    // After a panic the instance is thrown away and the next request gets a fresh one; see src/hosts/cloudflare.js.
    bindgen.reset_state_function(true).force_enable_abort_handler(true);
    bindgen.module(true)?.generate(out)?;
    Ok(())
}

fn shake(path: &OsString, script: &OsString) -> Result<(), Box<dyn Error>> {
    let script = std::fs::read_to_string(script)?;
    let mut module = Module::from_file(path)?;
    // What only a function of the script's asks for, and that function is asked by nobody any more, goes as well.
    let mut left = usize::MAX;
    while module.exports.iter().count() < left {
        left = module.exports.iter().count();
        remove_unused(&mut module, &script);
    }
    module.producers.clear();
    let imported = module.imports.iter().filter(|import| matches!(import.kind, ImportKind::Function(_))).count();
    std::fs::write(path, order::ordered(&module.emit_wasm(), u32::try_from(imported)?)?)?;
    Ok(())
}

/// Removes the exports of which the script does not speak, and all that only they need.
fn remove_unused(module: &mut Module, script: &str) {
    let imported: HashSet<&str> = module.imports.iter().map(|import| import.name.as_str()).collect();
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let mut words = HashSet::new();
    let mut rest = script;
    while let Some(start) = rest.find(is_of_name) {
        let named = &rest[start..];
        let (word, behind) = named.split_at(named.find(|c| !is_of_name(c)).unwrap_or(named.len()));
        // What a module may import stands in one object, as `name: function (…) {…}`.
        let is_function =
            || behind.trim_start().strip_prefix(':').is_some_and(|value| value.trim_start().starts_with("function"));
        let is_dead = word.starts_with("__wb") && !imported.contains(word) && is_function();
        rest = if is_dead { behind_braces(behind) } else { behind };
        words.insert(word);
    }
    let unused: Vec<_> =
        module.exports.iter().filter(|export| !words.contains(&*export.name)).map(|export| export.id()).collect();
    for export in unused {
        module.exports.delete(export);
    }
    walrus::passes::gc::run(module);
}
