// npm run build: the Worker as build/index.js and build/index_bg.wasm. With ANY_API_BUILD=dev, as `npm run dev` has it,
// in build/dev/ and quicker: so that a running `npm run dev` and the tests don't take each other's files.
//
// cargo compiles the library to WebAssembly, wasm-bindgen writes the JavaScript around it, esbuild joins that with
// src/hosts/cloudflare.js. Why so and not with worker-build: docs/adr/0001-building-the-worker.md.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { pathToFileURL } from "node:url";
import { Failure, ask, digest, ensurePackages, ensureRust, main, read, root, run, say, seconds, tools, wasmTarget } from "./setup.mjs";

const locked = (lock, name) => new RegExp(`name = "${name}"\\nversion = "(.+)"`).exec(lock)?.[1];

/** The command that does wasm-bindgen's work: tools/bundle, or, where nothing is to be shaken off, an installed one of the right version. */
async function ensureBindgen(dev) {
  const wanted = locked(read("Cargo.lock"), "wasm-bindgen");
  if (dev && ask("wasm-bindgen", ["--version"])?.split(" ")[1] === wanted) {
    const flags = ["--target", "module", "--out-name", "index", "--no-typescript", "--experimental-reset-state-function", "--force-enable-abort-handler"];
    return { version: wanted, run: (wasm, to, names) => run("wasm-bindgen", [...flags, ...(names ? [] : ["--remove-name-section"]), "--out-dir", to, wasm]) };
  }
  const ours = locked(read("tools", "bundle", "Cargo.lock"), "wasm-bindgen-cli-support");
  if (ours !== wanted) {
    throw new Failure(
      `Cargo.lock has wasm-bindgen ${wanted}, tools/bundle is made for ${ours}; the two must be the same version. Either\n` +
        `  cargo add --manifest-path tools/bundle/Cargo.toml wasm-bindgen-cli-support@=${wanted}\n` +
        `or go back with\n  cargo update wasm-bindgen --precise ${ours}`,
    );
  }
  const home = join(tools, "bundle");
  const binary = join(home, "debug", process.platform === "win32" ? "bundle.exe" : "bundle");
  const manifest = ["--locked", "--manifest-path", join("tools", "bundle", "Cargo.toml")];
  const stamp = join(home, ".stamp");
  const state = digest(...["Cargo.toml", "Cargo.lock", "src/main.rs", "src/order.rs"].map((name) => read("tools", "bundle", name)), read("rust-toolchain.toml"));
  let built;
  if (!existsSync(binary) || !existsSync(stamp) || readFileSync(stamp, "utf8") !== state) {
    const since = performance.now();
    say("building the bundler, once (half a minute of processor time), next to the Worker");
    // Before any other cargo starts, so that the two don't wait for each other in the middle of their output.
    await run("cargo", ["fetch", ...manifest], { quiet: true });
    built = run("cargo", ["build", ...manifest, "--target-dir", home], { quiet: true }).then(() => {
      writeFileSync(stamp, state);
      say(`bundler built in ${seconds(since)}`);
    });
    // A failure is reported by whoever awaits it; without this Node would end the process at once.
    built.catch(() => {});
  }
  return {
    version: wanted,
    run: async (wasm, to, names) => (await built, run(binary, [wasm, to, ...(names ? ["--names"] : [])])),
    // What the script never asks the module for is removed from it.
    shake: (module, script) => run(binary, ["--shake", module, script]),
  };
}

/**
 * Vectors are for the search of bytes, and what is compiled with them is smaller, too. Compiled for size, no function is put into its
 * caller unless the code gets shorter by it; up to this measure the time that it saves is worth more (docs/adr/0001).
 */
const flags = ["-C", "target-feature=+simd128", "-C", "llvm-args=-inline-threshold=15"];

/** The library as WebAssembly; gives the path of the file. */
async function compile(dev) {
  // `cargo rustc --crate-type`, since cargo leaves out LTO for a library that is cdylib and rlib at once.
  const args = ["rustc", "--lib", "--crate-type", "cdylib", "--locked", "--target", wasmTarget, "--no-default-features", "--features", "cloudflare"];
  const profile = dev ? ["--profile", "worker-dev"] : ["--profile", "worker", "--config", `target.${wasmTarget}.rustflags=${JSON.stringify(flags)}`];
  const messages = await run("cargo", [...args, ...profile, "--message-format", "json-render-diagnostics"], { capture: true });
  const made = messages.split("\n").filter((line) => line.includes('"compiler-artifact"')).map((line) => JSON.parse(line));
  return made.flatMap((message) => message.filenames).find((name) => name.endsWith("any_api.wasm"));
}

/** Builds what has changed. `dev`: quicker to compile, slower to run, with function names in stack traces. */
export async function build({ dev = false } = {}) {
  const out = join(root, "build", ...(dev ? ["dev"] : []));
  const since = performance.now();
  await ensureRust();
  // The bundler, the packages and the Worker don't need each other, and each leaves a core idle at times.
  const packages = ensurePackages();
  const bindgen = await ensureBindgen(dev);
  const [wasm] = await Promise.all([compile(dev), packages]);

  const shim = join(root, "src", "hosts", "cloudflare.js");
  const stamp = digest(readFileSync(wasm), readFileSync(shim), read("scripts", "build.mjs"), read("package-lock.json"), bindgen.version, String(dev));
  const stampFile = join(out, ".stamp");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) {
    return say(`the Worker is up to date (${seconds(since)})`);
  }

  const staging = join(tools, `staging-${process.pid}`);
  try {
    await bindgen.run(wasm, staging, dev);
    const generated = join(staging, "index.js");
    const text = readFileSync(generated, "utf8");
    // Source-phase imports are what wasm-bindgen writes; workerd and wrangler give the same module for a plain import. Nothing
    // here is disposed of by `using`, and a class that is said to be looks used.
    const plain = text.replace("import source wasmModule from", "import wasmModule from").replaceAll(/^if \(Symbol\.dispose\) .*$/gm, "").replaceAll("new FinalizationRegistry", "/* @__PURE__ */ new FinalizationRegistry");
    writeFileSync(generated, plain);
    const { build: esbuild } = await import("esbuild");
    await esbuild({
      entryPoints: [shim],
      outfile: join(staging, "bundled.js"),
      alias: { "any-api-wasm": generated },
      external: ["*/index_bg.wasm", "cloudflare:*"],
      bundle: true,
      format: "esm",
      target: "esnext",
      minify: !dev,
      logLevel: "warning",
    });
    if (!dev) await bindgen.shake(join(staging, "index_bg.wasm"), join(staging, "bundled.js"));
    mkdirSync(out, { recursive: true });
    rmSync(stampFile, { force: true });
    renameSync(join(staging, "index_bg.wasm"), join(out, "index_bg.wasm"));
    renameSync(join(staging, "bundled.js"), join(out, "index.js"));
    writeFileSync(stampFile, stamp);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }

  const files = ["index.js", "index_bg.wasm"].map((name) => join(out, name));
  const size = files.reduce((sum, name) => sum + statSync(name).size, 0);
  const packed = files.reduce((sum, name) => sum + gzipSync(readFileSync(name)).length, 0);
  const kilobytes = (bytes) => `${Math.round(bytes / 1024)} KB`;
  say(`the Worker is built: ${kilobytes(size)}, gzip ${kilobytes(packed)} (${seconds(since)})`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(() => build({ dev: process.env.ANY_API_BUILD === "dev" }));
}
