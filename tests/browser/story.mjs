// What a person does with the page, step by step. Each step signs in anew; the host is the same for all.

import { ensure, go, offences, signIn, tab, until } from "./browser.mjs";

let posted = 0;

/// Posts an event as its sender does; gives its receipt.
async function post({ request_url }, event) {
  posted += 1;
  const updated_at = `2026-01-01 00:00:00.${String(posted).padStart(6, "0")}`;
  const body = JSON.stringify({ event_type: "asset.update", updated_at, ...event });
  const answer = await fetch(request_url, { method: "POST", headers: { "content-type": "application/json" }, body });
  ensure(answer.status === 202, `the edge answered ${answer.status}`);
  return (await answer.json()).receipt;
}

/// Asks the API beside the page.
async function api({ page_url, tokens }, path, token = tokens.admin) {
  const answer = await fetch(new URL(path, page_url), { headers: { authorization: `Bearer ${token}` } });
  ensure(answer.ok, `${path} answered ${answer.status}`);
  return answer.json();
}

/// Waits until an event has nothing before it.
const settled = (given, receipt) => until(`${receipt} is decided`, async () => {
  const event = await api(given, `/api/v1/events/${receipt}`).catch(() => null);
  return event && event.state !== "waiting" && event.effects.every((effect) => effect.state !== "waiting") ? event : null;
});

/// A mark on the document, gone when it is loaded anew.
const mark = (page) => page.evaluate(() => void (globalThis.isMarked = true));
const isMarked = (page) => page.evaluate(() => globalThis.isMarked === true);

const row = (page, text) => page.locator("tbody tr", { hasText: text });

