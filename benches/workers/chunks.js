// Like relay.js, but each chunk of the answer is taken and given by hand: the floor of whatever looks at a stream.
export default {
  async fetch(request, { UPSTREAM }) {
    const body = (await request.text()).replace(/"model":"[^"]*"/, '"model":"model"');
    const answer = await fetch(UPSTREAM + new URL(request.url).pathname, { method: "POST", headers: { "content-type": "application/json" }, body });
    const reader = answer.body.getReader();
    const stream = new ReadableStream(
      {
        type: "bytes",
        async pull(controller) {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          controller.enqueue(value);
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(stream, { headers: { "content-type": answer.headers.get("content-type") } });
  },
};
