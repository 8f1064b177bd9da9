// One plugin: what is at work of it, what it was and what it costs; and the way on and the way back.

import { get, post, step } from "../api.js";
import { ask, tell } from "../dialog.js";
import { fill, h } from "../dom.js";
import { action, actions, badge, facts, field, row, say, section, table, time, trouble, version } from "../parts.js";
import { plot } from "../plot.js";
import { me } from "../session.js";
import { number, percent, rate, short, size, took } from "../words.js";
import { differences } from "./difference.js";
import { onTrial, roles } from "./roles.js";
import { faultsOf, lines, series } from "./usage.js";

const EVERY_MS = 2000;
const HISTORY_SHOWN = 20;

export async function plugin(place) {
  const [name] = place.given;
  place.title(name);
  const plots = {
    calls: plot({ title: "Asked", names: ["calls"], format: (value) => `${rate(value)}/s` }),
    mean: plot({ title: "Time of a call", names: ["mean"], format: took }),
    faults: plot({ title: "Faults", names: ["faults"], format: (value) => `${rate(value)}/s` }),
  };
  const parts = { trial: h("div"), versions: h("div"), drawn: "", plots };
  await place.keep(
    async () => {
      const [detail, usage, hour] = await Promise.all([
        get(`/api/v1/plugins/of/${step(name)}`, {}, place.signal),
        get("/api/v1/usage", {}, place.signal),
        series({ plugin: name }, place.signal),
      ]);
      const text = JSON.stringify(detail);
      if (text !== parts.drawn) draw(place, name, detail, parts);
      parts.drawn = text;
      fill(parts.versions, versions(detail, usage));
      update(parts.plots, lines(hour, name, onTrial(detail.roles) ?? detail.roles.active));
    },
    { lists: ["plugins"], every_ms: EVERY_MS },
  );
}

function draw(place, name, detail, parts) {
  const newest = detail.versions[0]?.manifest;
  fill(place.root,
    h("p.up", h("a", { href: "#/plugins", "data-up": true }, "← Plugins")),
    h("h1", name),
    section("At work", roles(detail.roles), deployment(place, name, detail), parts.trial),
    h("p.dim", `The last hour of ${short(onTrial(detail.roles) ?? detail.roles.active)}:`),
    h("div.plots", Object.values(parts.plots).map((one) => one.element)),
    section("Versions", parts.versions),
    detail.drifts.length > 0 && section("Where the version on trial decides otherwise", differences(detail.drifts.map((one) => ({ ...one, received_at_ms: one.at_ms, event_kind: one.drift.kind })))),
    section("History", history(place, name, detail)),
    newest && section("What it asks for", manifest(newest)));
}

/// The buttons that change what is at work.
function deployment(place, name, { roles: now, versions: all, history: past }) {
  const trial = onTrial(now);
  const change = (verb, texts, body) => ({ needs: "operate", run: () => confirm(place, name, verb, texts, body), kind: verb === "promote" ? "primary" : "" });
  const candidate = trial ?? all.find((one) => one.version !== now.active && one.state === "usable")?.version;
  const promote = trial && action(`Promote ${short(trial)} …`, change("promote", {
    title: `Promote ${short(trial)}?`, yes: "Promote",
    text: `From the next event on ${short(trial)} decides about all assets. ${now.active ? `${short(now.active)} ends what it has begun, and can be brought back.` : ""}`,
  }));
  const end = trial && action("End the trial …", change("end", {
    title: "End the trial?", yes: "End it",
    text: `${short(trial)} is asked no more. ${now.active ? `${short(now.active)} decides about all assets.` : "No version decides then."}`,
  }));
  const rollback = past.length > 1 && action("Roll back …", change("rollback", {
    title: `Roll ${name} back?`, yes: "Roll back", danger: true,
    text: now.canary ? `The canary ${short(now.canary.version)} is ended, and ${short(now.active)} decides about all assets again.` :
      `The version that was active before ${short(now.active)} and was not withdrawn decides again, from the next event on. Nothing that was done is undone.`,
  }));
  const look = candidate && h("a.button", { href: `#/plugins/${step(name)}/diff?candidate=${candidate}` }, `What would ${short(candidate)} change?`);
  return actions(promote, end, rollback, look);
}

