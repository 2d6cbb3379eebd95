// The live picture with the map over it.

const picture = byId("picture");
let shown = null;

async function askPreview() {
  const preview = await ask("preview.json");
  if (!preview || (known.preview && known.preview.seconds === preview.seconds)) return;
  const image = new Image();
  image.src = preview.picture;
  await image.decode();
  const map = preview.map && { ...preview.map, signed: false, cells: cellsFrom(preview.map.bytes) };
  known.preview = { ...preview, image, map };
}

function drawPreview() {
  const preview = chosen.frozen && shown ? shown : known.preview;
  byId("opacity").disabled = byId("map-on").disabled = Boolean(preview && !preview.map);
  if (!preview) return;
  shown = preview;
  if (picture.width !== preview.width || picture.height !== preview.height) {
    picture.width = preview.width;
    picture.height = preview.height;
  }
  const context = picture.getContext("2d");
  context.drawImage(preview.image, 0, 0, picture.width, picture.height);
  const withMap = chosen.map && preview.map;
  if (withMap) drawGrid(context, preview.map, preview.map.cells, (value) => (chosen.opacity / 100) * Math.sqrt(value / 254));
  picture.dataset.seconds = preview.seconds;
  picture.setAttribute("aria-label", `the picture at ${clock(preview.seconds)}` + (withMap ? ", with the map of attention over it" : ""));
  const what = preview.map ? "" : "; without attention there is no map";
  byId("moment").textContent = `${chosen.frozen ? "Frozen at" : "At"} ${clock(preview.seconds)} of the stream${what}.`;
}
watchers.push(drawPreview);

function drawRamp() {
  const cells = Uint8Array.from({ length: 255 }, (_, index) => index);
  drawGrid(byId("ramp").getContext("2d"), { rows: 1, cols: 255, signed: false }, cells, null);
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  const two = (value) => String(value).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}
