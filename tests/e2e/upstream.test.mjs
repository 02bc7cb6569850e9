// The scripted upstream and the SDKs without a gateway between them: what fails here is no fault of the gateway.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { clients } from "./clients.mjs";
import { MODELS, pair } from "./suite.mjs";
import { answerTo, TOOLS } from "./upstream/plays.mjs";
import { CLIENT_KEY, names, startUpstream, upstreamKey } from "./upstream.mjs";

let upstream;
before(async () => (upstream = await startUpstream()));
after(() => upstream.stop());

const sdkBase = { chat: "/v1", responses: "/v1", claude: "", gemini: "" };
const world = () => ({
  upstream,
  connection: (client) => ({ base: upstream.base[client] + sdkBase[client], key: upstreamKey(client) }),
  model: (dialect, kind) => MODELS[dialect][kind],
});

for (const name of names) pair(name, name, world, { direct: true });

/** A request that each dialect's upstream takes; the cases below spoil it. */
const good = {
  chat: () => ({ path: "/v1/chat/completions", body: { model: "gpt-4.1", messages: [{ role: "user", content: "hello" }] } }),
  responses: () => ({ path: "/v1/responses", body: { model: "gpt-4.1", input: [{ role: "user", content: "hello" }] } }),
  claude: () => ({ path: "/v1/messages", body: { model: "claude-sonnet-4-6", max_tokens: 64, messages: [{ role: "user", content: "hello" }] } }),
  gemini: () => ({ path: "/v1beta/models/gemini-3-pro-preview:generateContent", body: { contents: [{ role: "user", parts: [{ text: "hello" }] }] } }),
};
const keyHeader = {
  chat: (key) => ({ authorization: `Bearer ${key}` }),
  responses: (key) => ({ authorization: `Bearer ${key}` }),
  claude: (key) => ({ "x-api-key": key, "anthropic-version": "2023-06-01" }),
  gemini: (key) => ({ "x-goog-api-key": key }),
};
const turns = (body) => body.messages ?? body.input ?? body.contents;
const aCall = {
  chat: { role: "assistant", content: null, tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{}" } }] },
  responses: { type: "function_call", call_id: "c1", name: "f", arguments: "{}" },
  claude: { role: "assistant", content: [{ type: "tool_use", id: "c1", name: "f", input: {} }] },
  gemini: { role: "model", parts: [{ functionCall: { name: "f", args: {} } }] },
};
const aResult = {
  chat: { role: "tool", tool_call_id: "c1", content: "1" },
  responses: { type: "function_call_output", call_id: "c1", output: "1" },
  claude: { role: "user", content: [{ type: "tool_result", tool_use_id: "c1", content: "1" }] },
  gemini: { role: "user", parts: [{ functionResponse: { name: "f", response: { output: 1 } } }] },
};
const foreign = Buffer.from("somebody else's state").toString("base64");
const foreignState = {
  claude: { role: "assistant", content: [{ type: "thinking", thinking: "…", signature: foreign }, { type: "text", text: "Hi." }] },
  responses: { id: "rs_1", type: "reasoning", summary: [], encrypted_content: foreign },
  gemini: { role: "model", parts: [{ text: "Hi.", thoughtSignature: foreign }] },
};

/** What must be refused, with which status (Google knows no 401 for keys). */
const bad = {
  "a wrong key": (name, request) => ((request.headers = keyHeader[name]("wrong")), name === "gemini" ? 400 : 401),
  "another dialect's key": (name, request) => ((request.headers[name === "gemini" ? "authorization" : "x-goog-api-key"] = "x"), 400),
  "a client's key": (name, request) => ((request.headers["x-note"] = CLIENT_KEY), 400),
  "a header of the gateway": (name, request) => ((request.headers["x-any-api-strict"] = "1"), 400),
  "an envelope": (name, request) => ((request.body.note = "YW55LWFwaToxMDAw"), 400),
  "an unknown field": (name, request) => ((request.body.frobnicate = 1), 400),
  "no messages": (name, request) => {
    for (const field of ["messages", "input", "contents"]) delete request.body[field];
    return 400;
  },
  "an unknown model": (name, request) => {
    if (name === "gemini") request.path = request.path.replace("gemini-3", "gemini-2");
    else request.body.model = "gpt-1";
    return 404;
  },
  "a result that answers no call": (name, request) => (turns(request.body).push(aResult[name]), 400),
  "a call that nobody answers": (name, request) => (turns(request.body).push(aCall[name], { ...turns(request.body)[0] }), 400),
  "a foreign state": (name, request) => foreignState[name] && (turns(request.body).push(foreignState[name], { ...turns(request.body)[0] }), 400),
  "no max_tokens": (name, request) => (name === "claude" ? (delete request.body.max_tokens, 400) : undefined),
  "no anthropic-version": (name, request) => (name === "claude" ? (delete request.headers["anthropic-version"], 400) : undefined),
  "a beta's field without its header": (name, request) => (name === "claude" ? ((request.body.context_management = { edits: [] }), 400) : undefined),
  "a begun answer": (name, request) => (name === "claude" ? (turns(request.body).push({ role: "assistant", content: "I" }), 400) : undefined),
  "two tools of one name": (name, request) => {
    const schema = { type: "object", properties: {} };
    const tool = { chat: { type: "function", function: { name: "f", parameters: schema } }, responses: { type: "function", name: "f", parameters: schema }, claude: { name: "f", input_schema: schema } }[name];
    request.body.tools = tool ? [tool, tool] : [{ functionDeclarations: [{ name: "f" }, { name: "f" }] }];
    return 400;
  },
  "an object's schema without properties": (name, request) => {
    const schema = { type: "object" };
    if (name === "chat") request.body.tools = [{ type: "function", function: { name: "f", parameters: schema } }];
    else if (name === "responses") request.body.tools = [{ type: "function", name: "f", parameters: schema }];
    else return undefined;
    return 400;
  },
  "a keyword that the older schemas lack": (name, request) => (name === "gemini" ? ((request.body.tools = [{ functionDeclarations: [{ name: "f", parameters: { type: "OBJECT", additionalProperties: false } }] }]), 400) : undefined),
  "a call without its thought signature": (name, request) => (name === "gemini" ? (turns(request.body).push(aCall.gemini, aResult.gemini), 400) : undefined),
};

for (const name of names) {
  test(`${name}: the upstream takes what is right and refuses what is wrong`, async () => {
    const send = ({ path, headers, body }) =>
      fetch(upstream.base[name] + path, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });
    const request = () => ({ ...structuredClone(good[name]()), headers: keyHeader[name](upstreamKey(name)) });
    assert.equal((await send(request())).status, 200);
    for (const [what, spoil] of Object.entries(bad)) {
      const spoilt = request();
      const status = spoil(name, spoilt);
      if (!status) continue;
      const response = await send(spoilt);
      const { error } = await response.json();
      assert.equal(response.status, status, `${what}: ${upstream.last().complaint}`);
      assert.equal(error.message, upstream.last().complaint, what);
      assert.ok(!error.message.startsWith("unreadable"), error.message);
    }
  });
}

