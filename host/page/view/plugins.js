// The plugins at work: which version decides for how many assets, how often it is asked, how long it takes, how it fails.

import { get, step } from "../api.js";
import { fill, h } from "../dom.js";
import { empty, row, table } from "../parts.js";
import { spark } from "../plot.js";
import { number, rate, took } from "../words.js";
import { roles } from "./roles.js";
import { faultsOf, lines, series } from "./usage.js";

const EVERY_MS = 2000;
const STEPS_SHOWN = 120;
const HEADS = ["Plugin", "At work", "Kinds", "Asked", "Now", "Mean", "Faults"];

export async function plugins(place) {
  place.title("Plugins");
  const list = table("Plugins at work", HEADS);
  const after = h("div.after");
  let isShown = false;
  await place.keep(
    async () => {
      const [all, usage, lately] = await Promise.all([
        get("/api/v1/plugins", {}, place.signal),
        get("/api/v1/usage", {}, place.signal),
        series({ steps_max: STEPS_SHOWN }, place.signal),
      ]);
      const held = document.activeElement?.getAttribute?.("href");
      fill(list.body, all.map((one) => pluginRow(one, usage, lately)));
      if (held) list.body.querySelector(`[href="${CSS.escape(held)}"]`)?.focus();
      list.element.hidden = all.length === 0;
      fill(after, all.length === 0 && empty("No plugin is at work", "Events are recorded and nothing is decided about them. A first plugin, in a language of yours:", "tidegate plugin new notify --lang python"));
      if (!isShown) fill(place.root, h("h1", "Plugins"), list.element, after);
      isShown = true;
    },
    { lists: ["plugins"], every_ms: EVERY_MS },
  );
}

function pluginRow(plugin, usage, lately) {
  const href = `#/plugins/${step(plugin.plugin)}`;
  const of = usage.filter((row) => row.plugin === plugin.plugin);
  const sum = (value) => of.reduce((all, row) => all + value(row), 0);
  const [calls, faults, wall_us] = [sum((row) => row.calls), sum(faultsOf), sum((row) => row.wall_us)];
  const asked = lines(lately, plugin.plugin, plugin.version).calls;
  const cells = [
    h("a", { href, "data-stop": true }, plugin.plugin),
    roles(plugin.roles),
    h("span.wrap", plugin.kinds.join(", ") || "–"),
    number(calls),
    h("span.now", spark(asked, "calls a second in the last ten minutes"), `${rate(asked.at(-1) ?? 0)}/s`),
    calls > 0 ? took(wall_us / calls) : "–",
    faults > 0 ? h("span.bad", number(faults)) : h("span.dim", "none"),
  ];
  return row(HEADS, cells, { href, key: plugin.plugin });
}
