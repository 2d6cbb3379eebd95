// Lines over the last minutes. Each has a colour and a dash of its own, and its newest value in words.

const PLOT = { width: 600, height: 140 };
const LEAST_SPAN_SECONDS = 60;
const KINDS = ["a", "b", "c"];

/** The next of 1, 2, 5, 10, ... that holds all values. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}

function rangeOf(values, fromZero) {
  const known = values.filter(isNumber);
  if (!known.length) return [0, 1];
  if (fromZero) return [0, roundUp(Math.max(...known))];
  return [Math.floor(Math.min(...known)) - 1, Math.ceil(Math.max(...known)) + 1];
}

function pathOf(values, xs, [low, high]) {
  const yOf = (value) => PLOT.height * (1 - (value - low) / (high - low));
  return linePath(values.map((value, index) => [xs[index], isNumber(value) ? yOf(value) : null]));
}

/** lines: [{ name, unit or null, decimals, values }], a value a moment; loads: how far things had given way, 0 to 4, or null. */
function drawChart(figure, title, lines, { fromZero = true, loads = null } = {}) {
  const moments = known.moments;
  const end = moments.length ? moments[moments.length - 1].at : 0;
  const span = Math.max(LEAST_SPAN_SECONDS, end - (moments.length ? moments[0].at : 0));
  const xs = moments.map((one) => PLOT.width * (1 - (end - one.at) / span));
  const range = rangeOf(lines.flatMap((line) => line.values), fromZero);
  const step = PLOT.width / span;
  const shades = (loads || []).map((load, index) => load > 0 && svg("rect", {
    class: "load", x: xs[index] - step, width: step, y: PLOT.height * (1 - load / 4), height: (PLOT.height * load) / 4,
  }));
  const paths = lines.map((line, index) => svg("path", { class: `line ${KINDS[index]}`, d: pathOf(line.values, xs, range) }));
  const newest = (line) => number(line.values[line.values.length - 1], line.decimals) + (line.unit ? ` ${line.unit}` : "");
  const ago = span >= 120 ? `${Math.round(span / 60)} min ago` : `${Math.round(span)} s ago`;
  replace(figure,
    h("figcaption", {}, h("b", {}, title), lines.map((line, index) => h("span", {},
      svg("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" }, svg("path", { class: `line ${KINDS[index]}`, d: "M0 4H24" })),
      `${line.name} ${newest(line)}`)), loads && h("span", {}, "shaded: what gave way")),
    h("div", { class: "plot" },
      h("div", { class: "scale", "aria-hidden": "true" }, h("span", {}, number(range[1], 0)), h("span", {}, number(range[0], 0))),
      svg("svg", {
        viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, preserveAspectRatio: "none", role: "img",
        "aria-label": `${title} since ${ago}: ${lines.map((line) => `${line.name} now ${newest(line)}`).join(", ")}`,
      }, shades, paths),
      h("div", { class: "axis", "aria-hidden": "true" }, h("span", {}, ago), h("span", {}, "now"))));
}
