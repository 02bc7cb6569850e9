// What must hold for a client's SDK and an upstream's dialect, written once for all pairs. The same suite runs without a
// gateway (an SDK against the scripted upstream's own dialect: upstream.test.mjs) and through one (pairs.test.mjs).
import assert from "node:assert/strict";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { clients } from "./clients.mjs";
import { CUT, HELLO, LOOKING, REFUSED, RETRY_AFTER, STORY, STRUCTURED, THOUGHT, USAGE } from "./upstream/scripts.mjs";

/** The upstream's models: for sampling parameters, and for opaque state, some dialects need another one. */
export const MODELS = {
  chat: { main: "deepseek-chat", sampling: "gpt-4.1", sealing: "openrouter" },
  responses: { main: "gpt-5.2", sampling: "gpt-4.1", sealing: "gpt-5.2" },
  claude: { main: "claude-sonnet-4-6", sampling: "claude-sonnet-4-6", sealing: "claude-sonnet-4-6", bound: "claude-opus-5-5" },
  gemini: { main: "gemini-3-pro-preview", sampling: "gemini-2.5-flash", sealing: "gemini-3-pro-preview" },
};

const SYSTEM = "You are terse. 你好.";
const WEATHER = {
  name: "get_weather",
  description: "The weather of a city",
  schema: {
    type: "object",
    properties: { city: { type: "string", description: "Its name" }, unit: { type: "string", enum: ["celsius", "fahrenheit"] } },
    required: ["city", "unit"],
    additionalProperties: false,
  },
};
const PING = { name: "ping", description: "Takes nothing", schema: { type: "object", properties: {}, additionalProperties: false } };
const ANSWER = {
  type: "object",
  properties: { city: { type: "string" }, degrees: { type: "integer" } },
  required: ["city", "degrees"],
  additionalProperties: false,
};
const PIXEL = { mime: "image/png", data: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=" };
const PIXEL_WORDS = `image/png of ${Buffer.from(PIXEL.data, "base64").length} bytes`;

/** How each dialect says that a certain tool must be called. */
const FORCED = {
  chat: { type: "function", function: { name: WEATHER.name } },
  responses: { type: "function", name: WEATHER.name },
  claude: { type: "tool", name: WEATHER.name },
  gemini: { mode: "ANY", allowedFunctionNames: [WEATHER.name] },
};

/** How each dialect says a low effort: Claude by a budget to whoever asked by one. */
const LOW = { chat: ["low"], responses: ["low"], claude: ["low", 1024], gemini: ["LOW"] };

/** Waits for a condition that another process brings about. */
async function until(condition, what, patience = 5000) {
  for (const deadline = performance.now() + patience; performance.now() < deadline; await sleep(10)) {
    if (condition()) return;
  }
  assert.fail(`${what}: not within ${patience} ms`);
}

/** The request that `send` makes through an SDK, without sending it. */
async function captured(send) {
  const real = globalThis.fetch;
  let seen;
  globalThis.fetch = async (input, init) => {
    seen = new Request(input, init);
    throw new Error("captured");
  };
  try {
    await send().catch(() => {});
  } finally {
    globalThis.fetch = real;
  }
  return { url: new URL(seen.url), headers: Object.fromEntries(seen.headers), body: await seen.text() };
}

/** Sends a request over a bare socket, so that it can end with a reset: workerd does not notice a mere FIN while it waits. */
function rawly({ url, headers, body }) {
  const socket = connect(Number(url.port), url.hostname);
  const lines = [`POST ${url.pathname}${url.search} HTTP/1.1`, `host: ${url.host}`, `content-length: ${Buffer.byteLength(body)}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  let got = "";
  socket.on("data", (data) => (got += data));
  socket.on("error", () => {});
  socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
  return { got: () => got, reset: () => socket.resetAndDestroy() };
}

/**
 * All tests of a pair. `world()` gives, once the tests run, `upstream`, `connection(client)` with the SDK's `base` and `key`,
 * and `model(dialect, kind)`, the name by which the client asks for a model. `direct`: there is no gateway between.
 */
export function pair(clientName, dialect, world, { direct = false } = {}) {
  const relayed = clientName === dialect;
  const make = (options) => clients[clientName]({ ...world().connection(clientName), ...options });
  const modelOf = (kind = "main") => world().model(dialect, kind);
  const talk = (settings = {}, options) => make(options).talk({ ...settings, model: modelOf(settings.kind) });
  const last = () => world().upstream.last();
  /** Thinking with little effort, to be shown. OpenAI's Chat has no word for the latter; its relatives have. */
  const thinking = clientName === "chat" && !relayed ? { body: { reasoning: { effort: "low", exclude: false } } } : { effort: "low" };

  /** The same test whole and streamed. */
  const both = (name, body) => {
    test(`${name}, whole`, () => body({ stream: false }));
    test(`${name}, streamed`, () => body({ stream: true }));
  };
  /** The error that a request fails with. */
  const failing = async (client, request) => {
    const error = await request.then((answer) => assert.fail(`it succeeded: ${JSON.stringify(answer.raw)}`), (error) => error);
    if (error instanceof assert.AssertionError) throw error;
    return client.failure(error);
  };
  const usage = (reasoning) => {
    const { input, cached, written, output } = USAGE;
    return { input, cached, output, reasoning, ...(clientName === "gemini" ? {} : { written: dialect === "gemini" ? 0 : written }) };
  };
  /** Counts that say nothing are nothing. */
  const counted = ({ written, ...counts }) => ({ ...counts, reasoning: counts.reasoning ?? 0, ...(clientName === "gemini" ? {} : { written: written ?? 0 }) });

  describe(`${clientName} → ${dialect}`, () => {
    let from;
    let expected;
    beforeEach(() => {
      from = world().upstream.requests.length;
      expected = [];
    });
    // Whatever else a test looks at: the upstream never had a reason to complain.
    afterEach(() => assert.deepEqual(world().upstream.complaints(from), expected));

    both("text", async (options) => {
      const answer = await talk().say("hello", options);
      assert.equal(answer.text, HELLO);
      assert.equal(answer.finish, "end");
      assert.equal(answer.reasoning, "");
      assert.deepEqual(answer.calls, []);
      assert.deepEqual(counted(answer.usage), usage(0));
      assert.equal(answer.model, relayed ? MODELS[dialect].main : modelOf());
      assert.equal(last().heard.model, MODELS[dialect].main);
      assert.equal(last().heard.stream, options.stream);
    });

    test("a long stream arrives as it is made", async () => {
      const answer = await talk().say("tell me a long story", { stream: true });
      assert.equal(answer.text, STORY);
      assert.equal(answer.pieces.map((piece) => piece.text).join(""), STORY);
      assert.ok(answer.pieces.length > 5, `only ${answer.pieces.length} pieces`);
      assert.ok(answer.pieces[0].at < last().wroteAt, "the first piece came when the upstream had finished");
    });

    test("a stream cut into pieces of seven bytes", async () => {
      const answer = await talk(thinking).say("think, then be shredded", { stream: true });
      assert.equal(answer.text, STORY);
      assert.equal(answer.reasoning, THOUGHT);
      assert.equal(answer.finish, "end");
    });

    both("a conversation of several turns, with a system prompt", async (options) => {
      const conversation = talk({ system: SYSTEM, maxTokens: 500 });
      await conversation.say("hello", options);
      await conversation.say("hello again", options);
      const { system, turns, maxTokens } = last().heard;
      assert.equal(system.join("\n"), SYSTEM);
      assert.deepEqual(turns.map(({ role, texts }) => [role, texts.join("")]), [["user", "hello"], ["assistant", HELLO], ["user", "hello again"]]);
      assert.equal(maxTokens, 500);
    });

    test("an image", async () => {
      const answer = await talk().say([{ text: "What is this?" }, { image: PIXEL }]);
      assert.equal(answer.text, `I see ${PIXEL_WORDS}.`);
    });

    both("output by a JSON schema", async (options) => {
      const answer = await talk({ schema: ANSWER }).say("How warm is it?", options);
      assert.deepEqual(JSON.parse(answer.text), STRUCTURED);
      assert.deepEqual(last().heard.schema, ANSWER);
    });

    test("sampling", async () => {
      // Claude takes one of the two, and Responses no stop sequences.
      await talk({ kind: "sampling", temperature: 0.5 }).say("hello");
      assert.equal(last().heard.temperature, 0.5);
      await talk({ kind: "sampling", topP: 0.75 }).say("hello");
      assert.equal(last().heard.topP, 0.75);
      if (clientName === "responses" || dialect === "responses") return;
      await talk({ kind: "sampling", stop: ["END", "STOP"] }).say("hello");
      assert.deepEqual(last().heard.stop, ["END", "STOP"]);
    });

    both("a tool round trip", async (options) => {
      const conversation = talk({ tools: [WEATHER, PING] });
      const answer = await conversation.say("What is the weather in Paris?", options);
      assert.deepEqual(last().heard.tools.map(({ name, description }) => ({ name, description })), [WEATHER, PING].map(({ name, description }) => ({ name, description })));
      assert.deepEqual(last().heard.tools[0].schema, WEATHER.schema);
      assert.equal(answer.text, LOOKING);
      assert.equal(answer.finish, "calls");
      assert.deepEqual(answer.calls.map(({ name, args }) => ({ name, args })), [{ name: "get_weather", args: { city: "Paris", unit: "celsius" } }]);
      const final = await conversation.results([{ call: answer.calls[0], output: "21 degrees" }], options);
      assert.equal(final.text, "The tools said: 21 degrees.");
      assert.equal(final.finish, "end");
      const turn = last().heard.turns.at(-2);
      assert.equal(turn.texts.join(""), LOOKING);
      assert.deepEqual(turn.calls.map(({ name, args }) => ({ name, args })), answer.calls.map(({ name, args }) => ({ name, args })));
    });

    both("two calls at once", async (options) => {
      const conversation = talk({ tools: [WEATHER] });
      const { calls } = await conversation.say("What is the weather in Paris and Oslo?", options);
      assert.deepEqual(calls.map(({ args }) => args.city), ["Paris", "Oslo"]);
      // Some SDKs match by id, Google's by order; so all answer in order.
      const final = await conversation.results(calls.map((call) => ({ call, output: `fine in ${call.args.city}` })), options);
      assert.equal(final.text, "The tools said: fine in Paris; fine in Oslo.");
    });

    both("a call without arguments", async (options) => {
      const { calls, finish } = await talk({ tools: [PING] }).say("call it without arguments", options);
      assert.deepEqual(calls.map(({ name, args }) => ({ name, args })), [{ name: "ping", args: {} }]);
      assert.equal(finish, "calls");
    });

    test("a tool that must be called", async () => {
      await talk({ tools: [WEATHER, PING], choice: WEATHER.name }).say("What is the weather in Paris?");
      assert.deepEqual(last().heard.choice, FORCED[dialect]);
    });

    if (["claude", "gemini"].includes(clientName)) {
      test("a tool that failed", async () => {
        const conversation = talk({ tools: [WEATHER] });
        const { calls } = await conversation.say("What is the weather in Paris?");
        await conversation.results([{ call: calls[0], output: "no such city", error: true }]);
        const [result] = last().heard.turns.at(-1).results;
        // The other two have words only.
        if (["claude", "gemini"].includes(dialect)) assert.deepEqual([result.text, result.error], ["no such city", true]);
        else assert.match(result.text, /^Error\b.*no such city/s);
      });
    }

    both("reasoning", async (options) => {
      const answer = await talk(thinking).say("think", options);
      assert.ok(LOW[dialect].includes(last().heard.effort), `${last().heard.effort}`);
      assert.equal(answer.reasoning, THOUGHT);
      assert.equal(answer.text, HELLO);
      assert.deepEqual(counted(answer.usage), usage(USAGE.reasoning));
    });

    both("reasoning state comes back to who issued it", async (options) => {
      const conversation = talk({ kind: "sealing", ...thinking, tools: [WEATHER] });
      const answer = await conversation.say("think about the weather in Paris and Oslo", options);
      const issued = last().seals;
      assert.equal(issued.length, 1);
      assert.equal(answer.reasoning, THOUGHT);
      const final = await conversation.results(answer.calls.map((call) => ({ call, output: "rain" })), options);
      assert.equal(final.text, "The tools said: rain; rain.");
      assert.deepEqual(last().heard.turns.at(-2).seals, issued);
      // The next question, with all that behind it.
      await conversation.say("hello", options);
      assert.deepEqual(last().heard.turns.at(-4).seals, issued);
    });

    both("the answer runs into its limit", async (options) => {
      const answer = await talk({ maxTokens: 100 }).say("run out", options);
      assert.deepEqual([answer.finish, answer.text], ["length", CUT]);
    });

    both("the answer is filtered", async (options) => {
      const answer = await talk().say("something forbidden", options);
      assert.equal(answer.finish, "filter");
    });

    for (const [status, kind] of [[400, "bad request"], [401, "authentication"], [404, "not found"], [429, "rate limit"], [500, "server"], [529, "server"]]) {
      both(`the upstream refuses: ${status}`, async (options) => {
        const client = make();
        const failure = await failing(client, client.talk({ model: modelOf() }).say(`status ${status}`, options));
        assert.equal(failure.kind, kind, failure.message);
        // An overloaded server is 529 to Anthropic alone.
        assert.ok(status === 529 ? [503, 529].includes(failure.status) : failure.status === status, `${failure.status}`);
        assert.ok(failure.message.includes(REFUSED), failure.message);
        if (status === 429) assert.equal(failure.retryAfter, RETRY_AFTER);
      });
    }

    both("the upstream breaks off", async (options) => {
      const client = make();
      await failing(client, client.talk({ model: modelOf() }).say("break off", options));
    });

    test("the upstream fails in the middle of a stream", async () => {
      const client = make();
      const failure = await failing(client, client.talk({ model: modelOf() }).say("fail midway", { stream: true }));
      assert.ok(failure.message.includes(REFUSED), failure.message);
    });

    if (!direct) {
      both("the upstream answers HTML", async (options) => {
        const client = make();
        const failure = await failing(client, client.talk({ model: modelOf() }).say("answer html", options));
        assert.deepEqual([failure.kind, failure.status], ["server", 502], failure.message);
      });

      both("the upstream answers nothing", async (options) => {
        // The relay passes on what comes, and Google's SDK takes a stream of nothing for an answer.
        if (relayed && clientName === "gemini" && options.stream) return;
        const client = make();
        await failing(client, client.talk({ model: modelOf() }).say("answer nothing", options));
      });

      if (!relayed) {
        test("the upstream says 200 and an error", async () => {
          const client = make();
          const failure = await failing(client, client.talk({ model: modelOf() }).say("fail midway"));
          assert.equal(failure.kind, "server", failure.message);
          assert.ok(failure.message.includes(REFUSED), failure.message);
        });
      }
    }

    test("the client leaves in the middle of a stream", async () => {
      const controller = new AbortController();
      let pieces = 0;
      const run = talk().say("drip", { stream: true, signal: controller.signal, onText: () => ++pieces === 3 && controller.abort() });
      await assert.rejects(run);
      const record = last();
      await until(() => record.left, "the upstream's connection is closed");
    });

    for (const [words, stream, when] of [["hang", false, "before the answer begins"], ["stall", true, "in a silent stream"]]) {
      test(`the client leaves ${when}`, async () => {
        const request = await captured(() => talk().say(words, { stream }));
        const socket = rawly(request);
        await until(() => last()?.heard && world().upstream.requests.length > from, "the upstream is asked");
        if (stream) await until(() => socket.got().includes("middle"), "the client has a piece");
        const record = last();
        socket.reset();
        await until(() => record.left, "the upstream's connection is closed");
      });
    }
  });
}
