// All arms at a glance: what each saves where people look and what it costs over the whole frame.

const ROW_PX = 46;

/** Arms of which there is anything to draw: [{arm, ones: [{metric, one}]}]. */
function forestRows() {
  const measured = ({ one }) => one && isNumber(one.bd_rate_percent);
  const rows = guidedArms().map((arm) => ({
    arm,
    ones: shown()
      .map((metric) => ({ metric, one: headline(arm, metric.name) }))
      .filter(measured),
  }));
  return rows.filter((row) => row.ones.length);
}

/** Attended filled, foveated pale, whole frame hollow. */
function markClass(metric) {
  return { foveated: "mark pale", whole: "mark hollow" }[metric.region] || "mark";
}

function forestMark({ metric, one }, x, y) {
  const { low_percent: low, high_percent: high } = one;
  return svg(
    "g",
    {},
    svg("title", {}, `${one.arm}, ${measure(metric)}: ${percent(one.bd_rate_percent)}`),
    isNumber(low) && isNumber(high) ? svg("line", { class: "interval", x1: x(low), x2: x(high), y1: y, y2: y }) : null,
    svg("circle", {
      class: markClass(metric),
      cx: x(one.bd_rate_percent),
      cy: y,
      r: 5.5,
    }),
  );
}

function forestRow({ arm, ones }, middle, x, letters) {
  const self = ones.some(({ one }) => one.self_weighted);
  return svg(
    "g",
    { class: look(arm).className },
    svg("text", { class: "arm-label", x: 0, y: middle - (self ? 9 : 0), dy: "0.34em" }, clipText(arm, letters)),
    self ? svg("text", { class: "tick", x: 0, y: middle + 9, dy: "0.34em" }, "self-weighted") : null,
    ones.map((entry, nth) => forestMark(entry, x, middle + (nth - (ones.length - 1) / 2) * 15)),
  );
}

/** All arms on one axis, with their intervals. Null if there is nothing to draw. */
function forest(width) {
  const rows = forestRows();
  if (!rows.length) return null;
  const all = rows.flatMap((row) => row.ones.map(({ one }) => one));
  const values = all.flatMap((one) => [one.bd_rate_percent, one.low_percent, one.high_percent]).filter(isNumber);
  const [low, high] = extent([...values, 0], false);
  const names = Math.min(120, width * 0.28);
  const bottom = rows.length * ROW_PX + 8;
  const x = scale([low, high], false, names, width - 16);
  const { ticks, decimals } = linearTicks(low, high, Math.floor((width - names) / 56));
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${bottom + 44}`, role: "img", "aria-label": "BD-rate of every arm, as in the table below" },
    ticks.map((tick) => [
      svg("line", { class: Math.abs(tick) < 1e-9 ? "base" : "grid", x1: x(tick), x2: x(tick), y1: 8, y2: bottom }),
      svg("text", { class: "tick", x: x(tick), y: bottom + 18, "text-anchor": "middle" }, signed(tick, decimals)),
    ]),
    svg("text", { class: "axis", x: width - 16, y: bottom + 38, "text-anchor": "end" }, "BD-rate, %: left of 0 saves bits"),
    rows.map((row, index) => forestRow(row, 8 + ROW_PX * (index + 0.5), x, Math.floor(names / 8))),
  );
}

function clipText(text, longest) {
  return text.length > longest ? text.slice(0, Math.max(1, longest - 1)) + "…" : text;
}

/** True if there is a human arm to be measured by. */
function hasShare() {
  return Boolean(family().attended && headline("human", family().attended));
}

function armRow(arm) {
  const about = DATA.arms.find((one) => one.name === arm);
  const self = DATA.headlines.some((one) => one.arm === arm && one.encoder === encoderName() && one.self_weighted);
  const ones = shown().map((metric) => headline(arm, metric.name));
  const share = headline(arm, family().attended);
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, armName(arm), " ", selfBadge(self), h("span", { class: "note" }, about.description)),
    ones.map((one) => meanCell(one, "strong")),
    hasShare()
      ? h("td", {}, share && isNumber(share.share_of_human) ? number(share.share_of_human * 100, 0) + PERCENT : DASH)
      : null,
    h("td", {}, Math.max(0, ...ones.filter(Boolean).map((one) => one.clips))),
  );
}

function armsTable() {
  const heads = [
    columnHead("Arm"),
    shown().map((metric) => columnHead(measure(metric))),
    hasShare() ? columnHead("Share of human saving") : null,
    columnHead("Clips"),
  ];
  return scrollable(
    "Mean BD-rate in % over the clips, with its 95 % interval. Negative saves bits.",
    tableOf("arms-table", heads, guidedArms().map(armRow)),
  );
}

function startOverview() {
  if (!DATA.headlines.length) {
    byId("arms").hidden = true;
    return;
  }
  replace(byId("arms-controls"), familySwitch());
  const again = redrawn(byId("forest"), (width) => replace(byId("forest"), forest(width)));
  whenChosen(["encoder", "family"], () => {
    replace(
      byId("forest-key"),
      shown().map((metric) =>
        h(
          "span",
          {},
          svg(
            "svg",
            { class: "swatch", viewBox: "-8 -8 16 16", width: 16, height: 16, "aria-hidden": "true" },
            svg("circle", { class: markClass(metric), r: 5.5 }),
          ),
          measure(metric),
        ),
      ),
    );
    const ones = guidedArms().flatMap((arm) => shown().map((metric) => headline(arm, metric.name)));
    replace(byId("arms-list"), armsTable(), selfFootnote(ones));
    replace(byId("metric-note"), shown().map(noteText).filter(Boolean).join(" "));
    again();
  });
}
