// Lets somebody in: asks for a token.

import { fill, h } from "../dom.js";
import { command } from "../parts.js";

/// Shows the form; `enter` is called with what was typed.
export function login(root, why, enter) {
  document.title = "Sign in · Tidegate";
  const input = h("input", { type: "password", name: "token", id: "token", autocomplete: "off", spellcheck: "false", required: true,
    "aria-describedby": why ? "why" : null });
  const form = h("form.login", { onsubmit: (event) => (event.preventDefault(), enter(input.value.trim())) },
    h("h1", "Tidegate"),
    h("p.dim", "Sign in with a token. It stays in this tab and is gone when the tab is closed."),
    why && h("p.notice.bad", { role: "alert", id: "why" }, why),
    h("label.field", { for: "token" }, h("span", "Token"), input),
    h("button.primary", { type: "submit" }, "Sign in"),
    h("details", h("summary", "Where is one?"),
      h("p", "Whoever operates the host makes one, with the role that its bearer is to have:"),
      command("tidegate token new NAME --role read"),
      h("p", "On the host itself, the one that its own commands use stands in its data directory:"),
      command("cat .tidegate/admin.json")));
  fill(root, form);
  input.focus();
}
