// Every fault of an upstream (faults.mjs), for every pair of dialects, whole and streamed, on both hosts: the client gets what
// docs/errors.md says, in its own dialect; nothing hangs, nothing is made up; and the gateway goes on serving.
// BLESS=1 writes the table of that page anew.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, startNative } from "../../scripts/native.mjs";
import { root } from "../../scripts/setup.mjs";
import { startWorkerd } from "../../scripts/workerd.mjs";
import { FAULTS, RETRY_AFTER, TEXT, TYPES, bytesOf, expected, names, possible, startFaulty } from "./faults.mjs";

const KEY = "key-of-the-tests";
const hosts = process.env.GATEWAY?.split(",") ?? ["workerd", "native"];
/** Who waits longer than this hangs; the relay of a body that stands still is given up earlier, by the client. */
const PATIENCE_MS = 30_000;
const RELAY_PATIENCE_MS = 6_000;
const TIMEOUTS = { connectMs: 2_000, firstByteMs: 4_000, idleMs: 2_000 };

/** The request of each client, for a model. */
const ask = {
  chat: (model, stream) => ["/v1/chat/completions", { model, stream, messages: [{ role: "user", content: "Hi" }] }],
  responses: (model, stream) => ["/openai/v1/responses", { model, stream, input: "Hi" }],
  claude: (model, stream) => ["/claude/v1/messages", { model, stream, max_tokens: 64, messages: [{ role: "user", content: "Hi" }] }],
  gemini: (model, stream) => [`/gemini/v1beta/models/${model}:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`, { contents: [{ role: "user", parts: [{ text: "Hi" }] }] }],
};

/** The text of a whole answer; `undefined` if it is none that is complete. */
const answerOf = {
  chat: ({ choices: [choice] = [] }) => (choice?.finish_reason === "stop" ? choice.message.content : undefined),
  responses: ({ status, output }) => (status === "completed" ? output?.[0]?.content?.[0]?.text : undefined),
  claude: ({ stop_reason: reason, content }) => (reason === "end_turn" ? content?.[0]?.text : undefined),
  gemini: ({ candidates: [candidate] = [] }) => (candidate?.finishReason === "STOP" ? candidate.content.parts[0].text : undefined),
};

/** What a stream says: its `text`, whether it `failed` in the dialect's words, whether it is `done`. */
const streamOf = {
  chat: (events) => ({
    text: events.map(({ data }) => data.choices?.[0]?.delta?.content ?? "").join(""),
    failed: events.some(({ data }) => data.error?.message && "type" in data.error),
    done: events.at(-1)?.data === "[DONE]" && events.some(({ data }) => data.choices?.[0]?.finish_reason === "stop"),
  }),
  responses: (events) => ({
    text: events.map(({ data }) => (data.type === "response.output_text.delta" ? data.delta : "")).join(""),
    failed: events.some(({ event, data }) => ["error", "response.failed"].includes(data.type) && event === data.type),
    done: events.at(-1)?.data.type === "response.completed",
  }),
  claude: (events) => ({
    text: events.map(({ data }) => (data.delta?.type === "text_delta" ? data.delta.text : "")).join(""),
    failed: events.some(({ event, data }) => event === "error" && data.type === "error" && /_error$/.test(data.error.type) && data.error.message),
    done: events.at(-1)?.event === "message_stop" && events.some(({ data }) => data.delta?.stop_reason === "end_turn"),
  }),
  gemini: (events) => ({
    text: events.map(({ data }) => data.candidates?.[0]?.content?.parts?.[0]?.text ?? "").join(""),
    failed: events.some(({ data }) => Number.isInteger(data.error?.code) && data.error.status),
    done: events.at(-1)?.data.candidates?.[0]?.finishReason === "STOP",
  }),
};

/** Whether a body is the error of a dialect. */
const isError = {
  chat: ({ error }) => Boolean(error?.message && error.type && "code" in error && "param" in error),
  responses: (body) => isError.chat(body),
  claude: ({ type, error }) => type === "error" && /_error$/.test(error?.type) && Boolean(error.message),
  gemini: ({ error }, status) => error?.code === status && /^[A-Z_]+$/.test(error.status) && Boolean(error.message),
};

const eventsOf = (text) =>
  text
    .replaceAll("\r\n", "\n")
    .split("\n\n")
    .map((block) => block.split("\n").filter((line) => !line.startsWith(":")))
    .filter((lines) => lines.some((line) => line.startsWith("data:")))
    .map((lines) => {
      const of = (field) => lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).trimStart()).join("\n");
      const data = of("data");
      return { event: of("event"), data: data === "[DONE]" ? data : JSON.parse(data) };
    });

