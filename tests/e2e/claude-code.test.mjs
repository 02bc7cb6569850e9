// What Claude Code is documented to send to a gateway, from a client of our own: no line of it is Claude Code's. The plays are
// those of the other agents; the requests have its fields, headers and habits.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hostsOr, KEY, setStage } from "./gateway.mjs";
import { losses } from "./scenarios/fidelity.mjs";
import { hold } from "./scenarios/table.mjs";
import { answerTo, CUT_SHORT, DONE, PICTURE_WORDS, TOOLS } from "./upstream/plays.mjs";
import { names } from "./upstream.mjs";

const BETAS = "claude-code-20250219,context-management-2025-06-27,fine-grained-tool-streaming-2025-05-14,a-beta-of-tomorrow-2027-01-01";

const mark = { cache_control: { type: "ephemeral" } };

/** A server-sent stream as a message, put together as Anthropic's reference tells; `onEvent` sees each event. */
async function readStream(response, onEvent = () => {}) {
  let message;
  const inputs = [];
  const text = await response.text();
  for (const frame of text.split("\n\n").filter(Boolean)) {
    const [, name, data] = /^event: (\S+)\ndata: (.*)$/s.exec(frame) ?? assert.fail(`no event: ${frame}`);
    const event = JSON.parse(data);
    assert.equal(event.type, name);
    onEvent(event);
    const block = message?.content[event.index];
    switch (name) {
      case "message_start":
        message = event.message;
        break;
      case "content_block_start":
        assert.equal(event.index, message.content.length, "blocks come one after another");
        message.content.push(event.content_block);
        inputs.push("");
        break;
      case "content_block_delta": {
        const { type, text, thinking, signature, partial_json } = event.delta;
        if (type === "text_delta") block.text += text;
        else if (type === "thinking_delta") block.thinking += thinking;
        else if (type === "signature_delta") block.signature = signature;
        else if (type === "input_json_delta") inputs[event.index] += partial_json;
        else assert.fail(`a delta ${type}`);
        break;
      }
      case "content_block_stop":
        if (block.type === "tool_use") block.input = JSON.parse(inputs[event.index] || "{}");
        break;
      case "message_delta":
        Object.assign(message, event.delta);
        message.usage = { ...message.usage, ...event.usage };
        break;
      case "message_stop":
        message.isWhole = true;
        break;
      case "error":
        throw Object.assign(new Error(event.error.message), { type: event.error.type });
      default:
        assert.equal(name, "ping");
    }
  }
  if (!message?.isWhole) throw new Error("the stream has no end");
  delete message.isWhole;
  return message;
}

