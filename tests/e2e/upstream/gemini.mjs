// The scripted upstream's Gemini: a Gemini 3 model, so every step of a turn needs the thought signature it came with.
import { canonical, checkConversation, checkUnique, demand, knownOnly, names, Refusal, turnOf } from "./strict.mjs";

const MODELS = names("gemini-3-pro-preview gemini-2.5-flash");

const FIELDS = names("contents systemInstruction tools toolConfig safetySettings generationConfig cachedContent labels serviceTier store continuationToken");

const CONFIG_FIELDS = names(`temperature topP topK candidateCount maxOutputTokens stopSequences presencePenalty frequencyPenalty seed
  responseLogprobs logprobs responseMimeType responseSchema responseJsonSchema responseModalities mediaResolution speechConfig
  imageConfig thinkingConfig`);

const PART_FIELDS = names("text inlineData fileData functionCall functionResponse thought thoughtSignature mediaResolution");

/** Google's own subset of OpenAPI, the older language of `parameters` and `responseSchema`. */
const SCHEMA_FIELDS = names(`type format title description nullable enum items minItems maxItems properties required minProperties
  maxProperties minLength maxLength pattern example anyOf propertyOrdering default minimum maximum`);

const LEVELS = names("MINIMAL LOW MEDIUM HIGH THINKING_LEVEL_UNSPECIFIED");

/** Stands for a signature that a foreign history lacks. */
const SENTINEL = "skip_thought_signature_validator";

const STATUSES = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  503: "UNAVAILABLE",
};

/** Values that are the user's, in whose keys nobody meddles. */
const FREE = names("args response parameters parametersJsonSchema responseSchema responseJsonSchema labels");

/** Every field may be written in snake_case too; Google's Python SDK mixes the two. */
function camel(value) {
  if (Array.isArray(value)) return value.map(camel);
  if (!value || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, inner]) => [key.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()), inner]);
  return Object.fromEntries(entries.map(([key, inner]) => [key, FREE.has(key) ? inner : camel(inner)]));
}

const unknownName = (path) => `Invalid JSON payload received. Unknown name "${path}": Cannot find field.`;

/** base64 in the standard alphabet, whichever it came in. */
const standard = (base64) => Buffer.from(base64, "base64").toString("base64");

/** The older schemas have no other words, and types in capitals. */
function checkSchema(schema, where) {
  if (!schema || typeof schema !== "object") return;
  knownOnly(schema, SCHEMA_FIELDS, where, unknownName);
  demand(schema.type === undefined || /^(TYPE_UNSPECIFIED|STRING|NUMBER|INTEGER|BOOLEAN|ARRAY|OBJECT|NULL|string|number|integer|boolean|array|object|null)$/.test(schema.type), `Invalid value at '${where}.type'`);
  for (const [name, property] of Object.entries(schema.properties ?? {})) checkSchema(property, `${where}.properties[${name}]`);
  checkSchema(schema.items, `${where}.items`);
  for (const [at, option] of (schema.anyOf ?? []).entries()) checkSchema(option, `${where}.any_of[${at}]`);
}

/** What a signature is bound to: the call that it stands on, or words. */
const bindingOf = ({ functionCall: call }) => (call ? `call\n${canonical([call.name, call.args ?? {}])}` : "text");

