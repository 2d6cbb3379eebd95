// Clip by clip: attended and whole-frame BD-rate of every arm, to be sorted by any column.

const sorting = { column: 0, down: false };

/** The columns after the clip's name: one per arm and shown metric. */
function clipColumns() {
  return guidedArms()
    .flatMap((arm) =>
      shown().map((metric, index) => {
        const found = new Map(savings(arm, metric.name).map((one) => [one.clip, one]));
        return { arm, metric, first: index === 0, found };
      }),
    )
    .filter((column) => column.found.size);
}

function sortedClips(columns) {
  const names = DATA.clips.map((clip) => clip.name);
  const { column, down } = sorting;
  if (column > columns.length) sorting.column = 0;
  if (sorting.column === 0) return names.sort((a, b) => a.localeCompare(b, undefined, { numeric: true }) * (down ? -1 : 1));
  const value = (name) => {
    const one = columns[sorting.column - 1].found.get(name);
    return one && isNumber(one.bd_rate_percent) ? one.bd_rate_percent : null;
  };
  // Clips without a number stand last either way.
  return names.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return down ? y - x : x - y;
  });
}

function sortHead(index, text, attributes, ...before) {
  const active = sorting.column === index;
  const press = () => {
    Object.assign(sorting, { column: index, down: active && !sorting.down });
    drawClips();
    document.querySelector(`#clips-table [data-sort="${index}"]`).focus();
  };
  return h(
    "th",
    { scope: "col", "aria-sort": active ? (sorting.down ? "descending" : "ascending") : "none", ...attributes },
    before,
    h(
      "button",
      { type: "button", "data-sort": index, onclick: press },
      text,
      h("span", { class: "arrow", "aria-hidden": "true" }, active ? (sorting.down ? "▼" : "▲") : ""),
    ),
  );
}

function cell(column, name) {
  const one = column.found.get(name);
  const edge = column.first ? "edge" : "";
  if (!one) return h("td", { class: edge }, DASH);
  if (!isNumber(one.bd_rate_percent)) return h("td", { class: `none ${edge}`, title: one.refused }, "none");
  return h(
    "td",
    { class: `${edge} ${one.bd_rate_percent > 0 && column.metric.region === "attended" ? "worse" : ""}` },
    signed(one.bd_rate_percent, 1),
    selfStar(one),
  );
}

function clipRow(columns, name) {
  const index = DATA.clips.findIndex((clip) => clip.name === name);
  const show = () => {
    choose("clip", index);
    byId("curves").scrollIntoView({ block: "start" });
  };
  return h(
    "tr",
    {},
    h(
      "th",
      { scope: "row" },
      h("button", { type: "button", class: "link name", title: "Show its curves", onclick: show }, name),
    ),
    columns.map((column) => cell(column, name)),
  );
}

function meanRow(columns) {
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, "Mean", h("span", { class: "note" }, "95 % interval")),
    columns.map((column) => meanCell(headline(column.arm, column.metric.name), column.first ? "edge" : "")),
  );
}

function clipsTable(columns) {
  const arms = [...new Set(columns.map((column) => column.arm))];
  return h(
    "table",
    { id: "clips-table" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("td", {}),
        arms.map((arm) =>
          h(
            "th",
            { scope: "colgroup", class: "edge", colspan: columns.filter((column) => column.arm === arm).length },
            armName(arm),
          ),
        ),
      ),
      h(
        "tr",
        {},
        sortHead(0, "Clip", {}),
        columns.map((column, index) =>
          sortHead(index + 1, regionLabel(column.metric), { class: column.first ? "edge" : "" }),
        ),
      ),
    ),
    h(
      "tbody",
      {},
      sortedClips(columns).map((name) => clipRow(columns, name)),
    ),
    h("tfoot", {}, meanRow(columns)),
  );
}

/** Why some figures are missing; folded away where there is much of it. */
function reasonList(reasons) {
  if (!reasons.length) return null;
  const list = h("ul", { class: "reasons" }, reasons);
  return reasons.length > 4 ? h("details", {}, h("summary", {}, `Why ${reasons.length} figures are missing`), list) : list;
}

function drawClips() {
  const columns = clipColumns();
  const all = columns.flatMap((column) => [...column.found.values()]);
  const reasons = guidedArms().flatMap((arm) =>
    shown().flatMap((metric) =>
      refusals(savings(arm, metric.name)).map(({ reason, clips }) =>
        h("li", {}, `${arm}, ${measure(metric)}: no BD-rate, ${reason} (`, h("bdi", {}, clips), ")"),
      ),
    ),
  );
  replace(
    byId("clips-list"),
    columns.length
      ? scrollable(
          `BD-rate in %, ${shown().map(measure).join(" and ")}, ${encoderName()}. Negative saves bits.`,
          clipsTable(columns),
        )
      : h("p", {}, "There is no BD-rate for this metric."),
    selfFootnote(all),
    reasonList(reasons),
  );
}

function startClips() {
  if (!DATA.savings.length) {
    for (const id of ["clips", "measures"]) byId(id).hidden = true;
    return;
  }
  replace(byId("clips-controls"), encoderPicker(), familySwitch());
  whenChosen(["encoder", "family"], drawClips);
  whenChosen(["encoder"], drawMeasures);
}
