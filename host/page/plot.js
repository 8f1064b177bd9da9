// Small line plots. What a plot shows it also says in words, for who does not see it.

import { fill, h } from "./dom.js";
import { moment } from "./words.js";

const WIDE = 600;
const HIGH = 100;

/// A plot of so many lines over time: `update` draws it. `format` writes a value, `names` are those of the lines.
export function plot({ title, names, format }) {
  const now = h("span.plot-now");
  const drawn = h("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const reading = h("span.plot-reading");
  const span = h("div.plot-span", h("span"), reading, h("span"));
  const area = h("div.plot-area", { role: "img", "aria-label": title }, drawn);
  const legend = names.length > 1 && h("span.plot-names", names.map((name, at) => h(`span.line-${at}`, name)));
  const element = h("figure.plot", h("figcaption", h("span", title), legend, now), area, span);
  let shown = null;
  let most = "";
  area.addEventListener("pointermove", (event) => shown && read(shown, event, { area, drawn, reading, format, names }));
  area.addEventListener("pointerleave", () => (fill(reading, most), drawn.querySelector(".plot-at")?.remove()));

  function update({ from_ms, step_ms, lines }) {
    const known = lines.flat().filter((value) => value !== null && value !== undefined);
    const top = Math.max(...known, 0) || 1;
    shown = { from_ms, step_ms, lines };
    fill(drawn, lines.map((line, at) => draw(line, top, at)).reverse());
    const last = lines.map((line) => line.findLast((value) => value !== null && value !== undefined));
    const words = (value) => (value === undefined ? "–" : format(value));
    fill(now, last.map(words).join(" · "));
    most = Math.max(...known, 0) > 0 ? `at most ${format(Math.max(...known))}` : "";
    if (!area.matches(":hover")) fill(reading, most);
    const ends = lines[0]?.length ? [moment(from_ms), moment(from_ms + step_ms * (lines[0].length - 1))] : ["", ""];
    fill(span.firstChild, ends[0]);
    fill(span.lastChild, ends[1]);
    const said = names.map((name, at) => `${name} now ${words(last[at])}`).join(", ");
    area.setAttribute("aria-label", `${title}: ${said}; at most ${known.length > 0 ? format(top) : "nothing"}`);
  }
  return { element, update };
}

/// A line alone, for a row of a table.
export function spark(values, label) {
  const top = Math.max(...values, 0) || 1;
  const drawn = h("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", "aria-hidden": "true" }, draw(values, top, 0));
  return h("span.spark", { role: "img", "aria-label": label }, drawn);
}

/// A line that is broken where there is no value, over its own ground.
function draw(values, top, at) {
  const x = (place) => ((values.length < 2 ? 1 : place / (values.length - 1)) * WIDE).toFixed(1);
  const y = (value) => (HIGH - 3 - (value / top) * (HIGH - 8)).toFixed(1);
  const pieces = [];
  let piece = [];
  values.forEach((value, place) => {
    if (value === null || value === undefined) return (piece = []);
    if (piece.length === 0) pieces.push(piece);
    piece.push([x(place), y(value)]);
  });
  const path = (points) => `M${points.map((point) => point.join(" ")).join("L")}`;
  // A lone step is a dash, so that it is seen.
  const line = (points) => (points.length > 1 ? path(points) : `M${Math.max(0, points[0][0] - 6)} ${points[0][1]}h6`);
  const ground = (points) => `${path(points)}V${HIGH}H${points[0][0]}Z`;
  const grounds = at === 0 && pieces.map((points) => h("path.plot-ground", { d: ground(points) }));
  const lines = pieces.map((points) => h("path.plot-line", { d: line(points), "vector-effect": "non-scaling-stroke" }));
  return h(`g.line-${at}`, grounds, lines);
}

/// What the lines say where the pointer is.
function read({ from_ms, step_ms, lines }, event, { area, drawn, reading, format, names }) {
  const steps = (lines[0]?.length ?? 0) - 1;
  if (steps < 0) return;
  const { left, width } = area.getBoundingClientRect();
  const place = Math.max(0, Math.min(steps, Math.round(((event.clientX - left) / width) * steps)));
  const said = lines.map((line, at) => `${names.length > 1 ? `${names[at]} ` : ""}${line[place] === null ? "–" : format(line[place])}`);
  fill(reading, `${moment(from_ms + place * step_ms)}: ${said.join(" · ")}`);
  drawn.querySelector(".plot-at")?.remove();
  const x = steps > 0 ? (place / steps) * WIDE : WIDE;
  drawn.append(h("line.plot-at", { x1: x, x2: x, y1: 0, y2: HIGH, "vector-effect": "non-scaling-stroke" }));
}
