// npm test: everything that must hold. Sets up what is missing; runs all steps even if one fails; ends with what failed, in
// short, and the sum: often only the end of a log is kept. With ANY_API_BUILD=dev the Worker is the quickly built one.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { ensureSdks } from "../tests/e2e/python.mjs";
import { build } from "./build.mjs";
import { instructions } from "./instructions.mjs";
import { withinBudget } from "./size.mjs";
import { ensureNewNode, ensurePackages, ensureRust, ensureTestPackages, main, root, run, say, seconds, wasmTarget } from "./setup.mjs";

/** Runs a test runner with its output on the terminal; gives its exit code and what it printed and complained of, without colours. */
function watch(command, args) {
  return new Promise((resolve, reject) => {
    const env = process.stdout.isTTY ? { CARGO_TERM_COLOR: "always", FORCE_COLOR: "1" } : {};
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], env: { ...env, ...process.env } });
    const kept = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"]) child[name].setEncoding("utf8").on("data", (data) => (process[name].write(data), (kept[name] += data)));
    const plain = (text) => text.replace(/\x1b\[[0-9;]*m/g, "");
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, printed: plain(kept.stdout), complained: plain(kept.stderr) }));
  });
}

const sum = (text, pattern) => [...text.matchAll(pattern)].reduce((total, [, number]) => total + Number(number), 0);
const counts = {};

/** The first lines of a text, the empty ones left out. */
const brief = (text, count) => {
  const lines = text.split("\n").filter((line) => line.trim());
  return lines.slice(0, count).map((line) => line.slice(0, 400)).concat(lines.length > count ? ["…"] : []).join("\n");
};

/** The Rust tests that failed, each with its panic's words; what cargo said last, if it names none: then one was aborted, or none ran. */
function failedRust(printed, complained) {
  const names = [...new Set([...printed.matchAll(/^test (.+) \.\.\. FAILED$/gm)].map(([, name]) => name))];
  if (names.length === 0) return [complained.trimEnd().split("\n").slice(-15).join("\n")];
  const words = Object.fromEntries([...printed.matchAll(/^---- (.+) stdout ----\n([^]*?)(?=^stack backtrace:|^----|^note:|^failures:)/gm)].map(([, name, said]) => [name, said]));
  return names.map((name) => `test ${name} ... FAILED\n${brief(words[name] ?? "", 12)}`);
}

/** The failing tests that Node's reporter lists behind all others. */
const failedNode = (printed) => (printed.split(/^✖ failing tests:$/m)[1] ?? "").split(/^(?=test at )/m).filter((text) => text.startsWith("test at ")).map((text) => brief(text, 8));

async function rustTests() {
  const { code, printed, complained } = await watch("cargo", ["test", "--locked", "--no-fail-fast"]);
  counts.Rust = { passed: sum(printed, /^test result: .* (\d+) passed;/gm), failed: sum(printed, /^test result: .* (\d+) failed;/gm), ignored: sum(printed, /^test result: .* (\d+) ignored;/gm) };
  if (code !== 0) throw Object.assign(new Error("cargo test failed"), { named: failedRust(printed, complained) });
}

async function endToEnd(files) {
  const { code, printed } = await watch(await ensureNewNode(), ["--test", "--test-reporter=spec", ...files]);
  counts["end to end"] = { passed: sum(printed, /^ℹ pass (\d+)/gm), failed: sum(printed, /^ℹ fail (\d+)/gm), ignored: sum(printed, /^ℹ (?:skipped|todo) (\d+)/gm) };
  if (code !== 0) throw Object.assign(new Error("the end-to-end tests failed"), { named: failedNode(printed) });
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
  const named = [];
  for (const [name, step] of steps) {
    const since = performance.now();
    say(`${name} …`);
    try {
      await step();
      say(`${name}: ok (${seconds(since)})`);
    } catch (error) {
      failed.push(name);
      named.push(...(error.named ?? []));
      console.error(`any-api: ${error.message}`);
      say(`${name}: FAILED (${seconds(since)})`);
    }
  }
  const all = (key) => Object.values(counts).reduce((total, count) => total + count[key], 0);
  const parts = Object.entries(counts).map(([name, count]) => `${name} ${count.passed}`);
  // As many as fit on a page.
  if (named.length) console.log(`\nfailed:\n${named.slice(0, 20).join("\n")}${named.length > 20 ? `\n… and ${named.length - 20} more` : ""}`);
  console.log(`\nsteps: ${steps.length - failed.length} ok, ${failed.length} failed${failed.length ? ` (${failed.join(", ")})` : ""}; ${seconds(began)}`);
  console.log(`test result: ${failed.length ? "FAILED" : "ok"}. ${all("passed")} passed; ${all("failed")} failed; ${all("ignored")} ignored (${parts.join(", ")})`);
  return failed.length ? 1 : 0;
});
