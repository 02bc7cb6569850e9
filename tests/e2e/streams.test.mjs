// Every stream of tests/in, played by an upstream of its dialect, as each of the vendors' SDKs tells it, in Node and in Python:
// the final message has the text, the calls and the end that the IR says (tests/out), and a stream that failed raises the
// SDK's own error and never gives a call that was cut short.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../../scripts/setup.mjs";
import { KEY, hostsOr, startGateway } from "./gateway.mjs";
import { startPython } from "./python.mjs";
import { readers } from "./readers.mjs";

const TYPES = { chat: "openai-chat-completions", responses: "openai-responses", claude: "claude", gemini: "gemini" };
const names = Object.keys(TYPES);
const PROGRAMS = { chat: ["openai", "read_openai.py"], responses: ["openai", "read_openai.py"], claude: ["anthropic", "read_anthropic.py"], gemini: ["google-genai", "read_google.py"] };

const read = (...path) => readFileSync(join(root, "tests", ...path));
const casesOf = (dialect) => readdirSync(join(root, "tests", "in", "stream", dialect)).map((name) => name.replace(/\.sse$/, ""));

/** The IR of a stream, as the snapshots have it. */
function eventsOf(dialect, name) {
  const page = read("out", "stream", dialect, `${name}.md`).toString();
  const lines = /```json\n([^]*?)\n```/.exec(page)[1].split("\n");
  return lines.map((line) => JSON.parse(line)).map((event) => (typeof event === "string" ? { [event]: {} } : event));
}

/** What the events say, for any client. */
function meaningOf(events) {
  const said = { words: [], calls: [], told: false, refused: false, finish: undefined, failed: undefined };
  let open;
  let text = "";
  for (const event of events) {
    const [[kind, value]] = Object.entries(event);
    if (kind === "open") [open, text] = [value, ""];
    else if (kind === "delta") text += value;
    else if (kind === "close") {
      if (open.tool_call) said.calls.push({ name: open.tool_call.name, custom: open.tool_call.kind === "custom", arguments: text, cut: false });
      // Parts of one dialect are told in words to some clients.
      else if (open.whole) said.told = true;
      else if (!open.reasoning && text) said.words.push(text);
      said.refused ||= open.refusal !== undefined;
      open = undefined;
    } else if (kind === "finish") said.finish = value;
    else if (kind === "failed") said.failed = value;
  }
  // A limit may fall into the middle of a call.
  const last = said.calls.at(-1);
  if (last && ["length", "context_exceeded", "refusal"].includes(said.finish?.reason)) last.cut = !last.custom && typeof parsed(last.arguments) !== "object";
  return said;
}

