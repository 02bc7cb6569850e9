// npm run bench: what the gateway costs, next to the floors, in one run on one machine. `-- --quick` takes some minutes. Linux only:
// processor time is read from /proc. The upstream, the load and the native floors are benches/rig; the Workers that are floors are in
// benches/workers. `-- --write` puts the result into docs/performance.md.
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "./build.mjs";
import { program } from "./instructions.mjs";
import { freePort, startNative } from "./native.mjs";
import { Failure, ask, main, read, root, run, say, seconds, tools, wasmTarget } from "./setup.mjs";
import { bundleSize, startUp } from "./size.mjs";
import { startWorkerd } from "./workerd.mjs";

const quick = process.argv.includes("--quick");
process.setMaxListeners(30);
const dialects = ["openai-chat-completions", "openai-responses", "claude", "gemini"];
const key = "bench";

/** The processor time of a process so far, in nanoseconds: of all its threads. */
function cpu(pid) {
  let sum = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
    } catch {
      // A thread that has just ended.
    }
  }
  return sum;
}

/** A figure of /proc/PID/status, in megabytes: VmRSS is what is used now, VmHWM the most that was. */
const memory = (pid, name) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;

async function programs() {
  const rig = join(tools, "rig");
  await run("cargo", ["build", "--release", "--locked", "--manifest-path", "benches/rig/Cargo.toml", "--target-dir", rig], { quiet: true });
  await run("cargo", ["build", "--release", "--locked", "--target", wasmTarget, "--manifest-path", "benches/rig/floor/Cargo.toml", "--target-dir", rig], { quiet: true });
  const documents = await program();
  const translation = await program({ released: true });
  return { translation, rig: join(rig, "release", "rig"), floor: join(rig, wasmTarget, "release", "floor.wasm"), documents };
}

