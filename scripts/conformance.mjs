// npm run conformance [-- --host workerd] [-- OPTIONS OF run.py run, such as --per-pair 40 --need request=95]
//
// Holds the running gateway against recorded traffic. The judge and the recordings are not part of this repository: the
// judge is looked for in CONFORMANCE_DIR, or else in ../shared/conformance; the recordings in the folder `corpus` next to it.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { build } from "./build.mjs";
import { freePort, startNative } from "./native.mjs";
import { ensureEnvironment } from "./python.mjs";
import { Failure, ensureRust, main, root, run, say, tools } from "./setup.mjs";
import { startWorkerd } from "./workerd.mjs";

const KEY = "eval-gateway-key";

main(async () => {
  const judge = resolve(root, process.env.CONFORMANCE_DIR ?? join("..", "shared", "conformance"));
  if (!existsSync(join(judge, "run.py"))) {
    throw new Failure(`there is no judge in ${judge}; set CONFORMANCE_DIR to the folder with its run.py`);
  }
  const options = process.argv.slice(2);
  const at = options.findIndex((option) => option === "--host");
  const host = at < 0 ? "native" : options.splice(at, 2)[1];
  if (!["native", "workerd"].includes(host)) throw new Failure("--host is native or workerd");
  const given = (name) => options.some((option) => option.split("=")[0] === name);

  await ensureRust();
  const python = await ensureEnvironment("judge", join(judge, "requirements.txt"));
  const upstream = String(await freePort());
  const config = await run(python, [join(judge, "run.py"), "config", "--port", upstream], { capture: true });
  const vars = { WORKER_AUTH_KEY: KEY, ANY_API_CONFIG: config.trim() };
  if (host === "workerd") await build();
  const gateway = host === "workerd" ? await startWorkerd({ vars }) : await startNative({ vars, release: true });
  say(`the gateway (${host}) is on ${gateway.url}`);
  const out = join(tools, "conformance");
  mkdirSync(out, { recursive: true });
  const defaults = [...(given("--corpus") ? [] : ["--corpus", join(dirname(judge), "corpus")]), ...(given("--out") ? [] : ["--out", out])];
  try {
    await run(python, [join(judge, "run.py"), "run", "--base", gateway.url, "--upstream-port", upstream, ...defaults, ...options], { env: { EVAL_KEY: KEY } });
  } finally {
    writeFileSync(join(out, "gateway.log"), gateway.output());
    await gateway.stop();
    say(`what failed is in ${join(out, "fails.jsonl")}, the gateway's output in gateway.log next to it`);
  }
});
