// Runs the page in a browser against a host, step by step, and says how each went. What it is told stands in its one argument, as
// JSON: where things are and with which tokens. It prints `restart` when the host is to be started anew,
// and `seen ...` while a step goes on.

import path from "node:path";
import { launch, shoot } from "./browser.mjs";
import { LOOKS } from "./looks.mjs";
import { STORY } from "./story.mjs";

const given = JSON.parse(process.argv[2]);
const stage = await launch(given);
let failed = 0;
for (const [name, run] of [...Object.entries(STORY), ...Object.entries(LOOKS)]) {
  const started = Date.now();
  try {
    await run(stage, given);
    if (stage.complaints.length > 0) throw new Error(`the page complained: ${stage.complaints.join("; ")}`);
    console.log(`ok ${Date.now() - started} ms: ${name}`);
  } catch (error) {
    failed += 1;
    const file = `failed-${failed}`;
    await shoot(stage.last, stage, file).catch(() => null);
    console.log(`FAILED: ${name}: ${error.message}\n  (seen: ${path.join(given.shots, `${file}.png`)})`);
  }
  stage.complaints.length = 0;
  for (const context of stage.browser.contexts()) await context.close();
}
await stage.browser.close();
console.log(failed === 0 ? "passed" : `failed ${failed}`);
process.exitCode = failed === 0 ? 0 : 1;
