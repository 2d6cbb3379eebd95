// One row for each measure, findings marked in it.

const ROW_HEIGHT = 30;
const ROW_WIDTH = 1000;

function xOf(seconds) {
  const span = Math.max(1e-6, DATA.end_seconds - DATA.start_seconds);
  return (ROW_WIDTH * (seconds - DATA.start_seconds)) / span;
}

function highest(lane) {
  const most = Math.max(...lane.values.filter(isNumber), 1e-6);
  return lane.threshold ? Math.max(most, 1.4 * lane.threshold) : most;
}

function scorePath(lane) {
  const values = lane.values.filter(isNumber);
  if (!values.length) return "";
  const [low, high] = [Math.min(0, ...values), highest(lane)];
  const yOf = (value) => 2 + (ROW_HEIGHT - 4) * (1 - (value - low) / Math.max(high - low, 1e-9));
  return linePath(lane.values.map((value, index) => [xOf(DATA.seconds[index]), isNumber(value) ? yOf(value) : null]));
}

function thresholdLine(lane) {
  if (!lane.threshold || !lane.values.length) return null;
  const low = Math.min(0, ...lane.values.filter(isNumber));
  const y = 2 + (ROW_HEIGHT - 4) * (1 - (lane.threshold - low) / Math.max(highest(lane) - low, 1e-9));
  return svg("line", { class: "threshold", x1: 0, x2: ROW_WIDTH, y1: y, y2: y });
}

function spanOf(finding, index) {
  const [from, to] = [xOf(finding.start_seconds), xOf(finding.end_seconds)];
  const wide = Math.max(6, to - from);
  const open = (event) => {
    event.stopPropagation();
    openFinding(index);
  };
  return svg("rect", {
    class: "span", x: Math.min(from, ROW_WIDTH - wide), width: wide, y: 0, height: ROW_HEIGHT, tabindex: 0, role: "button",
    "aria-label": `${RULES.get(finding.fault).title} at ${clock(finding.start_seconds)}`,
    onclick: open,
    onkeydown: (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), open(event)),
  }, svg("title", {}, finding.text));
}

function laneRow(lane, subject) {
  const found = FINDINGS.map((one, index) => [one, index]).filter(([one]) => one.fault === lane.name && one.subject === subject);
  const row = svg("svg", { viewBox: `0 0 ${ROW_WIDTH} ${ROW_HEIGHT}`, preserveAspectRatio: "none", onclick: seek },
    DATA.cuts.slice(1).map((at) => svg("line", { class: "cut", x1: xOf(at), x2: xOf(at), y1: 0, y2: ROW_HEIGHT })),
    found.map(([one, index]) => spanOf(one, index)),
    thresholdLine(lane),
    svg("path", { class: "score", d: scorePath(lane) }),
    svg("line", { class: "cursor", x1: 0, x2: 0, y1: 0, y2: ROW_HEIGHT }));
  const label = DATA.subjects.length > 1 && lane.name !== "difference" ? `${"AB"[subject]}: ${lane.title}` : lane.title;
  return h("div", { class: found.length ? "lane found" : "lane", "data-lane": lane.name, title: lane.unit },
    h("span", { class: "name" }, label), row);
}

function seek(event) {
  const box = event.currentTarget.getBoundingClientRect();
  const share = (event.clientX - box.left) / box.width;
  choose({ still: nearestStill(DATA.start_seconds + share * (DATA.end_seconds - DATA.start_seconds)), finding: null });
}

function buildTimeline() {
  const rows = DATA.subjects.flatMap((subject, number) => subject.lanes.map((lane) => laneRow(lane, number)));
  const axis = h("div", { class: "lane" }, h("span", { class: "name" }, "time"),
    h("div", { class: "axis" }, [0, 0.25, 0.5, 0.75, 1].map((share) =>
      h("span", {}, clock(DATA.start_seconds + share * (DATA.end_seconds - DATA.start_seconds))))));
  replace(byId("lanes"), rows, axis);
  const count = Math.min(12, STILLS.length);
  const places = Array.from({ length: count }, (_, index) => Math.round((index * (STILLS.length - 1)) / Math.max(1, count - 1)));
  replace(byId("strip"), places.map((still) =>
    h("button", { type: "button", "data-still": still, onclick: () => choose({ still, finding: null }) },
      h("img", { src: STILLS[still], alt: "" }), h("span", {}, clock(DATA.stills[still])))));
}

function drawCursor() {
  const x = xOf(DATA.stills[chosen.still]);
  for (const line of document.querySelectorAll(".cursor")) {
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
  }
  for (const button of byId("strip").children) {
    button.setAttribute("aria-current", String(Number(button.dataset.still) === chosen.still));
  }
}
watchers.push(drawCursor);