function readPart(part, where, turn, heard, counts) {
  knownOnly(part, PART_FIELDS, where, unknownName);
  const data = ["text", "inlineData", "fileData", "functionCall", "functionResponse"].filter((name) => part[name] !== undefined);
  demand(data.length === 1, `${where}: required oneof field 'data' must have one initialized field`);
  if (part.thoughtSignature !== undefined) {
    const known = part.thoughtSignature === SENTINEL || heard.knows(standard(part.thoughtSignature), bindingOf(part));
    demand(known, "Corrupted thought signature.");
    turn.seals.push(part.thoughtSignature === SENTINEL ? SENTINEL : standard(part.thoughtSignature));
  }
  if (part.text !== undefined) return void (part.thought ? turn.thoughts : turn.texts).push(part.text);
  if (part.inlineData) return void turn.images.push(`${part.inlineData.mimeType} of ${Buffer.from(part.inlineData.data, "base64").length} bytes`);
  if (part.fileData) return void turn.images.push(part.fileData.fileUri);
  const { functionCall: call, functionResponse: result } = part;
  if (call) {
    demand(turn.role === "assistant", `${where}: function calls come from the model`);
    return void turn.calls.push({ id: call.id ?? `${call.name}#${turn.calls.length}`, name: call.name, args: call.args ?? {}, signed: part.thoughtSignature !== undefined });
  }
  demand(turn.role === "user" && result.response && typeof result.response === "object" && !Array.isArray(result.response), `${where}: a malformed function response`);
  const asked = heard.turns.at(-2)?.calls[counts.results++];
  const { output, error } = result.response;
  const value = output ?? error ?? result.response;
  demand(asked?.name === result.name, `${where}: the function response for ${result.name} answers no call of the turn before it`);
  knownOnly(result, names("id name response parts scheduling willContinue"), `${where}.function_response`, unknownName);
  demand(result.id === undefined || asked.id.includes("#") || result.id === asked.id, `${where}: the function response for ${result.id} answers no call of the turn before it`);
  const images = (result.parts ?? []).map(({ inlineData }) => `${inlineData.mimeType} of ${Buffer.from(inlineData.data, "base64").length} bytes`);
  turn.results.push({ images, id: result.id ?? asked.id, text: typeof value === "string" ? value : JSON.stringify(value), error: error !== undefined });
}

/** The model's contents in a row are one turn: clients keep a stream's chunks each as a content. */
function turnsOf(contents) {
  const turns = [];
  for (const { role = "user", parts } of contents) {
    if (role === "model" && turns.at(-1)?.role === role) turns.at(-1).parts.push(...parts);
    else turns.push({ role, parts: [...(parts ?? [])] });
  }
  return turns;
}

const callsIn = (content) => (content?.parts ?? []).filter((part) => part.functionCall).length;

/** Calls stand behind a user's turn, and their results, all of them, in the next. */
function checkTurn(contents, index) {
  const [before, here] = [contents[index - 1], contents[index]];
  const results = here.parts.filter((part) => part.functionResponse).length;
  const isCall = callsIn(here) > 0;
  demand(!isCall || (before && before.role !== "model"), "Please ensure that function call turn comes immediately after a user turn or after a function response turn.");
  demand(results === callsIn(before) || (!results && !before?.parts.some((part) => part.functionCall)), "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.");
}

const usageOf = ({ input, cached, output, reasoning }) => ({
  promptTokenCount: input,
  candidatesTokenCount: output - reasoning,
  totalTokenCount: input + output,
  cachedContentTokenCount: cached,
  thoughtsTokenCount: reasoning || undefined,
  promptTokensDetails: [{ modality: "TEXT", tokenCount: input }],
});

const FINISH = { end: "STOP", calls: "STOP", length: "MAX_TOKENS", filter: "SAFETY" };

