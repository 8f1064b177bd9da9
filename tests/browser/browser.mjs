// The browser, and what every step needs of it. Knows nothing of what a step is about.

import { createRequire } from "node:module";
import fs from "node:fs";
import path from "node:path";

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
/// The longest that anything may take.
const PATIENCE_MS = 30_000;
export const WIDE = { width: 1360, height: 900 };
export const PHONE = { width: 360, height: 740 };

/// The browser, ready to open tabs.
export async function launch({ chromium, playwright, axe, shots }) {
  const require = createRequire(playwright);
  const browser = await require("playwright-core").chromium.launch({ executablePath: chromium, args: FLAGS });
  fs.mkdirSync(shots, { recursive: true });
  return { browser, axe: fs.readFileSync(axe, "utf8"), shots, complaints: [] };
}

/// A tab of its own: nobody is signed in. Whatever its page complains of is kept.
export async function tab(stage, { scheme = "light", viewport = WIDE } = {}) {
  const context = await stage.browser.newContext({ colorScheme: scheme, viewport, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("pageerror", (error) => stage.complaints.push(`error: ${error.message}`));
  page.on("console", (message) => isComplaint(message) && stage.complaints.push(message.text()));
  stage.last = page;
  return page;
}

/// What a refused or unanswered request leaves in the console is what some steps are about.
const isComplaint = (message) => ["error", "warning"].includes(message.type()) && !/Failed to load resource|The host does not answer/.test(message.text());

/// Opens the page with a token, as the URL of `tidegate dev` does.
export async function signIn(page, { page_url }, token) {
  await page.goto(`${new URL(page_url).origin}/#token=${token}`);
  await page.locator(".connection.live").waitFor();
}

/// Goes to a view.
export async function go(page, hash) {
  await page.evaluate((hash) => void (location.hash = hash), hash);
  await page.locator("main h1").first().waitFor();
}

/// Waits until there is something.
export async function until(what, look) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/// Throws what is wrong.
export function ensure(holds, what) {
  if (!holds) throw new Error(what);
}

/// What axe has serious or critical against the page.
export async function offences(page, { axe }) {
  // The page's own rules forbid code from elsewhere: a debugger's does not obey them.
  await page.evaluate(`(() => { if (!globalThis.axe) { ${axe} } })()`);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const grave = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  return grave.map(({ id, help, nodes }) => `${id}: ${help}\n    ${nodes.slice(0, 5).map((node) => `${node.target} ${node.failureSummary?.split("\n").slice(1, 2)}`).join("\n    ")}`);
}

/// How many pixels the page is wider than its window.
export const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

/// Writes what is seen, for a person to look at.
export async function shoot(page, { shots }, name) {
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: path.join(shots, `${name}.png`), fullPage: true });
}
