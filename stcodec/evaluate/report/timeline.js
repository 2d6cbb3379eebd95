// Quality frame by frame at one CRF, all arms on one axis, each arm's worst 5 % of frames marked.

function seriesBlock() {
  return block(`series-${chosen.clip}`) || { seconds: [], scored: [], stride: 1, curves: [] };
}

/** The chosen clip's series under the chosen encoder, in the order of the arms. */
function seriesCurves() {
  const here = seriesBlock().curves.filter((one) => one.encoder === encoderName());
  return DATA.arms.map((arm) => here.find((one) => one.arm === arm.name)).filter(Boolean);
}

function crfChoices() {
  const found = new Set(
    seriesCurves()
      .flatMap((curve) => curve.points.map((point) => point.crf))
      .filter(isNumber),
  );
  return [...found].sort((a, b) => a - b);
}

function seriesMetrics() {
  const found = new Set(seriesCurves().flatMap((curve) => curve.points.flatMap((point) => Object.keys(point.series))));
  return DATA.metrics.filter((metric) => found.has(metric.name));
}

/** The point of an arm at this CRF; a file that was only scored has but one. */
function pointAt(curve, crf) {
  return crf === undefined ? curve.points[0] : curve.points.find((point) => point.crf === crf);
}

function timelineRows(metric, crf) {
  return seriesCurves()
    .filter((curve) => !chosen.hidden.has(curve.arm))
    .map((curve) => ({ arm: curve.arm, point: pointAt(curve, crf) }))
    .filter((row) => row.point && row.point.series[metric.name])
    .map((row) => ({ ...row, ...row.point.series[metric.name] }));
}

function isWorst(row, metric, index, scored) {
  const value = row.values[index];
  if (!isNumber(value) || !isNumber(row.worst) || !scored[index]) return false;
  return metric.higher_is_better ? value <= row.worst : value >= row.worst;
}

function drawSeries(drawing, row, metric, data) {
  const pairs = row.values.map((value, index) => [
    drawing.x(data.seconds[index]),
    isNumber(value) ? drawing.y(value) : null,
  ]);
  const shape = look(row.arm);
  drawing.plot.append(
    svg(
      "g",
      { class: shape.className, "data-arm": row.arm },
      svg("path", { class: "line thin", d: linePath(pairs) }),
      pairs
        .filter((_, index) => isWorst(row, metric, index, data.scored))
        .map(([x, y]) => svg("circle", { class: "worst", cx: x.toFixed(1), cy: y.toFixed(1), r: 4 })),
    ),
  );
}

function drawUnscored(drawing, data) {
  const last = data.scored.indexOf(true);
  if (last <= 0) return;
  const [x, y] = [drawing.x(data.seconds[0]), drawing.inner.top];
  drawing.plot.append(
    svg(
      "rect",
      { class: "unscored", x, y, width: drawing.x(data.seconds[last]) - x, height: drawing.inner.bottom - y },
      svg("title", {}, "not scored"),
    ),
  );
}

function drawTimeline(holder, width, metric, crf) {
  const data = seriesBlock();
  const rows = metric ? timelineRows(metric, crf) : [];
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
  const values = rows.flatMap((row) => row.values.filter(isNumber));
  const drawing = chart({
    width,
    height: Math.round(Math.min(400, Math.max(280, width * 0.4))),
    label: `${metric.label} of each frame`,
    x: { range: [data.seconds[0], data.seconds[data.seconds.length - 1] || 1], label: "time, s" },
    y: { range: extent(values, false), label: axisLabel({ ...metric, title: metric.label }) },
  });
  drawUnscored(drawing, data);
  rows.forEach((row) => drawSeries(drawing, row, metric, data));
  replace(holder, drawing.node);
  const spots = data.seconds.map((seconds, index) => ({ x: drawing.x(seconds), y: drawing.inner.top, seconds, index }));
  attachCursor(drawing, holder, [spots], {
    columns: true,
    mark: (spot) => [
      svg("line", { class: "focus", x1: spot.x, x2: spot.x, y1: drawing.inner.top, y2: drawing.inner.bottom }),
      rows
        .filter((row) => isNumber(row.values[spot.index]))
        .map((row) =>
          svg(
            "g",
            { class: look(row.arm).className },
            svg("circle", { class: "mark", cx: spot.x, cy: drawing.y(row.values[spot.index]), r: 4 }),
          ),
        ),
    ],
    say: (spot) => [
      h("p", {}, h("b", {}, `${number(spot.seconds, 2)} s`), data.scored[spot.index] ? "" : " (not scored)"),
      rows.map((row) =>
        h(
          "p",
          { class: "line" },
          armName(row.arm),
          h(
            "b",
            {},
            number(row.values[spot.index], metric.decimals),
            isWorst(row, metric, spot.index, data.scored) ? " worst 5 %" : "",
          ),
        ),
      ),
    ],
  });
}

function timelineNote(metric, rows) {
  const { stride } = seriesBlock();
  return [
    stride > 1 ? `Each value is the worst of ${stride} frames in a row: the clip is long. ` : "",
    rows.length > 1 && isNumber(rows[0].point.crf)
      ? "Arms at the same CRF have different bitrates (in the legend): compare where a line dips, not how high it lies. "
      : "",
    "Dots mark each line’s worst 5 % of frames. ",
    seriesBlock().scored.includes(false) ? "Shaded: not scored. " : "",
    metric ? noteText(metric) : "",
  ].join("");
}

function startTimeline() {
  if (!DATA.has_series) {
    byId("timeline").hidden = true;
    return;
  }
  const holder = byId("timeline-chart");
  const now = { metrics: [], crfs: [], metric: DATA.headline_metric, crf: null };
  const metric = () => now.metrics.find((one) => one.name === now.metric) || now.metrics[0];
  const crf = () => (now.crfs.includes(now.crf) ? now.crf : now.crfs[Math.floor(now.crfs.length / 2)]);
  const again = redrawn(holder, (width) => drawTimeline(holder, width, metric(), crf()));
  const metricList = dropDown("Metric", (index) => {
    now.metric = now.metrics[index].name;
    draw();
  });
  const crfList = dropDown("CRF", (index) => {
    now.crf = now.crfs[index];
    draw();
  });
  const draw = () => {
    now.metrics = seriesMetrics();
    now.crfs = crfChoices();
    metricList.show(
      now.metrics.map((one) => one.label),
      now.metrics.indexOf(metric()),
    );
    crfList.show(now.crfs.map(String), now.crfs.indexOf(crf()));
    replace(
      byId("timeline-legend"),
      legend(
        seriesCurves().map((curve) => {
          const point = pointAt(curve, crf());
          return {
            arm: curve.arm,
            note: point ? `${kbps(point.kbps)} kbit/s` : "",
            self: curve.self_weighted && metric() && metric().region === "attended",
          };
        }),
      ),
    );
    replace(byId("timeline-note"), timelineNote(metric(), metric() ? timelineRows(metric(), crf()) : []));
    again();
  };
  replace(byId("timeline-controls"), clipPicker(), encoderPicker(), metricList.node, crfList.node);
  whenChosen(["clip", "encoder", "hidden"], draw);
}
