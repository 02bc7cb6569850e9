// The scripted upstream's Claude Messages.
import { argumentPieces, wordsOf } from "./scripts.mjs";
import { canonical, checkConversation, checkUnique, demand, knownOnly, names, Refusal, turnOf } from "./strict.mjs";

/** The first takes sampling parameters and token budgets; the second neither. Both think as they see fit. */
const MODELS = names("claude-sonnet-4-6 claude-opus-5-5");

const FIELDS = names(`model max_tokens messages system stop_sequences stream thinking output_config tools tool_choice metadata
  service_tier speed inference_geo container diagnostics cache_control temperature top_p top_k`);

/** Fields that come with a beta's header or not at all; the header may come alone. */
const BETA_FIELDS = {
  context_management: /^(context-management|compact)-/,
  mcp_servers: /^mcp-client-/,
  thread: /^message-threads-/,
  fallbacks: /^server-side-fallback-/,
  compaction: /^compact-/,
};

const TOOL_FIELDS = names(`type name description input_schema strict cache_control input_examples eager_input_streaming
  defer_loading allowed_callers`);

/** Tools that Anthropic runs, or whose schema it knows. */
const SERVER_TOOLS = /^(web_search|web_fetch|code_execution|bash|text_editor|memory|tool_search_tool_(regex|bm25))_\d{8}$/;

const EFFORTS = names("low medium high xhigh max");

const BLOCKS = names("text image document search_result tool_use tool_result thinking redacted_thinking");

const ERRORS = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error",
  500: "api_error",
  529: "overloaded_error",
};

const extra = (path) => `${path}: Extra inputs are not permitted`;

/** Structured output wants every object closed. */
function checkSchema(schema, where) {
  if (!schema || typeof schema !== "object") return;
  if (schema.type === "object") demand(schema.additionalProperties === false, `${where}: For 'object' type, 'additionalProperties' must be explicitly set to false`);
  for (const [name, property] of Object.entries(schema.properties ?? {})) checkSchema(property, `${where}.properties.${name}`);
  checkSchema(schema.items, `${where}.items`);
}

/** The operator's words in mid-conversation: behind a user's message, and before the model's or at the end. */
function readOperator(body, index, blocks, heard) {
  const where = `messages.${index}`;
  demand(body.model === "claude-opus-5-5", `${where}: role 'system' is not supported on this model`);
  demand(body.messages[index - 1]?.role === "user", `${where}: a system message must follow a user message`);
  demand([undefined, "assistant"].includes(body.messages[index + 1]?.role), `${where}: a system message must be last or precede an assistant message`);
  demand(blocks.every((block) => block.type === "text"), `${where}: a system message takes text only`);
  heard.operator.push(...blocks.map((block) => block.text));
}

function imageWords({ type, media_type, data, url }) {
  return type === "base64" ? `${media_type} of ${Buffer.from(data, "base64").length} bytes` : url;
}

/** The history before a turn, whichever way it is divided into messages and whatever is marked for the cache. */
function prefixOf(system, messages) {
  const blocks = (content) => (typeof content === "string" ? [{ type: "text", text: content }] : content).map(({ cache_control, ...block }) => block);
  const turns = [];
  for (const { role, content } of messages) {
    if (turns.at(-1)?.role === role) turns.at(-1).content.push(...blocks(content));
    else turns.push({ role, content: blocks(content) });
  }
  return canonical([blocks(system ?? []), turns]);
}

/** What a seal of the newer models is bound to: the model and all that was said before. The older ones' is not. */
const bindingOf = (body, messages) => (body.model === "claude-opus-5-5" ? `${body.model}\n${prefixOf(body.system, messages)}` : "");