/** A session: `ask` sends a turn of the user's and keeps the answer; `headers` and `fields` replace what it sends else. */
function session(url, model, { version = "2023-06-01", credential = { authorization: `Bearer ${KEY}` }, headers = {}, ...fields } = {}) {
  const messages = [];
  const request = () => {
    // The newest two turns of the user are marked for the cache, and none before.
    const users = messages.filter((message) => message.role === "user").slice(-2);
    const marked = messages.map((message) => (users.includes(message) ? { ...message, content: message.content.map((block, index) => (index === message.content.length - 1 ? { ...block, ...mark } : block)) } : message));
    return {
      model,
      max_tokens: 32_000,
      stream: true,
      system: [
        { type: "text", text: "x-attribution: a client of our own" },
        { type: "text", text: "You are an agent. 你好.", ...mark },
      ],
      messages: marked,
      tools: TOOLS.map(({ name, description, schema }, index) => ({ name, description, input_schema: { $schema: "https://json-schema.org/draft/2020-12/schema", ...schema }, eager_input_streaming: true, ...(index === TOOLS.length - 1 ? mark : {}) })),
      metadata: { user_id: "user_1_account__session_2" },
      thinking: { type: "adaptive", display: "summarized" },
      output_config: { effort: "medium" },
      context_management: { edits: [{ type: "clear_tool_uses_20250919" }] },
      ...fields,
    };
  };
  const send = (path, body) =>
    fetch(`${url}/claude${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "anthropic-version": version,
        "anthropic-beta": BETAS,
        "x-claude-code-session-id": "01a207c8",
        "x-app": "cli",
        "user-agent": "claude-cli/9.9.9 (external, cli)",
        "x-stainless-lang": "js",
        ...credential,
        ...headers,
      },
      body: JSON.stringify(body),
    });
  async function run(onEvent) {
    const response = await send("/v1/messages?beta=true", request());
    if (response.status !== 200) throw Object.assign(new Error(await response.text()), { status: response.status });
    assert.match(response.headers.get("content-type"), /^text\/event-stream/);
    const message = await readStream(response, onEvent);
    messages.push({ role: "assistant", content: message.content });
    return message;
  }
  const results = (calls) =>
    calls.map(({ id, name, input }) => {
      const { output, error, image } = answerTo({ name, args: input });
      const content = [{ type: "text", text: output }, ...(image ? [{ type: "image", source: { type: "base64", media_type: image.mime, data: image.data } }] : [])];
      return { type: "tool_result", tool_use_id: id, content, ...(error ? { is_error: true } : {}) };
    });
  return {
    messages,
    request,
    send,
    run,
    say(text, onEvent) {
      messages.push({ role: "user", content: [{ type: "text", text }] });
      return run(onEvent);
    },
    /** Answers calls, with a reminder of the harness' behind the results, as it is known to add. */
    answer(message, onEvent) {
      const calls = message.content.filter((block) => block.type === "tool_use");
      messages.push({ role: "user", content: [...results(calls), { type: "text", text: "<system-reminder>Nobody asked for this.</system-reminder>" }] });
      return run(onEvent);
    },
    async play(name) {
      const answers = [await this.say(`Please play ${name}.`)];
      while (answers.at(-1).stop_reason === "tool_use") answers.push(await this.answer(answers.at(-1)));
      return answers;
    },
  };
}

const textOf = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");

for (const host of hostsOr("workerd", "native")) {
  describe(`Claude Code's requests, ${host}`, () => {
    const stage = setStage(host);
    const seen = {};
    const since = (from) => stage.upstream.requests.slice(from);

    for (const dialect of names) {
      const model = `${dialect}.${dialect === "claude" ? "bound" : "sealing"}`;
      const scenario = (title, body) =>
        test(`${dialect}: ${title}`, async () => {
          const from = stage.upstream.requests.length;
          await body(from);
          assert.deepEqual(stage.upstream.complaints(from), []);
          (seen[dialect] ??= {})[title] ??= "yes";
        });

      scenario("six turns", async (from) => {
        for (const version of ["2023-06-01", "2026-10-21"]) {
          const start = stage.upstream.requests.length;
          const talk = session(stage.gateway.url, model, { version });
          const answers = await talk.play("loop");
          assert.equal(answers.length, 6);
          assert.equal(textOf(answers.at(-1)), DONE);
          const records = since(start);
          assert.deepEqual(losses(records, dialect), []);
          const { system, turns } = records.at(-1).heard;
          assert.match(system.join("\n"), /^x-attribution: a client of our own\n+You are an agent\. 你好\.$/);
          const shown = turns.flatMap((turn) => [...turn.images, ...turn.results.flatMap((result) => result.images ?? [])]);
          assert.deepEqual(shown, [PICTURE_WORDS]);
          for (const { headers } of records) {
            const betas = dialect === "claude" ? BETAS : undefined;
            assert.equal(headers["anthropic-beta"], betas, "betas go to Claude as they came, and to nobody else");
            assert.equal(headers["anthropic-version"], dialect === "claude" ? version : undefined);
          }
          if (dialect === "claude") assert.equal(records[0].raw.match(/cache_control/g).length, 3, "every mark goes to Claude");
        }
        assert.ok(since(from).length > 0);
      });

      scenario("thoughts that are not shown", async (from) => {
        // The newer models' default: nothing but the signature.
        const talk = session(stage.gateway.url, model, { thinking: { type: "adaptive" } });
        const answers = await talk.play("sealed");
        assert.equal(textOf(answers.at(-1)), DONE);
        assert.deepEqual(losses(since(from), dialect), []);
      });

      scenario("a stream that is cut", async () => {
        const talk = session(stage.gateway.url, model);
        const first = await talk.say(`Please play cut ${host}${dialect}.`);
        await assert.rejects(talk.answer(first));
        assert.equal(textOf(await talk.run()), `${CUT_SHORT} ${DONE}`);
      });

      scenario("the operator's words in mid-conversation", async () => {
        const talk = session(stage.gateway.url, model);
        await talk.say("hello");
        talk.messages.push({ role: "user", content: [{ type: "text", text: "hello again" }] }, { role: "system", content: "Be kind to 🐈s." });
        await talk.run();
        const { turns, operator = [] } = stage.upstream.last().heard;
        assert.ok([...turns.flatMap((turn) => turn.texts), ...operator].some((text) => text.includes("Be kind to 🐈s.")));
      });

      scenario("count_tokens", async () => {
        const talk = session(stage.gateway.url, model);
        talk.messages.push({ role: "user", content: [{ type: "text", text: "hello" }] });
        const { max_tokens: _, stream: __, metadata: ___, ...body } = talk.request();
        const response = await talk.send("/v1/messages/count_tokens?beta=true", body);
        assert.equal(response.status, 200, await response.clone().text());
        assert.ok((await response.json()).input_tokens > 0);
      });

      scenario("both credentials at once, and either", async () => {
        const bearer = { authorization: `Bearer ${KEY}` };
        for (const credential of [bearer, { "x-api-key": KEY }, { ...bearer, "x-api-key": KEY }]) {
          assert.ok(textOf(await session(stage.gateway.url, model, { credential }).say("hello")));
        }
      });

      scenario("threads are refused in its own words", async (from) => {
        // Claude itself has them: what the relay passes on, it may take.
        if (dialect === "claude") return void ((seen[dialect] ??= {})["threads are refused in its own words"] = "–");
        const response = await session(stage.gateway.url, model, {}).send("/v1/messages", {
          model,
          max_tokens: 100,
          thread: { type: "create" },
          messages: [{ role: "user", content: "hello" }],
        });
        assert.equal(response.status, 400);
        const { error } = await response.json();
        assert.equal(error.details.error_code, "thread_unsupported_request");
        assert.deepEqual(error.details.unsupported, ["thread"]);
        assert.equal(since(from).length, 0);
      });
    }

    test("the list of models, and a probe", async () => {
      const headers = { "anthropic-version": "2023-06-01", authorization: `Bearer ${KEY}` };
      const response = await fetch(`${stage.gateway.url}/claude/v1/models?limit=1000`, { headers, redirect: "error" });
      assert.equal(response.status, 200, await response.clone().text());
      const list = await response.json();
      assert.ok(list.data.some(({ id, type }) => id === "claude.bound" && type === "model"));
      assert.equal(list.has_more, false);
      for (const path of ["/claude", "/claude/", "/"]) assert.ok((await fetch(stage.gateway.url + path, { method: "HEAD" })).status < 500, path);
    });

    test("the table is as before", () => {
      const titles = Object.keys(seen.claude ?? {});
      hold("Claude Code", [["client", "upstream", ...titles], ...names.map((name) => ["its documented requests", name, ...titles.map((title) => seen[name]?.[title] ?? "NO")])]);
    });
  });
}
