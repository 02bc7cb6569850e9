// Large bodies, several at once: each passes or is refused with words that say so, and nothing else that is under way suffers.
// And long streams, which take no more room than short ones.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { suite, test } from "node:test";
import { KEY, hostsOr, setStage, startGateway } from "./gateway.mjs";
import { HELLO, STORY } from "./upstream/scripts.mjs";

const LARGE = 18 << 20;
const AT_ONCE = 10;
const EVENTS = 100_000;

/** An upstream of Chat Completions that says one word again and again, as fast as it is listened to. */
async function startTalker() {
  const chunk = (delta, reason = null) => `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`;
  const server = createServer(async (request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(chunk({ role: "assistant", content: "" }));
    const words = chunk({ content: "word " }).repeat(100);
    for (let said = 0; said < EVENTS; said += 100) {
      if (!response.write(words)) await new Promise((resolve) => response.once("drain", resolve));
    }
    response.end(`${chunk({}, "stop")}data: [DONE]\n\n`);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve)));
  return { provider: { type: "openai-chat-completions", baseURL: `http://127.0.0.1:${server.address().port}/v1`, apiKey: "key", models: { main: { upstreamModel: "m" } } }, stop };
}

/** How much an upstream says of which the client hears no end, and to how many clients. */
const SHOUT = 4 << 20;
const LEAVING = 40;

/** An upstream of Chat Completions that says much, and then nothing more. */
async function startShouter() {
  const chunk = (delta) => `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`;
  const all = chunk({ content: "w".repeat(1 << 20) }).repeat(SHOUT >> 20);
  const gone = [];
  const server = createServer((request, response) => {
    request.resume();
    gone.push(new Promise((resolve) => response.on("close", resolve)));
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(all);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve)));
  return { provider: { type: "openai-chat-completions", baseURL: `http://127.0.0.1:${server.address().port}/v1`, apiKey: "key", models: { main: { upstreamModel: "m" } } }, gone: () => Promise.all(gone), stop };
}

/** What a process uses now, in megabytes; only Linux tells. */
const used = (pid) => (process.platform === "linux" ? read(pid) : 0);
const read = (pid) => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;

for (const host of hostsOr("workerd", "native")) {
  suite(`memory, ${host}`, () => {
    const stage = setStage(host);

    const ask = (text, more = {}) =>
      fetch(`${stage.gateway.base("claude")}/v1/messages`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-api-key": KEY, "anthropic-version": "2023-06-01" },
        body: JSON.stringify({ model: "chat.main", max_tokens: 99, messages: [{ role: "user", content: text }], ...more }),
      });

    test(`${AT_ONCE} bodies of ${LARGE >> 20} MB at once, beside a stream and a small request`, async () => {
      const story = ask("a long story", { stream: true }).then((response) => response.text());
      const large = Array.from({ length: AT_ONCE }, () => ask(`${"x".repeat(LARGE)} hello`));
      const small = ask("hello").then((response) => response.json());
      const answers = await Promise.all(large.map(async (answer) => [(await answer).status, (await answer).headers.get("retry-after"), await (await answer).json()]));
      for (const [status, retryAfter, body] of answers) {
        if (status === 200) {
          assert.equal(body.content[0].text, HELLO);
          continue;
        }
        assert.equal(host, "workerd", `${status}: ${JSON.stringify(body)}`);
        assert.equal(status, 529, JSON.stringify(body));
        assert.match(body.error.message, /no room/);
        assert.equal(retryAfter, "1");
      }
      assert.ok(answers.some(([status]) => status === 200), "none passes");
      assert.equal((await small).content[0].text, HELLO);
      const told = [...(await story).matchAll(/"text_delta","text":"([^"]*)"/g)].map(([, text]) => text).join("");
      assert.equal(told, STORY);
      // Room is given back.
      assert.equal((await ask(`${"x".repeat(LARGE)} hello`)).status, 200);
    });

    test("a body for which there is never room", async () => {
      const [room, size] = host === "workerd" ? [40 << 20, 41 << 20] : [100 << 20, 101 << 20];
      const response = await ask("x".repeat(size));
      assert.equal(response.status, 413);
      assert.match((await response.json()).error.message, new RegExp(`larger than ${room} bytes`));
    });
  });

  // A gateway of its own: the process of the other is large already.
  test(`a stream of ${EVENTS} events, ${host}`, async () => {
    const talker = await startTalker();
    const gateway = await startGateway(host, { config: { version: 1, providers: { talker: talker.provider } } });
    try {
      const response = await fetch(`${gateway.base("claude")}/v1/messages`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-api-key": KEY, "anthropic-version": "2023-06-01" },
        body: JSON.stringify({ model: "talker.main", max_tokens: 99, stream: true, messages: [{ role: "user", content: "hello" }] }),
      });
      const decoder = new TextDecoder();
      const word = '"text_delta"';
      let [told, rest, early] = [0, "", undefined];
      for await (const chunk of response.body) {
        const text = rest + decoder.decode(chunk, { stream: true });
        told += text.split(word).length - 1;
        // A word may be cut between two chunks.
        rest = text.slice(1 - word.length);
        if (told > EVENTS / 5) early ??= used(gateway.pid);
      }
      assert.equal(told, EVENTS);
      const grown = used(gateway.pid) - early;
      assert.ok(grown < 24, `it grew by ${grown.toFixed(0)} MB after the first fifth`);
    } finally {
      await gateway.stop();
      await talker.stop();
    }
  });

  // Natively a request is dropped with its connection. The Worker has to hear of it.
  if (host === "native") continue;
  test(`${LEAVING} clients that leave in mid-stream, ${host}`, { timeout: 120_000 }, async () => {
    const shouter = await startShouter();
    const gateway = await startGateway(host, { config: { version: 1, providers: { shouter: shouter.provider } } });
    // The encoder of Responses keeps the text, which its end repeats.
    const leave = () =>
      new Promise((resolve, reject) => {
        const body = JSON.stringify({ model: "shouter.main", stream: true, input: "Hi" });
        const headers = { "content-type": "application/json", authorization: `Bearer ${KEY}` };
        const asked = request(`${gateway.base("responses")}/responses`, { method: "POST", headers }, (answer) => {
          let heard = 0;
          answer.on("error", () => {});
          answer.on("data", (data) => {
            heard += data.length;
            if (heard >= SHOUT) answer.socket.resetAndDestroy();
          });
          answer.on("close", resolve);
        });
        asked.on("error", reject).end(body);
      });
    try {
      for (let left = 0; left < 10; left += 1) await leave();
      const before = used(gateway.pid);
      for (let left = 0; left < LEAVING; left += 1) await leave();
      // The upstream is told, each time.
      await shouter.gone();
      const grown = used(gateway.pid) - before;
      assert.ok(grown < (LEAVING * SHOUT) / 2 / (1 << 20), `${host} grew by ${grown.toFixed(0)} MB`);
    } finally {
      await gateway.stop();
      await shouter.stop();
    }
  });
}