function readBlock(block, where, turn, knows) {
  demand(BLOCKS.has(block.type), `${where}: Input tag '${block.type}' found using 'type' does not match any of the expected tags`);
  switch (block.type) {
    case "text":
      demand(block.text, `${where}: text content blocks must be non-empty`);
      return void turn.texts.push(block.text);
    case "image":
      return void turn.images.push(imageWords(block.source));
    case "tool_use":
      demand(turn.role === "assistant" && /^[\w-]+$/.test(block.id) && block.name, `${where}: a malformed tool_use`);
      knownOnly(block, names("type id name input cache_control caller"), where, extra);
      demand(turn.calls.every((call) => call.id !== block.id), `${where}: \`tool_use\` ids must be unique`);
      demand(block.input && typeof block.input === "object" && !Array.isArray(block.input), `${where}.input: Input should be a valid dictionary`);
      return void turn.calls.push({ id: block.id, name: block.name, args: block.input });
    case "tool_result": {
      demand(turn.role === "user" && !turn.texts.length && !turn.images.length, `${where}: tool_result blocks must come first in the user message`);
      const parts = typeof block.content === "string" ? [{ type: "text", text: block.content }] : (block.content ?? []);
      const texts = parts.filter((part) => part.type === "text").map((part) => part.text);
      const images = parts.filter((part) => part.type === "image").map((part) => imageWords(part.source));
      return void turn.results.push({ id: block.tool_use_id, text: texts.join(""), error: block.is_error === true, images });
    }
    case "thinking":
      knownOnly(block, names("type thinking signature"), where, extra);
      demand(typeof block.thinking === "string", `${where}.thinking.thinking: Field required`);
      demand(knows(block.signature, `thinking\n${block.thinking}`), `${where}: Invalid \`signature\` in \`thinking\` block`);
      turn.thoughts.push(block.thinking);
      return void turn.seals.push(block.signature);
    case "redacted_thinking":
      knownOnly(block, names("type data"), where, extra);
      demand(knows(block.data, "redacted"), `${where}: Invalid \`data\` in \`redacted_thinking\` block`);
      return void turn.seals.push(block.data);
    default:
      return undefined;
  }
}

const usageOf = ({ input, cached, written, output, reasoning }) => ({
  input_tokens: input - cached - written,
  cache_creation_input_tokens: written,
  cache_read_input_tokens: cached,
  cache_creation: { ephemeral_5m_input_tokens: written, ephemeral_1h_input_tokens: 0 },
  output_tokens: output,
  output_tokens_details: { thinking_tokens: reasoning },
  service_tier: "standard",
});

const STOP = { end: "end_turn", calls: "tool_use", length: "max_tokens", filter: "refusal" };

const stopOf = (script) => ({
  stop_reason: STOP[script.finish],
  stop_sequence: null,
  stop_details: script.finish === "filter" ? { type: "refusal", category: "general_harms", explanation: "scripted" } : null,
});

/** Claude thinks only where it is asked to. */
const stepsFor = (script, heard) => script.steps.filter((step) => !step.reasoning || heard.thinks);

/** A thought as it is shown, and sealed with all that it is bound to. */
function thought(reasoning, hidden, heard, seal) {
  const binding = bindingOf(heard.body, heard.body.messages);
  if (hidden) return { type: "redacted_thinking", data: seal(`${binding}\nredacted`) };
  const thinking = heard.omitted ? "" : reasoning;
  return { type: "thinking", thinking, signature: seal(`${binding}\nthinking\n${thinking}`) };
}

