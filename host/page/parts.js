// The small pieces that views are made of. Knows nothing of the host.

import { fill, h } from "./dom.js";
import { may, whyNot } from "./session.js";
import { moment, utc } from "./words.js";

/// Which words tell of what kind of state; all others are calm.
const TONES = {
  bad: ["parked", "cut-off", "failing", "withdrawn", "new-fault", "impure", "refused", "gone"],
  warn: ["waiting", "held", "silent", "unknown", "conflict", "canary", "upcoming", "nearly cut off", "leaving"],
  dim: ["dropped", "skipped", "duplicate", "stale", "echo", "retired", "after-delete", "logged", "left"],
};

/// A state in one word.
export function badge(word) {
  const tone = Object.keys(TONES).find((name) => TONES[name].includes(word)) ?? "calm";
  return h(`span.badge.${tone}`, word);
}

/// A moment; in UTC for who points at it.
export const time = (ms) => (ms ? h("time", { datetime: new Date(ms).toISOString(), title: utc(ms) }, moment(ms)) : "–");

/// A version, by its first characters; all of it for who points at it.
export const version = (text) => (text ? h("code", { title: text }, text.slice(0, 12)) : "–");

/// Says something to who listens to the page.
export function say(text) {
  const place = document.getElementById("said");
  fill(place, text);
}

/// A line to type, with a button that copies it.
export function command(text, label = "Copy") {
  const button = h("button.copy", { type: "button", onclick: () => copy(text, button) }, label);
  return h("div.command", h("code", { tabindex: "0" }, text), button);
}

async function copy(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    fill(button, "Copied");
    say("Copied");
  } catch {
    fill(button, "Select it and copy");
  }
  setTimeout(() => fill(button, before), 1600);
}

/// A button that does something. Without the role it says why not, and does nothing.
export function action(label, { needs = "read", run, kind = "" }) {
  const why = whyNot(needs);
  const button = h("button", { type: "button", class: kind, title: why, "aria-disabled": why ? "true" : null }, label);
  button.addEventListener("click", async () => {
    if (!may(needs)) return say(why);
    if (button.getAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    try {
      await run();
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
  return button;
}

/// Buttons side by side; says once what role those take that are disabled.
export function actions(...buttons) {
  const disabled = buttons.flat().find((button) => button?.getAttribute?.("aria-disabled"));
  return h("div.actions", buttons, disabled && h("span.why", disabled.title));
}

/// Something is not there (yet): what that means, and the next line to type.
export function empty(title, text, line) {
  return h("div.empty", h("p.empty-title", title), text && h("p", text), line && command(line));
}

/// Something went wrong, and how to go on.
export function trouble(error, again) {
  const more = again && h("button", { type: "button", onclick: again }, "Try again");
  return h("div.notice.bad", { role: "alert" }, h("p", error.message ?? String(error)), more);
}

/// Names and values. Those without a value are left out.
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== false);
  return h("dl.facts", shown.map(([name, value]) => h("div", h("dt", name), h("dd", value))));
}

/// A part of a view, with its heading.
export function section(title, ...children) {
  return h("section.panel", h("h2", title), children);
}

/// A table that is a list of cards where there is no room for one.
export function table(label, heads, rows = []) {
  const body = h("tbody", { role: "rowgroup" }, rows);
  const head = h("tr", { role: "row" }, heads.map((text) => h("th", { scope: "col", role: "columnheader" }, text)));
  const all = h("table.stack", { role: "table", "aria-label": label }, h("thead", { role: "rowgroup" }, head), body);
  return { element: h("div.table", { tabindex: "-1" }, all), body, heads };
}

/// A filter, folded away where there is little room and nothing is filtered.
export function filters(form, query) {
  const isOpen = matchMedia("(min-width: 761px)").matches || Object.keys(query).length > 0;
  return h("details.filters", { open: isOpen }, h("summary", "Filter"), form);
}

/// One row; `heads` are said of its cells where they stand as a card. With `href`, the row leads there.
export function row(heads, cells, { href, key } = {}) {
  const shown = cells.map((cell, at) => h("td", { role: "cell", "data-label": heads[at] }, cell));
  const element = h("tr", { role: "row", "data-key": key }, shown);
  if (href) {
    element.classList.add("leads");
    element.addEventListener("click", (event) => {
      if (event.target.closest("a,button,input,label,summary") || String(getSelection())) return;
      location.hash = href;
    });
  }
  return element;
}

/// Text that may be long: in a box that scrolls.
export const box = (text, label) => h("pre.box", { tabindex: "0", role: "region", "aria-label": label }, text);

/// A text field with its name.
export function field(label, attributes) {
  return h("label.field", h("span", label), h("input", { type: "text", autocomplete: "off", spellcheck: "false", ...attributes }));
}

/// A choice with its name; each choice is a word, or a value and its words.
export function choice(label, name, choices, chosen) {
  const options = choices.map((one) => {
    const [value, words] = Array.isArray(one) ? one : [one, one || "any"];
    return h("option", { value, selected: value === (chosen ?? "") }, words);
  });
  return h("label.field", h("span", label), h("select", { name }, options));
}