export const gemini = {
  name: "gemini",
  keyHeaders: ["x-goog-api-key"],
  keyOf: (headers, url) => headers["x-goog-api-key"] ?? url.searchParams.get("key") ?? undefined,
  requestIdHeader: "x-request-id",
  type: "application/json; charset=UTF-8",

  route(path, url) {
    const [, model, verb] = /^\/v1(?:beta|alpha)?\/models\/([^/:]+):(\w+)$/.exec(path) ?? [];
    if (verb === "countTokens") return { model, count: { totalTokens: 42 } };
    if (verb === "generateContent") return { model };
    if (verb === "streamGenerateContent") return { model, stream: true, array: url.searchParams.get("alt") !== "sse" };
    return undefined;
  },

  // Google has no 529: an overloaded server says 503.
  refuse(status, message, { reason, retry } = {}) {
    const code = status === 529 ? 503 : status;
    const details = [];
    if (reason) details.push({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "googleapis.com" });
    if (retry) details.push({ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: `${retry}s` });
    return { status: code, body: { error: { code, message, status: STATUSES[code] ?? "UNKNOWN", ...(details.length ? { details } : {}) } } };
  },

  // The time to wait is in the body alone.
  rateLimit: { headers: () => ({}), details: (after) => ({ retry: after }) },

  // A bad key is a bad request here.
  badKey: () => new Refusal(400, "API key not valid. Please pass a valid API key.", { reason: "API_KEY_INVALID" }),

  read(written, { route, knows, counting }) {
    let body = camel(written);
    if (counting && body.generateContentRequest) body = { ...body.generateContentRequest, model: undefined };
    const { model: _, ...fields } = body;
    knownOnly(fields, FIELDS, "", unknownName);
    const model = decodeURIComponent(route.model);
    if (!MODELS.has(model)) throw new Refusal(404, `models/${model} is not found for API version v1beta, or is not supported for generateContent.`);
    demand(Array.isArray(body.contents) && body.contents.length, "* GenerateContentRequest.contents: contents is not specified");
    const config = body.generationConfig ?? {};
    knownOnly(config, CONFIG_FIELDS, "generation_config", unknownName);
    const thinking = config.thinkingConfig ?? {};
    knownOnly(thinking, names("includeThoughts thinkingBudget thinkingLevel"), "generation_config.thinking_config", unknownName);
    demand(thinking.thinkingLevel === undefined || LEVELS.has(thinking.thinkingLevel.toUpperCase()), "Invalid value at 'generation_config.thinking_config.thinking_level'");
    demand((config.stopSequences ?? []).length <= 5, "The number of stop sequences must be at most 5");
    demand(!(config.responseJsonSchema && config.responseSchema), "Only one of response_schema and response_json_schema can be set.");
    checkSchema(config.responseSchema, "generation_config.response_schema");
    demand(thinking.thinkingBudget === undefined || thinking.thinkingLevel === undefined, "You can only set only one of thinking budget and thinking level.");
    const schema = config.responseJsonSchema ?? config.responseSchema;
    demand(!schema || config.responseMimeType === "application/json", "response_schema is only supported with response_mime_type application/json");
    for (const tool of body.tools ?? []) knownOnly(tool, names("functionDeclarations googleSearch urlContext codeExecution"), "tools", unknownName);
    const isMixed = (body.tools ?? []).some((tool) => tool.functionDeclarations) && body.tools.some((tool) => !tool.functionDeclarations);
    demand(!isMixed || (model === "gemini-3-pro-preview" && body.toolConfig?.includeServerSideToolInvocations), "Tool use with function calling is unsupported");
    const declarations = (body.tools ?? []).flatMap((tool) => tool.functionDeclarations ?? []);
    checkUnique(declarations, (name) => `Duplicate function declaration found: ${name}`);
    const calling = body.toolConfig?.functionCallingConfig ?? {};
    demand(!calling.allowedFunctionNames?.length || ["ANY", "VALIDATED"].includes(calling.mode), "allowed_function_names can only be set when mode is ANY or VALIDATED");
    const tools = declarations.map(({ name, description, parametersJsonSchema, parameters, ...more }) => {
      demand(/^[A-Za-z_][\w.:-]{0,127}$/.test(name), "Invalid function name.");
      knownOnly(more, names("response responseJsonSchema behavior"), `tools.${name}`, unknownName);
      demand(!(parametersJsonSchema && parameters), `Only one of parameters and parameters_json_schema can be set: ${name}`);
      checkSchema(parameters, `tools.${name}.parameters`);
      return { name, description, schema: parametersJsonSchema ?? parameters };
    });
    const heard = {
      model,
      knows,
      stream: route.stream === true,
      array: route.array,
      system: (body.systemInstruction?.parts ?? []).map((part) => part.text),
      body,
      turns: [],
      own: [],
      tools,
      choice: body.toolConfig?.functionCallingConfig,
      schema,
      maxTokens: config.maxOutputTokens,
      temperature: config.temperature,
      topP: config.topP,
      topK: config.topK,
      stop: config.stopSequences ?? [],
      effort: thinking.thinkingLevel ?? thinking.thinkingBudget,
      shows: thinking.includeThoughts === true,
    };
    body.contents.forEach(({ role = "user", parts, ...more }, index) => {
      knownOnly(more, names(""), `contents[${index}]`, unknownName);
      demand(["user", "model"].includes(role), "Please use a valid role: user, model.");
      demand(Array.isArray(parts) && parts.length, `* GenerateContentRequest.contents[${index}].parts: contents.parts must not be empty.`);
      const turn = turnOf(heard.turns, role === "model" ? "assistant" : "user");
      const counts = { results: 0 };
      parts.forEach((part, at) => readPart(part, `contents[${index}].parts[${at}]`, turn, heard, counts));
      if (role === "model") heard.own.push(...parts);
    });
    const turns = turnsOf(body.contents);
    turns.forEach((_, index) => checkTurn(turns, index));
    checkConversation(heard.turns);
    // The turn under way began when the user last said something that is no result.
    const asked = heard.turns.findLastIndex((turn) => turn.texts.length && !turn.results.length && turn.role === "user");
    for (const turn of heard.turns.slice(asked + 1).filter((turn) => turn.calls.length)) {
      demand(model !== "gemini-3-pro-preview" || turn.calls[0].signed, "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly.");
    }
    return heard;
  },

  whole(script, heard, tools) {
    const parts = [...partsOf(script, heard, tools, false)];
    parts.forEach(tools.note);
    return responseOf(heard, tools.id(), parts, script.usage, script.finish);
  },

  *stream(script, heard, tools) {
    const id = tools.id();
    const chunk = (parts, finish) => responseOf(heard, id, parts, finish ? script.usage : { ...script.usage, output: 0, reasoning: 0 }, finish);
    const said = (part) => (tools.note(part), chunk([part]));
    for (const part of partsOf(script, heard, tools, true)) yield said(part);
    if (script.then) {
      yield { then: script.then };
      yield this.refuse(500, script.message).body;
      return;
    }
    // A signature that belongs to no call comes with an empty text.
    const signature = script.steps.some((step) => step.reasoning) && !script.steps.some((step) => step.call);
    const end = signature ? { text: "", thoughtSignature: tools.seal("text") } : { text: "" };
    tools.note(end);
    yield chunk([end], script.finish);
  },

  /** The stream as server-sent events, or as one JSON array where these were not asked for. */
  *frame(objects, heard) {
    let first = true;
    for (const object of objects) {
      if (object.then) yield object;
      else if (heard.array) yield `${first ? "[" : ",\r\n"}${JSON.stringify(object)}`;
      else yield `data: ${JSON.stringify(object)}\r\n\r\n`;
      first = false;
    }
    if (heard.array) yield "]";
  },
};

/** The parts of the answer: in a stream a text in its pieces; a call is always whole. */
function* partsOf(script, heard, { id, seal }, streamed) {
  let signed = false;
  for (const { reasoning, hidden, text, pieces, call } of script.steps) {
    if (call) {
      // Only the first of parallel calls is signed.
      const part = { functionCall: { id: id(), name: call.name, args: call.args } };
      yield signed ? part : { ...part, thoughtSignature: seal(bindingOf(part)) };
      signed = true;
    } else if (!reasoning || (heard.shows && !hidden)) {
      const thought = reasoning ? { thought: true } : {};
      // A whole text is signed itself; a streamed one by an empty text behind it.
      const signature = !streamed && !reasoning && script.steps.every((step) => !step.call) && script.steps.some((step) => step.reasoning) ? { thoughtSignature: seal("text") } : {};
      for (const piece of streamed ? pieces : [reasoning ?? text]) yield { text: piece, ...thought, ...signature };
    }
  }
}

function responseOf(heard, id, parts, usage, finish) {
  const candidate = { content: { role: "model", parts }, index: 0, ...(finish ? { finishReason: FINISH[finish] } : {}) };
  return { candidates: [candidate], usageMetadata: usageOf(usage), modelVersion: heard.model, responseId: id };
}
