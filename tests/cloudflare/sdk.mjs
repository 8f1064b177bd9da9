// Cloudflare's own SDK through the whole life of a queue. Prints what it was given as one JSON object; what that
// has to be, the test says (tests/tests/cloudflare.rs).
// Arguments: the SDK's package.json, the API's base URL, the account. The token is in CLOUDFLARE_API_TOKEN.
import { pathToFileURL } from "node:url";

const [packageJson, baseURL, account_id] = process.argv.slice(2);
const { default: Cloudflare } = await import(new URL("index.mjs", pathToFileURL(packageJson)));
const { queues } = new Cloudflare({ baseURL, maxRetries: 0 });
const { messages } = queues;

// A message as its reader sees it: a pull gives JSON as base64, text as it is.
function read({ body, attempts, metadata }) {
  const type = metadata["CF-Content-Type"];
  return { type, attempts, body: type === "json" ? JSON.parse(Buffer.from(body, "base64")) : body };
}

async function refusal(promise) {
  return promise.then(
    () => null,
    ({ constructor, status, errors }) => ({ name: constructor.name, status, errors }),
  );
}

async function all(pages) {
  const names = [];
  for await (const queue of pages) names.push(queue.queue_name);
  return names;
}

const said = {};
const queue = await queues.create({ account_id, queue_name: "sdk" });
const id = queue.queue_id;
said.created = { name: queue.queue_name, id };
said.listed = await all(queues.list({ account_id }));
const settings = { max_retries: 5, visibility_timeout_ms: 60_000 };
const consumer = await queues.consumers.create(id, { account_id, type: "http_pull", settings });
said.consumer = { type: consumer.type, settings: consumer.settings };

await messages.push(id, { account_id, content_type: "text", body: "9007199254740993 as it is" });
await messages.push(id, { account_id, content_type: "json", body: { loanee: { id: 142, name: "Zoë" } } });
const batch = [
  { content_type: "text", body: "first of two" },
  { content_type: "json", body: ["second", 2, null] },
];
const pushed = await messages.bulkPush(id, { account_id, messages: batch });
said.pushed = pushed.metadata.metrics.backlog_count;
said.metrics = await queues.getMetrics(id, { account_id });
said.peeked = (await messages.peek(id, { account_id, batch_size: 10 })).messages.map(read);

const pulled = await messages.pull(id, { account_id, batch_size: 10 });
said.pulled = pulled.messages.map(read);
const leases = pulled.messages.map(({ lease_id }) => ({ lease_id }));
said.acked = await messages.ack(id, { account_id, acks: leases.slice(0, 2), retries: leases.slice(2) });

const again = await messages.pull(id, { account_id, batch_size: 10 });
said.pulled_again = again.messages.map(read);
const acks = again.messages.map(({ lease_id }) => ({ lease_id }));
said.acked_again = await messages.ack(id, { account_id, acks, retries: [] });
said.left = await queues.getMetrics(id, { account_id });

const stranger = new Cloudflare({ baseURL, apiToken: "a wrong token", maxRetries: 0 });
said.wrong_token = await refusal(stranger.queues.get(id, { account_id }));
await queues.delete(id, { account_id });
said.deleted = await refusal(queues.get(id, { account_id }));
console.log(JSON.stringify(said));
