// The scripted upstream's OpenAI Chat Completions. The protocol has no reasoning; of what is in the wild, "deepseek-chat"
// says it as DeepSeek does (`reasoning_content`), "openrouter" as OpenRouter does (`reasoning_details`, which carry opaque state).
import { argumentPieces, wordsOf } from "./scripts.mjs";
import { checkConversation, checkProperties, checkUnique, demand, knownOnly, names, Refusal, turnOf } from "./strict.mjs";

const MODELS = names("gpt-4.1 deepseek-chat openrouter");

const FIELDS = names(`model messages stream stream_options max_completion_tokens max_tokens temperature top_p frequency_penalty
  presence_penalty n stop seed logprobs top_logprobs logit_bias reasoning_effort verbosity tools tool_choice parallel_tool_calls
  response_format modalities audio prediction web_search_options metadata user safety_identifier prompt_cache_key
  prompt_cache_options prompt_cache_retention service_tier store moderation function_call functions`);

/** `annotations` and `parsed`: messages come back as the SDK gave them, as OpenAI's own examples have it. */
const MESSAGE_FIELDS = names(`role content name refusal audio tool_calls function_call tool_call_id
  annotations parsed reasoning_content reasoning reasoning_details`);

const ERRORS = {
  400: ["invalid_request_error", null],
  401: ["invalid_request_error", "invalid_api_key"],
  403: ["permission_error", null],
  404: ["invalid_request_error", "model_not_found"],
  429: ["rate_limit_exceeded", "rate_limit_exceeded"],
  500: ["server_error", null],
  529: ["server_error", "overloaded"],
};

/** OpenAI's error body. It has no 529: an overloaded server says 503. */
export function openaiRefusal(status, message, { param = null, code } = {}) {
  const [type, usual] = ERRORS[status] ?? ["server_error", null];
  return { status: status === 529 ? 503 : status, body: { error: { message, type, param, code: code ?? usual } } };
}

/** What a refusal of a certain status, asked for by the script, says beside its words. */
export const openaiDetails = { 400: { code: "context_length_exceeded", param: "messages" } };

export const openaiKey = (headers) => /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1];

/** What of a data URL a test wants to know. */
export function imageWords(url) {
  const [, type, data] = /^data:([^;]+);base64,(.*)$/s.exec(url) ?? [];
  return type ? `${type} of ${Buffer.from(data, "base64").length} bytes` : url;
}

/** OpenAI's strict schemas: every object is closed and requires all it has. */
export function checkStrictSchema(schema, where) {
  if (schema?.type === "object") {
    demand(schema.additionalProperties === false, `${where}: 'additionalProperties' is required to be supplied and to be false`);
    const missing = Object.keys(schema.properties ?? {}).filter((name) => !schema.required?.includes(name));
    demand(!missing.length, `${where}: 'required' lacks ${missing}`);
  }
}

function readMessage(message, index, heard) {
  const where = `messages[${index}]`;
  knownOnly(message, MESSAGE_FIELDS, where, (path) => `Unrecognized request argument supplied: ${path}`);
  const { role, content } = message;
  const parts = typeof content === "string" ? [{ type: "text", text: content }] : (content ?? []);
  demand(Array.isArray(parts), `Invalid type for '${where}.content'`);
  const texts = parts.filter((part) => part.type === "text").map((part) => part.text);
  if ((role === "system" || role === "developer") && !heard.turns.length) return void heard.system.push(...texts);
  demand(["system", "developer", "user", "assistant", "tool"].includes(role), `Invalid value: '${role}'`, { param: `${where}.role` });
  const turn = turnOf(heard.turns, role === "assistant" ? "assistant" : "user");
  if (role === "tool") {
    demand(parts.every((part) => part.type === "text"), `${where}: tool messages take text parts only`);
    demand(!turn.texts.length && !turn.images.length, `${where}: messages with role 'tool' must be a response to a preceding message with 'tool_calls'`);
    return void turn.results.push({ id: message.tool_call_id, text: texts.join("") });
  }
  turn.texts.push(...texts);
  for (const part of parts.filter((part) => part.type !== "text")) {
    demand(role === "user" && part.type === "image_url", `${where}: unexpected part ${part.type}`);
    turn.images.push(imageWords(part.image_url.url));
  }
  if (role !== "assistant") return;
  demand(content != null || message.tool_calls?.length, `${where}: an assistant message needs content or tool_calls`);
  for (const call of message.tool_calls ?? []) {
    const isCustom = call.type === "custom" && typeof call.custom?.input === "string";
    demand(call.id && (isCustom || (call.type === "function" && typeof call.function?.arguments === "string")), `${where}: a malformed tool call`);
    demand(turn.calls.every((other) => other.id !== call.id), `${where}: duplicate tool call id ${call.id}`);
    turn.calls.push({ id: call.id, name: (call.custom ?? call.function).name, args: isCustom ? call.custom.input : JSON.parse(call.function.arguments) });
  }
  heard.own.push(message);
  if (message.reasoning_content) turn.thoughts.push(message.reasoning_content);
  for (const detail of message.reasoning_details ?? []) {
    demand(heard.model === "openrouter", `Unrecognized request argument supplied: ${where}.reasoning_details`);
    if (detail.text) turn.thoughts.push(detail.text);
    const seal = detail.data ?? detail.signature;
    demand(seal === undefined || heard.knows(seal, "reasoning"), `${where}.reasoning_details: the encrypted reasoning could not be verified`);
    if (seal) turn.seals.push(seal);
  }
}