/** Starts a program of the rig and waits until it listens. */
async function start(binary, args, port, { patience = 2_000, errors = "inherit" } = {}) {
  const child = spawn(binary, args, { stdio: ["ignore", "ignore", errors] });
  const end = () => child.kill("SIGKILL");
  process.once("exit", end);
  for (const deadline = performance.now() + patience; performance.now() < deadline; ) {
    if (await fetch(`http://127.0.0.1:${port}/`).then(() => true, (error) => error.cause?.code !== "ECONNREFUSED")) break;
    if (child.exitCode !== null) throw new Failure(`${binary} ended at once`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { pid: child.pid, port, stop: async () => end() };
}

const path = {
  "openai-chat-completions": "/v1/chat/completions",
  "openai-responses": "/v1/responses",
  claude: "/v1/messages",
  gemini: "/v1beta/models/DIALECT-SCRIPT.model:streamGenerateContent?alt=sse",
};

/** What the upstream does; the last two show how a stream's price grows with its length. */
const scripts = ["whole", "burst", "paced", "events-10", "events-100000"];

/** The providers: one for each dialect and script of the upstream. */
function configuration(upstream) {
  const providers = {};
  for (const dialect of dialects) {
    for (const script of scripts) {
      providers[`${dialect}-${script}`] = { type: dialect, baseURL: `http://127.0.0.1:${upstream}/${dialect}/${script}`, apiKey: "upstream", models: { model: {} } };
    }
  }
  return JSON.stringify({ version: 1, providers });
}

/** LiteLLM's command: one that is installed, or the one that `python3 -m venv .tools/litellm` and its pip made. */
function litellm() {
  const own = join(tools, "litellm", "bin", "litellm");
  return existsSync(own) ? own : ask("litellm", ["--version"]) ? "litellm" : undefined;
}

/** LiteLLM's proxy, with the upstream's Chat dialect behind the same names of models. */
async function startLitellm(command, upstream, home) {
  const model = (script) => {
    const name = `openai-chat-completions-${script}.model`;
    return { model_name: name, litellm_params: { model: "hosted_vllm/model", api_base: `http://127.0.0.1:${upstream}/openai-chat-completions/${script}/v1`, api_key: "upstream" } };
  };
  const file = join(home, "litellm.yaml");
  // JSON is YAML.
  const settings = { master_key: key, dangerously_permit_weak_or_unset_master_key: true };
  writeFileSync(file, JSON.stringify({ model_list: scripts.map(model), general_settings: settings, router_settings: { disable_cooldowns: true } }));
  const port = await freePort();
  return start(command, ["--config", file, "--host", "127.0.0.1", "--port", String(port)], port, { patience: 90_000, errors: "ignore" });
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

async function measure() {
  const { rig, floor, documents, translation } = await programs();
  const home = mkdtempSync(join(tmpdir(), "any-api-bench-"));
  process.once("exit", () => rmSync(home, { recursive: true, force: true }));
  await run(documents, ["write", home]);
  const upstreamPort = await freePort();
  const upstream = await start(rig, ["upstream", String(upstreamPort), home], upstreamPort);
  const vars = { WORKER_AUTH_KEY: key, ANY_API_CONFIG: configuration(upstreamPort) };
  const worker = async (name) => {
    const bundle = join(home, name);
    mkdirSync(bundle);
    copyFileSync(join(root, "benches", "workers", `${name}.js`), join(bundle, "index.js"));
    copyFileSync(floor, join(bundle, "index_bg.wasm"));
    return startWorkerd({ bundle, vars: { UPSTREAM: `http://127.0.0.1:${upstreamPort}` } });
  };
  const floorAt = async (kind) => {
    const port = await freePort();
    return start(rig, [kind, String(port), `127.0.0.1:${upstreamPort}`], port);
  };
  say("starting the gateways");
  const gateways = {
    "native relay of bytes": await floorAt("relay"),
    "native serde_json::Value": await floorAt("value"),
    "any-api native": await startNative({ vars, release: true }),
    "workerd, trivial": await worker("trivial"),
    "workerd, fetch relay": await worker("relay"),
    "workerd, chunks by hand": await worker("chunks"),
    "workerd, JavaScript JSON": await worker("json"),
    "workerd, serde_json in wasm": await worker("wasm"),
    "any-api Worker": await startWorkerd({ vars }),
  };
  const peer = litellm();
  if (peer) gateways.LiteLLM = await startLitellm(peer, upstreamPort, home);
  else say("LiteLLM is not there (python3 -m venv .tools/litellm && .tools/litellm/bin/pip install 'litellm[proxy]'): not measured");

  /** One run of the load; what it said, and the gateway's processor time a request in microseconds. */
  const load = async (gateway, to, body, concurrency, count) => {
    const before = cpu(gateway.pid);
    const said = JSON.parse(await run(rig, ["load", `127.0.0.1:${gateway.port}`, to, key, body, String(concurrency), String(count)], { capture: true }));
    if (said.failed) throw new Failure(`${said.failed} connections failed`);
    return { ...said, cpu: (cpu(gateway.pid) - before) / 1000 / said.count };
  };

  /** A request body of a client, for a model of the gateway or for the upstream itself. */
  const body = (client, size, upstreamDialect, script) => {
    const model = `${upstreamDialect}-${script}.model`;
    const file = join(home, `body-${client}-${size}-${upstreamDialect}-${script}.json`);
    if (!existsSync(file)) {
      let text = readFileSync(join(home, `request-${client}-${size}.json`), "utf8").replace('"model":"upstream.model"', `"model":"${model}"`);
      if (script === "whole") text = text.replace(/"stream":true,|,"stream":true/, "").replace(/,?"stream_options":\{[^}]*\}/, "");
      writeFileSync(file, text);
    }
    return file;
  };
  const route = (client, upstreamDialect, script) => {
    const at = path[client].replace("DIALECT-SCRIPT", `${upstreamDialect}-${script}`);
    return script === "whole" ? at.replace(":streamGenerateContent?alt=sse", ":generateContent") : at;
  };
  /** Where a floor sends the same body: straight to the upstream's own path. */
  const straight = (dialect, script) => `/${dialect}/${script}/v1/x`;

  const rounds = quick ? 1 : 3;
  const rows = [];
  const row = async (scenario, name, to, file, { concurrency = 1, count, events = 1, once = false }) => {
    const gateway = gateways[name];
    const times = quick ? Math.ceil(count / 4) : count;
    // Its first hundreds of requests cost an isolate up to twice as much, since the runtime still compiles. The floors are warmed as long.
    await load(gateway, to, file, concurrency, Math.max(concurrency, Math.ceil(count / 2)));
    const runs = [];
    for (let round = 0; round < (once ? 1 : rounds); round += 1) runs.push(await load(gateway, to, file, concurrency, Math.max(concurrency, times)));
    const of = (field) => median(runs.map((one) => one[field]));
    const direct = direct_of[`${scenario}`] ?? 0;
    rows.push({ scenario, name, cpu: of("cpu") / events, p50: of("p50") - direct, p99: of("p99"), rss: memory(gateway.pid, "VmRSS") });
    const last = rows.at(-1);
    console.log(`${scenario.padEnd(34)} ${name.padEnd(30)} ${last.cpu.toFixed(1).padStart(9)} µs  p50 +${last.p50.toFixed(0).padStart(6)} µs  p99 ${last.p99.toFixed(0).padStart(7)} µs  ${last.rss.toFixed(0).padStart(4)} MB`);
  };
  /** What the same costs without a gateway, for the latency that is added. */
  const direct_of = {};
  const direct = async (scenario, to, file, concurrency, count) => {
    const said = await load(upstream, to, file, concurrency, Math.max(concurrency, quick ? Math.ceil(count / 4) : count));
    direct_of[scenario] = said.p50;
  };
  const floors = ["native relay of bytes", "native serde_json::Value"];
  const workerFloors = ["workerd, trivial", "workerd, fetch relay", "workerd, JavaScript JSON", "workerd, serde_json in wasm"];
  const ours = ["any-api native", "any-api Worker"];

  for (const [size, count] of [["1KB", 2000], ["69KB", 600], ["500KB", 120]]) {
    const scenario = `whole, ${size}`;
    const file = body("claude", size, "claude", "whole");
    await direct(scenario, straight("claude", "whole"), file, 1, count);
    for (const name of [...floors, ...workerFloors]) await row(scenario, name, straight("claude", "whole"), file, { count });
    for (const name of ours) {
      await row(`${scenario}`, name, route("claude", "claude", "whole"), file, { count });
      const crossing = `${scenario}, claude → chat`;
      direct_of[crossing] = direct_of[scenario];
      await row(crossing, name, route("claude", "openai-chat-completions", "whole"), body("claude", size, "openai-chat-completions", "whole"), { count });
    }
  }
  for (const [script, count] of [["burst", 60], ["paced", 3]]) {
    const scenario = `300 events, ${script}`;
    const file = body("claude", "1KB", "claude", script);
    await direct(scenario, straight("claude", script), file, 1, count);
    const perEvent = { count, events: 300 };
    for (const name of [...floors, "workerd, fetch relay", "workerd, chunks by hand", "workerd, JavaScript JSON"]) await row(scenario, name, straight("claude", script), file, perEvent);
    for (const name of ours) {
      await row(scenario, name, route("claude", "claude", script), file, perEvent);
      const crossing = `${scenario}, claude → chat`;
      direct_of[crossing] = direct_of[scenario];
      await row(crossing, name, route("claude", "openai-chat-completions", script), body("claude", "1KB", "openai-chat-completions", script), perEvent);
    }
  }
  if (!quick) {
    for (const client of dialects) {
      for (const to of dialects.filter((dialect) => dialect !== client)) {
        for (const name of ours) {
          await row(`69KB, ${client} → ${to}`, name, route(client, to, "whole"), body(client, "69KB", to, "whole"), { count: 200 });
          await row(`300 events, ${client} → ${to}`, name, route(client, to, "burst"), body(client, "1KB", to, "burst"), { count: 30, events: 300 });
        }
      }
    }
  }
  for (const concurrency of [8, 64]) {
    const scenario = `whole, 1KB, ${concurrency} connections`;
    const file = body("claude", "1KB", "claude", "whole");
    const crossed = body("claude", "1KB", "openai-chat-completions", "whole");
    await direct(scenario, straight("claude", "whole"), file, concurrency, 4000);
    for (const name of [...floors, "workerd, fetch relay", "workerd, serde_json in wasm"]) await row(scenario, name, straight("claude", "whole"), file, { concurrency, count: 4000 });
    for (const name of ours) {
      await row(scenario, name, route("claude", "claude", "whole"), file, { concurrency, count: 4000 });
      direct_of[`${scenario}, claude → chat`] = direct_of[scenario];
      await row(`${scenario}, claude → chat`, name, route("claude", "openai-chat-completions", "whole"), crossed, { concurrency, count: 4000 });
    }
  }
  const at64 = memory(gateways["any-api native"].pid, "VmRSS");
  if (peer) {
    const chat = (size, script) => body("openai-chat-completions", size, "openai-chat-completions", script);
    for (const name of ["any-api native", "LiteLLM"]) {
      await row("whole, 1KB, chat → chat", name, path["openai-chat-completions"], chat("1KB", "whole"), { count: 100 });
      await row("whole, 69KB, chat → chat", name, path["openai-chat-completions"], chat("69KB", "whole"), { count: 40 });
      await row("300 events, burst, chat → chat", name, path["openai-chat-completions"], chat("1KB", "burst"), { count: 5, events: 300 });
    }
    const crossed = body("claude", "1KB", "openai-chat-completions", "whole");
    await row("whole, 1KB, claude → chat", "LiteLLM", path.claude, crossed, { count: 100 }).catch((error) => console.log(`LiteLLM, claude → chat: ${error.message}`));
  }
  const growth = {};
  for (const name of ours) {
    const to = (script) => [route("claude", "openai-chat-completions", script), body("claude", "1KB", "openai-chat-completions", script)];
    await row("10 events", name, ...to("events-10"), { count: 200, events: 10 });
    const before = memory(gateways[name].pid, "VmRSS");
    await row("100,000 events", name, ...to("events-100000"), { count: 2, events: 100_000, once: true });
    growth[name] = rows.at(-1).rss - before;
  }
  for (const name of ours) {
    await row("20 MB of pictures, claude → chat", name, route("claude", "openai-chat-completions", "whole"), body("claude", "20MB", "openai-chat-completions", "whole"), { count: 8 });
  }
  const most = Object.fromEntries(ours.map((name) => [name, memory(gateways[name].pid, "VmHWM")]));
  await Promise.all([...Object.values(gateways), upstream].map((one) => one.stop()));
  return { rows, most, at64, growth, alone: await alone(translation) };
}

/** How long the translation takes without anything around it, in nanoseconds, by the names of `npm run bench:instructions`. */
async function alone(binary) {
  const said = await run(binary, ["time"], { capture: true });
  return Object.fromEntries(said.trim().split("\n").map((line) => line.split(": ")).map(([name, time]) => [name, Number(time)]));
}

/** The goals of the project and what became of them, computed from a run. */
function goals({ rows, at64, growth, alone }, size, started) {
  const of = (scenario, name) => rows.find((row) => row.scenario === scenario && row.name === name)?.cpu;
  const crossed = (scenario) => `${scenario}, claude → chat`;
  const [native, worker] = ["any-api native", "any-api Worker"];
  const [relay, value, fetched, wasm, chunks] = ["native relay of bytes", "native serde_json::Value", "workerd, fetch relay", "workerd, serde_json in wasm", "workerd, chunks by hand"];
  const lines = ["| what | goal | is | |", "|---|---|---|---|"];
  const say = (what, goal, is, met) => lines.push(`| ${what} | ${goal} | ${is} | ${met ? "met" : "not met"} |`);
  const ratio = (what, ours, floor, goal, floorName) => {
    if (!(ours > 0 && floor > 0)) return;
    say(what, `≤ ${goal} × ${floorName}`, `${(ours / floor).toFixed(2)} ×`, ours / floor <= goal);
  };
  for (const size of ["1KB", "69KB", "500KB"]) {
    const scenario = `whole, ${size}`;
    ratio(`native, ${size} translated`, of(crossed(scenario), native), of(scenario, value), size === "1KB" ? 1.5 : 0.6, "`Value`");
    if (size !== "1KB") ratio(`native, ${size} relayed`, of(scenario, native), of(scenario, value), 0.6, "`Value`");
  }
  const peer = of(crossed("whole, 1KB"), "LiteLLM");
  if (peer) say("native, 1KB translated, LiteLLM's next to it", "≥ 20 × as much", `${(peer / of(crossed("whole, 1KB"), native)).toFixed(0)} ×`, peer >= 20 * of(crossed("whole, 1KB"), native));
  const burst = of(crossed("300 events, burst"), native);
  // The goal is 12 µs on a machine whose floor is 10.6.
  ratio("native, an event of a burst, translated", burst, of("300 events, burst", value), 1.13, "`Value`");
  say("native, an event of a burst, translated", "≤ 12 µs", `${burst.toFixed(1)} µs`, burst <= 12);
  ratio("native, an event, paced, translated", of(crossed("300 events, paced"), native), of("300 events, paced", relay), 1.3, "the relay");
  for (const size of ["1KB", "69KB", "500KB"]) ratio(`workerd, ${size} relayed`, of(`whole, ${size}`, worker), of(`whole, ${size}`, fetched), 1.1, "`fetch` relay");
  for (const script of ["burst", "paced"]) ratio(`workerd, ${script} relayed`, of(`300 events, ${script}`, worker), of(`300 events, ${script}`, fetched), 1.1, "`fetch` relay");
  for (const [size, goal] of [["1KB", 1.25], ["69KB", 0.9], ["500KB", 0.7]]) ratio(`workerd, ${size} translated`, of(crossed(`whole, ${size}`), worker), of(`whole, ${size}`, wasm), goal, "raw wasm");
  for (const script of ["burst", "paced"]) ratio(`workerd, an event, ${script}, translated`, of(crossed(`300 events, ${script}`), worker), of(`300 events, ${script}`, chunks), 1.1, "chunks by hand");
  for (const dialect of dialects) {
    const event = (alone[`decoder ${dialect}, 300 events`] + alone[`encoder ${dialect}, 300 events`]) / 300 / 1000;
    say(`translation alone, an event, ${dialect} read and written`, "≤ 0.8 µs", `${event.toFixed(2)} µs`, event <= 0.8);
    const request = (alone[`lower ${dialect} 69 KB`] + alone[`raise ${dialect} 69 KB`]) / 1000;
    say(`translation alone, 69 KB, ${dialect} read and written`, "≤ 60 µs", `${request.toFixed(0)} µs`, request <= 60);
  }
  for (const name of [native, worker]) {
    const [small, large] = [of(crossed("whole, 500KB"), name), of("20 MB of pictures, claude → chat", name)];
    say(`growth from 500 KB to 20 MB, ${name}`, "linear: ≤ 42 ×", `${(large / small).toFixed(0)} ×`, large <= small * 42);
    const [few, many] = [of("10 events", name), of("100,000 events", name)];
    say(`growth from 10 to 100,000 events, ${name}`, "an event costs no more; flat memory", `${(many / few).toFixed(2)} × an event; ${growth[name].toFixed(0)} MB more`, many <= few && growth[name] < 20);
  }
  say("RSS natively after 64 connections", "≤ 20 MB", `${at64.toFixed(0)} MB`, at64 <= 20);
  say("bundle, gzipped", "≤ 600 KB", `${size.toFixed(0)} KB`, size <= 600);
  say("start, more than a Worker that does nothing", "≤ 50 ms", `${(started.worker - started.trivial).toFixed(0)} ms`, started.worker - started.trivial <= 50);
  return lines.join("\n");
}

function report({ rows, most }, size, started) {
  const ratio = (one, floorName) => {
    const base = one.scenario.replace(/, (?:claude|chat) → chat$/, "").replace(/^69KB, .*→.*/, "whole, 69KB").replace(/^300 events, .*→.*/, "300 events, burst");
    const floor = rows.find((other) => other.name === floorName && other.scenario === base);
    return floor ? (one.cpu / floor.cpu).toFixed(2) : "–";
  };
  const lines = [
    `Measured ${new Date().toISOString().slice(0, 10)} on ${cpus()[0].model.trim()}, ${cpus().length} cores, Linux; ${quick ? "one round, few requests" : "medians of 3 rounds"}${rows.some((one) => one.name === "LiteLLM") ? "; LiteLLM from PyPI, one process" : ""}.`,
    "",
    "CPU is a request's, or an event's where events are counted, in µs; latency is what the gateway adds at the median, and the whole at the 99th.",
    "",
    "| scenario | gateway | CPU µs | × relay | × Value or wasm floor | p50 added ms | p99 ms | RSS MB |",
    "|---|---|---|---|---|---|---|---|",
  ];
  for (const one of rows) {
    const isWorker = one.name.includes("orker");
    const [relay, value] = isWorker ? ["workerd, fetch relay", one.scenario.startsWith("300") ? "workerd, chunks by hand" : "workerd, serde_json in wasm"] : ["native relay of bytes", "native serde_json::Value"];
    lines.push(`| ${one.scenario} | ${one.name} | ${one.cpu.toFixed(1)} | ${ratio(one, relay)} | ${ratio(one, value)} | ${(one.p50 / 1000).toFixed(2)} | ${(one.p99 / 1000).toFixed(2)} | ${one.rss.toFixed(0)} |`);
  }
  lines.push("", `Bundle: ${size.toFixed(0)} KB gzipped. First answer after the start of workerd: ${started.worker.toFixed(0)} ms, of a Worker that does nothing ${started.trivial.toFixed(0)} ms.`);
  lines.push(`Most memory used in all of this: native ${most["any-api native"].toFixed(0)} MB, workerd with the Worker ${most["any-api Worker"].toFixed(0)} MB.`);
  return lines.join("\n");
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(async () => {
    if (process.platform !== "linux") throw new Failure("npm run bench reads processor time from /proc, which only Linux has");
    const since = performance.now();
    await build();
    const result = await measure();
    const started = await startUp();
    const size = bundleSize();
    const text = `${report(result, size, started)}\n\n### Goals\n\n${goals(result, size, started)}`;
    if (process.argv.includes("--write")) {
      const file = join(root, "docs", "performance.md");
      const [head, , tail] = read("docs", "performance.md").split(/<!-- (?:begin|end) of npm run bench -->\n/);
      writeFileSync(file, `${head}<!-- begin of npm run bench -->\n${text}\n<!-- end of npm run bench -->\n${tail}`);
      say("wrote docs/performance.md");
    } else console.log(`\n${text}`);
    say(`done in ${seconds(since)}; ${statSync(join(root, "build", "index_bg.wasm")).size} bytes of WebAssembly`);
  });
}
