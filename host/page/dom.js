// Builds elements. Sets text and attributes and never reads markup, so nothing that an event, a plugin or a target said can
// become an element. Knows nothing of what is shown.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "g", "path", "line", "rect", "circle", "text", "polyline"]);

/// Attributes that may be set. None of them runs anything; `href` may only stay on this page.
const KNOWN = new RegExp(
  "^(class|id|role|type|name|value|for|title|href|tabindex|placeholder|autocomplete|autofocus|spellcheck|rows|cols|min|max|step|" +
    "scope|colspan|rowspan|datetime|open|checked|selected|disabled|required|readonly|hidden|method|inputmode|list|lang|label|" +
    "aria-[a-z]+|data-[a-z-]+|viewBox|preserveAspectRatio|d|x|y|x1|x2|y1|y2|cx|cy|r|rx|width|height|points|fill|" +
    "text-anchor|vector-effect|maxlength|enterkeyhint)$",
);

/// An element: `h("a.link", { href: "#/events" }, "text", child, [children])`. What is null, undefined or false is left out.
export function h(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  const element = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  if (classes.length > 0) element.setAttribute("class", classes.join(" "));
  if (isAttributes(rest[0])) setAll(element, rest.shift());
  append(element, rest);
  return element;
}

/// Puts these in the place of all that is in the element.
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/// Adds these at the end.
export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

function isAttributes(value) {
  return value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype;
}

function setAll(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.setAttribute("class", [element.getAttribute("class"), value].filter(Boolean).join(" "));
    else if (name.startsWith("on") && typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (!KNOWN.test(name)) throw new Error(`no attribute of this page: ${name}`);
    else if (name === "href" && !/^(#|\/[^/])/.test(value)) throw new Error("a link that leaves this page");
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/// A handler that is called once things have been quiet for so long.
export function settled(handler, ms) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => handler(...given), ms);
  };
}

/// Waits, or ends with the signal's reason.
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}
