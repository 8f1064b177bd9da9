// What is out of the way and needs a person: filtered, and redriven or dropped, one or all that a filter means.

import { get, path } from "../api.js";
import { append, fill, h, settled } from "../dom.js";
import { action, actions, badge, choice, empty, field, filters, row, table, time, trouble } from "../parts.js";
import { count } from "../words.js";
import { all } from "./redrive.js";

const PAGE_ROWS = 100;
const TYPED_MS = 350;
const HEADS = ["Since", "What", "Subject", "Plugin", "Why", "Name"];

export async function parked(place) {
  place.title("Parked");
  const list = table("What is parked, the longest parked first", HEADS);
  list.element.classList.add("brief");
  const after = h("div.after");
  const progress = h("div");
  const view = { place, list, after, next: null };
  const form = filterForm(place.query, settled(() => place.again(), TYPED_MS));
  view.form = form;
  const bulk = actions(
    action("Redrive all of these …", { needs: "operate", run: () => all("redrive", filter(view), { root: progress, signal: place.signal }, place.again) }),
    action("Drop all of these …", { needs: "operate", kind: "quiet", run: () => all("drop", filter(view), { root: progress, signal: place.signal }, place.again) }));
  fill(place.root, h("h1", "Parked"), filters(form, place.query), bulk, progress, list.element, after);
  await place.keep(() => show(view), { lists: ["parked"] });
}

/// The filter as the API has it; the address has it, too.
function filter({ form, place }) {
  const given = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));
  place.remember(given);
  return given;
}

/// The first page anew. Its rows are in order of time, so those that are still parked stay where they are.
async function show(view) {
  const held = document.activeElement?.getAttribute?.("href");
  const page = await get("/api/v1/parked", { ...filter(view), rows_max: PAGE_ROWS }, view.place.signal);
  fill(view.list.body, page.rows.map(parkedRow));
  if (held) view.list.body.querySelector(`[href="${CSS.escape(held)}"]`)?.focus();
  ended(view, page);
}

async function more(view) {
  try {
    const page = await get("/api/v1/parked", { ...filter(view), after: view.next, rows_max: PAGE_ROWS }, view.place.signal);
    // A page takes the place of the one before: the document stays small.
    if (view.list.body.childElementCount > 2 * PAGE_ROWS) fill(view.list.body);
    append(view.list.body, page.rows.map(parkedRow));
    ended(view, page);
  } catch (error) {
    if (!view.place.signal.aborted) fill(view.after, trouble(error, () => more(view)));
  }
}

function ended(view, page) {
  view.next = page.next;
  if (view.list.body.childElementCount === 0) {
    const isFiltered = Object.keys(filter(view)).length > 0;
    view.list.element.hidden = true;
    return fill(view.after, isFiltered ? empty("Nothing that is parked passes this filter") :
      empty("Nothing is parked", "What a plugin cannot decide, what a target refuses for good and what is no event would stand here. What each fault means:", "tidegate plugin explain"));
  }
  view.list.element.hidden = false;
  fill(view.after, h("div.actions", page.next ? action("More", { run: () => more(view) }) : h("span.dim", `${count(view.list.body.childElementCount, "thing")}; these are all that are shown here.`)));
}

function parkedRow(one) {
  const href = path(`#/parked/${one.id}`);
  const cells = [
    h("a", { href, "data-stop": true }, time(one.at_ms), h("span.unseen", ` ${one.what} ${one.id}`)),
    badge(one.what),
    h("span.subject", one.subject ?? one.source ?? "–"),
    one.plugin ?? "–",
    h("span.why-text", one.why.split("\n")[0]),
    h("code.dim.wrap", one.id),
  ];
  return row(HEADS, cells, { href, key: one.id });
}

function filterForm(query, changed) {
  const form = h("form.filter", { role: "search", "aria-label": "Filter", onsubmit: (event) => (event.preventDefault(), changed()) },
    choice("What", "what", ["", "event", "effect", "stray", "alert"], query.what),
    field("Plugin", { name: "plugin", value: query.plugin }),
    field("Source", { name: "source", value: query.source }),
    field("Subject", { name: "subject", value: query.subject }),
    field("Reason holds", { name: "reason", value: query.reason, type: "search" }),
    h("button.quiet", { type: "button", onclick: () => {
      for (const input of form.elements) if (input.name) input.value = "";
      changed();
    } }, "Clear"));
  form.addEventListener("input", changed);
  return form;
}
