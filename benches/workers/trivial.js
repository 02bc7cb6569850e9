// The least a Worker can do: it reads nothing and answers.
export default { fetch: () => new Response("{}", { headers: { "content-type": "application/json" } }) };
