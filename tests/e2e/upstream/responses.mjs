// The scripted upstream's OpenAI Responses. It keeps what it was asked to store, for `previous_response_id`.
import { checkStrictSchema, imageWords, openaiDetails, openaiKey, openaiRefusal } from "./chat.mjs";
import { argumentPieces, wordsOf } from "./scripts.mjs";
import { checkProperties, checkUnique, demand, knownOnly, names, Refusal, turnOf } from "./strict.mjs";

const MODELS = names("gpt-4.1 gpt-5.2");

const FIELDS = names(`model input instructions previous_response_id conversation store background background_options stream
  stream_options max_output_tokens max_tool_calls temperature top_p top_logprobs reasoning text tools tool_choice
  parallel_tool_calls include truncation context_management prompt_cache_key prompt_cache_options prompt_cache_retention metadata
  user safety_identifier service_tier prompt moderation access_programs image client_metadata`);

const COMPACT_FIELDS = names("model input instructions previous_response_id prompt_cache_key prompt_cache_options prompt_cache_retention service_tier image");

const stored = new Map();

/** A list of parts as text and images. */
function readParts(content, where, types) {
  const parts = typeof content === "string" ? [{ type: types[0], text: content }] : content;
  demand(Array.isArray(parts), `Invalid type for '${where}'`);
  for (const part of parts) demand(types.includes(part.type), `Invalid value: '${part.type}'. Supported values are: ${types}.`, { param: `${where}` });
  return {
    texts: parts.filter((part) => part.text ?? part.refusal).map((part) => part.text ?? part.refusal),
    images: parts.filter((part) => part.type === "input_image").map((part) => imageWords(part.image_url)),
  };
}

const INPUT = ["input_text", "input_image", "input_file"];

/** Tools with items of their own, which the client runs: where an item has what a function has as arguments, and its other fields. */
const OWN_TOOLS = {
  tool_search: { prefix: "tsc", field: "arguments", more: { execution: "client" } },
  local_shell: { prefix: "lsh", field: "action", more: {} },
  shell: { prefix: "sh", field: "action", more: { environment: { type: "local" } } },
  apply_patch: { prefix: "apc", field: "operation", more: {} },
};

const OWN_CALLS = Object.fromEntries(Object.keys(OWN_TOOLS).map((name) => [`${name}_call`, name]));

const PREFIXES = { message: "msg", reasoning: "rs", function_call: "fc", custom_tool_call: "ctc", compaction: "cmp", ...Object.fromEntries(Object.entries(OWN_CALLS).map(([type, name]) => [type, OWN_TOOLS[name].prefix])) };

const INCLUDES = names(`file_search_call.results web_search_call.results web_search_call.action.sources message.input_image.image_url
  computer_call_output.output.image_url code_interpreter_call.outputs reasoning.encrypted_content message.output_text.logprobs`);

