// Agents' plays: what the model does, step by step, when the user's text asks for one ("play loop"). Which step it is follows
// from the history alone, so that whoever plays it may change the model, the provider or the client in the middle.

/** A text in the pieces in which it is streamed. */
export const wordsOf = (text) => text.match(/\s*\S+\s*/gu) ?? [];

/** The tools that plays call. A client brings them, and answers their calls as `answerTo` says. */
export const TOOLS = [
  { name: "list_files", description: "Names the files of a folder", schema: { type: "object", properties: { path: { type: "string" } }, required: ["path"], additionalProperties: false } },
  { name: "read_file", description: "The text of a file", schema: { type: "object", properties: { path: { type: "string" }, lines: { type: "integer" } }, required: ["path", "lines"], additionalProperties: false } },
  { name: "screenshot", description: "A picture of the screen", schema: { type: "object", properties: {}, additionalProperties: false } },
  { name: "run", description: "Runs a command", schema: { type: "object", properties: { command: { type: "string" } }, required: ["command"], additionalProperties: false } },
];

export const PICTURE = { mime: "image/png", data: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=" };
export const PICTURE_WORDS = `image/png of ${Buffer.from(PICTURE.data, "base64").length} bytes`;

/** What the tools of a play answer: `output`, `error` (the tool failed) and `image`. */
export function answerTo({ name, args }) {
  switch (name) {
    case "list_files":
      return { output: `${args.path}/a.txt\n${args.path}/b.txt` };
    case "read_file":
      return { output: `the text of ${args.path}: "Grüße" 🌍` };
    case "screenshot":
      return { output: "taken", image: PICTURE };
    case "run":
      return args.command === "make" ? { output: "no rule to make target", error: true } : { output: "built" };
    default:
      throw new Error(`no play has a tool ${name}`);
  }
}

const think = (reasoning) => ({ reasoning, pieces: wordsOf(reasoning) });
/** A thought that is sealed and not shown. */
const brood = { reasoning: "Nobody reads this.", hidden: true, pieces: [] };
const say = (text) => ({ text, pieces: wordsOf(text) });
const call = (name, args) => ({ call: { name, args } });

/** What a model says when a play is over. */
export const DONE = "All done. 好了。";
export const CUT_SHORT = "This is said twice, since it was cut";

export const PLAYS = {
  /** Six answers: each thinks, five use tools. */
  loop: [
    [think("First I look around."), say("Let me look around."), call("list_files", { path: "src" })],
    [think("Two files; I read both."), call("read_file", { path: "src/a.txt", lines: 1 }), call("read_file", { path: "src/b.txt", lines: 2 })],
    [brood, call("screenshot", {})],
    [think("Now it is built."), call("run", { command: "make" })],
    [think("That failed; \"make -k\" may do."), say("Once more."), call("run", { command: "make -k" })],
    [think("It is done."), say(DONE)],
  ],
  parallel: [
    [think("All at once."), ...["a", "b", "c"].map((name, index) => call("read_file", { path: `${name}.txt`, lines: index }))],
    [say(DONE)],
  ],
  image: [[think("I want to see it."), call("screenshot", {}), call("list_files", { path: "." })], [say(DONE)]],
  error: [[think("This may fail."), call("run", { command: "make" })], [think("It did."), say(DONE)]],
  /** Thoughts that nobody sees, before calls, between calls and before words. */
  sealed: [[brood, call("list_files", { path: "src" })], [brood, say("And now:"), call("run", { command: "ls" })], [brood, say(DONE)]],
  /** The second answer breaks off when it is asked for the first time. */
  cut: [[think("I look."), call("list_files", { path: "src" })], [think("I say it."), { ...say(CUT_SHORT), breaks: true }, say(` ${DONE}`)]],
};

/** What a patch of a coding agent's adds: a file with lines that JSON has to escape. */
export const PATCHED = 'fn main() { println!("Grüße\\n\\t🌍"); }';

Object.assign(PLAYS, {
  /** With the tools that Codex brings: commands, one of which fails, a picture from the disk, a tool in a name space. */
  codex: [
    [think("I write a file."), say("Let me write it."), call("exec_command", { cmd: "echo one > one.txt" })],
    [think("Two at once."), call("exec_command", { cmd: "cat one.txt" }), call("exec_command", { cmd: "echo two; echo 'Grüße 🌍'" })],
    [brood, call("exec_command", { cmd: "echo broken >&2; exit 3" })],
    [think("A picture."), call("view_image", { path: "picture.png" })],
    [think("An agent."), call("close_agent", { target: "01a207c8-95d7-7af0-8e9c-2eb83824f046" })],
    [think("It is done."), say(DONE)],
  ],
  /** For models whose tools stand inside the input. */
  lite: [[think("I write a file."), call("exec_command", { cmd: "echo one > one.txt" })], [brood, call("exec_command", { cmd: "cat one.txt" })], [say(DONE)]],
  patchless: [[think("I look."), call("exec_command", { cmd: "ls" })], [think("I saw."), say(DONE)]],
  slip: [[think("I look."), call("exec_command", { cmd: "ls" })], [think("I say it."), { ...say(DONE), breaks: true }]],
  /** A tool that is not there before it is searched for. */
  search: [
    [think("I look for a tool."), call("tool_search", { query: "close agent" })],
    [think("There it is."), call("close_agent", { target: "01a207c8-95d7-7af0-8e9c-2eb83824f046" })],
    [say(DONE)],
  ],
  /** Tools that have items of their own in OpenAI's Responses. */
  hands: [
    [think("I look around."), call("shell", { commands: ["ls", "echo 'Grüße 🌍'"] })],
    [brood, call("apply_patch", { type: "create_file", path: "a.txt", diff: `+${PATCHED}\n` }), call("apply_patch", { type: "delete_file", path: "b.txt" })],
    [think("The other shell."), call("local_shell", { command: ["ls", "-a"] })],
    [say(DONE)],
  ],
  /** A patch, which is free text by a grammar. */
  patch: [
    [think("I patch it."), call("apply_patch", { input: `*** Begin Patch\n*** Add File: patched.rs\n+${PATCHED}\n*** End Patch\n` })],
    [brood, say("And once more:"), call("apply_patch", { input: `*** Begin Patch\n*** Update File: patched.rs\n@@\n-${PATCHED}\n+${PATCHED} // again\n*** End Patch\n` })],
    [say(DONE)],
  ],
});

/** A tool that stands in a name space may have it in its name. */
const named = (step, tools) => {
  const tool = step.call && tools.find(({ name }) => name === step.call.name || name.endsWith(`__${step.call.name}`));
  return tool ? { ...step, call: { ...step.call, name: tool.name } } : step;
};

const askedPlay = (turn) => /\bplay (\w+)(?: (\w+))?/.exec(turn.texts.join("\n"));

/** The step that a history has come to, if its last question asks for a play. `memory` holds which breaks were had. */
export function stepOf(heard, memory) {
  const at = heard.turns.findLastIndex((turn) => turn.role === "user" && turn.texts.length && !turn.results.length);
  const [, name, scene] = (at >= 0 && askedPlay(heard.turns[at])) || [];
  const play = PLAYS[name];
  if (!play) return undefined;
  const done = heard.turns.slice(at + 1).filter((turn) => turn.role === "assistant").length;
  const steps = (play[done] ?? [say(DONE)]).map((step) => named(step, heard.tools));
  const breaking = steps.findIndex((step) => step.breaks);
  const isBroken = breaking >= 0 && !memory.has(scene);
  if (isBroken) memory.add(scene);
  const shown = isBroken ? steps.slice(0, breaking + 1) : steps;
  return { steps: shown, finish: steps.some((step) => step.call) ? "calls" : "end", ...(isBroken ? { then: "break" } : {}) };
}