export const claude = {
  name: "claude",
  keyHeaders: ["x-api-key", "authorization"],
  keyOf: (headers) => headers["x-api-key"] ?? /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1],
  requestIdHeader: "request-id",

  route: (path) => ({ "/v1/messages": {}, "/v1/messages/count_tokens": { count: { input_tokens: 42 } } })[path],

  refuse: (status, message, { details } = {}) => ({
    status,
    body: { type: "error", error: { type: ERRORS[status] ?? "api_error", message, details }, request_id: "req_scripted" },
  }),

  rateLimit: { headers: (after) => ({ "retry-after": String(after), "anthropic-ratelimit-requests-remaining": "0" }) },

  read(body, { headers, knows, counting }) {
    const version = headers["anthropic-version"];
    demand(["2023-06-01", "2026-10-21"].includes(version), "anthropic-version: header is required");
    const betas = (headers["anthropic-beta"] ?? "").split(",");
    const { ...plain } = body;
    for (const [field, beta] of Object.entries(BETA_FIELDS)) if (betas.some((one) => beta.test(one))) delete plain[field];
    knownOnly(plain, FIELDS, "", extra);
    // It keeps none; to who asks for one it says so as the API does, and SDKs go on without.
    if (body.thread) throw new Refusal(400, "thread: this organization has no threads", { details: { error_code: "thread_unsupported_request", unsupported: ["thread"] } });
    demand(typeof body.model === "string", "model: Field required");
    if (!MODELS.has(body.model)) throw new Refusal(404, `model: ${body.model}`);
    demand(counting || Number.isInteger(body.max_tokens), "max_tokens: Field required");
    demand(Array.isArray(body.messages) && body.messages.length, "messages: Field required");
    demand(counting || body.messages.at(-1).role !== "assistant", "This model does not support assistant message prefill. The conversation must end with a user message.");
    demand(body.messages[0].role === "user", "messages: first message must use the \"user\" role");
    for (const name of ["temperature", "top_p", "top_k"]) {
      demand(body[name] === undefined || (version === "2023-06-01" && body.model === "claude-sonnet-4-6"), extra(name));
    }
    demand(body.temperature === undefined || (body.temperature >= 0 && body.temperature <= 1), "temperature: range: 0..1");
    const { thinking } = body;
    if (thinking?.type === "enabled") {
      demand(body.model === "claude-sonnet-4-6", "thinking.type: enabled is not supported on this model");
      demand(thinking.budget_tokens >= 1024, "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024");
      demand(counting || thinking.budget_tokens < body.max_tokens, "`max_tokens` must be greater than `thinking.budget_tokens`");
      demand(body.temperature === undefined || body.temperature === 1, "`temperature` may only be set to 1 when thinking is enabled");
    }
    const isBound = body.model === "claude-opus-5-5";
    demand(!isBound || !["disabled", "between_tools"].includes(thinking?.type), `thinking.type: ${thinking?.type} is not supported on this model`);
    const effort = body.output_config?.effort;
    demand(effort == null || EFFORTS.has(effort), "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'");
    const isForced = ["any", "tool"].includes(body.tool_choice?.type);
    demand(!isForced || !(isBound || thinking?.type === "enabled"), "Thinking may not be enabled when tool_choice forces tool use.");
    for (const sequence of body.stop_sequences ?? []) demand(sequence.trim(), "stop_sequences: each stop sequence must contain non-whitespace");
    const marks = JSON.stringify([body.system, body.messages, body.tools]).match(/"cache_control":\{/g) ?? [];
    demand(marks.length <= 4, `A maximum of 4 blocks with cache_control may be provided. Found ${marks.length}.`);
    checkUnique(body.tools ?? [], () => "tools: Tool names must be unique.");
    const offered = (body.tools ?? []).filter((tool) => !SERVER_TOOLS.test(tool.type ?? ""));
    const tools = offered.map((tool, index) => {
      demand(["custom", undefined].includes(tool.type), `tools.${index}: Input tag '${tool.type}' found using 'type' does not match any of the expected tags`);
      knownOnly(tool, TOOL_FIELDS, `tools.${index}.custom`, extra);
      demand(/^[\w-]{1,128}$/.test(tool.name), `tools.${index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`);
      demand(tool.input_schema?.type === "object", `tools.${index}.custom.input_schema.type: Field required`);
      for (const word of ["oneOf", "anyOf", "allOf"]) demand(!tool.input_schema[word], `tools.${index}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level`);
      return { name: tool.name, description: tool.description, schema: tool.input_schema };
    });
    demand(body.tools?.length || !body.tool_choice, "tool_choice: tools must be given");
    const schema = body.output_config?.format?.schema;
    checkSchema(schema, "output_config.format.schema");
    const heard = {
      model: body.model,
      stream: body.stream === true,
      system: typeof body.system === "string" ? [body.system] : (body.system ?? []).map((block) => block.text),
      operator: [],
      betas: betas.filter(Boolean),
      version,
      body,
      turns: [],
      own: [],
      tools,
      choice: body.tool_choice,
      schema,
      maxTokens: body.max_tokens,
      temperature: body.temperature,
      topP: body.top_p,
      topK: body.top_k,
      stop: body.stop_sequences ?? [],
      // The newer one thinks unless it is told not to, which it cannot be.
      thinks: isBound || ["enabled", "adaptive"].includes(thinking?.type),
      omitted: (thinking?.display ?? (body.model === "claude-sonnet-4-6" ? "summarized" : "omitted")) === "omitted",
      effort: thinking?.budget_tokens ?? body.output_config?.effort,
    };
    body.messages.forEach(({ role, content, ...more }, index) => {
      knownOnly(more, names(""), `messages.${index}`, extra);
      const blocks = typeof content === "string" ? [{ type: "text", text: content }] : content;
      demand(Array.isArray(blocks) && blocks.length, `messages.${index}: all messages must have non-empty content`);
      if (role === "system") return void readOperator(body, index, blocks, heard);
      demand(["user", "assistant"].includes(role), `messages.${index}.role: Input should be 'user' or 'assistant'`);
      const turn = turnOf(heard.turns, role);
      const binding = role === "assistant" && isBound ? bindingOf(body, body.messages.slice(0, index)) : "";
      blocks.forEach((block, at) => readBlock(block, `messages.${index}.content.${at}`, turn, (value, what) => knows(value, `${binding}\n${what}`)));
      if (role === "assistant") heard.own.push(...blocks);
    });
    checkConversation(heard.turns);
    // Whoever thinks by a budget goes on with the thought that led to the tools.
    const begun = heard.turns.at(-1).results.length ? body.messages.findLast(({ role }) => role === "assistant") : undefined;
    if (thinking?.type === "enabled" && begun) {
      const first = begun.content[0].type;
      demand(/thinking$/.test(first), `messages.${body.messages.indexOf(begun)}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found \`${first}\`. When \`thinking\` is enabled, a final \`assistant\` message must start with a thinking block.`);
    }
    return heard;
  },

  whole(script, heard, { id, seal, note }) {
    const content = stepsFor(script, heard).map(({ reasoning, hidden, text, call }) => {
      if (reasoning) return thought(reasoning, hidden, heard, seal);
      return call ? { type: "tool_use", id: `toolu_${id()}`, name: call.name, input: call.args } : { type: "text", text };
    });
    content.forEach(note);
    return { id: `msg_${id()}`, type: "message", role: "assistant", model: heard.model, content, container: null, ...stopOf(script), usage: usageOf(script.usage) };
  },

  *stream(script, heard, { id, seal, note }) {
    const event = (type, fields = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
    const usage = usageOf(script.usage);
    const message = { id: `msg_${id()}`, type: "message", role: "assistant", model: heard.model, content: [], stop_reason: null, stop_sequence: null };
    yield event("message_start", { message: { ...message, usage: { ...usage, output_tokens: 1, output_tokens_details: { thinking_tokens: 0 } } } });
    yield event("ping");
    for (const [index, { reasoning, hidden, text, pieces, call }] of stepsFor(script, heard).entries()) {
      const start = (block) => event("content_block_start", { index, content_block: block });
      const delta = (fields) => event("content_block_delta", { index, delta: fields });
      if (reasoning) {
        const block = thought(reasoning, hidden, heard, seal);
        note(block);
        yield start(hidden ? block : { type: "thinking", thinking: "", signature: "" });
        for (const piece of wordsOf(block.thinking ?? "")) yield delta({ type: "thinking_delta", thinking: piece });
        if (!hidden) yield delta({ type: "signature_delta", signature: block.signature });
      } else if (call) {
        const block = { type: "tool_use", id: `toolu_${id()}`, name: call.name, input: call.args };
        note(block);
        yield start({ ...block, input: {} });
        // No arguments are no text at all, here.
        const given = Object.keys(call.args).length ? argumentPieces(call.args) : [];
        for (const piece of ["", ...given]) yield delta({ type: "input_json_delta", partial_json: piece });
      } else {
        note({ type: "text", text });
        yield start({ type: "text", text: "" });
        for (const piece of pieces) yield delta({ type: "text_delta", text: piece });
        if (script.then) break;
      }
      yield event("content_block_stop", { index });
    }
    if (script.then) {
      yield { then: script.then };
      yield event("error", { error: { type: "api_error", message: script.message } });
      return;
    }
    yield event("message_delta", { delta: stopOf(script), usage });
    yield event("message_stop");
  },
};
