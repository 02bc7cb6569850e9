// npm test: everything that must hold. Sets up what is missing; runs all steps even if one fails; ends with the sum. With
// ANY_API_BUILD=dev the Worker is the quickly built one.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { ensureSdks } from "../tests/e2e/python.mjs";
import { build } from "./build.mjs";
import { instructions } from "./instructions.mjs";
import { withinBudget } from "./size.mjs";
import { ensureNewNode, ensurePackages, ensureRust, ensureTestPackages, main, root, run, say, seconds, wasmTarget } from "./setup.mjs";

/** Runs a test runner with its output on the terminal; gives its exit code and what it printed, without colours. */
function watch(command, args) {
  return new Promise((resolve, reject) => {
    const env = process.stdout.isTTY ? { CARGO_TERM_COLOR: "always", FORCE_COLOR: "1" } : {};
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"], env: { ...env, ...process.env } });
    let printed = "";
    child.stdout.on("data", (data) => (process.stdout.write(data), (printed += data)));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, printed: printed.replace(/\x1b\[[0-9;]*m/g, "") }));
  });
}

const sum = (text, pattern) => [...text.matchAll(pattern)].reduce((total, [, number]) => total + Number(number), 0);
const counts = {};

async function rustTests() {
  const { code, printed } = await watch("cargo", ["test", "--locked", "--no-fail-fast"]);
  counts.Rust = { passed: sum(printed, /^test result: .* (\d+) passed;/gm), failed: sum(printed, /^test result: .* (\d+) failed;/gm), ignored: sum(printed, /^test result: .* (\d+) ignored;/gm) };
  if (code !== 0) throw new Error("cargo test failed");
}

async function endToEnd(files) {
  const { code, printed } = await watch(await ensureNewNode(), ["--test", "--test-reporter=spec", ...files]);
  counts["end to end"] = { passed: sum(printed, /^ℹ pass (\d+)/gm), failed: sum(printed, /^ℹ fail (\d+)/gm), ignored: sum(printed, /^ℹ (?:skipped|todo) (\d+)/gm) };
  if (code !== 0) throw new Error("the end-to-end tests failed");
}

const cargo = (...args) => () => run("cargo", args);
const worker = ["--lib", "--target", wasmTarget, "--no-default-features", "--features", "cloudflare"];
const e2e = join(root, "tests", "e2e");
const files = existsSync(e2e) ? readdirSync(e2e).filter((name) => name.endsWith(".test.mjs")).sort().map((name) => join("tests", "e2e", name)) : [];

const steps = [
  ["format", cargo("fmt", "--all", "--check")],
  ...["tools/bundle", "benches/rig", "benches/rig/floor"].map((name) => [`format of ${name}`, cargo("fmt", "--check", "--manifest-path", join(name, "Cargo.toml"))]),
  ["lints", cargo("clippy", "--locked", "--all-targets", "--", "-D", "warnings")],
  ["lints of the Worker", cargo("clippy", "--locked", ...worker, "--", "-D", "warnings")],
  ["the Worker's build", () => build({ dev: process.env.ANY_API_BUILD === "dev" })],
  ...(process.env.ANY_API_BUILD === "dev" ? [] : [["the Worker's size and start", withinBudget]]),
  ["Rust tests", rustTests],
  ["instructions", async () => { if (!(await instructions())) throw new Error("more instructions than benches/instructions.json has"); }],
  ["the end-to-end tests' packages", ensureTestPackages],
  ["the vendors' Python SDKs", ensureSdks],
  ...(files.length ? [["end-to-end tests in workerd and natively", () => endToEnd(files)]] : []),
];

main(async () => {
  const began = performance.now();
  await ensureRust();
  await ensurePackages();
  const failed = [];
  for (const [name, step] of steps) {
    const since = performance.now();
    say(`${name} …`);
    try {
      await step();
      say(`${name}: ok (${seconds(since)})`);
    } catch (error) {
      failed.push(name);
      console.error(`any-api: ${error.message}`);
      say(`${name}: FAILED (${seconds(since)})`);
    }
  }
  const all = (key) => Object.values(counts).reduce((total, count) => total + count[key], 0);
  const parts = Object.entries(counts).map(([name, count]) => `${name} ${count.passed}`);
  console.log(`\nsteps: ${steps.length - failed.length} ok, ${failed.length} failed${failed.length ? ` (${failed.join(", ")})` : ""}; ${seconds(began)}`);
  console.log(`test result: ${failed.length ? "FAILED" : "ok"}. ${all("passed")} passed; ${all("failed")} failed; ${all("ignored")} ignored (${parts.join(", ")})`);
  return failed.length ? 1 : 0;
});
