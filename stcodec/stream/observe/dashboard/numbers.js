// The newest figures: cards, what gives way, where the bits go, and a row for each rendition and target.

const STEPS = [["older_maps", "maps are older"], ["fewer_maps", "fewer maps a second"], ["easier_preset", "an easier preset"], ["dropped_frames", "frames are dropped"]];
const FIFTH = 0.2;

const milliseconds = (seconds) => (isNumber(seconds) ? 1000 * seconds : null);

function card(name, value, more, warn) {
  return h("div", { class: warn ? "warn" : null }, h("dt", {}, name), h("dd", {}, value, more && h("small", {}, more)));
}

function drawFigures() {
  const now = known.now;
  const dropped = now.renditions.reduce((sum, one) => sum + one.frames_dropped, 0);
  const restarts = now.attention_restarts ? `, restarted ${count(now.attention_restarts, "time")}` : "";
  replace(byId("figures"),
    card("frames in", `${number(now.fps_in, 1)} fps`, `${now.frames_in} so far`, now.source_condition !== "open"),
    card("latency", `${number(milliseconds(now.latency_seconds), 0)} ms`, `p99 ${number(milliseconds(now.latency_p99_seconds), 0)} ms`),
    card("map age", `${number(milliseconds(now.map_age_seconds), 0)} ms`, `p99 ${number(milliseconds(now.map_age_p99_seconds), 0)} ms`),
    card("map", now.map_condition, `${number(now.maps_per_second, 1)} a second${restarts}`, ["held", "fading"].includes(now.map_condition)),
    card("dropped", String(dropped), "frames", dropped > 0),
    card("running", clock(now.running_seconds), now.source_reconnects ? count(now.source_reconnects, "reconnect") : "no reconnects"));
  const level = STEPS.findIndex(([name]) => name === now.pressure);
  replace(byId("pressure"), STEPS.map(([, text], index) =>
    h("li", { class: index <= level ? "on" : null }, text, index <= level ? " – now" : "")));
}

function drawHealth() {
  const node = byId("health");
  const text = known.lost ? "no answer from the stream" : known.ill.length ? `not healthy: ${known.ill.join("; ")}` : "healthy";
  node.classList.toggle("ill", text !== "healthy");
  if (node.textContent !== text) node.textContent = text;
}

function chooseOf(renditions) {
  const names = renditions.map((one) => one.name);
  const list = byId("which");
  byId("which-label").hidden = names.length < 2;
  if (names.join("\n") !== [...list.options].map((one) => one.text).join("\n")) {
    replace(list, names.map((name, index) => h("option", { value: index }, name)));
  }
  if (chosen.rendition >= names.length) chosen.rendition = 0;
  list.value = String(chosen.rendition);
}

function drawBits() {
  const one = known.now.renditions[chosen.rendition];
  if (!one || !isNumber(one.mean_qp_attended)) {
    const why = known.now.map_condition === "none"
      ? "Without attention all places are the same."
      : "Not read back yet: the newest key frame is decoded about once a second, where the codec tells its QPs (H.264).";
    replace(byId("bits"), h("p", { class: "note" }, why));
    return;
  }
  const share = one.bits_attended;
  const finer = one.mean_qp_elsewhere - one.mean_qp_attended;
  const bar = isNumber(share) && h("div", { class: "bar", role: "img", "aria-label": `${number(100 * share, 0)} % of the bits in the most attended fifth` },
    h("div", { class: "in" }, `attended ${number(100 * share, 0)}${PERCENT}`), h("div", { class: "out" }, `elsewhere ${number(100 * (1 - share), 0)}${PERCENT}`));
  replace(byId("bits"),
    bar,
    h("p", {}, isNumber(share) && `The most attended fifth of the picture gets about ${number(100 * share, 0)}${PERCENT} of a key frame’s bits, ${number(share / FIFTH, 1)} times its part of the area. `,
      `Its mean QP is ${number(one.mean_qp_attended, 1)}, elsewhere ${number(one.mean_qp_elsewhere, 1)}: ${number(Math.abs(finer), 1)} steps ${finer >= 0 ? "finer" : "coarser"} where people look.`),
    h("p", { class: "note" }, `Read back from the newest key frame; the share of bits is an estimate. Offsets applied: slope ${number(one.offsets_slope, 2)} (1 = as asked for).`));
  if (bar) bar.firstChild.style.width = `${100 * share}%`;
}

function table(node, head, rows) {
  replace(node, h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col", class: text === "said" ? "words" : null }, text)))), h("tbody", {}, rows));
}

function drawTables() {
  table(byId("renditions"), ["rendition", "size", "fps", "kbit/s", "aimed at", "buffer", "underflows", "preset", "frames", "dropped"], known.now.renditions.map((one) =>
    h("tr", {}, h("td", {}, one.name), h("td", {}, `${one.width_px}×${one.height_px}`), h("td", {}, number(one.fps, 1)), h("td", {}, number(one.kbps, 0)),
      h("td", {}, number(one.target_kbps, 0)), h("td", {}, isNumber(one.buffer_fill) ? `${number(100 * one.buffer_fill, 0)}${PERCENT}` : DASH),
      h("td", { class: one.buffer_underflows ? "warn" : null }, one.buffer_underflows), h("td", {}, one.preset || DASH), h("td", {}, one.frames),
      h("td", { class: one.frames_dropped ? "warn" : null }, one.frames_dropped))));
  table(byId("targets"), ["target", "kind", "condition", "written", "packets dropped", "reconnects", "said"], known.now.targets.map((one) =>
    h("tr", {}, h("td", {}, one.name), h("td", {}, one.kind), h("td", { class: one.condition === "open" ? null : "warn" }, one.condition),
      h("td", {}, `${number(one.bytes / 1e6, 1)} MB`), h("td", { class: one.packets_dropped ? "warn" : null }, one.packets_dropped),
      h("td", {}, one.reconnects), h("td", { class: "words" }, one.message || DASH))));
}

function drawNumbers() {
  drawHealth();
  if (!known.now) return;
  byId("source").textContent = known.now.source;
  chooseOf(known.now.renditions);
  drawFigures();
  drawBits();
  drawTables();
}
watchers.push(drawNumbers);
