// The gateway under test, on a free port, in front of the scripted upstream.
//
// GATEWAY=workerd (the Worker in build/, which `npm run build` makes), GATEWAY=native (the binary, built if need be), or both,
// with a comma, choose where tests run; without it each test file says for itself. With ANY_API_BUILD=dev, as in
// scripts/build.mjs, the Worker is the one in build/dev/.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { startNative } from "../../scripts/native.mjs";
import { root } from "../../scripts/setup.mjs";
import { startWorkerd } from "../../scripts/workerd.mjs";
import { startLocal } from "./local.mjs";
import { MODELS } from "./suite.mjs";
import { CLIENT_KEY, names, startUpstream, upstreamKey } from "./upstream.mjs";

export const hostsOr = (...usual) => process.env.GATEWAY?.split(",") ?? usual;

/** The key that the tests' clients send. */
export const KEY = `${CLIENT_KEY}-of-the-tests`;

/** What an SDK takes as its base URL, below the gateway's own. */
const SDK_BASE = { chat: "/v1", responses: "/openai/v1", claude: "/claude", gemini: "/gemini" };

const TYPES = { chat: "openai-chat-completions", responses: "openai-responses", claude: "claude", gemini: "gemini" };

const modelsOf = (name) => Object.fromEntries(Object.entries(MODELS[name]).map(([kind, model]) => [kind, { upstreamModel: model }]));

/** A provider that is the scripted upstream, in one of its dialects. */
export const provider = (upstream, name, more = {}) => ({ type: TYPES[name], baseURL: upstream.base[name], apiKey: upstreamKey(name), models: modelsOf(name), ...more });

/** A provider for each of the upstream's dialects, named as it is. */
export const everyProvider = (upstream) => Object.fromEntries(names.map((name) => [name, provider(upstream, name)]));

/**
 * Starts the gateway. `config` is ANY_API_CONFIG as an object (or as text, or undefined to leave it out), `vars` are more
 * variables, the key's among them. What the Worker keeps in KV stays in `folder`, if there is one.
 */
export async function startGateway(host, { config, vars = { WORKER_AUTH_KEY: KEY }, folder }) {
  const text = config === undefined || typeof config === "string" ? config : JSON.stringify(config);
  const all = { ...vars, ...(text === undefined ? {} : { ANY_API_CONFIG: text }) };
  const bundle = join(root, "build", ...(process.env.ANY_API_BUILD === "dev" ? ["dev"] : []));
  if (host === "workerd" && !existsSync(join(bundle, "index.js"))) throw new Error(`there is no Worker in ${bundle}: npm run build`);
  const start = { native: () => startNative({ vars: all }), workerd: () => (folder ? startLocal({ vars: all, bundle, folder }) : startWorkerd({ vars: all, bundle })) };
  const gateway = await start[host]();
  return {
    ...gateway,
    host,
    base: (client) => gateway.url + SDK_BASE[client],
    connection: (client, key = KEY) => ({ base: gateway.url + SDK_BASE[client], key }),
  };
}

/**
 * A scripted upstream with the gateway in front of it, while the suite around runs. What it gives is empty until the first
 * test begins.
 */
export function setStage(host) {
  const stage = {};
  before(async () => {
    stage.upstream = await startUpstream();
    stage.gateway = await startGateway(host, { config: { version: 1, providers: everyProvider(stage.upstream) } });
  });
  after(async () => {
    await stage.gateway?.stop();
    await stage.upstream?.stop();
  });
  return stage;
}
