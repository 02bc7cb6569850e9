// The built Worker as `npm run dev` has it: in `wrangler dev`, with a local KV namespace in a folder.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../scripts/native.mjs";
import { read, root } from "../../scripts/setup.mjs";

/** How long it may take to start, in milliseconds. */
const PATIENCE = 60_000;

/** Starts it on a free port; what it keeps stays in `folder`. Gives `url`, `output()` and `stop()`. */
export async function startLocal({ vars, bundle, folder }) {
  const home = mkdtempSync(join(tmpdir(), "any-api-local-"));
  // The settings that users deploy with, but for the build.
  const settings = read("wrangler.toml.example").replace(/^\[build\]\n(?:.+\n)+/m, "").replace(/^main = .+/m, `main = ${JSON.stringify(join(bundle, "index.js"))}`);
  writeFileSync(join(home, "wrangler.toml"), settings);
  writeFileSync(join(home, ".dev.vars"), Object.entries(vars).map(([name, value]) => `${name}='${value}'\n`).join(""));
  const [port, inspector] = [await freePort(), await freePort()];
  const command = [join(root, "node_modules", "wrangler", "bin", "wrangler.js"), "dev", "--config", join(home, "wrangler.toml"), "--ip", "127.0.0.1", "--port", String(port), "--inspector-port", String(inspector), "--persist-to", folder, "--show-interactive-dev-session=false"];
  // A group of its own, since wrangler starts others.
  const child = spawn(process.execPath, command, { cwd: home, detached: true, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false", CI: "1" } });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (printed += data));
  let ended = false;
  const over = new Promise((resolve) => child.once("close", resolve)).then(() => (ended = true));
  const kill = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // It is gone already.
    }
  };
  const end = () => kill("SIGKILL");
  process.once("exit", end);
  const stop = async () => {
    kill("SIGTERM");
    const timer = setTimeout(end, 5_000);
    await over;
    clearTimeout(timer);
    process.off("exit", end);
    rmSync(home, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  const health = () => fetch(`${url}/health`).then((response) => response.ok, () => false);
  for (const deadline = performance.now() + PATIENCE; !(await health()); await new Promise((resolve) => setTimeout(resolve, 50))) {
    if (!ended && performance.now() < deadline) continue;
    await stop();
    throw new Error(`wrangler dev did not start:\n${printed}`);
  }
  return { url, output: () => printed, stop };
}
