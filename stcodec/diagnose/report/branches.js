// The spatial and the temporal branch at this frame, what the window's instants had, and the variants.

function smallMap(layer, cells, caption) {
  const canvas = h("canvas", { width: 320, height: Math.round(320 * ASPECT), role: "img", "aria-label": caption });
  canvas.style.maxWidth = `${Math.round(320 / Math.max(1, ASPECT))}px`;
  const context = canvas.getContext("2d");
  drawGrid(context, layer, cells, null);
  return h("figure", {}, canvas, h("figcaption", {}, caption));
}

function drawBranches() {
  const subject = DATA.subjects.findIndex((one) => one.tokens.length);
  byId("branches").hidden = subject < 0;
  if (subject < 0) return;
  const tokens = DATA.subjects[subject].tokens[chosen.still];
  const own = LAYERS.filter((layer) => layer.subject === subject && ["map", "spatial", "temporal"].includes(layer.name));
  const share = { spatial: 100 - tokens.temporal_percent, temporal: tokens.temporal_percent };
  replace(byId("branch-maps"), own.map((layer) => {
    const part = layer.name in share ? `, ${number(share[layer.name], 0)}${PERCENT} of the map` : "";
    return smallMap(layer, cellsOf(layer, chosen.still), layer.label + part);
  }));
  drawWindow(tokens);
}
watchers.push(drawBranches);

/** Of the picked token, or of all, each by how open it is. */
function profileOf(tokens) {
  if (chosen.token !== null) return tokens.profile[chosen.token];
  const total = tokens.open.reduce((sum, one) => sum + one, 0) || 1;
  return tokens.when.map((_, at) => tokens.profile.reduce((sum, row, token) => sum + row[at] * tokens.open[token], 0) / total);
}

function stepToken(tokens, step) {
  const count = tokens.index.length;
  choose({ token: chosen.token === null ? (step > 0 ? 0 : count - 1) : (chosen.token + step + count) % count });
}

function drawWindow(tokens) {
  const profile = profileOf(tokens);
  const most = Math.max(...profile, 1e-6);
  const what = chosen.token === null ? "all open places of this frame" : `place ${chosen.token + 1} of ${tokens.index.length}`;
  replace(byId("window"),
    h("h3", {}, `What ${what} looked at across the window `,
      h("button", { class: "step", type: "button", "aria-label": "previous place", onclick: () => stepToken(tokens, -1) }, "‹"), " ",
      h("button", { class: "step", type: "button", "aria-label": "next place", onclick: () => stepToken(tokens, 1) }, "›")),
    h("div", { class: "bars", role: "img", "aria-label": profile.map((one, at) => `${signed(tokens.when[at], 2)} s: ${number(100 * one, 0)} %`).join(", ") },
      profile.map((one, at) => h("div", { class: Math.abs(tokens.when[at]) < 1e-6 ? "now" : null, style: null, "data-height": (100 * one) / most, title: `${signed(tokens.when[at], 2)} s: ${number(100 * one, 1)} %` }))),
    h("div", { class: "ends" }, h("span", {}, `${signed(tokens.when[0], 1)} s`), h("span", {}, "the orange bar is this frame"), h("span", {}, `${signed(tokens.when[tokens.when.length - 1], 1)} s`)));
  for (const bar of document.querySelectorAll(".bars div")) bar.style.height = `${bar.dataset.height}%`;
}

function buildVariants() {
  byId("variants").hidden = !VARIANTS.length;
  replace(byId("variants-list"), VARIANTS.map((moment) => [
    h("h3", {}, h("button", { class: "step", type: "button", onclick: () => choose({ still: nearestStill(moment.seconds), finding: null }) }, clock(moment.seconds))),
    h("div", { class: "small" }, moment.maps.map((layer) => smallMap(layer, cellsFrom(layer.bytes), layer.label))),
  ]));
}
