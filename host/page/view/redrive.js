// What a person does about what is parked: one, or all that a filter means, batch by batch as `tidegate parked` does it.

import { get, post } from "../api.js";
import { ask, tell } from "../dialog.js";
import { fill, h, pause } from "../dom.js";
import { badge, choice, field, say, trouble } from "../parts.js";
import { count, number } from "../words.js";

/// So many a second at most, so that what is behind them is not run over.
const PER_SECOND = 50;
const PAGE_ROWS = 500;
const FAILED_SHOWN = 20;

const WHOM = [["", "the version that decides now"], ["same", "the version that was asked before"]];

/// Asks, then has one tried again; `done` is called after it.
export async function redriveOne(id, { plugin }, done) {
  const fields = plugin ? [choice("Ask", "version", WHOM, "")] : [];
  const body = h("p", plugin ? `The plugin ${plugin} is asked again, as if it had not been asked before; what it decides is done.` : "It is tried again, as if it had not been tried; an effect keeps its key, so its target knows it.");
  const given = await ask({ title: `Redrive ${id}?`, body, fields, yes: "Redrive" });
  if (given) await carryOut("redrive", { id }, { version: given.version || null }, done);
}

/// Asks, then takes note that it needs nothing more.
export async function dropOne(id, done) {
  const body = h("p", "It is kept, shown on its event’s timeline and counted as done. What waits behind it goes on.");
  const given = await ask({ title: `Drop ${id}?`, body, fields: [field("Because", { name: "reason" })], yes: "Drop", danger: true });
  if (given) await carryOut("drop", { id }, { reason: given.reason || null }, done);
}

async function carryOut(verb, query, rest, done) {
  try {
    const { done: many, failed } = await post(`/api/v1/parked/${verb}`, { query, ...rest });
    if (failed.length > 0) await failedDialog(failed);
    else say(many > 0 ? `${verb === "drop" ? "Dropped" : "Redriven"}` : "It is not parked any more");
  } catch (error) {
    await tell("That did not work", trouble(error));
  }
  done?.();
}

const failedDialog = (failed) => tell("Parked still", h("ul.lines", failed.map((one) => h("li", h("code", one.id), ` ${one.why}`))));

/// Asks about all that the filter means, then does it batch by batch; what is parked later is not meant.
export async function all(verb, filter, { root, signal }, done) {
  const query = { ...filter, until_ms: Math.min(filter.until_ms ?? Infinity, Date.now()) };
  const counts = await howMany(query, signal);
  const many = Object.values(counts).reduce((sum, one) => sum + one, 0);
  if (many === 0) return say("Nothing that is parked is meant by that");
  const drop = verb === "drop";
  const body = [
    h("p", drop ? "They are kept and count as done. What waits behind them goes on." : "They are tried again, as if they had not been tried, at most 50 a second."),
    h("ul", Object.entries(counts).map(([what, one]) => h("li", `${number(one)} `, badge(what)))),
  ];
  const fields = drop ? [field("Because", { name: "reason" })] : [choice("Plugins: ask", "version", WHOM, "")];
  const given = await ask({ title: `${drop ? "Drop" : "Redrive"} ${count(many, "thing")}?`, body, fields, yes: drop ? "Drop them" : "Redrive them", danger: drop });
  if (!given) return undefined;
  const order = drop ? { reason: given.reason || null } : { version: given.version || null };
  return batches(verb, query, order, many, { root, signal }, done);
}

async function howMany(query, signal) {
  const counts = {};
  for (let after = null; ; ) {
    const page = await get("/api/v1/parked", { ...query, after, rows_max: PAGE_ROWS }, signal);
    for (const row of page.rows) counts[row.what] = (counts[row.what] ?? 0) + 1;
    after = page.next;
    if (!after) return counts;
  }
}

async function batches(verb, query, order, many, { root, signal }, done) {
  const stopping = new AbortController();
  const both = AbortSignal.any([signal, stopping.signal]);
  const bar = h("progress", { max: many, value: 0, "aria-label": "Progress" });
  const said = h("span", "");
  fill(root, h("div.notice", h("div.progress-line", bar, said, h("button", { type: "button", onclick: () => stopping.abort() }, "Stop"))));
  let result = { done: 0, failed: [] };
  const tell = () => {
    bar.setAttribute("value", result.done + result.failed.length);
    bar.value = result.done + result.failed.length;
    fill(said, `${number(result.done)} of ${number(many)}, ${number(result.failed.length)} failed`);
  };
  try {
    for (let after = null; ; ) {
      const started = Date.now();
      // A batch is done whole or not at all, so stopping waits for it.
      const page = await post(`/api/v1/parked/${verb}`, { query: { ...query, after, rows_max: PER_SECOND }, ...order }, signal);
      result = { done: result.done + page.done, failed: [...result.failed, ...page.failed] };
      tell();
      after = page.next;
      if (!after || both.aborted) break;
      await pause(Math.max(0, ((page.done + page.failed.length) / PER_SECOND) * 1000 - (Date.now() - started)), both).catch(() => null);
      if (both.aborted) break;
    }
    finished(root, verb, result, stopping.signal.aborted);
  } catch (error) {
    if (!signal.aborted) fill(root, trouble(error));
  }
  done?.();
}

function finished(root, verb, { done, failed }, isStopped) {
  const text = `${verb === "drop" ? "Dropped" : "Redriven"} ${number(done)}, ${number(failed.length)} failed${isStopped ? "; stopped" : ""}.`;
  say(text);
  const lines = failed.slice(0, FAILED_SHOWN).map((one) => h("li", h("code", one.id), ` ${one.why}`));
  fill(root, h("div.notice", h("p", text), lines.length > 0 && h("ul.lines", lines)));
}
