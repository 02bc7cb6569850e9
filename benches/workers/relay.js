// Reads the request, replaces the model's name, and hands the answer through untouched.
export default {
  async fetch(request, { UPSTREAM }) {
    const body = (await request.text()).replace(/"model":"[^"]*"/, '"model":"model"');
    return fetch(UPSTREAM + new URL(request.url).pathname, { method: "POST", headers: { "content-type": "application/json" }, body });
  },
};