/** What is wrong with a history that was right: each gives whether it found something to spoil. */
const spoilt = {
  chat: {
    "a thought that is not sent back": ({ messages }) => delete messages.findLast((message) => message.tool_calls).reasoning_content,
  },
  responses: {
    "altered encrypted content": ({ input }) => (input.find((item) => item.encrypted_content).encrypted_content = input.findLast((item) => item.encrypted_content).encrypted_content.replace(/^..../, "BBBB")),
    "a thought without what it led to": ({ input }) => {
      const at = input.findIndex((item) => item.type === "reasoning");
      const call = input.findIndex((item, index) => index > at && item.type === "function_call");
      input.splice(call, 1, { role: "user", content: "x" });
      return input.splice(at + 1, call - at - 1);
    },
    "a call without the thought that led to it": ({ input }) => input.splice(input.findIndex((item) => item.type === "reasoning"), 1),
    "a call answered twice": ({ input }) => input.push({ ...input.find((item) => item.type === "function_call_output") }),
  },
  claude: {
    "altered words beside a signature": ({ messages }) => (messages[1].content.find((block) => block.type === "thinking").thinking += "."),
    "another thought's signature": ({ messages }) => {
      const [one, other] = messages.flatMap(({ content }) => content).filter((block) => block.type === "thinking");
      return (one.signature = other.signature);
    },
    "a redacted thought's data as a signature": ({ messages }) => {
      const thoughts = messages.flatMap(({ content }) => content);
      return (thoughts.find((block) => block.type === "thinking").signature = thoughts.find((block) => block.type === "redacted_thinking").data);
    },
    "no thought before the tools": ({ messages }) => messages.findLast(({ role }) => role === "assistant").content.shift(),
    "a text before the results": ({ messages }) => messages.at(-1).content.unshift({ type: "text", text: "x" }),
  },
  gemini: {
    "a signature on another call": ({ contents }) => {
      const [one, other] = contents.flatMap(({ parts }) => parts).filter((part) => part.functionCall && part.thoughtSignature);
      [one.thoughtSignature, other.thoughtSignature] = [other.thoughtSignature, one.thoughtSignature];
      return true;
    },
    "altered arguments beside a signature": ({ contents }) => (contents.flatMap(({ parts }) => parts).find((part) => part.thoughtSignature).functionCall.args.path = "elsewhere"),
    "one result of two": ({ contents }) => contents.find(({ parts }) => parts.filter((part) => part.functionResponse).length === 2).parts.pop(),
  },
};

for (const name of names) {
  test(`${name}: the upstream refuses what is no longer as it was`, async () => {
    const model = name === "chat" ? "deepseek-chat" : MODELS[name].sealing;
    const talk = clients[name](world().connection(name)).talk({ model, tools: TOOLS, ...(name === "chat" ? {} : { effort: "low" }) });
    let answer = await talk.say("Please play loop.");
    for (let step = 0; step < 4; step++) answer = await talk.results(answer.calls.map((call) => ({ call, ...answerTo(call) })));
    const { path, headers, raw, status } = upstream.last();
    assert.equal(status, 200);
    const kept = Object.fromEntries(Object.entries(headers).filter(([header]) => !/^(host|content-length|connection|transfer-encoding|accept-encoding)$/.test(header)));
    const send = async (body) => (await fetch(`${upstream.url}${path}`, { method: "POST", headers: kept, body: JSON.stringify(body) })).status;
    assert.equal(await send(JSON.parse(raw)), 200);
    for (const [what, spoil] of Object.entries(spoilt[name])) {
      const body = JSON.parse(raw);
      assert.ok(spoil(body), what);
      assert.equal(await send(body), 400, what);
      assert.ok(!upstream.last().complaint.startsWith("unreadable"), `${what}: ${upstream.last().complaint}`);
    }
  });
}
