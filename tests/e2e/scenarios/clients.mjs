// The clients that play the scenarios: the vendors' SDKs in Node and in Python, and the Vercel AI SDK. Each has, for a gateway,
// `talk`, and says what it can: `canShow` (its results hold pictures), `canFail` (they say that a tool failed), `keeps` (it
// sends back all that the vendors want back; which upstreams', where it is a function), `forgets` (what of a Responses upstream's items does not come back: "ids", since
// it leaves out those of calls and messages with its own vendor, too; or "unthought", the ids and phases of an answer without
// thoughts, which Claude's dialect has no place for).
import { aisdk, kinds } from "../aisdk.mjs";
import { clients } from "../clients.mjs";
import { startPython } from "../python.mjs";
import { names } from "../upstream.mjs";

const forgets = (dialect) => (dialect === "claude" ? "unthought" : undefined);

const canFail = (dialect) => ["claude", "gemini"].includes(dialect);

/** How a Node SDK's face asks for thoughts, to be shown: Chat has no word for the latter but its relatives'. */
const THINKING = { chat: { body: { reasoning: { effort: "low", exclude: false } } }, responses: { effort: "low" }, claude: { effort: "low" }, gemini: { effort: "low" } };

const PACKAGES = { chat: "openai", responses: "openai", claude: "@anthropic-ai/sdk", gemini: "@google/genai" };
const PYTHON = { chat: "openai", responses: "openai", claude: "anthropic", gemini: "google-genai" };
const PYTHON_THINKING = {
  chat: { extra_body: { reasoning: { effort: "low", exclude: false } } },
  responses: { reasoning: { effort: "low", summary: "auto" } },
  claude: { thinking: { type: "enabled", budget_tokens: 1024, display: "summarized" } },
  gemini: { thinking_level: "LOW", include_thoughts: true },
};
const AI = { chat: "openai-compatible", responses: "openai", claude: "anthropic", gemini: "google" };

let talks = 0;

/** A conversation in a Python process, with the face of clients.mjs. */
function pythonTalk(python, kind, { base, key }) {
  return ({ model, system, tools, thinking }) => {
    const talk = ++talks;
    const begun = python.run({ talk, do: "new", kind, base, key, model, system, tools, thinking });
    const ask = async (job) => {
      await begun;
      const answer = await python.run({ talk, ...job });
      if (answer.failure) throw new Error(answer.failure);
      return answer;
    };
    return {
      say: (text, options) => ask({ do: "say", text, ...options }),
      results: (results, options) => ask({ do: "results", results, ...options }),
      again: (options) => ask({ do: "again", ...options }),
      // The jobs of one conversation are done one after another, so this is done before the next is asked.
      use: async (name) => ask({ do: "use", model: name }),
    };
  };
}

/** All clients, by their names. `connect(gateway)` gives what scenarios take; `stop` ends what they started. */
export async function startClients() {
  const pythons = Object.fromEntries(await Promise.all([...new Set(Object.values(PYTHON))].map(async (sdk) => [sdk, await startPython(sdk, "agent.py")])));
  const all = {};
  for (const name of names) {
    all[`${PACKAGES[name]} (Node), ${name}`] = {
      connect: (gateway) => ({ talk: clients[name](gateway.connection(name)).talk, thinking: THINKING[name], canShow: true, canFail: canFail(name), keeps: true, forgets: forgets(name) }),
    };
  }
  for (const name of names) {
    all[`${PYTHON[name]} (Python), ${name}`] = {
      connect: (gateway) => ({
        talk: pythonTalk(pythons[PYTHON[name]], name, gateway.connection(name)),
        thinking: { thinking: PYTHON_THINKING[name] },
        canShow: true,
        canFail: canFail(name),
        keeps: true,
        forgets: forgets(name),
      }),
    };
  }
  for (const name of names) {
    all[`ai with @ai-sdk/${AI[name]}, ${name}`] = {
      connect: (gateway) => ({
        talk: aisdk(name, { url: gateway.url, key: gateway.connection(name).key }).talk,
        thinking: { providerOptions: kinds[name].thinking },
        canShow: kinds[name].canShow,
        // It has no such flag for most providers, and writes it as it likes.
        canFail: false,
        // @ai-sdk/openai-compatible keeps words of thoughts and what stands on calls, and no `reasoning_details`; @ai-sdk/google
        // leaves out parts without words, and joins the last with the one before, which Gemini itself has.
        keeps: (dialect) => name !== "chat" && (name !== "gemini" || dialect !== name),
        forgets: name === "responses" ? "ids" : forgets(name),
      }),
    };
  }
  return { all, stop: () => Promise.all(Object.values(pythons).map((python) => python.stop())) };
}
