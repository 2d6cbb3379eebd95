// Fills the page in the order in which it is read.

function startTop() {
  const compare = DATA.kind === "compare";
  const facts = {
    [DATA.encoders.length > 1 ? "Encoders" : "Encoder"]: DATA.encoders.filter(Boolean).join(", "),
    Preset: DATA.settings.preset || "",
    CRF: compare ? "" : DATA.settings.crf || "",
    Clips: compare ? "" : String(DATA.clips.length),
    Files: compare ? String(DATA.arms.length) : "",
    Weights: [...new Set(DATA.clips.map((clip) => clip.weights || "none"))].slice(0, 3).join("; "),
    Failures: DATA.failures.length ? `${DATA.failures.length}, listed below` : "",
    Made: DATA.created.replace("T", " ").replace(/(\.\d+)?(Z|\+00:00)$/, " UTC"),
  };
  replace(byId("facts"), definitions(facts));
}

document.documentElement.classList.add("ready");
startTop();
startHeadline();
startOverview();
startClips();
startCurves();
startTimeline();
startFrames();
startDetails();
