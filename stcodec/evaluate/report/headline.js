// The answer first: what the main arm saves where people look, what it costs elsewhere, and how sure that is.

function meanText(one) {
  const range = interval([one.low_percent, one.high_percent]);
  return range ? `95 % interval ${range}, mean of ${count(one.clips, "clip")}` : `${count(one.clips, "clip")}: no interval`;
}

/** Reasons for missing BD-rates, each once, with the clips that it holds for. */
function refusals(list) {
  const reasons = new Map();
  for (const one of list) {
    if (one.refused) reasons.set(one.refused, [...(reasons.get(one.refused) || []), one.clip]);
  }
  return [...reasons].map(([reason, clips]) => {
    const names = clips.length > 4 ? [...clips.slice(0, 4), `and ${clips.length - 4} more`] : clips;
    return { reason, clips: names.join(", "), amount: clips.length };
  });
}

/** The same as lines below a figure; many reasons are left to the table of clips. */
function refusalLines(list) {
  const all = refusals(list);
  const few = all.length > 2 ? all.slice(0, 1) : all;
  const rest = list.filter((one) => one.refused).length - few.reduce((sum, { amount }) => sum + amount, 0);
  return [
    ...few.map(({ reason, clips, amount }) =>
      h("p", { class: "refusal" }, `No BD-rate for ${count(amount, "clip")}: ${reason} (`, h("bdi", {}, clips), ")"),
    ),
    rest
      ? h("p", { class: "refusal" }, `Nor for ${count(rest, "other clip")}: the reasons stand under Clip by clip.`)
      : null,
  ];
}

function figure(label, value, notes, kind) {
  return h(
    "div",
    { class: `figure ${kind || ""}` },
    h("h3", {}, label),
    h("p", { class: "value" }, value),
    notes.filter(Boolean).map((note) => (note instanceof Node ? note : h("p", { class: "note" }, note))),
  );
}

function rateFigure(arm, metric, label, kind) {
  const one = headline(arm, metric.name);
  if (!one || !isNumber(one.bd_rate_percent)) {
    const why = refusalLines(savings(arm, metric.name));
    return figure(label, "No BD-rate", why.length ? why : ["It was not measured."], `${kind} refused`);
  }
  return figure(
    label,
    percent(one.bd_rate_percent),
    [selfBadge(one.self_weighted), meanText(one), ...refusalLines(savings(arm, metric.name))],
    kind,
  );
}

function shareFigure(arm, metric) {
  const human = headline("human", metric.name);
  const one = headline(arm, metric.name);
  if (!human || arm === "human" || !one || !isNumber(one.share_of_human)) return null;
  return figure(
    "Share of the human arm’s saving",
    number(one.share_of_human * 100, 0) + PERCENT,
    [`Human arm: ${percent(human.bd_rate_percent)}`, "What maps from half of the viewers save for the other half."],
    "share",
  );
}

/** "spends 26.5 % fewer bits", "spends as many bits". */
function spends(value) {
  if (Math.abs(value) < 0.05) return "spends as many bits";
  return `spends ${number(Math.abs(value), 1)}${PERCENT} ${value < 0 ? "fewer" : "more"} bits`;
}

function sentence(arm, attended, whole) {
  const kept = attended && headline(arm, attended.name);
  const cost = whole && headline(arm, whole.name);
  const parts = [];
  if (kept && isNumber(kept.bd_rate_percent)) {
    parts.push(
      "At equal quality where people look, ",
      h("b", { class: "name" }, arm),
      " ",
      h("b", {}, spends(kept.bd_rate_percent)),
      " than the plain encode",
      kept.self_weighted ? [" ", selfBadge(true)] : null,
      ". ",
    );
  }
  if (cost && isNumber(cost.bd_rate_percent)) {
    parts.push(
      parts.length
        ? "At equal quality over the whole frame it "
        : h("span", {}, "At equal quality over the whole frame ", h("b", { class: "name" }, arm), " "),
      spends(cost.bd_rate_percent),
      parts.length ? "." : " than the plain encode.",
    );
  }
  return h("p", { class: "lead" }, parts.length ? parts : ["There is no BD-rate for ", h("b", { class: "name" }, arm), "."]);
}

const SELF_TEXT =
  "The attended scores are weighted by the same source that guided the encode. That flatters it: read them as a check, " +
  "not as a result.";

const NOTHING_COMPARED = {
  evaluate: "No arm is compared with the plain one, so there is no BD-rate.",
  compare: "Each file is scored against the same reference, at the bitrate that it happens to have.",
};

function headlineView() {
  const arm = DATA.main_arms[chosen.encoder];
  const [attended, whole] = ["attended", "whole"].map((region) => METRICS.get(DATA.families[DATA.headline_family][region]));
  if (!arm) return h("p", { class: "lead" }, NOTHING_COMPARED[DATA.kind]);
  const one = attended && headline(arm, attended.name);
  return [
    sentence(arm, attended, whole),
    one && one.self_weighted
      ? h("p", { class: "warning", id: "self-weighted" }, h("b", {}, "Self-weighted. "), SELF_TEXT)
      : null,
    attended
      ? null
      : h("p", { class: "warning" }, "There are no weights, so nothing says where people look: only whole-frame quality."),
    whole
      ? null
      : h("p", { class: "warning" }, "No whole-frame quality was measured, so what this costs elsewhere is not known."),
    h(
      "div",
      { class: "figures" },
      attended ? rateFigure(arm, attended, `BD-rate, ${measure(attended)}`, "main") : null,
      whole
        ? rateFigure(arm, whole, attended ? `Its cost: BD-rate, ${measure(whole)}` : `BD-rate, ${measure(whole)}`, "cost")
        : null,
      attended ? shareFigure(arm, attended) : null,
    ),
  ];
}

function startHeadline() {
  if (DATA.encoders.length > 1) replace(byId("headline-controls"), encoderPicker());
  whenChosen(["encoder"], () => replace(byId("headline"), headlineView()));
}