/** The words for an end, by the IR's reasons. */
const ENDS = {
  chat: { end: ["stop"], stop_sequence: ["stop"], tool_use: ["tool_calls"], length: ["length"], context_exceeded: ["length"], refusal: ["content_filter", "stop"], pause: ["stop"], other: ["stop"] },
  responses: { end: ["completed"], stop_sequence: ["completed"], tool_use: ["completed"], length: ["max_output_tokens"], context_exceeded: ["max_output_tokens"], refusal: ["content_filter", "completed"], pause: ["completed"], other: ["completed"] },
  claude: { end: ["end_turn"], stop_sequence: ["stop_sequence"], tool_use: ["tool_use"], length: ["max_tokens"], context_exceeded: ["model_context_window_exceeded"], refusal: ["refusal"], pause: ["pause_turn"], other: ["end_turn"] },
  gemini: { end: ["STOP"], stop_sequence: ["STOP"], tool_use: ["STOP"], length: ["MAX_TOKENS"], context_exceeded: ["MAX_TOKENS"], refusal: ["SAFETY", "PROHIBITED_CONTENT", "MODEL_ARMOR"], malformed: ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"], pause: ["STOP"], other: ["OTHER"] },
};

const parsed = (text) => {
  try {
    return JSON.parse(text || "{}");
  } catch {
    return text;
  }
};
const readCalls = (calls) => calls.map(({ name, arguments: text }) => ({ name, arguments: parsed(text) }));

/** Calls as a client of `client` reads them, those of the final message or those that it was told are whole. */
function callsFor(client, calls, final) {
  // Half a call: Gemini has no form for one, and Responses says that it is incomplete. In the two others its end alone says
  // that it was cut, as with their own vendors.
  const kept = calls.filter(({ cut }) => !cut || client === "chat" || client === "claude" || (final && client === "responses"));
  return kept.map(({ name, custom, cut, arguments: text }) => {
    // Claude's SDKs read what they can of half an object.
    if (cut && client === "claude") return { name, arguments: {} };
    return { name, arguments: !custom ? parsed(text) : client === "claude" || client === "gemini" ? { input: text } : text };
  });
}

/** Text without its white space: blocks that stood apart are told with some between them. */
const bare = (text) => text.replace(/\s/g, "");

/** Holds what a reader told to what the events say. */
function hold(client, meaning, seen) {
  const words = `${JSON.stringify(seen)}\nof ${JSON.stringify(meaning)}`;
  const whole = callsFor(client, meaning.calls, false);
  const completed = readCalls(seen.completed);
  // Not one more than were whole, also where the stream failed.
  assert.deepEqual(completed, whole.slice(0, completed.length), `completed calls: ${words}`);
  if (meaning.failed || (meaning.finish.reason === "malformed" && client !== "gemini")) {
    assert.ok(seen.failure?.own, `an error of the SDK's own: ${words}`);
    // In the upstream's own words, where it had some.
    if (meaning.failed?.native) assert.ok(seen.failure.message.includes(meaning.failed.message), `message: ${words}`);
    return;
  }
  assert.equal(seen.failure, undefined, words);
  assert.deepEqual(readCalls(seen.calls), callsFor(client, meaning.calls, true), `calls: ${words}`);
  assert.equal(completed.length, whole.length, `completed calls: ${words}`);
  const reason = meaning.refused && meaning.finish.reason === "end" ? "refusal" : meaning.finish.reason;
  assert.ok(ENDS[client][reason].includes(seen.finish), `finish: ${words}`);
  // An explanation beside the answer, and parts of one dialect, are told in words to some clients.
  const [all, wanted] = [bare(seen.text + seen.refusal), bare(meaning.words.join(""))];
  if (meaning.told || meaning.finish.detail) assert.ok(all.includes(wanted), `text: ${words}`);
  else assert.equal(all, wanted, `text: ${words}`);
}

/** Plays the streams: the provider says the dialect, the model's name the case. The pieces fall anywhere. */
async function startPlayer() {
  const server = createServer((request, response) => {
    const body = [];
    request.on("data", (chunk) => body.push(chunk));
    request.on("end", async () => {
      const [, dialect] = request.url.split("/");
      const name = dialect === "gemini" ? /models\/([^:]+):/.exec(request.url)[1] : JSON.parse(Buffer.concat(body)).model;
      const bytes = read("in", "stream", dialect, `${name}.sse`);
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (let at = 0; at < bytes.length; at += 313) {
        response.write(bytes.subarray(at, at + 313));
        await new Promise(setImmediate);
      }
      response.end();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))) };
}

// The quirk changes nothing in these requests, and keeps the relay out: also where client and upstream speak one dialect, the
// stream is read and written.
const provider = (player, type) => ({ type, baseURL: `${player.url}/${type}`, apiKey: "upstream-key", quirks: { noInstructions: true }, models: { "*": {} } });

for (const host of hostsOr("native", "workerd")) {
  describe(`every stream in every SDK, ${host}`, { concurrency: 8 }, () => {
    let player;
    let gateway;
    const pythons = {};
    before(async () => {
      player = await startPlayer();
      const providers = Object.fromEntries(names.map((name) => [name, provider(player, TYPES[name])]));
      gateway = await startGateway(host, { config: { version: 1, providers } });
      for (const [sdk, program] of Object.values(PROGRAMS)) pythons[program] ??= await startPython(sdk, program);
    });
    after(async () => {
      for (const python of Object.values(pythons)) await python.stop();
      await gateway?.stop();
      await player?.stop();
    });

    for (const upstream of names) {
      for (const name of casesOf(TYPES[upstream])) {
        test(`${upstream}: ${name}`, async () => {
          const meaning = meaningOf(eventsOf(TYPES[upstream], name));
          const model = `${upstream}.${name}`;
          const wrong = [];
          for (const client of names) {
            const { base, key } = gateway.connection(client);
            const [inNode, inPython] = await Promise.all([readers[client]({ base, key })(model), pythons[PROGRAMS[client][1]].run({ client, base, key, model })]);
            for (const [language, seen] of [["Node", inNode], ["Python", inPython]]) {
              try {
                hold(client, meaning, seen);
              } catch (error) {
                wrong.push(`${client} in ${language}: ${error.message}`);
              }
            }
          }
          assert.deepEqual(wrong, []);
        });
      }
    }
  });
}