/// Asks, then changes it.
async function confirm(place, name, verb, { title, text, yes, danger }, rest = {}) {
  const given = await ask({ title, body: h("p", text), fields: [field("Why (for the history)", { name: "why", maxlength: 500 })], yes, danger });
  if (!given) return;
  try {
    await post(`/api/v1/plugins/of/${step(name)}/${verb}`, { ...rest, by: { who: me().name, why: given.why || null } });
    say(`${name}: ${verb} is done`);
  } catch (error) {
    await tell("Nothing was changed", trouble(error));
  }
  place.again();
}

function update(plots, { from_ms, step_ms, calls, mean_us, faults }) {
  const draw = (one, line) => one.update({ from_ms, step_ms, lines: [line] });
  draw(plots.calls, calls);
  draw(plots.mean, mean_us);
  draw(plots.faults, faults);
}

function versions({ roles: now, versions: all }, usage) {
  const heads = ["Version", "Role", "Recorded", "Size", "Asked", "Refused", "Faults", "Mean", "Longest", "Memory", "Differs"];
  const rows = all.map((one) => {
    const cost = usage.find((row) => row.version === one.version);
    const faults = cost ? faultsOf(cost) : 0;
    const from = [one.provenance.who, one.provenance.note, one.provenance.signed_by && `signed by ${one.provenance.signed_by}`].filter(Boolean).join(", ");
    return row(heads, [
      version(one.version),
      role(one, now),
      h("span", time(one.made_at_ms), from && h("span.key", from)),
      size(one.component_bytes),
      cost ? number(cost.calls) : "–",
      cost ? number(cost.refusals) : "–",
      faults > 0 ? h("span.bad", { title: Object.entries(cost.faults).map(([fault, many]) => `${fault} ${many}`).join(", ") }, number(faults)) : "none",
      cost?.calls > 0 ? took(cost.wall_us / cost.calls) : "–",
      cost?.calls > 0 ? took(cost.wall_us_max) : "–",
      cost?.calls > 0 ? size(cost.memory_bytes_max) : "–",
      cost?.compared > 0 ? `${number(cost.drifted)} of ${number(cost.compared)} (${percent(cost.drifted, cost.compared)})` : "–",
    ]);
  });
  return table("Versions", heads, rows).element;
}

function role({ version: one, state }, { active, canary, shadow }) {
  const words = [[active, "active"], [canary?.version, "canary"], [shadow, "shadow"]].filter(([version]) => version === one).map(([, word]) => badge(word));
  return words.length > 0 ? words : badge(state);
}

function history(place, name, { history: past, roles: now }) {
  const heads = ["When", "What", "Active then", "Who", "Why", ""];
  const rows = past.slice(0, HISTORY_SHOWN).map((one) => row(heads, [
    time(one.at_ms), badge(one.action), version(one.roles.active), one.who || "–", h("span.wrap", one.why ?? "–"),
    one.roles.active && one.roles.active !== now.active ? action(`Back to ${short(one.roles.active)} …`, {
      needs: "operate", kind: "quiet", run: () => confirm(place, name, "rollback", {
        title: `Back to ${short(one.roles.active)}?`, yes: "Roll back", danger: true,
        text: `What was at work from ${new Date(one.at_ms).toLocaleString()} on is at work again, from the next event on.`,
      }, { to: one.id }),
    }) : null,
  ]));
  return table("History", heads, rows).element;
}

function manifest(asked) {
  const list = (all) => (all ?? []).join(", ") || "none";
  return facts([
    ["kinds", list(asked.kinds)], ["hosts", list(asked.hosts)], ["secrets", list(asked.secrets)], ["emits", list(asked.emits)],
    ["arrivals beside first ones", list(asked.arrivals)], ["writes back to", list(asked.writes_back_to)],
    ["settings", Object.keys(asked.settings ?? {}).length > 0 ? h("ul.log", Object.entries(asked.settings).map(([key, value]) => h("li", h("span.when", key), value))) : "none"],
  ]);
}
