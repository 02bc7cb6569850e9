// Python where a script or a test needs it: an interpreter that is there or can be had, and virtual environments in .tools.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure, ask, digest, run, say, seconds, tools } from "./setup.mjs";

/** What the newest of the vendors' packages ask for. */
const OLDEST = [3, 11];

/** An interpreter that is new enough and can make virtual environments with pip in them; the system's own if another cannot. */
function findPython() {
  const check = `import sys, venv, ensurepip; sys.exit(0 if sys.version_info >= (${OLDEST}) else 1)`;
  const names = process.platform === "win32" ? ["python", "python3"] : ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "/usr/bin/python3"];
  return [process.env.PYTHON, ...names].filter(Boolean).find((name) => ask(name, ["-c", check]) !== undefined);
}

/** Debian's Python on a machine that is there for tests alone: nobody wants packages installed on theirs unasked. */
async function installPython() {
  if (!process.env.CI || !ask("apt-get", ["--version"])) return;
  const [command, ...before] = process.getuid?.() === 0 ? ["apt-get"] : ["sudo", "-n", "apt-get"];
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const since = performance.now();
  say("installing Debian's Python");
  try {
    await run(command, [...before, "update"], { quiet: true, env });
    await run(command, [...before, "install", "-y", "--no-install-recommends", "python3", "python3-venv"], { quiet: true, env });
  } catch (error) {
    return say(error.message);
  }
  say(`Python installed in ${seconds(since)}`);
}

async function ensurePython() {
  const there = findPython();
  if (there) return there;
  await installPython();
  const python = findPython();
  if (python) return python;
  throw new Failure(
    `this needs Python ${OLDEST.join(".")} or newer with its venv module (on Debian and Ubuntu: apt install python3-venv); ` +
      "where it has another name, set PYTHON to its path",
  );
}

const settingUp = {};

/**
 * A virtual environment .tools/python/NAME with what a requirements file lists; gives the path of its Python. Made once, and
 * anew when the file or the interpreter has changed.
 */
export const ensureEnvironment = (name, requirements) => (settingUp[name] ??= setUp(name, requirements));

const pythonIn = (home) => join(home, ...(process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"]));
const stampIn = (home) => join(home, ".requirements");
const isThere = (home, wanted) => existsSync(pythonIn(home)) && existsSync(stampIn(home)) && readFileSync(stampIn(home), "utf8") === wanted;

async function setUp(name, requirements) {
  const base = await ensurePython();
  const home = join(tools, "python", name);
  const wanted = digest(readFileSync(requirements), ask(base, ["-c", "import sys; print(sys.version, sys.base_prefix)"]));
  if (isThere(home, wanted)) return pythonIn(home);
  const since = performance.now();
  say(`setting up Python packages in .tools/python/${name}`);
  // Made aside and moved when it is done, since test files run beside each other and each may be the first.
  const aside = `${home}.${process.pid}`;
  await run(base, ["-m", "venv", aside], { quiet: true });
  await run(pythonIn(aside), ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "-r", requirements], { quiet: true });
  writeFileSync(stampIn(aside), wanted);
  if (isThere(home, wanted)) rmSync(aside, { recursive: true, force: true });
  else {
    rmSync(home, { recursive: true, force: true });
    renameSync(aside, home);
  }
  say(`Python packages of ${name} installed in ${seconds(since)}`);
  return pythonIn(home);
}
