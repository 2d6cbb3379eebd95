// Scores of single files, what did not work, and what is needed to do it again.

function definitions(mapping) {
  return h(
    "dl",
    { class: "pairs" },
    Object.entries(mapping)
      .filter(([, value]) => value !== "")
      .map(([key, value]) => h("div", {}, h("dt", {}, key.replaceAll("_", " ")), h("dd", {}, value))),
  );
}

/** Every file with its rate and all its scores: what a comparison of files is about. */
function scoresTable() {
  const points = DATA.curves.flatMap((curve) => curve.points.map((point) => ({ curve, point })));
  const many = DATA.clips.length > 1;
  const metrics = DATA.metrics.filter((metric) => points.some(({ point }) => isNumber(point.scores[metric.name])));
  const heads = [
    [...(many ? ["Clip"] : []), "File", "kbit/s", "MB"].map((text) => columnHead(text)),
    metrics.map((metric) => columnHead(metric.label, metric.unit || (metric.higher_is_better ? "" : "lower is better"))),
  ];
  const rows = points.map(({ curve, point }) =>
    h(
      "tr",
      {},
      many ? h("th", { scope: "row" }, h("bdi", {}, curve.clip)) : null,
      h(many ? "td" : "th", many ? { class: "text" } : { scope: "row" }, armName(curve.arm), selfStar(curve)),
      h("td", {}, kbps(point.kbps)),
      h("td", {}, number(point.video_bytes / 1e6, 2)),
      metrics.map((metric) => h("td", {}, number(point.scores[metric.name], metric.decimals))),
    ),
  );
  return [
    scrollable("Scores over the whole clip, all against the same reference.", tableOf("scores-table", heads, rows)),
    selfFootnote(points.map(({ curve }) => curve)),
  ];
}

function failureItem(one) {
  const where = [one.clip, one.encoder, one.arm, isNumber(one.crf) ? `CRF ${one.crf}` : ""].filter(Boolean);
  return h("li", {}, h("b", {}, one.what), " ", h("bdi", {}, where.join(", ")), h("span", { class: "note" }, one.message));
}

function clipItem(clip) {
  const facts = [
    `${clip.width_px}×${clip.height_px}`,
    `${count(clip.frames, "frame")}`,
    isNumber(clip.frames_per_second) ? `${number(clip.frames_per_second, 2).replace(/\.?0+$/, "")} frames/s` : "",
    clip.prepared,
    clip.weights ? `weights: ${clip.weights}` : "no weights",
  ].filter(Boolean);
  return h("li", {}, h("bdi", { class: "name" }, clip.name), h("span", { class: "note" }, facts.join(" · ")));
}

function armItem(arm) {
  const policy = Object.entries(arm.policy)
    .map(([key, value]) => `${key.replaceAll("_", " ")} ${value}`)
    .join(", ");
  return h(
    "li",
    {},
    armName(arm.name),
    h(
      "span",
      { class: "note" },
      [arm.description, arm.attention && arm.attention !== "human" ? `--attention ${arm.attention}` : "", policy].filter(Boolean).join(" · "),
    ),
  );
}

/** What is different on the page of a comparison of files. */
function startComparison() {
  replace(byId("scores-list"), scoresTable());
  for (const term of document.querySelectorAll('[data-of="evaluate"]')) term.hidden = true;
  byId("h-arms-used").textContent = "Files";
  byId("h-clips-used").textContent = "Reference";
}

function startDetails() {
  byId("scores").hidden = DATA.kind !== "compare";
  if (DATA.kind === "compare") startComparison();
  byId("notes").hidden = !DATA.notes.length;
  replace(
    byId("notes-list"),
    DATA.notes.map((note) => h("li", {}, note)),
  );
  replace(
    byId("failures-list"),
    DATA.failures.length ? h("ul", { class: "failures" }, DATA.failures.map(failureItem)) : h("p", {}, "Nothing failed."),
  );
  byId("failures").classList.toggle("some", DATA.failures.length > 0);
  replace(byId("clips-used"), DATA.clips.map(clipItem));
  replace(byId("arms-used"), DATA.arms.map(armItem));
  // Broken between words only: a flag that is cut at its dashes reads as another.
  replace(
    byId("command"),
    DATA.command.split(" ").map((word, index) => [index ? " " : null, h("span", { class: "word" }, word)]),
  );
  replace(byId("settings"), definitions(DATA.settings));
  replace(byId("machine"), definitions(DATA.machine));
  replace(byId("versions"), definitions(DATA.versions));
}
