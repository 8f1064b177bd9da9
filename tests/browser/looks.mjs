// How each view looks: what axe has against it in both colour schemes, whether it fits a phone, and a picture for a person.

import { ensure, go, offences, overflow, PHONE, shoot, signIn, tab, WIDE } from "./browser.mjs";

const WAYS = [["light", "light", WIDE], ["dark", "dark", WIDE], ["phone", "light", PHONE]];

/// Where each view is, and what is there when it is whole.
async function views({ page_url, tokens }) {
  const ask = async (path) => (await fetch(new URL(path, page_url), { headers: { authorization: `Bearer ${tokens.admin}` } })).json();
  const [told, parked] = await Promise.all([ask("/api/v1/events?before=0&rows_max=1&subject=told"), ask("/api/v1/parked?what=event&rows_max=1")]);
  return {
    overview: ["#/", ".plot-line"],
    events: ["#/events", "tbody tr"],
    event: [`#/events/${told.events[0].receipt}`, ".timeline li"],
    plugins: ["#/plugins", ".role-list"],
    plugin: ["#/plugins/actor", ".role-list"],
    diff: ["#/plugins/actor/diff", "form.filter"],
    parked: ["#/parked", "tbody tr"],
    "parked-one": [`#/parked/${parked.rows[0].id}`, ".timeline li"],
    sources: ["#/sources", "section.panel"],
  };
}

/// What takes a click to be seen.
const OPENED = {
  async diff(page) {
    await page.getByRole("button", { name: "Compare" }).click();
    await page.locator(".verdict").waitFor();
  },
  async event(page) {
    await page.getByRole("button", { name: "Show what it says" }).click();
    await page.locator(".box").first().waitFor();
  },
  async sources(page) {
    await page.evaluate(() => document.querySelectorAll("details").forEach((one) => (one.open = true)));
  },
};

async function look(stage, given, [name, scheme, viewport]) {
  const page = await tab(stage, { scheme, viewport });
  const wrong = [];
  const check = async (view) => {
    // What is narrow is the same document with other rules.
    if (viewport === WIDE) wrong.push(...(await offences(page, stage)).map((one) => `${view}: ${one}`));
    const over = await overflow(page);
    if (over > 0) wrong.push(`${view}: ${over} pixels wider than its window`);
    await shoot(page, stage, `${view}-${name}`);
    console.log(`seen ${view}-${name}`);
  };
  await page.goto(new URL("/", given.page_url).href);
  await page.getByLabel("Token").waitFor();
  await check("login");
  await signIn(page, given, given.tokens.operate);
  for (const [view, [hash, whole]] of Object.entries(await views(given))) {
    await go(page, hash);
    // A level line has no height, so it is there and counts as unseen.
    await page.locator(whole).first().waitFor({ state: "attached" });
    await OPENED[view]?.(page);
    await check(view);
  }
  await page.getByRole("button", { name: "Keys" }).click();
  await page.getByRole("dialog").waitFor();
  await check("dialog");
  ensure(wrong.length === 0, wrong.join("\n"));
}

export const LOOKS = Object.fromEntries(WAYS.map((way) => [`every view can be used and read: ${way[0]}`, (stage, given) => look(stage, given, way)]));
