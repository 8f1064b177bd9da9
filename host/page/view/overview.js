// How things are at a glance: what came in and what became of it, how fast, and how the senders are.

import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { badge, empty, row, section, table, time } from "../parts.js";
import { plot, spark } from "../plot.js";
import { ago, count, number, rate, span, utc } from "../words.js";
import { budget, isWell } from "./source.js";

const EVERY_MS = 5000;
const ALERTS_SHOWN = 5;

export async function overview(place) {
  place.title("Overview");
  const sum = h("div.sum");
  const warned = h("div");
  const plots = makePlots();
  const hosts = h("div");
  const sources = h("div");
  const alerts = h("div");
  const effects = h("p.dim");
  const drawn = h("div.plots", Object.values(plots).map((one) => one.element));
  let isShown = false;
  await place.keep(
    async () => {
      const [now, group, told] = await Promise.all([
        get("/api/v1/overview", {}, place.signal),
        get("/api/v1/hosts", {}, place.signal),
        get("/api/v1/alerts", {}, place.signal),
      ]);
      fill(sum, figures(now.stats, now.oldest_waiting_ms, now.now_ms));
      fill(warned, warnings(now.sources));
      draw(plots, now.series);
      fill(hosts, hostRows(group));
      fill(sources, sourceRows(now));
      fill(effects, effectsLine(now.stats));
      fill(alerts, alertRows(told, now.now_ms));
      if (isShown) return;
      isShown = true;
      fill(place.root, h("h1", "Overview"), warned, sum, effects, drawn, hosts,
        section("Sources", sources), section("What was told", alerts));
    },
    { every_ms: EVERY_MS, lists: ["sources", "alerts"] },
  );
  place.root.addEventListener("host-overview",
    ({ detail }) => fill(sum, figures(detail.stats, detail.oldest_waiting_ms, detail.now_ms)), { signal: place.signal });
}

/// The sum that must always hold, and a bar of its parts.
function figures(stats, oldest_ms, now_ms) {
  const { incoming, done, waiting, parked } = stats;
  const one = (name, value, href, tone) =>
    h("a.figure", { href, class: value > 0 ? tone : "" }, h("span.figure-value", number(value)), h("span.figure-name", name));
  const sign = (text) => h("span.sign", { "aria-hidden": "true" }, text);
  const parts = [["done", done], ["waiting", waiting], ["parked", parked]];
  const bar = h("svg.bar", { viewBox: "0 0 1000 6", preserveAspectRatio: "none", "aria-hidden": "true" }, stack(parts, incoming));
  const oldest = oldest_ms && waiting > 0 ? h("p.dim", `the oldest that waits: ${span(now_ms - oldest_ms)}`) : null;
  return [
    h("div.figures",
      one("in", incoming, "#/events", ""), sign("="),
      one("done", done, "#/events?state=decided", ""), sign("+"),
      one("waiting", waiting, "#/events?state=waiting", "warn"), sign("+"),
      one("parked", parked, "#/parked", "bad")),
    bar,
    oldest,
  ];
}

function stack(parts, whole) {
  let at = 0;
  return parts.map(([name, value]) => {
    // What there is is seen, however little it is.
    const width = value > 0 ? Math.max(4, (value / Math.max(whole, 1)) * 1000) : 0;
    const part = h("rect", { class: `bar-${name}`, x: at, y: 0, width, height: 6 });
    at += width;
    return part;
  });
}

function effectsLine({ effects, upcoming, accepted }) {
  const repeats = accepted.duplicate + accepted.stale;
  return [
    `Effects: ${number(effects.done)} done, ${number(effects.waiting)} waiting, `,
    effects.parked > 0 ? h("a", { href: "#/parked?what=effect" }, `${number(effects.parked)} parked`) : "0 parked",
    `. Repeats and what came too late: ${number(repeats)}. Still to come: ${count(upcoming, "event")} of plugins.`,
  ];
}

function makePlots() {
  const perSecond = (value) => `${rate(value)}/s`;
  const many = (value) => number(value);
  const length = (ms) => span(ms);
  return {
    flow: plot({ title: "Events", names: ["in", "done"], format: perSecond }),
    waiting: plot({ title: "Waiting", names: ["waiting"], format: many }),
    ack: plot({ title: "Edge to queue", names: ["p50", "p99"], format: length }),
    decide: plot({ title: "Edge to decision", names: ["p50", "p99"], format: length }),
    effects: plot({ title: "Effects done", names: ["effects"], format: perSecond }),
    parked: plot({ title: "Parked", names: ["parked"], format: many }),
  };
}

function draw(plots, series) {
  const { from_ms, step_ms } = series;
  const each = (values) => (values ?? []).map((value) => (value === null ? null : (value * 1000) / step_ms));
  const at = (one, ...lines) => one.update({ from_ms, step_ms, lines: lines.map((line) => line ?? []) });
  at(plots.flow, each(series.incoming), each(series.done));
  at(plots.waiting, series.waiting);
  at(plots.ack, series.ack_ms_p50, series.ack_ms_p99);
  at(plots.decide, series.decide_ms_p50, series.decide_ms_p99);
  at(plots.effects, each(series.effects_done));
  at(plots.parked, series.parked);
}

