// Building elements and writing numbers. Text only ever goes in as text nodes, so that a hostile name stays a name.

const SVG_SPACE = "http://www.w3.org/2000/svg";
const MINUS = "−";
const PERCENT = "\u00a0%";
const DASH = "–";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG_SPACE, tag), attributes, children);
}

function replace(node, ...children) {
  node.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
}

function byId(id) {
  return document.getElementById(id);
}

const blocks = new Map();

/** A block of the page's data, parsed when it is first needed; null if the page has none of that name. */
function block(id) {
  if (!blocks.has(id)) {
    const node = byId(id);
    blocks.set(id, node ? JSON.parse(node.textContent) : null);
  }
  return blocks.get(id);
}

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

function number(value, decimals) {
  if (!isNumber(value)) return DASH;
  const text = Math.abs(value).toFixed(decimals);
  return (value < 0 && Number(text) !== 0 ? MINUS : "") + text;
}

/** With its sign, for changes: a minus is a saving. */
function signed(value, decimals) {
  const text = number(value, decimals);
  return isNumber(value) && value > 0 && Number(text) !== 0 ? "+" + text : text;
}

function percent(value, decimals = 1) {
  return isNumber(value) ? signed(value, decimals) + PERCENT : DASH;
}

/** "−31.0 to −22.1 %", or null without an interval. */
function interval(range) {
  if (!range || !isNumber(range[0]) || !isNumber(range[1])) return null;
  return `${signed(range[0], 1)} to ${signed(range[1], 1)}${PERCENT}`;
}

function kbps(value) {
  if (!isNumber(value)) return DASH;
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function count(amount, one, many) {
  return `${amount} ${amount === 1 ? one : many || one + "s"}`;
}

/** Fixed places for a metric's values: enough to tell two encodes apart. */
function metricValue(value, metric) {
  return number(value, metric.decimals) + (metric.unit && isNumber(value) ? " " + metric.unit : "");
}
