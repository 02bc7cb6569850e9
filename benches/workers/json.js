// JSON.parse and JSON.stringify both ways; a stream event by event.
const roundTrip = (text) => JSON.stringify({ ...JSON.parse(text), model: "model" });

export default {
  async fetch(request, { UPSTREAM }) {
    const body = roundTrip(await request.text());
    const answer = await fetch(UPSTREAM + new URL(request.url).pathname, { method: "POST", headers: { "content-type": "application/json" }, body });
    if (!answer.headers.get("content-type").startsWith("text/event-stream")) {
      return new Response(roundTrip(await answer.text()), { headers: { "content-type": "application/json" } });
    }
    const reader = answer.body.getReader();
    const [decoder, encoder] = [new TextDecoder(), new TextEncoder()];
    let rest = "";
    const stream = new ReadableStream({
      type: "bytes",
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        const events = (rest + decoder.decode(value, { stream: true })).split("\n\n");
        rest = events.pop();
        const written = events.map((event) => event.replace(/data: (\{.*)/, (_, json) => `data: ${roundTrip(json)}`) + "\n\n").join("");
        controller.enqueue(encoder.encode(written || ":\n\n"));
      },
    });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  },
};
