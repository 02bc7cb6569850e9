// Scenarios of agents, written once for every client: a client is anything with `talk(settings)`, as in clients.mjs. Each
// scenario plays one of upstream/plays.mjs to its end, answers its calls, and looks at what the upstream was told.
import assert from "node:assert/strict";
import { answerTo, CUT_SHORT, DONE, PICTURE_WORDS, PLAYS, TOOLS } from "../upstream/plays.mjs";
import { losses, lostSeals } from "./fidelity.mjs";

const SYSTEM = "You are an agent. 你好.";

let scenes = 0;

/** Plays until the model calls no more tools; gives all answers. `before(step)` runs before each request but the first. */
async function playOn(conversation, answer, options, before = () => {}) {
  const answers = [answer];
  while (answers.at(-1).calls.length) {
    assert.ok(answers.length < 12, "the play has no end");
    before(answers.length);
    answers.push(await conversation.results(answers.at(-1).calls.map((call) => ({ call, ...answerTo(call) })), options));
  }
  return answers;
}

/** What the results of a step were when the upstream heard them, whichever way they came. */
function checkResults(record, calls, { dialect, canShow, canFail }) {
  const turn = record.heard.turns.at(-1);
  calls.forEach((call, index) => {
    const { output, error, image } = answerTo(call);
    const told = turn.results[index];
    // Some clients wrap a result in JSON.
    const words = [output, JSON.stringify(output).slice(1, -1)];
    assert.ok(words.some((one) => told?.text.includes(one)) || (!told?.text && turn.texts.join().includes(output)), `${call.name}: ${JSON.stringify(told)}`);
    if (error && canFail) {
      if (["claude", "gemini"].includes(dialect)) assert.equal(told.error, true, "the upstream is told that the tool failed");
      else assert.match(told.text, /^error/i, "the upstream is told that the tool failed");
    }
    if (image && canShow) assert.deepEqual([...(told.images ?? []), ...turn.images], [PICTURE_WORDS], "the upstream sees the picture");
  });
}

/** The calls that a play makes, step by step. */
const callsOf = (name) => PLAYS[name].map((steps) => steps.flatMap(({ call }) => call ?? []));

/** Whether a client sends back all that an upstream of the dialect wants back. */
export const keepsAll = ({ keeps }, dialect) => (typeof keeps === "function" ? keeps(dialect) : keeps);

/**
 * A play from beginning to end, and one more question behind it.
 *
 * - `client`: `talk`, `thinking` (the settings with which it wants to see thoughts), `canShow` (its results hold pictures),
 *   `canFail` (they say that a tool failed), `keeps` (it sends back what the vendors want back);
 * - `world`: `upstream`, `dialect`, `model` (by the name that the client uses).
 */
async function through(name, client, { upstream, dialect, model }, options) {
  const from = upstream.requests.length;
  const conversation = client.talk({ model, system: SYSTEM, tools: TOOLS, ...client.thinking });
  const records = () => upstream.requests.slice(from).filter((record) => record.status !== undefined);
  const answers = await playOn(conversation, await conversation.say(`Please play ${name}.`, options), options);
  const asked = callsOf(name);
  assert.deepEqual(answers.map((answer) => answer.calls.map(({ name, args }) => ({ name, args }))), asked);
  assert.match(answers.at(-1).text, new RegExp(`${DONE}$`, "u"));
  answers.forEach(({ calls }, index) => checkResultsOf(records()[index + 1], calls));
  function checkResultsOf(record, calls) {
    if (calls.length) checkResults(record, calls, { dialect, ...client });
  }
  await conversation.say("hello", options);
  assert.deepEqual(upstream.complaints(from), []);
  for (const record of records()) assert.equal(record.heard.system.join("\n"), SYSTEM);
  if (keepsAll(client, dialect)) assert.deepEqual(losses(records(), dialect, client.forgets), [], "the upstream gets its own items back as they were");
  return { answers, records: records() };
}

/** Every scenario: what it is called, and what it does with a client in a world. */
export const scenarios = {
  "six turns, streamed": (client, world) => through("loop", client, world, { stream: true }),
  "six turns, whole": (client, world) => through("loop", client, world, { stream: false }),
  "parallel calls": (client, world) => through("parallel", client, world, { stream: true }),
  "an image as a result": (client, world) => through("image", client, world, { stream: true }),
  "a tool that failed": (client, world) => through("error", client, world, { stream: true }),
  "thoughts that only their seal holds": (client, world) => through("sealed", client, world, { stream: true }),

  async "another model in the middle, and back"(client, world) {
    const { upstream, model, other } = world;
    const from = upstream.requests.length;
    const options = { stream: true };
    const conversation = client.talk({ model, system: SYSTEM, tools: TOOLS, ...client.thinking });
    // Two answers of the one, two of the other, the rest of the first again.
    const change = (done) => conversation.use([2, 3].includes(done) ? other : model);
    const answers = await playOn(conversation, await conversation.say("Please play loop.", options), options, change);
    assert.deepEqual(answers.map((answer) => answer.calls.map(({ name, args }) => ({ name, args }))), callsOf("loop"));
    assert.match(answers.at(-1).text, new RegExp(`${DONE}$`, "u"));
    assert.deepEqual(upstream.complaints(from), []);
    const records = upstream.requests.slice(from);
    assert.deepEqual(records.map((record) => record.dialect === world.dialect), [true, true, false, false, true, true]);
    if (keepsAll(client, world.dialect)) assert.deepEqual(lostSeals(records.filter((record) => record.dialect === world.dialect)), [], "the first gets its own state back");
  },

  async "a stream is cut, and asked for again"(client, world) {
    const { upstream, model } = world;
    const from = upstream.requests.length;
    const conversation = client.talk({ model, system: SYSTEM, tools: TOOLS, ...client.thinking });
    const scene = `scene${++scenes}`;
    const { calls } = await conversation.say(`Please play cut ${scene}.`, { stream: true });
    const results = calls.map((call) => ({ call, ...answerTo(call) }));
    const cut = await conversation.results(results, { stream: true }).then((answer) => assert.fail(`it succeeded: ${JSON.stringify(answer.raw)}`), (error) => error);
    if (cut instanceof assert.AssertionError) throw cut;
    const final = await conversation.again({ stream: true });
    assert.equal(final.text, `${CUT_SHORT} ${DONE}`);
    assert.deepEqual(upstream.complaints(from), []);
  },
};
