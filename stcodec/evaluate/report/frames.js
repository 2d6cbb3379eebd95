// Frame by frame: the guided encode beside a plain one of nearly the same bitrate, with all that led there.

const PANELS = [
  ["source", "Source", "The frame before any encode."],
  ["gaze", "Gaze", "The density that attended scores are weighted by, over the source."],
  ["map", "Map", "What guided the encode: bright is attended."],
  [
    "qp",
    "QP, read back",
    "The quantiser of each block, as it stands in the guided file. Blocks that code nothing repeat the one before.",
  ],
  ["error", "Error", "Blue: the guided encode is nearer to the source. Red: the plain one is."],
];

function viewers() {
  return DATA.viewers
    .map((viewer, index) => ({ ...viewer, index }))
    .filter((viewer) => viewer.clip === clipName() && viewer.encoder === encoderName());
}

function picture(source, alternative) {
  return source ? h("img", { src: source, alt: alternative }) : h("div", { class: "no-picture" }, "no picture");
}

function panel(kind, title, source, alternative, caption) {
  return h(
    "figure",
    { class: "panel", "data-panel": kind },
    picture(source, alternative),
    h("figcaption", {}, h("b", {}, title), " ", caption),
  );
}

/** What stands under a picture: the headline's measures; the table has all. */
function frameScores(frame, side, self) {
  const parts = shown(DATA.families[DATA.headline_family])
    .filter((metric) => frame.scores[metric.name] && isNumber(frame.scores[metric.name][side]))
    .map((metric) => h("span", {}, `${measure(metric)} `, h("b", {}, metricValue(frame.scores[metric.name][side], metric))));
  return parts.length ? h("span", { class: "scores" }, parts, selfBadge(self)) : null;
}

function frameTable(viewer, frame) {
  const rows = DATA.metrics
    .filter((metric) => frame.scores[metric.name])
    .map((metric) => {
      const [plain, guided] = frame.scores[metric.name];
      const change = isNumber(plain) && isNumber(guided) ? guided - plain : null;
      const cells = [number(plain, metric.decimals), number(guided, metric.decimals), signed(change, metric.decimals)];
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, measure(metric), metric.unit ? `, ${metric.unit}` : ""),
        cells.map((text) => h("td", {}, text)),
      );
    });
  return tableOf(
    "frames-table",
    [columnHead("Measure"), columnHead("plain"), columnHead(viewer.arm), columnHead("Change")],
    rows,
  );
}

function encodeCaption(viewer, guided) {
  const [crf, rate] = guided ? [viewer.guided_crf, viewer.guided_kbps] : [viewer.plain_crf, viewer.plain_kbps];
  const more = (viewer.guided_kbps / viewer.plain_kbps - 1) * 100;
  return `CRF ${Number(crf.toFixed(1))}, ${kbps(rate)} kbit/s` + (guided ? ` (${percent(more)} against plain)` : "");
}

function scaleBar(range) {
  return h(
    "span",
    { class: "scale" },
    `QP ${number(range[0], 0)}`,
    h("span", { class: "ramp", "aria-hidden": "true" }),
    number(range[1], 0),
  );
}

function drawFrame(viewer, index) {
  const frame = viewer.frames[index];
  const shots = (block(`pictures-${viewer.index}`) || [])[index] || {};
  const self = curves().some((curve) => curve.arm === viewer.arm && curve.self_weighted);
  const at = `at ${number(frame.seconds, 2)} s`;
  replace(
    byId("frames-pair"),
    panel("plain", "plain", shots.plain, `Plain encode ${at}`, [encodeCaption(viewer, false), frameScores(frame, 0, self)]),
    panel("guided", viewer.arm, shots.guided, `Guided encode ${at}`, [
      encodeCaption(viewer, true),
      frameScores(frame, 1, self),
    ]),
  );
  replace(byId("frames-list"), frameTable(viewer, frame));
  byId("frames-scores").hidden = !Object.keys(frame.scores).length;
  const panels = PANELS.filter(([kind]) => shots[kind]).map(([kind, title, text]) =>
    panel(kind, title, shots[kind], `${title} ${at}`, [
      text,
      kind === "qp" && viewer.qp_range ? scaleBar(viewer.qp_range) : null,
    ]),
  );
  byId("frames-rest").dataset.count = String(panels.length);
  replace(byId("frames-rest"), panels);
}

function slider(viewer) {
  const last = viewer.frames.length - 1;
  const output = h("output", {});
  const range = h("input", { type: "range", id: "frame-slider", min: 0, max: last, step: 1, value: 0 });
  const show = () => {
    const index = Number(range.value);
    const text = `${number(viewer.frames[index].seconds, 2)} s, picture ${index + 1} of ${last + 1}`;
    output.textContent = text;
    range.setAttribute("aria-valuetext", text);
    drawFrame(viewer, index);
  };
  const move = (by) => {
    range.value = String(Number(range.value) + by);
    show();
  };
  range.addEventListener("input", show);
  const button = (text, label, by) => h("button", { type: "button", "aria-label": label, onclick: () => move(by) }, text);
  const node = h(
    "div",
    { class: "slider" },
    h("label", { for: "frame-slider" }, "Frame"),
    h("div", {}, button("‹", "Previous picture", -1), range, button("›", "Next picture", 1)),
    output,
  );
  return { node, show, move };
}

function startFrames() {
  if (!DATA.viewers.length) {
    byId("frames").hidden = true;
    return;
  }
  let present = null;
  let arm = null;
  const armList = dropDown("Guided by", (index) => {
    arm = viewers()[index].arm;
    draw();
  });
  const draw = () => {
    const all = viewers();
    const viewer =
      all.find((one) => one.arm === arm) || all.find((one) => one.arm === DATA.main_arms[chosen.encoder]) || all[0];
    armList.show(
      all.map((one) => one.arm),
      all.indexOf(viewer),
    );
    present = viewer && viewer.frames.length ? slider(viewer) : null;
    replace(
      byId("frames-slider"),
      present ? present.node : h("p", { class: "empty" }, "There are no pictures of this clip under this encoder."),
    );
    replace(byId("frames-note"), viewer ? viewer.note : "");
    if (present) present.show();
    else for (const id of ["frames-pair", "frames-list", "frames-rest"]) replace(byId(id));
    byId("frames-stage").hidden = !present;
  };
  replace(byId("frames-controls"), clipPicker(), encoderPicker(), armList.node);
  byId("frames-stage").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !present || event.target.id !== "frames-stage") return;
    event.preventDefault();
    present.move(step);
  });
  whenChosen(["clip", "encoder"], draw);
}
