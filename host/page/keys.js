// Keys: up and down (or k and j) in a list, `/` to its filter, `?` for help. Knows nothing of what the lists hold.

import { tell } from "./dialog.js";
import { h } from "./dom.js";

/// What one goes through: links of rows.
const STOPS = "[data-stop]";

const HELP = [
  ["j k or ↓ ↑", "the next and the previous row of a list"],
  ["Enter", "open it"],
  ["/", "to the list's filter"],
  ["g then o e p k s", "overview, events, plugins, parked, sources"],
  ["Esc", "close what is open; back to the list"],
  ["?", "this"],
];

const PLACES = { o: "#/", e: "#/events", p: "#/plugins", k: "#/parked", s: "#/sources" };

/// Listens from now on.
export function listen() {
  let isGoing = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const writes = event.target.closest("input,select,textarea");
    if (event.key === "Escape") return writes ? writes.blur() : back();
    if (writes) return;
    const going = isGoing && PLACES[event.key];
    isGoing = event.key === "g";
    if (going) location.hash = going;
    else if (event.key === "j" || event.key === "ArrowDown") move(1, event);
    else if (event.key === "k" || event.key === "ArrowUp") move(-1, event);
    else if (event.key === "/") toFilter(event);
    else if (event.key === "?") help();
  });
}

function move(by, event) {
  const stops = [...document.querySelectorAll(STOPS)];
  const at = stops.indexOf(document.activeElement);
  // Arrows scroll until one is in a list.
  if (stops.length === 0 || (at < 0 && event.key.startsWith("Arrow"))) return;
  event.preventDefault();
  const next = stops[Math.max(0, Math.min(stops.length - 1, at < 0 ? 0 : at + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function toFilter(event) {
  event.preventDefault();
  document.querySelector("details.filters")?.setAttribute("open", "");
  document.querySelector("form.filter input")?.focus();
}

function back() {
  const up = document.querySelector("[data-up]");
  if (up) location.hash = up.getAttribute("href");
}

/// Shows what keys there are.
export function help() {
  const rows = HELP.map(([keys, what]) => h("div", h("dt", h("kbd", keys)), h("dd", what)));
  tell("Keys", h("dl.facts", rows));
}
