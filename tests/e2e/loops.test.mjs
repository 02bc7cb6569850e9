// The SDKs' own loops, which call functions by themselves: chats of google-genai with automatic function calling, by both
// versions of its path, and Anthropic's tool runner, which first asks for a thread and does without when it is refused.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, stepCountIs, streamText } from "ai";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { hostsOr, setStage } from "./gateway.mjs";
import { startPython } from "./python.mjs";
import { losses } from "./scenarios/fidelity.mjs";
import { answerTo, DONE, PLAYS, TOOLS } from "./upstream/plays.mjs";
import { names } from "./upstream.mjs";

const pythons = { gemini: await startPython("google-genai", "loops.py"), claude: await startPython("anthropic", "loops.py") };
after(() => Promise.all(Object.values(pythons).map((python) => python.stop())));

/** What the play "loop" calls. */
const CALLED = [["list_files", "src"], ["read_file", "src/a.txt", 1], ["read_file", "src/b.txt", 2], ["screenshot"], ["run", "make"], ["run", "make -k"]];
const sorted = (called) => called.map((call) => call.join()).sort();

for (const host of hostsOr("workerd", "native")) {
  describe(`the SDKs' own loops, ${host}`, () => {
    const stage = setStage(host);
    for (const dialect of names) {
      const model = `${dialect}.${dialect === "claude" ? "bound" : "sealing"}`;
      const both = (title, body) => {
        for (const stream of [false, true]) test(`${title} → ${dialect}, ${stream ? "streamed" : "whole"}`, () => body(stream));
      };
      for (const version of ["v1", "v1beta"]) {
        both(`google-genai (Python) by ${version}`, async (stream) => {
          const from = stage.upstream.requests.length;
          const { base, key } = stage.gateway.connection("gemini");
          const told = await pythons.gemini.run({ sdk: "gemini", base, key, model, version, stream, prompt: "Please play loop." });
          assert.equal(told.failure, undefined);
          assert.equal(told.text, `Let me look around.Once more.${DONE}`.slice(stream ? 0 : -DONE.length));
          assert.deepEqual(sorted(told.called), sorted(CALLED));
          assert.ok(told.counted > 0);
          assert.deepEqual(stage.upstream.complaints(from), []);
        });
      }
      // Shells and patches, which are no functions in OpenAI's dialect: the AI SDK brings them, checks what comes back, and runs it.
      both("openai.tools of @ai-sdk/openai", async (stream) => {
        const from = stage.upstream.requests.length;
        const { base: baseURL, key: apiKey } = stage.gateway.connection("responses");
        const openai = createOpenAI({ baseURL, apiKey });
        const called = [];
        const request = {
          model: openai(`${dialect}.sealing`),
          prompt: "Please play hands.",
          tools: {
            shell: openai.tools.shell({ environment: { type: "local" }, execute: async ({ action }) => (called.push(action.commands), { output: [{ stdout: "Grüße", stderr: "", outcome: { type: "exit", exitCode: 3 } }] }) }),
            apply_patch: openai.tools.applyPatch({ execute: async ({ operation }) => (called.push(operation), { status: operation.diff ? "completed" : "failed", output: "patched" }) }),
            local_shell: openai.tools.localShell({ execute: async ({ action }) => (called.push(action.command), { output: "a.txt" }) }),
          },
          stopWhen: stepCountIs(8),
          maxRetries: 0,
          providerOptions: { openai: { store: false, reasoningEffort: "low", reasoningSummary: "auto", include: ["reasoning.encrypted_content"], forceReasoning: true } },
        };
        let failure;
        const result = stream ? streamText({ ...request, onError: ({ error }) => (failure = error) }) : await generateText(request);
        if (stream) await result.consumeStream();
        if (failure) throw failure;
        assert.equal(await result.text, DONE);
        assert.deepEqual(called, PLAYS.hands.flatMap((steps) => steps.flatMap(({ call }) => call ?? [])).map(({ args }) => args.commands ?? args.command ?? args));
        assert.deepEqual(stage.upstream.complaints(from), []);
        const records = stage.upstream.requests.slice(from);
        assert.deepEqual(losses(records, dialect, "ids"), []);
        const results = records.at(-1).heard.turns.flatMap((turn) => turn.results);
        assert.match(results[0].text, /Grüße[^]*exit_code[^]*3/);
        assert.deepEqual(results.slice(1).map(({ text }) => text.replace(/^\{"output":"(.*)"\}$/, "$1")), ["patched", "patched", "a.txt"].map((text, index) => (index === 1 && ["chat"].includes(dialect) ? `Error: ${text}` : text)));
      });
      const runner = (title, ask) =>
        both(title, async (stream) => {
          const from = stage.upstream.requests.length;
          const told = await ask({ ...stage.gateway.connection("claude"), stream });
          assert.equal(told.failure, undefined);
          assert.equal(told.text, DONE);
          assert.deepEqual(sorted(told.called), sorted(CALLED));
          // Through the relay the thread is Anthropic's to keep or to refuse; the scripted one refuses it.
          const records = stage.upstream.requests.slice(from).filter((record) => record.heard && !/count|input_tokens/i.test(record.path));
          assert.deepEqual(losses(records, dialect, "unthought"), []);
          if (dialect !== "claude") assert.deepEqual(stage.upstream.complaints(from), []);
        });
      runner("anthropic (Python), tool_runner", (options) => pythons.claude.run({ sdk: "claude", model, prompt: "Please play loop.", ...options }));
      runner("@anthropic-ai/sdk (Node), toolRunner", async ({ base, key, stream }) => {
        const sdk = new Anthropic({ baseURL: base, apiKey: key, authToken: null, maxRetries: 0, logLevel: "off" });
        const called = [];
        const tools = TOOLS.map(({ name, description, schema }) =>
          betaTool({
            name,
            description,
            inputSchema: schema,
            run: (args) => {
              called.push([name, ...Object.values(args)]);
              const { output, error } = answerTo({ name, args });
              if (error) throw new Error(output);
              return output;
            },
          }),
        );
        const runner = sdk.beta.messages.toolRunner({ model, max_tokens: 4096, tools, stream, thinking: { type: "adaptive", display: "summarized" }, messages: [{ role: "user", content: "Please play loop." }] });
        const last = await runner.runUntilDone();
        return { text: last.content.filter((block) => block.type === "text").map((block) => block.text).join(""), called };
      });
    }
  });
}