/** What a client got, in the words of faults.mjs. */
async function outcome(gateway, client, model, { stream, fault, relay }) {
  const [path, body] = ask[client](model, stream);
  const signal = AbortSignal.timeout(relay && fault.patient ? RELAY_PATIENCE_MS : PATIENCE_MS);
  let response;
  let text = "";
  try {
    response = await fetch(gateway.url + path, { method: "POST", redirect: "manual", signal, headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" }, body: JSON.stringify(body) });
    for await (const bytes of response.body.pipeThrough(new TextDecoderStream())) text += bytes;
  } catch (error) {
    if (!signal.aborted) return response?.ok ? "broken" : `no answer: ${error.cause ?? error}`;
    // Whoever hands bytes on hands on their absence.
    return relay && fault.patient ? "open" : "hangs";
  }
  const media = response.headers.get("content-type") ?? "";
  if (response.status !== 200) {
    if (!media.startsWith("application/json") || !isError[client](JSON.parse(text), response.status)) return `${response.status} and no error of ${client}: ${text}`;
    if (fault.retryAfter && response.headers.get("retry-after") !== RETRY_AFTER) return `${response.status} without retry-after`;
    return String(response.status);
  }
  const wanted = fault.text ?? TEXT;
  if (!stream) {
    if (!media.startsWith("text/event-stream") && text && answerOf[client](JSON.parse(text)) === wanted) return "answer";
  } else if (!text.startsWith("{")) {
    const { text: said, failed, done } = streamOf[client](eventsOf(text));
    if (failed && done) return `both an end and an error: ${text}`;
    if (failed) return wanted.startsWith(said) || said === "Hel" ? "error event" : `an error event, after ${said}`;
    if (done) return said === wanted ? "answer" : `a made-up answer: ${said.slice(0, 99)}`;
  }
  return relay ? "as it came" : `200 and no answer: ${text.slice(0, 300)}`;
}

/**
 * Whether the relay hands on a body that cannot be decompressed byte for byte, and says what it is said to be. With Node's plain
 * HTTP client: its `fetch` now and then waits for ever on such a body.
 */
async function untouched(gateway, client, model, { stream }) {
  const [path, body] = ask[client](model, stream);
  const request = httpRequest(gateway.url + path, { method: "POST", headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" }, signal: AbortSignal.timeout(PATIENCE_MS) });
  request.end(JSON.stringify(body));
  const [response] = await once(request, "response");
  const bytes = Buffer.concat(await response.toArray());
  if (response.statusCode !== 200 || response.headers["content-encoding"] !== "gzip") return `${response.statusCode}, ${response.headers["content-encoding"]}`;
  return bytes.equals(bytesOf(client, stream)) ? "as it came" : `${bytes.length} other bytes`;
}

const fits = (got, wanted) => [wanted].flat().includes(got) || (wanted === "broken or open" && ["broken", "open"].includes(got));

async function start(host, upstream) {
  const dead = await freePort();
  const common = { apiKey: "upstream-key", timeouts: TIMEOUTS, models: { "*": {} } };
  const providers = Object.fromEntries(names.map((name) => [name, { type: TYPES[name], baseURL: upstream.url, ...common }]));
  const more = (suffix, settings) => Object.fromEntries(names.map((name) => [`${name}-${suffix}`, { ...providers[name], ...settings }]));
  const config = {
    version: 1,
    providers: {
      ...providers,
      ...more("dead", { baseURL: `http://127.0.0.1:${dead}` }),
      ...more("stream", { upstreamDelivery: "stream", headers: { "x-provider": "stream" } }),
      ...more("whole", { upstreamDelivery: "whole", headers: { "x-provider": "whole" } }),
      ...more("brief", { timeouts: { totalMs: 1_500 } }),
    },
  };
  const vars = { WORKER_AUTH_KEY: KEY, ANY_API_CONFIG: JSON.stringify(config) };
  const bundle = [join(root, "build", ...(process.env.ANY_API_BUILD === "dev" ? ["dev"] : []))].find((folder) => existsSync(folder));
  return host === "workerd" ? startWorkerd({ vars, bundle }) : startNative({ vars });
}

const seen = {};

for (const host of hosts) {
  describe(`faults, ${host}`, () => {
    let upstream;
    let gateway;
    before(async () => {
      upstream = await startFaulty();
      gateway = await start(host, upstream);
    });
    after(async () => {
      await gateway?.stop();
      await upstream.stop();
    });

    for (const [name, fault] of Object.entries(FAULTS).filter(([name]) => !process.env.FAULT || process.env.FAULT.split(",").includes(name))) {
      test(`${name}: ${fault.what}`, async () => {
        const wrong = [];
        const one = async (client, dialect, stream) => {
          const relay = client === dialect;
          if (!possible(fault, stream) || (name === "json" && !stream)) return;
          const wanted = expected(fault, { stream, relay });
          const model = `${dialect}${fault.answer ? "" : "-dead"}.${name}`;
          const got = await (relay && fault.poison ? untouched : outcome)(gateway, client, model, { stream, fault, relay });
          ((seen[host] ??= {})[name] ??= new Set()).add(`${stream ? "streamed" : "whole"}${relay ? ", relay" : ""}: ${got}`);
          if (!fits(got, wanted)) wrong.push(`${client} → ${dialect}, ${stream ? "streamed" : "whole"}: ${got}, not ${wanted}`);
        };
        const all = names.flatMap((client) => names.flatMap((dialect) => [false, true].map((stream) => () => one(client, dialect, stream))));
        // Those that need much of the processor would be too late for their own time limits if they came at once.
        if (fault.heavy) for (const each of all) await each();
        else await Promise.all(all.map((each) => each()));
        assert.deepEqual(wrong, []);
        assert.equal(await outcome(gateway, "chat", "claude.fine", { stream: true, fault: FAULTS.fine, relay: false }), "answer", "the next request");
      });
    }

    for (const delivery of ["stream", "whole"]) {
      test(`upstreamDelivery: ${delivery}`, async () => {
        const wrong = [];
        const one = async (client, dialect, stream, fault, wanted) => {
          const got = await outcome(gateway, client, `${dialect}-${delivery}.${fault}`, { stream, fault: FAULTS[fault], relay: false });
          if (!fits(got, wanted)) wrong.push(`${client} → ${dialect}, ${stream ? "streamed" : "whole"}, ${fault}: ${got}`);
        };
        await Promise.all(names.flatMap((client) => names.flatMap((dialect) => [false, true].map((stream) => one(client, dialect, stream, "fine", "answer")))));
        const asked = upstream.asked.filter(({ head }) => head.includes(`x-provider: ${delivery}`));
        assert.deepEqual(wrong, []);
        assert.equal(asked.length, 32);
        assert.ok(asked.every(({ stream }) => stream === (delivery === "stream")), "the upstream was asked otherwise");
        // A whole answer that is collected from a stream fails as a whole one.
        const cut = delivery === "stream" ? "502" : undefined;
        if (cut) await Promise.all(names.map((client) => one(client, client, false, "unended", cut)));
        assert.deepEqual(wrong, []);
      });
    }

    test("totalMs", async () => {
      const ends = async (client, stream) => outcome(gateway, client, `claude-brief.${stream ? "stall" : "mute"}`, { stream, fault: FAULTS.stall, relay: false });
      const others = names.filter((name) => name !== "claude");
      const began = performance.now();
      assert.deepEqual(await Promise.all(others.map((client) => ends(client, true))), others.map(() => "error event"));
      assert.deepEqual(await Promise.all(others.map((client) => ends(client, false))), others.map(() => "504"));
      assert.ok(performance.now() - began < 10_000);
    });

    test("what was given up is cancelled at the upstream", async () => {
      // workerd on its own does not notice a client that merely closes its side while a relay stands still: that stays open.
      const open = () => upstream.open().filter((fault) => host !== "workerd" || !FAULTS[fault]?.patient);
      for (let waited = 0; open().length && waited < 5_000; waited += 50) await sleep(50);
      assert.deepEqual(open(), []);
    });
  });
}

const words = (value) => (value === undefined ? "–" : [value].flat().join(" or "));

test("docs/errors.md has the table", () => {
  const rows = Object.entries(FAULTS).map(([name, fault]) => {
    const cell = (stream, relay) => (possible(fault, stream) && !(name === "json" && !stream) ? words(expected(fault, { stream, relay })) : "–");
    return `| ${fault.what} | ${cell(false, false)} | ${cell(true, false)} | ${cell(false, true)} | ${cell(true, true)} |`;
  });
  const table = ["| the upstream | whole | streamed | relay, whole | relay, streamed |", "|---|---|---|---|---|", ...rows, ""].join("\n");
  const file = join(root, "docs", "errors.md");
  const page = readFileSync(file, "utf8");
  const made = page.replace(/(<!-- table -->\n)[^]*?(<!-- end -->)/, (_, from, to) => from + table + to);
  if (process.env.BLESS === "1") writeFileSync(file, made);
  else assert.equal(page, made, "BLESS=1 node --test tests/e2e/faults.test.mjs writes it");
  if (process.env.SHOW_FAULTS) console.log(JSON.stringify(seen, (_, value) => (value instanceof Set ? [...value].sort() : value), 1));
});
