// What the page was given, and how far this viewer is.

const test = block("data");
const isBeside = test.show === "side-by-side";
const TITLE_MS = 1000;
const GAP_PX = 32;
const PATIENCE_MS = 30000;

const state = { stage: "welcome", number: 0, id: randomId(), plan: [], place: 0, plays: 0, shown: null, voteBegan: 0, started: "", answers: [] };

function randomId() {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function enter(stage) {
  state.stage = stage;
  document.body.dataset.stage = stage;
}

/** Trial, first and second file of what is to be judged now. */
function current() {
  return state.plan[state.place];
}

function planOf(number) {
  return (number - 1) % test.plans.length;
}
