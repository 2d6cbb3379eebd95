// Rate-distortion curves of one clip: choose the measure and the rate axis, walk along the points.

/** Everything that a curve can show: each metric, and its worst 5 % of frames where that was pooled. */
function curveMetrics() {
  const names = new Set(DATA.curves.flatMap((curve) => curve.points.flatMap((point) => Object.keys(point.scores))));
  return DATA.metrics
    .flatMap((metric) => [
      { ...metric, score: metric.name, title: metric.label },
      { ...metric, score: metric.name + WORST, title: `${metric.label}, worst 5 % of frames` },
    ])
    .filter((metric) => names.has(metric.score));
}

function axisLabel(metric) {
  return metric.title + (metric.unit ? `, ${metric.unit}` : "") + (metric.higher_is_better ? "" : " (lower is better)");
}

function curveRows(metric) {
  return curves()
    .filter((curve) => !chosen.hidden.has(curve.arm))
    .map((curve) => ({
      curve,
      points: curve.points.filter((point) => isNumber(point.scores[metric.score]) && point.kbps > 0),
    }))
    .filter((row) => row.points.length);
}

function pointText(point) {
  return isNumber(point.crf) ? `CRF ${point.crf}` : point.name;
}

function drawCurve(drawing, row, metric) {
  const spots = row.points.map((point) => ({
    x: drawing.x(point.kbps),
    y: drawing.y(point.scores[metric.score]),
    point,
    arm: row.curve.arm,
  }));
  const shape = look(row.curve.arm);
  drawing.plot.append(
    svg(
      "g",
      { class: shape.className, "data-arm": row.curve.arm },
      svg("path", { class: "line", d: linePath(spots.map((spot) => [spot.x, spot.y])) }),
      spots.map((spot) =>
        svg("path", { class: "mark", d: shape.mark, transform: `translate(${spot.x.toFixed(1)} ${spot.y.toFixed(1)})` }),
      ),
    ),
  );
  return spots;
}

function drawCurves(holder, width, metric) {
  const rows = curveRows(metric);
  if (!rows.length) {
    replace(
      holder,
      h(
        "p",
        { class: "empty" },
        chosen.hidden.size ? "All arms are hidden: switch one on above." : "No values for this clip.",
      ),
    );
    return;
  }
  const points = rows.flatMap((row) => row.points);
  const drawing = chart({
    width,
    height: Math.round(Math.min(460, Math.max(300, width * 0.5))),
    label: `${metric.title} against bitrate`,
    x: {
      range: extent(
        points.map((point) => point.kbps),
        chosen.curveLog,
      ),
      log: Boolean(chosen.curveLog),
      label: "video bitrate, kbit/s",
    },
    y: {
      range: extent(
        points.map((point) => point.scores[metric.score]),
        false,
      ),
      label: axisLabel(metric),
    },
  });
  const spots = rows.map((row) => drawCurve(drawing, row, metric));
  replace(holder, drawing.node);
  attachCursor(drawing, holder, spots, {
    mark: (spot) => svg("circle", { class: "focus", cx: spot.x, cy: spot.y, r: 10 }),
    say: (spot) => [
      h("p", {}, armName(spot.arm)),
      h("p", {}, h("b", {}, metricValue(spot.point.scores[metric.score], metric)), " ", metric.title),
      h("p", {}, `${kbps(spot.point.kbps)} kbit/s, `, h("bdi", {}, pointText(spot.point))),
    ],
  });
}

/** What follows from the curves, arm by arm; nothing for the worst frames, of which no BD-rate is made. */
function deltasTable(metric) {
  const found = guidedArms().flatMap((arm) => savings(arm, metric.score).filter((one) => one.clip === clipName()));
  if (!found.length) return null;
  const rows = found.map((one) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, armName(one.arm), one.refused ? h("span", { class: "note" }, one.refused) : null),
      h("td", {}, percent(one.bd_rate_percent), selfStar(one)),
      h("td", {}, percent(one.bd_rate_pchip_percent)),
      h("td", {}, isNumber(one.bd_quality) ? signed(one.bd_quality, metric.decimals) + (metric.unit && ` ${metric.unit}`) : DASH),
      h("td", {}, isNumber(one.overlap) ? number(one.overlap * 100, 0) + PERCENT : DASH),
    ),
  );
  const heads = [
    ["Arm"],
    ["Bits at equal quality", "BD-rate, Akima"],
    ["The same", "by PCHIP"],
    ["Quality at equal bits", metric.unit === "dB" ? "BD-PSNR" : "Bjøntegaard"],
    ["Overlap", "of the qualities"],
  ].map(([text, note]) => columnHead(text, note));
  return [scrollable("These curves against the plain one.", tableOf("deltas-table", heads, rows)), selfFootnote(found)];
}

function curvesTable(metric) {
  const rows = curves().flatMap((curve) =>
    curve.points.map((point) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, armName(curve.arm)),
        h("td", {}, isNumber(point.crf) ? point.crf : DASH),
        h("td", {}, kbps(point.kbps)),
        h("td", {}, number(point.scores[metric.score], metric.decimals)),
        h("td", {}, signed(point.mean_delta_qp, 2)),
        h("td", { class: "text" }, point.offsets_verdict || DASH),
      ),
    ),
  );
  const heads = ["Arm", "CRF", "kbit/s", axisLabel(metric), "Mean QP offset"].map((text) => columnHead(text));
  const last = h("th", { scope: "col", class: "text" }, "Offsets read back");
  return scrollable("Every encode of this clip.", tableOf("points-table", [...heads, last], rows));
}

function startCurves() {
  const metrics = curveMetrics();
  if (!metrics.length) {
    byId("curves").hidden = true;
    return;
  }
  chosen.curveMetric = Math.max(
    0,
    metrics.findIndex((metric) => metric.score === DATA.headline_metric),
  );
  chosen.curveLog = 1;
  const holder = byId("curves-chart");
  const list = byId("curves-table");
  const metric = () => metrics[chosen.curveMetric];
  const again = redrawn(holder, (width) => drawCurves(holder, width, metric()));
  replace(
    byId("curves-controls"),
    clipPicker(),
    encoderPicker(),
    picker(
      "Metric",
      "curveMetric",
      metrics.map((one) => one.title),
    ),
    switcher("Rate axis", "curveLog", ["Linear", "Log"]),
  );
  whenChosen(["clip", "encoder", "curveMetric", "curveLog", "hidden"], () => {
    replace(
      byId("curves-legend"),
      legend(curves().map((curve) => ({ arm: curve.arm, self: curve.self_weighted && metric().region === "attended" }))),
    );
    replace(byId("curves-note"), noteText(metric()));
    replace(byId("curves-deltas"), deltasTable(metric()));
    replace(list, curvesTable(metric()));
    again();
  });
}
