// npm run bench:instructions: counts the instructions of the translator's work under callgrind, and compares them with
// benches/instructions.json. Unlike time, they are the same on every machine and every day, so CI can hold them to a budget.
//
// With --bless the file is written anew. Without valgrind (apt install valgrind) there is nothing to count: that is said, and is a
// failure only where CI is set.
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Failure, ask, ensureRust, main, root, run, say, seconds } from "./setup.mjs";

const file = join(root, "benches", "instructions.json");

/** Compilers of one version give one program, but libraries pick their loops by the processor. */
const tolerance = 0.05;

/** The program, built; it also writes the documents of `npm run bench`. `released`: as the gateway is released, with the price of full LTO. */
export async function program({ released = false } = {}) {
  // In a folder of its own: cargo would otherwise compile the gateway anew at each change between this and a release build.
  const target = join(root, "target", "instructions");
  const profile = released ? "release" : "bench";
  const args = ["bench", "--locked", "--no-run", "--profile", profile, "--no-default-features", "--bench", "instructions", "--target-dir", target, "--message-format", "json-render-diagnostics"];
  const messages = await run("cargo", args, { capture: true });
  const made = messages.split("\n").filter((line) => line.includes('"executable":"')).map((line) => JSON.parse(line));
  return made.find((message) => message.target.name === "instructions").executable;
}

/** The instructions of each case. */
async function count() {
  const binary = await program();
  const names = ask(binary, []).split("\n");
  const home = mkdtempSync(join(tmpdir(), "any-api-callgrind-"));
  try {
    const measured = "instructions::measured";
    const flags = ["--collect-atstart=no", `--toggle-collect=${measured}`, `--dump-before=${measured}`, "--dump-line=no", `--callgrind-out-file=${join(home, "out")}`];
    await run("valgrind", ["--tool=callgrind", ...flags, binary, "run"], { quiet: true });
    // Each part ends where the next case begins, so the first is empty and the last has no number.
    const of = (part) => Number(/^totals: (\d+)/m.exec(readFileSync(join(home, part), "utf8"))?.[1] ?? 0);
    const parts = readdirSync(home).filter((name) => name !== "out");
    if (parts.length !== names.length) throw new Failure(`callgrind gave ${parts.length} counts for ${names.length} cases`);
    return Object.fromEntries(names.map((name, index) => [name, of(index + 2 <= names.length ? `out.${index + 2}` : "out")]));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Counts and compares; gives whether all is within the budget. */
export async function instructions({ bless = false } = {}) {
  const since = performance.now();
  await ensureRust();
  if (!ask("valgrind", ["--version"]) || process.platform !== "linux" || process.arch !== "x64") {
    const why = "instructions are counted by valgrind on Linux x86-64 (apt install valgrind), which is not here";
    if (process.env.CI) throw new Failure(why);
    say(`${why}: skipped`);
    return true;
  }
  const counted = await count();
  if (bless) {
    writeFileSync(file, `${JSON.stringify(counted, null, 2)}\n`);
    say(`wrote benches/instructions.json (${seconds(since)})`);
    return true;
  }
  const budget = JSON.parse(readFileSync(file, "utf8"));
  let within = true;
  for (const name of new Set([...Object.keys(budget), ...Object.keys(counted)])) {
    const [was, is] = [budget[name], counted[name]];
    const change = was && is ? is / was - 1 : undefined;
    const word = change === undefined ? "NOT IN BOTH" : change > tolerance ? "MORE" : change < -tolerance ? "less: bless it" : "";
    if (change === undefined || change > tolerance) within = false;
    console.log(`${name.padEnd(50)} ${String(is ?? "-").padStart(10)} ${change === undefined ? "" : `${(change * 100).toFixed(1).padStart(6)} %`} ${word}`);
  }
  say(`instructions: ${within ? "within" : "OVER"} the budget of benches/instructions.json (${seconds(since)}); --bless accepts what was counted`);
  return within;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(async () => ((await instructions({ bless: process.argv.includes("--bless") })) ? 0 : 1));
}
