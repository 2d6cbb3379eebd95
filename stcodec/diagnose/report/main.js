// Controls and keys, and the first drawing.

const STYLES = [["overlay", "map over the frame"], ["contour", "contours"], ["side", "side by side"], ["plain", "frame only"]];
let playing = null;

function selectOf(id, label, entries, change) {
  return h("label", {}, label, h("select", { id, onchange: (event) => change(event.target.value) },
    entries.map(([value, text]) => h("option", { value }, text))));
}

function checkOf(id, label, key) {
  return h("label", {}, h("input", { id, type: "checkbox", checked: chosen[key], onchange: (event) => choose({ [key]: event.target.checked }) }), label);
}

function buildControls() {
  const names = new Map(LAYERS.map((layer) => [layer.name, layer.label]));
  const styles = DATA.subjects.length > 1 ? STYLES.filter(([name]) => name !== "side") : STYLES;
  replace(byId("controls"),
    selectOf("layer", "Show", [...names], (layer) => choose({ layer })),
    selectOf("style", "as", styles, (style) => choose({ style })),
    checkOf("ways", "peaks’ way over the last second", "ways"),
    DATA.subjects.some((one) => one.tokens.length) && checkOf("tokens", "open tokens", "tokens"));
  replace(byId("player"),
    h("button", { id: "play", type: "button", "aria-label": "Play", onclick: toggle }, "▶"),
    h("input", { id: "slider", type: "range", min: 0, max: STILLS.length - 1, value: 0, "aria-label": "Frame",
      oninput: (event) => choose({ still: Number(event.target.value), finding: null }) }),
    h("output", { id: "clock", for: "slider" }));
}

function drawPlayer() {
  byId("slider").value = chosen.still;
  byId("slider").setAttribute("aria-valuetext", clock(DATA.stills[chosen.still]));
  byId("clock").textContent = clock(DATA.stills[chosen.still]);
  const here = DATA.stills[chosen.still];
  const now = FINDINGS.filter((one) => one.start_seconds - 0.01 <= here && here <= one.end_seconds + 0.01);
  const finding = chosen.finding === null ? null : FINDINGS[chosen.finding];
  const said = finding ? [finding] : now;
  byId("moment").textContent = said.map((one) => `${RULES.get(one.fault).title}: ${one.text}`).join(" · ");
}
watchers.push(drawPlayer);

function step(by) {
  choose({ still: Math.max(0, Math.min(STILLS.length - 1, chosen.still + by)), finding: null });
}

function toggle() {
  if (playing !== null) clearTimeout(playing);
  playing = playing === null ? setTimeout(tick, 0) : null;
  byId("play").textContent = playing === null ? "▶" : "❚❚";
  byId("play").setAttribute("aria-label", playing === null ? "Play" : "Pause");
}

/** The next still, when its time has come. */
function tick() {
  const next = (chosen.still + 1) % STILLS.length;
  const wait = Math.min(1, Math.max(0.03, DATA.stills[next] - DATA.stills[chosen.still]));
  choose({ still: next, finding: null });
  playing = setTimeout(tick, 1000 * wait);
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest("select, input[type=checkbox]")) return;
  const onButton = event.target.closest("button, [role=button]");
  const keys = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), n: () => stepFinding(1), p: () => stepFinding(-1) };
  if (!onButton) keys[" "] = toggle;
  const action = keys[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function start() {
  byId("facts").textContent = [
    DATA.subjects.map((one) => one.attention).join(" against "),
    `${DATA.width_px}×${DATA.height_px}`,
    `${count(DATA.frames, "frame")}, ${count(DATA.instants, "map")}, ${count(DATA.cuts.length, "shot")}`,
    count(FINDINGS.length, "finding"),
  ].join(" · ");
  replace(byId("notes"), DATA.notes.map((note) => h("li", {}, note)));
  buildControls();
  buildTimeline();
  buildFindings();
  buildRules();
  buildVariants();
  document.addEventListener("keydown", onKey);
  if (FINDINGS.length) openFinding(order()[0].index);
  else choose({});
}

start();
