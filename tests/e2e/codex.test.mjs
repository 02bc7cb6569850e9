// The real Codex CLI on every upstream, and what it says on the wire, by hand, where the CLI itself cannot be made to say it.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { findCodex, newHome, runCodex } from "./codex.mjs";
import { hostsOr, KEY, setStage } from "./gateway.mjs";
import { losses } from "./scenarios/fidelity.mjs";
import { hold } from "./scenarios/table.mjs";
import { DONE, PATCHED, PICTURE, PICTURE_WORDS } from "./upstream/plays.mjs";
import { HELLO, SUMMARY } from "./upstream/scripts.mjs";
import { names } from "./upstream.mjs";

const binary = findCodex();
// npm has Codex for the platforms that it runs on; elsewhere there is nothing to test.
const skip = binary ? false : "there is no Codex for this platform: npm --prefix tests/e2e ci";

const THINKING = 'model_reasoning_effort = "low"\nmodel_reasoning_summary = "auto"';

/** What Codex says in its plays; `like` is the model of its own catalogue that the gateway's is taken for. */
const PLAYS = {
  "commands, a picture, a name space": {
    play: "codex",
    check(work, records) {
      assert.equal(readFileSync(join(work, "one.txt"), "utf8"), "one\n");
      const results = records.at(-1).heard.turns.flatMap((turn) => turn.results.map((result) => ({ ...result, images: [...(result.images ?? []), ...turn.images] })));
      assert.equal(results.length, 6);
      assert.match(results[2].text, /two\nGrüße 🌍/);
      assert.match(results[3].text, /exited with code 3[^]*broken/);
      assert.deepEqual(results[4].images, [PICTURE_WORDS]);
      // Codex knows the tool by its name space alone; else it would say "unsupported call".
      assert.match(results[5].text, /agent with id \S+ not found/);
    },
  },
  "apply_patch": {
    play: "patch",
    like: "gpt-5.5",
    check(work) {
      assert.equal(readFileSync(join(work, "patched.rs"), "utf8"), `${PATCHED} // again\n`);
    },
  },
  "a tool that is searched for": {
    play: "search",
    like: "gpt-5.5",
    check(work, records) {
      const offered = (record) => record.heard.tools.some(({ name }) => name.endsWith("close_agent"));
      assert.deepEqual(records.map(offered), [false, true, true]);
      assert.match(records.at(-1).heard.turns.flatMap((turn) => turn.results)[1].text, /agent with id \S+ not found/);
    },
  },
  "tools inside the input": {
    play: "lite",
    like: "gpt-5.6-sol",
    check(work, records, dialect) {
      assert.equal(readFileSync(join(work, "one.txt"), "utf8"), "one\n");
      if (dialect === "responses") assert.equal(records[0].headers["x-openai-internal-codex-responses-lite"], "true");
      else assert.ok(!JSON.stringify(records[0].headers).includes("codex"), "Codex' headers are OpenAI's");
    },
  },
};

