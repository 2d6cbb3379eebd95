// One stage after the other, by keys.

function begin() {
  const field = byId("number");
  const value = Number(field.value);
  if (!Number.isInteger(value) || value < 1 || value > 100000) {
    byId("screen-note").textContent = "Type your number first: 1 or more.";
    field.focus();
    return;
  }
  state.number = value;
  state.plan = test.plans[planOf(value)];
  state.started = new Date().toISOString();
  field.blur();
  goFullScreen();
  ready();
}

function ready() {
  state.plays = 0;
  byId("count").textContent = state.place === 0 ? "Practice" : `Pair ${state.place} of ${state.plan.length - 1}`;
  enter("ready");
  remind();
}

async function play() {
  enter("loading");
  say("");
  try {
    state.shown = await showPair(current());
  } catch (error) {
    byId("failed-why").textContent = error.message;
    enter("failed");
    if (state.answers.length) save();
    return;
  }
  state.plays += 1;
  state.voteBegan = performance.now();
  enter("vote");
  remind();
}

function vote(choice) {
  record(choice);
  state.place += 1;
  if (state.place < state.plan.length) {
    ready();
    return;
  }
  byId("saved-name").textContent = fileName();
  say("");
  enter("done");
  save();
}

const KEYS = {
  welcome: { Enter: begin },
  ready: { " ": play },
  vote: { 1: () => vote("first"), ArrowLeft: () => vote("first"), 2: () => vote("second"), ArrowRight: () => vote("second"), r: play },
  done: { s: save },
};

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const action = (KEYS[state.stage] || {})[key] || (key === "f" && state.stage !== "playing" ? goFullScreen : null);
  if (!action || (event.target instanceof HTMLButtonElement && ["Enter", " "].includes(key))) return;
  event.preventDefault();
  action();
});

window.addEventListener("beforeunload", (event) => {
  if (state.answers.length && state.stage !== "done") event.preventDefault();
});
window.addEventListener("resize", remind);
document.addEventListener("fullscreenchange", remind);
byId("start").addEventListener("click", begin);
byId("vote-first").addEventListener("click", () => vote("first"));
byId("vote-second").addEventListener("click", () => vote("second"));
byId("save").addEventListener("click", save);

const [firstName, secondName] = isBeside ? ["the left one", "the right one"] : ["the first one", "the second one"];
byId("how").textContent = isBeside
  ? "You see the same video twice, side by side. Afterwards say which of the two looks better."
  : "You see the same video twice, one after the other. Afterwards say which of the two looks better.";
byId("key-first").textContent = `${firstName} looked better`;
byId("key-second").textContent = `${secondName} looked better`;
byId("vote-first").textContent = `1: ${firstName}`;
byId("vote-second").textContent = `2: ${secondName}`;
byId("number").focus();
remind();
