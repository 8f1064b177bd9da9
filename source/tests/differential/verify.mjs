// The public Standard Webhooks library of JavaScript: reads a request per line, says "ok" or "err" per line.
// Argument: the library's package.json.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { Webhook } = createRequire(process.argv[2])("standardwebhooks");

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  let said = "ok";
  try {
    new Webhook(secret).verify(body, headers, { jsonParse: false });
  } catch {
    said = "err";
  }
  console.log(said);
}
