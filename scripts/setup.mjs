// What the other scripts need before they can start: the Rust toolchain, the npm packages, the local configuration.
// Only Node's own modules here: this runs before the packages are there.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const tools = join(root, ".tools");
export const wasmTarget = "wasm32-unknown-unknown";

export const say = (text) => console.log(`any-api: ${text}`);

/** A failure that the user can act on: printed without a stack. */
export class Failure extends Error {}

/** Runs a script's main function; a `Failure` ends it with its words alone. */
export async function main(body) {
  try {
    process.exitCode = (await body()) ?? process.exitCode ?? 0;
  } catch (error) {
    console.error(error instanceof Failure ? `any-api: ${error.message}` : error);
    process.exitCode = 1;
  }
}

export const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;
export const read = (...path) => readFileSync(join(root, ...path), "utf8");
export const digest = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest("hex");

/**
 * Runs a command in the project's folder. Its output goes to the terminal, or, with `quiet`, is kept and shown only if the
 * command fails; `capture` keeps its standard output and shows the rest. Gives back what it kept.
 */
export function run(command, args, { quiet = false, capture = quiet, env = {}, cwd = root } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = ["inherit", capture ? "pipe" : "inherit", quiet ? "pipe" : "inherit"];
    const child = spawn(command, args, { cwd, stdio, env: { ...process.env, ...env } });
    const kept = { out: "", all: "" };
    child.stdout?.on("data", (data) => ((kept.out += data), (kept.all += data)));
    child.stderr?.on("data", (data) => (kept.all += data));
    child.on("error", (error) => reject(new Failure(`${command} could not be started: ${error.message}`)));
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(kept.out);
      const said = quiet && kept.all ? `\n${kept.all.trimEnd()}` : "";
      reject(new Failure(`failed (${signal ?? `exit ${code}`}): ${command} ${args.join(" ")}${said}`));
    });
  });
}

/** A quick question to a command: its output, or undefined if it is missing or fails. */
export function ask(command, args) {
  const { status, stdout } = spawnSync(command, args, { cwd: root, encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** npm, through the very npm that runs this script if there is one. */
export const npm = (args, options) =>
  process.env.npm_execpath?.endsWith(".js")
    ? run(process.execPath, [process.env.npm_execpath, ...args], options)
    : run(process.platform === "win32" ? "npm.cmd" : "npm", args, options);

/** Rust of the pinned version with the WebAssembly target. */
export async function ensureRust() {
  const channel = /channel = "(.+)"/.exec(read("rust-toolchain.toml"))[1];
  if (!ask("cargo", ["--version"])) {
    if (!ask("rustup", ["--version"])) {
      throw new Failure("Rust is needed, and rustup is the easiest way to get it: https://rustup.rs");
    }
    say(`installing Rust ${channel} with rustup`);
    const components = ["--component", "clippy", "--component", "rustfmt", "--target", wasmTarget];
    await run("rustup", ["toolchain", "install", channel, "--profile", "minimal", ...components]);
  }
  const library = ask("rustc", ["--print", "target-libdir", "--target", wasmTarget]);
  if (library && existsSync(library)) return;
  if (!ask("rustup", ["--version"])) {
    throw new Failure(`this Rust has no ${wasmTarget} target, and without rustup the target cannot be added`);
  }
  say(`adding Rust's ${wasmTarget} target`);
  await run("rustup", ["target", "add", wasmTarget], { quiet: true });
}

/** The npm packages, as package-lock.json has them. */
export const ensurePackages = () => installPackages(root, "wrangler, workerd, esbuild, the vendors' SDKs: about 300 MB on disk");

/** What only the end-to-end tests need, which is large: nobody waits for it who does not run them. */
export const ensureTestPackages = () => installPackages(join(root, "tests", "e2e"), "for the end-to-end tests, Codex among them: about 450 MB on disk");

async function installPackages(home, what) {
  const wanted = JSON.parse(readFileSync(join(home, "package-lock.json"), "utf8")).packages;
  const list = join(home, "node_modules", ".package-lock.json"); // npm's own record of what it has installed
  const there = existsSync(list) ? JSON.parse(readFileSync(list, "utf8")).packages : {};
  const direct = Object.keys(wanted[""].devDependencies).map((name) => `node_modules/${name}`);
  const same = (path) => there[path]?.version === wanted[path]?.version;
  if (direct.every(same) && Object.keys(there).every(same)) return;
  const since = performance.now();
  say(`installing npm packages (${what})`);
  // No install scripts: esbuild and workerd find their binaries without them.
  await npm(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], { quiet: true, cwd: home });
  say(`npm packages installed in ${seconds(since)}`);
}

/** A Node that wrangler and the vendors' SDKs run on: this one, or one from npm in .tools/node. */
export async function ensureNewNode() {
  if (parseInt(process.versions.node, 10) >= 22) return process.execPath;
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const home = join(tools, "node");
  const binary = join(home, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
  if (!existsSync(binary)) {
    const since = performance.now();
    say(`this needs Node 22 or newer and is ${process.versions.node}: fetching Node 24 from npm into .tools/node`);
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "package.json"), '{ "private": true }\n');
    await npm(["install", "--prefix", home, "--no-audit", "--no-fund", "--loglevel=error", `${name}@24`], { quiet: true, cwd: home });
    say(`Node 24 installed in ${seconds(since)}`);
  }
  return binary;
}

/** Starts wrangler and waits for it; gives its exit code. */
export async function wrangler(args, env = {}) {
  const node = await ensureNewNode();
  const path = [dirname(node), process.env.PATH].join(process.platform === "win32" ? ";" : ":");
  const child = spawn(node, [join(root, "node_modules", "wrangler", "bin", "wrangler.js"), ...args], {
    cwd: root,
    stdio: "inherit",
    env: { WRANGLER_SEND_METRICS: "false", ...process.env, PATH: path, ...env },
  });
  // Ctrl-C reaches wrangler by itself; this process only has to outlive it.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  // Whoever ends `npm run` ends npm and its shell; neither tells this process, which only sees that its parent has changed.
  const parent = process.ppid;
  const orphaned = setInterval(() => process.ppid !== parent && child.kill("SIGTERM"), 500);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 0 : 1)));
  }).finally(() => clearInterval(orphaned));
}

/** The local configuration, from the examples where it is missing. */
export function ensureConfiguration(names = [".dev.vars", "wrangler.toml"]) {
  for (const name of names) {
    if (existsSync(join(root, name))) continue;
    copyFileSync(join(root, `${name}.example`), join(root, name));
    say(`wrote ${name} from ${name}.example`);
  }
}