export const STORY = {
  async "a token is typed, or stands in the address for a moment, and is kept for the tab alone"(stage, given) {
    const page = await tab(stage);
    await page.goto(new URL("/", given.page_url).href);
    await page.getByLabel("Token").fill("no token of this host");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "not known" }).waitFor();
    await page.goto(given.page_url);
    await page.locator(".connection.live").waitFor();
    const { token } = /token=(?<token>.+)$/.exec(given.page_url).groups;
    ensure(!page.url().includes(token), "the token is gone from the address");
    const kept = await page.evaluate(() => [document.cookie, JSON.stringify(localStorage)]);
    ensure(kept[0] === "" && kept[1] === "{}", `kept elsewhere: ${kept}`);
    await page.reload();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Token").waitFor();
    await page.reload();
    await page.getByLabel("Token").waitFor();
  },

  async "an event arrives and appears without reload"(stage, given) {
    const page = await tab(stage);
    await signIn(page, given, given.tokens.read);
    await go(page, "#/events");
    await mark(page);
    await post(given, { id: "arrived" });
    await row(page, "arrived").waitFor();
    await go(page, "#/");
    const figure = page.locator(".figure", { hasText: "in" }).first().locator(".figure-value");
    const before = await figure.textContent();
    await post(given, { id: "counted" });
    await until("the overview counts it", async () => (await figure.textContent()) !== before);
    ensure(await isMarked(page), "nothing was loaded anew");
  },

  async "several hosts are shown, and one alone is not"(stage, given) {
    const page = await tab(stage);
    await signIn(page, given, given.tokens.read);
    await page.getByRole("table", { name: "Sources" }).waitFor();
    const hosts = page.getByRole("table", { name: "Hosts" });
    ensure((await hosts.count()) === 0, "the one host stands in no table");
    // What runs here is alone: another is added to what it says of itself.
    await page.route("**/api/v1/hosts", async (route) => {
      const response = await route.fetch();
      const report = await response.json();
      const other = { ...report.hosts[0], id: 2, name: "other", state: "gone", is_own: false, partitions: [], seen_at_ms: report.now_ms - 90_000 };
      await route.fulfill({ response, json: { ...report, hosts: [...report.hosts, other] } });
    });
    await page.reload();
    await hosts.waitFor();
    const cells = await hosts.locator("tbody tr").evaluateAll((rows) => rows.map((one) => [...one.children].map((cell) => cell.textContent)));
    ensure(cells[0][0].endsWith("(this one)") && cells[0][1] === "there" && cells[0][2] === "120, and watches", cells[0].join());
    ensure(cells[1][0] === "other" && cells[1][1] === "gone" && cells[1][2] === "0" && cells[1][6].startsWith("1\u00a0min 30"), cells[1].join());
    const wrong = await offences(page, stage);
    ensure(wrong.length === 0, wrong.join("\n"));
  },

  async "new events are counted while somebody reads, and shown on request"(stage, given) {
    const page = await tab(stage);
    await signIn(page, given, given.tokens.read);
    await go(page, "#/events");
    const first = page.locator("tbody tr").first();
    await first.hover();
    const before = await first.getAttribute("data-key");
    await post(given, { id: "while-reading" });
    const button = page.getByRole("button", { name: "Show 1 new event" });
    await button.waitFor();
    ensure((await first.getAttribute("data-key")) === before, "the row under the pointer stays");
    await button.click();
    await row(page, "while-reading").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await post(given, { id: "while-paused" });
    await page.getByRole("button", { name: "Show 1 new event" }).waitFor();
    ensure((await row(page, "while-paused").count()) === 0, "paused is paused");
  },

  async "a filter holds for what is there and for what comes, and stands in the address"(stage, given) {
    const page = await tab(stage);
    await signIn(page, given, given.tokens.read);
    await post(given, { id: "wanted" });
    await go(page, "#/events");
    await page.getByLabel("Subject").fill("wanted");
    await until("only what passes is there", async () => (await page.locator("tbody tr").count()) === 1);
    await post(given, { id: "unwanted" });
    await post(given, { id: "wanted", name: "again" });
    await until("the second one comes", async () => (await page.locator("tbody tr").count()) === 2);
    ensure((await row(page, "unwanted").count()) === 0, "what does not pass is not shown");
    ensure(page.url().endsWith("#/events?subject=wanted"), page.url());
    await page.reload();
    await until("the address has the filter", async () => (await page.locator("tbody tr").count()) === 2);
  },

  async "pages go on by cursor, and the document stays small"(stage, given) {
    const page = await tab(stage);
    await signIn(page, given, given.tokens.read);
    await go(page, "#/events?kind=asset.create");
    await until("a page is there", async () => (await page.locator("tbody tr").count()) === 50);
    for (let pages = 2; pages <= 8; pages += 1) {
      const oldest = await page.locator("tbody tr").last().getAttribute("data-key");
      await page.getByRole("button", { name: "Older events" }).click();
      await until("older ones are there", async () => (await page.locator("tbody tr").last().getAttribute("data-key")) !== oldest);
      await page.getByRole("button", { name: "Older events" }).or(page.getByText("These are all.")).waitFor();
    }
    const keys = await page.locator("tbody tr").evaluateAll((rows) => rows.map((one) => Number(one.dataset.key)));
    ensure(keys.length <= 300 && keys.every((key, at) => at === 0 || key < keys[at - 1]), `${keys.length} rows, in order`);
    await page.getByRole("button", { name: "Back to the newest" }).click();
    await until("the newest are back", async () => (await page.locator("tbody tr").count()) === 50);
  },

  async "an event is followed from the edge to its effect, and its payload is hidden until it is asked for"(stage, given) {
    const page = await tab(stage);
    await post(given, { id: "told", loanee: { id: 142, name: "John Do" } });
    const receipt = await post(given, { id: "told", loanee: { id: 143, name: "Jane Roe" }, do: `note lent to Jane; post ${given.target_url}` });
    await settled(given, receipt);
    await signIn(page, given, given.tokens.operate);
    await go(page, `#/events/${receipt}`);
    for (const word of ["accepted", "queued", "pulled", "changed", "decided", "performed"]) {
      await page.locator(".timeline strong", { hasText: word }).first().waitFor();
    }
    await page.locator(".pointer", { hasText: "/loanee/name" }).waitFor();
    const text = () => page.locator("main").innerText();
    ensure(!/Jane|John/.test(await text()), "nobody is named before that is asked for");
    await page.getByRole("button", { name: "Show what it says" }).click();
    await page.getByRole("region", { name: "As the sender wrote it" }).waitFor();
    ensure(/lent to Jane/.test(await text()) && /John Do/.test(await text()), "notes, what was and what is");
    const { rows } = await api(given, "/api/v1/audit?before=0").then((page) => ({ rows: JSON.stringify(page) }));
    ensure(rows.includes(receipt), "that it was asked for is in the audit log");
  },

  async "hostile text stays text"(stage, given) {
    const hostile = '<img src=x onerror="globalThis.isHurt=1">';
    const receipt = await post(given, { id: hostile, name: hostile, kind: hostile, do: `note ${hostile.replaceAll('"', "'")}` });
    await settled(given, receipt);
    const page = await tab(stage);
    await signIn(page, given, given.tokens.operate);
    await go(page, "#/events");
    await row(page, hostile).waitFor();
    await go(page, `#/events/${receipt}`);
    await page.getByRole("heading", { name: hostile }).waitFor();
    await page.getByRole("button", { name: "Show what it says" }).click();
    await page.getByRole("region", { name: "As the sender wrote it" }).waitFor();
    const [hurt, images] = await page.evaluate(() => [globalThis.isHurt, document.images.length]);
    ensure(hurt === undefined && images === 0, "an event became markup");
  },

  async "a diff is read"(stage, given) {
    const page = await tab(stage);
    await signIn(page, given, given.tokens.operate);
    await go(page, "#/plugins/actor");
    await page.getByRole("link", { name: /What would .* change/ }).click();
    await page.getByRole("button", { name: "Compare" }).click();
    await page.locator(".verdict", { hasText: "differ" }).waitFor();
    await page.locator(".outcomes li", { hasText: "added" }).waitFor();
    ensure(!(await page.locator("main").innerText()).includes("nothing to do"), "values are hidden");
    await page.getByRole("button", { name: "Show values" }).click();
    await page.locator("ins", { hasText: "nothing to do" }).first().waitFor();
  },

  async "who may only read sees why not, and the API says so too"(stage, given) {
    const page = await tab(stage);
    await signIn(page, given, given.tokens.read);
    await go(page, "#/plugins/actor");
    const promote = page.getByRole("button", { name: /Promote/ });
    ensure(await promote.isDisabled(), "the button is disabled");
    await page.getByText("This takes the role “operate”; yours is “read”.").first().waitFor();
    await promote.click({ force: true });
    ensure((await page.locator("dialog").count()) === 0, "it does nothing");
    const answered = await page.evaluate(async () => {
      const headers = { authorization: `Bearer ${sessionStorage.getItem("tidegate.token")}`, "content-type": "application/json" };
      const posts = [["plugins/of/actor/promote", "{}"], ["sources/amj/test", "{}"], ["parked/redrive", '{"query":{}}'], ["parked/drop", '{"query":{}}']];
      return Promise.all(posts.map(async ([path, body]) => (await fetch(`/api/v1/${path}`, { method: "POST", headers, body })).status));
    });
    ensure(answered.every((status) => status === 403), `the API answered ${answered}`);
    const [receipt] = (await api(given, "/api/v1/events?before=0&rows_max=1")).events.map((event) => event.receipt);
    await go(page, `#/events/${receipt}`);
    ensure(await page.getByRole("button", { name: "Show what it says" }).isDisabled(), "the payload is not for this role");
  },

  async "a version is promoted and rolled back"(stage, given) {
    const active = async () => (await api(given, "/api/v1/plugins")).find((one) => one.plugin === "actor").roles;
    const before = await active();
    const page = await tab(stage);
    await signIn(page, given, given.tokens.operate);
    await go(page, "#/plugins/actor");
    await page.getByRole("button", { name: /Promote/ }).click();
    await page.getByRole("dialog").getByText("decides about all assets").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    ensure((await active()).active === before.active, "Escape is no");
    await page.getByRole("button", { name: /Promote/ }).click();
    await page.getByLabel("Why (for the history)").fill("it does well");
    await page.getByRole("dialog").getByRole("button", { name: "Promote" }).click();
    await until("the canary decides", async () => (await active()).active === before.canary.version);
    await page.getByRole("cell", { name: "it does well" }).waitFor();
    await page.getByRole("button", { name: "Roll back …" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Roll back" }).click();
    await until("the version before decides", async () => (await active()).active === before.active);
    await page.locator(".role-list", { hasText: before.active.slice(0, 12) }).waitFor();
  },

  async "what is parked is redriven, one and all"(stage, given) {
    const post_parked = async (id) => settled(given, await post(given, { id, do: `post ${given.refusing_url}` }));
    const [one, two, three] = await Promise.all(["p1", "p2", "p3"].map(post_parked));
    const page = await tab(stage);
    await signIn(page, given, given.tokens.operate);
    await go(page, "#/parked?what=effect");
    await row(page, one.effects[0].key).getByRole("link").first().click();
    await page.getByText("answered 400").first().waitFor();
    await page.getByRole("button", { name: "Redrive" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Redrive" }).click();
    await until("it is performed", async () => (await settled(given, one.receipt)).effects[0].state === "done");
    await page.locator(".badges", { hasText: "done" }).waitFor();
    await go(page, "#/parked?what=effect");
    await row(page, three.effects[0].key).waitFor();
    await page.getByRole("button", { name: "Redrive all of these" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Redrive them" }).click();
    await page.getByText("Redriven 2, 0 failed.").first().waitFor();
    for (const { receipt } of [two, three]) {
      await until("it is performed", async () => (await settled(given, receipt)).effects[0].state === "done");
    }
    await page.getByText("Nothing that is parked passes this filter").waitFor();
  },

  async "a source is tried by a button, and its event followed to the decision"(stage, given) {
    const page = await tab(stage);
    await signIn(page, given, given.tokens.read);
    const [source] = new URL(given.request_url).pathname.split("/").slice(-2);
    await go(page, `#/sources?source=${source}`);
    const button = page.getByRole("button", { name: "Send a test event" });
    await button.waitFor({ state: "attached" });
    ensure(await button.isDisabled(), "who may only read tries nothing");
    const worker = await tab(stage);
    await signIn(worker, given, given.tokens.operate);
    await go(worker, `#/sources?source=${source}`);
    const send = worker.getByRole("button", { name: "Send a test event" });
    await send.waitFor({ state: "attached" });
    await worker.evaluate(() => document.querySelectorAll("details").forEach((one) => (one.open = true)));
    await send.click();
    await worker.getByRole("status").filter({ hasText: "decided" }).waitFor();
    await worker.getByRole("link", { name: "its timeline" }).click();
    await worker.locator(".timeline strong", { hasText: "decided" }).first().waitFor();
  },

  async "what a plugin did before the page was opened is in its plots, and each source has its own times"(stage, given) {
    const page = await tab(stage);
    await signIn(page, given, given.tokens.read);
    await until("a step has ended", async () => (await api(given, "/api/v1/usage/series?plugin=actor")).versions.length > 0);
    await go(page, "#/plugins/actor");
    const asked = page.locator("figure.plot", { hasText: "Asked" });
    await asked.locator(".plot-line").first().waitFor({ state: "attached" });
    await until("it says how often", async () => /at most [1-9.]/.test(await asked.innerText()));
    await go(page, "#/");
    await page.locator("td[data-label='Edge to queue']", { hasText: "p99" }).first().waitFor();
  },

  async "a keyboard is enough, from the token to an event’s timeline"(stage, given) {
    const page = await tab(stage);
    await page.goto(new URL("/", given.page_url).href);
    await page.getByLabel("Token").waitFor();
    await page.keyboard.type(given.tokens.read);
    await page.keyboard.press("Enter");
    await page.locator(".connection.live").waitFor();
    const focused = () => page.evaluate(() => document.activeElement.textContent);
    await page.reload();
    await page.locator(".connection.live").waitFor();
    await page.keyboard.press("Tab");
    ensure((await focused()) === "Skip to the content", `first comes ${await focused()}`);
    await page.keyboard.press("Enter");
    for (const key of ["g", "e"]) await page.keyboard.press(key);
    await page.getByRole("heading", { name: "Events" }).waitFor();
    await page.locator("tbody tr").nth(2).waitFor();
    for (const key of ["j", "j", "k", "ArrowDown"]) await page.keyboard.press(key);
    const href = await page.evaluate(() => document.activeElement.getAttribute("href"));
    ensure(href?.startsWith("#/events/"), `a row has the focus: ${href}`);
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    ensure(outline === "solid", "and it is seen");
    await page.keyboard.press("Enter");
    await page.locator(".timeline li").first().waitFor();
    ensure(page.url().endsWith(href), "its event is shown");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("Escape");
    await page.getByRole("heading", { name: "Events" }).waitFor();
  },

  async "the host is started anew, and the page goes on by itself"(stage, given) {
    const page = await tab(stage);
    await signIn(page, given, given.tokens.read);
    await go(page, "#/events");
    await page.locator("tbody tr").first().waitFor();
    await mark(page);
    console.log("restart");
    await page.locator(".connection.away").waitFor();
    await page.locator(".connection.live").waitFor();
    await until("the edge takes events again", () => post(given, { id: "after-restart" }).catch(() => null));
    await row(page, "after-restart").first().waitFor();
    ensure(await isMarked(page), "nothing was loaded anew");
  },
};
