// The Worker's size and its start, held to benches/budget.json: part of `npm test`, after the release build.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { read, root, say } from "./setup.mjs";
import { startWorkerd } from "./workerd.mjs";

/** What is uploaded, gzipped, in kilobytes. */
export const bundleSize = () => ["index.js", "index_bg.wasm"].reduce((sum, name) => sum + gzipSync(readFileSync(join(root, "build", name))).length, 0) / 1024;

async function firstAnswer(options) {
  const times = [];
  for (let round = 0; round < 5; round += 1) {
    const since = performance.now();
    const gateway = await startWorkerd(options);
    await fetch(`${gateway.url}/health`);
    times.push(performance.now() - since);
    await gateway.stop();
  }
  // The least: whatever else the machine does only adds to it.
  return Math.min(...times);
}

/** From the start of workerd to the first answer, in milliseconds: of the Worker, and of one that does nothing. */
export async function startUp() {
  const home = mkdtempSync(join(tmpdir(), "any-api-start-"));
  try {
    writeFileSync(join(home, "index.js"), 'export default { fetch: () => new Response("{}") };');
    // The shortest module there is.
    writeFileSync(join(home, "index_bg.wasm"), Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    const worker = await firstAnswer({ vars: { WORKER_AUTH_KEY: "key", ANY_API_CONFIG: '{"version":1,"providers":{}}' } });
    return { worker, trivial: await firstAnswer({ bundle: home }) };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Fails if the built Worker is larger, or starts more slowly, than it may. */
export async function withinBudget() {
  const budget = JSON.parse(read("benches", "budget.json"));
  const size = bundleSize();
  const { worker, trivial } = await startUp();
  const start = worker - trivial;
  say(`bundle ${size.toFixed(0)} of ${budget.bundleGzipKilobytes} KB gzipped; start ${start.toFixed(0)} of ${budget.startUpMilliseconds} ms more than a Worker that does nothing`);
  if (size > budget.bundleGzipKilobytes || start > budget.startUpMilliseconds) throw new Error("over benches/budget.json");
}
