// The frame of the chosen moment with what lies over it.

const CANVAS_WIDTH = 960;
const TALLEST_VH = 75;
const pictures = new Map();

/** The still as a picture, once it is decoded; until then null, and all is drawn again when it is there. */
function picture(list, still) {
  const uri = list[still];
  const known = pictures.get(uri);
  if (known) return known.complete && known.naturalWidth ? known : null;
  const image = new Image();
  pictures.set(uri, image);
  image.onload = () => drawStage();
  image.src = uri;
  if (pictures.size > 80) pictures.delete(pictures.keys().next().value);
  return image.complete && image.naturalWidth ? image : null;
}

function layerOf(subject) {
  const own = LAYERS.filter((layer) => layer.subject === subject);
  return own.find((layer) => layer.name === chosen.layer) || own[0];
}

/** [caption, subject, style, stills, layer (the chosen one if left out)] of each canvas that is shown. */
function panels() {
  if (DATA.subjects.length > 1) {
    return DATA.subjects.map((subject, number) => [`${"AB"[number]}: ${subject.attention}`, number, chosen.style, STILLS]);
  }
  const stills = layerOf(0).on_encode ? ENCODED_STILLS : STILLS;
  if (chosen.style !== "side") return [[null, 0, chosen.style, stills]];
  if (ENCODED_STILLS && chosen.layer === "map") {
    return [
      ["Original", 0, "overlay", STILLS],
      ["Encode", 0, "overlay", ENCODED_STILLS, LAYERS.find((layer) => layer.name === "encode-map")],
    ];
  }
  return [
    [stills === STILLS ? "The frame" : "The encode", 0, "plain", stills],
    [layerOf(0).label, 0, "overlay", stills],
  ];
}

function drawWays(context, subject) {
  const width = context.canvas.width;
  for (const way of DATA.subjects[subject].trails[chosen.still]) {
    way.forEach(([x, y], index) => {
      const age = (index + 1) / way.length;
      context.strokeStyle = `rgb(255 255 255 / ${0.25 + 0.75 * age})`;
      context.lineWidth = width / 240;
      if (index > 0) {
        context.beginPath();
        context.moveTo(way[index - 1][0] * width, way[index - 1][1] * width);
        context.lineTo(x * width, y * width);
        context.stroke();
      }
    });
    const [x, y] = way[way.length - 1];
    context.beginPath();
    context.arc(x * width, y * width, width / 90, 0, 2 * Math.PI);
    context.fillStyle = "#fff";
    context.strokeStyle = "#000";
    context.fill();
    context.stroke();
  }
}

function drawTokens(context, subject) {
  const tokens = DATA.subjects[subject].tokens[chosen.still];
  if (!tokens) return;
  const [rows, cols] = tokens.shape;
  const { width, height } = context.canvas;
  const [wide, high] = [width / cols, height / rows];
  tokens.index.forEach((place, number) => {
    const [x, y] = [(place % cols) * wide, Math.floor(place / cols) * high];
    const picked = chosen.token === number;
    context.strokeStyle = picked ? "#ff8c3b" : `rgb(255 255 255 / ${tokens.open[number]})`;
    context.lineWidth = picked ? width / 200 : width / 500;
    context.strokeRect(x + 1.5, y + 1.5, wide - 3, high - 3);
    if (picked) drawLooks(context, tokens.places[number], x + wide / 2, y + high / 2);
  });
}

/** Lines from a token to where it looked. */
function drawLooks(context, places, x, y) {
  const { width, height } = context.canvas;
  const most = Math.max(...places.map((place) => place[3]), 1e-6);
  for (const [, toX, toY, share] of places) {
    context.strokeStyle = `rgb(255 140 59 / ${0.3 + (0.7 * share) / most})`;
    context.lineWidth = (width / 220) * (0.4 + share / most);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(toX * width, toY * height);
    context.stroke();
    context.beginPath();
    context.arc(toX * width, toY * height, width / 130, 0, 2 * Math.PI);
    context.fillStyle = "#ff8c3b";
    context.fill();
  }
}

/** A ring where the chosen finding has its place. */
function drawPlace(context, subject) {
  const finding = chosen.finding === null ? null : FINDINGS[chosen.finding];
  if (!finding || !finding.place || finding.subject !== subject || finding.still !== chosen.still) return;
  const width = context.canvas.width;
  context.beginPath();
  context.arc(finding.place[0] * width, finding.place[1] * width, width / 14, 0, 2 * Math.PI);
  for (const [colour, line] of [["#000", width / 130], ["#ff8c3b", width / 220]]) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.stroke();
  }
}

function drawPanel(canvas, [, subject, style, stills, layer = layerOf(subject)]) {
  const context = canvas.getContext("2d");
  const cells = cellsOf(layer, chosen.still);
  const image = picture(stills, chosen.still);
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (image) context.drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.dataset.ready = image ? String(chosen.still) : "";
  if (style === "overlay") {
    context.fillStyle = "rgb(0 0 0 / 0.3)";
    context.fillRect(0, 0, canvas.width, canvas.height);
    drawGrid(context, layer, cells, (value) => opacity(layer, value));
  }
  if (style === "contour") drawContours(context, layer, cells);
  if (style !== "plain" && chosen.tokens) drawTokens(context, subject);
  if (style !== "plain" && chosen.ways) drawWays(context, subject);
  drawPlace(context, subject);
}

function pickToken(event, subject) {
  const tokens = DATA.subjects[subject].tokens[chosen.still];
  if (!tokens || !chosen.tokens) return;
  const box = event.currentTarget.getBoundingClientRect();
  const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  const [rows, cols] = tokens.shape;
  const place = Math.min(rows - 1, Math.floor(y * rows)) * cols + Math.min(cols - 1, Math.floor(x * cols));
  const number = tokens.index.indexOf(place);
  choose({ token: number >= 0 && number !== chosen.token ? number : null });
}

function drawStage() {
  const wanted = panels();
  const holder = byId("canvases");
  if (holder.children.length !== wanted.length) {
    replace(holder, wanted.map(([, subject]) => h("figure", {},
      h("canvas", { width: CANVAS_WIDTH, height: Math.round(CANVAS_WIDTH * ASPECT), role: "img", onclick: (event) => pickToken(event, subject) }),
      h("figcaption", {}))));
    holder.classList.toggle("two", wanted.length > 1);
  }
  wanted.forEach((panel, index) => {
    const [canvas, caption] = holder.children[index].children;
    canvas.style.maxWidth = `${(TALLEST_VH / ASPECT).toFixed(1)}vh`;
    canvas.setAttribute("aria-label", `Frame at ${clock(DATA.stills[chosen.still])}, ${layerOf(panel[1]).label}`);
    caption.textContent = panel[0] || "";
    caption.hidden = !panel[0];
    drawPanel(canvas, panel);
  });
}
watchers.push(drawStage);

function drawLegend() {
  const layer = layerOf(0);
  const shown = chosen.style !== "plain";
  const unit = layer.unit ? " " + layer.unit : "";
  const places = layer.high - layer.low < 4 && !Number.isInteger(layer.high) ? 1 : 0;
  replace(byId("legend"),
    shown && [
      h("span", {}, layer.label),
      h("span", {}, `${number(layer.low, places)}${unit}`),
      rampCanvas(layer.signed),
      h("span", {}, `${number(layer.high, places)}${unit}`),
    ],
    shown && chosen.style === "contour" && h("span", {}, "The lines hold 25, 50 and 75 % of the map."));
}
watchers.push(drawLegend);