function readItem(item, index, heard, knows) {
  const where = `input[${index}]`;
  const assistant = () => turnOf(heard.turns, "assistant");
  const user = () => turnOf(heard.turns, "user");
  const kind = item.type ?? "message";
  const isOwn = item.role === "assistant" || ["reasoning", "function_call", "custom_tool_call", "compaction"].includes(kind) || Boolean(OWN_CALLS[kind]);
  const prefix = PREFIXES[kind];
  demand(!isOwn || item.id == null || item.id.startsWith(prefix), `Invalid '${where}.id': '${item.id}'. Expected an ID that begins with '${prefix}'.`, { param: `${where}.id` });
  if (isOwn) heard.own.push(item);
  switch (kind) {
    case "message": {
      if (item.role === "assistant") {
        const { texts } = readParts(item.content, `${where}.content`, ["output_text", "refusal"]);
        return void assistant().texts.push(...texts);
      }
      const { texts, images } = readParts(item.content, `${where}.content`, INPUT);
      if (item.role !== "user" && !heard.turns.length) return void heard.system.push(...texts);
      demand(["user", "system", "developer"].includes(item.role), `Invalid value: '${item.role}'`, { param: `${where}.role` });
      user().texts.push(...texts);
      return void user().images.push(...images);
    }
    case "additional_tools":
      demand(item.role === "developer" && Array.isArray(item.tools), `Invalid value in '${where}'`, { param: where });
      return void heard.tools.push(...item.tools.flatMap((tool) => readTool(tool)));
    case "reasoning": {
      demand(Array.isArray(item.summary), `Missing required parameter: '${where}.summary'.`);
      if (!item.encrypted_content) throw new Refusal(404, `Item with id '${item.id}' not found. Items are not persisted when \`store\` is set to false.`);
      demand(knows(item.encrypted_content, "reasoning"), `The encrypted content for item ${item.id} could not be verified.`, { code: "invalid_encrypted_content" });
      const next = heard.items[index + 1];
      // At the very end it is what is left of an answer that broke off: Codex sends that, and goes on.
      const isFollowed = !next || next.role === "assistant" || /(^reasoning|_call)$/.test(next.type ?? "");
      demand(isFollowed, `Item '${item.id}' of type 'reasoning' was provided without its required following item.`);
      assistant().seals.push(item.encrypted_content);
      return void assistant().thoughts.push(...item.summary.map((part) => part.text));
    }
    case "function_call":
    case "custom_tool_call": {
      const text = kind === "function_call" ? item.arguments : item.input;
      demand(item.call_id && item.call_id.length <= 64 && item.name && typeof text === "string", `${where}: a malformed function call`);
      const thought = item.id && ledBy.get(item.id);
      const behind = heard.items.slice(0, index).some((before) => before.type === "reasoning" && before.id === thought);
      demand(!thought || behind, `Item '${item.id}' of type '${kind}' was provided without its required 'reasoning' item: '${thought}'.`);
      const args = kind === "function_call" ? JSON.parse(text) : text;
      return void assistant().calls.push({ id: item.call_id, name: item.name, namespace: item.namespace, args });
    }
    case "function_call_output":
    case "custom_tool_call_output": {
      const { texts, images } = readParts(item.output, `${where}.output`, INPUT);
      const called = kind.replace("_output", "");
      const isCalled = heard.items.slice(0, index).some((before) => before.type === called && before.call_id === item.call_id);
      demand(isCalled, `No tool call found for ${called.replaceAll("_", " ")} output with call_id ${item.call_id}.`, { param: "input" });
      return void user().results.push({ id: item.call_id, text: texts.join(""), images });
    }
    case "tool_search_call":
    case "local_shell_call":
    case "shell_call":
    case "apply_patch_call": {
      const name = OWN_CALLS[kind];
      const args = item[OWN_TOOLS[name].field];
      demand(item.call_id && args && typeof args === "object", `Missing required parameter: '${where}.${OWN_TOOLS[name].field}'.`);
      demand(kind !== "shell_call" || Array.isArray(args.commands), `Missing required parameter: '${where}.action.commands'.`);
      demand(kind !== "apply_patch_call" || (["create_file", "update_file", "delete_file"].includes(args.type) && args.path), `Invalid value in '${where}.operation'.`);
      return void assistant().calls.push({ id: item.call_id, name, args });
    }
    case "tool_search_output":
      heard.tools.push(...item.tools.flatMap((tool) => readTool(tool)));
      return void user().results.push({ id: item.call_id, text: item.tools.map(({ name }) => name).join() });
    case "local_shell_call_output":
    case "shell_call_output":
    case "apply_patch_call_output":
      demand(kind !== "shell_call_output" || (Array.isArray(item.output) && item.output.every(({ outcome }) => outcome)), `Invalid type for '${where}.output'.`);
      return void user().results.push({ id: item.call_id ?? item.id, text: typeof item.output === "string" ? item.output : JSON.stringify(item.output ?? item.status) });
    case "compaction_trigger":
      demand(index === heard.items.length - 1, "'compaction_trigger' must be the last item.", { param: where });
      return void (heard.compacts = true);
    case "compaction":
      demand(knows(item.encrypted_content, "compaction"), "The encrypted content of the compaction could not be verified.", { code: "invalid_encrypted_content" });
      return void assistant().seals.push(item.encrypted_content);
    default:
      throw new Refusal(400, `Invalid value: '${item.type}'.`, { param: `${where}.type` });
  }
}

/** The reasoning that each call came from, by their ids: one is not taken without the other. */
const ledBy = new Map();

