// The vendors' own SDKs behind one face, so that a test can be written once for all of them. What a test says here goes
// through the SDK as its documentation shows it: its own methods, its own streaming helpers, and histories made of what it
// gave back, unchanged.
//
//   const client = clients.claude({ base, key });
//   const talk = client.talk({ model, system, tools });
//   const answer = await talk.say("What is the weather in Paris?", { stream: true });
//   const final = await talk.results([{ call: answer.calls[0], output: "21" }]);
//   talk.use(another);                  // the next turns are another model's
//   await talk.again({ stream: true }); // the last request once more, after it failed
//
// An answer: `text`, `reasoning`, `calls` ({ id, name, args }), `finish` ("end", "calls", "length", "filter"), `usage`
// ({ input, cached, written, output, reasoning }), `model`, `pieces` (when which piece of text came), `raw`.
import Anthropic from "@anthropic-ai/sdk";
import { ApiError, GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

const imagePart = ({ mime, data }) => `data:${mime};base64,${data}`;
const partsOf = (content) => (typeof content === "string" ? [{ text: content }] : content);
const notNull = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
const join = (list) => list.join("");

/** Collects a stream's pieces of text with the time of their arrival. */
function arrivals() {
  const pieces = [];
  return { pieces, add: (text) => text && pieces.push({ at: performance.now(), text }) };
}

/** What an SDK of OpenAI's or Anthropic's kind throws, in neutral terms. */
function failureOf(error, sdk) {
  const classes = {
    BadRequestError: "bad request",
    AuthenticationError: "authentication",
    PermissionDeniedError: "permission",
    NotFoundError: "not found",
    RateLimitError: "rate limit",
    InternalServerError: "server",
  };
  const name = Object.keys(classes).find((name) => error instanceof sdk[name]);
  return {
    kind: classes[name] ?? (error instanceof sdk.APIError ? "api" : "other"),
    status: error.status,
    message: error.message,
    retryAfter: Number(error.headers?.get("retry-after") ?? NaN),
    requestId: error.requestID,
    error,
  };
}

function openai({ base, key, ...options }) {
  // None of the SDK's own retries: a test wants to see the first answer.
  return new OpenAI({ baseURL: base, apiKey: key, maxRetries: 0, logLevel: "off", ...options });
}

export function chat(connection) {
  const sdk = openai(connection);

  /** The message with what streamed extensions said: the SDK's helper keeps only the last delta of fields it does not know. */
  function extended(message, deltas) {
    const text = (field) => join(deltas.map((delta) => delta[field] ?? ""));
    const said = (field) => (text(field) ? { [field]: text(field) } : {});
    const details = deltas.flatMap((delta) => delta.reasoning_details ?? []);
    return {
      ...message,
      ...said("reasoning_content"),
      ...said("reasoning"),
      ...(details.length ? { reasoning_details: details } : {}),
    };
  }

  function talk({ model, system, tools, schema, maxTokens, temperature, topP, stop, effort, choice, body }) {
    const messages = system ? [{ role: "system", content: system }] : [];
    const request = () =>
      notNull({
        model,
        messages,
        tools: tools?.map(({ name, description, schema }) => ({ type: "function", function: { name, description, parameters: schema } })),
        tool_choice: choice && { type: "function", function: { name: choice } },
        response_format: schema && { type: "json_schema", json_schema: { name: "answer", schema, strict: true } },
        max_completion_tokens: maxTokens,
        temperature,
        top_p: topP,
        stop,
        reasoning_effort: effort,
        ...body,
      });
    async function run({ stream, signal, onText } = {}) {
      const { pieces, add } = arrivals();
      let raw;
      const deltas = [];
      if (stream) {
        const events = sdk.chat.completions.stream({ ...request(), stream_options: { include_usage: true } }, { signal });
        events.on("content", (text) => (add(text), onText?.(text)));
        events.on("chunk", (chunk) => chunk.choices[0] && deltas.push(structuredClone(chunk.choices[0].delta)));
        raw = await events.finalChatCompletion();
      } else raw = await sdk.chat.completions.create(request(), { signal });
      const [{ message, finish_reason: reason }] = raw.choices;
      const kept = extended(message, deltas);
      messages.push(kept);
      return {
        text: message.content ?? "",
        reasoning: kept.reasoning_content ?? kept.reasoning ?? "",
        calls: (message.tool_calls ?? []).map((call) => ({ id: call.id, name: call.function.name, args: JSON.parse(call.function.arguments) })),
        finish: { stop: "end", tool_calls: "calls", length: "length", content_filter: "filter" }[reason] ?? reason,
        usage: {
          input: raw.usage?.prompt_tokens,
          cached: raw.usage?.prompt_tokens_details?.cached_tokens,
          written: raw.usage?.prompt_tokens_details?.cache_write_tokens,
          output: raw.usage?.completion_tokens,
          reasoning: raw.usage?.completion_tokens_details?.reasoning_tokens,
        },
        model: raw.model,
        pieces,
        raw,
      };
    }
    return {
      say(content, options) {
        const parts = partsOf(content).map((part) => (part.image ? { type: "image_url", image_url: { url: part.image.url ?? imagePart(part.image) } } : { type: "text", text: part.text }));
        messages.push({ role: "user", content: typeof content === "string" ? content : parts });
        return run(options);
      },
      results(results, options) {
        messages.push(...results.map(({ call, output }) => ({ role: "tool", tool_call_id: call.id, content: output })));
        // The protocol's results are words; agents show pictures behind them.
        const images = results.flatMap(({ image }) => (image ? [{ type: "image_url", image_url: { url: imagePart(image) } }] : []));
        if (images.length) messages.push({ role: "user", content: images });
        return run(options);
      },
      again: run,
      use: (name) => (model = name),
    };
  }
  return { name: "chat", sdk, talk, failure: (error) => failureOf(error, OpenAI) };
}

export function responses(connection) {
  const sdk = openai(connection);

  function talk({ model, system, tools, schema, maxTokens, temperature, topP, effort, choice, body }) {
    const input = [];
    const request = () =>
      notNull({
        model,
        input,
        instructions: system,
        store: false,
        tools: tools?.map(({ name, description, schema }) => ({ type: "function", name, description, parameters: schema, strict: false })),
        tool_choice: choice && { type: "function", name: choice },
        text: schema && { format: { type: "json_schema", name: "answer", schema, strict: true } },
        max_output_tokens: maxTokens,
        temperature,
        top_p: topP,
        reasoning: effort && { effort, summary: "auto" },
        ...body,
      });
    async function run({ stream, signal, onText } = {}) {
      const { pieces, add } = arrivals();
      let raw;
      if (stream) {
        const events = sdk.responses.stream(request(), { signal });
        events.on("response.output_text.delta", ({ delta }) => (add(delta), onText?.(delta)));
        raw = await events.finalResponse();
      } else raw = await sdk.responses.create(request(), { signal });
      // A failed response is an answer to the SDK, not an error.
      if (raw.status === "failed") throw Object.assign(new Error(raw.error?.message), { failed: raw });
      input.push(...raw.output);
      const of = (type) => raw.output.filter((item) => item.type === type);
      const calls = of("function_call").map((item) => ({ id: item.call_id, name: item.name, args: JSON.parse(item.arguments) }));
      const reason = { max_output_tokens: "length", content_filter: "filter" }[raw.incomplete_details?.reason];
      return {
        text: raw.output_text,
        reasoning: join(of("reasoning").flatMap((item) => [...item.summary, ...(item.content ?? [])]).map((part) => part.text)),
        calls,
        finish: reason ?? (raw.status !== "completed" ? raw.status : calls.length ? "calls" : "end"),
        usage: {
          input: raw.usage?.input_tokens,
          cached: raw.usage?.input_tokens_details?.cached_tokens,
          written: raw.usage?.input_tokens_details?.cache_write_tokens,
          output: raw.usage?.output_tokens,
          reasoning: raw.usage?.output_tokens_details?.reasoning_tokens,
        },
        model: raw.model,
        pieces,
        raw,
      };
    }
    return {
      say(content, options) {
        const parts = partsOf(content).map((part) => (part.image ? { type: "input_image", detail: "auto", image_url: part.image.url ?? imagePart(part.image) } : { type: "input_text", text: part.text }));
        input.push({ role: "user", content: typeof content === "string" ? content : parts });
        return run(options);
      },
      results(results, options) {
        const shown = (output, image) => [{ type: "input_text", text: output }, { type: "input_image", detail: "auto", image_url: imagePart(image) }];
        input.push(...results.map(({ call, output, image }) => ({ type: "function_call_output", call_id: call.id, output: image ? shown(output, image) : output })));
        return run(options);
      },
      again: run,
      use: (name) => (model = name),
    };
  }
  return { name: "responses", sdk, talk, failure: (error) => failureOf(error, OpenAI) };
}

export function claude({ base, key, ...options }) {
  const sdk = new Anthropic({ baseURL: base, apiKey: key, authToken: null, maxRetries: 0, logLevel: "off", ...options });

  function talk({ model, system, tools, schema, maxTokens = 4096, temperature, topP, stop, effort, choice, body }) {
    const messages = [];
    const request = () =>
      notNull({
        model,
        max_tokens: maxTokens,
        messages,
        system,
        tools: tools?.map(({ name, description, schema }) => ({ name, description, input_schema: schema })),
        tool_choice: choice && { type: "tool", name: choice },
        output_config: schema && { format: { type: "json_schema", schema } },
        // No longer in the SDK's types; it sends them on all the same.
        temperature,
        top_p: topP,
        stop_sequences: stop,
        thinking: effort && { type: "enabled", budget_tokens: { low: 1024, medium: 2048, high: 3072 }[effort], display: "summarized" },
        ...body,
      });
    // Sampling parameters belong to the older version of the API; the SDK's own is the newer.
    const headers = temperature === undefined && topP === undefined ? {} : { "anthropic-version": "2023-06-01" };
    async function run({ stream, signal, onText } = {}) {
      const { pieces, add } = arrivals();
      let raw;
      if (stream) {
        const events = sdk.messages.stream(request(), { signal, headers });
        events.on("text", (text) => (add(text), onText?.(text)));
        raw = await events.finalMessage();
      } else raw = await sdk.messages.create(request(), { signal, headers });
      messages.push({ role: "assistant", content: raw.content });
      const of = (type) => raw.content.filter((block) => block.type === type);
      const { usage } = raw;
      return {
        text: join(of("text").map((block) => block.text)),
        reasoning: join(of("thinking").map((block) => block.thinking)),
        calls: of("tool_use").map(({ id, name, input }) => ({ id, name, args: input })),
        finish: { end_turn: "end", tool_use: "calls", max_tokens: "length", refusal: "filter" }[raw.stop_reason] ?? raw.stop_reason,
        usage: {
          input: usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0),
          cached: usage.cache_read_input_tokens,
          written: usage.cache_creation_input_tokens,
          output: usage.output_tokens,
          reasoning: usage.output_tokens_details?.thinking_tokens,
        },
        model: raw.model,
        pieces,
        raw,
      };
    }
    return {
      say(content, options) {
        const source = (image) => (image.url ? { type: "url", url: image.url } : { type: "base64", media_type: image.mime, data: image.data });
        const blocks = partsOf(content).map((part) => (part.image ? { type: "image", source: source(part.image) } : { type: "text", text: part.text }));
        messages.push({ role: "user", content: typeof content === "string" ? content : blocks });
        return run(options);
      },
      results(results, options) {
        const shown = (output, image) => [{ type: "text", text: output }, { type: "image", source: { type: "base64", media_type: image.mime, data: image.data } }];
        const content = results.map(({ call, output, error, image }) => notNull({ type: "tool_result", tool_use_id: call.id, content: image ? shown(output, image) : output, is_error: error }));
        messages.push({ role: "user", content });
        return run(options);
      },
      again: run,
      use: (name) => (model = name),
    };
  }
  return { name: "claude", sdk, talk, failure: (error) => failureOf(error, Anthropic) };
}