const usageOf = ({ input, cached, written, output, reasoning }) => ({
  prompt_tokens: input,
  completion_tokens: output,
  total_tokens: input + output,
  prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: written, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
});

const FINISH = { end: "stop", calls: "tool_calls", length: "length", filter: "content_filter" };

/** Calls that a thought of DeepSeek's led to: in the turn under way it wants to read that thought again. */
const thoughtOut = new Map();

function checkThoughts({ messages, thinking }) {
  if (thinking?.type === "disabled") return;
  const asked = messages.findLastIndex((message) => message.role === "user");
  for (const message of messages.slice(asked + 1)) {
    const thought = message.tool_calls && thoughtOut.get(message.tool_calls[0].id);
    demand(!thought || message.reasoning_content === thought, "The `reasoning_content` in the thinking mode must be passed back to the API.");
  }
}

const encrypted = (data) => ({ type: "reasoning.encrypted", data, id: "rs_1", format: "openai-responses-v1", index: 1 });
const openText = (text) => ({ type: "reasoning.text", text, format: "openai-responses-v1", index: 0 });

/** A call, of the kind that its tool is. */
function callOf(call, heard, id) {
  const isCustom = heard.tools.some((tool) => tool.name === call.name && tool.custom);
  const what = isCustom ? { type: "custom", custom: { name: call.name, input: call.args.input } } : { type: "function", function: { name: call.name, arguments: JSON.stringify(call.args) } };
  return { id: `call_${id()}`, ...what };
}

/** Free-form tools are known to OpenAI's own models. */
function readCustom(tool, model) {
  demand(model.startsWith("gpt-"), "Invalid value: 'custom'. Supported values are: 'function'.", { param: "tools" });
  demand(/^[\w-]{1,64}$/.test(tool?.name), "Invalid value in 'tools'", { param: "tools" });
  const { type, grammar } = tool.format ?? { type: "text" };
  demand(type === "text" || (type === "grammar" && ["lark", "regex"].includes(grammar?.syntax) && grammar.definition), "Invalid value: 'tools[].custom.format'", { param: "tools" });
  return { name: tool.name, description: tool.description, custom: true };
}

/** Only who seals its thoughts can hide them. */
const stepsFor = (script, heard) => script.steps.filter((step) => !step.hidden || heard.model === "openrouter");

function remember(message, heard, note) {
  note(message);
  if (heard.model === "deepseek-chat" && message.reasoning_content) for (const call of message.tool_calls ?? []) thoughtOut.set(call.id, message.reasoning_content);
}

