// The Vercel AI SDK behind the face of clients.mjs, with each of its providers. It builds its own requests and checks answers
// more strictly than the vendors' SDKs do. Histories are what it gave back, unchanged.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, streamText, tool } from "ai";

/** The provider for a dialect, below the gateway's own address; how thoughts are asked for; what its results can hold. */
export const kinds = {
  chat: {
    model: (url, apiKey) => createOpenAICompatible({ name: "gateway", baseURL: `${url}/v1`, apiKey, includeUsage: true }),
    thinking: { gateway: { reasoningEffort: "low" } },
    canShow: false,
  },
  responses: {
    model: (url, apiKey) => createOpenAI({ baseURL: `${url}/openai/v1`, apiKey }),
    // A gateway's names of models are none of OpenAI's: that it reasons has to be said.
    thinking: { openai: { store: false, reasoningEffort: "low", reasoningSummary: "auto", include: ["reasoning.encrypted_content"], forceReasoning: true } },
    canShow: true,
  },
  claude: {
    model: (url, apiKey) => createAnthropic({ baseURL: `${url}/claude/v1`, apiKey }),
    thinking: { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } },
    canShow: true,
  },
  gemini: {
    model: (url, apiKey) => createGoogleGenerativeAI({ baseURL: `${url}/gemini/v1beta`, apiKey }),
    thinking: { google: { thinkingConfig: { thinkingLevel: "low", includeThoughts: true } } },
    canShow: true,
  },
};

export function aisdk(kind, { url, key }) {
  const provider = kinds[kind].model(url, key);

  function talk({ model, system, tools = [], providerOptions }) {
    const messages = [];
    const request = (signal) => ({
      model: provider(model),
      system,
      messages,
      maxRetries: 0,
      maxOutputTokens: 4096,
      tools: Object.fromEntries(tools.map(({ name, description, schema }) => [name, tool({ description, inputSchema: jsonSchema(schema) })])),
      providerOptions,
      abortSignal: signal,
    });
    async function run({ stream, signal } = {}) {
      let result;
      let failure;
      if (stream) {
        result = streamText({ ...request(signal), onError: ({ error }) => (failure = error) });
        await result.consumeStream({ onError: (error) => (failure ??= error) });
        if (failure) throw failure;
      } else result = await generateText(request(signal));
      const [response, text, reasoning, toolCalls, finish] = await Promise.all([result.response, result.text, result.reasoningText, result.toolCalls, result.finishReason]);
      if (finish === "error" || finish === "interrupted") throw new Error(`it ended: ${finish}`);
      messages.push(...response.messages);
      return { text, reasoning: reasoning ?? "", calls: toolCalls.map((call) => ({ id: call.toolCallId, name: call.toolName, args: call.input })), finish, raw: response };
    }
    const outputOf = ({ output, error, image }) => {
      if (error) return { type: "error-text", value: output };
      if (!image) return { type: "text", value: output };
      return { type: "content", value: [{ type: "text", text: output }, { type: "file", mediaType: image.mime, data: { type: "data", data: image.data } }] };
    };
    return {
      say(content, options) {
        messages.push({ role: "user", content });
        return run(options);
      },
      results(results, options) {
        messages.push({ role: "tool", content: results.map(({ call, ...told }) => ({ type: "tool-result", toolCallId: call.id, toolName: call.name, output: outputOf(told) })) });
        return run(options);
      },
      again: run,
      use: (name) => (model = name),
    };
  }
  return { talk };
}
