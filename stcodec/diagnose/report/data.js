// What the page shows, and what is chosen of it. Coordinates: "widths" are frame widths both ways, "shares" those of each side.

const DATA = block("data");
const STILLS = block("stills");
const ENCODED_STILLS = block("encoded-stills");
const VARIANTS = block("variant-moments") || [];
const LAYERS = block("layers").map((layer) => ({
  ...layer,
  cells: cellsFrom(layer.bytes),
}));
const ASPECT = DATA.height_px / DATA.width_px;
const RULES = new Map(DATA.faults.map((fault) => [fault.name, fault]));
const FINDINGS = DATA.subjects.flatMap((subject, number) =>
  [...subject.ranked.map((one) => ({ ...one, ranked: true })), ...subject.findings].map((one) => ({ ...one, subject: number })),
);

const chosen = {
  still: 0,
  finding: null,
  layer: "map",
  style: "overlay",
  ways: true,
  tokens: true,
  token: null,
};

const watchers = [];

/** Change what is chosen and draw all again. */
function choose(change) {
  if ("still" in change && change.still !== chosen.still && !("token" in change)) chosen.token = null;
  Object.assign(chosen, change);
  for (const draw of watchers) draw();
}

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  const rest = (seconds - 60 * minutes).toFixed(2).padStart(5, "0");
  return `${minutes}:${rest}`;
}

function nearestStill(seconds) {
  let best = 0;
  for (const [index, at] of DATA.stills.entries()) {
    if (Math.abs(at - seconds) < Math.abs(DATA.stills[best] - seconds)) best = index;
  }
  return best;
}

/** The cells of a layer at a still. */
function cellsOf(layer, still) {
  const size = layer.rows * layer.cols;
  return layer.cells.subarray(still * size, (still + 1) * size);
}
