// The file that the viewer saves.

function record(choice) {
  const [trial, first, second] = current();
  const seconds = Math.round(performance.now() - state.voteBegan) / 1000;
  state.answers.push({ trial, first, second, choice, seconds, plays: state.plays, ...state.shown });
}

function answersText() {
  const space = room(screen.width, screen.height);
  const value = {
    kind: "stcodec pair test: answers",
    schema: 1,
    test: test.test,
    viewer: state.id,
    number: state.number,
    plan: planOf(state.number),
    started: state.started,
    saved: new Date().toISOString(),
    complete: state.answers.length === state.plan.length,
    screen: { width_px: space.width, height_px: space.height, pixel_ratio: ratio() },
    answers: state.answers,
  };
  return JSON.stringify(value, null, 1);
}

function fileName() {
  return `answers-${state.number}-${state.id.slice(0, 4)}.json`;
}

function save() {
  const address = URL.createObjectURL(new Blob([answersText()], { type: "application/json" }));
  h("a", { href: address, download: fileName() }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
