// What the scripted upstream says, and why: words in the user's last text choose. Neutral of dialect; the dialects' files
// say it in their own terms. Longer plays, with tools, are in plays.mjs.
import { stepOf, wordsOf } from "./plays.mjs";

export { wordsOf };

/** The text of every plain answer: letters of one, two, three and four bytes. */
export const HELLO = "Hello there! Grüße, 你好 and 🌍 to you.";
export const STORY = "Once upon a time 🐉 there was a gateway that kept every word it was given, and lost none of them.";
export const LOOKING = "Let me look that up.";
export const THOUGHT = "The user wants something; I weigh it carefully.";
export const CUT = "This answer stops in the middle";
export const STRUCTURED = { city: "Paris", degrees: 21 };

/** What a conversation comes to, where its end is asked to be that. */
export const SUMMARY = "The user said hello twice. Grüße 🌍.";
const ASKS_FOR_SUMMARY = /sum up the conversation|CONTEXT CHECKPOINT/;

/** Each answer's token counts: `input` holds `cached` and `written`, `output` holds `reasoning`. */
export const USAGE = { input: 120, cached: 40, written: 16, output: 30, reasoning: 12 };

/** How long a client waits for a new attempt, in seconds, as a 429 says. */
export const RETRY_AFTER = 7;

/** Words of a refusal, which have to reach the client. */
export const REFUSED = "the scripted upstream says no";

function* forEver(piece) {
  for (;;) yield piece;
}

const last = (list) => list[list.length - 1];

/** The tools' results that wait for an answer: those of the last turn. */
export const openResults = (heard) => last(heard.turns)?.results ?? [];

/** The user's last text. */
export const lastText = (heard) => heard.turns.filter((turn) => turn.role === "user" && turn.texts.length).at(-1)?.texts.join("\n") ?? "";

/**
 * The answer to a request, as a script:
 *
 * - `steps`: `{ reasoning }`, `{ text, pieces }` or `{ call: { name, args } }`, in order;
 * - `finish`: "end", "calls", "length" or "filter";
 * - `then`: what happens in the middle of a stream, instead of its end: "break", "error" or "stall";
 * - `pause`: milliseconds before each piece; `slice`: bytes a write, for streams whose chunks respect no boundary;
 * - `hang`: nothing is answered at all; `status`: the request is refused; `body`: answered as it stands.
 */
export function scriptFor(heard, memory) {
  const text = (words, pieces = wordsOf(words)) => ({ text: words, pieces });
  const answer = (steps, more = {}) => ({ steps, finish: "end", usage: { ...USAGE, reasoning: 0 }, ...more });
  // Gateways and agents ask for a summary in words, where the upstream has no compaction.
  if (ASKS_FOR_SUMMARY.test(heard.turns.at(-1)?.texts.at(-1) ?? "")) return answer([text(SUMMARY)]);
  const step = stepOf(heard, memory);
  if (step) return { usage: USAGE, ...step };
  const results = openResults(heard);
  if (results.length) {
    const told = results.map((result) => (result.error ? `failed: ${result.text}` : result.text));
    return answer([text(`The tools said: ${told.join("; ")}.`)]);
  }
  const said = lastText(heard);
  const status = /status (\d{3})/.exec(said)?.[1];
  if (status) return { status: Number(status) };
  if (/answer html/.test(said)) return { status: 502, type: "text/html", body: "<html><body>Bad gateway</body></html>" };
  if (/answer nothing/.test(said)) return { status: 200, type: "application/json", body: "" };
  if (/\bhang\b/.test(said)) return { hang: true };
  if (heard.schema) return answer([text(JSON.stringify(STRUCTURED), JSON.stringify(STRUCTURED).match(/.{1,6}/gu))]);

  const thoughts = /think/.test(said) ? [{ reasoning: THOUGHT, pieces: wordsOf(THOUGHT) }] : [];
  const more = thoughts.length ? { usage: USAGE } : {};
  const cities = /weather in ([\w, ]+)/.exec(said)?.[1].split(/ and |, /);
  if (cities && heard.tools.length) {
    const calls = cities.map((city) => ({ call: { name: heard.tools[0].name, args: { city, unit: "celsius" } } }));
    return answer([...thoughts, text(LOOKING), ...calls], { ...more, finish: "calls" });
  }
  if (/without arguments/.test(said)) return answer([{ call: { name: heard.tools[0].name, args: {} } }], { finish: "calls" });
  if (/long story/.test(said)) return answer([text(STORY)], { pause: 20 });
  if (/shredded/.test(said)) return answer([...thoughts, text(STORY)], { ...more, slice: 7 });
  if (/run out/.test(said)) return answer([text(CUT)], { finish: "length" });
  if (/forbidden/.test(said)) return answer([text(CUT)], { finish: "filter" });
  if (/break off/.test(said)) return answer([text(CUT)], { then: "break" });
  if (/fail midway/.test(said)) return answer([text(CUT)], { then: "error" });
  if (/\bstall\b/.test(said)) return answer([text(CUT)], { then: "stall" });
  if (/drip/.test(said)) return answer([text(CUT, forEver("drip "))], { pause: 20 });
  const images = heard.turns.flatMap((turn) => turn.images);
  if (images.length) return answer([text(`I see ${images.join(" and ")}.`)]);
  return answer([...thoughts, text(HELLO)], more);
}

/** JSON text in a few pieces, as models stream arguments. */
export const argumentPieces = (args) => JSON.stringify(args).match(/.{1,5}/gsu);