/** Results may come in any order, and later than the next words, as long as each call has one. */
function checkAnswered(items) {
  const outputs = items.filter((item) => /_output$/.test(item.type ?? ""));
  for (const item of items.filter((item) => /^(function|custom_tool)_call$/.test(item.type ?? "") || OWN_CALLS[item.type])) {
    // The local shell's outputs are known by the id of the call's item.
    const count = outputs.filter((output) => (output.call_id ? output.call_id === item.call_id : output.id === item.id)).length;
    demand(count === 1, count ? `Duplicate tool output for call_id ${item.call_id}.` : `No tool output found for function call ${item.call_id}.`, { param: "input" });
  }
}

const HOSTED = names("web_search web_search_2025_08_26 web_search_preview image_generation code_interpreter tool_search file_search mcp");

/** A declared tool, or those of a name space. */
function readTool(tool, namespace) {
  if (tool.type === "tool_search" ? tool.execution === "client" : OWN_TOOLS[tool.type]) return [{ name: tool.type, isOwn: true }];
  if (HOSTED.has(tool.type)) return [];
  if (tool.type === "namespace") {
    demand(/^[\w-]{1,64}$/.test(tool.name) && Array.isArray(tool.tools) && tool.tools.length, "Invalid value in 'tools'", { param: "tools" });
    return tool.tools.flatMap((inner) => readTool(inner, tool.name));
  }
  demand(/^[\w-]{1,128}$/.test(tool.name ?? ""), "Invalid value in 'tools'", { param: "tools" });
  if (tool.type === "custom") {
    const { type, syntax, definition } = tool.format ?? { type: "text" };
    demand(type === "text" || (type === "grammar" && ["lark", "regex"].includes(syntax) && definition), "Invalid value: 'tools.format'", { param: "tools" });
    return [{ name: tool.name, namespace, custom: true, description: tool.description }];
  }
  demand(tool.type === "function", `Invalid value: '${tool.type}'`, { param: "tools" });
  if (tool.strict) checkStrictSchema(tool.parameters, tool.name);
  checkProperties(tool.parameters, tool.name);
  return [{ name: tool.name, namespace, description: tool.description, schema: tool.parameters }];
}

const usageOf = ({ input, cached, written, output, reasoning }) => ({
  input_tokens: input,
  input_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
  output_tokens: output,
  output_tokens_details: { reasoning_tokens: reasoning },
  total_tokens: input + output,
});

const REASONS = { length: "max_output_tokens", filter: "content_filter" };

/** The response object around the output, repeating the request as the vendor does. */
function responseOf(heard, { id, created, status, output, usage = null, error = null, reason }) {
  const { body } = heard;
  return {
    id,
    object: "response",
    created_at: created,
    completed_at: status === "completed" ? created + 1 : null,
    status,
    background: false,
    error,
    incomplete_details: reason ? { reason } : null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: null,
    model: heard.model,
    output,
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: body.previous_response_id ?? null,
    prompt_cache_key: null,
    reasoning: { effort: null, summary: null, ...body.reasoning },
    safety_identifier: null,
    service_tier: "default",
    store: body.store ?? true,
    temperature: body.temperature ?? 1,
    text: { format: { type: "text" }, verbosity: "medium", ...body.text },
    tool_choice: body.tool_choice ?? "auto",
    tools: body.tools ?? [],
    top_logprobs: 0,
    top_p: body.top_p ?? 1,
    truncation: "disabled",
    usage,
    user: null,
    metadata: body.metadata ?? {},
  };
}

/** The output item of a step. Thoughts that came before a call are noted with it. Words before calls are in another phase. */
function itemOf({ reasoning, hidden, text, call }, heard, { id, seal }, before, finish) {
  const status = "completed";
  if (reasoning) {
    // Summaries come only to who asks for them; the state always comes.
    const summary = heard.summary && !hidden ? [{ type: "summary_text", text: reasoning }] : [];
    return { id: `rs_${id()}`, type: "reasoning", summary, encrypted_content: seal("reasoning") };
  }
  if (call) {
    const { namespace, custom, isOwn } = heard.tools.find((tool) => tool.name === call.name) ?? {};
    if (isOwn) {
      const { prefix, field, more } = OWN_TOOLS[call.name];
      const args = { local_shell: { type: "exec", env: {} }, shell: { timeout_ms: null, max_output_length: null } }[call.name];
      return { id: `${prefix}_${id()}`, type: `${call.name}_call`, status, call_id: `call_${id()}`, ...more, [field]: { ...args, ...call.args } };
    }
    const item = custom
      ? { id: `ctc_${id()}`, type: "custom_tool_call", status, call_id: `call_${id()}`, name: call.name, input: call.args.input }
      : { id: `fc_${id()}`, type: "function_call", status, call_id: `call_${id()}`, name: call.name, arguments: JSON.stringify(call.args) };
    const thought = before.findLast(({ type }) => type === "reasoning");
    if (thought) ledBy.set(item.id, thought.id);
    return namespace ? { ...item, namespace } : item;
  }
  const content = [{ type: "output_text", text, annotations: [], logprobs: [] }];
  return { id: `msg_${id()}`, type: "message", status, role: "assistant", content, phase: finish === "calls" ? "commentary" : "final_answer" };
}

