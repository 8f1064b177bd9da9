// Events as they are recorded: the newest on top, filtered, page by page by cursor. New ones never move what the reader is
// looking at: then they are counted, and shown on request.

import { get } from "../api.js";
import { append, fill, h, settled } from "../dom.js";
import { action, choice, empty, field, filters, say, table, trouble } from "../parts.js";
import { may, whyNot } from "../session.js";
import { count, moment, number } from "../words.js";
import { eventRow, HEADS } from "./event-row.js";

/// Rows in the document at most, and in one page.
const ROWS_MAX = 300;
const PAGE_ROWS = 50;
/// New events that are kept to be shown; of more only the number.
const FRESH_MAX = 300;
const TYPED_MS = 350;
/// A thousand events a second are drawn in lots.
const SETTLE_MS = 400;
/// How often rows that are not settled are read again.
const REFRESH_MS = 2000;
const HOURS = { "1h": 1, "6h": 6, "1d": 24, "7d": 168 };

export async function events(place) {
  place.title("Events");
  const view = new Events(place);
  fill(place.root, h("h1", "Events"), filters(view.form, place.query), view.bar, view.list.element, view.after);
  await view.show();
  await place.keep(() => view.refresh(), { every_ms: REFRESH_MS });
}

class Events {
  constructor(place) {
    this.place = place;
    this.list = table("Events, the newest first", HEADS);
    this.list.element.classList.add("brief");
    this.form = filterForm(place.query, settled(() => this.show(), TYPED_MS), () => this.clear());
    this.bar = h("div.bar-line");
    this.after = h("div.after");
    this.fresh = [];
    this.freshCount = 0;
    this.isPaused = false;
    this.searching = new AbortController();
    place.signal.addEventListener("abort", () => this.searching.abort());
  }

