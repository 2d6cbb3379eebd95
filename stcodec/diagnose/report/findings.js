// The list of findings: choosing one shows its frame, what was measured, and what to try.

const listed = { order: "time", fault: "" };

/** Ranked moments come first, in their own order; then faults by time, or by how far they are beyond their threshold. */
function order() {
  const kept = FINDINGS.map((one, index) => ({ one, index })).filter(({ one }) => !listed.fault || one.fault === listed.fault);
  const excess = ({ one }) => (one.ranked ? 0 : one.value / RULES.get(one.fault).threshold);
  const ranked = kept.filter(({ one }) => one.ranked);
  const faults = kept.filter(({ one }) => !one.ranked);
  if (listed.order === "worst") faults.sort((a, b) => excess(b) - excess(a));
  else faults.sort((a, b) => a.one.start_seconds - b.one.start_seconds);
  return [...ranked, ...faults];
}

function openFinding(index) {
  choose({ still: FINDINGS[index].still, finding: index });
}

function stepFinding(step) {
  const shown = order().map(({ index }) => index);
  if (!shown.length) return;
  const place = shown.indexOf(chosen.finding);
  openFinding(shown[place < 0 ? (step > 0 ? 0 : shown.length - 1) : (place + step + shown.length) % shown.length]);
}

function findingRow({ one, index }) {
  const who = DATA.subjects.length > 1 && one.fault !== "difference" ? ` (${"AB"[one.subject]})` : "";
  const ends = one.end_seconds - one.start_seconds > 0.05 ? ` – ${clock(one.end_seconds)}` : "";
  return h("li", {}, h("button", { type: "button", "data-finding": index, onclick: () => openFinding(index) },
    h("span", { class: "when" }, clock(one.start_seconds) + ends),
    h("b", {}, RULES.get(one.fault).title + who),
    h("span", { class: "what" }, one.text)));
}

function buildFindings() {
  const names = [...new Set(FINDINGS.map((one) => one.fault))];
  if (FINDINGS.length > 1) {
    replace(byId("findings-controls"),
      h("label", {}, "Show", h("select", { id: "which", onchange: (event) => { listed.fault = event.target.value; listRows(); } },
        h("option", { value: "" }, `all ${FINDINGS.length}`),
        names.map((name) => h("option", { value: name }, `${RULES.get(name).title} (${FINDINGS.filter((one) => one.fault === name).length})`)))),
      h("label", {}, "Order", h("select", { id: "order", onchange: (event) => { listed.order = event.target.value; listRows(); } },
        h("option", { value: "time" }, "by time"), h("option", { value: "worst" }, "worst first"))));
  }
  listRows();
}

function listRows() {
  const rows = order().map(findingRow);
  replace(byId("findings-list"), rows.length ? rows : h("li", { class: "none" }, "None of the faults below was found."));
  markFinding();
}

function markFinding() {
  for (const button of document.querySelectorAll("#findings-list button")) {
    const is = Number(button.dataset.finding) === chosen.finding;
    button.setAttribute("aria-current", String(is));
    if (is) button.scrollIntoView({ block: "nearest" });
  }
  const finding = chosen.finding === null ? null : FINDINGS[chosen.finding];
  const rule = finding && RULES.get(finding.fault);
  replace(byId("advice"), finding && [h("b", {}, "To try: "), rule.hint, "."]);
}
watchers.push(markFinding);

function buildRules() {
  replace(byId("rules-list"), DATA.faults.map((fault) => h("div", {},
    h("dt", {}, fault.title),
    h("dd", {}, fault.definition),
    h("dd", {}, `Threshold: ${fault.threshold} ${fault.unit}` + (fault.least_seconds ? `, for ${fault.least_seconds} s or longer.` : ".")),
    h("dd", {}, `To try: ${fault.hint}.`))));
}
