// Arms and metrics, and how they are found in the data. An arm keeps its colour, line and mark everywhere.

const WORST = "-worst5";
const SLOTS = ["plain", "center", "motion", "neural", "human", "extra-1", "extra-2", "extra-3"];
const MARKS = {
  plain: "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0Z",
  center: "M-4-4H4V4H-4Z",
  motion: "M0-5.2L5 3.8H-5Z",
  neural: "M0-5.8L5.4 0L0 5.8L-5.4 0Z",
  human: "M0 5.2L5-3.8H-5Z",
  "extra-1": "M-1.7-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",
  "extra-2": "M-2.4-4.8L0-2.4L2.4-4.8L4.8-2.4L2.4 0L4.8 2.4L2.4 4.8L0 2.4L-2.4 4.8L-4.8 2.4L-2.4 0L-4.8-2.4Z",
  "extra-3": "M-2-5.5H2V5.5H-2Z",
};
const LOOKS = new Map();

{
  const fixed = SLOTS.slice(0, 5);
  const names = new Set(DATA.arms.map((arm) => arm.name));
  const spare = [...SLOTS.slice(5), ...fixed.filter((slot) => !names.has(slot))];
  let others = 0;
  for (const { name } of DATA.arms) {
    const slot = fixed.includes(name) ? name : spare[others++ % spare.length];
    LOOKS.set(name, { className: `arm arm-${slot}`, mark: MARKS[slot] });
  }
}

function look(name) {
  return LOOKS.get(name);
}

/** A short piece of the arm's line with its mark. */
function swatch(name) {
  return svg(
    "svg",
    { class: `swatch ${look(name).className}`, viewBox: "-12 -7 24 14", width: 24, height: 14, "aria-hidden": "true" },
    svg("path", { class: "line", d: "M-12 0H12" }),
    svg("path", { class: "mark", d: look(name).mark }),
  );
}

function armName(name) {
  return h("span", { class: "arm-name" }, swatch(name), h("span", { class: "name" }, name));
}

const METRICS = new Map(DATA.metrics.map((metric) => [metric.name, metric]));

function encoderName() {
  return DATA.encoders[chosen.encoder];
}

function clipName() {
  return DATA.clips.length ? DATA.clips[chosen.clip].name : "";
}

/** The chosen clip's curves under the chosen encoder, in the order of the arms. */
function curves() {
  const here = DATA.curves.filter((one) => one.clip === clipName() && one.encoder === encoderName());
  return DATA.arms.map((arm) => here.find((one) => one.arm === arm.name)).filter(Boolean);
}

function headline(arm, metric) {
  return DATA.headlines.find((one) => one.encoder === encoderName() && one.arm === arm && one.metric === metric) || null;
}

function savings(arm, metric) {
  return DATA.savings.filter((one) => one.encoder === encoderName() && one.arm === arm && one.metric === metric);
}

/** Arms that are compared with the plain one under the chosen encoder. */
function guidedArms() {
  const here = new Set(
    [...DATA.headlines, ...DATA.savings].filter((one) => one.encoder === encoderName()).map((one) => one.arm),
  );
  return DATA.arms.map((arm) => arm.name).filter((name) => here.has(name));
}

/** A family of metrics is one measure by region: {label, attended, foveated, whole}, each a metric's name or null. */
function family() {
  return DATA.families[chosen.family];
}

/** The metrics shown together: what is attended never stands without its guard. */
function shown(one = family()) {
  return [one.attended, one.foveated, one.whole].filter(Boolean).map((name) => METRICS.get(name));
}

/** The metric's name where attended and whole-frame ones stand side by side. */
function measure(metric) {
  return metric.region === "whole" && metric.higher_is_better ? `whole-frame ${metric.label}` : metric.label;
}

/** "Attended PSNR (gaze-weighted).", or "" of a metric that needs no word. */
function noteText(metric) {
  return metric.note ? `${metric.label[0].toUpperCase()}${metric.label.slice(1)} (${metric.note}).` : "";
}

function regionLabel(metric) {
  return { attended: "Attended", foveated: "Foveated", whole: "Whole", background: "Background" }[metric.region];
}

function selfBadge(yes) {
  return yes ? h("span", { class: "badge" }, "self-weighted") : null;
}

/** The legend of a chart: a button for each arm that shows or hides it. */
function legend(entries) {
  return h(
    "div",
    { class: "legend", role: "group", "aria-label": "Arms shown" },
    entries.map(({ arm, note, self }) => {
      const press = () => {
        const hidden = new Set(chosen.hidden);
        if (!hidden.delete(arm)) hidden.add(arm);
        choose("hidden", hidden);
      };
      return h(
        "button",
        { type: "button", "aria-pressed": String(!chosen.hidden.has(arm)), "data-arm": arm, onclick: press },
        armName(arm),
        note ? h("span", { class: "note" }, note) : null,
        selfBadge(self),
      );
    }),
  );
}
