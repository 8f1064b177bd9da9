// Starts the page: lets somebody in, shows the view that the address names, keeps one live stream open. Knows nothing of what
// the views show.

import { Away, doors, get, Refused } from "./api.js";
import { fill, h, pause } from "./dom.js";
import * as keys from "./keys.js";
import { say, trouble } from "./parts.js";
import { is, keep, me, takeFromAddress, token } from "./session.js";
import { Stream } from "./stream.js";
import { diff } from "./view/diff.js";
import { event } from "./view/event.js";
import { events } from "./view/events.js";
import { login } from "./view/login.js";
import { overview } from "./view/overview.js";
import { parked } from "./view/parked.js";
import { parkedOne } from "./view/parked-one.js";
import { plugin } from "./view/plugin.js";
import { plugins } from "./view/plugins.js";
import { sources } from "./view/sources.js";
import { number, span } from "./words.js";

/// The views, by what the address begins with; the first that fits.
const VIEWS = [
  [/^\/events\/([^/]+)$/, event, "events"],
  [/^\/events$/, events, "events"],
  [/^\/plugins\/([^/]+)\/diff$/, diff, "plugins"],
  [/^\/plugins\/([^/]+)$/, plugin, "plugins"],
  [/^\/plugins$/, plugins, "plugins"],
  [/^\/parked\/(.+)$/, parkedOne, "parked"],
  [/^\/parked$/, parked, "parked"],
  [/^\/sources$/, sources, "sources"],
  [/^\/?$/, overview, ""],
];
const LINKS = [["", "Overview"], ["events", "Events"], ["plugins", "Plugins"], ["parked", "Parked"], ["sources", "Sources"]];
/// Of the stream, how things are is wanted here, not what is recorded.
const NO_EVENT = { events: false };
const TICK_MS = 500;
const COUNTED_MAX = 99;

const main = document.getElementById("main");
let leaving = new AbortController();
let stream = null;
let isFirst = true;

/// What a view is given.
function place(given, query, signal) {
  return {
    root: main,
    given,
    query,
    signal,
    title: (text) => (document.title = `${text} · Tidegate`),
    /// The live stream of events that pass a filter.
    follow: (filter) => follow(filter, signal),
    /// Has what is kept fresh done again.
    again: () => main.dispatchEvent(new Event("host-back")),
    /// Writes a query into the address, without showing the view anew.
    remember(next) {
      const kept = Object.entries(next).filter(([, value]) => value);
      const [base] = location.hash.split("?");
      history.replaceState(null, "", kept.length > 0 ? `${base}?${new URLSearchParams(kept)}` : base);
    },
    /// Does it now, and again each time these lists have changed, the host is back, or so much time has passed.
    keep: (work, options) => keepFresh(work, signal, options),
  };
}

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const signal = leaving.signal;
  const [where, text = ""] = location.hash.replace(/^#/, "").split("?");
  const [found, view, name] = VIEWS.map(([pattern, view, name]) => [pattern.exec(where), view, name]).find(([found]) => found) ?? [];
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = link.getAttribute("href") === `#/${name ?? "-"}`;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.querySelector("dialog[open]")?.close();
  fill(main, h("p.loading", "Loading …"));
  if (!isFirst) (main.focus({ preventScroll: true }), scrollTo(0, 0));
  isFirst = false;
  follow(NO_EVENT, signal);
  if (!view) return fill(main, h("h1", "Nothing is here"), h("p", h("a", { href: "#/" }, "To the overview")));
  const query = Object.fromEntries(new URLSearchParams(text));
  try {
    await view(place(found.slice(1).map(decodeURIComponent), query, signal));
    if (!signal.aborted) say(document.title);
  } catch (error) {
    if (!signal.aborted) fill(main, h("h1", "This could not be shown"), trouble(error, show));
  }
}

function follow(filter, signal) {
  if (stream && JSON.stringify(stream.query) === JSON.stringify(filter)) return stream;
  stream?.close();
  const opened = new Stream(filter);
  stream = opened;
  opened.addEventListener("state", ({ detail }) => stream === opened && connection(detail));
  opened.addEventListener("overview", ({ detail }) => glance(detail));
  for (const name of ["overview", "changed"]) {
    opened.addEventListener(name, ({ detail }) => main.dispatchEvent(new CustomEvent(`host-${name}`, { detail })));
  }
  signal.addEventListener("abort", () => stream === opened && JSON.stringify(filter) !== JSON.stringify(NO_EVENT) && (opened.close(), (stream = null)));
  return opened;
}