export const chat = {
  name: "chat",
  keyHeaders: ["authorization"],
  keyOf: openaiKey,
  requestIdHeader: "x-request-id",

  route: (path) => (path === "/v1/chat/completions" ? {} : undefined),

  refuse: openaiRefusal,

  scripted: openaiDetails,

  rateLimit: { headers: (after) => ({ "retry-after": String(after), "x-ratelimit-remaining-requests": "0" }) },

  read(body, { knows }) {
    const error = (path) => `Unrecognized request argument supplied: ${path}`;
    // OpenRouter's own way to ask for thoughts.
    const { reasoning, ...plain } = body;
    // And DeepSeek's to ask for none.
    const { thinking, ...silent } = body;
    knownOnly({ openrouter: plain, "deepseek-chat": silent }[body.model] ?? body, FIELDS, "", error);
    demand(typeof body.model === "string", "you must provide a model parameter");
    if (!MODELS.has(body.model)) throw new Refusal(404, `The model \`${body.model}\` does not exist or you do not have access to it.`);
    demand(Array.isArray(body.messages) && body.messages.length, "Missing required parameter: 'messages'.", { param: "messages", code: "missing_required_parameter" });
    demand(body.stream || body.stream_options == null, "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
    const tools = (body.tools ?? []).map(({ type, function: tool, custom }) => {
      if (type === "custom") return readCustom(custom, body.model);
      demand(type === "function" && /^[\w-]{1,64}$/.test(tool?.name), "Invalid value in 'tools'", { param: "tools" });
      if (tool.strict) checkStrictSchema(tool.parameters, tool.name);
      checkProperties(tool.parameters, tool.name);
      return { name: tool.name, description: tool.description, schema: tool.parameters };
    });
    checkUnique(tools, (name) => `Invalid 'tools': the name ${name} is used twice`);
    demand(tools.length <= 128, "Invalid 'tools': array too long. Expected an array with maximum length 128.");
    demand([body.stop ?? []].flat().length <= 4, "Invalid 'stop': array too long. Expected an array with maximum length 4.");
    demand(tools.length || body.tool_choice == null, "'tool_choice' is only allowed when 'tools' are specified.");
    const format = body.response_format;
    if (format?.type === "json_schema") {
      demand(format.json_schema?.name, "Missing required parameter: 'response_format.json_schema.name'.");
      if (format.json_schema.strict) checkStrictSchema(format.json_schema.schema, "response_format");
    }
    const heard = {
      model: body.model,
      stream: body.stream === true,
      wantsUsage: body.stream_options?.include_usage === true,
      body,
      knows,
      system: [],
      turns: [],
      own: [],
      tools,
      choice: body.tool_choice,
      schema: format?.json_schema?.schema,
      maxTokens: body.max_completion_tokens ?? body.max_tokens,
      temperature: body.temperature,
      topP: body.top_p,
      stop: [body.stop ?? []].flat(),
      effort: body.reasoning_effort ?? reasoning?.effort,
    };
    body.messages.forEach((message, index) => readMessage(message, index, heard));
    checkConversation(heard.turns);
    if (body.model === "deepseek-chat") checkThoughts(body);
    return heard;
  },

  whole(script, heard, { id, created, seal, note }) {
    const message = { role: "assistant", content: null, refusal: null, annotations: [] };
    for (const { reasoning, hidden, text, call } of stepsFor(script, heard)) {
      if (reasoning && heard.model === "openrouter") {
        const details = [...(hidden ? [] : [openText(reasoning)]), encrypted(seal("reasoning"))];
        Object.assign(message, { ...(hidden ? {} : { reasoning }), reasoning_details: details });
      } else if (reasoning) message.reasoning_content = reasoning;
      if (text) message.content = (message.content ?? "") + text;
      if (call) (message.tool_calls ??= []).push(callOf(call, heard, id));
    }
    remember(message, heard, note);
    return {
      id: `chatcmpl-${id()}`,
      object: "chat.completion",
      created,
      model: heard.model,
      choices: [{ index: 0, message, logprobs: null, finish_reason: FINISH[script.finish] }],
      usage: usageOf(script.usage),
      service_tier: "default",
      system_fingerprint: null,
    };
  },

  *stream(script, heard, { id, created, seal, note }) {
    const chunkId = `chatcmpl-${id()}`;
    const frame = (choices, more = {}) => {
      const usage = heard.wantsUsage ? { usage: null } : {};
      const chunk = { id: chunkId, object: "chat.completion.chunk", created, model: heard.model, service_tier: "default", system_fingerprint: null, choices, ...usage, ...more };
      return `data: ${JSON.stringify(chunk)}\n\n`;
    };
    const delta = (fields, finish = null) => frame([{ index: 0, delta: fields, logprobs: null, finish_reason: finish }]);
    yield delta({ role: "assistant", content: "", refusal: null });
    let calls = 0;
    const whole = { content: null };
    for (const { reasoning, hidden, text, pieces, call } of stepsFor(script, heard)) {
      if (call) {
        const index = calls++;
        const made = callOf(call, heard, id);
        (whole.tool_calls ??= []).push(made);
        if (made.custom) {
          yield delta({ tool_calls: [{ index, ...made, custom: { name: call.name, input: "" } }] });
          for (const piece of wordsOf(made.custom.input)) yield delta({ tool_calls: [{ index, custom: { input: piece } }] });
          continue;
        }
        yield delta({ tool_calls: [{ index, id: made.id, type: "function", function: { name: call.name, arguments: "" } }] });
        for (const piece of argumentPieces(call.args)) yield delta({ tool_calls: [{ index, function: { arguments: piece } }] });
      } else if (reasoning && heard.model === "openrouter") {
        const state = encrypted(seal("reasoning"));
        Object.assign(whole, { ...(hidden ? {} : { reasoning }), reasoning_details: [...(hidden ? [] : [openText(reasoning)]), state] });
        if (!hidden) for (const piece of wordsOf(reasoning)) yield delta({ reasoning: piece, reasoning_details: [openText(piece)] });
        yield delta({ reasoning_details: [state] });
      } else {
        if (reasoning) whole.reasoning_content = reasoning;
        else whole.content = (whole.content ?? "") + text;
        for (const piece of pieces) yield delta(reasoning ? { reasoning_content: piece, content: null } : { content: piece });
      }
    }
    remember(whole, heard, note);
    if (script.then) {
      yield { then: script.then };
      yield `data: ${JSON.stringify({ error: { message: script.message, type: "server_error", param: null, code: null } })}\n\n`;
      return;
    }
    yield delta({}, FINISH[script.finish]);
    if (heard.wantsUsage) yield frame([], { usage: usageOf(script.usage) });
    yield "data: [DONE]\n\n";
  },
};
