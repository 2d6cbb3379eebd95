// The figures of the whole, and for each instant what is seen, wanted and made.

const preview = block("preview");

function picture(source, text) {
  return h("figure", {}, h("img", { src: source, alt: text }), h("figcaption", {}, text));
}

function instant(one) {
  const quality = isNumber(one.attended_db)
    ? ` Against the plain encode with the same options: ${signed(one.attended_db, 1)} dB on the fifth that is attended most, ${signed(one.whole_db, 1)} dB over the whole.`
    : "";
  return h("section", {},
    h("h2", {}, `At ${number(one.seconds, 1)} s`),
    h("p", { class: "quiet" }, `With attention ${kbps(one.guided_kbps)} kbit/s, without ${kbps(one.plain_kbps)} kbit/s.${quality}`),
    h("div", { class: "row" },
      picture(one.source, "Source"),
      picture(one.map, "Where viewers look, as predicted"),
      picture(one.offsets, `QP offsets, ${signed(one.least_qp, 1)} to ${signed(one.most_qp, 1)}: blue is better quality, orange less`)),
    h("div", { class: "row" },
      picture(one.details.source, "Most attended place, source pixels"),
      picture(one.details.plain, `Without attention, ${kbps(one.same_kbps)} kbit/s`),
      picture(one.details.guided, `With attention, ${kbps(one.guided_kbps)} kbit/s`)));
}

byId("title").textContent = preview.source;
document.title = `Preview: ${preview.source}`;
byId("basis").textContent =
  `From ${count(preview.instants.length, "excerpt")} of ${number(preview.excerpt_seconds, 1)} s; each begins with a key frame, so that the whole is rather smaller.`;
replace(byId("figures"), preview.figures.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
byId("command").textContent = preview.command;
replace(byId("instants"), preview.instants.map(instant));
