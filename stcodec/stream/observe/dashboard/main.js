// The charts, the controls and keys, and the first round.

function drawCharts() {
  const of = (name) => known.moments.map((one) => one.renditions[chosen.rendition]?.[name] ?? null);
  drawChart(byId("chart-latency"), "Latency and map age", [
    { name: "latency", unit: "ms", decimals: 0, values: known.moments.map((one) => milliseconds(one.latency)) },
    { name: "map age", unit: "ms", decimals: 0, values: known.moments.map((one) => milliseconds(one.map_age)) },
  ], { loads: known.moments.map((one) => one.pressure) });
  drawChart(byId("chart-rate"), "Bitrate", [
    { name: "out", unit: "kbit/s", decimals: 0, values: of("kbps") },
    { name: "aimed at", unit: "kbit/s", decimals: 0, values: of("target") },
  ]);
  drawChart(byId("chart-qp"), "QP of key frames", [
    { name: "attended", unit: null, decimals: 1, values: of("attended") },
    { name: "elsewhere", unit: null, decimals: 1, values: of("elsewhere") },
  ], { fromZero: false });
}
watchers.push(drawCharts);

function drawControls() {
  byId("map-on").checked = chosen.map;
  byId("opacity").value = chosen.opacity;
  byId("freeze").setAttribute("aria-pressed", String(chosen.frozen));
}
watchers.push(drawControls);

const KEYS = {
  m: () => choose({ map: !chosen.map }),
  f: () => choose({ frozen: !chosen.frozen }),
  "+": () => choose({ opacity: Math.min(100, chosen.opacity + 10) }),
  "-": () => choose({ opacity: Math.max(0, chosen.opacity - 10) }),
};

byId("map-on").addEventListener("change", (event) => choose({ map: event.target.checked }));
byId("opacity").addEventListener("input", (event) => choose({ opacity: Number(event.target.value) }));
byId("freeze").addEventListener("click", () => choose({ frozen: !chosen.frozen }));
byId("which").addEventListener("change", (event) => choose({ rendition: Number(event.target.value) }));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("select")) return;
  const act = KEYS[event.key];
  if (act) act();
});

drawRamp();
keepAsking(askState, STATE_MS, () => true);
keepAsking(askPreview, PREVIEW_MS, () => !document.hidden && !chosen.frozen);
