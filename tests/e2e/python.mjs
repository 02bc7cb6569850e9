// The vendors' Python SDKs: a Python process a program, which takes jobs as lines of JSON and answers each when it is done.
//
//   const python = await startPython("openai", "streams.py");      // a program of tests/e2e/python
//   const answer = await python.run({ anything: "that is JSON" });  // as many at once as you like
//   await python.stop();
//
// The program (jobs.py has the rest):
//
//   from jobs import serve
//   serve(lambda job: {"heard": job["anything"]})
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ensureEnvironment } from "../../scripts/python.mjs";
import { root } from "../../scripts/setup.mjs";

const home = join(root, "tests", "e2e", "python");

/** The packages by their names on PyPI; each has its own environment, since they pin each other's dependencies. */
export const SDKS = ["openai", "anthropic", "google-genai"];

/** The Python in whose environment an SDK is installed, in the versions of `python/SDK.txt`; installed first if need be. */
export const pythonOf = (sdk) => ensureEnvironment(sdk, join(home, `${sdk}.txt`));

export async function ensureSdks() {
  for (const sdk of SDKS) await pythonOf(sdk);
}

/** Starts a program with an SDK. What a job's answer cannot be (an exception that the program did not expect) rejects. */
export async function startPython(sdk, program) {
  // Nothing of this machine's settings for the vendors' SDKs, and none of its proxies: all is on the loopback.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(OPENAI|ANTHROPIC|GOOGLE|GEMINI)_|_proxy$/i.test(name)));
  const child = spawn(await pythonOf(sdk), ["-X", "utf8", "-u", join(home, program)], { cwd: root, stdio: ["pipe", "pipe", "pipe"], env: { ...env, PYTHONDONTWRITEBYTECODE: "1" } });
  const waiting = new Map();
  let said = "";
  let jobs = 0;
  let ended;
  child.stderr.on("data", (data) => (said = (said + data).slice(-10_000)));
  child.stdin.on("error", () => {});
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { job, answer, exception } = JSON.parse(line);
    const { resolve, reject } = waiting.get(job);
    waiting.delete(job);
    if (exception) reject(new Error(`${program}: ${exception}`));
    else resolve(answer);
  });
  const over = new Promise((resolve) => child.once("close", resolve)).then((code) => {
    ended = new Error(`${program} ended (${code}):\n${said}`);
    for (const { reject } of waiting.values()) reject(ended);
  });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  return {
    run: (input) =>
      new Promise((resolve, reject) => {
        if (ended) return reject(ended);
        const job = ++jobs;
        waiting.set(job, { resolve, reject });
        child.stdin.write(`${JSON.stringify({ job, input })}\n`);
      }),
    stop: async () => {
      process.off("exit", kill);
      child.stdin.end();
      kill();
      await over;
    },
  };
}
