// What is known of the stream, what is chosen on the page, and asking for more.

const KEPT = 600;
const STATE_MS = 1000;
const PREVIEW_MS = 500;
const PATIENCE_MS = 4000;

const known = { run: "", next: 0, moments: [], now: null, ill: [], lost: false, preview: null };
const chosen = { map: true, opacity: 70, rendition: 0, frozen: false };
const watchers = [];

function draw() {
  for (const watcher of watchers) watcher();
}

function choose(change) {
  Object.assign(chosen, change);
  draw();
}

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function askState() {
  const state = await ask(`state.json?since=${known.next}`);
  const goesOn = state.run === known.run && state.first === known.next;
  known.moments = (goesOn ? known.moments.concat(state.moments) : state.moments).slice(-KEPT);
  Object.assign(known, { run: state.run, next: state.next, now: state.now, ill: state.ill, lost: false });
}

/** Ask again and again; a page in the background asks for no pictures, so that none are made. */
function keepAsking(what, everyMs, wanted) {
  const round = async () => {
    if (wanted()) {
      try {
        await what();
      } catch {
        known.lost = true;
      }
      draw();
    }
    setTimeout(round, everyMs);
  };
  round();
}