export function gemini({ base, key, ...options }) {
  const sdk = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: base, ...options } });

  function talk({ model, system, tools, schema, maxTokens, temperature, topP, topK, stop, effort, choice, body }) {
    const contents = [];
    const request = (signal) => ({
      model,
      contents,
      config: notNull({
        systemInstruction: system,
        tools: tools && [{ functionDeclarations: tools.map(({ name, description, schema }) => ({ name, description, parametersJsonSchema: schema })) }],
        toolConfig: choice && { functionCallingConfig: { mode: "ANY", allowedFunctionNames: [choice] } },
        responseMimeType: schema && "application/json",
        responseJsonSchema: schema,
        maxOutputTokens: maxTokens,
        temperature,
        topP,
        topK,
        stopSequences: stop,
        thinkingConfig: effort && { thinkingLevel: effort.toUpperCase(), includeThoughts: true },
        abortSignal: signal,
        ...body,
      }),
    });
    async function run({ stream, signal, onText } = {}) {
      const { pieces, add } = arrivals();
      const chunks = [];
      if (stream) {
        for await (const chunk of await sdk.models.generateContentStream(request(signal))) {
          chunks.push(chunk);
          const text = join((chunk.candidates?.[0]?.content?.parts ?? []).filter((part) => part.text && !part.thought).map((part) => part.text));
          add(text);
          if (text) onText?.(text);
        }
      } else chunks.push(await sdk.models.generateContent(request(signal)));
      const candidates = chunks.flatMap((chunk) => chunk.candidates?.[0] ?? []);
      const parts = candidates.flatMap((candidate) => candidate.content?.parts ?? []);
      // As the SDK's own chats keep them: each chunk's content by itself.
      contents.push(...candidates.flatMap((candidate) => candidate.content ?? []));
      const calls = parts.filter((part) => part.functionCall).map(({ functionCall: call }) => ({ id: call.id, name: call.name, args: call.args ?? {} }));
      const reason = candidates.map((candidate) => candidate.finishReason).findLast(Boolean);
      const usage = chunks.map((chunk) => chunk.usageMetadata).findLast(Boolean) ?? {};
      return {
        text: join(parts.filter((part) => !part.thought).map((part) => part.text ?? "")),
        reasoning: join(parts.filter((part) => part.thought).map((part) => part.text ?? "")),
        calls,
        finish: reason === "STOP" && calls.length ? "calls" : ({ STOP: "end", MAX_TOKENS: "length", SAFETY: "filter" }[reason] ?? reason),
        usage: {
          input: usage.promptTokenCount,
          cached: usage.cachedContentTokenCount,
          written: undefined,
          output: usage.candidatesTokenCount + (usage.thoughtsTokenCount ?? 0),
          reasoning: usage.thoughtsTokenCount,
        },
        model: chunks.at(-1)?.modelVersion,
        pieces,
        raw: chunks.at(-1),
      };
    }
    return {
      say(content, options) {
        const part = ({ text, image }) => (image ? (image.url ? { fileData: { fileUri: image.url, mimeType: image.mime } } : { inlineData: { mimeType: image.mime, data: image.data } }) : { text });
        contents.push({ role: "user", parts: partsOf(content).map(part) });
        return run(options);
      },
      results(results, options) {
        const shown = (image) => image && [{ inlineData: { mimeType: image.mime, data: image.data } }];
        const parts = results.map(({ call, output, error, image }) => ({ functionResponse: notNull({ id: call.id, name: call.name, response: error ? { error: output } : { output }, parts: shown(image) }) }));
        contents.push({ role: "user", parts });
        return run(options);
      },
      again: run,
      use: (name) => (model = name),
    };
  }

  /** The SDK has one class for all; the rest is in the body, which is its message. */
  function failure(error) {
    const kinds = { 400: "bad request", 401: "authentication", 403: "permission", 404: "not found", 429: "rate limit" };
    let told;
    try {
      // In a stream the message is text around the body.
      told = JSON.parse(error.message.slice(error.message.indexOf("{"))).error;
    } catch {
      told = {};
    }
    const retry = told.details?.find((detail) => /RetryInfo$/.test(detail["@type"]));
    const kind = error instanceof ApiError ? (kinds[error.status] ?? (error.status >= 500 ? "server" : "api")) : "other";
    return { kind, status: error.status, message: error.message, retryAfter: retry ? parseFloat(retry.retryDelay) : NaN, error };
  }
  return { name: "gemini", sdk, talk, failure };
}

export const clients = { chat, responses, claude, gemini };