function keepFresh(work, signal, { lists = [], every_ms = null } = {}) {
  let isWorking = false;
  let isWanted = false;
  const again = async () => {
    if (isWorking) return (isWanted = true);
    isWorking = true;
    try {
      do {
        isWanted = false;
        await work();
      } while (isWanted && !signal.aborted);
    } catch (error) {
      // What is shown stays; the next time it may be better.
      if (!signal.aborted && !(error instanceof Away)) console.warn(error);
    } finally {
      isWorking = false;
    }
  };
  main.addEventListener("host-changed", ({ detail }) => lists.includes(detail.what) && again(), { signal });
  main.addEventListener("host-back", again, { signal });
  if (every_ms) {
    const timer = setInterval(() => document.hidden || again(), every_ms);
    signal.addEventListener("abort", () => clearInterval(timer));
  }
  // The first time its trouble is the view's.
  isWorking = true;
  return work().finally(() => (isWorking = false));
}

let wasAway = false;
let counting = null;

/// Shows how the connection is; counts down to the next attempt.
function connection(state) {
  const shown = document.getElementById("connection");
  if (!shown) return;
  clearInterval(counting);
  if (state === "live") {
    fill(shown, "live");
    shown.className = "connection live";
    if (wasAway) (say("The host is back"), main.dispatchEvent(new Event("host-back")));
    wasAway = false;
    return;
  }
  if (state === "opening") return void (wasAway || (shown.className = "connection"));
  if (!wasAway) say("The host does not answer; it is asked again by itself");
  wasAway = true;
  shown.className = "connection away";
  const until = Date.now() + state.again_ms;
  const tick = () => fill(shown, `host away, again in ${span(Math.max(0, Math.ceil((until - Date.now()) / 1000) * 1000))}`);
  tick();
  counting = setInterval(tick, TICK_MS);
}

/// What needs a person: events and strays, effects, alerts.
function glance({ stats }) {
  const link = document.querySelector('nav a[href="#/parked"] .count');
  const many = stats.parked + stats.effects.parked + stats.alerts.parked;
  if (link) fill(link, many > 0 ? [h("span.unseen", " "), many > COUNTED_MAX ? `${COUNTED_MAX}+` : number(many)] : "");
}

function header() {
  const links = LINKS.map(([name, text]) =>
    h("li", h("a", { href: `#/${name}` }, text, name === "parked" && h("span.count"))),
  );
  const who = me();
  const out = h("button.quiet", { type: "button", onclick: () => (keep(null), leave("")) }, "Sign out");
  const help = h("button.quiet", { type: "button", "aria-label": "Keys", onclick: keys.help }, "?");
  const mark = h("svg", { viewBox: "0 0 32 32", "aria-hidden": "true", class: "mark" },
    h("path", { d: "M4 12c4-4.500 8-4.500 12 0s8 4.500 12 0M4 21c4-4.500 8-4.500 12 0s8 4.500 12 0" }));
  fill(
    document.getElementById("header"),
    h("a.brand", { href: "#/" }, mark, "Tidegate"),
    h("nav", { "aria-label": "Views" }, h("ul", links)),
    h("div.me", h("span.connection", { id: "connection" }, "…"), h("span.who", { title: `Tidegate ${who.version}` }, h("span.name", who.name), h("span.role", who.role)), help, out),
  );
}

/// Back to the form; what was shown goes.
function leave(why) {
  leaving.abort();
  stream?.close();
  stream = null;
  keep(null);
  fill(document.getElementById("header"));
  login(main, why, (text) => (keep(text), enter()));
}

async function enter() {
  const signal = leaving.signal;
  for (let wait_ms = 500; ; wait_ms = Math.min(wait_ms * 2, 10_000)) {
    try {
      is(await get("/api/v1/me"));
      break;
    } catch (error) {
      if (error instanceof Refused) return error.status === 401 ? undefined : leave(error.message);
      fill(main, h("div.notice.bad", { role: "alert" }, h("p", error.message)));
      await pause(wait_ms, signal).catch(() => null);
    }
  }
  header();
  await show();
}

document.getElementById("skip").addEventListener("click", (event) => (event.preventDefault(), main.focus()));
doors.addEventListener("closed", () => leave(token() ? "This token is not known here (any more)." : ""));
addEventListener("hashchange", () => {
  if (takeFromAddress()) return enter();
  if (token()) show();
});
keys.listen();
takeFromAddress();
if (token()) enter();
else leave("");
