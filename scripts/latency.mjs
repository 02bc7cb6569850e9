// node scripts/latency.mjs [RUNS]
//
// What the gateway adds to the first word of a stream: from the moment an upstream writes it to the moment the client has it, in
// the built Worker in workerd (npm run build) and natively, converted (a Chat client of a Claude upstream) next to relayed (a
// Claude client), in turns, so that the machine's moods are the same for both. The direct way, without a gateway, is the
// measure of the measurement itself.
import { createServer, request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { startNative } from "./native.mjs";
import { main, say } from "./setup.mjs";
import { startWorkerd } from "./workerd.mjs";

const KEY = "key-of-the-measurement";
const WARM_UP = 20;
/** How long the upstream thinks between its headers and its first word, in milliseconds: the client waits for a word, not for a head. */
const THOUGHT_MS = 20;

const event = (type, data) => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
const usage = { input_tokens: 12, output_tokens: 1 };
const message = { id: "msg_1", type: "message", role: "assistant", model: "m", content: [], stop_reason: null, stop_sequence: null, usage };
const BEGIN = event("message_start", { message });
const WORD = event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }) + event("content_block_delta", { index: 0, delta: { type: "text_delta", text: "first-word" } });
const END =
  event("content_block_stop", { index: 0 }) + event("message_delta", { delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 5 } }) + event("message_stop", {});

/** An upstream that notes when it writes its first word. */
async function startUpstream() {
  const upstream = { wroteAt: 0 };
  const server = createServer(async (request, response) => {
    request.resume();
    response.socket.setNoDelay(true);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(BEGIN);
    await sleep(THOUGHT_MS);
    upstream.wroteAt = performance.now();
    response.write(WORD);
    await sleep(THOUGHT_MS);
    response.end(END);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(upstream, { url: `http://127.0.0.1:${server.address().port}`, stop: () => (server.closeAllConnections(), server.close()) });
}

/** Asks once; gives the milliseconds between the upstream's first word and the client's. */
function once(upstream, url, path) {
  const body = JSON.stringify({ model: "p.m", max_tokens: 64, stream: true, messages: [{ role: "user", content: "Hi" }] });
  return new Promise((resolve, reject) => {
    const request = httpRequest(url + path, { method: "POST", headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" } }, (response) => {
      let got = "";
      let took;
      response.on("data", (data) => {
        got += data;
        if (took === undefined && got.includes("first-word")) took = performance.now() - upstream.wroteAt;
      });
      response.on("end", () => (took === undefined ? reject(new Error(`no first word: ${response.statusCode} ${got}`)) : resolve(took)));
    });
    request.on("error", reject);
    request.end(body);
  });
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
const row = (name, times) => {
  const sorted = times.toSorted((one, other) => one - other);
  return `${name.padEnd(20)} median ${at(sorted, 0.5).toFixed(2)} ms   90 % ${at(sorted, 0.9).toFixed(2)} ms   worst ${at(sorted, 1).toFixed(2)} ms`;
};

main(async () => {
  const runs = Number(process.argv[2] ?? 100);
  const upstream = await startUpstream();
  const provider = { type: "claude", baseURL: upstream.url, apiKey: "upstream-key", models: { m: {} } };
  const vars = { WORKER_AUTH_KEY: KEY, ANY_API_CONFIG: JSON.stringify({ version: 1, providers: { p: provider } }) };
  const ways = [
    ["converted", "/v1/chat/completions"],
    ["relayed", "/claude/v1/messages"],
  ];
  say(`from the upstream's first word to the client's, ${runs} times each`);
  for (const [host, start] of [
    ["workerd", () => startWorkerd({ vars })],
    ["native", () => startNative({ vars, release: true })],
  ]) {
    if (process.env.GATEWAY && !process.env.GATEWAY.split(",").includes(host)) continue;
    const gateway = await start();
    const times = { direct: [], converted: [], relayed: [] };
    for (let run = -WARM_UP; run < runs; run++) {
      for (const [way, path] of ways) {
        const took = await once(upstream, gateway.url, path);
        if (run >= 0) times[way].push(took);
      }
      const direct = await once(upstream, upstream.url, "/v1/messages");
      if (run >= 0) times.direct.push(direct);
    }
    for (const [way, list] of Object.entries(times)) console.log(row(`${host}, ${way}`, list));
    await gateway.stop();
  }
  upstream.stop();
});
