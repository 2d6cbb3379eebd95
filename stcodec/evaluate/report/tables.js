// What all tables share: a box that scrolls, cells of means, and the marks of self-weighted figures.

/** A table that may be wider than the page scrolls in a box of its own, below its caption. */
function scrollable(label, table) {
  return [
    h("p", { class: "caption" }, label),
    h("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": label }, table),
  ];
}

/** A table of one row of heads and many of cells. */
function tableOf(id, heads, rows) {
  return h("table", { id }, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows));
}

function columnHead(text, note) {
  return h("th", { scope: "col" }, text, note ? h("span", { class: "note" }, note) : null);
}

function selfStar(one) {
  return one.self_weighted ? h("span", { class: "star", title: "self-weighted" }, "*") : null;
}

/** What the stars mean, if there are any among these savings or headlines. */
function selfFootnote(ones) {
  return ones.some((one) => one && one.self_weighted) ? h("p", { class: "note" }, "* self-weighted. ", SELF_TEXT) : null;
}

/** A mean with its 95 % interval below. */
function meanCell(one, className) {
  if (!one || !isNumber(one.bd_rate_percent)) return h("td", { class: `none ${className || ""}` }, one ? "none" : DASH);
  const range = interval([one.low_percent, one.high_percent]);
  const note = range ? range.replace(PERCENT, "") : "no interval";
  return h("td", { class: className }, signed(one.bd_rate_percent, 1), selfStar(one), h("span", { class: "note" }, note));
}

function familySwitch() {
  return switcher(
    "Metric",
    "family",
    DATA.families.map((one) => one.label),
  );
}

/** Every measure of quality and every arm: the guards beside the attended figures. */
function drawMeasures() {
  const arms = guidedArms();
  const metrics = DATA.metrics.filter((metric) => arms.some((arm) => headline(arm, metric.name)));
  const rows = metrics.map((metric) => {
    const name = h("th", { scope: "row" }, measure(metric), h("span", { class: "note" }, metric.note));
    return h(
      "tr",
      {},
      name,
      arms.map((arm) => meanCell(headline(arm, metric.name))),
    );
  });
  replace(
    byId("measures-list"),
    scrollable(
      "Mean BD-rate in % over the clips, with its 95 % interval.",
      tableOf("measures-table", [columnHead("Measure"), arms.map((arm) => columnHead(armName(arm)))], rows),
    ),
    selfFootnote(arms.flatMap((arm) => metrics.map((metric) => headline(arm, metric.name)))),
  );
}
