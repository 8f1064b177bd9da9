// The floor: the least a Worker can do with an event - put its body on the queue, answer 202.
// No token, no limit, no receipt, no hash. The bench measures ours against it.
const TEXT = { contentType: "text" };
const ACCEPTED = { status: 202, headers: { "Content-Type": "application/json" } };

export default {
  async fetch(request, env) {
    await env.QUEUE.send(await request.text(), TEXT);
    return new Response('{"accepted":true}', ACCEPTED);
  },
};
