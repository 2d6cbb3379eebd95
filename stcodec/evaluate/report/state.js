// The page's data, what the reader has chosen, and the controls that choose it.

const DATA = block("data");
const chosen = { encoder: 0, clip: 0, family: DATA.headline_family, hidden: new Set() };
const listeners = [];

/** Call `draw` now, and again whenever one of `keys` of `chosen` changes. */
function whenChosen(keys, draw) {
  listeners.push({ keys, draw });
  draw();
}

function choose(key, value) {
  chosen[key] = value;
  for (const one of listeners) if (one.keys.includes(key)) one.draw();
}

let controls = 0;

function control(label, list) {
  list.id = `control-${(controls += 1)}`;
  return h("div", { class: "control" }, h("label", { for: list.id }, label), list);
}

/** A labelled drop-down list of texts; calls `set` with the index. Its `show(texts, index)` fills it anew. */
function dropDown(label, set) {
  const list = h("select", { onchange: () => set(Number(list.value)) });
  const node = control(label, list);
  const show = (texts, index) => {
    replace(
      list,
      texts.map((text, value) => h("option", { value }, text)),
    );
    list.value = String(index);
    node.hidden = texts.length < 2;
  };
  return { node, show };
}

/** A drop-down list that follows `chosen[key]` and sets it. */
function picker(label, key, texts) {
  const list = dropDown(label, (index) => choose(key, index));
  whenChosen([key], () => list.show(texts, chosen[key]));
  return list.node;
}

/** A labelled row of radio buttons that follows `chosen[key]` and sets it. */
function switcher(label, key, texts) {
  const name = `control-${(controls += 1)}`;
  const buttons = texts.map((text, value) =>
    h("input", { type: "radio", name, value, "aria-label": text, onchange: () => choose(key, value) }),
  );
  whenChosen([key], () =>
    buttons.forEach((button, index) => {
      button.checked = index === chosen[key];
    }),
  );
  return h(
    "fieldset",
    { class: "control switcher", hidden: texts.length < 2 },
    h("legend", {}, label),
    h(
      "div",
      {},
      texts.map((text, index) => h("label", {}, buttons[index], h("span", {}, text))),
    ),
  );
}

function clipPicker() {
  return picker(
    "Clip",
    "clip",
    DATA.clips.map((clip) => clip.name),
  );
}

function encoderPicker() {
  return picker(
    "Encoder",
    "encoder",
    DATA.encoders.map((name) => name || "any"),
  );
}