function warnings({ sources, edge }) {
  const ill = sources.filter((source) => !isWell(source));
  const lines = ill.map((source) => h("li", h("a", { href: `#/sources?source=${source.source}` }, source.source), " is ", badge(source.state),
    source.since_ms ? [" since ", time(source.since_ms)] : null, source.tally?.last_failure ? `: ${source.tally.last_failure}` : ""));
  const faults = (edge?.faults ?? []).map((fault) => h("li", `A source is not live: ${fault}`));
  const away = edge?.failure ? [h("li", `The edge cannot be asked: ${edge.failure}`)] : [];
  const all = [...lines, ...faults, ...away];
  return all.length > 0 ? h("div.notice.bad", h("ul", all)) : null;
}

/// The hosts that share the work; nothing where there is one alone.
function hostRows({ hosts, unheld, now_ms }) {
  if (hosts.length < 2) return null;
  const heads = ["Host", "State", "Holds", "In flight", "Errands", "Oldest waiting", "Last seen"];
  const rows = hosts.map((host) => row(heads, [
    [h("strong", host.name), host.is_own ? " (this one)" : ""],
    badge(host.state),
    host.partitions.includes(0) ? `${number(host.partitions.length)}, and watches` : number(host.partitions.length),
    number(host.in_flight),
    number(host.errands),
    host.oldest_waiting_ms ? span(now_ms - host.oldest_waiting_ms) : "–",
    h("span", { title: `${utc(host.seen_at_ms)}, Tidegate ${host.release}` }, ago(host.seen_at_ms, now_ms)),
  ], { key: host.id }));
  const rest = unheld.length > 0 ? h("p.dim", `Held by nobody: ${count(unheld.length, "partition")}; the hosts that are there take them over.`) : null;
  return section("Hosts", table("Hosts", heads, rows).element, rest);
}

function sourceRows({ sources: { sources }, series, now_ms }) {
  if (sources.length === 0) {
    return empty("No source is known yet", "A source is a sender with a URL of its own. This has one, and prints its URL:", "tidegate dev");
  }
  const heads = ["Source", "State", "Rate", "Last hour", "Edge to queue", "Failures left", "Last event", "Vault"];
  const cells = sources.map((source) => {
    const { incoming = [], ack_ms_p99 = [] } = series.by_source?.[source.source] ?? {};
    const lately = (values) => values.slice(-Math.ceil(60_000 / series.step_ms));
    const perMinute = lately(incoming).reduce((sum, value) => sum + value, 0);
    const ack = Math.max(...lately(ack_ms_p99).filter((value) => value !== null));
    return h("tr", { role: "row" }, [
      h("a", { href: `#/sources?source=${source.source}`, "data-stop": true }, source.source),
      badge(source.state),
      `${number(perMinute)} a minute`,
      spark(incoming, `events of ${source.source} in the last hour`),
      h("span.now", spark(ack_ms_p99, `from edge to queue, of ${source.source} in the last hour`), Number.isFinite(ack) ? `p99 ${span(ack)}` : "–"),
      budget(source),
      source.last_event_ms ? h("span", { title: new Date(source.last_event_ms).toISOString() }, ago(source.last_event_ms, now_ms)) : "never",
      source.vault && source.vault.messages > 0 ? `${number(source.vault.messages)} waiting` : "empty",
    ].map((cell, at) => h("td", { role: "cell", "data-label": heads[at] }, cell)));
  });
  const head = h("tr", { role: "row" }, heads.map((text) => h("th", { scope: "col", role: "columnheader" }, text)));
  return h("div.table", h("table.stack", { role: "table", "aria-label": "Sources" },
    h("thead", { role: "rowgroup" }, head), h("tbody", { role: "rowgroup" }, cells)));
}

/// The last alerts.
export function alertRows(alerts, now_ms, most = ALERTS_SHOWN) {
  if (alerts.length === 0) return empty("Nothing was to be told", "Of a failing sender, a silence or a version that did badly you would read here.");
  const latest = [...alerts].sort((a, b) => b.raised_at_ms - a.raised_at_ms).slice(0, most);
  return h("ul.lines", latest.map((alert) => h("li",
    h("span.when", { title: new Date(alert.raised_at_ms).toISOString() }, ago(alert.raised_at_ms, now_ms)),
    h("strong", alert.kind), alert.source ? ` ${alert.source}` : "", " ", badge(alert.state),
    h("p.dim", alert.payload?.data?.summary ?? ""),
    alert.what && alert.state !== "done" && alert.state !== "logged" ? h("p.dim", `sending: ${alert.what}`) : null)));
}
