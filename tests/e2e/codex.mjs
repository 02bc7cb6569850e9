// The real Codex CLI from npm, headless, against a gateway on the loopback. It gets a home of its own, a dummy key, and proxies
// that lead nowhere, so that nothing of it reaches a network.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "../../scripts/setup.mjs";

const NOWHERE = "http://127.0.0.1:9";

/** The binary, from its package for this platform; undefined where npm has none for it. */
export function findCodex() {
  const packages = join(root, "tests", "e2e", "node_modules", "@openai");
  const name = existsSync(packages) ? readdirSync(packages).find((name) => name.startsWith("codex-")) : undefined;
  const vendor = name && join(packages, name, "vendor");
  const [target] = vendor ? readdirSync(vendor) : [];
  const binary = target && join(vendor, target, "bin", process.platform === "win32" ? "codex.exe" : "codex");
  return binary && existsSync(binary) ? binary : undefined;
}

const environment = (home, more = {}) => ({
  PATH: process.env.PATH,
  HOME: home,
  CODEX_HOME: home,
  HTTP_PROXY: NOWHERE,
  HTTPS_PROXY: NOWHERE,
  ALL_PROXY: NOWHERE,
  NO_PROXY: "127.0.0.1,localhost",
  ...more,
});

/** A home, in a new folder, with an empty `work` in it. */
export function newHome() {
  const home = mkdtempSync(join(tmpdir(), "any-api-codex-"));
  mkdirSync(join(home, "work"));
  return { home, work: join(home, "work"), remove: () => rmSync(home, { recursive: true, force: true }) };
}

let catalogue;

/** What Codex knows of a model that it knows, for models by other names. */
async function catalogueOf(binary, like, names) {
  catalogue ??= (async () => {
    const { home, remove } = newHome();
    const { stdout } = await promisify(execFile)(binary, ["debug", "models", "--bundled"], { env: environment(home), maxBuffer: 1 << 25 });
    remove();
    return JSON.parse(stdout);
  })();
  const known = (await catalogue).models.find((model) => model.slug === like);
  return JSON.stringify({ models: names.map((slug) => ({ ...known, slug, upgrade: null })) });
}

/**
 * Runs `codex exec` with a prompt in a home; `like` is the model of its catalogue that ours is taken for, none for one that it
 * does not know; `more` are more lines of its configuration; `resume` goes on with the last conversation.
 *
 * Gives its exit code, its events, what it printed on its standard error, and its last message.
 */
export async function runCodex(binary, { home, work }, { base, key, model, prompt, like, more = "", builtIn = false, resume = false }) {
  const provider = builtIn
    ? `openai_base_url = "${base}"\n`
    : `model_provider = "gateway"\n[model_providers.gateway]\nname = "gateway"\nbase_url = "${base}"\nwire_api = "responses"\nenv_key = "GATEWAY_KEY"\nstream_max_retries = 3\nrequest_max_retries = 1\n`;
  let head = `model = "${model}"\n${more}\n`;
  if (like) {
    writeFileSync(join(home, "models.json"), await catalogueOf(binary, like, [model]));
    head += `model_catalog_json = ${JSON.stringify(join(home, "models.json"))}\n`;
  }
  writeFileSync(join(home, "config.toml"), head + provider);
  const args = ["exec", ...(resume ? ["resume", "--last"] : []), "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json", prompt];
  const env = environment(home, { GATEWAY_KEY: key, ...(builtIn ? { OPENAI_API_KEY: key, CODEX_API_KEY: key } : {}) });
  const done = await new Promise((resolve) => {
    const child = execFile(binary, args, { cwd: work, env, timeout: 60_000, killSignal: "SIGKILL", maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? error.signal) : 0, stdout, stderr });
    });
    child.stdin.end();
  });
  const events = done.stdout.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  const messages = events.filter((event) => event.type === "item.completed" && event.item.type === "agent_message");
  return { ...done, events, text: messages.at(-1)?.item.text };
}