  /// The filter as the API has it.
  query() {
    const given = Object.fromEntries([...new FormData(this.form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));
    this.place.remember(given);
    const { since, text, ...rest } = given;
    const since_ms = HOURS[since] ? Date.now() - HOURS[since] * 3_600_000 : null;
    return { filter: { ...rest, ...(since_ms && { since_ms }) }, text: may("operate") ? text : null };
  }

  clear() {
    for (const input of this.form.elements) if (input.name) input.value = "";
    this.show();
  }

  /// The newest page, and what comes from then on.
  async show() {
    this.searching.abort();
    this.searching = new AbortController();
    const signal = this.searching.signal;
    const { filter, text } = this.query();
    this.filter = { ...filter, ...(text && { text }) };
    this.fresh = [];
    this.freshCount = 0;
    this.cursor = 0;
    this.isEnd = false;
    this.isTrimmed = false;
    this.isStale = true;
    this.status();
    this.listen(text ? null : filter);
    await this.older(signal);
  }

  listen(filter) {
    // What a payload holds the stream does not tell: such a list stands still.
    if (!filter) return;
    const stream = this.place.follow(filter);
    if (stream === this.stream) return;
    this.stream = stream;
    this.isLive = false;
    stream.addEventListener("state", ({ detail }) => {
      this.isLive = detail === "live";
      this.catchUp();
    });
    const isStill = () => this.stream === stream && !this.place.signal.aborted;
    stream.addEventListener("recorded", ({ detail }) => isStill() && this.arrived(detail));
  }

  /// Reads on until there is a page of rows, or nothing is left. Each answer is a bounded piece of work, so it may be empty.
  async older(signal = this.searching.signal) {
    fill(this.after, h("p.loading", "Looking …"));
    let found = 0;
    try {
      while (found < PAGE_ROWS && !this.isEnd) {
        const page = await get("/api/v1/events", { ...this.filter, before: this.cursor, rows_max: PAGE_ROWS - found }, signal);
        if (signal.aborted) return;
        // What was shown stays until there is something in its place.
        const wasStale = this.isStale;
        if (wasStale) fill(this.list.body);
        this.isStale = false;
        const rows = page.events.filter((event) => !this.has(event.cursor)).map(eventRow);
        append(this.list.body, rows);
        found += rows.length;
        this.cursor = page.cursor;
        this.isEnd = page.is_end;
        this.trim("first");
        if (page.events.length > 0) this.oldest_ms = page.events.at(-1).received_at_ms;
        this.status();
        if (wasStale) this.catchUp();
        fill(this.after, h("p.loading", "Looking further back …"));
      }
      this.ended();
    } catch (error) {
      if (!signal.aborted) fill(this.after, trouble(error, () => this.older()));
    }
  }

  /// Reads those rows of the newest again that were not settled: an effect may have been performed.
  async refresh() {
    const open = [...this.list.body.querySelectorAll("[data-open]")].slice(0, PAGE_ROWS);
    if (open.length === 0) return;
    const before = Number(open[0].dataset.key) + 1;
    const page = await get("/api/v1/events", { ...this.filter, before, rows_max: PAGE_ROWS }, this.place.signal);
    const events = new Map(page.events.map((event) => [String(event.cursor), event]));
    for (const row of open) {
      const event = events.get(row.dataset.key);
      if (event && !row.contains(document.activeElement)) row.replaceWith(eventRow(event));
    }
  }

  /// Once there are both a page and a stream, reads what was recorded between the two.
  async catchUp() {
    if (this.isStale || !this.isLive) return;
    const known = [this.list.body.firstElementChild?.dataset.key, this.fresh.at(-1)?.cursor].map(Number).filter(Number.isFinite);
    const from = known.length > 0 ? { after: Math.max(...known) } : { before: 0 };
    const signal = this.searching.signal;
    const page = await get("/api/v1/events", { ...this.filter, ...from, rows_max: FRESH_MAX }, signal).catch(() => ({ events: [] }));
    if (signal.aborted) return;
    page.events.sort((a, b) => a.cursor - b.cursor).forEach((event) => this.arrived(event));
  }

  ended() {
    const many = this.list.body.childElementCount;
    if (many === 0) return fill(this.after, this.nothing());
    const more = action("Older events", { run: () => this.older() });
    fill(this.after, h("div.actions", this.isEnd ? h("span.dim", "These are all.") : more,
      this.isTrimmed && action("Back to the newest", { run: () => this.show() })));
  }

  nothing() {
    const isFiltered = Object.keys(this.filter).length > 0;
    if (isFiltered) return empty("No event passes this filter", "New ones that do appear here by themselves.");
    return empty("No event has come yet", "Send one: the line for your source stands under Sources; for a try, the sample of the sender:", "tidegate source test amj");
  }

  has(cursor) {
    return this.list.body.querySelector(`[data-key="${Number(cursor)}"]`) !== null;
  }

  /// An event was recorded.
  arrived(event) {
    if (this.has(event.cursor) || this.fresh.some((known) => known.cursor === event.cursor)) return;
    this.freshCount += 1;
    this.fresh.push(event);
    if (this.fresh.length > FRESH_MAX) this.fresh.shift();
    if (this.settling) return;
    const wait_ms = Math.max(0, (this.settled_ms ?? 0) + SETTLE_MS - performance.now());
    this.settling = setTimeout(() => ((this.settling = null), this.settle()), wait_ms);
  }

  /// Shows what came, unless somebody is reading.
  settle() {
    this.settled_ms = performance.now();
    if (!this.isPaused && !this.isRead()) this.take();
    this.status();
  }

  isRead() {
    const body = this.list.body;
    return this.isTrimmed || scrollY > body.getBoundingClientRect().top + scrollY || body.matches(":hover") || body.contains(document.activeElement);
  }

  /// Puts new events on top.
  take() {
    // What is between is read from the host, not left out.
    if (this.isTrimmed || this.freshCount > this.fresh.length) return void this.show();
    // A page that was read meanwhile may have them; what is older than its first row is for a later page.
    const newest = Number(this.list.body.firstElementChild?.dataset.key ?? 0);
    const rows = this.fresh.filter((event) => event.cursor > newest).map(eventRow).reverse();
    for (const shown of rows) shown.classList.add("fresh");
    this.list.body.prepend(...rows);
    if (rows.length > 0 && this.isEnd) this.ended();
    this.fresh = [];
    this.freshCount = 0;
    this.trim("last");
  }

  /// Keeps the document small: what is far from where the reader is goes, and is read again when it is wanted.
  trim(end) {
    const body = this.list.body;
    const over = body.childElementCount - ROWS_MAX;
    for (let at = 0; at < over; at += 1) body[end === "first" ? "firstElementChild" : "lastElementChild"].remove();
    if (over <= 0) return;
    if (end === "first") this.isTrimmed = true;
    else {
      this.cursor = Number(body.lastElementChild.dataset.key);
      this.oldest_ms = Date.parse(body.lastElementChild.querySelector("time").dateTime);
      this.isEnd = false;
    }
  }

  status() {
    const label = this.isPaused ? "Go on" : "Pause";
    const toggle = () => {
      this.isPaused = !this.isPaused;
      say(this.isPaused ? "Paused: new events are counted" : "New events are shown");
      this.settle();
    };
    if (!this.toggle) {
      this.toggle = h("button", { type: "button", onclick: toggle });
      this.freshButton = h("button.primary", { type: "button", onclick: () => (this.take(), this.status(), scrollTo(0, 0)) });
      this.note = h("span.dim");
      fill(this.bar, this.toggle, this.freshButton, this.note);
    }
    fill(this.toggle, label);
    this.toggle.setAttribute("aria-pressed", String(this.isPaused));
    this.freshButton.hidden = this.freshCount === 0;
    fill(this.freshButton, `Show ${count(this.freshCount, "new event")}`);
    fill(this.note, this.filter?.text ? "A search in payloads stands still: search again for what came since." :
      this.isPaused ? "Paused." : `Live; ${number(this.list.body.childElementCount)} shown${this.oldest_ms ? `, back to ${moment(this.oldest_ms)}` : ""}.`);
  }
}

function filterForm(query, changed, clear) {
  const text = field("Payload holds", { name: "text", value: query.text, type: "search", disabled: !may("operate"), title: whyNot("operate") });
  const form = h("form.filter", { role: "search", "aria-label": "Filter", onsubmit: (event) => (event.preventDefault(), changed()) },
    field("Source", { name: "source", value: query.source, placeholder: "amj" }),
    field("Subject", { name: "subject", value: query.subject, placeholder: "675" }),
    field("Kind", { name: "kind", value: query.kind, placeholder: "asset.update" }),
    field("Plugin", { name: "plugin", value: query.plugin }),
    choice("Class", "class", ["", "first", "duplicate", "stale", "conflict", "after-delete", "echo"], query.class),
    choice("State", "state", ["", "waiting", "decided", "parked"], query.state),
    choice("Since", "since", [["", "ever"], ["1h", "an hour ago"], ["6h", "6 hours ago"], ["1d", "yesterday"], ["7d", "a week ago"]], query.since),
    text,
    h("button.quiet", { type: "button", onclick: clear }, "Clear"));
  form.addEventListener("input", changed);
  return form;
}