/** What takes the place of a conversation. */
function compaction({ id, seal, note }) {
  const item = { id: `cmp_${id()}`, type: "compaction", encrypted_content: seal("compaction") };
  note(item);
  return item;
}

function keep(heard, response) {
  if (heard.body.store !== false) stored.set(response.id, [...heard.items, ...response.output]);
  return response;
}

export const responses = {
  name: "responses",
  keyHeaders: ["authorization"],
  keyOf: openaiKey,
  requestIdHeader: "x-request-id",

  route: (path) => ({ "/v1/responses": {}, "/v1/responses/compact": { compact: true }, "/v1/responses/input_tokens": { count: { object: "response.input_tokens", input_tokens: 42 } } })[path],

  refuse: openaiRefusal,

  scripted: openaiDetails,

  rateLimit: { headers: (after) => ({ "retry-after": String(after), "x-ratelimit-remaining-requests": "0" }) },

  read(body, { knows, route }) {
    knownOnly(body, route.compact ? COMPACT_FIELDS : FIELDS, "", (path) => `Unknown parameter: '${path}'.`);
    demand(typeof body.model === "string", "Missing required parameter: 'model'.", { param: "model" });
    if (!MODELS.has(body.model)) throw new Refusal(404, `The requested model '${body.model}' does not exist.`);
    demand(body.input != null, "Missing required parameter: 'input'.", { param: "input", code: "missing_required_parameter" });
    demand(!body.max_output_tokens || body.max_output_tokens >= 16, "Invalid 'max_output_tokens': integer below minimum value.", { param: "max_output_tokens" });
    const tools = (body.tools ?? []).flatMap((tool) => readTool(tool));
    checkUnique(tools.map(({ name, namespace }) => ({ name: `${namespace ?? ""} ${name}` })), (name) => `Duplicate tool name: ${name}`);
    const thinks = body.model !== "gpt-4.1";
    // Their defaults they take; others only from who asks for no thoughts, which this model's default is.
    const isThinking = thinks && !["none", undefined, null].includes(body.reasoning?.effort);
    for (const name of ["temperature", "top_p"]) demand(!isThinking || body[name] == null || body[name] === 1, `Unsupported parameter: '${name}' is not supported with this model.`, { param: name });
    demand(thinks || body.reasoning?.effort == null, "Unsupported parameter: 'reasoning.effort' is not supported with this model.", { param: "reasoning.effort" });
    for (const name of body.include ?? []) demand(INCLUDES.has(name), `Invalid value: '${name}'.`, { param: "include" });
    const format = body.text?.format;
    if (format?.type === "json_schema") {
      demand(format.name && format.schema, "Missing required parameter: 'text.format.name'.", { param: "text.format.name" });
      if (format.strict) checkStrictSchema(format.schema, "text.format");
    }
    const before = body.previous_response_id ? stored.get(body.previous_response_id) : [];
    demand(before, `Previous response with id '${body.previous_response_id}' not found.`, { param: "previous_response_id", code: "previous_response_not_found" });
    const input = typeof body.input === "string" ? [{ role: "user", content: body.input }] : body.input;
    const heard = {
      body,
      model: body.model,
      stream: body.stream === true,
      compacts: route.compact,
      items: [...before, ...input],
      system: body.instructions ? [body.instructions] : [],
      turns: [],
      own: [],
      tools,
      choice: body.tool_choice,
      schema: format?.schema,
      maxTokens: body.max_output_tokens,
      temperature: body.temperature,
      topP: body.top_p,
      stop: [],
      effort: body.reasoning?.effort,
      summary: body.reasoning?.summary,
    };
    heard.items.forEach((item, index) => readItem(item, index, heard, knows));
    checkAnswered(heard.items);
    return heard;
  },

  whole(script, heard, tools) {
    if (heard.compacts && !heard.body.stream) {
      const output = [...heard.items.filter((item) => item.role === "user"), compaction(tools)];
      return { id: `resp_${tools.id()}`, object: "response.compaction", created_at: tools.created, output, usage: usageOf(script.usage) };
    }
    const reason = REASONS[script.finish];
    const output = [];
    for (const step of script.steps) output.push(itemOf(step, heard, tools, output, script.finish));
    output.forEach(tools.note);
    const status = reason ? "incomplete" : "completed";
    return keep(heard, responseOf(heard, { id: `resp_${tools.id()}`, created: tools.created, status, output, usage: usageOf(script.usage), reason }));
  },

  *stream(script, heard, tools) {
    const { created } = tools;
    const id = `resp_${tools.id()}`;
    let number = 0;
    const event = (type, fields) => `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number++, ...fields })}\n\n`;
    const skeleton = responseOf(heard, { id, created, status: "in_progress", output: [] });
    yield event("response.created", { response: skeleton });
    yield event("response.in_progress", { response: skeleton });
    const output = [];
    if (heard.compacts) {
      const item = compaction(tools);
      yield event("response.output_item.added", { output_index: 0, item });
      yield event("response.output_item.done", { output_index: 0, item });
      output.push(item);
    }
    for (const [index, step] of heard.compacts ? [] : script.steps.entries()) {
      const item = itemOf(step.text === undefined ? step : { text: "" }, heard, tools, output, script.finish);
      const at = { output_index: index, item_id: item.id };
      const begun = { message: { status: "in_progress", content: [] }, function_call: { status: "in_progress", arguments: "" }, custom_tool_call: { status: "in_progress", input: "" }, reasoning: { summary: [] } }[item.type] ?? (OWN_CALLS[item.type] && { status: "in_progress" });
      yield event("response.output_item.added", { output_index: index, item: { ...item, ...begun } });
      if (item.type === "reasoning" && item.summary.length) {
        const part = { ...at, summary_index: 0 };
        yield event("response.reasoning_summary_part.added", { ...part, part: { type: "summary_text", text: "" } });
        for (const delta of step.pieces) yield event("response.reasoning_summary_text.delta", { ...part, delta });
        yield event("response.reasoning_summary_text.done", { ...part, text: step.reasoning });
        yield event("response.reasoning_summary_part.done", { ...part, part: item.summary[0] });
      } else if (item.type === "function_call") {
        for (const delta of argumentPieces(step.call.args)) yield event("response.function_call_arguments.delta", { ...at, delta });
        yield event("response.function_call_arguments.done", { ...at, name: item.name, arguments: item.arguments });
      } else if (item.type === "custom_tool_call") {
        for (const delta of wordsOf(item.input)) yield event("response.custom_tool_call_input.delta", { ...at, delta });
        yield event("response.custom_tool_call_input.done", { ...at, input: item.input });
      } else if (item.type === "message") {
        const part = { ...at, content_index: 0 };
        yield event("response.content_part.added", { ...part, part: { type: "output_text", text: "", annotations: [], logprobs: [] } });
        for (const delta of step.pieces) yield event("response.output_text.delta", { ...part, delta, logprobs: [] });
        if (script.then) break;
        item.content[0].text = step.text;
        yield event("response.output_text.done", { ...part, text: step.text, logprobs: [] });
        yield event("response.content_part.done", { ...part, part: item.content[0] });
      }
      yield event("response.output_item.done", { output_index: index, item });
      tools.note(item);
      output.push(item);
    }
    if (script.then) {
      yield { then: script.then };
      const error = { code: "server_error", message: script.message };
      yield event("error", { error: { type: "server_error", param: null, ...error } });
      yield event("response.failed", { response: responseOf(heard, { id, created, status: "failed", output, error }) });
      return;
    }
    const reason = REASONS[script.finish];
    const status = reason ? "incomplete" : "completed";
    yield event(`response.${status}`, { response: keep(heard, responseOf(heard, { id, created, status, output, usage: usageOf(script.usage), reason })) });
  },
};
