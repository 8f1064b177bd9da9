// Asks before something is done: what will happen, and whether that is meant. Knows nothing of what it is.

import { h } from "./dom.js";

/// Asks. Gives what stands in the fields when that is meant, else null. Escape is no.
export function ask({ title, body = [], fields = [], yes, danger = false, isQuestion = true }) {
  return new Promise((resolve) => {
    const no = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
    const go = h("button", { type: "submit", class: danger ? "danger" : "primary" }, yes);
    const form = h("form", { method: "dialog" }, h("h2", { id: "asked" }, title), body, fields, h("div.actions", go, isQuestion && no));
    const dialog = h("dialog", { "aria-labelledby": "asked" }, form);
    let answer = null;
    form.addEventListener("submit", () => (answer = Object.fromEntries(new FormData(form))));
    dialog.addEventListener("close", () => (dialog.remove(), resolve(answer)));
    document.body.append(dialog);
    dialog.showModal();
    if (danger) no.focus();
  });
}

/// Tells something that is to be read before going on.
export const tell = (title, body) => ask({ title, body, yes: "Close", isQuestion: false });