for (const host of hostsOr("workerd", "native")) {
  describe(`Codex, ${host}`, { skip }, () => {
    // One for each dialect, since runs go beside each other.
    const stages = Object.fromEntries(names.map((name) => [name, setStage(host)]));
    const seen = {};

    const session = async (name, options, body) => {
      const home = newHome();
      writeFileSync(join(home.work, "picture.png"), Buffer.from(PICTURE.data, "base64"));
      const from = stages[name].upstream.requests.length;
      const settings = { base: `${stages[name].gateway.url}/openai/v1`, key: KEY, model: `${name}.sealing`, more: THINKING, ...options };
      try {
        await body((more) => runCodex(binary, home, { ...settings, ...more }), home, () => stages[name].upstream.requests.slice(from));
      } finally {
        home.remove();
      }
    };
    const told = ({ code, events, stderr }) => `${code}\n${events.map((event) => JSON.stringify(event)).join("\n")}\n${stderr}`;

    describe("every upstream", { concurrency: 2 }, () => {
      for (const name of names) {
        describe(`Codex → ${name}`, { concurrency: 1 }, () => {
          for (const [title, { play, like, check }] of Object.entries(PLAYS)) {
            test(title, () =>
              session(name, { like }, async (run, { work }, records) => {
                const done = await run({ prompt: `Please play ${play}.` });
                assert.deepEqual([done.code, done.text], [0, DONE], told(done));
                for (const record of records()) assert.equal(record.complaint, undefined);
                check(work, records(), name);
                assert.deepEqual(losses(records(), name, "ids"), []);
                (seen[name] ??= {})[title] = "yes";
              }),
            );
          }
          test("a stream is cut, and Codex asks again", () =>
            session(name, {}, async (run, home, records) => {
              const done = await run({ prompt: `Please play slip ${host}${name}.` });
              assert.deepEqual([done.code, done.text], [0, DONE], told(done));
              assert.equal(records().filter((record) => record.broken).length, 1);
              (seen[name] ??= {})["a cut stream"] = "yes";
            }));
          test("the conversation goes on, with another model", () =>
            session(name, {}, async (run, home, records) => {
              const other = names[(names.indexOf(name) + 1) % names.length];
              for (const model of [name, other, name]) {
                const done = await run({ prompt: "Please play patchless.", model: `${model}.sealing`, resume: records().length > 0 });
                assert.deepEqual([done.code, done.text], [0, DONE], told(done));
              }
              for (const record of records()) assert.equal(record.complaint, undefined);
              assert.equal(records().at(-1).heard.turns.filter((turn) => turn.texts.some((text) => /patchless/.test(text))).length, 3);
              (seen[name] ??= {})["resumed, another model and back"] = "yes";
            }));
          // The model's window is full after every turn, as Codex is told. Its own provider is asked for an item that takes the
          // place of the conversation (compaction_trigger), any other for a summary in words.
          for (const [title, builtIn] of Object.entries({ "sums up, itself": false, "sums up, by its provider": true })) {
            test(title, () =>
              session(name, { like: "gpt-5.5", more: `${THINKING}\nmodel_auto_compact_token_limit = 100`, builtIn }, async (run, home, records) => {
                for (const prompt of ["hello", "hello again", "and hello"]) {
                  const done = await run({ prompt, resume: records().length > 0 });
                  assert.deepEqual([done.code, done.text], [0, HELLO], told(done));
                }
                for (const record of records()) assert.equal(record.complaint, undefined);
                assert.equal(records().length, 5);
                const last = records().at(-1);
                if (builtIn && name === "responses") {
                  const given = records().flatMap(({ issued }) => issued.filter(({ type }) => type === "compaction"));
                  assert.equal(given.length, 2);
                  assert.deepEqual(JSON.parse(last.raw).input.filter(({ type }) => type === "compaction"), given.slice(1));
                } else {
                  assert.equal(last.raw.split(SUMMARY).length, 2, "the last summary is there, once");
                  assert.ok(!last.raw.includes(HELLO), "what was summed up is gone");
                }
                (seen[name] ??= {})[title] = "yes";
              }));
          }
        });
      }
    });

    test("the built-in provider's WebSocket is refused at once", () =>
      session("responses", { builtIn: true }, async (run) => {
        const since = performance.now();
        const done = await run({ prompt: "hello" });
        assert.equal(done.code, 0, told(done));
        assert.ok(performance.now() - since < 8000, "it tried again and again");
      }));

    test("the table is as before", () => {
      const titles = [...Object.keys(PLAYS), "a cut stream", "resumed, another model and back", "sums up, itself", "sums up, by its provider"];
      hold("Codex", [["client", "upstream", ...titles], ...names.map((name) => ["@openai/codex 0.169.0", name, ...titles.map((title) => seen[name]?.[title] ?? "NO")])]);
    });
  });

  describe(`what Codex says, ${host}`, () => {
    const stage = setStage(host);

    test("a WebSocket gets 426", async () => {
      const { hostname, port } = new URL(stage.gateway.url);
      for (const path of ["/openai/v1/responses", "/v1/responses"]) {
        const answer = await new Promise((resolve) => {
          const socket = connect(Number(port), hostname);
          let got = "";
          // The server may keep the connection: the head is the answer.
          socket.on("data", (data) => (got += data).includes("\r\n\r\n") && socket.destroy()).on("close", () => resolve(got));
          const lines = [`GET ${path} HTTP/1.1`, `host: ${hostname}`, "connection: Upgrade", "upgrade: websocket", "sec-websocket-version: 13", "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==", `authorization: Bearer ${KEY}`];
          socket.write(`${lines.join("\r\n")}\r\n\r\n`);
        });
        assert.match(answer, /^HTTP\/1\.1 426 /, path);
      }
    });
  });
}
