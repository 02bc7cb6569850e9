// Conversations that the gateway keeps: `previous_response_id` on every upstream, through OpenAI's SDK and over restarts. The
// strict upstream says whether its own signatures came back; SQLite natively, a local KV namespace for the Worker.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import OpenAI from "openai";
import { everyProvider, hostsOr, KEY, provider, startGateway } from "./gateway.mjs";
import { CUT, HELLO, LOOKING } from "./upstream/scripts.mjs";
import { CLIENT_KEY, startUpstream } from "./upstream.mjs";

const OTHER_KEY = `${CLIENT_KEY}-of-somebody-else`;

const WEATHER = {
  type: "function",
  name: "get_weather",
  description: "The weather of a city",
  parameters: { type: "object", properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius"] } }, required: ["city", "unit"], additionalProperties: false },
  strict: false,
};

/** The providers that keep nothing themselves, one a dialect. */
const PROVIDERS = { chat: "chat", responses: "relay", claude: "claude", gemini: "gemini" };

for (const host of hostsOr("workerd", "native")) {
  describe(`conversations, ${host}`, () => {
    let upstream;
    let gateway;
    let folder;
    const start = async () => {
      const store = { ttlSeconds: 3600, maxBytes: 100_000, ...(host === "native" ? { path: join(folder, "store.sqlite") } : {}) };
      const providers = { ...everyProvider(upstream), relay: provider(upstream, "responses", { quirks: { noPreviousResponseId: true } }) };
      const vars = { WORKER_AUTH_KEYS: `${KEY},${OTHER_KEY}` };
      gateway = await startGateway(host, { config: { version: 1, store, providers }, vars, folder });
    };
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), "any-api-kept-"));
      upstream = await startUpstream();
      await start();
    });
    after(async () => {
      await gateway?.stop();
      await upstream.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    let from;
    beforeEach(() => (from = upstream.requests.length));
    afterEach(() => assert.deepEqual(upstream.complaints(from), []));
    const sdk = (key = KEY) => new OpenAI({ baseURL: `${gateway.url}/openai/v1`, apiKey: key, maxRetries: 0 });
    const heard = () => upstream.last().heard;
    const said = () => heard().turns.map(({ role, texts }) => `${role}: ${texts.join("")}`);
    /** Makes an answer, whole or streamed. */
    const make = async ({ stream, key, ...request }) => {
      if (!stream) return sdk(key).responses.create(request);
      return sdk(key).responses.stream(request).finalResponse();
    };
    const refusal = async (promise) => {
      const error = await promise.then((answer) => assert.fail(JSON.stringify(answer)), (error) => error);
      if (error instanceof assert.AssertionError) throw error;
      const { status, code, param, type } = error;
      return { status, code, param, type };
    };
    const NOT_FOUND = { status: 400, code: "previous_response_not_found", param: "previous_response_id", type: "invalid_request_error" };
    const GONE = { status: 404, code: "response_not_found", param: null, type: "invalid_request_error" };

    for (const [dialect, id] of Object.entries(PROVIDERS)) {
      for (const stream of [false, true]) {
        test(`thoughts, parallel calls and their results, ${dialect}, ${stream ? "streamed" : "whole"}`, async () => {
          const model = `${id}.sealing`;
          const reasoning = { effort: "low", summary: "auto" };
          const first = await make({ model, stream, reasoning, tools: [WEATHER], input: "think about the weather in Paris and Oslo" });
          assert.match(first.id, /^resp_any_[0-9a-z]{25}$/);
          const issued = upstream.last().seals;
          assert.equal(issued.length, 1);
          const calls = first.output.filter((item) => item.type === "function_call");
          const outputs = calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "rain" }));
          const second = await make({ model, stream, reasoning, tools: [WEATHER], previous_response_id: first.id, input: outputs });
          assert.equal(second.output_text, "The tools said: rain; rain.");
          assert.equal(second.previous_response_id, first.id);
          // The upstream's own state came back to it, where it stood.
          assert.deepEqual(heard().turns.at(-2).seals, issued);
          assert.equal(heard().turns.at(-2).texts.join(""), LOOKING);
          const third = await make({ model, stream, reasoning, tools: [WEATHER], previous_response_id: second.id, input: "hello" });
          assert.equal(third.output_text, HELLO);
          assert.deepEqual(heard().turns.at(-4).seals, issued);
          assert.equal(heard().turns.length, 5);
        });
      }
    }

    test("another upstream goes on from the first's", async () => {
      let previous;
      const order = Object.values(PROVIDERS);
      for (const id of [...order, ...order.toReversed()]) {
        const answer = await make({ model: `${id}.sealing`, reasoning: { effort: "low" }, previous_response_id: previous, input: "think again" });
        previous = answer.id;
      }
      assert.equal(said().length, 2 * 8 - 1);
    });

    test("one that keeps its own takes a conversation over", async () => {
      const first = await make({ model: "claude.main", input: "hello" });
      await make({ model: "responses.main", previous_response_id: first.id, input: "hello again" });
      assert.deepEqual(said(), ["user: hello", `assistant: ${HELLO}`, "user: hello again"]);
    });

    test("a restart forgets nothing", async () => {
      const whole = await make({ model: "claude.main", input: "hello" });
      const streamed = await make({ model: "gemini.main", stream: true, previous_response_id: whole.id, input: "hello again" });
      await gateway.stop();
      await start();
      await make({ model: "chat.main", previous_response_id: streamed.id, input: "and again" });
      assert.deepEqual(said(), ["user: hello", `assistant: ${HELLO}`, "user: hello again", `assistant: ${HELLO}`, "user: and again"]);
      const kept = await sdk().responses.retrieve(whole.id);
      const events = [];
      for await (const event of await sdk().responses.retrieve(whole.id, { stream: true })) events.push(event);
      assert.deepEqual(events.map((event) => event.sequence_number), [...events.keys()]);
      assert.deepEqual(events.at(-1).response.output, kept.output);
      assert.equal(events.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta).join(""), kept.output_text);
      assert.deepEqual([kept.id, kept.status, kept.output_text, kept.model], [whole.id, "completed", HELLO, "claude.main"]);
      if (host === "native") assert.equal(statSync(join(folder, "store.sqlite")).mode & 0o77, 0);
    });

    test("a key sees its own alone", async () => {
      const { id } = await make({ model: "claude.main", input: "a secret" });
      const other = { model: "claude.main", key: OTHER_KEY };
      assert.deepEqual(await refusal(make({ ...other, previous_response_id: id, input: "What did they say?" })), NOT_FOUND);
      assert.deepEqual(await refusal(make({ ...other, stream: true, previous_response_id: id, input: "What did they say?" })), NOT_FOUND);
      const { responses } = sdk(OTHER_KEY);
      assert.deepEqual(await refusal(responses.retrieve(id)), GONE);
      assert.deepEqual(await refusal(responses.inputItems.list(id)), GONE);
      assert.deepEqual(await refusal(responses.delete(id)), GONE);
      const named = [{ type: "item_reference", id: id.replace("resp_", "msg_") + "_1" }, { role: "user", content: "What was it?" }];
      assert.equal((await refusal(make({ ...other, input: named }))).code, "server-state-unsupported");
      assert.equal((await sdk().responses.retrieve(id)).id, id);
    });

    test("what led to an answer is listed in pages", async () => {
      const first = await make({ model: "claude.main", input: "hello" });
      const second = await make({ model: "claude.main", previous_response_id: first.id, input: [{ role: "user", content: [{ type: "input_text", text: "one" }] }, { role: "user", content: "two" }] });
      const { responses } = sdk();
      const all = [];
      for await (const item of responses.inputItems.list(second.id, { limit: 1, order: "asc" })) all.push(item);
      assert.deepEqual(all.map(({ role, content }) => [role, content[0].type, content[0].text]), [
        ["user", "input_text", "hello"],
        ["assistant", "output_text", HELLO],
        ["user", "input_text", "one"],
        ["user", "input_text", "two"],
      ]);
      assert.equal(new Set(all.map(({ id }) => id)).size, 4);
      const newest = await responses.inputItems.list(second.id, { limit: 2 });
      assert.deepEqual([newest.data.map((item) => item.content[0].text), newest.has_more], [["two", "one"], true]);
    });

    test("an answer is forgotten", async () => {
      const first = await make({ model: "claude.main", input: "hello" });
      const second = await make({ model: "claude.main", previous_response_id: first.id, input: "hello again" });
      await sdk().responses.delete(first.id);
      assert.deepEqual(await refusal(sdk().responses.retrieve(first.id)), GONE);
      assert.deepEqual(await refusal(sdk().responses.delete(first.id)), GONE);
      assert.deepEqual(await refusal(make({ model: "claude.main", previous_response_id: first.id, input: "x" })), NOT_FOUND);
      // The second has all of its conversation itself.
      await make({ model: "claude.main", previous_response_id: second.id, input: "and again" });
      assert.equal(said().length, 5);
    });

    test("items are named instead of sent", async () => {
      const first = await make({ model: "claude.sealing", reasoning: { effort: "low" }, tools: [WEATHER], input: "think about the weather in Paris" });
      const issued = upstream.last().seals;
      const named = first.output.map(({ id }) => ({ type: "item_reference", id }));
      const [{ call_id }] = first.output.filter((item) => item.type === "function_call");
      await make({ model: "claude.sealing", reasoning: { effort: "low" }, tools: [WEATHER], input: [{ role: "user", content: "think about the weather in Paris" }, ...named, { type: "function_call_output", call_id, output: "rain" }] });
      assert.deepEqual(heard().turns.at(-2).seals, issued);
    });

    test("nothing is kept of what the client does not want kept, of what failed, and of what is too large", async () => {
      const silent = await make({ model: "claude.main", store: false, input: "hello" });
      assert.deepEqual(await refusal(sdk().responses.retrieve(silent.id)), GONE);
      const large = await make({ model: "claude.main", input: "x".repeat(100_000) });
      assert.deepEqual(await refusal(sdk().responses.retrieve(large.id)), GONE);
      for (const words of ["break off", "fail midway"]) {
        let id;
        const run = async () => {
          for await (const event of await sdk().responses.create({ model: "claude.main", stream: true, input: words })) {
            id ??= event.response?.id;
            if (event.type === "response.failed") break;
          }
        };
        await run().catch(() => {});
        assert.match(id, /^resp_any_/);
        assert.deepEqual(await refusal(sdk().responses.retrieve(id)), GONE);
      }
      // One that ran into its limit did end.
      const cut = await make({ model: "claude.main", input: "run out" });
      const kept = await sdk().responses.retrieve(cut.id);
      assert.deepEqual([kept.status, kept.output_text], ["incomplete", CUT]);
    });

    test("ids that nobody gave", async () => {
      for (const id of ["resp_1", `resp_any_${"0".repeat(25)}`, "../../etc/passwd", "x".repeat(2000)]) {
        assert.deepEqual(await refusal(make({ model: "chat.main", previous_response_id: id, input: "x" })), NOT_FOUND);
        assert.deepEqual(await refusal(sdk().responses.retrieve(encodeURIComponent(id))), GONE);
      }
    });
  });
}
